//! COMMAND: the table about itself. Everything that it answers follows from the table.

mod docs;
mod info;

use super::call::Call;
use super::glob;
use super::key_spec::{KeyPlace, KeySpec};
use super::names::Names;
use super::table::{Command, Group, Spec, category, flag, key_use};
use crate::error::Error;
use crate::resp::ReplySink;

const TIPS: &[&str] = &["nondeterministic_output_order"];

/// What all entries here have in common.
const COMMON: Command = Command {
    since: "2.8.13",
    group: Group::Server,
    flags: flag::LOADING | flag::STALE,
    categories: Some(category::CONNECTION),
    ..Command::DEFAULT
};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "command",
    summary: "Returns detailed information about all commands.",
    complexity: "O(N) where N is the total number of Redis commands",
    tips: TIPS,
    arity: Some(-1),
    subcommands: SUBCOMMANDS,
    help: HELP,
    handler: command,
    ..COMMON
}];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "count", summary: "Returns a count of commands.", handler: count, ..COMMON },
    Command {
        name: "docs",
        summary: "Returns documentary information about one, multiple or all commands.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of commands to look up",
        tips: TIPS,
        grammar: "[command-name...]",
        handler: docs,
        ..COMMON
    },
    Command {
        name: "getkeys",
        summary: "Extracts the key names from an arbitrary command.",
        complexity: "O(N) where N is the number of arguments to the command",
        grammar: "command [arg...]",
        handler: getkeys,
        ..COMMON
    },
    Command {
        name: "getkeysandflags",
        summary: "Extracts the key names and access flags for an arbitrary command.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of arguments to the command",
        grammar: "command [arg...]",
        handler: getkeysandflags,
        ..COMMON
    },
    Command {
        since: "5.0.0",
        group: Group::Server,
        categories: COMMON.categories,
        ..Command::HELP
    },
    Command {
        name: "info",
        summary: "Returns information about one, multiple or all commands.",
        complexity: "O(N) where N is the number of commands to look up",
        tips: TIPS,
        history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
        grammar: "[command-name...]",
        handler: info,
        ..COMMON
    },
    Command {
        name: "list",
        summary: "Returns a list of command names.",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of Redis commands",
        tips: TIPS,
        grammar: "filterby=[FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
        handler: list,
        ..COMMON
    },
];

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];

fn command(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let specs = call.names().specs();
    info::write_all(call.out, &specs);
    Ok(())
}

fn count(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer(call.names().specs().len() as i64);
    Ok(())
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let names = &call.words[2..];
    if names.is_empty() {
        return command(call);
    }
    call.out.array(names.len());
    for name in names {
        match call.names().by_name(name) {
            Some(spec) => info::write(call.out, spec),
            None => call.out.null(),
        }
    }
    Ok(())
}

fn docs(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let names = &call.words[2..];
    if names.is_empty() {
        let specs = call.names().specs();
        docs::write_all(call.out, specs.into_iter());
    } else {
        let found: Vec<&Spec> =
            names.iter().filter_map(|name| call.names().by_name(name)).collect();
        docs::write_all(call.out, found.into_iter());
    }
    Ok(())
}

/// Which commands COMMAND LIST names.
enum Filter<'a> {
    Any,
    Module,
    Category(u32),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let (by, kind, argument) = match *words {
            [] => return Ok(Self::Any),
            [by, kind, argument] => (by, kind, argument),
            _ => return Err(Error::SYNTAX),
        };
        if !by.eq_ignore_ascii_case(b"filterby") {
            return Err(Error::SYNTAX);
        }
        if kind.eq_ignore_ascii_case(b"module") {
            Ok(Self::Module)
        } else if kind.eq_ignore_ascii_case(b"aclcat") {
            let is_named = |name: &str| name.as_bytes().eq_ignore_ascii_case(argument);
            let found = category::NAMES.iter().find(|(_, name)| is_named(name));
            Ok(Self::Category(found.map_or(0, |&(category, _)| category)))
        } else if kind.eq_ignore_ascii_case(b"pattern") {
            Ok(Self::Pattern(argument))
        } else {
            Err(Error::SYNTAX)
        }
    }

    fn admits(&self, spec: &Spec) -> bool {
        match *self {
            Self::Any => true,
            // No command comes from a module.
            Self::Module => false,
            Self::Category(category) => spec.categories & category != 0,
            Self::Pattern(pattern) => glob::matches_ignoring_case(pattern, spec.name.as_bytes()),
        }
    }
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let filter = Filter::parse(&call.words[2..])?;
    let all = call.names().specs().into_iter();
    let all = all.flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands));
    let admitted: Vec<&Spec> = all.filter(|spec| filter.admits(spec)).collect();
    call.out.array(admitted.len());
    admitted.iter().for_each(|spec| call.out.bulk(spec.name.as_bytes()));
    Ok(())
}

fn getkeys(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let words = &call.words[2..];
    let keys = keys_of(call.names(), words)?;
    call.out.array(keys.len());
    keys.iter().for_each(|key| call.out.bulk(words[key.place]));
    Ok(())
}

fn getkeysandflags(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let words = &call.words[2..];
    let keys = keys_of(call.names(), words)?;
    call.out.array(keys.len());
    for key in keys {
        call.out.array(2);
        call.out.bulk(words[key.place]);
        write_names(call.out, &names(key_use::NAMES, key.uses));
    }
    Ok(())
}

fn keys_of(names: &Names, words: &[&[u8]]) -> Result<Vec<KeyPlace>, Error> {
    let spec = names.find(words).ok_or(Error::err("Invalid command specified"))?;
    if !spec.key_specs.iter().any(KeySpec::is_key) {
        return Err(Error::err("The command has no key arguments"));
    }
    if !spec.takes(words.len()) {
        return Err(Error::err("Invalid number of arguments specified for command"));
    }
    let keys = spec.keys(words).unwrap_or_default();
    let keys: Vec<_> = keys.into_iter().filter(|key| key.uses & key_use::NOT_KEY == 0).collect();
    if keys.is_empty() && spec.flags & flag::NO_MANDATORY_KEYS == 0 {
        return Err(Error::err("Invalid arguments specified for command"));
    }
    Ok(keys)
}

/// The names of the bits that are set.
fn names<T: Copy + Into<u32>>(all: &[(T, &'static str)], set: T) -> Vec<&'static str> {
    let set = set.into();
    all.iter().filter(|(bit, _)| (*bit).into() & set != 0).map(|&(_, name)| name).collect()
}

/// A set of names, each a status.
fn write_names(out: &mut dyn ReplySink, names: &[&str]) {
    out.set(names.len());
    names.iter().for_each(|name| out.status(name));
}
