//! Codis's asynchronous commands: keys in pieces, and commands on keys that may be on their way.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Link, Session};
use std::sync::Arc;

struct Node {
    engine: Engine,
    clock: Arc<ManualClock>,
}

fn node() -> Node {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let (scheme, boxed) = (SlotScheme::Codis, Box::new(clock.clone()));
    let engine = Engine::new(EngineOptions { scheme, clock: boxed, ..EngineOptions::default() });
    engine.set_link_waker(Arc::new(|| {}));
    Node { engine, clock }
}

fn say(session: &mut Session, line: &str) -> String {
    session.feed(format!("{line}\r\n").as_bytes());
    heard(session)
}

fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8_lossy(&session.take_output()).into_owned()
}

#[track_caller]
fn says(session: &mut Session, line: &str, answer: &str) {
    assert_eq!(say(session, line), format!("{answer}\r\n"), "{line}");
}

fn open(node: &Node) -> Link {
    let mut link = node.engine.poll_link().unwrap();
    link.set_waker(Arc::new(|| {}));
    link.handle_connected();
    link
}

/// Carries what one end says to the other until both are silent. Returns how many requests that
/// were.
fn carry(link: &mut Link, target: &mut Session) -> usize {
    let mut requests = 0;
    while !link.output().is_empty() {
        let said = link.output().to_vec();
        requests += said.windows(18).filter(|part| part == b"SLOTSRESTORE-ASYNC").count();
        link.consume_output(said.len());
        target.feed(&said);
        link.feed(&target.take_output());
    }
    requests
}

const FILL: &str = "SET {t}text value\r\nSET {t}number 42\r\nSET {t}short x PX 5000\r\n\
    RPUSH {t}list 1 2 3 4 5 6 7\r\nSADD {t}set a b c d e f g 1 2\r\nSADD {t}ints 1 2 3 4 5 6 7\r\n\
    HSET {t}hash a 1 b 2 c 3 d 4 e 5\r\nZADD {t}zset 1.5 a -2 b inf c 0.1 d 7e300 e\r\n\
    XADD {t}stream 1-1 f v\r\nPEXPIRE {t}list 60000\r\nHSET {t}times a 1 b 2 c 3 d 4\r\n\
    HPEXPIRE {t}times 9000 FIELDS 1 a\r\n";

const NAMES: [&str; 10] =
    ["text", "number", "short", "list", "set", "ints", "hash", "zset", "stream", "times"];

fn contents(session: &mut Session) -> Vec<String> {
    let mut found = Vec::new();
    for name in NAMES {
        found.push(say(session, &format!("PTTL {{t}}{name}")));
    }
    for line in [
        "MGET {t}text {t}number {t}short",
        "LRANGE {t}list 0 -1",
        "SORT {t}set ALPHA",
        "SORT {t}ints",
        "HMGET {t}hash a b c d e",
        "ZRANGE {t}zset 0 -1 WITHSCORES",
        "XRANGE {t}stream - +",
        "HPTTL {t}times FIELDS 4 a b c d",
    ] {
        found.push(say(session, line));
    }
    found
}

#[test]
fn keys_of_every_type_arrive_whole_and_in_pieces() {
    // What is packed is one piece, however many elements it has.
    for (bulks, requests) in [(200, 2 * 10), (2, 30)] {
        let (source, target) = (node(), node());
        let (mut session, mut other) = (source.engine.session(), target.engine.session());
        session.feed(FILL.as_bytes());
        session.take_output();
        other.feed(b"RPUSH {t}text what was there\r\nSADD {t}set what\r\n");
        other.take_output();
        let before = contents(&mut session);
        let line = format!("SLOTSMGRTTAGONE-ASYNC h 7 1000 {bulks} 100 {{t}}text");
        assert_eq!(say(&mut session, &line), "");
        let mut link = open(&source);
        let said = carry(&mut link, &mut other);
        assert_eq!(said, requests, "pieces of {bulks}");
        assert_eq!(heard(&mut session), ":10\r\n");
        says(&mut session, "DBSIZE", ":0");
        assert_eq!(contents(&mut other), before, "pieces of {bulks}");
        says(&mut session, "SLOTSMGRT-ASYNC-FENCE", "+OK");
    }
}

