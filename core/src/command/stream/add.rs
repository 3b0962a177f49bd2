//! XADD and XTRIM, which take the same options, and XDEL and XSETID.

use super::integer;
use super::release::references;
use super::reply::{id_text, write_id};
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::Event;
use crate::value::Record;
use crate::value::stream::{
    self, Keep, NewId, NewMarks, NodeLimits, References, Stream, StreamId, Trim, parse, parse_new,
};

/// Without a limit of the caller's, nodes of about so many entries go in one call.
const NODES_TRIMMED_MAX: u64 = 100;
const ENTRIES_TRIMMED_MAX: u64 = 1_000_000;
/// Where nodes have no limit of entries.
const ENTRIES_TRIMMED_USUAL: u64 = 10_000;

/// What stands before the id of XADD, and after the key of XTRIM.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    keep: Option<Keep>,
    nodes_only: bool,
    limit: Option<i64>,
    references: References,
    /// Whether XADD leaves alone what does not exist.
    no_make: bool,
}

impl Options {
    /// Takes the option at a word, if it is one of trimming. Returns how many words it was.
    fn take_trim(&mut self, words: &[&[u8]]) -> Result<Option<usize>, Error> {
        let is = |token: &[u8]| words.len() > 1 && words[0].eq_ignore_ascii_case(token);
        if is(b"limit") {
            let limit = integer(words[1])?;
            if limit < 0 {
                return Err(Error::err("The LIMIT argument must be >= 0."));
            }
            self.limit = Some(limit);
            return Ok(Some(2));
        }
        if let Some(references) = references(words[0]) {
            self.references = references;
            return Ok(Some(1));
        }
        let by_len = is(b"maxlen");
        if !by_len && !is(b"minid") {
            return Ok(None);
        }
        if self.keep.is_some() {
            return Err(Error::err(
                "syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let (sign, at) = match words[1] {
            sign @ (b"~" | b"=") if words.len() > 2 => (sign, 2),
            _ => (&b"="[..], 1),
        };
        self.nodes_only = sign == b"~";
        self.keep = Some(if by_len {
            let len = u64::try_from(integer(words[at])?);
            Keep::Last(len.map_err(|_| Error::err("The MAXLEN argument must be >= 0."))?)
        } else {
            Keep::From(parse(words[at], 0)?)
        });
        Ok(Some(at + 1))
    }

    /// How to trim, if that was asked for, as it has to be where `is_needed`.
    fn trim(&self, limits: NodeLimits, is_needed: bool) -> Result<Option<Trimming>, Error> {
        if self.limit.is_some_and(|limit| limit != 0) && self.keep.is_none() {
            return Err(Error::err(
                "syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if is_needed && self.keep.is_none() {
            return Err(Error::err("syntax error, XTRIM must be called with a trimming strategy"));
        }
        let limit = match self.limit {
            Some(_) if !self.nodes_only => {
                return Err(Error::err(
                    "syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            Some(limit) => limit as u64,
            None if self.nodes_only => match limits.entries as u64 {
                0 => ENTRIES_TRIMMED_USUAL,
                entries => entries.saturating_mul(NODES_TRIMMED_MAX).min(ENTRIES_TRIMMED_MAX),
            },
            None => 0,
        };
        Ok(self.keep.map(|keep| Trimming {
            trim: Trim { keep, nodes_only: self.nodes_only, limit },
            references: self.references,
        }))
    }
}

/// What goes from the front of a stream, and what becomes of the groups that know it.
#[derive(Clone, Copy, Debug)]
struct Trimming {
    trim: Trim,
    references: References,
}

impl Trimming {
    /// Returns how many entries went.
    fn carry_out(self, stream: &mut Stream) -> usize {
        stream.trim(self.trim, self.references)
    }
}

fn node_limits(call: &Call<'_, '_>) -> NodeLimits {
    let (bytes, entries) = call.env.config.stream_node();
    NodeLimits { bytes, entries }
}

/// What the words of XADD say.
#[derive(Debug)]
struct Addition<'a> {
    id: NewId,
    /// Fields, each followed by its value.
    pairs: &'a [&'a [u8]],
    trim: Option<Trimming>,
    no_make: bool,
    limits: NodeLimits,
}

impl<'a> Addition<'a> {
    fn parse(call: &Call<'a, '_>) -> Result<Self, Error> {
        let words = call.words;
        let mut options = Options::default();
        let mut at = 2;
        let mut id = NewId::Auto;
        while let Some(word) = words.get(at) {
            if **word == *b"*" {
                break;
            } else if let Some(taken) = options.take_trim(&words[at..])? {
                at += taken;
            } else if word.eq_ignore_ascii_case(b"nomkstream") {
                options.no_make = true;
                at += 1;
            } else {
                id = parse_new(word)?;
                break;
            }
        }
        let limits = node_limits(call);
        let trim = options.trim(limits, false)?;
        let pairs = words.get(at + 1..).unwrap_or_default();
        if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
            return Err(Error::arity(call.spec.command.name));
        }
        if id == NewId::Exact(StreamId::MIN) {
            return Err(Error::err("The ID specified in XADD must be greater than 0-0"));
        }
        Ok(Self { id, pairs, trim, no_make: options.no_make, limits })
    }

    /// Returns the id, and how others went if any did.
    fn carry_out(
        &self,
        record: &mut Record,
        now_ms: u64,
    ) -> Result<(u64, (StreamId, Option<Trimming>)), Error> {
        let stream = stream::write(record)?;
        let id = stream.add(self.id, self.pairs, self.limits, now_ms)?;
        let trimmed = self.trim.filter(|trim| trim.carry_out(stream) > 0);
        Ok((1, (id, trimmed)))
    }
}

/// Says that an entry was added under an id, and how the stream was trimmed then.
fn say_added(call: &mut Call<'_, '_>, id: StreamId, pairs: &[&[u8]], trimmed: Option<Trimming>) {
    if call.keys.is_recording() {
        let key = call.key(0);
        let id = id_text(id);
        let words = [&[&b"XADD"[..], key.bytes, &id], pairs].concat();
        call.keys.say(&key, &words);
        if let Some(trim) = trimmed {
            say_trimmed(call, trim);
        }
    }
}

/// Says that entries went from the front: how many are left, or, where groups have a say, what was
/// asked for.
fn say_trimmed(call: &mut Call<'_, '_>, Trimming { trim, references }: Trimming) {
    if !call.keys.is_recording() {
        return;
    }
    let key = call.key(0);
    let Some(Ok(stream)) = call.keys.peek(&key).map(stream::read) else { return };
    let (left, limit) = (stream.len().to_string(), trim.limit.to_string());
    let (strategy, threshold) = match trim.keep {
        Keep::Last(len) => (&b"MAXLEN"[..], len.to_string().into_bytes()),
        Keep::From(id) => (&b"MINID"[..], id_text(id).to_vec()),
    };
    let words: &[&[u8]] = match references {
        References::Keep => &[b"MAXLEN", b"=", left.as_bytes()],
        References::Delete => &[b"MAXLEN", b"=", left.as_bytes(), b"DELREF"],
        // Only with ~ there may be a limit, and entries are looked at one by one even so.
        References::Respect => &[strategy, b"~", &threshold, b"LIMIT", limit.as_bytes(), b"ACKED"],
    };
    call.keys.say(&key, &[&[&b"XTRIM"[..], key.bytes], words].concat());
}

pub(super) fn xadd(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let addition = Addition::parse(call)?;
    let now_ms = call.time.unix_ms();
    let key = call.key(0);
    let add = |record: &mut Record| addition.carry_out(record, now_ms);
    let changed = match call.keys.change(&key, add)? {
        Some(changed) => changed,
        None if addition.no_make => {
            call.out.null();
            return Ok(());
        }
        None => call.keys.change_or_new(&key, stream::TAG, stream::new(), add)?,
    };
    let (id, trimmed) = changed.result;
    say_added(call, id, addition.pairs, trimmed);
    write_id(id, call.out);
    call.notify(Event::Stream, "xadd", &key);
    if trimmed.is_some() {
        call.notify(Event::Stream, "xtrim", &key);
    }
    Ok(())
}

pub(super) fn xtrim(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mut options = Options::default();
    let mut rest = &call.words[2..];
    while !rest.is_empty() {
        rest = &rest[options.take_trim(rest)?.ok_or(Error::SYNTAX)?..];
    }
    let trim = options.trim(node_limits(call), true)?;
    let key = call.key(0);
    let changed = call.keys.change(&key, |record| {
        let stream = stream::write(record)?;
        let deleted = trim.map_or(0, |trim| trim.carry_out(stream));
        Ok::<_, Error>((deleted as u64, deleted))
    })?;
    let deleted = changed.map_or(0, |changed| changed.result);
    if deleted > 0
        && let Some(trim) = trim
    {
        say_trimmed(call, trim);
        call.notify(Event::Stream, "xtrim", &key);
    }
    call.out.integer(deleted as i64);
    Ok(())
}

pub(super) fn xdel(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let words = &call.words[2..];
    let changed = call.keys.change(&key, |record| {
        let stream = stream::write(record)?;
        let ids = super::ids(words)?;
        let deleted = ids.into_iter().filter(|&id| stream.delete(id)).count();
        Ok::<_, Error>((deleted as u64, deleted))
    })?;
    let deleted = changed.map_or(0, |changed| changed.result);
    if deleted > 0 {
        call.notify(Event::Stream, "xdel", &key);
    }
    call.out.integer(deleted as i64);
    Ok(())
}

impl NewMarks {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let last_id = parse(words[0], 0)?;
        let mut marks = Self { last_id, entries_added: None, max_deleted_id: None };
        let mut rest = &words[1..];
        while let [option, word, after @ ..] = rest {
            if option.eq_ignore_ascii_case(b"entriesadded") {
                let added = u64::try_from(integer(word)?);
                let added = added.map_err(|_| Error::err("entries_added must be positive"))?;
                marks.entries_added = Some(added);
            } else if option.eq_ignore_ascii_case(b"maxdeletedid") {
                let id = parse(word, 0)?;
                if last_id < id {
                    return Err(Error::err(
                        "The ID specified in XSETID is smaller than the provided \
                         max_deleted_entry_id",
                    ));
                }
                marks.max_deleted_id = Some(id).filter(|&id| id != StreamId::MIN);
            } else {
                return Err(Error::SYNTAX);
            }
            rest = after;
        }
        if rest.is_empty() { Ok(marks) } else { Err(Error::SYNTAX) }
    }
}

pub(super) fn xsetid(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let marks = NewMarks::parse(&call.words[2..])?;
    let key = call.key(0);
    let changed = call.keys.change(&key, |record| {
        stream::write(record)?.set_marks(marks)?;
        Ok::<_, Error>((1, ()))
    })?;
    changed.ok_or(Error::NO_SUCH_KEY)?;
    call.notify(Event::Stream, "xsetid", &key);
    call.out.ok();
    Ok(())
}
