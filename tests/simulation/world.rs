//! The nodes, the network between them, the store that decides, and the clients.

use crate::history::History;
use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{Protocol, Reply, ReplyBuilder, ReplyDecoder, encode_request};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::time::ManualClock;
use keyslot::{
    Decision, Effect, Effects, Engine, EngineOptions, ImportEvent, Migration, MigrationEvent,
    MigrationLimits, MigrationRecord, Mode, Receiver, Session,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NODES: usize = 3;
const CLIENTS: usize = 6;
const STEPS: u64 = 500;
/// Every so many steps it is looked who answers for what.
const LOOK: u64 = 5;
const TAGS: [&str; 4] = ["{a}", "{b}", "{c}", "{d}"];

/// What the hosts do wrong, so that the checkers are seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The store refuses, and the source is told that it agreed.
    TakesNoForYes,
    /// A target that crashed does not bring back what it prepared.
    ForgetsPrepared,
    /// A source that crashed serves the slot again without looking into the store.
    ForgetsThatItAsked,
}

fn slot(tag: &str) -> u16 {
    SlotScheme::Redis.slot(tag.as_bytes())
}

fn id(number: usize) -> NodeId {
    NodeId::parse(&[b'a' + number as u8; 40]).expect("forty letters are a name")
}

/// Where a slot is, with the epoch of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    node: usize,
    epoch: u64,
}

/// A node and what of it survives a crash.
struct Machine {
    engine: Engine,
    receivers: Vec<Receiver>,
    migrations: Vec<(usize, Migration)>,
    effects: Effects,
    /// What every write was followed on, before it was acknowledged.
    disk: Engine,
    clock: Arc<ManualClock>,
    /// Durable: what the store is asked, and what others' slots have prepared here.
    records: BTreeMap<u16, (MigrationRecord, Owner)>,
    saved: BTreeMap<u16, Vec<u8>>,
    /// Counts crashes: what was under way before one is lost.
    life: u64,
}

#[derive(Clone, Debug)]
enum Packet {
    ToTarget {
        from: usize,
        to: usize,
        bytes: Vec<u8>,
    },
    ToSource {
        to: usize,
        bytes: Vec<u8>,
    },
    /// The compare-and-set of a slot reaches the store.
    Ask {
        node: usize,
        life: u64,
        slot: u16,
        before: Owner,
        target: usize,
    },
    Decide {
        node: usize,
        life: u64,
        slot: u16,
        decision: Decision,
    },
    Saved {
        node: usize,
        life: u64,
        slot: u16,
    },
}

/// What a client waits for.
struct Pending {
    node: usize,
    life: u64,
    session: Session,
    began: u64,
    what: What,
    input: Vec<u8>,
}

#[derive(Clone, Debug)]
enum What {
    Increment(String),
    Read(String),
    Add(String, String),
    Both([String; 2]),
    ReadBoth([String; 2]),
}

pub(crate) struct World {
    seed: u64,
    chance: u64,
    fault: Fault,
    now: u64,
    nodes: Vec<Machine>,
    owners: BTreeMap<u16, Owner>,
    /// Who was ever the owner of a slot.
    owned: BTreeSet<(usize, u16)>,
    network: Vec<(u64, Packet)>,
    clients: Vec<Option<Pending>>,
    history: History,
    noise: u64,
    counter: u64,
    trace: u64,
    moves: usize,
}

fn topology(number: usize, owners: &BTreeMap<u16, Owner>) -> Topology {
    let node = |number: usize| Node::primary(id(number), format!("n{number}"), 1);
    let mut topology = Topology::new(SlotScheme::Redis, node(number));
    (0..NODES).filter(|other| *other != number).for_each(|other| topology.put_node(node(other)));
    topology.require_full_coverage = false;
    owners.iter().for_each(|(&slot, owner)| _ = topology.assign(slot, id(owner.node)));
    topology
}

