//! Keys that hold much, found in bounded steps: MEMORY BIGKEYS, an addition to Redis's commands, and
//! the same for programs.

use super::call::Call;
use super::environment::Environment;
use super::table::{Command, Group, category, flag};
use crate::error::Error;
use crate::keyspace::{Access, Cursor};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::slot::parse_slot;
use crate::value::{Record, Type, element_count, object_footprint};

pub(super) const BIGKEYS: Command = Command {
    name: "bigkeys",
    summary: "Finds keys that hold many elements or take much memory, some keys at a time.",
    since: "7.2.0",
    complexity: "O(1) for every call, O(N) for a complete iteration.",
    group: Group::Server,
    flags: flag::READONLY,
    categories: Some(category::KEYSPACE | category::DANGEROUS),
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    grammar: "cursor:integer [COUNT count:integer] [SLOT slot:integer] [ELEMENTS min:integer] \
              [BYTES min:integer]",
    handler: big_keys,
    ..Command::DEFAULT
};

/// A search for keys that hold much: in database 0 and all slots, for keys with as many elements as
/// the setting `big-key-elements` says or as many bytes as `big-key-bytes`, unless it is told
/// otherwise. Each call of [`crate::Engine::big_keys`] goes on with it.
#[derive(Clone, Debug, Default)]
pub struct BigKeySearch {
    pub(crate) database: usize,
    pub(crate) slot: Option<u16>,
    elements_min: Option<u64>,
    bytes_min: Option<u64>,
    cursor: Cursor,
    is_done: bool,
}

impl BigKeySearch {
    /// The same in another database.
    pub fn in_database(self, database: usize) -> Self {
        Self { database, ..self }
    }

    /// The same in one slot alone.
    pub fn in_slot(self, slot: u16) -> Self {
        Self { slot: Some(slot), ..self }
    }

    /// The same for keys of so many elements, members, fields or entries.
    pub fn of_elements(self, elements_min: u64) -> Self {
        Self { elements_min: Some(elements_min), ..self }
    }

    /// The same for keys that take so many bytes.
    pub fn of_bytes(self, bytes_min: u64) -> Self {
        Self { bytes_min: Some(bytes_min), ..self }
    }

    /// Whether every key was looked at that was there all the time.
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// Ends a search where there is nothing to find.
    pub(crate) fn end(&mut self) -> Vec<BigKey> {
        self.is_done = true;
        Vec::new()
    }

    /// Looks at `budget` keys or a few more.
    pub(crate) fn step(
        &mut self,
        env: &Environment,
        keys: &mut Access<'_>,
        budget: usize,
    ) -> Vec<BigKey> {
        if self.is_done {
            return Vec::new();
        }
        let (of_elements, of_bytes) = env.config.big_key();
        let elements_min = self.elements_min.unwrap_or(of_elements);
        let bytes_min = self.bytes_min.unwrap_or(of_bytes);
        let scheme = keys.keyspace().scheme();
        let mut found = Vec::new();
        let look = |record: &Record| {
            let elements = element_count(record) as u64;
            let bytes = (record.footprint() + object_footprint(record)) as u64;
            if elements >= elements_min || bytes >= bytes_min {
                let (key, type_name) = (record.key().to_vec(), Type::of(record).name());
                let slot = scheme.slot(&key);
                found.push(BigKey { key, slot, type_name, elements, bytes });
            }
        };
        self.cursor = match self.slot {
            Some(slot) => keys.walk_within(self.database, slot, self.cursor, budget, look),
            None => keys.walk(self.database, self.cursor, budget, look),
        };
        self.is_done = self.cursor.is_start();
        found
    }
}

/// A key that holds much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigKey {
    /// Its name.
    pub key: Vec<u8>,
    /// Its slot.
    pub slot: u16,
    /// The name of its type, as TYPE answers it.
    pub type_name: &'static str,
    /// Its elements, fields, members or entries; one for a string.
    pub elements: u64,
    /// What key and value take, as MEMORY USAGE answers it.
    pub bytes: u64,
}

const INVALID_SLOT: Error = Error::err("Invalid or out of range slot");

/// Keys that a call looks at by default.
const COUNT: usize = 1000;
/// Keys that it looks at most, lest others wait.
const COUNT_MAX: usize = 100_000;

/// `MEMORY BIGKEYS cursor [COUNT count] [SLOT slot] [ELEMENTS min] [BYTES min]`
fn big_keys(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let number = |word: &[u8]| {
        let number = parse_i64(word).and_then(|number| u64::try_from(number).ok());
        number.ok_or(Error::NOT_INTEGER)
    };
    let cursor = number(call.words[2]).map_err(|_| Error::err("invalid cursor"))?;
    let mut search = BigKeySearch {
        database: call.client.db,
        cursor: Cursor::from_number(cursor),
        ..BigKeySearch::default()
    };
    let mut count = COUNT;
    let mut options = &call.words[3..];
    while let [name, value, rest @ ..] = options {
        match name.to_ascii_lowercase().as_slice() {
            b"count" => count = (number(value)?.max(1) as usize).min(COUNT_MAX),
            b"slot" => {
                let slot = parse_slot(value, call.keys.keyspace().scheme());
                search.slot = Some(slot.map_err(|_| INVALID_SLOT)?);
            }
            b"elements" => search.elements_min = Some(number(value)?),
            b"bytes" => search.bytes_min = Some(number(value)?),
            _ => return Err(Error::SYNTAX),
        }
        options = rest;
    }
    if !options.is_empty() {
        return Err(Error::SYNTAX);
    }
    let found = search.step(call.env, call.keys, count);
    call.out.array(2);
    call.out.bulk(search.cursor.number().to_string().as_bytes());
    call.out.array(found.len());
    found.iter().for_each(|key| write(call.out, key));
    Ok(())
}

fn write(out: &mut dyn ReplySink, key: &BigKey) {
    out.array(5);
    out.bulk(&key.key);
    out.bulk(key.type_name.as_bytes());
    [key.elements, key.bytes, key.slot.into()].iter().for_each(|&n| out.integer(n as i64));
}
