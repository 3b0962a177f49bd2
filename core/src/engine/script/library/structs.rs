//! `struct`: values to bytes in the layouts of C, and back.

use crate::engine::script::arguments::Arguments;
use crate::engine::script::fault::raise;
use mlua::{Error, Lua, MultiValue, Table, Value};

const INTEGER_BYTES_MAX: usize = 32;
const ALIGNMENT: usize = 8;

/// Makes the library.
pub(super) fn table(lua: &Lua) -> Result<Table, Error> {
    let table = lua.create_table()?;
    table.set("pack", lua.create_function(pack)?)?;
    table.set("unpack", lua.create_function(unpack)?)?;
    table.set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A format being read, and what it said so far of order and alignment.
struct Format<'a, 'l> {
    lua: &'l Lua,
    arguments: &'a Arguments<'l>,
    text: Vec<u8>,
    at: usize,
    big_endian: bool,
    align: usize,
}

/// One option of a format, and the bytes that it takes.
struct Item {
    option: u8,
    size: usize,
}

impl<'a, 'l> Format<'a, 'l> {
    fn new(arguments: &'a Arguments<'l>) -> Result<Self, Error> {
        let text = arguments.text(1)?.as_bytes().to_vec();
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        let text = text[..end].to_vec();
        let lua = arguments.lua;
        Ok(Self { lua, arguments, text, at: 0, big_endian: false, align: 1 })
    }

    fn next(&mut self) -> Result<Option<Item>, Error> {
        let Some(&option) = self.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_BYTES_MAX {
                    let text =
                        format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(raise(self.lua, &text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// A number in the format, or another one if there is none.
    fn number(&mut self, default: usize) -> Result<usize, Error> {
        let start = self.at;
        let mut value: i32 = 0;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            let next = value.checked_mul(10).and_then(|v| v.checked_add((digit - b'0').into()));
            value = next.ok_or_else(|| raise(self.lua, "integral size overflow"))?;
            self.at += 1;
        }
        Ok(if self.at == start { default } else { value as usize })
    }

    /// Bytes to leave out before an item.
    fn padding(&self, position: usize, item: &Item) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        let size = item.size.min(self.align);
        size.wrapping_sub(position & size.wrapping_sub(1)) & size.wrapping_sub(1)
    }

    /// Carries out an option that stands for no value.
    fn control(&mut self, option: u8) -> Result<(), Error> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let align = self.number(ALIGNMENT)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(raise(self.lua, &text));
                }
                self.align = align;
            }
            _ => {
                let option = char::from(option);
                return Err(self.arguments.refuse(1, &format!("invalid format option '{option}'")));
            }
        }
        Ok(())
    }

    /// Bytes in this machine's order, as the format wants them.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn put_integer(&self, number: f64, size: usize, out: &mut Vec<u8>) {
        let value = if number < 0.0 { number as i64 as u64 } else { number as u64 };
        let start = out.len();
        out.extend((0..size).map(|place| if place < 8 { (value >> (place * 8)) as u8 } else { 0 }));
        if self.big_endian {
            out[start..].reverse();
        }
    }

    fn integer(&self, bytes: &[u8], is_signed: bool) -> f64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        };
        if !is_signed {
            return value as f64;
        }
        let sign = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
        let value = if value & sign != 0 { value | sign } else { value };
        value as i64 as f64
    }
}

/// Redis's marks the end of the arguments by nil, which errors name.
fn pack(lua: &Lua, mut values: MultiValue) -> Result<Value, Error> {
    if !values.is_empty() {
        values.push_back(Value::Nil);
    }
    let arguments = Arguments::new(lua, values);
    let mut format = Format::new(&arguments)?;
    let mut out = Vec::new();
    let mut place = 2;
    while let Some(item) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), &item), 0);
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                format.put_integer(arguments.number(place)?, item.size, &mut out);
                place += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let value = arguments.number(place)? as f32;
                out.extend(format.ordered(value.to_le_bytes()));
                place += 1;
            }
            b'd' => {
                out.extend(format.ordered(arguments.number(place)?.to_le_bytes()));
                place += 1;
            }
            b'c' | b's' => {
                let text = arguments.text(place)?;
                let text = text.as_bytes();
                place += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                let part = text.get(..size);
                out.extend(part.ok_or_else(|| arguments.refuse(place, "string too short"))?);
                if item.option == b's' {
                    out.push(0);
                }
            }
            option => format.control(option)?,
        }
    }
    Ok(Value::String(lua.create_string(&out)?))
}

fn unpack(lua: &Lua, values: MultiValue) -> Result<MultiValue, Error> {
    let arguments = Arguments::new(lua, values);
    let mut format = Format::new(&arguments)?;
    let data = arguments.text(2)?;
    let data = data.as_bytes();
    let mut position = match arguments.at(3) {
        None | Some(Value::Nil) => 0,
        Some(_) => {
            let first = usize::try_from(arguments.integer(3)?).unwrap_or(0);
            first
                .checked_sub(1)
                .ok_or_else(|| arguments.refuse(3, "offset must be 1 or greater"))?
        }
    };
    let mut found = Vec::new();
    while let Some(mut item) = format.next()? {
        position += format.padding(position, &item);
        let too_short = || arguments.refuse(2, "data string too short");
        let bytes = |position: usize, size: usize| {
            position.checked_add(size).and_then(|end| data.get(position..end))
        };
        let own = bytes(position, item.size).ok_or_else(too_short)?;
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let is_signed = item.option.is_ascii_lowercase();
                found.push(Value::Number(format.integer(own, is_signed)));
            }
            b'x' => {}
            b'f' => {
                let own = own.try_into().map_err(|_| too_short())?;
                found.push(Value::Number(f32::from_le_bytes(format.ordered(own)).into()));
            }
            b'd' => {
                let own = own.try_into().map_err(|_| too_short())?;
                found.push(Value::Number(f64::from_le_bytes(format.ordered(own))));
            }
            b'c' => {
                if item.size == 0 {
                    let Some(Value::Number(size)) = found.pop() else {
                        return Err(raise(lua, "format 'c0' needs a previous size"));
                    };
                    item.size = size as usize;
                }
                let text = bytes(position, item.size).ok_or_else(too_short)?;
                found.push(Value::String(lua.create_string(text)?));
            }
            b's' => {
                let rest = data.get(position..).unwrap_or_default();
                let len = rest.iter().position(|&byte| byte == 0);
                let len = len.ok_or_else(|| raise(lua, "unfinished string in data"))?;
                found.push(Value::String(lua.create_string(&rest[..len])?));
                item.size = len + 1;
            }
            option => format.control(option)?,
        }
        position += item.size;
    }
    found.push(Value::Integer(position as i64 + 1));
    Ok(found.into_iter().collect())
}

fn size(lua: &Lua, values: MultiValue) -> Result<i64, Error> {
    let arguments = Arguments::new(lua, values);
    let mut format = Format::new(&arguments)?;
    let mut position = 0;
    while let Some(item) = format.next()? {
        position += format.padding(position, &item);
        match item.option {
            b's' => return Err(arguments.refuse(1, "option 's' has no fixed size")),
            b'c' if item.size == 0 => {
                return Err(arguments.refuse(1, "option 'c0' has no fixed size"));
            }
            option if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        position += item.size;
    }
    Ok(position as i64)
}
