//! Commands that wait until they are carried out together, and what is made of their replies then.
//! The shape is redis-py's.

use crate::client::Client;
use crate::errors;
use crate::reply::Tape;
use crate::word::Words;
use keyslot::Pipeline as Commands;
use keyslot::error::Error;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// The most characters of a command that an error quotes.
const QUOTED_MAX: usize = 100;
/// Stands for those that are left out.
const REST: &str = "...";

/// What a method makes of the reply to its command.
pub(crate) enum Then {
    /// The reply itself.
    AsIs,
    /// Whether it is true to Python.
    Truth,
    /// `None` if it is, which says that a condition forbade it, else `True`.
    Stored,
    /// What a function of the Python half returns for it.
    Call(Py<PyAny>),
    /// An empty list. There was nothing to ask, and no command waits.
    NothingAsked,
}

impl Then {
    pub(crate) fn apply<'py>(&self, reply: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = reply.py();
        let truth = |is_true: bool| Ok(is_true.into_pyobject(py)?.to_owned().into_any());
        match self {
            Self::AsIs => Ok(reply),
            Self::Truth => truth(reply.is_truthy()?),
            Self::Stored if reply.is_none() => Ok(reply),
            Self::Stored => truth(true),
            Self::Call(convert) => convert.bind(py).call1((reply,)),
            Self::NothingAsked => Ok(PyList::empty(py).into_any()),
        }
    }
}

/// What a pipeline holds until it is executed.
#[derive(Default)]
pub(crate) struct Queue {
    commands: Commands,
    thens: Vec<Then>,
    /// Whether the commands are carried out as one.
    is_transaction: bool,
    /// Whether `multi` was called: then they are so in any case.
    is_explicit: bool,
    /// Whether keys are watched, so that commands are carried out at once until `multi`.
    watches: bool,
}

impl Queue {
    /// Takes a command in, unless it is to be carried out at once.
    pub(crate) fn offer(&mut self, words: &[&[u8]], then: Then) -> Result<(), Then> {
        let is_watch = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"WATCH"));
        if !self.is_open() || (is_watch && !self.is_explicit) {
            return Err(then);
        }
        if !matches!(then, Then::NothingAsked) {
            self.commands.push(words);
        }
        self.thens.push(then);
        Ok(())
    }

    /// Whether commands wait. They do not between `watch` and `multi`.
    pub(crate) fn is_open(&self) -> bool {
        self.is_explicit || !self.watches
    }

    /// Takes note of a command that was carried out at once.
    pub(crate) fn note_done(&mut self, words: &[&[u8]]) {
        let is = |name: &[u8]| words.first().is_some_and(|word| word.eq_ignore_ascii_case(name));
        if is(b"WATCH") {
            self.watches = true;
        } else if is(b"UNWATCH") || is(b"EXEC") || is(b"DISCARD") {
            self.watches = false;
        }
    }
}

/// A pipeline of a client. The commands are its methods.
#[pyclass(extends = Client, subclass, frozen, module = "keyslot._keyslot")]
pub(crate) struct Pipeline;

#[pymethods]
impl Pipeline {
    #[new]
    #[pyo3(signature = (client, transaction=true))]
    fn new(client: &Bound<'_, Client>, transaction: bool) -> PyResult<PyClassInitializer<Self>> {
        let queue = Queue { is_transaction: transaction, ..Queue::default() };
        let client = client.get().with_queue(client.py(), queue)?;
        Ok(PyClassInitializer::from(client).add_subclass(Self))
    }

