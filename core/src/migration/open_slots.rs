//! Slots that are open at both nodes while their keys go over: the machine of the modes in which each
//! key has a moment of its own. How many keys are on their way at once, and what becomes of those who
//! want to write to them, is the mode's to say ([`Manner`]).
//!
//! ```text
//! Opening   CLUSTER SETSLOT slot IMPORTING source  ->       and the slot is MIGRATING here
//! Moving    RESTORE-ASKING key ttl payload ...     ->       acknowledged, then deleted here
//! Closing   CLUSTER SETSLOT slot NODE target       ->       and the same here
//! ```
//! Until a key is deleted here, this node answers for it; afterwards clients are sent on by `ASK`.
//! From the moment a key is sent until it is deleted, it can be read here and not be written, so
//! that what the target has is what the source had, or newer: a client that was sent there for another
//! key may use it in a command on several. So a key that is sent again is left as it is where it has
//! arrived. A key that vanished meanwhile (it expired, or all keys were flushed) is deleted at the
//! target before a client can be sent there for it. So whatever is lost or repeated, each key is
//! answered for by one node, with the last value that was acknowledged. One thing can be undone, as
//! in Redis: that such a command deleted a key of whose arrival the source never heard.
//!
//! Keys whose arrival is in doubt when a migration fails stay barred from writing, and a migration
//! that is started again on the slot settles them first. Nobody waits for them then.

mod state;

use super::peer::{Peer, is_passing};
use super::{Ends, MigrationEvent, MigrationLimits, MigrationStatus, Source};
use super::{async_keys, batch, by_key, by_tag};
use crate::cluster::{NodeId, SetSlot, SlotState, Tags, Transit, Writers};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::slot::SlotSet;
use state::{Batch, Moving, Opening, Slot, State, Stop, Task, Withdrawing};
use std::collections::VecDeque;
use std::sync::Arc;

/// How a mode sends the keys of an open slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// No more is sent while so many bytes are on their way.
    pub(super) bytes: usize,
    /// No more is sent while so many keys are on their way.
    pub(super) keys: usize,
    /// What becomes of those who want to write to a key on its way.
    pub(super) writers: Writers,
    /// Whether the keys of a tag go together.
    pub(super) by_tag: bool,
}

/// Moves slots, one after the other.
#[derive(Debug)]
pub(crate) struct OpenSlots {
    manner: Manner,
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

impl OpenSlots {
    /// By key: see [`by_key`].
    pub(crate) fn by_key(ends: Ends, slots: SlotSet, limits: MigrationLimits) -> Self {
        Self::new(by_key::MANNER, ends, slots, limits)
    }

    /// With many keys in flight: see [`async_keys`].
    pub(crate) fn async_keys(ends: Ends, slots: SlotSet, limits: MigrationLimits) -> Self {
        Self::new(async_keys::manner(&limits), ends, slots, limits)
    }

    /// By tag: see [`by_tag`].
    pub(crate) fn by_tag(ends: Ends, slots: SlotSet, limits: MigrationLimits) -> Self {
        Self::new(by_tag::MANNER, ends, slots, limits)
    }

    fn new(
        manner: Manner,
        Ends { source, target }: Ends,
        slots: SlotSet,
        limits: MigrationLimits,
    ) -> Self {
        let status = MigrationStatus { slots_left: slots.len(), ..MigrationStatus::default() };
        Self {
            manner,
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
        let lag_bytes = self.state.moving().map_or(0, Moving::bytes_on_the_way);
        MigrationStatus { lag_bytes, ..self.status }
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
        while !self.peer.has_output() && out.len() - before < budget.max(1) {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Between => self.open_next(source),
                State::Moving(moving) if self.may_go_on(&moving) => {
                    let left = budget.saturating_sub(out.len() - before);
                    self.advance(source, moving, out, left)
                }
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
            return self.give_up(source, error);
        }
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Moving(moving) => self.heard(source, moving),
            state if self.peer.is_settled() => {
                let fault = self.peer.settle();
                self.answered(source, state, fault)
            }
            state => state,
        };
    }

