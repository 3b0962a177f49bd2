//! How sets lie in their records, and what may be done to them there.
//!
//! A small set of integers is an intset inside its record, another small set a listpack there, a
//! large one a table of members. When one becomes the other is Redis 7.2's (t_set.c), and so are
//! the names that OBJECT ENCODING answers. Nothing becomes smaller again by removing.

mod algebra;
mod build;
mod members;
mod sample;

pub(crate) use algebra::{Difference, difference, intersection, union};
pub(crate) use build::{Form, NewSet};
pub(crate) use members::Members;
pub(crate) use sample::{pop, pop_some, random, sample};

use super::{INTEGERS, Limits, Object, Record, TYPE_MASK, Type};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crate::structs::intset::{self, Intset};
use crate::structs::listpack::{self, Element, Listpack};

/// The tag of a set in a listpack or a table.
pub(crate) const TAG: u8 = Type::Set as u8;
/// The tag of a set in an intset.
pub(crate) const TAG_INTSET: u8 = TAG | INTEGERS;

/// A listpack does not grow beyond this; Redis has the same limit.
const LISTPACK_BYTES_MAX: usize = 1 << 30;
/// An intset does not grow beyond so many, whatever the limits say; Redis has the same limit.
const INTSET_LEN_MAX: usize = 1 << 30;

/// A set to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set<'a> {
    /// Integers in order.
    Integers(Intset<'a>),
    /// Members one after another.
    Packed(Listpack<'a>),
    /// Members in a table.
    Table(&'a Members),
}

/// The set that a record holds.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
#[inline]
pub(crate) fn read(record: &Record) -> Result<Set<'_>, Error> {
    let tag = record.tag();
    if tag & TYPE_MASK != TAG {
        return Err(Error::WRONG_TYPE);
    }
    Ok(match record.body() {
        Body::Bytes(bytes) if tag == TAG_INTSET => Set::Integers(Intset::new(bytes)),
        Body::Bytes(bytes) => Set::Packed(Listpack::new(bytes)),
        Body::Boxed(Object::Set(members)) => Set::Table(members),
        Body::Boxed(_) | Body::Int(_) => unreachable!("no set is made of these"),
    })
}

/// As [`read`], on a record that is known to hold a set.
pub(crate) fn known(record: &Record) -> Set<'_> {
    read(record).expect("the caller has checked the type")
}

/// The name of a set's encoding, as OBJECT ENCODING answers it.
pub(crate) fn encoding(record: &Record) -> &'static str {
    match known(record) {
        Set::Integers(_) => "intset",
        Set::Packed(_) => "listpack",
        Set::Table(_) => "hashtable",
    }
}

/// Whether the record, which holds a set, has no member any more.
#[inline]
pub(crate) fn is_empty(record: &Record) -> bool {
    match known(record) {
        Set::Integers(integers) => integers.is_empty(),
        Set::Packed(pack) => pack.is_empty(),
        Set::Table(members) => members.len() == 0,
    }
}

impl<'a> Set<'a> {
    /// How many members there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Packed(pack) => pack.len(),
            Self::Table(members) => members.len(),
        }
    }

    /// How it is kept.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Integers(_) => Form::Integers,
            Self::Packed(_) => Form::Packed,
            Self::Table(_) => Form::Table,
        }
    }

    /// Whether an element is a member.
    #[inline]
    pub(crate) fn contains(self, element: Element<'_>) -> bool {
        match self {
            Self::Integers(integers) => match element {
                Element::Int(value) => integers.find(value).is_ok(),
                Element::Bytes(_) => false,
            },
            Self::Packed(pack) => find(pack, element).is_some(),
            Self::Table(members) => members.contains(element),
        }
    }

    /// The members: integers ascending, those of a listpack as they were added, those of a table
    /// in no order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Element<'a>> {
        let (integers, pack, members) = match self {
            Self::Integers(integers) => (Some(integers.iter()), None, None),
            Self::Packed(pack) => (None, Some(pack.iter()), None),
            Self::Table(members) => (None, None, Some(members.iter())),
        };
        let integers = integers.into_iter().flatten().map(Element::Int);
        let members = members.into_iter().flatten().map(|member| member.element());
        integers.chain(pack.into_iter().flatten()).chain(members)
    }

    /// Visits members in the order of their places from a cursor on, which starts at zero, until at
    /// least `count` were visited. Returns the cursor to go on from, or zero at the end. A set that
    /// is not in a table is visited whole.
    pub(crate) fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'_>)) -> u64 {
        match self {
            Self::Integers(_) | Self::Packed(_) => {
                self.iter().for_each(visit);
                0
            }
            Self::Table(members) => members.walk(cursor, count, |member| visit(member.element())),
        }
    }
}

