//! Client-side caching: clients that keep copies of what they read, and are told when a copy is out
//! of date. Either the engine remembers what each of them has read, up to `tracking-table-max-keys`,
//! or a client asks to be told of every change to keys with certain prefixes (BCAST).
//!
//! What a command read is remembered, and what it changed is told, under the locks of its keys, so
//! that no change falls between reading and remembering. With nobody tracking, a command costs a
//! test of a flag that was read when the locks were taken.
//!
//! The lock of the state comes after those of the shards, a waiter, the queues and the channels, and
//! before a mailbox.

mod choice;
mod table;

pub(crate) use choice::{Choice, Mode, option};

use super::call::Call;
use super::card::Card;
use super::client::ClientState;
use super::environment::Environment;
use super::mailbox::Letter;
use super::table::flag;
use crate::keyspace::{Access, Keyspace};
use crate::resp::{Protocol, ReplySink};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use table::{Readers, Table};

/// The channel on which a session in RESP2 hears of what another one keeps.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// How many entries beyond the limit are forgotten at a time.
const EVICTED_AT_ONCE: usize = 100;

/// What others may know of a session that tracks.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// A union of [`option`]s; zero for one that does not track.
    pub(crate) options: AtomicUsize,
    /// The session that hears in its place; zero for none.
    pub(crate) redirect: AtomicU64,
    /// Whether that session was found gone.
    pub(crate) is_broken: AtomicBool,
}

impl Tracker {
    /// The session that hears in the place of one that tracks; zero if it hears itself.
    pub(crate) fn redirect(&self) -> Option<u64> {
        self.has(option::ON).then(|| self.redirect.load(Relaxed))
    }

    fn has(&self, option: usize) -> bool {
        self.options.load(Relaxed) & option != 0
    }
}

/// Who is told of what.
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// All sessions that track.
    clients: BTreeMap<u64, Arc<Card>>,
    /// What those in the default mode have read.
    table: Table,
    /// Who is told of all keys with a prefix.
    prefixes: BTreeMap<Box<[u8]>, BTreeMap<u64, Arc<Card>>>,
}

/// Word for a session that copies are out of date.
#[derive(Clone, Debug)]
pub(crate) enum Invalidation {
    /// Of these keys, or of all. It may have been meant for another session.
    Keys { keys: Option<Arc<[Box<[u8]>]>>, is_redirected: bool },
    /// The session that was to hear in its place is gone.
    BrokenRedirect(u64),
}

impl Invalidation {
    /// About how many bytes it makes.
    pub(crate) fn weight(&self) -> usize {
        const HEADS: usize = 40;
        let Self::Keys { keys: Some(keys), .. } = self else { return HEADS };
        HEADS + keys.iter().map(|key| key.len()).sum::<usize>()
    }

    /// Writes it as a push. RESP2 has a message in its place, for a session that listens on behalf of
    /// another one, and otherwise nothing.
    pub(crate) fn write(&self, is_listening: bool, out: &mut dyn ReplySink) {
        match (self, out.protocol()) {
            (Self::BrokenRedirect(id), Protocol::Resp3) => {
                out.push(2);
                out.bulk(b"tracking-redir-broken");
                out.integer(*id as i64);
            }
            (Self::Keys { keys, .. }, Protocol::Resp3) => {
                out.push(2);
                out.bulk(b"invalidate");
                write_keys(keys.as_deref(), out);
            }
            (Self::Keys { keys, is_redirected: true }, Protocol::Resp2) if is_listening => {
                out.array(3);
                out.bulk(b"message");
                out.bulk(CHANNEL);
                write_keys(keys.as_deref(), out);
            }
            (Self::Keys { .. } | Self::BrokenRedirect(_), Protocol::Resp2) => {}
        }
    }
}

