//! What is the same for migrations of every mode: limits, progress, the log, and the commands by which
//! clients ask for them, see them and end them.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

mod pair;

use keyslot::{
    Engine, MigrationEvent, MigrationLimits, MigrationOrder, MigrationState, Mode, Session,
};
use pair::{Pair, ask, id, slot};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MODES: [Mode; 4] = [Mode::ByKey, Mode::AsyncKeys, Mode::Atomic, Mode::ByTag];
/// Those in which the keys of a tag need not go at once.
const FINE: &[Mode] = MODES.split_at(3).0;

fn filled(mode: Mode) -> Pair {
    let pair = Pair::new(mode);
    let mut source = pair.engines[0].session();
    let value = "x".repeat(100);
    for key in 0..500 {
        assert_eq!(ask(&mut source, &format!("SET {{k}}{key} {value}")), "+OK\r\n");
    }
    pair
}

#[test]
fn bytes_per_second_are_limited() {
    for &mode in FINE {
        let pair = filled(mode);
        let limits = MigrationLimits {
            bytes_per_second: Some(100_000),
            batch_bytes: 5_000,
            piece_bytes: 5_000,
            ..MigrationLimits::default()
        };
        let begin_ms = pair.clock_ms();
        let mut migration = pair.migration(&[slot("k")], limits);
        assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
        let sent = migration.status().bytes_sent;
        assert!(sent > 50_000, "{mode:?}: {sent}");
        // The last batch is paid for afterwards.
        let least_ms = (sent - 20_000) / 100;
        let took_ms = pair.clock_ms() - begin_ms;
        assert!(took_ms >= least_ms, "{mode:?}: {sent} bytes in {took_ms} ms");
    }
}

#[test]
fn progress_is_told_and_the_end_estimated() {
    for &mode in FINE {
        let pair = filled(mode);
        let limits = MigrationLimits {
            progress_every_ms: Some(5),
            bytes_per_second: Some(1_000_000),
            batch_keys: 10,
            batch_bytes: 2_000,
            piece_bytes: 2_000,
            ..MigrationLimits::default()
        };
        let mut migration = pair.migration(&[slot("k")], limits);
        let events = pair.events(&mut migration);
        let statuses: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                MigrationEvent::Progress(status) => Some(status),
                _ => None,
            })
            .collect();
        assert!(statuses.len() > 2, "{mode:?}: {}", statuses.len());
        let sent = |status: &keyslot::MigrationStatus| status.bytes_sent;
        assert!(statuses.windows(2).all(|pair| sent(pair[0]) <= sent(pair[1])));
        let middle = statuses[statuses.len() / 2];
        assert!(middle.left_ms.is_some() && middle.bytes_sent > 0, "{mode:?}: {middle:?}");
        assert_eq!(events.last(), Some(&MigrationEvent::Finished));
    }
}

#[test]
fn migrations_are_remembered_up_to_a_number() {
    let pair = filled(Mode::ByKey);
    let engine = &pair.engines[0];
    let mut session = engine.session();
    let max = "CONFIG SET cluster-slot-migration-log-max-len 2";
    assert_eq!(ask(&mut session, max), "+OK\r\n");
    let states = || -> Vec<_> {
        engine.migrations().into_iter().map(|entry| (entry.id, entry.state)).collect()
    };
    let mut first = pair.migration(&[1, 2], MigrationLimits::default());
    assert_eq!(states(), [(first.id(), MigrationState::Connecting)]);
    assert_eq!(pair.run(&mut first), MigrationEvent::Finished);
    let mut second = pair.migration(&[slot("k")], MigrationLimits::default());
    second.cancel();
    assert_eq!(pair.run(&mut second), MigrationEvent::Cancelled { open: None });
    let third = pair.migration(&[7], MigrationLimits::default());
    let third_id = third.id();
    drop((first, second.id(), third));
    let ids: Vec<_> = states().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [third_id, second.id()]);
    assert!(states().iter().all(|(_, state)| *state == MigrationState::Cancelled));
}

#[test]
fn a_client_sees_migrations_as_valkey_shows_them() {
    let pair = filled(Mode::AsyncKeys);
    let mut session = pair.engines[0].session();
    assert_eq!(ask(&mut session, "CLUSTER GETSLOTMIGRATIONS"), "*0\r\n");
    let number = slot("k");
    let mut migration = pair.migration(&[1, 2, number], MigrationLimits::default());
    let told = ask(&mut session, "CLUSTER GETSLOTMIGRATIONS");
    assert!(told.starts_with("*1\r\n*36\r\n$4\r\nname\r\n$40\r\n"), "{told}");
    for part in [
        "$9\r\noperation\r\n$6\r\nEXPORT\r\n".to_owned(),
        format!("$11\r\nslot_ranges\r\n$13\r\n1-2 {number}-{number}\r\n$11\r\ntarget_node"),
        format!("$11\r\nsource_node\r\n$40\r\n{}\r\n", "a".repeat(40)),
        "$11\r\ncreate_time\r\n:1000\r\n".to_owned(),
        "$5\r\nstate\r\n$10\r\nconnecting\r\n$7\r\nmessage\r\n$0\r\n\r\n".to_owned(),
        "$8\r\ncow_size\r\n:0\r\n".to_owned(),
        "$10\r\nslots_left\r\n:3\r\n".to_owned(),
    ] {
        assert!(told.contains(&part), "{part} in {told}");
    }
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    let told = ask(&mut session, "CLUSTER GETSLOTMIGRATIONS");
    let state = "$5\r\nstate\r\n$7\r\nsuccess\r\n";
    assert!(told.contains(state) && told.contains("$10\r\nkeys_moved\r\n:500\r\n"), "{told}");
}

