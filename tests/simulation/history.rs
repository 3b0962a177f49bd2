//! What clients did and saw, and whether one copy of the data could have answered so.
//!
//! Counters only grow, so that a history of one is linearizable if and only if: no two acknowledged
//! increments answered the same, none answered less than one that was over before it began, reads
//! likewise, and nothing answered more than was asked for by then. Members that were added and
//! acknowledged are there in the end, and no others than were asked for. What a queue or a group hands
//! out, it hands out once. What has a time is there until then by the clocks of the nodes, and never
//! comes back. Of everything else each key is held against a naive twin.

use crate::chance::Chance;
use crate::clients::count;
use crate::twin::{self, COMMANDS_MAX, Done};
use crate::workload::Ask;
use keyslot::resp::Reply;
use std::collections::{BTreeMap, BTreeSet};

/// An operation on a counter that was answered.
#[derive(Clone, Copy, Debug)]
struct Answered {
    began: u64,
    ended: u64,
    value: u64,
    is_write: bool,
}

/// What happened to one counter.
#[derive(Debug, Default)]
struct Counter {
    answered: Vec<Answered>,
    /// When increments were asked for, whether they were answered or not.
    asked: Vec<u64>,
}

/// What happened to one collection.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    asked: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

/// What was put into a queue or a stream, and what was handed out of it.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    pub(crate) put: Collection,
    taken: BTreeSet<String>,
    /// How many wanted something and heard no answer.
    in_doubt: usize,
}

/// Something that is over at a time.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) key: String,
    pub(crate) field: Option<String>,
    pub(crate) at_ms: u64,
    /// When it was acknowledged, and when it was first seen to be over.
    acknowledged: Option<u64>,
    gone: Option<u64>,
}

/// A node and which of its lives.
pub(crate) type Place = (usize, u64);

/// Everything that clients did and saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    counters: BTreeMap<String, Counter>,
    collections: BTreeMap<String, Collection>,
    commands: BTreeMap<String, Vec<Done>>,
    under_way: BTreeMap<String, usize>,
    pub(crate) queues: BTreeMap<String, Handed>,
    pub(crate) streams: BTreeMap<String, Handed>,
    pub(crate) leases: Vec<Lease>,
    /// By message, how many a node said to have told, and how many heard it.
    published: BTreeMap<String, (i64, Place)>,
    heard: BTreeMap<String, i64>,
}

/// Commands after which everything is as before.
const READS: [&str; 5] = ["GET", "HGET", "LRANGE", "SCARD", "ZRANGE"];

impl History {
    /// Notes that something is asked for. Returns false if it shall not be.
    pub(crate) fn begin(&mut self, ask: &Ask, at: u64) -> bool {
        match ask {
            Ask::Increment(key) | Ask::Watch(key, _) => self.ask_increment(key, at),
            Ask::Both(keys, _) => keys.iter().for_each(|key| self.ask_increment(key, at)),
            Ask::Add { key, member } => self.ask_member(key, member),
            Ask::Do { key, .. } => {
                let done = self.commands.get(key).map_or(0, Vec::len);
                let under_way = self.under_way.entry(key.clone()).or_default();
                *under_way += 1;
                return done + *under_way <= COMMANDS_MAX;
            }
            Ask::Lease { key, field, at_ms } => {
                let (key, field, at_ms) = (key.clone(), field.clone(), *at_ms);
                self.leases.push(Lease { key, field, at_ms, acknowledged: None, gone: None });
            }
            Ask::Push { key, member } => {
                self.queues.entry(key.clone()).or_default().put.asked.insert(member.clone());
            }
            Ask::Append { key, member } => {
                self.streams.entry(key.clone()).or_default().put.asked.insert(member.clone());
            }
            Ask::Read(_)
            | Ask::ReadBoth(_)
            | Ask::Look { .. }
            | Ask::Pop { .. }
            | Ask::Take { .. }
            | Ask::Publish { .. } => {}
        }
        true
    }

    /// Names what a client looks for that looks for anything that has a time.
    pub(crate) fn look_for(&self, ask: Ask, chance: &mut Chance) -> Ask {
        let Ask::Look { key: tag, .. } = ask else { return ask };
        let latest = self.leases.len().saturating_sub(12);
        match self.leases.get(latest..).filter(|leases| !leases.is_empty()) {
            Some(leases) => {
                let Lease { key, field, .. } = chance.pick(leases);
                Ask::Look { key, field }
            }
            None => Ask::Read(format!("{tag}n")),
        }
    }

