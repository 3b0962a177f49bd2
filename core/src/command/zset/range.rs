//! Members in order: ZRANGE, what it replaced, and ZRANGESTORE.

use super::bounds;
use super::reply::Shape;
use super::store;
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::value::zset::{LexRange, NewZset, RankRange, ScoreRange, Zset, limited};
use std::ops::Range;

/// What a range goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// The words after the ends of a range.
#[derive(Debug)]
struct Options {
    by: Option<By>,
    downwards: Option<bool>,
    /// How many members to pass over, and how many to take then; all if that is negative.
    limit: (i64, i64),
    with_scores: bool,
}

impl Options {
    /// Reads the words; what the command's name says already is not among them.
    fn parse(mut self, mut words: &[&[u8]], stores: bool) -> Result<Self, Error> {
        while let [word, rest @ ..] = words {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            words = rest;
            match rest {
                _ if !stores && is(b"withscores") => self.with_scores = true,
                [offset, count, rest @ ..] if is(b"limit") => {
                    let number = |word| parse_i64(word).ok_or(Error::NOT_INTEGER);
                    self.limit = (number(offset)?, number(count)?);
                    words = rest;
                }
                _ if self.downwards.is_none() && is(b"rev") => self.downwards = Some(true),
                _ if self.by.is_none() && is(b"bylex") => self.by = Some(By::Lex),
                _ if self.by.is_none() && is(b"byscore") => self.by = Some(By::Score),
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(self)
    }

    fn by(&self) -> By {
        self.by.unwrap_or(By::Rank)
    }

    fn downwards(&self) -> bool {
        self.downwards.unwrap_or(false)
    }

    /// Refuses options that do not go together.
    fn check(&self) -> Result<(), Error> {
        if self.limit.1 != -1 && self.by() == By::Rank {
            return Err(Error::err(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if self.with_scores && self.by() == By::Lex {
            return Err(Error::err(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        Ok(())
    }
}

/// Which members are asked for.
#[derive(Debug)]
enum Wanted<'a> {
    Ranks(RankRange),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

/// Members that are asked for, and in which order.
#[derive(Debug)]
struct Request<'a> {
    wanted: Wanted<'a>,
    limit: (i64, i64),
    downwards: bool,
    with_scores: bool,
}

impl<'a> Request<'a> {
    /// Reads the ends of a range and what follows them.
    fn parse(words: &[&'a [u8]], options: Options, stores: bool) -> Result<Self, Error> {
        let (&[first, last], rest) = words.split_first_chunk().expect("the arity says so");
        let options = options.parse(rest, stores)?;
        options.check()?;
        let downwards = options.downwards();
        // By rank the first of the reply is the first word in either direction.
        let (min, max) = if downwards { (last, first) } else { (first, last) };
        let wanted = match options.by() {
            By::Rank => Wanted::Ranks(bounds::ranks(first, last)?),
            By::Score => Wanted::Scores(bounds::scores(min, max)?),
            By::Lex => Wanted::Members(bounds::members(min, max)?),
        };
        Ok(Self { wanted, limit: options.limit, downwards, with_scores: options.with_scores })
    }

    fn ranks(&self, zset: Zset<'_>) -> Range<usize> {
        let ranks = match &self.wanted {
            Wanted::Ranks(range) => return range.ranks(zset.len(), self.downwards),
            Wanted::Scores(range) => range.ranks(zset),
            Wanted::Members(range) => range.ranks(zset),
        };
        limited(ranks, self.limit, self.downwards)
    }
}

/// Reads a range of the first key as the command's name and its words say, and replies.
fn reply(call: &mut Call<'_, '_>, by: Option<By>, downwards: Option<bool>) -> Result<(), Error> {
    let options = Options { by, downwards, limit: (0, -1), with_scores: false };
    let request = Request::parse(&call.words[2..], options, false)?;
    let key = call.key(0);
    let Some(record) = call.keys.read(&key) else {
        call.out.array(0);
        return Ok(());
    };
    let zset = Zset::of(record)?;
    let members = zset.range(request.ranks(zset), request.downwards);
    Shape::new(request.with_scores, call.out).members(members, call.out);
    Ok(())
}

pub(super) fn zrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, None, None)
}

pub(super) fn zrevrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Some(By::Rank), Some(true))
}

pub(super) fn zrangebyscore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Some(By::Score), Some(false))
}

pub(super) fn zrevrangebyscore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Some(By::Score), Some(true))
}

pub(super) fn zrangebylex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Some(By::Lex), Some(false))
}

pub(super) fn zrevrangebylex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Some(By::Lex), Some(true))
}

pub(super) fn zrangestore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = Options { by: None, downwards: None, limit: (0, -1), with_scores: false };
    let request = Request::parse(&call.words[3..], options, true)?;
    let (source, limits) = (call.key(1), call.env.limits());
    let result = match call.keys.read(&source) {
        None => None,
        Some(record) => {
            let zset = Zset::of(record)?;
            let ranks = request.ranks(zset);
            let members = zset.range(ranks, request.downwards).collect();
            let is_counted = matches!(request.wanted, Wanted::Ranks(_));
            NewZset::added_in_turn(members, is_counted, &limits)
        }
    };
    store::store(call, result, "zrangestore");
    Ok(())
}
