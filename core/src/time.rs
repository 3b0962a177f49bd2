//! Where time comes from. The core reads no clock but the one it was given.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One reading of a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds since the Unix epoch. Expiry times are on this scale.
    pub unix_ms: u64,
    /// Microseconds on a scale that never goes back. Durations are measured on this scale.
    pub mono_us: u64,
}

/// A source of time that the host chooses.
pub trait Clock: Send + Sync {
    /// Reads both scales.
    fn now(&self) -> Now;

    /// Reads the wall clock alone, in milliseconds since the Unix epoch.
    fn unix_ms(&self) -> u64 {
        self.now().unix_ms
    }

    /// Reads the monotonic scale alone, in nanoseconds. How long commands take is measured by it.
    fn mono_ns(&self) -> u64 {
        self.now().mono_us * 1000
    }

    /// The wall clock at a time that [`Clock::mono_ns`] has just told. A clock that knows the one from
    /// the other saves a reading, of which there are several in a microsecond.
    fn unix_ms_at(&self, _mono_ns: u64) -> u64 {
        self.unix_ms()
    }
}

/// How long the two clocks of the system are taken to go alike, in nanoseconds.
const COMPARISON_NS: u64 = 10_000_000;
/// How far apart the readings of a comparison may be.
const COMPARISON_SPAN_NS: u64 = 50_000;

/// The operating system's clocks. They are compared every ten milliseconds, so that one tells the
/// other in between.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// How far the wall clock is ahead of the monotonic one, in nanoseconds.
    ahead_ns: AtomicU64,
    /// When that was last looked at, on the monotonic scale.
    compared_ns: AtomicU64,
}

impl SystemClock {
    /// A clock whose monotonic scale starts at zero now.
    pub fn new() -> Self {
        // As if compared so long ago that it is time again.
        let compared_ns = AtomicU64::new(0u64.wrapping_sub(COMPARISON_NS));
        Self { start: Instant::now(), ahead_ns: AtomicU64::new(0), compared_ns }
    }

    /// Compares the clocks, and keeps the result if nothing came between the readings.
    #[cold]
    fn compare(&self, mono_ns: u64) -> u64 {
        let unix_ns = unix_ns();
        if self.mono_ns().saturating_sub(mono_ns) < COMPARISON_SPAN_NS {
            self.ahead_ns.store(unix_ns.saturating_sub(mono_ns), Relaxed);
            self.compared_ns.store(mono_ns, Relaxed);
        }
        unix_ns / 1_000_000
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { unix_ms: self.unix_ms(), mono_us: self.start.elapsed().as_micros() as u64 }
    }

    fn unix_ms(&self) -> u64 {
        unix_ns() / 1_000_000
    }

    fn mono_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn unix_ms_at(&self, mono_ns: u64) -> u64 {
        if mono_ns.wrapping_sub(self.compared_ns.load(Relaxed)) < COMPARISON_NS {
            return (mono_ns + self.ahead_ns.load(Relaxed)) / 1_000_000;
        }
        self.compare(mono_ns)
    }
}

/// The wall clock. One before 1970 reads as 1970: nothing could be due earlier.
fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// A clock that stands still until it is moved. Share it as `Arc<ManualClock>`.
#[derive(Debug, Default)]
pub struct ManualClock {
    unix_ms: AtomicU64,
    mono_us: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `unix_ms` and at zero on the monotonic scale.
    pub fn new(unix_ms: u64) -> Self {
        Self { unix_ms: AtomicU64::new(unix_ms), mono_us: AtomicU64::new(0) }
    }

    /// Moves both scales forward.
    pub fn advance_ms(&self, ms: u64) {
        self.unix_ms.fetch_add(ms, Relaxed);
        self.mono_us.fetch_add(ms * 1000, Relaxed);
    }

    /// Sets the wall clock, backwards too; the monotonic scale does not move.
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.unix_ms.store(unix_ms, Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        Now { unix_ms: self.unix_ms.load(Relaxed), mono_us: self.mono_us.load(Relaxed) }
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Now {
        (**self).now()
    }

    fn unix_ms(&self) -> u64 {
        (**self).unix_ms()
    }

    fn mono_ns(&self) -> u64 {
        (**self).mono_ns()
    }

    fn unix_ms_at(&self, mono_ns: u64) -> u64 {
        (**self).unix_ms_at(mono_ns)
    }
}

/// Measures how long one thing after the other takes.
pub(crate) struct Stopwatch<'c> {
    clock: &'c dyn Clock,
    at_ns: u64,
}

impl<'c> Stopwatch<'c> {
    /// Starts to measure.
    #[inline]
    pub(crate) fn start(clock: &'c dyn Clock) -> Self {
        Self { clock, at_ns: clock.mono_ns() }
    }

    /// The time at which it started, as long as no lap is over.
    pub(crate) fn moment(&self) -> Moment<'c> {
        Moment { clock: self.clock, at_ns: Some(self.at_ns), unix_ms: Cell::new(None) }
    }

    /// Nanoseconds since the start or the last lap.
    #[inline]
    pub(crate) fn lap(&mut self) -> u64 {
        let before_ns = std::mem::replace(&mut self.at_ns, self.clock.mono_ns());
        self.at_ns.saturating_sub(before_ns)
    }
}

/// The time of one batch: read from the clock when it is first asked for, then kept.
pub(crate) struct Moment<'c> {
    clock: &'c dyn Clock,
    /// When it is, on the monotonic scale, if that was read already.
    at_ns: Option<u64>,
    unix_ms: Cell<Option<u64>>,
}

impl<'c> Moment<'c> {
    /// What the clock shows now, in microseconds on the monotonic scale, however old the batch is.
    pub(crate) fn current_us(&self) -> u64 {
        self.clock.now().mono_us
    }

    pub(crate) fn new(clock: &'c dyn Clock) -> Self {
        Self { clock, at_ns: None, unix_ms: Cell::new(None) }
    }

    /// Milliseconds since the Unix epoch, the same for the whole batch.
    #[inline]
    pub(crate) fn unix_ms(&self) -> u64 {
        if let Some(unix_ms) = self.unix_ms.get() {
            return unix_ms;
        }
        let unix_ms = match self.at_ns {
            Some(at_ns) => self.clock.unix_ms_at(at_ns),
            None => self.clock.unix_ms(),
        };
        self.unix_ms.set(Some(unix_ms));
        unix_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_clock_of_the_system_tells_the_other() {
        let clock = SystemClock::new();
        for _ in 0..100_000 {
            let before_ms = clock.unix_ms();
            let told_ms = clock.unix_ms_at(clock.mono_ns());
            let after_ms = clock.unix_ms();
            // A millisecond may begin between two readings that belong together.
            assert!(before_ms <= told_ms + 1 && told_ms <= after_ms + 1);
        }
    }

    #[test]
    fn setting_the_wall_clock_back_leaves_the_monotonic_scale_alone() {
        let clock = ManualClock::new(1_000);
        clock.advance_ms(5);
        clock.set_unix_ms(10);
        assert_eq!(clock.now(), Now { unix_ms: 10, mono_us: 5_000 });
    }
}
