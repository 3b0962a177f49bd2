//! Sessions that wait: in which order they are served, what they are answered, and what ends a wait.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
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

fn sessions<const N: usize>(engine: &Engine) -> [Session; N] {
    std::array::from_fn(|_| engine.session())
}

fn timed() -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_000));
    let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
    (Engine::new(options), clock)
}

#[test]
fn who_waits_is_served_in_the_order_of_arrival() {
    let engine = Engine::default();
    let [mut one, mut two, mut three, mut giver] = sessions(&engine);
    for session in [&mut one, &mut two, &mut three] {
        assert_eq!(say(session, "BLPOP k 0\r\n"), "");
        assert!(session.is_waiting());
    }
    // The values are gone before anybody else can take them.
    assert_eq!(say(&mut giver, "RPUSH k a b\r\nLPOP k\r\nEXISTS k\r\n"), ":2 $-1 :0 ");
    assert_eq!(heard(&mut one), "*2 $1 k $1 a ");
    assert_eq!(heard(&mut two), "*2 $1 k $1 b ");
    assert_eq!(heard(&mut three), "");
    assert!(three.is_waiting() && !one.is_waiting());
    assert_eq!(say(&mut giver, "RPUSH k c d\r\nLRANGE k 0 -1\r\n"), ":2 *1 $1 d ");
    assert_eq!(heard(&mut three), "*2 $1 k $1 c ");
}

#[test]
fn what_is_there_is_answered_at_once_and_what_follows_is_carried_out_after() {
    let engine = Engine::default();
    let [mut one, mut giver] = sessions(&engine);
    say(&mut giver, "RPUSH k a\r\n");
    let input = "BLPOP x k 0\r\nBRPOP x k 0\r\nSET done 1\r\nECHO after\r\n";
    assert_eq!(say(&mut one, input), "*2 $1 k $1 a ");
    assert_eq!(say(&mut one, "ECHO last\r\nECHO hal"), "");
    assert_eq!(say(&mut giver, "EXISTS done\r\nRPUSH x b c\r\nEXISTS done\r\n"), ":0 :2 :0 ");
    assert_eq!(heard(&mut one), "*2 $1 x $1 c +OK $5 after $4 last ");
    assert_eq!(say(&mut one, "f\r\n"), "$4 half ");
}

#[test]
fn each_command_answers_in_its_own_way() {
    for (asked, given, expected) in [
        ("BLPOP k 0", "RPUSH k a b", "*2 $1 k $1 a "),
        ("BRPOP l k 0", "RPUSH k a b", "*2 $1 k $1 b "),
        ("BLMOVE k t LEFT RIGHT 0", "RPUSH k a b", "$1 a "),
        ("BRPOPLPUSH k k 0", "RPUSH k a b", "$1 b "),
        ("BLMPOP 0 2 l k RIGHT COUNT 5", "RPUSH k a b", "*2 $1 k *2 $1 b $1 a "),
        ("BZPOPMIN k 0", "ZADD k 1 a 2 b", "*3 $1 k $1 a $1 1 "),
        ("BZPOPMAX k 0", "ZADD k 1 a 2 b", "*3 $1 k $1 b $1 2 "),
        ("BZMPOP 0 1 k MAX COUNT 2", "ZADD k 1 a 2 b", "*2 $1 k *2 *2 $1 b $1 2 *2 $1 a $1 1 "),
        ("XREAD BLOCK 0 STREAMS k $", "XADD k 5-1 f v", "*1 *2 $1 k *1 *2 $3 5-1 *2 $1 f $1 v "),
        ("BLPOP k 0", "LPUSH o a\r\nRENAME o k", "*2 $1 k $1 a "),
        ("BLPOP k 0", "LPUSH o a\r\nCOPY o k", "*2 $1 k $1 a "),
        ("BLPOP k 0", "SELECT 1\r\nLPUSH k a\r\nMOVE k 0", "*2 $1 k $1 a "),
        ("BLPOP k 0", "SELECT 1\r\nLPUSH k a\r\nSWAPDB 0 1", "*2 $1 k $1 a "),
        ("BLPOP k 0", "SORT x STORE k\r\nRPUSH x 1\r\nLMOVE x k LEFT LEFT", "*2 $1 k $1 1 "),
        ("BZPOPMIN k 0", "ZADD o 1 a\r\nZUNIONSTORE k 1 o", "*3 $1 k $1 a $1 1 "),
        ("BLPOP k 0", "MULTI\r\nRPUSH k a\r\nLPUSH k b\r\nEXEC", "*2 $1 k $1 b "),
        ("BLPOP k 0", "MULTI\r\nRPUSH k a\r\nDEL k\r\nEXEC", ""),
        ("BLPOP k 0", "SET k a", ""),
        ("BLPOP k 0", "ZADD k 1 a", ""),
        ("BLPOP k 0", "SELECT 1\r\nRPUSH k a", ""),
    ] {
        let engine = Engine::default();
        let [mut one, mut giver] = sessions(&engine);
        assert_eq!(say(&mut one, &format!("{asked}\r\n")), "", "{asked}");
        say(&mut giver, &format!("{given}\r\n"));
        assert_eq!(heard(&mut one), expected, "{asked}; {given}");
        assert_eq!(one.is_waiting(), expected.is_empty(), "{asked}; {given}");
    }
}

