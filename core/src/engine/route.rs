//! Whether a command is served here, or where the client is to go instead. First match wins:
//!
//! | |condition|reply|
//! |-|-|-|
//! |1|the slot of the first key has no owner|`CLUSTERDOWN Hash slot not served`|
//! |2|another key is in another slot|`CROSSSLOT`|
//! |3|no keys|serve|
//! |4|the cluster is down (or, if reads are allowed then, a write)|`CLUSTERDOWN`|
//! |5|MIGRATE, and the slot is open here|serve|
//! |6|migrating, some keys are here and some not|`TRYAGAIN`|
//! |7|migrating, none is here|`ASK`|
//! |8|importing, and the command asks|two or more keys and any missing: `TRYAGAIN`; else serve|
//! |9|a read, at a replica of the owner, in a session that is READONLY|serve|
//! |10|the owner is another|`MOVED`|
//!
//! Redis's rules, but for one case that it has not, since its MIGRATE blocks the server: a key that
//! was sent to the target and is not yet deleted here may be read and not be written. Before 6, a
//! write to it, and anything that finds it gone, waits if the migration is of a mode that lets it,
//! and is told `TRYAGAIN` otherwise. Where keys go by tag, one counts as here from 6 on that has a tag
//! which has not left.

use crate::cluster::{Cluster, InFlight, SlotState, View, Writers};
use crate::command::table::{Spec, flag};
use crate::command::{ClientState, Environment, Transaction};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Key};

const UNASSIGNED: Error = Error::fixed(ErrorKind::ClusterDown, "Hash slot not served");
const DOWN: Error = Error::fixed(ErrorKind::ClusterDown, "The cluster is down");
const DOWN_FOR_WRITES: Error =
    Error::fixed(ErrorKind::ClusterDown, "The cluster is down and only accepts read commands");
const CROSS_SLOT: Error =
    Error::fixed(ErrorKind::CrossSlot, "Keys in request don't hash to the same slot");
const TRY_AGAIN: Error =
    Error::fixed(ErrorKind::TryAgain, "Multiple keys request during rehashing of slot");
/// What is told to who cannot wait for the end of a fence; all others do.
const FENCED: Error =
    Error::fixed(ErrorKind::TryAgain, "The slot is about to be served by another node");
const IN_TRANSIT: Error =
    Error::fixed(ErrorKind::TryAgain, "The key is on its way to another node");

/// What is told to who cannot wait for a key to have arrived; all others do.
const HELD: Error = Error::fixed(ErrorKind::TryAgain, "The key is about to be at another node");

/// Whether a command that is refused with this error is to wait, if it can.
#[inline]
pub(super) fn is_fenced(error: &Error) -> bool {
    *error == FENCED || *error == HELD
}

/// What of a command and its session matters to where it is served.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    /// It writes.
    write: bool,
    /// It may write, itself or by a script.
    may_write: bool,
    /// It is MIGRATE or Codis's, and looks itself at which keys are on their way.
    migrate: bool,
    /// ASKING came before it, or it is RESTORE-ASKING or Codis's.
    asking: bool,
    /// The session is content with a replica's view.
    readonly: bool,
}

