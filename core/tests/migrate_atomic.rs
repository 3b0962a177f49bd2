//! Slots that change hands whole between two engines: what clients of both see, over networks that
//! lose, double and reorder.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{Protocol, ReplyBuilder, encode_request};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::time::{Clock, ManualClock};
use keyslot::{
    Decision, Engine, EngineOptions, ImportEvent, Migration, MigrationEvent, MigrationLimits, Mode,
    Receiver, Session,
};
use std::sync::Arc;

const NAMES: [[u8; 40]; 2] = [[b'a'; 40], [b'b'; 40]];

fn id(number: usize) -> NodeId {
    NodeId::parse(&NAMES[number]).expect("the names are ids")
}

fn slot(key: &str) -> u16 {
    SlotScheme::Redis.slot(key.as_bytes())
}

fn engine(number: usize, clock: &Arc<ManualClock>) -> Engine {
    let node = |number| Node::primary(id(number), ["first", "second"][number], 1);
    let mut topology = Topology::new(SlotScheme::Redis, node(number));
    topology.put_node(node(1 - number));
    (0..16_384).for_each(|slot| _ = topology.assign(slot, id(0)));
    Engine::new(EngineOptions {
        cluster: Some(topology),
        clock: Box::new(clock.clone()),
        seed: number as u64,
        databases: 3,
        shards: 64,
        ..EngineOptions::default()
    })
}

/// Two nodes and what is between them. The first has all slots.
struct Pair {
    clock: Arc<ManualClock>,
    source: Engine,
    target: Engine,
    receiver: Receiver,
    /// Out of a hundred frames so many are lost, and so many doubled or late.
    noise: u64,
    chance: u64,
    late: Vec<(bool, Vec<u8>)>,
    decides: bool,
}

impl Pair {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let (source, target) = (engine(0, &clock), engine(1, &clock));
        let receiver = target.receiver();
        let (noise, chance, late, decides) = (0, 1, Vec::new(), true);
        Self { clock, source, target, receiver, noise, chance, late, decides }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    fn migrate(&self, keys: &[&str]) -> Migration {
        self.migrate_with(keys, MigrationLimits::default())
    }

    fn migrate_with(&self, keys: &[&str], limits: MigrationLimits) -> Migration {
        let slots: SlotSet = keys.iter().map(|key| slot(key)).collect();
        self.source.migrate(Mode::Atomic, slots, id(1), limits).expect("the slots are here")
    }

    /// What the network makes of bytes: each frame whole, lost, doubled, or kept for later.
    fn pass(&mut self, to_target: bool, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut arriving = Vec::new();
        for frame in frames(bytes) {
            let dice = self.random(100);
            if dice < self.noise {
                continue;
            }
            if dice < 2 * self.noise {
                self.late.push((to_target, frame.clone()));
            }
            if !(2 * self.noise..3 * self.noise).contains(&dice) {
                arriving.push(frame);
            }
        }
        if self.random(4) == 0 {
            let (now, later) = self.late.drain(..).partition(|(to, _)| *to == to_target);
            self.late = later;
            let now: Vec<(bool, Vec<u8>)> = now;
            arriving.extend(now.into_iter().map(|(_, frame)| frame));
        }
        arriving
    }

    /// Carries what there is to carry once. Returns the events of the source.
    fn carry(&mut self, migration: &mut Migration) -> Vec<MigrationEvent> {
        let mut out = Vec::new();
        let was_busy = migration.poll_transmit(&mut out, 64 * 1024);
        let mut answers = Vec::new();
        for frame in self.pass(true, &out) {
            self.receiver.handle_frame(&frame, &mut answers);
        }
        for frame in self.pass(false, &answers) {
            migration.handle_frame(&frame);
        }
        let mut events = Vec::new();
        while let Some(event) = migration.poll_event() {
            if let MigrationEvent::Decide(record) = &event
                && self.decides
            {
                migration.handle_decision(record.slot, Decision::Committed { epoch: 5 });
            }
            events.push(event);
        }
        self.clock.advance_ms(if was_busy { 1 } else { 20 });
        migration.handle_timeout();
        events
    }

    /// Carries until the migration ends. Returns how.
    fn run(&mut self, migration: &mut Migration) -> MigrationEvent {
        let mut last = None;
        for _ in 0..20_000 {
            if let Some(event) = self.carry(migration).pop() {
                last = Some(event);
            }
            if migration.is_ended() {
                last = std::iter::from_fn(|| migration.poll_event()).last().or(last);
                return last.expect("an end is told");
            }
        }
        panic!("no end in sight: {:?}", migration.status());
    }

