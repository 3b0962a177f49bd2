//! The cluster as one node sees it, as a plain value: nodes, owners of slots, and the slots that
//! are open because keys move. Who may change what, in Redis's words, is in `setslot`.

use super::{Node, NodeId, Role};
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
        !self.require_full_coverage || self.assigned == self.owners.len()
    }

    /// The highest config epoch that any node has claimed.
    pub fn current_epoch(&self) -> u64 {
        self.current_epoch
    }

    /// Gives this node a config epoch above all others, unless it has one already.
    pub fn bump_my_epoch(&mut self) {
        let highest = self.nodes.iter().map(|node| node.config_epoch).max().unwrap_or(0);
        let mine = self.nodes[MYSELF].config_epoch;
        if mine == 0 || mine < highest {
            self.current_epoch += 1;
            self.nodes[MYSELF].config_epoch = self.current_epoch;
        }
    }

    /// The primary that this node is a replica of.
    pub(crate) fn my_primary(&self) -> Option<NodeId> {
        match self.myself().role {
            Role::Primary => None,
            Role::Replica { of } => Some(of),
        }
    }

    /// Whether a command on keys of this slot is served here whatever it is.
    pub(super) fn is_plain(&self, slot: u16) -> bool {
        self.is_mine(slot) && self.is_up() && self.state(slot) == SlotState::Stable
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
