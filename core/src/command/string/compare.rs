//! Commands that look at the value of a string, or at its digest, before they act: what SET and DELEX
//! compare, DIGEST and DELIFEQ.

use crate::command::call::Call;
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::key_use;
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::value::string;
use xxhash_rust::xxh3::xxh3_64;

/// Digits of a digest.
const DIGEST_LEN: usize = 16;
const NO_DIGEST: Error = Error::err("must be exactly 16 hexadecimal characters");

/// A text or a digest that a key's value is compared with, and whether it has to be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison<'a> {
    with: With<'a>,
    is_equal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With<'a> {
    Text(&'a [u8]),
    Digest(&'a [u8]),
}

/// The tokens of comparisons.
const TOKENS: [&[u8]; 4] = [b"ifeq", b"ifne", b"ifdeq", b"ifdne"];

/// Whether a word is the token of a comparison.
pub(super) fn is_token(word: &[u8]) -> bool {
    TOKENS.iter().any(|token| word.eq_ignore_ascii_case(token))
}

impl<'a> Comparison<'a> {
    /// Reads a token and what follows it. None if the word is no token of a comparison.
    pub(super) fn parse(token: &[u8], operand: &'a [u8]) -> Option<Self> {
        let place = TOKENS.iter().position(|other| token.eq_ignore_ascii_case(other))?;
        let with = if place < 2 { With::Text(operand) } else { With::Digest(operand) };
        Some(Self { with, is_equal: place.is_multiple_of(2) })
    }

    /// Checks that a digest has the length of one. Its digits are only compared.
    pub(super) fn check(self) -> Result<Self, Error> {
        match self.with {
            With::Digest(digits) if digits.len() != DIGEST_LEN => Err(NO_DIGEST),
            With::Digest(_) | With::Text(_) => Ok(self),
        }
    }

    /// Whether it is true of a key. One that is not there is equal to nothing.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds another type.
    pub(super) fn holds(self, keys: &mut Access<'_>, key: &Key<'_>) -> Result<bool, Error> {
        let Some(record) = keys.peek(key) else { return Ok(!self.is_equal) };
        let value = string::read(record)?;
        let is_equal = match self.with {
            With::Text(text) => *value == *text,
            With::Digest(digits) => digits.eq_ignore_ascii_case(digest(&value).as_bytes()),
        };
        Ok(is_equal == self.is_equal)
    }
}

/// XXH3 of 64 bits in lower-case digits.
fn digest(text: &[u8]) -> String {
    format!("{:016x}", xxh3_64(text))
}

pub(super) fn digest_command(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.keys.read(&call.located[0]) {
        Some(record) => {
            let digest = digest(&string::read(record)?);
            call.out.bulk(digest.as_bytes());
        }
        None => call.out.null(),
    }
    Ok(())
}

/// The key of DELEX, which is read only if something is compared.
pub(super) fn keys_of_delex(words: &[&[u8]]) -> Option<KeyPlaces> {
    let is_read = words.len() > 2;
    let uses = if is_read { key_use::RW | key_use::ACCESS } else { key_use::RM } | key_use::DELETE;
    words.get(1).map(|_| KeyPlaces::from_iter([KeyPlace { place: 1, uses }]))
}

pub(super) fn delex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let is_met = match call.words[2..] {
        [] => true,
        [token, operand] => compare(call, token, operand)?,
        _ => return Err(Error::arity(call.spec.command.name)),
    };
    delete_if(call, is_met);
    Ok(())
}

/// Whether a key is there of which a comparison is true. The key is looked at before the words are.
fn compare(call: &mut Call<'_, '_>, token: &[u8], operand: &[u8]) -> Result<bool, Error> {
    let key = call.key(0);
    match call.keys.peek(&key).map(string::read) {
        None => return Ok(false),
        Some(Err(_)) => {
            return Err(Error::err("Key should be of string type if conditions are specified"));
        }
        Some(Ok(_)) => {}
    }
    let comparison = Comparison::parse(token, operand)
        .ok_or(Error::err("Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
    comparison.check()?.holds(call.keys, &key)
}

pub(super) fn delifeq(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let equal = Comparison { with: With::Text(call.words[2]), is_equal: true };
    let is_met = equal.holds(call.keys, &call.located[0])?;
    delete_if(call, is_met);
    Ok(())
}

/// Deletes the command's key, and answers how many keys went.
fn delete_if(call: &mut Call<'_, '_>, is_met: bool) {
    let key = call.key(0);
    let is_gone = is_met && call.keys.remove(&key);
    if is_gone {
        call.keys.say(&key, &[b"DEL", key.bytes]);
        call.notify(Event::Generic, "del", &key);
    }
    call.out.integer(is_gone.into());
}