#[test]
fn one_who_is_served_may_serve_the_next() {
    let engine = Engine::new(EngineOptions { shards: 1024, ..EngineOptions::default() });
    for keys in [["{k}a", "{k}b", "{k}c"], ["a", "b", "c"]] {
        let [mut one, mut two, mut three, mut giver] = sessions(&engine);
        let [a, b, c] = keys;
        say(&mut three, &format!("BLPOP {c} 0\r\n"));
        say(&mut two, &format!("BLMOVE {b} {c} LEFT LEFT 0\r\n"));
        say(&mut one, &format!("BLMOVE {a} {b} LEFT LEFT 0\r\n"));
        assert_eq!(say(&mut giver, &format!("RPUSH {a} x\r\nEXISTS {a} {b} {c}\r\n")), ":1 :0 ");
        assert_eq!((heard(&mut one), heard(&mut two)), ("$1 x ".into(), "$1 x ".into()));
        assert_eq!(heard(&mut three), format!("*2 ${} {c} $1 x ", c.len()));
    }
}

#[test]
fn who_waits_under_other_locks_comes_before_the_next_command_of_a_pipeline() {
    let engine = Engine::default();
    let [mut one, mut giver] = sessions(&engine);
    say(&mut one, "BLMOVE a b LEFT LEFT 0\r\n");
    assert_eq!(say(&mut giver, "RPUSH a x\r\nLPOP a\r\nLPOP b\r\n"), ":1 $-1 $1 x ");
    assert_eq!(heard(&mut one), "$1 x ");
}

#[test]
fn a_wrong_type_is_an_error_on_arrival_and_at_the_target() {
    let engine = Engine::default();
    let [mut one, mut giver] = sessions(&engine);
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value ";
    say(&mut giver, "SET s v\r\n");
    for asked in ["BLPOP s 0", "BZPOPMIN x s 0", "BLMOVE s t LEFT LEFT 0", "BLMPOP 0 1 s LEFT"] {
        assert_eq!(say(&mut one, &format!("{asked}\r\n")), wrong);
    }
    say(&mut one, "BLMOVE k s LEFT LEFT 0\r\n");
    assert_eq!(say(&mut giver, "RPUSH k a\r\nLRANGE k 0 -1\r\n"), ":1 *1 $1 a ");
    assert_eq!(heard(&mut one), wrong);
}

