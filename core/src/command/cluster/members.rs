//! CLUSTER on the members: who they are, how they meet and part, and whose claim is the later.
//!
//! There is no gossip: nodes meet in the store where the cluster keeps its topology, and its
//! compare-and-set is the vote. What has no meaning without a bus is answered as a node with no links
//! would.

use super::{change_topology, cluster, report};
use crate::cluster::{Cluster, Health, Node, NodeId, Role, Topology};
use crate::command::Call;
use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_i64;
use std::net::IpAddr;

type Outcome = Result<(), Error>;

const NOT_A_PRIMARY: Error = Error::err("The specified node is not a master");

/// The node that a word names.
fn known(topology: &Topology, name: &[u8]) -> Result<Node, Error> {
    let node = NodeId::parse(name).and_then(|id| topology.node(id));
    node.cloned().ok_or_else(|| Error::repeating("Unknown node ", name, ""))
}

/// What is said of too many words for a subcommand that may have some.
fn wrong_number(call: &Call<'_, '_>) -> Error {
    let start = "unknown subcommand or wrong number of arguments for '";
    Error::repeating(start, call.words[1], "'. Try CLUSTER HELP.")
}

/// How many keys are here, in all databases.
fn key_count(call: &mut Call<'_, '_>) -> usize {
    let databases = 0..call.keys.keyspace().databases();
    call.keys.with_all(|keys| databases.map(|db| keys.count(db)).sum())
}

pub(super) fn my_shard_id(call: &mut Call<'_, '_>) -> Outcome {
    let id = cluster(call)?.view().topology.my_shard_id();
    call.out.bulk(id.as_str().as_bytes());
    Ok(())
}

pub(super) fn replicas(call: &mut Call<'_, '_>) -> Outcome {
    let view = cluster(call)?.view();
    let primary = known(&view.topology, call.words[2])?;
    if primary.role != Role::Primary {
        return Err(NOT_A_PRIMARY);
    }
    let replicas: Vec<&Node> = report::replicas_of(&view.topology, primary.id).collect();
    call.out.array(replicas.len());
    for replica in replicas {
        call.out.bulk(report::node_text(&view.topology, replica).as_bytes());
    }
    Ok(())
}

pub(super) fn count_failure_reports(call: &mut Call<'_, '_>) -> Outcome {
    known(&cluster(call)?.view().topology, call.words[2])?;
    call.out.integer(0);
    Ok(())
}

pub(super) fn links(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    call.out.array(0);
    Ok(())
}

/// What is known is always saved, if there is a store.
pub(super) fn save_config(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    call.out.ok();
    Ok(())
}

