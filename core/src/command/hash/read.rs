//! Commands that look at hashes.

use crate::command::call::Call;
use crate::command::scan_options::{Found, ScanOptions, Scanned, cursor};
use crate::error::Error;
use crate::resp::ReplySink;
use crate::structs::listpack::{Element, Scratch};
use crate::value::hash::Hash;

/// The hash under the command's key, for a read that counts; none if there is no such key.
pub(super) fn read<'c>(
    call: &'c mut Call<'_, '_>,
) -> Result<(Option<Hash<'c>>, &'c mut dyn ReplySink), Error> {
    let now_ms = call.keys.unix_ms();
    let record = call.keys.read(&call.located[0]);
    Ok((record.map(|record| Hash::of(record, now_ms)).transpose()?, call.out))
}

pub(super) fn write_value(value: Option<Element<'_>>, out: &mut dyn ReplySink) {
    match value {
        Some(Element::Bytes(bytes)) => out.bulk(bytes),
        Some(Element::Int(value)) => out.bulk(Scratch::new().format(value).as_bytes()),
        None => out.null(),
    }
}

pub(super) fn hget(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let field = call.words[2];
    let (hash, out) = read(call)?;
    write_value(hash.and_then(|hash| hash.get(field)), out);
    Ok(())
}

pub(super) fn hmget(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let fields = &call.words[2..];
    let (hash, out) = read(call)?;
    out.array(fields.len());
    for field in fields {
        write_value(hash.and_then(|hash| hash.get(field)), out);
    }
    Ok(())
}

pub(super) fn hgetall(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (hash, out) = read(call)?;
    out.map(hash.map_or(0, Hash::len));
    if let Some(hash) = hash {
        hash.each(|field, value| {
            write_value(Some(field), out);
            write_value(Some(value), out);
        });
    }
    Ok(())
}

pub(super) fn hkeys(call: &mut Call<'_, '_>) -> Result<(), Error> {
    write_each(call, |field, _| field)
}

pub(super) fn hvals(call: &mut Call<'_, '_>) -> Result<(), Error> {
    write_each(call, |_, value| value)
}

/// Writes an array of what `part` takes of each field and its value.
fn write_each(
    call: &mut Call<'_, '_>,
    part: impl for<'c> Fn(Element<'c>, Element<'c>) -> Element<'c>,
) -> Result<(), Error> {
    let (hash, out) = read(call)?;
    out.array(hash.map_or(0, Hash::len));
    if let Some(hash) = hash {
        hash.each(|field, value| write_value(Some(part(field, value)), out));
    }
    Ok(())
}

pub(super) fn hexists(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let field = call.words[2];
    let (hash, out) = read(call)?;
    out.integer(hash.is_some_and(|hash| hash.get(field).is_some()).into());
    Ok(())
}

pub(super) fn hstrlen(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let field = call.words[2];
    let (hash, out) = read(call)?;
    out.integer(hash.and_then(|hash| hash.get(field)).map_or(0, Element::len) as i64);
    Ok(())
}

pub(super) fn hlen(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (hash, out) = read(call)?;
    out.integer(hash.map_or(0, Hash::len) as i64);
    Ok(())
}

pub(super) fn hscan(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let cursor = cursor(call.words[2])?;
    let words = &call.words[3..];
    let (hash, out) = read(call)?;
    let mut found = Found::default();
    let mut next = 0;
    if let Some(hash) = hash {
        let options = ScanOptions::parse(words, Scanned::Fields)?;
        let mut scratch = Scratch::new();
        next = hash.walk(cursor, options.count, |field, value| {
            let field = field.text(&mut scratch);
            if options.matches(field) {
                found.push(field);
                if !options.no_values {
                    found.push(value.text(&mut Scratch::new()));
                }
            }
        });
    }
    found.reply(next, out);
    Ok(())
}
