//! Which slots should move where, so that each node has its share. Moving them is the machines'
//! work; who owns what, and what the slots hold, is an argument.
//!
//! A plan is made in five steps, each in a file of its own or a function here:
//!
//! 1. **Shares.** Each node's share is that of its weight in all there is, but never more than its
//!    capacity. A slot larger than any share stays alone where it is. What was asked for in so many
//!    words is done at once: slots go to the nodes named, a slot to be apart gets a node for itself.
//! 2. **Cut.** A node above its share and the tolerance gives away the set of its slots that is the
//!    least of all sets that are enough: the sum of any subset is looked for, not slot by slot
//!    ([`subset`]).
//! 3. **Place.** What was given away goes, largest first, where most is missing ([`settle`]).
//! 4. **Fill.** A node that is still below its share and the tolerance takes from those that can
//!    spare it.
//! 5. **Mend.** Where slots are too coarse for that, exchanges of two slots bring nodes closer; and
//!    what moved for nothing goes back.
//!
//! # How good a plan is
//!
//! Whatever the plan, each node must lose what it has beyond its share and the tolerance, and each
//! must gain what it lacks below. A byte that moves is lost once and gained once, so no plan moves
//! less than the larger of the two sums. [`Plan::bound_bytes`] is that bound, and what was asked for
//! in so many words is in it. It can be reached only as far as slots can be divided.

mod board;
mod settle;
mod shares;
mod subset;
#[cfg(test)]
mod tests;

use crate::cluster::NodeId;
use crate::slot::{SlotFigures, SlotSet};
use board::Board;
use std::collections::BTreeMap;
use std::fmt;

/// A node that slots may be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanNode {
    /// Its name.
    pub id: NodeId,
    /// How large its share is beside those of the others. A node of weight 0 is emptied.
    pub weight: u32,
    /// The most bytes it can hold; none if that is no matter.
    pub capacity_bytes: Option<u64>,
}

/// A slot, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanSlot {
    /// Its number.
    pub slot: u16,
    /// The node that it is at.
    pub owner: NodeId,
    /// What it holds.
    pub figures: SlotFigures,
}

/// What nodes have shares of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Bytes.
    #[default]
    Bytes,
    /// Keys.
    Keys,
    /// Commands.
    Operations,
    /// Slots, whatever they hold.
    Slots,
}

/// What a plan shall reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// What nodes have shares of. Default: bytes.
    pub measure: Measure,
    /// How far a node may be from its share, in thousandths of it. Default: 20, as redis-cli has.
    pub tolerance_permille: u32,
    /// Whether nodes are brought to their shares. Without it only nodes of weight 0 are emptied,
    /// and what is asked for below is done. Default: true.
    pub balance: bool,
    /// Slots that shall be at these nodes, whatever the shares say. Default: none.
    pub placed: Vec<(u16, NodeId)>,
    /// Slots that shall have a node for themselves each. Default: none.
    pub apart: Vec<u16>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            measure: Measure::Bytes,
            tolerance_permille: 20,
            balance: true,
            placed: Vec::new(),
            apart: Vec::new(),
        }
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// No node may have slots: there is none, or all have weight 0.
    NoTarget,
    /// A node is there twice.
    SameNode(NodeId),
    /// A slot is there twice, or shall be at two places.
    SameSlot(u16),
    /// A slot's owner, or the node that a slot shall go to, is not among the nodes.
    UnknownNode(NodeId),
    /// A slot that is asked for is not among the slots.
    UnknownSlot(u16),
    /// A slot shall go to a node that is to be emptied or kept for another slot.
    Closed {
        /// The slot.
        slot: u16,
        /// The node.
        node: NodeId,
    },
    /// There is no node to be kept for this slot alone.
    NoNodeApart(u16),
    /// The nodes that may have slots cannot hold what there is.
    CapacityExceeded {
        /// Bytes that there are.
        bytes: u64,
        /// Bytes that the nodes can hold.
        capacity_bytes: u64,
    },
    /// No node that may have this slot has room for it.
    NoRoom(u16),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTarget => f.write_str("no node may have slots"),
            Self::SameNode(node) => write!(f, "node {node} is there twice"),
            Self::SameSlot(slot) => write!(f, "slot {slot} is there twice"),
            Self::UnknownNode(node) => write!(f, "node {node} is not known"),
            Self::UnknownSlot(slot) => write!(f, "slot {slot} is not known"),
            Self::Closed { slot, node } => write!(f, "node {node} takes no slot {slot}"),
            Self::NoNodeApart(slot) => write!(f, "no node can be kept for slot {slot} alone"),
            Self::CapacityExceeded { bytes, capacity_bytes } => {
                write!(f, "the nodes hold {capacity_bytes} bytes and there are {bytes}")
            }
            Self::NoRoom(slot) => write!(f, "no node has room for slot {slot}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// One slot's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanMove {
    /// The slot.
    pub slot: u16,
    /// Where it is.
    pub source: NodeId,
    /// Where it shall be.
    pub target: NodeId,
    /// Bytes that move.
    pub bytes: u64,
}

