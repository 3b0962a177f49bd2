//! Keys that are asked for most, estimated from a sample: MEMORY HOTKEYS, an addition to Redis's
//! commands, and the same for programs.
//!
//! The sample goes through the counting of Misra and Gries: a table of `KEYS_MAX` counts. A key that is
//! in it counts one up; a new one takes a free place; if there is none, every count goes down by one,
//! and those at zero leave. A key that has more than a thousandth of the sample is then surely in the
//! table, and its count is too low by no more than that. A sampled access costs O(1) on average.

use super::call::Call;
use super::table::{Command, Group, category, flag};
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::structs::histogram::add;
use crate::structs::stripe::{self, STRIPES};

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) const HOTKEYS: Command = Command {
    name: "hotkeys",
    summary: "Returns the keys that are asked for most, estimated from a sample.",
    since: "7.2.0",
    complexity: "O(N*log(N)) where N is the number of keys in the sample, 1,000 at most.",
    group: Group::Server,
    flags: flag::READONLY,
    categories: Some(category::KEYSPACE | category::DANGEROUS),
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    grammar: "action=[COUNT count:integer | RESET]",
    arity: Some(-2),
    handler: hot_keys,
    ..Command::DEFAULT
};

/// Keys that are counted at once.
const KEYS_MAX: usize = 1000;
/// Keys with longer names are not counted.
const KEY_LEN_MAX: usize = 1024;

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// Its database.
    pub database: usize,
    /// Its name.
    pub key: Vec<u8>,
    /// Its slot.
    pub slot: u16,
    /// How often it was asked for since the counting began, as the sample lets expect; rather too
    /// few than too many.
    pub accesses: u64,
    /// The same a second.
    pub accesses_per_s: u64,
}

/// The sample of accesses.
#[derive(Debug, Default)]
pub(crate) struct HotKeys {
    /// Accesses that were seen, by thread.
    seen: [Seen; STRIPES],
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Seen(AtomicU64);

#[derive(Debug, Default)]
struct Counts {
    /// When the first access was counted.
    since_ms: Option<u64>,
    by_key: HashMap<(u16, u16, Box<[u8]>), u64>,
}

impl HotKeys {
    /// Whether the next access belongs to the sample, one in `sampling` of them by chance.
    #[inline]
    pub(crate) fn takes(&self, sampling: u64) -> bool {
        let own = stripe::own();
        let seen = &self.seen[own.number].0;
        add(seen, 1, own.is_alone);
        // Keys may come in turns, so that every so-many-th would always be the same.
        let mixed = seen.load(Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (u128::from(mixed ^ mixed >> 32).wrapping_mul(u128::from(sampling)) >> 64) == 0
    }

    /// Counts an access of the sample.
    #[cold]
    pub(crate) fn note(&self, db: u16, slot: u16, key: &[u8], now_ms: u64) {
        if key.len() > KEY_LEN_MAX {
            return;
        }
        let mut counts = self.counts.lock();
        counts.since_ms.get_or_insert(now_ms);
        let counted = (db, slot, key.into());
        if let Some(count) = counts.by_key.get_mut(&counted) {
            *count += 1;
        } else if counts.by_key.len() < KEYS_MAX {
            counts.by_key.insert(counted, 1);
        } else {
            counts.by_key.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The keys that are asked for most, up to `count` of them.
    pub(crate) fn top(&self, count: usize, sampling: u64, now_ms: u64) -> Vec<HotKey> {
        let counts = self.counts.lock();
        let since_ms = counts.since_ms.unwrap_or(now_ms);
        let elapsed_ms = u128::from(now_ms.saturating_sub(since_ms).max(1000));
        let keys = counts.by_key.iter().map(|((db, slot, key), sampled)| {
            let accesses = sampled * sampling.max(1);
            let accesses_per_s = (u128::from(accesses) * 1000 / elapsed_ms) as u64;
            let (database, key, slot) = (usize::from(*db), key.to_vec(), *slot);
            HotKey { database, key, slot, accesses, accesses_per_s }
        });
        let mut keys: Vec<HotKey> = keys.collect();
        keys.sort_unstable_by(|one, other| {
            other.accesses.cmp(&one.accesses).then_with(|| one.key.cmp(&other.key))
        });
        keys.truncate(count);
        keys
    }

    /// Starts anew.
    pub(crate) fn reset(&self) {
        *self.counts.lock() = Counts::default();
    }
}

const OFF: Error =
    Error::err("hot keys are not counted, use CONFIG SET hot-key-sampling with a number above 0");

/// Keys that a call answers by default.
const COUNT: usize = 16;

/// `MEMORY HOTKEYS [COUNT count | RESET]`
fn hot_keys(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let count = match &call.words[2..] {
        [] => COUNT,
        [word] if word.eq_ignore_ascii_case(b"reset") => {
            call.env.hot_keys.reset();
            call.out.ok();
            return Ok(());
        }
        [name, count] if name.eq_ignore_ascii_case(b"count") => {
            let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
            count.ok_or(Error::NOT_INTEGER)?
        }
        _ => return Err(Error::SYNTAX),
    };
    let sampling = call.env.config.hot_key_sampling().ok_or(OFF)?;
    let keys = call.env.hot_keys.top(count, sampling, call.time.unix_ms());
    call.out.array(keys.len());
    for key in keys {
        call.out.array(5);
        call.out.bulk(&key.key);
        let numbers = [key.database as u64, key.slot.into(), key.accesses, key.accesses_per_s];
        numbers.iter().for_each(|&number| call.out.integer(number as i64));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_more_than_a_thousandth_are_kept_among_many() {
        let hot = HotKeys::default();
        let mut noted = 0u64;
        for round in 0..20_000u64 {
            hot.note(0, 1, format!("cold:{round}").as_bytes(), 5_000);
            noted += 1;
            if round % 50 == 0 {
                hot.note(0, 2, b"warm", 5_000);
                noted += 1;
            }
            if round % 10 == 0 {
                hot.note(3, 4, b"hot", 5_000);
                noted += 1;
            }
        }
        let top = hot.top(2, 8, 15_000);
        let names: Vec<_> = top.iter().map(|key| key.key.as_slice()).collect();
        assert_eq!(names, [&b"hot"[..], b"warm"]);
        let least = 8 * (2000 - noted / KEYS_MAX as u64);
        assert!((least..=16_000).contains(&top[0].accesses), "{}", top[0].accesses);
        assert_eq!((top[0].database, top[0].slot), (3, 4));
        assert_eq!(top[0].accesses_per_s, top[0].accesses / 10);
        hot.reset();
        assert!(hot.top(2, 8, 15_000).is_empty());
    }

    #[test]
    fn a_sample_takes_its_share() {
        let hot = HotKeys::default();
        let taken = (0..100_000).filter(|_| hot.takes(16)).count();
        assert!((5_000..7_500).contains(&taken), "{taken}");
        assert!((0..100).all(|_| hot.takes(1)));
    }
}
