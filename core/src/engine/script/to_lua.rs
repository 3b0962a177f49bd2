//! Replies as values of Lua.

use super::fault::error_table;
use crate::resp::{Protocol, ReplyReader, Token};
use mlua::{Error, Lua, Value};

/// Makes a value of a whole reply. A null is `false` in RESP2, and `nil` in RESP3.
pub(super) fn value(lua: &Lua, reply: &[u8], protocol: Protocol) -> Result<Value, Error> {
    let mut reader = ReplyReader::new(reply);
    Converter { lua, reader: &mut reader, protocol }.next()
}

struct Converter<'r, 'a> {
    lua: &'r Lua,
    reader: &'r mut ReplyReader<'a>,
    protocol: Protocol,
}

impl Converter<'_, '_> {
    fn next(&mut self) -> Result<Value, Error> {
        let lua = self.lua;
        let token = self.reader.next_token().map_err(Error::external)?;
        Ok(match token.expect("a handler writes whole replies") {
            Token::Bulk(text) => Value::String(lua.create_string(text)?),
            Token::Integer(value) => Value::Integer(value),
            Token::Status(text) => self.single("ok", text)?,
            Token::Error(text) => {
                let table = error_table(lua, text)?;
                table.raw_set("ignore_error_stats_update", true)?;
                Value::Table(table)
            }
            Token::Null if self.protocol == Protocol::Resp2 => Value::Boolean(false),
            Token::Null => Value::Nil,
            Token::Array(len) | Token::Push(len) => self.array(len)?,
            Token::Map(pairs) => self.map(pairs)?,
            Token::Set(len) => self.set(len)?,
            Token::Attribute(pairs) => {
                for _ in 0..pairs * 2 {
                    self.next()?;
                }
                self.next()?
            }
            Token::Double(value) => {
                let table = lua.create_table_with_capacity(0, 1)?;
                table.raw_set("double", value)?;
                Value::Table(table)
            }
            Token::Boolean(value) => Value::Boolean(value),
            Token::BigNumber(digits) => self.single("big_number", digits)?,
            Token::Verbatim(format, text) => {
                let inner = lua.create_table_with_capacity(0, 2)?;
                inner.raw_set("string", lua.create_string(text)?)?;
                inner.raw_set("format", lua.create_string(format)?)?;
                self.within("verbatim_string", Value::Table(inner))?
            }
        })
    }

    fn single(&self, name: &str, text: &[u8]) -> Result<Value, Error> {
        self.within(name, Value::String(self.lua.create_string(text)?))
    }

    fn within(&self, name: &str, value: Value) -> Result<Value, Error> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn array(&mut self, len: usize) -> Result<Value, Error> {
        let table = self.lua.create_table_with_capacity(len, 0)?;
        for place in 1..=len {
            let value = self.next()?;
            table.raw_set(place, value)?;
        }
        Ok(Value::Table(table))
    }

    /// A key that Lua has no name for goes with its value.
    fn map(&mut self, pairs: usize) -> Result<Value, Error> {
        let table = self.lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let key = self.next()?;
            let value = self.next()?;
            if !key.is_nil() {
                table.raw_set(key, value)?;
            }
        }
        self.within("map", Value::Table(table))
    }

    fn set(&mut self, len: usize) -> Result<Value, Error> {
        let table = self.lua.create_table_with_capacity(0, len)?;
        for _ in 0..len {
            let member = self.next()?;
            if !member.is_nil() {
                table.raw_set(member, true)?;
            }
        }
        self.within("set", Value::Table(table))
    }
}
