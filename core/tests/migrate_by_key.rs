//! Slots between two engines, key by key: what clients see meanwhile. That nothing is lost or comes
//! back is in `migrate_courses.rs`; a redis-server as the target has a test of its own.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

mod pair;

use keyslot::cluster::SlotState;
use keyslot::slot::SlotSet;
use keyslot::{Effect, Engine, Migration, MigrationEvent, MigrationLimits, Mode, Session};
use pair::{Pair, ask, client, frame, id, slot, step};

fn small() -> MigrationLimits {
    MigrationLimits { batch_keys: 3, attempts: 2, ..MigrationLimits::default() }
}

#[test]
fn values_expiry_and_databases_arrive() {
    let pair = Pair::new(Mode::ByKey);
    let mut source = pair.engines[0].session();
    for number in 0..1_000 {
        ask(&mut source, &format!("SET {{a}}{number} value{number} PXAT 5000000"));
    }
    ask(&mut source, "SET {b}int 12345");
    ask(&mut source, &format!("SET {{b}}large {}", "x".repeat(3_000_000)));
    ask(&mut source, "SELECT 3");
    ask(&mut source, "SET {a}0 other");
    let mut migration = pair.migration(&[slot("a"), slot("b")], MigrationLimits::default());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!((migration.status().keys_moved, migration.status().slots_moved), (1_003, 2));

    let mut target = pair.engines[1].session();
    assert_eq!(ask(&mut target, "GET {a}77"), "$7\r\nvalue77\r\n");
    assert_eq!(ask(&mut target, "PEXPIRETIME {a}77"), ":5000000\r\n");
    assert_eq!(ask(&mut target, "GET {b}int"), "$5\r\n12345\r\n");
    assert_eq!(ask(&mut target, "STRLEN {b}large"), ":3000000\r\n");
    assert_eq!(ask(&mut target, "PTTL {b}int"), ":-1\r\n");
    ask(&mut target, "SELECT 3");
    assert_eq!(ask(&mut target, "GET {a}0"), "$5\r\nother\r\n");
    ask(&mut source, "SELECT 0");
    assert_eq!(ask(&mut source, "DBSIZE"), ":0\r\n");
    let moved = format!("-MOVED {} two:2\r\n", slot("a"));
    assert_eq!(ask(&mut source, "GET {a}77"), moved);
    for engine in [0, 1] {
        assert_eq!(pair.state(engine, slot("a")), SlotState::Stable);
    }
}

#[test]
fn keys_in_transit_are_read_and_not_written() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    for line in ["SET {k}1 one", "SET {k}2 two", "SET x other"] {
        ask(&mut source, line);
    }
    let mut migration = pair.migration(&[slot("k")], small());
    step(&mut migration, &mut target);
    let batch = frame(&mut migration);
    assert_eq!(ask(&mut source, "GET {k}1"), "$3\r\none\r\n");
    let text = "-TRYAGAIN The key is on its way to another node\r\n";
    assert_eq!(ask(&mut source, "SET {k}1 new"), text);
    assert_eq!(ask(&mut source, "DEL {k}1"), text);
    assert_eq!(ask(&mut source, "SET x new"), "+OK\r\n");
    let ask_text = format!("-ASK {} two:2\r\n", slot("k"));
    assert_eq!(ask(&mut source, "SET {k}3 three"), ask_text);
    target.feed(&batch);
    migration.handle_frame(&target.take_output());
    assert_eq!(ask(&mut source, "SET {k}1 new"), ask_text);
    assert_eq!(client(&pair, "SET {k}1 new"), Some("+OK\r\n".into()));
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(client(&pair, "GET {k}1"), Some("$3\r\nnew\r\n".into()));
    assert_eq!(client(&pair, "GET {k}2"), Some("$3\r\ntwo\r\n".into()));
}

/// A slot that is open, with one key of two at the target, and the migration that is under way.
fn half_moved(pair: &Pair) -> Migration {
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    for line in ["SET {k}1 1", "SET {k}2 2"] {
        ask(&mut source, line);
    }
    let limits = MigrationLimits { batch_keys: 1, ..small() };
    let mut migration = pair.migration(&[slot("k")], limits);
    (0..2).for_each(|_| step(&mut migration, &mut target));
    migration
}

/// Names of the two keys: the one that has moved, and the one that has not.
fn by_place(pair: &Pair) -> (&'static str, &'static str) {
    let is_here = ask(&mut pair.engines[0].session(), "GET {k}1").starts_with('$');
    if is_here { ("{k}2", "{k}1") } else { ("{k}1", "{k}2") }
}

