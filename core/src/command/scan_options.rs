//! What SCAN, HSCAN, SSCAN and ZSCAN have in common: the cursor and the options that they read, and
//! the reply. What is walked over is each command's own affair.

use super::glob;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::resp::number::{parse_i64, parse_u64};

/// How much a scan looks at unless told.
const COUNT: usize = 10;

/// What a scan walks over, which decides the options that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The keys of a database, which have types.
    Keys,
    /// The fields of a hash, which have values.
    Fields,
    /// The members of a set or a sorted set.
    Members,
}

/// The options of a scan.
#[derive(Debug)]
pub(super) struct ScanOptions<'a> {
    /// How many keys, fields or members to look at.
    pub(super) count: usize,
    pattern: Option<&'a [u8]>,
    /// The type that a key shall have.
    pub(super) type_name: Option<&'a [u8]>,
    /// Whether the values of fields are left out.
    pub(super) no_values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the words after the cursor. Redis looks at the key of an HSCAN, SSCAN or ZSCAN before
    /// that.
    pub(super) fn parse(mut words: &[&'a [u8]], scanned: Scanned) -> Result<Self, Error> {
        let mut options = Self { count: COUNT, pattern: None, type_name: None, no_values: false };
        while let [name, rest @ ..] = words {
            let is = |token: &[u8]| name.eq_ignore_ascii_case(token);
            if is(b"novalues") {
                if scanned != Scanned::Fields {
                    return Err(Error::err("NOVALUES option can only be used in HSCAN"));
                }
                options.no_values = true;
                words = rest;
                continue;
            }
            let [value, rest @ ..] = rest else { return Err(Error::SYNTAX) };
            if is(b"count") {
                options.count = count(value)?;
            } else if is(b"match") {
                options.pattern = (*value != b"*").then_some(*value);
            } else if is(b"type") && scanned == Scanned::Keys {
                options.type_name = Some(value);
            } else {
                return Err(Error::SYNTAX);
            }
            words = rest;
        }
        Ok(options)
    }

    /// The pattern that everything shall match, unless all does.
    pub(super) fn pattern(&self) -> Option<&'a [u8]> {
        self.pattern
    }

    /// Whether a key, field or member is asked for.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, text))
    }
}

fn count(word: &[u8]) -> Result<usize, Error> {
    let count = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    if count < 1 {
        return Err(Error::SYNTAX);
    }
    Ok(count as usize)
}

/// Reads a cursor as C's `strtoul` does, which Redis hands it to: a sign, leading zeros and nothing
/// at all are allowed, a NUL ends it, blanks are not allowed.
///
/// # Errors
/// `ERR invalid cursor`
pub(super) fn cursor(word: &[u8]) -> Result<u64, Error> {
    cursor_number(word).ok_or(const { Error::err("invalid cursor") })
}

fn cursor_number(word: &[u8]) -> Option<u64> {
    let word = &word[..memchr::memchr(0, word).unwrap_or(word.len())];
    if word.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let first = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let number = match &digits[first..] {
        [] if digits.is_empty() => return None,
        [] => 0,
        digits => parse_u64(digits)?,
    };
    Some(if negative { number.wrapping_neg() } else { number })
}

/// What was found, to be written once it is known how much it is.
#[derive(Debug, Default)]
pub(super) struct Found {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Found {
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// Writes what was found as an array.
    pub(super) fn write(&self, out: &mut dyn ReplySink) {
        out.array(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            out.bulk(&self.bytes[start..end]);
            start = end;
        }
    }

    /// Writes the reply of a scan: the cursor to go on from, zero at the end, and what was found.
    pub(super) fn reply(&self, next: u64, out: &mut dyn ReplySink) {
        out.array(2);
        out.bulk(itoa::Buffer::new().format(next).as_bytes());
        self.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", Some(u64::MAX)),
            ("-18446744073709551615", Some(1)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("-0", Some(0)),
            ("7\0x", Some(7)),
            (" 7", None),
            ("7 ", None),
            ("-", None),
            ("+", None),
            ("+-7", None),
            ("7x", None),
            ("0x7", None),
        ] {
            assert_eq!(cursor_number(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn each_scan_takes_its_own_options() {
        let parse = |words: &'static str, scanned| {
            let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            ScanOptions::parse(&words, scanned).map_err(|error| error.to_string())
        };
        assert_eq!(parse("COUNT 3 match a*", Scanned::Members).map(|options| options.count), Ok(3));
        assert!(parse("NoValues COUNT 3", Scanned::Fields).is_ok_and(|options| options.no_values));
        assert!(parse("TYPE hash", Scanned::Keys).is_ok_and(|options| options.type_name.is_some()));
        let syntax = Err(Error::SYNTAX.to_string());
        for words in ["TYPE hash", "COUNT", "COUNT 0", "MATCH", "FOO", "COUNT 1 FOO"] {
            assert_eq!(parse(words, Scanned::Fields).map(|_| ()), syntax, "{words}");
        }
        let refused = "ERR NOVALUES option can only be used in HSCAN";
        for scanned in [Scanned::Keys, Scanned::Members] {
            assert_eq!(parse("NOVALUES", scanned).map(|_| ()), Err(refused.to_owned()));
        }
    }
}
