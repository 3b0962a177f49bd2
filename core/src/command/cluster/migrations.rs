//! CLUSTER on migrations, by Valkey's names: GETSLOTMIGRATIONS tells of those of this node,
//! MIGRATESLOTS asks the host for some, CANCELSLOTMIGRATIONS ends them.

use super::cluster;
use super::slots::{in_range, invalid_slot, scheme};
use crate::cluster::{NodeId, Topology};
use crate::command::Call;
use crate::error::{Error, ErrorKind};
use crate::migration::{MigrationEntry, MigrationOrder};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::slot::{InvalidSlot, SlotSet};

type Outcome = Result<(), Error>;

pub(super) fn get_slot_migrations(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    let entries = call.env.migrations.entries();
    call.out.array(entries.len());
    entries.iter().for_each(|entry| write(call.out, entry));
    Ok(())
}

/// Valkey's fields in its order, and ours after them.
fn write(out: &mut dyn ReplySink, entry: &MigrationEntry) {
    let status = &entry.status;
    let ranges: Vec<String> =
        entry.slots.ranges().map(|range| format!("{}-{}", range.first, range.last)).collect();
    let texts: [(&str, &[u8]); 5] = [
        ("name", entry.name.as_bytes()),
        ("operation", b"EXPORT"),
        ("slot_ranges", &ranges.join(" ").into_bytes()),
        ("target_node", entry.target.as_str().as_bytes()),
        ("source_node", entry.source.as_str().as_bytes()),
    ];
    let times = [
        ("create_time", entry.began_ms),
        ("last_update_time", entry.changed_ms),
        ("last_ack_time", entry.heard_ms),
    ];
    let numbers = [
        ("slots_moved", status.slots_moved as u64),
        ("slots_left", status.slots_left as u64),
        ("keys_moved", status.keys_moved),
        ("bytes_sent", status.bytes_sent),
        ("lag_bytes", status.lag_bytes as u64),
    ];
    out.map(texts.len() + times.len() + 4 + numbers.len() + 1);
    for (name, text) in texts {
        out.bulk(name.as_bytes());
        out.bulk(text);
    }
    for (name, ms) in times {
        out.bulk(name.as_bytes());
        out.integer((ms / 1_000) as i64);
    }
    out.bulk(b"state");
    out.bulk(entry.state.name().as_bytes());
    out.bulk(b"message");
    out.bulk(entry.state.message().as_bytes());
    // There is no child process whose pages would be copied.
    out.bulk(b"cow_size");
    out.integer(0);
    out.bulk(b"mode");
    out.bulk(entry.mode.name().as_bytes());
    for (name, number) in numbers {
        out.bulk(name.as_bytes());
        out.integer(number as i64);
    }
    out.bulk(b"left_ms");
    out.integer(status.left_ms.map_or(-1, |ms| ms as i64));
}

pub(super) fn cancel_slot_migrations(call: &mut Call<'_, '_>) -> Outcome {
    const NONE: Error = Error::err("No migrations ongoing");
    cluster(call)?;
    if !call.env.migrations.cancel_all(&call.env.post) {
        return Err(NONE);
    }
    call.out.ok();
    Ok(())
}

pub(super) fn migrate_slots(call: &mut Call<'_, '_>) -> Outcome {
    const NO_HOST: Error = Error::err("The host of this engine does not move slots when asked");
    let cluster = cluster(call)?;
    let view = cluster.view();
    check_node(&view.topology, |slot| view.is_claimed(slot))?;
    let orders = parse(call, &view.topology, |slot| {
        view.is_claimed(slot) || call.env.migrations.is_ordered(slot)
    })?;
    drop(view);
    if !call.env.migrations.has_host() {
        return Err(NO_HOST);
    }
    call.env.migrations.order(orders, &call.env.post);
    call.out.ok();
    Ok(())
}

/// Whether this node can move slots at all.
fn check_node(topology: &Topology, is_claimed: impl Fn(u16) -> bool) -> Outcome {
    use crate::cluster::SlotState::{Importing, Migrating, Stable};
    if topology.my_primary().is_some() {
        return Err(Error::err("Slot migration can only be used on primary nodes."));
    }
    // A slot that a migration has opened is not open by hand.
    for (_, state) in topology.open_slots().filter(|(slot, _)| !is_claimed(*slot)) {
        match state {
            Importing { .. } => return Err(Error::err("Slots are being manually imported")),
            Migrating { .. } => return Err(Error::err("Slots are being manually migrated")),
            Stable => {}
        }
    }
    Ok(())
}

