//! `bit`: operations on the low 32 bits of numbers. Results are signed.

use crate::engine::script::arguments::Arguments;
use mlua::{Error, Lua, MultiValue, Table};

/// Added to a number, it leaves the number's low 32 bits in those of the sum.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// Makes the library.
pub(super) fn table(lua: &Lua) -> Result<Table, Error> {
    let table = lua.create_table()?;
    for (name, operation) in ONE {
        table.set(*name, lua.create_function(|lua, values| one(lua, values, *operation))?)?;
    }
    for (name, operation) in MANY {
        table.set(*name, lua.create_function(|lua, values| many(lua, values, *operation))?)?;
    }
    for (name, operation) in SHIFTS {
        table.set(*name, lua.create_function(|lua, values| shift(lua, values, *operation))?)?;
    }
    table.set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

type Unary = fn(u32) -> u32;
type Binary = fn(u32, u32) -> u32;

const ONE: &[(&str, Unary)] =
    &[("tobit", |value| value), ("bnot", |value| !value), ("bswap", u32::swap_bytes)];
const MANY: &[(&str, Binary)] =
    &[("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
const SHIFTS: &[(&str, Binary)] = &[
    ("lshift", |value, by| value << by),
    ("rshift", |value, by| value >> by),
    ("arshift", |value, by| (value as i32 >> by) as u32),
    ("rol", u32::rotate_left),
    ("ror", u32::rotate_right),
];

fn bits(arguments: &Arguments<'_>, place: usize) -> Result<u32, Error> {
    arguments.number(place).map(|number| (number + SHIFT).to_bits() as u32)
}

fn one(lua: &Lua, values: MultiValue, operation: Unary) -> Result<i32, Error> {
    Ok(operation(bits(&Arguments::new(lua, values), 1)?) as i32)
}

fn many(lua: &Lua, values: MultiValue, operation: Binary) -> Result<i32, Error> {
    let arguments = Arguments::new(lua, values);
    let mut result = bits(&arguments, 1)?;
    for place in 2..=arguments.len() {
        result = operation(result, bits(&arguments, place)?);
    }
    Ok(result as i32)
}

fn shift(lua: &Lua, values: MultiValue, operation: Binary) -> Result<i32, Error> {
    let arguments = Arguments::new(lua, values);
    let value = bits(&arguments, 1)?;
    Ok(operation(value, bits(&arguments, 2)? & 31) as i32)
}

/// A negative number of digits asks for capital letters.
fn to_hex(lua: &Lua, values: MultiValue) -> Result<String, Error> {
    let arguments = Arguments::new(lua, values);
    let value = bits(&arguments, 1)?;
    let digits = if arguments.len() < 2 { 8 } else { bits(&arguments, 2)? as i32 };
    let len = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(text[8 - len..].to_owned())
}
