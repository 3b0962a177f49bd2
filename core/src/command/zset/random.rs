//! ZRANDMEMBER.

use super::reply::Shape;
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::value::zset::Zset;
use std::collections::BTreeSet;

/// How many members are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// So many different ones, or all.
    Different(usize),
    /// So many, each chosen anew.
    Any(usize),
}

/// The words after the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    count: Count,
    with_scores: bool,
}

impl Request {
    fn parse(count: &[u8], rest: &[&[u8]]) -> Result<Self, Error> {
        let number = parse_i64(count).ok_or(Error::NOT_INTEGER)?;
        if number == i64::MIN {
            return Err(Error::err(
                "value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807",
            ));
        }
        let with_scores = match rest {
            [] => false,
            [word] if word.eq_ignore_ascii_case(b"withscores") => true,
            _ => return Err(Error::SYNTAX),
        };
        if with_scores && number.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(Error::err("value is out of range"));
        }
        let size = number.unsigned_abs() as usize;
        let count = if number < 0 { Count::Any(size) } else { Count::Different(size) };
        Ok(Self { count, with_scores })
    }
}

pub(super) fn zrandmember(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let request = match &call.words[2..] {
        [] => None,
        [count, rest @ ..] => Some(Request::parse(count, rest)?),
    };
    let key = call.key(0);
    let env = call.env;
    let record = call.keys.read(&key);
    match (record, request) {
        (None, None) => call.out.null(),
        (None, Some(_)) => call.out.array(0),
        (Some(record), None) => {
            let zset = Zset::of(record)?;
            let (member, _) = at(zset, below(zset.len(), || env.random()));
            call.out.bulk(member);
        }
        (Some(record), Some(Request { count, with_scores })) => {
            let zset = Zset::of(record)?;
            let shape = Shape::new(with_scores, call.out);
            let len = zset.len();
            match count {
                Count::Any(count) => {
                    shape.head(count, call.out);
                    for _ in 0..count {
                        let (member, score) = at(zset, below(len, || env.random()));
                        shape.member(member, score, call.out);
                    }
                }
                Count::Different(count) if count >= len => shape.members(zset.iter(), call.out),
                Count::Different(count) => {
                    let chosen = choose(len, count, || env.random());
                    shape.head(count, call.out);
                    for rank in chosen {
                        let (member, score) = at(zset, rank);
                        shape.member(member, score, call.out);
                    }
                }
            }
        }
    }
    Ok(())
}

fn at(zset: Zset<'_>, rank: usize) -> (&[u8], f64) {
    zset.range(rank..rank + 1, false).next().expect("the rank is below the length")
}

/// A number below `len`, all with the same chance.
fn below(len: usize, random: impl FnOnce() -> u64) -> usize {
    // The high half of the product is as uniform as 64 bits allow.
    ((u128::from(random()) * len as u128) >> 64) as usize
}

/// Chooses `count` different numbers below `len`, each set of them with the same chance (Floyd's way:
/// Bentley, "A sample of brilliance", 1987).
fn choose(len: usize, count: usize, mut random: impl FnMut() -> u64) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        let number = below(last + 1, &mut random);
        if !chosen.insert(number) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_numbers_has_the_same_chance() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.rotate_left(32)
        };
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..20_000 {
            *counts.entry(choose(5, 2, &mut random)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (1_800..=2_200).contains(count)), "{counts:?}");
    }
}
