//! Commands that store strings whole, and those that change a part of one.

use super::read::reply_value;
use crate::command::call::Call;
use crate::command::expire_arguments::{ExpireOption, ExpireTime, TimeForm};
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::key_use;
use crate::error::Error;
use crate::keyspace::{Access, Event, Expiry, Key};
use crate::resp::number::parse_i64;
use crate::value::string;
use std::convert::Infallible;

/// Stores a text under a key, over whatever it held. A time in the past deletes the key.
fn store(keys: &mut Access<'_>, key: &Key<'_>, text: &[u8], expiry: Expiry) {
    if let Expiry::At(ms) = expiry {
        if ms < keys.unix_ms() {
            if keys.remove(key) {
                keys.say(key, &[b"DEL", key.bytes]);
            }
        } else {
            keys.put(key, string::TAG, string::encode(text), expiry);
            if keys.is_recording() {
                let at = ms.to_string();
                keys.say(key, &[b"SET", key.bytes, text, b"PXAT", at.as_bytes()]);
            }
        }
        keys.notify(Event::String, "set", key);
        keys.notify(Event::Generic, "expire", key);
    } else {
        keys.put(key, string::TAG, string::encode(text), expiry);
        keys.notify(Event::String, "set", key);
    }
}

/// The key of SET, which is read too if the old value is asked for or compared.
pub(super) fn keys_of_set(words: &[&[u8]]) -> Option<KeyPlaces> {
    let is_read =
        |word: &&[u8]| word.eq_ignore_ascii_case(b"GET") || word.eq_ignore_ascii_case(b"IFEQ");
    let uses = if words.iter().skip(3).any(is_read) {
        key_use::RW | key_use::ACCESS | key_use::UPDATE
    } else {
        key_use::OW | key_use::UPDATE
    };
    words.get(1).map(|_| KeyPlaces::from_iter([KeyPlace { place: 1, uses }]))
}

/// When SET stores.
#[derive(Clone, Copy, Debug, Default)]
enum Condition<'a> {
    /// In any case.
    #[default]
    Always,
    /// `NX`: if the key does not exist.
    Absent,
    /// `XX`: if the key exists.
    Present,
    /// `IFEQ`: if the key holds this text.
    Equal(&'a [u8]),
}

impl Condition<'_> {
    /// Whether it is met.
    ///
    /// # Errors
    /// `WRONGTYPE` if a text is to be compared with another type.
    fn is_met(self, keys: &mut Access<'_>, key: &Key<'_>) -> Result<bool, Error> {
        match self {
            Self::Always => Ok(true),
            Self::Absent => Ok(!keys.touch(key)),
            Self::Present => Ok(keys.touch(key)),
            Self::Equal(text) => holds(keys, key, text),
        }
    }
}

/// Whether a key holds this very text.
fn holds(keys: &mut Access<'_>, key: &Key<'_>, text: &[u8]) -> Result<bool, Error> {
    match keys.peek(key) {
        None => Ok(false),
        Some(record) => Ok(*string::read(record)? == *text),
    }
}

/// What the words after SET's value say.
#[derive(Debug, Default)]
struct SetOptions<'a> {
    condition: Condition<'a>,
    expiry: ExpireOption<'a>,
    /// Whether the reply is the value that was there before.
    returns_old: bool,
}

impl<'a> SetOptions<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            options.accept(word, &mut words)?;
        }
        Ok(options)
    }

    fn accept(
        &mut self,
        word: &[u8],
        rest: &mut std::slice::Iter<'_, &'a [u8]>,
    ) -> Result<(), Error> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        match self.condition {
            Condition::Always | Condition::Absent if is(b"nx") => {
                self.condition = Condition::Absent;
            }
            Condition::Always | Condition::Present if is(b"xx") => {
                self.condition = Condition::Present;
            }
            Condition::Always if is(b"ifeq") => {
                self.condition = Condition::Equal(rest.next().ok_or(Error::SYNTAX)?);
            }
            _ if is(b"get") => self.returns_old = true,
            _ if is(b"keepttl") => self.expiry.choose(ExpireOption::Keep)?,
            _ if self.expiry.take_time(word, rest)? => {}
            _ => return Err(Error::SYNTAX),
        }
        Ok(())
    }
}

