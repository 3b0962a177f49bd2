//! How lists lie in their records, and what may be done to them there. Which command asks is the
//! caller's.
//!
//! OBJECT ENCODING names what Redis 7.2 would have: a listpack up to `list-max-listpack-size`, and a
//! quicklist from the write on that would go over it. A quicklist is a listpack again when only one
//! chunk is left and that is not more than half full, so that pushes and pops in turn do not convert
//! each time.
//!
//! Where the bytes lie is another matter. A listpack is inside its record up to [`INLINE_LEN_MAX`];
//! beyond, it is a quicklist too, of one chunk that is never full, since that is written to at
//! either end without moving the rest.

use super::{ListLimits, Object, Record, TYPE_MASK, Type, element};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crate::structs::listpack::{self, Buffer, Element, FOREIGN_BYTES, Listpack};
use crate::structs::quicklist::{self, Chunk, Fill, Quicklist};
use smallvec::SmallVec;

pub(crate) use crate::structs::quicklist::End;

/// The tag of a list.
pub(crate) const TAG: u8 = Type::List as u8;
/// A list without elements, for a key that is made.
pub(crate) const EMPTY: NewBody<'static, Object> = NewBody::Bytes(listpack::EMPTY);

/// Longer listpacks do not lie inside their records. They move less often where they have slack:
/// what is inside moves as a whole with nearly each write.
const INLINE_LEN_MAX: usize = 1024;
/// A listpack that has been longer goes back into its record when it is not longer than this.
const INLINE_AGAIN_LEN: usize = INLINE_LEN_MAX / 2;

/// A list to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List<'r> {
    /// Inside its record.
    Packed(Listpack<'r>),
    /// In chunks.
    Chunked(&'r Quicklist),
}

/// The list of a record.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
#[inline]
pub(crate) fn read(record: &Record) -> Result<List<'_>, Error> {
    if record.tag() & TYPE_MASK != TAG {
        return Err(Error::WRONG_TYPE);
    }
    match record.body() {
        Body::Bytes(bytes) => Ok(List::Packed(Listpack::new(bytes))),
        Body::Boxed(Object::List(list)) => Ok(List::Chunked(list)),
        Body::Boxed(_) | Body::Int(_) => Err(Error::WRONG_TYPE),
    }
}

impl<'r> List<'r> {
    /// How many elements there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Packed(listpack) => listpack.len(),
            Self::Chunked(list) => list.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        match self {
            Self::Packed(listpack) => listpack.is_empty(),
            Self::Chunked(list) => list.len() == 0,
        }
    }

    /// Lets `visit` see the element with this number from the head, if there is one.
    pub(crate) fn with<R>(self, number: usize, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self {
            Self::Packed(listpack) => listpack.nth(number).map(|at| visit(listpack.get(at))),
            Self::Chunked(list) => list.with(number, visit),
        }
    }

    /// The number of the first element that is `wanted`.
    pub(crate) fn position(self, wanted: Element<'_>) -> Option<usize> {
        let mut elements = self.iter();
        for number in 0..self.len() {
            if elements.next()? == wanted {
                return Some(number);
            }
        }
        None
    }

    /// The element at an end.
    pub(crate) fn at_end(self, end: End) -> Option<Element<'r>> {
        match (self, end) {
            (Self::Packed(listpack), End::Head) => listpack.first().map(|at| listpack.get(at)),
            (Self::Packed(listpack), End::Tail) => listpack.last().map(|at| listpack.get(at)),
            (Self::Chunked(list), end) => list.at_end(end),
        }
    }

    /// The elements from a number on to the tail, or from a number back to the head. None if there
    /// is no such number.
    pub(crate) fn iter_from(self, number: usize, backwards: bool) -> Iter<'r> {
        match self {
            Self::Packed(listpack) => Iter::Packed(
                match listpack.nth(number) {
                    None => listpack.iter_from(listpack.bytes().len()),
                    Some(at) if backwards => listpack.iter_until(listpack.end_of(at)),
                    Some(at) => listpack.iter_from(at),
                },
                backwards,
            ),
            Self::Chunked(list) => Iter::Chunked(list.iter_from(number, backwards)),
        }
    }

    /// The elements from the head to the tail.
    pub(crate) fn iter(self) -> Iter<'r> {
        self.iter_from(0, false)
    }
}

/// Elements one after another. Each lives only until the next: some are put together as they come.
#[derive(Clone, Debug)]
pub(crate) enum Iter<'r> {
    /// Those of a listpack, and whether they are wanted backwards.
    Packed(listpack::Iter<'r>, bool),
    /// Those of chunks.
    Chunked(quicklist::Iter<'r>),
}

impl Iter<'_> {
    /// The next element.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Element<'_>> {
        match self {
            Self::Packed(iter, false) => iter.next(),
            Self::Packed(iter, true) => iter.next_back(),
            Self::Chunked(iter) => iter.next(),
        }
    }

    /// Lets `visit` see up to so many elements.
    pub(crate) fn each(mut self, count_max: usize, mut visit: impl FnMut(Element<'_>)) {
        for _ in 0..count_max {
            let Some(element) = self.next() else { return };
            visit(element);
        }
    }
}

