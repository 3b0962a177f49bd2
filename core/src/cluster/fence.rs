//! Commands that have to wait while a slot changes hands. Their sessions keep their input and hold no
//! thread; callers that cannot wait are told to try again.
//!
//! Who sets or lifts a fence holds the lock of the slot's shard, and a command is judged while it
//! holds that lock too: once a fence stands, nothing gets past it.

use crate::keyspace::Key;

/// Which commands on a slot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Writes to the key with this hash.
    Key(u64),
    /// All writes.
    Writes,
    /// Everything.
    All,
}

impl Fence {
    /// Whether a command with these keys, all in the slot, waits.
    pub(crate) fn holds(self, write: bool, keys: &[Key<'_>]) -> bool {
        match self {
            Self::Key(hash) => write && keys.iter().any(|key| key.hash == hash),
            Self::Writes => write,
            Self::All => true,
        }
    }
}
