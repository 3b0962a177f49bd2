//! MIGRATE as a host carries it: the session that gave it, the link that it asks for, and at the other
//! end another engine's session or whatever a test wants said.

#![allow(clippy::unwrap_used, reason = "a test")]

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{Protocol, Reply, ReplyBuilder};
use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Link, MigrationLimits, Mode, Session};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const OK: &str = "+OK\r\n";
const IN_FLIGHT: &str = "-TRYAGAIN The key is on its way to another node\r\n";

/// An engine whose host opens links when the test does.
struct Source {
    engine: Engine,
    clock: Arc<ManualClock>,
    calls: Arc<AtomicUsize>,
}

impl Source {
    fn new() -> Self {
        Self::with(EngineOptions::default())
    }

    fn with(options: EngineOptions) -> Self {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let engine = Engine::new(EngineOptions { clock: Box::new(clock.clone()), ..options });
        let calls = Arc::new(AtomicUsize::new(0));
        let rope = calls.clone();
        engine.set_link_waker(Arc::new(move || _ = rope.fetch_add(1, Relaxed)));
        Self { engine, clock, calls }
    }

    fn session(&self) -> Session {
        self.engine.session()
    }

    /// Opens the link that the engine wants.
    #[track_caller]
    fn open(&self) -> Link {
        let mut link = self.engine.poll_link().unwrap();
        link.set_waker(Arc::new(|| {}));
        link.handle_connected();
        link
    }
}

fn target() -> Session {
    Engine::default().session()
}

fn say(session: &mut Session, request: &str) -> String {
    session.feed(request.as_bytes());
    heard(session)
}

fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8_lossy(&session.take_output()).into_owned()
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

/// Takes what the link says as text.
fn taken(link: &mut Link) -> String {
    let said = String::from_utf8_lossy(link.output()).into_owned();
    link.consume_output(link.output().len());
    said
}

#[test]
fn keys_of_every_type_arrive_as_they_were() {
    let source = Source::new();
    let (mut session, mut target) = (source.session(), target());
    let fill = "SET a 1\r\nSET t text PX 5000\r\nRPUSH l 1 2 3\r\nHSET h f v\r\nZADD z 1.5 m\r\n\
                SADD s a b c\r\nXADD x 1-1 f v\r\nPFADD p a b\r\nSETRANGE big 70000 x\r\n";
    say(&mut session, fill);
    let names = "a t l h z s x p big";
    let read = |session: &mut Session| {
        names.split(' ').map(|name| say(session, &format!("DUMP {name}\r\n"))).collect::<Vec<_>>()
    };
    let before = read(&mut session);
    let request = format!("MIGRATE h 7 \"\" 0 1000 KEYS {names}\r\nPING\r\n");
    assert_eq!(say(&mut session, &request), "");
    assert!(session.is_waiting());
    assert_eq!(source.calls.load(Relaxed), 1);
    let mut link = source.open();
    assert_eq!((link.host(), link.port()), ("h", 7));
    carry(&mut link, &mut target);
    assert_eq!(heard(&mut session), "+OK\r\n+PONG\r\n");
    assert_eq!(say(&mut session, "DBSIZE\r\n"), ":0\r\n");
    assert_eq!(read(&mut target), before);
    let left: u64 = say(&mut target, "PTTL t\r\n")[1..].trim().parse().unwrap();
    assert!((1..=5000).contains(&left));
    assert_eq!(say(&mut target, "TTL a\r\n"), ":-1\r\n");
}