#[test]
fn a_transaction_is_served_where_it_asks() {
    let pair = Pair::new(Mode::ByKey);
    let _migration = half_moved(&pair);
    let (moved, _) = by_place(&pair);
    let mut target = pair.engines[1].session();
    let lines = ["ASKING", "MULTI", &format!("INCR {moved}"), &format!("INCR {moved}")];
    let told = lines.map(|line| ask(&mut target, line));
    assert_eq!(told, ["+OK\r\n", "+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n"]);
    let number: i64 = moved[3..].parse().unwrap();
    assert_eq!(ask(&mut target, "EXEC"), format!("*2\r\n:{}\r\n:{}\r\n", number + 1, number + 2));
    // It was for this transaction alone.
    assert_eq!(ask(&mut target, "MULTI"), "+OK\r\n");
    assert!(ask(&mut target, &format!("INCR {moved}")).starts_with("-MOVED"));
}

#[test]
fn what_has_arrived_is_not_sent_over_what_was_made_of_it() {
    let pair = Pair::new(Mode::ByKey);
    let mut target = pair.engines[1].session();
    let mut migration = half_moved(&pair);
    let (moved, other) = by_place(&pair);
    // The other key arrives, and the answer is lost.
    target.feed(&frame(&mut migration));
    target.take_output();
    let lines = ["ASKING", "MULTI", &format!("SET {moved} new"), &format!("SET {other} new")];
    lines.iter().for_each(|line| assert!(ask(&mut target, line).starts_with('+')));
    assert_eq!(ask(&mut target, "EXEC"), "*2\r\n+OK\r\n+OK\r\n");
    migration.handle_reconnect();
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    for key in [moved, other] {
        assert_eq!(client(&pair, &format!("GET {key}")), Some("$3\r\nnew\r\n".into()));
    }
}

#[test]
fn a_target_that_gave_the_slot_on_is_not_made_its_owner_again() {
    let pair = Pair::new(Mode::ByKey);
    let [one, two] = &pair.engines;
    ask(&mut one.session(), "SET k v");
    let mut migration = pair.migration(&[slot("k")], small());
    // All goes well but for the last answer, which is lost; the node hears from others who has the slot.
    let mut target = two.session();
    while !pair.owns(1, slot("k")) {
        step_without_the_end(&mut migration, &mut target);
    }
    one.change_topology(|view| {
        view.assign(slot("k"), id(b'b'));
        view.set_state(slot("k"), SlotState::Stable);
    })
    .unwrap();
    // Meanwhile the slot comes back.
    let mut back =
        two.migrate(Mode::ByKey, SlotSet::from_iter([slot("k")]), id(b'a'), small()).unwrap();
    let mut source = one.session();
    while !back.is_ended() {
        step(&mut back, &mut source);
    }
    assert!(pair.owns(0, slot("k")));
    migration.handle_reconnect();
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert!(pair.owns(0, slot("k")) && !pair.owns(1, slot("k")));
    assert_eq!(ask(&mut one.session(), "GET k"), "$1\r\nv\r\n");
}

/// As [`step`], but the answer by which the target owns the slot is lost.
fn step_without_the_end(migration: &mut Migration, target: &mut Session) {
    let frame = frame(migration);
    let is_end = frame.windows(4).any(|word| word == b"NODE");
    target.feed(&frame);
    let answer = target.take_output();
    if !is_end {
        migration.handle_frame(&answer);
    }
}

#[test]
fn a_script_is_served_where_it_asks() {
    let pair = Pair::new(Mode::ByKey);
    let _migration = half_moved(&pair);
    let (moved, _) = by_place(&pair);
    let mut target = pair.engines[1].session();
    ask(&mut target, "ASKING");
    let script = format!("EVAL return{{redis.call('incr',KEYS[1])}} 1 {moved}");
    let number: i64 = moved[3..].parse().unwrap();
    assert_eq!(ask(&mut target, &script), format!("*1\r\n:{}\r\n", number + 1));
    for line in ["ASKING", "MULTI", &script] {
        ask(&mut target, line);
    }
    assert_eq!(ask(&mut target, "EXEC"), format!("*1\r\n*1\r\n:{}\r\n", number + 2));
}

