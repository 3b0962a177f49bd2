//! Which keys there are: KEYS, SCAN, RANDOMKEY.

use crate::command::call::Call;
use crate::command::glob::{self, Literal};
use crate::command::table::{Command, Group, category, flag};
use crate::error::Error;
use crate::keyspace::{Cursor, Keyspace};
use crate::resp::{ReplySink, number};
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
/// How many keys SCAN looks at unless told.
const SCAN_COUNT: usize = 10;

/// Keys that were found, to be written once it is known how many they are.
#[derive(Default)]
struct Found {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Found {
    fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    fn write(&self, out: &mut dyn ReplySink) {
        out.array(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            out.bulk(&self.bytes[start..end]);
            start = end;
        }
    }
}

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

struct ScanOptions<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(mut words: &[&'a [u8]]) -> Result<Self, Error> {
        let mut options = Self { count: SCAN_COUNT, pattern: None, type_name: None };
        while let [name, rest @ ..] = words {
            let [value, rest @ ..] = rest else { return Err(Error::SYNTAX) };
            if name.eq_ignore_ascii_case(b"count") {
                options.count = count(value)?;
            } else if name.eq_ignore_ascii_case(b"match") {
                options.pattern = (*value != b"*").then_some(*value);
            } else if name.eq_ignore_ascii_case(b"type") {
                options.type_name = Some(value);
            } else {
                return Err(Error::SYNTAX);
            }
            words = rest;
        }
        Ok(options)
    }

    fn accept(&self, record: &Record) -> bool {
        let type_name = Type::of(record).name().as_bytes();
        self.type_name.is_none_or(|wanted| wanted.eq_ignore_ascii_case(type_name))
            && self.pattern.is_none_or(|pattern| glob::matches(pattern, record.key()))
    }
}

fn count(word: &[u8]) -> Result<usize, Error> {
    let count = number::parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    if count < 1 {
        return Err(Error::SYNTAX);
    }
    Ok(count as usize)
}

fn scan(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let cursor = cursor(call.words[1]).ok_or(const { Error::err("invalid cursor") })?;
    let options = ScanOptions::parse(&call.words[2..])?;
    let keyspace = call.keys.keyspace();
    let slot = options.pattern.and_then(|pattern| Range::of(pattern, keyspace).slot(keyspace));
    let mut found = Found::default();
    let cursor = Cursor::from_number(cursor);
    let next = walk(call, slot, cursor, options.count, |record| {
        if options.accept(record) {
            found.push(record.key());
        }
    });
    call.out.array(2);
    call.out.bulk(itoa::Buffer::new().format(next.number()).as_bytes());
    found.write(call.out);
    Ok(())
}

/// Reads a cursor as C's `strtoul` does, which Redis hands it to: a sign, leading zeros and nothing
/// at all are allowed, a NUL ends it, blanks are not allowed.
fn cursor(word: &[u8]) -> Option<u64> {
    let word = &word[..memchr::memchr(0, word).unwrap_or(word.len())];
    if word.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let first = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let number = match &digits[first..] {
        [] if digits.is_empty() => return None,
        [] => 0,
        digits => number::parse_u64(digits)?,
    };
    Some(if negative { number.wrapping_neg() } else { number })
}

fn randomkey(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.keys.random_key(call.client.db, || call.env.random()) {
        Some(key) => call.out.bulk(&key),
        None => call.out.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", Some(u64::MAX)),
            ("-18446744073709551615", Some(1)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("-0", Some(0)),
            ("7\0x", Some(7)),
            (" 7", None),
            ("7 ", None),
            ("-", None),
            ("+", None),
            ("+-7", None),
            ("7x", None),
            ("0x7", None),
        ] {
            assert_eq!(cursor(text.as_bytes()), number, "{text:?}");
        }
    }
}
