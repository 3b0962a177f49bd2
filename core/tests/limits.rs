//! What clients may take: how many there may be, how long they may be silent, how much they may send
//! and leave unread, each and all together.

use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

fn engine_with(settings: &[(&str, &str)], clock: &Arc<ManualClock>) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let settings = settings.iter().map(owned).collect();
    let clock = Box::new(clock.clone());
    Engine::new(EngineOptions { settings, clock, ..EngineOptions::default() })
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(1_000_000))
}

fn say(session: &mut Session, input: &str) -> String {
    session.feed(format!("{input}\r\n").as_bytes());
    heard(session)
}

/// What a session's client has to read by now, on one line.
fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

/// A figure of INFO.
fn figure(session: &mut Session, name: &str) -> usize {
    let info = say(session, "INFO everything");
    let found = info.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
    found.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
}

#[test]
fn one_session_too_many_is_told_so_and_closed() {
    let engine = engine_with(&[("maxclients", "2")], &clock());
    let (mut one, other, mut third) = (engine.session(), engine.session(), engine.session());
    assert!(third.is_closing());
    third.feed(b"SET k v\r\n");
    assert_eq!(heard(&mut third), "-ERR max number of clients reached ");
    assert_eq!(say(&mut one, "EXISTS k"), ":0 ");
    assert_eq!(figure(&mut one, "rejected_connections"), 1);
    assert_eq!(figure(&mut one, "connected_clients"), 2);
    let nothing: &[&[u8]] = &[b"PING"];
    assert!(engine.atomic(&[nothing]).is_ok(), "calls of the host are no clients");
    drop(other);
    assert!(!engine.session().is_closing());
}

#[test]
fn a_silent_session_closes_after_its_time_and_a_listener_does_not() {
    let clock = clock();
    let engine = engine_with(&[("timeout", "10")], &clock);
    let (mut silent, mut listener, mut reader) =
        (engine.session(), engine.session(), engine.session());
    say(&mut listener, "SUBSCRIBE c");
    say(&mut silent, "PING");
    reader.feed(b"PING\r\n");
    assert_eq!(silent.poll_timeout(), Some(10_000_000));
    assert_eq!(listener.poll_timeout(), None);
    clock.advance_ms(9_999);
    silent.handle_timeout();
    assert!(!silent.is_closing());
    reader.consume_output(2);
    clock.advance_ms(1);
    [&mut silent, &mut listener, &mut reader].into_iter().for_each(Session::handle_timeout);
    assert!(silent.is_closing() && silent.output().is_empty());
    assert!(!listener.is_closing() && !reader.is_closing());
}

#[test]
fn queued_commands_count_as_unfinished_input() {
    let engine = engine_with(&[("client-query-buffer-limit", "1mb")], &clock());
    let mut session = engine.session();
    say(&mut session, "MULTI");
    let value = "x".repeat(300_000);
    for number in 1..=3 {
        assert_eq!(say(&mut session, &set("k", &value)), "+QUEUED ", "{number}");
    }
    session.feed(set("k", &value).as_bytes());
    session.feed(b"\r\n");
    assert!(session.is_closing());
    assert_eq!(figure(&mut engine.session(), "client_query_buffer_limit_disconnections"), 1);
}

fn set(key: &str, value: &str) -> String {
    let (key_len, value_len) = (key.len(), value.len());
    format!("*3\r\n$3\r\nSET\r\n${key_len}\r\n{key}\r\n${value_len}\r\n{value}")
}

#[test]
fn who_takes_most_goes_first_when_all_take_too_much() {
    let engine = engine_with(&[("maxmemory-clients", "1mb")], &clock());
    let mut asker = engine.session();
    let value = "x".repeat(100_000);
    say(&mut asker, &set("k", &value));
    let mut sessions: Vec<Session> = (0..3).map(|_| engine.session()).collect();
    say(&mut sessions[0], "CLIENT NO-EVICT on");
    for _ in 0..4 {
        sessions[0].feed(b"GET k\r\nGET k\r\nGET k\r\n");
    }
    sessions[2].feed(b"GET k\r\n");
    for _ in 0..20 {
        sessions[1].feed(b"GET k\r\n");
    }
    assert!(sessions[1].is_closing());
    assert!(!sessions[0].is_closing() && sessions[0].output().len() > 1_200_000, "it is spared");
    assert!(!sessions[2].is_closing() && sessions[2].output().len() > 100_000);
    assert_eq!(figure(&mut asker, "evicted_clients"), 1);
    assert_eq!(say(&mut asker, "PING"), "+PONG ");
}

#[test]
fn a_share_of_maxmemory_bounds_what_clients_take() {
    let settings = [("maxmemory", "10mb"), ("maxmemory-clients", "5%")];
    let engine = engine_with(&settings, &clock());
    let mut session = engine.session();
    let value = "x".repeat(100_000);
    say(&mut session, &set("k", &value));
    (0..20).for_each(|_| session.feed(b"GET k\r\n"));
    assert!(session.is_closing());
}

/// Ten thousand listen and do not read, a few do, and two threads speak.
#[test]
fn those_who_do_not_read_cost_what_their_limit_says_and_the_others_lose_nothing() {
    const SILENT: usize = 10_000;
    const MESSAGES: usize = 100;
    const LIMIT: usize = 4 << 10;
    let limit = format!("pubsub {LIMIT} 0 0");
    let engine =
        engine_with(&[("maxclients", "20000"), ("client-output-buffer-limit", &limit)], &clock());
    let open = |_| {
        let mut session = engine.session();
        say(&mut session, "SUBSCRIBE c d");
        session
    };
    let silent: Vec<Session> = (0..SILENT).map(open).collect();
    let mut readers: Vec<Session> = (0..3).map(open).collect();
    let mut asker = engine.session();
    let before = figure(&mut asker, "mem_clients_normal");
    let mut read = vec![String::new(); readers.len()];
    for number in 0..MESSAGES {
        let speak = |channel: &'static str| {
            let mut speaker = engine.session();
            move || say(&mut speaker, &format!("PUBLISH {channel} {number:050}"))
        };
        std::thread::scope(|scope| {
            scope.spawn(speak("c"));
            scope.spawn(speak("d"));
        });
        for (text, reader) in read.iter_mut().zip(&mut readers) {
            *text += &heard(reader);
        }
        if number % 20 == 0 {
            let taken = figure(&mut asker, "mem_clients_normal").saturating_sub(before);
            assert!(taken <= (SILENT + 3) * LIMIT, "{taken} bytes after {number} messages");
        }
    }
    assert_eq!(figure(&mut asker, "client_output_buffer_limit_disconnections"), SILENT);
    for text in read {
        for channel in ["c", "d"] {
            let said = |number| format!("*3 $7 message $1 {channel} $50 {number:050} ");
            let places: Option<Vec<usize>> = (0..MESSAGES).map(|n| text.find(&said(n))).collect();
            assert!(places.expect("nothing is lost").is_sorted(), "each channel is in order");
        }
    }
    drop(silent);
}
