//! Which members a range covers: by rank, by score, or by the bytes of members with equal scores.

use super::Zset;
use std::ops::Range;

/// One end of a range: the value itself belongs to it or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edge<T> {
    Included(T),
    Excluded(T),
}

impl<T: PartialOrd> Edge<T> {
    /// Whether something lies below a range that starts here.
    fn is_above(&self, other: &T) -> bool {
        match self {
            Self::Included(value) => other < value,
            Self::Excluded(value) => other <= value,
        }
    }

    /// Whether something lies above a range that ends here, or not.
    fn takes_up_to(&self, other: &T) -> bool {
        match self {
            Self::Included(value) => other <= value,
            Self::Excluded(value) => other < value,
        }
    }
}

/// Scores from one to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScoreRange {
    pub(crate) min: Edge<f64>,
    pub(crate) max: Edge<f64>,
}

impl ScoreRange {
    /// The ranks of the members within.
    pub(crate) fn ranks(&self, zset: Zset<'_>) -> Range<usize> {
        let start = zset.rank_by_score(|score| self.min.is_above(&score));
        let end = zset.rank_by_score(|score| self.max.takes_up_to(&score));
        start..end.max(start)
    }
}

/// A place in the order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum LexPlace<'a> {
    /// Before all members.
    Least,
    At(&'a [u8]),
    /// After all members.
    Greatest,
}

/// Members from one place in the order of bytes to another, if all scores are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LexRange<'a> {
    pub(crate) min: Edge<LexPlace<'a>>,
    pub(crate) max: Edge<LexPlace<'a>>,
}

impl LexRange<'_> {
    /// The ranks of the members within.
    pub(crate) fn ranks(&self, zset: Zset<'_>) -> Range<usize> {
        let (Edge::Included(min) | Edge::Excluded(min)) = self.min;
        if !self.max.takes_up_to(&min) {
            return 0..0;
        }
        let start = zset.rank_by_member(|member| self.min.is_above(&LexPlace::At(member)));
        let end = zset.rank_by_member(|member| self.max.takes_up_to(&LexPlace::At(member)));
        start..end.max(start)
    }
}

/// Ranks from one to another, both included; negative ones count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RankRange {
    pub(crate) start: i64,
    pub(crate) stop: i64,
}

impl RankRange {
    /// The ranks of the members within. If they count `downwards`, the greatest score has rank zero.
    pub(crate) fn ranks(&self, len: usize, downwards: bool) -> Range<usize> {
        let len = len as i64;
        let place = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
        let (start, stop) = (place(self.start).max(0), place(self.stop).min(len - 1));
        if start > stop {
            return 0..0;
        }
        let ranks = start as usize..stop as usize + 1;
        let len = len as usize;
        if downwards { len - ranks.end..len - ranks.start } else { ranks }
    }
}

/// What LIMIT leaves of the members of a range: those after the first `offset`, up to `count` of
/// them, or all if that is negative. Of a negative offset nothing is left.
pub(crate) fn limited(
    ranks: Range<usize>,
    (offset, count): (i64, i64),
    downwards: bool,
) -> Range<usize> {
    let len = ranks.len();
    let skipped = usize::try_from(offset).map_or(len, |offset| offset.min(len));
    let taken = usize::try_from(count).map_or(len, |count| count.min(len)).min(len - skipped);
    if downwards {
        let end = ranks.end - skipped;
        end - taken..end
    } else {
        let start = ranks.start + skipped;
        start..start + taken
    }
}
