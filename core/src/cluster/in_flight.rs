//! Keys that a command has sent to another node and that are not settled yet. They may be read, and
//! not be written: what the other node has is then what is deleted here when it says so.
//!
//! Who adds or removes a key holds the lock of its shard, and a command is judged while it holds that
//! lock too.

use crate::keyspace::Key;
use crate::slot::{SlotScheme, SlotSet};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Keys in flight, by their hashes, whatever their database: where two share a hash by chance, a
/// writer tries again once too often.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    len: AtomicUsize,
    barred: Mutex<Barred>,
}

/// What may not be written, each with its slot.
#[derive(Debug, Default)]
struct Barred {
    keys: HashMap<u64, u16>,
    /// Tags as Codis has them, with all keys that they have and will have.
    tags: HashMap<Box<[u8]>, u16>,
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
        self.any() && self.holds(key)
    }

    #[cold]
    fn holds(&self, key: &Key<'_>) -> bool {
        let Barred { keys, tags } = &*self.barred.lock();
        let tag = SlotScheme::Codis.tag(key.bytes);
        keys.contains_key(&key.hash) || (!tags.is_empty() && tags.contains_key(tag))
    }

    /// Whether a key of these slots is among them.
    pub(crate) fn any_in(&self, slots: &SlotSet) -> bool {
        let is_in = |slot: &u16| slots.contains(*slot);
        self.any() && {
            let Barred { keys, tags } = &*self.barred.lock();
            keys.values().any(is_in) || tags.values().any(is_in)
        }
    }

    /// Adds a key. Returns false if it is there already.
    pub(crate) fn enter(&self, key: &Key<'_>) -> bool {
        self.change(|barred| barred.keys.insert(key.hash, key.slot).is_none())
    }

    /// Removes a key.
    pub(crate) fn leave(&self, key: &Key<'_>) {
        self.change(|barred| barred.keys.remove(&key.hash));
    }

    /// Adds the tag of a key. Returns false if it is there already.
    pub(crate) fn enter_tag(&self, key: &Key<'_>) -> bool {
        let tag = SlotScheme::Codis.tag(key.bytes).into();
        self.change(|barred| barred.tags.insert(tag, key.slot).is_none())
    }

    /// Removes the tag of a key.
    pub(crate) fn leave_tag(&self, key: &Key<'_>) {
        self.change(|barred| barred.tags.remove(SlotScheme::Codis.tag(key.bytes)));
    }

    fn change<R>(&self, change: impl FnOnce(&mut Barred) -> R) -> R {
        let mut barred = self.barred.lock();
        let result = change(&mut barred);
        self.len.store(barred.keys.len() + barred.tags.len(), Relaxed);
        result
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

    #[test]
    fn a_tag_holds_all_its_keys() {
        let key = |bytes, hash| Key { bytes, hash, slot: 7, db: 0, held: 0 };
        let in_flight = InFlight::default();
        assert!(in_flight.enter_tag(&key(b"{t}1", 1)) && !in_flight.enter_tag(&key(b"{t}2", 2)));
        assert!(in_flight.may_hold(&key(b"x{t}3", 3)) && !in_flight.may_hold(&key(b"{u}1", 4)));
        assert!(in_flight.any_in(&SlotSet::from_iter([7u16])));
        in_flight.leave_tag(&key(b"{t}9", 9));
        assert!(!in_flight.any());
    }
}
