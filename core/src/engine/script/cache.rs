//! The scripts that EVAL and SCRIPT LOAD made known.

use super::machine::{Machine, Outcome, Purpose};
use super::random::Random;
use super::source::{Source, SourceError};
use mlua::{Error, Function, RegistryKey};
use std::collections::HashMap;

/// A digest as SCRIPT LOAD tells it.
pub(super) type Digest = [u8; 40];

/// A script that is known.
pub(super) struct Script {
    function: RegistryKey,
    pub(super) text: Box<[u8]>,
    pub(super) flags: u32,
}

/// The scripts by their digests, and the interpreter that runs them.
pub(super) struct Cache {
    pub(super) machine: Machine,
    pub(super) scripts: HashMap<Digest, Script>,
    /// Bytes of the texts.
    pub(super) text_bytes: usize,
}

impl Cache {
    /// An empty one.
    pub(super) fn new(random: &Random) -> Result<Self, Error> {
        let machine = Machine::new(Purpose::Scripts, random)?;
        Ok(Self { machine, scripts: HashMap::new(), text_bytes: 0 })
    }

    /// Compiles a script and keeps it, unless it is known.
    pub(super) fn load(&mut self, digest: Digest, text: &[u8]) -> Result<&Script, SourceError> {
        if !self.scripts.contains_key(&digest) {
            let source = Source::of_script(text)?;
            let function = self.machine.compile(source.code);
            let function = function.and_then(|one| self.machine.lua.create_registry_value(one));
            let function = function.map_err(|error| SourceError::compile(&error))?;
            let flags = source.flags;
            self.text_bytes += text.len();
            self.scripts.insert(digest, Script { function, text: text.into(), flags });
        }
        Ok(&self.scripts[&digest])
    }

    /// Forgets all scripts.
    pub(super) fn flush(&mut self) {
        for (_, script) in self.scripts.drain() {
            // The key is this interpreter's own.
            let _ = self.machine.lua.remove_registry_value(script.function);
        }
        self.text_bytes = 0;
        let _ = self.machine.lua.gc_collect();
    }

    /// Runs a script with its keys and arguments. An error of the kind that scripts do not see
    /// comes back as such.
    pub(super) fn run(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Outcome, Error> {
        self.machine.set_global("KEYS", keys)?;
        self.machine.set_global("ARGV", arguments)?;
        let function: Function = self.machine.lua.registry_value(&script.function)?;
        self.machine.call(&function)
    }
}
