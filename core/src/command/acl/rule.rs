//! The rules of ACL SETUSER, each from its text. What a rule does to a user is `user`'s and
//! `selector`'s.

use super::selector::{READ, Selector, WRITE};
use crate::command::lookup::by_name;
use crate::command::quoted::split_arguments;
use crate::command::table::{Spec, category};
use crate::secret::Digest;

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownName,
    Syntax,
    AfterAllKeys,
    AfterAllChannels,
    NoSuchPassword,
    BadDigest,
    FirstWordOfSubcommand,
}

impl Refusal {
    /// What Redis says of it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::UnknownName => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::BadDigest => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::FirstWordOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// A rule on a user.
#[derive(Debug)]
pub(super) enum Rule<'a> {
    /// An empty word, which changes nothing.
    Nothing,
    Enabled(bool),
    NoPassword,
    ResetPasswords,
    Sanitize(bool),
    AddPassword(Digest),
    RemovePassword(Digest),
    /// One more set of permissions.
    AddSelector(Selector),
    ClearSelectors,
    Reset,
    /// On the user's own permissions.
    Own(SelectorRule<'a>),
}

impl<'a> Rule<'a> {
    /// Reads one word; `all_channels` says what a new set of permissions starts with.
    pub(super) fn parse(word: &'a [u8], all_channels: bool) -> Result<Self, Refusal> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        Ok(match word {
            [] => Self::Nothing,
            _ if is("on") => Self::Enabled(true),
            _ if is("off") => Self::Enabled(false),
            _ if is("nopass") => Self::NoPassword,
            _ if is("resetpass") => Self::ResetPasswords,
            _ if is("sanitize-payload") => Self::Sanitize(true),
            _ if is("skip-sanitize-payload") => Self::Sanitize(false),
            _ if is("clearselectors") => Self::ClearSelectors,
            _ if is("reset") => Self::Reset,
            [b'>', password @ ..] => Self::AddPassword(Digest::of(password)),
            [b'<', password @ ..] => Self::RemovePassword(Digest::of(password)),
            [b'#', text @ ..] => Self::AddPassword(digest(text)?),
            [b'!', text @ ..] => Self::RemovePassword(digest(text)?),
            [b'(', rules @ .., b')'] => Self::AddSelector(selector(rules, all_channels)?),
            _ => Self::Own(SelectorRule::parse(word)?),
        })
    }
}

fn digest(text: &[u8]) -> Result<Digest, Refusal> {
    Digest::parse(text).ok_or(Refusal::BadDigest)
}

fn selector(rules: &[u8], all_channels: bool) -> Result<Selector, Refusal> {
    let mut selector = Selector::new(all_channels);
    for word in split_arguments(rules).unwrap_or_default() {
        selector.apply(SelectorRule::parse(&word)?)?;
    }
    Ok(selector)
}

