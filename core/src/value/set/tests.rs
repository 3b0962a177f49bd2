//! Sets against a naive twin, and the forms that they take.

use super::*;
use crate::value::{PackLimits, element};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Twin = BTreeSet<Vec<u8>>;

/// Small, so that a few members are enough to get from one form to the next.
const LIMITS: Limits = Limits {
    set: PackLimits { entries: 6, value_len: 8 },
    intset_entries: 5,
    seed: 7,
    ..Limits::DEFAULT
};

fn record_of(form: Form, members: &Twin) -> Record {
    let elements: Vec<_> = members.iter().map(|text| element(text)).collect();
    let mut record = Record::new(b"key", TAG, NewBody::Bytes(listpack::EMPTY), None, 0);
    match NewSet::checked(form, &elements, &LIMITS).expect("distinct, and fit for the form") {
        NewSet::Inside(tag, bytes) => record.set_body(tag, NewBody::Bytes(&bytes)),
        NewSet::Table(object) => record.set_body(TAG, NewBody::Boxed(object)),
    };
    record
}

fn texts<'e>(elements: impl IntoIterator<Item = Element<'e>>) -> Vec<Vec<u8>> {
    let mut texts: Vec<_> = elements.into_iter().map(Element::to_vec).collect();
    texts.sort();
    texts
}

fn is(found: Vec<Vec<u8>>, twin: &Twin) -> bool {
    found.iter().eq(twin)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-4i64..4).prop_map(|number| number.to_string().into_bytes()),
        1 => any::<(i64, u32)>().prop_map(|(n, shift)| (n >> (shift % 64)).to_string().into()),
        3 => "[a-c]{0,2}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn members() -> impl Strategy<Value = Twin> {
    prop::collection::btree_set(text(), 0..12)
}

/// Numbers that look random enough.
fn chance(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 27
    }
}

#[test]
fn a_set_takes_the_forms_of_redis() {
    let form_after = |texts: &[&str]| {
        let (tag, body) = create(element(texts[0].as_bytes()), 1, &LIMITS);
        let mut record = Record::new(b"key", tag, body, None, 0);
        for text in texts {
            add(&mut record, element(text.as_bytes()), &LIMITS);
        }
        encoding(&record)
    };
    assert_eq!(form_after(&["1", "2", "3", "4", "5"]), "intset");
    assert_eq!(form_after(&["1", "2", "3", "4", "5", "6"]), "hashtable");
    assert_eq!(form_after(&["1", "a"]), "listpack");
    assert_eq!(form_after(&["1", "01"]), "listpack");
    assert_eq!(form_after(&["1", "123456789"]), "intset");
    assert_eq!(form_after(&["123456789", "a"]), "hashtable");
    assert_eq!(form_after(&["-1234567", "a"]), "listpack");
    assert_eq!(form_after(&["-12345678", "a"]), "hashtable");
    assert_eq!(form_after(&["1", "abcdefghi"]), "hashtable");
    assert_eq!(form_after(&["a", "123456789"]), "hashtable");
    assert_eq!(form_after(&["a", "b", "c", "d", "e", "f"]), "listpack");
    assert_eq!(form_after(&["a", "b", "c", "d", "e", "f", "f"]), "listpack");
    assert_eq!(form_after(&["a", "b", "c", "d", "e", "f", "g"]), "hashtable");
}

#[test]
fn what_is_announced_decides_about_the_form() {
    let form_of = |first: &str, expected| {
        let (tag, body) = create(element(first.as_bytes()), expected, &LIMITS);
        encoding(&Record::new(b"key", tag, body, None, 0))
    };
    assert_eq!(form_of("1", 5), "intset");
    assert_eq!(form_of("1", 6), "listpack");
    assert_eq!(form_of("a", 6), "listpack");
    assert_eq!(form_of("a", 7), "hashtable");
    assert_eq!(form_of("1", 7), "hashtable");
    let mut record = record_of(Form::Integers, &Twin::from([b"1".to_vec()]));
    expect_more(&mut record, 5, &LIMITS);
    assert_eq!(encoding(&record), "intset");
    expect_more(&mut record, 6, &LIMITS);
    assert_eq!(encoding(&record), "hashtable");
    assert!(is(texts(known(&record).iter()), &Twin::from([b"1".to_vec()])));
}

