//! Sessions that wait for a key: how they begin to, how a change to the key serves them in the order
//! of their arrival, and how they cease to.
//!
//! A waiter is served under the locks of the command that changed its key, so before anybody else
//! can see the change, if they guard all of the waiter's keys. Otherwise it is served right after
//! they are given up, under locks of its own; a command of another thread may then come first.

use super::execute::{Keys, Words, act, announce};
use super::route;
use super::{Engine, Inner, Session};
use crate::cluster::SlotState;
use crate::command::table::Spec;
use crate::command::{Call, ClientState, Release, Sample, WaitState, Waiter};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Awaited, Key};
use crate::resp::{Encoder, ReplySink};
use crate::time::{Moment, Stopwatch};
use crate::value::Type;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A waiter that is to be served under locks of its own, and the key that changed.
pub(super) struct Deferred {
    waiter: Arc<Waiter>,
    key: Box<[u8]>,
}

impl Engine {
    /// Carries out one command in database `db` and writes its reply to `sink`, as [`Engine::call`]
    /// does, but lets a command that waits, such as BLPOP, sleep on this thread until it is served,
    /// its time is over, or CLIENT UNBLOCK ends its wait. Under a clock that the host moves, the end
    /// of its time is noticed at the latest when as much real time has gone by.
    pub fn call_blocking(&self, db: usize, words: &[&[u8]], sink: &mut dyn ReplySink) {
        if db == 0 && !self.may_wait(words) {
            return self.call(words, sink);
        }
        let mut session = Session::new(self.clone());
        let reply = session.sleep_in(db, words, sink);
        if let Some(reply) = reply {
            reply.write(sink);
        }
    }
}

