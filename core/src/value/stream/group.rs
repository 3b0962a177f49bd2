//! A consumer group: how far it has come, who reads for it, and what was delivered and not yet
//! acknowledged. Each such entry is in the group's order, with its delivery, and in its consumer's.

use super::history::History;
use crate::structs::allocation::footprint;
use crate::structs::ordered::{Keyed, Ordered};
use crate::structs::stream_node::StreamId;

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) id: StreamId,
    /// When it was last delivered, in milliseconds since the Unix epoch.
    pub(crate) delivered_ms: i64,
    /// How often it was delivered.
    pub(crate) deliveries: u64,
    /// The number of the consumer that has it.
    pub(super) consumer: u32,
}

impl Keyed for Pending {
    type Key = StreamId;

    fn key(&self) -> StreamId {
        self.id
    }
}

impl Keyed for StreamId {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

/// Someone who reads for a group.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) name: Box<[u8]>,
    /// When it last asked for anything, in milliseconds since the Unix epoch.
    pub(crate) seen_ms: i64,
    /// When it last got anything; -1 if it never has.
    pub(crate) active_ms: i64,
    pub(super) pending: Ordered<StreamId>,
}

impl Consumer {
    fn footprint(&self) -> usize {
        footprint(self.name.len()) + self.pending.footprint()
    }

    /// How many entries it has not acknowledged.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of entries that it has not acknowledged, from one on.
    pub(crate) fn pending_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.iter_from(start).copied()
    }
}

/// A group of consumers.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Box<[u8]>,
    /// The id of the last entry that was delivered.
    pub(crate) last_id: StreamId,
    /// How many entries of all that ever were the group has read, if that is known.
    pub(crate) entries_read: Option<u64>,
    pub(super) pending: Ordered<Pending>,
    /// By number; a number is free after its consumer.
    consumers: Vec<Option<Consumer>>,
    /// The numbers in the order of the names.
    by_name: Vec<u32>,
    /// What the consumers take from the allocator, without the list of them.
    consumer_bytes: usize,
}

impl Clone for Group {
    /// A copy has no room to spare, so that its bytes are counted anew.
    fn clone(&self) -> Self {
        let consumers = self.consumers.clone();
        Self {
            name: self.name.clone(),
            last_id: self.last_id,
            entries_read: self.entries_read,
            pending: self.pending.clone(),
            by_name: self.by_name.clone(),
            consumer_bytes: consumers.iter().flatten().map(Consumer::footprint).sum(),
            consumers,
        }
    }
}

