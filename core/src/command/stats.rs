//! Figures of an engine since its start or the last CONFIG RESETSTAT. What a figure is called is
//! INFO's work.

use super::acl::Reason;
use super::tally::Tallies;
use crate::error::Error;
use crate::structs::histogram::add;
use crate::structs::stripe::{self, STRIPES};
use crate::time::Moment;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What nearly every command adds to, kept in stripes; who reads adds up.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counters {
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
    /// Keys deleted since memory was short.
    EvictedKeys,
    /// Changes to keys since the start. CONFIG RESETSTAT leaves it.
    Changes,
}

const COUNTERS: usize = Counter::Changes as usize + 1;

/// Counters since the start or the last CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    stripes: [Counters; STRIPES],
    /// What the stripes counted before the last reset.
    before: [AtomicU64; COUNTERS],
    /// What each command cost.
    pub(crate) commands: Tallies,
    pub(crate) errors: AtomicU64,
    /// How long looking for expired keys took, in microseconds.
    pub(crate) expiry_us: AtomicU64,
    /// How often there were more expired keys than a call for maintenance had budget for.
    pub(crate) expiry_budgets_spent: AtomicU64,
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
    /// Sessions closed since their peers are not among those that are allowed.
    pub(crate) refused_peers: AtomicU64,
    /// Sessions closed since they spoke HTTP, which is what an attack through a browser does.
    pub(crate) foreign_protocol_closings: AtomicU64,
    /// Since when more memory is used than may be, in milliseconds since the Unix epoch; zero if it
    /// is not.
    exceeded_since_ms: AtomicU64,
    /// How long that was the case before, in milliseconds.
    exceeded_ms: AtomicU64,
    errors_by_prefix: Mutex<ErrorCounts>,
    rates: Mutex<Rates>,
}

/// Errors by their first word.
#[derive(Debug, Default)]
struct ErrorCounts {
    counts: BTreeMap<Vec<u8>, u64>,
    /// Whether there were too many words to tell them apart.
    is_disabled: bool,
}

/// With more prefixes than this errors are told apart no longer: scripts could invent any number.
const PREFIXES_MAX: usize = 128;
/// What is counted once in place of them all.
const DISABLED: &[u8] = b"ERRORSTATS_DISABLED";
/// A first word that is longer than this is none.
const PREFIX_LEN_MAX: usize = 30;

impl ErrorCounts {
    fn note(&mut self, prefix: &[u8]) {
        if self.is_disabled {
            return;
        }
        if let Some(count) = self.counts.get_mut(prefix) {
            *count += 1;
        } else if self.counts.len() < PREFIXES_MAX {
            self.counts.insert(prefix.to_vec(), 1);
        } else {
            self.counts = BTreeMap::from([(DISABLED.to_vec(), 1)]);
            self.is_disabled = true;
        }
    }
}

/// The first word of an error, or `ERR`.
fn prefix(line: &[u8]) -> &[u8] {
    let end = line.iter().take(PREFIX_LEN_MAX + 1).position(|&byte| byte == b' ');
    end.map_or(b"ERR", |end| &line[..end])
}

impl Stats {
    /// Adds to counters. One that stays as it is is left alone.
    #[inline]
    pub(crate) fn add(&self, amounts: &[(Counter, u64)]) {
        let own = stripe::own();
        let counters = &self.stripes[own.number].counters;
        for &(counter, amount) in amounts.iter().filter(|(_, amount)| *amount > 0) {
            add(&counters[counter as usize], amount, own.is_alone);
        }
    }

    /// What was added to a counter by all threads since the last reset.
    pub(crate) fn total(&self, counter: Counter) -> u64 {
        let before = self.before[counter as usize].load(Relaxed);
        self.total_ever(counter as usize).wrapping_sub(before)
    }

    fn total_ever(&self, counter: usize) -> u64 {
        let each = self.stripes.iter().map(|stripe| stripe.counters[counter].load(Relaxed));
        each.fold(0, u64::wrapping_add)
    }

