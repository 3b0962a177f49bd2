//! Items in the order of their keys, in chunks.
//!
//! ```text
//!   index    3        40         90           a ring of chunks, each with its first key
//!            v        v          v
//!   chunks   3 5 8    40 41 ...  90 97 ...    rings of items, up to CHUNK_LEN_MAX each
//! ```
//! As in a `SortedSet`, a full chunk splits in two unless the item goes to the very end, where a new
//! chunk begins, and small neighbours become one. Items are of any size, may be changed in place,
//! and can be walked from anywhere in both directions; taking from the front moves nothing.
//!
//! Costs: find O(log n); insert and remove also move up to half a chunk of items, and where a chunk
//! comes or goes half of the index. An item takes its size and up to a third more. What all of it
//! takes is known to the byte.

use super::allocation::footprint;
use std::collections::VecDeque;

/// A chunk of this many items splits when one more comes.
const CHUNK_LEN_MAX: usize = 256;
/// A chunk of this many items looks for a neighbour to become one with.
const SMALL_LEN_MAX: usize = CHUNK_LEN_MAX / 8;
/// Two neighbours that hold no more than this together become one.
const JOINED_LEN_MAX: usize = CHUNK_LEN_MAX / 2;

/// Something that has its place by a key, which never changes while it is kept.
pub(crate) trait Keyed {
    type Key: Copy + Ord + std::fmt::Debug;
    fn key(&self) -> Self::Key;
}

/// Items in order, one for each key.
#[derive(Debug)]
pub(crate) struct Ordered<T: Keyed> {
    chunks: VecDeque<Chunk<T>>,
    len: usize,
    /// What the chunks' rings take from the allocator.
    chunk_bytes: usize,
}

/// Items in order; never empty.
#[derive(Clone, Debug)]
struct Chunk<T: Keyed> {
    first: T::Key,
    items: VecDeque<T>,
}

/// Where an item is, until items come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    chunk: usize,
    item: usize,
}

impl<T: Keyed> Chunk<T> {
    fn footprint(&self) -> usize {
        footprint(self.items.capacity() * size_of::<T>())
    }
}

impl<T: Keyed + Clone> Clone for Ordered<T> {
    /// The rings of the copy have no room to spare.
    fn clone(&self) -> Self {
        let chunks = self.chunks.clone();
        let chunk_bytes = chunks.iter().map(Chunk::footprint).sum();
        Self { chunks, len: self.len, chunk_bytes }
    }
}

impl<T: Keyed> Default for Ordered<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), len: 0, chunk_bytes: 0 }
    }
}

