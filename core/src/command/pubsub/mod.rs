//! Messages: sessions that listen to channels, and calls that speak to them.

mod channels;
mod entries;

pub(crate) use channels::{Channels, Message};
pub(super) use entries::COMMANDS;

use super::call::Call;
use super::client::ClientState;
use super::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::resp::ReplySink;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

/// What a session listens to by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A channel.
    Channel,
    /// All channels that match a pattern.
    Pattern,
    /// A channel that lives in the slot of its name.
    Shard,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    /// What a message is called.
    fn message(self) -> &'static str {
        match self {
            Self::Channel => "message",
            Self::Pattern => "pmessage",
            Self::Shard => "smessage",
        }
    }

    /// What the end of listening is called.
    fn unsubscribed(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::Shard => "sunsubscribe",
        }
    }
}

/// What a session listens to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    names: [BTreeSet<Box<[u8]>>; 3],
}

impl Subscriptions {
    fn names(&mut self, scope: Scope) -> &mut BTreeSet<Box<[u8]>> {
        &mut self.names[scope as usize]
    }

    fn len(&self, scope: Scope) -> usize {
        self.names[scope as usize].len()
    }

    /// What a reply counts beside a name: channels and patterns together, or shard channels.
    fn counted_with(&self, scope: Scope) -> usize {
        match scope {
            Scope::Channel | Scope::Pattern => self.len(Scope::Channel) + self.len(Scope::Pattern),
            Scope::Shard => self.len(Scope::Shard),
        }
    }

    fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }
}

impl ClientState {
    /// Stops listening to everything, without a word to the client.
    pub(crate) fn leave_channels(&mut self, env: &Environment) {
        let Some(subscriptions) = self.subscriptions.take() else { return };
        for scope in Scope::ALL {
            for name in &subscriptions.names[scope as usize] {
                env.channels.leave(scope, name, self.id);
            }
        }
        self.note_subscriptions();
    }

    /// Listens no longer to a shard channel that is served elsewhere, and says so.
    pub(crate) fn lose_shard_channel(&mut self, name: &[u8], out: &mut dyn ReplySink) {
        let Some(subscriptions) = &mut self.subscriptions else { return };
        if subscriptions.names(Scope::Shard).remove(name) {
            let count = subscriptions.counted_with(Scope::Shard);
            answer(out, Scope::Shard.unsubscribed(), Some(name), count);
            self.note_subscriptions();
        }
    }

    /// Brings the numbers on the card up to date.
    fn note_subscriptions(&mut self) {
        if self.subscriptions.as_ref().is_some_and(|all| all.is_empty()) {
            self.subscriptions = None;
        }
        let Some(card) = &self.card else { return };
        for scope in Scope::ALL {
            let len = self.subscriptions.as_ref().map_or(0, |all| all.len(scope));
            card.subscriptions[scope as usize].store(len, Relaxed);
        }
    }
}

fn subscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    join(call, Scope::Channel)
}

fn psubscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    join(call, Scope::Pattern)
}

fn ssubscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    join(call, Scope::Shard)
}

fn unsubscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    leave(call, Scope::Channel)
}

fn punsubscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    leave(call, Scope::Pattern)
}

fn sunsubscribe(call: &mut Call<'_, '_>) -> Result<(), Error> {
    leave(call, Scope::Shard)
}

/// Answers once for each name, with how many the session listens to by then.
fn join(call: &mut Call<'_, '_>, scope: Scope) -> Result<(), Error> {
    let is_refused = call.client.is_in_exec && scope == Scope::Shard;
    let card = call.client.card.clone().filter(|card| card.id != 0 && !is_refused);
    let Some(card) = card else {
        let command = call.spec.name.to_ascii_uppercase();
        let text = format!("{command} isn't allowed for a DENY BLOCKING client");
        return Err(Error::new(ErrorKind::Err, text));
    };
    for &name in call.arguments() {
        let subscriptions = call.client.subscriptions.get_or_insert_default();
        if subscriptions.names(scope).insert(name.into()) {
            call.env.channels.join(scope, name, &card);
        }
        let count = subscriptions.counted_with(scope);
        answer(call.out, call.spec.command.name, Some(name), count);
    }
    call.client.note_subscriptions();
    Ok(())
}

/// Answers once for each name, all that the session listens to if none is given; and once without a
/// name if there is none of those either.
fn leave(call: &mut Call<'_, '_>, scope: Scope) -> Result<(), Error> {
    let mut all = call.client.subscriptions.take().unwrap_or_default();
    let names: Vec<Box<[u8]>> = match call.arguments() {
        [] => all.names(scope).iter().cloned().collect(),
        names => names.iter().map(|&name| name.into()).collect(),
    };
    for name in &names {
        if all.names(scope).remove(name) {
            call.env.channels.leave(scope, name, call.client.id);
        }
        answer(call.out, scope.unsubscribed(), Some(name), all.counted_with(scope));
    }
    if names.is_empty() {
        answer(call.out, scope.unsubscribed(), None, all.counted_with(scope));
    }
    call.client.subscriptions = Some(all);
    call.client.note_subscriptions();
    Ok(())
}

fn answer(out: &mut dyn ReplySink, what: &str, name: Option<&[u8]>, count: usize) {
    out.push(3);
    out.bulk(what.as_bytes());
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.integer(count as i64);
}

fn publish(call: &mut Call<'_, '_>) -> Result<(), Error> {
    speak(call, Scope::Channel)
}

fn spublish(call: &mut Call<'_, '_>) -> Result<(), Error> {
    speak(call, Scope::Shard)
}

fn speak(call: &mut Call<'_, '_>, scope: Scope) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    let receivers = call.env.publish(scope, call.words[1], call.words[2], now_ms);
    call.out.integer(receivers as i64);
    Ok(())
}

fn channels(call: &mut Call<'_, '_>) -> Result<(), Error> {
    list(call, Scope::Channel)
}

fn shardchannels(call: &mut Call<'_, '_>) -> Result<(), Error> {
    list(call, Scope::Shard)
}

fn list(call: &mut Call<'_, '_>, scope: Scope) -> Result<(), Error> {
    if call.words.len() > 3 {
        let start = "unknown subcommand or wrong number of arguments for '";
        return Err(Error::repeating(start, call.words[1], "'. Try PUBSUB HELP."));
    }
    let names = call.env.channels.names(scope, call.words.get(2).copied());
    call.out.array(names.len());
    names.iter().for_each(|name| call.out.bulk(name));
    Ok(())
}

fn numsub(call: &mut Call<'_, '_>) -> Result<(), Error> {
    count(call, Scope::Channel)
}

fn shardnumsub(call: &mut Call<'_, '_>) -> Result<(), Error> {
    count(call, Scope::Shard)
}

fn count(call: &mut Call<'_, '_>, scope: Scope) -> Result<(), Error> {
    let names = &call.words[2..];
    call.out.array(2 * names.len());
    for name in names {
        call.out.bulk(name);
        call.out.integer(call.env.channels.listeners(scope, name) as i64);
    }
    Ok(())
}

fn numpat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer(call.env.channels.len(Scope::Pattern) as i64);
    Ok(())
}
