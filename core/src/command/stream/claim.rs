//! XCLAIM and XAUTOCLAIM: entries that were delivered to one consumer and shall be another's.

use super::no_such_group;
use super::reply::{id_text, write_entry, write_id};
use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::value::stream::{self, Claim, Group, History, Log, StreamId, parse, parse_start};

/// An integer, or the error that says so.
fn number(word: &[u8], error: &'static str) -> Result<i64, Error> {
    parse_i64(word).ok_or(Error::err(error))
}

/// What the words after XCLAIM's ids say.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    delivered_ms: Option<i64>,
    deliveries: Option<i64>,
    force: bool,
    just_id: bool,
    last_id: Option<StreamId>,
}

impl Options {
    fn parse<'w>(mut words: &'w [&'w [u8]], now_ms: i64) -> Result<Self, Error> {
        let mut options = Self::default();
        while let [word, rest @ ..] = words {
            words = options.take(word, rest, now_ms)?;
        }
        Ok(options)
    }

    /// Takes an option. Returns the words after it.
    fn take<'w>(
        &mut self,
        word: &[u8],
        rest: &'w [&'w [u8]],
        now_ms: i64,
    ) -> Result<&'w [&'w [u8]], Error> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        if is(b"force") {
            self.force = true;
            return Ok(rest);
        }
        if is(b"justid") {
            self.just_id = true;
            return Ok(rest);
        }
        match rest {
            [value, after @ ..] if is(b"idle") => {
                let idle_ms = number(value, "Invalid IDLE option argument for XCLAIM")?;
                self.delivered_ms = Some(now_ms.wrapping_sub(idle_ms));
                Ok(after)
            }
            [value, after @ ..] if is(b"time") => {
                let at_ms = number(value, "Invalid TIME option argument for XCLAIM")?;
                self.delivered_ms = Some(at_ms);
                Ok(after)
            }
            [value, after @ ..] if is(b"retrycount") => {
                let count = number(value, "Invalid RETRYCOUNT option argument for XCLAIM")?;
                self.deliveries = Some(count);
                Ok(after)
            }
            [value, after @ ..] if is(b"lastid") => {
                self.last_id = Some(parse(value, 0)?);
                Ok(after)
            }
            _ => Err(Error::repeating("Unrecognized XCLAIM option '", word, "'")),
        }
    }

    fn claim(&self, consumer: u32, idle_ms_min: i64, now_ms: i64) -> Claim {
        // A time that makes no sense is taken for now: clients may reckon with clocks of their own.
        let delivered_ms = self.delivered_ms.filter(|ms| (0..=now_ms).contains(ms));
        Claim {
            consumer,
            now_ms,
            idle_ms_min,
            delivered_ms: delivered_ms.unwrap_or(now_ms),
            deliveries: self.deliveries.and_then(|count| count.try_into().ok()),
            counts: !self.just_id,
            force: self.force,
        }
    }
}

/// What a claim did.
struct Claimed {
    /// What was claimed, in order.
    ids: Vec<StreamId>,
    /// What was pending and is no more.
    gone: Vec<StreamId>,
    /// Where a search goes on.
    next: StreamId,
    /// Whether the consumer is new.
    is_new: bool,
}

pub(super) fn xclaim(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (now_ms, words) = (call.time.unix_ms() as i64, call.words);
    let (mut just_id, mut moves_on) = (false, false);
    let claimed = change(call, |history, group| {
        let idle_ms_min = number(words[4], "Invalid min-idle-time argument for XCLAIM")?.max(0);
        let ids: Vec<_> = words[5..].iter().map_while(|word| parse(word, 0).ok()).collect();
        let options = Options::parse(&words[5 + ids.len()..], now_ms)?;
        just_id = options.just_id;
        moves_on = options.last_id.is_some_and(|id| id > group.last_id);
        group.last_id = options.last_id.map_or(group.last_id, |id| id.max(group.last_id));
        let (consumer, is_new) = group.asking_consumer(words[3], now_ms);
        let claim = options.claim(consumer, idle_ms_min, now_ms);
        Ok(claim_all(history, group, &ids, &claim, is_new))
    })?;
    say_claimed(call, &claimed, moves_on);
    notify_new(call, &claimed);
    write_claimed(call, &claimed.ids, just_id)
}

