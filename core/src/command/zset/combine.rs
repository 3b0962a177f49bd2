//! Union, intersection and difference.

use super::reply::Shape;
use super::store;
use crate::command::call::Call;
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Key};
use crate::resp::number::{parse_f64, parse_i64};
use crate::structs::listpack::Element;
use crate::value::set::{self, Set};
use crate::value::zset::{self, NewZset, Zset};
use crate::value::{Record, Type, element};
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What is made of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the scores that a member has in several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Self, Error> {
        match word {
            _ if word.eq_ignore_ascii_case(b"sum") => Ok(Self::Sum),
            _ if word.eq_ignore_ascii_case(b"min") => Ok(Self::Min),
            _ if word.eq_ignore_ascii_case(b"max") => Ok(Self::Max),
            _ => Err(Error::SYNTAX),
        }
    }

    /// Infinities of both signs add up to zero.
    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number(one + other),
            Self::Min if other < one => other,
            Self::Max if other > one => other,
            Self::Min | Self::Max => one,
        }
    }
}

/// Zero in the place of what is no number.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Which words a command takes after its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Takes {
    /// `WEIGHTS` and `AGGREGATE`.
    weights: bool,
    with_scores: bool,
    limit: bool,
}

/// The words after the keys.
#[derive(Debug)]
struct Options {
    weights: SmallVec<[f64; 4]>,
    aggregate: Aggregate,
    with_scores: bool,
    /// At most so many members are counted; zero for all.
    limit: usize,
}

impl Options {
    fn parse(mut words: &[&[u8]], keys: usize, takes: Takes) -> Result<Self, Error> {
        let weights = SmallVec::from_elem(1.0, keys);
        let mut options = Self { weights, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        while let [word, rest @ ..] = words {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            words = rest;
            match rest {
                _ if takes.weights && rest.len() >= keys && is(b"weights") => {
                    let (weights, rest) = rest.split_at(keys);
                    let read = |word: &&[u8]| parse_f64(word).ok_or(NOT_WEIGHT);
                    options.weights = weights.iter().map(read).collect::<Result<_, _>>()?;
                    words = rest;
                }
                [name, rest @ ..] if takes.weights && is(b"aggregate") => {
                    options.aggregate = Aggregate::parse(name)?;
                    words = rest;
                }
                _ if takes.with_scores && is(b"withscores") => options.with_scores = true,
                [count, rest @ ..] if takes.limit && is(b"limit") => {
                    let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
                    options.limit = count.ok_or(NEGATIVE_LIMIT)?;
                    words = rest;
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }
}

const NOT_WEIGHT: Error = Error::err("weight value is not a float");
const NEGATIVE_LIMIT: Error = Error::err("LIMIT can't be negative");

/// What goes into a combination.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    /// There is no such key.
    Nothing,
    Zset(Zset<'a>),
    /// All members have the score one.
    Set(Set<'a>),
}

/// A member, printed if a set keeps it as a number.
type Member<'a> = Cow<'a, [u8]>;

impl<'a> Source<'a> {
    fn of(record: Option<&'a Record>) -> Result<Self, Error> {
        let Some(record) = record else { return Ok(Self::Nothing) };
        match Type::of(record) {
            Type::Zset => Ok(Self::Zset(Zset::of(record)?)),
            Type::Set => Ok(Self::Set(set::read(record)?)),
            Type::String | Type::List | Type::Hash | Type::Stream => Err(Error::WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Zset(zset) => zset.len(),
            Self::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Zset(zset) => zset.score(member),
            Self::Set(set) => set.contains(element(member)).then_some(1.0),
        }
    }

    fn members(self) -> impl Iterator<Item = (Member<'a>, f64)> {
        let (zset, set) = match self {
            Self::Nothing => (None, None),
            Self::Zset(zset) => (Some(zset), None),
            Self::Set(set) => (None, Some(set)),
        };
        let zset = zset.into_iter().flat_map(Zset::iter);
        let set = set.into_iter().flat_map(Set::iter);
        zset.map(|(member, score)| (Cow::Borrowed(member), score)).chain(set.map(|member| {
            let text = match member {
                Element::Bytes(text) => Cow::Borrowed(text),
                Element::Int(_) => Cow::Owned(member.to_vec()),
            };
            (text, 1.0)
        }))
    }
}

/// A source and what its scores are multiplied by.
type Weighted<'a> = (Source<'a>, f64);

/// Members with their new scores, in no order.
type Members<'a> = Vec<(Member<'a>, f64)>;

/// The small ones come first: that is faster, and decides how sums are rounded.
fn by_size<'a>(sources: &[Weighted<'a>]) -> Vec<Weighted<'a>> {
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(|(source, _)| source.len());
    sorted
}

fn union<'a>(sources: &[Weighted<'a>], aggregate: Aggregate, seed: u64) -> Members<'a> {
    let mut scores = HashMap::with_hasher(FixedState::with_seed(seed));
    for (source, weight) in by_size(sources) {
        for (member, score) in source.members() {
            let score = number(weight * score);
            scores
                .entry(member)
                .and_modify(|known| *known = aggregate.join(*known, score))
                .or_insert(score);
        }
    }
    scores.into_iter().collect()
}

