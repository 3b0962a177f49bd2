//! The host's part in the atomic mode: frames to and fro, the store's compare-and-set, what is kept of
//! a slot while the store is asked, and how a node that crashed learns what was decided.

use crate::breach::Breach;
use crate::network::Packet;
use crate::node::{AtWork, Owner, call, id, number_of, topology};
use crate::world::World;
use keyslot::resp::{Parsed, RequestLimits, RequestParser, Requests};
use keyslot::slot::SlotSet;
use keyslot::{Decision, ImportEvent, MigrationEvent, MigrationLimits, MigrationRecord};
use std::collections::BTreeMap;

/// Steps after which a host that breaks its promise waits for the store no longer.
const IMPATIENCE: u64 = 3;

pub(crate) fn limits() -> MigrationLimits {
    MigrationLimits {
        durable: true,
        in_flight_bytes: 2_000,
        piece_bytes: 300,
        fence_bytes: 200,
        fence_after_ms: 300,
        ..MigrationLimits::default()
    }
}

impl World {
    pub(crate) fn deliver_to_target(&mut self, (from, to): (usize, usize), bytes: &[u8]) {
        let mut out = Vec::new();
        self.nodes[to].receivers[from].handle_frame(bytes, &mut out);
        self.trace.note(&out);
        // What an answer says is durable before it leaves.
        self.drive_imports(to);
        self.send_frames(&out, |bytes| Packet::ToSource { to: from, bytes });
    }

    /// Sends each request among some bytes by itself.
    pub(crate) fn send_frames(&mut self, bytes: &[u8], packet: impl Fn(Vec<u8>) -> Packet) {
        let mut parser = RequestParser::new(RequestLimits::default());
        let (mut requests, mut used) = (Requests::new(), 0);
        while used < bytes.len() {
            requests.clear();
            let Ok(Parsed::Complete { end }) = parser.parse(bytes, used, &mut requests) else {
                break;
            };
            let packet = packet(bytes[used..end].to_vec());
            self.network.send_frame(packet, self.now, self.noise, &mut self.chance);
            used = end;
        }
    }

    fn send(&mut self, packet: Packet) {
        self.network.send(packet, self.now, self.noise, &mut self.chance);
    }

    /// The store compares and sets, and answers.
    pub(crate) fn ask_store(
        &mut self,
        (node, life): (usize, u64),
        slot: u16,
        before: Owner,
        target: usize,
    ) {
        let agrees = self.owners[&slot] == before;
        let epoch = match self.breach {
            Some(Breach::EpochsGoBack) => before.epoch - 1,
            _ => before.epoch + 1,
        };
        if agrees {
            self.owners.insert(slot, Owner { node: target, epoch });
            self.owned.insert((target, slot));
            // The worst moment for a crash comes often.
            let forgets = self.breach == Some(Breach::ForgetsPrepared);
            if forgets || (self.crashes() && self.noise.0 > 0 && self.chance.once_in(6)) {
                let is_target = forgets || self.chance.once_in(2);
                self.crash(if is_target { target } else { node });
            }
        }
        let lies = self.breach == Some(Breach::TakesNoForYes);
        let decision = match agrees || lies {
            true => Decision::Committed { epoch },
            false => Decision::Refused,
        };
        self.send(Packet::Decide { node, life, slot, decision });
    }

    pub(crate) fn hear_decision(
        &mut self,
        (node, life): (usize, u64),
        slot: u16,
        decision: Decision,
    ) {
        if self.nodes[node].life != life {
            return;
        }
        for at_work in &mut self.nodes[node].at_work {
            at_work.migration.handle_decision(slot, decision);
        }
        if decision == Decision::Refused {
            self.nodes[node].records.remove(&slot);
        }
    }

    /// Makes durable what arrived, when that is asked for.
    pub(crate) fn drive_imports(&mut self, number: usize) {
        let life = self.nodes[number].life;
        while let Some(event) = self.nodes[number].engine.poll_import_event() {
            match event {
                ImportEvent::Save { slot } => {
                    if let Some(saved) = self.nodes[number].engine.save_import(slot) {
                        self.nodes[number].saved.insert(slot, saved);
                        self.send(Packet::Saved { node: number, life, slot });
                    }
                }
                ImportEvent::Served { slot, .. } => {
                    let machine = &mut self.nodes[number];
                    machine.write_to_disk();
                    machine.saved.remove(&slot);
                    machine.write_slot(slot);
                }
                ImportEvent::Dropped { slot } => _ = self.nodes[number].saved.remove(&slot),
            }
        }
    }

    pub(crate) fn hear_saved(&mut self, (node, life): (usize, u64), slot: u16) {
        if self.nodes[node].life == life {
            self.nodes[node].engine.handle_import_saved(slot);
        }
    }

