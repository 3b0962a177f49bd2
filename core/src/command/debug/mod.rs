//! DEBUG: the subcommands that tests of clients use. What would stop or crash the program is not
//! here.

mod reload;

use crate::command::call::Call;
use crate::command::glob;
use crate::command::table::{Command, Group, flag};
use crate::command::wait::{InVain, Timeout, Wait};
use crate::config::{Allowed, parse_memory};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Cursor, Expiry, Usage};
use crate::resp::Protocol;
use crate::resp::number::{parse_f64, parse_i64, write_f64_17};
use crate::structs::entry::NewBody;
use crate::structs::listpack::Scratch;
use crate::value::hash::Hash;
use crate::value::stream::StreamId;
use crate::value::zset::Zset;
use crate::value::{self, ListLimits, Record, Type, dump, list, set, stream, string};
use sha1_smol::Sha1;
use std::sync::atomic::Ordering::Relaxed;

/// One command to the table, as in Redis: its subcommands are its own affair.
pub(in crate::command) const DEBUG: Command = Command {
    name: "debug",
    summary: "A container for debugging commands.",
    complexity: "Depends on subcommand.",
    group: Group::Server,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    arity: Some(-2),
    internal: true,
    handler: debug,
    ..Command::DEFAULT
};

const NOT_ALLOWED: Error = Error::err(
    "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can \
     run it from a local connection, otherwise you need to set this option in the configuration \
     file, and then restart the server.",
);
const NOT_POSITIVE: Error = Error::err("value is out of range, must be positive");

const HELP: &[&str] = &[
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas. Cluster slots are not respected so keys not belonging to the",
    "    current node can be created in cluster mode.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Sets the threshold for elements to be inserted as plain vs packed nodes",
    "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
    "RELOAD [option ...]",
    "    Serialize every value and read it back in place, as saving and loading would.",
    "    Options: MERGE and NOFLUSH change nothing; NOSAVE is refused, since there is no",
    "    file to load.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Match a string against a glob-style pattern.",
];

fn debug(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let allowed = match call.env.config.debug_allowed() {
        Allowed::No => false,
        Allowed::Yes => true,
        Allowed::Local => call.client.is_local(),
    };
    if !allowed {
        return Err(NOT_ALLOWED);
    }
    let arguments = &call.words[2..];
    match (call.words[1].to_ascii_lowercase().as_slice(), arguments) {
        (b"help", []) => crate::command::table::write_help(call.out, "debug", HELP),
        (b"change-repl-id", []) => {
            call.env.change_replication_id();
            call.out.ok();
        }
        (b"digest", []) => digest(call),
        (b"digest-value", keys) => digest_value(call, keys),
        (b"error", [text]) => return Err(Error::new(ErrorKind::Foreign, *text)),
        (b"object", [key]) => return object(call, key),
        (b"populate", [count, rest @ ..]) if rest.len() <= 2 => populate(call, count, rest)?,
        (b"protocol", [name]) => return protocol(call, name),
        (b"set-active-expire", [word]) => {
            call.env.active_expire.store(leading_integer(word) != 0, Relaxed);
            call.out.ok();
        }
        (b"quicklist-packed-threshold", [size]) => set_packed_threshold(call, size)?,
        (b"reload", options) => reload::reload(call, options)?,
        (b"sleep", [seconds]) => sleep(call, seconds),
        (b"stringmatch-len", [pattern, text]) => {
            call.out.integer(i64::from(glob::matches(pattern, text)));
        }
        _ => return Err(unknown_subcommand(call.words[1])),
    }
    Ok(())
}

/// The longest part of a request that an error repeats.
const ECHO_BYTES_MAX: usize = 128;

fn unknown_subcommand(name: &[u8]) -> Error {
    let start = "unknown subcommand or wrong number of arguments for '";
    Error::repeating(start, &name[..name.len().min(ECHO_BYTES_MAX)], "'. Try DEBUG HELP.")
}

/// The integer that a text starts with, as C's `atoi` reads it; zero if there is none.
fn leading_integer(text: &[u8]) -> i64 {
    let digits = text.iter().skip(usize::from(text.starts_with(b"-")));
    let len = text.len().min(
        digits.take_while(|byte| byte.is_ascii_digit()).count()
            + usize::from(text.starts_with(b"-")),
    );
    parse_i64(&text[..len]).unwrap_or(0)
}

/// Lets `work` see the record of a key, which is locked for it.
fn with_record<R>(
    call: &mut Call<'_, '_>,
    key: &[u8],
    work: impl FnOnce(Option<&Record>) -> R,
) -> R {
    let mut key = call.keys.keyspace().locate(call.client.db, key);
    call.keys.with_key(&mut key, |keys, key| work(keys.peek(key)))
}