#[test]
fn large_collections_arrive_in_pieces() {
    let (source, target) = (node(), node());
    let (mut session, mut other) = (source.engine.session(), target.engine.session());
    for number in 0..1_000 {
        let score = f64::from(number) / 7.0;
        session.feed(format!("SADD s m{number}\r\nHSET h f{number} {number}\r\n").as_bytes());
        session.feed(format!("ZADD z {score} m{number}\r\nRPUSH l {number}\r\n").as_bytes());
    }
    session.take_output();
    let lines =
        ["SORT s ALPHA", "HGET h f7", "ZRANGE z 0 -1 WITHSCORES", "LRANGE l 0 -1", "HLEN h"];
    let before = lines.map(|line| say(&mut session, line));
    assert_eq!(say(&mut session, "SLOTSMGRTONE-ASYNC h 7 1000 50 1000 s h z l"), "");
    let said = carry(&mut open(&source), &mut other);
    assert!(said >= 4 * 20, "{said} requests");
    assert_eq!(heard(&mut session), ":4\r\n");
    assert_eq!(lines.map(|line| say(&mut other, line)), before);
    says(&mut other, "HGET h f999", "$3\r\n999");
    says(&mut other, "TTL z", ":-1");
}

#[test]
fn a_slot_goes_some_keys_at_a_time() {
    let (source, target) = (node(), node());
    let (mut session, mut other) = (source.engine.session(), target.engine.session());
    say(&mut session, "SELECT 2");
    for number in 0..10 {
        say(&mut session, &format!("SET {{a}}{number} x"));
    }
    let mut left = 10;
    while left > 0 {
        assert_eq!(say(&mut session, "SLOTSMGRTSLOT-ASYNC h 7 1000 0 0 579 6"), "");
        carry(&mut open(&source), &mut other);
        let told = heard(&mut session);
        let numbers: Vec<usize> =
            told.split(':').skip(1).map(|number| number.trim().parse().unwrap()).collect();
        assert!((1..=3).contains(&numbers[0]), "{told}");
        left -= numbers[0];
        assert_eq!(numbers[1], left);
    }
    says(&mut session, "SLOTSMGRTSLOT-ASYNC h 7 1000 0 0 579 6", "*2\r\n:0\r\n:0");
    says(&mut other, "DBSIZE", ":10");
    says(&mut other, "SELECT 2", "+OK");
}

#[test]
fn meanwhile_keys_are_read_and_not_written() {
    let (source, target) = (node(), node());
    let (mut session, mut second) = (source.engine.session(), source.engine.session());
    let mut other = target.engine.session();
    say(&mut session, "MSET {t}1 a {t}2 b u c");
    assert_eq!(say(&mut session, "SLOTSMGRTTAGONE-ASYNC h 7 1000 0 0 {t}1"), "");
    let mut link = open(&source);
    let wrap = "SLOTSMGRT-EXEC-WRAPPER";
    let barred = "*2\r\n:1\r\n-ERR the specified key is being migrated";
    says(&mut second, &format!("{wrap} {{t}}1 GET {{t}}1"), "*2\r\n:2\r\n$1\r\na");
    says(&mut second, &format!("{wrap} {{t}}1 SET {{t}}1 x"), barred);
    says(&mut second, &format!("{wrap} u MSET u x {{t}}2 x"), barred);
    says(&mut second, &format!("{wrap} u SET u {{t}}x"), "*2\r\n:2\r\n+OK");
    says(&mut second, "SET {t}new x", "-TRYAGAIN The key is on its way to another node");
    let busy = "-ERR the specified DB is being migrated";
    says(&mut second, "SLOTSMGRTONE-ASYNC h 7 1000 0 0 u", busy);
    let ack = "*3\r\n$22\r\nSLOTSRESTORE-ASYNC-ACK\r\n$2\r\n-1\r\n$34\r\nthe specified DB is being migrated";
    says(&mut second, "SLOTSRESTORE-ASYNC delete u", ack);
    let mut second = source.engine.session();
    let running = "-ERR previous operation has not finished (call fence again)";
    says(&mut second, "SLOTSMGRT-ASYNC-FENCE", running);
    let status = say(&mut second, "SLOTSMGRT-ASYNC-STATUS");
    assert!(
        status.starts_with("*18\r\n$4\r\nhost\r\n$1\r\nh\r\n$4\r\nport\r\n$1\r\n7\r\n"),
        "{status}"
    );
    assert!(status.ends_with("$4\r\nkeys\r\n*2\r\n$4\r\n{t}1\r\n$4\r\n{t}2\r\n"), "{status}");
    carry(&mut link, &mut other);
    assert_eq!(heard(&mut session), ":2\r\n");
    says(&mut second, "SLOTSMGRT-ASYNC-STATUS", "*-1");
    let gone = "*2\r\n:0\r\n-ERR the specified key doesn't exist";
    says(&mut second, &format!("{wrap} {{t}}1 SET {{t}}1 x"), gone);
}

