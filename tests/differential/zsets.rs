//! Random commands on sorted sets.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::{Group, float, index, integer, pattern};

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::zset_add)),
    (6, |stream| stream.data(Generator::zset_add_many)),
    (20, |stream| stream.data(Generator::zset_increment)),
    (40, |stream| stream.data(Generator::zset_look)),
    (25, |stream| stream.data(Generator::zset_remove)),
    (25, |stream| stream.data(Generator::zset_pop)),
    (50, |stream| stream.data(Generator::zset_range)),
    (20, |stream| stream.data(Generator::zset_range_store)),
    (15, Generator::zset_lex),
    (50, |stream| stream.data(Generator::zset_combine)),
    (10, |stream| stream.data(Generator::zset_random)),
    (10, |stream| stream.data(Generator::zset_scan)),
    (20, |stream| stream.data(Generator::zset_about)),
];

impl Generator {
    /// A key that most often holds a sorted set.
    pub(crate) fn zset_key(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        let group = if chance.one_in(40) { Group::any(chance) } else { Group::Zset };
        group.key(chance)
    }

    fn zset_add(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let mut command = vec![b"ZADD".into(), key];
        for _ in 0..chance.below(5).saturating_sub(2) {
            command.push(chance.pick(&["NX", "XX", "GT", "LT", "CH", "INCR", "gt"]).into());
        }
        let pairs = if chance.one_in(3) { 1 + chance.below(6) } else { 1 };
        for _ in 0..pairs {
            command.extend([score(chance), member(chance)]);
        }
        command
    }

    /// So many that a packed set may become a large one.
    fn zset_add_many(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let mut command = vec![b"ZADD".into(), key];
        let first = chance.below(200);
        for number in first..first + 40 + chance.below(89) {
            let score = chance.below(50) as i64 - 10;
            command.extend([score.to_string().into(), format!("m{number}").into()]);
        }
        command
    }

    fn zset_increment(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        vec![b"ZINCRBY".into(), key, score(chance), member(chance)]
    }

    fn zset_look(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        match chance.below(8) {
            0 => vec![b"ZCARD".into(), key],
            1 | 2 => vec![b"ZSCORE".into(), key, member(chance)],
            3 => {
                let members = (0..1 + chance.below(4)).map(|_| member(chance));
                [b"ZMSCORE".to_vec(), key].into_iter().chain(members).collect()
            }
            4 => vec![b"ZCOUNT".into(), key, edge(chance), edge(chance)],
            5 => vec![b"ZREVRANK".into(), key, member(chance)],
            _ => vec![b"ZRANK".into(), key, member(chance)],
        }
    }

    fn zset_remove(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        match chance.below(4) {
            0 => vec![b"ZREMRANGEBYRANK".into(), key, index(chance), index(chance)],
            1 => vec![b"ZREMRANGEBYSCORE".into(), key, edge(chance), edge(chance)],
            _ => {
                let members = (0..1 + chance.below(5)).map(|_| member(chance));
                [b"ZREM".to_vec(), key].into_iter().chain(members).collect()
            }
        }
    }

    fn zset_pop(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let count = small_count(chance);
        match chance.below(6) {
            0 | 1 => {
                let mut command = vec![b"ZMPOP".to_vec()];
                let keys = 1 + chance.below(3);
                command.push(keys.to_string().into());
                command.extend((0..keys).map(|_| self.zset_key()));
                let chance = &mut self.chance;
                command.push(chance.pick(&["MIN", "MAX", "max"]).into());
                if chance.one_in(2) {
                    command.extend([b"COUNT".into(), count]);
                }
                command
            }
            2 => vec![b"ZPOPMIN".into(), key, count],
            3 => vec![b"ZPOPMAX".into(), key, count],
            4 => vec![b"ZPOPMIN".into(), key],
            _ => vec![b"ZPOPMAX".into(), key],
        }
    }

