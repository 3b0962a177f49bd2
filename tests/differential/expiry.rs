//! Keys that expire soon, under a clock that the test moves: random commands on an engine and on a
//! naive twin, which looks at every key each time. What needs no clock is compared with a
//! redis-server elsewhere.

mod chance;

use chance::{Chance, number_from_environment, seed};
use keyslot::resp::{Protocol, Reply, ReplyBuilder};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::collections::BTreeMap;
use std::sync::Arc;

const START_MS: u64 = 1_700_000_000_000;

/// Keys expire within this, so that at any time some have and some have not.
const TTL_MAX_MS: u64 = 40;

const KEYS: [&str; 6] = ["a", "b", "c", "d", "{a}1", "{a}2"];

/// Commands in one test, unless KEYSLOT_COMMANDS says otherwise.
const COMMANDS: u64 = 50_000;

/// A value and when it expires, in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    text: String,
    due_ms: Option<u64>,
}

/// What an engine shall be: a plain map, out of which everything that is due is thrown at once.
#[derive(Debug, Default)]
struct Twin {
    values: BTreeMap<&'static str, Value>,
}

impl Twin {
    /// A key still lives in its last millisecond.
    fn expire(&mut self, now_ms: u64) {
        self.values.retain(|_, value| value.due_ms.is_none_or(|due_ms| due_ms >= now_ms));
    }

    /// Gives a key a time to expire if the condition lets it, and says whether it did.
    fn set_due(&mut self, key: &str, due_ms: u64, condition: &str, now_ms: u64) -> Reply {
        let Some(value) = self.values.get_mut(key) else { return Reply::Integer(0) };
        let passes = match (condition, value.due_ms) {
            ("NX", due) => due.is_none(),
            ("XX", due) => due.is_some(),
            ("GT", due) => due.is_some_and(|due| due_ms > due),
            ("LT", due) => due.is_none_or(|due| due_ms < due),
            (_, _) => true,
        };
        if passes {
            value.due_ms = Some(due_ms);
            self.expire(now_ms);
        }
        Reply::Integer(passes.into())
    }

    fn ttl_ms(&self, key: &str, now_ms: u64) -> Reply {
        let left = |value: &Value| value.due_ms.map_or(-1, |due_ms| (due_ms - now_ms) as i64);
        Reply::Integer(self.values.get(key).map_or(-2, left))
    }
}

fn ok() -> Reply {
    Reply::Status(bytes::Bytes::from_static(b"OK"))
}

fn text(text: &str) -> Reply {
    Reply::Bulk(text.to_owned().into())
}