    /// Keeps what a source must know after a crash, and asks the store.
    pub(crate) fn decide(&mut self, number: usize, target: usize, record: MigrationRecord) {
        let (slot, life) = (record.slot, self.nodes[number].life);
        let before = self.owners[&slot];
        if self.breach == Some(Breach::TakesNoForYes) && self.chance.once_in(2) {
            self.owners.insert(slot, Owner { epoch: before.epoch + 1, ..before });
        }
        self.nodes[number].records.insert(slot, (record, before));
        self.send(Packet::Ask { node: number, life, slot, before, target });
        if self.breach == Some(Breach::UnfencesOnTimeout) {
            let packet = Packet::Decide { node: number, life, slot, decision: Decision::Refused };
            self.network.send(packet, self.now + IMPATIENCE, self.noise, &mut self.chance);
        }
    }

    /// Which slots a node has data of that counts, when it comes back.
    pub(crate) fn slots_to_recover(&self, number: usize) -> Vec<u16> {
        let machine = &self.nodes[number];
        let is_kept =
            |slot: &u16| self.owners[slot].node == number || machine.records.contains_key(slot);
        // What is prepared takes the place of what was here before.
        let is_kept = |slot: &u16| is_kept(slot) && !machine.saved.contains_key(slot);
        self.owners.keys().copied().filter(is_kept).collect()
    }

    /// Takes up what a node was doing when it crashed, before it serves anybody.
    pub(crate) fn recover_atomic(&mut self, number: usize) {
        match self.breach {
            Some(Breach::ForgetsPrepared) => {}
            Some(Breach::ShowsPrepared) => self.show_prepared(number),
            _ => {
                for saved in self.nodes[number].saved.values() {
                    _ = self.nodes[number].engine.restore_import(saved);
                }
            }
        }
        let forgets = self.breach == Some(Breach::ForgetsThatItAsked);
        let records = std::mem::take(&mut self.nodes[number].records);
        for (slot, (record, before)) in records {
            if !forgets {
                self.resume(number, slot, record, before);
            }
        }
        let owners: BTreeMap<u16, Owner> = self.owners.clone();
        _ = self.nodes[number].engine.change_topology(|view| {
            for (slot, owner) in owners {
                if !forgets || !view.is_mine(slot) || owner.node == number {
                    view.assign(slot, id(owner.node));
                }
            }
        });
    }

    fn resume(&mut self, number: usize, slot: u16, record: MigrationRecord, before: Owner) {
        let owner = self.owners[&slot];
        let target = number_of(record.target);
        let decision = if owner.node == target && owner.epoch > before.epoch {
            Decision::Committed { epoch: owner.epoch }
        } else {
            // An older compare-and-set that is still on its way fails from now on.
            self.owners.insert(slot, Owner { epoch: owner.epoch + 1, ..owner });
            Decision::Refused
        };
        let limits = MigrationLimits { durable: true, ..MigrationLimits::default() };
        let engine = self.nodes[number].engine.clone();
        let resumed = engine.resume_migration(record, decision, limits);
        let slots = SlotSet::from_iter([slot]);
        let at_work = |migration| AtWork { target, slots, migration, link: 0 };
        let machine = &mut self.nodes[number];
        machine.at_work.extend(resumed.ok().map(at_work));
        if decision != Decision::Refused {
            machine.records.insert(slot, (record, before));
        }
    }

    /// Lets all nodes know where a slot is, but those that are about to find out by themselves.
    pub(crate) fn tell_others(&mut self, slot: u16) {
        let owner = self.owners[&slot];
        for (number, machine) in self.nodes.iter().enumerate() {
            let knows = machine
                .engine
                .topology()
                .is_some_and(|topology| topology.is_mine(slot) || owner.node == number);
            if !knows {
                _ = machine.engine.change_topology(|view| _ = view.assign(slot, id(owner.node)));
            }
        }
    }

    /// Puts what was prepared where clients count it.
    fn show_prepared(&mut self, number: usize) {
        let slots: Vec<u16> = self.nodes[number].saved.keys().copied().collect();
        for slot in slots {
            let name = self.tag_of(slot);
            let key = format!("{name}shown");
            let engine = self.nodes[number].engine.clone();
            let before = engine.topology();
            _ = engine.change_topology(|view| _ = view.assign(slot, id(number)));
            call(&engine, &[b"SET", key.as_bytes(), b"1"]);
            _ = engine.change_topology(|view| {
                *view = before.clone().unwrap_or_else(|| topology(number, &self.owners))
            });
        }
    }

    pub(crate) fn hear_event(&mut self, number: usize, target: usize, event: MigrationEvent) {
        match event {
            MigrationEvent::Decide(record) => self.decide(number, target, record),
            MigrationEvent::SlotMoved { slot, .. } => {
                self.moves += 1;
                self.nodes[number].records.remove(&slot);
                self.slot_moved(target, slot);
            }
            MigrationEvent::Progress(_)
            | MigrationEvent::Reconnect
            | MigrationEvent::Finished
            | MigrationEvent::Unfenced { .. }
            | MigrationEvent::Cancelled { .. }
            | MigrationEvent::Failed { .. } => {}
        }
    }
}
