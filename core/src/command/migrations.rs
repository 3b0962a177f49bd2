//! The migrations of a node: those that go on, the last that have ended, and those that clients have
//! asked for by CLUSTER MIGRATESLOTS. A machine is driven by its host; this is the board on which hosts
//! and commands meet. The locks here are leaves.

use super::mailbox::{Post, Waker};
use crate::cluster::NodeId;
use crate::migration::{MigrationEntry, MigrationOrder};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The migrations of an engine.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    /// The newest first.
    log: Mutex<VecDeque<Logged>>,
    orders: Mutex<VecDeque<MigrationOrder>>,
    host: Mutex<Option<Waker>>,
}

#[derive(Debug)]
struct Logged {
    entry: MigrationEntry,
    is_cancelled: Arc<AtomicBool>,
}

impl Migrations {
    /// Notes a migration that begins, and keeps about `len_max` in all. Returns the flag that is
    /// raised when a client cancels it.
    pub(crate) fn begin(&self, entry: MigrationEntry, len_max: usize) -> Arc<AtomicBool> {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let mut log = self.log.lock();
        log.push_front(Logged { entry, is_cancelled: is_cancelled.clone() });
        trim(&mut log, len_max);
        is_cancelled
    }

    /// Changes what is noted of a migration.
    pub(crate) fn update(&self, id: u64, len_max: usize, change: impl FnOnce(&mut MigrationEntry)) {
        let mut log = self.log.lock();
        let found = log.iter_mut().find(|logged| logged.entry.id == id);
        let Some(Logged { entry, .. }) = found else { return };
        change(entry);
        if entry.state.is_end() {
            trim(&mut log, len_max);
        }
    }

    /// All that is noted, the newest first.
    pub(crate) fn entries(&self) -> Vec<MigrationEntry> {
        self.log.lock().iter().map(|logged| logged.entry.clone()).collect()
    }

    /// Raises the flags of all migrations that go on, and calls their host. Returns whether there
    /// are any.
    pub(crate) fn cancel_all(&self, post: &Post) -> bool {
        let log = self.log.lock();
        let mut any = !std::mem::take(&mut *self.orders.lock()).is_empty();
        for logged in log.iter().filter(|logged| !logged.entry.state.is_end()) {
            logged.is_cancelled.store(true, Relaxed);
            any = true;
        }
        drop(log);
        self.call_host(post);
        any
    }

    /// Whether a client has asked for a slot to be moved, and no host has begun to.
    pub(crate) fn is_ordered(&self, slot: u16) -> bool {
        self.orders.lock().iter().any(|order| order.slots.contains(slot))
    }

    /// Says whom to call when something is asked for; at once, if something is.
    pub(crate) fn set_host(&self, host: Waker, post: &Post) {
        *self.host.lock() = Some(host);
        if !self.orders.lock().is_empty() {
            self.call_host(post);
        }
    }

    /// Whether there is a host that does what is asked for.
    pub(crate) fn has_host(&self) -> bool {
        self.host.lock().is_some()
    }

    /// Asks for slots to be moved.
    pub(crate) fn order(&self, orders: Vec<MigrationOrder>, post: &Post) {
        self.orders.lock().extend(orders);
        self.call_host(post);
    }

    /// What was asked for next.
    pub(crate) fn next_order(&self) -> Option<MigrationOrder> {
        self.orders.lock().pop_front()
    }

    fn call_host(&self, post: &Post) {
        if let Some(host) = &*self.host.lock() {
            post.add(host.clone());
        }
    }
}

/// Forgets the oldest migrations that have ended while there are too many.
fn trim(log: &mut VecDeque<Logged>, len_max: usize) {
    while log.len() > len_max {
        let Some(oldest) = log.iter().rposition(|logged| logged.entry.state.is_end()) else {
            break;
        };
        log.remove(oldest);
    }
}

/// The name of a migration, as long as a node's.
pub(crate) fn name(random: impl FnMut() -> u64) -> String {
    NodeId::random(random).to_string()
}
