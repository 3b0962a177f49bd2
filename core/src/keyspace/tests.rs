//! The keyspace as a whole against naive twins: what it holds, what is due, what it counts.

use super::*;
use crate::slot::SlotScheme;
use crate::structs::entry::{Body, NewBody};
use crate::time::{ManualClock, Moment};
use crate::value::{Object, Record};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DATABASES: usize = 3;
const START_MS: u64 = 1_000_000;

pub(super) fn keyspace(shards: usize, scheme: SlotScheme) -> Keyspace {
    Keyspace::new(Layout { scheme, shards, databases: DATABASES, seed: 1 })
}

fn shards() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 64, 1024])
}

fn scheme() -> impl Strategy<Value = SlotScheme> {
    prop::sample::select(vec![SlotScheme::Redis, SlotScheme::Codis])
}

/// Half of the keys share a slot, so that one table splits and merges; the others are spread.
fn name(number: u32) -> Vec<u8> {
    let text =
        if number.is_multiple_of(2) { format!("{{t}}{number}") } else { format!("k{number}") };
    text.into_bytes()
}

/// Counts everything anew and compares it with what is kept.
pub(super) fn check_counts(keyspace: &Keyspace) {
    for number in 0..keyspace.shards() {
        let shard = keyspace.lock(number);
        let hash_of = |record: &Record| keyspace.hash(record.key());
        let earliest = shard.databases.iter().filter_map(|one| one.check_counts(hash_of)).min();
        let earliest = earliest.unwrap_or(u64::MAX);
        assert!(keyspace.cells[number].due_ms.load(Relaxed) <= earliest);
    }
}

#[derive(Clone, Debug)]
enum WalkStep {
    Insert { db: usize, from: u32, len: u32 },
    Remove { db: usize, from: u32, len: u32 },
    Walk { count: usize },
}

fn walk_step() -> impl Strategy<Value = WalkStep> {
    let run = || (0..DATABASES, 0u32..4_000, 1u32..1_500);
    prop_oneof![
        3 => run().prop_map(|(db, from, len)| WalkStep::Insert { db, from, len }),
        2 => run().prop_map(|(db, from, len)| WalkStep::Remove { db, from, len }),
        5 => (1usize..700).prop_map(|count| WalkStep::Walk { count }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// SCAN's promise: what is there from the start of a walk to its end is met.
    #[test]
    fn a_walk_meets_all_that_stays_while_tables_grow_and_shrink(
        shards in shards(),
        scheme in scheme(),
        walked in 0..DATABASES,
        steps in prop::collection::vec(walk_step(), 1..30),
    ) {
        let keyspace = keyspace(shards, scheme);
        let clock = ManualClock::new(START_MS);
        let time = Moment::new(&clock);
        let mut access = Access::all(&keyspace, &time);
        let mut stayed = BTreeSet::new();
        let mut present = vec![BTreeSet::new(); DATABASES];
        let mut met = BTreeSet::new();
        let mut cursor = Cursor::START;
        // After the steps, the walk is led to its end.
        let steps = steps.into_iter().chain(std::iter::repeat(WalkStep::Walk { count: 100 }));
        for (number, step) in steps.enumerate() {
            match step {
                WalkStep::Insert { db, from, len } => for number in from..from + len {
                    let key = name(number);
                    access.put(&keyspace.locate(db, &key), 0, NewBody::Int(1), Expiry::Never);
                    present[db].insert(key);
                },
                WalkStep::Remove { db, from, len } => for number in from..from + len {
                    let key = name(number);
                    let removed = access.remove(&keyspace.locate(db, &key));
                    prop_assert_eq!(removed, present[db].remove(&key));
                    if db == walked {
                        stayed.remove(&key);
                    }
                },
                WalkStep::Walk { count } => {
                    if cursor.is_start() {
                        stayed.clone_from(&present[walked]);
                        met.clear();
                    }
                    let mut seen = 0;
                    cursor = access.walk(walked, cursor, count, |record| {
                        seen += 1;
                        met.insert(record.key().to_vec());
                    });
                    prop_assert!(cursor.is_start() || seen >= count);
                    if cursor.is_start() {
                        prop_assert!(met.is_superset(&stayed));
                        if number > 30 {
                            break;
                        }
                    }
                }
            }
        }
        for (db, keys) in present.iter().enumerate() {
            prop_assert_eq!(access.count(db), keys.len());
        }
        drop(access);
        check_counts(&keyspace);
    }
}

/// A value as the twin keeps it.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    Int(i64),
    Boxed(Vec<u8>),
}

impl Value {
    fn new_body(&self) -> NewBody<'_, Object> {
        match self {
            Self::Bytes(bytes) => NewBody::Bytes(bytes),
            Self::Int(value) => NewBody::Int(*value),
            Self::Boxed(bytes) => NewBody::Boxed(Box::new(Object::String(bytes.clone()))),
        }
    }

    fn of(record: &Record) -> Self {
        match record.body() {
            Body::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Body::Int(value) => Self::Int(value),
            Body::Boxed(Object::String(bytes)) => Self::Boxed(bytes.clone()),
            Body::Boxed(other) => panic!("no twin for {other:?}"),
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Value::Bytes),
        2 => any::<i64>().prop_map(Value::Int),
        2 => (0usize..5_000).prop_map(|len| Value::Boxed(vec![b'x'; len])),
        // Large enough to be freed by and by.
        1 => Just(Value::Boxed(vec![b'y'; (4 << 20) + 1])),
    ]
}

