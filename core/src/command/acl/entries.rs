//! The entries of the family in the command table.

use crate::command::table::{Command, Group, flag};

const FLAGS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE;
const ADMIN: u32 = FLAGS | flag::ADMIN;
const EACH_USER: &str = "O(N). Where N is the number of configured users.";

const fn subcommand(name: &'static str, flags: u32) -> Command {
    Command { name, since: "6.0.0", group: Group::Server, flags, ..Command::DEFAULT }
}

pub(in crate::command) const COMMANDS: &[Command] = &[Command {
    name: "acl",
    summary: "A container for Access List Control commands.",
    since: "6.0.0",
    group: Group::Server,
    subcommands: SUBCOMMANDS,
    help: HELP,
    ..Command::CONTAINER
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Lists the ACL categories, or the commands inside a category.",
        complexity: "O(1) since the categories and commands are a fixed set.",
        grammar: "[category]",
        handler: super::cat,
        ..subcommand("cat", FLAGS)
    },
    Command {
        summary: "Deletes ACL users, and terminates their connections.",
        complexity: "O(1) amortized time considering the typical user.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "username...",
        handler: super::deluser,
        ..subcommand("deluser", ADMIN)
    },
    Command {
        summary: "Simulates the execution of a command by a user, without executing the command.",
        since: "7.0.0",
        complexity: "O(1).",
        grammar: "username command [arg...]",
        handler: super::dryrun,
        ..subcommand("dryrun", ADMIN)
    },
    Command {
        summary: "Generates a pseudorandom, secure password that can be used to identify ACL users.",
        grammar: "[bits:integer]",
        handler: super::genpass,
        ..subcommand("genpass", FLAGS)
    },
    Command {
        summary: "Lists the ACL rules of a user.",
        complexity: "O(N). Where N is the number of password, command and pattern rules that the \
                     user has.",
        grammar: "username",
        history: &[
            ("6.2.0", "Added Pub/Sub channel patterns."),
            (
                "7.0.0",
                "Added selectors and changed the format of key and channel patterns from a list to \
                 their rule representation.",
            ),
        ],
        handler: super::getuser,
        ..subcommand("getuser", ADMIN)
    },
    Command { since: "6.0.0", group: Group::Server, ..Command::HELP },
    Command {
        summary: "Dumps the effective rules in ACL file format.",
        complexity: EACH_USER,
        handler: super::list,
        ..subcommand("list", ADMIN)
    },
    Command {
        summary: "Reloads the rules from the configured ACL file.",
        complexity: EACH_USER,
        handler: super::load,
        ..subcommand("load", ADMIN)
    },
    Command {
        summary: "Lists recent security events generated due to ACL rules.",
        complexity: "O(N) with N being the number of entries shown.",
        grammar: "operation=[count:integer | RESET]",
        history: &[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")],
        handler: super::log_entries,
        ..subcommand("log", ADMIN)
    },
    Command {
        summary: "Saves the effective ACL rules in the configured ACL file.",
        complexity: EACH_USER,
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        handler: super::save,
        ..subcommand("save", ADMIN)
    },
    Command {
        summary: "Creates and modifies an ACL user and its rules.",
        complexity: "O(N). Where N is the number of rules provided.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "username [rule...]",
        history: &[
            ("6.2.0", "Added Pub/Sub channel patterns."),
            ("7.0.0", "Added selectors and key based permissions."),
        ],
        handler: super::setuser,
        ..subcommand("setuser", ADMIN)
    },
    Command {
        summary: "Lists all ACL users.",
        complexity: EACH_USER,
        handler: super::users,
        ..subcommand("users", ADMIN)
    },
    Command {
        summary: "Returns the authenticated username of the current connection.",
        handler: super::whoami,
        ..subcommand("whoami", FLAGS)
    },
];

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
];
