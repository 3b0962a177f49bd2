//! What writes say that they did: absolute, definite, in order, and nothing where nothing changed.

use keyslot::resp::{Protocol, ReplyBuilder};
use keyslot::time::ManualClock;
use keyslot::{Effect, Effects, Engine, EngineOptions, Session};
use std::sync::Arc;

struct Recording {
    clock: Arc<ManualClock>,
    engine: Engine,
    session: Session,
    effects: Effects,
}

impl Recording {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
        let engine = Engine::new(options);
        let (session, effects) = (engine.session(), engine.effects());
        Self { clock, engine, session, effects }
    }

    fn run(&mut self, commands: &[&str]) {
        for command in commands {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            self.session.call(&words, &mut ReplyBuilder::new(Protocol::Resp2));
        }
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(effect) = self.effects.poll() {
            said.push(match effect {
                Effect::Begin => "[".to_owned(),
                Effect::End => "]".to_owned(),
                Effect::Command { words, .. } => {
                    let texts = words.iter().map(|word| String::from_utf8_lossy(word));
                    texts.collect::<Vec<_>>().join(" ")
                }
            });
        }
        said
    }

    /// What a command says after others.
    #[track_caller]
    fn after(before: &[&str], command: &str, expected: &[&str]) {
        let mut recording = Self::new();
        recording.run(before);
        recording.said();
        recording.run(&[command]);
        assert_eq!(recording.said(), expected, "{command}");
    }
}

#[test]
fn times_become_absolute() {
    let cases = [
        ("SET k v EX 10", "SET k v PXAT 1010000"),
        ("SET k v NX PX 10", "SET k v PXAT 1000010"),
        ("SETEX k 10 v", "SET k v PXAT 1010000"),
        ("PSETEX k 10 v", "SET k v PXAT 1000010"),
    ];
    for (command, said) in cases {
        Recording::after(&[], command, &[said]);
    }
    let cases = [
        ("EXPIRE k 10", "PEXPIREAT k 1010000"),
        ("PEXPIRE k 10 NX", "PEXPIREAT k 1000010"),
        ("EXPIREAT k 2000", "PEXPIREAT k 2000000"),
        ("EXPIRE k -1", "DEL k"),
        ("GETEX k PX 10", "PEXPIREAT k 1000010"),
        ("GETEX k EXAT 1", "DEL k"),
    ];
    for (command, said) in cases {
        Recording::after(&["SET k v"], command, &[said]);
    }
    let cases = [
        ("SET k w IFEQ v", "SET k w"),
        ("SET k w IFNE w KEEPTTL", "SET k w KEEPTTL"),
        ("SET k w IFEQ v EX 10", "SET k w PXAT 1010000"),
        ("DELEX k IFNE w", "DEL k"),
        ("DELEX k", "DEL k"),
        ("DELIFEQ k v", "DEL k"),
    ];
    for (command, said) in cases {
        Recording::after(&["SET k v"], command, &[said]);
    }
    Recording::after(&["SET k v"], "SET k w IFEQ x", &[]);
    let said = ["[", "SET a 1 PXAT 1010000", "SET b 2 PXAT 1010000", "]"];
    Recording::after(&[], "MSETEX 2 a 1 b 2 EX 10", &said);
    Recording::after(&["SET k v EX 10"], "GETEX k PERSIST", &["PERSIST k"]);
    let cases = [
        ("HEXPIRE h 10 FIELDS 2 a b", "HPEXPIREAT h 1010000 FIELDS 2 a b"),
        ("HPEXPIREAT h 1 FIELDS 2 a none", "HDEL h a"),
        ("HGETEX h PX 10 FIELDS 1 a", "HPEXPIREAT h 1000010 FIELDS 1 a"),
        ("HSETEX h EX 10 FIELDS 1 a 2", "HSETEX h PXAT 1010000 FIELDS 1 a 2"),
    ];
    for (command, said) in cases {
        Recording::after(&["HSET h a 1 b 2"], command, &[said]);
    }
}

#[test]
fn a_trim_that_groups_have_a_say_in_says_what_was_asked_for() {
    let before = ["XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v", "XGROUP CREATE s g 1"];
    let cases = [
        ("XTRIM s MAXLEN 1", "XTRIM s MAXLEN = 1"),
        ("XTRIM s MAXLEN 1 DELREF", "XTRIM s MAXLEN = 1 DELREF"),
        ("XTRIM s MAXLEN 1 ACKED", "XTRIM s MAXLEN ~ 1 LIMIT 0 ACKED"),
        ("XTRIM s MINID ~ 3 LIMIT 5 ACKED", "XTRIM s MINID ~ 3-0 LIMIT 5 ACKED"),
    ];
    for (command, said) in cases {
        Recording::after(&before, command, &[said]);
    }
}

#[test]
fn what_chance_or_a_search_chose_is_named() {
    Recording::after(&["SADD s a"], "SPOP s", &["SREM s a"]);
    Recording::after(&["SADD s a b"], "SPOP s 9", &["DEL s"]);
    Recording::after(&["RPUSH l a"], "BLPOP none l 0", &["LPOP l 1"]);
    Recording::after(&["RPUSH l a b"], "LMPOP 2 none l RIGHT COUNT 2", &["RPOP l 2"]);
    Recording::after(&["RPUSH l a b"], "BLMOVE l m LEFT RIGHT 0", &["LMOVE l m LEFT RIGHT"]);
    Recording::after(&["RPUSH l a b"], "RPOPLPUSH l m", &["LMOVE l m RIGHT LEFT"]);
    Recording::after(&["ZADD z 1 a"], "BZPOPMIN none z 0", &["ZPOPMIN z 1"]);
    Recording::after(&["ZADD z 1 a"], "ZMPOP 1 z MAX COUNT 3", &["ZPOPMAX z 3"]);
}

