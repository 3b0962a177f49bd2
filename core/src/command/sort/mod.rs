//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or what other
//! keys hold for them.

mod options;
mod order;
mod pattern;

use super::call::Call;
use super::dump::say_whole;
use super::key_spec::{Begin, Find, KeySpec};
use super::table::{Command, Group, category, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Event, Expiry};
use crate::structs::listpack::{Element, Scratch};
use crate::value::zset::{self, Zset};
use crate::value::{Record, Type};
use crate::value::{list, set};
use options::{By, Options};
use pattern::Pattern;
use std::ops::Range;

const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to \
                          sort, and M the number of returned elements. When the elements are not \
                          sorted, complexity is O(N).";

const KEY: KeySpec = KeySpec {
    notes: "",
    uses: key_use::RO | key_use::ACCESS,
    begin: Begin::Index(1),
    find: Find::Range { last: 0, step: 1, limit: 0 },
};
const BY_VALUE: KeySpec = KeySpec {
    notes: "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive \
            from the content of the key we sort",
    uses: key_use::RO | key_use::ACCESS,
    begin: Begin::Unknown,
    find: Find::Unknown,
};
const TARGET: KeySpec = KeySpec {
    notes: "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear \
            anywhere in the argument array",
    uses: key_use::OW | key_use::UPDATE,
    begin: Begin::Unknown,
    find: Find::Unknown,
};

const CATEGORIES: u32 = category::SET | category::SORTEDSET | category::LIST | category::DANGEROUS;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "sort",
        summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the \
                  result.",
        complexity: COMPLEXITY,
        group: Group::Generic,
        flags: flag::WRITE | flag::DENYOOM,
        categories: Some(CATEGORIES),
        grammar: "key#0 [BY by-pattern:pattern#1] [LIMIT limit=(offset:integer count:integer)] \
                  [(GET get-pattern:pattern#1)...] order=[ASC | DESC] sorting=[ALPHA] \
                  [STORE destination:key#2]",
        key_specs: &[KEY, BY_VALUE, TARGET],
        find_keys: Some(options::keys_of_sort),
        reads_keys_by_value: options::names_keys_by_value,
        handler: sort,
        ..Command::DEFAULT
    },
    Command {
        name: "sort_ro",
        summary: "Returns the sorted elements of a list, a set, or a sorted set.",
        since: "7.0.0",
        complexity: COMPLEXITY,
        group: Group::Generic,
        flags: flag::READONLY,
        categories: Some(CATEGORIES),
        grammar: "key#0 [BY by-pattern:pattern#1] [LIMIT limit=(offset:integer count:integer)] \
                  [(GET get-pattern:pattern#1)...] order=[ASC | DESC] sorting=[ALPHA]",
        key_specs: &[KEY, BY_VALUE],
        find_keys: Some(options::keys_of_sort_ro),
        reads_keys_by_value: options::names_keys_by_value,
        handler: sort_ro,
        ..Command::DEFAULT
    },
];

/// Texts one after another in one block, so that many small ones take little.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn at(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }
}

/// The elements that a key holds, in the order that they have there.
#[derive(Debug)]
struct Elements {
    texts: Texts,
    /// The part of them that is asked for, once they are in order.
    wanted: Range<usize>,
    is_set: bool,
}

