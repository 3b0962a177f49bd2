//! `types`: commands on every type, one at a time in process, on small values and on values with a
//! million members, beside redis-server with a pipeline of 64.

use crate::measure::{interleave, ns_per_op};
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, FEED};
use keyslot::resp::{Encoder, Protocol, encode_request};
use keyslot::{Engine, Session};

type Words = Vec<Vec<u8>>;

/// Makes a command on a key whose value has so many members; chance chooses which.
type Make = fn(&[u8], usize, &mut Chance) -> Words;

/// Commands in a round, but for those with replies of a hundred elements.
const COMMANDS: usize = 64 << 10;
const COMMANDS_LONG: usize = 8 << 10;
/// Small values, each under a key of its own.
const SMALL_KEYS: usize = 1_000;
/// Members of a big value.
const BIG: usize = 1_000_000;
/// Members of a small one, but for those that are read by the hundred.
const SMALL: usize = 10;

/// One command to be measured.
struct Case {
    name: &'static str,
    /// Commands in a round.
    count: usize,
    /// Members that a small value has.
    small_len: usize,
    /// Puts a member into a key.
    fill: fn(&[u8], usize) -> Words,
    command: Make,
    /// Made before each round, as often as the command, and not measured.
    before: Option<Make>,
}

fn words(text: &str, rest: &[&[u8]]) -> Words {
    text.split(' ').map(|word| word.as_bytes()).chain(rest.iter().copied()).map(Vec::from).collect()
}

fn on(name: &str, key: &[u8], rest: &[&[u8]]) -> Words {
    words(name, &[&[key], rest].concat())
}

fn member(number: usize) -> Vec<u8> {
    format!("member:{number}").into_bytes()
}