    fn until(&mut self, migration: &mut Migration, wanted: fn(&MigrationEvent) -> bool) {
        for _ in 0..20_000 {
            if self.carry(migration).iter().any(wanted) {
                return;
            }
        }
        panic!("it did not come to that: {:?}", migration.status());
    }
}

/// The frames of a text.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    use keyslot::resp::{Parsed, RequestLimits, RequestParser, Requests};
    let (mut parser, mut requests) =
        (RequestParser::new(RequestLimits::default()), Requests::new());
    let (mut frames, mut used) = (Vec::new(), 0);
    while used < bytes.len() {
        requests.clear();
        let Ok(Parsed::Complete { end }) = parser.parse(bytes, used, &mut requests) else {
            panic!("frames are whole")
        };
        frames.push(bytes[used..end].to_vec());
        used = end;
    }
    frames
}

fn ask(engine: &Engine, text: &str) -> String {
    let mut session = engine.session();
    say(&mut session, text)
}

fn say(session: &mut Session, text: &str) -> String {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    let mut request = Vec::new();
    encode_request(&words, &mut request);
    session.feed(&request);
    String::from_utf8_lossy(&session.take_output()).into_owned()
}

fn moved(key: &str) -> String {
    format!("-MOVED {} second:1\r\n", slot(key))
}

/// A host that calls only when it is told to: no step may wait for a time at which nobody calls.
#[test]
fn who_sleeps_until_it_is_told_moves_slots_at_once() {
    let mut pair = Pair::new();
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    for key in keys.iter().skip(20) {
        pair.source.set(key.as_bytes(), b"v").unwrap();
    }
    let mut migration = pair.migrate(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..10_000 {
        while let Some(event) = migration.poll_event() {
            if let MigrationEvent::Decide(record) = event {
                migration.handle_decision(record.slot, Decision::Committed { epoch: 5 });
            }
        }
        let (mut out, mut answers) = (Vec::new(), Vec::new());
        if migration.poll_transmit(&mut out, 64 * 1024) {
            pair.receiver.handle_frame(&out, &mut answers);
            migration.handle_frame(&answers);
            continue;
        }
        if migration.is_ended() {
            break;
        }
        let now_us = pair.clock.now().mono_us;
        assert!(migration.poll_timeout().is_some_and(|at_us| at_us <= now_us), "it waits in vain");
        migration.handle_timeout();
    }
    assert!(migration.is_ended());
    assert_eq!(
        migration.status().slots_moved,
        keys.iter().map(|key| slot(key)).collect::<SlotSet>().len()
    );
}

#[test]
fn a_slot_moves_with_all_types_times_and_databases() {
    let mut pair = Pair::new();
    let commands = [
        "SET {t}s text",
        "SET {t}n 42 PX 5000",
        "RPUSH {t}l a b c",
        "SADD {t}i 1 2 3",
        "SADD {t}m x y",
        "HSET {t}h f v g w",
        "HPEXPIRE {t}h 9000 FIELDS 1 f",
        "ZADD {t}z 1.5 a -inf b",
        "XADD {t}x 5-1 f v",
        "XADD {t}x 6-0 f w",
        "XGROUP CREATE {t}x g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS {t}x >",
        "PFADD {t}p a b c",
        "SETBIT {t}b 100 1",
    ];
    commands.iter().for_each(|command| assert!(!ask(&pair.source, command).starts_with('-')));
    let mut session = pair.source.session();
    say(&mut session, "SELECT 2");
    say(&mut session, "SET {t}other deep");
    let dumps = |engine: &Engine| {
        let keys = ["s", "n", "l", "i", "m", "h", "z", "x", "p", "b"];
        let told = keys.map(|key| {
            // A short string that was written in place is one that was set, as after RESTORE.
            let encoding = if ["p", "b"].contains(&key) { "EXISTS" } else { "OBJECT ENCODING" };
            ["DUMP", "PEXPIRETIME", encoding].map(|name| ask(engine, &format!("{name} {{t}}{key}")))
        });
        told.concat()
    };
    let before = dumps(&pair.source);
    let mut migration = pair.migrate(&["{t}"]);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(dumps(&pair.target), before);
    assert_eq!(say(&mut session, "GET {t}other"), moved("{t}"));
    assert_eq!(ask(&pair.source, "DBSIZE"), ":0\r\n");
    let mut session = pair.target.session();
    say(&mut session, "SELECT 2");
    assert_eq!(say(&mut session, "GET {t}other"), "$4\r\ndeep\r\n");
    assert_eq!(migration.status().keys_moved, 11);
    assert_eq!(
        pair.target.poll_import_event(),
        Some(ImportEvent::Served { slot: slot("{t}"), keys: 11 })
    );
}

#[test]
fn a_key_is_idle_for_as_long_as_it_was() {
    let mut pair = Pair::new();
    let commands = ["SET {t}s 12345 PX 5000000", "SET {t}e text", "RPUSH {t}l a b", "SADD {t}m 1"];
    commands.iter().for_each(|command| _ = ask(&pair.source, command));
    let many: Vec<String> = (0..2_000).map(|n| format!("f{n} v{n}")).collect();
    ask(&pair.source, &format!("HSET {{t}}h {}", many.join(" ")));
    pair.clock.advance_ms(100_000);
    let limits = MigrationLimits { piece_bytes: 1_000, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    for key in ["s", "e", "l", "m", "h"] {
        let told = ask(&pair.target, &format!("OBJECT IDLETIME {{t}}{key}"));
        assert!(told.starts_with(":10"), "{key} {told}");
    }
}

#[test]
fn a_target_that_crashed_and_was_opened_by_a_late_frame_is_begun_anew() {
    let mut pair = Pair::new();
    (0..50).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} v")));
    let limits = MigrationLimits { in_flight_bytes: 500, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    let mut open = Vec::new();
    migration.poll_transmit(&mut open, 1);
    let mut answers = Vec::new();
    pair.receiver.handle_frame(&open, &mut answers);
    migration.handle_frame(&answers);
    // Some has arrived and was acknowledged when the target crashes, and the first frame comes again.
    (0..2).for_each(|_| _ = pair.carry(&mut migration));
    pair.target = engine(1, &pair.clock);
    pair.receiver = pair.target.receiver();
    pair.receiver.handle_frame(&open, &mut answers);
    assert_eq!(ask(&pair.source, "SET {t}more v"), "+OK\r\n");
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "DBSIZE"), ":51\r\n");
}

