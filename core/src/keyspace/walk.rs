//! Walks over many keys: counting, scanning, chance, flushing, swapping databases, and everything
//! about one slot.

use super::access::Access;
use super::partition::is_expired;
use crate::structs::table::POSITION_BITS;
use crate::value::Record;

const SLOT_BITS: u32 = 14;
const _: () = assert!(POSITION_BITS + SLOT_BITS < 64);

/// A place in a walk over a database: a slot, and a position in the order of hashes within it. It
/// keeps its meaning while tables grow and shrink. As a number it is what SCAN answers; zero is
/// both the start and the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u64);

impl Cursor {
    /// Where a walk starts, and what it returns when it is over.
    pub const START: Self = Self(0);

    /// The cursor that a number stands for. Numbers that no walk has returned are allowed.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of this cursor.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether this is the start, or the end.
    pub const fn is_start(self) -> bool {
        self.0 == 0
    }

    fn new(slot: usize, position: u64) -> Self {
        Self(position << SLOT_BITS | slot as u64)
    }

    fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }

    fn position(self) -> u64 {
        (self.0 >> SLOT_BITS) & ((1 << POSITION_BITS) - 1)
    }
}

/// What a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Keys, expired ones that were not met yet included.
    pub keys: usize,
    /// Keys that expire.
    pub expiring: usize,
    /// The mean time that the keys that expire have left, in milliseconds.
    pub ttl_mean_ms: u64,
}

