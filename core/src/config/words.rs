//! Settings whose value is several words or letters: save points, output limits, events,
//! percentiles. Texts of refusals are Redis's.

use super::kind::{Normalized, OutputLimit, parse_memory};
use crate::resp::number::parse_i64;
use crate::secret::Digest;

/// The classes of sessions that have output limits, by the names that CONFIG GET answers.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// What each class is allowed by default.
pub(super) const OUTPUT_LIMITS: [OutputLimit; 3] = [
    OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 },
    OutputLimit { hard_bytes: 256 << 20, soft_bytes: 64 << 20, soft_seconds: 60 },
    OutputLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_seconds: 60 },
];

/// Events in the order in which CONFIG GET answers their letters, with their bits.
const EVENTS: [(u8, i64); 10] = [
    (b'g', 1 << 2),
    (b'$', 1 << 3),
    (b'l', 1 << 4),
    (b's', 1 << 5),
    (b'h', 1 << 6),
    (b'z', 1 << 7),
    (b'x', 1 << 8),
    (b'e', 1 << 9),
    (b't', 1 << 10),
    (b'd', 1 << 13),
];
/// The events that the letter A stands for.
const ALL_EVENTS: i64 = {
    let (mut bits, mut at) = (0, 0);
    while at < EVENTS.len() {
        bits |= EVENTS[at].1;
        at += 1;
    }
    bits
};
const KEYSPACE: (u8, i64) = (b'K', 1 << 0);
const KEYEVENT: (u8, i64) = (b'E', 1 << 1);
const MISSES: (u8, i64) = (b'm', 1 << 11);
const NEW_KEYS: (u8, i64) = (b'n', 1 << 14);

/// A password as it is kept: `#` and its digest, unless it is given so already.
pub(super) fn digest_of_secret(text: &[u8]) -> Vec<u8> {
    let is_digest = text.strip_prefix(b"#").is_some_and(|digits| Digest::parse(digits).is_some());
    if text.is_empty() || is_digest {
        return text.to_vec();
    }
    format!("#{}", Digest::of(text).hex()).into_bytes()
}

/// Lets any text pass.
pub(super) fn anything(_text: &[u8]) -> Result<(), &'static str> {
    Ok(())
}

/// Lets a name of a host pass.
pub(super) fn hostname(text: &[u8]) -> Result<(), &'static str> {
    const LEN_MAX: usize = 256;
    if text.len() >= LEN_MAX {
        return Err("Hostnames must be less than 256 characters");
    }
    if text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        return Ok(());
    }
    Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
}

/// Lets a template pass whose variables are all known.
pub(super) fn title_template(text: &[u8]) -> Result<(), &'static str> {
    const VARIABLES: [&str; 7] =
        ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
    const REFUSAL: &str = "template format is invalid or contains unknown variables";
    let mut rest = std::str::from_utf8(text).map_err(|_| REFUSAL)?;
    while let Some((_, after)) = rest.split_once('{') {
        let (variable, after) = after.split_once('}').ok_or(REFUSAL)?;
        if !VARIABLES.contains(&variable) {
            return Err(REFUSAL);
        }
        rest = after;
    }
    Ok(())
}

/// Pairs of seconds and changes, or nothing.
pub(super) fn save_points(words: &[&[u8]]) -> Normalized {
    const REFUSAL: &str = "Invalid save parameters";
    if words == [b""] {
        return Ok(Vec::new());
    }
    if !words.len().is_multiple_of(2) {
        return Err(REFUSAL);
    }
    for (at, word) in words.iter().enumerate() {
        let least = if at % 2 == 0 { 1 } else { 0 };
        parse_i64(word).filter(|number| *number >= least).ok_or(REFUSAL)?;
    }
    Ok(words.join(&b' '))
}

/// Addresses, or none.
pub(super) fn addresses(words: &[&[u8]]) -> Normalized {
    const COUNT_MAX: usize = 16;
    if words.len() > COUNT_MAX {
        return Err("Too many bind addresses specified.");
    }
    Ok(words.join(&b' '))
}

