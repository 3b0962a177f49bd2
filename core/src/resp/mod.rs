//! Bytes to words and replies to bytes: the RESP protocol, versions 2 and 3. Opens no socket and
//! knows no command.
//!
//! A server reads requests with [`RequestParser`] and writes replies with [`Encoder`]; a client
//! writes requests with [`encode_request`] and reads replies with [`ReplyDecoder`], or with
//! [`ReplyReader`] where they need not outlive the input. [`ReplyBuilder`] makes of what a handler
//! writes the same tree that a client would decode.

mod build;
mod decode;
mod encode;
mod head;
mod inline;
pub mod number;
mod parse;
mod reply;
mod sink;
mod token;

pub use build::ReplyBuilder;
pub use decode::ReplyDecoder;
pub use encode::{Encoder, encode_request};
pub use parse::{Parsed, RequestLimits, RequestParser, Requests};
pub use reply::Reply;
pub use sink::{Protocol, ReplySink};
pub use token::{ReplyLimits, ReplyReader, Token};
