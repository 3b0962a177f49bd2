//! INFO: the engine's figures under the names that operators know. Every figure is a true one; what
//! this engine cannot know (memory of the process, processor time) is printed if the host tells it,
//! and what does not exist here at all is left out. What never happens here is printed as nought.

mod commands;

use super::call::Call;
use super::connection::REDIS_VERSION;
use super::environment::HostFigures;
use super::figures::Memory;
use super::stats::Counter;
use super::table::{Command, Group, category, flag};
use crate::error::Error;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) const INFO: Command = Command {
    name: "info",
    summary: "Returns information and statistics about the server.",
    group: Group::Server,
    flags: flag::LOADING | flag::STALE,
    categories: Some(category::DANGEROUS),
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    grammar: "[section...]",
    history: &[("7.0.0", "Added support for taking multiple section arguments.")],
    handler: info,
    ..Command::DEFAULT
};

/// One section: its name, whether it is printed if no other is asked for, and what prints it.
struct Section {
    title: &'static str,
    by_default: bool,
    print: fn(&mut Report<'_, '_, '_>),
}

const fn section(title: &'static str, print: fn(&mut Report<'_, '_, '_>)) -> Section {
    Section { title, by_default: true, print }
}

const SECTIONS: &[Section] = &[
    section("Server", server),
    section("Clients", clients),
    section("Memory", memory),
    section("Persistence", persistence),
    section("Stats", stats),
    section("Replication", replication),
    section("CPU", cpu),
    section("Modules", |_| {}),
    Section { by_default: false, ..section("Commandstats", commands::commandstats) },
    section("Errorstats", commands::errorstats),
    Section { by_default: false, ..section("Latencystats", commands::latencystats) },
    section("Cluster", cluster),
    section("Keyspace", keyspace),
];

impl Section {
    fn is_asked(&self, words: &[&[u8]]) -> bool {
        let any = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        any(self.title)
            || any("all")
            || any("everything")
            || (self.by_default && (words.is_empty() || any("default")))
    }
}

/// What was asked for and what is written so far.
struct Report<'r, 'a, 'k> {
    call: &'r mut Call<'a, 'k>,
    host: HostFigures,
    now_ms: u64,
    memory: Memory,
    text: String,
}

