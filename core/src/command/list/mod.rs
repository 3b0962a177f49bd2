//! The list family: LPUSH, LRANGE and their like. How lists lie in memory is `value::list`'s.

mod edit;
mod push_pop;
mod range;
mod transfer;

pub(super) use push_pop::pop_one;
pub(super) use transfer::{PopOptions, move_one, parse_end, pop_first};

use super::table::{Command, Deprecation, Group, flag, key_use};
use crate::error::Error;
use crate::resp::number::parse_i64;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "lindex",
        summary: "Returns an element from a list by its index.",
        complexity: "O(N) where N is the number of elements to traverse to get to the element at \
                     index. This makes asking for the first or the last element of the list O(1).",
        group: Group::List,
        flags: flag::READONLY,
        grammar: "key index:integer",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: range::lindex,
        ..Command::DEFAULT
    },
    Command {
        name: "linsert",
        summary: "Inserts an element before or after another element in a list.",
        since: "2.2.0",
        complexity: "O(N) where N is the number of elements to traverse before seeing the value \
                     pivot. This means that inserting somewhere on the left end on the list (head) \
                     can be considered O(1) and inserting somewhere on the right end (tail) is \
                     O(N).",
        group: Group::List,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key where=(BEFORE | AFTER) pivot element",
        keys: &[key_use::RW | key_use::INSERT],
        handler: edit::linsert,
        ..Command::DEFAULT
    },
    Command {
        name: "llen",
        summary: "Returns the length of a list.",
        group: Group::List,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: range::llen,
        ..Command::DEFAULT
    },
    Command {
        name: "lmove",
        summary: "Returns an element after popping it from one list and pushing it to another. \
                  Deletes the list if the last element was moved.",
        since: "6.2.0",
        group: Group::List,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE, key_use::RW | key_use::INSERT],
        handler: transfer::lmove,
        ..Command::DEFAULT
    },
    Command {
        name: "lmpop",
        summary: "Returns multiple elements from a list after removing them. Deletes the list if \
                  the last element was popped.",
        since: "7.0.0",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements \
                     returned.",
        group: Group::List,
        flags: flag::WRITE,
        grammar: "numkeys:integer key... where=(LEFT | RIGHT) [COUNT count:integer]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: transfer::lmpop,
        ..Command::DEFAULT
    },
    Command {
        name: "lpop",
        summary: "Returns the first elements in a list after removing it. Deletes the list if the \
                  last element was popped.",
        ..popping(push_pop::lpop)
    },
    Command {
        name: "lpos",
        summary: "Returns the index of matching elements in a list.",
        since: "6.0.6",
        complexity: "O(N) where N is the number of elements in the list, for the average case. \
                     When searching for elements near the head or the tail of the list, or when \
                     the MAXLEN option is provided, the command may run in constant time.",
        group: Group::List,
        flags: flag::READONLY,
        grammar: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: range::lpos,
        ..Command::DEFAULT
    },
    Command {
        name: "lpush",
        summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
        history: PUSH_HISTORY,
        ..pushing(push_pop::lpush)
    },
    Command {
        name: "lpushx",
        summary: "Prepends one or more elements to a list only when the list exists.",
        since: "2.2.0",
        history: PUSHX_HISTORY,
        ..pushing(push_pop::lpushx)
    },
    Command {
        name: "lrange",
        summary: "Returns a range of elements from a list.",
        complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, \
                     from nearest end (HEAD or TAIL) for large lists; and N is the number of \
                     elements in the specified range.",
        group: Group::List,
        flags: flag::READONLY,
        grammar: "key start:integer stop:integer",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: range::lrange,
        ..Command::DEFAULT
    },
    Command {
        name: "lrem",
        summary: "Removes elements from a list. Deletes the list if the last element was removed.",
        complexity: "O(N+M) where N is the length of the list and M is the number of elements \
                     removed.",
        group: Group::List,
        flags: flag::WRITE,
        grammar: "key count:integer element",
        keys: &[key_use::RW | key_use::DELETE],
        handler: edit::lrem,
        ..Command::DEFAULT
    },
    Command {
        name: "lset",
        summary: "Sets the value of an element in a list by its index.",
        complexity: "O(N) where N is the length of the list. Setting either the first or the last \
                     element of the list is O(1).",
        group: Group::List,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key index:integer element",
        keys: &[key_use::RW | key_use::UPDATE],
        handler: edit::lset,
        ..Command::DEFAULT
    },
    Command {
        name: "ltrim",
        summary: "Removes elements from both ends a list. Deletes the list if all elements were \
                  trimmed.",
        complexity: "O(N) where N is the number of elements to be removed by the operation.",
        group: Group::List,
        flags: flag::WRITE,
        grammar: "key start:integer stop:integer",
        keys: &[key_use::RW | key_use::DELETE],
        handler: edit::ltrim,
        ..Command::DEFAULT
    },
    Command {
        name: "rpop",
        summary: "Returns and removes the last elements of a list. Deletes the list if the last \
                  element was popped.",
        ..popping(push_pop::rpop)
    },
    Command {
        name: "rpoplpush",
        summary: "Returns the last element of a list after removing and pushing it to another \
                  list. Deletes the list if the last element was popped.",
        since: "1.2.0",
        group: Group::List,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "source:key destination:key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE, key_use::RW | key_use::INSERT],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
        }),
        handler: transfer::rpoplpush,
        ..Command::DEFAULT
    },
    Command {
        name: "rpush",
        summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
        history: PUSH_HISTORY,
        ..pushing(push_pop::rpush)
    },
    Command {
        name: "rpushx",
        summary: "Appends an element to a list only when the list exists.",
        since: "2.2.0",
        history: PUSHX_HISTORY,
        ..pushing(push_pop::rpushx)
    },
];

const PUSH_HISTORY: &[(&str, &str)] = &[("2.4.0", "Accepts multiple `element` arguments.")];
const PUSHX_HISTORY: &[(&str, &str)] = &[("4.0.0", "Accepts multiple `element` arguments.")];

/// What the commands that push have in common.
const fn pushing(handler: super::table::Handler) -> Command {
    Command {
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is \
                     called with multiple arguments.",
        group: Group::List,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key element...",
        keys: &[key_use::RW | key_use::INSERT],
        handler,
        ..Command::DEFAULT
    }
}

/// What the commands that pop have in common.
const fn popping(handler: super::table::Handler) -> Command {
    Command {
        complexity: "O(N) where N is the number of elements returned",
        group: Group::List,
        flags: flag::WRITE | flag::FAST,
        grammar: "key [count:integer]@6.2.0",
        // More words than it takes are refused by the command itself.
        arity: Some(-2),
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        history: &[("6.2.0", "Added the `count` argument.")],
        handler,
        ..Command::DEFAULT
    }
}

const NOT_SYMMETRIC: Error = Error::err(
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/// Reads a number that has to have an opposite.
fn symmetric(word: &[u8]) -> Result<i64, Error> {
    match parse_i64(word).ok_or(Error::NOT_INTEGER)? {
        i64::MIN => Err(NOT_SYMMETRIC),
        number => Ok(number),
    }
}