#[test]
fn a_client_cancels_what_goes_on() {
    for mode in MODES {
        let pair = filled(mode);
        let mut session = pair.engines[0].session();
        let none = "-ERR No migrations ongoing\r\n";
        assert_eq!(ask(&mut session, "CLUSTER CANCELSLOTMIGRATIONS"), none);
        let mut migration = pair.migration(&[slot("k")], MigrationLimits::default());
        assert_eq!(ask(&mut session, "CLUSTER CANCELSLOTMIGRATIONS"), "+OK\r\n");
        assert_eq!(pair.run(&mut migration), MigrationEvent::Cancelled { open: None });
        assert_eq!(ask(&mut session, "CLUSTER CANCELSLOTMIGRATIONS"), none);
        assert_eq!(ask(&mut session, "DBSIZE"), ":500\r\n");
    }
}

fn called(engine: &Engine) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    engine.set_migration_waker(Arc::new(move || _ = counter.fetch_add(1, Relaxed)));
    calls
}

#[test]
fn a_client_asks_the_host_for_migrations() {
    let pair = filled(Mode::ByKey);
    let engine = &pair.engines[0];
    let mut session = engine.session();
    let target = "b".repeat(40);
    let line = format!("CLUSTER MIGRATESLOTS SLOTSRANGE 1 3 5 5 NODE {target}");
    let no_host = "-ERR The host of this engine does not move slots when asked\r\n";
    assert_eq!(ask(&mut session, &line), no_host);
    let calls = called(engine);
    assert_eq!(ask(&mut session, &line), "+OK\r\n");
    assert_eq!(calls.load(Relaxed), 1);
    let again = ask(&mut session, &line);
    assert_eq!(again, "-ERR I am already migrating slot 1.\r\n");
    let slots = [1, 2, 3, 5].into_iter().collect();
    let order = MigrationOrder { slots, target: id(b'b') };
    assert_eq!(engine.poll_migration_order(), Some(order.clone()));
    assert_eq!(engine.poll_migration_order(), None);
    let begun = engine.migrate(Mode::ByKey, order.slots, order.target, MigrationLimits::default());
    let mut migration = begun.unwrap();
    assert_eq!(ask(&mut session, &line), again);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    let told = ask(&mut session, &line);
    assert_eq!(told, "-ERR Slots are not served by this node.\r\n");
}

#[test]
fn migrateslots_refuses_as_valkey_does() {
    let pair = filled(Mode::ByKey);
    let mut session: Session = pair.engines[0].session();
    let (me, other) = ("a".repeat(40), "b".repeat(40));
    called(&pair.engines[0]);
    for (words, text) in [
        ("SLOTS 1 2".to_owned(), "syntax error"),
        ("SLOTSRANGE NODE x".to_owned(), "No slot ranges specified"),
        ("SLOTSRANGE 1 2".to_owned(), "syntax error"),
        ("SLOTSRANGE 1 2 3".to_owned(), "No end slot for final slot range"),
        ("SLOTSRANGE 1 99999".to_owned(), "Invalid or out of range slot"),
        ("SLOTSRANGE 9 2".to_owned(), "Start slot number 9 is greater than end slot number 2."),
        ("SLOTSRANGE 1 5 4 6".to_owned(), "Slot range 4-6 overlaps with previous range 1-5."),
        ("SLOTSRANGE 1 2 NODE x".to_owned(), "Invalid node name: x"),
        (format!("SLOTSRANGE 1 2 NODE {me}"), "Target node can not be this node."),
        (
            format!("SLOTSRANGE 1 2 NODE {other} SLOTSRANGE 2 2 NODE {other}"),
            "Slot ranges in migrations overlap",
        ),
    ] {
        let told = ask(&mut session, &format!("CLUSTER MIGRATESLOTS {words}"));
        assert_eq!(told, format!("-ERR {text}\r\n"), "{words}");
    }
    let open = format!("CLUSTER SETSLOT 9 MIGRATING {other}");
    assert_eq!(ask(&mut session, &open), "+OK\r\n");
    let line = format!("CLUSTER MIGRATESLOTS SLOTSRANGE 1 2 NODE {other}");
    assert_eq!(ask(&mut session, &line), "-ERR Slots are being manually migrated\r\n");
    assert_eq!(pair.engines[0].poll_migration_order(), None);
}
