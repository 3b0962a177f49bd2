//! The hash commands as a client sees them, under a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::resp::{Encoder, Protocol};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

const NOW_MS: u64 = 1_000_000;

/// A session with an engine of its own.
struct Client {
    session: Session,
}

impl Client {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let settings = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
        let options =
            EngineOptions { clock: Box::new(clock), settings, ..EngineOptions::default() };
        Self { session: Engine::new(options).session() }
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
}

#[test]
fn fields_are_set_read_and_deleted() {
    let mut client = Client::new();
    client.check(&[
        ("HSET h a 1 b two a 3", ":2"),
        ("HGET h a", "$1 3"),
        ("HGET h c", "$-1"),
        ("HGET none a", "$-1"),
        ("HMGET h b x a", "*3 $3 two $-1 $1 3"),
        ("HMGET none a b", "*2 $-1 $-1"),
        ("HGETALL h", "*4 $1 a $1 3 $1 b $3 two"),
        ("HLEN h", ":2"),
        ("HLEN none", ":0"),
        ("HMSET h a 4", "+OK"),
        ("HSET h a", "-ERR wrong number of arguments for 'hset' command"),
        ("HMSET h a 1 b", "-ERR wrong number of arguments for 'hmset' command"),
        ("TYPE h", "+hash"),
        ("HDEL h a x a", ":1"),
        ("HDEL none a", ":0"),
        ("HDEL h b c", ":1"),
        ("EXISTS h", ":0"),
        ("SET s v", "+OK"),
        ("HSET s a 1", WRONG_TYPE),
        ("HGET s a", WRONG_TYPE),
        ("HGETALL s", WRONG_TYPE),
        ("HDEL s a", WRONG_TYPE),
        ("HSCAN s 0 FOO", WRONG_TYPE),
        ("GET s", "$1 v"),
    ]);
    client.line("HELLO 3");
    client.check(&[("HSET h a 1", ":1"), ("HGETALL h", "%1 $1 a $1 1"), ("HGETALL none", "%0")]);
}

#[test]
fn the_other_commands_answer_as_redis_does() {
    let mut client = Client::new();
    client.check(&[
        ("HSETNX h a 1", ":1"),
        ("HSETNX h a 2", ":0"),
        ("HSET h b text", ":1"),
        ("HEXISTS h a", ":1"),
        ("HEXISTS h x", ":0"),
        ("HEXISTS none x", ":0"),
        ("HSTRLEN h b", ":4"),
        ("HSTRLEN h x", ":0"),
        ("HSTRLEN none x", ":0"),
        ("HKEYS h", "*2 $1 a $1 b"),
        ("HVALS h", "*2 $1 1 $4 text"),
        ("HKEYS none", "*0"),
        ("HINCRBY h a 5", ":6"),
        ("HINCRBY h c -3", ":-3"),
        ("HINCRBY h b 1", "-ERR hash value is not an integer"),
        ("HINCRBY h a x", "-ERR value is not an integer or out of range"),
        ("HINCRBY h a 9223372036854775807", "-ERR increment or decrement would overflow"),
        ("HINCRBYFLOAT h a 0.25", "$4 6.25"),
        ("HINCRBYFLOAT h b 1", "-ERR hash value is not a float"),
        ("HINCRBYFLOAT h a inf", "-ERR value is NaN or Infinity"),
        ("HINCRBYFLOAT h a x", "-ERR value is not a valid float"),
        ("HGET h a", "$4 6.25"),
        ("HINCRBY new a 1", ":1"),
        ("HINCRBYFLOAT newer a 1.5", "$3 1.5"),
    ]);
}

