//! One node: its engine, what of it is durable, and how it comes back from that after a crash.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{Protocol, Reply, ReplyBuilder};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::time::{Clock, ManualClock};
use keyslot::{
    Effect, Effects, Engine, EngineOptions, Migration, MigrationRecord, Receiver, Session,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const NODES: usize = 3;
pub(crate) const DATABASES: usize = 2;

/// Where a slot is, with the epoch of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: usize,
    pub(crate) epoch: u64,
}

pub(crate) fn id(number: usize) -> NodeId {
    NodeId::parse(&[b'a' + number as u8; 40]).expect("forty letters are a name")
}

pub(crate) fn number_of(id: NodeId) -> usize {
    usize::from(id.as_str().as_bytes()[0] - b'a')
}

/// Which node a host and port are.
pub(crate) fn number_of_host(place: &str) -> Option<usize> {
    place.strip_prefix("n")?.split(':').next()?.parse().ok()
}

/// A migration that a node is at work on.
pub(crate) struct AtWork {
    pub(crate) target: usize,
    pub(crate) slots: SlotSet,
    pub(crate) migration: Migration,
    /// The connection to the target, in modes that need one.
    pub(crate) link: u64,
}

/// A node and what of it survives a crash.
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) at_work: Vec<AtWork>,
    pub(crate) effects: Effects,
    pub(crate) clock: Arc<ManualClock>,
    /// Durable: every write, before it was acknowledged.
    pub(crate) disk: Disk,
    /// Durable: what the store is asked, and what others' slots have prepared here.
    pub(crate) records: BTreeMap<u16, (MigrationRecord, Owner)>,
    pub(crate) saved: BTreeMap<u16, Vec<u8>>,
    /// Durable: which slots are where and which are open, as `nodes.conf` tells.
    pub(crate) topology: Topology,
    /// Counts crashes: what was under way before one is lost.
    pub(crate) life: u64,
}

/// An engine that keeps what another would write to its disk. Its clock stands still, so that nothing
/// is deleted but what the effects delete.
pub(crate) struct Disk {
    pub(crate) engine: Engine,
    session: Session,
}

impl Disk {
    fn new(settings: Vec<(String, String)>) -> Self {
        let engine = Engine::new(EngineOptions {
            shards: 16,
            databases: DATABASES,
            clock: Box::new(ManualClock::new(1)),
            settings,
            ..EngineOptions::default()
        });
        Self { session: engine.session(), engine }
    }
}