pub(super) fn set_config_epoch(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    let epoch = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let epoch = u64::try_from(epoch).map_err(|_| {
        Error::new(ErrorKind::Err, format!("Invalid config epoch specified: {epoch}"))
    })?;
    change_topology(call, |topology| {
        if topology.nodes().len() > 1 {
            return Err(Error::err(
                "The user can assign a config epoch only when the node does not know any other node.",
            ));
        }
        if topology.myself().config_epoch != 0 {
            return Err(Error::err("Node config epoch is already non-zero"));
        }
        topology.set_my_epoch(epoch);
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}

pub(super) fn bump_epoch(call: &mut Call<'_, '_>) -> Outcome {
    let (bumped, epoch) = change_topology(call, |topology| {
        let bumped = topology.bump_my_epoch();
        Ok((bumped, topology.myself().config_epoch))
    })?;
    call.out.status(&format!("{} {epoch}", if bumped { "BUMPED" } else { "STILL" }));
    Ok(())
}

pub(super) fn meet(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    if call.words.len() > 5 {
        return Err(wrong_number(call));
    }
    let (host, port) = parse_address(&call.words[2..])?;
    let here = cluster(call)?;
    call.keys.with_all(|_| {
        let topology = here.view().topology.clone();
        let me = topology.myself().id;
        here.change_record(topology, |record| {
            let Some(other) = record.member_at(&host, port) else {
                let text = format!("No node at {host}:{port} has joined the store of the topology");
                return Err(Error::new(ErrorKind::Err, text));
            };
            record.meet(me, other.node.id);
            Ok(())
        })
    })?;
    call.out.ok();
    Ok(())
}

/// Reads the words of CLUSTER MEET.
fn parse_address(words: &[&[u8]]) -> Result<(String, u16), Error> {
    let [host, base, rest @ ..] = words else { return Err(Error::SYNTAX) };
    let port = parse_i64(base)
        .ok_or_else(|| Error::repeating("Invalid base port specified: ", base, ""))?;
    let bus_port = match rest {
        [] => port.saturating_add(10_000),
        [bus, ..] => parse_i64(bus)
            .ok_or_else(|| Error::repeating("Invalid bus port specified: ", bus, ""))?,
    };
    let is_port = |port: i64| (1..=65_535).contains(&port);
    let host_text = std::str::from_utf8(host).ok().filter(|host| host.parse::<IpAddr>().is_ok());
    match host_text {
        Some(host) if is_port(port) && is_port(bus_port) => Ok((host.to_owned(), port as u16)),
        _ => {
            let address = [host, &b":"[..], base].concat();
            Err(Error::repeating("Invalid node address specified: ", &address, ""))
        }
    }
}

/// The node that is to be forgotten; none if another node, to which the same was said, has done so
/// for all that share the store.
fn still_known(here: &Cluster, topology: &Topology, name: &[u8]) -> Result<Option<Node>, Error> {
    let unknown = match known(topology, name) {
        Ok(node) => return Ok(Some(node)),
        Err(error) => error,
    };
    let (Some(store), Some(id)) = (here.store(), NodeId::parse(name)) else { return Err(unknown) };
    if store.load()?.record.member(id).is_none() { Err(unknown) } else { Ok(None) }
}

pub(super) fn forget(call: &mut Call<'_, '_>) -> Outcome {
    let here = cluster(call)?;
    let name = call.words[2];
    call.keys.with_all(|_| {
        let topology = here.view().topology.clone();
        let Some(node) = still_known(here, &topology, name)? else { return Ok(()) };
        if node.id == topology.myself().id {
            return Err(Error::err("I tried hard but I can't forget myself..."));
        }
        if topology.my_primary() == Some(node.id) {
            return Err(Error::err("Can't forget my master!"));
        }
        if here.store().is_some() {
            return here.change_record(topology, |record| {
                record.forget(node.id);
                Ok(())
            });
        }
        here.change(|view| view.topology.remove_node(node.id));
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}

/// Redis's preconditions. Copying data from the primary is not the engine's, so the host says who
/// is whose replica.
pub(super) fn replicate(call: &mut Call<'_, '_>) -> Outcome {
    let topology = cluster(call)?.view().topology.clone();
    let primary = known(&topology, call.words[2])?;
    let myself = topology.myself();
    if primary.id == myself.id {
        return Err(Error::err("Can't replicate myself"));
    }
    if primary.role != Role::Primary {
        return Err(Error::err("I can only replicate a master, not a replica."));
    }
    let owns = !topology.slots_of(myself.id).is_empty();
    if myself.role == Role::Primary && (owns || key_count(call) > 0) {
        return Err(Error::err(
            "To set a master the node must be empty and without assigned slots.",
        ));
    }
    Err(Error::err("The host of this engine says who is whose replica"))
}

pub(super) fn fail_over(call: &mut Call<'_, '_>) -> Outcome {
    cluster(call)?;
    let is_forced = match &call.words[2..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"force") => true,
        [word] if word.eq_ignore_ascii_case(b"takeover") => true,
        [_] => return Err(Error::SYNTAX),
        _ => return Err(wrong_number(call)),
    };
    change_topology(call, |topology| {
        let Some(primary) = topology.my_primary() else {
            return Err(Error::err("You should send CLUSTER FAILOVER to a replica"));
        };
        let Some(primary) = topology.node(primary) else {
            return Err(Error::err("I'm a replica but my master is unknown to me"));
        };
        if primary.health == Health::Failed && !is_forced {
            return Err(Error::err("Master is down or failed, please use CLUSTER FAILOVER FORCE"));
        }
        topology.take_over();
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}

pub(super) fn reset(call: &mut Call<'_, '_>) -> Outcome {
    let here = cluster(call)?;
    let is_hard = match &call.words[2..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"hard") => true,
        [word] if word.eq_ignore_ascii_case(b"soft") => false,
        [_] => return Err(Error::SYNTAX),
        _ => return Err(wrong_number(call)),
    };
    let name = is_hard.then(|| NodeId::random(|| call.env.random()));
    let databases = 0..call.keys.keyspace().databases();
    call.keys.with_all(|keys| {
        let mut topology = here.view().topology.clone();
        let is_primary = topology.my_primary().is_none();
        if is_primary && databases.clone().any(|db| keys.count(db) > 0) {
            return Err(Error::err(
                "CLUSTER RESET can't be called with master nodes containing keys",
            ));
        }
        let old = topology.myself().id;
        topology.reset(name);
        if here.store().is_some() {
            let anew = topology.myself().clone();
            here.change_record(topology, |record| {
                record.leave(old, anew.clone());
                Ok(())
            })?;
        } else {
            here.change(|view| view.topology = topology);
        }
        // What a replica holds is its primary's.
        databases.for_each(|db| _ = keys.flush(db));
        Ok(())
    })?;
    call.out.ok();
    Ok(())
}
