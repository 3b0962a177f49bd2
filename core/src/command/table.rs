//! The command table: one entry per command, in its family's file. Everything else that is known
//! of a command follows from its entry.

use super::call::Call;
use crate::error::{Error, ErrorKind};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Carries out a command.
pub(crate) type Handler = fn(&mut Call<'_, '_>) -> Result<(), Error>;

/// What a command is about, as COMMAND DOCS groups it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Cluster,
    Connection,
    Generic,
    Server,
    String,
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
    pub(crate) const MAY_REPLICATE: u32 = 1 << 14;
    pub(crate) const NO_MULTI: u32 = 1 << 15;
    pub(crate) const ALLOW_BUSY: u32 = 1 << 16;
    pub(crate) const NO_ASYNC_LOADING: u32 = 1 << 17;
    pub(crate) const NO_MANDATORY_KEYS: u32 = 1 << 18;
    pub(crate) const MOVABLEKEYS: u32 = 1 << 19;
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
}

/// One command as its family's file states it.
#[derive(Debug)]
pub(crate) struct Command {
    /// In lower case, as COMMAND prints it; a subcommand's own word only.
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// The Redis version that brought it.
    pub(crate) since: &'static str,
    pub(crate) complexity: &'static str,
    pub(crate) group: Group,
    /// A union of [`flag`]s.
    pub(crate) flags: u32,
    /// The arguments, as Redis's documentation writes them.
    pub(crate) grammar: &'static str,
    /// For each key argument of the grammar, a union of [`key_use`]s.
    pub(crate) keys: &'static [u16],
    pub(crate) subcommands: &'static [Command],
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
        grammar: "",
        keys: &[],
        subcommands: &[],
        handler: container,
    };
}

/// The handler of commands that only hold subcommands.
fn container(call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::arity(call.spec.command.name))
}

/// A command with what follows from its entry.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) command: &'static Command,
    /// How many words, the name included; negative for "at least".
    pub(crate) arity: i32,
    /// Where the keys are: the first, the last (from the end if negative), the step. All zero
    /// without keys.
    pub(crate) key_range: (i32, i32, i32),
}

impl Spec {
    fn derive(command: &'static Command) -> Self {
        // The grammar of the commands so far has one key, the first argument, or none.
        let required = command.grammar.split(' ').take_while(|word| !word.starts_with('['));
        let required = required.filter(|word| !word.is_empty()).count() as i32;
        let arity = if command.grammar.contains('[') { -(required + 1) } else { required + 1 };
        let key_range = if command.keys.is_empty() { (0, 0, 0) } else { (1, 1, 1) };
        Self { command, arity, key_range }
    }

    /// Whether the command has exactly one key, at a fixed place, and changes nothing but keys:
    /// such commands are run in batches.
    #[inline]
    pub(crate) fn single_key(&self) -> Option<usize> {
        matches!(self.key_range, (1, 1, 1)).then_some(1)
    }

    /// The places of the keys among the words.
    pub(crate) fn key_places(&self, words: &[&[u8]]) -> SmallVec<[usize; 4]> {
        let (first, last, step) = self.key_range;
        if first == 0 {
            return SmallVec::new();
        }
        let last = if last < 0 { words.len() as i32 + last } else { last };
        (first..=last).step_by(step as usize).map(|place| place as usize).collect()
    }
}

/// Finds the command that words ask for, and checks how many they are.
pub(crate) fn lookup(words: &[&[u8]]) -> Result<&'static Spec, Error> {
    let name = words[0].to_ascii_lowercase();
    let Some(spec) = table().get(&*name) else { return Err(unknown_command(words)) };
    let count = words.len() as i32;
    if count != spec.arity && (spec.arity > 0 || count < -spec.arity) {
        return Err(Error::arity(spec.command.name));
    }
    Ok(spec)
}

fn table() -> &'static HashMap<&'static [u8], Spec> {
    static TABLE: OnceLock<HashMap<&'static [u8], Spec>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let families = [super::connection::COMMANDS, super::string::COMMANDS];
        let commands = families.into_iter().chain(super::key::COMMANDS).flatten();
        commands.map(|command| (command.name.as_bytes(), Spec::derive(command))).collect()
    })
}

fn unknown_command(words: &[&[u8]]) -> Error {
    let mut text = b"unknown command '".to_vec();
    text.extend(words[0].iter().take(128));
    text.extend(b"', with args beginning with: ");
    Error::new(ErrorKind::Err, text)
}
