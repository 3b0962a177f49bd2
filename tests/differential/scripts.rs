//! Scripts and functions by chance, with an engine and with a redis-server 7.0: values that become
//! words and replies, errors, the libraries of scripts, and libraries of functions that go from one
//! side to the other.
#![cfg(unix)]
#![allow(dead_code, reason = "random streams use more of these modules")]

mod chance;
mod peer;
mod step;

use chance::{Chance, number_from_environment, seed};
use keyslot::resp::Reply;
use peer::{Keyslot, Peer, Redis};
use step::{Command, Line, words};

/// Commands in one test, unless KEYSLOT_COMMANDS says otherwise.
const COMMANDS: u64 = 4_000;

/// What follows `return`.
const RESULTS: &[&str] = &[
    "ARGV[1]",
    "{KEYS[1], ARGV[1], #KEYS, #ARGV}",
    "tonumber(ARGV[1])",
    "{1, 2.9, -2.9, nil, 3}",
    "{true, false, 'x', {{}}}",
    "redis.status_reply(ARGV[1])",
    "redis.error_reply(ARGV[1])",
    "redis.sha1hex(ARGV[1])",
    "redis.call('SET', KEYS[1], ARGV[1])",
    "redis.call('GET', KEYS[1])",
    "redis.pcall('INCRBY', KEYS[1], ARGV[1])",
    "redis.call('INCRBYFLOAT', KEYS[1], ARGV[1])",
    "redis.call('RPUSH', 'list', ARGV[1])",
    "redis.call('LRANGE', 'list', 0, 5)",
    "redis.call('HGETALL', 'nosuch')",
    "redis.call('ZSCORE', 'nosuch', 'a')",
    "redis.call('NOSUCH')",
    "redis.pcall('GET')",
    "redis.call()",
    "redis.call({})",
    "cjson.encode({ARGV[1], tonumber(ARGV[1]) or 'none', {}})",
    "cjson.encode(cjson.decode(ARGV[1]))",
    "cmsgpack.pack(ARGV[1], tonumber(ARGV[1]), {1, {}})",
    "cmsgpack.unpack(cmsgpack.pack(ARGV[1]))",
    "struct.pack('>I2s', 7, ARGV[1])",
    "bit.tohex(tonumber(ARGV[1]) or 0)",
    "bit.bxor(tonumber(ARGV[1]) or 0, 255)",
    "error(ARGV[1])",
    "error({err = 'MY ' .. ARGV[1]})",
    "nosuch",
    "ARGV[1] + 1",
    "{select(2, pcall(redis.call, 'NOSUCH'))}",
];
const VALUES: &[&str] = &[
    "",
    "1",
    "-1",
    "0",
    "3.5",
    "abc",
    "[1,2]",
    "\"text\"",
    "two words",
    "1e10",
    "65536",
    "nan",
    "null",
];

fn command(chance: &mut Chance) -> Command {
    let start = if chance.one_in(3) { "redis.setresp(3) " } else { "" };
    let body = format!("{start}return {}", chance.pick(RESULTS));
    let (key, value) = (chance.pick(&["a", "b", "list"]), chance.pick(VALUES));
    let library = chance.pick(&["one", "two"]);
    match chance.below(10) {
        0..=5 => words(&["EVAL", &body, "1", key, value]),
        6 => {
            let body = body.replace("KEYS", "keys").replace("ARGV", "args");
            let code = format!(
                "#!lua name={library}\nredis.register_function('{library}', function(keys, args) \
                 {body} end)"
            );
            words(&["FUNCTION", "LOAD", chance.pick(&["REPLACE", "replace", "odd"]), &code])
        }
        7 => words(&[chance.pick(&["FCALL", "FCALL_RO"]), library, "1", key, value]),
        8 if chance.one_in(4) => words(&["FUNCTION", "DELETE", library]),
        8 => words(&["FUNCTION", "LIST", "LIBRARYNAME", library, "WITHCODE"]),
        _ => words(&["EVAL_RO", &body, "1", key, value]),
    }
}

/// Lets each side take in the libraries of the other.
fn exchange(ours: &mut Keyslot, theirs: &mut Redis) {
    let dump = |peer: &mut dyn Peer| match peer.ask(&words(&["FUNCTION", "DUMP"])) {
        Ok(Reply::Bulk(payload)) => payload.to_vec(),
        other => panic!("FUNCTION DUMP answers a payload, not {other:?}"),
    };
    let payloads = [dump(theirs), dump(ours)];
    for (peer, payload) in [ours as &mut dyn Peer, theirs].into_iter().zip(payloads) {
        let restore = [&b"FUNCTION"[..], b"RESTORE", &payload, b"FLUSH"];
        assert_eq!(peer.ask(&words(&restore)), Ok(Reply::Status("OK".into())));
    }
}

#[test]
fn scripts_and_functions_answer_as_in_redis() {
    let seed = seed();
    let commands = number_from_environment("KEYSLOT_COMMANDS").unwrap_or(COMMANDS);
    println!("KEYSLOT_SEED={seed} KEYSLOT_COMMANDS={commands}");
    let mut chance = Chance::new(seed);
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    for number in 0..commands {
        if number % 500 == 0 {
            let version = 2 + (number / 500 % 2) as u8;
            ours.restart(version);
            theirs.restart(version);
            theirs.ask(&words(&["FUNCTION", "FLUSH"])).expect("redis-server is alive");
        }
        if number % 50 == 49 {
            exchange(&mut ours, &mut theirs);
        }
        let command = command(&mut chance);
        let (ours, theirs) = (ours.ask(&command), theirs.ask(&command));
        assert_eq!(ours, theirs, "KEYSLOT_SEED={seed}, command {number}: {}", Line(&command));
    }
}
