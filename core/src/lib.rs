//! An embeddable Redis-compatible engine: the Redis data model on a slotted keyspace, in process.

pub mod error;
pub mod resp;
pub mod time;
