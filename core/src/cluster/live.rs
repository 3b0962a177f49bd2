//! The topology of a running engine: one value behind a lock, and a bit for each slot that spares
//! most commands that lock.
//!
//! Whoever changes how a slot is served holds the lock of the slot's shard while it does, and a
//! command is judged while it holds that lock too. So a command sees a slot as it was before or
//! after a change, and never acts on keys that have just left.

use super::store::{self, Stored, TopologyStore};
use super::{ClusterRecord, Fence, SetSlot, SlotState, Tags, Topology, Transit, Transits, Writers};
use crate::error::Error;
use crate::keyspace::Key;
use crate::slot::SlotSet;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What routing looks at.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) topology: Topology,
    /// Whether the cluster serves at all, as the topology says.
    pub(crate) is_up: bool,
    /// By slot, keys that are on their way to another node.
    transits: BTreeMap<u16, Transits>,
    /// Slots that a migration is at work on.
    claimed: SlotSet,
    fences: BTreeMap<u16, Fence>,
}

impl View {
    pub(crate) fn new(topology: Topology) -> Self {
        let is_up = topology.is_up();
        let (transits, fences) = Default::default();
        Self { topology, is_up, transits, claimed: SlotSet::new(), fences }
    }

    /// Carries out CLUSTER SETSLOT. A slot that is stable again has no keys on their way: what the
    /// target may have of them is beyond the reach of clients.
    pub(crate) fn set_slot(
        &mut self,
        slot: u16,
        change: SetSlot<'_>,
        keys: usize,
    ) -> Result<(), Error> {
        self.topology.set_slot(slot, change, keys)?;
        if self.topology.state(slot) == SlotState::Stable {
            self.end_transit(slot);
        }
        Ok(())
    }

    /// Takes over a topology. Slots that are stable in it have no keys on their way.
    fn install(&mut self, topology: Topology) {
        self.topology = topology;
        let topology = &self.topology;
        self.transits.retain(|slot, _| topology.state(*slot) != SlotState::Stable);
    }

    /// What becomes of a writer to a key, if it is on its way to another node.
    pub(crate) fn bar(&self, key: &Key<'_>) -> Option<Writers> {
        self.transits.get(&key.slot)?.bar(key)
    }

    /// Whether a key of a slot on its way that does not exist belongs to this node all the same, by
    /// its tag.
    pub(crate) fn keeps_tag_of(&self, key: &Key<'_>) -> bool {
        self.transits.get(&key.slot).is_some_and(|transits| transits.keep_tag_of(key))
    }

    /// Notes which tags have left a slot; none from when on each key is looked at by itself.
    pub(crate) fn set_left(&mut self, slot: u16, left: Option<Tags>) {
        let transits = self.transits.entry(slot).or_default();
        transits.set_left(left);
        if transits.is_empty() {
            self.end_transit(slot);
        }
    }

    /// Notes that keys of a slot are on their way, and what becomes of those who want to write to
    /// any.
    pub(crate) fn send_off(&mut self, slot: u16, keys: Arc<Transit>, writers: Writers) {
        self.transits.entry(slot).or_default().send_off(keys, writers);
    }

    /// Notes that keys of a slot are not on their way any more, but those that are still in `doubt`.
    /// `has_left` is whether none of them is here any more.
    pub(crate) fn settle(
        &mut self,
        slot: u16,
        keys: &Arc<Transit>,
        has_left: bool,
        doubt: Option<Arc<Transit>>,
    ) {
        let transits = self.transits.entry(slot).or_default();
        transits.settle(keys, has_left, doubt);
        if transits.is_empty() {
            self.end_transit(slot);
        }
    }

    /// Lets nobody wait any more for keys of a slot that are on their way.
    pub(crate) fn refuse_writers(&mut self, slot: u16) {
        self.transits.get_mut(&slot).into_iter().for_each(Transits::refuse_writers);
    }

    /// The keys of a slot that are on their way.
    pub(crate) fn transits(&self, slot: u16) -> Vec<Arc<Transit>> {
        self.transits.get(&slot).into_iter().flat_map(Transits::all).collect()
    }

    /// Whether keys of a slot that are on their way may have changed since they were sent.
    pub(crate) fn is_disturbed(&self, slot: u16, keys: &Arc<Transit>) -> bool {
        self.transits.get(&slot).is_some_and(|transits| transits.is_disturbed(keys))
    }

    /// Forgets that keys of a slot are on their way.
    fn end_transit(&mut self, slot: u16) {
        self.transits.remove(&slot);
    }

