//! Members with scores: found by their text, and kept in the order of scores and texts with a rank
//! for each.
//!
//! ```text
//!   table, by hash           blocks                 tree, in order
//!   | . | ----------------> | 5.0 | k    | <------ 5.0 | .
//!   | . | ----+                             +----- 9.5 | .
//!             +-----------> | 9.5 | b    | <+
//! ```
//! There is one block for each member; the table owns it, and the tree links to it. A rank is found
//! by descending with the score, which the table gives.
//!
//! Costs: the score of a text O(1); everything else O(log n). A member of eight bytes takes 24 bytes
//! for its block, about 11 in the table and 14 to 21 in the tree.

mod member;
mod tree;

use super::table::SegmentedTable;
use foldhash::quality::FixedState;
use member::{Link, Member};
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use tree::{Tree, Walk};

/// Texts with a score each. Scores are never NaN.
#[derive(Debug)]
pub(crate) struct RankedMap {
    table: SegmentedTable<Member>,
    tree: Tree,
    hasher: FixedState,
    member_bytes: usize,
}

/// No block of a member is smaller.
const MEMBER_BYTES_MIN: usize = 16;

fn hash(hasher: &FixedState, text: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(text);
    hasher.finish()
}

impl RankedMap {
    /// An empty map. `seed` makes the order in which walks visit unpredictable.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { table: SegmentedTable::new(), tree: Tree::default(), hasher, member_bytes: 0 }
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes that all of this takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        self.table.footprint() + self.tree.footprint() + self.member_bytes
    }

    /// The score of a member.
    pub(crate) fn score(&self, text: &[u8]) -> Option<f64> {
        let hash = hash(&self.hasher, text);
        let place = self.table.find(hash, |member| member.text() == text)?;
        Some(self.table.at(place).score())
    }

    /// The rank of a member, and its score.
    pub(crate) fn rank(&self, text: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(text)?;
        Some((self.tree.rank(score, text), score))
    }

    /// How many members have scores that `before` accepts: all up to one, and none after it.
    pub(crate) fn rank_by_score(&self, before: impl Fn(f64) -> bool) -> usize {
        self.tree.rank_by_score(before)
    }

    /// How many members have texts that `before` accepts: all up to one, and none after it.
    pub(crate) fn rank_by_text(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.tree.rank_by_text(before)
    }

    /// Lets `decide` see the score of a member, none if it is not there. Sets the score that it
    /// returns, if it returns one; a member that was not there is added.
    pub(crate) fn update(&mut self, text: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = hash(&self.hasher, text);
        let place = self.table.find(hash, |member| member.text() == text);
        let old = place.map(|place| self.table.at(place).score());
        let Some(score) = decide(old) else { return };
        debug_assert!(!score.is_nan());
        let Some(place) = place else { return self.add(hash, text, score) };
        let member = self.table.at_mut(place);
        let (old, link) = (member.score(), member.link());
        if !self.tree.rescore((old, link), score) {
            self.tree.remove((old, link));
            // SAFETY: the table owns the member, and no member leaves the table before the tree.
            unsafe { self.tree.insert((score, link)) };
        }
        member.set_score(score);
    }

    /// Adds a member that is not there.
    pub(crate) fn push(&mut self, text: &[u8], score: f64) {
        self.add(hash(&self.hasher, text), text, score);
    }

    fn add(&mut self, hash: u64, text: &[u8], score: f64) {
        let member = Member::new(text, score);
        let link = member.link();
        self.member_bytes += member.footprint();
        let hasher = &self.hasher;
        self.table.insert_unique(hash, member, |member| self::hash(hasher, member.text()));
        // SAFETY: the table owns the member, and no member leaves the table before the tree.
        unsafe { self.tree.insert((score, link)) };
    }

    /// Takes a member out. Returns its score, none if it is not there.
    pub(crate) fn remove(&mut self, text: &[u8]) -> Option<f64> {
        let hasher = &self.hasher;
        let place = self.table.find(hash(hasher, text), |member| member.text() == text)?;
        let (score, link) = (self.table.at(place).score(), self.table.at(place).link());
        self.tree.remove((score, link));
        let member = self.table.remove(place, |member| hash(hasher, member.text()));
        self.member_bytes -= member.footprint();
        Some(score)
    }

    /// Takes out the members of these ranks, which there must be.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>) {
        let some: Vec<_> = self.tree.walk(ranks.start, ranks.len(), false).collect();
        let hasher = &self.hasher;
        for (score, link) in some {
            self.tree.remove((score, link));
            // SAFETY: the table owns the member until it is removed just below.
            let text = unsafe { link.text() };
            let place = self.table.find(hash(hasher, text), |member| member.link() == link);
            let place = place.expect("what the tree has is in the table");
            let member = self.table.remove(place, |member| hash(hasher, member.text()));
            self.member_bytes -= member.footprint();
        }
    }

    /// The members of these ranks, which there must be: upwards, or downwards from the last.
    pub(crate) fn range(&self, ranks: Range<usize>, downwards: bool) -> Members<'_> {
        let from = if downwards { ranks.end.wrapping_sub(1) } else { ranks.start };
        Members { walk: self.tree.walk(from, ranks.len(), downwards) }
    }

    /// Visits members in the order of their hashes; see [`SegmentedTable::walk`].
    pub(crate) fn walk(
        &self,
        from: u64,
        count: usize,
        mut visit: impl FnMut(&[u8], f64),
    ) -> Option<u64> {
        let hash_of = |member: &Member| hash(&self.hasher, member.text());
        self.table.walk(from, count, hash_of, |member| visit(member.text(), member.score()))
    }

    /// Whether there are more members than so many; also while it is being freed.
    pub(crate) fn holds_more_than(&self, members: usize) -> bool {
        self.member_bytes > members * MEMBER_BYTES_MIN
    }

    /// Frees some of it: up to `budget` members, or an eighth as many nodes. Returns whether nothing
    /// is left. Ranks mean nothing from then on.
    pub(crate) fn shed(&mut self, budget: usize) -> bool {
        // The tree goes first, since its links must be to members that live.
        if !self.tree.shed(budget / 8) {
            return false;
        }
        let Some(members) = self.table.drain_some(budget) else { return true };
        self.member_bytes -= members.iter().map(Member::footprint).sum::<usize>();
        false
    }
}

