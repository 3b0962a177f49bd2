//! Who a session is, and what its user may: looked at again when any user has changed.

use super::audit::AuditEvent;
use super::denied::{Denied, Reason};
use super::log::{Context, Incident};
use super::user::{DEFAULT, User};
use super::users::Users;
use crate::command::client::ClientState;
use crate::command::client_command;
use crate::command::environment::Environment;
use crate::command::table::{Spec, flag};
use crate::error::{Error, ErrorKind};
use std::sync::Arc;

/// Who a session is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// None for a caller within the process that is no session, who may everything.
    user: Option<Arc<User>>,
    /// Whether the session has said who it is, or was not asked.
    logged_in: bool,
    /// Whether it may do more than log in: it has, or the default user is open.
    pub(crate) authenticated: bool,
    /// Whether there is anything that the user may not do.
    pub(crate) is_restricted: bool,
    /// Whether the user is an ordinary one under the managed profile.
    is_ordinary: bool,
    /// The changes to users that are known here.
    seen_changes: u64,
}

impl Default for Identity {
    /// A caller within the process.
    fn default() -> Self {
        Self {
            user: None,
            logged_in: true,
            authenticated: true,
            is_restricted: false,
            is_ordinary: false,
            seen_changes: 0,
        }
    }
}

impl Identity {
    /// The name of the user.
    pub(crate) fn user_name(&self) -> &[u8] {
        self.user.as_ref().map_or(DEFAULT, |user| &user.name)
    }

    /// Whether the session has said who it is, or was not asked when it began.
    pub(crate) fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// Whether every change to users is known here.
    #[inline]
    pub(crate) fn is_up_to_date(&self, users: &Users) -> bool {
        self.seen_changes == users.changes()
    }

    /// Looks at the user again. Returns whether the user is gone: then this is a stranger.
    fn catch_up(&mut self, env: &Environment) -> bool {
        self.seen_changes = env.users.changes();
        let Some(user) = &self.user else { return false };
        let default = env.users.default_user();
        let now = env.users.find(&user.name).filter(|now| now.id == user.id);
        let is_gone = now.is_none();
        self.logged_in &= !is_gone;
        let now = now.unwrap_or_else(|| default.clone());
        self.authenticated = self.logged_in || default.is_open();
        self.is_ordinary = env.config.is_managed() && !env.config.is_administrator(&now.name);
        self.is_restricted = self.is_ordinary || !now.is_unrestricted();
        self.user = Some(now);
        is_gone
    }

    /// Whether the user may give a command, and what forbids it if not.
    #[inline]
    pub(crate) fn check(&self, spec: &Spec, words: &[&[u8]]) -> Result<(), Denied> {
        if self.is_restricted { self.check_user(spec, words) } else { Ok(()) }
    }

    fn check_user(&self, spec: &Spec, words: &[&[u8]]) -> Result<(), Denied> {
        self.user.as_ref().map_or(Ok(()), |user| user.check(spec, words))?;
        if self.is_ordinary && spec.flags & flag::ADMIN != 0 {
            return Err(Denied { reason: Reason::Role, place: 0 });
        }
        Ok(())
    }

    /// Whether the user may give a command by permissions that also read every key.
    pub(crate) fn reads_every_key(&self, spec: &Spec, words: &[&[u8]]) -> bool {
        let user = self.user.as_ref().filter(|_| self.is_restricted);
        user.is_none_or(|user| user.reads_every_key(spec, words))
    }
}

impl ClientState {
    /// Makes the session one of the default user, who needs to log in or not.
    pub(crate) fn become_default(&mut self, env: &Environment) {
        let user = env.users.default_user();
        let logged_in = user.is_open();
        self.become_user(env, user, logged_in);
    }

    fn become_user(&mut self, env: &Environment, user: Arc<User>, logged_in: bool) {
        self.identity = Identity { user: Some(user), logged_in, ..Identity::default() };
        self.catch_up(env);
    }

    /// Looks at the session's user again if there was any change. The session of a user who is gone
    /// is let go.
    #[inline]
    pub(crate) fn keep_up(&mut self, env: &Environment) {
        if !self.identity.is_up_to_date(&env.users) {
            self.catch_up(env);
        }
    }

