//! Entries of a stream, up to some hundred in one block: each tells only what it has otherwise than
//! those before.
//!
//! ```text
//! bytes:  | field | field | ...              the fields of the first entry
//!         | entry | entry | ...              in the order of their ids
//!
//! entry:  | head | ms | seq | value | value | ...                      with the first entry's fields
//!         | head | ms | seq | count | field | value | field | ...      with others
//!
//! head:   bit 0       the entry is deleted
//!         bit 1       it has the first entry's fields
//!         bits 2..4   how long ms is: milliseconds since the entry before
//!         bits 5..7   how long seq is: how far the sequence is beyond the one that was to be
//!                     expected, which is the next in the same millisecond, and 0 in a later one
//! ```
//! Texts are listpack elements without the length at their end. An entry of one short value that is
//! added in the millisecond of the one before takes a byte more than its value.
//!
//! Redis keeps such a node in a listpack, with the same entries, deleted ones among them, and decides
//! by that listpack's length when a node is full. So each node knows how long its listpack would be,
//! and is written as one and read from one.
//!
//! Costs: an entry is added at the end, and found by a walk. What is deleted stays and is marked.

use super::allocation::footprint;
use super::listpack::{
    self, Element, FOREIGN_BYTES, ForeignWriter, Listpack, Scratch, size_of_entry, size_of_number,
};
use super::ordered::Keyed;

/// The id of an entry: when it was added, in milliseconds since the Unix epoch, and its number
/// within that millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    pub(crate) ms: u64,
    pub(crate) seq: u64,
}

impl StreamId {
    pub(crate) const MIN: Self = Self { ms: 0, seq: 0 };
    pub(crate) const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id after this one, if there is one.
    #[inline]
    pub(crate) fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before this one, if there is one.
    pub(crate) fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The sixteen bytes that sort as ids do.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Reads what [`StreamId::to_bytes`] makes.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self { ms: (number >> 64) as u64, seq: number as u64 }
    }
}

const DELETED: u8 = 1 << 0;
const SAME_FIELDS: u8 = 1 << 1;
const MS_SHIFT: u32 = 2;
const SEQ_SHIFT: u32 = 5;
/// How many bytes each of the eight lengths in a head stands for.
const LENGTHS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
/// The flags of an entry in Redis's listpack, which are those of the head.
const FLAGS: u8 = DELETED | SAME_FIELDS;

fn length_code(value: u64) -> u8 {
    let len = 8 - value.leading_zeros() as usize / 8;
    len.min(7) as u8
}

#[inline]
fn read_number(bytes: &[u8], len: usize) -> u64 {
    let mut wide = [0; 8];
    match bytes.first_chunk::<8>() {
        Some(chunk) if len < 8 => return u64::from_le_bytes(*chunk) & ((1 << (8 * len)) - 1),
        Some(chunk) => return u64::from_le_bytes(*chunk),
        None => wide[..len].copy_from_slice(&bytes[..len]),
    }
    u64::from_le_bytes(wide)
}

/// Entries of a stream; never none.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    first: StreamId,
    /// The id of the last entry, which may be deleted.
    last: StreamId,
    bytes: Vec<u8>,
    live: u32,
    deleted: u32,
    /// How many fields the first entry has, and where they end.
    fields: u32,
    fields_end: u32,
    /// The length of the listpack that Redis would have.
    listpack_len: u32,
}

impl Keyed for Node {
    type Key = StreamId;

    #[inline]
    fn key(&self) -> StreamId {
        self.first
    }
}

/// Where an entry is in its node, if one is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    at: usize,
    before: StreamId,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: StreamId,
    head: u8,
    fields: usize,
    /// The first entry's fields.
    first_fields: &'a [u8],
    body: &'a [u8],
    end: usize,
}

impl<'a> Entry<'a> {
    /// Whether it is deleted.
    #[inline]
    pub(crate) fn is_deleted(&self) -> bool {
        self.head & DELETED != 0
    }

    /// How many fields it has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.fields
    }

    /// Fields with their values.
    #[inline]
    pub(crate) fn pairs(&self) -> Pairs<'a> {
        let fields = (self.head & SAME_FIELDS != 0).then_some(self.first_fields);
        Pairs { fields, body: self.body, left: self.fields }
    }

    /// Where the next one is.
    #[inline]
    pub(crate) fn next(&self) -> Cursor {
        Cursor { at: self.end, before: self.id }
    }
}

/// Fields with their values.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    fields: Option<&'a [u8]>,
    body: &'a [u8],
    left: usize,
}

