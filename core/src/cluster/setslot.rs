//! CLUSTER SETSLOT, ADDSLOTS and DELSLOTS as changes of a topology, with Redis's preconditions and
//! texts. Reading the words is the command's work.

use super::{NodeId, Role, SlotState, Topology};
use crate::error::{Error, ErrorKind};
use crate::slot::SlotSet;

/// What CLUSTER SETSLOT does to a slot. Names are the caller's words, for the error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetSlot<'a> {
    Migrating(&'a [u8]),
    Importing(&'a [u8]),
    Stable,
    Node(&'a [u8]),
}

impl Topology {
    /// Carries out CLUSTER SETSLOT. `keys` is how many keys of the slot are here.
    pub(crate) fn set_slot(
        &mut self,
        slot: u16,
        change: SetSlot<'_>,
        keys: usize,
    ) -> Result<(), Error> {
        if self.my_primary().is_some() {
            return Err(Error::err("You can use SETSLOT only with masters."));
        }
        match change {
            SetSlot::Migrating(name) => {
                if !self.is_mine(slot) {
                    return Err(error(format!("I'm not the owner of hash slot {slot}")));
                }
                let to = self.primary_named(name, "I don't know about node ")?;
                self.set_state(slot, SlotState::Migrating { to });
            }
            SetSlot::Importing(name) => {
                if self.is_mine(slot) {
                    return Err(error(format!("I'm already the owner of hash slot {slot}")));
                }
                let from = self.primary_named(name, "I don't know about node ")?;
                self.set_state(slot, SlotState::Importing { from });
            }
            SetSlot::Stable => self.set_state(slot, SlotState::Stable),
            SetSlot::Node(name) => self.give_slot(slot, name, keys)?,
        }
        Ok(())
    }

    fn give_slot(&mut self, slot: u16, name: &[u8], keys: usize) -> Result<(), Error> {
        let owner = self.primary_named(name, "Unknown node ")?;
        let to_myself = owner == self.myself().id;
        if self.is_mine(slot) && !to_myself && keys != 0 {
            return Err(error(format!(
                "Can't assign hashslot {slot} to a different node while I still hold keys for \
                 this hash slot."
            )));
        }
        self.assign(slot, owner);
        match self.state(slot) {
            SlotState::Stable => {}
            SlotState::Migrating { .. } => {
                if keys == 0 {
                    self.set_state(slot, SlotState::Stable);
                }
            }
            SlotState::Importing { .. } => {
                if to_myself {
                    self.bump_my_epoch();
                    self.set_state(slot, SlotState::Stable);
                }
            }
        }
        Ok(())
    }

    /// Gives slots without an owner to this node (CLUSTER ADDSLOTS).
    pub(crate) fn add_slots(&mut self, slots: &[u16]) {
        let myself = self.myself().id;
        for &slot in slots {
            self.assign(slot, myself);
            if matches!(self.state(slot), SlotState::Importing { .. }) {
                self.set_state(slot, SlotState::Stable);
            }
        }
    }

    /// Takes slots from whoever owns them, as this node sees it (CLUSTER DELSLOTS).
    pub(crate) fn delete_slots(&mut self, slots: &[u16]) {
        slots.iter().for_each(|&slot| self.unassign(slot));
    }

    /// Checks that slots may be added: none has an owner, none is named twice.
    pub(crate) fn check_free(&self, slots: &[u16]) -> Result<(), Error> {
        self.check_slots(slots, |slot| {
            let busy = self.owner(slot).is_some();
            if busy { Err(error(format!("Slot {slot} is already busy"))) } else { Ok(()) }
        })
    }

    /// Checks that slots may be deleted: each has an owner, none is named twice.
    pub(crate) fn check_owned(&self, slots: &[u16]) -> Result<(), Error> {
        self.check_slots(slots, |slot| {
            let free = self.owner(slot).is_none();
            if free { Err(error(format!("Slot {slot} is already unassigned"))) } else { Ok(()) }
        })
    }

    fn check_slots(
        &self,
        slots: &[u16],
        check: impl Fn(u16) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut seen = SlotSet::new();
        for &slot in slots {
            check(slot)?;
            if !seen.insert(slot) {
                return Err(error(format!("Slot {slot} specified multiple times")));
            }
        }
        Ok(())
    }

    fn primary_named(&self, name: &[u8], unknown: &str) -> Result<NodeId, Error> {
        let node = NodeId::parse(name).and_then(|id| self.node(id));
        let Some(node) = node else {
            let text = [unknown.as_bytes(), name].concat();
            return Err(Error::new(ErrorKind::Err, text));
        };
        match node.role {
            Role::Primary => Ok(node.id),
            Role::Replica { .. } => Err(Error::err("Target node is not a master")),
        }
    }
}

fn error(text: String) -> Error {
    Error::new(ErrorKind::Err, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Node;
    use crate::slot::SlotScheme;

    const MINE: [u8; 40] = [b'a'; 40];
    const OTHER: [u8; 40] = [b'b'; 40];
    const REPLICA: [u8; 40] = [b'c'; 40];
    const NOBODY: [u8; 40] = [b'd'; 40];

    fn topology() -> Topology {
        let id = |name: &[u8; 40]| NodeId::parse(name).unwrap();
        let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(&MINE), "h", 1));
        topology.put_node(Node::primary(id(&OTHER), "h", 2));
        let mut replica = Node::primary(id(&REPLICA), "h", 3);
        replica.role = Role::Replica { of: id(&OTHER) };
        topology.put_node(replica);
        topology.assign(1, id(&MINE));
        topology.assign(2, id(&OTHER));
        topology
    }

    #[track_caller]
    fn refused(slot: u16, change: SetSlot<'_>, keys: usize, text: &str) {
        let mut changed = topology();
        let error = changed.set_slot(slot, change, keys).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(changed, topology());
    }

    #[test]
    fn setslot_refuses_as_redis_does() {
        refused(2, SetSlot::Migrating(&OTHER), 0, "ERR I'm not the owner of hash slot 2");
        refused(1, SetSlot::Importing(&OTHER), 0, "ERR I'm already the owner of hash slot 1");
        refused(1, SetSlot::Migrating(b"x"), 0, "ERR I don't know about node x");
        refused(1, SetSlot::Migrating(&REPLICA), 0, "ERR Target node is not a master");
        let nobody = String::from_utf8_lossy(&NOBODY);
        refused(
            2,
            SetSlot::Importing(&NOBODY),
            0,
            &format!("ERR I don't know about node {nobody}"),
        );
        refused(1, SetSlot::Node(&NOBODY), 0, &format!("ERR Unknown node {nobody}"));
        let text = "ERR Can't assign hashslot 1 to a different node while I still hold keys for \
                    this hash slot.";
        refused(1, SetSlot::Node(&OTHER), 3, text);
    }

    #[test]
    fn a_slot_leaves_and_arrives() {
        let mut source = topology();
        source.set_slot(1, SetSlot::Migrating(&OTHER), 5).unwrap();
        assert!(matches!(source.state(1), SlotState::Migrating { .. }));
        source.set_slot(1, SetSlot::Node(&OTHER), 0).unwrap();
        assert_eq!(source.state(1), SlotState::Stable);
        assert!(!source.is_mine(1));

        let mut target = topology();
        target.set_slot(2, SetSlot::Importing(&OTHER), 0).unwrap();
        target.set_slot(2, SetSlot::Node(&MINE), 5).unwrap();
        assert!(target.is_mine(2) && target.state(2) == SlotState::Stable);
        assert_eq!(target.myself().config_epoch, 1);
    }

    #[test]
    fn stable_closes_whatever_was_open() {
        let mut topology = topology();
        topology.set_slot(2, SetSlot::Importing(&OTHER), 0).unwrap();
        topology.set_slot(2, SetSlot::Stable, 0).unwrap();
        assert_eq!(topology.state(2), SlotState::Stable);
    }

    #[test]
    fn slots_are_added_if_free_and_deleted_if_owned() {
        let mut topology = topology();
        let text = |result: Result<(), Error>| result.unwrap_err().to_string();
        assert_eq!(text(topology.check_free(&[3, 2])), "ERR Slot 2 is already busy");
        assert_eq!(text(topology.check_free(&[3, 3])), "ERR Slot 3 specified multiple times");
        topology.set_slot(4, SetSlot::Importing(&OTHER), 0).unwrap();
        assert_eq!(topology.check_free(&[3, 4]), Ok(()));
        topology.add_slots(&[3, 4]);
        assert!(topology.is_mine(3) && topology.state(4) == SlotState::Stable);
        assert_eq!(text(topology.check_owned(&[3, 9])), "ERR Slot 9 is already unassigned");
        assert_eq!(topology.check_owned(&[3, 2]), Ok(()));
        topology.delete_slots(&[3, 2]);
        assert!(topology.owner(2).is_none() && topology.owner(3).is_none());
    }
}