impl Group {
    pub(crate) fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            pending: Ordered::default(),
            consumers: Vec::new(),
            by_name: Vec::new(),
            consumer_bytes: 0,
        }
    }

    /// Bytes that the group takes from the allocator, beside itself.
    pub(super) fn footprint(&self) -> usize {
        footprint(self.name.len())
            + self.pending.footprint()
            + footprint(self.consumers.capacity() * size_of::<Option<Consumer>>())
            + footprint(self.by_name.capacity() * size_of::<u32>())
            + self.consumer_bytes
    }

    /// The consumers in the order of their names.
    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.by_name.iter().map(|&number| self.consumer(number))
    }

    /// The consumer with a number.
    pub(crate) fn consumer(&self, number: u32) -> &Consumer {
        self.consumers[number as usize].as_ref().expect("numbers are of consumers that are there")
    }

    /// The consumer that has an entry.
    pub(crate) fn owner(&self, pending: &Pending) -> &Consumer {
        self.consumer(pending.consumer)
    }

    /// Lets `change` work on a consumer, and counts its bytes anew.
    fn change_consumer<R>(&mut self, number: u32, change: impl FnOnce(&mut Consumer) -> R) -> R {
        let consumer = self.consumers[number as usize].as_mut();
        let consumer = consumer.expect("numbers are of consumers that are there");
        self.consumer_bytes -= consumer.footprint();
        let result = change(consumer);
        self.consumer_bytes += consumer.footprint();
        result
    }

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&number| (*self.consumer(number).name).cmp(name))
    }

    /// The number of the consumer with a name.
    pub(crate) fn find_consumer(&self, name: &[u8]) -> Option<u32> {
        self.place_of(name).ok().map(|place| self.by_name[place])
    }

    /// Makes a consumer, if there is none of this name. Returns its number, and whether it is new.
    pub(crate) fn consumer_or_new(&mut self, name: &[u8], now_ms: i64) -> (u32, bool) {
        let place = match self.place_of(name) {
            Ok(place) => return (self.by_name[place], false),
            Err(place) => place,
        };
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: -1,
            pending: Ordered::default(),
        };
        self.consumer_bytes += consumer.footprint();
        let free = self.by_name.len() < self.consumers.len();
        let free = free.then(|| self.consumers.iter().position(Option::is_none)).flatten();
        let number = free.unwrap_or(self.consumers.len());
        if number == self.consumers.len() {
            self.consumers.push(None);
        }
        self.consumers[number] = Some(consumer);
        self.by_name.insert(place, number as u32);
        (number as u32, true)
    }

    /// As [`Group::consumer_or_new`], and notes that it asks for something.
    pub(crate) fn asking_consumer(&mut self, name: &[u8], now_ms: i64) -> (u32, bool) {
        let (number, is_new) = self.consumer_or_new(name, now_ms);
        self.change_consumer(number, |consumer| consumer.seen_ms = now_ms);
        (number, is_new)
    }

    /// Sets when a consumer last asked and got anything.
    pub(crate) fn set_times(&mut self, number: u32, seen_ms: i64, active_ms: i64) {
        self.change_consumer(number, |consumer| {
            (consumer.seen_ms, consumer.active_ms) = (seen_ms, active_ms);
        });
    }

    /// Deletes a consumer with all that it has not acknowledged. Returns how much that was, or
    /// none if there is no such consumer.
    pub(crate) fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.place_of(name).ok()?;
        let number = self.by_name.remove(place);
        let consumer = self.consumers[number as usize].take()?;
        self.consumer_bytes -= consumer.footprint();
        for id in consumer.pending.iter() {
            self.pending.remove(*id);
        }
        Some(consumer.pending.len())
    }

    /// How many entries are not acknowledged.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The first and the last entry that is not acknowledged.
    pub(crate) fn pending_ends(&self) -> Option<(StreamId, StreamId)> {
        self.pending.first().zip(self.pending.last()).map(|(first, last)| (first.id, last.id))
    }

    /// An entry that is not acknowledged.
    pub(crate) fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// The entries that are not acknowledged, from an id on.
    pub(crate) fn pending_from(&self, start: StreamId) -> impl Iterator<Item = &Pending> {
        self.pending.iter_from(start)
    }

    /// Notes that an entry was delivered to a consumer for the first time, who then has it, even if
    /// another had it before.
    fn assign(&mut self, id: StreamId, consumer: u32, now_ms: i64) {
        let pending = Pending { id, delivered_ms: now_ms, deliveries: 1, consumer };
        if self.pending.insert(pending).is_err() {
            self.set_owner(id, consumer);
            if let Some(kept) = self.pending.get_mut(id) {
                *kept = pending;
            }
        } else {
            self.take_in(id, consumer);
        }
    }

    fn take_in(&mut self, id: StreamId, consumer: u32) {
        // It was in no consumer's order, so it is in this one's now.
        let _ = self.change_consumer(consumer, |consumer| consumer.pending.insert(id));
    }

    /// Gives an entry that is not acknowledged to a consumer.
    fn set_owner(&mut self, id: StreamId, consumer: u32) {
        let Some(pending) = self.pending.get_mut(id) else { return };
        let previous = std::mem::replace(&mut pending.consumer, consumer);
        if previous != consumer {
            self.change_consumer(previous, |previous| previous.pending.remove(id));
            self.take_in(id, consumer);
        }
    }

    /// Delivers the entries after the last one that was delivered, up to `limit`, and notes them as
    /// not acknowledged if they are to be. Returns the first id and the last.
    pub(crate) fn deliver(
        &mut self,
        history: &History,
        consumer: u32,
        limit: usize,
        acknowledged: bool,
        now_ms: i64,
    ) -> Option<(StreamId, StreamId)> {
        let start = self.last_id.next()?;
        let mut ends = None;
        for entry in history.log().range(start, StreamId::MAX).take(limit) {
            self.entries_read = history.read_after(self, entry.id);
            self.last_id = entry.id;
            if !acknowledged {
                self.assign(entry.id, consumer, now_ms);
            }
            ends = Some((ends.map_or(entry.id, |(first, _)| first), entry.id));
        }
        if ends.is_some() && !acknowledged {
            self.change_consumer(consumer, |consumer| consumer.active_ms = now_ms);
        }
        ends
    }

    /// Delivers entries again that a consumer has not acknowledged, from an id on, up to `limit`.
    /// Those that are no more stay, and are not counted as delivered. Returns the ids.
    pub(crate) fn deliver_again(
        &mut self,
        history: &History,
        consumer: u32,
        start: StreamId,
        limit: usize,
        now_ms: i64,
    ) -> Vec<StreamId> {
        let ids: Vec<_> = self.consumer(consumer).pending_from(start).take(limit).collect();
        for &id in ids.iter().filter(|&&id| history.log().contains(id)) {
            if let Some(pending) = self.pending.get_mut(id) {
                pending.delivered_ms = now_ms;
                pending.deliveries = pending.deliveries.wrapping_add(1);
            }
        }
        ids
    }

    /// Notes that an entry was dealt with. Returns whether it was not acknowledged before.
    pub(crate) fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.change_consumer(pending.consumer, |consumer| consumer.pending.remove(id));
        true
    }

    /// Gives an entry, which is there, to a consumer as a claim says. Returns whether the claim
    /// holds.
    pub(crate) fn claim(&mut self, id: StreamId, claim: &Claim) -> bool {
        let was_pending = self.pending.get(id).is_some();
        if !was_pending {
            if !claim.force {
                return false;
            }
            self.assign(id, claim.consumer, claim.now_ms);
        }
        let Some(pending) = self.pending.get_mut(id) else { return false };
        if was_pending && claim.is_too_early(pending) {
            return false;
        }
        pending.delivered_ms = claim.delivered_ms;
        match claim.deliveries {
            Some(deliveries) => pending.deliveries = deliveries,
            None if claim.counts => pending.deliveries = pending.deliveries.wrapping_add(1),
            None => {}
        }
        self.set_owner(id, claim.consumer);
        self.change_consumer(claim.consumer, |consumer| consumer.active_ms = claim.now_ms);
        true
    }

    /// Takes in an entry that is not acknowledged, from a payload. Returns whether it is new.
    pub(crate) fn restore_pending(&mut self, pending: Pending) -> bool {
        self.pending.insert(pending).is_ok()
    }

    /// Gives such an entry to a consumer. Returns whether it is there and nobody has it.
    pub(crate) fn restore_owner(&mut self, id: StreamId, consumer: u32) -> bool {
        let Some(pending) = self.pending.get_mut(id) else { return false };
        if pending.consumer != NOBODY {
            return false;
        }
        pending.consumer = consumer;
        self.take_in(id, consumer);
        true
    }

    /// Frees some of what is pending. Returns whether nothing is left.
    pub(super) fn free_some(&mut self) -> bool {
        if self.pending.pop_chunk().is_some() {
            return false;
        }
        let Some(Some(consumer)) = self.consumers.last_mut() else {
            return self.consumers.pop().is_none();
        };
        if consumer.pending.pop_chunk().is_none() {
            self.consumers.pop();
        }
        false
    }
}

