//! Commands that count in fields: whole numbers of 64 bits, and C's long double. The field expires
//! when it did before.

use super::write::change_or_new;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::number::{LongDouble, parse_i64};
use crate::structs::listpack::{Element, Scratch};

pub(super) fn hincrby(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let increment = parse_i64(call.words[3]).ok_or(Error::NOT_INTEGER)?;
    let (key, field) = (call.key(0), call.words[2]);
    let after = change_or_new(call, &key, |hash| {
        let before = hash.read().get(field).map_or(Ok(0), integer)?;
        let overflow = Error::err("increment or decrement would overflow");
        let after = before.checked_add(increment).ok_or(overflow)?;
        hash.set_value(field, Scratch::new().format(after).as_bytes());
        Ok((1, after))
    })?;
    call.notify(Event::Hash, "hincrby", &key);
    call.out.integer(after.result);
    Ok(())
}

fn integer(value: Element<'_>) -> Result<i64, Error> {
    let parsed = match value {
        Element::Int(value) => Some(value),
        Element::Bytes(text) => parse_i64(text),
    };
    parsed.ok_or(const { Error::err("hash value is not an integer") })
}

pub(super) fn hincrbyfloat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let increment = LongDouble::parse(call.words[3]).ok_or(Error::NOT_FLOAT)?;
    if increment.is_nan() || increment.is_infinite() {
        return Err(Error::err("value is NaN or Infinity"));
    }
    let (key, field) = (call.key(0), call.words[2]);
    let text = change_or_new(call, &key, |hash| {
        let before = hash.read().get(field).map_or(Ok(LongDouble::ZERO), float)?;
        let after = before + increment;
        if after.is_nan() || after.is_infinite() {
            return Err(Error::err("increment would produce NaN or Infinity"));
        }
        let mut text = Vec::with_capacity(TEXT_LEN_USUAL);
        after.write_human(&mut text);
        hash.set_value(field, &text);
        Ok((1, text))
    })?;
    // The field keeps its time, which HSET would take from it.
    let words: [&[u8]; 7] =
        [b"HSETEX", key.bytes, b"KEEPTTL", b"FIELDS", b"1", field, &text.result];
    call.keys.say(&key, &words);
    call.notify(Event::Hash, "hincrbyfloat", &key);
    call.out.bulk(&text.result);
    Ok(())
}

fn float(value: Element<'_>) -> Result<LongDouble, Error> {
    let parsed = LongDouble::parse(value.text(&mut Scratch::new()));
    parsed.ok_or(const { Error::err("hash value is not a float") })
}

/// Most sums need no more room than this; the longest has 4,952 characters.
const TEXT_LEN_USUAL: usize = 48;