#[test]
fn random_fields_come_in_the_shapes_of_either_protocol() {
    let mut client = Client::new();
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807";
    client.check(&[
        ("HSET h a 1", ":1"),
        ("HRANDFIELD h", "$1 a"),
        ("HRANDFIELD none", "$-1"),
        ("HRANDFIELD none 5", "*0"),
        ("HRANDFIELD h 0", "*0"),
        ("HRANDFIELD h 5", "*1 $1 a"),
        ("HRANDFIELD h -2", "*2 $1 a $1 a"),
        ("HRANDFIELD h -2 WITHVALUES", "*4 $1 a $1 1 $1 a $1 1"),
        ("HRANDFIELD h 1 withvalues", "*2 $1 a $1 1"),
        ("HRANDFIELD h 1 WITHSCORES", "-ERR syntax error"),
        ("HRANDFIELD h x", "-ERR value is not an integer or out of range"),
        ("HRANDFIELD h -9223372036854775808", range),
        ("HRANDFIELD h -9223372036854775807 WITHVALUES", "-ERR value is out of range"),
    ]);
    client.line("HELLO 3");
    client.check(&[
        ("HRANDFIELD h -2 WITHVALUES", "*2 *2 $1 a $1 1 *2 $1 a $1 1"),
        ("HRANDFIELD h 3 WITHVALUES", "*1 *2 $1 a $1 1"),
        ("HRANDFIELD h 3", "*1 $1 a"),
        ("HRANDFIELD none", "_"),
    ]);
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn a_hash_becomes_a_table_where_the_limits_say() {
    let mut client = Client::new();
    client.check(&[
        ("CONFIG SET hash-max-listpack-entries 3 hash-max-listpack-value 4", "+OK"),
        ("HSET h a 1 b 2 c 1234", ":3"),
        ("OBJECT ENCODING h", "$8 listpack"),
        ("HSET h a 2", ":0"),
        ("OBJECT ENCODING h", "$8 listpack"),
        ("HSET h d 1", ":1"),
        ("OBJECT ENCODING h", "$9 hashtable"),
        ("HDEL h a b c", ":3"),
        ("OBJECT ENCODING h", "$9 hashtable"),
        ("HGETALL h", "*2 $1 d $1 1"),
        ("HSET long a 12345", ":1"),
        ("OBJECT ENCODING long", "$9 hashtable"),
        ("HSET field abcde 1", ":1"),
        ("OBJECT ENCODING field", "$9 hashtable"),
        ("HSET many a 1 a 2 a 3 a 4", ":1"),
        ("OBJECT ENCODING many", "$9 hashtable"),
        ("COPY h g", ":1"),
        ("HSET g d 2 e 3", ":1"),
        ("HGET h d", "$1 1"),
        ("RENAME g f", "+OK"),
        ("HLEN f", ":2"),
        ("DEL h", ":1"),
    ]);
}

#[test]
fn a_scan_meets_every_field() {
    let mut client = Client::new();
    client.check(&[
        ("HSCAN none 0 FOO", "*2 $1 0 *0"),
        ("HSCAN none x", "-ERR invalid cursor"),
        ("HSET h a1 x b1 y", ":2"),
        ("HSCAN h 7", "*2 $1 0 *4 $2 a1 $1 x $2 b1 $1 y"),
        ("HSCAN h 0 MATCH a* COUNT 1", "*2 $1 0 *2 $2 a1 $1 x"),
        ("HSCAN h 0 novalues MATCH b*", "*2 $1 0 *1 $2 b1"),
        ("HSCAN h 0 TYPE hash", "-ERR syntax error"),
    ]);
    for number in 0..2_000 {
        client.line(&format!("HSET big f{number} {number}"));
    }
    let (mut cursor, mut met) = ("0".to_owned(), 0);
    loop {
        let reply = client.line(&format!("HSCAN big {cursor} COUNT 100 NOVALUES"));
        let words: Vec<_> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        met += words[3][1..].parse::<usize>().unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(met, 2_000);
}

#[test]
fn hashes_of_both_encodings_are_dumped_and_restored() {
    let mut client = Client::new();
    client.line("HSET small a 1 b two");
    client.line(&format!("HSET large a {} b -7", "x".repeat(100)));
    for key in ["small", "large"] {
        let payload = client.dump(key);
        client.words(&[b"RESTORE", b"again", b"0", &payload, b"REPLACE"]);
        for command in ["OBJECT ENCODING", "DEBUG DIGEST-VALUE", "HLEN"] {
            let (one, other) = (format!("{command} {key}"), format!("{command} again"));
            let answer = client.line(&one);
            assert!(!answer.starts_with('-'), "{answer}");
            assert_eq!(answer, client.line(&other));
        }
    }
}
