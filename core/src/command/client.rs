//! What the engine knows of one session: plain data that commands read and change. What other
//! sessions may know of it is on its card.

use super::acl::Identity;
use super::card::{Card, Labels, mark};
use super::environment::Environment;
use super::link::Order;
use super::pause::Pause;
use super::pubsub::Subscriptions;
use super::table::Spec;
use super::tracking::Mode;
use super::transaction::{Transaction, Watch};
use super::wait::{Wait, Waiter};
use crate::keyspace::Access;
use crate::resp::Protocol;
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Which replies a session wants to see (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    /// All of them.
    #[default]
    On,
    /// None.
    Off,
    /// Not the one to the command that comes next.
    SkipNext,
    /// Not the one to the command that runs now.
    SkipThis,
}

impl ReplyMode {
    /// The mode after a command that ran in this one.
    pub(crate) fn after_command(self) -> Self {
        match self {
            Self::On | Self::SkipThis => Self::On,
            Self::Off => Self::Off,
            Self::SkipNext => Self::SkipThis,
        }
    }
}

/// The state of one session.
#[derive(Debug)]
pub(crate) struct ClientState {
    /// Unique within the engine, from one on; zero for a caller without a session.
    pub(crate) id: u64,
    /// The database that commands without a choice of their own use.
    pub(crate) db: usize,
    /// The version that replies are written in.
    pub(crate) protocol: Protocol,
    /// Which replies are wanted.
    pub(crate) reply: ReplyMode,
    /// Whether the next command may be served from an importing slot.
    pub(crate) asking: bool,
    /// Whether it came before the command that is being carried out.
    pub(crate) asked: bool,
    /// Whether a replica's view is good enough for reads (READONLY).
    pub(crate) readonly: bool,
    /// Whether reads leave the access clock alone (CLIENT NO-TOUCH).
    pub(crate) no_touch: bool,
    /// Whether the session stays when memory for clients runs out (CLIENT NO-EVICT).
    pub(crate) no_evict: bool,
    /// Who the session is, and what may be kept from it.
    pub(crate) identity: Identity,
    /// Whether EXEC carries out the session's commands.
    pub(crate) is_in_exec: bool,
    /// Whether a script gives the session's commands.
    pub(crate) is_in_script: bool,
    /// Whether the session ends once its output is written.
    pub(crate) closing: bool,
    /// Whether memory is short, and no room could be made for the command that runs.
    pub(crate) out_of_memory: bool,
    /// The commands that wait for EXEC, after MULTI.
    pub(crate) transaction: Option<Box<Transaction>>,
    /// The keys that are watched.
    pub(crate) watch: Option<Box<Watch>>,
    /// Whether a command may let the session wait.
    pub(crate) may_wait: bool,
    /// What the command that runs wants to wait for.
    pub(crate) wait: Option<Box<Wait>>,
    /// What the command that runs wants to have settled with another node.
    pub(crate) order: Option<Box<Order>>,
    /// The wait that the session is in.
    pub(crate) waiter: Option<Arc<Waiter>>,
    /// Whether the session has a command that a pause holds back.
    pub(crate) parked: bool,
    /// Whether the session is shown what is carried out (MONITOR).
    pub(crate) monitors: bool,
    /// How the session is told that copies of what it read are out of date.
    pub(crate) tracking: Mode,
    /// Whether a command is tried again that has waited.
    pub(crate) retries: bool,
    /// What the session listens to, if to anything.
    pub(crate) subscriptions: Option<Box<Subscriptions>>,
    /// When the output went beyond the soft limit, in milliseconds since the Unix epoch.
    pub(crate) output_over_since_ms: Option<u64>,
    /// What others may know of the session; a caller without a session mostly has none.
    pub(crate) card: Option<Arc<Card>>,
}

impl Default for ClientState {
    /// The state of a caller within the process, who needs no password.
    fn default() -> Self {
        Self {
            id: 0,
            db: 0,
            protocol: Protocol::default(),
            reply: ReplyMode::default(),
            asking: false,
            asked: false,
            readonly: false,
            no_touch: false,
            no_evict: false,
            identity: Identity::default(),
            is_in_exec: false,
            is_in_script: false,
            closing: false,
            out_of_memory: false,
            transaction: None,
            watch: None,
            may_wait: false,
            wait: None,
            order: None,
            waiter: None,
            parked: false,
            monitors: false,
            tracking: Mode::default(),
            retries: false,
            subscriptions: None,
            output_over_since_ms: None,
            card: None,
        }
    }
}

impl ClientState {
    /// The state of a new session that has this card.
    pub(crate) fn with_card(card: Arc<Card>) -> Self {
        Self { id: card.id, card: Some(card), ..Self::default() }
    }

    /// The state in which the command of a waiter is tried again.
    pub(crate) fn of_waiter(waiter: &Waiter) -> Self {
        let Waiter { db, protocol, no_touch, .. } = *waiter;
        let identity = waiter.identity.clone();
        let before = Self::default();
        Self { db, protocol, no_touch, identity, may_wait: true, retries: true, ..before }
    }

    /// The state in which a script of a session gives its commands. Its choice of a database is its
    /// own, and so is the version in which it sees replies.
    #[cfg(feature = "scripts")]
    pub(crate) fn of_script(client: &Self) -> Self {
        let Self { db, readonly, no_touch, .. } = *client;
        let (identity, card) = (client.identity.clone(), client.card.clone());
        let (id, tracking, rest) = (client.id, client.tracking, Self::default());
        let is_in_script = true;
        Self { id, db, readonly, no_touch, identity, is_in_script, tracking, card, ..rest }
    }

