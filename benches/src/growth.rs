//! `growth`: the slowest single write while a store grows from nothing to ten million keys, or a
//! value to ten million members, in processor time, so that other processes do not count.

use crate::measure::thread_cpu;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{FEED, VALUE, key};
use bytes::Bytes;
use keyslot::Engine;
use keyslot::resp::{Encoder, Protocol, encode_request};
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

/// Makes the write that adds the member with a number.
type Write = fn(usize) -> Vec<String>;

/// The writes that grow one value of each type.
const MEMBERS: &[(&str, Write)] = &[
    ("hash", |number| ["HSET", "h", &member(number), "value"].map(String::from).to_vec()),
    ("set", |number| ["SADD", "s", &member(number)].map(String::from).to_vec()),
    ("zset", |number| {
        let score = (number * 7_919 % KEYS).to_string();
        ["ZADD", "z", &score, &member(number)].map(String::from).to_vec()
    }),
];

fn member(number: usize) -> String {
    format!("member:{number}")
}

fn slowest_member_ms(words: Write) -> f64 {
    let engine = Engine::default();
    let mut session = engine.session();
    let mut out = Encoder::new(Protocol::Resp2);
    let mut slowest = Duration::ZERO;
    for number in 0..KEYS {
        let words = words(number);
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let before = thread_cpu();
        session.call(&words, &mut out);
        slowest = slowest.max(thread_cpu() - before);
        out.clear();
    }
    slowest.as_secs_f64() * 1e3
}

/// The slowest write by the peer's own slow log, which keeps those beyond a tenth of a millisecond.
fn slowest_of_redis_ms(words: Write) -> Result<f64, String> {
    let mut redis = Redis::start()?;
    redis.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "100", "slowlog-max-len", "100000"]);
    for start in (0..KEYS).step_by(FEED) {
        let mut requests = Vec::new();
        (start..KEYS.min(start + FEED))
            .for_each(|number| encode_request(&words(number), &mut requests));
        redis.exchange_all(&requests);
    }
    let slow_us = redis.slow_log_us();
    Ok(slow_us.into_iter().max().unwrap_or(100) as f64 / 1e3)
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
    for (name, words) in MEMBERS {
        report.row(&Row {
            id: &format!("growth.{name}.redis"),
            metric: "slowest write",
            unit: "ms of CPU",
            ours: slowest_member_ms(*words),
            theirs: slowest_of_redis_ms(*words)?,
            better: Better::Lower,
        });
    }
    Ok(())
}
