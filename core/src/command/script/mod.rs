//! Scripts: what the interpreter is asked for, and the commands that ask. The interpreter itself is
//! the engine's, since a script gives commands of its own.

mod entries;

use super::call::Call;
use crate::error::Error;
use parking_lot::{Mutex, MutexGuard};
use std::fmt::Debug;

pub(super) use entries::COMMANDS;

/// What a command asks of the interpreter. The words of the call say the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptRequest {
    /// Run a script that comes as text, or one that is known, by its digest.
    Eval,
    EvalSha,
    /// Compile a script and keep it.
    Load,
    /// Say which scripts are known.
    Exists,
    /// Forget all scripts.
    Flush,
    /// Tell the text of a script.
    Show,
    /// End the script that runs.
    Kill,
}

/// How much there is of what, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScriptFigures {
    pub(crate) scripts: usize,
    /// Bytes that texts and tables of scripts take outside of the interpreter.
    pub(crate) script_bytes: usize,
    /// Bytes that the interpreter takes.
    pub(crate) interpreter_bytes: usize,
}

/// Carries out scripts.
pub(crate) trait Interpreter: Debug + Send + Sync {
    /// Does what a command asks for, and answers it.
    fn carry_out(&self, request: ScriptRequest, call: &mut Call<'_, '_>) -> Result<(), Error>;

    /// How much there is of what.
    fn figures(&self) -> ScriptFigures;
}

/// The interpreter, if the engine was built with one, and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Scripting {
    pub(crate) interpreter: Option<Box<dyn Interpreter>>,
    turn: Mutex<()>,
}

impl Scripting {
    /// Waits until no other thread runs a script. To be called before any shard is locked: a script
    /// may want all of them.
    pub(crate) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// How much there is of what.
    pub(crate) fn figures(&self) -> ScriptFigures {
        self.interpreter.as_ref().map_or_else(ScriptFigures::default, |one| one.figures())
    }
}

const NOT_BUILT_IN: Error = Error::err("this engine was built without scripts");

fn ask(request: ScriptRequest, call: &mut Call<'_, '_>) -> Result<(), Error> {
    let interpreter = call.env.scripting.interpreter.as_ref().ok_or(NOT_BUILT_IN)?;
    interpreter.carry_out(request, call)
}

fn eval(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::Eval, call)
}

fn evalsha(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::EvalSha, call)
}

fn load(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::Load, call)
}

fn exists(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::Exists, call)
}

fn show(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::Show, call)
}

fn kill(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(ScriptRequest::Kill, call)
}

/// SYNC and ASYNC are the same: scripts are small.
fn flush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let is_fit = match call.words {
        [_, _] => true,
        [_, _, how] => [&b"sync"[..], b"async"].iter().any(|one| how.eq_ignore_ascii_case(one)),
        _ => false,
    };
    if !is_fit {
        return Err(Error::err("SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    ask(ScriptRequest::Flush, call)
}

/// There is no debugger: its client would have to speak for the whole process.
fn debug(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let is = |word: &str| call.words[2].eq_ignore_ascii_case(word.as_bytes());
    if is("no") {
        call.out.ok();
        return Ok(());
    }
    Err(if is("yes") || is("sync") {
        Error::err("the script debugger is not there in an embedded engine")
    } else {
        Error::err("Use SCRIPT DEBUG YES/SYNC/NO")
    })
}
