//! Figures of an engine since its start or the last CONFIG RESETSTAT. What a figure is called is
//! INFO's work.

use super::acl::Reason;
use crate::error::Error;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Threads beyond this many share stripes.
const STRIPES: usize = 16;

/// What nearly every command adds to. Each thread adds to a stripe of its own, so that no cache
/// line goes to and fro between threads; who reads adds up.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    counters: [AtomicU64; COUNTERS],
}

/// A counter that is kept in stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Commands,
    KeyspaceHits,
    KeyspaceMisses,
    ExpiredKeys,
    /// Fields of hashes deleted since their time was over.
    ExpiredMembers,
    /// Changes to keys since the start. CONFIG RESETSTAT leaves it.
    Changes,
}

const COUNTERS: usize = Counter::Changes as usize + 1;

/// Counters since the start or the last CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    stripes: [Stripe; STRIPES],
    pub(crate) errors: AtomicU64,
    /// Passwords that were wrong.
    pub(crate) refused_passwords: AtomicU64,
    /// Commands, keys and channels that were refused to users.
    pub(crate) denied_commands: AtomicU64,
    pub(crate) denied_keys: AtomicU64,
    pub(crate) denied_channels: AtomicU64,
    /// Sessions closed since their unfinished input was too long.
    pub(crate) query_limit_closings: AtomicU64,
    /// Sessions closed since their output was too long.
    pub(crate) output_limit_closings: AtomicU64,
    /// Sessions that were not opened since there were too many.
    pub(crate) rejected_sessions: AtomicU64,
    /// Sessions closed since all together took too much memory.
    pub(crate) evicted_clients: AtomicU64,
    /// Sessions closed since they spoke HTTP, which is what an attack through a browser does.
    pub(crate) foreign_protocol_closings: AtomicU64,
    /// Errors by their first word.
    errors_by_prefix: Mutex<BTreeMap<Vec<u8>, u64>>,
    rates: Mutex<Rates>,
}

/// More prefixes than this are not told apart: scripts could invent any number of them.
const PREFIXES_MAX: usize = 128;

impl Stats {
    /// Adds to counters. One that stays as it is is left alone.
    #[inline]
    pub(crate) fn add(&self, amounts: &[(Counter, u64)]) {
        let stripe = &self.stripes[stripe_number() % STRIPES];
        for &(counter, amount) in amounts.iter().filter(|(_, amount)| *amount > 0) {
            stripe.counters[counter as usize].fetch_add(amount, Relaxed);
        }
    }

    /// What was added to a counter by all threads.
    pub(crate) fn total(&self, counter: Counter) -> u64 {
        let each =
            self.stripes.iter().map(|stripe| stripe.counters[counter as usize].load(Relaxed));
        each.fold(0, u64::wrapping_add)
    }

    /// Counts an error that was answered.
    pub(crate) fn note_error(&self, error: &Error) {
        self.errors.fetch_add(1, Relaxed);
        let mut line = Vec::new();
        error.write_line(&mut line);
        let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        line.truncate(end);
        let mut counts = self.errors_by_prefix.lock();
        if counts.len() < PREFIXES_MAX || counts.contains_key(&line) {
            *counts.entry(line).or_default() += 1;
        }
    }

