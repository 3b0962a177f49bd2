//! The string family: GET, SET and their like. How strings lie in memory is `value::string`'s.

mod compare;
mod counter;
mod lcs;
mod read;
mod write;

use super::call::Call;
use super::table::{Command, Deprecation, Group, flag, key_use};
use crate::error::Error;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "append",
        summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        since: "2.0.0",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is \
                     small and the already present value is of any size, since the dynamic string \
                     library used by Redis will double the free space available on every \
                     reallocation.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key value",
        keys: &[key_use::RW | key_use::INSERT],
        handler: write::append,
        ..Command::DEFAULT
    },
    Command {
        name: "decr",
        summary: "Decrements the integer value of a key by one. Uses 0 as initial value if the \
                  key doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::decr,
        ..Command::DEFAULT
    },
    Command {
        name: "decrby",
        summary: "Decrements a number from the integer value of a key. Uses 0 as initial value if \
                  the key doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key decrement:integer",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::decrby,
        ..Command::DEFAULT
    },
    Command {
        name: "delex",
        summary: "Conditionally removes the specified key based on value or digest comparison.",
        since: "8.4.0",
        complexity: "O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string \
                     value.",
        group: Group::String,
        flags: flag::WRITE | flag::FAST,
        grammar: "key condition=[IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE \
                  ifdne-digest]",
        keys: &[key_use::RW | key_use::DELETE | key_use::VARIABLE_FLAGS],
        find_keys: Some(compare::keys_of_delex),
        handler: compare::delex,
        ..Command::DEFAULT
    },
    Command {
        name: "delifeq",
        summary: "Delete key if value matches string.",
        since: "9.0.0",
        group: Group::String,
        flags: flag::WRITE,
        grammar: "key value",
        keys: &[key_use::RM | key_use::ACCESS | key_use::DELETE],
        handler: compare::delifeq,
        ..Command::DEFAULT
    },
    Command {
        name: "digest",
        summary: "Returns the XXH3 hash of a string value.",
        since: "8.4.0",
        complexity: "O(N) where N is the length of the string value.",
        group: Group::String,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: compare::digest_command,
        ..Command::DEFAULT
    },
    Command {
        name: "get",
        summary: "Returns the string value of a key.",
        group: Group::String,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::get,
        ..Command::DEFAULT
    },
    Command {
        name: "getdel",
        summary: "Returns the string value of a key after deleting the key.",
        since: "6.2.0",
        group: Group::String,
        flags: flag::WRITE | flag::FAST,
        grammar: "key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: read::getdel,
        ..Command::DEFAULT
    },
    Command {
        name: "getex",
        summary: "Returns the string value of a key after setting its expiration time.",
        since: "6.2.0",
        group: Group::String,
        flags: flag::WRITE | flag::FAST,
        grammar: "key expiration=[EX seconds:integer | PX milliseconds:integer | EXAT \
                  unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        key_notes: &["RW and UPDATE because it changes the TTL"],
        handler: read::getex,
        ..Command::DEFAULT
    },
    Command {
        name: "getrange",
        summary: "Returns a substring of the string stored at a key.",
        since: "2.4.0",
        complexity: RANGE_COMPLEXITY,
        group: Group::String,
        flags: flag::READONLY,
        grammar: "key start:integer end:integer",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::getrange,
        ..Command::DEFAULT
    },
    Command {
        name: "getset",
        summary: "Returns the previous string value of a key after setting it to a new value.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key value",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`SET` with the `!GET` argument",
        }),
        handler: write::getset,
        ..Command::DEFAULT
    },
    Command {
        name: "incr",
        summary: "Increments the integer value of a key by one. Uses 0 as initial value if the \
                  key doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::incr,
        ..Command::DEFAULT
    },
    Command {
        name: "incrby",
        summary: "Increments the integer value of a key by a number. Uses 0 as initial value if \
                  the key doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key increment:integer",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::incrby,
        ..Command::DEFAULT
    },
    Command {
        name: "incrbyfloat",
        summary: "Increment the floating point value of a key by a number. Uses 0 as initial \
                  value if the key doesn't exist.",
        since: "2.6.0",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key increment:double",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::incrbyfloat,
        ..Command::DEFAULT
    },
    Command {
        name: "lcs",
        summary: "Finds the longest common substring.",
        since: "7.0.0",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        group: Group::String,
        flags: flag::READONLY,
        grammar: "key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
        keys: &[key_use::RO | key_use::ACCESS, key_use::RO | key_use::ACCESS],
        handler: lcs::lcs,
        ..Command::DEFAULT
    },
    Command {
        name: "mget",
        summary: "Atomically returns the string values of one or more keys.",
        complexity: "O(N) where N is the number of keys to retrieve.",
        group: Group::String,
        flags: flag::READONLY | flag::FAST,
        tips: &["request_policy:multi_shard"],
        grammar: "key...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::mget,
        ..Command::DEFAULT
    },
    Command {
        name: "mset",
        summary: "Atomically creates or modifies the string values of one or more keys.",
        since: "1.0.1",
        complexity: "O(N) where N is the number of keys to set.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        grammar: "data=(key value)...",
        keys: &[key_use::OW | key_use::UPDATE],
        handler: write::mset,
        ..Command::DEFAULT
    },
    Command {
        name: "msetex",
        summary: "Atomically sets multiple string keys with a shared expiration in a single \
                  operation. Supports flexible argument parsing where condition and expiration \
                  flags can appear in any order.",
        since: "8.4.0",
        complexity: "O(N) where N is the number of keys to set.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        grammar: "numkeys:integer data=(key value)... condition=[NX | XX] expiration=[EX \
                  seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | \
                  PXAT unix-time-milliseconds:unix-time | KEEPTTL]",
        keys: &[key_use::OW | key_use::UPDATE],
        handler: write::msetex,
        ..Command::DEFAULT
    },
    Command {
        name: "msetnx",
        summary: "Atomically modifies the string values of one or more keys only when all keys \
                  don't exist.",
        since: "1.0.1",
        complexity: "O(N) where N is the number of keys to set.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "data=(key value)...",
        keys: &[key_use::OW | key_use::INSERT],
        handler: write::msetnx,
        ..Command::DEFAULT
    },
    Command {
        name: "psetex",
        summary: "Sets both string value and expiration time in milliseconds of a key. The key is \
                  created if it doesn't exist.",
        since: "2.6.0",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key milliseconds:integer value",
        keys: &[key_use::OW | key_use::UPDATE],
        handler: write::psetex,
        ..Command::DEFAULT
    },
    Command {
        name: "set",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it \
                  doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key value condition=[NX@2.6.12 | XX@2.6.12 | IFEQ comparison-value@8.1.0 | \
                  IFNE ifne-value@8.4.0 | IFDEQ ifdeq-digest@8.4.0 | IFDNE \
                  ifdne-digest@8.4.0] [GET@6.2.0] expiration=[EX seconds:integer@2.6.12 | PX \
                  milliseconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0 | PXAT \
                  unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE | key_use::VARIABLE_FLAGS],
        key_notes: &["RW and ACCESS due to the optional `GET` argument"],
        find_keys: Some(write::keys_of_set),
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
            ("8.1.0", "Added the `IFEQ` option."),
            ("8.4.0", "Added the `IFNE`, `IFDEQ` and `IFDNE` options."),
        ],
        handler: write::set,
        ..Command::DEFAULT
    },
    Command {
        name: "setex",
        summary: "Sets the string value and expiration time of a key. Creates the key if it \
                  doesn't exist.",
        since: "2.0.0",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key seconds:integer value",
        keys: &[key_use::OW | key_use::UPDATE],
        handler: write::setex,
        ..Command::DEFAULT
    },
    Command {
        name: "setnx",
        summary: "Set the string value of a key only when the key doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key value",
        keys: &[key_use::OW | key_use::INSERT],
        handler: write::setnx,
        ..Command::DEFAULT
    },
    Command {
        name: "setrange",
        summary: "Overwrites a part of a string value with another by an offset. Creates the key \
                  if it doesn't exist.",
        since: "2.2.0",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, \
                     this string is very small so the amortized complexity is O(1). Otherwise, \
                     complexity is O(M) with M being the length of the value argument.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key offset:integer value",
        keys: &[key_use::RW | key_use::UPDATE],
        handler: write::setrange,
        ..Command::DEFAULT
    },
    Command {
        name: "strlen",
        summary: "Returns the length of a string value.",
        since: "2.2.0",
        group: Group::String,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: read::strlen,
        ..Command::DEFAULT
    },
    Command {
        name: "substr",
        summary: "Returns a substring from a string value.",
        complexity: RANGE_COMPLEXITY,
        group: Group::String,
        flags: flag::READONLY,
        grammar: "key start:integer end:integer",
        keys: &[key_use::RO | key_use::ACCESS],
        deprecated: Some(Deprecation { since: "2.0.0", replaced_by: "`GETRANGE`" }),
        handler: read::getrange,
        ..Command::DEFAULT
    },
];

const RANGE_COMPLEXITY: &str = "O(N) where N is the length of the returned string. The \
                                 complexity is ultimately determined by the returned length, but \
                                 because creating a substring from an existing string is very \
                                 cheap, it can be considered O(1) for small strings.";

/// How long a string may grow, in bytes: `proto-max-bulk-len`.
pub(super) fn len_max(call: &Call<'_, '_>) -> u64 {
    call.env.config.proto_max_bulk_len() as u64
}

/// Refuses to let a string of `len` bytes grow by `more`.
fn check_len(call: &Call<'_, '_>, len: u64, more: usize) -> Result<(), Error> {
    if len.saturating_add(more as u64) > len_max(call) {
        return Err(Error::err("string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    Ok(())
}
