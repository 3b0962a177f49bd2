//! What an engine knows of itself, as values for programs. INFO, SLOWLOG and LATENCY print the same
//! for people.

use super::Engine;
use crate::command::{BigKey, BigKeySearch, Figures, HotKey, LatencySample, SlowCall};
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

    /// Looks at `budget` keys or a few more, and returns those of them that hold much. Call it until
    /// the search is done; every key that is there all the time is looked at.
    ///
    /// ```
    /// use keyslot::{BigKeySearch, Engine};
    ///
    /// let engine = Engine::default();
    /// engine.set(b"large", &[0; 20_000])?;
    /// let mut search = BigKeySearch::default();
    /// let mut found = Vec::new();
    /// while !search.is_done() {
    ///     found.extend(engine.big_keys(&mut search, 1_000));
    /// }
    /// assert_eq!((found[0].key.as_slice(), found[0].type_name), (&b"large"[..], "string"));
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn big_keys(&self, search: &mut BigKeySearch, budget: usize) -> Vec<BigKey> {
        let keyspace = &self.inner.keyspace;
        let is_slot = |slot: u16| usize::from(slot) < keyspace.scheme().slots();
        if search.database >= keyspace.databases() || !search.slot.is_none_or(is_slot) {
            return search.end();
        }
        let time = Moment::new(&*self.inner.clock);
        search.step(&self.inner.env, &mut Access::nothing(keyspace, &time), budget)
    }

    /// The keys that are asked for most since the engine was opened or MEMORY HOTKEYS RESET, up to
    /// `count` of them, estimated from a sample. Nothing is sampled unless the setting
    /// `hot-key-sampling` says that one in so many accesses is.
    pub fn hot_keys(&self, count: usize) -> Vec<HotKey> {
        let sampling = self.inner.env.config.hot_key_sampling().unwrap_or(1);
        self.inner.env.hot_keys.top(count, sampling, self.inner.clock.unix_ms())
    }
}
