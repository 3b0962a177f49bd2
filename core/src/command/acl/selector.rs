//! One set of permissions: which commands, on which keys, on which channels. A user has one, and may
//! have more, of which any may allow a command as a whole.

use super::denied::{Denied, Reason};
use super::rule::{KeyPattern, Refusal, SelectorRule};
use crate::command::glob;
use crate::command::key_spec::KeyPlaces;
use crate::command::table::{self, Spec, key_use};
use std::collections::BTreeMap;

/// Reading a key's value.
pub(super) const READ: u8 = 1;
/// Adding to, changing or deleting it.
pub(super) const WRITE: u8 = 2;

/// A bit for each command and subcommand, by their numbers in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CommandSet(Box<[u64]>);

impl CommandSet {
    fn new(all: bool) -> Self {
        let bits = if all { u64::MAX } else { 0 };
        Self(vec![bits; table::spec_count().div_ceil(64)].into())
    }

    #[inline]
    fn has(&self, spec: &Spec) -> bool {
        self.0[spec.id / 64] >> (spec.id % 64) & 1 != 0
    }

    fn set(&mut self, spec: &Spec, allow: bool) {
        let (word, bit) = (&mut self.0[spec.id / 64], 1 << (spec.id % 64));
        *word = if allow { *word | bit } else { *word & !bit };
    }

    fn is_full(&self) -> bool {
        (0..table::spec_count()).all(|id| self.0[id / 64] >> (id % 64) & 1 != 0)
    }
}

/// What is allowed by name: everything, or what matches one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names<P> {
    All,
    These(Vec<P>),
}

/// One set of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    commands: CommandSet,
    /// Whether commands that are yet to come are allowed: the last rule about all of them.
    starts_full: bool,
    /// The rules since then as they were given, each with its sign.
    rules: Vec<Box<[u8]>>,
    /// First words with which a command is allowed that otherwise is not, by its number.
    first_words: BTreeMap<usize, Vec<Box<[u8]>>>,
    keys: Names<KeyPattern>,
    channels: Names<Box<[u8]>>,
}

impl Selector {
    /// Nothing is allowed, but for channels if the setting says so.
    pub(super) fn new(all_channels: bool) -> Self {
        Self {
            commands: CommandSet::new(false),
            starts_full: false,
            rules: Vec::new(),
            first_words: BTreeMap::new(),
            keys: Names::These(Vec::new()),
            channels: if all_channels { Names::All } else { Names::These(Vec::new()) },
        }
    }

