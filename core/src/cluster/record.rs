//! What the members of a cluster agree on, as one value and as text: who they are, and who owns which
//! slot. A node's own view of it is the topology.
//!
//! ```text
//! keyslot-cluster 1
//! realm <number> epoch <highest config epoch>
//! node <id> <host>:<port> realm <number> epoch <config epoch> shard <id> <role> <health>
//! slots <ranges>                        of the node above; left out if it has none
//! open <slot> > <id>, open <slot> < <id>   slots of that node whose keys leave or arrive, a line each
//! ```
//! One record may hold several clusters, its realms: nodes of the same realm know each other. A new
//! node is a realm of its own, and CLUSTER MEET makes one of two.

use super::{Health, Node, NodeId, Role, SlotState};
use crate::error::{Error, ErrorKind};
use crate::slot::{SlotScheme, SlotSet};
use std::collections::BTreeMap;
use std::fmt;

/// A node, and what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The node.
    pub node: Node,
    /// The slots that it owns.
    pub slots: SlotSet,
    /// The slots that are open at it, because their keys move.
    pub open: BTreeMap<u16, SlotState>,
    realm: u64,
}

/// What the members of a cluster agree on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterRecord {
    members: Vec<Member>,
    /// The highest config epoch that was ever claimed, by realm.
    epochs: BTreeMap<u64, u64>,
}