/// Visits the members of all sources, until `visit` returns false.
fn intersect<'a>(
    sources: &[Weighted<'a>],
    aggregate: Aggregate,
    mut visit: impl FnMut(Member<'a>, f64) -> bool,
) {
    let sorted = by_size(sources);
    let (&(first, weight), others) = sorted.split_first().expect("there is a key at least");
    for (member, score) in first.members() {
        let joined = others.iter().try_fold(number(weight * score), |joined, (source, weight)| {
            Some(aggregate.join(joined, weight * source.score(&member)?))
        });
        if let Some(score) = joined
            && !visit(member, score)
        {
            return;
        }
    }
}

fn difference<'a>(sources: &[Weighted<'a>]) -> Members<'a> {
    let ((first, _), others) = sources.split_first().expect("there is a key at least");
    let is_elsewhere =
        |member: &[u8]| others.iter().any(|(source, _)| source.score(member).is_some());
    first.members().filter(|(member, _)| !is_elsewhere(member)).collect()
}

/// The members of a combination, in order.
fn combine<'a>(
    operation: Operation,
    sources: &[Weighted<'a>],
    aggregate: Aggregate,
    seed: u64,
) -> Members<'a> {
    let mut members = match operation {
        Operation::Union => union(sources, aggregate, seed),
        Operation::Intersection => {
            let mut members = Vec::new();
            intersect(sources, aggregate, |member, score| {
                members.push((member, score));
                true
            });
            members
        }
        Operation::Difference => difference(sources),
    };
    zset::sort(&mut members);
    members
}

/// The keys of a command whose word at `numkeys_at` says how many they are, and the words after
/// them.
fn split<'a>(
    call: &Call<'a, '_>,
    numkeys_at: usize,
) -> Result<(&'a [Key<'a>], &'a [&'a [u8]]), Error> {
    let words = &call.words[numkeys_at..];
    let numkeys = parse_i64(words[0]).ok_or(Error::NOT_INTEGER)?;
    if numkeys < 1 {
        let text = format!("at least 1 input key is needed for '{}' command", call.spec.name);
        return Err(Error::new(ErrorKind::Err, text));
    }
    let numkeys = usize::try_from(numkeys).map_err(|_| Error::SYNTAX)?;
    let Some((_, options)) = words[1..].split_at_checked(numkeys) else {
        return Err(Error::SYNTAX);
    };
    Ok((&call.located[call.located.len() - numkeys..], options))
}

/// The sources of keys. Redis looks at them before it reads the options.
fn sources<'c>(access: &'c mut Access<'_>, keys: &[Key<'_>]) -> Result<Vec<Source<'c>>, Error> {
    access.read_all(keys).into_iter().map(Source::of).collect()
}

/// Gives each source its weight.
fn weigh<'c>(sources: Vec<Source<'c>>, options: &Options) -> Vec<Weighted<'c>> {
    sources.into_iter().zip(options.weights.iter().copied()).collect()
}

fn reply(call: &mut Call<'_, '_>, operation: Operation) -> Result<(), Error> {
    let (keys, words) = split(call, 1)?;
    let sources = sources(call.keys, keys)?;
    let weights = operation != Operation::Difference;
    let takes = Takes { weights, with_scores: true, limit: false };
    let options = Options::parse(words, keys.len(), takes)?;
    let sources = weigh(sources, &options);
    let members = combine(operation, &sources, options.aggregate, call.env.limits().seed);
    let members = members.iter().map(|(member, score)| (&**member, *score));
    Shape::new(options.with_scores, call.out).members(members, call.out);
    Ok(())
}

fn store(call: &mut Call<'_, '_>, operation: Operation, event: &'static str) -> Result<(), Error> {
    let (keys, words) = split(call, 2)?;
    let sources = sources(call.keys, keys)?;
    let weights = operation != Operation::Difference;
    let takes = Takes { weights, with_scores: false, limit: false };
    let options = Options::parse(words, keys.len(), takes)?;
    let (sources, limits) = (weigh(sources, &options), call.env.limits());
    let members = combine(operation, &sources, options.aggregate, limits.seed);
    let result = (!members.is_empty())
        .then(|| NewZset::new(members.iter().map(|(member, score)| (&**member, *score)), &limits));
    store::store(call, result, event);
    Ok(())
}

pub(super) fn zunion(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Operation::Union)
}

pub(super) fn zinter(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Operation::Intersection)
}

pub(super) fn zdiff(call: &mut Call<'_, '_>) -> Result<(), Error> {
    reply(call, Operation::Difference)
}

pub(super) fn zunionstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    store(call, Operation::Union, "zunionstore")
}

pub(super) fn zinterstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    store(call, Operation::Intersection, "zinterstore")
}

pub(super) fn zdiffstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    store(call, Operation::Difference, "zdiffstore")
}

pub(super) fn zintercard(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (keys, words) = split(call, 1)?;
    let sources = sources(call.keys, keys)?;
    let takes = Takes { weights: false, with_scores: false, limit: true };
    let options = Options::parse(words, keys.len(), takes)?;
    let mut count = 0;
    intersect(&weigh(sources, &options), Aggregate::Sum, |_, _| {
        count += 1;
        count != options.limit
    });
    call.out.integer(count as i64);
    Ok(())
}
