//! A list of any length: chunks of listpacks in order.
//!
//! ```text
//! quicklist -> spine -> chunk: | count | element | element | ... |    up to 8 KiB, usually
//!                       chunk: | count | element | element | ... |
//!                       chunk: | what each element has more than the one before | ... |
//!                       chunk: | one large element               |
//! ```
//! Chunks are filled, split and merged exactly as Redis does it with the nodes of its quicklist
//! (<https://github.com/redis/redis/blob/7.2/src/quicklist.c>), so that payloads are the same and
//! so that a list is one listpack again when Redis's would be. Where it is: a push goes into the
//! chunk at the end if that has room, else into a new one; only an insertion splits a full chunk,
//! and only after a split are neighbours merged; what is removed leaves chunks as small as they are.
//!
//! Costs: an element at either end is pushed and popped in a constant time. One in the middle is
//! found by sums over blocks of chunks and a walk within its chunk, which a write also moves.
//! A chunk away from both ends has no slack, and its elements lean on each other if that saves
//! something (`coded`), until it is written to.

mod chunk;
mod coded;
mod iter;
mod spine;

pub(crate) use chunk::Chunk;
pub(crate) use iter::Iter;

use super::listpack::{self, Element};
use chunk::Packed;
use spine::{ChunkAt, Spine};

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Where the first element is.
    Head,
    /// Where the last element is.
    Tail,
}

/// When a chunk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Elements, or a number below zero for bytes as in [`SIZES`].
    setting: i16,
    /// Elements of this many bytes are chunks by themselves, without a listpack around them.
    plain_from: u32,
}

/// Bytes of a chunk for -1, -2 and so on.
const SIZES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// A chunk that is limited by elements takes no more bytes than this either.
const SAFE_SIZE: usize = 8192;
/// What Redis reckons that an element takes beside its text.
const ELEMENT_OVERHEAD: usize = 8;
/// What two listpacks have more of than one.
const LISTPACK_OVERHEAD: usize = listpack::FOREIGN_BYTES + listpack::EMPTY.len();

impl Fill {
    /// One chunk for everything.
    pub(crate) const WHOLE: Self = Self { setting: 0, plain_from: u32::MAX };
    /// Elements of so many bytes are chunks by themselves unless something else is said.
    pub(crate) const PLAIN_FROM: u32 = 1 << 30;

    /// What `list-max-listpack-size` says.
    pub(crate) fn new(setting: i32) -> Self {
        let setting = match setting.clamp(-(SIZES.len() as i32), i16::MAX.into()) {
            0 => 1,
            setting => setting as i16,
        };
        Self { setting, plain_from: Self::PLAIN_FROM }
    }

    /// The same, but that elements of so many bytes are chunks by themselves.
    pub(crate) fn with_plain_from(self, plain_from: u32) -> Self {
        Self { plain_from, ..self }
    }

    /// The setting, as far as it means anything.
    pub(crate) fn setting(self) -> i16 {
        self.setting
    }

    /// Bytes of a chunk in Redis, and elements, at most.
    pub(crate) fn bounds(self) -> (usize, usize) {
        match self.setting {
            0 => (usize::MAX, usize::MAX),
            below @ ..0 => (SIZES[below.unsigned_abs() as usize - 1], usize::MAX),
            count => (usize::MAX, count as usize),
        }
    }

    /// Whether a chunk of so many bytes and elements is too large.
    pub(crate) fn is_exceeded_by(self, size: usize, count: usize) -> bool {
        match self.bounds() {
            (usize::MAX, usize::MAX) => false,
            (usize::MAX, count_max) => size > SAFE_SIZE || count > count_max,
            (size_max, _) => size > size_max,
        }
    }

    fn is_plain(self, element_len: usize) -> bool {
        element_len >= self.plain_from as usize
    }

    /// Whether an element of this length may go into a chunk.
    fn admits(self, chunk: &Chunk, element_len: usize) -> bool {
        match chunk {
            Chunk::Plain(_) => false,
            Chunk::Packed(_) | Chunk::Coded(_) => {
                let size = chunk.size() + element_len + ELEMENT_OVERHEAD;
                !self.is_plain(element_len) && !self.is_exceeded_by(size, chunk.count() + 1)
            }
        }
    }

    /// Whether two chunks may be one.
    fn admits_both(self, one: &Chunk, other: &Chunk) -> bool {
        if matches!(one, Chunk::Plain(_)) || matches!(other, Chunk::Plain(_)) {
            return false;
        }
        let size = one.size() + other.size() - LISTPACK_OVERHEAD;
        !self.is_exceeded_by(size, one.count() + other.count())
    }

