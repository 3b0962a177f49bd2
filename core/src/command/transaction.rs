//! MULTI and what goes with it: commands that wait to be carried out together, and keys that are
//! watched meanwhile. Carrying them out is the engine's work.

use super::call::Call;
use super::client::ClientState;
use super::table::{Command, Group, Spec, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Access, Flag, Key};
use std::sync::atomic::Ordering::Relaxed;

const FLAGS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::ALLOW_BUSY;

const fn entry(name: &'static str) -> Command {
    Command { name, group: Group::Transactions, flags: FLAGS, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Discards a transaction.",
        since: "2.0.0",
        complexity: "O(N), when N is the number of queued commands",
        handler: discard,
        ..entry("discard")
    },
    Command {
        summary: "Executes all commands in a transaction.",
        since: "1.2.0",
        complexity: "Depends on commands in the transaction",
        flags: flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::SKIP_SLOWLOG,
        handler: exec_alone,
        ..entry("exec")
    },
    Command { summary: "Starts a transaction.", since: "1.2.0", handler: multi, ..entry("multi") },
    Command {
        summary: "Forgets about watched keys of a transaction.",
        since: "2.2.0",
        handler: unwatch,
        ..entry("unwatch")
    },
    Command {
        summary: "Monitors changes to keys to determine the execution of a transaction.",
        since: "2.2.0",
        complexity: "O(1) for every key.",
        grammar: "key...",
        keys: &[key_use::RO],
        handler: watch,
        ..entry("watch")
    },
];

/// Commands that wait for EXEC. Their words lie one after the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    commands: Vec<Queued>,
    text: Vec<u8>,
    /// Where each word ends in the text.
    ends: Vec<usize>,
    /// Whether a command was refused, so that EXEC will be too.
    pub(crate) is_broken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    spec: &'static Spec,
    words: usize,
}

impl Transaction {
    /// Adds a command.
    pub(crate) fn push(&mut self, spec: &'static Spec, words: &[&[u8]]) {
        for word in words {
            self.text.extend_from_slice(word);
            self.ends.push(self.text.len());
        }
        self.commands.push(Queued { spec, words: words.len() });
    }

    /// Whether a command writes.
    pub(crate) fn writes(&self) -> bool {
        self.commands.iter().any(|queued| queued.spec.flags & flag::WRITE != 0)
    }

    /// Whether a command may write, itself or by a script.
    pub(crate) fn may_write(&self) -> bool {
        self.commands.iter().any(|queued| queued.spec.may_write())
    }

    /// How many commands there are.
    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// Bytes that it takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        use crate::structs::allocation::footprint;
        footprint(self.text.capacity())
            + footprint(self.ends.capacity() * size_of::<usize>())
            + footprint(self.commands.capacity() * size_of::<Queued>())
    }

    /// The words of all commands in a row.
    pub(crate) fn words(&self) -> Vec<&[u8]> {
        let mut start = 0;
        let word = |&end: &usize| &self.text[std::mem::replace(&mut start, end)..end];
        self.ends.iter().map(word).collect()
    }

    /// Each command with its words, which are a part of what [`Transaction::words`] gave.
    pub(crate) fn commands<'a>(
        &'a self,
        mut words: &'a [&'a [u8]],
    ) -> impl Iterator<Item = (&'static Spec, &'a [&'a [u8]])> {
        self.commands.iter().map(move |queued| {
            let (own, rest) = words.split_at(queued.words);
            words = rest;
            (queued.spec, own)
        })
    }
}

/// Keys that a session watches.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    flag: Flag,
    keys: Vec<(u16, Box<[u8]>)>,
}

impl Watch {
    /// Whether one of the keys changed.
    pub(crate) fn is_raised(&self) -> bool {
        self.flag.load(Relaxed)
    }

    /// The keys, each with its database.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.keys.iter().map(|(db, key)| (usize::from(*db), &**key))
    }

    /// Forgets the keys, whose shards are locked or are locked for it one after the other.
    pub(crate) fn end(&self, keys: &mut Access<'_>) {
        for (db, name) in self.keys() {
            let mut key = keys.keyspace().locate(db, name);
            keys.with_key(&mut key, |keys, key| keys.unwatch(key, &self.flag));
        }
    }
}

impl ClientState {
    /// Forgets the keys that are watched.
    pub(crate) fn unwatch(&mut self, keys: &mut Access<'_>) {
        if let Some(watch) = self.watch.take() {
            watch.end(keys);
            self.note_watch();
        }
    }

    /// Ends a transaction, carried out or not, and forgets the keys that are watched.
    pub(crate) fn end_transaction(&mut self, keys: &mut Access<'_>) {
        self.transaction = None;
        self.note_transaction();
        self.unwatch(keys);
    }

    /// Tells the card what is watched.
    pub(crate) fn note_watch(&self) {
        if let Some(card) = &self.card {
            let watch = self.watch.as_ref();
            *card.watch.lock() = watch.map(|watch| (watch.keys.len(), watch.flag.clone()));
        }
    }

    /// Brings the numbers on the card up to date.
    pub(crate) fn note_transaction(&self) {
        if let Some(card) = &self.card {
            let transaction = self.transaction.as_deref();
            let queued = transaction.map_or(0, |transaction| transaction.len() + 1);
            card.queued.store(queued, Relaxed);
            card.queued_bytes.store(transaction.map_or(0, Transaction::footprint), Relaxed);
        }
    }
}

fn multi(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.client.transaction.is_some() {
        return Err(Error::err("MULTI calls can not be nested"));
    }
    call.client.transaction = Some(Box::default());
    call.client.note_transaction();
    call.out.ok();
    Ok(())
}

fn discard(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.client.transaction.is_none() {
        return Err(Error::err("DISCARD without MULTI"));
    }
    call.client.end_transaction(call.keys);
    call.out.ok();
    Ok(())
}

/// With a transaction the engine does not come here.
fn exec_alone(_call: &mut Call<'_, '_>) -> Result<(), Error> {
    Err(Error::err("EXEC without MULTI"))
}

/// There is no point in watching more once a key has changed.
fn watch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.client.transaction.is_some() {
        return Err(Error::err("WATCH inside MULTI is not allowed"));
    }
    let watch = call.client.watch.get_or_insert_default();
    let located = if watch.is_raised() { &[][..] } else { call.located };
    for key in located {
        add(watch, call.keys, key);
    }
    call.client.note_watch();
    call.out.ok();
    Ok(())
}

/// A key whose time is over is deleted now, lest that count as a change.
fn add(watch: &mut Watch, keys: &mut Access<'_>, key: &Key<'_>) {
    let is_known = watch.keys().any(|(db, name)| (db, name) == (key.db.into(), key.bytes));
    if !is_known {
        keys.contains(key);
        keys.watch(key, &watch.flag);
        watch.keys.push((key.db, key.bytes.into()));
    }
}

fn unwatch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.unwatch(call.keys);
    call.out.ok();
    Ok(())
}
