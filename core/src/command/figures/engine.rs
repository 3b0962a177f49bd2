//! What an engine knows of itself at one moment, as values for programs.

use super::super::environment::Environment;
use super::super::stats::Counter;
use super::Memory;
use crate::keyspace::Access;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What an engine knows of itself at one moment. Counts are those since it was opened or since CONFIG
/// RESETSTAT. Text for monitoring systems is made of it by [`Figures::open_metrics`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Seconds since the engine was opened.
    pub uptime_s: u64,
    /// Sessions that are open.
    pub sessions: u64,
    /// Sessions that may be open at once (`maxclients`).
    pub sessions_max: u64,
    /// Sessions that wait, as in BLPOP.
    pub sessions_waiting: u64,
    /// Sessions that were opened.
    pub sessions_opened: u64,
    /// Sessions that were turned away, by the engine or, as far as it tells, by the host.
    pub sessions_rejected: u64,
    /// Sessions that were closed to free memory (`maxmemory-clients`).
    pub sessions_evicted: u64,
    /// Sessions that were closed since their unfinished input was too long.
    pub input_limit_closings: u64,
    /// Sessions that were closed since their output was too long.
    pub output_limit_closings: u64,
    /// Sessions that were closed since they spoke HTTP.
    pub foreign_protocol_closings: u64,
    /// Bytes that keys, values, tables and buffers take.
    pub memory_bytes: u64,
    /// The most that was ever measured of it.
    pub memory_peak_bytes: u64,
    /// Bytes of keys and values alone.
    pub memory_dataset_bytes: u64,
    /// Bytes of sessions and their buffers.
    pub memory_session_bytes: u64,
    /// Bytes that keys may take (`maxmemory`); zero for no bound.
    pub memory_max_bytes: u64,
    /// Values that wait to be freed by and by.
    pub pending_frees: u64,
    /// Commands that were carried out.
    pub commands_processed: u64,
    /// Commands a second of late.
    pub commands_per_s: f64,
    /// Bytes that sessions were fed, and bytes a second of late.
    pub input_bytes: u64,
    /// Bytes a second of late.
    pub input_bytes_per_s: f64,
    /// Bytes that sessions answered.
    pub output_bytes: u64,
    /// Bytes a second of late.
    pub output_bytes_per_s: f64,
    /// How often sessions were fed.
    pub reads: u64,
    /// Look-ups of keys that exist.
    pub keyspace_hits: u64,
    /// Look-ups of keys that do not.
    pub keyspace_misses: u64,
    /// Changes to keys since the engine was opened.
    pub changes: u64,
    /// Keys deleted since their time was over.
    pub expired_keys: u64,
    /// Fields of hashes deleted since their time was over.
    pub expired_fields: u64,
    /// Microseconds that looking for them took.
    pub expiry_us: u64,
    /// Errors that were answered.
    pub error_replies: u64,
    /// Passwords that were wrong.
    pub denied_logins: u64,
    /// Commands that were refused to users.
    pub denied_commands: u64,
    /// Commands that were refused to users for their keys.
    pub denied_keys: u64,
    /// Commands that were refused to users for their channels.
    pub denied_channels: u64,
    /// Channels that somebody listens to.
    pub channels: u64,
    /// Patterns that somebody listens to.
    pub patterns: u64,
    /// Shard channels that somebody listens to.
    pub shard_channels: u64,
    /// Calls in the slow log.
    pub slow_calls: u64,
    /// The databases that hold something.
    pub databases: Vec<DatabaseFigures>,
    /// The commands that were called or refused.
    pub commands: Vec<CommandFigures>,
    /// How often each error was answered, by its first word.
    pub errors: Vec<(String, u64)>,
}

/// What a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// Its number.
    pub database: usize,
    /// Keys, expired ones that were not met yet included.
    pub keys: u64,
    /// Keys that expire.
    pub expiring_keys: u64,
    /// Hashes with fields that expire.
    pub expiring_hashes: u64,
    /// The mean time that the keys that expire have left, in milliseconds.
    pub ttl_mean_ms: u64,
}

/// What a command cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandFigures {
    /// Its full name, such as `get` or `config|get`.
    pub name: &'static str,
    /// Calls that were carried out.
    pub calls: u64,
    /// Calls that answered an error.
    pub failed: u64,
    /// Calls that were refused before they began.
    pub rejected: u64,
    /// Nanoseconds that all calls took together. Of quick calls without a session one in 64 is
    /// timed.
    pub busy_ns: u64,
    /// Nanoseconds that half of the calls did not exceed, to within a hundredth; zero while the
    /// setting `latency-tracking` is off. So for the others.
    pub p50_ns: u64,
    /// Nanoseconds that 99 % of the calls did not exceed.
    pub p99_ns: u64,
    /// Nanoseconds that 99.9 % of the calls did not exceed.
    pub p999_ns: u64,
}

