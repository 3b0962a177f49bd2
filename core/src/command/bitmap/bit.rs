//! One bit at a time: SETBIT and GETBIT.

use super::{change_string, parse_offset};
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::value::string;

/// Where a bit is: the byte, and the mask of the bit in it.
fn place(offset: u64) -> (usize, u8) {
    ((offset / 8) as usize, 0x80 >> (offset % 8))
}

pub(super) fn getbit(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (byte, mask) = place(parse_offset(call, call.words[2])?);
    let is_set = match call.keys.read(&call.located[0]) {
        None => false,
        Some(record) => string::read(record)?.get(byte).is_some_and(|byte| byte & mask != 0),
    };
    call.out.integer(is_set.into());
    Ok(())
}

/// Answers what the bit was. Setting it to what it is changes nothing, unless the string has to
/// grow for it.
pub(super) fn setbit(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (byte, mask) = place(parse_offset(call, call.words[2])?);
    let set = match parse_i64(call.words[3]) {
        Some(0) => false,
        Some(1) => true,
        Some(_) | None => return Err(Error::err("bit is not an integer or out of range")),
    };
    change_string(call, byte + 1, |bytes, out| {
        let was_set = bytes[byte] & mask != 0;
        bytes[byte] ^= if was_set == set { 0 } else { mask };
        out.integer(was_set.into());
        was_set != set
    })
}
