//! The string commands, DUMP and RESTORE as a client sees them, under a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::resp::{Encoder, Protocol};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

const NOW_MS: u64 = 1_000_000;

/// A session with an engine of its own, and the engine's clock.
struct Client {
    engine: Engine,
    session: Session,
    clock: Arc<ManualClock>,
}

impl Client {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
        let engine = Engine::new(options);
        Self { session: engine.session(), engine, clock }
    }

    /// Sends a line and returns the reply.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    /// Sends each line and checks its reply, whose line breaks are written as blanks.
    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    /// Sends words, and returns the reply as it came.
    fn words(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut out = Encoder::new(Protocol::Resp2);
        self.session.call(words, &mut out);
        out.into_inner()
    }

    /// The payload that DUMP gives.
    fn dump(&mut self, key: &str) -> Vec<u8> {
        let reply = self.words(&[b"DUMP", key.as_bytes()]);
        let start = reply.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        reply[start..reply.len() - 2].to_vec()
    }

    fn restore(&mut self, key: &str, ttl: &str, payload: &[u8], options: &[&str]) -> String {
        let mut words = vec![&b"RESTORE"[..], key.as_bytes(), ttl.as_bytes(), payload];
        words.extend(options.iter().map(|option| option.as_bytes()));
        String::from_utf8(self.words(&words)).unwrap().trim_end().into()
    }
}

const SYNTAX: &str = "-ERR syntax error";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range";
const NOT_FLOAT: &str = "-ERR value is not a valid float";
const BAD_SET_TIME: &str = "-ERR invalid expire time in 'set' command";
const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";

#[test]
fn set_stores_under_its_conditions() {
    Client::new().check(&[
        ("SET k v", "+OK"),
        ("SET k w NX", "$-1"),
        ("GET k", "$1 v"),
        ("SET k w xx", "+OK"),
        ("SET other v XX", "$-1"),
        ("EXISTS other", ":0"),
        ("SET k x GET", "$1 w"),
        ("SET k y NX GET", "$1 x"),
        ("SET new v XX GET", "$-1"),
        ("SET new v NX GET", "$-1"),
        ("GET new", "$1 v"),
        ("SET k z IFEQ v", "$-1"),
        ("SET k z IFEQ x", "+OK"),
        ("SET k 1 IFEQ z GET", "$1 z"),
        ("SET k 2 IFEQ 1", "+OK"),
        ("SET missing v IFEQ v", "$-1"),
        ("SET k v NX NX EX 10 EX 20 GET GET", "$1 2"),
        ("SETNX k v", ":0"),
        ("SETNX fresh v", ":1"),
        ("GETSET k last", "$1 2"),
        ("GETSET unknown v", "$-1"),
        ("DELIFEQ k other", ":0"),
        ("DELIFEQ k last", ":1"),
        ("DELIFEQ k last", ":0"),
    ]);
}

#[test]
fn options_that_exclude_one_another_are_a_syntax_error() {
    let mut client = Client::new();
    for options in [
        "NX XX",
        "XX NX",
        "NX IFEQ v",
        "IFEQ v XX",
        "IFEQ v IFEQ v",
        "IFEQ",
        "EX",
        "EX 1 PX 1",
        "EX 1 EXAT 1",
        "PX 1 KEEPTTL",
        "KEEPTTL EX 1",
        "PERSIST",
        "FOO",
    ] {
        client.check(&[(&format!("SET k v {options}"), SYNTAX), ("EXISTS k", ":0")]);
    }
    client.line("SET k v");
    for options in ["EX", "EX 1 PERSIST", "PERSIST PX 1", "PX 1 EX 1", "KEEPTTL", "NX", "GET"] {
        client.check(&[(&format!("GETEX k {options}"), SYNTAX), ("PTTL k", ":-1")]);
    }
}

