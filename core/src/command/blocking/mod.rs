//! Commands that wait for what they do not find: lists, sorted sets, and replicas, of which there are
//! none. Those that read streams are with the streams.

mod entries;

pub(super) use entries::COMMANDS;

use super::call::Call;
use super::list::{self, move_one, pop_first, pop_one};
use super::wait::{InVain, Timeout, Wait};
use super::zset;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::value::Type;
use crate::value::list::End;

/// What a command waits for whose keys, so many of them from the first on, hold nothing.
fn wait_for(of_type: Type, keys: usize, timeout: Timeout, in_vain: InVain) -> Wait {
    Wait { keys, of_type: Some(of_type), timeout, in_vain, words: None }
}

fn last<'a>(call: &Call<'a, '_>) -> &'a [u8] {
    call.words[call.words.len() - 1]
}

fn blpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_from_list(call, End::Head)
}

fn brpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_from_list(call, End::Tail)
}

fn pop_from_list(call: &mut Call<'_, '_>, end: End) -> Result<(), Error> {
    let timeout = Timeout::seconds(last(call), call.time.unix_ms())?;
    let limits = call.env.list_limits();
    match call.located.iter().find(|key| call.keys.contains(key)) {
        Some(key) => {
            call.out.array(2);
            call.out.bulk(key.bytes);
            pop_one(call.keys, key, end, limits, call.out)?;
        }
        None => {
            let keys = call.located.len();
            call.wait(wait_for(Type::List, keys, timeout, InVain::NullArray));
        }
    }
    Ok(())
}

fn blmpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let timeout = Timeout::seconds(call.words[1], call.time.unix_ms())?;
    let options = list::PopOptions::parse(&call.words[2..])?;
    let limits = call.env.list_limits();
    if !pop_first(call.keys, call.located, options, limits, call.out)? {
        let keys = call.located.len();
        call.wait(wait_for(Type::List, keys, timeout, InVain::NullArray));
    }
    Ok(())
}

fn blmove(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (from, to) = (list::parse_end(call.words[3])?, list::parse_end(call.words[4])?);
    move_or_wait(call, from, to)
}

fn brpoplpush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    move_or_wait(call, End::Tail, End::Head)
}

fn move_or_wait(call: &mut Call<'_, '_>, from: End, to: End) -> Result<(), Error> {
    let timeout = Timeout::seconds(last(call), call.time.unix_ms())?;
    let (source, target) = ((call.key(0), from), (call.key(1), to));
    let limits = call.env.list_limits();
    if !move_one(call.keys, source, target, limits, call.out)? {
        call.wait(wait_for(Type::List, 1, timeout, InVain::NullArrayOrNull));
    }
    Ok(())
}

fn bzpopmin(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_from_zset(call, zset::End::Min)
}

fn bzpopmax(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_from_zset(call, zset::End::Max)
}

fn pop_from_zset(call: &mut Call<'_, '_>, end: zset::End) -> Result<(), Error> {
    let timeout = Timeout::seconds(last(call), call.time.unix_ms())?;
    for key in call.located {
        if zset::has_members(call, key)? {
            return zset::pop(call, key, end, 1, zset::Shape::Flat, |_, out| {
                out.array(3);
                out.bulk(key.bytes);
            });
        }
    }
    let keys = call.located.len();
    call.wait(wait_for(Type::Zset, keys, timeout, InVain::NullArray));
    Ok(())
}

fn bzmpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let timeout = Timeout::seconds(call.words[1], call.time.unix_ms())?;
    let options = zset::PopOptions::parse(&call.words[2..])?;
    for key in call.located {
        if zset::has_members(call, key)? {
            return options.pop(call, key);
        }
    }
    let keys = call.located.len();
    call.wait(wait_for(Type::Zset, keys, timeout, InVain::NullArray));
    Ok(())
}

/// No replica ever acknowledges, since there is none.
fn wait(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let replicas = parse_i64(call.words[1]).ok_or(Error::NOT_INTEGER)?;
    let timeout = Timeout::milliseconds(call.words[2], call.time.unix_ms())?;
    if replicas <= 0 {
        call.out.integer(0);
        return Ok(());
    }
    wait_in_vain(call, timeout, InVain::Integers(&[0]));
    Ok(())
}

fn waitaof(call: &mut Call<'_, '_>) -> Result<(), Error> {
    const NOT_LOCAL: Error = Error::err("value is out of range, value must between 0 and 1");
    const NOT_POSITIVE: Error = Error::err("value is out of range, must be positive");
    let [local, replicas] = [1, 2].map(|at| parse_i64(call.words[at]));
    let local = local.ok_or(Error::NOT_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(NOT_LOCAL);
    }
    let replicas = replicas.filter(|replicas| *replicas >= 0).ok_or(NOT_POSITIVE)?;
    let timeout = Timeout::milliseconds(call.words[3], call.time.unix_ms())?;
    if local > 0 {
        return Err(Error::err(
            "WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    if replicas == 0 {
        call.out.array(2);
        call.out.integer(0);
        call.out.integer(0);
        return Ok(());
    }
    wait_in_vain(call, timeout, InVain::Integers(&[0, 0]));
    Ok(())
}

fn wait_in_vain(call: &mut Call<'_, '_>, timeout: Timeout, in_vain: InVain) {
    call.wait(Wait { keys: 0, of_type: None, timeout, in_vain, words: None });
}
