//! Brings nodes to their shares: cut, place, fill, mend. What the shares are was decided before.

use super::board::{Board, Piece, dearness};
use super::{Measure, PlanError, subset};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// How often slots that fit nowhere are taken back and others chosen in their place.
const ROUNDS: usize = 8;

/// How many slots a node that fills itself up may give back for better ones.
const EXCHANGES: usize = 8;

/// Takes away what may not stay: all of a node that is to be emptied, and all but what was asked
/// for of a node that is kept for one slot.
pub(super) fn clear(board: &mut Board) {
    let closed = board.places.iter().filter(|place| place.closed);
    let closed = closed.flat_map(|place| place.pieces.iter().copied());
    let free: Vec<usize> = closed.filter(|&piece| !board.pieces[piece].fixed).collect();
    free.into_iter().for_each(|piece| board.lift(piece));
}

/// Brings every node as near to its share as it goes.
pub(super) fn settle(board: &mut Board, measure: Measure) -> Result<(), PlanError> {
    let mut banned = vec![false; board.pieces.len()];
    for _ in 0..ROUNDS {
        cut(board, measure, &banned);
        let stuck = place(board);
        for &piece in &stuck {
            let home = board.pieces[piece].home;
            if board.places[home].closed {
                squeeze(board, piece)?;
            } else {
                banned[piece] = true;
                board.put(piece, home);
            }
        }
        if stuck.is_empty() {
            break;
        }
    }
    fill(board);
    mend(board);
    take_back(board);
    Ok(())
}

/// Lets every node that has too much give away the least that is enough.
fn cut(board: &mut Board, measure: Measure, banned: &[bool]) {
    let room = board.places.iter().map(|place| place.room()).max().unwrap_or(0);
    for node in 0..board.places.len() {
        let place = &board.places[node];
        let need = place.load.saturating_sub(place.high);
        if need == 0 {
            continue;
        }
        // What fits somewhere as it is goes first, if it is enough.
        let chosen = cheapest_cut(board, node, need, measure, |piece| {
            !banned[piece] && board.pieces[piece].load <= room
        });
        let chosen =
            chosen.or_else(|| cheapest_cut(board, node, need, measure, |piece| !banned[piece]));
        let chosen: Vec<usize> = chosen.unwrap_or_default();
        let load: u64 = chosen.iter().map(|&piece| board.pieces[piece].load).sum();
        // Giving too much is no better than having too much.
        if board.places[node].violation_at(board.places[node].load - load) < need {
            chosen.into_iter().for_each(|piece| board.lift(piece));
        }
    }
}

/// Of the slots of a node that may go, a set with enough load.
fn cheapest_cut(
    board: &Board,
    node: usize,
    need: u64,
    measure: Measure,
    may_go: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let free = board.places[node].pieces.iter().copied().filter(|&piece| {
        let Piece { load, fixed, .. } = board.pieces[piece];
        !fixed && load > 0 && may_go(piece)
    });
    let free: Vec<usize> = free.collect();
    match measure {
        Measure::Bytes => least(board, &free, need),
        Measure::Keys | Measure::Operations | Measure::Slots => cheapest(board, free, need),
    }
}

/// The set of slots whose load is the least that is enough.
fn least(board: &Board, free: &[usize], need: u64) -> Option<Vec<usize>> {
    let loads: Vec<u64> = free.iter().map(|&piece| board.pieces[piece].load).collect();
    let places = subset::cover(&loads, need)?;
    Some(places.into_iter().map(|place| free[place]).collect())
}

