//! Words to calls: the command table, and a file of handlers for each family. Locks, routing and
//! batches are the engine's business; values are `value`'s.

mod acl;
mod big_keys;
mod bitmap;
mod blocking;
mod call;
mod card;
mod client;
mod client_command;
mod cluster;
mod codis;
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
mod hot_keys;
mod hyperloglog;
mod info;
mod introspect;
mod key;
mod key_spec;
mod latency;
mod limits;
mod link;
mod list;
mod lolwut;
mod lookup;
mod mailbox;
mod memory_command;
mod migrations;
mod module;
mod monitor;
mod names;
mod pause;
pub(crate) mod policy;
mod pubsub;
mod quoted;
mod replication;
mod scan_options;
mod script;
mod secrets;
mod server;
mod set;
mod slow_log;
mod snapshot;
mod sort;
mod stats;
mod stream;
mod string;
pub(crate) mod table;
mod tally;
pub(crate) mod tracking;
mod transaction;
mod wait;
mod zset;

pub use acl::{AclStore, AuditEvent, AuditOrigin, AuditSink};
pub(crate) use acl::{Identity, Users};
pub use big_keys::{BigKey, BigKeySearch};
pub(crate) use call::Call;
pub(crate) use client::{ClientState, ReplyMode, is_unix_socket};
#[cfg(feature = "scripts")]
pub(crate) use connection::REDIS_VERSION;
pub(crate) use environment::Environment;
pub use environment::HostFigures;
pub use figures::{CommandFigures, DatabaseFigures, Figures, Metric, MetricKind};
pub use hot_keys::HotKey;
pub use latency::LatencySample;
pub(crate) use link::{Failure, Line, Next, PeerState, Scene, Stage, Task};
pub(crate) use mailbox::{Letter, Waker};
pub(crate) use migrations::name as migration_name;
pub(crate) use monitor::is_shown_first;
pub(crate) use names::Names;
#[cfg(feature = "scripts")]
pub(crate) use quoted::split_arguments;
pub use script::RestorePolicy;
#[cfg(feature = "scripts")]
pub(crate) use script::{
    FunctionRequest, Interpreter, LibraryFigures, LibraryFilter, ScriptFigures, ScriptRequest,
    SlowScript,
};
pub use slow_log::SlowCall;
pub(crate) use stats::Counter;
pub(crate) use tally::Sample;
pub(crate) use transaction::Transaction;
pub(crate) use wait::{Release, WaitState, Waiter};
