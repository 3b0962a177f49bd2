//! What each node should have, and what was asked for in so many words: slots at named nodes, slots
//! that have a node for themselves. Reaching the shares is done elsewhere.

use super::board::Board;
use super::{Measure, PlanError, PlanNode, PlanOptions};

/// Decides what every node should have and moves what is asked for.
pub(super) fn decide(
    board: &mut Board,
    nodes: &[PlanNode],
    options: &PlanOptions,
) -> Result<(), PlanError> {
    if board.places.iter().all(|place| place.closed) {
        return Err(PlanError::NoTarget);
    }
    check_capacity(board)?;
    place_named(board, nodes, options)?;
    let mut shares = Shares::new(board, nodes, options);
    for &slot in &options.apart {
        shares.keep_apart(board, find(board, slot)?)?;
    }
    shares.settle(board);
    Ok(())
}

fn find(board: &Board, slot: u16) -> Result<usize, PlanError> {
    let found = board.pieces.iter().position(|piece| piece.slot == slot);
    found.ok_or(PlanError::UnknownSlot(slot))
}

fn check_capacity(board: &Board) -> Result<(), PlanError> {
    let open = board.places.iter().filter(|place| !place.closed);
    let capacity_bytes = open.map(|place| place.capacity).fold(0, u64::saturating_add);
    let bytes = board.pieces.iter().map(|piece| piece.bytes).fold(0, u64::saturating_add);
    if bytes > capacity_bytes {
        return Err(PlanError::CapacityExceeded { bytes, capacity_bytes });
    }
    Ok(())
}

/// Moves slots to the nodes that were named for them.
fn place_named(
    board: &mut Board,
    nodes: &[PlanNode],
    options: &PlanOptions,
) -> Result<(), PlanError> {
    for &(slot, id) in &options.placed {
        let piece = find(board, slot)?;
        let to = nodes.iter().position(|node| node.id == id).ok_or(PlanError::UnknownNode(id))?;
        if board.pieces[piece].fixed {
            return Err(PlanError::SameSlot(slot));
        }
        if board.places[to].closed {
            return Err(PlanError::Closed { slot, node: id });
        }
        board.shift(piece, to);
        board.pieces[piece].fixed = true;
    }
    // Together they may be more than a node can hold, whatever else it gives away.
    for (number, place) in board.places.iter().enumerate() {
        let fixed = place.pieces.iter().map(|&piece| &board.pieces[piece]);
        let mut bytes = 0u64;
        for piece in fixed.filter(|piece| piece.fixed) {
            bytes = bytes.saturating_add(piece.bytes);
            if bytes > board.places[number].capacity {
                return Err(PlanError::NoRoom(piece.slot));
            }
        }
    }
    Ok(())
}

/// Shares as they are worked out: nodes leave one by one whose share follows from something else
/// than their weight, and what they have leaves with them.
struct Shares<'a> {
    nodes: &'a [PlanNode],
    options: &'a PlanOptions,
    /// Nodes whose share follows from their weight.
    open: Vec<usize>,
    /// What these have shares of.
    load: u128,
    weight: u128,
}

impl<'a> Shares<'a> {
    fn new(board: &Board, nodes: &'a [PlanNode], options: &'a PlanOptions) -> Self {
        let open: Vec<usize> = (0..nodes.len()).filter(|&node| nodes[node].weight > 0).collect();
        let weight = open.iter().map(|&node| u128::from(nodes[node].weight)).sum();
        let load = board.pieces.iter().map(|piece| u128::from(piece.load)).sum();
        Self { nodes, options, open, load, weight }
    }

    /// Takes a node out, with what it is to have.
    fn leave(&mut self, node: usize, load: u64) {
        self.open.retain(|&other| other != node);
        self.weight -= u128::from(self.nodes[node].weight);
        self.load = self.load.saturating_sub(u128::from(load));
    }

    /// Keeps a node for one slot: its own, if it was fixed there, or the one that costs least.
    fn keep_apart(&mut self, board: &mut Board, piece: usize) -> Result<(), PlanError> {
        let slot = board.pieces[piece].slot;
        let at = board.pieces[piece].at;
        let candidates = self.open.iter().copied().filter(|&node| {
            let place = &board.places[node];
            let others = place.pieces.iter().filter(|&&other| other != piece);
            let is_free = others.into_iter().all(|&other| !board.pieces[other].fixed);
            let may_move = !board.pieces[piece].fixed || at == Some(node);
            is_free && may_move && board.pieces[piece].bytes <= place.capacity
        });
        let cost = |node: usize| {
            let bytes = board.places[node].bytes;
            let own = board.pieces[piece].bytes;
            if at == Some(node) { bytes - own } else { bytes.saturating_add(own) }
        };
        let node = candidates.min_by_key(|&node| (cost(node), node));
        let others_stay = self.open.len() > 1 || board.pieces.len() == 1;
        let node = node.filter(|_| others_stay).ok_or(PlanError::NoNodeApart(slot))?;
        self.keep(board, piece, node);
        board.places[node].closed = true;
        Ok(())
    }