#[test]
fn what_is_refused_before_anything_is_sent() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "SET k v\r\n");
    let cases = [
        ("MIGRATE h 7 k 0 1000 WHAT", "-ERR syntax error\r\n"),
        ("MIGRATE h 7 k 0 1000 AUTH", "-ERR syntax error\r\n"),
        ("MIGRATE h 7 k 0 1000 AUTH2 u", "-ERR syntax error\r\n"),
        (
            "MIGRATE h 7 k 0 1000 KEYS k",
            "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
             string\r\n",
        ),
        ("MIGRATE h 7 k 0 x", "-ERR value is not an integer or out of range\r\n"),
        ("MIGRATE h 7 k x 1000", "-ERR value is not an integer or out of range\r\n"),
        ("MIGRATE h 7 k 0", "-ERR wrong number of arguments for 'migrate' command\r\n"),
        ("MIGRATE h 7 none 0 1000", "+NOKEY\r\n"),
        ("MIGRATE h 7 \"\" 0 1000 KEYS", "+NOKEY\r\n"),
        ("MIGRATE h 7 \"\" 0 1000 AUTH keys KEYS none", "+NOKEY\r\n"),
        ("MIGRATE h 70000 k 0 1000", "-IOERR error or timeout connecting to the client\r\n"),
    ];
    for (request, answer) in cases {
        assert_eq!(say(&mut session, &format!("{request}\r\n")), answer, "{request}");
    }
    assert_eq!(say(&mut session, "SET k w\r\n"), OK);
    assert!(source.engine.poll_link().is_none());
}

#[test]
fn a_key_in_flight_is_read_and_not_written() {
    let source = Source::new();
    let (mut session, mut other, mut target) = (source.session(), source.session(), target());
    say(&mut session, "MSET k 1 free 2\r\n");
    say(&mut session, "MIGRATE h 7 k 0 1000\r\n");
    assert_eq!(say(&mut other, "GET k\r\n"), "$1\r\n1\r\n");
    for write in ["INCR k", "DEL free k", "EXPIRE k 9", "MIGRATE h 7 k 0 1000", "RENAME free k"] {
        assert_eq!(say(&mut other, &format!("{write}\r\n")), IN_FLIGHT, "{write}");
    }
    assert_eq!(
        say(&mut other, "MULTI\r\nINCR k\r\nEXEC\r\n"),
        format!("{OK}+QUEUED\r\n{IN_FLIGHT}")
    );
    assert!(say(&mut other, "SWAPDB 0 1\r\n").starts_with("-TRYAGAIN "));
    assert!(source.engine.set(b"k", b"typed").is_err());
    assert_eq!(say(&mut other, "INCR free\r\n"), ":3\r\n");
    carry(&mut source.open(), &mut target);
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut other, "INCR k\r\n"), ":1\r\n");
    assert_eq!(say(&mut target, "GET k\r\n"), "$1\r\n1\r\n");
}

#[test]
fn a_copy_stays_and_may_be_written() {
    let source = Source::new();
    let (mut session, mut other, mut target) = (source.session(), source.session(), target());
    say(&mut session, "SET k 1\r\nMIGRATE h 7 k 3 1000 COPY\r\n");
    assert_eq!(say(&mut other, "APPEND k 0\r\n"), ":2\r\n");
    carry(&mut source.open(), &mut target);
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut session, "GET k\r\n"), "$2\r\n10\r\n");
    assert_eq!(
        say(&mut target, "GET k\r\nSELECT 0\r\nGET k\r\n"),
        format!("$2\r\n10\r\n{OK}$-1\r\n")
    );
}

#[test]
fn what_the_target_refuses_stays_and_the_rest_goes() {
    let source = Source::new();
    let (mut session, mut target) = (source.session(), target());
    say(&mut target, "SET b old\r\n");
    say(&mut session, "MSET a 1 b 2 c 3\r\nMIGRATE h 7 \"\" 0 1000 KEYS a b c\r\n");
    let mut link = source.open();
    carry(&mut link, &mut target);
    let text =
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n";
    assert_eq!(heard(&mut session), text);
    assert_eq!(say(&mut session, "MGET a b c\r\n"), "*3\r\n$-1\r\n$1\r\n2\r\n$-1\r\n");
    assert_eq!(say(&mut target, "MGET a b c\r\n"), "*3\r\n$1\r\n1\r\n$3\r\nold\r\n$1\r\n3\r\n");
    say(&mut session, "MIGRATE h 7 b 0 1000 REPLACE\r\n");
    link.poll();
    assert!(taken(&mut link).starts_with("*2\r\n$6\r\nSELECT\r\n"), "the database is in doubt");
    link.feed(b"+OK\r\n");
    carry(&mut link, &mut target);
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut target, "GET b\r\n"), "$1\r\n2\r\n");
}

