//! Hashes in payloads: a listpack as it is, fields one by one from a table, and the forms that
//! Redis wrote before it had listpacks.

use super::read::Reader;
use super::{Restored, write, ziplist, zipmap};
use crate::structs::entry::Body;
use crate::structs::listpack::{self, Element, Listpack, Scratch};
use crate::value::hash::{self, Hash, HashMut};
use crate::value::{Limits, Record};
use std::borrow::Cow;

/// Fields and values as texts, one after another.
pub(super) const TYPE_TABLE: u8 = 4;
/// A text that holds a zipmap.
pub(super) const TYPE_ZIPMAP: u8 = 9;
/// A text that holds a ziplist.
pub(super) const TYPE_ZIPLIST: u8 = 13;
/// A text that holds a listpack.
pub(super) const TYPE_LISTPACK: u8 = 16;

/// Appends type and value of a record that holds a hash.
pub(super) fn dump(record: &Record, out: &mut Vec<u8>) {
    let hash = Hash::of(record).expect("the caller looked at the type");
    if let Some(packed) = hash.packed() {
        out.push(TYPE_LISTPACK);
        write::len(packed.len() + listpack::FOREIGN_BYTES, out);
        Listpack::new(packed).write_foreign(out);
        return;
    }
    out.push(TYPE_TABLE);
    write::len(hash.len(), out);
    let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
    hash.each(|field, value| {
        write::text(field.text(&mut field_scratch), out);
        write::text(value.text(&mut value_scratch), out);
    });
}

/// Reads the value of a payload of one of the types above. None if it is not as it should be, has
/// no field, or has one twice.
pub(super) fn restore(
    kind: u8,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Option<Restored<'static>> {
    let mut loader = Loader::new();
    match kind {
        TYPE_TABLE => {
            for _ in 0..reader.len()? {
                let (field, value) = (reader.text()?, reader.text()?);
                loader.add(&field, &value, limits)?;
            }
        }
        TYPE_ZIPMAP => loader.add_all(&zipmap::elements(&reader.text()?)?, limits)?,
        TYPE_ZIPLIST => loader.add_all(&ziplist::elements(&reader.text()?)?, limits)?,
        TYPE_LISTPACK => {
            let text = reader.text()?;
            let packed = Listpack::new(listpack::check_foreign(&text)?);
            loader.add_all(&packed.iter().collect::<Vec<_>>(), limits)?;
        }
        _ => return None,
    }
    loader.finish()
}

/// A hash that is being read, in a record without a key.
struct Loader {
    record: Record,
}

impl Loader {
    fn new() -> Self {
        Self { record: Record::new(b"", hash::TAG, hash::EMPTY, None, 0) }
    }

    /// Adds a field. None if it is there already.
    fn add(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> Option<()> {
        let mut hash = HashMut::of(&mut self.record, limits).ok()?;
        hash.set(field, value).then_some(())
    }

    /// Adds fields and values that follow one another. None if a field is there already, or the
    /// last one has no value.
    fn add_all(&mut self, elements: &[Element<'_>], limits: &Limits) -> Option<()> {
        let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
        let (pairs, []) = elements.as_chunks() else { return None };
        for [field, value] in pairs {
            let (field, value) = (field.text(&mut field_scratch), value.text(&mut value_scratch));
            self.add(field, value, limits)?;
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
