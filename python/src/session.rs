//! A conversation by bytes: what arrived goes in, what is to be sent comes out.

use crate::client::{Client, append};
use crate::engine::Engine;
use crate::reply::{self, Tape};
use crate::waiting;
use crate::word::Words;
use keyslot::resp::encode_request;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// One conversation with an engine, by bytes or by methods.
#[pyclass(extends = Client, subclass, frozen, module = "keyslot._keyslot")]
pub(crate) struct Session;

#[pymethods]
impl Session {
    #[new]
    fn new(engine: &Bound<'_, Engine>) -> PyResult<PyClassInitializer<Self>> {
        let client = engine.as_super().get();
        client.engine(engine.py())?;
        let client = Client::new(client.shared().clone());
        Ok(PyClassInitializer::from(client).add_subclass(Self))
    }

    /// Take bytes that arrived, in pieces of any size, and carry out every request that they
    /// complete. The replies are appended to the output.
    ///
    /// A protocol error is written to the output and closes the conversation.
    fn feed(this: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        this.as_super().get().converse_detached(this.py(), |session| session.feed(data))
    }

    /// What is to be sent and was not taken yet.
    #[getter]
    fn output<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyBytes>> {
        let py = this.py();
        this.as_super().get().converse(py, |session| reply::bytes(py, session.output()))?
    }

    /// Take what is to be sent.
    fn take_output<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyBytes>> {
        let py = this.py();
        this.as_super().get().converse(py, |session| {
            let output = reply::bytes(py, session.output())?;
            session.consume_output(session.output().len());
            Ok(output)
        })?
    }

    /// Take one request by its words, and carry it out as if its bytes had been fed.
    #[pyo3(signature = (*words))]
    fn send(this: &Bound<'_, Self>, words: &Bound<'_, PyTuple>) -> PyResult<()> {
        let mut request = Words::new();
        append(&mut request, words)?;
        let words: Vec<&[u8]> = request.iter().map(|word| word.bytes()).collect();
        let mut bytes = Vec::new();
        encode_request(&words, &mut bytes);
        this.as_super().get().converse_detached(this.py(), |session| session.feed(&bytes))
    }

    /// Take what is to be sent as a list of objects, each a reply or a message, as ``execute`` returns
    /// them. An error is an exception in the list.
    fn take_replies<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let tape = this.as_super().get().converse(this.py(), |session| {
            let mut tape = Tape::take(session.protocol());
            waiting::each_reply(session, &mut tape);
            tape
        })?;
        tape.into_objects(this.py())
    }

    /// Forget the first ``size`` bytes of the output, which have been sent.
    fn consume_output(this: &Bound<'_, Self>, size: usize) -> PyResult<()> {
        this.as_super().get().converse(this.py(), |session| {
            session.consume_output(size.min(session.output().len()));
        })
    }

    /// Whether the conversation shall end once the output is sent: after ``QUIT`` or a protocol
    /// error.
    #[getter]
    fn closing(this: &Bound<'_, Self>) -> PyResult<bool> {
        this.as_super().get().converse(this.py(), |session| session.is_closing())
    }

    /// Add to the output what others have for this session, such as messages of channels that it
    /// listens to and the answer to a command in which it waits.
    fn poll(this: &Bound<'_, Self>) -> PyResult<()> {
        this.as_super().get().converse_detached(this.py(), |session| session.poll())
    }

    /// A descriptor that is readable while others have something for this session, for ``select``,
    /// ``selectors`` and ``asyncio``; then call ``poll``. It stays the session's.
    #[cfg(unix)]
    fn fileno(this: &Bound<'_, Self>) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        this.as_super()
            .get()
            .converse(this.py(), |session| Ok(session.descriptor()?.as_raw_fd()))?
    }

    /// Whether the session waits for what its last command asked for, as ``BLPOP`` does. What is fed
    /// until then is carried out after.
    #[getter]
    fn waiting(this: &Bound<'_, Self>) -> PyResult<bool> {
        this.as_super().get().converse(this.py(), |session| session.is_waiting())
    }

    /// For how many seconds a host may sleep before it calls ``handle_timeout``; ``None`` for as long
    /// as it likes.
    #[getter]
    fn time_left(this: &Bound<'_, Self>) -> PyResult<Option<f64>> {
        let client = this.as_super().get();
        client.converse(this.py(), |session| session.time_left().map(|left| left.as_secs_f64()))
    }

    /// End the session's wait if it has waited long enough, or the session if it was silent for too
    /// long. Calling it early does nothing.
    fn handle_timeout(this: &Bound<'_, Self>) -> PyResult<()> {
        this.as_super().get().converse_detached(this.py(), |session| session.handle_timeout())
    }

    /// The number of this session, unique within its engine.
    #[getter]
    fn id(this: &Bound<'_, Self>) -> PyResult<u64> {
        this.as_super().get().converse(this.py(), |session| session.id())
    }

    /// End the conversation. Closing twice is no error.
    fn close(this: &Bound<'_, Self>) {
        this.as_super().get().close(this.py());
    }

    /// Whether the session or its engine was closed.
    #[getter]
    fn closed(this: &Bound<'_, Self>) -> bool {
        this.as_super().get().is_closed()
    }
}
