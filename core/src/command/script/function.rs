//! FUNCTION: what it takes, and what it asks of the interpreter.

use super::{FunctionRequest, LibraryFilter, NOT_BUILT_IN, RestorePolicy};
use crate::command::call::Call;
use crate::command::table::{Command, Group, flag};
use crate::error::Error;

const fn subcommand(name: &'static str) -> Command {
    Command {
        name,
        since: "7.0.0",
        group: Group::Scripting,
        flags: flag::NOSCRIPT | flag::RUNS_SCRIPTS,
        ..Command::DEFAULT
    }
}

/// A subcommand that changes libraries.
const fn writes(name: &'static str) -> Command {
    Command {
        flags: flag::NOSCRIPT | flag::WRITE | flag::RUNS_SCRIPTS,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..subcommand(name)
    }
}

/// A subcommand that is answered while a function runs.
const fn looks_on(name: &'static str) -> Command {
    Command { flags: flag::NOSCRIPT | flag::ALLOW_BUSY, ..subcommand(name) }
}

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Deletes a library and its functions.",
        grammar: "library-name",
        handler: delete,
        ..writes("delete")
    },
    Command {
        summary: "Dumps all libraries into a serialized binary payload.",
        complexity: "O(N) where N is the number of functions",
        handler: dump,
        ..subcommand("dump")
    },
    Command {
        summary: "Deletes all libraries and functions.",
        complexity: "O(N) where N is the number of functions deleted",
        grammar: "flush-type=[ASYNC | SYNC]",
        arity: Some(-2),
        handler: flush,
        ..writes("flush")
    },
    Command { since: "7.0.0", group: Group::Scripting, ..Command::HELP },
    Command {
        summary: "Terminates a function during execution.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: kill,
        ..looks_on("kill")
    },
    Command {
        summary: "Returns information about all libraries.",
        complexity: "O(N) where N is the number of functions",
        tips: &["nondeterministic_output_order"],
        grammar: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        handler: list,
        ..subcommand("list")
    },
    Command {
        summary: "Creates a library.",
        complexity: "O(1) (considering compilation time is redundant)",
        flags: writes("").flags | flag::DENYOOM,
        grammar: "[REPLACE] function-code",
        handler: load,
        ..writes("load")
    },
    Command {
        summary: "Restores all libraries from a payload.",
        complexity: "O(N) where N is the number of functions on the payload",
        flags: writes("").flags | flag::DENYOOM,
        grammar: "serialized-value policy=[FLUSH | APPEND | REPLACE]",
        handler: restore,
        ..writes("restore")
    },
    Command {
        summary: "Returns information about a function during execution.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: stats,
        ..looks_on("stats")
    },
];

pub(super) const HELP: &[&str] = &[
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Library description",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using \
     FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore \
     policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace \
     the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of \
     failure",
    "      in case of functions name collision with another library).",
];

fn ask(request: FunctionRequest<'_>, call: &mut Call<'_, '_>) -> Result<(), Error> {
    let interpreter = call.env.scripting.interpreter.as_ref().ok_or(NOT_BUILT_IN)?;
    interpreter.manage_functions(request, call)
}

/// As [`ask`], of what changes libraries.
fn ask_to_change(request: FunctionRequest<'_>, call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(request, call)?;
    call.keys.stats.changes += 1;
    Ok(())
}

fn misused(call: &Call<'_, '_>) -> Error {
    let start = "unknown subcommand or wrong number of arguments for '";
    Error::repeating(start, call.words[1], "'. Try FUNCTION HELP.")
}

fn load(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let [options @ .., text] = &call.words[2..] else { return Err(misused(call)) };
    if let Some(odd) = options.iter().find(|word| !word.eq_ignore_ascii_case(b"replace")) {
        return Err(Error::repeating("Unknown option given: ", odd, ""));
    }
    ask_to_change(FunctionRequest::Load { text, replace: !options.is_empty() }, call)
}

fn delete(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask_to_change(FunctionRequest::Delete(call.words[2]), call)
}

/// SYNC and ASYNC are the same: libraries are small.
fn flush(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.words {
        [_, _] => {}
        [_, _, how] if [&b"sync"[..], b"async"].iter().any(|one| how.eq_ignore_ascii_case(one)) => {
        }
        [_, _, _] => return Err(Error::err("FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(misused(call)),
    }
    ask_to_change(FunctionRequest::Flush, call)
}

impl<'a> LibraryFilter<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let mut filter = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if !filter.with_code && word.eq_ignore_ascii_case(b"withcode") {
                filter.with_code = true;
            } else if filter.pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
                let pattern = words.next().ok_or(Error::err("library name argument was not given"));
                filter.pattern = Some(pattern?);
            } else {
                return Err(Error::repeating("Unknown argument ", word, ""));
            }
        }
        Ok(filter)
    }
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(FunctionRequest::List(LibraryFilter::parse(&call.words[2..])?), call)
}

fn dump(call: &mut Call<'_, '_>) -> Result<(), Error> {
    ask(FunctionRequest::Dump, call)
}

fn restore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let [payload, policy @ ..] = &call.words[2..] else { return Err(misused(call)) };
    let policy = match policy {
        [] => RestorePolicy::Append,
        [word] => match &*word.to_ascii_lowercase() {
            b"append" => RestorePolicy::Append,
            b"replace" => RestorePolicy::Replace,
            b"flush" => RestorePolicy::Flush,
            _ => {
                let text = "Wrong restore policy given, value should be either FLUSH, APPEND or \
                            REPLACE.";
                return Err(Error::err(text));
            }
        },
        _ => return Err(misused(call)),
    };
    ask_to_change(FunctionRequest::Restore { payload, policy }, call)
}

fn kill(call: &mut Call<'_, '_>) -> Result<(), Error> {
    super::kill_script(call, true)?;
    call.out.ok();
    Ok(())
}

/// Tells of the function that runs for so long that others are told, and of how much there is.
fn stats(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let scripting = &call.env.scripting;
    if scripting.interpreter.is_none() {
        return Err(NOT_BUILT_IN);
    }
    // Between the commands of a transaction no script runs.
    let slow = if call.client.is_in_exec { None } else { scripting.slow_function()? };
    let figures = scripting.figures().libraries;
    let out = &mut *call.out;
    out.map(2);
    out.bulk(b"running_script");
    match slow {
        None => out.null(),
        Some(slow) => {
            let us = call.time.current_us().saturating_sub(slow.began_us);
            out.map(3);
            out.bulk(b"name");
            out.bulk(slow.name.as_bytes());
            out.bulk(b"command");
            out.array(slow.words.len());
            slow.words.iter().for_each(|word| out.bulk(word));
            out.bulk(b"duration_ms");
            out.integer((us / 1000) as i64);
        }
    }
    out.bulk(b"engines");
    out.map(1);
    out.bulk(b"LUA");
    out.map(2);
    out.bulk(b"libraries_count");
    out.integer(figures.libraries as i64);
    out.bulk(b"functions_count");
    out.integer(figures.functions as i64);
    Ok(())
}
