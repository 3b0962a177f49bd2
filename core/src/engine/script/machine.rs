//! The interpreter's state: an environment, and how code is compiled and called in it.

use super::fault::{self, PRELUDE};
use super::functions::LOADING;
use super::random::Random;
use super::run::RUN;
use super::{library, redis_table};
use mlua::{
    ChunkMode, Error, Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState,
};

/// What an interpreter is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The scripts of EVAL.
    Scripts,
    /// The functions of libraries.
    Functions,
}

impl Purpose {
    /// By which name errors call the code.
    fn chunk_name(self) -> &'static str {
        match self {
            Self::Scripts => "@user_script",
            Self::Functions => "@user_function",
        }
    }
}

/// The interpreter.
pub(super) struct Machine {
    pub(super) lua: Lua,
    purpose: Purpose,
    /// Calls a function with its keys and arguments, if it has such, and reports its error.
    run: Function,
    environment: Table,
    /// The globals behind the environment.
    globals: Table,
    /// The globals of a library that is being loaded.
    loading: Table,
}

/// How a run ended that nothing cut short: with what the script returned, or with an error's table.
pub(super) type Outcome = Result<Value, Table>;

impl Machine {
    /// A fresh one.
    pub(super) fn new(purpose: Purpose, random: &Random) -> Result<Self, Error> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let every = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        lua.set_global_hook(every, |lua, _| look_up(lua))?;
        let null = Value::LightUserData(mlua::LightUserData(std::ptr::null_mut()));
        let natives = lua.create_table()?;
        natives.set("seen", lua.create_function(fault::seen)?)?;
        natives.set("ends", lua.create_function(fault::ends)?)?;
        natives.set("report", lua.create_function(fault::report)?)?;
        natives.set("math", random.table(&lua)?)?;
        library::add(&lua, &natives)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(PRELUDE);
        let (make, make_loading, run): (Function, Function, Function) =
            prelude.call((natives, null))?;
        let (environment, globals) = make.call(redis_table::table(&lua, purpose)?)?;
        let loading = make_loading.call(redis_table::loading(&lua)?)?;
        Ok(Self { lua, purpose, run, environment, globals, loading })
    }

    /// Compiles code.
    pub(super) fn compile(&self, code: &[u8]) -> Result<Function, Error> {
        // What would be read as bytecode is read as text, which it is not.
        let spaced: Vec<u8>;
        let code = match code {
            [b'\x1b', ..] => {
                spaced = [b" ", code].concat();
                &spaced
            }
            _ => code,
        };
        let name = self.purpose.chunk_name();
        let chunk = self.lua.load(code).set_name(name).set_mode(ChunkMode::Text);
        chunk.set_environment(self.environment.clone()).into_function()
    }

    /// Calls a function without arguments.
    pub(super) fn call(&self, function: &Function) -> Result<Outcome, Error> {
        self.outcome(self.run.call(function)?)
    }

    /// Calls a function with its keys and arguments.
    pub(super) fn call_with(
        &self,
        function: &Function,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Outcome, Error> {
        self.outcome(self.run.call((function, self.list(keys)?, self.list(arguments)?))?)
    }

    /// Calls the code of a library, which sees hardly more than how functions are registered.
    pub(super) fn call_loading(&self, function: &Function) -> Result<Outcome, Error> {
        let meta = self.environment.metatable().expect("the prelude has set it");
        meta.raw_set("__index", &self.loading)?;
        let outcome = self.call(function);
        meta.raw_set("__index", &self.globals)?;
        outcome
    }

    fn outcome(&self, (is_done, value): (bool, Value)) -> Result<Outcome, Error> {
        match (is_done, value) {
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

    /// Sets a global to a list of words.
    pub(super) fn set_global(&self, name: &str, words: &[&[u8]]) -> Result<(), Error> {
        self.globals.raw_set(name, self.list(words)?)
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

/// Looks whether the script is slow, or shall end, or a library takes too long to load.
fn look_up(lua: &Lua) -> Result<VmState, Error> {
    if RUN.is_set() && RUN.with(|run| run.is_slow()) {
        RUN.with(|run| run.note_slow());
        if RUN.with(|run| run.is_killed()) {
            return Err(fault::end(lua));
        }
    }
    if LOADING.is_set() {
        LOADING.with(|loading| loading.check_time())?;
    }
    Ok(VmState::Continue)
}
