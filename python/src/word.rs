//! Python values as the words of a request, encoded as redis-py encodes them. Bytes and text are
//! borrowed from their objects, not copied.

use crate::errors;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyMapping, PyMemoryView, PyString,
};
use smallvec::SmallVec;

/// One word of a request.
pub(crate) enum Word<'a> {
    /// The content of an object that outlives the call.
    Borrowed(&'a [u8]),
    /// The text of a number, or a copy of what another thread could change.
    Copied(SmallVec<[u8; 24]>),
}

/// The words of a request that has not many.
pub(crate) type Words<'a> = SmallVec<[Word<'a>; 8]>;

impl Word<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

impl From<i64> for Word<'_> {
    fn from(value: i64) -> Self {
        Self::Copied(SmallVec::from_slice(itoa::Buffer::new().format(value).as_bytes()))
    }
}

impl From<&'static str> for Word<'_> {
    fn from(text: &'static str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Word<'a> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.extract() {
            return Ok(Self::Borrowed(bytes));
        }
        if object.is_instance_of::<PyString>() {
            let text: &'a str = object.extract()?;
            return Ok(Self::Borrowed(text.as_bytes()));
        }
        uncommon(object)
    }
}

#[cold]
fn uncommon<'a>(object: Borrowed<'_, '_, PyAny>) -> PyResult<Word<'a>> {
    if object.is_instance_of::<PyBool>() {
        return Err(errors::not_a_word(object));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object);
    }
    if let Ok(float) = object.cast::<PyFloat>() {
        // A subclass may print itself otherwise, as numpy's does.
        let plain = PyFloat::new(object.py(), float.value());
        return Ok(copied(plain.repr()?.to_str()?.as_bytes()));
    }
    if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        let bytes = object.py().get_type::<PyBytes>().call1((object,))?;
        return Ok(copied(bytes.extract()?));
    }
    Err(errors::not_a_word(object))
}

fn integer<'a>(object: Borrowed<'_, '_, PyAny>) -> PyResult<Word<'a>> {
    if let Ok(value) = object.extract::<i64>() {
        return Ok(Word::from(value));
    }
    let text = object.py().get_type::<PyInt>().call_method1("__repr__", (object,))?;
    Ok(copied(text.extract::<&str>()?.as_bytes()))
}

/// The keys and values of a mapping, in turn.
pub(crate) fn flattened<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut items = Vec::new();
    if let Ok(mapping) = mapping.cast::<PyDict>() {
        items.reserve(2 * mapping.len());
        mapping.iter().for_each(|(key, value)| items.extend([key, value]));
        return Ok(items);
    }
    for pair in mapping.cast::<PyMapping>()?.items()? {
        let (key, value) = pair.extract()?;
        items.extend([key, value]);
    }
    Ok(items)
}

fn copied<'a>(bytes: &[u8]) -> Word<'a> {
    Word::Copied(SmallVec::from_slice(bytes))
}
