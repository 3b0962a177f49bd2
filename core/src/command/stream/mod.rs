//! The stream family: XADD, XREADGROUP and their like. How streams lie in memory is
//! `value::stream`'s.

mod add;
mod claim;
mod group;
mod info;
mod pending;
mod range;
mod read;
mod release;
mod reply;

use super::call::Call;
use super::table::{Command, Group, flag, key_use};
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use crate::value::stream::{StreamId, parse};

const RO: u16 = key_use::RO | key_use::ACCESS;
const UPDATE: u16 = key_use::RW | key_use::UPDATE;
const INSERT: u16 = key_use::RW | key_use::INSERT;
const DELETE: u16 = key_use::RW | key_use::DELETE;

const fn entry(name: &'static str) -> Command {
    Command { name, since: "5.0.0", group: Group::Stream, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Returns the number of messages that were successfully acknowledged by the \
                  consumer group member of a stream.",
        complexity: "O(1) for each message ID processed.",
        flags: flag::WRITE | flag::FAST,
        grammar: "key group id...",
        keys: &[UPDATE],
        handler: group::xack,
        ..entry("xack")
    },
    Command {
        summary: "Acknowledges and deletes one or multiple messages for a stream consumer group.",
        since: "8.2.0",
        complexity: "O(1) for each message ID processed.",
        flags: flag::WRITE | flag::FAST,
        grammar: "key group condition=[KEEPREF | DELREF | ACKED] IDS ids=(numids:integer id...)",
        keys: &[DELETE],
        handler: release::xackdel,
        ..entry("xackdel")
    },
    Command {
        summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
        complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of \
                     entries evicted.",
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        tips: &["nondeterministic_output"],
        grammar: "key [NOMKSTREAM]@6.2.0 condition=[KEEPREF | DELREF | ACKED]@8.2.0 [trim=(strategy=(MAXLEN | MINID@6.2.0) operator=[equal== \
                  | approximately=~] threshold [LIMIT count:integer]@6.2.0)] \
                  id-selector=(auto-id=* | id) data=(field value)...",
        keys: &[UPDATE],
        key_notes: &["UPDATE instead of INSERT because of the optional trimming feature"],
        history: &[
            (
                "6.2.0",
                "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
            ),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        handler: add::xadd,
        ..entry("xadd")
    },
    Command {
        summary: "Changes, or acquires, ownership of messages in a consumer group, as if the \
                  messages were delivered to as consumer group member.",
        since: "6.2.0",
        complexity: "O(1) if COUNT is small.",
        flags: flag::WRITE | flag::FAST,
        tips: &["nondeterministic_output"],
        grammar: "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
        keys: &[DELETE],
        history: &[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared \
             from the PEL",
        )],
        handler: claim::xautoclaim,
        ..entry("xautoclaim")
    },
    Command {
        summary: "Changes, or acquires, ownership of a message in a consumer group, as if the \
                  message was delivered a consumer group member.",
        complexity: "O(log N) with N being the number of messages in the PEL of the consumer \
                     group.",
        flags: flag::WRITE | flag::FAST,
        tips: &["nondeterministic_output"],
        grammar: "key group consumer min-idle-time id... [IDLE ms:integer] [TIME \
                  unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] \
                  [LASTID lastid]",
        keys: &[UPDATE],
        handler: claim::xclaim,
        ..entry("xclaim")
    },
    Command {
        summary: "Returns the number of messages after removing them from a stream.",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream \
                     size.",
        flags: flag::WRITE | flag::FAST,
        grammar: "key id...",
        keys: &[DELETE],
        handler: add::xdel,
        ..entry("xdel")
    },
    Command {
        summary: "Deletes one or multiple entries from the stream.",
        since: "8.2.0",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream \
                     size.",
        flags: flag::WRITE | flag::FAST,
        grammar: "key condition=[KEEPREF | DELREF | ACKED] IDS ids=(numids:integer id...)",
        keys: &[DELETE],
        handler: release::xdelex,
        ..entry("xdelex")
    },
    Command {
        name: "xgroup",
        summary: "A container for consumer groups commands.",
        since: "5.0.0",
        group: Group::Stream,
        subcommands: GROUP_SUBCOMMANDS,
        help: GROUP_HELP,
        ..Command::CONTAINER
    },
    Command {
        name: "xinfo",
        summary: "A container for stream introspection commands.",
        since: "5.0.0",
        group: Group::Stream,
        subcommands: INFO_SUBCOMMANDS,
        help: INFO_HELP,
        ..Command::CONTAINER
    },
    Command {
        summary: "Return the number of messages in a stream.",
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: range::xlen,
        ..entry("xlen")
    },
    Command {
        summary: "Returns the information and entries from a stream consumer group's pending \
                  entries list.",
        complexity: "O(N) with N being the number of elements returned, so asking for a small \
                     fixed number of entries per call is O(1). O(M), where M is the total number \
                     of entries scanned when used with the IDLE filter. When the command returns \
                     just the summary and the list of consumers is small, it runs in O(1) time; \
                     otherwise, an additional O(N) time for iterating every consumer.",
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key group [filters=([IDLE min-idle-time:integer]@6.2.0 start end count:integer \
                  [consumer])]",
        keys: &[RO],
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        handler: pending::xpending,
        ..entry("xpending")
    },
    Command {
        summary: "Returns the messages from a stream within a range of IDs.",
        complexity: RANGE_COMPLEXITY,
        flags: flag::READONLY,
        grammar: "key start end [COUNT count:integer]",
        keys: &[RO],
        history: &[("6.2.0", "Added exclusive ranges.")],
        handler: range::xrange,
        ..entry("xrange")
    },
    Command {
        summary: "Returns messages from multiple streams with IDs greater than the ones \
                  requested. Blocks until a message is available otherwise.",
        complexity: "For each stream mentioned: O(N) with N being the number of elements being \
                     returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when \
                     the BLOCK option is used, XADD will pay O(M) time in order to serve the M \
                     clients blocked on the stream getting new data.",
        flags: flag::READONLY | flag::BLOCKING,
        grammar: "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams=(key... \
             id...)",
        keys: &[RO],
        find_keys: Some(read::keys_of_read),
        handler: read::xread,
        ..entry("xread")
    },
    Command {
        summary: "Returns new or historical messages from a stream for a consumer in a group. \
                  Blocks until a message is available otherwise.",
        complexity: "For each stream mentioned: O(M) with M being the number of elements \
                     returned. If M is constant (e.g. always asking for the first 10 elements \
                     with COUNT), you can consider it O(1). On the other side when XREADGROUP \
                     blocks, XADD will pay the O(N) time in order to serve the N clients blocked \
                     on the stream getting new data.",
        flags: flag::WRITE | flag::BLOCKING,
        grammar: "GROUP group-block=(group consumer) [COUNT count:integer] [BLOCK \
                  milliseconds:integer] [NOACK] STREAMS streams=(key... id...)",
        keys: &[RO],
        find_keys: Some(read::keys_of_read),
        handler: read::xread,
        ..entry("xreadgroup")
    },
    Command {
        summary: "Returns the messages from a stream within a range of IDs in reverse order.",
        complexity: REVERSE_RANGE_COMPLEXITY,
        flags: flag::READONLY,
        grammar: "key end start [COUNT count:integer]",
        keys: &[RO],
        history: &[("6.2.0", "Added exclusive ranges.")],
        handler: range::xrevrange,
        ..entry("xrevrange")
    },
    Command {
        summary: "An internal command for replicating stream values.",
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key last-id [ENTRIESADDED entries-added:integer]@7.0.0 [MAXDELETEDID \
                  max-deleted-id]@7.0.0",
        keys: &[UPDATE],
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
        handler: add::xsetid,
        ..entry("xsetid")
    },
    Command {
        summary: "Deletes messages from the beginning of a stream.",
        complexity: "O(N), with N being the number of evicted entries. Constant times are very \
                     small however, since entries are organized in macro nodes containing \
                     multiple entries that can be released with a single deallocation.",
        flags: flag::WRITE,
        tips: &["nondeterministic_output"],
        grammar: "key trim=(strategy=(MAXLEN | MINID@6.2.0) operator=[equal== | approximately=~] \
                  threshold [LIMIT count:integer]@6.2.0 condition=[KEEPREF | DELREF | \
                  ACKED]@8.2.0)",
        keys: &[DELETE],
        history: &[
            ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
            ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
        ],
        handler: add::xtrim,
        ..entry("xtrim")
    },
];

