//! SLOTSRESTORE-ASYNC and its family: keys that another node sends in pieces. Every request is
//! answered by a request, SLOTSRESTORE-ASYNC-ACK with a number and a text; after one that failed
//! the session is closed.
//!
//! Each piece is carried out as the command that does the same: `list` as RPUSH, `expire` as
//! PEXPIREAT, and so on.

use super::nested::carry_out;
use super::{ENTRY, check_scheme};
use crate::command::call::Call;
use crate::command::connection::parse_database_argument;
use crate::command::table::{self, Command, flag, key_use};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Event, Key};
use crate::resp::number::parse_i64;
use crate::resp::{Protocol, ReplyBuilder};
use crate::value::{Type, hash, list, set, zset};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "slotsrestore-async",
        summary: "Stores a piece of a key that another node sends.",
        complexity: "O(N) where N is the number of elements in the piece.",
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "subcommand key [arg...]",
        keys: &[key_use::RW | key_use::UPDATE],
        handler: restore,
        ..ENTRY
    },
    Command {
        name: "slotsrestore-async-auth",
        summary: "Authenticates a node that sends keys.",
        complexity: "O(1)",
        flags: flag::FAST | flag::NO_AUTH,
        grammar: "password",
        handler: auth,
        ..ENTRY
    },
    Command {
        name: "slotsrestore-async-select",
        summary: "Selects the database that a node sends keys to.",
        complexity: "O(1)",
        flags: flag::FAST,
        grammar: "index:integer",
        handler: select,
        ..ENTRY
    },
    Command {
        name: "slotsrestore-async-ack",
        summary: "Answers a piece of a key. Only the links of an engine hear it.",
        complexity: "O(1)",
        flags: flag::FAST,
        grammar: "errno:integer message",
        handler: ack,
        ..ENTRY
    },
];

/// The name of the requests that answer.
pub(super) const ACK: &[u8] = b"SLOTSRESTORE-ASYNC-ACK";

/// Answers, and closes the session after a failure.
fn answer(call: &mut Call<'_, '_>, outcome: Result<String, String>) {
    let (number, text): (&[u8], _) = match outcome {
        Ok(text) => (b"0", text),
        Err(text) => {
            call.client.closing = true;
            (b"-1", text)
        }
    };
    call.out.array(3);
    call.out.bulk(ACK);
    call.out.bulk(number);
    call.out.bulk(text.as_bytes());
}

fn ack(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.closing = true;
    Err(Error::err("invalid client, permission denied"))
}

fn auth(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let outcome = run(call, &[b"AUTH", call.words[1]], &[]);
    answer(call, outcome.map(|()| "OK".to_owned()));
    Ok(())
}

fn select(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let outcome = match parse_database_argument(call, call.words[1]) {
        Ok(db) => {
            call.client.db = db;
            Ok("OK".to_owned())
        }
        Err(_) => {
            let text = String::from_utf8_lossy(call.words[1]);
            Err(format!("invalid DB index ({text})"))
        }
    };
    answer(call, outcome);
    Ok(())
}

fn restore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_scheme(call)?;
    let outcome = match call.env.slot_sends.is_running(call.client.db) {
        true => Err("the specified DB is being migrated".to_owned()),
        false => piece(call),
    };
    answer(call, outcome);
    Ok(())
}