impl Figures {
    /// The share of look-ups that found their key; none if there were no look-ups.
    pub fn hit_rate(&self) -> Option<f64> {
        let all = self.keyspace_hits + self.keyspace_misses;
        (all > 0).then(|| self.keyspace_hits as f64 / all as f64)
    }

    /// Looks at everything once.
    pub(crate) fn take(env: &Environment, keys: &mut Access<'_>) -> Self {
        let now_ms = keys.unix_ms();
        env.sample_rates(now_ms);
        let (stats, config) = (&env.stats, &env.config);
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let memory = Memory::measure(env, keys);
        let traffic = env.sessions.traffic();
        let [commands_per_s, input_bytes_per_s, output_bytes_per_s] = stats.rates();
        let [channels, patterns, shard_channels] = env.channels.counts();
        let rejected_by_host = env.host.lock().rejected_connections;
        Self {
            uptime_s: now_ms.saturating_sub(env.opened_ms) / 1000,
            sessions: env.sessions.len() as u64,
            sessions_max: config.maxclients(),
            sessions_waiting: env.waiting.counts()[0] as u64,
            sessions_opened: env.sessions.opened(),
            sessions_rejected: rejected_by_host + read(&stats.rejected_sessions),
            sessions_evicted: read(&stats.evicted_clients),
            input_limit_closings: read(&stats.query_limit_closings),
            output_limit_closings: read(&stats.output_limit_closings),
            foreign_protocol_closings: read(&stats.foreign_protocol_closings),
            memory_bytes: memory.used_bytes() as u64,
            memory_peak_bytes: memory.peak_bytes as u64,
            memory_dataset_bytes: memory.keyspace.dataset() as u64,
            memory_session_bytes: memory.client_bytes as u64,
            memory_max_bytes: config.maxmemory(),
            pending_frees: keys.keyspace().waiting_to_be_freed() as u64,
            commands_processed: stats.total(Counter::Commands),
            commands_per_s,
            input_bytes: traffic.input_bytes,
            input_bytes_per_s,
            output_bytes: traffic.output_bytes,
            output_bytes_per_s,
            reads: traffic.reads,
            keyspace_hits: stats.total(Counter::KeyspaceHits),
            keyspace_misses: stats.total(Counter::KeyspaceMisses),
            changes: stats.total(Counter::Changes),
            expired_keys: stats.total(Counter::ExpiredKeys),
            expired_fields: stats.total(Counter::ExpiredMembers),
            expiry_us: read(&stats.expiry_us),
            error_replies: read(&stats.errors),
            denied_logins: read(&stats.refused_passwords),
            denied_commands: read(&stats.denied_commands),
            denied_keys: read(&stats.denied_keys),
            denied_channels: read(&stats.denied_channels),
            channels: channels as u64,
            patterns: patterns as u64,
            shard_channels: shard_channels as u64,
            slow_calls: env.slow_log.len() as u64,
            databases: databases(&memory, keys),
            commands: commands(env),
            errors: errors(env),
        }
    }
}

fn databases(memory: &Memory, keys: &mut Access<'_>) -> Vec<DatabaseFigures> {
    let databases = memory.keyspace.databases.iter().enumerate();
    let used = databases.filter(|(_, database)| database.keys > 0);
    let figures = used.map(|(database, _)| {
        let stats = keys.database_stats(database);
        DatabaseFigures {
            database,
            keys: stats.keys as u64,
            expiring_keys: stats.expiring as u64,
            expiring_hashes: stats.expiring_members as u64,
            ttl_mean_ms: stats.ttl_mean_ms,
        }
    });
    figures.collect()
}

fn commands(env: &Environment) -> Vec<CommandFigures> {
    let costs = env.stats.commands.costs().into_iter();
    let figures = costs.map(|(spec, cost)| CommandFigures {
        name: &spec.name,
        calls: cost.calls,
        failed: cost.failed,
        rejected: cost.rejected,
        busy_ns: cost.busy_ns(),
        p50_ns: cost.latencies.percentile(50.0),
        p99_ns: cost.latencies.percentile(99.0),
        p999_ns: cost.latencies.percentile(99.9),
    });
    figures.collect()
}

fn errors(env: &Environment) -> Vec<(String, u64)> {
    let errors = env.stats.errors_by_prefix().into_iter();
    errors.map(|(prefix, count)| (String::from_utf8_lossy(&prefix).into_owned(), count)).collect()
}