proptest! {
    #[test]
    fn it_is_a_set(steps in prop::collection::vec((0..4, text()), 1..60)) {
        let (tag, body) = create(element(&steps[0].1), 1, &LIMITS);
        let mut record = Record::new(b"key", tag, body, Some(5), 3);
        let mut twin = Twin::new();
        for (step, text) in steps {
            if step > 0 {
                prop_assert_eq!(add(&mut record, element(&text), &LIMITS), twin.insert(text));
            } else {
                prop_assert_eq!(remove(&mut record, element(&text)), twin.remove(&text));
            }
            let set = read(&record).expect("a set");
            prop_assert_eq!((set.len(), is_empty(&record)), (twin.len(), twin.is_empty()));
            prop_assert!(is(texts(set.iter()), &twin));
            prop_assert!(twin.iter().all(|text| set.contains(element(text))));
            prop_assert!(!set.contains(Element::Bytes(b"not there")));
        }
        prop_assert_eq!(record.expire_ms(), Some(5));
    }

    #[test]
    fn a_form_is_foretold(texts in prop::collection::vec(text(), 1..12)) {
        let mut texts: Vec<_> = texts;
        let mut seen = Twin::new();
        texts.retain(|text| seen.insert(text.clone()));
        let mut record = Record::new(b"key", TAG_INTSET, NewBody::Bytes(intset::EMPTY), None, 0);
        for text in &texts {
            add(&mut record, element(text), &LIMITS);
        }
        let elements: Vec<_> = texts.iter().map(|text| element(text)).collect();
        let form = Form::Integers.after(elements.iter().copied(), &LIMITS);
        prop_assert_eq!(form, known(&record).form());
    }

    #[test]
    fn algebra_is_that_of_sets(
        parts in prop::collection::vec((members(), any::<bool>()), 1..5),
        stop in 1usize..4,
    ) {
        let records: Vec<_> = parts.iter().map(|(members, large)| {
            let elements: Vec<_> = members.iter().map(|text| element(text)).collect();
            let small = Form::Integers.after(elements.iter().copied(), &LIMITS);
            record_of(if *large { Form::Table } else { small }, members)
        }).collect();
        let sets: Vec<_> = records.iter().map(known).collect();
        let twins: Vec<_> = parts.iter().map(|(members, _)| members).collect();

        let shared = twins.iter().skip(1).fold(twins[0].clone(), |all, one| &all & one);
        let mut found = Vec::new();
        intersection(&sets, |member| { found.push(member); true });
        prop_assert!(is(texts(found), &shared));
        let mut some = 0;
        intersection(&sets, |_| { some += 1; some != stop });
        prop_assert_eq!(some, stop.min(shared.len()));

        let all = twins.iter().fold(Twin::new(), |all, one| &all | one);
        prop_assert!(is(texts(union(&sets)), &all));

        let left = twins.iter().skip(1).fold(twins[0].clone(), |all, one| &all - one);
        let found = difference(sets[0], &sets[1..], &LIMITS);
        prop_assert!(is(texts(found.members), &left));
    }

    #[test]
    fn samples_and_pops_are_of_different_members(
        large: bool,
        members in prop::collection::btree_set(text(), 1..6),
        count in 0usize..6,
        seed: u64,
    ) {
        let elements: Vec<_> = members.iter().map(|text| element(text)).collect();
        let small = Form::Integers.after(elements.iter().copied(), &LIMITS);
        let mut record = record_of(if large { Form::Table } else { small }, &members);
        let mut random = chance(seed);
        let count = count.min(members.len());
        let mut found = Vec::new();
        sample(known(&record), count, &mut random, |member| found.push(member.to_vec()));
        let drawn: Twin = found.iter().cloned().collect();
        prop_assert!(drawn.len() == count && found.len() == count && drawn.is_subset(&members));
        if count < members.len() {
            let mut popped = Twin::new();
            pop_some(&mut record, count, &LIMITS, &mut random, |member| {
                popped.insert(member.to_vec());
            });
            prop_assert_eq!(popped.len(), count);
            prop_assert!(is(texts(known(&record).iter()), &(&members - &popped)));
        }
        let before: Twin = texts(known(&record).iter()).into_iter().collect();
        let mut popped = Twin::new();
        pop(&mut record, &mut random, |member| { popped.insert(member.to_vec()); });
        prop_assert_eq!(popped.len(), 1);
        prop_assert!(is(texts(known(&record).iter()), &(&before - &popped)));
    }
}

