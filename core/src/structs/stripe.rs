//! A stripe of the counters for each thread, so that no cache line goes to and fro between threads.
//!
//! The first fifteen threads that are alive have a stripe each, to which nobody else adds: a load and
//! a store are enough then. All others share the last one, by atomic additions. A thread that ends
//! gives its stripe back.

use super::histogram::add;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many stripes counters are kept in.
pub(crate) const STRIPES: usize = 16;
const SHARED: usize = STRIPES - 1;
const NONE: usize = usize::MAX;

/// Which stripe this thread adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stripe {
    pub(crate) number: usize,
    /// Whether no other thread adds to it.
    pub(crate) is_alone: bool,
}

static TAKEN: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    static LEASE: Lease = Lease::take();
}

/// A stripe of one's own, given back with the thread.
struct Lease(usize);

impl Lease {
    fn take() -> Self {
        let mut taken = TAKEN.load(Ordering::Relaxed);
        loop {
            let number = taken.trailing_ones() as usize;
            if number >= SHARED {
                return Self(SHARED);
            }
            // What the thread before added to this stripe is seen from here on.
            match TAKEN.compare_exchange_weak(
                taken,
                taken | 1 << number,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Self(number),
                Err(now) => taken = now,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        NUMBER.set(SHARED);
        if self.0 != SHARED {
            TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

/// The stripe of this thread.
#[inline]
pub(crate) fn own() -> Stripe {
    let mut number = NUMBER.get();
    if number == NONE {
        number = first();
    }
    Stripe { number, is_alone: number != SHARED }
}

#[cold]
fn first() -> usize {
    let number = LEASE.try_with(|lease| lease.0).unwrap_or(SHARED);
    NUMBER.set(number);
    number
}

/// A counter to which many threads add, and which few read. Sums wrap, so that what is added may
/// stand for something negative.
#[derive(Debug, Default)]
pub(crate) struct Striped {
    stripes: [Line; STRIPES],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

impl Striped {
    #[inline]
    pub(crate) fn add(&self, amount: u64) {
        let own = own();
        add(&self.stripes[own.number].0, amount, own.is_alone);
    }

    pub(crate) fn total(&self) -> u64 {
        let each = self.stripes.iter().map(|stripe| stripe.0.load(Ordering::Relaxed));
        each.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    #[test]
    fn no_two_threads_are_alone_in_the_same_stripe() {
        let barrier = Barrier::new(3 * STRIPES);
        let alone = std::thread::scope(|scope| {
            let run = || {
                let stripe = own();
                barrier.wait();
                assert_eq!(own().number, stripe.number);
                stripe.is_alone.then_some(stripe.number)
            };
            let threads: Vec<_> = (0..3 * STRIPES).map(|_| scope.spawn(run)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let distinct: BTreeSet<_> = alone.iter().collect();
        assert_eq!(distinct.len(), alone.len());
    }

    #[test]
    fn a_total_is_what_all_threads_added_and_took() {
        let counter = Striped::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    counter.add(5);
                    counter.add(2u64.wrapping_neg());
                });
            }
        });
        assert_eq!(counter.total(), 6 * STRIPES as u64);
    }
}