#[test]
fn keys_expire_when_they_were_told_to() {
    Client::new().check(&[
        ("SET k v EX 10", "+OK"),
        ("PTTL k", ":10000"),
        ("SET k v KEEPTTL", "+OK"),
        ("PTTL k", ":10000"),
        ("SET k v", "+OK"),
        ("PTTL k", ":-1"),
        ("SET k v px 1500", "+OK"),
        ("PTTL k", ":1500"),
        ("SET k v EXAT 1002", "+OK"),
        ("PTTL k", ":2000"),
        ("SET k v PXAT 1000500", "+OK"),
        ("PTTL k", ":500"),
        ("APPEND k w", ":2"),
        ("SETRANGE k 1 x", ":2"),
        ("PTTL k", ":500"),
        ("GETSET k 1", "$2 vx"),
        ("PTTL k", ":-1"),
        ("SETEX k 5 1", "+OK"),
        ("INCR k", ":2"),
        ("INCRBYFLOAT k 0.5", "$3 2.5"),
        ("PTTL k", ":5000"),
        ("PSETEX k 7 v", "+OK"),
        ("PTTL k", ":7"),
        ("MSET k v", "+OK"),
        ("PTTL k", ":-1"),
    ]);
}

#[test]
fn a_time_in_the_past_deletes_the_key() {
    let mut client = Client::new();
    client.check(&[
        ("SET k v", "+OK"),
        ("SET k w PXAT 999999", "+OK"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("SET k w EXAT 1 GET", "$1 v"),
        ("EXISTS k", ":0"),
        ("SET k v PXAT 1000000", "+OK"),
        ("PTTL k", ":0"),
        ("GETEX k PXAT 1000000", "$1 v"),
        ("EXISTS k", ":0"),
        ("SET k v PX 1", "+OK"),
    ]);
    client.clock.advance_ms(1);
    assert_eq!(client.line("GET k"), "$1 v");
    client.clock.advance_ms(1);
    assert_eq!(client.line("GET k"), "$-1");
}

#[test]
fn times_that_cannot_be_are_refused() {
    Client::new().check(&[
        ("SET k v EX 0", BAD_SET_TIME),
        ("SET k v PX -1", BAD_SET_TIME),
        ("SET k v EX 9223372036854776", BAD_SET_TIME),
        ("SET k v EX 9223372036854775", BAD_SET_TIME),
        ("SET k v PX 9223372036854775807", BAD_SET_TIME),
        ("SET k v EX a", NOT_INTEGER),
        ("SET k v EX 1.5", NOT_INTEGER),
        ("EXISTS k", ":0"),
        ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("PSETEX k -5 v", "-ERR invalid expire time in 'psetex' command"),
        ("SETEX k a v", NOT_INTEGER),
        ("GETEX missing EX 0", "$-1"),
        ("SET k v", "+OK"),
        ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command"),
        ("GETEX k EX a", NOT_INTEGER),
    ]);
}

#[test]
fn getex_and_getdel_change_the_key_they_read() {
    Client::new().check(&[
        ("SET k v", "+OK"),
        ("GETEX k", "$1 v"),
        ("PTTL k", ":-1"),
        ("GETEX k EX 10 EX 20", "$1 v"),
        ("PTTL k", ":20000"),
        ("GETEX k", "$1 v"),
        ("PTTL k", ":20000"),
        ("GETEX k PERSIST", "$1 v"),
        ("PTTL k", ":-1"),
        ("GETEX k EXAT 1005", "$1 v"),
        ("PTTL k", ":5000"),
        ("GETDEL k", "$1 v"),
        ("GETDEL k", "$-1"),
        ("EXISTS k", ":0"),
    ]);
}

#[test]
fn many_keys_are_read_and_stored_at_once() {
    Client::new().check(&[
        ("MSET a 1 b 2 a 3", "+OK"),
        ("MGET a missing b a", "*4 $1 3 $-1 $1 2 $1 3"),
        ("MSETNX c 1 a 2", ":0"),
        ("EXISTS c", ":0"),
        ("MSETNX c 1 d 2 c 3", ":1"),
        ("MGET c d", "*2 $1 3 $1 2"),
        ("MSET a", "-ERR wrong number of arguments for 'mset' command"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command"),
        ("MGET", "-ERR wrong number of arguments for 'mget' command"),
    ]);
}

#[test]
fn parts_of_strings_are_read_and_written() {
    Client::new().check(&[
        ("APPEND k Hello", ":5"),
        ("APPEND k \" World\"", ":11"),
        ("GETRANGE k 0 4", "$5 Hello"),
        ("GETRANGE k -5 -1", "$5 World"),
        ("SUBSTR k 6 100", "$5 World"),
        ("GETRANGE k 5 3", "$0"),
        ("GETRANGE k -3 -5", "$0"),
        ("GETRANGE k 0 -100", "$1 H"),
        ("GETRANGE missing 0 -1", "$0"),
        ("GETRANGE k a 1", NOT_INTEGER),
        ("SETRANGE k 6 Redis", ":11"),
        ("GET k", "$11 Hello Redis"),
        ("SETRANGE gap 3 x", ":4"),
        ("GET gap", "$4 \0\0\0x"),
        ("SETRANGE missing 5 \"\"", ":0"),
        ("EXISTS missing", ":0"),
        ("SETRANGE k 500 \"\"", ":11"),
        ("SETRANGE k -1 x", "-ERR offset is out of range"),
        ("SETRANGE k a x", NOT_INTEGER),
        ("SETRANGE k 536870911 xx", TOO_LONG),
        ("SETRANGE missing 9223372036854775807 x", TOO_LONG),
        ("SETRANGE k 9223372036854775807 \"\"", ":11"),
        ("STRLEN k", ":11"),
        ("STRLEN missing", ":0"),
    ]);
}

#[test]
fn encodings_are_those_of_redis() {
    let embstr = "a".repeat(44);
    Client::new().check(&[
        ("SET k 12", "+OK"),
        ("OBJECT ENCODING k", "$3 int"),
        ("APPEND k 3", ":3"),
        ("OBJECT ENCODING k", "$3 raw"),
        ("INCR k", ":124"),
        ("OBJECT ENCODING k", "$3 int"),
        ("INCRBYFLOAT k 1", "$3 125"),
        ("OBJECT ENCODING k", "$6 embstr"),
        ("SETRANGE k 0 \"\"", ":3"),
        ("OBJECT ENCODING k", "$6 embstr"),
        ("SETRANGE k 0 2", ":3"),
        ("OBJECT ENCODING k", "$3 raw"),
        ("APPEND new 5", ":1"),
        ("OBJECT ENCODING new", "$3 int"),
        (&format!("SET k {embstr}"), "+OK"),
        ("OBJECT ENCODING k", "$6 embstr"),
        (&format!("SET k {embstr}a"), "+OK"),
        ("OBJECT ENCODING k", "$3 raw"),
    ]);
}

#[test]
fn counters_count_within_their_range() {
    let overflow = "-ERR increment or decrement would overflow";
    Client::new().check(&[
        ("INCR k", ":1"),
        ("DECR k", ":0"),
        ("DECRBY k 5", ":-5"),
        ("INCRBY k -3", ":-8"),
        ("INCRBY k a", NOT_INTEGER),
        ("INCRBY k 1.0", NOT_INTEGER),
        ("SET k 9223372036854775807", "+OK"),
        ("INCR k", overflow),
        ("SET k -9223372036854775808", "+OK"),
        ("DECR k", overflow),
        ("DECRBY k -9223372036854775808", "-ERR decrement would overflow"),
        ("SET k \" 1\"", "+OK"),
        ("INCR k", NOT_INTEGER),
        ("SET k 007", "+OK"),
        ("INCR k", NOT_INTEGER),
        ("SET k 1", "+OK"),
        ("APPEND k 0", ":2"),
        ("INCR k", ":11"),
    ]);
}

#[test]
fn floats_are_counted_in_long_doubles() {
    let infinite = "-ERR increment would produce NaN or Infinity";
    Client::new().check(&[
        ("SET k 10.50", "+OK"),
        ("INCRBYFLOAT k 0.1", "$4 10.6"),
        ("INCRBYFLOAT k -5", "$3 5.6"),
        ("SET k 5.0e3", "+OK"),
        ("INCRBYFLOAT k 2.0e2", "$4 5200"),
        ("INCRBYFLOAT new 0.1", "$3 0.1"),
        ("INCRBYFLOAT new 0.2", "$3 0.3"),
        ("INCRBYFLOAT k a", NOT_FLOAT),
        ("INCRBYFLOAT k nan", NOT_FLOAT),
        ("INCRBYFLOAT k inf", infinite),
        ("GET k", "$4 5200"),
        ("SET k text", "+OK"),
        ("INCRBYFLOAT k 1", NOT_FLOAT),
    ]);
}

#[test]
fn a_long_string_grows_in_place() {
    let mut client = Client::new();
    let piece = vec![b'x'; 1000];
    for count in 1..=5000 {
        let reply = client.words(&[b"APPEND", b"k", &piece]);
        assert_eq!(reply, format!(":{}\r\n", count * 1000).as_bytes());
    }
    client.check(&[
        ("SETRANGE k 4999999 yy", ":5000001"),
        ("GETRANGE k -3 -1", "$3 xyy"),
        ("GETRANGE k 0 1", "$2 xx"),
    ]);
}

#[test]
fn the_longest_common_subsequence_is_found() {
    let mut client = Client::new();
    client.check(&[
        ("MSET a ohmytext b mynewtext", "+OK"),
        ("LCS a b", "$6 mytext"),
        ("LCS a b LEN", ":6"),
        ("LCS a missing", "$0"),
        ("LCS a b IDX", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"),
        ("LCS a b idx minmatchlen 4 withmatchlen", {
            "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6"
        }),
        ("LCS a b IDX MINMATCHLEN -1 MINMATCHLEN 9", "*4 $7 matches *0 $3 len :6"),
        ("LCS a b IDX LEN", {
            "-ERR If you want both the length and indexes, please just use IDX."
        }),
        ("LCS a b MINMATCHLEN", SYNTAX),
        ("LCS a b MINMATCHLEN x", NOT_INTEGER),
        ("LCS a b FOO", SYNTAX),
        ("SETRANGE a 20000 x", ":20001"),
        ("SETRANGE b 20000 x", ":20001"),
        ("LCS a b", {
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        }),
    ]);
    let mut out = Encoder::new(Protocol::Resp3);
    client.engine.call(&[b"LCS", b"a", b"missing", b"IDX"], &mut out);
    assert_eq!(out.bytes(), b"%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
}

/// Digests are those of the documentation of Redis 8.4, and of Dragonfly's.
#[test]
fn a_digest_is_that_of_the_text() {
    let mut client = Client::new();
    client.words(&[b"SET", b"k", b"Hello world"]);
    client.check(&[
        ("DIGEST k", "$16 b6acb9d84a38ff74"),
        ("SET k hello", "+OK"),
        ("DIGEST k", "$16 9555e8555c62dcfd"),
        ("SET k test", "+OK"),
        ("DIGEST k", "$16 9ec9f7918d7dfc40"),
        ("DIGEST none", "$-1"),
        ("RPUSH l 1", ":1"),
        ("DIGEST l", WRONG_TYPE),
        ("SET n 17", "+OK"),
        ("OBJECT ENCODING n", "$3 int"),
    ]);
    assert_eq!(client.line("DIGEST n").len(), "$16 ".len() + 16);
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_DIGEST: &str = "-ERR must be exactly 16 hexadecimal characters";

#[test]
fn a_value_is_set_if_it_compares() {
    let mut client = Client::new();
    client.check(&[
        ("SET k v IFEQ x", "$-1"),
        ("EXISTS k", ":0"),
        ("SET k v IFNE x", "+OK"),
        ("SET k w IFNE v", "$-1"),
        ("SET k hello IFEQ v PX 5000", "+OK"),
        ("PTTL k", ":5000"),
        ("SET k w IFDEQ 9555E8555C62DCFD KEEPTTL", "+OK"),
        ("PTTL k", ":5000"),
        ("SET k hello IFDNE 9555e8555c62dcfd GET", "$1 w"),
        ("SET k x ifdne 9555e8555c62dcfd GET", "$5 hello"),
        ("GET k", "$5 hello"),
        ("SET none x IFDEQ 9555e8555c62dcfd", "$-1"),
        ("SET k x IFDEQ zzzzzzzzzzzzzzzz", "$-1"),
        ("SET k x IFDEQ 9555", NO_DIGEST),
        ("SET k x IFEQ", SYNTAX),
        ("SET k x IFEQ hello NX", SYNTAX),
        ("SET k x XX IFEQ hello", SYNTAX),
        ("SET k x IFEQ hello IFNE y", SYNTAX),
        ("SET k x IFEQ y IFEQ hello", SYNTAX),
        ("RPUSH l 1", ":1"),
        ("SET l x IFEQ 1", WRONG_TYPE),
        ("SET l x IFNE 1", WRONG_TYPE),
        ("COMMAND GETKEYSANDFLAGS SET k v IFDNE x", "*1 *2 $1 k *3 +RW +access +update"),
    ]);
}

#[test]
fn a_key_is_deleted_if_it_compares() {
    let not_string = "-ERR Key should be of string type if conditions are specified";
    let arity = "-ERR wrong number of arguments for 'delex' command";
    let mut client = Client::new();
    client.check(&[
        ("DELEX k", ":0"),
        ("SET k hello", "+OK"),
        ("DELEX k IFEQ x", ":0"),
        ("DELEX k IFNE hello", ":0"),
        ("DELEX k IFDEQ 9555e8555c62dcfe", ":0"),
        ("DELEX k IFDNE 9555e8555c62dcfd", ":0"),
        ("DELEX k IFDEQ 955", NO_DIGEST),
        ("DELEX k FOO x", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
        ("DELEX none FOO x", ":0"),
        ("DELEX none IFNE x", ":0"),
        ("DELEX k IFEQ", arity),
        ("DELEX k IFEQ hello x", arity),
        ("DELEX k ifdeq 9555E8555C62DCFD", ":1"),
        ("SET k v", "+OK"),
        ("DELEX k IFNE x", ":1"),
        ("RPUSH l 1", ":1"),
        ("DELEX l FOO x", not_string),
        ("DELEX l", ":1"),
        ("EXISTS k l", ":0"),
        ("COMMAND GETKEYSANDFLAGS DELEX k", "*1 *2 $1 k *2 +RM +delete"),
        ("COMMAND GETKEYSANDFLAGS DELEX k IFEQ v", "*1 *2 $1 k *3 +RW +access +delete"),
    ]);
}

#[test]
fn many_values_are_set_together_and_expire_together() {
    let pairs = "-ERR wrong number of key-value pairs";
    let mut client = Client::new();
    client.check(&[
        ("MSETEX 2 a 1 b 2 EX 5", ":1"),
        ("PTTL a", ":5000"),
        ("PTTL b", ":5000"),
        ("MSETEX 2 a 3 c 4 NX", ":0"),
        ("MSETEX 2 a 3 c 4 XX PX 1", ":0"),
        ("MGET a b c", "*3 $1 1 $1 2 $-1"),
        ("MSETEX 2 a 3 b 4 KEEPTTL XX", ":1"),
        ("PTTL b", ":5000"),
        ("MSETEX 1 a 5", ":1"),
        ("PTTL a", ":-1"),
        ("MSETEX 1 c 6 nx pxat 1000100", ":1"),
        ("PTTL c", ":100"),
        ("MSETEX 2 a 1 b", pairs),
        ("MSETEX 2147483647 a 1", pairs),
        ("MSETEX 2147483648 a 1", "-ERR invalid numkeys value"),
        ("MSETEX 0 a 1", "-ERR invalid numkeys value"),
        ("MSETEX a 1 EX 10", "-ERR invalid numkeys value"),
        ("MSETEX 1 a 1 FOO", SYNTAX),
        ("MSETEX 1 a 1 NX XX", SYNTAX),
        ("MSETEX 1 a 1 EX 1 PX 1", SYNTAX),
        ("MSETEX 1 a 1 KEEPTTL EX 1", SYNTAX),
        ("MSETEX 1 a 1 IFEQ 5", SYNTAX),
        ("MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command"),
        ("GET a", "$1 5"),
        ("COMMAND GETKEYS MSETEX 2 a 1 b 2 KEEPTTL", "*2 $1 a $1 b"),
    ]);
}

#[test]
fn a_dump_is_restored_under_its_options() {
    let mut client = Client::new();
    client.line("SET k value");
    let payload = client.dump("k");
    assert_eq!(client.restore("k", "0", &payload, &[]), "-BUSYKEY Target key name already exists.");
    assert_eq!(client.restore("k", "0", &payload, &["REPLACE"]), "+OK");
    assert_eq!(client.restore("new", "5000", &payload, &["IDLETIME", "7"]), "+OK");
    client.check(&[("OBJECT IDLETIME new", ":7"), ("GET new", "$5 value"), ("PTTL new", ":5000")]);
    assert_eq!(client.restore("at", "1000500", &payload, &["absttl", "freq", "255"]), "+OK");
    client.check(&[("PTTL at", ":500"), ("PTTL k", ":-1"), ("DUMP missing", "$-1")]);
    assert_eq!(client.restore("k", "1000000", &payload, &["ABSTTL", "REPLACE"]), "+OK");
    assert_eq!(client.line("EXISTS k"), ":0");
    assert_eq!(client.restore("k", "9223372036854775807", &payload, &[]), "+OK");
    assert_eq!(client.line("EXISTS k"), ":0");
}

#[test]
fn what_restore_refuses_changes_nothing() {
    let mut client = Client::new();
    client.line("SET k value");
    let payload = client.dump("k");
    let mut broken = payload.clone();
    broken[3] ^= 1;
    let bad_idle = "-ERR Invalid IDLETIME value, must be >= 0";
    let bad_frequency = "-ERR Invalid FREQ value, must be >= 0 and <= 255";
    let bad_payload = "-ERR DUMP payload version or checksum are wrong";
    for (ttl, payload, options, reply) in [
        ("-1", &payload, &[][..], "-ERR Invalid TTL value, must be >= 0"),
        ("a", &payload, &[], NOT_INTEGER),
        ("0", &broken, &[], bad_payload),
        ("0", &Vec::new(), &[], bad_payload),
        ("0", &payload, &["FOO"], SYNTAX),
        ("0", &payload, &["IDLETIME"], SYNTAX),
        ("0", &payload, &["IDLETIME", "1", "FREQ", "1"], SYNTAX),
        ("0", &payload, &["FREQ", "1", "IDLETIME", "1"], SYNTAX),
        ("0", &payload, &["IDLETIME", "-1"], bad_idle),
        ("0", &payload, &["IDLETIME", "a"], NOT_INTEGER),
        ("0", &payload, &["FREQ", "256"], bad_frequency),
        ("0", &payload, &["FREQ", "-1"], bad_frequency),
    ] {
        assert_eq!(client.restore("new", ttl, payload, options), reply, "{ttl} {options:?}");
        assert_eq!(client.line("EXISTS new"), ":0");
    }
    // Whether the key is there is asked before anything about the payload.
    assert_eq!(client.restore("k", "-1", &broken, &[]), "-BUSYKEY Target key name already exists.");
    assert_eq!(client.restore("k", "0", &broken, &["REPLACE"]), bad_payload);
    assert_eq!(client.line("GET k"), "$5 value");
}

#[test]
fn typed_calls_and_commands_see_the_same_strings() {
    let mut client = Client::new();
    client.engine.set(b"k", b"41").unwrap();
    client.check(&[("INCR k", ":42"), ("OBJECT ENCODING k", "$3 int")]);
    assert_eq!(client.engine.get(b"k").unwrap().as_deref(), Some(&b"42"[..]));
    assert_eq!(client.engine.get(b"missing").unwrap(), None);
}
