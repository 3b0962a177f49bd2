//! How hashes lie in their records, and what may be done to them there. Which command asks is the
//! caller's.
//!
//! A small hash is a listpack inside its record; one with many fields, or with a long field or
//! value, is a table of fields of its own. The limits and the moments of change are Redis's, and a
//! table never becomes a listpack again.
//!
//! Fields may expire. One whose time is over is nowhere to be seen, though it may still be there
//! until [`remove_expired`] takes it out.

mod packed;
mod random;
mod table;

pub(super) use table::FieldTable;

use super::{Limits, Object, Record, TYPE_MASK, Type};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crate::structs::listpack::{self, Buffer, Element, Scratch};
use packed::{Form, Packed};
use std::borrow::Cow;

/// The tag of a hash whose fields do not expire.
pub(crate) const TAG: u8 = Type::Hash as u8;
/// The tag of a hash some of whose fields expire, or did so once.
pub(crate) const TAG_EXPIRING: u8 = TAG | EXPIRING;
const EXPIRING: u8 = !TYPE_MASK & 0b1111;

/// The body of a hash without fields, which its key is made with just before the first one comes.
pub(crate) const EMPTY: NewBody<'static, Object> = NewBody::Bytes(listpack::EMPTY);

/// Redis lets no listpack grow beyond this many bytes.
const PACK_BYTES_MAX: usize = 1 << 30;

/// The fields in the encoding that they are kept in.
#[derive(Clone, Copy, Debug)]
enum Fields<'a> {
    Packed(Packed<'a>),
    Table(&'a FieldTable),
}

/// When fields expire, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    /// The earliest time, if any field expires.
    first_ms: Option<u64>,
    /// The latest time, if all fields expire.
    last_ms: Option<u64>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn of(record: &'a Record) -> Self {
        match record.body() {
            Body::Bytes(bytes) => Self::Packed(Packed::new(bytes, form(record))),
            Body::Boxed(Object::Hash(table)) => Self::Table(table),
            Body::Int(_) | Body::Boxed(_) => unreachable!("a hash is kept in one of two ways"),
        }
    }

    /// How many fields there are, expired ones included.
    fn len(self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Table(table) => table.len(),
        }
    }

    fn times(self) -> Times {
        match self {
            Self::Packed(packed) => packed.times(),
            Self::Table(table) => table.times(),
        }
    }
}

#[inline]
fn form(record: &Record) -> Form {
    if record.tag() & EXPIRING == 0 { Form::Pairs } else { Form::Triples }
}

/// Checks that the record holds a hash.
#[inline]
fn expect_hash(record: &Record) -> Result<(), Error> {
    if record.tag() & TYPE_MASK == TAG { Ok(()) } else { Err(Error::WRONG_TYPE) }
}

fn is_over(expire_ms: Option<u64>, now_ms: u64) -> bool {
    expire_ms.is_some_and(|ms| ms < now_ms)
}

/// A hash to be read, as it is at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash<'a> {
    fields: Fields<'a>,
    now_ms: u64,
}

impl<'a> Hash<'a> {
    /// The hash of a record at `now_ms`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// `WRONGTYPE` if the record holds another type.
    #[inline]
    pub(crate) fn of(record: &'a Record, now_ms: u64) -> Result<Self, Error> {
        expect_hash(record)?;
        Ok(Self { fields: Fields::of(record), now_ms })
    }

    /// How many fields there are.
    pub(crate) fn len(self) -> usize {
        match self.fields {
            Fields::Packed(packed) => packed.len() - packed.expired(self.now_ms),
            Fields::Table(table) => table.len() - table.expired(self.now_ms),
        }
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn get(self, field: &[u8]) -> Option<Element<'a>> {
        self.find(field).map(|(value, _)| value)
    }

    /// The value of a field, and when it expires, if it does.
    #[inline]
    pub(crate) fn find(self, field: &[u8]) -> Option<(Element<'a>, Option<u64>)> {
        let (value, expire_ms) = match self.fields {
            Fields::Packed(packed) => {
                let at = packed.find(field)?;
                (packed.value(at), packed.expire_ms(at))
            }
            Fields::Table(table) => {
                let field = table.get(field)?;
                (Element::Bytes(field.bytes()), field.expire_ms())
            }
        };
        (!is_over(expire_ms, self.now_ms)).then_some((value, expire_ms))
    }

