//! What the engine knows of one session: plain data that commands read and change.

use crate::resp::Protocol;

/// Which replies a session wants to see (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    /// All of them.
    #[default]
    On,
    /// None.
    Off,
    /// Not the one to the command that comes next.
    SkipNext,
    /// Not the one to the command that runs now.
    SkipThis,
}

/// The state of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientState {
    /// Unique within the engine, from one on.
    pub(crate) id: u64,
    /// The database that commands without a choice of their own use.
    pub(crate) db: usize,
    /// The version that replies are written in.
    pub(crate) protocol: Protocol,
    /// Which replies are wanted.
    pub(crate) reply: ReplyMode,
    /// Whether the next command may be served from an importing slot.
    pub(crate) asking: bool,
    /// Whether a replica's view is good enough for reads (READONLY).
    pub(crate) readonly: bool,
    /// Whether reads leave the access clock alone (CLIENT NO-TOUCH).
    pub(crate) no_touch: bool,
    /// Whether the session ends once its output is written.
    pub(crate) closing: bool,
}
