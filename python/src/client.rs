//! What an engine and a session have in common: a conversation of their own, through which every
//! command goes that has no typed call. Decides for which calls other threads may run.

use crate::errors;
use crate::pipeline::{Queue, Then};
use crate::reply::Tape;
use crate::waiting;
use crate::word::{Word, Words};
use keyslot::resp::Protocol;
use keyslot::{Engine, Session};
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyTuple;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A request with more words than this, or more bytes, is carried out detached.
const SHORT_WORDS_MAX: usize = 32;
const SHORT_BYTES_MAX: usize = 16 << 10;

/// In place of a database: the conversation is in a state that typed calls know nothing of.
const NOT_PLAIN: usize = usize::MAX;

/// What all clients of one engine share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    /// Whether the engine was closed, and all its clients with it.
    pub(crate) closed: AtomicBool,
}

/// One that talks to an engine: the commands are its methods.
#[pyclass(subclass, frozen, module = "keyslot._keyslot")]
pub(crate) struct Client {
    shared: Option<Arc<Shared>>,
    /// None once the client is closed. Nobody waits for this lock while attached to the
    /// interpreter, since its holder may be waiting to attach.
    conversation: Mutex<Option<Session>>,
    /// The database for calls that do without the conversation, or [`NOT_PLAIN`].
    plain_db: AtomicUsize,
    /// Whether the conversation chose RESP3.
    has_newer_protocol: AtomicBool,
    closed: AtomicBool,
    /// What waits to be carried out, if this client is a pipeline. The lock is held for moments
    /// alone.
    queue: Option<Mutex<Queue>>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let session = shared.engine.session();
        Self {
            shared: Some(shared),
            plain_db: AtomicUsize::new(session.plain_database().unwrap_or(NOT_PLAIN)),
            conversation: Mutex::new(Some(session)),
            has_newer_protocol: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            queue: None,
        }
    }

    /// A client whose commands wait in a queue, in a conversation like this one's.
    pub(crate) fn with_queue(&self, py: Python<'_>, queue: Queue) -> PyResult<Self> {
        let session = self.converse(py, |session| session.twin())?;
        Ok(Self {
            shared: self.shared.clone(),
            plain_db: AtomicUsize::new(NOT_PLAIN),
            conversation: Mutex::new(Some(session)),
            has_newer_protocol: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            queue: Some(Mutex::new(queue)),
        })
    }

    /// What waits to be carried out in a pipeline.
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.as_ref().expect("a pipeline has a queue").lock()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.shared.as_ref().expect("taken only when the client is dropped")
    }

    /// The engine, unless it or this client was closed.
    #[inline]
    pub(crate) fn engine(&self, py: Python<'_>) -> PyResult<&Engine> {
        let shared = self.shared();
        if self.closed.load(Relaxed) || shared.closed.load(Relaxed) {
            return Err(errors::closed(py));
        }
        Ok(&shared.engine)
    }

    /// The database for typed calls; none if the conversation's state asks for more.
    #[inline]
    pub(crate) fn plain_db(&self) -> Option<usize> {
        let db = self.plain_db.load(Relaxed);
        (db != NOT_PLAIN).then_some(db)
    }

    fn note_state(&self, session: &Session) {
        if self.queue.is_some() {
            // A typed call would be carried out at once.
            return;
        }
        self.has_newer_protocol.store(session.protocol() == Protocol::Resp3, Relaxed);
        self.plain_db.store(session.plain_database().unwrap_or(NOT_PLAIN), Relaxed);
    }

    /// Lets `work` use the conversation.
    pub(crate) fn converse<R>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Session) -> R,
    ) -> PyResult<R> {
        self.engine(py)?;
        let mut conversation = self.conversation.lock_py_attached(py);
        let session = conversation.as_mut().ok_or_else(|| errors::closed(py))?;
        let result = work(session);
        self.note_state(session);
        Ok(result)
    }

    /// The same for work that may take long: other threads run meanwhile.
    pub(crate) fn converse_detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Session) -> R + Send,
    ) -> PyResult<R> {
        self.engine(py)?;
        let result = py.detach(|| {
            let mut conversation = self.conversation.lock();
            let session = conversation.as_mut()?;
            let result = work(session);
            self.note_state(session);
            Some(result)
        });
        result.ok_or_else(|| errors::closed(py))
    }

    /// Carries out a request, and returns what `then` makes of its reply. If this client is a
    /// pipeline, the request waits there instead, and the pipeline is returned.
    pub(crate) fn answer<'py>(
        this: &Bound<'py, Self>,
        words: &[Word<'_>],
        then: Then,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::serve(this, words, then, Self::call)
    }

    /// The same for a request that is known to end soon.
    pub(crate) fn answer_soon<'py>(
        this: &Bound<'py, Self>,
        words: &[Word<'_>],
        then: Then,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::serve(this, words, then, Self::call_short)
    }

    /// Whether commands wait in a queue for now.
    pub(crate) fn is_queueing(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.lock().is_open())
    }

    /// Answers what needs no request with an empty list; a pipeline notes that, and is returned.
    pub(crate) fn answer_nothing<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = this.py();
        let then = Then::NothingAsked;
        match &this.get().queue {
            Some(queue) if queue.lock().offer(&[], Then::NothingAsked).is_ok() => {
                Ok(this.clone().into_any())
            }
            _ => then.apply(py.None().into_bound(py)),
        }
    }

    #[inline]
    fn serve<'py>(
        this: &Bound<'py, Self>,
        words: &[Word<'_>],
        then: Then,
        call: impl FnOnce(&Self, Python<'py>, &[Word<'_>]) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = this.get();
        let Some(queue) = &client.queue else {
            return then.apply(call(client, this.py(), words)?);
        };
        client.engine(this.py())?;
        let Err(then) = queue.lock().offer(&slices(words), then) else {
            return Ok(this.clone().into_any());
        };
        let reply = call(client, this.py(), words)?;
        queue.lock().note_done(&slices(words));
        then.apply(reply)
    }

    /// Carries out a request that is known to end soon.
    pub(crate) fn call_short<'py>(
        &self,
        py: Python<'py>,
        words: &[Word<'_>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let words = slices(words);
        let tape = self.converse(py, |session| call(session, &words))?;
        tape.into_object(py)
    }

    /// Carries out a request, detached from the interpreter unless it is known to end soon.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        words: &[Word<'_>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let words = slices(words);
        let engine = self.engine(py)?;
        let tape = if engine.may_wait(&words) && self.plain_db().is_some() {
            // In a conversation of its own, so that this one can go on in another thread.
            let mut session = self.converse(py, |session| session.twin())?;
            waiting::call(py, &mut session, &words)?
        } else if engine.concerns_running_script(&words) && self.plain_db().is_some() {
            self.call_aside(py, engine, &words)
        } else if is_short(&words) && engine.is_fast(&words) {
            self.converse(py, |session| call(session, &words))?
        } else {
            self.converse_detached(py, |session| call(session, &words))?
        };
        tape.into_object(py)
    }

    /// Carries out a request about a script without the conversation, which may be in the midst of
    /// that script.
    fn call_aside(&self, py: Python<'_>, engine: &Engine, words: &[&[u8]]) -> Tape {
        let protocol =
            if self.has_newer_protocol.load(Relaxed) { Protocol::Resp3 } else { Protocol::Resp2 };
        let engine = engine.clone();
        py.detach(|| {
            let mut tape = Tape::take(protocol);
            engine.call(words, &mut tape);
            tape
        })
    }

    /// Ends the conversation; whatever is asked afterwards is refused.
    pub(crate) fn close(&self, py: Python<'_>) {
        self.closed.store(true, Relaxed);
        py.detach(|| drop(self.conversation.lock().take()));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed) || self.shared().closed.load(Relaxed)
    }
}

