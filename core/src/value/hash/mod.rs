//! How hashes lie in their records, and what may be done to them there. Which command asks is the
//! caller's.
//!
//! A small hash is a listpack inside its record; one with many fields, or with a long field or
//! value, is a table of fields of its own. The limits and the moments of change are Redis's, and a
//! table never becomes a listpack again.

mod packed;
mod table;

pub(super) use table::FieldTable;

use super::{Limits, Object, Record, TYPE_MASK, Type};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crate::structs::listpack::{self, Buffer, Element};
use packed::Packed;

/// The tag of a hash.
pub(crate) const TAG: u8 = Type::Hash as u8;

/// The body of a hash without fields, which its key is made with just before the first one comes.
pub(crate) const EMPTY: NewBody<'static, Object> = NewBody::Bytes(listpack::EMPTY);

/// Redis lets no listpack grow beyond this many bytes.
const PACK_BYTES_MAX: usize = 1 << 30;

/// A hash to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash<'a> {
    fields: Fields<'a>,
}

/// The fields in the encoding that they are kept in.
#[derive(Clone, Copy, Debug)]
enum Fields<'a> {
    Packed(Packed<'a>),
    Table(&'a FieldTable),
}

impl<'a> Fields<'a> {
    #[inline]
    fn of(record: &'a Record) -> Self {
        match record.body() {
            Body::Bytes(bytes) => Self::Packed(Packed::new(bytes)),
            Body::Boxed(Object::Hash(table)) => Self::Table(table),
            Body::Int(_) | Body::Boxed(_) => unreachable!("a hash is kept in one of two ways"),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Table(table) => table.len(),
        }
    }
}

/// Checks that the record holds a hash.
#[inline]
fn expect_hash(record: &Record) -> Result<(), Error> {
    if record.tag() & TYPE_MASK == TAG { Ok(()) } else { Err(Error::WRONG_TYPE) }
}

impl<'a> Hash<'a> {
    /// The hash of a record.
    ///
    /// # Errors
    /// `WRONGTYPE` if the record holds another type.
    #[inline]
    pub(crate) fn of(record: &'a Record) -> Result<Self, Error> {
        expect_hash(record)?;
        Ok(Self { fields: Fields::of(record) })
    }

    /// How many fields there are.
    pub(crate) fn len(self) -> usize {
        self.fields.len()
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn get(self, field: &[u8]) -> Option<Element<'a>> {
        match self.fields {
            Fields::Packed(packed) => packed.find(field).map(|at| packed.value(at)),
            Fields::Table(table) => table.get(field).map(|field| Element::Bytes(field.bytes())),
        }
    }

    /// Lets `visit` see every field with its value, in no order.
    #[inline]
    pub(crate) fn each(self, mut visit: impl FnMut(Element<'a>, Element<'a>)) {
        match self.fields {
            Fields::Packed(packed) => packed.iter().for_each(|(field, value)| visit(field, value)),
            Fields::Table(table) => table.iter().for_each(|field| {
                visit(Element::Bytes(field.key()), Element::Bytes(field.bytes()));
            }),
        }
    }

    /// Lets `visit` see `count` fields or a few more from a cursor on, with their values; zero is
    /// the start. A small hash is seen whole. Returns the cursor to go on from, zero at the end.
    /// Every field that is there during a whole walk is seen.
    pub(crate) fn walk(
        self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'_>, Element<'_>),
    ) -> u64 {
        match self.fields {
            Fields::Packed(_) => {
                self.each(visit);
                0
            }
            Fields::Table(table) => table.walk(cursor, count, |field| {
                visit(Element::Bytes(field.key()), Element::Bytes(field.bytes()));
            }),
        }
    }

    /// The listpack that a small hash is kept in.
    pub(crate) fn packed(self) -> Option<&'a [u8]> {
        match self.fields {
            Fields::Packed(packed) => Some(packed.bytes()),
            Fields::Table(_) => None,
        }
    }
}

/// A hash to be changed.
#[derive(Debug)]
pub(crate) struct HashMut<'a> {
    record: &'a mut Record,
    limits: &'a Limits,
}

impl<'a> HashMut<'a> {
    /// The hash of a record. `limits` say when it becomes a table.
    ///
    /// # Errors
    /// `WRONGTYPE` if the record holds another type.
    #[inline]
    pub(crate) fn of(record: &'a mut Record, limits: &'a Limits) -> Result<Self, Error> {
        expect_hash(record)?;
        Ok(Self { record, limits })
    }

    /// Prepares for fields and values that are about to be set: a hash that cannot stay small with
    /// them becomes a table at once.
    pub(crate) fn expect(&mut self, texts: &[&[u8]]) {
        let Fields::Packed(packed) = Fields::of(self.record) else { return };
        let limits = self.limits.hash;
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        if texts.len() / 2 > limits.entries
            || texts.iter().any(|text| text.len() > limits.value_len)
            || packed.bytes().len() + bytes > PACK_BYTES_MAX
        {
            self.unpack();
        }
    }

