//! Random commands on sets. What is left after a member was chosen by chance differs between the two
//! sides, so a set that has lost some that way is deleted.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::{Group, integer, pattern};

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::add_members)),
    (8, |stream| stream.data(Generator::add_many)),
    (40, |stream| stream.data(Generator::remove_members)),
    (25, |stream| stream.data(Generator::move_member)),
    (40, |stream| stream.data(Generator::look_at_members)),
    (60, |stream| stream.data(Generator::set_algebra)),
    (15, |stream| stream.data(Generator::count_shared)),
    (10, Generator::choose_members),
    (10, Generator::pop_members),
    (8, Generator::pop_wrongly),
    (15, |stream| stream.data(Generator::inspect_set)),
    (10, Generator::exchange_set),
    (8, Generator::scan_set),
];

/// Few members, so that sets have some in common.
fn member(chance: &mut Chance) -> Vec<u8> {
    const TEXTS: [&[u8]; 12] =
        [b"a", b"b", b"c", b"d", b"ab", b"01", b"-0", b"", b"1.0", b"\xff\x00\r\n", b"+1", b" 1"];
    match chance.below(20) {
        0 => integer(chance),
        1 => vec![b'x'; 63 + chance.below(3) as usize],
        2 => Group::Set.value(chance),
        3..=10 => chance.pick::<[u8]>(&TEXTS).to_vec(),
        _ => (chance.below(16) as i64 - 8).to_string().into(),
    }
}

impl Generator {
    /// The group of a set, seldom one that holds something else. No set is made under a hash's key:
    /// 7.0 calls each set hashtable that 7.2 keeps packed, and that must not hide a hash's encoding.
    fn set_group(&mut self) -> Group {
        let stranger = Group::any(&mut self.chance);
        let is_meant = self.chance.one_in(40) && stranger != Group::Hash;
        if is_meant { stranger } else { Group::Set }
    }

    fn set_key(&mut self) -> Vec<u8> {
        let group = self.set_group();
        group.key(&mut self.chance)
    }

    fn members(&mut self, count_max: u64) -> Command {
        (0..=self.chance.below(count_max)).map(|_| member(&mut self.chance)).collect()
    }

    fn on_set(&mut self, name: &str) -> Command {
        vec![name.into(), self.set_key()]
    }

    fn add_members(&mut self) -> Command {
        [self.on_set("SADD"), self.members(5)].concat()
    }

    /// So many that the set takes another form.
    fn add_many(&mut self) -> Command {
        let mut command = self.on_set("SADD");
        let chance = &mut self.chance;
        let count = [100, 127, 130, 400, 600][chance.below(5) as usize];
        let prefix = chance.pick(&["", "", "m", "-1"]);
        command.extend((0..count).map(|number| format!("{prefix}{number}").into_bytes()));
        command
    }

    fn remove_members(&mut self) -> Command {
        [self.on_set("SREM"), self.members(6)].concat()
    }

    fn move_member(&mut self) -> Command {
        [self.on_set("SMOVE"), vec![self.set_key(), member(&mut self.chance)]].concat()
    }

    fn look_at_members(&mut self) -> Command {
        match self.chance.below(6) {
            0 => self.on_set("SCARD"),
            1 | 2 => self.on_set("SMEMBERS"),
            3 => [self.on_set("SMISMEMBER"), self.members(5)].concat(),
            _ => [self.on_set("SISMEMBER"), vec![member(&mut self.chance)]].concat(),
        }
    }

    fn set_algebra(&mut self) -> Command {
        const NAMES: [&str; 6] =
            ["SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"];
        let name = self.chance.pick(&NAMES);
        let mut command = self.on_set(name);
        for _ in 0..=self.chance.below(5) {
            command.push(self.set_key());
        }
        command
    }

    fn count_shared(&mut self) -> Command {
        let count = 1 + self.chance.below(3);
        let mut command = words(&["SINTERCARD", &count.to_string()]);
        for _ in 0..count {
            command.push(self.set_key());
        }
        let chance = &mut self.chance;
        if chance.one_in(2) {
            command.extend(words(&["LIMIT", chance.pick(&["0", "1", "2", "100", "-1", "x"])]));
        }
        command
    }

    fn choose_members(&mut self) -> Step {
        const COUNTS: [&str; 9] = [
            "0",
            "1",
            "2",
            "5",
            "-5",
            "1000000",
            "x",
            "9223372036854775808",
            "-9223372036854775808",
        ];
        let mut command = self.on_set("SRANDMEMBER");
        if !self.chance.one_in(4) {
            command.push(self.chance.pick(&COUNTS).into());
        }
        Step::one(command)
    }

    fn pop_members(&mut self) -> Step {
        let mut command = self.on_set("SPOP");
        let rest = vec![b"UNLINK".into(), command[1].clone()];
        if !self.chance.one_in(4) {
            command.push(self.chance.pick(&["1", "2", "5", "20", "1000000"]).into());
        }
        Step::all(vec![command, rest])
    }

    fn pop_wrongly(&mut self) -> Step {
        let mut command = self.on_set("SPOP");
        let wrong = self.chance.pick(&["0", "-1", "x", "", "1 2", "9223372036854775808"]);
        command.extend(wrong.split(' ').map(Vec::from));
        Step::one(command)
    }

    fn inspect_set(&mut self) -> Command {
        match self.chance.below(5) {
            0 => self.on_set("TYPE"),
            1 => self.on_set("DUMP"),
            2 => [words(&["DEBUG"]), self.on_set("DIGEST-VALUE")].concat(),
            3 => [self.on_set("COPY"), vec![self.set_key(), b"REPLACE".into()]].concat(),
            _ => [words(&["OBJECT"]), self.on_set("ENCODING")].concat(),
        }
    }

    fn exchange_set(&mut self) -> Step {
        let source = Group::Set.key(&mut self.chance);
        let target = Group::Set.key(&mut self.chance);
        let restore = vec![b"RESTORE".into(), target, b"0".into(), Vec::new(), b"REPLACE".into()];
        Step::Exchange { source, restore, damage: None }
    }

    fn scan_set(&mut self) -> Step {
        let start = self.on_set("SSCAN");
        let chance = &mut self.chance;
        let mut options = Command::new();
        if chance.one_in(2) {
            options.extend([b"MATCH".into(), pattern(chance)]);
        }
        if chance.one_in(2) {
            options.extend(words(&["COUNT", chance.pick(&["1", "3", "1000", "0", "x"])]));
        }
        if chance.one_in(10) {
            options.push(b"TYPE".into());
        }
        Step::Scan { start, options }
    }
}
