//! What sessions can see of each other and do to each other by CLIENT.

use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn say(session: &mut Session, input: &str) -> String {
    session.feed(format!("{input}\r\n").as_bytes());
    heard(session)
}

/// What a session's client has to read by now, on one line.
fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

fn engine_at(clock: &Arc<ManualClock>) -> Engine {
    Engine::new(EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() })
}

/// Counts how often a session's host is called.
fn calls_of(session: &mut Session) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = calls.clone();
    session.set_waker(Arc::new(move || _ = counting.fetch_add(1, SeqCst)));
    calls
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let found = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn the_one_at_an_address_is_killed_and_its_host_called() {
    let engine = Engine::default();
    let (mut asker, mut other) = (engine.session(), engine.session());
    other.set_peer("127.0.0.1:5000", "127.0.0.1:6379");
    let calls = calls_of(&mut other);
    assert_eq!(say(&mut asker, "CLIENT KILL 127.0.0.1:5001"), "-ERR No such client ");
    other.feed(b"PING\r\n");
    assert_eq!(say(&mut asker, "CLIENT KILL 127.0.0.1:5000"), "+OK ");
    assert_eq!(calls.load(SeqCst), 1);
    assert!(!say(&mut asker, "CLIENT LIST").contains("5000"));
    other.feed(b"SET k v\r\n");
    assert!(other.is_closing());
    assert_eq!(heard(&mut other), "");
    assert_eq!(say(&mut asker, "EXISTS k"), ":0 ");
}

#[test]
fn filters_choose_who_is_killed() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_at(&clock);
    let (mut asker, mut old, mut listener) = (engine.session(), engine.session(), engine.session());
    clock.advance_ms(10_000);
    let mut young = engine.session();
    say(&mut listener, "SUBSCRIBE c");
    assert_eq!(say(&mut asker, "CLIENT KILL TYPE master"), ":0 ");
    assert_eq!(say(&mut asker, "CLIENT KILL TYPE pubsub SKIPME no"), ":1 ");
    assert_eq!(say(&mut asker, "PUBLISH c x"), ":0 ");
    assert_eq!(say(&mut asker, "CLIENT KILL MAXAGE 10"), ":1 ");
    assert_eq!(say(&mut asker, "CLIENT KILL ID 4 LADDR ?:0 USER default"), ":1 ");
    assert_eq!(say(&mut asker, "CLIENT KILL ID 4"), ":0 ");
    for session in [&mut old, &mut young, &mut listener] {
        session.poll();
        assert!(session.is_closing());
    }
    // The one that asks gets its answer, and no other.
    let input = b"CLIENT KILL SKIPME no\r\nPING\r\n";
    asker.feed(input);
    assert_eq!(heard(&mut asker), ":1 ");
    assert!(asker.is_closing());
}

#[test]
fn a_killed_session_is_not_given_what_it_waited_for() {
    let engine = Engine::default();
    let (mut asker, mut waiter, mut next) = (engine.session(), engine.session(), engine.session());
    waiter.feed(b"BLPOP q 0\r\n");
    next.feed(b"BLPOP q 0\r\n");
    assert_eq!(say(&mut asker, "CLIENT KILL ID 2"), ":1 ");
    assert_eq!(say(&mut asker, "RPUSH q a"), ":1 ");
    assert_eq!(heard(&mut waiter), "");
    assert_eq!(heard(&mut next), "*2 $1 q $1 a ");
}

#[test]
fn refusals_have_redis_texts() {
    let mut session = Engine::default().session();
    for (words, error) in [
        ("KILL", "ERR wrong number of arguments for 'client|kill' command"),
        ("KILL a b c", "ERR syntax error"),
        ("KILL ID 0", "ERR client-id should be greater than 0"),
        ("KILL TYPE foo", "ERR Unknown client type 'foo'"),
        ("KILL USER nobody", "ERR No such user 'nobody'"),
        ("KILL SKIPME maybe", "ERR syntax error"),
        ("KILL MAXAGE x", "ERR maxage is not an integer or out of range"),
        ("KILL MAXAGE 0", "ERR maxage should be greater than 0"),
        ("PAUSE x", "ERR timeout is not an integer or out of range"),
        ("PAUSE -1", "ERR timeout is negative"),
        ("PAUSE x foo", "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (
            "PAUSE 1 WRITE x",
            "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
        ),
        ("UNPAUSE x", "ERR wrong number of arguments for 'client|unpause' command"),
    ] {
        assert_eq!(say(&mut session, &format!("CLIENT {words}")), format!("-{error} "), "{words}");
    }
}

