//! What a server does with files and its process: SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, SHUTDOWN. An
//! engine inside another process has neither, and says so: the host owns both.

use super::call::Call;
use super::table::{Command, Group, category, flag};
use crate::error::Error;

const FLAGS: u32 = flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING;

const fn entry(name: &'static str, flags: u32) -> Command {
    Command { name, group: Group::Server, flags, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Asynchronously rewrites the append-only file to disk.",
        handler: bgrewriteaof,
        ..entry("bgrewriteaof", FLAGS)
    },
    Command {
        summary: "Asynchronously saves the database(s) to disk.",
        grammar: "[SCHEDULE]@3.2.2",
        history: &[("3.2.2", "Added the `SCHEDULE` option.")],
        handler: bgsave,
        ..entry("bgsave", FLAGS)
    },
    Command {
        summary: "Returns the Unix timestamp of the last successful save to disk.",
        categories: Some(category::ADMIN | category::DANGEROUS),
        tips: &["nondeterministic_output"],
        handler: lastsave,
        ..entry("lastsave", flag::LOADING | flag::STALE | flag::FAST)
    },
    Command {
        summary: "Synchronously saves the database(s) to disk.",
        complexity: "O(N) where N is the total number of keys in all databases",
        handler: save,
        ..entry("save", FLAGS | flag::NO_MULTI)
    },
    Command {
        summary: "Synchronously saves the database(s) to disk and shuts down the Redis server.",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when \
                     saving data, otherwise O(1)",
        grammar: "save-selector=[NOSAVE | SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0",
        history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")],
        handler: shutdown,
        ..entry("shutdown", SHUTDOWN)
    },
];

const SHUTDOWN: u32 =
    flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::NO_MULTI | flag::ALLOW_BUSY;

fn bgrewriteaof(_call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::err("BGREWRITEAOF is not supported: an embedded engine has no append-only file"))
}

fn save(_call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::err("SAVE is not supported: an embedded engine writes no files, its host does"))
}

fn bgsave(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.arguments() {
        [] => {}
        [word] if word.eq_ignore_ascii_case(b"schedule") => {}
        _ => return Err(Error::SYNTAX),
    }
    Err(Error::err("BGSAVE is not supported: an embedded engine writes no files, its host does"))
}

/// As a server that has not saved yet, it answers when it began.
fn lastsave(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer((call.env.opened_ms / 1000) as i64);
    Ok(())
}

fn shutdown(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let [mut save, mut nosave, mut now, mut force, mut abort] = [false; 5];
    for word in call.arguments() {
        let option = match word.to_ascii_lowercase().as_slice() {
            b"save" => &mut save,
            b"nosave" => &mut nosave,
            b"now" => &mut now,
            b"force" => &mut force,
            b"abort" => &mut abort,
            _ => return Err(Error::SYNTAX),
        };
        *option = true;
    }
    if (save && nosave) || (abort && (save || nosave || now || force)) {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::err("No shutdown in progress."));
    }
    Err(Error::err("SHUTDOWN is not supported: an embedded engine ends when its host ends it"))
}
