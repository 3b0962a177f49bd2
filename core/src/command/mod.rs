//! Words to calls: the command table, and a file of handlers for each family. Locks, routing and
//! batches are the engine's business; values are `value`'s.

mod call;
mod client;
mod connection;
mod environment;
mod expire_arguments;
mod glob;
mod grammar;
mod key;
mod key_spec;
mod lookup;
mod string;
pub(crate) mod table;

pub(crate) use call::Call;
pub(crate) use client::{ClientState, ReplyMode};
pub(crate) use environment::{Environment, Stats};
