//! Connections to other nodes that commands ask for, as the Python half carries them.

use crate::client::Shared;
use crate::errors;
use crate::reply;
use keyslot::Link as CoreLink;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A conversation with another node, which a command such as ``MIGRATE`` asked for.
///
/// Whoever takes one from ``Engine.poll_link`` connects to ``host`` and ``port`` over TCP, calls
/// ``handle_connected``, sends what ``output`` holds, feeds what arrives, and closes it when the
/// connection has ended. ``Engine.serve_links`` does all of it.
#[pyclass(frozen, module = "keyslot._keyslot")]
pub(crate) struct Link {
    shared: Arc<Shared>,
    /// None once it is closed.
    link: Mutex<Option<CoreLink>>,
    #[pyo3(get)]
    /// The host to connect to, a name or an address.
    host: String,
    #[pyo3(get)]
    /// The port to connect to.
    port: u16,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, link: CoreLink) -> Self {
        let (host, port) = (link.host().to_owned(), link.port());
        Self { shared, link: Mutex::new(Some(link)), host, port }
    }

    /// Lets `work` use the link while other threads run.
    fn detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut CoreLink) -> R + Send,
    ) -> PyResult<R> {
        if self.shared.closed.load(Relaxed) {
            return Err(errors::closed(py));
        }
        py.detach(|| self.link.lock().as_mut().map(work)).ok_or_else(|| errors::closed(py))
    }
}

#[pymethods]
impl Link {
    /// Take note that the connection is there.
    fn handle_connected(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, CoreLink::handle_connected)
    }

    /// What is to be sent and was not sent yet.
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let link = self.link.lock_py_attached(py);
        let link = link.as_ref().ok_or_else(|| errors::closed(py))?;
        reply::bytes(py, link.output())
    }

    /// Forget the first ``size`` bytes of the output, which have been sent.
    fn consume_output(&self, py: Python<'_>, size: usize) -> PyResult<()> {
        self.detached(py, |link| link.consume_output(size.min(link.output().len())))
    }

    /// Take bytes that arrived, in pieces of any size.
    fn feed(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.detached(py, |link| link.feed(data))
    }

    /// Take up what a command has left for a link that rests.
    fn poll(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, CoreLink::poll)
    }

    /// A descriptor that is readable when a command has something for a link that rests; then call
    /// ``poll``. It stays the link's.
    #[cfg(unix)]
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        self.detached(py, |link| link.descriptor().map(|descriptor| descriptor.as_raw_fd()))?
            .map_err(PyErr::from)
    }

    /// For how many seconds a host may sleep before it calls ``handle_timeout``; ``None`` for as long
    /// as it likes.
    #[getter]
    fn time_left(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.detached(py, |link| link.time_left().map(|left| left.as_secs_f64()))
    }

    /// Give the other side up if it was silent for too long, or end the link's rest. Calling it early
    /// does nothing.
    fn handle_timeout(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, CoreLink::handle_timeout)
    }

    /// Whether the connection is to be closed.
    #[getter]
    fn closing(&self, py: Python<'_>) -> PyResult<bool> {
        let link = self.link.lock_py_attached(py);
        Ok(link.as_ref().is_none_or(CoreLink::is_closing))
    }

    /// Take note that the connection could not be made or has ended. Closing twice is no error.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.link.lock().take()));
    }
}

impl Drop for Link {
    /// The command that waits hears of it.
    fn drop(&mut self) {
        if let Some(link) = self.link.get_mut().take() {
            Python::attach(|py| py.detach(|| drop(link)));
        }
    }
}