/// Carries out a command and tells its error as text.
fn run(call: &mut Call<'_, '_>, words: &[&[u8]], located: &[Key<'_>]) -> Result<(), String> {
    let text = |error: Error| String::from_utf8_lossy(error.text()).into_owned();
    let spec = table::lookup(words).map_err(text)?;
    let mut unheard = ReplyBuilder::new(Protocol::Resp2);
    let mut inner = Call {
        spec: call.spec,
        words: call.words,
        located: call.located,
        keys: &mut *call.keys,
        out: &mut unheard,
        client: &mut *call.client,
        env: call.env,
        time: call.time,
    };
    carry_out(&mut inner, spec, words, located).map_err(text)
}

/// Carries out one piece. Returns what the answer says.
fn piece(call: &mut Call<'_, '_>) -> Result<String, String> {
    let (name, key) = (call.words[1], call.key(0));
    let lossy = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let miscounted =
        format!("wrong number of arguments (argc={},cmd={})", call.words.len(), lossy(name));
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    let Some((ttl, rest)) = call.words[3..].split_first() else {
        if !is(b"delete") {
            return Err(miscounted);
        }
        let existed = call.keys.contains(&key);
        run(call, &[b"DEL", key.bytes], &[key])?;
        return Ok(if existed { "1" } else { "0" }.to_owned());
    };
    let ttl_ms = parse_i64(ttl).and_then(|ttl_ms| u64::try_from(ttl_ms).ok());
    let ttl_ms = ttl_ms.ok_or_else(|| format!("invalid TTL value (TTL={})", lossy(ttl)))?;
    let exists = call.keys.contains(&key);
    let absent = || format!("the specified key doesn't exist ({})", lossy(key.bytes));
    let present = || format!("the specified key already exists ({})", lossy(key.bytes));
    let told = match rest {
        _ if is(b"delete") => return Err(miscounted),
        [] if is(b"expire") && exists => "1".to_owned(),
        [] if is(b"expire") => return Err(absent()),
        [_] if (is(b"string") || is(b"object")) && exists => return Err(present()),
        [text] if is(b"string") => {
            run(call, &[b"SET", key.bytes, text], &[key])?;
            "1".to_owned()
        }
        [payload] if is(b"object") => {
            run(call, &[b"RESTORE", key.bytes, b"0", payload], &[key])?;
            "1".to_owned()
        }
        [hint, elements @ ..] if is(b"list") || is(b"hash") || is(b"dict") || is(b"zset") => {
            let is_hint = parse_i64(hint).is_some_and(|hint| hint >= 0);
            if !is_hint {
                return Err(format!("invalid Hint value (Hint={})", lossy(hint)));
            }
            if elements.is_empty() && !exists {
                return Err(absent());
            }
            if (is(b"hash") || is(b"zset")) && elements.len() % 2 != 0 {
                return Err(miscounted);
            }
            add(call, &key, name, elements)?;
            len(call, &key).to_string()
        }
        _ if [&b"expire"[..], b"string", b"object", b"list", b"hash", b"dict", b"zset"]
            .iter()
            .any(|known| is(known)) =>
        {
            return Err(miscounted);
        }
        _ => {
            let words = call.words.len();
            return Err(format!("unknown command (argc={words},cmd={})", lossy(name)));
        }
    };
    set_expiry(call, &key, ttl_ms);
    Ok(told)
}

/// Adds elements to a collection, which is made if there is none.
fn add(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    name: &[u8],
    elements: &[&[u8]],
) -> Result<(), String> {
    if elements.is_empty() {
        return Ok(());
    }
    let (command, scores): (&[u8], _) = match name.to_ascii_lowercase().as_slice() {
        b"list" => (b"RPUSH", None),
        b"hash" => (b"HSET", None),
        b"dict" => (b"SADD", None),
        _ => (b"ZADD", Some(scores(elements)?)),
    };
    let mut words: Vec<&[u8]> = vec![command, key.bytes];
    match &scores {
        None => words.extend(elements),
        Some(scores) => {
            let members = elements.chunks_exact(2).map(|pair| pair[0]);
            let pairs = members.zip(scores).flat_map(|(member, score)| [score.as_bytes(), member]);
            words.extend(pairs);
        }
    }
    run(call, &words, &[*key])
}

/// The scores behind members, which are the eight bytes of their bits, the lowest first, as texts.
fn scores(elements: &[&[u8]]) -> Result<Vec<String>, String> {
    let pairs = elements.chunks_exact(2).enumerate();
    let score = |(number, pair): (usize, &[&[u8]])| match <[u8; 8]>::try_from(pair[1]) {
        Ok(bits) => Ok(f64::from_bits(u64::from_le_bytes(bits)).to_string()),
        Err(_) => Err(format!("invalid zset score ([{number}]), bad raw bits")),
    };
    pairs.map(score).collect()
}

/// How many elements a collection has.
fn len(call: &mut Call<'_, '_>, key: &Key<'_>) -> usize {
    let now_ms = call.time.unix_ms();
    let Some(record) = call.keys.peek(key) else { return 0 };
    match Type::of(record) {
        Type::List => list::read(record).map_or(0, list::List::len),
        Type::Set => set::read(record).map_or(0, set::Set::len),
        Type::Zset => zset::Zset::of(record).map_or(0, zset::Zset::len),
        Type::Hash => hash::Hash::of(record, now_ms).map_or(0, hash::Hash::len),
        Type::String | Type::Stream => 1,
    }
}

fn set_expiry(call: &mut Call<'_, '_>, key: &Key<'_>, ttl_ms: u64) {
    let at_ms = (ttl_ms > 0).then(|| call.time.unix_ms().saturating_add(ttl_ms));
    call.keys.set_expire_ms(key, at_ms);
    match at_ms {
        Some(at_ms) => {
            let at = at_ms.to_string();
            call.keys.say(key, &[b"PEXPIREAT", key.bytes, at.as_bytes()]);
            call.notify(Event::Generic, "expire", key);
        }
        None => call.keys.say(key, &[b"PERSIST", key.bytes]),
    }
}

/// An error for a piece that the other side refused, or that was not answered.
pub(super) fn interrupted(why: &str) -> Error {
    Error::new(ErrorKind::Err, format!("interrupted: {why}"))
}
