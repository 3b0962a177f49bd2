//! The elements of a list one after another. Some are put together as they come, so that each lives
//! only until the next.

use super::chunk::Chunk;
use super::coded::Reader;
use super::spine::{ChunkAt, Spine};
use crate::structs::listpack::{self, At, Element, Listpack};

/// Elements one after another.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a> {
    spine: &'a Spine,
    at: Option<ChunkAt>,
    part: Part<'a>,
    backwards: bool,
}

/// What is left of the elements of one chunk.
#[derive(Clone, Debug)]
enum Part<'a> {
    Packed(listpack::Iter<'a>),
    Coded(Reader<'a>),
    /// A coded chunk's listpack, of which the elements before a place come backwards.
    Unpacked(Vec<u8>, At),
    Plain(Option<&'a [u8]>),
}

impl<'a> Part<'a> {
    /// A chunk's elements from a number on, or up to it.
    fn from(chunk: &'a Chunk, number: usize, backwards: bool) -> Self {
        match chunk {
            Chunk::Packed(packed) if backwards => {
                Self::Packed(packed.listpack().iter_until(packed.place(number + 1)))
            }
            Chunk::Packed(packed) => {
                Self::Packed(packed.listpack().iter_from(packed.place(number)))
            }
            Chunk::Coded(coded) if backwards => {
                let bytes = coded.to_listpack();
                let end = Listpack::new(&bytes).nth(number + 1).unwrap_or(bytes.len());
                Self::Unpacked(bytes, end)
            }
            Chunk::Coded(coded) => Self::Coded(coded.read_from(number)),
            Chunk::Plain(text) => Self::Plain(Some(text)),
        }
    }

    #[inline]
    fn next(&mut self, backwards: bool) -> Option<Element<'_>> {
        match self {
            Self::Packed(iter) if backwards => iter.next_back(),
            Self::Packed(iter) => iter.next(),
            Self::Coded(reader) => reader.next(),
            Self::Unpacked(bytes, end) => {
                let listpack = Listpack::new(bytes);
                *end = listpack.previous(*end)?;
                Some(listpack.get(*end))
            }
            Self::Plain(text) => text.take().map(Element::Bytes),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Packed(iter) => iter.is_over(),
            Self::Coded(reader) => reader.is_over(),
            Self::Unpacked(_, end) => *end <= listpack::EMPTY.len(),
            Self::Plain(text) => text.is_none(),
        }
    }
}

impl<'a> Iter<'a> {
    /// The elements from a number on, or from a number backwards to the first.
    pub(super) fn from(spine: &'a Spine, number: usize, backwards: bool) -> Self {
        match spine.find(number) {
            None => Self { spine, at: None, part: Part::Plain(None), backwards },
            Some((at, inside)) => {
                let part = Part::from(spine.get(at), inside, backwards);
                Self { spine, at: Some(at), part, backwards }
            }
        }
    }

    /// The next element, until that is asked for again.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Element<'_>> {
        while self.part.is_over() {
            let at = self.at?;
            let next = if self.backwards { self.spine.previous(at) } else { self.spine.next(at) };
            self.at = next;
            let chunk = self.spine.get(next?);
            let first = if self.backwards { chunk.count() - 1 } else { 0 };
            self.part = Part::from(chunk, first, self.backwards);
        }
        self.part.next(self.backwards)
    }
}
