//! The commonest start of a part: a marker and a small number. What the marker means, and every
//! other start, are the parser's and the decoder's.

/// A marker, three digits and a line's end.
pub(super) type Head = [u8; 6];

/// Reads one to three digits after the marker and the CR after them. Returns the number and the
/// length with LF, which is not looked at. None if it is anything else, as `01`.
#[inline(always)]
pub(super) fn short_head(head: &Head) -> Option<(usize, usize)> {
    let digit = |at: usize| usize::from(head[at].wrapping_sub(b'0'));
    let first = digit(1);
    if first > 9 {
        return None;
    }
    if head[2] == b'\r' {
        return Some((first, 4));
    }
    let second = digit(2);
    if second > 9 || first == 0 {
        return None;
    }
    if head[3] == b'\r' {
        return Some((first * 10 + second, 5));
    }
    let third = digit(3);
    (third <= 9 && head[4] == b'\r').then_some((first * 100 + second * 10 + third, 6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::number::parse_u64;

    #[test]
    fn agrees_with_the_strict_reading_of_integers() {
        let bytes = [b'0', b'1', b'9', b'/', b':', b'-', b'\r'];
        for (a, b, c) in bytes
            .iter()
            .flat_map(|a| bytes.iter().map(move |b| (a, b)))
            .flat_map(|(a, b)| bytes.iter().map(move |c| (*a, *b, *c)))
        {
            let digits = [a, b, c];
            let len = digits.iter().position(|&byte| byte == b'\r').unwrap_or(3);
            let plain = parse_u64(&digits[..len]).map(|value| (value as usize, len + 3));
            assert_eq!(short_head(&[b'$', a, b, c, b'\r', b'\n']), plain, "{digits:?}");
        }
    }
}
