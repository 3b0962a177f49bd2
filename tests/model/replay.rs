//! The engines take random steps of the protocol, and what they are seen to do must be what the model
//! allows: so that one does not drift from the other.

use crate::protocol::{Flaw, Left, State};
use crate::real::{Real, Seen};
use crate::steps::{Own, Protocol, Step};
use keyslot::MigrationLimits;
use stateright::Model;

const LEFT: Left = Left { writes: 8, moves: 4, retries: 9, crashes: 2, doubts: 3 };

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The states that may follow when the sources take any number of steps of their own.
fn closure(protocol: &Protocol, states: Vec<State>) -> Vec<State> {
    let mut all = Vec::new();
    let mut fresh = states;
    while let Some(state) = fresh.pop() {
        if all.contains(&state) {
            continue;
        }
        all.push(state.clone());
        for number in 0..2 {
            for own in [Own::Walk, Own::Cut, Own::Drain, Own::Prepare, Own::Delete] {
                if Protocol::can(&state, number, own) {
                    let mut next = state.clone();
                    protocol.take(&mut next, &Step::Own(number, own));
                    fresh.push(next);
                }
            }
        }
    }
    all
}

/// The states that a step may lead to.
fn after(protocol: &Protocol, states: &[State], step: &Step) -> Vec<State> {
    let taken = |state: &State| {
        let mut next = state.clone();
        protocol.take(&mut next, step);
        next
    };
    let mut all = closure(protocol, states.iter().map(taken).collect());
    if let Step::GiveUp(_) = step {
        // Meanwhile the source may go on, and come to where it does not give up.
        let gone_on = closure(protocol, states.to_vec());
        let may: Vec<State> = gone_on
            .iter()
            .filter(|state| {
                let mut steps = Vec::new();
                protocol.actions(state, &mut steps);
                steps.contains(step)
            })
            .map(taken)
            .collect();
        all.extend(gone_on);
        all.extend(closure(protocol, may));
    }
    all
}

fn choose(protocol: &Protocol, state: &State, tried: &mut Vec<Step>, chance: &mut Chance) -> Step {
    let mut steps = Vec::new();
    protocol.actions(state, &mut steps);
    steps.retain(|step| !matches!(step, Step::Own(..)));
    let is_new = |step: &&Step| !matches!(step, Step::Deliver(_)) || !tried.contains(step);
    let fresh: Vec<Step> = steps.iter().filter(is_new).cloned().collect();
    // What is rare takes a move to its end less often than what is not.
    let is_fault = |step: &Step| {
        let often = matches!(step, Step::Deliver(_) | Step::Save(_) | Step::NoteSaved(_));
        let often = often || matches!(step, Step::CompareAndSet(_) | Step::HearAnswer(_));
        !often && !matches!(step, Step::Begin(_) | Step::Ask(..))
    };
    let pick = |from: &[Step], chance: &mut Chance| from[chance.below(from.len())].clone();
    let mut step = pick(&steps, chance);
    if !fresh.is_empty() && chance.below(4) > 0 {
        step = pick(&fresh, chance);
    }
    while is_fault(&step) && chance.below(8) > 0 {
        step = pick(if fresh.is_empty() { &steps } else { &fresh }, chance);
    }
    tried.push(step.clone());
    step
}

fn limits(chance: &mut Chance) -> MigrationLimits {
    MigrationLimits {
        durable: true,
        attempts: 1,
        in_flight_bytes: [1, 60, 200, 100_000][chance.below(4)],
        fence_bytes: [0, 100_000][chance.below(2)],
        ..MigrationLimits::default()
    }
}

/// Takes some steps. Returns how many slots were moved.
fn run(seed: u64) -> u8 {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let protocol = Protocol { flaw: Flaw::None, first: Vec::new() };
    let first = State::new([[1, 1], [0, 0], [0, 2]][chance.below(3)], LEFT);
    let mut real = Real::new(&first, limits(&mut chance));
    let (mut states, mut tried, mut taken) = (vec![first], Vec::new(), Vec::new());
    for _ in 0..120 {
        let step = choose(&protocol, &states[0], &mut tried, &mut chance);
        let all = after(&protocol, &states, &step);
        let mut next = states[0].clone();
        protocol.take(&mut next, &step);
        real.take(&step, &states[0], &next);
        taken.push(step);
        let seen = real.seen();
        let (fit, unfit): (Vec<State>, Vec<State>) =
            all.into_iter().partition(|state| Seen::of(state) == seen);
        assert!(
            !fit.is_empty(),
            "seed {seed}, after {taken:#?}\nthe engines show {seen:#?}\nand the model {:#?}\nbefore {:#?}",
            unfit.iter().map(Seen::of).collect::<Vec<_>>(),
            states[0],
        );
        states = fit;
    }
    states[0].moved
}

#[test]
fn engines_do_what_the_model_allows() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, runs) =
        (number("KEYSLOT_SEED").unwrap_or(1), number("KEYSLOT_RUNS").unwrap_or(100));
    let moved: Vec<u8> = (first..first + runs).map(run).collect();
    assert!(runs < 100 || moved.iter().filter(|moved| **moved > 1).count() > 10, "{moved:?}");
}
