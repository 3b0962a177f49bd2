//! Up to where values are kept packed. The settings of these names decide; who reads them hands
//! the limits down.

use crate::structs::quicklist::Fill;

/// Up to where a collection is kept in a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackLimits {
    /// `*-max-listpack-entries`: members, or pairs.
    pub(crate) entries: usize,
    /// `*-max-listpack-value`: bytes of the longest member, field or value.
    pub(crate) value_len: usize,
}

/// How lists are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLimits {
    /// `list-max-listpack-size`: elements of a node, or -1 to -5 for 4 to 64 KiB.
    pub(crate) size: i32,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: bytes of an element that is a node by itself.
    pub(crate) plain_from: u32,
    /// `list-compress-depth`: nodes at either end that are not made small; zero for as few as it
    /// costs nothing.
    pub(crate) compress_depth: u32,
}

impl ListLimits {
    /// Bytes of an element that is a node by itself, unless DEBUG says otherwise.
    pub(crate) const PLAIN_FROM: u32 = Fill::PLAIN_FROM;
    /// Redis's defaults.
    #[cfg(test)]
    pub(crate) const DEFAULT: Self =
        Self { size: -2, plain_from: Self::PLAIN_FROM, compress_depth: 0 };
}

/// The limits of all types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) hash: PackLimits,
    pub(crate) set: PackLimits,
    pub(crate) zset: PackLimits,
    /// `set-max-intset-entries`: members of a set of integers.
    pub(crate) intset_entries: usize,
    pub(crate) list: ListLimits,
    /// `stream-node-max-bytes`: bytes of a stream's node; zero for no limit.
    pub(crate) stream_node_bytes: usize,
    /// `stream-node-max-entries`: entries of a stream's node; zero for no limit.
    pub(crate) stream_node_entries: usize,
    /// `proto-max-bulk-len`: bytes of the longest string.
    pub(crate) string_len: u64,
    /// Secret that makes the places of members in large tables unpredictable.
    pub(crate) seed: u64,
}

#[cfg(test)]
impl Limits {
    /// Redis's defaults.
    pub(crate) const DEFAULT: Self = Self {
        hash: PackLimits { entries: 512, value_len: 64 },
        set: PackLimits { entries: 128, value_len: 64 },
        zset: PackLimits { entries: 128, value_len: 64 },
        intset_entries: 512,
        list: ListLimits::DEFAULT,
        stream_node_bytes: 4096,
        stream_node_entries: 100,
        string_len: 512 << 20,
        seed: 0,
    };
}
