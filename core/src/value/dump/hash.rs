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
