//! Codis's commands on slots: 1,024 of them, by CRC32. A router in front knows which node has a
//! slot; while the slot moves it sends each key over, with all keys of its tag, before it uses it.
//! Replies are Codis's. Errors of words are its texts too; those of connections are MIGRATE's.
//!
//! | file | commands |
//! |---|---|
//! | `slots` | SLOTSINFO, SLOTSSCAN, SLOTSDEL, SLOTSHASHKEY, SLOTSCHECK: what the slots here hold |
//! | `restore` | SLOTSRESTORE: what comes from another node |
//! | `send` | SLOTSMGRTONE, SLOTSMGRTTAGONE, SLOTSMGRTSLOT, SLOTSMGRTTAGSLOT: what goes to one |
//! | `restore_async` | SLOTSRESTORE-ASYNC and its family: what comes in pieces |
//! | `send_async` | SLOTSMGRTONE-ASYNC and its family: what goes in pieces |
//! | `nested` | SLOTSMGRT-EXEC-WRAPPER: a command on keys that may be on their way |

mod nested;
mod restore;
mod restore_async;
mod send;
mod send_async;
mod slots;

pub(crate) use send_async::SlotSends;

use super::call::Call;
use super::table::{Command, Group};
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use crate::slot::SlotScheme;

/// Each file's own.
pub(super) const COMMANDS: [&[Command]; 6] = [
    nested::COMMANDS,
    restore::COMMANDS,
    restore_async::COMMANDS,
    send::COMMANDS,
    send_async::COMMANDS,
    slots::COMMANDS,
];

const ENTRY: Command = Command { since: "3.2.11", group: Group::Cluster, ..Command::DEFAULT };

/// Refuses an engine whose slots are not Codis's.
fn check_scheme(call: &Call<'_, '_>) -> Result<(), Error> {
    match call.keys.keyspace().scheme() {
        SlotScheme::Codis => Ok(()),
        SlotScheme::Redis => Err(Error::err("This instance does not have Codis's slots")),
    }
}

/// Reads a number of 32 bits.
fn parse_int(word: &[u8]) -> Result<i32, Error> {
    let number = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    i32::try_from(number).map_err(|_| Error::err("value is out of range"))
}

/// Reads the number of a slot.
fn parse_slot(word: &[u8]) -> Result<u16, Error> {
    let number = parse_int(word)?;
    let slot = u16::try_from(number).ok();
    slot.filter(|&slot| usize::from(slot) < SlotScheme::Codis.slots())
        .ok_or_else(|| refused(format!("invalid slot number = {number}")))
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Err, text)
}
