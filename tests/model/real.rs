//! Two engines that take the steps of the protocol, and what can be seen of them.

use crate::protocol::{Answer, Command, Fence, Frame, Header, Standing, State, Values, View};
use crate::steps::Step;
use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{
    Parsed, Protocol, Reply, ReplyBuilder, RequestLimits, RequestParser, Requests, encode_request,
};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::time::ManualClock;
use keyslot::{
    Decision, Engine, EngineOptions, ImportEvent, Migration, MigrationEvent, MigrationLimits,
    MigrationRecord, Mode, Receiver, Session,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const KEY: &[u8] = b"k";

fn slot() -> u16 {
    SlotScheme::Redis.slot(KEY)
}

fn id(number: usize) -> NodeId {
    NodeId::parse(&[b'a' + number as u8; 40]).expect("forty letters are a name")
}

/// What a node answers to who reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Moved,
    Held,
    Value(u8),
}

/// What can be seen of both nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    frames: Vec<Frame>,
    reads: [[Shown; 2]; 2],
    writes: [Shown; 2],
    is_moving: [bool; 2],
    has_asked: [bool; 2],
    can_be_saved: [bool; 2],
    client_waits: bool,
}

impl Seen {
    /// What ought to be seen in a state of the model.
    pub(crate) fn of(state: &State) -> Self {
        let judge = |number: usize, is_held: bool, value: u8| {
            let is_mine = state.nodes[number].view.owner == number;
            match (is_mine, is_held) {
                (false, _) => Shown::Moved,
                (true, true) => Shown::Held,
                (true, false) => Shown::Value(value),
            }
        };
        let [one, other] = &state.nodes;
        let each = [(0, one), (1, other)];
        Self {
            frames: state.sent.iter().cloned().collect(),
            reads: each.map(|(number, node)| {
                node.values.map(|value| judge(number, node.fence == Fence::All, value))
            }),
            writes: each.map(|(number, node)| judge(number, node.fence != Fence::None, 0)),
            is_moving: each.map(|(_, node)| node.moving.is_some()),
            has_asked: each.map(|(_, node)| node.record.is_some()),
            can_be_saved: each.map(|(_, node)| {
                node.import.as_ref().is_some_and(|it| it.is_saving || it.is_prepared)
            }),
            client_waits: state.client.is_some(),
        }
    }
}

/// Two engines with their hosts, and what was sent between them.
pub(crate) struct Real {
    clock: Arc<ManualClock>,
    limits: MigrationLimits,
    engines: [Engine; 2],
    receivers: [Receiver; 2],
    migrations: [Option<Migration>; 2],
    records: [Option<MigrationRecord>; 2],
    saved: [Option<Vec<u8>>; 2],
    client: Option<(usize, Session)>,
    frames: BTreeMap<Frame, Vec<u8>>,
    /// The attempts in the order in which they began: the source, the migration, and its attempt.
    attempts: Vec<(usize, u64, u64)>,
    /// What arrived in the order in which it began to: the target, and its number.
    arrivals: Vec<(usize, u64)>,
    /// Reads what is in a payload.
    reader: Engine,
}

fn node(number: usize, epochs: [u8; 2]) -> Node {
    let place = format!("n{number}");
    Node { config_epoch: epochs[number].into(), ..Node::primary(id(number), place, 1) }
}

fn open(number: usize, clock: &Arc<ManualClock>, view: View) -> Engine {
    let mut topology = Topology::new(SlotScheme::Redis, node(number, view.epochs));
    topology.put_node(node(1 - number, view.epochs));
    topology.require_full_coverage = false;
    topology.assign(slot(), id(view.owner));
    Engine::new(EngineOptions {
        cluster: Some(topology),
        clock: Box::new(clock.clone()),
        seed: number as u64,
        shards: 2,
        databases: 2,
        ..EngineOptions::default()
    })
}

fn call(session: &mut Session, words: &[&[u8]]) -> Option<Reply> {
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    session.call(words, &mut builder);
    builder.take()
}

