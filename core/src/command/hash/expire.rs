//! When fields expire: setting, removing and telling their times.

use super::expire_arguments::{NOT_POSITIVE, fields, time};
use super::read::read;
use super::write::{change, find};
use crate::command::call::Call;
use crate::command::expire_arguments::TimeForm;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::value::hash::HashMut;

const FIELDS_COMPLEXITY: &str = "O(N) where N is the number of specified fields";

const fn expiring(name: &'static str) -> Command {
    Command {
        name,
        since: "7.4.0",
        complexity: FIELDS_COMPLEXITY,
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        keys: &[key_use::RW | key_use::UPDATE],
        ..Command::DEFAULT
    }
}

const fn telling(name: &'static str) -> Command {
    Command {
        name,
        since: "7.4.0",
        complexity: FIELDS_COMPLEXITY,
        group: Group::Hash,
        flags: flag::READONLY | flag::FAST,
        grammar: "key FIELDS fields=(numfields:integer field...)",
        keys: &[key_use::RO | key_use::ACCESS],
        ..Command::DEFAULT
    }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Set expiry for hash field using relative time to expire (seconds)",
        grammar: "key seconds:integer condition=[NX | XX | GT | LT] FIELDS \
                  fields=(numfields:integer field...)",
        handler: hexpire,
        ..expiring("hexpire")
    },
    Command {
        summary: "Set expiry for hash field using relative time to expire (milliseconds)",
        grammar: "key milliseconds:integer condition=[NX | XX | GT | LT] FIELDS \
                  fields=(numfields:integer field...)",
        handler: hpexpire,
        ..expiring("hpexpire")
    },
    Command {
        summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
        grammar: "key unix-time-seconds:unix-time condition=[NX | XX | GT | LT] FIELDS \
                  fields=(numfields:integer field...)",
        handler: hexpireat,
        ..expiring("hexpireat")
    },
    Command {
        summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
        grammar: "key unix-time-milliseconds:unix-time condition=[NX | XX | GT | LT] FIELDS \
                  fields=(numfields:integer field...)",
        handler: hpexpireat,
        ..expiring("hpexpireat")
    },
    Command {
        summary: "Removes the expiration time for each specified field",
        flags: flag::WRITE | flag::FAST,
        grammar: "key FIELDS fields=(numfields:integer field...)",
        handler: hpersist,
        ..expiring("hpersist")
    },
    Command {
        summary: "Returns the TTL in seconds of a hash field.",
        tips: &["nondeterministic_output"],
        handler: httl,
        ..telling("httl")
    },
    Command {
        summary: "Returns the TTL in milliseconds of a hash field.",
        tips: &["nondeterministic_output"],
        handler: hpttl,
        ..telling("hpttl")
    },
    Command {
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
        handler: hexpiretime,
        ..telling("hexpiretime")
    },
    Command {
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
        handler: hpexpiretime,
        ..telling("hpexpiretime")
    },
];

fn hexpire(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_times(call, TimeForm::Seconds)
}

fn hpexpire(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_times(call, TimeForm::Milliseconds)
}

fn hexpireat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_times(call, TimeForm::UnixSeconds)
}

fn hpexpireat(call: &mut Call<'_, '_>) -> Result<(), Error> {
    set_times(call, TimeForm::UnixMilliseconds)
}

/// When a new time is taken.
#[derive(Clone, Copy, Debug)]
enum Condition {
    Always,
    /// `NX`: if the field does not expire.
    None,
    /// `XX`: if it does.
    Some,
    /// `GT`: if it expires earlier.
    Later,
    /// `LT`: if it expires later, or never.
    Earlier,
}

impl Condition {
    /// The condition that a word is, if it is one.
    fn of_token(word: &[u8]) -> Option<Self> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        match () {
            () if is(b"nx") => Some(Self::None),
            () if is(b"xx") => Some(Self::Some),
            () if is(b"gt") => Some(Self::Later),
            () if is(b"lt") => Some(Self::Earlier),
            () => None,
        }
    }

    /// Whether a field that expires at `current` may expire at `when` instead.
    fn holds(self, current: Option<u64>, when: u64) -> bool {
        match self {
            Self::Always => true,
            Self::None => current.is_none(),
            Self::Some => current.is_some(),
            Self::Later => current.is_some_and(|current| when > current),
            Self::Earlier => current.is_none_or(|current| when < current),
        }
    }
}

/// What became of a field; its number is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    NoField = -2,
    NotMet = 0,
    Set = 1,
    /// The time lies in the past.
    Deleted = 2,
}

/// How many fields had which outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcomes {
    pub(super) set: u64,
    pub(super) deleted: u64,
}

impl Outcomes {
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::NoField | Outcome::NotMet => {}
            Outcome::Set => self.set += 1,
            Outcome::Deleted => self.deleted += 1,
        }
    }

    /// Fields that were changed.
    pub(super) fn total(self) -> u64 {
        self.set + self.deleted
    }
}

/// Lets a field expire at `when`, or deletes it if that is over at `now_ms`.
pub(super) fn expire_field(
    hash: &mut HashMut<'_>,
    field: &[u8],
    when: u64,
    now_ms: u64,
) -> Outcome {
    if when <= now_ms {
        hash.remove(field);
        return Outcome::Deleted;
    }
    hash.set_time(field, Some(when));
    Outcome::Set
}

