//! The arguments of native functions, looked at as Lua's auxiliary library does: numbers may come
//! as text, text as numbers, and errors say which argument it was.

use super::fault::bad_argument;
use crate::resp::number::parse_c_double;
use mlua::{Error, Lua, MultiValue, String as LuaString, Value};

/// The arguments of a call.
pub(super) struct Arguments<'l> {
    pub(super) lua: &'l Lua,
    pub(super) values: MultiValue,
}

impl<'l> Arguments<'l> {
    pub(super) fn new(lua: &'l Lua, values: MultiValue) -> Self {
        Self { lua, values }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument at a place, from one on; none beyond the last.
    pub(super) fn at(&self, place: usize) -> Option<&Value> {
        self.values.get(place - 1)
    }

    /// Raises that the argument at a place does not fit.
    pub(super) fn refuse(&self, place: usize, what: &str) -> Error {
        bad_argument(self.lua, place, what)
    }

    /// Raises that the argument at a place is of another type.
    fn wrong_type(&self, place: usize, wanted: &str) -> Error {
        let found = self.at(place).map_or("no value", type_name);
        self.refuse(place, &format!("{wanted} expected, got {found}"))
    }

    pub(super) fn number(&self, place: usize) -> Result<f64, Error> {
        self.at(place).and_then(number_of).ok_or_else(|| self.wrong_type(place, "number"))
    }

    /// A number as an integer, cut as C cuts it.
    pub(super) fn integer(&self, place: usize) -> Result<i64, Error> {
        self.number(place).map(|number| number as i64)
    }

    pub(super) fn text(&self, place: usize) -> Result<LuaString, Error> {
        match self.at(place) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(number @ (Value::Integer(_) | Value::Number(_))) => {
                let text = self.lua.coerce_string(number.clone())?;
                text.ok_or_else(|| self.wrong_type(place, "string"))
            }
            _ => Err(self.wrong_type(place, "string")),
        }
    }
}

/// A number, or a text that is one.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Number(value) => Some(*value),
        Value::String(text) => {
            let text = text.as_bytes();
            let trimmed = text.trim_ascii();
            parse_hexadecimal(trimmed).or_else(|| parse_c_double(trimmed))
        }
        _ => None,
    }
}

fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 16).ok().map(|value| value as f64)
}

/// The name of a value's type in Lua.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) | Value::Other(_) => {
            "userdata"
        }
    }
}