/// A set of slots with enough load for few bytes: those with most load a byte, without those that
/// are not needed in the end.
fn cheapest(board: &Board, mut free: Vec<usize>, need: u64) -> Option<Vec<usize>> {
    free.sort_by_key(|&piece| (dearness(&board.pieces[piece]), piece));
    let (mut sum, mut chosen) = (0u64, Vec::new());
    for piece in free {
        if sum >= need {
            break;
        }
        sum = sum.saturating_add(board.pieces[piece].load);
        chosen.push(piece);
    }
    if sum < need {
        return None;
    }
    chosen.sort_by_key(|&piece| (Reverse(board.pieces[piece].bytes), piece));
    chosen.retain(|&piece| {
        let load = board.pieces[piece].load;
        let spare = sum - load >= need;
        sum -= if spare { load } else { 0 };
        !spare
    });
    Some(chosen)
}

/// Gives the slots that are nowhere, largest first, to the nodes that lack most. Returns those that
/// fit nowhere.
fn place(board: &mut Board) -> Vec<usize> {
    let nowhere = (0..board.pieces.len()).filter(|&piece| board.pieces[piece].at.is_none());
    // Pieces are numbered by load.
    let mut nowhere: BinaryHeap<usize> = nowhere.collect();
    let mut queue = Queue::new(board, water_level(board, &nowhere));
    let mut stuck = Vec::new();
    while let Some(piece) = nowhere.pop() {
        if let Some(node) = queue.first(|node| board.places[node].takes(&board.pieces[piece])) {
            queue.change(board, node, |board| board.put(piece, node));
        } else if let Some((node, smaller)) = make_room(board, &queue, piece) {
            queue.change(board, node, |board| {
                smaller.iter().for_each(|&other| board.lift(other));
                board.put(piece, node);
            });
            nowhere.extend(smaller);
        } else {
            stuck.push(piece);
        }
    }
    stuck
}

/// Open nodes by what they lack. Of those that lack the same, as all do for slots that are empty,
/// the one with fewest slots comes first.
struct Queue {
    level: u128,
    nodes: BTreeSet<Wanting>,
}

/// What a node lacks, how many slots it has, and which node it is.
type Wanting = (Reverse<i128>, usize, usize);

impl Queue {
    fn new(board: &Board, level: u128) -> Self {
        let mut queue = Self { level, nodes: BTreeSet::new() };
        let open = (0..board.places.len()).filter(|&node| !board.places[node].closed);
        queue.nodes = open.map(|node| queue.entry(board, node)).collect();
        queue
    }

    fn entry(&self, board: &Board, node: usize) -> Wanting {
        let place = &board.places[node];
        let wanted = level_of(place.share, self.level).min(place.high);
        let lack = i128::from(wanted) - i128::from(place.load);
        (Reverse(lack), place.pieces.len(), node)
    }

    /// The first node that `fits`.
    fn first(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        self.nodes.iter().map(|&(_, _, node)| node).find(|&node| fits(node))
    }

    /// Changes what a node has.
    fn change(&mut self, board: &mut Board, node: usize, change: impl FnOnce(&mut Board)) {
        self.nodes.remove(&self.entry(board, node));
        change(board);
        self.nodes.insert(self.entry(board, node));
    }
}

/// The node that has to give up least to take a slot, among those that lack most, and what it gives
/// up: only slots that are smaller, so that this comes to an end.
fn make_room(board: &Board, queue: &Queue, piece: usize) -> Option<(usize, Vec<usize>)> {
    const NODES: usize = 32;
    let wanted = &board.pieces[piece];
    let candidates = queue.nodes.iter().take(NODES).filter_map(|&(_, _, node)| {
        let place = &board.places[node];
        let need = place.load.saturating_add(wanted.load).saturating_sub(place.high);
        let free = place.pieces.iter().copied().filter(|&other| {
            let Piece { load, fixed, .. } = board.pieces[other];
            !fixed && 0 < load && load < wanted.load
        });
        let chosen = least(board, &free.collect::<Vec<usize>>(), need)?;
        let bytes: u64 = chosen.iter().map(|&other| board.pieces[other].bytes).sum();
        let held = (place.bytes - bytes).saturating_add(wanted.bytes) <= place.capacity;
        held.then_some((bytes, node, chosen))
    });
    candidates.min().map(|(_, node, chosen)| (node, chosen))
}

