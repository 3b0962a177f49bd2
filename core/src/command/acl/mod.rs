//! Who may do what: ACL and its subcommands. Users and their permissions have files of their own.

mod audit;
mod denied;
mod entries;
mod file;
mod identity;
mod log;
mod rule;
mod selector;
mod user;
mod users;

pub use audit::{AuditEvent, AuditOrigin, AuditSink};
pub(crate) use denied::Reason;
pub(super) use entries::COMMANDS;
pub use file::AclStore;
pub(crate) use identity::Identity;
pub(crate) use users::Users;

use super::call::Call;
use super::card::Card;
use super::environment::Environment;
use super::table::{category, specs};
use crate::error::Error;
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use selector::Selector;
use std::sync::Arc;
use user::{DEFAULT, User};

/// The longest password that ACL GENPASS makes, in bits.
const PASSWORD_BITS_MAX: i64 = 4096;
/// How many entries ACL LOG shows if it is not said.
const LOG_SHOWN: i64 = 10;

fn wrong_arguments(call: &Call<'_, '_>) -> Error {
    let start = "unknown subcommand or wrong number of arguments for '";
    Error::repeating(start, call.words[1], "'. Try ACL HELP.")
}

fn cat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let name = match call.words[2..] {
        [] => {
            call.out.array(category::NAMES.len());
            category::NAMES.iter().for_each(|(_, name)| call.out.bulk(name.as_bytes()));
            return Ok(());
        }
        [name] => name,
        _ => return Err(wrong_arguments(call)),
    };
    let mut known = category::NAMES.iter();
    let known = known.find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
    let &(category, _) = known.ok_or_else(|| Error::repeating("Unknown category '", name, "'"))?;
    let all = specs().iter().flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands));
    let names: Vec<_> = all.filter(|spec| spec.categories & category != 0).collect();
    call.out.array(names.len());
    names.iter().for_each(|spec| call.out.bulk(spec.name.as_bytes()));
    Ok(())
}

fn setuser(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (name, rules) = (call.words[2], &call.words[3..]);
    if rule::has_spaces(name) {
        return Err(Error::err("Usernames can't contain spaces or null characters"));
    }
    let users = &call.env.users;
    let (before, after) = users.change(name, rules, call.env.config.new_users_hear_all())?;
    if let Some(before) = before {
        end_sessions_that_listen(call, &before, &after);
    }
    users.audit.tell(call.client, &AuditEvent::UserChanged { user: name });
    call.out.ok();
    Ok(())
}

/// Ends the sessions of a user that listen to channels which the user may hear no longer.
fn end_sessions_that_listen(call: &mut Call<'_, '_>, before: &User, after: &User) {
    if before.channels_are_among(after) {
        return;
    }
    let listeners = call.env.channels.listeners_where(|name, is_pattern, card| {
        card.labels().user == after.name && !after.allows_channel(name, is_pattern)
    });
    end_sessions(call, listeners);
}

/// Ends sessions, the one that asks for it once it has its answer.
fn end_sessions(call: &mut Call<'_, '_>, cards: Vec<Arc<Card>>) {
    for card in cards {
        if card.id == call.client.id {
            call.client.closing = true;
        } else {
            card.mailbox.cut_off(&call.env.post);
        }
    }
}

fn deluser(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let names = &call.words[2..];
    if names.contains(&DEFAULT) {
        return Err(Error::err("The 'default' user cannot be removed"));
    }
    let mut removed = 0;
    for name in names {
        if call.env.users.remove(name) {
            removed += 1;
            end_sessions_of(call, |user| user == *name);
            call.env.users.audit.tell(call.client, &AuditEvent::UserRemoved { user: name });
        }
    }
    call.out.integer(removed);
    Ok(())
}

fn end_sessions_of(call: &mut Call<'_, '_>, is_gone: impl Fn(&[u8]) -> bool) {
    let cards = call.env.sessions.cards().into_iter();
    end_sessions(call, cards.filter(|card| is_gone(&card.labels().user)).collect());
}

fn getuser(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let Some(user) = call.env.users.find(call.words[2]) else {
        call.out.null();
        return Ok(());
    };
    let out = &mut *call.out;
    out.map(6);
    out.bulk(b"flags");
    let flags = user.flags();
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"passwords");
    let passwords = user.passwords();
    out.array(passwords.len());
    passwords.for_each(|digits| out.bulk(digits.as_bytes()));
    let (own, more) = user.permissions();
    write_permissions(out, own);
    out.bulk(b"selectors");
    out.array(more.len());
    for selector in more {
        out.map(3);
        write_permissions(out, selector);
    }
    Ok(())
}

