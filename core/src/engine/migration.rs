//! A migration as the host of the source drives it: the machine, with the engine that it works on.
//! The machine's steps are the migration's business, the connection to the target is the host's.

use super::{Engine, Inner};
use crate::cluster::{Cluster, NodeId, SlotState, Topology};
use crate::command::{Waker, migration_name};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::migration::{
    Atomic, Decision, Ends, MigrationEntry, MigrationEvent, MigrationLimits, MigrationOrder,
    MigrationRecord, MigrationState, MigrationStatus, Mode, OpenSlots, Pace, Source, elsewhere,
};
use crate::slot::SlotSet;
use crate::time::Moment;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

impl Engine {
    /// The cluster as this engine sees it; none if it is not part of one.
    pub fn topology(&self) -> Option<Topology> {
        self.inner.env.cluster.as_ref().map(|cluster| cluster.view().topology.clone())
    }

    /// Changes what this engine knows of its cluster, between two commands: nodes that came or
    /// changed, slots that other nodes gave each other.
    ///
    /// # Errors
    /// If the engine is not part of a cluster, or the cluster keeps its topology in a store: there
    /// it is to be changed then.
    pub fn change_topology(&self, change: impl FnOnce(&mut Topology)) -> Result<(), Error> {
        let cluster = self.inner.cluster()?;
        if cluster.store().is_some() {
            return Err(Error::err("The topology of this cluster is kept in a store"));
        }
        let time = Moment::new(&*self.inner.clock);
        let everything = Access::all(&self.inner.keyspace, &time);
        cluster.change(|view| change(&mut view.topology));
        drop(everything);
        self.inner.redirect_waiting();
        self.inner.env.post.send();
        Ok(())
    }

    /// Takes over what other nodes changed in the store of the topology. A host calls this some times
    /// a second; it costs what [`crate::cluster::TopologyStore::may_have_changed`] does if nothing is
    /// new. Returns whether anything is otherwise now. The keys of slots that another node has claimed
    /// are deleted, as in Redis, unless a migration is at work on them.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub fn refresh_topology(&self) -> Result<bool, Error> {
        let Some(cluster) = &self.inner.env.cluster else { return Ok(false) };
        let Some(stored) = cluster.news()? else { return Ok(false) };
        let time = Moment::new(&*self.inner.clock);
        let mut everything = Access::all(&self.inner.keyspace, &time);
        let before = cluster.view().topology.clone();
        let is_new = cluster.take_over(&stored);
        if is_new {
            self.inner.drop_lost_slots(cluster, &before, &mut everything);
        }
        drop(everything);
        self.inner.redirect_waiting();
        self.inner.env.post.send();
        Ok(is_new)
    }

    /// Begins to move slots that this node owns to another node of the cluster. Slots that an
    /// earlier migration to the same node left open are taken up again.
    ///
    /// # Errors
    /// If the engine is not part of a cluster, does not know the node, does not own a slot, or has
    /// one open for another migration.
    pub fn migrate(
        &self,
        mode: Mode,
        slots: SlotSet,
        target: NodeId,
        limits: MigrationLimits,
    ) -> Result<Migration, Error> {
        let cluster = self.inner.cluster()?;
        let source = check(&cluster.view().topology, &slots, target)?;
        if let Some(slot) = slots.iter().find(|&slot| self.inner.is_arriving(slot)) {
            return Err(elsewhere(slot));
        }
        cluster.change_claims(|view| view.claim(&slots)).map_err(elsewhere)?;
        if self.inner.env.in_flight.any_in(&slots) {
            cluster.change_claims(|view| view.release(&slots));
            return Err(Error::fixed(ErrorKind::TryAgain, "Keys are on their way by MIGRATE"));
        }
        let ends = Ends { source, target };
        let id = self.inner.next_migration();
        let machine = match mode {
            Mode::ByKey => Machine::Open(OpenSlots::by_key(ends, slots.clone(), limits)),
            Mode::AsyncKeys => Machine::Open(OpenSlots::async_keys(ends, slots.clone(), limits)),
            Mode::ByTag => Machine::Open(OpenSlots::by_tag(ends, slots.clone(), limits)),
            Mode::Atomic => Machine::Atomic(Atomic::new(ends, slots.clone(), limits, id)),
        };
        Ok(Migration::new(self, (id, mode, ends), slots, &limits, machine))
    }

    /// The migrations of this node that go on, and the last that have ended, the newest first.
    /// `cluster-slot-migration-log-max-len` are remembered.
    pub fn migrations(&self) -> Vec<MigrationEntry> {
        self.inner.env.migrations.entries()
    }

    /// Says whom to call when a client asks for slots to be moved, by CLUSTER MIGRATESLOTS, or for
    /// that to end, by CLUSTER CANCELSLOTMIGRATIONS. The host then takes from
    /// [`Engine::poll_migration_order`] until there is none, and calls [`Migration::handle_timeout`] of
    /// each migration that goes on. The rules are those of [`Engine::set_link_waker`]; without it
    /// CLUSTER MIGRATESLOTS answers an error.
    pub fn set_migration_waker(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        let env = &self.inner.env;
        env.migrations.set_host(Waker(waker), &env.post);
        env.post.send();
    }

    /// What a client has asked for next. The host begins it by [`Engine::migrate`], in the mode that it
    /// can carry.
    pub fn poll_migration_order(&self) -> Option<MigrationOrder> {
        self.inner.env.migrations.next_order()
    }
}

