//! CLUSTER SLOT-STATS: what the slots of this node hold and how much they are used, as Redis 8.2
//! answers it.

use super::cluster;
use super::slots::{invalid_slot, scheme};
use crate::command::Call;
use crate::error::{Error, ErrorKind};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::slot::{SLOTS, SlotFigures, parse_slot};
use std::cmp::Reverse;

type Outcome = Result<(), Error>;

/// A number of a slot, and whether it is there only while commands are counted.
struct Metric {
    name: &'static str,
    is_counted: bool,
    of: fn(&SlotFigures) -> u64,
}

/// In the order of the reply.
const METRICS: &[Metric] = &[
    Metric { name: "key-count", is_counted: false, of: |figures| figures.keys },
    Metric { name: "memory-bytes", is_counted: false, of: |figures| figures.bytes },
    Metric { name: "cpu-usec", is_counted: true, of: |figures| figures.cpu_us },
    Metric { name: "network-bytes-in", is_counted: true, of: |figures| figures.bytes_in },
    Metric { name: "network-bytes-out", is_counted: true, of: |figures| figures.bytes_out },
];

/// What is asked for.
enum Filter {
    Range { first: u16, last: u16 },
    Order { metric: &'static Metric, limit: usize, ascending: bool },
}

pub(super) fn slot_stats(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    let figures = match filter(call)? {
        Filter::Range { first, last } => figures_of_mine(call, first, last)?,
        Filter::Order { metric, limit, ascending } => {
            let last = (scheme(call).slots() - 1) as u16;
            let mut figures = figures_of_mine(call, 0, last)?;
            let value = |of: &SlotFigures| (metric.of)(of);
            match ascending {
                true => figures.sort_by_key(|(_, figures)| value(figures)),
                false => figures.sort_by_key(|(_, figures)| Reverse(value(figures))),
            }
            figures.truncate(limit);
            figures
        }
    };
    let counts = call.env.config.counts_traffic();
    call.out.array(figures.len());
    figures.iter().for_each(|(slot, figures)| write(call.out, *slot, figures, counts));
    Ok(())
}

/// The figures of the slots of a range that this node serves, ascending.
fn figures_of_mine(
    call: &mut Call<'_, '_>,
    first: u16,
    last: u16,
) -> Result<Vec<(u16, SlotFigures)>, Error> {
    let slots: Vec<u16> = {
        let view = cluster(call)?.view();
        let topology = &view.topology;
        let primary = topology.my_primary().unwrap_or(topology.myself().id);
        let slots = topology.slots_of(primary);
        slots.iter().filter(|slot| (first..=last).contains(slot)).collect()
    };
    Ok(slots.into_iter().map(|slot| (slot, call.keys.slot_figures(slot))).collect())
}

fn write(out: &mut dyn ReplySink, slot: u16, figures: &SlotFigures, counts: bool) {
    let metrics = METRICS.iter().filter(|metric| counts || !metric.is_counted);
    out.array(2);
    out.integer(i64::from(slot));
    out.map(metrics.clone().count());
    for metric in metrics {
        out.bulk(metric.name.as_bytes());
        out.integer((metric.of)(figures) as i64);
    }
}

fn filter(call: &Call<'_, '_>) -> Result<Filter, Error> {
    let is = |at: usize, word: &str| call.words[at].eq_ignore_ascii_case(word.as_bytes());
    match &call.words[3..] {
        [first, last] if is(2, "slotsrange") => range(call, first, last),
        [metric, options @ ..] if is(2, "orderby") => order(call, metric, options),
        _ => {
            let start = "unknown subcommand or wrong number of arguments for '";
            Err(Error::repeating(start, call.words[1], "'. Try CLUSTER HELP."))
        }
    }
}

fn range(call: &Call<'_, '_>, first: &[u8], last: &[u8]) -> Result<Filter, Error> {
    let [first, last] = [first, last].map(|word| parse_slot(word, scheme(call)));
    let (first, last) = (first.map_err(invalid_slot)?, last.map_err(invalid_slot)?);
    if first > last {
        return Err(Error::new(
            ErrorKind::Err,
            format!("Start slot number {first} is greater than end slot number {last}"),
        ));
    }
    Ok(Filter::Range { first, last })
}

fn order(call: &Call<'_, '_>, metric: &[u8], options: &[&[u8]]) -> Result<Filter, Error> {
    const UNKNOWN: Error = Error::err("Unrecognized sort metric for ORDERBY.");
    const LIMIT: Error =
        Error::err("Limit has to lie in between 1 and 16384 (maximum number of slots).");
    const TWICE: Error = Error::err("Multiple filters of the same type are disallowed.");
    let counts = call.env.config.counts_traffic();
    let mut known = METRICS.iter().filter(|metric| counts || !metric.is_counted);
    let named = |other: &&Metric| metric.eq_ignore_ascii_case(other.name.as_bytes());
    let metric = known.find(named).ok_or(UNKNOWN)?;
    let (mut limit, mut ascending) = (None, None);
    let mut rest = options;
    while let [word, after @ ..] = rest {
        rest = after;
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let twice = if let ([count, after @ ..], true) = (after, is(b"limit")) {
            rest = after;
            let count = parse_i64(count).filter(|count| (1..=SLOTS as i64).contains(count));
            limit.replace(count.ok_or(LIMIT)? as usize).is_some()
        } else if is(b"asc") || is(b"desc") {
            ascending.replace(is(b"asc")).is_some()
        } else {
            return Err(Error::SYNTAX);
        };
        if twice {
            return Err(TWICE);
        }
    }
    let (limit, ascending) = (limit.unwrap_or(SLOTS), ascending.unwrap_or(false));
    Ok(Filter::Order { metric, limit, ascending })
}
