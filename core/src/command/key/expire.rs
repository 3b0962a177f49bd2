//! When keys expire: the EXPIRE family, the TTL family, PERSIST. Deleting what is due is the
//! keyspace's work.

use crate::command::call::Call;
use crate::command::expire_arguments::TimeForm;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Event, Key};
use crate::resp::number;

const CONDITION_HISTORY: &[(&str, &str)] =
    &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")];

const fn expiring(name: &'static str) -> Command {
    Command {
        name,
        group: Group::Generic,
        flags: flag::WRITE | flag::FAST,
        keys: &[key_use::RW | key_use::UPDATE],
        ..Command::DEFAULT
    }
}

const fn telling(name: &'static str) -> Command {
    Command {
        name,
        group: Group::Generic,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        ..Command::DEFAULT
    }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Sets the expiration time of a key in seconds.",
        grammar: "key seconds:integer condition=[NX | XX | GT | LT]@7.0.0",
        history: CONDITION_HISTORY,
        handler: expire,
        ..expiring("expire")
    },
    Command {
        summary: "Sets the expiration time of a key in milliseconds.",
        since: "2.6.0",
        grammar: "key milliseconds:integer condition=[NX | XX | GT | LT]@7.0.0",
        history: CONDITION_HISTORY,
        handler: pexpire,
        ..expiring("pexpire")
    },
    Command {
        summary: "Sets the expiration time of a key to a Unix timestamp.",
        since: "1.2.0",
        grammar: "key unix-time-seconds:unix-time condition=[NX | XX | GT | LT]@7.0.0",
        history: CONDITION_HISTORY,
        handler: expireat,
        ..expiring("expireat")
    },
    Command {
        summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        since: "2.6.0",
        grammar: "key unix-time-milliseconds:unix-time condition=[NX | XX | GT | LT]@7.0.0",
        history: CONDITION_HISTORY,
        handler: pexpireat,
        ..expiring("pexpireat")
    },
    Command {
        summary: "Removes the expiration time of a key.",
        since: "2.2.0",
        grammar: "key",
        handler: persist,
        ..expiring("persist")
    },
    Command {
        summary: "Returns the expiration time in seconds of a key.",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "Added the -2 reply.")],
        handler: ttl,
        ..telling("ttl")
    },
    Command {
        summary: "Returns the expiration time in milliseconds of a key.",
        since: "2.6.0",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "Added the -2 reply.")],
        handler: pttl,
        ..telling("pttl")
    },
    Command {
        summary: "Returns the expiration time of a key as a Unix timestamp.",
        since: "7.0.0",
        handler: expiretime,
        ..telling("expiretime")
    },
    Command {
        summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        since: "7.0.0",
        handler: pexpiretime,
        ..telling("pexpiretime")
    },
];

fn expire(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_expiry(call, TimeForm::Seconds)
}

fn pexpire(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_expiry(call, TimeForm::Milliseconds)
}

fn expireat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_expiry(call, TimeForm::UnixSeconds)
}

fn pexpireat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_expiry(call, TimeForm::UnixMilliseconds)
}

/// When a new expiry time is taken.
#[derive(Clone, Copy, Default)]
struct Condition {
    if_none: bool,
    if_some: bool,
    if_later: bool,
    if_earlier: bool,
}

