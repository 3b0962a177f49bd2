//! Random commands on lists.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::{Group, integer};

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::push)),
    (30, |stream| stream.data(Generator::pop)),
    (30, |stream| stream.data(Generator::look_into_list)),
    (20, |stream| stream.data(Generator::find_in_list)),
    (30, |stream| stream.data(Generator::edit_list)),
    (25, |stream| stream.data(Generator::move_element)),
    (15, |stream| stream.data(Generator::pop_first)),
    (10, |stream| stream.data(Generator::inspect_list)),
    (1, Generator::list_size),
];

impl Generator {
    /// A group for a command on lists, seldom one that holds something else.
    fn list_group(&mut self) -> Group {
        if self.chance.one_in(30) { self.group() } else { Group::List }
    }

    fn on_list(&mut self, name: &str, arguments: &[Vec<u8>]) -> Command {
        let group = self.list_group();
        [&[name.into(), group.key(&mut self.chance)], arguments].concat()
    }

    fn push(&mut self) -> Command {
        let chance = &mut self.chance;
        let name = *chance.pick(&[&"LPUSH", &"RPUSH", &"RPUSH", &"LPUSHX", &"RPUSHX"]);
        let count = if chance.one_in(20) { 1 + chance.below(300) } else { 1 + chance.below(6) };
        let elements: Vec<_> = (0..count).map(|_| element(chance)).collect();
        self.on_list(name, &elements)
    }

    fn pop(&mut self) -> Command {
        let chance = &mut self.chance;
        let name = *chance.pick(&[&"LPOP", &"RPOP"]);
        let count: Vec<_> = chance.one_in(2).then(|| count(chance)).into_iter().collect();
        self.on_list(name, &count)
    }

    fn look_into_list(&mut self) -> Command {
        let (first, last) = (place(&mut self.chance), place(&mut self.chance));
        match self.chance.below(4) {
            0 => self.on_list("LLEN", &[]),
            1 => self.on_list("LINDEX", &[first]),
            _ => self.on_list("LRANGE", &[first, last]),
        }
    }

    fn find_in_list(&mut self) -> Command {
        let wanted = element(&mut self.chance);
        let mut command = self.on_list("LPOS", &[wanted]);
        let chance = &mut self.chance;
        for name in ["RANK", "count", "MAXLEN"] {
            if chance.one_in(3) {
                let number = if chance.one_in(10) { integer(chance) } else { place(chance) };
                command.extend([name.into(), number]);
            }
        }
        command
    }

    fn edit_list(&mut self) -> Command {
        let chance = &mut self.chance;
        let (first, last) = (place(chance), place(chance));
        let (one, other) = (element(chance), element(chance));
        match chance.below(9) {
            0..3 => self.on_list("LSET", &[first, one]),
            3..6 => {
                let side = self.chance.pick(&["BEFORE", "AFTER", "after", "ASIDE"]);
                self.on_list("LINSERT", &[side.into(), one, other])
            }
            6 | 7 => {
                // 7.0 takes the number that has no opposite, and what is in the list is not the same.
                let has_opposite = !first.starts_with(b"-9223372036854775808");
                let times = if has_opposite { first } else { b"0".into() };
                self.on_list("LREM", &[times, one])
            }
            _ => self.on_list("LTRIM", &[first, last]),
        }
    }

    fn move_element(&mut self) -> Command {
        let target = self.list_group().key(&mut self.chance);
        let chance = &mut self.chance;
        if chance.one_in(3) {
            return self.on_list("RPOPLPUSH", &[target]);
        }
        let mut end = || chance.pick(&["LEFT", "RIGHT", "left", "right"]).into();
        let (from, to) = (end(), end());
        self.on_list("LMOVE", &[target, from, to])
    }

    fn pop_first(&mut self) -> Command {
        let keys = 1 + self.chance.below(3);
        let mut command = vec![b"LMPOP".into(), keys.to_string().into()];
        for _ in 0..keys {
            let group = self.list_group();
            command.push(group.key(&mut self.chance));
        }
        let chance = &mut self.chance;
        command.push(chance.pick(&["LEFT", "RIGHT", "right"]).into());
        if chance.one_in(2) {
            command.extend([b"COUNT".into(), count(chance)]);
        }
        command
    }

    fn inspect_list(&mut self) -> Command {
        let key = self.list_group().key(&mut self.chance);
        match self.chance.below(4) {
            0 => vec![b"DUMP".into(), key],
            1 => vec![b"DEBUG".into(), b"DIGEST-VALUE".into(), key],
            2 => vec![b"OBJECT".into(), b"ENCODING".into(), key],
            _ => vec![b"DEL".into(), key],
        }
    }

    /// Nodes of a few elements, so that they are often split and merged. A list of 7.0 goes on as it
    /// began, so that all begin anew.
    fn list_size(&mut self) -> Step {
        let size = self.chance.pick(&["-2", "-1", "1", "3", "3", "4", "5", "0", "128"]);
        let set = words(&["CONFIG", "SET", "list-max-listpack-size", size]);
        Step::all(vec![words(&["FLUSHALL"]), set])
    }
}

/// Few different ones, so that they are found again; seldom a long one.
fn element(chance: &mut Chance) -> Vec<u8> {
    match chance.below(12) {
        0..5 => chance.below(10).to_string().into(),
        5..8 => vec![b"abc"[chance.below(3) as usize]],
        8 => integer(chance),
        9 if chance.one_in(3) => {
            let len = [63, 64, 500, 3_000, 4_096, 9_000][chance.below(6) as usize];
            vec![b"xy"[chance.below(2) as usize]; len]
        }
        _ => Group::List.value(chance),
    }
}

fn count(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(12) { integer(chance) } else { chance.below(8).to_string().into() }
}

/// A place in a list, mostly of a few elements.
fn place(chance: &mut Chance) -> Vec<u8> {
    match chance.below(12) {
        0 => integer(chance),
        1..4 => (chance.below(400) as i64 - 200).to_string().into(),
        _ => (chance.below(20) as i64 - 10).to_string().into(),
    }
}