impl<'a> Pairs<'a> {
    #[inline]
    fn take(from: &mut &'a [u8]) -> Element<'a> {
        let (element, len) = Element::read_forward(from);
        *from = &from[len..];
        element
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = match &mut self.fields {
            Some(fields) => Self::take(fields),
            None => Self::take(&mut self.body),
        };
        Some((field, Self::take(&mut self.body)))
    }
}

/// Makes an element of a text.
pub(crate) type ToElement = fn(&[u8]) -> Element<'_>;

impl Node {
    /// Makes a node of one entry: fields, each followed by its value. `room` is how many bytes it
    /// may come to take.
    pub(crate) fn new(id: StreamId, pairs: &[&[u8]], room: usize, element: ToElement) -> Self {
        let fields = pairs.iter().step_by(2).map(|text| element(text));
        let mut node = Self::with_fields(id, room, fields);
        node.push(id, SAME_FIELDS, pairs.len() / 2, values(pairs).map(element));
        node
    }

    fn with_fields<'e>(
        id: StreamId,
        room: usize,
        fields: impl Iterator<Item = Element<'e>>,
    ) -> Self {
        let mut bytes = Vec::with_capacity(room);
        let (mut count, mut size) = (0u32, 0);
        for field in fields {
            size += size_of_entry(field.write_forward(&mut bytes));
            count += 1;
        }
        // The counts of entries, the number of fields and the end of the first entry's fields.
        size += 3 * size_of_number(0) + size_of_number(count.into());
        Self {
            first: id,
            last: id,
            fields_end: bytes.len() as u32,
            bytes,
            live: 0,
            deleted: 0,
            fields: count,
            listpack_len: (FOREIGN_BYTES + 2 + size) as u32,
        }
    }

    /// Adds an entry, whose id is greater than the last one's: fields, each followed by its value.
    pub(crate) fn append(&mut self, id: StreamId, pairs: &[&[u8]], element: ToElement) {
        if self.has_fields(pairs) {
            self.push(id, SAME_FIELDS, pairs.len() / 2, values(pairs).map(element));
        } else {
            self.push(id, 0, pairs.len() / 2, pairs.iter().map(|text| element(text)));
        }
    }

    /// Whether these are the first entry's fields.
    fn has_fields(&self, pairs: &[&[u8]]) -> bool {
        if pairs.len() / 2 != self.fields as usize {
            return false;
        }
        let mut rest = self.first_fields();
        pairs.iter().step_by(2).all(|text| {
            let (field, len) = Element::read_forward(rest);
            rest = &rest[len..];
            match field {
                Element::Bytes(bytes) => bytes == *text,
                Element::Int(_) => field.text(&mut Scratch::new()) == *text,
            }
        })
    }

    fn first_fields(&self) -> &[u8] {
        &self.bytes[..self.fields_end as usize]
    }

