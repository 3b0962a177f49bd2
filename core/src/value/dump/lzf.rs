//! Unpacks LZF, the compression of long strings in RDB files (Lehmann's liblzf).
//!
//! ```text
//! 000lllll                    l + 1 bytes follow as they are
//! lllooooo oooooooo           copy l + 2 bytes from o + 1 back, l below 7
//! 111ooooo llllllll oooooooo  copy l + 9 bytes from o + 1 back
//! ```

/// Three bytes unpack to 264 at most.
const RATIO_MAX: usize = 88;

/// Unpacks exactly `len` bytes. None if the packed bytes give fewer or more, or refer to what lies
/// before the start. Takes no memory for a length that they cannot have.
pub(super) fn decompress(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    if len / RATIO_MAX > packed.len() {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = packed;
    while let Some((&control, after)) = rest.split_first() {
        rest = if control < 1 << 5 {
            let (literal, after) = after.split_at_checked(usize::from(control) + 1)?;
            out.extend_from_slice(literal);
            after
        } else {
            copy_back(control, after, len, &mut out)?
        };
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Carries out a reference whose first byte is `control`. Returns what follows it.
fn copy_back<'p>(control: u8, after: &'p [u8], len: usize, out: &mut Vec<u8>) -> Option<&'p [u8]> {
    let (copy_len, after) = match control >> 5 {
        7 => after.split_first().map(|(&more, after)| (usize::from(more) + 9, after))?,
        short => (usize::from(short) + 2, after),
    };
    let (&low, after) = after.split_first()?;
    let back = (usize::from(control & 0b1_1111) << 8 | usize::from(low)) + 1;
    let from = out.len().checked_sub(back)?;
    if copy_len > len - out.len() {
        return None;
    }
    // What is copied may be what this very reference writes, so it goes a period at a time.
    let mut left = copy_len;
    while left > 0 {
        let step = left.min(out.len() - from);
        out.extend_from_within(from..from + step);
        left -= step;
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: byte by byte, with no care for memory.
    fn twin(packed: &[u8]) -> Option<Vec<u8>> {
        let mut out: Vec<u8> = Vec::new();
        let mut bytes = packed.iter().map(|&byte| usize::from(byte));
        while let Some(control) = bytes.next() {
            if control < 32 {
                for _ in 0..=control {
                    out.push(bytes.next()? as u8);
                }
            } else {
                let mut count = control / 32 + 2;
                if count == 9 {
                    count += bytes.next()?;
                }
                let back = control % 32 * 256 + bytes.next()? + 1;
                for _ in 0..count {
                    out.push(*out.get(out.len().checked_sub(back)?)?);
                }
            }
        }
        Some(out)
    }

    #[test]
    fn references_may_overlap_what_they_write() {
        assert_eq!(decompress(b"\x01ab\xe0\x03\x01", 14).as_deref(), Some(&b"ababababababab"[..]));
        assert_eq!(decompress(b"\x00a\x20\x00", 4).as_deref(), Some(&b"aaaa"[..]));
    }

    #[test]
    fn a_length_that_cannot_be_takes_no_memory() {
        assert_eq!(decompress(b"\x00a", usize::MAX), None);
    }

    /// Literals and references, a few of them to before the start.
    fn packed() -> impl Strategy<Value = Vec<u8>> {
        let literal = prop::collection::vec(any::<u8>(), 1..32).prop_map(|bytes| {
            let mut part = vec![bytes.len() as u8 - 1];
            part.extend(bytes);
            part
        });
        let short = (1u8..7, 0u8..40).prop_map(|(len, back)| vec![len << 5, back]);
        let long = (any::<u8>(), 0u8..40).prop_map(|(len, back)| vec![7 << 5, len, back]);
        prop::collection::vec(prop_oneof![3 => literal, 1 => short, 1 => long], 0..12)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn agrees_with_unpacking_byte_by_byte(packed in packed(), cut in any::<prop::sample::Index>()) {
            let packed = &packed[..cut.index(packed.len() + 1)];
            let expected = twin(packed);
            let len = expected.as_ref().map_or(50, Vec::len);
            prop_assert_eq!(decompress(packed, len), expected);
            prop_assert_eq!(decompress(packed, len + 1), None);
        }

        #[test]
        fn no_bytes_make_it_panic(packed in prop::collection::vec(any::<u8>(), 0..40), len in 0usize..300) {
            let expected = twin(&packed).filter(|out| out.len() == len);
            prop_assert_eq!(decompress(&packed, len), expected);
        }
    }
}
