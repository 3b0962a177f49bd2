//! Slots between two engines with many keys in flight at once: what is sent before it is answered, and
//! that nobody who writes meanwhile is told to try again. That nothing is lost or comes back is in
//! `migrate_courses.rs`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

mod pair;

use keyslot::{MigrationEvent, MigrationLimits, Mode, Session};
use pair::{Pair, ask, client, follow, frame, slot, step};

fn limits() -> MigrationLimits {
    MigrationLimits { batch_keys: 2, in_flight_keys: 6, attempts: 2, ..MigrationLimits::default() }
}

fn fill(pair: &Pair, keys: usize) {
    let mut source = pair.engines[0].session();
    (0..keys).for_each(|key| {
        assert_eq!(ask(&mut source, &format!("SET {{k}}{key} {key}")), "+OK\r\n");
    });
}

/// How many of the slot's keys are at the source and at the target.
fn counts(pair: &Pair) -> [String; 2] {
    let count = format!("CLUSTER COUNTKEYSINSLOT {}", slot("k"));
    [0, 1].map(|engine| ask(&mut pair.engines[engine].session(), &count))
}

fn hear(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).unwrap()
}

#[test]
fn a_window_of_keys_is_sent_before_any_is_answered() {
    let pair = Pair::new(Mode::AsyncKeys);
    fill(&pair, 20);
    let mut target = pair.engines[1].session();
    let mut migration = pair.migration(&[slot("k")], limits());
    step(&mut migration, &mut target);
    target.feed(&frame(&mut migration));
    let answers = target.take_output();
    assert_eq!(counts(&pair), [":20\r\n", ":6\r\n"]);
    assert!(frame(&mut migration).is_empty(), "the window is full");
    assert!(migration.status().lag_bytes > 0);
    // Two answers make room for two more.
    migration.handle_frame(&answers[..2 * "+OK\r\n".len()]);
    assert_eq!(counts(&pair), [":18\r\n", ":6\r\n"]);
    target.feed(&frame(&mut migration));
    assert_eq!(counts(&pair), [":18\r\n", ":8\r\n"]);
    migration.handle_frame(&answers[2 * "+OK\r\n".len()..]);
    migration.handle_frame(&target.take_output());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(migration.status().keys_moved, 20);
    assert_eq!(counts(&pair)[1], ":20\r\n");
}

#[test]
fn writers_wait_for_keys_in_flight_and_for_no_others() {
    let pair = Pair::new(Mode::AsyncKeys);
    fill(&pair, 2);
    let mut source = pair.engines[0].session();
    let mut migration = pair.migration(&[slot("k")], limits());
    let mut target = pair.engines[1].session();
    step(&mut migration, &mut target);
    let sent = frame(&mut migration);
    let key = "{k}1";
    assert_eq!(ask(&mut source, &format!("GET {key}")), "$1\r\n1\r\n");
    assert_eq!(ask(&mut source, "SET x y"), "+OK\r\n");
    assert_eq!(ask(&mut source, &format!("SET {key} new")), "");
    assert!(source.is_waiting());
    // What is fed behind it waits too, in its order.
    assert_eq!(ask(&mut source, "GET x"), "");
    let mut other = pair.engines[0].session();
    assert_eq!(ask(&mut other, &format!("APPEND {key} more")), "");
    assert_eq!(hear(&mut source), "");
    target.feed(&sent);
    migration.handle_frame(&target.take_output());
    let redirect = format!("-ASK {} two:2\r\n", slot("k"));
    assert_eq!(hear(&mut source), format!("{redirect}$1\r\ny\r\n"));
    assert_eq!(hear(&mut other), redirect);
    assert_eq!(follow(&pair, &format!("SET {key} new"), redirect), Some("+OK\r\n".into()));
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(client(&pair, &format!("GET {key}")), Some("$3\r\nnew\r\n".into()));
}