    /// Carry out the commands that wait, in one call to the engine while other threads run, and
    /// return what each method would have returned. In a transaction nobody sees a part of it.
    ///
    /// ``WatchError`` is raised if a watched key has changed, and the first error if a command was
    /// refused when it was queued; nothing was done then. An error of a command that was carried out
    /// does not undo the others: the first is raised, or with ``raise_on_error=False`` stands in its
    /// place in the list.
    #[pyo3(signature = (raise_on_error=true))]
    fn execute<'py>(this: &Bound<'py, Self>, raise_on_error: bool) -> PyResult<Bound<'py, PyList>> {
        let client = this.as_super().get();
        client.engine(this.py())?;
        let work = {
            let mut queue = client.queue();
            let fresh = Queue {
                is_transaction: queue.is_transaction,
                watches: queue.watches,
                ..Queue::default()
            };
            std::mem::replace(&mut *queue, fresh)
        };
        let results = work.carry_out(client, this.py(), raise_on_error);
        Self::reset(this)?;
        results
    }

    /// Carry out one command now, whatever waits, and return its reply as it is.
    #[pyo3(signature = (*words))]
    fn immediate_execute_command<'py>(
        this: &Bound<'py, Self>,
        words: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = this.as_super().get();
        let mut request = Words::new();
        crate::client::append(&mut request, words)?;
        let reply = client.call(this.py(), &request)?;
        let request: Vec<&[u8]> = request.iter().map(|word| word.bytes()).collect();
        client.queue().note_done(&request);
        Ok(reply)
    }

    /// Watch keys: ``execute`` raises ``WatchError`` if one of them changes until then. Commands
    /// are carried out at once from here on, until ``multi``.
    #[pyo3(signature = (*names))]
    fn watch(this: &Bound<'_, Self>, names: &Bound<'_, PyTuple>) -> PyResult<bool> {
        let client = this.as_super().get();
        if client.queue().is_explicit {
            return Err(errors::misuse(this.py(), "Cannot issue a WATCH after a MULTI"));
        }
        let mut words = Words::new();
        words.push("WATCH".into());
        crate::client::append(&mut words, names)?;
        client.call_short(this.py(), &words)?;
        client.queue().watches = true;
        Ok(true)
    }

    /// Let commands wait again after ``watch``, as a transaction.
    fn multi(this: &Bound<'_, Self>) -> PyResult<()> {
        let mut queue = this.as_super().get().queue();
        let text = if queue.is_explicit {
            "Cannot issue nested calls to MULTI"
        } else if !queue.thens.is_empty() {
            "Commands without an initial WATCH have already been issued"
        } else {
            queue.is_explicit = true;
            return Ok(());
        };
        drop(queue);
        Err(errors::misuse(this.py(), text))
    }

    /// Watch no keys any longer.
    fn unwatch(this: &Bound<'_, Self>) -> PyResult<bool> {
        let client = this.as_super().get();
        let watched = std::mem::take(&mut client.queue().watches);
        if watched {
            client.call_short(this.py(), &["UNWATCH".into()])?;
        }
        Ok(true)
    }

    /// Forget what waits, and watch no keys any longer.
    fn reset(this: &Bound<'_, Self>) -> PyResult<()> {
        let client = this.as_super().get();
        let (forgotten, watches) = {
            let mut queue = client.queue();
            let fresh = Queue { is_transaction: queue.is_transaction, ..Queue::default() };
            let before = std::mem::replace(&mut *queue, fresh);
            let watches = before.watches;
            (before, watches)
        };
        // Functions that it holds may run code when they are freed.
        drop(forgotten);
        if watches && !client.is_closed() {
            client.call_short(this.py(), &["UNWATCH".into()])?;
        }
        Ok(())
    }

    /// How many commands wait.
    fn __len__(this: &Bound<'_, Self>) -> usize {
        this.as_super().get().queue().thens.len()
    }

    fn __bool__(_this: &Bound<'_, Self>) -> bool {
        true
    }

    /// Whether keys are watched.
    #[getter]
    fn watching(this: &Bound<'_, Self>) -> bool {
        this.as_super().get().queue().watches
    }

    /// Whether ``multi`` was called.
    #[getter]
    fn explicit_transaction(this: &Bound<'_, Self>) -> bool {
        this.as_super().get().queue().is_explicit
    }
}

