//! Members and scores as replies.

use crate::resp::{Protocol, ReplySink};

/// What is written of each member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Shape {
    /// The member alone.
    Member,
    /// Member and score one after the other.
    Flat,
    /// An array of member and score.
    Nested,
}

impl Shape {
    /// Members with their scores or without. With them, RESP3 has an array for each member.
    pub(in crate::command) fn new(with_scores: bool, out: &dyn ReplySink) -> Self {
        match (with_scores, out.protocol()) {
            (false, _) => Self::Member,
            (true, Protocol::Resp2) => Self::Flat,
            (true, Protocol::Resp3) => Self::Nested,
        }
    }

    /// Writes the head of an array of so many members.
    pub(in crate::command) fn head(self, members: usize, out: &mut dyn ReplySink) {
        out.array(if self == Self::Flat { members * 2 } else { members });
    }

    /// Writes one member.
    #[inline]
    pub(in crate::command) fn member(self, member: &[u8], score: f64, out: &mut dyn ReplySink) {
        if self == Self::Nested {
            out.array(2);
        }
        out.bulk(member);
        if self != Self::Member {
            out.double(score);
        }
    }

    /// Writes members as an array.
    pub(in crate::command) fn members<'m>(
        self,
        members: impl ExactSizeIterator<Item = (&'m [u8], f64)>,
        out: &mut dyn ReplySink,
    ) {
        self.head(members.len(), out);
        members.for_each(|(member, score)| self.member(member, score, out));
    }
}
