//! C's `long double` of x86: what INCRBYFLOAT and HINCRBYFLOAT count in. When a sum is refused is
//! the caller's.

use super::binary::{Format, parse_hexadecimal};
use super::double::{is_decimal_zero, is_infinity};
use rustc_apfloat::Round::{NearestTiesToEven, TowardPositive};
use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Status};
use std::ops::Add;

/// A float with a fraction of 64 bits and an exponent of 15, which rounds to the nearest and ties
/// to even. Redis counts in it, so that a decimal with few digits stays what it was.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// Zero, the value of a key that does not exist.
    pub const ZERO: Self = Self(X87DoubleExtended::ZERO);

    /// Reads a text as [`super::parse_f64`] does, in the range and to the precision of this type.
    /// None also if the text has 5120 bytes or more, Redis's limit.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let (negative, magnitude) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let value = match magnitude {
            [b'0', b'x' | b'X', digits @ ..] => parse_hexadecimal_x87(digits)?,
            [b'0'..=b'9' | b'.', ..] => parse_decimal_x87(magnitude)?,
            _ if is_infinity(magnitude) => X87DoubleExtended::INFINITY,
            _ => return None,
        };
        Some(Self(if negative { -value } else { value }))
    }

    /// Whether this is no number, as the sum of both infinities.
    pub fn is_nan(self) -> bool {
        self.0.is_nan()
    }

    /// Whether this is plus or minus infinity.
    pub fn is_infinite(self) -> bool {
        self.0.is_infinite()
    }

    /// The least integer that is not below `factor` times this; none if it does not fit, or this is
    /// no number.
    pub fn times_rounded_up(self, factor: i64) -> Option<i64> {
        let product = (self.0 * X87DoubleExtended::from_i128(factor.into()).value).value;
        let rounded = product.to_i128_r(i64::BITS as usize, TowardPositive, &mut false);
        let fits = !rounded.status.contains(Status::INVALID_OP);
        fits.then(|| i64::try_from(rounded.value).ok()).flatten()
    }

    /// Appends the text that Redis calls human: no exponent, at most 17 digits after the point, no
    /// zeros at the end, never `-0`.
    pub fn write_human(self, out: &mut Vec<u8>) {
        if self.0.is_nan() {
            return out.extend_from_slice(b"nan");
        }
        let start = out.len();
        if self.0.is_negative() {
            out.push(b'-');
        }
        if self.0.is_infinite() {
            return out.extend_from_slice(b"inf");
        }
        let digits_start = out.len();
        let (fraction, exponent) = self.parts();
        match u32::try_from(exponent) {
            Ok(exponent) => write_integer(fraction, exponent, out),
            Err(_) => write_rounded(fraction, exponent.unsigned_abs(), out),
        }
        if out[digits_start..] == *b"0" {
            out.truncate(start);
            out.push(b'0');
        }
    }

    /// The magnitude of a finite value, as an integer and the power of two that it counts.
    pub(super) fn parts(self) -> (u64, i32) {
        let bits = self.0.to_bits();
        let biased = (bits >> 64) as i32 & 0x7fff;
        (bits as u64, biased.max(1) - EXPONENT_BIAS)
    }
}

impl Add for LongDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).value)
    }
}

impl From<i64> for LongDouble {
    /// Exact: every integer of 64 bits is a long double.
    fn from(value: i64) -> Self {
        Self(X87DoubleExtended::from_i128(value.into()).value)
    }
}

impl From<f64> for LongDouble {
    /// Exact: every double is a long double.
    fn from(value: f64) -> Self {
        let double = rustc_apfloat::ieee::Double::from_bits(value.to_bits().into());
        Self(rustc_apfloat::FloatConvert::convert(double, &mut false).value)
    }
}

/// Reads a decimal without a sign.
fn parse_decimal_x87(text: &[u8]) -> Option<X87DoubleExtended> {
    let value = match parse_short_decimal(text)? {
        Decimal::Short { digits, places } => {
            let digits = X87DoubleExtended::from_u128(digits.into()).value;
            let power = X87DoubleExtended::from_u128(10u128.pow(places)).value;
            (digits / power).value
        }
        Decimal::Long => {
            let text = std::str::from_utf8(text).ok()?;
            X87DoubleExtended::from_str_r(text, NearestTiesToEven).ok()?.value
        }
    };
    let exact = value.is_finite() && (!value.is_zero() || is_decimal_zero(text));
    exact.then_some(value)
}

