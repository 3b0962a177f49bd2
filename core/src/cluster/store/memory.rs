//! A record in memory, for engines of one process.

use super::{Stored, TopologyStore};
use crate::cluster::ClusterRecord;
use crate::error::Error;
use parking_lot::Mutex;
use std::sync::Arc;

/// A record in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    stored: Arc<Mutex<Stored>>,
}

impl TopologyStore for MemoryStore {
    fn load(&self) -> Result<Stored, Error> {
        Ok(self.stored.lock().clone())
    }

    fn compare_and_set(&self, version: u64, record: &ClusterRecord) -> Result<Option<u64>, Error> {
        let mut stored = self.stored.lock();
        if stored.version != version {
            return Ok(None);
        }
        *stored = Stored { version: version + 1, record: record.clone() };
        Ok(Some(stored.version))
    }

    fn may_have_changed(&self, version: u64) -> Result<bool, Error> {
        Ok(self.stored.lock().version != version)
    }
}
