//! The key commands as a client sees them, on a clock that stands still until it is moved.

use crate::resp::encode_request;
use crate::slot::SlotScheme;
use crate::time::ManualClock;
use crate::{Engine, EngineOptions, Session};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const START_MS: u64 = 1_700_000_000_000;

struct Talk {
    session: Session,
    clock: Arc<ManualClock>,
}

impl Talk {
    fn new() -> Self {
        Self::with(SlotScheme::Redis)
    }

    fn with(scheme: SlotScheme) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let options =
            EngineOptions { scheme, clock: Box::new(clock.clone()), ..EngineOptions::default() };
        Self { session: Engine::new(options).session(), clock }
    }

    /// The reply to a line of words.
    fn ask(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        String::from_utf8(self.send(&words)).expect("the reply is text")
    }

    fn send(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut request = Vec::new();
        encode_request(words, &mut request);
        self.session.feed(&request);
        self.session.take_output()
    }

    /// Asks each line, and expects the reply next to it, without its line ends.
    fn expect(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.ask(line).replace("\r\n", " ").trim_end(), *reply, "{line}");
        }
    }

    /// What a whole iteration with SCAN answers.
    fn scan_all(&mut self, options: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut cursor = b"0".to_vec();
        let mut found = Vec::new();
        loop {
            let words: Vec<&[u8]> =
                [&b"SCAN"[..], &cursor].into_iter().chain(options.iter().copied()).collect();
            let mut texts = bulks(&self.send(&words));
            cursor = texts.remove(0);
            found.extend(texts);
            if cursor == b"0" {
                return found;
            }
        }
    }
}

/// The bulk strings of a reply.
fn bulks(mut reply: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(end) = reply.iter().position(|&byte| byte == b'\n') {
        let head = &reply[..end - 1];
        reply = &reply[end + 1..];
        if let [b'$', len @ ..] = head {
            let len: usize = std::str::from_utf8(len).unwrap().parse().unwrap();
            found.push(reply[..len].to_vec());
            reply = &reply[len + 2..];
        }
    }
    found
}

#[test]
fn keys_come_and_go() {
    Talk::new().expect(&[
        ("DEL a", ":0"),
        ("SET a 1", "+OK"),
        ("SET b 1", "+OK"),
        ("EXISTS a b a c", ":3"),
        ("TOUCH a b a c", ":3"),
        ("TYPE a", "+string"),
        ("TYPE c", "+none"),
        ("DEL a a b", ":2"),
        ("SET a 1", "+OK"),
        ("UNLINK a b", ":1"),
        ("EXISTS a", ":0"),
        ("RANDOMKEY", "$-1"),
        ("SET a 1", "+OK"),
        ("RANDOMKEY", "$1 a"),
        ("DEL", "-ERR wrong number of arguments for 'del' command"),
    ]);
}

#[test]
fn a_key_expires_when_it_was_told_to() {
    let mut talk = Talk::new();
    talk.expect(&[
        ("TTL a", ":-2"),
        ("EXPIRE a 10", ":0"),
        ("SET a 1", "+OK"),
        ("TTL a", ":-1"),
        ("PEXPIRETIME a", ":-1"),
        ("PERSIST a", ":0"),
        ("PEXPIRE a 1499", ":1"),
        ("TTL a", ":1"),
        ("PTTL a", ":1499"),
        ("PEXPIRETIME a", ":1700000001499"),
        ("EXPIRETIME a", ":1700000001"),
        ("PERSIST a", ":1"),
        ("PERSIST a", ":0"),
        ("EXPIRE a 10", ":1"),
    ]);
    talk.clock.advance_ms(10_000);
    talk.expect(&[("EXISTS a", ":1"), ("TTL a", ":0")]);
    talk.clock.advance_ms(1);
    talk.expect(&[("EXISTS a", ":0"), ("TTL a", ":-2"), ("KEYS *", "*0")]);
}

#[test]
fn a_time_that_has_passed_deletes_the_key() {
    for line in ["EXPIRE a 0", "EXPIRE a -1", "PEXPIREAT a 1700000000000", "EXPIREAT a -5"] {
        Talk::new().expect(&[("SET a 1", "+OK"), (line, ":1"), ("EXISTS a", ":0")]);
    }
}

