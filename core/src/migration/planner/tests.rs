//! Plans on small cases beside a twin that tries every place for every slot, and on large ones
//! beside the bound.

use super::*;
use proptest::prelude::*;

fn id(number: usize) -> NodeId {
    NodeId::parse(format!("{number:040x}").as_bytes()).unwrap()
}

fn node(number: usize, weight: u32) -> PlanNode {
    PlanNode { id: id(number), weight, capacity_bytes: None }
}

fn nodes(count: usize) -> Vec<PlanNode> {
    (0..count).map(|number| node(number, 1)).collect()
}

fn slot(number: u16, owner: usize, bytes: u64) -> PlanSlot {
    let figures = SlotFigures { bytes, keys: bytes / 10 + 1, ..SlotFigures::default() };
    PlanSlot { slot: number, owner: id(owner), figures }
}

fn slots(owned: &[(usize, u64)]) -> Vec<PlanSlot> {
    owned.iter().zip(0..).map(|(&(owner, bytes), number)| slot(number, owner, bytes)).collect()
}

/// Bytes by node once the plan was carried out, worked out by itself.
fn loads(nodes: &[PlanNode], slots: &[PlanSlot], plan: &Plan) -> Vec<u64> {
    let mut loads = vec![0; nodes.len()];
    for slot in slots {
        let step = plan.moves().iter().find(|step| step.slot == slot.slot);
        let at = step.map_or(slot.owner, |step| {
            assert_eq!(step.source, slot.owner);
            assert_ne!(step.source, step.target);
            step.target
        });
        loads[nodes.iter().position(|node| node.id == at).unwrap()] += slot.figures.bytes;
    }
    loads
}

fn plan(nodes: &[PlanNode], slots: &[PlanSlot]) -> Plan {
    Plan::new(nodes, slots, &PlanOptions::default()).unwrap()
}

/// Least and most that a node may have, by the words of the documentation.
fn band(nodes: &[PlanNode], number: usize, bytes: u64, tolerance_permille: u64) -> (u64, u64) {
    let weights: u64 = nodes.iter().map(|node| u64::from(node.weight)).sum();
    let share = bytes as f64 * f64::from(nodes[number].weight) / weights as f64;
    let tolerance = share * tolerance_permille as f64 / 1_000.0;
    ((share - tolerance + 1e-9).floor().max(0.0) as u64, (share + tolerance - 1e-9).ceil() as u64)
}

/// The twin: the least bytes that bring every node within the tolerance; none if nothing does.
fn least_bytes(nodes: &[PlanNode], slots: &[PlanSlot], tolerance_permille: u64) -> Option<u64> {
    let bytes = slots.iter().map(|slot| slot.figures.bytes).sum();
    let bands = (0..nodes.len()).map(|number| band(nodes, number, bytes, tolerance_permille));
    let bands: Vec<(u64, u64)> = bands.collect();
    let assignments = nodes.len().pow(slots.len() as u32);
    let costs = (0..assignments).filter_map(|mut assignment| {
        let (mut loads, mut cost) = (vec![0; nodes.len()], 0);
        for slot in slots {
            let at = assignment % nodes.len();
            assignment /= nodes.len();
            loads[at] += slot.figures.bytes;
            cost += if nodes[at].id == slot.owner { 0 } else { slot.figures.bytes };
        }
        let fits = loads.iter().zip(&bands).all(|(load, (low, high))| low <= load && load <= high);
        fits.then_some(cost)
    });
    costs.min()
}

#[test]
fn an_even_cluster_stays_as_it_is() {
    let slots = slots(&[(0, 100), (1, 101), (2, 99)]);
    let plan = plan(&nodes(3), &slots);
    assert!(plan.moves().is_empty() && plan.outside().is_empty());
    assert_eq!((plan.bytes(), plan.bound_bytes()), (0, 0));
}

