//! `growth`: the slowest single write while a store grows from nothing to ten million keys, or a
//! value to ten million members, in processor time, so that other processes do not count.
//!
//! A virtual machine's host now and then takes milliseconds to give it a page, and that counts as
//! processor time here. So each of our sides grows three times, in a process of its own each time,
//! and a write counts with the least of its three times: what a side does by itself, such as
//! growing a table, it does at the same write every time. The peers get the best of three runs.

use crate::measure::thread_cpu;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{FEED, VALUE, key};
use bytes::Bytes;
use keyslot::Engine;
use keyslot::resp::{Encoder, Protocol, encode_request};
use std::io::Write as _;
use std::process::Command;

const KEYS: usize = 10_000_000;
const RUNS: usize = 3;

/// What each of [`KEYS`] writes took, in nanoseconds.
fn times(mut write: impl FnMut(usize) -> u32) -> Vec<u32> {
    (0..KEYS).map(&mut write).collect()
}

fn timed(write: impl FnOnce()) -> u32 {
    let before = thread_cpu();
    write();
    u32::try_from((thread_cpu() - before).as_nanos()).unwrap_or(u32::MAX)
}

/// Makes the write that adds the member with a number.
type MakeWrite = fn(usize) -> Vec<String>;

/// The writes that grow one value of each type.
const MEMBERS: &[(&str, MakeWrite)] = &[
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

fn member_times(words: MakeWrite) -> Vec<u32> {
    let engine = Engine::default();
    let mut session = engine.session();
    let mut out = Encoder::new(Protocol::Resp2);
    times(|number| {
        let words = words(number);
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let took = timed(|| session.call(&words, &mut out));
        out.clear();
        took
    })
}

fn string_times() -> Vec<u32> {
    let engine = Engine::default();
    times(|number| {
        let key = key(number);
        timed(|| engine.set(&key, &VALUE).expect("no cluster"))
    })
}

fn hashbrown_times() -> Vec<u32> {
    let mut map = hashbrown::HashMap::new();
    times(|number| {
        let key = key(number);
        timed(|| {
            map.insert(Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&VALUE));
        })
    })
}

/// Grows one side and prints what each write took, as numbers of four bytes.
pub(crate) fn child(side: &str) -> Result<(), String> {
    let times = match side {
        "string" => string_times(),
        "hashbrown" => hashbrown_times(),
        _ => {
            let known = MEMBERS.iter().find(|(name, _)| *name == side);
            member_times(known.ok_or_else(|| format!("no such side: {side}"))?.1)
        }
    };
    let bytes: Vec<u8> = times.iter().flat_map(|time| time.to_ne_bytes()).collect();
    std::io::stdout().write_all(&bytes).map_err(|error| error.to_string())
}

/// Grows one side in a process of its own.
fn times_of(side: &str) -> Result<Vec<u32>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = Command::new(program).args(["--child", &format!("growth.{side}")]).output();
    let bytes = run.map_err(|error| error.to_string())?.stdout;
    let times: Vec<u32> =
        bytes.as_chunks().0.iter().map(|number| u32::from_ne_bytes(*number)).collect();
    match times.len() {
        KEYS => Ok(times),
        len => Err(format!("the side {side} told the times of {len} writes")),
    }
}

/// The slowest write of a side, each write counting with the least of its times.
fn slowest_ms(side: &str) -> Result<f64, String> {
    let mut least = times_of(side)?;
    for _ in 1..RUNS {
        least.iter_mut().zip(times_of(side)?).for_each(|(least, time)| *least = time.min(*least));
    }
    Ok(f64::from(least.into_iter().max().unwrap_or(0)) / 1e6)
}

/// The slowest write of a peer in the best of its runs.
fn best_ms(run: impl Fn() -> Result<f64, String>) -> Result<f64, String> {
    (0..RUNS).map(|_| run()).try_fold(f64::INFINITY, |best, slowest| Ok(best.min(slowest?)))
}

/// The slowest write by the peer's own slow log, which keeps those beyond a tenth of a millisecond.
fn slowest_of_redis_ms(words: MakeWrite) -> Result<f64, String> {
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
    let slowest_of_hashbrown = || {
        let times = times_of("hashbrown")?;
        Ok(f64::from(times.into_iter().max().unwrap_or(0)) / 1e6)
    };
    report.row(&Row {
        id: "growth.string.hashbrown",
        metric: "slowest SET",
        unit: "ms of CPU",
        ours: slowest_ms("string")?,
        theirs: best_ms(slowest_of_hashbrown)?,
        better: Better::Lower,
    });
    for (name, words) in MEMBERS {
        report.row(&Row {
            id: &format!("growth.{name}.redis"),
            metric: "slowest write",
            unit: "ms of CPU",
            ours: slowest_ms(name)?,
            theirs: best_ms(|| slowest_of_redis_ms(*words))?,
            better: Better::Lower,
        });
    }
    Ok(())
}
