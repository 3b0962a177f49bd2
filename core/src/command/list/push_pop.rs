//! Commands that add elements at an end of a list and take them from there.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::structs::listpack::Scratch;
use crate::value::list::{self, End, List};
use crate::value::{ListLimits, Record};

const NOT_POSITIVE: Error = Error::err("value is out of range, must be positive");

pub(super) fn lpush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    push(call, End::Head)
}

pub(super) fn rpush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    push(call, End::Tail)
}

fn push(call: &mut Call<'_, '_>, end: End) -> Result<(), Error> {
    let (key, texts) = (call.key(0), &call.words[2..]);
    let limits = call.env.list_limits();
    let changed = call.keys.change_or_new(&key, list::TAG, list::EMPTY, |record| {
        push_texts(record, end, texts, limits)
    })?;
    call.out.integer(changed.result as i64);
    call.notify(Event::List, push_event(end), &key);
    Ok(())
}

/// Pushes texts, and returns what a change does: how many, and how long the list is then.
fn push_texts(
    record: &mut Record,
    end: End,
    texts: &[&[u8]],
    limits: ListLimits,
) -> Result<(u64, usize), Error> {
    list::read(record)?;
    list::push_all(record, end, texts, limits);
    Ok((texts.len() as u64, list::read(record)?.len()))
}

pub(super) fn lpushx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    push_if_there(call, End::Head)
}

pub(super) fn rpushx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    push_if_there(call, End::Tail)
}

fn push_if_there(call: &mut Call<'_, '_>, end: End) -> Result<(), Error> {
    let (key, texts) = (call.key(0), &call.words[2..]);
    let limits = call.env.list_limits();
    let changed = call.keys.change(&key, |record| push_texts(record, end, texts, limits))?;
    call.out.integer(changed.map_or(0, |changed| changed.result as i64));
    if changed.is_some() {
        call.notify(Event::List, push_event(end), &key);
    }
    Ok(())
}

/// The event of a push.
pub(super) fn push_event(end: End) -> &'static str {
    match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    }
}

pub(super) fn lpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop(call, End::Head)
}

pub(super) fn rpop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    pop(call, End::Tail)
}

fn pop(call: &mut Call<'_, '_>, end: End) -> Result<(), Error> {
    let (key, limits) = (call.key(0), call.env.list_limits());
    match call.words[2..] {
        [] => {
            if !pop_one(call.keys, &key, end, limits, call.out)? {
                call.out.null();
            }
        }
        [count] => {
            let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or(NOT_POSITIVE)?;
            if !pop_some(call.keys, &key, end, count, limits, call.out)? {
                call.out.null_array();
            }
        }
        _ => return Err(Error::arity(&call.spec.name)),
    }
    Ok(())
}

/// Takes the element at an end of a list and writes it. Returns whether the key is there.
///
/// # Errors
/// `WRONGTYPE` if the key holds another type.
pub(in crate::command) fn pop_one(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    end: End,
    limits: ListLimits,
    out: &mut dyn ReplySink,
) -> Result<bool, Error> {
    let changed = keys.change(key, |record| {
        let list = list::read(record)?;
        let len = list.len();
        if let Some(element) = list.at_end(end) {
            out.bulk(element.text(&mut Scratch::new()));
        }
        list::remove_at_end(record, end, len, 1);
        list::settle(record, limits);
        Ok((1, ()))
    })?;
    if let Some(changed) = changed {
        say_pop(keys, key, end, 1);
        note_pop(keys, key, end, changed.emptied);
    }
    Ok(changed.is_some())
}

/// Takes up to `count` elements from an end of a list, and writes them in the order in which they
/// go. Returns whether the key is there.
///
/// # Errors
/// `WRONGTYPE` if the key holds another type.
pub(in crate::command) fn pop_some(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    limits: ListLimits,
    out: &mut dyn ReplySink,
) -> Result<bool, Error> {
    let changed = keys.change(key, |record| {
        let list = list::read(record)?;
        let len = list.len();
        let count = count.min(len);
        out.array(count);
        match end {
            End::Head => write(out, list, 0, count, false),
            End::Tail => write(out, list, len - 1, count, true),
        }
        if count > 0 {
            list::remove_at_end(record, end, len, count);
            list::settle(record, limits);
        }
        Ok((count as u64, count > 0))
    })?;
    if let Some(changed) = changed.filter(|changed| changed.result) {
        say_pop(keys, key, end, count);
        note_pop(keys, key, end, changed.emptied);
    }
    Ok(changed.is_some())
}

/// Writes `count` elements from a number on, or from a number backwards.
pub(super) fn write(
    out: &mut dyn ReplySink,
    list: List<'_>,
    number: usize,
    count: usize,
    backwards: bool,
) {
    let elements = list.iter_from(number, backwards);
    elements.each(count, |element| out.bulk(element.text(&mut Scratch::new())));
}

/// Says that up to `count` elements went from an end.
fn say_pop(keys: &mut Access<'_>, key: &Key<'_>, end: End, count: usize) {
    if keys.is_recording() {
        let name: &[u8] = match end {
            End::Head => b"LPOP",
            End::Tail => b"RPOP",
        };
        keys.say(key, &[name, key.bytes, count.to_string().as_bytes()]);
    }
}

/// Notes that elements went from an end, and whether the key went with the last.
pub(super) fn note_pop(keys: &mut Access<'_>, key: &Key<'_>, end: End, emptied: bool) {
    let name = match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    };
    keys.notify(Event::List, name, key);
    if emptied {
        keys.notify(Event::Generic, "del", key);
    }
}
