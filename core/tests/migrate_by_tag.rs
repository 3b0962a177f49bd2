//! Slots between two engines, tag by tag, by Redis's slots and by Codis's. That nothing is lost or comes
//! back is in `migrate_courses.rs`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

mod pair;

use keyslot::slot::SlotScheme;
use keyslot::{MigrationEvent, MigrationLimits, Mode, Session};
use pair::{Pair, ask, client, follow, frame, step};

const SCHEMES: [SlotScheme; 2] = [SlotScheme::Redis, SlotScheme::Codis];

fn limits() -> MigrationLimits {
    MigrationLimits { batch_keys: 1, attempts: 2, ..MigrationLimits::default() }
}

/// Two tags in one slot, by either scheme, with some keys each.
const TAGS: [&str; 2] = ["a", "1446784"];

fn filled(scheme: SlotScheme) -> (Pair, u16) {
    let pair = Pair::with_scheme(Mode::ByTag, scheme);
    let mut source = pair.engines[0].session();
    for key in 0..20 {
        for tag in TAGS {
            assert_eq!(ask(&mut source, &format!("SET {{{tag}}}{key} {key}")), "+OK\r\n");
        }
    }
    (pair, scheme.slot(TAGS[0].as_bytes()))
}

fn hear(session: &mut Session) -> String {
    session.poll();
    String::from_utf8(session.take_output()).unwrap()
}

/// The tag of which the target has a key, and the other one.
fn tags_there(pair: &Pair) -> [&'static str; 2] {
    let mut target = pair.engines[1].session();
    let exists = ask(&mut target, "EXISTS {a}0");
    assert_eq!(ask(&mut target, "DBSIZE"), ":20\r\n");
    if exists.starts_with("-MOVED") {
        assert_eq!(ask(&mut target, "ASKING"), "+OK\r\n");
        if ask(&mut target, "EXISTS {a}0") == ":1\r\n" {
            return TAGS;
        }
    }
    [TAGS[1], TAGS[0]]
}

#[test]
fn a_tag_goes_whole_and_stays_whole_until_then() {
    for scheme in SCHEMES {
        let (pair, slot) = filled(scheme);
        let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
        let mut migration = pair.migration(&[slot], limits());
        step(&mut migration, &mut target);
        let sent = frame(&mut migration);
        target.feed(&sent);
        let [first, second] = tags_there(&pair);
        // All keys of the tag are on their way, those that do not exist included.
        let new = format!("SET {{{first}}}new v");
        let told = ask(&mut source, &format!("MGET {{{first}}}1 {{{first}}}2"));
        assert_eq!(told, "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
        assert_eq!(ask(&mut source, &new), "");
        let other = &mut pair.engines[0].session();
        assert_eq!(ask(other, &format!("SET {{{second}}}new v")), "+OK\r\n");
        let both = format!("MGET {{{second}}}new {{{second}}}none");
        assert_eq!(ask(other, &both), "*2\r\n$1\r\nv\r\n$-1\r\n");
        migration.handle_frame(&target.take_output());
        assert_eq!(migration.status().keys_moved, 20, "{scheme:?}");
        let told = hear(&mut source);
        assert_eq!(told, format!("-ASK {slot} two:2\r\n"));
        assert_eq!(follow(&pair, &new, told), Some("+OK\r\n".into()));
        assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
        assert_eq!(migration.status().keys_moved, 41);
        for tag in TAGS {
            let told = client(&pair, &format!("GET {{{tag}}}new"));
            assert_eq!(told, Some("$1\r\nv\r\n".into()));
        }
    }
}

#[test]
fn a_tag_stays_whole_if_one_of_its_keys_is_refused() {
    let (pair, slot) = filled(SlotScheme::Codis);
    let mut target = pair.engines[1].session();
    let mut migration = pair.migration(&[slot], limits());
    step(&mut migration, &mut target);
    frame(&mut migration);
    let answers = format!("{}-OOM no\r\n", "+OK\r\n".repeat(19));
    migration.handle_frame(answers.as_bytes());
    let end = pair.run(&mut migration);
    assert!(matches!(end, MigrationEvent::Failed { open: None, .. }), "{end:?}");
    assert_eq!(ask(&mut pair.engines[0].session(), "DBSIZE"), ":40\r\n");
    assert_eq!(ask(&mut target, "DBSIZE"), ":0\r\n");
}

#[test]
fn the_commands_of_codis_keep_away_from_tags_on_their_way() {
    let (pair, slot) = filled(SlotScheme::Codis);
    let (mut source, mut target) = (pair.engines[0].session(), pair.engines[1].session());
    pair.engines[0].set_link_waker(std::sync::Arc::new(|| ()));
    let mut migration = pair.migration(&[slot], limits());
    step(&mut migration, &mut target);
    target.feed(&frame(&mut migration));
    let [first, second] = tags_there(&pair);
    let wrapped = |command: &str, tag: &str| {
        format!("SLOTSMGRT-EXEC-WRAPPER {{{tag}}}1 {command} {{{tag}}}1")
    };
    let read = "*2\r\n:2\r\n$1\r\n1\r\n";
    let refused = "*2\r\n:1\r\n-ERR the specified key is being migrated\r\n";
    assert_eq!(ask(&mut source, &wrapped("GET", first)), read);
    assert_eq!(ask(&mut source, &wrapped("INCR", first)), refused);
    assert_eq!(ask(&mut source, &wrapped("INCR", second)), "*2\r\n:2\r\n:2\r\n");
    for command in ["SLOTSMGRTTAGONE two 2 100", "SLOTSMGRTTAGONE-ASYNC two 2 100 10 1000"] {
        let told = ask(&mut source, &format!("{command} {{{second}}}1"));
        assert_eq!(told, "-TRYAGAIN The key is on its way to another node\r\n");
    }
    migration.handle_frame(&target.take_output());
    let gone = "*2\r\n:0\r\n-ERR the specified key doesn't exist\r\n";
    assert_eq!(ask(&mut source, &wrapped("GET", first)), gone);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
}

#[test]
fn another_mode_takes_up_what_was_begun_by_tag() {
    let (mut pair, slot) = filled(SlotScheme::Redis);
    let mut target = pair.engines[1].session();
    let mut migration = pair.migration(&[slot], limits());
    (0..2).for_each(|_| step(&mut migration, &mut target));
    let [first, second] = tags_there(&pair);
    migration.cancel();
    let open = Some(slot);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Cancelled { open });
    drop(migration);
    // It is still known which tags have left.
    let mut source = pair.engines[0].session();
    assert_eq!(ask(&mut source, &format!("SET {{{second}}}new v")), "+OK\r\n");
    assert!(ask(&mut source, &format!("SET {{{first}}}new v")).starts_with("-ASK"));
    pair.mode = Mode::ByKey;
    let mut again = pair.migration(&[slot], limits());
    step(&mut again, &mut target);
    assert!(ask(&mut source, &format!("SET {{{second}}}newer v")).starts_with("-ASK"));
    assert_eq!(pair.run(&mut again), MigrationEvent::Finished);
    assert_eq!(ask(&mut target, "DBSIZE"), ":41\r\n");
}
