//! An ordered tree of scores and links to members, which knows the rank of each.
//!
//! ```text
//!   inner    first of each child  (1.0, a)   (5.0, k)   (9.5, b)
//!            entries below it        40         64         12
//!                                    |          |          |
//!   leaves   scores                1.0 1.0 ..  5.0 5.5 ..  9.5 ..
//!            links                  a   b       k   c       b'
//! ```
//! A B+ tree of up to [`FAN`] entries or children a node. Scores lie side by side, and so do links;
//! a member's text is looked at only where scores are equal. A full node splits in two, unless the
//! entry goes to the very end, where a new node begins: entries that come in order leave full nodes
//! behind. A node that is a quarter full becomes one with a neighbour if they fit well into one.
//!
//! Costs: everything O(log n); a rank also sums up to [`FAN`] counts a level.

use super::member::Link;
use crate::structs::boxed::ArenaBox;
use crate::structs::prefetch::prefetch;
use smallvec::SmallVec;

/// Entries of a leaf, and children of an inner node, at most.
const FAN: usize = 64;
/// A node with fewer looks for a neighbour to become one with.
const SMALL: usize = FAN / 4;
/// Two neighbours that hold no more than this together become one.
const JOINED_MAX: usize = FAN * 3 / 4;
/// Bytes that the processor fetches at once.
const CACHE_LINE: usize = 64;
/// How many links ahead of a walk members are asked for.
const AHEAD: usize = 8;

/// A score and the link to its member.
pub(super) type Entry = (f64, Link);

/// Every link in it is to a member that lives.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Option<Node>,
    nodes: NodeCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NodeCounts {
    leaves: usize,
    inners: usize,
}

#[derive(Debug)]
enum Node {
    Leaf(ArenaBox<Leaf>),
    Inner(ArenaBox<Inner>),
}

#[derive(Debug)]
struct Leaf {
    keys: Keys,
}

#[derive(Debug)]
struct Inner {
    /// The first entry of each child.
    keys: Keys,
    /// How many entries are below each child.
    counts: [usize; FAN],
    children: [Option<Node>; FAN],
}

/// Entries in order.
#[derive(Debug)]
struct Keys {
    len: usize,
    scores: [f64; FAN],
    links: [Link; FAN],
}

/// Whether an entry comes before a score with a text.
///
/// # Safety
/// The entry's member lives.
#[inline]
unsafe fn is_before(entry: Entry, score: f64, text: &[u8]) -> bool {
    // SAFETY: as promised.
    entry.0 < score || (entry.0 == score && unsafe { entry.1.text() } < text)
}

impl Keys {
    const EMPTY: Self = Self { len: 0, scores: [0.0; FAN], links: [Link::NONE; FAN] };

    #[inline]
    fn get(&self, at: usize) -> Entry {
        (self.scores[at], self.links[at])
    }

    fn set(&mut self, at: usize, (score, link): Entry) {
        (self.scores[at], self.links[at]) = (score, link);
    }

