//! A user: name, passwords, permissions. A user never changes; a rule makes another one in its
//! place, so that whoever holds one sees it whole.

use super::denied::{Denied, Reason};
use super::rule::{Refusal, Rule, SelectorRule, join_selectors};
use super::selector::Selector;
use crate::command::key_spec::KeyPlaces;
use crate::command::table::Spec;
use crate::error::{Error, ErrorKind};
use crate::secret::Digest;

/// The user of sessions that did not name one.
pub(crate) const DEFAULT: &[u8] = b"default";

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// Tells it from others that had the same name at other times.
    pub(super) id: u64,
    pub(crate) name: Box<[u8]>,
    is_enabled: bool,
    needs_no_password: bool,
    /// Whether payloads of RESTORE are checked in full, which they are in any case.
    sanitizes: bool,
    passwords: Vec<Digest>,
    /// The user's own permissions.
    own: Selector,
    more: Vec<Selector>,
}

impl User {
    /// A user who may nothing, not even log in.
    pub(super) fn new(id: u64, name: &[u8], all_channels: bool) -> Self {
        Self {
            id,
            name: name.into(),
            is_enabled: false,
            needs_no_password: false,
            sanitizes: true,
            passwords: Vec::new(),
            own: Selector::new(all_channels),
            more: Vec::new(),
        }
    }

    /// The default user of a new engine, who may everything.
    pub(super) fn all_powerful(id: u64) -> Self {
        let mut user = Self::new(id, DEFAULT, true);
        user.is_enabled = true;
        user.needs_no_password = true;
        for rule in [SelectorRule::AllKeys, SelectorRule::AllCommands(true)] {
            user.own.apply(rule).expect("these rules are never refused");
        }
        user
    }

    /// Whether everybody is this user who is nobody else.
    pub(crate) fn is_open(&self) -> bool {
        self.is_enabled && self.needs_no_password
    }

    /// Whether a password is needed to log in.
    pub(crate) fn needs_password(&self) -> bool {
        !self.needs_no_password
    }

    /// Whether a password opens this user. Takes as long whatever is wrong with it.
    pub(super) fn lets_in(&self, password: &[u8]) -> bool {
        let is_right = Digest::of(password).is_among(&self.passwords);
        self.is_enabled && (self.needs_no_password || is_right)
    }

    /// Whether everything is allowed.
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.selectors().any(Selector::is_unrestricted)
    }

    fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.own).chain(&self.more)
    }

    /// The user with rules applied, all or none.
    pub(super) fn with_rules<W: AsRef<[u8]>>(
        &self,
        words: &[W],
        all_channels: bool,
    ) -> Result<Self, Error> {
        let words = join_selectors(words).map_err(|open| {
            let start = "Unmatched parenthesis in acl selector starting at '";
            Error::repeating(start, &open, "'.")
        })?;
        let mut user = self.clone();
        for word in &words {
            user.apply(word, all_channels).map_err(|refusal| {
                let start = b"Error in ACL SETUSER modifier '";
                let text = [start, &word[..], b"': ", refusal.text().as_bytes()].concat();
                Error::new(ErrorKind::Err, text)
            })?;
        }
        Ok(user)
    }

    /// Applies one rule.
    pub(super) fn apply(&mut self, word: &[u8], all_channels: bool) -> Result<(), Refusal> {
        match Rule::parse(word, all_channels)? {
            Rule::Nothing => {}
            Rule::Enabled(enabled) => self.is_enabled = enabled,
            Rule::NoPassword => {
                self.needs_no_password = true;
                self.passwords.clear();
            }
            Rule::ResetPasswords => {
                self.needs_no_password = false;
                self.passwords.clear();
            }
            Rule::Sanitize(sanitizes) => self.sanitizes = sanitizes,
            Rule::AddPassword(digest) => {
                if !digest.is_among(&self.passwords) {
                    self.passwords.push(digest);
                }
                self.needs_no_password = false;
            }
            Rule::RemovePassword(digest) => {
                let at = self.passwords.iter().position(|known| *known == digest);
                self.passwords.remove(at.ok_or(Refusal::NoSuchPassword)?);
            }
            Rule::AddSelector(selector) => self.more.push(selector),
            Rule::ClearSelectors => self.more.clear(),
            Rule::Reset => *self = Self::new(self.id, &self.name, all_channels),
            Rule::Own(rule) => self.own.apply(rule)?,
        }
        Ok(())
    }

    /// The user with one password, or with none.
    pub(super) fn with_password(&self, password: Option<Digest>) -> Self {
        let passwords = Vec::from_iter(password);
        Self { needs_no_password: passwords.is_empty(), passwords, ..self.clone() }
    }

    /// Whether the user may give a command, and what forbids it if not.
    pub(crate) fn check(&self, spec: &Spec, words: &[&[u8]]) -> Result<(), Denied> {
        let mut keys: Option<KeyPlaces> = None;
        let mut worst = Denied { reason: Reason::Command, place: 0 };
        for selector in self.selectors() {
            match selector.check(spec, words, &mut keys) {
                Ok(()) => return Ok(()),
                Err(denied) => worst = worst.max(denied),
            }
        }
        Err(worst)
    }

    /// Whether the user may give a command by permissions that also read the value of every key.
    pub(crate) fn reads_every_key(&self, spec: &Spec, words: &[&[u8]]) -> bool {
        let mut keys: Option<KeyPlaces> = None;
        self.selectors()
            .any(|one| one.reads_every_key() && one.check(spec, words, &mut keys).is_ok())
    }

    /// Whether the user may listen to a channel, or to those that match a pattern.
    pub(super) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors().any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// Whether another user has, as they stand, all patterns of channels of this one.
    pub(super) fn channels_are_among(&self, other: &Self) -> bool {
        let others: Vec<Selector> = other.selectors().cloned().collect();
        self.selectors().all(|selector| selector.channels_are_among(&others))
    }

    /// What the user is, as rules of a word each.
    pub(super) fn flags(&self) -> Vec<&'static str> {
        let flags = [
            (self.is_enabled, "on"),
            (!self.is_enabled, "off"),
            (self.needs_no_password, "nopass"),
            (!self.sanitizes, "skip-sanitize-payload"),
            (self.sanitizes, "sanitize-payload"),
        ];
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
    }

    /// The passwords' digests in hexadecimal.
    pub(super) fn passwords(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(Digest::hex)
    }

    /// The user's own permissions, and then those that came on top.
    pub(super) fn permissions(&self) -> (&Selector, &[Selector]) {
        (&self.own, &self.more)
    }

    /// The line of a file of users.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut line = [b"user ", &*self.name].concat();
        let mut add = |word: &[u8]| {
            line.push(b' ');
            line.extend_from_slice(word);
        };
        self.flags().iter().for_each(|flag| add(flag.as_bytes()));
        self.passwords().for_each(|digits| add(format!("#{digits}").as_bytes()));
        add(&self.own.describe());
        for selector in &self.more {
            add(&[b"(", &selector.describe()[..], b")"].concat());
        }
        line
    }
}
