//! A hash table in which a look-up reads one cache line: the entries of one segment.
//!
//! ```text
//! line, 64 bytes:  | tag x N | passed | ... | entry x N |     N = 9 for entries of six bytes
//! ```
//! A hash chooses a line, its home, and a tag of one byte; zero is the tag of an empty place. An
//! entry lies in its home or, when that is full, in one of the lines after it. `passed` counts the
//! entries that went by a full line in search of a place: a look-up goes on only from a line that
//! was passed, and a removal counts down, so that there are no tombstones (after F14, by Bronson
//! and Shi). A count that reaches 255 stays until the table is made anew.
//!
//! The number of lines goes 1, 2, 3, 4, 6, 8, 12 ..., and seven eighths of the places may be in
//! use, all of them in a table of one or two lines. Entries of six bytes take 9.5 bytes each on
//! average.
//!
//! hashbrown keeps tags and entries apart, which is one more cache miss of a look-up, doubles when
//! it grows, and needs 32 bytes to say where a table is.
//!
//! Costs: find, insert and remove O(1), growth O(n). Hashes that agree in their lower half lie in
//! one row and are searched through.

use super::arena;
use super::prefetch::prefetch;
use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

const LINE_BYTES: usize = 64;
/// A count of passers-by that is no longer exact.
const PASSED_MAX: u8 = u8::MAX;
const EMPTY: u8 = 0;
/// Tags and count of passers-by lie within the 16 bytes that are compared at once.
const TAGS_MAX: usize = 15;

/// A hash table of small `T`. The caller brings hashes and equality.
pub(super) struct Buckets<T> {
    /// The first line; dangling while there are none.
    start: NonNull<Line<T>>,
    lines: u32,
    len: u32,
}

#[repr(C, align(64))]
struct Line<T> {
    bytes: [u8; LINE_BYTES],
    entries: PhantomData<T>,
}

// SAFETY: the table owns its lines and what lies in them, as a Vec does.
unsafe impl<T: Send> Send for Buckets<T> {}
// SAFETY: a shared table gives out shared references only.
unsafe impl<T: Sync> Sync for Buckets<T> {}

impl<T> Line<T> {
    /// How many entries a line holds.
    const PLACES: usize = {
        let places = (LINE_BYTES - 1) / (size_of::<T>() + 1);
        if places < TAGS_MAX { places } else { TAGS_MAX }
    };
    const PASSED_AT: usize = Self::PLACES;
    /// Entries stand at the end, so that they are aligned: their size and the line's are multiples
    /// of their alignment.
    const ENTRIES_AT: usize = {
        assert!(Self::PLACES > 0 && align_of::<T>() <= LINE_BYTES, "an entry fits into a line");
        LINE_BYTES - Self::PLACES * size_of::<T>()
    };
    const ALL: u32 = (1 << Self::PLACES) - 1;

    /// A bit for each place with this tag.
    #[inline(always)]
    fn places_with(&self, tag: u8) -> u32 {
        same_bytes(&self.bytes, tag) & Self::ALL
    }

    fn occupied(&self) -> u32 {
        !self.places_with(EMPTY) & Self::ALL
    }

    #[inline(always)]
    fn passed(&self) -> u8 {
        self.bytes[Self::PASSED_AT]
    }

    #[inline(always)]
    fn entry(&self, place: usize) -> *const T {
        debug_assert!(place < Self::PLACES);
        self.bytes.as_ptr().wrapping_add(Self::ENTRIES_AT).cast::<T>().wrapping_add(place)
    }

    fn entry_mut(&mut self, place: usize) -> *mut T {
        debug_assert!(place < Self::PLACES);
        self.bytes.as_mut_ptr().wrapping_add(Self::ENTRIES_AT).cast::<T>().wrapping_add(place)
    }
}

