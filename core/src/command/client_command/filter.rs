//! Which sessions CLIENT LIST and CLIENT KILL mean.

use crate::command::acl::Users;
use crate::command::card::Card;
use crate::error::Error;
use crate::resp::number::parse_i64;

/// What sort of client a session is, as output limits and CLIENT tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Normal,
    /// One that listens.
    PubSub,
    /// Replicas and masters, which no session is.
    Foreign,
}

impl Class {
    fn parse(word: &[u8]) -> Result<Self, Error> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::PubSub),
            b"slave" | b"replica" | b"master" => Ok(Self::Foreign),
            _ => Err(Error::repeating("Unknown client type '", word, "'")),
        }
    }

    fn holds(self, card: &Card) -> bool {
        match self {
            Self::Normal => !card.is_listening(),
            Self::PubSub => card.is_listening(),
            Self::Foreign => false,
        }
    }
}

/// Conditions on a session, all of which have to hold.
#[derive(Debug, Default)]
pub(super) struct Filter {
    ids: Option<Vec<u64>>,
    class: Option<Class>,
    peer: Option<Vec<u8>>,
    local: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
    /// Whether the session that asks is left out.
    skips_own: bool,
    /// The least age, in seconds.
    age: Option<u64>,
}

impl Filter {
    /// Means the sessions at an address, the one that asks included.
    pub(super) fn of_address(peer: &[u8]) -> Self {
        Self { peer: Some(peer.to_vec()), ..Self::default() }
    }

    /// Reads the filters of CLIENT KILL, which come with a value each.
    pub(super) fn of_kill(mut words: &[&[u8]], users: &Users) -> Result<Self, Error> {
        let mut filter = Self { skips_own: true, ..Self::default() };
        while let [name, rest @ ..] = words {
            let [value, rest @ ..] = rest else { return Err(Error::SYNTAX) };
            if name.eq_ignore_ascii_case(b"id") {
                filter.ids = Some(vec![parse_id(value)?]);
            } else {
                filter.add(name, value, users)?;
            }
            words = rest;
        }
        Ok(filter)
    }

    /// Reads the filters of CLIENT LIST, where ID takes several values. The names are looked at
    /// before the values.
    pub(super) fn of_list(mut words: &[&[u8]], users: &Users) -> Result<Self, Error> {
        let mut named = Vec::new();
        while let [name, rest @ ..] = words {
            let len = match name.eq_ignore_ascii_case(b"id") {
                true => rest.iter().position(|word| is_name(word)).unwrap_or(rest.len()),
                false => 1,
            };
            if !is_name(name) || rest.is_empty() {
                return Err(Error::SYNTAX);
            }
            named.push((name, &rest[..len]));
            words = &rest[len..];
        }
        let mut filter = Self::default();
        for (name, values) in named {
            if name.eq_ignore_ascii_case(b"id") {
                let ids = values.iter().map(|id| parse_i64(id).map(|id| id as u64));
                let ids = ids.collect::<Option<Vec<u64>>>().filter(|ids| !ids.is_empty());
                filter.ids = Some(ids.ok_or(Error::err("Invalid client ID"))?);
            } else {
                filter.add(name, values[0], users)?;
            }
        }
        Ok(filter)
    }

    fn add(&mut self, name: &[u8], value: &[u8], users: &Users) -> Result<(), Error> {
        match name.to_ascii_lowercase().as_slice() {
            b"type" => self.class = Some(Class::parse(value)?),
            b"addr" => self.peer = Some(value.to_vec()),
            b"laddr" => self.local = Some(value.to_vec()),
            b"user" if users.find(value).is_some() => self.user = Some(value.to_vec()),
            b"user" => return Err(Error::repeating("No such user '", value, "'")),
            b"skipme" => self.skips_own = parse_yes_no(value)?,
            b"maxage" => self.age = Some(parse_age(value)?),
            _ => return Err(Error::SYNTAX),
        }
        Ok(())
    }

    /// The numbers of the sessions that it may hold for, if it names them.
    pub(super) fn ids(&self) -> Option<&[u64]> {
        self.ids.as_deref()
    }

    /// Whether all conditions hold for a session.
    pub(super) fn holds(&self, card: &Card, own_id: u64, now_ms: u64) -> bool {
        let labels = card.labels();
        let is_at = |wanted: &Option<Vec<u8>>, address: &str| {
            let address = super::line::address_or_unknown(address).as_bytes();
            wanted.as_ref().is_none_or(|wanted| wanted == address)
        };
        let age = now_ms.saturating_sub(card.opened_ms) / 1000;
        is_at(&self.peer, &labels.peer)
            && is_at(&self.local, &labels.local)
            && self.user.as_ref().is_none_or(|user| **user == *labels.user)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&card.id))
            && self.class.is_none_or(|class| class.holds(card))
            && self.age.is_none_or(|least| age >= least)
            && !(self.skips_own && card.id == own_id)
    }
}

fn is_name(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [b"id", b"type", b"addr", b"laddr", b"user", b"skipme", b"maxage"];
    NAMES.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn parse_id(word: &[u8]) -> Result<u64, Error> {
    let id = parse_i64(word).filter(|&id| id > 0);
    Ok(id.ok_or(Error::err("client-id should be greater than 0"))? as u64)
}

fn parse_age(word: &[u8]) -> Result<u64, Error> {
    let age = parse_i64(word).ok_or(Error::err("maxage is not an integer or out of range"))?;
    if age <= 0 {
        return Err(Error::err("maxage should be greater than 0"));
    }
    Ok(age as u64)
}

fn parse_yes_no(word: &[u8]) -> Result<bool, Error> {
    match word.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}
