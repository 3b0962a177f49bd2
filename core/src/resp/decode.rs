//! Replies out of the bytes that a server sent, a piece at a time. The grammar is `token`'s; what a
//! reply means is the client's.
//!
//! A reply is first walked through, token by token, until its end is there; the walk keeps its place
//! and allocates nothing. Then the tree is made in one go, and every number that the server claimed
//! is by then covered by bytes that came.

use super::reply::status_text;
use super::token::{Seen, read_token};
use super::{Reply, ReplyLimits, Token};
use crate::error::{Error, ErrorKind};
use bytes::{Buf, Bytes, BytesMut};

/// Decodes what one server sends into replies, in both versions of the protocol.
///
/// After an error the decoder has lost its place, and says the same error for ever.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    limits: ReplyLimits,
    walk: Walk,
    failed: Option<Error>,
}

impl ReplyDecoder {
    /// A decoder at the start of a server's first reply.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, walk: Walk::default(), failed: None }
    }

    /// Takes one reply off the front of `input`. None if it is not all there: then the caller
    /// appends more to `input` and calls again. Texts are slices of `input`, not copies. Fails if
    /// the bytes are no reply or go beyond a limit.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, Error> {
        Ok(match self.advance(input)? {
            Progress::Incomplete => None,
            Progress::Number(reply, len) => {
                input.advance(len);
                Some(reply)
            }
            Progress::Complete(len) => Some(build_whole(&input.split_to(len).freeze())),
        })
    }

    /// Does as [`ReplyDecoder::decode`] does, for bytes that are shared. After None the caller
    /// calls again with the same bytes and more.
    pub fn decode_shared(&mut self, input: &mut Bytes) -> Result<Option<Reply>, Error> {
        Ok(match self.advance(input)? {
            Progress::Incomplete => None,
            Progress::Number(reply, len) => {
                input.advance(len);
                Some(reply)
            }
            Progress::Complete(len) => Some(build_whole(&input.split_to(len))),
        })
    }

    fn advance(&mut self, input: &[u8]) -> Result<Progress, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let progress = self.walk.advance(input, &self.limits);
        match &progress {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Number(..) | Progress::Complete(_)) => self.walk.restart(),
            Err(error) => self.failed = Some(error.clone()),
        }
        progress
    }
}

/// What a walk came to.
enum Progress {
    Incomplete,
    /// A reply without a text, and its length.
    Number(Reply, usize),
    /// A reply of so many bytes is there.
    Complete(usize),
}

/// The place in an unfinished reply, counted from its start.
#[derive(Debug, Default)]
struct Walk {
    at: usize,
    /// How many parts are missing of each aggregate around this place, the outermost first.
    missing: Vec<usize>,
    seen: Seen,
}

impl Walk {
    fn advance(&mut self, input: &[u8], limits: &ReplyLimits) -> Result<Progress, Error> {
        loop {
            let rest = &input[self.at..];
            let Some((token, len)) = read_token(rest, limits, &mut self.seen)? else {
                return Ok(Progress::Incomplete);
            };
            self.at += len;
            self.seen = Seen::default();
            match token.parts() {
                0 if self.missing.is_empty() => return Ok(self.single(token)),
                0 if self.close() => return Ok(Progress::Complete(self.at)),
                0 => {}
                parts => self.open(parts, limits)?,
            }
        }
    }

    /// Finishes a reply of one token.
    fn single(&self, token: Token<'_>) -> Progress {
        match token {
            Token::Integer(value) => Progress::Number(Reply::Integer(value), self.at),
            Token::Null => Progress::Number(Reply::Null, self.at),
            Token::Double(value) => Progress::Number(Reply::Double(value), self.at),
            Token::Boolean(value) => Progress::Number(Reply::Boolean(value), self.at),
            _ => Progress::Complete(self.at),
        }
    }

    fn open(&mut self, parts: usize, limits: &ReplyLimits) -> Result<(), Error> {
        if self.missing.len() >= limits.nesting_max {
            return Err(too_deep(limits.nesting_max));
        }
        self.missing.push(parts);
        Ok(())
    }

    /// Counts a part that is whole, and says whether with it the reply is.
    fn close(&mut self) -> bool {
        while let Some(missing) = self.missing.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.missing.pop();
        }
        true
    }

    fn restart(&mut self) {
        self.at = 0;
        self.seen = Seen::default();
        self.missing.clear();
    }
}

fn too_deep(nesting_max: usize) -> Error {
    let text = format!("No support for nested multi bulk replies with depth > {nesting_max}");
    Error::new(ErrorKind::Protocol, text)
}

/// Makes the tree of a reply that a walk has found to be whole and right.
fn build_whole(bytes: &Bytes) -> Reply {
    Builder { bytes, at: 0 }.build()
}

struct Builder<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Builder<'_> {
    fn build(&mut self) -> Reply {
        let bytes = self.bytes;
        let (token, len) = read_token(&bytes[self.at..], &WALKED, &mut Seen::default())
            .ok()
            .flatten()
            .expect("the walk has read this token");
        self.at += len;
        match token {
            Token::Status(text) => Reply::Status(status_text(text, |text| bytes.slice_ref(text))),
            Token::Error(text) => Reply::Error(bytes.slice_ref(text)),
            Token::Integer(value) => Reply::Integer(value),
            Token::Bulk(text) => Reply::Bulk(bytes.slice_ref(text)),
            Token::Null => Reply::Null,
            Token::Array(len) => Reply::Array(self.build_parts(len)),
            Token::Map(pairs) => Reply::Map(self.build_pairs(pairs)),
            Token::Set(len) => Reply::Set(self.build_parts(len)),
            Token::Push(len) => Reply::Push(self.build_parts(len)),
            Token::Attribute(pairs) => {
                Reply::Attribute { pairs: self.build_pairs(pairs), reply: Box::new(self.build()) }
            }
            Token::Double(value) => Reply::Double(value),
            Token::Boolean(value) => Reply::Boolean(value),
            Token::BigNumber(digits) => Reply::BigNumber(bytes.slice_ref(digits)),
            Token::Verbatim(format, text) => {
                Reply::Verbatim { format: *format, text: bytes.slice_ref(text) }
            }
        }
    }

    fn build_parts(&mut self, len: usize) -> Vec<Reply> {
        (0..len).map(|_| self.build()).collect()
    }

    fn build_pairs(&mut self, pairs: usize) -> Vec<(Reply, Reply)> {
        (0..pairs).map(|_| (self.build(), self.build())).collect()
    }
}

/// The walk has held the limits.
const WALKED: ReplyLimits = ReplyLimits {
    bulk_len_max: usize::MAX,
    array_len_max: usize::MAX,
    line_len_max: usize::MAX,
    nesting_max: usize::MAX,
};