#[test]
fn only_what_was_acknowledged_is_deleted() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "MSET a 1 b 2 c 3\r\nMIGRATE h 7 \"\" 0 1000 KEYS a b c\r\n");
    let mut link = source.open();
    assert_eq!(taken(&mut link).matches("RESTORE").count(), 1, "the first goes alone");
    link.feed(b"+OK\r\n");
    assert_eq!(taken(&mut link).matches("RESTORE").count(), 2);
    link.feed(b"+O");
    link.handle_closed();
    assert_eq!(heard(&mut session), "-IOERR error or timeout reading to target instance\r\n");
    assert_eq!(say(&mut session, "MGET a b c\r\n"), "*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    assert_eq!(say(&mut session, "INCR b\r\nINCR c\r\n"), ":3\r\n:4\r\n");
}

#[test]
fn silence_has_an_end_at_every_stage() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "SET k v\r\n");
    let texts = [
        "-IOERR error or timeout connecting to the client\r\n",
        "-IOERR error or timeout writing to target instance\r\n",
        "-IOERR error or timeout reading to target instance\r\n",
    ];
    for (stage, text) in texts.iter().enumerate() {
        say(&mut session, "MIGRATE h 7 k 0 250\r\n");
        let mut link = source.engine.poll_link().unwrap();
        if stage > 0 {
            link.handle_connected();
        }
        if stage > 1 {
            link.consume_output(link.output().len());
        }
        source.clock.advance_ms(249);
        link.handle_timeout();
        assert!(!link.is_closing());
        source.clock.advance_ms(1);
        link.handle_timeout();
        assert!(link.is_closing());
        assert_eq!(heard(&mut session), *text);
    }
    assert_eq!(say(&mut session, "SET k w\r\n"), OK);
}

#[test]
fn who_waits_is_told_when_the_host_opens_no_links_any_more() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "SET k v\r\n");
    assert_eq!(say(&mut session, "MIGRATE h 7 k 0 250\r\n"), "");
    source.engine.decline_links();
    assert!(heard(&mut session).starts_with("-IOERR error or timeout"));
    let refused = "-IOERR the host opens no connections to other instances\r\n";
    assert_eq!(say(&mut session, "MIGRATE h 7 k 0 250\r\n"), refused);
    assert_eq!(say(&mut session, "SET k w\r\n"), OK);
}

#[cfg(unix)]
#[test]
fn a_descriptor_tells_that_a_link_is_wanted() {
    let engine = Engine::default();
    let own = engine.link_descriptor().unwrap().try_clone_to_owned().unwrap();
    let descriptor = std::os::unix::net::UnixStream::from(own);
    descriptor.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let mut is_readable = || std::io::Read::read(&mut &descriptor, &mut byte).is_ok();
    let mut session = engine.session();
    assert!(!is_readable());
    say(&mut session, "MSET a 1 b 2\r\nMIGRATE h 7 a 0 250\r\n");
    assert!(is_readable());
    let mut other = engine.session();
    say(&mut other, "MIGRATE h 8 b 0 250\r\n");
    let mut links: Vec<_> = std::iter::from_fn(|| engine.poll_link()).collect();
    assert_eq!(links.iter().map(Link::port).collect::<Vec<_>>(), [7, 8]);
    assert!(!is_readable(), "whoever polls has heard it");
    assert!(links[0].descriptor().is_ok() && links[0].time_left().is_some());
    links.clear();
    engine.decline_links();
    engine.link_descriptor().unwrap();
    say(&mut other, "MIGRATE h 8 b 0 250\r\n");
    assert!(is_readable(), "the promise was made again");
}

