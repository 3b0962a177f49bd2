//! Clocks that a C host gives an engine: one that is moved by hand, or a function of the host's.

use crate::boundary::{ErrorInfo, Refusal, answer, shared};
use crate::status::Status;
use keyslot::time::{self, Clock};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One reading of a clock.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds since the Unix epoch. Expiry times are on this scale.
    pub unix_ms: u64,
    /// Microseconds on a scale that never goes back. Durations are measured on this scale.
    pub mono_us: u64,
}

/// Reads a host's clock. It is called on every thread that calls the engine, possibly on several
/// at once, and in the middle of their calls: it must not call the engine, nor throw, nor jump.
pub type ClockFunction = Option<unsafe extern "C" fn(data: *mut c_void) -> Now>;

/// Frees what a host's clock keeps.
pub type ClockFree = Option<unsafe extern "C" fn(data: *mut c_void)>;

/// A clock that stands still until it is moved, for tests and replays. Any thread may move it.
#[derive(Debug)]
pub struct ManualClock(Arc<time::ManualClock>);

impl ManualClock {
    /// Another hold on the same clock, for an engine to keep.
    pub(crate) fn share(&self) -> Box<dyn Clock> {
        Box::new(Arc::clone(&self.0))
    }
}

/// A clock read by a function of the host's.
#[derive(Debug)]
pub(crate) struct HostClock {
    pub(crate) read: unsafe extern "C" fn(data: *mut c_void) -> Now,
    pub(crate) free: ClockFree,
    pub(crate) data: *mut c_void,
    /// Whether the data is the clock's to free: an engine that could not be opened leaves it to
    /// the host.
    pub(crate) opened: Arc<AtomicBool>,
}

// SAFETY: the host promises that its function may be called with its data from any thread.
unsafe impl Send for HostClock {}
// SAFETY: as above, from several threads at once.
unsafe impl Sync for HostClock {}

impl Clock for HostClock {
    fn now(&self) -> time::Now {
        // SAFETY: the host gave function and data for this, and has not had them freed yet.
        let now = unsafe { (self.read)(self.data) };
        time::Now { unix_ms: now.unix_ms, mono_us: now.mono_us }
    }
}

impl Drop for HostClock {
    fn drop(&mut self) {
        if let Some(free) = self.free.filter(|_| self.opened.load(Ordering::Relaxed)) {
            // SAFETY: the host gave function and data for this, and it is done once.
            unsafe { free(self.data) };
        }
    }
}

/// Makes a clock that stands at `unix_ms`, in milliseconds since the Unix epoch. Give it to
/// engines in `keyslot_options`, move it, and free it with `keyslot_clock_free` at any time:
/// engines keep a hold of their own.
#[unsafe(no_mangle)]
pub extern "C" fn keyslot_clock_new(unix_ms: u64) -> *mut ManualClock {
    Box::into_raw(Box::new(ManualClock(Arc::new(time::ManualClock::new(unix_ms)))))
}

/// Frees a clock. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_clock_free(clock: *mut ManualClock) {
    if !clock.is_null() {
        // SAFETY: it came from `keyslot_clock_new`, and its owner gives it up.
        drop(unsafe { Box::from_raw(clock) });
    }
}

/// Moves both scales of a clock forward by `ms` milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_clock_advance_ms(
    clock: *const ManualClock,
    ms: u64,
    error: *mut ErrorInfo,
) -> Status {
    let advance = || {
        // SAFETY: null or a clock that lives.
        let clock = unsafe { shared(clock, "clock") }?;
        if ms > u64::MAX / 1000 {
            return Err(Refusal::argument("ms is out of range"));
        }
        clock.0.advance_ms(ms);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, advance) }
}

/// Sets the wall clock, backwards too; the monotonic scale does not move.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_clock_set_unix_ms(
    clock: *const ManualClock,
    unix_ms: u64,
    error: *mut ErrorInfo,
) -> Status {
    let set = || {
        // SAFETY: null or a clock that lives.
        unsafe { shared(clock, "clock") }?.0.set_unix_ms(unix_ms);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, set) }
}
