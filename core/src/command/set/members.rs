//! Members by name, and all of them: SADD, SREM, SISMEMBER, SMISMEMBER, SMEMBERS, SCARD, SMOVE,
//! SSCAN.

use crate::command::call::Call;
use crate::command::scan_options::{Found, ScanOptions, Scanned, cursor};
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::ReplySink;
use crate::structs::listpack::{Element, Scratch};
use crate::value::set::{self, Set};
use crate::value::{Record, element};

pub(super) fn sadd(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let members = &call.words[2..];
    let added = add(call, 1, members)?;
    call.out.integer(added as i64);
    Ok(())
}

/// Adds members to the set of the key at this word. Returns how many were not there.
fn add(call: &mut Call<'_, '_>, word: usize, members: &[&[u8]]) -> Result<u64, Error> {
    let key = call.key(word - 1);
    let limits = call.env.limits();
    let (tag, empty) = set::create(element(members[0]), members.len(), &limits);
    let changed = call.keys.change_or_new(&key, tag, empty, |record| {
        set::read(record)?;
        set::expect_more(record, members.len(), &limits);
        let is_new = |member: &&&[u8]| set::add(record, element(member), &limits);
        let added = members.iter().filter(is_new).count() as u64;
        Ok::<_, Error>((added, added))
    })?;
    if changed.result > 0 {
        call.notify(Event::Set, "sadd", &key);
    }
    Ok(changed.result)
}

pub(super) fn srem(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let members = &call.words[2..];
    let removed = remove(call, members)?;
    call.out.integer(removed as i64);
    Ok(())
}

/// Removes members from the set of the first key. Returns how many were there.
fn remove(call: &mut Call<'_, '_>, members: &[&[u8]]) -> Result<u64, Error> {
    let key = call.key(0);
    let changed = call.keys.change(&key, |record| {
        set::read(record)?;
        let was_there = |member: &&&[u8]| set::remove(record, element(member));
        let removed = members.iter().filter(was_there).count() as u64;
        Ok::<_, Error>((removed, removed))
    })?;
    let Some(changed) = changed else { return Ok(0) };
    if changed.result > 0 {
        call.notify(Event::Set, "srem", &key);
    }
    if changed.emptied {
        call.notify(Event::Generic, "del", &key);
    }
    Ok(changed.result)
}

pub(super) fn smove(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (source, target) = (call.key(0), call.key(1));
    let member = call.words[3];
    if !call.keys.touch(&source) {
        call.out.integer(0);
        return Ok(());
    }
    call.keys.touch(&target);
    let was_there = has(call.keys.peek(&source), member)?;
    has(call.keys.peek(&target), member)?;
    if was_there && source.bytes != target.bytes {
        remove(call, &[member])?;
        add(call, 2, &[member])?;
    }
    call.out.integer(was_there.into());
    Ok(())
}

fn has(record: Option<&Record>, member: &[u8]) -> Result<bool, Error> {
    Ok(record.map(set::read).transpose()?.is_some_and(|set| set.contains(element(member))))
}

pub(super) fn sismember(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let is_member = has(call.keys.read(&call.located[0]), call.words[2])?;
    call.out.integer(is_member.into());
    Ok(())
}

pub(super) fn smismember(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let set = call.keys.read(&call.located[0]).map(set::read).transpose()?;
    let members = &call.words[2..];
    call.out.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(element(member)));
        call.out.integer(is_member.into());
    }
    Ok(())
}

pub(super) fn scard(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let set = call.keys.read(&call.located[0]).map(set::read).transpose()?;
    call.out.integer(set.map_or(0, |set| set.len() as i64));
    Ok(())
}

pub(super) fn smembers(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.keys.read(&call.located[0]).map(set::read).transpose()? {
        Some(set) => write_whole(call.out, set),
        None => call.out.set(0),
    }
    Ok(())
}

pub(super) fn sscan(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let cursor = cursor(call.words[2])?;
    let set = call.keys.read(&call.located[0]).map(set::read).transpose()?;
    let mut found = Found::default();
    let mut next = 0;
    if let Some(set) = set {
        let options = ScanOptions::parse(&call.words[3..], Scanned::Members)?;
        let mut scratch = Scratch::new();
        next = set.scan(cursor, options.count, |member| {
            let member = member.text(&mut scratch);
            if options.matches(member) {
                found.push(member);
            }
        });
    }
    found.reply(next, call.out);
    Ok(())
}

/// Answers all members of a set.
pub(super) fn write_whole(out: &mut dyn ReplySink, set: Set<'_>) {
    out.set(set.len());
    write_each(out, set.iter());
}

/// Answers members one after the other, after the head that says how many they are.
pub(super) fn write_each<'e>(
    out: &mut dyn ReplySink,
    members: impl IntoIterator<Item = Element<'e>>,
) {
    let mut scratch = Scratch::new();
    members.into_iter().for_each(|member| out.bulk(member.text(&mut scratch)));
}
