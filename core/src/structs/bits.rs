//! Bits of byte strings: how many are set, where the first one of a kind is, and strings combined
//! bit by bit. The first bit of a byte is its highest.
//!
//! Each of these is a plain loop over words of eight bytes or over blocks, which the compiler turns
//! into vector instructions. Counting is compiled twice, since counting bits takes instructions
//! that not every x86-64 has: with them 100 MB are counted as fast as memory can be read.

/// How many bits are set.
pub(crate) fn count_ones(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= WIDE_LEN_MIN
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("popcnt")
    {
        // SAFETY: the processor has just said that it knows these instructions.
        return unsafe { count_ones_wide(bytes) };
    }
    count_ones_of_words(bytes)
}

/// Shorter strings are counted before the processor could be asked.
const WIDE_LEN_MIN: usize = 32;

/// As [`count_ones_of_words`], compiled for processors with these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn count_ones_wide(bytes: &[u8]) -> u64 {
    count_ones_of_words(bytes)
}

#[inline(always)]
fn count_ones_of_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let ones = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()));
    ones.sum::<u64>() + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many bits are set from `first` to `last`, both included and both within the string.
pub(crate) fn count_ones_between(bytes: &[u8], first: u64, last: u64) -> u64 {
    let bytes = &bytes[(first / 8) as usize..=(last / 8) as usize];
    let before = bytes[0] & !from_bit(first);
    let after = bytes[bytes.len() - 1] & !to_bit(last);
    count_ones(bytes) - u64::from(before.count_ones()) - u64::from(after.count_ones())
}

/// The bits of a byte from this one on.
fn from_bit(bit: u64) -> u8 {
    0xff >> (bit % 8)
}

/// The bits of a byte up to this one.
fn to_bit(bit: u64) -> u8 {
    0xff << (7 - bit % 8)
}

/// The place of the first bit that is `bit`, from `first` to `last`, both included and both within
/// the string.
pub(crate) fn position(bytes: &[u8], bit: bool, first: u64, last: u64) -> Option<u64> {
    let start = (first / 8) as usize;
    let bytes = &bytes[start..=(last / 8) as usize];
    let none: u8 = if bit { 0 } else { 0xff };
    let found = |at: usize, byte: u8| (start + at) as u64 * 8 + u64::from(byte.leading_zeros());
    let head = (bytes[0] ^ none) & from_bit(first);
    let place = if head != 0 {
        found(0, head)
    } else {
        let at = 1 + first_other(&bytes[1..], none)?;
        found(at, bytes[at] ^ none)
    };
    (place <= last).then_some(place)
}

/// Where the first byte is that is not this one.
fn first_other(bytes: &[u8], byte: u8) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<64>();
    let same = blocks.iter().take_while(|block| **block == [byte; 64]).count() * 64;
    Some(same + bytes[same..].iter().position(|&other| other != byte)?)
}

/// Makes each byte of `all` what `combine` makes of it and of the byte of `other` at its place. A
/// shorter `other` goes on with zeros.
#[inline]
pub(crate) fn combine(all: &mut [u8], other: &[u8], combine: impl Fn(u8, u8) -> u8) {
    let (with, without) = all.split_at_mut(other.len().min(all.len()));
    for (one, &other) in with.iter_mut().zip(other) {
        *one = combine(*one, other);
    }
    for one in without {
        *one = combine(*one, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin of everything here: the bits one by one.
    fn bits(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect()
    }

    /// Strings of some length with stretches of equal bytes, and a range of bits in each.
    fn ranged() -> impl Strategy<Value = (Vec<u8>, u64, u64)> {
        let byte = prop_oneof![3 => Just(0u8), 3 => Just(0xffu8), 1 => any::<u8>()];
        let piece = (byte, 1usize..150).prop_map(|(byte, len)| vec![byte; len]);
        (prop::collection::vec(piece, 1..6), any::<u64>(), any::<u64>()).prop_map(
            |(pieces, one, other)| {
                let bytes = pieces.concat();
                let len = bytes.len() as u64 * 8;
                let (one, other) = (one % len, other % len);
                (bytes, one.min(other), one.max(other))
            },
        )
    }

    proptest! {
        #[test]
        fn counting_agrees_with_counting_one_by_one((bytes, first, last) in ranged()) {
            let bits = bits(&bytes);
            let count = |bits: &[bool]| bits.iter().filter(|&&bit| bit).count() as u64;
            prop_assert_eq!(count_ones(&bytes), count(&bits));
            prop_assert_eq!(count_ones_of_words(&bytes), count(&bits));
            let between = count(&bits[first as usize..=last as usize]);
            prop_assert_eq!(count_ones_between(&bytes, first, last), between);
        }

        #[test]
        fn the_first_bit_is_where_one_by_one_finds_it(
            (bytes, first, last) in ranged(),
            bit: bool,
        ) {
            let bits = bits(&bytes);
            let found = (first..=last).find(|&place| bits[place as usize] == bit);
            prop_assert_eq!(position(&bytes, bit, first, last), found);
        }

        #[test]
        fn combining_agrees_with_combining_one_by_one(
            all in prop::collection::vec(any::<u8>(), 0..100),
            other in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let at = |place: usize| other.get(place).copied().unwrap_or_default();
            let twin: Vec<u8> = all.iter().enumerate().map(|(p, one)| one & !at(p)).collect();
            let mut result = all;
            combine(&mut result, &other, |one, other| one & !other);
            prop_assert_eq!(result, twin);
        }
    }
}
