//! What all sessions of an engine share beside the keys: figures and chance.

use crate::cluster::{Cluster, Topology};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since the start or the last CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) commands: AtomicU64,
    pub(crate) keyspace_hits: AtomicU64,
    pub(crate) keyspace_misses: AtomicU64,
    pub(crate) expired_keys: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) input_bytes: AtomicU64,
    pub(crate) output_bytes: AtomicU64,
}

/// What all sessions of an engine share beside the keys.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) stats: Stats,
    /// Where slots live; none in an engine that is not part of a cluster.
    pub(crate) cluster: Option<Cluster>,
    random: AtomicU64,
    next_client_id: AtomicU64,
}

impl Environment {
    pub(crate) fn new(seed: u64, topology: Option<Topology>) -> Self {
        Self {
            stats: Stats::default(),
            cluster: topology.map(Cluster::new),
            random: AtomicU64::new(seed),
            next_client_id: AtomicU64::new(1),
        }
    }

    /// The next number of a sequence that the seed determines (splitmix64 by Steele, Lea and
    /// Flood).
    pub(crate) fn random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.random.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number for a new session.
    pub(crate) fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, Relaxed)
    }
}