fn claim_all(
    history: &History,
    group: &mut Group,
    ids: &[StreamId],
    claim: &Claim,
    is_new: bool,
) -> Claimed {
    let (mut claimed, mut gone) = (Vec::new(), Vec::new());
    for &id in ids {
        if !history.log().contains(id) {
            if group.acknowledge(id) {
                gone.push(id);
            }
        } else if group.claim(id, claim) {
            claimed.push(id);
        }
    }
    Claimed { ids: claimed, gone, next: StreamId::MIN, is_new }
}

/// Lets `work` claim from the command's group, which must exist.
fn change(
    call: &mut Call<'_, '_>,
    work: impl FnOnce(&History, &mut Group) -> Result<Claimed, Error>,
) -> Result<Claimed, Error> {
    let (key, name) = (call.words[1], call.words[2]);
    let changed = call.keys.change(&call.located[0], |record| {
        let stream = stream::write(record)?;
        let claimed = stream.change_group(name, work);
        let claimed = claimed.ok_or_else(|| no_such_group(key, name, ""))??;
        let changes = claimed.ids.len() + claimed.gone.len() + usize::from(claimed.is_new);
        Ok::<_, Error>((changes as u64, claimed))
    })?;
    changed.map(|changed| changed.result).ok_or_else(|| no_such_group(key, name, ""))
}

/// Says what a claim did, and whether it moved the group on.
fn say_claimed(call: &mut Call<'_, '_>, claimed: &Claimed, moves_on: bool) {
    if !call.keys.is_recording() {
        return;
    }
    call.keys.say_no_more();
    let (key, group, consumer) = (call.key(0), call.words[2], call.words[3]);
    if claimed.is_new {
        say_consumer(call.keys, &key, group, consumer);
    }
    say_owner(call.keys, &key, group, consumer, &claimed.ids);
    if !claimed.gone.is_empty() {
        let gone: Vec<_> = claimed.gone.iter().map(|&id| id_text(id)).collect();
        let head = [&b"XACK"[..], key.bytes, group];
        let words: Vec<&[u8]> = head.into_iter().chain(gone.iter().map(Vec::as_slice)).collect();
        call.keys.say(&key, &words);
    }
    if moves_on {
        say_position(call.keys, &key, group);
    }
}

/// Says that a group has a consumer.
pub(super) fn say_consumer(keys: &mut Access<'_>, key: &Key<'_>, group: &[u8], consumer: &[u8]) {
    keys.say(key, &[b"XGROUP", b"CREATECONSUMER", key.bytes, group, consumer]);
}

/// Says that entries are a consumer's, since when, and how often they were delivered.
pub(super) fn say_owner(
    keys: &mut Access<'_>,
    key: &Key<'_>,
    group: &[u8],
    consumer: &[u8],
    ids: &[StreamId],
) {
    for &id in ids {
        let Some(Ok(stream)) = keys.peek(key).map(stream::read) else { return };
        let pending = stream.group(group).and_then(|group| group.pending(id));
        let Some(pending) = pending.filter(|_| stream.history().log().contains(id)) else {
            continue;
        };
        let (at, count) = (pending.delivered_ms.to_string(), pending.deliveries.to_string());
        let id = id_text(id);
        let words: [&[u8]; 12] = [
            b"XCLAIM",
            key.bytes,
            group,
            consumer,
            b"0",
            &id,
            b"TIME",
            at.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
        ];
        keys.say(key, &words);
    }
}

/// Says up to which entry a group was served.
pub(super) fn say_position(keys: &mut Access<'_>, key: &Key<'_>, name: &[u8]) {
    let Some(Ok(stream)) = keys.peek(key).map(stream::read) else { return };
    let Some(group) = stream.group(name) else { return };
    let id = id_text(group.last_id);
    let read = group.entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
    let words: [&[u8]; 7] =
        [b"XGROUP", b"SETID", key.bytes, name, &id, b"ENTRIESREAD", read.as_bytes()];
    keys.say(key, &words);
}

