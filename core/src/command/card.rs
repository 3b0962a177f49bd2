//! What the sessions of an engine know of each other: a card for each, and the registry of cards.
//! The lines of CLIENT LIST are made elsewhere.
//!
//! Only the session itself writes its card, so a plain load and store add to a counter; others
//! read it at any time.

use super::mailbox::{Mailbox, Post};
use super::table::{self, Spec};
use super::tracking::Tracker;
use super::wait::Waiter;
use crate::keyspace::Flag;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The texts on a card.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    /// Where the client is, as `ip:port` or `path:0`; empty within the process.
    pub(crate) peer: String,
    /// Which of our addresses it came to.
    pub(crate) local: String,
    pub(crate) name: Vec<u8>,
    /// The name of its user.
    pub(crate) user: Box<[u8]>,
    pub(crate) library_name: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
}

/// What others may know of a session. Each command writes to it, so that no two sessions' cards
/// share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Card {
    pub(crate) id: u64,
    /// When it was opened, in milliseconds since the Unix epoch.
    pub(crate) opened_ms: u64,
    /// When it last sent something.
    pub(crate) seen_ms: AtomicU64,
    pub(crate) db: AtomicUsize,
    /// A union of [`mark`]s.
    pub(crate) marks: AtomicUsize,
    /// Input that is no whole request yet, in bytes, and the room for it.
    pub(crate) query_len: AtomicUsize,
    pub(crate) query_room: AtomicUsize,
    /// Output that was not taken yet, in bytes, and the room for it.
    pub(crate) output_len: AtomicUsize,
    pub(crate) output_room: AtomicUsize,
    /// How many channels, patterns and shard channels it listens to.
    pub(crate) subscriptions: [AtomicUsize; 3],
    /// One more than the commands that wait for EXEC; zero outside of a transaction.
    pub(crate) queued: AtomicUsize,
    /// What they take, in bytes.
    pub(crate) queued_bytes: AtomicUsize,
    /// The wait that the session is in.
    pub(crate) waiter: Mutex<Option<Arc<Waiter>>>,
    /// How many keys are watched, and the flag that is raised when one of them changes.
    pub(crate) watch: Mutex<Option<(usize, Flag)>>,
    pub(crate) mailbox: Mailbox,
    pub(crate) tracker: Tracker,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
    reads: AtomicU64,
    /// The address of the last command's entry in the table, zero before the first.
    last_command: AtomicUsize,
    labels: Mutex<Labels>,
}

/// What a card says in a bit.
pub(crate) mod mark {
    pub(crate) const RESP3: usize = 1 << 0;
    pub(crate) const NO_EVICT: usize = 1 << 1;
    pub(crate) const NO_TOUCH: usize = 1 << 2;
    pub(crate) const CLOSING: usize = 1 << 3;
    pub(crate) const READONLY: usize = 1 << 4;
    pub(crate) const PARKED: usize = 1 << 5;
    pub(crate) const MONITOR: usize = 1 << 6;
}

impl Card {
    fn new(id: u64, opened_ms: u64) -> Self {
        Self { id, opened_ms, seen_ms: AtomicU64::new(opened_ms), ..Self::default() }
    }

    pub(crate) fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock()
    }

    #[inline]
    pub(super) fn note_command(&self, spec: &'static Spec) {
        self.last_command.store(std::ptr::from_ref(spec).addr(), Relaxed);
    }

    /// Whether the session listens to anything.
    pub(crate) fn is_listening(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Relaxed) > 0)
    }

    /// Whether the session waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiter.lock().is_some()
    }

    /// How many keys the session watches, and whether one of them has changed.
    pub(crate) fn watching(&self) -> (usize, bool) {
        let watch = self.watch.lock();
        watch.as_ref().map_or((0, false), |(keys, flag)| (*keys, flag.load(Relaxed)))
    }

    /// Bytes of the words of the command that the session waits in.
    pub(crate) fn waiting_bytes(&self) -> usize {
        use crate::structs::allocation::footprint;
        let waiter = self.waiter.lock().clone();
        let words = waiter.iter().flat_map(|waiter| &waiter.words);
        words.map(|word| footprint(word.capacity())).sum()
    }

    /// Ends the session without a word: nobody serves it any more, and its host is called, which
    /// finds it closing.
    pub(crate) fn kill(&self, post: &Post) {
        let waiter = self.waiter.lock().clone();
        if let Some(waiter) = waiter {
            waiter.abandon();
        }
        self.mailbox.cut_off(post);
    }

    /// The full name of the last command.
    pub(crate) fn last_command(&self) -> Option<&'static str> {
        let address = self.last_command.load(Relaxed);
        let found = table::all_specs().find(|spec| std::ptr::from_ref(*spec).addr() == address);
        found.map(|spec| &*spec.name)
    }

    /// Counts what came in and what was answered.
    pub(crate) fn note_traffic(&self, input: usize, output: usize) {
        add(&self.input_bytes, input as u64);
        add(&self.output_bytes, output as u64);
        add(&self.reads, 1);
    }

    /// What went through the session.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            input_bytes: self.input_bytes.load(Relaxed),
            output_bytes: self.output_bytes.load(Relaxed),
            reads: self.reads.load(Relaxed),
        }
    }

    /// Bytes that the session takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        use crate::structs::allocation::footprint;
        let rooms = [self.query_room.load(Relaxed), self.output_room.load(Relaxed)];
        let rooms = rooms.into_iter().map(footprint).sum::<usize>();
        let queued = self.queued_bytes.load(Relaxed);
        footprint(size_of::<Self>()) + rooms + queued + self.waiting_bytes() + self.mailbox.weight()
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed) + amount, Relaxed);
}

