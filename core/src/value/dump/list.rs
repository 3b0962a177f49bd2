//! Lists in payloads.
//!
//! ```text
//! 18  | nodes | kind | node | kind | node | ...   kind 1: an element; 2: a listpack    written
//! 14  | nodes | ziplist | ziplist | ...                                                before 7.0
//! 10  | ziplist |                                                                      before 3.2
//! 1   | elements | text | text | ...                                                   before 2.6
//! ```

use super::read::Reader;
use super::{Restored, write, ziplist};
use crate::structs::listpack::{self, Element, Listpack};
use crate::structs::quicklist::{Chunk, End, Fill, Quicklist};
use crate::value::list::{self, List};
use crate::value::{Limits, Record, element};
use std::borrow::Cow;

pub(super) const TYPE_TEXTS: u8 = 1;
pub(super) const TYPE_ZIPLIST: u8 = 10;
pub(super) const TYPE_ZIPLISTS: u8 = 14;
pub(super) const TYPE_NODES: u8 = 18;

const PLAIN: usize = 1;
const PACKED: usize = 2;

/// Writes the type and the value.
pub(super) fn dump(record: &Record, out: &mut Vec<u8>) {
    out.push(TYPE_NODES);
    match list::read(record).expect("the caller looked at the type") {
        List::Packed(listpack) => {
            write::len(1, out);
            dump_listpack(listpack, out);
        }
        List::Chunked(list) => {
            write::len(list.chunk_count(), out);
            list.chunks().for_each(|chunk| dump_chunk(chunk, out));
        }
    }
}

fn dump_chunk(chunk: &Chunk, out: &mut Vec<u8>) {
    match chunk {
        Chunk::Packed(packed) => dump_listpack(packed.listpack(), out),
        Chunk::Coded(coded) => dump_listpack(Listpack::new(&coded.to_listpack()), out),
        Chunk::Plain(text) => {
            write::len(PLAIN, out);
            write::text(text, out);
        }
    }
}

fn dump_listpack(listpack: Listpack<'_>, out: &mut Vec<u8>) {
    write::len(PACKED, out);
    write::len(listpack.bytes().len() + listpack::FOREIGN_BYTES, out);
    listpack.write_foreign(out);
}

/// Reads the value after its type. None if it is no list, or none that is whole.
pub(super) fn restore<'p>(
    kind: u8,
    reader: &mut Reader<'p>,
    limits: &Limits,
) -> Option<Restored<'p>> {
    let mut list = Quicklist::new(Fill::new(limits.list.size));
    match kind {
        TYPE_TEXTS => read_each(reader, |reader| push_text(&mut list, &reader.text()?))?,
        TYPE_ZIPLIST => {
            let bytes = reader.text()?;
            ziplist::elements(&bytes)?.iter().for_each(|&one| list.push(End::Tail, one));
        }
        TYPE_ZIPLISTS => read_each(reader, |reader| {
            let bytes = reader.text()?;
            append(&mut list, &ziplist::elements(&bytes)?);
            Some(())
        })?,
        TYPE_NODES => read_each(reader, |reader| read_node(&mut list, reader))?,
        _ => return None,
    }
    (list.len() > 0).then(|| into_restored(list, limits))
}

fn read_each<'p>(
    reader: &mut Reader<'p>,
    mut read: impl FnMut(&mut Reader<'p>) -> Option<()>,
) -> Option<()> {
    let count = reader.len()?;
    // Each takes a byte at least, so that a count beyond the bytes ends at once.
    (0..count).try_for_each(|_| read(reader))
}

fn push_text(list: &mut Quicklist, text: &[u8]) -> Option<()> {
    list.push(End::Tail, element(text));
    Some(())
}

fn read_node(list: &mut Quicklist, reader: &mut Reader<'_>) -> Option<()> {
    match usize::try_from(reader.len()?).ok()? {
        PLAIN => list.append_plain(&reader.text()?),
        PACKED => {
            let bytes = reader.text()?;
            let listpack = Listpack::new(listpack::check_foreign(&bytes)?);
            if listpack.iter().any(is_number_as_text) {
                let elements: Vec<_> = listpack.iter().map(in_usual_form).collect();
                append(list, &elements);
            } else if !listpack.is_empty() {
                list.append_listpack(listpack.bytes());
            }
        }
        _ => return None,
    }
    Some(())
}

