//! `threads`: the pipeline on two threads beside one.

use crate::measure::interleave;
use crate::pipeline::{COMMANDS, loaded_engine, run_session};
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, Commands, Mix};
use keyslot::Engine;
use std::time::Instant;

/// Millions of commands a second that this many threads get done together.
fn throughput(engine: &Engine, workloads: &[Commands]) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for commands in workloads {
            scope.spawn(|| run_session(&mut engine.session(), commands));
        }
    });
    (COMMANDS * workloads.len()) as f64 / start.elapsed().as_secs_f64() / 1e6
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let engine = loaded_engine();
    let mut chance = Chance(3);
    let workloads: Vec<Commands> =
        (0..2).map(|_| Commands::new(Mix::TenToOne, COMMANDS, &mut chance)).collect();
    let (ours, theirs) =
        interleave(|| throughput(&engine, &workloads), || throughput(&engine, &workloads[..1]));
    report.row(&Row {
        id: "threads.pipeline.one",
        metric: "commands on 2 threads, on 1",
        unit: "M/s",
        ours,
        theirs,
        better: Better::Higher,
    });
    Ok(())
}