impl Queue {
    fn carry_out<'py>(
        self,
        client: &Client,
        py: Python<'py>,
        raise_on_error: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let is_transaction = self.is_transaction || self.is_explicit;
        if self.thens.is_empty() && !(self.watches && is_transaction) {
            return Ok(PyList::empty(py));
        }
        let replies = if is_transaction {
            self.as_transaction(client, py)?
        } else {
            self.one_by_one(client, py)?
        };
        self.results(replies, raise_on_error)
    }

    /// Carries the commands out as one, and returns their replies.
    fn as_transaction<'py>(
        &self,
        client: &Client,
        py: Python<'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (tape, refused) = client.converse_detached(py, |session| {
            let mut tape = Tape::take(session.protocol());
            let refused = session.run_transaction(&self.commands, &mut tape);
            (tape, refused)
        })?;
        client.queue().watches = false;
        let reply = match (tape.into_object(py), refused) {
            (Err(error), Some(number)) => return Err(self.annotated(error, py, number)),
            (reply, _) => reply?,
        };
        if reply.is_none() {
            return Err(errors::watched_key_changed(py));
        }
        Ok(reply.cast_into()?)
    }

    fn one_by_one<'py>(&self, client: &Client, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (tape, done) = client.converse_detached(py, |session| {
            let mut tape = Tape::take(session.protocol());
            let done = session.run_pipeline(&self.commands, &mut tape);
            (tape, done)
        })?;
        let replies = tape.into_objects(py)?;
        for _ in done..self.commands.len() {
            let text = "the session ended before this command of the pipeline";
            replies.append(errors::exception(py, &Error::err(text))?)?;
        }
        Ok(replies)
    }

    /// What the methods make of their replies.
    fn results<'py>(
        &self,
        replies: Bound<'py, PyList>,
        raise_on_error: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = replies.py();
        if replies.len() != self.commands.len() {
            let text = "Wrong number of response items from pipeline execution";
            return Err(errors::misuse(py, text));
        }
        let is_error = |reply: &Bound<'py, PyAny>| reply.is_instance_of::<PyException>();
        if raise_on_error
            && let Some((number, error)) = replies.iter().enumerate().find(|(_, it)| is_error(it))
        {
            return Err(self.annotated(PyErr::from_value(error), py, number));
        }
        let results = PyList::empty(py);
        let mut replies = replies.iter();
        for then in &self.thens {
            let reply = match then {
                Then::NothingAsked => py.None().into_bound(py),
                _ => replies.next().expect("as many replies as commands were counted"),
            };
            let is_as_is = is_error(&reply);
            results.append(if is_as_is { reply } else { then.apply(reply)? })?;
        }
        Ok(results)
    }

    /// An error that says which command it comes from.
    fn annotated(&self, error: PyErr, py: Python<'_>, number: usize) -> PyErr {
        let said = || -> PyResult<()> {
            let value = error.value(py);
            let args: Bound<'_, PyTuple> = value.getattr("args")?.cast_into()?;
            let words: Vec<_> = self.commands.words(number).map(String::from_utf8_lossy).collect();
            let text = format!(
                "Command # {} ({}) of pipeline caused error: {}",
                number + 1,
                quoted(&words.join(" ")),
                args.get_item(0)?
            );
            let rest = args.get_slice(1, args.len());
            value.setattr("args", PyTuple::new(py, [text])?.add(rest)?)
        };
        match said() {
            Ok(()) => error,
            Err(failure) => failure,
        }
    }
}

/// The first words of a text that fit, as redis-py quotes a command.
fn quoted(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let whole = words.join(" ");
    if whole.chars().count() <= QUOTED_MAX {
        return whole;
    }
    let mut length = REST.len();
    let fits = |word: &&&str| {
        length += word.chars().count() + 1;
        length <= QUOTED_MAX + 1
    };
    let first: Vec<&str> = words.iter().take_while(fits).copied().collect();
    first.join(" ") + REST
}