    /// How many entries `before` accepts, which must be all up to one and none after it.
    #[inline]
    fn search(&self, before: impl Fn(Entry) -> bool) -> usize {
        let (mut low, mut left) = (0, self.len);
        while left > 0 {
            let half = left / 2;
            if before(self.get(low + half)) {
                low += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        low
    }

    fn insert(&mut self, at: usize, entry: Entry) {
        self.scores.copy_within(at..self.len, at + 1);
        self.links.copy_within(at..self.len, at + 1);
        self.set(at, entry);
        self.len += 1;
    }

    fn remove(&mut self, at: usize) {
        self.scores.copy_within(at + 1..self.len, at);
        self.links.copy_within(at + 1..self.len, at);
        self.len -= 1;
    }

    /// Moves the entries from a place on to others that are empty.
    fn split(&mut self, at: usize, upper: &mut Self) {
        upper.len = self.len - at;
        upper.scores[..upper.len].copy_from_slice(&self.scores[at..self.len]);
        upper.links[..upper.len].copy_from_slice(&self.links[at..self.len]);
        self.len = at;
    }

    fn append(&mut self, upper: &Self) {
        let end = self.len + upper.len;
        self.scores[self.len..end].copy_from_slice(&upper.scores[..upper.len]);
        self.links[self.len..end].copy_from_slice(&upper.links[..upper.len]);
        self.len = end;
    }

    /// Starts to bring the scores near, of which a search would wait for one after the other.
    #[inline]
    fn prefetch_scores(&self) {
        self.scores.chunks(CACHE_LINE / size_of::<f64>()).for_each(|line| prefetch(line.as_ptr()));
    }

    #[inline]
    fn prefetch_member(&self, at: usize) {
        if at < self.len {
            self.links[at].prefetch();
        }
    }
}

impl NodeCounts {
    fn leaf(&mut self) -> ArenaBox<Leaf> {
        self.leaves += 1;
        ArenaBox::new(Leaf { keys: Keys::EMPTY })
    }

    fn inner(&mut self) -> ArenaBox<Inner> {
        self.inners += 1;
        let children = [const { None }; FAN];
        ArenaBox::new(Inner { keys: Keys::EMPTY, counts: [0; FAN], children })
    }

    /// Counts a node no more.
    fn forget(&mut self, node: &Node) {
        match node {
            Node::Leaf(_) => self.leaves -= 1,
            Node::Inner(_) => self.inners -= 1,
        }
    }

    /// Counts a node no more, nor what is below it.
    fn forget_all(&mut self, node: &Node) {
        self.forget(node);
        if let Node::Inner(inner) = node {
            inner.children.iter().flatten().for_each(|child| self.forget_all(child));
        }
    }
}

impl Node {
    #[inline]
    fn keys(&self) -> &Keys {
        match self {
            Self::Leaf(leaf) => &leaf.keys,
            Self::Inner(inner) => &inner.keys,
        }
    }

    /// How many entries are here and below.
    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.keys.len,
            Self::Inner(inner) => inner.count_before(inner.keys.len),
        }
    }

    /// Adds an entry; `before` accepts those that come before it. `is_last` says that nothing is
    /// right of this node. Returns what became too much, to stand right of it.
    fn insert(
        &mut self,
        entry: Entry,
        before: &impl Fn(Entry) -> bool,
        is_last: bool,
        nodes: &mut NodeCounts,
    ) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => leaf.insert(entry, before, is_last, nodes).map(Self::Leaf),
            Self::Inner(inner) => inner.insert(entry, before, is_last, nodes).map(Self::Inner),
        }
    }

    fn remove(&mut self, link: Link, before: &impl Fn(Entry) -> bool, nodes: &mut NodeCounts) {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.keys.search(before);
                assert!(at < leaf.keys.len && leaf.keys.links[at] == link, "it is in the tree");
                leaf.keys.remove(at);
            }
            Self::Inner(inner) => inner.remove(link, before, nodes),
        }
    }

    /// Takes over what is in the right neighbour, which is of the same height.
    fn absorb(&mut self, right: Self) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => left.keys.append(&right.keys),
            (Self::Inner(left), Self::Inner(mut right)) => {
                let (len, more) = (left.keys.len, right.keys.len);
                left.counts[len..len + more].copy_from_slice(&right.counts[..more]);
                left.children[len..len + more].swap_with_slice(&mut right.children[..more]);
                left.keys.append(&right.keys);
            }
            (Self::Leaf(_), Self::Inner(_)) | (Self::Inner(_), Self::Leaf(_)) => {
                unreachable!("all leaves have the same depth")
            }
        }
    }

    /// Frees leaves from the end, up to `budget` of them. Returns whether none is left.
    fn shed(&mut self, budget: &mut usize, nodes: &mut NodeCounts) -> bool {
        let Self::Inner(inner) = self else {
            *budget = budget.saturating_sub(1);
            return true;
        };
        while let Some(last) = inner.keys.len.checked_sub(1) {
            if *budget == 0 || !inner.child_mut(last).shed(budget, nodes) {
                return false;
            }
            nodes.forget(&inner.take(last));
        }
        true
    }
}

impl Leaf {
    fn insert(
        &mut self,
        entry: Entry,
        before: &impl Fn(Entry) -> bool,
        is_last: bool,
        nodes: &mut NodeCounts,
    ) -> Option<ArenaBox<Self>> {
        let at = self.keys.search(before);
        if self.keys.len < FAN {
            self.keys.insert(at, entry);
            return None;
        }
        let mut upper = nodes.leaf();
        if is_last && at == FAN {
            upper.keys.insert(0, entry);
            return Some(upper);
        }
        self.keys.split(FAN / 2, &mut upper.keys);
        match at.checked_sub(FAN / 2) {
            None | Some(0) => self.keys.insert(at, entry),
            Some(at) => upper.keys.insert(at, entry),
        }
        Some(upper)
    }
}

