//! Hashes against a naive twin: a map that knows when each field expires.

use super::*;
use crate::value::PackLimits;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Fields with their values and times.
type Twin = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn rows(record: &Record, now_ms: u64) -> Twin {
    let mut rows = Twin::new();
    Hash::of(record, now_ms).unwrap().each_row(|field, value, time| {
        assert!(rows.insert(field.to_vec(), (value.to_vec(), time)).is_none());
    });
    rows
}

/// Texts at the edges of a limit of 8 bytes, few enough to meet.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0u8..12).prop_map(|number| number.to_string().into_bytes()),
        2 => prop::collection::vec(any::<u8>(), 0..6),
        1 => Just(b"-123456".to_vec()),
        1 => (6usize..11).prop_map(|len| vec![b'x'; len]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Vec<u8>),
    SetValue(Vec<u8>, Vec<u8>),
    SetTime(Vec<u8>, Option<u64>),
    Remove(Vec<u8>),
    RemoveExpired(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop::option::weighted(0.8, 1u64..60);
    prop_oneof![
        6 => (text(), text()).prop_map(|(field, value)| Step::Set(field, value)),
        2 => (text(), text()).prop_map(|(field, value)| Step::SetValue(field, value)),
        3 => (text(), time).prop_map(|(field, time)| Step::SetTime(field, time)),
        2 => text().prop_map(Step::Remove),
        1 => (0usize..4).prop_map(Step::RemoveExpired),
        1 => (1u64..8).prop_map(Step::Wait),
    ]
}

/// A hash with its twin, at a time.
struct Both {
    record: Record,
    limits: Limits,
    /// Fields that are expired stay here until they are taken out there.
    twin: Twin,
    now_ms: u64,
    was_table: bool,
    was_expiring: bool,
}

impl Both {
    fn new(entries: usize) -> Self {
        let hash = PackLimits { entries, value_len: 8 };
        Self {
            record: Record::new(b"key", TAG, EMPTY, None, 0),
            limits: Limits { hash, ..Limits::DEFAULT },
            twin: Twin::new(),
            now_ms: 1,
            was_table: false,
            was_expiring: false,
        }
    }

    fn hash(&mut self) -> HashMut<'_> {
        HashMut::of(&mut self.record, &self.limits, self.now_ms).unwrap()
    }

    fn is_live(&self, field: &[u8]) -> bool {
        self.twin.get(field).is_some_and(|(_, time)| time.is_none_or(|time| time >= self.now_ms))
    }

    fn live(&self) -> Twin {
        let twin = self.twin.iter().filter(|(field, _)| self.is_live(field));
        twin.map(|(field, row)| (field.clone(), row.clone())).collect()
    }

    fn set(&mut self, field: Vec<u8>, value: Vec<u8>, keeps_time: bool) {
        self.was_table |= field.len().max(value.len()) > 8;
        let is_live = self.is_live(&field);
        let time = self.twin.get(&field).and_then(|(_, time)| *time);
        let is_new = if keeps_time {
            self.hash().set_value(&field, &value)
        } else {
            self.hash().set(&field, &value)
        };
        assert_eq!(is_new, !is_live);
        self.twin.insert(field, (value, time.filter(|_| keeps_time && is_live)));
        self.was_table |= self.twin.len() > self.limits.hash.entries;
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Set(field, value) => self.set(field, value, false),
            Step::SetValue(field, value) => self.set(field, value, true),
            Step::SetTime(field, time) => {
                self.was_expiring |= !self.was_table;
                self.hash().set_time(&field, time);
                if let Some(row) = self.twin.get_mut(&field) {
                    row.1 = time;
                }
            }
            Step::Remove(field) => {
                let is_live = self.is_live(&field);
                assert_eq!(self.hash().remove(&field), is_live);
                self.twin.remove(&field);
            }
            Step::RemoveExpired(budget) => {
                let expired = self.twin.len() - self.live().len();
                let removed = remove_expired(&mut self.record, self.now_ms, budget);
                assert_eq!(removed, expired.min(budget));
                // Which of those that are due at the same time went first is left open.
                let left = rows(&self.record, 0);
                self.twin.retain(|field, _| left.contains_key(field));
            }
            Step::Wait(ms) => self.now_ms += ms,
        }
    }

    fn check(&mut self) {
        assert_eq!(rows(&self.record, 0), self.twin);
        let live = self.live();
        assert_eq!(rows(&self.record, self.now_ms), live);
        assert_eq!(self.hash().read().len(), live.len());
        for field in self.twin.clone().keys() {
            let found = self.hash().read().find(field).map(|(value, time)| (value.to_vec(), time));
            assert_eq!(found.as_ref(), live.get(field));
        }
        let times = || self.twin.values().filter_map(|(_, time)| *time);
        let all = times().count() == self.twin.len();
        assert_eq!(first_expiry_ms(&self.record), times().min());
        assert_eq!(last_expiry_ms(&self.record), times().max().filter(|_| all));
        assert_eq!(is_empty(&self.record), self.twin.is_empty());
        let expected = match (self.was_table, self.was_expiring) {
            (true, _) => "hashtable",
            (false, true) => "listpackex",
            (false, false) => "listpack",
        };
        assert_eq!(encoding(&self.record), expected);
    }
}