/// A rule on one set of permissions.
#[derive(Debug)]
pub(super) enum SelectorRule<'a> {
    AllKeys,
    NoKeys,
    /// A pattern with what is allowed on the keys, not looked at yet.
    Keys(&'a [u8]),
    AllChannels,
    NoChannels,
    /// A pattern, not looked at yet.
    Channels(&'a [u8]),
    AllCommands(bool),
    Command {
        spec: &'static Spec,
        allow: bool,
    },
    /// A command that is allowed with this first word; `text` is both as they were given.
    FirstWord {
        spec: &'static Spec,
        word: &'a [u8],
        text: &'a [u8],
    },
    Category {
        category: u32,
        name: &'static str,
        allow: bool,
    },
}

impl<'a> SelectorRule<'a> {
    pub(super) fn parse(word: &'a [u8]) -> Result<Self, Refusal> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        Ok(match word {
            _ if is("allkeys") || is("~*") => Self::AllKeys,
            _ if is("resetkeys") => Self::NoKeys,
            _ if is("allchannels") || is("&*") => Self::AllChannels,
            _ if is("resetchannels") => Self::NoChannels,
            _ if is("allcommands") || is("+@all") => Self::AllCommands(true),
            _ if is("nocommands") || is("-@all") => Self::AllCommands(false),
            [b'~' | b'%', ..] => Self::Keys(word),
            [b'&', pattern @ ..] => Self::Channels(pattern),
            [sign @ (b'+' | b'-'), b'@', name @ ..] => {
                let found = category::NAMES.iter();
                let mut found =
                    found.filter(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
                let &(category, name) = found.next().ok_or(Refusal::UnknownName)?;
                Self::Category { category, name, allow: *sign == b'+' }
            }
            [b'+', name @ ..] => Self::parse_allowed(name)?,
            [b'-', name @ ..] => Self::Command { spec: command(name)?, allow: false },
            _ => return Err(Refusal::Syntax),
        })
    }

    fn parse_allowed(name: &'a [u8]) -> Result<Self, Refusal> {
        let Some(bar) = memchr::memrchr(b'|', name) else {
            return Ok(Self::Command { spec: command(name)?, allow: true });
        };
        let (container, word) = (command(&name[..bar])?, &name[bar + 1..]);
        if container.container.is_some() {
            return Err(Refusal::FirstWordOfSubcommand);
        }
        if word.is_empty() {
            return Err(Refusal::Syntax);
        }
        if container.subcommands.is_empty() {
            return Ok(Self::FirstWord { spec: container, word, text: name });
        }
        Ok(Self::Command { spec: command(name)?, allow: true })
    }
}

fn command(name: &[u8]) -> Result<&'static Spec, Refusal> {
    by_name(name).ok_or(Refusal::UnknownName)
}

/// Keys by a pattern, and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPattern {
    pub(super) pattern: Box<[u8]>,
    /// A union of [`READ`] and [`WRITE`].
    pub(super) uses: u8,
}

impl KeyPattern {
    /// Reads `~pattern` or, with what is allowed, `%R~pattern`, `%W~pattern`, `%RW~pattern`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let (uses, pattern) = match text {
            [b'%', rest @ ..] => parse_uses(rest)?,
            _ => (READ | WRITE, &text[1..]),
        };
        if has_spaces(pattern) {
            return Err(Refusal::Syntax);
        }
        Ok(Self { pattern: pattern.into(), uses })
    }

    /// Writes what [`KeyPattern::parse`] reads.
    pub(super) fn print(&self) -> Vec<u8> {
        let start = match self.uses {
            READ => &b"%R~"[..],
            WRITE => b"%W~",
            _ => b"~",
        };
        [start, &self.pattern].concat()
    }

    /// Whether it allows all these uses of a key.
    pub(super) fn allows(&self, key: &[u8], uses: u8) -> bool {
        self.uses & uses == uses && crate::command::glob::matches(&self.pattern, key)
    }
}

/// Redis takes letters without a tilde after them, and finds no pattern.
fn parse_uses(text: &[u8]) -> Result<(u8, &[u8]), Refusal> {
    let mut uses = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if uses & READ == 0 => uses |= READ,
            b'W' if uses & WRITE == 0 => uses |= WRITE,
            b'~' if uses != 0 => return Ok((uses, &text[at + 1..])),
            _ => return Err(Refusal::Syntax),
        }
    }
    if uses == 0 { Err(Refusal::Syntax) } else { Ok((uses, &[])) }
}

/// Whether a text has bytes that would break a line of users: C's spaces, or zeros.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0))
}

/// Joins the words of each selector that has spaces in its parentheses. The word where one starts
/// that does not end is the error.
pub(super) fn join_selectors<W: AsRef<[u8]>>(words: &[W]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut joined = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (at, word) in words.iter().enumerate() {
        let word = word.as_ref();
        let closes = word.last() == Some(&b')');
        match open.take() {
            None if word.first() == Some(&b'(') && !closes => open = Some((at, word.to_vec())),
            None => joined.push(word.to_vec()),
            Some((start, text)) => {
                let text = [&text, &b" "[..], word].concat();
                if closes {
                    joined.push(text);
                } else {
                    open = Some((start, text));
                }
            }
        }
    }
    match open {
        Some((start, _)) => Err(words[start].as_ref().to_vec()),
        None => Ok(joined),
    }
}
