//! Replies taken apart into tokens that borrow from the input: the cheapest way to read them.
//! Making trees of tokens, and waiting for more input, are the decoder's.

use super::head::short_head;
use super::number::{parse_f64, parse_i64};
use crate::error::{Error, ErrorKind};
use memchr::memchr2;

/// The bounds of what a server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// The longest string, in bytes. By default 512 MiB, the longest value that Redis holds.
    pub bulk_len_max: usize,
    /// The most parts of an array or set, or pairs of a map. By default 2147483647.
    pub array_len_max: usize,
    /// The longest line: a status, an error, a big number. By default 512 MiB.
    pub line_len_max: usize,
    /// How deep arrays may stand within arrays. By default 128.
    pub nesting_max: usize,
}

impl ReplyLimits {
    /// The limits by default.
    pub const DEFAULT: Self = Self {
        bulk_len_max: 512 << 20,
        array_len_max: i32::MAX as usize,
        line_len_max: 512 << 20,
        nesting_max: 128,
    };
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One part of a reply: a whole simple reply, or the head of an aggregate whose parts follow.
#[derive(Clone, Copy, Debug, PartialEq)]
// Fields beside a small tag would be moved in odd pieces, which halves the speed.
#[repr(u64)]
pub enum Token<'a> {
    /// A simple string, `+`.
    Status(&'a [u8]),
    /// An error with its prefix: a line, `-`, or a counted one, `!`.
    Error(&'a [u8]),
    /// An integer, `:`.
    Integer(i64),
    /// A bulk string, `$`.
    Bulk(&'a [u8]),
    /// A null, `_`, `$-1` or `*-1`.
    Null,
    /// The head of an array of so many parts, `*`.
    Array(usize),
    /// The head of a map of so many pairs, `%`.
    Map(usize),
    /// The head of a set of so many parts, `~`.
    Set(usize),
    /// The head of an out-of-band push of so many parts, `>`.
    Push(usize),
    /// The head of an attribute of so many pairs, `|`. After them comes what it describes.
    Attribute(usize),
    /// A double, `,`.
    Double(f64),
    /// A boolean, `#`.
    Boolean(bool),
    /// An integer of any size, in decimal digits, `(`.
    BigNumber(&'a [u8]),
    /// A text with its format, such as `txt`, `=`.
    Verbatim(&'a [u8; 3], &'a [u8]),
}

impl Token<'_> {
    /// How many replies follow that belong to this one. Zero for what is whole by itself.
    pub fn parts(&self) -> usize {
        match *self {
            Token::Array(len) | Token::Set(len) | Token::Push(len) => len,
            Token::Map(pairs) => pairs * 2,
            Token::Attribute(pairs) => pairs * 2 + 1,
            Token::Status(_)
            | Token::Error(_)
            | Token::Integer(_)
            | Token::Bulk(_)
            | Token::Null
            | Token::Double(_)
            | Token::Boolean(_)
            | Token::BigNumber(_)
            | Token::Verbatim(..) => 0,
        }
    }
}

/// Reads tokens one after another from bytes that are all there.
#[derive(Clone, Debug)]
pub struct ReplyReader<'a> {
    input: &'a [u8],
    at: usize,
    limits: ReplyLimits,
}

impl<'a> ReplyReader<'a> {
    /// A reader at the start of `input`, with the limits by default.
    pub fn new(input: &'a [u8]) -> Self {
        Self::with_limits(input, ReplyLimits::DEFAULT)
    }

    /// A reader at the start of `input`. Nesting is not its concern.
    pub fn with_limits(input: &'a [u8], limits: ReplyLimits) -> Self {
        Self { input, at: 0, limits }
    }

    /// Takes the next token. None, and nothing taken, if the input ends before the token does.
    /// Fails if the bytes are no reply or go beyond a limit.
    #[inline]
    pub fn next_token(&mut self) -> Result<Option<Token<'a>>, Error> {
        let found = read_token(&self.input[self.at..], &self.limits, &mut Seen::default())?;
        Ok(found.map(|(token, len)| {
            self.at += len;
            token
        }))
    }

    /// How many bytes were taken.
    pub fn position(&self) -> usize {
        self.at
    }
}

/// What is known of a token that is not all there, so that it need not be looked at again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// How much of the token holds no end of its line.
    scanned: usize,
    /// The least length that the token has.
    len_min: usize,
}