#[test]
fn time_ends_a_wait() {
    let (engine, clock) = timed();
    let mut session = engine.session();
    for (asked, expected) in [
        ("BLPOP k 0.5", "*-1 "),
        ("BLMOVE k t LEFT LEFT 0.5", "*-1 "),
        ("BZMPOP 0.5 1 k MIN", "*-1 "),
        ("XREAD BLOCK 500 STREAMS k $", "*-1 "),
        ("WAIT 1 500", ":0 "),
        ("WAITAOF 0 1 500", "*2 :0 :0 "),
    ] {
        assert_eq!(say(&mut session, &format!("{asked}\r\nECHO x\r\n")), "");
        let deadline_us = session.poll_timeout().expect("it does not wait for ever");
        clock.advance_ms(499);
        session.handle_timeout();
        assert!(session.is_waiting());
        clock.advance_ms(1);
        session.handle_timeout();
        assert_eq!(heard(&mut session), format!("{expected}$1 x "), "{asked}");
        assert_eq!(session.poll_timeout(), None);
        assert!(deadline_us > 0);
    }
    say(&mut session, "BLPOP k 0\r\n");
    assert_eq!(session.poll_timeout(), None);
    clock.advance_ms(1_000_000);
    session.handle_timeout();
    assert!(session.is_waiting());
}

