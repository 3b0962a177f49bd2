//! Words to calls: the command table, and a file of handlers for each family. Locks, routing and
//! batches are the engine's business; values are `value`'s.

mod bitmap;
mod call;
mod card;
mod client;
mod client_command;
mod cluster;
mod config_command;
mod connection;
mod debug;
mod dump;
mod environment;
mod expire_arguments;
mod figures;
mod geo;
mod glob;
mod grammar;
mod hash;
mod hyperloglog;
mod info;
mod introspect;
mod key;
mod key_spec;
mod list;
mod lolwut;
mod lookup;
mod mailbox;
mod memory_command;
mod pubsub;
mod scan_options;
mod server;
mod set;
mod sort;
mod stats;
mod stream;
mod string;
pub(crate) mod table;
mod transaction;
mod zset;

pub(crate) use call::Call;
pub(crate) use client::{ClientState, ReplyMode};
pub(crate) use environment::Environment;
pub use environment::HostFigures;
pub(crate) use mailbox::{Letter, Waker};
pub(crate) use stats::Counter;
pub(crate) use transaction::Transaction;