    fn chunk_of_one(self, element: Element<'_>) -> Chunk {
        match element {
            Element::Bytes(text) if self.is_plain(text.len()) => Chunk::Plain(text.into()),
            Element::Bytes(_) | Element::Int(_) => Chunk::of_one(element),
        }
    }
}

/// A list.
#[derive(Clone, Debug)]
pub(crate) struct Quicklist {
    spine: Spine,
    fill: Fill,
    /// `list-compress-depth`: chunks at either end that are always fit to be written to; zero for as
    /// few as it costs nothing.
    compress_depth: u32,
}

/// So many chunks at either end always stay fit to be written to: with one, pushes and pops at the edge
/// of a chunk would make it small and large by turns.
const OPEN_DEPTH_MIN: u32 = 2;
/// Beyond this depth all chunks stay so.
const OPEN_DEPTH_MAX: u32 = 64;

/// Freeing more than this at once could take long.
const FREE_STEP_BYTES: usize = 4 << 20;
const FREE_STEP_CHUNKS: usize = 1024;

impl Quicklist {
    /// A list without elements.
    pub(crate) fn new(fill: Fill) -> Self {
        Self { spine: Spine::default(), fill, compress_depth: 0 }
    }

    /// Chunks at either end that are not made small, as they were set; zero if that was left open.
    pub(crate) fn compress_depth(&self) -> u32 {
        self.compress_depth
    }

    /// From now on so many chunks at either end are not made small, two at least.
    pub(crate) fn set_compress_depth(&mut self, depth: u32) {
        self.compress_depth = depth;
    }

