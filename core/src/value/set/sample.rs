//! Members chosen by chance, each with the same chance: looked at, or taken out.

use super::{Members, NewSet, Set, TAG, TAG_INTSET, known, packed, remove, table_mut};
use crate::structs::entry::NewBody;
use crate::structs::intset;
use crate::structs::listpack::Element;
use crate::structs::member::Member;
use crate::value::{Limits, Record};
use std::collections::HashSet;

/// A number below `end`.
fn below(end: usize, random: &mut impl FnMut() -> u64) -> usize {
    ((u128::from(random()) * end as u128) >> 64) as usize
}

/// A member of a set that has one.
pub(crate) fn random<'a>(set: Set<'a>, random: &mut impl FnMut() -> u64) -> Option<Element<'a>> {
    match set {
        Set::Integers(integers) if integers.is_empty() => None,
        Set::Integers(integers) => Some(Element::Int(integers.get(below(integers.len(), random)))),
        Set::Packed(pack) => {
            let at = pack.nth(below(pack.len(), random))?;
            Some(pack.get(at))
        }
        Set::Table(members) => members.random(random).map(Member::element),
    }
}

/// Says of each of `len` elements in turn whether it is one of `count` that are chosen; every
/// choice of so many is equally likely.
struct Choice<'r, R> {
    left: usize,
    wanted: usize,
    random: &'r mut R,
}

impl<R: FnMut() -> u64> Choice<'_, R> {
    fn next(&mut self) -> bool {
        let chosen = below(self.left, self.random) < self.wanted;
        self.left -= 1;
        self.wanted -= usize::from(chosen);
        chosen
    }
}

/// From this share of a table on, a sample goes through all of it.
const SPARSE_SHARE: usize = 3;

/// Visits `count` different members, which is not more than there are.
pub(crate) fn sample<'a>(
    set: Set<'a>,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(Element<'a>),
) {
    match set {
        Set::Table(members) if count * SPARSE_SHARE <= members.len() => {
            sparse(members, count, random, visit);
        }
        Set::Integers(_) | Set::Packed(_) | Set::Table(_) => {
            let mut choice = Choice { left: set.len(), wanted: count, random };
            set.iter().filter(|_| choice.next()).for_each(&mut visit);
        }
    }
}

/// Draws until enough different ones were drawn.
fn sparse<'a>(
    members: &'a Members,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(Element<'a>),
) {
    let mut drawn = HashSet::with_capacity(count);
    while drawn.len() < count {
        let Some(member) = members.random(&mut *random) else { return };
        if drawn.insert(std::ptr::from_ref(member)) {
            visit(member.element());
        }
    }
}

/// Takes a member out and shows it to `visit`.
pub(crate) fn pop(
    record: &mut Record,
    random: &mut impl FnMut() -> u64,
    visit: impl FnOnce(Element<'_>),
) {
    if let Set::Table(_) = known(record) {
        if let Some(member) = table_mut(record).take_random(random) {
            visit(member.element());
        }
        return;
    }
    let Some(chosen) = self::random(known(record), random) else { return };
    visit(chosen);
    let text = chosen.to_vec();
    remove(record, crate::value::element(&text));
}

/// Redis builds what is left anew where that is this many times smaller than what goes.
const REBUILD_SHARE: usize = 5;

/// Takes `count` different members out, which is fewer than there are, and shows them to `visit`.
pub(crate) fn pop_some(
    record: &mut Record,
    count: usize,
    limits: &Limits,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(Element<'_>),
) {
    let set = known(record);
    let left = set.len() - count;
    match set {
        Set::Integers(_) | Set::Packed(_) => pop_packed(record, count, random, visit),
        Set::Table(_) if left * REBUILD_SHARE > count => {
            let members = table_mut(record);
            for _ in 0..count {
                if let Some(member) = members.take_random(&mut *random) {
                    visit(member.element());
                }
            }
        }
        Set::Table(_) => {
            let members = table_mut(record);
            let kept = (0..left).filter_map(|_| members.take_random(&mut *random)).collect();
            members.iter().for_each(|member| visit(member.element()));
            put(record, NewSet::of_members(kept, limits));
        }
    }
}

/// Writes what is left of a set that lies inside its record.
fn pop_packed(
    record: &mut Record,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(Element<'_>),
) {
    let set = known(record);
    let mut choice = Choice { left: set.len(), wanted: count, random };
    let mut kept = Vec::with_capacity(set.len() - count);
    for element in set.iter() {
        if choice.next() {
            visit(element);
        } else {
            kept.push(element);
        }
    }
    let new = match set {
        Set::Integers(integers) => {
            let values = kept.iter().filter_map(|element| match element {
                Element::Int(value) => Some(*value),
                Element::Bytes(_) => None,
            });
            NewSet::Inside(TAG_INTSET, intset::from_sorted(values, integers.width()))
        }
        Set::Packed(_) | Set::Table(_) => NewSet::Inside(TAG, packed(kept.into_iter())),
    };
    put(record, new);
}

fn put(record: &mut Record, new: NewSet) {
    match new {
        NewSet::Inside(tag, bytes) => record.set_body(tag, NewBody::Bytes(&bytes)),
        NewSet::Table(object) => record.set_body(TAG, NewBody::Boxed(object)),
    };
}
