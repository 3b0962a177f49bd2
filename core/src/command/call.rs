//! One command being carried out: its words, its keys under lock, where the reply goes, and who
//! asks.

use super::client::ClientState;
use super::environment::Environment;
use super::names::Names;
use super::table::Spec;
use crate::keyspace::{Access, Event, Key};
use crate::resp::ReplySink;
use crate::time::Moment;

/// Everything that a handler works with.
pub(crate) struct Call<'a, 'k> {
    /// The command's entry in the table.
    pub(crate) spec: &'static Spec,
    /// The words of the request, the command's own name first.
    pub(crate) words: &'a [&'a [u8]],
    /// The command's keys in the order of its words, located in the session's database.
    pub(crate) located: &'a [Key<'a>],
    /// The keyspace, with the shards of the command's keys under lock.
    pub(crate) keys: &'a mut Access<'k>,
    /// Where the reply goes.
    pub(crate) out: &'a mut dyn ReplySink,
    /// The session that asks.
    pub(crate) client: &'a mut ClientState,
    /// What all sessions share.
    pub(crate) env: &'a Environment,
    /// The time of this batch.
    pub(crate) time: &'a Moment<'a>,
}

impl<'a> Call<'a, '_> {
    /// The `number`-th key of the command, from zero.
    pub(crate) fn key(&self, number: usize) -> Key<'a> {
        self.located[number]
    }

    /// By which names the session calls commands.
    pub(crate) fn names(&self) -> &'a Names {
        self.env.names(self.client)
    }

    /// Notes that something happened to a key, under its name in Redis, such as `lpush`. A handler
    /// calls this after each change that Redis makes an event of.
    #[inline]
    pub(crate) fn notify(&mut self, event: Event, name: &'static str, key: &Key<'_>) {
        self.keys.notify(event, name, key);
    }

    /// The words after the command's name.
    pub(crate) fn arguments(&self) -> &'a [&'a [u8]] {
        &self.words[1..]
    }
}
