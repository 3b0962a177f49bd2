//! The key commands that must be fast, and keys by the operators of a dictionary.

use crate::client::{Client, append};
use crate::word::{Word, Words};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[pymethods]
impl Client {
    /// Return how many of the keys exist; one that is named twice counts twice.
    #[pyo3(signature = (*names))]
    fn exists<'py>(&self, names: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let mut words = Words::new();
        words.push(Word::from("EXISTS"));
        append(&mut words, names)?;
        self.call(names.py(), &words)
    }

    /// Delete keys. Return how many there were.
    #[pyo3(signature = (*names))]
    fn delete<'py>(&self, names: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let mut words = Words::new();
        words.push(Word::from("DEL"));
        append(&mut words, names)?;
        // Large values are freed by and by, so a few keys are deleted soon.
        match names.len() {
            0..=8 => self.call_short(names.py(), &words),
            _ => self.call(names.py(), &words),
        }
    }

    /// Return the value of a key; raise ``KeyError`` if there is none.
    fn __getitem__<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value(name.py(), &name.extract()?)?;
        value.map(Bound::into_any).ok_or_else(|| PyKeyError::new_err(name.clone().unbind()))
    }

    fn __setitem__(&self, py: Python<'_>, name: Word<'_>, value: Word<'_>) -> PyResult<()> {
        self.store(py, &name, &value)
    }

    fn __delitem__(&self, py: Python<'_>, name: Word<'_>) -> PyResult<()> {
        self.call_short(py, &[Word::from("DEL"), name]).map(drop)
    }

    fn __contains__(&self, py: Python<'_>, name: Word<'_>) -> PyResult<bool> {
        self.call_short(py, &[Word::from("EXISTS"), name])?.is_truthy()
    }
}