#[test]
fn a_script_does_nothing_while_one_of_its_keys_is_on_its_way() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    for line in ["SET {k}1 1", "SET {k}2 2"] {
        ask(&mut source, line);
    }
    let limits = MigrationLimits { batch_keys: 1, ..small() };
    let mut migration = pair.migration(&[slot("k")], limits);
    step(&mut migration, &mut target);
    let batch = frame(&mut migration);
    let text = "-TRYAGAIN The key is on its way to another node\r\n";
    let calls = "redis.call('incr',KEYS[1]);redis.call('incr',KEYS[2])";
    for keys in ["{k}1 {k}2", "{k}2 {k}1"] {
        assert_eq!(ask(&mut source, &format!("EVAL {calls} 2 {keys}")), text);
    }
    let read = "EVAL_RO return{redis.call('get',KEYS[1])} 1 ";
    assert_eq!(ask(&mut source, &format!("{read}{{k}}1")), "*1\r\n$1\r\n1\r\n");
    assert_eq!(ask(&mut source, &format!("{read}{{k}}2")), "*1\r\n$1\r\n2\r\n");
    target.feed(&batch);
    migration.handle_frame(&target.take_output());
}

#[test]
fn keys_that_leave_are_deleted_for_all_to_hear() {
    let pair = Pair::new(Mode::ByKey);
    let source = &pair.engines[0];
    let (mut reader, mut listener) = (source.session(), source.session());
    for line in ["CONFIG SET notify-keyspace-events Eg", "HELLO 3", "CLIENT TRACKING ON"] {
        ask(&mut reader, line);
    }
    ask(&mut listener, "SUBSCRIBE __keyevent@0__:del");
    ask(&mut reader, "SET {k}1 one");
    ask(&mut reader, "GET {k}1");
    ask(&mut reader, "GET {k}absent");
    let mut effects = source.effects();
    let mut migration = pair.migration(&[slot("k")], small());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    let told = std::iter::from_fn(|| effects.poll()).collect::<Vec<_>>();
    let deletes =
        |effect: &Effect| matches!(effect, Effect::Command { words, .. } if words[0] == b"DEL");
    assert_eq!(told.iter().filter(|effect| deletes(effect)).count(), 1, "{told:?}");
    listener.poll();
    let heard = String::from_utf8(listener.take_output()).unwrap();
    assert!(heard.ends_with("$4\r\n{k}1\r\n"), "{heard}");
    reader.poll();
    let pushes = String::from_utf8(reader.take_output()).unwrap();
    for key in ["{k}1", "{k}absent"] {
        assert!(
            pushes.contains(&format!("invalidate\r\n*1\r\n${}\r\n{key}", key.len())),
            "{pushes}"
        );
    }
}

#[test]
fn a_copy_of_what_is_not_there_is_given_up_when_the_slot_opens() {
    let pair = Pair::new(Mode::ByKey);
    let mut reader = pair.engines[0].session();
    for line in ["HELLO 3", "CLIENT TRACKING ON", "GET {k}absent"] {
        ask(&mut reader, line);
    }
    let _migration = half_moved(&pair);
    reader.poll();
    let pushes = String::from_utf8(reader.take_output()).unwrap();
    assert!(pushes.contains("{k}absent"), "{pushes}");
}

#[test]
fn keys_flushed_on_their_way_do_not_come_back() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    ask(&mut source, "SET {k}1 one");
    let mut migration = pair.migration(&[slot("k")], small());
    step(&mut migration, &mut target);
    let batch = frame(&mut migration);
    assert_eq!(ask(&mut source, "FLUSHALL"), "+OK\r\n");
    target.feed(&batch);
    assert!(ask(&mut source, "GET {k}1").starts_with("-TRYAGAIN"));
    migration.handle_frame(&target.take_output());
    assert!(ask(&mut source, "GET {k}1").starts_with("-TRYAGAIN"));
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(client(&pair, "GET {k}1"), Some("$-1\r\n".into()));
}

#[test]
fn keys_that_expired_and_were_not_met_do_not_hold_a_slot_up() {
    let pair = Pair::new(Mode::ByKey);
    ask(&mut pair.engines[0].session(), "SET k v PX 10");
    pair.clock.advance_ms(1_000);
    let mut migration = pair.migration(&[slot("k")], small());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(migration.status().keys_moved, 0);
}

