//! XDELEX and XACKDEL: deleting entries with an eye on the groups that may still need them.

use super::integer;
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::value::stream::{self, References, Stream, StreamId};

/// What the option says of references, if the word is one that does.
pub(super) fn references(word: &[u8]) -> Option<References> {
    let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
    match () {
        () if is(b"keepref") => Some(References::Keep),
        () if is(b"delref") => Some(References::Delete),
        () if is(b"acked") => Some(References::Respect),
        () => None,
    }
}

/// What the words after the key, and the group, say.
#[derive(Debug, Default)]
struct Release {
    references: References,
    ids: Vec<StreamId>,
}

impl Release {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut release = Self::default();
        let mut rest = words;
        while let [word, after @ ..] = rest {
            rest = match after {
                [count, after @ ..] if word.eq_ignore_ascii_case(b"ids") => {
                    release.take_ids(count, after)?
                }
                after => {
                    release.references = references(word).ok_or(Error::SYNTAX)?;
                    after
                }
            };
        }
        if release.ids.is_empty() { Err(Error::SYNTAX) } else { Ok(release) }
    }

    fn take_ids<'w>(
        &mut self,
        count: &[u8],
        words: &'w [&'w [u8]],
    ) -> Result<&'w [&'w [u8]], Error> {
        let count = integer(count).ok().filter(|&count| count > 0);
        let count = count.ok_or(Error::err("Number of IDs must be a positive integer"))?;
        let (ids, rest) = words
            .split_at_checked(count as usize)
            .ok_or(Error::err("The `numids` parameter must match the number of arguments"))?;
        self.ids = super::ids(ids)?;
        Ok(rest)
    }

    /// Deletes an entry, or leaves it to those who need it. Says which.
    fn delete(&self, stream: &mut Stream, id: StreamId) -> Outcome {
        match self.references {
            References::Respect if stream.is_referenced(id) => return Outcome::Needed,
            References::Delete => stream.forget(id),
            References::Keep | References::Respect => {}
        }
        stream.delete(id);
        Outcome::Deleted
    }
}

/// What became of an id, by the number that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    NotFound = -1,
    Deleted = 1,
    Needed = 2,
}

/// Works on each id, if the key is there, and answers what became of them.
fn carry_out(
    call: &mut Call<'_, '_>,
    release: &Release,
    work: impl Fn(&mut Stream, StreamId) -> Outcome,
) -> Result<(), Error> {
    let key = call.key(0);
    let changed = call.keys.change(&key, |record| {
        let stream = stream::write(record)?;
        let len = stream.len();
        let outcomes: Vec<_> = release.ids.iter().map(|&id| work(stream, id)).collect();
        let found = outcomes.iter().filter(|&&outcome| outcome != Outcome::NotFound).count();
        Ok::<_, Error>((found as u64, (outcomes, stream.len() < len)))
    })?;
    let (outcomes, deleted) = match changed {
        Some(changed) => changed.result,
        None => (vec![Outcome::NotFound; release.ids.len()], false),
    };
    if deleted {
        call.notify(Event::Stream, "xdel", &key);
    }
    call.out.array(outcomes.len());
    outcomes.into_iter().for_each(|outcome| call.out.integer(outcome as i64));
    Ok(())
}

pub(super) fn xdelex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let release = Release::parse(&call.words[2..])?;
    carry_out(call, &release, |stream, id| {
        if stream.history().log().contains(id) {
            release.delete(stream, id)
        } else {
            Outcome::NotFound
        }
    })
}

pub(super) fn xackdel(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let release = Release::parse(&call.words[3..])?;
    let group = call.words[2];
    carry_out(call, &release, |stream, id| {
        let acknowledged = stream.change_group(group, |_, group| group.acknowledge(id));
        if acknowledged == Some(true) { release.delete(stream, id) } else { Outcome::NotFound }
    })
}