impl Engine {
    /// Goes on with the move of a slot about which the store was asked before this node crashed. To be
    /// called when the data of this node is back and before clients are served, with what the store
    /// says by now: that the target owns the slot, or that it does not and will not by what was asked
    /// for then.
    ///
    /// # Errors
    /// If the engine is not part of a cluster, or the slot is at work already.
    pub fn resume_migration(
        &self,
        record: MigrationRecord,
        decision: Decision,
        limits: MigrationLimits,
    ) -> Result<Migration, Error> {
        let cluster = self.inner.cluster()?;
        let slots = SlotSet::from_iter([record.slot]);
        cluster.change_claims(|view| view.claim(&slots)).map_err(elsewhere)?;
        self.inner.migrations.fetch_max(record.id, Relaxed);
        let ends = Ends { source: cluster.view().topology.myself().id, target: record.target };
        let time = Moment::new(&*self.inner.clock);
        let now_us = self.inner.clock.now().mono_us;
        let (keyspace, changes) = (&self.inner.keyspace, RefCell::default());
        let source = Source { keyspace, cluster, time: &time, now_us, changes };
        let machine = Machine::Atomic(Atomic::resume(ends, record, decision, limits, &source));
        let about = (record.id, Mode::Atomic, ends);
        Ok(Migration::new(self, about, slots, &limits, machine))
    }
}

impl Inner {
    /// Deletes the keys of slots that another node has claimed, as Redis does: nobody could reach them
    /// here, and they would come back if the slot did. A slot is left alone while a migration or MIGRATE
    /// is at work on it, which settles its keys itself; and so are all by a node that has become a
    /// replica. The locks of all shards are held.
    fn drop_lost_slots(&self, cluster: &Cluster, before: &Topology, everything: &mut Access<'_>) {
        let lost: Vec<u16> = {
            let view = cluster.view();
            if view.topology.my_primary().is_some() {
                return;
            }
            let is_lost = |slot: &u16| {
                before.is_mine(*slot)
                    && view
                        .topology
                        .owner(*slot)
                        .is_some_and(|owner| owner.id != before.myself().id)
                    && !view.is_claimed(*slot)
                    && !self.env.in_flight.any_in(&SlotSet::from_iter([*slot]))
            };
            (0..before.scheme().slots()).map(|slot| slot as u16).filter(is_lost).collect()
        };
        for slot in lost {
            for db in 0..self.keyspace.databases() {
                everything.flush_slot(db, slot);
            }
        }
    }

    /// A number for a migration, or for what arrives by one, greater than those before, of earlier runs
    /// too if the clock is right.
    pub(super) fn next_migration(&self) -> u64 {
        let least = self.clock.unix_ms() << 16;
        let next = |last: u64| Some(least.max(last + 1));
        let before = self.migrations.fetch_update(Relaxed, Relaxed, next);
        least.max(before.unwrap_or_default() + 1)
    }

    pub(super) fn cluster(&self) -> Result<&Cluster, Error> {
        let disabled = Error::err("This instance has cluster support disabled");
        self.env.cluster.as_ref().ok_or(disabled)
    }
}

/// Checks that slots may be moved. Returns the name of this node.
fn check(topology: &Topology, slots: &SlotSet, target: NodeId) -> Result<NodeId, Error> {
    let refused = |text: String| Err(Error::new(ErrorKind::Err, text));
    let myself = topology.myself().id;
    if topology.node(target).is_none() {
        return refused(format!("I don't know about node {target}"));
    }
    if target == myself {
        return refused(format!("Node {target} is the source itself"));
    }
    for slot in slots.iter() {
        if !topology.is_mine(slot) {
            return refused(format!("I'm not the owner of hash slot {slot}"));
        }
        match topology.state(slot) {
            SlotState::Stable => {}
            SlotState::Migrating { to } if to == target => {}
            SlotState::Migrating { .. } | SlotState::Importing { .. } => {
                return Err(elsewhere(slot));
            }
        }
    }
    Ok(myself)
}

