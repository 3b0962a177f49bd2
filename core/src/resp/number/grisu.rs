//! The shortest decimal digits that read back as the same double, most of the time. Where the point
//! and the exponent go is the caller's.
//!
//! This is Grisu2 of Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with
//! Integers" (2010), with the choices that Redis 7.2 made: one time in a thousand it finds a digit
//! more than the shortest text has, and then so does Redis. The double and the middle points to its
//! two neighbours are multiplied by a power of ten that brings them where their integer part has at
//! most 32 bits; then digits of the upper one are made until what is left of it is less than its
//! distance to the lower one.

/// The digits of a number, and the power of ten that the last of them counts.
pub(super) struct Decimal {
    digits: [u8; DIGITS_MAX],
    len: usize,
    pub(super) exponent: i32,
}

impl Decimal {
    /// Finds the digits of a double that is above zero and finite.
    pub(super) fn new(value: f64) -> Self {
        debug_assert!(value > 0.0 && value.is_finite());
        let double = Float::of(value);
        let upper = double.upper_boundary();
        let lower = double.lower_boundary(upper.exponent);
        let (power, power_exponent) = Float::cached_power(upper.exponent);
        // One unit inwards, since the products may be off by one.
        let mut upper = upper.times(power);
        let mut lower = lower.times(power);
        upper.fraction -= 1;
        lower.fraction += 1;
        let mut decimal = Self { digits: [0; DIGITS_MAX], len: 0, exponent: -power_exponent };
        decimal.generate(double.normalized().times(power), upper, lower);
        decimal
    }

    /// The digits, in ASCII, the first of them not zero.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn generate(&mut self, value: Float, upper: Float, lower: Float) {
        let distance = upper.fraction - value.fraction;
        let mut delta = upper.fraction - lower.fraction;
        let shift = upper.exponent.unsigned_abs();
        let one = 1u64 << shift;
        let mut whole = upper.fraction >> shift;
        let mut part = upper.fraction & (one - 1);
        for places in (0..10).rev() {
            let unit = 10u64.pow(places);
            self.push((whole / unit) as u8);
            whole %= unit;
            let rest = (whole << shift) + part;
            if rest <= delta {
                self.exponent += places as i32;
                return self.round(delta, rest, unit << shift, distance);
            }
        }
        let mut scale = 1u64;
        loop {
            part *= 10;
            delta *= 10;
            scale = scale.wrapping_mul(10);
            self.exponent -= 1;
            self.push((part >> shift) as u8);
            part &= one - 1;
            if part < delta {
                return self.round(delta, part, one, distance.wrapping_mul(scale));
            }
        }
    }

    fn push(&mut self, digit: u8) {
        if digit != 0 || self.len > 0 {
            self.digits[self.len] = b'0' + digit;
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the number nearer to the double.
    fn round(&mut self, delta: u64, mut rest: u64, unit: u64, distance: u64) {
        while rest < distance
            && delta - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            self.digits[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// `fraction` times two to the power of `exponent`.
#[derive(Clone, Copy)]
struct Float {
    fraction: u64,
    exponent: i32,
}

impl Float {
    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & (HIDDEN_BIT - 1);
        match (bits >> FRACTION_BITS) as i32 {
            0 => Self { fraction, exponent: 1 - EXPONENT_BIAS },
            biased => Self { fraction: fraction | HIDDEN_BIT, exponent: biased - EXPONENT_BIAS },
        }
    }

    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The middle between this and the next double above.
    fn upper_boundary(self) -> Self {
        Self { fraction: (self.fraction << 1) + 1, exponent: self.exponent - 1 }.normalized()
    }

    /// The middle between this and the next double below, which is half as far at a power of two.
    fn lower_boundary(self, exponent: i32) -> Self {
        let shift = if self.fraction == HIDDEN_BIT { 2 } else { 1 };
        let fraction = (self.fraction << shift) - 1;
        Self { fraction: fraction << (self.exponent - shift - exponent), exponent }
    }

    /// The product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Self { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }

    /// A power of ten which brings a float of `exponent` to an exponent of -60 to -32, and its
    /// decimal exponent. Sometimes two do; the search starts where Redis starts it.
    fn cached_power(exponent: i32) -> (Self, i32) {
        let guess = (f64::from(-(exponent + POWERS.len() as i32)) * LOG10_2) as i32;
        let mut index = (guess - POWER_FIRST) / POWER_STEP;
        loop {
            let decimal = POWER_FIRST + index * POWER_STEP;
            let power =
                Self { fraction: POWERS[index as usize], exponent: binary_exponent(decimal) };
            match exponent + power.exponent + 64 {
                ..-60 => index += 1,
                -60..=-32 => return (power, decimal),
                -31.. => index -= 1,
            }
        }
    }
}

/// The exponent of the float with a full fraction that stands for ten to the power of `decimal`.
fn binary_exponent(decimal: i32) -> i32 {
    // log2(10), with twenty bits after the point.
    (decimal * 1_741_647).div_euclid(1 << 19) - 63
}

/// The greatest number of digits that tell two doubles apart is 17.
const DIGITS_MAX: usize = 18;
const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
const EXPONENT_BIAS: i32 = 1075;
const LOG10_2: f64 = 0.301_029_995_663_981_14;
const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

/// The fractions of every eighth power of ten, from ten to the power of -348 on, rounded.
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests {
    use super::super::LongDouble;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_powers_are_those_of_ten() {
        for (index, &fraction) in POWERS.iter().enumerate() {
            let decimal = POWER_FIRST + index as i32 * POWER_STEP;
            // A long double has as many bits, and is rounded by other code.
            let power = LongDouble::parse(format!("1e{decimal}").as_bytes()).unwrap();
            assert_eq!((fraction, binary_exponent(decimal)), power.parts(), "10^{decimal}");
        }
    }

    fn read(decimal: &Decimal) -> f64 {
        let digits = std::str::from_utf8(decimal.digits()).unwrap();
        format!("{digits}e{}", decimal.exponent).parse().unwrap()
    }

    #[test]
    fn the_ends_of_the_range_read_back() {
        for value in [f64::MIN_POSITIVE, f64::MAX, 5e-324, 1.0, 0.1, 2f64.powi(60), 9e15] {
            assert_eq!(read(&Decimal::new(value)), value);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn digits_read_back_as_the_double(bits in 1u64..0x7ff0_0000_0000_0000) {
            let value = f64::from_bits(bits);
            let decimal = Decimal::new(value);
            prop_assert_eq!(read(&decimal), value);
            prop_assert!(decimal.digits()[0] != b'0');
        }
    }
}
