//! Elements one after another in one block of bytes: how small collections lie in memory.
//!
//! ```text
//! | count | element | element | ...
//! | u16   |
//!
//! element:  | kind and length or number | bytes of a text | length of the two before, backwards |
//!
//! first byte   what follows
//! 0xxxxxxx     a number of 7 bits, 0 to 127
//! 10xxxxxx     a text of 6 bits of length
//! 110xxxxx +1  a number of 13 bits, signed
//! 1110xxxx +1  a text of 12 bits of length
//! 11110000 +4  a text of 32 bits of length
//! 11110001 +2, 11110010 +3, 11110011 +4, 11110100 +8   a number of so many bytes
//! ```
//! The length at an element's end is in groups of seven bits, the lowest last; all but the first
//! have their top bit set, so that it is read backwards and a walk can go both ways.
//!
//! The elements are those of Redis's listpack (<https://github.com/antirez/listpack>), which has the
//! size of the whole in front and a byte 255 at the end: what is kept here is what lies between, and
//! both are put around it for a payload. A count of 65,535 means that and more.
//!
//! Costs: everything is a walk, and a write moves what follows it. Ends are reached at once.

use smallvec::SmallVec;
use std::ops::Range;

/// The bytes of a listpack without elements.
pub(crate) const EMPTY: &[u8] = &[0, 0];
/// What Redis has beyond these bytes: the size in front and the mark at the end.
pub(crate) const FOREIGN_BYTES: usize = SIZE_LEN + 1;

const COUNT_LEN: usize = 2;
const COUNT_MANY: u16 = u16::MAX;
const SIZE_LEN: usize = 4;
const END: u8 = 0xff;

/// Where an element begins: a place in the bytes, until they change.
pub(crate) type At = usize;

/// One element. A text that is a number's canonical form is always kept as the number, so that
/// equal texts are equal elements; who makes an element sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Element<'a> {
    /// A text that is no number's canonical form.
    Bytes(&'a [u8]),
    /// A number, which stands for its decimal text.
    Int(i64),
}

/// Room for an element's text, if it has to be printed.
pub(crate) type Scratch = itoa::Buffer;

impl<'a> Element<'a> {
    /// The text, printed into `scratch` if it is a number.
    #[inline]
    pub(crate) fn text<'t>(self, scratch: &'t mut Scratch) -> &'t [u8]
    where
        'a: 't,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(value) => scratch.format(value).as_bytes(),
        }
    }

    /// The text as bytes of their own.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.text(&mut Scratch::new()).to_vec()
    }

    /// Length of the text in bytes.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(value) => Scratch::new().format(value).len(),
        }
    }

    /// The bytes that it takes in a listpack.
    pub(crate) fn size(self) -> usize {
        let entry = match self {
            Self::Bytes(bytes) => text_head_len(bytes.len()) + bytes.len(),
            Self::Int(value) => number_len(value),
        };
        entry + tail_len(entry)
    }

    /// Appends the element.
    pub(crate) fn write(self, out: &mut impl Output) {
        let entry = self.write_forward(out);
        write_tail(entry, out);
    }

    /// Appends the element without the length at its end, for layouts that are walked forwards
    /// only. Returns how many bytes it took.
    #[inline]
    pub(crate) fn write_forward(self, out: &mut impl Output) -> usize {
        match self {
            Self::Bytes(bytes) => {
                write_text_head(bytes.len(), out);
                out.push_slice(bytes);
                text_head_len(bytes.len()) + bytes.len()
            }
            Self::Int(value) => {
                write_number(value, out);
                number_len(value)
            }
        }
    }

    /// The element that bytes begin with, written by [`Element::write_forward`], and how many of
    /// them it takes.
    #[inline]
    pub(crate) fn read_forward(bytes: &'a [u8]) -> (Self, usize) {
        let head = Head::read(bytes).expect("the bytes begin with an element");
        let len = head.entry_len();
        match head.number {
            Some(value) => (Self::Int(value), len),
            None => (Self::Bytes(&bytes[head.len..len]), len),
        }
    }

    /// How many bytes the element takes that bytes begin with, written by
    /// [`Element::write_forward`].
    #[inline]
    pub(crate) fn forward_len(bytes: &[u8]) -> usize {
        Head::read(bytes).expect("the bytes begin with an element").entry_len()
    }
}