#[inline]
fn find(pack: Listpack<'_>, element: Element<'_>) -> Option<listpack::At> {
    pack.find(pack.first()?, element, 1)
}

/// An empty set that will get `expected` members, this one first. Its form goes with its tag.
pub(crate) fn create(
    first: Element<'_>,
    expected: usize,
    limits: &Limits,
) -> (u8, NewBody<'static, Object>) {
    let is_integer = matches!(first, Element::Int(_));
    if is_integer && expected <= limits.intset_entries {
        (TAG_INTSET, NewBody::Bytes(intset::EMPTY))
    } else if expected <= limits.set.entries {
        (TAG, NewBody::Bytes(listpack::EMPTY))
    } else {
        (TAG, NewBody::Boxed(Box::new(Object::Set(Members::new(limits.seed)))))
    }
}

/// Makes a table of a set to which more members are about to be added at once than its form holds.
pub(crate) fn expect_more(record: &mut Record, expected: usize, limits: &Limits) {
    let is_beyond = match known(record) {
        Set::Integers(_) => expected > limits.intset_entries,
        Set::Packed(_) => expected > limits.set.entries,
        Set::Table(_) => false,
    };
    if is_beyond {
        become_table(record, limits);
    }
}

/// Adds an element to the set of a record. Returns false if it was there.
pub(crate) fn add(record: &mut Record, element: Element<'_>, limits: &Limits) -> bool {
    match (known(record), element) {
        (Set::Integers(_), Element::Int(value)) => {
            let added = intset::insert(record, value);
            if added && Intset::new(bytes(record)).len() > intset_len_max(limits) {
                become_table(record, limits);
            }
            added
        }
        (Set::Integers(integers), Element::Bytes(_)) => {
            let has_room = integers.len() < limits.set.entries
                && longest(integers) <= limits.set.value_len
                && element.len() <= limits.set.value_len;
            if has_room {
                let pack = packed(integers.iter().map(Element::Int).chain([element]));
                record.set_body(TAG, NewBody::Bytes(&pack));
            } else {
                become_table(record, limits).add_new(element);
            }
            true
        }
        (Set::Packed(pack), _) => {
            if find(pack, element).is_some() {
                return false;
            }
            if has_room(pack.len(), pack.bytes().len(), element, limits) {
                listpack::push(record, &[element]);
            } else {
                become_table(record, limits).add_new(element);
            }
            true
        }
        (Set::Table(_), _) => table_mut(record).add(element),
    }
}

/// Takes an element out of the set of a record. Returns false if it was not there.
pub(crate) fn remove(record: &mut Record, element: Element<'_>) -> bool {
    match (known(record), element) {
        (Set::Integers(_), Element::Int(value)) => intset::remove(record, value),
        (Set::Integers(_), Element::Bytes(_)) => false,
        (Set::Packed(pack), _) => {
            let found = find(pack, element);
            if let Some(at) = found {
                listpack::remove(record, at, 1);
            }
            found.is_some()
        }
        (Set::Table(_), _) => table_mut(record).remove(element),
    }
}

/// Whether a listpack of so many members and bytes may take another.
fn has_room(len: usize, bytes: usize, element: Element<'_>, limits: &Limits) -> bool {
    len < limits.set.entries
        && element.len() <= limits.set.value_len
        && bytes + element.size() <= LISTPACK_BYTES_MAX
}

fn intset_len_max(limits: &Limits) -> usize {
    limits.intset_entries.min(INTSET_LEN_MAX)
}

/// Length of the longest integer's text.
fn longest(integers: Intset<'_>) -> usize {
    let ends = integers.len().checked_sub(1).map(|last| [integers.get(0), integers.get(last)]);
    ends.into_iter().flatten().map(|value| Element::Int(value).len()).max().unwrap_or(0)
}

fn packed<'e>(elements: impl Iterator<Item = Element<'e>>) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    let elements: Vec<_> = elements.collect();
    listpack::push(&mut bytes, &elements);
    bytes
}

fn bytes(record: &Record) -> &[u8] {
    listpack::Buffer::bytes(record)
}

fn become_table<'r>(record: &'r mut Record, limits: &Limits) -> &'r mut Members {
    let mut members = Members::new(limits.seed);
    known(record).iter().for_each(|element| members.add_new(element));
    record.set_body(TAG, NewBody::Boxed(Box::new(Object::Set(members))));
    table_mut(record)
}

fn table_mut(record: &mut Record) -> &mut Members {
    match record.boxed_mut() {
        Some(Object::Set(members)) => members,
        Some(_) | None => unreachable!("the caller knows that it is a table"),
    }
}

#[cfg(test)]
mod tests;
