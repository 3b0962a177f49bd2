//! MODULE: libraries that are made for redis-server's own process, which this is not.

use super::call::Call;
use super::table::{Command, Group, flag};
use crate::config::Allowed;
use crate::error::Error;

const LOADING: u32 = flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING;

const fn subcommand(name: &'static str, flags: u32) -> Command {
    Command { name, since: "4.0.0", group: Group::Server, flags, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "module",
    summary: "A container for module commands.",
    since: "4.0.0",
    group: Group::Server,
    subcommands: &[
        Command { since: "5.0.0", group: Group::Server, ..Command::HELP },
        Command {
            summary: "Returns all loaded modules.",
            complexity: "O(N) where N is the number of loaded modules.",
            tips: &["nondeterministic_output_order"],
            handler: list,
            ..subcommand("list", flag::ADMIN | flag::NOSCRIPT)
        },
        Command {
            summary: "Loads a module.",
            grammar: "path [arg...]",
            handler: load,
            ..subcommand("load", LOADING)
        },
        Command {
            summary: "Loads a module using extended parameters.",
            since: "7.0.0",
            grammar: "path [CONFIG configs=(name value)]... [ARGS args=(arg)...]",
            arity: Some(-3),
            handler: load,
            ..subcommand("loadex", LOADING)
        },
        Command {
            summary: "Unloads a module.",
            grammar: "name",
            handler: unload,
            ..subcommand("unload", LOADING)
        },
    ],
    help: &[
        "LIST",
        "    Return a list of loaded modules.",
        "LOAD <path> [<arg> ...]",
        "    Load a module library from <path>, passing to it any optional arguments.",
        "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
        "    Load a module library from <path>, while passing it module configurations and optional \
         arguments.",
        "UNLOAD <name>",
        "    Unload a module.",
    ],
    ..Command::CONTAINER
}];

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.array(0);
    Ok(())
}

fn check_allowed(call: &Call<'_, '_>) -> Result<(), Error> {
    const NOT_ALLOWED: Error = Error::err(
        "MODULE command not allowed. If the enable-module-command option is set to \"local\", you \
         can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    );
    match call.env.config.modules_allowed() {
        Allowed::Yes => Ok(()),
        Allowed::Local if call.client.is_local() => Ok(()),
        Allowed::Local | Allowed::No => Err(NOT_ALLOWED),
    }
}

fn load(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_allowed(call)?;
    Err(Error::err(
        "Error loading the extension: modules are made for redis-server's own process, which this is \
         not",
    ))
}

fn unload(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_allowed(call)?;
    Err(Error::err("Error unloading module: no such module with that name"))
}
