//! The cluster as one node sees it, as a plain value: nodes, owners of slots, and the slots that
//! are open because keys move. Who may change what, in Redis's words, is in `setslot`.

use super::{ClusterRecord, Health, Member, Node, NodeId, Role};
use crate::slot::{SlotScheme, SlotSet};
use std::collections::BTreeMap;

/// What happens to a slot at this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotState {
    /// No key of it moves.
    #[default]
    Stable,
    /// Its keys leave for another node.
    Migrating {
        /// Where they go.
        to: NodeId,
    },
    /// Its keys arrive from another node.
    Importing {
        /// Where they come from.
        from: NodeId,
    },
}

impl SlotState {
    /// The node at the other end.
    pub(crate) fn peer(self) -> Option<NodeId> {
        match self {
            Self::Stable => None,
            Self::Migrating { to } => Some(to),
            Self::Importing { from } => Some(from),
        }
    }
}

/// No node owns the slot.
const UNASSIGNED: u16 = u16::MAX;
/// This node's place among the nodes.
const MYSELF: usize = 0;

/// The cluster as one of its nodes sees it.
///
/// A new topology knows this node alone and gives it no slot. Slots of a node that is not known
/// cannot be recorded, so add the nodes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    scheme: SlotScheme,
    /// This node first.
    nodes: Vec<Node>,
    /// By slot, the owner's place among the nodes.
    owners: Box<[u16]>,
    assigned: usize,
    open: BTreeMap<u16, SlotState>,
    current_epoch: u64,
    /// Whether nothing is served while a slot has no owner. Default: true, as Redis's
    /// `cluster-require-full-coverage`.
    pub require_full_coverage: bool,
    /// Whether reads are served while the cluster is down. Default: false, as Redis's
    /// `cluster-allow-reads-when-down`.
    pub allow_reads_when_down: bool,
}

impl Topology {
    /// A cluster of this node alone, without slots.
    pub fn new(scheme: SlotScheme, myself: Node) -> Self {
        Self {
            scheme,
            current_epoch: myself.config_epoch,
            nodes: vec![myself],
            owners: vec![UNASSIGNED; scheme.slots()].into(),
            assigned: 0,
            open: BTreeMap::new(),
            require_full_coverage: true,
            allow_reads_when_down: false,
        }
    }

    /// How keys map to slots.
    pub fn scheme(&self) -> SlotScheme {
        self.scheme
    }

    /// This node.
    pub fn myself(&self) -> &Node {
        &self.nodes[MYSELF]
    }

    /// All nodes, this one first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of this name.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Adds a node, or replaces what is known of it. Its slots stay its own.
    pub fn put_node(&mut self, node: Node) {
        self.current_epoch = self.current_epoch.max(node.config_epoch);
        match self.nodes.iter_mut().find(|known| known.id == node.id) {
            Some(known) => *known = node,
            None => self.nodes.push(node),
        }
    }

    /// Forgets a node, whose slots have no owner then. Returns false, and changes nothing, if it is
    /// this node or not known.
    pub fn remove_node(&mut self, id: NodeId) -> bool {
        let Some(place) = self.place(id).filter(|&place| usize::from(place) != MYSELF) else {
            return false;
        };
        for slot in self.slots_of(id).iter() {
            self.unassign(slot);
        }
        self.nodes.remove(usize::from(place));
        for owner in self.owners.iter_mut().filter(|owner| **owner != UNASSIGNED) {
            *owner -= u16::from(*owner > place);
        }
        self.open.retain(|_, state| state.peer() != Some(id));
        true
    }

    /// Begins anew: this node alone, a primary without slots; under another name and without a
    /// config epoch if one is given (CLUSTER RESET).
    pub(crate) fn reset(&mut self, name: Option<NodeId>) {
        let old = self.myself();
        let mut myself = Node::primary(name.unwrap_or(old.id), old.host.clone(), old.port);
        let mut epoch = 0;
        if name.is_none() {
            (myself.config_epoch, epoch) = (old.config_epoch, self.current_epoch);
        }
        let mut anew = Self::new(self.scheme, myself);
        anew.current_epoch = epoch;
        anew.require_full_coverage = self.require_full_coverage;
        anew.allow_reads_when_down = self.allow_reads_when_down;
        *self = anew;
    }

    /// What this node says of itself in the cluster's record.
    pub(crate) fn to_member(&self) -> Member {
        let myself = self.myself();
        Member::new(myself.clone(), self.slots_of(myself.id), self.open.clone())
    }

