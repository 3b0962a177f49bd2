//! CRC16 (XMODEM) eight bytes at a time. The `crc16` crate defines the checksum; the tables here
//! are computed from it once.
//!
//! The plain algorithm shifts one byte at a time through a table, and each step waits for the one
//! before. A checksum is linear, so that of eight bytes is the sum (by XOR) of what each byte
//! contributes at its distance from the end; only the first two meet what came before. With a
//! table for every distance the eight look-ups do not wait for each other (slicing, by Kounavis
//! and Berry).

use std::sync::LazyLock;

/// How many bytes a step takes.
const SLICE: usize = 8;

/// By distance from the end of the slice, what each value of a byte contributes.
type Tables = [[u16; 256]; SLICE];

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = [[0; 256]; SLICE];
    for (distance, table) in tables.iter_mut().enumerate() {
        for (byte, entry) in table.iter_mut().enumerate() {
            let mut text = [0; SLICE];
            text[0] = byte as u8;
            *entry = crc16::State::<crc16::XMODEM>::calculate(&text[..=distance]);
        }
    }
    tables
});

/// The checksum of `bytes`.
#[inline]
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    let tables = &*TABLES;
    let (slices, rest) = bytes.as_chunks::<SLICE>();
    let mut sum = 0u16;
    for slice in slices {
        let word = u64::from_le_bytes(*slice) ^ u64::from(sum.swap_bytes());
        let part =
            |distance: usize| tables[distance][usize::from((word >> (8 * (7 - distance))) as u8)];
        sum = (part(7) ^ part(6)) ^ (part(5) ^ part(4)) ^ (part(3) ^ part(2)) ^ (part(1) ^ part(0));
    }
    for &byte in rest {
        let [high, low] = sum.to_be_bytes();
        sum = u16::from(low) << 8 ^ tables[0][usize::from(high ^ byte)];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn defined(bytes: &[u8]) -> u16 {
        crc16::State::<crc16::XMODEM>::calculate(bytes)
    }

    #[test]
    fn every_length_agrees_with_the_crate() {
        let bytes: Vec<u8> = (0..100u32).map(|n| (n * 37 + 11) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..len]), defined(&bytes[..len]), "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_crate(bytes: Vec<u8>) {
            prop_assert_eq!(crc16(&bytes), defined(&bytes));
        }
    }
}
