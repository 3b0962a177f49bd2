//! What slots hold and how much they are used: for programs, for plans, and by CLUSTER SLOT-STATS.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::{SlotFigures, SlotScheme};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Plan, PlanNode, PlanOptions, Session};

const FOO: u16 = 12_182;
const BAR: u16 = 5_061;

fn id(digit: u8) -> NodeId {
    NodeId::parse(&[digit; 40]).unwrap()
}

/// A node that owns the slots of `foo` and `bar`, and slot 1, of which it has no keys.
fn node(settings: &[(&str, &str)]) -> Engine {
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(b'a'), "10.0.0.1", 7001));
    topology.put_node(Node::primary(id(b'b'), "10.0.0.2", 7002));
    topology.require_full_coverage = false;
    for slot in [1, FOO, BAR] {
        assert!(topology.assign(slot, id(b'a')));
    }
    let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Engine::new(EngineOptions {
        cluster: Some(topology),
        clock: Box::new(ManualClock::new(1_000)),
        settings: settings.collect(),
        ..EngineOptions::default()
    })
}

fn ask(session: &mut Session, line: &str) -> String {
    session.feed(format!("{line}\r\n").as_bytes());
    String::from_utf8(session.take_output()).unwrap()
}

/// The numbers of the slots in a reply, and those of one of their metrics.
fn metric(reply: &str, name: &str) -> Vec<(u16, i64)> {
    let lines: Vec<&str> = reply.split("\r\n").collect();
    let mut slot = 0;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if *line == "*2" {
            slot = lines[at + 1][1..].parse().unwrap();
        }
        if *line == name {
            found.push((slot, lines[at + 1][1..].parse().unwrap()));
        }
    }
    found
}

#[test]
fn reads_and_writes_are_counted_by_slot() {
    let engine = Engine::default();
    engine.set(b"foo", b"1").unwrap();
    engine.get(b"foo").unwrap();
    engine.get(b"{foo}missing").unwrap();
    let mut session = engine.session();
    ask(&mut session, "SET bar 1");
    ask(&mut session, "INCR bar");
    ask(&mut session, "SELECT 1");
    ask(&mut session, "LPUSH bar a b");
    ask(&mut session, "DEL bar");
    let foo = engine.slot_figures(FOO).unwrap();
    assert_eq!((foo.keys, foo.reads, foo.writes), (1, 2, 1));
    let bar = engine.slot_figures(BAR).unwrap();
    assert_eq!(bar.keys, 1);
    assert!(bar.writes >= 4, "{bar:?}");
    assert_eq!(bar.operations(), bar.reads + bar.writes);
    assert_eq!(engine.slot_figures(0), Some(SlotFigures::default()));
    assert_eq!(engine.slot_figures(16_384), None);
}

#[test]
fn bytes_grow_with_the_value_and_go_with_it() {
    let engine = Engine::default();
    let bytes = || engine.slot_figures(FOO).unwrap().bytes;
    engine.set(b"foo", &[b'v'; 10_000]).unwrap();
    let large = bytes();
    assert!((10_000..13_000).contains(&large), "{large}");
    engine.set(b"foo", b"small").unwrap();
    assert!(bytes() < 2_000, "{}", bytes());
    let mut session = engine.session();
    ask(&mut session, "DEL foo");
    // Elements that begin differently, since what neighbours share takes no room.
    let mixed = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let pushes = (0..1_000).map(|n| format!("RPUSH foo {:032x}{n:026}\r\n", mixed(n)));
    session.feed(pushes.collect::<String>().as_bytes());
    session.take_output();
    assert!((50_000..90_000).contains(&bytes()), "{}", bytes());
    ask(&mut session, "FLUSHALL");
    assert_eq!(engine.slot_figures(FOO).unwrap().keys, 0);
    assert_eq!(bytes(), 0);
}

