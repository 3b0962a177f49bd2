//! CONFIG: settings by name and by pattern. What settings there are, and what they take, is
//! `config`'s.

use super::call::Call;
use super::glob;
use super::policy;
use super::table::{Command, Group, flag};
use crate::config::{Allowed, Authority};
use crate::error::Error;

const FLAGS: u32 = flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE;

const fn subcommand(name: &'static str) -> Command {
    Command { name, since: "2.0.0", group: Group::Server, flags: FLAGS, ..Command::DEFAULT }
}

pub(super) const CONFIG: Command = Command {
    name: "config",
    summary: "A container for server configuration commands.",
    since: "2.0.0",
    group: Group::Server,
    subcommands: &[
        Command {
            summary: "Returns the effective values of configuration parameters.",
            complexity: "O(N) when N is the number of configuration parameters provided",
            grammar: "parameter...",
            history: &[(
                "7.0.0",
                "Added the ability to pass multiple pattern parameters in one call",
            )],
            handler: get,
            ..subcommand("get")
        },
        Command { since: "5.0.0", group: Group::Server, ..Command::HELP },
        Command {
            summary: "Resets the server's statistics.",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: resetstat,
            ..subcommand("resetstat")
        },
        Command {
            summary: "Persists the effective configuration to file.",
            since: "2.8.0",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: rewrite,
            ..subcommand("rewrite")
        },
        Command {
            summary: "Sets configuration parameters in-flight.",
            complexity: "O(N) when N is the number of configuration parameters provided",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            grammar: "data=(parameter value)...",
            history: &[("7.0.0", "Added the ability to set multiple parameters in one call.")],
            handler: set,
            ..subcommand("set")
        },
    ],
    help: &[
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
    ],
    ..Command::CONTAINER
};

/// Answers settings by name, as the client writes it, and by pattern, each once.
fn get(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let config = &call.env.config;
    let mut found: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for &pattern in &call.words[2..] {
        let has = |found: &[(&[u8], Vec<u8>)], name: &[u8]| {
            found.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
            if !has(&found, pattern) {
                found.extend(config.value(pattern).map(|value| (pattern, value)));
            }
            continue;
        }
        for (name, at) in config.names() {
            let name = name.as_bytes();
            if glob::matches_ignoring_case(pattern, name) && !has(&found, name) {
                found.push((name, config.value_at(at)));
            }
        }
    }
    call.out.map(found.len());
    for (name, value) in found {
        call.out.bulk(name);
        call.out.bulk(&value);
    }
    Ok(())
}

fn set(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let words = &call.words[2..];
    if !words.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let changes: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|two| (two[0], two[1])).collect();
    let config = &call.env.config;
    let trusted = match config.protected_allowed() {
        Allowed::No => false,
        Allowed::Yes => true,
        Allowed::Local => call.client.is_local(),
    };
    config.set(&changes, if trusted { Authority::Trusted } else { Authority::Running })?;
    policy::apply(config, call.keys.keyspace());
    call.env.note_settings(call.client, &changes);
    call.out.ok();
    Ok(())
}

fn resetstat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.env.reset_stats();
    call.out.ok();
    Ok(())
}

fn rewrite(_call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::err("The server is running without a config file"))
}
