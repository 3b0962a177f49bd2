//! An embeddable Redis-compatible engine: the Redis data model on a slotted keyspace, in process.
//!
//! The core opens no socket, spawns no thread, and reads no clock that it was not given. A host
//! gives bytes to a [`Session`] and takes bytes from it; or it calls the [`Engine`] with words, or
//! with types.
//!
//! ```
//! use keyslot::Engine;
//!
//! let engine = Engine::default();
//!
//! // By types.
//! engine.set(b"greeting", b"hello")?;
//! assert_eq!(engine.get(b"greeting")?.as_deref(), Some(&b"hello"[..]));
//!
//! // By bytes, as a client on a socket would.
//! let mut session = engine.session();
//! session.feed(b"INCR visits\r\nEXPIRE visits 60\r\nGET greet");
//! assert_eq!(session.take_output(), b":1\r\n:1\r\n");
//! session.feed(b"ing\r\n");
//! assert_eq!(session.take_output(), b"$5\r\nhello\r\n");
//!
//! // From time to time: what is due.
//! while engine.maintain(1_000) {}
//! # Ok::<(), keyslot::error::Error>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`resp`] | bytes to words and replies to bytes, on both sides of a conversation |
//! | [`slot`] | keys to slots, and sets of slots |
//! | [`cluster`] | which node serves which slot |
//! | [`config`] | the settings of an engine, under their CONFIG names |
//! | [`time`] | clocks |
//! | [`error`] | every error with its text and its number |

pub mod cluster;
mod command;
pub mod config;
mod engine;
pub mod error;
mod keyspace;
mod migration;
pub mod resp;
mod secret;
pub mod slot;
mod structs;
pub mod time;
mod value;

pub use command::{
    AclStore, AuditEvent, AuditOrigin, AuditSink, BigKey, BigKeySearch, CommandFigures,
    DatabaseFigures, Figures, HostFigures, HotKey, LatencySample, Metric, MetricKind,
    RestorePolicy, SlowCall,
};
pub use engine::{
    Effect, Effects, Engine, EngineOptions, ImportEvent, Link, Migration, Pipeline, Receiver,
    Session,
};
pub use migration::{
    Decision, Measure, MigrationEntry, MigrationEvent, MigrationLimits, MigrationOrder,
    MigrationRecord, MigrationState, MigrationStatus, Mode, Plan, PlanError, PlanMove, PlanNode,
    PlanOptions, PlanSlot, SlotAction, SlotActionEvent, SlotActionLimits, SlotActionRecord,
    SlotActionState, SlotRoute, Transfer,
};