fn open(number: usize, seed: u64, clock: &Arc<ManualClock>, topology: Topology) -> Engine {
    Engine::new(EngineOptions {
        cluster: Some(topology),
        clock: Box::new(clock.clone()),
        seed: seed ^ number as u64,
        shards: 16,
        databases: 2,
        ..EngineOptions::default()
    })
}

/// An engine that keeps what another would write to its disk.
fn disk() -> Engine {
    Engine::new(EngineOptions { shards: 16, databases: 2, ..EngineOptions::default() })
}

fn call(engine: &Engine, words: &[&[u8]]) -> Option<Reply> {
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    engine.call(words, &mut builder);
    builder.take()
}

impl Machine {
    /// Follows what was written since the last time.
    fn write_to_disk(&mut self) {
        let mut session = self.disk.session();
        while let Some(effect) = self.effects.poll() {
            let Effect::Command { db, words, .. } = effect else { continue };
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let mut builder = ReplyBuilder::new(Protocol::Resp2);
            session.call(&[b"SELECT", db.to_string().as_bytes()], &mut builder);
            session.call(&words, &mut builder);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, fault: Fault) -> Self {
        let first = Owner { node: 0, epoch: 1 };
        let owners: BTreeMap<u16, Owner> = TAGS.iter().map(|tag| (slot(tag), first)).collect();
        let machine = |number: usize| {
            // Clocks disagree by up to a second.
            let skew = (seed >> number) % 1_000;
            let clock = Arc::new(ManualClock::new(1_700_000_000_000 + skew));
            let engine = open(number, seed, &clock, topology(number, &owners));
            let receivers = (0..NODES).map(|_| engine.receiver()).collect();
            let (records, saved) = Default::default();
            let (effects, disk, migrations) = (engine.effects(), disk(), Vec::new());
            Machine { engine, receivers, migrations, effects, disk, clock, records, saved, life: 0 }
        };
        Self {
            seed,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            fault,
            now: 0,
            nodes: (0..NODES).map(machine).collect(),
            owned: owners.keys().map(|&slot| (0, slot)).collect(),
            owners,
            network: Vec::new(),
            clients: (0..CLIENTS).map(|_| None).collect(),
            history: History::default(),
            noise: seed % 12,
            counter: 0,
            trace: 0,
            moves: 0,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % end
    }

    /// A sum over everything that was sent and answered.
    pub(crate) fn trace(&self) -> u64 {
        self.trace
    }

    /// Whether nodes crash in this run.
    fn crashes(&self) -> bool {
        !self.seed.is_multiple_of(3)
    }

    /// How many slots were moved.
    pub(crate) fn moves(&self) -> usize {
        self.moves
    }

    fn note(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step(true)?;
        }
        // Faults stop, and everything comes to an end.
        self.noise = 0;
        for _ in 0..6_000 {
            if self.is_quiet() {
                break;
            }
            self.step(false)?;
        }
        if !self.is_quiet() {
            let waiting = self.clients.iter().flatten().count();
            let at_work = self.nodes.iter().flat_map(|node| &node.migrations);
            let statuses: Vec<_> = at_work.map(|(_, migration)| migration.status()).collect();
            return Err(format!("no end: {waiting} clients wait, {statuses:?}"));
        }
        self.check_end()
    }

    fn is_quiet(&self) -> bool {
        self.network.is_empty()
            && self.clients.iter().all(Option::is_none)
            && self.nodes.iter().all(|node| node.migrations.is_empty())
    }

    fn step(&mut self, faults: bool) -> Result<(), String> {
        self.now += 1;
        for node in &self.nodes {
            node.clock.advance_ms(5);
        }
        if faults {
            let number = self.below(NODES as u64) as usize;
            match self.below(60) {
                0 => self.begin_migration(number),
                1 if self.crashes() && self.below(3) == 0 => self.crash(number),
                2 if self.seed.is_multiple_of(4) => {
                    let at_work = &mut self.nodes[number].migrations;
                    at_work.iter_mut().for_each(|(_, migration)| migration.cancel());
                }
                _ => {}
            }
            self.ask_something();
        }
        self.deliver();
        (0..NODES).for_each(|number| self.drive(number));
        self.hear_answers()?;
        if self.now.is_multiple_of(LOOK) {
            self.check_owners()?;
        }
        self.nodes.iter_mut().for_each(Machine::write_to_disk);
        Ok(())
    }

    fn begin_migration(&mut self, number: usize) {
        if !self.nodes[number].migrations.is_empty() {
            return;
        }
        let mine = |(_, owner): &(&u16, &Owner)| owner.node == number;
        let mine: Vec<u16> = self.owners.iter().filter(mine).map(|(&slot, _)| slot).collect();
        let some: SlotSet = mine.into_iter().filter(|_| self.below(2) == 0).collect();
        let target = (number + 1 + self.below(NODES as u64 - 1) as usize) % NODES;
        if some.iter().next().is_none() {
            return;
        }
        let limits = MigrationLimits {
            durable: true,
            in_flight_bytes: 2_000,
            piece_bytes: 300,
            fence_bytes: 200,
            fence_after_ms: 300,
            ..MigrationLimits::default()
        };
        let migration = self.nodes[number].engine.migrate(Mode::Atomic, some, id(target), limits);
        self.nodes[number].migrations.extend(migration.ok().map(|migration| (target, migration)));
    }

    /// What of a node is durable comes back: all that it acknowledged, what it asked the store, and
    /// what it was asked to save.
    fn crash(&mut self, number: usize) {
        let all: BTreeMap<u16, Owner> =
            self.owners.keys().map(|&slot| (slot, Owner { node: number, epoch: 0 })).collect();
        let clock = self.nodes[number].clock.clone();
        let engine = open(number, self.seed, &clock, topology(number, &all));
        let kept = |slot: u16| {
            self.owners[&slot].node == number || self.nodes[number].records.contains_key(&slot)
        };
        // What is prepared takes the place of what was here before.
        let kept = |slot: &u16| kept(*slot) && !self.nodes[number].saved.contains_key(slot);
        let slots: Vec<u16> = self.owners.keys().copied().filter(kept).collect();
        let machine = &self.nodes[number];
        slots.into_iter().for_each(|slot| copy_slot(&machine.disk, &engine, slot));
        let life = self.nodes[number].life + 1;
        let machine = &mut self.nodes[number];
        machine.migrations.clear();
        machine.effects = engine.effects();
        machine.receivers = (0..NODES).map(|_| engine.receiver()).collect();
        machine.engine = engine;
        machine.life = life;
        self.clients.iter_mut().for_each(|client| {
            if client.as_ref().is_some_and(|pending| pending.node == number) {
                *client = None;
            }
        });
        self.recover(number);
    }

    fn recover(&mut self, number: usize) {
        if self.fault != Fault::ForgetsPrepared {
            for saved in self.nodes[number].saved.values() {
                _ = self.nodes[number].engine.restore_import(saved);
            }
        }
        let records = std::mem::take(&mut self.nodes[number].records);
        for (slot, (record, before)) in records {
            let owner = self.owners[&slot];
            let target = (0..NODES).find(|&other| id(other) == record.target).unwrap_or(0);
            if self.fault == Fault::ForgetsThatItAsked {
                continue;
            }
            let decision = if owner.node == target && owner.epoch > before.epoch {
                Decision::Committed { epoch: owner.epoch }
            } else {
                // An older compare-and-set that is still on its way fails from now on.
                let epoch = owner.epoch + 1;
                self.owners.insert(slot, Owner { epoch, ..owner });
                Decision::Refused
            };
            let limits = MigrationLimits { durable: true, ..MigrationLimits::default() };
            let engine = &self.nodes[number].engine;
            let resumed = engine.resume_migration(record, decision, limits);
            let machine = &mut self.nodes[number];
            machine.migrations.extend(resumed.ok().map(|migration| (target, migration)));
            if decision != Decision::Refused {
                machine.records.insert(slot, (record, before));
            }
        }
        let owners = self.owners.clone();
        let engine = self.nodes[number].engine.clone();
        let forgets = self.fault == Fault::ForgetsThatItAsked;
        _ = engine.change_topology(|view| {
            for (slot, owner) in owners {
                if !forgets || !view.is_mine(slot) || owner.node == number {
                    view.assign(slot, id(owner.node));
                }
            }
        });
    }

    fn send(&mut self, packet: Packet) {
        let is_frame = matches!(packet, Packet::ToTarget { .. } | Packet::ToSource { .. });
        let dice = self.below(100);
        if is_frame && dice < self.noise {
            return;
        }
        let delay = if self.noise > 0 { self.below(1 + self.noise) } else { 0 };
        if is_frame && dice > 100 - self.noise.min(99) {
            let later = self.now + delay + self.below(60);
            self.network.push((later, packet.clone()));
        }
        self.network.push((self.now + delay, packet));
    }

    fn deliver(&mut self) {
        let now = self.now;
        let (due, later) = self.network.drain(..).partition(|(at, _)| *at <= now);
        self.network = later;
        let due: Vec<(u64, Packet)> = due;
        for (_, packet) in due {
            match packet {
                Packet::ToTarget { from, to, bytes } => {
                    let mut out = Vec::new();
                    self.nodes[to].receivers[from].handle_frame(&bytes, &mut out);
                    self.note(&out);
                    self.send_frames(&out, |bytes| Packet::ToSource { to: from, bytes });
                }
                Packet::ToSource { to, bytes } => {
                    let at_work = &mut self.nodes[to].migrations;
                    at_work.iter_mut().for_each(|(_, migration)| migration.handle_frame(&bytes));
                }
                Packet::Ask { node, life, slot, before, target } => {
                    let agrees = self.owners[&slot] == before;
                    let epoch = before.epoch + 1;
                    if agrees {
                        self.owners.insert(slot, Owner { node: target, epoch });
                        self.owned.insert((target, slot));
                        // The worst moment for a crash comes often.
                        let forgets = self.fault == Fault::ForgetsPrepared;
                        if forgets || (self.crashes() && self.noise > 0 && self.below(6) == 0) {
                            let is_target = forgets || self.below(2) == 0;
                            self.crash(if is_target { target } else { node });
                        }
                    }
                    let lies = self.fault == Fault::TakesNoForYes;
                    let decision = match agrees || lies {
                        true => Decision::Committed { epoch },
                        false => Decision::Refused,
                    };
                    self.send(Packet::Decide { node, life, slot, decision });
                }
                Packet::Decide { node, life, slot, decision } => {
                    if self.nodes[node].life == life {
                        let at_work = &mut self.nodes[node].migrations;
                        for (_, migration) in at_work {
                            migration.handle_decision(slot, decision);
                        }
                        if decision == Decision::Refused {
                            self.nodes[node].records.remove(&slot);
                        }
                    }
                }
                Packet::Saved { node, life, slot } => {
                    if self.nodes[node].life == life {
                        self.nodes[node].engine.handle_import_saved(slot);
                    }
                }
            }
        }
    }

    fn send_frames(&mut self, bytes: &[u8], packet: impl Fn(Vec<u8>) -> Packet) {
        use keyslot::resp::{Parsed, RequestLimits, RequestParser, Requests};
        let mut parser = RequestParser::new(RequestLimits::default());
        let (mut requests, mut used) = (Requests::new(), 0);
        while used < bytes.len() {
            requests.clear();
            let Ok(Parsed::Complete { end }) = parser.parse(bytes, used, &mut requests) else {
                break;
            };
            self.send(packet(bytes[used..end].to_vec()));
            used = end;
        }
    }

    /// Lets a node's host do its part.
    fn drive(&mut self, number: usize) {
        let life = self.nodes[number].life;
        while let Some(event) = self.nodes[number].engine.poll_import_event() {
            match event {
                ImportEvent::Save { slot } => {
                    let saved = self.nodes[number].engine.save_import(slot);
                    if let Some(saved) = saved {
                        self.nodes[number].saved.insert(slot, saved);
                        self.send(Packet::Saved { node: number, life, slot });
                    }
                }
                ImportEvent::Served { slot, .. } => {
                    self.nodes[number].write_to_disk();
                    let machine = &mut self.nodes[number];
                    machine.saved.remove(&slot);
                    forget_slot(&machine.disk, slot);
                    copy_slot(&machine.engine, &machine.disk, slot);
                }
                ImportEvent::Dropped { slot } => _ = self.nodes[number].saved.remove(&slot),
            }
        }
        for (target, migration) in std::mem::take(&mut self.nodes[number].migrations) {
            self.drive_migration(number, target, migration);
        }
    }

    fn drive_migration(&mut self, number: usize, target: usize, mut migration: Migration) {
        let life = self.nodes[number].life;
        let mut out = Vec::new();
        migration.poll_transmit(&mut out, 4_000);
        migration.handle_timeout();
        self.note(&out);
        self.send_frames(&out, |bytes| Packet::ToTarget { from: number, to: target, bytes });
        while let Some(event) = migration.poll_event() {
            match event {
                MigrationEvent::Decide(record) => {
                    let slot = record.slot;
                    let before = self.owners[&slot];
                    if self.fault == Fault::TakesNoForYes && self.below(2) == 0 {
                        let spoilt = Owner { epoch: before.epoch + 1, ..before };
                        self.owners.insert(slot, spoilt);
                    }
                    self.nodes[number].records.insert(slot, (record, before));
                    self.send(Packet::Ask { node: number, life, slot, before, target });
                }
                MigrationEvent::SlotMoved { slot, .. } => {
                    self.moves += 1;
                    self.nodes[number].records.remove(&slot);
                    self.tell_others(slot);
                }
                _ => {}
            }
        }
        if !migration.is_ended() {
            self.nodes[number].migrations.push((target, migration));
        }
    }

    /// Lets all nodes know where a slot is, but those that are about to find out by themselves.
    fn tell_others(&mut self, slot: u16) {
        let owner = self.owners[&slot];
        for number in 0..NODES {
            let engine = &self.nodes[number].engine;
            let knows = engine
                .topology()
                .is_some_and(|topology| topology.is_mine(slot) || owner.node == number);
            if !knows {
                _ = engine.change_topology(|view| _ = view.assign(slot, id(owner.node)));
            }
        }
    }

    fn ask_something(&mut self) {
        let number = self.below(CLIENTS as u64) as usize;
        if self.clients[number].is_some() {
            return;
        }
        let tag = TAGS[self.below(TAGS.len() as u64) as usize];
        let key = |name: &str| format!("{tag}{name}");
        self.counter += 1;
        let len = self.below(40) as usize;
        let member = format!("m{}-{}", self.counter, "x".repeat(len));
        let counter = key(["n", "m"][self.below(2) as usize]);
        let both = [key("left"), key("right")];
        let (what, commands): (What, Vec<Vec<String>>) = match self.below(8) {
            0 | 1 => (What::Increment(counter.clone()), vec![vec!["INCR".into(), counter]]),
            2 => (What::Read(counter.clone()), vec![vec!["GET".into(), counter]]),
            3 => {
                let one = |name: &str| vec!["INCR".to_owned(), name.to_owned()];
                let multi =
                    vec![vec!["MULTI".into()], one(&both[0]), one(&both[1]), vec!["EXEC".into()]];
                (What::Both(both), multi)
            }
            4 => {
                let words = vec!["MGET".into(), both[0].clone(), both[1].clone()];
                (What::ReadBoth(both), vec![words])
            }
            _ => {
                let kind = self.below(4) as usize;
                let name = key(["set", "list", "hash", "zset"][kind]);
                let mut words =
                    vec![["SADD", "RPUSH", "HSET", "ZADD"][kind].to_owned(), name.clone()];
                words.extend((kind == 3).then(|| "1".to_owned()));
                words.push(member.clone());
                words.extend((kind == 2).then(|| "v".to_owned()));
                (What::Add(name, member), vec![words])
            }
        };
        match &what {
            What::Increment(key) => self.history.ask_increment(key, self.now),
            What::Add(key, member) => self.history.ask_member(key, member),
            What::Both(keys) => {
                keys.iter().for_each(|key| self.history.ask_increment(key, self.now));
            }
            What::Read(_) | What::ReadBoth(_) => {}
        }
        let mut input = Vec::new();
        for words in &commands {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            encode_request(&words, &mut input);
        }
        let node = self.below(NODES as u64) as usize;
        let began = self.now;
        self.clients[number] = Some(self.connect(node, began, what, input));
    }

    fn connect(&self, node: usize, began: u64, what: What, input: Vec<u8>) -> Pending {
        let mut session = self.nodes[node].engine.session();
        session.feed(&input);
        Pending { node, life: self.nodes[node].life, session, began, what, input }
    }

    fn hear_answers(&mut self) -> Result<(), String> {
        for number in 0..CLIENTS {
            let Some(mut pending) = self.clients[number].take() else { continue };
            pending.session.poll();
            if pending.life != self.nodes[pending.node].life {
                continue;
            }
            if pending.session.is_waiting() {
                self.clients[number] = Some(pending);
                continue;
            }
            let output = pending.session.take_output();
            self.note(&output);
            let Pending { began, what, input, .. } = pending;
            let Some(replies) = replies(&output) else { continue };
            if let Some(node) = moved(&replies) {
                self.clients[number] = Some(self.connect(node, began, what, input));
                continue;
            }
            self.take_answer(began, &what, replies.last())?;
        }
        Ok(())
    }

    fn take_answer(
        &mut self,
        began: u64,
        what: &What,
        reply: Option<&Reply>,
    ) -> Result<(), String> {
        let span = (began, self.now);
        match (what, reply) {
            (What::Increment(key), Some(Reply::Integer(value))) => {
                self.history.answer(key, span, *value as u64, true);
            }
            (What::Read(key), Some(reply)) if !matches!(reply, Reply::Error(_)) => {
                self.history.answer(key, span, count(reply), false);
            }
            (What::Add(key, member), Some(Reply::Integer(_))) => {
                self.history.acknowledge_member(key, member);
            }
            (What::Both(keys), Some(Reply::Array(values))) => {
                for (key, value) in keys.iter().zip(values) {
                    let Reply::Integer(value) = value else { continue };
                    self.history.answer(key, span, *value as u64, true);
                }
            }
            (What::ReadBoth(keys), Some(Reply::Array(values))) => {
                let [one, other] = [0, 1].map(|at| values.get(at).map_or(0, count));
                if one != other {
                    return Err(format!(
                        "a part of a transaction was seen: {keys:?} {one} {other}"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// At most one node answers for a slot, and who never owned it shows nothing.
    fn check_owners(&self) -> Result<(), String> {
        for tag in TAGS {
            let key = format!("{tag}probe");
            let serves = |node: &&Machine| {
                !matches!(
                    call(&node.engine, &[b"SETNX", key.as_bytes(), b"1"]),
                    Some(Reply::Error(_))
                )
            };
            let owner = self.owners[&slot(tag)].node;
            for (number, _) in self.nodes.iter().enumerate().filter(|(_, node)| serves(node)) {
                if number != owner {
                    return Err(format!("node {number} answers for {tag}, which is {owner}'s"));
                }
            }
            for (number, node) in self.nodes.iter().enumerate() {
                let number_text = slot(tag).to_string();
                let words: [&[u8]; 3] = [b"CLUSTER", b"COUNTKEYSINSLOT", number_text.as_bytes()];
                let shown = call(&node.engine, &words);
                if !self.owned.contains(&(number, slot(tag))) && shown != Some(Reply::Integer(0)) {
                    return Err(format!("node {number} shows {shown:?} keys of {tag}"));
                }
            }
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), String> {
        self.history.check_counters()?;
        let keys: Vec<String> = self.history.collections().map(str::to_owned).collect();
        for key in keys {
            let owner = self.owners[&slot(&key)].node;
            let words: &[&[u8]] = match &key[3..] {
                "set" => &[b"SMEMBERS", key.as_bytes()],
                "list" => &[b"LRANGE", key.as_bytes(), b"0", b"-1"],
                "hash" => &[b"HKEYS", key.as_bytes()],
                _ => &[b"ZRANGE", key.as_bytes(), b"0", b"-1"],
            };
            let Some(Reply::Array(members)) = call(&self.nodes[owner].engine, words) else {
                return Err(format!("nobody answers for {key}"));
            };
            let text = |reply: &Reply| match reply {
                Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            };
            self.history.check_members(&key, &members.iter().map(text).collect())?;
        }
        let counters: Vec<String> = self.history.counters().map(str::to_owned).collect();
        let (began, ended) = (self.now + 1, self.now + 2);
        for key in counters {
            let owner = self.owners[&slot(&key)].node;
            match call(&self.nodes[owner].engine, &[b"GET", key.as_bytes()]) {
                Some(Reply::Error(_)) | None => return Err(format!("nobody answers for {key}")),
                Some(reply) => self.history.answer(&key, (began, ended), count(&reply), false),
            }
        }
        self.history.check_counters()
    }
}

/// What a counter holds by a reply; nothing is zero.
fn count(reply: &Reply) -> u64 {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).parse().unwrap_or(0),
        _ => 0,
    }
}

fn replies(output: &[u8]) -> Option<Vec<Reply>> {
    let mut decoder = ReplyDecoder::default();
    let (mut replies, mut input) = (Vec::new(), bytes::BytesMut::from(output));
    while let Some(reply) = decoder.decode(&mut input).ok()? {
        replies.push(reply);
    }
    (!replies.is_empty()).then_some(replies)
}

/// Where a client is sent on to.
fn moved(replies: &[Reply]) -> Option<usize> {
    let error = replies.iter().find_map(|reply| match reply {
        Reply::Error(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    })?;
    let place = error.strip_prefix("MOVED ")?.split(" n").nth(1)?;
    place.split(':').next()?.parse().ok()
}

/// Copies what an engine holds of a slot.
fn copy_slot(from: &Engine, to: &Engine, slot: u16) {
    let number = slot.to_string();
    let words: [&[u8]; 4] = [b"CLUSTER", b"GETKEYSINSLOT", number.as_bytes(), b"1000"];
    let Some(Reply::Array(keys)) = call(from, &words) else { return };
    for key in keys {
        let Reply::Bulk(key) = key else { continue };
        let Some(payload) = dump(from, &key) else { continue };
        _ = call(to, &[b"RESTORE", &key, b"0", &payload, b"REPLACE"]);
    }
}

/// Deletes what an engine holds of a slot.
fn forget_slot(engine: &Engine, slot: u16) {
    let number = slot.to_string();
    let words: [&[u8]; 4] = [b"CLUSTER", b"GETKEYSINSLOT", number.as_bytes(), b"1000"];
    let Some(Reply::Array(keys)) = call(engine, &words) else { return };
    for key in keys {
        let Reply::Bulk(key) = key else { continue };
        _ = call(engine, &[b"DEL", &key]);
    }
}

fn dump(engine: &Engine, key: &[u8]) -> Option<Vec<u8>> {
    match call(engine, &[b"DUMP", key]) {
        Some(Reply::Bulk(payload)) => Some(payload.to_vec()),
        _ => None,
    }
}
