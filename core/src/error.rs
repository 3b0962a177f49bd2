//! Every error that a caller can see: its RESP prefix, its text, its stable number.
//!
//! Texts are Redis's to the byte. The number names the prefix, and is what C and Python see; a
//! number is never reused for another meaning.

use std::borrow::Cow;
use std::fmt;

/// The class of an error: the first word of the RESP error line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ErrorKind {
    /// `ERR`, the generic class.
    Err = 1,
    /// `WRONGTYPE`: the key holds another type.
    WrongType = 2,
    /// `OOM`: over `maxmemory`, and nothing may be evicted.
    Oom = 3,
    /// `BUSYKEY`: RESTORE or a migration met a key that exists.
    BusyKey = 4,
    /// `NOPROTO`: HELLO asked for a protocol that does not exist.
    NoProto = 5,
    /// `MOVED`: the slot belongs to another node.
    Moved = 6,
    /// `ASK`: the key may be at the importing node.
    Ask = 7,
    /// `TRYAGAIN`: a multi-key command met a slot that is being moved.
    TryAgain = 8,
    /// `CROSSSLOT`: keys of one command are in different slots.
    CrossSlot = 9,
    /// `CLUSTERDOWN`: the slot is not served.
    ClusterDown = 10,
    /// `IOERR`: a migration could not talk to its target.
    IoErr = 11,
    /// `NOAUTH`: the session has not authenticated.
    NoAuth = 12,
    /// `WRONGPASS`: name or password is wrong.
    WrongPass = 13,
    /// `NOPERM`: the user may not do this.
    NoPerm = 14,
    /// `EXECABORT`: the transaction was refused while it was queued.
    ExecAbort = 15,
    /// `NOSCRIPT`: no script has this digest.
    NoScript = 16,
    /// `BUSY`: a script is running.
    Busy = 17,
    /// `READONLY`: a write at a replica.
    ReadOnly = 18,
    /// `LOADING`: the data is being loaded.
    Loading = 19,
    /// A protocol error: the text is written, then the session is closed.
    Protocol = 20,
    /// An error whose prefix is part of its text, as one that came from a peer.
    Foreign = 21,
}

impl ErrorKind {
    /// The prefix on the wire, without the space after it. Empty for [`ErrorKind::Foreign`].
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Err | Self::Protocol => "ERR",
            Self::WrongType => "WRONGTYPE",
            Self::Oom => "OOM",
            Self::BusyKey => "BUSYKEY",
            Self::NoProto => "NOPROTO",
            Self::Moved => "MOVED",
            Self::Ask => "ASK",
            Self::TryAgain => "TRYAGAIN",
            Self::CrossSlot => "CROSSSLOT",
            Self::ClusterDown => "CLUSTERDOWN",
            Self::IoErr => "IOERR",
            Self::NoAuth => "NOAUTH",
            Self::WrongPass => "WRONGPASS",
            Self::NoPerm => "NOPERM",
            Self::ExecAbort => "EXECABORT",
            Self::NoScript => "NOSCRIPT",
            Self::Busy => "BUSY",
            Self::ReadOnly => "READONLY",
            Self::Loading => "LOADING",
            Self::Foreign => "",
        }
    }

    /// The stable number of this class, as C and Python see it.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// An error reply: a class and a text, which may hold bytes that the caller sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: Cow<'static, [u8]>,
}

impl Error {
    /// `ERR syntax error`
    pub const SYNTAX: Self = Self::err("syntax error");
    /// `ERR value is not an integer or out of range`
    pub const NOT_INTEGER: Self = Self::err("value is not an integer or out of range");
    /// `ERR value is not a valid float`
    pub const NOT_FLOAT: Self = Self::err("value is not a valid float");
    /// `ERR no such key`
    pub const NO_SUCH_KEY: Self = Self::err("no such key");
    /// `ERR index out of range`
    pub const INDEX_OUT_OF_RANGE: Self = Self::err("index out of range");
    /// `ERR DB index is out of range`
    pub const DB_OUT_OF_RANGE: Self = Self::err("DB index is out of range");
    /// `WRONGTYPE Operation against a key holding the wrong kind of value`
    pub const WRONG_TYPE: Self = Self::fixed(
        ErrorKind::WrongType,
        "Operation against a key holding the wrong kind of value",
    );
    /// `BUSYKEY Target key name already exists.`
    pub const BUSY_KEY: Self = Self::fixed(ErrorKind::BusyKey, "Target key name already exists.");

    /// An `ERR` with a text known when the program is built.
    pub const fn err(text: &'static str) -> Self {
        Self::fixed(ErrorKind::Err, text)
    }

    /// An error of `kind` with a text known when the program is built.
    pub const fn fixed(kind: ErrorKind, text: &'static str) -> Self {
        Self { kind, text: Cow::Borrowed(text.as_bytes()) }
    }

    /// An error of `kind` with a text made at run time. Since an error is one line on the wire, CR
    /// and LF become spaces, and those at the end go.
    pub fn new(kind: ErrorKind, text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        while let Some(b'\r' | b'\n') = text.last() {
            text.pop();
        }
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Self { kind, text: Cow::Owned(text) }
    }

    /// An `ERR` that repeats a word of the request between two texts, as C prints it: up to a zero.
    pub(crate) fn repeating(before: &str, word: &[u8], after: &str) -> Self {
        let printed = word.split(|&byte| byte == 0).next().unwrap_or_default();
        Self::new(ErrorKind::Err, [before.as_bytes(), printed, after.as_bytes()].concat())
    }

    /// `ERR wrong number of arguments for 'NAME' command`
    pub fn arity(name: &str) -> Self {
        Self::new(ErrorKind::Err, format!("wrong number of arguments for '{name}' command"))
    }

    /// `ERR invalid expire time in 'NAME' command`
    pub fn invalid_expire(name: &str) -> Self {
        Self::new(ErrorKind::Err, format!("invalid expire time in '{name}' command"))
    }

    /// The class of this error.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text after the prefix.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Appends the line as it stands on the wire between `-` and `\r\n`.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let prefix = self.kind.prefix();
        if !prefix.is_empty() {
            out.extend_from_slice(prefix.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(&self.text);
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Vec::new();
        self.write_line(&mut line);
        f.write_str(&String::from_utf8_lossy(&line))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_user_text_cannot_split_the_error_line() {
        let error = Error::new(ErrorKind::Err, b"unknown command 'a\r\nb'".to_vec());
        assert_eq!(error.to_string(), "ERR unknown command 'a  b'");
        let error = Error::new(ErrorKind::Err, b"Unsupported option a\r\n".to_vec());
        assert_eq!(error.to_string(), "ERR Unsupported option a");
    }

    #[test]
    fn a_foreign_error_is_its_text_alone() {
        let error = Error::new(ErrorKind::Foreign, "ASK 1 127.0.0.1:1");
        assert_eq!(error.to_string(), "ASK 1 127.0.0.1:1");
    }
}
