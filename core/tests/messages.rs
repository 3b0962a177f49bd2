//! Messages between sessions: who hears what, in which words, and what becomes of those who do not
//! read.

use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn say(session: &mut Session, input: &str) -> String {
    session.feed(input.as_bytes());
    heard(session)
}

/// What a session's client has to read by now, on one line.
fn heard(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

fn engine_with(settings: &[(&str, &str)]) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let settings = settings.iter().map(owned).collect();
    Engine::new(EngineOptions { settings, ..EngineOptions::default() })
}

/// A host sleeps on the descriptor; here it looks whether there is a byte to be read.
#[cfg(unix)]
#[test]
fn a_descriptor_is_readable_while_something_waits() {
    use std::io::ErrorKind::WouldBlock;
    use std::os::unix::net::UnixStream;
    let engine = Engine::default();
    let (mut one, mut speaker) = (engine.session(), engine.session());
    say(&mut one, "SUBSCRIBE news\r\n");
    let own = one.descriptor().expect("a descriptor is left").try_clone_to_owned();
    let descriptor = UnixStream::from(own.expect("another one is left"));
    let mut byte = [0];
    let mut is_readable = || match std::io::Read::read(&mut &descriptor, &mut byte) {
        Ok(len) => len == 1,
        Err(error) => {
            assert_eq!(error.kind(), WouldBlock);
            false
        }
    };
    assert!(!is_readable());
    say(&mut speaker, "PUBLISH news a\r\nPUBLISH news b\r\n");
    assert!(is_readable() && !is_readable(), "it is rung once");
    assert_eq!(heard(&mut one).matches("message").count(), 2);
    say(&mut speaker, "PUBLISH news c\r\n");
    one.poll();
    assert!(!is_readable(), "who has polled has heard it");
    say(&mut speaker, "PUBLISH news d\r\n");
    assert!(is_readable());
}

#[test]
fn a_message_reaches_those_who_listen_to_its_channel_or_to_a_pattern() {
    let engine = Engine::default();
    let (mut one, mut other, mut speaker) = (engine.session(), engine.session(), engine.session());
    assert_eq!(
        say(&mut one, "SUBSCRIBE news news sport\r\n"),
        "*3 $9 subscribe $4 news :1 *3 $9 subscribe $4 news :1 *3 $9 subscribe $5 sport :2 "
    );
    assert!(say(&mut other, "HELLO 3\r\n").starts_with("%7 "));
    assert_eq!(say(&mut other, "PSUBSCRIBE n*\r\n"), ">3 $10 psubscribe $2 n* :1 ");
    assert_eq!(say(&mut speaker, "PUBLISH news hello\r\nPUBLISH none x\r\n"), ":2 :1 ");
    assert_eq!(heard(&mut one), "*3 $7 message $4 news $5 hello ");
    assert_eq!(
        heard(&mut other),
        ">4 $8 pmessage $2 n* $4 news $5 hello >4 $8 pmessage $2 n* $4 none $1 x "
    );
    drop(one);
    assert_eq!(say(&mut speaker, "PUBLISH sport x\r\n"), ":0 ");
}

#[test]
fn shard_channels_are_apart_from_the_others() {
    let engine = Engine::default();
    let (mut one, mut speaker) = (engine.session(), engine.session());
    say(&mut one, "SUBSCRIBE c\r\n");
    assert_eq!(
        say(&mut one, "SSUBSCRIBE c d\r\n"),
        "*3 $10 ssubscribe $1 c :1 *3 $10 ssubscribe $1 d :2 "
    );
    assert_eq!(say(&mut speaker, "SPUBLISH c s\r\nPUBLISH d p\r\n"), ":1 :0 ");
    assert_eq!(heard(&mut one), "*3 $8 smessage $1 c $1 s ");
    assert_eq!(say(&mut speaker, "PUBSUB SHARDCHANNELS\r\n"), "*2 $1 c $1 d ");
    assert_eq!(say(&mut speaker, "PUBSUB SHARDNUMSUB c x\r\n"), "*4 $1 c :1 $1 x :0 ");
    assert_eq!(say(&mut one, "SUNSUBSCRIBE\r\n").matches("sunsubscribe").count(), 2);
    assert_eq!(say(&mut one, "SUNSUBSCRIBE\r\n"), "*3 $12 sunsubscribe $-1 :0 ");
}