/// Where elements are written.
pub(crate) trait Output {
    fn push_byte(&mut self, byte: u8);
    fn push_slice(&mut self, bytes: &[u8]);
}

impl Output for Vec<u8> {
    #[inline]
    fn push_byte(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Output for SmallVec<[u8; N]> {
    fn push_byte(&mut self, byte: u8) {
        self.push(byte);
    }

    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What a listpack takes of these elements, told by the bytes of each without its length at the
/// end.
pub(crate) fn size_of_entry(entry: usize) -> usize {
    entry + tail_len(entry)
}

/// What an integer takes in a listpack.
pub(crate) fn size_of_number(value: i64) -> usize {
    size_of_entry(number_len(value))
}

/// Elements are put together here before they go in; most fit without an allocation.
const ENCODED_USUAL: usize = 160;

fn text_head_len(len: usize) -> usize {
    match len {
        0..64 => 1,
        64..4096 => 2,
        _ => 5,
    }
}

#[inline]
fn write_text_head(len: usize, out: &mut impl Output) {
    match len {
        0..64 => out.push_byte(0x80 | len as u8),
        64..4096 => out.push_slice(&[0xe0 | (len >> 8) as u8, len as u8]),
        _ => {
            out.push_byte(0xf0);
            out.push_slice(&(len as u32).to_le_bytes());
        }
    }
}

fn number_len(value: i64) -> usize {
    match value {
        0..128 => 1,
        -4096..4096 => 2,
        -0x8000..0x8000 => 3,
        -0x80_0000..0x80_0000 => 4,
        -0x8000_0000..0x8000_0000 => 5,
        _ => 9,
    }
}

fn write_number(value: i64, out: &mut impl Output) {
    let bytes = value.to_le_bytes();
    match number_len(value) {
        1 => out.push_byte(bytes[0]),
        2 => out.push_slice(&[0xc0 | bytes[1] & 0x1f, bytes[0]]),
        len => {
            let kind = if len == 9 { 0xf4 } else { 0xf1 + (len as u8 - 3) };
            out.push_byte(kind);
            out.push_slice(&bytes[..len - 1]);
        }
    }
}

const TAIL_LEN_MAX: usize = 5;

/// The bounds are Redis's, which are one lower than they could be.
fn tail_len(entry: usize) -> usize {
    match entry {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

fn write_tail(entry: usize, out: &mut impl Output) {
    let len = tail_len(entry);
    for place in (0..len).rev() {
        let group = (entry >> (7 * place)) as u8 & 0x7f;
        let first = place + 1 == len;
        out.push_byte(if first { group } else { group | 0x80 });
    }
}

/// A listpack to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listpack<'a> {
    bytes: &'a [u8],
}

/// What the head of an element says: the bytes of the head, of the text, and the number.
#[derive(Clone, Copy)]
struct Head {
    len: usize,
    text_len: usize,
    number: Option<i64>,
}

impl Head {
    fn text(len: usize, text_len: usize) -> Self {
        Self { len, text_len, number: None }
    }

    fn number(len: usize, number: i64) -> Self {
        Self { len, text_len: 0, number: Some(number) }
    }

    /// Reads a head. None if the bytes end before it does, or if it is none.
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        Some(match first {
            0..0x80 => Self::number(1, first.into()),
            0x80..0xc0 => Self::text(1, usize::from(first & 0x3f)),
            0xc0..0xe0 => {
                let raw = u16::from(first & 0x1f) << 8 | u16::from(*bytes.get(1)?);
                // Thirteen bits to the top and back again, which repeats the sign.
                Self::number(2, i64::from((raw << 3) as i16 >> 3))
            }
            0xe0..0xf0 => {
                Self::text(2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?))
            }
            0xf0 => Self::text(5, u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize),
            0xf1..=0xf4 => {
                let len = if first == 0xf4 { 8 } else { usize::from(first - 0xf1) + 2 };
                let mut wide = [0; 8];
                wide[8 - len..].copy_from_slice(bytes.get(1..=len)?);
                Self::number(1 + len, i64::from_le_bytes(wide) >> (64 - 8 * len))
            }
            0xf5.. => return None,
        })
    }

    fn entry_len(self) -> usize {
        self.len + self.text_len
    }

    fn size(self) -> usize {
        self.entry_len() + tail_len(self.entry_len())
    }
}

impl<'a> Listpack<'a> {
    /// Looks at the bytes of a listpack, which this module made or [`check_foreign`] accepted.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len() >= COUNT_LEN);
        Self { bytes }
    }

    /// The bytes as they are.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many elements there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        match u16::from_le_bytes([self.bytes[0], self.bytes[1]]) {
            COUNT_MANY => self.iter().count(),
            count => count.into(),
        }
    }

    /// Whether there is no element.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.bytes.len() == COUNT_LEN
    }

    /// The first element's place.
    #[inline]
    pub(crate) fn first(self) -> Option<At> {
        (!self.is_empty()).then_some(COUNT_LEN)
    }

    /// The last element's place.
    pub(crate) fn last(self) -> Option<At> {
        self.previous(self.bytes.len())
    }

    /// The place after an element's, which is the end after the last.
    #[inline]
    pub(crate) fn end_of(self, at: At) -> At {
        // Short texts and small numbers are most of what is walked over.
        at + match self.bytes[at] {
            0..0x80 => 2,
            first @ 0x80..0xc0 => usize::from(first & 0x3f) + 2,
            0xc0..0xe0 => 3,
            0xe0.. => self.head(at).size(),
        }
    }

    /// The next element's place.
    #[inline]
    pub(crate) fn next(self, at: At) -> Option<At> {
        Some(self.end_of(at)).filter(|&next| next < self.bytes.len())
    }

    /// The place of the element before a place or the end.
    pub(crate) fn previous(self, at: At) -> Option<At> {
        if at <= COUNT_LEN {
            return None;
        }
        let mut entry = 0;
        let mut tail = 0;
        loop {
            let byte = self.bytes[at - 1 - tail];
            entry |= usize::from(byte & 0x7f) << (7 * tail);
            tail += 1;
            if byte & 0x80 == 0 {
                return Some(at - tail - entry);
            }
        }
    }

    /// The element at a place.
    #[inline]
    pub(crate) fn get(self, at: At) -> Element<'a> {
        let head = self.head(at);
        match head.number {
            Some(value) => Element::Int(value),
            None => {
                let start = at + head.len;
                Element::Bytes(&self.bytes[start..start + head.text_len])
            }
        }
    }

    /// The place of the element with this number from the front.
    pub(crate) fn nth(self, number: usize) -> Option<At> {
        let len = self.len();
        if number >= len {
            return None;
        }
        if number <= len / 2 {
            (0..number).try_fold(self.first()?, |at, _| self.next(at))
        } else {
            (number + 1..len).try_fold(self.last()?, |at, _| self.previous(at))
        }
    }

    /// The elements in order, from either end.
    pub(crate) fn iter(self) -> Iter<'a> {
        self.iter_from(COUNT_LEN)
    }

    /// The elements from a place on.
    pub(crate) fn iter_from(self, at: At) -> Iter<'a> {
        Iter { pack: self, front: at, back: self.bytes.len() }
    }

    /// The elements before a place.
    pub(crate) fn iter_until(self, at: At) -> Iter<'a> {
        Iter { pack: self, front: COUNT_LEN, back: at }
    }

    /// The place of the first element that is `wanted`, among every `step`-th one from `from` on. A
    /// map of pairs is searched for a name by steps of two.
    pub(crate) fn find(self, from: At, wanted: Element<'_>, step: usize) -> Option<At> {
        let mut at = Some(from).filter(|&at| at < self.bytes.len());
        while let Some(place) = at {
            if self.get(place) == wanted {
                return Some(place);
            }
            at = (0..step).try_fold(place, |at, _| self.next(at));
        }
        None
    }

    /// Appends the whole as Redis has it.
    pub(crate) fn write_foreign(self, out: &mut Vec<u8>) {
        let size = self.bytes.len() + FOREIGN_BYTES;
        out.extend_from_slice(&(size as u32).to_le_bytes());
        out.extend_from_slice(self.bytes);
        out.push(END);
    }

    #[inline]
    fn head(self, at: At) -> Head {
        Head::read(&self.bytes[at..]).expect("a place is where an element begins")
    }
}

