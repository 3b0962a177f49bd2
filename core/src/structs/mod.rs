//! Layouts without Redis's rules, and all of the core's `unsafe`. Nothing here knows a command, a
//! type or a clock.

pub(crate) mod allocation;
pub(crate) mod arena;
pub(crate) mod bits;
mod boxed;
mod buckets;
pub(crate) mod entry;
pub(crate) mod histogram;
pub(crate) mod hyperloglog;
pub(crate) mod intset;
pub(crate) mod listpack;
pub(crate) mod member;
pub(crate) mod ordered;
pub(crate) mod partial_sort;
pub(crate) mod prefetch;
pub(crate) mod quicklist;
pub(crate) mod ranked;
pub(crate) mod scored;
pub(crate) mod sorted;
pub(crate) mod stream_node;
pub(crate) mod stripe;
pub(crate) mod table;