impl Report<'_, '_, '_> {
    fn line(&mut self, name: &str, value: impl Display) {
        self.text += &format!("{name}:{value}\r\n");
    }

    fn lines<V: Display>(&mut self, lines: impl IntoIterator<Item = (&'static str, V)>) {
        lines.into_iter().for_each(|(name, value)| self.line(name, value));
    }

    /// A number of bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.line(name, bytes);
        self.line(&format!("{name}_human"), human(bytes));
    }

    fn counter(&mut self, name: &str, counter: &AtomicU64) {
        self.line(name, counter.load(Relaxed));
    }
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let asked = call.arguments();
    let now_ms = call.time.unix_ms();
    call.env.sample_rates(now_ms);
    let memory = Memory::measure(call.env, call.keys);
    let host = call.env.host.lock().clone();
    let mut report = Report { call, host, now_ms, memory, text: String::new() };
    for section in SECTIONS.iter().filter(|section| section.is_asked(asked)) {
        if !report.text.is_empty() {
            report.text.push_str("\r\n");
        }
        report.text += &format!("# {}\r\n", section.title);
        (section.print)(&mut report);
    }
    let text = report.text;
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn server(report: &mut Report<'_, '_, '_>) {
    let env = report.call.env;
    let now_ms = report.now_ms;
    let uptime_s = now_ms.saturating_sub(env.opened_ms) / 1000;
    report.lines([
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", "0"),
        ("keyslot_version", env!("CARGO_PKG_VERSION")),
        ("redis_mode", env.mode()),
    ]);
    report.line("os", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    report.line("arch_bits", usize::BITS);
    report.line("process_id", std::process::id());
    report.line("run_id", &env.run_id);
    report.lines([
        ("tcp_port", env.config.port()),
        ("server_time_usec", now_ms * 1000),
        ("uptime_in_seconds", uptime_s),
        ("uptime_in_days", uptime_s / (24 * 60 * 60)),
        ("hz", env.config.hz()),
        ("configured_hz", env.config.hz()),
        ("lru_clock", (now_ms / 1000) & 0xff_ffff),
    ]);
    let keyspace = report.call.keys.keyspace();
    report.lines([("slots", keyspace.scheme().slots()), ("shards", keyspace.shards())]);
    if let Some(executable) = report.host.executable.take() {
        report.line("executable", executable);
    }
    let config_file = report.host.config_file.take();
    report.line("config_file", config_file.unwrap_or_default());
}

fn clients(report: &mut Report<'_, '_, '_>) {
    let env = report.call.env;
    let cards = env.sessions.cards();
    let most = |room: fn(&super::card::Card) -> usize| cards.iter().map(|card| room(card)).max();
    let input = most(|card| card.query_room.load(Relaxed)).unwrap_or(0);
    let output = most(|card| card.output_room.load(Relaxed)).unwrap_or(0);
    report.line("connected_clients", cards.len());
    report.line("cluster_connections", 0);
    report.line("maxclients", env.config.maxclients());
    let [waiting, timed, keys, keys_of_any_type] = env.waiting.counts();
    report.lines([
        ("client_recent_max_input_buffer", input),
        ("client_recent_max_output_buffer", output),
        ("blocked_clients", waiting + env.pause.len()),
        ("tracking_clients", env.tracking.counts()[0]),
        ("clients_in_timeout_table", timed),
        ("total_blocking_keys", keys),
        ("total_blocking_keys_on_nokey", keys_of_any_type),
    ]);
}

fn memory(report: &mut Report<'_, '_, '_>) {
    let used = report.memory.used_bytes();
    let dataset = report.memory.keyspace.dataset();
    let startup = report.memory.startup_bytes;
    let peak = report.memory.peak_bytes;
    report.bytes("used_memory", used as u64);
    if let Some(resident) = report.host.resident_bytes {
        report.bytes("used_memory_rss", resident);
    }
    report.bytes("used_memory_peak", peak as u64);
    report.line("used_memory_peak_perc", percent(used, peak));
    report.lines([
        ("used_memory_overhead", used - dataset),
        ("used_memory_startup", startup),
        ("used_memory_dataset", dataset),
    ]);
    report.line("used_memory_dataset_perc", percent(dataset, used.saturating_sub(startup)));
    if let Some(machine) = report.host.machine_bytes {
        report.bytes("total_system_memory", machine);
    }
    let scripts = report.call.env.scripting.figures();
    report.line("used_memory_vm_eval", scripts.script_machine_bytes);
    report.bytes("used_memory_lua", scripts.script_machine_bytes as u64);
    let libraries = scripts.libraries;
    report.lines([
        ("used_memory_scripts_eval", scripts.script_bytes),
        ("number_of_cached_scripts", scripts.scripts),
        ("number_of_functions", libraries.functions),
        ("number_of_libraries", libraries.libraries),
        ("used_memory_vm_functions", libraries.machine_bytes),
    ]);
    let machines = scripts.script_machine_bytes + libraries.machine_bytes;
    report.bytes("used_memory_vm_total", machines as u64);
    report.line("used_memory_functions", libraries.bytes);
    report.bytes("used_memory_scripts", (scripts.script_bytes + libraries.bytes) as u64);
    let config = &report.call.env.config;
    report.bytes("maxmemory", config.maxmemory());
    report.line("maxmemory_policy", config.maxmemory_policy());
    if let Some(resident) = report.host.resident_bytes {
        report.line("mem_fragmentation_ratio", hundredths(resident as f64 / used.max(1) as f64));
        report.line("mem_fragmentation_bytes", resident as i64 - used as i64);
    }
    let waiting = report.call.keys.keyspace().waiting_to_be_freed();
    report.lines([
        ("mem_not_counted_for_evict", 0),
        ("mem_replication_backlog", 0),
        ("mem_total_replication_buffers", 0),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", report.memory.client_bytes),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", waiting),
    ]);
    report.line("lazyfreed_objects", report.call.keys.keyspace().freed());
}

