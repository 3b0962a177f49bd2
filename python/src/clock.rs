//! The clock that a Python program can move.

use keyslot::time::{self, Clock};
use pyo3::prelude::*;
use std::sync::Arc;

/// A clock that stands still until it is moved.
///
/// Give it to an engine as ``Engine(clock=clock)``; one clock may serve several engines. With it, a
/// test sees keys expire without waiting for them.
#[pyclass(frozen, module = "keyslot")]
pub(crate) struct ManualClock {
    pub(crate) clock: Arc<time::ManualClock>,
}

#[pymethods]
impl ManualClock {
    /// Make a clock that stands at ``unix_ms`` milliseconds since the Unix epoch.
    #[new]
    #[pyo3(signature = (unix_ms=0))]
    fn new(unix_ms: u64) -> Self {
        Self { clock: Arc::new(time::ManualClock::new(unix_ms)) }
    }

    /// Move the clock forward by ``ms`` milliseconds.
    fn advance_ms(&self, ms: u64) {
        self.clock.advance_ms(ms);
    }

    /// Set the wall clock to ``unix_ms`` milliseconds since the Unix epoch, backwards too.
    fn set_unix_ms(&self, unix_ms: u64) {
        self.clock.set_unix_ms(unix_ms);
    }

    /// Where the clock stands, in milliseconds since the Unix epoch.
    #[getter]
    fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    fn __repr__(&self) -> String {
        format!("ManualClock(unix_ms={})", self.clock.unix_ms())
    }
}