/// What a node keeps its collections by: small limits, so that few members make large ones.
pub(crate) fn settings(by_frequency: bool) -> Vec<(String, String)> {
    let mut settings = vec![
        ("hash-max-listpack-entries", "6"),
        ("list-max-listpack-size", "6"),
        ("set-max-intset-entries", "6"),
        ("set-max-listpack-entries", "6"),
        ("zset-max-listpack-entries", "6"),
        ("enable-debug-command", "yes"),
    ];
    if by_frequency {
        settings.push(("maxmemory-policy", "allkeys-lfu"));
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    settings.into_iter().map(owned).collect()
}

pub(crate) fn topology(number: usize, owners: &BTreeMap<u16, Owner>) -> Topology {
    let node = |number: usize| Node::primary(id(number), format!("n{number}"), 1);
    let mut topology = Topology::new(SlotScheme::Redis, node(number));
    (0..NODES).filter(|other| *other != number).for_each(|other| topology.put_node(node(other)));
    topology.require_full_coverage = false;
    owners.iter().for_each(|(&slot, owner)| _ = topology.assign(slot, id(owner.node)));
    topology
}

/// A call that belongs to no client.
pub(crate) fn call(engine: &Engine, words: &[&[u8]]) -> Option<Reply> {
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    engine.call(words, &mut builder);
    builder.take()
}

pub(crate) fn say(session: &mut Session, words: &[&[u8]]) -> Option<Reply> {
    let mut builder = ReplyBuilder::new(Protocol::Resp2);
    session.call(words, &mut builder);
    builder.take()
}

fn select(session: &mut Session, db: usize) {
    say(session, &[b"SELECT", db.to_string().as_bytes()]);
}

impl Machine {
    pub(crate) fn new(
        number: usize,
        seed: u64,
        settings: &[(String, String)],
        owners: &BTreeMap<u16, Owner>,
    ) -> Self {
        // Clocks disagree by up to a second.
        let skew = (seed >> number).wrapping_mul(0x9e37_79b9) % 1_000;
        let clock = Arc::new(ManualClock::new(1_700_000_000_000 + skew));
        let topology = topology(number, owners);
        let engine = open(number, seed, settings, &clock, topology.clone());
        let receivers = (0..NODES).map(|_| engine.receiver()).collect();
        let effects = engine.effects();
        let (records, saved) = Default::default();
        let disk = Disk::new(settings.to_vec());
        let at_work = Vec::new();
        Self { engine, receivers, at_work, effects, clock, disk, records, saved, topology, life: 0 }
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    /// Follows what was written since the last time.
    pub(crate) fn write_to_disk(&mut self) {
        while let Some(effect) = self.effects.poll() {
            let Effect::Command { db, words, .. } = effect else { continue };
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            if self.disk.session.database() != db {
                select(&mut self.disk.session, db);
            }
            let mut builder = ReplyBuilder::new(Protocol::Resp2);
            self.disk.session.call(&words, &mut builder);
        }
    }

    /// Begins another life with an engine that holds these slots of what was durable, and serves
    /// nobody yet.
    pub(crate) fn restart(
        &mut self,
        (number, seed): (usize, u64),
        settings: &[(String, String)],
        slots: &[u16],
    ) {
        // While the data is loaded all of it is this node's, as no command is for anybody.
        let mut all = self.topology.clone();
        let moving: Vec<u16> = all.open_slots().map(|(slot, _)| slot).collect();
        for slot in moving {
            all.set_state(slot, keyslot::cluster::SlotState::Stable);
        }
        slots.iter().for_each(|&slot| _ = all.assign(slot, id(number)));
        let engine = open(number, seed, settings, &self.clock, all);
        slots.iter().for_each(|&slot| copy_slot(&self.disk.engine, &engine, slot));
        self.at_work.clear();
        self.effects = engine.effects();
        self.receivers = (0..NODES).map(|_| engine.receiver()).collect();
        self.engine = engine;
        self.life += 1;
    }

    /// Makes the disk hold what the engine has of a slot.
    pub(crate) fn write_slot(&mut self, slot: u16) {
        forget_slot(&self.disk.engine, slot);
        copy_slot(&self.engine, &self.disk.engine, slot);
    }
}

fn open(
    number: usize,
    seed: u64,
    settings: &[(String, String)],
    clock: &Arc<ManualClock>,
    topology: Topology,
) -> Engine {
    Engine::new(EngineOptions {
        cluster: Some(topology),
        clock: Box::new(clock.clone()),
        seed: seed ^ number as u64,
        shards: 16,
        databases: DATABASES,
        settings: settings.to_vec(),
        ..EngineOptions::default()
    })
}

/// The keys that a session's database holds of a slot.
pub(crate) fn keys_of(session: &mut Session, slot: u16) -> Vec<Vec<u8>> {
    let number = slot.to_string();
    let words: [&[u8]; 4] = [b"CLUSTER", b"GETKEYSINSLOT", number.as_bytes(), b"1000"];
    let Some(Reply::Array(keys)) = say(session, &words) else { return Vec::new() };
    let name = |key| match key {
        Reply::Bulk(key) => Some(key.to_vec()),
        _ => None,
    };
    keys.into_iter().filter_map(name).collect()
}

/// Copies what an engine holds of a slot, with the times at which it expires.
fn copy_slot(from: &Engine, to: &Engine, slot: u16) {
    let (mut from, mut to) = (from.session(), to.session());
    say(&mut from, &[b"CLIENT", b"NO-TOUCH", b"ON"]);
    for db in 0..DATABASES {
        select(&mut from, db);
        select(&mut to, db);
        for key in keys_of(&mut from, slot) {
            let dump = say(&mut from, &[b"DUMP", &key]);
            let Some(Reply::Bulk(payload)) = dump else { continue };
            let at_ms = match say(&mut from, &[b"PEXPIRETIME", &key]) {
                Some(Reply::Integer(at_ms)) if at_ms > 0 => at_ms,
                _ => 0,
            };
            let at_ms = at_ms.to_string();
            let words: [&[u8]; 6] =
                [b"RESTORE", &key, at_ms.as_bytes(), &payload, b"REPLACE", b"ABSTTL"];
            say(&mut to, &words);
        }
    }
}

/// Deletes what an engine holds of a slot.
fn forget_slot(engine: &Engine, slot: u16) {
    let mut session = engine.session();
    for db in 0..DATABASES {
        select(&mut session, db);
        for key in keys_of(&mut session, slot) {
            say(&mut session, &[b"DEL", &key]);
        }
    }
}
