//! What a slot holds and how much it is used, in numbers. Counting is the keyspace's work.

/// What a slot holds, in all databases, and how much it was used since the engine began or its
/// database was last flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotFigures {
    /// Keys, expired ones that were not met yet included.
    pub keys: u64,
    /// Bytes of memory that keys, values and what finds them take.
    pub bytes: u64,
    /// How often a key was read, found or not.
    pub reads: u64,
    /// How often a key was changed.
    pub writes: u64,
    /// Microseconds that commands took. This and the two below are counted while the setting
    /// `cluster-slot-stats-enabled` is on.
    pub cpu_us: u64,
    /// Bytes of the commands, as RESP.
    pub bytes_in: u64,
    /// Bytes of the replies, as RESP.
    pub bytes_out: u64,
}

impl SlotFigures {
    /// Reads and writes.
    pub fn operations(&self) -> u64 {
        self.reads + self.writes
    }
}
