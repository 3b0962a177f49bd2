//! The command table: one entry per command, in its family's file. Everything else that is known
//! of a command follows from its entry.

use super::call::Call;
use super::grammar::{self, Argument, Width};
use super::key_spec::{self, KeyPlaces, KeySpec};
pub(crate) use super::lookup::{find, lookup};
use crate::error::Error;
use crate::resp::ReplySink;
use smallvec::SmallVec;
use std::sync::OnceLock;

/// Carries out a command.
pub(crate) type Handler = fn(&mut Call<'_, '_>) -> Result<(), Error>;

/// Finds the keys among the words of a request. None if the words do not fit.
pub(crate) type FindKeys = fn(&[&[u8]]) -> Option<KeyPlaces>;

/// What a command is about, as COMMAND DOCS groups it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    Hyperloglog,
    List,
    Pubsub,
    Scripting,
    Server,
    Set,
    Stream,
    SortedSet,
    String,
    Transactions,
}

impl Group {
    /// The name that COMMAND DOCS prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::Hyperloglog => "hyperloglog",
            Self::List => "list",
            Self::Pubsub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::Stream => "stream",
            Self::SortedSet => "sorted-set",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }

    /// The [`category`]s of its commands, unless their entries say others.
    fn categories(self) -> u32 {
        match self {
            Self::Bitmap => category::BITMAP,
            Self::Cluster | Self::Pubsub | Self::Server => 0,
            Self::Connection => category::CONNECTION,
            Self::Generic => category::KEYSPACE,
            Self::Geo => category::GEO,
            Self::Hash => category::HASH,
            Self::Hyperloglog => category::HYPERLOGLOG,
            Self::Scripting => category::SCRIPTING,
            Self::Set => category::SET,
            Self::Stream => category::STREAM,
            Self::List => category::LIST,
            Self::SortedSet => category::SORTEDSET,
            Self::String => category::STRING,
            Self::Transactions => category::TRANSACTION,
        }
    }
}

/// Properties of a command, named as COMMAND INFO prints them.
pub(crate) mod flag {
    pub(crate) const WRITE: u32 = 1 << 0;
    pub(crate) const READONLY: u32 = 1 << 1;
    pub(crate) const DENYOOM: u32 = 1 << 2;
    pub(crate) const ADMIN: u32 = 1 << 3;
    pub(crate) const PUBSUB: u32 = 1 << 4;
    pub(crate) const NOSCRIPT: u32 = 1 << 5;
    pub(crate) const BLOCKING: u32 = 1 << 6;
    pub(crate) const LOADING: u32 = 1 << 7;
    pub(crate) const STALE: u32 = 1 << 8;
    pub(crate) const SKIP_MONITOR: u32 = 1 << 9;
    pub(crate) const SKIP_SLOWLOG: u32 = 1 << 10;
    pub(crate) const ASKING: u32 = 1 << 11;
    pub(crate) const FAST: u32 = 1 << 12;
    pub(crate) const NO_AUTH: u32 = 1 << 13;
    pub(crate) const NO_MULTI: u32 = 1 << 15;
    pub(crate) const ALLOW_BUSY: u32 = 1 << 16;
    pub(crate) const NO_ASYNC_LOADING: u32 = 1 << 17;
    pub(crate) const NO_MANDATORY_KEYS: u32 = 1 << 18;
    pub(crate) const MOVABLEKEYS: u32 = 1 << 19;
    /// Replies are pushes, which CLIENT REPLY does not silence. COMMAND INFO does not print it.
    pub(crate) const ANSWERS_BY_PUSH: u32 = 1 << 20;
    /// It may wait for another node. COMMAND INFO does not print it.
    pub(crate) const ASKS_PEERS: u32 = 1 << 21;
    /// It runs scripts or changes them, so that it takes its turn before any shard is locked.
    pub(crate) const RUNS_SCRIPTS: u32 = 1 << 22;