fn write_keys(keys: Option<&[Box<[u8]>]>, out: &mut dyn ReplySink) {
    let Some(keys) = keys else { return out.null() };
    out.array(keys.len());
    keys.iter().for_each(|key| out.bulk(key));
}

impl Tracking {
    /// Lets a session track, or do so in another way. The caller has checked that the choice agrees
    /// with what the session does already.
    pub(super) fn begin(&self, card: &Arc<Card>, choice: &Choice<'_>, keyspace: &Keyspace) {
        let mut state = self.state.lock();
        if state.clients.is_empty() {
            keyspace.track(true);
        }
        state.clients.insert(card.id, card.clone());
        card.tracker.is_broken.store(false, Relaxed);
        card.tracker.redirect.store(choice.redirect, Relaxed);
        card.tracker.options.store(choice.options | option::ON, Relaxed);
        if choice.options & option::BCAST != 0 {
            let all: &[&[u8]] = &[b""];
            let prefixes = if choice.prefixes.is_empty() { all } else { &choice.prefixes };
            for &prefix in prefixes {
                let listeners = state.prefixes.entry(prefix.into()).or_default();
                listeners.insert(card.id, card.clone());
            }
        }
    }

    /// Lets a session track no longer.
    pub(super) fn end(&self, card: &Card, keyspace: &Keyspace) {
        let mut state = self.state.lock();
        if state.clients.remove(&card.id).is_none() {
            return;
        }
        card.tracker.options.store(0, Relaxed);
        card.tracker.is_broken.store(false, Relaxed);
        state.prefixes.retain(|_, listeners| {
            listeners.remove(&card.id);
            !listeners.is_empty()
        });
        if state.clients.is_empty() {
            // What was read by those who track no longer is of interest to nobody.
            state.table.clear();
            keyspace.track(false);
        }
    }

    /// The prefixes of which a session is told, in order.
    pub(super) fn prefixes_of(&self, id: u64) -> Vec<Box<[u8]>> {
        let state = self.state.lock();
        let own = state.prefixes.iter().filter(|(_, listeners)| listeners.contains_key(&id));
        own.map(|(prefix, _)| prefix.clone()).collect()
    }

    /// How many sessions track, how many keys are remembered, how many pairs of a key and a session,
    /// and how many prefixes there are.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let state = self.state.lock();
        [state.clients.len(), state.table.len(), state.table.pairs(), state.prefixes.len()]
    }
}

/// Remembers what a command read, and tells of what it changed. The caller found that somebody
/// tracks, and holds the locks of the command's keys.
#[cold]
pub(crate) fn follow(call: &mut Call<'_, '_>) {
    call.env.tell_readers(call.keys);
    let reads = call.spec.flags & flag::READONLY != 0
        && call.spec.flags & (flag::PUBSUB | flag::SKIP_MONITOR) == 0;
    if reads && call.client.tracking.remembers() {
        call.env.remember_read(call);
    }
}

impl Environment {
    /// Tells sessions of keys that changed and that they have read. Those that ask for all changes
    /// are left for [`Environment::tell_listeners`].
    pub(crate) fn tell_readers(&self, keys: &mut Access<'_>) {
        if keys.changes.written.is_empty() {
            return;
        }
        let now_ms = keys.unix_ms();
        let mut state = self.tracking.state.lock();
        for key in std::mem::take(&mut keys.changes.written) {
            if let Some(readers) = state.table.remove(&key) {
                self.tell_each(&state, &key, &readers, Some(keys.actor), now_ms);
            }
            if !state.prefixes.is_empty() {
                keys.changes.broadcast.push((key, keys.actor));
            }
        }
    }

    /// Tells sessions of a key that was forgotten, but for the one that changed it if it does not
    /// want to hear of its own changes.
    fn tell_each(
        &self,
        state: &State,
        key: &[u8],
        readers: &Readers,
        actor: Option<u64>,
        now_ms: u64,
    ) {
        let keys: Arc<[Box<[u8]>]> = [key.into()].into();
        let readers = readers.iter().filter_map(|id| state.clients.get(id));
        for card in readers.filter(|card| !card.tracker.has(option::BCAST)) {
            if actor != Some(card.id) || !card.tracker.has(option::NOLOOP) {
                self.invalidate(card, Some(keys.clone()), now_ms);
            }
        }
    }

