//! `expire`: a million keys that are due in the same second.

use crate::measure::thread_cpu;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{KEYS, VALUE, key};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TTL_MS: usize = 20_000;
const BUDGET: usize = 500;

fn set_with_ttl(number: usize, ttl_ms: usize, request: &mut Vec<u8>) {
    // Spread over one second.
    let ttl = (ttl_ms + number % 1_000).to_string();
    let words: [&[u8]; 5] = [b"SET", &key(number), &VALUE, b"PX", ttl.as_bytes()];
    keyslot::resp::encode_request(&words, request);
}

/// Seconds until all keys are gone, and the longest call in milliseconds of processor time.
fn ours() -> (f64, f64) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
    let engine = Engine::new(options);
    let mut session = engine.session();
    let mut request = Vec::new();
    for number in 0..KEYS {
        request.clear();
        set_with_ttl(number, TTL_MS, &mut request);
        session.feed(&request);
        session.consume_output(session.output().len());
    }
    clock.advance_ms(TTL_MS as u64 + 1_001);
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let before = thread_cpu();
        let more = engine.maintain(BUDGET);
        longest = longest.max(thread_cpu() - before);
        if !more {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    session.feed(b"DBSIZE\r\n");
    assert_eq!(session.output(), b":0\r\n", "every key is gone");
    (seconds, longest.as_secs_f64() * 1e3)
}

/// The same of redis-server: its longest call is the longest wait of a PING meanwhile.
fn theirs() -> Result<(f64, f64), String> {
    let mut redis = Redis::start()?;
    let loading = Instant::now();
    for start in (0..KEYS).step_by(1_000) {
        let mut request = Vec::new();
        let left = TTL_MS.saturating_sub(loading.elapsed().as_millis() as usize).max(1);
        (start..start + 1_000).for_each(|number| set_with_ttl(number, left, &mut request));
        redis.exchange(&request, 1_000 * b"+OK\r\n".len());
    }
    let due = Duration::from_millis(TTL_MS as u64 + 1_001);
    std::thread::sleep(due.saturating_sub(loading.elapsed()));
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    while redis.ask(&["DBSIZE"]) != ":0\r\n" {
        let before = Instant::now();
        redis.ask(&["PING"]);
        longest = longest.max(before.elapsed());
    }
    Ok((start.elapsed().as_secs_f64(), longest.as_secs_f64() * 1e3))
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let (ours, ours_longest) = ours();
    let (theirs, theirs_longest) = theirs()?;
    let better = Better::Lower;
    let metric = "until all keys are gone";
    report.row(&Row { id: "expire.gone.redis", metric, unit: "s", ours, theirs, better });
    report.row(&Row {
        id: "expire.call.redis",
        metric: "longest call or wait",
        unit: "ms",
        ours: ours_longest,
        theirs: theirs_longest,
        better,
    });
    Ok(())
}