/// Reads `SLOTSRANGE start end [start end ...] NODE id`, once or more often.
fn parse(
    call: &Call<'_, '_>,
    topology: &Topology,
    is_moving: impl Fn(u16) -> bool,
) -> Result<Vec<MigrationOrder>, Error> {
    let mut orders: Vec<MigrationOrder> = Vec::new();
    let mut words = &call.words[2..];
    while let Some((word, rest)) = words.split_first() {
        if !word.eq_ignore_ascii_case(b"slotsrange") {
            return Err(Error::SYNTAX);
        }
        let (slots, rest) = parse_ranges(call, topology, rest)?;
        if let Some(slot) = slots.iter().find(|&slot| is_moving(slot)) {
            return Err(told(format!("I am already migrating slot {slot}.")));
        }
        let is_twice = |order: &MigrationOrder| slots.iter().any(|slot| order.slots.contains(slot));
        if orders.iter().any(is_twice) {
            return Err(Error::err("Slot ranges in migrations overlap"));
        }
        let [node, name, rest @ ..] = rest else { return Err(Error::SYNTAX) };
        if !node.eq_ignore_ascii_case(b"node") {
            return Err(Error::SYNTAX);
        }
        let target = parse_target(topology, name)?;
        orders.push(MigrationOrder { slots, target });
        words = rest;
    }
    Ok(orders)
}

/// Reads ranges of slots that this node serves, up to the first word that is no number.
fn parse_ranges<'w, 'a>(
    call: &Call<'_, '_>,
    topology: &Topology,
    words: &'w [&'a [u8]],
) -> Result<(SlotSet, &'w [&'a [u8]]), Error> {
    let (mut slots, mut rest) = (SlotSet::new(), words);
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    let mut owner = None;
    let slot = |word: &[u8]| {
        let number = parse_i64(word).and_then(|number| in_range(number, scheme(call)));
        number.ok_or_else(|| invalid_slot(InvalidSlot))
    };
    while let Some((start, after)) =
        rest.split_first().filter(|(word, _)| parse_i64(word).is_some())
    {
        let first = slot(start)?;
        let Some((end, after)) = after.split_first() else {
            return Err(Error::err("No end slot for final slot range"));
        };
        let last = slot(end)?;
        if first > last {
            let text = format!("Start slot number {first} is greater than end slot number {last}.");
            return Err(told(text));
        }
        for slot in first..=last {
            let Some(node) = topology.owner(slot) else {
                return Err(told(format!("Slot {slot} has no node served.")));
            };
            if *owner.get_or_insert(node.id) != node.id {
                return Err(Error::err("Requested slots span multiple shards"));
            }
        }
        let overlaps = |&&(from, to): &&(u16, u16)| last >= from && first <= to;
        if let Some((from, to)) = ranges.iter().find(overlaps) {
            return Err(told(format!(
                "Slot range {first}-{last} overlaps with previous range {from}-{to}."
            )));
        }
        ranges.push((first, last));
        (first..=last).for_each(|slot| _ = slots.insert(slot));
        rest = after;
    }
    match owner {
        None => Err(Error::err("No slot ranges specified")),
        Some(owner) if owner != topology.myself().id => {
            Err(Error::err("Slots are not served by this node."))
        }
        Some(_) => Ok((slots, rest)),
    }
}

fn parse_target(topology: &Topology, name: &[u8]) -> Result<NodeId, Error> {
    let text = String::from_utf8_lossy(name);
    if name.len() != NodeId::LEN {
        return Err(told(format!("Invalid node name: {text}")));
    }
    let node = NodeId::parse(name).and_then(|id| topology.node(id));
    let node = node.ok_or_else(|| told(format!("Unknown node name: {text}")))?;
    if node.id == topology.myself().id {
        return Err(Error::err("Target node can not be this node."));
    }
    Ok(node.id)
}

fn told(text: String) -> Error {
    Error::new(ErrorKind::Err, text)
}
