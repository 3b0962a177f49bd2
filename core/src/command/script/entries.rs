//! The entries of the family in the command table.

use crate::command::table::{Command, Group, flag, key_use};

const WRITING: u16 = key_use::RW | key_use::ACCESS | key_use::UPDATE;
const READING: u16 = key_use::RO | key_use::ACCESS;
const FLAGS: u32 = flag::NOSCRIPT
    | flag::STALE
    | flag::SKIP_MONITOR
    | flag::NO_MANDATORY_KEYS
    | flag::RUNS_SCRIPTS;

/// A command that runs a script, which may look at keys that the words do not tell.
const fn runs(name: &'static str) -> Command {
    Command {
        name,
        since: "2.6.0",
        complexity: "Depends on the script that is executed.",
        group: Group::Scripting,
        flags: FLAGS,
        keys: &[WRITING],
        reads_keys_by_value: |_| true,
        ..Command::DEFAULT
    }
}

/// The same for a script that only reads.
const fn only_reads(name: &'static str) -> Command {
    Command { since: "7.0.0", flags: FLAGS | flag::READONLY, keys: &[READING], ..runs(name) }
}

const fn subcommand(name: &'static str) -> Command {
    Command {
        name,
        since: "2.6.0",
        group: Group::Scripting,
        flags: flag::NOSCRIPT | flag::RUNS_SCRIPTS,
        ..Command::DEFAULT
    }
}

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command {
        summary: "Executes a server-side Lua script.",
        grammar: "script numkeys:integer [key...] [arg...]",
        key_notes: &[
            "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        ],
        handler: super::eval,
        ..runs("eval")
    },
    Command {
        summary: "Executes a server-side Lua script by SHA1 digest.",
        grammar: "sha1 numkeys:integer [key...] [arg...]",
        handler: super::evalsha,
        ..runs("evalsha")
    },
    Command {
        summary: "Executes a read-only server-side Lua script by SHA1 digest.",
        grammar: "sha1 numkeys:integer [key...] [arg...]",
        handler: super::evalsha,
        ..only_reads("evalsha_ro")
    },
    Command {
        summary: "Executes a read-only server-side Lua script.",
        grammar: "script numkeys:integer [key...] [arg...]",
        key_notes: &[
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        ],
        handler: super::eval,
        ..only_reads("eval_ro")
    },
    Command {
        since: "7.0.0",
        summary: "Invokes a function.",
        complexity: "Depends on the function that is executed.",
        grammar: "function numkeys:integer [key...] [arg...]",
        key_notes: &[
            "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        ],
        handler: super::fcall,
        ..runs("fcall")
    },
    Command {
        summary: "Invokes a read-only function.",
        complexity: "Depends on the function that is executed.",
        grammar: "function numkeys:integer [key...] [arg...]",
        key_notes: &[
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        ],
        handler: super::fcall,
        ..only_reads("fcall_ro")
    },
    Command {
        name: "function",
        summary: "A container for function commands.",
        since: "7.0.0",
        group: Group::Scripting,
        subcommands: super::function::SUBCOMMANDS,
        help: super::function::HELP,
        ..Command::CONTAINER
    },
    Command {
        name: "script",
        summary: "A container for Lua scripts management commands.",
        since: "2.6.0",
        group: Group::Scripting,
        subcommands: SUBCOMMANDS,
        help: HELP,
        ..Command::CONTAINER
    },
];

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Sets the debug mode of server-side Lua scripts.",
        since: "3.2.0",
        flags: flag::NOSCRIPT,
        grammar: "mode=(YES | SYNC | NO)",
        handler: super::debug,
        ..subcommand("debug")
    },
    Command {
        summary: "Determines whether server-side Lua scripts exist in the script cache.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script \
                     is an O(1) operation).",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        grammar: "sha1...",
        handler: super::exists,
        ..subcommand("exists")
    },
    Command {
        summary: "Removes all server-side Lua scripts from the script cache.",
        complexity: "O(N) with N being the number of scripts in cache",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "flush-type=[ASYNC | SYNC]@6.2.0",
        arity: Some(-2),
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        handler: super::flush,
        ..subcommand("flush")
    },
    Command { since: "5.0.0", group: Group::Scripting, ..Command::HELP },
    Command {
        summary: "Terminates a server-side Lua script during execution.",
        flags: flag::NOSCRIPT | flag::ALLOW_BUSY,
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: super::kill,
        ..subcommand("kill")
    },
    Command {
        summary: "Loads a server-side Lua script to the script cache.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        flags: flag::NOSCRIPT | flag::STALE | flag::RUNS_SCRIPTS,
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "script",
        handler: super::load,
        ..subcommand("load")
    },
    Command {
        summary: "Show server-side Lua script in the script cache.",
        since: "8.0.0",
        grammar: "sha1",
        handler: super::show,
        ..subcommand("show")
    },
];

const HELP: &[&str] = &[
    "DEBUG (YES|SYNC|NO)",
    "    Set the debug mode for subsequent scripts executed.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
    "SHOW <sha1>",
    "    Show a script from the scripts cache.",
];