    /// The names in the order in which they are printed.
    pub(crate) const NAMES: &[(u32, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLEKEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// What a command does with a key, named as key specifications print it.
pub(crate) mod key_use {
    pub(crate) const RO: u16 = 1 << 0;
    pub(crate) const RW: u16 = 1 << 1;
    pub(crate) const OW: u16 = 1 << 2;
    pub(crate) const RM: u16 = 1 << 3;
    pub(crate) const ACCESS: u16 = 1 << 4;
    pub(crate) const UPDATE: u16 = 1 << 5;
    pub(crate) const INSERT: u16 = 1 << 6;
    pub(crate) const DELETE: u16 = 1 << 7;
    pub(crate) const NOT_KEY: u16 = 1 << 8;
    pub(crate) const INCOMPLETE: u16 = 1 << 9;
    pub(crate) const VARIABLE_FLAGS: u16 = 1 << 10;

    /// The names in the order in which they are printed.
    pub(crate) const NAMES: &[(u16, &str)] = &[
        (RO, "RO"),
        (RW, "RW"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (INCOMPLETE, "incomplete"),
        (VARIABLE_FLAGS, "variable_flags"),
    ];
}

/// Classes of commands that access control knows, named as COMMAND INFO prints them. Most follow
/// from a command's flags and group.
pub(crate) mod category {
    pub(crate) const KEYSPACE: u32 = 1 << 0;
    pub(crate) const READ: u32 = 1 << 1;
    pub(crate) const WRITE: u32 = 1 << 2;
    pub(crate) const SET: u32 = 1 << 3;
    pub(crate) const SORTEDSET: u32 = 1 << 4;
    pub(crate) const LIST: u32 = 1 << 5;
    pub(crate) const HASH: u32 = 1 << 6;
    pub(crate) const STRING: u32 = 1 << 7;
    pub(crate) const BITMAP: u32 = 1 << 8;
    pub(crate) const HYPERLOGLOG: u32 = 1 << 9;
    pub(crate) const GEO: u32 = 1 << 10;
    pub(crate) const STREAM: u32 = 1 << 11;
    pub(crate) const PUBSUB: u32 = 1 << 12;
    pub(crate) const ADMIN: u32 = 1 << 13;
    pub(crate) const FAST: u32 = 1 << 14;
    pub(crate) const SLOW: u32 = 1 << 15;
    pub(crate) const BLOCKING: u32 = 1 << 16;
    pub(crate) const DANGEROUS: u32 = 1 << 17;
    pub(crate) const CONNECTION: u32 = 1 << 18;
    pub(crate) const TRANSACTION: u32 = 1 << 19;
    pub(crate) const SCRIPTING: u32 = 1 << 20;

    /// The names in the order in which they are printed.
    pub(crate) const NAMES: &[(u32, &str)] = &[
        (KEYSPACE, "keyspace"),
        (READ, "read"),
        (WRITE, "write"),
        (SET, "set"),
        (SORTEDSET, "sortedset"),
        (LIST, "list"),
        (HASH, "hash"),
        (STRING, "string"),
        (BITMAP, "bitmap"),
        (HYPERLOGLOG, "hyperloglog"),
        (GEO, "geo"),
        (STREAM, "stream"),
        (PUBSUB, "pubsub"),
        (ADMIN, "admin"),
        (FAST, "fast"),
        (SLOW, "slow"),
        (BLOCKING, "blocking"),
        (DANGEROUS, "dangerous"),
        (CONNECTION, "connection"),
        (TRANSACTION, "transaction"),
        (SCRIPTING, "scripting"),
    ];
}

/// Since when a command is not the one to use, and which is.
#[derive(Debug)]
pub(crate) struct Deprecation {
    pub(crate) since: &'static str,
    pub(crate) replaced_by: &'static str,
}

/// One command as its family's file states it.
#[derive(Debug)]
pub(crate) struct Command {
    /// In lower case, as COMMAND prints it; a subcommand's own word only.
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// The Redis version that brought it.
    pub(crate) since: &'static str,
    /// How the work grows, as COMMAND DOCS prints it; empty if nothing is said of it.
    pub(crate) complexity: &'static str,
    pub(crate) group: Group,
    /// A union of [`flag`]s.
    pub(crate) flags: u32,
    /// The union of [`category`]s that is used in place of the group's; those that follow from the
    /// flags are added to either.
    pub(crate) categories: Option<u32>,
    /// What clients should know, as COMMAND INFO prints it.
    pub(crate) tips: &'static [&'static str],
    /// The arguments, as Redis's documentation writes them.
    pub(crate) grammar: &'static str,
    /// For each key argument of the grammar, a union of [`key_use`]s.
    pub(crate) keys: &'static [u16],
    /// For each key argument of the grammar, a remark on its use; the last ones may be left out.
    pub(crate) key_notes: &'static [&'static str],
    /// The key specifications, if the grammar cannot express them; then `keys` is empty.
    pub(crate) key_specs: &'static [KeySpec],
    /// Finds the keys of a request, if the key specifications cannot, or not how each is used.
    pub(crate) find_keys: Option<FindKeys>,
    /// Whether a request reads keys whose names are made of values.
    pub(crate) reads_keys_by_value: fn(&[&[u8]]) -> bool,
    /// How many words there may be, if the grammar tells it wrong; negative for "at least".
    pub(crate) arity: Option<i32>,
    pub(crate) subcommands: &'static [Command],
    /// The lines that a container's HELP prints between its first line and its last two.
    pub(crate) help: &'static [&'static str],
    /// The versions that changed the command, with what they changed.
    pub(crate) history: &'static [(&'static str, &'static str)],
    pub(crate) deprecated: Option<Deprecation>,
    /// Whether it is there for the server's own use.
    pub(crate) internal: bool,
    pub(crate) handler: Handler,
}

impl Command {
    /// What an entry leaves out: `Command { name: ..., ..Command::DEFAULT }`.
    pub(crate) const DEFAULT: Self = Self {
        name: "",
        summary: "",
        since: "1.0.0",
        complexity: "O(1)",
        group: Group::Generic,
        flags: 0,
        categories: None,
        tips: &[],
        grammar: "",
        keys: &[],
        key_notes: &[],
        key_specs: &[],
        find_keys: None,
        reads_keys_by_value: |_| false,
        arity: None,
        subcommands: &[],
        help: &[],
        history: &[],
        deprecated: None,
        internal: false,
        handler: container,
    };

