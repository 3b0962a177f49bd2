//! Requests out of the bytes that a client sent, a piece at a time. What the words mean, and the
//! limit on what one client may leave unread, are the session's.
//!
//! A request is an array of bulk strings, or one line of text (inline). Its words are spans of the
//! input; only inline words, which may be escaped, are copied. What is kept of an unfinished
//! request is relative to the request's start, so that the caller may move its bytes in between,
//! and no byte is looked at again for having come in a small piece.

use super::head::short_head;
use super::inline;
use super::number::parse_i64;
use crate::error::{Error, ErrorKind};
use memchr::memchr2;

/// The bounds of what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The longest word, in bytes: `proto-max-bulk-len`. By default 512 MiB.
    pub bulk_len_max: usize,
    /// The most words in a request. By default 2147483647.
    pub array_len_max: usize,
    /// The longest line, be it an inline request or the head of an array or a word, in bytes
    /// before its end. By default 64 KiB.
    pub inline_len_max: usize,
}

impl RequestLimits {
    /// Redis's limits.
    pub const DEFAULT: Self = Self {
        bulk_len_max: 512 << 20,
        array_len_max: i32::MAX as usize,
        inline_len_max: 64 << 10,
    };
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What [`RequestParser::parse`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// One request was appended.
    Complete {
        /// Where it ends in the input; what stands before, it and empty requests, is done with.
        end: usize,
    },
    /// Nothing was appended: the input ends within a request, or at the end of one.
    Incomplete {
        /// What stands before this in the input, empty requests, is done with. The next call's
        /// `from` names this same byte.
        consumed: usize,
    },
}

/// A store of parsed requests, to be reused.
#[derive(Debug, Default)]
pub struct Requests {
    requests: Vec<Request>,
    spans: Vec<Span>,
    scratch: Vec<u8>,
}

impl Requests {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all requests. Keeps the memory unless it is more than usual.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.requests.shrink_to(SPANS_KEPT);
        self.spans.clear();
        self.spans.shrink_to(SPANS_KEPT);
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_KEPT);
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many words request `index` has; at least one. Panics if there is no such request.
    pub fn word_count(&self, index: usize) -> usize {
        self.requests[index].spans_end - self.spans_start(index)
    }

    /// Appends the words of request `index` to `words`; `input` is the very buffer that was
    /// parsed. Panics if there is no such request, or if `input` is shorter than what was parsed.
    #[inline]
    pub fn words<'a>(&'a self, index: usize, input: &'a [u8], words: &mut Vec<&'a [u8]>) {
        let request = self.requests[index];
        let source = match request.source {
            Source::Input => input,
            Source::Scratch => &self.scratch,
        };
        let spans = &self.spans[self.spans_start(index)..request.spans_end];
        words.extend(spans.iter().map(|span| &source[span.start..span.start + span.len]));
    }

    fn spans_start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.requests[before].spans_end)
    }

    /// Makes a request of the spans from `first` on, if there are any.
    fn finish_array(&mut self, first: usize, end: usize) -> Step {
        if self.spans.len() == first {
            return Step::Empty(end);
        }
        self.requests.push(Request { spans_end: self.spans.len(), source: Source::Input });
        Step::Complete(end)
    }

    /// Makes a request of the words of `line`, if it has any.
    fn add_line(&mut self, line: &[u8], end: usize) -> Result<Step, Error> {
        let (first, scratch_first) = (self.spans.len(), self.scratch.len());
        let mut start = scratch_first;
        let balanced = inline::split(line, &mut self.scratch, |end| {
            self.spans.push(Span { start, len: end - start });
            start = end;
        });
        if !balanced {
            self.spans.truncate(first);
            self.scratch.truncate(scratch_first);
            return Err(INLINE_UNBALANCED);
        }
        if self.spans.len() == first {
            return Ok(Step::Empty(end));
        }
        self.requests.push(Request { spans_end: self.spans.len(), source: Source::Scratch });
        Ok(Step::Complete(end))
    }
}

