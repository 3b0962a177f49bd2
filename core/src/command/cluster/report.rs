//! CLUSTER on the cluster as a whole: INFO, NODES, SLOTS, SHARDS, as this node sees it.

use super::cluster;
use crate::cluster::{Health, Node, NodeId, Role, SlotState, Topology};
use crate::command::Call;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::slot::{SlotRange, SlotSet};
use std::fmt::Write as _;

pub(super) fn my_id(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let id = cluster(call)?.view().topology.myself().id;
    call.out.bulk(id.as_str().as_bytes());
    Ok(())
}

pub(super) fn info(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let text = info_text(&cluster(call)?.view().topology);
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

pub(super) fn nodes(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let text = nodes_text(&cluster(call)?.view().topology);
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

pub(super) fn slots(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let view = cluster(call)?.view();
    let topology = &view.topology;
    let ranges = owned_ranges(topology);
    call.out.array(ranges.len());
    for (range, owner) in ranges {
        let replicas: Vec<&Node> = replicas_of(topology, owner.id).collect();
        call.out.array(3 + replicas.len());
        call.out.integer(i64::from(range.first));
        call.out.integer(i64::from(range.last));
        write_endpoint(call.out, owner);
        replicas.into_iter().for_each(|replica| write_endpoint(call.out, replica));
    }
    Ok(())
}

pub(super) fn shards(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let view = cluster(call)?.view();
    let topology = &view.topology;
    let primaries: Vec<&Node> = primaries(topology).collect();
    call.out.array(primaries.len());
    for primary in primaries {
        let ranges: Vec<SlotRange> = topology.slots_of(primary.id).ranges().collect();
        let replicas: Vec<&Node> = replicas_of(topology, primary.id).collect();
        call.out.map(2);
        call.out.bulk(b"slots");
        call.out.array(2 * ranges.len());
        for range in ranges {
            call.out.integer(i64::from(range.first));
            call.out.integer(i64::from(range.last));
        }
        call.out.bulk(b"nodes");
        call.out.array(1 + replicas.len());
        write_node(call.out, primary);
        replicas.into_iter().for_each(|replica| write_node(call.out, replica));
    }
    Ok(())
}

fn primaries(topology: &Topology) -> impl Iterator<Item = &Node> {
    topology.nodes().iter().filter(|node| node.role == Role::Primary)
}

pub(super) fn replicas_of(topology: &Topology, primary: NodeId) -> impl Iterator<Item = &Node> {
    topology.nodes().iter().filter(move |node| node.role == Role::Replica { of: primary })
}

/// The ranges of slots that one node owns, ascending, with the owner.
fn owned_ranges(topology: &Topology) -> Vec<(SlotRange, &Node)> {
    let ranges = topology.nodes().iter().flat_map(|node| {
        let owned: Vec<_> = topology.slots_of(node.id).ranges().collect();
        owned.into_iter().map(move |range| (range, node))
    });
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable_by_key(|(range, _)| *range);
    ranges
}

/// Address and name, and a map for further addresses, of which there are none.
fn write_endpoint(out: &mut dyn ReplySink, node: &Node) {
    out.array(4);
    out.bulk(node.host.as_bytes());
    out.integer(i64::from(node.port));
    out.bulk(node.id.as_str().as_bytes());
    out.map(0);
}

fn write_node(out: &mut dyn ReplySink, node: &Node) {
    out.map(7);
    out.bulk(b"id");
    out.bulk(node.id.as_str().as_bytes());
    out.bulk(b"port");
    out.integer(i64::from(node.port));
    out.bulk(b"ip");
    out.bulk(node.host.as_bytes());
    out.bulk(b"endpoint");
    out.bulk(node.host.as_bytes());
    out.bulk(b"role");
    out.bulk(match node.role {
        Role::Primary => b"master",
        Role::Replica { .. } => b"replica",
    });
    out.bulk(b"replication-offset");
    out.integer(0);
    out.bulk(b"health");
    out.bulk(match node.health {
        Health::Online | Health::Suspected => b"online",
        Health::Failed => b"failed",
    });
}

fn info_text(topology: &Topology) -> String {
    let assigned = topology.assigned();
    let size = primaries(topology).filter(|node| !topology.slots_of(node.id).is_empty()).count();
    let suspected = topology.slots_owned(Health::Suspected);
    let failed = topology.slots_owned(Health::Failed);
    let lines = [
        ("state", if topology.is_up() { "ok" } else { "fail" }.to_string()),
        ("slots_assigned", assigned.to_string()),
        ("slots_ok", (assigned - suspected - failed).to_string()),
        ("slots_pfail", suspected.to_string()),
        ("slots_fail", failed.to_string()),
        ("known_nodes", topology.nodes().len().to_string()),
        ("size", size.to_string()),
        ("current_epoch", topology.current_epoch().to_string()),
        ("my_epoch", topology.myself().config_epoch.to_string()),
        ("stats_messages_sent", "0".to_string()),
        ("stats_messages_received", "0".to_string()),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        let _ = write!(text, "cluster_{name}:{value}\r\n");
    }
    text.push_str("total_cluster_links_buffer_limit_exceeded:0\r\n");
    text
}

fn nodes_text(topology: &Topology) -> String {
    let mut text = String::new();
    for node in topology.nodes() {
        let _ = writeln!(text, "{}", node_text(topology, node));
    }
    text
}

/// The line of a node, as CLUSTER NODES prints it.
pub(super) fn node_text(topology: &Topology, node: &Node) -> String {
    let is_me = node.id == topology.myself().id;
    let (role, primary) = match node.role {
        Role::Primary => ("master", "-".to_string()),
        Role::Replica { of } => ("slave", of.to_string()),
    };
    let myself = if is_me { "myself," } else { "" };
    let (health, link) = match node.health {
        Health::Online => ("", "connected"),
        Health::Suspected => (",fail?", "connected"),
        Health::Failed => (",fail", "disconnected"),
    };
    let Node { id, host, port, config_epoch, .. } = node;
    let bus_port = node.bus_port();
    let owned = owned_text(&topology.slots_of(node.id));
    let open = if is_me { open_text(topology) } else { String::new() };
    format!(
        "{id} {host}:{port}@{bus_port} {myself}{role}{health} {primary} 0 0 {config_epoch} \
         {link}{owned}{open}"
    )
}

fn owned_text(owned: &SlotSet) -> String {
    if owned.is_empty() { String::new() } else { format!(" {owned}") }
}

fn open_text(topology: &Topology) -> String {
    let texts = topology.open_slots().map(|(slot, state)| match state {
        SlotState::Stable => String::new(),
        SlotState::Migrating { to } => format!(" [{slot}->-{to}]"),
        SlotState::Importing { from } => format!(" [{slot}-<-{from}]"),
    });
    texts.collect()
}
