//! Commands that are carried out together: queued until EXEC, and then under the locks of all their
//! keys, so that no other caller sees a part of it.

use super::eviction::OUT_OF_MEMORY;
use super::execute::{Words, act, announce};
use super::timing::Outcome;
use super::{Inner, route};
use crate::command::table::{Spec, flag};
use crate::command::{Call, ClientState, Transaction};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Key};
use crate::resp::ReplySink;
use crate::time::Moment;
use std::collections::VecDeque;

const ABORTED: Error =
    Error::fixed(ErrorKind::ExecAbort, "Transaction discarded because of previous errors.");

const STARVED: Error = Error::fixed(
    ErrorKind::ExecAbort,
    "Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
);

/// Whether a session that queues commands carries this one out at once.
fn is_immediate(spec: &Spec) -> bool {
    ["exec", "discard", "multi", "watch", "quit", "reset"].contains(&&*spec.name)
}

impl Inner {
    /// Carries out a command of a session that is in a transaction, or queues it. Returns how that
    /// ended; if nothing, the command is to be carried out like any other.
    pub(super) fn run_in_transaction<'a>(
        &'a self,
        client: &mut ClientState,
        spec: &'static Spec,
        words: Words<'a>,
        out: &mut dyn ReplySink,
        time: &'a Moment<'a>,
    ) -> Option<Outcome> {
        if !is_immediate(spec) {
            client.note_command(spec);
            match self.queue(client, spec, words, time) {
                Ok(()) => out.status("QUEUED"),
                Err(error) => {
                    self.env.stats.commands.reject(spec);
                    self.answer_error(&error, out);
                }
            }
            return Some(Outcome::NotRun);
        }
        if &*spec.name == "exec" {
            client.note_command(spec);
            return Some(self.exec(client, spec, words, out, time));
        }
        None
    }

    /// Adds a command to the session's transaction, which breaks if the command could not be served.
    fn queue<'a>(
        &'a self,
        client: &mut ClientState,
        spec: &'static Spec,
        words: Words<'a>,
        time: &'a Moment<'a>,
    ) -> Result<(), Error> {
        let served = self.is_queueable(client, spec, words, client.asking, time);
        let transaction = client.transaction.as_mut().expect("the session is in a transaction");
        match served {
            Ok(()) => transaction.push(spec, words),
            Err(_) => transaction.is_broken = true,
        }
        client.note_transaction();
        served
    }

    fn is_queueable<'a>(
        &'a self,
        client: &ClientState,
        spec: &Spec,
        words: Words<'a>,
        asking: bool,
        time: &'a Moment<'a>,
    ) -> Result<(), Error> {
        if spec.flags & flag::NO_MULTI != 0 {
            return Err(Error::err("Command not allowed inside a transaction"));
        }
        let mut keys = self.locate_all(client.db, spec, words);
        if self.env.cluster.is_some() && !keys.is_empty() {
            let keys_of = &mut keys[..];
            let access = Access::keys_unless(&self.keyspace, time, keys_of, &|| self.is_busy());
            let mut access = access.ok_or_else(|| self.env.scripting.busy())?;
            match route::check(&self.env, spec, client, asking, &keys, &mut access) {
                // EXEC will wait.
                Err(error) if route::is_fenced(&error) => {}
                served => served?,
            }
        }
        // Any number of queued commands could take any amount of memory.
        if client.out_of_memory { Err(OUT_OF_MEMORY) } else { Ok(()) }
    }

    /// Carries out the queued commands, or says why not.
    fn exec(
        &self,
        client: &mut ClientState,
        spec: &'static Spec,
        exec_words: Words<'_>,
        out: &mut dyn ReplySink,
        time: &Moment<'_>,
    ) -> Outcome {
        let transaction = client.transaction.take().expect("the session is in a transaction");
        let watch = client.watch.take();
        let asking = std::mem::take(&mut client.asking);
        let may_wait = std::mem::replace(&mut client.may_wait, false);
        client.is_in_exec = true;
        client.note_transaction();
        let words = transaction.words();
        let mut plan = Plan::new(self, client.db, &transaction, &words);
        let own_keys = plan.keys.len();
        if let Some(watch) = &watch {
            plan.keys.extend(watch.keys().map(|(db, name)| self.keyspace.locate(db, name)));
        }
        let turn = plan.runs_scripts.then(|| self.env.scripting.take_turn()).transpose();
        let busy = || self.env.scripting.busy();
        let locked = turn.and_then(|turn| Ok((turn, plan.lock(self, time).ok_or_else(busy)?)));
        let (_turn, mut access) = match locked {
            Ok(locked) => locked,
            Err(error) => {
                drop(plan);
                drop(words);
                client.resume_transaction(transaction, watch, asking);
                let error = self.break_transaction(client, exec_words, error, time);
                self.answer_error(&error, out);
                return Outcome::NotRun;
            }
        };
        access.no_touch = client.no_touch;
        access.actor = client.id;
        let (keys, watched) = plan.keys.split_at_mut(own_keys);
        // A key whose time is over has changed, though nobody may have met it since.
        watched.iter().for_each(|key| _ = access.contains(key));
        let is_changed = watch.as_ref().is_some_and(|watch| watch.is_raised());
        let needs_memory = |(spec, _): (&Spec, _)| spec.flags & flag::DENYOOM != 0;
        let is_starved = client.out_of_memory && transaction.commands(&words).any(needs_memory);
        let served = if is_starved {
            Err(STARVED)
        } else if transaction.is_broken {
            Err(ABORTED)
        } else if is_changed {
            Ok(())
        } else {
            let check = if transaction.writes() && plan.is_everything {
                route::check_databases(&self.env)
            } else {
                Ok(())
            };
            check.and_then(|()| {
                route::check_all(&self.env, &transaction, client, asking, keys, &mut access)
            })
        };
        if may_wait && served.as_ref().is_err_and(route::is_fenced) {
            // It is as if EXEC had not come yet.
            drop((access, plan));
            drop(words);
            client.resume_transaction(transaction, watch, asking);
            client.park(&self.env.pause);
            return Outcome::NotRun;
        }
        if let Some(watch) = &watch {
            watch.end(&mut access);
        }
        let mut commands = 1;
        let mut outcome = Outcome::Done;
        match served {
            Err(error) => {
                self.answer_error(&error, out);
                outcome = Outcome::Failed;
            }
            Ok(()) if is_changed => out.null_array(),
            Ok(()) => {
                commands += transaction.len();
                out.array(transaction.len());
                access.begin_group();
                client.asked = asking;
                let mut start = 0;
                let mut round = self.round();
                for ((spec, words), end) in transaction.commands(&words).zip(plan.ends) {
                    let located = &mut keys[start..end];
                    start = end;
                    // A command before may have been SELECT.
                    located.iter_mut().for_each(|key| key.db = client.db as u16);
                    let (keys, env, mark) = (&mut access, &self.env, out.mark());
                    client.keep_up(env);
                    let outcome = match client.permit_at_exec(env, spec, words, || time.unix_ms()) {
                        Ok(()) => {
                            act(&mut Call { spec, words, located, keys, out, client, env, time })
                        }
                        Err(error) => {
                            env.stats.commands.reject(spec);
                            self.answer_error(&error, out);
                            Outcome::NotRun
                        }
                    };
                    round.add(spec, words, outcome, mark);
                    if !spec.is_brief {
                        self.end_round(&mut round, client, out, time);
                    }
                    // The next one may be PUBLISH.
                    announce(&self.env, &mut access);
                }
                access.end_group();
                self.end_round(&mut round, client, out, time);
            }
        }
        client.may_wait = may_wait;
        client.is_in_exec = false;
        if self.env.monitors.is_any() {
            self.env.show(spec, exec_words, client, time.unix_ms());
        }
        self.settle(access, commands, time, VecDeque::new());
        outcome
    }

    /// What is answered to words that are refused. A transaction breaks by that. EXEC itself ends it,
    /// and says so even where there is none, as in Redis.
    #[cold]
    pub(super) fn break_transaction(
        &self,
        client: &mut ClientState,
        words: Words<'_>,
        error: Error,
        time: &Moment<'_>,
    ) -> Error {
        if let Some(transaction) = &mut client.transaction {
            transaction.is_broken = true;
        }
        if self.env.names(client).find(words).is_none_or(|spec| &*spec.name != "exec") {
            return error;
        }
        client.end_transaction(&mut Access::nothing(&self.keyspace, time));
        let mut text = b"Transaction discarded because of: ".to_vec();
        match error.kind() {
            // Its prefix says no more than that it is an error.
            ErrorKind::Err => text.extend_from_slice(error.text()),
            _ => error.write_line(&mut text),
        }
        Error::new(ErrorKind::ExecAbort, text)
    }
}

