//! Walks over many keys: counting, scanning, chance, flushing, swapping databases, and everything
//! about one slot.

use super::access::Access;
use super::change::Changes;
use super::due::DueKind;
use super::partition::{ExpiredCounts, is_expired};
use super::{Key, Partition, Shard, UNTAGGED_MASK};
use crate::slot::SlotFigures;
use crate::structs::table::{POSITION_BITS, position};
use crate::value::Record;
use std::cmp::Ordering;

const SLOT_BITS: u32 = 14;
const _: () = assert!(POSITION_BITS + SLOT_BITS < 64);

/// A place in a walk over a database: a slot, and a position in the order of hashes within it. It
/// keeps its meaning while tables grow and shrink. As a number it is what SCAN answers; zero is
/// both the start and the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor(u64);

impl Cursor {
    /// Where a walk starts, and what it returns when it is over.
    pub(crate) const START: Self = Self(0);

    /// The cursor that a number stands for. Numbers that no walk has returned are allowed.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number of this cursor.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Whether this is the start, or the end.
    pub(crate) const fn is_start(self) -> bool {
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

/// Where in the walk through its slot a key with this hash comes.
pub(crate) fn place_in_walk(hash: u64) -> u64 {
    position(hash)
}

/// What a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DatabaseStats {
    /// Keys, expired ones that were not met yet included.
    pub keys: usize,
    /// Keys that expire.
    pub expiring: usize,
    /// Keys with members that expire.
    pub expiring_members: usize,
    /// The mean time that the keys that expire have left, in milliseconds.
    pub ttl_mean_ms: u64,
}

impl Access<'_> {
    /// How many keys a database has, expired ones that were not met yet included.
    pub(crate) fn count(&mut self, db: usize) -> usize {
        let mut keys = 0;
        self.each_shard(|_, shard| {
            keys += keys_in(shard, db);
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
            for due in partition.due().iter() {
                match due.kind() {
                    DueKind::Record => {
                        stats.expiring += 1;
                        left_ms += u128::from(due.expire_ms().saturating_sub(now_ms));
                    }
                    DueKind::Member => stats.expiring_members += 1,
                }
            }
        });
        stats.ttl_mean_ms = (left_ms / stats.expiring.max(1) as u128) as u64;
        stats
    }

