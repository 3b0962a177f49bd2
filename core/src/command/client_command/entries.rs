//! The entries of CLIENT and its subcommands in the command table.

use crate::command::table::{Command, Group, flag};

const FLAGS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE;

const fn subcommand(name: &'static str) -> Command {
    Command { name, group: Group::Connection, flags: FLAGS, ..Command::DEFAULT }
}

pub(in crate::command) const CLIENT: Command = Command {
    name: "client",
    summary: "A container for client connection commands.",
    since: "2.4.0",
    group: Group::Connection,
    subcommands: SUBCOMMANDS,
    help: HELP,
    ..Command::CONTAINER
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Instructs the server whether to track the keys in the next request.",
        since: "6.0.0",
        grammar: "mode=(YES | NO)",
        handler: super::tracking::caching,
        ..subcommand("caching")
    },
    Command {
        summary: "Returns the name of the connection.",
        since: "2.6.9",
        handler: super::getname,
        ..subcommand("getname")
    },
    Command {
        summary: "Returns the client ID to which the connection's tracking notifications are \
                  redirected.",
        since: "6.0.0",
        handler: super::tracking::getredir,
        ..subcommand("getredir")
    },
    Command { since: "5.0.0", group: Group::Connection, ..Command::HELP },
    Command {
        summary: "Returns the unique client ID of the connection.",
        since: "5.0.0",
        handler: super::id,
        ..subcommand("id")
    },
    Command {
        summary: "Returns information about the connection.",
        since: "6.2.0",
        tips: &["nondeterministic_output"],
        handler: super::info,
        ..subcommand("info")
    },
    Command {
        summary: "Terminates open connections.",
        since: "2.4.0",
        complexity: "O(N) where N is the number of client connections",
        flags: FLAGS | flag::ADMIN,
        grammar: "filter=(old-format | new-format=([ID client-id:integer]@2.8.12 | \
                  [TYPE client-type=(NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB)]@2.8.12 | \
                  [USER username] | [ADDR addr] | [LADDR laddr]@6.2.0 | \
                  [SKIPME skipme=(YES | NO)] | [MAXAGE maxage:integer]@7.4.0)...)",
        history: &[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            (
                "5.0.0",
                "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward \
                 compatibility.",
            ),
            ("6.2.0", "`LADDR` option."),
            ("7.4.0", "`MAXAGE` option."),
        ],
        arity: Some(-3),
        handler: super::kill,
        ..subcommand("kill")
    },
    Command {
        summary: "Lists open connections.",
        since: "2.4.0",
        complexity: "O(N) where N is the number of client connections",
        flags: FLAGS | flag::ADMIN,
        tips: &["nondeterministic_output"],
        grammar: "[TYPE client-type=(NORMAL | MASTER | REPLICA | PUBSUB)]@5.0.0 [ID \
                  client-id:integer...]@6.2.0",
        history: &[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` \
                 filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ],
        handler: super::list,
        ..subcommand("list")
    },
    Command {
        summary: "Sets the client eviction mode of the connection.",
        since: "7.0.0",
        flags: FLAGS | flag::ADMIN,
        grammar: "enabled=(ON | OFF)",
        handler: super::no_evict,
        ..subcommand("no-evict")
    },
    Command {
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed \
                  keys.",
        since: "7.2.0",
        grammar: "enabled=(ON | OFF)",
        handler: super::no_touch,
        ..subcommand("no-touch")
    },
    Command {
        summary: "Suspends commands processing.",
        since: "2.9.50",
        flags: FLAGS | flag::ADMIN,
        grammar: "timeout:integer [mode=(WRITE | ALL)]@6.2.0",
        history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
        handler: super::pause,
        ..subcommand("pause")
    },
    Command {
        summary: "Instructs the server whether to reply to commands.",
        since: "3.2.0",
        grammar: "action=(ON | OFF | SKIP)",
        handler: super::reply,
        ..subcommand("reply")
    },
    Command {
        summary: "Sets information specific to the client or connection.",
        since: "7.2.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "attr=(LIB-NAME libname | LIB-VER libver)",
        handler: super::setinfo,
        ..subcommand("setinfo")
    },
    Command {
        summary: "Sets the connection name.",
        since: "2.6.9",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "connection-name",
        handler: super::setname,
        ..subcommand("setname")
    },
    Command {
        summary: "Controls server-assisted client-side caching for the connection.",
        since: "6.0.0",
        complexity: "O(1). Some options may introduce additional complexity.",
        grammar: "status=(ON | OFF) [REDIRECT client-id:integer] [(PREFIX prefix)...] [BCAST] \
                  [OPTIN] [OPTOUT] [NOLOOP]",
        handler: super::tracking::tracking,
        ..subcommand("tracking")
    },
    Command {
        summary: "Returns information about server-assisted client-side caching for the connection.",
        since: "6.2.0",
        handler: super::tracking::trackinginfo,
        ..subcommand("trackinginfo")
    },
    Command {
        summary: "Unblocks a client blocked by a blocking command from a different connection.",
        since: "5.0.0",
        complexity: "O(log N) where N is the number of client connections",
        flags: FLAGS | flag::ADMIN,
        grammar: "client-id:integer unblock-type=[TIMEOUT | ERROR]",
        handler: super::unblock,
        ..subcommand("unblock")
    },
    Command {
        summary: "Resumes processing commands from paused clients.",
        since: "6.2.0",
        complexity: "O(N) Where N is the number of paused clients",
        flags: FLAGS | flag::ADMIN,
        handler: super::unpause,
        ..subcommand("unpause")
    },
];

/// What CLIENT HELP prints.
const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
];