fn notify_new(call: &mut Call<'_, '_>, claimed: &Claimed) {
    if claimed.is_new {
        call.notify(Event::Stream, "xgroup-createconsumer", &call.key(0));
    }
}

fn write_claimed(call: &mut Call<'_, '_>, ids: &[StreamId], just_id: bool) -> Result<(), Error> {
    let record = call.keys.peek(&call.located[0]).ok_or(Error::NO_SUCH_KEY)?;
    let log = stream::read(record)?.history().log();
    write_all(log, ids, just_id, call.out);
    Ok(())
}

fn write_all(log: &Log, ids: &[StreamId], just_id: bool, out: &mut dyn ReplySink) {
    out.array(ids.len());
    for &id in ids {
        match log.get(id) {
            Some(entry) if !just_id => write_entry(&entry, out),
            _ => write_id(id, out),
        }
    }
}

/// What XAUTOCLAIM looks for.
#[derive(Clone, Copy, Debug)]
struct Search {
    idle_ms_min: i64,
    start: StreamId,
    count: usize,
    just_id: bool,
}

/// For each entry that is asked for, so many are looked at.
const LOOKS_EACH: usize = 10;
const COUNT_USUAL: usize = 100;
const COUNT_MAX: i64 = i64::MAX / size_of::<StreamId>() as i64;

impl Search {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let idle_ms_min = number(words[4], "Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
        let start = parse_start(words[5])?;
        let mut search = Self { idle_ms_min, start, count: COUNT_USUAL, just_id: false };
        let mut rest = &words[6..];
        while let [word, after @ ..] = rest {
            rest = match after {
                [count, after @ ..] if word.eq_ignore_ascii_case(b"count") => {
                    let count = parse_i64(count).filter(|count| (1..=COUNT_MAX).contains(count));
                    search.count = count.ok_or(Error::err("COUNT must be > 0"))? as usize;
                    after
                }
                after if word.eq_ignore_ascii_case(b"justid") => {
                    search.just_id = true;
                    after
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(search)
    }

    fn carry_out(&self, history: &History, group: &mut Group, claim: &Claim) -> Claimed {
        let mut claimed =
            Claimed { ids: Vec::new(), gone: Vec::new(), next: StreamId::MIN, is_new: false };
        let (mut looks, mut left) = (self.count.saturating_mul(LOOKS_EACH), self.count);
        let mut from = Some(self.start);
        let following = |group: &Group, from: Option<StreamId>| {
            from.and_then(|from| group.pending_from(from).next().map(|pending| pending.id))
        };
        while looks > 0 && left > 0 {
            let Some(id) = following(group, from) else { break };
            looks -= 1;
            from = id.next();
            if !history.log().contains(id) {
                group.acknowledge(id);
                claimed.gone.push(id);
                left -= 1;
            } else if group.claim(id, claim) {
                claimed.ids.push(id);
                left -= 1;
            }
        }
        claimed.next = following(group, from).unwrap_or(StreamId::MIN);
        claimed
    }
}

pub(super) fn xautoclaim(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let search = Search::parse(call.words)?;
    let (now_ms, name) = (call.time.unix_ms() as i64, call.words[3]);
    let claimed = change(call, |history, group| {
        let (consumer, is_new) = group.asking_consumer(name, now_ms);
        let options = Options { just_id: search.just_id, ..Options::default() };
        let claim = options.claim(consumer, search.idle_ms_min, now_ms);
        Ok(Claimed { is_new, ..search.carry_out(history, group, &claim) })
    })?;
    say_claimed(call, &claimed, false);
    notify_new(call, &claimed);
    call.out.array(3);
    write_id(claimed.next, call.out);
    write_claimed(call, &claimed.ids, search.just_id)?;
    call.out.array(claimed.gone.len());
    for &id in &claimed.gone {
        write_id(id, call.out);
    }
    Ok(())
}