    /// Lets `visit` see every field with its value, in no order.
    #[inline]
    pub(crate) fn each(self, mut visit: impl FnMut(Element<'a>, Element<'a>)) {
        self.each_row(|field, value, _| visit(field, value));
    }

    /// As [`Hash::each`], also with the time at which a field expires, if it does.
    #[inline]
    pub(crate) fn each_row(self, mut visit: impl FnMut(Element<'a>, Element<'a>, Option<u64>)) {
        match self.fields {
            Fields::Packed(packed) => {
                let expired = packed.expired(self.now_ms);
                let live = packed.rows().skip(expired);
                live.for_each(|(field, value, expire_ms)| visit(field, value, expire_ms));
            }
            Fields::Table(table) => {
                let live = table.iter().filter(|field| table::is_live(field, self.now_ms));
                live.for_each(|entry| {
                    let (field, value) = table::pair(entry);
                    visit(field, value, entry.expire_ms());
                });
            }
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
        let Fields::Table(table) = self.fields else {
            self.each(visit);
            return 0;
        };
        table.walk(cursor, count, |field| {
            if table::is_live(field, self.now_ms) {
                let (field, value) = table::pair(field);
                visit(field, value);
            }
        })
    }
}

/// The whole contents of a hash for a payload, expired fields included.
#[derive(Debug)]
pub(super) enum Contents<'a> {
    /// A listpack of fields and values.
    Pairs(Cow<'a, [u8]>),
    /// A listpack of fields, values and times.
    Triples(&'a [u8]),
    /// A table.
    Table(&'a FieldTable),
}

/// The whole contents of the hash of a record, and the earliest time at which a field expires.
pub(super) fn contents(record: &Record) -> (Contents<'_>, Option<u64>) {
    let fields = Fields::of(record);
    let first_ms = fields.times().first_ms;
    let contents = match fields {
        Fields::Table(table) => Contents::Table(table),
        Fields::Packed(packed) if first_ms.is_some() => Contents::Triples(packed.bytes()),
        Fields::Packed(packed) if packed.form == Form::Triples => {
            Contents::Pairs(Cow::Owned(packed.to_pairs()))
        }
        Fields::Packed(packed) => Contents::Pairs(Cow::Borrowed(packed.bytes())),
    };
    (contents, first_ms)
}

/// A hash to be changed.
#[derive(Debug)]
pub(crate) struct HashMut<'a> {
    record: &'a mut Record,
    limits: &'a Limits,
    now_ms: u64,
}

impl<'a> HashMut<'a> {
    /// The hash of a record at `now_ms`. `limits` say when it becomes a table.
    ///
    /// # Errors
    /// `WRONGTYPE` if the record holds another type.
    #[inline]
    pub(crate) fn of(
        record: &'a mut Record,
        limits: &'a Limits,
        now_ms: u64,
    ) -> Result<Self, Error> {
        expect_hash(record)?;
        Ok(Self { record, limits, now_ms })
    }

    /// The hash to be read.
    #[inline]
    pub(crate) fn read(&self) -> Hash<'_> {
        Hash { fields: Fields::of(self.record), now_ms: self.now_ms }
    }

    /// Whether there is no field, not even an expired one.
    pub(crate) fn is_empty(&self) -> bool {
        is_empty(self.record)
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

    /// Prepares for times: a small hash makes room for them.
    pub(crate) fn expect_times(&mut self) {
        if let Fields::Packed(packed) = Fields::of(self.record)
            && packed.form == Form::Pairs
        {
            let triples = packed.to_triples();
            self.record.set_body(TAG_EXPIRING, NewBody::Bytes(&triples));
        }
    }

    /// Sets a field, new or not, which then does not expire. Returns whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let is_new = self.set_value(field, value);
        if !is_new && self.record.tag() & EXPIRING != 0 {
            self.set_time(field, None);
        }
        is_new
    }

    /// Sets the value of a field, new or not, which expires when it did before. Returns whether it
    /// is new.
    pub(crate) fn set_value(&mut self, field: &[u8], value: &[u8]) -> bool {
        if self.record.tag() & EXPIRING != 0 {
            self.drop_expired(field);
        }
        let limits = self.limits.hash;
        let is_short = field.len().max(value.len()) <= limits.value_len;
        if let Some(table) = table_mut(self.record) {
            return set_in_table(table, field, value);
        }
        if !is_short {
            return set_in_table(self.unpack(), field, value);
        }
        let form = form(self.record);
        if let Some(at) = Packed::new(self.record.bytes(), form).find(field) {
            packed::set_value(self.record, at, value);
            return false;
        }
        packed::push(self.record, form, field, value);
        if Fields::of(self.record).len() > limits.entries {
            self.unpack();
        }
        true
    }

    /// Sets or removes the time at which a field expires. Nothing happens if the field is not there.
    pub(crate) fn set_time(&mut self, field: &[u8], expire_ms: Option<u64>) {
        if let Some(table) = table_mut(self.record) {
            table.set_time(field, expire_ms);
            if expire_ms.is_some() && self.record.tag() != TAG_EXPIRING {
                self.record.set_tag(TAG_EXPIRING);
            }
            return;
        }
        self.expect_times();
        let packed = Packed::new(self.record.bytes(), Form::Triples);
        if let Some(at) = packed.find(field)
            && packed.expire_ms(at) != expire_ms
        {
            packed::set_time(self.record, at, expire_ms);
        }
    }

    /// Takes a field out. Returns whether it was there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        if let Some(table) = table_mut(self.record) {
            let removed = table.remove(field);
            return removed.is_some_and(|field| table::is_live(&field, self.now_ms));
        }
        let form = form(self.record);
        let packed = Packed::new(self.record.bytes(), form);
        let Some(at) = packed.find(field) else { return false };
        let was_live = !is_over(packed.expire_ms(at), self.now_ms);
        packed::remove(self.record, form, at, 1);
        was_live
    }

    /// Takes a field out if it is expired.
    fn drop_expired(&mut self, field: &[u8]) {
        if self.read().get(field).is_none() {
            self.remove(field);
        }
    }

    /// Makes a table of a small hash.
    fn unpack(&mut self) -> &mut FieldTable {
        let mut table = FieldTable::new(self.limits.seed);
        let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
        let packed = Packed::new(self.record.bytes(), form(self.record));
        for (field, value, time) in packed.rows() {
            table.add(field.text(&mut field_scratch), value.text(&mut value_scratch), time);
        }
        let tag = self.record.tag();
        self.record.set_body(tag, NewBody::Boxed(Box::new(Object::Hash(table))));
        table_mut(self.record).expect("made just above")
    }
}

