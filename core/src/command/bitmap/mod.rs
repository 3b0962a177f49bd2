//! The bitmap family: strings as bits, the highest bit of a byte first. Counting, finding and
//! combining bits is `structs::bits`' work.

mod bit;
mod field;
mod operation;
mod range;

use super::call::Call;
use super::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Event, Expiry};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::value::string;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "bitcount",
        summary: "Counts the number of set bits (population counting) in a string.",
        since: "2.6.0",
        complexity: "O(N)",
        group: Group::Bitmap,
        flags: flag::READONLY,
        grammar: "key range=[start:integer [end:integer unit=[BYTE | BIT]@7.0.0]]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[
            ("7.0.0", "Added the `BYTE|BIT` option."),
            (
                "8.0.0",
                "`end` made optional; when called without argument the command reports the last \
                 BYTE.",
            ),
        ],
        handler: range::bitcount,
        ..Command::DEFAULT
    },
    Command {
        name: "bitfield",
        summary: "Performs arbitrary bitfield integer operations on strings.",
        since: "3.2.0",
        complexity: "O(1) for each subcommand specified",
        group: Group::Bitmap,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key operation=[GET get-block=(encoding offset:integer) | \
                  write=([OVERFLOW overflow-block=(WRAP | SAT | FAIL)] write-operation=(\
                  SET set-block=(encoding offset:integer value:integer) | \
                  INCRBY increment-block=(encoding offset:integer increment:integer)))]...",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE | key_use::VARIABLE_FLAGS],
        key_notes: &["This command allows both access and modification of the key"],
        find_keys: Some(field::keys_of_bitfield),
        handler: field::bitfield,
        ..Command::DEFAULT
    },
    Command {
        name: "bitfield_ro",
        summary: "Performs arbitrary read-only bitfield integer operations on strings.",
        since: "6.0.0",
        complexity: "O(1) for each subcommand specified",
        group: Group::Bitmap,
        flags: flag::READONLY | flag::FAST,
        grammar: "key [(GET get-block=(encoding offset:integer))...]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: field::bitfield_ro,
        ..Command::DEFAULT
    },
    Command {
        name: "bitop",
        summary: "Performs bitwise operations on multiple strings, and stores the result.",
        since: "2.6.0",
        complexity: "O(N)",
        group: Group::Bitmap,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "operation=(AND | OR | XOR | NOT | DIFF@8.2.0 | DIFF1@8.2.0 | ANDOR@8.2.0 | \
                  ONE@8.2.0) destkey:key key...",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        history: &[("8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR`, and `ONE` operations.")],
        handler: operation::bitop,
        ..Command::DEFAULT
    },
    Command {
        name: "bitpos",
        summary: "Finds the first set (1) or clear (0) bit in a string.",
        since: "2.8.7",
        complexity: "O(N)",
        group: Group::Bitmap,
        flags: flag::READONLY,
        grammar: "key bit:integer range=[start:integer \
                  end-unit-block=[end:integer unit=[BYTE | BIT]@7.0.0]]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        handler: range::bitpos,
        ..Command::DEFAULT
    },
    Command {
        name: "getbit",
        summary: "Returns a bit value by offset.",
        since: "2.2.0",
        group: Group::Bitmap,
        flags: flag::READONLY | flag::FAST,
        grammar: "key offset:integer",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: bit::getbit,
        ..Command::DEFAULT
    },
    Command {
        name: "setbit",
        summary: "Sets or clears the bit at offset of the string value. Creates the key if it \
                  doesn't exist.",
        since: "2.2.0",
        group: Group::Bitmap,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key offset:integer value:integer",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: bit::setbit,
        ..Command::DEFAULT
    },
];

const BAD_OFFSET: Error = Error::err("bit offset is not an integer or out of range");

/// Reads the place of a bit, which lies within a string as long as strings may be.
fn parse_offset(call: &Call<'_, '_>, word: &[u8]) -> Result<u64, Error> {
    check_offset(call, parse_i64(word).ok_or(BAD_OFFSET)?)
}

fn check_offset(call: &Call<'_, '_>, offset: i64) -> Result<u64, Error> {
    let offset = u64::try_from(offset).map_err(|_| BAD_OFFSET)?;
    if offset / 8 < super::string::len_max(call) { Ok(offset) } else { Err(BAD_OFFSET) }
}

/// Lets `change` work on the string of a key, after it was grown with zeros to `len` bytes; it tells
/// whether it changed any. A key that does not exist is an empty string.
///
/// # Errors
/// `WRONGTYPE` if the key holds another type.
fn change_string(
    call: &mut Call<'_, '_>,
    len: usize,
    mut change: impl FnMut(&mut [u8], &mut dyn ReplySink) -> bool,
) -> Result<(), Error> {
    let key = call.key(0);
    let out = &mut *call.out;
    let changed = call.keys.change(&key, |record| {
        string::len(record)?;
        let changed = string::change_bytes(record, len, |bytes| change(bytes, out));
        Ok::<_, Error>((changed.into(), changed))
    })?;
    let changed = match changed {
        Some(changed) => changed.result,
        None => {
            let mut text = vec![0; len];
            change(&mut text, out);
            let body = string::plain_owned(&mut text);
            call.keys.put(&key, string::TAG_RAW, body, Expiry::Never);
            true
        }
    };
    if changed {
        call.notify(Event::String, "setbit", &key);
    }
    Ok(())
}