/// All that one node gives another: what one call of `Engine::migrate` at the source moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where the slots are.
    pub source: NodeId,
    /// Where they shall be.
    pub target: NodeId,
    /// The slots.
    pub slots: SlotSet,
    /// Bytes that move.
    pub bytes: u64,
}

/// Which slots shall move where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    moves: Vec<PlanMove>,
    bound_bytes: u64,
    outside: Vec<NodeId>,
}

impl Plan {
    /// Makes a plan: the same for the same arguments, in a time of some milliseconds for hundreds
    /// of nodes.
    ///
    /// ```
    /// use keyslot::cluster::NodeId;
    /// use keyslot::slot::SlotFigures;
    /// use keyslot::{Plan, PlanNode, PlanOptions, PlanSlot};
    ///
    /// let [full, empty] = [b"a", b"b"].map(|digit| NodeId::parse(&digit.repeat(40)).unwrap());
    /// let node = |id| PlanNode { id, weight: 1, capacity_bytes: None };
    /// let slot = |slot, bytes| {
    ///     let figures = SlotFigures { bytes, ..SlotFigures::default() };
    ///     PlanSlot { slot, owner: full, figures }
    /// };
    /// let slots = [slot(0, 500), slot(1, 300), slot(2, 190), slot(3, 10)];
    /// let plan = Plan::new(&[node(full), node(empty)], &slots, &PlanOptions::default())?;
    /// assert_eq!(plan.to_string(), format!("1-2 {full} -> {empty}\n"));
    /// # Ok::<(), keyslot::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// If nodes or slots do not fit together, something contradictory is asked for, or there is not
    /// enough room. A node that cannot be brought to its share, because slots cannot be divided, is
    /// no error: [`Plan::outside`] tells it.
    pub fn new(
        nodes: &[PlanNode],
        slots: &[PlanSlot],
        options: &PlanOptions,
    ) -> Result<Self, PlanError> {
        let mut board = Board::new(nodes, slots, options)?;
        shares::decide(&mut board, nodes, options)?;
        let bound_bytes = board.moved_bytes().saturating_add(board.bound_bytes(options.measure));
        settle::clear(&mut board);
        settle::settle(&mut board, options.measure)?;
        Ok(Self::of(&board, nodes, bound_bytes))
    }

    fn of(board: &Board, nodes: &[PlanNode], bound_bytes: u64) -> Self {
        let moved = board.pieces.iter().filter_map(|piece| {
            let at = piece.at.filter(|&at| at != piece.home)?;
            let (source, target) = (nodes[piece.home].id, nodes[at].id);
            Some(PlanMove { slot: piece.slot, source, target, bytes: piece.bytes })
        });
        let mut moves: Vec<PlanMove> = moved.collect();
        moves.sort_unstable_by_key(|step| step.slot);
        let outside = (0..nodes.len()).filter(|&node| board.places[node].violation() > 0);
        let outside = outside.map(|node| nodes[node].id).collect();
        Self { moves, bound_bytes, outside }
    }

    /// The slots that move, ascending.
    pub fn moves(&self) -> &[PlanMove] {
        &self.moves
    }

    /// The moves by source and target, those ascending.
    pub fn transfers(&self) -> Vec<Transfer> {
        let mut by_ends: BTreeMap<(NodeId, NodeId), (SlotSet, u64)> = BTreeMap::new();
        for step in &self.moves {
            let (slots, bytes) = by_ends.entry((step.source, step.target)).or_default();
            slots.insert(step.slot);
            *bytes += step.bytes;
        }
        let transfers = by_ends.into_iter();
        let transfer =
            |((source, target), (slots, bytes))| Transfer { source, target, slots, bytes };
        transfers.map(transfer).collect()
    }

    /// Bytes that move.
    pub fn bytes(&self) -> u64 {
        self.moves.iter().map(|step| step.bytes).sum()
    }

    /// Bytes that any plan has to move that does what was asked for, if slots could be divided.
    pub fn bound_bytes(&self) -> u64 {
        self.bound_bytes
    }

    /// Nodes that will be farther from their share than the tolerance allows, since slots cannot
    /// be divided.
    pub fn outside(&self) -> &[NodeId] {
        &self.outside
    }
}

/// A line for each transfer: `slots source -> target`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for transfer in self.transfers() {
            writeln!(f, "{} {} -> {}", transfer.slots, transfer.source, transfer.target)?;
        }
        Ok(())
    }
}
