//! The text of a double. What a reply or a score is made of it is the caller's.

use super::binary::{Format, parse_hexadecimal};
use super::grisu::Decimal;

/// Reads a double as Redis does, which is C's `strtod` with its liberties taken back: decimal or
/// hexadecimal, with point and exponent, or `inf` or `infinity` in any case, after an optional
/// sign. None if it is anything else (a blank before or after, `nan`), if it is finite and too
/// great for a double, or if it is not zero and too small.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (sign, magnitude) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        rest => (1.0, rest),
    };
    let magnitude = match magnitude {
        [b'0', b'x' | b'X', digits @ ..] => parse_hexadecimal_f64(digits)?,
        [b'0'..=b'9' | b'.', ..] => parse_decimal_f64(magnitude)?,
        _ if is_infinity(magnitude) => f64::INFINITY,
        _ => return None,
    };
    Some(magnitude * sign)
}

/// Reads a double as C's `strtod` does where Redis calls it plainly: up to a zero byte, after blanks,
/// with what is too great becoming infinite and what is too small zero. Nothing at all is zero. None
/// if anything follows the number, or if there is none.
pub(crate) fn parse_c_double(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_f64(text) {
        return Some(value);
    }
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let number = &text[blanks..];
    parse_f64(number).or_else(|| match number {
        [b'0'..=b'9' | b'.', ..] | [b'-' | b'+', b'0'..=b'9' | b'.', ..] => {
            std::str::from_utf8(number).ok()?.parse().ok()
        }
        _ => None,
    })
}

/// Appends `value` as [`DoubleText`] prints it.
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(DoubleText::new(value).as_bytes());
}

