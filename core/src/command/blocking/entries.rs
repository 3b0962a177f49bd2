//! The entries of the family in the command table.

use crate::command::table::{Command, Deprecation, Group, category, flag, key_use};

const POPS: u16 = key_use::RW | key_use::ACCESS | key_use::DELETE;
const PUSHES: u16 = key_use::RW | key_use::INSERT;
const FLAGS: u32 = flag::WRITE | flag::BLOCKING;
const TIMEOUT_HISTORY: &[(&str, &str)] =
    &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];

const fn of_lists(name: &'static str) -> Command {
    Command { name, since: "2.0.0", group: Group::List, flags: FLAGS, ..Command::DEFAULT }
}

const fn of_zsets(name: &'static str) -> Command {
    Command {
        name,
        since: "5.0.0",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        group: Group::SortedSet,
        flags: FLAGS | flag::FAST,
        grammar: "key... timeout:double",
        keys: &[POPS],
        history: TIMEOUT_HISTORY,
        ..Command::DEFAULT
    }
}

const fn of_replicas(name: &'static str) -> Command {
    Command {
        name,
        group: Group::Generic,
        flags: flag::BLOCKING,
        categories: Some(category::CONNECTION),
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Command::DEFAULT
    }
}

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command {
        summary: "Pops an element from a list, pushes it to another list and returns it. Blocks \
                  until an element is available otherwise. Deletes the list if the last element \
                  was moved.",
        since: "6.2.0",
        flags: FLAGS | flag::DENYOOM,
        grammar: "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT) \
                  timeout:double",
        keys: &[POPS, PUSHES],
        handler: super::blmove,
        ..of_lists("blmove")
    },
    Command {
        summary: "Pops the first element from one of multiple lists. Blocks until an element is \
                  available otherwise. Deletes the list if the last element was popped.",
        since: "7.0.0",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of \
                     elements returned.",
        grammar: "timeout:double numkeys:integer key... where=(LEFT | RIGHT) \
                  [COUNT count:integer]",
        keys: &[POPS],
        handler: super::blmpop,
        ..of_lists("blmpop")
    },
    Command {
        summary: "Removes and returns the first element in a list. Blocks until an element is \
                  available otherwise. Deletes the list if the last element was popped.",
        complexity: "O(N) where N is the number of provided keys.",
        grammar: "key... timeout:double",
        keys: &[POPS],
        history: TIMEOUT_HISTORY,
        handler: super::blpop,
        ..of_lists("blpop")
    },
    Command {
        summary: "Removes and returns the last element in a list. Blocks until an element is \
                  available otherwise. Deletes the list if the last element was popped.",
        complexity: "O(N) where N is the number of provided keys.",
        grammar: "key... timeout:double",
        keys: &[POPS],
        history: TIMEOUT_HISTORY,
        handler: super::brpop,
        ..of_lists("brpop")
    },
    Command {
        summary: "Pops an element from a list, pushes it to another list and returns it. Block \
                  until an element is available otherwise. Deletes the list if the last element \
                  was popped.",
        since: "2.2.0",
        flags: FLAGS | flag::DENYOOM,
        grammar: "source:key destination:key timeout:double",
        keys: &[POPS, PUSHES],
        history: TIMEOUT_HISTORY,
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
        }),
        handler: super::brpoplpush,
        ..of_lists("brpoplpush")
    },
    Command {
        summary: "Removes and returns a member by score from one or more sorted sets. Blocks \
                  until a member is available otherwise. Deletes the sorted set if the last \
                  element was popped.",
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the \
                     number of elements in the sorted set, and M being the number of elements \
                     popped.",
        flags: FLAGS,
        grammar: "timeout:double numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
        history: &[],
        handler: super::bzmpop,
        ..of_zsets("bzmpop")
    },
    Command {
        summary: "Removes and returns the member with the highest score from one or more sorted \
                  sets. Blocks until a member available otherwise.  Deletes the sorted set if the \
                  last element was popped.",
        handler: super::bzpopmax,
        ..of_zsets("bzpopmax")
    },
    Command {
        summary: "Removes and returns the member with the lowest score from one or more sorted \
                  sets. Blocks until a member is available otherwise. Deletes the sorted set if \
                  the last element was popped.",
        handler: super::bzpopmin,
        ..of_zsets("bzpopmin")
    },
    Command {
        summary: "Blocks until the asynchronous replication of all preceding write commands sent \
                  by the connection is completed.",
        since: "3.0.0",
        grammar: "numreplicas:integer timeout:integer",
        handler: super::wait,
        ..of_replicas("wait")
    },
    Command {
        summary: "Blocks until all of the preceding write commands sent by the connection are \
                  written to the append-only file of the master and/or replicas.",
        since: "7.2.0",
        grammar: "numlocal:integer numreplicas:integer timeout:integer",
        handler: super::waitaof,
        ..of_replicas("waitaof")
    },
];
