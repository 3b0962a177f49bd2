//! Strings: GET, SET and their family.

use super::call::Call;
use super::table::{Command, Group, flag, key_use};
use crate::error::Error;
use crate::keyspace::Expiry;
use crate::structs::entry::{Body, NewBody};
use crate::value::Object;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "get",
        summary: "Returns the string value of a key.",
        group: Group::String,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: get,
        ..Command::DEFAULT
    },
    Command {
        name: "set",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it \
                  doesn't exist.",
        group: Group::String,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key value",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE | key_use::VARIABLE_FLAGS],
        handler: set,
        ..Command::DEFAULT
    },
];

fn get(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    match call.keys.read(&key).map(|record| record.body()) {
        None => call.out.null(),
        Some(Body::Bytes(bytes)) => call.out.bulk(bytes),
        Some(Body::Int(value)) => call.out.bulk(value.to_string().as_bytes()),
        Some(Body::Boxed(Object::String(bytes))) => call.out.bulk(bytes),
    }
    Ok(())
}

fn set(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    call.keys.put(&key, 0, NewBody::Bytes(call.words[2]), Expiry::Never);
    call.out.ok();
    Ok(())
}
