//! What clients may take all together: how many sessions there may be (`maxclients`), and how much
//! memory for what they send and do not read (`maxmemory-clients`). What one session may take is
//! looked at where its input and output are.
//!
//! Adding up what ten thousand sessions take would cost too much for each command. So only growth is
//! counted, and all are looked at when it comes to a sixty-fourth of the limit, by which the limit
//! may be passed for a moment.

use super::card::{Card, mark};
use super::environment::Environment;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The part of the limit by which sessions may grow before all are looked at.
const LOOK_EVERY: usize = 64;

/// By how many bytes sessions grew since all were looked at.
#[derive(Debug, Default)]
pub(crate) struct Growth(AtomicUsize);

impl Environment {
    /// Whether another session may open.
    pub(crate) fn has_room_for_session(&self) -> bool {
        (self.sessions.len() as u64) < self.config.maxclients()
    }

    /// Notes that a session takes more memory.
    #[inline]
    pub(crate) fn note_growth(&self, bytes: usize) {
        if self.config.maxmemory_clients().is_some() {
            self.growth.0.fetch_add(bytes, Relaxed);
        }
    }

    /// Ends sessions if all together take too much and may have come to that just now. The caller
    /// holds no lock.
    #[inline]
    pub(crate) fn evict_grown_clients(&self) {
        let grown = self.growth.0.load(Relaxed);
        if grown > 0 && self.config.maxmemory_clients().is_some_and(|max| grown >= max / LOOK_EVERY)
        {
            self.evict_clients();
        }
    }

    /// Ends the sessions that take most until all together take no more than they may. The caller
    /// holds no lock.
    #[cold]
    pub(crate) fn evict_clients(&self) {
        let Some(max) = self.config.maxmemory_clients() else { return };
        self.growth.0.store(0, Relaxed);
        let is_evictable = |card: &Arc<Card>| card.marks.load(Relaxed) & mark::NO_EVICT == 0;
        let cards = self.sessions.cards().into_iter().filter(is_evictable);
        let mut cards: Vec<_> = cards.map(|card| (card.footprint(), card)).collect();
        let mut total: usize = cards.iter().map(|(bytes, _)| bytes).sum();
        if total <= max {
            return;
        }
        cards.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (bytes, card) in cards {
            if total <= max {
                break;
            }
            total -= bytes;
            self.stats.evicted_clients.fetch_add(1, Relaxed);
            self.sessions.close(card.id);
            card.kill(&self.post);
        }
    }
}
