//! The records of one shard in one database: tables, counts, bytes, and what is due.

use super::due::{Due, DueKind, DueSet};
use super::graveyard::Grave;
use super::{DatabaseMemory, Key};
use crate::slot::SlotFigures;
use crate::structs::allocation;
use crate::structs::entry::NewBody;
use crate::structs::table::{Place, SegmentedTable};
use crate::value::{self, Object, Record};

/// A value to be stored.
pub(crate) type NewValue<'a> = NewBody<'a, Object>;

/// Redis compares times this way: a key lives through its last millisecond. One whose members are
/// all expired is no longer there either.
pub(super) fn is_expired(record: &Record, now_ms: impl FnOnce() -> u64) -> bool {
    let over_ms = record.expire_ms().into_iter().chain(value::last_member_expiry_ms(record)).min();
    over_ms.is_some_and(|ms| ms < now_ms())
}

/// What was deleted since its time was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpiredCounts {
    pub(crate) keys: usize,
    /// Members that expire by themselves, such as fields of hashes.
    pub(crate) members: usize,
}

impl ExpiredCounts {
    /// All of them.
    pub(crate) fn total(self) -> usize {
        self.keys + self.members
    }

    pub(super) fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.members += other.members;
    }
}

/// What active expiry did to a record.
pub(super) enum Expired<'r> {
    /// It is gone, since its time was over.
    Key(Record),
    /// It is about to lose members, up to so many.
    MembersDue(&'r Record, usize),
    /// It has fewer members.
    Members(&'r Record),
    /// It is gone, since its last member is.
    LastMember(Record),
}

/// The records of one slot, and beside the head of their table, which every command reads, how much
/// they take and how much they are used.
#[derive(Debug, Default)]
struct SlotTable {
    table: SegmentedTable<Record>,
    /// What records and boxed objects take from the allocator.
    record_bytes: usize,
    reads: u64,
    writes: u64,
    /// What was counted of commands; none until that is asked for.
    traffic: Option<Box<Traffic>>,
}

const _: () = assert!(size_of::<SlotTable>() <= 64, "head and counters share a line");

/// What commands on a slot took, and what they brought and got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) cpu_us: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// The records of one shard in one database.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// By slot within the shard; empty until the first write.
    slots: Box<[SlotTable]>,
    /// The records that expire, and those of which members do.
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
            self.slots = std::iter::repeat_with(SlotTable::default).take(slots).collect();
        }
    }

    /// How many keys there are, expired ones that were not met yet included.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// What expires, and when.
    pub(super) fn due(&self) -> &DueSet {
        &self.due
    }

    /// What all of this takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
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
        self.slots.get(at).map(|slot| &slot.table)
    }

    /// Adds what a slot holds, and how much it was used.
    pub(super) fn add_figures(&self, at: usize, figures: &mut SlotFigures) {
        let Some(slot) = self.slots.get(at) else { return };
        figures.keys += slot.table.len() as u64;
        figures.bytes += (slot.record_bytes + slot.table.footprint()) as u64;
        figures.reads += slot.reads;
        figures.writes += slot.writes;
        if let Some(traffic) = &slot.traffic {
            figures.cpu_us += traffic.cpu_us;
            figures.bytes_in += traffic.bytes_in;
            figures.bytes_out += traffic.bytes_out;
        }
    }

    /// Counts a command on a slot.
    pub(super) fn note_traffic(&mut self, at: usize, command: Traffic) {
        let sum = self.slots[at].traffic.get_or_insert_with(|| {
            self.table_bytes += allocation::footprint(size_of::<Traffic>());
            Box::default()
        });
        sum.cpu_us += command.cpu_us;
        sum.bytes_in += command.bytes_in;
        sum.bytes_out += command.bytes_out;
    }

    /// As [`Partition::record_mut`], for a read, which is counted.
    #[inline]
    pub(super) fn record_read(&mut self, at: usize, place: Place) -> &mut Record {
        let slot = &mut self.slots[at];
        slot.reads += 1;
        slot.table.at_mut(place)
    }

    /// Counts a read that found nothing.
    #[inline]
    pub(super) fn note_miss(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at) {
            slot.reads += 1;
        }
    }

    #[inline]
    pub(super) fn find(&self, at: usize, key: &Key<'_>) -> Option<Place> {
        self.slots.get(at)?.table.find(key.hash, |record| {
            // Key and value go on in lines that would else be asked for one after the other.
            record.prefetch();
            record.key() == key.bytes
        })
    }

    #[inline]
    pub(super) fn record(&self, at: usize, place: Place) -> &Record {
        self.slots[at].table.at(place)
    }

    #[inline]
    pub(super) fn record_mut(&mut self, at: usize, place: Place) -> &mut Record {
        self.slots[at].table.at_mut(place)
    }

    /// Adds a record whose key is not there yet.
    pub(super) fn insert(
        &mut self,
        at: usize,
        hash: u64,
        record: Record,
        hash_of: impl Fn(&Record) -> u64,
    ) {
        dues(&record, at, hash).for_each(|due| self.due.insert(due));
        let bytes = footprint_of(&record);
        self.record_bytes += bytes;
        self.keys += 1;
        let slot = &mut self.slots[at];
        slot.record_bytes += bytes;
        slot.writes += 1;
        let table = &mut slot.table;
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
        let slot = &mut self.slots[at];
        let table = &mut slot.table;
        self.table_bytes -= table.footprint();
        let record = table.remove(place, hash_of);
        self.table_bytes += table.footprint();
        self.keys -= 1;
        let bytes = footprint_of(&record);
        self.record_bytes -= bytes;
        slot.record_bytes -= bytes;
        slot.writes += 1;
        dues(&record, at, hash).for_each(|due| self.due.remove(due));
        record
    }

    /// Replaces the value. Returns the boxed object that was there, if there was one.
    pub(super) fn set_body(
        &mut self,
        at: usize,
        place: Place,
        hash: u64,
        tag: u8,
        body: NewValue<'_>,
    ) -> Option<Box<Object>> {
        self.change(at, place, hash, |record| record.set_body(tag, body))
    }

    /// Lets `change` work on a record's value, and counts its bytes anew. Key and expiry must stay.
    pub(super) fn change<R>(
        &mut self,
        at: usize,
        place: Place,
        hash: u64,
        change: impl FnOnce(&mut Record) -> R,
    ) -> R {
        let slot = &mut self.slots[at];
        let record = slot.table.at_mut(place);
        let before = footprint_of(record);
        let before_ms = value::first_member_expiry_ms(record);
        let result = change(record);
        let after = footprint_of(record);
        self.record_bytes = self.record_bytes - before + after;
        slot.record_bytes = slot.record_bytes - before + after;
        slot.writes += 1;
        let after_ms = value::first_member_expiry_ms(record);
        if before_ms != after_ms {
            self.move_member_due(at, hash, before_ms, after_ms);
        }
        result
    }

    #[cold]
    fn move_member_due(
        &mut self,
        at: usize,
        hash: u64,
        before_ms: Option<u64>,
        after_ms: Option<u64>,
    ) {
        if let Some(ms) = before_ms {
            self.due.remove(Due::new(DueKind::Member, ms, at, hash));
        }
        if let Some(ms) = after_ms {
            self.due.insert(Due::new(DueKind::Member, ms, at, hash));
        }
    }

    pub(super) fn set_expire(
        &mut self,
        at: usize,
        place: Place,
        hash: u64,
        expire_ms: Option<u64>,
    ) {
        let slot = &mut self.slots[at];
        let record = slot.table.at_mut(place);
        let before = record.expire_ms();
        if before == expire_ms {
            return;
        }
        let bytes = footprint_of(record);
        record.set_expire_ms(expire_ms);
        let after = footprint_of(record);
        self.record_bytes = self.record_bytes - bytes + after;
        slot.record_bytes = slot.record_bytes - bytes + after;
        slot.writes += 1;
        if let Some(ms) = before {
            self.due.remove(Due::new(DueKind::Record, ms, at, hash));
        }
        if let Some(ms) = expire_ms {
            self.due.insert(Due::new(DueKind::Record, ms, at, hash));
        }
    }

    /// Removes up to `budget` records and members of records that are due, the earliest first, and
    /// lets `note` know of each record.
    pub(super) fn expire_due(
        &mut self,
        now_ms: u64,
        budget: usize,
        hash_of: impl Fn(&Record) -> u64,
        mut note: impl FnMut(Expired<'_>),
    ) -> ExpiredCounts {
        let mut done = ExpiredCounts::default();
        while done.total() < budget {
            let left = budget - done.total();
            let mut some: [Option<Due>; PREFETCH] = [None; PREFETCH];
            for (slot, due) in some.iter_mut().zip(self.due.due(now_ms).take(left)) {
                self.prefetch_due(due);
                *slot = Some(due);
            }
            if some[0].is_none() {
                break;
            }
            for due in some.into_iter().flatten() {
                let left = budget - done.total();
                if left == 0 {
                    // The members of those before have used the budget up.
                    break;
                }
                match due.kind() {
                    DueKind::Record => {
                        done.keys += usize::from(self.expire_record(due, &hash_of, &mut note));
                    }
                    DueKind::Member => {
                        done.members += self.expire_members(due, now_ms, left, &hash_of, &mut note);
                    }
                }
            }
        }
        done
    }

    /// Removes a record. Returns whether it was there: it may have gone with its last member.
    fn expire_record(
        &mut self,
        due: Due,
        hash_of: &impl Fn(&Record) -> u64,
        note: &mut impl FnMut(Expired<'_>),
    ) -> bool {
        let is_it = |record: &Record| record.expire_ms() == Some(due.expire_ms());
        let Some(place) = self.slots[due.slot()].table.find(due.hash, is_it) else {
            self.due.remove(due);
            return false;
        };
        note(Expired::Key(self.remove(due.slot(), place, due.hash, hash_of)));
        true
    }

    /// Removes up to `budget` members of a record. Returns how many.
    fn expire_members(
        &mut self,
        due: Due,
        now_ms: u64,
        budget: usize,
        hash_of: &impl Fn(&Record) -> u64,
        note: &mut impl FnMut(Expired<'_>),
    ) -> usize {
        let (at, hash) = (due.slot(), due.hash);
        let is_it =
            |record: &Record| value::first_member_expiry_ms(record) == Some(due.expire_ms());
        let Some(place) = self.slots[at].table.find(hash, is_it) else {
            self.due.remove(due);
            return 0;
        };
        note(Expired::MembersDue(self.record(at, place), budget));
        let done = self.change(at, place, hash, |record| {
            value::remove_expired_members(record, now_ms, budget)
        });
        let record = self.record(at, place);
        if value::is_empty_collection(record) {
            note(Expired::LastMember(self.remove(at, place, hash, hash_of)));
        } else {
            note(Expired::Members(record));
        }
        done
    }

    /// Takes the table of a slot out, to be put into another partition.
    pub(super) fn extract(
        &mut self,
        at: usize,
        hash_of: impl Fn(&Record) -> u64,
    ) -> Option<SegmentedTable<Record>> {
        let slot = self.slots.get_mut(at)?;
        let table = std::mem::take(&mut slot.table);
        slot.record_bytes = 0;
        self.keys -= table.len();
        self.table_bytes -= table.footprint();
        for record in table.iter() {
            self.record_bytes -= footprint_of(record);
            dues(record, at, hash_of(record)).for_each(|due| self.due.remove(due));
        }
        Some(table)
    }

    /// Puts a table in the place of that of a slot, which is empty. Hashes are those of the partition
    /// that it comes from. Returns when the first thing in it is due.
    pub(super) fn install(
        &mut self,
        at: usize,
        table: SegmentedTable<Record>,
        hash_of: impl Fn(&Record) -> u64,
    ) -> Option<u64> {
        let slot = &mut self.slots[at];
        debug_assert_eq!(slot.table.len(), 0, "nothing is lost");
        self.keys += table.len();
        self.table_bytes += table.footprint();
        self.table_bytes -= slot.table.footprint();
        let mut first_ms = None;
        for record in table.iter() {
            let bytes = footprint_of(record);
            self.record_bytes += bytes;
            slot.record_bytes += bytes;
            for due in dues(record, at, hash_of(record)) {
                first_ms =
                    Some(first_ms.map_or(due.expire_ms(), |ms: u64| ms.min(due.expire_ms())));
                self.due.insert(due);
            }
        }
        slot.table = table;
        first_ms
    }

    /// A record of the slot in which the `number`-th record lies, chosen by chance within it.
    pub(super) fn record_by_number(
        &self,
        number: usize,
        random: &mut impl FnMut() -> u64,
    ) -> Option<&Record> {
        self.table_by_number(number)?.1.random(random)
    }

    /// The slot in which the `number`-th record lies, and its table.
    pub(super) fn table_by_number(
        &self,
        mut number: usize,
    ) -> Option<(usize, &SegmentedTable<Record>)> {
        let tables = self.slots.iter().map(|slot| &slot.table);
        tables.enumerate().find(|(_, table)| {
            let is_it = number < table.len();
            number -= if is_it { 0 } else { table.len() };
            is_it
        })
    }

    /// Starts to bring the record near that is due.
    pub(super) fn prefetch_due(&self, due: Due) {
        if let Some(record) = self.slots[due.slot()].table.candidate(due.hash) {
            record.prefetch();
        }
    }

    /// The record that is due as a whole.
    pub(super) fn record_of(&self, due: Due) -> Option<&Record> {
        let table = &self.slots[due.slot()].table;
        let is_it = |record: &Record| record.expire_ms() == Some(due.expire_ms());
        Some(table.at(table.find(due.hash, is_it)?))
    }

    /// Takes everything out, to be freed by the caller or by and by.
    pub(super) fn take_all(&mut self) -> Grave {
        let taken = std::mem::take(self);
        let bytes = taken.footprint() - taken.due.footprint();
        let tables = taken.slots.into_iter().map(|slot| slot.table).collect();
        Grave::Tables { bytes, tables }
    }

    /// Takes the records of one slot out.
    pub(super) fn take_slot(
        &mut self,
        at: usize,
        hash_of: impl Fn(&Record) -> u64,
    ) -> Option<Grave> {
        let slot = self.slots.get_mut(at)?;
        let table = std::mem::take(&mut slot.table);
        slot.record_bytes = 0;
        slot.writes += table.len() as u64;
        let tables_before = table.footprint();
        let mut bytes = tables_before;
        for record in table.iter() {
            bytes += footprint_of(record);
            dues(record, at, hash_of(record)).for_each(|due| self.due.remove(due));
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
        let tables = || self.slots.iter().map(|slot| &slot.table);
        assert_eq!(self.keys, tables().map(SegmentedTable::len).sum::<usize>());
        let traffic = self.slots.iter().filter(|slot| slot.traffic.is_some()).count();
        let traffic_bytes = traffic * allocation::footprint(size_of::<Traffic>());
        let table_bytes = tables().map(SegmentedTable::footprint).sum::<usize>();
        assert_eq!(self.table_bytes, table_bytes + traffic_bytes);
        let records = || tables().flat_map(SegmentedTable::iter);
        assert_eq!(self.record_bytes, records().map(footprint_of).sum::<usize>());
        for slot in &self.slots {
            assert_eq!(slot.record_bytes, slot.table.iter().map(footprint_of).sum::<usize>());
        }
        let mut due = DueSet::default();
        for (at, table) in tables().enumerate() {
            for record in table.iter() {
                dues(record, at, hash_of(record)).for_each(|one| due.insert(one));
            }
        }
        assert!(self.due.iter().eq(due.iter()));
        let members = records().filter_map(value::first_member_expiry_ms);
        records().filter_map(Record::expire_ms).chain(members).min()
    }
}

/// What of a record is to be known as due.
fn dues(record: &Record, at: usize, hash: u64) -> impl Iterator<Item = Due> + use<> {
    let record_ms = record.expire_ms();
    let member_ms = value::first_member_expiry_ms(record);
    let due = move |kind, ms| Due::new(kind, ms, at, hash);
    let whole = record_ms.map(|ms| due(DueKind::Record, ms));
    whole.into_iter().chain(member_ms.map(|ms| due(DueKind::Member, ms)))
}

/// How many records active expiry brings near at once.
const PREFETCH: usize = 16;

/// What a record and its boxed object take from the allocator.
pub(super) fn footprint_of(record: &Record) -> usize {
    record.footprint() + crate::value::object_footprint(record)
}
