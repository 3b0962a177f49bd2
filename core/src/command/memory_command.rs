//! MEMORY: what keys and the engine take from the allocator, counted without asking it.

use super::big_keys::BIGKEYS;
use super::call::Call;
use super::figures::Memory;
use super::hot_keys::HOTKEYS;
use super::server::free_all;
use super::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::value::object_footprint;

const fn subcommand(name: &'static str) -> Command {
    Command { name, since: "4.0.0", group: Group::Server, ..Command::DEFAULT }
}

pub(super) const MEMORY: Command = Command {
    name: "memory",
    summary: "A container for memory diagnostics commands.",
    since: "4.0.0",
    group: Group::Server,
    subcommands: SUBCOMMANDS,
    help: HELP,
    ..Command::CONTAINER
};

const SUBCOMMANDS: &[Command] = &[
    BIGKEYS,
    Command {
        summary: "Outputs a memory problems report.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: doctor,
        ..subcommand("doctor")
    },
    Command { since: "4.0.0", group: Group::Server, ..Command::HELP },
    HOTKEYS,
    Command {
        summary: "Returns the allocator statistics.",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: malloc_stats,
        ..subcommand("malloc-stats")
    },
    Command {
        summary: "Asks the allocator to release memory.",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: purge,
        ..subcommand("purge")
    },
    Command {
        summary: "Returns details about memory usage.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: stats,
        ..subcommand("stats")
    },
    Command {
        summary: "Estimates the memory usage of a key.",
        complexity: "O(N) where N is the number of samples.",
        flags: flag::READONLY,
        grammar: "key [SAMPLES count:integer]",
        keys: &[key_use::RO],
        handler: usage,
        ..subcommand("usage")
    },
];

const HELP: &[&str] = &[
    "BIGKEYS <cursor> [COUNT <count>] [SLOT <slot>] [ELEMENTS <min>] [BYTES <min>]",
    "    Return keys that hold much among the next <count> keys, and where to go on.",
    "DOCTOR",
    "    Return memory problems reports.",
    "HOTKEYS [COUNT <count> | RESET]",
    "    Return the keys that are asked for most, by a sample (see hot-key-sampling).",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
];

/// Answers what the key's record and its object take. Their sizes are known, so nothing is sampled,
/// whatever the count.
fn usage(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mut options = &call.words[3..];
    while let [word, count, rest @ ..] = options {
        if !word.eq_ignore_ascii_case(b"samples") {
            return Err(Error::SYNTAX);
        }
        if parse_i64(count).ok_or(Error::NOT_INTEGER)? < 0 {
            return Err(Error::SYNTAX);
        }
        options = rest;
    }
    if !options.is_empty() {
        return Err(Error::SYNTAX);
    }
    let key = call.key(0);
    match call.keys.peek(&key) {
        Some(record) => {
            let bytes = record.footprint() + object_footprint(record);
            call.out.integer(bytes as i64);
        }
        None => call.out.null(),
    }
    Ok(())
}

fn malloc_stats(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.verbatim(b"txt", b"Stats not supported for the current allocator");
    Ok(())
}

/// Frees what waits to be freed; what the allocator keeps for itself is not in our hands.
fn purge(call: &mut Call<'_, '_>) -> Result<(), Error> {
    free_all(call);
    call.out.ok();
    Ok(())
}

/// One figure of MEMORY STATS.
enum Figure {
    Count(usize),
    Share(f64),
    /// Tables of a database, and what its expiry times take.
    Database {
        tables: usize,
        due: usize,
    },
}