#[test]
fn in_the_older_protocol_a_listener_may_only_listen() {
    let engine = Engine::default();
    let mut session = engine.session();
    say(&mut session, "SUBSCRIBE c\r\n");
    let refused = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                   this context ";
    assert_eq!(say(&mut session, "get k\r\n"), format!("-ERR Can't execute 'get': {refused}"));
    assert_eq!(
        say(&mut session, "CONFIG GET x\r\n"),
        format!("-ERR Can't execute 'config|get': {refused}")
    );
    assert_eq!(say(&mut session, "PING\r\nPING x\r\n"), "*2 $4 pong $0  *2 $4 pong $1 x ");
    assert_eq!(say(&mut session, "UNSUBSCRIBE c\r\n"), "*3 $11 unsubscribe $1 c :0 ");
    assert_eq!(say(&mut session, "PING\r\nGET k\r\n"), "+PONG $-1 ");
    say(&mut session, "PSUBSCRIBE p\r\n");
    assert_eq!(say(&mut session, "RESET\r\nGET k\r\nPUBSUB NUMPAT\r\n"), "+RESET $-1 :0 ");
}

#[test]
fn a_speaker_who_listens_hears_itself_after_the_reply() {
    let mut session = Engine::default().session();
    say(&mut session, "HELLO 3\r\n");
    assert_eq!(
        say(&mut session, "SUBSCRIBE c\r\nPUBLISH c m\r\nPING\r\n"),
        ">3 $9 subscribe $1 c :1 :1 >3 $7 message $1 c $1 m +PONG "
    );
    // Silence is for replies; messages were asked for.
    assert_eq!(
        say(&mut session, "CLIENT REPLY OFF\r\nPUBLISH c n\r\nSUBSCRIBE d\r\n"),
        ">3 $7 message $1 c $1 n >3 $9 subscribe $1 d :2 "
    );
}

#[test]
fn who_listens_can_be_asked() {
    let engine = Engine::default();
    let (mut one, mut other) = (engine.session(), engine.session());
    say(&mut one, "SUBSCRIBE a b\r\n");
    say(&mut one, "PSUBSCRIBE x*\r\n");
    assert_eq!(say(&mut other, "PUBSUB CHANNELS\r\n"), "*2 $1 a $1 b ");
    assert_eq!(say(&mut other, "PUBSUB CHANNELS [b-c]\r\n"), "*1 $1 b ");
    assert_eq!(say(&mut other, "PUBSUB NUMSUB a z\r\nPUBSUB NUMSUB\r\n"), "*4 $1 a :1 $1 z :0 *0 ");
    assert_eq!(say(&mut other, "PUBSUB NUMPAT\r\n"), ":1 ");
    assert!(say(&mut other, "CLIENT LIST\r\n").contains(" flags=P db=0 sub=2 psub=1 ssub=0 "));
    assert!(!say(&mut other, "CLIENT LIST TYPE normal\r\n").contains("id=1 "));
    assert!(say(&mut other, "CLIENT LIST TYPE pubsub\r\n").contains("id=1 "));
    assert!(say(&mut other, "INFO stats\r\n").contains("pubsub_channels:2 pubsub_patterns:1 "));
    let mut reply = keyslot::resp::Encoder::default();
    engine.call(&[b"SUBSCRIBE", b"a"], &mut reply);
    assert_eq!(reply.bytes(), b"-ERR SUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n");
}

#[test]
fn the_host_is_called_once_until_it_comes() {
    let engine = Engine::default();
    let (mut one, mut speaker) = (engine.session(), engine.session());
    say(&mut one, "SUBSCRIBE c\r\n");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    one.set_waker(Arc::new(move || {
        counted.fetch_add(1, SeqCst);
    }));
    say(&mut speaker, "PUBLISH c 1\r\nPUBLISH c 2\r\n");
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(heard(&mut one).matches("message").count(), 2);
    say(&mut speaker, "PUBLISH c 3\r\n");
    assert_eq!(calls.load(SeqCst), 2);
    let counted = calls.clone();
    one.set_waker(Arc::new(move || {
        counted.fetch_add(10, SeqCst);
    }));
    assert_eq!(calls.load(SeqCst), 12);
}

#[test]
fn who_does_not_read_is_cut_off_and_takes_no_memory() {
    let engine = engine_with(&[("client-output-buffer-limit", "pubsub 1000 0 0")]);
    let (mut one, mut speaker) = (engine.session(), engine.session());
    say(&mut one, "SUBSCRIBE c\r\n");
    let text = "x".repeat(300);
    for _ in 0..100 {
        say(&mut speaker, &format!("PUBLISH c {text}\r\n"));
    }
    let info = say(&mut speaker, "INFO stats\r\n");
    assert!(info.contains("client_output_buffer_limit_disconnections:1 "), "{info}");
    assert_eq!(heard(&mut one), "");
    assert!(one.is_closing());
}