#[test]
fn a_slot_that_fails_leaves_no_fence_at_another() {
    let mut pair = Pair::new();
    for tag in ["{t}", "{u}"] {
        (0..50).for_each(|n| _ = ask(&pair.source, &format!("SET {tag}{n} v")));
    }
    let mut migration = pair.migrate(&["{t}", "{u}"]);
    pair.decides = false;
    let mut asked = Vec::new();
    while asked.len() < 2 {
        for event in pair.carry(&mut migration) {
            if let MigrationEvent::Decide(record) = event {
                asked.push(record.slot);
            }
        }
    }
    // One is refused, which ends the migration; the store takes its time for the other.
    migration.handle_decision(asked[0], Decision::Refused);
    (0..50).for_each(|_| _ = pair.carry(&mut migration));
    assert!(!migration.is_ended());
    migration.handle_decision(asked[1], Decision::Committed { epoch: 9 });
    assert!(matches!(pair.run(&mut migration), MigrationEvent::Failed { .. }));
    assert_eq!(pair.source.topology().unwrap().slots_of(id(1)).len(), 1);
    drop(migration);
    let answers = ["{t}", "{u}"].map(|tag| ask(&pair.source, &format!("INCR {tag}n")));
    assert!(answers.iter().any(|answer| answer == ":1\r\n"), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.starts_with("-MOVED")), "{answers:?}");
}

#[test]
fn a_script_that_may_write_waits_as_a_writer_does() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    let script = "return redis.call('incr',KEYS[1])";
    let mut waiting = Vec::new();
    // At whatever moment it comes, it is carried out whole or waits.
    for _ in 0..200 {
        let mut session = pair.source.session();
        let request = [b"EVAL", script.as_bytes(), b"1", b"{t}a"];
        let mut input = Vec::new();
        encode_request(&request, &mut input);
        session.feed(&input);
        let told = String::from_utf8(session.take_output()).unwrap();
        assert!(told.starts_with(':') || told.is_empty() && session.is_waiting(), "{told}");
        waiting.extend(session.is_waiting().then_some(session));
        pair.carry(&mut migration);
    }
    assert!(!waiting.is_empty());
}

