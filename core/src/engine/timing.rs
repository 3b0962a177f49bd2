//! How long commands take, and who wants to know: the tallies, the slow log, the monitor of latencies.
//!
//! Commands whose work does not grow with what a key holds take less time than a look at the clock.
//! Where several of them are carried out together, the clock is looked at once for all and each gets
//! its share. Others are timed each by itself.

use super::Inner;
use super::execute::{BATCH, Words};
use crate::command::table::{Spec, flag};
use crate::command::{ClientState, Sample};
use crate::resp::ReplySink;
use crate::time::{Moment, Stopwatch};
use smallvec::SmallVec;
use std::sync::atomic::Ordering::Relaxed;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did its work, or waits to.
    Done,
    /// It answered an error.
    Failed,
    /// It did not run: it was refused, or waits for EXEC.
    NotRun,
}

/// Commands since the last look at the clock.
pub(super) struct Round<'a, 'c> {
    stopwatch: Stopwatch<'c>,
    commands: SmallVec<[Timed<'a>; BATCH]>,
}

#[derive(Clone, Copy)]
struct Timed<'a> {
    spec: &'static Spec,
    words: Words<'a>,
    failed: bool,
    /// Where its reply begins in the output.
    mark: usize,
}

/// What a command weighs beside the bytes of its words and its reply, when the time of a round is
/// shared out by weight.
const WEIGHT: usize = 64;

impl Inner {
    /// Starts a round.
    pub(super) fn round<'a>(&self) -> Round<'a, '_> {
        Round::new(Stopwatch::start(&*self.clock))
    }

    /// Ends a round: looks at the clock and shares out the time since the round before.
    #[inline]
    pub(super) fn end_round(
        &self,
        round: &mut Round<'_, '_>,
        client: &mut ClientState,
        out: &dyn ReplySink,
        time: &Moment<'_>,
    ) {
        let ns = round.stopwatch.lap();
        if round.commands.is_empty() {
            return;
        }
        let each_ns = ns / round.commands.len() as u64;
        let is_tracked = self.env.config.tracks_latency();
        let mut rest = &round.commands[..];
        while let Some(first) = rest.first() {
            let same = |command: &&Timed<'_>| std::ptr::eq(command.spec, first.spec);
            let calls = rest.iter().take_while(same).count();
            let (own, others) = rest.split_at(calls);
            let failed = own.iter().filter(|command| command.failed).count() as u64;
            let calls = calls as u64;
            let sample = Sample { calls, timed: calls, failed, each_ns, is_tracked };
            self.env.stats.commands.add(first.spec, sample);
            rest = others;
        }
        if let Some(sampling) = self.env.config.hot_key_sampling() {
            self.sample_keys(&round.commands, sampling, client.db, time);
        }
        if self.is_slow(ns / 1000) {
            self.note_slow_round(&round.commands, ns, client, out, time);
        }
        round.commands.clear();
    }

    /// Counts the keys of some of the commands.
    #[cold]
    fn sample_keys(&self, commands: &[Timed<'_>], sampling: u64, db: usize, time: &Moment<'_>) {
        for command in commands {
            let places = command.spec.key_places(command.words);
            for place in places.into_iter().filter(|_| self.env.hot_keys.takes(sampling)) {
                let key = self.keyspace.locate(db, command.words[place]);
                self.env.hot_keys.note(key.db, key.slot, key.bytes, time.unix_ms());
            }
        }
    }

    /// Whether somebody wants to know of what takes so many microseconds.
    #[inline]
    fn is_slow(&self, us: u64) -> bool {
        let config = &self.env.config;
        config.slow_log_us().is_some_and(|least_us| us >= least_us)
            || config.latency_monitor_ms().is_some_and(|least_ms| us / 1000 >= least_ms)
    }

    /// Looks which commands of a round took long: a command's share grows with its bytes.
    #[cold]
    fn note_slow_round(
        &self,
        commands: &[Timed<'_>],
        ns: u64,
        client: &mut ClientState,
        out: &dyn ReplySink,
        time: &Moment<'_>,
    ) {
        let ends = commands.iter().skip(1).map(|command| command.mark).chain([out.mark()]);
        let weights = commands.iter().zip(ends).map(|(command, end)| {
            let words: usize = command.words.iter().map(|word| word.len()).sum();
            (WEIGHT + words + end.saturating_sub(command.mark)) as u128
        });
        let weights: SmallVec<[u128; BATCH]> = weights.collect();
        let all: u128 = weights.iter().sum();
        for (command, weight) in commands.iter().zip(weights) {
            let us = (u128::from(ns) * weight / all / 1000) as u64;
            self.note_slow(client, command.spec, command.words, us, time);
        }
    }

    /// Notes how long it took to look for expired keys, and whether there are more.
    pub(super) fn note_expiry(&self, us: u64, is_budget_spent: bool, now_ms: u64) {
        let stats = &self.env.stats;
        stats.expiry_us.fetch_add(us, Relaxed);
        stats.expiry_budgets_spent.fetch_add(is_budget_spent.into(), Relaxed);
        let is_slow = |least_ms| us / 1000 >= least_ms;
        if self.env.config.latency_monitor_ms().is_some_and(is_slow) {
            self.env.latency.note("expire-cycle", us / 1000, now_ms);
        }
    }

    /// Notes how long a call took that is counted already, or that it failed.
    #[cold]
    pub(super) fn note_quick(&self, spec: &Spec, stopwatch: Option<Stopwatch<'_>>, failed: bool) {
        let each_ns = stopwatch.map(|mut stopwatch| stopwatch.lap());
        self.env.stats.commands.add(
            spec,
            Sample {
                calls: 0,
                timed: each_ns.is_some().into(),
                failed: failed.into(),
                each_ns: each_ns.unwrap_or(0),
                is_tracked: self.env.config.tracks_latency(),
            },
        );
    }

    /// Tells who wants to know of a call that it took so long.
    pub(super) fn note_slow(
        &self,
        client: &mut ClientState,
        spec: &'static Spec,
        words: Words<'_>,
        us: u64,
        time: &Moment<'_>,
    ) {
        let (env, config, now_ms) = (&self.env, &self.env.config, time.unix_ms());
        if config.latency_monitor_ms().is_some_and(|least_ms| us / 1000 >= least_ms) {
            let is_fast = spec.flags & flag::FAST != 0;
            env.latency.note(if is_fast { "fast-command" } else { "command" }, us / 1000, now_ms);
        }
        let len_max = config.slow_log_len();
        let is_logged = spec.flags & flag::SKIP_SLOWLOG == 0 && len_max > 0;
        if is_logged && config.slow_log_us().is_some_and(|least_us| us >= least_us) {
            let who = (client.peer(), client.labels().name.clone());
            env.slow_log.note(spec, words, (us, now_ms), who, len_max);
        }
    }
}

impl<'a, 'c> Round<'a, 'c> {
    /// Starts a round with a stopwatch that runs.
    #[inline]
    pub(super) fn new(stopwatch: Stopwatch<'c>) -> Self {
        Self { stopwatch, commands: SmallVec::new() }
    }

    /// Whether no command ran since the last look at the clock.
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Adds a command that ended, if it ran.
    #[inline]
    pub(super) fn add(
        &mut self,
        spec: &'static Spec,
        words: Words<'a>,
        outcome: Outcome,
        mark: usize,
    ) {
        if outcome != Outcome::NotRun {
            let failed = outcome == Outcome::Failed;
            self.commands.push(Timed { spec, words, failed, mark });
        }
    }
}