    /// Counts what was refused to a user.
    pub(crate) fn note_denied(&self, reason: Reason) {
        let counter = match reason {
            Reason::Command | Reason::Role => &self.denied_commands,
            Reason::Key => &self.denied_keys,
            Reason::Login => &self.refused_passwords,
            Reason::Channel => &self.denied_channels,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// How often each prefix was answered.
    pub(crate) fn errors_by_prefix(&self) -> Vec<(Vec<u8>, u64)> {
        self.errors_by_prefix.lock().iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Starts to count from zero.
    pub(crate) fn reset(&self) {
        let Self {
            stripes,
            errors,
            refused_passwords,
            denied_commands,
            denied_keys,
            denied_channels,
            query_limit_closings,
            output_limit_closings,
            rejected_sessions,
            evicted_clients,
            foreign_protocol_closings,
            errors_by_prefix,
            rates,
        } = self;
        let striped =
            stripes.iter().flat_map(|stripe| &stripe.counters[..Counter::Changes as usize]);
        striped.for_each(|counter| counter.store(0, Relaxed));
        let counters = [
            errors,
            refused_passwords,
            denied_commands,
            denied_keys,
            denied_channels,
            query_limit_closings,
            output_limit_closings,
            rejected_sessions,
            evicted_clients,
            foreign_protocol_closings,
        ];
        counters.into_iter().for_each(|counter| counter.store(0, Relaxed));
        errors_by_prefix.lock().clear();
        *rates.lock() = Rates::default();
    }

    /// Takes a sample of running totals, unless the last one is fresh.
    pub(crate) fn sample(&self, now_ms: u64, totals: impl FnOnce() -> [u64; RATES]) {
        let mut rates = self.rates.lock();
        if now_ms >= rates.at_ms + SAMPLE_MS || now_ms < rates.at_ms {
            rates.add(now_ms, totals());
        }
    }

    /// How fast the totals grew of late, each in units per second.
    pub(crate) fn rates(&self) -> [f64; RATES] {
        self.rates.lock().per_second()
    }
}

/// A number for this thread, from zero on.
#[inline]
fn stripe_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

/// How many totals are watched: commands, bytes in, bytes out.
pub(crate) const RATES: usize = 3;
/// How many samples make a rate, and how far they are apart at least.
const SAMPLES: usize = 16;
const SAMPLE_MS: u64 = 100;

/// How fast totals grew over the last samples.
#[derive(Debug, Default)]
struct Rates {
    at_ms: u64,
    totals: [u64; RATES],
    samples: [[f64; RATES]; SAMPLES],
    next: usize,
}

impl Rates {
    fn add(&mut self, now_ms: u64, totals: [u64; RATES]) {
        let seconds = now_ms.saturating_sub(self.at_ms) as f64 / 1000.0;
        if self.at_ms > 0 && seconds > 0.0 {
            let growth = |which: usize| totals[which].saturating_sub(self.totals[which]) as f64;
            self.samples[self.next] = std::array::from_fn(|which| growth(which) / seconds);
            self.next = (self.next + 1) % SAMPLES;
        }
        self.at_ms = now_ms;
        self.totals = totals;
    }

    fn per_second(&self) -> [f64; RATES] {
        let sum = |which: usize| self.samples.iter().map(|sample| sample[which]).sum::<f64>();
        std::array::from_fn(|which| sum(which) / SAMPLES as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_total_has_a_steady_rate() {
        let stats = Stats::default();
        for step in 0..=16u64 {
            stats.sample(1_000 + step * 100, || [step * 50, 0, step]);
        }
        assert_eq!(stats.rates(), [500.0, 0.0, 10.0]);
        stats.sample(2_650, || unreachable!("the last sample is fresh"));
    }

    #[test]
    fn a_total_is_what_all_threads_added_and_a_reset_leaves_the_changes() {
        let stats = Stats::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| stats.add(&[(Counter::Commands, 3), (Counter::Changes, 2)]));
            }
        });
        let totals = |stats: &Stats| {
            [Counter::Commands, Counter::KeyspaceHits, Counter::Changes].map(|c| stats.total(c))
        };
        assert_eq!(totals(&stats), [96, 0, 64]);
        stats.reset();
        assert_eq!(totals(&stats), [0, 0, 64]);
    }

    #[test]
    fn errors_are_counted_by_their_first_word() {
        let stats = Stats::default();
        stats.note_error(&Error::SYNTAX);
        stats.note_error(&Error::WRONG_TYPE);
        stats.note_error(&Error::SYNTAX);
        let expected = vec![(b"ERR".to_vec(), 2), (b"WRONGTYPE".to_vec(), 1)];
        assert_eq!(stats.errors_by_prefix(), expected);
    }
}
