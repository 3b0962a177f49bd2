//! How strings lie in their records, and what may be done to them there. Which command asks, and
//! how long a string may grow, is the caller's.
//!
//! A text that is an integer's canonical form is kept as the integer. Other strings lie inside
//! their record up to [`INLINE_LEN_MAX`], and in a buffer of their own beyond, which grows in place.
//! The names of the encodings that OBJECT ENCODING answers are Redis's and follow from its rules,
//! not from where the bytes lie.

use super::{Object, RAW, Record, TYPE_MASK, Type};
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::structs::entry::{Body, NewBody};
use std::ops::Deref;

/// A value of this module's on its way into a record.
pub(crate) type NewString<'a> = NewBody<'a, Object>;

/// Strings up to this length lie inside their record, whose block with a key of usual length is
/// then one of the arena's. A buffer of its own made GET and SET of 1,500 to 3,000 bytes take 1.6
/// times as long, and a write into the middle 1.3 times; from 6,000 bytes on it is the faster one
/// to write into.
pub(crate) const INLINE_LEN_MAX: usize = 3072;

/// The tag of a string as commands store it whole.
pub(crate) const TAG: u8 = Type::String as u8;
/// The tag of a string that was changed in part, which Redis keeps in its `raw` encoding.
pub(crate) const TAG_RAW: u8 = TAG | RAW;

/// Longer texts are never kept as integers: the longest integer has 20 characters.
const INTEGER_LEN_MAX: usize = 20;
/// Redis keeps longer strings apart from their object.
const EMBSTR_LEN_MAX: usize = 44;
/// Up to here a growing buffer doubles, beyond it gains an eighth.
const DOUBLING_LEN_MAX: usize = 1 << 20;

/// The bytes of a string value: borrowed from the record, or printed from its integer.
#[derive(Debug)]
pub(crate) enum Text<'a> {
    /// As they lie in the record or in its buffer.
    Stored(&'a [u8]),
    /// Printed in decimal.
    Printed(Digits),
}

/// An integer in decimal.
#[derive(Debug)]
pub(crate) struct Digits {
    bytes: [u8; INTEGER_LEN_MAX],
    len: u8,
}

impl Digits {
    /// Prints `value`.
    pub(crate) fn new(value: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(value).as_bytes();
        let mut bytes = [0; INTEGER_LEN_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Self { bytes, len: text.len() as u8 }
    }
}

impl Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Deref for Text<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Stored(bytes) => bytes,
            Self::Printed(digits) => digits,
        }
    }
}

/// Whether the record holds a string.
#[inline]
pub(crate) fn is_string(record: &Record) -> bool {
    record.tag() & TYPE_MASK == TAG
}

/// Checks that the record holds a string.
///
/// # Errors
/// `WRONGTYPE` if it holds another type.
#[inline]
fn expect_string(record: &Record) -> Result<(), Error> {
    if is_string(record) { Ok(()) } else { Err(Error::WRONG_TYPE) }
}

/// The bytes of a string.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
#[inline]
pub(crate) fn read(record: &Record) -> Result<Text<'_>, Error> {
    expect_string(record)?;
    Ok(match record.body() {
        Body::Bytes(bytes) => Text::Stored(bytes),
        Body::Int(value) => Text::Printed(Digits::new(value)),
        Body::Boxed(Object::String(bytes)) => Text::Stored(bytes),
        Body::Boxed(_) => return Err(Error::WRONG_TYPE),
    })
}

/// The integer that a string is or reads as.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type; `ERR value is not an integer or out of range`.
pub(crate) fn read_integer(record: &Record) -> Result<i64, Error> {
    expect_string(record)?;
    let text: &[u8] = match record.body() {
        Body::Int(value) => return Ok(value),
        Body::Bytes(bytes) => bytes,
        Body::Boxed(Object::String(bytes)) => bytes,
        Body::Boxed(_) => return Err(Error::WRONG_TYPE),
    };
    parse_i64(text).ok_or(Error::NOT_INTEGER)
}

/// The length of a string in bytes.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
pub(crate) fn len(record: &Record) -> Result<usize, Error> {
    Ok(read(record)?.len())
}