    /// What the entry of a command that only holds subcommands leaves out.
    pub(crate) const CONTAINER: Self =
        Self { complexity: "Depends on subcommand.", ..Self::DEFAULT };

    /// The HELP of a container, which prints the container's `help`. An entry adds `since` and
    /// `group`.
    pub(crate) const HELP: Self = Self {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        flags: flag::LOADING | flag::STALE,
        handler: help,
        ..Self::DEFAULT
    };
}

/// The handler of commands that only hold subcommands. They take two words at least, which lookup
/// checks, and the second chooses another handler.
fn container(call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::arity(&call.spec.name))
}

fn help(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let container = call.spec.container.expect("HELP is a subcommand");
    write_help(call.out, container.name, container.help);
    Ok(())
}

/// Writes what the HELP of a command with subcommands prints.
pub(crate) fn write_help(out: &mut dyn ReplySink, name: &str, lines: &[&str]) {
    let name = name.to_ascii_uppercase();
    out.array(lines.len() + 3);
    out.status(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| out.status(line));
    out.status("HELP");
    out.status("    Prints this help.");
}

/// A command with what follows from its entry.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) command: &'static Command,
    /// The name in full, as errors and COMMAND print it: `get`, `config|get`.
    pub(crate) name: Box<str>,
    /// The command whose subcommand this is.
    pub(crate) container: Option<&'static Command>,
    pub(crate) subcommands: Vec<Self>,
    /// How many words, those of the name included; negative for "at least".
    pub(crate) arity: i32,
    /// The entry's flags and those that follow from the keys.
    pub(crate) flags: u32,
    /// A union of [`category`]s.
    pub(crate) categories: u32,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) key_specs: Vec<KeySpec>,
    /// Where the keys are: the first, the last (from the end if negative), the step. All zero
    /// without keys that one range describes.
    pub(crate) key_range: (i32, i32, i32),
    /// Its number among all commands and subcommands, from zero on.
    pub(crate) id: usize,
    /// Whether its work does not grow with what a key holds, or hardly.
    pub(crate) is_brief: bool,
    single_key: Option<usize>,
}

impl Spec {
    fn derive(command: &'static Command, container: Option<&'static Command>) -> Self {
        let name = container.map_or(command.name.into(), |container| {
            format!("{}|{}", container.name, command.name).into()
        });
        Self::try_derive(command, container, name)
            .unwrap_or_else(|fault| panic!("the entry of {:?}: {fault}", command.name))
    }

