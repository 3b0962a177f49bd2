//! What is asked of single members, and how many there are.

use super::bounds;
use crate::command::call::Call;
use crate::command::scan_options::{Found, ScanOptions, Scanned, cursor};
use crate::error::Error;
use crate::resp::number::{DoubleText, write_f64_17};
use crate::value::zset::Zset;

/// The sorted set of the command's first key, if there is one, read as a read counts.
fn zset<'c>(call: &'c mut Call<'_, '_>) -> Result<Option<Zset<'c>>, Error> {
    let key = call.key(0);
    call.keys.read(&key).map(Zset::of).transpose()
}

pub(super) fn zcard(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let len = zset(call)?.map_or(0, Zset::len);
    call.out.integer(len as i64);
    Ok(())
}

pub(super) fn zscore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let member = call.words[2];
    match zset(call)?.and_then(|zset| zset.score(member)) {
        Some(score) => call.out.double(score),
        None => call.out.null(),
    }
    Ok(())
}

pub(super) fn zmscore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, members) = (call.key(0), &call.words[2..]);
    let zset = call.keys.read(&key).map(Zset::of).transpose()?;
    call.out.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => call.out.double(score),
            None => call.out.null(),
        }
    }
    Ok(())
}

pub(super) fn zcount(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = bounds::scores(call.words[2], call.words[3])?;
    let count = zset(call)?.map_or(0, |zset| range.ranks(zset).len());
    call.out.integer(count as i64);
    Ok(())
}

pub(super) fn zlexcount(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = bounds::members(call.words[2], call.words[3])?;
    let count = zset(call)?.map_or(0, |zset| range.ranks(zset).len());
    call.out.integer(count as i64);
    Ok(())
}

pub(super) fn zrank(call: &mut Call<'_, '_>) -> Result<(), Error> {
    rank(call, |_, rank| rank)
}

pub(super) fn zrevrank(call: &mut Call<'_, '_>) -> Result<(), Error> {
    rank(call, |len, rank| len - 1 - rank)
}

/// Replies with the rank of a member, counted as `place` does from the length and the rank upwards.
fn rank(call: &mut Call<'_, '_>, place: impl Fn(usize, usize) -> usize) -> Result<(), Error> {
    let with_score = match &call.words[3..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"withscore") => true,
        [_] => return Err(Error::SYNTAX),
        _ => return Err(Error::arity(&call.spec.name)),
    };
    let member = call.words[2];
    let found = zset(call)?.and_then(|zset| {
        let (rank, score) = zset.rank(member)?;
        Some((place(zset.len(), rank), score))
    });
    match found {
        Some((rank, score)) => {
            if with_score {
                call.out.array(2);
            }
            call.out.integer(rank as i64);
            if with_score {
                call.out.double(score);
            }
        }
        None if with_score => call.out.null_array(),
        None => call.out.null(),
    }
    Ok(())
}

pub(super) fn zscan(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let from = cursor(call.words[2])?;
    let options = &call.words[3..];
    let mut found = Found::default();
    let Some(zset) = zset(call)? else {
        found.reply(0, call.out);
        return Ok(());
    };
    let options = ScanOptions::parse(options, Scanned::Members)?;
    let mut text = Vec::new();
    let next = zset.walk(from, options.count, |member, score, is_packed| {
        if options.matches(member) {
            found.push(member);
            if is_packed {
                found.push(DoubleText::new(score).as_bytes());
            } else {
                text.clear();
                write_f64_17(score, &mut text);
                found.push(&text);
            }
        }
    });
    found.reply(next.unwrap_or(0), call.out);
    Ok(())
}
