//! Who listens to what, and how a message gets to them.

use super::Scope;
use crate::command::card::Card;
use crate::command::environment::Environment;
use crate::command::glob;
use crate::command::mailbox::{Delivered, Letter};
use crate::config::OutputLimit;
use crate::keyspace::{Notice, TO_KEYEVENT, TO_KEYSPACE};
use crate::resp::ReplySink;
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A message as its receivers share it.
#[derive(Debug)]
pub(crate) struct Message {
    scope: Scope,
    /// The pattern that the channel matched.
    pattern: Option<Box<[u8]>>,
    channel: Arc<[u8]>,
    payload: Arc<[u8]>,
}

impl Message {
    /// Writes it as a push, or as the array that RESP2 has in its place.
    pub(crate) fn write(&self, out: &mut dyn ReplySink) {
        out.push(if self.pattern.is_some() { 4 } else { 3 });
        out.bulk(self.scope.message().as_bytes());
        if let Some(pattern) = &self.pattern {
            out.bulk(pattern);
        }
        out.bulk(&self.channel);
        out.bulk(&self.payload);
    }

    /// About how many bytes it makes.
    pub(crate) fn weight(&self) -> usize {
        const HEADS: usize = 40;
        let pattern = self.pattern.as_ref().map_or(0, |pattern| pattern.len());
        HEADS + pattern + self.channel.len() + self.payload.len()
    }
}

/// Sessions by their numbers, so that the order of delivery is the same in every run.
type Listeners = BTreeMap<u64, Arc<Card>>;
type Table = HashMap<Box<[u8]>, Listeners, FixedState>;

/// Who listens to what.
#[derive(Debug)]
pub(crate) struct Channels {
    tables: [RwLock<Table>; 3],
    /// How many pairs of a listener and a name the tables hold, all together.
    pairs: AtomicUsize,
}

impl Channels {
    pub(crate) fn new(seed: u64) -> Self {
        let table = || RwLock::new(Table::with_hasher(FixedState::with_seed(seed)));
        Self { tables: [table(), table(), table()], pairs: AtomicUsize::new(0) }
    }

    fn table(&self, scope: Scope) -> &RwLock<Table> {
        &self.tables[scope as usize]
    }

    /// Whether nobody listens to anything.
    #[inline]
    fn is_empty(&self) -> bool {
        self.pairs.load(Relaxed) == 0
    }

    /// Lets a session listen to a name that it did not listen to.
    pub(super) fn join(&self, scope: Scope, name: &[u8], card: &Arc<Card>) {
        let mut table = self.table(scope).write();
        let listeners = table.entry(name.into()).or_default();
        if listeners.insert(card.id, card.clone()).is_none() {
            self.pairs.fetch_add(1, Relaxed);
        }
    }

    /// Lets a session listen to a name no longer.
    pub(crate) fn leave(&self, scope: Scope, name: &[u8], id: u64) {
        let mut table = self.table(scope).write();
        let Some(listeners) = table.get_mut(name) else { return };
        if listeners.remove(&id).is_some() {
            self.pairs.fetch_sub(1, Relaxed);
        }
        if listeners.is_empty() {
            table.remove(name);
        }
    }

    /// Takes out the shard channels of which `is_gone` says so, each with those who listen to it.
    fn remove_shard_channels(
        &self,
        is_gone: impl Fn(&[u8]) -> bool,
    ) -> Vec<(Box<[u8]>, Listeners)> {
        let mut table = self.table(Scope::Shard).write();
        let gone: Vec<_> = table.extract_if(|name, _| is_gone(name)).collect();
        let pairs = gone.iter().map(|(_, listeners)| listeners.len()).sum();
        self.pairs.fetch_sub(pairs, Relaxed);
        gone
    }

    /// How many sessions listen to a name.
    pub(super) fn listeners(&self, scope: Scope, name: &[u8]) -> usize {
        self.table(scope).read().get(name).map_or(0, BTreeMap::len)
    }

    /// The sessions of all pairs of a name and a listener that fit; `fits` is told whether the name
    /// is a pattern.
    pub(crate) fn listeners_where(
        &self,
        fits: impl Fn(&[u8], bool, &Card) -> bool,
    ) -> Vec<Arc<Card>> {
        let mut found = BTreeMap::new();
        for scope in Scope::ALL {
            for (name, listeners) in &*self.table(scope).read() {
                let cards = listeners.values();
                let fitting = cards.filter(|card| fits(name, scope == Scope::Pattern, card));
                found.extend(fitting.map(|card| (card.id, card.clone())));
            }
        }
        found.into_values().collect()
    }