/// Splits what one client sends into requests.
///
/// After an error the parser has lost its place: the session writes the error and closes.
#[derive(Debug)]
pub struct RequestParser {
    rules: Rules,
    /// The place in an unfinished request, counted from its start.
    place: Place,
    /// The words of an unfinished request, counted from its start.
    spans: Vec<Span>,
}

impl RequestParser {
    /// A parser at the start of the first request of a client that counts as authenticated.
    pub fn new(limits: RequestLimits) -> Self {
        let rules = Rules { limits, authenticated: true };
        Self { rules, place: Place::default(), spans: Vec::new() }
    }

    /// Changes the limits for what follows.
    pub fn set_limits(&mut self, limits: RequestLimits) {
        self.rules.limits = limits;
    }

    /// Says whether the client may do more than authenticate. One that may not is held to ten
    /// words of 16 KiB a request, lest a stranger fill the memory.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.rules.authenticated = authenticated;
    }

    /// Parses at most one request from `input[from..]`, which starts where a request starts.
    ///
    /// After [`Parsed::Incomplete`] the caller calls again with the same bytes and more, at
    /// whatever offset they then are. Empty requests (`*0`, `*-1`, blank lines) are skipped. Fails
    /// with Redis's texts if the bytes are no request or go beyond a limit.
    #[inline]
    pub fn parse(
        &mut self,
        input: &[u8],
        mut from: usize,
        requests: &mut Requests,
    ) -> Result<Parsed, Error> {
        loop {
            let step = match input.get(from) {
                Some(b'*') if self.place.is_start() => self.start_array(input, from, requests)?,
                Some(b'*') => self.resume_array(input, from, requests)?,
                Some(_) => self.parse_inline(input, from, requests)?,
                None => Step::Incomplete,
            };
            match step {
                Step::Complete(end) => return Ok(Parsed::Complete { end }),
                Step::Empty(end) => from = end,
                Step::Incomplete => return Ok(Parsed::Incomplete { consumed: from }),
            }
        }
    }

    fn start_array(
        &mut self,
        input: &[u8],
        from: usize,
        requests: &mut Requests,
    ) -> Result<Step, Error> {
        let mut place = Place { at: from, ..Place::default() };
        let first = requests.spans.len();
        let complete = self.rules.read_array(input, &mut place, &mut requests.spans)?;
        if complete {
            return Ok(requests.finish_array(first, place.at));
        }
        let unfinished = requests.spans.drain(first..);
        self.spans.extend(unfinished.map(|span| Span { start: span.start - from, ..span }));
        self.place = Place { at: place.at - from, ..place };
        Ok(Step::Incomplete)
    }

    #[cold]
    fn resume_array(
        &mut self,
        input: &[u8],
        from: usize,
        requests: &mut Requests,
    ) -> Result<Step, Error> {
        let rest = &input[from..];
        if !self.rules.read_array(rest, &mut self.place, &mut self.spans)? {
            return Ok(Step::Incomplete);
        }
        let end = from + self.place.at;
        let first = requests.spans.len();
        let finished = self.spans.drain(..);
        requests.spans.extend(finished.map(|span| Span { start: span.start + from, ..span }));
        self.spans.shrink_to(SPANS_KEPT);
        self.place = Place::default();
        Ok(requests.finish_array(first, end))
    }

    fn parse_inline(
        &mut self,
        input: &[u8],
        from: usize,
        requests: &mut Requests,
    ) -> Result<Step, Error> {
        let rest = &input[from..];
        let scanned = &mut self.place.scanned;
        let Some(end) = self.rules.find_line_end(rest, b'\n', scanned, INLINE_TOO_BIG)? else {
            return Ok(Step::Incomplete);
        };
        self.place = Place::default();
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        requests.add_line(line, from + end + 1)
    }
}

