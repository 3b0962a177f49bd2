//! The reply of a typed call: one number or one status, kept without a tree around it.

use crate::boundary::{Outcome, Refusal};
use crate::status::Status;
use keyslot::error::Error;
use keyslot::resp::{Protocol, ReplySink};
use keyslot::{Engine, Session};

/// What a command with a plain reply answered.
enum Scalar {
    /// A number.
    Integer(i64),
    /// A simple string.
    Status,
}

/// A sink for one plain reply.
struct ScalarSink {
    /// None before anything is written.
    answer: Option<Outcome<Scalar>>,
}

/// Carries out a command that answers with a number.
pub(crate) fn integer(engine: &Engine, words: &[&[u8]]) -> Outcome<i64> {
    match answer(|sink| engine.call(words, sink))? {
        Scalar::Integer(value) => Ok(value),
        Scalar::Status => Err(unexpected()),
    }
}

/// Carries out a command that answers with a status, which is as good as none.
pub(crate) fn status(engine: &Engine, words: &[&[u8]]) -> Outcome<()> {
    as_status(|sink| engine.call(words, sink))
}

/// The same in a session.
pub(crate) fn session_status(session: &mut Session, words: &[&[u8]]) -> Outcome<()> {
    as_status(|sink| session.call(words, sink))
}

fn as_status(call: impl FnOnce(&mut ScalarSink)) -> Outcome<()> {
    match answer(call)? {
        Scalar::Status => Ok(()),
        Scalar::Integer(_) => Err(unexpected()),
    }
}

fn answer(call: impl FnOnce(&mut ScalarSink)) -> Outcome<Scalar> {
    let mut sink = ScalarSink { answer: None };
    call(&mut sink);
    sink.answer.unwrap_or_else(|| Err(unexpected()))
}

fn unexpected() -> Refusal {
    Refusal::fixed(Status::UnexpectedReply, "the command's reply has an unexpected shape")
}

impl ScalarSink {
    fn keep(&mut self, answer: Scalar) {
        let first = self.answer.is_none();
        self.answer = Some(if first { Ok(answer) } else { Err(unexpected()) });
    }

    fn refuse(&mut self) {
        self.answer = Some(Err(unexpected()));
    }
}

impl ReplySink for ScalarSink {
    fn protocol(&self) -> Protocol {
        Protocol::Resp2
    }

    fn set_protocol(&mut self, _: Protocol) {}

    fn mark(&self) -> usize {
        0
    }

    fn rewind(&mut self, _: usize) {
        self.answer = None;
    }

    fn status(&mut self, _: &str) {
        self.keep(Scalar::Status);
    }

    fn error(&mut self, error: &Error) {
        self.answer = Some(Err(error.clone().into()));
    }

    fn integer(&mut self, value: i64) {
        self.keep(Scalar::Integer(value));
    }

    fn bulk(&mut self, _: &[u8]) {
        self.refuse();
    }

    fn null(&mut self) {
        self.refuse();
    }

    fn null_array(&mut self) {
        self.refuse();
    }

    fn array(&mut self, _: usize) {
        self.refuse();
    }

    fn map(&mut self, _: usize) {
        self.refuse();
    }

    fn set(&mut self, _: usize) {
        self.refuse();
    }

    fn push(&mut self, _: usize) {
        self.refuse();
    }

    fn attribute(&mut self, _: usize) {
        self.refuse();
    }

    fn double(&mut self, _: f64) {
        self.refuse();
    }

    fn boolean(&mut self, value: bool) {
        self.integer(i64::from(value));
    }

    fn big_number(&mut self, _: &[u8]) {
        self.refuse();
    }

    fn verbatim(&mut self, _: &[u8; 3], _: &[u8]) {
        self.refuse();
    }
}