#[test]
fn times_that_do_not_fit_are_refused() {
    let mut talk = Talk::new();
    talk.expect(&[
        ("SET a 1", "+OK"),
        ("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE a -9223372036854776", "-ERR invalid expire time in 'expire' command"),
        ("EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command"),
        ("PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("EXPIRE a x", "-ERR value is not an integer or out of range"),
        ("TTL a", ":-1"),
        ("PEXPIREAT a 9223372036854775807", ":1"),
        ("PEXPIRETIME a", ":9223372036854775807"),
        ("EXPIRETIME a", ":9223372036854776"),
    ]);
}

#[test]
fn conditions_compare_the_old_time_with_the_new() {
    Talk::new().expect(&[
        ("SET a 1", "+OK"),
        ("EXPIRE a 10 XX", ":0"),
        ("EXPIRE a 10 GT", ":0"),
        ("EXPIRE a 10 XX LT", ":0"),
        ("EXPIRE a 10 LT", ":1"),
        ("EXPIRE a 20 NX", ":0"),
        ("EXPIRE a 10 LT", ":0"),
        ("EXPIRE a 10 GT", ":0"),
        ("EXPIRE a 11 gt xx", ":1"),
        ("PTTL a", ":11000"),
        (
            "EXPIRE b x NX GT",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        ("EXPIRE b x GT LT", "-ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE b x GT OR", "-ERR Unsupported option OR"),
        ("EXPIRE a 0 GT", ":0"),
        ("EXPIRE a 0 LT", ":1"),
        ("EXISTS a", ":0"),
    ]);
}

#[test]
fn values_move_with_their_expiry() {
    Talk::new().expect(&[
        ("RENAME a b", "-ERR no such key"),
        ("RENAMENX a a", "-ERR no such key"),
        ("SET a 1", "+OK"),
        ("EXPIRE a 10", ":1"),
        ("RENAME a a", "+OK"),
        ("RENAMENX a a", ":0"),
        ("SET b 2", "+OK"),
        ("RENAMENX a b", ":0"),
        ("RENAME a b", "+OK"),
        ("GET b", "$1 1"),
        ("TTL b", ":10"),
        ("EXISTS a", ":0"),
        ("COPY b a", ":1"),
        ("TTL a", ":10"),
        ("PERSIST a", ":1"),
        ("COPY a b", ":0"),
        ("COPY a b REPLACE", ":1"),
        ("TTL b", ":-1"),
        ("COPY c d", ":0"),
    ]);
}

#[test]
fn values_move_between_databases() {
    const SAME: &str = "-ERR source and destination objects are the same";
    const RANGE: &str = "-ERR DB index is out of range";
    const INTEGER: &str = "-ERR value is not an integer or out of range";
    const C_INT: &str = "-ERR value is out of range, value must between -2147483648 and 2147483647";
    Talk::new().expect(&[
        ("SET a 1", "+OK"),
        ("MOVE a 0", SAME),
        ("MOVE a 16", RANGE),
        ("MOVE a -1", RANGE),
        ("MOVE a x", INTEGER),
        ("MOVE a 2147483648", C_INT),
        ("MOVE b 1", ":0"),
        ("COPY a a", SAME),
        ("COPY a a DB 0", SAME),
        ("COPY a a DB 16 FOO", RANGE),
        ("COPY a b DB", "-ERR syntax error"),
        ("COPY a b FOO", "-ERR syntax error"),
        ("COPY a a DB 1", ":1"),
        ("COPY a a DB 1", ":0"),
        ("COPY a a REPLACE DB 1 REPLACE", ":1"),
        ("MOVE a 1", ":0"),
        ("MOVE a 2", ":1"),
        ("EXISTS a", ":0"),
    ]);
}

#[test]
fn scan_refuses_what_redis_refuses() {
    Talk::new().expect(&[
        ("SCAN 0", "*2 $1 0 *0"),
        ("SET a 1", "+OK"),
        ("SCAN 0 TYPE STRING MATCH a", "*2 $1 0 *1 $1 a"),
        ("SCAN 0 TYPE hash", "*2 $1 0 *0"),
        ("SCAN 0 TYPE nonsense", "*2 $1 0 *0"),
        ("SCAN x", "-ERR invalid cursor"),
        ("SCAN 18446744073709551616", "-ERR invalid cursor"),
        ("SCAN 0 COUNT 0", "-ERR syntax error"),
        ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range"),
        ("SCAN 0 COUNT", "-ERR syntax error"),
        ("SCAN 0 FOO 1", "-ERR syntax error"),
        ("SCAN x COUNT 0", "-ERR invalid cursor"),
    ]);
}

#[test]
fn objects_tell_how_they_are_kept() {
    let mut talk = Talk::new();
    talk.expect(&[
        ("OBJECT ENCODING a", "$-1"),
        ("OBJECT FREQ a", "$-1"),
        ("OBJECT IDLETIME a", "$-1"),
        ("OBJECT REFCOUNT a", "$-1"),
        ("SET a xyz", "+OK"),
        ("OBJECT encoding a", "$6 embstr"),
        ("OBJECT REFCOUNT a", ":1"),
        (
            "OBJECT FREQ a",
            "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ),
        ("OBJECT FOO a", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP."),
        ("OBJECT", "-ERR wrong number of arguments for 'object' command"),
        ("OBJECT FREQ", "-ERR wrong number of arguments for 'object|freq' command"),
    ]);
    talk.clock.advance_ms(7_000);
    talk.expect(&[("EXISTS a", ":1"), ("TTL a", ":-1"), ("OBJECT IDLETIME a", ":7")]);
    talk.expect(&[("TOUCH a", ":1"), ("OBJECT IDLETIME a", ":0")]);
    assert!(talk.ask("OBJECT HELP").starts_with("*15\r\n+OBJECT <subcommand> [<arg> "));
}

#[test]
fn chance_finds_the_one_key_among_many_that_expired() {
    let mut talk = Talk::new();
    for number in 0..3_000 {
        talk.ask(&format!("SET {number} x"));
        talk.ask(&format!("PEXPIRE {number} 100"));
    }
    talk.ask("SET alive x");
    talk.clock.advance_ms(1_000);
    talk.expect(&[("RANDOMKEY", "$5 alive"), ("DEL alive", ":1"), ("RANDOMKEY", "$-1")]);
}

#[test]
fn chance_is_fair_to_all_keys() {
    let mut talk = Talk::new();
    // Crowded into few slots and spread over many.
    let keys: Vec<String> = (0..100)
        .map(|number| if number < 50 { format!("{{t}}{number}") } else { number.to_string() })
        .collect();
    for key in &keys {
        talk.ask(&format!("SET {key} x"));
    }
    let mut draws = std::collections::HashMap::new();
    for _ in 0..20_000 {
        *draws.entry(talk.ask("RANDOMKEY")).or_insert(0u32) += 1;
    }
    assert_eq!(draws.len(), 100);
    assert!(draws.values().all(|&count| (120..=300).contains(&count)), "{draws:?}");
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    "[{}ab]{0,6}".prop_map(String::into_bytes)
}

fn pattern() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => key(),
        2 => "[{}ab]{0,6}[*?\\[\\]\\\\{}ab]{0,4}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn short_ways_to_keys_find_what_a_full_walk_finds(
        keys in prop::collection::btree_set(key(), 0..60),
        pattern in pattern(),
        codis: bool,
    ) {
        let scheme = if codis { SlotScheme::Codis } else { SlotScheme::Redis };
        let mut talk = Talk::with(scheme);
        for key in &keys {
            talk.send(&[b"SET", key, b"x"]);
        }
        let whole = pattern == b"*";
        let is_match = |key: &&Vec<u8>| whole || crate::command::glob::matches(&pattern, key);
        let expected: BTreeSet<Vec<u8>> = keys.iter().filter(is_match).cloned().collect();
        let found = bulks(&talk.send(&[b"KEYS", &pattern]));
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(&BTreeSet::from_iter(found), &expected);
        let found = talk.scan_all(&[b"MATCH", &pattern, b"COUNT", b"3"]);
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(&BTreeSet::from_iter(found), &expected);
    }
}
