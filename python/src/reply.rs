//! Replies as Python objects, without RESP text in between.
//!
//! A reply is first written down, part by part, while the engine holds its locks, and becomes
//! objects when they are released. Making lists and dictionaries may run any Python code (the
//! garbage collector's), which must not find a lock held; and a long command runs detached from
//! the interpreter, where no object can be made at all.

use crate::errors;
use keyslot::error::Error;
use keyslot::resp::number::DoubleText;
use keyslot::resp::{Protocol, ReplySink};
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PySet};
use std::cell::Cell;
use std::ops::Range;

/// One part of a reply.
#[derive(Debug)]
enum Part {
    Null,
    Integer(i64),
    Double(f64),
    Boolean(bool),
    /// A status, a bulk string or a verbatim string: a range of the tape's bytes.
    Bytes(Range<usize>),
    /// Decimal digits: a range of the tape's bytes.
    BigNumber(Range<usize>),
    Error(Error),
    List(usize),
    Map(usize),
    Set(usize),
    Attribute(usize),
}

/// A reply, written down.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    parts: Vec<Part>,
    bytes: Vec<u8>,
    protocol: Protocol,
}

/// A tape that grew beyond this is not kept for the next reply.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    static SPARE: Cell<Tape> = Cell::default();
}

impl Tape {
    /// An empty tape, with the room of the thread's last one.
    pub(crate) fn take(protocol: Protocol) -> Self {
        Self { protocol, ..SPARE.take() }
    }

    /// Makes the objects of the reply and raises if it is an error. No reply at all is `None`.
    pub(crate) fn into_object(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let object = Playback { py, tape: &self, next: 0 }.reply();
        self.give_back();
        object
    }

    /// Makes the objects of all replies that were written. One that is an error is an exception in
    /// the list.
    pub(crate) fn into_objects(self, py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
        let list = PyList::empty(py);
        let mut playback = Playback { py, tape: &self, next: 0 };
        while playback.next < self.parts.len() {
            list.append(playback.object()?)?;
        }
        self.give_back();
        Ok(list)
    }

    /// Keeps the room for the thread's next reply.
    fn give_back(mut self) {
        let size = self.bytes.capacity() + self.parts.capacity() * size_of::<Part>();
        if size <= KEPT_BYTES_MAX {
            self.parts.clear();
            self.bytes.clear();
            SPARE.set(self);
        }
    }

    fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

impl ReplySink for Tape {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn mark(&self) -> usize {
        self.parts.len()
    }

    fn rewind(&mut self, mark: usize) {
        let forgotten = self.parts.drain(mark..).find_map(|part| match part {
            Part::Bytes(range) | Part::BigNumber(range) => Some(range.start),
            Part::Null | Part::Integer(_) | Part::Double(_) | Part::Boolean(_) => None,
            Part::Error(_) | Part::List(_) | Part::Map(_) | Part::Set(_) => None,
            Part::Attribute(_) => None,
        });
        self.bytes.truncate(forgotten.unwrap_or(self.bytes.len()));
    }

    fn status(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    fn error(&mut self, error: &Error) {
        self.parts.push(Part::Error(error.clone()));
    }

    fn integer(&mut self, value: i64) {
        self.parts.push(Part::Integer(value));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        let range = self.add(bytes);
        self.parts.push(Part::Bytes(range));
    }

    fn null(&mut self) {
        self.parts.push(Part::Null);
    }

    fn null_array(&mut self) {
        self.parts.push(Part::Null);
    }

    fn array(&mut self, len: usize) {
        self.parts.push(Part::List(len));
    }

    fn map(&mut self, pairs: usize) {
        self.parts.push(match self.protocol {
            Protocol::Resp2 => Part::List(2 * pairs),
            Protocol::Resp3 => Part::Map(pairs),
        });
    }

    fn set(&mut self, len: usize) {
        self.parts.push(match self.protocol {
            Protocol::Resp2 => Part::List(len),
            Protocol::Resp3 => Part::Set(len),
        });
    }

    fn push(&mut self, len: usize) {
        self.parts.push(Part::List(len));
    }

    fn attribute(&mut self, pairs: usize) {
        self.parts.push(Part::Attribute(pairs));
    }

    fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(DoubleText::new(value).as_bytes()),
            Protocol::Resp3 => self.parts.push(Part::Double(value)),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.parts.push(match self.protocol {
            Protocol::Resp2 => Part::Integer(value.into()),
            Protocol::Resp3 => Part::Boolean(value),
        });
    }

