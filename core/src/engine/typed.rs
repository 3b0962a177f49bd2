//! Commands as functions of their own: for programs that call one command very often and whose
//! arguments have types already. What a command does is the same as when it comes in words.

use super::Engine;
use crate::command::table::{self, flag};
use crate::error::Error;
use crate::keyspace::{Access, Expiry};
use crate::time::Moment;
use crate::value::string;

impl Engine {
    /// Lets `read` see the value of a string key in database `db`, or none, and returns what it
    /// returns. Nothing is copied; the key's lock is held meanwhile, so `read` must be short and
    /// must not call this engine.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds another type.
    pub fn get_with<R>(
        &self,
        db: usize,
        key: &[u8],
        read: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<R, Error> {
        let time = Moment::new(&*self.inner.clock);
        let mut key = self.inner.keyspace.locate(db, key);
        let mut access = Access::keys(&self.inner.keyspace, &time, std::slice::from_mut(&mut key));
        let text = access.read(&key).map(string::read).transpose();
        let result = text.map(|text| read(text.as_deref()));
        self.inner.settle(&access, 1);
        result
    }

    /// Stores a string in database `db`, over whatever the key held; the key does not expire.
    pub fn set_in(&self, db: usize, key: &[u8], value: &[u8]) {
        let time = Moment::new(&*self.inner.clock);
        let mut key = self.inner.keyspace.locate(db, key);
        let mut access = Access::keys(&self.inner.keyspace, &time, std::slice::from_mut(&mut key));
        access.put(&key, string::TAG, string::encode(value), Expiry::Never);
        self.inner.settle(&access, 1);
    }

    /// Whether the command that these words ask for always ends soon, whatever the keyspace holds:
    /// those that COMMAND INFO marks as `fast`. A host may want to carry out others where nothing
    /// waits for them.
    pub fn is_fast(&self, words: &[&[u8]]) -> bool {
        !words.is_empty()
            && table::lookup(words).is_ok_and(|spec| spec.command.flags & flag::FAST != 0)
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
        engine.set_in(3, b"key", b"text");
        engine.set_in(3, b"number", b"-17");
        engine.set_in(3, b"large", &[b'x'; 5000]);
        assert_eq!(value(&engine, 3, b"key").as_deref(), Some(&b"text"[..]));
        assert_eq!(value(&engine, 3, b"number").as_deref(), Some(&b"-17"[..]));
        assert_eq!(value(&engine, 3, b"large"), Some(vec![b'x'; 5000]));
        assert_eq!(value(&engine, 0, b"key"), None);
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
