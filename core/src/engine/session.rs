//! One conversation with an engine: bytes in, bytes out. The host owns the socket, if there is one.

use super::Engine;
use super::execute::BATCH;
use crate::command::ClientState;
use crate::error::Error;
use crate::resp::{Encoder, Parsed, Protocol, ReplySink, RequestLimits, RequestParser, Requests};

/// One conversation with an engine.
///
/// Give it what arrives with [`Session::feed`]; take what shall be sent with
/// [`Session::take_output`], and end the conversation when [`Session::is_closing`] says so.
pub struct Session {
    engine: Engine,
    client: ClientState,
    parser: RequestParser,
    requests: Requests,
    /// The beginning of a request whose end has not arrived.
    pending: Vec<u8>,
    out: Encoder,
}

impl Session {
    pub(super) fn new(engine: Engine) -> Self {
        let id = engine.inner.env.next_client_id();
        Self {
            client: ClientState { id, ..ClientState::default() },
            engine,
            parser: RequestParser::new(RequestLimits::default()),
            requests: Requests::new(),
            pending: Vec::new(),
            out: Encoder::new(Protocol::Resp2),
        }
    }

    /// Takes bytes that arrived, in pieces of any size, and carries out every request that they
    /// complete. The replies are appended to the output.
    ///
    /// A protocol error is written to the output and closes the session.
    pub fn feed(&mut self, input: &[u8]) {
        if self.client.closing {
            return;
        }
        if self.pending.is_empty() {
            let used = self.run_all(input);
            self.pending.extend_from_slice(&input[used..]);
        } else {
            let mut buffer = std::mem::take(&mut self.pending);
            buffer.extend_from_slice(input);
            let used = self.run_all(&buffer);
            buffer.drain(..used);
            self.pending = buffer;
        }
        if self.client.closing {
            self.pending = Vec::new();
        }
    }

    /// What is to be sent and was not taken yet.
    pub fn output(&self) -> &[u8] {
        self.out.bytes()
    }

    /// Takes what is to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.out.take()
    }

    /// Forgets the first `len` bytes of the output, which have been sent.
    pub fn consume_output(&mut self, len: usize) {
        self.out.consume(len);
    }

    /// Whether the host shall end the conversation once the output is sent.
    pub fn is_closing(&self) -> bool {
        self.client.closing
    }

    /// The number of this session, unique within its engine.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// Carries out one command in this session and writes its reply to `sink`, without RESP text
    /// in between.
    pub fn call(&mut self, words: &[&[u8]], sink: &mut dyn ReplySink) {
        self.engine.inner.call(&mut self.client, words, sink);
    }

    /// Carries out the complete requests at the front of `input`, and returns how much of it is
    /// done with.
    fn run_all(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        loop {
            self.requests.clear();
            let parsed = self.parse_batch(input, &mut used);
            let requests = std::mem::take(&mut self.requests);
            self.run_batch(&requests, input);
            self.requests = requests;
            match parsed {
                Ok(true) if !self.client.closing => {}
                Ok(_) => return used,
                Err(error) => {
                    self.out.error(&error);
                    self.client.closing = true;
                    return input.len();
                }
            }
        }
    }

    /// Parses until the batch is full (true) or the input is used up (false).
    fn parse_batch(&mut self, input: &[u8], used: &mut usize) -> Result<bool, Error> {
        while self.requests.len() < BATCH {
            match self.parser.parse(input, *used, &mut self.requests)? {
                Parsed::Complete { end } => *used = end,
                Parsed::Incomplete { consumed } => {
                    *used = consumed;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn run_batch(&mut self, requests: &Requests, input: &[u8]) {
        let mut words: Vec<&[u8]> = Vec::with_capacity(4 * requests.len());
        let mut ends = [0; BATCH];
        for (number, end) in ends.iter_mut().enumerate().take(requests.len()) {
            requests.words(number, input, &mut words);
            *end = words.len();
        }
        let mut start = 0;
        let split = ends.iter().take(requests.len()).map(|&end| {
            let one = &words[start..end];
            start = end;
            one
        });
        let split: smallvec::SmallVec<[&[&[u8]]; BATCH]> = split.collect();
        self.engine.inner.run(&mut self.client, &split, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(input: &[u8]) -> Vec<u8> {
        let mut session = Engine::default().session();
        session.feed(input);
        session.take_output()
    }

    #[test]
    fn a_pipeline_is_answered_in_order() {
        let input = b"PING\r\nSET k v\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\nPING a\r\n";
        assert_eq!(talk(input), b"+PONG\r\n+OK\r\n$1\r\nv\r\n$-1\r\n$1\r\na\r\n");
    }

    #[test]
    fn requests_may_arrive_byte_by_byte() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\r\r\nGET k\r\n";
        let mut session = Engine::default().session();
        input.iter().for_each(|byte| session.feed(&[*byte]));
        assert_eq!(session.take_output(), b"+OK\r\n$3\r\n\r\n\r\r\n");
    }

    #[test]
    fn a_protocol_error_is_answered_after_what_came_before_and_closes() {
        let mut session = Engine::default().session();
        session.feed(b"PING\r\n*1\r\n!\r\nPING\r\n");
        assert_eq!(
            session.take_output(),
            b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"
        );
        assert!(session.is_closing());
        session.feed(b"PING\r\n");
        assert!(session.output().is_empty());
    }
}