proptest! {
    #[test]
    fn it_is_a_map_whose_fields_expire(
        steps in prop::collection::vec(step(), 0..80),
        entries in 0usize..12,
    ) {
        let mut both = Both::new(entries);
        for step in steps {
            both.take(step);
            both.check();
        }
    }

    #[test]
    fn a_walk_over_a_changing_table_meets_all_that_stays(
        changes in prop::collection::vec((0u32..3_000, any::<bool>()), 0..200),
        count in 1usize..200,
    ) {
        let mut both = Both::new(0);
        let name = |number: u32| format!("field {number}").into_bytes();
        for number in 0..1_500 {
            both.set(name(number), b"v".to_vec(), false);
        }
        let mut stays: Vec<_> = (0..1_500).collect();
        let (mut cursor, mut met) = (0, std::collections::BTreeSet::new());
        let mut changes = changes.into_iter();
        loop {
            cursor = both.hash().read().walk(cursor, count, |field, _| {
                met.insert(field.to_vec());
            });
            if cursor == 0 {
                break;
            }
            for (number, adds) in changes.by_ref().take(20) {
                if adds {
                    both.set(name(number), b"w".to_vec(), false);
                } else {
                    both.take(Step::Remove(name(number)));
                    stays.retain(|other| *other != number);
                }
            }
        }
        prop_assert!(stays.into_iter().all(|number| met.contains(&name(number))));
    }
}

#[test]
fn a_large_table_is_freed_by_steps() {
    let mut table = FieldTable::new(0);
    for number in 0..10_000 {
        table.add(format!("field {number}").as_bytes(), b"value", Some(number));
    }
    let mut steps = 0;
    while table.is_large() {
        table.free_step();
        steps += 1;
    }
    assert!((30..120).contains(&steps), "{steps}");
    let left: usize = table.iter().map(|field| field.footprint()).sum();
    assert!(table.footprint() >= left && left > 0);
}

/// A sequence like that of the engine.
fn chance() -> impl FnMut() -> u64 {
    let mut state = 7u64;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.rotate_left(32)
    }
}

/// Hashes of both encodings with 30 fields, ten of which are expired at time 5.
fn thirty() -> [Both; 2] {
    [512, 0].map(|entries| {
        let mut both = Both::new(entries);
        for number in 0u64..30 {
            let field = number.to_string().into_bytes();
            both.set(field.clone(), b"v".to_vec(), false);
            both.take(Step::SetTime(field, (number < 10).then_some(3)));
        }
        both.now_ms = 5;
        both
    })
}

#[test]
fn chance_is_fair_to_every_field_that_is_there() {
    for mut both in thirty() {
        let mut random = chance();
        let mut drawn = BTreeMap::<_, u32>::new();
        let hash = both.hash();
        let hash = hash.read();
        for _ in 0..20_000 {
            let (field, _) = hash.random(&mut random).unwrap();
            *drawn.entry(field.to_vec()).or_default() += 1;
        }
        hash.draw(20_000, &mut random, |field, _| *drawn.entry(field.to_vec()).or_default() += 1);
        for _ in 0..4_000 {
            hash.choose(5, &mut random, |field, _| *drawn.entry(field.to_vec()).or_default() += 1);
        }
        for _ in 0..2_000 {
            hash.choose(10, &mut random, |field, _| *drawn.entry(field.to_vec()).or_default() += 1);
        }
        assert_eq!(drawn.len(), 20);
        assert!(drawn.values().all(|count| (3_600..4_400).contains(count)), "{drawn:?}");
    }
}

#[test]
fn chosen_fields_differ_and_are_as_many_as_asked_for() {
    for mut both in thirty() {
        for count in [0, 1, 4, 7, 15, 20, 21, 1_000] {
            let (mut chosen, mut seen) = (std::collections::BTreeSet::new(), 0);
            both.hash().read().choose(count, chance(), |field, _| {
                chosen.insert(field.to_vec());
                seen += 1;
            });
            assert_eq!((seen, chosen.len()), (count.min(20), count.min(20)));
        }
    }
}

#[test]
fn a_single_field_that_is_there_among_many_that_are_expired_is_found() {
    let mut both = Both::new(0);
    for number in 0..1_000 {
        let field = number.to_string().into_bytes();
        both.set(field.clone(), b"v".to_vec(), false);
        both.take(Step::SetTime(field, (number != 500).then_some(3)));
    }
    both.now_ms = 5;
    let field = both.hash().read().random(chance()).map(|(field, _)| field.to_vec());
    assert_eq!(field.as_deref(), Some(&b"500"[..]));
    both.take(Step::Remove(b"500".to_vec()));
    assert!(both.hash().read().random(chance()).is_none());
}
