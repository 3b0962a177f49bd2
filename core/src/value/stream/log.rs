//! The entries of a stream: nodes of entries in the order of their ids. When a node is full, Redis's
//! rules say, so that a payload has the same nodes; how it lies in memory is `structs::stream_node`'s.

use crate::structs::ordered::{Ordered, Place};
use crate::structs::stream_node::{Cursor, Entry, Node, StreamId};
use crate::value::element;

/// When the next entry goes into a node of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeLimits {
    /// `stream-node-max-bytes`; zero for no limit.
    pub(crate) bytes: usize,
    /// `stream-node-max-entries`, deleted ones among them; zero for no limit.
    pub(crate) entries: usize,
}

/// No node grows beyond this, and no entry's texts together.
pub(super) const NODE_BYTES_MAX: usize = 1 << 30;

/// A new node has room for as much as the one before took, up to this.
const ROOM_MAX: usize = 4096;

impl NodeLimits {
    /// Whether a node takes an entry with texts of so many bytes.
    fn admit(self, node: &Node, texts_len: usize) -> bool {
        let bytes = match self.bytes {
            0 => NODE_BYTES_MAX,
            bytes => bytes.min(NODE_BYTES_MAX),
        };
        node.listpack_len() + texts_len < bytes
            && (self.entries == 0 || node.live() + node.deleted() < self.entries)
    }
}

/// What a trim leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The last so many entries.
    Last(u64),
    /// Entries from an id on.
    From(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trim {
    pub(crate) keep: Keep,
    /// Whether only whole nodes go, unless entries are looked at one by one.
    pub(crate) nodes_only: bool,
    /// How many entries may go; zero for no limit.
    pub(crate) limit: u64,
}

impl Trim {
    /// Whether so many entries are more than may go.
    fn is_exceeded_by(self, entries: usize) -> bool {
        self.limit > 0 && entries as u64 > self.limit
    }
}

/// Entries in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Log {
    nodes: Ordered<Node>,
    /// Entries that are not deleted.
    len: usize,
    /// What the nodes' bytes take from the allocator.
    node_bytes: usize,
}

impl Clone for Log {
    /// A copy has no room to spare, so that its bytes are counted anew.
    fn clone(&self) -> Self {
        let nodes = self.nodes.clone();
        let node_bytes = nodes.iter().map(Node::footprint).sum();
        Self { nodes, len: self.len, node_bytes }
    }
}

impl Log {
    /// Makes a log of nodes in order. None if they are in none.
    pub(super) fn of_nodes(nodes: impl Iterator<Item = Option<Node>>) -> Option<Self> {
        let mut log = Self::default();
        for node in nodes {
            let node = node?;
            if log.nodes.last().is_some_and(|last| last.last_id() >= node.start_id()) {
                return None;
            }
            log.len += node.live();
            log.node_bytes += node.footprint();
            log.nodes.insert(node).ok()?;
        }
        Some(log)
    }

