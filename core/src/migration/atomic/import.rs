//! The target's side of an atomic migration: which attempts it takes part in and how far it is with
//! each. Where what arrives is kept until it is served is the engine's business.

use super::frame::{Frame, Header, Kind, Standing};
use crate::cluster::NodeId;
use std::collections::{BTreeMap, VecDeque};

/// One attempt that this node takes part in.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) header: Header,
    pub(crate) source: Option<NodeId>,
    /// The last piece that was taken in; all before it were.
    pub(crate) applied: u64,
    /// Pieces that came too early.
    early: BTreeMap<u64, Vec<u8>>,
    pub(crate) standing: Standing,
    /// Whether the host was asked to make durable what arrived.
    pub(crate) is_saving: bool,
    /// The database and the time, in milliseconds since the Unix epoch, that the stream last named.
    pub(crate) db: usize,
    pub(crate) unix_ms: u64,
    /// When the source was last heard of, in microseconds.
    pub(crate) heard_us: u64,
}

/// Pieces that are kept though they came too early.
const EARLY_MAX: usize = 256;

impl Import {
    pub(crate) fn new(header: Header, source: Option<NodeId>, now_us: u64) -> Self {
        Self {
            header,
            source,
            db: 0,
            unix_ms: 0,
            applied: 0,
            early: BTreeMap::new(),
            standing: Standing::Receiving,
            is_saving: false,
            heard_us: now_us,
        }
    }

    /// Takes in a piece. Returns those whose turn it is now.
    pub(crate) fn take(&mut self, sequence: u64, piece: Vec<u8>) -> Vec<Vec<u8>> {
        if sequence > self.applied && (self.early.len() < EARLY_MAX || sequence == self.applied + 1)
        {
            self.early.insert(sequence, piece);
        }
        let mut ready = Vec::new();
        while let Some(piece) = self.early.remove(&(self.applied + 1)) {
            self.applied += 1;
            ready.push(piece);
        }
        ready
    }
}

/// Attempts that are over, newest last, so that a frame that comes late finds the same answer.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    pub(crate) by_slot: BTreeMap<u16, Import>,
    ended: VecDeque<(Header, Standing)>,
}

const ENDED_MAX: usize = 4096;

impl Imports {
    /// The arrival that a frame is of.
    pub(crate) fn find(&mut self, header: &Header) -> Option<&mut Import> {
        self.by_slot.get_mut(&header.slot).filter(|import| import.header == *header)
    }

    /// What arrives by an attempt, whatever its number.
    pub(crate) fn of_attempt(&self, header: &Header) -> Option<Header> {
        let import = self.by_slot.get(&header.slot)?;
        import.header.is_same_attempt(header).then_some(import.header)
    }

    /// Ends an attempt, or notes that one is over of which nothing is known.
    pub(crate) fn end(&mut self, header: Header, standing: Standing) {
        if self.find(&header).is_some() {
            self.by_slot.remove(&header.slot);
        }
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((header, standing));
    }

    /// How an arrival ended, or an attempt with a source that knows no number of one.
    pub(crate) fn ended(&self, header: &Header) -> Option<&Standing> {
        let is_any = header.arrival == 0;
        let is_of = |other: &Header| other == header || is_any && other.is_same_attempt(header);
        self.ended.iter().rev().find(|(other, _)| is_of(other)).map(|(_, standing)| standing)
    }

    /// The answer to a frame.
    pub(crate) fn answer(&self, header: &Header) -> Frame {
        let import = self.by_slot.get(&header.slot).filter(|import| import.header == *header);
        let (sequence, standing) = match import {
            Some(import) => (import.applied, &import.standing),
            None => (0, self.ended(header).unwrap_or(&Standing::Unknown)),
        };
        let kind = Kind::Ack;
        Frame { header: *header, kind, sequence, payload: standing.payload() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(attempt: u64) -> Header {
        Header { id: 1, slot: 2, source_epoch: 3, target_epoch: 4, attempt, arrival: attempt }
    }

    #[test]
    fn pieces_are_taken_in_once_and_in_order() {
        let mut import = Import::new(header(1), None, 0);
        assert!(import.take(2, b"b".to_vec()).is_empty());
        assert_eq!(import.take(1, b"a".to_vec()), [b"a".to_vec(), b"b".to_vec()]);
        assert!(import.take(1, b"a".to_vec()).is_empty());
        assert_eq!(import.take(3, b"c".to_vec()), [b"c".to_vec()]);
        assert_eq!(import.applied, 3);
    }

    #[test]
    fn an_attempt_that_is_over_gets_the_same_answer_again() {
        let mut imports = Imports::default();
        imports.by_slot.insert(2, Import::new(header(2), None, 0));
        let standing = |imports: &Imports, attempt| {
            Standing::parse(&imports.answer(&header(attempt)).payload).unwrap()
        };
        assert_eq!(standing(&imports, 2), Standing::Receiving);
        assert_eq!(standing(&imports, 1), Standing::Unknown);
        imports.end(header(2), Standing::Committed);
        assert_eq!(standing(&imports, 2), Standing::Committed);
        assert!(imports.by_slot.is_empty());
    }
}
