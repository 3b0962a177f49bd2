//! The functions of the table `redis` that scripts call.

use super::arguments::Arguments;
use super::fault::{Fault, error_table};
use super::functions::register_function;
use super::machine::Purpose;
use super::run::{Mode, with_run};
use super::to_lua;
use crate::resp::Protocol;
use mlua::{Error, Lua, MultiValue, Table, Value};
use sha1_smol::Sha1;

/// What Redis's version is said to be, and the same as a number.
const VERSION: &str = crate::command::REDIS_VERSION;

/// Makes the table. That of functions leaves out what is there for old scripts alone.
pub(super) fn table(lua: &Lua, purpose: Purpose) -> Result<Table, Error> {
    let table = lua.create_table()?;
    table.set("call", lua.create_function(|lua, words| command(lua, words, Mode::Raise))?)?;
    table.set("pcall", lua.create_function(|lua, words| command(lua, words, Mode::Return))?)?;
    table.set("acl_check_cmd", lua.create_function(acl_check)?)?;
    table.set("setresp", lua.create_function(set_protocol)?)?;
    table.set("error_reply", lua.create_function(error_reply)?)?;
    table.set("status_reply", lua.create_function(status_reply)?)?;
    table.set("set_repl", lua.create_function(set_replication)?)?;
    if purpose == Purpose::Scripts {
        table.set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
        table.set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
        table.set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    }
    let replication = [("NONE", 0), ("AOF", 1), ("SLAVE", 2), ("REPLICA", 2), ("ALL", 3)];
    for (name, value) in replication {
        table.set(format!("REPL_{name}"), value)?;
    }
    table.set("sha1hex", lua.create_function(sha1_hex)?)?;
    add_common(lua, &table)?;
    Ok(table)
}

/// Makes the table that a library has while it is loaded.
pub(super) fn loading(lua: &Lua) -> Result<Table, Error> {
    let table = lua.create_table()?;
    table.set("register_function", lua.create_function(register_function)?)?;
    add_common(lua, &table)?;
    Ok(table)
}

/// Adds what both tables have.
fn add_common(lua: &Lua, table: &Table) -> Result<(), Error> {
    table.set("log", lua.create_function(log)?)?;
    for (level, name) in ["DEBUG", "VERBOSE", "NOTICE", "WARNING"].into_iter().enumerate() {
        table.set(format!("LOG_{name}"), level)?;
    }
    table.set("REDIS_VERSION", VERSION)?;
    let parts = VERSION.split('.').filter_map(|part| part.parse::<i64>().ok());
    table.set("REDIS_VERSION_NUM", parts.fold(0, |sum, part| sum << 8 | part))?;
    Ok(())
}

const NO_WORDS: &str = "Please specify at least one argument for this redis lib call";
const NOT_WORDS: &str = "Lua redis lib command arguments must be strings or integers";

/// `redis.call` and `redis.pcall`.
fn command(lua: &Lua, words: MultiValue, mode: Mode) -> Result<Value, Error> {
    let done = with_run(|run| {
        if words.is_empty() {
            return Ok(Err(Fault::reply(NO_WORDS)));
        }
        run.begin_words();
        for word in &words {
            match word {
                Value::String(text) => run.add_text(&text.as_bytes()),
                Value::Integer(number) => run.add_number(*number as f64),
                Value::Number(number) => run.add_number(*number),
                _ => return Ok(Err(Fault::reply(NOT_WORDS))),
            }
        }
        if let Err(fault) = run.give(mode) {
            return Ok(Err(fault));
        }
        to_lua::value(lua, run.reply(), run.protocol()).map(Ok)
    })?;
    match done {
        Ok(value) => Ok(value),
        Err(Fault::Reply { text, counted }) if mode == Mode::Return => {
            let table = error_table(lua, &text)?;
            if counted {
                table.raw_set("ignore_error_stats_update", true)?;
            }
            Ok(Value::Table(table))
        }
        Err(fault) => Err(fault.raised()),
    }
}

