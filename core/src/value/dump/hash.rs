//! Hashes in payloads: a listpack as it is, fields one by one from a table, each with the time at
//! which fields expire if any does, and the forms that Redis wrote before it had listpacks.
//!
//! ```text
//! 4    | fields | field | value | field | value | ...
//! 16   | listpack of fields and values |
//! 24   | first time | fields | time | field | value | ...
//! 25   | first time | listpack of fields, values and times |
//! 22   as 24, 23 as 25, both without the first time
//! 13   | ziplist of fields and values |
//! 9    | zipmap |
//! ```
//! The first time has eight bytes, little endian. A field's time is a length: zero for none, else in
//! 24 by how much it is later than the first, plus one, and in 22 the time itself.

use super::read::Reader;
use super::{Restored, write, ziplist, zipmap};
use crate::structs::entry::Body;
use crate::structs::listpack::{self, Buffer, Element, Listpack, Scratch};
use crate::value::hash::{self, Contents, HashMut};
use crate::value::{Limits, Record};
use std::borrow::Cow;

const TYPE_TABLE: u8 = 4;
const TYPE_ZIPMAP: u8 = 9;
const TYPE_ZIPLIST: u8 = 13;
const TYPE_LISTPACK: u8 = 16;
const TYPE_EXPIRING_TABLE_EARLY: u8 = 22;
const TYPE_EXPIRING_LISTPACK_EARLY: u8 = 23;
const TYPE_EXPIRING_TABLE: u8 = 24;
const TYPE_EXPIRING_LISTPACK: u8 = 25;

/// The types of payloads that hold a hash.
pub(super) const TYPES: [u8; 8] = [
    TYPE_TABLE,
    TYPE_ZIPMAP,
    TYPE_ZIPLIST,
    TYPE_LISTPACK,
    TYPE_EXPIRING_TABLE_EARLY,
    TYPE_EXPIRING_LISTPACK_EARLY,
    TYPE_EXPIRING_TABLE,
    TYPE_EXPIRING_LISTPACK,
];

/// The latest time that Redis takes from a payload.
const TIME_MAX: u64 = (1 << 48) - 2;

/// Appends type and value of a record that holds a hash.
pub(super) fn dump(record: &Record, out: &mut Vec<u8>) {
    let (contents, first_ms) = hash::contents(record);
    out.push(match (&contents, first_ms) {
        (Contents::Table(_), None) => TYPE_TABLE,
        (Contents::Table(_), Some(_)) => TYPE_EXPIRING_TABLE,
        (Contents::Pairs(_), _) => TYPE_LISTPACK,
        (Contents::Triples(_), _) => TYPE_EXPIRING_LISTPACK,
    });
    if let Some(ms) = first_ms {
        out.extend_from_slice(&ms.to_le_bytes());
    }
    match contents {
        Contents::Pairs(packed) => write_pack(&packed, out),
        Contents::Triples(packed) => write_pack(packed, out),
        Contents::Table(table) => {
            write::len(table.len(), out);
            for field in table.iter() {
                if let Some(first_ms) = first_ms {
                    write::len(field.expire_ms().map_or(0, |ms| ms - first_ms + 1) as usize, out);
                }
                write::text(field.key(), out);
                write::text(field.bytes(), out);
            }
        }
    }
}

fn write_pack(packed: &[u8], out: &mut Vec<u8>) {
    write::len(packed.len() + listpack::FOREIGN_BYTES, out);
    Listpack::new(packed).write_foreign(out);
}

/// Reads the value of a payload of one of the types above. None if it is not as it should be, has
/// no field, or has one twice.
pub(super) fn restore(
    kind: u8,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Option<Restored<'static>> {
    let mut loader = Loader::new(limits);
    match kind {
        TYPE_TABLE => loader.take_fields(reader)?,
        TYPE_ZIPMAP => loader.add_pairs(&zipmap::elements(&reader.text()?)?)?,
        TYPE_ZIPLIST => loader.add_pairs(&ziplist::elements(&reader.text()?)?)?,
        TYPE_LISTPACK => loader.add_pairs(&elements(&reader.text()?)?)?,
        TYPE_EXPIRING_TABLE_EARLY => loader.take_expiring_fields(reader, 1)?,
        TYPE_EXPIRING_TABLE => {
            let first_ms = first_ms(reader)?;
            loader.take_expiring_fields(reader, first_ms)?;
        }
        TYPE_EXPIRING_LISTPACK_EARLY => loader.add_triples(&elements(&reader.text()?)?)?,
        TYPE_EXPIRING_LISTPACK => {
            first_ms(reader)?;
            loader.add_triples(&elements(&reader.text()?)?)?;
        }
        _ => return None,
    }
    loader.finish()
}

