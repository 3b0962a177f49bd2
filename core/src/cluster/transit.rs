//! Some keys of a slot that were sent to another node. What becomes of them is the migration's to
//! decide; until then routing keeps writers away from them.

use crate::keyspace::Key;
use std::sync::Arc;

/// Keys of one slot and database, in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transit {
    slot: u16,
    db: u16,
    bytes: Vec<u8>,
    /// Where each key ends in the bytes.
    ends: Vec<usize>,
    hashes: Vec<u64>,
    /// The least and the greatest of the hashes: a walk through a slot goes in their order, so that
    /// few writers look further.
    bounds: (u64, u64),
}

impl Transit {
    /// No keys yet.
    pub(crate) fn new(slot: u16, db: usize) -> Self {
        let (bytes, ends, hashes) = Default::default();
        Self { slot, db: db as u16, bytes, ends, hashes, bounds: (u64::MAX, 0) }
    }

    /// No keys, of the same slot and database.
    pub(crate) fn empty(&self) -> Self {
        Self::new(self.slot, self.db())
    }

    /// Adds a key.
    pub(crate) fn push(&mut self, key: &[u8], hash: u64) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        self.bounds = (self.bounds.0.min(hash), self.bounds.1.max(hash));
    }

    /// The database of the keys.
    pub(crate) fn db(&self) -> usize {
        usize::from(self.db)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether a key with this hash is among them, whatever its database: where two keys share a
    /// hash by chance, a writer tries again once too often.
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        (self.bounds.0..=self.bounds.1).contains(&hash) && self.hashes.contains(&hash)
    }

    /// The `number`-th key, for an access that holds the slot alone.
    pub(crate) fn key(&self, number: usize) -> Key<'_> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Key {
            bytes: &self.bytes[start..self.ends[number]],
            hash: self.hashes[number],
            slot: self.slot,
            db: self.db,
            held: 0,
        }
    }

    /// All keys, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        (0..self.len()).map(|number| self.key(number))
    }
}

/// What becomes of those who want to write to a key on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// They are told to try again.
    Refused,
    /// They wait.
    Held,
}

/// Keys of a slot that may be at another node and were not yet deleted here. They may be read, and
/// not be written.
#[derive(Debug)]
pub(crate) struct Transits {
    parts: Vec<Part>,
    writers: Writers,
}

#[derive(Debug)]
struct Part {
    keys: Arc<Transit>,
    /// Whether a command without keys, such as FLUSHALL, may have changed them since they were
    /// sent.
    is_disturbed: bool,
}

impl Default for Transits {
    fn default() -> Self {
        Self { parts: Vec::new(), writers: Writers::Refused }
    }
}

impl Transits {
    fn find(&self, keys: &Arc<Transit>) -> Option<usize> {
        self.parts.iter().position(|part| Arc::ptr_eq(&part.keys, keys))
    }

    /// Adds keys that are sent, or notes that they are sent again.
    pub(crate) fn send_off(&mut self, keys: Arc<Transit>, writers: Writers) {
        self.writers = writers;
        match self.find(&keys) {
            Some(place) => self.parts[place].is_disturbed = false,
            None => self.parts.push(Part { keys, is_disturbed: false }),
        }
    }

    /// Removes keys, but those of them that are `left` in doubt.
    pub(crate) fn settle(&mut self, keys: &Arc<Transit>, left: Option<Arc<Transit>>) {
        self.find(keys).map(|place| self.parts.remove(place));
        self.parts.extend(left.map(|keys| Part { keys, is_disturbed: false }));
    }

    /// Lets nobody wait.
    pub(crate) fn refuse_writers(&mut self) {
        self.writers = Writers::Refused;
    }

    /// Notes that any of the keys may have changed.
    pub(crate) fn disturb(&mut self) {
        self.parts.iter_mut().for_each(|part| part.is_disturbed = true);
    }

    /// Whether these keys may have changed since they were sent.
    pub(crate) fn is_disturbed(&self, keys: &Arc<Transit>) -> bool {
        self.find(keys).is_some_and(|place| self.parts[place].is_disturbed)
    }

    /// What becomes of a writer to a key with this hash, if it may be among them.
    pub(crate) fn bar(&self, hash: u64) -> Option<Writers> {
        self.parts.iter().any(|part| part.keys.may_hold(hash)).then_some(self.writers)
    }

    /// All keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Transit>> {
        self.parts.iter().map(|part| part.keys.clone())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_barred_from_their_departure_until_they_are_settled() {
        let some = |hash| {
            let mut keys = Transit::new(7, 0);
            keys.push(b"k", hash);
            Arc::new(keys)
        };
        let (first, second, left) = (some(1), some(2), some(2));
        let mut transits = Transits::default();
        transits.send_off(first.clone(), Writers::Held);
        transits.send_off(second.clone(), Writers::Held);
        assert_eq!((transits.bar(1), transits.bar(3)), (Some(Writers::Held), None));
        transits.disturb();
        transits.send_off(second.clone(), Writers::Held);
        assert!(transits.is_disturbed(&first) && !transits.is_disturbed(&second));
        transits.settle(&first, None);
        transits.settle(&second, Some(left.clone()));
        transits.refuse_writers();
        assert_eq!((transits.bar(1), transits.bar(2)), (None, Some(Writers::Refused)));
        transits.settle(&left, None);
        assert!(transits.is_empty());
    }

    #[test]
    fn keys_come_back_as_they_were_pushed() {
        let mut transit = Transit::new(7, 3);
        assert!(transit.is_empty());
        for (key, hash) in [(&b"one"[..], 1), (b"", 2), (b"three", 3)] {
            transit.push(key, hash);
        }
        let keys: Vec<_> =
            transit.keys().map(|key| (key.bytes, key.hash, key.slot, key.db)).collect();
        assert_eq!(keys, [(&b"one"[..], 1, 7, 3), (b"", 2, 7, 3), (b"three", 3, 7, 3)]);
        assert!(transit.may_hold(3) && !transit.may_hold(4));
    }
}