    fn zset_range(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let by_score = chance.one_in(2);
        let name = match chance.below(4) {
            0 if by_score => "ZRANGEBYSCORE",
            1 if by_score => "ZREVRANGEBYSCORE",
            0 => "ZREVRANGE",
            _ => "ZRANGE",
        };
        let mut command = vec![name.into(), key];
        command.extend(range_words(chance, by_score, name == "ZRANGE"));
        if chance.one_in(2) {
            command.push(b"WITHSCORES".into());
        }
        command
    }

    fn zset_range_store(&mut self) -> Command {
        let (target, source) = (self.zset_key(), self.zset_key());
        let chance = &mut self.chance;
        let by_score = chance.one_in(2);
        let mut command = vec![b"ZRANGESTORE".into(), target, source];
        command.extend(range_words(chance, by_score, true));
        command
    }

    /// A set of equal scores, and a range of its members. The order of bytes means nothing where
    /// scores are not equal.
    fn zset_lex(&mut self) -> Step {
        let chance = &mut self.chance;
        let key = chance.pick::<[u8]>(&[b"y1", b"y2"]).to_vec();
        let mut add = vec![b"ZADD".into(), key.clone()];
        let many = if chance.one_in(4) { 140 } else { 12 };
        for _ in 0..1 + chance.below(many) {
            add.extend([b"0".into(), member(chance)]);
        }
        let (min, max) = (lex_edge(chance), lex_edge(chance));
        let limit = limit(chance);
        let mut look = match chance.below(8) {
            0 => vec![b"ZLEXCOUNT".into(), key.clone(), min, max],
            1 => vec![b"ZREMRANGEBYLEX".into(), key.clone(), min, max],
            2 => vec![b"ZREVRANGEBYLEX".into(), key.clone(), max, min],
            3 => vec![b"ZRANGEBYLEX".into(), key.clone(), min, max],
            4 => vec![b"ZRANGE".into(), key.clone(), max, min, b"BYLEX".into(), b"REV".into()],
            5 => {
                let target = chance.pick::<[u8]>(&[b"y1", b"z3"]).to_vec();
                vec![b"ZRANGESTORE".into(), target, key.clone(), min, max, b"BYLEX".into()]
            }
            _ => vec![b"ZRANGE".into(), key.clone(), min, max, b"bylex".into()],
        };
        if look[0].ends_with(b"LEX") == look[0].contains(&b'G') && look[0] != b"ZREMRANGEBYLEX" {
            look.extend(limit);
        }
        Step::all(vec![vec![b"DEL".into(), key], add, look])
    }

    fn zset_combine(&mut self) -> Command {
        const NAMES: [&str; 7] =
            ["ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZINTERCARD"];
        let name = self.chance.pick(&NAMES);
        let mut command = words(&[name]);
        if name.ends_with("STORE") {
            command.push(self.zset_key());
        }
        let keys = 1 + self.chance.below(4).min(2);
        command.push(keys.to_string().into());
        command.extend((0..keys).map(|_| self.combined_key()));
        let chance = &mut self.chance;
        if !name.starts_with("ZDIFF") && !name.ends_with("CARD") {
            if chance.one_in(3) {
                command.push(b"WEIGHTS".into());
                command.extend((0..keys).map(|_| score(chance)));
            }
            if chance.one_in(3) {
                let how = chance.pick(&["SUM", "MIN", "MAX", "min", "AVG"]);
                command.extend(words(&["AGGREGATE", how]));
            }
        }
        if name.ends_with("CARD") {
            if chance.one_in(2) {
                command.extend([b"LIMIT".into(), small_count(chance)]);
            }
        } else if !name.ends_with("STORE") && chance.one_in(2) {
            command.push(b"WITHSCORES".into());
        }
        command
    }

    /// A key that goes into a combination: plain sets do, too.
    fn combined_key(&mut self) -> Vec<u8> {
        if self.chance.one_in(4) { Group::Set.key(&mut self.chance) } else { self.zset_key() }
    }

    fn zset_random(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let mut command = vec![b"ZRANDMEMBER".into(), key];
        if !chance.one_in(4) {
            let count = chance.pick(&["0", "1", "3", "-5", "200", "-9223372036854775808", "x"]);
            command.push(count.into());
            if chance.one_in(2) {
                command.push(b"WITHSCORES".into());
            }
        }
        command
    }