/// Elements in order.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a> {
    pack: Listpack<'a>,
    front: At,
    back: At,
}

impl Iter<'_> {
    /// Whether there are no more.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.front >= self.back
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        let element = self.pack.get(self.front);
        self.front = self.pack.end_of(self.front);
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = self.pack.previous(self.back)?;
        Some(self.pack.get(self.back))
    }
}

/// Writes elements as a listpack as Redis has it.
pub(crate) struct ForeignWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    count: usize,
}

impl<'o> ForeignWriter<'o> {
    /// Begins at the end of `out`.
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; SIZE_LEN + COUNT_LEN]);
        Self { out, start, count: 0 }
    }

    pub(crate) fn push(&mut self, element: Element<'_>) {
        element.write(self.out);
        self.count += 1;
    }

    /// Ends it, and puts the size and the count in front.
    pub(crate) fn finish(self) {
        self.out.push(END);
        let size = (self.out.len() - self.start) as u32;
        let count = u16::try_from(self.count).unwrap_or(COUNT_MANY);
        let head = &mut self.out[self.start..self.start + SIZE_LEN + COUNT_LEN];
        head[..SIZE_LEN].copy_from_slice(&size.to_le_bytes());
        head[SIZE_LEN..].copy_from_slice(&count.to_le_bytes());
    }
}