    /// Takes over what the members of the cluster agree on, as far as this node knows them. Slots that
    /// are open here stay so, unless they left for another node.
    pub(crate) fn adopt(&mut self, record: &ClusterRecord) {
        let id = self.myself().id;
        let mut known: Vec<&Member> = record.known_to(id).collect();
        let Some(place) = known.iter().position(|member| member.node.id == id) else { return };
        known.swap(MYSELF, place);
        self.nodes = known.iter().map(|member| member.node.clone()).collect();
        self.owners.fill(UNASSIGNED);
        for (place, member) in known.iter().enumerate() {
            member.slots.iter().for_each(|slot| self.owners[usize::from(slot)] = place as u16);
        }
        self.assigned = self.owners.iter().filter(|owner| **owner != UNASSIGNED).count();
        self.current_epoch = self.current_epoch.max(record.epoch_known_to(id));
        let open = std::mem::take(&mut self.open);
        let stays = |slot: u16, state: SlotState| match state {
            SlotState::Migrating { .. } => self.is_mine(slot),
            SlotState::Importing { .. } | SlotState::Stable => true,
        };
        self.open = open.into_iter().filter(|&(slot, state)| stays(slot, state)).collect();
    }

    /// Takes over also which slots were open here when this node last wrote the record.
    pub(crate) fn adopt_all(&mut self, record: &ClusterRecord) {
        if let Some(member) = record.member(self.myself().id) {
            self.open = member.open.clone();
        }
        self.adopt(record);
    }

    /// Writes what this node says of itself, and to whom it gave slots, over what `before` said.
    ///
    /// As among nodes that gossip, a node's word on its own slots counts, and so does its claim to a
    /// slot of another if its config epoch is higher; anything else is overruled by the owner.
    pub(crate) fn write(&self, before: &Self, record: &mut ClusterRecord) {
        let me = self.myself();
        let mut moved: BTreeMap<NodeId, SlotSet> = BTreeMap::new();
        for slot in 0..self.owners.len() as u16 {
            let (old, new) = (before.owner(slot), self.owner(slot));
            let is_mine_to_say = match old {
                None => true,
                Some(old) if old.id == before.myself().id => true,
                Some(old) => {
                    new.is_some_and(|new| new.id == me.id) && me.config_epoch > old.config_epoch
                }
            };
            let owner = if is_mine_to_say { new } else { old };
            if let Some(owner) = owner {
                moved.entry(owner.id).or_default().insert(slot);
            }
        }
        for node in &self.nodes {
            let Some(known) = record.member(node.id) else { continue };
            let slots = moved.remove(&node.id).unwrap_or_default();
            let open = if node.id == me.id { &self.open } else { &known.open };
            record.put(Member::new(node.clone(), slots, open.clone()));
        }
        record.note_epoch(me.id, self.current_epoch);
    }

    /// Takes over from another view how one slot is served, and the nodes' config epochs.
    pub(crate) fn copy_slot(&mut self, from: &Self, slot: u16) {
        for node in &from.nodes {
            if let Some(known) = self.nodes.iter_mut().find(|known| known.id == node.id) {
                known.config_epoch = node.config_epoch;
            }
        }
        self.current_epoch = self.current_epoch.max(from.current_epoch);
        match from.owner(slot).map(|owner| owner.id) {
            None => self.unassign(slot),
            // An owner that is not known here yet comes with all else that is new.
            Some(owner) => _ = self.assign(slot, owner),
        }
        self.set_state(slot, from.state(slot));
    }

    /// The owner of a slot.
    pub fn owner(&self, slot: u16) -> Option<&Node> {
        self.nodes.get(usize::from(self.owners[usize::from(slot)]))
    }

    /// Whether this node owns a slot.
    pub fn is_mine(&self, slot: u16) -> bool {
        usize::from(self.owners[usize::from(slot)]) == MYSELF
    }

    /// The slots that a node owns.
    pub fn slots_of(&self, id: NodeId) -> SlotSet {
        let Some(place) = self.place(id) else { return SlotSet::new() };
        let owned = self.owners.iter().enumerate().filter(|(_, owner)| **owner == place);
        owned.map(|(slot, _)| slot as u16).collect()
    }

    /// Gives a slot to a node, whoever owned it. Returns false, and changes nothing, if the node is
    /// not known.
    pub fn assign(&mut self, slot: u16, id: NodeId) -> bool {
        let Some(place) = self.place(id) else { return false };
        self.assigned += usize::from(self.owners[usize::from(slot)] == UNASSIGNED);
        self.owners[usize::from(slot)] = place;
        true
    }

    /// Takes a slot from its owner.
    pub fn unassign(&mut self, slot: u16) {
        self.assigned -= usize::from(self.owners[usize::from(slot)] != UNASSIGNED);
        self.owners[usize::from(slot)] = UNASSIGNED;
    }

    /// How many slots have an owner.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// What happens to a slot at this node.
    pub fn state(&self, slot: u16) -> SlotState {
        self.open.get(&slot).copied().unwrap_or_default()
    }

    /// Opens or closes a slot.
    pub fn set_state(&mut self, slot: u16, state: SlotState) {
        match state {
            SlotState::Stable => self.open.remove(&slot),
            SlotState::Migrating { .. } | SlotState::Importing { .. } => {
                self.open.insert(slot, state)
            }
        };
    }

