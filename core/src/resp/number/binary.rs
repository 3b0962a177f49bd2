//! Floating numbers in hexadecimal, such as `0x1.8p3`, rounded to any binary format. Which format,
//! and whether such a text is welcome, is the caller's.

/// A binary format: how many bits its fractions have, and the exponent of its smallest number.
pub(super) struct Format {
    pub(super) precision: u32,
    pub(super) exponent_min: i64,
}

/// `fraction` times two to the power of `exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) fraction: u64,
    pub(super) exponent: i64,
}

/// Reads what stands after `0x`: digits, perhaps with a point, and perhaps `p` and a decimal
/// exponent of two. Rounds to the nearest number of `format`, ties to even; a number that is too
/// great for the format comes back with a great exponent. None if the text is anything else, or if
/// it is above zero and rounds to zero.
pub(super) fn parse_hexadecimal(text: &[u8], format: &Format) -> Option<Binary> {
    let end = text.iter().position(|byte| matches!(byte, b'p' | b'P')).unwrap_or(text.len());
    let mut number = Digits::parse(&text[..end])?;
    if end < text.len() {
        number.exponent = number.exponent.saturating_add(parse_exponent(&text[end + 1..])?);
    }
    if number.fraction == 0 {
        return Some(Binary { fraction: 0, exponent: 0 });
    }
    Some(number.round(format)).filter(|rounded| rounded.fraction != 0)
}

/// A number with more bits than any format, and whether it is cut.
struct Digits {
    fraction: u128,
    exponent: i64,
    cut: bool,
}

impl Digits {
    /// Reads digits with at most one point.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut number = Self { fraction: 0, exponent: 0, cut: false };
        let (mut count, mut pointed) = (0usize, false);
        for &byte in text {
            if byte == b'.' && !pointed {
                pointed = true;
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            count += 1;
            if number.fraction.leading_zeros() >= 4 {
                number.fraction = number.fraction << 4 | u128::from(digit);
                number.exponent -= if pointed { 4 } else { 0 };
            } else {
                number.cut |= digit != 0;
                number.exponent += if pointed { 0 } else { 4 };
            }
        }
        (count > 0).then_some(number)
    }

    /// The nearest number of `format`.
    fn round(self, format: &Format) -> Binary {
        let shift = self.fraction.leading_zeros();
        let fraction = self.fraction << shift;
        let exponent = self.exponent - i64::from(shift);
        let dropped = i64::from(u128::BITS - format.precision).max(format.exponent_min - exponent);
        // With more than all bits dropped, less than half of the smallest number is there.
        let dropped = dropped.min(i64::from(u128::BITS) + 1) as u32;
        let mut kept = fraction.checked_shr(dropped).unwrap_or(0);
        let half = 1u128.checked_shl(dropped - 1).unwrap_or(0);
        let rest = fraction & half.wrapping_shl(1).wrapping_sub(1);
        if half != 0 && (rest > half || rest == half && (self.cut || kept & 1 == 1)) {
            kept += 1;
        }
        let mut exponent = exponent + i64::from(dropped);
        if kept >> format.precision != 0 {
            kept >>= 1;
            exponent += 1;
        }
        Binary { fraction: kept as u64, exponent }
    }
}

/// Reads a sign and digits. What is beyond any format's range is cut, far enough from it that the
/// digits of a text that fits in memory cannot bring it back.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, byte| {
        value.saturating_mul(10).saturating_add(i64::from(byte - b'0')).min(EXPONENT_MAX)
    });
    Some(if negative { -value } else { value })
}

const EXPONENT_MAX: i64 = i64::MAX / 4;

#[cfg(test)]
mod tests {
    use super::*;

    const BYTE: Format = Format { precision: 8, exponent_min: -10 };

    fn parse(text: &str) -> Option<(u64, i64)> {
        let number = parse_hexadecimal(text.as_bytes(), &BYTE)?;
        let zeros = number.fraction.trailing_zeros().min(63);
        Some((number.fraction >> zeros, number.exponent + i64::from(zeros)))
    }

    #[test]
    fn rounds_to_the_nearest_and_ties_to_even() {
        for (text, expected) in [
            ("1", Some((1, 0))),
            ("10p-4", Some((1, 0))),
            ("1.8P+3", Some((3, 2))),
            (".8", Some((1, -1))),
            ("8.", Some((1, 3))),
            ("101", Some((1, 8))),
            ("103", Some((0x41, 2))),
            ("1fe", Some((0xff, 1))),
            ("1ff", Some((1, 9))),
            ("1010000000000000000000000000001", Some((0x81, 113))),
            ("1p-10", Some((1, -10))),
            ("1p-11", None),
            ("1.1p-11", Some((1, -10))),
            ("1.00000000000000000000001p-11", Some((1, -10))),
            ("1p-12", None),
            ("1p-99999999999999999999", None),
            ("0p-99999999999999999999", Some((0, 63))),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert!(parse("1p99999999999999999999").is_some_and(|(_, exponent)| exponent > 1 << 60));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "p1", "1p", "1p+", "1p1.5", "1.1.1", "g", "1 ", "-1", "1p1p1"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