#[test]
fn a_link_rests_and_is_taken_up_again() {
    let source = Source::new();
    let (mut session, mut target) = (source.session(), target());
    say(&mut session, "MSET a 1 b 2 c 3\r\nMIGRATE h 7 a 2 1000\r\n");
    let mut link = source.open();
    assert!(taken(&mut link).starts_with("*2\r\n$6\r\nSELECT\r\n"));
    link.feed(b"+OK\r\n");
    carry(&mut link, &mut target);
    assert_eq!(heard(&mut session), OK);
    say(&mut session, "MIGRATE h 7 b 2 1000\r\n");
    assert!(source.engine.poll_link().is_none(), "the link that rests is enough");
    link.poll();
    assert!(link.output().starts_with(b"*4\r\n$7\r\nRESTORE\r\n"), "the database is selected");
    carry(&mut link, &mut target);
    assert_eq!(heard(&mut session), OK);
    say(&mut session, "MIGRATE h 7 c 2 1000 AUTH secret\r\n");
    assert!(source.engine.poll_link().is_some(), "nobody acts under another's name");
    source.clock.advance_ms(10_000);
    link.handle_timeout();
    assert!(link.is_closing());
}

#[test]
fn a_link_that_was_closed_while_it_rested_is_replaced() {
    let source = Source::new();
    let (mut session, mut target) = (source.session(), target());
    say(&mut session, "MSET a 1 b 2\r\nMIGRATE h 7 a 0 1000\r\n");
    let mut link = source.open();
    carry(&mut link, &mut target);
    heard(&mut session);
    say(&mut session, "MIGRATE h 7 b 0 1000\r\n");
    link.handle_closed();
    let mut again = source.open();
    carry(&mut again, &mut target);
    assert_eq!(heard(&mut session), OK);
    // It is tried twice and not three times.
    say(&mut session, "SET c 3\r\nMIGRATE h 7 c 0 1000\r\n");
    again.handle_closed();
    source.open().handle_closed();
    let text = "+OK\r\n-IOERR error or timeout writing to target instance\r\n";
    assert_eq!(heard(&mut session), text.replace(OK, ""));
    assert!(source.engine.poll_link().is_none());
}

#[test]
fn an_older_target_gets_what_it_can_read() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "MSET a 1 b 2\r\nMIGRATE h 7 \"\" 0 1000 KEYS a b\r\n");
    let mut link = source.open();
    let version = |link: &Link| {
        let payload = link.output().windows(2).rposition(|pair| pair == b"\r\n").unwrap();
        link.output()[payload - 10]
    };
    assert_eq!(version(&link), 11);
    link.consume_output(link.output().len());
    link.feed(b"-ERR DUMP payload version or checksum are wrong\r\n");
    assert_eq!(version(&link), 10);
    link.consume_output(link.output().len());
    link.feed(b"+OK\r\n+OK\r\n");
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut session, "DBSIZE\r\n"), ":0\r\n");
}

#[test]
fn nothing_is_sent_to_a_target_that_refuses_the_introduction() {
    let source = Source::new();
    let mut session = source.session();
    say(&mut session, "SET k v\r\nMIGRATE h 7 k 1 1000 AUTH2 user pass\r\n");
    let mut link = source.open();
    let introduction =
        "*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$4\r\npass\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n";
    assert_eq!(taken(&mut link), introduction);
    link.feed(b"-WRONGPASS no\r\n-NOAUTH no\r\n");
    assert_eq!(taken(&mut link), "");
    assert_eq!(heard(&mut session), "-ERR Target instance replied with error: WRONGPASS no\r\n");
    assert_eq!(say(&mut session, "SET k w\r\n"), OK);
}