#[test]
fn nothing_is_to_be_seen_at_the_target_before_it_serves() {
    let mut pair = Pair::new();
    (0..50).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} v")));
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    pair.until(&mut migration, |event| matches!(event, MigrationEvent::Decide(_)));
    let target = pair.target.clone();
    let count = format!("CLUSTER COUNTKEYSINSLOT {}", slot("{t}"));
    for command in ["DBSIZE", &count] {
        assert_eq!(ask(&target, command), ":0\r\n");
    }
    assert_eq!(ask(&target, "KEYS *"), "*0\r\n");
    assert_eq!(ask(&target, "RANDOMKEY"), "$-1\r\n");
    assert_eq!(ask(&target, "SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
    assert!(ask(&target, "GET {t}1").starts_with("-MOVED"));
    assert_eq!(pair.target.save_import(slot("{t}")).map(|saved| saved.is_empty()), Some(false));
    migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 9 });
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&target, "DBSIZE"), ":50\r\n");
    assert_eq!(target.topology().unwrap().myself().config_epoch, 9);
}

#[test]
fn who_wants_the_slot_waits_for_the_decision_and_nobody_else_does() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    pair.until(&mut migration, |event| matches!(event, MigrationEvent::Decide(_)));
    let mut sessions: Vec<Session> = (0..4).map(|_| pair.source.session()).collect();
    assert_eq!(say(&mut sessions[0], "INCR {t}a"), "");
    assert_eq!(say(&mut sessions[1], "GET {t}a"), "");
    assert_eq!(say(&mut sessions[2], "MULTI"), "+OK\r\n");
    assert_eq!(say(&mut sessions[2], "INCR {t}a"), "+QUEUED\r\n");
    assert_eq!(say(&mut sessions[2], "EXEC"), "");
    assert_eq!(say(&mut sessions[3], "FLUSHALL"), "");
    assert!(sessions.iter().all(Session::is_waiting));
    assert_eq!(ask(&pair.source, "SET other 1"), "+OK\r\n");
    assert!(pair.source.get(b"{t}a").unwrap_err().to_string().starts_with("TRYAGAIN "));
    migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 9 });
    let mut answers = sessions.iter_mut().map(|session| {
        session.poll();
        String::from_utf8(session.take_output()).unwrap()
    });
    let expected = [moved("{t}"), moved("{t}"), moved("{t}"), "+OK\r\n".to_owned()];
    for expected in expected {
        let answer = answers.next().unwrap();
        assert_eq!(answer, expected);
    }
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "GET {t}a"), "$1\r\n1\r\n");
}

#[test]
fn a_slot_that_the_store_refuses_stays_and_who_waits_goes_on() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    pair.until(&mut migration, |event| matches!(event, MigrationEvent::Decide(_)));
    let mut session = pair.source.session();
    assert_eq!(say(&mut session, "MULTI"), "+OK\r\n");
    say(&mut session, "INCR {t}a");
    assert_eq!(say(&mut session, "EXEC"), "");
    migration.handle_decision(slot("{t}"), Decision::Refused);
    session.poll();
    assert_eq!(session.take_output(), b"*1\r\n:2\r\n");
    let end = pair.run(&mut migration);
    assert!(matches!(end, MigrationEvent::Failed { .. }), "{end:?}");
    assert_eq!(pair.target.save_import(slot("{t}")), None);
    drop(migration);
    let mut again = pair.migrate(&["{t}"]);
    pair.decides = true;
    assert_eq!(pair.run(&mut again), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "GET {t}a"), "$1\r\n2\r\n");
}

#[test]
fn waiting_commands_are_sent_on_and_watches_fail() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut waiter = pair.source.session();
    assert_eq!(say(&mut waiter, "BLPOP {t}list 0"), "");
    let mut watcher = pair.source.session();
    say(&mut watcher, "WATCH {t}a");
    say(&mut watcher, "MULTI");
    say(&mut watcher, "GET {t}a");
    let mut migration = pair.migrate(&["{t}"]);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    waiter.poll();
    assert_eq!(String::from_utf8(waiter.take_output()).unwrap(), moved("{t}"));
    let answer = say(&mut watcher, "EXEC");
    assert!(answer == "*-1\r\n" || answer == moved("{t}"), "{answer}");
}

