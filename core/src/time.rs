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
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic scale starts at zero now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
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
        // A wall clock before 1970 reads as 1970: nothing could be due earlier.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() * 1000 + u64::from(since.subsec_millis()))
    }

    fn mono_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
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
    unix_ms: Cell<Option<u64>>,
}

impl<'c> Moment<'c> {
    pub(crate) fn new(clock: &'c dyn Clock) -> Self {
        Self { clock, unix_ms: Cell::new(None) }
    }

    /// Milliseconds since the Unix epoch, the same for the whole batch.
    #[inline]
    pub(crate) fn unix_ms(&self) -> u64 {
        if let Some(unix_ms) = self.unix_ms.get() {
            return unix_ms;
        }
        let unix_ms = self.clock.unix_ms();
        self.unix_ms.set(Some(unix_ms));
        unix_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_wall_clock_back_leaves_the_monotonic_scale_alone() {
        let clock = ManualClock::new(1_000);
        clock.advance_ms(5);
        clock.set_unix_ms(10);
        assert_eq!(clock.now(), Now { unix_ms: 10, mono_us: 5_000 });
    }
}
