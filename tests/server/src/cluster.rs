//! Which node of which cluster this process is. What the nodes agree on is in a file that they share.

use crate::options::Options;
use keyslot::cluster::{FileStore, Node, NodeId, Topology, TopologyStore};
use keyslot::slot::SlotScheme;
use std::sync::Arc;

/// A node, and where its cluster keeps its topology.
type Membership = (Topology, Arc<dyn TopologyStore>);

/// The node that the options ask for; none if they ask for no cluster.
pub(crate) fn join(options: &Options) -> Result<Option<Membership>, String> {
    let Some(path) = &options.cluster else { return Ok(None) };
    if options.port == 0 {
        return Err("--cluster wants a --port, where clients are sent to".to_owned());
    }
    let store = FileStore::new(path);
    let host = options.announce_host.as_ref().unwrap_or(&options.bind);
    let stored = store.load().map_err(|error| error.to_string())?;
    let id = match &options.node_id {
        Some(name) => NodeId::parse(name.as_bytes())
            .ok_or_else(|| format!("--node-id wants 40 hexadecimal digits, got '{name}'"))?,
        None => match stored.record.member_at(host, options.port) {
            Some(member) => member.node.id,
            None => random_id(options.seed ^ u64::from(options.port).rotate_left(32)),
        },
    };
    let topology = Topology::new(SlotScheme::Redis, Node::primary(id, host, options.port));
    Ok(Some((topology, Arc::new(store))))
}

/// A name by chance, out of a seed (splitmix64).
fn random_id(mut seed: u64) -> NodeId {
    NodeId::random(|| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seed;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    })
}
