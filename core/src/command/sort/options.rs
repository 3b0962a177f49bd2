//! The options of SORT and SORT_RO, and the keys that they name.

use super::pattern::{self, Pattern};
use crate::command::call::Call;
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::key_use;
use crate::error::Error;
use crate::resp::number::parse_i64;
use std::ops::Range;

/// What elements are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By<'a> {
    /// Themselves.
    Element,
    /// What the pattern names for them.
    Pattern(Pattern<'a>),
    /// Nothing: they stay in the order that they have.
    Nothing,
}

/// Which part of the elements is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    offset: i64,
    /// Negative for all that follow.
    count: i64,
}

impl Limit {
    /// The part of so many elements.
    pub(super) fn within(self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or_default().min(len);
        let count = usize::try_from(self.count).unwrap_or(len);
        start..start + count.min(len - start)
    }
}

/// What the words after the key say.
#[derive(Clone, Debug)]
pub(super) struct Options<'a> {
    pub(super) by: By<'a>,
    pub(super) descending: bool,
    /// Whether texts are compared, not numbers.
    pub(super) alpha: bool,
    pub(super) limit: Limit,
    /// What is answered for each element; the element itself if there is nothing.
    pub(super) gets: Vec<Pattern<'a>>,
    /// Whether the result is stored under the command's last key.
    pub(super) stores: bool,
}