/// The name of a list's encoding, as OBJECT ENCODING answers it.
pub(crate) fn encoding(list: List<'_>) -> &'static str {
    match list {
        List::Chunked(list) if list.fill() != Fill::WHOLE => "quicklist",
        List::Packed(_) | List::Chunked(_) => "listpack",
    }
}

/// How Redis would keep a list, as DEBUG OBJECT tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nodes {
    pub(crate) count: usize,
    /// `list-max-listpack-size` when it became a quicklist.
    pub(crate) setting: i16,
    pub(crate) bytes: usize,
    /// Whether `list-compress-depth` was set.
    pub(crate) is_compressed: bool,
}

/// The nodes of a quicklist; none if it is a listpack.
pub(crate) fn nodes(list: List<'_>) -> Option<Nodes> {
    let List::Chunked(list) = list else { return None };
    let bytes = list.chunks().map(Chunk::size).sum();
    let (count, setting) = (list.chunk_count(), list.fill().setting());
    let nodes = Nodes { count, setting, bytes, is_compressed: list.compress_depth() != 0 };
    (list.fill() != Fill::WHOLE).then_some(nodes)
}

fn boxed(list: Quicklist) -> Box<Object> {
    Box::new(Object::List(list))
}

fn chunked(record: &mut Record) -> Option<&mut Quicklist> {
    match record.boxed_mut() {
        Some(Object::List(list)) => Some(list),
        Some(_) | None => None,
    }
}

/// Moves a listpack out of its record, into chunks that are filled from now on in this way.
fn move_out(record: &mut Record, fill: Fill) {
    let mut list = Quicklist::new(fill);
    let bytes = record.bytes();
    if !Listpack::new(bytes).is_empty() {
        list.append_listpack(bytes);
    }
    record.set_body(TAG, NewBody::Boxed(boxed(list)));
}

/// When a chunk is full by these limits.
fn fill_of(limits: ListLimits) -> Fill {
    Fill::new(limits.size).with_plain_from(limits.plain_from)
}

/// Lets the list become a quicklist if so many elements with so many bytes of text would be too much
/// for a listpack. To be called before they come, whether they come or not, as Redis does.
pub(crate) fn prepare(record: &mut Record, limits: ListLimits, count: usize, text_len: usize) {
    let fill = fill_of(limits);
    let exceeds = |listpack: Listpack<'_>| {
        let size = listpack.bytes().len() + FOREIGN_BYTES + text_len;
        fill.is_exceeded_by(size, listpack.len() + count)
    };
    let Some(list) = chunked(record) else {
        if exceeds(Listpack::new(record.bytes())) {
            move_out(record, fill);
        }
        return;
    };
    list.set_compress_depth(limits.compress_depth);
    if list.fill() != Fill::WHOLE {
        list.set_fill(list.fill().with_plain_from(limits.plain_from));
        return;
    }
    if let Some(Chunk::Packed(packed)) = list.only_chunk()
        && exceeds(packed.listpack())
    {
        list.set_fill(fill);
    }
}

/// Lets the list become a listpack if so little is left of a quicklist: one chunk that is not more
/// than half full. To be called after elements went or became shorter.
pub(crate) fn settle(record: &mut Record, limits: ListLimits) {
    let Some(list) = chunked(record) else { return };
    let Some(bytes) = as_listpack(list, fill_of(limits), 2) else { return };
    if bytes.len() <= INLINE_AGAIN_LEN {
        let bytes = bytes.to_vec();
        record.set_body(TAG, NewBody::Bytes(&bytes));
    } else {
        list.set_fill(Fill::WHOLE);
    }
}

/// A list that was read as a quicklist, on its way into a record: the bytes of a short listpack, or
/// an object.
pub(crate) fn settled(mut list: Quicklist, limits: ListLimits) -> Result<Vec<u8>, Box<Object>> {
    match as_listpack(&list, fill_of(limits), 1) {
        Some(bytes) if bytes.len() <= INLINE_LEN_MAX => return Ok(bytes.to_vec()),
        Some(_) => list.set_fill(Fill::WHOLE),
        None => {}
    }
    Err(boxed(list))
}

/// A list that is made element by element as a quicklist, and then is a listpack if it fits.
#[derive(Debug)]
pub(crate) struct Builder {
    list: Quicklist,
    limits: ListLimits,
}

