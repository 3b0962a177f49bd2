//! The sections of INFO that tell of commands: what each cost, how long it took, and which errors
//! were answered.

use super::super::tally::Cost;
use super::Report;

/// Calls of each command, and the time that they took.
pub(super) fn commandstats(report: &mut Report<'_, '_, '_>) {
    for (spec, cost) in report.call.env.stats.commands.costs() {
        let us = cost.busy_ns() as f64 / 1000.0;
        let each_us = if cost.calls == 0 { 0.0 } else { us / cost.calls as f64 };
        let Cost { calls, rejected, failed, .. } = cost;
        report.line(
            &format!("cmdstat_{}", safe(spec.name.as_bytes())),
            format_args!(
                "calls={calls},usec={us:.0},usec_per_call={each_us:.2},\
                 rejected_calls={rejected},failed_calls={failed}"
            ),
        );
    }
}

/// How often each error was answered.
pub(super) fn errorstats(report: &mut Report<'_, '_, '_>) {
    for (prefix, count) in report.call.env.stats.errors_by_prefix() {
        report.line(&format!("errorstat_{}", safe(&prefix)), format_args!("count={count}"));
    }
}

/// The percentiles that are asked for of each command's latencies, in microseconds.
pub(super) fn latencystats(report: &mut Report<'_, '_, '_>) {
    let config = &report.call.env.config;
    if !config.tracks_latency() {
        return;
    }
    let percentiles = config.latency_percentiles();
    for (spec, cost) in report.call.env.stats.commands.costs() {
        if cost.latencies.total() == 0 {
            continue;
        }
        let value = |percent: &str| {
            let ns = cost.latencies.percentile(percent.parse().unwrap_or(0.0));
            format!("p{percent}={:.3}", ns as f64 / 1000.0)
        };
        let values: Vec<String> = percentiles.split_whitespace().map(value).collect();
        let name = format!("latency_percentiles_usec_{}", safe(spec.name.as_bytes()));
        report.line(&name, values.join(","));
    }
}

/// A name in which nothing looks like a part of the report.
fn safe(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.replace(['#', ':', '\n', '\r'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        assert_eq!(safe(b"a#b:c\r\nd"), "a_b_c__d");
        assert_eq!(safe(b"config|get"), "config|get");
    }
}
