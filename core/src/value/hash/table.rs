//! Large hashes: a table of fields, each one block with its value.
//!
//! ```text
//! table -> | head | field len | value len | field | value |      structs/entry.rs draws it
//! ```
//! Costs: a field is found, set and removed in O(1); beside its bytes it takes 7 for the head, and
//! 9 to 14 in the table.

use crate::structs::entry::{Entry, NewBody};
use crate::structs::listpack::Buffer;
use crate::structs::table::{POSITION_BITS, Place, SegmentedTable};
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hasher};

/// A field and its value.
pub(super) type Field = Entry<()>;

/// The value of a field.
#[inline]
pub(super) fn value_of(field: &Field) -> &[u8] {
    field.bytes()
}

/// The fields of a large hash.
#[derive(Debug)]
pub(crate) struct FieldTable {
    fields: SegmentedTable<Field>,
    hasher: FixedState,
    /// What the fields' own blocks take from the allocator.
    field_bytes: usize,
}

/// The last place of a walk. A cursor that no walk gave is cut to such a place.
const CURSOR_MAX: u64 = (1 << POSITION_BITS) - 1;

/// Fields that are freed in one step: some 20 microseconds of work.
const FREE_STEP: usize = 256;

#[inline]
fn hash_with(hasher: &FixedState, field: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(field);
    hasher.finish()
}

impl FieldTable {
    /// A table without fields. `seed` makes the places of fields in it unpredictable.
    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { fields: SegmentedTable::new(), hasher, field_bytes: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.fields.len()
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

    /// Sets a field, new or not. Returns whether it is new.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = self.hash(field);
        if let Some(place) = self.place(hash, field) {
            let entry = self.fields.at_mut(place);
            let before = entry.footprint();
            entry.set_body(0, NewBody::Bytes(value));
            self.field_bytes = self.field_bytes - before + entry.footprint();
            return false;
        }
        let entry = Field::new(field, 0, NewBody::Bytes(value), None, 0);
        self.field_bytes += entry.footprint();
        let hasher = &self.hasher;
        self.fields.insert_unique(hash, entry, |entry| hash_with(hasher, entry.key()));
        true
    }

    /// Takes a field out. Returns whether it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let Some(place) = self.place(self.hash(field), field) else { return false };
        let hasher = &self.hasher;
        let entry = self.fields.remove(place, |entry| hash_with(hasher, entry.key()));
        self.field_bytes -= entry.footprint();
        true
    }

    /// All fields, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
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
        self.fields.footprint() + self.field_bytes
    }

    /// Whether freeing it at once could take longer than a call should.
    pub(in crate::value) fn is_large(&self) -> bool {
        self.len() > FREE_STEP
    }

    /// Frees some of the fields. The table is of no other use after that.
    pub(in crate::value) fn free_step(&mut self) {
        for entry in self.fields.drain_some(FREE_STEP).into_iter().flatten() {
            self.field_bytes -= entry.footprint();
        }
    }
}

impl Clone for FieldTable {
    fn clone(&self) -> Self {
        let mut copy =
            Self { fields: SegmentedTable::new(), hasher: self.hasher.clone(), field_bytes: 0 };
        for field in self.iter() {
            copy.set(field.key(), value_of(field));
        }
        copy
    }
}