/// In place of a consumer's number, while a payload is read.
pub(crate) const NOBODY: u32 = u32::MAX;

impl Pending {
    /// What a payload says of an entry, before it says who has it.
    pub(crate) fn without_owner(id: StreamId, delivered_ms: i64, deliveries: u64) -> Self {
        Self { id, delivered_ms, deliveries, consumer: NOBODY }
    }

    /// Whether no consumer has it.
    pub(crate) fn is_without_owner(&self) -> bool {
        self.consumer == NOBODY
    }
}

/// How entries are claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The number of the consumer that claims.
    pub(crate) consumer: u32,
    pub(crate) now_ms: i64,
    /// Entries that were delivered later ago than this only, in milliseconds; zero for all.
    pub(crate) idle_ms_min: i64,
    /// When they count as delivered.
    pub(crate) delivered_ms: i64,
    /// How often they count as delivered.
    pub(crate) deliveries: Option<u64>,
    /// Whether, without that, this counts as a delivery.
    pub(crate) counts: bool,
    /// Whether entries may be claimed that were not delivered.
    pub(crate) force: bool,
}

impl Claim {
    /// Whether an entry was delivered too short a time ago.
    pub(crate) fn is_too_early(&self, pending: &Pending) -> bool {
        self.idle_ms_min != 0 && self.now_ms.wrapping_sub(pending.delivered_ms) < self.idle_ms_min
    }
}