/// Appends `value` without an exponent, with at most 17 places and no zeros at the end, never `-0`.
pub(crate) fn write_f64_human(value: f64, out: &mut Vec<u8>) {
    let text = format!("{value:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    out.extend_from_slice(if text == "-0" { b"0" } else { text.as_bytes() });
}

/// Appends `value` with up to 17 digits, as C's `%.17g` prints it.
pub(crate) fn write_f64_17(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() || value == 0.0 {
        return write_f64(value, out);
    }
    let text = format!("{:.16e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').expect("it is printed with an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let len = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..len];
    if value < 0.0 {
        out.push(b'-');
    }
    match exponent {
        0..17 => {
            let whole = exponent as usize + 1;
            out.extend((0..whole).map(|place| digits.get(place).copied().unwrap_or(b'0')));
            if len > whole {
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        -4..0 => {
            out.extend_from_slice(b"0.");
            out.extend((exponent..-1).map(|_| b'0'));
            out.extend_from_slice(digits);
        }
        _ => {
            out.push(digits[0]);
            if len > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
        }
    }
}

/// The names of infinity, whose case does not matter.
pub(super) fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// Whether a decimal text stands for zero, whatever its exponent.
pub(super) fn is_decimal_zero(text: &[u8]) -> bool {
    text.iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .all(|byte| matches!(byte, b'0' | b'.'))
}

fn parse_decimal_f64(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let exact = value.is_finite() && (value != 0.0 || is_decimal_zero(text));
    exact.then_some(value)
}

fn parse_hexadecimal_f64(digits: &[u8]) -> Option<f64> {
    let number = parse_hexadecimal(digits, &DOUBLE)?;
    // Exponents whose power of two is a double, so that the product is exact.
    let exponent = number.exponent.min(i64::from(f64::MAX_EXP)) as i32;
    let value = number.fraction as f64 * f64::powi(2.0, exponent.max(-1000));
    let value = value * f64::powi(2.0, exponent.min(-1000) + 1000);
    value.is_finite().then_some(value)
}

const DOUBLE: Format = Format { precision: f64::MANTISSA_DIGITS, exponent_min: -1074 };

/// A double as Redis 7.2 prints it in replies and scores: an integer without a point, else the
/// shortest digits with a point or an exponent; `inf`, `-inf`, `nan`, `-0`.
#[derive(Clone, Copy)]
pub struct DoubleText {
    bytes: [u8; TEXT_LEN_MAX],
    len: usize,
}

impl DoubleText {
    /// Prints `value`.
    pub fn new(value: f64) -> Self {
        let mut text = Self { bytes: [0; TEXT_LEN_MAX], len: 0 };
        text.print(value);
        text
    }

    /// The text, in ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn print(&mut self, value: f64) {
        if value.is_nan() {
            return self.push(b"nan");
        }
        if value.abs() <= INTEGER_MAX && value.trunc() == value && value != 0.0 {
            return self.push(itoa::Buffer::new().format(value as i64).as_bytes());
        }
        if value.is_sign_negative() {
            self.push(b"-");
        }
        if value == 0.0 {
            self.push(b"0");
        } else if value.is_infinite() {
            self.push(b"inf");
        } else {
            self.print_decimal(&Decimal::new(value.abs()));
        }
    }

    fn print_decimal(&mut self, decimal: &Decimal) {
        let digits = decimal.digits();
        let exponent = decimal.exponent;
        // The exponent that the first digit would have alone before the point.
        let scientific = exponent + digits.len() as i32 - 1;
        if exponent >= 0 && scientific < digits.len() as i32 + 7 {
            self.push(digits);
            self.push_zeros(exponent.unsigned_abs() as usize);
        } else if exponent < 0 && (exponent > -7 || scientific.abs() < 4) {
            self.print_with_point(digits, exponent.unsigned_abs() as usize);
        } else {
            self.print_scientific(digits, scientific);
        }
    }

    fn print_with_point(&mut self, digits: &[u8], places: usize) {
        match digits.len().checked_sub(places) {
            None | Some(0) => {
                self.push(b"0.");
                self.push_zeros(places - digits.len());
                self.push(digits);
            }
            Some(whole) => {
                self.push(&digits[..whole]);
                self.push(b".");
                self.push(&digits[whole..]);
            }
        }
    }

    fn print_scientific(&mut self, digits: &[u8], exponent: i32) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
        self.push(if exponent < 0 { b"e-" } else { b"e+" });
        self.push(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&[b'0'; TEXT_LEN_MAX][..count]);
    }
}

/// The longest are a sign, 17 digits, a point and an exponent of five, or a sign, `0.` and 20.
const TEXT_LEN_MAX: usize = 32;

/// Whole doubles up to here are printed as integers: half of the greatest 64-bit integer.
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: f64) -> String {
        String::from_utf8(DoubleText::new(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn doubles_print_as_redis_7_2_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.5, "-3.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.1e-5, "0.000011"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (0.001234567890123, "0.001234567890123"),
            (0.0001234567890123, "1.234567890123e-4"),
            (1e10, "10000000000"),
            (4.611686018427388e18, "4611686018427387904"),
            (9.223372036854776e18, "9223372036854776000"),
            (1e19, "1e+19"),
            (1e20, "1e+20"),
            (1.2345678901234567e25, "1.2345678901234566e+25"),
            (1.2345e22, "1.2345e+22"),
            (1e100, "1e+100"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn seventeen_digits_are_those_of_c() {
        for (value, expected) in [
            (0.1, "0.10000000000000001"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-1234.5, "-1234.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e-5, "1.5e-05"),
            (0.00012, "0.00012"),
            (1e100, "1e+100"),
            (f64::NEG_INFINITY, "-inf"),
            (4611686018427387904.0, "4.6116860184273879e+18"),
        ] {
            let mut out = Vec::new();
            write_f64_17(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn doubles_are_read_as_redis_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("+1", Some(1.0)),
            ("-0", Some(-0.0)),
            ("00012", Some(12.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e5", Some(1e5)),
            ("1E-0005", Some(1e-5)),
            ("inf", Some(f64::INFINITY)),
            ("+Inf", Some(f64::INFINITY)),
            ("-INFINITY", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("-0X1.8P+3", Some(-12.0)),
            ("0x.8", Some(0.5)),
            ("0x1.fffffffffffffffffp3", Some(16.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x0p99999999999999999999", Some(0.0)),
            ("1e-320", Some(1e-320)),
            ("0e-400", Some(0.0)),
            ("0e99999999999999999999", Some(0.0)),
            ("1e400", None),
            ("-1e400", None),
            ("1e-400", None),
            ("0x1p1024", None),
            ("0x1p-1075", None),
            ("0x1p-1080", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("nan", None),
            ("-nan", None),
            ("nan(12)", None),
            ("infin", None),
            ("infinityx", None),
            (" 1", None),
            ("1 ", None),
            ("\t1", None),
            ("1\n", None),
            ("1\0", None),
            ("0x", None),
            ("0x1p", None),
            ("0x.p1", None),
            ("1e", None),
            ("1e+", None),
            ("e5", None),
            (".", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("+-1", None),
            ("+inf inity", None),
            ("1_0", None),
            ("1,5", None),
            ("1f", None),
        ] {
            let read = parse_f64(text.as_bytes());
            assert_eq!(read.map(f64::to_bits), expected.map(f64::to_bits), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(bits: u64) {
            let value = f64::from_bits(bits);
            let read = parse_f64(DoubleText::new(value).as_bytes());
            prop_assert_eq!(read.is_none(), value.is_nan());
            prop_assert!(read.is_none_or(|read| read == value));
        }

        #[test]
        fn no_text_panics(text in "[-+]?(0x)?[0-9a-fpPxXeEinIN.]{0,30}") {
            parse_f64(text.as_bytes());
        }
    }
}