    /// Sets a field, new or not. Returns whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let limits = self.limits.hash;
        let is_short = field.len().max(value.len()) <= limits.value_len;
        if let Some(table) = table_mut(self.record) {
            return table.set(field, value);
        }
        if !is_short {
            return self.unpack().set(field, value);
        }
        let is_new = packed::set(self.record, field, value);
        if is_new && Fields::of(self.record).len() > limits.entries {
            self.unpack();
        }
        is_new
    }

    /// Takes a field out. Returns whether it was there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        if let Some(table) = table_mut(self.record) {
            return table.remove(field);
        }
        let found = Packed::new(self.record.bytes()).find(field);
        if let Some(at) = found {
            packed::remove(self.record, at);
        }
        found.is_some()
    }

    /// Whether there is no field.
    pub(crate) fn is_empty(&self) -> bool {
        is_empty(self.record)
    }

    /// Makes a table of a small hash.
    fn unpack(&mut self) -> &mut FieldTable {
        let mut table = FieldTable::new(self.limits.seed);
        let mut scratch = [listpack::Scratch::new(), listpack::Scratch::new()];
        Hash { fields: Fields::of(self.record) }.each(|field, value| {
            let [field_scratch, value_scratch] = &mut scratch;
            table.set(field.text(field_scratch), value.text(value_scratch));
        });
        self.record.set_body(TAG, NewBody::Boxed(Box::new(Object::Hash(table))));
        table_mut(self.record).expect("made just above")
    }
}

#[inline]
fn table_mut(record: &mut Record) -> Option<&mut FieldTable> {
    match record.boxed_mut()? {
        Object::Hash(table) => Some(table),
        _ => unreachable!("the object of a hash is a table of fields"),
    }
}

/// The name of a hash's encoding, as OBJECT ENCODING answers it.
pub(crate) fn encoding(record: &Record) -> &'static str {
    match Fields::of(record) {
        Fields::Packed(_) => "listpack",
        Fields::Table(_) => "hashtable",
    }
}

/// Whether the hash has no field.
#[inline]
pub(super) fn is_empty(record: &Record) -> bool {
    match record.body() {
        Body::Bytes(bytes) => bytes == listpack::EMPTY,
        Body::Int(_) | Body::Boxed(_) => Fields::of(record).len() == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::PackLimits;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Twin = BTreeMap<Vec<u8>, Vec<u8>>;

    fn fields(record: &Record) -> Twin {
        let mut fields = Twin::new();
        Hash::of(record).unwrap().each(|field, value| {
            assert!(fields.insert(field.to_vec(), value.to_vec()).is_none());
        });
        fields
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (0u8..12).prop_map(|number| number.to_string().into_bytes()),
            2 => prop::collection::vec(any::<u8>(), 0..6),
            1 => Just(b"123456".to_vec()),
            1 => (0usize..12).prop_map(|len| vec![b'x'; len]),
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(Vec<u8>, Vec<u8>),
        Remove(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (text(), text()).prop_map(|(field, value)| Step::Set(field, value)),
            1 => text().prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec(step(), 0..60), entries in 0usize..12) {
            let hash = PackLimits { entries, value_len: 8 };
            let limits = Limits { hash, ..Limits::DEFAULT };
            let mut record = Record::new(b"key", TAG, EMPTY, None, 0);
            let (mut twin, mut was_table) = (Twin::new(), false);
            for step in steps {
                let mut hash = HashMut::of(&mut record, &limits).unwrap();
                match step {
                    Step::Set(field, value) => {
                        was_table |= field.len().max(value.len()) > 8;
                        let is_new = twin.insert(field.clone(), value.clone()).is_none();
                        prop_assert_eq!(hash.set(&field, &value), is_new);
                    }
                    Step::Remove(field) => {
                        prop_assert_eq!(hash.remove(&field), twin.remove(&field).is_some());
                    }
                }
                was_table |= twin.len() > entries;
                prop_assert_eq!(encoding(&record) == "hashtable", was_table);
                prop_assert_eq!(is_empty(&record), twin.is_empty());
                let hash = Hash::of(&record).unwrap();
                prop_assert_eq!(hash.len(), twin.len());
                for (field, value) in &twin {
                    let found = hash.get(field).map(Element::to_vec);
                    prop_assert_eq!(found.as_ref(), Some(value));
                }
            }
            prop_assert_eq!(fields(&record), twin);
        }
    }

    #[test]
    fn a_large_table_is_freed_by_steps() {
        let mut table = FieldTable::new(0);
        for number in 0..10_000 {
            table.set(format!("field {number}").as_bytes(), b"value");
        }
        let mut steps = 0;
        while table.is_large() {
            table.free_step();
            steps += 1;
        }
        assert!((30..120).contains(&steps), "{steps}");
        let left: usize = table.iter().map(|field| field.footprint()).sum();
        assert!(table.footprint() >= left && left > 0);
    }
}
