//! Slots between two engines, under a random course of writes, losses and cancellations, in each mode
//! that moves keys one by one: nothing is lost, nothing comes back, and nobody waits for ever.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

mod pair;

use keyslot::slot::SlotScheme;
use keyslot::{Migration, MigrationLimits, Mode, Session};
use pair::{Pair, ask, client, follow, frame};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Act {
    Set(u8, u8),
    Delete(u8),
    Read(u8),
    /// What is to be sent goes on its way.
    Send,
    /// So many bytes of it arrive.
    Arrive(usize),
    /// So many bytes of the answers arrive.
    Answer(usize),
    /// Everything arrives, and so do the answers.
    Step,
    /// What is on its way is lost with the connection.
    Lose,
    Cancel,
    FlushAll,
    /// Time goes on, so that a key may expire.
    Wait,
    Expire(u8),
    /// All keys of a tag are read at once.
    ReadAll(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..12u8, any::<u8>()).prop_map(|(key, value)| Act::Set(key, value)),
        2 => (0..12u8).prop_map(Act::Delete),
        4 => (0..12u8).prop_map(Act::Read),
        4 => Just(Act::Send),
        3 => (0..600usize).prop_map(Act::Arrive),
        3 => (0..40usize).prop_map(Act::Answer),
        4 => Just(Act::Step),
        2 => Just(Act::Lose),
        1 => Just(Act::Cancel),
        1 => Just(Act::FlushAll),
        1 => Just(Act::Wait),
        1 => (0..12u8).prop_map(Act::Expire),
        2 => (0..2u8).prop_map(Act::ReadAll),
    ]
}

/// Two tags whose keys are in one slot, by either scheme.
const TAGS: [&str; 2] = ["a", "1446784"];

/// The name of a key.
fn name(key: u8) -> String {
    format!("{{{}}}{key}", TAGS[usize::from(key % 2)])
}

/// How long a key lives that shall expire, and how long time goes on, in milliseconds.
const LIFE_MS: u64 = 50;

/// A client that waits for the answer to a command on a key.
struct Waiting {
    session: Session,
    line: String,
    key: u8,
    /// What the key holds after it.
    value: Option<Value>,
}

/// What a key holds, and when it expires, in milliseconds.
type Value = (String, Option<u64>);

/// A pair under a random course of events, with a map of what was acknowledged.
struct Course {
    pair: Pair,
    slot: u16,
    twin: BTreeMap<u8, Value>,
    now_ms: u64,
    migration: Option<Migration>,
    target: Session,
    to_target: Vec<u8>,
    to_source: Vec<u8>,
    waiting: Vec<Waiting>,
}

impl Course {
    fn new(mode: Mode, scheme: SlotScheme) -> Self {
        let pair = Pair::with_scheme(mode, scheme);
        let slots = TAGS.map(|tag| scheme.slot(tag.as_bytes()));
        assert_eq!(slots[0], slots[1]);
        let mut source = pair.engines[0].session();
        let twin = (0..8).map(|key| (key, ("first".to_owned(), None))).collect();
        (0..8).for_each(|key| {
            assert_eq!(ask(&mut source, &format!("SET {} first", name(key))), "+OK\r\n")
        });
        let target = pair.engines[1].session();
        let (migration, to_target, to_source, waiting) = Default::default();
        Self {
            pair,
            slot: slots[0],
            twin,
            now_ms: 1_000_000,
            migration,
            target,
            to_target,
            to_source,
            waiting,
        }
    }

    /// The migration that is going on, a new one if the last has ended.
    fn migration(&mut self) -> &mut Migration {
        let limits = MigrationLimits {
            batch_keys: 2,
            in_flight_keys: 5,
            attempts: 1_000,
            ..MigrationLimits::default()
        };
        let over = self.migration.as_ref().is_none_or(Migration::is_ended);
        if over && self.pair.owns(0, self.slot) {
            self.migration = None;
            self.target = self.pair.engines[1].session();
            (self.to_target, self.to_source) = Default::default();
            self.migration = Some(self.pair.migration(&[self.slot], limits));
        }
        self.migration.as_mut().unwrap()
    }

    fn send(&mut self) {
        let frame = frame(self.migration());
        self.to_target.extend(frame);
    }

    fn arrive(&mut self, len: usize) {
        let len = len.min(self.to_target.len());
        self.target.feed(&self.to_target[..len]);
        self.to_target.drain(..len);
        self.to_source.extend(self.target.take_output());
    }

    fn answer(&mut self, len: usize) {
        let len = len.min(self.to_source.len());
        let answers: Vec<u8> = self.to_source.drain(..len).collect();
        self.migration().handle_frame(&answers);
    }

    fn step(&mut self) {
        self.send();
        self.arrive(usize::MAX);
        self.answer(usize::MAX);
    }

    fn lose(&mut self) {
        self.target = self.pair.engines[1].session();
        (self.to_target, self.to_source) = Default::default();
        self.migration().handle_reconnect();
    }

    fn write(&mut self, key: u8, line: String, value: Option<Value>) -> Result<(), TestCaseError> {
        let mut session = self.pair.engines[0].session();
        let told = ask(&mut session, &line);
        if told.is_empty() {
            self.waiting.push(Waiting { session, line, key, value });
            return Ok(());
        }
        self.written(key, &line, value, told)
    }