    /// How many elements there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.spine.len()
    }

    /// When its chunks are full.
    pub(crate) fn fill(&self) -> Fill {
        self.fill
    }

    /// From now on chunks are full otherwise; those that are there stay.
    pub(crate) fn set_fill(&mut self, fill: Fill) {
        self.fill = fill;
    }

    /// The chunk, if it is the only one.
    pub(crate) fn only_chunk(&self) -> Option<&Chunk> {
        let first = self.spine.first().filter(|_| self.spine.chunks() == 1)?;
        Some(self.spine.get(first))
    }

    /// How many chunks there are.
    pub(crate) fn chunk_count(&self) -> usize {
        self.spine.chunks()
    }

    /// The chunks in order.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        let next = |&at: &ChunkAt| self.spine.next(at);
        std::iter::successors(self.spine.first(), next).map(|at| self.spine.get(at))
    }

    /// Bytes that the list takes from the allocator beside itself.
    pub(crate) fn footprint(&self) -> usize {
        self.spine.footprint()
    }

    /// Whether freeing it at once could take long.
    pub(crate) fn is_large(&self) -> bool {
        self.spine.footprint() > FREE_STEP_BYTES || self.spine.chunks() > FREE_STEP_CHUNKS
    }

    /// Frees a part of it.
    pub(crate) fn free_step(&mut self) {
        let (bytes, chunks) = (self.spine.footprint(), self.spine.chunks());
        let is_left = |spine: &Spine| {
            bytes - spine.footprint() < FREE_STEP_BYTES
                && chunks - spine.chunks() < FREE_STEP_CHUNKS
        };
        while is_left(&self.spine) && self.spine.pop_block() {}
    }

    fn end(&self, end: End) -> Option<ChunkAt> {
        match end {
            End::Head => self.spine.first(),
            End::Tail => self.spine.last(),
        }
    }

    /// Adds a listpack's elements behind the last, as a chunk. There is one at least.
    pub(crate) fn append_listpack(&mut self, bytes: &[u8]) {
        self.spine.push_back(Chunk::of_listpack(bytes));
        self.close_behind(End::Tail);
    }

    /// Adds an element behind the last, as a chunk of its own without a listpack.
    pub(crate) fn append_plain(&mut self, text: &[u8]) {
        self.spine.push_back(Chunk::Plain(text.into()));
        self.close_behind(End::Tail);
    }

    /// Adds an element at an end.
    #[inline]
    pub(crate) fn push(&mut self, end: End, element: Element<'_>) {
        let len = element.len();
        match self.end(end) {
            Some(at) if self.fill.admits(self.spine.get(at), len) => {
                self.insert_into(at, element, |count| if end == End::Head { 0 } else { count });
            }
            at => self.push_chunk(end, at, element),
        }
    }

    #[cold]
    fn push_chunk(&mut self, end: End, full: Option<ChunkAt>, element: Element<'_>) {
        if let Some(full) = full {
            self.spine.change(full, Chunk::trim);
        }
        let chunk = self.fill.chunk_of_one(element);
        match end {
            End::Head => self.spine.push_front(chunk),
            End::Tail => self.spine.push_back(chunk),
        };
        self.close_behind(end);
    }

    /// Makes the chunk small that a new one at an end has moved away from both.
    fn close_behind(&mut self, end: End) {
        let depth = self.compress_depth.max(OPEN_DEPTH_MIN);
        if depth > OPEN_DEPTH_MAX || self.spine.chunks() <= 2 * depth as usize {
            return;
        }
        let step = |at: ChunkAt| match end {
            End::Head => self.spine.next(at),
            End::Tail => self.spine.previous(at),
        };
        if let Some(at) = (0..depth).try_fold(self.end(end), |at, _| at.map(step)).flatten() {
            self.spine.change(at, Chunk::close);
        }
    }

    /// Makes the chunks at both ends fit to be written to, after others may have gone.
    fn open_ends(&mut self) {
        for end in [End::Head, End::Tail] {
            if let Some(at) = self.end(end)
                && matches!(self.spine.get(at), Chunk::Coded(_))
            {
                self.spine.change(at, Chunk::open);
            }
        }
    }

    /// Lets `change` work on a chunk's listpack, unless it is a large element.
    fn change_packed<R>(
        &mut self,
        at: ChunkAt,
        change: impl FnOnce(&mut Packed) -> R,
    ) -> Option<R> {
        self.spine.change(at, |chunk| {
            chunk.open();
            match chunk {
                Chunk::Packed(packed) => Some(change(packed)),
                Chunk::Coded(_) | Chunk::Plain(_) => None,
            }
        })
    }

    /// Puts an element into a chunk that has room, before the one whose number follows from how
    /// many there are.
    fn insert_into(&mut self, at: ChunkAt, element: Element<'_>, number: impl Fn(usize) -> usize) {
        self.change_packed(at, |packed| {
            let number = number(packed.count());
            packed.insert(number, element);
        });
    }

    /// Lets `visit` see the element with this number, if there is one.
    pub(crate) fn with<R>(&self, number: usize, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let (at, inside) = self.spine.find(number)?;
        Some(self.spine.get(at).with(inside, visit))
    }

    /// The element at an end.
    pub(crate) fn at_end(&self, end: End) -> Option<Element<'_>> {
        match self.spine.get(self.end(end)?) {
            Chunk::Packed(packed) => {
                let listpack = packed.listpack();
                let at = if end == End::Head { listpack.first() } else { listpack.last() };
                at.map(|at| listpack.get(at))
            }
            Chunk::Plain(text) => Some(Element::Bytes(text)),
            Chunk::Coded(_) => unreachable!("the chunks at the ends are fit to be written to"),
        }
    }

    /// The elements from a number on, or from a number backwards to the first.
    pub(crate) fn iter_from(&self, number: usize, backwards: bool) -> Iter<'_> {
        Iter::from(&self.spine, number, backwards)
    }

    /// Takes out up to `count` elements from a number on.
    pub(crate) fn remove(&mut self, number: usize, count: usize) {
        let mut left = count.min(self.len().saturating_sub(number));
        while left > 0 {
            let Some((at, inside)) = self.spine.find(number) else { break };
            let here = left.min(self.spine.get(at).count() - inside);
            self.remove_from(at, inside, here);
            left -= here;
        }
        self.open_ends();
    }

    /// Takes elements out of a chunk, and the chunk if none is left.
    fn remove_from(&mut self, at: ChunkAt, inside: usize, count: usize) {
        if count == self.spine.get(at).count() {
            self.spine.remove(at);
            return;
        }
        self.change_packed(at, |packed| packed.remove(inside, count));
    }

    /// Takes out up to `limit` elements that are `wanted`, the last ones if `backwards`. Returns
    /// how many.
    pub(crate) fn remove_equal(
        &mut self,
        wanted: Element<'_>,
        limit: usize,
        backwards: bool,
    ) -> usize {
        let mut gone = 0;
        // Elements that were looked at and are left: a number finds the next chunk to look at, since
        // places move when chunks go.
        let mut seen = 0;
        while gone < limit && seen < self.len() {
            let number = if backwards { self.len() - 1 - seen } else { seen };
            let Some((at, _)) = self.spine.find(number) else { break };
            let here = self.remove_equal_in(at, wanted, limit - gone, backwards);
            gone += here.gone;
            seen += here.left;
        }
        self.open_ends();
        gone
    }

    fn remove_equal_in(
        &mut self,
        at: ChunkAt,
        wanted: Element<'_>,
        limit: usize,
        backwards: bool,
    ) -> Removed {
        let chunk = self.spine.get(at);
        if !chunk.has(wanted) {
            return Removed { gone: 0, left: chunk.count() };
        }
        let removed = self.change_packed(at, |packed| {
            let is_all = packed.listpack().iter().all(|element| element == wanted);
            if is_all && limit >= packed.count() {
                return None;
            }
            let gone = packed.remove_equal(wanted, limit, backwards);
            packed.trim();
            Some(Removed { gone, left: packed.count() })
        });
        // What is all of it goes with the chunk, and so does a large element.
        removed
            .flatten()
            .unwrap_or_else(|| Removed { gone: self.spine.remove(at).count(), left: 0 })
    }

    /// Puts an element in the place of the one with this number. Returns whether there is one.
    pub(crate) fn replace(&mut self, number: usize, element: Element<'_>) -> bool {
        let Some((at, inside)) = self.spine.find(number) else { return false };
        let is_plain = matches!(self.spine.get(at), Chunk::Plain(_));
        if !is_plain && !self.fill.is_plain(element.len()) {
            self.change_packed(at, |packed| packed.replace(inside, element));
        } else if is_plain && self.fill.is_plain(element.len()) {
            let fresh = self.fill.chunk_of_one(element);
            self.spine.change(at, |chunk| *chunk = fresh);
        } else {
            self.insert(number, true, element);
            self.remove(number, 1);
        }
        true
    }

    /// Puts an element before or behind the one with this number, which there is.
    pub(crate) fn insert(&mut self, number: usize, behind: bool, element: Element<'_>) {
        let Some((at, inside)) = self.spine.find(number) else { return };
        let len = element.len();
        if self.fill.admits(self.spine.get(at), len) {
            self.insert_into(at, element, |_| inside + usize::from(behind));
            return;
        }
        let is_at_edge = match behind {
            true => inside + 1 == self.spine.get(at).count(),
            false => inside == 0,
        };
        if !is_at_edge {
            self.insert_splitting((at, inside), number, behind, element);
            return;
        }
        let neighbour = if behind { self.spine.next(at) } else { self.spine.previous(at) };
        match neighbour.filter(|&near| self.fill.admits(self.spine.get(near), len)) {
            Some(near) => self.insert_into(near, element, |count| if behind { 0 } else { count }),
            None => {
                let chunk = self.fill.chunk_of_one(element);
                if behind {
                    self.spine.insert_after(at, chunk);
                } else {
                    self.spine.insert_before(at, chunk);
                }
            }
        }
    }

    /// Splits the chunk of an element that is neither its first nor its last where another shall go,
    /// and puts that into the part that has not the element. `inside` is its number in the chunk.
    fn insert_splitting(
        &mut self,
        (at, inside): (ChunkAt, usize),
        number: usize,
        behind: bool,
        element: Element<'_>,
    ) {
        let cut = inside + usize::from(behind);
        let Some(second) = self.change_packed(at, |packed| packed.split_off(cut)) else { return };
        let second_at = self.spine.insert_after(at, second);
        if self.fill.is_plain(element.len()) {
            let plain = self.fill.chunk_of_one(element);
            self.spine.insert_before(second_at, plain);
            return;
        }
        if behind {
            self.insert_into(second_at, element, |_| 0);
        } else if let Some(first_at) = self.spine.previous(second_at) {
            self.insert_into(first_at, element, |count| count);
        }
        self.merge_around(number + usize::from(!behind));
    }

    /// Merges what fits together around the chunk with this element, in Redis's order. The chunk is
    /// found anew each time, since places move when chunks go and numbers do not.
    fn merge_around(&mut self, number: usize) {
        let place = |list: &Self| list.spine.find(number).map(|(at, _)| at);
        let before = |list: &Self, at: ChunkAt| list.spine.previous(at);
        let first = place(self).and_then(|at| before(self, at)).and_then(|at| before(self, at));
        self.merge_with_next(first);
        let next = place(self).and_then(|at| self.spine.next(at));
        self.merge_with_next(next);
        let near = place(self).and_then(|at| before(self, at));
        self.merge_with_next(near);
        self.merge_with_next(place(self));
    }

    fn merge_with_next(&mut self, at: Option<ChunkAt>) {
        let Some(at) = at else { return };
        let Some(next) = self.spine.next(at) else { return };
        if !self.fill.admits_both(self.spine.get(at), self.spine.get(next)) {
            return;
        }
        // What lies before a chunk that goes stays in its place.
        let mut gone = self.spine.remove(next);
        gone.open();
        if let Chunk::Packed(gone) = gone {
            self.change_packed(at, |packed| packed.append(&gone));
        }
    }
}

/// What was taken out of a chunk, and what is left in it.
#[derive(Clone, Copy, Debug, Default)]
struct Removed {
    gone: usize,
    left: usize,
}

#[cfg(test)]
mod tests;
