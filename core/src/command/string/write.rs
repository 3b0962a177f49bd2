//! Commands that store strings whole, and those that change a part of one.

use super::compare::{self, Comparison};
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
    let is_read = |word: &&[u8]| word.eq_ignore_ascii_case(b"GET") || compare::is_token(word);
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
    /// `IFEQ` and its like: if this is true of the key.
    Compare(Comparison<'a>),
}

impl Condition<'_> {
    /// Checks what is compared.
    fn check(self) -> Result<Self, Error> {
        match self {
            Self::Compare(comparison) => Ok(Self::Compare(comparison.check()?)),
            Self::Always | Self::Absent | Self::Present => Ok(self),
        }
    }

    /// Whether it is met.
    ///
    /// # Errors
    /// `WRONGTYPE` if a text is to be compared with another type.
    fn is_met(self, keys: &mut Access<'_>, key: &Key<'_>) -> Result<bool, Error> {
        match self {
            Self::Always => Ok(true),
            Self::Absent => Ok(!keys.touch(key)),
            Self::Present => Ok(keys.touch(key)),
            Self::Compare(comparison) => comparison.holds(keys, key),
        }
    }
}

/// When values are stored, and until when.
#[derive(Debug, Default)]
struct StoreOptions<'a> {
    condition: Condition<'a>,
    expiry: ExpireOption<'a>,
}

impl<'a> StoreOptions<'a> {
    /// Takes an option that SET and MSETEX have in common. Returns whether the word is one.
    fn take(
        &mut self,
        word: &[u8],
        rest: &mut std::slice::Iter<'_, &'a [u8]>,
    ) -> Result<bool, Error> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        match self.condition {
            Condition::Always | Condition::Absent if is(b"nx") => {
                self.condition = Condition::Absent;
            }
            Condition::Always | Condition::Present if is(b"xx") => {
                self.condition = Condition::Present;
            }
            _ if is(b"keepttl") => self.expiry.choose(ExpireOption::Keep)?,
            _ => return self.expiry.take_time(word, rest),
        }
        Ok(true)
    }
}

/// What the words after SET's value say.
#[derive(Debug, Default)]
struct SetOptions<'a> {
    store: StoreOptions<'a>,
    /// Whether the reply is the value that was there before.
    returns_old: bool,
}

impl<'a> SetOptions<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"get") {
                options.returns_old = true;
            } else if compare::is_token(word) {
                let operand = words.next().ok_or(Error::SYNTAX)?;
                options.compare(Comparison::parse(word, operand).ok_or(Error::SYNTAX)?)?;
            } else if !options.store.take(word, &mut words)? {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Takes the one condition that there may be.
    fn compare(&mut self, comparison: Comparison<'a>) -> Result<(), Error> {
        if !matches!(self.store.condition, Condition::Always) {
            return Err(Error::SYNTAX);
        }
        self.store.condition = Condition::Compare(comparison);
        Ok(())
    }
}

pub(super) fn set(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let SetOptions { store: options, returns_old } = SetOptions::parse(&call.words[3..])?;
    let expiry = options.expiry.for_new_value(call.spec.command.name, call.time)?;
    let condition = options.condition.check()?;
    let key = call.key(0);
    if returns_old {
        reply_value(call, &key)?;
    }
    let met = condition.is_met(call.keys, &key)?;
    if met {
        store(call.keys, &key, call.words[2], expiry);
        say_compared(call, condition, expiry);
    }
    match (returns_old, met) {
        (true, _) => {}
        (false, true) => call.out.ok(),
        (false, false) => call.out.null(),
    }
    Ok(())
}

/// Says that a value was stored after a comparison, as if there had been none.
fn say_compared(call: &mut Call<'_, '_>, condition: Condition<'_>, expiry: Expiry) {
    let (key, text) = (call.key(0), call.words[2]);
    match (condition, expiry) {
        (Condition::Compare(_), Expiry::Never) => call.keys.say(&key, &[b"SET", key.bytes, text]),
        (Condition::Compare(_), Expiry::Keep) => {
            call.keys.say(&key, &[b"SET", key.bytes, text, b"KEEPTTL"]);
        }
        // The time was said, or the command's own words do.
        (Condition::Compare(_), Expiry::At(_))
        | (Condition::Always | Condition::Absent | Condition::Present, _) => {}
    }
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

/// The number of keys and the pairs of MSETEX, and the words after them.
fn counted_pairs<'a>(words: &'a [&'a [u8]]) -> Result<(usize, &'a [&'a [u8]]), Error> {
    let count = parse_i64(words[0]).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(Error::err("invalid numkeys value"))? as usize;
    let rest = words[1..].get(2 * count..);
    Ok((count, rest.ok_or(Error::err("wrong number of key-value pairs"))?))
}

pub(super) fn msetex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (count, rest) = counted_pairs(&call.words[1..])?;
    let (mut options, mut rest) = (StoreOptions::default(), rest.iter());
    while let Some(word) = rest.next() {
        if !options.take(word, &mut rest)? {
            return Err(Error::SYNTAX);
        }
    }
    let expiry = options.expiry.for_new_value(call.spec.command.name, call.time)?;
    let mut is_met = true;
    for key in call.located {
        is_met = is_met && options.condition.is_met(call.keys, key)?;
    }
    if is_met {
        let texts = call.words[3..].iter().step_by(2).take(count);
        for (key, text) in call.located.iter().zip(texts) {
            store(call.keys, key, text, expiry);
        }
    }
    call.out.integer(is_met.into());
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
