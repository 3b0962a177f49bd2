//! A reply sink that makes trees, for callers within the program: no RESP text in between. The
//! trees themselves are `reply`'s.

use super::number::DoubleText;
use super::reply::usual_status;
use super::{Protocol, Reply, ReplySink};
use crate::error::Error;
use bytes::Bytes;
use smallvec::SmallVec;

/// A reply sink that builds a [`Reply`], the same that a client would decode from the bytes of an
/// encoder in the same version.
#[derive(Debug, Default)]
pub struct ReplyBuilder {
    parts: SmallVec<[Part; 1]>,
    protocol: Protocol,
}

/// What a handler wrote: a reply by itself, or the head of an aggregate.
#[derive(Debug)]
enum Part {
    Leaf(Reply),
    Array(usize),
    Map(usize),
    Set(usize),
    Push(usize),
    Attribute(usize),
}

impl ReplyBuilder {
    /// A builder that has nothing yet.
    pub fn new(protocol: Protocol) -> Self {
        Self { parts: SmallVec::new(), protocol }
    }

    /// Takes the reply that was written, the first if there are several. None if there is none, or
    /// if parts that were announced are missing.
    pub fn take(&mut self) -> Option<Reply> {
        let mut parts = std::mem::take(&mut self.parts).into_iter();
        let reply = build(&mut parts);
        self.parts = parts.collect();
        reply
    }

    fn leaf(&mut self, reply: Reply) {
        self.parts.push(Part::Leaf(reply));
    }

    /// The head of an aggregate that RESP2 knows only as an array of `flat` parts.
    fn aggregate(&mut self, part: Part, flat: usize) {
        self.parts.push(match self.protocol {
            Protocol::Resp2 => Part::Array(flat),
            Protocol::Resp3 => part,
        });
    }

    /// A reply that RESP2 knows only as the bulk string `text`.
    fn leaf_or_bulk(&mut self, text: &[u8], reply: impl FnOnce(Bytes) -> Reply) {
        let text = Bytes::copy_from_slice(text);
        self.leaf(match self.protocol {
            Protocol::Resp2 => Reply::Bulk(text),
            Protocol::Resp3 => reply(text),
        });
    }
}

fn build(parts: &mut impl Iterator<Item = Part>) -> Option<Reply> {
    Some(match parts.next()? {
        Part::Leaf(reply) => reply,
        Part::Array(len) => Reply::Array(build_parts(len, parts)?),
        Part::Set(len) => Reply::Set(build_parts(len, parts)?),
        Part::Push(len) => Reply::Push(build_parts(len, parts)?),
        Part::Map(len) => Reply::Map(build_pairs(len, parts)?),
        Part::Attribute(len) => {
            Reply::Attribute { pairs: build_pairs(len, parts)?, reply: Box::new(build(parts)?) }
        }
    })
}

fn build_parts(len: usize, parts: &mut impl Iterator<Item = Part>) -> Option<Vec<Reply>> {
    let mut replies = Vec::with_capacity(len.min(parts.size_hint().0));
    for _ in 0..len {
        replies.push(build(parts)?);
    }
    Some(replies)
}

fn build_pairs(len: usize, parts: &mut impl Iterator<Item = Part>) -> Option<Vec<(Reply, Reply)>> {
    let mut pairs = Vec::with_capacity(len.min(parts.size_hint().0 / 2));
    for _ in 0..len {
        pairs.push((build(parts)?, build(parts)?));
    }
    Some(pairs)
}

impl ReplySink for ReplyBuilder {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn mark(&self) -> usize {
        self.parts.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.parts.truncate(mark);
    }

    fn status(&mut self, text: &str) {
        let usual = usual_status(text.as_bytes());
        let text = usual.unwrap_or_else(|| Bytes::copy_from_slice(text.as_bytes()));
        self.leaf(Reply::Status(text));
    }

    fn error(&mut self, error: &Error) {
        let mut line = Vec::new();
        error.write_line(&mut line);
        self.leaf(Reply::Error(line.into()));
    }

    fn integer(&mut self, value: i64) {
        self.leaf(Reply::Integer(value));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.leaf(Reply::Bulk(Bytes::copy_from_slice(bytes)));
    }

    fn null(&mut self) {
        self.leaf(Reply::Null);
    }

    fn null_array(&mut self) {
        self.leaf(Reply::Null);
    }

    fn array(&mut self, len: usize) {
        self.parts.push(Part::Array(len));
    }

    fn map(&mut self, pairs: usize) {
        self.aggregate(Part::Map(pairs), pairs * 2);
    }

    fn set(&mut self, len: usize) {
        self.aggregate(Part::Set(len), len);
    }

    fn push(&mut self, len: usize) {
        self.aggregate(Part::Push(len), len);
    }

    fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.protocol == Protocol::Resp3, "RESP2 has no attributes");
        self.parts.push(Part::Attribute(pairs));
    }

    fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(DoubleText::new(value).as_bytes()),
            Protocol::Resp3 => self.leaf(Reply::Double(value)),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.leaf(match self.protocol {
            Protocol::Resp2 => Reply::Integer(value.into()),
            Protocol::Resp3 => Reply::Boolean(value),
        });
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.leaf_or_bulk(digits, Reply::BigNumber);
    }

    fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        self.leaf_or_bulk(text, |text| Reply::Verbatim { format: *format, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewinding_forgets_what_was_written_since_the_mark() {
        let mut builder = ReplyBuilder::new(Protocol::Resp2);
        let mark = builder.mark();
        builder.array(2);
        builder.integer(1);
        builder.rewind(mark);
        builder.error(&Error::SYNTAX);
        assert_eq!(builder.take(), Some(Reply::Error("ERR syntax error".into())));
        assert_eq!(builder.take(), None);
    }

    #[test]
    fn replies_are_taken_in_turn_and_only_whole() {
        let mut builder = ReplyBuilder::new(Protocol::Resp3);
        builder.ok();
        builder.map(1);
        builder.bulk(b"k");
        assert_eq!(builder.take(), Some(Reply::Status("OK".into())));
        builder.null();
        let pairs = vec![(Reply::Bulk("k".into()), Reply::Null)];
        assert_eq!(builder.take(), Some(Reply::Map(pairs)));
        builder.array(usize::MAX);
        assert_eq!(builder.take(), None);
    }

    #[test]
    fn resp2_has_its_own_forms() {
        let mut builder = ReplyBuilder::new(Protocol::Resp2);
        builder.map(1);
        builder.double(0.5);
        builder.boolean(true);
        let parts = vec![Reply::Bulk("0.5".into()), Reply::Integer(1)];
        assert_eq!(builder.take(), Some(Reply::Array(parts)));
    }
}
