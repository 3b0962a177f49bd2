//! The protocol of the atomic mode in every state that it can come to: two nodes, two keys, one client,
//! a network that loses, doubles and reorders, and nodes that crash at any step.
//!
//! ```text
//! cargo test -p keyslot-model                                  some hundred thousand states
//! KEYSLOT_MODEL=long cargo test -p keyslot-model --test model -- --nocapture    some millions
//! KEYSLOT_SEED=123 KEYSLOT_RUNS=1 cargo test -p keyslot-model engines    one replay again
//! ```
//! `protocol` is an abstraction of the machines and says what it leaves out; `replay` has engines take
//! its steps and compares what they are seen to do. `steps` says what must hold. Each of some flaws
//! put into the protocol must be found.

mod protocol;
mod real;
mod replay;
mod steps;

use protocol::{Flaw, Left, Values};
use stateright::{Checker, HasDiscoveries, Model};
use steps::{IT_ENDS, NOTHING_IS_LOST, ONE_ANSWERS, Protocol};

const NONE: Left = Left { writes: 1, moves: 1, retries: 0, crashes: 0, doubts: 0 };
const BEGINNINGS: [Values; 2] = [[1, 1], [0, 0]];

/// What happens at most. All combinations at once are too many.
fn bounds() -> Vec<Left> {
    let is_long = std::env::var("KEYSLOT_MODEL").is_ok_and(|form| form == "long");
    match is_long {
        false => vec![
            Left { crashes: 1, doubts: 1, ..NONE },
            Left { writes: 2, retries: 1, doubts: 1, ..NONE },
            Left { moves: 2, ..NONE },
        ],
        true => vec![
            Left { writes: 2, retries: 1, crashes: 1, ..NONE },
            Left { moves: 2, crashes: 1, ..NONE },
            Left { moves: 2, doubts: 1, ..NONE },
            Left { crashes: 2, ..NONE },
            Left { retries: 1, crashes: 1, doubts: 2, ..NONE },
        ],
    }
}

#[test]
fn what_must_hold_does_in_every_state() {
    for left in bounds() {
        let first = BEGINNINGS.map(|values| (values, left)).to_vec();
        let protocol = Protocol { flaw: Flaw::None, first };
        let checker = protocol.checker().threads(2).spawn_bfs().join();
        println!("{left:?}: {} states", checker.unique_state_count());
        for property in checker.model().properties() {
            let found = checker.discovery(property.name);
            match property.expectation {
                stateright::Expectation::Always => {
                    let steps = found.map(|path| path.into_actions());
                    assert!(steps.is_none(), "{left:?}, not so: {}\n{steps:#?}", property.name);
                }
                // Only a slot that moves twice comes back.
                _ => assert!(found.is_some() || left.moves < 2, "{left:?}: {}", property.name),
            }
        }
    }
}

/// Looks for a flaw of the protocol until what must hold is seen not to.
#[track_caller]
fn assert_found(flaw: Flaw, left: Left, broken: &'static str) {
    let first = BEGINNINGS.map(|values| (values, left)).to_vec();
    let checker = Protocol { flaw, first }.checker().threads(2);
    let found = HasDiscoveries::AnyOf([broken].into());
    let checker = checker.finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(broken).is_some(), "{flaw:?} was not found: {broken}");
}

#[test]
fn flaws_of_the_source_are_found() {
    let doubts = Left { doubts: 1, ..NONE };
    assert_found(Flaw::LiftsFenceInTime, doubts, ONE_ANSWERS);
    assert_found(Flaw::DeletesEarly, doubts, NOTHING_IS_LOST);
    assert_found(Flaw::FencesNobody, NONE, NOTHING_IS_LOST);
    assert_found(Flaw::LeavesOutEffects, NONE, NOTHING_IS_LOST);
}

#[test]
fn flaws_of_the_target_are_found() {
    let again = Left { moves: 2, doubts: 1, ..NONE };
    assert_found(Flaw::TakesStaleAttempts, again, NOTHING_IS_LOST);
    assert_found(Flaw::CarriesOutTwice, NONE, NOTHING_IS_LOST);
    assert_found(Flaw::CarriesOutAnyOrder, NONE, NOTHING_IS_LOST);
    assert_found(Flaw::ServesEarly, NONE, ONE_ANSWERS);
    let crash = Left { crashes: 1, ..NONE };
    assert_found(Flaw::DoesNotNumberArrivals, crash, IT_ENDS);
    assert_found(Flaw::ForgetsPrepared, crash, NOTHING_IS_LOST);
    assert_found(Flaw::TakesInWhileItDeletes, Left { moves: 2, ..NONE }, NOTHING_IS_LOST);
}

#[test]
fn flaws_of_hosts_are_found() {
    let crash = Left { crashes: 1, ..NONE };
    assert_found(Flaw::ForgetsThatItAsked, crash, ONE_ANSWERS);
    assert_found(Flaw::TakesLateForNo, Left { doubts: 1, ..NONE }, ONE_ANSWERS);
    assert_found(Flaw::AnswersFirst, crash, NOTHING_IS_LOST);
}
