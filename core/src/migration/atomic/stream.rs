//! The numbered stream from source to target over a network that loses, doubles and reorders: what was
//! sent and not acknowledged, when it is sent again, and the frame that the target is to answer.

use super::frame::{Header, Kind, write};
use std::collections::VecDeque;

/// The first wait for an acknowledgement, in microseconds; it doubles with each in vain.
const WAIT_US: u64 = 100_000;
const WAIT_US_MAX: u64 = 3_200_000;

/// One attempt's stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) header: Header,
    /// The number of the last piece.
    last: u64,
    /// Pieces that were not acknowledged, the first of which has the number after `acked`.
    pieces: VecDeque<Vec<u8>>,
    acked: u64,
    /// How many of the pieces were sent since the last wait.
    sent: usize,
    bytes: usize,
    /// What the target is asked beside the pieces, until it answers.
    question: Option<(Kind, Vec<u8>)>,
    is_asked: bool,
    wait_us: u64,
    deadline_us: Option<u64>,
    /// How many waits in a row were in vain.
    pub(super) silent_waits: u32,
}

impl Stream {
    pub(super) fn new(header: Header) -> Self {
        Self {
            header,
            last: 0,
            pieces: VecDeque::new(),
            acked: 0,
            sent: 0,
            bytes: 0,
            question: None,
            is_asked: false,
            wait_us: WAIT_US,
            deadline_us: None,
            silent_waits: 0,
        }
    }

    /// Bytes that were not acknowledged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_settled(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: Vec<u8>) {
        self.last += 1;
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// Asks something until the next question, or until the target has answered it.
    pub(super) fn ask(&mut self, kind: Kind, payload: Vec<u8>) {
        self.question = Some((kind, payload));
        self.is_asked = false;
        (self.wait_us, self.silent_waits) = (WAIT_US, 0);
    }

    pub(super) fn answered(&mut self) {
        self.question = None;
    }

    /// Appends what is to be sent now, up to `budget` bytes or one piece.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>, budget: usize, now_us: u64) {
        let start = out.len();
        while self.sent < self.pieces.len() && (out.len() == start || out.len() - start < budget) {
            let sequence = self.acked + 1 + self.sent as u64;
            write(&self.header, Kind::Data, sequence, &self.pieces[self.sent], out);
            self.sent += 1;
        }
        if let Some((kind, payload)) = self.question.as_ref().filter(|_| !self.is_asked) {
            write(&self.header, *kind, self.last, payload, out);
            self.is_asked = true;
        }
        if out.len() > start {
            self.deadline_us = Some(now_us + self.wait_us);
        }
    }

    /// Takes note of what the target has.
    pub(super) fn acknowledge(&mut self, sequence: u64, now_us: u64) {
        (self.wait_us, self.silent_waits) = (WAIT_US, 0);
        while self.acked < sequence.min(self.last) {
            let piece = self.pieces.pop_front();
            self.bytes -= piece.map_or(0, |piece| piece.len());
            self.acked += 1;
            self.sent = self.sent.saturating_sub(1);
        }
        self.deadline_us = self.is_waiting().then_some(now_us + self.wait_us);
    }

    fn is_waiting(&self) -> bool {
        self.question.is_some() || !self.pieces.is_empty()
    }

    /// When an acknowledgement is overdue, in microseconds.
    pub(super) fn deadline_us(&self) -> Option<u64> {
        self.deadline_us.filter(|_| self.is_waiting())
    }

    /// Lets everything be sent again that is overdue. Returns whether it is.
    pub(super) fn handle_timeout(&mut self, now_us: u64) -> bool {
        let is_overdue = self.deadline_us().is_some_and(|at_us| at_us <= now_us);
        if is_overdue {
            self.repeat();
            self.silent_waits += 1;
            self.wait_us = (self.wait_us * 2).min(WAIT_US_MAX);
            self.deadline_us = None;
        }
        is_overdue
    }

    /// Lets everything be sent again.
    pub(super) fn repeat(&mut self) {
        self.sent = 0;
        self.is_asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::atomic::frame::{Frame, FrameReader};

    fn stream() -> Stream {
        let (id, slot, source_epoch, target_epoch, attempt, arrival) = (1, 2, 3, 4, 1, 5);
        let header = Header { id, slot, source_epoch, target_epoch, attempt, arrival };
        Stream::new(header)
    }

    fn sent(stream: &mut Stream, budget: usize, now_us: u64) -> Vec<Frame> {
        let mut out = Vec::new();
        stream.transmit(&mut out, budget, now_us);
        FrameReader::default().read(&out)
    }

    fn numbers(frames: &[Frame]) -> Vec<(Kind, u64)> {
        frames.iter().map(|frame| (frame.kind, frame.sequence)).collect()
    }

    #[test]
    fn pieces_are_sent_until_they_are_acknowledged() {
        let mut stream = stream();
        (0..3).for_each(|_| stream.push(b"piece".to_vec()));
        assert_eq!(numbers(&sent(&mut stream, 1, 0)), [(Kind::Data, 1)]);
        let rest = [(Kind::Data, 2), (Kind::Data, 3)];
        assert_eq!(numbers(&sent(&mut stream, 9_999, 0)), rest);
        assert_eq!(sent(&mut stream, 9_999, 0), []);
        stream.acknowledge(1, 10);
        assert_eq!(stream.bytes(), 10);
        assert!(!stream.handle_timeout(10));
        assert!(stream.handle_timeout(stream.deadline_us().unwrap()));
        assert_eq!(numbers(&sent(&mut stream, 9_999, 500_000)), rest);
        stream.acknowledge(3, 500_000);
        assert!(stream.is_settled() && stream.deadline_us().is_none());
    }

    #[test]
    fn a_question_follows_the_pieces_and_is_repeated_until_it_is_answered() {
        let mut stream = stream();
        stream.push(b"piece".to_vec());
        stream.ask(Kind::Prepare, Vec::new());
        let all = [(Kind::Data, 1), (Kind::Prepare, 1)];
        assert_eq!(numbers(&sent(&mut stream, 9_999, 0)), all);
        stream.acknowledge(1, 0);
        assert!(stream.handle_timeout(WAIT_US));
        assert_eq!(numbers(&sent(&mut stream, 9_999, WAIT_US)), all[1..]);
        stream.answered();
        assert_eq!(stream.deadline_us(), None);
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_cut() {
        let mut stream = stream();
        stream.push(b"piece".to_vec());
        stream.acknowledge(99, 0);
        stream.push(b"piece".to_vec());
        assert_eq!(numbers(&sent(&mut stream, 9_999, 0)), [(Kind::Data, 2)]);
    }
}
