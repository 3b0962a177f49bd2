//! Some keys of a slot that were sent to another node. What becomes of them is the migration's to
//! decide; until then routing keeps writers away from them.

use crate::keyspace::Key;

/// Keys of one slot and database, in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transit {
    slot: u16,
    db: u16,
    bytes: Vec<u8>,
    /// Where each key ends in the bytes.
    ends: Vec<usize>,
    hashes: Vec<u64>,
}

impl Transit {
    /// No keys yet.
    pub(crate) fn new(slot: u16, db: usize) -> Self {
        let (bytes, ends, hashes) = Default::default();
        Self { slot, db: db as u16, bytes, ends, hashes }
    }

    /// Adds a key.
    pub(crate) fn push(&mut self, key: &[u8], hash: u64) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
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
        self.hashes.contains(&hash)
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

#[cfg(test)]
mod tests {
    use super::*;

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
