//! Measures keyslot beside its peers and prints ratios. Each scenario is a file; both sides of a
//! row are measured in one run, their rounds interleaved, and a row holds the medians.

mod expire;
mod growth;
mod measure;
mod memory;
mod pipeline;
mod point;
mod redis;
mod row;
mod threads;
mod workload;

use row::Report;
use std::process::ExitCode;

/// A scenario: its name, what it measures, and how.
type Scenario = (&'static str, &'static str, fn(&mut Report) -> Result<(), String>);

const SCENARIOS: &[Scenario] = &[
    ("get", "typed GET, one at a time, beside DashMap and kevy-embedded", point::get),
    ("set", "typed SET, one at a time, beside DashMap and kevy-embedded", point::set),
    ("pipeline", "RESP in and out, 64 commands a feed, beside hashbrown and redis", pipeline::run),
    ("threads", "the pipeline on two threads beside one", threads::run),
    ("memory", "resident bytes a key beyond its payload, beside redis and kevy", memory::run),
    ("growth", "the slowest SET from 0 to 10 M keys, beside hashbrown", growth::run),
    ("expire", "a million keys due in the same second, beside redis", expire::run),
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
        return memory::child(case);
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