fn text(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn fill_list(key: &[u8], number: usize) -> Words {
    on("RPUSH", key, &[&member(number)])
}

fn fill_hash(key: &[u8], number: usize) -> Words {
    on("HSET", key, &[&member(number), b"value"])
}

fn fill_set(key: &[u8], number: usize) -> Words {
    on("SADD", key, &[&member(number)])
}

fn fill_zset(key: &[u8], number: usize) -> Words {
    on("ZADD", key, &[&text(number), &member(number)])
}

fn fill_stream(key: &[u8], number: usize) -> Words {
    on("XADD", key, &[&text(number + 1), b"field", &member(number)])
}

fn fill_log(key: &[u8], number: usize) -> Words {
    on("PFADD", key, &[&member(number)])
}

fn fill_bits(key: &[u8], number: usize) -> Words {
    on("SETBIT", key, &[&text(number), b"1"])
}

fn lpush(key: &[u8], _: usize, chance: &mut Chance) -> Words {
    on("LPUSH", key, &[&member(chance.below(BIG))])
}

/// A hundred members in a row: from where, and to where.
fn hundred(len: usize, chance: &mut Chance) -> (Vec<u8>, Vec<u8>) {
    let from = chance.below((len - 100).max(1));
    (text(from), text(from + 99))
}

const CASES: &[Case] = &[
    Case {
        name: "lpush",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_list,
        command: lpush,
        before: None,
    },
    Case {
        name: "lpop",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_list,
        command: |key, _, _| on("LPOP", key, &[]),
        before: Some(lpush),
    },
    Case {
        name: "lrange100",
        count: COMMANDS_LONG,
        small_len: 100,
        fill: fill_list,
        command: |key, len, chance| {
            let (from, to) = hundred(len, chance);
            on("LRANGE", key, &[&from, &to])
        },
        before: None,
    },
    Case {
        name: "hset",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_hash,
        command: |key, len, chance| {
            on("HSET", key, &[&member(chance.below(len)), &text(chance.below(100_000))])
        },
        before: None,
    },
    Case {
        name: "hget",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_hash,
        command: |key, len, chance| on("HGET", key, &[&member(chance.below(len))]),
        before: None,
    },
    Case {
        name: "hgetall20",
        count: COMMANDS_LONG,
        small_len: 20,
        fill: fill_hash,
        command: |key, _, _| on("HGETALL", key, &[]),
        before: None,
    },
    Case {
        name: "sadd",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_set,
        command: |key, len, chance| on("SADD", key, &[&member(chance.below(len + len / 4))]),
        before: None,
    },
    Case {
        name: "sismember",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_set,
        command: |key, len, chance| on("SISMEMBER", key, &[&member(chance.below(2 * len))]),
        before: None,
    },
    Case {
        name: "zadd",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_zset,
        command: |key, len, chance| {
            on("ZADD", key, &[&text(chance.below(len)), &member(chance.below(len))])
        },
        before: None,
    },
    Case {
        name: "zrank",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_zset,
        command: |key, len, chance| on("ZRANK", key, &[&member(chance.below(len))]),
        before: None,
    },
    Case {
        name: "zrange100",
        count: COMMANDS_LONG,
        small_len: 100,
        fill: fill_zset,
        command: |key, len, chance| {
            let (from, to) = hundred(len, chance);
            on("ZRANGE", key, &[&from, &to])
        },
        before: None,
    },
    Case {
        name: "zrangebyscore",
        count: COMMANDS_LONG,
        small_len: 100,
        fill: fill_zset,
        command: |key, len, chance| {
            let (from, _) = hundred(len, chance);
            on("ZRANGEBYSCORE", key, &[&from, b"+inf", b"LIMIT", b"0", b"20"])
        },
        before: None,
    },
    Case {
        name: "xadd",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_stream,
        command: |key, _, chance| on("XADD", key, &[b"*", b"field", &member(chance.below(BIG))]),
        before: None,
    },
    Case {
        name: "xrange100",
        count: COMMANDS_LONG,
        small_len: 100,
        fill: fill_stream,
        command: |key, len, chance| {
            let (from, _) = hundred(len, chance);
            on("XRANGE", key, &[&from, b"+", b"COUNT", b"100"])
        },
        before: None,
    },
    Case {
        name: "pfadd",
        count: COMMANDS,
        small_len: SMALL,
        fill: fill_log,
        command: |key, len, chance| on("PFADD", key, &[&member(chance.below(2 * len))]),
        before: None,
    },
    Case {
        name: "setbit",
        count: COMMANDS,
        small_len: 1_000,
        fill: fill_bits,
        command: |key, len, chance| {
            on("SETBIT", key, &[&text(chance.below(len)), &text(chance.below(2))])
        },
        before: None,
    },
];

/// Commands made ready for both sides.
struct Round {
    /// For our side, all words one after another.
    text: Vec<u8>,
    /// Where each word ends.
    word_ends: Vec<usize>,
    /// How many words each command has.
    word_counts: Vec<usize>,
    /// For the peer, [`FEED`] at a time.
    feeds: Vec<Vec<u8>>,
}

impl Round {
    fn new(commands: &[Words]) -> Self {
        let feed = |some: &[Words]| {
            let mut feed = Vec::new();
            some.iter().for_each(|command| encode_request(command, &mut feed));
            feed
        };
        let mut round = Self {
            text: Vec::new(),
            word_ends: Vec::new(),
            word_counts: commands.iter().map(Vec::len).collect(),
            feeds: commands.chunks(FEED).map(feed).collect(),
        };
        for word in commands.iter().flatten() {
            round.text.extend_from_slice(word);
            round.word_ends.push(round.text.len());
        }
        round
    }

    fn run_ours(&self, session: &mut Session, out: &mut Encoder) {
        let mut words: Vec<&[u8]> = Vec::new();
        let mut ends = self.word_ends.iter();
        let mut start = 0;
        for &count in &self.word_counts {
            words.clear();
            for &end in ends.by_ref().take(count) {
                words.push(&self.text[start..end]);
                start = end;
            }
            session.call(&words, out);
            assert!(out.bytes()[0] != b'-', "{}", out.bytes().escape_ascii());
            out.clear();
        }
    }

    fn run_theirs(&self, redis: &mut Redis) {
        self.feeds.iter().for_each(|feed| redis.exchange_all(feed));
    }
}

fn keys(case: &Case, big: bool) -> (Vec<Vec<u8>>, usize) {
    if big {
        return (vec![format!("big:{}", case.name).into_bytes()], BIG);
    }
    let key = |number| format!("small:{}:{number}", case.name).into_bytes();
    ((0..SMALL_KEYS).map(key).collect(), case.small_len)
}

fn measure(report: &mut Report, case: &Case, big: bool, redis: &mut Redis) {
    let engine = Engine::default();
    let mut session = engine.session();
    let mut out = Encoder::new(Protocol::Resp2);
    let (keys, len) = keys(case, big);
    for key in &keys {
        let filling: Vec<_> = (0..len).map(|number| (case.fill)(key, number)).collect();
        let filling = Round::new(&filling);
        filling.run_ours(&mut session, &mut out);
        filling.run_theirs(redis);
    }
    let mut chance = Chance(9);
    let mut make = |command: Make| {
        let one = |number: usize| command(&keys[number % keys.len()][..], len, &mut chance);
        Round::new(&(0..case.count).map(one).collect::<Vec<_>>())
    };
    let before = case.before.map(&mut make);
    let round = make(case.command);
    let ours = || {
        if let Some(before) = &before {
            before.run_ours(&mut session, &mut out);
        }
        ns_per_op(case.count, || round.run_ours(&mut session, &mut out))
    };
    let redis_again = &mut *redis;
    let theirs = || {
        if let Some(before) = &before {
            before.run_theirs(redis_again);
        }
        ns_per_op(case.count, || round.run_theirs(redis_again))
    };
    let (ours, theirs) = interleave(ours, theirs);
    report.row(&Row {
        id: &format!("types.{}.{}.redis", case.name, if big { "big" } else { "small" }),
        metric: "time of a command",
        unit: "ns",
        ours,
        theirs,
        better: Better::Lower,
    });
    redis.ask(&["FLUSHALL"]);
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let mut redis = Redis::start()?;
    for case in CASES {
        measure(report, case, false, &mut redis);
        // A value of twenty fields has no big form.
        if case.name != "hgetall20" {
            measure(report, case, true, &mut redis);
        }
    }
    Ok(())
}
