//! A migration as the host of the source drives it: the machine, with the engine that it works on.
//! The machine's steps are the migration's business, the connection to the target is the host's.

use super::{Engine, Inner};
use crate::cluster::{Cluster, NodeId, SlotState, Topology};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::migration::{
    Atomic, Decision, Ends, MigrationEvent, MigrationLimits, MigrationRecord, MigrationStatus,
    Mode, OpenSlots, Source, elsewhere,
};
use crate::slot::SlotSet;
use crate::time::Moment;
use std::sync::atomic::Ordering::Relaxed;

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
    /// new. Returns whether anything is otherwise now.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub fn refresh_topology(&self) -> Result<bool, Error> {
        let Some(cluster) = &self.inner.env.cluster else { return Ok(false) };
        let Some(stored) = cluster.news()? else { return Ok(false) };
        let time = Moment::new(&*self.inner.clock);
        let everything = Access::all(&self.inner.keyspace, &time);
        let is_new = cluster.take_over(&stored);
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
        let machine = match mode {
            Mode::ByKey => Machine::Open(OpenSlots::by_key(ends, slots.clone(), limits)),
            Mode::AsyncKeys => Machine::Open(OpenSlots::async_keys(ends, slots.clone(), limits)),
            Mode::Atomic => {
                let id = self.inner.next_migration();
                Machine::Atomic(Atomic::new(ends, slots.clone(), limits, id))
            }
        };
        Ok(Migration { engine: self.clone(), slots, machine })
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
        let source = Source { keyspace: &self.inner.keyspace, cluster, time: &time, now_us };
        let machine = Machine::Atomic(Atomic::resume(ends, record, decision, limits, &source));
        Ok(Migration { engine: self.clone(), slots, machine })
    }
}

impl Inner {
    /// A number for a migration, greater than those before, of earlier runs too if the clock is right.
    fn next_migration(&self) -> u64 {
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
    slots: SlotSet,
    machine: Machine,
}

/// What drives a migration, by its mode.
enum Machine {
    Open(OpenSlots),
    Atomic(Atomic),
}

impl Migration {
    /// Appends what is to be sent now to `out`: about as much as `budget` bytes, or one value if
    /// it is larger. Returns whether there was something.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>, budget: usize) -> bool {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.poll_transmit(source, out, budget),
            Machine::Atomic(machine) => machine.poll_transmit(source, out, budget),
        })
    }

    /// Takes in what the target sent, in pieces of any size.
    pub fn handle_frame(&mut self, bytes: &[u8]) {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.handle_frame(source, bytes),
            Machine::Atomic(machine) => machine.handle_frame(source, bytes),
        });
    }

    /// When the migration wants [`Migration::handle_timeout`] to be called, in microseconds on the
    /// monotonic scale of the engine's clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        match &self.machine {
            Machine::Open(machine) => machine.poll_timeout(),
            Machine::Atomic(machine) => machine.poll_timeout(),
        }
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
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.cancel(),
            Machine::Atomic(machine) => machine.cancel(source),
        });
    }

    /// What happened next, if anything.
    pub fn poll_event(&mut self) -> Option<MigrationEvent> {
        match &mut self.machine {
            Machine::Open(machine) => machine.poll_event(),
            Machine::Atomic(machine) => machine.poll_event(),
        }
    }

    /// How far the migration is.
    pub fn status(&self) -> MigrationStatus {
        match &self.machine {
            Machine::Open(machine) => machine.status(),
            Machine::Atomic(machine) => machine.status(),
        }
    }

    /// Whether the migration is over, one way or the other.
    pub fn is_ended(&self) -> bool {
        match &self.machine {
            Machine::Open(machine) => machine.is_ended(),
            Machine::Atomic(machine) => machine.is_ended(),
        }
    }

    fn step<R>(&mut self, step: impl FnOnce(&mut Machine, &Source<'_>) -> R) -> R {
        let inner = &*self.engine.inner;
        let cluster = inner.cluster().expect("a migration begins in a cluster only");
        let time = Moment::new(&*inner.clock);
        let now_us = inner.clock.now().mono_us;
        let source = Source { keyspace: &inner.keyspace, cluster, time: &time, now_us };
        let result = step(&mut self.machine, &source);
        inner.redirect_waiting();
        inner.env.post.send();
        result
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        self.step(|machine, source| match machine {
            Machine::Open(machine) => machine.abandon(source),
            Machine::Atomic(machine) => machine.abandon(source),
        });
        if let Ok(cluster) = self.engine.inner.cluster() {
            cluster.change_claims(|view| view.release(&self.slots));
        }
    }
}
