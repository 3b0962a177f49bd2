//! Writes replies, and a client's requests, as RESP bytes. What to write is the caller's.

use super::number::{DoubleText, write_f64_human, write_i64};
use super::{Protocol, ReplySink};
use crate::error::Error;

/// A reply sink that writes RESP, version 2 or 3, into a buffer that grows as needed.
///
/// Sending is the host's: it takes the bytes by [`Encoder::take`], or reads them by
/// [`Encoder::bytes`] and drops what was sent by [`Encoder::consume`].
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    protocol: Protocol,
}

impl Encoder {
    /// An encoder with an empty buffer.
    pub fn new(protocol: Protocol) -> Self {
        Self::with_buffer(Vec::new(), protocol)
    }

    /// An encoder that appends to `out`.
    pub fn with_buffer(out: Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// What was written and not taken.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// The buffer itself, for a caller that appends bytes encoded elsewhere.
    pub fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes were written and not taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes everything written, and leaves an empty buffer.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Drops the first `count` bytes, which the host has sent. Panics if there are not so many.
    /// Marks taken before lose their meaning.
    pub fn consume(&mut self, count: usize) {
        self.out.drain(..count);
    }

    /// Drops everything written and keeps the buffer.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// The buffer, with everything written.
    pub fn into_inner(self) -> Vec<u8> {
        self.out
    }

    /// A part whose bytes are preceded by their count: `$`, `=`.
    fn counted(&mut self, marker: u8, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.out.reserve(HEAD_LEN_MAX + len + 2);
        write_head(marker, len, &mut self.out);
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, marker: u8, text: &[u8]) {
        self.out.push(marker);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    /// The head of an aggregate that RESP2 knows only as an array of `flat` parts.
    fn aggregate(&mut self, marker: u8, len: usize, flat: usize) {
        match self.protocol {
            Protocol::Resp2 => write_head(b'*', flat, &mut self.out),
            Protocol::Resp3 => write_head(marker, len, &mut self.out),
        }
    }
}

impl ReplySink for Encoder {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn mark(&self) -> usize {
        self.out.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    fn status(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "a status is one line");
        self.line(b'+', text.as_bytes());
    }

    fn error(&mut self, error: &Error) {
        self.out.push(b'-');
        error.write_line(&mut self.out);
        self.out.extend_from_slice(b"\r\n");
    }

    fn integer(&mut self, value: i64) {
        match usize::try_from(value) {
            Ok(value) => write_head(b':', value, &mut self.out),
            Err(_) => {
                self.out.push(b':');
                write_i64(value, &mut self.out);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn bulk(&mut self, bytes: &[u8]) {
        write_bulk(bytes, &mut self.out);
    }

    fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    fn array(&mut self, len: usize) {
        write_head(b'*', len, &mut self.out);
    }

    fn map(&mut self, pairs: usize) {
        self.aggregate(b'%', pairs, pairs * 2);
    }

    fn set(&mut self, len: usize) {
        self.aggregate(b'~', len, len);
    }

    fn push(&mut self, len: usize) {
        self.aggregate(b'>', len, len);
    }

    fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.protocol == Protocol::Resp3, "RESP2 has no attributes");
        write_head(b'|', pairs, &mut self.out);
    }

    fn double(&mut self, value: f64) {
        let text = DoubleText::new(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    fn human_double(&mut self, value: f64) {
        let mut text = Vec::new();
        write_f64_human(value, &mut text);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
    }

    fn big_number(&mut self, digits: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.line(b'(', digits),
        }
    }

    fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.counted(b'=', &[format, b":", text]),
        }
    }
}

/// Appends a request as a client sends it: an array of bulk strings.
pub fn encode_request<W: AsRef<[u8]>>(words: &[W], out: &mut Vec<u8>) {
    write_head(b'*', words.len(), out);
    for word in words {
        write_bulk(word.as_ref(), out);
    }
}

#[inline]
fn write_bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(HEAD_LEN_MAX + bytes.len() + 2);
    write_head(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends a marker, a number and a line's end.
#[inline]
fn write_head(marker: u8, value: usize, out: &mut Vec<u8>) {
    match SMALL_HEADS.get(value) {
        Some(small) => {
            let len = out.len() + usize::from(small[0]);
            let mut head = *small;
            head[0] = marker;
            // One copy of a fixed size and a cut are quicker than a copy of the right size.
            out.extend_from_slice(&head);
            out.truncate(len);
        }
        None => {
            out.push(marker);
            out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// A marker, twenty digits and a line's end.
const HEAD_LEN_MAX: usize = 23;

/// The heads of small numbers: the head's length where the marker goes, digits and a line's end.
static SMALL_HEADS: [[u8; 8]; 1024] = small_heads();

const fn small_heads() -> [[u8; 8]; 1024] {
    let mut heads = [[0; 8]; 1024];
    let mut value = 0;
    while value < heads.len() {
        let mut at = 1;
        let mut unit = 1000;
        while unit > 0 {
            if value >= unit || unit == 1 {
                heads[value][at] = b'0' + (value / unit % 10) as u8;
                at += 1;
            }
            unit /= 10;
        }
        heads[value][at] = b'\r';
        heads[value][at + 1] = b'\n';
        heads[value][0] = at as u8 + 2;
        value += 1;
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(protocol: Protocol, reply: impl Fn(&mut Encoder)) -> String {
        let mut encoder = Encoder::new(protocol);
        reply(&mut encoder);
        String::from_utf8(encoder.into_inner()).unwrap()
    }

    /// Each kind of reply, with its bytes in both versions.
    #[test]
    fn every_type_has_its_form_in_both_versions() {
        type Reply = fn(&mut Encoder);
        let replies: [(Reply, &str, &str); 17] = [
            (|out| out.ok(), "+OK\r\n", "+OK\r\n"),
            (|out| out.error(&Error::SYNTAX), "-ERR syntax error\r\n", "-ERR syntax error\r\n"),
            (|out| out.integer(1023), ":1023\r\n", ":1023\r\n"),
            (|out| out.integer(-1), ":-1\r\n", ":-1\r\n"),
            (|out| out.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
            (|out| out.null(), "$-1\r\n", "_\r\n"),
            (|out| out.null_array(), "*-1\r\n", "_\r\n"),
            (|out| out.array(2), "*2\r\n", "*2\r\n"),
            (|out| out.map(2), "*4\r\n", "%2\r\n"),
            (|out| out.set(3), "*3\r\n", "~3\r\n"),
            (|out| out.push(3), "*3\r\n", ">3\r\n"),
            (|out| out.double(0.1), "$3\r\n0.1\r\n", ",0.1\r\n"),
            (|out| out.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
            (|out| out.boolean(true), ":1\r\n", "#t\r\n"),
            (|out| out.boolean(false), ":0\r\n", "#f\r\n"),
            (|out| out.big_number(b"12"), "$2\r\n12\r\n", "(12\r\n"),
            (|out| out.verbatim(b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        ];
        for (reply, second, third) in replies {
            assert_eq!(write(Protocol::Resp2, reply), second);
            assert_eq!(write(Protocol::Resp3, reply), third);
        }
        assert_eq!(write(Protocol::Resp3, |out| out.attribute(1)), "|1\r\n");
    }

    #[test]
    fn every_integer_is_written_in_full() {
        let edges = [1024, 9999, 10_000, i64::MAX, i64::MIN, -1023];
        for value in (0..=1100).chain(edges) {
            let text = write(Protocol::Resp2, |out| out.integer(value));
            assert_eq!(text, format!(":{value}\r\n"));
        }
    }

    #[test]
    fn rewinding_forgets_what_was_written_since_the_mark() {
        let mut out = Encoder::new(Protocol::Resp2);
        out.ok();
        let mark = out.mark();
        out.array(2);
        out.bulk(b"half");
        out.rewind(mark);
        out.error(&Error::SYNTAX);
        assert_eq!(out.bytes(), b"+OK\r\n-ERR syntax error\r\n");
        out.consume(5);
        assert_eq!(out.take(), b"-ERR syntax error\r\n");
        assert!(out.is_empty());
    }

    #[test]
    fn a_request_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        encode_request(&["GET", "k"], &mut out);
        encode_request(&[[b'x'; 1024]], &mut out);
        assert!(out.starts_with(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$1024\r\nxxx"));
    }
}