#[test]
fn who_cannot_wait_is_told_so() {
    let engine = Engine::default();
    engine.set(b"k", b"v").unwrap();
    let request: [&[u8]; 6] = [b"MIGRATE", b"h", b"7", b"k", b"0", b"1000"];
    let call = |blocking: bool| {
        let mut builder = ReplyBuilder::new(Protocol::Resp2);
        match blocking {
            true => engine.call_blocking(0, &request, &mut builder),
            false => engine.call(&request, &mut builder),
        }
        builder.take()
    };
    let text = |reply| match reply {
        Some(Reply::Error(line)) => String::from_utf8(line.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    let no_host = "IOERR the host opens no connections to other instances";
    let no_wait = "IOERR the caller cannot wait for the target instance";
    assert_eq!(text(call(false)), no_wait);
    assert_eq!(text(call(true)), no_host);
    let mut session = engine.session();
    let answer =
        say(&mut session, "MIGRATE h 7 k 0 1000\r\nMULTI\r\nMIGRATE h 7 k 0 1000\r\nEXEC\r\n");
    assert_eq!(answer, format!("-{no_host}\r\n+OK\r\n+QUEUED\r\n*1\r\n-{no_wait}\r\n"));
    assert_eq!(say(&mut session, "SET k w\r\n"), OK);
}

#[test]
fn a_wait_ends_by_its_errand_alone() {
    let source = Source::new();
    let (mut session, mut other, mut target) = (source.session(), source.session(), target());
    say(&mut session, "SET k v\r\nMIGRATE h 7 k 0 1000\r\n");
    assert!(say(&mut other, "INFO clients\r\n").contains("\nblocked_clients:1\r"));
    assert_eq!(say(&mut other, &format!("CLIENT UNBLOCK {}\r\n", session.id())), ":0\r\n");
    drop(session);
    carry(&mut source.open(), &mut target);
    assert_eq!(say(&mut other, "GET k\r\n"), "$-1\r\n");
    assert!(say(&mut other, "INFO clients\r\n").contains("\nblocked_clients:0\r"));
    assert_eq!(say(&mut target, "GET k\r\n"), "$1\r\nv\r\n");
}

#[test]
fn a_flush_while_keys_are_in_flight_ends_well() {
    let source = Source::new();
    let (mut session, mut other, mut target) = (source.session(), source.session(), target());
    say(&mut session, "SET k v\r\nMIGRATE h 7 k 0 1000\r\n");
    let mut link = source.open();
    assert_eq!(say(&mut other, "FLUSHALL\r\n"), OK);
    carry(&mut link, &mut target);
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut other, "SET k w\r\n"), OK);
}

#[test]
fn watchers_and_listeners_hear_of_what_left() {
    let source = Source::with(EngineOptions {
        settings: vec![("notify-keyspace-events".to_owned(), "KEg".to_owned())],
        ..EngineOptions::default()
    });
    let (mut session, mut watcher, mut target) = (source.session(), source.session(), target());
    say(&mut watcher, "SET k v\r\nWATCH k\r\nMULTI\r\nPING\r\n");
    let mut listener = source.session();
    say(&mut listener, "SUBSCRIBE __keyevent@0__:del\r\n");
    say(&mut session, "MIGRATE h 7 k 0 1000\r\n");
    carry(&mut source.open(), &mut target);
    assert_eq!(say(&mut watcher, "EXEC\r\n"), "*-1\r\n");
    let message = "*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nk\r\n";
    assert_eq!(heard(&mut listener), message);
}

#[test]
fn in_a_cluster_an_open_slot_takes_the_keys() {
    let (mine, other) = ([b'a'; 40], [b'b'; 40]);
    let id = |name: &[u8; 40]| NodeId::parse(name).unwrap();
    let node = |me: &[u8; 40], them: &[u8; 40]| {
        let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(me), "h", 1));
        topology.put_node(Node::primary(id(them), "h", 2));
        (0..16_384).for_each(|slot| _ = topology.assign(slot, id(&mine)));
        Source::with(EngineOptions { cluster: Some(topology), ..EngineOptions::default() })
    };
    let (source, importer) = (node(&mine, &other), node(&other, &mine));
    let slot = SlotScheme::Redis.slot(b"{t}");
    let (mut session, mut target) = (source.session(), importer.session());
    let b = String::from_utf8(other.to_vec()).unwrap();
    let a = String::from_utf8(mine.to_vec()).unwrap();
    say(
        &mut session,
        &format!("MSET {{t}}1 1 {{t}}2 2\r\nCLUSTER SETSLOT {slot} MIGRATING {b}\r\n"),
    );
    assert_eq!(say(&mut target, &format!("CLUSTER SETSLOT {slot} IMPORTING {a}\r\n")), OK);
    say(&mut session, "MIGRATE h 2 \"\" 0 1000 KEYS {t}1 {t}2 {t}3\r\n");
    let mut writer = source.session();
    assert_eq!(say(&mut writer, "INCR {t}1\r\n"), IN_FLIGHT);
    assert_eq!(say(&mut writer, "GET {t}1\r\n"), "$1\r\n1\r\n");
    carry(&mut source.open(), &mut target);
    assert_eq!(heard(&mut session), OK);
    assert_eq!(say(&mut writer, "INCR {t}1\r\n"), format!("-ASK {slot} h:2\r\n"));
    assert_eq!(say(&mut target, "ASKING\r\nINCR {t}1\r\n"), "+OK\r\n:2\r\n");
}

