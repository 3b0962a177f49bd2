//! Sets and ranges of slots, and their text as CLUSTER NODES prints it: `0-5 7 9-10`.

use super::{SLOTS, SlotScheme};
use std::fmt;

/// A text or a number that names no slot of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSlot;

impl fmt::Display for InvalidSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid or out of range slot")
    }
}

impl std::error::Error for InvalidSlot {}

/// Reads the number of a slot: digits with no sign, no blanks and no leading zero.
///
/// # Errors
/// If the text is anything else, or the scheme has no such slot.
pub fn parse_slot(text: &[u8], scheme: SlotScheme) -> Result<u16, InvalidSlot> {
    if text.is_empty() || text.len() > DIGITS_MAX || (text[0] == b'0' && text.len() > 1) {
        return Err(InvalidSlot);
    }
    let mut slot = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(InvalidSlot);
        }
        slot = slot * 10 + usize::from(digit);
    }
    if slot < scheme.slots() { Ok(slot as u16) } else { Err(InvalidSlot) }
}

/// The digits of the highest slot.
const DIGITS_MAX: usize = 5;

/// Slots that follow each other, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotRange {
    /// The lowest slot.
    pub first: u16,
    /// The highest slot, not below the first.
    pub last: u16,
}

impl SlotRange {
    /// The range of one slot.
    pub const fn one(slot: u16) -> Self {
        Self { first: slot, last: slot }
    }

    /// How many slots there are.
    pub const fn count(self) -> usize {
        self.last as usize - self.first as usize + 1
    }

    /// Whether a slot lies in the range.
    pub const fn contains(self, slot: u16) -> bool {
        self.first <= slot && slot <= self.last
    }

    /// The slots, ascending.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// Reads `7` or `9-10`.
    ///
    /// # Errors
    /// If the text is anything else, a slot is not one of the scheme's, or the ends are reversed.
    pub fn parse(text: &[u8], scheme: SlotScheme) -> Result<Self, InvalidSlot> {
        let (first, last) = match text.iter().position(|&byte| byte == b'-') {
            Some(dash) => (&text[..dash], &text[dash + 1..]),
            None => (text, text),
        };
        let range = Self { first: parse_slot(first, scheme)?, last: parse_slot(last, scheme)? };
        if range.first <= range.last { Ok(range) } else { Err(InvalidSlot) }
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

const WORD_BITS: usize = u64::BITS as usize;
const WORDS: usize = SLOTS / WORD_BITS;

/// A set of slots: a bit for each, 2 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet {
    words: Box<[u64; WORDS]>,
}

impl Default for SlotSet {
    fn default() -> Self {
        Self { words: Box::new([0; WORDS]) }
    }
}

impl SlotSet {
    /// A set of none.
    pub fn new() -> Self {
        Self::default()
    }

    /// All slots of a scheme.
    pub fn all(scheme: SlotScheme) -> Self {
        Self::from_iter([SlotRange { first: 0, last: (scheme.slots() - 1) as u16 }])
    }

    /// Whether a slot is in the set.
    #[inline]
    pub fn contains(&self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        self.words[word] & bit != 0
    }

    /// Adds a slot. Returns whether it was missing. Panics if the number is not below [`SLOTS`].
    pub fn insert(&mut self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        let missing = self.words[word] & bit == 0;
        self.words[word] |= bit;
        missing
    }

    /// Takes a slot out. Returns whether it was there. Panics if the number is not below
    /// [`SLOTS`].
    pub fn remove(&mut self, slot: u16) -> bool {
        let (word, bit) = place(slot);
        let there = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        there
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.words.iter().enumerate().flat_map(|(number, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                Some((number * WORD_BITS + bit) as u16)
            })
        })
    }

    /// The fewest ranges that hold exactly these slots, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = SlotRange> {
        let mut slots = self.iter().peekable();
        std::iter::from_fn(move || {
            let mut range = SlotRange::one(slots.next()?);
            while let Some(next) = slots.next_if(|&next| next == range.last + 1) {
                range.last = next;
            }
            Some(range)
        })
    }

    /// Reads slots and ranges with blanks between, as `0-5 7 9-10`.
    ///
    /// # Errors
    /// If a part is not a range of the scheme.
    pub fn parse(text: &[u8], scheme: SlotScheme) -> Result<Self, InvalidSlot> {
        let parts = text.split(|&byte| byte == b' ').filter(|part| !part.is_empty());
        parts.map(|part| SlotRange::parse(part, scheme)).collect()
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> Self {
        let mut set = Self::new();
        slots.into_iter().for_each(|slot| {
            set.insert(slot);
        });
        set
    }
}

impl FromIterator<SlotRange> for SlotSet {
    fn from_iter<I: IntoIterator<Item = SlotRange>>(ranges: I) -> Self {
        ranges.into_iter().flat_map(SlotRange::iter).collect()
    }
}

impl fmt::Display for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, range) in self.ranges().enumerate() {
            let blank = if number == 0 { "" } else { " " };
            write!(f, "{blank}{range}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotSet({self})")
    }
}

#[inline]
fn place(slot: u16) -> (usize, u64) {
    let slot = usize::from(slot);
    (slot / WORD_BITS, 1 << (slot % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const REDIS: SlotScheme = SlotScheme::Redis;

    #[test]
    fn text_names_slots_and_ranges() {
        let set = SlotSet::parse(b"9-10 0-5 7", REDIS).unwrap();
        assert_eq!(set.to_string(), "0-5 7 9-10");
        assert_eq!(set.len(), 9);
        assert_eq!(SlotSet::all(REDIS).to_string(), "0-16383");
        assert_eq!(SlotSet::all(SlotScheme::Codis).to_string(), "0-1023");
        assert_eq!(SlotSet::parse(b"", REDIS), Ok(SlotSet::new()));
    }

    #[test]
    fn bad_text_is_refused() {
        for text in ["x", "-1", "+1", "01", "16384", "5-4", "1-", "-", "1--2", "1-2-3", "99999999"]
        {
            assert_eq!(SlotRange::parse(text.as_bytes(), REDIS), Err(InvalidSlot), "{text}");
        }
        assert_eq!(parse_slot(b"16383", REDIS), Ok(16_383));
        assert_eq!(parse_slot(b"1024", SlotScheme::Codis), Err(InvalidSlot));
        assert_eq!(parse_slot(b"", REDIS), Err(InvalidSlot));
        assert_eq!(InvalidSlot.to_string(), "Invalid or out of range slot");
    }

    proptest! {
        #[test]
        fn agrees_with_a_tree(steps in proptest::collection::vec((0u16..16_384, any::<bool>()), 0..200)) {
            let mut set = SlotSet::new();
            let mut twin = BTreeSet::new();
            for (slot, add) in steps {
                // A coarse half makes neighbours likely.
                let slot = if slot % 2 == 0 { slot / 256 } else { slot };
                if add {
                    prop_assert_eq!(set.insert(slot), twin.insert(slot));
                } else {
                    prop_assert_eq!(set.remove(slot), twin.remove(&slot));
                }
                prop_assert_eq!(set.contains(slot), add);
            }
            prop_assert_eq!(set.len(), twin.len());
            prop_assert_eq!(set.is_empty(), twin.is_empty());
            prop_assert!(set.iter().eq(twin.iter().copied()));
            prop_assert_eq!(set.ranges().map(SlotRange::count).sum::<usize>(), twin.len());
            let text = set.to_string();
            prop_assert_eq!(SlotSet::parse(text.as_bytes(), REDIS), Ok(set));
        }
    }
}