    #[cold]
    fn catch_up(&mut self, env: &Environment) {
        self.closing |= self.identity.catch_up(env);
        if let Some(card) = &self.card {
            card.labels().user = self.identity.user_name().into();
        }
    }

    /// Lets the session in as a user whose password this is.
    pub(crate) fn log_in(
        &mut self,
        env: &Environment,
        name: &[u8],
        password: &[u8],
        asked_by: &[u8],
        now_ms: u64,
    ) -> Result<(), Error> {
        const REFUSED: Error = Error::fixed(
            ErrorKind::WrongPass,
            "invalid username-password pair or user is disabled.",
        );
        let user = env.users.find(name).filter(|user| user.lets_in(password));
        let Some(user) = user else {
            let incident = Incident { reason: Reason::Login, object: asked_by, user: name };
            env.note_incident(self, incident, self.context(), now_ms);
            env.users.audit.tell(self, &AuditEvent::LoginFailed { user: name });
            return Err(REFUSED);
        };
        self.become_user(env, user, true);
        env.users.audit.tell(self, &AuditEvent::LoggedIn { user: name });
        Ok(())
    }

    fn context(&self) -> Context {
        match () {
            () if self.is_in_script => Context::Script,
            () if self.is_in_exec || self.transaction.is_some() => Context::Multi,
            () => Context::Top,
        }
    }

    /// Lets a command pass that the session may give; notes it and makes the error if it may not.
    #[inline]
    pub(crate) fn permit(
        &self,
        env: &Environment,
        spec: &Spec,
        words: &[&[u8]],
        now_ms: impl FnOnce() -> u64,
    ) -> Result<(), Error> {
        if !self.identity.is_restricted {
            return Ok(());
        }
        self.permit_user(env, spec, words, now_ms())
    }

    /// As [`ClientState::permit`], for a command that was queued and permitted then.
    pub(crate) fn permit_at_exec(
        &self,
        env: &Environment,
        spec: &Spec,
        words: &[&[u8]],
        now_ms: impl FnOnce() -> u64,
    ) -> Result<(), Error> {
        self.identity.check(spec, words).map_err(|denied| {
            env.note_denied(self, spec, words, denied, Context::Multi, now_ms());
            denied.error_at_exec()
        })
    }

    #[cold]
    fn permit_user(
        &self,
        env: &Environment,
        spec: &Spec,
        words: &[&[u8]],
        now_ms: u64,
    ) -> Result<(), Error> {
        self.identity.check_user(spec, words).map_err(|denied| {
            env.note_denied(self, spec, words, denied, self.context(), now_ms);
            denied.error(self.identity.user_name(), spec)
        })
    }
}

impl Environment {
    /// Notes that a command was refused to a session's user.
    pub(crate) fn note_denied(
        &self,
        client: &ClientState,
        spec: &Spec,
        words: &[&[u8]],
        denied: Denied,
        context: Context,
        now_ms: u64,
    ) {
        let object = match denied.reason {
            Reason::Command | Reason::Role | Reason::Login => spec.name.as_bytes(),
            Reason::Key | Reason::Channel => words[denied.place],
        };
        let user = client.identity.user_name();
        let incident = Incident { reason: denied.reason, object, user };
        self.note_incident(client, incident, context, now_ms);
        let command = &*spec.name;
        let event = match denied.reason {
            Reason::Command | Reason::Role | Reason::Login => AuditEvent::CommandDenied { command },
            Reason::Key => AuditEvent::KeyDenied { command, key: object },
            Reason::Channel => AuditEvent::ChannelDenied { command, channel: object },
        };
        self.users.audit.tell(client, &event);
    }

    fn note_incident(
        &self,
        client: &ClientState,
        incident: Incident<'_>,
        context: Context,
        now_ms: u64,
    ) {
        self.stats.note_denied(incident.reason);
        let session = client.card.as_deref().map(|card| client_command::line(card, now_ms));
        let len_max = self.config.acl_log_len();
        let session = session.unwrap_or_default();
        self.users.log.lock().note(incident, context, session, now_ms, len_max);
    }
}
