//! The types by their Redis names, with their encodings private. Knows no key, no time, no command.

pub(crate) mod dump;
pub(crate) mod string;

use crate::structs::entry::{Body, Entry};

/// A key with its value, as the keyspace holds it.
pub(crate) type Record = Entry<Object>;

/// The type of a value, by its Redis name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// Bytes, or an integer that reads as bytes.
    String = 0,
}

impl Type {
    /// The name that the TYPE command answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
        }
    }
}

/// What the boxed object of a record takes from the allocator, if it has one.
pub(crate) fn object_footprint(record: &Record) -> usize {
    match record.body() {
        Body::Boxed(object) => object.footprint(),
        Body::Bytes(_) | Body::Int(_) => 0,
    }
}

/// A value too large or too changeable to lie inside its record.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A string with room to grow.
    String(Vec<u8>),
}

/// Freeing one of these at once could take long; more than this is freed in steps.
const FREE_STEP_BYTES: usize = 4 << 20;

impl Object {
    /// Bytes that the object takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        use crate::structs::allocation::footprint;
        let own = footprint(size_of::<Self>());
        match self {
            Self::String(bytes) => own + footprint(bytes.capacity()),
        }
    }

    /// Whether freeing it at once could take longer than a call should.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::String(bytes) => bytes.capacity() > FREE_STEP_BYTES,
        }
    }

    /// Frees a part of it. Returns whether nothing large is left.
    pub(crate) fn free_step(&mut self) -> bool {
        match self {
            Self::String(bytes) => {
                bytes.clear();
                bytes.shrink_to(bytes.capacity().saturating_sub(FREE_STEP_BYTES));
            }
        }
        !self.is_large()
    }
}