/// A level in millionths of the share.
const LEVEL_ONE: u128 = 1_000_000;

fn level_of(share: u64, level: u128) -> u64 {
    u64::try_from(u128::from(share).saturating_mul(level) / LEVEL_ONE).unwrap_or(u64::MAX)
}

/// Up to which part of their shares nodes are filled, if all have the same when these slots are
/// placed.
fn water_level(board: &Board, nowhere: &BinaryHeap<usize>) -> u128 {
    let water: u128 = nowhere.iter().map(|&piece| u128::from(board.pieces[piece].load)).sum();
    let takes = |level: u128| -> u128 {
        let open = board.places.iter().filter(|place| !place.closed);
        open.map(|place| u128::from(level_of(place.share, level).saturating_sub(place.load))).sum()
    };
    let (mut low, mut high) = (0, LEVEL_ONE << 10);
    while low < high {
        let middle = (low + high) / 2;
        if takes(middle) >= water { high = middle } else { low = middle + 1 }
    }
    low
}

/// Puts a slot that fits nowhere and cannot go back where it does least harm.
fn squeeze(board: &mut Board, piece: usize) -> Result<(), PlanError> {
    let open = (0..board.places.len()).filter(|&node| !board.places[node].closed);
    let holds = open.filter(|&node| board.places[node].holds(&board.pieces[piece]));
    let load = board.pieces[piece].load;
    let harm = |node: usize| {
        let place = &board.places[node];
        let after = place.load.saturating_add(load);
        i128::from(place.violation_at(after)) - i128::from(place.violation())
    };
    let node = holds.min_by_key(|&node| (harm(node), node));
    board.put(piece, node.ok_or(PlanError::NoRoom(board.pieces[piece].slot))?);
    Ok(())
}

/// Lets nodes that have too little take from those that can spare it, first what moves already.
fn fill(board: &mut Board) {
    let poor =
        (0..board.places.len()).filter(|&node| board.places[node].load < board.places[node].low);
    let mut poor: Vec<usize> = poor.collect();
    poor.sort_by_key(|&node| (Reverse(board.places[node].violation()), node));
    for node in poor {
        pull(board, node, |board, piece| {
            board.pieces[piece].is_moved() || board.pieces[piece].home == node
        });
        trade(board, node);
        pull(board, node, |_, _| true);
    }
}

/// Exchanges a slot that moves to a node for a larger one that moves to another, which costs
/// nothing, so that the node has the least that it should have.
fn trade(board: &mut Board, node: usize) {
    let need = board.places[node].low.saturating_sub(board.places[node].load);
    if need == 0 {
        return;
    }
    let trades = |number: usize| !board.pieces[number].fixed && board.pieces[number].is_moved();
    let own: Vec<usize> =
        board.places[node].pieces.iter().copied().filter(|&piece| trades(piece)).collect();
    let more = need..=board.places[node].room();
    let exchange = (0..board.places.len()).find_map(|other| {
        let place = &board.places[other];
        let spare = place.slack();
        if other == node || spare < need {
            return None;
        }
        own.iter().find_map(|&piece| {
            let (load, bytes) = (board.pieces[piece].load, board.pieces[piece].bytes);
            let start = place.pieces.partition_point(|&p| board.pieces[p].load < load + need);
            let larger = place.pieces[start..].iter().copied();
            let larger = larger.take_while(|&p| board.pieces[p].load - load <= spare);
            let mut fitting = larger.filter(|&back| {
                let back = &board.pieces[back];
                let grown = board.places[node].bytes - bytes + back.bytes;
                let other_grown = place.bytes - back.bytes + bytes;
                more.contains(&(back.load - load))
                    && grown <= board.places[node].capacity
                    && other_grown <= place.capacity
            });
            fitting.find(|&back| trades(back)).map(|back| (other, piece, back))
        })
    });
    if let Some((other, piece, back)) = exchange {
        board.shift(piece, other);
        board.shift(back, node);
    }
}