/// Whether the script's user may give a command.
fn acl_check(_: &Lua, words: MultiValue) -> Result<bool, Error> {
    with_run(|run| {
        if words.is_empty() {
            return Err(Fault::reply(NO_WORDS).raised());
        }
        run.begin_words();
        for word in &words {
            match word {
                Value::String(text) => run.add_text(&text.as_bytes()),
                Value::Integer(number) => run.add_number(*number as f64),
                Value::Number(number) => run.add_number(*number),
                _ => return Err(Fault::reply(NOT_WORDS).raised()),
            }
        }
        let unknown = "Invalid command passed to redis.acl_check_cmd()";
        run.is_permitted().ok_or_else(|| Fault::reply(unknown).raised())
    })
}

fn set_protocol(lua: &Lua, values: MultiValue) -> Result<(), Error> {
    let arguments = Arguments::new(lua, values);
    if arguments.len() != 1 {
        return Err(Fault::reply("redis.setresp() requires one argument.").raised());
    }
    let protocol = match arguments.integer(1)? {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(Fault::reply("RESP version must be 2 or 3.").raised()),
    };
    with_run(|run| {
        run.set_protocol(protocol);
        Ok(())
    })
}

/// A table with one field, or an error's if that is not what was asked for.
fn reply_table(
    lua: &Lua,
    values: &MultiValue,
    make: impl FnOnce(&[u8]) -> Result<Table, Error>,
) -> Result<Table, Error> {
    match (values.len(), values.front()) {
        (1, Some(Value::String(text))) => make(&text.as_bytes()),
        _ => error_table(lua, b"ERR wrong number or type of arguments"),
    }
}

fn status_reply(lua: &Lua, values: MultiValue) -> Result<Table, Error> {
    reply_table(lua, &values, |text| {
        let table = lua.create_table()?;
        table.raw_set("ok", lua.create_string(text)?)?;
        Ok(table)
    })
}

/// The first word is a code if a hyphen says so, or if there are more.
fn error_reply(lua: &Lua, values: MultiValue) -> Result<Table, Error> {
    reply_table(lua, &values, |text| error_table(lua, &with_code(text)))
}

fn with_code(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (code, message) = match text.iter().position(|&byte| byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (&b"ERR"[..], text),
    };
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = message.iter().take_while(|byte| is_break(byte)).count();
    let end = message.iter().rev().take_while(|byte| is_break(byte)).count();
    let message = message.get(start..message.len() - end).unwrap_or_default();
    [code, b" ", message].concat()
}

fn set_replication(lua: &Lua, values: MultiValue) -> Result<(), Error> {
    let arguments = Arguments::new(lua, values);
    if arguments.len() != 1 {
        return Err(Fault::reply("redis.set_repl() requires two arguments.").raised());
    }
    if !(0..=3).contains(&arguments.integer(1)?) {
        let text = "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(Fault::reply(text).raised());
    }
    Ok(())
}

/// The arguments are checked; an embedded engine has no log of its own.
fn log(lua: &Lua, values: MultiValue) -> Result<(), Error> {
    let arguments = Arguments::new(lua, values);
    if arguments.len() < 2 {
        return Err(Fault::reply("redis.log() requires two arguments or more.").raised());
    }
    let Some(Value::Integer(_) | Value::Number(_)) = arguments.at(1) else {
        return Err(Fault::reply("First argument must be a number (log level).").raised());
    };
    if !(0..=3).contains(&arguments.integer(1)?) {
        return Err(Fault::reply("Invalid debug level.").raised());
    }
    Ok(())
}

fn sha1_hex(lua: &Lua, values: MultiValue) -> Result<String, Error> {
    let arguments = Arguments::new(lua, values);
    if arguments.len() != 1 {
        return Err(Fault::reply("wrong number of arguments").raised());
    }
    let text = match arguments.at(1) {
        Some(Value::String(_) | Value::Integer(_) | Value::Number(_)) => {
            arguments.text(1)?.as_bytes().to_vec()
        }
        _ => Vec::new(),
    };
    Ok(Sha1::from(text).digest().to_string())
}
