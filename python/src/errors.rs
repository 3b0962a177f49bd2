//! Errors of the engine as Python exceptions. The classes are in the Python half.

use keyslot::error::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The exception for an error reply.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static FROM_REPLY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let from_reply =
        FROM_REPLY.get_or_try_init(py, || function(py, "error_from_reply").map(Bound::unbind))?;
    let kind = error.kind();
    from_reply.bind(py).call1((kind.number(), kind.prefix(), error.to_string()))
}

/// The exception for an error reply, ready to be raised.
#[cold]
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|failure| failure, PyErr::from_value)
}

/// What a client that was closed answers to everything.
#[cold]
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    of_class(py, "ClosedError", "the engine or the session is closed")
}

/// Arguments that no request can be made of.
#[cold]
pub(crate) fn bad_data(py: Python<'_>, text: &str) -> PyErr {
    of_class(py, "DataError", text)
}

/// A call that does not fit what was called before.
#[cold]
pub(crate) fn misuse(py: Python<'_>, text: &str) -> PyErr {
    of_class(py, "KeyslotError", text)
}

/// A transaction that was not carried out, since a key that was watched is not what it was.
#[cold]
pub(crate) fn watched_key_changed(py: Python<'_>) -> PyErr {
    of_class(py, "WatchError", "Watched variable changed.")
}

/// A value that cannot be a word of a request.
#[cold]
pub(crate) fn not_a_word(object: Borrowed<'_, '_, PyAny>) -> PyErr {
    let name = object.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    let advice = "Convert to a bytes, string, int or float first.";
    bad_data(object.py(), &format!("Invalid input of type: '{name}'. {advice}"))
}

fn of_class(py: Python<'_>, class: &str, text: &str) -> PyErr {
    let class = function(py, class).and_then(|class| Ok(class.cast_into::<PyType>()?));
    class.map_or_else(|failure| failure, |class| PyErr::from_type(class, text.to_owned()))
}

fn function<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("keyslot.exceptions")?.getattr(name)
}