/// Takes slots to a node until it has the least it should have, or nothing fits.
fn pull(board: &mut Board, node: usize, may_go: impl Fn(&Board, usize) -> bool) {
    let mut pulled = Vec::new();
    while board.places[node].load < board.places[node].low {
        let need = board.places[node].low - board.places[node].load;
        if let Some(piece) = largest_within(board, node, need, &may_go) {
            board.shift(piece, node);
            pulled.push(piece);
            continue;
        }
        let last = pulled.len().saturating_sub(EXCHANGES);
        finish(board, node, need, &pulled[last..], &may_go);
        return;
    }
}

/// The largest slot that is not more than what a node needs, of the node that can spare most.
fn largest_within(
    board: &Board,
    node: usize,
    need: u64,
    may_go: &impl Fn(&Board, usize) -> bool,
) -> Option<usize> {
    let donors = (0..board.places.len()).filter(|&donor| donor != node);
    let found = donors.filter_map(|donor| {
        let place = &board.places[donor];
        let most = need.min(place.slack());
        let end = place.pieces.partition_point(|&piece| board.pieces[piece].load <= most);
        let fits = |&&piece: &&usize| {
            let Piece { load, fixed, .. } = board.pieces[piece];
            !fixed
                && load > 0
                && board.places[node].takes(&board.pieces[piece])
                && may_go(board, piece)
        };
        let piece = *place.pieces[..end].iter().rev().find(fits)?;
        Some((place.slack(), Reverse(donor), piece))
    });
    found.max().map(|(_, _, piece)| piece)
}

/// Gives a node what it still needs by one more slot, or by one in place of one that it took.
fn finish(
    board: &mut Board,
    node: usize,
    need: u64,
    pulled: &[usize],
    may_go: &impl Fn(&Board, usize) -> bool,
) {
    let mut best: Option<(u64, usize, Option<usize>)> = None;
    // What comes from a node that is emptied cannot go back.
    let given = pulled.iter().copied().filter(|&piece| {
        let piece = &board.pieces[piece];
        board.places[piece.home].takes(piece)
    });
    let given = given.map(Some).chain([None]);
    for back in given {
        let returned = back.map_or(0, |piece| board.pieces[piece].load);
        for donor in (0..board.places.len()).filter(|&donor| donor != node) {
            let place = &board.places[donor];
            let start = place.pieces.partition_point(|&p| board.pieces[p].load < returned + need);
            let fits = |&&piece: &&usize| {
                let candidate = &board.pieces[piece];
                let room = board.places[node].room() + returned;
                !candidate.fixed
                    && candidate.load <= room.min(place.slack())
                    && board.places[node].holds(candidate)
                    && may_go(board, piece)
            };
            let Some(&piece) = place.pieces[start..].iter().find(fits) else { continue };
            let more = (board.pieces[piece].load - returned, piece, back);
            best = Some(best.map_or(more, |best| best.min(more)));
        }
    }
    if let Some((_, piece, back)) = best {
        if let Some(back) = back {
            board.shift(back, board.pieces[back].home);
        }
        board.shift(piece, node);
    }
}

/// A move or an exchange, and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// How far both nodes are from where they should be, afterwards and before.
    violation: i128,
    bytes: u64,
    there: Option<usize>,
    back: Option<usize>,
    other: usize,
}

/// Brings nodes that are still too far from their shares nearer by moves and exchanges of slots with
/// one other node, the best first, while there is one that helps.
fn mend(board: &mut Board) {
    let far = (0..board.places.len()).filter(|&node| board.places[node].violation() > 0);
    let mut far: Vec<usize> = far.collect();
    far.sort_by_key(|&node| (Reverse(board.places[node].violation()), node));
    let mut steps = 4 * far.len();
    for node in far {
        while steps > 0 && board.places[node].violation() > 0 {
            let Some(step) = best_step(board, node) else { break };
            if let Some(piece) = step.there {
                board.shift(piece, step.other);
            }
            if let Some(piece) = step.back {
                board.shift(piece, node);
            }
            steps -= 1;
        }
    }
}