/// Checks the bytes of a listpack that came from elsewhere, every element of it, and returns what
/// is kept of them. None if anything is not as it should be.
pub(crate) fn check_foreign(bytes: &[u8]) -> Option<&[u8]> {
    let (size, rest) = bytes.split_first_chunk::<SIZE_LEN>()?;
    let (&end, kept) = rest.split_last()?;
    if u32::from_le_bytes(*size) as usize != bytes.len() || end != END || kept.len() < COUNT_LEN {
        return None;
    }
    let mut at = COUNT_LEN;
    let mut count = 0usize;
    while at < kept.len() {
        let head = Head::read(&kept[at..])?;
        let tail_at = at.checked_add(head.entry_len())?;
        let mut tail: SmallVec<[u8; TAIL_LEN_MAX]> = SmallVec::new();
        write_tail(head.entry_len(), &mut tail);
        if kept.get(tail_at..tail_at + tail.len())? != &tail[..] {
            return None;
        }
        at = tail_at + tail.len();
        count += 1;
    }
    let said = u16::from_le_bytes([kept[0], kept[1]]);
    (said == COUNT_MANY || usize::from(said) == count).then_some(kept)
}

/// Bytes that a listpack may be kept in.
pub(crate) trait Buffer {
    /// All bytes.
    fn bytes(&self) -> &[u8];
    /// All bytes, to be changed where they are.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Puts bytes in the place of others; what follows moves.
    fn splice(&mut self, range: Range<usize>, with: &[u8]);
}

impl Buffer for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let (old_len, cut) = (self.len(), range.len());
        if with.len() > cut {
            self.resize(old_len + with.len() - cut, 0);
        }
        self.copy_within(range.end..old_len, range.start + with.len());
        self[range.start..range.start + with.len()].copy_from_slice(with);
        self.truncate(old_len - cut + with.len());
    }
}

fn pack<B: Buffer>(buffer: &B) -> Listpack<'_> {
    Listpack::new(buffer.bytes())
}

