//! An embeddable Redis-compatible engine: the Redis data model on a slotted keyspace, in process.

pub mod cluster;
mod command;
pub mod config;
mod engine;
pub mod error;
mod keyspace;
pub mod resp;
pub mod slot;
mod structs;
pub mod time;
mod value;
pub use command::HostFigures;
pub use engine::{Engine, EngineOptions, Session};