    /// How many entries there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The nodes in order.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// How many nodes there are.
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes that the log takes from the allocator.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        self.nodes.footprint() + self.node_bytes
    }

    /// Frees some nodes. Returns whether none is left.
    pub(super) fn free_some(&mut self) -> bool {
        let freed: usize = self.nodes.pop_chunk().iter().flatten().map(Node::footprint).sum();
        self.node_bytes -= freed;
        self.nodes.is_empty()
    }

    /// Adds an entry whose id is greater than those of all others: fields, each followed by its
    /// value.
    pub(super) fn append(&mut self, id: StreamId, pairs: &[&[u8]], limits: NodeLimits) {
        self.len += 1;
        let texts_len = pairs.iter().map(|text| text.len()).sum();
        let mut room = 0;
        if let Some(node) = self.nodes.last_mut() {
            let before = node.footprint();
            // A last id that was set back leaves deleted entries with greater ids behind.
            if node.last_id() < id && limits.admit(node, texts_len) {
                node.append(id, pairs, element);
                self.node_bytes += node.footprint() - before;
                return;
            }
            room = node.len().min(ROOM_MAX);
            node.shrink();
            self.node_bytes -= before - node.footprint();
        }
        self.insert(Node::new(id, pairs, room, element));
    }

    fn insert(&mut self, node: Node) {
        self.node_bytes += node.footprint();
        if let Err(node) = self.nodes.insert(node) {
            // Another with this id can hold deleted entries only.
            let id = node.start_id();
            self.node_bytes -= self.nodes.remove(id).map_or(0, |node| node.footprint());
            let _ = self.nodes.insert(node);
        }
    }

    fn remove_node(&mut self, place: Place) {
        let node = self.nodes.remove_at(place);
        self.len -= node.live();
        self.node_bytes -= node.footprint();
    }

    /// The first entry's id.
    pub(crate) fn first_id(&self) -> Option<StreamId> {
        let node = self.nodes.iter().find(|node| node.live() > 0)?;
        node.entries().find(|entry| !entry.is_deleted()).map(|entry| entry.id)
    }

    /// The last entry's id.
    pub(crate) fn last_id(&self) -> Option<StreamId> {
        let mut place = self.nodes.last_place();
        while let Some(at) = place {
            let node = self.nodes.at(at);
            if node.deleted() == 0 {
                return Some(node.last_id());
            }
            let live = node.entries().filter(|entry| !entry.is_deleted()).last();
            if let Some(entry) = live {
                return Some(entry.id);
            }
            place = self.nodes.before(at);
        }
        None
    }

    fn find(&self, id: StreamId) -> Option<(Place, Cursor)> {
        let place = self.nodes.at_or_before(id)?;
        self.nodes.at(place).find(id).map(|cursor| (place, cursor))
    }

    /// The entry with an id.
    pub(crate) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let (place, cursor) = self.find(id)?;
        self.nodes.at(place).entry(cursor)
    }

    /// Whether there is an entry with an id.
    pub(crate) fn contains(&self, id: StreamId) -> bool {
        self.find(id).is_some()
    }

    /// How many entries there are from one id to another, counted up to a limit.
    pub(crate) fn count(&self, start: StreamId, end: StreamId, limit: usize) -> usize {
        let mut count = 0;
        let mut place = self.start_of(start);
        while let Some(at) = place
            && count < limit
        {
            let node = self.nodes.at(at);
            if node.start_id() > end {
                break;
            }
            count += if start <= node.start_id() && node.last_id() <= end {
                node.live()
            } else {
                let is_within =
                    |entry: &Entry<'_>| !entry.is_deleted() && start <= entry.id && entry.id <= end;
                node.entries().take_while(|entry| entry.id <= end).filter(is_within).count()
            };
            place = self.nodes.after(at);
        }
        count.min(limit)
    }

    /// The node where the entries from an id on begin.
    fn start_of(&self, start: StreamId) -> Option<Place> {
        self.nodes.at_or_before(start).or(self.nodes.first_place())
    }

    /// The entries from one id to another.
    pub(crate) fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        let place = self.start_of(start);
        let node = place.map(|place| self.nodes.at(place));
        Range { log: self, place, node, cursor: node.map(Node::start), start, end }
    }

    /// The entries from one id back to another.
    pub(crate) fn range_back(&self, start: StreamId, end: StreamId) -> RangeBack<'_> {
        let place = self.nodes.at_or_before(end);
        RangeBack { log: self, place, node: None, waiting: Vec::new(), start, end }
    }

    /// Deletes an entry. Returns whether it was there.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some((place, cursor)) = self.find(id) else { return false };
        if self.nodes.at(place).live() == 1 {
            self.remove_node(place);
        } else {
            self.nodes.at_mut(place).delete(cursor);
            self.len -= 1;
        }
        true
    }

    /// Deletes entries from the front. Returns how many.
    pub(super) fn trim(&mut self, trim: Trim) -> usize {
        let len_before = self.len;
        while let Some(place) = self.nodes.first_place() {
            let node = self.nodes.at(place);
            let gone = len_before - self.len;
            if self.is_short_enough(trim.keep) || trim.is_exceeded_by(gone + node.live()) {
                break;
            }
            if !self.may_go_whole(place, trim.keep) {
                if !trim.nodes_only {
                    self.trim_node(place, trim.keep, |_| true);
                }
                break;
            }
            self.remove_node(place);
        }
        len_before - self.len
    }

    /// Deletes those entries from the front that `may_go`, which is asked of each. Returns how many.
    pub(super) fn trim_each(
        &mut self,
        trim: Trim,
        mut may_go: impl FnMut(StreamId) -> bool,
    ) -> usize {
        let len_before = self.len;
        let mut place = self.nodes.first_place();
        while let Some(at) = place {
            let (start, live) = (self.nodes.at(at).start_id(), self.nodes.at(at).live());
            let gone = len_before - self.len;
            if self.is_short_enough(trim.keep) || trim.is_exceeded_by(gone + live) {
                break;
            }
            let may_go_whole = self.may_go_whole(at, trim.keep);
            self.trim_node(at, trim.keep, &mut may_go);
            if !may_go_whole {
                break;
            }
            if self.nodes.at(at).live() == 0 {
                self.remove_node(at);
            }
            place = start.next().and_then(|id| self.nodes.at_or_after(id));
        }
        len_before - self.len
    }

    fn may_go_whole(&self, place: Place, keep: Keep) -> bool {
        let node = self.nodes.at(place);
        match keep {
            Keep::Last(len) => (self.len - node.live()) as u64 >= len,
            Keep::From(id) => node.last_id() < id,
        }
    }

    fn is_short_enough(&self, keep: Keep) -> bool {
        matches!(keep, Keep::Last(len) if self.len as u64 <= len)
    }

    /// Deletes those entries from the front of a node that `may_go`. It may have none then.
    fn trim_node(&mut self, place: Place, keep: Keep, mut may_go: impl FnMut(StreamId) -> bool) {
        let mut cursor = self.nodes.at(place).start();
        while let Some(entry) = self.nodes.at(place).entry(cursor) {
            if self.is_short_enough(keep) || matches!(keep, Keep::From(id) if entry.id >= id) {
                break;
            }
            let (next, is_deleted, id) = (entry.next(), entry.is_deleted(), entry.id);
            if !is_deleted && may_go(id) {
                self.nodes.at_mut(place).delete(cursor);
                self.len -= 1;
            }
            cursor = next;
        }
    }
}