#[test]
fn an_empty_node_is_filled_with_the_least() {
    let slots = slots(&[(0, 60), (0, 45), (1, 70)]);
    let nodes = nodes(3);
    let options = PlanOptions { tolerance_permille: 250, ..PlanOptions::default() };
    let plan = Plan::new(&nodes, &slots, &options).unwrap();
    assert_eq!(plan.to_string(), format!("1 {} -> {}\n", id(0), id(2)));
    assert!(plan.outside().is_empty());
}

#[test]
fn a_node_of_no_weight_is_emptied_of_everything() {
    let nodes = [node(0, 1), node(1, 0), node(2, 1)];
    let slots = slots(&[(0, 30), (1, 10), (1, 0), (1, 20), (2, 30), (1, 0)]);
    let options = PlanOptions { tolerance_permille: 200, ..PlanOptions::default() };
    let plan = Plan::new(&nodes, &slots, &options).unwrap();
    assert_eq!(plan.moves().len(), 4);
    assert_eq!((plan.bytes(), plan.bound_bytes()), (30, 30));
    assert_eq!(loads(&nodes, &slots, &plan)[1], 0);
}

#[test]
fn without_balance_only_what_was_asked_for_moves() {
    let nodes = [node(0, 1), node(1, 1), node(2, 0)];
    let slots = slots(&[(0, 500), (0, 400), (1, 1), (2, 7)]);
    let options =
        PlanOptions { balance: false, placed: vec![(1, id(1))], ..PlanOptions::default() };
    let plan = Plan::new(&nodes, &slots, &options).unwrap();
    let moved: Vec<_> = plan.moves().iter().map(|step| (step.slot, step.target)).collect();
    assert_eq!(moved, [(1, id(1)), (3, id(1))]);
    assert_eq!(plan.bytes(), plan.bound_bytes());
}

#[test]
fn a_hot_slot_gets_the_node_that_is_cheapest_to_clear() {
    let slots = slots(&[(0, 30), (0, 31), (0, 33), (1, 60), (2, 41), (2, 41)]);
    let options = PlanOptions { apart: vec![1], tolerance_permille: 300, ..PlanOptions::default() };
    let plan = Plan::new(&nodes(3), &slots, &options).unwrap();
    let at = |number: u16| {
        let step = plan.moves().iter().find(|step| step.slot == number);
        step.map_or(slots[usize::from(number)].owner, |step| step.target)
    };
    let hot = at(1);
    assert!((0..6).filter(|&number| at(number) == hot).eq([1]), "{plan}");
}

#[test]
fn a_slot_larger_than_any_share_stays_and_the_others_leave_it() {
    let slots = slots(&[(0, 1_000), (0, 50), (0, 50), (1, 30), (1, 30), (2, 20), (2, 20)]);
    let nodes = nodes(3);
    let plan = plan(&nodes, &slots);
    assert_eq!(loads(&nodes, &slots, &plan)[0], 1_000, "{plan}");
    assert!(plan.moves().iter().all(|step| step.slot != 0));
    assert!(plan.outside().is_empty());
}

#[test]
fn no_node_gets_more_than_it_can_hold() {
    let small = PlanNode { capacity_bytes: Some(50), ..node(1, 1) };
    let nodes = [node(0, 1), small, node(2, 1)];
    let slots = slots(&[(0, 30); 10]);
    let options = PlanOptions { tolerance_permille: 200, ..PlanOptions::default() };
    let plan = Plan::new(&nodes, &slots, &options).unwrap();
    let loads = loads(&nodes, &slots, &plan);
    assert!(loads[1] <= 50 && loads[2] >= 100, "{loads:?}");
}

