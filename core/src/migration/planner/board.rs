//! Nodes and slots by number, and which slot is where. Deciding is the other files' work.

use super::{Measure, PlanError, PlanNode, PlanOptions, PlanSlot};
use std::collections::HashMap;

/// A slot.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) slot: u16,
    /// What counts towards a node's share.
    pub(super) load: u64,
    /// What moving it costs.
    pub(super) bytes: u64,
    /// The node that it is at before the plan.
    pub(super) home: usize,
    /// The node that it is at in the plan; none if that is not decided.
    pub(super) at: Option<usize>,
    /// Whether it stays where it is, as somebody said so.
    pub(super) fixed: bool,
}

impl Piece {
    /// Whether it pays for its move already.
    pub(super) fn is_moved(&self) -> bool {
        self.at != Some(self.home)
    }
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The least it should have.
    pub(super) low: u64,
    /// The most it should have.
    pub(super) high: u64,
    /// What it should have.
    pub(super) share: u64,
    /// The most bytes it can have.
    pub(super) capacity: u64,
    pub(super) load: u64,
    pub(super) bytes: u64,
    /// Whether it takes no more slots and gives away those that are not fixed.
    pub(super) closed: bool,
    /// The slots that it has, by load.
    pub(super) pieces: Vec<usize>,
}

impl Place {
    /// How far it is from where it should be, with another load.
    pub(super) fn violation_at(&self, load: u64) -> u64 {
        self.low.saturating_sub(load) + load.saturating_sub(self.high)
    }

    /// How far it is from where it should be.
    pub(super) fn violation(&self) -> u64 {
        self.violation_at(self.load)
    }

    /// How much it can take.
    pub(super) fn room(&self) -> u64 {
        if self.closed { 0 } else { self.high.saturating_sub(self.load) }
    }

    /// How much it can give.
    pub(super) fn slack(&self) -> u64 {
        self.load.saturating_sub(self.low)
    }

    /// Whether it can take a piece and stay within its share and its capacity.
    pub(super) fn takes(&self, piece: &Piece) -> bool {
        !self.closed && piece.load <= self.room() && self.holds(piece)
    }

    /// Whether it has the bytes for a piece.
    pub(super) fn holds(&self, piece: &Piece) -> bool {
        self.bytes.saturating_add(piece.bytes) <= self.capacity
    }
}

#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) pieces: Vec<Piece>,
    pub(super) places: Vec<Place>,
}

impl Board {
    /// Everything where it is now. Shares are not decided.
    pub(super) fn new(
        nodes: &[PlanNode],
        slots: &[PlanSlot],
        options: &PlanOptions,
    ) -> Result<Self, PlanError> {
        let mut numbers = HashMap::with_capacity(nodes.len());
        for (number, node) in nodes.iter().enumerate() {
            if numbers.insert(node.id, number).is_some() {
                return Err(PlanError::SameNode(node.id));
            }
        }
        let places = nodes.iter().map(|node| Place {
            low: 0,
            high: u64::MAX,
            share: 0,
            capacity: node.capacity_bytes.unwrap_or(u64::MAX),
            load: 0,
            bytes: 0,
            closed: node.weight == 0,
            pieces: Vec::new(),
        });
        let mut board = Self { pieces: Vec::with_capacity(slots.len()), places: places.collect() };
        for slot in slots {
            let home = *numbers.get(&slot.owner).ok_or(PlanError::UnknownNode(slot.owner))?;
            board.pieces.push(piece(slot, home, options.measure));
        }
        board.pieces.sort_by_key(|piece| (piece.load, piece.slot));
        if let Some(slot) = board.first_doubled() {
            return Err(PlanError::SameSlot(slot));
        }
        for number in 0..board.pieces.len() {
            board.put(number, board.pieces[number].home);
        }
        Ok(board)
    }

    fn first_doubled(&self) -> Option<u16> {
        let mut slots: Vec<u16> = self.pieces.iter().map(|piece| piece.slot).collect();
        slots.sort_unstable();
        slots.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Takes a slot from where it is.
    pub(super) fn lift(&mut self, number: usize) {
        let piece = &mut self.pieces[number];
        let Some(at) = piece.at.take() else { return };
        let place = &mut self.places[at];
        place.load -= piece.load;
        place.bytes -= piece.bytes;
        // Numbers follow the loads, so the list is sorted by both.
        if let Ok(found) = place.pieces.binary_search(&number) {
            place.pieces.remove(found);
        }
    }

    /// Puts a slot that was lifted to a node.
    pub(super) fn put(&mut self, number: usize, to: usize) {
        let piece = &mut self.pieces[number];
        piece.at = Some(to);
        let place = &mut self.places[to];
        place.load += piece.load;
        place.bytes = place.bytes.saturating_add(piece.bytes);
        let at = place.pieces.partition_point(|&other| other < number);
        place.pieces.insert(at, number);
    }

    /// Moves a slot to a node.
    pub(super) fn shift(&mut self, number: usize, to: usize) {
        self.lift(number);
        self.put(number, to);
    }

    /// Bytes that move by what is decided.
    pub(super) fn moved_bytes(&self) -> u64 {
        let moved = self.pieces.iter().filter(|piece| piece.is_moved());
        moved.map(|piece| piece.bytes).fold(0, u64::saturating_add)
    }

    /// The least bytes that still have to move, if slots could be divided.
    pub(super) fn bound_bytes(&self, measure: Measure) -> u64 {
        let leaving = self.places.iter().map(|place| self.cheapest_bytes(place));
        let leaving = leaving.fold(0, u64::saturating_add);
        if measure != Measure::Bytes {
            return leaving;
        }
        let missing = self.places.iter().map(|place| place.low.saturating_sub(place.load));
        leaving.max(missing.fold(0, u64::saturating_add))
    }

    /// The bytes of what a node has to give, the slots with most load a byte first.
    fn cheapest_bytes(&self, place: &Place) -> u64 {
        let mut excess = place.load.saturating_sub(place.high);
        if excess == 0 {
            return 0;
        }
        let free = place.pieces.iter().map(|&number| &self.pieces[number]);
        let mut free: Vec<&Piece> = free.filter(|piece| !piece.fixed && piece.load > 0).collect();
        free.sort_by_key(|piece| dearness(piece));
        let mut bytes = 0u64;
        for piece in free {
            let part = excess.min(piece.load);
            let cost = u128::from(piece.bytes) * u128::from(part) / u128::from(piece.load);
            bytes = bytes.saturating_add(cost as u64);
            excess -= part;
        }
        bytes
    }
}

/// What moving a slot costs for each unit of load, as a number to sort by.
pub(super) fn dearness(piece: &Piece) -> u128 {
    (u128::from(piece.bytes) << 64) / u128::from(piece.load.max(1))
}

fn piece(slot: &PlanSlot, home: usize, measure: Measure) -> Piece {
    let figures = &slot.figures;
    let load = match measure {
        Measure::Bytes => figures.bytes,
        Measure::Keys => figures.keys,
        Measure::Operations => figures.operations(),
        Measure::Slots => 1,
    };
    Piece { slot: slot.slot, load, bytes: figures.bytes, home, at: None, fixed: false }
}
