//! Random command streams, sent to an engine and to a redis-server and compared reply by reply, in
//! both versions of RESP. At the end of each stream everything that is there is compared.
//!
//! ```text
//! cargo test -p keyslot-differential                           the short form
//! KEYSLOT_COMMANDS=1000000 cargo test -p keyslot-differential  the long form, about a minute
//! KEYSLOT_SEED=123 cargo test -p keyslot-differential          the same streams again
//! ```
//! A failure prints the seed and the shortest stream that shows it.

mod bitmaps;
mod chance;
mod compare;
mod effects;
mod generate;
mod geo;
mod group_replies;
mod hashes;
mod hyperloglogs;
mod legacy;
mod lists;
mod pair;
mod peer;
mod sets;
mod shrink;
mod sorts;
mod step;
mod stream_payload;
mod stream_type;
mod words;
mod zsets;

use chance::{number_from_environment, seed};
use generate::Generator;
use pair::{Difference, Pair};
use step::Step;

/// Steps of a stream before the next one starts from empty. A failure takes the longer to shrink
/// the more there are.
const STREAM_LEN: u64 = 2_500;

/// Commands in each version of RESP, unless KEYSLOT_COMMANDS says otherwise.
const COMMANDS: u64 = 30_000;

#[test]
fn replies_in_resp2_are_those_of_redis() {
    compare(2);
}

#[test]
fn replies_in_resp3_are_those_of_redis() {
    compare(3);
}

fn compare(version: u8) {
    let seed = seed();
    let commands = number_from_environment("KEYSLOT_COMMANDS").unwrap_or(COMMANDS);
    println!("KEYSLOT_SEED={seed} KEYSLOT_COMMANDS={commands}, RESP{version}");
    let mut pair = Pair::start(version);
    for number in 0..commands.div_ceil(STREAM_LEN) {
        let stream_seed = seed ^ (number << 40) ^ (u64::from(version) << 36);
        let mut generator = Generator::new(stream_seed, version, number);
        let len = STREAM_LEN.min(commands - number * STREAM_LEN);
        let steps: Vec<_> = (0..len).map(|_| generator.step()).collect();
        if let Err(difference) = pair.run(&steps) {
            let steps = steps[..difference.steps].to_vec();
            panic!(
                "KEYSLOT_SEED={seed}, stream {number}, RESP{version}: {}",
                explain(&mut pair, steps, &difference)
            );
        }
    }
}

/// Shrinks a failing stream and prints it with the difference that it shows.
fn explain(pair: &mut Pair, steps: Vec<Step>, first: &Difference) -> String {
    let long_len = steps.len();
    let steps = shrink::shrink(steps, |steps| pair.run(steps).is_err());
    let Err(difference) = pair.run(&steps) else {
        return format!("seen once after {long_len} steps, and not again:\n{first}");
    };
    let lines: Vec<_> = steps.iter().map(Step::to_string).collect();
    format!(
        "{} of {long_len} steps are enough:\n{}\ndiffer in\n{difference}",
        steps.len(),
        lines.join("\n")
    )
}
