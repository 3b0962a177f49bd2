//! Which records expire, in whole or in part, and in what order. Deleting them is the partition's
//! work.

use crate::structs::sorted::SortedSet;

const SLOT_BITS: u32 = 14;
const KIND_BIT: u32 = SLOT_BITS;
const TIME_SHIFT: u32 = KIND_BIT + 1;
/// Times are cut to 49 bits, some 17,000 years; what is due later than that is never looked for,
/// only found expired when it is read.
const TIME_MAX: u64 = (1 << (64 - TIME_SHIFT)) - 1;

/// What expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DueKind {
    /// The whole record.
    Record,
    /// The first of its members that does, such as a field of a hash.
    Member,
}

/// A record that expires, known by its slot within the shard and the hash of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    time_kind_slot: u64,
    pub(super) hash: u64,
}

impl Due {
    pub(super) fn new(kind: DueKind, expire_ms: u64, slot: usize, hash: u64) -> Self {
        let kind = match kind {
            DueKind::Record => 0,
            DueKind::Member => 1 << KIND_BIT,
        };
        let time = expire_ms.min(TIME_MAX) << TIME_SHIFT;
        Self { time_kind_slot: time | kind | slot as u64, hash }
    }

    pub(super) fn kind(self) -> DueKind {
        if self.time_kind_slot & 1 << KIND_BIT == 0 { DueKind::Record } else { DueKind::Member }
    }

    pub(super) fn expire_ms(self) -> u64 {
        self.time_kind_slot >> TIME_SHIFT
    }

    pub(super) fn slot(self) -> usize {
        (self.time_kind_slot & ((1 << SLOT_BITS) - 1)) as usize
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
    pub(super) fn insert(&mut self, due: Due) {
        self.pairs.insert(due);
    }

    pub(super) fn remove(&mut self, due: Due) {
        self.pairs.remove(due);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// One chosen by chance; `random` gives random numbers.
    pub(super) fn random(&self, random: impl FnMut() -> u64) -> Option<Due> {
        self.pairs.random(random)
    }

    /// The first to expire.
    pub(super) fn first(&self) -> Option<Due> {
        self.pairs.first()
    }

    /// Those that are expired at `now_ms`, the earliest first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = Due> {
        self.pairs.iter().take_while(move |due| due.expire_ms() < now_ms)
    }

    /// All, the earliest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Due> {
        self.pairs.iter()
    }

    pub(super) fn footprint(&self) -> usize {
        self.pairs.footprint()
    }
}