/// Slots on their way from this engine to another node, which may be a Redis server.
///
/// The host opens a connection to the target, or a session if the target is an engine of its own.
/// Then, until [`Migration::is_ended`]:
/// - it sends what [`Migration::poll_transmit`] gives,
/// - it hands what the target answers to [`Migration::handle_frame`],
/// - it calls [`Migration::handle_timeout`] when the clock reaches [`Migration::poll_timeout`],
/// - it takes what happened from [`Migration::poll_event`], and reconnects when told to.
///
/// Dropping a migration stops it where it is: keys that were sent and not acknowledged stay barred
/// from writing until another migration of the slot, or CLUSTER SETSLOT, settles them.
pub struct Migration {
    engine: Engine,
    id: u64,
    slots: SlotSet,
    machine: Machine,
    pace: Pace,
    events: VecDeque<MigrationEvent>,
    /// Raised when a client cancels it.
    is_cancelled: Arc<AtomicBool>,
    has_heard: bool,
}

/// What drives a migration, by its mode.
enum Machine {
    Open(OpenSlots),
    Atomic(Atomic),
}

impl Migration {
    fn new(
        engine: &Engine,
        (id, mode, ends): (u64, Mode, Ends),
        slots: SlotSet,
        limits: &MigrationLimits,
        machine: Machine,
    ) -> Self {
        let inner = &engine.inner;
        let now = inner.clock.now();
        let time = Moment::new(&*inner.clock);
        let keys =
            |slot| Access::slot(&inner.keyspace, &time, slot).count_in_slot_everywhere(slot) as u64;
        let pace = Pace::new(limits, slots.iter().map(keys).sum(), slots.len(), now.mono_us);
        let entry = MigrationEntry {
            id,
            name: migration_name(|| inner.env.random()),
            mode,
            slots: slots.clone(),
            source: ends.source,
            target: ends.target,
            began_ms: now.unix_ms,
            changed_ms: now.unix_ms,
            heard_ms: now.unix_ms,
            state: MigrationState::Connecting,
            status: machine.status(),
        };
        let is_cancelled = inner.env.migrations.begin(entry, inner.env.config.migration_log_len());
        let (engine, events, has_heard) = (engine.clone(), VecDeque::new(), false);
        Self { engine, id, slots, machine, pace, events, is_cancelled, has_heard }
    }

