//! Tags of a slot whose keys go to another node together. While the slot moves, a tag is here until all
//! its keys are there: a key of it that does not exist yet is made where the others are.

use crate::keyspace::Key;
use crate::slot::SlotScheme;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The tag of a key, if it has one beside the rest of its name.
fn tag(scheme: SlotScheme, key: &[u8]) -> Option<&[u8]> {
    let tag = scheme.tag(key);
    (tag.len() < key.len()).then_some(tag)
}

/// Some tags. Of two that share a hash by chance one may be taken for the other, which at worst
/// parts the keys of a tag, as it is without this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    scheme: SlotScheme,
    hashes: HashSet<u64>,
}

impl Tags {
    /// No tags.
    pub(crate) fn new(scheme: SlotScheme) -> Self {
        Self { scheme, hashes: HashSet::new() }
    }

    /// Adds the tag of a key. Returns whether it has one that was not there.
    pub(crate) fn insert(&mut self, db: u16, key: &[u8]) -> bool {
        let hash = tag(self.scheme, key).map(|tag| hash(db, tag));
        hash.is_some_and(|hash| self.hashes.insert(hash))
    }

    /// Adds all tags of others.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.hashes.extend(&others.hashes);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether the tag of a key is among them; none if it has no tag.
    pub(crate) fn has_tag_of(&self, db: u16, key: &[u8]) -> Option<bool> {
        tag(self.scheme, key).map(|tag| self.hashes.contains(&hash(db, tag)))
    }

    /// Whether a key belongs to them.
    pub(crate) fn hold(&self, key: &Key<'_>) -> bool {
        !self.is_empty() && self.has_tag_of(key.db, key.bytes) == Some(true)
    }
}

fn hash(db: u16, tag: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (db, tag).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stand_for_all_their_keys_in_one_database() {
        for scheme in [SlotScheme::Redis, SlotScheme::Codis] {
            let mut tags = Tags::new(scheme);
            assert!(tags.insert(0, b"{t}1") && !tags.insert(0, b"x{t}") && !tags.insert(0, b"t"));
            assert_eq!(tags.has_tag_of(0, b"{t}2"), Some(true));
            assert_eq!(tags.has_tag_of(1, b"{t}2"), Some(false));
            assert_eq!(tags.has_tag_of(0, b"{u}1"), Some(false));
            assert_eq!(tags.has_tag_of(0, b"t"), None);
            let mut more = Tags::new(scheme);
            more.extend(&tags);
            assert!(!more.is_empty() && more == tags);
        }
    }
}
