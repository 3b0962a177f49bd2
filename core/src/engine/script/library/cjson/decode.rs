//! JSON to values.

use super::settings::Settings;
use super::{ARRAY_METATABLE, null};
use crate::engine::script::fault::raise;
use mlua::{Error, Lua, Table, Value};

/// Reads a JSON text, which is one value.
pub(super) fn decode(lua: &Lua, text: &[u8], settings: &Settings) -> Result<Value, Error> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(raise(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let array_metatable = if settings.mark_arrays { Some(array_metatable(lua)?) } else { None };
    let mut decoder = Decoder { lua, text, at: 0, settings, array_metatable };
    let value = decoder.whole()?;
    match decoder.next_token() {
        Token { kind: Kind::End, .. } => Ok(value),
        token => Err(decoder.unexpected("the end", &token)),
    }
}

/// The metatable by which arrays are known, which is made when it is first needed.
fn array_metatable(lua: &Lua) -> Result<Table, Error> {
    if let Some(table) = lua.named_registry_value::<Option<Table>>(ARRAY_METATABLE)? {
        return Ok(table);
    }
    let table = lua.create_table()?;
    lua.set_named_registry_value(ARRAY_METATABLE, &table)?;
    Ok(table)
}

/// However deep tables may be nested by the settings, Lua's own stack has an end.
const DEPTH_MAX: usize = 3_990;

#[derive(Debug, PartialEq)]
enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Kind {
    /// As errors name it.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(what) => what,
        }
    }
}

struct Token {
    kind: Kind,
    at: usize,
}

/// A table that is being read: with the key of the next value, or its place.
enum Open {
    Object { table: Table, key: Vec<u8> },
    Array { table: Table, place: i64 },
}

/// What a token is the start of.
enum Start {
    Value(Value),
    Table(Open),
}

struct Decoder<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    settings: &'a Settings,
    array_metatable: Option<Table>,
}