const RANGE_COMPLEXITY: &str = "O(N) with N being the number of elements being returned. If N is \
                                 constant (e.g. always asking for the first 10 elements with \
                                 COUNT), you can consider it O(1).";
const REVERSE_RANGE_COMPLEXITY: &str = "O(N) with N being the number of elements returned. If N \
                                         is constant (e.g. always asking for the first 10 \
                                         elements with COUNT), you can consider it O(1).";

const GROUP_SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Creates a consumer group.",
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key group id-selector=(id | new-id=$) [MKSTREAM] [ENTRIESREAD \
                  entriesread:integer]",
        keys: &[INSERT],
        history: &[("7.0.0", "Added the `entries_read` named argument.")],
        handler: group::create,
        ..entry("create")
    },
    Command {
        summary: "Creates a consumer in a consumer group.",
        since: "6.2.0",
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key group consumer",
        keys: &[INSERT],
        handler: group::createconsumer,
        ..entry("createconsumer")
    },
    Command {
        summary: "Deletes a consumer from a consumer group.",
        flags: flag::WRITE,
        grammar: "key group consumer",
        keys: &[DELETE],
        handler: group::delconsumer,
        ..entry("delconsumer")
    },
    Command {
        summary: "Destroys a consumer group.",
        complexity: "O(N) where N is the number of entries in the group's pending entries list \
                     (PEL).",
        flags: flag::WRITE,
        grammar: "key group",
        keys: &[DELETE],
        handler: group::destroy,
        ..entry("destroy")
    },
    Command { since: "5.0.0", group: Group::Stream, ..Command::HELP },
    Command {
        summary: "Sets the last-delivered ID of a consumer group.",
        flags: flag::WRITE,
        grammar: "key group id-selector=(id | new-id=$) [ENTRIESREAD entriesread:integer]",
        keys: &[UPDATE],
        history: &[("7.0.0", "Added the optional `entries_read` argument.")],
        handler: group::setid,
        ..entry("setid")
    },
];

