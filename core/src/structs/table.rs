//! A hash table that grows one segment at a time.
//!
//! ```text
//! up to SEGMENT_LEN_MAX entries: one table of lines (buckets.rs)
//! beyond that, extendible hashing on the top bits of the hash:
//!
//!   index   00 01 10 11          2^depth numbers of segments
//!            |  |  \ /
//!            v  v   v
//!   segments A  B   C            A and B of depth 2, C of depth 1
//! ```
//! A full segment splits in two by its next hash bit, so no write ever rehashes more than one
//! segment. Entries lie in segments in the order of their hashes; a walk in that order keeps its
//! place while the table grows and shrinks, which is what SCAN's guarantee rests on.
//!
//! Inside a segment, line and tag come from the lower bits of the hash, since the top bits are the
//! same for all entries of a segment.
//!
//! Costs: find, insert and remove O(1); a split O(SEGMENT_LEN_MAX); doubling the index 4 bytes for
//! every 2^-depth of the hash space.

use super::allocation::footprint;
use super::buckets::Buckets;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A segment of this many entries splits when one more comes.
pub(crate) const SEGMENT_LEN_MAX: usize = 448;
/// With room for so many on average, hardly any segment gets more than it may have.
const SEGMENT_LEN_USUAL: usize = SEGMENT_LEN_MAX / 8 * 7;
/// Two neighbours that hold no more than this together become one.
const MERGE_LEN_MAX: usize = SEGMENT_LEN_MAX / 4;
/// The index may have this many times as many entries as there are segments. Where hashes crowd so
/// much that it would need more, a segment outgrows its limit instead.
const INDEX_PER_SEGMENT_MAX: usize = 16;
/// Hashes are cut to this many top bits to make a place in the walk.
pub(crate) const POSITION_BITS: u32 = 48;

/// Where an entry is, until the table changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    segment: u32,
    bucket: u32,
}

/// A hash table of `T`. The caller brings hashes and equality.
#[derive(Debug)]
pub(crate) struct SegmentedTable<T> {
    root: Root<T>,
}

#[derive(Debug)]
enum Root<T> {
    One(Buckets<T>),
    Many(Box<Directory<T>>),
}

#[derive(Debug)]
struct Directory<T> {
    depth: u32,
    /// How many segments are as deep as the directory.
    deepest: usize,
    index: Vec<u32>,
    segments: Vec<Segment<T>>,
    len: usize,
    table_bytes: usize,
}

#[derive(Debug)]
struct Segment<T> {
    depth: u32,
    /// The top `depth` bits that all hashes here share, as a number.
    prefix: u64,
    table: Buckets<T>,
}

fn top_bits(hash: u64, bits: u32) -> u64 {
    if bits == 0 { 0 } else { hash >> (64 - bits) }
}

/// The walk's place of an entry with this hash.
pub(crate) fn position(hash: u64) -> u64 {
    hash >> (64 - POSITION_BITS)
}

impl<T> Default for SegmentedTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SegmentedTable<T> {
    /// An empty table, which owns no memory.
    pub(crate) const fn new() -> Self {
        Self { root: Root::One(Buckets::new()) }
    }

    /// An empty table with room for `len` entries, so that it need not grow while they come.
    pub(crate) fn with_room(len: usize) -> Self {
        let depth = len.div_ceil(SEGMENT_LEN_USUAL).max(1).next_power_of_two().ilog2();
        let root = match depth {
            0 => Root::One(Buckets::with_room(len)),
            _ => Root::Many(Box::new(Directory::with_room(depth, len >> depth))),
        };
        Self { root }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        match &self.root {
            Root::One(table) => table.len(),
            Root::Many(directory) => directory.len,
        }
    }

    /// Whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the table takes from the allocator, entries' own allocations not counted.
    pub(crate) fn footprint(&self) -> usize {
        match &self.root {
            Root::One(table) => table.footprint(),
            Root::Many(directory) => directory.footprint(),
        }
    }