    /// Tells sessions that ask for all changes of those there were.
    pub(crate) fn tell_listeners(&self, keys: &mut Access<'_>) {
        if keys.changes.broadcast.is_empty() {
            return;
        }
        let now_ms = keys.unix_ms();
        let written: BTreeMap<Box<[u8]>, u64> =
            std::mem::take(&mut keys.changes.broadcast).into_iter().collect();
        let state = self.tracking.state.lock();
        for (prefix, listeners) in &state.prefixes {
            let of_prefix = || written.iter().filter(|(key, _)| key.starts_with(prefix));
            let all: Arc<[Box<[u8]>]> = of_prefix().map(|(key, _)| key.clone()).collect();
            for card in listeners.values() {
                let keys = if card.tracker.has(option::NOLOOP) {
                    let others = of_prefix().filter(|(_, actor)| **actor != card.id);
                    others.map(|(key, _)| key.clone()).collect()
                } else {
                    all.clone()
                };
                if !keys.is_empty() {
                    self.invalidate(card, Some(keys), now_ms);
                }
            }
        }
    }

    fn remember_read(&self, call: &Call<'_, '_>) {
        let max = self.config.tracking_table_keys();
        let mut state = self.tracking.state.lock();
        for key in call.located {
            state.table.add(key.bytes, call.client.tracking.id);
        }
        let excess = if max == 0 { 0 } else { state.table.len().saturating_sub(max) };
        for _ in 0..excess.min(EVICTED_AT_ONCE) {
            let (key, readers) = state.table.remove_any(self.random());
            self.tell_each(&state, &key, &readers, None, call.time.unix_ms());
        }
    }

    /// Tells all who track that no copy is good any more: a database was emptied.
    pub(super) fn invalidate_all(&self, now_ms: u64) {
        let mut state = self.tracking.state.lock();
        state.table.clear();
        state.clients.values().for_each(|card| self.invalidate(card, None, now_ms));
    }

    /// Tells sessions of keys that they have read and that `is_gone` says are served elsewhere.
    pub(crate) fn invalidate_gone(&self, is_gone: impl Fn(&[u8]) -> bool, now_ms: u64) {
        let mut state = self.tracking.state.lock();
        for (key, readers) in state.table.remove_where(is_gone) {
            self.tell_each(&state, &key, &readers, None, now_ms);
        }
    }

    /// Leaves word for a session, or for the one that hears in its place.
    fn invalidate(&self, card: &Arc<Card>, keys: Option<Arc<[Box<[u8]>]>>, now_ms: u64) {
        let redirect = card.tracker.redirect.load(Relaxed);
        let is_redirected = redirect != 0;
        let target = if is_redirected { self.sessions.card(redirect) } else { Some(card.clone()) };
        let (target, word) = match target {
            Some(target) => (target, Invalidation::Keys { keys, is_redirected }),
            None => {
                card.tracker.is_broken.store(true, Relaxed);
                (card.clone(), Invalidation::BrokenRedirect(redirect))
            }
        };
        let limit = if target.is_listening() {
            self.config.listener_output_limit()
        } else {
            self.config.output_limit()
        };
        self.leave_letter(&target, Letter::Invalidation(word), limit, now_ms);
    }
}

impl ClientState {
    /// Tracks no longer.
    pub(crate) fn end_tracking(&mut self, env: &Environment, keyspace: &Keyspace) {
        if std::mem::take(&mut self.tracking).is_on()
            && let Some(card) = &self.card
        {
            env.tracking.end(card, keyspace);
        }
    }
}
