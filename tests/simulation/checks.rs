//! What is looked at while a run goes on, and when it is over.

use crate::node::{DATABASES, Machine, Owner, call, say};
use crate::workload::{GROUP, TAGS, database};
use crate::world::{Way, World, slot};
use keyslot::cluster::SlotState;
use keyslot::resp::Reply;
use std::collections::BTreeSet;

impl World {
    /// Whether a slot is another node's by what this one knows, and not on its way here.
    pub(crate) fn is_left(&self, node: usize, slot: u16) -> bool {
        let topology = self.nodes[node].engine.topology();
        topology.is_some_and(|topology| {
            !topology.is_mine(slot) && topology.state(slot) == SlotState::Stable
        })
    }

    pub(crate) fn look(&mut self) -> Result<(), String> {
        self.check_epochs()?;
        self.check_owners()?;
        self.check_waiters()?;
        self.check_listeners()
    }

    /// Epochs of a slot's owner only grow. (I4)
    fn check_epochs(&mut self) -> Result<(), String> {
        for (&slot, &Owner { node, epoch }) in &self.owners {
            let seen = self.seen.entry(slot).or_insert(Owner { node, epoch });
            let is_later = epoch > seen.epoch || (epoch == seen.epoch && node == seen.node);
            if !is_later {
                let now = Owner { node, epoch };
                return Err(format!("slot {slot} went from {seen:?} to {now:?}"));
            }
            *seen = Owner { node, epoch };
        }
        Ok(())
    }

    /// At most one node answers for a slot (I1), and who never owned it shows nothing (I9), but where
    /// keys arrive one by one.
    fn check_owners(&self) -> Result<(), String> {
        for tag in TAGS {
            let key = format!("{tag}probe");
            let serves = |node: &&Machine| {
                let answer = call(&node.engine, &[b"SETNX", key.as_bytes(), b"1"]);
                !matches!(answer, Some(Reply::Error(_)))
            };
            let owner = self.owners[&slot(tag)].node;
            let serving = self.nodes.iter().enumerate().filter(|(_, node)| serves(node));
            for (number, _) in serving {
                if number != owner {
                    return Err(format!("node {number} answers for {tag}, which is {owner}'s"));
                }
            }
            if self.way == Way::Atomic {
                self.check_invisible(slot(tag))?;
            }
        }
        Ok(())
    }

    fn check_invisible(&self, slot: u16) -> Result<(), String> {
        for (number, node) in self.nodes.iter().enumerate() {
            if self.owned.contains(&(number, slot)) {
                continue;
            }
            let mut session = node.engine.session();
            for db in 0..DATABASES {
                say(&mut session, &[b"SELECT", db.to_string().as_bytes()]);
                let text = slot.to_string();
                let shown = say(&mut session, &[b"CLUSTER", b"COUNTKEYSINSLOT", text.as_bytes()]);
                if shown != Some(Reply::Integer(0)) {
                    return Err(format!("node {number} shows {shown:?} keys of slot {slot}"));
                }
            }
        }
        Ok(())
    }

    /// What arrived is as it left. (I5, I6)
    pub(crate) fn check_witnesses(&self, slot: u16, node: usize) -> Result<(), String> {
        let machine = &self.nodes[node];
        let moves_on = machine.at_work.iter().any(|at_work| at_work.slots.contains(slot));
        if moves_on || self.owners[&slot].node != node {
            return Ok(());
        }
        // What a crash brings back has no access clock.
        let clock_counts = !self.crashes();
        let here = self.witnesses.iter().filter(|witness| witness.slot == slot);
        here.into_iter()
            .try_for_each(|witness| witness.check(&machine.engine, machine.unix_ms(), clock_counts))
    }

    /// Asks the owner of a key.
    fn ask_owner(&self, words: &[&str]) -> Result<Reply, String> {
        let key = words[1];
        let owner = self.owners[&slot(key)].node;
        let mut session = self.nodes[owner].engine.session();
        say(&mut session, &[b"SELECT", database(key).to_string().as_bytes()]);
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match say(&mut session, &words) {
            Some(Reply::Error(error)) => {
                Err(format!("{key} is answered {:?} by its owner {owner}", error))
            }
            None => Err(format!("nobody answers for {key}")),
            Some(reply) => Ok(reply),
        }
    }

