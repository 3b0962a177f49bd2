//! The hash family: HSET, HGET and their like. How hashes lie in memory is `value::hash`'s.

mod counter;
mod expire;
mod expire_arguments;
mod expiring_values;
mod random;
mod read;
mod write;

use super::table::{Command, Deprecation, Group, flag, key_use};

/// The lists of the files of this family.
pub(super) const COMMANDS: [&[Command]; 3] = [BASIC, expire::COMMANDS, expiring_values::COMMANDS];

const BASIC: &[Command] = &[
    Command {
        name: "hdel",
        summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no \
                  fields remain.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields to be removed.",
        group: Group::Hash,
        flags: flag::WRITE | flag::FAST,
        grammar: "key field...",
        keys: &[key_use::RW | key_use::DELETE],
        history: &[("2.4.0", "Accepts multiple `field` arguments.")],
        handler: write::hdel,
        ..Command::DEFAULT
    },
    Command {
        name: "hexists",
        summary: "Determines whether a field exists in a hash.",
        since: "2.0.0",
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key field",
        keys: &[key_use::RO],
        handler: read::hexists,
        ..Command::DEFAULT
    },
    Command {
        name: "hget",
        summary: "Returns the value of a field in a hash.",
        since: "2.0.0",
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key field",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::hget,
        ..Command::DEFAULT
    },
    Command {
        name: "hgetall",
        summary: "Returns all fields and values in a hash.",
        since: "2.0.0",
        complexity: SIZE_COMPLEXITY,
        group: Group::Hash,
        flags: flag::READONLY,
        tips: &["nondeterministic_output_order"],
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::hgetall,
        ..Command::DEFAULT
    },
    Command {
        name: "hincrby",
        summary: "Increments the integer value of a field in a hash by a number. Uses 0 as initial \
                  value if the field doesn't exist.",
        since: "2.0.0",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key field increment:integer",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::hincrby,
        ..Command::DEFAULT
    },
    Command {
        name: "hincrbyfloat",
        summary: "Increments the floating point value of a field by a number. Uses 0 as initial value \
                  if the field doesn't exist.",
        since: "2.6.0",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key field increment:double",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: counter::hincrbyfloat,
        ..Command::DEFAULT
    },
    Command {
        name: "hkeys",
        summary: "Returns all fields in a hash.",
        since: "2.0.0",
        complexity: SIZE_COMPLEXITY,
        group: Group::Hash,
        flags: flag::READONLY,
        tips: &["nondeterministic_output_order"],
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::hkeys,
        ..Command::DEFAULT
    },
    Command {
        name: "hlen",
        summary: "Returns the number of fields in a hash.",
        since: "2.0.0",
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: read::hlen,
        ..Command::DEFAULT
    },
    Command {
        name: "hmget",
        summary: "Returns the values of all fields in a hash.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields being requested.",
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key field...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::hmget,
        ..Command::DEFAULT
    },
    Command {
        name: "hmset",
        summary: "Sets the values of multiple fields.",
        since: "2.0.0",
        complexity: "O(N) where N is the number of fields being set.",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key data=(field value)...",
        keys: &[key_use::RW | key_use::UPDATE],
        deprecated: Some(Deprecation {
            since: "4.0.0",
            replaced_by: "`HSET` with multiple field-value pairs",
        }),
        handler: write::hmset,
        ..Command::DEFAULT
    },
    Command {
        name: "hrandfield",
        summary: "Returns one or more random fields from a hash.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of fields returned",
        group: Group::Hash,
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key [options=(count:integer [WITHVALUES])]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: random::hrandfield,
        ..Command::DEFAULT
    },
    Command {
        name: "hscan",
        summary: "Iterates over fields and values of a hash.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command \
                     calls for the cursor to return back to 0. N is the number of elements inside \
                     the collection.",
        group: Group::Hash,
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] \
                  [NOVALUES@7.4.0]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("7.4.0", "Added the `NOVALUES` flag.")],
        handler: read::hscan,
        ..Command::DEFAULT
    },
    Command {
        name: "hset",
        summary: "Creates or modifies the value of a field in a hash.",
        since: "2.0.0",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs \
                     when the command is called with multiple field/value pairs.",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key data=(field value)...",
        keys: &[key_use::RW | key_use::UPDATE],
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
        handler: write::hset,
        ..Command::DEFAULT
    },
    Command {
        name: "hsetnx",
        summary: "Sets the value of a field in a hash only when the field doesn't exist.",
        since: "2.0.0",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key field value",
        keys: &[key_use::RW | key_use::INSERT],
        handler: write::hsetnx,
        ..Command::DEFAULT
    },
    Command {
        name: "hstrlen",
        summary: "Returns the length of the value of a field.",
        since: "3.2.0",
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key field",
        keys: &[key_use::RO],
        handler: read::hstrlen,
        ..Command::DEFAULT
    },
    Command {
        name: "hvals",
        summary: "Returns all values in a hash.",
        since: "2.0.0",
        complexity: SIZE_COMPLEXITY,
        group: Group::Hash,
        flags: flag::READONLY,
        tips: &["nondeterministic_output_order"],
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::hvals,
        ..Command::DEFAULT
    },
];

const SIZE_COMPLEXITY: &str = "O(N) where N is the size of the hash.";
