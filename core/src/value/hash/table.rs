//! Large hashes: a table of fields, each one block with its value, and the fields that expire in the
//! order of their times.
//!
//! ```text
//! table -> | marks | lengths | time, if any | field | value |     structs/entry.rs draws it
//! due   -> (time, hash of the field) (time, hash) ...             sorted, if any field expires
//! ```
//! Costs: a field is found, set and removed in O(1), and in O(log n) if it expires; beside its
//! bytes it takes 4 for marks and lengths and 7 to 14 in the table, and 8 and some 20 more if it expires.
//!
//! Two fields that expire in the same millisecond and share all 64 bits of a secret hash would be
//! one in the order of times; the second would stay after its time, hidden, until the hash goes.

use super::Times;
use crate::structs::allocation::footprint;
use crate::structs::entry::{Entry, NewBody};
use crate::structs::listpack::{Buffer, Element};
use crate::structs::sorted::SortedSet;
use crate::structs::table::{POSITION_BITS, Place, SegmentedTable};
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hasher};

/// A field and its value.
pub(in crate::value) type Field = Entry<()>;

/// When a field expires, and the hash of its name.
type Due = (u64, u64);

/// The fields of a large hash.
#[derive(Debug)]
pub(crate) struct FieldTable {
    fields: SegmentedTable<Field>,
    hasher: FixedState,
    /// What the fields' own blocks take from the allocator.
    field_bytes: usize,
    /// The fields that expire, if any ever did.
    due: Option<Box<SortedSet<Due>>>,
}

/// The last place of a walk. A cursor that no walk gave is cut to such a place.
const CURSOR_MAX: u64 = (1 << POSITION_BITS) - 1;

/// Fields that are freed in one step: some 20 microseconds of work.
const FREE_STEP: usize = 256;
/// Chunks of the order of times that go with them.
const FREE_STEP_CHUNKS: usize = 16;

#[inline]
fn hash_with(hasher: &FixedState, field: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(field);
    hasher.finish()
}

/// Whether a field is there at `now_ms`.
#[inline]
pub(super) fn is_live(field: &Field, now_ms: u64) -> bool {
    field.expire_ms().is_none_or(|ms| ms >= now_ms)
}

/// A field and its value as elements.
#[inline]
pub(super) fn pair(field: &Field) -> (Element<'_>, Element<'_>) {
    (Element::Bytes(field.key()), Element::Bytes(field.bytes()))
}

impl FieldTable {
    /// A table without fields. `seed` makes the places of fields in it unpredictable.
    pub(super) fn new(seed: u64) -> Self {
        Self::with_hasher(FixedState::with_seed(seed))
    }

    fn with_hasher(hasher: FixedState) -> Self {
        Self { fields: SegmentedTable::new(), hasher, field_bytes: 0, due: None }
    }

    /// How many fields there are, expired ones included.
    #[inline]
    pub(in crate::value) fn len(&self) -> usize {
        self.fields.len()
    }

    /// How many fields are expired.
    pub(super) fn expired(&self, now_ms: u64) -> usize {
        self.due.as_ref().map_or(0, |due| due.rank((now_ms, 0)))
    }

    #[inline]
    fn hash(&self, field: &[u8]) -> u64 {
        hash_with(&self.hasher, field)
    }

    #[inline]
    fn place(&self, hash: u64, field: &[u8]) -> Option<Place> {
        self.fields.find(hash, |entry| entry.key() == field)
    }

    #[inline]
    pub(super) fn get(&self, field: &[u8]) -> Option<&Field> {
        let place = self.place(self.hash(field), field)?;
        Some(self.fields.at(place))
    }

    /// Adds a field that is not there yet.
    pub(super) fn add(&mut self, field: &[u8], value: &[u8], expire_ms: Option<u64>) {
        let hash = self.hash(field);
        let entry = Field::new(field, 0, NewBody::Bytes(value), expire_ms, 0);
        self.field_bytes += entry.footprint();
        let hasher = &self.hasher;
        self.fields.insert_unique(hash, entry, |entry| hash_with(hasher, entry.key()));
        if let Some(ms) = expire_ms {
            self.due.get_or_insert_default().insert((ms, hash));
        }
    }

    /// Sets the value of a field that is there, and leaves its time. Returns whether it is there.
    pub(super) fn set_value(&mut self, field: &[u8], value: &[u8]) -> bool {
        let Some(place) = self.place(self.hash(field), field) else { return false };
        let entry = self.fields.at_mut(place);
        let before = entry.footprint();
        entry.set_body(0, NewBody::Bytes(value));
        self.field_bytes = self.field_bytes - before + entry.footprint();
        true
    }

