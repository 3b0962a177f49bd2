//! Entries and ids as they are answered.

use crate::resp::ReplySink;
use crate::structs::listpack::{Element, Scratch};
use crate::value::stream::{Entry, IdText, StreamId};

#[inline]
pub(super) fn write_id(id: StreamId, out: &mut dyn ReplySink) {
    out.bulk(&IdText::new(id));
}

#[inline]
fn write_text(element: Element<'_>, out: &mut dyn ReplySink) {
    match element {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(value) => out.bulk(Scratch::new().format(value).as_bytes()),
    }
}

/// An id with the fields and values of its entry.
pub(super) fn write_entry(entry: &Entry<'_>, out: &mut dyn ReplySink) {
    out.array(2);
    write_id(entry.id, out);
    out.array(2 * entry.len());
    for (field, value) in entry.pairs() {
        write_text(field, out);
        write_text(value, out);
    }
}

/// An id whose entry is no more.
pub(super) fn write_gone(id: StreamId, out: &mut dyn ReplySink) {
    out.array(2);
    write_id(id, out);
    out.null_array();
}

/// So many entries, of which there are as many.
pub(super) fn write_entries<'l>(
    count: usize,
    entries: impl Iterator<Item = Entry<'l>>,
    out: &mut dyn ReplySink,
) {
    out.array(count);
    for entry in entries.take(count) {
        write_entry(&entry, out);
    }
}

/// The text of an id.
pub(super) fn id_text(id: StreamId) -> Vec<u8> {
    format!("{}-{}", id.ms, id.seq).into_bytes()
}
