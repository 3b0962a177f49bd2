//! A command within a command, on keys that the outer one has under lock: SLOTSMGRT-EXEC-WRAPPER,
//! by which a router uses a key that may be on its way to another node.

use super::{ENTRY, check_scheme, refused};
use crate::command::call::Call;
use crate::command::key_spec::{Begin, Find, KeyPlace, KeyPlaces, KeySpec};
use crate::command::table::{self, Command, Spec, flag, key_use};
use crate::error::Error;
use crate::keyspace::Key;

const NAME: &str = "slotsmgrt-exec-wrapper";

pub(super) const COMMANDS: &[Command] = &[Command {
    name: NAME,
    summary: "Carries out a command unless its keys are not here, or are on their way and it writes.",
    complexity: "That of the command.",
    // A write to a key on its way is answered by the command itself.
    flags: flag::READONLY,
    grammar: "hashkey:key command [arg...]",
    key_specs: &[KeySpec {
        notes: "",
        uses: key_use::RW | key_use::ACCESS | key_use::INCOMPLETE,
        begin: Begin::Index(1),
        find: Find::Range { last: 0, step: 1, limit: 0 },
    }],
    find_keys: Some(keys_of_both),
    arity: Some(-2),
    handler: exec_wrapper,
    ..ENTRY
}];

/// Where the command within begins.
const INNER: usize = 2;

/// The key before the command, and those of the command.
fn keys_of_both(words: &[&[u8]]) -> Option<KeyPlaces> {
    let uses = key_use::RW | key_use::ACCESS;
    words.get(1)?;
    let inner = words.get(INNER..).filter(|inner| !inner.is_empty());
    // One within one within one could be as deep as a request has words.
    let is_plain = |spec: &&'static Spec| *spec.name != *NAME;
    let spec = inner.and_then(|inner| table::lookup(inner).ok()).filter(is_plain);
    let places = spec.zip(inner).map(|(spec, inner)| spec.key_places(inner)).unwrap_or_default();
    let places = std::iter::once(1).chain(places.into_iter().map(|place| place + INNER));
    Some(places.map(|place| KeyPlace { place, uses }).collect())
}

fn exec_wrapper(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_scheme(call)?;
    let (words, located) = (&call.words[INNER..], &call.located[1..]);
    let (number, spec) = match judge(call, words, located) {
        Ok(spec) => (2, Ok(spec)),
        Err((number, error)) => (number, Err(error)),
    };
    call.out.array(2);
    call.out.integer(number);
    let mark = call.out.mark();
    if let Err(error) = spec.and_then(|spec| carry_out(call, spec, words, located)) {
        call.out.rewind(mark);
        call.out.error(&error);
        call.env.stats.note_error(&error);
    }
    Ok(())
}

/// The command that is to be carried out, or what is answered instead. Unlike Codis's, this looks at
/// every key of the command, not at the first alone.
fn judge(
    call: &mut Call<'_, '_>,
    words: &[&[u8]],
    located: &[Key<'_>],
) -> Result<&'static Spec, (i64, Error)> {
    let Some(name) = words.first() else {
        return Err((-1, Error::err("wrong number of arguments for SLOTSMGRT-EXEC-WRAPPER")));
    };
    let name = String::from_utf8_lossy(name);
    let invalid = || (-1, refused(format!("invalid command specified ({name})")));
    let spec = table::find(words).ok_or_else(invalid)?;
    if !spec.takes(words.len()) {
        return Err((-1, refused(format!("wrong number of arguments for command ({name})"))));
    }
    // Only what keeps to the keys that its words tell can be carried out under their locks.
    if located.is_empty() || spec.reads_keys_by_value(words) || spec.flags & flag::ASKS_PEERS != 0 {
        return Err(invalid());
    }
    let unix_ms = call.time.unix_ms();
    call.client.permit(call.env, spec, words, || unix_ms).map_err(|error| (-1, error))?;
    let key = call.key(0);
    if !call.keys.contains(&key) {
        return Err((0, Error::err("the specified key doesn't exist")));
    }
    let is_barred = |key: &Key<'_>| call.env.bars(key);
    if spec.flags & flag::WRITE != 0 && (is_barred(&key) || located.iter().any(is_barred)) {
        return Err((1, Error::err("the specified key is being migrated")));
    }
    Ok(spec)
}

/// Carries out a command on keys that are under lock. It does not wait.
pub(super) fn carry_out(
    call: &mut Call<'_, '_>,
    spec: &'static Spec,
    words: &[&[u8]],
    located: &[Key<'_>],
) -> Result<(), Error> {
    let changes = call.keys.stats.changes;
    let may_wait = std::mem::replace(&mut call.client.may_wait, false);
    let mut inner = Call {
        spec,
        words,
        located,
        keys: &mut *call.keys,
        out: &mut *call.out,
        client: &mut *call.client,
        env: call.env,
        time: call.time,
    };
    let result = (spec.command.handler)(&mut inner);
    call.client.may_wait = may_wait;
    let is_silent = !call.keys.has_said() && call.keys.stats.changes > changes;
    if is_silent && call.keys.is_recording() {
        call.keys.say_with(words, located, &spec.key_places(words));
    }
    result
}