    /// Starts to bring near what a look-up with this hash reads of the table.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.table_for(hash).1.prefetch(hash);
    }

    /// Finds the entry that `eq` accepts among those with this hash.
    #[inline]
    pub(crate) fn find(&self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<Place> {
        let (segment, table) = self.table_for(hash);
        let bucket = table.find(hash, eq)?;
        Some(Place { segment, bucket })
    }

    /// The entry at a place that [`SegmentedTable::find`] gave since the last change.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> &T {
        let table = match &self.root {
            Root::One(table) => table,
            Root::Many(directory) => &directory.segments[place.segment as usize].table,
        };
        table.get(place.bucket).expect("a place is used before the table changes")
    }

    /// As [`SegmentedTable::at`]. The entry must keep its hash.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: Place) -> &mut T {
        let table = match &mut self.root {
            Root::One(table) => table,
            Root::Many(directory) => &mut directory.segments[place.segment as usize].table,
        };
        table.get_mut(place.bucket).expect("a place is used before the table changes")
    }

    /// Some entry whose tag fits the hash, to be prefetched: most likely the one that a find with
    /// this hash would return. Reads the table, not the entry.
    #[inline]
    pub(crate) fn candidate(&self, hash: u64) -> Option<&T> {
        let table = self.table_for(hash).1;
        table.get(table.find(hash, |_| true)?)
    }

    /// Adds an entry that is not there yet. `hash_of` must give every entry's hash.
    pub(crate) fn insert_unique(&mut self, hash: u64, value: T, hash_of: impl Fn(&T) -> u64) {
        if let Root::One(table) = &mut self.root {
            if table.len() < SEGMENT_LEN_MAX {
                table.insert(hash, value, hash_of);
                return;
            }
            let whole = Segment { depth: 0, prefix: 0, table: std::mem::take(table) };
            self.root = Root::Many(Box::new(Directory::new(whole)));
        }
        let Root::Many(directory) = &mut self.root else { unreachable!("made just above") };
        directory.insert_unique(hash, value, &hash_of);
    }

    /// Takes out the entry at a place, and gives memory back when much of it is unused.
    pub(crate) fn remove(&mut self, place: Place, hash_of: impl Fn(&T) -> u64) -> T {
        match &mut self.root {
            Root::One(table) => take_bucket(table, place.bucket, &hash_of),
            Root::Many(directory) => {
                let value = directory.remove(place, &hash_of);
                if let Some(whole) = directory.take_single_segment() {
                    self.root = Root::One(whole);
                }
                value
            }
        }
    }

    /// Visits entries in the order of their positions, from `from` on, until at least `count` were
    /// visited. Returns the position to go on from, or none at the end. An entry that is there
    /// during the whole walk is visited, whatever comes, goes, splits or merges meanwhile.
    pub(crate) fn walk(
        &self,
        from: u64,
        count: usize,
        hash_of: impl Fn(&T) -> u64,
        mut visit: impl FnMut(&T),
    ) -> Option<u64> {
        let mut from = from;
        let mut left = count.max(1);
        loop {
            let (table, end) = self.segment_at(from);
            let mut found: Vec<(u64, &T)> = table
                .iter()
                .map(|entry| (position(hash_of(entry)), entry))
                .filter(|(at, _)| *at >= from)
                .collect();
            let mut next = end;
            if found.len() > left {
                let (_, (last, _), _) = found.select_nth_unstable_by_key(left - 1, |(at, _)| *at);
                // Entries that share a position are visited together: a place lies between them.
                next = *last + 1;
            }
            for (_, entry) in found.iter().filter(|(at, _)| *at < next) {
                visit(entry);
                left = left.saturating_sub(1);
            }
            if next >= 1 << POSITION_BITS {
                return None;
            }
            if left == 0 {
                return Some(next);
            }
            from = next;
        }
    }

    /// Every entry, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match &self.root {
            Root::One(table) => (Some(table), None),
            Root::Many(directory) => (None, Some(directory.segments.iter().map(|s| &s.table))),
        };
        one.into_iter().chain(many.into_iter().flatten()).flat_map(|table| table.iter())
    }

    /// An entry chosen by chance, all with the same chance; `random` gives random numbers.
    pub(crate) fn random(&self, mut random: impl FnMut() -> u64) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        loop {
            let table = self.random_table(&mut random);
            let bucket = random() % table.places() as u64;
            if let Some(entry) = table.get(bucket as u32) {
                return Some(entry);
            }
        }
    }

    /// Entries that lie together, from a place on that is chosen by chance.
    pub(crate) fn neighbours(&self, mut random: impl FnMut() -> u64) -> impl Iterator<Item = &T> {
        let table = (!self.is_empty()).then(|| self.random_table(&mut random));
        let places = table.map_or(0, Buckets::places) as u32;
        let from = random().checked_rem(places.into()).unwrap_or(0) as u32;
        (from..places).chain(0..from).filter_map(move |bucket| table?.get(bucket))
    }

    /// The table of a segment, each as likely as it has places; `self` is not empty.
    fn random_table(&self, random: &mut impl FnMut() -> u64) -> &Buckets<T> {
        let directory = match &self.root {
            Root::One(table) => return table,
            Root::Many(directory) => directory,
        };
        loop {
            let number = random() % directory.segments.len() as u64;
            let table = &directory.segments[number as usize].table;
            // Segments have unequal numbers of buckets; turning down a share of the small ones'
            // draws makes all buckets equally likely.
            let widest = (2 * SEGMENT_LEN_MAX) as u64;
            if random() % widest < table.places() as u64 {
                return table;
            }
        }
    }

    /// Takes out up to `budget` entries, in no order, without regard for later use: the table is on
    /// its way to be freed. Returns none when it is empty.
    pub(crate) fn drain_some(&mut self, budget: usize) -> Option<Vec<T>> {
        let budget = budget.max(1);
        let taken: Vec<T> = match &mut self.root {
            Root::One(table) => table.drain().take(budget).collect(),
            Root::Many(directory) => directory.drain_some(budget),
        };
        (!taken.is_empty()).then_some(taken)
    }

    #[inline]
    fn table_for(&self, hash: u64) -> (u32, &Buckets<T>) {
        match &self.root {
            Root::One(table) => (0, table),
            Root::Many(directory) => {
                let number = directory.number_for(hash);
                (number, &directory.segments[number as usize].table)
            }
        }
    }

    /// The segment that covers a position, and the position at which the next one begins.
    fn segment_at(&self, from: u64) -> (&Buckets<T>, u64) {
        match &self.root {
            Root::One(table) => (table, 1 << POSITION_BITS),
            Root::Many(directory) => {
                let number = directory.number_for(from << (64 - POSITION_BITS));
                let segment = &directory.segments[number as usize];
                (&segment.table, (segment.prefix + 1) << (POSITION_BITS - segment.depth))
            }
        }
    }
}

