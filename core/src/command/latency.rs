//! Events that took long, by their kind, and LATENCY, which tells of them. What calls of commands
//! took is counted in `tally`; how a kind's samples are drawn and judged is `report`'s.

mod report;

use super::call::Call;
use super::lookup;
use super::table::{self, Command, Group, Spec, flag};
use super::tally::Cost;
use crate::error::Error;
use crate::resp::ReplySink;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

const FLAGS: u32 = flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE;
const TIPS: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const fn subcommand(name: &'static str) -> Command {
    let (flags, tips) = (FLAGS, TIPS);
    Command { name, since: "2.8.13", group: Group::Server, flags, tips, ..Command::DEFAULT }
}

pub(super) const LATENCY: Command = Command {
    name: "latency",
    summary: "A container for latency diagnostics commands.",
    since: "2.8.13",
    group: Group::Server,
    subcommands: &[
        Command {
            summary: "Returns a human-readable latency analysis report.",
            handler: doctor,
            ..subcommand("doctor")
        },
        Command {
            summary: "Returns a latency graph for an event.",
            grammar: "event",
            handler: graph,
            ..subcommand("graph")
        },
        Command { since: "2.8.13", group: Group::Server, ..Command::HELP },
        Command {
            summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
            since: "7.0.0",
            complexity: "O(N) where N is the number of commands with latency information being \
                         retrieved.",
            grammar: "[command...]",
            handler: histogram,
            ..subcommand("histogram")
        },
        Command {
            summary: "Returns timestamp-latency samples for an event.",
            grammar: "event",
            handler: history,
            ..subcommand("history")
        },
        Command {
            summary: "Returns the latest latency samples for all events.",
            handler: latest,
            ..subcommand("latest")
        },
        Command {
            summary: "Resets the latency data for one or more events.",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            grammar: "[event...]",
            handler: reset,
            ..subcommand("reset")
        },
    ],
    help: &[
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the \
         specified command names.",
        "    If no commands are specified then all histograms are replied.",
    ],
    ..Command::CONTAINER
};

/// Samples of a kind of event that are kept.
const SAMPLES_MAX: usize = 160;

/// One event that took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySample {
    /// When, in seconds since the Unix epoch.
    pub unix_s: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// Events of one kind that took long.
#[derive(Clone, Debug, Default)]
struct Events {
    /// The last ones, the oldest first; of those within a second, the longest.
    samples: VecDeque<LatencySample>,
    /// The longest ever.
    ms_max: u64,
}

impl Events {
    fn note(&mut self, sample: LatencySample) {
        self.ms_max = self.ms_max.max(sample.ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_s == sample.unix_s => last.ms = last.ms.max(sample.ms),
            _ => {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }
}

/// Events that took long, by their kind, such as `command` or `expire-cycle`.
#[derive(Debug, Default)]
pub(crate) struct LatencyMonitor {
    kinds: Mutex<BTreeMap<&'static str, Events>>,
}

impl LatencyMonitor {
    /// Takes in an event that took longer than the threshold.
    #[cold]
    pub(crate) fn note(&self, kind: &'static str, ms: u64, now_ms: u64) {
        let sample = LatencySample { unix_s: now_ms / 1000, ms };
        self.kinds.lock().entry(kind).or_default().note(sample);
    }

    /// All that is kept.
    pub(crate) fn all(&self) -> Vec<(&'static str, Vec<LatencySample>)> {
        let kinds = self.kinds.lock();
        kinds
            .iter()
            .map(|(kind, events)| (*kind, events.samples.iter().copied().collect()))
            .collect()
    }

    fn events(&self, kind: &[u8]) -> Option<Events> {
        let kinds = self.kinds.lock();
        kinds.get(std::str::from_utf8(kind).ok()?).cloned()
    }
}

fn latest(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let kinds = call.env.latency.kinds.lock().clone();
    call.out.array(kinds.len());
    for (kind, events) in kinds {
        let last = events.samples.back().expect("a kind of event has a sample");
        call.out.array(4);
        call.out.bulk(kind.as_bytes());
        [last.unix_s, last.ms, events.ms_max].iter().for_each(|&n| call.out.integer(n as i64));
    }
    Ok(())
}

fn history(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let events = call.env.latency.events(call.words[2]).unwrap_or_default();
    call.out.array(events.samples.len());
    for sample in events.samples {
        call.out.array(2);
        call.out.integer(sample.unix_s as i64);
        call.out.integer(sample.ms as i64);
    }
    Ok(())
}

fn reset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mut kinds = call.env.latency.kinds.lock();
    let before = kinds.len();
    match &call.words[2..] {
        [] => kinds.clear(),
        names => kinds.retain(|kind, _| !names.contains(&kind.as_bytes())),
    }
    call.out.integer((before - kinds.len()) as i64);
    Ok(())
}

fn graph(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let kind = call.words[2];
    let no_samples = || Error::repeating("No samples available for event '", kind, "'");
    let events = call.env.latency.events(kind).ok_or_else(no_samples)?;
    let text = report::graph(&String::from_utf8_lossy(kind), &events, call.time.unix_ms() / 1000);
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn doctor(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let kinds = call.env.latency.kinds.lock().clone();
    let text = report::doctor(&kinds, &call.env.config, call.time.unix_ms() / 1000);
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// Answers the distribution of each command that was asked for and was called. The name of a command
/// with subcommands stands for all of them.
fn histogram(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let costs = call.env.stats.commands.costs();
    let has_latencies = |spec: &Spec| {
        let found = costs.iter().find(|(other, _)| other.id == spec.id);
        found.filter(|(_, cost)| cost.latencies.total() > 0)
    };
    let asked: Vec<&'static Spec> = match &call.words[2..] {
        [] => table::all_specs().collect(),
        names => {
            let named = names.iter().filter_map(|name| lookup::by_name(&name.to_ascii_lowercase()));
            named.flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands)).collect()
        }
    };
    let found: Vec<&(&'static Spec, Cost)> = asked.into_iter().filter_map(has_latencies).collect();
    call.out.map(found.len());
    found.iter().for_each(|(spec, cost)| write_histogram(call.out, spec, cost));
    Ok(())
}

fn write_histogram(out: &mut dyn ReplySink, spec: &Spec, cost: &Cost) {
    let levels = cost.latencies.cumulative();
    out.bulk(spec.name.as_bytes());
    out.map(2);
    out.bulk(b"calls");
    out.integer(cost.latencies.total() as i64);
    out.bulk(b"histogram_usec");
    out.map(levels.len());
    for (ns, count) in levels {
        out.integer((ns / 1000) as i64);
        out.integer(count as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_events_within_a_second_the_longest_is_kept_and_of_all_the_last() {
        let mut events = Events::default();
        for unix_s in 0..200 {
            events.note(LatencySample { unix_s, ms: 5 });
            events.note(LatencySample { unix_s, ms: 300 - unix_s });
            events.note(LatencySample { unix_s, ms: 7 });
        }
        assert_eq!((events.samples.len(), events.ms_max), (SAMPLES_MAX, 300));
        assert_eq!(events.samples[0], LatencySample { unix_s: 40, ms: 260 });
        assert_eq!(events.samples.back(), Some(&LatencySample { unix_s: 199, ms: 101 }));
    }
}
