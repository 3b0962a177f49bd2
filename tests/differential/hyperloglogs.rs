//! Random commands on HyperLogLogs, whose bytes are compared too.

use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::Group;

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::meet)),
    (20, |stream| stream.data(Generator::count_distinct)),
    (16, |stream| stream.data(Generator::merge)),
    (12, |stream| stream.data(Generator::look_inside)),
    (4, Generator::damaged),
    (4, |stream| stream.data(Generator::remove_one)),
    (6, Generator::under_a_limit),
];

/// Where the runs of a HyperLogLog begin.
const HEAD: &[u8] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80";

impl Generator {
    /// A key that most likely holds a HyperLogLog.
    fn distinct_key(&mut self) -> Vec<u8> {
        let stranger = self.chance.one_in(40);
        let group = if stranger { Group::any(&mut self.chance) } else { Group::HyperLogLog };
        group.key(&mut self.chance)
    }

    fn meet(&mut self) -> Command {
        let mut command = vec![b"PFADD".into(), self.distinct_key()];
        let chance = &mut self.chance;
        let (count, space) = match chance.below(12) {
            0 => (0, 1),
            1 => (600, 1 << 40),
            2..=4 => (60, 3_000),
            _ => (1 + chance.below(4), 3_000),
        };
        command.extend((0..count).map(|_| chance.below(space).to_string().into_bytes()));
        command
    }

    fn count_distinct(&mut self) -> Command {
        let mut command = words(&["PFCOUNT"]);
        for _ in 0..1 + self.chance.below(6) / 2 {
            command.push(self.distinct_key());
        }
        command
    }

    fn merge(&mut self) -> Command {
        let mut command = words(&["PFMERGE"]);
        for _ in 0..1 + self.chance.below(4) {
            command.push(self.distinct_key());
        }
        command
    }

    fn look_inside(&mut self) -> Command {
        let key = self.distinct_key();
        let chance = &mut self.chance;
        let name = match chance.below(30) {
            0 => "TODENSE",
            1 => "GETREG",
            2 => "NOSUCH",
            3..10 => "ENCODING",
            10..20 => return vec![b"GET".into(), key],
            _ => "decode",
        };
        vec![b"PFDEBUG".into(), name.into(), key]
    }

    /// Bytes that are a HyperLogLog, or nearly one, for a moment.
    fn damaged(&mut self) -> Step {
        let key = self.distinct_key();
        let chance = &mut self.chance;
        let mut value = HEAD.to_vec();
        match chance.below(6) {
            0 => value.extend(b"\x7f\xff"),
            1 => value.extend(b"\x7f\xfe\x00"),
            2 => value.extend(b"\x7f\xfb\x8b"),
            3 => value.extend(b"\x7f\xfe\x8b"),
            4 => value[4] = chance.below(3) as u8,
            _ => value.truncate(chance.below(17) as usize),
        }
        let damaged = b"damaged".to_vec();
        Step::all(vec![
            vec![b"SET".into(), damaged.clone(), value],
            vec![b"PFCOUNT".into(), damaged.clone()],
            vec![b"PFCOUNT".into(), key.clone(), damaged.clone()],
            vec![b"PFMERGE".into(), key, damaged.clone()],
            vec![b"PFADD".into(), damaged.clone(), b"1".into(), b"2".into(), b"3".into()],
            vec![b"GET".into(), damaged.clone()],
            vec![b"PFDEBUG".into(), b"TODENSE".into(), damaged.clone()],
            vec![b"DEL".into(), damaged],
        ])
    }

    fn remove_one(&mut self) -> Command {
        vec![b"DEL".into(), self.distinct_key()]
    }

    /// Some commands under another limit, which then is what it was.
    fn under_a_limit(&mut self) -> Step {
        let limit = |value: &str| words(&["CONFIG", "SET", "hll-sparse-max-bytes", value]);
        let mut commands = vec![limit(self.chance.pick(&["0", "18", "24", "60", "500", "4000"]))];
        for _ in 0..1 + self.chance.below(6) {
            let command = if self.chance.one_in(4) { self.merge() } else { self.meet() };
            commands.push(command);
        }
        commands.push(limit("3000"));
        Step::all(commands)
    }
}
