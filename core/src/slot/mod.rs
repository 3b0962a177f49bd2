//! Key to slot, and sets of slots. Which node serves a slot is the cluster's business.

mod checksum;
mod figures;
mod set;

pub use figures::SlotFigures;
pub use set::{InvalidSlot, SlotRange, SlotSet, parse_slot};

use memchr::memchr;

/// How many slots Redis's scheme has: the most that any scheme has.
pub const SLOTS: usize = 1 << 14;

/// How many slots Codis's scheme has.
const CODIS_SLOTS: usize = 1 << 10;

/// How a key is mapped to a slot. Chosen when the keyspace is made.
///
/// ```
/// use keyslot::slot::SlotScheme;
///
/// let scheme = SlotScheme::Redis;
/// assert_eq!(scheme.slot(b"foo"), 12_182);
/// assert_eq!(scheme.slot(b"{foo}.bar"), scheme.slot(b"foo"));
/// assert_eq!(SlotScheme::Codis.slot(b"a"), 579);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotScheme {
    /// 16,384 slots by CRC16 (XMODEM) of the key or its hash tag, as Redis Cluster's
    /// specification has it. The tag is what stands between the first `{` and the next `}`; an
    /// empty one does not count.
    #[default]
    Redis,
    /// 1,024 slots by CRC32 (IEEE) of the key or its hash tag, as Codis. The tag is what stands
    /// between the first `{` and the next `}`, and may be empty.
    Codis,
}

impl SlotScheme {
    /// How many slots there are.
    #[inline]
    pub const fn slots(self) -> usize {
        match self {
            Self::Redis => SLOTS,
            Self::Codis => CODIS_SLOTS,
        }
    }

    /// The slot of a key.
    #[inline]
    pub fn slot(self, key: &[u8]) -> u16 {
        let tag = self.tag(key);
        match self {
            Self::Redis => checksum::crc16(tag) & (SLOTS - 1) as u16,
            Self::Codis => (crc32fast::hash(tag) & (CODIS_SLOTS - 1) as u32) as u16,
        }
    }

    /// The part of a key that decides its slot: its hash tag, or all of it if it has none.
    #[inline]
    pub fn tag(self, key: &[u8]) -> &[u8] {
        match between_braces(key) {
            Some([]) if self == Self::Redis => key,
            Some(tag) => tag,
            None => key,
        }
    }
}

/// What stands between the first `{` and the next `}`, if both are there.
#[inline]
fn between_braces(key: &[u8]) -> Option<&[u8]> {
    // Most keys are short and have none: a pass without a branch is quicker than a search.
    if key.len() <= 64 && !key.iter().fold(false, |found, &byte| found | (byte == b'{')) {
        return None;
    }
    let open = memchr(b'{', key)?;
    let rest = &key[open + 1..];
    Some(&rest[..memchr(b'}', rest)?])
}

const _: () = assert!(SLOTS.is_power_of_two() && CODIS_SLOTS.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn redis_maps_the_examples_of_its_specification() {
        let slot = |key: &str| SlotScheme::Redis.slot(key.as_bytes());
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot(""), 0);
    }

    #[test]
    fn codis_maps_its_known_keys() {
        let slot = |key: &str| SlotScheme::Codis.slot(key.as_bytes());
        assert_eq!([slot("a"), slot("b"), slot("c")], [579, 1_017, 879]);
        assert_eq!(slot("x{a}y"), 579);
    }

    #[test]
    fn the_first_tag_decides_and_an_empty_one_counts_for_codis_alone() {
        for (key, redis, codis) in [
            ("foo{}{bar}", "foo{}{bar}", ""),
            ("foo{{bar}}zap", "{bar", "{bar"),
            ("foo{bar}{zap}", "bar", "bar"),
            ("foo}bar{", "foo}bar{", "foo}bar{"),
            ("foo}{bar", "foo}{bar", "foo}{bar"),
            ("{}", "{}", ""),
            ("{a}", "a", "a"),
        ] {
            assert_eq!(SlotScheme::Redis.tag(key.as_bytes()), redis.as_bytes(), "{key}");
            assert_eq!(SlotScheme::Codis.tag(key.as_bytes()), codis.as_bytes(), "{key}");
        }
    }

    /// The twin: Redis's rule word by word.
    fn redis_tag(key: &[u8]) -> &[u8] {
        let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
        let rest = &key[open + 1..];
        match rest.iter().position(|&byte| byte == b'}') {
            None | Some(0) => key,
            Some(end) => &rest[..end],
        }
    }

    proptest! {
        #[test]
        fn tags_follow_the_rule(key in "[{}ab]{0,12}") {
            let key = key.as_bytes();
            prop_assert_eq!(SlotScheme::Redis.tag(key), redis_tag(key));
            let expected = crc16::State::<crc16::XMODEM>::calculate(redis_tag(key)) % 16_384;
            prop_assert_eq!(SlotScheme::Redis.slot(key), expected);
        }

        #[test]
        fn a_slot_is_within_its_scheme(key: Vec<u8>) {
            for scheme in [SlotScheme::Redis, SlotScheme::Codis] {
                prop_assert!(usize::from(scheme.slot(&key)) < scheme.slots());
            }
        }
    }
}
