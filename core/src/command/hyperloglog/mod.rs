//! The HyperLogLog family: strings that count distinct things. How they do is
//! `value::hyperloglog`'s.

mod debug;

use super::call::Call;
use super::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Event, Expiry};
use crate::structs::hyperloglog::Registers;
use crate::value::hyperloglog::{self, Form, HyperLogLog};
use crate::value::string;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "pfadd",
        summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        since: "2.8.9",
        complexity: "O(1) to add every element.",
        group: Group::Hyperloglog,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key [element...]",
        keys: &[key_use::RW | key_use::INSERT],
        handler: pfadd,
        ..Command::DEFAULT
    },
    Command {
        name: "pfcount",
        summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog \
                  key(s).",
        since: "2.8.9",
        complexity: "O(1) with a very small average constant time when called with a single key. \
                     O(N) with N being the number of keys, and much bigger constant times, when \
                     called with multiple keys.",
        group: Group::Hyperloglog,
        flags: flag::READONLY,
        grammar: "key...",
        keys: &[key_use::RW | key_use::ACCESS],
        key_notes: &["RW because it may change the internal representation of the key, and \
                      propagate to replicas"],
        handler: pfcount,
        ..Command::DEFAULT
    },
    Command {
        name: "pfdebug",
        summary: "Internal commands for debugging HyperLogLog values.",
        since: "2.8.9",
        complexity: "N/A",
        group: Group::Hyperloglog,
        flags: flag::WRITE | flag::DENYOOM | flag::ADMIN,
        grammar: "subcommand key",
        keys: &[key_use::RW | key_use::ACCESS],
        internal: true,
        handler: debug::pfdebug,
        ..Command::DEFAULT
    },
    Command {
        name: "pfmerge",
        summary: "Merges one or more HyperLogLog values into a single key.",
        since: "2.8.9",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        group: Group::Hyperloglog,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "destkey:key [sourcekey:key...]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::INSERT, key_use::RO | key_use::ACCESS],
        handler: pfmerge,
        ..Command::DEFAULT
    },
    Command {
        name: "pfselftest",
        summary: "An internal command for testing HyperLogLog values.",
        since: "2.8.9",
        complexity: "N/A",
        group: Group::Hyperloglog,
        flags: flag::ADMIN,
        internal: true,
        handler: debug::pfselftest,
        ..Command::DEFAULT
    },
];

fn pfadd(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let elements = &call.words[2..];
    let len_max = call.env.config.sparse_hyperloglog_bytes();
    let added = call.keys.change(&key, |record| {
        let changes = hyperloglog::add(record, elements, len_max)?;
        Ok::<_, Error>((changes, changes > 0))
    })?;
    let changed = match added {
        Some(added) => added.result,
        None => {
            let mut bytes = hyperloglog::new(elements, len_max)?;
            let body = string::plain_owned(&mut bytes);
            call.keys.put(&key, string::TAG_RAW, body, Expiry::Never);
            true
        }
    };
    if changed {
        call.notify(Event::String, "pfadd", &key);
    }
    call.out.integer(changed.into());
    Ok(())
}

fn pfcount(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let count = match call.located {
        [key] => {
            if call.keys.read(key).is_none() {
                0
            } else {
                let counted = call.keys.change(key, |record| {
                    let (count, is_new) = hyperloglog::count(record)?;
                    Ok::<_, Error>((is_new.into(), count))
                })?;
                counted.map_or(0, |counted| counted.result)
            }
        }
        _ => union(call)?.registers.histogram().estimate(),
    };
    call.out.integer(count as i64);
    Ok(())
}

/// The registers of several keys.
struct Union {
    registers: Registers,
    /// Whether one of the keys has dense registers.
    is_dense: bool,
}

/// Brings together what the keys of a command have met. Those that do not exist have met nothing.
fn union(call: &mut Call<'_, '_>) -> Result<Union, Error> {
    let mut union = Union { registers: Registers::new(), is_dense: false };
    for key in call.located {
        if let Some(record) = call.keys.read(key) {
            let one = HyperLogLog::read(record)?;
            union.is_dense |= matches!(one.form(), Form::Dense(_));
            one.merge_into(&mut union.registers)?;
        }
    }
    Ok(union)
}

fn pfmerge(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let Union { registers, is_dense } = union(call)?;
    let key = call.key(0);
    let len_max = call.env.config.sparse_hyperloglog_bytes();
    let target = call.keys.peek(&key).map(HyperLogLog::read).transpose()?;
    let mut bytes = hyperloglog::raised(target, &registers, is_dense, len_max);
    call.keys.put(&key, string::TAG_RAW, string::plain_owned(&mut bytes), Expiry::Keep);
    call.notify(Event::String, "pfadd", &key);
    call.out.ok();
    Ok(())
}
