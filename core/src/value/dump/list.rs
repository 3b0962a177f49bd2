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
    let mut list = Quicklist::new(Fill::new(limits.list_size));
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
    match list::settled(list, limits.list_size) {
        Ok(bytes) => Restored::Packed(list::TAG, Cow::Owned(bytes)),
        Err(object) => Restored::Boxed(list::TAG, Some(object)),
    }
}
