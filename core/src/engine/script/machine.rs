//! The interpreter's state: an environment for scripts, and the scripts that are known.

use super::fault::{self, PRELUDE};
use super::random::Random;
use super::run::RUN;
use super::source::{Source, SourceError};
use super::{library, redis_table};
use mlua::{
    ChunkMode, Error, Function, HookTriggers, Lua, LuaOptions, RegistryKey, StdLib, Table, Value,
    VmState,
};
use std::collections::HashMap;

/// A digest as SCRIPT LOAD tells it.
pub(super) type Digest = [u8; 40];

/// A script that is known.
pub(super) struct Script {
    function: RegistryKey,
    pub(super) text: Box<[u8]>,
    pub(super) flags: u32,
}

/// The interpreter.
pub(super) struct Machine {
    pub(super) lua: Lua,
    /// Calls a function and reports its error.
    run: Function,
    environment: Table,
    /// The globals behind the environment.
    globals: Table,
    pub(super) scripts: HashMap<Digest, Script>,
    /// Bytes of the texts.
    pub(super) text_bytes: usize,
}

/// How a run ended that nothing cut short: with what the script returned, or with an error's table.
pub(super) type Outcome = Result<Value, Table>;

impl Machine {
    /// A fresh one.
    pub(super) fn new() -> Result<Self, Error> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let every = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        lua.set_global_hook(every, |lua, _| look_up(lua))?;
        let random = Random::default();
        let null = Value::LightUserData(mlua::LightUserData(std::ptr::null_mut()));
        let natives = lua.create_table()?;
        natives.set("seen", lua.create_function(fault::seen)?)?;
        natives.set("ends", lua.create_function(fault::ends)?)?;
        natives.set("report", lua.create_function(fault::report)?)?;
        natives.set("math", random.table(&lua)?)?;
        library::add(&lua, &natives)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(PRELUDE);
        let (make, run): (Function, Function) = prelude.call((natives, null))?;
        let (environment, globals) = make.call(redis_table::table(&lua)?)?;
        let scripts = HashMap::new();
        Ok(Self { lua, run, environment, globals, scripts, text_bytes: 0 })
    }

    /// Compiles a script and keeps it, unless it is known.
    pub(super) fn load(&mut self, digest: Digest, text: &[u8]) -> Result<&Script, SourceError> {
        if !self.scripts.contains_key(&digest) {
            let source = Source::of_script(text)?;
            let function = self.compile(source.code)?;
            let flags = source.flags;
            self.text_bytes += text.len();
            self.scripts.insert(digest, Script { function, text: text.into(), flags });
        }
        Ok(&self.scripts[&digest])
    }

    fn compile(&self, code: &[u8]) -> Result<RegistryKey, SourceError> {
        // What would be read as bytecode is read as text, which it is not.
        let spaced: Vec<u8>;
        let code = match code {
            [b'\x1b', ..] => {
                spaced = [b" ", code].concat();
                &spaced
            }
            _ => code,
        };
        let chunk = self.lua.load(code).set_name("@user_script").set_mode(ChunkMode::Text);
        let function = chunk.set_environment(self.environment.clone()).into_function();
        let kept = function.and_then(|function| self.lua.create_registry_value(function));
        kept.map_err(|error| SourceError::compile(&error))
    }

    /// Forgets all scripts.
    pub(super) fn flush(&mut self) {
        for (_, script) in self.scripts.drain() {
            // The key is this interpreter's own.
            let _ = self.lua.remove_registry_value(script.function);
        }
        self.text_bytes = 0;
        let _ = self.lua.gc_collect();
    }

    /// Runs a script with its keys and arguments. An error of the kind that scripts do not see
    /// comes back as such.
    pub(super) fn run(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Outcome, Error> {
        self.globals.raw_set("KEYS", self.list(keys)?)?;
        self.globals.raw_set("ARGV", self.list(arguments)?)?;
        let function: Function = self.lua.registry_value(&script.function)?;
        self.call(function)
    }

    fn call(&self, function: Function) -> Result<Outcome, Error> {
        match self.run.call(function)? {
            (true, value) => Ok(Ok(value)),
            (false, Value::Table(problem)) => Ok(Err(problem)),
            (false, Value::Error(error)) => Err(*error),
            (false, other) => {
                let text = other.to_string().unwrap_or_default();
                fault::error_table(&self.lua, format!("ERR {text}").as_bytes()).map(Err)
            }
        }
    }

    /// Collects garbage if a script has left more than half of what it may use, and undoes what it
    /// told the collector.
    pub(super) fn tidy(&self, limit: usize) {
        if self.lua.used_memory() > limit / 2 {
            self.lua.gc_restart();
            // What cannot be collected now is met again after the next script.
            let _ = self.lua.gc_collect();
        }
    }

    fn list(&self, words: &[&[u8]]) -> Result<Table, Error> {
        let list = self.lua.create_table_with_capacity(words.len(), 0)?;
        for (place, word) in words.iter().enumerate() {
            list.raw_set(place + 1, self.lua.create_string(word)?)?;
        }
        Ok(list)
    }
}

/// How many instructions a script carries out before it looks up.
const INSTRUCTIONS: u32 = 100_000;

/// Looks whether the script is slow, or shall end.
fn look_up(lua: &Lua) -> Result<VmState, Error> {
    if RUN.is_set() && RUN.with(|run| run.is_slow()) {
        RUN.with(|run| run.note_slow());
        if RUN.with(|run| run.is_killed()) {
            return Err(fault::end(lua));
        }
    }
    Ok(VmState::Continue)
}