/// An engine, its twin, and the clock of both.
struct Case {
    chance: Chance,
    engine: Engine,
    session: Session,
    clock: Arc<ManualClock>,
    now_ms: u64,
    twin: Twin,
    /// The last commands, for who looks into a failure.
    log: Vec<String>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
        let engine = Engine::new(options);
        Self {
            chance: Chance::new(seed),
            session: engine.session(),
            engine,
            clock,
            now_ms: START_MS,
            twin: Twin::default(),
            log: Vec::new(),
        }
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.chance.below(KEYS.len() as u64) as usize]
    }

    fn ask(&mut self, line: &str) -> Reply {
        self.log.push(format!("{}: {line}", self.now_ms - START_MS));
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let mut reply = ReplyBuilder::new(Protocol::Resp3);
        self.session.call(&words, &mut reply);
        reply.take().expect("every command is answered")
    }

    fn check(&mut self, line: &str, expected: Reply) {
        let reply = self.ask(line);
        let tail = &self.log[self.log.len().saturating_sub(40)..];
        assert_eq!(reply, expected, "{line}, after\n{}", tail.join("\n"));
    }

    /// Lets some time pass, and now and then lets the engine do what is due.
    fn pass_time(&mut self) {
        let passed_ms = self.chance.below(TTL_MAX_MS / 4);
        self.clock.advance_ms(passed_ms);
        self.now_ms += passed_ms;
        self.twin.expire(self.now_ms);
        if self.chance.one_in(3) {
            let budget = 1 + self.chance.below(4) as usize;
            self.log.push(format!("{}: maintain {budget}", self.now_ms - START_MS));
            self.engine.maintain(budget);
        }
    }

    fn step(&mut self) {
        if self.chance.one_in(4) {
            self.pass_time();
        }
        match self.chance.below(10) {
            0..=2 => self.write(),
            3 | 4 => self.expire(),
            5 | 6 => self.read(),
            7 => self.transfer(),
            8 => self.getex(),
            _ => self.count(),
        }
    }

    /// A time to live, and when it ends.
    fn ttl(&mut self) -> (u64, u64) {
        let ttl_ms = 1 + self.chance.below(TTL_MAX_MS);
        (ttl_ms, self.now_ms + ttl_ms)
    }

    fn write(&mut self) {
        let key = self.key();
        let (ttl_ms, ttl_end_ms) = self.ttl();
        let value = self.chance.below(1000).to_string();
        let before = self.twin.values.get(key).cloned();
        let kept_ms = before.as_ref().and_then(|value| value.due_ms);
        let (options, due_ms) = match self.chance.below(6) {
            0 => (String::new(), None),
            1 => (" KEEPTTL".to_owned(), kept_ms),
            2 => (format!(" PXAT {ttl_end_ms}"), Some(ttl_end_ms)),
            3 => (format!(" PXAT {}", self.now_ms - ttl_ms), Some(self.now_ms - ttl_ms)),
            _ => (format!(" PX {ttl_ms}"), Some(ttl_end_ms)),
        };
        let (condition, passes) = match self.chance.below(4) {
            0 => (" NX", before.is_none()),
            1 => (" XX", before.is_some()),
            _ => ("", true),
        };
        let expected = if passes { ok() } else { Reply::Null };
        self.check(&format!("SET {key} {value}{condition}{options}"), expected);
        if passes {
            self.twin.values.insert(key, Value { text: value, due_ms });
            self.twin.expire(self.now_ms);
        }
    }

    fn expire(&mut self) {
        let key = self.key();
        let (ttl_ms, due_ms) = self.ttl();
        let condition = *self.chance.pick(&[&"", &"NX", &"XX", &"GT", &"LT"]);
        let line = match self.chance.below(4) {
            0 => {
                let existed = self.twin.values.get_mut(key).and_then(|value| value.due_ms.take());
                return self
                    .check(&format!("PERSIST {key}"), Reply::Integer(existed.is_some().into()));
            }
            1 => format!("PEXPIREAT {key} {due_ms} {condition}"),
            _ => format!("PEXPIRE {key} {ttl_ms} {condition}"),
        };
        let expected = self.twin.set_due(key, due_ms, condition, self.now_ms);
        self.check(line.trim_end(), expected);
    }

    fn read(&mut self) {
        let key = self.key();
        let now_ms = self.now_ms;
        let value = self.twin.values.get(key).cloned();
        let exists = value.is_some();
        match self.chance.below(6) {
            0 => self.check(&format!("EXISTS {key}"), Reply::Integer(exists.into())),
            1 => self.check(&format!("PTTL {key}"), self.twin.ttl_ms(key, now_ms)),
            2 => {
                let due = value.map_or(-2, |value| value.due_ms.map_or(-1, |due_ms| due_ms as i64));
                self.check(&format!("PEXPIRETIME {key}"), Reply::Integer(due));
            }
            3 => self.check_keys(),
            4 => {
                self.twin.values.remove(key);
                self.check(&format!("DEL {key}"), Reply::Integer(exists.into()));
            }
            _ => {
                let expected = value.map_or(Reply::Null, |value| text(&value.text));
                self.check(&format!("GET {key}"), expected);
            }
        }
    }

    /// Compares which keys there are, and checks that a SCAN and RANDOMKEY find no others.
    fn check_keys(&mut self) {
        let Reply::Array(keys) = self.ask("KEYS *") else { panic!("KEYS answers an array") };
        let mut found: Vec<_> = keys.iter().map(|key| format!("{key:?}")).collect();
        found.sort_unstable();
        let mut expected: Vec<_> =
            self.twin.values.keys().map(|key| format!("{:?}", text(key))).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "KEYS after\n{}", self.log.join("\n"));
        let random = self.ask("RANDOMKEY");
        let is_known = keys.contains(&random) || keys.is_empty() && random == Reply::Null;
        assert!(is_known, "RANDOMKEY answers {random:?} of {keys:?}");
    }

    fn transfer(&mut self) {
        let (source, target) = (self.key(), self.key());
        let value = self.twin.values.get(source).cloned();
        if source == target {
            return;
        }
        if self.chance.one_in(2) {
            let copied = value.is_some();
            if let Some(value) = value {
                self.twin.values.insert(target, value);
            }
            let line = format!("COPY {source} {target} REPLACE");
            return self.check(&line, Reply::Integer(copied.into()));
        }
        let Some(value) = value else { return };
        self.twin.values.remove(source);
        self.twin.values.insert(target, value);
        self.check(&format!("RENAME {source} {target}"), ok());
    }

    fn getex(&mut self) {
        let key = self.key();
        let (ttl_ms, due_ms) = self.ttl();
        let (options, due_ms) = match self.chance.below(3) {
            0 => (" PERSIST".to_owned(), None),
            1 => (format!(" PXAT {due_ms}"), Some(due_ms)),
            _ => (format!(" PX {ttl_ms}"), Some(due_ms)),
        };
        let expected = match self.twin.values.get_mut(key) {
            None => Reply::Null,
            Some(value) => {
                value.due_ms = due_ms;
                text(&value.text)
            }
        };
        self.check(&format!("GETEX {key}{options}"), expected);
    }

    /// INCR keeps the time to live, and starts again from nothing when the key has expired.
    fn count(&mut self) {
        let key = self.key();
        let fresh = || Value { text: "0".to_owned(), due_ms: None };
        let value = self.twin.values.entry(key).or_insert_with(fresh);
        let sum = value.text.parse::<i64>().expect("all values are integers") + 1;
        value.text = sum.to_string();
        self.check(&format!("INCR {key}"), Reply::Integer(sum));
    }
}

#[test]
fn keys_expire_to_the_millisecond() {
    let seed = seed();
    let commands = number_from_environment("KEYSLOT_COMMANDS").unwrap_or(COMMANDS);
    println!("KEYSLOT_SEED={seed} KEYSLOT_COMMANDS={commands}");
    let mut case = Case::new(seed);
    for number in 0..commands {
        case.step();
        if number % 1_000 == 0 {
            case.log.clear();
        }
    }
}
