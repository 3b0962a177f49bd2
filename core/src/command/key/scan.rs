//! Which keys there are: KEYS, SCAN, RANDOMKEY.

use crate::command::call::Call;
use crate::command::glob::{self, Literal};
use crate::command::scan_options::{Found, ScanOptions, Scanned, cursor};
use crate::command::table::{Command, Group, category, flag};
use crate::error::Error;
use crate::keyspace::{Cursor, Keyspace};
use crate::value::{Record, Type};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "keys",
        summary: "Returns all key names that match a pattern.",
        complexity: "O(N) with N being the number of keys in the database, under the assumption \
                     that the key names in the database and the given pattern have limited length.",
        group: Group::Generic,
        flags: flag::READONLY,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        grammar: "pattern:pattern",
        handler: keys,
        ..Command::DEFAULT
    },
    Command {
        name: "scan",
        summary: "Iterates over the key names in the database.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command \
                     calls for the cursor to return back to 0. N is the number of elements inside \
                     the collection.",
        group: Group::Generic,
        flags: flag::READONLY,
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        grammar: "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type@6.0.0]",
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        handler: scan,
        ..Command::DEFAULT
    },
    Command {
        name: "randomkey",
        summary: "Returns a random key name from the database.",
        group: Group::Generic,
        flags: flag::READONLY,
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        handler: randomkey,
        ..Command::DEFAULT
    },
];

/// How many keys KEYS looks at before it lets others have the shard.
const KEYS_STEP: usize = 1024;

/// Where the matches of a pattern can be.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// This key alone can match.
    Key(Vec<u8>),
    /// Matches share a hash tag, and so their slot.
    Slot(u16),
    /// Anywhere.
    All,
}

impl Range {
    fn of(pattern: &[u8], keyspace: &Keyspace) -> Self {
        let scheme = keyspace.scheme();
        match glob::literal(pattern) {
            Literal::Whole(key) => Self::Key(key),
            // A tag that is complete decides the slot, whatever follows it.
            Literal::Prefix(prefix) if scheme.tag(&prefix).len() < prefix.len() => {
                Self::Slot(scheme.slot(&prefix))
            }
            Literal::Prefix(_) => Self::All,
        }
    }

    /// The one slot that holds all matches, if it is one.
    fn slot(&self, keyspace: &Keyspace) -> Option<u16> {
        match self {
            Self::Key(key) => Some(keyspace.scheme().slot(key)),
            Self::Slot(slot) => Some(*slot),
            Self::All => None,
        }
    }
}

fn keys(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let pattern = call.words[1];
    let range = Range::of(pattern, call.keys.keyspace());
    let mut found = Found::default();
    match range {
        Range::Key(key) => {
            let located = call.keys.keyspace().locate(call.client.db, &key);
            if call.keys.is_present(&located) {
                found.push(&key);
            }
        }
        Range::Slot(_) | Range::All => find_all(call, pattern, &range, &mut found),
    }
    found.write(call.out);
    Ok(())
}

fn find_all(call: &mut Call<'_, '_>, pattern: &[u8], range: &Range, found: &mut Found) {
    let slot = range.slot(call.keys.keyspace());
    // A single star is not even tried: it also matches the empty key, which patterns do not.
    let all = pattern == b"*";
    let mut cursor = Cursor::START;
    loop {
        cursor = walk(call, slot, cursor, KEYS_STEP, |record| {
            if all || glob::matches(pattern, record.key()) {
                found.push(record.key());
            }
        });
        if cursor.is_start() {
            break;
        }
    }
}

/// Walks over one slot or all.
fn walk(
    call: &mut Call<'_, '_>,
    slot: Option<u16>,
    cursor: Cursor,
    count: usize,
    visit: impl FnMut(&Record),
) -> Cursor {
    match slot {
        Some(slot) => call.keys.walk_within(call.client.db, slot, cursor, count, visit),
        None => call.keys.walk(call.client.db, cursor, count, visit),
    }
}

fn scan(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let cursor = Cursor::from_number(cursor(call.words[1])?);
    let options = ScanOptions::parse(&call.words[2..], Scanned::Keys)?;
    let keyspace = call.keys.keyspace();
    let slot = options.pattern().and_then(|pattern| Range::of(pattern, keyspace).slot(keyspace));
    let mut found = Found::default();
    let next = walk(call, slot, cursor, options.count, |record| {
        let type_name = Type::of(record).name().as_bytes();
        let wanted = options.type_name;
        if wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(type_name))
            && options.matches(record.key())
        {
            found.push(record.key());
        }
    });
    found.reply(next.number(), call.out);
    Ok(())
}

fn randomkey(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.keys.random_key(call.client.db, || call.env.random()) {
        Some(key) => call.out.bulk(&key),
        None => call.out.null(),
    }
    Ok(())
}