fn shown(reply: Option<Reply>) -> Shown {
    match reply {
        Some(Reply::Error(text)) if text.starts_with(b"MOVED") => Shown::Moved,
        Some(Reply::Error(_)) | None => Shown::Held,
        Some(Reply::Bulk(text)) => {
            Shown::Value(String::from_utf8_lossy(&text).parse().expect("a counter is a number"))
        }
        Some(_) => Shown::Value(0),
    }
}

/// Visits the requests of a text, each with its bytes.
fn each_request(bytes: &[u8], mut visit: impl FnMut(&[&[u8]], &[u8])) {
    let mut parser = RequestParser::new(RequestLimits::default());
    let (mut requests, mut used) = (Requests::new(), 0);
    while used < bytes.len() {
        requests.clear();
        let Ok(Parsed::Complete { end }) = parser.parse(bytes, used, &mut requests) else {
            panic!("frames are whole")
        };
        let mut words = Vec::new();
        requests.words(0, bytes, &mut words);
        visit(&words, &bytes[used..end]);
        used = end;
    }
}

fn number(word: &[u8]) -> u64 {
    std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).expect("a number")
}

/// The place of something in a list, at whose end it is put if it is new.
fn place_of<T: PartialEq>(list: &mut Vec<T>, wanted: T) -> u8 {
    let at = list.iter().position(|one| *one == wanted).unwrap_or_else(|| {
        list.push(wanted);
        list.len() - 1
    });
    at as u8
}

impl Real {
    pub(crate) fn new(state: &State, limits: MigrationLimits) -> Self {
        let clock = Arc::new(ManualClock::new(1_700_000_000_000));
        let view = state.nodes[0].view;
        let engines = [0, 1].map(|number| open(number, &clock, view));
        let receivers = [0, 1].map(|number: usize| engines[number].receiver());
        let real = Self {
            clock,
            limits,
            engines,
            receivers,
            migrations: [None, None],
            records: [None, None],
            saved: [None, None],
            client: None,
            frames: BTreeMap::new(),
            attempts: Vec::new(),
            arrivals: Vec::new(),
            reader: Engine::new(EngineOptions::default()),
        };
        real.load(0, state.nodes[0].values);
        real
    }

    fn load(&self, number: usize, values: Values) {
        let mut session = self.engines[number].session();
        for (db, value) in values.into_iter().enumerate().filter(|(_, value)| *value > 0) {
            call(&mut session, &[b"SELECT", db.to_string().as_bytes()]);
            call(&mut session, &[b"INCRBY", KEY, value.to_string().as_bytes()]);
        }
    }

    /// Takes a step that leads from `before` to `after`, and lets both sources go on.
    pub(crate) fn take(&mut self, step: &Step, before: &State, after: &State) {
        self.clock.advance_ms(1);
        match step {
            &Step::Begin(number) => {
                let slots = SlotSet::from_iter([slot()]);
                let engine = &self.engines[number];
                let begun = engine.migrate(Mode::Atomic, slots, id(1 - number), self.limits);
                self.migrations[number] = Some(begun.expect("the slot can be moved"));
            }
            &Step::Ask(number, command) => self.ask(number, command),
            Step::Deliver(frame) => self.deliver(frame),
            &Step::GiveUp(number) => self.wait_for_target(number),
            &Step::DropSilent(number) => {
                self.clock.advance_ms(301_000);
                self.engines[number].maintain(100);
            }
            &Step::Cancel(number) => {
                self.migrations[number].iter_mut().for_each(Migration::cancel);
            }
            &Step::Save(number) => self.saved[number] = self.engines[number].save_import(slot()),
            &Step::NoteSaved(number) => self.engines[number].handle_import_saved(slot()),
            &Step::HearAnswer(number) => {
                self.decide(number, before.nodes[number].answer.expect("there is an answer"));
            }
            &Step::Look(number) => {
                let answer = before.clone().look(number, crate::protocol::Flaw::None);
                self.decide(number, answer.expect("something was asked"));
            }
            &Step::Refresh(number) => self.change_view(number, after.nodes[number].view),
            &Step::Crash(number) => self.crash(number, before, after),
            Step::CompareAndSet(_) | Step::Own(..) | Step::ActLate(_) => {}
        }
        (0..2).for_each(|number| self.go_on(number));
        if let Some((_, session)) = &mut self.client {
            session.poll();
            if !session.is_waiting() {
                self.client = None;
            }
        }
    }

