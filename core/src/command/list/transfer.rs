//! Commands that move elements from list to list, and those that take them from the first list that
//! has some.

use super::push_pop::{note_pop, pop_some, push_event};
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::structs::listpack::Element;
use crate::value::list::{self, End};
use crate::value::{ListLimits, Record, element};

/// Reads the name of an end.
pub(in crate::command) fn parse_end(word: &[u8]) -> Result<End, Error> {
    if word.eq_ignore_ascii_case(b"left") {
        Ok(End::Head)
    } else if word.eq_ignore_ascii_case(b"right") {
        Ok(End::Tail)
    } else {
        Err(Error::SYNTAX)
    }
}

pub(super) fn lmove(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (from, to) = (parse_end(call.words[3])?, parse_end(call.words[4])?);
    move_or_null(call, from, to)
}

pub(super) fn rpoplpush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    move_or_null(call, End::Tail, End::Head)
}

fn move_or_null(call: &mut Call<'_, '_>, from: End, to: End) -> Result<(), Error> {
    let (source, target) = ((call.key(0), from), (call.key(1), to));
    let limits = call.env.list_limits();
    if !move_one(call.keys, source, target, limits, call.out)? {
        call.out.null();
    }
    Ok(())
}

/// Moves the element at an end of a list to an end of another, or of the same, and writes it.
/// Returns whether there was one.
///
/// # Errors
/// `WRONGTYPE` if a key holds another type; then nothing has changed.
pub(in crate::command) fn move_one(
    keys: &mut Access<'_>,
    (source, from): (Key<'_>, End),
    (target, to): (Key<'_>, End),
    limits: ListLimits,
    out: &mut dyn ReplySink,
) -> Result<bool, Error> {
    let Some(record) = keys.peek(&source) else { return Ok(false) };
    let Some(moved) = list::read(record)?.at_end(from).map(Element::to_vec) else {
        return Ok(false);
    };
    let emptied = if source.bytes == target.bytes && source.db == target.db {
        rotate(keys, &source, (from, to), &moved, limits)?;
        keys.notify(Event::List, push_event(to), &target);
        false
    } else {
        let changes = keys.stats.changes;
        keys.change_or_new(&target, list::TAG, list::EMPTY, |record| {
            list::read(record)?;
            push_moved(record, to, &moved, limits);
            Ok::<_, Error>((1, ()))
        })?;
        // A move counts once, at its source.
        keys.stats.changes = changes;
        keys.notify(Event::List, push_event(to), &target);
        take(keys, &source, from, limits)?
    };
    let side = |end| -> &[u8] {
        match end {
            End::Head => b"LEFT",
            End::Tail => b"RIGHT",
        }
    };
    let words: [&[u8]; 5] = [b"LMOVE", source.bytes, target.bytes, side(from), side(to)];
    keys.say_with(&words, &[source, target], &[1, 2]);
    out.bulk(&moved);
    note_pop(keys, &source, from, emptied);
    Ok(true)
}

/// Moves an element within a list, which may be empty in between.
fn rotate(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    (from, to): (End, End),
    moved: &[u8],
    limits: ListLimits,
) -> Result<(), Error> {
    keys.change(key, |record| {
        let len = list::read(record)?.len();
        list::remove_at_end(record, from, len, 1);
        push_moved(record, to, moved, limits);
        list::settle(record, limits);
        Ok((1, ()))
    })?;
    Ok(())
}

/// Takes an element from an end. Returns whether it was the last.
fn take(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    from: End,
    limits: ListLimits,
) -> Result<bool, Error> {
    let changed = keys.change(key, |record| {
        let len = list::read(record)?.len();
        list::remove_at_end(record, from, len, 1);
        list::settle(record, limits);
        Ok::<_, Error>((1, ()))
    })?;
    Ok(changed.is_some_and(|changed| changed.emptied))
}

/// Pushes an element that was popped. Redis reckons with the text of such a one only if it is no
/// number.
fn push_moved(record: &mut Record, end: End, moved: &[u8], limits: ListLimits) {
    let element = element(moved);
    let text_len = match element {
        Element::Bytes(text) => text.len(),
        Element::Int(_) => 0,
    };
    list::prepare(record, limits, 1, text_len);
    list::push(record, end, element);
}

/// What LMPOP's words say, from the number of keys on.
#[derive(Clone, Copy, Debug)]
pub(in crate::command) struct PopOptions {
    pub(in crate::command) end: End,
    pub(in crate::command) count: usize,
}

impl PopOptions {
    /// Reads the words.
    pub(in crate::command) fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let keys = positive(words[0], "numkeys should be greater than 0")?;
        let rest = keys.checked_add(1).and_then(|at| words.get(at..)).unwrap_or_default();
        let [end, rest @ ..] = rest else { return Err(Error::SYNTAX) };
        let end = parse_end(end)?;
        let count = match rest {
            [] => 1,
            [token, count, rest @ ..] if token.eq_ignore_ascii_case(b"count") => {
                let count = positive(count, "count should be greater than 0")?;
                if !rest.is_empty() {
                    return Err(Error::SYNTAX);
                }
                count
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Self { end, count })
    }
}

fn positive(word: &[u8], error: &'static str) -> Result<usize, Error> {
    let number = parse_i64(word).and_then(|number| usize::try_from(number).ok());
    number.filter(|&number| number > 0).ok_or(Error::err(error))
}

pub(super) fn lmpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = PopOptions::parse(&call.words[1..])?;
    let limits = call.env.list_limits();
    let found = pop_first(call.keys, call.located, options, limits, call.out)?;
    if !found {
        call.out.null_array();
    }
    Ok(())
}

/// Takes elements from the first of these keys that is there, and writes its name and them. Returns
/// whether there was one.
///
/// # Errors
/// `WRONGTYPE` if the first key that is there holds another type.
pub(in crate::command) fn pop_first(
    keys: &mut Access<'_>,
    located: &[Key<'_>],
    options: PopOptions,
    limits: ListLimits,
    out: &mut dyn ReplySink,
) -> Result<bool, Error> {
    let Some(key) = located.iter().find(|key| keys.contains(key)) else { return Ok(false) };
    out.array(2);
    out.bulk(key.bytes);
    pop_some(keys, key, options.end, options.count, limits, out)
}