#[derive(Clone, Debug)]
enum NewExpiry {
    Never,
    Keep,
    In(i64),
}

fn new_expiry() -> impl Strategy<Value = NewExpiry> {
    prop_oneof![
        1 => Just(NewExpiry::Never),
        1 => Just(NewExpiry::Keep),
        3 => (-20i64..300).prop_map(NewExpiry::In),
        1 => Just(NewExpiry::In(i64::MAX / 2)),
    ]
}

/// A key of the property test: a database and a number.
type Name = (usize, u32);

#[derive(Clone, Debug)]
enum Step {
    Put(Name, Value, NewExpiry),
    SetExpiry(Name, NewExpiry),
    Remove(Name),
    Rename(Name, Name),
    Copy(Name, Name),
    Append(Name, usize),
    Read(Name),
    Advance(u64),
    ExpireDue(usize),
    Free(usize),
    Flush(usize),
    FlushSlot(Name),
    Swap(usize, usize),
    RandomKey(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || (0..DATABASES, 0u32..24);
    prop_oneof![
        8 => (name(), value(), new_expiry()).prop_map(|(k, v, e)| Step::Put(k, v, e)),
        6 => (name(), new_expiry()).prop_map(|(k, e)| Step::SetExpiry(k, e)),
        3 => name().prop_map(Step::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (name(), name()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => (name(), 1usize..2_000).prop_map(|(k, len)| Step::Append(k, len)),
        4 => name().prop_map(Step::Read),
        4 => (0u64..120).prop_map(Step::Advance),
        3 => (0usize..12).prop_map(Step::ExpireDue),
        1 => (0usize..200).prop_map(Step::Free),
        1 => (0..DATABASES).prop_map(Step::Flush),
        1 => name().prop_map(Step::FlushSlot),
        1 => (0..DATABASES, 0..DATABASES).prop_map(|(one, other)| Step::Swap(one, other)),
        1 => (0..DATABASES, any::<u64>()).prop_map(|(db, random)| Step::RandomKey(db, random)),
    ]
}

/// The naive twin: values with their times in a map.
#[derive(Debug, Default)]
struct Twin {
    now_ms: u64,
    keys: BTreeMap<Name, (Value, Option<u64>)>,
}

impl Twin {
    fn live(&self, name: Name) -> Option<&(Value, Option<u64>)> {
        let alive = |(_, at): &&(Value, Option<u64>)| at.is_none_or(|at| at >= self.now_ms);
        self.keys.get(&name).filter(alive)
    }

    fn live_in(&self, db: usize) -> Vec<Name> {
        self.keys
            .keys()
            .copied()
            .filter(|&name| name.0 == db && self.live(name).is_some())
            .collect()
    }

    fn expiry(&self, name: Name, new: &NewExpiry) -> (Expiry, Option<u64>) {
        match new {
            NewExpiry::Never => (Expiry::Never, None),
            NewExpiry::Keep => (Expiry::Keep, self.live(name).and_then(|(_, at)| *at)),
            NewExpiry::In(ms) => {
                let at = self.now_ms.checked_add_signed(*ms).expect("the clock starts later");
                (Expiry::At(at), Some(at))
            }
        }
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.keys.iter().filter_map(|(_, (_, at))| *at).filter(|&at| at >= self.now_ms).min()
    }
}

/// Carries a step out on both, and compares what they answer.
fn carry_out(keyspace: &Keyspace, clock: &ManualClock, twin: &mut Twin, step: &Step) {
    let time = Moment::new(clock);
    let mut access = Access::all(keyspace, &time);
    let bytes = |name: Name| self::name(name.1);
    match step {
        Step::Put(key, value, new) => {
            let (expiry, at) = twin.expiry(*key, new);
            access.put(&keyspace.locate(key.0, &bytes(*key)), 0, value.new_body(), expiry);
            twin.keys.insert(*key, (value.clone(), at));
        }
        Step::SetExpiry(key, new) => {
            let (_, at) = twin.expiry(*key, new);
            let done = access.set_expire_ms(&keyspace.locate(key.0, &bytes(*key)), at);
            assert_eq!(done, twin.live(*key).is_some());
            if done {
                twin.keys.get_mut(key).expect("it is alive").1 = at;
            }
        }
        Step::Remove(key) => {
            let removed = access.remove(&keyspace.locate(key.0, &bytes(*key)));
            assert_eq!(removed, twin.live(*key).is_some());
            twin.keys.remove(key);
        }
        Step::Rename(from, to) | Step::Copy(from, to) => {
            if from == to {
                return;
            }
            let moved = matches!(step, Step::Rename(..));
            let value = twin.live(*from).cloned();
            let (from_bytes, to_bytes) = (bytes(*from), bytes(*to));
            let source = keyspace.locate(from.0, &from_bytes);
            let target = keyspace.locate(0, &to_bytes).in_db(to.0);
            let done =
                if moved { access.rename(&source, &target) } else { access.copy(&source, &target) };
            assert_eq!(done, value.is_some());
            if moved {
                twin.keys.remove(from);
            }
            if let Some(value) = value {
                twin.keys.insert(*to, value);
            }
        }
        Step::Append(key, len) => {
            let grow = |record: &mut Record| {
                if let Some(Object::String(bytes)) = record.boxed_mut() {
                    bytes.extend(std::iter::repeat_n(b'z', *len));
                }
                Ok::<_, ()>((1, ()))
            };
            let done = access.change(&keyspace.locate(key.0, &bytes(*key)), grow).unwrap();
            assert_eq!(done.is_some(), twin.live(*key).is_some());
            let boxed = matches!(twin.live(*key), Some((Value::Boxed(_), _)));
            if let Some((Value::Boxed(bytes), _)) = twin.keys.get_mut(key).filter(|_| boxed) {
                bytes.extend(std::iter::repeat_n(b'z', *len));
            }
        }
        Step::Read(key) => {
            let bytes = bytes(*key);
            let record = access.read(&keyspace.locate(key.0, &bytes));
            let found = record.map(|record| (Value::of(record), record.expire_ms()));
            assert_eq!(found.as_ref(), twin.live(*key));
            assert_eq!(access.is_present(&keyspace.locate(key.0, &bytes)), found.is_some());
        }
        Step::Advance(ms) => {
            clock.advance_ms(*ms);
            twin.now_ms += ms;
        }
        Step::ExpireDue(budget) => {
            drop(access);
            let done = keyspace.expire_due(twin.now_ms, *budget, &mut Changes::default()).keys;
            assert!(done <= *budget);
            if done < *budget {
                check_nothing_is_due(keyspace, twin);
            }
        }
        Step::Free(budget) => {
            let more = keyspace.free_some(*budget);
            assert_eq!(more, keyspace.waiting_to_be_freed() > 0);
        }
        Step::Flush(db) => {
            access.flush(*db);
            twin.keys.retain(|name, _| name.0 != *db);
        }
        Step::FlushSlot(key) => {
            let slot = keyspace.locate(0, &bytes(*key)).slot;
            access.flush_slot(key.0, slot);
            let goes =
                |name: &Name| name.0 == key.0 && keyspace.locate(0, &bytes(*name)).slot == slot;
            twin.keys.retain(|name, _| !goes(name));
        }
        Step::Swap(one, other) => {
            access.swap_databases(*one, *other);
            let swapped = |db| match db {
                db if db == *one => *other,
                db if db == *other => *one,
                db => db,
            };
            let keys = std::mem::take(&mut twin.keys).into_iter();
            twin.keys = keys.map(|((db, key), value)| ((swapped(db), key), value)).collect();
        }
        Step::RandomKey(db, random) => {
            let mut state = *random;
            let key = access.random_key(*db, || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 32
            });
            let live: Vec<Vec<u8>> = twin.live_in(*db).into_iter().map(bytes).collect();
            assert_eq!(key.is_none(), live.is_empty());
            assert!(key.is_none_or(|key| live.contains(&key)));
        }
    }
}

fn check_nothing_is_due(keyspace: &Keyspace, twin: &Twin) {
    let clock = ManualClock::new(twin.now_ms);
    let time = Moment::new(&clock);
    let mut access = Access::nothing(keyspace, &time);
    for db in 0..DATABASES {
        assert_eq!(access.count(db), twin.live_in(db).len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn it_is_a_map_with_times(
        shards in shards(),
        scheme in scheme(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let keyspace = keyspace(shards, scheme);
        let clock = ManualClock::new(START_MS);
        let mut twin = Twin { now_ms: START_MS, ..Twin::default() };
        for step in &steps {
            carry_out(&keyspace, &clock, &mut twin, step);
            if let Some(due_ms) = twin.next_due_ms() {
                prop_assert!(keyspace.next_due_ms().is_some_and(|noted| noted <= due_ms));
            }
        }
        check_counts(&keyspace);
        for name in twin.keys.keys().copied().collect::<Vec<_>>() {
            carry_out(&keyspace, &clock, &mut twin, &Step::Read(name));
        }
        while keyspace.expire_due(twin.now_ms, 3, &mut Changes::default()).total() == 3 {}
        check_nothing_is_due(&keyspace, &twin);
        check_counts(&keyspace);
        while keyspace.free_some(100) {}
    }

    #[test]
    fn a_slot_is_counted_and_walked_alone(
        shards in shards(),
        scheme in scheme(),
        numbers in prop::collection::btree_set(0u32..2_000, 0..400),
        count in 1usize..50,
    ) {
        let keyspace = keyspace(shards, scheme);
        let clock = ManualClock::new(START_MS);
        let time = Moment::new(&clock);
        let mut access = Access::all(&keyspace, &time);
        let mut slots: BTreeMap<u16, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for key in numbers.into_iter().map(name) {
            let located = keyspace.locate(1, &key);
            access.put(&located, 0, NewBody::Int(1), Expiry::Never);
            slots.entry(located.slot).or_default().insert(key);
        }
        for (slot, keys) in slots {
            prop_assert_eq!(access.count_in_slot(1, slot), keys.len());
            let (mut met, mut cursor) = (Vec::new(), Cursor::START);
            loop {
                let visit = |record: &Record| met.push(record.key().to_vec());
                cursor = access.walk_within(1, slot, cursor, count, visit);
                if cursor.is_start() {
                    break;
                }
            }
            prop_assert_eq!(met.len(), keys.len());
            prop_assert_eq!(BTreeSet::from_iter(met), keys);
        }
    }
}

#[test]
fn the_running_footprint_is_what_is_counted_anew() {
    let keyspace = keyspace(64, SlotScheme::Redis);
    let clock = ManualClock::new(1);
    let time = Moment::new(&clock);
    let started = keyspace.footprint();
    assert_eq!(started, keyspace.memory().total());
    for number in 0..500u32 {
        let name = number.to_string();
        let mut key = [keyspace.locate((number % 2) as usize, name.as_bytes())];
        let mut access = Access::keys(&keyspace, &time, &mut key);
        let expiry = if number % 3 == 0 { Expiry::At(9) } else { Expiry::Never };
        access.put(&key[0], 0, NewBody::Bytes(&[7; 100]), expiry);
        drop(access);
        assert_eq!(keyspace.footprint(), keyspace.memory().total());
    }
    assert!(keyspace.footprint() > started + 500 * 100);
    let mut access = Access::nothing(&keyspace, &time);
    access.flush(1);
    drop(access);
    assert!(keyspace.buried_bytes() > 250 * 100);
    assert_eq!(keyspace.footprint(), keyspace.memory().total());
    while keyspace.free_some(100) {
        assert_eq!(keyspace.footprint(), keyspace.memory().total());
    }
    keyspace.expire_due(1_000, 1_000, &mut Changes::default());
    assert_eq!((keyspace.buried_bytes(), keyspace.footprint()), (0, keyspace.memory().total()));
}