impl Builder {
    /// A list without elements. The limits decide in the end, but chunks are filled as by default: so
    /// does Redis 7.2 with what SORT stores.
    pub(crate) fn new(limits: ListLimits) -> Self {
        const BY_DEFAULT: i32 = -2;
        Self { list: Quicklist::new(Fill::new(BY_DEFAULT)), limits }
    }

    /// Adds an element at the tail.
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.list.push(End::Tail, element(text));
    }

    /// The body of the list's record; `room` holds the bytes of a short one.
    pub(crate) fn body(self, room: &mut Vec<u8>) -> NewBody<'_, Object> {
        match settled(self.list, self.limits) {
            Ok(bytes) => {
                *room = bytes;
                NewBody::Bytes(room)
            }
            Err(object) => NewBody::Boxed(object),
        }
    }
}

/// The bytes of the only chunk, if it is a listpack already or fits into this part of one.
fn as_listpack(list: &Quicklist, fill: Fill, part: usize) -> Option<&[u8]> {
    let Chunk::Packed(packed) = list.only_chunk()? else { return None };
    let bytes = packed.listpack().bytes();
    let (size_max, count_max) = fill.bounds();
    let fits = bytes.len() + FOREIGN_BYTES <= size_max / part && list.len() <= count_max / part;
    (fits || list.fill() == Fill::WHOLE).then_some(bytes)
}

/// Moves a listpack out that has become too long for its record.
fn keep_short(record: &mut Record) {
    if record.bytes().len() > INLINE_LEN_MAX {
        move_out(record, Fill::WHOLE);
    }
}

/// Adds an element at an end, for which the list has been prepared.
pub(crate) fn push(record: &mut Record, end: End, element: Element<'_>) {
    if let Some(list) = chunked(record) {
        list.push(end, element);
        return;
    }
    match end {
        End::Head => listpack::push_front(record, &[element]),
        End::Tail => listpack::push(record, &[element]),
    }
    keep_short(record);
}

