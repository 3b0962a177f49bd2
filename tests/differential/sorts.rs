//! Random sorting, of elements that other keys have values for.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::{Group, integer};

pub(crate) const KINDS: &[Kind] = &[
    (20, |stream| stream.data(Generator::fill)),
    (10, Generator::fill_set),
    (60, |stream| stream.data(Generator::sort)),
    (20, Generator::store_sorted),
    (10, Generator::take_in_order),
];

/// A key that nothing else uses, so that it is known whether it has an order.
pub(crate) const IN_ORDER: &[u8] = b"in order";

impl Generator {
    /// Elements that the patterns make keys of.
    fn fill(&mut self) -> Command {
        let chance = &mut self.chance;
        let (name, group) = match chance.below(3) {
            0 => ("RPUSH", Group::List),
            _ => ("HSET", Group::Hash),
        };
        let mut command = vec![name.into(), group.key(chance)];
        command.extend((0..2 + 2 * chance.below(4)).map(|_| element(chance)));
        command
    }

    /// Integers alone, since 7.0 keeps small sets otherwise than 7.2 as soon as they hold a text.
    fn fill_set(&mut self) -> Step {
        let chance = &mut self.chance;
        let mut command = vec![b"SADD".into(), Group::Set.key(chance)];
        command.extend((0..1 + chance.below(6)).map(|_| digit(chance)));
        Step::one(command)
    }

    fn sort(&mut self) -> Command {
        let group = match self.chance.below(20) {
            0 => self.group(),
            1..8 => Group::List,
            8..14 => Group::Set,
            _ => Group::Zset,
        };
        let chance = &mut self.chance;
        let name = if chance.one_in(4) { "SORT_RO" } else { "SORT" };
        let mut command = vec![name.into(), group.key(chance)];
        let alpha = !chance.one_in(3);
        let by = chance.one_in(2).then(|| pattern(chance));
        if alpha {
            command.push(b"ALPHA".into());
        }
        for option in [order, limit, get, get] {
            if chance.one_in(3) {
                command.extend(option(chance));
            }
        }
        if let Some(by) = by {
            command.extend([b"by".into(), by]);
        }
        command
    }

    /// What is stored is sorted as texts, and not by other texts, which may be equal. Numbers that
    /// 7.0 refuses may be right: it looks at an error that was there before.
    fn store_sorted(&mut self) -> Step {
        let source = self.chance.pick(&[&Group::List, &Group::Set, &Group::Zset]);
        let target = if self.chance.one_in(2) { Group::List } else { self.group() };
        let chance = &mut self.chance;
        let mut command = vec![b"SORT".into(), source.key(chance), b"ALPHA".into()];
        for option in [order, limit, get, get] {
            if chance.one_in(3) {
                command.extend(option(chance));
            }
        }
        command.extend([b"STORE".into(), target.key(chance)]);
        Step::one(command)
    }

    /// Integers in the order that they have, in their own, or in that of their weights.
    fn take_in_order(&mut self) -> Step {
        let chance = &mut self.chance;
        let is_list = chance.one_in(2);
        let mut fill = words(&[if is_list { "RPUSH" } else { "ZADD" }]);
        fill.push(IN_ORDER.to_vec());
        for _ in 0..1 + chance.below(9) {
            fill.extend((!is_list).then(|| digit(chance)));
            fill.push(digit(chance));
        }
        let mut sort = vec![b"SORT".into(), IN_ORDER.to_vec()];
        for option in [order, limit, get] {
            if chance.one_in(2) {
                sort.extend(option(chance));
            }
        }
        match chance.below(8) {
            6 => sort.push(b"ALPHA".into()),
            7 => sort.extend(words(&["ALPHA", "STORE", "l1"])),
            0 => sort.extend(words(&["BY", "n*"])),
            1 => sort.extend(words(&["BY", "h*->1"])),
            // Of a list, Redis has integers at hand and reads no texts.
            2 if is_list => sort.extend([b"STORE".into(), Group::List.key(chance)]),
            3 => sort.extend([b"BY".into(), b"#".into(), b"STORE".into(), Group::List.key(chance)]),
            _ => sort.extend(words(&["BY", "nosort"])),
        }
        Step::all(vec![fill, sort, vec![b"DEL".into(), IN_ORDER.to_vec()]])
    }
}

fn element(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(12) { integer(chance) } else { digit(chance) }
}

fn digit(chance: &mut Chance) -> Vec<u8> {
    chance.below(5).to_string().into()
}

fn pattern(chance: &mut Chance) -> Vec<u8> {
    const PATTERNS: [&[u8]; 14] = [
        b"n*",
        b"r*",
        b"h*->1",
        b"h*->2",
        b"{t}*",
        b"*",
        b"nosort",
        b"#",
        b"l*",
        b"h*",
        b"n*->x",
        b"n*->",
        b"missing_*",
        b"long*",
    ];
    chance.pick::<[u8]>(&PATTERNS).to_vec()
}

fn order(chance: &mut Chance) -> Command {
    words(&[chance.pick(&["DESC", "ASC", "desc"])])
}

fn limit(chance: &mut Chance) -> Command {
    let mut number = || match chance.below(10) {
        0 => integer(chance),
        _ => (chance.below(8) as i64 - 1).to_string().into(),
    };
    vec![b"LIMIT".into(), number(), number()]
}

fn get(chance: &mut Chance) -> Command {
    vec![b"GET".into(), if chance.one_in(2) { b"#".to_vec() } else { pattern(chance) }]
}
