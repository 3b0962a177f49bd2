//! Where the members of a cluster keep what they agree on. The core contains no consensus: whoever
//! wins a compare-and-set here is right.

mod file;
mod memory;

pub use file::FileStore;
pub use memory::MemoryStore;

use super::{ClusterRecord, NodeId};
use crate::error::{Error, ErrorKind};
use crate::slot::SlotSet;
use std::fmt;

/// A record as it was read, and which version of it that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The version; zero if there is no record yet.
    pub version: u64,
    /// The record; without members if there is none yet.
    pub record: ClusterRecord,
}

/// Where the members of a cluster keep what they agree on: in memory ([`MemoryStore`]), in a file
/// ([`FileStore`]), or wherever a host has a compare-and-set.
///
/// | store | the record is | the version is | [`TopologyStore::compare_and_set`] is |
/// |---|---|---|---|
/// | etcd | the value of a key | its `mod_revision` | a transaction that compares `mod_revision` |
/// | ZooKeeper | the data of a node | its version, plus one | `setData` with the version |
/// | a database | a column of a row | another column | `UPDATE ... WHERE version = ?` |
///
/// The text of a record is what [`ClusterRecord`] prints, and [`ClusterRecord::parse`] reads.
///
/// Calls may block, and are made within commands that change the cluster, such as CLUSTER SETSLOT,
/// under the locks of the slots concerned. A store that may be slow belongs behind a copy that is
/// kept at hand, with a limit to how long a change may take.
pub trait TopologyStore: fmt::Debug + Send + Sync {
    /// Reads the record.
    ///
    /// # Errors
    /// If the store cannot be reached, or holds no record.
    fn load(&self) -> Result<Stored, Error>;

    /// Stores a record in place of the one with this version, durably. Returns the new version,
    /// which is greater; none, and changes nothing, if the version is another by now.
    ///
    /// # Errors
    /// If the store cannot be reached. Whether the record was stored may be unknown then.
    fn compare_and_set(&self, version: u64, record: &ClusterRecord) -> Result<Option<u64>, Error>;

    /// Whether the record may have another version than this. A store that knows a cheaper way than
    /// reading the record says so here; nodes ask several times a second.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn may_have_changed(&self, version: u64) -> Result<bool, Error> {
        Ok(self.load()?.version != version)
    }
}

/// How often a change is tried that others come before.
const ATTEMPTS: usize = 1_000;

/// Changes the record in a store, whoever else does meanwhile: `change` is called with the newest
/// record until the result could be stored. Nothing is stored if it fails, or changes nothing.
///
/// # Errors
/// What `change` fails with, and if the store cannot be reached.
pub fn update<R>(
    store: &dyn TopologyStore,
    mut change: impl FnMut(&mut ClusterRecord) -> Result<R, Error>,
) -> Result<(R, Stored), Error> {
    for _ in 0..ATTEMPTS {
        let Stored { version, record } = store.load()?;
        let mut next = record.clone();
        let result = change(&mut next)?;
        if next == record {
            return Ok((result, Stored { version, record }));
        }
        if let Some(version) = store.compare_and_set(version, &next)? {
            return Ok((result, Stored { version, record: next }));
        }
    }
    Err(Error::fixed(ErrorKind::TryAgain, "The cluster record changes too often"))
}

/// Gives slots to another node: a compare-and-set on (slots, epoch). The new owner gets a config
/// epoch above all others. Returns false, and changes nothing, unless `from` owns each of the slots
/// and has this config epoch.
///
/// # Errors
/// If the store cannot be reached.
pub fn give_slots(
    store: &dyn TopologyStore,
    slots: &SlotSet,
    (from, epoch): (NodeId, u64),
    to: NodeId,
) -> Result<bool, Error> {
    update(store, |record| Ok(record.give(slots, (from, epoch), to))).map(|(given, _)| given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Member, Node};
    use std::collections::BTreeMap;

    fn id(digit: u8) -> NodeId {
        NodeId::parse(&[digit; 40]).unwrap()
    }

    /// Two nodes that know each other, of which the first owns ten slots at epoch 1.
    fn fill(store: &dyn TopologyStore) {
        let filled = update(store, |record| {
            record.join(Node::primary(id(b'a'), "h", 1));
            record.join(Node::primary(id(b'b'), "h", 2));
            record.meet(id(b'a'), id(b'b'));
            let node = Node { config_epoch: 1, ..Node::primary(id(b'a'), "h", 1) };
            record.put(Member::new(node, (0..10).collect(), BTreeMap::new()));
            Ok(())
        });
        filled.unwrap();
    }

    fn check_store(store: &(impl TopologyStore + Clone + 'static)) {
        assert_eq!(store.load(), Ok(Stored::default()));
        fill(store);
        let Stored { version, record } = store.load().unwrap();
        assert_eq!(store.may_have_changed(version), Ok(false));
        assert_eq!(store.compare_and_set(version - 1, &ClusterRecord::new()), Ok(None));
        assert_eq!(store.load(), Ok(Stored { version, record: record.clone() }));
        let mut next = record;
        next.note_epoch(id(b'a'), 5);
        let newer = store.compare_and_set(version, &next).unwrap().unwrap();
        assert!(newer > version && store.may_have_changed(version).unwrap());
        assert_eq!(store.load(), Ok(Stored { version: newer, record: next }));
        // Of many who want the same slot one gets it.
        let racers = (0..4).map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                let slots = SlotSet::from_iter([3u16]);
                give_slots(&store, &slots, (id(b'a'), 1), id(b'b')).unwrap()
            })
        });
        let racers: Vec<_> = racers.collect();
        let winners = racers.into_iter().filter(|_| true).map(|racer| racer.join().unwrap());
        assert_eq!(winners.filter(|won| *won).count(), 1);
    }

    #[test]
    fn a_store_in_memory_compares_and_sets() {
        check_store(&MemoryStore::default());
    }

    #[test]
    fn a_store_in_a_file_compares_and_sets() {
        let name = format!("keyslot-store-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let store = FileStore::new(folder.join("cluster"));
        check_store(&store);
        // Another process opens it by its name.
        let Stored { version, record } = store.load().unwrap();
        let other = FileStore::new(folder.join("cluster"));
        assert_eq!(other.load(), Ok(Stored { version, record }));
        std::fs::write(folder.join("cluster"), "7\nrubbish").unwrap();
        assert!(other.load().is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
