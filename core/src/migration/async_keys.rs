//! Many keys on their way at once, as ApsaraDB for Redis moves them: the source sends what its window
//! has room for, and deletes what the target has acknowledged. What is not acknowledged in time is
//! sent again. Who wants to write to a key on its way waits, as at a fence, until it is settled, and
//! is then judged anew: `ASK`, or the answer if the key stayed.

use super::MigrationLimits;
use super::open_slots::Manner;
use crate::cluster::Writers;

/// As many batches as the limits say.
pub(super) fn manner(limits: &MigrationLimits) -> Manner {
    Manner {
        bytes: limits.in_flight_bytes.max(1),
        keys: limits.in_flight_keys.max(1),
        writers: Writers::Held,
        by_tag: false,
    }
}
