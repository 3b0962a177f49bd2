//! Whether keys exist, of what type they are, and removing them: DEL, UNLINK, EXISTS, TOUCH, TYPE.

use crate::command::call::Call;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::value::Type;

/// A request over many shards is cut up, and the counts of the parts are added.
const COUNTS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "del",
        summary: "Deletes one or more keys.",
        complexity: "O(N) where N is the number of keys that will be removed. When a key to \
                     remove holds a value other than a string, the individual complexity for this \
                     key is O(M) where M is the number of elements in the list, set, sorted set \
                     or hash. Removing a single key that holds a string value is O(1).",
        group: Group::Generic,
        flags: flag::WRITE,
        tips: COUNTS,
        grammar: "key...",
        keys: &[key_use::RM | key_use::DELETE],
        handler: del,
        ..Command::DEFAULT
    },
    Command {
        name: "unlink",
        summary: "Asynchronously deletes one or more keys.",
        since: "4.0.0",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) \
                     work in a different thread in order to reclaim memory, where N is the number \
                     of allocations the deleted objects where composed of.",
        group: Group::Generic,
        flags: flag::WRITE | flag::FAST,
        tips: COUNTS,
        grammar: "key...",
        keys: &[key_use::RM | key_use::DELETE],
        handler: del,
        ..Command::DEFAULT
    },
    Command {
        name: "exists",
        summary: "Determines whether one or more keys exist.",
        complexity: "O(N) where N is the number of keys to check.",
        group: Group::Generic,
        flags: flag::READONLY | flag::FAST,
        tips: COUNTS,
        grammar: "key...",
        keys: &[key_use::RO],
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        handler: exists,
        ..Command::DEFAULT
    },
    Command {
        name: "touch",
        summary: "Returns the number of existing keys out of those specified after updating the \
                  time they were last accessed.",
        since: "3.2.1",
        complexity: "O(N) where N is the number of keys that will be touched.",
        group: Group::Generic,
        flags: flag::READONLY | flag::FAST,
        tips: COUNTS,
        grammar: "key...",
        keys: &[key_use::RO],
        handler: touch,
        ..Command::DEFAULT
    },
    Command {
        name: "type",
        summary: "Determines the type of value stored at a key.",
        group: Group::Generic,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: type_of,
        ..Command::DEFAULT
    },
];

/// Large values are freed by and by in either case, so DEL and UNLINK are one.
fn del(call: &mut Call<'_, '_>) -> Result<(), Error> {
    count(call, |keys, key| {
        let removed = keys.remove(key);
        if removed {
            keys.notify(Event::Generic, "del", key);
        }
        removed
    });
    Ok(())
}

/// A key that is named twice counts twice.
fn exists(call: &mut Call<'_, '_>) -> Result<(), Error> {
    count(call, |keys, key| keys.look(key).is_some());
    Ok(())
}

/// Sets the access clock even for sessions whose reads leave it alone.
fn touch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let no_touch = std::mem::replace(&mut call.keys.no_touch, false);
    count(call, |keys, key| keys.read(key).is_some());
    call.keys.no_touch = no_touch;
    Ok(())
}

fn type_of(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    call.out.status(call.keys.look(&key).map_or("none", |record| Type::of(record).name()));
    Ok(())
}

/// Answers for how many of the keys `work` is true.
fn count(call: &mut Call<'_, '_>, mut work: impl FnMut(&mut Access<'_>, &Key<'_>) -> bool) {
    let count = call.located.iter().filter(|key| work(call.keys, key)).count();
    call.out.integer(count as i64);
}
