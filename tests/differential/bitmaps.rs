//! Random commands on bits of strings.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, words};
use crate::words::{Group, index, integer};

pub(crate) const KINDS: &[Kind] = &[
    (30, |stream| stream.data(Generator::set_bit)),
    (20, |stream| stream.data(Generator::get_bit)),
    (20, |stream| stream.data(Generator::count_bits)),
    (20, |stream| stream.data(Generator::find_bit)),
    (20, |stream| stream.data(Generator::combine_bits)),
    (30, |stream| stream.data(Generator::fields)),
];

impl Generator {
    fn set_bit(&mut self) -> Command {
        let group = self.string_group();
        let chance = &mut self.chance;
        let bit = if chance.one_in(20) { integer(chance) } else { bit(chance) };
        vec![b"SETBIT".into(), group.key(chance), offset(chance, group), bit]
    }

    fn get_bit(&mut self) -> Command {
        let group = self.string_group();
        let chance = &mut self.chance;
        vec![b"GETBIT".into(), group.key(chance), offset(chance, group)]
    }

    fn count_bits(&mut self) -> Command {
        let mut command = self.on_string("BITCOUNT", &[]);
        let chance = &mut self.chance;
        if !chance.one_in(4) {
            command.extend([index(chance), index(chance)]);
            command.extend(unit(chance));
        }
        command
    }

    fn find_bit(&mut self) -> Command {
        let mut command = self.on_string("BITPOS", &[]);
        let chance = &mut self.chance;
        command.push(if chance.one_in(20) { integer(chance) } else { bit(chance) });
        let ends = chance.below(4).min(2);
        command.extend((0..ends).map(|_| index(chance)));
        if ends == 2 {
            command.extend(unit(chance));
        }
        command
    }

    fn combine_bits(&mut self) -> Command {
        let name = self.chance.pick(&["AND", "OR", "XOR", "NOT", "and", "FOO"]);
        let sources = match (name, self.chance.below(10)) {
            ("NOT", 1..) => 1,
            (_, number) => 1 + number / 2,
        };
        let target = self.string_group();
        let mut command = words(&["BITOP", name]);
        command.push(target.key(&mut self.chance));
        for _ in 0..sources {
            let source = self.string_group();
            command.push(source.key(&mut self.chance));
        }
        command
    }

    fn fields(&mut self) -> Command {
        let group = self.string_group();
        let chance = &mut self.chance;
        let only_reads = chance.one_in(4);
        let name = if only_reads && chance.one_in(2) { "BITFIELD_RO" } else { "BITFIELD" };
        let mut command = vec![name.into(), group.key(chance)];
        for _ in 0..chance.below(5) {
            command.extend(field(chance, group, only_reads));
        }
        command
    }
}

fn bit(chance: &mut Chance) -> Vec<u8> {
    chance.pick(&["0", "1"]).into()
}

/// The place of a bit, near enough that values stay short.
fn offset(chance: &mut Chance, group: Group) -> Vec<u8> {
    const WRONG: [&str; 7] =
        ["-1", "4294967296", "9223372036854775807", "9223372036854775808", "x", "", "#1"];
    if chance.one_in(25) {
        return chance.pick(&WRONG).into();
    }
    let end = match group {
        Group::Long if chance.one_in(4) => 600_000,
        Group::Integer | Group::Real => 30,
        _ => 500,
    };
    chance.below(end).to_string().into()
}

/// The unit of a range, if it is said.
fn unit(chance: &mut Chance) -> Option<Vec<u8>> {
    match chance.below(12) {
        0..=3 => None,
        4..=8 => Some(b"BIT".into()),
        9 => Some(b"bytes".into()),
        _ => Some(b"byte".into()),
    }
}

/// One operation of BITFIELD.
fn field(chance: &mut Chance, group: Group, only_read: bool) -> Command {
    const OVERFLOWS: [&str; 6] = ["WRAP", "SAT", "FAIL", "sat", "fail", "FOO"];
    const FORMS: [&str; 12] =
        ["u1", "i1", "u8", "i8", "u63", "i64", "u5", "i13", "u64", "i65", "I8", "u0"];
    let known = if chance.one_in(10) { FORMS.len() } else { FORMS.len() - 4 };
    let form = match chance.below(3) {
        0 => format!("{}{}", chance.pick(&["i", "u"]), 1 + chance.below(63)).into(),
        _ => chance.pick(&FORMS[..known]).into(),
    };
    let place = if chance.one_in(4) {
        format!("#{}", chance.below(8)).into()
    } else {
        offset(chance, group)
    };
    match chance.below(if only_read { 2 } else { 8 }) {
        0 | 1 => vec![b"GET".into(), form, place],
        2 | 3 => vec![b"SET".into(), form, place, integer(chance)],
        4 => {
            let known = if chance.one_in(8) { OVERFLOWS.len() } else { OVERFLOWS.len() - 1 };
            words(&["OVERFLOW", chance.pick(&OVERFLOWS[..known])])
        }
        _ => vec![b"INCRBY".into(), form, place, integer(chance)],
    }
}
