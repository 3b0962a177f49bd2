//! Sets as payloads: a list of texts, an intset or a listpack.

use super::read::Reader;
use super::{Restored, intset, write};
use crate::structs::intset::{from_sorted, width_of};
use crate::structs::listpack::{self, Element, Listpack};
use crate::value::set::{self, Form, NewSet, Set, TAG, TAG_INTSET};
use crate::value::{Limits, Record, element};

/// A count and as many texts.
pub(super) const TYPE_TEXTS: u8 = 2;
/// An intset as one text.
pub(super) const TYPE_INTSET: u8 = 11;
/// A listpack as one text.
pub(super) const TYPE_LISTPACK: u8 = 20;

/// Servers that write a lower version know no sets in listpacks.
const LISTPACK_SINCE: u16 = 11;

/// Appends type and value.
pub(super) fn dump(record: &Record, version: u16, out: &mut Vec<u8>) {
    let set = set::known(record);
    match set {
        Set::Integers(integers) => {
            out.push(TYPE_INTSET);
            let head = [integers.width() as u32, integers.len() as u32];
            write::len(size_of_val(&head) + integers.bytes().len(), out);
            head.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            out.extend_from_slice(integers.bytes());
        }
        Set::Packed(pack) if version >= LISTPACK_SINCE => {
            out.push(TYPE_LISTPACK);
            write::len(pack.bytes().len() + listpack::FOREIGN_BYTES, out);
            pack.write_foreign(out);
        }
        Set::Packed(_) | Set::Table(_) => {
            out.push(TYPE_TEXTS);
            write::len(set.len(), out);
            set.iter().for_each(|member| match member {
                Element::Int(value) => write::integer(value, out),
                Element::Bytes(text) => write::text(text, out),
            });
        }
    }
}

/// Reads a value of a type that is one of the above. None if it is not a set, or an empty one.
pub(super) fn restore(
    kind: u8,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Option<Restored<'static>> {
    let new = match kind {
        TYPE_TEXTS => texts(reader, limits),
        TYPE_INTSET => integers(&reader.text()?, limits),
        _ => listpack(&reader.text()?, limits),
    }?;
    Some(match new {
        NewSet::Inside(tag, bytes) => Restored::Packed(tag, bytes.into()),
        NewSet::Table(object) => Restored::Boxed(TAG, Some(object)),
    })
}

fn texts(reader: &mut Reader<'_>, limits: &Limits) -> Option<NewSet> {
    let count = usize::try_from(reader.len()?).ok()?;
    // No room is made beforehand for a count that may be a lie.
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(reader.string()?);
    }
    let elements = texts.iter().map(|text| match text {
        Restored::Integer(value) => Some(Element::Int(*value)),
        Restored::Text(text) => Some(element(text)),
        Restored::Packed(..) | Restored::Boxed(..) => None,
    });
    let elements = elements.collect::<Option<Vec<_>>>()?;
    let start = if count > limits.intset_entries { Form::Table } else { Form::Integers };
    let form = start.after(elements.iter().copied(), limits);
    NewSet::checked(form, &elements, limits).filter(|_| count > 0)
}

fn integers(bytes: &[u8], limits: &Limits) -> Option<NewSet> {
    let values = intset::numbers(bytes)?;
    if values.len() > limits.intset_entries {
        let elements: Vec<_> = values.into_iter().map(Element::Int).collect();
        return NewSet::checked(Form::Table, &elements, limits);
    }
    // The width may be larger than it had to be, and stays so.
    let least = values.iter().map(|value| width_of(*value)).max()?;
    let width = usize::from(*bytes.first()?).max(least);
    Some(NewSet::Inside(TAG_INTSET, from_sorted(values.into_iter(), width)))
}