/// The name of a string's encoding, as OBJECT ENCODING answers it.
pub(crate) fn encoding(record: &Record) -> &'static str {
    let short = |bytes: &[u8]| bytes.len() <= EMBSTR_LEN_MAX && record.tag() & RAW == 0;
    match record.body() {
        Body::Int(_) => "int",
        Body::Bytes(bytes) if short(bytes) => "embstr",
        Body::Bytes(_) | Body::Boxed(_) => "raw",
    }
}

/// A string to be stored, as an integer where it reads as one. Goes with [`TAG`].
#[inline]
pub(crate) fn encode(text: &[u8]) -> NewString<'_> {
    if text.len() <= INTEGER_LEN_MAX
        && let Some(value) = parse_i64(text)
    {
        return NewBody::Int(value);
    }
    plain(text)
}

/// A string to be stored as bytes, even where it reads as an integer.
#[inline]
pub(crate) fn plain(text: &[u8]) -> NewString<'_> {
    if text.len() <= INLINE_LEN_MAX {
        NewBody::Bytes(text)
    } else {
        NewBody::Boxed(Box::new(Object::String(text.to_vec())))
    }
}

/// A string to be stored, as an integer where it reads as one; its buffer is kept if it is long.
pub(crate) fn encode_owned(text: &mut Vec<u8>) -> NewString<'_> {
    if text.len() <= INLINE_LEN_MAX { encode(text) } else { plain_owned(text) }
}

/// A string to be stored as bytes; its buffer is kept if it is long.
pub(crate) fn plain_owned(text: &mut Vec<u8>) -> NewString<'_> {
    if text.len() <= INLINE_LEN_MAX {
        NewBody::Bytes(text)
    } else {
        NewBody::Boxed(Box::new(Object::String(std::mem::take(text))))
    }
}

/// Writes `piece` over a string from `offset` on; the string grows as needed, with zeros between
/// its end and `offset`. Appending is writing at the end.
pub(crate) fn write_at(text: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    let end = offset + piece.len();
    if end > text.len() {
        reserve(text, end);
        text.resize(offset.max(text.len()), 0);
        let kept = text.len() - offset;
        text[offset..].copy_from_slice(&piece[..kept]);
        text.extend_from_slice(&piece[kept..]);
    } else {
        text[offset..end].copy_from_slice(piece);
    }
}

/// As [`write_at`], on the string of a record. Returns its new length.
pub(crate) fn write_into(record: &mut Record, offset: usize, piece: &[u8]) -> usize {
    if let Some(Object::String(text)) = record.boxed_mut() {
        write_at(text, offset, piece);
        return text.len();
    }
    let end = offset + piece.len();
    if record.tag() == TAG_RAW
        && let Some(inside) = record.body_bytes_mut().and_then(|text| text.get_mut(offset..end))
    {
        inside.copy_from_slice(piece);
        return len(record).unwrap_or(end);
    }
    let mut text = read(record).map(|text| text.to_vec()).unwrap_or_default();
    write_at(&mut text, offset, piece);
    let len = text.len();
    record.set_body(TAG_RAW, plain_owned(&mut text));
    len
}

/// Lets `change` work on the bytes of a record's string, after it was grown with zeros to `len`
/// bytes; it tells whether it changed any. Returns whether the string grew or was changed.
pub(crate) fn change_bytes(
    record: &mut Record,
    len: usize,
    change: impl FnOnce(&mut [u8]) -> bool,
) -> bool {
    if let Some(Object::String(text)) = record.boxed_mut() {
        let grown = grow(text, len);
        return change(text) | grown;
    }
    if record.tag() == TAG_RAW
        && let Some(inside) = record.body_bytes_mut()
        && inside.len() >= len
    {
        return change(inside);
    }
    let mut text = read(record).map(|text| text.to_vec()).unwrap_or_default();
    let grown = grow(&mut text, len);
    let changed = change(&mut text) | grown;
    record.set_body(TAG_RAW, plain_owned(&mut text));
    changed
}

/// Takes the buffer out of a record's string, if it has one of its own and `wanted` says so of it.
/// Another value is then to be stored.
pub(crate) fn take_buffer(
    record: &mut Record,
    wanted: impl FnOnce(&Vec<u8>) -> bool,
) -> Option<Vec<u8>> {
    match record.boxed_mut()? {
        Object::String(text) => wanted(text).then(|| std::mem::take(text)),
        _ => None,
    }
}

