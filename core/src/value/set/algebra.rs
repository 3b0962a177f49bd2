//! Intersections, unions and differences, of sets in any form.
//!
//! Members are looked for in the other sets a chunk at a time, so that cache misses overlap. Which
//! set is gone through and which are searched is chosen for the fewest look-ups.

use super::Set;
use super::members::{Chunk, TOGETHER};
use crate::structs::intset::Intset;
use crate::structs::listpack::Element;
use crate::value::Limits;
use foldhash::quality::FixedState;
use std::collections::HashSet;

/// A set that is searched for elements of another. Integers that are looked for in order are found
/// from the last place on.
struct Searched<'a> {
    set: Set<'a>,
    last: Option<(i64, usize)>,
}

impl<'a> Searched<'a> {
    fn new(set: Set<'a>) -> Self {
        Self { set, last: None }
    }

    /// Keeps those elements that are in the set, or those that are not.
    fn keep(&mut self, chunk: &mut Chunk<'_>, present: bool) {
        match self.set {
            Set::Integers(integers) => {
                chunk.retain(|element| self.has_integer(integers, *element) == present);
            }
            Set::Packed(_) => chunk.retain(|element| self.set.contains(*element) == present),
            Set::Table(members) => members.keep(chunk, present),
        }
    }

    fn has_integer(&mut self, integers: Intset<'_>, element: Element<'_>) -> bool {
        let Element::Int(value) = element else { return false };
        let found = match self.last {
            Some((last, number)) if last < value => integers.find_from(number, value),
            Some(_) | None => integers.find(value),
        };
        // All before this place are less than whatever comes next in order.
        self.last = Some((value, found.unwrap_or_else(|place| place)));
        found.is_ok()
    }
}

/// Visits the members of `from` that are in all of the others, or those that are in none, until
/// `visit` returns false.
fn select<'a>(
    from: Set<'a>,
    others: &mut [Searched<'_>],
    present: bool,
    mut visit: impl FnMut(Element<'a>) -> bool,
) {
    let mut members = from.iter();
    loop {
        let mut chunk: Chunk<'a> = members.by_ref().take(TOGETHER).collect();
        if chunk.is_empty() {
            return;
        }
        for other in others.iter_mut() {
            if !chunk.is_empty() {
                other.keep(&mut chunk, present);
            }
        }
        if !chunk.into_iter().all(&mut visit) {
            return;
        }
    }
}

/// Visits the members that all sets have, until `visit` returns false. Each is visited once.
pub(crate) fn intersection<'a>(sets: &[Set<'a>], visit: impl FnMut(Element<'a>) -> bool) {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    let mut others: Vec<_> = others.iter().copied().map(Searched::new).collect();
    select(*smallest, &mut others, true, visit);
}

/// Up to so many members in all, the sets of a union are taken in the order in which they were
/// named. Where limits are so that the order decides in which form Redis keeps a result, this holds
/// for all that are not in a table by then anyway.
const IN_ORDER_MAX: usize = 1024;

/// The members of all sets, each once.
pub(crate) fn union<'a>(sets: &[Set<'a>]) -> Vec<Element<'a>> {
    let mut sets = sets.to_vec();
    let total: usize = sets.iter().map(|set| set.len()).sum();
    if total > IN_ORDER_MAX {
        // Only the members of the later ones are looked for.
        sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    }
    let mut all = Vec::with_capacity(sets.iter().map(|set| set.len()).max().unwrap_or(0));
    let mut before: Vec<Searched<'_>> = Vec::with_capacity(sets.len());
    for set in sets {
        select(set, &mut before, false, |member| {
            all.push(member);
            true
        });
        before.push(Searched::new(set));
    }
    all
}

/// The result of a difference.
#[derive(Debug)]
pub(crate) struct Difference<'a> {
    /// The members of the first set that no other has.
    pub(crate) members: Vec<Element<'a>>,
    /// Whether Redis comes to this result by removing from a copy of the first set, which then
    /// decides about the form, and not by adding to an empty one.
    pub(crate) by_removal: bool,
}

/// The members of `first` that none of the others has.
pub(crate) fn difference<'a>(
    first: Set<'a>,
    others: &[Set<'a>],
    limits: &Limits,
) -> Difference<'a> {
    let mut others = others.to_vec();
    let by_removal = removes(first, &others);
    let mut members = Vec::new();
    if by_removal {
        let gone = in_first(first, &others, limits);
        members.extend(first.iter().filter(|member| !gone.contains(member)));
    } else {
        // The largest one most likely has what is looked for.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        let mut others: Vec<_> = others.into_iter().map(Searched::new).collect();
        select(first, &mut others, false, |member| {
            members.push(member);
            true
        });
    }
    Difference { members, by_removal }
}

/// Whether going through the other sets is less work than looking for each member of the first in
/// all of them. Redis's estimate, since the form of what SDIFFSTORE stores depends on it.
fn removes(first: Set<'_>, others: &[Set<'_>]) -> bool {
    let look_ups = first.len() * (others.len() + 1) / 2;
    let all: usize = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    look_ups > all
}

/// The members of other sets that the first has too.
fn in_first<'a>(
    first: Set<'_>,
    others: &[Set<'a>],
    limits: &Limits,
) -> HashSet<Element<'a>, FixedState> {
    let mut found = HashSet::with_hasher(FixedState::with_seed(limits.seed));
    for set in others {
        select(*set, &mut [Searched::new(first)], true, |member| {
            found.insert(member);
            true
        });
    }
    found
}
