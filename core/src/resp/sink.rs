//! Where a handler writes its reply. The RESP encoders, the C reply tree and the Python object
//! builder are all sinks; a handler does not know which one it feeds.

use super::number::write_f64_human;
use crate::error::Error;

/// The version of the protocol that a session speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2, the version every session starts with.
    #[default]
    Resp2,
    /// RESP3, chosen by `HELLO 3`.
    Resp3,
}

/// Takes one reply, part by part, in the order of the wire.
///
/// An aggregate announces how many parts follow; the parts are whole replies. A sink that knows no
/// RESP3 writes what RESP2 has in its place: a map of n pairs is an array of 2n, a set or a push an
/// array, a double its text as a bulk string, a boolean `:1` or `:0`, a big number and a verbatim
/// string a bulk string, and an attribute nothing at all (the caller asks [`ReplySink::protocol`]
/// before it writes one).
pub trait ReplySink {
    /// The version this sink writes. Commands whose shape differs between versions ask this.
    fn protocol(&self) -> Protocol;
    /// Changes the version for what follows, as HELLO does.
    fn set_protocol(&mut self, protocol: Protocol);
    /// A place that [`ReplySink::rewind`] can go back to.
    fn mark(&self) -> usize;
    /// Forgets everything written since `mark`.
    fn rewind(&mut self, mark: usize);

    /// A simple string, such as `+OK`. The text holds no CR and no LF.
    fn status(&mut self, text: &str);
    /// An error line.
    fn error(&mut self, error: &Error);
    /// An integer.
    fn integer(&mut self, value: i64);
    /// A bulk string.
    fn bulk(&mut self, bytes: &[u8]);
    /// A null: `$-1` in RESP2, `_` in RESP3.
    fn null(&mut self);
    /// A null where RESP2 would write an array: `*-1` in RESP2, `_` in RESP3.
    fn null_array(&mut self);
    /// The head of an array of `len` parts.
    fn array(&mut self, len: usize);
    /// The head of a map of `pairs` keys, each followed by its value.
    fn map(&mut self, pairs: usize);
    /// The head of a set of `len` parts.
    fn set(&mut self, len: usize);
    /// The head of an out-of-band push of `len` parts.
    fn push(&mut self, len: usize);
    /// The head of an attribute of `pairs`, which goes before the reply that it describes.
    fn attribute(&mut self, pairs: usize);
    /// A double, printed as Redis prints it.
    fn double(&mut self, value: f64);
    /// A double without an exponent and with up to 17 places, as Redis prints coordinates. Where RESP3
    /// has a number it is the same double.
    fn human_double(&mut self, value: f64) {
        match self.protocol() {
            Protocol::Resp2 => {
                let mut text = Vec::new();
                write_f64_human(value, &mut text);
                self.bulk(&text);
            }
            Protocol::Resp3 => self.double(value),
        }
    }
    /// A boolean.
    fn boolean(&mut self, value: bool);
    /// An integer of any size, in decimal digits.
    fn big_number(&mut self, digits: &[u8]);
    /// A text with a format of three letters, such as `txt`.
    fn verbatim(&mut self, format: &[u8; 3], text: &[u8]);

    /// `+OK`
    fn ok(&mut self) {
        self.status("OK");
    }
}
