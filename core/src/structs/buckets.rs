//! One hashbrown table, which also knows where its memory is, so that a look-up can be brought near
//! before it is made.
//!
//! ```text
//! hashbrown:  ... bucket 2 | bucket 1 | bucket 0 | control 0 | control 1 | control 2 ...
//!                                                ^ here
//! ```
//! A look-up reads control bytes first and the bucket that they lead to after that, two misses
//! one after the other. Both places follow from the hash, so both can be asked for at once.

use super::arena::Arena;
use super::prefetch::prefetch;
use hashbrown::HashTable;
use std::ops::{Deref, DerefMut};

/// A hashbrown table in the arena. Changes that may move it go through its own methods.
#[derive(Debug)]
pub(super) struct Buckets<T> {
    table: HashTable<T, Arena>,
    /// The address of the first control byte; zero while nothing is known. Only a hint.
    control: usize,
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Buckets<T> {
    type Target = HashTable<T, Arena>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}

impl<T> DerefMut for Buckets<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.table
    }
}

impl<T> Buckets<T> {
    pub(super) const fn new() -> Self {
        Self { table: HashTable::new_in(Arena), control: 0 }
    }

    /// Starts to bring near what a look-up with this hash reads.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        let first = hash as usize & self.table.num_buckets().wrapping_sub(1);
        let near = |address: usize| prefetch(std::ptr::without_provenance::<u8>(address));
        near(self.control.wrapping_add(first));
        // The entry lies in one of the buckets from the first on, downwards, most often early.
        let bucket = self.control.wrapping_sub((first + 1) * size_of::<T>());
        near(bucket);
        near(bucket.wrapping_sub(64));
    }

    pub(super) fn insert(&mut self, hash: u64, value: T, hash_of: impl Fn(&T) -> u64) {
        let entry = self.table.insert_unique(hash, value, hash_of);
        self.control = control_of(entry.get(), entry.bucket_index());
    }

    /// Shrinks the table to twice what it holds.
    pub(super) fn shrink(&mut self, hash_of: impl Fn(&T) -> u64) {
        self.table.shrink_to(self.table.len() * 2, hash_of);
        let known = self.table.iter_buckets().next();
        let entry = known.and_then(|index| Some((self.table.get_bucket(index)?, index)));
        self.control = entry.map_or(0, |(entry, index)| control_of(entry, index));
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = T> {
        self.table.into_iter()
    }
}

fn control_of<T>(entry: &T, index: usize) -> usize {
    std::ptr::from_ref(entry).addr() + (index + 1) * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_where_its_entries_are_after_growing_and_shrinking() {
        let mut buckets = Buckets::new();
        let check = |buckets: &Buckets<u64>| {
            for index in buckets.iter_buckets() {
                let entry = buckets.get_bucket(index).expect("an index of an entry");
                assert_eq!(control_of(entry, index), buckets.control);
            }
        };
        for number in 0..1_000u64 {
            buckets.insert(number << 20, number, |number| number << 20);
            check(&buckets);
        }
        for number in 0..990u64 {
            let found = buckets.find_entry(number << 20, |other| *other == number);
            found.map(|entry| entry.remove()).unwrap_or_else(|_| panic!("it is there"));
        }
        buckets.shrink(|number| number << 20);
        check(&buckets);
        assert!(buckets.num_buckets() < 64);
    }
}