#[test]
fn timeouts_are_read_as_redis_reads_them() {
    let mut session = Engine::default().session();
    for (asked, error) in [
        ("BLPOP k x", "timeout is not a float or out of range"),
        ("BLPOP k nan", "timeout is not a float or out of range"),
        ("BLPOP k -0.5", "timeout is negative"),
        ("BLPOP k 1e30", "timeout is out of range"),
        ("BLPOP k inf", "timeout is out of range"),
        ("BLPOP k 9223372036854775", "timeout is out of range"),
        ("BLMOVE a b LEFT x 0", "syntax error"),
        ("BLMPOP x 0 a LEFT", "timeout is not a float or out of range"),
        ("BLMPOP 1 0 a LEFT", "numkeys should be greater than 0"),
        ("XREAD BLOCK 0.5 STREAMS k $", "timeout is not an integer or out of range"),
        ("WAIT x 0", "value is not an integer or out of range"),
        ("WAIT 0 -1", "timeout is negative"),
        ("WAITAOF 2 0 0", "value is out of range, value must between 0 and 1"),
        ("WAITAOF 0 -1 0", "value is out of range, must be positive"),
        (
            "WAITAOF 1 0 0",
            "WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ),
    ] {
        assert_eq!(say(&mut session, &format!("{asked}\r\n")), format!("-ERR {error} "), "{asked}");
    }
    assert_eq!(say(&mut session, "WAIT 0 0\r\nWAITAOF 0 0 0\r\n"), ":0 *2 :0 :0 ");
}

#[test]
fn who_may_not_wait_is_answered_at_once() {
    let engine = Engine::default();
    let mut session = engine.session();
    let input = "MULTI\r\nBLPOP k 0\r\nBLMOVE k l LEFT LEFT 0\r\nBZPOPMIN k 0\r\nXREAD BLOCK 0 \
                 STREAMS k $\r\nWAIT 1 0\r\nRPUSH k a\r\nBLPOP k 0\r\nEXEC\r\n";
    assert!(say(&mut session, input).ends_with("*7 *-1 $-1 *-1 *-1 :0 :1 *2 $1 k $1 a "));
    let mut reply = keyslot::resp::Encoder::default();
    session.call(&[b"BLPOP", b"k", b"0"], &mut reply);
    engine.call(&[b"BLPOP", b"k", b"0"], &mut reply);
    assert_eq!(reply.bytes(), b"*-1\r\n*-1\r\n");
    assert!(!session.is_waiting());
}

#[test]
fn another_session_can_end_a_wait() {
    let engine = Engine::default();
    let [mut one, mut other] = sessions(&engine);
    say(&mut one, "BLPOP k l 100\r\n");
    let list = say(&mut other, "CLIENT LIST ID 1\r\n");
    assert!(list.contains(" flags=b ") && list.contains(" cmd=blpop "), "{list}");
    let info = say(&mut other, "INFO clients\r\n");
    assert!(
        info.contains(
            " blocked_clients:1 tracking_clients:0 clients_in_timeout_table:1 \
                           total_blocking_keys:2 "
        ),
        "{info}"
    );
    assert_eq!(say(&mut other, "CLIENT UNBLOCK 1\r\nCLIENT UNBLOCK 1\r\n"), ":1 :0 ");
    assert_eq!(heard(&mut one), "*-1 ");
    say(&mut one, "BLPOP k l 0\r\nPING\r\n");
    assert_eq!(say(&mut other, "CLIENT UNBLOCK 1 ERROR\r\n"), ":1 ");
    assert_eq!(heard(&mut one), "-UNBLOCKED client unblocked via CLIENT UNBLOCK +PONG ");
    assert_eq!(say(&mut other, "CLIENT UNBLOCK 2\r\nCLIENT UNBLOCK 77 TIMEOUT\r\n"), ":0 :0 ");
    // Nobody is left in the queues.
    assert_eq!(say(&mut other, "RPUSH k a\r\nLPOP k\r\n"), ":1 $1 a ");
    assert!(say(&mut other, "INFO clients\r\n").contains(" blocked_clients:0 "));
}

#[test]
fn who_hangs_up_takes_nothing() {
    let engine = Engine::default();
    let [mut one, mut two, mut giver] = sessions(&engine);
    say(&mut one, "BLPOP k 0\r\n");
    say(&mut two, "BLPOP k 0\r\n");
    drop(one);
    say(&mut giver, "RPUSH k a\r\n");
    assert_eq!(heard(&mut two), "*2 $1 k $1 a ");
}

#[test]
fn a_group_that_ends_ends_the_wait_of_its_readers() {
    let engine = Engine::default();
    for (end, error) in [
        ("DEL k", "-NOGROUP "),
        ("XGROUP DESTROY k g", "-NOGROUP "),
        ("SET k v", "-WRONGTYPE "),
        ("FLUSHALL", "-NOGROUP "),
    ] {
        let [mut one, mut giver] = sessions(&engine);
        say(&mut giver, "DEL k\r\nXGROUP CREATE k g $ MKSTREAM\r\n");
        assert_eq!(say(&mut one, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >\r\n"), "");
        say(&mut giver, &format!("{end}\r\n"));
        let said = heard(&mut one);
        assert!(said.starts_with(error), "{end}: {said}");
    }
    let [mut one, mut two, mut giver] = sessions(&engine);
    say(&mut giver, "DEL k\r\nXGROUP CREATE k g $ MKSTREAM\r\n");
    say(&mut one, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >\r\n");
    say(&mut two, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >\r\n");
    say(&mut giver, "XADD k 1-1 f v\r\n");
    assert!(heard(&mut one).contains("$3 1-1"));
    assert!(two.is_waiting());
}

#[test]
fn an_answer_calls_the_host() {
    let engine = Engine::default();
    let [mut one, mut giver] = sessions(&engine);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    one.set_waker(Arc::new(move || _ = counted.fetch_add(1, SeqCst)));
    say(&mut one, "BLPOP k 0\r\n");
    engine.execute(&[b"RPUSH", b"k", b"a"]).expect("a list");
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(heard(&mut one), "*2 $1 k $1 a ");
    say(&mut giver, "RPUSH k a\r\n");
    assert_eq!(calls.load(SeqCst), 1);
}

#[test]
fn a_slot_that_goes_takes_its_waiters_along() {
    let me = NodeId::parse(&[b'a'; 40]).expect("forty letters");
    let other = NodeId::parse(&[b'b'; 40]).expect("forty letters");
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(me, "me", 1));
    topology.put_node(Node::primary(other, "other", 2));
    topology.require_full_coverage = false;
    let slot = |key: &[u8]| SlotScheme::Redis.slot(key);
    topology.assign(slot(b"k"), me);
    topology.assign(slot(b"l"), me);
    let engine = Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() });
    let [mut one, mut two, mut admin] = sessions(&engine);
    say(&mut one, "BLPOP k 0\r\nPING\r\n");
    say(&mut two, "BLPOP l 0\r\n");
    let node = |id: NodeId| id.to_string();
    say(&mut admin, &format!("CLUSTER SETSLOT {} MIGRATING {}\r\n", slot(b"k"), node(other)));
    assert_eq!(heard(&mut one), "");
    say(&mut admin, &format!("CLUSTER SETSLOT {} NODE {}\r\n", slot(b"k"), node(other)));
    assert_eq!(heard(&mut one), format!("-MOVED {} other:2 +PONG ", slot(b"k")));
    assert!(two.is_waiting());
    say(&mut admin, &format!("CLUSTER DELSLOTS {}\r\n", slot(b"l")));
    assert_eq!(heard(&mut two), "-CLUSTERDOWN Hash slot not served ");
}

#[test]
fn who_sleeps_holds_up_nobody_else() {
    let clock = Arc::new(ManualClock::new(1_000));
    let settings = vec![("enable-debug-command".to_owned(), "yes".to_owned())];
    let options =
        EngineOptions { clock: Box::new(clock.clone()), settings, ..EngineOptions::default() };
    let engine = Engine::new(options);
    let [mut one, mut two] = sessions(&engine);
    assert_eq!(say(&mut one, "DEBUG SLEEP 0.25s\r\nECHO after\r\n"), "");
    clock.advance_ms(249);
    one.handle_timeout();
    assert_eq!(heard(&mut one), "");
    assert_eq!(say(&mut two, "ECHO other\r\n"), "$5 other ");
    clock.advance_ms(1);
    one.handle_timeout();
    assert_eq!(heard(&mut one), "+OK $5 after ");
    for text in ["0", "-1", "x", "0.0000"] {
        assert_eq!(say(&mut one, &format!("DEBUG SLEEP {text}\r\n")), "+OK ", "{text}");
    }
    assert_eq!(say(&mut one, "MULTI\r\nDEBUG SLEEP 9\r\nEXEC\r\n"), "+OK +QUEUED *1 +OK ");
}

#[test]
fn threads_lose_nothing_and_get_nothing_twice() {
    const EACH: usize = 1_000;
    let engine = Engine::default();
    let taken: usize = std::thread::scope(|scope| {
        let takers: Vec<_> = ["BLPOP a b 0\r\n", "BRPOP b a 0\r\n", "BLMOVE a c LEFT LEFT 0\r\n"]
            .into_iter()
            .map(|asked| {
                let engine = &engine;
                scope.spawn(move || {
                    let mut session = engine.session();
                    let mut taken = 0;
                    loop {
                        session.feed(asked.as_bytes());
                        while session.is_waiting() {
                            std::thread::yield_now();
                            session.poll();
                        }
                        let said = heard(&mut session);
                        if said.contains("end") {
                            return taken;
                        }
                        assert!(said.contains('v'), "{said}");
                        taken += 1;
                    }
                })
            })
            .collect();
        let givers: Vec<_> = ["a", "b"]
            .into_iter()
            .map(|key| {
                let engine = &engine;
                scope.spawn(move || {
                    let mut session = engine.session();
                    for number in 0..EACH {
                        say(&mut session, &format!("RPUSH {key} v{number}\r\n"));
                    }
                })
            })
            .collect();
        givers.into_iter().for_each(|giver| giver.join().expect("it gives"));
        let left = |key: &[u8]| match engine.execute(&[b"LLEN", key]) {
            Ok(keyslot::resp::Reply::Integer(len)) => len,
            other => panic!("{other:?}"),
        };
        while left(b"a") + left(b"b") > 0 {
            // A value may lie in the list that nobody who is left waits for.
            engine.execute(&[b"LMOVE", b"b", b"a", b"LEFT", b"RIGHT"]).expect("lists");
            std::thread::yield_now();
        }
        for _ in 0..3 {
            engine.execute(&[b"RPUSH", b"a", b"end"]).expect("a list");
        }
        takers.into_iter().map(|taker| taker.join().expect("it takes")).sum()
    });
    assert_eq!(taken, 2 * EACH);
}
