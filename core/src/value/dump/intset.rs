//! Reads a set of integers as Redis writes one that holds nothing else (intset.c).
//!
//! ```text
//! | bytes of a number: 2, 4 or 8 | count | numbers, ascending |
//! | u32                          | u32   |                    |   all little endian
//! ```

/// The numbers, ascending. None if the bytes are not exactly a set of them, or an empty one.
pub(crate) fn numbers(bytes: &[u8]) -> Option<Vec<i64>> {
    let (width, rest) = bytes.split_first_chunk()?;
    let (count, numbers) = rest.split_first_chunk()?;
    let numbers: Vec<i64> = match u32::from_le_bytes(*width) {
        2 => exact(numbers, |number| i16::from_le_bytes(number).into())?,
        4 => exact(numbers, |number| i32::from_le_bytes(number).into())?,
        8 => exact(numbers, i64::from_le_bytes)?,
        _ => return None,
    };
    let ascends = numbers.is_sorted_by(|one, next| one < next);
    let counted = numbers.len() == u32::from_le_bytes(*count) as usize;
    (ascends && counted && !numbers.is_empty()).then_some(numbers)
}

fn exact<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> i64) -> Option<Vec<i64>> {
    let (numbers, rest) = bytes.as_chunks();
    rest.is_empty().then(|| numbers.iter().map(|number| read(*number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sets as redis-server 7.0 dumped them.
    const OF_REDIS: [(&[u8], &[i64]); 3] = [
        (b"\x02\0\0\0\x01\0\0\0\x07\0", &[7]),
        (
            b"\x04\0\0\0\x04\0\0\0\xff\xff\xff\xff\x02\0\0\0\x2c\x01\0\0\x70\x11\x01\0",
            &[-1, 2, 300, 70_000],
        ),
        (
            b"\x08\0\0\0\x03\0\0\0\xf7\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0\
              \0\xf2\x05\x2a\x01\0\0\0",
            &[-9, 1, 5_000_000_000],
        ),
    ];

    #[test]
    fn sets_of_redis_are_read() {
        for (bytes, expected) in OF_REDIS {
            assert_eq!(numbers(bytes).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_set_of_integers_is_refused() {
        for bytes in [
            &b""[..],
            b"\x02\0\0\0\0\0\0\0",                 // no number
            b"\x03\0\0\0\x01\0\0\0\x07\0\0",       // an unknown width
            b"\x02\0\0\0\x02\0\0\0\x07\0",         // fewer than counted
            b"\x02\0\0\0\x01\0\0\0\x07\0\x08",     // a byte too many
            b"\x02\0\0\0\x01\0\0\0\x07\0\x08\0",   // more than counted
            b"\x02\0\0\0\x02\0\0\0\x07\0\x07\0",   // twice the same
            b"\x02\0\0\0\x02\0\0\0\x07\0\xff\xff", // out of order
            b"\x02\0\0\0\xff\xff\xff\xff\x07\0",   // a count beyond all memory
        ] {
            assert_eq!(numbers(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn changed_bytes_are_a_set_or_refused(
            set in prop::sample::select(&OF_REDIS[..]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = set.0.to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                if let Some(numbers) = numbers(bytes) {
                    prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
                }
            }
        }
    }
}
