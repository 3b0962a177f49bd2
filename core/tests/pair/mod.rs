//! Two engines that are nodes of a cluster, for tests of how slots go from one to the other.

#![allow(dead_code, reason = "each test uses what it needs of this")]

use keyslot::cluster::{Node, NodeId, SlotState, Topology};
use keyslot::resp::encode_request;
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::time::{Clock, ManualClock};
use keyslot::{
    Decision, Engine, EngineOptions, Migration, MigrationEvent, MigrationLimits, Mode, Session,
};
use std::sync::Arc;

pub(crate) fn id(digit: u8) -> NodeId {
    NodeId::parse(&[digit; 40]).unwrap()
}

/// Two nodes, the first of which owns every slot.
pub(crate) struct Pair {
    pub(crate) mode: Mode,
    pub(crate) engines: [Engine; 2],
    pub(crate) clock: Arc<ManualClock>,
}

impl Pair {
    pub(crate) fn new(mode: Mode) -> Self {
        Self::with_scheme(mode, SlotScheme::Redis)
    }

    pub(crate) fn with_scheme(mode: Mode, scheme: SlotScheme) -> Self {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let nodes = [Node::primary(id(b'a'), "one", 1), Node::primary(id(b'b'), "two", 2)];
        let engines = [0, 1].map(|me| {
            let mut topology = Topology::new(scheme, nodes[me].clone());
            topology.put_node(nodes[1 - me].clone());
            (0..scheme.slots() as u16).for_each(|slot| assert!(topology.assign(slot, id(b'a'))));
            Engine::new(EngineOptions {
                scheme,
                shards: 16,
                clock: Box::new(clock.clone()),
                cluster: Some(topology),
                ..EngineOptions::default()
            })
        });
        Self { mode, engines, clock }
    }

    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    pub(crate) fn migration(&self, slots: &[u16], limits: MigrationLimits) -> Migration {
        let slots = slots.iter().copied().collect::<SlotSet>();
        self.engines[0].migrate(self.mode, slots, id(b'b'), limits).unwrap()
    }

    /// Carries a migration to its end, and returns its last event.
    pub(crate) fn run(&self, migration: &mut Migration) -> MigrationEvent {
        self.events(migration).pop().expect("an end is an event")
    }

    /// Carries a migration to its end, and returns what happened. A turn takes a millisecond.
    pub(crate) fn events(&self, migration: &mut Migration) -> Vec<MigrationEvent> {
        let mut target = self.engines[1].session();
        let mut receiver = self.engines[1].receiver();
        let mut events = Vec::new();
        while !migration.is_ended() {
            if self.mode == Mode::Atomic {
                let mut answers = Vec::new();
                receiver.handle_frame(&frame(migration), &mut answers);
                migration.handle_frame(&answers);
            } else {
                step(migration, &mut target);
            }
            migration.handle_timeout();
            while let Some(event) = migration.poll_event() {
                if let MigrationEvent::Decide(record) = &event {
                    migration.handle_decision(record.slot, Decision::Committed { epoch: 9 });
                }
                events.push(event);
            }
            self.clock.advance_ms(1);
        }
        events.extend(std::iter::from_fn(|| migration.poll_event()));
        events
    }

    pub(crate) fn state(&self, engine: usize, slot: u16) -> SlotState {
        self.engines[engine].topology().unwrap().state(slot)
    }

    pub(crate) fn owns(&self, engine: usize, slot: u16) -> bool {
        self.engines[engine].topology().unwrap().is_mine(slot)
    }
}

/// Sends what is to be sent and brings the answers back.
pub(crate) fn step(migration: &mut Migration, target: &mut Session) {
    let frame = frame(migration);
    target.feed(&frame);
    migration.handle_frame(&target.take_output());
}

pub(crate) fn frame(migration: &mut Migration) -> Vec<u8> {
    let mut frame = Vec::new();
    migration.poll_transmit(&mut frame, 1 << 20);
    frame
}

pub(crate) fn ask(session: &mut Session, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut request = Vec::new();
    encode_request(&words, &mut request);
    session.feed(&request);
    String::from_utf8(session.take_output()).unwrap()
}

/// What a client gets that follows a redirect; none while it waits or is told to try again, or sent
/// back to where it came from, as it is for a moment when a migration is cancelled.
pub(crate) fn client(pair: &Pair, line: &str) -> Option<String> {
    let told = ask(&mut pair.engines[0].session(), line);
    follow(pair, line, told)
}

/// As [`client`], from the first node's answer on.
pub(crate) fn follow(pair: &Pair, line: &str, told: String) -> Option<String> {
    let mut answer = told;
    let mut other = pair.engines[1].session();
    if answer.starts_with("-MOVED") {
        answer = ask(&mut other, line);
    } else if answer.starts_with("-ASK") {
        assert_eq!(ask(&mut other, "ASKING"), "+OK\r\n");
        answer = ask(&mut other, line);
    }
    let again = ["-TRYAGAIN", "-MOVED"].iter().any(|prefix| answer.starts_with(prefix));
    (!again && !answer.is_empty()).then_some(answer)
}

pub(crate) fn slot(key: &str) -> u16 {
    SlotScheme::Redis.slot(key.as_bytes())
}
