//! Who wants to know when a key changes: those who watch it, whose flag is raised at once, and those
//! who wait for it, for whose sake the key is put on the list of changes. Kept in the key's shard, so
//! that a change and the word of it are one for every other caller.

use super::{Access, Changes, Key, Keyspace, Shard};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Raised when a watched key changes.
pub(crate) type Flag = Arc<AtomicBool>;

/// What is wanted of one key.
#[derive(Debug)]
struct Interest {
    key: Box<[u8]>,
    watchers: Vec<Flag>,
    /// How many wait for the key.
    waiting: usize,
}

impl Interest {
    /// Tells everybody.
    fn tell(&self, db: u16, changes: &mut Changes) {
        self.watchers.iter().for_each(|flag| flag.store(true, Relaxed));
        if self.waiting > 0 {
            changes.note_awaited(db, &self.key);
        }
    }
}

/// The interests in keys of one hash; nearly always only one.
type SameHash = SmallVec<[Interest; 1]>;

/// What is wanted of the keys of a shard.
#[derive(Debug, Default)]
pub(super) struct Interests {
    /// By database and hash.
    table: BTreeMap<(u16, u64), SameHash>,
}

impl Interests {
    fn find_or_new(&mut self, key: &Key<'_>) -> &mut Interest {
        let same_hash = self.table.entry((key.db, key.hash)).or_default();
        let at = same_hash.iter().position(|interest| *interest.key == *key.bytes);
        let at = at.unwrap_or_else(|| {
            same_hash.push(Interest { key: key.bytes.into(), watchers: Vec::new(), waiting: 0 });
            same_hash.len() - 1
        });
        &mut same_hash[at]
    }

    /// Tells those who want to know that a key changed.
    pub(super) fn tell(&self, db: u16, hash: u64, key: &[u8], changes: &mut Changes) {
        let same_hash = self.table.get(&(db, hash)).into_iter().flatten();
        let mut found = same_hash.filter(|interest| *interest.key == *key);
        if let Some(interest) = found.next() {
            interest.tell(db, changes);
        }
    }

    /// Lets `change` act on the interest in a key, which goes when nobody has any left.
    fn change(&mut self, key: &Key<'_>, change: impl FnMut(&mut Interest)) {
        let Some(same_hash) = self.table.get_mut(&(key.db, key.hash)) else { return };
        let found = same_hash.iter_mut().find(|interest| *interest.key == *key.bytes);
        found.into_iter().for_each(change);
        same_hash.retain(|interest| !interest.watchers.is_empty() || interest.waiting > 0);
        if same_hash.is_empty() {
            self.table.remove(&(key.db, key.hash));
        }
    }

    /// All of them, each with its database and the hash of its key.
    fn all(&self) -> impl Iterator<Item = (u16, u64, &Interest)> {
        self.table.iter().flat_map(|(&(db, hash), same_hash)| {
            same_hash.iter().map(move |interest| (db, hash, interest))
        })
    }
}

impl Shard {
    /// Tells those who want to know of a key that one of these databases has that it changed.
    pub(super) fn tell_all_in(
        &self,
        databases: &[usize],
        slot_of: SlotOf<'_>,
        changes: &mut Changes,
    ) {
        let Some(interests) = &self.interests else { return };
        for (db, hash, interest) in interests.all() {
            let at = slot_of(&interest.key);
            let is_in = |&other: &usize| self.has(other as u16, at, hash, &interest.key);
            if databases.contains(&usize::from(db)) && databases.iter().any(is_in) {
                interest.tell(db, changes);
            }
        }
    }

    /// Tells those who want to know of a key in a slot of a database that it changed, if it exists.
    pub(super) fn tell_slot(
        &self,
        db: usize,
        slot_at: usize,
        slot_of: SlotOf<'_>,
        changes: &mut Changes,
    ) {
        let Some(interests) = &self.interests else { return };
        for (own_db, hash, interest) in interests.all() {
            let at = slot_of(&interest.key);
            let is_there = usize::from(own_db) == db && at == slot_at;
            if is_there && self.has(own_db, at, hash, &interest.key) {
                interest.tell(own_db, changes);
            }
        }
    }

    /// Whether a database has a key.
    fn has(&self, db: u16, at: usize, hash: u64, bytes: &[u8]) -> bool {
        let key = Key { bytes, hash, slot: 0, db, held: 0 };
        self.database(db).is_some_and(|partition| partition.find(at, &key).is_some())
    }
}

/// Where in its shard the slot of a key is.
pub(super) type SlotOf<'a> = &'a dyn Fn(&[u8]) -> usize;

impl Keyspace {
    /// Lets all changes to keys be noted, or no longer. Nobody says so twice.
    pub(crate) fn track(&self, on: bool) {
        self.tracked.store(on, Relaxed);
        // Where nobody has an interest, changes are not even looked at.
        match on {
            true => self.interests.fetch_add(1, Relaxed),
            false => self.interests.fetch_sub(1, Relaxed),
        };
    }

    /// Whether all changes to keys are noted.
    #[inline]
    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked.load(Relaxed)
    }

    /// Whether anybody wants to know of any key. Exact for keys whose shard is locked.
    #[inline]
    pub(super) fn has_interests(&self) -> bool {
        self.interests.load(Relaxed) > 0
    }
}

impl Access<'_> {
    /// Says that a key changed, to those who want to know.
    #[inline]
    pub(super) fn tell(&mut self, key: &Key<'_>) {
        if self.is_of_interest {
            self.tell_now(key);
        }
    }

    #[cold]
    fn tell_now(&mut self, key: &Key<'_>) {
        if self.keyspace().is_tracked() {
            self.changes.note_written(key.bytes);
        }
        let mut changes = std::mem::take(&mut self.changes);
        if let Some(interests) = &self.shard(key).interests {
            interests.tell(key.db, key.hash, key.bytes, &mut changes);
        }
        self.changes = changes;
    }

    /// Heeds an interest that came up while the locks were held.
    pub(crate) fn look_for_interests(&mut self) {
        self.is_of_interest = self.keyspace().has_interests();
    }

    /// Whether changes to keys are noted for clients that keep copies. Costs a test of a flag that
    /// was read when the locks were taken.
    #[inline]
    pub(crate) fn is_tracked(&self) -> bool {
        self.is_of_interest && self.keyspace().is_tracked()
    }

    /// Lets the flag be raised when the key changes.
    pub(crate) fn watch(&mut self, key: &Key<'_>, flag: &Flag) {
        self.interests(key).find_or_new(key).watchers.push(flag.clone());
        self.keyspace().interests.fetch_add(1, Relaxed);
    }

    /// Undoes [`Access::watch`].
    pub(crate) fn unwatch(&mut self, key: &Key<'_>, flag: &Flag) {
        self.interests(key).change(key, |interest| {
            interest.watchers.retain(|other| !Arc::ptr_eq(other, flag));
        });
        self.keyspace().interests.fetch_sub(1, Relaxed);
    }

    /// Lets changes to a key be put on the list of changes, once more.
    pub(crate) fn begin_to_await(&mut self, key: &Key<'_>) {
        self.interests(key).find_or_new(key).waiting += 1;
        self.keyspace().interests.fetch_add(1, Relaxed);
    }

    /// Undoes [`Access::begin_to_await`].
    pub(crate) fn cease_to_await(&mut self, key: &Key<'_>) {
        self.interests(key).change(key, |interest| interest.waiting -= 1);
        self.keyspace().interests.fetch_sub(1, Relaxed);
    }

    fn interests(&mut self, key: &Key<'_>) -> &mut Interests {
        self.shard(key).interests.get_or_insert_default()
    }
}