    fn try_derive(
        command: &'static Command,
        container: Option<&'static Command>,
        name: Box<str>,
    ) -> Result<Self, String> {
        let own_words = if container.is_some() { 2 } else { 1 };
        let mut arguments = grammar::parse(command.grammar)?;
        let arity = arity(command, own_words, Width::of(&arguments));
        let key_specs = if command.key_specs.is_empty() {
            key_spec::derive(&mut arguments, own_words, command.keys, command.key_notes)?
        } else {
            command.key_specs.to_vec()
        };
        let movable = key_spec::is_movable(&key_specs);
        let flags = command.flags | if movable { flag::MOVABLEKEYS } else { 0 };
        let subcommands = command.subcommands.iter();
        Ok(Self {
            command,
            name,
            container,
            subcommands: subcommands.map(|one| Self::derive(one, Some(command))).collect(),
            arity,
            flags,
            categories: categories(command),
            arguments,
            key_range: key_spec::legacy_range(&key_specs),
            is_brief: flags & flag::FAST != 0 || command.complexity.starts_with("O(1)"),
            single_key: single_key(flags, &key_specs),
            id: 0,
            key_specs,
        })
    }

    /// The numbers of the command and of its subcommands.
    fn ids(&mut self) -> impl Iterator<Item = &mut usize> {
        std::iter::once(&mut self.id).chain(self.subcommands.iter_mut().map(|one| &mut one.id))
    }

    /// The place of the key, if the command always has exactly one there. Such commands are run in
    /// batches.
    #[inline]
    pub(crate) fn single_key(&self) -> Option<usize> {
        self.single_key
    }

    /// Whether the command may write to its keys, itself or by a script.
    pub(crate) fn may_write(&self) -> bool {
        let runs = self.flags & flag::RUNS_SCRIPTS != 0 && self.flags & flag::READONLY == 0;
        runs || self.flags & flag::WRITE != 0
    }

    /// Whether the command looks at no keys but those that its words tell, if any.
    pub(crate) fn leaves_keys_alone(&self) -> bool {
        matches!(self.command.group, Group::Connection | Group::Pubsub | Group::Transactions)
    }

    /// Whether it changes whole databases if it has no keys. Libraries of functions are in none.
    pub(crate) fn writes_databases(&self) -> bool {
        self.flags & flag::WRITE != 0 && self.command.group != Group::Scripting
    }

    /// Whether a request of so many words has as many as the command takes.
    #[inline]
    pub(crate) fn takes(&self, words: usize) -> bool {
        let words = words as i32;
        words == self.arity || (self.arity < 0 && words >= -self.arity)
    }

    /// The places of the keys among the words. None if the words do not fit, which the command
    /// itself will answer.
    pub(crate) fn key_places(&self, words: &[&[u8]]) -> SmallVec<[usize; 4]> {
        let found = match self.command.find_keys {
            Some(find) if self.flags & flag::MOVABLEKEYS != 0 => find(words),
            _ => key_spec::places(&self.key_specs, words),
        };
        found.unwrap_or_default().iter().map(|key| key.place).collect()
    }

    /// Whether a request reads keys that are named by values, so that all keys have to be under lock.
    pub(crate) fn reads_keys_by_value(&self, words: &[&[u8]]) -> bool {
        (self.command.reads_keys_by_value)(words)
    }

    /// The keys among the words with what is done with each, as COMMAND GETKEYS tells: where the
    /// key specifications are sure, by them alone. Nothing if the words do not fit.
    pub(crate) fn keys(&self, words: &[&[u8]]) -> Option<KeyPlaces> {
        let is_sure = !self.key_specs.is_empty() && self.key_specs.iter().all(KeySpec::is_sure);
        match self.command.find_keys {
            Some(find) if !is_sure => find(words),
            Some(_) | None => key_spec::places(&self.key_specs, words),
        }
    }
}

fn arity(command: &Command, own_words: usize, arguments: Width) -> i32 {
    let derived = match arguments.fixed() {
        _ if !command.subcommands.is_empty() => -2,
        Some(words) => (own_words + words) as i32,
        None => -((own_words + arguments.min) as i32),
    };
    command.arity.unwrap_or(derived)
}

fn categories(command: &Command) -> u32 {
    let is_container = !command.subcommands.is_empty();
    let own = if is_container { 0 } else { command.group.categories() };
    let own = command.categories.unwrap_or(own);
    let from_flags = [
        (flag::WRITE, category::WRITE),
        (flag::READONLY, category::READ),
        (flag::ADMIN, category::ADMIN | category::DANGEROUS),
        (flag::PUBSUB, category::PUBSUB),
        (flag::FAST, category::FAST),
        (flag::BLOCKING, category::BLOCKING),
    ];
    let implied = from_flags.iter().filter(|(flag, _)| command.flags & flag != 0);
    let all = implied.fold(own, |all, (_, category)| all | category);
    // A script that only reads is no reading command.
    let is_script = own & category::SCRIPTING != 0 && command.flags & flag::READONLY != 0;
    let all = if is_script { all & !category::READ } else { all };
    all | if all & category::FAST == 0 { category::SLOW } else { 0 }
}