    /// The number of the migration, by which [`Engine::migrations`] tells of it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Appends what is to be sent now to `out`: about as much as `budget` bytes, or one value if
    /// it is larger. Returns whether there was something.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>, budget: usize) -> bool {
        let allowed = self.pace.allowed(self.engine.inner.clock.now().mono_us);
        if allowed == 0 {
            return false;
        }
        let (before, budget) = (out.len(), budget.min(allowed));
        let any = self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.poll_transmit(source, out, budget),
            Machine::Atomic(machine) => machine.poll_transmit(source, out, budget),
        });
        self.pace.spend(out.len() - before);
        any
    }

    /// Takes in what the target sent, in pieces of any size.
    pub fn handle_frame(&mut self, bytes: &[u8]) {
        self.has_heard |= !bytes.is_empty();
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.handle_frame(source, bytes),
            Machine::Atomic(machine) => machine.handle_frame(source, bytes),
        });
    }

    /// When the migration wants [`Migration::handle_timeout`] to be called, in microseconds on the
    /// monotonic scale of the engine's clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.is_ended() {
            return None;
        }
        self.machine.poll_timeout().into_iter().chain(self.pace.poll_timeout()).min()
    }

    /// Does what time asks for. Calling it early does nothing.
    pub fn handle_timeout(&mut self) {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.handle_timeout(source),
            Machine::Atomic(machine) => machine.handle_timeout(source),
        });
    }

    /// Takes note of a new connection to the target. The host has made sure that requests sent over
    /// the old one will not be carried out any more.
    pub fn handle_reconnect(&mut self) {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.handle_reconnect(source),
            Machine::Atomic(machine) => machine.handle_reconnect(),
        });
    }

    /// Takes in what the host's store says to [`MigrationEvent::Decide`]. Later calls for the same
    /// slot do nothing.
    pub fn handle_decision(&mut self, slot: u16, decision: Decision) {
        self.step(|machine, source| match machine {
            Machine::Open(_) => {}
            Machine::Atomic(machine) => machine.handle_decision(source, slot, decision),
        });
    }

    /// Ends the migration before its time. In atomic mode slots about which the store was asked go on
    /// to their end, and all others stay as they are; a fence stands until the target has given the
    /// slot up. In the other modes the slot that is being moved becomes as it was if none
    /// of its keys has left; otherwise it stays open, each of its keys at one node, and another
    /// migration can take it up.
    pub fn cancel(&mut self) {
        self.step(Machine::cancel);
    }

    /// What happened next, if anything.
    pub fn poll_event(&mut self) -> Option<MigrationEvent> {
        self.events.pop_front()
    }

    /// How far the migration is.
    pub fn status(&self) -> MigrationStatus {
        let status = self.machine.status();
        let left_ms = self.pace.left_ms(&status, self.engine.inner.clock.now().mono_us);
        MigrationStatus { left_ms, ..status }
    }

    /// Whether the migration is over, one way or the other.
    pub fn is_ended(&self) -> bool {
        self.machine.is_ended()
    }

    fn step<R>(&mut self, step: impl FnOnce(&mut Machine, &Source<'_>) -> R) -> R {
        let engine = self.engine.clone();
        let inner = &*engine.inner;
        let cluster = inner.cluster().expect("a migration begins in a cluster only");
        let time = Moment::new(&*inner.clock);
        let now_us = inner.clock.now().mono_us;
        let (keyspace, changes) = (&inner.keyspace, RefCell::default());
        let source = Source { keyspace, cluster, time: &time, now_us, changes };
        if self.is_cancelled.swap(false, Relaxed) {
            self.machine.cancel(&source);
        }
        let result = step(&mut self.machine, &source);
        self.note(now_us);
        let mut keys = Access::nothing(keyspace, &time);
        keys.changes.append(&mut source.changes.borrow_mut());
        inner.settle(keys, 0, &time, VecDeque::new());
        result
    }

    /// Takes what happened from the machine, and notes it for those who ask.
    fn note(&mut self, now_us: u64) {
        let before = self.events.len();
        while let Some(event) = self.machine.poll_event() {
            self.events.push_back(event);
        }
        let end = self.events.range(before..).find_map(end_state);
        let status = self.status();
        if self.pace.tells(now_us) && !self.is_ended() {
            self.events.push_back(MigrationEvent::Progress(status));
        }
        let inner = &self.engine.inner;
        let now_ms = inner.clock.unix_ms();
        let has_heard = std::mem::take(&mut self.has_heard);
        inner.env.migrations.update(self.id, inner.env.config.migration_log_len(), |entry| {
            entry.status = status;
            if has_heard {
                entry.heard_ms = now_ms;
            }
            let is_first = has_heard && entry.state == MigrationState::Connecting;
            let state = end.or(is_first.then_some(MigrationState::Moving));
            if let Some(state) = state.filter(|_| !entry.state.is_end()) {
                (entry.state, entry.changed_ms) = (state, now_ms);
            }
        });
    }
}

/// Where a migration stands after an event, if it is over by that.
fn end_state(event: &MigrationEvent) -> Option<MigrationState> {
    match event {
        MigrationEvent::Finished => Some(MigrationState::Finished),
        MigrationEvent::Cancelled { .. } => Some(MigrationState::Cancelled),
        MigrationEvent::Failed { error, .. } => Some(MigrationState::Failed(error.clone())),
        MigrationEvent::Progress(_)
        | MigrationEvent::SlotMoved { .. }
        | MigrationEvent::Decide(_)
        | MigrationEvent::Unfenced { .. }
        | MigrationEvent::Reconnect => None,
    }
}

impl Machine {
    fn poll_timeout(&self) -> Option<u64> {
        match self {
            Self::Open(machine) => machine.poll_timeout(),
            Self::Atomic(machine) => machine.poll_timeout(),
        }
    }

    fn cancel(&mut self, source: &Source<'_>) {
        match self {
            Self::Open(machine) => machine.cancel(),
            Self::Atomic(machine) => machine.cancel(source),
        }
    }

    fn poll_event(&mut self) -> Option<MigrationEvent> {
        match self {
            Self::Open(machine) => machine.poll_event(),
            Self::Atomic(machine) => machine.poll_event(),
        }
    }

    fn status(&self) -> MigrationStatus {
        match self {
            Self::Open(machine) => machine.status(),
            Self::Atomic(machine) => machine.status(),
        }
    }

    fn is_ended(&self) -> bool {
        match self {
            Self::Open(machine) => machine.is_ended(),
            Self::Atomic(machine) => machine.is_ended(),
        }
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.abandon(source),
            Machine::Atomic(machine) => machine.abandon(source),
        });
        let inner = &self.engine.inner;
        let now_ms = inner.clock.unix_ms();
        inner.env.migrations.update(self.id, inner.env.config.migration_log_len(), |entry| {
            if !entry.state.is_end() {
                (entry.state, entry.changed_ms) = (MigrationState::Cancelled, now_ms);
            }
        });
        if let Ok(cluster) = inner.cluster() {
            cluster.change_claims(|view| view.release(&self.slots));
        }
    }
}