impl Inner {
    fn child(&self, at: usize) -> &Node {
        self.children[at].as_ref().expect("there is a child for each key")
    }

    fn child_mut(&mut self, at: usize) -> &mut Node {
        self.children[at].as_mut().expect("there is a child for each key")
    }

    #[inline]
    fn count_before(&self, at: usize) -> usize {
        self.counts[..at].iter().sum()
    }

    fn insert(
        &mut self,
        entry: Entry,
        before: &impl Fn(Entry) -> bool,
        is_last: bool,
        nodes: &mut NodeCounts,
    ) -> Option<ArenaBox<Self>> {
        let smaller = self.keys.search(before);
        if smaller == 0 {
            self.keys.set(0, entry);
        }
        let at = smaller.saturating_sub(1);
        let is_last = is_last && at + 1 == self.keys.len;
        self.counts[at] += 1;
        self.child(at).keys().prefetch_scores();
        let right = self.child_mut(at).insert(entry, before, is_last, nodes)?;
        self.counts[at] -= right.count();
        self.put_or_split(at + 1, right, is_last, nodes)
    }

    fn put_or_split(
        &mut self,
        at: usize,
        child: Node,
        is_last: bool,
        nodes: &mut NodeCounts,
    ) -> Option<ArenaBox<Self>> {
        if self.keys.len < FAN {
            self.put(at, child);
            return None;
        }
        let mut upper = nodes.inner();
        if is_last {
            upper.put(0, child);
            return Some(upper);
        }
        self.keys.split(FAN / 2, &mut upper.keys);
        upper.counts[..FAN / 2].copy_from_slice(&self.counts[FAN / 2..]);
        upper.children[..FAN / 2].swap_with_slice(&mut self.children[FAN / 2..]);
        match at.checked_sub(FAN / 2) {
            None | Some(0) => self.put(at, child),
            Some(at) => upper.put(at, child),
        }
        Some(upper)
    }

    /// Puts a child before the one at a place.
    fn put(&mut self, at: usize, child: Node) {
        let len = self.keys.len;
        self.keys.insert(at, child.keys().get(0));
        self.counts.copy_within(at..len, at + 1);
        self.counts[at] = child.count();
        self.children[at..=len].rotate_right(1);
        self.children[at] = Some(child);
    }

    /// Takes a child out.
    fn take(&mut self, at: usize) -> Node {
        let len = self.keys.len;
        self.keys.remove(at);
        self.counts.copy_within(at + 1..len, at);
        let child = self.children[at].take().expect("there is a child for each key");
        self.children[at..len].rotate_left(1);
        child
    }

    fn remove(&mut self, link: Link, before: &impl Fn(Entry) -> bool, nodes: &mut NodeCounts) {
        let at = self.child_with(link, before);
        self.counts[at] -= 1;
        if self.counts[at] == 0 {
            nodes.forget_all(&self.take(at));
            return;
        }
        self.child(at).keys().prefetch_scores();
        self.child_mut(at).remove(link, before, nodes);
        let first = self.child(at).keys().get(0);
        self.keys.set(at, first);
        self.join(at, nodes);
    }

    /// The child below which an entry is.
    fn child_with(&self, link: Link, before: &impl Fn(Entry) -> bool) -> usize {
        let smaller = self.keys.search(before);
        let is_first = smaller < self.keys.len && self.keys.links[smaller] == link;
        if is_first { smaller } else { smaller - 1 }
    }

    /// Lets a small child become one with a neighbour.
    fn join(&mut self, at: usize, nodes: &mut NodeCounts) {
        let width = |at: usize| self.child(at).keys().len;
        if width(at) >= SMALL {
            return;
        }
        let fits =
            |left: usize| left + 1 < self.keys.len && width(left) + width(left + 1) <= JOINED_MAX;
        let mut lefts = [Some(at), at.checked_sub(1)].into_iter().flatten();
        let Some(left) = lefts.find(|&left| fits(left)) else { return };
        let count = self.counts[left + 1];
        let right = self.take(left + 1);
        nodes.forget(&right);
        self.counts[left] += count;
        self.child_mut(left).absorb(right);
    }
}

