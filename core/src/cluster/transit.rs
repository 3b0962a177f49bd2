//! Some keys of a slot that were sent to another node. What becomes of them is the migration's to
//! decide; until then routing keeps writers away from them.

use super::Tags;
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
    /// Tags all of whose keys are among them; none if keys go one by one.
    pub(crate) tags: Option<Tags>,
}

impl Transit {
    /// No keys yet.
    pub(crate) fn new(slot: u16, db: usize) -> Self {
        let (bytes, ends, hashes) = Default::default();
        Self { slot, db: db as u16, bytes, ends, hashes, bounds: (u64::MAX, 0), tags: None }
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

    /// The slot of the keys.
    pub(crate) fn slot(&self) -> u16 {
        self.slot
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

    /// Whether a key may be among them or have one of their tags: where two keys share a hash by
    /// chance, a writer tries again once too often.
    pub(crate) fn may_hold(&self, key: &Key<'_>) -> bool {
        let (least, most) = self.bounds;
        ((least..=most).contains(&key.hash) && self.hashes.contains(&key.hash))
            || self.tags.as_ref().is_some_and(|tags| tags.hold(key))
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
    /// The tags that have left, if keys go by tag and it is known of all tags where they are.
    left: Option<Tags>,
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
        Self { parts: Vec::new(), writers: Writers::Refused, left: None }
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

    /// Removes keys, but those of them that are still in `doubt`. `has_left` is whether none of them
    /// is here any more.
    pub(crate) fn settle(
        &mut self,
        keys: &Arc<Transit>,
        has_left: bool,
        doubt: Option<Arc<Transit>>,
    ) {
        self.find(keys).map(|place| self.parts.remove(place));
        self.parts.extend(doubt.map(|keys| Part { keys, is_disturbed: false }));
        if let (true, Some(left), Some(tags)) = (has_left, &mut self.left, &keys.tags) {
            left.extend(tags);
        }
    }

    /// Notes which tags have left a slot whose keys go by tag; none from when on each key is looked
    /// at by itself.
    pub(crate) fn set_left(&mut self, left: Option<Tags>) {
        self.left = left;
    }

    /// Whether a key that does not exist belongs to this node, since the keys of its tag are here or
    /// nowhere.
    pub(crate) fn keep_tag_of(&self, key: &Key<'_>) -> bool {
        let has_left = self.left.as_ref().and_then(|left| left.has_tag_of(key.db, key.bytes));
        has_left == Some(false)
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

    /// What becomes of a writer to a key, if it may be among them or have a tag of theirs.
    pub(crate) fn bar(&self, key: &Key<'_>) -> Option<Writers> {
        self.parts.iter().any(|part| part.keys.may_hold(key)).then_some(self.writers)
    }

    /// All keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Transit>> {
        self.parts.iter().map(|part| part.keys.clone())
    }

    /// Whether there is nothing to know.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.left.is_none()
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
        let key = |hash| Key { bytes: b"k", hash, slot: 7, db: 0, held: 0 };
        let (first, second, left) = (some(1), some(2), some(2));
        let mut transits = Transits::default();
        transits.send_off(first.clone(), Writers::Held);
        transits.send_off(second.clone(), Writers::Held);
        assert_eq!((transits.bar(&key(1)), transits.bar(&key(3))), (Some(Writers::Held), None));
        transits.disturb();
        transits.send_off(second.clone(), Writers::Held);
        assert!(transits.is_disturbed(&first) && !transits.is_disturbed(&second));
        transits.settle(&first, true, None);
        transits.settle(&second, false, Some(left.clone()));
        transits.refuse_writers();
        assert_eq!((transits.bar(&key(1)), transits.bar(&key(2))), (None, Some(Writers::Refused)));
        transits.settle(&left, false, None);
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
        let key = |hash| Key { bytes: b"k", hash, slot: 7, db: 0, held: 0 };
        assert!(transit.may_hold(&key(3)) && !transit.may_hold(&key(4)));
    }
    #[test]
    fn a_tag_is_here_until_it_has_left() {
        use crate::slot::SlotScheme;
        let key = |bytes, hash| Key { bytes, hash, slot: 7, db: 0, held: 0 };
        let mut keys = Transit::new(7, 0);
        keys.push(b"{t}1", 1);
        let mut tags = Tags::new(SlotScheme::Codis);
        tags.insert(0, b"{t}1");
        keys.tags = Some(tags);
        let keys = Arc::new(keys);
        let mut transits = Transits::default();
        assert!(!transits.keep_tag_of(&key(b"{t}2", 2)));
        transits.set_left(Some(Tags::new(SlotScheme::Codis)));
        transits.send_off(keys.clone(), Writers::Held);
        assert_eq!(transits.bar(&key(b"{t}2", 2)), Some(Writers::Held));
        assert_eq!(transits.bar(&key(b"{u}2", 3)), None);
        transits.settle(&keys, true, None);
        assert!(!transits.keep_tag_of(&key(b"{t}2", 2)) && transits.keep_tag_of(&key(b"{u}2", 3)));
        assert!(!transits.keep_tag_of(&key(b"untagged", 4)));
        transits.set_left(None);
        assert!(transits.is_empty() && !transits.keep_tag_of(&key(b"{u}2", 3)));
    }
}