impl<'a> Options<'a> {
    /// Reads the options of a call.
    ///
    /// # Errors
    /// `ERR syntax error`, `ERR value is not an integer or out of range`, and what a cluster denies:
    /// patterns whose keys may be in another slot.
    pub(super) fn parse(call: &Call<'a, '_>, may_store: bool) -> Result<Self, Error> {
        let mut options = Self {
            by: By::Element,
            descending: false,
            alpha: false,
            limit: Limit { offset: 0, count: -1 },
            gets: Vec::new(),
            stores: false,
        };
        let mut words = &call.words[2..];
        while let [name, rest @ ..] = words {
            let is = |token: &[u8]| name.eq_ignore_ascii_case(token);
            words = match *rest {
                _ if is(b"asc") || is(b"desc") => {
                    options.descending = is(b"desc");
                    rest
                }
                _ if is(b"alpha") => {
                    options.alpha = true;
                    rest
                }
                [offset, count, ref rest @ ..] if is(b"limit") => {
                    let offset = parse_i64(offset).ok_or(Error::NOT_INTEGER)?;
                    let count = parse_i64(count).ok_or(Error::NOT_INTEGER)?;
                    options.limit = Limit { offset, count };
                    rest
                }
                [_, ref rest @ ..] if may_store && is(b"store") => {
                    options.stores = true;
                    rest
                }
                [text, ref rest @ ..] if is(b"by") => {
                    options.take_by(call, text)?;
                    rest
                }
                [text, ref rest @ ..] if is(b"get") => {
                    if text != b"#" && is_elsewhere(call, text) {
                        return Err(GET_DENIED);
                    }
                    if !reads_every_key(call) {
                        return Err(GET_NOT_PERMITTED);
                    }
                    options.gets.push(Pattern::parse(text));
                    rest
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(options)
    }

    /// A text without a star means that nothing is sorted, even if a pattern follows.
    fn take_by(&mut self, call: &Call<'a, '_>, text: &'a [u8]) -> Result<(), Error> {
        match Pattern::parse(text) {
            Pattern::Element | Pattern::Nowhere => self.by = By::Nothing,
            Pattern::Key { .. } if is_elsewhere(call, text) => return Err(BY_DENIED),
            Pattern::Key { .. } if !reads_every_key(call) => return Err(BY_NOT_PERMITTED),
            pattern if self.by != By::Nothing => self.by = By::Pattern(pattern),
            Pattern::Key { .. } => {}
        }
        Ok(())
    }
}

const BY_DENIED: Error = Error::err(
    "BY option of SORT denied in cluster mode when keys formed by the pattern may be in different \
     slots.",
);
const GET_DENIED: Error = Error::err(
    "GET option of SORT denied in cluster mode when keys formed by the pattern may be in different \
     slots.",
);

const BY_NOT_PERMITTED: Error =
    Error::err("BY option of SORT denied due to insufficient ACL permissions.");
const GET_NOT_PERMITTED: Error =
    Error::err("GET option of SORT denied due to insufficient ACL permissions.");

/// Whether the user may read whatever key a pattern names.
fn reads_every_key(call: &Call<'_, '_>) -> bool {
    call.client.identity.reads_every_key(call.spec, call.words)
}

/// Whether keys that a pattern names may be on another node than the key to be sorted.
fn is_elsewhere(call: &Call<'_, '_>, text: &[u8]) -> bool {
    let scheme = call.keys.keyspace().scheme();
    call.env.cluster.is_some() && pattern::slot(text, scheme) != Some(call.located[0].slot)
}

/// The words of a request that are an option's name, with those after it that are its own.
fn options<'w>(words: &'w [&'w [u8]]) -> impl Iterator<Item = (usize, &'w [u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        let place = at;
        let name = *words.get(place)?;
        let own = [(&b"limit"[..], 2), (b"get", 1), (b"by", 1), (b"store", 1)];
        let own = own.iter().find(|(option, _)| name.eq_ignore_ascii_case(option));
        at += 1 + own.map_or(0, |(_, own)| *own);
        Some((place, name))
    })
}

fn key(words: &[&[u8]]) -> Option<KeyPlaces> {
    let uses = key_use::RO | key_use::ACCESS;
    words.get(1).map(|_| KeyPlaces::from_iter([KeyPlace { place: 1, uses }]))
}

pub(super) fn keys_of_sort_ro(words: &[&[u8]]) -> Option<KeyPlaces> {
    key(words)
}

/// The key to be sorted, and that of the last STORE.
pub(super) fn keys_of_sort(words: &[&[u8]]) -> Option<KeyPlaces> {
    let mut keys = key(words)?;
    let stores = options(words).filter(|(_, name)| name.eq_ignore_ascii_case(b"store"));
    if let Some((at, _)) = stores.last().filter(|(at, _)| at + 1 < words.len()) {
        keys.push(KeyPlace { place: at + 1, uses: key_use::OW | key_use::UPDATE });
    }
    Some(keys)
}

/// Whether a request has patterns that name keys.
pub(super) fn names_keys_by_value(words: &[&[u8]]) -> bool {
    options(words).any(|(at, name)| {
        let takes_pattern = name.eq_ignore_ascii_case(b"by") || name.eq_ignore_ascii_case(b"get");
        let text = words.get(at + 1).copied().unwrap_or_default();
        takes_pattern && matches!(Pattern::parse(text), Pattern::Key { .. })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_stays_within_the_elements() {
        for (offset, count, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-3, 2, 0..2),
            (4, 9, 4..5),
            (5, 1, 5..5),
            (i64::MAX, i64::MAX, 5..5),
            (2, 0, 2..2),
            (i64::MIN, i64::MIN, 0..5),
        ] {
            assert_eq!(Limit { offset, count }.within(5), expected, "{offset} {count}");
        }
        assert!(Limit { offset: 0, count: -1 }.within(0).is_empty());
    }

    #[test]
    fn keys_are_found_among_options() {
        let places = |request: &str| {
            let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
            let keys = keys_of_sort(&words).unwrap();
            keys.iter().map(|key| key.place).collect::<Vec<_>>()
        };
        assert_eq!(places("SORT k"), [1]);
        assert_eq!(places("SORT k STORE t"), [1, 3]);
        assert_eq!(places("SORT k STORE t store u ASC"), [1, 5]);
        assert_eq!(places("SORT k BY store GET store LIMIT store 1"), [1]);
        assert_eq!(places("SORT k STORE by STORE t"), [1, 5]);
        assert_eq!(places("SORT k STORE"), [1]);
    }
}
