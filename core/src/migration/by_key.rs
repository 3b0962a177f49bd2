//! Keys at a time, as Redis Cluster moves a slot since 4.0.
//!
//! ```text
//! Opening      CLUSTER SETSLOT slot IMPORTING source  ->       and the slot is MIGRATING here
//! Moving/Sent  RESTORE-ASKING key ttl payload ...     ->       acknowledged, then deleted here
//! Closing      CLUSTER SETSLOT slot NODE target       ->       and the same here
//! ```
//! Until a key is deleted here, this node answers for it; afterwards clients are sent on by `ASK`.
//! From the moment a key is sent until it is deleted, it can be read here and not be written
//! (`TRYAGAIN`), so that what the target has is what the source had. Sending a key again does no
//! harm, and a key that vanished meanwhile (it expired, or all keys were flushed) is deleted at the
//! target before a client can be sent there for it. So whatever is lost or repeated, each key is
//! answered for by one node, with the last value that was acknowledged.
//!
//! Keys whose arrival is in doubt when a migration fails stay barred from writing, and a migration
//! that is started again on the slot settles them first.

mod state;

use super::peer::{Peer, is_passing};
use super::{MigrationEvent, MigrationLimits, MigrationStatus, Source, batch};
use crate::cluster::{NodeId, SetSlot, SlotState, Transit};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::slot::SlotSet;
use state::{Moving, Opening, Sent, Slot, State, Stop, Task, Withdrawing};
use std::collections::VecDeque;
use std::sync::Arc;

/// Moves slots by key, one slot after the other.
#[derive(Debug)]
pub(crate) struct ByKey {
    source: NodeId,
    target: NodeId,
    limits: MigrationLimits,
    peer: Peer,
    state: State,
    /// Slots that were not begun.
    waiting: SlotSet,
    /// Why the migration ends before its time.
    stop: Option<Stop>,
    /// How often the present step has failed for a reason that passes.
    failures: u32,
    status: MigrationStatus,
    events: VecDeque<MigrationEvent>,
}

/// The first wait after a failure, in microseconds; it doubles with every further one.
const REST_US: u64 = 20_000;
const REST_US_MAX: u64 = 2_000_000;

