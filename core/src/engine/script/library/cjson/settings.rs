//! The settings of the library, and the functions that tell and change them.

use crate::engine::script::arguments::Arguments;
use mlua::{Error, Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use std::sync::Arc;

/// What becomes of numbers that JSON cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidNumbers {
    Refuse,
    Write,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) sparse_convert: bool,
    /// How many times more places than values make an array sparse; zero for no number.
    pub(super) sparse_ratio: i64,
    /// Up to this many places no array is.
    pub(super) sparse_safe: i64,
    pub(super) encode_depth_max: i64,
    pub(super) decode_depth_max: i64,
    /// Digits of a number.
    pub(super) precision: i64,
    pub(super) keep_buffer: bool,
    pub(super) encode_invalid_numbers: InvalidNumbers,
    pub(super) decode_invalid_numbers: bool,
    /// Whether arrays that were decoded are known as such, empty ones too.
    pub(super) mark_arrays: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1_000,
            decode_depth_max: 1_000,
            precision: 14,
            keep_buffer: true,
            encode_invalid_numbers: InvalidNumbers::Refuse,
            decode_invalid_numbers: true,
            mark_arrays: false,
        }
    }
}

type Shared = Arc<Mutex<Settings>>;
type Change = fn(&mut Settings, &Arguments<'_>) -> Result<MultiValue, Error>;

/// The functions, with the most arguments that each takes.
const FUNCTIONS: &[(&str, usize, Change)] = &[
    ("encode_sparse_array", 3, |settings, given| {
        let convert = flag(given, 1, &mut settings.sparse_convert)?;
        let ratio = integer(given, 2, &mut settings.sparse_ratio, 0, INT)?;
        let safe = integer(given, 3, &mut settings.sparse_safe, 0, INT)?;
        Ok([convert, ratio, safe].into_iter().collect())
    }),
    ("encode_max_depth", 1, |settings, given| {
        integer(given, 1, &mut settings.encode_depth_max, 1, INT).map(one)
    }),
    ("decode_max_depth", 1, |settings, given| {
        integer(given, 1, &mut settings.decode_depth_max, 1, INT).map(one)
    }),
    ("encode_number_precision", 1, |settings, given| {
        integer(given, 1, &mut settings.precision, 1, 14).map(one)
    }),
    ("encode_keep_buffer", 1, |settings, given| flag(given, 1, &mut settings.keep_buffer).map(one)),
    ("encode_invalid_numbers", 1, |settings, given| {
        invalid_numbers(given, &mut settings.encode_invalid_numbers).map(one)
    }),
    ("decode_invalid_numbers", 1, |settings, given| {
        flag(given, 1, &mut settings.decode_invalid_numbers).map(one)
    }),
    ("decode_array_with_array_mt", 1, |settings, given| {
        flag(given, 1, &mut settings.mark_arrays).map(one)
    }),
];

const INT: i64 = i32::MAX as i64;

fn one(value: Value) -> MultiValue {
    std::iter::once(value).collect()
}

/// Adds the functions to the library.
pub(super) fn add(lua: &Lua, table: &Table, settings: &Shared) -> Result<(), Error> {
    for &(name, most, change) in FUNCTIONS {
        let settings = settings.clone();
        let function = move |lua: &Lua, values: MultiValue| {
            let arguments = Arguments::new(lua, values);
            if arguments.len() > most {
                return Err(arguments.refuse(most + 1, "found too many arguments"));
            }
            change(&mut settings.lock(), &arguments)
        };
        table.set(name, lua.create_function(function)?)?;
    }
    Ok(())
}

fn given<'a>(arguments: &'a Arguments<'_>, place: usize) -> Option<&'a Value> {
    arguments.at(place).filter(|value| !value.is_nil())
}

fn integer(
    arguments: &Arguments<'_>,
    place: usize,
    setting: &mut i64,
    min: i64,
    max: i64,
) -> Result<Value, Error> {
    if given(arguments, place).is_some() {
        let value = arguments.integer(place)?;
        if !(min..=max).contains(&value) {
            let text = format!("expected integer between {min} and {max}");
            return Err(arguments.refuse(1, &text));
        }
        *setting = value;
    }
    Ok(Value::Integer(*setting))
}

fn flag(arguments: &Arguments<'_>, place: usize, setting: &mut bool) -> Result<Value, Error> {
    match given(arguments, place) {
        None => {}
        Some(Value::Boolean(value)) => *setting = *value,
        Some(_) => *setting = option(arguments, place, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn invalid_numbers(
    arguments: &Arguments<'_>,
    setting: &mut InvalidNumbers,
) -> Result<Value, Error> {
    const ALL: [InvalidNumbers; 3] =
        [InvalidNumbers::Refuse, InvalidNumbers::Write, InvalidNumbers::Null];
    match given(arguments, 1) {
        None => {}
        Some(Value::Boolean(value)) => *setting = ALL[usize::from(*value)],
        Some(_) => *setting = ALL[option(arguments, 1, &["off", "on", "null"])?],
    }
    Ok(match setting {
        InvalidNumbers::Refuse => Value::Boolean(false),
        InvalidNumbers::Write => Value::Boolean(true),
        InvalidNumbers::Null => Value::String(arguments.lua.create_string("null")?),
    })
}

fn option(arguments: &Arguments<'_>, place: usize, names: &[&str]) -> Result<usize, Error> {
    let text = arguments.text(place)?;
    let found = names.iter().position(|name| name.as_bytes() == &*text.as_bytes());
    let refused = || {
        let text = text.to_string_lossy();
        arguments.refuse(place, &format!("invalid option '{text}'"))
    };
    found.ok_or_else(refused)
}
