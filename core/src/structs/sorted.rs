//! A sorted set of small values, in chunks.
//!
//! ```text
//!   index    3        40         90           a ring of chunks, each with its first value
//!            v        v          v
//!   chunks   3 5 8    40 41 ...  90 97 ...    sorted, up to CHUNK_LEN_MAX values each
//! ```
//! A full chunk splits in two, unless the value goes to the very end, where a new chunk begins:
//! values that come in order leave full chunks behind. Small neighbours become one.
//!
//! Costs: find O(log n); insert and remove also move up to a chunk of values, and where a chunk
//! comes or goes half of the index, which is 40 bytes for every 64 values or more. A value takes
//! its size and up to a half more, and what that is altogether is known to the byte.

use super::allocation::footprint;
use std::collections::VecDeque;

/// A chunk of this many values splits when one more comes.
const CHUNK_LEN_MAX: usize = 128;
/// A chunk of this many values looks for a neighbour to become one with.
const SMALL_LEN_MAX: usize = CHUNK_LEN_MAX / 8;
/// Two neighbours that hold no more than this together become one.
const JOINED_LEN_MAX: usize = CHUNK_LEN_MAX / 2;

/// Values in order, each once.
#[derive(Debug)]
pub(crate) struct SortedSet<T> {
    chunks: VecDeque<Chunk<T>>,
    len: usize,
    /// What the chunks' values take from the allocator.
    chunk_bytes: usize,
}

/// Values in order; never empty.
#[derive(Debug)]
struct Chunk<T> {
    first: T,
    values: Vec<T>,
}

impl<T: Copy> Chunk<T> {
    fn new(values: Vec<T>) -> Self {
        Self { first: values[0], values }
    }

    fn footprint(&self) -> usize {
        footprint(self.values.capacity() * size_of::<T>())
    }
}

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), len: 0, chunk_bytes: 0 }
    }
}

