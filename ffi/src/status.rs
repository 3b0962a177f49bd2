//! The numbers that calls answer with. Texts come with the error itself.

use keyslot::error::ErrorKind;
use std::ffi::{CStr, c_char};

/// What came of a call. A number keeps its meaning for ever. Those from 1 to 999 are the classes
/// of error replies, after the first word of the error's line; those from 1000 on are of this
/// interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The call was carried out.
    Ok = 0,
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
    /// An error whose class is none of these, as one that came from a peer.
    Foreign = 21,
    /// An argument is null, too long or out of range; nothing was done.
    InvalidArgument = 1000,
    /// The session is in the middle of another call; nothing was done.
    InUse = 1001,
    /// The library met a fault of its own. The engine goes on working; a session that met one
    /// answers this to every further call, and can only be freed.
    Panic = 1002,
    /// A typed call got a reply of a shape that it does not know.
    UnexpectedReply = 1003,
}

impl From<ErrorKind> for Status {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Err => Self::Err,
            ErrorKind::WrongType => Self::WrongType,
            ErrorKind::Oom => Self::Oom,
            ErrorKind::BusyKey => Self::BusyKey,
            ErrorKind::NoProto => Self::NoProto,
            ErrorKind::Moved => Self::Moved,
            ErrorKind::Ask => Self::Ask,
            ErrorKind::TryAgain => Self::TryAgain,
            ErrorKind::CrossSlot => Self::CrossSlot,
            ErrorKind::ClusterDown => Self::ClusterDown,
            ErrorKind::IoErr => Self::IoErr,
            ErrorKind::NoAuth => Self::NoAuth,
            ErrorKind::WrongPass => Self::WrongPass,
            ErrorKind::NoPerm => Self::NoPerm,
            ErrorKind::ExecAbort => Self::ExecAbort,
            ErrorKind::NoScript => Self::NoScript,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::ReadOnly => Self::ReadOnly,
            ErrorKind::Loading => Self::Loading,
            ErrorKind::Protocol => Self::Protocol,
            ErrorKind::Foreign => Self::Foreign,
        }
    }
}

/// Every status with its word: an error reply's is its first word on the wire.
const NAMES: &[(Status, &CStr)] = &[
    (Status::Ok, c"OK"),
    (Status::Err, c"ERR"),
    (Status::WrongType, c"WRONGTYPE"),
    (Status::Oom, c"OOM"),
    (Status::BusyKey, c"BUSYKEY"),
    (Status::NoProto, c"NOPROTO"),
    (Status::Moved, c"MOVED"),
    (Status::Ask, c"ASK"),
    (Status::TryAgain, c"TRYAGAIN"),
    (Status::CrossSlot, c"CROSSSLOT"),
    (Status::ClusterDown, c"CLUSTERDOWN"),
    (Status::IoErr, c"IOERR"),
    (Status::NoAuth, c"NOAUTH"),
    (Status::WrongPass, c"WRONGPASS"),
    (Status::NoPerm, c"NOPERM"),
    (Status::ExecAbort, c"EXECABORT"),
    (Status::NoScript, c"NOSCRIPT"),
    (Status::Busy, c"BUSY"),
    (Status::ReadOnly, c"READONLY"),
    (Status::Loading, c"LOADING"),
    (Status::Protocol, c"PROTOCOL"),
    (Status::Foreign, c"FOREIGN"),
    (Status::InvalidArgument, c"INVALIDARGUMENT"),
    (Status::InUse, c"INUSE"),
    (Status::Panic, c"PANIC"),
    (Status::UnexpectedReply, c"UNEXPECTEDREPLY"),
];

/// The word for a status number, such as `WRONGTYPE`; `UNKNOWN` for a number that has no meaning.
/// The text lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn keyslot_status_name(number: i32) -> *const c_char {
    let found = NAMES.iter().find(|(status, _)| *status as i32 == number);
    found.map_or(c"UNKNOWN", |(_, name)| name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: i32) -> &'static str {
        // SAFETY: the function returns texts that live as long as the library.
        unsafe { CStr::from_ptr(keyslot_status_name(number)) }.to_str().unwrap()
    }

    #[test]
    fn numbers_and_names_are_those_of_the_core() {
        let kinds = [
            ErrorKind::Err,
            ErrorKind::WrongType,
            ErrorKind::Oom,
            ErrorKind::BusyKey,
            ErrorKind::NoProto,
            ErrorKind::Moved,
            ErrorKind::Ask,
            ErrorKind::TryAgain,
            ErrorKind::CrossSlot,
            ErrorKind::ClusterDown,
            ErrorKind::IoErr,
            ErrorKind::NoAuth,
            ErrorKind::WrongPass,
            ErrorKind::NoPerm,
            ErrorKind::ExecAbort,
            ErrorKind::NoScript,
            ErrorKind::Busy,
            ErrorKind::ReadOnly,
            ErrorKind::Loading,
            ErrorKind::Protocol,
            ErrorKind::Foreign,
        ];
        for kind in kinds {
            let status = Status::from(kind);
            assert_eq!(status as i32, i32::from(kind.number()));
            if !matches!(kind, ErrorKind::Protocol | ErrorKind::Foreign) {
                assert_eq!(name(status as i32), kind.prefix());
            }
        }
        assert_eq!(name(0), "OK");
        assert_eq!(name(-1), "UNKNOWN");
        assert_eq!(name(1002), "PANIC");
    }
}
