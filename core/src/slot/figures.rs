//! What a slot holds and how much it is used, in numbers. Counting is the keyspace's work.

/// What a slot holds, and what was done with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotFigures {
    /// Keys.
    pub keys: u64,
    /// Bytes of memory that keys and values take.
    pub bytes: u64,
    /// Commands on its keys.
    pub operations: u64,
}