fn best_step(board: &Board, node: usize) -> Option<Step> {
    let others =
        (0..board.places.len()).filter(|&other| other != node && !board.places[other].closed);
    let mut best: Option<Step> = None;
    for other in others {
        let own =
            board.places[node].pieces.iter().copied().filter(|&piece| !board.pieces[piece].fixed);
        for there in own.map(Some).chain([None]) {
            for back in worthwhile(board, node, other, there) {
                let step = weigh(board, node, other, there, back);
                let better = step.filter(|step| step.violation < 0);
                best = better.into_iter().chain(best).min();
            }
        }
    }
    best
}

/// The slots of another node that are near to what brings `node` to its share in exchange for
/// `there`, and none.
fn worthwhile(
    board: &Board,
    node: usize,
    other: usize,
    there: Option<usize>,
) -> impl Iterator<Item = Option<usize>> {
    let place = &board.places[node];
    let left = place.load - there.map_or(0, |piece| board.pieces[piece].load);
    let pieces = &board.places[other].pieces;
    let from =
        pieces.partition_point(|&piece| board.pieces[piece].load < place.low.saturating_sub(left));
    let to = pieces
        .partition_point(|&piece| board.pieces[piece].load <= place.high.saturating_sub(left));
    let near = [from.checked_sub(1), Some(from), to.checked_sub(1), Some(to)];
    let near = near.into_iter().flatten().filter_map(|at| pieces.get(at).copied());
    let near: Vec<usize> = near.filter(|&piece| !board.pieces[piece].fixed).collect();
    let may_take = !place.closed;
    near.into_iter().filter(move |_| may_take).map(Some).chain([None])
}

fn weigh(
    board: &Board,
    node: usize,
    other: usize,
    there: Option<usize>,
    back: Option<usize>,
) -> Option<Step> {
    let load = |piece: Option<usize>| piece.map_or(0, |piece| board.pieces[piece].load);
    let bytes = |piece: Option<usize>| piece.map_or(0, |piece| board.pieces[piece].bytes);
    let (one, two) = (&board.places[node], &board.places[other]);
    let fits = |had: u64, gives: u64, takes: u64, capacity: u64| {
        takes <= gives || (had - gives).saturating_add(takes) <= capacity
    };
    let held = fits(one.bytes, bytes(there), bytes(back), one.capacity)
        && fits(two.bytes, bytes(back), bytes(there), two.capacity);
    if !held {
        return None;
    }
    let after = one.violation_at(one.load - load(there) + load(back));
    let other_after = two.violation_at(two.load - load(back) + load(there));
    let before = i128::from(one.violation()) + i128::from(two.violation());
    let violation = i128::from(after) + i128::from(other_after) - before;
    let paid = |piece: &Option<usize>| piece.is_some_and(|piece| !board.pieces[piece].is_moved());
    let cost = [there, back].into_iter().filter(paid).map(bytes).fold(0, u64::saturating_add);
    Some(Step { violation, bytes: cost, there, back, other })
}

/// Lets what moved go back where both nodes stay as near to their shares as they are, largest first.
fn take_back(board: &mut Board) {
    let moved = (0..board.pieces.len()).filter(|&number| {
        let piece = &board.pieces[number];
        piece.is_moved() && !piece.fixed
    });
    let mut moved: Vec<usize> = moved.collect();
    moved.sort_by_key(|&number| (Reverse(board.pieces[number].bytes), number));
    for number in moved {
        let piece = &board.pieces[number];
        let Some(at) = piece.at else { continue };
        let place = &board.places[at];
        let stays = place.violation_at(place.load - piece.load) <= place.violation();
        if stays && board.places[piece.home].takes(piece) {
            board.shift(number, piece.home);
        }
    }
}
