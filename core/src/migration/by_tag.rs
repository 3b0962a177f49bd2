//! The keys of a tag together, as Codis moves them: a tag is here until all its keys are there. Who wants
//! to write to a key of a tag on its way waits, as at a fence. A key that does not exist yet is made
//! where its tag is, so that commands with several keys of a tag never find some here and some there.
//!
//! Codis's router forces a key over before it uses it (SLOTSMGRTTAGONE); here the machine goes through
//! the slot, and clients find tags that have left by `ASK`. Where it is not known which tags have left,
//! since another mode has begun with the slot or the node has restarted, each key is looked at by
//! itself, as in the other modes.

use super::open_slots::Manner;
use crate::cluster::Writers;

/// Some tags at a time: the next are chosen when those before have left.
pub(super) const MANNER: Manner =
    Manner { bytes: 1, keys: 1, writers: Writers::Held, by_tag: true };