/// Nothing is written down here; the host that does so has figures of its own.
fn persistence(report: &mut Report<'_, '_, '_>) {
    let env = report.call.env;
    report.lines([
        ("loading", "0"),
        ("async_loading", "0"),
        ("current_cow_peak", "0"),
        ("current_cow_size", "0"),
        ("current_cow_size_age", "0"),
        ("current_fork_perc", "0.00"),
        ("current_save_keys_processed", "0"),
        ("current_save_keys_total", "0"),
    ]);
    report.line("rdb_changes_since_last_save", env.stats.total(Counter::Changes));
    report.line("rdb_bgsave_in_progress", 0);
    report.line("rdb_last_save_time", env.opened_ms / 1000);
    report.lines([
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", "-1"),
        ("rdb_current_bgsave_time_sec", "-1"),
        ("rdb_saves", "0"),
        ("rdb_last_cow_size", "0"),
        ("rdb_last_load_keys_expired", "0"),
        ("rdb_last_load_keys_loaded", "0"),
        ("aof_enabled", "0"),
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_rewrite_time_sec", "-1"),
        ("aof_current_rewrite_time_sec", "-1"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_rewrites", "0"),
        ("aof_rewrites_consecutive_failures", "0"),
        ("aof_last_write_status", "ok"),
        ("aof_last_cow_size", "0"),
        ("module_fork_in_progress", "0"),
        ("module_fork_last_cow_size", "0"),
    ]);
}

fn stats(report: &mut Report<'_, '_, '_>) {
    traffic(report);
    let env = report.call.env;
    let rejected = env.stats.rejected_sessions.load(Relaxed);
    let rejected = report.host.rejected_connections + rejected;
    report.line("rejected_connections", rejected);
    report.lines([("sync_full", 0), ("sync_partial_ok", 0), ("sync_partial_err", 0)]);
    report.line("expired_subkeys", env.stats.total(Counter::ExpiredMembers));
    report.line("expired_keys", env.stats.total(Counter::ExpiredKeys));
    report.counter("expired_time_cap_reached_count", &env.stats.expiry_budgets_spent);
    let cycle_us = env.stats.expiry_us.load(Relaxed);
    report.line("expire_cycle_cpu_milliseconds", cycle_us / 1000);
    report.line("evicted_keys", env.stats.total(Counter::EvictedKeys));
    report.counter("evicted_clients", &env.stats.evicted_clients);
    let [total_ms, current_ms] = env.stats.exceeded_ms(report.now_ms);
    report.line("total_eviction_exceeded_time", total_ms);
    report.line("current_eviction_exceeded_time", current_ms);
    report.line("keyspace_hits", env.stats.total(Counter::KeyspaceHits));
    report.line("keyspace_misses", env.stats.total(Counter::KeyspaceMisses));
    let [channels, patterns, shard_channels] = env.channels.counts();
    let [_, tracked_keys, tracked_items, tracked_prefixes] = env.tracking.counts();
    report.lines([
        ("pubsub_channels", channels),
        ("pubsub_patterns", patterns),
        ("pubsubshard_channels", shard_channels),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", 0),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", tracked_keys),
        ("tracking_total_items", tracked_items),
        ("tracking_total_prefixes", tracked_prefixes),
        ("unexpected_error_replies", 0),
    ]);
    report.counter("total_error_replies", &env.stats.errors);
    report.line("total_reads_processed", env.sessions.traffic().reads);
    report.lines([("io_threaded_reads_processed", 0), ("io_threaded_writes_processed", 0)]);
    let closings = &env.stats;
    for (name, counter) in [
        ("client_query_buffer_limit_disconnections", &closings.query_limit_closings),
        ("client_output_buffer_limit_disconnections", &closings.output_limit_closings),
        ("peer_address_disconnections", &closings.refused_peers),
        ("security_event_disconnections", &closings.foreign_protocol_closings),
        ("acl_access_denied_auth", &closings.refused_passwords),
        ("acl_access_denied_cmd", &closings.denied_commands),
        ("acl_access_denied_key", &closings.denied_keys),
        ("acl_access_denied_channel", &closings.denied_channels),
    ] {
        report.counter(name, counter);
    }
}