pub(super) fn set(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = SetOptions::parse(&call.words[3..])?;
    let expiry = options.expiry.for_new_value(call.spec.command.name, call.time)?;
    let key = call.key(0);
    if options.returns_old {
        reply_value(call, &key)?;
    }
    let met = options.condition.is_met(call.keys, &key)?;
    if met {
        store(call.keys, &key, call.words[2], expiry);
    }
    match (options.returns_old, met) {
        (true, _) => {}
        (false, true) => call.out.ok(),
        (false, false) => call.out.null(),
    }
    Ok(())
}

pub(super) fn setnx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let absent = !call.keys.touch(&key);
    if absent {
        store(call.keys, &key, call.words[2], Expiry::Never);
    }
    call.out.integer(absent.into());
    Ok(())
}

pub(super) fn setex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_for(call, TimeForm::Seconds)
}

pub(super) fn psetex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_for(call, TimeForm::Milliseconds)
}

fn set_for(call: &mut Call<'_, '_>, form: TimeForm) -> Result<(), Error> {
    let time = ExpireTime { form, text: call.words[2] };
    let at = time.resolve(call.spec.command.name, call.time)?;
    store(call.keys, &call.located[0], call.words[3], Expiry::At(at));
    call.out.ok();
    Ok(())
}

pub(super) fn getset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    reply_value(call, &key)?;
    store(call.keys, &key, call.words[2], Expiry::Never);
    Ok(())
}

/// The pairs of MSET and MSETNX: each key, located, with its text.
fn pairs<'a>(
    call: &Call<'a, '_>,
) -> Result<impl Iterator<Item = (&'a Key<'a>, &'a [u8])> + use<'a>, Error> {
    if call.words.len().is_multiple_of(2) {
        return Err(Error::arity(call.spec.command.name));
    }
    Ok(call.located.iter().zip(call.words[2..].iter().step_by(2).copied()))
}

pub(super) fn mset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    for (key, text) in pairs(call)? {
        store(call.keys, key, text, Expiry::Never);
    }
    call.out.ok();
    Ok(())
}

pub(super) fn msetnx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let pairs = pairs(call)?;
    let absent = !call.located.iter().any(|key| call.keys.touch(key));
    if absent {
        for (key, text) in pairs {
            store(call.keys, key, text, Expiry::Never);
        }
    }
    call.out.integer(absent.into());
    Ok(())
}

pub(super) fn delifeq(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let equal = holds(call.keys, &key, call.words[2])?;
    if equal {
        call.keys.remove(&key);
        call.notify(Event::Generic, "del", &key);
    }
    call.out.integer(equal.into());
    Ok(())
}

pub(super) fn append(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let piece = call.words[2];
    let len = match call.keys.peek(&key) {
        Some(record) => {
            let len = string::len(record)?;
            super::check_len(call, len as u64, piece.len())?;
            write_at(call.keys, &key, len, piece)
        }
        None => {
            call.keys.put(&key, string::TAG, string::encode(piece), Expiry::Never);
            piece.len()
        }
    };
    call.notify(Event::String, "append", &key);
    call.out.integer(len as i64);
    Ok(())
}

pub(super) fn setrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let offset = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let offset = u64::try_from(offset).map_err(|_| Error::err("offset is out of range"))?;
    let key = call.key(0);
    let piece = call.words[3];
    let mut len = call.keys.peek(&key).map_or(Ok(0), string::len)?;
    if !piece.is_empty() {
        super::check_len(call, offset, piece.len())?;
        len = write_at(call.keys, &key, offset as usize, piece);
        call.notify(Event::String, "setrange", &key);
    }
    call.out.integer(len as i64);
    Ok(())
}

/// Writes `piece` into the string of a key, in place if it has a buffer of its own. Returns its
/// new length. A key that does not exist is an empty string.
fn write_at(keys: &mut Access<'_>, key: &Key<'_>, offset: usize, piece: &[u8]) -> usize {
    let written = keys.change(key, |record| {
        let len = string::write_into(record, offset, piece);
        Ok::<_, Infallible>((1, len))
    });
    match written {
        Ok(Some(changed)) => changed.result,
        Ok(None) => {
            let mut text = Vec::new();
            string::write_at(&mut text, offset, piece);
            keys.put(key, string::TAG_RAW, string::plain_owned(&mut text), Expiry::Keep);
            offset + piece.len()
        }
    }
}
