//! The chunks of a list in order, found by the number of an element. What is in a chunk, and when
//! it is full, is not known here.
//!
//! ```text
//! blocks   | elements, chunks | elements, chunks | ...      a deque
//!                       |
//!                       chunk, chunk, ...                   a deque of up to 64
//! ```
//! A place is found from the nearer end by the blocks' sums first, then by the chunks' counts: some
//! hundred steps in a list of ten million. Both ends are reached at once, and a chunk that comes or
//! goes in the middle moves no more than a block's chunks and the blocks.

use super::chunk::Chunk;
use crate::structs::allocation::footprint;
use std::collections::VecDeque;

/// Chunks of a block at most.
const BLOCK_CHUNKS_MAX: usize = 64;
/// Neighbours that have no more than this together become one.
const MERGED_CHUNKS_MAX: usize = BLOCK_CHUNKS_MAX / 2;

/// Where a chunk is, until chunks come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkAt {
    block: usize,
    chunk: usize,
}

#[derive(Clone, Debug, Default)]
struct Block {
    /// Elements of its chunks.
    len: usize,
    chunks: VecDeque<Chunk>,
}

/// Chunks in order, with what they hold and take added up.
#[derive(Clone, Debug, Default)]
pub(super) struct Spine {
    blocks: VecDeque<Block>,
    /// Elements of all chunks.
    len: usize,
    chunks: usize,
    /// What the chunks' buffers and the blocks' deques take from the allocator.
    bytes: usize,
}

fn deque_footprint<T>(deque: &VecDeque<T>) -> usize {
    footprint(deque.capacity() * size_of::<T>())
}

impl Spine {
    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many chunks there are.
    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Bytes taken from the allocator.
    pub(super) fn footprint(&self) -> usize {
        self.bytes + deque_footprint(&self.blocks)
    }

    /// The first chunk's place.
    pub(super) fn first(&self) -> Option<ChunkAt> {
        (self.chunks > 0).then_some(ChunkAt { block: 0, chunk: 0 })
    }

    /// The last chunk's place.
    pub(super) fn last(&self) -> Option<ChunkAt> {
        let block = self.blocks.len().checked_sub(1)?;
        Some(ChunkAt { block, chunk: self.blocks[block].chunks.len() - 1 })
    }

    /// The next chunk's place.
    pub(super) fn next(&self, at: ChunkAt) -> Option<ChunkAt> {
        if at.chunk + 1 < self.blocks[at.block].chunks.len() {
            return Some(ChunkAt { chunk: at.chunk + 1, ..at });
        }
        (at.block + 1 < self.blocks.len()).then_some(ChunkAt { block: at.block + 1, chunk: 0 })
    }

    /// The place of the chunk before.
    pub(super) fn previous(&self, at: ChunkAt) -> Option<ChunkAt> {
        if at.chunk > 0 {
            return Some(ChunkAt { chunk: at.chunk - 1, ..at });
        }
        let block = at.block.checked_sub(1)?;
        Some(ChunkAt { block, chunk: self.blocks[block].chunks.len() - 1 })
    }

    /// The chunk at a place.
    #[inline]
    pub(super) fn get(&self, at: ChunkAt) -> &Chunk {
        &self.blocks[at.block].chunks[at.chunk]
    }

    /// Lets `change` work on the chunk at a place, and counts it anew. It must not become empty.
    #[inline]
    pub(super) fn change<R>(&mut self, at: ChunkAt, change: impl FnOnce(&mut Chunk) -> R) -> R {
        let block = &mut self.blocks[at.block];
        let chunk = &mut block.chunks[at.chunk];
        let (count, bytes) = (chunk.count(), chunk.footprint());
        let result = change(chunk);
        block.len = block.len - count + chunk.count();
        self.len = self.len - count + chunk.count();
        self.bytes = self.bytes - bytes + chunk.footprint();
        result
    }

    /// The place of the chunk with an element, and the element's number in it.
    pub(super) fn find(&self, number: usize) -> Option<(ChunkAt, usize)> {
        if number >= self.len {
            return None;
        }
        let lens = self.blocks.iter().map(|block| block.len);
        let (block, number) = seek(lens, self.len, number);
        let chunks = &self.blocks[block].chunks;
        let counts = chunks.iter().map(Chunk::count);
        let (chunk, number) = seek(counts, self.blocks[block].len, number);
        Some((ChunkAt { block, chunk }, number))
    }

    /// Puts a chunk at the front.
    pub(super) fn push_front(&mut self, chunk: Chunk) -> ChunkAt {
        let first = ChunkAt { block: 0, chunk: 0 };
        if self.blocks.front().is_none_or(|block| block.chunks.len() >= BLOCK_CHUNKS_MAX) {
            self.blocks.push_front(Block::default());
        }
        self.insert_into(first, chunk);
        first
    }

