//! CLUSTER and the session's part in it: which slot a key has, what a slot holds, who owns it.
//! What is served where is the engine's routing; moving keys is the migration's work.

mod members;
mod migrations;
mod report;
mod slot_stats;
mod slots;

use super::call::Call;
use super::table::{Command, Deprecation, Group, category, flag};
use crate::cluster::{Cluster, Topology};
use crate::error::Error;

const DISABLED: Error = Error::err("This instance has cluster support disabled");
const VARIES: &[&str] = &["nondeterministic_output"];
const CHANGES: u32 = flag::NO_ASYNC_LOADING | flag::ADMIN | flag::STALE;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "asking",
        summary: "Signals that a cluster client is following an -ASK redirect.",
        flags: flag::FAST,
        categories: Some(category::CONNECTION),
        handler: asking,
        ..ENTRY
    },
    Command {
        name: "readonly",
        summary: "Enables read-only queries for a connection to a Redis Cluster replica node.",
        flags: flag::FAST | flag::LOADING | flag::STALE,
        categories: Some(category::CONNECTION),
        handler: readonly,
        ..ENTRY
    },
    Command {
        name: "readwrite",
        summary: "Enables read-write queries for a connection to a Reids Cluster replica node.",
        flags: flag::FAST | flag::LOADING | flag::STALE,
        categories: Some(category::CONNECTION),
        handler: readwrite,
        ..ENTRY
    },
    Command {
        name: "cluster",
        summary: "A container for Redis Cluster commands.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        help: HELP,
        ..ENTRY
    },
];