impl ClusterRecord {
    /// A record without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The member of this name.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node.id == id)
    }

    fn member_mut(&mut self, id: NodeId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.node.id == id)
    }

    /// The member that listens at an address.
    pub fn member_at(&self, host: &str, port: u16) -> Option<&Member> {
        self.members.iter().find(|member| member.node.host == host && member.node.port == port)
    }

    /// The members that a node knows, itself among them.
    pub fn known_to(&self, id: NodeId) -> impl Iterator<Item = &Member> {
        let realm = self.member(id).map(|member| member.realm);
        self.members.iter().filter(move |member| Some(member.realm) == realm)
    }

    /// The highest config epoch that was ever claimed by a node that this one knows.
    pub fn epoch_known_to(&self, id: NodeId) -> u64 {
        let realm = self.member(id).map(|member| member.realm);
        realm.and_then(|realm| self.epochs.get(&realm)).copied().unwrap_or(0)
    }

    /// Adds a node that knows no other yet, or replaces what is known of it.
    pub fn join(&mut self, node: Node) {
        match self.member_mut(node.id) {
            Some(member) => member.node = node,
            None => {
                let realm = self.new_realm(node.config_epoch);
                let (slots, open) = Default::default();
                self.members.push(Member { node, slots, open, realm });
            }
        }
    }

    /// Removes a node, and makes it another one that knows no other, without slots.
    pub fn leave(&mut self, id: NodeId, anew: Node) {
        self.members.retain(|member| member.node.id != id);
        self.join(anew);
        self.drop_empty_realms();
    }

    /// Makes one realm of those of two nodes (CLUSTER MEET). Of two claims to a slot the one with the
    /// higher config epoch wins, and of nodes with the same config epoch only one keeps it.
    pub fn meet(&mut self, one: NodeId, other: NodeId) {
        let realm_of = |id| self.member(id).map(|member| member.realm);
        let (Some(realm), Some(joining)) = (realm_of(one), realm_of(other)) else { return };
        if realm == joining {
            return;
        }
        let epoch = self.epochs.remove(&joining).unwrap_or(0);
        let highest = self.epochs.entry(realm).or_default();
        *highest = epoch.max(*highest);
        for member in self.members.iter_mut().filter(|member| member.realm == joining) {
            member.realm = realm;
        }
        self.settle_epochs(realm);
        self.settle_slots(realm);
    }

    /// Lets the others of its realm know a node no longer (CLUSTER FORGET). It keeps its name, and no
    /// slot.
    pub fn forget(&mut self, id: NodeId) {
        let Some(node) = self.member(id).map(|member| member.node.clone()) else { return };
        self.leave(id, Node { role: Role::Primary, ..node });
    }

    /// Sets what a node says of itself.
    pub(crate) fn put(&mut self, member: Member) {
        if let Some(known) = self.member_mut(member.node.id) {
            *known = Member { realm: known.realm, ..member };
        }
    }

    /// Notes that a config epoch was claimed in a node's realm.
    pub(crate) fn note_epoch(&mut self, id: NodeId, epoch: u64) {
        let Some(realm) = self.member(id).map(|member| member.realm) else { return };
        let highest = self.epochs.entry(realm).or_default();
        *highest = epoch.max(*highest);
    }

    /// Gives slots to a node, with a config epoch above all others, if each is owned by `from` and
    /// that has the config epoch `epoch`. Returns whether it was so.
    pub fn give(&mut self, slots: &SlotSet, (from, epoch): (NodeId, u64), to: NodeId) -> bool {
        let holds = |member: &Member| {
            member.node.config_epoch == epoch
                && slots.iter().all(|slot| member.slots.contains(slot))
        };
        let source_realm = self.member(from).filter(|member| holds(member)).map(|it| it.realm);
        let target_realm = self.member(to).map(|member| member.realm);
        let Some(realm) = source_realm.filter(|_| source_realm == target_realm) else {
            return false;
        };
        let next = self.epochs.get(&realm).map_or(1, |highest| highest + 1);
        self.epochs.insert(realm, next);
        for member in &mut self.members {
            if member.node.id == from {
                slots.iter().for_each(|slot| _ = member.slots.remove(slot));
            }
            if member.node.id == to {
                slots.iter().for_each(|slot| _ = member.slots.insert(slot));
                member.node.config_epoch = next;
            }
        }
        true
    }

    fn new_realm(&mut self, epoch: u64) -> u64 {
        let number = self.epochs.keys().next_back().map_or(1, |last| last + 1);
        self.epochs.insert(number, epoch);
        number
    }

    fn drop_empty_realms(&mut self) {
        let members = &self.members;
        self.epochs.retain(|realm, _| members.iter().any(|member| member.realm == *realm));
    }

    /// As Redis does when two primaries have the same config epoch: the one whose name comes first
    /// takes a new one.
    fn settle_epochs(&mut self, realm: u64) {
        let mut order: Vec<usize> = (0..self.members.len())
            .filter(|&place| {
                let member = &self.members[place];
                member.realm == realm && member.node.role == Role::Primary
            })
            .collect();
        order.sort_unstable_by_key(|&place| std::cmp::Reverse(self.members[place].node.id));
        let mut taken = Vec::new();
        for place in order {
            let epoch = self.members[place].node.config_epoch;
            if taken.contains(&epoch) {
                let highest = self.epochs.entry(realm).or_default();
                *highest += 1;
                self.members[place].node.config_epoch = *highest;
            }
            taken.push(self.members[place].node.config_epoch);
        }
    }

    fn settle_slots(&mut self, realm: u64) {
        let mut order: Vec<usize> =
            (0..self.members.len()).filter(|&place| self.members[place].realm == realm).collect();
        order.sort_unstable_by_key(|&place| self.members[place].node.config_epoch);
        let mut taken = SlotSet::new();
        for place in order.into_iter().rev() {
            let slots = &mut self.members[place].slots;
            *slots = slots.iter().filter(|&slot| !taken.contains(slot)).collect();
            slots.iter().for_each(|slot| _ = taken.insert(slot));
        }
    }

    /// Reads a record as it was printed.
    ///
    /// # Errors
    /// Says which line makes no sense.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines().enumerate();
        let mut record = Self::new();
        let refused = |number: usize| {
            let text = format!("line {} of the cluster record makes no sense", number + 1);
            Error::new(ErrorKind::Err, text)
        };
        if lines.next().is_none_or(|(_, line)| line != HEAD) {
            return Err(refused(0));
        }
        for (number, line) in lines {
            record.parse_line(line).ok_or_else(|| refused(number))?;
        }
        Ok(record)
    }

    fn parse_line(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["realm", number, "epoch", epoch] => {
                self.epochs.insert(number.parse().ok()?, epoch.parse().ok()?);
            }
            ["node", id, address, "realm", realm, "epoch", epoch, "shard", shard, role, health] => {
                let (host, port) = address.rsplit_once(':')?;
                let node = Node {
                    id: parse_id(id)?,
                    host: host.to_owned(),
                    port: port.parse().ok()?,
                    role: match role.strip_prefix("replica-of-") {
                        Some(of) => Role::Replica { of: parse_id(of)? },
                        None if role == "primary" => Role::Primary,
                        None => return None,
                    },
                    config_epoch: epoch.parse().ok()?,
                    shard_id: parse_id(shard)?,
                    health: Health::parse(health)?,
                };
                let realm = realm.parse().ok()?;
                let (slots, open) = Default::default();
                self.members.push(Member { node, slots, open, realm });
            }
            ["slots", ref ranges @ ..] => {
                let member = self.members.last_mut()?;
                for range in ranges {
                    let slots = SlotSet::parse(range.as_bytes(), SlotScheme::Redis).ok()?;
                    slots.iter().for_each(|slot| _ = member.slots.insert(slot));
                }
            }
            ["open", slot, ">", to] => {
                let state = SlotState::Migrating { to: parse_id(to)? };
                self.members.last_mut()?.open.insert(slot.parse().ok()?, state);
            }
            ["open", slot, "<", from] => {
                let state = SlotState::Importing { from: parse_id(from)? };
                self.members.last_mut()?.open.insert(slot.parse().ok()?, state);
            }
            _ => return None,
        }
        Some(())
    }
}

