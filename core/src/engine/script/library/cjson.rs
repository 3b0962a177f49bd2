//! `cjson`: values as JSON, and back, with the settings that its functions change.

mod decode;
mod encode;
mod settings;

use super::super::arguments::Arguments;
use mlua::{Error, Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use settings::Settings;
use std::sync::Arc;

/// The value that stands for JSON's null.
fn null() -> Value {
    Value::LightUserData(mlua::LightUserData(std::ptr::null_mut()))
}

/// The metatable of arrays that were decoded, where that is asked for.
const ARRAY_METATABLE: &str = "keyslot.cjson.array";

/// Makes the library, with settings of its own.
pub(super) fn table(lua: &Lua) -> Result<Table, Error> {
    let settings = Arc::new(Mutex::new(Settings::default()));
    let table = lua.create_table()?;
    settings::add(lua, &table, &settings)?;
    let own = settings.clone();
    let encode = move |lua: &Lua, values: MultiValue| {
        let value = only(&Arguments::new(lua, values))?;
        let settings = *own.lock();
        lua.create_string(encode::encode(lua, &value, &settings)?)
    };
    table.set("encode", lua.create_function(encode)?)?;
    let decode = move |lua: &Lua, values: MultiValue| {
        let arguments = Arguments::new(lua, values);
        only(&arguments)?;
        let text = arguments.text(1)?;
        let settings = *settings.lock();
        decode::decode(lua, &text.as_bytes(), &settings)
    };
    table.set("decode", lua.create_function(decode)?)?;
    table.set("new", lua.create_function(|lua, _: MultiValue| self::table(lua))?)?;
    table.set("null", null())?;
    table.set("_NAME", "cjson")?;
    table.set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// The argument, if there is one and no more.
fn only(arguments: &Arguments<'_>) -> Result<Value, Error> {
    match arguments.at(1) {
        Some(value) if arguments.len() == 1 => Ok(value.clone()),
        _ => Err(arguments.refuse(1, "expected 1 argument")),
    }
}