#[test]
fn large_values_go_in_pieces_while_they_are_written_to() {
    let mut pair = Pair::new();
    for n in 0..3_000 {
        for command in ["RPUSH {t}l", "SADD {t}s", "ZADD {t}z 1", "HSET {t}h"] {
            let value = if command.starts_with("HSET") { " v" } else { "" };
            ask(&pair.source, &format!("{command} member-{n}{value}"));
        }
    }
    ask(&pair.source, &format!("SET {{t}}text {} PX 99999", "x".repeat(30_000)));
    ask(&pair.source, "HPEXPIRE {t}h 5000 FIELDS 1 member-7");
    let limits = MigrationLimits {
        piece_bytes: 2_000,
        in_flight_bytes: 4_000,
        fence_bytes: 10,
        fence_after_ms: 100,
        ..MigrationLimits::default()
    };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    let (mut writer, mut counter) = (pair.source.session(), pair.source.session());
    let (mut n, mut sum) = (0, 0);
    while !migration.is_ended() {
        pair.carry(&mut migration);
        counter.poll();
        if !counter.is_waiting() {
            counter.feed(b"HINCRBY {t}h sum 1\r\n");
        }
        let answers = String::from_utf8(counter.take_output()).unwrap();
        sum += answers.lines().filter(|line| line.starts_with(':')).count();
        writer.poll();
        writer.take_output();
        if !writer.is_waiting() && n < 4_000 {
            n += 1;
            say(&mut writer, &format!("LSET {{t}}l {} changed", n % 3_000));
            say(&mut writer, "ZPOPMIN {t}z");
            say(&mut writer, "SPOP {t}s");
            say(&mut writer, "APPEND {t}text y");
            say(&mut writer, "RENAME {t}l {t}k");
            say(&mut writer, "RENAME {t}k {t}l");
        }
    }
    assert!(n < 4_000, "the migration ends while writes go on");
    let popped = |engine: &Engine, command: &str| ask(engine, command);
    assert_eq!(popped(&pair.target, "LLEN {t}l"), ":3000\r\n");
    assert_eq!(popped(&pair.target, "EXISTS {t}k"), ":0\r\n");
    let kept = popped(&pair.target, "HGET {t}h sum");
    assert!(kept.ends_with(&format!("\r\n{sum}\r\n")), "{kept} {sum}");
    assert_eq!(popped(&pair.target, "HPEXPIRETIME {t}h FIELDS 1 member-7"), "*1\r\n:1005000\r\n");
    assert_eq!(popped(&pair.target, "OBJECT ENCODING {t}z"), "$8\r\nskiplist\r\n");
}

#[test]
fn a_migration_that_is_cancelled_changes_nothing() {
    for steps in [0, 1, 2, 3, 5, 8] {
        let mut pair = Pair::new();
        (0..100).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} v")));
        let mut migration = pair.migrate(&["{t}"]);
        pair.decides = false;
        let is_decide = |event: &MigrationEvent| matches!(event, MigrationEvent::Decide(_));
        let was_asked = (0..steps).any(|_| pair.carry(&mut migration).iter().any(is_decide));
        migration.cancel();
        pair.decides = true;
        if was_asked {
            // It is too late.
            migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 5 });
        }
        pair.run(&mut migration);
        assert_eq!(migration.status().slots_moved, usize::from(was_asked));
        if !was_asked {
            assert_eq!(ask(&pair.source, "SET {t}1 w"), "+OK\r\n");
            assert_eq!(ask(&pair.target, "DBSIZE"), ":0\r\n");
        }
    }
}

#[test]
fn noise_on_the_line_changes_nothing_but_the_time() {
    for seed in 1..12 {
        let mut pair = Pair::new();
        (pair.noise, pair.chance) = (8, seed);
        let tags = ["{a}", "{b}", "{c}"];
        for n in 0..150 {
            tags.iter().for_each(|tag| _ = ask(&pair.source, &format!("SET {tag}{n} 0")));
        }
        let limits = MigrationLimits { in_flight_bytes: 3_000, ..MigrationLimits::default() };
        let mut migration = pair.migrate_with(&tags, limits);
        let mut sums = vec![0; 150 * 3];
        let mut steps = 0;
        while !migration.is_ended() {
            pair.carry(&mut migration);
            for _ in 0..3 {
                let place = pair.random(450) as usize;
                let key = format!("{}{}", tags[place / 150], place % 150);
                let mut session = pair.source.session();
                let answer = say(&mut session, &format!("INCR {key}"));
                sums[place] += i32::from(answer.starts_with(':'));
            }
            steps += 1;
            assert!(steps < 20_000, "seed {seed}: {:?}", migration.status());
        }
        for (place, sum) in sums.iter().enumerate() {
            let key = format!("{}{}", tags[place / 150], place % 150);
            let answer = ask(&pair.target, &format!("GET {key}"));
            assert!(
                answer.ends_with(&format!("\r\n{sum}\r\n")),
                "seed {seed}, {key}: {answer} {sum}"
            );
        }
    }
}