    /// Looks at `count` keys or a few more from `cursor` on, visits those that are not expired, and
    /// returns where to go on. Every key that is there during the whole walk is visited.
    pub(crate) fn walk(
        &mut self,
        db: usize,
        cursor: Cursor,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) -> Cursor {
        let mut left = count.max(1);
        let (mut slot, mut from) = (cursor.slot(), cursor.position());
        let now_ms = self.unix_ms();
        let slots = self.keyspace().scheme().slots();
        while slot < slots {
            if from == 0 && self.shard_is_empty(db, slot) {
                slot += self.keyspace().slots_per_shard();
                slot -= slot % self.keyspace().slots_per_shard();
                continue;
            }
            let mut seen = 0;
            let next = self.walk_table(db, slot as u16, from, left, |record| {
                seen += 1;
                if !is_expired(record, || now_ms) {
                    visit(record);
                }
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

    /// As [`Access::walk`], but visits the keys of one slot alone.
    pub(crate) fn walk_within(
        &mut self,
        db: usize,
        slot: u16,
        cursor: Cursor,
        count: usize,
        visit: impl FnMut(&Record),
    ) -> Cursor {
        let from = match cursor.slot().cmp(&usize::from(slot)) {
            Ordering::Less => 0,
            Ordering::Equal => cursor.position(),
            Ordering::Greater => return Cursor::START,
        };
        let next = self.walk_slot(db, slot, from, count, visit);
        next.map_or(Cursor::START, |position| Cursor::new(slot.into(), position))
    }

    /// Looks at `count` keys or a few more of one slot from a position on, visits those that are
    /// not expired, and returns the position to go on from, or none at the end.
    pub(crate) fn walk_slot(
        &mut self,
        db: usize,
        slot: u16,
        from: u64,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) -> Option<u64> {
        let now_ms = self.unix_ms();
        self.walk_table(db, slot, from, count, |record| {
            if !is_expired(record, || now_ms) {
                visit(record);
            }
        })
    }

    /// Visits every key that has the same tag as this one, or the key alone if it has none. Looks at
    /// the part of the slot in which they lie, a 256th of it.
    pub(crate) fn walk_tag(&mut self, key: &Key<'_>, mut visit: impl FnMut(&Record)) {
        const STEP: usize = 128;
        let scheme = self.keyspace().scheme();
        let tag = scheme.tag(key.bytes);
        if tag.len() == key.bytes.len() {
            return self.peek(key).into_iter().for_each(visit);
        }
        let is_of_tag = |other: &[u8]| other.len() > tag.len() && scheme.tag(other) == tag;
        let end = position(key.hash | UNTAGGED_MASK);
        let mut next = Some(position(key.hash & !UNTAGGED_MASK));
        while let Some(from) = next.filter(|&from| from <= end) {
            next = self.walk_slot(key.db.into(), key.slot, from, STEP, |record| {
                if is_of_tag(record.key()) {
                    visit(record);
                }
            });
        }
    }

    /// Visits the keys of one slot, expired ones too.
    fn walk_table(
        &mut self,
        db: usize,
        slot: u16,
        from: u64,
        count: usize,
        visit: impl FnMut(&Record),
    ) -> Option<u64> {
        let keyspace = self.keyspace();
        let at = keyspace.slot_in_shard(slot);
        self.with_shard(keyspace.shard_of(slot), |shard| {
            let table = shard.database(db as u16)?.table(at)?;
            table.walk(from, count, |record| keyspace.hash(record.key()), visit)
        })
    }

    /// Whether a key exists, under the lock that is held for it or else under one of its own.
    pub(crate) fn is_present(&mut self, key: &Key<'_>) -> bool {
        let keyspace = self.keyspace();
        let now_ms = self.unix_ms();
        let at = keyspace.slot_in_shard(key.slot);
        self.with_shard(keyspace.shard_of(key.slot), |shard| {
            let Some(partition) = shard.database(key.db) else { return false };
            let place = partition.find(at, key);
            place.is_some_and(|place| !is_expired(partition.record(at, place), || now_ms))
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

    /// How many keys are in a slot, in all databases.
    pub(crate) fn count_in_slot_everywhere(&mut self, slot: u16) -> usize {
        let databases = 0..self.keyspace().databases();
        databases.map(|db| self.count_in_slot(db, slot)).sum()
    }

    /// What a slot holds and how much it was used, in all databases.
    pub(crate) fn slot_figures(&mut self, slot: u16) -> SlotFigures {
        let keyspace = self.keyspace();
        let at = keyspace.slot_in_shard(slot);
        let mut figures = SlotFigures::default();
        self.with_shard(keyspace.shard_of(slot), |shard| {
            shard.databases.iter().for_each(|database| database.add_figures(at, &mut figures));
        });
        figures
    }

    /// A key chosen by chance, all with the same chance, or none if there is no key.
    ///
    /// A draw that meets an expired key deletes some of those that are due in its shard and draws
    /// again. Should that not help for long, the first key after a random place is taken, which is
    /// less fair but ends.
    pub(crate) fn random_key(
        &mut self,
        db: usize,
        mut random: impl FnMut() -> u64,
    ) -> Option<Vec<u8>> {
        const TRIES: usize = 100;
        let mut counts = Vec::with_capacity(self.keyspace().shards());
        self.each_shard(|_, shard| counts.push(keys_in(shard, db)));
        for _ in 0..TRIES {
            let keys: usize = counts.iter().sum();
            if keys == 0 {
                return None;
            }
            let mut number = (random() % keys as u64) as usize;
            let is_in = |&keys: &usize| {
                let found = number < keys;
                number -= if found { 0 } else { keys };
                found
            };
            let shard = counts.iter().position(is_in).expect("the number is below the sum");
            match self.key_by_number(db, shard, number, &mut random) {
                Ok(key) => return Some(key),
                Err(keys_left) => counts[shard] = keys_left,
            }
        }
        self.first_key_after(db, random() as usize % self.keyspace().scheme().slots())
    }

    /// Deletes all keys of a database, freeing them by and by. Returns how many there were.
    pub(crate) fn flush(&mut self, db: usize) -> usize {
        let (mut keys, mut changes) = (0, Changes::default());
        let keyspace = self.keyspace();
        let slot_of = |key: &[u8]| keyspace.slot_in_shard(keyspace.scheme().slot(key));
        self.each_shard(|_, shard| {
            shard.tell_all_in(&[db], &slot_of, &mut changes);
            if let Some(partition) = shard.database_mut(db as u16) {
                keys += partition.keys();
                let taken = partition.take_all();
                keyspace.with_graveyard(|graveyard| graveyard.push(taken));
            }
        });
        self.changes.append(&mut changes);
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
        let slot_of = |key: &[u8]| keyspace.slot_in_shard(keyspace.scheme().slot(key));
        let mut changes = Changes::default();
        let taken = self.with_shard(keyspace.shard_of(slot), |shard| {
            shard.tell_slot(db, at, &slot_of, &mut changes);
            shard.database_mut(db as u16)?.take_slot(at, hash_of)
        });
        if let Some(grave) = taken {
            keyspace.with_graveyard(|graveyard| graveyard.push(grave));
        }
        self.changes.append(&mut changes);
        self.stats.changes += keys as u64;
        keys
    }

    /// Takes over all keys that a slot has in another keyspace of the same layout and seed, in place of
    /// those that are here. Both hold the lock of the slot. Costs what the slot holds: its tables are
    /// taken as they are, and each key is counted. Returns how many there are.
    pub(crate) fn adopt_slot(&mut self, slot: u16, from: &mut Access<'_>) -> usize {
        let keyspace = self.keyspace();
        let (shard, at) = (keyspace.shard_of(slot), keyspace.slot_in_shard(slot));
        let hash_of = |record: &Record| keyspace.hash(record.key());
        let mut keys = 0;
        for db in 0..keyspace.databases() {
            self.flush_slot(db, slot);
            let taken = from.with_shard(shard, |shard| {
                let partition = shard.database_mut(db as u16)?;
                partition.extract(at, hash_of).filter(|table| !table.is_empty())
            });
            let Some(table) = taken else { continue };
            keys += table.len();
            let slots = keyspace.slots_per_shard();
            let first_ms = self.with_shard(shard, |shard| {
                shard.database_or_new(db as u16, slots).install(at, table, hash_of)
            });
            if let Some(ms) = first_ms {
                keyspace.note_due(shard, ms);
            }
        }
        self.stats.changes += keys as u64;
        keys
    }

    /// Exchanges two databases.
    pub(crate) fn swap_databases(&mut self, one: usize, other: usize) {
        let keyspace = self.keyspace();
        let slots = keyspace.slots_per_shard();
        let slot_of = |key: &[u8]| keyspace.slot_in_shard(keyspace.scheme().slot(key));
        let mut changes = Changes::default();
        self.each_shard(|_, shard| {
            shard.tell_all_in(&[one, other], &slot_of, &mut changes);
            let last = one.max(other);
            if shard.databases.len() > one.min(other) {
                shard.database_or_new(last as u16, slots);
                shard.databases.swap(one, other);
            }
        });
        self.changes.append(&mut changes);
        self.stats.changes += 1;
    }

    fn shard_is_empty(&mut self, db: usize, slot: usize) -> bool {
        let number = self.keyspace().shard_of(slot as u16);
        self.with_shard(number, |shard| keys_in(shard, db) == 0)
    }

    /// The key of this number in a shard, or one of the same slot by chance. When that is expired
    /// or gone, some that are due are deleted instead; the error says how many keys are left.
    fn key_by_number(
        &mut self,
        db: usize,
        shard: usize,
        number: usize,
        random: &mut impl FnMut() -> u64,
    ) -> Result<Vec<u8>, usize> {
        const EXPIRE_STEP: usize = 128;
        let keyspace = self.keyspace();
        let now_ms = self.unix_ms();
        let mut expired = ExpiredCounts::default();
        let mut changes = Changes::default();
        let found = self.with_shard(shard, |shard| {
            shard.is_changed = true;
            let Shard { databases, interests, .. } = shard;
            let partition = databases.get_mut(db).ok_or(0usize)?;
            if let Some(record) = partition.record_by_number(number, random)
                && !is_expired(record, || now_ms)
            {
                return Ok(record.key().to_vec());
            }
            let interests = interests.as_deref();
            let step = EXPIRE_STEP;
            expired =
                keyspace.expire_partition(partition, db, now_ms, step, interests, &mut changes);
            Err(partition.keys())
        });
        self.stats.expired += expired.keys as u64;
        self.stats.expired_members += expired.members as u64;
        self.changes.append(&mut changes);
        found
    }

    fn first_key_after(&mut self, db: usize, slot: usize) -> Option<Vec<u8>> {
        const STEP: usize = 128;
        let mut cursor = Cursor::new(slot, 0);
        let mut wrapped = false;
        loop {
            let mut first = None;
            cursor = self.walk(db, cursor, STEP, |record| {
                first.get_or_insert_with(|| record.key().to_vec());
            });
            let over = wrapped && (cursor.is_start() || cursor.slot() > slot);
            if first.is_some() || over {
                return first;
            }
            wrapped |= cursor.is_start();
        }
    }
}

fn keys_in(shard: &Shard, db: usize) -> usize {
    shard.database(db as u16).map_or(0, Partition::keys)
}