fn write_permissions(out: &mut dyn ReplySink, selector: &Selector) {
    for (name, rules) in [
        ("commands", selector.command_rules()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ] {
        out.bulk(name.as_bytes());
        out.bulk(&rules);
    }
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let users = call.env.users.all();
    call.out.array(users.len());
    users.iter().for_each(|user| call.out.bulk(&user.describe()));
    Ok(())
}

fn users(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let users = call.env.users.all();
    call.out.array(users.len());
    users.iter().for_each(|user| call.out.bulk(&user.name));
    Ok(())
}

fn whoami(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.bulk(call.client.identity.user_name());
    Ok(())
}

fn dryrun(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (name, words) = (call.words[2], &call.words[3..]);
    let user = call.env.users.find(name);
    let user = user.ok_or_else(|| Error::repeating("User '", name, "' not found"))?;
    let spec = call.names().find(words);
    let spec = spec.ok_or_else(|| Error::repeating("Command '", words[0], "' not found"))?;
    if !spec.takes(words.len()) {
        return Err(Error::arity(&spec.name));
    }
    match user.check(spec, words) {
        Ok(()) => call.out.ok(),
        Err(denied) => call.out.bulk(&denied.full_message(&user.name, spec, words)),
    }
    Ok(())
}

fn genpass(call: &mut Call<'_, '_>) -> Result<(), Error> {
    const OUT_OF_RANGE: Error = Error::err(
        "ACL GENPASS argument must be the number of bits for the output password, a positive number \
         up to 4096",
    );
    let bits = match call.words[2..] {
        [] => 256,
        [bits] => parse_i64(bits).ok_or(Error::NOT_INTEGER)?,
        _ => return Err(wrong_arguments(call)),
    };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return Err(OUT_OF_RANGE);
    }
    let password = call.env.users.passwords.digits(bits.unsigned_abs().div_ceil(4) as usize);
    call.out.bulk(password.as_bytes());
    Ok(())
}

fn log_entries(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let shown = match call.words[2..] {
        [] => LOG_SHOWN,
        [word] if word.eq_ignore_ascii_case(b"reset") => {
            call.env.users.log.lock().clear();
            call.out.ok();
            return Ok(());
        }
        [count] => parse_i64(count).ok_or(Error::NOT_INTEGER)?,
        _ => return Err(wrong_arguments(call)),
    };
    let now_ms = call.time.unix_ms();
    let log = call.env.users.log.lock();
    let shown = usize::try_from(shown).unwrap_or(0).min(log.entries().len());
    call.out.array(shown);
    log.entries().iter().take(shown).for_each(|entry| write_entry(call.out, entry, now_ms));
    Ok(())
}

fn write_entry(out: &mut dyn ReplySink, entry: &log::Entry, now_ms: u64) {
    let number = |out: &mut dyn ReplySink, name: &str, value: u64| {
        out.bulk(name.as_bytes());
        out.integer(value as i64);
    };
    let text = |out: &mut dyn ReplySink, name: &str, value: &[u8]| {
        out.bulk(name.as_bytes());
        out.bulk(value);
    };
    out.map(10);
    number(out, "count", entry.count);
    text(out, "reason", entry.reason.name().as_bytes());
    text(out, "context", entry.context.name().as_bytes());
    text(out, "object", &entry.object);
    text(out, "username", &entry.user);
    out.bulk(b"age-seconds");
    out.double(now_ms.saturating_sub(entry.updated_ms) as f64 / 1000.0);
    text(out, "client-info", &entry.session);
    number(out, "entry-id", entry.id);
    number(out, "timestamp-created", entry.created_ms);
    number(out, "timestamp-last-updated", entry.updated_ms);
}

fn load(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let changed = file::load(call.env)?;
    for (before, after) in changed {
        match after {
            Some(after) => end_sessions_that_listen(call, &before, &after),
            None => end_sessions_of(call, |user| user == &*before.name),
        }
    }
    call.env.users.audit.tell(call.client, &AuditEvent::UsersLoaded);
    call.out.ok();
    Ok(())
}

fn save(call: &mut Call<'_, '_>) -> Result<(), Error> {
    file::save(call.env)?;
    call.env.users.audit.tell(call.client, &AuditEvent::UsersSaved);
    call.out.ok();
    Ok(())
}

impl Environment {
    /// Makes the users that a host declares when the engine opens: by `requirepass`, by lines such
    /// as `alice on >secret ~* +@all`, and in its store.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn declare_users<'a>(
        &self,
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<(), Error> {
        if let Some(password) = self.config.password() {
            self.users.set_default_password(Some(password));
        }
        for line in lines {
            file::declare(self, line.as_bytes())?;
        }
        if self.users.has_store() {
            file::load(self)?;
        }
        Ok(())
    }
}
