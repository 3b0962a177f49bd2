//! What is under way between nodes and to the store, and the connections of the modes that need some.
//!
//! Frames of the atomic mode are datagrams: each may be lost, doubled, late or out of order. The other
//! modes talk over connections, where bytes arrive in order and in any pieces, until a connection is
//! cut: then what is under way may arrive or not, and its source may notice or not.

use crate::chance::Chance;
use crate::node::Owner;
use keyslot::{Decision, Session};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) enum Packet {
    ToTarget {
        from: usize,
        to: usize,
        bytes: Vec<u8>,
    },
    ToSource {
        to: usize,
        bytes: Vec<u8>,
    },
    /// Bytes of a connection, and what came back.
    Request {
        link: u64,
        bytes: Vec<u8>,
    },
    Answer {
        link: u64,
        bytes: Vec<u8>,
    },
    /// The source of a connection learns that it was cut.
    Cut {
        link: u64,
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

impl Packet {
    /// The connection whose bytes they are.
    fn link(&self) -> Option<u64> {
        match self {
            Self::Request { link, .. } | Self::Answer { link, .. } => Some(*link),
            _ => None,
        }
    }
}

/// A connection, with the session that serves it at the target.
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) session: Session,
    is_cut: bool,
    /// When the last bytes arrive that were sent each way: none overtakes another.
    request_at: u64,
    answer_at: u64,
}

#[derive(Default)]
pub(crate) struct Network {
    packets: Vec<(u64, Packet)>,
    pub(crate) links: BTreeMap<u64, Link>,
    last_link: u64,
}

/// How bad the network is: per cent of what is lost, and steps by which things are late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    fn delay(self, chance: &mut Chance) -> u64 {
        if self.0 == 0 { 0 } else { chance.below(1 + self.0) }
    }
}

impl Network {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Sends a datagram.
    pub(crate) fn send_frame(
        &mut self,
        packet: Packet,
        now: u64,
        noise: Noise,
        chance: &mut Chance,
    ) {
        let dice = chance.below(100);
        if dice < noise.0 {
            return;
        }
        let delay = noise.delay(chance);
        if dice > 100 - noise.0.min(99) {
            let later = now + delay + chance.below(60);
            self.packets.push((later, packet.clone()));
        }
        self.packets.push((now + delay, packet));
    }

    /// Sends what is not lost: between a node, its disk and the store.
    pub(crate) fn send(&mut self, packet: Packet, now: u64, noise: Noise, chance: &mut Chance) {
        self.packets.push((now + noise.delay(chance), packet));
    }

    /// Sends bytes over a connection, to the target or back.
    pub(crate) fn send_bytes(
        &mut self,
        (link, bytes): (u64, &[u8]),
        back: bool,
        now: u64,
        noise: Noise,
        chance: &mut Chance,
    ) {
        let Some(at) = self.links.get_mut(&link).filter(|at| !at.is_cut) else { return };
        let middle = chance.below(bytes.len() as u64 + 1) as usize;
        for piece in [&bytes[..middle], &bytes[middle..]] {
            if piece.is_empty() {
                continue;
            }
            let due = now + noise.delay(chance);
            let last = if back { &mut at.answer_at } else { &mut at.request_at };
            *last = due.max(*last);
            let bytes = piece.to_vec();
            let packet = match back {
                true => Packet::Answer { link, bytes },
                false => Packet::Request { link, bytes },
            };
            self.packets.push((*last, packet));
        }
    }

    /// Opens a connection.
    pub(crate) fn connect(&mut self, from: usize, to: usize, session: Session) -> u64 {
        self.last_link += 1;
        let link = Link { from, to, session, is_cut: false, request_at: 0, answer_at: 0 };
        self.links.insert(self.last_link, link);
        self.last_link
    }

    /// Cuts a connection. What is under way is lost, or arrives late if nobody has ended the
    /// connection at its other end by then.
    pub(crate) fn cut(&mut self, link: u64, now: u64, chance: &mut Chance) {
        let Some(at) = self.links.get_mut(&link) else { return };
        at.is_cut = true;
        let is_lost = chance.once_in(2);
        let late = chance.below(200);
        self.packets.retain_mut(|(due, packet)| {
            let is_of = packet.link() == Some(link);
            *due += if is_of { late } else { 0 };
            !is_of || !is_lost
        });
        // Otherwise only time tells.
        if chance.once_in(2) {
            self.packets.push((now + chance.below(20), Packet::Cut { link }));
        }
    }

    /// Cuts a connection, and lets what is under way arrive when another has long taken its place, if
    /// nobody ends this one.
    pub(crate) fn stall(&mut self, link: u64, now: u64, chance: &mut Chance) {
        let Some(at) = self.links.get_mut(&link).filter(|at| !at.is_cut) else { return };
        at.is_cut = true;
        let late = 40 + chance.below(80);
        let of_link = self.packets.iter_mut().filter(|(_, packet)| packet.link() == Some(link));
        of_link.for_each(|(due, _)| *due += late);
        self.packets.push((now + 1, Packet::Cut { link }));
    }

    /// Ends a connection at its target: nothing sent over it will be carried out any more.
    pub(crate) fn end(&mut self, link: u64) {
        self.links.remove(&link);
    }

    /// What arrives by now.
    pub(crate) fn arrivals(&mut self, now: u64) -> Vec<Packet> {
        let (due, later) = self.packets.drain(..).partition(|(at, _)| *at <= now);
        self.packets = later;
        let due: Vec<(u64, Packet)> = due;
        due.into_iter().map(|(_, packet)| packet).collect()
    }
}
