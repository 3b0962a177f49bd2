//! What a host may write down of who came, who was refused, and who changed what. No event has a
//! password in it, a digest of one, or the value of a setting.

use crate::command::client::ClientState;
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;

/// What happened that an auditor may ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditEvent<'a> {
    /// A session logged in as a user.
    LoggedIn {
        /// The user's name.
        user: &'a [u8],
    },
    /// Name or password was wrong, or the user is disabled.
    LoginFailed {
        /// The name that was given.
        user: &'a [u8],
    },
    /// A command was refused to the session's user.
    CommandDenied {
        /// The command's full name.
        command: &'a str,
    },
    /// A key was refused to the session's user.
    KeyDenied {
        /// The command's full name.
        command: &'a str,
        /// The key.
        key: &'a [u8],
    },
    /// A channel was refused to the session's user.
    ChannelDenied {
        /// The command's full name.
        command: &'a str,
        /// The channel or pattern.
        channel: &'a [u8],
    },
    /// A user was made or changed.
    UserChanged {
        /// The user's name.
        user: &'a [u8],
    },
    /// A user was removed.
    UserRemoved {
        /// The user's name.
        user: &'a [u8],
    },
    /// All users were read again from where the host keeps them.
    UsersLoaded,
    /// All users were written to where the host keeps them.
    UsersSaved,
    /// A setting was changed.
    SettingChanged {
        /// The setting's name as it was given.
        name: &'a [u8],
    },
    /// A session was closed that spoke HTTP, which is what an attack through a browser does.
    ForeignProtocolClosed,
    /// A session was closed since its peer is not among those that are allowed.
    PeerRefused,
}

/// Where an event came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOrigin {
    /// The session's number; zero for a call of the host.
    pub session: u64,
    /// Where the client is, as the host told it; empty within the process.
    pub peer: String,
    /// The name of the session's user.
    pub user: Vec<u8>,
}

/// Takes what happens, on the thread on which it does. It may be called while keys are under lock:
/// it must be short, and must not call the engine.
pub type AuditSink = Arc<dyn Fn(&AuditOrigin, &AuditEvent<'_>) + Send + Sync>;

/// The host's sink, if it has one.
#[derive(Default)]
pub(crate) struct Audit {
    sink: RwLock<Option<AuditSink>>,
}

impl Audit {
    /// Says who takes events; nobody if none.
    pub(crate) fn set_sink(&self, sink: Option<AuditSink>) {
        *self.sink.write() = sink;
    }

    /// Tells the host of an event.
    pub(crate) fn tell(&self, client: &ClientState, event: &AuditEvent<'_>) {
        let Some(sink) = self.sink.read().clone() else { return };
        let peer = client.card.as_ref().map(|card| card.labels().peer.clone());
        let origin = AuditOrigin {
            session: client.id,
            peer: peer.unwrap_or_default(),
            user: client.identity.user_name().to_vec(),
        };
        sink(&origin, event);
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audit")
    }
}
