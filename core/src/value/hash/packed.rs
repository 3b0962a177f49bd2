//! Small hashes: fields and values one after another in a listpack, and behind each value the time
//! at which its field expires once any of them ever had one.
//!
//! ```text
//! pairs     | field | value | field | value | ...
//! triples   | field | value | time | field | value | time | ...
//!                                    the earliest time first; those without, where it is 0, last
//! ```
//! Costs: everything is a walk over the fields before the one that is wanted. When the next field
//! expires is known at once, and so is whether all are expired.

use super::Times;
use crate::structs::listpack::{self, At, Buffer, Element, Listpack};
use crate::value::element;

/// What stands where a field's time would be if it does not expire.
const NO_TIME: i64 = 0;

/// Whether fields have times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Pairs,
    Triples,
}

impl Form {
    /// Elements of one field.
    #[inline]
    const fn width(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Triples => 3,
        }
    }
}

/// A small hash to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pack: Listpack<'a>,
    pub(super) form: Form,
}

/// A field with its value and the time at which it expires, if it does.
pub(super) type Row<'a> = (Element<'a>, Element<'a>, Option<u64>);

fn time_of(element: Element<'_>) -> Option<u64> {
    match element {
        Element::Int(NO_TIME) | Element::Bytes(_) => None,
        Element::Int(ms) => Some(ms as u64),
    }
}

impl<'a> Packed<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], form: Form) -> Self {
        Self { pack: Listpack::new(bytes), form }
    }

    /// The bytes as they are.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.pack.bytes()
    }

    /// How many fields there are, expired ones included.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.pack.len() / self.form.width()
    }

    /// Where a field lies.
    #[inline]
    pub(super) fn find(self, field: &[u8]) -> Option<At> {
        self.pack.find(self.pack.first()?, element(field), self.form.width())
    }

    /// The value of the field at a place.
    #[inline]
    pub(super) fn value(self, at: At) -> Element<'a> {
        self.pack.get(self.pack.end_of(at))
    }

    /// When the field at a place expires, if it does.
    #[inline]
    pub(super) fn expire_ms(self, at: At) -> Option<u64> {
        match self.form {
            Form::Pairs => None,
            Form::Triples => time_of(self.pack.get(self.pack.end_of(self.pack.end_of(at)))),
        }
    }

    /// All fields, the earliest to expire first.
    #[inline]
    pub(super) fn rows(self) -> impl Iterator<Item = Row<'a>> {
        let mut elements = self.pack.iter();
        std::iter::from_fn(move || {
            let (field, value) = (elements.next()?, elements.next()?);
            let time = match self.form {
                Form::Pairs => None,
                Form::Triples => time_of(elements.next()?),
            };
            Some((field, value, time))
        })
    }

    /// The places of all fields.
    pub(super) fn places(self) -> impl Iterator<Item = At> {
        let mut at = self.pack.first();
        std::iter::from_fn(move || {
            let here = at?;
            at = (0..self.form.width()).try_fold(here, |at, _| self.pack.next(at));
            Some(here)
        })
    }

    /// The field at a place with its value.
    pub(super) fn pair(self, at: At) -> (Element<'a>, Element<'a>) {
        (self.pack.get(at), self.value(at))
    }

    /// How many fields are expired; they lie in front.
    #[inline]
    pub(super) fn expired(self, now_ms: u64) -> usize {
        match self.form {
            Form::Pairs => 0,
            Form::Triples => {
                self.rows().take_while(|row| row.2.is_some_and(|time| time < now_ms)).count()
            }
        }
    }

    /// The earliest and the latest time at which a field expires.
    pub(super) fn times(self) -> Times {
        let Form::Triples = self.form else { return Times::default() };
        Times {
            first_ms: self.pack.first().and_then(|at| self.expire_ms(at)),
            last_ms: self.pack.last().and_then(|at| time_of(self.pack.get(at))),
        }
    }

    /// The bytes of the same fields as triples.
    pub(super) fn to_triples(self) -> Vec<u8> {
        let mut elements = Vec::new();
        for (field, value, time) in self.rows() {
            elements.extend([field, value, Element::Int(time.map_or(NO_TIME, |ms| ms as i64))]);
        }
        packed(&elements)
    }

    /// The bytes of the same fields as pairs, without times.
    pub(super) fn to_pairs(self) -> Vec<u8> {
        packed(&self.rows().flat_map(|(field, value, _)| [field, value]).collect::<Vec<_>>())
    }

    /// The place of the first field that expires at `ms` or later or never, or the end.
    fn place_for(self, ms: u64) -> At {
        let later = |at: &At| self.expire_ms(*at).is_none_or(|time| time >= ms);
        self.places().find(later).unwrap_or(self.pack.bytes().len())
    }
}

fn packed(elements: &[Element<'_>]) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    listpack::push(&mut bytes, elements);
    bytes
}

/// Adds a field that is not there yet and does not expire.
pub(super) fn push<B: Buffer>(buffer: &mut B, form: Form, field: &[u8], value: &[u8]) {
    let elements = [element(field), element(value), Element::Int(NO_TIME)];
    listpack::push(buffer, &elements[..form.width()]);
}

/// Sets the value of the field at a place, and leaves its time.
pub(super) fn set_value<B: Buffer>(buffer: &mut B, at: At, value: &[u8]) {
    let value_at = Listpack::new(buffer.bytes()).end_of(at);
    listpack::replace(buffer, value_at, element(value));
}

/// Sets the time of the field at a place, which moves to where it belongs.
pub(super) fn set_time<B: Buffer>(buffer: &mut B, at: At, expire_ms: Option<u64>) {
    let (field, value) = Packed::new(buffer.bytes(), Form::Triples).pair(at);
    let (field, value) = (field.to_vec(), value.to_vec());
    remove(buffer, Form::Triples, at, 1);
    let packed = Packed::new(buffer.bytes(), Form::Triples);
    let (target, time) = match expire_ms {
        Some(ms) => (packed.place_for(ms), ms as i64),
        None => (packed.bytes().len(), NO_TIME),
    };
    listpack::insert(buffer, target, &[element(&field), element(&value), Element::Int(time)]);
}

/// Takes out up to `count` fields from a place on.
pub(super) fn remove<B: Buffer>(buffer: &mut B, form: Form, at: At, count: usize) {
    listpack::remove(buffer, at, count * form.width());
}

/// Takes out fields in front.
pub(super) fn remove_first<B: Buffer>(buffer: &mut B, form: Form, count: usize) {
    if let Some(at) = Listpack::new(buffer.bytes()).first() {
        remove(buffer, form, at, count);
    }
}
