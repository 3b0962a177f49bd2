//! How requests become calls: look up, locate, lock, bring near, run, settle.

use super::eviction::OUT_OF_MEMORY;
use super::timing::{Outcome, Round};
use super::waiting::Deferred;
use super::{Inner, route};
use crate::command::tracking::follow;
use crate::command::{
    AuditEvent, Call, ClientState, Counter, Environment, ReplyMode, Sample, is_shown_first, table,
};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Key, Traffic};
use crate::resp::ReplySink;
use crate::time::{Moment, Stopwatch};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use table::{Spec, flag};

/// How many requests are looked at together.
pub(super) const BATCH: usize = 16;

pub(super) type Words<'a> = &'a [&'a [u8]];

/// Keys of a request.
pub(super) type Keys<'a> = SmallVec<[Key<'a>; BATCH]>;

impl Inner {
    /// Carries out requests in order. Neighbours with one key each share their locks, and their
    /// records are brought near together, which hides most of the time that memory takes.
    ///
    /// Returns how many requests are done with: all, or those up to the first that leaves the
    /// session with something to look at before the next.
    pub(super) fn run(
        &self,
        client: &mut ClientState,
        requests: &[Words<'_>],
        out: &mut dyn ReplySink,
    ) -> usize {
        let stopwatch = Stopwatch::start(&*self.clock);
        let time = stopwatch.moment();
        let mut round = Round::new(stopwatch);
        let mut rest = requests;
        while !rest.is_empty() && !client.closing {
            client.keep_up(&self.env);
            let mut specs: SmallVec<[&'static Spec; BATCH]> = SmallVec::new();
            let mut keys: SmallVec<[Key<'_>; BATCH]> = SmallVec::new();
            let names = self.env.names(client);
            let is_plain =
                client.is_plain() && !self.env.pause.is_set() && !self.env.scripting.is_slow();
            let batch_len = if is_plain { BATCH } else { 0 };
            for words in rest.iter().take(batch_len) {
                let Ok(spec) = names.lookup(words) else { break };
                let Some(place) = spec.single_key() else { break };
                if client.identity.check(spec, words).is_err() {
                    break;
                }
                let key = self.keyspace.locate(client.db, words[place]);
                self.keyspace.prefetch(&key);
                keys.push(key);
                specs.push(spec);
            }
            let is_limited = self.is_limited();
            if is_limited && !self.make_room_for_batch(&specs, rest, &time) {
                // Each by itself is refused or not.
                keys.clear();
            }
            let access = match &mut keys[..] {
                [] => None,
                keys => Access::keys_unless(&self.keyspace, &time, keys, &|| self.is_busy()),
            };
            let Some(mut access) = access else {
                if client.may_wait
                    && self.env.pause.is_set()
                    && self.is_held_back(client, rest[0], &time)
                {
                    client.park(&self.env.pause);
                    break;
                }
                self.run_alone(client, rest[0], out, &time, &mut round);
                if client.parked {
                    break;
                }
                client.end_caching(rest[0]);
                rest = &rest[1..];
                if client.is_to_pause() {
                    break;
                }
                continue;
            };
            access.no_touch = client.no_touch;
            access.actor = client.id;
            client.out_of_memory = false;
            if keys.len() > 1 {
                access.prefetch(&keys);
            }
            let mut deferred = VecDeque::new();
            let mut done = 0;
            for ((words, spec), key) in rest.iter().zip(specs).zip(&keys) {
                if is_limited && done > 0 && spec.flags & flag::DENYOOM != 0 && self.is_over_limit()
                {
                    break;
                }
                let located = std::slice::from_ref(key);
                if !spec.is_brief && !round.is_empty() {
                    self.end_round(&mut round, client, out, &time);
                }
                let mark = out.mark();
                let outcome = self.run_one(client, spec, words, located, &mut access, out, &time);
                if client.parked {
                    break;
                }
                round.add(spec, words, outcome, mark);
                if !spec.is_brief {
                    self.end_round(&mut round, client, out, &time);
                }
                self.serve_now(&mut access, &time, &mut deferred);
                done += 1;
                if is_limited {
                    access.note_change(key);
                }
                // Who waits under other locks comes before the next command.
                if !deferred.is_empty() {
                    break;
                }
            }
            if !round.is_empty() {
                self.end_round(&mut round, client, out, &time);
            }
            self.settle(access, done, &time, deferred);
            rest = &rest[done..];
            if client.parked {
                break;
            }
        }
        client.publish(time.unix_ms());
        requests.len() - rest.len()
    }

    /// Carries out one command.
    pub(super) fn call(&self, client: &mut ClientState, words: Words<'_>, out: &mut dyn ReplySink) {
        if words.is_empty() {
            return out.error(&Error::err("unknown command '', with args beginning with: "));
        }
        let stopwatch = Stopwatch::start(&*self.clock);
        let time = stopwatch.moment();
        let mut round = Round::new(stopwatch);
        client.keep_up(&self.env);
        self.run_alone(client, words, out, &time, &mut round);
        client.end_caching(words);
        client.publish(time.unix_ms());
    }

    pub(super) fn run_alone<'a>(
        &'a self,
        client: &mut ClientState,
        words: Words<'a>,
        out: &mut dyn ReplySink,
        time: &'a Moment<'a>,
        round: &mut Round<'a, '_>,
    ) {
        let spec = self.env.names(client).lookup(words);
        let spec = spec.and_then(|spec| self.admit(client, spec, words, time));
        let spec = match spec.and_then(|spec| self.pass_script(client, spec, words)) {
            Ok(spec) => spec,
            Err(error) => return self.refuse(client, words, error, out, time),
        };
        self.make_room_for(client, spec, time);
        let mark = out.mark();
        if client.transaction.is_some()
            && let Some(outcome) = self.run_in_transaction(client, spec, words, out, time)
        {
            if client.parked {
                return;
            }
            round.add(spec, words, outcome, mark);
            self.end_round(round, client, out, time);
            return hide_reply(client, Some(spec), out, mark);
        }
        let (mut one, mut many);
        // Most commands have one key at a known place: no list is made for it.
        let keys: &mut [Key<'_>] = match spec.single_key() {
            Some(place) => {
                one = [self.keyspace.locate(client.db, words[place])];
                self.keyspace.prefetch(&one[0]);
                &mut one
            }
            None => {
                many = self.locate_all(client.db, spec, words);
                &mut many
            }
        };
        let runs_script = spec.flags & flag::RUNS_SCRIPTS != 0;
        let turn = runs_script.then(|| self.env.scripting.take_turn()).transpose();
        let _turn = match turn {
            Ok(turn) => turn,
            Err(error) => return self.refuse(client, words, error, out, time),
        };
        let Some(mut access) = self.lock_for(spec, words, keys, time) else {
            return self.refuse(client, words, self.env.scripting.busy(), out, time);
        };
        access.no_touch = client.no_touch;
        access.actor = client.id;
        if keys.len() > 1 {
            access.prefetch(keys);
        }
        let outcome = self.run_one(client, spec, words, keys, &mut access, out, time);
        if client.wait.is_some() {
            self.begin_wait(client, spec, words, keys, &mut access);
            self.env.stats.commands.add(spec, Sample { calls: 1, ..Sample::default() });
        } else {
            round.add(spec, words, outcome, mark);
            self.end_round(round, client, out, time);
        }
        self.settle(access, 1, time, VecDeque::new());
    }

    /// The locks that a command needs; none if it finds the engine busy. A script takes those of keys
    /// that it does not declare when it comes to them.
    fn lock_for<'k>(
        &'k self,
        spec: &Spec,
        words: Words<'_>,
        keys: &mut [Key<'_>],
        time: &'k Moment<'k>,
    ) -> Option<Access<'k>> {
        let gives_up = &|| self.is_busy();
        let touches_everything = spec.flags & flag::WRITE != 0 && self.keyspace.is_listened_to();
        let runs_script = spec.flags & flag::RUNS_SCRIPTS != 0;
        if keys.is_empty() && touches_everything {
            // What it does is heard of in its order among what others do.
            Access::all_unless(&self.keyspace, time, gives_up)
        } else if spec.reads_keys_by_value(words) && !runs_script {
            Access::all_unless(&self.keyspace, time, gives_up)
        } else if keys.is_empty() {
            Some(Access::nothing(&self.keyspace, time))
        } else {
            Access::keys_unless(&self.keyspace, time, keys, gives_up)
        }
    }

    /// Whether who waits for locks gives up, since the script that has them is slow.
    pub(super) fn is_busy(&self) -> bool {
        self.env.scripting.is_slow()
    }

    /// The keys of a request, in the order of its words.
    pub(super) fn locate_all<'a>(&self, db: usize, spec: &Spec, words: Words<'a>) -> Keys<'a> {
        let places = spec.key_places(words);
        places.iter().map(|&place| self.keyspace.locate(db, words[place])).collect()
    }

    /// Takes back everything by which others know of a session.
    pub(super) fn retire(&self, client: &mut ClientState) {
        if client.is_known() {
            let time = Moment::new(&*self.clock);
            let mut access = Access::nothing(&self.keyspace, &time);
            client.retire(&self.env, &mut access);
        }
    }

    /// Whether a pause holds a command back that would be carried out otherwise.
    #[cold]
    fn is_held_back(&self, client: &ClientState, words: Words<'_>, time: &Moment<'_>) -> bool {
        let Ok(spec) = self.env.names(client).lookup(words) else { return false };
        let is_known = client.identity.authenticated || spec.flags & flag::NO_AUTH != 0;
        let is_free = !client.only_listens() || is_for_listeners(spec);
        if !(is_known && is_free && client.identity.check(spec, words).is_ok()) {
            return false;
        }
        let transaction = client.transaction.as_ref().filter(|_| &*spec.name == "exec");
        let writes = transaction.is_some_and(|transaction| transaction.writes());
        self.env.pause.holds(spec, writes, time.unix_ms())
    }

    /// Lets a session pass that has authenticated, or needs not, whose user may give this command,
    /// and that may do more than listen.
    fn admit(
        &self,
        client: &ClientState,
        spec: &'static Spec,
        words: Words<'_>,
        time: &Moment<'_>,
    ) -> Result<&'static Spec, Error> {
        if !client.identity.authenticated && spec.flags & flag::NO_AUTH == 0 {
            return Err(NOT_AUTHENTICATED);
        }
        client.permit(&self.env, spec, words, || time.unix_ms())?;
        if client.only_listens() && !is_for_listeners(spec) {
            return Err(listens_only(spec));
        }
        Ok(spec)
    }

    /// Lets a command pass that may come while a script runs. While one is slow only those pass that
    /// Redis lets, and that want no lock. A command on no keys may look at all shards, and waits for
    /// the end here rather than there, where it could not give up.
    #[inline]
    fn pass_script(
        &self,
        client: &ClientState,
        spec: &'static Spec,
        words: Words<'_>,
    ) -> Result<&'static Spec, Error> {
        let scripting = &self.env.scripting;
        if scripting.is_idle() {
            return Ok(spec);
        }
        let has_keys = client.watch.is_some() || !spec.key_places(words).is_empty();
        if has_keys || spec.flags & flag::RUNS_SCRIPTS != 0 && spec.flags & flag::ALLOW_BUSY == 0 {
            scripting.pass()?;
        } else if spec.flags & flag::ALLOW_BUSY == 0 {
            scripting.pass_last()?;
        }
        Ok(spec)
    }

    /// Answers words that are no call. A browser that was led here gets no answer at all, lest a
    /// page that a stranger wrote could give commands.
    #[cold]
    fn refuse(
        &self,
        client: &mut ClientState,
        words: Words<'_>,
        error: Error,
        out: &mut dyn ReplySink,
        time: &Moment<'_>,
    ) {
        client.asking = false;
        if let Some(spec) = self.env.names(client).find(words) {
            self.env.stats.commands.reject(spec);
        }
        if [&b"post"[..], b"host:"].iter().any(|name| words[0].eq_ignore_ascii_case(name)) {
            client.closing = true;
            self.env.stats.foreign_protocol_closings.fetch_add(1, Relaxed);
            self.env.users.audit.tell(client, &AuditEvent::ForeignProtocolClosed);
            return;
        }
        let mark = out.mark();
        let error = self.break_transaction(client, words, error, time);
        self.answer_error(&error, out);
        hide_reply(client, None, out, mark);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn run_one<'a, 'k>(
        &'a self,
        client: &'a mut ClientState,
        spec: &'static Spec,
        words: Words<'a>,
        located: &'a [Key<'a>],
        keys: &'a mut Access<'k>,
        out: &'a mut dyn ReplySink,
        time: &'a Moment<'a>,
    ) -> Outcome {
        client.note_command(spec);
        let mark = out.mark();
        let asking = std::mem::take(&mut client.asking);
        let served = route::check(&self.env, spec, client, asking, located, keys);
        let is_refused = client.out_of_memory && spec.flags & flag::DENYOOM != 0;
        let served = served.and(if is_refused { Err(OUT_OF_MEMORY) } else { Ok(()) });
        let is_counted = self.env.cluster.is_some() && self.env.config.counts_traffic();
        let began_us = if is_counted { self.clock.now().mono_us } else { 0 };
        let mut call = Call { spec, words, located, keys, out, client, env: &self.env, time };
        let outcome = match served {
            Ok(()) => {
                call.client.asked = asking;
                let outcome = act(&mut call);
                // What ASKING said holds for the transaction that MULTI began, up to its end.
                call.client.asking |= asking && call.client.transaction.is_some();
                outcome
            }
            Err(error) if route::is_fenced(&error) && call.client.can_park() => {
                // It is carried out anew when the fence is lifted.
                call.client.asking = asking;
                call.client.park(&self.env.pause);
                return Outcome::NotRun;
            }
            Err(error) => {
                self.env.stats.commands.reject(spec);
                self.answer_error(&error, call.out);
                Outcome::NotRun
            }
        };
        if is_counted && let [key, ..] = located {
            let cpu_us = self.clock.now().mono_us.saturating_sub(began_us);
            note_traffic(&mut call, key, cpu_us, mark);
        }
        hide_reply(call.client, Some(spec), call.out, mark);
        outcome
    }

    /// Answers an error, which counts.
    pub(super) fn answer_error(&self, error: &Error, out: &mut dyn ReplySink) {
        answer_error(&self.env, error, out);
    }

    /// Tells what a batch did to those who want to know, gives up its locks, and then calls hosts
    /// whose sessions have something to take. What it met is added to the engine's figures.
    #[inline]
    pub(super) fn settle(
        &self,
        mut access: Access<'_>,
        commands: usize,
        time: &Moment<'_>,
        mut deferred: VecDeque<Deferred>,
    ) {
        self.serve_now(&mut access, time, &mut deferred);
        self.count(&access, commands);
        announce(&self.env, &mut access);
        self.tell_trackers(&mut access);
        drop(access);
        if !deferred.is_empty() {
            self.serve_deferred(deferred);
        }
        self.redirect_waiting();
        self.env.evict_grown_clients();
        self.env.post.send();
    }

    /// Serves who waits for what a command has changed.
    #[inline]
    fn serve_now(
        &self,
        access: &mut Access<'_>,
        time: &Moment<'_>,
        deferred: &mut VecDeque<Deferred>,
    ) {
        if !access.changes.awaited.is_empty() {
            self.serve_waiting(access, time, deferred);
        }
    }

    /// Tells sessions that keep copies of what changed.
    #[inline]
    pub(super) fn tell_trackers(&self, access: &mut Access<'_>) {
        let changes = &access.changes;
        if !changes.written.is_empty() || !changes.broadcast.is_empty() {
            self.env.tell_readers(access);
            self.env.tell_listeners(access);
        }
    }

    #[inline]
    pub(super) fn count(&self, access: &Access<'_>, commands: usize) {
        self.env.stats.add(&[
            (Counter::Commands, commands as u64),
            (Counter::KeyspaceHits, access.stats.hits),
            (Counter::KeyspaceMisses, access.stats.misses),
            (Counter::ExpiredKeys, access.stats.expired),
            (Counter::ExpiredMembers, access.stats.expired_members),
            (Counter::EvictedKeys, access.stats.evicted),
            (Counter::Changes, access.stats.changes),
        ]);
    }
}