#[test]
fn slots_can_be_counted_instead_of_bytes() {
    let slots = slots(&[(0, 900), (0, 1), (0, 2), (0, 3), (0, 5), (1, 5)]);
    let options = PlanOptions { measure: Measure::Slots, ..PlanOptions::default() };
    let plan = Plan::new(&nodes(2), &slots, &options).unwrap();
    assert_eq!(plan.moves().len(), 1);
    assert_eq!((plan.bytes(), plan.bound_bytes()), (1, 1));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let two = nodes(2);
    let some = slots(&[(0, 30), (1, 30)]);
    let refused = |nodes: &[PlanNode], slots: &[PlanSlot], options: PlanOptions| {
        Plan::new(nodes, slots, &options).unwrap_err()
    };
    let plain = PlanOptions::default;
    assert_eq!(refused(&[], &[], plain()), PlanError::NoTarget);
    assert_eq!(refused(&[node(0, 0), node(1, 0)], &some, plain()), PlanError::NoTarget);
    assert_eq!(refused(&[node(0, 1), node(0, 1)], &[], plain()), PlanError::SameNode(id(0)));
    assert_eq!(refused(&two, &[some[0], some[0]], plain()), PlanError::SameSlot(0));
    assert_eq!(refused(&two, &[slot(0, 7, 1)], plain()), PlanError::UnknownNode(id(7)));
    let placed = |placed: &[(u16, NodeId)]| PlanOptions { placed: placed.to_vec(), ..plain() };
    assert_eq!(refused(&two, &some, placed(&[(0, id(9))])), PlanError::UnknownNode(id(9)));
    assert_eq!(refused(&two, &some, placed(&[(5, id(1))])), PlanError::UnknownSlot(5));
    let twice = placed(&[(0, id(1)), (0, id(0))]);
    assert_eq!(refused(&two, &some, twice), PlanError::SameSlot(0));
    let drained = [node(0, 1), node(1, 0)];
    let closed = PlanError::Closed { slot: 0, node: id(1) };
    assert_eq!(refused(&drained, &some, placed(&[(0, id(1))])), closed);
    let apart = |slots: &[u16]| PlanOptions { apart: slots.to_vec(), ..plain() };
    assert_eq!(refused(&two, &some, apart(&[0, 1])), PlanError::NoNodeApart(1));
    let small = [0, 1].map(|number| PlanNode { capacity_bytes: Some(29), ..node(number, 1) });
    let exceeded = PlanError::CapacityExceeded { bytes: 60, capacity_bytes: 58 };
    assert_eq!(refused(&small, &some, plain()), exceeded);
    let uneven = [PlanNode { capacity_bytes: Some(25), ..node(0, 1) }, small[0], node(1, 0)];
    let uneven = uneven.map(|node| PlanNode { capacity_bytes: Some(25), ..node });
    let uneven = [uneven[0], PlanNode { id: id(3), ..uneven[1] }, uneven[2]];
    assert_eq!(refused(&uneven, &[slot(1, 1, 30)], plain()), PlanError::NoRoom(1));
}

#[test]
fn transfers_gather_the_slots_of_both_ends() {
    let nodes = [node(0, 0), node(1, 1)];
    let plan = plan(&nodes, &slots(&[(0, 5), (0, 6), (1, 7), (0, 8)]));
    let [transfer] = &plan.transfers()[..] else { panic!("{plan}") };
    assert_eq!((transfer.source, transfer.target, transfer.bytes), (id(0), id(1), 19));
    assert_eq!(plan.to_string(), format!("0-1 3 {} -> {}\n", id(0), id(1)));
}

fn small_case() -> impl Strategy<Value = (Vec<PlanNode>, Vec<PlanSlot>, u32)> {
    let weights = proptest::collection::vec(1u32..4, 2..4);
    (weights, 50u32..400).prop_flat_map(|(weights, tolerance)| {
        let count = weights.len();
        let nodes: Vec<PlanNode> =
            weights.into_iter().enumerate().map(|(number, weight)| node(number, weight)).collect();
        let owned = proptest::collection::vec((0..count, 0u64..100), 1..8);
        owned.prop_map(move |owned| (nodes.clone(), slots(&owned), tolerance))
    })
}

