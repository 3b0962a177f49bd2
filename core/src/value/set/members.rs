//! A large set: a table of members.

use crate::structs::listpack::Element;
use crate::structs::member::Member;
use crate::structs::prefetch::prefetch;
use crate::structs::table::{POSITION_BITS, Place, SegmentedTable};
use foldhash::quality::FixedState;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};

/// The members of a large set, each once.
#[derive(Debug)]
pub(crate) struct Members {
    table: SegmentedTable<Member>,
    hasher: FixedState,
    /// What the members' blocks take from the allocator.
    block_bytes: usize,
}

/// How many elements are looked for together, so that their cache misses are waited for at once.
pub(super) const TOGETHER: usize = 32;

/// Members that are freed in one step: some 20 microseconds of work.
const FREE_STEP: usize = 256;
/// The last place of a walk. A cursor that no walk gave is cut to such a place.
const CURSOR_MAX: u64 = (1 << POSITION_BITS) - 1;

/// Some elements that are looked for together.
pub(super) type Chunk<'a> = SmallVec<[Element<'a>; TOGETHER]>;

#[inline]
fn hash(hasher: &FixedState, element: Element<'_>) -> u64 {
    let mut hasher = hasher.build_hasher();
    match element {
        Element::Int(value) => hasher.write_i64(value),
        Element::Bytes(text) => hasher.write(text),
    }
    hasher.finish()
}

impl Members {
    /// An empty set. `seed` is a secret, the same for all sets of an engine.
    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { table: SegmentedTable::new(), hasher, block_bytes: 0 }
    }

    /// An empty set with room for `len` members.
    pub(super) fn with_room(len: usize, seed: u64) -> Self {
        Self { table: SegmentedTable::with_room(len), ..Self::new(seed) }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes that the set takes from the allocator, beside its own fields.
    pub(crate) fn footprint(&self) -> usize {
        self.table.footprint() + self.block_bytes
    }

    #[inline]
    fn find(&self, hash: u64, element: Element<'_>) -> Option<Place> {
        self.table.find(hash, |member| member.is(element))
    }

    #[inline]
    pub(super) fn contains(&self, element: Element<'_>) -> bool {
        self.find(hash(&self.hasher, element), element).is_some()
    }

    /// Adds an element. Returns false if it was there.
    pub(super) fn add(&mut self, element: Element<'_>) -> bool {
        let hash = hash(&self.hasher, element);
        let is_new = self.find(hash, element).is_none();
        if is_new {
            self.insert(hash, Member::new(element));
        }
        is_new
    }

    /// Adds an element that is known not to be there.
    pub(super) fn add_new(&mut self, element: Element<'_>) {
        self.add_new_member(Member::new(element));
    }

    /// Adds elements that are known not to be there and to be different.
    pub(super) fn add_all_new(&mut self, elements: &[Element<'_>]) {
        for (number, element) in elements.iter().enumerate() {
            if let Some(Element::Bytes(text)) = elements.get(number + TOGETHER) {
                prefetch(text.as_ptr());
            }
            self.add_new(*element);
        }
    }

    /// Adds a member that is known not to be there.
    pub(super) fn add_new_member(&mut self, member: Member) {
        self.insert(hash(&self.hasher, member.element()), member);
    }

    fn insert(&mut self, hash: u64, member: Member) {
        self.block_bytes += member.footprint();
        let hasher = &self.hasher;
        self.table.insert_unique(hash, member, |member| self::hash(hasher, member.element()));
    }

    /// Takes an element out. Returns false if it was not there.
    pub(super) fn remove(&mut self, element: Element<'_>) -> bool {
        let place = self.find(hash(&self.hasher, element), element);
        place.map(|place| self.take(place)).is_some()
    }

    fn take(&mut self, place: Place) -> Member {
        let hasher = &self.hasher;
        let member = self.table.remove(place, |member| hash(hasher, member.element()));
        self.block_bytes -= member.footprint();
        member
    }

    /// A member chosen by chance.
    pub(super) fn random(&self, random: impl FnMut() -> u64) -> Option<&Member> {
        self.table.random(random)
    }

    /// Takes out a member chosen by chance.
    pub(super) fn take_random(&mut self, random: impl FnMut() -> u64) -> Option<Member> {
        let chosen = self.table.random(random)?;
        let hash = hash(&self.hasher, chosen.element());
        let place = self.table.find(hash, |member| member.is_same(chosen))?;
        Some(self.take(place))
    }

    /// Visits members in the order of their places from a cursor on, which starts at zero. Returns
    /// the cursor to go on from, or zero at the end.
    pub(super) fn walk(&self, cursor: u64, count: usize, visit: impl FnMut(&Member)) -> u64 {
        let hash_of = |member: &Member| hash(&self.hasher, member.element());
        self.table.walk(cursor & CURSOR_MAX, count, hash_of, visit).unwrap_or(0)
    }

    /// The members in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        Ahead { coming: self.table.iter(), near: SmallVec::new() }
    }

    /// Keeps those elements of a chunk that are here, or those that are not.
    pub(super) fn keep(&self, chunk: &mut Chunk<'_>, present: bool) {
        let hashes: SmallVec<[u64; TOGETHER]> =
            chunk.iter().map(|element| hash(&self.hasher, *element)).collect();
        for &hash in &hashes {
            self.table.prefetch(hash);
        }
        for &hash in &hashes {
            if let Some(member) = self.table.candidate(hash) {
                member.prefetch();
            }
        }
        let mut hashes = hashes.iter();
        chunk.retain(|element| {
            let hash = hashes.next().expect("one for each element");
            self.find(*hash, *element).is_some() == present
        });
    }

    /// Whether freeing it at once could take longer than a call should.
    pub(in crate::value) fn is_large(&self) -> bool {
        self.len() > FREE_STEP
    }

    /// Frees some of the members. The set is of no other use after that.
    pub(in crate::value) fn free_step(&mut self) {
        for member in self.table.drain_some(FREE_STEP).into_iter().flatten() {
            self.block_bytes -= member.footprint();
        }
    }
}

