//! The figures of an engine by name, and their text for monitoring systems in the format of
//! OpenMetrics 1.0 (<https://github.com/prometheus/OpenMetrics>).

use super::engine::{CommandFigures, DatabaseFigures, Figures};
use std::fmt::Write;

/// How a figure behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, until the counts are reset.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One figure by its name.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    help: &'static str,
    of: fn(&Figures) -> f64,
}

impl Metric {
    /// Every figure that is a number.
    pub const fn all() -> &'static [Self] {
        METRICS
    }

    /// Its name, such as `keyspace_hits`. In OpenMetrics `keyslot_` stands before it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How it behaves.
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// What it counts: `bytes`, `seconds`, or nothing. The name ends with it.
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// What it says.
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// Its value.
    pub fn value(&self, figures: &Figures) -> f64 {
        (self.of)(figures)
    }
}

const fn gauge(name: &'static str, help: &'static str, of: fn(&Figures) -> f64) -> Metric {
    Metric { name, kind: MetricKind::Gauge, unit: "", help, of }
}

const fn counter(name: &'static str, help: &'static str, of: fn(&Figures) -> f64) -> Metric {
    Metric { kind: MetricKind::Counter, ..gauge(name, help, of) }
}

const fn bytes(metric: Metric) -> Metric {
    Metric { unit: "bytes", ..metric }
}

const fn seconds(metric: Metric) -> Metric {
    Metric { unit: "seconds", ..metric }
}

#[rustfmt::skip]
const METRICS: &[Metric] = &[
    seconds(gauge("uptime_seconds", "Time since the engine was opened.", |f| f.uptime_s as f64)),
    gauge("connected_clients", "Sessions that are open.", |f| f.sessions as f64),
    gauge("maxclients", "Sessions that may be open at once.", |f| f.sessions_max as f64),
    gauge("blocked_clients", "Sessions that wait.", |f| f.sessions_waiting as f64),
    counter("connections_received", "Sessions that were opened.", |f| f.sessions_opened as f64),
    counter("rejected_connections", "Sessions that were turned away.",
        |f| f.sessions_rejected as f64),
    counter("evicted_clients", "Sessions that were closed to free memory.",
        |f| f.sessions_evicted as f64),
    counter("query_buffer_limit_disconnections", "Sessions closed for unfinished input.",
        |f| f.input_limit_closings as f64),
    counter("output_buffer_limit_disconnections", "Sessions closed for output that nobody took.",
        |f| f.output_limit_closings as f64),
    counter("security_event_disconnections", "Sessions closed since they spoke HTTP.",
        |f| f.foreign_protocol_closings as f64),
    bytes(gauge("used_memory_bytes", "What keys, values, tables and buffers take.",
        |f| f.memory_bytes as f64)),
    bytes(gauge("used_memory_peak_bytes", "The most that was measured of it.",
        |f| f.memory_peak_bytes as f64)),
    bytes(gauge("used_memory_dataset_bytes", "What keys and values take.",
        |f| f.memory_dataset_bytes as f64)),
    bytes(gauge("clients_memory_bytes", "What sessions and their buffers take.",
        |f| f.memory_session_bytes as f64)),
    bytes(gauge("maxmemory_bytes", "What keys may take; 0 for no bound.",
        |f| f.memory_max_bytes as f64)),
    gauge("lazyfree_pending_objects", "Values that wait to be freed.", |f| f.pending_frees as f64),
    counter("commands_processed", "Commands that were carried out.",
        |f| f.commands_processed as f64),
    gauge("instantaneous_ops_per_sec", "Commands a second of late.", |f| f.commands_per_s),
    bytes(counter("net_input_bytes", "What sessions were fed.", |f| f.input_bytes as f64)),
    bytes(counter("net_output_bytes", "What sessions answered.", |f| f.output_bytes as f64)),
    gauge("instantaneous_input_bytes_per_sec", "Input a second of late.", |f| f.input_bytes_per_s),
    gauge("instantaneous_output_bytes_per_sec", "Output a second of late.",
        |f| f.output_bytes_per_s),
    counter("reads_processed", "How often sessions were fed.", |f| f.reads as f64),
    counter("keyspace_hits", "Look-ups of keys that exist.", |f| f.keyspace_hits as f64),
    counter("keyspace_misses", "Look-ups of keys that do not exist.",
        |f| f.keyspace_misses as f64),
    counter("changes", "Changes to keys.", |f| f.changes as f64),
    counter("expired_keys", "Keys deleted since their time was over.", |f| f.expired_keys as f64),
    counter("expired_fields", "Fields of hashes deleted since their time was over.",
        |f| f.expired_fields as f64),
    seconds(counter("expire_cycle_seconds", "How long looking for expired keys took.",
        |f| f.expiry_us as f64 / 1e6)),
    counter("error_replies", "Errors that were answered.", |f| f.error_replies as f64),
    counter("acl_access_denied_auth", "Passwords that were wrong.", |f| f.denied_logins as f64),
    counter("acl_access_denied_cmd", "Commands that were refused to users.",
        |f| f.denied_commands as f64),
    counter("acl_access_denied_key", "Commands that were refused for their keys.",
        |f| f.denied_keys as f64),
    counter("acl_access_denied_channel", "Commands that were refused for their channels.",
        |f| f.denied_channels as f64),
    gauge("pubsub_channels", "Channels that somebody listens to.", |f| f.channels as f64),
    gauge("pubsub_patterns", "Patterns that somebody listens to.", |f| f.patterns as f64),
    gauge("pubsubshard_channels", "Shard channels that somebody listens to.",
        |f| f.shard_channels as f64),
    gauge("slowlog_entries", "Calls in the slow log.", |f| f.slow_calls as f64),
];

