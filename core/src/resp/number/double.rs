//! The text of a double. What a reply or a score is made of it is the caller's.

use super::grisu::Decimal;

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
