//! Keys that a command has sent to another node and that are not settled yet. They may be read, and
//! not be written: what the other node has is then what is deleted here when it says so.
//!
//! Who adds or removes a key holds the lock of its shard, and a command is judged while it holds that
//! lock too.

use crate::keyspace::Key;
use crate::slot::SlotSet;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Keys in flight, by their hashes, whatever their database: where two share a hash by chance, a
/// writer tries again once too often.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    len: AtomicUsize,
    slots: Mutex<HashMap<u64, u16>>,
}

impl InFlight {
    /// Whether there is any. Costs a load.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.len.load(Relaxed) > 0
    }

    /// Whether a key may be among them.
    #[inline]
    pub(crate) fn may_hold(&self, key: &Key<'_>) -> bool {
        self.any() && self.slots.lock().contains_key(&key.hash)
    }

    /// Whether a key of these slots is among them.
    pub(crate) fn any_in(&self, slots: &SlotSet) -> bool {
        self.any() && self.slots.lock().values().any(|&slot| slots.contains(slot))
    }

    /// Adds a key. Returns false if it is there already.
    pub(crate) fn enter(&self, key: &Key<'_>) -> bool {
        let mut slots = self.slots.lock();
        let is_new = slots.insert(key.hash, key.slot).is_none();
        self.len.store(slots.len(), Relaxed);
        is_new
    }

    /// Removes a key.
    pub(crate) fn leave(&self, key: &Key<'_>) {
        let mut slots = self.slots.lock();
        slots.remove(&key.hash);
        self.len.store(slots.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_once_until_it_leaves() {
        let key = |hash, slot| Key { bytes: b"k", hash, slot, db: 0, held: 0 };
        let in_flight = InFlight::default();
        assert!(in_flight.enter(&key(1, 7)) && !in_flight.enter(&key(1, 7)));
        assert!(in_flight.may_hold(&key(1, 7)) && !in_flight.may_hold(&key(2, 7)));
        assert!(in_flight.any_in(&SlotSet::from_iter([7u16])));
        assert!(!in_flight.any_in(&SlotSet::from_iter([8u16])));
        in_flight.leave(&key(1, 7));
        assert!(!in_flight.any() && !in_flight.may_hold(&key(1, 7)));
    }
}
