//! Values of Lua as replies.
//!
//! Redis walks the tables on Lua's own stack, whose 8,000 places bound how deep they may be nested.
//! Here the walk keeps a list of what it is in the midst of, and counts the places that Redis would
//! have used: one for a value, three or four for a pair of a map.

use super::fault::is_counted;
use crate::error::{Error, ErrorKind};
use crate::resp::{Protocol, ReplySink};
use mlua::{Error as LuaError, Table, Value};

/// Places of Lua's stack, and how many have to be free for a value.
const PLACES_MAX: usize = 8_000;
const PLACES_FREE: usize = 4;

/// What of a table is still to be written, each part with the places that it uses, and how many are
/// used where the table is.
struct Rest {
    parts: std::vec::IntoIter<(Value, usize)>,
    places: usize,
}

/// The errors in a reply. Of those that the engine's figures have already, nothing is told.
type Errors = Vec<Option<Error>>;

/// Writes a value, and returns the errors in it. `script_protocol` is what the script chose by
/// `redis.setresp`.
pub(super) fn write(
    value: Value,
    script_protocol: Protocol,
    out: &mut dyn ReplySink,
) -> Result<Errors, LuaError> {
    let mut open: Vec<Rest> = Vec::new();
    let mut errors = Errors::new();
    let mut next = Some((value, 2));
    loop {
        if let Some((value, places)) = next.take()
            && let Some(parts) = write_one(&value, places, script_protocol, out, &mut errors)?
        {
            open.push(Rest { parts: parts.into_iter(), places });
        }
        let Some(Rest { parts, places }) = open.last_mut() else { return Ok(errors) };
        match parts.next() {
            Some((value, own)) => next = Some((value, *places + own)),
            None => _ = open.pop(),
        }
    }
}

type Parts = Vec<(Value, usize)>;

/// Writes a value, or the head of one whose parts are returned.
fn write_one(
    value: &Value,
    places: usize,
    script_protocol: Protocol,
    out: &mut dyn ReplySink,
    errors: &mut Errors,
) -> Result<Option<Parts>, LuaError> {
    if places + PLACES_FREE > PLACES_MAX {
        let error = Error::err("reached lua stack limit");
        out.error(&error);
        errors.push(Some(error));
        return Ok(None);
    }
    match value {
        Value::String(text) => out.bulk(&text.as_bytes()),
        Value::Integer(value) => out.integer(*value),
        Value::Number(value) => out.integer(truncated(*value)),
        Value::Boolean(value) if script_protocol == Protocol::Resp3 => out.boolean(*value),
        Value::Boolean(true) => out.integer(1),
        Value::Table(table) => return write_table(table, out, errors),
        _ => out.null(),
    }
    Ok(None)
}

/// A number without its fraction. What no integer can be is the least of them, as processors have it.
fn truncated(value: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&value) { value as i64 } else { i64::MIN }
}

/// A table is known by its fields: an error, a status, what RESP3 has beyond RESP2, or an array.
fn write_table(
    table: &Table,
    out: &mut dyn ReplySink,
    errors: &mut Errors,
) -> Result<Option<Parts>, LuaError> {
    if let Value::String(text) = table.raw_get("err")? {
        let error = Error::new(ErrorKind::Foreign, text.as_bytes().to_vec());
        out.error(&error);
        errors.push(if is_counted(table)? { None } else { Some(error) });
    } else if let Value::String(text) = table.raw_get("ok")? {
        out.status(&one_line(&text.as_bytes()));
    } else if let Some(value) = double(&table.raw_get("double")?) {
        out.double(value);
    } else if let Value::Table(pairs) = table.raw_get("map")? {
        return write_map(&pairs, out).map(Some);
    } else if let Value::Table(members) = table.raw_get("set")? {
        return write_set(&members, out).map(Some);
    } else if let Value::String(digits) = table.raw_get("big_number")? {
        out.big_number(one_line(&digits.as_bytes()).as_bytes());
    } else if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let (Value::String(text), Value::String(format)) =
            (verbatim.raw_get("string")?, verbatim.raw_get("format")?)
    {
        out.verbatim(&three_letters(&format.as_bytes()), &text.as_bytes());
    } else {
        return write_array(table, out).map(Some);
    }
    Ok(None)
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(value) => Some(*value),
        Value::Integer(value) => Some(*value as f64),
        _ => None,
    }
}

fn write_array(table: &Table, out: &mut dyn ReplySink) -> Result<Parts, LuaError> {
    let mut parts = Parts::new();
    for place in 1.. {
        let value: Value = table.raw_get(place)?;
        if value.is_nil() {
            break;
        }
        parts.push((value, 1));
    }
    out.array(parts.len());
    Ok(parts)
}

fn write_map(pairs: &Table, out: &mut dyn ReplySink) -> Result<Parts, LuaError> {
    let mut parts = Parts::new();
    pairs.for_each(|key: Value, value: Value| {
        parts.extend([(key, 4), (value, 3)]);
        Ok(())
    })?;
    out.map(parts.len() / 2);
    Ok(parts)
}

fn write_set(members: &Table, out: &mut dyn ReplySink) -> Result<Parts, LuaError> {
    let mut parts = Parts::new();
    members.for_each(|member: Value, _: Value| {
        parts.push((member, 3));
        Ok(())
    })?;
    out.set(parts.len());
    Ok(parts)
}

/// The text as far as it may stand in a line.
fn one_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(['\r', '\n'], " ")
}

fn three_letters(format: &[u8]) -> [u8; 3] {
    let mut letters = [b' '; 3];
    let len = format.len().min(3);
    letters[..len].copy_from_slice(&format[..len]);
    letters
}