/// What sessions sent and were sent. Nothing is replicated.
fn traffic(report: &mut Report<'_, '_, '_>) {
    let env = report.call.env;
    let traffic = env.sessions.traffic();
    let [commands, input, output] = env.stats.rates();
    report.line("total_connections_received", env.sessions.opened());
    report.line("total_commands_processed", env.stats.total(Counter::Commands));
    report.line("instantaneous_ops_per_sec", commands as u64);
    report.line("total_net_input_bytes", traffic.input_bytes);
    report.line("total_net_output_bytes", traffic.output_bytes);
    report.lines([("total_net_repl_input_bytes", 0), ("total_net_repl_output_bytes", 0)]);
    report.line("instantaneous_input_kbps", hundredths(input / 1024.0));
    report.line("instantaneous_output_kbps", hundredths(output / 1024.0));
    let none = hundredths(0.0);
    report.line("instantaneous_input_repl_kbps", &none);
    report.line("instantaneous_output_repl_kbps", &none);
}

fn replication(report: &mut Report<'_, '_, '_>) {
    let env = report.call.env;
    report.line("role", "master");
    report.line("connected_slaves", 0);
    report.line("master_failover_state", "no-failover");
    report.line("master_replid", env.replication_id());
    report.line("master_replid2", "0".repeat(40));
    report.line("master_repl_offset", 0);
    report.line("second_repl_offset", -1);
    report.line("repl_backlog_active", 0);
    report.line("repl_backlog_size", env.config.replication_backlog_size());
    report.lines([("repl_backlog_first_byte_offset", 0), ("repl_backlog_histlen", 0)]);
}

fn cpu(report: &mut Report<'_, '_, '_>) {
    let seconds = [
        ("used_cpu_sys", report.host.cpu_system_seconds),
        ("used_cpu_user", report.host.cpu_user_seconds),
    ];
    for (name, seconds) in seconds {
        if let Some(seconds) = seconds {
            report.line(name, format_args!("{seconds:.6}"));
        }
    }
}

fn cluster(report: &mut Report<'_, '_, '_>) {
    report.line("cluster_enabled", u8::from(report.call.env.cluster.is_some()));
}

fn keyspace(report: &mut Report<'_, '_, '_>) {
    let databases = report.memory.keyspace.databases.iter().enumerate();
    let used = databases.filter(|(_, database)| database.keys > 0).map(|(db, _)| db);
    for db in used.collect::<Vec<_>>() {
        let stats = report.call.keys.database_stats(db);
        let (keys, expiring, ttl_ms) = (stats.keys, stats.expiring, stats.ttl_mean_ms);
        let members = stats.expiring_members;
        let value = format!("keys={keys},expires={expiring},avg_ttl={ttl_ms},subexpiry={members}");
        report.line(&format!("db{db}"), value);
    }
}

fn percent(part: usize, whole: usize) -> String {
    format!("{}%", hundredths(part as f64 * 100.0 / whole.max(1) as f64))
}

fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

/// A number of bytes for people: `512B`, `1.50K`, `2.00M`.
fn human(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / STEP;
    for unit in ["K", "M", "G", "T"] {
        if value < STEP {
            return format!("{value:.2}{unit}");
        }
        value /= STEP;
    }
    format!("{value:.2}P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people_are_printed_as_redis_does() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(941_192), "919.13K");
        assert_eq!(human(12_259_328), "11.69M");
        assert_eq!(human(25_276_502_016), "23.54G");
        assert_eq!(human(u64::MAX), "16384.00P");
    }
}
