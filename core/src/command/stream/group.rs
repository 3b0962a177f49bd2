//! XGROUP, and XACK.

use super::reply::id_text;
use super::{integer, no_group_for_key, subcommand_syntax};
use crate::command::call::Call;
use crate::error::{Error, ErrorKind};
use crate::keyspace::Event;
use crate::value::Record;
use crate::value::stream::{self, Group, Stream, StreamId, parse, parse_bound};

const KEY_NEEDED: Error = Error::err(
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
     MKSTREAM option to create an empty stream automatically.",
);
const BUSY_GROUP: Error =
    Error::fixed(ErrorKind::Foreign, "BUSYGROUP Consumer Group name already exists");

/// Where a group starts.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// `$`: after the last entry.
    Last,
    After(StreamId),
}

impl Start {
    fn parse(
        word: &[u8],
        parse: impl FnOnce(&[u8], u64) -> Result<StreamId, Error>,
    ) -> Result<Self, Error> {
        if word == b"$" { Ok(Self::Last) } else { parse(word, 0).map(Self::After) }
    }

    fn id(self, stream: &Stream) -> StreamId {
        match self {
            Self::Last => stream.history().last_id(),
            Self::After(id) => id,
        }
    }
}

/// What the words after the id say.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(call: &Call<'_, '_>, may_make: bool) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut rest = &call.words[5..];
        while let Some(word) = rest.first() {
            rest = match rest {
                [_, rest @ ..] if may_make && word.eq_ignore_ascii_case(b"mkstream") => {
                    options.make_stream = true;
                    rest
                }
                [_, number, rest @ ..] if word.eq_ignore_ascii_case(b"entriesread") => {
                    options.entries_read = entries_read(number)?;
                    rest
                }
                _ => return Err(subcommand_syntax(call)),
            };
        }
        Ok(options)
    }
}

fn entries_read(word: &[u8]) -> Result<Option<u64>, Error> {
    match integer(word)? {
        -1 => Ok(None),
        number => u64::try_from(number)
            .map(Some)
            .map_err(|_| Error::err("value for ENTRIESREAD must be positive or -1")),
    }
}

/// Lets `change` work on the stream under the command's key, which must exist.
fn change<R>(
    call: &mut Call<'_, '_>,
    change: impl FnOnce(&mut Stream) -> Result<(u64, R), Error>,
) -> Result<R, Error> {
    let work = |record: &mut Record| change(stream::write(record)?);
    let changed = call.keys.change(&call.located[0], work)?;
    Ok(changed.ok_or(KEY_NEEDED)?.result)
}

/// As [`change`], on the command's group, which must exist too.
fn change_group<R>(
    call: &mut Call<'_, '_>,
    work: impl FnOnce(&mut Group) -> (u64, R),
) -> Result<R, Error> {
    let (key, name) = (call.words[2], call.words[3]);
    change(call, |stream| {
        stream.change_group(name, |_, group| work(group)).ok_or_else(|| no_group_for_key(name, key))
    })
}

/// Says from which id the command's group starts, where its words may say `$`.
fn say_start(call: &mut Call<'_, '_>) {
    if call.keys.is_recording() && call.words[4] == b"$" {
        let key = call.key(0);
        let Some(Ok(stream)) = call.keys.peek(&key).map(stream::read) else { return };
        let id = stream.group(call.words[3]).map_or(StreamId::MIN, |group| group.last_id);
        let (id, mut words) = (id_text(id), call.words.to_vec());
        words[4] = &id;
        words[0] = b"XGROUP";
        call.keys.say(&key, &words);
    }
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = Options::parse(call, true)?;
    let (key, name) = (call.key(0), call.words[3]);
    let start = match call.words.len() {
        ..=8 => Start::parse(call.words[4], parse),
        _ => Err(subcommand_syntax(call)),
    };
    let create = |stream: &mut Stream, start: Start| {
        let group = Group::new(name, start.id(stream), options.entries_read);
        if stream.add_group(group) { Ok((1, ())) } else { Err(BUSY_GROUP) }
    };
    if options.make_stream && !call.keys.contains(&key) {
        let start = start?;
        call.keys.change_or_new(&key, stream::TAG, stream::new(), |record| {
            create(stream::write(record)?, start)
        })?;
    } else {
        change(call, |stream| create(stream, start?))?;
    }
    say_start(call);
    call.notify(Event::Stream, "xgroup-create", &key);
    call.out.ok();
    Ok(())
}

pub(super) fn setid(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = Options::parse(call, false)?;
    let (key, name) = (call.words[2], call.words[3]);
    let start = match call.words.len() {
        ..=7 => Start::parse(call.words[4], parse_bound),
        _ => Err(subcommand_syntax(call)),
    };
    change(call, |stream| {
        stream.group(name).ok_or_else(|| no_group_for_key(name, key))?;
        let last_id = start?.id(stream);
        stream.change_group(name, |_, group| {
            group.last_id = last_id;
            group.entries_read = options.entries_read;
        });
        Ok((1, ()))
    })?;
    say_start(call);
    call.notify(Event::Stream, "xgroup-setid", &call.key(0));
    call.out.ok();
    Ok(())
}

pub(super) fn destroy(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let name = call.words[3];
    let was_there = change(call, |stream| {
        let was_there = stream.delete_group(name);
        Ok((was_there.into(), was_there))
    })?;
    if was_there {
        call.notify(Event::Stream, "xgroup-destroy", &call.key(0));
    }
    call.out.integer(was_there.into());
    Ok(())
}

pub(super) fn createconsumer(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (consumer, now_ms) = (call.words[4], call.time.unix_ms() as i64);
    let is_new = change_group(call, |group| {
        let (_, is_new) = group.consumer_or_new(consumer, now_ms);
        (is_new.into(), is_new)
    })?;
    if is_new {
        call.notify(Event::Stream, "xgroup-createconsumer", &call.key(0));
    }
    call.out.integer(is_new.into());
    Ok(())
}

pub(super) fn delconsumer(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let consumer = call.words[4];
    let pending = change_group(call, |group| {
        let pending = group.delete_consumer(consumer);
        (pending.is_some().into(), pending)
    })?;
    if pending.is_some() {
        call.notify(Event::Stream, "xgroup-delconsumer", &call.key(0));
    }
    call.out.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn xack(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (name, words) = (call.words[2], &call.words[3..]);
    let changed = call.keys.change(&call.located[0], |record| {
        let stream = stream::write(record)?;
        if stream.group(name).is_none() {
            return Ok((0, 0));
        }
        let ids = super::ids(words)?;
        let acknowledged = stream.change_group(name, |_, group| {
            ids.into_iter().filter(|&id| group.acknowledge(id)).count()
        });
        let acknowledged = acknowledged.unwrap_or(0);
        Ok::<_, Error>((acknowledged as u64, acknowledged))
    })?;
    call.out.integer(changed.map_or(0, |changed| changed.result) as i64);
    Ok(())
}
