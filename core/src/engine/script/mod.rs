//! Scripts and functions: Lua 5.1 in Redis's sandbox. A script runs under the locks of the keys that
//! it looks at, and what its commands did is settled when it ends, as with EXEC.
//!
//! | file | what is there |
//! |---|---|
//! | `machine` | an interpreter with its environment |
//! | `cache` | the scripts that are known |
//! | `functions` | libraries of functions, in an interpreter of their own |
//! | `source` | the first lines of scripts and libraries |
//! | `prelude.lua` | what scripts see in the place of Lua's own functions |
//! | `run` | one run: the commands that a script gives |
//! | `redis_table` | `redis.call` and its like |
//! | `to_lua`, `to_reply` | replies to values and back |
//! | `fault`, `arguments` | errors and arguments of native functions |
//! | `library` | `bit`, `struct`, `cjson`, `cmsgpack` |

mod arguments;
mod cache;
mod fault;
mod functions;
mod library;
mod machine;
mod random;
mod redis_table;
mod run;
mod source;
mod to_lua;
mod to_reply;

use crate::command::table::flag as command_flag;
use crate::command::{
    Call, ClientState, Counter, FunctionRequest, Interpreter, ScriptFigures, ScriptRequest,
};
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use crate::resp::{Encoder, Protocol};
use cache::{Cache, Digest};
use fault::Fault;
use functions::{Functions, NO_LIBRARY};
use machine::{Machine, Outcome};
use mlua::{Table, Value};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use random::Random;
use run::{RUN, Rights, Running};
use sha1_smol::Sha1;
use source::flag;
use std::fmt;

const NO_SCRIPT: Error = Error::fixed(ErrorKind::NoScript, "No matching script. Please use EVAL.");
const OUT_OF_MEMORY_WITHOUT_FLAG: Error = Error::fixed(
    ErrorKind::Oom,
    "allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);

const NO_FUNCTION: Error = Error::err("Function not found");

/// The scripts and functions of an engine. Their interpreters are made when they are first needed.
#[derive(Default)]
pub(super) struct Scripts {
    cache: Mutex<Option<Cache>>,
    functions: Mutex<Option<Functions>>,
    /// How much there was of what when a script last ended.
    figures: Mutex<ScriptFigures>,
    /// The random numbers that both draw.
    random: Random,
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

impl Interpreter for Scripts {
    fn carry_out(&self, request: ScriptRequest, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let result = match request {
            ScriptRequest::Eval => self.eval(call),
            ScriptRequest::EvalSha => self.evalsha(call),
            ScriptRequest::Load => self.load(call),
            ScriptRequest::Exists => self.exists(call),
            ScriptRequest::Flush => self.flush(call),
            ScriptRequest::Show => self.show(call),
        };
        if let Some(cache) = &*self.cache.lock() {
            let figures = &mut *self.figures.lock();
            figures.scripts = cache.scripts.len();
            figures.script_bytes = cache.text_bytes;
            figures.script_machine_bytes = cache.machine.lua.used_memory();
        }
        result
    }

    fn call_function(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let functions = self.functions.lock();
        let functions = functions.as_ref().ok_or(NO_FUNCTION)?;
        let (name, function) = functions.collection.find(call.words[1]).ok_or(NO_FUNCTION)?;
        let keys = number_of_keys(call, Error::err("Bad number of keys provided"))?;
        let callback = functions.callback(function).map_err(|error| internal(&error))?;
        let machine = &functions.machine;
        let program = Program { machine, name, flags: function.flags, is_function: true };
        let result = program
            .run(keys, call, |keys, arguments| machine.call_with(&callback, keys, arguments));
        self.figures.lock().libraries.machine_bytes = machine.lua.used_memory();
        result
    }

    fn manage_functions(
        &self,
        request: FunctionRequest<'_>,
        call: &mut Call<'_, '_>,
    ) -> Result<(), Error> {
        let result = self.manage(request, call);
        let functions = self.functions.lock();
        let figures = functions.as_ref().map(Functions::figures).unwrap_or_default();
        self.figures.lock().libraries = figures;
        result
    }

    fn figures(&self) -> ScriptFigures {
        *self.figures.lock()
    }
}

impl Scripts {
    fn cache(&self) -> Result<MappedMutexGuard<'_, Cache>, Error> {
        made(&self.cache, || Cache::new(&self.random))
    }

    fn functions(&self) -> Result<MappedMutexGuard<'_, Functions>, Error> {
        made(&self.functions, || Functions::new(&self.random))
    }

    fn eval(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let keys = number_of_keys(call, Error::NOT_INTEGER)?;
        let text = call.words[1];
        let mut cache = self.cache()?;
        let digest = digest(text);
        cache.load(digest, text).map_err(|error| error.0)?;
        run_script(&cache, digest, keys, call)
    }

    fn evalsha(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let digest = parse_digest(call.words[1]).ok_or(NO_SCRIPT)?;
        let keys = number_of_keys(call, Error::NOT_INTEGER)?;
        let cache = self.cache.lock();
        let cache = cache.as_ref().ok_or(NO_SCRIPT)?;
        if !cache.scripts.contains_key(&digest) {
            return Err(NO_SCRIPT);
        }
        run_script(cache, digest, keys, call)
    }

    fn load(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let text = call.words[2];
        let digest = digest(text);
        self.cache()?.load(digest, text).map_err(|error| error.0)?;
        call.out.bulk(&digest);
        Ok(())
    }

    fn exists(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let cache = self.cache.lock();
        let digests = &call.words[2..];
        call.out.array(digests.len());
        for word in digests {
            let is_known = parse_digest(word).is_some_and(|digest| {
                cache.as_ref().is_some_and(|cache| cache.scripts.contains_key(&digest))
            });
            call.out.integer(is_known.into());
        }
        Ok(())
    }

    fn flush(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        if let Some(cache) = &mut *self.cache.lock() {
            cache.flush();
        }
        call.out.ok();
        Ok(())
    }

    fn show(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let cache = self.cache.lock();
        let digest = parse_digest(call.words[2]).ok_or(NO_SCRIPT)?;
        let script = cache.as_ref().and_then(|cache| cache.scripts.get(&digest));
        call.out.bulk(&script.ok_or(NO_SCRIPT)?.text);
        Ok(())
    }

    fn manage(&self, request: FunctionRequest<'_>, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let limit = call.env.config.script_memory_bytes();
        let text_len_max = call.env.limits().string_len;
        match request {
            FunctionRequest::Load { text, replace } => {
                let name = self.functions()?.load(text, replace, limit, call.time)?;
                call.out.bulk(name.as_bytes());
            }
            FunctionRequest::Delete(name) => {
                self.functions.lock().as_mut().ok_or(NO_LIBRARY)?.delete(name)?;
                call.out.ok();
            }
            FunctionRequest::Flush => {
                *self.functions.lock() = None;
                call.out.ok();
            }
            FunctionRequest::List(filter) => {
                let functions = self.functions.lock();
                let collection = functions.as_ref().map(|functions| &functions.collection);
                functions::write_list(collection, &filter, call.out);
            }
            FunctionRequest::Dump => call.out.bulk(&self.functions()?.dump()),
            FunctionRequest::Restore { payload, policy } => {
                self.functions()?.restore(payload, policy, text_len_max, limit, call.time)?;
                call.out.ok();
            }
        }
        Ok(())
    }
}

