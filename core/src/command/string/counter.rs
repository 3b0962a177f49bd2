//! Commands that count in strings: whole numbers of 64 bits, and C's long double.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Event, Expiry};
use crate::resp::number::{LongDouble, parse_i64};
use crate::structs::entry::NewBody;
use crate::value::string;

pub(super) fn incr(call: &mut Call<'_, '_>) -> Result<(), Error> {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_, '_>) -> Result<(), Error> {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let increment = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    add(call, increment)
}

pub(super) fn decrby(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let decrement = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    add(call, decrement.checked_neg().ok_or(Error::err("decrement would overflow"))?)
}

fn add(call: &mut Call<'_, '_>, increment: i64) -> Result<(), Error> {
    let key = call.key(0);
    let before = call.keys.peek(&key).map_or(Ok(0), string::read_integer)?;
    let overflow = Error::err("increment or decrement would overflow");
    let after = before.checked_add(increment).ok_or(overflow)?;
    call.keys.put(&key, string::TAG, NewBody::Int(after), Expiry::Keep);
    call.notify(Event::String, "incrby", &key);
    call.out.integer(after);
    Ok(())
}

pub(super) fn incrbyfloat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let before = match call.keys.peek(&key) {
        Some(record) => parse_float(&string::read(record)?)?,
        None => LongDouble::ZERO,
    };
    let after = before + parse_float(call.words[2])?;
    if after.is_nan() || after.is_infinite() {
        return Err(Error::err("increment would produce NaN or Infinity"));
    }
    let mut text = Vec::with_capacity(TEXT_LEN_USUAL);
    after.write_human(&mut text);
    call.out.bulk(&text);
    let said = call.keys.is_recording().then(|| text.clone());
    call.keys.put(&key, string::TAG, string::plain_owned(&mut text), Expiry::Keep);
    if let Some(said) = said {
        call.keys.say(&key, &[b"SET", key.bytes, &said, b"KEEPTTL"]);
    }
    call.notify(Event::String, "incrbyfloat", &key);
    Ok(())
}

fn parse_float(text: &[u8]) -> Result<LongDouble, Error> {
    LongDouble::parse(text).ok_or(Error::NOT_FLOAT)
}

/// Most sums need no more room than this; the longest has 4,952 characters.
const TEXT_LEN_USUAL: usize = 48;
