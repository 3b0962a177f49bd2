//! The nodes, the network between them and the clients, step by step; what goes wrong, and how it
//! comes to an end.

use crate::atomic;
use crate::breach::Breach;
use crate::by_key;
use crate::chance::{Chance, Trace};
use crate::clients::Pending;
use crate::history::History;
use crate::listeners::{Listener, everybody};
use crate::network::{Network, Noise, Packet};
use crate::node::{AtWork, Machine, NODES, Owner, call, id, say, settings};
use crate::witness::{Witness, make};
use crate::workload::{Ask, GROUP, TAGS, Together};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::{MigrationEvent, Mode};
use std::collections::{BTreeMap, BTreeSet};

const CLIENTS: usize = 8;
/// Steps with faults, and most steps to the end without.
const STEPS: u64 = 500;
const STEPS_TO_END: u64 = 6_000;
/// Every so many steps it is looked who answers for what.
const LOOK: u64 = 5;
/// Milliseconds of a step.
const STEP_MS: u64 = 5;
/// For so long nobody uses the witnesses before the run begins.
const IDLE_MS: u64 = 100_000;

/// How slots are moved in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Atomic,
    ByKey,
    AsyncKeys,
    ByTag,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Atomic, Self::ByKey, Self::AsyncKeys, Self::ByTag];

    /// What KEYSLOT_MODE calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Atomic => "atomic",
            Self::ByKey => "by_key",
            Self::AsyncKeys => "async_keys",
            Self::ByTag => "by_tag",
        }
    }

    fn mode(self) -> Mode {
        match self {
            Self::Atomic => Mode::Atomic,
            Self::ByKey => Mode::ByKey,
            Self::AsyncKeys => Mode::AsyncKeys,
            Self::ByTag => Mode::ByTag,
        }
    }
}

pub(crate) fn slot(name: &str) -> u16 {
    SlotScheme::Redis.slot(name.as_bytes())
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) way: Way,
    pub(crate) breach: Option<Breach>,
    pub(crate) chance: Chance,
    pub(crate) trace: Trace,
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Machine>,
    /// What the store says, or of the nodes' claims those that count.
    pub(crate) owners: BTreeMap<u16, Owner>,
    /// The same, as it was looked at last.
    pub(crate) seen: BTreeMap<u16, Owner>,
    /// Who was ever the owner of a slot.
    pub(crate) owned: BTreeSet<(usize, u16)>,
    pub(crate) network: Network,
    pub(crate) noise: Noise,
    pub(crate) clients: Vec<Option<Pending>>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) history: History,
    pub(crate) counter: u64,
    pub(crate) moves: usize,
    pub(crate) is_gossip_due: bool,
    /// Slots that were moved in this step, and where to.
    arrived: Vec<(u16, usize)>,
    settings: Vec<(String, String)>,
    /// Whether KEYSLOT_STORY is set.
    is_told: bool,
}

impl World {
    pub(crate) fn new(seed: u64, way: Way, breach: Option<Breach>) -> Self {
        let first = Owner { node: 0, epoch: u64::from(way == Way::Atomic) };
        let owners: BTreeMap<u16, Owner> = TAGS.iter().map(|tag| (slot(tag), first)).collect();
        let by_frequency = seed.is_multiple_of(5);
        let settings = settings(by_frequency);
        let machine = |number| Machine::new(number, seed, &settings, &owners);
        let mut nodes: Vec<Machine> = (0..NODES).map(machine).collect();
        let witnesses = make(&nodes[0].engine, nodes[0].unix_ms(), by_frequency);
        let mut session = nodes[0].engine.session();
        for tag in TAGS {
            let key = format!("{tag}stream");
            let words = [b"XGROUP", b"CREATE".as_slice(), key.as_bytes(), GROUP.as_bytes(), b"0"];
            say(&mut session, &[&words[..], &[b"MKSTREAM"]].concat());
        }
        nodes.iter_mut().for_each(Machine::write_to_disk);
        nodes.iter().for_each(|node| node.clock.advance_ms(IDLE_MS));
        Self {
            seed,
            way,
            breach,
            chance: Chance::new(seed),
            trace: Trace::default(),
            now: 0,
            nodes,
            owned: owners.keys().map(|&slot| (0, slot)).collect(),
            owners,
            seen: BTreeMap::new(),
            network: Network::default(),
            noise: Noise(seed % 12),
            clients: (0..CLIENTS).map(|_| None).collect(),
            listeners: everybody(),
            witnesses,
            history: History::default(),
            counter: 0,
            moves: 0,
            is_gossip_due: false,
            arrived: Vec::new(),
            settings,
            is_told: std::env::var_os("KEYSLOT_STORY").is_some(),
        }
    }