#[test]
fn writes_wait_for_the_end_of_a_pause_and_reads_do_not() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_at(&clock);
    let (mut asker, mut writer) = (engine.session(), engine.session());
    assert_eq!(say(&mut asker, "CLIENT PAUSE 500 WRITE"), "+OK ");
    assert_eq!(say(&mut writer, "GET k\r\nSET k v\r\nGET k"), "$-1 ");
    assert!(writer.is_waiting());
    assert_eq!(say(&mut writer, "APPEND k w"), "", "what comes after waits too");
    let lines = say(&mut asker, "CLIENT LIST ID 2");
    assert_eq!(field(&lines, "flags"), "b");
    assert!(say(&mut asker, "INFO clients").contains("blocked_clients:1 "));
    clock.advance_ms(499);
    writer.handle_timeout();
    assert!(writer.is_waiting());
    let due_us = writer.poll_timeout().unwrap();
    clock.advance_ms(1);
    assert_eq!(due_us, 500_000);
    writer.handle_timeout();
    assert_eq!(heard(&mut writer), "+OK $1 v :2 ");
    assert_eq!(writer.poll_timeout(), None);
}

#[test]
fn unpause_calls_the_hosts_of_those_who_wait() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_at(&clock);
    let (mut asker, mut writer) = (engine.session(), engine.session());
    let calls = calls_of(&mut writer);
    assert_eq!(say(&mut writer, "MULTI\r\nINCR n"), "+OK +QUEUED ");
    assert_eq!(say(&mut asker, "CLIENT PAUSE 100000 WRITE"), "+OK ");
    assert_eq!(say(&mut writer, "EXEC\r\nPING"), "");
    assert_eq!(say(&mut asker, "CLIENT UNBLOCK 2"), ":0 ");
    assert_eq!(say(&mut asker, "CLIENT UNPAUSE"), "+OK ");
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(heard(&mut writer), "*1 :1 +PONG ");
}

#[test]
fn a_pause_of_all_holds_everybody_and_stops_expiry() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = engine_at(&clock);
    let mut session = engine.session();
    assert_eq!(say(&mut session, "SET k v PX 100"), "+OK ");
    assert_eq!(say(&mut session, "CLIENT PAUSE 1000"), "+OK ");
    assert_eq!(say(&mut session, "CLIENT UNPAUSE"), "");
    clock.advance_ms(999);
    engine.maintain(1_000);
    assert!(engine.next_expiry_ms().is_some(), "no key is deleted meanwhile");
    clock.advance_ms(1);
    session.handle_timeout();
    assert_eq!(heard(&mut session), "+OK ");
    engine.maintain(1_000);
    assert_eq!(engine.next_expiry_ms(), None);
}

#[test]
fn a_list_tells_what_a_session_watches_and_whether_that_has_changed() {
    let engine = Engine::default();
    let (mut asker, mut watcher) = (engine.session(), engine.session());
    say(&mut watcher, "WATCH a b");
    let line = say(&mut asker, "CLIENT LIST ID 2");
    assert_eq!((field(&line, "watch"), field(&line, "flags")), ("2", "N"));
    say(&mut asker, "SET b 1");
    let line = say(&mut asker, "CLIENT LIST ID 7 2 TYPE normal");
    assert_eq!((field(&line, "watch"), field(&line, "flags")), ("2", "d"));
    say(&mut watcher, "UNWATCH");
    let line = say(&mut asker, "CLIENT LIST ID 2");
    assert_eq!((field(&line, "watch"), field(&line, "flags")), ("0", "N"));
    let listed = say(&mut asker, "CLIENT LIST SKIPME yes");
    assert_eq!(listed.matches("id=").count(), 1);
}

