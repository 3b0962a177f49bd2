//! CLUSTER on slots: what they hold and who owns them.

use super::{change_topology, cluster};
use crate::cluster::{SetSlot, Topology};
use crate::command::Call;
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use crate::slot::{InvalidSlot, SlotRange, SlotScheme, parse_slot};

type Outcome = Result<(), Error>;

/// KEYSLOT. This and the two below work without a cluster too: every engine has slots.
pub(super) fn key_slot(call: &mut Call<'_, '_>) -> Outcome {
    let slot = scheme(call).slot(call.words[2]);
    call.out.integer(i64::from(slot));
    Ok(())
}

pub(super) fn count_keys_in_slot(call: &mut Call<'_, '_>) -> Outcome {
    let slot = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let slot = in_range(slot, scheme(call)).ok_or(Error::err("Invalid slot"))?;
    let keys = call.keys.count_in_slot(call.client.db, slot);
    call.out.integer(keys as i64);
    Ok(())
}

pub(super) fn keys_in_slot(call: &mut Call<'_, '_>) -> Outcome {
    const INVALID: Error = Error::err("Invalid slot or number of keys");
    let slot = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let count = parse_i64(call.words[3]).ok_or(Error::NOT_INTEGER)?;
    let slot = in_range(slot, scheme(call)).ok_or(INVALID)?;
    let count = usize::try_from(count).map_err(|_| INVALID)?;
    let db = call.client.db;
    let count = count.min(call.keys.count_in_slot(db, slot));
    let mut found: Vec<Vec<u8>> = Vec::new();
    if count > 0 {
        call.keys.walk_slot(db, slot, 0, count, |record| {
            if found.len() < count {
                found.push(record.key().to_vec());
            }
        });
    }
    call.out.array(found.len());
    found.iter().for_each(|key| call.out.bulk(key));
    Ok(())
}

pub(super) fn set_slot(call: &mut Call<'_, '_>) -> Outcome {
    let cluster = cluster(call)?;
    let slot = parse_slot(call.words[2], scheme(call)).map_err(invalid_slot)?;
    let change = match &call.words[3..] {
        [word, name] if word.eq_ignore_ascii_case(b"migrating") => SetSlot::Migrating(name),
        [word, name] if word.eq_ignore_ascii_case(b"importing") => SetSlot::Importing(name),
        [word, name] if word.eq_ignore_ascii_case(b"node") => SetSlot::Node(name),
        [word] if word.eq_ignore_ascii_case(b"stable") => SetSlot::Stable,
        _ => {
            return Err(Error::err(
                "Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
            ));
        }
    };
    call.keys.with_slot(slot, |access| {
        let keys = access.count_in_slot_everywhere(slot);
        cluster.set_slot(slot, change, keys)
    })?;
    call.out.ok();
    Ok(())
}

pub(super) fn add_slots(call: &mut Call<'_, '_>) -> Outcome {
    change_slots(call, Topology::check_free, Topology::add_slots)
}

pub(super) fn delete_slots(call: &mut Call<'_, '_>) -> Outcome {
    change_slots(call, Topology::check_owned, Topology::delete_slots)
}

pub(super) fn add_slots_range(call: &mut Call<'_, '_>) -> Outcome {
    change_slot_ranges(call, Topology::check_free, Topology::add_slots)
}

pub(super) fn delete_slots_range(call: &mut Call<'_, '_>) -> Outcome {
    change_slot_ranges(call, Topology::check_owned, Topology::delete_slots)
}

type Check = fn(&Topology, &[u16]) -> Outcome;
type Change = fn(&mut Topology, &[u16]);

fn change_slots(call: &mut Call<'_, '_>, check: Check, change: Change) -> Outcome {
    cluster(call)?;
    let scheme = scheme(call);
    let slots = call.words[2..].iter().map(|word| parse_slot(word, scheme));
    let slots: Vec<u16> = slots.collect::<Result<_, _>>().map_err(invalid_slot)?;
    apply(call, &slots, check, change)
}

fn change_slot_ranges(call: &mut Call<'_, '_>, check: Check, change: Change) -> Outcome {
    let cluster = cluster(call)?;
    let (pairs, []) = call.words[2..].as_chunks::<2>() else {
        return Err(Error::arity(&call.spec.name));
    };
    let mut slots: Vec<u16> = Vec::new();
    for pair in pairs {
        let range = parse_range(pair, scheme(call))?;
        slots.extend(range.iter());
        check(&cluster.view().topology, &slots)?;
    }
    apply(call, &slots, check, change)
}

fn apply(call: &mut Call<'_, '_>, slots: &[u16], check: Check, change: Change) -> Outcome {
    change_topology(call, |topology| {
        check(topology, slots)?;
        change(topology, slots);
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}

pub(super) fn flush_slots(call: &mut Call<'_, '_>) -> Outcome {
    let cluster = cluster(call)?;
    let databases = 0..call.keys.keyspace().databases();
    call.keys.with_all(|keys| {
        if databases.into_iter().any(|db| keys.count(db) > 0) {
            return Err(Error::err("DB must be empty to perform CLUSTER FLUSHSLOTS."));
        }
        cluster.change_topology(|topology| {
            let owned: Vec<u16> = topology.slots_of(topology.myself().id).iter().collect();
            topology.delete_slots(&owned);
            Ok(())
        })
    })?;
    call.out.ok();
    Ok(())
}

fn parse_range(pair: &[&[u8]; 2], scheme: SlotScheme) -> Result<SlotRange, Error> {
    let [first, last] = pair.map(|word| parse_slot(word, scheme).map_err(invalid_slot));
    let (first, last) = (first?, last?);
    if first > last {
        return Err(Error::new(
            ErrorKind::Err,
            format!("start slot number {first} is greater than end slot number {last}"),
        ));
    }
    Ok(SlotRange { first, last })
}

pub(super) fn invalid_slot(fault: InvalidSlot) -> Error {
    Error::new(ErrorKind::Err, fault.to_string())
}

pub(super) fn in_range(number: i64, scheme: SlotScheme) -> Option<u16> {
    let slot = u16::try_from(number).ok()?;
    (usize::from(slot) < scheme.slots()).then_some(slot)
}

pub(super) fn scheme(call: &Call<'_, '_>) -> SlotScheme {
    call.keys.keyspace().scheme()
}
