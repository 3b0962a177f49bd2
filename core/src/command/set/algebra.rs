//! Intersections, unions and differences: SINTER, SUNION, SDIFF, SINTERCARD, and those that store
//! what they find.

use super::members::write_each;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Event, Expiry, Key};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::structs::entry::NewBody;
use crate::structs::listpack::Element;
use crate::value::Limits;
use crate::value::set::{self, Difference, Form, NewSet, Set, TAG};

/// The sets of keys, of which some may not exist.
fn read_sets<'r>(
    access: &'r mut Access<'_>,
    keys: &[Key<'_>],
) -> Result<Vec<Option<Set<'r>>>, Error> {
    let records = access.read_all(keys).into_iter();
    records.map(|record| record.map(set::read).transpose()).collect()
}

/// What all of the sets have. A key that does not exist is an empty set.
fn intersection<'r>(sets: &[Option<Set<'r>>]) -> Vec<Element<'r>> {
    let mut members = Vec::new();
    if let Some(sets) = all_of(sets) {
        set::intersection(&sets, |member| {
            members.push(member);
            true
        });
    }
    members
}

fn all_of<'r>(sets: &[Option<Set<'r>>]) -> Option<Vec<Set<'r>>> {
    sets.iter().copied().collect()
}

fn union<'r>(sets: &[Option<Set<'r>>]) -> Vec<Element<'r>> {
    let sets: Vec<_> = sets.iter().copied().flatten().collect();
    set::union(&sets)
}

/// What the first set has and no other. If its key is named once more, that is nothing.
fn difference<'r>(
    keys: &[Key<'_>],
    sets: &[Option<Set<'r>>],
    limits: &Limits,
) -> Option<Difference<'r>> {
    let first = sets[0]?;
    let is_named_again = keys[1..].iter().any(|key| key.bytes == keys[0].bytes);
    let others: Vec<_> = sets[1..].iter().copied().flatten().collect();
    (!is_named_again).then(|| set::difference(first, &others, limits))
}

fn write_set(out: &mut dyn ReplySink, members: Vec<Element<'_>>) {
    out.set(members.len());
    write_each(out, members);
}

pub(super) fn sinter(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let sets = read_sets(call.keys, call.located)?;
    write_set(call.out, intersection(&sets));
    Ok(())
}

pub(super) fn sunion(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let sets = read_sets(call.keys, call.located)?;
    write_set(call.out, union(&sets));
    Ok(())
}

pub(super) fn sdiff(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let limits = call.env.limits();
    let sets = read_sets(call.keys, call.located)?;
    let found = difference(call.located, &sets, &limits);
    let members = found.map_or(Vec::new(), |found| found.members);
    write_set(call.out, members);
    Ok(())
}

/// Which keys SINTERCARD names, and where it stops; zero for nowhere.
#[derive(Debug)]
struct CardArguments {
    keys: usize,
    limit: usize,
}

impl CardArguments {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let natural = |word: &[u8]| usize::try_from(parse_i64(word)?).ok();
        let keys = natural(words[0]).filter(|&keys| keys > 0);
        let keys = keys.ok_or(const { Error::err("numkeys should be greater than 0") })?;
        let Some(mut rest) = words[1..].get(keys..) else {
            return Err(Error::err("Number of keys can't be greater than number of args"));
        };
        let mut limit = 0;
        while let [name, value, behind @ ..] = rest {
            if !name.eq_ignore_ascii_case(b"limit") {
                return Err(Error::SYNTAX);
            }
            limit = natural(value).ok_or(const { Error::err("LIMIT can't be negative") })?;
            rest = behind;
        }
        if rest.is_empty() { Ok(Self { keys, limit }) } else { Err(Error::SYNTAX) }
    }
}

pub(super) fn sintercard(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let arguments = CardArguments::parse(call.arguments())?;
    let sets = read_sets(call.keys, &call.located[..arguments.keys])?;
    let mut count = 0;
    if let Some(sets) = all_of(&sets) {
        set::intersection(&sets, |_| {
            count += 1;
            count != arguments.limit
        });
    }
    call.out.integer(count as i64);
    Ok(())
}

pub(super) fn sinterstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let limits = call.env.limits();
    let sets = read_sets(call.keys, &call.located[1..])?;
    let members = intersection(&sets);
    let smallest = sets.iter().flatten().min_by_key(|set| set.len());
    let form = smallest.map_or(Form::Packed, |set| set.form());
    let form = form.of_intersection(&members, &limits);
    let new = NewSet::of_distinct(form, &members, &limits);
    let len = members.len();
    store(call, new, len, "sinterstore");
    Ok(())
}

pub(super) fn sunionstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let limits = call.env.limits();
    let sets = read_sets(call.keys, &call.located[1..])?;
    let members = union(&sets);
    let form = Form::Integers.after(members.iter().copied(), &limits);
    let new = NewSet::of_distinct(form, &members, &limits);
    let len = members.len();
    store(call, new, len, "sunionstore");
    Ok(())
}

pub(super) fn sdiffstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let limits = call.env.limits();
    let sources = &call.located[1..];
    let sets = read_sets(call.keys, sources)?;
    let found = difference(sources, &sets, &limits);
    let (members, by_removal) =
        found.map_or((Vec::new(), false), |found| (found.members, found.by_removal));
    let form = match sets[0].filter(|_| by_removal) {
        Some(first) => Form::Integers.after(first.iter(), &limits),
        None => Form::Integers.after(members.iter().copied(), &limits),
    };
    let new = NewSet::of_distinct(form, &members, &limits);
    let len = members.len();
    store(call, new, len, "sdiffstore");
    Ok(())
}

/// Puts a result of so many members under the first key, or deletes that if there are none, and
/// answers how many they are.
fn store(call: &mut Call<'_, '_>, new: NewSet, len: usize, event: &'static str) {
    let target = call.key(0);
    call.out.integer(len as i64);
    if len == 0 {
        if call.keys.remove(&target) {
            call.notify(Event::Generic, "del", &target);
        }
        return;
    }
    match new {
        NewSet::Inside(tag, bytes) => {
            call.keys.put(&target, tag, NewBody::Bytes(&bytes), Expiry::Never);
        }
        NewSet::Table(object) => {
            call.keys.put(&target, TAG, NewBody::Boxed(object), Expiry::Never);
        }
    }
    call.notify(Event::Set, event, &target);
}
