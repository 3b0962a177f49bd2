//! Scripts: what the interpreter is asked for, and the commands that ask. The interpreter itself is
//! the engine's, since a script gives commands of its own.

mod entries;
mod function;

use super::call::Call;
use super::mailbox::Waker;
use crate::error::{Error, ErrorKind};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::Duration;

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
}

/// Which libraries FUNCTION LIST tells of, and whether with their code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LibraryFilter<'a> {
    pub(crate) pattern: Option<&'a [u8]>,
    pub(crate) with_code: bool,
}

#[cfg(feature = "scripts")]
impl LibraryFilter<'_> {
    /// Whether it takes a library of this name.
    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| super::glob::matches_ignoring_case(pattern, name))
    }
}

/// What becomes of the libraries that are there when others are restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestorePolicy {
    /// They stay. If one has the name of a restored one, nothing is restored.
    #[default]
    Append,
    /// They stay, but for those with the name of a restored one.
    Replace,
    /// They go.
    Flush,
}

/// What a command asks about libraries of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionRequest<'a> {
    Load { text: &'a [u8], replace: bool },
    Delete(&'a [u8]),
    Flush,
    List(LibraryFilter<'a>),
    Dump,
    Restore { payload: &'a [u8], policy: RestorePolicy },
}

/// How much there is of what, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScriptFigures {
    pub(crate) scripts: usize,
    /// Bytes that texts and tables of scripts take outside of the interpreter.
    pub(crate) script_bytes: usize,
    /// Bytes that the interpreter of scripts takes.
    pub(crate) script_machine_bytes: usize,
    pub(crate) libraries: LibraryFigures,
}

/// The same of libraries of functions, which have an interpreter of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LibraryFigures {
    pub(crate) libraries: usize,
    pub(crate) functions: usize,
    /// Bytes that texts and tables take outside of the interpreter.
    pub(crate) bytes: usize,
    pub(crate) machine_bytes: usize,
}

/// A script that runs for so long that others are told of it.
#[derive(Clone, Debug)]
pub(crate) struct SlowScript {
    /// The digest of a script, or the name of a function.
    pub(crate) name: String,
    /// The command that runs it.
    pub(crate) words: Vec<Box<[u8]>>,
    /// When it began, in microseconds on the monotonic scale.
    pub(crate) began_us: u64,
}

/// Carries out scripts.
pub(crate) trait Interpreter: Debug + Send + Sync {
    /// Does what a command asks for, and answers it.
    fn carry_out(&self, request: ScriptRequest, call: &mut Call<'_, '_>) -> Result<(), Error>;

    /// Calls a function of a library.
    fn call_function(&self, call: &mut Call<'_, '_>) -> Result<(), Error>;

    /// Does what a command asks about libraries of functions, and answers it.
    fn manage_functions(
        &self,
        request: FunctionRequest<'_>,
        call: &mut Call<'_, '_>,
    ) -> Result<(), Error>;

    /// How much there is of what.
    fn figures(&self) -> ScriptFigures;
}

/// How far the script is that runs.
mod phase {
    pub(super) const IDLE: u8 = 0;
    pub(super) const RUNNING: u8 = 1;
    /// It runs for so long that others are told.
    pub(super) const SLOW: u8 = 2;
}

/// How long who waits for a script to end sleeps before it looks whether the script is slow.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const BUSY: Error = Error::fixed(
    ErrorKind::Busy,
    "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
const BUSY_WITH_FUNCTION: Error = Error::fixed(
    ErrorKind::Busy,
    "Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
const NOT_BUSY: Error =
    Error::fixed(ErrorKind::Foreign, "NOTBUSY No scripts in execution right now.");
const UNKILLABLE: Error = Error::fixed(
    ErrorKind::Foreign,
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
     either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE \
     command.",
);

/// The interpreter, if the engine was built with one, whose turn it is, and how far the script is
/// that runs.
#[derive(Debug, Default)]
pub(crate) struct Scripting {
    pub(crate) interpreter: Option<Box<dyn Interpreter>>,
    turn: Mutex<()>,
    phase: AtomicU8,
    /// Whether the script is a function of a library.
    is_function: AtomicBool,
    /// What is told of the script while it is slow.
    slow: Mutex<Option<SlowScript>>,
    /// Whether the script shall end, and whether it has written.
    killed: AtomicBool,
    wrote: AtomicBool,
    /// Whether what it answers has an error in it.
    failed: AtomicBool,
    /// Those who wait for the script to end.
    waiting: Mutex<()>,
    ended: Condvar,
    /// Called while a script is slow.
    host: Mutex<Option<Waker>>,
}

/// The turn at scripts. Others may go on when it is dropped.
pub(crate) struct Turn<'s> {
    scripting: &'s Scripting,
    _guard: MutexGuard<'s, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.scripting.phase.swap(phase::IDLE, Relaxed) == phase::SLOW {
            *self.scripting.slow.lock() = None;
        }
        let _waiting = self.scripting.waiting.lock();
        self.scripting.ended.notify_all();
    }
}

