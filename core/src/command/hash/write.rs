//! Commands that set fields of hashes and take them out.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Changed, Event, Key};
use crate::resp::ReplySink;
use crate::value::hash::{self, Hash, HashMut};

/// Checks that a key holds a hash, if it exists, before the words of a command are read further.
/// Counts as a use of the key. Returns whether it exists.
pub(super) fn find(call: &mut Call<'_, '_>, key: &Key<'_>) -> Result<bool, Error> {
    let now_ms = call.keys.unix_ms();
    call.keys.touch(key);
    let found = call.keys.peek(key).map(|record| Hash::of(record, now_ms)).transpose()?;
    Ok(found.is_some())
}

/// Lets `change` work on the hash under a key, which is made if there is none. It returns how many
/// changes it made, which count, and its result.
pub(super) fn change_or_new<R>(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    change: impl FnOnce(&mut HashMut<'_>) -> Result<(u64, R), Error>,
) -> Result<Changed<R>, Error> {
    let (limits, now_ms) = (call.env.limits(), call.keys.unix_ms());
    call.keys.change_or_new(key, hash::TAG, hash::EMPTY, |record| {
        change(&mut HashMut::of(record, &limits, now_ms)?)
    })
}

/// As [`change_or_new`], but on a hash that is there, and `change` may write into the reply. None if
/// there is none.
pub(super) fn change<R>(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    change: impl FnOnce(&mut HashMut<'_>, &mut dyn ReplySink) -> Result<(u64, R), Error>,
) -> Result<Option<Changed<R>>, Error> {
    let (limits, now_ms) = (call.env.limits(), call.keys.unix_ms());
    let out = &mut *call.out;
    call.keys.change(key, |record| change(&mut HashMut::of(record, &limits, now_ms)?, out))
}

/// Sets the fields that a command lists after its key. Returns how many are new.
fn set_all(call: &mut Call<'_, '_>) -> Result<i64, Error> {
    let pairs = &call.words[2..];
    if !pairs.len().is_multiple_of(2) {
        return Err(Error::arity(&call.spec.name));
    }
    let key = call.key(0);
    let created = change_or_new(call, &key, |hash| {
        hash.expect(pairs);
        let set = |pair: &&[&[u8]]| hash.set(pair[0], pair[1]);
        let created = pairs.chunks_exact(2).filter(set).count();
        Ok((pairs.len() as u64 / 2, created as i64))
    })?;
    call.notify(Event::Hash, "hset", &key);
    Ok(created.result)
}

pub(super) fn hset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let created = set_all(call)?;
    call.out.integer(created);
    Ok(())
}

pub(super) fn hmset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_all(call)?;
    call.out.ok();
    Ok(())
}

pub(super) fn hsetnx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, pair) = (call.key(0), &call.words[2..]);
    let created = change_or_new(call, &key, |hash| {
        if hash.read().get(pair[0]).is_some() {
            return Ok((0, false));
        }
        hash.expect(pair);
        hash.set(pair[0], pair[1]);
        Ok((1, true))
    })?;
    if created.result {
        call.notify(Event::Hash, "hset", &key);
    }
    call.out.integer(created.result.into());
    Ok(())
}

pub(super) fn hdel(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let fields = &call.words[2..];
    let key = call.key(0);
    let changed = change(call, &key, |hash, _| {
        let mut deleted = 0;
        for field in fields {
            deleted += u64::from(hash.remove(field));
            if hash.is_empty() {
                break;
            }
        }
        Ok((deleted, deleted))
    })?;
    let deleted = changed.map_or(0, |changed| changed.result);
    if deleted > 0 {
        call.notify(Event::Hash, "hdel", &key);
    }
    if changed.is_some_and(|changed| changed.emptied) {
        call.notify(Event::Generic, "del", &key);
    }
    call.out.integer(deleted as i64);
    Ok(())
}