/// Carries out a command that is served here.
#[inline]
pub(super) fn act(call: &mut Call<'_, '_>) -> Outcome {
    let env = call.env;
    let mark = call.out.mark();
    let is_shown = env.monitors.is_any();
    if is_shown && is_shown_first(call.spec) {
        env.show(call.spec, call.words, call.client, call.time.unix_ms());
    }
    let db = call.client.db;
    let changes = call.keys.begin_command(call.located);
    let result = (call.spec.command.handler)(call);
    let places = || call.spec.key_places(call.words);
    call.keys.end_command(changes, db, call.words, call.located, places);
    if let Some(cluster) = &env.cluster {
        route::note_write_without_keys(cluster, call.spec, call.located);
    }
    let outcome = match result {
        Ok(()) if call.spec.flags & flag::RUNS_SCRIPTS != 0 && env.scripting.take_failure() => {
            Outcome::Failed
        }
        Ok(()) => Outcome::Done,
        Err(error) => {
            call.out.rewind(mark);
            answer_error(env, &error, call.out);
            Outcome::Failed
        }
    };
    if call.keys.is_tracked() {
        follow(call);
    }
    if is_shown && !is_shown_first(call.spec) {
        env.show(call.spec, call.words, call.client, call.time.unix_ms());
    }
    outcome
}