/// Where a table's memory was when it was last seen. A hint, and never more: it can be read without
/// the lock that guards the table, and what it leads to is prefetched, not read.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts(AtomicU64);

const ADDRESS_BITS: u32 = 48;

impl Whereabouts {
    /// Starts to bring near what a look-up with this hash would read of the table.
    #[inline(always)]
    pub(crate) fn prefetch<T>(&self, hash: u64) {
        let seen = self.0.load(Relaxed);
        let address = seen & ((1 << ADDRESS_BITS) - 1);
        Buckets::<T>::prefetch_at((address as usize, (seen >> ADDRESS_BITS) as u32), hash);
    }

    /// Notes where a table is. Who holds it does so when it looks something up.
    #[inline(always)]
    pub(crate) fn note<T>(&self, table: &SegmentedTable<T>) {
        let (start, lines) = match &table.root {
            Root::One(table) => table.whereabouts(),
            Root::Many(directory) => (std::ptr::from_ref(&**directory).addr(), 0),
        };
        let seen = start as u64 | u64::from(lines) << ADDRESS_BITS;
        // Mostly it is where it was, and a cache line that is not written to stays with all threads.
        if self.0.load(Relaxed) != seen {
            self.0.store(seen, Relaxed);
        }
    }
}

impl<T> Directory<T> {
    fn new(whole: Segment<T>) -> Self {
        Self {
            depth: 0,
            deepest: 1,
            index: vec![0],
            len: whole.table.len(),
            table_bytes: whole.table.footprint(),
            segments: vec![whole],
        }
    }

    /// Segments of the same depth, each with room for so many entries and some more, since chance
    /// fills them unequally.
    fn with_room(depth: u32, each: usize) -> Self {
        let each = each + each / 8;
        let segment = |prefix| Segment { depth, prefix, table: Buckets::with_room(each) };
        let segments: Vec<Segment<T>> = (0..1 << depth).map(segment).collect();
        Self {
            depth,
            deepest: segments.len(),
            index: (0..1 << depth).collect(),
            len: 0,
            table_bytes: segments.iter().map(|segment| segment.table.footprint()).sum(),
            segments,
        }
    }

