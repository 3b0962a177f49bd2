//! XLEN, XRANGE and XREVRANGE.

use super::integer;
use super::reply::write_entries;
use crate::command::call::Call;
use crate::error::Error;
use crate::value::stream::{self, parse_end, parse_start};

pub(super) fn xlen(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let len = match call.keys.read(&call.located[0]) {
        Some(record) => stream::read(record)?.len(),
        None => 0,
    };
    call.out.integer(len as i64);
    Ok(())
}

pub(super) fn xrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    range(call, call.words[2], call.words[3], false)
}

pub(super) fn xrevrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    range(call, call.words[3], call.words[2], true)
}

fn range(call: &mut Call<'_, '_>, start: &[u8], end: &[u8], back: bool) -> Result<(), Error> {
    let (start, end) = (parse_start(start)?, parse_end(end)?);
    let count = count(&call.words[4..])?;
    let Some(record) = call.keys.read(&call.located[0]) else {
        call.out.array(0);
        return Ok(());
    };
    let log = stream::read(record)?.history().log();
    if count == 0 {
        call.out.null_array();
        return Ok(());
    }
    let count = log.count(start, end, count);
    if back {
        write_entries(count, log.range_back(start, end), call.out);
    } else {
        write_entries(count, log.range(start, end), call.out);
    }
    Ok(())
}

/// How many entries are asked for at most.
fn count(mut words: &[&[u8]]) -> Result<usize, Error> {
    let mut count = usize::MAX;
    while let [option, number, rest @ ..] = words
        && option.eq_ignore_ascii_case(b"count")
    {
        count = usize::try_from(integer(number)?).unwrap_or(0);
        words = rest;
    }
    if words.is_empty() { Ok(count) } else { Err(Error::SYNTAX) }
}