impl Clone for Members {
    fn clone(&self) -> Self {
        let table = SegmentedTable::with_room(self.len());
        let mut copy = Self { table, hasher: self.hasher.clone(), block_bytes: 0 };
        self.iter().for_each(|member| copy.add_new_member(member.clone()));
        copy
    }
}

/// Members whose blocks are asked for some time before they are read: they lie in no order.
struct Ahead<'a, I> {
    coming: I,
    /// Asked for already, the next one last.
    near: SmallVec<[&'a Member; TOGETHER]>,
}

impl<'a, I: Iterator<Item = &'a Member>> Iterator for Ahead<'a, I> {
    type Item = &'a Member;

    #[inline]
    fn next(&mut self) -> Option<&'a Member> {
        if self.near.is_empty() {
            for member in self.coming.by_ref().take(TOGETHER) {
                member.prefetch();
                self.near.push(member);
            }
        }
        self.near.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::element;

    #[test]
    fn what_members_take_is_counted() {
        let mut members = Members::new(1);
        let check = |members: &Members| {
            let blocks = members.iter().map(Member::footprint).sum::<usize>();
            assert_eq!(members.block_bytes, blocks);
        };
        for number in 0..5_000i64 {
            assert!(members.add(element(format!("member:{number}").as_bytes())));
            assert!(members.add(Element::Int(number << 40)));
        }
        check(&members);
        for number in (0..5_000i64).filter(|number| number % 7 != 0) {
            assert!(members.remove(element(format!("member:{number}").as_bytes())));
            assert!(members.remove(Element::Int(number << 40)));
        }
        check(&members);
        let mut copy = members.clone();
        assert!(copy.iter().all(|member| members.contains(member.element())));
        assert_eq!((copy.len(), copy.block_bytes), (members.len(), members.block_bytes));
        while copy.is_large() {
            copy.free_step();
            check(&copy);
        }
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).rotate_left(29) + 1;
            state
        };
        while members.take_random(&mut random).is_some() {}
        assert_eq!(members.footprint(), 0);
    }
}
