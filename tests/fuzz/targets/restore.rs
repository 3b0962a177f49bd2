//! Any bytes as a RESTORE payload, as they are and under a right seal: no panic, a reply that is
//! one of those that Redis has, and a value that comes back from DUMP as it went in.

#![no_main]

use crc_fast::CrcAlgorithm::Crc64Redis;
use keyslot::Engine;
use keyslot::resp::{Encoder, Protocol};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);

const RDB_VERSION: u16 = 11;
const REFUSALS: [&[u8]; 2] =
    [b"-ERR Bad data format\r\n", b"-ERR DUMP payload version or checksum are wrong\r\n"];

/// What is compared of the value; those that are of another type fail alike.
const LOOKS: [&[&[u8]]; 3] = [
    &[b"GET", b"key"],
    &[b"XINFO", b"STREAM", b"key", b"FULL", b"COUNT", b"0"],
    &[b"XREVRANGE", b"key", b"+", b"-"],
];

fn call(engine: &Engine, words: &[&[u8]]) -> Vec<u8> {
    let mut out = Encoder::new(Protocol::Resp2);
    engine.call(words, &mut out);
    out.into_inner()
}

fn restore(engine: &Engine, payload: &[u8]) -> bool {
    let reply = call(engine, &[b"RESTORE", b"key", b"0", payload, b"REPLACE"]);
    assert!(reply == b"+OK\r\n" || REFUSALS.contains(&&*reply), "{reply:?}");
    reply[0] == b'+'
}

fn sealed(value: &[u8]) -> Vec<u8> {
    let mut payload = value.to_vec();
    payload.extend(RDB_VERSION.to_le_bytes());
    payload.extend(crc_fast::checksum(Crc64Redis, &payload).to_le_bytes());
    payload
}

fn check(engine: &Engine, input: &[u8]) {
    restore(engine, input);
    if !restore(engine, &sealed(input)) {
        return;
    }
    let looks = || LOOKS.map(|look| call(engine, look));
    let value = looks();
    let dump = call(engine, &[b"DUMP", b"key"]);
    if dump == b"$-1\r\n" {
        // A hash whose fields were all due goes when it is looked at.
        return;
    }
    let start = dump.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
    assert!(restore(engine, &dump[start..dump.len() - 2]));
    assert_eq!(looks(), value);
}

fuzz_target!(|input: &[u8]| {
    check(&ENGINE, input);
    // A search for leaks does not see what a record holds, whose address is kept in six bytes.
    call(&ENGINE, &[b"DEL", b"key"]);
    while ENGINE.maintain(1_000) {}
});