#[test]
fn a_writer_whose_key_stays_gets_its_result() {
    let pair = Pair::new(Mode::AsyncKeys);
    fill(&pair, 1);
    let mut source = pair.engines[0].session();
    let mut target = pair.engines[1].session();
    let mut migration = pair.migration(&[slot("k")], limits());
    step(&mut migration, &mut target);
    frame(&mut migration);
    assert_eq!(ask(&mut source, "APPEND {k}0 x"), "");
    migration.handle_frame(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_eq!(hear(&mut source), ":2\r\n");
    let end = pair.run(&mut migration);
    assert!(matches!(end, MigrationEvent::Failed { open: None, .. }), "{end:?}");
    assert_eq!(ask(&mut source, "GET {k}0"), "$2\r\n0x\r\n");
}

#[test]
fn transactions_scripts_and_commands_with_several_keys_wait_too() {
    let pair = Pair::new(Mode::AsyncKeys);
    fill(&pair, 2);
    let mut target = pair.engines[1].session();
    let mut migration = pair.migration(&[slot("k")], limits());
    step(&mut migration, &mut target);
    let sent = frame(&mut migration);
    let mut sessions: Vec<Session> = (0..5).map(|_| pair.engines[0].session()).collect();
    assert_eq!(ask(&mut sessions[0], "MULTI"), "+OK\r\n");
    assert_eq!(ask(&mut sessions[0], "INCR {k}0"), "+QUEUED\r\n");
    assert_eq!(ask(&mut sessions[0], "EXEC"), "");
    assert_eq!(ask(&mut sessions[1], "MSET {k}0 a {k}1 b"), "");
    assert_eq!(ask(&mut sessions[2], "EVAL return(1) 1 {k}0"), "");
    assert_eq!(ask(&mut sessions[3], "BLPOP {k}0 0"), "");
    assert_eq!(ask(&mut sessions[4], "MGET {k}0 {k}1"), "*2\r\n$1\r\n0\r\n$1\r\n1\r\n");
    target.feed(&sent);
    migration.handle_frame(&target.take_output());
    let redirect = format!("-ASK {} two:2\r\n", slot("k"));
    for session in &mut sessions[..4] {
        assert_eq!(hear(session), redirect);
    }
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
}

#[test]
fn who_waits_for_a_key_to_change_learns_that_it_has_left() {
    let pair = Pair::new(Mode::AsyncKeys);
    let mut source = pair.engines[0].session();
    assert_eq!(ask(&mut source, "XGROUP CREATE {k}0 g $ MKSTREAM"), "+OK\r\n");
    assert_eq!(ask(&mut source, "XREADGROUP GROUP g c BLOCK 0 STREAMS {k}0 >"), "");
    let mut migration = pair.migration(&[slot("k")], limits());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    let told = hear(&mut source);
    assert!(["-ASK", "-MOVED"].iter().any(|start| told.starts_with(start)), "{told}");
}

#[test]
fn nobody_waits_for_a_migration_that_was_given_up() {
    for drops in [false, true] {
        let pair = Pair::new(Mode::AsyncKeys);
        fill(&pair, 1);
        let mut source = pair.engines[0].session();
        let mut target = pair.engines[1].session();
        let mut migration = pair.migration(&[slot("k")], limits());
        step(&mut migration, &mut target);
        target.feed(&frame(&mut migration));
        assert_eq!(ask(&mut source, "SET {k}0 new"), "");
        while !drops && !migration.is_ended() {
            pair.clock.advance_ms(10_000);
            migration.handle_timeout();
        }
        drop(migration);
        let text = "-TRYAGAIN The key is on its way to another node\r\n";
        assert_eq!(hear(&mut source), text);
        // The next migration settles it.
        let mut again = pair.migration(&[slot("k")], limits());
        assert_eq!(pair.run(&mut again), MigrationEvent::Finished);
        assert_eq!(client(&pair, "GET {k}0"), Some("$1\r\n0\r\n".into()));
    }
}

#[test]
fn keys_of_all_databases_arrive_and_large_ones_go_alone() {
    let pair = Pair::new(Mode::AsyncKeys);
    let mut source = pair.engines[0].session();
    fill(&pair, 50);
    let large = "x".repeat(300_000);
    (0..4).for_each(|key| _ = ask(&mut source, &format!("SET {{k}}large{key} {large}")));
    ask(&mut source, "SELECT 3");
    (0..9).for_each(|key| _ = ask(&mut source, &format!("SET {{k}}{key} other PXAT 5000000")));
    let limits = MigrationLimits { batch_bytes: 100_000, ..MigrationLimits::default() };
    let mut migration = pair.migration(&[slot("k"), slot("nothing")], limits);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!((migration.status().keys_moved, migration.status().slots_moved), (63, 2));
    let mut target = pair.engines[1].session();
    assert_eq!(ask(&mut target, "STRLEN {k}large3"), ":300000\r\n");
    ask(&mut target, "SELECT 3");
    assert_eq!(ask(&mut target, "PEXPIRETIME {k}7"), ":5000000\r\n");
}