/// What went through sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) input_bytes: u64,
    pub(crate) output_bytes: u64,
    /// How often a session was fed.
    pub(crate) reads: u64,
}

impl Traffic {
    fn plus(self, other: Self) -> Self {
        Self {
            input_bytes: self.input_bytes + other.input_bytes,
            output_bytes: self.output_bytes + other.output_bytes,
            reads: self.reads + other.reads,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            input_bytes: self.input_bytes.saturating_sub(other.input_bytes),
            output_bytes: self.output_bytes.saturating_sub(other.output_bytes),
            reads: self.reads.saturating_sub(other.reads),
        }
    }
}

/// The cards of all open sessions.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    cards: Mutex<Cards>,
}

#[derive(Debug, Default)]
struct Cards {
    open: BTreeMap<u64, Arc<Card>>,
    opened: u64,
    /// What went through sessions that are closed.
    closed: Traffic,
    /// What was counted before the last reset.
    before: Traffic,
}

impl Cards {
    fn traffic(&self) -> Traffic {
        self.open.values().fold(self.closed, |sum, card| sum.plus(card.traffic()))
    }
}

impl Registry {
    /// Makes a card for a new session.
    pub(crate) fn open(&self, id: u64, now_ms: u64) -> Arc<Card> {
        let card = Arc::new(Card::new(id, now_ms));
        let mut cards = self.cards.lock();
        cards.opened += 1;
        cards.open.insert(id, card.clone());
        card
    }

    /// Forgets a session.
    pub(crate) fn close(&self, id: u64) {
        let mut cards = self.cards.lock();
        if let Some(card) = cards.open.remove(&id) {
            cards.closed = cards.closed.plus(card.traffic());
        }
    }

    /// The cards of all open sessions, the oldest first.
    pub(crate) fn cards(&self) -> Vec<Arc<Card>> {
        self.cards.lock().open.values().cloned().collect()
    }

    /// The card of one session.
    pub(crate) fn card(&self, id: u64) -> Option<Arc<Card>> {
        self.cards.lock().open.get(&id).cloned()
    }

    /// How many sessions are open.
    pub(crate) fn len(&self) -> usize {
        self.cards.lock().open.len()
    }

    /// How many sessions were opened since the start or the last reset.
    pub(crate) fn opened(&self) -> u64 {
        self.cards.lock().opened
    }

    /// What went through sessions since the start or the last reset.
    pub(crate) fn traffic(&self) -> Traffic {
        let cards = self.cards.lock();
        cards.traffic().minus(cards.before)
    }

    /// Starts to count from zero.
    pub(crate) fn reset(&self) {
        let mut cards = self.cards.lock();
        cards.before = cards.traffic();
        cards.opened = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_outlives_its_session_and_a_reset_starts_from_zero() {
        let registry = Registry::default();
        registry.open(1, 0).note_traffic(10, 20);
        registry.open(2, 0).note_traffic(1, 2);
        registry.close(1);
        assert_eq!(registry.traffic(), Traffic { input_bytes: 11, output_bytes: 22, reads: 2 });
        registry.reset();
        registry.card(2).unwrap().note_traffic(5, 6);
        registry.close(2);
        assert_eq!(registry.traffic(), Traffic { input_bytes: 5, output_bytes: 6, reads: 1 });
        assert_eq!((registry.len(), registry.opened()), (0, 0));
    }
}