/// Lines of a monitor without their times.
fn shown(monitor: &mut Session) -> Vec<String> {
    monitor.poll();
    let text = String::from_utf8(monitor.take_output()).expect("text");
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((time, rest)) if line.starts_with('+') => {
            assert_eq!(time.len(), "+1339518083.107412".len());
            rest.to_owned()
        }
        _ => line.to_owned(),
    });
    lines.collect()
}

#[test]
fn a_monitor_sees_what_is_carried_out_and_no_secrets() {
    let clock = Arc::new(ManualClock::new(1_339_518_083_107));
    let engine = engine_at(&clock);
    let (mut monitor, mut other) = (engine.session(), engine.session());
    other.set_peer("/tmp/s:0", "/tmp/s:0");
    let calls = calls_of(&mut monitor);
    assert_eq!(say(&mut monitor, "MONITOR"), "+OK ");
    say(&mut other, "MULTI\r\nSET k v\r\nGET k\r\nEXEC\r\nAUTH u p\r\nGET\r\nNOSUCH");
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(
        shown(&mut monitor),
        [
            "[0 unix:/tmp/s] \"MULTI\"",
            "[0 unix:/tmp/s] \"SET\" \"k\" \"v\"",
            "[0 unix:/tmp/s] \"GET\" \"k\"",
            "[0 unix:/tmp/s] \"EXEC\"",
            "[0 unix:/tmp/s] \"AUTH\" \"(redacted)\" \"(redacted)\"",
        ]
    );
    say(&mut other, "SELECT 2\r\nCONFIG GET hz\r\nCLIENT LIST\r\nLPUSH l a\r\nINCR l\r\nBLPOP q 0");
    engine.call(
        &[b"RPUSH", b"q", b"x"],
        &mut keyslot::resp::Encoder::new(keyslot::resp::Protocol::Resp2),
    );
    assert_eq!(
        shown(&mut monitor),
        [
            "[2 unix:/tmp/s] \"SELECT\" \"2\"",
            "[2 unix:/tmp/s] \"LPUSH\" \"l\" \"a\"",
            "[2 unix:/tmp/s] \"INCR\" \"l\"",
            "[2 unix:/tmp/s] \"BLPOP\" \"q\" \"0\"",
            "[0 ?:0] \"RPUSH\" \"q\" \"x\"",
        ]
    );
    monitor.feed(b"PING\r\nMONITOR\r\nMULTI\r\nMONITOR\r\nEXEC\r\n");
    assert_eq!(
        shown(&mut monitor),
        [
            "+PONG",
            "[0 ?:0] \"PING\"",
            "+OK",
            "[0 ?:0] \"MULTI\"",
            "+QUEUED",
            "*1",
            "-ERR MONITOR isn't allowed for DENY BLOCKING client",
            "[0 ?:0] \"EXEC\"",
        ]
    );
    let mut third = engine.session();
    assert_eq!(field(&say(&mut third, "CLIENT LIST ID 1"), "flags"), "O");
    monitor.feed(b"RESET\r\n");
    say(&mut third, "PING");
    assert_eq!(heard(&mut monitor), "+RESET ");
}

#[test]
fn a_monitor_that_does_not_read_falls_under_its_limit() {
    let settings = vec![("client-output-buffer-limit".to_owned(), "normal 10kb 0 0".to_owned())];
    let engine = Engine::new(EngineOptions { settings, ..EngineOptions::default() });
    let (mut monitor, mut other) = (engine.session(), engine.session());
    assert_eq!(say(&mut monitor, "MONITOR"), "+OK ");
    (0..400).for_each(|_| _ = say(&mut other, "PING"));
    monitor.poll();
    assert!(monitor.is_closing() && monitor.output().is_empty());
    assert_eq!(say(&mut other, "PING"), "+PONG ");
}
