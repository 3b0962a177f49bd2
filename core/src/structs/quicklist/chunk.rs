//! One chunk of a list: a listpack with slack at either end, one large element by itself, or a
//! listpack whose elements lean on each other (`coded`).
//!
//! ```text
//! buffer   | slack | count | element | element | ... | slack |
//!                  ^ front                           ^ end
//! ```
//! A write moves what is before it or what is behind it, whichever is less, so that the first
//! element is as cheap to add and to remove as the last. What is moved to make room gets some
//! slack at the side that needed it.

use super::coded::Coded;
use crate::structs::allocation::{footprint, usable};
use crate::structs::listpack::{self, At, Buffer, Element, FOREIGN_BYTES, Listpack};
use std::ops::Range;

/// A buffer that has to grow gains the half of what it holds, within these bounds.
const GROWTH: (usize, usize) = (16, 4096);
/// A buffer with less slack than this keeps it.
const KEPT_SLACK: usize = 256;

/// A part of a list.
#[derive(Clone, Debug)]
pub(crate) enum Chunk {
    /// Elements in a listpack.
    Packed(Packed),
    /// Elements that are only read; a chunk is packed again before it is written to.
    Coded(Coded),
    /// One element, as its bytes.
    Plain(Box<[u8]>),
}

/// A listpack in a buffer with slack.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    buffer: Box<[u8]>,
    front: u32,
    end: u32,
    /// Elements, which the listpack itself can count up to 65,534 only.
    count: u32,
}

impl Chunk {
    /// A chunk of one element, in a listpack.
    pub(super) fn of_one(element: Element<'_>) -> Self {
        let mut packed = Packed::new(listpack::EMPTY);
        listpack::push(&mut packed, &[element]);
        packed.count = 1;
        Self::Packed(packed)
    }

    /// A chunk of the elements of a listpack.
    pub(super) fn of_listpack(bytes: &[u8]) -> Self {
        Self::Packed(Packed::new(bytes))
    }

    /// How many elements there are.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.count(),
            Self::Coded(coded) => coded.count(),
            Self::Plain(_) => 1,
        }
    }

    /// The bytes that it takes in Redis, which decide when it is full.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.bytes().len() + FOREIGN_BYTES,
            Self::Coded(coded) => coded.listpack_len() + FOREIGN_BYTES,
            Self::Plain(text) => text.len(),
        }
    }

    /// Bytes that its buffer takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
        match self {
            Self::Packed(packed) => footprint(packed.buffer.len()),
            Self::Coded(coded) => coded.footprint(),
            Self::Plain(text) => footprint(text.len()),
        }
    }

    /// Lets `visit` see the element with this number, which is below the count.
    pub(super) fn with<R>(&self, number: usize, visit: impl FnOnce(Element<'_>) -> R) -> R {
        match self {
            Self::Packed(packed) => visit(packed.listpack().get(packed.place(number))),
            Self::Coded(coded) => {
                let mut reader = coded.read_from(number);
                visit(reader.next().expect("the number is below the count"))
            }
            Self::Plain(text) => visit(Element::Bytes(text)),
        }
    }

    /// Whether it has this element.
    pub(super) fn has(&self, wanted: Element<'_>) -> bool {
        match self {
            Self::Packed(packed) => packed.listpack().iter().any(|element| element == wanted),
            Self::Coded(coded) => {
                let mut reader = coded.read_from(0);
                while let Some(element) = reader.next() {
                    if element == wanted {
                        return true;
                    }
                }
                false
            }
            Self::Plain(text) => Element::Bytes(text) == wanted,
        }
    }

    /// Makes it fit to be written to.
    pub(super) fn open(&mut self) {
        if let Self::Coded(coded) = self {
            *self = Self::Packed(Packed::new(&coded.to_listpack()));
        }
    }

    /// Makes it small, to be read only, if that is worth it.
    pub(super) fn close(&mut self) {
        if let Self::Packed(packed) = self
            && let Some(coded) = Coded::of(packed)
        {
            *self = Self::Coded(coded);
        }
    }

    /// Gives back slack.
    pub(super) fn trim(&mut self) {
        if let Self::Packed(packed) = self {
            packed.trim();
        }
    }
}

