//! Streams: entries in the order of their ids, and groups of consumers who read them together.
//!
//! A stream is always boxed. The entries lie in nodes (`structs::stream_node`), which are those that
//! Redis would have, deleted entries among them, so that a payload is the same to the byte.

mod group;
mod history;
mod id;
mod log;
mod radix;

pub(crate) use crate::structs::stream_node::{Entry, Node, StreamId};
pub(crate) use group::{Claim, Consumer, Group, Pending};
pub(crate) use history::{History, NewMarks};
pub(crate) use id::{IdText, NewId, parse, parse_bound, parse_end, parse_new, parse_start};
pub(crate) use log::{Keep, Log, NodeLimits, Trim};
pub(crate) use radix::node_count as radix_node_count;

use super::{Object, Record, Type};
use crate::error::Error;
use crate::structs::allocation::footprint;
use crate::structs::entry::{Body, NewBody};

/// The tag of a stream's record.
pub(crate) const TAG: u8 = Type::Stream as u8;

/// A stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    history: History,
    groups: Groups,
}

/// What becomes of groups that have not acknowledged an entry that is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum References {
    /// They keep its id.
    #[default]
    Keep,
    /// They forget it.
    Delete,
    /// The entry is not deleted while there are such groups, or some that it is yet to come to.
    Respect,
}

/// The stream in a record.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
#[inline]
pub(crate) fn read(record: &Record) -> Result<&Stream, Error> {
    match record.body() {
        Body::Boxed(Object::Stream(stream)) => Ok(stream),
        _ => Err(Error::WRONG_TYPE),
    }
}

/// The stream in a record, to be changed.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type.
#[inline]
pub(crate) fn write(record: &mut Record) -> Result<&mut Stream, Error> {
    match record.boxed_mut() {
        Some(Object::Stream(stream)) => Ok(stream),
        _ => Err(Error::WRONG_TYPE),
    }
}

/// An empty stream on its way into a record.
pub(crate) fn new() -> NewBody<'static, Object> {
    NewBody::Boxed(Box::new(Object::Stream(Box::default())))
}

impl Stream {
    /// Everything but the groups.
    #[inline]
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.history.log().len()
    }

    /// Adds an entry: fields, each followed by its value. Returns its id.
    ///
    /// # Errors
    /// `ERR` if no id is left, the id is not beyond the last one, or the texts are too long.
    #[inline]
    pub(crate) fn add(
        &mut self,
        id: NewId,
        pairs: &[&[u8]],
        limits: NodeLimits,
        now_ms: u64,
    ) -> Result<StreamId, Error> {
        self.history.add(id, pairs, limits, now_ms)
    }

    /// Deletes entries from the front. Returns how many.
    pub(crate) fn trim(&mut self, trim: Trim, references: References) -> usize {
        let Self { history, groups } = self;
        match references {
            References::Keep => history.trim(trim),
            References::Delete => history.trim_each(trim, |id| {
                groups.forget(id);
                true
            }),
            References::Respect => history.trim_each(trim, |id| !groups.need(id)),
        }
    }

    /// Deletes an entry. Returns whether it was there.
    pub(crate) fn delete(&mut self, id: StreamId) -> bool {
        self.history.delete(id)
    }

    /// Sets what is remembered of entries that were.
    ///
    /// # Errors
    /// `ERR` if entries that are there, or were, speak against it.
    pub(crate) fn set_marks(&mut self, marks: NewMarks) -> Result<(), Error> {
        self.history.set_marks(marks)
    }

    /// The groups in the order of their names.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.list.iter()
    }

    /// The group with a name.
    pub(crate) fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.place_of(name).ok().map(|place| &self.groups.list[place])
    }

    /// Lets `change` work on the group with a name. None if there is none.
    pub(crate) fn change_group<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&History, &mut Group) -> R,
    ) -> Option<R> {
        let place = self.groups.place_of(name).ok()?;
        let group = &mut self.groups.list[place];
        self.groups.bytes -= group.footprint();
        let result = change(&self.history, group);
        self.groups.bytes += group.footprint();
        Some(result)
    }

    /// Adds a group. Returns whether there was none of its name.
    pub(crate) fn add_group(&mut self, group: Group) -> bool {
        let Err(place) = self.groups.place_of(&group.name) else { return false };
        self.groups.bytes += group.footprint();
        self.groups.list.insert(place, group);
        true
    }

    /// Deletes the group with a name. Returns whether there was one.
    pub(crate) fn delete_group(&mut self, name: &[u8]) -> bool {
        let Ok(place) = self.groups.place_of(name) else { return false };
        let group = self.groups.list.remove(place);
        self.groups.bytes -= group.footprint();
        true
    }

    /// Whether a group has not acknowledged an entry, or has yet to come to it.
    pub(crate) fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.need(id)
    }

    /// Makes all groups forget that they have not acknowledged an entry.
    pub(crate) fn forget(&mut self, id: StreamId) {
        self.groups.forget(id);
    }

    /// Bytes that the stream takes from the allocator, itself included.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        footprint(size_of::<Self>()) + self.history.log().footprint() + self.groups.footprint()
    }

    /// Frees a part of it. Returns whether nothing large is left.
    pub(crate) fn free_step(&mut self) -> bool {
        if !self.history.log_mut().free_some() {
            return false;
        }
        let Some(group) = self.groups.list.last_mut() else { return true };
        self.groups.bytes -= group.footprint();
        let is_free = group.free_some();
        self.groups.bytes += group.footprint();
        if is_free && let Some(group) = self.groups.list.pop() {
            self.groups.bytes -= group.footprint();
        }
        false
    }
}