impl Decoder<'_> {
    /// The byte at a place; zero beyond the end, as C has it.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, wanted: &str, token: &Token) -> Error {
        let (found, place) = (token.kind.name(), token.at + 1);
        raise(self.lua, &format!("Expected {wanted} but found {found} at character {place}"))
    }

    fn next_token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(at) {
            b'{' => Kind::ObjectBegin,
            b'}' => Kind::ObjectEnd,
            b'[' => Kind::ArrayBegin,
            b']' => Kind::ArrayEnd,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            0 => return Token { kind: Kind::End, at },
            _ => {
                let kind = self.long_token();
                // An error is where it was met, anything else where it began.
                let at = if matches!(kind, Kind::Error(_)) { self.at } else { at };
                return Token { kind, at };
            }
        };
        self.at += 1;
        Token { kind: single, at }
    }

    fn long_token(&mut self) -> Kind {
        const INVALID: Kind = Kind::Error("invalid token");
        let words =
            [("true", Kind::Boolean(true)), ("false", Kind::Boolean(false)), ("null", Kind::Null)];
        match self.byte(self.at) {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid_numbers && self.is_invalid_number() {
                    return Kind::Error("invalid number");
                }
                self.number()
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => {
                for (word, kind) in words {
                    if self.rest().starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return kind;
                    }
                }
                if self.settings.decode_invalid_numbers && self.is_invalid_number() {
                    return self.number();
                }
                INVALID
            }
            _ => INVALID,
        }
    }

    /// Whether a number is one that only C knows.
    fn is_invalid_number(&self) -> bool {
        let rest = self.rest();
        let rest = match rest {
            [b'+', ..] => return true,
            [b'-', rest @ ..] => rest,
            _ => rest,
        };
        match rest {
            [b'0', next, ..] => next | 0x20 == b'x' || next.is_ascii_digit(),
            [first, ..] if *first <= b'9' => false,
            [a, b, c, ..] => {
                let word = [a, b, c].map(u8::to_ascii_lowercase);
                word == *b"inf" || word == *b"nan"
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Kind {
        match read_number(self.rest()) {
            Some((number, len)) => {
                self.at += len;
                Kind::Number(number)
            }
            None => Kind::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Kind {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    return Kind::String(text);
                }
                0 => return Kind::Error("unexpected end of string"),
                b'\\' => {
                    let plain = match self.byte(self.at + 1) {
                        escape @ (b'"' | b'\\' | b'/') => escape,
                        b'b' => 0x08,
                        b'f' => 0x0c,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            if !self.unicode_escape(&mut text) {
                                return Kind::Error("invalid unicode escape code");
                            }
                            continue;
                        }
                        _ => return Kind::Error("invalid escape code"),
                    };
                    text.push(plain);
                    self.at += 2;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Reads an escape of four digits, or two that make a pair. Returns whether it is one.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(first) = self.four_digits(self.at + 2) else { return false };
        let (code, len) = match first {
            0xdc00..=0xdfff => return false,
            0xd800..=0xdbff => {
                let is_pair = self.byte(self.at + 6) == b'\\' && self.byte(self.at + 7) == b'u';
                let second = self.four_digits(self.at + 8).filter(|_| is_pair);
                let Some(second @ 0xdc00..=0xdfff) = second else { return false };
                (0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff), 12)
            }
            code => (code, 6),
        };
        let Some(code) = char::from_u32(code) else { return false };
        text.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        true
    }

    fn four_digits(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        let add = |sum: u32, byte: &u8| Some(sum << 4 | char::from(*byte).to_digit(16)?);
        digits.iter().try_fold(0, add)
    }

    /// Reads a value with everything in it. What is open is in a list, not on the stack.
    fn whole(&mut self) -> Result<Value, Error> {
        let mut open: Vec<Open> = Vec::new();
        let mut token = self.next_token();
        loop {
            let mut value = match self.start(token, open.len())? {
                Start::Value(value) => value,
                Start::Table(table) => {
                    open.push(table);
                    token = self.next_token();
                    continue;
                }
            };
            loop {
                let Some(innermost) = open.last_mut() else { return Ok(value) };
                if let Some(next) = self.add(innermost, value)? {
                    token = next;
                    break;
                }
                value = match open.pop() {
                    Some(Open::Object { table, .. } | Open::Array { table, .. }) => {
                        Value::Table(table)
                    }
                    None => unreachable!("a table was open"),
                };
            }
        }
    }

    /// What a token starts; an empty table is whole at once.
    fn start(&mut self, token: Token, depth: usize) -> Result<Start, Error> {
        Ok(Start::Value(match token.kind {
            Kind::String(text) => Value::String(self.lua.create_string(text)?),
            Kind::Number(number) => Value::Number(number),
            Kind::Boolean(value) => Value::Boolean(value),
            Kind::Null => null(),
            Kind::ObjectBegin => {
                let table = self.new_table(depth + 1)?;
                match self.next_token() {
                    Token { kind: Kind::ObjectEnd, .. } => Value::Table(table),
                    token => {
                        let key = self.key(token)?;
                        return Ok(Start::Table(Open::Object { table, key }));
                    }
                }
            }
            Kind::ArrayBegin => {
                let table = self.new_table(depth + 1)?;
                if let Some(metatable) = &self.array_metatable {
                    table.set_metatable(Some(metatable.clone()))?;
                }
                let at = self.at;
                match self.next_token().kind {
                    Kind::ArrayEnd => Value::Table(table),
                    _ => {
                        self.at = at;
                        return Ok(Start::Table(Open::Array { table, place: 1 }));
                    }
                }
            }
            _ => return Err(self.unexpected("value", &token)),
        }))
    }

    fn new_table(&self, depth: usize) -> Result<Table, Error> {
        if depth as i64 > self.settings.decode_depth_max || depth > DEPTH_MAX {
            let at = self.at;
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(raise(self.lua, &text));
        }
        self.lua.create_table()
    }

    /// The key that a token is, with the colon after it.
    fn key(&mut self, token: Token) -> Result<Vec<u8>, Error> {
        let Kind::String(key) = token.kind else {
            return Err(self.unexpected("object key string", &token));
        };
        match self.next_token() {
            Token { kind: Kind::Colon, .. } => Ok(key),
            token => Err(self.unexpected("colon", &token)),
        }
    }

    /// Adds a value to a table, and returns the token that the next one starts with; none at the
    /// table's end.
    fn add(&mut self, open: &mut Open, value: Value) -> Result<Option<Token>, Error> {
        match open {
            Open::Object { table, key } => {
                table.raw_set(self.lua.create_string(&*key)?, value)?;
                let token = self.next_token();
                match token.kind {
                    Kind::ObjectEnd => return Ok(None),
                    Kind::Comma => {
                        let token = self.next_token();
                        *key = self.key(token)?;
                    }
                    _ => return Err(self.unexpected("comma or object end", &token)),
                }
            }
            Open::Array { table, place } => {
                table.raw_set(*place, value)?;
                *place += 1;
                let token = self.next_token();
                match token.kind {
                    Kind::ArrayEnd => return Ok(None),
                    Kind::Comma => {}
                    _ => return Err(self.unexpected("comma or array end", &token)),
                }
            }
        }
        Ok(Some(self.next_token()))
    }
}

/// Reads the number at the start of a text as C's `strtod` does, and its length.
fn read_number(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text, [b'+' | b'-', ..]));
    let rest = &text[sign..];
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let word = |word: &str| {
        rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let named = [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)];
    if let Some((name, value)) = named.into_iter().find(|(name, _)| word(name)) {
        let value = if text[0] == b'-' { -value } else { value };
        return Some((value, sign + name.len()));
    }
    if let [b'0', b'x' | b'X', rest @ ..] = rest {
        let mut len = rest.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'.').count();
        if rest[..len].iter().any(u8::is_ascii_hexdigit) {
            len += exponent_len(&rest[len..], b'p');
            let end = sign + 2 + len;
            let value = crate::resp::number::parse_c_double(&text[..end])?;
            return Some((value, end));
        }
    }
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut all = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        all += fraction;
        end += if all > 0 { 1 + fraction } else { 0 };
    }
    if all == 0 {
        return None;
    }
    end += exponent_len(&text[end..], b'e');
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, end))
}

/// The length of an exponent that begins with a letter, zero if there is none.
fn exponent_len(text: &[u8], letter: u8) -> usize {
    if text.first().is_none_or(|first| first.to_ascii_lowercase() != letter) {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits = text[1 + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 { 1 + sign + digits } else { 0 }
}
