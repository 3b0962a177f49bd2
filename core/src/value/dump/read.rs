//! Reads the parts of values as RDB files have them, from bytes that may be hostile. None means
//! that they are not what they should be.

use super::{Restored, lzf};
use crate::resp::number::parse_f64;
use std::borrow::Cow;

/// What stands where a text begins.
enum Head {
    /// Its length.
    Len(u64),
    /// The number of an encoding.
    Encoding(u8),
}

/// Takes parts from the front of bytes.
pub(super) struct Reader<'p> {
    rest: &'p [u8],
    /// The longest that a compressed text may be.
    len_max: u64,
}

impl<'p> Reader<'p> {
    pub(super) fn new(bytes: &'p [u8], len_max: u64) -> Self {
        Self { rest: bytes, len_max }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A string: a text, a compressed text, or an integer.
    pub(super) fn string(&mut self) -> Option<Restored<'p>> {
        Some(match self.head()? {
            Head::Len(len) => Restored::Text(Cow::Borrowed(self.take(len)?)),
            Head::Encoding(0) => Restored::Integer(i8::from_le_bytes(self.array()?).into()),
            Head::Encoding(1) => Restored::Integer(i16::from_le_bytes(self.array()?).into()),
            Head::Encoding(2) => Restored::Integer(i32::from_le_bytes(self.array()?).into()),
            Head::Encoding(3) => Restored::Text(Cow::Owned(self.compressed()?)),
            Head::Encoding(_) => return None,
        })
    }

    /// A score as it was written before Redis 4.0: its text after a byte with its length, of which
    /// three stand for what has no text.
    pub(super) fn score_text(&mut self) -> Option<f64> {
        match self.byte()? {
            253 => Some(f64::NAN),
            254 => Some(f64::INFINITY),
            255 => Some(f64::NEG_INFINITY),
            len => parse_f64(self.take(len.into())?),
        }
    }

    /// A score as it is written since: eight bytes, little endian.
    pub(super) fn score(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    /// The bytes of a string.
    pub(super) fn text(&mut self) -> Option<Cow<'p, [u8]>> {
        Some(match self.string()? {
            Restored::Text(text) => text,
            Restored::Integer(value) => Cow::Owned(value.to_string().into_bytes()),
            Restored::Packed(..) | Restored::Boxed(..) => unreachable!("a string is no collection"),
        })
    }

    fn compressed(&mut self) -> Option<Vec<u8>> {
        let packed_len = self.len()?;
        let len = self.len()?;
        let packed = self.take(packed_len)?;
        if len > self.len_max {
            return None;
        }
        lzf::decompress(packed, len as usize)
    }

    /// A length.
    pub(super) fn len(&mut self) -> Option<u64> {
        match self.head()? {
            Head::Len(len) => Some(len),
            Head::Encoding(_) => None,
        }
    }

    /// The two highest bits of the first byte say how it goes on.
    fn head(&mut self) -> Option<Head> {
        let first = self.byte()?;
        let low = first & 0b0011_1111;
        Some(match (first >> 6, low) {
            (0b00, _) => Head::Len(low.into()),
            (0b01, _) => Head::Len(u64::from(low) << 8 | u64::from(self.byte()?)),
            (0b10, 0) => Head::Len(u32::from_be_bytes(self.array()?).into()),
            (0b10, 1) => Head::Len(u64::from_be_bytes(self.array()?)),
            (0b10, _) => return None,
            _ => Head::Encoding(low),
        })
    }

    fn take(&mut self, len: u64) -> Option<&'p [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len.try_into().ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}