/// What a session that listens to all events of database 0 hears of these commands, a pair of event
/// and key for each.
fn events_of(classes: &str, commands: &[&str]) -> Vec<String> {
    let engine = engine_with(&[("notify-keyspace-events", classes)]);
    let (mut listener, mut session) = (engine.session(), engine.session());
    say(&mut listener, "PSUBSCRIBE __key*__:*\r\n");
    for command in commands {
        say(&mut session, &format!("{command}\r\n"));
    }
    let heard = heard(&mut listener);
    let words: Vec<&str> =
        heard.split(' ').filter(|word| word.starts_with(|c| c != '$' && c != '*')).collect();
    let messages = words.chunks_exact(4).map(|words| format!("{} {}", words[2], words[3]));
    messages.map(|text| text.replace("__keyevent@0__:", "").replace("__", "")).collect()
}

#[test]
fn each_change_is_told_under_its_name() {
    let expected = [
        ("SET k 1", "set k"),
        ("SET k 1 EX 100", "set k,expire k"),
        ("SET k 2 NX", ""),
        ("SETEX k 100 v", "set k,expire k"),
        ("GETEX k PERSIST", "persist k"),
        ("GETEX k PERSIST", ""),
        ("GETEX k EX 100", "expire k"),
        ("PERSIST k", "persist k"),
        ("GETSET k 5", "set k"),
        ("INCR k", "incrby k"),
        ("DECRBY k 3", "incrby k"),
        ("INCRBYFLOAT k 1.5", "incrbyfloat k"),
        ("APPEND k x", "append k"),
        ("SETRANGE k 1 y", "setrange k"),
        ("SETRANGE k 1 \"\"", ""),
        ("MSET a 1 b 2", "set a,set b"),
        ("MSETNX a 1 c 2", ""),
        ("EXPIRE a 100", "expire a"),
        ("EXPIRE a -1", "del a"),
        ("RENAME b a", "rename_from b,rename_to a"),
        ("COPY a b", "copy_to b"),
        ("GETDEL b", "del b"),
        ("DEL a a k", "del a,del k"),
        ("SET k v", "set k"),
        ("UNLINK k", "del k"),
        ("RESTORE k 0 \"\\x00\\x01v\\x0b\\x00\\xd9\\x9b\\x5a\\xd7\\x1f\\xa5\\x6b\\xcd\"", ""),
    ];
    for (number, (command, events)) in expected.iter().enumerate() {
        let so_far: Vec<&str> = expected[..=number].iter().map(|(command, _)| *command).collect();
        let before = events_of("EA", &so_far[..number]).len();
        let heard = events_of("EA", &so_far)[before..].join(",");
        assert_eq!(heard, *events, "{command}");
    }
}

#[test]
fn classes_and_channels_are_chosen_by_the_setting() {
    let commands = ["GET k", "SET k v", "SET k v", "EXPIRE k 100"];
    assert_eq!(events_of("", &commands), [""; 0]);
    assert_eq!(events_of("A", &commands), [""; 0]);
    assert_eq!(events_of("E$", &commands), ["set k"; 2]);
    assert_eq!(events_of("Emn", &commands), ["keymiss k", "new k"]);
    assert_eq!(events_of("KEg", &commands), ["keyspace@0:k expire", "expire k"]);
    assert_eq!(events_of("KEA", &commands).len(), 6);
}

#[test]
fn keys_that_expire_by_themselves_are_told_of() {
    let clock = Arc::new(keyslot::time::ManualClock::new(1_000));
    let engine = Engine::new(EngineOptions {
        clock: Box::new(clock.clone()),
        settings: vec![("notify-keyspace-events".to_owned(), "Ex".to_owned())],
        ..EngineOptions::default()
    });
    let (mut listener, mut session) = (engine.session(), engine.session());
    say(&mut listener, "SUBSCRIBE __keyevent@2__:expired\r\n");
    say(&mut session, "SELECT 2\r\nSET a v PX 10\r\nSET b v PX 10\r\n");
    clock.advance_ms(50);
    say(&mut session, "GET b\r\n");
    assert!(heard(&mut listener).ends_with(" $1 b "));
    engine.maintain(100);
    assert!(heard(&mut listener).ends_with(" $1 a "));
}