#[test]
fn flushing_and_exchanging_databases_begins_anew() {
    let mut pair = Pair::new();
    (0..200).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} v")));
    let limits = MigrationLimits { in_flight_bytes: 1_000, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    (0..4).for_each(|_| _ = pair.carry(&mut migration));
    assert_eq!(ask(&pair.source, "SWAPDB 0 1"), "+OK\r\n");
    (0..4).for_each(|_| _ = pair.carry(&mut migration));
    ask(&pair.source, "SET {t}last v");
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "DBSIZE"), ":1\r\n");
    let mut session = pair.target.session();
    say(&mut session, "SELECT 1");
    assert_eq!(say(&mut session, "DBSIZE"), ":200\r\n");
}

#[test]
fn what_was_prepared_and_saved_survives_a_crash_of_the_target() {
    let mut pair = Pair::new();
    (0..60).for_each(|n| _ = ask(&pair.source, &format!("RPUSH {{t}}{n} v w")));
    let limits = MigrationLimits { durable: true, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    pair.decides = false;
    let saved = loop {
        pair.carry(&mut migration);
        if let Some(ImportEvent::Save { slot }) = pair.target.poll_import_event() {
            break pair.target.save_import(slot).unwrap();
        }
    };
    pair.target.handle_import_saved(slot("{t}"));
    pair.until(&mut migration, |event| matches!(event, MigrationEvent::Decide(_)));
    pair.target = engine(1, &pair.clock);
    pair.receiver = pair.target.receiver();
    pair.target.restore_import(&saved).unwrap();
    assert!(pair.target.restore_import(&saved[..saved.len() - 9]).is_err());
    migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 3 });
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "DBSIZE"), ":60\r\n");
    assert_eq!(ask(&pair.target, "LRANGE {t}7 0 -1"), "*2\r\n$1\r\nv\r\n$1\r\nw\r\n");
}

#[test]
fn a_source_that_crashed_goes_on_with_what_the_store_says() {
    for commits in [true, false] {
        let mut pair = Pair::new();
        ask(&pair.source, "SET {t}a 1");
        let mut migration = pair.migrate(&["{t}"]);
        pair.decides = false;
        let record = loop {
            let events = pair.carry(&mut migration);
            if let Some(MigrationEvent::Decide(record)) = events.last() {
                break *record;
            }
        };
        pair.source = engine(0, &pair.clock);
        drop(migration);
        ask(&pair.source, "SET {t}a 1");
        let decision = if commits { Decision::Committed { epoch: 4 } } else { Decision::Refused };
        let limits = MigrationLimits::default();
        let mut migration = pair.source.resume_migration(record, decision, limits).unwrap();
        pair.run(&mut migration);
        let at = [&pair.source, &pair.target][usize::from(commits)];
        assert_eq!(ask(at, "GET {t}a"), "$1\r\n1\r\n");
        assert_eq!(ask([&pair.target, &pair.source][usize::from(commits)], "DBSIZE"), ":0\r\n");
    }
}

#[test]
fn a_target_that_is_silent_leaves_all_as_it_was() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let limits = MigrationLimits { attempts: 2, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    pair.noise = 100;
    let end = pair.run(&mut migration);
    let MigrationEvent::Failed { error, open: None } = end else { panic!("{end:?}") };
    assert_eq!(error.to_string(), "IOERR error or timeout reading from target instance");
    assert_eq!(ask(&pair.source, "INCR {t}a"), ":2\r\n");
}

