//! Key to slot. Which node serves a slot is the cluster's business.

/// How many slots Redis's scheme has.
pub const SLOTS: usize = 1 << 14;

/// How a key is mapped to a slot. Chosen when the keyspace is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotScheme {
    /// 16,384 slots by CRC16 (XMODEM) of the key or its hash tag, as Redis Cluster.
    #[default]
    Redis,
}

impl SlotScheme {
    /// How many slots there are.
    pub const fn slots(self) -> usize {
        SLOTS
    }

    /// The slot of a key.
    #[inline]
    pub fn slot(self, key: &[u8]) -> u16 {
        crc16::State::<crc16::XMODEM>::calculate(key) % SLOTS as u16
    }
}
