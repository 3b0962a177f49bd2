//! Why a command is refused to a user, in all the words that Redis has for it.

use crate::command::table::Spec;
use crate::error::{Error, ErrorKind};

/// What a user lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// The command.
    Command,
    /// The role, under the managed profile.
    Role,
    /// The key.
    Key,
    /// Name or password.
    Login,
    /// The channel.
    Channel,
}

impl Reason {
    /// What ACL LOG calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Command | Self::Role => "command",
            Self::Key => "key",
            Self::Login => "auth",
            Self::Channel => "channel",
        }
    }
}

/// That a user may not give a command. The greater of two says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Denied {
    pub(crate) reason: Reason,
    /// The word that names what is lacking.
    pub(crate) place: usize,
}

impl Denied {
    /// What is told to the user.
    pub(crate) fn message(self, user: &[u8], spec: &Spec) -> Vec<u8> {
        match self.reason {
            Reason::Command | Reason::Login => lacks_command(user, spec),
            Reason::Role => b"command role not support for normal user".to_vec(),
            Reason::Key => b"No permissions to access a key".to_vec(),
            Reason::Channel => b"No permissions to access a channel".to_vec(),
        }
    }

    /// What is told to an administrator, who may know the names.
    pub(crate) fn full_message(self, user: &[u8], spec: &Spec, words: &[&[u8]]) -> Vec<u8> {
        let what = match self.reason {
            Reason::Command | Reason::Role | Reason::Login => return lacks_command(user, spec),
            Reason::Key => &b"' key"[..],
            Reason::Channel => b"' channel",
        };
        let start = b" has no permissions to access the '";
        [b"User ", user, start, words[self.place], what].concat()
    }

    /// The error that answers the command.
    pub(crate) fn error(self, user: &[u8], spec: &Spec) -> Error {
        let is_role = self.reason == Reason::Role;
        let kind = if is_role { ErrorKind::Err } else { ErrorKind::NoPerm };
        Error::new(kind, self.message(user, spec))
    }

    /// The error in the place of the reply to a command that was queued while it was allowed.
    pub(crate) fn error_at_exec(self) -> Error {
        let why = match self.reason {
            Reason::Command | Reason::Role | Reason::Login => {
                "no permission to execute the command or subcommand"
            }
            Reason::Key => "no permission to touch the specified keys",
            Reason::Channel => {
                "no permission to access one of the channels used as arguments to the command"
            }
        };
        let start = "ACLs rules changed between the moment the transaction was accumulated and the \
                     EXEC call. This command is no longer allowed for the following reason: ";
        Error::new(ErrorKind::NoPerm, format!("{start}{why}"))
    }
}

fn lacks_command(user: &[u8], spec: &Spec) -> Vec<u8> {
    let rest = format!(" has no permissions to run the '{}' command", spec.name);
    [b"User ", user, rest.as_bytes()].concat()
}