impl Inner {
    /// Lets a session wait that asked to. The locks of the command's keys are held.
    #[cold]
    pub(super) fn begin_wait(
        &self,
        client: &mut ClientState,
        spec: &'static Spec,
        words: Words<'_>,
        located: &[Key<'_>],
        access: &mut Access<'_>,
    ) {
        let wait = *client.wait.take().expect("the session asked to wait");
        let card = client.card.clone().expect("only sessions wait");
        let now_us = self.clock.now().mono_us;
        let deadline_us = wait.timeout.0.map(|ms| now_us.saturating_add(ms.saturating_mul(1000)));
        let mut keys: Vec<Box<[u8]>> = Vec::with_capacity(wait.keys);
        for key in &located[..wait.keys] {
            if !keys.iter().any(|other| **other == *key.bytes) {
                keys.push(key.bytes.into());
                access.begin_to_await(key);
            }
        }
        let own_words = || words.iter().map(|word| word.to_vec()).collect();
        let waiter = Arc::new(Waiter {
            card,
            db: client.db,
            protocol: client.protocol,
            no_touch: client.no_touch,
            identity: client.identity.clone(),
            spec,
            words: wait.words.clone().unwrap_or_else(own_words),
            wait,
            keys,
            deadline_us,
            state: Default::default(),
        });
        self.env.waiting.enter(&waiter);
        client.begin_wait(waiter.clone());
        if let Some(order) = client.order.take() {
            self.env.links.assign(*order, waiter, &self.env.post);
        }
    }

    /// Serves who waits for keys that changed under these locks; who waits for keys under other
    /// locks too is left for later, and with it everybody behind it.
    #[cold]
    pub(super) fn serve_waiting(
        &self,
        access: &mut Access<'_>,
        time: &Moment<'_>,
        deferred: &mut VecDeque<Deferred>,
    ) {
        // A waiter that is served may change a key for which another one waits.
        while !access.changes.awaited.is_empty() {
            for awaited in std::mem::take(&mut access.changes.awaited) {
                self.serve_queue(&awaited, access, time, deferred);
            }
        }
    }

    fn serve_queue(
        &self,
        awaited: &Awaited,
        access: &mut Access<'_>,
        time: &Moment<'_>,
        deferred: &mut VecDeque<Deferred>,
    ) {
        let db = usize::from(awaited.db);
        let key = self.keyspace.locate(db, &awaited.key);
        if !access.holds(&key) {
            // All databases were emptied or exchanged, and those locks are given up already.
            let waiters = self.env.waiting.queue(db, &awaited.key);
            let later = |waiter| Deferred { waiter, key: awaited.key.clone() };
            deferred.extend(waiters.into_iter().map(later));
            return;
        }
        let mut place = 0;
        loop {
            let of_type = access.peek(&key).map(Type::of);
            let next = self.env.waiting.next(db, &awaited.key, of_type, &mut place);
            let Some(waiter) = next else { return };
            let words: Vec<&[u8]> = waiter.words.iter().map(Vec::as_slice).collect();
            let keys = self.locate_all(db, waiter.spec, &words);
            let is_later = !deferred.is_empty() || !keys.iter().all(|key| access.holds(key));
            if is_later {
                let (waiter, key) = (waiter.clone(), awaited.key.clone());
                deferred.push_back(Deferred { waiter, key });
                place += 1;
            } else if !self.try_again(&waiter, &words, &keys, access, time) {
                place += 1;
            }
        }
    }

    /// Serves those that were left for later, in their order.
    #[cold]
    pub(super) fn serve_deferred(&self, mut deferred: VecDeque<Deferred>) {
        while let Some(Deferred { waiter, key }) = deferred.pop_front() {
            let time = Moment::new(&*self.clock);
            let words: Vec<&[u8]> = waiter.words.iter().map(Vec::as_slice).collect();
            let mut keys = self.locate_all(waiter.db, waiter.spec, &words);
            let mut access = Access::keys(&self.keyspace, &time, &mut keys);
            let key = self.keyspace.locate(waiter.db, &key);
            if waiter.wants(access.peek(&key).map(Type::of)) {
                self.try_again(&waiter, &words, &keys, &mut access, &time);
            }
            let mut more = VecDeque::new();
            self.serve_waiting(&mut access, &time, &mut more);
            deferred.append(&mut more);
            self.count(&access, 0);
            announce(&self.env, &mut access);
            self.tell_trackers(&mut access);
        }
    }

    /// Carries out the command of a waiter again. Returns whether its wait is over by that.
    fn try_again(
        &self,
        waiter: &Arc<Waiter>,
        words: Words<'_>,
        located: &Keys<'_>,
        access: &mut Access<'_>,
        time: &Moment<'_>,
    ) -> bool {
        let mut state = waiter.state.lock();
        if *state != WaitState::Waiting {
            return false;
        }
        let awaited_before = access.changes.awaited.len();
        let mut client = ClientState::of_waiter(waiter);
        client.keep_up(&self.env);
        let mut out = Encoder::new(waiter.protocol);
        let no_touch = std::mem::replace(&mut access.no_touch, waiter.no_touch);
        let mut stopwatch = Stopwatch::start(&*self.clock);
        let served = self.serve(&mut client, waiter.spec, words, located, access, &mut out, time);
        access.no_touch = no_touch;
        if !served || client.wait.is_some() {
            // It may have made its consumer, say; to be tried again for that would never end.
            access.changes.awaited.truncate(awaited_before);
            return false;
        }
        self.note_served(waiter, words, stopwatch.lap(), time);
        for name in &waiter.keys {
            access.cease_to_await(&self.keyspace.locate(waiter.db, name));
        }
        self.env.waiting.leave(waiter);
        let reply = out.take();
        waiter.answer(&mut state, WaitState::Over, &self.env.post, |out| {
            out.buffer_mut().extend_from_slice(&reply);
        });
        true
    }

    /// Notes how long it took to serve a waiter. Its call was counted when the wait began.
    fn note_served(&self, waiter: &Waiter, words: Words<'_>, ns: u64, time: &Moment<'_>) {
        let is_tracked = self.env.config.tracks_latency();
        let sample = Sample { calls: 0, timed: 1, failed: 0, each_ns: ns, is_tracked };
        self.env.stats.commands.add(waiter.spec, sample);
        let mut client = ClientState::with_card(waiter.card.clone());
        self.note_slow(&mut client, waiter.spec, words, ns / 1000, time);
    }

    /// Carries out a command if it is served here, and answers the error otherwise. Returns false if
    /// it has to wait.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn serve<'a, 'k>(
        &'a self,
        client: &'a mut ClientState,
        spec: &'static Spec,
        words: Words<'a>,
        located: &'a [Key<'a>],
        keys: &'a mut Access<'k>,
        out: &'a mut dyn ReplySink,
        time: &'a Moment<'a>,
    ) -> bool {
        // What the user may may have changed meanwhile.
        let permitted = client.permit(&self.env, spec, words, || time.unix_ms());
        let check = |()| route::check(&self.env, spec, client, false, located, keys);
        match permitted.and_then(check) {
            Ok(()) => {
                let env = &self.env;
                act(&mut Call { spec, words, located, keys, out, client, env, time });
            }
            // It goes on waiting, as nobody else gets anything either.
            Err(error) if route::is_fenced(&error) => return false,
            Err(error) => self.answer_error(&error, out),
        }
        true
    }

    /// Ends the wait of a session if it has waited long enough. The answer is in its mailbox then.
    pub(super) fn time_out(&self, waiter: &Waiter) {
        let now_us = self.clock.now().mono_us;
        if waiter.deadline_us.is_some_and(|deadline_us| deadline_us <= now_us) {
            waiter.release(Ok(Release::Timeout), &self.env.post);
        }
    }

    /// Takes a waiter, whose wait is over, out of all queues.
    pub(super) fn end_wait(&self, waiter: &Arc<Waiter>) {
        let state = std::mem::replace(&mut *waiter.state.lock(), WaitState::Over);
        if state == WaitState::Over {
            return;
        }
        self.env.waiting.leave(waiter);
        let time = Moment::new(&*self.clock);
        for name in &waiter.keys {
            let mut key = self.keyspace.locate(waiter.db, name);
            let mut access = Access::keys(&self.keyspace, &time, std::slice::from_mut(&mut key));
            access.cease_to_await(&key);
        }
    }

    /// Tells sessions that wait for keys that are served elsewhere by now, have read them, or listen
    /// to shard channels in their slots, if the cluster has changed. The caller holds no lock.
    pub(super) fn redirect_waiting(&self) {
        let Some(cluster) = &self.env.cluster else { return };
        let changes = cluster.changes();
        if self.told_changes.swap(changes, Relaxed) == changes {
            return;
        }
        self.env.pause.wake(&self.env.post);
        let now_ms = self.clock.unix_ms();
        let is_gone = |name: &[u8]| !cluster.serves(self.keyspace.locate(0, name).slot);
        // A key that is not here may come to be at the other node once its slot is open.
        let is_leaving = |name: &[u8]| {
            let slot = self.keyspace.locate(0, name).slot;
            let state = cluster.view().topology.state(slot);
            matches!(state, SlotState::Migrating { .. }) || !cluster.serves(slot)
        };
        self.env.invalidate_gone(is_leaving, now_ms);
        self.env.end_shard_channels(is_gone, now_ms);
        for waiter in self.env.waiting.all() {
            let time = Moment::new(&*self.clock);
            let words: Vec<&[u8]> = waiter.words.iter().map(Vec::as_slice).collect();
            let mut keys = self.locate_all(waiter.db, waiter.spec, &words);
            let mut access = Access::keys(&self.keyspace, &time, &mut keys);
            let client = ClientState::of_waiter(&waiter);
            let served: Result<(), Error> =
                route::check(&self.env, waiter.spec, &client, false, &keys, &mut access);
            drop(access);
            // A slot on its way to another node may still bring what is waited for.
            if let Err(error) = served
                && matches!(error.kind(), ErrorKind::Moved | ErrorKind::ClusterDown)
            {
                waiter.release(Err(&error), &self.env.post);
            }
        }
    }
}
