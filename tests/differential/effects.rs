//! What an engine says that its writes did, carried out on a second engine: the two hold the same
//! then. The second one's clock stands in the past, so that nothing there expires by itself and no
//! relative time would come out right, and its chance is another.

use crate::chance::{Chance, number_from_environment, seed};
use crate::generate::Generator;
use crate::shrink::shrink;
use crate::step::{Command, Step};
use keyslot::resp::{Protocol, Reply, ReplyBuilder};
use keyslot::time::ManualClock;
use keyslot::{Effect, Effects, Engine, EngineOptions, Session};
use std::sync::Arc;

const STREAM_LEN: u64 = 400;
const COMMANDS: u64 = 16_000;
const START_MS: u64 = 1_700_000_000_000;

struct Twins {
    clock: Arc<ManualClock>,
    first: Engine,
    session: Session,
    effects: Effects,
    second: Session,
    depth: usize,
    said: Vec<String>,
}

fn engine(clock: &Arc<ManualClock>, seed: u64) -> Engine {
    let clock = Box::new(clock.clone());
    Engine::new(EngineOptions { seed, clock, shards: 16, ..EngineOptions::default() })
}

fn ask(session: &mut Session, words: &[&[u8]]) -> Option<Reply> {
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    session.call(words, &mut builder);
    builder.take()
}

fn borrow(command: &Command) -> Vec<&[u8]> {
    command.iter().map(Vec::as_slice).collect()
}

impl Twins {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let first = engine(&clock, 1);
        let effects = first.effects();
        let second = engine(&Arc::new(ManualClock::new(1)), 2).session();
        let session = first.session();
        Self { clock, first, session, effects, second, depth: 0, said: Vec::new() }
    }

    /// Carries out steps at the first, and what they did at the second. Says how the two differ.
    fn run(steps: &[(u64, Step)]) -> Result<(), String> {
        let mut twins = Self::new();
        for (advance_ms, step) in steps {
            twins.clock.advance_ms(*advance_ms);
            let Step::Send { commands, .. } = step else { continue };
            for command in commands.iter().filter(|command| is_comparable(command)) {
                twins.said.clear();
                ask(&mut twins.session, &borrow(command));
                twins.follow()?;
            }
        }
        while twins.first.maintain(1_000) {}
        twins.said.clear();
        twins.follow()?;
        twins.compare()
    }

    fn follow(&mut self) -> Result<(), String> {
        while let Some(effect) = self.effects.poll() {
            match effect {
                Effect::Begin => self.depth += 1,
                Effect::End => self.depth -= 1,
                Effect::Command { db, words, .. } => {
                    self.said.push(format!("{db}: {}", Step::one(words.clone())));
                    ask(&mut self.second, &[b"SELECT", db.to_string().as_bytes()]);
                    if let Some(Reply::Error(text)) = ask(&mut self.second, &borrow(&words)) {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        return Err(format!("{:?} answered {text}", self.said));
                    }
                }
            }
        }
        assert_eq!(self.depth, 0, "what begins ends");
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        let one = ask(&mut self.session, &[b"DEBUG", b"DIGEST"]);
        let other = ask(&mut self.second, &[b"DEBUG", b"DIGEST"]);
        if one == other { Ok(()) } else { Err(format!("{one:?} and {other:?}")) }
    }
}

/// Whether a command leaves the session and the clock as they are.
fn is_comparable(command: &Command) -> bool {
    let name = command[0].to_ascii_lowercase();
    !matches!(&name[..], b"hello" | b"client" | b"debug" | b"config" | b"quit" | b"reset")
}

#[test]
fn effects_make_a_second_engine_equal() {
    let seed = seed();
    let commands = number_from_environment("KEYSLOT_COMMANDS").unwrap_or(COMMANDS);
    println!("KEYSLOT_SEED={seed} KEYSLOT_COMMANDS={commands}");
    for number in 0..commands.div_ceil(STREAM_LEN) {
        let mut generator = Generator::new(seed ^ (number << 40), 2, number);
        let mut chance = Chance::new(seed ^ number);
        let step = |_| (chance.below(40), generator.step());
        let steps: Vec<_> = (0..STREAM_LEN).map(step).collect();
        if Twins::run(&steps).is_err() {
            let steps = shrink(steps, |steps| Twins::run(steps).is_err());
            let difference = Twins::run(&steps).expect_err("it was seen to fail");
            let lines: Vec<_> = steps.iter().map(|(ms, step)| format!("{ms} ms\n{step}")).collect();
            panic!("KEYSLOT_SEED={seed}, stream {number}\n{}\n{difference}", lines.join("\n"));
        }
    }
}
