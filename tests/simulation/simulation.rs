//! Nodes that move slots to each other while clients work, under a network that breaks, clocks that
//! disagree, and crashes at any step of which only what was durable is left. One seed is one run, to
//! the byte; it says the mode, how bad the network is, and whether nodes crash.
//!
//! ```text
//! cargo test -p keyslot-simulation                          the short form
//! KEYSLOT_RUNS=10000 cargo test --release -p keyslot-simulation
//! KEYSLOT_SEED=123 KEYSLOT_RUNS=1 cargo test -p keyslot-simulation      one run again
//! KEYSLOT_MODE=by_key                              that mode alone (or atomic, async_keys, by_tag)
//! KEYSLOT_STORY=1                                  tells what happens
//! ```
//!
//! # What clients do
//! They count, by INCR, in transactions, in scripts and by WATCH; add to sets, lists, hashes and sorted
//! sets; use keys of each type in two databases as they like; lease keys and fields of hashes for a
//! time; put into queues and streams and take out of them, waiting (BLPOP, XREADGROUP BLOCK) or not;
//! publish to and listen to the channels of slots (SPUBLISH, SSUBSCRIBE); and keep copies of what they
//! read (CLIENT TRACKING). They are sent on by MOVED and ASK, try again, and lose their connections.
//!
//! # What is checked
//! | promise | by |
//! |---|---|
//! | linearizability per key | counters by their order (`history.rs`), any type by a naive twin (`twin.rs`); transactions and scripts are seen whole, WATCH fails if it must |
//! | I1 one node answers for a slot | a write is tried at each node, every five steps |
//! | I2 deleted at the source only when durable at the target, I3 a retry resurrects nothing, I7 crashes | what was acknowledged is there in the end, what was taken is not, nothing comes from nowhere |
//! | I4 epochs only grow | the owner of each slot, every five steps |
//! | I5 times are absolute | leases are there until their time and never after, by clocks that differ by up to a second; what is left of them in the end is exact |
//! | I6 things arrive as they left | witnesses of each type and encoding, whenever their slot has moved: value, encoding, time to live, access clock (LRU or LFU) |
//! | I8, I10 it ends | when faults stop, all migrations end and every client is answered |
//! | I9 what arrives is invisible | nodes that never owned a slot show no key of it |
//! | I11 never silence | who waits, listens or has a copy at a node that serves its slot no more was told |
//! | I12 nobody else waits | a session that wants a slot which does not move is served at once |
//!
//! # What differs by mode
//! - **atomic**: all of it. The store and what a host keeps by `MigrationRecord` and `save_import` are
//!   durable; the access clock is not looked at where nodes crash, since a log of writes has none.
//! - **by_key**, **async_keys** and **by_tag**: I9 is not promised: keys arrive one by one, and an importing node counts them. I1 is
//!   about clients that do not say ASKING. There is no store: the node that took a slot last
//!   counts. A node's topology and writes are durable; which keys were on their way when it
//!   crashed is not, and its host settles that with the target before it serves again (`by_key.rs`).
//!   A migration that was cancelled or failed may leave a slot in two parts, and is taken up again. That
//!   a command on several keys deletes one of whose arrival its source never heard is not tried: it can
//!   be undone, as in Redis.
//!
//! Each checker is seen to work by a promise that is broken on purpose (`breach.rs`).

mod atomic;
mod breach;
mod by_key;
mod chance;
mod checks;
mod clients;
mod history;
mod listeners;
mod network;
mod node;
mod twin;
mod witness;
mod workload;
mod world;

use breach::Breach;
use world::{Way, World};

/// Runs of each mode, in the short form.
const RUNS: u64 = 100;
/// Runs in which a broken promise must be noticed at least once.
const RUNS_TO_NOTICE: u64 = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs some seeds in one mode, and returns how many slots were moved.
fn run_all(way: Way, first: u64, runs: u64) -> usize {
    let mut moves = 0;
    for seed in first..first + runs {
        let mut world = World::new(seed, way, None);
        if let Err(why) = world.run() {
            panic!("KEYSLOT_MODE={} KEYSLOT_SEED={seed}: {why}", way.name());
        }
        moves += world.moves();
    }
    moves
}

/// What the environment asks for, in one mode.
fn run_mode(way: Way) {
    if std::env::var("KEYSLOT_MODE").is_ok_and(|name| name != way.name()) {
        return;
    }
    let first = number("KEYSLOT_SEED").unwrap_or(1);
    let runs = number("KEYSLOT_RUNS").unwrap_or(RUNS);
    let moves = run_all(way, first, runs);
    println!("{moves} slots moved in {runs} runs, {}", way.name());
    assert!(runs < 10 || moves as u64 > runs, "{moves} slots moved in {runs} runs");
}

#[test]
fn atomic_moves_lose_nothing() {
    run_mode(Way::Atomic);
}

#[test]
fn moves_by_key_lose_nothing() {
    run_mode(Way::ByKey);
}

#[test]
fn moves_with_many_keys_in_flight_lose_nothing() {
    run_mode(Way::AsyncKeys);
}

#[test]
fn moves_by_tag_lose_nothing() {
    run_mode(Way::ByTag);
}

#[test]
fn a_seed_is_a_run() {
    for way in Way::ALL {
        for seed in 2..6 {
            let trace = |_| {
                let mut world = World::new(seed, way, None);
                world.run().map(|()| world.trace())
            };
            let [one, other] = [0, 1].map(trace);
            assert_eq!(one, other, "seed {seed}");
        }
    }
}

#[test]
fn a_promise_that_is_broken_is_noticed() {
    let mut unnoticed = Vec::new();
    for (breach, way, signs) in Breach::ALL {
        let broken = |seed| {
            let why = World::new(seed, way, Some(breach)).run().err()?;
            signs.iter().any(|sign| why.contains(sign)).then_some((seed, why))
        };
        match (1..=RUNS_TO_NOTICE).find_map(broken) {
            None => unnoticed.push((breach, way)),
            Some((seed, why)) => {
                let why = why.lines().next().unwrap_or_default();
                println!("{breach:?}, {way:?}, seed {seed}: {why}");
            }
        }
    }
    assert!(unnoticed.is_empty(), "nobody noticed {unnoticed:?}");
}
