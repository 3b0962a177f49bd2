//! When two replies about the groups of a stream count as the same.

use crate::compare::TOLERANCE_MS;
use keyslot::resp::Reply;

/// The parts of an array, or of a map as RESP2 has it.
fn parts(reply: &Reply) -> Option<Vec<&Reply>> {
    match reply {
        Reply::Array(parts) => Some(parts.iter().collect()),
        Reply::Map(pairs) => Some(pairs.iter().flat_map(|(name, value)| [name, value]).collect()),
        _ => None,
    }
}

/// Without the fields that 7.2 added.
fn without_new(parts: Vec<&Reply>) -> Vec<&Reply> {
    let is_new = |at: usize| is_text(parts[at], &["inactive", "active-time"]);
    let kept = (0..parts.len()).filter(|&at| !is_new(at) && (at == 0 || !is_new(at - 1)));
    kept.map(|at| parts[at]).collect()
}

fn is_text(reply: &Reply, texts: &[&str]) -> bool {
    matches!(reply, Reply::Bulk(text) if texts.iter().any(|one| text == one.as_bytes()))
}

/// Whether two replies of XINFO or XPENDING are the same but for what the clocks say, and for how
/// far groups have come, of which later versions know more.
pub(crate) fn are_alike(ours: &Reply, theirs: &Reply) -> bool {
    let (Some(ours), Some(theirs)) = (parts(ours), parts(theirs)) else { return ours == theirs };
    let ours = without_new(ours);
    let is_time = |at: usize| {
        at > 0 && is_text(theirs[at - 1], &["idle", "seen-time"])
            || matches!((theirs.len(), at, theirs[0]), (4, 2, Reply::Bulk(_)))
            || matches!((theirs.len(), at, theirs[0]), (3, 1, Reply::Bulk(_)))
    };
    let same = |at: usize| match (ours[at], theirs[at]) {
        (Reply::Integer(ours), Reply::Integer(theirs)) if is_time(at) => {
            ours.abs_diff(*theirs) <= TOLERANCE_MS as u64
        }
        _ if at > 0 && is_text(theirs[at - 1], &["lag", "entries-read"]) => true,
        (ours, theirs) => are_alike(ours, theirs),
    };
    ours.len() == theirs.len() && (0..ours.len()).all(same)
}