    /// Notes that the session waits.
    pub(crate) fn begin_wait(&mut self, waiter: Arc<Waiter>) {
        if let Some(card) = &self.card {
            *card.waiter.lock() = Some(waiter.clone());
        }
        self.waiter = Some(waiter);
    }

    /// Notes that the session waits no longer.
    pub(crate) fn end_wait(&mut self) -> Option<Arc<Waiter>> {
        if let Some(card) = &self.card {
            *card.waiter.lock() = None;
        }
        self.waiter.take()
    }

    /// Whether there is something to look at before the next command.
    #[inline]
    pub(crate) fn is_to_pause(&self) -> bool {
        self.subscriptions.is_some()
            || self.waiter.is_some()
            || self.monitors
            || self.tracking.is_on()
    }

    /// Goes back to a transaction, as before EXEC.
    pub(crate) fn resume_transaction(
        &mut self,
        transaction: Box<Transaction>,
        watch: Option<Box<Watch>>,
        asking: bool,
    ) {
        (self.transaction, self.watch) = (Some(transaction), watch);
        (self.asking, self.may_wait) = (asking, true);
        self.note_transaction();
    }

    /// Whether a command can be held back, and carried out anew later.
    pub(crate) fn can_park(&self) -> bool {
        self.may_wait && self.card.is_some() && self.id != 0
    }

    /// Notes that a pause holds the session's next command back.
    pub(crate) fn park(&mut self, pause: &Pause) {
        self.parked = true;
        self.card.iter().for_each(|card| pause.park(card));
    }

    /// Lets the session go on if it is parked.
    pub(crate) fn unpark(&mut self, pause: &Pause) {
        if std::mem::take(&mut self.parked) {
            self.card.iter().for_each(|card| pause.unpark(card));
        }
    }

    /// What others may know of the session. A caller without a session gets a card when it first
    /// asks.
    pub(crate) fn card(&mut self) -> &Card {
        self.card.get_or_insert_default()
    }

    /// The texts on the session's card.
    pub(crate) fn labels(&mut self) -> MutexGuard<'_, Labels> {
        self.card().labels()
    }

    /// Where the client is, as logs write it.
    pub(crate) fn peer(&mut self) -> String {
        let labels = self.labels();
        if labels.peer.is_empty() { "?:0".to_owned() } else { labels.peer.clone() }
    }

    /// Notes which command runs.
    #[inline]
    pub(crate) fn note_command(&self, spec: &'static Spec) {
        if let Some(card) = &self.card {
            card.note_command(spec);
        }
    }

    /// Brings the card up to date.
    #[inline]
    pub(crate) fn publish(&self, now_ms: u64) {
        let Some(card) = &self.card else { return };
        let marks = [
            (self.protocol == Protocol::Resp3, mark::RESP3),
            (self.no_evict, mark::NO_EVICT),
            (self.no_touch, mark::NO_TOUCH),
            (self.closing, mark::CLOSING),
            (self.readonly, mark::READONLY),
            (self.parked, mark::PARKED),
            (self.monitors, mark::MONITOR),
        ];
        let marks = marks.into_iter().map(|(set, mark)| if set { mark } else { 0 }).sum();
        card.marks.store(marks, Relaxed);
        card.db.store(self.db, Relaxed);
        card.seen_ms.store(now_ms, Relaxed);
    }

    /// Whether the session comes from this process or this machine.
    pub(crate) fn is_local(&self) -> bool {
        let Some(card) = &self.card else { return true };
        let labels = card.labels();
        let peer = labels.peer.as_str();
        let loopback = peer.starts_with("127.") || peer.starts_with("[::1]");
        peer.is_empty() || loopback || is_unix_socket(peer)
    }

    /// Forgets what CLIENT CACHING asked for once the command after it is carried out.
    pub(crate) fn end_caching(&mut self, words: &[&[u8]]) {
        let is_client = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"client"));
        if self.transaction.is_none() && !is_client {
            self.tracking.caching = false;
        }
    }

    /// Whether every command may do its own work and no more. Where this is not so, commands are
    /// looked at one by one.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.identity.authenticated
            && self.transaction.is_none()
            && self.subscriptions.is_none()
            && self.waiter.is_none()
            && !self.monitors
            && !self.tracking.is_on()
    }

    /// Whether others may know of the session beyond its card.
    pub(crate) fn is_known(&self) -> bool {
        self.watch.is_some() || !self.is_plain()
    }

    /// Whether the session listens, in a version of the protocol that cannot tell a message from a
    /// reply.
    pub(crate) fn only_listens(&self) -> bool {
        self.subscriptions.is_some() && self.protocol == Protocol::Resp2
    }

    /// Takes back everything by which others know of the session.
    pub(crate) fn retire(&mut self, env: &Environment, keys: &mut Access<'_>) {
        self.leave_channels(env);
        self.leave_monitors(env);
        self.end_tracking(env, keys.keyspace());
        self.end_transaction(keys);
    }

    /// Puts back what a client can set, but for the library's name (RESET).
    pub(crate) fn reset(&mut self, env: &Environment, keys: &mut Access<'_>) {
        self.retire(env, keys);
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.reply = ReplyMode::On;
        self.asking = false;
        self.readonly = false;
        self.no_touch = false;
        self.no_evict = false;
        self.labels().name.clear();
    }
}

/// Whether an address, as Redis writes it, is the path of a Unix socket: no other has port zero.
pub(crate) fn is_unix_socket(address: &str) -> bool {
    address.ends_with(":0") && address != "?:0"
}