fn object(call: &mut Call<'_, '_>, key: &[u8]) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    let line = with_record(call, key, |record| {
        let record = record.ok_or(Error::NO_SUCH_KEY)?;
        Ok::<_, Error>(format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
            std::ptr::from_ref(record),
            value::encoding(record),
            dump::serialized_len(record),
            record.stamp() >> 8,
            Usage::idle_s(record.stamp(), now_ms),
            nodes_of(record),
        ))
    })?;
    call.out.status(&line);
    Ok(())
}

/// What is said of a quicklist in addition.
fn nodes_of(record: &Record) -> String {
    let Ok(list) = list::read(record) else { return String::new() };
    let Some(nodes) = list::nodes(list) else { return String::new() };
    format!(
        " ql_nodes:{} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} ql_uncompressed_size:{}",
        nodes.count,
        list.len() as f64 / nodes.count as f64,
        nodes.setting,
        u8::from(nodes.is_compressed),
        nodes.bytes,
    )
}

/// A digest that mixes parts in an order, or sums them up in none. The way of DEBUG DIGEST in
/// Redis: <https://github.com/redis/redis/blob/7.2/src/debug.c>.
#[derive(Clone, Copy, Default)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds a part whose place does not matter.
    fn add(&mut self, part: &[u8]) {
        let hash = Sha1::from(part).digest().bytes();
        self.0.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds a part whose place matters.
    fn mix(&mut self, part: &[u8]) {
        self.add(part);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    /// Mixes in type, value and whether it expires.
    fn mix_record(&mut self, record: &Record) {
        self.mix(&(Type::of(record) as u32).to_be_bytes());
        match Type::of(record) {
            Type::String => self.mix_string(record),
            Type::Set => self.add_members(record),
            Type::List => self.mix_elements(record),
            Type::Zset => self.add_scored_members(record),
            Type::Hash => self.add_fields(record),
            Type::Stream => self.mix_entries(record),
        }
        if record.expire_ms().is_some() {
            self.add(b"!!expire!!");
        }
    }

    fn mix_string(&mut self, record: &Record) {
        self.mix(&string::read(record).expect("the type was looked at"));
    }

    fn add_members(&mut self, record: &Record) {
        let mut scratch = Scratch::new();
        for member in set::known(record).iter() {
            self.add(member.text(&mut scratch));
        }
    }

    fn mix_elements(&mut self, record: &Record) {
        let list = list::read(record).expect("the type was looked at");
        list.iter().each(list.len(), |element| self.mix(element.text(&mut Scratch::new())));
    }

    fn add_fields(&mut self, record: &Record) {
        // At the beginning of time nothing is expired.
        Hash::of(record, 0).expect("the type was looked at").each_row(|field, value, expire_ms| {
            let mut one = Self::default();
            one.mix(field.text(&mut Scratch::new()));
            one.mix(value.text(&mut Scratch::new()));
            if expire_ms.is_some() {
                one.add(b"!!hexpire!!");
            }
            self.add(&one.0);
        });
    }

    fn mix_entries(&mut self, record: &Record) {
        let stream = stream::read(record).expect("the type was looked at");
        for entry in stream.history().log().range(StreamId::MIN, StreamId::MAX) {
            self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (field, value) in entry.pairs() {
                self.mix(field.text(&mut Scratch::new()));
                self.mix(value.text(&mut Scratch::new()));
            }
        }
    }

    /// Scores are printed with 17 digits, as up to Redis 7.0.
    fn add_scored_members(&mut self, record: &Record) {
        let mut text = Vec::new();
        for (member, score) in Zset::of(record).expect("the type was looked at").iter() {
            text.clear();
            write_f64_17(score, &mut text);
            let mut one = Self::default();
            one.mix(member);
            one.mix(&text);
            self.add(&one.0);
        }
    }

    fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Keys that are digested between two looks at the lock of their shard.
const DIGEST_STEP: usize = 256;

fn digest(call: &mut Call<'_, '_>) {
    let mut all = Digest::default();
    for db in 0..call.keys.keyspace().databases() {
        if call.keys.count(db) == 0 {
            continue;
        }
        all.mix(&(db as u32).to_be_bytes());
        let mut cursor = Cursor::START;
        loop {
            cursor = call.keys.walk(db, cursor, DIGEST_STEP, |record| {
                let mut one = Digest::default();
                one.mix(record.key());
                one.mix_record(record);
                all.add(&one.0);
            });
            if cursor.is_start() {
                break;
            }
        }
    }
    call.out.status(&all.hex());
}

fn digest_value(call: &mut Call<'_, '_>, keys: &[&[u8]]) {
    call.out.array(keys.len());
    for key in keys {
        let mut digest = Digest::default();
        with_record(call, key, |record| {
            if let Some(record) = record {
                digest.mix_record(record);
            }
        });
        call.out.status(&digest.hex());
    }
}

/// Makes string keys `prefix:number` that do not exist yet. Each holds `value:number`, cut or
/// filled with zeros to a size if one is given.
fn populate(call: &mut Call<'_, '_>, count: &[u8], options: &[&[u8]]) -> Result<(), Error> {
    let positive = |word: &[u8]| {
        let number = parse_i64(word).and_then(|number| usize::try_from(number).ok());
        number.ok_or(NOT_POSITIVE)
    };
    let count = positive(count)?;
    let prefix: &[u8] = options.first().copied().unwrap_or(b"key");
    let size = options.get(1).map(|word| positive(word)).transpose()?;
    if size.is_some_and(|size| size > call.env.config.proto_max_bulk_len()) {
        return Err(NOT_POSITIVE);
    }
    let keyspace = call.keys.keyspace();
    for number in 0..count {
        let name = [prefix, b":", number.to_string().as_bytes()].concat();
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size.filter(|&size| size > 0) {
            value.resize(size, 0);
        }
        let mut key = keyspace.locate(call.client.db, &name);
        call.keys.with_key(&mut key, |keys, key| {
            if !keys.contains(key) {
                keys.put(key, 0, NewBody::Bytes(&value), Expiry::Never);
            }
        });
    }
    call.out.ok();
    Ok(())
}

/// Lets elements of so many bytes be nodes of lists by themselves; zero for the usual.
fn set_packed_threshold(call: &mut Call<'_, '_>, size: &[u8]) -> Result<(), Error> {
    const SIZE_MAX: u64 = (1 << 32) - (1 << 20);
    let size = parse_memory(size)
        .filter(|&size| size <= SIZE_MAX)
        .ok_or(Error::err("argument must be a memory value bigger than 1 and smaller than 4gb"))?;
    let plain_from = if size == 0 { ListLimits::PLAIN_FROM } else { size as u32 };
    call.env.list_plain_from.store(plain_from, Relaxed);
    call.out.ok();
    Ok(())
}

/// Lets the session wait. Redis sleeps as a whole; here others go on.
fn sleep(call: &mut Call<'_, '_>, seconds: &[u8]) {
    // As C's `atof` reads it: as far as it is a number.
    let number = (0..=seconds.len().min(SECONDS_LEN_MAX))
        .rev()
        .find_map(|len| parse_f64(&seconds[..len]))
        .filter(|seconds| *seconds > 0.0);
    let ms = number.map_or(0, |seconds| (seconds * 1e3).ceil() as u64);
    if ms == 0 {
        call.out.ok();
        return;
    }
    let timeout = Timeout(Some(ms));
    call.wait(Wait { keys: 0, of_type: None, timeout, in_vain: InVain::Ok, words: None });
}

/// Digits of a number of seconds that are looked at.
const SECONDS_LEN_MAX: usize = 32;

const WRONG_PROTOCOL_TYPE: Error = Error::err(
    "Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);

/// Answers a value of a type, so that clients can test their readers.
#[expect(clippy::approx_constant, reason = "the number that Redis answers")]
fn protocol(call: &mut Call<'_, '_>, name: &[u8]) -> Result<(), Error> {
    let out = &mut *call.out;
    match name.to_ascii_lowercase().as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.integer(12345),
        b"double" => out.double(3.141),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            (0..3).for_each(|number| out.integer(number));
        }
        b"set" => {
            out.set(3);
            (0..3).for_each(|number| out.integer(number));
        }
        b"map" => {
            out.map(3);
            for number in 0..3 {
                out.integer(number);
                out.boolean(number == 1);
            }
        }
        b"attrib" => {
            if out.protocol() == Protocol::Resp3 {
                out.attribute(1);
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.integer(90);
            }
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if out.protocol() == Protocol::Resp2 {
                return Err(Error::err("RESP2 is not supported by this command"));
            }
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.integer(42);
            out.bulk(b"Some real reply following the push reply");
        }
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"verbatim" => out.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"bignum" => out.big_number(b"1234567999999999999999999999999999999"),
        _ => return Err(WRONG_PROTOCOL_TYPE),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_values_are_those_of_redis() {
        let record = |body| Record::new(b"k", 0, body, None, 0);
        let digest = |record: &Record| {
            let mut digest = Digest::default();
            digest.mix_record(record);
            digest.hex()
        };
        let (number, text) = (record(NewBody::Int(123)), record(NewBody::Bytes(b"hello")));
        assert_eq!(digest(&number), "89f7f51b707418f666d5b45e053bd5bbbf82ac2b");
        assert_eq!(digest(&text), "36b23a1456b2dce2c3ed252c456761301dba8060");
    }

    #[test]
    fn a_text_reads_as_the_integer_that_it_starts_with() {
        for (text, expected) in [("1", 1), ("0", 0), ("-7x", -7), ("12 3", 12), ("x", 0), ("", 0)] {
            assert_eq!(leading_integer(text.as_bytes()), expected, "{text}");
        }
    }
}