impl Member {
    /// What a node says of itself.
    pub(crate) fn new(node: Node, slots: SlotSet, open: BTreeMap<u16, SlotState>) -> Self {
        Self { node, slots, open, realm: 0 }
    }
}

const HEAD: &str = "keyslot-cluster 1";

fn parse_id(text: &str) -> Option<NodeId> {
    NodeId::parse(text.as_bytes())
}

impl fmt::Display for ClusterRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        for (realm, epoch) in &self.epochs {
            writeln!(f, "realm {realm} epoch {epoch}")?;
        }
        for Member { node, slots, open, realm } in &self.members {
            let Node { id, host, port, role, config_epoch, shard_id, health } = node;
            let role = match role {
                Role::Primary => "primary".to_owned(),
                Role::Replica { of } => format!("replica-of-{of}"),
            };
            write!(f, "node {id} {host}:{port} realm {realm} epoch {config_epoch} ")?;
            writeln!(f, "shard {shard_id} {role} {}", health.name())?;
            if !slots.is_empty() {
                writeln!(f, "slots {slots}")?;
            }
            for (slot, state) in open {
                match state {
                    SlotState::Stable => {}
                    SlotState::Migrating { to } => writeln!(f, "open {slot} > {to}")?,
                    SlotState::Importing { from } => writeln!(f, "open {slot} < {from}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(digit: u8) -> NodeId {
        NodeId::parse(&[digit; 40]).unwrap()
    }

    fn node(digit: u8) -> Node {
        Node::primary(id(digit), "10.0.0.1", u16::from(digit))
    }

    fn with_slots(record: &mut ClusterRecord, digit: u8, slots: &[u16], epoch: u64) {
        let node = Node { config_epoch: epoch, ..node(digit) };
        record.put(Member::new(node, slots.iter().copied().collect(), BTreeMap::new()));
        record.note_epoch(id(digit), epoch);
    }

    fn known(record: &ClusterRecord, digit: u8) -> usize {
        record.known_to(id(digit)).count()
    }

    #[test]
    fn nodes_know_each_other_when_they_have_met() {
        let mut record = ClusterRecord::new();
        (b'a'..=b'd').for_each(|digit| record.join(node(digit)));
        assert_eq!(known(&record, b'a'), 1);
        record.meet(id(b'a'), id(b'b'));
        record.meet(id(b'c'), id(b'd'));
        assert_eq!((known(&record, b'a'), known(&record, b'd')), (2, 2));
        record.meet(id(b'd'), id(b'a'));
        assert_eq!(known(&record, b'b'), 4);
        let mut epochs: Vec<u64> =
            record.known_to(id(b'a')).map(|member| member.node.config_epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        assert_eq!(epochs.len(), 4, "no two primaries have the same");
        record.forget(id(b'b'));
        assert_eq!((known(&record, b'a'), known(&record, b'b')), (3, 1));
        record.leave(id(b'a'), node(b'e'));
        assert_eq!((known(&record, b'c'), known(&record, b'a'), known(&record, b'e')), (2, 0, 1));
        assert_eq!(record.member_at("10.0.0.1", 101).unwrap().node.id, id(b'e'));
    }

    #[test]
    fn of_two_claims_to_a_slot_the_later_wins() {
        let mut record = ClusterRecord::new();
        (b'a'..=b'b').for_each(|digit| record.join(node(digit)));
        with_slots(&mut record, b'a', &[1, 2], 3);
        with_slots(&mut record, b'b', &[2, 3], 5);
        record.meet(id(b'a'), id(b'b'));
        assert_eq!(record.member(id(b'a')).unwrap().slots.to_string(), "1");
        assert_eq!(record.member(id(b'b')).unwrap().slots.to_string(), "2-3");
        assert_eq!(record.epoch_known_to(id(b'a')), 5);
    }

    #[test]
    fn slots_are_given_by_who_owns_them_at_that_epoch_and_nobody_else() {
        let mut record = ClusterRecord::new();
        (b'a'..=b'c').for_each(|digit| record.join(node(digit)));
        record.meet(id(b'a'), id(b'b'));
        with_slots(&mut record, b'a', &[1, 2], 3);
        let slots = SlotSet::from_iter([2u16]);
        let before = record.clone();
        assert!(!record.give(&slots, (id(b'a'), 2), id(b'b')), "another epoch");
        assert!(!record.give(&slots, (id(b'b'), 0), id(b'a')), "another owner");
        assert!(!record.give(&slots, (id(b'a'), 3), id(b'c')), "a stranger");
        assert_eq!(record, before);
        assert!(record.give(&slots, (id(b'a'), 3), id(b'b')));
        assert!(!record.give(&slots, (id(b'a'), 3), id(b'b')), "it was given already");
        assert_eq!(record.member(id(b'b')).unwrap().node.config_epoch, 4);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in
            ["", "keyslot-cluster 2\n", "keyslot-cluster 1\nnode x\n", "keyslot-cluster 1\n\n"]
        {
            assert!(ClusterRecord::parse(text).is_err(), "{text}");
        }
        let text = "keyslot-cluster 1\nslots 1\n";
        let error = ClusterRecord::parse(text).unwrap_err().to_string();
        assert_eq!(error, "ERR line 2 of the cluster record makes no sense");
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_printed(
            steps in proptest::collection::vec((0u8..6, 0u8..6, 0u16..16_384, 0u64..9), 0..40)
        ) {
            let mut record = ClusterRecord::new();
            for (one, other, slot, epoch) in steps {
                let (one, other) = (b'a' + one, b'a' + other);
                match epoch {
                    0..=2 => record.join(node(one)),
                    3 => record.meet(id(one), id(other)),
                    4 => record.forget(id(one)),
                    _ => {
                        let mut node = node(one);
                        if epoch == 5 {
                            node.role = Role::Replica { of: id(other) };
                            node.health = Health::Failed;
                        }
                        let open = match epoch {
                            6 => BTreeMap::from([(slot, SlotState::Migrating { to: id(other) })]),
                            7 => BTreeMap::from([(slot, SlotState::Importing { from: id(other) })]),
                            _ => BTreeMap::new(),
                        };
                        let slots = SlotSet::from_iter([slot, slot / 2, slot / 2 + 1]);
                        record.put(Member::new(node, slots, open));
                    }
                }
            }
            prop_assert_eq!(ClusterRecord::parse(&record.to_string()), Ok(record));
        }
    }
}
