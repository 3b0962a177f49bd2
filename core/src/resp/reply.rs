//! A reply as a tree, whichever way it came. Reading and writing its bytes are the decoder's and
//! the encoder's.

use super::{Protocol, ReplySink};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;

/// A whole reply. Texts are slices of the bytes that it was decoded from.
#[derive(Clone, Debug, PartialEq)]
// Fields beside a small tag would be moved in odd pieces, which halves the speed.
#[repr(u64)]
pub enum Reply {
    /// A simple string, such as `OK`.
    Status(Bytes),
    /// An error, its prefix first: a line, or in RESP3 a text of any bytes.
    Error(Bytes),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Bytes),
    /// A null of any form.
    Null,
    /// An array.
    Array(Vec<Reply>),
    /// A map, its pairs in the order of the wire.
    Map(Vec<(Reply, Reply)>),
    /// A set, its members in the order of the wire.
    Set(Vec<Reply>),
    /// An out-of-band push, which answers no request.
    Push(Vec<Reply>),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// An integer of any size, in decimal digits.
    BigNumber(Bytes),
    /// A text and its format.
    Verbatim {
        /// Three letters, such as `txt`.
        format: [u8; 3],
        /// The text without its format.
        text: Bytes,
    },
    /// A reply with an attribute, which says more about it.
    Attribute {
        /// What is said.
        pairs: Vec<(Reply, Reply)>,
        /// The reply itself.
        reply: Box<Reply>,
    },
}

impl Reply {
    /// Writes this reply into `sink`, in the sink's version of the protocol.
    pub fn write<S: ReplySink + ?Sized>(&self, sink: &mut S) {
        match self {
            Self::Status(text) => sink.status(&String::from_utf8_lossy(text)),
            Self::Error(text) => sink.error(&Error::new(ErrorKind::Foreign, text.to_vec())),
            Self::Integer(value) => sink.integer(*value),
            Self::Bulk(bytes) => sink.bulk(bytes),
            Self::Null => sink.null(),
            Self::Array(parts) => {
                sink.array(parts.len());
                write_parts(parts, sink);
            }
            Self::Map(pairs) => {
                sink.map(pairs.len());
                write_pairs(pairs, sink);
            }
            Self::Set(parts) => {
                sink.set(parts.len());
                write_parts(parts, sink);
            }
            Self::Push(parts) => {
                sink.push(parts.len());
                write_parts(parts, sink);
            }
            Self::Double(value) => sink.double(*value),
            Self::Boolean(value) => sink.boolean(*value),
            Self::BigNumber(digits) => sink.big_number(digits),
            Self::Verbatim { format, text } => sink.verbatim(format, text),
            Self::Attribute { pairs, reply } => {
                if sink.protocol() == Protocol::Resp3 {
                    sink.attribute(pairs.len());
                    write_pairs(pairs, sink);
                }
                reply.write(sink);
            }
        }
    }
}

fn write_parts<S: ReplySink + ?Sized>(parts: &[Reply], sink: &mut S) {
    for part in parts {
        part.write(sink);
    }
}

fn write_pairs<S: ReplySink + ?Sized>(pairs: &[(Reply, Reply)], sink: &mut S) {
    for (key, value) in pairs {
        key.write(sink);
        value.write(sink);
    }
}

/// The text of a status that comes all the time, which needs no memory.
pub(super) fn usual_status(text: &[u8]) -> Option<Bytes> {
    match text {
        b"OK" => Some(Bytes::from_static(b"OK")),
        b"PONG" => Some(Bytes::from_static(b"PONG")),
        b"QUEUED" => Some(Bytes::from_static(b"QUEUED")),
        _ => None,
    }
}