    /// Adds an entry of values, or of fields with values, as its head says.
    fn push<'e>(
        &mut self,
        id: StreamId,
        flags: u8,
        fields: usize,
        elements: impl Iterator<Item = Element<'e>>,
    ) {
        let before = if self.is_empty() { before(self.first) } else { self.last };
        let mut size = size_of_number(flags.into());
        size += size_of_number(id.ms.wrapping_sub(self.first.ms) as i64);
        size += size_of_number(id.seq.wrapping_sub(self.first.seq) as i64);
        self.push_id(before, id, flags);
        let mut count = 3 + fields;
        if flags & SAME_FIELDS == 0 {
            let len = Element::Int(fields as i64).write_forward(&mut self.bytes);
            size += size_of_entry(len);
            count += 1 + fields;
        }
        for element in elements {
            size += size_of_entry(element.write_forward(&mut self.bytes));
        }
        size += size_of_number(count as i64);
        self.last = id;
        self.listpack_len += size as u32;
        if flags & DELETED == 0 {
            self.set_counts(self.live + 1, self.deleted);
        } else {
            self.set_counts(self.live, self.deleted + 1);
        }
    }

    #[inline]
    fn push_id(&mut self, before: StreamId, id: StreamId, flags: u8) {
        let ms = id.ms.wrapping_sub(before.ms);
        let expected = if ms == 0 { before.seq.wrapping_add(1) } else { 0 };
        let seq = id.seq.wrapping_sub(expected);
        let (ms_code, seq_code) = (length_code(ms), length_code(seq));
        self.bytes.push(flags | ms_code << MS_SHIFT | seq_code << SEQ_SHIFT);
        for (value, code) in [(ms, ms_code), (seq, seq_code)] {
            if code > 0 {
                self.bytes.extend_from_slice(&value.to_le_bytes()[..LENGTHS[usize::from(code)]]);
            }
        }
    }

    fn set_counts(&mut self, live: u32, deleted: u32) {
        let size = |live: u32, deleted: u32| {
            (size_of_number(live.into()) + size_of_number(deleted.into())) as u32
        };
        self.listpack_len -= size(self.live, self.deleted);
        self.listpack_len += size(live, deleted);
        (self.live, self.deleted) = (live, deleted);
    }

    fn is_empty(&self) -> bool {
        self.live + self.deleted == 0
    }

    /// The id of the first entry, deleted or not.
    #[inline]
    pub(crate) fn start_id(&self) -> StreamId {
        self.first
    }

    /// The id of the last entry, deleted or not.
    #[inline]
    pub(crate) fn last_id(&self) -> StreamId {
        self.last
    }

    /// How many entries are not deleted.
    #[inline]
    pub(crate) fn live(&self) -> usize {
        self.live as usize
    }

    /// How many entries are deleted.
    #[inline]
    pub(crate) fn deleted(&self) -> usize {
        self.deleted as usize
    }

    /// How long the listpack is that Redis would have.
    #[inline]
    pub(crate) fn listpack_len(&self) -> usize {
        self.listpack_len as usize
    }

    /// How many bytes the node's own are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back room for more entries than there are.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// What the node takes from the allocator, beside itself.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        footprint(self.bytes.capacity())
    }

    /// Where the first entry is.
    #[inline]
    pub(crate) fn start(&self) -> Cursor {
        Cursor { at: self.fields_end as usize, before: before(self.first) }
    }

    /// The entry at a place, if one is there.
    #[inline]
    pub(crate) fn entry(&self, cursor: Cursor) -> Option<Entry<'_>> {
        let head = *self.bytes.get(cursor.at)?;
        let mut at = cursor.at + 1;
        let mut number = |code: u8| {
            let len = LENGTHS[usize::from(code & 7)];
            let value = if len == 0 { 0 } else { read_number(&self.bytes[at..], len) };
            at += len;
            value
        };
        let ms = number(head >> MS_SHIFT);
        let seq = number(head >> SEQ_SHIFT);
        let expected = if ms == 0 { cursor.before.seq.wrapping_add(1) } else { 0 };
        let id =
            StreamId { ms: cursor.before.ms.wrapping_add(ms), seq: expected.wrapping_add(seq) };
        let (fields, elements) = if head & SAME_FIELDS != 0 {
            (self.fields as usize, self.fields as usize)
        } else {
            let (count, len) = Element::read_forward(&self.bytes[at..]);
            at += len;
            let fields = match count {
                Element::Int(count) => count as usize,
                Element::Bytes(_) => unreachable!("a count is written as a number"),
            };
            (fields, 2 * fields)
        };
        let body_at = at;
        for _ in 0..elements {
            at += Element::forward_len(&self.bytes[at..]);
        }
        let body = &self.bytes[body_at..at];
        let first_fields = self.first_fields();
        Some(Entry { id, head, fields, first_fields, body, end: at })
    }

    /// All entries, deleted ones among them, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut cursor = self.start();
        std::iter::from_fn(move || {
            let entry = self.entry(cursor)?;
            cursor = entry.next();
            Some(entry)
        })
    }

    /// Marks an entry as deleted, which it is not yet. `at` is where it is.
    pub(crate) fn delete(&mut self, cursor: Cursor) {
        self.bytes[cursor.at] |= DELETED;
        self.set_counts(self.live - 1, self.deleted + 1);
    }

    /// Where an entry with an id is that is not deleted.
    pub(crate) fn find(&self, id: StreamId) -> Option<Cursor> {
        let mut cursor = self.start();
        loop {
            let entry = self.entry(cursor)?;
            if entry.id >= id && !entry.is_deleted() {
                return (entry.id == id).then_some(cursor);
            }
            cursor = entry.next();
        }
    }

    /// Appends the node as the listpack that Redis has:
    ///
    /// ```text
    /// | live | deleted | count | field ... | 0 | flags | ms | seq | ... | elements of the entry | ...
    /// ```
    pub(crate) fn write_listpack(&self, out: &mut Vec<u8>) {
        let mut pack = ForeignWriter::new(out);
        for number in [self.live, self.deleted, self.fields] {
            pack.push(Element::Int(number.into()));
        }
        push_all(self.first_fields(), &mut pack);
        pack.push(Element::Int(0));
        for entry in self.entries() {
            let mut count = 3 + entry.fields;
            pack.push(Element::Int((entry.head & FLAGS).into()));
            pack.push(Element::Int(entry.id.ms.wrapping_sub(self.first.ms) as i64));
            pack.push(Element::Int(entry.id.seq.wrapping_sub(self.first.seq) as i64));
            if entry.head & SAME_FIELDS == 0 {
                pack.push(Element::Int(entry.fields as i64));
                count += 1 + entry.fields;
            }
            push_all(entry.body, &mut pack);
            pack.push(Element::Int(count as i64));
        }
        pack.finish();
    }

    /// Reads a node from the listpack that Redis has. None if it is not one of a stream, or if its
    /// ids are in no order.
    pub(crate) fn from_listpack(first: StreamId, pack: Listpack<'_>) -> Option<Self> {
        let mut elements = pack.iter();
        let (live, deleted) = (count(elements.next()?)?, count(elements.next()?)?);
        let fields = count(elements.next()?)?;
        let fields = take(&mut elements, fields)?;
        let mut node = Self::with_fields(first, pack.bytes().len(), fields);
        if elements.next()? != Element::Int(0) {
            return None;
        }
        while let Some(flags) = elements.next() {
            node.push_foreign(flags, &mut elements)?;
        }
        node.shrink();
        let complete = !node.is_empty() && (node.live(), node.deleted()) == (live, deleted);
        complete.then_some(node)
    }

    /// Reads the rest of an entry.
    fn push_foreign<'e>(
        &mut self,
        flags: Element<'e>,
        elements: &mut listpack::Iter<'e>,
    ) -> Option<()> {
        let flags = u8::try_from(number(flags)?).ok().filter(|flags| flags & !FLAGS == 0)?;
        let id = StreamId {
            ms: self.first.ms.wrapping_add(number(elements.next()?)? as u64),
            seq: self.first.seq.wrapping_add(number(elements.next()?)? as u64),
        };
        let in_order = if self.is_empty() { id >= self.first } else { id > self.last };
        if !in_order {
            return None;
        }
        let (fields, own, expected) = if flags & SAME_FIELDS != 0 {
            let fields = self.fields as usize;
            (fields, take(elements, fields)?, 3 + fields)
        } else {
            let fields = count(elements.next()?)?;
            let own = take(elements, fields.checked_mul(2)?)?;
            (fields, own, 4 + 2 * fields)
        };
        self.push(id, flags, fields, own);
        (count(elements.next()?)? == expected).then_some(())
    }
}

