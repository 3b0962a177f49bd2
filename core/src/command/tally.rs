//! What each command cost so far: how often it was called, refused and failed, and how long it took.
//! INFO's sections `commandstats` and `latencystats` and LATENCY HISTOGRAM print it.

use super::table::{self, Spec};
use crate::structs::histogram::{Counts, Histogram, add};
use crate::structs::stripe::{self, STRIPES, Stripe};
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Calls of one command that were carried out together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// How many there were.
    pub(crate) calls: u64,
    /// Of how many of them the time was taken.
    pub(crate) timed: u64,
    /// How many answered an error.
    pub(crate) failed: u64,
    /// How long each took whose time was taken, in nanoseconds.
    pub(crate) each_ns: u64,
    /// Whether that goes into the histogram.
    pub(crate) is_tracked: bool,
}

/// Of calls that are much quicker than reading the clock, the time of one in so many is taken.
const UNTIMED_CALLS: u64 = 64;

/// One thread's share of what a command cost.
#[derive(Debug, Default)]
struct Share {
    calls: AtomicU64,
    timed: AtomicU64,
    timed_ns: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    latencies: OnceLock<Box<Histogram>>,
}

/// What a command cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    timed: u64,
    timed_ns: u64,
    /// How long calls took, in nanoseconds.
    pub(crate) latencies: Counts,
}

impl Cost {
    /// How long all calls took together, in nanoseconds; of those that were not timed, what the
    /// others let expect.
    pub(crate) fn busy_ns(&self) -> u64 {
        if self.timed == 0 {
            return self.timed_ns;
        }
        let calls = self.calls.max(self.timed);
        (u128::from(self.timed_ns) * u128::from(calls) / u128::from(self.timed)) as u64
    }

    fn is_nothing(&self) -> bool {
        self.calls == 0 && self.failed == 0 && self.rejected == 0
    }

    fn add_share(&mut self, share: &Share) {
        self.calls += share.calls.load(Relaxed);
        self.failed += share.failed.load(Relaxed);
        self.rejected += share.rejected.load(Relaxed);
        self.timed += share.timed.load(Relaxed);
        self.timed_ns += share.timed_ns.load(Relaxed);
        if let Some(latencies) = share.latencies.get() {
            latencies.add_to(&mut self.latencies);
        }
    }

    fn subtract(&mut self, before: &Self) {
        let Self { calls, failed, rejected, timed, timed_ns, latencies } = self;
        *calls = calls.saturating_sub(before.calls);
        *failed = failed.saturating_sub(before.failed);
        *rejected = rejected.saturating_sub(before.rejected);
        *timed = timed.saturating_sub(before.timed);
        *timed_ns = timed_ns.saturating_sub(before.timed_ns);
        latencies.subtract(&before.latencies);
    }
}

/// What all commands cost, kept in stripes that are made when a thread first needs one.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    stripes: [OnceLock<Box<[Share]>>; STRIPES],
    /// What was counted before the last reset, by the commands' numbers.
    before: Mutex<Vec<Cost>>,
}

impl Tallies {
    /// Counts calls that were carried out.
    #[inline]
    pub(crate) fn add(&self, spec: &Spec, sample: Sample) {
        let (share, is_alone) = self.share(spec);
        add(&share.calls, sample.calls, is_alone);
        if sample.failed > 0 {
            add(&share.failed, sample.failed, is_alone);
        }
        if sample.timed > 0 {
            add(&share.timed, sample.timed, is_alone);
            add(&share.timed_ns, sample.each_ns * sample.timed, is_alone);
            if sample.is_tracked {
                let latencies = share.latencies.get_or_init(Box::default);
                latencies.record(sample.each_ns, sample.timed, is_alone);
            }
        }
    }

    /// Counts a call that was refused before it began.
    #[cold]
    pub(crate) fn reject(&self, spec: &Spec) {
        let (share, is_alone) = self.share(spec);
        add(&share.rejected, 1, is_alone);
    }

    /// Counts a call that takes less time than a look at the clock. Returns whether its time is to
    /// be taken even so, and added by [`Tallies::add`] without a call.
    #[inline]
    pub(crate) fn count_quick(&self, spec: &Spec) -> bool {
        let (share, is_alone) = self.share(spec);
        let before = share.calls.load(Relaxed);
        add(&share.calls, 1, is_alone);
        before.is_multiple_of(UNTIMED_CALLS)
    }

    #[inline]
    fn share(&self, spec: &Spec) -> (&Share, bool) {
        let Stripe { number, is_alone } = stripe::own();
        let shares = self.stripes[number].get_or_init(new_shares);
        (&shares[spec.id], is_alone)
    }

    /// What each command cost that was called or refused since the last reset.
    pub(crate) fn costs(&self) -> Vec<(&'static Spec, Cost)> {
        let before = self.before.lock();
        let mut costs = self.totals();
        costs.iter_mut().zip(&*before).for_each(|(cost, before)| cost.subtract(before));
        let costs = table::all_specs().zip(costs);
        costs.filter(|(_, cost)| !cost.is_nothing()).collect()
    }

    /// Starts to count from zero.
    pub(crate) fn reset(&self) {
        let mut before = self.before.lock();
        *before = self.totals();
    }

    fn totals(&self) -> Vec<Cost> {
        let mut costs = vec![Cost::default(); table::spec_count()];
        for shares in self.stripes.iter().filter_map(OnceLock::get) {
            costs.iter_mut().zip(shares).for_each(|(cost, share)| cost.add_share(share));
        }
        costs
    }
}

#[cold]
fn new_shares() -> Box<[Share]> {
    table::all_specs().map(|_| Share::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &[u8]) -> &'static Spec {
        table::find(&[name]).unwrap()
    }

    fn sample(calls: u64, each_ns: u64) -> Sample {
        Sample { calls, timed: calls, failed: 0, each_ns, is_tracked: true }
    }

    #[test]
    fn costs_add_up_over_threads_and_a_reset_forgets_them() {
        let tallies = Tallies::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    tallies.add(spec(b"get"), sample(2, 500));
                    tallies.reject(spec(b"set"));
                });
            }
        });
        let costs = tallies.costs();
        let names: Vec<_> = costs.iter().map(|(spec, _)| &*spec.name).collect();
        assert_eq!(names, ["get", "set"]);
        let [(_, get), (_, set)] = &costs[..] else { unreachable!() };
        assert_eq!((get.calls, get.busy_ns(), get.latencies.total()), (64, 32_000, 64));
        assert_eq!((set.calls, set.rejected), (0, 32));
        tallies.reset();
        assert!(tallies.costs().is_empty());
        tallies.add(spec(b"get"), sample(1, 40));
        let after = &tallies.costs()[0].1;
        assert_eq!((after.calls, after.busy_ns(), after.latencies.total()), (1, 40, 1));
    }

    #[test]
    fn the_time_of_quick_calls_is_taken_from_some_of_them() {
        let tallies = Tallies::default();
        let get = spec(b"get");
        for _ in 0..2 * UNTIMED_CALLS {
            if tallies.count_quick(get) {
                tallies.add(get, Sample { calls: 0, ..Sample { timed: 1, ..sample(0, 100) } });
            }
        }
        let (_, cost) = &tallies.costs()[0];
        assert_eq!((cost.calls, cost.latencies.total()), (2 * UNTIMED_CALLS, 2));
        assert_eq!(cost.busy_ns(), 2 * UNTIMED_CALLS * 100);
    }
}
