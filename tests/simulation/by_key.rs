//! The host's part in the modes that move keys over connections: bytes to and fro, connections that are
//! opened again, slots that are taken up again, and who owns what by the nodes' own words.
//!
//! There is no store. Of two nodes that claim a slot the one counts that took it last, as among nodes
//! that gossip, but for each slot by itself: there a node that has taken another slot meanwhile may
//! win back one that it has just given away. Each node's topology is durable. One thing is not: which keys were on their way when a
//! source crashed. So before such a source serves again, its host deletes of open slots what the target
//! has too: that is as new, or newer, since a client that was sent there for another key may have used
//! it in a command on several.

use crate::breach::Breach;
use crate::node::{DATABASES, NODES, Owner, id, keys_of, number_of, say};
use crate::world::World;
use keyslot::MigrationLimits;
use keyslot::cluster::{Node, SlotState, Topology};
use keyslot::resp::{Parsed, RequestLimits, RequestParser, Requests, encode_request};

pub(crate) fn limits() -> MigrationLimits {
    MigrationLimits {
        batch_keys: 4,
        batch_bytes: 2_000,
        in_flight_bytes: 6_000,
        in_flight_keys: 12,
        reply_timeout_ms: 300,
        attempts: 5,
        ..MigrationLimits::default()
    }
}

impl World {
    /// Opens a connection to a target.
    pub(crate) fn connect_nodes(&mut self, from: usize, to: usize) -> u64 {
        let session = self.nodes[to].engine.session();
        self.network.connect(from, to, session)
    }

    /// Sends what a migration gives to its target.
    pub(crate) fn send_requests(&mut self, link: u64, bytes: &[u8]) {
        let spoilt = self.breach.and_then(|breach| spoil(breach, bytes));
        let bytes = spoilt.as_deref().unwrap_or(bytes);
        self.network.send_bytes((link, bytes), false, self.now, self.noise, &mut self.chance);
    }

    pub(crate) fn deliver_request(&mut self, link: u64, bytes: &[u8]) {
        let Some(at) = self.network.links.get_mut(&link) else { return };
        at.session.feed(bytes);
        self.is_gossip_due = true;
    }

    /// Sends back what targets have answered. What they say is durable when it arrives.
    pub(crate) fn send_answers(&mut self) {
        let links: Vec<u64> = self.network.links.keys().copied().collect();
        for link in links {
            let Some(at) = self.network.links.get_mut(&link) else { continue };
            at.session.poll();
            let output = at.session.take_output();
            if !output.is_empty() {
                self.trace.note(&output);
                let (now, noise) = (self.now, self.noise);
                self.network.send_bytes((link, &output), true, now, noise, &mut self.chance);
            }
        }
    }

    pub(crate) fn deliver_answer(&mut self, link: u64, bytes: &[u8]) {
        let Some(from) = self.network.links.get(&link).map(|at| at.from) else { return };
        for at_work in self.nodes[from].at_work.iter_mut().filter(|at_work| at_work.link == link) {
            at_work.migration.handle_frame(bytes);
        }
        self.is_gossip_due = true;
    }

    pub(crate) fn hear_of_cut(&mut self, link: u64) {
        for number in 0..NODES {
            let is_it = |at_work: &crate::node::AtWork| at_work.link == link;
            if let Some(at) = self.nodes[number].at_work.iter().position(is_it) {
                self.reconnect(number, at);
            }
        }
    }

    /// Opens another connection in place of one, which is ended at the target first.
    pub(crate) fn reconnect(&mut self, number: usize, at: usize) {
        let (old, target) = {
            let at_work = &self.nodes[number].at_work[at];
            (at_work.link, at_work.target)
        };
        if self.breach != Some(Breach::KeepsOldConnections) {
            self.network.end(old);
        }
        let link = self.connect_nodes(number, target);
        let at_work = &mut self.nodes[number].at_work[at];
        at_work.link = link;
        at_work.migration.handle_reconnect();
    }

    /// Ends connections to and from a node that crashed.
    pub(crate) fn end_links_of(&mut self, number: usize) {
        let ends = |at: &crate::network::Link| at.from == number || at.to == number;
        let links = &self.network.links;
        let gone: Vec<u64> =
            links.iter().filter(|(_, at)| ends(at)).map(|(&link, _)| link).collect();
        for link in gone {
            if self.network.links[&link].from != number {
                self.network.cut(link, self.now, &mut self.chance);
            }
            self.network.end(link);
        }
    }