const ENTRY: Command = Command { since: "3.0.0", group: Group::Cluster, ..Command::DEFAULT };

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "addslots",
        summary: "Assigns new hash slots to a node.",
        complexity: "O(N) where N is the total number of hash slot arguments",
        flags: CHANGES,
        grammar: "slot:integer...",
        handler: slots::add_slots,
        ..ENTRY
    },
    Command {
        name: "addslotsrange",
        summary: "Assigns new hash slot ranges to a node.",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of the slots between the start slot and end \
                     slot arguments.",
        flags: CHANGES,
        grammar: "range=(start-slot:integer end-slot:integer)...",
        handler: slots::add_slots_range,
        ..ENTRY
    },
    Command {
        name: "bumpepoch",
        summary: "Advances the cluster config epoch.",
        flags: CHANGES,
        tips: VARIES,
        handler: members::bump_epoch,
        ..ENTRY
    },
    Command {
        name: "cancelslotmigrations",
        summary: "Cancels the slot migrations of this node.",
        since: "9.0.0",
        complexity: "O(N) where N is the number of migrations.",
        flags: CHANGES,
        handler: migrations::cancel_slot_migrations,
        ..ENTRY
    },
    Command {
        name: "count-failure-reports",
        summary: "Returns the number of active failure reports active for a node.",
        complexity: "O(N) where N is the number of failure reports",
        flags: flag::ADMIN | flag::STALE,
        tips: VARIES,
        grammar: "node-id",
        handler: members::count_failure_reports,
        ..ENTRY
    },
    Command {
        name: "countkeysinslot",
        summary: "Returns the number of keys in a hash slot.",
        flags: flag::STALE,
        grammar: "slot:integer",
        handler: slots::count_keys_in_slot,
        ..ENTRY
    },
    Command {
        name: "delslots",
        summary: "Sets hash slots as unbound for a node.",
        complexity: "O(N) where N is the total number of hash slot arguments",
        flags: CHANGES,
        grammar: "slot:integer...",
        handler: slots::delete_slots,
        ..ENTRY
    },
    Command {
        name: "delslotsrange",
        summary: "Sets hash slot ranges as unbound for a node.",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of the slots between the start slot and end \
                     slot arguments.",
        flags: CHANGES,
        grammar: "range=(start-slot:integer end-slot:integer)...",
        handler: slots::delete_slots_range,
        ..ENTRY
    },
    Command {
        name: "failover",
        summary: "Forces a replica to perform a manual failover of its master.",
        flags: CHANGES,
        grammar: "[options=(FORCE | TAKEOVER)]",
        arity: Some(-2),
        handler: members::fail_over,
        ..ENTRY
    },
    Command {
        name: "flushslots",
        summary: "Deletes all slots information from a node.",
        flags: CHANGES,
        handler: slots::flush_slots,
        ..ENTRY
    },
    Command {
        name: "forget",
        summary: "Removes a node from the nodes table.",
        flags: CHANGES,
        grammar: "node-id",
        handler: members::forget,
        ..ENTRY
    },
    Command {
        name: "getkeysinslot",
        summary: "Returns the key names in a hash slot.",
        complexity: "O(N) where N is the number of requested keys",
        flags: flag::STALE,
        tips: VARIES,
        grammar: "slot:integer count:integer",
        handler: slots::keys_in_slot,
        ..ENTRY
    },
    Command {
        name: "getslotmigrations",
        summary: "Returns the slot migrations of this node that go on, and the last that have ended.",
        since: "9.0.0",
        complexity: "O(N) where N is the number of migrations.",
        flags: flag::ADMIN | flag::STALE,
        tips: VARIES,
        handler: migrations::get_slot_migrations,
        ..ENTRY
    },
    Command { since: "5.0.0", group: Group::Cluster, ..Command::HELP },
    Command {
        name: "info",
        summary: "Returns information about the state of a node.",
        flags: flag::STALE,
        tips: VARIES,
        handler: report::info,
        ..ENTRY
    },
    Command {
        name: "keyslot",
        summary: "Returns the hash slot for a key.",
        complexity: "O(N) where N is the number of bytes in the key",
        flags: flag::STALE,
        grammar: "key:string",
        handler: slots::key_slot,
        ..ENTRY
    },
    Command {
        name: "links",
        summary: "Returns a list of all TCP links to and from peer nodes.",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of Cluster nodes",
        flags: flag::STALE,
        tips: VARIES,
        handler: members::links,
        ..ENTRY
    },
    Command {
        name: "meet",
        summary: "Forces a node to handshake with another node.",
        flags: CHANGES,
        grammar: "ip port:integer [cluster-bus-port:integer@4.0.0]",
        arity: Some(-4),
        history: &[("4.0.0", "Added the optional `cluster_bus_port` argument.")],
        handler: members::meet,
        ..ENTRY
    },
    Command {
        name: "migrateslots",
        summary: "Moves slots of this node to other nodes.",
        since: "9.0.0",
        complexity: "O(N) where N is the number of slots.",
        flags: CHANGES,
        grammar: "migration=(SLOTSRANGE range=(start-slot:integer end-slot:integer)... NODE \
                  node-id)...",
        arity: Some(-4),
        handler: migrations::migrate_slots,
        ..ENTRY
    },
    Command {
        name: "myid",
        summary: "Returns the ID of a node.",
        flags: flag::STALE,
        handler: report::my_id,
        ..ENTRY
    },
    Command {
        name: "myshardid",
        summary: "Returns the shard ID of a node.",
        since: "7.2.0",
        flags: flag::STALE,
        tips: VARIES,
        handler: members::my_shard_id,
        ..ENTRY
    },
    Command {
        name: "nodes",
        summary: "Returns the cluster configuration for a node.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        flags: flag::STALE,
        tips: VARIES,
        handler: report::nodes,
        ..ENTRY
    },
    Command {
        name: "replicas",
        summary: "Lists the replica nodes of a master node.",
        since: "5.0.0",
        flags: flag::ADMIN | flag::STALE,
        tips: VARIES,
        grammar: "node-id",
        handler: members::replicas,
        ..ENTRY
    },
    Command {
        name: "replicate",
        summary: "Configure a node as replica of a master node.",
        flags: CHANGES,
        grammar: "node-id",
        handler: members::replicate,
        ..ENTRY
    },
    Command {
        name: "reset",
        summary: "Resets a node.",
        complexity: "O(N) where N is the number of known nodes. The command may execute a FLUSHALL \
                     as a side effect.",
        flags: flag::ADMIN | flag::NOSCRIPT | flag::STALE,
        grammar: "[reset-type=(HARD | SOFT)]",
        arity: Some(-2),
        handler: members::reset,
        ..ENTRY
    },
    Command {
        name: "saveconfig",
        summary: "Forces a node to save the cluster configuration to disk.",
        flags: CHANGES,
        handler: members::save_config,
        ..ENTRY
    },
    Command {
        name: "set-config-epoch",
        summary: "Sets the configuration epoch for a new node.",
        flags: CHANGES,
        grammar: "config-epoch:integer",
        handler: members::set_config_epoch,
        ..ENTRY
    },
    Command {
        name: "setslot",
        summary: "Binds a hash slot to a node.",
        flags: CHANGES,
        grammar: "slot:integer subcommand=(IMPORTING node-id | MIGRATING node-id | NODE node-id | \
                  STABLE)",
        handler: slots::set_slot,
        ..ENTRY
    },
    Command {
        name: "shards",
        summary: "Returns the mapping of cluster slots to shards.",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of cluster nodes",
        flags: flag::LOADING | flag::STALE,
        tips: VARIES,
        handler: report::shards,
        ..ENTRY
    },
    Command {
        name: "slaves",
        summary: "Lists the replica nodes of a master node.",
        flags: flag::ADMIN | flag::STALE,
        tips: VARIES,
        grammar: "node-id",
        deprecated: Some(Deprecation { since: "5.0.0", replaced_by: "`CLUSTER REPLICAS`" }),
        handler: members::replicas,
        ..ENTRY
    },
    Command {
        name: "slot-stats",
        summary: "Return an array of slot usage statistics for slots assigned to the current node.",
        since: "8.0.0",
        complexity: "O(N) where N is the total number of slots based on arguments. O(N*log(N)) \
                     with ORDERBY subcommand.",
        flags: flag::LOADING | flag::STALE,
        tips: &["nondeterministic_output", "request_policy:all_shards"],
        grammar: "filter=(slotsrange=(SLOTSRANGE start-slot:integer end-slot:integer) | \
                  orderby=(ORDERBY metric:string [LIMIT limit:integer] [order=(ASC | DESC)]))",
        handler: slot_stats::slot_stats,
        ..ENTRY
    },
    Command {
        name: "slots",
        summary: "Returns the mapping of cluster slots to nodes.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        flags: flag::LOADING | flag::STALE,
        tips: VARIES,
        deprecated: Some(Deprecation { since: "7.0.0", replaced_by: "`CLUSTER SHARDS`" }),
        history: &[
            ("4.0.0", "Added node IDs."),
            ("7.0.0", "Added additional networking metadata field."),
        ],
        handler: report::slots,
        ..ENTRY
    },
];

