//! What is done by and by, in steps with a budget: deleting what is due, freeing what is large.

use super::change::Changes;
use super::graveyard::Grave;
use super::partition::{Expired, ExpiredCounts};
use super::watch::Interests;
use super::{Keyspace, Partition, Shard};
use crate::value::{Object, Record};
use std::sync::atomic::Ordering::Relaxed;

impl Keyspace {
    pub(super) fn bury(&self, object: Option<Box<Object>>) {
        if let Some(object) = object
            && object.is_large()
        {
            self.with_graveyard(|graveyard| graveyard.push(Grave::Object(object)));
        }
    }

    /// Frees about as much as `budget` records of what waits to be freed. Returns whether
    /// something is left.
    pub(crate) fn free_some(&self, budget: usize) -> bool {
        self.with_graveyard(|graveyard| graveyard.free(budget))
    }

    /// How many values and groups of tables wait to be freed.
    pub(crate) fn waiting_to_be_freed(&self) -> usize {
        self.graveyard.lock().len()
    }

    /// How many of them were freed so far.
    pub(crate) fn freed(&self) -> u64 {
        self.graveyard.lock().freed()
    }

    /// Deletes up to `budget` keys that are due. Returns how many it deleted; fewer than the
    /// budget means that nothing is due any more. Costs nothing for shards with nothing due.
    /// What was deleted is added to `changes` if somebody wants to know.
    pub(crate) fn expire_due(
        &self,
        now_ms: u64,
        budget: usize,
        changes: &mut Changes,
    ) -> ExpiredCounts {
        let first = self.expire_from.load(Relaxed) as usize;
        let mut done = ExpiredCounts::default();
        for step in 0..self.shards() {
            let number = (first + step) % self.shards();
            if self.cells[number].due_ms.load(Relaxed) >= now_ms {
                continue;
            }
            done.add(self.expire_shard(number, now_ms, budget - done.total(), changes));
            if done.total() >= budget {
                self.expire_from.store(number as u64, Relaxed);
                break;
            }
        }
        done
    }

    fn expire_shard(
        &self,
        number: usize,
        now_ms: u64,
        budget: usize,
        changes: &mut Changes,
    ) -> ExpiredCounts {
        let mut shard = self.lock(number);
        let mut done = ExpiredCounts::default();
        let mut earliest = u64::MAX;
        shard.is_changed = true;
        let Shard { databases, interests, .. } = &mut *shard;
        for (db, partition) in databases.iter_mut().enumerate() {
            let budget = budget - done.total();
            let interests = interests.as_deref();
            done.add(self.expire_partition(partition, db, now_ms, budget, interests, changes));
            earliest = earliest.min(partition.due().first().map_or(u64::MAX, |d| d.expire_ms()));
        }
        // Under the lock, so that no note of an earlier time can be lost.
        self.cells[number].due_ms.store(earliest, Relaxed);
        self.note_change(&mut shard);
        done
    }

    /// Deletes up to `budget` keys and members of a partition that are due.
    pub(super) fn expire_partition(
        &self,
        partition: &mut Partition,
        db: usize,
        now_ms: u64,
        budget: usize,
        interests: Option<&Interests>,
        changes: &mut Changes,
    ) -> ExpiredCounts {
        let hash_of = |record: &Record| self.hash(record.key());
        partition.expire_due(now_ms, budget, hash_of, |expired| {
            self.note_expired(db as u16, &expired, now_ms, interests, changes);
            match expired {
                Expired::Key(record) | Expired::LastMember(record) => {
                    self.bury(record.into_boxed());
                }
                Expired::MembersDue(..) | Expired::Members(_) => {}
            }
        })
    }

    /// The earliest time at which something may be due, in milliseconds since the Unix epoch.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        let earliest = self.cells.iter().map(|cell| cell.due_ms.load(Relaxed)).min();
        earliest.filter(|&ms| ms != u64::MAX)
    }
}