impl Packed {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let count = Listpack::new(bytes).len() as u32;
        Self { buffer: bytes.into(), front: 0, end: bytes.len() as u32, count }
    }

    /// How many elements there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// The elements, to be read.
    #[inline]
    pub(crate) fn listpack(&self) -> Listpack<'_> {
        Listpack::new(self.bytes())
    }

    /// Where the element with this number begins; the end for the count.
    pub(super) fn place(&self, number: usize) -> At {
        self.listpack().nth(number).unwrap_or(self.bytes().len())
    }

    /// Puts an element before the one with this number, or at the end.
    pub(super) fn insert(&mut self, number: usize, element: Element<'_>) {
        if number == self.count() {
            listpack::push(self, &[element]);
        } else {
            let at = self.place(number);
            listpack::insert(self, at, &[element]);
        }
        self.count += 1;
    }

    /// Puts an element in the place of the one with this number.
    pub(super) fn replace(&mut self, number: usize, element: Element<'_>) {
        let at = self.place(number);
        listpack::replace(self, at, element);
    }

    /// Takes out the `count` elements from this number on.
    pub(super) fn remove(&mut self, number: usize, count: usize) {
        let at = self.place(number);
        listpack::remove(self, at, count);
        self.count -= count as u32;
    }

    /// Takes out up to `limit` elements that are `wanted`, from an end on. Returns how many.
    pub(super) fn remove_equal(
        &mut self,
        wanted: Element<'_>,
        limit: usize,
        backwards: bool,
    ) -> usize {
        let gone = listpack::remove_equal(self, wanted, limit, backwards);
        self.count -= gone as u32;
        gone
    }

    /// Takes the elements from this number on into a chunk of their own.
    pub(super) fn split_off(&mut self, number: usize) -> Chunk {
        let at = self.place(number);
        let mut rest = listpack::EMPTY.to_vec();
        rest.extend_from_slice(&self.bytes()[at..]);
        let rest_count = self.count() - number;
        listpack::set_len(&mut rest, rest_count);
        let end = self.bytes().len();
        self.splice(at..end, &[]);
        self.count = number as u32;
        listpack::set_len(self, number);
        self.trim();
        Chunk::of_listpack(&rest)
    }

    /// Adds the elements of another behind its own.
    pub(super) fn append(&mut self, other: &Self) {
        let end = self.bytes().len();
        self.splice(end..end, &other.bytes()[listpack::EMPTY.len()..]);
        self.count += other.count;
        let count = self.count();
        listpack::set_len(self, count);
        self.trim();
    }

    fn slack(&self) -> usize {
        self.buffer.len() - self.bytes().len()
    }

    pub(super) fn trim(&mut self) {
        if footprint(self.bytes().len()) < footprint(self.buffer.len()) {
            self.move_to(0, self.bytes().len());
        }
    }

    /// Moves the bytes into another buffer, with so much slack in front.
    fn move_to(&mut self, front: usize, capacity: usize) {
        let len = self.bytes().len();
        if front == 0 && capacity == len {
            self.buffer = self.bytes().into();
        } else {
            let mut buffer = vec![0; capacity].into_boxed_slice();
            buffer[front..front + len].copy_from_slice(self.bytes());
            self.buffer = buffer;
        }
        (self.front, self.end) = (front as u32, (front + len) as u32);
    }

    /// Makes room for `more` bytes in front or at the end.
    #[cold]
    fn make_room(&mut self, more: usize, in_front: bool) {
        let len = self.bytes().len();
        let slack = self.slack();
        let spare = slack.saturating_sub(more);
        if slack >= more && spare >= len / 8 {
            // What is left over is shared by both sides, so that pushes at one and pops at the other
            // do not move everything each time.
            let front = if in_front { more + spare / 2 } else { spare / 2 };
            self.buffer.copy_within(self.front as usize..self.end as usize, front);
            (self.front, self.end) = (front as u32, (front + len) as u32);
        } else {
            let gain = (len / 2).clamp(GROWTH.0, GROWTH.1);
            let capacity = usable(len + more + gain);
            self.move_to(if in_front { capacity - len } else { 0 }, capacity);
        }
    }

    /// Shrinks only when three quarters are slack, or pushes and pops in turn would thrash.
    fn give_back(&mut self) {
        let len = self.bytes().len();
        if self.slack() > 3 * len + KEPT_SLACK {
            self.move_to(len / 4, usable(len + len / 2));
        }
    }
}

impl Buffer for Packed {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.front as usize..self.end as usize]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.front as usize..self.end as usize]
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let (before, behind) = (range.start, self.bytes().len() - range.end);
        let in_front = before < behind;
        let room =
            if in_front { self.front as usize } else { self.buffer.len() - self.end as usize };
        if with.len() > range.len() + room {
            self.make_room(with.len() - range.len(), in_front);
        }
        let (front, end) = (self.front as usize, self.end as usize);
        if in_front {
            let to = front + range.len() - with.len();
            self.buffer.copy_within(front..front + before, to);
            self.front = to as u32;
        } else {
            let to = front + before + with.len();
            self.buffer.copy_within(end - behind..end, to);
            self.end = (to + behind) as u32;
        }
        let at = self.front as usize + before;
        self.buffer[at..at + with.len()].copy_from_slice(with);
        if range.len() > with.len() {
            self.give_back();
        }
    }
}