/// What parsing one request, or nothing, came to; the numbers are where it ended.
enum Step {
    Complete(usize),
    Empty(usize),
    Incomplete,
}

/// How far an array has been read. All zero at its start.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Where the next head, or the word whose head was read, starts.
    at: usize,
    /// How much of the line at `at` is known to hold no end.
    scanned: usize,
    /// Words still to come, with the one whose head was read. Zero before the array's head.
    words_left: usize,
    /// The length of the word at `at`, if its head was read.
    word_len: Option<usize>,
}

impl Place {
    fn is_start(&self) -> bool {
        self.words_left == 0 && self.scanned == 0
    }

    /// Goes to the end of the line at this place, and forgets what was known of it.
    fn leave_line(&mut self, end: usize) {
        self.at = end;
        self.scanned = 0;
    }
}

/// The bounds that hold for one client.
#[derive(Clone, Copy, Debug)]
struct Rules {
    limits: RequestLimits,
    authenticated: bool,
}

impl Rules {
    /// Reads on from `place`, and says whether the array is complete. It is empty if it is
    /// complete without a word.
    #[inline]
    fn read_array(
        &self,
        input: &[u8],
        place: &mut Place,
        spans: &mut Vec<Span>,
    ) -> Result<bool, Error> {
        if place.words_left == 0 {
            match self.read_count(input, place)? {
                Some(count) => place.words_left = count,
                None => return Ok(false),
            }
        }
        while place.words_left > 0 {
            let len = match place.word_len {
                Some(len) => len,
                None => match self.read_word_len(input, place)? {
                    Some(len) => len,
                    None => return Ok(false),
                },
            };
            // The two bytes after the word are not looked at, as in Redis.
            if input.len() - place.at < len + 2 {
                place.word_len = Some(len);
                return Ok(false);
            }
            spans.push(Span { start: place.at, len });
            place.word_len = None;
            place.at += len + 2;
            place.words_left -= 1;
        }
        Ok(true)
    }

    #[inline]
    fn read_count(&self, input: &[u8], place: &mut Place) -> Result<Option<usize>, Error> {
        match usual_head(input, place.at, b'*') {
            Some((count, at)) if count <= self.limits.array_len_max.min(STRANGER_WORDS_MAX) => {
                place.leave_line(at);
                Ok(Some(count))
            }
            Some(_) | None => self.read_any_count(input, place),
        }
    }

    #[inline]
    fn read_word_len(&self, input: &[u8], place: &mut Place) -> Result<Option<usize>, Error> {
        match usual_head(input, place.at, b'$') {
            Some((len, at)) if len <= self.limits.bulk_len_max => {
                place.leave_line(at);
                Ok(Some(len))
            }
            Some(_) | None => self.read_any_word_len(input, place),
        }
    }

    /// Reads the head of an array, however long or wrong it is. A negative count reads as none.
    #[cold]
    fn read_any_count(&self, input: &[u8], place: &mut Place) -> Result<Option<usize>, Error> {
        let Some(line) = self.read_head(input, place, COUNT_TOO_BIG)? else {
            return Ok(None);
        };
        let count = parse_i64(&line[1..]).ok_or(COUNT_INVALID)?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.limits.array_len_max {
            return Err(COUNT_INVALID);
        }
        if count > STRANGER_WORDS_MAX && !self.authenticated {
            return Err(COUNT_UNAUTHENTICATED);
        }
        Ok(Some(count))
    }

    /// Reads the head of a word, however long or wrong it is.
    #[cold]
    fn read_any_word_len(&self, input: &[u8], place: &mut Place) -> Result<Option<usize>, Error> {
        let Some(line) = self.read_head(input, place, WORD_TOO_BIG)? else {
            return Ok(None);
        };
        let Some(digits) = line.strip_prefix(b"$") else {
            // A line that starts with its own end has CR for a first byte.
            return Err(word_expected(line.first().copied().unwrap_or(b'\r')));
        };
        let len = parse_i64(digits).and_then(|len| usize::try_from(len).ok());
        let len = len.filter(|&len| len <= self.limits.bulk_len_max).ok_or(WORD_INVALID)?;
        if len > STRANGER_WORD_LEN_MAX && !self.authenticated {
            return Err(WORD_UNAUTHENTICATED);
        }
        Ok(Some(len))
    }