/// What is behind a lock, made if it was not needed before.
fn made<T>(
    slot: &Mutex<Option<T>>,
    make: impl FnOnce() -> Result<T, mlua::Error>,
) -> Result<MappedMutexGuard<'_, T>, Error> {
    let mut slot = slot.lock();
    if slot.is_none() {
        *slot = Some(make().map_err(|error| internal(&error))?);
    }
    Ok(MutexGuard::map(slot, |made| made.as_mut().expect("it was made")))
}

/// An error of the interpreter that no script has made.
fn internal(error: &mlua::Error) -> Error {
    Error::new(ErrorKind::Err, format!("Error running script: {error}"))
}

fn digest(text: &[u8]) -> Digest {
    let hex = Sha1::from(text).digest().to_string();
    hex.as_bytes().try_into().expect("a digest has forty digits")
}

fn parse_digest(word: &[u8]) -> Option<Digest> {
    word.to_ascii_lowercase().try_into().ok()
}

/// How many of the words after the third are keys.
fn number_of_keys(call: &Call<'_, '_>, no_number: Error) -> Result<usize, Error> {
    let keys = parse_i64(call.words[2]).ok_or(no_number)?;
    if keys > call.words.len() as i64 - 3 {
        return Err(Error::err("Number of keys can't be greater than number of args"));
    }
    usize::try_from(keys).map_err(|_| Error::err("Number of keys can't be negative"))
}

/// Runs a script that is known, and answers what it returns.
fn run_script(
    cache: &Cache,
    digest: Digest,
    keys: usize,
    call: &mut Call<'_, '_>,
) -> Result<(), Error> {
    let script = &cache.scripts[&digest];
    let name = &String::from_utf8_lossy(&digest);
    let program =
        Program { machine: &cache.machine, name, flags: script.flags, is_function: false };
    program.run(keys, call, |keys, arguments| cache.run(script, keys, arguments))
}

/// A script or a function that is to be run.
struct Program<'p> {
    machine: &'p Machine,
    /// What errors call it.
    name: &'p str,
    flags: u32,
    is_function: bool,
}

