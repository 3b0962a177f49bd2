//! What clients did and saw, and whether one copy of the data could have answered so.
//!
//! Counters only grow, so that a history of one is linearizable if and only if: no two acknowledged
//! increments answered the same, none answered less than one that was over before it began, reads
//! likewise, and nothing answered more than was asked for by then. Members that were added and
//! acknowledged are there in the end, and no others than were asked for.

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
struct Collection {
    asked: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

/// Everything that clients did and saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    counters: BTreeMap<String, Counter>,
    collections: BTreeMap<String, Collection>,
}

impl History {
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
        let lost: Vec<_> = collection.acknowledged.difference(found).collect();
        let strange: Vec<_> = found.difference(&collection.asked).collect();
        if lost.is_empty() && strange.is_empty() {
            return Ok(());
        }
        Err(format!("{key} lost {lost:?} and has {strange:?} that nobody added"))
    }

    /// Checks all counters.
    pub(crate) fn check_counters(&self) -> Result<(), String> {
        self.counters.iter().try_for_each(|(key, counter)| {
            counter.check().map_err(|why| format!("{key} is not linearizable: {why}"))
        })
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