const HELP: &[&str] = &[
    "ADDSLOTS <slot> [<slot> ...]",
    "    Assign slots to current node.",
    "ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Assign slots which are between <start-slot> and <end-slot> to current node.",
    "BUMPEPOCH",
    "    Advance the cluster config epoch.",
    "CANCELSLOTMIGRATIONS",
    "    Cancel all current ongoing slot migration operations.",
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return number of failure reports for <node-id>.",
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "DELSLOTS <slot> [<slot> ...]",
    "    Delete slots information from current node.",
    "DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Delete slots information which are between <start-slot> and <end-slot> from current node.",
    "FAILOVER [FORCE|TAKEOVER]",
    "    Promote current replica node to being a master.",
    "FORGET <node-id>",
    "    Remove a node from the cluster.",
    "GETKEYSINSLOT <slot> <count>",
    "    Return key names stored by current node in a slot.",
    "GETSLOTMIGRATIONS",
    "    Return the status of ongoing and recently finished slot migrations.",
    "FLUSHSLOTS",
    "    Delete current node own slots information.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MEET <ip> <port> [<bus-port>]",
    "    Connect nodes into a working cluster.",
    "MIGRATESLOTS SLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...] NODE <node-id> [...]",
    "    Initiate slot migrations of the given slot ranges to the given nodes.",
    "MYID",
    "    Return the node id.",
    "MYSHARDID",
    "    Return the node's shard id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port@bus-port[,hostname]> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "REPLICATE <node-id>",
    "    Configure current node as replica to <node-id>.",
    "RESET [HARD|SOFT]",
    "    Reset current node (default: soft).",
    "SET-CONFIG-EPOCH <epoch>",
    "    Set config epoch of current node.",
    "SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|STABLE|NODE <node-id>)",
    "    Set slot state.",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SAVECONFIG",
    "    Force saving cluster configuration on disk.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a link",
];

/// The cluster that this engine is a node of.
fn cluster<'a>(call: &Call<'a, '_>) -> Result<&'a Cluster, Error> {
    call.env.cluster.as_ref().ok_or(DISABLED)
}

/// Changes the topology under the locks of all shards, in the cluster's store too if there is one.
fn change_topology<R>(
    call: &mut Call<'_, '_>,
    change: impl FnMut(&mut Topology) -> Result<R, Error>,
) -> Result<R, Error> {
    let cluster = cluster(call)?;
    call.keys.with_all(|_| cluster.change_topology(change))
}

fn asking(call: &mut Call<'_, '_>) -> Result<(), Error> {
    cluster(call)?;
    call.client.asking = true;
    call.out.ok();
    Ok(())
}

fn readonly(call: &mut Call<'_, '_>) -> Result<(), Error> {
    cluster(call)?;
    call.client.readonly = true;
    call.out.ok();
    Ok(())
}

fn readwrite(call: &mut Call<'_, '_>) -> Result<(), Error> {
    cluster(call)?;
    call.client.readonly = false;
    call.out.ok();
    Ok(())
}
