//! Threads that share an engine: every read sees a value that some write left whole, and what one
//! thread counts, no other loses.

use keyslot::Engine;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const KEYS: usize = 64;
const ROUNDS: usize = 20_000;

/// A value that says which key it belongs to, of a length that changes from write to write so that
/// records move.
fn value(key: usize, round: usize) -> Vec<u8> {
    let len = 1 + (key * 31 + round * 7) % 300;
    std::iter::repeat_n(b'a' + (key % 26) as u8, len).collect()
}

fn name(key: usize) -> Vec<u8> {
    format!("key:{key}").into_bytes()
}

fn check(key: usize, read: &[u8]) {
    assert!((1..=300).contains(&read.len()));
    assert!(read.iter().all(|&byte| byte == b'a' + (key % 26) as u8), "a torn or foreign value");
}

fn write_typed(engine: &Engine, seed: usize) {
    for round in 0..ROUNDS {
        let key = (round * 17 + seed) % KEYS;
        match round % 5 {
            0 => drop(engine.delete(&[&name(key)]).expect("no cluster")),
            1 => {
                let ttl_ms = 1 + (round % 3) as u64;
                let set = engine.set_with_ttl_ms(&name(key), &value(key, round), ttl_ms);
                set.expect("the time is right");
            }
            _ => engine.set(&name(key), &value(key, round)).expect("no cluster"),
        }
        engine.increment_by(b"writes", 1).expect("only integers are there");
    }
}

fn read_in_pipelines(engine: &Engine, seed: usize, done: &AtomicBool) {
    let mut session = engine.session();
    let mut round = seed;
    while !done.load(Relaxed) {
        let keys: Vec<usize> = (0..64).map(|step| (round * 13 + step * 7) % KEYS).collect();
        let lines: Vec<String> = keys.iter().map(|key| format!("GET key:{key}\r\n")).collect();
        session.feed(lines.concat().as_bytes());
        let output = session.take_output();
        let mut rest = &output[..];
        for &key in &keys {
            rest = skip_reply(key, rest);
        }
        assert!(rest.is_empty());
        engine.maintain(16);
        round += 1;
    }
}

/// Checks the bulk string or the null at the front, and returns what is behind it.
fn skip_reply(key: usize, output: &[u8]) -> &[u8] {
    let end = output.windows(2).position(|pair| pair == b"\r\n").expect("a head ends");
    let len: i64 = std::str::from_utf8(&output[1..end]).expect("digits").parse().expect("a length");
    let Ok(len) = usize::try_from(len) else { return &output[end + 2..] };
    check(key, &output[end + 2..end + 2 + len]);
    &output[end + 2 + len + 2..]
}

#[test]
fn every_read_sees_a_whole_value_and_no_count_is_lost() {
    let engine = Engine::default();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = [1, 2]
            .map(|seed| {
                scope.spawn({
                    let engine = &engine;
                    move || write_typed(engine, seed)
                })
            })
            .into();
        scope.spawn(|| read_in_pipelines(&engine, 3, &done));
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Relaxed);
        ended.into_iter().for_each(|end| end.expect("a writer has ended well"));
    });
    let writes = engine.get(b"writes").expect("a string").expect("it was counted");
    assert_eq!(&writes[..], (2 * ROUNDS).to_string().as_bytes());
}
