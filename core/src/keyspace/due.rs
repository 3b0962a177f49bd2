//! Which records expire, and in what order. Deleting them is the partition's work.

use crate::structs::sorted::SortedSet;

const SLOT_BITS: u32 = 14;
/// Times are cut to 50 bits, some 35,000 years; what is due later than that is never looked for,
/// only found expired when it is read.
const TIME_MAX: u64 = (1 << (64 - SLOT_BITS)) - 1;

/// A record that expires, known by its slot within the shard and the hash of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    time_and_slot: u64,
    pub(super) hash: u64,
}

impl Due {
    fn new(expire_ms: u64, slot: usize, hash: u64) -> Self {
        Self { time_and_slot: expire_ms.min(TIME_MAX) << SLOT_BITS | slot as u64, hash }
    }

    pub(super) fn expire_ms(self) -> u64 {
        self.time_and_slot >> SLOT_BITS
    }

    pub(super) fn slot(self) -> usize {
        (self.time_and_slot & ((1 << SLOT_BITS) - 1)) as usize
    }
}

/// The records that expire, ordered by when. Sixteen bytes each, beside eight in the record.
///
/// Two records of one slot that expire in the same millisecond and share all 64 bits of a secret
/// hash would be one pair here; the second would then go when it is next looked at, not before.
#[derive(Debug, Default)]
pub(super) struct DueSet {
    pairs: SortedSet<Due>,
}

impl DueSet {
    pub(super) fn insert(&mut self, expire_ms: u64, slot: usize, hash: u64) {
        self.pairs.insert(Due::new(expire_ms, slot, hash));
    }

    pub(super) fn remove(&mut self, expire_ms: u64, slot: usize, hash: u64) {
        self.pairs.remove(Due::new(expire_ms, slot, hash));
    }

    /// How many records expire.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The first to expire.
    pub(super) fn first(&self) -> Option<Due> {
        self.pairs.first()
    }

    /// Those that are expired at `now_ms`, the earliest first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = Due> {
        self.pairs.iter().take_while(move |due| due.expire_ms() < now_ms)
    }

    pub(super) fn forget(&mut self, due: Due) {
        self.pairs.remove(due);
    }

    /// When they expire, the earliest first.
    pub(super) fn times_ms(&self) -> impl Iterator<Item = u64> {
        self.pairs.iter().map(|due| due.expire_ms())
    }

    pub(super) fn footprint(&self) -> usize {
        self.pairs.footprint()
    }
}