    /// Which commands on a slot wait, if any do.
    pub(crate) fn fence(&self, slot: u16) -> Option<Fence> {
        self.fences.get(&slot).copied()
    }

    /// Whether commands on whole databases wait.
    pub(crate) fn fences_databases(&self) -> bool {
        self.fences.values().any(|fence| matches!(fence, Fence::Writes | Fence::All))
    }

    /// Sets or lifts a fence.
    pub(crate) fn set_fence(&mut self, slot: u16, fence: Option<Fence>) {
        match fence {
            Some(fence) => self.fences.insert(slot, fence),
            None => self.fences.remove(&slot),
        };
    }

    /// Whether a command on keys of this slot is served here whatever it is.
    fn is_plain(&self, slot: u16) -> bool {
        let topology = &self.topology;
        self.is_up
            && topology.is_mine(slot)
            && topology.state(slot) == SlotState::Stable
            && !self.fences.contains_key(&slot)
    }

    /// Takes slots for one migration alone. Fails with the first slot that another has.
    pub(crate) fn claim(&mut self, slots: &SlotSet) -> Result<(), u16> {
        match slots.iter().find(|&slot| self.claimed.contains(slot)) {
            Some(taken) => Err(taken),
            None => {
                slots.iter().for_each(|slot| _ = self.claimed.insert(slot));
                Ok(())
            }
        }
    }

    /// Whether a migration is at work on a slot.
    pub(crate) fn is_claimed(&self, slot: u16) -> bool {
        self.claimed.contains(slot)
    }

    /// Gives slots back that were claimed.
    pub(crate) fn release(&mut self, slots: &SlotSet) {
        slots.iter().for_each(|slot| _ = self.claimed.remove(slot));
    }
}

/// The topology of a running engine.
#[derive(Debug)]
pub(crate) struct Cluster {
    view: RwLock<View>,
    /// By slot, whether any command is served here.
    plain: Box<[AtomicBool]>,
    /// How often something was changed.
    changes: AtomicU64,
    /// Where the members keep what they agree on; none if the host says how it is.
    store: Option<Arc<dyn TopologyStore>>,
    /// Held by whoever changes the store. The locks of the slots concerned are taken first.
    turn: Mutex<Versions>,
}

/// Which versions of the record in the store the view knows.
#[derive(Clone, Copy, Debug, Default)]
struct Versions {
    /// The one that all of the view is as new as.
    adopted: u64,
    /// The one that this node wrote last. A record that is older would take back what it says.
    written: u64,
}

impl Versions {
    fn both(version: u64) -> Self {
        Self { adopted: version, written: version }
    }
}

impl Cluster {
    pub(crate) fn new(topology: Topology) -> Self {
        let slots = 0..topology.scheme().slots() as u16;
        let view = View::new(topology);
        let plain = slots.map(|slot| AtomicBool::new(view.is_plain(slot))).collect();
        Self {
            view: RwLock::new(view),
            plain,
            changes: AtomicU64::new(0),
            store: None,
            turn: Mutex::default(),
        }
    }