/// Whether counts are what equal chances give, by Pearson's test: seldom beyond five deviations.
fn are_even(counts: &BTreeMap<Vec<u8>, u32>, choices: usize) -> bool {
    let total: u32 = counts.values().sum();
    let expected = f64::from(total) / choices as f64;
    let square = |count: u32| (f64::from(count) - expected).powi(2) / expected;
    let missing = (choices - counts.len()) as f64 * expected;
    let sum = counts.values().copied().map(square).sum::<f64>() + missing;
    let freedom = (choices - 1) as f64;
    sum < freedom + 5.0 * (2.0 * freedom).sqrt()
}

#[test]
fn every_member_has_the_same_chance() {
    const DRAWS: u32 = 40_000;
    let names = |count: usize| (0..count).map(|number| format!("m{number}").into_bytes());
    let numbers = |count: usize| (0..count).map(|number| number.to_string().into_bytes());
    let few: Twin = names(5).collect();
    let sets = [
        record_of(Form::Integers, &numbers(5).collect()),
        record_of(Form::Packed, &few),
        record_of(Form::Table, &few),
        record_of(Form::Table, &names(1_000).collect()),
    ];
    for record in &sets {
        let len = known(record).len();
        let mut random = chance(1);
        let mut counts = BTreeMap::new();
        for _ in 0..DRAWS {
            let member = super::random(known(record), &mut random).expect("it has members");
            *counts.entry(member.to_vec()).or_insert(0) += 1;
        }
        assert!(are_even(&counts, len), "one of {len} {}", encoding(record));
        for count in [1, len / 5, len / 2, len - 1] {
            let mut counts = BTreeMap::new();
            for _ in 0..DRAWS as usize / count {
                sample(known(record), count, &mut random, |member| {
                    *counts.entry(member.to_vec()).or_insert(0) += 1;
                });
            }
            assert!(are_even(&counts, len), "{count} of {len} {}", encoding(record));
        }
    }
}

#[test]
fn every_member_has_the_same_chance_to_be_popped() {
    let members: Twin = (0..6).map(|number| format!("m{number}").into_bytes()).collect();
    for form in [Form::Packed, Form::Table] {
        for count in [1, 3, 5] {
            let mut random = chance(count as u64);
            let mut counts = BTreeMap::new();
            for _ in 0..10_000 {
                let mut record = record_of(form, &members);
                pop_some(&mut record, count, &LIMITS, &mut random, |member| {
                    *counts.entry(member.to_vec()).or_insert(0) += 1;
                });
            }
            assert!(are_even(&counts, members.len()), "{count} of 6 {form:?}: {counts:?}");
        }
    }
}

#[test]
fn what_is_left_of_a_table_is_packed_where_it_fits() {
    let members: Twin = (0..40).map(|number| format!("m{number}").into_bytes()).collect();
    for (count, expected) in [(30, "hashtable"), (33, "hashtable"), (34, "listpack")] {
        let mut record = record_of(Form::Table, &members);
        pop_some(&mut record, count, &LIMITS, &mut chance(3), |_| {});
        assert_eq!(encoding(&record), expected, "{count}");
    }
}