#[test]
fn sums_of_floats_are_told_as_they_came_out() {
    Recording::after(&["SET k 1.5 EX 9"], "INCRBYFLOAT k 0.25", &["SET k 1.75 KEEPTTL"]);
    let said = "HSETEX h KEEPTTL FIELDS 1 f 0.5";
    Recording::after(&[], "HINCRBYFLOAT h f 0.5", &[said]);
}

#[test]
fn ids_of_streams_are_exact() {
    Recording::after(&[], "XADD s * f v", &["XADD s 1000000-0 f v"]);
    let trimmed = ["[", "XADD s 9-0 f v", "XTRIM s MAXLEN = 1", "]"];
    Recording::after(&["XADD s 1 a b"], "XADD s MAXLEN 1 9 f v", &trimmed);
    let group = ["XADD s 5 a b", "XGROUP CREATE s g 0"];
    Recording::after(&group, "XGROUP SETID s g $", &["XGROUP SETID s g 5-0"]);
    let delivered = [
        "[",
        "XGROUP CREATECONSUMER s g c",
        "XCLAIM s g c 0 5-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID",
        "XGROUP SETID s g 5-0 ENTRIESREAD 1",
        "]",
    ];
    Recording::after(&group, "XREADGROUP GROUP g c STREAMS s >", &delivered);
    let before = [&group[..], &["XREADGROUP GROUP g c STREAMS s >"]].concat();
    let claimed = [
        "[",
        "XGROUP CREATECONSUMER s g d",
        "XCLAIM s g d 0 5-0 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID",
        "]",
    ];
    Recording::after(&before, "XAUTOCLAIM s g d 0 0", &claimed);
    let again = [&before[..], &["XDEL s 5"]].concat();
    let gone = ["[", "XGROUP CREATECONSUMER s g d", "XACK s g 5-0", "]"];
    Recording::after(&again, "XCLAIM s g d 0 5", &gone);
}

#[test]
fn other_commands_are_their_own_words() {
    for command in ["HSET h f v", "APPEND k x", "MSET a 1 b 2", "PFADD p x", "FLUSHALL"] {
        Recording::after(&[], command, &[command]);
    }
    Recording::after(&["SADD a x"], "SUNIONSTORE d a b", &["SUNIONSTORE d a b"]);
    Recording::after(&["SET a x"], "COPY a b DB 3", &["COPY a b DB 3"]);
}

#[test]
fn what_changed_nothing_says_nothing() {
    let silent =
        ["GET k", "DEL none", "SET k w NX", "SADD s a", "HSET x", "LPOP none", "EXPIRE k 9 XX"];
    for command in silent {
        Recording::after(&["SET k v", "SADD s a"], command, &[]);
    }
}

#[test]
fn transactions_are_one() {
    let mut recording = Recording::new();
    recording.run(&["MULTI", "SET a 1", "GET a", "EXEC"]);
    assert_eq!(recording.said(), ["SET a 1"]);
    recording.run(&["MULTI", "SET a 1", "INCR a", "SELECT 1", "SPOP none", "INCR b", "EXEC"]);
    assert_eq!(recording.said(), ["[", "SET a 1", "INCR a", "INCR b", "]"]);
}

#[test]
fn who_waits_says_what_was_popped_when_it_is_served() {
    let mut recording = Recording::new();
    let mut waiter = recording.engine.session();
    waiter.feed(b"BLPOP l 0\r\n");
    recording.run(&["RPUSH l x"]);
    assert_eq!(recording.said(), ["RPUSH l x", "LPOP l 1"]);
}

#[test]
fn keys_and_fields_that_expire_are_deleted_by_name() {
    let mut recording = Recording::new();
    recording.run(&["SET k v PX 5", "HSETEX h PX 5 FIELDS 1 a 1", "HSET h b 2"]);
    recording.run(&["SET lazy v PX 5"]);
    recording.said();
    recording.clock.advance_ms(100);
    recording.run(&["INCR lazy"]);
    assert_eq!(recording.said(), ["[", "DEL lazy", "INCR lazy", "]"]);
    while recording.engine.maintain(100) {}
    let mut said = recording.said();
    said.sort();
    assert_eq!(said, ["DEL k", "HDEL h a"]);
}

#[test]
fn a_slot_is_heard_of_alone() {
    let mut recording = Recording::new();
    let slot = keyslot::slot::SlotScheme::Redis.slot(b"{t}");
    recording.effects = recording.engine.effects_of_slot(slot).unwrap();
    recording.run(&["SET other 1", "SET {t}a 1", "MSET {t}a 2 other 2"]);
    assert_eq!(recording.said(), ["SET {t}a 1", "MSET {t}a 2 other 2"]);
    assert!(recording.engine.effects_of_slot(16_384).is_err());
}

#[test]
fn a_recording_that_is_dropped_costs_nothing_more() {
    let engine = Engine::default();
    drop(engine.effects());
    engine.set(b"k", b"v").unwrap();
    assert_eq!(engine.effects().poll(), None);
}