    /// A node whose cluster agrees on a record in a store. A node that is not in it yet joins it, and
    /// knows no other; one that was there before takes up what it was.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub(crate) fn join(
        mut topology: Topology,
        store: Arc<dyn TopologyStore>,
    ) -> Result<Self, Error> {
        let (_, stored) = store::update(&*store, |record| {
            if record.member(topology.myself().id).is_none() {
                record.join(topology.myself().clone());
                record.put(topology.to_member());
                record.note_epoch(topology.myself().id, topology.current_epoch());
            }
            Ok(())
        })?;
        topology.adopt_all(&stored.record);
        let turn = Mutex::new(Versions::both(stored.version));
        Ok(Self { store: Some(store), turn, ..Self::new(topology) })
    }

    /// Where the members keep what they agree on.
    pub(crate) fn store(&self) -> Option<&Arc<dyn TopologyStore>> {
        self.store.as_ref()
    }

    /// Changes the topology, in the store too if there is one: `change` may then be called more than
    /// once, each time with the newest. Nothing is changed if it fails. The caller holds the locks of
    /// all shards.
    pub(crate) fn change_topology<R>(
        &self,
        mut change: impl FnMut(&mut Topology) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Some(store) = &self.store else {
            let mut topology = self.view().topology.clone();
            let result = change(&mut topology)?;
            self.change(|view| view.install(topology));
            return Ok(result);
        };
        let mut turn = self.turn.lock();
        let ((result, topology), stored) = self.agree(&**store, &mut change)?;
        *turn = Versions::both(stored.version);
        self.change(|view| view.install(topology));
        Ok(result)
    }

    /// Carries out CLUSTER SETSLOT, in the store too if there is one. `keys` is how many keys of the
    /// slot are here. The caller holds the lock of its shard.
    pub(crate) fn set_slot(
        &self,
        slot: u16,
        change: SetSlot<'_>,
        keys: usize,
    ) -> Result<(), Error> {
        let Some(store) = &self.store else {
            return self.change_slot(slot, |view| view.set_slot(slot, change, keys));
        };
        let mut turn = self.turn.lock();
        let change = |topology: &mut Topology| topology.set_slot(slot, change, keys);
        let ((_, topology), stored) = self.agree(&**store, change)?;
        turn.written = stored.version;
        // What else is new in the store is for who holds the locks of all shards.
        self.change_slot(slot, |view| {
            view.topology.copy_slot(&topology, slot);
            if view.topology.state(slot) == SlotState::Stable {
                view.end_transit(slot);
            }
        });
        Ok(())
    }

    /// Makes a change in the store, and returns the topology after it.
    fn agree<R>(
        &self,
        store: &dyn TopologyStore,
        mut change: impl FnMut(&mut Topology) -> Result<R, Error>,
    ) -> Result<((R, Topology), Stored), Error> {
        let local = self.view().topology.clone();
        store::update(store, |record| {
            let mut before = local.clone();
            before.adopt(record);
            let mut topology = before.clone();
            let result = change(&mut topology)?;
            topology.write(&before, record);
            topology.adopt(record);
            Ok((result, topology))
        })
    }

    /// Changes the record in the store and takes over how it is then. `renamed` is this node's new
    /// name, if it changes. The caller holds the locks of all shards.
    ///
    /// # Errors
    /// What the change fails with; if there is no store.
    pub(crate) fn change_record(
        &self,
        mut topology: Topology,
        change: impl FnMut(&mut ClusterRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        const NO_STORE: Error = Error::err("The host of this engine says which nodes there are");
        let store = self.store.as_ref().ok_or(NO_STORE)?;
        let mut turn = self.turn.lock();
        let (_, stored) = store::update(&**store, change)?;
        *turn = Versions::both(stored.version);
        topology.adopt(&stored.record);
        self.change(|view| view.install(topology));
        Ok(())
    }

    /// What is new in the store; none if that is nothing.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub(crate) fn news(&self) -> Result<Option<Stored>, Error> {
        let Some(store) = &self.store else { return Ok(None) };
        let seen = self.turn.lock().adopted;
        if !store.may_have_changed(seen)? {
            return Ok(None);
        }
        let stored = store.load()?;
        Ok((stored.version != seen).then_some(stored))
    }

    /// Takes over what is new in the store. The caller holds the locks of all shards. Returns
    /// whether anything is otherwise by that.
    pub(crate) fn take_over(&self, stored: &Stored) -> bool {
        let mut turn = self.turn.lock();
        if stored.version <= turn.adopted || stored.version < turn.written {
            return false;
        }
        turn.adopted = stored.version;
        let mut topology = self.view().topology.clone();
        topology.adopt(&stored.record);
        let is_new = self.view().topology != topology;
        if is_new {
            self.change(|view| view.install(topology));
        }
        is_new
    }

    /// Whether a command whose keys are all in this slot is served here, whatever it is. The
    /// caller holds the lock of the slot's shard.
    #[inline]
    pub(crate) fn is_plain(&self, slot: u16) -> bool {
        self.plain[usize::from(slot)].load(Relaxed)
    }

    /// Whether the node that owns a slot is this one.
    pub(crate) fn serves(&self, slot: u16) -> bool {
        self.is_plain(slot) || self.view().topology.is_mine(slot)
    }

    /// How often something was changed that commands are judged by.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// What there is to look at when a slot is not plain.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read()
    }

    /// Changes what is known of one slot. The caller holds the lock of its shard.
    pub(crate) fn change_slot<R>(&self, slot: u16, change: impl FnOnce(&mut View) -> R) -> R {
        let mut view = self.view.write();
        let was_up = view.is_up;
        let result = change(&mut view);
        view.is_up = view.topology.is_up();
        self.changes.fetch_add(1, Relaxed);
        if view.is_up == was_up {
            self.refresh(&view, slot);
        } else {
            self.refresh_all(&view);
        }
        result
    }

    /// Changes anything. The caller holds the locks of all shards.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut View) -> R) -> R {
        let mut view = self.view.write();
        let result = change(&mut view);
        view.is_up = view.topology.is_up();
        self.changes.fetch_add(1, Relaxed);
        self.refresh_all(&view);
        result
    }

    /// Says what a cluster does that is down. No lock is needed: a command that runs meanwhile goes by
    /// the one rule or the other.
    pub(crate) fn set_rules(&self, require_full_coverage: bool, allow_reads_when_down: bool) {
        let rules = {
            let topology = &self.view().topology;
            (topology.require_full_coverage, topology.allow_reads_when_down)
        };
        if rules == (require_full_coverage, allow_reads_when_down) {
            return;
        }
        self.change(|view| {
            view.topology.require_full_coverage = require_full_coverage;
            view.topology.allow_reads_when_down = allow_reads_when_down;
        });
    }

    /// Claims or releases slots, which changes nothing that clients see.
    pub(crate) fn change_claims<R>(&self, change: impl FnOnce(&mut View) -> R) -> R {
        change(&mut self.view.write())
    }

    /// Notes that a command without keys may have changed keys that are on their way.
    pub(crate) fn disturb(&self) {
        self.view.write().transits.values_mut().for_each(Transits::disturb);
    }

    fn refresh(&self, view: &View, slot: u16) {
        self.plain[usize::from(slot)].store(view.is_plain(slot), Relaxed);
    }

    fn refresh_all(&self, view: &View) {
        for slot in 0..self.plain.len() as u16 {
            self.refresh(view, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Node, NodeId};
    use crate::slot::SlotScheme;

    #[test]
    fn a_slot_is_plain_while_it_is_mine_and_stable_in_a_cluster_that_is_up() {
        let (me, other) = ([b'a'; 40], [b'b'; 40]);
        let id = |name| NodeId::parse(name).unwrap();
        let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(&me), "h", 1));
        topology.put_node(Node::primary(id(&other), "h", 2));
        let cluster = Cluster::new(topology);
        assert!(!cluster.is_plain(7));
        let all: Vec<u16> = (0..16_384).collect();
        cluster.change(|view| view.topology.add_slots(&all));
        assert!(cluster.is_plain(7) && cluster.is_plain(16_383));
        let open = SetSlot::Migrating(&other);
        cluster.change_slot(7, |view| view.set_slot(7, open, 0)).unwrap();
        assert!(!cluster.is_plain(7) && cluster.is_plain(8));
        cluster.change_slot(9, |view| view.topology.unassign(9));
        assert!(!cluster.is_plain(8), "the cluster is down");
    }

    #[test]
    fn keys_in_transit_are_known_until_they_have_arrived() {
        let topology = Topology::new(
            SlotScheme::Redis,
            Node::primary(NodeId::parse(&[b'a'; 40]).unwrap(), "h", 1),
        );
        let cluster = Cluster::new(topology);
        let mut keys = Transit::new(3, 0);
        keys.push(b"k", 20);
        let keys = Arc::new(keys);
        cluster.change_slot(3, |view| view.send_off(3, keys.clone(), Writers::Refused));
        let key = |slot| Key { bytes: b"k", hash: 20, slot, db: 0, held: 0 };
        assert_eq!(cluster.view().bar(&key(3)), Some(Writers::Refused));
        assert_eq!(cluster.view().bar(&key(4)), None);
        assert!(!cluster.view().is_disturbed(3, &keys));
        cluster.disturb();
        assert!(cluster.view().is_disturbed(3, &keys));
        assert_eq!(cluster.view().transits(3), std::slice::from_ref(&keys));
        cluster.change_slot(3, |view| view.settle(3, &keys, true, None));
        assert_eq!(cluster.view().bar(&key(3)), None);
    }

    #[test]
    fn a_slot_is_claimed_once() {
        let topology = Topology::new(
            SlotScheme::Redis,
            Node::primary(NodeId::parse(&[b'a'; 40]).unwrap(), "h", 1),
        );
        let cluster = Cluster::new(topology);
        let (some, more) = (SlotSet::from_iter([1u16, 2]), SlotSet::from_iter([2u16, 3]));
        assert_eq!(cluster.change_claims(|view| view.claim(&some)), Ok(()));
        assert_eq!(cluster.change_claims(|view| view.claim(&more)), Err(2));
        cluster.change_claims(|view| view.release(&some));
        assert_eq!(cluster.change_claims(|view| view.claim(&more)), Ok(()));
    }
}
