//! Values on their way to another key or another database: RENAME, RENAMENX, COPY, MOVE.

use crate::command::call::Call;
use crate::command::connection::parse_database_argument;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Event, Key};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "rename",
        summary: "Renames a key and overwrites the destination.",
        group: Group::Generic,
        flags: flag::WRITE,
        grammar: "key newkey:key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE, key_use::OW | key_use::UPDATE],
        handler: rename,
        ..Command::DEFAULT
    },
    Command {
        name: "renamenx",
        summary: "Renames a key only when the target key name doesn't exist.",
        group: Group::Generic,
        flags: flag::WRITE | flag::FAST,
        grammar: "key newkey:key",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE, key_use::OW | key_use::INSERT],
        history: &[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the \
             same.",
        )],
        handler: renamenx,
        ..Command::DEFAULT
    },
    Command {
        name: "copy",
        summary: "Copies the value of a key to a new key.",
        since: "6.2.0",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) \
                     for string values.",
        group: Group::Generic,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "source:key destination:key [DB destination-db:integer] [REPLACE]",
        keys: &[key_use::RO | key_use::ACCESS, key_use::OW | key_use::UPDATE],
        handler: copy,
        ..Command::DEFAULT
    },
    Command {
        name: "move",
        summary: "Moves a key to another database.",
        group: Group::Generic,
        flags: flag::WRITE | flag::FAST,
        grammar: "key db:integer",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: move_key,
        ..Command::DEFAULT
    },
];

const SAME_OBJECT: Error = Error::err("source and destination objects are the same");

fn rename(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (from, to) = (call.key(0), call.key(1));
    if !call.keys.touch(&from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from.bytes != to.bytes {
        rename_key(call, &from, &to);
    }
    call.out.ok();
    Ok(())
}

fn renamenx(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (from, to) = (call.key(0), call.key(1));
    if !call.keys.touch(&from) {
        return Err(Error::NO_SUCH_KEY);
    }
    let absent = !call.keys.touch(&to);
    if absent {
        rename_key(call, &from, &to);
    }
    call.out.integer(i64::from(absent));
    Ok(())
}

fn rename_key(call: &mut Call<'_, '_>, from: &Key<'_>, to: &Key<'_>) {
    call.keys.rename(from, to);
    call.notify(Event::Generic, "rename_from", from);
    call.notify(Event::Generic, "rename_to", to);
}

struct CopyOptions {
    db: usize,
    replace: bool,
}

impl CopyOptions {
    fn parse(call: &Call<'_, '_>) -> Result<Self, Error> {
        let mut words = &call.words[3..];
        let mut options = Self { db: call.client.db, replace: false };
        while let [name, rest @ ..] = words {
            words = match rest {
                rest if name.eq_ignore_ascii_case(b"replace") => {
                    options.replace = true;
                    rest
                }
                [number, rest @ ..] if name.eq_ignore_ascii_case(b"db") => {
                    options.db = parse_database_argument(call, number)?;
                    rest
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(options)
    }
}

fn copy(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = CopyOptions::parse(call)?;
    let (from, to) = (call.key(0), call.key(1).in_db(options.db));
    if options.db == call.client.db && from.bytes == to.bytes {
        return Err(SAME_OBJECT);
    }
    let copied = call.keys.read(&from).is_some()
        && (options.replace || !call.keys.touch(&to))
        && call.keys.copy(&from, &to);
    if copied {
        call.keys.say_with(call.words, &[from, to], &[1, 2]);
        call.notify(Event::Generic, "copy_to", &to);
    }
    call.out.integer(i64::from(copied));
    Ok(())
}

fn move_key(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let db = parse_database_argument(call, call.words[2])?;
    if db == call.client.db {
        return Err(SAME_OBJECT);
    }
    let (from, to) = (call.key(0), call.key(0).in_db(db));
    let moved = call.keys.touch(&from) && !call.keys.touch(&to) && call.keys.rename(&from, &to);
    if moved {
        call.keys.say_with(call.words, &[from, to], &[1, 1]);
        call.notify(Event::Generic, "move_from", &from);
        call.notify(Event::Generic, "move_to", &to);
    }
    call.out.integer(i64::from(moved));
    Ok(())
}