impl Elements {
    /// Reads the elements of a record. Of those of a list or a sorted set that keep their order, only
    /// the part that is asked for is read.
    fn read(record: &Record, options: &Options<'_>) -> Result<Self, Error> {
        let kind = Type::of(record);
        let len = match kind {
            Type::List => list::read(record)?.len(),
            Type::Set => set::read(record)?.len(),
            Type::Zset => Zset::of(record)?.len(),
            Type::String | Type::Hash | Type::Stream => return Err(Error::WRONG_TYPE),
        };
        let wanted = options.limit.within(len);
        let keeps_order = options.by == By::Nothing;
        let backwards = keeps_order && options.descending;
        let part = if keeps_order { wanted.clone() } else { 0..len };
        let mut texts = Texts::default();
        let mut scratch = Scratch::new();
        let push = |element: Element<'_>| texts.push(element.text(&mut scratch));
        match kind {
            Type::Set => set::read(record)?.iter().for_each(push),
            _ if part.is_empty() => {}
            Type::Zset => {
                let ranks = if backwards { len - part.end..len - part.start } else { part.clone() };
                let members = Zset::of(record)?.range(ranks, backwards);
                members.for_each(|(member, _)| texts.push(member));
            }
            _ => {
                let first = if backwards { len - 1 - part.start } else { part.start };
                list::read(record)?.iter_from(first, backwards).each(part.len(), push);
            }
        }
        let is_set = kind == Type::Set;
        let wanted = if keeps_order && !is_set { 0..part.len() } else { wanted };
        Ok(Self { texts, wanted, is_set })
    }
}

fn sort(call: &mut Call<'_, '_>) -> Result<(), Error> {
    sort_with(call, true)
}

fn sort_ro(call: &mut Call<'_, '_>) -> Result<(), Error> {
    sort_with(call, false)
}

fn sort_with(call: &mut Call<'_, '_>, may_store: bool) -> Result<(), Error> {
    let mut options = Options::parse(call, may_store)?;
    let elements = call.keys.read(&call.located[0]);
    if elements.is_some_and(|record| Type::of(record) == Type::Zset) {
        make_large(call)?;
    }
    let elements = call.keys.peek(&call.located[0]);
    let Some(elements) = elements.map(|record| Elements::read(record, &options)).transpose()?
    else {
        return reply(call, &options, &Texts::default(), &[]);
    };
    if elements.is_set && options.stores && options.by == By::Nothing {
        // A set has no order, and what is stored shall be the same everywhere.
        (options.by, options.alpha) = (By::Element, true);
    }
    let order = order::sorted(call, &options, &elements.texts)?;
    reply(call, &options, &elements.texts, &order[elements.wanted])
}

/// Makes a sorted set a large one, which Redis does before it sorts and OBJECT ENCODING shows.
fn make_large(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let limits = call.env.limits();
    call.keys.change(&call.located[0], |record| {
        zset::make_large(record, &limits);
        Ok::<_, Error>((0, ()))
    })?;
    Ok(())
}

/// Answers elements, or what other keys hold for them, or stores it.
fn reply(
    call: &mut Call<'_, '_>,
    options: &Options<'_>,
    texts: &Texts,
    order: &[u32],
) -> Result<(), Error> {
    let whole = [Pattern::Element];
    let gets = if options.gets.is_empty() { &whole[..] } else { &options.gets };
    let len = order.len() * gets.len();
    let db = call.client.db;
    let elements = order.iter().map(|number| texts.at(*number));
    let values = elements.flat_map(|element| gets.iter().map(move |get| (get, element)));
    if !options.stores {
        call.out.array(len);
        for (get, element) in values {
            get.read(call.keys, db, element, |value| match value {
                Some(value) => call.out.bulk(value),
                None => call.out.null(),
            });
        }
        return Ok(());
    }
    let mut stored = list::Builder::new(call.env.list_limits());
    for (get, element) in values {
        get.read(call.keys, db, element, |value| stored.push(value.unwrap_or_default()));
    }
    store(call, stored, len);
    Ok(())
}

/// Stores a list under the last key of the command, or deletes that if the list is empty.
fn store(call: &mut Call<'_, '_>, stored: list::Builder, len: usize) {
    let Some(target) = call.located.last() else { return };
    if len > 0 {
        let mut room = Vec::new();
        call.keys.put(target, list::TAG, stored.body(&mut room), Expiry::Never);
        say_whole(call.keys, target);
        call.notify(Event::List, "sortstore", target);
    } else if call.keys.remove(target) {
        call.keys.say(target, &[b"DEL", target.bytes]);
        call.notify(Event::Generic, "del", target);
    }
    call.out.integer(len as i64);
}
