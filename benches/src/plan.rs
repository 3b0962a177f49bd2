//! `plan`: which slots of a thousand nodes should move where, beside the method of redis-cli's
//! `--cluster rebalance`, which counts slots and does not ask what they hold. The method is written
//! here after what redis-cli is known to do, as it plans for servers that it talks to only.

use crate::measure::{interleave, ns_per_op};
use crate::row::{Better, Report, Row};
use crate::workload::Chance;
use keyslot::cluster::NodeId;
use keyslot::slot::SlotFigures;
use keyslot::{Plan, PlanNode, PlanOptions, PlanSlot};
use std::collections::BTreeMap;
use std::hint::black_box;

const NODES: usize = 1_000;
const SLOTS: u16 = 16_384;

/// A cluster with skewed slots: the n-th largest has one (n + 300)th of a number and which
/// slots a node has is chance.
fn cluster() -> (Vec<PlanNode>, Vec<PlanSlot>) {
    let mut chance = Chance(7);
    let id = |number: usize| NodeId::parse(format!("{number:040x}").as_bytes());
    let ids: Vec<NodeId> = (0..NODES).map(|n| id(n).expect("forty digits")).collect();
    let nodes = ids.iter().map(|&id| PlanNode { id, weight: 1, capacity_bytes: None });
    let slots = (0..SLOTS).map(|slot| {
        let rank = u64::from(slot) * 12_289 % u64::from(SLOTS);
        let figures = SlotFigures { bytes: 10_000_000_000 / (rank + 300), ..Default::default() };
        PlanSlot { slot, owner: ids[chance.below(NODES)], figures }
    });
    (nodes.collect(), slots.collect())
}

/// What redis-cli's method moves: slots and where they go.
fn by_count(nodes: &[PlanNode], slots: &[PlanSlot]) -> Vec<(u16, NodeId)> {
    let mut owned: BTreeMap<NodeId, Vec<u16>> =
        nodes.iter().map(|node| (node.id, Vec::new())).collect();
    slots.iter().for_each(|slot| owned.entry(slot.owner).or_default().push(slot.slot));
    let expected = (slots.len() / nodes.len()) as i64;
    let mut balances: Vec<(i64, NodeId)> =
        owned.iter().map(|(&id, slots)| (slots.len() as i64 - expected, id)).collect();
    let mut rest: i64 = balances.iter().map(|(balance, _)| balance).sum();
    while rest > 0 {
        for (balance, _) in balances.iter_mut().filter(|(balance, _)| *balance <= 0) {
            if rest > 0 {
                *balance -= 1;
                rest -= 1;
            }
        }
    }
    balances.sort_by_key(|&(balance, _)| balance);
    let (mut to, mut from) = (0, balances.len() - 1);
    let mut moves = Vec::new();
    while to < from {
        let count = balances[to].0.abs().min(balances[from].0.abs());
        let source = owned.entry(balances[from].1).or_default();
        moves.extend(source.drain(..count as usize).map(|slot| (slot, balances[to].1)));
        balances[to].0 += count;
        balances[from].0 -= count;
        to += usize::from(balances[to].0 == 0);
        from -= usize::from(balances[from].0 == 0);
    }
    moves
}

/// Bytes moved, and how far the fullest node is above its share then, in percent.
fn outcome(nodes: &[PlanNode], slots: &[PlanSlot], moves: &[(u16, NodeId)]) -> (u64, f64) {
    let targets: BTreeMap<u16, NodeId> = moves.iter().copied().collect();
    let mut loads: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut moved = 0;
    for slot in slots {
        let target = targets.get(&slot.slot);
        moved += target.map_or(0, |_| slot.figures.bytes);
        *loads.entry(*target.unwrap_or(&slot.owner)).or_default() += slot.figures.bytes;
    }
    let total: u64 = loads.values().sum();
    let fullest = loads.into_values().max().unwrap_or(0);
    (moved, (fullest as f64 * nodes.len() as f64 / total as f64 - 1.0) * 100.0)
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let (nodes, slots) = cluster();
    let plan =
        || Plan::new(&nodes, &slots, &PlanOptions::default()).map_err(|fault| fault.to_string());
    let ours = plan()?;
    let (our_ms, their_ms) = interleave(
        || ns_per_op(1, || drop(black_box(plan()))) / 1e6,
        || ns_per_op(1, || drop(black_box(by_count(&nodes, &slots)))) / 1e6,
    );
    let our_moves: Vec<_> = ours.moves().iter().map(|step| (step.slot, step.target)).collect();
    let (our_bytes, our_excess) = outcome(&nodes, &slots, &our_moves);
    let (their_bytes, their_excess) = outcome(&nodes, &slots, &by_count(&nodes, &slots));
    let row = |report: &mut Report, id, metric, unit, ours, theirs| {
        report.row(&Row { id, metric, unit, ours, theirs, better: Better::Lower });
    };
    let of_bound = |bytes: u64| 100.0 * bytes as f64 / ours.bound_bytes() as f64;
    row(report, "plan.time.redis-cli", "1,000 nodes, 16,384 slots", "ms", our_ms, their_ms);
    row(
        report,
        "plan.excess.redis-cli",
        "fullest node over its share",
        "%",
        our_excess,
        their_excess,
    );
    row(
        report,
        "plan.moved.redis-cli",
        "bytes moved, of the bound",
        "%",
        of_bound(our_bytes),
        of_bound(their_bytes),
    );
    Ok(())
}