#[test]
fn more_expired_keys_than_a_batch_has_do_not_hold_a_slot_up() {
    let pair = Pair::new(Mode::ByKey);
    let mut source = pair.engines[0].session();
    (0..100).for_each(|n| _ = ask(&mut source, &format!("SET {{k}}{n} v PX 10")));
    pair.clock.advance_ms(1_000);
    let mut migration = pair.migration(&[slot("k")], small());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(migration.status().keys_moved, 0);
}

#[test]
fn a_migration_that_is_cancelled_before_a_key_has_left_changes_nothing() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    ask(&mut source, "SET k v");
    for steps in [0, 1] {
        let mut migration = pair.migration(&[slot("k")], small());
        (0..steps).for_each(|_| step(&mut migration, &mut target));
        // With one step before, the key is sent when the migration is cancelled.
        let sent = frame(&mut migration);
        migration.cancel();
        target.feed(&sent);
        migration.handle_frame(&target.take_output());
        assert_eq!(pair.run(&mut migration), MigrationEvent::Cancelled { open: None });
        assert_eq!(ask(&mut target, "DBSIZE"), ":0\r\n");
        assert_eq!(ask(&mut source, "SET k v"), "+OK\r\n");
        for engine in [0, 1] {
            assert_eq!(pair.state(engine, slot("k")), SlotState::Stable);
        }
    }
}

#[test]
fn a_migration_that_is_cancelled_later_can_be_taken_up_again() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    (0..10).for_each(|n| assert_eq!(ask(&mut source, &format!("SET {{k}}{n} {n}")), "+OK\r\n"));
    let mut migration = pair.migration(&[slot("k")], small());
    (0..2).for_each(|_| step(&mut migration, &mut target));
    migration.cancel();
    let open = Some(slot("k"));
    assert_eq!(pair.run(&mut migration), MigrationEvent::Cancelled { open });
    drop(migration);
    let all_are_there = || {
        (0..10).for_each(|n| {
            assert_eq!(client(&pair, &format!("GET {{k}}{n}")), Some(format!("$1\r\n{n}\r\n")));
        });
    };
    all_are_there();
    let mut again = pair.migration(&[slot("k")], small());
    assert_eq!(pair.run(&mut again), MigrationEvent::Finished);
    all_are_there();
    assert_eq!(ask(&mut source, "DBSIZE"), ":0\r\n");
}

/// Lets the target answer `answer` to the first batch. Returns the event that follows.
fn answered(pair: &Pair, answer: &[u8]) -> (Migration, MigrationEvent) {
    let mut target = pair.engines[1].session();
    ask(&mut pair.engines[0].session(), "SET k v");
    let mut migration = pair.migration(&[slot("k")], small());
    step(&mut migration, &mut target);
    frame(&mut migration);
    migration.handle_frame(answer);
    loop {
        step(&mut migration, &mut target);
        if let Some(event) = migration.poll_event() {
            return (migration, event);
        }
        pair.clock.advance_ms(3_000);
        migration.handle_timeout();
    }
}

#[test]
fn a_target_that_refuses_a_key_leaves_all_as_it_was() {
    for text in [
        "BUSYKEY Target key name already exists.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Bad data format",
    ] {
        let pair = Pair::new(Mode::ByKey);
        let (_, end) = answered(&pair, format!("-{text}\r\n").as_bytes());
        let MigrationEvent::Failed { error, open: None } = end else { panic!("{end:?}") };
        assert_eq!(error.to_string(), text);
        assert_eq!(ask(&mut pair.engines[0].session(), "APPEND k w"), ":2\r\n");
        for engine in [0, 1] {
            assert_eq!(pair.state(engine, slot("k")), SlotState::Stable);
        }
    }
}

#[test]
fn a_target_that_is_busy_is_tried_again() {
    let pair = Pair::new(Mode::ByKey);
    let (mut migration, event) = answered(&pair, b"-LOADING Redis is loading the dataset\r\n");
    assert_eq!(event, MigrationEvent::SlotMoved { slot: slot("k"), keys: 1 });
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
}

#[test]
fn answers_that_nobody_asked_for_poison_the_machine() {
    let pair = Pair::new(Mode::ByKey);
    let (mut migration, end) = answered(&pair, b"+OK\r\n+OK\r\n");
    assert!(matches!(end, MigrationEvent::Failed { open: Some(_), .. }), "{end:?}");
    assert!(migration.is_ended());
    migration.handle_frame(b"+OK\r\n");
    assert!(!migration.poll_transmit(&mut Vec::new(), 1));
    assert_eq!(migration.poll_event(), None);
}