/// What is locked for a transaction.
struct Plan<'a> {
    /// The keys of all commands, in order.
    keys: Vec<Key<'a>>,
    /// Where the keys of each command end.
    ends: Vec<usize>,
    /// Whether a command may look at keys that its words do not tell.
    is_everything: bool,
    runs_scripts: bool,
}

impl<'a> Plan<'a> {
    fn new(inner: &Inner, db: usize, transaction: &'a Transaction, words: &'a [&'a [u8]]) -> Self {
        let mut plan =
            Self { keys: Vec::new(), ends: Vec::new(), is_everything: false, runs_scripts: false };
        for (spec, words) in transaction.commands(words) {
            let before = plan.keys.len();
            plan.keys.extend(inner.locate_all(db, spec, words));
            plan.ends.push(plan.keys.len());
            plan.is_everything |= plan.keys.len() == before && !spec.leaves_keys_alone();
            plan.is_everything |= spec.reads_keys_by_value(words);
            plan.runs_scripts |= spec.flags & flag::RUNS_SCRIPTS != 0;
        }
        plan
    }

    /// The locks; none if the engine is busy.
    fn lock<'k>(&mut self, inner: &'k Inner, time: &'k Moment<'k>) -> Option<Access<'k>> {
        let gives_up = &|| inner.is_busy();
        match (self.is_everything, &mut self.keys[..]) {
            (true, _) => Access::all_unless(&inner.keyspace, time, gives_up),
            (false, []) => Some(Access::nothing(&inner.keyspace, time)),
            (false, keys) => {
                let mut access = Access::keys_unless(&inner.keyspace, time, keys, gives_up)?;
                access.prefetch(keys);
                Some(access)
            }
        }
    }
}