impl Scripting {
    /// Waits until no other thread runs a script. To be called before any shard is locked: a script
    /// may want all of them.
    ///
    /// # Errors
    /// `BUSY` if the script that runs is slow.
    pub(crate) fn take_turn(&self) -> Result<Turn<'_>, Error> {
        let guard = loop {
            match self.turn.try_lock_for(LOOK_EVERY) {
                Some(guard) => break guard,
                None if self.is_slow() => return Err(self.busy()),
                None => {}
            }
        };
        self.killed.store(false, Relaxed);
        self.wrote.store(false, Relaxed);
        self.phase.store(phase::RUNNING, Relaxed);
        Ok(Turn { scripting: self, _guard: guard })
    }

    /// Whether no script runs.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.phase.load(Relaxed) == phase::IDLE
    }

    /// Whether a script runs for so long that others are told.
    #[inline]
    pub(crate) fn is_slow(&self) -> bool {
        self.phase.load(Relaxed) == phase::SLOW
    }

    /// Lets a command pass that locks the shards of its keys, and waits for no others.
    ///
    /// # Errors
    /// `BUSY` if the script that runs is slow.
    #[inline]
    pub(crate) fn pass(&self) -> Result<(), Error> {
        if self.is_slow() { Err(self.busy()) } else { Ok(()) }
    }

    /// Lets a command pass that looks at shards one by one, once no script runs.
    ///
    /// # Errors
    /// `BUSY` if the script that runs is slow.
    #[inline]
    pub(crate) fn pass_last(&self) -> Result<(), Error> {
        if self.is_idle() { Ok(()) } else { self.wait_for_end() }
    }

    #[cold]
    fn wait_for_end(&self) -> Result<(), Error> {
        let mut waiting = self.waiting.lock();
        loop {
            match self.phase.load(Relaxed) {
                phase::IDLE => return Ok(()),
                phase::SLOW => return Err(self.busy()),
                _ => _ = self.ended.wait_for(&mut waiting, LOOK_EVERY),
            }
        }
    }

    /// What is answered while a script is slow.
    pub(crate) fn busy(&self) -> Error {
        if self.is_function.load(Relaxed) { BUSY_WITH_FUNCTION } else { BUSY }
    }

    /// Notes which kind of script the one is that begins.
    #[cfg(feature = "scripts")]
    pub(crate) fn note_kind(&self, is_function: bool) {
        self.is_function.store(is_function, Relaxed);
    }

    /// Notes that the script writes, which no kill can undo.
    #[cfg(feature = "scripts")]
    pub(crate) fn note_write(&self) {
        self.wrote.store(true, Relaxed);
    }

    /// Notes that what the script answers has an error in it.
    #[cfg(feature = "scripts")]
    pub(crate) fn note_failure(&self) {
        self.failed.store(true, Relaxed);
    }

    /// Whether the script that ended just now has answered an error. To be asked by the thread whose
    /// turn it was.
    pub(crate) fn take_failure(&self) -> bool {
        self.failed.swap(false, Relaxed)
    }

    /// Notes that the script is slow, and lets the host serve others.
    #[cfg(feature = "scripts")]
    #[cold]
    pub(crate) fn note_slow(&self, describe: impl FnOnce() -> SlowScript) {
        if self.phase.load(Relaxed) != phase::SLOW {
            *self.slow.lock() = Some(describe());
            self.phase.store(phase::SLOW, Relaxed);
        }
        let host = self.host.lock().clone();
        if let Some(Waker(serve)) = host {
            serve();
        }
    }

    /// Whether the script shall end.
    #[cfg(feature = "scripts")]
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Says whom to call while a script is slow.
    pub(crate) fn set_host(&self, host: Waker) {
        *self.host.lock() = Some(host);
    }

    /// Lets the script end that runs: a function, or one of the other kind. Waits until it is known
    /// to be slow.
    fn kill(&self, function: bool) -> Result<(), Error> {
        let Err(busy) = self.pass_last() else { return Err(NOT_BUSY) };
        if self.wrote.load(Relaxed) {
            return Err(UNKILLABLE);
        }
        if function != self.is_function.load(Relaxed) {
            return Err(busy);
        }
        self.killed.store(true, Relaxed);
        Ok(())
    }

    /// The function that runs, if it is slow. Waits for one that is not, and for any script.
    ///
    /// # Errors
    /// `BUSY` if a script that is none is slow.
    fn slow_function(&self) -> Result<Option<SlowScript>, Error> {
        match self.pass_last() {
            Ok(()) => Ok(None),
            Err(_) if self.is_function.load(Relaxed) => Ok(self.slow.lock().clone()),
            Err(busy) => Err(busy),
        }
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

fn fcall(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.env.scripting.interpreter.as_ref().ok_or(NOT_BUILT_IN)?.call_function(call)
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
    kill_script(call, false)?;
    call.out.ok();
    Ok(())
}

/// Between the commands of a transaction no script runs.
fn kill_script(call: &Call<'_, '_>, function: bool) -> Result<(), Error> {
    if call.client.is_in_exec { Err(NOT_BUSY) } else { call.env.scripting.kill(function) }
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