    /// Notes that nobody will ever hear an answer.
    pub(crate) fn unanswered(&mut self, ask: &Ask, began: u64) {
        match ask {
            Ask::Do { key, words } => {
                self.end_command(key);
                if !READS.contains(&words[0].as_str()) {
                    let done = Done { words: words.clone(), began, ended: None };
                    self.commands.entry(key.clone()).or_default().push(done);
                }
            }
            Ask::Pop { key, .. } => self.queues.entry(key.clone()).or_default().in_doubt += 1,
            Ask::Take { key, .. } => self.streams.entry(key.clone()).or_default().in_doubt += 1,
            _ => {}
        }
    }

    fn end_command(&mut self, key: &str) {
        if let Some(under_way) = self.under_way.get_mut(key) {
            *under_way -= 1;
        }
    }

    /// Takes an answer that was under way for these steps, with the clocks of its node, and what all
    /// clocks show at most.
    pub(crate) fn take_answer(
        &mut self,
        ask: &Ask,
        span: (u64, u64),
        reply: &Reply,
        ((sent_ms, _), latest_ms): ((u64, u64), u64),
        place: Place,
    ) -> Result<(), String> {
        if has_error(reply) {
            return Err("nobody expects that".to_owned());
        }
        match (ask, reply) {
            (Ask::Increment(key), Reply::Integer(value)) => {
                self.answer(key, span, *value as u64, true);
            }
            (Ask::Watch(key, Some(before)), Reply::Array(_)) => {
                self.answer(key, span, before + 1, true);
            }
            (Ask::Read(key), reply) => self.answer(key, span, count(reply), false),
            (Ask::Add { key, member }, _) => self.acknowledge_member(key, member),
            (Ask::Both(keys, _), Reply::Array(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    let Reply::Integer(value) = value else { continue };
                    self.answer(key, span, *value as u64, true);
                }
            }
            (Ask::ReadBoth(_), Reply::Array(values)) => {
                let [one, other] = [0, 1].map(|at| values.get(at).map_or(0, count));
                if one != other {
                    return Err("a part of a transaction was seen".to_owned());
                }
            }
            (Ask::Do { key, words }, reply) => {
                self.end_command(key);
                let ended = Some((span.1, twin::in_words(reply)));
                let done = Done { words: words.clone(), began: span.0, ended };
                self.commands.entry(key.clone()).or_default().push(done);
            }
            (Ask::Lease { key, field, .. }, _) => {
                let is_it = |lease: &&mut Lease| lease.key == *key && lease.field == *field;
                if let Some(lease) = self.leases.iter_mut().find(is_it) {
                    lease.acknowledged = Some(span.1);
                }
            }
            (Ask::Look { key, field }, reply) => {
                let is_it = |lease: &&mut Lease| lease.key == *key && lease.field == *field;
                if let Some(lease) = self.leases.iter_mut().find(is_it) {
                    lease.look(span, *reply != Reply::Null, sent_ms, latest_ms)?;
                }
            }
            (Ask::Push { key, member }, _) => {
                let queue = self.queues.entry(key.clone()).or_default();
                queue.put.acknowledged.insert(member.clone());
            }
            (Ask::Append { key, member }, _) => {
                let stream = self.streams.entry(key.clone()).or_default();
                stream.put.acknowledged.insert(member.clone());
            }
            (Ask::Pop { key, .. }, reply) => {
                let member = match reply {
                    Reply::Array(pair) => pair.last().map(twin::in_words),
                    Reply::Bulk(_) => Some(twin::in_words(reply)),
                    _ => None,
                };
                self.queues.entry(key.clone()).or_default().take(member)?;
            }
            (Ask::Take { key, .. }, reply) => {
                self.streams.entry(key.clone()).or_default().take(last_bulk(reply))?;
            }
            (Ask::Publish { message, .. }, Reply::Integer(told)) => {
                self.published.insert(message.clone(), (*told, place));
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes that somebody heard a message.
    pub(crate) fn heard(&mut self, message: &str) {
        *self.heard.entry(message.to_owned()).or_default() += 1;
    }

    /// Messages reached as many as their node said, unless it crashed. `is_alive` says whether it did
    /// not.
    pub(crate) fn check_messages(&self, is_alive: impl Fn(Place) -> bool) -> Result<(), String> {
        for (message, (told, place)) in &self.published {
            let heard = self.heard.get(message).copied().unwrap_or(0);
            if is_alive(*place) && heard != *told {
                return Err(format!("{message} was told to {told} and heard by {heard}"));
            }
        }
        Ok(())
    }

    /// The keys that are held against a twin.
    pub(crate) fn twins(&self) -> Vec<String> {
        self.commands.keys().cloned().collect()
    }

    /// Adds what a key holds in the end, by this command.
    pub(crate) fn see_last(&mut self, key: &str, words: Vec<String>, at: u64, reply: &Reply) {
        let done = Done { words, began: at, ended: Some((at + 1, twin::in_words(reply))) };
        self.commands.entry(key.to_owned()).or_default().push(done);
    }

    /// Checks every key that is held against a twin.
    pub(crate) fn check_twins(&self) -> Result<(), String> {
        for (key, commands) in &self.commands {
            if !twin::is_linearizable(commands) {
                let lines: Vec<String> = commands.iter().map(|one| format!("{one:?}")).collect();
                return Err(format!("{key} is not linearizable:\n{}", lines.join("\n")));
            }
        }
        Ok(())
    }

    pub(crate) fn ask_increment(&mut self, key: &str, at: u64) {
        self.counters.entry(key.into()).or_default().asked.push(at);
    }

    pub(crate) fn answer(
        &mut self,
        key: &str,
        (began, ended): (u64, u64),
        value: u64,
        write: bool,
    ) {
        let counter = self.counters.entry(key.into()).or_default();
        counter.answered.push(Answered { began, ended, value, is_write: write });
    }

    pub(crate) fn ask_member(&mut self, key: &str, member: &str) {
        self.collections.entry(key.into()).or_default().asked.insert(member.into());
    }

    pub(crate) fn acknowledge_member(&mut self, key: &str, member: &str) {
        self.collections.entry(key.into()).or_default().acknowledged.insert(member.into());
    }

    pub(crate) fn collections(&self) -> impl Iterator<Item = &str> {
        self.collections.keys().map(String::as_str)
    }

    pub(crate) fn counters(&self) -> impl Iterator<Item = &str> {
        self.counters.keys().map(String::as_str)
    }

    /// Checks what is in a collection when all is over.
    pub(crate) fn check_members(&self, key: &str, found: &BTreeSet<String>) -> Result<(), String> {
        let Some(collection) = self.collections.get(key) else { return Ok(()) };
        collection.check(found).map_err(|why| format!("{key} {why}"))
    }

    /// Checks all counters.
    pub(crate) fn check_counters(&self) -> Result<(), String> {
        self.counters.iter().try_for_each(|(key, counter)| {
            counter.check().map_err(|why| format!("{key} is not linearizable: {why}"))
        })
    }
}

impl Collection {
    /// Checks that this was found in the end.
    pub(crate) fn check(&self, found: &BTreeSet<String>) -> Result<(), String> {
        let lost: Vec<_> = self.acknowledged.difference(found).collect();
        let strange: Vec<_> = found.difference(&self.asked).collect();
        if lost.is_empty() && strange.is_empty() {
            return Ok(());
        }
        Err(format!("lost {lost:?} and has {strange:?} that nobody added"))
    }
}

impl Handed {
    fn take(&mut self, member: Option<String>) -> Result<(), String> {
        let Some(member) = member else { return Ok(()) };
        if !self.put.asked.contains(&member) {
            return Err(format!("nobody put {member} there"));
        }
        if !self.taken.insert(member.clone()) {
            return Err(format!("{member} was handed out twice"));
        }
        Ok(())
    }

    /// Checks what a queue still has in the end.
    pub(crate) fn check_rest(&self, rest: &BTreeSet<String>) -> Result<(), String> {
        let mut found = rest.clone();
        if let Some(member) = self.taken.iter().find(|&member| !found.insert(member.clone())) {
            return Err(format!("{member} was handed out and is still there"));
        }
        let lost: Vec<_> = self.put.acknowledged.difference(&found).collect();
        let strange: Vec<_> = found.difference(&self.put.asked).collect();
        // Who did not hear an answer may have got one each.
        if lost.len() <= self.in_doubt && strange.is_empty() {
            return Ok(());
        }
        Err(format!("lost {lost:?} and has {strange:?} that nobody put there"))
    }
}

impl Lease {
    /// Somebody looked for it.
    fn look(
        &mut self,
        (began, ended): (u64, u64),
        is_there: bool,
        sent_ms: u64,
        latest_ms: u64,
    ) -> Result<(), String> {
        let at_ms = self.at_ms;
        if is_there && sent_ms > at_ms {
            return Err(format!("its time was over at {at_ms}, and it was {sent_ms}"));
        }
        if is_there && self.gone.is_some_and(|gone| gone < began) {
            return Err("it was over before".to_owned());
        }
        let was_set = self.acknowledged.is_some_and(|at| at < began);
        if !is_there && was_set {
            if latest_ms < at_ms {
                return Err(format!("its time is over at {at_ms}, and it is {latest_ms} at most"));
            }
            self.gone.get_or_insert(ended);
        }
        Ok(())
    }

    /// Whether it must be there by clocks that show so much at most.
    pub(crate) fn is_due(&self, latest_ms: u64) -> bool {
        self.acknowledged.is_some() && latest_ms < self.at_ms
    }
}

fn has_error(reply: &Reply) -> bool {
    match reply {
        Reply::Error(_) => true,
        Reply::Array(replies) => replies.iter().any(has_error),
        _ => false,
    }
}

/// The last text in a reply.
fn last_bulk(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Array(replies) => last_bulk(replies.last()?),
        Reply::Bulk(_) => Some(twin::in_words(reply)),
        _ => None,
    }
}

impl Counter {
    fn check(&self) -> Result<(), String> {
        let mut values = BTreeSet::new();
        for one in &self.answered {
            let asked = self.asked.iter().filter(|at| **at <= one.ended).count() as u64;
            if one.value > asked {
                return Err(format!("{one:?} is more than the {asked} that were asked for"));
            }
            if one.is_write && !values.insert(one.value) {
                return Err(format!("{one:?} was answered twice"));
            }
        }
        let mut by_end = self.answered.clone();
        by_end.sort_by_key(|one| one.ended);
        let mut by_begin = self.answered.clone();
        by_begin.sort_by_key(|one| one.began);
        let (mut least, mut least_write, mut over) = (0, 0, by_end.iter().peekable());
        for one in &by_begin {
            while let Some(before) = over.next_if(|before| before.ended < one.began) {
                least = least.max(before.value);
                least_write = least + 1;
            }
            let floor = if one.is_write { least_write } else { least };
            if one.value < floor {
                return Err(format!("{one:?} came after {least} was seen"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(asked: &[u64], answered: &[(u64, u64, u64, bool)]) -> History {
        let mut history = History::default();
        asked.iter().for_each(|at| history.ask_increment("k", *at));
        for &(began, ended, value, write) in answered {
            history.answer("k", (began, ended), value, write);
        }
        history
    }

    #[test]
    fn good_histories_pass() {
        let good = history(&[0, 1, 2], &[(0, 5, 2, true), (1, 4, 1, true), (6, 7, 2, false)]);
        assert_eq!(good.check_counters(), Ok(()));
        let unanswered = history(&[0, 1], &[(2, 3, 2, false), (4, 5, 2, false)]);
        assert_eq!(unanswered.check_counters(), Ok(()));
    }

    #[test]
    fn lost_and_doubled_increments_and_stale_reads_are_caught() {
        let lost = history(&[0, 2], &[(0, 1, 1, true), (2, 3, 1, true)]);
        assert!(lost.check_counters().is_err());
        let doubled = history(&[0], &[(0, 1, 2, true)]);
        assert!(doubled.check_counters().is_err());
        let stale = history(&[0, 2], &[(0, 1, 1, true), (2, 3, 2, true), (4, 5, 1, false)]);
        assert!(stale.check_counters().is_err());
        let back = history(&[0, 2], &[(0, 1, 1, true), (4, 5, 0, false)]);
        assert!(back.check_counters().is_err());
    }

    #[test]
    fn lost_members_and_those_of_nobody_are_caught() {
        let mut history = History::default();
        history.ask_member("s", "a");
        history.ask_member("s", "b");
        history.acknowledge_member("s", "a");
        let found = |members: &[&str]| members.iter().map(|&member| member.to_owned()).collect();
        assert_eq!(history.check_members("s", &found(&["a"])), Ok(()));
        assert_eq!(history.check_members("s", &found(&["a", "b"])), Ok(()));
        assert!(history.check_members("s", &found(&["b"])).is_err());
        assert!(history.check_members("s", &found(&["a", "c"])).is_err());
    }
}