/// What is printed of each of several things, such as commands.
type Column<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Finds a figure of a command.
type OfCommand = fn(&CommandFigures) -> u64;

/// Quantiles of a command's latencies, and where they are kept.
const QUANTILES: [(&str, OfCommand); 3] =
    [("0.5", |it| it.p50_ns), ("0.99", |it| it.p99_ns), ("0.999", |it| it.p999_ns)];

impl Figures {
    /// The figure of this name, such as `keyspace_hits`; none if there is none.
    pub fn get(&self, name: &str) -> Option<f64> {
        Metric::all().iter().find(|metric| metric.name == name).map(|metric| metric.value(self))
    }

    /// Appends all figures as a monitoring system reads them, in the format of OpenMetrics 1.0.
    pub fn open_metrics(&self, out: &mut String) {
        for metric in Metric::all() {
            family(out, metric.name, metric.kind, metric.unit, metric.help);
            sample(out, metric.name, metric.kind, &[], metric.value(self));
        }
        self.write_databases(out);
        self.write_commands(out);
        let errors = self.errors.iter().map(|(prefix, count)| (prefix.as_str(), *count as f64));
        labelled(out, "errors", ("Errors by their first word.", "prefix"), errors);
        out.push_str("# EOF\n");
    }

    fn write_databases(&self, out: &mut String) {
        let columns: [Column<DatabaseFigures>; 2] = [
            ("database_keys", "Keys of a database.", |it| it.keys),
            ("database_expiring_keys", "Keys of a database that expire.", |it| it.expiring_keys),
        ];
        for (name, help, of) in columns {
            family(out, name, MetricKind::Gauge, "", help);
            for database in &self.databases {
                let label = [("db", database.database.to_string())];
                sample(out, name, MetricKind::Gauge, &label, of(database) as f64);
            }
        }
    }

    fn write_commands(&self, out: &mut String) {
        let columns: [Column<CommandFigures>; 3] = [
            ("command_calls", "Calls of a command.", |it| it.calls),
            ("command_failed_calls", "Calls that answered an error.", |it| it.failed),
            ("command_rejected_calls", "Calls that were refused.", |it| it.rejected),
        ];
        for (name, help, of) in columns {
            let values = self.commands.iter().map(|it| (it.name, of(it) as f64));
            labelled(out, name, (help, "command"), values);
        }
        let name = "keyslot_command_duration_seconds";
        _ = writeln!(out, "# HELP {name} How long calls of a command take.");
        _ = writeln!(out, "# TYPE {name} summary\n# UNIT {name} seconds");
        for command in &self.commands {
            let label = format!("command=\"{}\"", escaped(command.name));
            for (quantile, of) in QUANTILES {
                let seconds = of(command) as f64 / 1e9;
                _ = writeln!(out, "{name}{{{label},quantile=\"{quantile}\"}} {seconds}");
            }
            _ = writeln!(out, "{name}_count{{{label}}} {}", command.calls);
            _ = writeln!(out, "{name}_sum{{{label}}} {}", command.busy_ns as f64 / 1e9);
        }
    }
}

/// Writes a counter with a sample for each value of a label.
fn labelled<'a>(
    out: &mut String,
    name: &str,
    (help, label): (&str, &str),
    values: impl Iterator<Item = (&'a str, f64)>,
) {
    family(out, name, MetricKind::Counter, "", help);
    for (text, value) in values {
        sample(out, name, MetricKind::Counter, &[(label, text.to_owned())], value);
    }
}

/// Writes what a family of samples begins with. Writing to a string cannot fail.
fn family(out: &mut String, name: &str, kind: MetricKind, unit: &str, help: &str) {
    let kind = match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    };
    _ = writeln!(out, "# HELP keyslot_{name} {help}\n# TYPE keyslot_{name} {kind}");
    if !unit.is_empty() {
        _ = writeln!(out, "# UNIT keyslot_{name} {unit}");
    }
}

fn sample(out: &mut String, name: &str, kind: MetricKind, labels: &[(&str, String)], value: f64) {
    let suffix = if kind == MetricKind::Counter { "_total" } else { "" };
    let labels: Vec<String> =
        labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    _ = writeln!(out, "keyslot_{name}{suffix}{labels} {value}");
}

/// A text as it stands between the quotes of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_end_with_their_unit() {
        let mut names: Vec<_> = Metric::all().iter().map(Metric::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::all().len());
        for metric in Metric::all() {
            assert!(metric.name.ends_with(metric.unit), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(metric.name.bytes().all(is_plain) && !metric.name.ends_with("_total"));
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        let figures = Figures { errors: vec![("A\"\\\n".to_owned(), 3)], ..Figures::default() };
        figures.open_metrics(&mut out);
        assert!(out.contains("keyslot_errors_total{prefix=\"A\\\"\\\\\\n\"} 3\n"), "{out}");
        assert!(out.ends_with("# EOF\n"));
        assert_eq!(figures.get("keyspace_hits"), Some(0.0));
        assert_eq!(figures.get("nosuch"), None);
    }
}