/// Says that fields, if any, expire at a time.
pub(super) fn say_times<'f>(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    when: u64,
    fields: impl Iterator<Item = &'f [u8]>,
) {
    if keys.is_recording() {
        let fields: Vec<&[u8]> = fields.collect();
        let (when, count) = (when.to_string(), fields.len().to_string());
        let head: [&[u8]; 5] =
            [b"HPEXPIREAT", key.bytes, when.as_bytes(), b"FIELDS", count.as_bytes()];
        if !fields.is_empty() {
            keys.say(key, &[&head, &fields[..]].concat());
        }
    }
}

/// Says that fields, if any, are deleted.
pub(super) fn say_deleted<'f>(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    fields: impl Iterator<Item = &'f [u8]>,
) {
    if keys.is_recording() {
        let fields: Vec<&[u8]> = fields.collect();
        if !fields.is_empty() {
            keys.say(key, &[&[&b"HDEL"[..], key.bytes], &fields[..]].concat());
        }
    }
}

fn set_times(call: &mut Call<'_, '_>, form: TimeForm) -> Result<(), Error> {
    let key = call.key(0);
    find(call, &key)?;
    let when = time(call, call.words[2], form)?;
    let condition = Condition::of_token(call.words[3]);
    let words = &call.words[3 + usize::from(condition.is_some())..];
    let fields = fields(words, "Parameter `numFields` should be greater than 0")?;
    let condition = condition.unwrap_or(Condition::Always);
    let now_ms = call.time.unix_ms();
    let mut answers = Vec::with_capacity(fields.len());
    let changed = change(call, &key, |hash, _| {
        hash.expect_times();
        let mut outcomes = Outcomes::default();
        for field in fields {
            let outcome = match hash.read().find(field) {
                None => Outcome::NoField,
                Some((_, current)) if !condition.holds(current, when) => Outcome::NotMet,
                Some(_) => expire_field(hash, field, when, now_ms),
            };
            outcomes.count(outcome);
            answers.push(outcome);
        }
        Ok((outcomes.total(), outcomes))
    })?;
    let of = |wanted: Outcome| {
        let found = fields.iter().zip(&answers).filter(move |(_, outcome)| **outcome == wanted);
        found.map(|(field, _)| *field)
    };
    say_times(call.keys, &key, when, of(Outcome::Set));
    say_deleted(call.keys, &key, of(Outcome::Deleted));
    answers.resize(fields.len(), Outcome::NoField);
    call.out.array(answers.len());
    answers.iter().for_each(|outcome| call.out.integer(*outcome as i64));
    if let Some(changed) = changed {
        match changed.result {
            Outcomes { deleted: 1.., .. } => call.notify(Event::Hash, "hdel", &key),
            Outcomes { set: 1.., .. } => call.notify(Event::Hash, "hexpire", &key),
            Outcomes { set: 0, deleted: 0 } => {}
        }
        if changed.emptied {
            call.notify(Event::Generic, "del", &key);
        }
    }
    Ok(())
}

const NO_FIELD: i64 = -2;
const NO_TIME: i64 = -1;
const PERSISTED: i64 = 1;

fn hpersist(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    find(call, &key)?;
    let fields = fields(&call.words[2..], NOT_POSITIVE)?;
    let mut answers = Vec::with_capacity(fields.len());
    let changed = change(call, &key, |hash, _| {
        let mut persisted = 0;
        for field in fields {
            answers.push(match hash.read().find(field) {
                None => NO_FIELD,
                Some((_, None)) => NO_TIME,
                Some((_, Some(_))) => {
                    hash.set_time(field, None);
                    persisted += 1;
                    PERSISTED
                }
            });
        }
        Ok((persisted, persisted))
    })?;
    answers.resize(fields.len(), NO_FIELD);
    call.out.array(answers.len());
    answers.iter().for_each(|answer| call.out.integer(*answer));
    if changed.is_some_and(|changed| changed.result > 0) {
        call.notify(Event::Hash, "hpersist", &key);
    }
    Ok(())
}

fn httl(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_times(call, TimeForm::Seconds)
}

fn hpttl(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_times(call, TimeForm::Milliseconds)
}

fn hexpiretime(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_times(call, TimeForm::UnixSeconds)
}

fn hpexpiretime(call: &mut Call<'_, '_>) -> Result<(), Error> {
    tell_times(call, TimeForm::UnixMilliseconds)
}

fn tell_times(call: &mut Call<'_, '_>, form: TimeForm) -> Result<(), Error> {
    let words = &call.words[2..];
    let base = if form.is_absolute() { 0 } else { call.time.unix_ms() };
    let unit = form.unit_ms() as u64;
    let (hash, out) = read(call)?;
    let fields = fields(words, NOT_POSITIVE)?;
    out.array(fields.len());
    for field in fields {
        out.integer(match hash.and_then(|hash| hash.find(field)) {
            None => NO_FIELD,
            Some((_, None)) => NO_TIME,
            // A started second counts.
            Some((_, Some(ms))) => (ms - base).div_ceil(unit) as i64,
        });
    }
    Ok(())
}