#[test]
fn a_slot_is_moved_in_one_way_at_a_time() {
    let (mine, other) = ([b'a'; 40], [b'b'; 40]);
    let id = |name: &[u8; 40]| NodeId::parse(name).unwrap();
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(&mine), "h", 1));
    topology.put_node(Node::primary(id(&other), "h", 2));
    (0..16_384).for_each(|slot| _ = topology.assign(slot, id(&mine)));
    let source =
        Source::with(EngineOptions { cluster: Some(topology), ..EngineOptions::default() });
    let slots = || [SlotScheme::Redis.slot(b"k")].into_iter().collect();
    let mut session = source.session();
    say(&mut session, "SET k v\r\n");
    let start =
        || source.engine.migrate(Mode::ByKey, slots(), id(&other), MigrationLimits::default());
    let migration = start().map_err(|error| error.to_string()).unwrap();
    assert_eq!(say(&mut session, "MIGRATE h 2 k 0 1000\r\n"), IN_FLIGHT);
    drop(migration);
    assert_eq!(say(&mut session, "MIGRATE h 2 k 0 1000\r\n"), "");
    assert!(start().is_err());
}

proptest! {
    /// Wherever the connection is cut, each key is here, or there, or at both as it was; and what
    /// the answers said is so.
    #[test]
    fn a_cut_loses_nothing(keys in 1usize..40, cut in 0usize..6_000, len in 1usize..200) {
        let source = Source::new();
        let there = Engine::default();
        let (mut session, mut target) = (source.session(), there.session());
        let names: Vec<String> = (0..keys).map(|number| format!("k{number}")).collect();
        for name in &names {
            say(&mut session, &format!("SETRANGE {name} {len} {name}\r\n"));
        }
        say(&mut session, &format!("MIGRATE h 7 \"\" 0 1000 KEYS {}\r\n", names.join(" ")));
        let mut link = source.open();
        let mut left = cut;
        while !link.output().is_empty() && left > 0 {
            let said = link.output()[..link.output().len().min(7).min(left)].to_vec();
            left -= said.len();
            link.consume_output(said.len());
            target.feed(&said);
            let answer = target.take_output();
            link.feed(&answer[..answer.len().min(left)]);
        }
        link.handle_closed();
        drop(link);
        while let Some(link) = source.engine.poll_link() {
            drop(link);
        }
        let answer = heard(&mut session);
        prop_assert!(answer == OK || answer.starts_with("-IOERR "), "{}", answer);
        // What was sent in part is lost with the connection.
        let mut target = there.session();
        for name in &names {
            let get = format!("GET {name}\r\n");
            let (here, there) = (say(&mut session, &get), say(&mut target, &get));
            prop_assert!(here != "$-1\r\n" || there != "$-1\r\n");
            prop_assert!(here == "$-1\r\n" || there == "$-1\r\n" || here == there);
            prop_assert!(answer != OK || here == "$-1\r\n");
        }
        prop_assert_eq!(say(&mut session, "SET k0 w\r\n"), OK);
    }
}