    /// Goes on from a state in which everything that was asked has been answered.
    fn answered(&mut self, source: &Source<'_>, state: State, fault: Option<Error>) -> State {
        match state {
            State::Opening(opening) => self.opened(source, opening, fault),
            State::Selecting(moving) => self.selected(source, moving, fault),
            State::Erasing(moving, keys) => self.erased(source, moving, keys, fault),
            State::Closing(slot) => self.closed(source, slot, fault),
            State::Withdrawing(withdrawing) => self.withdrawn(source, withdrawing),
            State::Reopening(slot) => self.end(source, Some(slot)),
            same @ (State::Between | State::Moving(_) | State::Resting(..) | State::Ended) => same,
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
                    return self.give_up(source, Error::fixed(ErrorKind::IoErr, text));
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
            State::Moving(moving) => State::Moving(moving.begin_again()),
            State::Erasing(mut moving, keys) => {
                moving.tasks.push_front(Task::Erase(keys));
                State::Moving(moving)
            }
            State::Closing(slot) => self.close_again(source, slot),
            State::Withdrawing(withdrawing) => self.withdraw(source, withdrawing.slot),
            State::Reopening(slot) => self.reopen(source, slot),
            same @ (State::Between | State::Resting(..) | State::Ended) => same,
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
            return self.end(source, None);
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
                return self.end(source, None);
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
            return if refused { self.end(source, left_open) } else { self.leave(source, slot) };
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
            self.know_tags(source, slot);
            let opened = source.cluster.set_slot(slot.number, change, 0);
            if let Err(error) = opened {
                self.fail(error);
                return self.withdraw(source, slot);
            }
        }
        if !slot.fresh && !self.manner.by_tag {
            let _lock = source.lock(slot.number);
            self.know_tags(source, slot);
        }
        let in_doubt = source.cluster.view().transits(slot.number);
        let tasks = in_doubt.into_iter().map(Task::Send).collect();
        State::Moving(Moving { tasks, ..Moving::choose(slot) })
    }

    /// Notes that no tag of a slot has left that is open from now on, or that keys go one by one.
    fn know_tags(&self, source: &Source<'_>, slot: Slot) {
        let left = self.manner.by_tag.then(|| Tags::new(source.keyspace.scheme()));
        source.cluster.change_slot(slot.number, |view| view.set_left(slot.number, left));
    }

