//! Taking out the members with the least or the greatest scores.

use super::reply::Shape;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Event, Key};
use crate::resp::number::parse_i64;
use crate::resp::{Protocol, ReplySink};
use crate::value::zset::{self, Zset};

/// The end at which members are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum End {
    Min,
    Max,
}

impl End {
    /// Reads `MIN` or `MAX`.
    pub(in crate::command) fn parse(word: &[u8]) -> Result<Self, Error> {
        match word {
            _ if word.eq_ignore_ascii_case(b"min") => Ok(Self::Min),
            _ if word.eq_ignore_ascii_case(b"max") => Ok(Self::Max),
            _ => Err(Error::SYNTAX),
        }
    }

    fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }
}

/// Whether there is a sorted set under a key.
///
/// # Errors
/// `WRONGTYPE` if there is something else.
pub(in crate::command) fn has_members(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
) -> Result<bool, Error> {
    call.keys.peek(key).map_or(Ok(false), |record| zset::check(record).map(|()| true))
}

/// Takes up to `count` members out of the sorted set under a key, which must be there, and writes
/// them, with `head` before them, which gets to know how many they are.
pub(in crate::command) fn pop(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    shape: Shape,
    head: impl FnOnce(usize, &mut dyn ReplySink),
) -> Result<(), Error> {
    let out = &mut *call.out;
    let popped = call.keys.change(key, |record| {
        let zset = Zset::of(record)?;
        let (len, count) = (zset.len(), count.min(zset.len()));
        let ranks = match end {
            End::Min => 0..count,
            End::Max => len - count..len,
        };
        head(count, out);
        for (member, score) in zset.range(ranks.clone(), end == End::Max) {
            shape.member(member, score, out);
        }
        zset::remove_range(record, ranks);
        Ok::<_, Error>((count as u64, ()))
    })?;
    if call.keys.is_recording() {
        let count = count.to_string();
        call.keys.say(key, &[end.command(), key.bytes, count.as_bytes()]);
    }
    call.notify(Event::SortedSet, end.event(), key);
    if popped.is_some_and(|popped| popped.emptied) {
        call.notify(Event::Generic, "del", key);
    }
    Ok(())
}

fn pop_one_key(call: &mut Call<'_, '_>, end: End) -> Result<(), Error> {
    let count = match &call.words[2..] {
        [] => None,
        [word] => Some(positive(word)?),
        _ => return Err(Error::SYNTAX),
    };
    let key = call.key(0);
    if !has_members(call, &key)? || count == Some(0) {
        call.out.array(0);
        return Ok(());
    }
    let nested = count.is_some() && call.out.protocol() == Protocol::Resp3;
    let shape = if nested { Shape::Nested } else { Shape::Flat };
    pop(call, &key, end, count.unwrap_or(1), shape, |members, out| shape.head(members, out))
}

fn positive(word: &[u8]) -> Result<usize, Error> {
    let number = parse_i64(word).and_then(|number| usize::try_from(number).ok());
    number.ok_or(const { Error::err("value is out of range, must be positive") })
}

pub(super) fn zpopmin(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_one_key(call, End::Min)
}

pub(super) fn zpopmax(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop_one_key(call, End::Max)
}

/// What ZMPOP and its blocking form say after the number of keys and the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) struct PopOptions {
    pub(in crate::command) end: End,
    pub(in crate::command) count: usize,
}

impl PopOptions {
    /// Reads the words from the number of keys on.
    pub(in crate::command) fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let at_least_one = |word: &[u8], error: Error| {
            let number = parse_i64(word).filter(|number| *number > 0);
            number.map(|number| number as usize).ok_or(error)
        };
        let keys = at_least_one(words[0], Error::err("numkeys should be greater than 0"))?;
        let Some([end, options @ ..]) = words[1..].get(keys..) else { return Err(Error::SYNTAX) };
        let end = End::parse(end)?;
        let count = match options {
            [] => 1,
            [word, count, rest @ ..] if word.eq_ignore_ascii_case(b"count") => {
                let count = at_least_one(count, Error::err("count should be greater than 0"))?;
                if !rest.is_empty() {
                    return Err(Error::SYNTAX);
                }
                count
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Self { end, count })
    }

    /// Pops from a key that has members, and replies with its name and them.
    pub(in crate::command) fn pop(
        self,
        call: &mut Call<'_, '_>,
        key: &Key<'_>,
    ) -> Result<(), Error> {
        pop(call, key, self.end, self.count, Shape::Nested, |members, out| {
            out.array(2);
            out.bulk(key.bytes);
            out.array(members);
        })
    }
}

pub(super) fn zmpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = PopOptions::parse(&call.words[1..])?;
    for key in call.located {
        if has_members(call, key)? {
            return options.pop(call, key);
        }
    }
    call.out.null_array();
    Ok(())
}