/// Entries in order.
#[derive(Clone, Debug)]
pub(crate) struct Range<'l> {
    log: &'l Log,
    place: Option<Place>,
    node: Option<&'l Node>,
    cursor: Option<Cursor>,
    start: StreamId,
    end: StreamId,
}

impl<'l> Iterator for Range<'l> {
    type Item = Entry<'l>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'l>> {
        loop {
            let Some(entry) = self.node?.entry(self.cursor?) else {
                self.place = self.log.nodes.after(self.place?);
                self.node = self.place.map(|place| self.log.nodes.at(place));
                self.cursor = self.node.map(Node::start);
                continue;
            };
            self.cursor = Some(entry.next());
            if entry.is_deleted() || entry.id < self.start {
                continue;
            }
            if entry.id > self.end {
                self.node = None;
                return None;
            }
            return Some(entry);
        }
    }
}

/// Entries in reverse. A node is walked from its front; where its entries are is kept.
#[derive(Clone, Debug)]
pub(crate) struct RangeBack<'l> {
    log: &'l Log,
    /// The next node.
    place: Option<Place>,
    node: Option<&'l Node>,
    /// Where the entries of the node are that come yet, the next one last.
    waiting: Vec<Cursor>,
    start: StreamId,
    end: StreamId,
}

impl RangeBack<'_> {
    fn enter(&mut self, place: Place) {
        let node = self.log.nodes.at(place);
        let mut cursor = node.start();
        while let Some(entry) = node.entry(cursor)
            && entry.id <= self.end
        {
            if entry.id >= self.start && !entry.is_deleted() {
                self.waiting.push(cursor);
            }
            cursor = entry.next();
        }
        self.node = Some(node);
        let is_last = node.start_id() <= self.start;
        self.place = if is_last { None } else { self.log.nodes.before(place) };
    }
}

impl<'l> Iterator for RangeBack<'l> {
    type Item = Entry<'l>;