/// Adds elements as one chunk.
fn append(list: &mut Quicklist, elements: &[Element<'_>]) {
    if !elements.is_empty() {
        let mut bytes = listpack::EMPTY.to_vec();
        listpack::push(&mut bytes, elements);
        list.append_listpack(&bytes);
    }
}

/// Whether a number was written as a text, which Redis does not do. It would be equal to no other.
fn is_number_as_text(one: Element<'_>) -> bool {
    one != in_usual_form(one)
}

fn in_usual_form(one: Element<'_>) -> Element<'_> {
    match one {
        Element::Bytes(text) => element(text),
        Element::Int(_) => one,
    }
}

fn into_restored(list: Quicklist, limits: &Limits) -> Restored<'static> {
    match list::settled(list, limits.list) {
        Ok(bytes) => Restored::Packed(list::TAG, Cow::Owned(bytes)),
        Err(object) => Restored::Boxed(list::TAG, Some(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{self as payload, BAD_DATA, RDB_VERSION, seal};
    use super::*;
    use crate::error::Error;
    use crate::structs::listpack::Scratch;
    use crate::value::ListLimits;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { string_len: 1 << 20, ..Limits::DEFAULT };

    fn list_limits(size: i32) -> ListLimits {
        ListLimits { size, ..ListLimits::DEFAULT }
    }

    fn record_of(texts: &[&[u8]], setting: i32) -> Record {
        let mut record = Record::new(b"key", list::TAG, list::EMPTY, None, 0);
        list::push_all(&mut record, End::Tail, texts, list_limits(setting));
        record
    }

    fn payload_of(record: &Record) -> Vec<u8> {
        let mut bytes = Vec::new();
        payload::dump(record, RDB_VERSION, &mut bytes);
        bytes
    }

    fn sealed(value: &[u8]) -> Vec<u8> {
        let mut payload = value.to_vec();
        seal(RDB_VERSION, 0, &mut payload);
        payload
    }

    fn record_from(payload: &[u8], limits: &Limits) -> Result<Record, Error> {
        let mut value = payload::restore(payload, limits)?;
        let (tag, body) = value.take();
        Ok(Record::new(b"key", tag, body, None, 0))
    }

    /// The elements with a blank behind each, and the encoding.
    fn restored(value: &[u8], limits: &Limits) -> Result<(String, &'static str), Error> {
        let record = record_from(&sealed(value), limits)?;
        let list = list::read(&record)?;
        let mut text = String::new();
        list.iter().each(list.len(), |element| {
            text += &String::from_utf8_lossy(element.text(&mut Scratch::new()));
            text += " ";
        });
        Ok((text, list::encoding(list)))
    }

    /// `RPUSH l a 5 bb -4096`, and the same with `list-max-listpack-size 2`, as redis-server 7.0
    /// dumps them.
    #[test]
    fn payloads_are_those_of_redis() {
        let texts = [&b"a"[..], b"5", b"bb", b"-4096"];
        for (setting, value) in [
            (-2, &b"\x12\x01\x02\x13\x13\0\0\0\x04\0\x81a\x02\x05\x01\x82bb\x03\xd0\0\x02\xff"[..]),
            (
                2,
                b"\x12\x02\x02\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff\
                  \x02\x0e\x0e\0\0\0\x02\0\x82bb\x03\xd0\0\x02\xff",
            ),
        ] {
            let payload = payload_of(&record_of(&texts, setting));
            assert_eq!(payload[..payload.len() - 10], *value, "{}", payload.escape_ascii());
            let limits = Limits { list: list_limits(setting), ..LIMITS };
            let encoding = if setting == 2 { "quicklist" } else { "listpack" };
            assert_eq!(restored(value, &limits), Ok(("a 5 bb -4096 ".into(), encoding)));
        }
    }

    #[test]
    fn every_form_that_was_is_read() {
        const ZIPLIST: &[u8] = b"\x10\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xf6\xff";
        let ziplist = [b"\x0a\x10", ZIPLIST].concat();
        let ziplists = [b"\x0e\x02\x10", ZIPLIST, b"\x10", ZIPLIST].concat();
        let nodes = b"\x12\x02\x01\x05hello\x02\x0a\x0a\0\0\0\x01\0\x81x\x02\xff";
        for (value, texts, encoding) in [
            (&b"\x01\x03\x01a\xc0\x05\x03abc"[..], "a 5 abc ", "listpack"),
            (&ziplist, "a 5 ", "listpack"),
            (&ziplists, "a 5 a 5 ", "quicklist"),
            (nodes, "hello x ", "quicklist"),
            (b"\x12\x01\x01\x05hello", "hello ", "quicklist"),
            // An empty node is passed over.
            (
                b"\x12\x02\x02\x07\x07\0\0\0\0\0\xff\x02\x09\x09\0\0\0\x01\0\x01\x01\xff",
                "1 ",
                "listpack",
            ),
            // A number that was written as a text is a number.
            (b"\x12\x01\x02\x0a\x0a\0\0\0\x01\0\x817\x02\xff", "7 ", "listpack"),
        ] {
            let expected = Ok((texts.to_owned(), encoding));
            assert_eq!(restored(value, &LIMITS), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_number_that_came_as_a_text_is_found_as_a_number() {
        let payload = sealed(b"\x12\x01\x02\x0a\x0a\0\0\0\x01\0\x817\x02\xff");
        let mut record = record_from(&payload, &LIMITS).unwrap();
        assert_eq!(list::remove_equal(&mut record, element(b"7"), 1, false), 1);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for value in [
            &b"\x01\0"[..],                                           // no elements
            b"\x01\x02\x01a",                                         // one is missing
            b"\x01\x01\x01ab",                                        // something behind
            b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a",         // more than there can be
            b"\x0a\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff",                  // an empty ziplist
            b"\x0a\x10\x10\0\0\0\x0d\0\0\0\x02\0\0\x01a\x04\xf6\xff", // a wrong length backwards
            b"\x0e\0",                                                // no nodes
            b"\x0e\x01\x03abc",                                       // a node that is none
            b"\x12\0",                                                // no nodes
            b"\x12\x01\x02\x07\x07\0\0\0\0\0\xff",                    // an empty one alone
            b"\x12\x01\x03\x01a",                                     // of no kind
            b"\x12\x01\x02\x0a\x0a\0\0\0\x02\0\x81x\x02\xff",         // a wrong count
            b"\x12\x02\x01\x01a",                                     // one is missing
        ] {
            assert_eq!(restored(value, &LIMITS), Err(BAD_DATA), "{}", value.escape_ascii());
        }
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..30),
            2 => any::<i64>().prop_map(|number| number.to_string().into()),
            1 => (1_000usize..5_000).prop_map(|len| vec![b'x'; len]),
        ];
        prop::collection::vec(text, 1..40)
    }

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(texts in texts(), setting in -5i32..20) {
            let texts: Vec<_> = texts.iter().map(|text| &text[..]).collect();
            let record = record_of(&texts, setting);
            let payload = payload_of(&record);
            let limits = Limits { list: list_limits(setting), ..LIMITS };
            let again = record_from(&payload, &limits).unwrap();
            prop_assert_eq!(payload_of(&again), payload);
            let elements = |record: &Record| -> Vec<_> {
                let list = list::read(record).unwrap();
                let mut texts = Vec::new();
                list.iter().each(list.len(), |element| texts.push(element.to_vec()));
                texts
            };
            prop_assert_eq!(elements(&again), texts);
        }

        #[test]
        fn a_changed_payload_does_not_make_it_panic(
            texts in texts(),
            setting in -5i32..20,
            at in any::<prop::sample::Index>(),
            byte: u8,
            cut in any::<prop::sample::Index>(),
        ) {
            let texts: Vec<_> = texts.iter().map(|text| &text[..]).collect();
            let payload = payload_of(&record_of(&texts, setting));
            let mut value = payload[..payload.len() - 10].to_vec();
            let at = at.index(value.len());
            value[at] = byte;
            let _ = record_from(&sealed(&value), &LIMITS);
            value.truncate(cut.index(value.len() + 1));
            let _ = record_from(&sealed(&value), &LIMITS);
        }
    }
}
