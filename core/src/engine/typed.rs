//! Commands as functions of their own: for programs that call one command very often and whose
//! arguments have types already. What a command does is the same as when it comes in words, and in
//! a cluster it is routed the same way.

use super::eviction::OUT_OF_MEMORY;
use super::{Engine, route};
use crate::command::ClientState;
use crate::command::table::{self, Group, Spec, flag};
use crate::error::Error;
use crate::keyspace::{Access, Event, Expiry, Key};
use crate::resp::{Protocol, Reply, ReplyBuilder};
use crate::time::{Moment, Stopwatch};
use crate::value::string;
use bytes::Bytes;
use smallvec::smallvec;
use std::collections::VecDeque;
use std::sync::LazyLock;

static GET: LazyLock<&Spec> = LazyLock::new(|| table::find(&[b"GET"]).expect("GET exists"));
static SET: LazyLock<&Spec> = LazyLock::new(|| table::find(&[b"SET"]).expect("SET exists"));

impl Engine {
    /// The value of a string key in database 0, or none.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds another type; in a cluster, `MOVED` and its like.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.get_with(0, key, |value| value.map(Bytes::copy_from_slice))
    }

    /// Stores a string in database 0, over whatever the key held; the key does not expire.
    ///
    /// # Errors
    /// In a cluster, `MOVED` and its like. Nothing was changed then.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.set_in(0, key, value)
    }

    /// Lets `read` see the value of a string key in database `db`, or none, and returns what it
    /// returns. Nothing is copied; the key's lock is held meanwhile, so `read` must be short and
    /// must not call this engine.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds another type; in a cluster, `MOVED` and its like.
    pub fn get_with<R>(
        &self,
        db: usize,
        key: &[u8],
        read: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<R, Error> {
        self.with_key(&GET, &[b"GET", key], db, |access, key| {
            let text = access.read(key).map(string::read).transpose()?;
            Ok(read(text.as_deref()))
        })
    }

    /// Stores a string in database `db`, over whatever the key held; the key does not expire.
    ///
    /// # Errors
    /// In a cluster, `MOVED` and its like. Nothing was changed then.
    pub fn set_in(&self, db: usize, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.with_key(&SET, &[b"SET", key, value], db, |access, key| {
            access.put(key, string::TAG, string::encode(value), Expiry::Never);
            access.notify(Event::String, "set", key);
            Ok(())
        })
    }

    /// Stores a string in database 0 that expires after `ttl_ms` milliseconds.
    ///
    /// # Errors
    /// `ERR invalid expire time` if `ttl_ms` is zero or beyond what a time can be.
    pub fn set_with_ttl_ms(&self, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<(), Error> {
        let ttl = ttl_ms.to_string();
        self.execute(&[b"SET", key, value, b"PX", ttl.as_bytes()]).map(drop)
    }

    /// Deletes keys of database 0, and returns how many there were.
    ///
    /// # Errors
    /// In a cluster, `MOVED` and its like.
    pub fn delete(&self, keys: &[&[u8]]) -> Result<u64, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        let words: Vec<&[u8]> = std::iter::once(&b"DEL"[..]).chain(keys.iter().copied()).collect();
        self.integer(&words).map(i64::unsigned_abs)
    }

    /// Whether a key of database 0 exists.
    ///
    /// # Errors
    /// In a cluster, `MOVED` and its like.
    pub fn exists(&self, key: &[u8]) -> Result<bool, Error> {
        self.integer(&[b"EXISTS", key]).map(|count| count == 1)
    }

    /// Adds to the integer that a key of database 0 holds, zero if it does not exist, and returns
    /// the sum.
    ///
    /// # Errors
    /// `ERR value is not an integer or out of range`, `ERR increment or decrement would overflow`,
    /// `WRONGTYPE`.
    pub fn increment_by(&self, key: &[u8], by: i64) -> Result<i64, Error> {
        self.integer(&[b"INCRBY", key, by.to_string().as_bytes()])
    }

    /// Lets a key of database 0 expire after `ttl_ms` milliseconds; at once if that is not
    /// positive. Returns whether the key exists.
    ///
    /// # Errors
    /// `ERR invalid expire time` if the time is beyond what a time can be.
    pub fn expire_in_ms(&self, key: &[u8], ttl_ms: i64) -> Result<bool, Error> {
        self.integer(&[b"PEXPIRE", key, ttl_ms.to_string().as_bytes()]).map(|done| done == 1)
    }

    /// The milliseconds that a key of database 0 has left: none if it does not exist,
    /// `Some(None)` if it does not expire.
    ///
    /// # Errors
    /// In a cluster, `MOVED` and its like.
    pub fn ttl_ms(&self, key: &[u8]) -> Result<Option<Option<u64>>, Error> {
        let left = self.integer(&[b"PTTL", key])?;
        Ok(match left {
            -2 => None,
            -1 => Some(None),
            left => Some(Some(left.unsigned_abs())),
        })
    }

    /// Carries out one command in a session of its own, and returns its reply.
    ///
    /// # Errors
    /// The error that the command answered.
    pub fn execute(&self, words: &[&[u8]]) -> Result<Reply, Error> {
        let mut builder = ReplyBuilder::new(Protocol::Resp3);
        self.call(words, &mut builder);
        match builder.take() {
            Some(Reply::Error(text)) => Err(Error::from_line(&text)),
            Some(reply) => Ok(reply),
            None => Ok(Reply::Null),
        }
    }

    fn integer(&self, words: &[&[u8]]) -> Result<i64, Error> {
        match self.execute(words)? {
            Reply::Integer(value) => Ok(value),
            other => unreachable!("a count is an integer, not {other:?}"),
        }
    }

    /// Lets `work` act on the one key of a call, under its lock.
    #[inline]
    fn with_key<R>(
        &self,
        spec: &'static Spec,
        words: &[&[u8]],
        db: usize,
        work: impl FnOnce(&mut Access<'_>, &Key<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let inner = &*self.inner;
        inner.env.scripting.pass()?;
        let time = Moment::new(&*inner.clock);
        let is_timed = inner.env.stats.commands.count_quick(spec);
        let stopwatch = is_timed.then(|| Stopwatch::start(&*inner.clock));
        let mut key = inner.keyspace.locate(db, words[1]);
        inner.keyspace.prefetch(&key);
        let is_refused = inner.is_limited()
            && table::lookup(words)?.flags & flag::DENYOOM != 0
            && !inner.make_room(0, &time);
        let keys = std::slice::from_mut(&mut key);
        let access = Access::keys_unless(&inner.keyspace, &time, keys, &|| inner.is_busy());
        let mut access = access.ok_or_else(|| inner.env.scripting.busy())?;
        if inner.env.cluster.is_some() || inner.env.in_flight.any() {
            let keys = std::slice::from_ref(&key);
            route::check(&inner.env, spec, &ClientState::default(), false, keys, &mut access)?;
        }
        if is_refused {
            return Err(OUT_OF_MEMORY);
        }
        let changes = access.begin_command(std::slice::from_ref(&key));
        if let Some(sampling) = inner.env.config.hot_key_sampling()
            && inner.env.hot_keys.takes(sampling)
        {
            inner.env.hot_keys.note(key.db, key.slot, key.bytes, time.unix_ms());
        }
        let result = work(&mut access, &key);
        access.end_command(changes, db, words, std::slice::from_ref(&key), || smallvec![1]);
        inner.settle(access, 1, &time, VecDeque::new());
        if stopwatch.is_some() || result.is_err() {
            inner.note_quick(spec, stopwatch, result.is_err());
        }
        result
    }

    /// Whether the command that these words ask for always ends soon, whatever the keyspace holds:
    /// those that COMMAND INFO marks as `fast`. A host may want to carry out others where nothing
    /// waits for them.
    pub fn is_fast(&self, words: &[&[u8]]) -> bool {
        !words.is_empty()
            && table::lookup(words)
                .is_ok_and(|spec| spec.flags & (flag::FAST | flag::BLOCKING) == flag::FAST)
    }

    /// Whether the command that these words ask for may wait, as BLPOP does, or MIGRATE for its
    /// target. Where nothing can wait it is answered as if it had waited in vain;
    /// [`Engine::call_blocking`] lets it.
    pub fn may_wait(&self, words: &[&[u8]]) -> bool {
        const WAITS: u32 = flag::BLOCKING | flag::ASKS_PEERS;
        !words.is_empty() && table::lookup(words).is_ok_and(|spec| spec.flags & WAITS != 0)
    }

    /// Whether the command that these words ask for is about the script that runs: SCRIPT KILL,
    /// FUNCTION KILL and FUNCTION STATS. It is of use only where it need not wait for that script.
    pub fn concerns_running_script(&self, words: &[&[u8]]) -> bool {
        !words.is_empty()
            && table::lookup(words).is_ok_and(|spec| {
                spec.command.group == Group::Scripting && spec.flags & flag::ALLOW_BUSY != 0
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(engine: &Engine, db: usize, key: &[u8]) -> Option<Vec<u8>> {
        let value = engine.get_with(db, key, |value| value.map(<[u8]>::to_vec));
        value.expect("every value is a string")
    }

    #[test]
    fn values_are_seen_in_their_database() {
        let engine = Engine::default();
        for (key, value) in [(&b"key"[..], &b"text"[..]), (b"number", b"-17")] {
            engine.set_in(3, key, value).unwrap();
        }
        engine.set_in(3, b"large", &[b'x'; 5000]).unwrap();
        assert_eq!(value(&engine, 3, b"key").as_deref(), Some(&b"text"[..]));
        assert_eq!(value(&engine, 3, b"number").as_deref(), Some(&b"-17"[..]));
        assert_eq!(value(&engine, 3, b"large"), Some(vec![b'x'; 5000]));
        assert_eq!(value(&engine, 0, b"key"), None);
    }

    #[test]
    fn typed_calls_do_what_their_commands_do() {
        let clock = std::sync::Arc::new(crate::time::ManualClock::new(1_000));
        let options = crate::EngineOptions { clock: Box::new(clock), ..Default::default() };
        let engine = Engine::new(options);
        engine.set_with_ttl_ms(b"k", b"41", 500).unwrap();
        assert_eq!(engine.increment_by(b"k", 1), Ok(42));
        assert_eq!(engine.ttl_ms(b"k"), Ok(Some(Some(500))));
        assert_eq!(engine.expire_in_ms(b"k", 900), Ok(true));
        assert_eq!(engine.ttl_ms(b"k"), Ok(Some(Some(900))));
        engine.set(b"k", b"text").unwrap();
        assert_eq!(engine.ttl_ms(b"k"), Ok(Some(None)));
        let refused = engine.increment_by(b"k", 1).unwrap_err();
        assert_eq!(refused.to_string(), "ERR value is not an integer or out of range");
        assert_eq!(engine.exists(b"k"), Ok(true));
        assert_eq!(engine.delete(&[b"k", b"k", b"none"]), Ok(1));
        assert_eq!(engine.delete(&[]), Ok(0));
        assert_eq!(engine.ttl_ms(b"k"), Ok(None));
        assert_eq!(engine.expire_in_ms(b"k", 1), Ok(false));
        assert!(engine.set_with_ttl_ms(b"k", b"v", 0).is_err());
    }

    #[test]
    fn fast_is_what_the_table_says() {
        let engine = Engine::default();
        assert!(engine.is_fast(&[b"get", b"key"]));
        assert!(!engine.is_fast(&[b"KEYS", b"*"]));
        assert!(!engine.is_fast(&[b"no-such-command"]));
        assert!(!engine.is_fast(&[]));
    }
}
