//! Integers in ascending order in one block of bytes, all of the same width: how a small set of
//! integers lies in memory.
//!
//! ```text
//! | width: 2, 4 or 8 | integer | integer | ...
//! | u8               | little endian, each of so many bytes
//! ```
//! The integers are as Redis has them (intset.c), which has the width and the count in front, in
//! four bytes each. The width is that of the widest integer that was ever in: it grows, and stays
//! when that integer goes, as in Redis, so that payloads are equal to the byte.
//!
//! Costs: a search O(log n); an insertion or removal moves what follows it, and an integer that is
//! wider than all before rewrites the whole.

use super::listpack::Buffer;

/// The bytes of an intset without integers.
pub(crate) const EMPTY: &[u8] = &[2];

const WIDTH_LEN: usize = 1;

/// An intset to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intset<'a> {
    width: usize,
    integers: &'a [u8],
}

/// Bytes that an integer needs.
pub(crate) fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn read(width: usize, bytes: &[u8], number: usize) -> i64 {
    let at = number * width;
    let bytes = &bytes[at..at + width];
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("a width is 2, 4 or 8"),
    }
}

impl<'a> Intset<'a> {
    /// Looks at the bytes of an intset, which this module made.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { width: bytes[0].into(), integers: &bytes[WIDTH_LEN..] }
    }

    /// How many integers there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.integers.len() >> self.width.trailing_zeros()
    }

    /// Whether there is no integer.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.integers.is_empty()
    }

    /// Bytes of each integer.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    /// The integers as they lie there.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.integers
    }

    /// The integer with this number in ascending order.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub(crate) fn get(self, number: usize) -> i64 {
        read(self.width, self.integers, number)
    }

    /// The number of an integer, or else of the first that is greater.
    #[inline]
    pub(crate) fn find(self, value: i64) -> Result<usize, usize> {
        self.find_within(0, self.len(), value)
    }

    /// As [`Intset::find`], where all integers before the `from`-th are known to be less. Costs
    /// O(log d) for a place that is d further on, so that a walk in order costs little.
    pub(crate) fn find_from(self, from: usize, value: i64) -> Result<usize, usize> {
        let len = self.len();
        let (mut low, mut step) = (from, 1);
        while low + step < len && self.get(low + step) <= value {
            low += step;
            step *= 2;
        }
        self.find_within(low, len.min(low + step), value)
    }

    fn find_within(self, mut low: usize, mut high: usize, value: i64) -> Result<usize, usize> {
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.get(middle);
            if found == value {
                return Ok(middle);
            }
            if found < value {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Err(low)
    }

    /// The integers in ascending order.
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = i64> + 'a {
        (0..self.len()).map(move |number| self.get(number))
    }
}

/// Adds an integer. Returns false if it was there.
pub(crate) fn insert<B: Buffer>(buffer: &mut B, value: i64) -> bool {
    let set = Intset::new(buffer.bytes());
    let needed = width_of(value);
    if needed > set.width {
        widen(buffer, needed);
    }
    let set = Intset::new(buffer.bytes());
    let Err(number) = set.find(value) else { return false };
    let (width, at) = (set.width, WIDTH_LEN + number * set.width);
    buffer.splice(at..at, &value.to_le_bytes()[..width]);
    true
}

/// Takes an integer out. Returns false if it was not there.
pub(crate) fn remove<B: Buffer>(buffer: &mut B, value: i64) -> bool {
    let set = Intset::new(buffer.bytes());
    let Ok(number) = set.find(value) else { return false };
    let at = WIDTH_LEN + number * set.width;
    buffer.splice(at..at + set.width, &[]);
    true
}

fn widen<B: Buffer>(buffer: &mut B, width: usize) {
    let set = Intset::new(buffer.bytes());
    let wider = from_sorted(set.iter(), width);
    buffer.splice(0..buffer.bytes().len(), &wider);
}

/// The bytes of an intset of these integers, which ascend and fit the width.
pub(crate) fn from_sorted(values: impl Iterator<Item = i64>, width: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WIDTH_LEN + width * values.size_hint().0);
    bytes.push(width as u8);
    for value in values {
        debug_assert!(width_of(value) <= width);
        bytes.extend_from_slice(&value.to_le_bytes()[..width]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -20i64..20,
            1 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![
                i64::MIN, i64::MAX, -32_769, -32_768, 32_767, 32_768,
                -2_147_483_649, -2_147_483_648, 2_147_483_647, 2_147_483_648,
            ]),
        ]
    }

    #[test]
    fn the_width_grows_and_stays() {
        let mut bytes = EMPTY.to_vec();
        for (value, width) in [(1, 2), (40_000, 4), (-3, 4), (1 << 40, 8), (-1 << 40, 8)] {
            assert!(insert(&mut bytes, value));
            assert_eq!(Intset::new(&bytes).width(), width);
        }
        assert!(remove(&mut bytes, 1 << 40) && remove(&mut bytes, -1 << 40));
        assert_eq!(Intset::new(&bytes).width(), 8);
        assert!(Intset::new(&bytes).iter().eq([-3, 1, 40_000]));
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(
            steps in prop::collection::vec((any::<bool>(), value()), 1..200),
            wanted in prop::collection::vec(value(), 1..20),
        ) {
            let mut bytes = EMPTY.to_vec();
            let mut twin = BTreeSet::new();
            for (add, value) in steps {
                if add {
                    prop_assert_eq!(insert(&mut bytes, value), twin.insert(value));
                } else {
                    prop_assert_eq!(remove(&mut bytes, value), twin.remove(&value));
                }
                let set = Intset::new(&bytes);
                prop_assert_eq!((set.len(), set.is_empty()), (twin.len(), twin.is_empty()));
                prop_assert!(set.iter().eq(twin.iter().copied()));
            }
            let set = Intset::new(&bytes);
            for value in wanted {
                let less = twin.range(..value).count();
                let expected = if twin.contains(&value) { Ok(less) } else { Err(less) };
                for from in 0..=less {
                    prop_assert_eq!(set.find_from(from, value), expected);
                }
            }
            let again = from_sorted(set.iter(), set.width());
            prop_assert_eq!(again, bytes);
        }
    }
}
