//! What a record's stamp tells of how it was used: when, or also how often. Who goes first by that
//! is eviction's work.
//!
//! ```text
//! bit  31            8 7        0
//!      | seconds      | 256ths   |               by recency
//!      | minutes | counter | quarters of seconds |  by frequency
//!       31     16 15      8 7                   0
//! ```
//! The upper 24 bits are what Redis keeps, so that what OBJECT and RESTORE say of them is the same.
//! With the others records are told apart that were used within the same second, which in a process
//! of its own is a long time.
//!
//! The counter is a logarithm: with `log_factor` f, a use raises a counter c by one with the chance
//! 1 / ((c - 5) f + 1), and `decay_minutes` without a use lower it by one.

use crate::value::Record;

/// A new record's counter, so that it is not the first to go.
const COUNTER_FIRST: u8 = 5;
const SECONDS_MAX: u32 = (1 << 24) - 1;
const QUARTER_MS: u64 = 250;
const MINUTE_MS: u64 = 60_000;
/// An age beyond this was measured by a clock that was put back since.
const AGE_MAX: u32 = u32::MAX / 16 * 15;

/// What stamps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// When the record was last used.
    Recency,
    /// How often it was used of late, too.
    Frequency {
        /// How slowly the counter grows (`lfu-log-factor`).
        log_factor: u32,
        /// How many minutes lower it by one; with zero nothing does (`lfu-decay-time`).
        decay_minutes: u32,
    },
}

const IS_FREQUENCY: u64 = 1 << 63;

impl Usage {
    /// The same as a number, to be kept in an atomic.
    pub(super) fn to_bits(self) -> u64 {
        match self {
            Self::Recency => 0,
            Self::Frequency { log_factor, decay_minutes } => {
                IS_FREQUENCY | u64::from(log_factor) << 31 | u64::from(decay_minutes)
            }
        }
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        if bits & IS_FREQUENCY == 0 {
            return Self::Recency;
        }
        let part = |shift: u32| (bits >> shift) as u32 & (u32::MAX >> 1);
        Self::Frequency { log_factor: part(31), decay_minutes: part(0) }
    }

    /// The stamp of a record that is new.
    #[inline]
    pub(super) fn first(self, now_ms: u64) -> u32 {
        match self {
            Self::Recency => recency(now_ms),
            Self::Frequency { .. } => frequency(now_ms, COUNTER_FIRST),
        }
    }

    /// The stamp of a record that had another one and is used now. `chance` is a random number.
    #[inline]
    pub(super) fn next(self, stamp: u32, now_ms: u64, chance: u64) -> u32 {
        match self {
            Self::Recency => recency(now_ms),
            Self::Frequency { log_factor, .. } => {
                let counter = self.counter(stamp, now_ms);
                frequency(now_ms, raised(counter, log_factor, chance))
            }
        }
    }

    /// The stamp of a record that was last used so many seconds ago; none if stamps tell how often.
    pub(crate) fn idle_for(self, idle_s: u64, now_ms: u64) -> Option<u32> {
        let seconds = (now_ms / 1000).wrapping_sub(idle_s) as u32;
        (self == Self::Recency).then_some(seconds << 8)
    }

    /// The stamp of a record with this counter; none if stamps do not tell how often.
    pub(crate) fn used_often(self, counter: u8, now_ms: u64) -> Option<u32> {
        (self != Self::Recency).then(|| frequency(now_ms, counter))
    }

    /// How many seconds a record is idle, of which the stamp tells when it was used.
    pub(crate) fn idle_s(stamp: u32, now_ms: u64) -> u32 {
        let (now, last) = (recency(now_ms) >> 8, stamp >> 8);
        // The clock wraps after 194 days; Redis counts them so.
        if now >= last { now - last } else { now + (SECONDS_MAX - last) }
    }

    /// The counter as it is after the time that went by.
    pub(crate) fn counter(self, stamp: u32, now_ms: u64) -> u8 {
        let [_, counter, ..] = stamp.to_le_bytes();
        match self {
            Self::Recency | Self::Frequency { decay_minutes: 0, .. } => counter,
            Self::Frequency { decay_minutes, .. } => {
                let minutes = minutes(now_ms).wrapping_sub((stamp >> 16) as u16);
                let steps = u32::from(minutes) / decay_minutes;
                counter.saturating_sub(steps.min(u8::MAX.into()) as u8)
            }
        }
    }

    /// How little a record was used: the greater, the sooner it goes. Among those that were used as
    /// often the one that is longer idle does.
    pub(super) fn disuse(self, stamp: u32, now_ms: u64) -> u64 {
        match self {
            Self::Recency => {
                let age = recency(now_ms).wrapping_sub(stamp);
                u64::from(if age > AGE_MAX { 0 } else { age })
            }
            Self::Frequency { .. } => {
                let rarity = u64::from(u8::MAX - self.counter(stamp, now_ms));
                rarity << 32 | u64::from(quarters(now_ms).wrapping_sub(last_quarter(stamp)))
            }
        }
    }
}

/// 256ths of seconds.
#[inline]
fn recency(now_ms: u64) -> u32 {
    (now_ms * 32 / 125) as u32
}

fn frequency(now_ms: u64, counter: u8) -> u32 {
    let quarter = (now_ms % MINUTE_MS / QUARTER_MS) as u32;
    u32::from(minutes(now_ms)) << 16 | u32::from(counter) << 8 | quarter
}

fn minutes(now_ms: u64) -> u16 {
    (now_ms / MINUTE_MS) as u16
}

