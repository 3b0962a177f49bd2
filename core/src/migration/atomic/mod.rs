//! Slots that change hands whole: a snapshot with the effects of later writes, a fence of one slot for
//! the moment at which it changes its owner, and one compare-and-set that decides. Clients see no ASK,
//! and multi-key commands keep working.

mod feed;
mod frame;
mod import;
mod pieces;
mod slot;
mod stream;

pub(crate) use feed::Feed;
pub(crate) use frame::{
    Frame, FrameReader, Header, Kind, Standing, begins, each_request, number, write as write_frame,
};
pub(crate) use import::{Import, Imports};

use super::{
    Decision, Ends, MigrationEvent, MigrationLimits, MigrationRecord, MigrationStatus, Source,
};
use crate::error::Error;
use crate::slot::SlotSet;
use slot::{Outcome, SlotMove};
use std::collections::VecDeque;

/// Moves slots, some at a time, each whole at one moment.
#[derive(Debug)]
pub(crate) struct Atomic {
    ends: Ends,
    limits: MigrationLimits,
    id: u64,
    waiting: SlotSet,
    at_work: Vec<SlotMove>,
    reader: FrameReader,
    is_cancelled: bool,
    /// Why it ends before its time, once all slots at work have come to their end.
    failure: Option<Error>,
    end: Option<MigrationEvent>,
    status: MigrationStatus,
    events: VecDeque<MigrationEvent>,
}

/// Slots that are at work at the same time.
const AT_WORK: usize = 8;

impl Atomic {
    /// `id` is greater than those of the source's earlier migrations.
    pub(crate) fn new(ends: Ends, slots: SlotSet, limits: MigrationLimits, id: u64) -> Self {
        let status = MigrationStatus { slots_left: slots.len(), ..MigrationStatus::default() };
        Self {
            ends,
            limits,
            id,
            waiting: slots,
            at_work: Vec::new(),
            reader: FrameReader::default(),
            is_cancelled: false,
            failure: None,
            end: None,
            status,
            events: VecDeque::new(),
        }
    }

    /// Takes a slot up again about which the store was asked before a crash.
    pub(crate) fn resume(
        ends: Ends,
        record: MigrationRecord,
        decision: Decision,
        limits: MigrationLimits,
        source: &Source<'_>,
    ) -> Self {
        let mut machine = Self::new(ends, SlotSet::new(), limits, record.id);
        let MigrationRecord { id, slot, source_epoch, target_epoch, attempt, arrival, .. } = record;
        let header = Header { id, slot, source_epoch, target_epoch, attempt, arrival };
        machine.at_work.push(SlotMove::resume(header, ends, limits, source, decision));
        machine
    }

    pub(crate) fn status(&self) -> MigrationStatus {
        let lag_bytes = self.at_work.iter().map(SlotMove::lag_bytes).sum();
        let slot = self.at_work.first().map(|machine| machine.slot);
        let under_way: u64 = self.at_work.iter().map(|machine| machine.keys).sum();
        let keys_sent = self.status.keys_moved + under_way;
        MigrationStatus { lag_bytes, slot, keys_sent, ..self.status }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) fn poll_event(&mut self) -> Option<MigrationEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        if !self.is_cancelled && !self.waiting.is_empty() && self.at_work.len() < AT_WORK {
            return Some(0);
        }
        self.at_work.iter().filter_map(|machine| machine.poll_timeout(0)).min()
    }

    pub(crate) fn poll_transmit(
        &mut self,
        source: &Source<'_>,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> bool {
        self.begin(source);
        let start = out.len();
        let window = (self.limits.in_flight_bytes / self.at_work.len().max(1)).max(1);
        for machine in &mut self.at_work {
            let left = budget.saturating_sub(out.len() - start);
            machine.poll_transmit(source, out, left.max(1), window);
            if out.len() - start >= budget {
                break;
            }
        }
        // Who was served first is served last the next time.
        if !self.at_work.is_empty() {
            self.at_work.rotate_left(1);
        }
        let sent = out.len() - start;
        self.status.bytes_sent += sent as u64;
        self.settle(source);
        sent > 0
    }

    /// Begins with slots as long as there is room for more.
    fn begin(&mut self, source: &Source<'_>) {
        while !self.is_cancelled && self.at_work.len() < AT_WORK {
            let Some(slot) = self.waiting.iter().next() else { break };
            self.waiting.remove(slot);
            self.status.slots_left -= 1;
            let view = source.cluster.view();
            let epoch = |id| view.topology.node(id).map_or(0, |node| node.config_epoch);
            let header = Header {
                id: self.id,
                slot,
                source_epoch: epoch(self.ends.source),
                target_epoch: epoch(self.ends.target),
                attempt: 1,
                arrival: 0,
            };
            drop(view);
            self.at_work.push(SlotMove::new(header, self.ends, self.limits));
        }
        self.settle(source);
    }

    /// Puts away slots that have ended, and ends when all have.
    fn settle(&mut self, source: &Source<'_>) {
        for machine in &mut self.at_work {
            self.events.extend(machine.events.drain(..));
        }
        let (status, failure) = (&mut self.status, &mut self.failure);
        let had_failed = failure.is_some();
        self.at_work.retain(|machine| match machine.outcome() {
            None => true,
            Some(Ok(())) => {
                status.slots_moved += 1;
                status.keys_moved += machine.keys;
                false
            }
            Some(Err(Outcome::Failed(error))) => {
                failure.get_or_insert_with(|| error.clone());
                false
            }
            Some(Err(Outcome::Cancelled | Outcome::Again)) => false,
        });
        if self.failure.is_some() && !had_failed {
            self.stop(source);
        }
        let is_done = self.at_work.is_empty() && (self.waiting.is_empty() || self.is_cancelled);
        if is_done && self.end.is_none() {
            // Fences of other slots stand until their targets have given them up.
            let end = match (self.failure.take(), self.is_cancelled) {
                (Some(error), _) => MigrationEvent::Failed { error, open: None },
                (None, true) => MigrationEvent::Cancelled { open: None },
                (None, false) => MigrationEvent::Finished,
            };
            self.events.push_back(end.clone());
            self.end = Some(end);
        }
    }

    /// Begins with no more slots, and ends those that can still be ended.
    fn stop(&mut self, source: &Source<'_>) {
        self.is_cancelled = true;
        self.at_work.iter_mut().for_each(|machine| machine.cancel(source));
    }

    pub(crate) fn handle_frame(&mut self, source: &Source<'_>, bytes: &[u8]) {
        for frame in self.reader.read(bytes) {
            for machine in &mut self.at_work {
                machine.handle_frame(source, &frame);
            }
        }
        self.settle(source);
    }

    pub(crate) fn handle_timeout(&mut self, source: &Source<'_>) {
        self.at_work.iter_mut().for_each(|machine| machine.handle_timeout(source));
        self.settle(source);
    }

    pub(crate) fn handle_reconnect(&mut self) {
        self.reader.reset();
        self.at_work.iter_mut().for_each(SlotMove::handle_reconnect);
    }

    pub(crate) fn handle_decision(&mut self, source: &Source<'_>, slot: u16, decision: Decision) {
        for machine in self.at_work.iter_mut().filter(|machine| machine.slot == slot) {
            machine.handle_decision(source, decision);
        }
        self.settle(source);
    }

    pub(crate) fn cancel(&mut self, source: &Source<'_>) {
        self.stop(source);
        self.settle(source);
    }

    pub(crate) fn abandon(&mut self, source: &Source<'_>) {
        self.at_work.iter_mut().for_each(|machine| machine.abandon(source));
    }
}
