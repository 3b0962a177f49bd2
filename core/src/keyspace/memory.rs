//! Memory by purpose, and its sum as it was lately. Who counts what is the owner of each part.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What each shard took when it was last looked at, so that the sum needs no look at all of them at
/// once: with cold caches that would take longer than a call should.
#[derive(Debug)]
pub(super) struct Gauge {
    by_shard: Box<[AtomicUsize]>,
    sum: AtomicUsize,
    /// Which shard is looked at next.
    next: AtomicUsize,
}

impl Gauge {
    pub(super) fn new(shards: usize) -> Self {
        let by_shard = std::iter::repeat_with(AtomicUsize::default).take(shards).collect();
        Self { by_shard, sum: AtomicUsize::default(), next: AtomicUsize::default() }
    }

    /// The shard whose turn it is.
    pub(super) fn next_shard(&self) -> usize {
        self.next.fetch_add(1, Relaxed) % self.by_shard.len()
    }

    /// Notes what a shard takes.
    pub(super) fn note(&self, shard: usize, bytes: usize) {
        let before = self.by_shard[shard].swap(bytes, Relaxed);
        self.sum.fetch_add(bytes.wrapping_sub(before), Relaxed);
    }

    /// The sum of what was noted.
    pub(super) fn sum(&self) -> usize {
        self.sum.load(Relaxed)
    }

    /// What the gauge itself takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
        crate::structs::allocation::footprint(size_of_val(&*self.by_shard))
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
