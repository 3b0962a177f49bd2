//! ZADD and ZINCRBY.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::resp::number::parse_f64;
use crate::value::zset::{self, AddRule, Added};
use crate::value::{Limits, Record};
use smallvec::SmallVec;

/// Members to be added, and how.
#[derive(Debug)]
pub(in crate::command) struct Addition<'a> {
    pub(in crate::command) rule: AddRule,
    /// Whether the reply also counts members that got another score.
    pub(in crate::command) counts_changed: bool,
    pub(in crate::command) members: SmallVec<[(f64, &'a [u8]); 4]>,
}

/// What became of members.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    added: u64,
    changed: u64,
    /// The score of the last member, if it was not refused.
    score: Option<f64>,
}

impl<'a> Addition<'a> {
    /// Reads the words after the key.
    fn parse(mut words: &[&'a [u8]], increment: bool) -> Result<Self, Error> {
        let mut rule = AddRule { increment, ..AddRule::default() };
        let mut counts_changed = false;
        while let [word, rest @ ..] = words {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            let option = match word {
                _ if is(b"nx") => &mut rule.only_new,
                _ if is(b"xx") => &mut rule.only_known,
                _ if is(b"gt") => &mut rule.only_greater,
                _ if is(b"lt") => &mut rule.only_lower,
                _ if is(b"incr") => &mut rule.increment,
                _ if is(b"ch") => &mut counts_changed,
                _ => break,
            };
            *option = true;
            words = rest;
        }
        let (pairs, odd) = words.as_chunks::<2>();
        if pairs.is_empty() || !odd.is_empty() {
            return Err(Error::SYNTAX);
        }
        check(rule, pairs.len())?;
        let read = |[score, member]: &[&'a [u8]; 2]| {
            Ok((parse_f64(score).ok_or(Error::NOT_FLOAT)?, *member))
        };
        let members = pairs.iter().map(read).collect::<Result<_, Error>>()?;
        Ok(Self { rule, counts_changed, members })
    }

    fn apply(&self, record: &mut Record, limits: &Limits) -> Result<(u64, Outcome), Error> {
        zset::check(record)?;
        zset::make_ready(record, self.members.len(), self.members[0].1, limits);
        let mut outcome = Outcome::default();
        for &(score, member) in &self.members {
            outcome.score = match zset::add(record, member, score, self.rule, limits)? {
                Added::New(score) => {
                    outcome.added += 1;
                    Some(score)
                }
                Added::Changed(score) => {
                    outcome.changed += 1;
                    Some(score)
                }
                Added::Same(score) => Some(score),
                Added::Refused => None,
            };
        }
        Ok((outcome.added + outcome.changed, outcome))
    }

    /// Adds the members to the sorted set of the command's first key, and replies.
    pub(in crate::command) fn carry_out(&self, call: &mut Call<'_, '_>) -> Result<(), Error> {
        let (key, limits) = (call.key(0), call.env.limits());
        let apply = |record: &mut Record| self.apply(record, &limits);
        let outcome = match call.keys.change(&key, apply)? {
            Some(changed) => changed.result,
            None if self.rule.only_known => Outcome::default(),
            None => call.keys.change_or_new(&key, zset::TAG, zset::EMPTY, apply)?.result,
        };
        if outcome.added + outcome.changed > 0 {
            let event = if self.rule.increment { "zincr" } else { "zadd" };
            call.notify(Event::SortedSet, event, &key);
        }
        match outcome.score {
            Some(score) if self.rule.increment => call.out.double(score),
            None if self.rule.increment => call.out.null(),
            _ if self.counts_changed => call.out.integer((outcome.added + outcome.changed) as i64),
            _ => call.out.integer(outcome.added as i64),
        }
        Ok(())
    }
}

/// Refuses options that contradict each other.
fn check(rule: AddRule, members: usize) -> Result<(), Error> {
    if rule.only_new && rule.only_known {
        return Err(Error::err("XX and NX options at the same time are not compatible"));
    }
    let conditions = [rule.only_greater, rule.only_lower, rule.only_new];
    if conditions.into_iter().filter(|&given| given).count() > 1 {
        return Err(Error::err("GT, LT, and/or NX options at the same time are not compatible"));
    }
    if rule.increment && members > 1 {
        return Err(Error::err("INCR option supports a single increment-element pair"));
    }
    Ok(())
}

pub(super) fn zadd(call: &mut Call<'_, '_>) -> Result<(), Error> {
    Addition::parse(&call.words[2..], false)?.carry_out(call)
}

/// ZADD's options would stand here too, if there were room for them beside a score and a member.
pub(super) fn zincrby(call: &mut Call<'_, '_>) -> Result<(), Error> {
    Addition::parse(&call.words[2..], true)?.carry_out(call)
}