#[test]
fn a_target_that_never_answers_fails_the_migration_and_a_later_one_settles_the_keys() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    ask(&mut source, "SET k v");
    let mut migration = pair.migration(&[slot("k")], small());
    step(&mut migration, &mut target);
    // The key arrives; no answer does.
    target.feed(&frame(&mut migration));
    let mut events = Vec::new();
    while !migration.is_ended() {
        pair.clock.advance_ms(10_000);
        migration.handle_timeout();
        events.extend(std::iter::from_fn(|| migration.poll_event()));
    }
    assert_eq!(events[..2], [MigrationEvent::Reconnect, MigrationEvent::Reconnect]);
    let MigrationEvent::Failed { error, open: Some(_) } = &events[2] else { panic!() };
    assert_eq!(error.to_string(), "IOERR error or timeout reading from target instance");
    drop(migration);
    assert!(ask(&mut source, "SET k new").starts_with("-TRYAGAIN"));
    assert_eq!(ask(&mut source, "GET k"), "$1\r\nv\r\n");
    let mut again = pair.migration(&[slot("k")], small());
    assert_eq!(pair.run(&mut again), MigrationEvent::Finished);
    assert_eq!(client(&pair, "GET k"), Some("$1\r\nv\r\n".into()));
}

#[test]
fn a_slot_that_is_closed_by_hand_keeps_its_keys() {
    let pair = Pair::new(Mode::ByKey);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    ask(&mut source, "SET k v");
    let mut migration = pair.migration(&[slot("k")], small());
    step(&mut migration, &mut target);
    let batch = frame(&mut migration);
    assert_eq!(ask(&mut source, &format!("CLUSTER SETSLOT {} STABLE", slot("k"))), "+OK\r\n");
    assert_eq!(ask(&mut source, "SET k new"), "+OK\r\n");
    target.feed(&batch);
    migration.handle_frame(&target.take_output());
    let end = pair.run(&mut migration);
    assert!(matches!(end, MigrationEvent::Failed { open: None, .. }), "{end:?}");
    assert_eq!(ask(&mut source, "GET k"), "$3\r\nnew\r\n");
    assert_eq!(ask(&mut target, "DBSIZE"), ":0\r\n");
}

#[test]
fn a_target_that_has_keys_of_the_slot_already_is_refused() {
    let pair = Pair::new(Mode::ByKey);
    let (source, target) = (&pair.engines[0], &pair.engines[1]);
    let mut session = target.session();
    let number = slot("k");
    let importing = format!("CLUSTER SETSLOT {number} IMPORTING {}", "a".repeat(40));
    let stable = format!("CLUSTER SETSLOT {number} STABLE");
    for line in [&importing, "ASKING", "SET {k}stray v", &stable] {
        assert_eq!(ask(&mut session, line), "+OK\r\n");
    }
    ask(&mut source.session(), "SET k v");
    let mut migration = pair.migration(&[slot("k")], small());
    let end = pair.run(&mut migration);
    let MigrationEvent::Failed { error, open: None } = end else { panic!("{end:?}") };
    let text = format!("ERR Target node already holds keys of hash slot {}", slot("k"));
    assert_eq!(error.to_string(), text);
    assert_eq!(pair.state(1, slot("k")), SlotState::Stable);
}

#[test]
fn a_migration_that_cannot_work_does_not_begin() {
    let pair = Pair::new(Mode::ByKey);
    let begin = |slots: &[u16], target| {
        let slots = slots.iter().copied().collect::<SlotSet>();
        let begun = pair.engines[0].migrate(Mode::ByKey, slots, target, small());
        begun.map(|_| ()).map_err(|error| error.to_string())
    };
    let unknown = id(b'c');
    assert_eq!(begin(&[1], unknown), Err(format!("ERR I don't know about node {unknown}")));
    pair.engines[0].change_topology(|topology| topology.unassign(2)).unwrap();
    assert_eq!(begin(&[1, 2], id(b'b')), Err("ERR I'm not the owner of hash slot 2".into()));
    let _first = pair.migration(&[5], small());
    let text = "ERR Hash slot 5 is open for another migration";
    assert_eq!(begin(&[4, 5], id(b'b')), Err(text.into()));
    assert_eq!(begin(&[4], id(b'b')), Ok(()));
    let alone = Engine::default();
    assert!(alone.migrate(Mode::ByKey, SlotSet::new(), id(b'b'), small()).is_err());
}
