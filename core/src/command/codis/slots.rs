//! What the slots of this node hold: SLOTSINFO, SLOTSSCAN, SLOTSDEL, SLOTSHASHKEY, SLOTSCHECK.

use super::{ENTRY, check_scheme, parse_int, parse_slot, refused};
use crate::command::call::Call;
use crate::command::scan_options;
use crate::command::table::{Command, flag};
use crate::error::Error;
use crate::keyspace::Cursor;
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::slot::SlotScheme;

type Outcome = Result<(), Error>;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "slotsinfo",
        summary: "Returns the slots that hold keys, each with the number of them.",
        complexity: "O(N) where N is the number of slots asked for.",
        flags: flag::READONLY,
        grammar: "[start:integer [count:integer]]",
        handler: slots_info,
        ..ENTRY
    },
    Command {
        name: "slotsscan",
        summary: "Iterates over the names of the keys in a slot.",
        complexity: "O(1) for every call. O(N) for a complete iteration.",
        flags: flag::READONLY,
        grammar: "slot:integer cursor:integer [COUNT count:integer]",
        handler: slots_scan,
        ..ENTRY
    },
    Command {
        name: "slotsdel",
        summary: "Deletes all keys of one or more slots.",
        complexity: "O(1) for each slot; the memory is freed by and by.",
        flags: flag::WRITE,
        grammar: "slot:integer...",
        handler: slots_del,
        ..ENTRY
    },
    Command {
        name: "slotshashkey",
        summary: "Returns the slots of keys.",
        complexity: "O(N) where N is the number of keys.",
        flags: flag::READONLY | flag::FAST,
        // The keys are looked at as words alone: nothing is locked for them.
        grammar: "name...",
        handler: slots_hash_key,
        ..ENTRY
    },
    Command {
        name: "slotscheck",
        summary: "Checks that every key lies in its slot.",
        complexity: "O(N) where N is the number of keys.",
        flags: flag::READONLY,
        handler: slots_check,
        ..ENTRY
    },
];

fn slots_info(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let all = SlotScheme::Codis.slots();
    let (first, count) = match call.arguments() {
        [] => (0, all),
        [first] => (parse_slot(first)?, all),
        [first, count] => (parse_slot(first)?, parse_count(count)?),
        _ => return Err(Error::arity(&call.spec.name)),
    };
    let last = usize::from(first).saturating_add(count).min(all);
    let db = call.client.db;
    let slots = (first..last as u16).map(|slot| (slot, call.keys.count_in_slot(db, slot)));
    let found: Vec<(u16, usize)> = slots.filter(|&(_, keys)| keys > 0).collect();
    write_counts(call.out, &found);
    Ok(())
}

fn parse_count(word: &[u8]) -> Result<usize, Error> {
    let count = parse_int(word)?;
    usize::try_from(count).map_err(|_| refused(format!("invalid slot count = {count}")))
}

fn write_counts(out: &mut dyn ReplySink, counts: &[(u16, usize)]) {
    out.array(counts.len());
    for &(slot, keys) in counts {
        out.array(2);
        out.integer(i64::from(slot));
        out.integer(keys as i64);
    }
}

fn slots_scan(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let slot = parse_slot(call.words[1])?;
    let cursor = scan_options::cursor(call.words[2])?;
    let count = match &call.words[3..] {
        [] => 10,
        [word, count] if word.eq_ignore_ascii_case(b"count") => {
            let count = parse_i64(count).ok_or(Error::NOT_INTEGER)?;
            usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?
        }
        _ => return Err(Error::SYNTAX),
    };
    let cursor = Cursor::from_number(cursor);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let next = call.keys.walk_within(call.client.db, slot, cursor, count, |record| {
        found.push(record.key().to_vec());
    });
    call.out.array(2);
    call.out.bulk(next.number().to_string().as_bytes());
    call.out.array(found.len());
    found.iter().for_each(|key| call.out.bulk(key));
    Ok(())
}

fn slots_del(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let slots = call.arguments().iter().map(|word| parse_slot(word));
    let slots: Vec<u16> = slots.collect::<Result<_, _>>()?;
    let db = call.client.db;
    slots.iter().for_each(|&slot| _ = call.keys.flush_slot(db, slot));
    let left: Vec<(u16, usize)> =
        slots.iter().map(|&slot| (slot, call.keys.count_in_slot(db, slot))).collect();
    write_counts(call.out, &left);
    Ok(())
}

fn slots_hash_key(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let names = call.arguments();
    call.out.array(names.len());
    names.iter().for_each(|name| call.out.integer(i64::from(SlotScheme::Codis.slot(name))));
    Ok(())
}

fn slots_check(call: &mut Call<'_, '_>) -> Outcome {
    const STEP: usize = 1_000;
    check_scheme(call)?;
    for slot in 0..SlotScheme::Codis.slots() as u16 {
        let (mut next, mut stray) = (Some(0), false);
        while let Some(from) = next {
            next = call.keys.walk_slot(call.client.db, slot, from, STEP, |record| {
                stray |= SlotScheme::Codis.slot(record.key()) != slot;
            });
        }
        if stray {
            return Err(refused(format!("slot {slot} holds a key of another slot")));
        }
    }
    call.out.ok();
    Ok(())
}