impl ByKey {
    pub(crate) fn new(
        source: NodeId,
        target: NodeId,
        slots: SlotSet,
        limits: MigrationLimits,
    ) -> Self {
        let status = MigrationStatus { slots_left: slots.len(), ..MigrationStatus::default() };
        Self {
            source,
            target,
            limits,
            peer: Peer::default(),
            state: State::Between,
            waiting: slots,
            stop: None,
            failures: 0,
            status,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn status(&self) -> MigrationStatus {
        self.status
    }

    /// Whether the migration is over, one way or the other.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    pub(crate) fn poll_event(&mut self) -> Option<MigrationEvent> {
        self.events.pop_front()
    }

    /// When the machine wants its timeout handled, in microseconds.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        match self.state {
            State::Resting(_, until_us) => Some(until_us),
            State::Ended => None,
            _ => self.peer.deadline_us(),
        }
    }

    /// Appends what is to be sent now to `out`: about as much as `budget` bytes, or one large value.
    /// Returns whether there was something.
    pub(crate) fn poll_transmit(
        &mut self,
        source: &Source<'_>,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> bool {
        let before = out.len();
        while !self.peer.has_output() && out.len() == before {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Between => self.open_next(source),
                State::Moving(moving) => self.advance(source, moving, out, budget),
                waiting => {
                    self.state = waiting;
                    break;
                }
            };
        }
        self.peer.transmit(out);
        self.status.bytes_sent += (out.len() - before) as u64;
        out.len() > before
    }

    /// Takes in what the target sent, in pieces of any size.
    pub(crate) fn handle_frame(&mut self, source: &Source<'_>, bytes: &[u8]) {
        if self.is_ended() {
            return;
        }
        let state = &mut self.state;
        let received = self.peer.receive(bytes, |number, answer| state.answer(number, answer));
        if let Err(error) = received {
            return self.give_up(error);
        }
        if self.peer.is_settled() {
            let fault = self.peer.settle();
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Opening(opening) => self.opened(source, opening, fault),
                State::Selecting(moving) => self.selected(source, moving, fault),
                State::Sent(sent) => self.acknowledged(source, sent, fault),
                State::Erasing(moving, keys) => self.erased(source, moving, keys, fault),
                State::Closing(slot) => self.closed(source, slot, fault),
                State::Withdrawing(withdrawing) => self.withdrawn(source, withdrawing),
                State::Reopening(slot) => self.end(Some(slot)),
                same @ (State::Between | State::Moving(_) | State::Resting(..) | State::Ended) => {
                    same
                }
            };
        }
    }

    /// Does what time asks for. May be called at any time.
    pub(crate) fn handle_timeout(&mut self, source: &Source<'_>) {
        if self.poll_timeout().is_none_or(|at_us| source.now_us < at_us) {
            return;
        }
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Resting(moving, _) => State::Moving(moving),
            state => {
                self.failures += 1;
                self.state = state;
                if self.failures > self.limits.attempts {
                    let text = "error or timeout reading from target instance";
                    return self.give_up(Error::fixed(ErrorKind::IoErr, text));
                }
                self.expect_answers(source);
                return self.events.push_back(MigrationEvent::Reconnect);
            }
        };
    }

    /// Takes note that the connection is another one, and that nothing sent over the old one will
    /// be carried out any more.
    pub(crate) fn handle_reconnect(&mut self, source: &Source<'_>) {
        self.peer.reset();
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Opening(opening) => self.open(source, opening.slot.number),
            State::Selecting(moving) => State::Moving(moving),
            State::Sent(Sent { moving, keys, .. }) => {
                State::Moving(Moving { task: Task::Send(keys), ..moving })
            }
            State::Erasing(moving, keys) => {
                State::Moving(Moving { task: Task::Erase(keys), ..moving })
            }
            State::Closing(slot) => self.close(source, slot),
            State::Withdrawing(withdrawing) => self.withdraw(source, withdrawing.slot),
            State::Reopening(slot) => self.reopen(source, slot),
            same @ (State::Between | State::Moving(_) | State::Resting(..) | State::Ended) => same,
        };
    }

    /// Ends the migration before its time. The slot that is being moved becomes as it was if none
    /// of its keys has left; otherwise it stays open, and each of its keys at one node.
    pub(crate) fn cancel(&mut self) {
        self.stop.get_or_insert(Stop::Cancelled);
        if let State::Resting(_, until_us) = &mut self.state {
            *until_us = 0;
        }
    }

    fn open_next(&mut self, source: &Source<'_>) -> State {
        if self.stop.is_some() {
            return self.end(None);
        }
        let Some(slot) = self.waiting.iter().next() else {
            self.events.push_back(MigrationEvent::Finished);
            return State::Ended;
        };
        self.waiting.remove(slot);
        self.status.slots_left -= 1;
        self.status.slot = Some(slot);
        self.open(source, slot)
    }

    fn open(&mut self, source: &Source<'_>, number: u16) -> State {
        let state = source.cluster.view().topology.state(number);
        let fresh = match state {
            SlotState::Stable => true,
            SlotState::Migrating { to } if to == self.target => false,
            SlotState::Migrating { .. } | SlotState::Importing { .. } => {
                self.fail(super::elsewhere(number));
                return self.end(None);
            }
        };
        let slot = Slot { number, fresh, keys: 0, given: false };
        self.ask_to_import(number);
        if slot.fresh {
            self.ask_for_leftovers(source, number);
        }
        self.expect_answers(source);
        State::Opening(Opening { slot, refused: false, leftovers: 0 })
    }

    /// Asks how many keys of the slot the target has already, which nobody could tell from those
    /// that will arrive; and whether it has the databases that are needed.
    fn ask_for_leftovers(&mut self, source: &Source<'_>, number: u16) {
        let mut access = source.lock(number);
        let databases = 0..source.keyspace.databases();
        let needed = databases.filter(|&db| db == 0 || access.count_in_slot(db, number) > 0);
        self.ask_for_keys(number, needed.collect());
    }

    /// Asks how many keys of a slot the target has in these databases, zero among them.
    fn ask_for_keys(&mut self, number: u16, databases: Vec<usize>) {
        let number = number.to_string();
        for db in databases.into_iter().rev() {
            if db != self.peer.db {
                self.peer.ask(&[b"SELECT", db.to_string().as_bytes()]);
                self.peer.db = db;
            }
            self.peer.ask(&[b"CLUSTER", b"COUNTKEYSINSLOT", number.as_bytes()]);
        }
    }

    fn opened(&mut self, source: &Source<'_>, opening: Opening, fault: Option<Error>) -> State {
        let Opening { slot, refused, leftovers } = opening;
        // An earlier migration may have come as far as to make the target the owner.
        let owned = |fault: &Error| fault.text().starts_with(b"ERR I'm already the owner");
        if let Some(fault) = fault.filter(|fault| slot.fresh || !owned(fault)) {
            self.fail(fault);
            let left_open = (!slot.fresh).then_some(slot);
            return if refused { self.end(left_open) } else { self.leave(source, slot) };
        }
        if leftovers > 0 {
            let text = format!("Target node already holds keys of hash slot {}", slot.number);
            self.fail(Error::new(ErrorKind::Err, text));
            return self.leave(source, slot);
        }
        if slot.fresh {
            let _lock = source.lock(slot.number);
            let target = self.target;
            let change = SetSlot::Migrating(target.as_str().as_bytes());
            let opened = source.cluster.set_slot(slot.number, change, 0);
            if let Err(error) = opened {
                self.fail(error);
                return self.withdraw(source, slot);
            }
        }
        let in_doubt = source.cluster.view().transit(slot.number);
        let task = in_doubt.map_or(Task::Choose, Task::Send);
        State::Moving(Moving { task, ..Moving::choose(slot) })
    }

    /// Takes the next step with a slot that is open.
    fn advance(
        &mut self,
        source: &Source<'_>,
        mut moving: Moving,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> State {
        let number = moving.slot.number;
        let mut access = source.lock(number);
        self.check_still_open(source, number);
        let db = match &moving.task {
            Task::Send(keys) | Task::Erase(keys) => keys.db(),
            Task::Choose if self.shall_leave(moving.slot) => {
                drop(access);
                return self.leave(source, moving.slot);
            }
            Task::Choose => match highest_database(&mut access, number) {
                Some(db) => db,
                None => {
                    drop(access);
                    return self.close(source, moving.slot);
                }
            },
        };
        if moving.db != db {
            (moving.db, moving.from) = (db, 0);
        }
        if self.peer.db != db {
            self.peer.ask(&[b"SELECT", db.to_string().as_bytes()]);
            self.peer.db = db;
            self.expect_answers(source);
            return State::Selecting(moving);
        }
        match std::mem::replace(&mut moving.task, Task::Choose) {
            Task::Choose => {
                let bytes_max = self.limits.batch_bytes.min(budget).max(1);
                let keys_max = self.limits.batch_keys.max(1);
                let (keys, next) =
                    batch::choose(&mut access, (number, db), moving.from, keys_max, bytes_max);
                if keys.is_empty() && moving.from == 0 {
                    // Whatever is left has expired.
                    access.flush_slot(db, number);
                    return State::Moving(moving);
                }
                moving.from = next;
                if keys.is_empty() {
                    return State::Moving(moving);
                }
                self.send(source, moving, access, (Arc::new(keys), false), out)
            }
            Task::Send(keys) => self.send(source, moving, access, (keys, true), out),
            Task::Erase(keys) => {
                batch::encode_deletion(&keys, |words| self.peer.ask(words));
                self.expect_answers(source);
                State::Erasing(moving, keys)
            }
        }
    }

    fn selected(&mut self, source: &Source<'_>, moving: Moving, fault: Option<Error>) -> State {
        let Some(fault) = fault else { return State::Moving(moving) };
        self.fail(fault);
        match moving.task {
            Task::Choose => self.leave(source, moving.slot),
            Task::Send(_) | Task::Erase(_) => self.end(Some(moving.slot)),
        }
    }

    fn send(
        &mut self,
        source: &Source<'_>,
        moving: Moving,
        mut access: Access<'_>,
        (keys, again): (Arc<Transit>, bool),
        out: &mut Vec<u8>,
    ) -> State {
        let number = moving.slot.number;
        source.cluster.change_slot(number, |view| view.set_transit(number, keys.clone()));
        let sent = batch::encode(&mut access, &keys, self.limits.payload_version, out);
        self.peer.asked_beside(sent.len());
        self.expect_answers(source);
        let sent = Sent { moving, keys, sent, refused: Vec::new(), again };
        if sent.sent.is_empty() {
            drop(access);
            self.peer.settle();
            return self.acknowledged(source, sent, None);
        }
        State::Sent(sent)
    }

    /// Deletes the keys that the target has, and has the target delete those that may be there
    /// and are to stay here, or are gone.
    fn acknowledged(&mut self, source: &Source<'_>, sent: Sent, fault: Option<Error>) -> State {
        let Sent { mut moving, keys, sent, refused, again } = sent;
        let number = moving.slot.number;
        if let Some(fault) = fault.as_ref().filter(|fault| !is_passing(fault)) {
            self.fail(fault.clone());
        }
        let mut access = source.lock(number);
        self.check_still_open(source, number);
        let keep = self.shall_leave(moving.slot) || source.cluster.view().is_disturbed(number);
        let before = moving.slot.keys;
        let mut erase = Transit::new(number, keys.db());
        let (mut sent, mut refused) = (sent.into_iter().peekable(), refused.into_iter().peekable());
        for (place, key) in keys.keys().enumerate() {
            let place = place as u32;
            let was_sent = sent.next_if_eq(&place).is_some();
            let was_refused = refused.next_if_eq(&place).is_some();
            if was_sent && !was_refused && !keep && access.remove(&key) {
                moving.slot.keys += 1;
            } else if again || !was_refused {
                erase.push(key.bytes, key.hash);
            }
        }
        let moved = moving.slot.keys - before;
        self.status.keys_moved += moved;
        let erase = (!erase.is_empty()).then(|| Arc::new(erase));
        source.cluster.change_slot(number, |view| match &erase {
            Some(erase) => view.set_transit(number, erase.clone()),
            None => view.end_transit(number),
        });
        drop(access);
        if let Some(erase) = erase {
            moving.task = Task::Erase(erase);
        }
        if moved > 0 || fault.is_none() {
            self.failures = 0;
        }
        match fault.filter(is_passing) {
            Some(fault) => self.rest(source, moving, fault),
            None => State::Moving(moving),
        }
    }

    fn erased(
        &mut self,
        source: &Source<'_>,
        mut moving: Moving,
        keys: Arc<Transit>,
        fault: Option<Error>,
    ) -> State {
        match fault {
            None => {
                let number = moving.slot.number;
                let _lock = source.lock(number);
                source.cluster.change_slot(number, |view| view.end_transit(number));
                State::Moving(moving)
            }
            Some(fault) if is_passing(&fault) => {
                moving.task = Task::Erase(keys);
                self.rest(source, moving, fault)
            }
            Some(fault) => {
                self.fail(fault);
                self.end(Some(moving.slot))
            }
        }
    }

    fn close(&mut self, source: &Source<'_>, slot: Slot) -> State {
        let slot = Slot { given: true, ..slot };
        let (number, id) = (slot.number.to_string(), self.target);
        let words: [&[u8]; 5] =
            [b"CLUSTER", b"SETSLOT", number.as_bytes(), b"NODE", id.as_str().as_bytes()];
        self.peer.ask(&words);
        self.expect_answers(source);
        State::Closing(slot)
    }

    fn closed(&mut self, source: &Source<'_>, slot: Slot, fault: Option<Error>) -> State {
        let number = slot.number;
        if let Some(fault) = fault {
            if is_passing(&fault) {
                return self.rest(source, Moving::choose(slot), fault);
            }
            self.fail(fault);
            return self.end(Some(slot));
        }
        let mut access = source.lock(number);
        if access.count_in_slot_everywhere(number) > 0 {
            // Put here by the host itself, past the routing. The target takes it all the same.
            return State::Moving(Moving::choose(slot));
        }
        let target = self.target;
        let change = SetSlot::Node(target.as_str().as_bytes());
        let given = source.cluster.set_slot(number, change, 0);
        drop(access);
        if let Err(error) = given {
            self.fail(error);
            return self.end(Some(slot));
        }
        self.status.slots_moved += 1;
        self.status.slot = None;
        self.events.push_back(MigrationEvent::SlotMoved { slot: number, keys: slot.keys });
        State::Between
    }

    /// Stops if somebody has closed the slot meanwhile, as CLUSTER SETSLOT can: nobody would be sent
    /// to the target for keys that leave.
    fn check_still_open(&mut self, source: &Source<'_>, number: u16) {
        let state = source.cluster.view().topology.state(number);
        if state != (SlotState::Migrating { to: self.target }) {
            let text = format!("Hash slot {number} was closed during its migration");
            self.fail(Error::new(ErrorKind::Err, text));
        }
    }

    /// Whether a slot shall be left before its time. One that the target may own already is not,
    /// only for being cancelled.
    fn shall_leave(&self, slot: Slot) -> bool {
        match self.stop {
            None => false,
            Some(Stop::Failed(_)) => true,
            Some(Stop::Cancelled) => !slot.given,
        }
    }

    /// Leaves a slot before its time: as it was, if nothing of it has left.
    fn leave(&mut self, source: &Source<'_>, slot: Slot) -> State {
        if slot.fresh && slot.keys == 0 && !slot.given {
            return self.withdraw(source, slot);
        }
        self.end(Some(slot))
    }

    /// Asks the target to import the slot no longer. From then on no client is served there, and
    /// the answer to how many keys it has is final.
    fn withdraw(&mut self, source: &Source<'_>, slot: Slot) -> State {
        let number = slot.number.to_string();
        self.peer.ask(&[b"CLUSTER", b"SETSLOT", number.as_bytes(), b"STABLE"]);
        self.ask_for_keys(slot.number, (0..source.keyspace.databases()).collect());
        self.expect_answers(source);
        State::Withdrawing(Withdrawing { slot, keys: 0 })
    }

    fn withdrawn(&mut self, source: &Source<'_>, withdrawing: Withdrawing) -> State {
        let Withdrawing { slot, keys } = withdrawing;
        let number = slot.number;
        let lock = source.lock(number);
        let migrating = source.cluster.view().topology.state(number) != SlotState::Stable;
        if migrating && keys > 0 {
            // Clients that were sent there have made keys: the slot is in two parts already.
            drop(lock);
            return self.reopen(source, slot);
        }
        let closed = source.cluster.set_slot(number, SetSlot::Stable, 0);
        self.end(closed.is_err().then_some(slot))
    }

    fn reopen(&mut self, source: &Source<'_>, slot: Slot) -> State {
        self.ask_to_import(slot.number);
        self.expect_answers(source);
        State::Reopening(slot)
    }

    fn ask_to_import(&mut self, number: u16) {
        let (number, id) = (number.to_string(), self.source);
        let words: [&[u8]; 5] =
            [b"CLUSTER", b"SETSLOT", number.as_bytes(), b"IMPORTING", id.as_str().as_bytes()];
        self.peer.ask(&words);
    }

    /// Notes why the migration ends. The first reason counts.
    fn fail(&mut self, error: Error) {
        self.stop.get_or_insert(Stop::Failed(error));
    }

    /// Ends at once, wherever it stands. Keys whose arrival is in doubt stay so.
    fn give_up(&mut self, error: Error) {
        self.stop = Some(Stop::Failed(error));
        let open = match &self.state {
            State::Opening(Opening { slot, .. }) if slot.fresh => None,
            State::Between | State::Ended => None,
            State::Opening(Opening { slot, .. })
            | State::Closing(slot)
            | State::Withdrawing(Withdrawing { slot, .. })
            | State::Reopening(slot) => Some(*slot),
            State::Moving(moving)
            | State::Selecting(moving)
            | State::Resting(moving, _)
            | State::Sent(Sent { moving, .. })
            | State::Erasing(moving, _) => Some(moving.slot),
        };
        self.state = self.end(open);
    }

    fn end(&mut self, open: Option<Slot>) -> State {
        let open = open.map(|slot| slot.number);
        self.events.push_back(match self.stop.take() {
            Some(Stop::Failed(error)) => MigrationEvent::Failed { error, open },
            Some(Stop::Cancelled) | None => MigrationEvent::Cancelled { open },
        });
        State::Ended
    }

    /// Waits before the same step is taken again, or gives up after too many failures.
    fn rest(&mut self, source: &Source<'_>, moving: Moving, fault: Error) -> State {
        self.failures += 1;
        if self.failures > self.limits.attempts {
            self.fail(fault);
            return match moving.task {
                Task::Choose => self.leave(source, moving.slot),
                Task::Send(_) | Task::Erase(_) => self.end(Some(moving.slot)),
            };
        }
        let rest_us = REST_US.saturating_mul(1 << (self.failures - 1).min(16)).min(REST_US_MAX);
        State::Resting(moving, source.now_us + rest_us)
    }

    fn expect_answers(&mut self, source: &Source<'_>) {
        self.peer.expect_by(source.now_us + self.limits.reply_timeout_ms * 1_000);
    }
}

/// The highest database that has keys of a slot. The target may have fewer databases, and shall
/// say so before anything has left.
fn highest_database(access: &mut Access<'_>, slot: u16) -> Option<usize> {
    let databases = (0..access.keyspace().databases()).rev();
    databases.into_iter().find(|&db| access.count_in_slot(db, slot) > 0)
}
