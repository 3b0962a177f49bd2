//! Commands that change lists at any place.

use super::range::{Places, number_of};
use super::symmetric;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::number::parse_i64;
use crate::value::{element, list};

pub(super) fn lset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, place, text) = (call.key(0), call.words[2], call.words[3]);
    let limits = call.env.list_limits();
    let changed = call.keys.change(&key, |record| {
        let len = list::read(record)?.len();
        let place = parse_i64(place).ok_or(Error::NOT_INTEGER)?;
        list::prepare(record, limits, 1, text.len());
        let number = number_of(place, len).ok_or(Error::INDEX_OUT_OF_RANGE)?;
        list::replace(record, number, element(text));
        list::settle(record, limits);
        Ok((1, ()))
    })?;
    changed.ok_or(Error::NO_SUCH_KEY)?;
    call.out.ok();
    call.notify(Event::List, "lset", &key);
    Ok(())
}

pub(super) fn linsert(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let behind = match call.words[2].to_ascii_lowercase().as_slice() {
        b"after" => true,
        b"before" => false,
        _ => return Err(Error::SYNTAX),
    };
    let (key, pivot, text) = (call.key(0), element(call.words[3]), call.words[4]);
    let limits = call.env.list_limits();
    let changed = call.keys.change(&key, |record| {
        list::read(record)?;
        list::prepare(record, limits, 1, text.len());
        let list = list::read(record)?;
        let len = list.len();
        let Some(number) = list.position(pivot) else {
            return Ok((0, None));
        };
        list::insert(record, number, behind, element(text));
        Ok::<_, Error>((1, Some(len + 1)))
    })?;
    match changed.map(|changed| changed.result) {
        None => call.out.integer(0),
        Some(None) => call.out.integer(-1),
        Some(Some(len)) => {
            call.out.integer(len as i64);
            call.notify(Event::List, "linsert", &key);
        }
    }
    Ok(())
}

pub(super) fn lrem(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let count = symmetric(call.words[2])?;
    let limit = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let (key, wanted) = (call.key(0), element(call.words[3]));
    let limits = call.env.list_limits();
    let changed = call.keys.change(&key, |record| {
        list::read(record)?;
        let gone = list::remove_equal(record, wanted, limit, count < 0);
        if gone > 0 {
            list::settle(record, limits);
        }
        Ok::<_, Error>((gone as u64, gone))
    })?;
    let gone = changed.map_or(0, |changed| changed.result);
    call.out.integer(gone as i64);
    if gone > 0 {
        call.notify(Event::List, "lrem", &key);
        note_emptied(call, changed.is_some_and(|changed| changed.emptied));
    }
    Ok(())
}

pub(super) fn ltrim(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let places = Places::parse(&call.words[2..])?;
    let key = call.key(0);
    let limits = call.env.list_limits();
    let changed = call.keys.change(&key, |record| {
        let len = list::read(record)?.len();
        let kept = places.within(len);
        list::remove(record, kept.end, len - kept.end);
        list::remove(record, 0, kept.start);
        list::settle(record, limits);
        Ok::<_, Error>(((len - kept.len()) as u64, ()))
    })?;
    call.out.ok();
    if let Some(changed) = changed {
        call.notify(Event::List, "ltrim", &key);
        note_emptied(call, changed.emptied);
    }
    Ok(())
}

fn note_emptied(call: &mut Call<'_, '_>, emptied: bool) {
    if emptied {
        let key = call.key(0);
        call.notify(Event::Generic, "del", &key);
    }
}
