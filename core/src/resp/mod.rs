//! Bytes to words and replies to bytes: the RESP protocol, versions 2 and 3. Opens no socket and
//! knows no command.

mod encode;
mod inline;
pub mod number;
mod parse;
mod sink;

pub use encode::{Encoder, encode_request};
pub use parse::{Parsed, RequestLimits, RequestParser, Requests};
pub use sink::{Protocol, ReplySink};
