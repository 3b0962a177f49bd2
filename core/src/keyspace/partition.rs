//! The records of one shard in one database: tables, counts, bytes, and what is due.

use super::due::DueSet;
use super::graveyard::Grave;
use super::{DatabaseMemory, Key};
use crate::structs::allocation;
use crate::structs::entry::NewBody;
use crate::structs::table::{Place, SegmentedTable};
use crate::value::{Object, Record};

/// A value to be stored.
pub(crate) type NewValue<'a> = NewBody<'a, Object>;

/// Redis compares times this way: a key lives through its last millisecond.
pub(super) fn is_expired(record: &Record, now_ms: impl FnOnce() -> u64) -> bool {
    record.expire_ms().is_some_and(|expire_ms| expire_ms < now_ms())
}

/// The records of one shard in one database.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// By slot within the shard; empty until the first write.
    slots: Box<[SegmentedTable<Record>]>,
    due: DueSet,
    keys: usize,
    /// What records and boxed objects take from the allocator.
    record_bytes: usize,
    /// What the tables take.
    table_bytes: usize,
}

impl Partition {
    /// Makes room for `slots` tables, if there is none yet.
    #[inline]
    pub(super) fn ensure_slots(&mut self, slots: usize) {
        if self.slots.is_empty() {
            self.slots = std::iter::repeat_with(SegmentedTable::new).take(slots).collect();
        }
    }

    /// How many keys there are, expired ones that were not met yet included.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// How many keys expire.
    pub(crate) fn expiring(&self) -> usize {
        self.due.len()
    }

    /// The expiry times of the keys that expire, for their mean.
    pub(super) fn due(&self) -> &DueSet {
        &self.due
    }

    /// What all of this takes from the allocator.
    fn footprint(&self) -> usize {
        let mut memory = DatabaseMemory::default();
        self.add_to(&mut memory);
        memory.total()
    }

    /// Adds what all of this takes from the allocator, by purpose.
    pub(super) fn add_to(&self, memory: &mut DatabaseMemory) {
        memory.keys += self.keys;
        memory.records += self.record_bytes;
        memory.tables += allocation::footprint(size_of_val(&*self.slots)) + self.table_bytes;
        memory.due += self.due.footprint();
    }

    /// The table of a slot; an empty one owns nothing.
    #[inline]
    pub(super) fn table(&self, at: usize) -> Option<&SegmentedTable<Record>> {
        self.slots.get(at)
    }

    #[inline]
    pub(super) fn find(&self, at: usize, key: &Key<'_>) -> Option<Place> {
        self.slots.get(at)?.find(key.hash, |record| {
            // Key and value go on in lines that would else be asked for one after the other.
            record.prefetch();
            record.key() == key.bytes
        })
    }

    #[inline]
    pub(super) fn record(&self, at: usize, place: Place) -> &Record {
        self.slots[at].at(place)
    }

    #[inline]
    pub(super) fn record_mut(&mut self, at: usize, place: Place) -> &mut Record {
        self.slots[at].at_mut(place)
    }

    /// Adds a record whose key is not there yet.
    pub(super) fn insert(
        &mut self,
        at: usize,
        hash: u64,
        record: Record,
        hash_of: impl Fn(&Record) -> u64,
    ) {
        if let Some(expire_ms) = record.expire_ms() {
            self.due.insert(expire_ms, at, hash);
        }
        self.record_bytes += footprint_of(&record);
        self.keys += 1;
        let table = &mut self.slots[at];
        self.table_bytes -= table.footprint();
        table.insert_unique(hash, record, hash_of);
        self.table_bytes += table.footprint();
    }

    pub(super) fn remove(
        &mut self,
        at: usize,
        place: Place,
        hash: u64,
        hash_of: impl Fn(&Record) -> u64,
    ) -> Record {
        let table = &mut self.slots[at];
        self.table_bytes -= table.footprint();
        let record = table.remove(place, hash_of);
        self.table_bytes += table.footprint();
        self.keys -= 1;
        self.record_bytes -= footprint_of(&record);
        if let Some(expire_ms) = record.expire_ms() {
            self.due.remove(expire_ms, at, hash);
        }
        record
    }

    /// Replaces the value. Returns the boxed object that was there, if there was one.
    pub(super) fn set_body(
        &mut self,
        at: usize,
        place: Place,
        tag: u8,
        body: NewValue<'_>,
    ) -> Option<Box<Object>> {
        let record = self.slots[at].at_mut(place);
        self.record_bytes -= footprint_of(record);
        let previous = record.set_body(tag, body);
        self.record_bytes += footprint_of(record);
        previous
    }

