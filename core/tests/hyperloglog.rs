//! The HyperLogLog commands as a client sees them. Counts and bytes are compared with redis-server
//! by the differential streams; here are errors, what is remembered, and that errors change nothing.

use keyslot::resp::{Encoder, Protocol};
use keyslot::{Engine, Session};

struct Client {
    session: Session,
}

impl Client {
    fn new() -> Self {
        Self { session: Engine::default().session() }
    }

    /// Sends a line and returns the reply, with blanks for its line breaks.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    fn value(&mut self, key: &str) -> Vec<u8> {
        let mut out = Encoder::new(Protocol::Resp2);
        self.session.call(&[b"GET", key.as_bytes()], &mut out);
        let reply = out.into_inner();
        let start = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
        reply[start..reply.len() - 2].to_vec()
    }
}

const NOT_ONE: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPTED: &str = "-INVALIDOBJ Corrupted HLL object detected";

#[test]
fn elements_are_counted_once() {
    let mut client = Client::new();
    client.check(&[
        ("PFCOUNT k", ":0"),
        ("PFADD k", ":1"),
        ("PFADD k", ":0"),
        ("PFADD k a b c", ":1"),
        ("PFADD k a b c", ":0"),
        ("PFCOUNT k", ":3"),
        ("PFCOUNT k missing k", ":3"),
        ("PFADD other c d", ":1"),
        ("PFCOUNT k other", ":4"),
        ("PFMERGE t k other missing", "+OK"),
        ("PFCOUNT t", ":4"),
        ("PFMERGE new", "+OK"),
        ("PFCOUNT new", ":0"),
        ("PFDEBUG encoding t", "+sparse"),
        ("PFDEBUG todense t", ":1"),
        ("PFDEBUG ENCODING t", "+dense"),
        ("PFDEBUG TODENSE t", ":0"),
        ("PFCOUNT t", ":4"),
        ("PFDEBUG DECODE t", "-ERR HLL encoding is not sparse"),
        ("PFDEBUG DECODE k", "$44 Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"),
        ("PFDEBUG FOO k", "-ERR Unknown PFDEBUG subcommand 'FOO'"),
        ("PFDEBUG DECODE missing", "-ERR The specified key does not exist"),
        ("PFSELFTEST", "+OK"),
    ]);
}

#[test]
fn a_count_is_remembered_until_something_changes() {
    let mut client = Client::new();
    client.line("PFADD k a b");
    assert_eq!(client.value("k")[15], 0x80);
    client.check(&[("PFCOUNT k", ":2")]);
    assert_eq!(client.value("k")[8..16], [2, 0, 0, 0, 0, 0, 0, 0]);
    client.check(&[("PFADD k a", ":0")]);
    assert_eq!(client.value("k")[8..16], [2, 0, 0, 0, 0, 0, 0, 0]);
    client.check(&[("PFADD k c", ":1")]);
    assert_eq!(client.value("k")[8..16], [2, 0, 0, 0, 0, 0, 0, 0x80]);
}

#[test]
fn sparse_ones_become_dense_at_the_limit() {
    let mut client = Client::new();
    client.check(&[
        ("CONFIG SET hll-sparse-max-bytes 24", "+OK"),
        ("PFADD k a b", ":1"),
        ("PFDEBUG ENCODING k", "+sparse"),
        ("PFADD k c", ":1"),
        ("PFDEBUG ENCODING k", "+dense"),
        ("STRLEN k", ":12304"),
        ("PFCOUNT k", ":3"),
        ("CONFIG SET hll-sparse-max-bytes 3000", "+OK"),
        ("PFADD sparse x y", ":1"),
        ("PFMERGE sparse k", "+OK"),
        ("PFDEBUG ENCODING sparse", "+dense"),
        ("PFCOUNT sparse", ":5"),
    ]);
}

#[test]
fn what_is_no_hyperloglog_is_refused_and_stays() {
    let mut client = Client::new();
    client.check(&[
        ("SET text value", "+OK"),
        ("SET number 12", "+OK"),
        ("SET short HYLL", "+OK"),
        ("SET form \"HYLL\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"", "+OK"),
        ("SET dense \"HYLL\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"", "+OK"),
        ("PFADD good a", ":1"),
    ]);
    for key in ["text", "number", "short", "form", "dense"] {
        let before = client.value(key);
        client.check(&[
            (&format!("PFADD {key} a"), NOT_ONE),
            (&format!("PFCOUNT {key}"), NOT_ONE),
            (&format!("PFCOUNT good {key}"), NOT_ONE),
            (&format!("PFMERGE good {key}"), NOT_ONE),
            (&format!("PFMERGE {key} good"), NOT_ONE),
            (&format!("PFDEBUG GETREG {key}"), NOT_ONE),
        ]);
        assert_eq!(client.value(key), before);
    }
    client.check(&[("PFCOUNT good", ":1")]);
}

#[test]
fn registers_that_are_missing_or_too_many_are_found() {
    let mut client = Client::new();
    for runs in ["", "\\x7f\\xfe", "\\x7f\\xff\\x00", "\\x7f\\xfe\\x85", "\\x7f"] {
        let head = "HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80";
        client.check(&[
            (&format!("SET k \"{head}{runs}\""), "+OK"),
            ("PFCOUNT k", CORRUPTED),
            ("PFCOUNT k k", CORRUPTED),
            ("PFMERGE t k", CORRUPTED),
            ("EXISTS t", ":0"),
            ("PFDEBUG TODENSE k", CORRUPTED),
        ]);
    }
    client.check(&[
        ("SET k \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"", "+OK"),
        ("PFADD k a", CORRUPTED),
        ("PFCOUNT k", ":0"),
    ]);
}
