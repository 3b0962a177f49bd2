//! Client-side caching: who is told, by which words, that a copy is out of date.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

fn say(session: &mut Session, input: &str) -> String {
    session.feed(format!("{input}\r\n").as_bytes());
    heard(session)
}

/// What a session's client has to read by now, on one line.
fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

/// A session in RESP3 that tracks.
fn tracker(engine: &Engine, options: &str) -> Session {
    let mut session = engine.session();
    say(&mut session, "HELLO 3");
    assert_eq!(say(&mut session, &format!("CLIENT TRACKING ON {options}")), "+OK ");
    session
}

fn engine_with(settings: &[(&str, &str)], clock: &Arc<ManualClock>) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let settings = settings.iter().map(owned).collect();
    let clock = Box::new(clock.clone());
    Engine::new(EngineOptions { settings, clock, ..EngineOptions::default() })
}

fn invalid(key: &str) -> String {
    format!(">2 $10 invalidate *1 ${} {key} ", key.len())
}

#[test]
fn who_has_read_a_key_is_told_once_that_it_changed() {
    let engine = Engine::default();
    let (mut reader, mut writer) = (tracker(&engine, ""), engine.session());
    say(&mut writer, "MSET a 1 b 2");
    assert_eq!(heard(&mut reader), "", "it has read neither");
    say(&mut reader, "MGET a b");
    say(&mut writer, "SET a 3\r\nSET a 4");
    assert_eq!(heard(&mut reader), invalid("a"));
    engine.set(b"b", b"5").unwrap();
    assert_eq!(heard(&mut reader), invalid("b"), "calls of the host count");
    say(&mut reader, "GET a");
    assert_eq!(say(&mut reader, "SET a own"), format!("+OK {}", invalid("a")));
    assert_eq!(say(&mut reader, "CLIENT TRACKING OFF"), "+OK ");
    say(&mut reader, "GET a");
    say(&mut writer, "SET a 6");
    assert_eq!(heard(&mut reader), "");
}

#[test]
fn a_transaction_that_reads_again_remembers_again() {
    let engine = Engine::default();
    let mut own = tracker(&engine, "NOLOOP");
    let mut writer = engine.session();
    let talk = "MULTI\r\nGET a\r\nSET a 1\r\nGET a\r\nEXEC";
    assert!(say(&mut own, talk).ends_with("*3 _ +OK $1 1 "));
    say(&mut writer, "SET a 2");
    assert_eq!(heard(&mut own), invalid("a"));
    say(&mut own, "CLIENT TRACKING ON");
    let said = say(&mut own, talk);
    assert!(said.ends_with(&format!("*3 $1 2 +OK $1 1 {}", invalid("a"))), "{said}");
    // It may begin to track in a transaction, too.
    let mut late = engine.session();
    say(&mut late, "HELLO 3\r\nMULTI\r\nCLIENT TRACKING ON\r\nGET b\r\nSET b 1\r\nEXEC");
    say(&mut late, "GET b");
    say(&mut writer, "SET b 2");
    assert_eq!(heard(&mut late), invalid("b"));
}

#[test]
fn keys_that_expire_and_databases_that_are_emptied_count_as_changed() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_with(&[], &clock);
    let mut reader = tracker(&engine, "");
    let mut other = tracker(&engine, "BCAST");
    say(&mut reader, "SET a 1 PX 100\r\nSET b 1 PX 100\r\nMGET a b");
    heard(&mut other);
    clock.advance_ms(101);
    assert_eq!(say(&mut reader, "GET a"), format!("_ {}", invalid("a")));
    engine.maintain(100);
    assert_eq!(heard(&mut reader), invalid("b"));
    assert_eq!(heard(&mut other), format!("{}{}", invalid("a"), invalid("b")));
    assert_eq!(say(&mut reader, "FLUSHDB"), "+OK >2 $10 invalidate _ ");
    assert_eq!(heard(&mut other), ">2 $10 invalidate _ ");
}

#[test]
fn who_asks_for_all_changes_hears_of_those_under_its_prefixes() {
    let engine = Engine::default();
    let mut all = tracker(&engine, "BCAST NOLOOP");
    let mut some = tracker(&engine, "BCAST PREFIX user: PREFIX k");
    let mut writer = engine.session();
    say(&mut writer, "MSET user:2 a user:1 b other c user:2 d");
    assert_eq!(heard(&mut some), ">2 $10 invalidate *2 $6 user:1 $6 user:2 ");
    let three = ">2 $10 invalidate *3 $5 other $6 user:1 $6 user:2 ";
    assert_eq!(heard(&mut all), three);
    assert_eq!(say(&mut all, "SET user:1 own"), "+OK ");
    assert_eq!(heard(&mut some), invalid("user:1"));
    let info = say(&mut writer, "INFO everything");
    for figure in ["tracking_clients:2 ", "tracking_total_keys:0 ", "tracking_total_prefixes:3 "] {
        assert!(info.contains(figure), "{figure}");
    }
    let list = say(&mut writer, "CLIENT LIST ID 1");
    assert!(list.contains(" flags=tB ") && list.contains(" redir=0 "), "{list}");
}

