//! The set commands as a client sees them, above all what redis-server 7.0 does not have or does
//! otherwise; the rest is compared with it command by command elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::resp::{Encoder, Protocol};
use keyslot::{Engine, EngineOptions, Session};
use std::collections::BTreeSet;

/// A session with an engine of its own.
struct Client {
    engine: Engine,
    session: Session,
    protocol: Protocol,
}

impl Client {
    fn new(protocol: Protocol) -> Self {
        let engine = Engine::new(EngineOptions::default());
        Self { session: engine.session(), engine, protocol }
    }

    fn words(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut out = Encoder::new(self.protocol);
        self.session.call(words, &mut out);
        out.into_inner()
    }

    fn line(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = String::from_utf8_lossy(&self.words(&words)).replace("\r\n", " ");
        reply.trim_end().into()
    }

    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    /// The head of a reply and its bulk strings.
    fn texts(&mut self, line: &str) -> (String, Vec<String>) {
        let reply = self.line(line);
        let mut parts = reply.split(' ');
        let head = parts.next().unwrap().to_owned();
        (head, parts.filter(|part| !part.starts_with('$')).map(str::to_owned).collect())
    }

    fn add(&mut self, key: &str, members: impl Iterator<Item = String>) {
        for member in members {
            self.words(&[b"SADD", key.as_bytes(), member.as_bytes()]);
        }
    }

    fn encoding(&mut self, key: &str) -> String {
        self.line(&format!("OBJECT ENCODING {key}")).split(' ').next_back().unwrap().to_owned()
    }
}

fn names(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("member{number}"))
}

fn numbers(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|number| number.to_string())
}

