//! `redis.register_function`, by which the code of a library tells its functions while it is loaded.

use super::super::arguments::Arguments;
use super::super::fault::Fault;
use super::super::source::{BAD_NAME, flag, parse_name};
use mlua::{Error, Function, Lua, MultiValue, Table, Value};
use scoped_tls_hkt::scoped_thread_local;

/// A function as a library tells it.
pub(in super::super) struct Registration {
    pub(super) name: String,
    pub(super) callback: Function,
    pub(super) description: Option<Box<[u8]>>,
    pub(super) flags: u32,
}

/// What native functions want of the loading that they are called in.
pub(in super::super) trait Loading {
    /// Takes note of a function, unless the library has one of that name.
    fn add(&mut self, registration: Registration) -> Result<(), Fault>;
    /// Ends a loading that takes too long.
    fn check_time(&self) -> Result<(), Error>;
}

scoped_thread_local!(pub(in super::super) static mut LOADING: for<'a> &'a mut (dyn Loading + 'a));

/// Takes `(name, callback)`, or a table with those and more.
pub(in super::super) fn register_function(lua: &Lua, values: MultiValue) -> Result<(), Error> {
    if !LOADING.is_set() {
        let text = "redis.register_function can only be called on FUNCTION LOAD command";
        return Err(Fault::reply(text).raised());
    }
    let parts = Parts::read(lua, values).map_err(|text| Fault::reply(text).raised())?;
    let registration = parts.check().map_err(|text| Fault::reply(text).raised())?;
    LOADING.with(|loading| loading.add(registration)).map_err(Fault::raised)
}

/// What was said of a function so far.
#[derive(Default)]
struct Parts {
    name: Option<Vec<u8>>,
    callback: Option<Function>,
    description: Option<Box<[u8]>>,
    flags: u32,
}

impl Parts {
    fn read(lua: &Lua, values: MultiValue) -> Result<Self, &'static str> {
        let arguments = Arguments::new(lua, values);
        match (arguments.len(), arguments.at(1)) {
            (1, Some(Value::Table(table))) => Self::read_table(lua, table),
            (1, _) => Err("calling redis.register_function with a single argument is only \
                           applicable to Lua table (representing named arguments)."),
            (2, _) => Self::read_pair(&arguments),
            _ => Err("wrong number of arguments to redis.register_function"),
        }
    }

    fn read_pair(arguments: &Arguments<'_>) -> Result<Self, &'static str> {
        const NAMELESS: &str = "first argument to redis.register_function must be a string";
        let name = arguments.text(1).map_err(|_| NAMELESS)?.as_bytes().to_vec();
        let Some(Value::Function(callback)) = arguments.at(2) else {
            return Err("second argument to redis.register_function must be a function");
        };
        Ok(Self { name: Some(name), callback: Some(callback.clone()), ..Self::default() })
    }

    fn read_table(lua: &Lua, table: &Table) -> Result<Self, &'static str> {
        let mut parts = Self::default();
        for pair in table.pairs::<Value, Value>() {
            let (key, value) =
                pair.map_err(|_| "unknown argument given to redis.register_function")?;
            parts.read_named(lua, &key, value)?;
        }
        Ok(parts)
    }

    fn read_named(&mut self, lua: &Lua, key: &Value, value: Value) -> Result<(), &'static str> {
        let key = text(lua, key)
            .ok_or("named argument key given to redis.register_function is not a string")?;
        match &*key.to_ascii_lowercase() {
            b"function_name" => {
                let name = text(lua, &value).ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?;
                self.name = Some(name);
            }
            b"description" => {
                let description = text(lua, &value).ok_or(
                    "description argument given to redis.register_function must be a string",
                )?;
                self.description = Some(description.into());
            }
            b"callback" => {
                let Value::Function(callback) = value else {
                    return Err(
                        "callback argument given to redis.register_function must be a function",
                    );
                };
                self.callback = Some(callback);
            }
            b"flags" => {
                let Value::Table(names) = value else {
                    return Err("flags argument to redis.register_function must be a table \
                                representing function flags");
                };
                self.flags = read_flags(lua, &names).ok_or("unknown flag given")?;
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
        Ok(())
    }

    fn check(self) -> Result<Registration, &'static str> {
        let Self { name, callback, description, flags } = self;
        let name = name.ok_or("redis.register_function must get a function name argument")?;
        let callback = callback.ok_or("redis.register_function must get a callback argument")?;
        let name = parse_name(&name).ok_or(BAD_NAME)?;
        Ok(Registration { name, callback, description, flags })
    }
}

/// The flags that a list names, up to its first gap.
fn read_flags(lua: &Lua, names: &Table) -> Option<u32> {
    let mut flags = 0;
    for place in 1.. {
        match names.raw_get(place).ok()? {
            Value::Nil => break,
            name => flags |= flag::of_function(&text(lua, &name)?)?,
        }
    }
    Some(flags)
}

/// A string, or a number as one.
fn text(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => {
            Some(lua.coerce_string(value.clone()).ok()??.as_bytes().to_vec())
        }
        _ => None,
    }
}
