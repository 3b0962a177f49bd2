//! `lazyfree`: the longest call while a value of ten million members is deleted and freed, in
//! processor time, beside the time that redis-server's DEL of the same takes.

use crate::measure::thread_cpu;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::FEED;
use keyslot::resp::{Encoder, Protocol, encode_request};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MEMBERS: usize = 10_000_000;
const BUDGET: usize = 1_000;

/// How the value goes.
#[derive(Clone, Copy)]
enum Way {
    Command(&'static str),
    Expiry,
}

const WAYS: &[(&str, Way)] =
    &[("del", Way::Command("DEL")), ("unlink", Way::Command("UNLINK")), ("expire", Way::Expiry)];

const TYPES: &[(&str, &str)] = &[("set", "SADD"), ("zset", "ZADD"), ("hash", "HSET")];

fn add(command: &str, number: usize) -> Vec<String> {
    let member = format!("member:{number}");
    let mut words = vec![command.to_owned(), "big".to_owned()];
    match command {
        "ZADD" => words.extend([number.to_string(), member]),
        "HSET" => words.extend([member, "value".to_owned()]),
        _ => words.push(member),
    }
    words
}

fn call(session: &mut Session, words: &[&str], out: &mut Encoder) {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    session.call(&words, out);
    out.clear();
}

/// The longest call in milliseconds.
fn ours(command: &str, way: Way) -> f64 {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
    let engine = Engine::new(options);
    let mut session = engine.session();
    let mut out = Encoder::new(Protocol::Resp2);
    for number in 0..MEMBERS {
        let words = add(command, number);
        call(&mut session, &words.iter().map(String::as_str).collect::<Vec<_>>(), &mut out);
    }
    let mut longest = Duration::ZERO;
    let mut timed = |work: &mut dyn FnMut() -> bool| {
        let before = thread_cpu();
        let more = work();
        longest = longest.max(thread_cpu() - before);
        more
    };
    match way {
        Way::Command(name) => {
            timed(&mut || {
                call(&mut session, &[name, "big"], &mut out);
                false
            });
        }
        Way::Expiry => {
            call(&mut session, &["PEXPIRE", "big", "1000"], &mut out);
            clock.advance_ms(2_000);
        }
    }
    while timed(&mut || engine.maintain(BUDGET)) {}
    assert_eq!(engine.get(b"big").expect("no other type"), None);
    longest.as_secs_f64() * 1e3
}

/// How long redis-server's DEL takes, in milliseconds.
fn theirs(command: &str) -> Result<f64, String> {
    let mut redis = Redis::start()?;
    for start in (0..MEMBERS).step_by(FEED) {
        let mut requests = Vec::new();
        (start..MEMBERS.min(start + FEED))
            .for_each(|number| encode_request(&add(command, number), &mut requests));
        redis.exchange_all(&requests);
    }
    let before = Instant::now();
    redis.ask(&["DEL", "big"]);
    Ok(before.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    for (name, command) in TYPES {
        let theirs = theirs(command)?;
        for (way_name, way) in WAYS {
            report.row(&Row {
                id: &format!("lazyfree.{name}_{way_name}.redis"),
                metric: "longest call",
                unit: "ms",
                ours: ours(command, *way),
                theirs,
                better: Better::Lower,
            });
        }
    }
    Ok(())
}