/// Puts elements before the one at a place, or at the end.
pub(crate) fn insert<B: Buffer>(buffer: &mut B, at: At, elements: &[Element<'_>]) {
    let mut encoded: SmallVec<[u8; ENCODED_USUAL]> = SmallVec::new();
    elements.iter().for_each(|element| element.write(&mut encoded));
    let len = pack(buffer).len() + elements.len();
    buffer.splice(at..at, &encoded);
    set_len(buffer, len);
}

/// Adds elements behind the last.
pub(crate) fn push<B: Buffer>(buffer: &mut B, elements: &[Element<'_>]) {
    insert(buffer, buffer.bytes().len(), elements);
}

/// Adds elements before the first.
pub(crate) fn push_front<B: Buffer>(buffer: &mut B, elements: &[Element<'_>]) {
    insert(buffer, COUNT_LEN, elements);
}

/// Puts an element in the place of another.
pub(crate) fn replace<B: Buffer>(buffer: &mut B, at: At, element: Element<'_>) {
    let end = pack(buffer).end_of(at);
    let mut encoded: SmallVec<[u8; ENCODED_USUAL]> = SmallVec::new();
    element.write(&mut encoded);
    buffer.splice(at..end, &encoded);
}

/// Takes out up to `count` elements from a place on.
pub(crate) fn remove<B: Buffer>(buffer: &mut B, at: At, count: usize) {
    let read = pack(buffer);
    let (mut end, mut gone) = (at, 0);
    while gone < count && end < read.bytes().len() {
        end = read.end_of(end);
        gone += 1;
    }
    let len = read.len() - gone;
    buffer.splice(at..end, &[]);
    set_len(buffer, len);
}

/// Takes out up to `limit` elements that are `wanted`, the last ones if `backwards`. Returns how
/// many.
pub(crate) fn remove_equal<B: Buffer>(
    buffer: &mut B,
    wanted: Element<'_>,
    limit: usize,
    backwards: bool,
) -> usize {
    let mut gone = 0;
    let mut next = if backwards { pack(buffer).last() } else { pack(buffer).first() };
    while let Some(at) = next.filter(|_| gone < limit) {
        let read = pack(buffer);
        let is_wanted = read.get(at) == wanted;
        next = if backwards { read.previous(at) } else { read.next(at) };
        if is_wanted {
            gone += 1;
            // What comes next moves to where this one was.
            next = if backwards { next } else { next.map(|_| at) };
            remove(buffer, at, 1);
        }
    }
    gone
}

/// Writes the count, for who moved elements byte by byte.
pub(crate) fn set_len<B: Buffer>(buffer: &mut B, len: usize) {
    let count = u16::try_from(len).unwrap_or(COUNT_MANY);
    buffer.bytes_mut()[..COUNT_LEN].copy_from_slice(&count.to_le_bytes());
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

    fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
        Listpack::new(bytes).iter().map(Element::to_vec).collect()
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => any::<(i64, u32)>().prop_map(|(n, shift)| (n >> (shift % 64)).to_string().into()),
            4 => prop::collection::vec(any::<u8>(), 0..80),
            1 => (60usize..70).prop_map(|len| vec![b'x'; len]),
            1 => (4090usize..4100).prop_map(|len| vec![b'y'; len]),
            1 => (16_370usize..16_390).prop_map(|len| vec![b'z'; len]),
            1 => Just(b"007".to_vec()),
        ]
    }

    /// What redis-server 7.0 dumps of a hash with these fields and values, without type and length.
    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut bytes = EMPTY.to_vec();
        let elements =
            [&b"a"[..], b"1", b"bb", b"-4096", b"c", b"40000", b"", b"9223372036854775807"];
        for text in elements {
            push(&mut bytes, &[element(text)]);
        }
        let mut foreign = Vec::new();
        Listpack::new(&bytes).write_foreign(&mut foreign);
        let expected = b"\x27\0\0\0\x08\0\x81a\x02\x01\x01\x82bb\x03\xd0\0\x02\x81c\x02\
            \xf2\x40\x9c\0\x04\x80\x01\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\xff";
        assert_eq!(foreign, expected, "{}", foreign.escape_ascii());
        assert_eq!(check_foreign(&foreign), Some(&bytes[..]));
    }

    #[test]
    fn more_elements_than_the_count_can_say_are_counted() {
        let mut bytes = EMPTY.to_vec();
        let some = vec![Element::Int(7); 30_000];
        for total in [30_000, 60_000, 90_000] {
            push(&mut bytes, &some);
            assert_eq!(Listpack::new(&bytes).len(), total);
        }
        remove(&mut bytes, COUNT_LEN, 40_000);
        assert_eq!(Listpack::new(&bytes).len(), 50_000);
        assert_eq!(bytes[..COUNT_LEN], 50_000u16.to_le_bytes());
    }

    #[test]
    fn what_is_no_listpack_is_refused() {
        for bytes in [
            &b""[..],
            b"\x07\0\0\0\0\0",
            b"\x07\0\0\0\x01\0\xff",         // one element is missing
            b"\x09\0\0\0\0\0\x01\x01\xff",   // one too many
            b"\x09\0\0\0\x01\0\x01\x02\xff", // its length backwards is wrong
            b"\x09\0\0\0\x01\0\x85\x01\xff", // its text goes over the end
            b"\x09\0\0\0\x01\0\xf5\x01\xff", // of no kind
            b"\x08\0\0\0\x01\0\x01\xff",     // cut
            b"\x0d\0\0\0\x01\0\xf0\xff\xff\xff\xff\x05\xff",
        ] {
            assert_eq!(check_foreign(bytes), None, "{}", bytes.escape_ascii());
        }
        assert_eq!(check_foreign(b"\x07\0\0\0\0\0\xff"), Some(EMPTY));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(prop::sample::Index, Vec<Vec<u8>>),
        Replace(prop::sample::Index, Vec<u8>),
        Remove(prop::sample::Index, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let place = any::<prop::sample::Index>;
        prop_oneof![
            3 => (place(), prop::collection::vec(text(), 1..4))
                .prop_map(|(at, texts)| Step::Insert(at, texts)),
            1 => (place(), text()).prop_map(|(at, text)| Step::Replace(at, text)),
            1 => (place(), 0usize..4).prop_map(|(at, count)| Step::Remove(at, count)),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sequence(steps in prop::collection::vec(step(), 1..30)) {
            let mut bytes = EMPTY.to_vec();
            let mut twin: Vec<Vec<u8>> = Vec::new();
            for step in steps {
                let read = Listpack::new(&bytes);
                let place = |number: usize| read.nth(number).unwrap_or(bytes.len());
                match step {
                    Step::Insert(at, texts) => {
                        let number = at.index(twin.len() + 1);
                        let at = place(number);
                        let elements: Vec<_> = texts.iter().map(|t| element(t)).collect();
                        insert(&mut bytes, at, &elements);
                        twin.splice(number..number, texts);
                    }
                    Step::Replace(at, text) if !twin.is_empty() => {
                        let number = at.index(twin.len());
                        let at = place(number);
                        replace(&mut bytes, at, element(&text));
                        twin[number] = text;
                    }
                    Step::Remove(at, count) if !twin.is_empty() => {
                        let number = at.index(twin.len());
                        let at = place(number);
                        remove(&mut bytes, at, count);
                        twin.drain(number..twin.len().min(number + count));
                    }
                    Step::Replace(..) | Step::Remove(..) => {}
                }
                let read = Listpack::new(&bytes);
                prop_assert_eq!(read.len(), twin.len());
                prop_assert_eq!(&texts(&bytes), &twin);
                let mut backwards: Vec<_> = read.iter().rev().map(Element::to_vec).collect();
                backwards.reverse();
                prop_assert_eq!(&backwards, &twin);
                let sizes: usize = read.iter().map(Element::size).sum();
                prop_assert_eq!(sizes + COUNT_LEN, bytes.len());
                for text in &twin {
                    let first = twin.iter().position(|other| other == text);
                    let found = read.find(COUNT_LEN, element(text), 1);
                    prop_assert_eq!(found, first.and_then(|number| read.nth(number)));
                }
                let mut foreign = Vec::new();
                read.write_foreign(&mut foreign);
                prop_assert_eq!(check_foreign(&foreign), Some(&bytes[..]));
            }
        }

        #[test]
        fn bytes_that_are_accepted_can_be_walked(
            texts in prop::collection::vec(text(), 0..6),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut bytes = EMPTY.to_vec();
            let elements: Vec<_> = texts.iter().map(|text| element(text)).collect();
            push(&mut bytes, &elements);
            let mut foreign = Vec::new();
            Listpack::new(&bytes).write_foreign(&mut foreign);
            let at = at.index(foreign.len());
            foreign[at] = byte;
            if let Some(kept) = check_foreign(&foreign) {
                let read = Listpack::new(kept);
                prop_assert_eq!(read.iter().count(), read.len());
                prop_assert_eq!(read.iter().rev().count(), read.len());
            }
        }
    }
}