impl Tree {
    /// Bytes that the nodes take.
    pub(super) fn footprint(&self) -> usize {
        self.nodes.leaves * ArenaBox::<Leaf>::footprint()
            + self.nodes.inners * ArenaBox::<Inner>::footprint()
    }

    /// Adds an entry that is not there.
    ///
    /// # Safety
    /// The member lives until the entry is removed, or nothing but `shed` and drop happens to the
    /// tree after it.
    pub(super) unsafe fn insert(&mut self, entry: Entry) {
        // SAFETY: as promised by the caller; and for others, by those who inserted them.
        let text = unsafe { entry.1.text() };
        // SAFETY: every link in the tree is to a member that lives.
        let before = |other| unsafe { is_before(other, entry.0, text) };
        let Some(root) = &mut self.root else {
            let mut leaf = self.nodes.leaf();
            leaf.keys.insert(0, entry);
            self.root = Some(Node::Leaf(leaf));
            return;
        };
        if let Some(right) = root.insert(entry, &before, true, &mut self.nodes) {
            let mut top = self.nodes.inner();
            top.put(0, self.root.take().expect("it was split just now"));
            top.put(1, right);
            self.root = Some(Node::Inner(top));
        }
    }

    /// Takes out an entry that is there.
    pub(super) fn remove(&mut self, (score, link): Entry) {
        // SAFETY: every link in the tree is to a member that lives.
        let text = unsafe { link.text() };
        // SAFETY: as above.
        let before = |other| unsafe { is_before(other, score, text) };
        let Some(root) = &mut self.root else { unreachable!("the entry is in the tree") };
        root.remove(link, &before, &mut self.nodes);
        while let Some(Node::Inner(top)) = &mut self.root
            && top.keys.len == 1
        {
            let only = top.children[0].take();
            self.nodes.inners -= 1;
            self.root = only;
        }
        if let Some(root) = self.root.take_if(|root| root.keys().len == 0) {
            self.nodes.forget(&root);
        }
    }

    /// Changes the score of an entry if it stays between the same neighbours of its leaf. Returns
    /// whether it did.
    pub(super) fn rescore(&mut self, (score, link): Entry, new_score: f64) -> bool {
        // SAFETY: every link in the tree is to a member that lives.
        let text = unsafe { link.text() };
        // SAFETY: as above.
        let before = |other| unsafe { is_before(other, score, text) };
        // SAFETY: as above.
        let before_new = |other| unsafe { is_before(other, new_score, text) };
        let mut node = self.root.as_mut();
        while let Some(Node::Inner(inner)) = node {
            let at = inner.child_with(link, &before);
            inner.child(at).keys().prefetch_scores();
            node = inner.children[at].as_mut();
        }
        let Some(Node::Leaf(leaf)) = node else { return false };
        let at = leaf.keys.search(before);
        let stays = at > 0
            && at + 1 < leaf.keys.len
            && before_new(leaf.keys.get(at - 1))
            && !before_new(leaf.keys.get(at + 1));
        if stays {
            leaf.keys.scores[at] = new_score;
        }
        stays
    }

    /// How many entries come before a score with a text.
    pub(super) fn rank(&self, score: f64, text: &[u8]) -> usize {
        // SAFETY: every link in the tree is to a member that lives.
        self.rank_where(|other| unsafe { is_before(other, score, text) })
    }

    /// How many entries have scores that `before` accepts: all up to one, and none after it.
    pub(super) fn rank_by_score(&self, before: impl Fn(f64) -> bool) -> usize {
        self.rank_where(|(score, _)| before(score))
    }

    /// How many entries have texts that `before` accepts: all up to one, and none after it.
    pub(super) fn rank_by_text(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        // SAFETY: every link in the tree is to a member that lives.
        self.rank_where(|(_, link)| before(unsafe { link.text() }))
    }