#[test]
fn a_session_hears_in_the_place_of_another_until_it_is_gone() {
    let engine = Engine::default();
    let (mut listener, mut writer) = (engine.session(), engine.session());
    let mut reader = tracker(&engine, "REDIRECT 1");
    assert_eq!(say(&mut reader, "CLIENT GETREDIR"), ":1 ");
    say(&mut reader, "GET a");
    say(&mut writer, "SET a 1");
    assert_eq!(heard(&mut listener), "", "it does not listen, and cannot be pushed to");
    say(&mut listener, "SUBSCRIBE __redis__:invalidate");
    say(&mut reader, "GET a");
    say(&mut writer, "SET a 2");
    assert_eq!(heard(&mut listener), "*3 $7 message $20 __redis__:invalidate *1 $1 a ");
    say(&mut writer, "FLUSHALL");
    assert_eq!(heard(&mut listener), "*3 $7 message $20 __redis__:invalidate $-1 ");
    assert_eq!(heard(&mut reader), "");
    drop(listener);
    say(&mut reader, "GET a");
    say(&mut writer, "SET a 3");
    assert_eq!(heard(&mut reader), ">2 $21 tracking-redir-broken :1 ");
    assert!(say(&mut writer, "CLIENT LIST ID 3").contains(" flags=tR "));
    let info = "%3 $5 flags ~2 $2 on $15 broken_redirect $8 redirect :1 $8 prefixes *0 ";
    assert_eq!(say(&mut reader, "CLIENT TRACKINGINFO"), info);
}

#[test]
fn reads_are_remembered_as_the_session_asks() {
    let engine = Engine::default();
    let mut writer = engine.session();
    let mut chooses = tracker(&engine, "OPTIN");
    let mut declines = tracker(&engine, "OPTOUT");
    say(&mut chooses, "GET a\r\nCLIENT CACHING YES\r\nGET b\r\nGET c");
    say(&mut declines, "GET a\r\nCLIENT CACHING NO\r\nGET b\r\nGET c");
    say(&mut writer, "SET a 1\r\nSET b 1\r\nSET c 1");
    assert_eq!(heard(&mut chooses), invalid("b"));
    assert_eq!(heard(&mut declines), format!("{}{}", invalid("a"), invalid("c")));
    // For a transaction it counts as a whole.
    say(&mut chooses, "CLIENT CACHING YES\r\nMULTI\r\nGET a\r\nGET b\r\nEXEC\r\nGET c");
    say(&mut writer, "SET a 1\r\nSET b 1\r\nSET c 1");
    assert_eq!(heard(&mut chooses), format!("{}{}", invalid("a"), invalid("b")));
}

#[test]
fn the_table_is_bounded_and_who_is_forgotten_is_told() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_with(&[("tracking-table-max-keys", "10")], &clock);
    let mut reader = tracker(&engine, "");
    let mut told = 0;
    for number in 0..100 {
        let said = say(&mut reader, &format!("GET k{number}"));
        told += said.matches("invalidate").count();
    }
    assert_eq!(told, 90);
    assert!(say(&mut engine.session(), "INFO stats").contains("tracking_total_items:10 "));
    say(&mut reader, "RESET");
    assert!(say(&mut engine.session(), "INFO stats").contains("tracking_total_items:0 "));
}

#[test]
fn who_has_read_keys_of_a_slot_that_moves_away_or_listens_there_is_told() {
    let node = |byte: u8| {
        let id = NodeId::parse(&[byte; NodeId::LEN]).expect("letters of an id");
        Node::primary(id, "127.0.0.1", 7000 + u16::from(byte))
    };
    let (own, other) = (node(b'a'), node(b'b'));
    let mut topology = Topology::new(SlotScheme::Redis, own.clone());
    topology.put_node(other.clone());
    (0..16_384).for_each(|slot| _ = topology.assign(slot, own.id));
    let engine = Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() });
    let (mut reader, mut asker) = (tracker(&engine, ""), engine.session());
    say(&mut reader, "GET foo\r\nGET bar");
    let mut listener = engine.session();
    say(&mut listener, "HELLO 3\r\nSSUBSCRIBE foo\r\nSSUBSCRIBE bar");
    let slot = say(&mut asker, "CLUSTER KEYSLOT foo");
    let slot = slot.trim_start_matches(':').trim();
    let id = other.id.as_str().to_owned();
    assert_eq!(say(&mut asker, &format!("CLUSTER SETSLOT {slot} NODE {id}")), "+OK ");
    assert_eq!(heard(&mut reader), invalid("foo"));
    let push = ">3 $12 sunsubscribe $3 foo :1 ";
    assert_eq!(heard(&mut listener), push);
    assert_eq!(say(&mut asker, "SPUBLISH bar x"), ":1 ");
    assert_eq!(heard(&mut listener), ">3 $8 smessage $3 bar $1 x ");
}
