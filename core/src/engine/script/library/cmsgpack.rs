//! `cmsgpack`: values as MessagePack (the format of msgpack.org), and back.

use crate::engine::script::arguments::{Arguments, number_of};
use crate::engine::script::fault::{self, raise};
use mlua::{Error, Lua, MultiValue, Table, Value};

/// Tables within tables beyond this depth are packed as nil, so that circles end.
const PACK_DEPTH_MAX: usize = 16;
/// What is nested deeper than this is not unpacked.
const UNPACK_DEPTH_MAX: usize = 256;

/// Makes the library.
pub(super) fn table(lua: &Lua) -> Result<Table, Error> {
    let table = lua.create_table()?;
    table.set("pack", lua.create_function(pack)?)?;
    table.set("unpack", lua.create_function(unpack)?)?;
    table.set("unpack_one", lua.create_function(unpack_one)?)?;
    table.set("unpack_limit", lua.create_function(unpack_limit)?)?;
    table.set("_NAME", "cmsgpack")?;
    table.set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, values: MultiValue) -> Result<Value, Error> {
    if values.is_empty() {
        return Err(Arguments::new(lua, values).refuse(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &values {
        put(value, 0, &mut out)?;
    }
    Ok(Value::String(lua.create_string(&out)?))
}

fn put(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            put_len(text.len(), Some((0xa0, 32)), [Some(0xd9), Some(0xda), Some(0xdb)], out);
            out.extend_from_slice(&text);
        }
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(value) => put_integer(*value, out),
        Value::Number(value) => put_number(*value, out),
        Value::Table(table) if depth < PACK_DEPTH_MAX => put_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// Writes a length with the shortest of the markers that there are: within the marker itself, or in
/// one, two or four bytes after it.
fn put_len(len: usize, short: Option<(u8, usize)>, markers: [Option<u8>; 3], out: &mut Vec<u8>) {
    if let Some((marker, end)) = short
        && len < end
    {
        return out.push(marker | len as u8);
    }
    match (markers, len) {
        ([Some(marker), ..], 0..=0xff) => out.extend([marker, len as u8]),
        ([_, Some(marker), _], 0..=0xffff) => {
            out.push(marker);
            out.extend((len as u16).to_be_bytes());
        }
        ([.., marker], _) => {
            out.extend(marker);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn put_integer(value: i64, out: &mut Vec<u8>) {
    match value {
        -32..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        -0x80..=-33 => out.extend([0xd0, value as u8]),
        0x100..=0xffff => with(0xcd, &(value as u16).to_be_bytes(), out),
        -0x8000..=-0x81 => with(0xd1, &(value as i16).to_be_bytes(), out),
        0x1_0000..=0xffff_ffff => with(0xce, &(value as u32).to_be_bytes(), out),
        -0x8000_0000..=-0x8001 => with(0xd2, &(value as i32).to_be_bytes(), out),
        0x1_0000_0000.. => with(0xcf, &value.to_be_bytes(), out),
        _ => with(0xd3, &value.to_be_bytes(), out),
    }
}

/// Writes a number in four bytes if it loses nothing by that.
fn put_number(value: f64, out: &mut Vec<u8>) {
    let short = value as f32;
    if value.is_finite() && value as i64 as f64 == value {
        put_integer(value as i64, out);
    } else if f64::from(short) == value {
        with(0xca, &short.to_be_bytes(), out);
    } else {
        with(0xcb, &value.to_be_bytes(), out);
    }
}

fn with(marker: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

/// A table whose keys are the numbers from one on is an array, any other a map.
fn put_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut pairs = Vec::new();
    table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    })?;
    if is_array(pairs.iter().map(|(key, _)| key)) {
        let len = table.raw_len();
        put_len(len, Some((0x90, 16)), [None, Some(0xdc), Some(0xdd)], out);
        return (1..=len).try_for_each(|place| put(&table.raw_get(place)?, depth + 1, out));
    }
    put_len(pairs.len(), Some((0x80, 16)), [None, Some(0xde), Some(0xdf)], out);
    for (key, value) in &pairs {
        put(key, depth + 1, out)?;
        put(value, depth + 1, out)?;
    }
    Ok(())
}

/// Whether keys, of which no two are equal, are the numbers from one on.
fn is_array<'v>(keys: impl Iterator<Item = &'v Value>) -> bool {
    let (mut count, mut most) = (0, 0.0);
    for key in keys {
        match number_of(key) {
            Some(number) if number > 0.0 && f64::from(number as i32) == number => {
                most = number.max(most);
                count += 1;
            }
            _ => return false,
        }
    }
    most == f64::from(count)
}

/// Packed values being read.
struct Reader<'a, 'l> {
    lua: &'l Lua,
    rest: &'a [u8],
}

enum Fault {
    TooShort,
    BadFormat,
    TooDeep,
    Key(&'static str),
    Lua(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Lua(error)
    }
}

impl<'a> Reader<'a, '_> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Fault::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| Fault::TooShort)
    }

    /// A number of so many bytes, the highest first.
    fn len(&mut self, bytes: usize) -> Result<usize, Fault> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    }

    fn next(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > UNPACK_DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let [marker] = self.bytes()?;
        Ok(match marker {
            0x00..=0x7f => Value::Integer(marker.into()),
            0x80..=0x8f => self.map(usize::from(marker & 0xf), depth)?,
            0x90..=0x9f => self.array(usize::from(marker & 0xf), depth)?,
            0xa0..=0xbf => self.text(usize::from(marker & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(marker == 0xc3),
            0xc4 | 0xd9 => self.long_text(1)?,
            0xc5 | 0xda => self.long_text(2)?,
            0xc6 | 0xdb => self.long_text(4)?,
            0xca => Value::Number(f32::from_be_bytes(self.bytes()?).into()),
            0xcb => Value::Number(f64::from_be_bytes(self.bytes()?)),
            0xcc => Value::Integer(u8::from_be_bytes(self.bytes()?).into()),
            0xcd => Value::Integer(u16::from_be_bytes(self.bytes()?).into()),
            0xce => Value::Integer(u32::from_be_bytes(self.bytes()?).into()),
            0xcf => Value::Number(u64::from_be_bytes(self.bytes()?) as f64),
            0xd0 => Value::Integer(i8::from_be_bytes(self.bytes()?).into()),
            0xd1 => Value::Integer(i16::from_be_bytes(self.bytes()?).into()),
            0xd2 => Value::Integer(i32::from_be_bytes(self.bytes()?).into()),
            0xd3 => Value::Number(i64::from_be_bytes(self.bytes()?) as f64),
            0xdc => {
                let len = self.len(2)?;
                self.array(len, depth)?
            }
            0xdd => {
                let len = self.len(4)?;
                self.array(len, depth)?
            }
            0xde => {
                let pairs = self.len(2)?;
                self.map(pairs, depth)?
            }
            0xdf => {
                let pairs = self.len(4)?;
                self.map(pairs, depth)?
            }
            0xe0..=0xff => Value::Integer((marker as i8).into()),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(Fault::BadFormat),
        })
    }

    fn text(&mut self, len: usize) -> Result<Value, Fault> {
        Ok(Value::String(self.lua.create_string(self.take(len)?)?))
    }

    fn long_text(&mut self, bytes: usize) -> Result<Value, Fault> {
        let len = self.len(bytes)?;
        self.text(len)
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<Value, Fault> {
        let table = self.lua.create_table()?;
        for place in 1..=len {
            let value = self.next(depth + 1)?;
            table.raw_set(place, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, pairs: usize, depth: usize) -> Result<Value, Fault> {
        let table = self.lua.create_table()?;
        for _ in 0..pairs {
            let key = self.next(depth + 1)?;
            let value = self.next(depth + 1)?;
            match key {
                Value::Nil => return Err(Fault::Key("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(Fault::Key("table index is NaN"));
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}

fn unpack(lua: &Lua, values: MultiValue) -> Result<MultiValue, Error> {
    unpack_some(&Arguments::new(lua, values), 0, 0)
}

fn unpack_one(lua: &Lua, values: MultiValue) -> Result<MultiValue, Error> {
    let arguments = Arguments::new(lua, values);
    let offset = optional(&arguments, 2)?;
    unpack_some(&arguments, 1, offset)
}

fn unpack_limit(lua: &Lua, values: MultiValue) -> Result<MultiValue, Error> {
    let arguments = Arguments::new(lua, values);
    let limit = arguments.integer(2)?;
    let offset = optional(&arguments, 3)?;
    unpack_some(&arguments, limit, offset)
}

fn optional(arguments: &Arguments<'_>, place: usize) -> Result<i64, Error> {
    match arguments.at(place) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => arguments.integer(place),
    }
}

/// Unpacks as many values as there are, or up to a limit; then where the next one starts comes
/// first, -1 at the end.
fn unpack_some(arguments: &Arguments<'_>, limit: i64, offset: i64) -> Result<MultiValue, Error> {
    let lua = arguments.lua;
    let text = arguments.text(1)?;
    let text = text.as_bytes();
    let len = text.len();
    if offset < 0 || limit < 0 {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(raise(lua, &text));
    }
    let Some(rest) = text.get(offset as usize..) else {
        let text = format!("Start offset {offset} greater than input length {len}.");
        return Err(raise(lua, &text));
    };
    let is_all = limit == 0 && offset == 0;
    let limit = if is_all { i32::MAX as usize } else { limit as usize };
    let mut reader = Reader { lua, rest };
    let mut found = Vec::new();
    while !reader.rest.is_empty() && found.len() < limit {
        found.push(reader.next(0).map_err(|fault| match fault {
            Fault::TooShort => raise(lua, "Missing bytes in input."),
            Fault::BadFormat => raise(lua, "Bad data format in input."),
            Fault::TooDeep => raise(lua, "stack overflow (in function mp_decode_to_lua_type)"),
            Fault::Key(text) => fault::Fault::Text(text.into()).raised(),
            Fault::Lua(error) => error,
        })?);
    }
    if !is_all {
        let left = reader.rest.len();
        let next = if left == 0 { -1 } else { (len - left) as i64 };
        found.insert(0, Value::Integer(next));
    }
    Ok(found.into_iter().collect())
}