enum Decimal {
    /// `digits` by ten to the power of `places`, both of which are exact as long doubles, so that
    /// one division rounds but once.
    Short { digits: u64, places: u32 },
    /// A decimal that needs the long way.
    Long,
}

/// Checks the grammar of a decimal, and reads it if it is short.
fn parse_short_decimal(text: &[u8]) -> Option<Decimal> {
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (mut digits, mut count, mut places, mut pointed) = (0u64, 0usize, 0u32, false);
    for &byte in &text[..end] {
        match byte {
            b'.' if !pointed => pointed = true,
            b'0'..=b'9' => {
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
                places += u32::from(pointed);
            }
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    if end == text.len() && count <= DIGITS_SURE {
        return Some(Decimal::Short { digits, places });
    }
    let exponent = text.get(end + 1..).unwrap_or(b"0");
    let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
    (!exponent.is_empty() && exponent.iter().all(u8::is_ascii_digit)).then_some(Decimal::Long)
}

fn parse_hexadecimal_x87(digits: &[u8]) -> Option<X87DoubleExtended> {
    let number = parse_hexadecimal(digits, &LONG_DOUBLE)?;
    // The smallest numbers, whose fraction has no leading one, share the lowest exponent.
    let normal = number.fraction >> 63;
    let biased = u64::try_from(number.exponent + i64::from(EXPONENT_BIAS)).ok()? * normal;
    let bits = u128::from(biased) << 64 | u128::from(number.fraction);
    (biased < 0x7fff).then(|| X87DoubleExtended::from_bits(bits))
}

/// Appends `value` times two to the power of `exponent`.
fn write_integer(value: u64, exponent: u32, out: &mut Vec<u8>) {
    if exponent <= 64 {
        let value = u128::from(value) << exponent;
        return out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
    // The number in base 10^9, the lowest limb first.
    let mut limbs = vec![value % LIMB, value / LIMB % LIMB, value / LIMB / LIMB];
    let mut left = exponent;
    while left > 0 {
        let step = left.min(LIMB_SHIFT);
        let mut carry = 0;
        for limb in &mut limbs {
            let product = (*limb << step) + carry;
            *limb = product % LIMB;
            carry = product / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
        left -= step;
    }
    let mut limbs = limbs.iter().rev().skip_while(|&&limb| limb == 0);
    let first = limbs.next().copied().unwrap_or(0);
    out.extend_from_slice(itoa::Buffer::new().format(first).as_bytes());
    for &limb in limbs {
        write_padded(limb, LIMB_DIGITS, out);
    }
}

/// Appends `value` divided by two to the power of `shift`, rounded to 17 places, ties to even, and
/// without zeros at the end.
fn write_rounded(value: u64, shift: u32, out: &mut Vec<u8>) {
    let mut whole = value.checked_shr(shift).unwrap_or(0);
    let below = value & 1u64.checked_shl(shift).map_or(u64::MAX, |bit| bit - 1);
    // With more bits than this below the point, the number is less than half of the last place.
    let shift = shift.min(126);
    let scaled = u128::from(below) * u128::from(PLACES_UNIT);
    let (mut places, rest) = ((scaled >> shift) as u64, scaled & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    if rest > half || rest == half && places & 1 == 1 {
        places += 1;
    }
    if places == PLACES_UNIT {
        (whole, places) = (whole + 1, 0);
    }
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    if places > 0 {
        out.push(b'.');
        write_padded(places, PLACES, out);
        let kept = out.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
        out.truncate(kept);
    }
}

/// Appends `value` with zeros before it, to `width` digits.
fn write_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.resize(out.len() + width - digits.len(), b'0');
    out.extend_from_slice(digits);
}

const LONG_DOUBLE: Format = Format { precision: 64, exponent_min: -16445 };
/// What is added to the exponent of a fraction that is read as an integer.
const EXPONENT_BIAS: i32 = 16383 + 63;
const TEXT_LEN_MAX: usize = 5119;
/// So many digits fit in 64 bits; and the power of ten with so many zeros is exact.
const DIGITS_SURE: usize = 19;
const PLACES: usize = 17;
const PLACES_UNIT: u64 = 10u64.pow(PLACES as u32);
const LIMB: u64 = 10u64.pow(LIMB_DIGITS as u32);
const LIMB_DIGITS: usize = 9;
/// A limb so shifted carries less than a limb.
const LIMB_SHIFT: u32 = 29;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two texts and the sum that a C program made of them, with gcc's `long double`, `strtold`
    /// and `%.17Lf`; None where it refused one of them.
    const SUMS: &[(&str, &str, Option<&str>)] = &[
        ("0.1", "0.2", Some("0.3")),
        ("3.0e3", "200", Some("3200")),
        ("5.0e3", "2.0e2", Some("5200")),
        ("10.5", "0.1", Some("10.6")),
        ("1", "-1", Some("0")),
        ("-0", "0", Some("0")),
        ("0", "-1e-18", Some("0")),
        ("0", "0.5e-17", Some("0")),
        ("0", "1.5e-17", Some("0.00000000000000002")),
        ("0", "2.5e-17", Some("0.00000000000000002")),
        ("0", "-2.5e-17", Some("-0.00000000000000002")),
        ("3", "1.000000000000000005", Some("4.00000000000000001")),
        ("0.99999999999999999", "0.00000000000000001", Some("1")),
        ("0.999999999999999999", "0", Some("1")),
        ("1e17", "0.1", Some("100000000000000000.1015625")),
        ("12345678901234567890", "0", Some("12345678901234567890")),
        ("9223372036854775807", "1", Some("9223372036854775808")),
        ("18446744073709551615", "1", Some("18446744073709551616")),
        ("18446744073709551616", "1", Some("18446744073709551616")),
        ("36893488147419103232", "1", Some("36893488147419103232")),
        ("1e20", "-0.5", Some("100000000000000000000")),
        ("123456789.987654321", "-0.000000001", Some("123456789.98765432000072906")),
        ("0x1.8p3", "0x.8", Some("12.5")),
        ("0x8F6FecaE88EE771CC5bdDBE", "1", Some("2774479054282496845488848896")),
        ("0x1.00000000000000001p0", "0", Some("1")),
        ("-0x1.ffffffffffffffffp63", "-0x1p-1", Some("-18446744073709551616")),
        (
            "1.1111111111111111111111111111",
            "2.2222222222222222222222222222",
            Some("3.33333333333333333"),
        ),
        (
            "340282366920938463463374607431768211455",
            "1",
            Some("340282366920938463463374607431768211456"),
        ),
        ("1e40", "1", Some("9999999999999999999783686092270256259072")),
        ("-1.7e60", "3e43", Some("-1699999999999999969988752316334022716946688678751805408018432")),
        ("0x1p200", "-1", Some("1606938044258990275541962092341162602522202993782792835301376")),
        ("1e-4950", "1e-4950", Some("0")),
        ("0x1p-16445", "1", Some("1")),
        ("inf", "1", Some("inf")),
        ("-infinity", "1", Some("-inf")),
        ("inf", "-inf", Some("nan")),
        ("1e4932", "1e4932", Some("inf")),
        ("1e4933", "0", None),
        ("-1e-4952", "0", None),
        ("0x1p16384", "0", None),
        ("0x1p-16446", "0", None),
        ("nan", "0", None),
        ("1e", "0", None),
        ("0x", "0", None),
        ("+549155.172", "94551422.607918", Some("95100577.77991800000017975")),
        ("0.000000000000000000092", "54088.83", Some("54088.82999999999999829")),
        ("0xa73EafDCf", "-9161880216846990", Some("-9161835322393791")),
        ("-0964382.3067066594", "8.6840", Some("-964373.62270665939996661")),
        ("+785689.6", "+3.6e-4951", Some("785689.60000000000002274")),
        ("0117435543.82528559", "59541703988314", Some("59541821423857.825286865234375")),
        ("+8771094274001927.5", "-608e-1229", Some("8771094274001927.5")),
        ("2.160055772209614e-178", "57830113163", Some("57830113163")),
        ("+9347.651808222", "+391253259.06065", Some("391262606.71245822199853137")),
        ("029.51556829E-2659", "+1315051273688723202", Some("1315051273688723202")),
        ("+48.881513081", "76884776147.934243", Some("76884776196.81575608253479004")),
        ("725.7214189166945", "2224", Some("2949.72141891669449998")),
        ("+0x5AB11228bd.", "+5170.11330927559", Some("389517819119.11330926418304443")),
        ("+0.00000000004390493612", "+0x1p-16445", Some("0.00000000004390494")),
        ("6698746588.34476977", "+2358853.053", Some("6701105441.39776976965367794")),
        ("17500.9737107", "018810876847.25", Some("18810894348.22371070086956024")),
        ("6257.864043", "-0.000000000000380", Some("6257.86404299999961998")),
        ("+845707.482", "+25092.0000000000000000005", Some("870799.48200000000002774")),
        ("+3784252126.125", "+376913594658787", Some("376917378910913.125")),
        ("0x68a5b45B5523e.p-8353", "9885.94193318", Some("9885.94193318000000037")),
        ("4546.5", "0xd53F37.", Some("13979897.5")),
        ("-531423", "+01059261906.5", Some("1058730483.5")),
        ("4044.452173750", "-0x8dC", Some("1776.45217375000000004")),
        ("7.5662556", "1258617408.512734636", Some("1258617416.07899023592472076")),
        ("136.1251", "-57237", Some("-57100.87490000000000023")),
        ("+6.827397402", "+0x0.00000000001p-10963", Some("6.827397402")),
        ("4458785.2743833135", "43309.6", Some("4502094.87438331349994769")),
        ("4.057016195074477e-171", "99777963151.8184", Some("99777963151.81840000301599503")),
        ("2520904639.389216853", "+7381572.125", Some("2528286211.5142168530728668")),
        ("1", "0.000000000052696736763006", Some("1.00000000005269674")),
        ("-9384683.71593", "-0.000000000008998942463", Some("-9384683.71593000000939355")),
        ("41512312091125799693", "+053164.1", Some("41512312091125852856")),
        ("9.933704481e-2380", "737463857.7", Some("737463857.70000000001164153")),
        ("-219751792.65771553", "4779.513829199", Some("-219747013.14388633100315928")),
        ("-02182723034.25", "-6956.125", Some("-2182729990.375")),
        ("0xe.9A7343643e", "2477399627.62421", Some("2477399642.22753127757459879")),
        ("0138649025.236542888", "93.6895", Some("138649118.92604288799338974")),
        ("+1000000", "9.64880050", Some("1000009.64880049999999301")),
        ("2264394318.1845733045", "+84087312997.25", Some("86351707315.43457330763339996")),
        ("2.4703282292062327e-324", "1647588042493", Some("1647588042493")),
    ];

    fn parse(text: &str) -> Option<LongDouble> {
        LongDouble::parse(text.as_bytes())
    }

    fn human(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.write_human(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sums_are_those_of_c() {
        for &(left, right, expected) in SUMS {
            let sum = parse(left).zip(parse(right)).map(|(left, right)| human(left + right));
            assert_eq!(sum.as_deref(), expected, "{left} + {right}");
        }
    }

    #[test]
    fn a_text_may_not_reach_the_limit_of_redis() {
        let text = format!("0.{}", "1".repeat(5117));
        assert_eq!(parse(&text).map(human).as_deref(), Some("0.11111111111111111"));
        assert!(parse(&format!("{text}1")).is_none());
    }

    #[test]
    fn the_greatest_number_prints_in_full() {
        let text = human(parse("0x1.fffffffffffffffep16383").unwrap());
        assert_eq!(text.len(), 4933);
        assert!(
            text.starts_with("118973149535723176502126385303097020516906332229462420044032373")
        );
        assert!(text.ends_with("11989770240"));
    }

    proptest! {
        #[test]
        fn integers_and_short_decimals_print_as_they_are(value: i64, places in 0i64..1_000_000) {
            prop_assert_eq!(human(value.into()), value.to_string());
            // With two digits before the point, 17 after it are within the precision.
            let text = format!("{}.{places:06}", value % 100);
            let trimmed = text.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(human(parse(&text).unwrap()), trimmed);
        }

        #[test]
        fn doubles_are_exact(value in -1e15f64..1e15) {
            let exact = format!("{value:.17}");
            let exact = exact.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(human(value.into()), exact);
        }

        #[test]
        fn no_text_panics(text in "[-+]?(0x)?[0-9a-fpPxXeEinIN.]{0,30}") {
            parse(&text).map(human);
        }
    }
}
