//! One run of a script: the commands that it gives, under the locks that are held for it.

use super::fault::Fault;
use crate::command::table::{Spec, flag};
use crate::command::{Call, ClientState, Environment, Sample, SlowScript};
use crate::engine::eviction::OUT_OF_MEMORY;
use crate::engine::timing::Outcome;
use crate::engine::{execute, route};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Key};
use crate::resp::number::write_f64_17;
use crate::resp::{Encoder, Protocol, ReplySink};
use crate::time::Moment;
use scoped_tls_hkt::scoped_thread_local;
use smallvec::SmallVec;

/// What becomes of an error that a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is raised, as `redis.call` does.
    Raise,
    /// It is returned, as `redis.pcall` does.
    Return,
}

/// What native functions want of the run that they are called in.
pub(super) trait Run {
    /// Forgets the words of the last command.
    fn begin_words(&mut self);
    fn add_text(&mut self, text: &[u8]);
    fn add_number(&mut self, number: f64);
    /// Carries out the command that the words make. The reply is kept.
    fn give(&mut self, mode: Mode) -> Result<(), Fault>;
    fn reply(&self) -> &[u8];
    fn protocol(&self) -> Protocol;
    fn set_protocol(&mut self, protocol: Protocol);
    /// Whether the session's user may give the command that the words make; none if they make none.
    fn is_permitted(&self) -> Option<bool>;
    /// Whether the script runs for longer than others shall wait for it.
    fn is_slow(&self) -> bool;
    /// Lets others know that it does.
    fn note_slow(&self);
    /// Whether the script shall end.
    fn is_killed(&self) -> bool;
}

scoped_thread_local!(pub(super) static mut RUN: for<'a> &'a mut (dyn Run + 'a));

/// Lets `work` have the run that this thread is in.
pub(super) fn with_run<R>(
    work: impl FnOnce(&mut dyn Run) -> Result<R, mlua::Error>,
) -> Result<R, mlua::Error> {
    if !RUN.is_set() {
        let text = "redis.call/pcall can only be called inside a script invocation";
        return Err(Fault::reply(text).raised());
    }
    RUN.with(|run| work(run))
}

/// What a script may do, and how its keys are judged in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// It must not write.
    pub(super) read_only: bool,
    /// Its keys may be in several slots.
    pub(super) cross_slot: bool,
    /// Memory is short, so that it must not begin to write what may need some.
    pub(super) is_starved: bool,
}

/// A run.
pub(super) struct Running<'r, 'k> {
    pub(super) keys: &'r mut Access<'k>,
    pub(super) env: &'r Environment,
    pub(super) time: &'r Moment<'r>,
    /// The session that the script's commands see.
    pub(super) client: ClientState,
    pub(super) rights: Rights,
    /// Whether the caller asked to be served by an importing slot.
    pub(super) asking: bool,
    /// The slot that the script's keys are in, as far as is known.
    pub(super) slot: Option<u16>,
    /// How many commands were carried out.
    pub(super) commands: usize,
    /// What the script is called, and the command that runs it.
    pub(super) name: &'r str,
    pub(super) caller: &'r [&'r [u8]],
    /// When the script began, in microseconds on the monotonic scale.
    pub(super) began_us: u64,
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<usize>,
    pub(super) out: Encoder,
}

impl Run for Running<'_, '_> {
    fn begin_words(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn add_text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.ends.push(self.text.len());
    }

    fn add_number(&mut self, number: f64) {
        write_f64_17(number, &mut self.text);
        self.ends.push(self.text.len());
    }

    fn give(&mut self, mode: Mode) -> Result<(), Fault> {
        let (text, ends) = (std::mem::take(&mut self.text), std::mem::take(&mut self.ends));
        let mut start = 0;
        let word = |&end: &usize| &text[std::mem::replace(&mut start, end)..end];
        let words: SmallVec<[&[u8]; 8]> = ends.iter().map(word).collect();
        self.out.clear();
        self.out.set_protocol(self.client.protocol);
        let done = self.carry_out(&words);
        drop(words);
        (self.text, self.ends) = (text, ends);
        done?;
        match self.out.bytes() {
            [b'-', line @ .., b'\r', b'\n'] if mode == Mode::Raise => {
                Err(Fault::Reply { text: line.to_vec(), counted: true })
            }
            _ => Ok(()),
        }
    }

    fn reply(&self) -> &[u8] {
        self.out.bytes()
    }

    fn protocol(&self) -> Protocol {
        self.client.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.client.protocol = protocol;
    }

    fn is_permitted(&self) -> Option<bool> {
        let mut start = 0;
        let word = |&end: &usize| &self.text[std::mem::replace(&mut start, end)..end];
        let words: SmallVec<[&[u8]; 8]> = self.ends.iter().map(word).collect();
        let spec = self.env.names(&self.client).find(&words)?;
        Some(self.client.identity.check(spec, &words).is_ok())
    }

    fn is_slow(&self) -> bool {
        let us = self.time.current_us().saturating_sub(self.began_us);
        us / 1000 >= self.env.config.busy_reply_ms()
    }

    fn note_slow(&self) {
        self.env.scripting.note_slow(|| SlowScript {
            name: self.name.to_owned(),
            words: self.caller.iter().map(|&word| word.into()).collect(),
            began_us: self.began_us,
        });
    }

    fn is_killed(&self) -> bool {
        self.env.scripting.is_killed()
    }
}

