//! `get` and `set`: typed calls, one at a time.

use crate::measure::{interleave, ns_per_op};
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, KEYS, MAINTAIN_LOADED, VALUE, key};
use bytes::Bytes;
use dashmap::DashMap;
use keyslot::Engine;
use std::hint::black_box;

const CALLS: usize = 1_000_000;

type Dash = DashMap<Bytes, Bytes>;

fn engine() -> Engine {
    let engine = Engine::default();
    (0..KEYS).for_each(|number| engine.set(&key(number), &VALUE).expect("no cluster"));
    while engine.maintain(MAINTAIN_LOADED) {}
    engine
}

fn dashmap() -> Dash {
    let map = DashMap::new();
    (0..KEYS).for_each(|number| dash_set(&map, number));
    map
}

fn dash_set(map: &Dash, number: usize) {
    map.insert(Bytes::copy_from_slice(&key(number)), Bytes::copy_from_slice(&VALUE));
}

fn kevy() -> Result<kevy_embedded::Store, String> {
    let failed = |error: std::io::Error| error.to_string();
    let store = kevy_embedded::Store::open(kevy_embedded::Config::default()).map_err(failed)?;
    for number in 0..KEYS {
        store.set(&key(number), &VALUE).map_err(failed)?;
    }
    Ok(store)
}

/// Time a call takes when `call` gets numbers of uniformly chosen keys.
fn time(chance: &mut Chance, mut call: impl FnMut(usize)) -> f64 {
    ns_per_op(CALLS, || (0..CALLS).for_each(|_| call(chance.below(KEYS))))
}

fn compare(
    report: &mut Report,
    id: &str,
    metric: &str,
    mut ours: impl FnMut(usize),
    mut theirs: impl FnMut(usize),
) {
    let (mut one, mut other) = (Chance(1), Chance(1));
    let (ours, theirs) = interleave(|| time(&mut one, &mut ours), || time(&mut other, &mut theirs));
    report.row(&Row { id, metric, unit: "ns", ours, theirs, better: Better::Lower });
}

/// Reads that end with the value's bytes in the caller's hands.
pub(crate) fn get(report: &mut Report) -> Result<(), String> {
    let engine = engine();
    let ours = |number| drop(black_box(engine.get(&key(number))));
    let map = dashmap();
    let dash = |number| {
        let value = map.get(&key(number)[..]).map(|value| Bytes::clone(&value));
        assert_eq!(black_box(value).map(|value| value[0]), Some(b'v'));
    };
    compare(report, "get.dashmap", "time of a GET", ours, dash);
    drop(map);
    let store = kevy()?;
    let kevy = |number| drop(black_box(store.get(&key(number))));
    compare(report, "get.kevy", "time of a GET", ours, kevy);
    Ok(())
}

/// Writes over keys that exist.
pub(crate) fn set(report: &mut Report) -> Result<(), String> {
    let engine = engine();
    let ours = |number| engine.set(&key(number), &VALUE).expect("no cluster");
    let map = dashmap();
    compare(report, "set.dashmap", "time of a SET", ours, |number| dash_set(&map, number));
    drop(map);
    let store = kevy()?;
    let kevy = |number| drop(black_box(store.set(&key(number), &VALUE)));
    compare(report, "set.kevy", "time of a SET", ours, kevy);
    Ok(())
}