    fn footprint(&self) -> usize {
        footprint(size_of::<Self>())
            + footprint(self.index.capacity() * size_of::<u32>())
            + footprint(self.segments.capacity() * size_of::<Segment<T>>())
            + self.table_bytes
    }

    #[inline]
    fn number_for(&self, hash: u64) -> u32 {
        self.index[top_bits(hash, self.depth) as usize]
    }

    fn insert_unique(&mut self, hash: u64, value: T, hash_of: &impl Fn(&T) -> u64) {
        let mut number = self.number_for(hash) as usize;
        while self.segments[number].table.len() >= SEGMENT_LEN_MAX && self.may_split(number) {
            self.split(number, hash_of);
            number = self.number_for(hash) as usize;
        }
        let table = &mut self.segments[number].table;
        self.table_bytes -= table.footprint();
        table.insert(hash, value, hash_of);
        self.table_bytes += table.footprint();
        self.len += 1;
    }

    fn drain_some(&mut self, budget: usize) -> Vec<T> {
        while let Some(empty) = self.segments.pop_if(|last| last.table.is_empty()) {
            self.table_bytes -= empty.table.footprint();
        }
        let last = self.segments.last_mut();
        let taken: Vec<T> =
            last.map(|last| last.table.drain().take(budget).collect()).unwrap_or_default();
        self.len -= taken.len();
        taken
    }

    fn may_split(&self, number: usize) -> bool {
        let depth = self.segments[number].depth;
        depth < self.depth
            || (depth < POSITION_BITS
                && self.index.len() <= INDEX_PER_SEGMENT_MAX / 2 * self.segments.len())
    }

    fn split(&mut self, number: usize, hash_of: &impl Fn(&T) -> u64) {
        if self.segments[number].depth == self.depth {
            self.index = self.index.iter().flat_map(|&number| [number, number]).collect();
            self.depth += 1;
            self.deepest = 0;
        }
        let old = &mut self.segments[number];
        self.table_bytes -= old.table.footprint();
        old.depth += 1;
        old.prefix <<= 1;
        let (depth, upper_prefix) = (old.depth, old.prefix | 1);
        let mut lower = Buckets::new();
        let mut upper = Buckets::new();
        for entry in std::mem::take(&mut old.table).drain() {
            let hash = hash_of(&entry);
            let half = if top_bits(hash, depth) == upper_prefix { &mut upper } else { &mut lower };
            half.insert(hash, entry, hash_of);
        }
        self.table_bytes += lower.footprint() + upper.footprint();
        old.table = lower;
        if depth == self.depth {
            self.deepest += 2;
        }
        let upper_number = self.segments.len() as u32;
        self.segments.push(Segment { depth, prefix: upper_prefix, table: upper });
        self.point_at(upper_number);
    }

    /// Lets the index entries that a segment covers name it.
    fn point_at(&mut self, number: u32) {
        let segment = &self.segments[number as usize];
        let shift = self.depth - segment.depth;
        let first = (segment.prefix << shift) as usize;
        self.index[first..first + (1 << shift)].fill(number);
    }

    fn remove(&mut self, place: Place, hash_of: &impl Fn(&T) -> u64) -> T {
        let table = &mut self.segments[place.segment as usize].table;
        self.table_bytes -= table.footprint();
        let value = take_bucket(table, place.bucket, hash_of);
        self.table_bytes += table.footprint();
        self.len -= 1;
        self.merge(place.segment as usize, hash_of);
        value
    }

    /// Joins a segment with its neighbour when both are small, and halves the index when no
    /// segment needs its last bit.
    fn merge(&mut self, number: usize, hash_of: &impl Fn(&T) -> u64) {
        let segment = &self.segments[number];
        let depth = segment.depth;
        if depth == 0 || segment.table.len() > MERGE_LEN_MAX {
            return;
        }
        let shift = self.depth - depth;
        let other = self.index[((segment.prefix ^ 1) << shift) as usize] as usize;
        let neighbour = &self.segments[other];
        if neighbour.depth != depth || neighbour.table.len() + segment.table.len() > MERGE_LEN_MAX {
            return;
        }
        if depth == self.depth {
            self.deepest -= 2;
        }
        let mut absorbed = self.take_segment(other);
        // The last segment took the number that became free.
        let number = if number == self.segments.len() { other } else { number };
        let kept = &mut self.segments[number];
        self.table_bytes -= kept.table.footprint() + absorbed.table.footprint();
        kept.depth -= 1;
        kept.prefix >>= 1;
        for entry in absorbed.table.drain() {
            kept.table.insert(hash_of(&entry), entry, hash_of);
        }
        self.table_bytes += kept.table.footprint();
        self.point_at(number as u32);
        self.halve_index();
    }

