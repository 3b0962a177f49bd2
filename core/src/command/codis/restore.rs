//! SLOTSRESTORE: keys that another node sends, all of them or none.

use super::{ENTRY, check_scheme};
use crate::command::call::Call;
use crate::command::dump::say_whole;
use crate::command::table::{Command, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Event, Expiry};
use crate::resp::number::parse_i64;
use crate::value::dump;

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "slotsrestore",
    summary: "Stores keys that another node sends, over what there is.",
    complexity: "O(N) where N is the number of elements in all values.",
    flags: flag::WRITE | flag::DENYOOM,
    grammar: "data=(key ttl:integer serialized-value)...",
    keys: &[key_use::OW | key_use::UPDATE],
    handler: slots_restore,
    ..ENTRY
}];

fn slots_restore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_scheme(call)?;
    let limits = call.env.limits();
    let (triples, []) = call.arguments().as_chunks::<3>() else {
        return Err(Error::arity(&call.spec.name));
    };
    let mut values = Vec::with_capacity(triples.len());
    for [_, ttl, payload] in triples {
        let ttl_ms = parse_i64(ttl).ok_or(Error::NOT_INTEGER)?;
        let ttl_ms = u64::try_from(ttl_ms);
        let ttl_ms = ttl_ms.map_err(|_| Error::err("Invalid TTL value, must be >= 0"))?;
        values.push((ttl_ms, dump::restore(payload, &limits)?));
    }
    let now_ms = call.time.unix_ms();
    for (number, (ttl_ms, mut value)) in values.into_iter().enumerate() {
        let key = call.key(number);
        let expiry = match ttl_ms {
            0 => Expiry::Never,
            left_ms => Expiry::At(now_ms.saturating_add(left_ms)),
        };
        call.keys.make_way(&key);
        let (tag, body) = value.take();
        call.keys.put(&key, tag, body, expiry);
        say_whole(call.keys, &key);
        call.notify(Event::Generic, "restore", &key);
    }
    call.out.ok();
    Ok(())
}