fn single_key(flags: u32, specs: &[KeySpec]) -> Option<usize> {
    let [only] = specs else { return None };
    let waits = flag::BLOCKING | flag::ASKS_PEERS;
    if flags & (flag::MOVABLEKEYS | waits) != 0 || !only.is_key() {
        return None;
    }
    only.single_place()
}

/// All commands, in the order of their families.
pub(crate) fn specs() -> &'static [Spec] {
    static SPECS: OnceLock<Vec<Spec>> = OnceLock::new();
    SPECS.get_or_init(|| {
        let commands = FAMILIES.iter().copied().flatten().copied().flatten();
        let mut specs: Vec<Spec> = commands.map(|command| Spec::derive(command, None)).collect();
        let all = specs.iter_mut().flat_map(Spec::ids);
        all.enumerate().for_each(|(number, id)| *id = number);
        specs
    })
}

/// How many commands and subcommands there are.
pub(crate) fn spec_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| all_specs().count())
}

/// All commands and subcommands, in the order of their numbers.
pub(crate) fn all_specs() -> impl Iterator<Item = &'static Spec> {
    specs().iter().flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands))
}

/// The families, each as the lists of its files.
const FAMILIES: &[&[&[Command]]] = &[
    &[super::acl::COMMANDS],
    &[super::bitmap::COMMANDS],
    &[super::blocking::COMMANDS],
    &[super::cluster::COMMANDS],
    &super::codis::COMMANDS,
    &[super::connection::COMMANDS],
    &[super::dump::COMMANDS],
    &[super::geo::COMMANDS],
    &super::hash::COMMANDS,
    &[super::hyperloglog::COMMANDS],
    &[super::introspect::COMMANDS],
    &super::key::COMMANDS,
    &[super::list::COMMANDS],
    &[super::module::COMMANDS],
    &[super::pubsub::COMMANDS],
    &[super::replication::COMMANDS],
    &[super::script::COMMANDS],
    &[super::server::COMMANDS],
    &[super::set::COMMANDS],
    &[super::snapshot::COMMANDS],
    &[super::stream::COMMANDS],
    &[super::sort::COMMANDS],
    &[super::string::COMMANDS],
    &[super::transaction::COMMANDS],
    &[super::zset::COMMANDS],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Spec> {
        all_specs()
    }

    #[test]
    fn every_entry_says_what_it_has_to() {
        for spec in all() {
            let name = spec.command.name;
            assert!(!name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
            assert!(!spec.command.summary.is_empty(), "{name} has no summary");
            let is_container = !spec.subcommands.is_empty();
            assert_eq!(is_container, !spec.command.help.is_empty(), "the help of {name}");
            let help = spec.subcommands.iter().any(|one| one.command.name == "help");
            assert_eq!(is_container, help, "the subcommand HELP of {name}");
        }
    }

    #[test]
    fn numbers_count_all_commands() {
        assert!(all().enumerate().all(|(number, spec)| spec.id == number));
    }

    #[test]
    fn no_two_commands_have_the_same_name() {
        let mut names: Vec<_> = all().map(|spec| &*spec.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn a_single_key_is_there_in_every_request_that_has_enough_words() {
        let mut found = 0;
        for spec in all() {
            let Some(place) = spec.single_key() else { continue };
            found += 1;
            let least = spec.arity.unsigned_abs() as usize;
            assert!(place < least, "{}", spec.name);
            let words = vec![&b"word"[..]; least];
            assert_eq!(spec.key_places(&words)[..], [place], "{}", spec.name);
        }
        assert!(found > 0);
    }

    #[test]
    fn a_command_with_several_keys_has_no_single_one() {
        let spec = |name: &str| all().find(|spec| &*spec.name == name).unwrap();
        assert_eq!(spec("get").single_key(), Some(1));
        assert_eq!(spec("object|freq").single_key(), Some(2));
        for name in ["mget", "mset", "rename", "ping", "command|info"] {
            assert_eq!(spec(name).single_key(), None, "{name}");
        }
    }

    #[test]
    fn a_command_is_either_fast_or_slow() {
        for spec in all() {
            let speed = spec.categories & (category::FAST | category::SLOW);
            assert_eq!(speed.count_ones(), 1, "{}", spec.name);
        }
    }
}