    #[inline]
    fn rank_where(&self, before: impl Fn(Entry) -> bool) -> usize {
        let mut rank = 0;
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let Some(at) = inner.keys.search(&before).checked_sub(1) else { return rank };
            inner.child(at).keys().prefetch_scores();
            rank += inner.count_before(at);
            node = inner.children[at].as_ref();
        }
        rank + node.map_or(0, |leaf| leaf.keys().search(&before))
    }

    /// The entries from a rank on: `count` of them, which there must be, upwards or downwards.
    pub(super) fn walk(&self, rank: usize, count: usize, downwards: bool) -> Walk<'_> {
        let mut walk =
            Walk { path: SmallVec::new(), keys: &NO_KEYS, at: 0, left: count, downwards };
        if count == 0 {
            return walk;
        }
        let mut at = rank;
        let mut node = self.root.as_ref();
        while let Some(Node::Inner(inner)) = node {
            let mut child = 0;
            while at >= inner.counts[child] {
                at -= inner.counts[child];
                child += 1;
            }
            walk.path.push((inner, child));
            node = inner.children[child].as_ref();
        }
        walk.enter(node.expect("the rank is below the count"), at);
        walk
    }

    /// Frees up to `budget` leaves. Returns whether none is left.
    pub(super) fn shed(&mut self, budget: usize) -> bool {
        let mut budget = budget;
        if self.root.as_mut().is_none_or(|root| root.shed(&mut budget, &mut self.nodes)) {
            self.root = None;
            self.nodes = NodeCounts::default();
        }
        self.root.is_none()
    }
}

static NO_KEYS: Keys = Keys::EMPTY;

/// Entries in order, from one on.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    path: SmallVec<[(&'a Inner, usize); 6]>,
    keys: &'a Keys,
    at: usize,
    left: usize,
    downwards: bool,
}

impl<'a> Walk<'a> {
    /// Goes on at a place of a leaf.
    fn enter(&mut self, leaf: &'a Node, at: usize) {
        self.keys = leaf.keys();
        self.at = at;
        for step in 0..AHEAD.min(self.left) {
            self.prefetch(step);
        }
    }

    #[inline]
    fn prefetch(&self, step: usize) {
        if self.downwards {
            self.keys.prefetch_member(self.at.wrapping_sub(step));
        } else {
            self.keys.prefetch_member(self.at + step);
        }
    }

    /// Goes to the next leaf, if there is one.
    #[cold]
    fn next_leaf(&mut self) {
        while let Some((inner, at)) = self.path.pop() {
            let next = if self.downwards { at.checked_sub(1) } else { Some(at + 1) };
            let Some(next) = next.filter(|&next| next < inner.keys.len) else { continue };
            self.path.push((inner, next));
            let mut node = inner.child(next);
            while let Node::Inner(inner) = node {
                let next = if self.downwards { inner.keys.len - 1 } else { 0 };
                self.path.push((inner, next));
                node = inner.child(next);
            }
            let at = if self.downwards { node.keys().len - 1 } else { 0 };
            return self.enter(node, at);
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        self.prefetch(AHEAD);
        let entry = self.keys.get(self.at);
        if self.left > 0 {
            if self.downwards && self.at > 0 {
                self.at -= 1;
            } else if !self.downwards && self.at + 1 < self.keys.len {
                self.at += 1;
            } else {
                self.next_leaf();
            }
        }
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}

#[cfg(test)]
impl Tree {
    /// Checks what every tree must be, and returns how many entries it has.
    pub(super) fn check(&self) -> usize {
        let mut seen = NodeCounts::default();
        let count = self.root.as_ref().map_or(0, |root| check(root, &mut seen).0);
        assert_eq!(seen, self.nodes);
        count
    }
}

/// Returns how many entries and how many levels are below a node.
#[cfg(test)]
fn check(node: &Node, seen: &mut NodeCounts) -> (usize, usize) {
    let keys = node.keys();
    assert!((1..=FAN).contains(&keys.len));
    for at in 1..keys.len {
        // SAFETY: every link in the tree is to a member that lives.
        let in_order =
            unsafe { is_before(keys.get(at - 1), keys.scores[at], keys.links[at].text()) };
        assert!(in_order);
    }
    match node {
        Node::Leaf(_) => {
            seen.leaves += 1;
            (keys.len, 0)
        }
        Node::Inner(inner) => {
            seen.inners += 1;
            let mut heights = Vec::new();
            for at in 0..keys.len {
                let child = inner.child(at);
                assert_eq!(child.keys().get(0), keys.get(at));
                let (count, height) = check(child, seen);
                assert_eq!(count, inner.counts[at]);
                heights.push(height);
            }
            assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(inner.children[keys.len..].iter().all(Option::is_none));
            (node.count(), heights[0] + 1)
        }
    }
}