    /// Tells what happens, if somebody wants to hear it.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{}: {}", self.now, what());
        }
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace
    }

    /// Whether nodes crash in this run.
    pub(crate) fn crashes(&self) -> bool {
        !self.seed.is_multiple_of(3) || self.breach == Some(Breach::ForgetsWhatWasOnItsWay)
    }

    /// How many slots were moved.
    pub(crate) fn moves(&self) -> usize {
        self.moves
    }

    pub(crate) fn tag_of(&self, number: u16) -> &'static str {
        TAGS.into_iter().find(|tag| slot(tag) == number).unwrap_or(TAGS[0])
    }

    pub(crate) fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.step(true)?;
        }
        // Faults stop, and everything comes to an end. (I8, I10)
        self.noise = Noise(0);
        for _ in 0..STEPS_TO_END {
            if self.is_quiet() {
                break;
            }
            self.step(false)?;
        }
        if !self.is_quiet() {
            return Err(self.unrest());
        }
        self.check_end()
    }

    fn is_quiet(&self) -> bool {
        self.network.is_empty()
            && self.clients.iter().all(Option::is_none)
            && self.nodes.iter().all(|node| node.at_work.is_empty())
            && (0..NODES).all(|number| self.left_open(number).is_empty())
    }

    fn unrest(&self) -> String {
        let clients: Vec<&Ask> = self.clients.iter().flatten().map(|at| &at.ask).collect();
        let at_work = self.nodes.iter().flat_map(|node| &node.at_work);
        let statuses: Vec<_> = at_work.map(|at_work| at_work.migration.status()).collect();
        let open: Vec<_> = (0..NODES).flat_map(|number| self.left_open(number)).collect();
        format!("no end: {clients:?} wait, {statuses:?} are at work, {open:?} are open")
    }

    fn step(&mut self, faults: bool) -> Result<(), String> {
        self.now += 1;
        for node in &self.nodes {
            node.clock.advance_ms(STEP_MS);
        }
        if faults {
            self.let_things_happen();
            self.provoke();
            self.ask_something();
        } else {
            self.free_who_waits();
        }
        self.take_up_open_slots(faults);
        self.deliver();
        (0..NODES).for_each(|number| self.drive(number));
        self.send_answers();
        self.gossip()?;
        self.serve_clients()?;
        self.serve_listeners();
        for (slot, node) in std::mem::take(&mut self.arrived) {
            self.check_witnesses(slot, node)?;
        }
        if self.now.is_multiple_of(LOOK) {
            self.look()?;
        }
        let is_lazy = self.breach == Some(Breach::AnswersBeforeItIsDurable);
        if !is_lazy || self.now.is_multiple_of(50) {
            self.nodes.iter_mut().for_each(Machine::write_to_disk);
        }
        Ok(())
    }

    /// What people and chance do in a step.
    fn let_things_happen(&mut self) {
        let number = self.chance.below(NODES as u64) as usize;
        match self.chance.below(60) {
            0 => self.begin_migration(number),
            1 if self.crashes() && self.chance.once_in(3) => self.crash(number),
            2 if self.seed.is_multiple_of(4) => {
                let at_work = &mut self.nodes[number].at_work;
                at_work.iter_mut().for_each(|at_work| at_work.migration.cancel());
            }
            3 if self.noise.0 > 0 => self.cut_client(),
            4 if self.noise.0 > 0 => self.cut_link(),
            5 => _ = self.nodes[number].engine.maintain(100),
            _ => {}
        }
    }

    /// Lets what is rare come often where it is to be noticed.
    fn provoke(&mut self) {
        match self.breach {
            Some(Breach::KeepsOldConnections) if self.chance.once_in(6) => {
                let links = self.nodes.iter().flat_map(|node| &node.at_work).map(|at| at.link);
                for link in links.collect::<Vec<_>>() {
                    self.network.stall(link, self.now, &mut self.chance);
                }
            }
            Some(Breach::SplitsTransactions) if self.chance.once_in(8) => {
                let tag = self.chance.pick(&TAGS);
                let both = [format!("{tag}left"), format!("{tag}right")];
                let together = self.chance.once_in(2);
                self.begin_ask(match together {
                    true => Ask::Both(both, Together::Transaction),
                    false => Ask::ReadBoth(both),
                });
            }
            Some(Breach::ForgetsWatches) if self.chance.once_in(8) => {
                let tag = self.chance.pick(&TAGS);
                self.begin_ask(Ask::Watch(format!("{tag}w"), None));
            }
            Some(Breach::ForgetsWhatWasOnItsWay) if self.chance.once_in(12) => {
                let is_at_work = |number: &usize| !self.nodes[*number].at_work.is_empty();
                if let Some(number) = (0..NODES).find(is_at_work) {
                    self.crash(number);
                }
            }
            _ => {}
        }
    }

    fn cut_link(&mut self) {
        let links: Vec<u64> = self.network.links.keys().copied().collect();
        if !links.is_empty() {
            let link = self.chance.pick(&links);
            self.network.cut(link, self.now, &mut self.chance);
        }
    }

    fn begin_migration(&mut self, number: usize) {
        if !self.nodes[number].at_work.is_empty() || !self.left_open(number).is_empty() {
            return;
        }
        let is_mine = |(_, owner): &(&u16, &Owner)| owner.node == number;
        let mine: Vec<u16> = self.owners.iter().filter(is_mine).map(|(&slot, _)| slot).collect();
        let some: SlotSet = mine.into_iter().filter(|_| self.chance.once_in(2)).collect();
        let target = (number + 1 + self.chance.below(NODES as u64 - 1) as usize) % NODES;
        if some.is_empty() {
            return;
        }
        if self.breach == Some(Breach::HoldsEverybodyUp) {
            call(&self.nodes[number].engine, &[b"CLIENT", b"PAUSE", b"200"]);
        }
        self.migrate(number, some, target);
    }

    fn migrate(&mut self, number: usize, slots: SlotSet, target: usize) {
        let limits = match self.way {
            Way::Atomic => atomic::limits(),
            Way::ByKey | Way::AsyncKeys | Way::ByTag => by_key::limits(),
        };
        let mode = self.way.mode();
        let begun = self.nodes[number].engine.migrate(mode, slots.clone(), id(target), limits);
        self.tell(|| format!("{number} to {target}: {slots:?}, {:?}", begun.as_ref().err()));
        let Ok(migration) = begun else { return };
        let link = match self.way {
            Way::Atomic => 0,
            Way::ByKey | Way::AsyncKeys | Way::ByTag => self.connect_nodes(number, target),
        };
        self.nodes[number].at_work.push(AtWork { target, slots, migration, link });
    }

    /// Goes on with slots that a migration left in two parts.
    fn take_up_open_slots(&mut self, faults: bool) {
        if self.way == Way::Atomic || (faults && !self.chance.once_in(20)) {
            return;
        }
        self.close_leftovers();
        for number in 0..NODES {
            if let Some(&(slot, target)) = self.left_open(number).first() {
                self.migrate(number, SlotSet::from_iter([slot]), target);
            }
        }
    }

    /// What of a node is durable comes back.
    pub(crate) fn crash(&mut self, number: usize) {
        self.tell(|| format!("{number} crashes"));
        self.cut_clients_of(number);
        self.end_links_of(number);
        let slots = match self.way {
            Way::Atomic => self.slots_to_recover(number),
            Way::ByKey | Way::AsyncKeys | Way::ByTag => self.owners.keys().copied().collect(),
        };
        if self.breach == Some(Breach::RecoversTwice) {
            self.append_to_disk_twice(number);
        }
        let settings = self.settings.clone();
        self.nodes[number].restart((number, self.seed), &settings, &slots);
        match self.way {
            Way::Atomic => self.recover_atomic(number),
            Way::ByKey | Way::AsyncKeys | Way::ByTag => self.recover_by_key(number),
        }
    }

    /// The last writes come twice.
    fn append_to_disk_twice(&mut self, number: usize) {
        for tag in TAGS {
            let key = format!("{tag}list");
            call(&self.nodes[number].disk.engine, &[b"INCR", format!("{tag}n").as_bytes()]);
            call(&self.nodes[number].disk.engine, &[b"LPOP", key.as_bytes()]);
        }
    }

    fn deliver(&mut self) {
        for packet in self.network.arrivals(self.now) {
            match packet {
                Packet::ToTarget { from, to, bytes } => self.deliver_to_target((from, to), &bytes),
                Packet::ToSource { to, bytes } => {
                    let at_work = &mut self.nodes[to].at_work;
                    at_work.iter_mut().for_each(|at| at.migration.handle_frame(&bytes));
                }
                Packet::Request { link, bytes } => self.deliver_request(link, &bytes),
                Packet::Answer { link, bytes } => self.deliver_answer(link, &bytes),
                Packet::Cut { link } => self.hear_of_cut(link),
                Packet::Ask { node, life, slot, before, target } => {
                    self.ask_store((node, life), slot, before, target);
                }
                Packet::Decide { node, life, slot, decision } => {
                    self.hear_decision((node, life), slot, decision);
                }
                Packet::Saved { node, life, slot } => self.hear_saved((node, life), slot),
            }
        }
    }

    /// Lets a node's host do its part.
    fn drive(&mut self, number: usize) {
        self.drive_imports(number);
        for at in (0..self.nodes[number].at_work.len()).rev() {
            self.drive_migration(number, at);
        }
    }

    fn drive_migration(&mut self, number: usize, at: usize) {
        let at_work = &mut self.nodes[number].at_work[at];
        let (target, link) = (at_work.target, at_work.link);
        let mut out = Vec::new();
        at_work.migration.poll_transmit(&mut out, 4_000);
        if self.breach != Some(Breach::HasNoTimers) {
            at_work.migration.handle_timeout();
        }
        self.trace.note(&out);
        match self.way {
            Way::Atomic => {
                self.send_frames(&out, |bytes| Packet::ToTarget {
                    from: number,
                    to: target,
                    bytes,
                });
            }
            Way::ByKey | Way::AsyncKeys | Way::ByTag => self.send_requests(link, &out),
        }
        while let Some(event) = self.nodes[number].at_work[at].migration.poll_event() {
            self.is_gossip_due |= self.way != Way::Atomic;
            self.tell(|| format!("{number} to {target}: {event:?}"));
            match event {
                MigrationEvent::Reconnect => self.reconnect(number, at),
                event => self.hear_event(number, target, event),
            }
        }
        if self.nodes[number].at_work[at].migration.is_ended() {
            let ended = self.nodes[number].at_work.remove(at);
            self.network.end(ended.link);
        }
    }

    pub(crate) fn slot_moved(&mut self, target: usize, slot: u16) {
        if self.way == Way::Atomic {
            self.tell_others(slot);
        }
        self.arrived.push((slot, target));
    }

    /// Gives clients that wait without an end what they wait for.
    fn free_who_waits(&mut self) {
        if !self.now.is_multiple_of(20) {
            return;
        }
        let waiting: Vec<Ask> =
            self.clients.iter().flatten().map(|pending| pending.ask.clone()).collect();
        for ask in waiting.into_iter().filter(Ask::may_wait) {
            self.counter += 1;
            let member = format!("last{}", self.counter);
            self.begin_ask(match ask {
                Ask::Pop { key, .. } => Ask::Push { key, member },
                other => Ask::Append { key: other.name().to_owned(), member },
            });
        }
    }
}
