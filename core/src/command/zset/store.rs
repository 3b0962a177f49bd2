//! Putting a result under the first key of a command, over whatever it held.

use crate::command::call::Call;
use crate::keyspace::{Event, Expiry, Key};
use crate::value::zset::{NewZset, TAG};

/// Stores a result under the command's first key and replies with how many members it has. Without
/// members there is no result, and the key is deleted.
pub(super) fn store(call: &mut Call<'_, '_>, result: Option<NewZset>, event: &'static str) {
    let key = call.key(0);
    store_under(call, &key, result, event);
}

/// As [`store`], under any key of the command.
pub(in crate::command) fn store_under(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    result: Option<NewZset>,
    event: &'static str,
) {
    let len = result.as_ref().map_or(0, NewZset::len);
    if let Some(result) = result {
        call.keys.put(key, TAG, result.body(&mut Vec::new()), Expiry::Never);
        call.notify(Event::SortedSet, event, key);
    } else if call.keys.remove(key) {
        call.notify(Event::Generic, "del", key);
    }
    call.out.integer(len as i64);
}