impl Program<'_> {
    /// What it may do.
    ///
    /// # Errors
    /// If it must not run here at all.
    fn rights(&self, call: &Call<'_, '_>) -> Result<Rights, Error> {
        let has = |flag| self.flags & flag != 0;
        let is_plain = has(flag::PLAIN);
        let only_reads = call.spec.flags & command_flag::READONLY != 0;
        if has(flag::NO_CLUSTER) && call.env.cluster.is_some() {
            return Err(Error::err("Can not run script on cluster, 'no-cluster' flag is set."));
        }
        if only_reads && !is_plain && !has(flag::NO_WRITES) {
            let text = "Can not execute a script with write flag using *_ro command.";
            return Err(Error::err(text));
        }
        let rights = Rights {
            read_only: only_reads || has(flag::NO_WRITES),
            cross_slot: is_plain || has(flag::ALLOW_CROSS_SLOT),
            is_starved: call.client.out_of_memory && !has(flag::ALLOW_OOM),
        };
        if rights.is_starved && !is_plain && !rights.read_only {
            return Err(OUT_OF_MEMORY_WITHOUT_FLAG);
        }
        Ok(rights)
    }

    /// Runs it, and answers what it returns.
    fn run(
        &self,
        keys: usize,
        call: &mut Call<'_, '_>,
        body: impl FnOnce(&[&[u8]], &[&[u8]]) -> Result<Outcome, mlua::Error>,
    ) -> Result<(), Error> {
        let rights = self.rights(call)?;
        let (keys, arguments) = call.words[3..].split_at(keys);
        let mut running = Running {
            client: ClientState::of_script(call.client),
            keys: call.keys,
            env: call.env,
            time: call.time,
            rights,
            asking: call.client.asked,
            slot: call.located.first().map(|key| key.slot),
            commands: 0,
            name: self.name,
            caller: call.words,
            began_us: call.time.current_us(),
            text: Vec::new(),
            ends: Vec::new(),
            out: Encoder::new(Protocol::Resp2),
        };
        call.env.scripting.note_kind(self.is_function);
        let limit = call.env.config.script_memory_bytes();
        self.machine.lua.set_memory_limit(limit).map_err(|error| internal(&error))?;
        let outcome = RUN.set(&mut running, || body(keys, arguments));
        let (protocol, commands) = (running.client.protocol, running.commands);
        call.env.stats.add(&[(Counter::Commands, commands as u64)]);
        self.machine.tidy(limit);
        answer(outcome, self.name, protocol, call)
    }
}

const KILLED: &str = "Script killed by user with SCRIPT KILL...";

/// Answers how a run ended.
fn answer(
    outcome: Result<Outcome, mlua::Error>,
    name: &str,
    protocol: Protocol,
    call: &mut Call<'_, '_>,
) -> Result<(), Error> {
    match outcome {
        Ok(Ok(value)) => {
            let errors = to_reply::write(value, protocol, call.out);
            for error in errors.map_err(|error| internal(&error))? {
                note_failure(call, error.as_ref());
            }
            Ok(())
        }
        Ok(Err(problem)) => {
            let (text, is_counted) = uncaught(&problem, name).map_err(|error| internal(&error))?;
            let error = Error::new(ErrorKind::Foreign, text);
            call.out.error(&error);
            note_failure(call, Some(&error).filter(|_| !is_counted));
            Ok(())
        }
        Err(error) => Err(match Fault::of(&error) {
            Some(Fault::End { source, line }) => {
                let text = format!("{KILLED} script: {name}, on {source}:{line}.");
                Error::new(ErrorKind::Err, text)
            }
            _ => internal(&error),
        }),
    }
}

/// Counts an error that a script answered, unless the engine's figures have it already.
fn note_failure(call: &Call<'_, '_>, fresh: Option<&Error>) {
    call.env.scripting.note_failure();
    if let Some(error) = fresh {
        call.env.stats.note_error(error);
    }
}

/// The text of an error that no script caught, and whether the engine's figures have it already.
fn uncaught(problem: &Table, name: &str) -> Result<(Vec<u8>, bool), mlua::Error> {
    let mut text = match problem.raw_get("err")? {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Nil => b"ERR unknown error".to_vec(),
        other => other.to_string()?.into_bytes(),
    };
    let source: Value = problem.raw_get("source")?;
    let line: Value = problem.raw_get("line")?;
    if let (Value::String(source), Value::Integer(line)) = (source, line) {
        text.extend_from_slice(format!(" script: {name}, on ").as_bytes());
        text.extend_from_slice(&source.as_bytes());
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    Ok((text, fault::is_counted(problem)?))
}