impl<T: Copy + Ord> SortedSet<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The least value.
    pub(crate) fn first(&self) -> Option<T> {
        self.chunks.front().map(|chunk| chunk.first)
    }

    /// The greatest value.
    pub(crate) fn last(&self) -> Option<T> {
        self.chunks.back()?.values.last().copied()
    }

    /// How many values are less than `value`. Takes a step for each chunk of those.
    pub(crate) fn rank(&self, value: T) -> usize {
        let Some(at) = self.chunk_for(value) else { return 0 };
        let before: usize = self.chunks.iter().take(at).map(|chunk| chunk.values.len()).sum();
        before + self.chunks[at].values.partition_point(|other| *other < value)
    }

    /// All values, the least first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.chunks.iter().flat_map(|chunk| chunk.values.iter().copied())
    }

    /// A value chosen by chance, all with the same chance; `random` gives random numbers.
    pub(crate) fn random(&self, mut random: impl FnMut() -> u64) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        loop {
            // A place of a chunk that is not full may have no value; then another is drawn.
            let number = random() % (self.chunks.len() * CHUNK_LEN_MAX) as u64;
            let (chunk, place) = (number as usize / CHUNK_LEN_MAX, number as usize % CHUNK_LEN_MAX);
            if let Some(value) = self.chunks[chunk].values.get(place) {
                return Some(*value);
            }
        }
    }

    /// Bytes that the set takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        footprint(self.chunks.capacity() * size_of::<Chunk<T>>()) + self.chunk_bytes
    }

    /// Adds a value. Returns whether it is new.
    pub(crate) fn insert(&mut self, value: T) -> bool {
        let Some(mut at) = self.chunk_for(value) else {
            self.insert_chunk(0, vec![value]);
            self.len = 1;
            return true;
        };
        let Err(mut place) = self.chunks[at].values.binary_search(&value) else { return false };
        self.len += 1;
        if self.chunks[at].values.len() == CHUNK_LEN_MAX {
            if place == CHUNK_LEN_MAX && at + 1 == self.chunks.len() {
                self.insert_chunk(at + 1, vec![value]);
                return true;
            }
            self.split(at);
            let lower_len = self.chunks[at].values.len();
            if place > lower_len {
                (at, place) = (at + 1, place - lower_len);
            }
        }
        self.change(at, |values| {
            if values.len() == values.capacity() {
                values.reserve_exact(values.len().min(CHUNK_LEN_MAX / 4));
            }
            values.insert(place, value);
        });
        true
    }

    /// Takes a value out. Returns whether it was there.
    pub(crate) fn remove(&mut self, value: T) -> bool {
        let Some(at) = self.chunk_for(value) else { return false };
        let Ok(place) = self.chunks[at].values.binary_search(&value) else { return false };
        self.len -= 1;
        if self.chunks[at].values.len() == 1 {
            self.remove_chunk(at);
            return true;
        }
        self.change(at, |values| {
            values.remove(place);
            if values.capacity() >= 2 * values.len() + 8 {
                values.shrink_to(values.len() + 4);
            }
        });
        if self.chunks[at].values.len() <= SMALL_LEN_MAX {
            self.join(at);
        }
        true
    }

    /// Takes out up to `count` chunks of the greatest values, a small part of many values.
    pub(crate) fn drop_chunks(&mut self, count: usize) {
        for _ in 0..count.min(self.chunks.len()) {
            self.len -= self.remove_chunk(self.chunks.len() - 1).len();
        }
    }

    /// The chunk that holds a value, if any does.
    fn chunk_for(&self, value: T) -> Option<usize> {
        let after = self.chunks.partition_point(|chunk| chunk.first <= value);
        (!self.chunks.is_empty()).then(|| after.saturating_sub(1))
    }

    /// Lets `work` change the values of a chunk, and counts its bytes anew.
    fn change(&mut self, at: usize, work: impl FnOnce(&mut Vec<T>)) {
        let chunk = &mut self.chunks[at];
        self.chunk_bytes -= chunk.footprint();
        work(&mut chunk.values);
        chunk.first = chunk.values[0];
        self.chunk_bytes += chunk.footprint();
    }

    fn split(&mut self, at: usize) {
        let mut upper = Vec::new();
        self.change(at, |values| {
            upper = values.split_off(CHUNK_LEN_MAX / 2);
            values.shrink_to_fit();
        });
        self.insert_chunk(at + 1, upper);
    }

    /// Joins a chunk with a neighbour if both are small.
    fn join(&mut self, at: usize) {
        let len = |at: usize| self.chunks.get(at).map_or(usize::MAX, |chunk| chunk.values.len());
        let fits = |lower: usize| len(lower).saturating_add(len(lower + 1)) <= JOINED_LEN_MAX;
        let mut lowers = [Some(at), at.checked_sub(1)].into_iter().flatten();
        let Some(lower) = lowers.find(|&lower| fits(lower)) else { return };
        let upper = self.remove_chunk(lower + 1);
        self.change(lower, |values| values.extend_from_slice(&upper));
    }

    fn insert_chunk(&mut self, at: usize, values: Vec<T>) {
        if self.chunks.len() == self.chunks.capacity() {
            self.chunks.reserve_exact(self.chunks.len().max(1));
        }
        let chunk = Chunk::new(values);
        self.chunk_bytes += chunk.footprint();
        self.chunks.insert(at, chunk);
    }

    fn remove_chunk(&mut self, at: usize) -> Vec<T> {
        let chunk = self.chunks.remove(at).expect("the caller found the chunk there");
        self.chunk_bytes -= chunk.footprint();
        if self.chunks.capacity() >= 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
        chunk.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(set: &SortedSet<u32>) {
        for chunk in &set.chunks {
            assert_eq!(chunk.first, chunk.values[0]);
            assert!(chunk.values.len() <= CHUNK_LEN_MAX);
        }
        assert_eq!(set.len, set.chunks.iter().map(|chunk| chunk.values.len()).sum::<usize>());
        assert_eq!(set.chunk_bytes, set.chunks.iter().map(Chunk::footprint).sum::<usize>());
    }

    #[test]
    fn values_that_come_in_order_leave_full_chunks() {
        let mut set = SortedSet::default();
        assert!((0..12_800u32).all(|value| set.insert(value)));
        check(&set);
        assert_eq!(set.chunks.len(), 100);
        assert!((0..12_800).all(|value| set.first() == Some(value) && set.remove(value)));
        assert_eq!(set.footprint(), 0);
    }

    #[test]
    fn values_in_any_order_take_little_more_than_their_size() {
        let mut set = SortedSet::default();
        for number in 0..100_000u32 {
            set.insert(number.wrapping_mul(0x9e37_79b9));
        }
        check(&set);
        assert!(set.footprint() < 100_000 * size_of::<u32>() * 3 / 2, "{}", set.footprint());
    }

    #[test]
    fn chunks_go_from_the_end() {
        let mut set = SortedSet::default();
        assert!((0..1_280u32).all(|value| set.insert(value)));
        set.drop_chunks(3);
        check(&set);
        assert_eq!((set.len(), set.last()), (1_280 - 3 * CHUNK_LEN_MAX, Some(895)));
        set.drop_chunks(30);
        assert_eq!((set.len(), set.footprint()), (0, 0));
    }

    fn run() -> impl Strategy<Value = (bool, Vec<u32>)> {
        let order = prop_oneof![Just(1i64), Just(-1), Just(97)];
        (any::<bool>(), 0u32..2_000, 0i64..600, order).prop_map(|(insert, from, len, step)| {
            let value = |number: i64| (i64::from(from) + number * step).rem_euclid(2_000) as u32;
            (insert, (0..len).map(value).collect())
        })
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(runs in prop::collection::vec(run(), 1..30)) {
            let mut set = SortedSet::default();
            let mut twin = BTreeSet::new();
            for (insert, values) in runs {
                for value in values {
                    if insert {
                        prop_assert_eq!(set.insert(value), twin.insert(value));
                    } else {
                        prop_assert_eq!(set.remove(value), twin.remove(&value));
                    }
                    prop_assert_eq!(set.first(), twin.first().copied());
                    prop_assert_eq!(set.last(), twin.last().copied());
                    prop_assert_eq!(set.rank(value), twin.range(..value).count());
                }
                check(&set);
                prop_assert_eq!(set.len(), twin.len());
                prop_assert!(set.iter().eq(twin.iter().copied()));
            }
        }
    }
}
