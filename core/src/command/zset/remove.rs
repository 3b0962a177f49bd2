//! Taking members out: by name, by rank, by score, by their order.

use super::bounds;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::value::zset::{self, Zset};
use std::ops::Range;

pub(super) fn zrem(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let members = &call.words[2..];
    let key = call.key(0);
    let changed = call.keys.change(&key, |record| {
        zset::check(record)?;
        let removed = members.iter().filter(|member| zset::remove(record, member)).count() as u64;
        Ok::<_, Error>((removed, removed))
    })?;
    let (removed, emptied) = changed.map_or((0, false), |done| (done.result, done.emptied));
    finish(call, removed, emptied, "zrem");
    Ok(())
}

/// Tells of what was removed, and replies with how many members it was.
fn finish(call: &mut Call<'_, '_>, removed: u64, emptied: bool, event: &'static str) {
    let key = call.key(0);
    if removed > 0 {
        call.notify(Event::SortedSet, event, &key);
        if emptied {
            call.notify(Event::Generic, "del", &key);
        }
    }
    call.out.integer(removed as i64);
}

/// Takes out the members of the ranks that `ranks` finds.
fn remove_ranks(
    call: &mut Call<'_, '_>,
    event: &'static str,
    ranks: impl FnOnce(Zset<'_>) -> Range<usize>,
) -> Result<(), Error> {
    let key = call.key(0);
    let Some(record) = call.keys.peek(&key) else {
        call.out.integer(0);
        return Ok(());
    };
    let zset = Zset::of(record)?;
    let (ranks, len) = (ranks(zset), zset.len());
    let removed = ranks.len();
    if removed == len {
        // All of a large set goes at once, to be freed by and by.
        call.keys.remove(&key);
    } else if removed > 0 {
        call.keys.change(&key, |record| {
            zset::remove_range(record, ranks);
            Ok::<_, Error>((removed as u64, ()))
        })?;
    } else {
        call.keys.touch(&key);
    }
    finish(call, removed as u64, removed == len, event);
    Ok(())
}

pub(super) fn zremrangebyrank(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = bounds::ranks(call.words[2], call.words[3])?;
    remove_ranks(call, "zremrangebyrank", |zset| range.ranks(zset.len(), false))
}

pub(super) fn zremrangebyscore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = bounds::scores(call.words[2], call.words[3])?;
    remove_ranks(call, "zremrangebyscore", |zset| range.ranks(zset))
}

pub(super) fn zremrangebylex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = bounds::members(call.words[2], call.words[3])?;
    remove_ranks(call, "zremrangebylex", |zset| range.ranks(zset))
}