    /// A scan that sees everything at once.
    fn zset_scan(&mut self) -> Command {
        let key = self.zset_key();
        let chance = &mut self.chance;
        let mut command =
            vec![b"ZSCAN".into(), key, b"0".into(), b"COUNT".into(), b"100000".into()];
        if chance.one_in(3) {
            command.extend([b"MATCH".into(), pattern(chance)]);
        }
        command
    }

    fn zset_about(&mut self) -> Command {
        let key = self.zset_key();
        match self.chance.below(4) {
            0 => vec![b"DEL".into(), key],
            1 => vec![b"TYPE".into(), key],
            2 => vec![b"DEBUG".into(), b"DIGEST-VALUE".into(), key],
            _ => vec![b"OBJECT".into(), b"ENCODING".into(), key],
        }
    }
}

fn member(chance: &mut Chance) -> Vec<u8> {
    match chance.below(40) {
        0 => vec![b'l'; 64 + chance.below(3) as usize],
        1 => vec![b'w'; 250 + chance.below(10) as usize],
        2 => chance.pick::<[u8]>(&[b"", b"\x00\xff", b"-0", b"007", b"a\r\nb"]).to_vec(),
        3..=8 => (chance.below(12) as i64 - 6).to_string().into(),
        9..=20 => format!("m{}", chance.below(200)).into(),
        _ => vec![b'a' + chance.below(8) as u8],
    }
}

fn score(chance: &mut Chance) -> Vec<u8> {
    const EDGES: [&str; 10] = [
        "inf",
        "-inf",
        "+inf",
        "nan",
        "-0",
        "0.1",
        "1e20",
        "4611686018427387905",
        "1e-300",
        "0x10",
    ];
    match chance.below(12) {
        0 => chance.pick(&EDGES).into(),
        1 => float(chance),
        2 => integer(chance),
        3 | 4 => format!("{}.{}", chance.below(20) as i64 - 10, chance.below(10)).into(),
        _ => (chance.below(20) as i64 - 8).to_string().into(),
    }
}

/// An end of a range of scores.
fn edge(chance: &mut Chance) -> Vec<u8> {
    match chance.below(8) {
        0 => b"-inf".into(),
        1 => b"+inf".into(),
        2 | 3 => [b"(".to_vec(), score(chance)].concat(),
        4 if chance.one_in(3) => chance.pick(&["", "(", " 1", "1e400", "1 ", "abc"]).into(),
        _ => score(chance),
    }
}

/// An end of a range of members.
fn lex_edge(chance: &mut Chance) -> Vec<u8> {
    match chance.below(12) {
        0 | 1 => b"-".into(),
        2 | 3 => b"+".into(),
        4 => chance.pick(&["", "a", "-x", "+x", "(", "["]).into(),
        5..=7 => [b"(".to_vec(), member(chance)].concat(),
        _ => [b"[".to_vec(), member(chance)].concat(),
    }
}

fn small_count(chance: &mut Chance) -> Vec<u8> {
    chance.pick(&["0", "1", "2", "3", "10", "200", "-1", "x"]).into()
}

fn limit(chance: &mut Chance) -> Command {
    if !chance.one_in(2) {
        return Command::new();
    }
    let offset = chance.pick(&["0", "1", "2", "10", "-1", "500"]);
    let count = chance.pick(&["0", "1", "3", "-1", "-5", "100"]);
    words(&["LIMIT", offset, count])
}

/// The ends of a range and what may follow them.
fn range_words(chance: &mut Chance, by_score: bool, is_general: bool) -> Command {
    let mut command = if by_score {
        vec![edge(chance), edge(chance)]
    } else {
        vec![index(chance), index(chance)]
    };
    if is_general {
        if by_score {
            command.push(b"BYSCORE".into());
        }
        if chance.one_in(3) {
            command.push(b"REV".into());
        }
    }
    if by_score || chance.one_in(10) {
        command.extend(limit(chance));
    }
    command
}