#[test]
fn a_fence_falls_by_itself_only_where_the_host_takes_the_risk() {
    let deciding = |event: &MigrationEvent| matches!(event, MigrationEvent::Decide(_));
    let wait = |pair: &mut Pair, migration: &mut Migration| {
        let mut events = Vec::new();
        (0..500).for_each(|_| events.extend(pair.carry(migration)));
        events
    };
    let unfenced = [MigrationEvent::Unfenced { slot: slot("k") }];
    for (unfence_after_ms, decision, kept) in [
        (None, Decision::Refused, true),
        (Some(300), Decision::Refused, true),
        (Some(300), Decision::Committed { epoch: 5 }, false),
    ] {
        let mut pair = Pair::new();
        ask(&pair.source, "SET k old");
        pair.decides = false;
        let limits = MigrationLimits { unfence_after_ms, ..MigrationLimits::default() };
        let mut migration = pair.migrate_with(&["k"], limits);
        pair.until(&mut migration, deciding);
        let mut client = pair.source.session();
        assert_eq!(say(&mut client, "SET k new"), "");
        let events = wait(&mut pair, &mut migration);
        client.poll();
        let told = String::from_utf8(client.take_output()).unwrap();
        if unfence_after_ms.is_none() {
            assert_eq!((told.as_str(), &events[..]), ("", &[][..]));
        } else {
            assert_eq!((told.as_str(), &events[..]), ("+OK\r\n", &unfenced[..]));
        }
        migration.handle_decision(slot("k"), decision);
        pair.run(&mut migration);
        client.poll();
        if kept {
            assert_eq!(ask(&pair.source, "GET k"), "$3\r\nnew\r\n");
        } else {
            // The store had given it away already: what was written since is lost.
            assert_eq!(ask(&pair.source, "GET k"), moved("k"));
            assert_eq!(ask(&pair.target, "GET k"), "$3\r\nold\r\n");
        }
    }
}

#[test]
fn a_fence_that_falls_before_the_store_was_asked_loses_nothing() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET k old");
    let limits =
        MigrationLimits { unfence_after_ms: Some(300), durable: true, ..Default::default() };
    let mut migration = pair.migrate_with(&["k"], limits);
    // Nobody makes durable what has arrived, so that the target is never ready.
    let mut client = pair.source.session();
    (0..10).for_each(|_| _ = pair.carry(&mut migration));
    assert_eq!(say(&mut client, "SET k new"), "");
    let end = pair.run(&mut migration);
    assert!(matches!(end, MigrationEvent::Failed { open: None, .. }), "{end:?}");
    client.poll();
    assert_eq!(client.take_output(), b"+OK\r\n");
    assert_eq!(ask(&pair.source, "GET k"), "$3\r\nnew\r\n");
}

#[test]
fn limits_of_speed_are_kept() {
    let mut pair = Pair::new();
    (0..500).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} {}", "v".repeat(100))));
    let limits = MigrationLimits { bytes_per_second: Some(20_000), ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    let before_ms = pair.clock.clone();
    let start = keyslot::time::Clock::unix_ms(&before_ms);
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    let seconds = (keyslot::time::Clock::unix_ms(&pair.clock) - start) as f64 / 1000.0;
    let rate = migration.status().bytes_sent as f64 / seconds;
    assert!(rate < 26_000.0, "{rate} bytes a second");
}

#[test]
fn a_call_within_the_process_is_answered_as_before() {
    let pair = Pair::new();
    let mut migration = pair.migrate(&["{t}"]);
    let mut out = Vec::new();
    migration.poll_transmit(&mut out, 1_000);
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    pair.source.call(&[b"SET", b"{t}a", b"1"], &mut builder);
    assert_eq!(pair.source.get(b"{t}a").unwrap().as_deref(), Some(&b"1"[..]));
}

/// A target that learnt from the store that a slot is its own began to send it on before it knew what
/// was in it; when that failed its clients found the slot empty.
#[test]
fn a_slot_that_is_on_its_way_here_is_not_sent_on() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    pair.until(&mut migration, |event| matches!(event, MigrationEvent::Decide(_)));
    pair.target.change_topology(|view| _ = view.assign(slot("{t}"), id(1))).unwrap();
    let slots = SlotSet::from_iter([slot("{t}")]);
    let refused = pair.target.migrate(Mode::Atomic, slots, id(0), MigrationLimits::default());
    assert!(refused.is_err());
    let mut session = pair.target.session();
    assert_eq!(say(&mut session, "INCR {t}a"), "");
    migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 2 });
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    session.poll();
    assert_eq!(session.take_output(), b":2\r\n");
}

/// Carries what a source has to say once, and keeps all of it.
fn carry_and_keep(pair: &mut Pair, migration: &mut Migration, kept: &mut Vec<Vec<u8>>) {
    let (mut out, mut answers) = (Vec::new(), Vec::new());
    migration.poll_transmit(&mut out, 64 * 1024);
    kept.extend(frames(&out));
    pair.receiver.handle_frame(&out, &mut answers);
    migration.handle_frame(&answers);
    pair.clock.advance_ms(1);
}

