//! Which sessions have read which keys, by the names of the keys alone, as in Redis. Entries lie in
//! a row, so that any of them can be chosen by chance, and a table finds them.

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::hash::BuildHasher;

/// Numbers of sessions, each once.
pub(super) type Readers = SmallVec<[u64; 2]>;

#[derive(Debug)]
struct Entry {
    key: Box<[u8]>,
    hash: u64,
    readers: Readers,
}

/// The keys that sessions have read.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    places: HashTable<usize>,
    hasher: FixedState,
    /// Pairs of a key and a session.
    pairs: usize,
}

impl Table {
    /// Keys.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Pairs of a key and a session.
    pub(super) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Notes that a session has read a key.
    pub(super) fn add(&mut self, key: &[u8], session: u64) {
        let hash = self.hasher.hash_one(key);
        let entries = &mut self.entries;
        match self.places.find(hash, |&place| *entries[place].key == *key) {
            Some(&place) if entries[place].readers.contains(&session) => return,
            Some(&place) => entries[place].readers.push(session),
            None => {
                let place = entries.len();
                entries.push(Entry { key: key.into(), hash, readers: [session].as_slice().into() });
                self.places.insert_unique(hash, place, |&place| entries[place].hash);
            }
        }
        self.pairs += 1;
    }

    /// Forgets a key, and returns who has read it.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Readers> {
        let hash = self.hasher.hash_one(key);
        let place = *self.places.find(hash, |&place| *self.entries[place].key == *key)?;
        Some(self.remove_at(place).1)
    }

    /// Forgets a key that a number chooses. The table is not empty.
    pub(super) fn remove_any(&mut self, number: u64) -> (Box<[u8]>, Readers) {
        self.remove_at((number % self.entries.len() as u64) as usize)
    }

    /// Forgets the keys of which `is_wanted` says so.
    pub(super) fn remove_where(
        &mut self,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<(Box<[u8]>, Readers)> {
        let mut removed = Vec::new();
        let mut place = 0;
        while place < self.entries.len() {
            if is_wanted(&self.entries[place].key) {
                removed.push(self.remove_at(place));
            } else {
                place += 1;
            }
        }
        removed
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The last entry takes the place of the one that goes.
    fn remove_at(&mut self, place: usize) -> (Box<[u8]>, Readers) {
        const FOUND: &str = "the table has the place of each entry";
        let last = self.entries.len() - 1;
        let hash = self.entries[place].hash;
        let own = self.places.find_entry(hash, |&other| other == place);
        own.expect(FOUND).remove();
        if place != last {
            let hash = self.entries[last].hash;
            *self.places.find_mut(hash, |&other| other == last).expect(FOUND) = place;
        }
        let entry = self.entries.swap_remove(place);
        self.pairs -= entry.readers.len();
        (entry.key, entry.readers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8, u64),
        Remove(u8),
        RemoveAny(u64),
        RemoveBelow(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..40u8, 0..4u64).prop_map(|(key, session)| Step::Add(key, session)),
            3 => (0..40u8).prop_map(Step::Remove),
            1 => any::<u64>().prop_map(Step::RemoveAny),
            1 => (0..10u8).prop_map(Step::RemoveBelow),
        ]
    }

    fn set(readers: Readers) -> BTreeSet<u64> {
        readers.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_table_is_a_map_of_sets(steps in prop::collection::vec(step(), 0..200)) {
            let mut table = Table::default();
            let mut twin: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Add(key, session) => {
                        table.add(&[key], session);
                        twin.entry(key).or_default().insert(session);
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(table.remove(&[key]).map(set), twin.remove(&key));
                    }
                    Step::RemoveAny(number) if !twin.is_empty() => {
                        let (key, readers) = table.remove_any(number);
                        prop_assert_eq!(Some(set(readers)), twin.remove(&key[0]));
                    }
                    Step::RemoveAny(_) => {}
                    Step::RemoveBelow(bound) => {
                        let removed = table.remove_where(|key| key[0] < bound);
                        let removed = removed.into_iter().map(|(key, readers)| (key[0], set(readers)));
                        let rest = twin.split_off(&bound);
                        prop_assert_eq!(removed.collect::<BTreeMap<_, _>>(), twin);
                        twin = rest;
                    }
                }
                prop_assert_eq!(table.len(), twin.len());
                prop_assert_eq!(table.pairs(), twin.values().map(BTreeSet::len).sum::<usize>());
            }
        }
    }
}