fn set_in_table(table: &mut FieldTable, field: &[u8], value: &[u8]) -> bool {
    let is_new = !table.set_value(field, value);
    if is_new {
        table.add(field, value, None);
    }
    is_new
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
        Fields::Packed(packed) => match packed.form {
            Form::Pairs => "listpack",
            Form::Triples => "listpackex",
        },
        Fields::Table(_) => "hashtable",
    }
}

/// Whether the hash has no field, not even an expired one.
#[inline]
pub(super) fn is_empty(record: &Record) -> bool {
    match record.body() {
        Body::Bytes(bytes) => bytes == listpack::EMPTY,
        Body::Int(_) | Body::Boxed(_) => Fields::of(record).len() == 0,
    }
}

/// When the first field expires, if any does.
pub(super) fn first_expiry_ms(record: &Record) -> Option<u64> {
    Fields::of(record).times().first_ms
}

/// When the last field expires, if all do.
pub(super) fn last_expiry_ms(record: &Record) -> Option<u64> {
    Fields::of(record).times().last_ms
}

/// The names of the fields that [`remove_expired`] would take out.
pub(super) fn expired(record: &Record, now_ms: u64, budget: usize) -> Vec<Box<[u8]>> {
    match record.body() {
        Body::Boxed(Object::Hash(table)) => table.expired_names(now_ms, budget),
        _ => {
            let packed = Packed::new(record.bytes(), form(record));
            let rows = packed.rows().take(packed.expired(now_ms).min(budget));
            rows.map(|(field, _, _)| field.to_vec().into()).collect()
        }
    }
}

/// Takes out up to `budget` fields that are expired at `now_ms`. Returns how many.
pub(super) fn remove_expired(record: &mut Record, now_ms: u64, budget: usize) -> usize {
    if let Some(table) = table_mut(record) {
        return table.remove_expired(now_ms, budget);
    }
    let form = form(record);
    let expired = Packed::new(record.bytes(), form).expired(now_ms).min(budget);
    packed::remove_first(record, form, expired);
    expired
}

#[cfg(test)]
mod tests;
