//! Replies out of the bytes that a server sent, a piece at a time. The grammar is `token`'s; what a
//! reply means is the client's.
//!
//! A reply is first walked through, token by token, until its end is there; the walk keeps its
//! place and allocates nothing but for nesting. Then the tree is made in one go, and every number
//! that the server claimed is by then covered by bytes that came.

use super::reply::usual_status;
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
    #[inline]
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, Error> {
        match self.find(input)? {
            Found::Nothing => Ok(None),
            Found::Plain(reply, len) => {
                input.advance(len);
                Ok(Some(reply))
            }
            Found::Text(make, text) => Ok(Some(make(text.cut(input.split_to(text.end).freeze())))),
            Found::Tree(len) => Ok(Some(build(&input.split_to(len).freeze()))),
        }
    }

    /// Does as [`ReplyDecoder::decode`] does, for bytes that are shared. After None the caller
    /// calls again with the same bytes and more.
    #[inline]
    pub fn decode_shared(&mut self, input: &mut Bytes) -> Result<Option<Reply>, Error> {
        match self.find(input)? {
            Found::Nothing => Ok(None),
            Found::Plain(reply, len) => {
                input.advance(len);
                Ok(Some(reply))
            }
            Found::Text(make, text) => Ok(Some(make(text.cut(input.split_to(text.end))))),
            Found::Tree(len) => Ok(Some(build(&input.split_to(len)))),
        }
    }

    #[inline(always)]
    fn find(&mut self, input: &[u8]) -> Result<Found, Error> {
        // Most replies are one token, and then there is nothing to walk through.
        if self.walk.is_start()
            && let Ok(Some((token, len))) = read_token(input, &self.limits, &mut Seen::default())
            && token.parts() == 0
        {
            return Ok(Found::single(token, len));
        }
        self.walk_on(input)
    }

    #[inline(never)]
    fn walk_on(&mut self, input: &[u8]) -> Result<Found, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.walk.advance(input, &self.limits) {
            Ok(true) => {
                let end = self.walk.at;
                self.walk.restart();
                Ok(Found::Tree(end))
            }
            Ok(false) => Ok(Found::Nothing),
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

/// What stands at the start of the input.
enum Found {
    /// A part of a reply, or nothing at all.
    Nothing,
    /// A reply that holds no bytes of the input, and its length there.
    Plain(Reply, usize),
    /// A reply of one text, and what makes it.
    Text(fn(Bytes) -> Reply, Text),
    /// A reply of any kind, of so many bytes.
    Tree(usize),
}

/// Where the text is in a reply of one text.
struct Text {
    len: usize,
    /// The reply's end, with the line's end that follows the text.
    end: usize,
}

impl Text {
    /// Cuts the text out of the reply.
    fn cut(&self, mut reply: Bytes) -> Bytes {
        reply.truncate(self.end - 2);
        reply.advance(self.end - 2 - self.len);
        reply
    }
}

impl Found {
    #[inline(always)]
    fn single(token: Token<'_>, end: usize) -> Self {
        let text = |make, text: &[u8]| Self::Text(make, Text { len: text.len(), end });
        match token {
            Token::Bulk(bytes) => text(Reply::Bulk, bytes),
            Token::Integer(value) => Self::Plain(Reply::Integer(value), end),
            Token::Status(bytes) => match usual_status(bytes) {
                Some(status) => Self::Plain(Reply::Status(status), end),
                None => text(Reply::Status, bytes),
            },
            Token::Error(bytes) => text(Reply::Error, bytes),
            Token::Null => Self::Plain(Reply::Null, end),
            Token::Double(value) => Self::Plain(Reply::Double(value), end),
            Token::Boolean(value) => Self::Plain(Reply::Boolean(value), end),
            Token::BigNumber(bytes) => text(Reply::BigNumber, bytes),
            Token::Verbatim(..)
            | Token::Array(_)
            | Token::Map(_)
            | Token::Set(_)
            | Token::Push(_)
            | Token::Attribute(_) => Self::Tree(end),
        }
    }
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
    /// Walks on, and says whether the reply's end was found.
    fn advance(&mut self, input: &[u8], limits: &ReplyLimits) -> Result<bool, Error> {
        loop {
            let rest = &input[self.at..];
            let Some((token, len)) = read_token(rest, limits, &mut self.seen)? else {
                return Ok(false);
            };
            self.at += len;
            self.seen = Seen::default();
            match token.parts() {
                0 if self.close() => return Ok(true),
                0 => {}
                parts => self.open(parts, limits)?,
            }
        }
    }

    fn is_start(&self) -> bool {
        self.at == 0 && self.seen.is_new()
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
fn build(bytes: &Bytes) -> Reply {
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
            Token::Status(text) => {
                Reply::Status(usual_status(text).unwrap_or_else(|| bytes.slice_ref(text)))
            }
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
        let mut parts = Vec::with_capacity(len);
        for _ in 0..len {
            parts.push(self.build());
        }
        parts
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

#[cfg(test)]
mod tests;
