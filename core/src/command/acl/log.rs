//! What was refused, as ACL LOG tells it: the latest first, repetitions within a minute as one.

use super::denied::Reason;
use std::collections::VecDeque;

/// Where a command came from that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Top,
    Multi,
    Script,
}

impl Context {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Top => "toplevel",
            Self::Multi => "multi",
            Self::Script => "lua",
        }
    }
}

/// What was refused to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident<'a> {
    pub(super) reason: Reason,
    /// The command, key or channel; for a log-in the command that it came with.
    pub(super) object: &'a [u8],
    pub(super) user: &'a [u8],
}

/// An entry of the log.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) count: u64,
    pub(super) reason: Reason,
    pub(super) context: Context,
    pub(super) object: Box<[u8]>,
    pub(super) user: Box<[u8]>,
    /// The session's line in CLIENT LIST when it happened last.
    pub(super) session: Vec<u8>,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
}

/// Repetitions later than this are entries of their own.
const GROUPED_WITHIN_MS: u64 = 60_000;
/// How many entries are looked at for one to add to.
const LOOKED_AT: usize = 10;

impl Entry {
    fn is_about(&self, incident: Incident<'_>, context: Context, now_ms: u64) -> bool {
        self.reason == incident.reason
            && self.context == context
            && now_ms.abs_diff(self.updated_ms) <= GROUPED_WITHIN_MS
            && *self.object == *incident.object
            && *self.user == *incident.user
    }
}

/// The log of what was refused, the latest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    pub(super) fn note(
        &mut self,
        incident: Incident<'_>,
        context: Context,
        session: Vec<u8>,
        now_ms: u64,
        len_max: usize,
    ) {
        let mut known = self.entries.iter().take(LOOKED_AT);
        let at = known.position(|entry| entry.is_about(incident, context, now_ms));
        if let Some(mut entry) = at.and_then(|at| self.entries.remove(at)) {
            entry.count += 1;
            entry.session = session;
            entry.updated_ms = now_ms;
            self.entries.push_front(entry);
            return;
        }
        let Incident { reason, object, user } = incident;
        self.entries.push_front(Entry {
            id: self.next_id,
            count: 1,
            reason,
            context,
            object: object.into(),
            user: user.into(),
            session,
            created_ms: now_ms,
            updated_ms: now_ms,
        });
        self.next_id += 1;
        self.entries.truncate(len_max);
    }

    pub(super) fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    /// Forgets all entries, but not how many there were.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
