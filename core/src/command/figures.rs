//! What INFO and MEMORY measure: memory by purpose. The figures of a whole engine, for programs, are
//! `engine`'s; their names and their text for monitoring systems are `metrics`'s.

mod engine;
mod metrics;

pub use engine::{CommandFigures, DatabaseFigures, Figures};
pub use metrics::{Metric, MetricKind};

use super::environment::Environment;
use crate::keyspace::{Access, KeyspaceMemory};

/// What an engine takes from the allocator.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) keyspace: KeyspaceMemory,
    /// Cards and buffers of sessions.
    pub(super) client_bytes: usize,
    /// What the empty keyspace took.
    pub(super) startup_bytes: usize,
    /// The most that was ever measured.
    pub(super) peak_bytes: usize,
}

impl Memory {
    pub(super) fn measure(env: &Environment, keys: &mut Access<'_>) -> Self {
        let keyspace = keys.keyspace().memory();
        let client_bytes = env.measure_clients();
        let startup_bytes = env.startup_bytes;
        let peak_bytes = env.note_memory(keyspace.total() + client_bytes);
        Self { keyspace, client_bytes, startup_bytes, peak_bytes }
    }

    /// All of it: keys, tables and buffers. What the program takes beside this engine is not in it.
    pub(super) fn used_bytes(&self) -> usize {
        self.keyspace.total() + self.client_bytes
    }
}