    fn next(&mut self) -> Option<Entry<'l>> {
        while self.waiting.is_empty() {
            self.enter(self.place?);
        }
        self.node?.entry(self.waiting.pop()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const SMALL: NodeLimits = NodeLimits { bytes: 200, entries: 6 };

    #[derive(Clone, Debug)]
    enum Step {
        Append(u64, u64, String),
        Delete(u64),
        Trim(Trim),
        Look(u64, u64, usize),
        Free,
    }

    fn id(number: u64) -> StreamId {
        StreamId { ms: number / 4, seq: number % 4 }
    }

    fn number() -> impl Strategy<Value = u64> {
        0u64..200
    }

    fn step() -> impl Strategy<Value = Step> {
        let keep = prop_oneof![
            number().prop_map(|len| Keep::Last(len / 3)),
            number().prop_map(|number| Keep::From(id(number))),
        ];
        let trim = (keep, any::<bool>(), 0u64..9).prop_map(|(keep, nodes_only, limit)| Trim {
            keep,
            nodes_only,
            limit,
        });
        prop_oneof![
            12 => (0..3u64, 0..2u64, "[a-c]{0,60}").prop_map(|(a, b, c)| Step::Append(a, b, c)),
            4 => number().prop_map(Step::Delete),
            1 => trim.prop_map(Step::Trim),
            3 => (number(), number(), 0usize..9).prop_map(|(a, b, c)| Step::Look(a, b, c)),
            1 => Just(Step::Free),
        ]
    }

    /// The naive twin, and the number of the last id.
    #[derive(Default)]
    struct Case {
        log: Log,
        twin: BTreeMap<StreamId, String>,
        last: u64,
    }

    impl Case {
        fn look(&self, start: StreamId, end: StreamId, limit: usize) {
            let twin: Vec<_> =
                if start <= end { self.twin.range(start..=end).collect() } else { Vec::new() };
            let text = |entry: Entry<'_>| {
                let texts: Vec<_> = entry.pairs().map(|pair| pair.1.to_vec()).collect();
                (entry.id, String::from_utf8(texts.concat()).unwrap())
            };
            let found: Vec<_> = self.log.range(start, end).map(text).collect();
            assert!(found.iter().map(|(id, text)| (id, text)).eq(twin.iter().copied()));
            let mut back: Vec<_> = self.log.range_back(start, end).map(text).collect();
            back.reverse();
            assert_eq!(back, found);
            assert_eq!(self.log.count(start, end, limit), twin.len().min(limit));
            assert_eq!(self.log.contains(start), self.twin.contains_key(&start));
            assert_eq!(self.log.get(end).map(|entry| text(entry).1).as_ref(), self.twin.get(&end));
        }

        fn trim(&mut self, trim: Trim) {
            let before = self.twin.len();
            let gone = self.log.trim(trim);
            for _ in 0..gone {
                self.twin.pop_first();
            }
            let kept = match trim.keep {
                Keep::Last(len) => before.min(len as usize),
                Keep::From(id) => self.twin.range(id..).count(),
            };
            assert!(self.twin.len() >= kept);
            assert!(trim.limit == 0 || gone <= (trim.limit as usize).max(SMALL.entries));
            if !trim.nodes_only && trim.limit == 0 {
                assert_eq!(self.twin.len(), kept);
            }
        }

        fn carry_out(&mut self, step: Step) {
            match step {
                Step::Append(by, field, text) => {
                    self.last += 1 + by;
                    let field = [b"f" as &[u8], b"g"][field as usize];
                    self.log.append(id(self.last), &[field, text.as_bytes()], SMALL);
                    self.twin.insert(id(self.last), text);
                }
                Step::Delete(number) => {
                    let was_there = self.twin.remove(&id(number)).is_some();
                    assert_eq!(self.log.delete(id(number)), was_there);
                }
                Step::Trim(trim) => self.trim(trim),
                Step::Look(start, end, limit) => self.look(id(start), id(end), limit),
                Step::Free => {
                    while !self.log.free_some() {}
                    assert_eq!(self.log.node_bytes, 0);
                    (self.log, self.twin) = (Log::default(), BTreeMap::new());
                }
            }
        }

        fn check(&self) {
            assert_eq!(self.log.len(), self.twin.len());
            assert_eq!(self.log.first_id(), self.twin.keys().next().copied());
            assert_eq!(self.log.last_id(), self.twin.keys().next_back().copied());
            let counted: usize = self.log.nodes().map(Node::footprint).sum();
            assert_eq!(self.log.node_bytes, counted);
            assert!(self.log.nodes().all(|node| node.live() + node.deleted() <= SMALL.entries));
        }
    }

    proptest! {
        #[test]
        fn a_log_is_its_twin(steps in prop::collection::vec(step(), 0..120)) {
            let mut case = Case::default();
            for step in steps {
                case.carry_out(step);
                case.check();
            }
            case.look(StreamId::MIN, StreamId::MAX, usize::MAX);
        }
    }

    #[test]
    fn a_last_id_that_was_set_back_leaves_entries_in_order() {
        let mut log = Log::default();
        for number in 1..=3 {
            log.append(id(number), &[b"f", b"v"], SMALL);
        }
        log.trim(Trim { keep: Keep::From(id(3)), nodes_only: false, limit: 0 });
        log.delete(id(3));
        for number in [2, 4, 5] {
            log.append(id(number), &[b"f", b"w"], SMALL);
        }
        let ids: Vec<_> = log.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
        assert_eq!(ids, [id(2), id(4), id(5)]);
        assert!(log.contains(id(2)) && !log.contains(id(1)) && log.delete(id(2)));
    }
}
