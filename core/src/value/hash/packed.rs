//! Small hashes: fields and values one after another in a listpack.
//!
//! ```text
//! | field | value | field | value | ...
//! ```
//! Costs: everything is a walk over the fields before the one that is wanted.

use crate::structs::listpack::{self, At, Buffer, Element, Listpack};
use crate::value::element;

/// A small hash to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pack: Listpack<'a>,
}

/// Elements of one field.
const WIDTH: usize = 2;

impl<'a> Packed<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { pack: Listpack::new(bytes) }
    }

    /// The bytes as they are.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.pack.bytes()
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.pack.len() / WIDTH
    }

    /// Where a field lies.
    #[inline]
    pub(super) fn find(self, field: &[u8]) -> Option<At> {
        self.pack.find(self.pack.first()?, element(field), WIDTH)
    }

    /// The value of the field at a place.
    #[inline]
    pub(super) fn value(self, at: At) -> Element<'a> {
        self.pack.get(self.pack.end_of(at))
    }

    /// Fields with their values.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        let mut elements = self.pack.iter();
        std::iter::from_fn(move || Some((elements.next()?, elements.next()?)))
    }
}

/// Sets a field, new or not. Returns whether it is new.
pub(super) fn set<B: Buffer>(buffer: &mut B, field: &[u8], value: &[u8]) -> bool {
    let packed = Packed::new(buffer.bytes());
    match packed.find(field) {
        Some(at) => {
            let value_at = packed.pack.end_of(at);
            listpack::replace(buffer, value_at, element(value));
            false
        }
        None => {
            listpack::push(buffer, &[element(field), element(value)]);
            true
        }
    }
}

/// Takes out the field at a place.
pub(super) fn remove<B: Buffer>(buffer: &mut B, at: At) {
    listpack::remove(buffer, at, WIDTH);
}
