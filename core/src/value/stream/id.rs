//! Ids of entries as texts.

use crate::error::Error;
use crate::resp::number::parse_u64;
use crate::structs::stream_node::StreamId;
use std::ops::Deref;

const INVALID: Error = Error::err("Invalid stream ID specified as stream command argument");

/// Longer texts are no ids, however many zeros they begin with.
const LEN_MAX: usize = 127;

/// What XADD gives as an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewId {
    /// `*`: the time, or the id after the last one if that is not in the past.
    Auto,
    /// `ms-*`: the next in this millisecond.
    InMs(u64),
    /// This very id.
    Exact(StreamId),
}

/// Reads an id: milliseconds, and with them a number in the millisecond, which is `missing_seq`
/// unless given.
///
/// # Errors
/// `ERR Invalid stream ID specified as stream command argument`
pub(crate) fn parse(text: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    match parts(text)? {
        (ms, None) => Ok(StreamId { ms, seq: missing_seq }),
        (ms, Some(seq)) => Ok(StreamId { ms, seq: integer(seq)? }),
    }
}

/// As [`parse`], and `-` is the least id, `+` the greatest.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_bound(text: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse(text, missing_seq),
    }
}

/// Where a range begins; with `(` before it, the id itself is not in it.
///
/// # Errors
/// As [`parse`]; `ERR invalid start ID for the interval` if nothing is beyond it.
pub(crate) fn parse_start(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse(rest, 0)?.next().ok_or(Error::err("invalid start ID for the interval"))
        }
        _ => parse_bound(text, 0),
    }
}

/// Where a range ends; with `(` before it, the id itself is not in it.
///
/// # Errors
/// As [`parse`]; `ERR invalid end ID for the interval` if nothing is before it.
pub(crate) fn parse_end(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse(rest, u64::MAX)?.previous().ok_or(Error::err("invalid end ID for the interval"))
        }
        _ => parse_bound(text, u64::MAX),
    }
}

/// Reads what XADD gives as an id, but for `*`.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_new(text: &[u8]) -> Result<NewId, Error> {
    match parts(text)? {
        (ms, Some(b"*")) => Ok(NewId::InMs(ms)),
        _ => parse(text, 0).map(NewId::Exact),
    }
}

/// The milliseconds, and what follows the sign.
fn parts(text: &[u8]) -> Result<(u64, Option<&[u8]>), Error> {
    if text.len() > LEN_MAX {
        return Err(INVALID);
    }
    // Redis reads the text as C does, so up to a zero.
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    match text.iter().position(|&byte| byte == b'-') {
        Some(at) => Ok((integer(&text[..at])?, Some(&text[at + 1..]))),
        None => Ok((integer(text)?, None)),
    }
}

/// Reads an unsigned integer as Redis does here, where C's `strtoull` has a second try: with blanks
/// and a sign before it, and zeros; what is negative then counts from the end.
fn integer(text: &[u8]) -> Result<u64, Error> {
    parse_u64(text).or_else(|| lenient(text)).ok_or(INVALID)
}

#[cold]
fn lenient(text: &[u8]) -> Option<u64> {
    if let [b'-', b'1'..=b'9', ..] = text
        && crate::resp::number::parse_i64(text).is_some()
    {
        return None;
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| is_blank(byte)).count()..];
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let significant = digits.iter().position(|&byte| byte != b'0').unwrap_or(digits.len());
    let magnitude = match &digits[significant..] {
        [] if digits.is_empty() => return None,
        [] => 0,
        digits => parse_u64(digits)?,
    };
    Some(if is_negative { magnitude.wrapping_neg() } else { magnitude })
}

/// An id as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdText {
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

impl IdText {
    /// Two numbers of twenty digits, and the sign between them.
    const LEN_MAX: usize = 41;

    #[inline]
    pub(crate) fn new(id: StreamId) -> Self {
        let mut bytes = [0; Self::LEN_MAX];
        let mut digits = itoa::Buffer::new();
        let ms = digits.format(id.ms).as_bytes();
        bytes[..ms.len()].copy_from_slice(ms);
        let mut len = ms.len();
        bytes[len] = b'-';
        len += 1;
        let seq = digits.format(id.seq).as_bytes();
        bytes[len..len + seq.len()].copy_from_slice(seq);
        Self { bytes, len: (len + seq.len()) as u8 }
    }
}

impl Deref for IdText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Option<StreamId> {
        Some(StreamId { ms, seq })
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        for (text, expected) in [
            (&b"5-7"[..], id(5, 7)),
            (b"5", id(5, 9)),
            (b"18446744073709551615-18446744073709551615", id(u64::MAX, u64::MAX)),
            (b"18446744073709551616-0", None),
            (b"007-08", id(7, 8)),
            (b"+5- 6", id(5, 6)),
            (b" 5", id(5, 9)),
            (b"5 ", None),
            (b"5--1", None),
            (b"5--01", id(5, u64::MAX)),
            (b"5--18446744073709551615", id(5, 1)),
            (b"5-\0x", None),
            (b"5\0x", id(5, 9)),
            (b"-5", None),
            (b"5-", None),
            (b"5-*", None),
            (b"-", None),
            (b"+", None),
            (b"*", None),
            (b"", None),
            (b"x", None),
            (&[b'0'; 127], id(0, 9)),
            (&[b'0'; 128], None),
        ] {
            assert_eq!(parse(text, 9).ok(), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn bounds_may_be_open_or_the_ends() {
        assert_eq!(parse_start(b"-").ok(), id(0, 0));
        assert_eq!(parse_end(b"+").ok(), id(u64::MAX, u64::MAX));
        assert_eq!(parse_start(b"(5-1").ok(), id(5, 2));
        assert_eq!(parse_end(b"(5").ok(), id(5, u64::MAX - 1));
        assert_eq!(parse_end(b"5").ok(), id(5, u64::MAX));
        for text in [&b"(-"[..], b"(+", b"(", b"((1"] {
            assert_eq!(parse_start(text), Err(INVALID), "{}", text.escape_ascii());
        }
        let beyond = parse_start(b"(18446744073709551615-18446744073709551615").unwrap_err();
        assert_eq!(beyond.to_string(), "ERR invalid start ID for the interval");
        let before = parse_end(b"(0-0").unwrap_err();
        assert_eq!(before.to_string(), "ERR invalid end ID for the interval");
    }

    #[test]
    fn new_ids_may_leave_the_sequence_open() {
        assert_eq!(parse_new(b"5-*"), Ok(NewId::InMs(5)));
        assert_eq!(parse_new(b"5"), Ok(NewId::Exact(StreamId { ms: 5, seq: 0 })));
        assert_eq!(parse_new(b"*-5"), Err(INVALID));
        assert_eq!(parse_new(b"5-**"), Err(INVALID));
    }

    #[test]
    fn an_id_is_printed_with_both_numbers() {
        assert_eq!(&*IdText::new(StreamId { ms: 5, seq: 0 }), b"5-0");
        assert_eq!(&*IdText::new(StreamId::MAX), b"18446744073709551615-18446744073709551615");
    }
}