#[test]
fn members_come_and_go() {
    Client::new(Protocol::Resp2).check(&[
        ("SADD s a b a", ":2"),
        ("SADD s b c", ":1"),
        ("SCARD s", ":3"),
        ("SISMEMBER s a", ":1"),
        ("SMISMEMBER s a x c", "*3 :1 :0 :1"),
        ("SMISMEMBER nosuch a", "*1 :0"),
        ("SREM s a x", ":1"),
        ("SREM s b c d", ":2"),
        ("EXISTS s", ":0"),
        ("TYPE s", "+none"),
        ("SADD s 1", ":1"),
        ("TYPE s", "+set"),
        ("SMOVE s t 1", ":1"),
        ("SMOVE s t 1", ":0"),
        ("EXISTS s t", ":1"),
        ("SMEMBERS t", "*1 $1 1"),
        ("SET string x", "+OK"),
        ("SADD string a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GET t", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("SMOVE t string 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("SMOVE nosuch string 1", ":0"),
        (
            "SINTER nosuch string",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
}

#[test]
fn replies_are_sets_where_the_protocol_has_them() {
    Client::new(Protocol::Resp3).check(&[
        ("SMEMBERS s", "~0"),
        ("SPOP s", "_"),
        ("SPOP s 2", "~0"),
        ("SRANDMEMBER s", "_"),
        ("SRANDMEMBER s 2", "*0"),
        ("SADD s a", ":1"),
        ("SMEMBERS s", "~1 $1 a"),
        ("SINTER s s", "~1 $1 a"),
        ("SUNION s t", "~1 $1 a"),
        ("SDIFF s t", "~1 $1 a"),
        ("SDIFF s s", "~0"),
        ("SRANDMEMBER s 2", "*1 $1 a"),
        ("SRANDMEMBER s -2", "*2 $1 a $1 a"),
        ("SSCAN s 0", "*2 $1 0 *1 $1 a"),
        ("SPOP s 0", "~0"),
        ("SPOP s 1", "~1 $1 a"),
        ("EXISTS s", ":0"),
    ]);
}

#[test]
fn a_small_set_is_an_intset_or_a_listpack() {
    let mut client = Client::new(Protocol::Resp2);
    client.add("numbers", numbers(512));
    assert_eq!(client.encoding("numbers"), "intset");
    client.check(&[("SADD numbers 512", ":1")]);
    assert_eq!(client.encoding("numbers"), "hashtable");
    client.add("names", names(128));
    assert_eq!(client.encoding("names"), "listpack");
    client.check(&[("SADD names member0", ":0"), ("COPY names copy", ":1")]);
    assert_eq!(client.encoding("names"), "listpack");
    client.check(&[("SADD names another", ":1")]);
    assert_eq!(client.encoding("names"), "hashtable");
    assert_eq!(client.encoding("copy"), "listpack");
    client.add("mixed", numbers(127).chain(["x".into()]));
    assert_eq!(client.encoding("mixed"), "listpack");
    client.add("many", numbers(128).chain(["x".into()]));
    assert_eq!(client.encoding("many"), "hashtable");
    client.add("long", ["1".into(), "x".repeat(64)].into_iter());
    assert_eq!(client.encoding("long"), "listpack");
    client.add("long", ["x".repeat(65)].into_iter());
    assert_eq!(client.encoding("long"), "hashtable");
}

#[test]
fn limits_can_be_set() {
    let mut client = Client::new(Protocol::Resp2);
    client.check(&[
        ("CONFIG SET set-max-intset-entries 2", "+OK"),
        ("CONFIG SET set-max-listpack-entries 3", "+OK"),
        ("CONFIG SET set-max-listpack-value 4", "+OK"),
        ("SADD a 1 2", ":2"),
        ("SADD b 1 2 3", ":3"),
        ("SADD c x y z", ":3"),
        ("SADD d x y z x", ":3"),
        ("SADD e 1 2", ":2"),
        ("SADD e 1 2 1", ":0"),
        ("SADD f 1", ":1"),
        ("SADD f abcde", ":1"),
    ]);
    let encodings = ["a", "b", "c", "d", "e", "f"].map(|key| client.encoding(key));
    assert_eq!(
        encodings,
        ["intset", "listpack", "listpack", "hashtable", "hashtable", "hashtable"]
    );
}

#[test]
fn what_is_stored_takes_the_form_of_its_members() {
    let mut client = Client::new(Protocol::Resp2);
    client.add("names", names(200));
    client.add("numbers", numbers(600));
    client.check(&[
        ("SADD few 1 2 3 member1", ":4"),
        ("SADD ints 1 2 3", ":3"),
        ("SINTERSTORE a numbers few", ":3"),
        ("SINTERSTORE b names few", ":1"),
        ("SINTERSTORE c few few", ":4"),
        ("SUNIONSTORE d ints few", ":4"),
        ("SUNIONSTORE e names ints", ":203"),
        ("SUNIONSTORE f ints ints", ":3"),
        ("SDIFFSTORE g numbers names", ":600"),
        ("SDIFFSTORE h few ints", ":1"),
        ("SINTERSTORE i numbers numbers", ":600"),
    ]);
    let encodings = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|key| client.encoding(key));
    assert_eq!(
        encodings,
        [
            "intset",
            "listpack",
            "listpack",
            "listpack",
            "hashtable",
            "intset",
            "hashtable",
            "listpack",
            "hashtable"
        ]
    );
    // With so many others Redis copies the first set and removes from it.
    client.check(&[("SDIFFSTORE j numbers ints ints ints few", ":597")]);
    client.add("some", names(150));
    client.add("most", names(149));
    client.check(&[
        ("SDIFFSTORE k some most", ":1"),
        ("SDIFFSTORE l some most nosuch ints ints ints ints", ":1"),
    ]);
    assert_eq!(client.encoding("k"), "listpack");
    assert_eq!(client.encoding("l"), "hashtable");
}

#[test]
fn a_result_replaces_what_was_there_or_deletes_it() {
    Client::new(Protocol::Resp2).check(&[
        ("SET target text", "+OK"),
        ("EXPIRE target 100", ":1"),
        ("SADD s a b", ":2"),
        ("SUNIONSTORE target s", ":2"),
        ("TTL target", ":-1"),
        ("TYPE target", "+set"),
        ("SUNIONSTORE s s target", ":2"),
        ("SINTERSTORE target s nosuch", ":0"),
        ("EXISTS target", ":0"),
        ("SDIFFSTORE s s s", ":0"),
        ("EXISTS s", ":0"),
    ]);
}

#[test]
fn sintercard_stops_where_it_is_told_to() {
    Client::new(Protocol::Resp2).check(&[
        ("SADD a 1 2 3 4", ":4"),
        ("SADD b 2 3 4 x", ":4"),
        ("SINTERCARD 2 a b", ":3"),
        ("SINTERCARD 2 a b LIMIT 2", ":2"),
        ("SINTERCARD 2 a b limit 0", ":3"),
        ("SINTERCARD 2 a b LIMIT 9", ":3"),
        ("SINTERCARD 2 a nosuch LIMIT 9", ":0"),
        ("SINTERCARD 1 a b", "-ERR syntax error"),
        ("SINTERCARD 3 a b", "-ERR Number of keys can't be greater than number of args"),
        ("SINTERCARD 0 a b", "-ERR numkeys should be greater than 0"),
        ("SINTERCARD 2 a b LIMIT -1", "-ERR LIMIT can't be negative"),
        ("SINTERCARD 2 a b LIMIT", "-ERR syntax error"),
    ]);
}

#[test]
fn spop_takes_out_what_it_answers() {
    for (count, all) in [(1, 10), (5, 10), (9, 10), (10, 10), (300, 1_000), (990, 1_000)] {
        for kind in ["numbers", "names"] {
            let mut client = Client::new(Protocol::Resp3);
            let members: Vec<_> =
                if kind == "names" { names(all).collect() } else { numbers(all).collect() };
            client.add("s", members.iter().cloned());
            let (head, popped) = client.texts(&format!("SPOP s {count}"));
            assert_eq!(head, format!("~{count}"));
            let (_, left) = client.texts("SMEMBERS s");
            assert_eq!(left.len(), (all - count) as usize);
            let together: BTreeSet<_> = popped.into_iter().chain(left).collect();
            assert_eq!(together, members.into_iter().collect());
        }
    }
}

#[test]
fn counts_are_checked() {
    let out_of_range = "-ERR value is out of range, must be positive";
    Client::new(Protocol::Resp2).check(&[
        ("SADD s a b", ":2"),
        ("SPOP s -1", out_of_range),
        ("SPOP s x", out_of_range),
        ("SPOP s 1 2", "-ERR syntax error"),
        ("SRANDMEMBER s x", "-ERR value is not an integer or out of range"),
        ("SRANDMEMBER s 1 2", "-ERR syntax error"),
        (
            "SRANDMEMBER s -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ),
        ("SRANDMEMBER s -9223372036854775807", "-ERR value is out of range"),
        ("SRANDMEMBER s 0", "*0"),
    ]);
    let (head, members) =
        Client::new(Protocol::Resp2).texts("SRANDMEMBER nosuch 9223372036854775807");
    assert_eq!((head.as_str(), members.len()), ("*0", 0));
}

#[test]
fn a_scan_finds_every_member() {
    let mut client = Client::new(Protocol::Resp2);
    client.add("large", names(5_000));
    let mut found = BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let (_, mut texts) = client.texts(&format!("SSCAN large {cursor} COUNT 100"));
        cursor = texts.remove(0);
        let texts: Vec<_> = texts.into_iter().filter(|text| !text.starts_with('*')).collect();
        assert!(texts.len() < 300);
        found.extend(texts);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, names(5_000).collect());
    client.check(&[
        ("SADD s a1 a2 b1", ":3"),
        ("SSCAN s 0 MATCH b* COUNT 1", "*2 $1 0 *1 $2 b1"),
        ("SSCAN s x", "-ERR invalid cursor"),
        ("SSCAN s 0 COUNT 0", "-ERR syntax error"),
        ("SSCAN s 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN"),
        ("SSCAN nosuch 0 COUNT 0", "*2 $1 0 *0"),
    ]);
}

#[test]
fn events_are_those_of_redis() {
    let mut client = Client::new(Protocol::Resp2);
    client.check(&[("CONFIG SET notify-keyspace-events KEA", "+OK")]);
    let mut listener = client.engine.session();
    listener.feed(b"PSUBSCRIBE __keyevent@0__:*\r\n");
    listener.take_output();
    for line in [
        "SADD s a b c d",
        "SADD s a",
        "SREM s a",
        "SMOVE s t b",
        "SPOP s 0",
        "SPOP s 1",
        "SPOP s",
        "SUNIONSTORE u t",
        "SINTERSTORE u t nosuch",
        "SDIFFSTORE u t",
        "SINTERSTORE u u t",
        "SREM t b",
    ] {
        client.line(line);
    }
    listener.poll();
    let text = String::from_utf8_lossy(&listener.take_output()).into_owned();
    let events: Vec<_> = text
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("__keyevent@0__:"))
        .filter(|event| *event != "*")
        .collect();
    let expected =
        "sadd srem srem sadd spop spop del sunionstore del sdiffstore sinterstore srem del";
    // The pattern itself comes with each event.
    let events: Vec<_> = events.into_iter().filter(|event| *event != "*").collect();
    assert_eq!(events.join(" "), expected);
}
