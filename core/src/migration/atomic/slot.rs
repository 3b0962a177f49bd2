//! One slot from here to there, whole at one moment.
//!
//! ```text
//! Opening     open                    ->   the target makes room, invisible to its clients
//! Copying     data 1, 2, 3 ...        ->   a snapshot, and the effects of writes; nobody waits
//! Draining    the slot's writers wait; what is left is sent
//! Preparing   prepare                 ->   everybody waits who wants the slot; the target has all
//! Deciding    the host changes the owner by compare-and-set, or learns that it cannot
//! Committing  MOVED; commit           ->   the target serves
//! Deleting    what is left here goes, in steps
//! Withdrawing abort                   ->   the target keeps nothing
//! ```
//! From Draining on the fence stands until the store has decided or the target has said that it gave
//! the attempt up; no time makes it fall, unless the host has asked for that at its own risk. What the target has can only be served by it once the
//! store's decision is known to the source or its host, and the source serves nothing from Preparing
//! on: so at most one of the two answers for the slot.

use super::feed::Feed;
use super::frame::{Frame, Header, Kind, Standing};
use super::stream::Stream;
use crate::cluster::Fence;
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Audience, Listener};
use crate::migration::{Decision, Ends, MigrationEvent, MigrationLimits, MigrationRecord, Source};
use std::sync::Arc;

/// A slot is copied, and its writers are not held up.
#[derive(Debug)]
struct Copying {
    feed: Arc<Feed>,
    /// When the walk was through, in microseconds.
    through_us: Option<u64>,
}

/// Writers wait, and what they have done is sent.
#[derive(Debug)]
struct Draining {
    feed: Arc<Feed>,
}

/// The slot is the target's, with this epoch.
#[derive(Debug)]
struct Committing {
    keys: u64,
}

/// What is left here is deleted.
#[derive(Debug)]
struct Deleting {
    keys: u64,
    db: usize,
}

/// The target is told to forget.
#[derive(Debug)]
struct Withdrawing {
    outcome: Outcome,
    /// Whether writers wait until it has.
    is_fenced: bool,
}

/// How a slot ended that was not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Cancelled,
    Failed(Error),
    /// Another attempt follows.
    Again,
}

#[derive(Debug)]
enum State {
    Opening,
    Copying(Copying),
    Draining(Draining),
    Preparing { keys: u64 },
    Deciding { keys: u64 },
    Committing(Committing),
    Deleting(Deleting),
    Withdrawing(Withdrawing),
    Ended(Option<Outcome>),
}

/// The migration of one slot.
#[derive(Debug)]
pub(super) struct SlotMove {
    pub(super) slot: u16,
    ends: Ends,
    limits: MigrationLimits,
    stream: Stream,
    state: State,
    attempts: u32,
    /// When clients wait no longer, in microseconds, if there is such a time.
    unfence_us: Option<u64>,
    pub(super) keys: u64,
    pub(super) events: Vec<MigrationEvent>,
}

/// Keys that are deleted in one step.
const DELETE_STEP: usize = 512;

impl SlotMove {
    pub(super) fn new(header: Header, ends: Ends, limits: MigrationLimits) -> Self {
        let mut machine = Self {
            slot: header.slot,
            ends,
            limits,
            stream: Stream::new(header),
            state: State::Opening,
            attempts: 0,
            unfence_us: None,
            keys: 0,
            events: Vec::new(),
        };
        machine.open();
        machine
    }

    /// Takes a slot up again after a crash of the source, about which the store has decided.
    pub(super) fn resume(
        header: Header,
        ends: Ends,
        limits: MigrationLimits,
        source: &Source<'_>,
        decision: Decision,
    ) -> Self {
        let mut machine = Self::new(header, ends, limits);
        machine.state = State::Deciding { keys: 0 };
        machine.handle_decision(source, decision);
        machine
    }

