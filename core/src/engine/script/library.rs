//! The libraries that Redis gives to scripts beside Lua's own.

mod bit;
mod cjson;
mod cmsgpack;
mod structs;

use mlua::{Error, Lua, Table};
use std::time::Instant;

/// Adds the libraries to a table.
pub(super) fn add(lua: &Lua, table: &Table) -> Result<(), Error> {
    table.set("bit", bit::table(lua)?)?;
    table.set("struct", structs::table(lua)?)?;
    table.set("cjson", cjson::table(lua)?)?;
    table.set("cmsgpack", cmsgpack::table(lua)?)?;
    let started = Instant::now();
    table.set("clock", lua.create_function(move |_, ()| Ok(started.elapsed().as_secs_f64()))?)
}
