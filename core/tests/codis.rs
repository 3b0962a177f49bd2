//! Codis's commands: what slots hold, and keys that a router has moved to another node.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Link, Session};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

fn engine() -> Engine {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let scheme = SlotScheme::Codis;
    let engine =
        Engine::new(EngineOptions { scheme, clock: Box::new(clock), ..EngineOptions::default() });
    engine.set_link_waker(Arc::new(|| {}));
    engine
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

fn open(engine: &Engine) -> Link {
    let mut link = engine.poll_link().unwrap();
    link.set_waker(Arc::new(|| {}));
    link.handle_connected();
    link
}

/// Carries what one end says to the other until both are silent.
fn carry(link: &mut Link, target: &mut Session) {
    while !link.output().is_empty() {
        let said = link.output().to_vec();
        link.consume_output(said.len());
        target.feed(&said);
        link.feed(&target.take_output());
    }
}

/// Gives a command that sends keys, and carries them.
fn send(source: &Engine, session: &mut Session, target: &mut Session, line: &str) -> String {
    assert_eq!(say(session, line), "", "{line}");
    let mut link = open(source);
    carry(&mut link, target);
    heard(session)
}

fn keys(session: &mut Session) -> BTreeSet<String> {
    let told = say(session, "KEYS *");
    told.split("\r\n").skip(2).step_by(2).map(str::to_owned).collect()
}

#[test]
fn slots_tell_what_they_hold() {
    let mut session = engine().session();
    say(&mut session, "MSET a 1 {a}b 2 b 3 c 4");
    says(&mut session, "SLOTSHASHKEY a b c {a}b", "*4\r\n:579\r\n:1017\r\n:879\r\n:579");
    says(
        &mut session,
        "SLOTSINFO",
        "*3\r\n*2\r\n:579\r\n:2\r\n*2\r\n:879\r\n:1\r\n*2\r\n:1017\r\n:1",
    );
    says(&mut session, "SLOTSINFO 880", "*1\r\n*2\r\n:1017\r\n:1");
    says(&mut session, "SLOTSINFO 500 380", "*2\r\n*2\r\n:579\r\n:2\r\n*2\r\n:879\r\n:1");
    says(&mut session, "SLOTSINFO 0 0", "*0");
    says(&mut session, "SLOTSSCAN 879 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc");
    says(&mut session, "SLOTSSCAN 880 0 COUNT 100", "*2\r\n$1\r\n0\r\n*0");
    says(&mut session, "SLOTSCHECK", "+OK");
    says(&mut session, "SLOTSDEL 579 880", "*2\r\n*2\r\n:579\r\n:0\r\n*2\r\n:880\r\n:0");
    says(&mut session, "DBSIZE", ":2");
    says(&mut session, "SELECT 1", "+OK");
    says(&mut session, "SLOTSINFO", "*0");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let mut session = engine().session();
    let integer = "-ERR value is not an integer or out of range";
    for (line, answer) in [
        ("SLOTSINFO 1024", "-ERR invalid slot number = 1024"),
        ("SLOTSINFO x", integer),
        ("SLOTSINFO 0 -1", "-ERR invalid slot count = -1"),
        ("SLOTSINFO 0 1 2", "-ERR wrong number of arguments for 'slotsinfo' command"),
        ("SLOTSSCAN 1 x", "-ERR invalid cursor"),
        ("SLOTSSCAN 1 0 COUNT 0", "-ERR syntax error"),
        ("SLOTSSCAN 1 0 MATCH x", "-ERR syntax error"),
        ("SLOTSDEL 1 1024", "-ERR invalid slot number = 1024"),
        ("SLOTSRESTORE k 0 x", "-ERR DUMP payload version or checksum are wrong"),
        ("SLOTSRESTORE k 0", "-ERR wrong number of arguments for 'slotsrestore' command"),
        ("SLOTSRESTORE k -1 x", "-ERR Invalid TTL value, must be >= 0"),
        ("SLOTSMGRTONE h 0 1 k", "-ERR invalid port number = 0"),
        ("SLOTSMGRTONE h 1 -1 k", "-ERR invalid timeout = -1"),
        ("SLOTSMGRTSLOT h 1 1 -5", "-ERR invalid slot number = -5"),
    ] {
        says(&mut session, line, answer);
    }
    let mut other = Engine::default().session();
    for line in ["SLOTSINFO", "SLOTSCHECK", "SLOTSMGRTONE h 1 1 k"] {
        says(&mut other, line, "-ERR This instance does not have Codis's slots");
    }
}

#[test]
fn a_restore_is_whole_or_nothing() {
    let engine = engine();
    let mut session = engine.session();
    say(&mut session, "SET from value");
    session.feed(b"DUMP from\r\n");
    let told = session.take_output();
    let start = told.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let payload = &told[start..told.len() - 2];
    let mut restore = |second: &[u8]| {
        let words: [&[u8]; 7] = [b"SLOTSRESTORE", b"one", b"0", payload, b"two", b"5000", second];
        let mut bytes = Vec::new();
        keyslot::resp::encode_request(&words, &mut bytes);
        session.feed(&bytes);
        heard(&mut session)
    };
    assert!(restore(b"no payload").starts_with("-ERR DUMP payload"));
    let mut second = engine.session();
    says(&mut second, "EXISTS one two", ":0");
    assert_eq!(restore(payload), "+OK\r\n");
    says(&mut session, "MGET one two", "*2\r\n$5\r\nvalue\r\n$5\r\nvalue");
    says(&mut session, "PTTL one", ":-1");
    says(&mut session, "PTTL two", ":5000");
}

#[test]
fn a_key_moves_alone_or_with_its_tag() {
    let (source, target) = (engine(), engine());
    let (mut session, mut other) = (source.session(), target.session());
    say(&mut session, "MSET {t}1 a {t}2 b t c {u}1 d");
    say(&mut session, "RPUSH x{t}3 1 2 3");
    say(&mut session, "PEXPIRE {t}2 5000");
    says(&mut session, "SLOTSMGRTONE h 7 100 missing", ":0");
    let told = send(&source, &mut session, &mut other, "SLOTSMGRTONE h 7 100 {t}1");
    assert_eq!(told, ":1\r\n");
    says(&mut other, "GET {t}1", "$1\r\na");
    says(&mut session, "EXISTS {t}1 {t}2", ":1");
    let told = send(&source, &mut session, &mut other, "SLOTSMGRTTAGONE h 7 100 {t}2");
    assert_eq!(told, ":2\r\n");
    says(&mut other, "PTTL {t}2", ":5000");
    says(&mut other, "LRANGE x{t}3 0 -1", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3");
    assert_eq!(keys(&mut session), ["t", "{u}1"].map(String::from).into());
    let told = send(&source, &mut session, &mut other, "SLOTSMGRTTAGONE h 7 100 t");
    assert_eq!(told, ":1\r\n");
}

#[test]
fn a_slot_empties_a_tag_at_a_time() {
    let (source, target) = (engine(), engine());
    let (mut session, mut other) = (source.session(), target.session());
    say(&mut session, "SELECT 3");
    say(&mut session, "MSET {a}1 1 {a}2 2 a 3");
    let mut moved = 0;
    for left in [1, 0] {
        let told = send(&source, &mut session, &mut other, "SLOTSMGRTTAGSLOT h 7 100 579");
        let numbers: Vec<usize> =
            told.split(':').skip(1).map(|number| number.trim().parse().unwrap()).collect();
        moved += numbers[0];
        assert_eq!(numbers[1], 3 - moved, "{left}");
    }
    assert_eq!(moved, 3);
    says(&mut session, "SLOTSMGRTTAGSLOT h 7 100 579", "*2\r\n:0\r\n:0");
    says(&mut session, "SLOTSMGRTSLOT h 7 100 579", "*2\r\n:0\r\n:0");
    says(&mut other, "SLOTSINFO", "*1\r\n*2\r\n:579\r\n:3");
    says(&mut other, "SELECT 3", "+OK");
    says(&mut other, "DBSIZE", ":3");
}

#[test]
fn a_tag_on_its_way_is_read_and_not_written() {
    let source = engine();
    let (mut session, mut second) = (source.session(), source.session());
    say(&mut session, "MSET {t}1 a {t}2 b {u}1 c");
    assert_eq!(say(&mut session, "SLOTSMGRTTAGONE h 7 100 {t}1"), "");
    let barred = "-TRYAGAIN The key is on its way to another node";
    says(&mut second, "GET {t}2", "$1\r\nb");
    says(&mut second, "SET {t}2 x", barred);
    says(&mut second, "SET {t}new x", barred);
    says(&mut second, "MSET {u}1 x {t}1 y", barred);
    says(&mut second, "SLOTSMGRTONE h 7 100 {t}2", barred);
    says(&mut second, "SET {u}1 x", "+OK");
    let mut link = open(&source);
    let said = String::from_utf8_lossy(link.output()).into_owned();
    assert!(said.starts_with("*7\r\n$12\r\nSLOTSRESTORE\r\n"), "{said}");
    link.consume_output(link.output().len());
    says(&mut second, "SET {t}2 x", barred);
    link.feed(b"-ERR not now\r\n");
    assert_eq!(heard(&mut session), "-ERR Target instance replied with error: ERR not now\r\n");
    says(&mut second, "SET {t}2 x", "+OK");
    says(&mut second, "SET {t}new x", "+OK");
}

#[test]
fn what_the_target_does_not_answer_stays() {
    let source = engine();
    let mut session = source.session();
    say(&mut session, "SET {t}1 a");
    assert_eq!(say(&mut session, "SLOTSMGRTTAGONE h 7 100 {t}1"), "");
    let mut link = source.poll_link().unwrap();
    link.handle_closed();
    let told = heard(&mut session);
    assert_eq!(told, "-IOERR error or timeout connecting to the client\r\n");
    says(&mut session, "SET {t}1 b", "+OK");
}

proptest! {
    /// However keys are named, all of a tag are found and no others.
    #[test]
    fn a_tag_is_found_whole(names in proptest::collection::btree_set("[{}ab]{1,6}", 1..60), at: usize) {
        let (source, target) = (engine(), engine());
        let (mut session, mut other) = (source.session(), target.session());
        for name in &names {
            say(&mut session, &format!("SET {name} 1"));
        }
        let names: Vec<&String> = names.iter().collect();
        let chosen = names[at % names.len()];
        let scheme = SlotScheme::Codis;
        let tag = |name: &str| {
            let tag = scheme.tag(name.as_bytes()).to_vec();
            (tag.len() < name.len()).then_some(tag)
        };
        let goes = |name: &&String| *name == chosen || (tag(name).is_some() && tag(name) == tag(chosen));
        let expected = names.iter().copied().filter(|name| goes(name)).count();
        let line = format!("SLOTSMGRTTAGONE h 7 100 {chosen}");
        let told = send(&source, &mut session, &mut other, &line);
        prop_assert_eq!(told, format!(":{expected}\r\n"));
        for name in names {
            let here = i32::from(!goes(&name));
            prop_assert_eq!(say(&mut session, &format!("EXISTS {name}")), format!(":{here}\r\n"));
            prop_assert_eq!(say(&mut other, &format!("EXISTS {name}")), format!(":{}\r\n", 1 - here));
        }
    }
}