    /// Counts an error that was answered.
    pub(crate) fn note_error(&self, error: &Error) {
        self.errors.fetch_add(1, Relaxed);
        let mut line = Vec::new();
        error.write_line(&mut line);
        self.errors_by_prefix.lock().note(prefix(&line));
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

    /// Notes whether more memory is used than may be.
    #[inline]
    pub(crate) fn note_exceeded(&self, is_exceeded: bool, time: &Moment<'_>) {
        if is_exceeded == (self.exceeded_since_ms.load(Relaxed) != 0) {
            return;
        }
        let now_ms = time.unix_ms().max(1);
        let since_ms = self.exceeded_since_ms.swap(if is_exceeded { now_ms } else { 0 }, Relaxed);
        if since_ms != 0 {
            self.exceeded_ms.fetch_add(now_ms.saturating_sub(since_ms), Relaxed);
        }
    }

    /// For how long more memory was used than may be, altogether, and for how long it is now, in
    /// milliseconds.
    pub(crate) fn exceeded_ms(&self, now_ms: u64) -> [u64; 2] {
        let current = match self.exceeded_since_ms.load(Relaxed) {
            0 => 0,
            since_ms => now_ms.saturating_sub(since_ms),
        };
        [self.exceeded_ms.load(Relaxed) + current, current]
    }

    /// How often each prefix was answered.
    pub(crate) fn errors_by_prefix(&self) -> Vec<(Vec<u8>, u64)> {
        let errors = self.errors_by_prefix.lock();
        errors.counts.iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Starts to count from zero.
    pub(crate) fn reset(&self) {
        let Self {
            stripes: _,
            before,
            commands,
            errors,
            expiry_us,
            expiry_budgets_spent,
            refused_passwords,
            denied_commands,
            denied_keys,
            denied_channels,
            query_limit_closings,
            output_limit_closings,
            rejected_sessions,
            evicted_clients,
            refused_peers,
            foreign_protocol_closings,
            exceeded_since_ms,
            exceeded_ms,
            errors_by_prefix,
            rates,
        } = self;
        // Who adds by a load and a store would not see a zero that comes in between.
        for (counter, before) in before.iter().enumerate().take(Counter::Changes as usize) {
            before.store(self.total_ever(counter), Relaxed);
        }
        commands.reset();
        let counters = [
            errors,
            expiry_us,
            expiry_budgets_spent,
            refused_passwords,
            denied_commands,
            denied_keys,
            denied_channels,
            query_limit_closings,
            output_limit_closings,
            rejected_sessions,
            evicted_clients,
            refused_peers,
            foreign_protocol_closings,
            exceeded_since_ms,
            exceeded_ms,
        ];
        counters.into_iter().for_each(|counter| counter.store(0, Relaxed));
        *errors_by_prefix.lock() = ErrorCounts::default();
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
        stats.note_error(&Error::from_line(b"OOPS"));
        stats.note_error(&Error::from_line(&[&[b'X'; 31][..], b" y"].concat()));
        stats.note_error(&Error::from_line(&[&[b'X'; 30][..], b" y"].concat()));
        let expected = vec![(b"ERR".to_vec(), 3), (b"WRONGTYPE".to_vec(), 1), (vec![b'X'; 30], 1)];
        assert_eq!(stats.errors_by_prefix(), expected);
    }

    #[test]
    fn errors_are_told_apart_no_longer_when_there_are_too_many() {
        let stats = Stats::default();
        let note = |number: usize| {
            stats.note_error(&Error::from_line(format!("E{number} x").as_bytes()));
        };
        (0..PREFIXES_MAX).chain(0..PREFIXES_MAX).for_each(note);
        assert_eq!(stats.errors_by_prefix().len(), PREFIXES_MAX);
        (0..1100).for_each(note);
        assert_eq!(stats.errors_by_prefix(), [(DISABLED.to_vec(), 1)]);
        stats.reset();
        note(7);
        assert_eq!(stats.errors_by_prefix(), [(b"E7".to_vec(), 1)]);
    }
}
