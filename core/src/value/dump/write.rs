//! Writes the parts of values as RDB files have them: lengths, integers, texts.

use crate::resp::number::parse_i64;
use crate::value::string::Digits;

/// A length takes at most this many bytes.
pub(super) const LEN_LEN_MAX: usize = 9;

/// The two highest bits of a length's first byte say how it goes on.
const LEN_14_BITS: u16 = 0b01 << 14;
const LEN_32_BITS: u8 = 0b1000_0000;
const LEN_64_BITS: u8 = 0b1000_0001;
/// In place of a length: an integer of 8, 16 or 32 bits.
const INTEGER_8: u8 = 0b1100_0000;
const INTEGER_16: u8 = 0b1100_0001;
const INTEGER_32: u8 = 0b1100_0010;

/// The longest integer of 32 bits has 11 characters.
const INTEGER_LEN_MAX: usize = 11;

/// Writes a length.
pub(super) fn len(len: usize, out: &mut Vec<u8>) {
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&(LEN_14_BITS | len as u16).to_be_bytes());
    } else if let Ok(len) = u32::try_from(len) {
        out.push(LEN_32_BITS);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(LEN_64_BITS);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

/// Writes a text, as an integer where it is one of up to 32 bits.
pub(super) fn text(text: &[u8], out: &mut Vec<u8>) {
    let value = if text.len() <= INTEGER_LEN_MAX { parse_i64(text) } else { None };
    if !value.is_some_and(|value| short_integer(value, out)) {
        raw(text, out);
    }
}

/// Writes a string that is an integer.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    if !short_integer(value, out) {
        raw(&Digits::new(value), out);
    }
}

fn raw(text: &[u8], out: &mut Vec<u8>) {
    len(text.len(), out);
    out.extend_from_slice(text);
}

/// Writes an integer if it has up to 32 bits. Returns whether it has.
fn short_integer(value: i64, out: &mut Vec<u8>) -> bool {
    if let Ok(value) = i8::try_from(value) {
        out.extend_from_slice(&[INTEGER_8, value as u8]);
    } else if let Ok(value) = i16::try_from(value) {
        out.push(INTEGER_16);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(INTEGER_32);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        return false;
    }
    true
}
