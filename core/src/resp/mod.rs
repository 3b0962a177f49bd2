//! Bytes to words and replies to bytes: the RESP protocol, versions 2 and 3. Opens no socket and
//! knows no command.

mod sink;

pub use sink::{Protocol, ReplySink};