/// A target that had crashed took an old frame for the beginning of an attempt whose first pieces it
/// had acknowledged. The source never sent them again, and the slot's clients waited for ever.
#[test]
fn an_old_beginning_after_a_crash_of_the_target_is_another() {
    let mut pair = Pair::new();
    (0..50).for_each(|n| _ = ask(&pair.source, &format!("SET {{t}}{n} v")));
    let limits = MigrationLimits { in_flight_bytes: 500, ..MigrationLimits::default() };
    let mut migration = pair.migrate_with(&["{t}"], limits);
    let mut kept = Vec::new();
    (0..3).for_each(|_| carry_and_keep(&mut pair, &mut migration, &mut kept));
    assert!(kept.len() > 2, "a piece was sent and acknowledged");
    pair.target = engine(1, &pair.clock);
    pair.receiver = pair.target.receiver();
    pair.receiver.handle_frame(&kept[0], &mut Vec::new());
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.target, "DBSIZE"), ":50\r\n");
}

/// A target that had crashed after it served the slot answered old frames as if it had lost it, and
/// the source kept what was no longer its own.
#[test]
fn old_frames_after_a_crash_of_who_serves_the_slot_do_no_harm() {
    let mut pair = Pair::new();
    ask(&pair.source, "SET {t}a 1");
    let mut migration = pair.migrate(&["{t}"]);
    pair.decides = false;
    let (mut kept, mut record) = (Vec::new(), None);
    while record.is_none() {
        carry_and_keep(&mut pair, &mut migration, &mut kept);
        record = std::iter::from_fn(|| migration.poll_event()).find_map(|event| match event {
            MigrationEvent::Decide(record) => Some(record),
            _ => None,
        });
    }
    migration.handle_decision(slot("{t}"), Decision::Committed { epoch: 5 });
    let mut out = Vec::new();
    migration.poll_transmit(&mut out, 64 * 1024);
    pair.receiver.handle_frame(&out, &mut Vec::new());
    assert_eq!(ask(&pair.target, "GET {t}a"), "$1\r\n1\r\n");
    pair.target = engine(1, &pair.clock);
    pair.target.change_topology(|view| _ = view.assign(slot("{t}"), id(1))).unwrap();
    ask(&pair.target, "SET {t}a 1");
    pair.receiver = pair.target.receiver();
    for frame in &kept {
        let mut answers = Vec::new();
        pair.receiver.handle_frame(frame, &mut answers);
        migration.handle_frame(&answers);
    }
    assert_eq!(pair.run(&mut migration), MigrationEvent::Finished);
    assert_eq!(ask(&pair.source, "DBSIZE"), ":0\r\n");
    assert_eq!(ask(&pair.target, "GET {t}a"), "$1\r\n1\r\n");
}

/// An empty slot was sent away, and came back with keys before the source had heard that it had
/// arrived. Then it heard so, and deleted what was in the slot.
#[test]
fn a_slot_does_not_come_back_before_what_was_sent_is_deleted() {
    let mut pair = Pair::new();
    let mut away = pair.migrate(&["{t}"]);
    pair.until(&mut away, |event| matches!(event, MigrationEvent::Decide(_)));
    let mut out = Vec::new();
    away.poll_transmit(&mut out, 64 * 1024);
    let mut late = Vec::new();
    pair.receiver.handle_frame(&out, &mut late);
    assert_eq!(ask(&pair.target, "SET {t}a 1"), "+OK\r\n");
    let slots = SlotSet::from_iter([slot("{t}")]);
    let back = pair.target.migrate(Mode::Atomic, slots, id(0), MigrationLimits::default());
    let (mut back, mut receiver) = (back.unwrap(), pair.source.receiver());
    let mut carry_back = |times: usize| {
        for _ in 0..times {
            let (mut out, mut answers) = (Vec::new(), Vec::new());
            back.poll_transmit(&mut out, 64 * 1024);
            receiver.handle_frame(&out, &mut answers);
            back.handle_frame(&answers);
            while let Some(event) = back.poll_event() {
                if let MigrationEvent::Decide(record) = event {
                    back.handle_decision(record.slot, Decision::Committed { epoch: 9 });
                }
            }
            pair.clock.advance_ms(200);
            back.handle_timeout();
        }
        back.is_ended()
    };
    assert!(!carry_back(20), "it waits for the deletion");
    away.handle_frame(&late);
    while !away.is_ended() {
        away.handle_timeout();
    }
    drop(away);
    assert!(carry_back(40));
    assert_eq!(ask(&pair.source, "GET {t}a"), "$1\r\n1\r\n");
}