/// A bit for each of the first 16 bytes that equals `byte`.
#[inline(always)]
fn same_bytes(bytes: &[u8; LINE_BYTES], byte: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
        };
        // SAFETY: SSE2 is part of x86-64, and 16 of the line's 64 bytes are read.
        unsafe {
            let head = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(head, _mm_set1_epi8(byte as i8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    same_bytes_plainly(bytes, byte)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn same_bytes_plainly(bytes: &[u8; LINE_BYTES], byte: u8) -> u32 {
    (0..16).map(|at| u32::from(bytes[at] == byte) << at).sum()
}

/// The tag of a hash: one of its bytes that choose neither segment nor line, and never `EMPTY`.
#[inline(always)]
fn tag_of(hash: u64) -> u8 {
    ((hash >> 32) as u8).max(EMPTY + 1)
}

/// The line, of so many, in which the search for a hash begins.
#[inline(always)]
fn home_of(hash: u64, lines: u32) -> u32 {
    ((u64::from(hash as u32) * u64::from(lines)) >> 32) as u32
}

/// The number of lines that a table has next.
fn more_lines(lines: u32) -> u32 {
    match lines {
        0 | 1 => lines + 1,
        _ if lines.is_power_of_two() => lines / 2 * 3,
        _ => lines.next_power_of_two(),
    }
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Buckets<T> {
    pub(super) const fn new() -> Self {
        Self { start: NonNull::dangling(), lines: 0, len: 0 }
    }

    /// An empty table with room for `len` entries.
    pub(super) fn with_room(len: usize) -> Self {
        let mut lines = 0;
        while Self::len_max(lines) < len {
            lines = more_lines(lines);
        }
        if lines == 0 { Self::new() } else { Self::with_lines(lines) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many numbers [`Buckets::find`] can return.
    pub(super) fn places(&self) -> usize {
        self.lines as usize * Line::<T>::PLACES
    }

    /// Bytes that the table takes from the allocator.
    #[inline]
    pub(super) fn footprint(&self) -> usize {
        arena::footprint(self.lines as usize * LINE_BYTES)
    }

    /// Address and number of lines, for a prefetch without the table itself.
    #[inline(always)]
    pub(super) fn whereabouts(&self) -> (usize, u32) {
        (self.start.as_ptr().addr(), self.lines)
    }

    /// Starts to bring near what a look-up reads of a table that is, or was, there.
    #[inline(always)]
    pub(super) fn prefetch_at((start, lines): (usize, u32), hash: u64) {
        let home = home_of(hash, lines) as usize;
        prefetch(std::ptr::without_provenance::<u8>(start.wrapping_add(home * LINE_BYTES)));
    }

    /// Starts to bring near what a look-up with this hash reads.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        Self::prefetch_at(self.whereabouts(), hash);
    }

    /// The number of the place of the entry that `eq` accepts among those with this hash.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut eq: impl FnMut(&T) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let mut at = home_of(hash, self.lines);
        for _ in 0..self.lines {
            let line = self.line(at);
            let mut places = line.places_with(tag);
            while places != 0 {
                let place = places.trailing_zeros() as usize;
                // SAFETY: a place with a tag holds an entry.
                if eq(unsafe { &*line.entry(place) }) {
                    return Some(at * Line::<T>::PLACES as u32 + place as u32);
                }
                places &= places - 1;
            }
            if line.passed() == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// The entry at a place, if there is one.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (at, place) = self.split(number)?;
        let line = self.line(at);
        // SAFETY: a place with a tag holds an entry.
        (line.bytes[place] != EMPTY).then(|| unsafe { &*line.entry(place) })
    }

    /// As [`Buckets::get`]. The entry must keep its hash.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (at, place) = self.split(number)?;
        let line = self.line_mut(at);
        // SAFETY: a place with a tag holds an entry.
        (line.bytes[place] != EMPTY).then(|| unsafe { &mut *line.entry_mut(place) })
    }

    /// Adds an entry that is not there yet. `hash_of` must give every entry's hash.
    pub(super) fn insert(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        if self.len() >= Self::len_max(self.lines) {
            self.resize(more_lines(self.lines), hash_of);
        }
        self.put(hash, entry);
    }

    /// Takes out the entry at a place.
    pub(super) fn remove(&mut self, number: u32, hash_of: impl Fn(&T) -> u64) -> Option<T> {
        let hash = hash_of(self.get(number)?);
        let (at, place) = self.split(number)?;
        let mut before = home_of(hash, self.lines);
        while before != at {
            let passed = &mut self.line_mut(before).bytes[Line::<T>::PASSED_AT];
            if *passed < PASSED_MAX {
                *passed -= 1;
            }
            before = self.after(before);
        }
        Some(self.take(at, place))
    }

    /// Gives memory back once three quarters are unused, or an insert and remove pair would thrash.
    pub(super) fn shrink(&mut self, hash_of: impl Fn(&T) -> u64) {
        if self.is_empty() {
            *self = Self::new();
        } else if self.lines > 1 && self.len() * 4 <= Self::len_max(self.lines) {
            let mut lines = 1;
            while Self::len_max(lines) < self.len() * 2 {
                lines = more_lines(lines);
            }
            self.resize(lines, hash_of);
        }
    }

    /// Every entry, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.places() as u32).filter_map(|number| self.get(number))
    }

    /// Takes out entries one by one, without regard for later look-ups.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.lines {
                let occupied = self.line(at).occupied();
                if occupied != 0 {
                    return Some(self.take(at, occupied.trailing_zeros() as usize));
                }
                at += 1;
            }
            None
        })
    }

    /// How many entries so many lines may hold.
    fn len_max(lines: u32) -> usize {
        let places = lines as usize * Line::<T>::PLACES;
        if lines <= 2 { places } else { places - places / 8 }
    }

    fn resize(&mut self, lines: u32, hash_of: impl Fn(&T) -> u64) {
        let mut old = std::mem::replace(self, Self::with_lines(lines));
        for entry in old.drain() {
            self.put(hash_of(&entry), entry);
        }
    }

    fn with_lines(lines: u32) -> Self {
        let start = arena::allocate(Self::layout(lines)).cast::<Line<T>>();
        for at in 0..lines as usize {
            // SAFETY: the block holds that many lines. All bytes of an empty line are zero.
            unsafe { start.add(at).write_bytes(0, 1) };
        }
        Self { start, lines, len: 0 }
    }

    fn layout(lines: u32) -> Layout {
        Layout::array::<Line<T>>(lines as usize).expect("a table is smaller than memory")
    }

    /// Adds an entry for which there is a place.
    fn put(&mut self, hash: u64, entry: T) {
        debug_assert!(self.len() < self.places());
        let mut at = home_of(hash, self.lines);
        let place = loop {
            let line = self.line_mut(at);
            let empty = line.places_with(EMPTY);
            if empty != 0 {
                break empty.trailing_zeros() as usize;
            }
            let passed = &mut line.bytes[Line::<T>::PASSED_AT];
            *passed = passed.saturating_add(1);
            at = self.after(at);
        };
        let line = self.line_mut(at);
        line.bytes[place] = tag_of(hash);
        // SAFETY: the place is within the line, and empty, so that nothing is lost.
        unsafe { line.entry_mut(place).write(entry) };
        self.len += 1;
    }

    /// Takes the entry out of a place that holds one.
    fn take(&mut self, at: u32, place: usize) -> T {
        let line = self.line_mut(at);
        debug_assert!(line.bytes[place] != EMPTY);
        line.bytes[place] = EMPTY;
        // SAFETY: the place held an entry, and without a tag nobody reads it again.
        let entry = unsafe { line.entry(place).read() };
        self.len -= 1;
        entry
    }

    /// Line and place within it of a number that [`Buckets::find`] could return.
    #[inline(always)]
    fn split(&self, number: u32) -> Option<(u32, usize)> {
        let at = number / Line::<T>::PLACES as u32;
        (at < self.lines).then_some((at, number as usize % Line::<T>::PLACES))
    }

    #[inline(always)]
    fn after(&self, at: u32) -> u32 {
        if at + 1 == self.lines { 0 } else { at + 1 }
    }

    #[inline(always)]
    fn line(&self, at: u32) -> &Line<T> {
        debug_assert!(at < self.lines);
        // SAFETY: callers pass numbers of lines, all of which were written when they were made.
        unsafe { self.start.add(at as usize).as_ref() }
    }

    fn line_mut(&mut self, at: u32) -> &mut Line<T> {
        debug_assert!(at < self.lines);
        // SAFETY: as in `line`, and `&mut self` makes the access exclusive.
        unsafe { self.start.add(at as usize).as_mut() }
    }
}