proptest! {
    #[test]
    fn small_plans_keep_to_the_twin((nodes, slots, tolerance_permille) in small_case()) {
        let options = PlanOptions { tolerance_permille, ..PlanOptions::default() };
        let plan = Plan::new(&nodes, &slots, &options).unwrap();
        let total: u64 = slots.iter().map(|slot| slot.figures.bytes).sum();
        let loads = loads(&nodes, &slots, &plan);
        prop_assert_eq!(loads.iter().sum::<u64>(), total);
        prop_assert_eq!(&plan, &Plan::new(&nodes, &slots, &options).unwrap());
        let largest = slots.iter().map(|slot| slot.figures.bytes).max().unwrap_or(0);
        let bands: Vec<_> =
            (0..nodes.len()).map(|node| band(&nodes, node, total, tolerance_permille.into())).collect();
        if bands.iter().any(|&(_, high)| largest <= high) {
            for (number, node) in nodes.iter().enumerate() {
                let (low, high) = bands[number];
                let is_outside = loads[number] < low || loads[number] > high;
                prop_assert_eq!(is_outside, plan.outside().contains(&node.id));
            }
            let least = least_bytes(&nodes, &slots, tolerance_permille.into());
            if plan.outside().is_empty() {
                prop_assert!(plan.bound_bytes() <= least.unwrap());
                prop_assert!(plan.bytes() >= least.unwrap());
            }
        }
    }
}

/// Numbers that look like chance, the same every time.
fn chance(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn most_small_cases_that_can_be_solved_are() {
    let mut random = chance(1);
    let (mut solvable, mut solved, mut bytes, mut least_sum) = (0, 0, 0, 0);
    for _ in 0..400 {
        let nodes = nodes(3);
        let owned: Vec<_> = (0..8).map(|_| (random(3) as usize, random(100) + 1)).collect();
        let slots = slots(&owned);
        let options = PlanOptions { tolerance_permille: 150, ..PlanOptions::default() };
        let plan = Plan::new(&nodes, &slots, &options).unwrap();
        let Some(least) = least_bytes(&nodes, &slots, 150) else { continue };
        solvable += 1;
        if plan.outside().is_empty() {
            solved += 1;
            (bytes, least_sum) = (bytes + plan.bytes(), least_sum + least);
        }
    }
    println!("{solved} of {solvable}, {bytes} bytes where {least_sum} are the least");
    assert!(solved * 100 >= solvable * 95, "{solved} of {solvable}");
    assert!(bytes * 100 <= least_sum * 115, "{bytes} bytes where {least_sum} are the least");
}

/// Sizes as they are when a few slots hold most: the n-th has one n-th of the first.
fn skewed(nodes: usize, random: &mut impl FnMut(u64) -> u64) -> Vec<PlanSlot> {
    let size = |rank: u64| 1_000_000_000 / (rank + 100);
    let mut sizes: Vec<u64> = (0..16_384).map(|rank| size(rank) + random(100)).collect();
    for at in (1..sizes.len()).rev() {
        sizes.swap(at, random(at as u64 + 1) as usize);
    }
    let owned = sizes.iter().enumerate().map(|(number, &bytes)| {
        // Few nodes would be even by chance.
        let few = (random(nodes as u64) as usize).min(random(nodes as u64) as usize);
        let owner = if nodes < 100 { few } else { number * nodes / 16_384 };
        slot(number as u16, owner, bytes)
    });
    owned.collect()
}

#[test]
fn large_plans_are_within_two_percent_of_the_bound() {
    let mut random = chance(2);
    for count in [3, 10, 100, 1_000] {
        let slots = skewed(count, &mut random);
        let mut all = nodes(count);
        for case in ["balance", "drain", "fill"] {
            match case {
                "drain" => all[1].weight = 0,
                "fill" => all.push(node(count, 1)),
                _ => {}
            }
            let options = PlanOptions { tolerance_permille: 50, ..PlanOptions::default() };
            let plan = Plan::new(&all, &slots, &options).unwrap();
            let (bytes, bound) = (plan.bytes(), plan.bound_bytes());
            let over = (bytes as f64 / bound as f64 - 1.0) * 100.0;
            println!("{count} {case}: {over:.3} % over, {} outside", plan.outside().len());
            assert!(plan.outside().is_empty(), "{count} {case}: {} outside", plan.outside().len());
            assert!(over <= 2.0, "{count} {case}: {bytes} bytes, bound {bound}");
        }
    }
}