/// Groups in the order of their names.
#[derive(Debug, Default)]
struct Groups {
    list: Vec<Group>,
    /// What the groups take from the allocator, without the list of them.
    bytes: usize,
}

impl Clone for Groups {
    /// A copy has no room to spare, so that its bytes are counted anew.
    fn clone(&self) -> Self {
        let list = self.list.clone();
        let bytes = list.iter().map(|group| group.footprint()).sum();
        Self { list, bytes }
    }
}

impl Groups {
    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.list.binary_search_by(|group| (*group.name).cmp(name))
    }

    fn need(&self, id: StreamId) -> bool {
        self.list.iter().any(|group| group.last_id < id || group.pending(id).is_some())
    }

    fn forget(&mut self, id: StreamId) {
        for group in &mut self.list {
            self.bytes -= group.footprint();
            group.acknowledge(id);
            self.bytes += group.footprint();
        }
    }

    #[inline]
    fn footprint(&self) -> usize {
        footprint(self.list.capacity() * size_of::<Group>()) + self.bytes
    }
}

/// A stream as a payload tells it, on its way to be one.
#[derive(Debug)]
pub(crate) struct Restoring {
    stream: Stream,
}

impl Restoring {
    /// Starts with the nodes. None if their entries are not in order.
    pub(crate) fn new(nodes: impl Iterator<Item = Option<Node>>) -> Option<Self> {
        let history = History::of_log(Log::of_nodes(nodes)?);
        Some(Self { stream: Stream { history, groups: Groups::default() } })
    }

    /// How many entries the nodes have.
    pub(crate) fn len(&self) -> usize {
        self.stream.len()
    }

    /// Sets the greatest id that was given. None if an entry's is greater.
    pub(crate) fn set_last_id(&mut self, last_id: StreamId) -> Option<()> {
        let history = &mut self.stream.history;
        history.last_id = last_id;
        history.log().last_id().is_none_or(|last| last <= last_id).then_some(())
    }

    /// Sets what else is remembered.
    pub(crate) fn set_past(&mut self, first: StreamId, max_deleted: StreamId, added: u64) {
        let history = &mut self.stream.history;
        (history.first_id, history.max_deleted_id) = (first, max_deleted);
        history.entries_added = added;
    }

    /// Sets what else is remembered as far as the nodes tell it.
    pub(crate) fn infer_past(&mut self) {
        let log = self.stream.history.log();
        let (first_id, len) = (log.first_id().unwrap_or(StreamId::MAX), log.len() as u64);
        self.set_past(first_id, StreamId::MIN, len);
    }

    /// How many entries a group has read that has come to an id, if that can be told.
    pub(crate) fn infer_read(&self, last_id: StreamId) -> Option<u64> {
        self.stream.history.place(last_id)
    }

    /// Adds a group. None if there is one of its name.
    pub(crate) fn add_group(&mut self, group: Group) -> Option<()> {
        self.stream.add_group(group).then_some(())
    }

    /// The stream.
    pub(crate) fn finish(self) -> Stream {
        self.stream
    }
}
