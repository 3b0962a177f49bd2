//! Measures keyslot beside its peers and prints ratios. Each scenario is a file; both sides of a
//! row are measured in one run, their rounds interleaved, and a row holds the medians.
//!
//! ```text
//! cargo run --release -p keyslot-bench -- --list           the scenarios, a line each
//! cargo run --release -p keyslot-bench -- get resp         some of them
//! cargo run --release -p keyslot-bench -- get --json       a row is a line of JSON
//! ```
//!
//! # How to read a row
//!
//! A row's id is `scenario.case.peer`, without the case where there is only one. Then come the
//! metric with its unit, our figure, the peer's, and the ratio, which always says how many times
//! better ours is: 1 is level, 2 is twice as fast, or half the bytes, or half the pause. Some rows
//! count time or bytes, where less is better, and some count work in a second, where more is; the
//! ratio reads the same. The two figures depend on the machine and on what else it does; the ratio
//! much less so, and it alone is worth comparing between runs.
//!
//! Keys are 32 bytes, values 64 and chosen keys uniform, on one thread, where a scenario does not
//! say otherwise. A scenario whose peer is not installed says so, and the program fails; the rows
//! printed before stand.

mod algebra;
mod expire;
mod growth;
mod hiredis;
mod idle_features;
mod lazyfree;
mod measure;
mod memory;
mod migrate;
mod nodes;
mod pipeline;
mod plan;
mod point;
mod python;
mod redis;
mod resp;
mod row;
mod sessions;
mod threads;
mod types;
mod workload;
mod zset;

use row::Report;
use std::process::ExitCode;

/// A scenario: its name, what it measures, and how.
type Scenario = (&'static str, &'static str, fn(&mut Report) -> Result<(), String>);

const SCENARIOS: &[Scenario] = &[
    ("get", "typed GET, one at a time, beside DashMap and kevy-embedded", point::get),
    ("set", "typed SET, one at a time, beside DashMap and kevy-embedded", point::set),
    ("pipeline", "RESP in and out, 64 commands a feed, beside hashbrown and redis", pipeline::run),
    (
        "idle_features",
        "the pipeline with all that could look at it, beside the same turned off",
        idle_features::run,
    ),
    ("threads", "the pipeline on two threads beside one", threads::run),
    ("memory", "resident bytes of keys and of collections, beside redis and kevy", memory::run),
    (
        "growth",
        "the slowest write to 10 M keys or members, beside hashbrown and redis",
        growth::run,
    ),
    ("expire", "a million keys due in the same second, beside redis", expire::run),
    ("resp", "requests and replies read and written, beside hiredis and redis-protocol", resp::run),
    ("migrate", "slots to another engine, in every mode, beside MIGRATE of redis", migrate::run),
    (
        "sessions",
        "transactions, scripts, messages and waiting, beside redis with a pipeline",
        sessions::run,
    ),
    ("plan", "slots of 1,000 nodes brought to balance, beside redis-cli's method", plan::run),
    ("types", "commands on every type, one at a time, beside redis with a pipeline", types::run),
    ("zset", "a sorted set of a million members beside a pair of maps and redis", zset::run),
    ("lazyfree", "the longest call while a value of 10 M members goes, beside DEL", lazyfree::run),
    ("python", "engine.get in Python, beside a dict and redis-py", python::run),
    (
        "algebra",
        "bits of long strings, many HyperLogLogs and large sets, beside redis",
        algebra::run,
    ),
];

const USAGE: &str = "usage: keyslot-bench SCENARIO... [--json] | --list";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("keyslot-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<(), String> {
    if let [flag, case] = words
        && flag == "--child"
    {
        return match case.strip_prefix("growth.") {
            Some(side) => growth::child(side),
            None => memory::child(case),
        };
    }
    if words.iter().any(|word| word == "--list") {
        SCENARIOS.iter().for_each(|(name, about, _)| println!("{name:<10} {about}"));
        return Ok(());
    }
    let names: Vec<&String> = words.iter().filter(|word| *word != "--json").collect();
    if names.is_empty() {
        return Err(USAGE.to_owned());
    }
    let mut report = Report::new(words.iter().any(|word| word == "--json"));
    for name in names {
        let scenario = SCENARIOS.iter().find(|(known, _, _)| known == name);
        let (_, _, measure) = scenario.ok_or_else(|| format!("no scenario '{name}'\n{USAGE}"))?;
        measure(&mut report)?;
    }
    Ok(())
}