    fn take_segment(&mut self, number: usize) -> Segment<T> {
        let taken = self.segments.swap_remove(number);
        if number < self.segments.len() {
            self.point_at(number as u32);
        }
        if self.segments.capacity() > 2 * self.segments.len() + 8 {
            self.segments.shrink_to(self.segments.len() + 4);
        }
        taken
    }

    fn halve_index(&mut self) {
        while self.deepest == 0 && self.depth > 0 {
            self.index = self.index.iter().step_by(2).copied().collect();
            self.depth -= 1;
            self.deepest = self.segments.iter().filter(|s| s.depth == self.depth).count();
        }
    }

    fn take_single_segment(&mut self) -> Option<Buckets<T>> {
        (self.segments.len() == 1).then(|| std::mem::take(&mut self.segments[0].table))
    }
}

fn take_bucket<T>(table: &mut Buckets<T>, bucket: u32, hash_of: &impl Fn(&T) -> u64) -> T {
    let value = table.remove(bucket, hash_of).expect("a place is used before the table changes");
    table.shrink(hash_of);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    /// Spreads small numbers over the whole hash space, and can crowd them into one corner of it.
    fn spread(number: &u64) -> u64 {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if number.is_multiple_of(3) { mixed >> 12 } else { mixed }
    }

    fn find(table: &SegmentedTable<u64>, number: u64) -> Option<Place> {
        table.find(spread(&number), |other| *other == number)
    }

    fn insert(table: &mut SegmentedTable<u64>, number: u64) {
        table.insert_unique(spread(&number), number, spread);
    }

    fn remove(table: &mut SegmentedTable<u64>, number: u64) {
        let place = find(table, number).expect("it was inserted");
        assert_eq!(table.remove(place, spread), number);
    }

    fn check_counts(table: &SegmentedTable<u64>) {
        if let Root::Many(directory) = &table.root {
            let lens: usize = directory.segments.iter().map(|s| s.table.len()).sum();
            assert_eq!(directory.len, lens);
            let bytes: usize = directory.segments.iter().map(|s| s.table.footprint()).sum();
            assert_eq!(directory.table_bytes, bytes);
            for (at, &number) in directory.index.iter().enumerate() {
                let segment = &directory.segments[number as usize];
                assert_eq!(at as u64 >> (directory.depth - segment.depth), segment.prefix);
            }
        }
    }

    #[test]
    fn it_grows_and_shrinks_through_many_segments() {
        let mut table = SegmentedTable::new();
        for number in 0..20_000 {
            insert(&mut table, number);
        }
        check_counts(&table);
        assert!(matches!(&table.root, Root::Many(directory) if directory.segments.len() > 20));
        for number in (0..20_000).filter(|number| number % 100 != 0) {
            remove(&mut table, number);
        }
        check_counts(&table);
        assert_eq!(table.len(), 200);
        assert!((0..20_000).all(|n| find(&table, n).is_some() == (n % 100 == 0)));
        for number in (0..20_000).step_by(100) {
            remove(&mut table, number);
        }
        assert_eq!(table.footprint(), 0);
    }

    #[test]
    fn hashes_that_agree_in_all_splitting_bits_still_fit() {
        let mut table = SegmentedTable::new();
        for number in 0..2_000u64 {
            table.insert_unique(number & 0xff, number, |number| number & 0xff);
        }
        for number in 0..2_000u64 {
            assert!(table.find(number & 0xff, |other| *other == number).is_some());
        }
    }

    #[test]
    fn whereabouts_follow_a_table_when_they_are_noted() {
        let seen = Whereabouts::default();
        let mut table = SegmentedTable::new();
        for number in 0..1_000 {
            insert(&mut table, number);
            seen.note(&table);
            let address = seen.0.load(Relaxed) & ((1 << ADDRESS_BITS) - 1);
            let expected = match &table.root {
                Root::One(table) => table.whereabouts().0,
                Root::Many(directory) => std::ptr::from_ref(&**directory).addr(),
            };
            assert_eq!(address, expected as u64);
            seen.prefetch::<u64>(spread(&number));
        }
        drop(table);
        seen.prefetch::<u64>(7);
    }

    #[test]
    fn chance_is_fair() {
        let mut table = SegmentedTable::new();
        (0..1_000).for_each(|number| insert(&mut table, number));
        let mut state = 7u64;
        let mut draws = HashMap::new();
        for _ in 0..100_000 {
            let drawn = *table
                .random(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    state >> 33
                })
                .expect("the table is not empty");
            *draws.entry(drawn).or_insert(0u32) += 1;
        }
        assert_eq!(draws.len(), 1_000);
        assert!(draws.values().all(|&count| (40..=180).contains(&count)), "{draws:?}");
    }

    #[test]
    fn draining_takes_everything_once() {
        let mut table = SegmentedTable::new();
        (0..5_000).for_each(|number| insert(&mut table, number));
        let mut taken = BTreeSet::new();
        while let Some(some) = table.drain_some(100) {
            assert!(some.len() <= 100);
            assert_eq!(table.len() + some.len() + taken.len(), 5_000);
            some.into_iter().for_each(|number| assert!(taken.insert(number)));
        }
        assert_eq!(taken.len(), 5_000);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(u64),
        Walk(usize),
    }

    fn step() -> impl Strategy<Value = Vec<Step>> {
        prop_oneof![
            // Long runs, so that segments split and merge under the walk.
            (0u64..3_000, 1u64..600)
                .prop_map(|(from, len)| (from..from + len).map(Step::Insert).collect()),
            (0u64..3_000, 1u64..600)
                .prop_map(|(from, len)| (from..from + len).map(Step::Remove).collect()),
            (1usize..300).prop_map(|count| vec![Step::Walk(count)]),
        ]
    }

    #[test]
    fn a_table_with_room_grows_no_more() {
        for len in [0, 1, 100, 392, 393, 5_000, 100_000] {
            let mut table = SegmentedTable::with_room(len as usize);
            let before = table.footprint();
            check_counts(&table);
            let hash = |entry: &u64| {
                let mixed = spread(&(3 * entry + 1));
                (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
            };
            for entry in 0..len {
                table.insert_unique(hash(&entry), entry, hash);
            }
            check_counts(&table);
            assert!(table.footprint() <= before + before / 5, "{len}");
            assert!(table.iter().count() == len as usize);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_a_set_and_a_walk_meets_all_that_stays(
            steps in proptest::collection::vec(step(), 1..40),
        ) {
            let mut table = SegmentedTable::new();
            let mut twin = BTreeSet::new();
            let mut always: BTreeSet<u64> = BTreeSet::new();
            let mut met = BTreeSet::new();
            let mut place = Some(0);
            for step in steps.into_iter().flatten() {
                match step {
                    Step::Insert(number) => {
                        prop_assert_eq!(find(&table, number).is_some(), !twin.insert(number));
                        if find(&table, number).is_none() {
                            insert(&mut table, number);
                        }
                    }
                    Step::Remove(number) => {
                        always.remove(&number);
                        if twin.remove(&number) {
                            remove(&mut table, number);
                        }
                    }
                    Step::Walk(count) => {
                        let Some(from) = place else { continue };
                        if from == 0 {
                            always = twin.clone();
                            met.clear();
                        }
                        let before = met.len();
                        place = table.walk(from, count, spread, |number| {
                            met.insert(*number);
                        });
                        prop_assert!(place.is_none() || met.len() >= before + count);
                    }
                }
            }
            check_counts(&table);
            prop_assert_eq!(table.len(), twin.len());
            prop_assert_eq!(&table.iter().copied().collect::<BTreeSet<_>>(), &twin);
            while let Some(from) = place {
                if from == 0 {
                    always = twin.clone();
                }
                place = table.walk(from, 50, spread, |number| {
                    met.insert(*number);
                });
            }
            prop_assert!(met.is_superset(&always));
        }
    }
}