    /// Lets `change` work on a record's value, and counts its bytes anew. Key and expiry must stay.
    pub(super) fn change<R>(
        &mut self,
        at: usize,
        place: Place,
        change: impl FnOnce(&mut Record) -> R,
    ) -> R {
        let record = self.slots[at].at_mut(place);
        let before = footprint_of(record);
        let result = change(record);
        self.record_bytes = self.record_bytes - before + footprint_of(record);
        result
    }

    pub(super) fn set_expire(
        &mut self,
        at: usize,
        place: Place,
        hash: u64,
        expire_ms: Option<u64>,
    ) {
        let record = self.slots[at].at_mut(place);
        let before = record.expire_ms();
        if before == expire_ms {
            return;
        }
        self.record_bytes -= footprint_of(record);
        record.set_expire_ms(expire_ms);
        self.record_bytes += footprint_of(record);
        if let Some(before) = before {
            self.due.remove(before, at, hash);
        }
        if let Some(expire_ms) = expire_ms {
            self.due.insert(expire_ms, at, hash);
        }
    }

    /// Removes up to `budget` records that are due, and hands each to `removed`.
    pub(super) fn expire_due(
        &mut self,
        now_ms: u64,
        budget: usize,
        hash_of: impl Fn(&Record) -> u64,
        mut removed: impl FnMut(Record),
    ) -> usize {
        let mut done = 0;
        while done < budget {
            let mut some: [Option<super::due::Due>; PREFETCH] = [None; PREFETCH];
            for (slot, due) in some.iter_mut().zip(self.due.due(now_ms).take(budget - done)) {
                if let Some(record) = self.slots[due.slot()].candidate(due.hash) {
                    record.prefetch();
                }
                *slot = Some(due);
            }
            if some[0].is_none() {
                break;
            }
            for due in some.into_iter().flatten() {
                done += 1;
                let is_it = |record: &Record| record.expire_ms() == Some(due.expire_ms());
                match self.slots[due.slot()].find(due.hash, is_it) {
                    Some(place) => {
                        removed(self.remove(due.slot(), place, due.hash, &hash_of));
                    }
                    None => self.due.forget(due),
                }
            }
        }
        done
    }

    /// A record of the slot in which the `number`-th record lies, chosen by chance within it.
    pub(super) fn record_by_number(
        &self,
        mut number: usize,
        random: &mut impl FnMut() -> u64,
    ) -> Option<&Record> {
        for table in &self.slots {
            if number < table.len() {
                return table.random(random);
            }
            number -= table.len();
        }
        None
    }

    /// Takes everything out, to be freed by the caller or by and by.
    pub(super) fn take_all(&mut self) -> Grave {
        let taken = std::mem::take(self);
        let bytes = taken.footprint() - taken.due.footprint();
        Grave::Tables { bytes, tables: taken.slots.into_vec() }
    }

    /// Takes the records of one slot out.
    pub(super) fn take_slot(
        &mut self,
        at: usize,
        hash_of: impl Fn(&Record) -> u64,
    ) -> Option<Grave> {
        let table = std::mem::take(self.slots.get_mut(at)?);
        let tables_before = table.footprint();
        let mut bytes = tables_before;
        for record in table.iter() {
            bytes += footprint_of(record);
            if let Some(expire_ms) = record.expire_ms() {
                self.due.remove(expire_ms, at, hash_of(record));
            }
        }
        self.keys -= table.len();
        self.table_bytes -= tables_before;
        self.record_bytes -= bytes - tables_before;
        Some(Grave::Tables { bytes, tables: vec![table] })
    }
}

#[cfg(test)]
impl Partition {
    /// Counts everything anew and compares it with what is kept. Returns the earliest expiry time.
    pub(super) fn check_counts(&self, hash_of: impl Fn(&Record) -> u64) -> Option<u64> {
        let tables = || self.slots.iter();
        assert_eq!(self.keys, tables().map(SegmentedTable::len).sum::<usize>());
        assert_eq!(self.table_bytes, tables().map(SegmentedTable::footprint).sum::<usize>());
        let records = || tables().flat_map(SegmentedTable::iter);
        assert_eq!(self.record_bytes, records().map(footprint_of).sum::<usize>());
        let mut due = DueSet::default();
        for (at, table) in tables().enumerate() {
            for record in table.iter() {
                if let Some(expire_ms) = record.expire_ms() {
                    due.insert(expire_ms, at, hash_of(record));
                }
            }
        }
        assert_eq!(self.due.len(), due.len());
        assert!(self.due.times_ms().eq(due.times_ms()));
        records().filter_map(Record::expire_ms).min()
    }
}

/// How many records active expiry brings near at once.
const PREFETCH: usize = 16;

/// What a record and its boxed object take from the allocator.
pub(super) fn footprint_of(record: &Record) -> usize {
    record.footprint() + crate::value::object_footprint(record)
}
