//! Keys at a time, as Redis Cluster moves a slot since 4.0: the next ones are sent when the target has
//! answered to those before. Who wants to write to a key on its way is told to try again.

use super::open_slots::Manner;
use crate::cluster::Writers;

/// One batch at a time.
pub(super) const MANNER: Manner =
    Manner { bytes: 1, keys: 1, writers: Writers::Refused, by_tag: false };