/// Says whether a command is served here. Its keys' shards are locked. `asking` is whether ASKING
/// came before it.
#[inline]
pub(super) fn check(
    env: &Environment,
    spec: &Spec,
    client: &ClientState,
    asking: bool,
    keys: &[Key<'_>],
    access: &mut Access<'_>,
) -> Result<(), Error> {
    let flags = spec.flags;
    let write = flags & flag::WRITE != 0;
    let Some(cluster) = &env.cluster else {
        return check_in_flight(&env.in_flight, spec.may_write(), keys);
    };
    match keys {
        [] => {
            if spec.writes_databases() && cluster.view().fences_databases() {
                return Err(FENCED);
            }
            note_write_without_keys(cluster, spec, keys);
            check_in_flight(&env.in_flight, spec.may_write(), keys)
        }
        [key] if cluster.is_plain(key.slot) => {
            check_in_flight(&env.in_flight, spec.may_write(), keys)
        }
        _ => {
            let request = Request {
                write,
                may_write: spec.may_write(),
                migrate: &*spec.name == "migrate" || spec.name.starts_with("slotsmgrt"),
                asking: asking
                    || flags & flag::ASKING != 0
                    || spec.name.starts_with("slotsrestore"),
                readonly: client.readonly,
            };
            judge(&cluster.view(), &env.in_flight, request, keys, |key| access.contains(key))
        }
    }
}

/// Bars writing to keys that a command has sent to another node. Writes without keys pass: keys that
/// are flushed meanwhile count as moved before, and SWAPDB looks for itself.
#[inline]
fn check_in_flight(in_flight: &InFlight, write: bool, keys: &[Key<'_>]) -> Result<(), Error> {
    if !write || !in_flight.any() {
        return Ok(());
    }
    let barred = keys.iter().any(|key| in_flight.may_hold(key));
    if barred { Err(IN_TRANSIT) } else { Ok(()) }
}

/// As [`check`], for the commands of a transaction: judged as one with the keys of all.
pub(super) fn check_all(
    env: &Environment,
    transaction: &Transaction,
    client: &ClientState,
    asking: bool,
    keys: &[Key<'_>],
    access: &mut Access<'_>,
) -> Result<(), Error> {
    let (write, may_write) = (transaction.writes(), transaction.may_write());
    let Some(cluster) = &env.cluster else {
        return check_in_flight(&env.in_flight, may_write, keys);
    };
    let readonly = client.readonly;
    let request = Request { write, may_write, migrate: false, asking, readonly };
    judge(&cluster.view(), &env.in_flight, request, keys, |key| access.contains(key))
}

/// Says whether a command on whole databases can be carried out now.
pub(super) fn check_databases(env: &Environment) -> Result<(), Error> {
    let fenced = env.cluster.as_ref().is_some_and(|cluster| cluster.view().fences_databases());
    if fenced { Err(FENCED) } else { Ok(()) }
}

/// Tells the migrations that keys on their way may have changed, if a command without keys writes,
/// as FLUSHALL and SWAPDB do. To be called before such a command acts and after it.
#[inline]
pub(super) fn note_write_without_keys(cluster: &Cluster, spec: &Spec, keys: &[Key<'_>]) {
    if keys.is_empty() && spec.writes_databases() {
        cluster.disturb();
    }
}

/// The table above.
fn judge(
    view: &View,
    in_flight: &InFlight,
    request: Request,
    keys: &[Key<'_>],
    mut exists: impl FnMut(&Key<'_>) -> bool,
) -> Result<(), Error> {
    let topology = &view.topology;
    let Some(first) = keys.first() else { return Ok(()) };
    let slot = first.slot;
    let Some(owner) = topology.owner(slot) else { return Err(UNASSIGNED) };
    if keys.iter().any(|key| key.slot != slot) {
        return Err(CROSS_SLOT);
    }
    if !view.is_up {
        if !topology.allow_reads_when_down {
            return Err(DOWN);
        }
        if request.write {
            return Err(DOWN_FOR_WRITES);
        }
    }
    let state = topology.state(slot);
    if request.migrate && state != SlotState::Stable {
        return Ok(());
    }
    match state {
        SlotState::Stable => {
            let fence = view.fence(slot).filter(|_| topology.is_mine(slot));
            if fence.is_some_and(|fence| fence.holds(request.may_write, keys)) {
                return Err(FENCED);
            }
        }
        SlotState::Migrating { to } => {
            let found = keys.iter().map(|key| (key, exists(key)));
            let mut missing = 0;
            for (key, exists) in found {
                if exists && !request.may_write {
                    continue;
                }
                if in_flight.may_hold(key) {
                    return Err(IN_TRANSIT);
                }
                match view.bar(key) {
                    None => {}
                    Some(Writers::Refused) => return Err(IN_TRANSIT),
                    Some(Writers::Held) => return Err(HELD),
                }
                missing += usize::from(!exists && !view.keeps_tag_of(key));
            }
            if missing > 0 && missing < keys.len() {
                return Err(TRY_AGAIN);
            }
            if missing > 0
                && let Some(to) = topology.node(to)
            {
                return Err(redirect(ErrorKind::Ask, slot, &to.host, to.port));
            }
        }
        SlotState::Importing { .. } if request.asking => {
            let several = keys.iter().any(|key| key.bytes != first.bytes);
            let served = !several || keys.iter().all(exists);
            return if served {
                check_in_flight(in_flight, request.may_write, keys)
            } else {
                Err(TRY_AGAIN)
            };
        }
        SlotState::Importing { .. } => {}
    }
    let at_replica = topology.my_primary() == Some(owner.id);
    if topology.is_mine(slot) || (at_replica && request.readonly && !request.write) {
        return check_in_flight(in_flight, request.may_write, keys);
    }
    Err(redirect(ErrorKind::Moved, slot, &owner.host, owner.port))
}

fn redirect(kind: ErrorKind, slot: u16, host: &str, port: u16) -> Error {
    Error::new(kind, format!("{slot} {host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Node, NodeId, Role, Topology, Transit};
    use crate::slot::SlotScheme;
    use std::sync::Arc;

    const ME: [u8; 40] = [b'a'; 40];
    const OTHER: [u8; 40] = [b'b'; 40];
    const READ: Request =
        Request { write: false, may_write: false, migrate: false, asking: false, readonly: false };
    const WRITE: Request = Request { write: true, may_write: true, ..READ };
    const ASKING: Request = Request { asking: true, ..READ };
    const DOWN_TEXT: &str = "CLUSTERDOWN The cluster is down";
    const TRY_AGAIN_TEXT: &str = "TRYAGAIN Multiple keys request during rehashing of slot";

    fn id(name: [u8; 40]) -> NodeId {
        NodeId::parse(&name).unwrap()
    }

    /// Slot 1 is mine, slot 2 the other's; the rest is nobody's, which is allowed.
    fn topology() -> Topology {
        let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(ME), "me", 1));
        topology.put_node(Node::primary(id(OTHER), "other", 2));
        topology.require_full_coverage = false;
        topology.assign(1, id(ME));
        topology.assign(2, id(OTHER));
        topology
    }

    fn with_state(slot: u16, state: SlotState) -> View {
        let mut topology = topology();
        topology.set_state(slot, state);
        View::new(topology)
    }

    fn migrating() -> View {
        with_state(1, SlotState::Migrating { to: id(OTHER) })
    }

    fn importing() -> View {
        with_state(2, SlotState::Importing { from: id(OTHER) })
    }

    fn key(bytes: &'static str, slot: u16) -> Key<'static> {
        let hash = u64::from(bytes.as_bytes()[0]);
        Key { bytes: bytes.as_bytes(), hash, slot, db: 0, held: 0 }
    }

    /// Keys in capitals are there, others are not.
    #[track_caller]
    fn told(view: &View, request: Request, keys: &[Key<'_>], text: &str) {
        let exists = |key: &Key<'_>| key.bytes[0].is_ascii_uppercase();
        let answer = judge(view, &InFlight::default(), request, keys, exists);
        assert_eq!(answer.map_or_else(|error| error.to_string(), |()| "serve".into()), text);
    }

    #[test]
    fn row_1_nobody_owns_the_slot_of_the_first_key() {
        let view = View::new(topology());
        told(&view, READ, &[key("a", 9)], "CLUSTERDOWN Hash slot not served");
        told(&view, READ, &[key("a", 9), key("b", 1)], "CLUSTERDOWN Hash slot not served");
    }

    #[test]
    fn row_2_keys_in_two_slots() {
        let text = "CROSSSLOT Keys in request don't hash to the same slot";
        told(&View::new(topology()), READ, &[key("a", 1), key("b", 9)], text);
        let mut down = topology();
        down.require_full_coverage = true;
        told(&View::new(down), READ, &[key("a", 1), key("b", 2)], text);
    }

    #[test]
    fn row_3_without_keys_everything_is_served() {
        let mut down = topology();
        down.require_full_coverage = true;
        told(&View::new(down), WRITE, &[], "serve");
    }

    #[test]
    fn row_4_a_cluster_that_is_down() {
        let mut down = topology();
        down.require_full_coverage = true;
        told(&View::new(down.clone()), READ, &[key("A", 1)], DOWN_TEXT);
        down.allow_reads_when_down = true;
        told(&View::new(down.clone()), READ, &[key("A", 1)], "serve");
        told(&View::new(down.clone()), READ, &[key("A", 2)], "MOVED 2 other:2");
        let text = "CLUSTERDOWN The cluster is down and only accepts read commands";
        told(&View::new(down), WRITE, &[key("A", 1)], text);
    }

    #[test]
    fn row_5_migrate_works_on_open_slots() {
        let migrate = Request { migrate: true, ..WRITE };
        told(&migrating(), migrate, &[key("a", 1)], "serve");
        told(&importing(), migrate, &[key("a", 2)], "serve");
        told(&View::new(topology()), migrate, &[key("a", 2)], "MOVED 2 other:2");
    }

    #[test]
    fn row_6_some_keys_left_and_some_did_not() {
        told(&migrating(), READ, &[key("A", 1), key("b", 1)], TRY_AGAIN_TEXT);
        told(&migrating(), READ, &[key("a", 1), key("B", 1)], TRY_AGAIN_TEXT);
        told(&migrating(), READ, &[key("A", 1), key("B", 1)], "serve");
    }

    #[test]
    fn row_7_keys_that_left_or_never_were() {
        told(&migrating(), WRITE, &[key("a", 1)], "ASK 1 other:2");
        told(&migrating(), READ, &[key("a", 1), key("b", 1)], "ASK 1 other:2");
        told(&migrating(), ASKING, &[key("a", 1)], "ASK 1 other:2");
        told(&migrating(), WRITE, &[key("A", 1)], "serve");
    }

    #[test]
    fn row_8_an_importing_slot_serves_who_asks() {
        told(&importing(), ASKING, &[key("a", 2)], "serve");
        told(&importing(), ASKING, &[key("a", 2), key("a", 2)], "serve");
        told(&importing(), ASKING, &[key("A", 2), key("B", 2)], "serve");
        told(&importing(), ASKING, &[key("A", 2), key("b", 2)], TRY_AGAIN_TEXT);
        told(&importing(), READ, &[key("A", 2)], "MOVED 2 other:2");
    }

    #[test]
    fn row_9_replicas_serve_reads_to_sessions_that_want_them() {
        let mut topology = topology();
        let mut me = topology.myself().clone();
        me.role = Role::Replica { of: id(OTHER) };
        topology.put_node(me);
        let view = View::new(topology);
        let readonly = Request { readonly: true, ..READ };
        told(&view, readonly, &[key("a", 2)], "serve");
        told(&view, READ, &[key("a", 2)], "MOVED 2 other:2");
        told(
            &view,
            Request { write: true, may_write: true, ..readonly },
            &[key("a", 2)],
            "MOVED 2 other:2",
        );
    }

    #[test]
    fn row_10_another_owns_the_slot() {
        let view = View::new(topology());
        told(&view, READ, &[key("a", 2)], "MOVED 2 other:2");
        told(&view, ASKING, &[key("a", 2)], "MOVED 2 other:2");
        told(&view, WRITE, &[key("a", 1)], "serve");
    }

    #[test]
    fn a_key_in_transit_is_read_and_not_written() {
        let mut view = migrating();
        let mut keys = Transit::new(1, 0);
        keys.push(b"A", u64::from(b'A'));
        keys.push(b"x", u64::from(b'x'));
        let keys = Arc::new(keys);
        view.send_off(1, keys.clone(), Writers::Refused);
        let text = "TRYAGAIN The key is on its way to another node";
        told(&view, READ, &[key("A", 1)], "serve");
        told(&view, WRITE, &[key("A", 1)], text);
        told(&view, Request { may_write: true, ..READ }, &[key("A", 1), key("B", 1)], text);
        told(&view, WRITE, &[key("B", 1)], "serve");
        told(&view, READ, &[key("x", 1)], text);
        told(&view, READ, &[key("y", 1)], "ASK 1 other:2");
        view.send_off(1, keys.clone(), Writers::Held);
        told(&view, READ, &[key("A", 1)], "serve");
        let text = HELD.to_string();
        told(&view, WRITE, &[key("A", 1)], &text);
        told(&view, Request { may_write: true, ..READ }, &[key("A", 1)], &text);
        told(&view, READ, &[key("x", 1)], &text);
        view.settle(1, &keys, true, None);
        told(&view, WRITE, &[key("A", 1)], "serve");
    }
}