#[test]
fn what_is_cancelled_stays() {
    let (source, target) = (node(), node());
    let (mut session, mut second) = (source.engine.session(), source.engine.session());
    let mut other = target.engine.session();
    say(&mut session, "SET k v");
    says(&mut second, "SLOTSMGRT-ASYNC-CANCEL", ":0");
    assert_eq!(say(&mut session, "SLOTSMGRTONE-ASYNC h 7 1000 0 0 k"), "");
    let mut link = open(&source);
    says(&mut second, "SLOTSMGRT-ASYNC-CANCEL", ":1");
    says(&mut second, "SET k new", "+OK");
    carry(&mut link, &mut other);
    assert_eq!(heard(&mut session), "-ERR interrupted: canceled\r\n");
    says(&mut second, "GET k", "$3\r\nnew");
}

#[test]
fn a_cut_leaves_pieces_that_go_by_themselves() {
    let (source, target) = (node(), node());
    let (mut session, mut other) = (source.engine.session(), target.engine.session());
    say(&mut session, "RPUSH k 1 2 3 4 5 6");
    assert_eq!(say(&mut session, "SLOTSMGRTONE-ASYNC h 7 1000 2 1 k"), "");
    let mut link = open(&source);
    for _ in 0..3 {
        let said = link.output().to_vec();
        link.consume_output(said.len());
        other.feed(&said);
        link.feed(&other.take_output());
    }
    link.handle_closed();
    assert_eq!(heard(&mut session), "-ERR interrupted: connection closed\r\n");
    says(&mut session, "RPUSH k 7", ":7");
    says(&mut other, "PTTL k", ":3000");
    target.clock.advance_ms(3_001);
    says(&mut other, "EXISTS k", ":0");
}

#[test]
fn a_target_that_refuses_or_is_silent_is_given_up() {
    let source = node();
    let mut session = source.engine.session();
    say(&mut session, "SET k v");
    for (answer, fault) in [
        (
            &b"*3\r\n$22\r\nSLOTSRESTORE-ASYNC-ACK\r\n$2\r\n-1\r\n$2\r\nno\r\n"[..],
            "interrupted: connection closed",
        ),
        (b"-ERR unknown command\r\n", "interrupted: connection closed"),
        (b"", "interrupted: migration timeout"),
    ] {
        assert_eq!(say(&mut session, "SLOTSMGRTONE-ASYNC h 7 1000 0 0 k"), "");
        let mut link = open(&source);
        link.consume_output(link.output().len());
        link.feed(answer);
        source.clock.advance_ms(1_001);
        link.handle_timeout();
        assert_eq!(heard(&mut session), format!("-ERR {fault}\r\n"));
        says(&mut session, "SET k v", "+OK");
    }
    assert_eq!(say(&mut session, "SLOTSMGRTONE-ASYNC h 7 1000 0 0 k"), "");
    source.engine.poll_link().unwrap().handle_closed();
    assert_eq!(heard(&mut session), "-ERR create client to h:7 failed\r\n");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let mut session = node().engine.session();
    for (line, answer) in [
        ("SLOTSMGRTONE-ASYNC h x 0 0 0 k", "-ERR invalid value of port (x)"),
        ("SLOTSMGRTONE-ASYNC h 7 -1 0 0 k", "-ERR invalid value of timeout (-1)"),
        ("SLOTSMGRTONE-ASYNC h 7 0 x 0 k", "-ERR invalid value of maxbulks (x)"),
        ("SLOTSMGRTONE-ASYNC h 7 0 0 x k", "-ERR invalid value of maxbytes (x)"),
        ("SLOTSMGRTSLOT-ASYNC h 7 0 0 0 1024 1", "-ERR invalid value of slot (1024)"),
        ("SLOTSMGRTSLOT-ASYNC h 7 0 0 0 1 x", "-ERR invalid value of numkeys (x)"),
        ("SLOTSMGRTONE-ASYNC h 7 0 0 0 k", ":0"),
        (
            "SLOTSMGRT-EXEC-WRAPPER k",
            "*2\r\n:-1\r\n-ERR wrong number of arguments for SLOTSMGRT-EXEC-WRAPPER",
        ),
        ("SLOTSMGRT-EXEC-WRAPPER k NOSUCH", "*2\r\n:-1\r\n-ERR invalid command specified (NOSUCH)"),
        (
            "SLOTSMGRT-EXEC-WRAPPER k FLUSHALL",
            "*2\r\n:-1\r\n-ERR invalid command specified (FLUSHALL)",
        ),
        (
            "SLOTSMGRT-EXEC-WRAPPER k GET",
            "*2\r\n:-1\r\n-ERR wrong number of arguments for command (GET)",
        ),
    ] {
        says(&mut session, line, answer);
    }
}