    /// Whether a slot's next step can be taken before what is on its way was answered.
    fn may_go_on(&self, moving: &Moving) -> bool {
        let has_room = moving.bytes_on_the_way() < self.manner.bytes
            && moving.keys_on_the_way() < self.manner.keys;
        moving.on_the_way.is_empty()
            || (has_room
                && moving.fault.is_none()
                && !self.shall_leave(moving.slot)
                && match moving.tasks.front() {
                    Some(Task::Send(keys)) => keys.db() == self.peer.db,
                    Some(Task::Erase(_)) => false,
                    // What is sent again may lie anywhere in the walk.
                    None => !moving.is_through && !moving.on_the_way.iter().any(|it| it.again),
                })
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
        let is_alone = moving.on_the_way.is_empty();
        let mut access = source.lock(number);
        self.check_still_open(source, number);
        let db = match moving.tasks.front() {
            Some(Task::Send(keys) | Task::Erase(keys)) => Some(keys.db()),
            None if self.shall_leave(moving.slot) => {
                drop(access);
                return match is_alone {
                    true => self.leave(source, moving.slot),
                    false => State::Moving(moving),
                };
            }
            None => highest_database(&mut access, number),
        };
        let db = match db {
            Some(db) if is_alone || db == self.peer.db => db,
            None if is_alone => {
                // Nothing is here, so that whatever comes is made there.
                source.cluster.change_slot(number, |view| view.set_left(number, None));
                drop(access);
                return self.close(source, moving.slot);
            }
            // The rest comes when what is on its way was answered.
            Some(_) | None => {
                moving.is_through = true;
                return State::Moving(moving);
            }
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
        match moving.tasks.pop_front() {
            None => self.choose(source, moving, access, out, budget),
            Some(Task::Send(keys)) => self.send(source, moving, access, (keys, true), out),
            Some(Task::Erase(keys)) => {
                batch::encode_deletion(&keys, |words| self.peer.ask(words));
                self.expect_answers(source);
                State::Erasing(moving, keys)
            }
        }
    }

    /// Sends keys that come next in the walk through the slot.
    fn choose(
        &mut self,
        source: &Source<'_>,
        mut moving: Moving,
        mut access: Access<'_>,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> State {
        let slot = (moving.slot.number, moving.db);
        let bytes_max = self.limits.batch_bytes.min(budget).max(1);
        let keys_max = self.limits.batch_keys.max(1);
        let from = std::mem::take(&mut moving.from);
        let (mut keys, next) = batch::choose(&mut access, slot, from, keys_max, bytes_max);
        if self.manner.by_tag {
            batch::complete_tags(&mut access, &mut keys);
        }
        moving.from = next.unwrap_or(0);
        moving.is_through = next.is_none();
        if !keys.is_empty() {
            return self.send(source, moving, access, (Arc::new(keys), false), out);
        }
        if next.is_none() && moving.on_the_way.is_empty() {
            // Where a walk of several steps has met nothing, whatever is left has expired.
            let all = access.count_in_slot(slot.1, slot.0);
            if batch::choose(&mut access, slot, 0, all, 1).0.is_empty() {
                access.flush_slot(slot.1, slot.0);
            }
        }
        State::Moving(moving)
    }

    fn selected(&mut self, source: &Source<'_>, moving: Moving, fault: Option<Error>) -> State {
        let Some(fault) = fault else { return State::Moving(moving) };
        self.fail(fault);
        self.leave_moving(source, moving)
    }

    /// Leaves a slot before its time. What may be at the target stays in doubt.
    fn leave_moving(&mut self, source: &Source<'_>, moving: Moving) -> State {
        match moving.tasks.is_empty() {
            true => self.leave(source, moving.slot),
            false => self.end(source, Some(moving.slot)),
        }
    }

    fn send(
        &mut self,
        source: &Source<'_>,
        mut moving: Moving,
        mut access: Access<'_>,
        (keys, again): (Arc<Transit>, bool),
        out: &mut Vec<u8>,
    ) -> State {
        let (number, writers) = (moving.slot.number, self.manner.writers);
        // What has arrived already may have been used there since, by a command on several keys.
        let keeps_newer = again && !source.cluster.view().is_disturbed(number, &keys);
        source.cluster.change_slot(number, |view| view.send_off(number, keys.clone(), writers));
        let before = out.len();
        let form = (self.limits.payload_version, !keeps_newer);
        let sent = batch::encode(&mut access, &keys, form, out);
        drop(access);
        self.peer.asked_beside(sent.len());
        self.expect_answers(source);
        let bytes = out.len() - before;
        moving.on_the_way.push_back(Batch::new(keys, sent, (again, keeps_newer), bytes));
        self.heard(source, moving)
    }

    /// Settles what was answered of the keys on their way, the oldest first.
    fn heard(&mut self, source: &Source<'_>, mut moving: Moving) -> State {
        let before = moving.on_the_way.len();
        while moving.on_the_way.front().is_some_and(Batch::is_answered) {
            let batch = moving.on_the_way.pop_front().expect("it was looked at just now");
            self.acknowledged(source, &mut moving, batch);
        }
        if !moving.on_the_way.is_empty() {
            if moving.on_the_way.len() < before {
                self.expect_answers(source);
            }
            return State::Moving(moving);
        }
        if before > 0 {
            self.peer.settle();
        }
        match moving.fault.take() {
            Some(fault) => self.rest(source, moving, fault),
            None => State::Moving(moving),
        }
    }

    /// Deletes the keys that the target has, and has the target delete those that may be there
    /// and are to stay here, or are gone.
    fn acknowledged(&mut self, source: &Source<'_>, moving: &mut Moving, batch: Batch) {
        let Batch { keys, sent, refused, again, fault, .. } = batch;
        let number = moving.slot.number;
        if let Some(fault) = fault.as_ref().filter(|fault| !is_passing(fault)) {
            self.fail(fault.clone());
        }
        let mut access = source.lock(number);
        let is_open = self.check_still_open(source, number);
        // A slot that stays in two parts anyway keeps what has arrived where it may be used.
        let is_whole = (moving.slot.fresh && moving.slot.keys == 0) || !is_open;
        let is_disturbed = source.cluster.view().is_disturbed(number, &keys);
        // Of a tag nothing leaves if not all can.
        let is_parted = self.manner.by_tag && !refused.is_empty();
        let leaves = self.shall_leave(moving.slot) && is_whole;
        let keep = leaves || is_disturbed || is_parted;
        let before = moving.slot.keys;
        let mut erase = Transit::new(number, keys.db());
        let (mut sent, mut refused) = (sent.into_iter().peekable(), refused.into_iter().peekable());
        for (place, key) in keys.keys().enumerate() {
            let place = place as u32;
            let was_sent = sent.next_if_eq(&place).is_some();
            let was_refused = refused.next_if_eq(&place).is_some();
            if was_sent && !was_refused && !keep && source.delete(&mut access, &key) {
                moving.slot.keys += 1;
            } else if again || !was_refused {
                erase.push(key.bytes, key.hash);
            }
        }
        let moved = moving.slot.keys - before;
        self.status.keys_moved += moved;
        let erase = (!erase.is_empty()).then(|| Arc::new(erase));
        source.cluster.change_slot(number, |view| view.settle(number, &keys, !keep, erase.clone()));
        drop(access);
        moving.tasks.extend(erase.map(Task::Erase));
        if moved > 0 || fault.is_none() {
            self.failures = 0;
        }
        moving.fault = moving.fault.take().or(fault.filter(is_passing));
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
                source.cluster.change_slot(number, |view| view.settle(number, &keys, false, None));
                State::Moving(moving)
            }
            Some(fault) if is_passing(&fault) => {
                moving.tasks.push_front(Task::Erase(keys));
                self.rest(source, moving, fault)
            }
            Some(fault) => {
                self.fail(fault);
                self.end(source, Some(moving.slot))
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

    /// Asks once more, unless this node has learnt meanwhile that the target took the slot: it may have
    /// given it on since, even to this node, and would take it back.
    fn close_again(&mut self, source: &Source<'_>, slot: Slot) -> State {
        let state = source.cluster.view().topology.state(slot.number);
        match state == (SlotState::Migrating { to: self.target }) {
            true => self.close(source, slot),
            false => self.moved(slot),
        }
    }

    fn moved(&mut self, slot: Slot) -> State {
        self.status.slots_moved += 1;
        self.status.slot = None;
        self.events.push_back(MigrationEvent::SlotMoved { slot: slot.number, keys: slot.keys });
        State::Between
    }

    fn closed(&mut self, source: &Source<'_>, slot: Slot, fault: Option<Error>) -> State {
        let number = slot.number;
        if let Some(fault) = fault {
            if is_passing(&fault) {
                return self.rest(source, Moving::choose(slot), fault);
            }
            self.fail(fault);
            return self.end(source, Some(slot));
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
            return self.end(source, Some(slot));
        }
        self.moved(slot)
    }

    /// Stops if somebody has closed the slot meanwhile, as CLUSTER SETSLOT can: nobody would be sent
    /// to the target for keys that leave. Returns whether it is open.
    fn check_still_open(&mut self, source: &Source<'_>, number: u16) -> bool {
        let state = source.cluster.view().topology.state(number);
        let is_open = state == (SlotState::Migrating { to: self.target });
        if !is_open {
            let text = format!("Hash slot {number} was closed during its migration");
            self.fail(Error::new(ErrorKind::Err, text));
        }
        is_open
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
        self.end(source, Some(slot))
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
        self.end(source, closed.is_err().then_some(slot))
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
    fn give_up(&mut self, source: &Source<'_>, error: Error) {
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
            | State::Erasing(moving, _) => Some(moving.slot),
        };
        self.state = self.end(source, open);
    }

    fn end(&mut self, source: &Source<'_>, open: Option<Slot>) -> State {
        let open = open.map(|slot| slot.number);
        if let Some(number) = open {
            stop_waiting(source, number);
        }
        self.events.push_back(match self.stop.take() {
            Some(Stop::Failed(error)) => MigrationEvent::Failed { error, open },
            Some(Stop::Cancelled) | None => MigrationEvent::Cancelled { open },
        });
        State::Ended
    }

    /// Lets go of the slot as it is: its host drops the migration.
    pub(crate) fn abandon(&mut self, source: &Source<'_>) {
        if let Some(moving) = self.state.moving() {
            stop_waiting(source, moving.slot.number);
        }
    }

    /// Waits before the same step is taken again, or gives up after too many failures.
    fn rest(&mut self, source: &Source<'_>, moving: Moving, fault: Error) -> State {
        self.failures += 1;
        if self.failures > self.limits.attempts {
            self.fail(fault);
            return self.leave_moving(source, moving);
        }
        let rest_us = REST_US.saturating_mul(1 << (self.failures - 1).min(16)).min(REST_US_MAX);
        State::Resting(moving, source.now_us + rest_us)
    }

    fn expect_answers(&mut self, source: &Source<'_>) {
        self.peer.expect_by(source.now_us + self.limits.reply_timeout_ms * 1_000);
    }
}

/// Lets nobody wait any more for keys of a slot that are in doubt.
fn stop_waiting(source: &Source<'_>, number: u16) {
    let _lock = source.lock(number);
    source.cluster.change_slot(number, |view| view.refuse_writers(number));
}

/// The highest database that has keys of a slot. The target may have fewer databases, and shall
/// say so before anything has left.
fn highest_database(access: &mut Access<'_>, slot: u16) -> Option<usize> {
    let databases = (0..access.keyspace().databases()).rev();
    databases.into_iter().find(|&db| access.count_in_slot(db, slot) > 0)
}