impl Seen {
    pub(super) fn is_new(&self) -> bool {
        self.scanned == 0 && self.len_min == 0
    }
}

/// Reads the token at the start of `rest` and its length in bytes; None if it is not all there, and
/// then `seen` says what is known.
#[inline(always)]
pub(super) fn read_token<'a>(
    rest: &'a [u8],
    limits: &ReplyLimits,
    seen: &mut Seen,
) -> Result<Option<(Token<'a>, usize)>, Error> {
    if let Some(head) = rest.first_chunk()
        && let Some((value, len)) = short_head(head)
        && head[len - 1] == b'\n'
        && let Some(found) = usual_token(rest, head[0], value, len, limits)
    {
        return Ok(Some(found));
    }
    if rest.starts_with(b"+OK\r\n") && limits.line_len_max >= 2 {
        return Ok(Some((Token::Status(b"OK"), 5)));
    }
    read_any_token(rest, limits, seen)
}

/// Reads a token that starts with `marker` and `value` in `start` bytes, if it is one of the usual
/// ones and all there.
#[inline(always)]
fn usual_token<'a>(
    rest: &'a [u8],
    marker: u8,
    value: usize,
    start: usize,
    limits: &ReplyLimits,
) -> Option<(Token<'a>, usize)> {
    match marker {
        b'$' if value <= limits.bulk_len_max => {
            let end = start + value + 2;
            let text = rest.get(start..end)?.strip_suffix(b"\r\n")?;
            Some((Token::Bulk(text), end))
        }
        b':' => Some((Token::Integer(value as i64), start)),
        b'*' if value <= limits.array_len_max => Some((Token::Array(value), start)),
        b'%' if value <= limits.array_len_max => Some((Token::Map(value), start)),
        _ => None,
    }
}

#[inline(never)]
fn read_any_token<'a>(
    rest: &'a [u8],
    limits: &ReplyLimits,
    seen: &mut Seen,
) -> Result<Option<(Token<'a>, usize)>, Error> {
    let Some(&marker) = rest.first() else { return Ok(None) };
    if rest.len() < seen.len_min {
        return Ok(None);
    }
    let line_len_max = match marker {
        b'+' | b'-' | b'(' | b',' => limits.line_len_max,
        b':' | b'$' | b'!' | b'=' | b'*' | b'%' | b'~' | b'>' | b'|' | b'_' | b'#' => {
            NUMBER_LEN_MAX
        }
        other => return Err(bad_type(other)),
    };
    let Some(line) = read_line(rest, line_len_max, seen)? else { return Ok(None) };
    let len = line.len() + 3;
    let token = match marker {
        b'+' => Token::Status(line),
        b'-' => Token::Error(line),
        b':' => Token::Integer(parse_i64(line).ok_or(BAD_INTEGER)?),
        b',' => Token::Double(parse_double(line)?),
        b'(' => Token::BigNumber(check_big_number(line)?),
        b'_' if line.is_empty() => Token::Null,
        b'_' => return Err(protocol("Bad nil value")),
        b'#' => Token::Boolean(parse_boolean(line)?),
        b'$' | b'!' | b'=' => return read_counted(rest, line, marker, limits, seen),
        _ => return Ok(Some((aggregate(marker, line, limits)?, len))),
    };
    Ok(Some((token, len)))
}

/// Takes the line after the marker, without its end.
fn read_line<'a>(
    rest: &'a [u8],
    len_max: usize,
    seen: &mut Seen,
) -> Result<Option<&'a [u8]>, Error> {
    let skipped = seen.scanned.max(1);
    let Some(offset) = memchr2(b'\r', b'\n', &rest[skipped..]) else {
        seen.scanned = rest.len();
        return if rest.len() - 1 > len_max { Err(LINE_TOO_LONG) } else { Ok(None) };
    };
    let end = skipped + offset;
    seen.scanned = end;
    if end - 1 > len_max {
        return Err(LINE_TOO_LONG);
    }
    match rest[end..] {
        [b'\r', b'\n', ..] => Ok(Some(&rest[1..end])),
        [b'\r'] => Ok(None),
        _ => Err(protocol("Line break is not CR LF")),
    }
}

