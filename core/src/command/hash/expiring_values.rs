//! Commands of Redis 8 that read or set fields and say when these expire, or take them out.

use super::expire::{Outcome, Outcomes, expire_field, say_deleted, say_times};
use super::expire_arguments::{NOT_POSITIVE, fields, time};
use super::read::write_value;
use super::write::{change, change_or_new, find};
use crate::command::call::Call;
use crate::command::expire_arguments::TimeForm;
use crate::command::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::number::parse_i64;
use crate::value::hash::HashMut;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "hgetdel",
        summary: "Returns the value of a field and deletes it from the hash.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of specified fields",
        group: Group::Hash,
        flags: flag::WRITE | flag::FAST,
        grammar: "key FIELDS fields=(numfields:integer field...)",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: hgetdel,
        ..Command::DEFAULT
    },
    Command {
        name: "hgetex",
        summary: "Get the value of one or more fields of a given hash key, and optionally set \
                  their expiration.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of specified fields",
        group: Group::Hash,
        flags: flag::WRITE | flag::FAST,
        grammar: "key expiration=[EX seconds:integer | PX milliseconds:integer | EXAT \
                  unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST] \
                  FIELDS fields=(numfields:integer field...)",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        key_notes: &["RW and UPDATE because it changes the TTL"],
        handler: hgetex,
        ..Command::DEFAULT
    },
    Command {
        name: "hsetex",
        summary: "Set the value of one or more fields of a given hash key, and optionally set \
                  their expiration.",
        since: "8.0.0",
        complexity: "O(N) where N is the number of fields being set.",
        group: Group::Hash,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key key-condition=[NX | XX]@9.0.0 condition=[FNX | FXX] expiration=[EX seconds:integer | PX \
                  milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT \
                  unix-time-milliseconds:unix-time | KEEPTTL] FIELDS fields=(numfields:integer \
                  data=(field value)...)",
        keys: &[key_use::RW | key_use::UPDATE],
        handler: hsetex,
        ..Command::DEFAULT
    },
];

/// What becomes of the times of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// Nothing was said.
    Unsaid,
    /// `PERSIST`: they do not expire.
    Remove,
    /// `KEEPTTL`: they expire when they did before.
    Keep,
    /// They expire at this time, in milliseconds since the Unix epoch.
    At(u64),
}

fn hgetdel(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let exists = find(call, &key)?;
    let fields = fields(&call.words[2..], NOT_POSITIVE)?;
    call.out.array(fields.len());
    if !exists {
        fields.iter().for_each(|_| call.out.null());
        return Ok(());
    }
    let changed = change(call, &key, |hash, out| {
        let mut deleted = 0;
        for field in fields {
            write_value(hash.read().get(field), out);
            deleted += u64::from(hash.remove(field));
        }
        Ok((deleted, deleted))
    })?;
    if let Some(changed) = changed.filter(|changed| changed.result > 0) {
        call.notify(Event::Hash, "hdel", &key);
        if changed.emptied {
            call.notify(Event::Generic, "del", &key);
        }
    }
    Ok(())
}

fn hgetex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let exists = find(call, &key)?;
    let (times, used) = match TimeForm::of_token(call.words[2]) {
        Some(form) => (Times::At(time(call, call.words[3], form)?), 2),
        None if call.words[2].eq_ignore_ascii_case(b"persist") => (Times::Remove, 1),
        None => (Times::Unsaid, 0),
    };
    let fields = fields(&call.words[2 + used..], NOT_POSITIVE)?;
    call.out.array(fields.len());
    if !exists {
        fields.iter().for_each(|_| call.out.null());
        return Ok(());
    }
    let now_ms = call.time.unix_ms();
    let mut timed = Vec::new();
    let changed = change(call, &key, |hash, out| {
        if times != Times::Unsaid {
            hash.expect_times();
        }
        let mut outcomes = Outcomes::default();
        for &field in fields {
            let found = hash.read().find(field);
            write_value(found.map(|(value, _)| value), out);
            let Some((_, current)) = found else { continue };
            match times {
                Times::At(when) => {
                    let outcome = expire_field(hash, field, when, now_ms);
                    outcomes.count(outcome);
                    timed.push((field, outcome));
                }
                Times::Remove if current.is_some() => {
                    hash.set_time(field, None);
                    outcomes.set += 1;
                }
                Times::Unsaid | Times::Keep | Times::Remove => {}
            }
        }
        Ok((outcomes.total(), outcomes))
    })?;
    if let Times::At(when) = times {
        let of = |wanted: Outcome| {
            timed.iter().filter(move |(_, outcome)| *outcome == wanted).map(|(field, _)| *field)
        };
        say_times(call.keys, &key, when, of(Outcome::Set));
        say_deleted(call.keys, &key, of(Outcome::Deleted));
    }
    let Some(changed) = changed else { return Ok(()) };
    let set_event = if times == Times::Remove { "hpersist" } else { "hexpire" };
    match changed.result {
        Outcomes { set: 1.., .. } => call.notify(Event::Hash, set_event, &key),
        Outcomes { deleted: 1.., .. } => call.notify(Event::Hash, "hdel", &key),
        Outcomes { set: 0, deleted: 0 } => {}
    }
    if changed.emptied {
        call.notify(Event::Generic, "del", &key);
    }
    Ok(())
}

/// When HSETEX sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// `FNX`: if none of the fields exists.
    NoneExists,
    /// `FXX`: if all of them do.
    AllExist,
}

impl Condition {
    fn is_met(self, hash: &HashMut<'_>, pairs: &[&[u8]]) -> bool {
        let hash = hash.read();
        let mut fields = pairs.iter().step_by(2);
        match self {
            Self::Always => true,
            Self::NoneExists => fields.all(|field| hash.get(field).is_none()),
            Self::AllExist => fields.all(|field| hash.get(field).is_some()),
        }
    }
}

