//! What an engine knows of itself, as values for programs. INFO, SLOWLOG and LATENCY print the same
//! for people.

use super::Engine;
use crate::command::{LatencySample, SlowCall};

impl Engine {
    /// The last calls that took longer than the setting `slowlog-log-slower-than`, the newest first,
    /// up to `count` of them. `slowlog-max-len` are kept.
    pub fn slow_calls(&self, count: usize) -> Vec<SlowCall> {
        self.inner.env.slow_log.newest(count)
    }

    /// The last events that took longer than the setting `latency-monitor-threshold`, by their kind
    /// as LATENCY LATEST names it, the oldest first; up to 160 of each kind, and of those within a
    /// second the longest.
    pub fn latency_events(&self) -> Vec<(&'static str, Vec<LatencySample>)> {
        self.inner.env.latency.all()
    }
}