/// Adds texts at an end one after another, so that the last is at the end, and converts first if
/// they are too much for a listpack.
pub(crate) fn push_all(record: &mut Record, end: End, texts: &[&[u8]], limits: ListLimits) {
    let text_len = texts.iter().map(|text| text.len()).sum();
    prepare(record, limits, texts.len(), text_len);
    if let Some(list) = chunked(record) {
        texts.iter().for_each(|text| list.push(end, element(text)));
        return;
    }
    let mut elements: SmallVec<[Element<'_>; 8]> = texts.iter().map(|text| element(text)).collect();
    match end {
        End::Head => {
            elements.reverse();
            listpack::push_front(record, &elements);
        }
        End::Tail => listpack::push(record, &elements),
    }
    keep_short(record);
}

/// Puts an element before or behind the one with this number, which there is. The list has been
/// prepared for it.
pub(crate) fn insert(record: &mut Record, number: usize, behind: bool, element: Element<'_>) {
    if let Some(list) = chunked(record) {
        list.insert(number, behind, element);
        return;
    }
    let listpack = Listpack::new(record.bytes());
    let at = listpack.nth(number + usize::from(behind)).unwrap_or(listpack.bytes().len());
    listpack::insert(record, at, &[element]);
    keep_short(record);
}

/// Puts an element in the place of the one with this number; the list has been prepared for it.
/// Returns whether there is one.
pub(crate) fn replace(record: &mut Record, number: usize, element: Element<'_>) -> bool {
    if let Some(list) = chunked(record) {
        return list.replace(number, element);
    }
    let Some(at) = Listpack::new(record.bytes()).nth(number) else { return false };
    listpack::replace(record, at, element);
    keep_short(record);
    true
}

/// Takes out up to `count` elements from a number on. Nothing else changes: [`settle`] may follow.
pub(crate) fn remove(record: &mut Record, number: usize, count: usize) {
    if let Some(list) = chunked(record) {
        list.remove(number, count);
    } else if let Some(at) = Listpack::new(record.bytes()).nth(number) {
        listpack::remove(record, at, count);
    }
}

/// Takes out up to `count` elements at an end.
pub(crate) fn remove_at_end(record: &mut Record, end: End, len: usize, count: usize) {
    let number = if end == End::Head { 0 } else { len.saturating_sub(count) };
    remove(record, number, count);
}

/// Takes out up to `limit` elements that are `wanted`, the last ones if `backwards`. Returns how
/// many.
pub(crate) fn remove_equal(
    record: &mut Record,
    wanted: Element<'_>,
    limit: usize,
    backwards: bool,
) -> usize {
    match chunked(record) {
        Some(list) => list.remove_equal(wanted, limit, backwards),
        None => listpack::remove_equal(record, wanted, limit, backwards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Record {
        Record::new(b"key", TAG, EMPTY, None, 0)
    }

    fn all(mut iter: Iter<'_>) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| iter.next().map(Element::to_vec)).collect()
    }

    fn texts(record: &Record) -> Vec<Vec<u8>> {
        all(read(record).unwrap().iter())
    }

    #[test]
    fn a_long_listpack_is_not_inside_its_record() {
        let mut record = empty();
        let text = [b'x'; 97];
        for number in 1..=80 {
            push_all(&mut record, End::Head, &[&text], ListLimits::DEFAULT);
            let is_inside = matches!(record.body(), Body::Bytes(_));
            assert_eq!(is_inside, number <= 10, "{number}");
            assert_eq!(encoding(read(&record).unwrap()), "listpack");
        }
        for number in (1..80).rev() {
            remove_at_end(&mut record, End::Tail, number + 1, 1);
            settle(&mut record, ListLimits::DEFAULT);
            let is_inside = matches!(record.body(), Body::Bytes(_));
            assert_eq!(is_inside, number <= 5, "{number}");
        }
    }

    #[test]
    fn another_type_is_refused() {
        let record = Record::new(b"key", Type::String as u8, NewBody::Bytes(b"text"), None, 0);
        assert_eq!(read(&record).err(), Some(Error::WRONG_TYPE));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(bool, Vec<Vec<u8>>),
        Insert(prop::sample::Index, bool, Vec<u8>),
        Replace(prop::sample::Index, Vec<u8>),
        Remove(prop::sample::Index, usize),
        RemoveEqual(prop::sample::Index, usize, bool),
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (0u8..20).prop_map(|number| number.to_string().into()),
            4 => prop::collection::vec(any::<u8>(), 0..200),
            1 => (500usize..3_000).prop_map(|len| vec![b'x'; len]),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let place = any::<prop::sample::Index>;
        prop_oneof![
            3 => (any::<bool>(), prop::collection::vec(text(), 1..6))
                .prop_map(|(head, texts)| Step::Push(head, texts)),
            2 => (place(), any::<bool>(), text())
                .prop_map(|(at, behind, text)| Step::Insert(at, behind, text)),
            1 => (place(), text()).prop_map(|(at, text)| Step::Replace(at, text)),
            2 => (place(), 0usize..20).prop_map(|(at, count)| Step::Remove(at, count)),
            1 => (place(), 1usize..3, any::<bool>())
                .prop_map(|(at, limit, backwards)| Step::RemoveEqual(at, limit, backwards)),
        ]
    }

    fn apply(record: &mut Record, twin: &mut Vec<Vec<u8>>, step: Step, limits: ListLimits) {
        match step {
            Step::Push(head, texts) => {
                let words: Vec<_> = texts.iter().map(|text| &text[..]).collect();
                push_all(record, if head { End::Head } else { End::Tail }, &words, limits);
                for text in texts {
                    twin.insert(if head { 0 } else { twin.len() }, text);
                }
            }
            _ if twin.is_empty() => {}
            Step::Insert(at, behind, text) => {
                let at = at.index(twin.len());
                prepare(record, limits, 1, text.len());
                insert(record, at, behind, element(&text));
                twin.insert(at + usize::from(behind), text);
            }
            Step::Replace(at, text) => {
                let at = at.index(twin.len());
                prepare(record, limits, 1, text.len());
                assert!(replace(record, at, element(&text)));
                settle(record, limits);
                twin[at] = text;
            }
            Step::Remove(at, count) => {
                let at = at.index(twin.len());
                remove(record, at, count);
                settle(record, limits);
                twin.drain(at..twin.len().min(at + count));
            }
            Step::RemoveEqual(at, limit, backwards) => {
                let wanted = twin[at.index(twin.len())].clone();
                let gone = remove_equal(record, element(&wanted), limit, backwards);
                settle(record, limits);
                for _ in 0..gone {
                    let mut places = (0..twin.len()).filter(|&at| twin[at] == wanted);
                    let at = if backwards { places.next_back() } else { places.next() };
                    twin.remove(at.expect("it was found"));
                }
                assert!(gone == limit || !twin.contains(&wanted));
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_sequence(
            setting in prop_oneof![Just(-2), Just(-1), 0i32..9],
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let (mut record, mut twin) = (empty(), Vec::new());
            for step in steps {
                let limits = ListLimits { size: setting, ..ListLimits::DEFAULT };
                apply(&mut record, &mut twin, step, limits);
                prop_assert_eq!(&texts(&record), &twin);
                let list = read(&record).unwrap();
                prop_assert_eq!(list.len(), twin.len());
                prop_assert_eq!(list.is_empty(), twin.is_empty());
                let last = list.at_end(End::Tail).map(Element::to_vec);
                prop_assert_eq!(last.as_ref(), twin.last());
                let back = all(list.iter_from(twin.len().saturating_sub(1), true));
                prop_assert!(back.iter().rev().eq(&twin));
            }
        }
    }
}