    /// What the host keeps while it asks its store.
    fn record(&self) -> MigrationRecord {
        let Header { id, slot, source_epoch, target_epoch, attempt, arrival } = self.stream.header;
        let target = self.ends.target;
        MigrationRecord { id, slot, target, source_epoch, target_epoch, attempt, arrival }
    }

    fn open(&mut self) {
        self.stream.ask(Kind::Open, self.ends.source.as_str().as_bytes().to_vec());
        self.state = State::Opening;
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether the slot was moved, or how it ended otherwise. None if it has not ended.
    pub(super) fn outcome(&self) -> Option<Result<(), &Outcome>> {
        match &self.state {
            State::Ended(outcome) => Some(outcome.as_ref().map_or(Ok(()), Err)),
            _ => None,
        }
    }

    /// Bytes that were not acknowledged, and those that wait to be sent.
    pub(super) fn lag_bytes(&self) -> usize {
        let waiting = match &self.state {
            State::Copying(Copying { feed, .. }) | State::Draining(Draining { feed }) => {
                feed.bytes()
            }
            _ => 0,
        };
        self.stream.bytes() + waiting
    }

    pub(super) fn poll_timeout(&self, now_us: u64) -> Option<u64> {
        match self.state {
            State::Deleting(_) => Some(now_us),
            // The next step waits for nothing, though the last one may have had nothing to send.
            State::Copying(_) | State::Draining(_) if self.stream.is_settled() => Some(now_us),
            State::Ended(_) => None,
            _ => self.stream.deadline_us().into_iter().chain(self.unfence_us).min(),
        }
    }

    /// Takes steps for which nothing has to arrive, and appends what is to be sent now. `window` is
    /// how many bytes may wait for an acknowledgement.
    pub(super) fn poll_transmit(
        &mut self,
        source: &Source<'_>,
        out: &mut Vec<u8>,
        budget: usize,
        window: usize,
    ) {
        self.advance(source, window);
        self.stream.transmit(out, budget, source.now_us);
    }

    fn advance(&mut self, source: &Source<'_>, window: usize) {
        self.state = match std::mem::replace(&mut self.state, State::Ended(None)) {
            State::Copying(copying) => self.copy(source, copying, window),
            State::Draining(draining) => self.drain(source, draining, window),
            State::Deleting(deleting) => self.delete(source, deleting),
            same => same,
        };
    }

    /// Fills the stream from the feed. Returns whether the feed has no more for now.
    fn fill(&mut self, feed: &Feed, window: usize) -> bool {
        while self.stream.bytes() < window {
            let Some(part) = feed.take() else { return true };
            self.stream.push(part);
        }
        false
    }

    fn copy(&mut self, source: &Source<'_>, mut copying: Copying, window: usize) -> State {
        if copying.feed.is_disturbed() {
            return self.withdraw(source, Some(&copying.feed), false, Outcome::Again);
        }
        let feed = copying.feed.clone();
        if feed.bytes() > self.limits.backlog_bytes {
            let text = "writes to the slot came faster than they could be sent";
            let outcome = Outcome::Failed(Error::fixed(ErrorKind::IoErr, text));
            return self.withdraw(source, Some(&feed), false, outcome);
        }
        let mut is_through = copying.through_us.is_some();
        while feed.bytes() + self.stream.bytes() < window {
            let mut access = source.lock(self.slot);
            let step = feed.step(&mut access, self.limits.piece_bytes);
            self.hold(source, step.hold);
            drop(access);
            is_through = step.is_through;
            if is_through {
                break;
            }
        }
        self.keys = feed.keys();
        copying.through_us = is_through.then(|| copying.through_us.unwrap_or(source.now_us));
        self.fill(&feed, window);
        let Some(through_us) = copying.through_us else { return State::Copying(copying) };
        let waited_us = source.now_us.saturating_sub(through_us);
        let is_small = feed.bytes() + self.stream.bytes() <= self.limits.fence_bytes;
        if is_small || waited_us >= self.limits.fence_after_ms.saturating_mul(1000) {
            let _lock = source.lock(self.slot);
            self.set_fence(source, Some(Fence::Writes));
            let after_ms = self.limits.unfence_after_ms;
            self.unfence_us = after_ms.map(|ms| source.now_us.saturating_add(ms * 1_000));
            return State::Draining(Draining { feed });
        }
        State::Copying(copying)
    }

    fn drain(&mut self, source: &Source<'_>, draining: Draining, window: usize) -> State {
        let feed = &draining.feed;
        if feed.is_disturbed() {
            return self.withdraw(source, Some(feed), false, Outcome::Again);
        }
        let mut access = source.lock(self.slot);
        // What was spoilt between the last step and the fence.
        while !feed.step(&mut access, self.limits.piece_bytes).is_through {}
        drop(access);
        if !self.fill(feed, window) || !self.stream.is_settled() {
            return State::Draining(draining);
        }
        // Nothing happens to the slot from here on, not even that a reader finds a key expired.
        let lock = source.lock(self.slot);
        self.set_fence(source, Some(Fence::All));
        drop(lock);
        self.fill(feed, usize::MAX);
        self.end_feed(source, feed);
        let durable: &[u8] = if self.limits.durable { b"durable" } else { b"" };
        self.stream.ask(Kind::Prepare, durable.to_vec());
        State::Preparing { keys: feed.keys() }
    }

    fn delete(&mut self, source: &Source<'_>, mut deleting: Deleting) -> State {
        let mut access = source.lock(self.slot);
        while deleting.db < source.keyspace.databases() {
            let mut names: Vec<Box<[u8]>> = Vec::new();
            access.walk_slot(deleting.db, self.slot, 0, DELETE_STEP, |record| {
                names.push(record.key().into());
            });
            if names.len() < DELETE_STEP {
                // What has expired goes with the rest.
                access.flush_slot(deleting.db, self.slot);
                deleting.db += 1;
                continue;
            }
            for name in &names {
                access.remove(&source.keyspace.locate(deleting.db, name));
            }
            return State::Deleting(deleting);
        }
        drop(access);
        self.events.push(MigrationEvent::SlotMoved { slot: self.slot, keys: deleting.keys });
        State::Ended(None)
    }

    /// Takes in what the target says.
    pub(super) fn handle_frame(&mut self, source: &Source<'_>, frame: &Frame) {
        if frame.kind != Kind::Ack || self.is_ended() {
            return;
        }
        let Some(standing) = Standing::parse(&frame.payload) else { return };
        let is_opening = matches!(self.state, State::Opening);
        if is_opening && frame.header.is_same_attempt(&self.stream.header) {
            self.stream.header = frame.header;
        }
        if frame.header != self.stream.header {
            return;
        }
        self.stream.acknowledge(frame.sequence, source.now_us);
        self.state = match (std::mem::replace(&mut self.state, State::Ended(None)), standing) {
            (State::Opening, Standing::Receiving) => self.begin_to_copy(source),
            (State::Preparing { keys }, Standing::Prepared) => {
                self.stream.answered();
                self.events.push(MigrationEvent::Decide(self.record()));
                State::Deciding { keys }
            }
            (State::Committing(Committing { keys }), Standing::Committed) => {
                self.stream.answered();
                State::Deleting(Deleting { keys, db: 0 })
            }
            (State::Committing(committing), Standing::Aborted(_)) => {
                // The target must not have forgotten what it prepared. What is here stays.
                let text = "the target has lost a slot that is its own; it is kept here";
                self.stream.answered();
                let error = Error::fixed(ErrorKind::IoErr, text);
                self.keys = committing.keys;
                State::Ended(Some(Outcome::Failed(error)))
            }
            (State::Withdrawing(it), Standing::Aborted(_) | Standing::Unknown) => {
                self.withdrawn(source, it)
            }
            (state, Standing::Aborted(why)) => self.give_up(source, state, Outcome::failed(&why)),
            (state @ State::Opening, Standing::Unknown) => state,
            (state, Standing::Unknown) => self.give_up(source, state, Outcome::Again),
            (state, _) => state,
        };
    }

    /// Ends an attempt that the target has given up. Once the store was asked, only it decides.
    fn give_up(&mut self, source: &Source<'_>, state: State, outcome: Outcome) -> State {
        match state {
            State::Opening | State::Preparing { .. } => {
                let outcome = Withdrawing { outcome, is_fenced: true };
                self.withdrawn(source, outcome)
            }
            State::Copying(Copying { feed, .. }) | State::Draining(Draining { feed }) => {
                self.end_feed(source, &feed);
                self.withdrawn(source, Withdrawing { outcome, is_fenced: true })
            }
            same => same,
        }
    }

    fn begin_to_copy(&mut self, source: &Source<'_>) -> State {
        self.stream.answered();
        let feed = Arc::new(Feed::new(self.slot));
        let listener: Arc<dyn Listener> = feed.clone();
        let _lock = source.lock(self.slot);
        source.keyspace.listen(Audience::Slot(self.slot), listener);
        State::Copying(Copying { feed, through_us: None })
    }

    fn end_feed(&self, source: &Source<'_>, feed: &Arc<Feed>) {
        let listener: Arc<dyn Listener> = feed.clone();
        source.keyspace.cease_to_listen(Audience::Slot(self.slot), &listener);
    }

    /// Sets or lifts the slot's fence, whose lock the caller holds.
    fn set_fence(&mut self, source: &Source<'_>, fence: Option<Fence>) {
        if fence.is_none() {
            self.unfence_us = None;
        }
        source.cluster.change_slot(self.slot, |view| view.set_fence(self.slot, fence));
    }

    /// Lets writers of one key wait, or none.
    fn hold(&mut self, source: &Source<'_>, key: Option<u64>) {
        let wanted = key.map(Fence::Key);
        if source.cluster.view().fence(self.slot) != wanted {
            self.set_fence(source, wanted);
        }
    }

    fn withdraw(
        &mut self,
        source: &Source<'_>,
        feed: Option<&Arc<Feed>>,
        is_fenced: bool,
        outcome: Outcome,
    ) -> State {
        if let Some(feed) = feed {
            self.end_feed(source, feed);
        }
        if !is_fenced {
            let _lock = source.lock(self.slot);
            self.set_fence(source, None);
        }
        let header = self.stream.header;
        self.stream = Stream::new(header);
        self.stream.ask(Kind::Abort, Vec::new());
        State::Withdrawing(Withdrawing { outcome, is_fenced })
    }

    fn withdrawn(&mut self, source: &Source<'_>, withdrawing: Withdrawing) -> State {
        let lock = source.lock(self.slot);
        self.set_fence(source, None);
        drop(lock);
        self.stream.answered();
        if withdrawing.outcome == Outcome::Again && self.attempts < self.limits.attempts {
            self.attempts += 1;
            let header = self.stream.header;
            self.stream = Stream::new(Header { attempt: header.attempt + 1, arrival: 0, ..header });
            self.open();
            return State::Opening;
        }
        State::Ended(Some(match withdrawing.outcome {
            Outcome::Again => Outcome::failed(b"ERR too many attempts at moving the slot"),
            outcome => outcome,
        }))
    }

    /// Does what time asks for.
    pub(super) fn handle_timeout(&mut self, source: &Source<'_>) {
        if matches!(self.state, State::Deleting(_)) {
            return self.advance(source, 0);
        }
        if self.unfence_us.is_some_and(|at_us| at_us <= source.now_us) {
            self.unfence(source);
        }
        if !self.stream.handle_timeout(source.now_us) {
            return;
        }
        if self.stream.silent_waits <= self.limits.attempts {
            return;
        }
        let silent = || {
            let text = "error or timeout reading from target instance";
            Outcome::Failed(Error::fixed(ErrorKind::IoErr, text))
        };
        self.state = match std::mem::replace(&mut self.state, State::Ended(None)) {
            State::Opening => self.withdraw(source, None, false, silent()),
            State::Copying(Copying { feed, .. }) => {
                self.withdraw(source, Some(&feed), false, silent())
            }
            // Nobody waits for it: the target finds out by itself.
            State::Withdrawing(it) if !it.is_fenced => self.withdrawn(source, it),
            fenced => fenced,
        };
    }

    /// Lets nobody wait any longer. The move goes on only where the store may have decided it already.
    fn unfence(&mut self, source: &Source<'_>) {
        let outcome = || Outcome::failed(b"ERR clients have waited for too long");
        self.unfence_us = None;
        self.state = match std::mem::replace(&mut self.state, State::Ended(None)) {
            State::Draining(Draining { feed }) => {
                self.withdraw(source, Some(&feed), false, outcome())
            }
            State::Preparing { .. } => self.withdraw(source, None, false, outcome()),
            State::Withdrawing(it) => {
                let _lock = source.lock(self.slot);
                self.set_fence(source, None);
                State::Withdrawing(Withdrawing { is_fenced: false, ..it })
            }
            deciding @ State::Deciding { .. } => {
                let _lock = source.lock(self.slot);
                self.set_fence(source, None);
                self.events.push(MigrationEvent::Unfenced { slot: self.slot });
                deciding
            }
            same => same,
        };
    }

    /// Lets everything be sent again over a new connection.
    pub(super) fn handle_reconnect(&mut self) {
        self.stream.repeat();
    }

    /// Takes in what the store has decided.
    pub(super) fn handle_decision(&mut self, source: &Source<'_>, decision: Decision) {
        let State::Deciding { keys } = self.state else { return };
        let lock = source.lock(self.slot);
        self.state = match decision {
            Decision::Committed { epoch } => {
                source.cluster.change_slot(self.slot, |view| {
                    view.set_fence(self.slot, None);
                    if let Some(target) = view.topology.node(self.ends.target).cloned() {
                        let config_epoch = target.config_epoch.max(epoch);
                        view.topology.put_node(crate::cluster::Node { config_epoch, ..target });
                    }
                    view.topology.assign(self.slot, self.ends.target);
                });
                self.stream.ask(Kind::Commit, epoch.to_string().into_bytes());
                State::Committing(Committing { keys })
            }
            Decision::Refused => {
                drop(lock);
                let outcome = Outcome::failed(b"ERR the store refused to change the slot's owner");
                self.withdraw(source, None, false, outcome)
            }
        };
    }

    /// Ends the migration of the slot if the store was not asked yet. A fence stands until the target
    /// has given the slot up.
    pub(super) fn cancel(&mut self, source: &Source<'_>) {
        let outcome = Outcome::Cancelled;
        self.state = match std::mem::replace(&mut self.state, State::Ended(None)) {
            State::Opening => self.withdraw(source, None, false, outcome),
            State::Copying(Copying { feed, .. }) => {
                self.withdraw(source, Some(&feed), false, outcome)
            }
            State::Draining(Draining { feed }) => self.withdraw(source, Some(&feed), true, outcome),
            State::Preparing { .. } => self.withdraw(source, None, true, outcome),
            State::Withdrawing(it) => State::Withdrawing(Withdrawing { outcome, ..it }),
            decided => decided,
        };
    }

    /// Lets go of the slot as it is: its host drops the migration. A fence stays that only the store
    /// can lift.
    pub(super) fn abandon(&mut self, source: &Source<'_>) {
        if let State::Copying(Copying { feed, .. }) = &self.state {
            self.end_feed(source, &feed.clone());
            let _lock = source.lock(self.slot);
            self.set_fence(source, None);
        }
    }
}

impl Outcome {
    fn failed(why: &[u8]) -> Self {
        Self::Failed(Error::new(ErrorKind::Foreign, why))
    }
}