/// Answers an error, which counts.
fn answer_error(env: &Environment, error: &Error, out: &mut dyn ReplySink) {
    out.error(error);
    env.stats.note_error(error);
}

/// Tells what happened to keys to those who listen.
pub(super) fn announce(env: &Environment, access: &mut Access<'_>) {
    if !access.changes.notices.is_empty() {
        let notices = std::mem::take(&mut access.changes.notices);
        env.announce(&notices, access.unix_ms());
    }
}

const NOT_AUTHENTICATED: Error = Error::fixed(ErrorKind::NoAuth, "Authentication required.");

/// Whether a session that only listens may give this command.
fn is_for_listeners(spec: &Spec) -> bool {
    spec.flags & flag::ANSWERS_BY_PUSH != 0 || ["ping", "quit", "reset"].contains(&&*spec.name)
}

#[cold]
fn listens_only(spec: &Spec) -> Error {
    let text = format!(
        "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        spec.name
    );
    Error::new(ErrorKind::Err, text)
}

/// Counts a command for the slot of its keys.
#[cold]
fn note_traffic(call: &mut Call<'_, '_>, key: &Key<'_>, cpu_us: u64, mark: usize) {
    let bytes_in = request_len(call.words) as u64;
    let bytes_out = call.out.mark().saturating_sub(mark) as u64;
    call.keys.note_traffic(key, Traffic { cpu_us, bytes_in, bytes_out });
}

/// How many bytes words take as a request in RESP.
fn request_len(words: Words<'_>) -> usize {
    // A marker, a number and a line's end.
    let head_len = |number: usize| 4 + number.checked_ilog10().unwrap_or(0) as usize;
    let word_len = |word: &&[u8]| head_len(word.len()) + word.len() + 2;
    head_len(words.len()) + words.iter().map(word_len).sum::<usize>()
}

/// Takes back a reply that the session does not want to see.
#[inline]
fn hide_reply(client: &mut ClientState, spec: Option<&Spec>, out: &mut dyn ReplySink, mark: usize) {
    if client.reply != ReplyMode::On {
        if spec.is_none_or(|spec| spec.flags & flag::ANSWERS_BY_PUSH == 0) {
            out.rewind(mark);
        }
        client.reply = client.reply.after_command();
    }
}
