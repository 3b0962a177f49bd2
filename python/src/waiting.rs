//! Commands that wait, for a caller that waits with them. The thread sleeps detached from the
//! interpreter, and a signal such as the one of Ctrl-C ends its sleep at once.

use crate::reply::Tape;
use keyslot::Session;
use keyslot::resp::{ReplyDecoder, encode_request};
use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;

/// Carries out a request in a conversation that is there for it alone.
pub(crate) fn call(py: Python<'_>, session: &mut Session, words: &[&[u8]]) -> PyResult<Tape> {
    let protocol = session.protocol();
    let mut request = Vec::new();
    encode_request(words, &mut request);
    py.detach(|| session.feed(&request));
    while session.is_waiting() {
        match py.detach(|| sleep(session)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => py.check_signals()?,
            slept => slept?,
        }
    }
    let mut tape = Tape::take(protocol);
    each_reply(session, &mut tape);
    Ok(tape)
}

/// Sleeps until others have something for the session, or its time is over.
fn sleep(session: &mut Session) -> io::Result<()> {
    let timeout = session.time_left().map(|left| Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let descriptor = session.descriptor()?;
    let mut watched = [PollFd::new(&descriptor, PollFlags::IN)];
    match poll(&mut watched, timeout.as_ref()) {
        Err(Errno::INTR) => return Err(io::ErrorKind::Interrupted.into()),
        slept => slept?,
    };
    session.poll();
    session.handle_timeout();
    Ok(())
}

/// Writes down the replies that stand in a session's output, and takes them out of it.
pub(crate) fn each_reply(session: &mut Session, tape: &mut Tape) {
    let mut output = session.take_output().into();
    let mut decoder = ReplyDecoder::default();
    // The engine writes whole replies alone, and none that its own decoder cannot read.
    while let Ok(Some(reply)) = decoder.decode_shared(&mut output) {
        reply.write(tape);
    }
}