    /// Whether everything is allowed.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.keys == Names::All && self.channels == Names::All && self.commands.is_full()
    }

    /// Changes what one rule says.
    pub(super) fn apply(&mut self, rule: SelectorRule<'_>) -> Result<(), Refusal> {
        match rule {
            SelectorRule::AllKeys => self.keys = Names::All,
            SelectorRule::NoKeys => self.keys = Names::These(Vec::new()),
            SelectorRule::Keys(text) => self.add_keys(text)?,
            SelectorRule::AllChannels => self.channels = Names::All,
            SelectorRule::NoChannels => self.channels = Names::These(Vec::new()),
            SelectorRule::Channels(text) => self.add_channels(text)?,
            SelectorRule::AllCommands(allow) => {
                self.commands = CommandSet::new(allow);
                self.starts_full = allow;
                self.rules.clear();
                self.first_words.clear();
            }
            SelectorRule::Command { spec, allow } => {
                self.set(spec, allow);
                self.note_rule(spec.name.as_bytes(), allow);
            }
            SelectorRule::FirstWord { spec, word, text } => {
                let words = self.first_words.entry(spec.id).or_default();
                if !words.iter().any(|other| other.eq_ignore_ascii_case(word)) {
                    words.push(word.into());
                }
                self.note_rule(text, true);
            }
            SelectorRule::Category { category, name, allow } => {
                let all = table::specs().iter();
                let all = all.flat_map(|spec| std::iter::once(spec).chain(&spec.subcommands));
                all.filter(|spec| spec.categories & category != 0)
                    .for_each(|spec| self.set(spec, allow));
                self.note_rule(&[b"@", name.as_bytes()].concat(), allow);
            }
        }
        Ok(())
    }

    /// Allows or forbids a command with all its subcommands.
    fn set(&mut self, spec: &Spec, allow: bool) {
        self.first_words.remove(&spec.id);
        self.commands.set(spec, allow);
        spec.subcommands.iter().for_each(|one| self.commands.set(one, allow));
    }

    /// A rule takes the place of an earlier one on the same command or category, and of those on
    /// the command's subcommands.
    fn note_rule(&mut self, rule: &[u8], allow: bool) {
        let rule = rule.to_ascii_lowercase();
        self.rules.retain(|known| match known[1..].strip_prefix(&rule[..]) {
            Some(rest) => !rest.is_empty() && rest[0] != b'|',
            None => true,
        });
        let sign = if allow { b'+' } else { b'-' };
        self.rules.push([&[sign], &rule[..]].concat().into());
    }

    fn add_keys(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let Names::These(patterns) = &mut self.keys else { return Err(Refusal::AfterAllKeys) };
        let pattern = KeyPattern::parse(text)?;
        match patterns.iter_mut().find(|known| known.pattern == pattern.pattern) {
            Some(known) => known.uses |= pattern.uses,
            None => patterns.push(pattern),
        }
        Ok(())
    }

    fn add_channels(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let Names::These(patterns) = &mut self.channels else {
            return Err(Refusal::AfterAllChannels);
        };
        if super::rule::has_spaces(text) {
            return Err(Refusal::Syntax);
        }
        if !patterns.iter().any(|known| **known == *text) {
            patterns.push(text.into());
        }
        Ok(())
    }

    /// Whether a request may be carried out; what forbids it if not. The keys are found when they
    /// are first asked for.
    pub(super) fn check(
        &self,
        spec: &Spec,
        words: &[&[u8]],
        keys: &mut Option<KeyPlaces>,
    ) -> Result<(), Denied> {
        if !self.allows_command(spec, words) {
            return Err(Denied { reason: Reason::Command, place: 0 });
        }
        if let Names::These(patterns) = &self.keys {
            let found = keys.get_or_insert_with(|| spec.keys(words).unwrap_or_default());
            for key in found.iter().filter(|key| key.uses & key_use::NOT_KEY == 0) {
                let uses = uses_of(key.uses);
                if !patterns.iter().any(|pattern| pattern.allows(words[key.place], uses)) {
                    return Err(Denied { reason: Reason::Key, place: key.place });
                }
            }
        }
        if let (Names::These(_), Some(channels)) = (&self.channels, ChannelWords::of(spec)) {
            let denied = channels.places(words).find(|&place| {
                !self.allows_channel(words[place], channels == ChannelWords::Patterns)
            });
            if let Some(place) = denied {
                return Err(Denied { reason: Reason::Channel, place });
            }
        }
        Ok(())
    }

    fn allows_command(&self, spec: &Spec, words: &[&[u8]]) -> bool {
        if self.commands.has(spec) || spec.flags & table::flag::NO_AUTH != 0 {
            return true;
        }
        let (Some(allowed), Some(first)) = (self.first_words.get(&spec.id), words.get(1)) else {
            return false;
        };
        allowed.iter().any(|word| word.eq_ignore_ascii_case(first))
    }

    /// Whether a channel may be used. A pattern is allowed only as it stands.
    pub(super) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        match &self.channels {
            Names::All => true,
            Names::These(patterns) if is_pattern => patterns.iter().any(|known| **known == *name),
            Names::These(patterns) => patterns.iter().any(|known| glob::matches(known, name)),
        }
    }

    /// Whether the value of every key may be read.
    pub(super) fn reads_every_key(&self) -> bool {
        match &self.keys {
            Names::All => true,
            Names::These(patterns) => {
                patterns.iter().any(|one| *one.pattern == *b"*" && one.uses & READ != 0)
            }
        }
    }

    /// The rules on commands, from all or none on.
    pub(super) fn command_rules(&self) -> Vec<u8> {
        let start = if self.starts_full { &b"+@all"[..] } else { b"-@all" };
        let rules = self.rules.iter().map(|rule| &**rule);
        std::iter::once(start).chain(rules).collect::<Vec<_>>().join(&b' ')
    }

    /// The rules on keys.
    pub(super) fn key_rules(&self) -> Vec<u8> {
        match &self.keys {
            Names::All => b"~*".to_vec(),
            Names::These(patterns) => {
                patterns.iter().map(KeyPattern::print).collect::<Vec<_>>().join(&b' ')
            }
        }
    }

    /// The rules on channels.
    pub(super) fn channel_rules(&self) -> Vec<u8> {
        match &self.channels {
            Names::All => b"&*".to_vec(),
            Names::These(patterns) => patterns
                .iter()
                .map(|pattern| [b"&", &**pattern].concat())
                .collect::<Vec<_>>()
                .join(&b' '),
        }
    }

    /// All rules as a file of users has them.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut parts = vec![self.key_rules()];
        if self.channels != Names::All {
            parts.push(b"resetchannels".to_vec());
        }
        parts.push(self.channel_rules());
        parts.push(self.command_rules());
        parts.retain(|part| !part.is_empty());
        parts.join(&b' ')
    }

    /// Whether another set of permissions has, as it stands, every pattern of channels of this one.
    pub(super) fn channels_are_among(&self, others: &[Self]) -> bool {
        let has = |other: &Self, name: &[u8]| match &other.channels {
            Names::All => true,
            Names::These(patterns) => patterns.iter().any(|known| **known == *name),
        };
        match &self.channels {
            Names::All => others.iter().any(|other| other.channels == Names::All),
            Names::These(patterns) => {
                patterns.iter().all(|name| others.iter().any(|other| has(other, name)))
            }
        }
    }
}

/// What has to be allowed for what a command does with a key.
fn uses_of(uses: u16) -> u8 {
    const CHANGES: u16 = key_use::INSERT | key_use::DELETE | key_use::UPDATE;
    let read = if uses & key_use::ACCESS != 0 { READ } else { 0 };
    let write = if uses & CHANGES != 0 { WRITE } else { 0 };
    read | write
}

/// Where the words of a command name channels that it wants to hear of or speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelWords {
    First,
    All,
    Patterns,
}

impl ChannelWords {
    fn of(spec: &Spec) -> Option<Self> {
        match &*spec.name {
            "publish" | "spublish" => Some(Self::First),
            "subscribe" | "ssubscribe" => Some(Self::All),
            "psubscribe" => Some(Self::Patterns),
            _ => None,
        }
    }

    fn places(self, words: &[&[u8]]) -> std::ops::Range<usize> {
        1..if self == Self::First { words.len().min(2) } else { words.len() }
    }
}
