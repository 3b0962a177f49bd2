//! Scripts: Lua 5.1 in Redis's sandbox. A script runs under the locks of all shards, and what its
//! commands did is settled when it ends, as with EXEC.
//!
//! | file | what is there |
//! |---|---|
//! | `machine` | the interpreter with its environment, the scripts that are known |
//! | `prelude.lua` | what scripts see in the place of Lua's own functions |
//! | `run` | one run: the commands that a script gives |
//! | `redis_table` | `redis.call` and its like |
//! | `to_lua`, `to_reply` | replies to values and back |
//! | `fault`, `arguments` | errors and arguments of native functions |
//! | `library` | `bit`, `struct`, `cjson`, `cmsgpack` |

mod arguments;
mod fault;
mod library;
mod machine;
mod random;
mod redis_table;
mod run;
mod source;
mod to_lua;
mod to_reply;

use crate::command::table::flag as command_flag;
use crate::command::{Call, ClientState, Counter, Interpreter, ScriptFigures, ScriptRequest};
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use crate::resp::{Encoder, Protocol};
use fault::Fault;
use machine::{Digest, Machine, Outcome};
use mlua::{Table, Value};
use parking_lot::{Mutex, MutexGuard};
use run::{RUN, Rights, Running};
use sha1_smol::Sha1;
use source::flag;
use std::fmt;

const NO_SCRIPT: Error = Error::fixed(ErrorKind::NoScript, "No matching script. Please use EVAL.");
const OUT_OF_MEMORY_WITHOUT_FLAG: Error = Error::fixed(
    ErrorKind::Oom,
    "allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);

/// The scripts of an engine. The interpreter is made when it is first needed.
#[derive(Default)]
pub(super) struct Scripts {
    machine: Mutex<Option<Machine>>,
    /// How much there was of what when a script last ended.
    figures: Mutex<ScriptFigures>,
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
        self.note_figures();
        result
    }

    fn figures(&self) -> ScriptFigures {
        *self.figures.lock()
    }
}

impl Scripts {
    fn machine(&self) -> Result<MutexGuard<'_, Option<Machine>>, Error> {
        let mut machine = self.machine.lock();
        if machine.is_none() {
            *machine = Some(Machine::new().map_err(|error| internal(&error))?);
        }
        Ok(machine)
    }

    fn note_figures(&self) {
        let machine = self.machine.lock();
        let figures = machine.as_ref().map(|machine| ScriptFigures {
            scripts: machine.scripts.len(),
            script_bytes: machine.text_bytes,
            interpreter_bytes: machine.lua.used_memory(),
        });
        *self.figures.lock() = figures.unwrap_or_default();
    }

    fn eval(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let keys = number_of_keys(call)?;
        let text = call.words[1];
        let mut machine = self.machine()?;
        let machine = machine.as_mut().expect("it was made");
        let digest = digest(text);
        machine.load(digest, text).map_err(|error| error.0)?;
        run(machine, digest, keys, call)
    }

    fn evalsha(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let digest = parse_digest(call.words[1]).ok_or(NO_SCRIPT)?;
        let keys = number_of_keys(call)?;
        let mut machine = self.machine.lock();
        let machine = machine.as_mut().ok_or(NO_SCRIPT)?;
        if !machine.scripts.contains_key(&digest) {
            return Err(NO_SCRIPT);
        }
        run(machine, digest, keys, call)
    }

    fn load(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let text = call.words[2];
        let digest = digest(text);
        let mut machine = self.machine()?;
        let machine = machine.as_mut().expect("it was made");
        machine.load(digest, text).map_err(|error| error.0)?;
        call.out.bulk(&digest);
        Ok(())
    }

    fn exists(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let machine = self.machine.lock();
        let digests = &call.words[2..];
        call.out.array(digests.len());
        for word in digests {
            let is_known = parse_digest(word).is_some_and(|digest| {
                machine.as_ref().is_some_and(|machine| machine.scripts.contains_key(&digest))
            });
            call.out.integer(is_known.into());
        }
        Ok(())
    }

    fn flush(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        if let Some(machine) = &mut *self.machine.lock() {
            machine.flush();
        }
        call.out.ok();
        Ok(())
    }

    fn show(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let machine = self.machine.lock();
        let digest = parse_digest(call.words[2]).ok_or(NO_SCRIPT)?;
        let script = machine.as_ref().and_then(|machine| machine.scripts.get(&digest));
        call.out.bulk(&script.ok_or(NO_SCRIPT)?.text);
        Ok(())
    }
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
fn number_of_keys(call: &Call<'_, '_>) -> Result<usize, Error> {
    let keys = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    if keys > call.words.len() as i64 - 3 {
        return Err(Error::err("Number of keys can't be greater than number of args"));
    }
    usize::try_from(keys).map_err(|_| Error::err("Number of keys can't be negative"))
}

/// Runs a script that is known, and answers what it returns.
fn run(
    machine: &Machine,
    digest: Digest,
    keys: usize,
    call: &mut Call<'_, '_>,
) -> Result<(), Error> {
    let script = &machine.scripts[&digest];
    let (keys, arguments) = call.words[3..].split_at(keys);
    let is_plain = script.flags & flag::PLAIN != 0;
    let only_reads = call.spec.flags & command_flag::READONLY != 0;
    let rights = Rights {
        read_only: only_reads || script.flags & flag::NO_WRITES != 0,
        cross_slot: is_plain || script.flags & flag::ALLOW_CROSS_SLOT != 0,
        is_starved: call.client.out_of_memory && script.flags & flag::ALLOW_OOM == 0,
    };
    if script.flags & flag::NO_CLUSTER != 0 && call.env.cluster.is_some() {
        return Err(Error::err("Can not run script on cluster, 'no-cluster' flag is set."));
    }
    if rights.is_starved && !is_plain && !rights.read_only {
        return Err(OUT_OF_MEMORY_WITHOUT_FLAG);
    }
    let mut running = Running {
        client: ClientState::of_script(call.client),
        keys: call.keys,
        env: call.env,
        time: call.time,
        rights,
        asking: false,
        slot: call.located.first().map(|key| key.slot),
        commands: 0,
        began_us: call.time.current_us(),
        text: Vec::new(),
        ends: Vec::new(),
        out: Encoder::new(Protocol::Resp2),
    };
    let limit = call.env.config.script_memory_bytes();
    machine.lua.set_memory_limit(limit).map_err(|error| internal(&error))?;
    let outcome = RUN.set(&mut running, || machine.run(script, keys, arguments));
    let (protocol, commands) = (running.client.protocol, running.commands);
    call.env.stats.add(&[(Counter::Commands, commands as u64)]);
    machine.tidy(limit);
    answer(outcome, &String::from_utf8_lossy(&digest), protocol, call)
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
            to_reply::write(value, protocol, call.out).map_err(|error| internal(&error))
        }
        Ok(Err(problem)) => {
            let (text, is_counted) = uncaught(&problem, name).map_err(|error| internal(&error))?;
            let error = Error::new(ErrorKind::Foreign, text);
            call.out.error(&error);
            if !is_counted {
                call.env.stats.note_error(&error);
            }
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
    let is_counted: Value = problem.raw_get("ignore_error_stats_update")?;
    Ok((text, !matches!(is_counted, Value::Nil | Value::Boolean(false))))
}
