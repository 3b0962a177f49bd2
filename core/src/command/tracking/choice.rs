//! What a session chose by CLIENT TRACKING and CLIENT CACHING.

use crate::error::Error;
use crate::resp::number::parse_i64;

/// A bit for each option of CLIENT TRACKING.
pub(crate) mod option {
    /// The session tracks at all.
    pub(crate) const ON: usize = 1 << 0;
    /// It is told of all keys with certain prefixes.
    pub(crate) const BCAST: usize = 1 << 1;
    /// Only reads after CLIENT CACHING YES are remembered.
    pub(crate) const OPTIN: usize = 1 << 2;
    /// Reads after CLIENT CACHING NO are not remembered.
    pub(crate) const OPTOUT: usize = 1 << 3;
    /// It does not hear of its own changes.
    pub(crate) const NOLOOP: usize = 1 << 4;
}

/// How a session tracks. A script tracks as the session does that calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// The session's number.
    pub(crate) id: u64,
    /// A union of [`option`]s; zero for one that does not track.
    pub(crate) options: usize,
    /// Whether CLIENT CACHING was called for the command that comes next.
    pub(crate) caching: bool,
}

impl Mode {
    /// Whether the session tracks.
    #[inline]
    pub(crate) fn is_on(self) -> bool {
        self.options != 0
    }

    /// Whether an option is set.
    pub(crate) fn has(self, option: usize) -> bool {
        self.options & option != 0
    }

    /// Whether what the next command reads is remembered.
    pub(crate) fn remembers(self) -> bool {
        let excluded = (self.has(option::OPTIN) && !self.caching)
            || (self.has(option::OPTOUT) && self.caching);
        self.is_on() && !self.has(option::BCAST) && !excluded
    }
}

/// What CLIENT TRACKING asks for.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    pub(crate) options: usize,
    /// The session that hears in the place of the one that tracks; zero for none.
    pub(crate) redirect: u64,
    pub(crate) prefixes: Vec<&'a [u8]>,
}

impl<'a> Choice<'a> {
    /// Reads the words after ON or OFF. `exists` tells whether there is a session of a number.
    pub(crate) fn parse(
        mut words: &[&'a [u8]],
        exists: impl Fn(u64) -> bool,
    ) -> Result<Self, Error> {
        let mut choice = Self::default();
        while let [word, rest @ ..] = words {
            words = rest;
            match (word.to_ascii_lowercase().as_slice(), rest) {
                (b"redirect", [id, rest @ ..]) => {
                    if choice.redirect != 0 {
                        let text = "A client can only redirect to a single other client";
                        return Err(Error::err(text));
                    }
                    choice.redirect = parse_i64(id).ok_or(Error::NOT_INTEGER)? as u64;
                    if !exists(choice.redirect) {
                        let text = "The client ID you want redirect to does not exist";
                        return Err(Error::err(text));
                    }
                    words = rest;
                }
                (b"prefix", [prefix, rest @ ..]) => {
                    choice.prefixes.push(prefix);
                    words = rest;
                }
                (b"bcast", _) => choice.options |= option::BCAST,
                (b"optin", _) => choice.options |= option::OPTIN,
                (b"optout", _) => choice.options |= option::OPTOUT,
                (b"noloop", _) => choice.options |= option::NOLOOP,
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(choice)
    }

    /// Whether the choice makes sense, and agrees with what the session does already: its mode and
    /// its prefixes.
    pub(crate) fn check(&self, present: Mode, own: &[Box<[u8]>]) -> Result<(), Error> {
        let has = |option| self.options & option != 0;
        let switches = |option| present.is_on() && present.has(option) != has(option);
        if !has(option::BCAST) && !self.prefixes.is_empty() {
            return Err(Error::err("PREFIX option requires BCAST mode to be enabled"));
        }
        if switches(option::BCAST) {
            return Err(Error::err(
                "You can't switch BCAST mode on/off before disabling tracking for this client, \
                 and then re-enabling it with a different mode.",
            ));
        }
        if has(option::BCAST) && (has(option::OPTIN) || has(option::OPTOUT)) {
            return Err(Error::err("OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if has(option::OPTIN) && has(option::OPTOUT) {
            return Err(Error::err("You can't specify both OPTIN mode and OPTOUT mode"));
        }
        let turns = |from, to| present.has(from) && has(to);
        if turns(option::OPTIN, option::OPTOUT) || turns(option::OPTOUT, option::OPTIN) {
            return Err(Error::err(
                "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
                 then re-enabling it with a different mode.",
            ));
        }
        if has(option::BCAST) { self.check_prefixes(own) } else { Ok(()) }
    }

    /// Whether no prefix is the beginning of another one, lest a session be told twice.
    fn check_prefixes(&self, own: &[Box<[u8]>]) -> Result<(), Error> {
        for (number, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = own.iter().find(|other| overlap(prefix, other)) {
                return Err(overlapping(prefix, "an existing", other));
            }
            let mut after = self.prefixes[number + 1..].iter();
            if let Some(other) = after.find(|other| overlap(prefix, other)) {
                return Err(overlapping(prefix, "another provided", other));
            }
        }
        Ok(())
    }
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlapping(prefix: &[u8], which: &str, other: &[u8]) -> Error {
    let middle = format!("' overlaps with {which} prefix '");
    let other = String::from_utf8_lossy(other);
    let end = format!("{middle}{other}'. Prefixes for a single client must not overlap.");
    Error::repeating("Prefix '", prefix, &end)
}