/// The time in front of a hash with times. Zero, and what Redis has for never, are possible.
fn first_ms(reader: &mut Reader<'_>) -> Option<u64> {
    reader.array().map(u64::from_le_bytes).filter(|&ms| ms <= TIME_MAX + 1)
}

fn elements(text: &[u8]) -> Option<Vec<Element<'_>>> {
    Some(Listpack::new(listpack::check_foreign(text)?).iter().collect())
}

/// A hash that is being read, in a record without a key.
struct Loader<'l> {
    record: Record,
    limits: &'l Limits,
}

impl<'l> Loader<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self { record: Record::new(b"", hash::TAG, hash::EMPTY, None, 0), limits }
    }

    /// Adds a field, with a time if it expires. None if it is there already, or the time is none.
    fn add(&mut self, field: &[u8], value: &[u8], expire_ms: u64) -> Option<()> {
        // At the beginning of time nothing is expired.
        let mut hash = HashMut::of(&mut self.record, self.limits, 0).ok()?;
        if !hash.set_value(field, value) || expire_ms > TIME_MAX {
            return None;
        }
        if expire_ms > 0 {
            hash.set_time(field, Some(expire_ms));
        }
        Some(())
    }

    fn take_fields(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        for _ in 0..reader.len()? {
            let (field, value) = (reader.text()?, reader.text()?);
            self.add(&field, &value, 0)?;
        }
        Some(())
    }

    /// Takes fields with times, of which `first_ms` is the one that is written as 1.
    fn take_expiring_fields(&mut self, reader: &mut Reader<'_>, first_ms: u64) -> Option<()> {
        for _ in 0..reader.len()? {
            let expire_ms = match reader.len()? {
                0 => 0,
                later => first_ms.checked_add(later - 1)?,
            };
            let (field, value) = (reader.text()?, reader.text()?);
            self.add(&field, &value, expire_ms)?;
        }
        Some(())
    }

    fn add_pairs(&mut self, elements: &[Element<'_>]) -> Option<()> {
        let (pairs, []) = elements.as_chunks() else { return None };
        let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
        for [field, value] in pairs {
            self.add(field.text(&mut field_scratch), value.text(&mut value_scratch), 0)?;
        }
        Some(())
    }

    /// Adds fields with times, which have to be in the order of these, those without at the end.
    fn add_triples(&mut self, elements: &[Element<'_>]) -> Option<()> {
        let (triples, []) = elements.as_chunks() else { return None };
        let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
        let mut last_ms = Some(1);
        for [field, value, time] in triples {
            let Element::Int(time) = time else { return None };
            let expire_ms = u64::try_from(*time).ok()?;
            if expire_ms > 0 && last_ms.is_none_or(|last_ms| expire_ms < last_ms) {
                return None;
            }
            last_ms = last_ms.filter(|_| expire_ms > 0).map(|_| expire_ms);
            let (field, value) = (field.text(&mut field_scratch), value.text(&mut value_scratch));
            self.add(field, value, expire_ms)?;
        }
        Some(())
    }

    /// What was read. None if it has no field.
    fn finish(self) -> Option<Restored<'static>> {
        let tag = self.record.tag();
        match self.record.body() {
            Body::Bytes(listpack::EMPTY) => None,
            Body::Bytes(bytes) => Some(Restored::Packed(tag, Cow::Owned(bytes.to_vec()))),
            Body::Int(_) | Body::Boxed(_) => Some(Restored::Boxed(tag, self.record.into_boxed())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{self as dump, RDB_VERSION, seal};
    use super::*;
    use crate::value::hash::{Hash, encoding};
    use crate::value::{PackLimits, Type};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Fields with their values and times.
    type Rows = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

    fn restored(payload: &[u8], limits: &Limits) -> Option<Record> {
        let mut restored = dump::restore(payload, limits).ok()?;
        let (tag, body) = restored.take();
        let record = Record::new(b"key", tag, body, None, 0);
        (Type::of(&record) == Type::Hash).then_some(record)
    }

    /// The hash that a value under a right seal makes.
    fn read(value: &[u8], limits: &Limits) -> Option<Record> {
        let mut payload = value.to_vec();
        seal(RDB_VERSION, 0, &mut payload);
        restored(&payload, limits)
    }

    fn rows(record: &Record) -> Rows {
        let mut rows = Rows::new();
        Hash::of(record, 0).unwrap().each_row(|field, value, time| {
            rows.insert(field.to_vec(), (value.to_vec(), time));
        });
        rows
    }

    fn expected(rows: &[(&str, &str, Option<u64>)]) -> Rows {
        let own = |text: &str| text.as_bytes().to_vec();
        rows.iter().map(|(field, value, time)| (own(field), (own(value), *time))).collect()
    }

    /// A text that holds a listpack of these elements.
    fn pack(kind: u8, head: &[u8], elements: &[Element<'_>]) -> Vec<u8> {
        let mut packed = listpack::EMPTY.to_vec();
        listpack::push(&mut packed, elements);
        let mut out = vec![kind];
        out.extend(head);
        write_pack(&packed, &mut out);
        out
    }

    const A: Element<'static> = Element::Bytes(b"a");
    const B: Element<'static> = Element::Bytes(b"b");

    #[test]
    fn payloads_of_redis_7_0_are_read_and_written_alike() {
        let small = b"\x10\x1c\x1c\0\0\0\x06\0\x81a\x02\x01\x01\x81b\x02\x83two\x04\x81c\x02\xf2\
                      \x90\xee\xfe\x04\xff\n\0\x9c\x9c\xf5\xc5?\xea\xbfq";
        let record = restored(small, &Limits::DEFAULT).unwrap();
        let three = [("a", "1", None), ("b", "two", None), ("c", "-70000", None)];
        assert_eq!(rows(&record), expected(&three));
        let mut written = Vec::new();
        dump::dump(&record, 10, &mut written);
        assert_eq!(written, small);

        let large = b"\x04\x01\x04long\xc3\t@F\x01xx\xe09\0\x01xx\n\0\xc4\x81\xcb0\x14\xec?\xf3";
        let record = restored(large, &Limits::DEFAULT).unwrap();
        assert_eq!(encoding(&record), "hashtable");
        assert_eq!(rows(&record), expected(&[("long", &"x".repeat(70), None)]));
    }

    #[test]
    fn forms_from_before_listpacks_are_read() {
        let ziplist = b"\x0d\x10\x10\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xf6\xff";
        assert_eq!(rows(&read(ziplist, &Limits::DEFAULT).unwrap()), expected(&[("a", "5", None)]));
        let zipmap = b"\x09\x0e\x02\x01a\x01\0b\x01c\x03\0two\xff";
        let record = read(zipmap, &Limits::DEFAULT).unwrap();
        assert_eq!(rows(&record), expected(&[("a", "b", None), ("c", "two", None)]));
    }

    #[test]
    fn times_are_read_in_all_four_forms() {
        let two = expected(&[("a", "1", Some(1_000)), ("b", "2", None)]);
        let first = 1_000u64.to_le_bytes();
        let triples =
            [A, Element::Int(1), Element::Int(1_000), B, Element::Int(2), Element::Int(0)];
        let fields = b"\x02\x01\x01a\x011\0\x01b\x012";
        let early_fields = b"\x02\x43\xe8\x01a\x011\0\x01b\x012";
        for value in [
            pack(TYPE_EXPIRING_LISTPACK_EARLY, b"", &triples),
            pack(TYPE_EXPIRING_LISTPACK, &first, &triples),
            [&[TYPE_EXPIRING_TABLE_EARLY][..], early_fields].concat(),
            [&[TYPE_EXPIRING_TABLE], &first[..], fields].concat(),
        ] {
            let record = read(&value, &Limits::DEFAULT).unwrap();
            assert_eq!(rows(&record), two, "{value:?}");
            assert_eq!(encoding(&record), "listpackex");
        }
    }

    #[test]
    fn faulty_payloads_are_refused() {
        let (one, none) = (Element::Int(1), Element::Int(0));
        let first = 1_000u64.to_le_bytes();
        let far = (1u64 << 48).to_le_bytes();
        let triples = [A, one, Element::Int(5)];
        for value in [
            b"\x04\0".to_vec(),                       // no field
            b"\x04\x01\x01a".to_vec(),                // no value
            b"\x04\x02\x01a\x01b\x01a\x01c".to_vec(), // a field twice
            b"\x04\x01\x01a\x01b\x01c".to_vec(),      // something after the value
            b"\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x01b".to_vec(),
            pack(TYPE_LISTPACK, b"", &[]),
            pack(TYPE_LISTPACK, b"", &[A]),
            pack(TYPE_LISTPACK, b"", &[A, one, A, one]),
            pack(TYPE_LISTPACK, b"", &[one, A, Element::Bytes(b"1"), A]), // twice in two forms
            pack(TYPE_EXPIRING_LISTPACK_EARLY, b"", &[A, one]),
            pack(TYPE_EXPIRING_LISTPACK, &first, &[]),
            pack(TYPE_EXPIRING_LISTPACK, &far, &triples),
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, B]), // a time that is none
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, Element::Int(-5)]),
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, Element::Int(1 << 48)]),
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, none, B, one, one]), // in no order
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, Element::Int(5), B, one, one]),
            pack(TYPE_EXPIRING_LISTPACK, &first, &[A, one, one, A, one, one]),
            [
                &[TYPE_EXPIRING_TABLE],
                &first[..],
                b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x011",
            ]
            .concat(),
            [&[TYPE_EXPIRING_TABLE], &first[..], b"\x01\x01\x01a"].concat(),
            [&[TYPE_EXPIRING_TABLE], &first[..4]].concat(),
        ] {
            assert!(read(&value, &Limits::DEFAULT).is_none(), "{value:?}");
        }
        let right = pack(TYPE_EXPIRING_LISTPACK, &first, &triples);
        assert!(read(&right, &Limits::DEFAULT).is_some());
    }

    fn row() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Option<u64>)> {
        let text = || {
            prop_oneof![
                any::<i32>().prop_map(|number| number.to_string().into_bytes()),
                prop::collection::vec(any::<u8>(), 0..12),
            ]
        };
        (text(), text(), prop::option::of(1u64..1 << 46))
    }

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(
            given in prop::collection::vec(row(), 1..30),
            entries in 0usize..30,
            with_times: bool,
        ) {
            let hash = PackLimits { entries, value_len: 10 };
            let limits = Limits { hash, ..Limits::DEFAULT };
            let mut record = Record::new(b"", hash::TAG, hash::EMPTY, None, 0);
            let mut into = HashMut::of(&mut record, &limits, 0).unwrap();
            for (field, value, time) in &given {
                into.set(field, value);
                if with_times {
                    into.set_time(field, *time);
                }
            }
            let mut payload = Vec::new();
            dump::dump(&record, RDB_VERSION, &mut payload);
            let again = restored(&payload, &limits).unwrap();
            prop_assert_eq!(rows(&again), rows(&record));
            // A long value that was written over leaves the hash as large as it made it.
            let is_fresh = rows(&record).len() == given.len();
            if is_fresh && (given.iter().any(|(_, _, time)| time.is_some()) || !with_times) {
                prop_assert_eq!(encoding(&again), encoding(&record));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            kind in prop::sample::select(TYPES.to_vec()),
            value in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = read(&[&[kind], &value[..]].concat(), &Limits::DEFAULT);
        }

        #[test]
        fn a_changed_payload_does_not_make_it_panic(
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let triples = [A, Element::Int(1), Element::Int(7), B, Element::Int(-300), Element::Int(9)];
            for mut value in [
                pack(TYPE_LISTPACK, b"", &triples[..4]),
                pack(TYPE_EXPIRING_LISTPACK, &7u64.to_le_bytes(), &triples),
            ] {
                let at = at.index(value.len());
                value[at] = byte;
                if let Some(record) = read(&value, &Limits::DEFAULT) {
                    prop_assert!(!rows(&record).is_empty());
                }
            }
        }
    }
}
