//! The set family. How sets lie in memory, and their algebra, is `value::set`'s.

mod algebra;
mod members;
mod random;

use super::table::{Command, Group, flag, key_use};

const ORDER: &[&str] = &["nondeterministic_output_order"];
const OUTPUT: &[&str] = &["nondeterministic_output"];

const INTERSECTION: &str = "O(N*M) worst case where N is the cardinality of the smallest set and \
                            M is the number of sets.";
const ALL_MEMBERS: &str = "O(N) where N is the total number of elements in all given sets.";
const BY_COUNT: &str = "Without the count argument O(1), otherwise O(N) where N is the value of \
                        the passed count.";

const fn set(name: &'static str, flags: u32) -> Command {
    Command { name, group: Group::Set, flags, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is \
                     called with multiple arguments.",
        grammar: "key member...",
        keys: &[key_use::RW | key_use::INSERT],
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        handler: members::sadd,
        ..set("sadd", flag::WRITE | flag::DENYOOM | flag::FAST)
    },
    Command {
        summary: "Returns the number of members in a set.",
        grammar: "key",
        keys: &[key_use::RO],
        handler: members::scard,
        ..set("scard", flag::READONLY | flag::FAST)
    },
    Command {
        summary: "Returns the difference of multiple sets.",
        complexity: ALL_MEMBERS,
        tips: ORDER,
        grammar: "key...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: algebra::sdiff,
        ..set("sdiff", flag::READONLY)
    },
    Command {
        summary: "Stores the difference of multiple sets in a key.",
        complexity: ALL_MEMBERS,
        grammar: STORE_GRAMMAR,
        keys: STORE_KEYS,
        handler: algebra::sdiffstore,
        ..set("sdiffstore", flag::WRITE | flag::DENYOOM)
    },
    Command {
        summary: "Returns the intersect of multiple sets.",
        complexity: INTERSECTION,
        tips: ORDER,
        grammar: "key...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: algebra::sinter,
        ..set("sinter", flag::READONLY)
    },
    Command {
        summary: "Returns the number of members of the intersect of multiple sets.",
        since: "7.0.0",
        complexity: INTERSECTION,
        grammar: "numkeys:integer key... [LIMIT limit:integer]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: algebra::sintercard,
        ..set("sintercard", flag::READONLY)
    },
    Command {
        summary: "Stores the intersect of multiple sets in a key.",
        complexity: INTERSECTION,
        grammar: STORE_GRAMMAR,
        keys: &[key_use::RW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        handler: algebra::sinterstore,
        ..set("sinterstore", flag::WRITE | flag::DENYOOM)
    },
    Command {
        summary: "Determines whether a member belongs to a set.",
        grammar: "key member",
        keys: &[key_use::RO],
        handler: members::sismember,
        ..set("sismember", flag::READONLY | flag::FAST)
    },
    Command {
        summary: "Returns all members of a set.",
        complexity: "O(N) where N is the set cardinality.",
        tips: ORDER,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: members::smembers,
        ..set("smembers", flag::READONLY)
    },
    Command {
        summary: "Determines whether multiple members belong to a set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of elements being checked for membership",
        grammar: "key member...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: members::smismember,
        ..set("smismember", flag::READONLY | flag::FAST)
    },
    Command {
        summary: "Moves a member from one set to another.",
        grammar: "source:key destination:key member",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE, key_use::RW | key_use::INSERT],
        handler: members::smove,
        ..set("smove", flag::WRITE | flag::FAST)
    },
    Command {
        summary: "Returns one or more random members from a set after removing them. Deletes the \
                  set after the last member was popped.",
        complexity: BY_COUNT,
        tips: OUTPUT,
        grammar: "key [count:integer@3.2.0]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        history: &[("3.2.0", "Added the `count` argument.")],
        handler: random::spop,
        ..set("spop", flag::WRITE | flag::FAST)
    },
    Command {
        summary: "Get one or multiple random members from a set",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value \
                     of the passed count.",
        tips: OUTPUT,
        grammar: "key [count:integer@2.6.0]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("2.6.0", "Added the optional `count` argument.")],
        handler: random::srandmember,
        ..set("srandmember", flag::READONLY)
    },
    Command {
        summary: "Removes one or more members from a set. Deletes the set after the last member \
                  was removed.",
        complexity: "O(N) where N is the number of members to be removed.",
        grammar: "key member...",
        keys: &[key_use::RW | key_use::DELETE],
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        handler: members::srem,
        ..set("srem", flag::WRITE | flag::FAST)
    },
    Command {
        summary: "Iterates over members of a set.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command \
                     calls for the cursor to return back to 0. N is the number of elements inside \
                     the collection.",
        tips: OUTPUT,
        grammar: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: members::sscan,
        ..set("sscan", flag::READONLY)
    },
    Command {
        summary: "Returns the union of multiple sets.",
        complexity: ALL_MEMBERS,
        tips: ORDER,
        grammar: "key...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: algebra::sunion,
        ..set("sunion", flag::READONLY)
    },
    Command {
        summary: "Stores the union of multiple sets in a key.",
        complexity: ALL_MEMBERS,
        grammar: STORE_GRAMMAR,
        keys: STORE_KEYS,
        handler: algebra::sunionstore,
        ..set("sunionstore", flag::WRITE | flag::DENYOOM)
    },
];

const STORE_GRAMMAR: &str = "destination:key key...";
const STORE_KEYS: &[u16] = &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS];