const GROUP_HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];

const INFO_SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Returns a list of the consumers in a consumer group.",
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key group",
        keys: &[RO],
        history: &[("7.2.0", "Added the `inactive` field.")],
        handler: info::consumers,
        ..entry("consumers")
    },
    Command {
        summary: "Returns a list of the consumer groups of a stream.",
        flags: flag::READONLY,
        grammar: "key",
        keys: &[RO],
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
        handler: info::groups,
        ..entry("groups")
    },
    Command { since: "5.0.0", group: Group::Stream, ..Command::HELP },
    Command {
        summary: "Returns information about a stream.",
        flags: flag::READONLY,
        grammar: "key full-block=[FULL [COUNT count:integer]]",
        keys: &[RO],
        history: &[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, \
                 `entries-read` and `lag` fields",
            ),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
        ],
        handler: info::stream,
        ..entry("stream")
    },
];

const INFO_HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];

/// An integer among the words.
fn integer(word: &[u8]) -> Result<i64, Error> {
    parse_i64(word).ok_or(Error::NOT_INTEGER)
}

/// Ids, all of which have to be right before anything is done with one.
fn ids(words: &[&[u8]]) -> Result<Vec<StreamId>, Error> {
    words.iter().map(|word| parse(word, 0)).collect()
}

/// A word as C prints it: up to a zero.
fn printed(word: &[u8]) -> &[u8] {
    word.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// `NOGROUP` where neither the key nor the group needs to exist.
fn no_such_group(key: &[u8], group: &[u8], context: &str) -> Error {
    let text = [
        b"NOGROUP No such key '",
        printed(key),
        b"' or consumer group '",
        printed(group),
        b"'",
        context.as_bytes(),
    ];
    Error::new(ErrorKind::Foreign, text.concat())
}

/// `NOGROUP` where the key exists.
fn no_group_for_key(group: &[u8], key: &[u8]) -> Error {
    let text = [
        b"NOGROUP No such consumer group '",
        printed(group),
        b"' for key name '",
        printed(key),
        b"'",
    ];
    Error::new(ErrorKind::Foreign, text.concat())
}

/// What is said of a subcommand whose words do not fit.
fn subcommand_syntax(call: &Call<'_, '_>) -> Error {
    const ECHO_BYTES_MAX: usize = 128;
    let (container, sub) = (call.words[0].to_ascii_uppercase(), call.words[1]);
    let sub = &sub[..sub.len().min(ECHO_BYTES_MAX)];
    let text = [
        b"unknown subcommand or wrong number of arguments for '",
        printed(sub),
        b"'. Try ",
        &container,
        b" HELP.",
    ];
    Error::new(ErrorKind::Err, text.concat())
}