/// What HSETEX's words say.
#[derive(Debug)]
struct SetOptions<'w> {
    /// `NX` and `XX`: whether the key has to be there, if it matters. They are Valkey 9.0's.
    wants_key: Option<bool>,
    condition: Condition,
    times: Times,
    /// Fields and values by turns.
    pairs: &'w [&'w [u8]],
}

impl<'w> SetOptions<'w> {
    fn parse(call: &Call<'w, '_>) -> Result<Self, Error> {
        let (condition, times) = (Condition::Always, Times::Unsaid);
        let mut options = Self { wants_key: None, condition, times, pairs: &[] };
        let mut words = &call.words[2..];
        while let [word, rest @ ..] = words {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            words = rest;
            if is(b"fields") {
                options.pairs = pairs(call, rest)?;
                return Ok(options);
            } else if let Some(form) = TimeForm::of_token(word) {
                options.check_times()?;
                let (given, rest) = rest.split_first().ok_or(NO_TIME)?;
                options.times = Times::At(time(call, given, form)?);
                words = rest;
            } else if is(b"keepttl") {
                options.check_times()?;
                options.times = Times::Keep;
            } else if is(b"fxx") {
                options.choose(Condition::AllExist)?;
            } else if is(b"fnx") {
                options.choose(Condition::NoneExists)?;
            } else if is(b"nx") || is(b"xx") {
                options.choose_key(is(b"xx"))?;
            } else {
                return Err(Error::repeating("unknown argument: ", word, ""));
            }
        }
        Err(Error::arity(&call.spec.name))
    }

    fn check_times(&self) -> Result<(), Error> {
        match self.times {
            Times::Unsaid => Ok(()),
            Times::Remove | Times::Keep | Times::At(_) => Err(Error::err(
                "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            )),
        }
    }

    fn choose_key(&mut self, is_there: bool) -> Result<(), Error> {
        if self.wants_key.is_some_and(|before| before != is_there) {
            return Err(Error::SYNTAX);
        }
        self.wants_key = Some(is_there);
        Ok(())
    }

    fn choose(&mut self, condition: Condition) -> Result<(), Error> {
        if self.condition != Condition::Always {
            return Err(Error::err("Only one of FXX or FNX arguments can be specified"));
        }
        self.condition = condition;
        Ok(())
    }
}

const NO_TIME: Error = Error::err("missing expire time");

/// Reads the number of fields, and fields with their values, which have to be all that is left.
fn pairs<'w>(call: &Call<'_, '_>, words: &'w [&'w [u8]]) -> Result<&'w [&'w [u8]], Error> {
    let [number, pairs @ ..] = words else { return Err(Error::arity(&call.spec.name)) };
    if pairs.len() < 2 {
        return Err(Error::arity(&call.spec.name));
    }
    let number = parse_i64(number).filter(|number| (1..=i64::from(i32::MAX)).contains(number));
    let number = number.ok_or(const { Error::err("invalid number of fields") })?;
    if !pairs.len().is_multiple_of(2) || number as usize != pairs.len() / 2 {
        return Err(Error::arity(&call.spec.name));
    }
    Ok(pairs)
}

/// Says that fields have values, and expire at a time or are gone again.
fn say_set(call: &mut Call<'_, '_>, when: u64, pairs: &[&[u8]], outcomes: Outcomes) {
    let key = call.key(0);
    if outcomes.deleted > 0 {
        // All of them are: the time is one for all.
        say_deleted(call.keys, &key, pairs.iter().step_by(2).copied());
    } else if call.keys.is_recording() {
        let (when, count) = (when.to_string(), (pairs.len() / 2).to_string());
        let head: [&[u8]; 6] =
            [b"HSETEX", key.bytes, b"PXAT", when.as_bytes(), b"FIELDS", count.as_bytes()];
        call.keys.say(&key, &[&head, pairs].concat());
    }
}

fn hsetex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let SetOptions { wants_key, condition, times, pairs } = SetOptions::parse(call)?;
    let key = call.key(0);
    let is_there = find(call, &key)?;
    let is_refused = wants_key.is_some_and(|wanted| wanted != is_there);
    if is_refused || !is_there && condition == Condition::AllExist {
        call.out.integer(0);
        return Ok(());
    }
    let now_ms = call.time.unix_ms();
    let changed = change_or_new(call, &key, |hash| {
        if !condition.is_met(hash, pairs) {
            return Ok((0, None));
        }
        hash.expect(pairs);
        if let Times::At(_) = times {
            hash.expect_times();
        }
        let mut outcomes = Outcomes::default();
        for pair in pairs.chunks_exact(2) {
            let (field, value) = (pair[0], pair[1]);
            match times {
                Times::Unsaid | Times::Remove => drop(hash.set(field, value)),
                Times::Keep => drop(hash.set_value(field, value)),
                Times::At(when) => {
                    hash.set_value(field, value);
                    outcomes.count(expire_field(hash, field, when, now_ms));
                }
            }
        }
        Ok((pairs.len() as u64 / 2, Some(outcomes)))
    })?;
    if let Some(outcomes) = changed.result {
        if let Times::At(when) = times {
            say_set(call, when, pairs, outcomes);
        }
        call.notify(Event::Hash, "hset", &key);
        match outcomes {
            Outcomes { deleted: 1.., .. } => call.notify(Event::Hash, "hdel", &key),
            Outcomes { set: 1.., .. } => call.notify(Event::Hash, "hexpire", &key),
            Outcomes { set: 0, deleted: 0 } => {}
        }
        if changed.emptied {
            call.notify(Event::Generic, "del", &key);
        }
    }
    call.out.integer(changed.result.is_some().into());
    Ok(())
}