#[test]
fn wrappers_do_not_nest() {
    let mut session = node().engine.session();
    say(&mut session, "SET k v");
    let deep = "SLOTSMGRT-EXEC-WRAPPER k ".repeat(20_000);
    let refused = "*2\r\n:-1\r\n-ERR invalid command specified (SLOTSMGRT-EXEC-WRAPPER)";
    says(&mut session, &format!("SLOTSMGRT-EXEC-WRAPPER k {}GET k", &deep[..50]), refused);
    let words: Vec<&str> = deep.split_whitespace().chain(["GET", "k"]).collect();
    let mut request = Vec::new();
    keyslot::resp::encode_request(&words, &mut request);
    session.feed(&request);
    assert_eq!(heard(&mut session), format!("{refused}\r\n"));
}

#[test]
fn pieces_are_answered_as_codis_answers_them() {
    let node = node();
    let ack = |number: &str, text: &str| {
        let (number_len, len) = (number.len(), text.len());
        format!(
            "*3\r\n$22\r\nSLOTSRESTORE-ASYNC-ACK\r\n${number_len}\r\n{number}\r\n${len}\r\n{text}"
        )
    };
    let mut session = node.engine.session();
    for (line, text) in [
        ("SLOTSRESTORE-ASYNC-SELECT 1", "OK"),
        ("SLOTSRESTORE-ASYNC delete k", "0"),
        ("SLOTSRESTORE-ASYNC string k 0 v", "1"),
        ("SLOTSRESTORE-ASYNC delete k", "1"),
        ("SLOTSRESTORE-ASYNC list k 1000 4 a b", "2"),
        ("SLOTSRESTORE-ASYNC list k 1000 4 c d", "4"),
        ("SLOTSRESTORE-ASYNC list k 0 4", "4"),
        ("SLOTSRESTORE-ASYNC hash h 0 1 f v", "1"),
        ("SLOTSRESTORE-ASYNC expire h 500", "1"),
        ("SLOTSRESTORE-ASYNC dict s 0 1 a", "1"),
    ] {
        says(&mut session, line, &ack("0", text));
    }
    says(&mut session, "PTTL k", ":-1");
    says(&mut session, "PTTL h", ":500");
    for (line, text) in [
        ("SLOTSRESTORE-ASYNC string k 0 v", "the specified key already exists (k)"),
        ("SLOTSRESTORE-ASYNC expire none 1", "the specified key doesn't exist (none)"),
        ("SLOTSRESTORE-ASYNC list none 0 1", "the specified key doesn't exist (none)"),
        ("SLOTSRESTORE-ASYNC string k x v", "invalid TTL value (TTL=x)"),
        ("SLOTSRESTORE-ASYNC list k 0 x v", "invalid Hint value (Hint=x)"),
        ("SLOTSRESTORE-ASYNC hash h 0 1 f", "wrong number of arguments (argc=6,cmd=hash)"),
        ("SLOTSRESTORE-ASYNC zset z 0 1 m 1", "invalid zset score ([0]), bad raw bits"),
        ("SLOTSRESTORE-ASYNC what k 0 1", "unknown command (argc=5,cmd=what)"),
        ("SLOTSRESTORE-ASYNC-SELECT 99", "invalid DB index (99)"),
    ] {
        let mut session = node.engine.session();
        say(&mut session, "SELECT 1");
        says(&mut session, line, &ack("-1", text));
        assert!(session.is_closing(), "{line}");
    }
    let mut session = node.engine.session();
    says(&mut session, "SLOTSRESTORE-ASYNC-ACK 0 1", "-ERR invalid client, permission denied");
}
