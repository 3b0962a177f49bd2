//! Members chosen by chance: SPOP and SRANDMEMBER.

use super::members::{write_each, write_whole};
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::number::parse_i64;
use crate::value::set;

const NOT_POSITIVE: Error = Error::err("value is out of range, must be positive");
const OUT_OF_RANGE: Error = Error::err(
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

pub(super) fn spop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.words[2..] {
        [] => pop_one(call),
        [count] => {
            let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
            pop_some(call, count.ok_or(NOT_POSITIVE)?)
        }
        _ => Err(Error::SYNTAX),
    }
}

fn pop_one(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, env) = (call.key(0), call.env);
    let out = &mut *call.out;
    let (is_recording, mut popped) = (call.keys.is_recording(), Vec::new());
    let changed = call.keys.change(&key, |record| {
        set::read(record)?;
        set::pop(record, &mut || env.random(), |member| {
            write_each(out, [member]);
            if is_recording {
                popped.push(member.to_vec());
            }
        });
        Ok::<_, Error>((1, ()))
    })?;
    match changed {
        None => call.out.null(),
        Some(changed) => {
            say_popped(call, &popped);
            note_popped(call, changed.emptied);
        }
    }
    Ok(())
}

/// Says which members were popped.
fn say_popped(call: &mut Call<'_, '_>, popped: &[Vec<u8>]) {
    if call.keys.is_recording() {
        let key = call.key(0);
        let members = popped.iter().map(Vec::as_slice);
        let words: Vec<&[u8]> = [&b"SREM"[..], key.bytes].into_iter().chain(members).collect();
        call.keys.say(&key, &words);
    }
}

fn note_popped(call: &mut Call<'_, '_>, emptied: bool) {
    let key = call.key(0);
    call.notify(Event::Set, "spop", &key);
    if emptied {
        call.notify(Event::Generic, "del", &key);
    }
}

fn pop_some(call: &mut Call<'_, '_>, count: usize) -> Result<(), Error> {
    let (key, env) = (call.key(0), call.env);
    call.keys.touch(&key);
    let set = call.keys.peek(&key).map(set::read).transpose()?;
    let Some(set) = set.filter(|_| count > 0) else {
        call.out.set(0);
        return Ok(());
    };
    let len = set.len();
    if count >= len {
        write_whole(call.out, set);
        call.keys.remove(&key);
        // Each member counts as a change, and the removal has counted one.
        call.keys.stats.changes += len as u64 - 1;
        call.keys.say(&key, &[b"DEL", key.bytes]);
        note_popped(call, true);
        return Ok(());
    }
    let out = &mut *call.out;
    out.set(count);
    let (is_recording, mut popped) = (call.keys.is_recording(), Vec::new());
    call.keys.change(&key, |record| {
        let mut random = || env.random();
        let limits = env.limits();
        set::pop_some(record, count, &limits, &mut random, |member| {
            write_each(out, [member]);
            if is_recording {
                popped.push(member.to_vec());
            }
        });
        Ok::<_, Error>((count as u64, ()))
    })?;
    say_popped(call, &popped);
    note_popped(call, false);
    Ok(())
}

pub(super) fn srandmember(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.words[2..] {
        [] => one(call),
        [count] => {
            let count = parse_i64(count).ok_or(Error::NOT_INTEGER)?;
            let count_max = count.unsigned_abs() as usize;
            match count {
                i64::MIN => Err(OUT_OF_RANGE),
                _ if count < 0 => repeated(call, count_max),
                _ => different(call, count_max),
            }
        }
        _ => Err(Error::SYNTAX),
    }
}

fn one(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let env = call.env;
    let set = call.keys.read(&call.located[0]).map(set::read).transpose()?;
    match set.and_then(|set| set::random(set, &mut || env.random())) {
        Some(member) => write_each(call.out, [member]),
        None => call.out.null(),
    }
    Ok(())
}

fn different(call: &mut Call<'_, '_>, count_max: usize) -> Result<(), Error> {
    let env = call.env;
    let Some(record) = call.keys.read(&call.located[0]) else {
        call.out.array(0);
        return Ok(());
    };
    let set = set::read(record)?;
    let count = count_max.min(set.len());
    let out = &mut *call.out;
    out.array(count);
    set::sample(set, count, &mut || env.random(), |member| write_each(out, [member]));
    Ok(())
}

/// More members than this are not drawn with repetition: a reply has to fit into memory. Redis
/// would go on until the memory or the client's patience ends.
const REPEATED_MAX: usize = 1 << 27;

fn repeated(call: &mut Call<'_, '_>, count: usize) -> Result<(), Error> {
    let env = call.env;
    let Some(record) = call.keys.read(&call.located[0]) else {
        call.out.array(0);
        return Ok(());
    };
    let set = set::read(record)?;
    if count > REPEATED_MAX {
        return Err(Error::err("value is out of range"));
    }
    call.out.array(count);
    for _ in 0..count {
        write_each(call.out, set::random(set, &mut || env.random()));
    }
    Ok(())
}
