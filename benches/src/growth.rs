//! `growth`: the slowest single SET while a store grows from nothing to ten million keys, in
//! processor time, so that other processes do not count.

use crate::measure::thread_cpu;
use crate::row::{Better, Report, Row};
use crate::workload::{VALUE, key};
use bytes::Bytes;
use keyslot::Engine;
use std::time::Duration;

const KEYS: usize = 10_000_000;

fn slowest_ms(mut set: impl FnMut(usize)) -> f64 {
    let mut slowest = Duration::ZERO;
    let mut before = thread_cpu();
    for number in 0..KEYS {
        set(number);
        let after = thread_cpu();
        slowest = slowest.max(after - before);
        before = after;
    }
    slowest.as_secs_f64() * 1e3
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let engine = Engine::default();
    let ours = slowest_ms(|number| engine.set(&key(number), &VALUE).expect("no cluster"));
    drop(engine);
    let mut map = hashbrown::HashMap::new();
    let theirs = slowest_ms(|number| {
        map.insert(Bytes::copy_from_slice(&key(number)), Bytes::copy_from_slice(&VALUE));
    });
    report.row(&Row {
        id: "growth.string.hashbrown",
        metric: "slowest SET",
        unit: "ms of CPU",
        ours,
        theirs,
        better: Better::Lower,
    });
    Ok(())
}