impl Drop for Client {
    /// The last client of an engine frees its keys, which takes long if there are many.
    fn drop(&mut self) {
        let parts = (self.conversation.get_mut().take(), self.shared.take());
        Python::attach(|py| py.detach(|| drop(parts)));
    }
}

#[pymethods]
impl Client {
    /// Carry out one command and return its reply as it is.
    ///
    /// Words are bytes, text (as UTF-8), integers or floats. Bulk strings and statuses come back
    /// as ``bytes``, integers as ``int``, nulls as ``None``, arrays as ``list``; after ``HELLO 3``
    /// maps as ``dict``, sets as ``set``, doubles as ``float``. An error is raised; one inside an
    /// array is an element of the list.
    #[pyo3(signature = (*words))]
    fn execute<'py>(
        this: &Bound<'py, Self>,
        words: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::execute_command(this, words)
    }

    /// Carry out one command and return its reply as it is: ``execute`` by redis-py's name. A
    /// pipeline, whose ``execute`` is another, queues the command and returns itself.
    #[pyo3(signature = (*args))]
    fn execute_command<'py>(
        this: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut request = Words::new();
        append(&mut request, args)?;
        Self::answer(this, &request, Then::AsIs)
    }

    /// Carry out one command and return what ``convert`` makes of its reply. A pipeline queues both
    /// and returns itself.
    #[pyo3(signature = (convert, *words))]
    fn ask<'py>(
        this: &Bound<'py, Self>,
        convert: Py<PyAny>,
        words: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut request = Words::new();
        append(&mut request, words)?;
        Self::answer(this, &request, Then::Call(convert))
    }

    /// The number of the database that this client's keys are in.
    #[getter]
    fn database(&self, py: Python<'_>) -> PyResult<usize> {
        self.converse(py, |session| session.database())
    }
}

/// Appends the words that a tuple holds.
pub(crate) fn append<'a>(words: &mut Words<'a>, tuple: &'a Bound<'_, PyTuple>) -> PyResult<()> {
    words.reserve(tuple.len());
    for word in tuple.iter_borrowed() {
        words.push(word.extract()?);
    }
    Ok(())
}

fn slices<'a>(words: &'a [Word<'_>]) -> SmallVec<[&'a [u8]; 8]> {
    words.iter().map(Word::bytes).collect()
}

fn is_short(words: &[&[u8]]) -> bool {
    words.len() <= SHORT_WORDS_MAX
        && words.iter().map(|word| word.len()).sum::<usize>() <= SHORT_BYTES_MAX
}

fn call(session: &mut Session, words: &[&[u8]]) -> Tape {
    let mut tape = Tape::take(session.protocol());
    session.call(words, &mut tape);
    tape
}