    fn ask(&mut self, number: usize, command: Command) {
        let mut session = self.engines[number].session();
        let is_second = command == Command::Increment(1);
        call(&mut session, &[b"SELECT", if is_second { b"1" } else { b"0" }]);
        let words: &[&[u8]] = match command {
            Command::Copy => &[b"COPY", KEY, KEY, b"DB", b"1", b"REPLACE"],
            _ => &[b"INCR", KEY],
        };
        let mut request = Vec::new();
        encode_request(words, &mut request);
        session.feed(&request);
        self.client = Some((number, session));
    }

    fn deliver(&mut self, frame: &Frame) {
        let bytes = self.frames[frame].clone();
        let source = self.attempts[usize::from(frame.header().attempt)].0;
        if let Frame::Ack(..) = frame {
            if let Some(migration) = &mut self.migrations[source] {
                migration.handle_frame(&bytes);
            }
            return;
        }
        let mut out = Vec::new();
        self.receivers[1 - source].handle_frame(&bytes, &mut out);
        self.note_frames(source, &out);
    }

    /// Lets the time pass after which a source gives up, if it may.
    fn wait_for_target(&mut self, number: usize) {
        for _ in 0..2 {
            self.clock.advance_ms(4_000);
            self.migrations[number].iter_mut().for_each(Migration::handle_timeout);
            self.go_on(number);
        }
    }

    fn decide(&mut self, number: usize, answer: Answer) {
        if let Some(migration) = &mut self.migrations[number] {
            migration.handle_decision(slot(), decision(answer));
        }
        if answer == Answer::Refused {
            self.records[number] = None;
        }
    }

    fn change_view(&self, number: usize, view: View) {
        let changed = self.engines[number].change_topology(|topology| {
            (0..2).for_each(|other| topology.put_node(node(other, view.epochs)));
            topology.assign(slot(), id(view.owner));
        });
        changed.expect("the topology is in no store");
    }

    fn crash(&mut self, number: usize, before: &State, after: &State) {
        if self.client.as_ref().is_some_and(|(at, _)| *at == number) {
            self.client = None;
        }
        self.migrations[number] = None;
        let store = before.store;
        self.engines[number] = open(number, &self.clock, View { owner: number, ..store });
        self.receivers[number] = self.engines[number].receiver();
        self.load(number, after.nodes[number].values);
        if let Some(saved) = &self.saved[number] {
            self.engines[number].restore_import(saved).expect("what was saved is sound");
        }
        self.change_view(number, store);
        let answer = before.clone().crash(number, crate::protocol::Flaw::None);
        if let Some((record, answer)) = self.records[number].zip(answer) {
            let engine = &self.engines[number];
            let resumed = engine.resume_migration(record, decision(answer), self.limits);
            self.migrations[number] = Some(resumed.expect("nothing else is at work"));
            if answer == Answer::Refused {
                self.records[number] = None;
            }
        }
        self.change_view(number, after.nodes[number].view);
    }

    /// Lets a node's host do what it does at any time.
    fn go_on(&mut self, number: usize) {
        while let Some(event) = self.engines[number].poll_import_event() {
            match event {
                ImportEvent::Save { .. } => {}
                ImportEvent::Served { .. } | ImportEvent::Dropped { .. } => {
                    self.saved[number] = None;
                }
            }
        }
        let Some(mut migration) = self.migrations[number].take() else { return };
        // Once for what is to be done now, and once for what follows from it.
        for _ in 0..2 {
            let mut out = Vec::new();
            migration.poll_transmit(&mut out, 100_000);
            self.note_frames(number, &out);
        }
        while let Some(event) = migration.poll_event() {
            match event {
                MigrationEvent::Decide(record) => self.records[number] = Some(record),
                MigrationEvent::SlotMoved { .. } => self.records[number] = None,
                _ => {}
            }
        }
        if !migration.is_ended() {
            self.migrations[number] = Some(migration);
        }
    }

