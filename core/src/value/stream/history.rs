//! A stream without its groups: the entries, the ids that bound what was and what may come, and how
//! far a reader has come among all entries that ever were.

use super::group::Group;
use super::id::NewId;
use super::log::{Log, NODE_BYTES_MAX, NodeLimits, Trim};
use crate::error::Error;
use crate::structs::stream_node::StreamId;

/// What is to be set by XSETID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewMarks {
    pub(crate) last_id: StreamId,
    pub(crate) entries_added: Option<u64>,
    pub(crate) max_deleted_id: Option<StreamId>,
}

/// The entries of a stream, and what is remembered of those that were.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    log: Log,
    /// The greatest id that was ever given; the next one is beyond it.
    pub(super) last_id: StreamId,
    /// The first entry's id as it was noted; 0-0 without entries.
    pub(super) first_id: StreamId,
    /// The greatest id among entries that were deleted one by one.
    pub(super) max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub(super) entries_added: u64,
}

impl History {
    pub(super) fn of_log(log: Log) -> Self {
        Self { log, ..Self::default() }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    pub(crate) fn last_id(&self) -> StreamId {
        self.last_id
    }

    pub(crate) fn first_id(&self) -> StreamId {
        self.first_id
    }

    pub(crate) fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    pub(crate) fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Adds an entry: fields, each followed by its value. Returns its id.
    ///
    /// # Errors
    /// `ERR` if no id is left, the id is not beyond the last one, or the texts are too long.
    pub(super) fn add(
        &mut self,
        id: NewId,
        pairs: &[&[u8]],
        limits: NodeLimits,
        now_ms: u64,
    ) -> Result<StreamId, Error> {
        if self.last_id == StreamId::MAX {
            return Err(Error::err(
                "The stream has exhausted the last possible ID, unable to add more items",
            ));
        }
        let id = self.choose_id(id, now_ms).filter(|&id| id > self.last_id).ok_or(TOO_SMALL)?;
        if pairs.iter().map(|text| text.len()).sum::<usize>() > NODE_BYTES_MAX {
            return Err(Error::err("Elements are too large to be stored"));
        }
        self.log.append(id, pairs, limits);
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.log.len() == 1 {
            self.first_id = id;
        }
        Ok(id)
    }

    fn choose_id(&self, id: NewId, now_ms: u64) -> Option<StreamId> {
        match id {
            NewId::Exact(id) => Some(id),
            NewId::InMs(ms) if ms == self.last_id.ms => {
                Some(StreamId { ms, seq: self.last_id.seq.checked_add(1)? })
            }
            NewId::InMs(ms) => Some(StreamId { ms, seq: 0 }),
            NewId::Auto if now_ms > self.last_id.ms => Some(StreamId { ms: now_ms, seq: 0 }),
            NewId::Auto => self.last_id.next(),
        }
    }

    /// Deletes entries from the front. Returns how many.
    pub(super) fn trim(&mut self, trim: Trim) -> usize {
        let deleted = self.log.trim(trim);
        self.note_trimmed(deleted)
    }

    /// Deletes those entries from the front that `may_go`. Returns how many.
    pub(super) fn trim_each(&mut self, trim: Trim, may_go: impl FnMut(StreamId) -> bool) -> usize {
        let deleted = self.log.trim_each(trim, may_go);
        self.note_trimmed(deleted)
    }

    fn note_trimmed(&mut self, deleted: usize) -> usize {
        if deleted > 0 {
            self.first_id = self.log.first_id().unwrap_or_default();
        }
        deleted
    }

    /// Deletes an entry. Returns whether it was there.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        if !self.log.delete(id) {
            return false;
        }
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id || self.log.len() == 0 {
            self.first_id = self.log.first_id().unwrap_or_default();
        }
        true
    }

    /// Sets what is remembered.
    ///
    /// # Errors
    /// `ERR` if entries that are there, or were, speak against it.
    pub(super) fn set_marks(&mut self, marks: NewMarks) -> Result<(), Error> {
        if marks.last_id < self.max_deleted_id {
            return Err(Error::err(
                "The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if let Some(last) = self.log.last_id() {
            if marks.last_id < last {
                return Err(Error::err(
                    "The ID specified in XSETID is smaller than the target stream top item",
                ));
            }
            if marks.entries_added.is_some_and(|added| added < self.log.len() as u64) {
                return Err(Error::err(
                    "The entries_added specified in XSETID is smaller than the target stream \
                     length",
                ));
            }
        }
        self.last_id = marks.last_id;
        self.entries_added = marks.entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = marks.max_deleted_id.unwrap_or(self.max_deleted_id);
        Ok(())
    }

    /// Whether, as far as is known, an entry from `start` on was deleted.
    fn is_fragmented_from(&self, start: StreamId) -> bool {
        self.log.len() > 0 && self.max_deleted_id != StreamId::MIN && start <= self.max_deleted_id
    }

    /// How many entries a group has read once it has read the one with this id, if that can be
    /// told.
    pub(super) fn read_after(&self, group: &Group, id: StreamId) -> Option<u64> {
        match group.entries_read {
            Some(read)
                if group.last_id >= self.first_id && !self.is_fragmented_from(group.last_id) =>
            {
                Some(read.wrapping_add(1))
            }
            _ if self.entries_added > 0 => self.place(id),
            read => read,
        }
    }

    /// How many of all entries that ever were came up to an id, if that can be told: at the ends,
    /// and only where none was deleted from between.
    pub(super) fn place(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let len = self.log.len() as u64;
        if len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != StreamId::MIN && id < self.max_deleted_id || id > self.last_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before = self.entries_added.wrapping_sub(len);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if is_whole => Some(before),
            std::cmp::Ordering::Equal if is_whole => Some(before.wrapping_add(1)),
            _ => None,
        }
    }

    /// How many entries a group has yet to read, if that can be told.
    pub(crate) fn lag(&self, group: &Group) -> Option<i64> {
        let len = self.log.len();
        if self.entries_added == 0 || len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(len as i64);
        }
        let read = match group.entries_read {
            Some(read) if !self.is_fragmented_from(group.last_id) => read,
            _ => self.place(group.last_id)?,
        };
        Some(self.entries_added.wrapping_sub(read) as i64)
    }
}

const TOO_SMALL: Error =
    Error::err("The ID specified in XADD is equal or smaller than the target stream top item");
