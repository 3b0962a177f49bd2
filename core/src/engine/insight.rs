//! What an engine knows of itself, as values for programs. INFO, SLOWLOG and LATENCY print the same
//! for people.

use super::Engine;
use crate::command::{Figures, LatencySample, SlowCall};
use crate::keyspace::Access;
use crate::time::Moment;

impl Engine {
    /// What the engine knows of itself: memory, sessions, commands, hits and misses, errors. Looks at
    /// each shard once.
    ///
    /// ```
    /// let engine = keyslot::Engine::default();
    /// engine.set(b"k", b"v")?;
    /// engine.get(b"k")?;
    /// let figures = engine.figures();
    /// assert_eq!((figures.keyspace_hits, figures.databases[0].keys), (1, 1));
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn figures(&self) -> Figures {
        let time = Moment::new(&*self.inner.clock);
        Figures::take(&self.inner.env, &mut Access::nothing(&self.inner.keyspace, &time))
    }

    /// Appends [`Engine::figures`] as text that a monitoring system reads, in the format of
    /// OpenMetrics 1.0: `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn open_metrics(&self, out: &mut String) {
        self.figures().open_metrics(out);
    }

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