#[test]
fn slot_stats_tells_of_the_slots_that_are_mine() {
    let mut session = node(&[]).session();
    session.feed(b"SET foo 1\r\nMSET bar 1 {bar}2 1\r\n");
    session.take_output();
    let all = ask(&mut session, "CLUSTER SLOT-STATS SLOTSRANGE 0 16383");
    assert_eq!(metric(&all, "key-count"), [(1, 0), (BAR, 2), (FOO, 1)]);
    assert!(all.starts_with(
        "*3\r\n*2\r\n:1\r\n*4\r\n$9\r\nkey-count\r\n:0\r\n$12\r\nmemory-bytes\r\n:0\r\n"
    ));
    let some = ask(&mut session, "CLUSTER SLOT-STATS SLOTSRANGE 2 12181");
    assert_eq!(metric(&some, "key-count"), [(BAR, 2)]);
    let order = |session: &mut Session, options: &str| {
        let reply = ask(session, &format!("CLUSTER SLOT-STATS ORDERBY key-count {options}"));
        metric(&reply, "key-count").into_iter().map(|(slot, _)| slot).collect::<Vec<u16>>()
    };
    assert_eq!(order(&mut session, ""), [BAR, FOO, 1]);
    assert_eq!(order(&mut session, "LIMIT 2 ASC"), [1, FOO]);
    assert_eq!(order(&mut session, "DESC LIMIT 1"), [BAR]);
}

#[test]
fn what_slot_stats_cannot_read_is_refused() {
    let mut session = node(&[]).session();
    for (words, error) in [
        ("SLOTSRANGE 0 16384", "Invalid or out of range slot"),
        ("SLOTSRANGE x 1", "Invalid or out of range slot"),
        ("SLOTSRANGE 5 4", "Start slot number 5 is greater than end slot number 4"),
        ("ORDERBY cpu-usec", "Unrecognized sort metric for ORDERBY."),
        (
            "ORDERBY key-count LIMIT 0",
            "Limit has to lie in between 1 and 16384 (maximum number of slots).",
        ),
        ("ORDERBY key-count LIMIT", "syntax error"),
        ("ORDERBY key-count ASC DESC", "Multiple filters of the same type are disallowed."),
        (
            "SLOTSRANGE 1",
            "unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try CLUSTER HELP.",
        ),
        (
            "FOO 1 2",
            "unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try CLUSTER HELP.",
        ),
    ] {
        let told = ask(&mut session, &format!("CLUSTER SLOT-STATS {words}"));
        assert_eq!(told, format!("-ERR {error}\r\n"), "{words}");
    }
    let mut alone = Engine::default().session();
    let told = ask(&mut alone, "CLUSTER SLOT-STATS SLOTSRANGE 0 1");
    assert_eq!(told, "-ERR This instance has cluster support disabled\r\n");
}

#[test]
fn traffic_is_counted_when_asked_for() {
    let mut session = node(&[("cluster-slot-stats-enabled", "yes")]).session();
    session.feed(
        b"*3\r\n$3\r\nSET\r\n$3\r\nfoo\r\n$10\r\n0123456789\r\n*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n",
    );
    session.take_output();
    let stats = ask(&mut session, "CLUSTER SLOT-STATS ORDERBY network-bytes-out LIMIT 1");
    assert_eq!(metric(&stats, "network-bytes-in"), [(FOO, 39 + 22)]);
    assert_eq!(metric(&stats, "network-bytes-out"), [(FOO, 5 + 17)]);
    assert_eq!(metric(&stats, "cpu-usec"), [(FOO, 0)], "the clock of the test stands still");
}

#[test]
fn figures_are_what_a_plan_is_made_of() {
    let engine = node(&[]);
    engine.set(b"foo", &[b'v'; 3_000]).unwrap();
    engine.set(b"bar", &[b'v'; 3_000]).unwrap();
    let slots = engine.plan_slots().unwrap();
    assert_eq!(slots.iter().map(|slot| slot.slot).collect::<Vec<u16>>(), [1, BAR, FOO]);
    let nodes =
        [b'a', b'b'].map(|digit| PlanNode { id: id(digit), weight: 1, capacity_bytes: None });
    let plan = Plan::new(&nodes, &slots, &PlanOptions::default()).unwrap();
    assert_eq!(plan.moves().len(), 1, "{plan}");
    assert!(Engine::default().plan_slots().is_err());
}