impl Clone for RankedMap {
    fn clone(&self) -> Self {
        let mut copy = Self { hasher: self.hasher.clone(), ..Self::new(0) };
        for (text, score) in self.range(0..self.len(), false) {
            copy.push(text, score);
        }
        copy
    }
}

/// Members in order, with their scores.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    walk: Walk<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let (score, link): (f64, Link) = self.walk.next()?;
        // SAFETY: the tree links to members that the table owns, and both are borrowed.
        Some((unsafe { link.text() }, score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.walk.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The naive twin: a map from text to score, sorted for every question.
    #[derive(Default)]
    struct Twin(BTreeMap<Vec<u8>, f64>);

    impl Twin {
        fn sorted(&self) -> Vec<(&[u8], f64)> {
            let mut all: Vec<_> = self.0.iter().map(|(text, &score)| (&text[..], score)).collect();
            all.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(other.0)));
            all
        }
    }

    fn check(map: &RankedMap, twin: &Twin) {
        let sorted = twin.sorted();
        assert_eq!(map.tree.check(), sorted.len());
        assert_eq!(map.len(), sorted.len());
        assert!(map.range(0..sorted.len(), false).eq(sorted.iter().copied()));
        assert!(map.range(0..sorted.len(), true).eq(sorted.iter().rev().copied()));
        for (rank, &(text, score)) in sorted.iter().enumerate() {
            assert_eq!(map.rank(text), Some((rank, score)));
        }
        let bytes: usize = map.table.iter().map(Member::footprint).sum();
        assert_eq!(map.member_bytes, bytes);
    }

    fn set(map: &mut RankedMap, text: &[u8], score: f64) {
        map.update(text, |_| Some(score));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u32, f64),
        Remove(u32),
        RemoveRange(usize, usize),
    }

    /// Texts of all lengths, some of them long.
    fn text(number: u32) -> Vec<u8> {
        let mut text = (number.wrapping_mul(0x9e37_79b1) >> 3).to_string().into_bytes();
        if number.is_multiple_of(50) {
            text.resize(200 + number as usize % 100, b'x');
        }
        text
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let score = |number: u32, spread: u32| match spread {
            0 => 1.0,
            1 => f64::from(number),
            2 => -f64::from(number / 10),
            3 if number.is_multiple_of(7) => f64::NEG_INFINITY,
            _ => f64::from(number.wrapping_mul(0x9e37_79b1)) / 7.0,
        };
        prop_oneof![
            4 => (0u32..2_000, 1u32..400, 0u32..5).prop_map(move |(from, len, spread)| {
                (from..from + len).map(|n| Step::Set(n, score(n, spread))).collect()
            }),
            2 => (0u32..2_000, 1u32..500)
                .prop_map(|(from, len)| (from..from + len).map(Step::Remove).collect()),
            1 => (0usize..2_000, 1usize..900)
                .prop_map(|(from, len)| vec![Step::RemoveRange(from, len)]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn it_is_a_map_with_ranks(runs in prop::collection::vec(steps(), 1..30)) {
            let mut map = RankedMap::new(7);
            let mut twin = Twin::default();
            for run in runs {
                for step in run {
                    match step {
                        Step::Set(number, score) => {
                            let text = text(number);
                            let mut old = None;
                            map.update(&text, |score_old| {
                                old = score_old;
                                Some(score)
                            });
                            prop_assert_eq!(old, twin.0.insert(text, score));
                        }
                        Step::Remove(number) => {
                            let text = text(number);
                            prop_assert_eq!(map.remove(&text), twin.0.remove(&text));
                        }
                        Step::RemoveRange(from, len) => {
                            let from = from.min(map.len());
                            let ranks = from..(from + len).min(map.len());
                            let sorted = twin.sorted();
                            let gone = sorted[ranks.clone()].iter();
                            let gone: BTreeSet<_> = gone.map(|(text, _)| text.to_vec()).collect();
                            map.remove_range(ranks);
                            twin.0.retain(|text, _| !gone.contains(text));
                        }
                    }
                }
                prop_assert_eq!(map.tree.check(), twin.0.len());
            }
            check(&map, &twin);
            let sorted = twin.sorted();
            for bound in [f64::NEG_INFINITY, -3.0, 0.0, 1.0, 500.0, f64::INFINITY] {
                let below = sorted.iter().filter(|(_, score)| *score < bound).count();
                prop_assert_eq!(map.rank_by_score(|score| score < bound), below);
            }
            for at in (0..sorted.len()).step_by(37) {
                let ranks = at..(at + 100).min(sorted.len());
                prop_assert!(map.range(ranks.clone(), false).eq(sorted[ranks.clone()].iter().copied()));
                prop_assert!(map.range(ranks.clone(), true).eq(sorted[ranks].iter().rev().copied()));
            }
            check(&map.clone(), &twin);
        }
    }

    #[test]
    fn members_that_come_in_order_leave_full_leaves() {
        let mut map = RankedMap::new(0);
        for number in 0..64_000 {
            set(&mut map, number.to_string().as_bytes(), f64::from(number));
        }
        assert!(map.tree.footprint() < 64_000 * 16, "{}", map.tree.footprint());
        assert_eq!(map.tree.check(), 64_000);
    }

    #[test]
    fn equal_scores_are_in_the_order_of_texts() {
        let mut map = RankedMap::new(0);
        (0..5_000u32).for_each(|number| set(&mut map, &text(number), 0.0));
        let texts: Vec<_> = map.range(0..5_000, false).map(|(text, _)| text).collect();
        assert!(texts.is_sorted());
        assert_eq!(map.rank_by_text(|text| text < texts[777]), 777);
    }

    #[test]
    fn a_walk_visits_all_and_shedding_frees_all() {
        let mut map = RankedMap::new(3);
        (0..5_000u32).for_each(|number| set(&mut map, &text(number), f64::from(number)));
        let (mut at, mut met) = (Some(0), BTreeSet::new());
        while let Some(from) = at {
            at = map.walk(from, 10, |text, _| assert!(met.insert(text.to_vec())));
        }
        assert_eq!(met.len(), 5_000);
        let before = map.footprint();
        let mut steps = 1;
        while !map.shed(64) {
            steps += 1;
        }
        assert!(steps > 5_000 / 64, "{steps}");
        assert!(before > 5_000 * 40 && map.member_bytes == 0 && map.tree.footprint() == 0);
    }
}