    /// Notes what was acknowledged, at either node.
    fn written(
        &mut self,
        key: u8,
        line: &str,
        value: Option<Value>,
        told: String,
    ) -> Result<(), TestCaseError> {
        if told.starts_with("-TRYAGAIN") {
            let is_open = self.migration.as_ref().is_some_and(|migration| !migration.is_ended());
            prop_assert!(self.pair.mode == Mode::ByKey || !is_open, "{}: {}", line, told);
        }
        let Some(told) = follow(&self.pair, line, told) else { return Ok(()) };
        let before = self.held(key);
        match line.as_bytes()[0] {
            b'S' => prop_assert_eq!(told, "+OK\r\n"),
            _ => prop_assert_eq!(told, format!(":{}\r\n", u8::from(before.is_some()))),
        }
        match value {
            Some(value) => _ = self.twin.insert(key, value),
            None => _ = self.twin.remove(&key),
        }
        Ok(())
    }

    /// What a key holds now.
    fn held(&self, key: u8) -> Option<String> {
        let (value, at_ms) = self.twin.get(&key)?;
        at_ms.is_none_or(|at_ms| at_ms > self.now_ms).then(|| value.clone())
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Set(key, value) => {
                let line = format!("SET {} {value}", name(key));
                self.write(key, line, Some((value.to_string(), None)))?;
            }
            Act::Expire(key) => {
                let at_ms = self.now_ms + LIFE_MS;
                let line = format!("SET {} dying PXAT {at_ms}", name(key));
                self.write(key, line, Some(("dying".to_owned(), Some(at_ms))))?;
            }
            Act::Delete(key) => self.write(key, format!("DEL {}", name(key)), None)?,
            Act::Read(key) => _ = self.check(key)?,
            Act::ReadAll(tag) => self.read_all(tag)?,
            Act::Send => self.send(),
            Act::Arrive(len) => self.arrive(len),
            Act::Answer(len) => self.answer(len),
            Act::Step => self.step(),
            Act::Lose => self.lose(),
            Act::Cancel => self.migration().cancel(),
            Act::FlushAll => {
                for engine in &self.pair.engines {
                    ask(&mut engine.session(), "FLUSHALL");
                }
                self.twin.clear();
            }
            Act::Wait => {
                self.pair.clock.advance_ms(LIFE_MS + 1);
                self.now_ms += LIFE_MS + 1;
            }
        }
        self.hear()
    }

    /// Reads all keys of a tag at the source. Where tags go whole, none is ever found in two parts.
    fn read_all(&mut self, tag: u8) -> Result<(), TestCaseError> {
        let keys: Vec<u8> = (0..12).filter(|key| key % 2 == tag).collect();
        let names: Vec<String> = keys.iter().map(|&key| name(key)).collect();
        let told = ask(&mut self.pair.engines[0].session(), &format!("MGET {}", names.join(" ")));
        if told.starts_with('*') {
            let text = |value: String| format!("${}\r\n{value}\r\n", value.len());
            let values = keys.iter().map(|&key| self.held(key).map_or("$-1\r\n".into(), text));
            prop_assert_eq!(told, format!("*6\r\n{}", values.collect::<String>()));
        } else if self.pair.mode == Mode::ByTag && self.migration.is_some() {
            let is_parted = told.starts_with("-TRYAGAIN Multiple keys");
            prop_assert!(!is_parted, "{}", told);
        }
        Ok(())
    }

    /// Takes the answers of those who waited.
    fn hear(&mut self) -> Result<(), TestCaseError> {
        for mut waiting in std::mem::take(&mut self.waiting) {
            waiting.session.poll();
            let told = String::from_utf8(waiting.session.take_output()).unwrap();
            if told.is_empty() {
                self.waiting.push(waiting);
            } else {
                self.written(waiting.key, &waiting.line, waiting.value, told)?;
            }
        }
        Ok(())
    }

    /// Whether a key could be read; it has the right value then.
    fn check(&self, key: u8) -> Result<bool, TestCaseError> {
        let Some(told) = client(&self.pair, &format!("GET {}", name(key))) else {
            return Ok(false);
        };
        let text = |value: String| format!("${}\r\n{value}\r\n", value.len());
        prop_assert_eq!(told, self.held(key).map_or("$-1\r\n".into(), text));
        Ok(true)
    }

    /// Lets everything come to its end, without losses.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..STEPS_MAX {
            if self.pair.owns(0, self.slot) {
                self.step();
                self.hear()?;
            }
        }
        prop_assert!(self.pair.owns(1, self.slot), "a migration ends by itself");
        self.hear()?;
        prop_assert!(self.waiting.is_empty(), "who waits is answered");
        for key in 0..12 {
            prop_assert!(self.check(key)?, "a slot that has moved is served");
        }
        prop_assert_eq!(ask(&mut self.pair.engines[0].session(), "DBSIZE"), ":0\r\n");
        Ok(())
    }
}

/// More than any course needs to move eight keys when nothing is lost any more.
const STEPS_MAX: usize = 60;

fn run(mode: Mode, scheme: SlotScheme, acts: Vec<Act>) -> Result<(), TestCaseError> {
    let mut course = Course::new(mode, scheme);
    for act in acts {
        course.act(act)?;
    }
    course.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_lost_and_nothing_comes_back_by_key(acts in prop::collection::vec(act(), 1..60)) {
        run(Mode::ByKey, SlotScheme::Redis, acts)?;
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_back_in_flight(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        run(Mode::AsyncKeys, SlotScheme::Redis, acts)?;
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_back_by_tag(acts in prop::collection::vec(act(), 1..60)) {
        run(Mode::ByTag, SlotScheme::Redis, acts)?;
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_back_by_codis_tags(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        run(Mode::ByTag, SlotScheme::Codis, acts)?;
    }
}