fn listpack(bytes: &[u8], limits: &Limits) -> Option<NewSet> {
    let mut elements = Vec::new();
    for found in Listpack::new(listpack::check_foreign(bytes)?).iter() {
        // A number may have come as a text.
        elements.push(match found {
            Element::Bytes(text) => element(text),
            Element::Int(_) => found,
        });
    }
    let form = if elements.len() > limits.set.entries { Form::Table } else { Form::Packed };
    NewSet::checked(form, &elements, limits).filter(|_| !elements.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{BAD_DATA, RDB_VERSION, dump, restore, seal};
    use super::*;
    use crate::error::Error;
    use crate::structs::entry::NewBody;
    use crate::value::PackLimits;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LIMITS: Limits = Limits {
        set: PackLimits { entries: 4, value_len: 8 },
        intset_entries: 5,
        ..Limits::DEFAULT
    };

    fn sealed(value: &[u8], version: u16) -> Vec<u8> {
        let mut payload = value.to_vec();
        seal(version, 0, &mut payload);
        payload
    }

    fn record(payload: &[u8]) -> Result<Record, Error> {
        let mut value = restore(payload, &LIMITS)?;
        let (tag, body) = value.take();
        Ok(Record::new(b"key", tag, body, None, 0))
    }

    fn texts_of(record: &Record) -> BTreeSet<Vec<u8>> {
        set::known(record).iter().map(Element::to_vec).collect()
    }

    fn dumped(record: &Record, version: u16) -> Vec<u8> {
        let mut payload = Vec::new();
        dump(record, version, &mut payload);
        payload
    }

    /// What redis-server 7.0 dumped, 7.2 for the listpack, without seals, and the encodings.
    const OF_REDIS: &[(&[u8], &[&str], &str)] = &[
        (
            b"\x0b\x18\x04\0\0\0\x04\0\0\0\x01\0\0\0\x02\0\0\0,\x01\0\0p\x11\x01\0",
            &["1", "2", "300", "70000"],
            "intset",
        ),
        // It held a wider number once.
        (b"\x0b\x10\x08\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0", &["1"], "intset"),
        (
            b"\x02\x05\xc0\x01\x01a\x03007\xc1\x7f\xff\n2147483648",
            &["1", "a", "007", "-129", "2147483648"],
            "hashtable",
        ),
        (b"\x14\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff", &["a", "1"], "listpack"),
    ];

    #[test]
    fn payloads_of_redis_are_read_and_written() {
        for (value, members, encoding) in OF_REDIS {
            let record = record(&sealed(value, RDB_VERSION)).expect("it is right");
            let expected: BTreeSet<_> =
                members.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(texts_of(&record), expected);
            assert_eq!(set::encoding(&record), *encoding);
            if *encoding != "hashtable" {
                assert_eq!(dumped(&record, RDB_VERSION), sealed(value, RDB_VERSION));
            }
        }
    }

    #[test]
    fn a_listpack_is_written_as_texts_for_who_does_not_know_it() {
        let record = record(&sealed(OF_REDIS[3].0, RDB_VERSION)).expect("it is right");
        assert_eq!(dumped(&record, 10), sealed(b"\x02\x02\x01a\xc0\x01", 10));
    }

    #[test]
    fn limits_decide_about_the_form() {
        for (value, encoding) in [
            (&b"\x02\x04\xc0\x01\xc0\x02\x01a\x01b"[..], "listpack"),
            (b"\x02\x05\xc0\x01\xc0\x02\x01a\x01b\x01c", "hashtable"),
            (b"\x02\x05\xc0\x01\xc0\x02\xc0\x03\xc0\x04\xc0\x05", "intset"),
            (b"\x02\x06\xc0\x01\xc0\x02\xc0\x03\xc0\x04\xc0\x05\xc0\x06", "hashtable"),
            (b"\x02\x01\x09123456789", "intset"),
            (b"\x02\x01\x09abcdefghi", "hashtable"),
            (b"\x0b\x14\x02\0\0\0\x06\0\0\0\x01\0\x02\0\x03\0\x04\0\x05\0\x06\0", "hashtable"),
            (b"\x14\x11\x11\0\0\0\x05\0\x01\x01\x02\x01\x03\x01\x04\x01\x05\x01\xff", "hashtable"),
            // A number that came as a text.
            (b"\x14\x0a\x0a\0\0\0\x01\0\x817\x02\xff", "listpack"),
        ] {
            let record = record(&sealed(value, RDB_VERSION)).expect("it is right");
            assert_eq!(set::encoding(&record), encoding, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for value in [
            &b"\x02\0"[..],                                       // no member
            b"\x02\x02\x01a",                                     // fewer than counted
            b"\x02\x01\x01a\x01b",                                // more
            b"\x02\x02\x01a\x01a",                                // twice the same
            b"\x02\x02\xc0\x01\x011",                             // twice the same number
            b"\x02\x06\x01a\x01b\x01c\x01d\x01e\x01a",            // twice in a table
            b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a",     // a count beyond all memory
            b"\x0b\x08\x02\0\0\0\0\0\0\0",                        // no integer
            b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0",          // out of order
            b"\x0b\xc0\x01",                                      // no intset
            b"\x14\x07\x07\0\0\0\0\0\xff",                        // no element
            b"\x14\x0b\x0b\0\0\0\x02\0\x01\x01\x01\x01\xff",      // twice the same
            b"\x14\x0d\x0d\0\0\0\x02\0\x07\x01\x817\x02\x00\xff", // rubbish within
            b"\x14\x0c\x0c\0\0\0\x02\0\x07\x01\x817\x02\xff",     // a number and its text
        ] {
            let found = record(&sealed(value, RDB_VERSION)).map(|record| texts_of(&record));
            assert_eq!(found, Err(BAD_DATA), "{}", value.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(
            members in prop::collection::btree_set(
                prop_oneof![
                    any::<(i64, u32)>().prop_map(|(n, shift)| (n >> (shift % 64)).to_string().into()),
                    prop::collection::vec(any::<u8>(), 0..12),
                ],
                1..9,
            ),
            version in 10u16..12,
        ) {
            let elements: Vec<_> = members.iter().map(|text| element(text)).collect();
            let form = Form::Integers.after(elements.iter().copied(), &LIMITS);
            let (tag, bytes, object) = match NewSet::of_distinct(form, &elements, &LIMITS) {
                NewSet::Inside(tag, bytes) => (tag, bytes, None),
                NewSet::Table(object) => (TAG, Vec::new(), Some(object)),
            };
            let body = object.map_or(NewBody::Bytes(&bytes), NewBody::Boxed);
            let before = Record::new(b"key", tag, body, None, 0);
            let after = record(&dumped(&before, version)).expect("it was written here");
            prop_assert_eq!(texts_of(&after), members);
            prop_assert_eq!(set::encoding(&after), set::encoding(&before));
        }

        #[test]
        fn changed_payloads_are_a_set_or_refused(
            of in prop::sample::select(OF_REDIS),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut value = of.0.to_vec();
            for (at, byte) in changes {
                let at = 1 + at.index(value.len() - 1);
                value[at] = byte;
            }
            if let Ok(record) = record(&sealed(&value, RDB_VERSION)) {
                let set = set::known(&record);
                prop_assert!(set.len() > 0 && texts_of(&record).len() == set.len());
                prop_assert!(set.iter().all(|member| set.contains(member)));
            }
        }
    }
}