    fn big_number(&mut self, digits: &[u8]) {
        let range = self.add(digits);
        self.parts.push(match self.protocol {
            Protocol::Resp2 => Part::Bytes(range),
            Protocol::Resp3 => Part::BigNumber(range),
        });
    }

    fn verbatim(&mut self, _format: &[u8; 3], text: &[u8]) {
        self.bulk(text);
    }
}

/// A tape being read.
struct Playback<'t, 'py> {
    py: Python<'py>,
    tape: &'t Tape,
    next: usize,
}

impl<'py> Playback<'_, 'py> {
    fn reply(mut self) -> PyResult<Bound<'py, PyAny>> {
        match self.tape.parts.as_slice() {
            [] => Ok(self.py.None().into_bound(self.py)),
            [Part::Error(error)] => Err(errors::raised(self.py, error)),
            _ => self.object(),
        }
    }

    fn object(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let missing = || PySystemError::new_err("a reply has fewer parts than it announced");
        let part = self.tape.parts.get(self.next).ok_or_else(missing)?;
        self.next += 1;
        Ok(match part {
            Part::Null => py.None().into_bound(py),
            Part::Integer(value) => value.into_pyobject(py)?.into_any(),
            Part::Double(value) => value.into_pyobject(py)?.into_any(),
            Part::Boolean(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Part::Bytes(range) => bytes(py, &self.tape.bytes[range.clone()])?.into_any(),
            Part::BigNumber(range) => {
                let digits = bytes(py, &self.tape.bytes[range.clone()])?;
                py.get_type::<PyInt>().call1((digits,))?
            }
            Part::Error(error) => errors::exception(py, error)?,
            Part::List(len) => self.list(*len)?.into_any(),
            Part::Map(pairs) => self.map(*pairs)?,
            Part::Set(len) => self.set(*len)?,
            Part::Attribute(pairs) => {
                self.list(2 * pairs)?;
                self.object()?
            }
        })
    }

    fn list(&mut self, len: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(self.py);
        for _ in 0..len {
            list.append(self.object()?)?;
        }
        Ok(list)
    }

    /// A dictionary; or a list of pairs if a key cannot be one of a dictionary.
    fn map(&mut self, pairs: usize) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(self.py);
        for _ in 0..pairs {
            list.append((self.object()?, self.object()?))?;
        }
        match PyDict::from_sequence(&list) {
            Ok(map) => Ok(map.into_any()),
            Err(_) => Ok(list.into_any()),
        }
    }

    /// A set; or a list if a member cannot be one of a set.
    fn set(&mut self, len: usize) -> PyResult<Bound<'py, PyAny>> {
        let list = self.list(len)?;
        match PySet::new(self.py, &list) {
            Ok(set) => Ok(set.into_any()),
            Err(_) => Ok(list.into_any()),
        }
    }
}

/// A bytes object with a copy of `content`. Unlike [`PyBytes::new`] this raises `MemoryError` where
/// memory is short. It runs no Python code, so it may be used while a lock is held.
#[inline]
pub(crate) fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // A slice is never longer than `isize::MAX`, which is what `Py_ssize_t` holds.
    let len = content.len() as pyo3::ffi::Py_ssize_t;
    // SAFETY: the function copies `len` bytes from `content` and returns a new reference, or null
    // with an exception set; the object it returns is a bytes object.
    unsafe {
        let object = pyo3::ffi::PyBytes_FromStringAndSize(content.as_ptr().cast(), len);
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}