    /// Puts a chunk at the end.
    pub(super) fn push_back(&mut self, chunk: Chunk) -> ChunkAt {
        if self.blocks.back().is_none_or(|block| block.chunks.len() >= BLOCK_CHUNKS_MAX) {
            self.blocks.push_back(Block::default());
        }
        let block = self.blocks.len() - 1;
        let last = ChunkAt { block, chunk: self.blocks[block].chunks.len() };
        self.insert_into(last, chunk);
        last
    }

    /// Puts a chunk before the one at a place, and returns the new one's place.
    pub(super) fn insert_before(&mut self, at: ChunkAt, chunk: Chunk) -> ChunkAt {
        let at = self.with_room(at);
        self.insert_into(at, chunk);
        at
    }

    /// Puts a chunk behind the one at a place, and returns the new one's place.
    pub(super) fn insert_after(&mut self, at: ChunkAt, chunk: Chunk) -> ChunkAt {
        let at = self.with_room(at);
        let at = ChunkAt { chunk: at.chunk + 1, ..at };
        self.insert_into(at, chunk);
        at
    }

    /// Takes out the chunk at a place.
    pub(super) fn remove(&mut self, at: ChunkAt) -> Chunk {
        let block = &mut self.blocks[at.block];
        let chunk = block.chunks.remove(at.chunk).expect("there is a chunk at a place");
        block.len -= chunk.count();
        self.len -= chunk.count();
        self.chunks -= 1;
        self.bytes -= chunk.footprint();
        if self.blocks[at.block].chunks.is_empty() {
            self.remove_block(at.block);
        } else if self.joint_chunks(at.block) <= MERGED_CHUNKS_MAX {
            self.merge_with_next(at.block);
        }
        chunk
    }

    /// Takes out a block of chunks at the end, to be freed.
    pub(super) fn pop_block(&mut self) -> bool {
        let Some(last) = self.last() else { return false };
        let gone = self.remove_block(last.block);
        self.len -= gone.len;
        self.chunks -= gone.chunks.len();
        self.bytes -= gone.chunks.iter().map(Chunk::footprint).sum::<usize>();
        true
    }

    /// Chunks of a block and the next.
    fn joint_chunks(&self, block: usize) -> usize {
        let next = self.blocks.get(block + 1).map_or(BLOCK_CHUNKS_MAX, |next| next.chunks.len());
        self.blocks[block].chunks.len() + next
    }

    fn merge_with_next(&mut self, block: usize) {
        let mut next = self.remove_block(block + 1);
        let target = &mut self.blocks[block];
        self.bytes -= deque_footprint(&target.chunks);
        target.len += next.len;
        target.chunks.append(&mut next.chunks);
        self.bytes += deque_footprint(&target.chunks);
    }

    fn remove_block(&mut self, block: usize) -> Block {
        let gone = self.blocks.remove(block).expect("there is a block at a place");
        self.bytes -= deque_footprint(&gone.chunks);
        if self.blocks.capacity() > 16 && self.blocks.len() < self.blocks.capacity() / 4 {
            self.blocks.shrink_to(self.blocks.capacity() / 2);
        }
        gone
    }

    /// Splits the block of a place if it is full, and returns where the place is then.
    fn with_room(&mut self, at: ChunkAt) -> ChunkAt {
        let block = &mut self.blocks[at.block];
        if block.chunks.len() < BLOCK_CHUNKS_MAX {
            return at;
        }
        let half = BLOCK_CHUNKS_MAX / 2;
        let chunks = block.chunks.split_off(half);
        let len = chunks.iter().map(Chunk::count).sum();
        block.len -= len;
        self.bytes += deque_footprint(&chunks);
        self.blocks.insert(at.block + 1, Block { len, chunks });
        if at.chunk < half {
            return at;
        }
        ChunkAt { block: at.block + 1, chunk: at.chunk - half }
    }

    fn insert_into(&mut self, at: ChunkAt, chunk: Chunk) {
        self.len += chunk.count();
        self.chunks += 1;
        self.bytes += chunk.footprint();
        let block = &mut self.blocks[at.block];
        block.len += chunk.count();
        self.bytes -= deque_footprint(&block.chunks);
        if block.chunks.capacity() == 0 {
            // Most lists have one chunk or a few.
            block.chunks.reserve_exact(1);
        }
        block.chunks.insert(at.chunk, chunk);
        self.bytes += deque_footprint(&block.chunks);
    }
}

/// Which of some parts has the element with this number, and its number there. `total` is the sum of
/// the parts; they are walked from the nearer end.
fn seek(
    lens: impl DoubleEndedIterator<Item = usize> + ExactSizeIterator,
    total: usize,
    number: usize,
) -> (usize, usize) {
    if number <= total / 2 {
        let mut start = 0;
        for (part, len) in lens.enumerate() {
            if number < start + len {
                return (part, number - start);
            }
            start += len;
        }
    } else {
        let mut end = total;
        for (part, len) in lens.enumerate().rev() {
            if number >= end - len {
                return (part, number + len - end);
            }
            end -= len;
        }
    }
    unreachable!("the number is below the total")
}
