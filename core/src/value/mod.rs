//! The types by their Redis names, with their encodings private. Knows no key, no time, no command.

pub(crate) mod dump;
pub(crate) mod geo;
pub(crate) mod hash;
pub(crate) mod hyperloglog;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod stream;
pub(crate) mod string;
pub(crate) mod zset;

pub(crate) use limits::{Limits, ListLimits, PackLimits};

use crate::resp::number::parse_i64;
use crate::structs::entry::{Body, Entry};
use crate::structs::listpack::Element;
use crate::structs::quicklist::Quicklist;
use crate::structs::ranked::RankedMap;

/// What a text is kept as in a listpack: the number whose canonical form it is, or its bytes.
#[inline]
pub(crate) fn element(text: &[u8]) -> Element<'_> {
    match parse_i64(text) {
        Some(value) => Element::Int(value),
        None => Element::Bytes(text),
    }
}

/// A key with its value, as the keyspace holds it.
pub(crate) type Record = Entry<Object>;

/// The type of a value, by its Redis name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Type {
    /// Bytes, or an integer that reads as bytes.
    String = 0,
    /// Members, each once.
    Set = 2,
    /// Elements in an order.
    List = 1,
    /// Members in the order of their scores.
    Zset = 3,
    /// Fields with values.
    Hash = 4,
    /// Entries in the order of their ids, and groups that read them.
    Stream = 6,
}

impl Type {
    /// The type of a record's value.
    pub(crate) fn of(record: &Record) -> Self {
        match record.tag() & TYPE_MASK {
            0 => Self::String,
            1 => Self::List,
            2 => Self::Set,
            3 => Self::Zset,
            4 => Self::Hash,
            6 => Self::Stream,
            number => unreachable!("no record is made with type {number}"),
        }
    }

    /// The name that the TYPE command answers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Set => "set",
            Self::List => "list",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// Which part of a record's tag holds the number of its type.
const TYPE_MASK: u8 = 0b0111;
/// Marks a short string that was made by changing another, and that Redis would not pack.
const RAW: u8 = 0b1000;
/// Marks a set inside its record that is an intset.
const INTEGERS: u8 = 0b1000;

/// The name of a value's representation, as OBJECT ENCODING answers it.
pub(crate) fn encoding(record: &Record) -> &'static str {
    match Type::of(record) {
        Type::String => string::encoding(record),
        Type::Set => set::encoding(record),
        Type::List => list::read(record).map_or("", list::encoding),
        Type::Zset => zset::encoding(record),
        Type::Hash => hash::encoding(record),
        Type::Stream => "stream",
    }
}

/// Whether the record holds a collection without members, which is on its way to be deleted: only a
/// string and a stream may be empty.
#[inline]
pub(crate) fn is_empty_collection(record: &Record) -> bool {
    match Type::of(record) {
        Type::String | Type::Stream => false,
        Type::Set => set::is_empty(record),
        Type::List => list::read(record).is_ok_and(list::List::is_empty),
        Type::Zset => zset::is_empty(record),
        Type::Hash => hash::is_empty(record),
    }
}

/// Whether the record may hold members that expire by themselves: fields of a hash.
#[inline]
pub(crate) fn has_expiring_members(record: &Record) -> bool {
    record.tag() == hash::TAG_EXPIRING
}

/// When the first of the record's members expires, if any does.
#[inline]
pub(crate) fn first_member_expiry_ms(record: &Record) -> Option<u64> {
    if has_expiring_members(record) { hash::first_expiry_ms(record) } else { None }
}

/// When the last of the record's members expires, if all do.
#[inline]
pub(crate) fn last_member_expiry_ms(record: &Record) -> Option<u64> {
    if has_expiring_members(record) { hash::last_expiry_ms(record) } else { None }
}

/// How many members that may expire the record has, expired ones included.
pub(crate) fn member_count(record: &Record) -> usize {
    hash::Hash::of(record, 0).map_or(0, hash::Hash::len)
}

/// The names of the members that [`remove_expired_members`] would take out.
pub(crate) fn expired_members(record: &Record, now_ms: u64, budget: usize) -> Vec<Box<[u8]>> {
    if has_expiring_members(record) { hash::expired(record, now_ms, budget) } else { Vec::new() }
}

/// Takes out up to `budget` of the record's members that are expired at `now_ms`. Returns how many.
pub(crate) fn remove_expired_members(record: &mut Record, now_ms: u64, budget: usize) -> usize {
    if has_expiring_members(record) { hash::remove_expired(record, now_ms, budget) } else { 0 }
}

/// How many elements, members, fields or entries a record has, expired fields included; one for a
/// string.
pub(crate) fn element_count(record: &Record) -> usize {
    const KNOWN: &str = "the type was looked at";
    match Type::of(record) {
        Type::String => 1,
        Type::Set => set::known(record).len(),
        Type::List => list::read(record).expect(KNOWN).len(),
        Type::Zset => zset::Zset::of(record).expect(KNOWN).len(),
        Type::Hash => member_count(record),
        Type::Stream => stream::read(record).expect(KNOWN).len(),
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
    /// The members of a large set.
    Set(set::Members),
    /// A list in chunks.
    List(Quicklist),
    /// The members of a large sorted set.
    Zset(RankedMap),
    /// The fields of a large hash.
    Hash(hash::FieldTable),
    /// A stream.
    Stream(Box<stream::Stream>),
}

/// Freeing one of these at once could take long; more than this is freed in steps.
const FREE_STEP_BYTES: usize = 4 << 20;
/// The same for members of a sorted set.
const FREE_STEP_MEMBERS: usize = 512;

impl Object {
    /// Bytes that the object takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        use crate::structs::allocation::footprint;
        let own = footprint(size_of::<Self>());
        match self {
            Self::String(bytes) => own + footprint(bytes.capacity()),
            Self::Set(members) => own + members.footprint(),
            Self::List(list) => own + list.footprint(),
            Self::Zset(map) => own + map.footprint(),
            Self::Hash(table) => own + table.footprint(),
            Self::Stream(stream) => own + stream.footprint(),
        }
    }

    /// Whether freeing it at once could take longer than a call should.
    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::String(bytes) => bytes.capacity() > FREE_STEP_BYTES,
            Self::Set(members) => members.is_large(),
            Self::List(list) => list.is_large(),
            Self::Zset(map) => map.holds_more_than(FREE_STEP_MEMBERS),
            Self::Hash(table) => table.is_large(),
            Self::Stream(stream) => stream.footprint() > FREE_STEP_BYTES,
        }
    }

    /// Frees a part of it. Returns whether nothing large is left.
    pub(crate) fn free_step(&mut self) -> bool {
        match self {
            Self::String(bytes) => {
                bytes.clear();
                bytes.shrink_to(bytes.capacity().saturating_sub(FREE_STEP_BYTES));
            }
            Self::Set(members) => members.free_step(),
            Self::List(list) => list.free_step(),
            Self::Zset(map) => {
                map.shed(FREE_STEP_MEMBERS);
            }
            Self::Hash(table) => table.free_step(),
            Self::Stream(stream) => {
                stream.free_step();
            }
        }
        !self.is_large()
    }
}
