//! Some keys of a slot: choosing them, writing them as requests, deleting them. When to do which is
//! the machine's business. All of it happens under the lock of the slot's shard.

use super::request::{RestoreForm, write_restore};
use crate::cluster::{Tags, Transit};
use crate::keyspace::{Access, place_in_walk};
use crate::slot::SlotScheme;
use crate::value::object_footprint;
use std::collections::HashSet;

/// Chooses keys of a slot from a position on: up to `keys_max`, and fewer if they are large; at
/// least one, if there is one that has not expired. Returns also the position to go on from, none
/// at the end.
pub(super) fn choose(
    access: &mut Access<'_>,
    (slot, db): (u16, usize),
    from: u64,
    keys_max: usize,
    bytes_max: usize,
) -> (Transit, Option<u64>) {
    let keyspace = access.keyspace();
    let mut found = Transit::new(slot, db);
    let (mut sizes, mut bytes) = (Vec::with_capacity(keys_max), 0);
    let next = access.walk_slot(db, slot, from, keys_max, |record| {
        let size = record.footprint() + object_footprint(record);
        bytes += size;
        sizes.push(size);
        found.push(record.key(), keyspace.hash(record.key()));
    });
    if bytes <= bytes_max { (found, next) } else { cut(&found, &sizes, bytes_max, next) }
}

/// Adds all other keys of the tags that chosen keys have. By Codis's scheme they lie beside them; by
/// Redis's the whole slot is looked through, once for all chosen keys.
pub(super) fn complete_tags(access: &mut Access<'_>, chosen: &mut Transit) {
    let keyspace = access.keyspace();
    let (scheme, db) = (keyspace.scheme(), chosen.db());
    let mut tags = Tags::new(scheme);
    let names: HashSet<Box<[u8]>> = chosen.keys().map(|key| key.bytes.into()).collect();
    let mut more: Vec<(Box<[u8]>, u64)> = Vec::new();
    let mut add = |tags: &Tags, name: &[u8]| {
        if tags.has_tag_of(db as u16, name) == Some(true) && !names.contains(name) {
            more.push((name.into(), keyspace.hash(name)));
        }
    };
    match scheme {
        SlotScheme::Codis => {
            for key in chosen.keys() {
                if tags.insert(db as u16, key.bytes) {
                    let mut one = Tags::new(scheme);
                    one.insert(db as u16, key.bytes);
                    access.walk_tag(&key, |record| add(&one, record.key()));
                }
            }
        }
        SlotScheme::Redis => {
            chosen.keys().for_each(|key| _ = tags.insert(db as u16, key.bytes));
            let mut from = (!tags.is_empty()).then_some(0);
            while let Some(at) = from {
                from = access.walk_slot(db, chosen.slot(), at, STEP, |record| {
                    add(&tags, record.key());
                });
            }
        }
    }
    more.iter().for_each(|(name, hash)| chosen.push(name, *hash));
    chosen.tags = Some(tags);
}

/// Keys that are looked at in one step.
const STEP: usize = 1_024;

/// Cuts off the keys with which a batch would be too large.
fn cut(
    found: &Transit,
    sizes: &[usize],
    bytes_max: usize,
    next: Option<u64>,
) -> (Transit, Option<u64>) {
    let place = |number: usize| place_in_walk(found.key(number).hash);
    let mut numbers: Vec<usize> = (0..found.len()).collect();
    numbers.sort_unstable_by_key(|&number| place(number));
    let (mut bytes, mut last) = (0, None);
    let mut chosen = found.empty();
    for number in numbers {
        let is_full = last.is_some() && bytes + sizes[number] > bytes_max;
        // No place lies between keys that share one.
        if is_full && last != Some(place(number)) {
            return (chosen, last.map(|last| last + 1));
        }
        bytes += sizes[number];
        last = Some(place(number));
        chosen.push(found.key(number).bytes, found.key(number).hash);
    }
    (chosen, next)
}

/// Appends a request for each key that is there, which stores the key at the target: over whatever
/// it has if `replace` is true. Returns the numbers of these keys.
pub(super) fn encode(
    access: &mut Access<'_>,
    keys: &Transit,
    (payload_version, replace): (u16, bool),
    out: &mut Vec<u8>,
) -> Vec<u32> {
    let now_ms = access.unix_ms();
    let usage = access.keyspace().usage();
    let form = RestoreForm { asking: true, replace, absolute: true, usage, payload_version };
    let mut encoded = Vec::with_capacity(keys.len());
    for (number, key) in keys.keys().enumerate() {
        if let Some(record) = access.peek(&key) {
            write_restore(record, form, now_ms, out);
            encoded.push(number as u32);
        }
    }
    encoded
}