const QUARTERS_OF_MINUTE: u32 = (MINUTE_MS / QUARTER_MS) as u32;
/// Quarters of seconds until the minutes wrap.
const QUARTERS: u32 = (1 << 16) * QUARTERS_OF_MINUTE;

fn quarters(now_ms: u64) -> u32 {
    (now_ms / QUARTER_MS % u64::from(QUARTERS)) as u32
}

fn last_quarter(stamp: u32) -> u32 {
    (stamp >> 16) * QUARTERS_OF_MINUTE + (stamp & 0xff)
}

fn raised(counter: u8, log_factor: u32, chance: u64) -> u8 {
    let above = u64::from(counter.saturating_sub(COUNTER_FIRST));
    // One of this many uses counts.
    let odds = above * u64::from(log_factor) + 1;
    let is_lucky = (u128::from(chance) * u128::from(odds)) >> 64 == 0;
    if is_lucky { counter.saturating_add(1) } else { counter }
}

/// One use of a record, to be noted in its stamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) usage: Usage,
    pub(super) now_ms: u64,
    pub(super) chance: u64,
}

impl Use {
    /// Notes it. A line that would stay as it is is not written to.
    #[inline]
    pub(super) fn note(self, record: &mut Record) {
        let stamp = record.stamp();
        let next = self.usage.next(stamp, self.now_ms, self.chance);
        if next != stamp {
            record.set_stamp(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFTEN: Usage = Usage::Frequency { log_factor: 10, decay_minutes: 1 };
    const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

    #[test]
    fn the_upper_bits_are_the_seconds_and_the_minutes_that_redis_keeps() {
        let now_ms = 1_700_000_000_123;
        assert_eq!(Usage::Recency.first(now_ms) >> 8, (now_ms / 1000) as u32 & SECONDS_MAX);
        let clock = OFTEN.first(now_ms) >> 8;
        assert_eq!((clock >> 8, clock & 0xff), ((now_ms / MINUTE_MS) as u32 & 0xffff, 5));
    }

    #[test]
    fn idle_time_is_counted_across_the_end_of_the_clock() {
        let stamp = |seconds: u64| Usage::Recency.first(seconds * 1000);
        let idle = |last: u64, now: u64| Usage::idle_s(stamp(last), now * 1000);
        assert_eq!((idle(5, 5), idle(5, 9)), (0, 4));
        let max = u64::from(SECONDS_MAX);
        assert_eq!(idle(max - 1, max + 1 + 2), 3);
    }

    #[test]
    fn a_counter_falls_by_one_in_each_time_without_a_use() {
        let now_ms = 40 * DAY_MS;
        let stamp = OFTEN.used_often(7, now_ms).expect("it counts");
        let after = |minutes: u64| OFTEN.counter(stamp, now_ms + minutes * MINUTE_MS);
        assert_eq!([0, 1, 6, 7, 8, 300].map(after), [7, 6, 1, 0, 0, 0]);
        let never = Usage::Frequency { log_factor: 10, decay_minutes: 0 };
        assert_eq!(never.counter(stamp, now_ms + 9 * MINUTE_MS), 7);
    }

    /// What Redis's documentation says of a factor of ten: a hundred uses give about 10, a thousand
    /// 18, a hundred thousand 142.
    #[test]
    fn a_counter_is_a_logarithm() {
        let mut stamp = OFTEN.first(0);
        let mut chance = 1u64;
        let mut seen = Vec::new();
        for number in 1..=100_000u32 {
            chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            stamp = OFTEN.next(stamp, 0, chance);
            if [100, 1_000, 100_000].contains(&number) {
                seen.push(OFTEN.counter(stamp, 0));
            }
        }
        assert!((8..=13).contains(&seen[0]), "{seen:?}");
        assert!((15..=24).contains(&seen[1]), "{seen:?}");
        assert!((130..=155).contains(&seen[2]), "{seen:?}");
    }

    proptest! {
        #[test]
        fn it_is_the_same_after_it_was_a_number(log_factor in 0..1u32 << 31, minutes in 0..1u32 << 31) {
            let often = Usage::Frequency { log_factor, decay_minutes: minutes };
            prop_assert_eq!(Usage::from_bits(often.to_bits()), often);
            prop_assert_eq!(Usage::from_bits(Usage::Recency.to_bits()), Usage::Recency);
        }

        #[test]
        fn who_was_used_later_goes_later(
            now_ms in 200 * DAY_MS..1 << 41,
            one_ms in 0..40 * DAY_MS,
            other_ms in 0..40 * DAY_MS,
        ) {
            for usage in [Usage::Recency, Usage::Frequency { log_factor: 1, decay_minutes: 0 }] {
                let disuse = |ago_ms| usage.disuse(usage.first(now_ms - ago_ms), now_ms);
                // What lies within the same quarter of a second is not told apart by all.
                if one_ms > other_ms + QUARTER_MS {
                    prop_assert!(disuse(one_ms) > disuse(other_ms));
                }
            }
        }

        #[test]
        fn who_was_used_more_often_goes_later(now_ms in 0u64..1 << 41, one: u8, other: u8) {
            let usage = Usage::Frequency { log_factor: 10, decay_minutes: 0 };
            let disuse = |counter| {
                let stamp = usage.used_often(counter, now_ms).expect("it counts");
                usage.disuse(stamp, now_ms + QUARTER_MS)
            };
            prop_assert_eq!(disuse(one) > disuse(other), one < other);
        }
    }
}