    /// Sets or removes the time of a field that is there.
    pub(super) fn set_time(&mut self, field: &[u8], expire_ms: Option<u64>) {
        let hash = self.hash(field);
        let Some(place) = self.place(hash, field) else { return };
        let entry = self.fields.at_mut(place);
        let (bytes, before_ms) = (entry.footprint(), entry.expire_ms());
        if before_ms == expire_ms {
            return;
        }
        entry.set_expire_ms(expire_ms);
        self.field_bytes = self.field_bytes - bytes + entry.footprint();
        let due = self.due.get_or_insert_default();
        if let Some(ms) = before_ms {
            due.remove((ms, hash));
        }
        if let Some(ms) = expire_ms {
            due.insert((ms, hash));
        }
    }

    /// Takes a field out. Returns it if it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> Option<Field> {
        let hash = self.hash(field);
        let place = self.place(hash, field)?;
        Some(self.remove_at(place, hash))
    }

    fn remove_at(&mut self, place: Place, hash: u64) -> Field {
        let hasher = &self.hasher;
        let entry = self.fields.remove(place, |entry| hash_with(hasher, entry.key()));
        self.field_bytes -= entry.footprint();
        if let (Some(due), Some(ms)) = (&mut self.due, entry.expire_ms()) {
            due.remove((ms, hash));
        }
        entry
    }

    /// Takes out up to `budget` fields that are expired. Returns how many.
    pub(super) fn remove_expired(&mut self, now_ms: u64, budget: usize) -> usize {
        let mut done = 0;
        while done < budget
            && let Some(due) = &mut self.due
            && let Some((ms, hash)) = due.first()
            && ms < now_ms
        {
            match self.fields.find(hash, |entry| entry.expire_ms() == Some(ms)) {
                Some(place) => drop(self.remove_at(place, hash)),
                None => drop(due.remove((ms, hash))),
            }
            done += 1;
        }
        done
    }

    /// The names of the fields that [`FieldTable::remove_expired`] would take out.
    pub(super) fn expired_names(&self, now_ms: u64, budget: usize) -> Vec<Box<[u8]>> {
        let due = self.due.iter().flat_map(|due| due.iter());
        let due = due.take_while(|&(ms, _)| ms < now_ms).take(budget);
        let field = |(ms, hash)| {
            let found = self.fields.find(hash, |entry| entry.expire_ms() == Some(ms));
            found.map(|place| self.fields.at(place).key().into())
        };
        due.filter_map(field).collect()
    }

    /// The earliest time at which a field expires, and the latest if all do.
    pub(super) fn times(&self) -> Times {
        let Some(due) = &self.due else { return Times::default() };
        let all = due.len() == self.len();
        Times {
            first_ms: due.first().map(|(ms, _)| ms),
            last_ms: due.last().filter(|_| all).map(|(ms, _)| ms),
        }
    }

    /// All fields, in no order.
    pub(in crate::value) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// A field chosen by chance, all with the same chance.
    pub(super) fn random(&self, random: impl FnMut() -> u64) -> Option<&Field> {
        self.fields.random(random)
    }

    /// Visits fields in the order of their places from a cursor on, which starts at zero. Returns the
    /// cursor to go on from, or zero at the end.
    pub(super) fn walk(&self, cursor: u64, count: usize, visit: impl FnMut(&Field)) -> u64 {
        let from = cursor & CURSOR_MAX;
        let next = self.fields.walk(from, count, |entry| self.hash(entry.key()), visit);
        next.unwrap_or(0)
    }

    /// Bytes that the table takes from the allocator beside its own fixed size.
    pub(in crate::value) fn footprint(&self) -> usize {
        let set = |due: &SortedSet<Due>| footprint(size_of_val(due)) + due.footprint();
        self.fields.footprint() + self.field_bytes + self.due.as_deref().map_or(0, set)
    }

    /// Whether freeing it at once could take longer than a call should.
    pub(in crate::value) fn is_large(&self) -> bool {
        self.len() > FREE_STEP || self.due.as_ref().is_some_and(|due| due.len() > FREE_STEP)
    }

    /// Frees some of the fields. The table is of no other use after that.
    pub(in crate::value) fn free_step(&mut self) {
        for entry in self.fields.drain_some(FREE_STEP).into_iter().flatten() {
            self.field_bytes -= entry.footprint();
        }
        if let Some(due) = &mut self.due {
            due.drop_chunks(FREE_STEP_CHUNKS);
        }
    }
}

impl Clone for FieldTable {
    fn clone(&self) -> Self {
        let mut copy = Self::with_hasher(self.hasher.clone());
        for field in self.iter() {
            copy.add(field.key(), field.bytes(), field.expire_ms());
        }
        copy
    }
}
