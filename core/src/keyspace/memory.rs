//! Memory by purpose, and its sum at any time. Who counts what is the owner of each part.

use crate::structs::stripe::Striped;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What each shard takes and holds, noted when its lock is given up after a change, so that the sum
/// needs no look at the shards.
#[derive(Debug)]
pub(super) struct Gauge {
    shards: Box<[Noted]>,
    /// The sum of all shards' bytes.
    sum: Striped,
}

/// What is known of a shard without its lock. Written under it.
#[derive(Debug, Default)]
struct Noted {
    bytes: AtomicUsize,
    population: AtomicU64,
}

/// How many keys there are, and how many times of expiry, of keys or of their members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Population {
    pub(super) keys: u32,
    pub(super) dues: u32,
}

impl Population {
    fn to_bits(self) -> u64 {
        u64::from(self.keys) << 32 | u64::from(self.dues)
    }

    fn from_bits(bits: u64) -> Self {
        Self { keys: (bits >> 32) as u32, dues: bits as u32 }
    }
}

impl Gauge {
    pub(super) fn new(shards: usize) -> Self {
        let shards = std::iter::repeat_with(Noted::default).take(shards).collect();
        Self { shards, sum: Striped::default() }
    }

    /// Notes what a shard takes and holds. The caller holds its lock.
    pub(super) fn note(&self, shard: usize, bytes: usize, population: Population) {
        let noted = &self.shards[shard];
        let before = noted.bytes.load(Relaxed);
        if before != bytes {
            noted.bytes.store(bytes, Relaxed);
            self.sum.add((bytes as u64).wrapping_sub(before as u64));
        }
        noted.population.store(population.to_bits(), Relaxed);
    }

    /// The bytes that were noted of a shard.
    pub(super) fn bytes(&self, shard: usize) -> usize {
        self.shards[shard].bytes.load(Relaxed)
    }

    /// What was noted of the keys of a shard.
    #[inline]
    pub(super) fn population(&self, shard: usize) -> Population {
        Population::from_bits(self.shards[shard].population.load(Relaxed))
    }

    /// The sum of the bytes that were noted. Between the two halves of a change that is noted just
    /// now it may be off by as much.
    pub(super) fn sum(&self) -> usize {
        (self.sum.total() as i64).max(0) as usize
    }

    /// What the gauge itself takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
        crate::structs::allocation::footprint(size_of_val(&*self.shards))
    }
}

/// What a keyspace takes from the allocator, in bytes, by purpose.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyspaceMemory {
    pub(crate) databases: Vec<DatabaseMemory>,
    /// Locks, and what shards take beside their databases.
    pub(crate) fixed: usize,
    /// What waits to be freed.
    pub(crate) waiting: usize,
}

/// What a database takes, in bytes, beside how many keys it has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DatabaseMemory {
    pub(crate) keys: usize,
    /// Keys and values.
    pub(crate) records: usize,
    /// Tables that find them.
    pub(crate) tables: usize,
    /// Expiry times.
    pub(crate) due: usize,
}

impl DatabaseMemory {
    /// Everything, in bytes.
    pub(crate) fn total(&self) -> usize {
        self.records + self.tables + self.due
    }
}

impl KeyspaceMemory {
    /// Keys and values, in bytes.
    pub(crate) fn dataset(&self) -> usize {
        self.databases.iter().map(|database| database.records).sum()
    }

    /// Everything, in bytes.
    pub(crate) fn total(&self) -> usize {
        let databases: usize = self.databases.iter().map(DatabaseMemory::total).sum();
        databases + self.fixed + self.waiting
    }
}