/// Reads the bytes after a head that counts them.
fn read_counted<'a>(
    rest: &'a [u8],
    line: &[u8],
    marker: u8,
    limits: &ReplyLimits,
    seen: &mut Seen,
) -> Result<Option<(Token<'a>, usize)>, Error> {
    let start = line.len() + 3;
    if marker == b'$' && line == b"-1" {
        return Ok(Some((Token::Null, start)));
    }
    let len = parse_i64(line).ok_or(protocol("Bad bulk string length"))?;
    let len = usize::try_from(len).ok().filter(|&len| len <= limits.bulk_len_max);
    let len = len.ok_or(protocol("Bulk string length out of range"))?;
    let Some(end) = start.checked_add(len).and_then(|end| end.checked_add(2)) else {
        return Err(protocol("Bulk string length out of range"));
    };
    let Some(text) = rest.get(start..end) else {
        seen.len_min = end;
        return Ok(None);
    };
    let Some(text) = text.strip_suffix(b"\r\n") else {
        return Err(protocol("Bulk string is not followed by CR LF"));
    };
    let token = match (marker, text) {
        (b'$', text) => Token::Bulk(text),
        (b'!', text) => Token::Error(text),
        (_, text) => verbatim(text)?,
    };
    Ok(Some((token, end)))
}

fn verbatim(text: &[u8]) -> Result<Token<'_>, Error> {
    match text.split_first_chunk() {
        Some((format, [b':', text @ ..])) => Ok(Token::Verbatim(format, text)),
        Some(_) | None => Err(BAD_VERBATIM),
    }
}

/// Makes the token of an aggregate's head.
fn aggregate<'a>(marker: u8, line: &[u8], limits: &ReplyLimits) -> Result<Token<'a>, Error> {
    if marker == b'*' && line == b"-1" {
        return Ok(Token::Null);
    }
    let len = parse_i64(line).ok_or(protocol("Bad multi-bulk length"))?;
    let len_max = limits.array_len_max.min(ARRAY_LEN_MAX);
    let len = usize::try_from(len).ok().filter(|&len| len <= len_max);
    let len = len.ok_or(protocol("Multi-bulk length out of range"))?;
    Ok(match marker {
        b'%' => Token::Map(len),
        b'~' => Token::Set(len),
        b'>' => Token::Push(len),
        b'|' => Token::Attribute(len),
        _ => Token::Array(len),
    })
}

fn parse_double(line: &[u8]) -> Result<f64, Error> {
    // Redis prints what is no number in one way, other servers in several.
    if line.eq_ignore_ascii_case(b"nan") || line.eq_ignore_ascii_case(b"-nan") {
        return Ok(f64::NAN);
    }
    parse_f64(line).ok_or(protocol("Bad double value"))
}

fn parse_boolean(line: &[u8]) -> Result<bool, Error> {
    match line {
        b"t" | b"T" => Ok(true),
        b"f" | b"F" => Ok(false),
        _ => Err(protocol("Bad bool value")),
    }
}

fn check_big_number(line: &[u8]) -> Result<&[u8], Error> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(protocol("Bad bignum value"));
    }
    Ok(line)
}

/// The longest text of an integer or a length: a sign and twenty digits.
const NUMBER_LEN_MAX: usize = 21;
/// So that twice as many parts and one more can be counted.
const ARRAY_LEN_MAX: usize = usize::MAX / 4;

const BAD_INTEGER: Error = protocol("Bad integer value");
const BAD_VERBATIM: Error =
    protocol("Verbatim string 4 bytes of content type are missing or incorrectly encoded.");
const LINE_TOO_LONG: Error = protocol("Line length out of range");

const fn protocol(text: &'static str) -> Error {
    Error::fixed(ErrorKind::Protocol, text)
}

fn bad_type(marker: u8) -> Error {
    let text = format!("Protocol error, got \"{}\" as reply type byte", marker.escape_ascii());
    Error::new(ErrorKind::Protocol, text)
}