/// Answers the figures that are known here. Those of the allocator and the process are not.
fn stats(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let memory = Memory::measure(call.env, call.keys);
    let percent = |part: usize, whole: usize| part as f64 * 100.0 / whole.max(1) as f64;
    let used = memory.used_bytes();
    let net = used.saturating_sub(memory.startup_bytes);
    let scripts = call.env.scripting.figures();
    let mut figures = vec![
        ("peak.allocated".to_owned(), Figure::Count(memory.peak_bytes)),
        ("total.allocated".to_owned(), Figure::Count(used)),
        ("startup.allocated".to_owned(), Figure::Count(memory.startup_bytes)),
        ("replication.backlog".to_owned(), Figure::Count(0)),
        ("clients.slaves".to_owned(), Figure::Count(0)),
        ("clients.normal".to_owned(), Figure::Count(memory.client_bytes)),
        ("cluster.links".to_owned(), Figure::Count(0)),
        ("aof.buffer".to_owned(), Figure::Count(0)),
        ("lua.caches".to_owned(), Figure::Count(scripts.script_bytes)),
        ("functions.caches".to_owned(), Figure::Count(scripts.libraries.bytes)),
    ];
    for (db, database) in memory.keyspace.databases.iter().enumerate() {
        if database.keys > 0 {
            let figure = Figure::Database { tables: database.tables, due: database.due };
            figures.push((format!("db.{db}"), figure));
        }
    }
    let keys: usize = memory.keyspace.databases.iter().map(|database| database.keys).sum();
    let dataset = memory.keyspace.dataset();
    figures.extend([
        ("overhead.total".to_owned(), Figure::Count(used - dataset)),
        ("keys.count".to_owned(), Figure::Count(keys)),
        ("keys.bytes-per-key".to_owned(), Figure::Count(net.checked_div(keys).unwrap_or(0))),
        ("dataset.bytes".to_owned(), Figure::Count(dataset)),
        ("dataset.percentage".to_owned(), Figure::Share(percent(dataset, net))),
        ("peak.percentage".to_owned(), Figure::Share(percent(used, memory.peak_bytes))),
    ]);
    call.out.map(figures.len());
    for (name, figure) in figures {
        call.out.bulk(name.as_bytes());
        write_figure(call, figure);
    }
    Ok(())
}

fn write_figure(call: &mut Call<'_, '_>, figure: Figure) {
    match figure {
        Figure::Count(count) => call.out.integer(count as i64),
        Figure::Share(share) => call.out.double(share),
        Figure::Database { tables, due } => {
            call.out.map(2);
            call.out.bulk(b"overhead.hashtable.main");
            call.out.integer(tables as i64);
            call.out.bulk(b"overhead.hashtable.expires");
            call.out.integer(due as i64);
        }
    }
}

const EMPTY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues \
    detector can't be used in these conditions. Please, leave for your mission on Earth and fill \
    it with some data. The new Sam and I will be back to our programming as soon as I finished \
    rebooting.\n";
const HEALTHY: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account \
    for what occurs on this base.\n";
const ISSUES: &str = "Sam, I detected a few issues in this Redis instance memory implants:\n\n";
const PEAK: &str = " * Peak memory: In the past this instance used more than 150% the memory that \
    is currently using. The allocator is normally not able to release memory after a peak, so you \
    can expect to see a big fragmentation ratio, however this is actually harmless and is only due \
    to the memory peak, and if the Redis instance Resident Set Size (RSS) is currently bigger than \
    expected, the memory will be used as soon as you fill the Redis instance with more data. If \
    the memory peak was only occasional and you want to try to reclaim memory, please try the \
    MEMORY PURGE command, otherwise the only other option is to shutdown and restart the \
    instance.\n\n";
const CLIENTS: &str = " * Big client buffers: The clients output buffers in this instance are \
    greater than 200K per client (on average). This may result from different causes, like Pub/Sub \
    clients subscribed to channels bot not receiving data fast enough, so that data piles on the \
    Redis instance output buffer, or clients sending commands with large replies or very large \
    sequences of commands in the same pipeline. Please use the CLIENT LIST command in order to \
    investigate the issue if it causes problems in your instance, or to understand better why \
    certain clients are using a big amount of memory.\n\n";
const REGARDS: &str = "I'm here to keep you safe, Sam. I want to help you.\n";

/// Below this, shares of memory mean nothing.
const DIAGNOSED_BYTES_MIN: usize = 5 << 20;
const CLIENT_BYTES_BIG: usize = 200 << 10;

/// Looks for what can be seen from here: a peak long past, and clients that take much.
fn doctor(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let memory = Memory::measure(call.env, call.keys);
    let used = memory.used_bytes();
    let mut issues = String::new();
    if memory.peak_bytes > used + used / 2 {
        issues.push_str(PEAK);
    }
    if memory.client_bytes / call.env.sessions.len().max(1) > CLIENT_BYTES_BIG {
        issues.push_str(CLIENTS);
    }
    let report = match issues.as_str() {
        _ if used < DIAGNOSED_BYTES_MIN => EMPTY.to_owned(),
        "" => HEALTHY.to_owned(),
        issues => format!("{ISSUES}{issues}{REGARDS}"),
    };
    call.out.verbatim(b"txt", report.as_bytes());
    Ok(())
}