    /// Lets a node have one slot, and as far as possible nothing that was not asked for.
    fn keep(&mut self, board: &mut Board, piece: usize, node: usize) {
        board.shift(piece, node);
        board.pieces[piece].fixed = true;
        let fixed = board.places[node].pieces.iter().map(|&piece| &board.pieces[piece]);
        let load = fixed.filter(|piece| piece.fixed).map(|piece| piece.load).sum();
        self.set(board, node, [load; 3]);
        self.leave(node, load);
    }

    fn set(&self, board: &mut Board, node: usize, [low, share, high]: [u64; 3]) {
        let place = &mut board.places[node];
        (place.low, place.share, place.high) = (low, share, high);
    }

    /// Sets the shares of all nodes that are left.
    fn settle(&mut self, board: &mut Board) {
        let drained = (0..self.nodes.len()).filter(|&node| self.nodes[node].weight == 0);
        drained.for_each(|node| self.set(board, node, [0; 3]));
        if self.options.balance {
            while self.cap_one(board) || self.keep_giant(board) {}
        }
        for &node in &self.open {
            let [low, share, high] = self.band(node);
            let most = self.most(board, node);
            let band = if self.options.balance { [low, share, high] } else { [0, share, most] };
            self.set(board, node, band.map(|load| load.min(most)));
        }
    }

    /// The share of a node, with the least and the most that the tolerance allows.
    fn band(&self, node: usize) -> [u64; 3] {
        let weight = u128::from(self.nodes[node].weight);
        let tolerance = u128::from(self.options.tolerance_permille);
        // Sums are below 2^96, so that this leaves room for both factors in what is usual; beyond
        // it, less exact numbers are good enough.
        let part = |permille: u128, up: u128| {
            let whole = self.weight * 1_000;
            let load = match self.load.checked_mul(weight * permille) {
                Some(product) => (product + up * (whole - 1)) / whole,
                None => self.load / whole * (weight * permille),
            };
            u64::try_from(load).unwrap_or(u64::MAX)
        };
        [part(1_000u128.saturating_sub(tolerance), 0), part(1_000, 0), part(1_000 + tolerance, 1)]
    }

    /// The most load that the capacity of a node allows.
    fn most(&self, board: &Board, node: usize) -> u64 {
        if self.options.measure == Measure::Bytes { board.places[node].capacity } else { u64::MAX }
    }

    /// Gives one node less than its weight says, if it cannot hold that much.
    fn cap_one(&mut self, board: &mut Board) -> bool {
        let capped = self.open.iter().copied().find(|&node| {
            let [_, share, _] = self.band(node);
            share > self.most(board, node)
        });
        let Some(node) = capped.filter(|_| self.open.len() > 1) else { return false };
        let most = self.most(board, node);
        let tolerance = self.options.tolerance_permille.min(1_000);
        let low = u128::from(most) * u128::from(1_000 - tolerance) / 1_000;
        self.set(board, node, [low as u64, most, most]);
        self.leave(node, most);
        true
    }

    /// Keeps a node for a slot that is larger than any node's share, if there is one: its own node,
    /// or the one with most room for it.
    fn keep_giant(&mut self, board: &mut Board) -> bool {
        if self.open.len() < 2 {
            return false;
        }
        let high = self.open.iter().map(|&node| self.band(node)[2]).max().unwrap_or(u64::MAX);
        // Pieces are sorted by load.
        let Some(giant) = board.pieces.iter().rposition(|piece| !piece.fixed) else { return false };
        let piece = &board.pieces[giant];
        if piece.load <= high {
            return false;
        }
        let home = piece.at.filter(|at| self.open.contains(at));
        let fits = |&node: &usize| piece.bytes <= board.places[node].capacity;
        let roomy = || {
            self.open.iter().copied().max_by_key(|&node| {
                let others = board.places[node].bytes;
                (board.places[node].capacity, std::cmp::Reverse((others, node)))
            })
        };
        let Some(node) = home.filter(fits).or_else(roomy).filter(fits) else { return false };
        self.keep(board, giant, node);
        true
    }
}
