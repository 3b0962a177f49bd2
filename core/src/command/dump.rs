//! DUMP and RESTORE: values as bytes, out of one keyspace and into another.

use super::call::Call;
use super::table::{Command, Group, category, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Access, Event, Expiry, Key};
use crate::resp::number::parse_i64;
use crate::value::dump::{self, RDB_VERSION};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "dump",
        summary: "Returns a serialized representation of the value stored at a key.",
        since: "2.6.0",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the \
                     number of Redis objects composing the value and M their average size. For \
                     small string values the time complexity is thus O(1)+O(1*M) where M is \
                     small, so simply O(1).",
        group: Group::Generic,
        flags: flag::READONLY,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        tips: &["nondeterministic_output"],
        handler: dump,
        ..Command::DEFAULT
    },
    Command {
        name: "restore",
        summary: "Creates a key from the serialized representation of a value.",
        since: "2.6.0",
        complexity: RESTORE_COMPLEXITY,
        group: Group::Generic,
        flags: flag::WRITE | flag::DENYOOM,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        grammar: RESTORE_GRAMMAR,
        keys: &[key_use::OW | key_use::UPDATE],
        history: RESTORE_HISTORY,
        handler: restore,
        ..Command::DEFAULT
    },
    Command {
        name: "restore-asking",
        summary: "An internal command for migrating keys in a cluster.",
        since: "3.0.0",
        complexity: RESTORE_COMPLEXITY,
        group: Group::Server,
        flags: flag::WRITE | flag::DENYOOM | flag::ASKING,
        categories: Some(category::KEYSPACE | category::DANGEROUS),
        grammar: RESTORE_GRAMMAR,
        keys: &[key_use::OW | key_use::UPDATE],
        history: RESTORE_HISTORY,
        internal: true,
        handler: restore,
        ..Command::DEFAULT
    },
];

const RESTORE_COMPLEXITY: &str = "O(1) to create the new key and additional O(N*M) to \
                                   reconstruct the serialized value, where N is the number of \
                                   Redis objects composing the value and M their average size. \
                                   For small string values the time complexity is thus \
                                   O(1)+O(1*M) where M is small, so simply O(1). However for \
                                   sorted set values the complexity is O(N*M*log(N)) because \
                                   inserting values into sorted sets is O(log(N)).";
const RESTORE_HISTORY: &[(&str, &str)] = &[
    ("3.0.0", "Added the `REPLACE` modifier."),
    ("5.0.0", "Added the `ABSTTL` modifier."),
    ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
];
const RESTORE_GRAMMAR: &str = "key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] \
                               [IDLETIME seconds:integer@5.0.0] [FREQ frequency:integer@5.0.0]";

fn dump(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.keys.read(&call.located[0]) {
        None => call.out.null(),
        Some(record) => {
            let mut payload = Vec::new();
            dump::dump(record, RDB_VERSION, &mut payload);
            call.out.bulk(&payload);
        }
    }
    Ok(())
}

/// What the words after RESTORE's payload say.
#[derive(Debug, Default)]
struct RestoreOptions {
    replace: bool,
    /// Whether the time to live is a time since the Unix epoch.
    absolute: bool,
    idle_s: Option<u64>,
    /// Counts only where eviction goes by frequency.
    frequency: Option<u8>,
}

impl RestoreOptions {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            if is(b"replace") {
                options.replace = true;
            } else if is(b"absttl") {
                options.absolute = true;
            } else if is(b"idletime") && options.frequency.is_none() {
                let idle_s = number(words.next())?.try_into();
                let error = Error::err("Invalid IDLETIME value, must be >= 0");
                options.idle_s = Some(idle_s.map_err(|_| error)?);
            } else if is(b"freq") && options.idle_s.is_none() {
                let frequency = number(words.next())?.try_into();
                let error = Error::err("Invalid FREQ value, must be >= 0 and <= 255");
                options.frequency = Some(frequency.map_err(|_| error)?);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn number(word: Option<&&[u8]>) -> Result<i64, Error> {
    parse_i64(word.ok_or(Error::SYNTAX)?).ok_or(Error::NOT_INTEGER)
}

/// When a restored key expires. A sum that overflows lies in the past, as in Redis.
fn expiry(ttl_ms: i64, absolute: bool, now_ms: u64) -> Expiry {
    match ttl_ms {
        0 => Expiry::Never,
        _ if absolute => Expiry::At(ttl_ms as u64),
        _ => Expiry::At(ttl_ms.checked_add(now_ms as i64).map_or(0, |at| at as u64)),
    }
}

/// Says that a key holds what it holds now, whatever it held before.
pub(super) fn say_whole(keys: &mut Access<'_>, key: &Key<'_>) {
    if !keys.is_recording() {
        return;
    }
    let Some(record) = keys.peek(key) else { return };
    let at = record.expire_ms().unwrap_or(0).to_string();
    let mut payload = Vec::new();
    dump::dump(record, RDB_VERSION, &mut payload);
    keys.say(key, &[b"RESTORE", key.bytes, at.as_bytes(), &payload, b"REPLACE", b"ABSTTL"]);
}

/// Says what was restored, with an absolute time.
fn say_restored(call: &mut Call<'_, '_>, expiry: Expiry, options: &RestoreOptions) {
    if !call.keys.is_recording() {
        return;
    }
    let key = call.key(0);
    let at = match expiry {
        Expiry::At(ms) => ms.to_string(),
        Expiry::Never | Expiry::Keep => "0".to_owned(),
    };
    let idle = options.idle_s.map(|idle_s| idle_s.to_string());
    let mut words: Vec<&[u8]> =
        vec![b"RESTORE", key.bytes, at.as_bytes(), call.words[3], b"REPLACE", b"ABSTTL"];
    words.extend(idle.iter().flat_map(|idle| [&b"IDLETIME"[..], idle.as_bytes()]));
    call.keys.say(&key, &words);
}

fn restore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = RestoreOptions::parse(&call.words[4..])?;
    let key = call.key(0);
    // A key that a migration sends again is not used by that.
    let is_sent_again = call.spec.flags & flag::ASKING != 0 && call.keys.contains(&key);
    if !options.replace && (is_sent_again || call.keys.touch(&key)) {
        return Err(Error::BUSY_KEY);
    }
    let ttl_ms = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    if ttl_ms < 0 {
        return Err(Error::err("Invalid TTL value, must be >= 0"));
    }
    let mut value = dump::restore(call.words[3], &call.env.limits())?;
    let now_ms = call.time.unix_ms();
    let expiry = expiry(ttl_ms, options.absolute, now_ms);
    if matches!(expiry, Expiry::At(ms) if ms <= now_ms) {
        if call.keys.remove(&key) {
            call.keys.say(&key, &[b"DEL", key.bytes]);
            call.notify(Event::Generic, "del", &key);
        }
    } else {
        call.keys.make_way(&key);
        let (tag, body) = value.take();
        call.keys.put(&key, tag, body, expiry);
        let usage = call.keys.keyspace().usage();
        let used_often = options.frequency.and_then(|counter| usage.used_often(counter, now_ms));
        let idle = options.idle_s.and_then(|idle_s| usage.idle_for(idle_s, now_ms));
        if let Some(stamp) = used_often.or(idle) {
            call.keys.set_stamp(&key, stamp);
        }
        say_restored(call, expiry, &options);
        call.notify(Event::Generic, "restore", &key);
    }
    call.out.ok();
    Ok(())
}