    /// Takes the line at `place`, without its end. Of the end only the CR is looked at, as in
    /// Redis, but both bytes must be there.
    fn read_head<'a>(
        &self,
        input: &'a [u8],
        place: &mut Place,
        too_big: Error,
    ) -> Result<Option<&'a [u8]>, Error> {
        let rest = &input[place.at..];
        match self.find_line_end(rest, b'\r', &mut place.scanned, too_big)? {
            Some(end) if end + 1 < rest.len() => {
                place.leave_line(place.at + end + 2);
                Ok(Some(&rest[..end]))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Finds the first `terminator` in `rest`, whose first `scanned` bytes hold none, and fails
    /// with `too_big` if a line of the longest length does not hold it. A NUL hides what follows,
    /// since Redis searches with C's string functions.
    fn find_line_end(
        &self,
        rest: &[u8],
        terminator: u8,
        scanned: &mut usize,
        too_big: Error,
    ) -> Result<Option<usize>, Error> {
        let window = &rest[..rest.len().min(self.limits.inline_len_max.saturating_add(1))];
        let skipped = (*scanned).min(window.len());
        *scanned = match memchr2(terminator, 0, &window[skipped..]) {
            Some(offset) if window[skipped + offset] == terminator => {
                return Ok(Some(skipped + offset));
            }
            Some(offset) => skipped + offset,
            None => window.len(),
        };
        if rest.len() > self.limits.inline_len_max { Err(too_big) } else { Ok(None) }
    }
}

/// Reads a head of `marker` and a small number, the usual one, with the offset after it. None if it
/// is not that, or is near the input's end.
#[inline(always)]
fn usual_head(input: &[u8], at: usize, marker: u8) -> Option<(usize, usize)> {
    let head = input.get(at..)?.first_chunk()?;
    let (value, len) = short_head(head)?;
    (head[0] == marker).then_some((value, at + len))
}

#[derive(Clone, Copy, Debug)]
struct Request {
    spans_end: usize,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Input,
    Scratch,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    len: usize,
}

/// Spans and bytes whose memory is kept for the next requests.
const SPANS_KEPT: usize = 4096;
const SCRATCH_KEPT: usize = 64 << 10;

/// What a client may send before it has authenticated.
const STRANGER_WORDS_MAX: usize = 10;
const STRANGER_WORD_LEN_MAX: usize = 16384;

const INLINE_TOO_BIG: Error = protocol("Protocol error: too big inline request");
const INLINE_UNBALANCED: Error = protocol("Protocol error: unbalanced quotes in request");
const COUNT_TOO_BIG: Error = protocol("Protocol error: too big mbulk count string");
const COUNT_INVALID: Error = protocol("Protocol error: invalid multibulk length");
const COUNT_UNAUTHENTICATED: Error = protocol("Protocol error: unauthenticated multibulk length");
const WORD_TOO_BIG: Error = protocol("Protocol error: too big bulk count string");
const WORD_INVALID: Error = protocol("Protocol error: invalid bulk length");
const WORD_UNAUTHENTICATED: Error = protocol("Protocol error: unauthenticated bulk length");

const fn protocol(text: &'static str) -> Error {
    Error::fixed(ErrorKind::Protocol, text)
}

fn word_expected(found: u8) -> Error {
    let text = [b"Protocol error: expected '$', got '", &[found][..], b"'"].concat();
    Error::new(ErrorKind::Protocol, text)
}

#[cfg(test)]
mod tests;