impl<T> Drop for Buckets<T> {
    fn drop(&mut self) {
        if self.lines == 0 {
            return;
        }
        self.drain().for_each(drop);
        // SAFETY: the block was made by `with_lines` for that many lines, and is not used again.
        unsafe { arena::deallocate(self.start.cast(), Self::layout(self.lines)) };
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Buckets<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Small = [u8; 6];

    fn small(number: u64) -> Small {
        number.to_le_bytes()[..6].try_into().expect("six of eight bytes")
    }

    /// Spreads numbers, or lets many of them share lines and tags.
    fn hash_of(crowded: bool) -> impl Fn(&Small) -> u64 {
        move |entry| {
            let [a, b, c, d, e, f] = *entry;
            let number = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
            let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if crowded { hash & 0x3_0000_0003 } else { hash.rotate_left(32) }
        }
    }

    #[test]
    fn lines_are_full_of_what_they_are_for() {
        assert_eq!((Line::<Small>::PLACES, Line::<Small>::ENTRIES_AT), (9, 10));
        assert_eq!((Line::<u64>::PLACES, Line::<u64>::ENTRIES_AT), (7, 8));
        assert_eq!((Line::<[u64; 4]>::PLACES, Line::<[u64; 4]>::ENTRIES_AT), (1, 32));
        assert_eq!(size_of::<Line<u64>>(), LINE_BYTES);
    }

    #[test]
    fn the_number_of_lines_grows_by_halves() {
        let steps = std::iter::successors(Some(0), |&lines| Some(more_lines(lines)));
        let steps: Vec<u32> = steps.take(12).collect();
        assert_eq!(steps, [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]);
    }

    #[test]
    fn a_count_that_was_full_stays_and_nothing_is_lost() {
        let same = |_: &u64| 7;
        let mut buckets = Buckets::new();
        (0..1_000u64).for_each(|number| buckets.insert(7, number, same));
        for number in 0..1_000u64 {
            let place = buckets.find(7, |other| *other == number).expect("it was inserted");
            assert_eq!(buckets.remove(place, same), Some(number));
        }
        buckets.insert(7, 1, same);
        assert!(buckets.find(7, |other| *other == 1).is_some());
        assert!(buckets.find(8, |_| true).is_none() || tag_of(7) == tag_of(8));
    }

    #[test]
    fn entries_are_dropped_once() {
        let counter = std::rc::Rc::new(());
        let mut buckets = Buckets::new();
        (0..500u64).for_each(|_| buckets.insert(1, counter.clone(), |_| 1));
        assert_eq!(std::rc::Rc::strong_count(&counter), 501);
        let drained: Vec<_> = buckets.drain().take(100).collect();
        assert_eq!((drained.len(), buckets.len()), (100, 400));
        drop(buckets);
        assert_eq!(std::rc::Rc::strong_count(&counter), 101);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(u64),
        Shrink,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0u64..700).prop_map(Step::Insert),
            5 => (0u64..700).prop_map(Step::Remove),
            1 => Just(Step::Shrink),
        ]
    }

    proptest! {
        #[test]
        fn bytes_are_compared_as_the_plain_way_does(bytes: [u8; 32], byte: u8) {
            let mut line = [byte; LINE_BYTES];
            line[..16].copy_from_slice(&bytes[..16]);
            line[usize::from(byte) % 16] = byte;
            prop_assert_eq!(same_bytes(&line, byte), same_bytes_plainly(&line, byte));
        }

        #[test]
        fn it_is_a_set(crowded: bool, steps in proptest::collection::vec(step(), 1..1_500)) {
            let hash_of = hash_of(crowded);
            let mut buckets = Buckets::new();
            let mut twin = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Insert(number) => {
                        let entry = small(number);
                        if twin.insert(entry) {
                            buckets.insert(hash_of(&entry), entry, &hash_of);
                        }
                    }
                    Step::Remove(number) => {
                        let entry = small(number);
                        let found = buckets.find(hash_of(&entry), |other| *other == entry);
                        prop_assert_eq!(found.is_some(), twin.remove(&entry));
                        if let Some(place) = found {
                            prop_assert_eq!(buckets.get(place), Some(&entry));
                            prop_assert_eq!(buckets.remove(place, &hash_of), Some(entry));
                        }
                    }
                    Step::Shrink => buckets.shrink(&hash_of),
                }
                prop_assert_eq!(buckets.len(), twin.len());
            }
            prop_assert_eq!(&buckets.iter().copied().collect::<BTreeSet<_>>(), &twin);
            for entry in (0..700).map(small) {
                let found = buckets.find(hash_of(&entry), |other| *other == entry);
                prop_assert_eq!(found.is_some(), twin.contains(&entry));
            }
        }
    }
}