/// Appends requests that delete these keys at the target, two for each.
pub(super) fn encode_deletion(keys: &Transit, mut ask: impl FnMut(&[&[u8]])) {
    for key in keys.keys() {
        ask(&[b"ASKING"]);
        ask(&[b"UNLINK", key.bytes]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Expiry, Keyspace, Layout};
    use crate::resp::encode_request;
    use crate::slot::SlotScheme;
    use crate::time::{ManualClock, Moment};
    use crate::value::{dump, string};

    fn keyspace() -> Keyspace {
        let scheme = SlotScheme::Redis;
        Keyspace::new(Layout { scheme, shards: 4, databases: 2, seed: 0 })
    }

    /// Stores keys that share a slot.
    fn fill(keyspace: &Keyspace, time: &Moment<'_>, keys: usize, len: usize) -> u16 {
        let slot = SlotScheme::Redis.slot(b"{t}");
        let mut access = Access::slot(keyspace, time, slot);
        for number in 0..keys {
            let name = format!("{{t}}{number}");
            let key = keyspace.locate(0, name.as_bytes());
            access.put(&key, string::TAG, string::encode(&vec![b'x'; len]), Expiry::Never);
        }
        slot
    }

    #[test]
    fn a_walk_of_choices_meets_every_key_once() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(1_000));
        let time = Moment::new(&clock);
        let slot = fill(&keyspace, &time, 2_000, 10);
        let mut access = Access::slot(&keyspace, &time, slot);
        let (mut from, mut seen) = (0, std::collections::BTreeSet::new());
        loop {
            let (chosen, next) = choose(&mut access, (slot, 0), from, 100, usize::MAX);
            chosen.keys().for_each(|key| assert!(seen.insert(key.bytes.to_vec())));
            let Some(next) = next else { break };
            from = next;
        }
        assert_eq!(seen.len(), 2_000);
    }

    #[test]
    fn large_values_make_small_batches() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(1_000));
        let time = Moment::new(&clock);
        let slot = fill(&keyspace, &time, 20, 1_000);
        let mut access = Access::slot(&keyspace, &time, slot);
        let (mut from, mut batches) = (Some(0), Vec::new());
        while let Some(at) = from {
            let (chosen, next) = choose(&mut access, (slot, 0), at, 100, 3_500);
            batches.push(chosen.len());
            from = next;
        }
        assert_eq!(batches, [3, 3, 3, 3, 3, 3, 2]);
        assert_eq!(choose(&mut access, (slot, 0), 0, 100, 1).0.len(), 1);
        assert!(choose(&mut access, (slot, 1), 0, 100, 1).0.is_empty());
    }

    #[test]
    fn tags_are_chosen_whole() {
        for scheme in [SlotScheme::Redis, SlotScheme::Codis] {
            let keyspace = Keyspace::new(Layout { scheme, shards: 4, databases: 2, seed: 0 });
            let clock = ManualClock::new(1_000);
            let time = Moment::new(&clock);
            let slot = scheme.slot(b"{t}");
            let mut access = Access::slot(&keyspace, &time, slot);
            for name in (0..2_000).map(|key| format!("{{t}}{key}")).chain(["t".to_owned()]) {
                let key = keyspace.locate(0, name.as_bytes());
                access.put(&key, string::TAG, string::encode(b"v"), Expiry::Never);
            }
            let (mut chosen, _) = choose(&mut access, (slot, 0), 0, 3, usize::MAX);
            complete_tags(&mut access, &mut chosen);
            let names: std::collections::BTreeSet<_> =
                chosen.keys().map(|key| key.bytes.to_vec()).collect();
            assert_eq!(names.len(), chosen.len(), "each once");
            let tagged = names.iter().filter(|name| name.starts_with(b"{t}")).count();
            assert_eq!(tagged, 2_000, "{scheme:?}");
        }
    }

    #[test]
    fn a_request_carries_value_expiry_and_idle_time() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(50_000));
        let mut keys = Transit::new(SlotScheme::Redis.slot(b"k"), 0);
        keys.push(b"k", keyspace.hash(b"k"));
        keys.push(b"{k}gone", keyspace.hash(b"{k}gone"));
        let time = Moment::new(&clock);
        let mut access = Access::slot(&keyspace, &time, SlotScheme::Redis.slot(b"k"));
        access.put(&keys.key(0), string::TAG, string::encode(b"v"), Expiry::At(99_000));
        drop(access);
        clock.advance_ms(7_000);
        let time = Moment::new(&clock);
        let mut access = Access::slot(&keyspace, &time, SlotScheme::Redis.slot(b"k"));
        let mut out = Vec::new();
        assert_eq!(encode(&mut access, &keys, (10, true), &mut out), [0]);
        let mut payload = Vec::new();
        dump::dump(access.peek(&keys.key(0)).unwrap(), 10, &mut payload);
        let mut expected = Vec::new();
        let words: [&[u8]; 8] =
            [b"RESTORE-ASKING", b"k", b"99000", &payload, b"REPLACE", b"ABSTTL", b"IDLETIME", b"7"];
        encode_request(&words, &mut expected);
        assert_eq!(out, expected);
    }

    #[test]
    fn payloads_of_any_length_get_the_right_head() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(1_000));
        let time = Moment::new(&clock);
        for len in [0, 1, 44, 85, 86, 87, 88, 974, 990, 66_000, 1_000_000] {
            let slot = fill(&keyspace, &time, 1, len);
            let mut access = Access::slot(&keyspace, &time, slot);
            let (chosen, _) = choose(&mut access, (slot, 0), 0, 1, usize::MAX);
            let mut out = Vec::new();
            encode(&mut access, &chosen, (11, true), &mut out);
            let mut payload = Vec::new();
            dump::dump(access.peek(&chosen.key(0)).unwrap(), 11, &mut payload);
            let mut expected = Vec::new();
            let words: [&[u8]; 6] =
                [b"RESTORE-ASKING", b"{t}0", b"0", &payload, b"REPLACE", b"ABSTTL"];
            encode_request(&words, &mut expected);
            assert!(out == expected, "{len}");
        }
    }
}
