//! Random commands on hashes, as far as Redis 7.0 has them: fields do not expire.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::Command;
use crate::words::{Group, float, integer, pattern};

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::hash_set)),
    (6, |stream| stream.data(Generator::hash_set_many)),
    (40, |stream| stream.data(Generator::hash_count)),
    (60, |stream| stream.data(Generator::hash_look)),
    (30, |stream| stream.data(Generator::hash_delete)),
    (15, |stream| stream.data(Generator::hash_random)),
    (15, |stream| stream.data(Generator::hash_scan)),
    (25, |stream| stream.data(Generator::hash_about)),
];

impl Generator {
    /// A key that most often holds a hash.
    fn hash_key(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        let group = if chance.one_in(40) { Group::any(chance) } else { Group::Hash };
        group.key(chance)
    }

    fn hash_set(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let name = *chance.pick(&[&"HSET", &"HSET", &"HMSET", &"HSETNX"]);
        let pairs = if name != "HSETNX" && chance.one_in(3) { 1 + chance.below(6) } else { 1 };
        let mut command = vec![name.into(), key];
        for _ in 0..pairs {
            command.extend([field(chance), value(chance)]);
        }
        command
    }

    /// So many that a packed hash may become a large one.
    fn hash_set_many(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let mut command = vec![b"HSET".into(), key];
        let first = chance.below(900);
        for number in first..first + 100 + chance.below(412) {
            command.extend([format!("f{number}").into(), chance.below(50).to_string().into()]);
        }
        command
    }

    fn hash_count(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let field = field(chance);
        if chance.one_in(2) {
            vec![b"HINCRBY".into(), key, field, integer(chance)]
        } else {
            vec![b"HINCRBYFLOAT".into(), key, field, float(chance)]
        }
    }

    fn hash_look(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let name = match chance.below(10) {
            0 => *chance.pick(&[&"HGETALL", &"HKEYS", &"HVALS"]),
            1 => "HLEN",
            2 | 3 => {
                let mut command = vec![b"HMGET".into(), key];
                command.extend((0..1 + chance.below(4)).map(|_| field(chance)));
                return command;
            }
            _ => {
                let name = *chance.pick(&[&"HGET", &"HEXISTS", &"HSTRLEN"]);
                return vec![name.into(), key, field(chance)];
            }
        };
        vec![name.into(), key]
    }

    fn hash_delete(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let mut command = vec![b"HDEL".into(), key];
        command.extend((0..1 + chance.below(4)).map(|_| field(chance)));
        command
    }

    fn hash_random(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let mut command = vec![b"HRANDFIELD".into(), key];
        if !chance.one_in(4) {
            const EDGES: [&str; 6] = [
                "x",
                "0",
                "-9223372036854775808",
                "9223372036854775807",
                "4611686018427387904",
                "9223372036854775808",
            ];
            command.push(match chance.below(5) {
                0 => chance.pick(&EDGES).into(),
                _ => (chance.below(40) as i64 - 20).to_string().into(),
            });
            if chance.one_in(2) {
                command.push(chance.pick(&["WITHVALUES", "withvalues"]).into());
            }
        }
        command
    }

    /// A scan that sees everything at once.
    fn hash_scan(&mut self) -> Command {
        let key = self.hash_key();
        let chance = &mut self.chance;
        let cursor = *chance.pick(&[&"0", &"0", &"0", &"00", &"", &"x", &"18446744073709551616"]);
        let mut command = vec![b"HSCAN".into(), key, cursor.into()];
        command.extend([b"COUNT".into(), chance.pick(&["100000", "100000", "0", "x"]).into()]);
        if chance.one_in(3) {
            command.extend([b"MATCH".into(), pattern(chance)]);
        }
        command
    }

    fn hash_about(&mut self) -> Command {
        let key = self.hash_key();
        match self.chance.below(12) {
            0 => vec![b"DEL".into(), key],
            1 | 2 => vec![b"DUMP".into(), key],
            3..=5 => vec![b"DEBUG".into(), b"DIGEST-VALUE".into(), key],
            _ => vec![b"OBJECT".into(), b"ENCODING".into(), key],
        }
    }
}

fn field(chance: &mut Chance) -> Vec<u8> {
    const STRANGE: [&[u8]; 7] =
        [b"", b"\xff\x00\r\n", b"10", b"-10", b"010", &[b'f'; 64], b"k*[x]"];
    match chance.below(40) {
        0 => vec![b'f'; 65],
        1..=7 => chance.pick::<[u8]>(&STRANGE).to_vec(),
        8..=11 => format!("f{}", chance.below(1_300)).into(),
        _ => format!("f{}", chance.below(12)).into(),
    }
}

fn value(chance: &mut Chance) -> Vec<u8> {
    match chance.below(30) {
        0 => vec![b'v'; 65],
        1 => vec![b'v'; 64],
        2..=14 => integer(chance),
        15..=24 => float(chance),
        _ => {
            let len = chance.below(64);
            (0..len).map(|_| chance.below(256) as u8).collect()
        }
    }
}
