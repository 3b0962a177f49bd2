//! Memory by purpose. Who counts what is the owner of each part.

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
