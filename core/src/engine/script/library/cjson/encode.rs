//! Values to JSON.

use super::ARRAY_METATABLE;
use super::settings::{InvalidNumbers, Settings};
use crate::engine::script::arguments::type_name;
use crate::engine::script::fault::raise;
use mlua::{Error, Lua, Table, Value};

/// However deep tables may be nested by the settings, Lua's own stack has an end.
const DEPTH_MAX: usize = 7_990;

/// A table that is being written: an array from the next place on, or the pairs that are left.
enum Open {
    Array { table: Table, next: i64, len: i64 },
    Object { pairs: std::vec::IntoIter<(Value, Value)>, is_first: bool },
}

/// Writes a value as JSON.
pub(super) fn encode(lua: &Lua, value: &Value, settings: &Settings) -> Result<Vec<u8>, Error> {
    let array_metatable = lua.named_registry_value::<Option<Table>>(ARRAY_METATABLE)?;
    let mut encoder = Encoder { lua, settings, array_metatable, out: Vec::new() };
    encoder.whole(value)?;
    Ok(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    array_metatable: Option<Table>,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn refuse(&self, value: &Value, reason: &str) -> Error {
        raise(self.lua, &format!("Cannot serialise {}: {reason}", type_name(value)))
    }

    /// Writes a value with everything in it. What is open is in a list, not on the stack.
    fn whole(&mut self, value: &Value) -> Result<(), Error> {
        let mut open = Vec::new();
        if let Some(table) = self.value(value)? {
            open.push(self.begin(table, 1)?);
        }
        while let Some(innermost) = open.last_mut() {
            match self.next_part(innermost)? {
                Some(value) => {
                    if let Some(table) = self.value(&value)? {
                        let table = self.begin(table, open.len() + 1)?;
                        open.push(table);
                    }
                }
                None => _ = open.pop(),
            }
        }
        Ok(())
    }

    /// Writes a value, unless it is a table, which is returned.
    fn value<'v>(&mut self, value: &'v Value) -> Result<Option<&'v Table>, Error> {
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(number) => self.number(*number as f64, value)?,
            Value::Number(number) => self.number(*number, value)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Table(table) => return Ok(Some(table)),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            other => return Err(self.refuse(other, "type not supported")),
        }
        Ok(None)
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let short = match byte {
                b'"' | b'\\' | b'/' => byte,
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0c => b'f',
                b'\r' => b'r',
                0..=0x1f | 0x7f => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend([b'\\', short]);
        }
        self.out.push(b'"');
    }

    fn number(&mut self, number: f64, value: &Value) -> Result<(), Error> {
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                InvalidNumbers::Refuse => {
                    return Err(self.refuse(value, "must not be NaN or Inf"));
                }
                InvalidNumbers::Write => {
                    let text = if number.is_nan() { "nan" } else { "inf" };
                    if number < 0.0 {
                        self.out.push(b'-');
                    }
                    self.out.extend_from_slice(text.as_bytes());
                }
                InvalidNumbers::Null => self.out.extend_from_slice(b"null"),
            }
            return Ok(());
        }
        let precision = self.settings.precision as usize;
        write_short(number, precision, &mut self.out);
        Ok(())
    }

    fn begin(&mut self, table: &Table, depth: usize) -> Result<Open, Error> {
        if depth as i64 > self.settings.encode_depth_max || depth > DEPTH_MAX {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(raise(self.lua, &text));
        }
        let is_marked = self.array_metatable.is_some() && table.metatable() == self.array_metatable;
        match self.array_len(table)? {
            Some(len) if len > 0 || is_marked => {
                self.out.push(b'[');
                Ok(Open::Array { table: table.clone(), next: 1, len })
            }
            _ => {
                self.out.push(b'{');
                let pairs = table.pairs().collect::<Result<Vec<_>, _>>()?;
                Ok(Open::Object { pairs: pairs.into_iter(), is_first: true })
            }
        }
    }

    /// Writes what comes before the next value of a table, and returns the value; or ends the table.
    fn next_part(&mut self, open: &mut Open) -> Result<Option<Value>, Error> {
        match open {
            Open::Array { next, len, .. } if *next > *len => {
                self.out.push(b']');
                Ok(None)
            }
            Open::Array { table, next, .. } => {
                if *next > 1 {
                    self.out.push(b',');
                }
                *next += 1;
                table.raw_get(*next - 1).map(Some)
            }
            Open::Object { pairs, is_first } => {
                let Some((key, value)) = pairs.next() else {
                    self.out.push(b'}');
                    return Ok(None);
                };
                if !std::mem::take(is_first) {
                    self.out.push(b',');
                }
                self.key(&key)?;
                Ok(Some(value))
            }
        }
    }

    fn key(&mut self, key: &Value) -> Result<(), Error> {
        match key {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.value(key)?;
                self.out.push(b'"');
            }
            other => return Err(self.refuse(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    /// The length of a table whose keys are whole numbers from one on; none of any other, or if it
    /// is so sparse that it is written as an object.
    fn array_len(&self, table: &Table) -> Result<Option<i64>, Error> {
        let (mut most, mut count, mut is_array) = (0i64, 0i64, true);
        for pair in table.pairs::<Value, Value>() {
            match pair?.0 {
                Value::Integer(key) if key >= 1 => {
                    most = most.max(key);
                    count += 1;
                }
                _ => {
                    is_array = false;
                    break;
                }
            }
        }
        if !is_array {
            return Ok(None);
        }
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = *self.settings;
        let is_sparse =
            sparse_ratio > 0 && most > count.saturating_mul(sparse_ratio) && most > sparse_safe;
        match is_sparse {
            false => Ok(Some(most)),
            true if sparse_convert => Ok(None),
            true => Err(self.refuse(&Value::Table(table.clone()), "excessively sparse array")),
        }
    }
}

/// Writes a finite number as C's `%.*g` does.
fn write_short(number: f64, precision: usize, out: &mut Vec<u8>) {
    let text = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision as i32 {
        out.extend_from_slice(without_zeros(digits).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    } else {
        let places = (precision as i32 - 1 - exponent).max(0) as usize;
        out.extend_from_slice(without_zeros(&format!("{number:.places$}")).as_bytes());
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(number: f64, precision: usize) -> String {
        let mut out = Vec::new();
        write_short(number, precision, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_as_short_as_c_prints_them() {
        for (number, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 14, "1"),
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1.0 / 3.0, 3, "0.333"),
            (123_456.0, 3, "1.23e+05"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (9.9999, 2, "10"),
            (1e300, 14, "1e+300"),
        ] {
            assert_eq!(short(number, precision), text);
        }
    }
}