impl Condition {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut condition = Self::default();
        for word in words {
            // Redis compares and prints options up to their first NUL, as C does.
            let word = &word[..memchr::memchr(0, word).unwrap_or(word.len())];
            match &*word.to_ascii_lowercase() {
                b"nx" => condition.if_none = true,
                b"xx" => condition.if_some = true,
                b"gt" => condition.if_later = true,
                b"lt" => condition.if_earlier = true,
                _ => {
                    let text = [b"Unsupported option ", word].concat();
                    return Err(Error::new(ErrorKind::Err, text));
                }
            }
        }
        condition.check()
    }

    fn check(self) -> Result<Self, Error> {
        if self.if_none && (self.if_some || self.if_later || self.if_earlier) {
            return Err(Error::err(
                "NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if self.if_later && self.if_earlier {
            return Err(Error::err("GT and LT options at the same time are not compatible"));
        }
        Ok(self)
    }

    /// Whether a key that expires at `current` may expire at `when` instead. A key that does not
    /// expire counts as one that expires later than any other.
    fn holds(self, current: Option<i64>, when: i64) -> bool {
        (!self.if_none || current.is_none())
            && (!self.if_some || current.is_some())
            && (!self.if_later || current.is_some_and(|current| when > current))
            && (!self.if_earlier || current.is_none_or(|current| when < current))
    }
}

/// Says that a key expires at a time, in milliseconds since the Unix epoch.
pub(in crate::command) fn say_expiry(keys: &mut Access<'_>, key: &Key<'_>, at_ms: u64) {
    if keys.is_recording() {
        keys.say(key, &[b"PEXPIREAT", key.bytes, at_ms.to_string().as_bytes()]);
    }
}

fn set_expiry(call: &mut Call<'_, '_>, form: TimeForm) -> Result<(), Error> {
    let condition = Condition::parse(&call.words[3..])?;
    let now = call.time.unix_ms() as i64;
    let when =
        when_ms(call.words[2], form, now)?.ok_or_else(|| Error::invalid_expire(&call.spec.name))?;
    let key = call.key(0);
    let change = match touch_expiry(call, &key) {
        None => false,
        Some(current) => condition.holds(current.map(|ms| ms as i64), when),
    };
    if change && when <= now {
        call.keys.remove(&key);
        call.keys.say(&key, &[b"DEL", key.bytes]);
        call.notify(Event::Generic, "del", &key);
    } else if change {
        call.keys.set_expire_ms(&key, Some(when as u64));
        say_expiry(call.keys, &key, when as u64);
        call.notify(Event::Generic, "expire", &key);
    }
    call.out.integer(i64::from(change));
    Ok(())
}

/// When a key expires, if it does, if it exists. Counts as a use of the key.
fn touch_expiry(call: &mut Call<'_, '_>, key: &Key<'_>) -> Option<Option<u64>> {
    call.keys.touch(key);
    call.keys.peek(key).map(|record| record.expire_ms())
}

/// Reads a time and turns it into milliseconds since the Unix epoch. None if that overflows.
fn when_ms(word: &[u8], form: TimeForm, now: i64) -> Result<Option<i64>, Error> {
    let value = number::parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    let base = if form.is_absolute() { 0 } else { now };
    Ok(value.checked_mul(form.unit_ms()).and_then(|ms| ms.checked_add(base)))
}

fn persist(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    call.keys.touch(&key);
    let expired_once = remove_expiry(call, &key);
    call.out.integer(i64::from(expired_once));
    Ok(())
}

/// Lets a key stay for good. Returns whether it was to expire.
pub(crate) fn remove_expiry(call: &mut Call<'_, '_>, key: &Key<'_>) -> bool {
    let expires = call.keys.peek(key).is_some_and(|record| record.expire_ms().is_some());
    if expires {
        call.keys.set_expire_ms(key, None);
        call.keys.say(key, &[b"PERSIST", key.bytes]);
        call.notify(Event::Generic, "persist", key);
    }
    expires
}

fn ttl(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_expiry(call, TimeForm::Seconds)
}

fn pttl(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_expiry(call, TimeForm::Milliseconds)
}

fn expiretime(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_expiry(call, TimeForm::UnixSeconds)
}

fn pexpiretime(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_expiry(call, TimeForm::UnixMilliseconds)
}

const NO_KEY: i64 = -2;
const NO_EXPIRY: i64 = -1;

fn tell_expiry(call: &mut Call<'_, '_>, form: TimeForm) -> Result<(), Error> {
    let key = call.key(0);
    let answer = match call.keys.look(&key).map(|record| record.expire_ms()) {
        None => NO_KEY,
        Some(None) => NO_EXPIRY,
        Some(Some(expire_ms)) => {
            let base = if form.is_absolute() { 0 } else { call.time.unix_ms() };
            let unit = form.unit_ms() as u64;
            // Seconds are rounded to the nearest.
            ((expire_ms.saturating_sub(base) + unit / 2) / unit) as i64
        }
    };
    call.out.integer(answer);
    Ok(())
}
