//! How a value is kept: OBJECT and its subcommands.

use crate::command::call::Call;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::Usage;
use crate::structs::entry::Body;
use crate::value::{self, Record};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "object",
    summary: "A container for object introspection commands.",
    since: "2.2.3",
    group: Group::Generic,
    subcommands: SUBCOMMANDS,
    help: HELP,
    ..Command::CONTAINER
}];

const fn inspecting(name: &'static str) -> Command {
    Command {
        name,
        since: "2.2.3",
        group: Group::Generic,
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key",
        keys: &[key_use::RO],
        ..Command::DEFAULT
    }
}

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Returns the internal encoding of a Redis object.",
        handler: encoding,
        ..inspecting("encoding")
    },
    Command {
        summary: "Returns the logarithmic access frequency counter of a Redis object.",
        since: "4.0.0",
        handler: freq,
        ..inspecting("freq")
    },
    Command { since: "6.2.0", group: Group::Generic, ..Command::HELP },
    Command {
        summary: "Returns the time since the last access to a Redis object.",
        handler: idletime,
        ..inspecting("idletime")
    },
    Command {
        summary: "Returns the reference count of a value of a key.",
        handler: refcount,
        ..inspecting("refcount")
    },
];

const HELP: &[&str] = &[
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
];

const NO_FREQUENCY: Error = Error::err(
    "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const NO_IDLE_TIME: Error = Error::err(
    "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// Redis keeps one object for each integer below this, which all keys share.
const SHARED_INTEGERS: i64 = 10_000;

fn encoding(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    match call.keys.look(&key) {
        Some(record) => call.out.bulk(value::encoding(record).as_bytes()),
        None => call.out.null(),
    }
    Ok(())
}

fn freq(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, now_ms) = (call.key(0), call.time.unix_ms());
    let usage = call.keys.keyspace().usage();
    match call.keys.look(&key) {
        Some(_) if usage == Usage::Recency => return Err(NO_FREQUENCY),
        Some(record) => call.out.integer(usage.counter(record.stamp(), now_ms).into()),
        None => call.out.null(),
    }
    Ok(())
}

fn idletime(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, now_ms) = (call.key(0), call.time.unix_ms());
    let usage = call.keys.keyspace().usage();
    match call.keys.look(&key) {
        Some(_) if usage != Usage::Recency => return Err(NO_IDLE_TIME),
        Some(record) => call.out.integer(Usage::idle_s(record.stamp(), now_ms).into()),
        None => call.out.null(),
    }
    Ok(())
}

fn refcount(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    match call.keys.look(&key) {
        Some(record) => call.out.integer(references(record)),
        None => call.out.null(),
    }
    Ok(())
}

/// Small integers are counted as Redis counts objects that are shared by everybody.
fn references(record: &Record) -> i64 {
    match record.body() {
        Body::Int(0..SHARED_INTEGERS) => i64::from(i32::MAX),
        Body::Int(_) | Body::Bytes(_) | Body::Boxed(_) => 1,
    }
}
