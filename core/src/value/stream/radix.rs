//! How many nodes Redis's radix tree has for the keys that it keeps a stream's nodes under. XINFO
//! STREAM tells it.
//!
//! ```text
//! keys 1-1 and 1-2, of sixteen bytes each, which differ in the last one:
//!
//!   "fifteen bytes in one node" -> [1 2] -> leaf, leaf         four nodes
//! ```
//! A node holds bytes that have no alternative, or one byte of each alternative; each key ends in a
//! leaf of its own.

use super::StreamId;

/// The number of nodes for these keys, which are in order.
pub(crate) fn node_count(keys: impl Iterator<Item = StreamId>) -> usize {
    let mut count = 0;
    // The depths where the keys so far part, along the way to the last key, each deeper than the
    // one before.
    let mut forks: Vec<usize> = Vec::new();
    let mut previous: Option<[u8; KEY_LEN]> = None;
    for key in keys.map(StreamId::to_bytes) {
        if let Some(previous) = previous {
            let depth = previous.iter().zip(&key).take_while(|(a, b)| a == b).count();
            count += leaf(forks.last().copied().max(Some(depth)));
            while forks.last().is_some_and(|&fork| fork > depth) {
                let fork = forks.pop().unwrap_or_default();
                let parent = forks.last().copied().filter(|&parent| parent > depth);
                count += inner(fork, Some(parent.unwrap_or(depth)));
            }
            if forks.last() != Some(&depth) {
                forks.push(depth);
            }
        }
        previous = Some(key);
    }
    if previous.is_none() {
        return 1;
    }
    count += leaf(forks.last().copied());
    while let Some(fork) = forks.pop() {
        count += inner(fork, forks.last().copied());
    }
    count
}

const KEY_LEN: usize = 16;

/// The leaf of a key, and the node of bytes before it. It hangs at a fork, unless it is alone.
fn leaf(fork: Option<usize>) -> usize {
    1 + usize::from(fork.is_none_or(|fork| fork + 1 < KEY_LEN))
}

/// A node of alternatives, and the node of bytes between it and the one above.
fn inner(fork: usize, parent: Option<usize>) -> usize {
    1 + usize::from(match parent {
        Some(parent) => parent + 1 < fork,
        None => fork > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(keys: &[(u64, u64)]) -> usize {
        node_count(keys.iter().map(|&(ms, seq)| StreamId { ms, seq }))
    }

    #[test]
    fn the_numbers_are_those_of_redis() {
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[(1, 1)]), 2);
        assert_eq!(count(&[(1, 1), (1, 2)]), 4);
        assert_eq!(count(&[(1, 1), (2, 0)]), 6);
        assert_eq!(count(&[(1, 1), (1, 2), (1, 3)]), 5);
        assert_eq!(count(&[(1, 1), (1, 2), (2, 1)]), 8);
        assert_eq!(count(&[(0, 1), (1 << 56, 1)]), 5);
    }
}