    fn members(&self, words: &[&str]) -> Result<BTreeSet<String>, String> {
        let mut found = BTreeSet::new();
        collect(&self.ask_owner(words)?, &mut found);
        Ok(found)
    }

    pub(crate) fn check_end(&mut self) -> Result<(), String> {
        self.look()?;
        self.history.check_counters()?;
        self.check_collections()?;
        self.check_handed()?;
        self.check_leases()?;
        for witness in &self.witnesses {
            self.check_witnesses(witness.slot, self.owners[&witness.slot].node)?;
        }
        let nodes = &self.nodes;
        self.history.check_messages(|(node, life)| nodes[node].life == life)?;
        self.check_last_values()
    }

    fn check_collections(&self) -> Result<(), String> {
        for key in self.history.collections() {
            let words: &[&str] = match &key[3..] {
                "set" => &["SMEMBERS", key],
                "list" => &["LRANGE", key, "0", "-1"],
                "hash" => &["HKEYS", key],
                _ => &["ZRANGE", key, "0", "-1"],
            };
            self.history.check_members(key, &self.members(words)?)?;
        }
        Ok(())
    }

    fn check_handed(&self) -> Result<(), String> {
        for (key, queue) in &self.history.queues {
            let rest = self.members(&["LRANGE", key, "0", "-1"])?;
            queue.check_rest(&rest).map_err(|why| format!("{key} {why}"))?;
        }
        for (key, stream) in &self.history.streams {
            let mut found = BTreeSet::new();
            let Reply::Array(entries) = self.ask_owner(&["XRANGE", key, "-", "+"])? else {
                return Err(format!("{key} is no stream"));
            };
            entries.iter().for_each(|entry| {
                if let Reply::Array(parts) = entry
                    && let Some(Reply::Array(fields)) = parts.last()
                    && let Some(member) = fields.last()
                {
                    collect(member, &mut found);
                }
            });
            stream.put.check(&found).map_err(|why| format!("{key} {why}"))?;
            self.ask_owner(&["XPENDING", key, GROUP])?;
        }
        Ok(())
    }

    /// What has time left says so, to the millisecond. (I5)
    fn check_leases(&self) -> Result<(), String> {
        let latest_ms = self.nodes.iter().map(Machine::unix_ms).max().unwrap_or(0);
        for lease in self.history.leases.iter().filter(|lease| lease.is_due(latest_ms)) {
            let (key, at_ms) = (&lease.key, lease.at_ms as i64);
            let (told, expected) = match &lease.field {
                None => (self.ask_owner(&["PEXPIRETIME", key])?, Reply::Integer(at_ms)),
                Some(field) => {
                    let words = ["HPEXPIRETIME", key, "FIELDS", "1", field];
                    (self.ask_owner(&words)?, Reply::Array(vec![Reply::Integer(at_ms)]))
                }
            };
            if told != expected {
                return Err(format!("{lease:?} is said to end at {told:?}"));
            }
        }
        Ok(())
    }

    fn check_last_values(&mut self) -> Result<(), String> {
        let at = self.now + 1;
        for key in self.history.counters().map(str::to_owned).collect::<Vec<_>>() {
            let value = crate::clients::count(&self.ask_owner(&["GET", &key])?);
            self.history.answer(&key, (at, at + 1), value, false);
        }
        self.history.check_counters()?;
        for key in self.history.twins() {
            let words: Vec<&str> = match key[6..].split('@').next().unwrap_or_default() {
                "str" => vec!["GET", &key],
                "hash" => vec!["HGET", &key, "p"],
                "list" => vec!["LRANGE", &key, "0", "-1"],
                "set" => vec!["SCARD", &key],
                _ => vec!["ZRANGE", &key, "0", "-1", "WITHSCORES"],
            };
            let reply = self.ask_owner(&words)?;
            let words = words.into_iter().map(str::to_owned).collect();
            self.history.see_last(&key, words, at, &reply);
        }
        self.history.check_twins()
    }
}

/// All texts in a reply.
fn collect(reply: &Reply, found: &mut BTreeSet<String>) {
    match reply {
        Reply::Bulk(bytes) => _ = found.insert(String::from_utf8_lossy(bytes).into_owned()),
        Reply::Array(replies) => replies.iter().for_each(|reply| collect(reply, found)),
        _ => {}
    }
}
