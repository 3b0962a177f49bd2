//! What the settings about memory say, as the keyspace understands it.

use crate::config::Config;
use crate::keyspace::{Among, Keyspace, Order, Policy, Usage};

/// Which keys go when memory is short; none if none do.
pub(crate) fn eviction(config: &Config) -> Option<Policy> {
    let (among, order) = match config.maxmemory_policy() {
        "volatile-lru" | "volatile-lfu" => (Among::Expiring, Order::Disuse),
        "volatile-random" => (Among::Expiring, Order::Chance),
        "volatile-ttl" => (Among::Expiring, Order::Expiry),
        "allkeys-lru" | "allkeys-lfu" => (Among::All, Order::Disuse),
        "allkeys-random" => (Among::All, Order::Chance),
        _ => return None,
    };
    Some(Policy { among, order, samples: config.maxmemory_samples() })
}

/// What the stamps of records tell.
pub(crate) fn usage(config: &Config) -> Usage {
    match config.maxmemory_policy() {
        "volatile-lfu" | "allkeys-lfu" => {
            let (log_factor, decay_minutes) = config.lfu();
            Usage::Frequency { log_factor, decay_minutes }
        }
        _ => Usage::Recency,
    }
}

/// Lets a keyspace know of settings that it acts on.
pub(crate) fn apply(config: &Config, keyspace: &Keyspace) {
    keyspace.listen_to(config.keyspace_events());
    keyspace.set_usage(usage(config));
}
