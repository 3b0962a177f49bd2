//! Latencies for people: LATENCY GRAPH's drawing and LATENCY DOCTOR's diagnosis, in Redis's words.

use super::Events;
use crate::config::Config;
use std::collections::BTreeMap;
use std::fmt::Write;

const COLUMNS: usize = 80;
const ROWS: usize = 4;
/// What fills a row by thirds; higher columns stand on a bar.
const FILLS: [char; 3] = ['_', 'o', '#'];
const BAR: char = '|';

/// Draws the samples of a kind of event, each with how long ago it was.
pub(super) fn graph(kind: &str, events: &Events, now_s: u64) -> String {
    let columns: Vec<(u64, String)> =
        events.samples.iter().map(|it| (it.ms, age(now_s.saturating_sub(it.unix_s)))).collect();
    let low = columns.iter().map(|(ms, _)| *ms).min().unwrap_or(0);
    let high = columns.iter().map(|(ms, _)| *ms).max().unwrap_or(0);
    let mut text = format!(
        "{kind} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        events.ms_max,
        "-".repeat(COLUMNS)
    );
    for (number, part) in columns.chunks(COLUMNS).enumerate() {
        if number > 0 {
            text.push('\n');
        }
        draw(part, low, high, &mut text);
    }
    text
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Draws columns of values and, below an empty line, their labels from top to bottom.
fn draw(columns: &[(u64, String)], low: u64, high: u64, text: &mut String) {
    let steps = (FILLS.len() * ROWS) as u64;
    let step = |ms: u64| ((ms - low) * steps / (high - low).max(1)).min(steps - 1) as usize;
    for row in (0..ROWS).rev() {
        let bottom = row * FILLS.len();
        let character = |(ms, _): &(u64, String)| match step(*ms).checked_sub(bottom) {
            None => ' ',
            Some(height) => FILLS.get(height).copied().unwrap_or(BAR),
        };
        text.extend(columns.iter().map(character));
        text.push('\n');
    }
    text.push_str(&" ".repeat(columns.len()));
    text.push('\n');
    let label_len_max = columns.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    for at in 0..label_len_max {
        text.extend(columns.iter().map(|(_, label)| label.chars().nth(at).unwrap_or(' ')));
        text.push('\n');
    }
}

/// How the samples of a kind of event are spread.
struct Spread {
    samples: u64,
    mean_ms: u64,
    deviation_ms: u64,
    /// Seconds between two of them, on average.
    period_s: f64,
}

impl Spread {
    fn of(events: &Events, now_s: u64) -> Self {
        let samples = events.samples.len().max(1) as u64;
        let each_ms = || events.samples.iter().map(|sample| sample.ms);
        let mean_ms = each_ms().sum::<u64>() / samples;
        let deviation_ms = each_ms().map(|ms| ms.abs_diff(mean_ms)).sum::<u64>() / samples;
        let oldest_s = events.samples.iter().map(|sample| sample.unix_s).min().unwrap_or(now_s);
        let span_s = now_s.saturating_sub(oldest_s).max(1);
        Self { samples, mean_ms, deviation_ms, period_s: span_s as f64 / samples as f64 }
    }
}

const OFF: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis \
    instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to \
    enable it. If we weren't in a deep space mission I'd suggest to take a look at \
    https://redis.io/topics/latency-monitor.\n";
const CALM: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, \
    not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, \
    and think things over.\n";
const SPIKES: &str = "Dave, I have observed latency spikes in this Redis instance. You don't mind \
    talking about it, do you Dave?\n\n";
const NO_ADVICE: &str = "\nWhile there are latency events logged, I'm not able to suggest any easy \
    fix. Please use the Redis community to get some help, providing this report in your help \
    request.\n";
const INSPECT: &str = "- Check your Slow Log to understand what are the commands you are running \
    which are too slow to execute. Please check https://redis.io/commands/slowlog for more \
    information.\n";
const SCHEDULER: &str = "- The system is slow to execute Redis code paths not containing system \
    calls. This usually means the system does not provide Redis CPU time to run for long periods. \
    You should try to:\n  1) Lower the system load.\n  2) Use a computer / VM just for Redis if \
    you are running other software in the same system.\n  3) Check if you have a \"noisy \
    neighbour\" problem.\n  4) Check with 'redis-cli --intrinsic-latency 100' what is the \
    intrinsic latency in your system.\n";
const RAISE_HZ: &str = "- In order to make the Redis keys expiring process more incremental, try to \
    set the 'hz' configuration parameter to 100 using 'CONFIG SET hz 100'.\n";
const EVICTION: &str = "- Sudden changes to the 'maxmemory' setting via 'CONFIG SET', or allocation \
    of large objects via sets or sorted sets intersections, STORE option of SORT, Redis Cluster \
    large keys migrations (RESTORE command), may create sudden memory pressure forcing the server \
    to block trying to evict keys. \n";

/// Tells which events took long, and what could be done. What Redis advises of freeing large values
/// is left out: here they are freed in steps.
pub(super) fn doctor(
    kinds: &BTreeMap<&'static str, Events>,
    config: &Config,
    now_s: u64,
) -> String {
    if kinds.is_empty() {
        let is_off = config.latency_monitor_ms().is_none();
        return if is_off { OFF } else { CALM }.to_owned();
    }
    let mut text = SPIKES.to_owned();
    for (number, (kind, events)) in (1..).zip(kinds) {
        let Spread { samples, mean_ms, deviation_ms, period_s } = Spread::of(events, now_s);
        // Writing to a string cannot fail.
        _ = writeln!(
            text,
            "{number}. {kind}: {samples} latency spikes (average {mean_ms}ms, mean deviation \
             {deviation_ms}ms, period {period_s:.2} sec). Worst all time event {}ms.",
            events.ms_max
        );
    }
    let advice = advice(kinds, config);
    if advice.is_empty() {
        text.push_str(NO_ADVICE);
    } else {
        text.push_str("\nI have a few advices for you:\n\n");
        text.push_str(&advice);
    }
    text
}

fn advice(kinds: &BTreeMap<&'static str, Events>, config: &Config) -> String {
    let mut advice = String::new();
    if kinds.contains_key("command") {
        advice.push_str(&slow_log_advice(config));
        advice.push_str(INSPECT);
    }
    if kinds.contains_key("fast-command") {
        advice.push_str(SCHEDULER);
    }
    if kinds.contains_key("expire-cycle") && config.hz() < 100 {
        advice.push_str(RAISE_HZ);
    }
    if kinds.contains_key("eviction-cycle") {
        advice.push_str(EVICTION);
    }
    advice
}

fn slow_log_advice(config: &Config) -> String {
    let threshold_us = config.latency_monitor_ms().unwrap_or(0) * 1000;
    match config.slow_log_us() {
        Some(us) if config.slow_log_len() > 0 && us / 1000 <= threshold_us / 1000 => String::new(),
        Some(_) if config.slow_log_len() > 0 => format!(
            "- Your current Slow Log configuration only logs events that are slower than your \
             configured latency monitor threshold. Please use 'CONFIG SET \
             slowlog-log-slower-than {threshold_us}'.\n"
        ),
        _ => format!(
            "- There are latency issues with potentially slow commands you are using. Try to \
             enable the Slow Log Redis feature using the command 'CONFIG SET \
             slowlog-log-slower-than {threshold_us}'. If the Slow log is disabled Redis is not \
             able to log slow commands execution for you.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatencySample;
    use super::*;

    /// What redis-server 7.0 drew and said of these samples.
    #[test]
    fn a_graph_and_a_diagnosis_are_those_of_redis() {
        let mut events = Events::default();
        for (unix_s, ms) in [(56, 10), (57, 30), (58, 200), (59, 120), (60, 5)] {
            events.note(LatencySample { unix_s, ms });
        }
        let graph = graph("command", &events, 61);
        let drawn = "  #  \n  |o \n  || \n_o||_\n     \n54321\nsssss\n";
        let line = "-".repeat(80);
        let head = "command - high 200 ms, low 5 ms (all time high 200 ms)";
        assert_eq!(graph, format!("{head}\n{line}\n{drawn}"));
        let config = Config::with(&[("latency-monitor-threshold".into(), "1".into())]).unwrap();
        let kinds = BTreeMap::from([("command", events)]);
        let told = doctor(&kinds, &config, 61);
        let spread = "1. command: 5 latency spikes (average 73ms, mean deviation 69ms, period 1.00 \
                      sec). Worst all time event 200ms.\n";
        let advice = "- Your current Slow Log configuration only logs events that are slower than \
                      your configured latency monitor threshold. Please use 'CONFIG SET \
                      slowlog-log-slower-than 1000'.\n";
        let intro = "\nI have a few advices for you:\n\n";
        assert_eq!(told, format!("{SPIKES}{spread}{intro}{advice}{INSPECT}"));
        assert_eq!(doctor(&BTreeMap::new(), &config, 61), CALM);
        assert_eq!(doctor(&BTreeMap::new(), &Config::default(), 61), OFF);
    }

    #[test]
    fn long_histories_are_drawn_in_parts() {
        let mut events = Events::default();
        (0..100).for_each(|unix_s| events.note(LatencySample { unix_s, ms: 7 }));
        let graph = graph("command", &events, 100);
        let widths: Vec<usize> = graph.lines().skip(2).map(str::len).collect();
        assert_eq!(
            widths,
            [80, 80, 80, 80, 80, 80, 80, 80, 0, 20, 20, 20, 20, 20, 20, 20, 20]
                .into_iter()
                .take(widths.len())
                .collect::<Vec<_>>()
        );
        assert!(graph.contains(&"_".repeat(80)));
    }
}
