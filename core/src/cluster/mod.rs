//! Where slots live: the nodes, who owns which slot, and what is on its way between them. What a
//! client is told follows from this in the engine's routing; moving keys is the migration's work.

mod fence;
mod in_flight;
mod live;
mod node;
mod record;
mod setslot;
pub mod store;
mod tags;
mod topology;
mod transit;

pub(crate) use fence::Fence;
pub(crate) use in_flight::InFlight;
pub(crate) use live::{Cluster, View};
pub use node::{Health, Node, NodeId, Role};
pub use record::{ClusterRecord, Member};
pub(crate) use setslot::SetSlot;
pub use store::{FileStore, MemoryStore, TopologyStore};
pub(crate) use tags::Tags;
pub use topology::{SlotState, Topology};
pub(crate) use transit::{Transit, Transits, Writers};
