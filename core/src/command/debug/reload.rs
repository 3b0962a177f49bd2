//! DEBUG RELOAD: every value goes through its serialized form and comes back, as it does when Redis
//! saves and loads. For tests of clients, and for whoever wants to know that DUMP loses nothing.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Cursor, Expiry};
use crate::value::dump::{self, RDB_VERSION};
use crate::value::{Limits, Record};

/// Keys whose serialized forms are in memory at the same time.
const STEP: usize = 256;

/// What is kept of a key while its value is serialized.
struct Saved {
    key: Vec<u8>,
    payload: Vec<u8>,
    expire_ms: Option<u64>,
    stamp: u32,
}

impl Saved {
    fn of(record: &Record) -> Self {
        let mut payload = Vec::new();
        dump::dump(record, RDB_VERSION, &mut payload);
        Self {
            key: record.key().to_vec(),
            payload,
            expire_ms: record.expire_ms(),
            stamp: record.stamp(),
        }
    }
}

/// Carries out `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`. There is no file that could be loaded in
/// place of the keys, so that NOSAVE is refused; the two others change nothing then.
pub(super) fn reload(call: &mut Call<'_, '_>, options: &[&[u8]]) -> Result<(), Error> {
    let is = |word: &&[u8], token: &[u8]| word.eq_ignore_ascii_case(token);
    if options.iter().any(|word| is(word, b"nosave")) {
        return Err(Error::err("an embedded engine has no file to load"));
    }
    if !options.iter().all(|word| is(word, b"merge") || is(word, b"noflush")) {
        return Err(Error::err(
            "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        ));
    }
    let limits = call.env.limits();
    let mut databases = 0..call.keys.keyspace().databases();
    call.keys.with_all(|keys| databases.try_for_each(|db| reload_all(keys, db, &limits)))?;
    call.out.ok();
    Ok(())
}

fn reload_all(keys: &mut Access<'_>, db: usize, limits: &Limits) -> Result<(), Error> {
    let mut cursor = Cursor::START;
    loop {
        let mut step = Vec::new();
        cursor = keys.walk(db, cursor, STEP, |record| step.push(Saved::of(record)));
        for saved in step {
            put_back(keys, db, &saved, limits)?;
        }
        if cursor.is_start() {
            return Ok(());
        }
    }
}

fn put_back(keys: &mut Access<'_>, db: usize, saved: &Saved, limits: &Limits) -> Result<(), Error> {
    let mut value = dump::restore(&saved.payload, limits)?;
    let (tag, body) = value.take();
    let key = keys.keyspace().locate(db, &saved.key);
    let expiry = saved.expire_ms.map_or(Expiry::Never, Expiry::At);
    keys.put(&key, tag, body, expiry);
    keys.set_stamp(&key, saved.stamp);
    Ok(())
}
