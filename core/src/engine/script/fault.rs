//! Errors on their way through Lua: what a native function raises, and what a script sees of it.

use mlua::{Error, Lua, Table, Value};
use std::fmt;

/// The name of the chunk that Lua's own functions are wrapped in. Redis has no such wrappers.
pub(super) const PRELUDE: &str = "=[keyslot]";
const PRELUDE_POSITION: &[u8] = b"[keyslot]:";

/// What a native function raises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A table with this text, as commands that fail raise it. `counted` says that the engine's
    /// figures have it already.
    Reply { text: Vec<u8>, counted: bool },
    /// A string.
    Text(Vec<u8>),
    /// The end of the script, which it cannot catch, and where it was.
    End { source: String, line: i64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { text, .. } | Self::Text(text) => {
                f.write_str(&String::from_utf8_lossy(text))
            }
            Self::End { .. } => f.write_str("the script was ended"),
        }
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// An `ERR` as a table.
    pub(super) fn reply(text: &str) -> Self {
        Self::Reply { text: format!("ERR {text}").into_bytes(), counted: false }
    }

    /// As an error that Lua carries.
    pub(super) fn raised(self) -> Error {
        Error::external(self)
    }

    /// The fault that an error carries, if it does.
    pub(super) fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::CallbackError { cause, .. } => Self::of(cause),
            Error::ExternalError(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// What a script sees.
    fn value(&self, lua: &Lua) -> Result<Value, Error> {
        match self {
            Self::Reply { text, counted } => {
                let table = error_table(lua, text)?;
                if *counted {
                    table.raw_set("ignore_error_stats_update", true)?;
                }
                Ok(Value::Table(table))
            }
            Self::Text(text) => Ok(Value::String(lua.create_string(text)?)),
            Self::End { .. } => Err(self.clone().raised()),
        }
    }
}

/// The table by which scripts know an error.
pub(super) fn error_table(lua: &Lua, text: &[u8]) -> Result<Table, Error> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    Ok(table)
}

/// Whether the engine's figures have an error already, as its table says.
pub(super) fn is_counted(problem: &Table) -> Result<bool, Error> {
    let counted: Value = problem.raw_get("ignore_error_stats_update")?;
    Ok(!matches!(counted, Value::Nil | Value::Boolean(false)))
}

/// Whether an error value ends the script: one of the interpreter itself, which no script may catch.
pub(super) fn ends(_: &Lua, problem: Value) -> Result<bool, Error> {
    let Value::Error(error) = problem else { return Ok(false) };
    Ok(match Fault::of(&error) {
        Some(fault) => matches!(fault, Fault::End { .. }),
        None => !is_out_of_memory(&error),
    })
}

/// Makes of an error value what a script sees of it. What ends the script is raised again.
pub(super) fn seen(lua: &Lua, problem: Value) -> Result<Value, Error> {
    let Value::Error(error) = problem else { return Ok(problem) };
    match Fault::of(&error) {
        Some(fault) => fault.value(lua),
        None if is_out_of_memory(&error) => {
            Ok(Value::String(lua.create_string("not enough memory")?))
        }
        None => Err(*error),
    }
}

fn is_out_of_memory(error: &Error) -> bool {
    match error {
        Error::CallbackError { cause, .. } => is_out_of_memory(cause),
        Error::MemoryError(_) => true,
        _ => false,
    }
}

/// Where a script is: the source of its function, and the line.
struct Position {
    source: String,
    short: String,
    line: Option<usize>,
}

/// The end of the script, wherever it is.
pub(super) fn end(lua: &Lua) -> Error {
    let (source, line) = match position(lua, 0) {
        Some(at) => (at.source, at.line.map_or(-1, |line| line as i64)),
        None => (String::new(), -1),
    };
    Fault::End { source, line }.raised()
}

/// The innermost function that is a script's own, from a level on. Natives and wrappers are passed
/// over.
fn position(lua: &Lua, first: usize) -> Option<Position> {
    for level in first.. {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.unwrap_or_default();
            let is_own = source.what != "C" && source.what != "tail" && name != PRELUDE;
            is_own.then(|| Position {
                source: name.into_owned(),
                short: source.short_src.unwrap_or_default().into_owned(),
                line: frame.current_line(),
            })
        })?;
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Makes the table that is answered of an error that no script caught: its text, and where it was
/// raised.
pub(super) fn report(lua: &Lua, problem: Value) -> Result<Value, Error> {
    let at = position(lua, 1);
    let table = match problem {
        Value::Table(table) => table,
        Value::String(text) => {
            error_table(lua, &[b"ERR ", &*placed(&text.as_bytes(), at.as_ref())].concat())?
        }
        other => return Ok(other),
    };
    if let Some(Position { source, line, .. }) = at {
        table.raw_set("source", source)?;
        table.raw_set("line", line.map_or(-1, |line| line as i64))?;
    }
    Ok(Value::Table(table))
}

/// The text of an error that was raised within a wrapper, as if there were none.
fn placed(text: &[u8], at: Option<&Position>) -> Vec<u8> {
    let Some(rest) = text.strip_prefix(PRELUDE_POSITION) else { return text.to_vec() };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let message = rest[digits..].strip_prefix(b": ").unwrap_or(&rest[digits..]);
    match at {
        Some(Position { short, line: Some(line), .. }) => {
            [format!("{short}:{line}: ").as_bytes(), message].concat()
        }
        _ => message.to_vec(),
    }
}

/// Raises a text with the place in the script before it, as `luaL_error` does.
pub(super) fn raise(lua: &Lua, message: &str) -> Error {
    let place = lua.inspect_stack(1, |frame| {
        let line = frame.current_line()?;
        let source = frame.source();
        Some(format!("{}:{line}: ", source.short_src.unwrap_or_default()))
    });
    let place = place.flatten().unwrap_or_default();
    Fault::Text((place + message).into_bytes()).raised()
}

/// Raises that an argument does not fit, as `luaL_argerror` does.
pub(super) fn bad_argument(lua: &Lua, number: usize, what: &str) -> Error {
    let called = lua.inspect_stack(0, |frame| {
        let names = frame.names();
        (names.name.unwrap_or_default().into_owned(), names.name_what == Some("method"))
    });
    let (name, is_method) = called.unwrap_or_default();
    let name = if name.is_empty() { "?" } else { name.as_str() };
    if is_method && number == 1 {
        return raise(lua, &format!("calling '{name}' on bad self ({what})"));
    }
    let number = number - usize::from(is_method);
    raise(lua, &format!("bad argument #{number} to '{name}' ({what})"))
}