/// A host and a port, or `no one`.
pub(super) fn master(words: &[&[u8]]) -> Normalized {
    let [host, port] = words else { return Err("wrong number of arguments") };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Vec::new());
    }
    parse_i64(port).filter(|port| (0..=65_535).contains(port)).ok_or("Invalid master port")?;
    Ok(words.join(&b' '))
}

/// Three adjustments, for the master, replicas and child processes.
pub(super) fn oom_scores(words: &[&[u8]]) -> Normalized {
    const COUNT: usize = 3;
    if words.len() != COUNT {
        return Err("wrong number of arguments");
    }
    for word in words {
        parse_i64(word)
            .filter(|score| (-2000..=2000).contains(score))
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
    }
    Ok(words.join(&b' '))
}

/// Percentages, or none.
pub(super) fn percentiles(words: &[&[u8]]) -> Normalized {
    if words == [b""] {
        return Ok(Vec::new());
    }
    let mut texts = Vec::with_capacity(words.len());
    for word in words {
        let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            );
        }
        let text = format!("{number:.6}");
        texts.push(text.trim_end_matches('0').trim_end_matches('.').to_owned());
    }
    Ok(texts.join(" ").into())
}

/// Reads quadruples of class, hard limit, soft limit and seconds. A class that is not named keeps
/// what it has.
pub(super) fn parse_output_limits(
    words: &[&[u8]],
) -> Result<[Option<OutputLimit>; 3], &'static str> {
    let mut limits = [None; 3];
    if words == [b""] {
        return Ok(limits);
    }
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.");
    }
    for quadruple in words.chunks_exact(4) {
        let class = output_class(quadruple[0])
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        limits[class] =
            Some(parse_output_limit(&quadruple[1..]).ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )?);
    }
    Ok(limits)
}

/// The place of a class of sessions among the limits.
fn output_class(name: &[u8]) -> Option<usize> {
    if name.eq_ignore_ascii_case(b"replica") {
        return Some(1);
    }
    CLASSES.iter().position(|class| name.eq_ignore_ascii_case(class.as_bytes()))
}

fn parse_output_limit(words: &[&[u8]]) -> Option<OutputLimit> {
    let [hard, soft, seconds] = words else { return None };
    Some(OutputLimit {
        hard_bytes: parse_memory(hard)?,
        soft_bytes: parse_memory(soft)?,
        soft_seconds: parse_i64(seconds).filter(|seconds| *seconds >= 0)? as u64,
    })
}

/// Writes the limits of all classes.
pub(super) fn print_output_limits(limits: [OutputLimit; 3]) -> Vec<u8> {
    let print = |(class, limit): (&str, OutputLimit)| {
        let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
        format!("{class} {hard_bytes} {soft_bytes} {soft_seconds}")
    };
    let limits: Vec<String> = CLASSES.into_iter().zip(limits).map(print).collect();
    limits.join(" ").into()
}

/// Reads letters for kinds of events.
pub(super) fn parse_events(letters: &[u8]) -> Result<i64, &'static str> {
    let mut bits = 0;
    for &letter in letters {
        let known =
            EVENTS.into_iter().chain([KEYSPACE, KEYEVENT, MISSES, NEW_KEYS, (b'A', ALL_EVENTS)]);
        let found = known.into_iter().find(|(known, _)| *known == letter);
        bits |= found.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?.1;
    }
    Ok(bits)
}

/// Writes letters for kinds of events; A in place of all that it stands for, and of new keys.
pub(super) fn print_events(bits: i64) -> String {
    let set = |(_, bit): &(u8, i64)| bits & bit != 0;
    let mut letters = String::new();
    if bits & ALL_EVENTS == ALL_EVENTS {
        letters.push('A');
    } else {
        letters.extend(EVENTS.iter().chain([&NEW_KEYS]).filter(|e| set(e)).map(|e| e.0 as char));
    }
    let others = [KEYSPACE, KEYEVENT, MISSES];
    letters.extend(others.iter().filter(|event| set(event)).map(|event| event.0 as char));
    letters
}
