//! Integers in decimal. The only text of a number is its canonical one, so a text that parses can
//! be stored as the number and printed again.

/// Reads a signed integer as Redis's `string2ll` does: an optional `-` and digits, with no leading
/// zero, no `+`, no blanks and no `-0`. None if it is anything else or does not fit in 64 bits.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => match parse_u64(digits)? {
            0 => None,
            magnitude => 0i64.checked_sub_unsigned(magnitude),
        },
        digits => parse_u64(digits)?.try_into().ok(),
    }
}

/// Reads an unsigned integer: digits with no leading zero, no sign and no blanks. None if it is
/// anything else or does not fit in 64 bits.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    let mut value = u64::from(digit(first)?);
    if value == 0 {
        return rest.is_empty().then_some(0);
    }
    // Nineteen digits always fit; only a twentieth can overflow.
    let (sure, last) = rest.split_at(rest.len().min(DIGITS_SURE - 1));
    for &byte in sure {
        value = value * 10 + u64::from(digit(byte)?);
    }
    match last {
        [] => Some(value),
        [byte] => value.checked_mul(10)?.checked_add(u64::from(digit(*byte)?)),
        _ => None,
    }
}

/// Appends `value` in decimal.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `value` in decimal.
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

const DIGITS_SURE: usize = 19;

fn digit(byte: u8) -> Option<u8> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_text_parses() {
        for (text, value) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("100000000000000000000", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
            ("--1", None),
            ("0x1", None),
            ("1\0", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn unsigned_reaches_further_than_signed() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: i64, unsigned: u64) {
            let mut out = Vec::new();
            write_i64(value, &mut out);
            prop_assert_eq!(parse_i64(&out), Some(value));
            out.clear();
            write_u64(unsigned, &mut out);
            prop_assert_eq!(parse_u64(&out), Some(unsigned));
        }

        #[test]
        fn agrees_with_a_plain_reading(text in "-?[0-9]{0,21}") {
            let plain = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), plain);
        }
    }
}
