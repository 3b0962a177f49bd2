//! `zset`: a sorted set of a million members beside what a program would use in its place, a
//! `BTreeMap` in order with a `HashMap` of scores, and beside redis-server with a pipeline of 64.
//!
//! The pair cannot tell a rank. In the place of ZRANK it looks a member up in both maps, and in the
//! place of ranks a range begins at a member.

use crate::measure::{interleave, ns_per_op};
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, FEED, MAINTAIN_LOADED};
use bytes::Bytes;
use hashbrown::HashMap;
use keyslot::resp::{Encoder, Protocol, encode_request};
use keyslot::{Engine, Session};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hint::black_box;

const MEMBERS: usize = 1_000_000;
/// Commands in a round, but for ranges.
const COMMANDS: usize = 256 << 10;
const RANGES: usize = 16 << 10;
/// Members of a range.
const RANGE_LEN: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Add,
    Rank,
    Range,
}

impl Work {
    const ALL: [Self; 3] = [Self::Add, Self::Rank, Self::Range];

    fn name(self) -> &'static str {
        match self {
            Self::Add => "zadd",
            Self::Rank => "zrank",
            Self::Range => "zrange",
        }
    }

    fn count(self) -> usize {
        match self {
            Self::Add | Self::Rank => COMMANDS,
            Self::Range => RANGES,
        }
    }
}

/// A score in a map that is in order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What a program would use.
#[derive(Debug, Default)]
struct Pair {
    order: BTreeMap<(Score, Bytes), ()>,
    scores: HashMap<Bytes, f64>,
}

impl Pair {
    fn add(&mut self, member: &[u8], score: f64) {
        let Some(known) = self.scores.get_mut(member) else {
            let member = Bytes::copy_from_slice(member);
            self.scores.insert(member.clone(), score);
            self.order.insert((Score(score), member), ());
            return;
        };
        let old = std::mem::replace(known, score);
        let (_, member) = self
            .order
            .remove_entry(&(Score(old), Bytes::copy_from_slice(member)))
            .map(|(key, ())| key)
            .expect("what has a score is in order");
        self.order.insert((Score(score), member), ());
    }

    fn find(&self, member: &[u8]) -> bool {
        let key = |score: &f64| (Score(*score), Bytes::copy_from_slice(member));
        self.scores.get(member).is_some_and(|score| self.order.contains_key(&key(score)))
    }

    fn range(&self, from: f64, out: &mut Vec<u8>) {
        let first = (Score(from), Bytes::new());
        let members = self.order.range(first..).take(RANGE_LEN);
        members.for_each(|((_, member), ())| out.extend_from_slice(member));
    }
}

fn member(number: usize) -> Vec<u8> {
    format!("member:{number:07}").into_bytes()
}

/// The number that chance gave, and the words that are made of it.
type Command = (usize, Vec<Vec<u8>>);

fn command(work: Work, chance: &mut Chance) -> Command {
    let number = chance.below(MEMBERS);
    let name = work.name().to_ascii_uppercase().into_bytes();
    let mut words = vec![name, b"z".to_vec()];
    match work {
        Work::Add => words.extend([score(number).to_string().into_bytes(), member(number)]),
        Work::Rank => words.push(member(number)),
        Work::Range => {
            let last = number + RANGE_LEN - 1;
            words.extend([number, last].map(|rank| rank.to_string().into_bytes()));
        }
    }
    (number, words)
}

/// The score that a member gets at first, and a new one for each time that it is asked for.
fn score(number: usize) -> f64 {
    Chance(number as u64).below(MEMBERS) as f64
}

fn commands(work: Work, seed: u64) -> Vec<Command> {
    let mut chance = Chance(seed);
    let mut all: Vec<_> = (0..work.count()).map(|_| command(work, &mut chance)).collect();
    if work == Work::Add {
        for (_, words) in &mut all {
            words[2] = chance.below(MEMBERS).to_string().into_bytes();
        }
    }
    all
}

fn run_ours(commands: &[Command], session: &mut Session, out: &mut Encoder) {
    let mut borrowed: Vec<&[u8]> = Vec::new();
    for (_, words) in commands {
        borrowed.clear();
        borrowed.extend(words.iter().map(|word| &word[..]));
        session.call(&borrowed, out);
        assert!(out.bytes()[0] != b'-', "{}", out.bytes().escape_ascii());
        out.clear();
    }
}

fn run_pair(work: Work, commands: &[Command], pair: &mut Pair) {
    let mut out = Vec::new();
    for (number, words) in commands {
        match work {
            Work::Add => {
                let text = std::str::from_utf8(&words[2]).expect("a number");
                pair.add(&words[3], text.parse().expect("a number"));
            }
            Work::Rank => assert!(black_box(pair.find(&words[2]))),
            Work::Range => {
                pair.range(*number as f64, &mut out);
                black_box(&out);
                out.clear();
            }
        }
    }
}

fn fill() -> Vec<Command> {
    let words = |number| {
        let score = score(number).to_string().into_bytes();
        vec![b"ZADD".to_vec(), b"z".to_vec(), score, member(number)]
    };
    (0..MEMBERS).map(|number| (number, words(number))).collect()
}

fn feeds(commands: &[Command]) -> Vec<Vec<u8>> {
    let feed = |some: &[Command]| {
        let mut feed = Vec::new();
        some.iter().for_each(|(_, words)| encode_request(words, &mut feed));
        feed
    };
    commands.chunks(FEED).map(feed).collect()
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let mut redis = Redis::start()?;
    let engine = Engine::default();
    let mut session = engine.session();
    let mut out = Encoder::new(Protocol::Resp2);
    let mut pair = Pair::default();
    let filling = fill();
    run_ours(&filling, &mut session, &mut out);
    run_pair(Work::Add, &filling, &mut pair);
    feeds(&filling).iter().for_each(|feed| redis.exchange_all(feed));
    engine.maintain(MAINTAIN_LOADED);
    for work in Work::ALL {
        let commands = commands(work, 3);
        let feeds = feeds(&commands);
        let time = |work: &mut dyn FnMut()| ns_per_op(commands.len(), work);
        let mut ours = || run_ours(&commands, &mut session, &mut out);
        let mut theirs = || run_pair(work, &commands, &mut pair);
        let figures = interleave(|| time(&mut ours), || time(&mut theirs));
        row(report, work, "btree", figures);
        let mut theirs = || feeds.iter().for_each(|feed| redis.exchange_all(feed));
        let figures = interleave(|| time(&mut ours), || time(&mut theirs));
        row(report, work, "redis", figures);
    }
    Ok(())
}

fn row(report: &mut Report, work: Work, peer: &str, (ours, theirs): (f64, f64)) {
    report.row(&Row {
        id: &format!("zset.{}.{peer}", work.name()),
        metric: "time of a command",
        unit: "ns",
        ours,
        theirs,
        better: Better::Lower,
    });
}
