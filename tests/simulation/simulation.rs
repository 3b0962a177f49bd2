//! Nodes that move slots to each other in the atomic mode while clients work, under a network that
//! loses, doubles, delays and reorders frames, clocks that disagree, and crashes at any step of which
//! only what was durable is left. One seed is one run, to the byte.
//!
//! ```text
//! cargo test -p keyslot-simulation                          the short form, 100 runs
//! KEYSLOT_RUNS=10000 cargo test --release -p keyslot-simulation
//! KEYSLOT_SEED=123 KEYSLOT_RUNS=1 cargo test -p keyslot-simulation      one run again
//! ```
//! Checked: per-key linearizability of counters, and of what was added to sets, lists, hashes and
//! sorted sets (nothing acknowledged is lost, nothing comes from nowhere); that transactions are seen
//! whole; at each step that at most one node answers for a slot (I1) and that nodes which were never
//! the owner show nothing of it (I9); and that, when faults stop, all migrations end, every slot
//! answers, and each client that waits is answered (I10, I11).

mod history;
mod world;

use world::{Fault, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn slots_move_through_faults_without_a_loss() {
    let first = number("KEYSLOT_SEED").unwrap_or(1);
    let runs = number("KEYSLOT_RUNS").unwrap_or(100);
    let mut moves = 0;
    for seed in first..first + runs {
        let mut world = World::new(seed, Fault::None);
        if let Err(why) = world.run() {
            panic!("KEYSLOT_SEED={seed}: {why}");
        }
        moves += world.moves();
    }
    println!("{moves} slots moved in {runs} runs");
    assert!(runs < 10 || moves as u64 > runs, "{moves} slots moved in {runs} runs");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [3, 4] {
        let trace = |_| {
            let mut world = World::new(seed, Fault::None);
            world.run().map(|()| world.trace())
        };
        let [one, other] = [0, 1].map(trace);
        assert_eq!(one, other, "seed {seed}");
    }
}

/// How many of some runs with a fault in the host are caught.
fn caught(fault: Fault) -> usize {
    (1..25).filter(|&seed| World::new(seed, fault).run().is_err()).count()
}

#[test]
fn a_host_that_takes_no_for_yes_is_caught() {
    assert!(caught(Fault::TakesNoForYes) > 0);
}

#[test]
fn a_host_that_forgets_what_the_target_prepared_is_caught() {
    assert!(caught(Fault::ForgetsPrepared) > 0);
}

#[test]
fn a_host_that_forgets_that_it_asked_is_caught() {
    assert!(caught(Fault::ForgetsThatItAsked) > 0);
}
