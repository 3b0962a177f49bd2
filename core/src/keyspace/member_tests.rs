//! Hashes whose fields expire, in a keyspace, against a naive twin: what is to be seen of them, what
//! is due, and what is counted.

use super::tests::check_counts;
use super::*;
use crate::time::{ManualClock, Moment};
use crate::value::hash::{self, Hash, HashMut};
use crate::value::{Limits, PackLimits};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Fields with the times at which they expire, in hashes by name.
type Twin = BTreeMap<u8, BTreeMap<u8, Option<u64>>>;

#[derive(Clone, Debug)]
enum Step {
    Set { name: u8, field: u8, time_ms: Option<u64> },
    RemoveField { name: u8, field: u8 },
    Remove(u8),
    Copy(u8, u8),
    Rename(u8, u8),
    ExpireDue(usize),
    Wait(u64),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let time = || prop::option::weighted(0.8, 1u64..200);
    let (name, field) = (|| 0u8..5, || 0u8..12);
    prop_oneof![
        20 => (name(), field(), time()).prop_map(|(name, field, time_ms)| Step::Set {
            name, field, time_ms
        }),
        4 => (name(), field()).prop_map(|(name, field)| Step::RemoveField { name, field }),
        1 => name().prop_map(Step::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => (1usize..10).prop_map(Step::ExpireDue),
        3 => (1u64..40).prop_map(Step::Wait),
        1 => Just(Step::Flush),
    ]
}

struct Both {
    keyspace: Keyspace,
    limits: Limits,
    twin: Twin,
    now_ms: u64,
}

impl Both {
    fn new(shards: usize, entries: usize) -> Self {
        let layout = Layout { scheme: SlotScheme::Redis, shards, databases: 1, seed: 3 };
        let hash = PackLimits { entries, value_len: 64 };
        Self {
            keyspace: Keyspace::new(layout),
            limits: Limits { hash, ..Limits::DEFAULT },
            twin: Twin::new(),
            now_ms: 1,
        }
    }

    /// Lets `work` use the keys of two names.
    fn with<R>(
        &self,
        names: [u8; 2],
        work: impl FnOnce(&mut Access<'_>, &Key<'_>, &Key<'_>) -> R,
    ) -> R {
        let clock = ManualClock::new(self.now_ms);
        let time = Moment::new(&clock);
        let texts = names.map(|name| format!("key {name}").into_bytes());
        let mut keys = [&texts[0], &texts[1]].map(|text| self.keyspace.locate(0, text));
        let mut access = Access::keys(&self.keyspace, &time, &mut keys);
        work(&mut access, &keys[0], &keys[1])
    }

    fn change(&self, name: u8, change: impl FnOnce(&mut HashMut<'_>)) {
        self.with([name; 2], |access, key, _| {
            let changed = access.change_or_new(key, hash::TAG, hash::EMPTY, |record| {
                let hash = HashMut::of(record, &self.limits, self.now_ms);
                change(&mut hash.expect("it is a hash"));
                Ok::<_, Infallible>((1, ()))
            });
            changed.expect("nothing fails");
        });
    }

    /// What is over goes from the twin at once.
    fn settle(&mut self) {
        let now_ms = self.now_ms;
        for fields in self.twin.values_mut() {
            fields.retain(|_, time| time.is_none_or(|time| time >= now_ms));
        }
        self.twin.retain(|_, fields| !fields.is_empty());
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Set { name, field, time_ms } => {
                let time_ms = time_ms.map(|ms| self.now_ms + ms);
                self.change(name, |hash| {
                    hash.set(&[field], b"value");
                    hash.set_time(&[field], time_ms);
                });
                self.twin.entry(name).or_default().insert(field, time_ms);
            }
            Step::RemoveField { name, field } => {
                self.change(name, |hash| {
                    hash.remove(&[field]);
                });
                if let Some(fields) = self.twin.get_mut(&name) {
                    fields.remove(&field);
                }
            }
            Step::Remove(name) => {
                let removed = self.with([name; 2], |access, key, _| access.remove(key));
                assert_eq!(removed, self.twin.remove(&name).is_some());
            }
            Step::Copy(from, to) if from != to => {
                let copied = self.with([from, to], |access, from, to| access.copy(from, to));
                let fields = self.twin.get(&from).cloned();
                assert_eq!(copied, fields.is_some());
                fields.map(|fields| self.twin.insert(to, fields));
            }
            Step::Rename(from, to) if from != to => {
                let renamed = self.with([from, to], |access, from, to| access.rename(from, to));
                let fields = self.twin.remove(&from);
                assert_eq!(renamed, fields.is_some());
                fields.map(|fields| self.twin.insert(to, fields));
            }
            Step::Copy(..) | Step::Rename(..) => {}
            Step::ExpireDue(budget) => {
                let mut changes = Changes::default();
                let done = self.keyspace.expire_due(self.now_ms, budget, &mut changes).total();
                assert!(done <= budget, "{done} of {budget}");
            }
            Step::Wait(ms) => self.now_ms += ms,
            Step::Flush => {
                let clock = ManualClock::new(self.now_ms);
                let time = Moment::new(&clock);
                Access::nothing(&self.keyspace, &time).flush(0);
                self.twin.clear();
            }
        }
        self.settle();
    }

    /// Compares what is to be seen.
    fn check(&self) {
        check_counts(&self.keyspace);
        let clock = ManualClock::new(self.now_ms);
        let time = Moment::new(&clock);
        let mut seen = Twin::new();
        let mut access = Access::nothing(&self.keyspace, &time);
        access.walk(0, Cursor::START, usize::MAX, |record| {
            let mut fields = BTreeMap::new();
            Hash::of(record, self.now_ms).expect("it is a hash").each_row(|field, _, time| {
                fields.insert(field.to_vec()[0], time);
            });
            seen.insert(record.key()[4] - b'0', fields);
        });
        assert_eq!(seen, self.twin);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn fields_are_there_until_their_time_is_over(
        shards in prop::sample::select(vec![1usize, 16]),
        entries in prop::sample::select(vec![0usize, 6, 512]),
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut both = Both::new(shards, entries);
        for step in steps {
            both.take(step);
            both.check();
        }
        let mut changes = Changes::default();
        while both.keyspace.expire_due(both.now_ms, 5, &mut changes).total() > 0 {}
        both.check();
        let times = || both.twin.values().flat_map(|fields| fields.values());
        let first_ms = times().filter_map(|time| *time).min();
        prop_assert!(both.keyspace.next_due_ms() <= first_ms || first_ms.is_none());
        both.now_ms += 1_000;
        both.settle();
        while both.keyspace.expire_due(both.now_ms, 5, &mut changes).total() > 0 {}
        both.check();
        prop_assert_eq!(both.keyspace.next_due_ms(), None);
    }
}
