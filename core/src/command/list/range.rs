//! Commands that look at lists: how long they are, what is at a place, and where an element is.

use super::push_pop::write;
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::structs::listpack::{Element, Scratch};
use crate::value::element;
use crate::value::list::{self, List};
use std::ops::Range;

pub(super) fn llen(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let len = call.keys.read(&key).map_or(Ok(0), |record| Ok(list::read(record)?.len()))?;
    call.out.integer(len as i64);
    Ok(())
}

/// The first and the last place of a range, of which those below zero count from the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    first: i64,
    last: i64,
}

impl Places {
    /// Reads the two words.
    pub(super) fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let [first, last] = words else { return Err(Error::SYNTAX) };
        let place = |word: &[u8]| parse_i64(word).ok_or(Error::NOT_INTEGER);
        Ok(Self { first: place(first)?, last: place(last)? })
    }

    /// The numbers of the elements that are within, in a list of this length.
    pub(super) fn within(self, len: usize) -> Range<usize> {
        let len = len as i64;
        let from_end = |place: i64| if place < 0 { len + place } else { place };
        let first = from_end(self.first).max(0);
        let end = from_end(self.last).min(len - 1) + 1;
        if first < end { first as usize..end as usize } else { 0..0 }
    }
}

pub(super) fn lrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let places = Places::parse(&call.words[2..])?;
    let key = call.key(0);
    let Some(record) = call.keys.read(&key) else {
        call.out.array(0);
        return Ok(());
    };
    let list = list::read(record)?;
    let range = places.within(list.len());
    call.out.array(range.len());
    write(call.out, list, range.start, range.len(), false);
    Ok(())
}

/// The number of the element at a place that may count from the end.
pub(super) fn number_of(place: i64, len: usize) -> Option<usize> {
    let number = if place < 0 { place + len as i64 } else { place };
    usize::try_from(number).ok().filter(|&number| number < len)
}

pub(super) fn lindex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, word) = (call.key(0), call.words[2]);
    let Some(record) = call.keys.read(&key) else {
        call.out.null();
        return Ok(());
    };
    let list = list::read(record)?;
    let place = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    let number = number_of(place, list.len());
    let mut answer = |element: Element<'_>| call.out.bulk(element.text(&mut Scratch::new()));
    if number.and_then(|number| list.with(number, &mut answer)).is_none() {
        call.out.null();
    }
    Ok(())
}

/// What LPOS's options say.
#[derive(Debug)]
struct PositionOptions {
    /// The number of the match to begin with; below zero from the tail.
    rank: i64,
    /// How many matches at most; zero for all. None for one that is not in an array.
    count: Option<u64>,
    /// How many elements are looked at; zero for all.
    len_max: u64,
}

impl PositionOptions {
    const RANK_ZERO: Error = Error::err(
        "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
         negative to start from the end of the list",
    );

    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut options = Self { rank: 1, count: None, len_max: 0 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = *words.next().ok_or(Error::SYNTAX)?;
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            if is(b"rank") {
                options.rank = super::symmetric(value)?;
                if options.rank == 0 {
                    return Err(Self::RANK_ZERO);
                }
            } else if is(b"count") {
                options.count = Some(not_negative(value, "COUNT can't be negative")?);
            } else if is(b"maxlen") {
                options.len_max = not_negative(value, "MAXLEN can't be negative")?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// The places of an element in a list.
    fn find(&self, list: List<'_>, text: &[u8]) -> Vec<i64> {
        let backwards = self.rank < 0;
        let len = list.len();
        let start = if backwards { len.saturating_sub(1) } else { 0 };
        let at_most = |limit: u64| if limit == 0 { usize::MAX } else { limit as usize };
        let wanted = element(text);
        let count = at_most(self.count.unwrap_or(1));
        let mut skipped = self.rank.unsigned_abs() - 1;
        let mut found = Vec::new();
        let mut elements = list.iter_from(start, backwards);
        for seen in 0..at_most(self.len_max).min(len) {
            match elements.next() {
                Some(element) if element != wanted => {}
                Some(_) if skipped > 0 => skipped -= 1,
                Some(_) => found.push(if backwards { len - seen - 1 } else { seen } as i64),
                None => break,
            }
            if found.len() == count {
                break;
            }
        }
        found
    }
}

fn not_negative(word: &[u8], error: &'static str) -> Result<u64, Error> {
    let number = parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number.ok_or(Error::err(error))
}

pub(super) fn lpos(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = PositionOptions::parse(&call.words[3..])?;
    let (key, text) = (call.key(0), call.words[2]);
    let found = match call.keys.read(&key) {
        Some(record) => options.find(list::read(record)?, text),
        None => Vec::new(),
    };
    match (options.count, found.first()) {
        (Some(_), _) => {
            call.out.array(found.len());
            found.iter().for_each(|&place| call.out.integer(place));
        }
        (None, Some(&place)) => call.out.integer(place),
        (None, None) => call.out.null(),
    }
    Ok(())
}
