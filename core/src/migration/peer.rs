//! The conversation with the target: what waits to be sent, and how many answers are due.

use crate::error::{Error, ErrorKind};
use crate::resp::{ReplyReader, Token, encode_request};

/// What the target answered to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    Integer(i64),
    Error(Error),
}

/// Requests out and answers in, in the same order.
#[derive(Debug, Default)]
pub(super) struct Peer {
    outbox: Vec<u8>,
    /// The beginning of an answer whose end has not arrived.
    inbox: Vec<u8>,
    asked: usize,
    answered: usize,
    /// The first error among the answers.
    fault: Option<Error>,
    /// The database that the target's session has selected.
    pub(super) db: usize,
    /// When the answers are overdue, in microseconds.
    deadline_us: Option<u64>,
}

impl Peer {
    /// Adds a request to what waits to be sent.
    pub(super) fn ask(&mut self, words: &[&[u8]]) {
        encode_request(words, &mut self.outbox);
        self.asked += 1;
    }

    /// Counts requests that were written elsewhere.
    pub(super) fn asked_beside(&mut self, requests: usize) {
        self.asked += requests;
    }

    /// Sets when the answers to what was asked are overdue.
    pub(super) fn expect_by(&mut self, deadline_us: u64) {
        self.deadline_us = Some(deadline_us);
    }

    /// When the answers are overdue.
    pub(super) fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }

    /// Moves what waits to be sent to the end of `out`.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outbox);
    }

    /// Whether something waits to be sent.
    pub(super) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether every request was answered.
    pub(super) fn is_settled(&self) -> bool {
        self.asked == self.answered
    }

    /// Starts to count requests and answers from zero. Returns the first error that was answered.
    pub(super) fn settle(&mut self) -> Option<Error> {
        (self.asked, self.answered, self.deadline_us) = (0, 0, None);
        self.fault.take()
    }

    /// Forgets the connection: another one begins.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes bytes that arrived, in pieces of any size, and hands every answer that they complete
    /// to `each`, with the number of its request.
    ///
    /// # Errors
    /// If the bytes are no answers, or more than were asked for.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(usize, Answer),
    ) -> Result<(), Error> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let input = if inbox.is_empty() {
            bytes
        } else {
            inbox.extend_from_slice(bytes);
            &inbox
        };
        let mut reader = ReplyReader::new(input);
        while let Some(token) = reader.next_token()? {
            let answer = answer(token)?;
            if self.is_settled() {
                return Err(Error::fixed(ErrorKind::IoErr, "answer from target without a request"));
            }
            if let Answer::Error(error) = &answer {
                self.fault.get_or_insert_with(|| error.clone());
            }
            each(self.answered, answer);
            self.answered += 1;
        }
        self.inbox = input[reader.position()..].to_vec();
        Ok(())
    }
}

fn answer(token: Token<'_>) -> Result<Answer, Error> {
    match token {
        Token::Status(_) => Ok(Answer::Ok),
        Token::Integer(value) => Ok(Answer::Integer(value)),
        Token::Error(line) => Ok(Answer::Error(Error::new(ErrorKind::Foreign, line))),
        Token::Bulk(_)
        | Token::Null
        | Token::Array(_)
        | Token::Map(_)
        | Token::Set(_)
        | Token::Push(_)
        | Token::Attribute(_)
        | Token::Double(_)
        | Token::Boolean(_)
        | Token::BigNumber(_)
        | Token::Verbatim(..) => {
            Err(Error::fixed(ErrorKind::IoErr, "unexpected kind of answer from target"))
        }
    }
}

/// Whether an error that the target answered may pass by itself.
pub(super) fn is_passing(error: &Error) -> bool {
    const PREFIXES: [&[u8]; 5] = [b"LOADING", b"BUSY", b"TRYAGAIN", b"CLUSTERDOWN", b"MASTERDOWN"];
    let text = error.text();
    let prefix = text.split(|&byte| byte == b' ').next().unwrap_or(text);
    PREFIXES.contains(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(peer: &mut Peer, bytes: &[u8]) -> Result<Vec<(usize, Answer)>, Error> {
        let mut answers = Vec::new();
        peer.receive(bytes, |number, answer| answers.push((number, answer)))?;
        Ok(answers)
    }

    #[test]
    fn answers_may_arrive_in_any_pieces() {
        let mut peer = Peer::default();
        (0..3).for_each(|_| peer.ask(&[b"PING"]));
        let bytes = b"+OK\r\n:7\r\n-ERR no\r\n";
        let mut answers = Vec::new();
        for byte in bytes {
            answers.extend(received(&mut peer, &[*byte]).unwrap());
        }
        let error = Answer::Error(Error::new(ErrorKind::Foreign, "ERR no"));
        assert_eq!(answers, [(0, Answer::Ok), (1, Answer::Integer(7)), (2, error)]);
        assert!(peer.is_settled());
        assert!(received(&mut peer, b"+OK\r\n").is_err());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [&b"$2\r\nab\r\n"[..], b"*0\r\n", b"hello\r\n"] {
            let mut peer = Peer::default();
            peer.ask(&[b"PING"]);
            assert!(received(&mut peer, bytes).is_err());
        }
    }

    #[test]
    fn some_errors_pass() {
        let passes = |text: &str| is_passing(&Error::new(ErrorKind::Foreign, text));
        assert!(passes("LOADING Redis is loading the dataset in memory"));
        assert!(passes("BUSY Redis is busy running a script."));
        assert!(!passes("BUSYKEY Target key name already exists."));
        assert!(!passes("OOM command not allowed when used memory > 'maxmemory'."));
    }
}