impl Running<'_, '_> {
    /// Carries out a command, if a script may give it. What it does is settled with the script's
    /// end, but for messages, which keep their order.
    fn carry_out(&mut self, words: &[&[u8]]) -> Result<(), Fault> {
        let spec = self.admit(words)?;
        if spec.flags & flag::WRITE != 0 {
            // What has begun may come to its end.
            self.rights.is_starved = false;
        }
        let keyspace = self.keys.keyspace();
        let places = match spec.single_key() {
            Some(place) => SmallVec::from_slice(&[place]),
            None => spec.key_places(words),
        };
        let db = self.client.db;
        let located: SmallVec<[Key<'_>; 4]> =
            places.iter().map(|&place| keyspace.locate(db, words[place])).collect();
        self.claim(spec, words, &located);
        self.route(spec, &located).inspect_err(|_| self.env.stats.commands.reject(spec))?;
        self.commands += 1;
        if spec.flags & flag::WRITE != 0 {
            self.env.scripting.note_write();
        }
        let (keys, client, env) = (&mut *self.keys, &mut self.client, self.env);
        let (out, time) = (&mut self.out, self.time);
        let outcome = execute::act(&mut Call {
            spec,
            words,
            located: &located,
            keys,
            out,
            client,
            env,
            time,
        });
        let failed = u64::from(outcome == Outcome::Failed);
        env.stats.commands.add(spec, Sample { calls: 1, failed, ..Sample::default() });
        if !self.keys.changes.notices.is_empty() {
            execute::announce(self.env, self.keys);
        }
        Ok(())
    }

    /// Locks what a command needs and the script has not declared.
    fn claim(&mut self, spec: &Spec, words: &[&[u8]], located: &[Key<'_>]) {
        if spec.reads_keys_by_value(words) || located.is_empty() && !spec.leaves_keys_alone() {
            self.keys.claim_all();
        } else {
            self.keys.claim(located);
        }
    }

    /// The command, if a script may give it.
    fn admit(&self, words: &[&[u8]]) -> Result<&'static Spec, Fault> {
        let Some(spec) = self.env.names(&self.client).find(words) else {
            return Err(self.refuse("Unknown Redis command called from script"));
        };
        self.admit_known(spec, words).inspect_err(|_| self.env.stats.commands.reject(spec))?;
        Ok(spec)
    }

    fn admit_known(&self, spec: &'static Spec, words: &[&[u8]]) -> Result<(), Fault> {
        if !spec.takes(words.len()) {
            return Err(self.refuse("Wrong number of args calling Redis command from script"));
        }
        if spec.flags & flag::NOSCRIPT != 0 {
            return Err(self.refuse("This Redis command is not allowed from script"));
        }
        let permitted = self.client.permit(self.env, spec, words, || self.time.unix_ms());
        if let Err(error) = permitted {
            let text = String::from_utf8_lossy(error.text()).into_owned();
            return Err(self.refuse(&format!("ACL failure in script: {text}")));
        }
        if self.rights.read_only && spec.flags & flag::WRITE != 0 {
            return Err(self.refuse("Write commands are not allowed from read-only scripts."));
        }
        if self.rights.is_starved && spec.flags & flag::DENYOOM != 0 {
            return Err(self.refuse_with(&OUT_OF_MEMORY));
        }
        Ok(())
    }

    /// An error that no command has answered, which counts.
    fn refuse(&self, text: &str) -> Fault {
        self.refuse_with(&Error::new(ErrorKind::Err, text))
    }

    fn refuse_with(&self, error: &Error) -> Fault {
        self.env.stats.note_error(error);
        let mut text = Vec::new();
        error.write_line(&mut text);
        Fault::Reply { text, counted: true }
    }

    /// Judges a command as if it had come by itself, but no redirection leads a script elsewhere.
    fn route(&mut self, spec: &Spec, keys: &[Key<'_>]) -> Result<(), Fault> {
        let judged = route::check(self.env, spec, &self.client, self.asking, keys, self.keys);
        if let Err(error) = judged {
            if self.env.cluster.is_none() {
                return Err(self.refuse_with(&error));
            }
            return Err(self.refuse(&misrouted(&error, spec)));
        }
        if self.env.cluster.is_none() {
            return Ok(());
        }
        let Some(key) = keys.first() else { return Ok(()) };
        if *self.slot.get_or_insert(key.slot) != key.slot && !self.rights.cross_slot {
            let text = "Script attempted to access keys that do not hash to the same slot";
            return Err(self.refuse(text));
        }
        Ok(())
    }
}

/// What a script is told of a command that is not served here.
fn misrouted(error: &Error, spec: &Spec) -> String {
    let name = &spec.name;
    match (error.kind(), error.text()) {
        (ErrorKind::ClusterDown, b"Hash slot not served") => {
            "Script attempted to access a slot not served".to_owned()
        }
        (ErrorKind::ClusterDown, b"The cluster is down") => {
            "Script attempted to execute a command while the cluster is down".to_owned()
        }
        (ErrorKind::ClusterDown, _) => "Script attempted to execute a write command while the \
                                        cluster is down and readonly"
            .to_owned(),
        (ErrorKind::CrossSlot, _) => format!(
            "Command '{name}' in script attempted to access keys that don't hash to the same slot"
        ),
        (ErrorKind::TryAgain, _) => format!(
            "Unable to execute command '{name}' in script because undeclared keys were accessed \
             during rehashing of the slot"
        ),
        _ => "Script attempted to access a non local key in a cluster node".to_owned(),
    }
}