    /// The slots that are not stable, ascending.
    pub fn open_slots(&self) -> impl Iterator<Item = (u16, SlotState)> {
        self.open.iter().map(|(slot, state)| (*slot, *state))
    }

    /// Whether the cluster serves at all.
    pub fn is_up(&self) -> bool {
        !self.require_full_coverage
            || (self.assigned == self.owners.len() && self.slots_owned(Health::Failed) == 0)
    }

    /// How many slots are owned by nodes of this health, another than [`Health::Online`].
    pub(crate) fn slots_owned(&self, health: Health) -> usize {
        let nodes = self.nodes.iter().filter(|node| node.health == health);
        nodes.map(|node| self.slots_of(node.id).len()).sum()
    }

    /// The highest config epoch that any node has claimed.
    pub fn current_epoch(&self) -> u64 {
        self.current_epoch
    }

    /// Gives this node a config epoch above all others, unless it has one already. Returns whether
    /// it did.
    pub fn bump_my_epoch(&mut self) -> bool {
        let highest = self.nodes.iter().map(|node| node.config_epoch).max().unwrap_or(0);
        let mine = self.nodes[MYSELF].config_epoch;
        let shall = mine == 0 || mine < highest;
        if shall {
            self.current_epoch += 1;
            self.nodes[MYSELF].config_epoch = self.current_epoch;
        }
        shall
    }

    /// Sets the config epoch of this node, which has none.
    pub(crate) fn set_my_epoch(&mut self, epoch: u64) {
        self.nodes[MYSELF].config_epoch = epoch;
        self.current_epoch = self.current_epoch.max(epoch);
    }

    /// Makes of this replica the primary of its shard, and of its primary a replica (CLUSTER
    /// FAILOVER).
    pub(crate) fn take_over(&mut self) {
        let Some(primary) = self.my_primary() else { return };
        let me = self.myself().id;
        for slot in self.slots_of(primary).iter() {
            self.assign(slot, me);
        }
        self.nodes[MYSELF].role = Role::Primary;
        for node in &mut self.nodes {
            let was_replica = node.role == Role::Replica { of: primary };
            if node.id == primary || was_replica {
                node.role = Role::Replica { of: me };
            }
        }
        self.current_epoch += 1;
        self.nodes[MYSELF].config_epoch = self.current_epoch;
    }

    /// What names this node's shard: its primary with all replicas.
    pub(crate) fn my_shard_id(&self) -> NodeId {
        let primary = self.my_primary().and_then(|id| self.node(id));
        primary.unwrap_or(self.myself()).shard_id
    }

    /// The primary that this node is a replica of.
    pub(crate) fn my_primary(&self) -> Option<NodeId> {
        match self.myself().role {
            Role::Primary => None,
            Role::Replica { of } => Some(of),
        }
    }

    fn place(&self, id: NodeId) -> Option<u16> {
        self.nodes.iter().position(|node| node.id == id).map(|place| place as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> NodeId {
        NodeId::parse(&[digit; 40]).unwrap()
    }

    fn two_nodes() -> Topology {
        let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(b'a'), "h", 1));
        topology.put_node(Node::primary(id(b'b'), "h", 2));
        topology
    }

    #[test]
    fn slots_have_one_owner_or_none() {
        let mut topology = two_nodes();
        assert!(topology.assign(5, id(b'a')) && topology.assign(6, id(b'b')));
        assert!(!topology.assign(7, id(b'c')));
        assert!(topology.is_mine(5) && !topology.is_mine(6) && !topology.is_mine(7));
        assert_eq!(topology.owner(6).map(|node| node.port), Some(2));
        assert_eq!(topology.owner(7), None);
        assert!(topology.assign(5, id(b'b')));
        assert_eq!(topology.slots_of(id(b'b')).to_string(), "5-6");
        assert_eq!(topology.assigned(), 2);
        topology.unassign(5);
        topology.unassign(5);
        assert_eq!(topology.assigned(), 1);
    }

    #[test]
    fn the_cluster_is_up_when_every_slot_has_an_owner_or_need_not() {
        let mut topology = two_nodes();
        assert!(!topology.is_up());
        for slot in 0..16_384 {
            topology.assign(slot, id(b'b'));
        }
        assert!(topology.is_up());
        topology.unassign(3);
        assert!(!topology.is_up());
        topology.require_full_coverage = false;
        assert!(topology.is_up());
    }

    #[test]
    fn an_epoch_is_bumped_only_if_another_is_as_high() {
        let mut topology = two_nodes();
        topology.bump_my_epoch();
        assert_eq!(topology.myself().config_epoch, 1);
        topology.bump_my_epoch();
        assert_eq!(topology.myself().config_epoch, 1);
        let mut other = Node::primary(id(b'b'), "h", 2);
        other.config_epoch = 9;
        topology.put_node(other);
        topology.bump_my_epoch();
        assert_eq!((topology.myself().config_epoch, topology.current_epoch()), (10, 10));
    }
}