    /// Lets nodes know each other's slots and epochs.
    pub(crate) fn gossip(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.is_gossip_due) {
            return Ok(());
        }
        let topologies: Vec<Topology> =
            self.nodes.iter().filter_map(|machine| machine.engine.topology()).collect();
        let mut epochs: Vec<u64> =
            topologies.iter().map(|topology| topology.myself().config_epoch).collect();
        // Of two nodes that took the same epoch one takes another.
        for number in 1..NODES {
            if epochs[number] > 0 && epochs[..number].contains(&epochs[number]) {
                epochs[number] = epochs.iter().max().map_or(1, |most| most + 1);
            }
        }
        let slots: Vec<u16> = self.owners.keys().copied().collect();
        for &slot in &slots {
            let before = self.owners[&slot];
            let claims = (0..NODES).filter(|&number| topologies[number].is_mine(slot));
            // Who took it just now counts, whatever the other has come to for another slot meanwhile.
            let Some(node) = claims.max_by_key(|&number| number != before.node) else {
                return Err(format!("nobody has slot {slot}"));
            };
            let epoch = before.epoch + u64::from(node != before.node);
            self.owners.insert(slot, Owner { node, epoch });
            self.owned.insert((node, slot));
        }
        for (number, known) in topologies.into_iter().enumerate() {
            let mut heard = known.clone();
            for (other, &config_epoch) in epochs.iter().enumerate() {
                let node = Node::primary(id(other), format!("n{other}"), 1);
                heard.put_node(Node { config_epoch, ..node });
            }
            for &slot in &slots {
                let owner = id(self.owners[&slot].node);
                if heard.owner(slot).is_none_or(|node| node.id != owner) {
                    let was_mine = heard.is_mine(slot);
                    heard.assign(slot, owner);
                    if was_mine {
                        heard.set_state(slot, SlotState::Stable);
                    }
                }
            }
            if heard != known {
                let heard = heard.clone();
                _ = self.nodes[number].engine.change_topology(|view| *view = heard);
            }
            self.nodes[number].topology = heard;
        }
        Ok(())
    }

    /// Brings back which slots are where, and settles which keys of open slots are where.
    pub(crate) fn recover_by_key(&mut self, number: usize) {
        let topology = self.nodes[number].topology.clone();
        if self.breach != Some(Breach::ForgetsWhatWasOnItsWay) {
            let leaving = topology.open_slots().filter_map(|(slot, state)| match state {
                SlotState::Migrating { to } => Some((slot, number_of(to))),
                SlotState::Stable | SlotState::Importing { .. } => None,
            });
            leaving.for_each(|(slot, target)| self.settle_doubts(number, target, slot));
        }
        _ = self.nodes[number].engine.change_topology(|view| *view = topology);
        self.is_gossip_due = true;
    }

    /// Deletes at a source what its target has of a slot.
    fn settle_doubts(&mut self, number: usize, target: usize, slot: u16) {
        let mut here = self.nodes[number].engine.session();
        let mut there = self.nodes[target].engine.session();
        for db in 0..DATABASES {
            let text = db.to_string();
            say(&mut here, &[b"SELECT", text.as_bytes()]);
            say(&mut there, &[b"SELECT", text.as_bytes()]);
            for key in keys_of(&mut there, slot) {
                say(&mut here, &[b"DEL", &key]);
            }
        }
    }

    /// The slots that a node has open to another, and nothing at work on.
    pub(crate) fn left_open(&self, number: usize) -> Vec<(u16, usize)> {
        let machine = &self.nodes[number];
        let is_at_work =
            |slot: u16| machine.at_work.iter().any(|at_work| at_work.slots.contains(slot));
        let open = machine.topology.open_slots().filter_map(|(slot, state)| match state {
            SlotState::Migrating { to } => Some((slot, number_of(to))),
            SlotState::Stable | SlotState::Importing { .. } => None,
        });
        open.filter(|(slot, _)| !is_at_work(*slot)).collect()
    }

    /// Closes slots at nodes to which nobody sends any more, as `redis-cli --cluster fix` does.
    pub(crate) fn close_leftovers(&mut self) {
        for number in 0..NODES {
            let open: Vec<(u16, SlotState)> = self.nodes[number].topology.open_slots().collect();
            for (slot, state) in open {
                let SlotState::Importing { from } = state else { continue };
                let from = number_of(from);
                let source = &self.nodes[from];
                let is_sent = source.at_work.iter().any(|at_work| at_work.slots.contains(slot));
                let is_open = source.topology.state(slot) != SlotState::Stable;
                if !is_sent && !is_open {
                    let text = slot.to_string();
                    let mut session = self.nodes[number].engine.session();
                    say(&mut session, &[b"CLUSTER", b"SETSLOT", text.as_bytes(), b"STABLE"]);
                    self.is_gossip_due = true;
                }
            }
        }
    }
}

/// What a breach makes of requests; none if it leaves them as they are.
fn spoil(breach: Breach, bytes: &[u8]) -> Option<Vec<u8>> {
    let change: fn(&mut Vec<Vec<u8>>) = match breach {
        Breach::AcknowledgesNothing => |words| *words = vec![b"PING".to_vec()],
        Breach::ForgetsTimes => |words| words[2] = b"0".to_vec(),
        Breach::ForgetsIdleness => |words| words.truncate(6),
        _ => return None,
    };
    let mut parser = RequestParser::new(RequestLimits::default());
    let (mut requests, mut used, mut out) = (Requests::new(), 0, Vec::new());
    while used < bytes.len() {
        requests.clear();
        let Ok(Parsed::Complete { end }) = parser.parse(bytes, used, &mut requests) else {
            break;
        };
        let mut words: Vec<Vec<u8>> = words_of(&bytes[used..end]);
        if words.first().is_some_and(|name| name == b"RESTORE-ASKING") {
            change(&mut words);
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        encode_request(&words, &mut out);
        used = end;
    }
    Some(out)
}

/// The words of one request, which is an array of bulk strings.
fn words_of(request: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = keyslot::resp::ReplyDecoder::default();
    let decoded = decoder.decode(&mut bytes::BytesMut::from(request));
    let Ok(Some(keyslot::resp::Reply::Array(words))) = decoded else { return Vec::new() };
    let word = |word| match word {
        keyslot::resp::Reply::Bulk(word) => Some(word.to_vec()),
        _ => None,
    };
    words.into_iter().filter_map(word).collect()
}