impl<T: Keyed> Ordered<T> {
    /// How many items there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the order takes from the allocator, without what items own elsewhere.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        footprint(self.chunks.capacity() * size_of::<Chunk<T>>()) + self.chunk_bytes
    }

    /// The item with the least key.
    pub(crate) fn first(&self) -> Option<&T> {
        self.chunks.front()?.items.front()
    }

    /// The item with the greatest key.
    #[inline]
    pub(crate) fn last(&self) -> Option<&T> {
        self.chunks.back()?.items.back()
    }

    /// The item with the greatest key, to be changed.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.chunks.back_mut()?.items.back_mut()
    }

    /// The item with a key.
    pub(crate) fn get(&self, key: T::Key) -> Option<&T> {
        let chunk = &self.chunks[self.chunk_for(key)?];
        let place = chunk.items.binary_search_by_key(&key, T::key).ok()?;
        chunk.items.get(place)
    }

    /// The item with a key, to be changed.
    pub(crate) fn get_mut(&mut self, key: T::Key) -> Option<&mut T> {
        let at = self.chunk_for(key)?;
        let chunk = &mut self.chunks[at];
        let place = chunk.items.binary_search_by_key(&key, T::key).ok()?;
        chunk.items.get_mut(place)
    }

    /// Adds an item. Gives it back if there is one with its key.
    pub(crate) fn insert(&mut self, item: T) -> Result<(), T> {
        let key = item.key();
        let Some(mut at) = self.chunk_for(key).or(self.chunks.len().checked_sub(1).map(|_| 0))
        else {
            self.insert_chunk(0, VecDeque::from([item]));
            self.len = 1;
            return Ok(());
        };
        let mut place = match self.place_in(at, key) {
            Ok(_) => return Err(item),
            Err(place) => place,
        };
        self.len += 1;
        if self.chunks[at].items.len() == CHUNK_LEN_MAX {
            if place == CHUNK_LEN_MAX && at + 1 == self.chunks.len() {
                self.insert_chunk(at + 1, VecDeque::from([item]));
                return Ok(());
            }
            self.split(at);
            let lower_len = self.chunks[at].items.len();
            if place > lower_len {
                (at, place) = (at + 1, place - lower_len);
            }
        }
        self.change(at, |items| {
            if items.len() == items.capacity() {
                items.reserve_exact((items.len() / 2).clamp(1, CHUNK_LEN_MAX / 4));
            }
            items.insert(place, item);
        });
        Ok(())
    }

    /// Takes the item with a key out.
    pub(crate) fn remove(&mut self, key: T::Key) -> Option<T> {
        let at = self.chunk_for(key)?;
        let item = self.place_in(at, key).ok()?;
        Some(self.remove_at(Place { chunk: at, item }))
    }

    /// Takes an item out. What was behind it is then at its place, if anything was.
    pub(crate) fn remove_at(&mut self, place: Place) -> T {
        self.len -= 1;
        let at = place.chunk;
        if self.chunks[at].items.len() == 1 {
            return self.remove_chunk(at).pop_front().expect("chunks are never empty");
        }
        let mut removed = None;
        self.change(at, |items| {
            removed = items.remove(place.item);
            if items.capacity() >= 2 * items.len() + 8 {
                items.shrink_to(items.len() + items.len() / 4);
            }
        });
        if self.chunks[at].items.len() <= SMALL_LEN_MAX {
            self.join(at);
        }
        removed.expect("a place is where an item is")
    }

    /// Takes the last chunk of items out, to be dropped. None if there is no item.
    pub(crate) fn pop_chunk(&mut self) -> Option<VecDeque<T>> {
        let at = self.chunks.len().checked_sub(1)?;
        let items = self.remove_chunk(at);
        self.len -= items.len();
        Some(items)
    }

    /// The item at a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> &T {
        &self.chunks[place.chunk].items[place.item]
    }

    /// The item at a place, to be changed.
    pub(crate) fn at_mut(&mut self, place: Place) -> &mut T {
        &mut self.chunks[place.chunk].items[place.item]
    }

    /// The first item's place.
    pub(crate) fn first_place(&self) -> Option<Place> {
        (self.len > 0).then_some(Place { chunk: 0, item: 0 })
    }

    /// The last item's place.
    pub(crate) fn last_place(&self) -> Option<Place> {
        let chunk = self.chunks.len().checked_sub(1)?;
        Some(Place { chunk, item: self.chunks[chunk].items.len() - 1 })
    }

    /// The place of the last item whose key is not greater than `key`.
    pub(crate) fn at_or_before(&self, key: T::Key) -> Option<Place> {
        let chunk = self.chunk_for(key)?;
        let after = self.chunks[chunk].items.partition_point(|item| item.key() <= key);
        Some(Place { chunk, item: after - 1 })
    }

    /// The place of the first item whose key is not less than `key`.
    pub(crate) fn at_or_after(&self, key: T::Key) -> Option<Place> {
        match self.at_or_before(key) {
            Some(place) if self.at(place).key() == key => Some(place),
            Some(place) => self.after(place),
            None => self.first_place(),
        }
    }

    /// The next item's place.
    #[inline]
    pub(crate) fn after(&self, place: Place) -> Option<Place> {
        if place.item + 1 < self.chunks[place.chunk].items.len() {
            return Some(Place { item: place.item + 1, ..place });
        }
        let chunk = place.chunk + 1;
        (chunk < self.chunks.len()).then_some(Place { chunk, item: 0 })
    }

    /// The place of the item before.
    pub(crate) fn before(&self, place: Place) -> Option<Place> {
        if place.item > 0 {
            return Some(Place { item: place.item - 1, ..place });
        }
        let chunk = place.chunk.checked_sub(1)?;
        Some(Place { chunk, item: self.chunks[chunk].items.len() - 1 })
    }

    /// All items, the least key first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.items)
    }

    /// The items from a key on.
    pub(crate) fn iter_from(&self, key: T::Key) -> impl Iterator<Item = &T> {
        let first = self.at_or_after(key);
        std::iter::successors(first, |&place| self.after(place)).map(|place| self.at(place))
    }

    fn place_in(&self, at: usize, key: T::Key) -> Result<usize, usize> {
        let items = &self.chunks[at].items;
        // Most items come at the end.
        match items.back() {
            Some(last) if last.key() < key => Err(items.len()),
            _ => items.binary_search_by_key(&key, T::key),
        }
    }

    /// The chunk whose keys a key is among, if it is not before all.
    #[inline]
    fn chunk_for(&self, key: T::Key) -> Option<usize> {
        match self.chunks.back() {
            Some(last) if last.first <= key => Some(self.chunks.len() - 1),
            _ => self.chunks.partition_point(|chunk| chunk.first <= key).checked_sub(1),
        }
    }

    /// Lets `change` work on a chunk, which must not become empty.
    fn change(&mut self, at: usize, change: impl FnOnce(&mut VecDeque<T>)) {
        let chunk = &mut self.chunks[at];
        self.chunk_bytes -= chunk.footprint();
        change(&mut chunk.items);
        chunk.first = chunk.items[0].key();
        self.chunk_bytes += chunk.footprint();
    }

    fn insert_chunk(&mut self, at: usize, items: VecDeque<T>) {
        let chunk = Chunk { first: items[0].key(), items };
        self.chunk_bytes += chunk.footprint();
        self.chunks.insert(at, chunk);
    }

    fn remove_chunk(&mut self, at: usize) -> VecDeque<T> {
        let chunk = self.chunks.remove(at).expect("the chunk is there");
        self.chunk_bytes -= chunk.footprint();
        if self.chunks.capacity() > 4 * self.chunks.len() + 8 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
        chunk.items
    }

    fn split(&mut self, at: usize) {
        let mut upper = VecDeque::new();
        self.change(at, |items| {
            upper = items.split_off(items.len() / 2);
            items.shrink_to(items.len() + 1);
        });
        self.insert_chunk(at + 1, upper);
    }

    /// Joins a chunk with a neighbour if they hold little together.
    fn join(&mut self, at: usize) {
        let len = |at: usize| self.chunks.get(at).map(|chunk| chunk.items.len());
        let pair = [at.checked_sub(1), Some(at)].into_iter().flatten().find(|&lower| {
            len(lower).zip(len(lower + 1)).is_some_and(|(a, b)| a + b <= JOINED_LEN_MAX)
        });
        if let Some(lower) = pair {
            let mut upper = self.remove_chunk(lower + 1);
            self.change(lower, |items| {
                items.reserve_exact(upper.len());
                items.append(&mut upper);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Item {
        key: u16,
        text: String,
    }

    impl Keyed for Item {
        type Key = u16;

        fn key(&self) -> u16 {
            self.key
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// So many keys from one on, by a stride.
        Run(u16, u16, u16),
        Insert(u16),
        Remove(u16),
        RemoveRun(u16, u16),
        PopFirst(u16),
        PopChunk,
        Change(u16),
        Walk(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0..2_000u16;
        prop_oneof![
            3 => (key.clone(), 0..700u16, 1..3u16).prop_map(|(a, n, by)| Step::Run(a, n, by)),
            4 => key.clone().prop_map(Step::Insert),
            4 => key.clone().prop_map(Step::Remove),
            2 => (key.clone(), 0..600u16).prop_map(|(from, n)| Step::RemoveRun(from, n)),
            1 => (0..300u16).prop_map(Step::PopFirst),
            1 => Just(Step::PopChunk),
            2 => key.clone().prop_map(Step::Change),
            3 => key.prop_map(Step::Walk),
        ]
    }

    struct Case {
        ordered: Ordered<Item>,
        twin: BTreeMap<u16, Item>,
    }

    impl Case {
        fn insert(&mut self, key: u16) {
            let item = Item { key, text: key.to_string() };
            let is_new = !self.twin.contains_key(&key);
            assert_eq!(self.ordered.insert(item.clone()).is_ok(), is_new);
            self.twin.entry(key).or_insert(item);
        }

        fn remove(&mut self, key: u16) {
            assert_eq!(self.ordered.remove(key), self.twin.remove(&key));
        }

        fn walk(&self, from: u16) {
            let ahead: Vec<_> = self.ordered.iter_from(from).take(5).collect();
            assert_eq!(
                ahead,
                self.twin.range(from..).map(|pair| pair.1).take(5).collect::<Vec<_>>()
            );
            let start = self.ordered.at_or_before(from);
            let back = std::iter::successors(start, |&place| self.ordered.before(place));
            let back: Vec<_> = back.map(|place| self.ordered.at(place)).take(300).collect();
            let twin: Vec<_> =
                self.twin.range(..=from).rev().map(|pair| pair.1).take(300).collect();
            assert_eq!(back, twin);
        }

        fn carry_out(&mut self, step: &Step) {
            match *step {
                Step::Run(from, count, by) => {
                    (0..count).for_each(|number| self.insert(from + number * by));
                }
                Step::Insert(key) => self.insert(key),
                Step::Remove(key) => self.remove(key),
                Step::RemoveRun(from, count) => {
                    (from..from + count).for_each(|key| self.remove(key));
                }
                Step::PopFirst(count) => {
                    for _ in 0..count {
                        let first = self.twin.pop_first().map(|pair| pair.1);
                        let place = self.ordered.first_place();
                        assert_eq!(place.map(|place| self.ordered.remove_at(place)), first);
                    }
                }
                Step::PopChunk => {
                    for item in self.ordered.pop_chunk().into_iter().flatten() {
                        assert_eq!(self.twin.remove(&item.key), Some(item));
                    }
                }
                Step::Change(key) => {
                    let sides = [self.ordered.get_mut(key), self.twin.get_mut(&key)];
                    sides.into_iter().flatten().for_each(|item| item.text.push('!'));
                }
                Step::Walk(from) => self.walk(from),
            }
        }

        fn check(&self) {
            assert_eq!(self.ordered.len(), self.twin.len());
            assert!(self.ordered.iter().eq(self.twin.values()));
            assert_eq!(self.ordered.first(), self.twin.values().next());
            assert_eq!(self.ordered.last(), self.twin.values().next_back());
            let counted: usize = self.ordered.chunks.iter().map(Chunk::footprint).sum();
            assert_eq!(self.ordered.chunk_bytes, counted);
            let copy = self.ordered.clone();
            assert!(copy.iter().eq(self.twin.values()));
            assert_eq!(copy.chunk_bytes, copy.chunks.iter().map(Chunk::footprint).sum());
            for chunk in &self.ordered.chunks {
                assert_eq!(chunk.first, chunk.items[0].key);
                assert!(chunk.items.len() <= CHUNK_LEN_MAX);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_order_is_its_twin(steps in prop::collection::vec(step(), 0..30)) {
            let mut case = Case { ordered: Ordered::default(), twin: BTreeMap::new() };
            for step in steps {
                case.carry_out(&step);
                case.check();
            }
        }
    }

    #[test]
    fn items_that_come_in_order_leave_full_chunks() {
        let mut ordered = Ordered::default();
        for key in 0..10_000 {
            ordered.insert(Item { key, text: String::new() }).unwrap();
        }
        assert_eq!(ordered.chunks.len(), 10_000usize.div_ceil(CHUNK_LEN_MAX));
        assert!(ordered.footprint() < 10_000 * size_of::<Item>() * 6 / 5);
    }
}