    /// Keeps frames of a source's attempts, as the model calls them.
    fn note_frames(&mut self, source: usize, bytes: &[u8]) {
        let mut frames = Vec::new();
        each_request(bytes, |words, bytes| {
            frames.push((self.frame(source, words), bytes.to_vec()));
        });
        self.frames.extend(frames);
    }

    fn frame(&mut self, source: usize, words: &[&[u8]]) -> Frame {
        let [_, kind, migration, _, _, _, attempt, arrival, sequence, payload, _] = words else {
            panic!("a frame has eleven words")
        };
        let (migration, attempt) = (number(migration), number(attempt));
        let attempt = place_of(&mut self.attempts, (source, migration, attempt));
        let arrival = match number(arrival) {
            0 => 0,
            arrival => 1 + place_of(&mut self.arrivals, (1 - source, arrival)),
        };
        let (header, sequence) = (Header { attempt, arrival }, number(sequence) as u8);
        match *kind {
            b"open" => Frame::Open(header),
            b"data" => Frame::Data(header, sequence, self.commands(payload)),
            b"prepare" => Frame::Prepare(header, sequence),
            b"commit" => Frame::Commit(header, number(payload) as u8),
            b"abort" => Frame::Abort(header),
            b"ack" => Frame::Ack(header, sequence, standing(payload)),
            other => panic!("{} is no kind", String::from_utf8_lossy(other)),
        }
    }

    fn commands(&self, payload: &[u8]) -> Vec<Command> {
        let (mut commands, mut db) = (Vec::new(), 0);
        each_request(payload, |words, _| match words {
            [b"@", at, _] => db = number(at) as u8,
            [b"%", ..] => {}
            [b"INCR", _] => commands.push(Command::Increment(db)),
            [b"DEL", _] => commands.push(Command::Delete(db)),
            [b"COPY", ..] => commands.push(Command::Copy),
            [b"RESTORE", _, _, payload, ..] => {
                let mut session = self.reader.session();
                call(&mut session, &[b"RESTORE", KEY, b"0", payload, b"REPLACE"]);
                let Shown::Value(value) = shown(call(&mut session, &[b"GET", KEY])) else {
                    panic!("a counter is sent")
                };
                commands.push(Command::Restore(db, value));
            }
            _ => panic!("the model does not know {words:?}"),
        });
        commands
    }

    pub(crate) fn seen(&self) -> Seen {
        let each = [0, 1];
        let ask = |number: usize, db: &[u8], name: &[u8]| {
            let mut session = self.engines[number].session();
            call(&mut session, &[b"SELECT", db]);
            shown(call(&mut session, &[name, KEY]))
        };
        Seen {
            frames: self.frames.keys().cloned().collect(),
            reads: each.map(|number| [ask(number, b"0", b"GET"), ask(number, b"1", b"GET")]),
            // A write that changes nothing.
            writes: each.map(|number| ask(number, b"0", b"PERSIST")),
            is_moving: each.map(|number| self.migrations[number].is_some()),
            has_asked: each.map(|number| self.records[number].is_some()),
            can_be_saved: each.map(|number| self.engines[number].save_import(slot()).is_some()),
            client_waits: self.client.is_some(),
        }
    }
}

fn decision(answer: Answer) -> Decision {
    match answer {
        Answer::Committed(epoch) => Decision::Committed { epoch: epoch.into() },
        Answer::Refused => Decision::Refused,
    }
}

fn standing(payload: &[u8]) -> Standing {
    match payload {
        b"receiving" => Standing::Receiving,
        b"prepared" => Standing::Prepared,
        b"committed" => Standing::Committed,
        b"unknown" => Standing::Unknown,
        _ => Standing::Aborted,
    }
}