/// Lets a text grow to `len` bytes, with zeros after its end. Returns whether it was shorter.
fn grow(text: &mut Vec<u8>, len: usize) -> bool {
    let grows = text.len() < len;
    if grows {
        reserve(text, len);
        text.resize(len, 0);
    }
    grows
}

/// Makes room for `len` bytes, and for more where the string has grown before.
fn reserve(text: &mut Vec<u8>, len: usize) {
    if len <= text.capacity() {
        return;
    }
    let spare = if len <= DOUBLING_LEN_MAX { len } else { len / 8 };
    text.reserve_exact(len + spare - text.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(tag: u8, body: NewString<'_>) -> Record {
        Record::new(b"key", tag, body, None, 0)
    }

    fn stored(text: &[u8]) -> Record {
        record(TAG, encode(text))
    }

    #[test]
    fn encodings_have_the_names_that_redis_gives_them() {
        let long = [b'x'; 45];
        for (text, name) in [
            (&b"0"[..], "int"),
            (b"-9223372036854775808", "int"),
            (b"9223372036854775807", "int"),
            (b"9223372036854775808", "embstr"),
            (b"007", "embstr"),
            (b"", "embstr"),
            (&long[..44], "embstr"),
            (&long, "raw"),
            (&[b'x'; INLINE_LEN_MAX + 1], "raw"),
        ] {
            assert_eq!(encoding(&stored(text)), name, "{text:?}");
        }
        assert_eq!(encoding(&record(TAG_RAW, plain(b"1"))), "raw");
        assert_eq!(encoding(&record(TAG, plain(b"1"))), "embstr");
    }

    #[test]
    fn a_string_lies_inside_its_record_up_to_the_limit() {
        let long = vec![b'x'; INLINE_LEN_MAX + 1];
        assert!(matches!(stored(&long[1..]).body(), Body::Bytes(_)));
        assert!(matches!(stored(&long).body(), Body::Boxed(_)));
        assert!(matches!(plain_owned(&mut long.clone()), NewBody::Boxed(_)));
        assert!(matches!(plain_owned(&mut long[1..].to_vec()), NewBody::Bytes(_)));
    }

    #[test]
    fn another_type_is_refused() {
        let other = record(1, plain(b"1"));
        assert_eq!(read(&other).err(), Some(Error::WRONG_TYPE));
        assert_eq!(read_integer(&other).err(), Some(Error::WRONG_TYPE));
        assert_eq!(len(&other).err(), Some(Error::WRONG_TYPE));
    }

    #[test]
    fn small_appends_move_a_long_string_seldom() {
        let mut text = Vec::new();
        let mut moves = 0;
        for _ in 0..4 << 20 {
            let before = text.capacity();
            let end = text.len();
            write_at(&mut text, end, b"x");
            moves += usize::from(text.capacity() != before);
        }
        assert!(moves < 40, "{moves}");
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let record = stored(&text);
            prop_assert_eq!(&*read(&record).unwrap(), &text);
        }

        #[test]
        fn integers_are_stored_and_read(value: i64) {
            let text = value.to_string();
            let record = stored(text.as_bytes());
            prop_assert!(matches!(record.body(), Body::Int(_)));
            prop_assert_eq!(&*read(&record).unwrap(), text.as_bytes());
            prop_assert_eq!(len(&record).unwrap(), text.len());
            prop_assert_eq!(read_integer(&record), Ok(value));
            let plain = super::tests::record(TAG, plain(text.as_bytes()));
            prop_assert_eq!(read_integer(&plain), Ok(value));
        }

        #[test]
        fn writing_agrees_with_a_byte_by_byte_copy(
            mut text in prop::collection::vec(any::<u8>(), 0..40),
            offset in 0usize..60,
            piece in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let mut twin = text.clone();
            for (at, &byte) in piece.iter().enumerate() {
                while twin.len() <= offset + at {
                    twin.push(0);
                }
                twin[offset + at] = byte;
            }
            write_at(&mut text, offset, &piece);
            prop_assert_eq!(text, twin);
        }
    }
}