    /// How many names are listened to.
    pub(super) fn len(&self, scope: Scope) -> usize {
        self.table(scope).read().len()
    }

    /// How many channels, patterns and shard channels are listened to.
    pub(crate) fn counts(&self) -> [usize; 3] {
        Scope::ALL.map(|scope| self.len(scope))
    }

    /// The names that are listened to, and match the pattern if there is one, in order.
    pub(super) fn names(&self, scope: Scope, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let table = self.table(scope).read();
        let matching = table.keys().filter(|name| pattern.is_none_or(|p| glob::matches(p, name)));
        let mut names: Vec<Box<[u8]>> = matching.cloned().collect();
        names.sort_unstable();
        names
    }
}

impl Environment {
    /// Sends a message to all who listen to a channel, or to a pattern that it matches. Returns to
    /// how many. The hosts are called when [`Post::send`](crate::command::mailbox::Post::send) is.
    pub(super) fn publish(
        &self,
        scope: Scope,
        channel: &[u8],
        payload: &[u8],
        now_ms: u64,
    ) -> usize {
        if self.channels.is_empty() {
            return 0;
        }
        let (channel, payload) = (Arc::<[u8]>::from(channel), Arc::<[u8]>::from(payload));
        let make = |scope, pattern| {
            let (channel, payload) = (channel.clone(), payload.clone());
            Arc::new(Message { scope, pattern, channel, payload })
        };
        let mut receivers = 0;
        if let Some(listeners) = self.channels.table(scope).read().get(&channel[..]) {
            receivers += self.deliver(&make(scope, None), listeners, now_ms);
        }
        if scope == Scope::Channel {
            for (pattern, listeners) in &*self.channels.table(Scope::Pattern).read() {
                if glob::matches(pattern, &channel) {
                    let message = make(Scope::Pattern, Some(pattern.clone()));
                    receivers += self.deliver(&message, listeners, now_ms);
                }
            }
        }
        receivers
    }

    fn deliver(&self, message: &Arc<Message>, listeners: &Listeners, now_ms: u64) -> usize {
        let limit = self.config.listener_output_limit();
        let deliver = |card: &&Arc<Card>| {
            let letter = Letter::Message(message.clone());
            self.leave_letter(card, letter, limit, now_ms) != Delivered::Gone
        };
        listeners.values().filter(deliver).count()
    }

    /// Leaves a letter in a session's mailbox. `limit` is that of the session's class.
    pub(crate) fn leave_letter(
        &self,
        card: &Card,
        letter: Letter,
        limit: OutputLimit,
        now_ms: u64,
    ) -> Delivered {
        let waiting = card.output_len.load(Relaxed);
        self.note_growth(letter.weight());
        let delivered = card.mailbox.deliver(letter, waiting, limit, now_ms, &self.post);
        if delivered == Delivered::TooMuch {
            self.stats.output_limit_closings.fetch_add(1, Relaxed);
        }
        delivered
    }

    /// Ends the listening to shard channels that are served elsewhere, as `is_gone` says.
    pub(crate) fn end_shard_channels(&self, is_gone: impl Fn(&[u8]) -> bool, now_ms: u64) {
        if self.channels.is_empty() {
            return;
        }
        let limit = self.config.listener_output_limit();
        for (name, listeners) in self.channels.remove_shard_channels(is_gone) {
            for card in listeners.values() {
                self.leave_letter(card, Letter::ChannelGone(name.clone()), limit, now_ms);
            }
        }
    }

    /// Tells those who listen what happened to keys: on the channel of the key, on that of the
    /// event, or both, as the settings say.
    pub(crate) fn announce(&self, notices: &[Notice], now_ms: u64) {
        if self.channels.is_empty() {
            return;
        }
        let events = self.config.keyspace_events();
        for Notice { name, db, key } in notices {
            if events & TO_KEYSPACE != 0 {
                let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
                self.publish(Scope::Channel, &channel, name.as_bytes(), now_ms);
            }
            if events & TO_KEYEVENT != 0 {
                let channel = format!("__keyevent@{db}__:{name}");
                self.publish(Scope::Channel, channel.as_bytes(), key, now_ms);
            }
        }
    }
}