impl Access<'_> {
    /// How many keys a database has, expired ones that were not met yet included.
    pub(crate) fn count(&mut self, db: usize) -> usize {
        let mut keys = 0;
        self.each_shard(|_, shard| {
            keys += shard.database(db as u16).map_or(0, super::Partition::keys);
        });
        keys
    }

    /// What a database holds.
    pub(crate) fn database_stats(&mut self, db: usize) -> DatabaseStats {
        let now_ms = self.unix_ms();
        let mut stats = DatabaseStats::default();
        let mut left_ms = 0u128;
        self.each_shard(|_, shard| {
            let Some(partition) = shard.database(db as u16) else { return };
            stats.keys += partition.keys();
            stats.expiring += partition.expiring();
            let lefts = partition.due().times_ms().map(|ms| ms.saturating_sub(now_ms));
            left_ms += lefts.map(u128::from).sum::<u128>();
        });
        stats.ttl_mean_ms = (left_ms / stats.expiring.max(1) as u128) as u64;
        stats
    }

    /// Visits at least `count` keys from `cursor` on, and returns where to go on. Expired keys are
    /// passed over. Every key that is there during the whole walk is visited.
    pub(crate) fn walk(
        &mut self,
        db: usize,
        cursor: Cursor,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) -> Cursor {
        let mut left = count.max(1);
        let (mut slot, mut from) = (cursor.slot(), cursor.position());
        let slots = self.keyspace().scheme().slots();
        while slot < slots {
            if from == 0 && self.shard_is_empty(db, slot) {
                slot += self.keyspace().slots_per_shard();
                slot -= slot % self.keyspace().slots_per_shard();
                continue;
            }
            let mut seen = 0;
            let next = self.walk_slot(db, slot as u16, from, left, |record| {
                seen += 1;
                visit(record);
            });
            left = left.saturating_sub(seen);
            match next {
                Some(position) => from = position,
                None => (slot, from) = (slot + 1, 0),
            }
            if left == 0 {
                break;
            }
        }
        if slot < slots { Cursor::new(slot, from) } else { Cursor::START }
    }

    /// Visits at least `count` keys of one slot from a position on, and returns the position to go
    /// on from, or none at the end.
    pub(crate) fn walk_slot(
        &mut self,
        db: usize,
        slot: u16,
        from: u64,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) -> Option<u64> {
        let keyspace = self.keyspace();
        let now_ms = self.unix_ms();
        let at = keyspace.slot_in_shard(slot);
        self.with_shard(keyspace.shard_of(slot), |shard| {
            let table = shard.database(db as u16)?.table(at)?;
            let hash_of = |record: &Record| keyspace.hash(record.key());
            table.walk(from, count, hash_of, |record| {
                if !is_expired(record, || now_ms) {
                    visit(record);
                }
            })
        })
    }

    /// How many keys of a database are in a slot.
    pub(crate) fn count_in_slot(&mut self, db: usize, slot: u16) -> usize {
        let keyspace = self.keyspace();
        let at = keyspace.slot_in_shard(slot);
        self.with_shard(keyspace.shard_of(slot), |shard| {
            let partition = shard.database(db as u16);
            partition.and_then(|partition| partition.table(at)).map_or(0, |table| table.len())
        })
    }

    /// A key chosen by chance, all with the same chance. Expired keys are passed over, up to a
    /// bound of tries.
    pub(crate) fn random_key(
        &mut self,
        db: usize,
        mut random: impl FnMut() -> u64,
    ) -> Option<Vec<u8>> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let keys = self.count(db);
            if keys == 0 {
                return None;
            }
            let number = random() % keys as u64;
            if let Some(key) = self.key_by_number(db, number as usize, &mut random) {
                return Some(key);
            }
        }
        None
    }

    /// Deletes all keys of a database, freeing them by and by. Returns how many there were.
    pub(crate) fn flush(&mut self, db: usize) -> usize {
        let mut keys = 0;
        let keyspace = self.keyspace();
        self.each_shard(|_, shard| {
            if let Some(partition) = shard.database_mut(db as u16) {
                keys += partition.keys();
                keyspace.graveyard.lock().push(partition.take_all());
            }
        });
        self.stats.changes += 1;
        keys
    }

    /// Deletes all keys of a slot in a database, freeing them by and by. Returns how many there
    /// were.
    pub(crate) fn flush_slot(&mut self, db: usize, slot: u16) -> usize {
        let keys = self.count_in_slot(db, slot);
        let keyspace = self.keyspace();
        let at = keyspace.slot_in_shard(slot);
        let hash_of = |record: &Record| keyspace.hash(record.key());
        let taken = self.with_shard(keyspace.shard_of(slot), |shard| {
            shard.database_mut(db as u16)?.take_slot(at, hash_of)
        });
        if let Some(grave) = taken {
            keyspace.graveyard.lock().push(grave);
        }
        self.stats.changes += keys as u64;
        keys
    }

    /// Exchanges two databases.
    pub(crate) fn swap_databases(&mut self, one: usize, other: usize) {
        let keyspace = self.keyspace();
        let slots = keyspace.slots_per_shard();
        self.each_shard(|_, shard| {
            let last = one.max(other);
            if shard.databases.len() > one.min(other) {
                shard.database_or_new(last as u16, slots);
                shard.databases.swap(one, other);
            }
        });
        self.stats.changes += 1;
    }

    fn shard_is_empty(&mut self, db: usize, slot: usize) -> bool {
        let number = self.keyspace().shard_of(slot as u16);
        self.with_shard(number, |shard| {
            shard.database(db as u16).is_none_or(|partition| partition.keys() == 0)
        })
    }

    fn key_by_number(
        &mut self,
        db: usize,
        mut number: usize,
        random: &mut impl FnMut() -> u64,
    ) -> Option<Vec<u8>> {
        let now_ms = self.unix_ms();
        for shard in 0..self.keyspace().shards() {
            let keys = self.with_shard(shard, |shard| {
                shard.database(db as u16).map_or(0, super::Partition::keys)
            });
            if number >= keys {
                number -= keys;
                continue;
            }
            return self.with_shard(shard, |shard| {
                let partition = shard.database(db as u16)?;
                let record = partition.record_by_number(number, random)?;
                (!is_expired(record, || now_ms)).then(|| record.key().to_vec())
            });
        }
        None
    }
}