/// The values among fields with values.
fn values<'w>(pairs: &'w [&'w [u8]]) -> impl Iterator<Item = &'w [u8]> {
    pairs.iter().skip(1).step_by(2).copied()
}

/// What makes the id the one to be expected.
fn before(id: StreamId) -> StreamId {
    StreamId { seq: id.seq.wrapping_sub(1), ..id }
}

fn push_all(mut elements: &[u8], pack: &mut ForeignWriter<'_>) {
    while !elements.is_empty() {
        let (element, len) = Element::read_forward(elements);
        pack.push(element);
        elements = &elements[len..];
    }
}

fn number(element: Element<'_>) -> Option<i64> {
    match element {
        Element::Int(value) => Some(value),
        Element::Bytes(_) => None,
    }
}

fn count(element: Element<'_>) -> Option<usize> {
    number(element)?.try_into().ok()
}

/// Takes the next `len` elements, if there are as many.
fn take<'e>(
    elements: &mut listpack::Iter<'e>,
    len: usize,
) -> Option<impl Iterator<Item = Element<'e>> + use<'e>> {
    let taken = elements.clone().take(len);
    if len > 0 {
        elements.nth(len - 1)?;
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element(text: &[u8]) -> Element<'_> {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        match number.filter(|number| number.to_string().as_bytes() == text) {
            Some(number) => Element::Int(number),
            None => Element::Bytes(text),
        }
    }

    /// The naive twin of an entry.
    #[derive(Clone, Debug, PartialEq)]
    struct Twin {
        id: StreamId,
        deleted: bool,
        pairs: Vec<Vec<u8>>,
    }

    fn twins(node: &Node) -> Vec<Twin> {
        let twin = |entry: Entry<'_>| {
            let pairs: Vec<_> = entry.pairs().collect();
            assert_eq!(pairs.len(), entry.len());
            Twin {
                id: entry.id,
                deleted: entry.is_deleted(),
                pairs: pairs.iter().flat_map(|(a, b)| [a.to_vec(), b.to_vec()]).collect(),
            }
        };
        node.entries().map(twin).collect()
    }

    fn listpack(node: &Node) -> Vec<u8> {
        let mut out = Vec::new();
        node.write_listpack(&mut out);
        out
    }

    fn check(node: &Node, expected: &[Twin]) {
        assert_eq!(twins(node), expected);
        let live = expected.iter().filter(|twin| !twin.deleted).count();
        assert_eq!((node.live(), node.deleted()), (live, expected.len() - live));
        assert_eq!(node.last_id(), expected.last().unwrap().id);
        let written = listpack(node);
        assert_eq!(written.len(), node.listpack_len());
        let pack = Listpack::new(listpack::check_foreign(&written).unwrap());
        let read = Node::from_listpack(node.key(), pack).unwrap();
        assert_eq!(twins(&read), expected);
        assert_eq!((listpack(&read), read.listpack_len()), (written, node.listpack_len()));
        for twin in expected {
            let found = node.find(twin.id).and_then(|cursor| node.entry(cursor));
            assert_eq!(found.map(|entry| entry.id), (!twin.deleted).then_some(twin.id));
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            3 => "[ab]{0,2}".prop_map(String::into_bytes),
            2 => any::<i16>().prop_map(|number| number.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..100),
        ]
    }

    fn step() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0..3u64, 1 => any::<u64>().prop_map(|step| step >> 9), 1 => 200..300u64]
    }

    fn entries() -> impl Strategy<Value = Vec<(u64, u64, Vec<Vec<u8>>, bool)>> {
        let pairs = prop_oneof![
            2 => text().prop_map(|value| vec![b"field".to_vec(), value]),
            1 => prop::collection::vec(text(), 2..7),
        ];
        prop::collection::vec((step(), step(), pairs, any::<bool>()), 1..40)
    }

    proptest! {
        #[test]
        fn a_node_is_its_twin(start in (any::<u32>(), any::<u64>()), steps in entries()) {
            let mut id = StreamId { ms: start.0.into(), seq: start.1 >> 2 };
            let mut expected: Vec<Twin> = Vec::new();
            let mut node: Option<Node> = None;
            for (ms, seq, mut pairs, deleted) in steps {
                pairs.truncate(pairs.len() & !1);
                if !expected.is_empty() {
                    let seq = if ms == 0 { id.seq + 1 + seq } else { seq };
                    id = StreamId { ms: id.ms + ms, seq };
                }
                let words: Vec<&[u8]> = pairs.iter().map(Vec::as_slice).collect();
                match &mut node {
                    None => node = Some(Node::new(id, &words, 0, element)),
                    Some(node) => node.append(id, &words, element),
                }
                expected.push(Twin { id, deleted: false, pairs });
                if deleted {
                    let node = node.as_mut().unwrap();
                    let cursor = node.find(id).unwrap();
                    node.delete(cursor);
                    expected.last_mut().unwrap().deleted = true;
                }
                check(node.as_ref().unwrap(), &expected);
            }
        }

        #[test]
        fn no_listpack_makes_it_panic(
            numbers in prop::collection::vec((-1i64..6, prop::option::of("[ab]{0,2}")), 0..30),
        ) {
            let mut bytes = Vec::new();
            let mut pack = ForeignWriter::new(&mut bytes);
            for (number, text) in &numbers {
                pack.push(match text {
                    Some(text) if *number == 5 => Element::Bytes(text.as_bytes()),
                    _ => Element::Int(*number),
                });
            }
            pack.finish();
            let pack = Listpack::new(listpack::check_foreign(&bytes).unwrap());
            if let Some(node) = Node::from_listpack(StreamId { ms: 1, seq: 1 }, pack) {
                check(&node, &twins(&node));
            }
        }
    }

    #[test]
    fn an_entry_in_the_same_millisecond_takes_a_byte_more_than_its_value() {
        let id = StreamId { ms: 1_700_000_000_000, seq: 7 };
        let mut node = Node::new(id, &[b"field", b"value"], 0, element);
        let len = node.len();
        node.append(id.next().unwrap(), &[b"field", b"value"], element);
        assert_eq!(node.len() - len, 1 + 6);
    }

    #[test]
    fn ids_have_neighbours_but_for_the_first_and_the_last() {
        let wrap = StreamId { ms: 4, seq: u64::MAX };
        assert_eq!(wrap.next(), Some(StreamId { ms: 5, seq: 0 }));
        assert_eq!(StreamId { ms: 5, seq: 0 }.previous(), Some(wrap));
        assert_eq!((StreamId::MIN.previous(), StreamId::MAX.next()), (None, None));
        assert_eq!(StreamId::from_bytes(wrap.to_bytes()), wrap);
    }
}
