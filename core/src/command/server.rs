//! The engine as a server: its size, its databases, its clock. INFO, CONFIG, MEMORY, LATENCY,
//! SLOWLOG, DEBUG and LOLWUT have files of their own.

use super::call::Call;
use super::connection::{existing_database, parse_database};
use super::table::{Command, Group, category, flag};
use super::{config_command, debug, info, latency, lolwut, memory_command, monitor, slow_log};
use crate::error::{Error, ErrorKind};

pub(super) const COMMANDS: &[Command] = &[
    config_command::CONFIG,
    Command {
        name: "dbsize",
        summary: "Returns the number of keys in the database.",
        group: Group::Server,
        flags: flag::READONLY | flag::FAST,
        categories: Some(category::KEYSPACE),
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        handler: dbsize,
        ..Command::DEFAULT
    },
    debug::DEBUG,
    Command {
        name: "flushall",
        summary: "Removes all keys from all databases.",
        complexity: "O(N) where N is the total number of keys in all databases",
        group: Group::Server,
        flags: flag::WRITE,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        grammar: "flush-type=[ASYNC@4.0.0 | SYNC@6.2.0]",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        handler: flushall,
        ..Command::DEFAULT
    },
    Command {
        name: "flushdb",
        summary: "Remove all keys from the current database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        group: Group::Server,
        flags: flag::WRITE,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        grammar: "flush-type=[ASYNC@4.0.0 | SYNC@6.2.0]",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        handler: flushdb,
        ..Command::DEFAULT
    },
    info::INFO,
    latency::LATENCY,
    lolwut::LOLWUT,
    monitor::MONITOR,
    memory_command::MEMORY,
    slow_log::SLOWLOG,
    Command {
        name: "swapdb",
        summary: "Swaps two Redis databases.",
        since: "4.0.0",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both \
                     databases.",
        group: Group::Server,
        flags: flag::WRITE | flag::FAST,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        grammar: "index1:integer index2:integer",
        handler: swapdb,
        ..Command::DEFAULT
    },
    Command {
        name: "time",
        summary: "Returns the server time.",
        since: "2.6.0",
        group: Group::Server,
        flags: flag::LOADING | flag::STALE | flag::FAST,
        tips: &["nondeterministic_output"],
        handler: time,
        ..Command::DEFAULT
    },
];

/// How much is freed between two looks at the lock of what waits to be freed.
const FREE_STEP: usize = 4096;

fn dbsize(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let keys = call.keys.count(call.client.db);
    call.out.integer(keys as i64);
    Ok(())
}

fn flushdb(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let db = call.client.db;
    flush(call, db..db + 1)
}

fn flushall(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let databases = call.keys.keyspace().databases();
    flush(call, 0..databases)
}

/// Empties databases under all locks, so that no other caller sees a part of it. What was in them
/// is freed by and by, or before the reply if that is asked for.
fn flush(call: &mut Call<'_, '_>, databases: std::ops::Range<usize>) -> Result<(), Error> {
    let by_and_by = match call.arguments() {
        [] => call.env.config.lazy_user_flush(),
        [word] if word.eq_ignore_ascii_case(b"async") => true,
        [word] if word.eq_ignore_ascii_case(b"sync") => false,
        _ => return Err(Error::SYNTAX),
    };
    call.keys.with_all(|keys| {
        databases.for_each(|db| {
            keys.flush(db);
        });
        call.env.invalidate_all(keys.unix_ms());
    });
    if !by_and_by {
        free_all(call);
    }
    call.out.ok();
    Ok(())
}

/// Frees everything that waits to be freed.
pub(super) fn free_all(call: &Call<'_, '_>) {
    while call.keys.keyspace().free_some(FREE_STEP) {}
}

const IN_FLIGHT: Error = Error::fixed(ErrorKind::TryAgain, "Keys are on their way to another node");

fn swapdb(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let one = parse_database(call.words[1], Error::err("invalid first DB index"))?;
    let other = parse_database(call.words[2], Error::err("invalid second DB index"))?;
    let (one, other) = (existing_database(call, one)?, existing_database(call, other)?);
    let in_flight = &call.env.in_flight;
    call.keys.with_all(|keys| {
        // What MIGRATE has sent is deleted by its name when it has arrived.
        if in_flight.any() {
            return Err(IN_FLIGHT);
        }
        keys.swap_databases(one, other);
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}

fn time(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    call.out.array(2);
    call.out.bulk((now_ms / 1000).to_string().as_bytes());
    call.out.bulk((now_ms % 1000 * 1000).to_string().as_bytes());
    Ok(())
}
