//! The key commands that must be fast, and keys by the operators of a dictionary.

use crate::client::{Client, append};
use crate::errors;
use crate::pipeline::Then;
use crate::word::{Word, Words};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[pymethods]
impl Client {
    /// Return how many of the keys exist; one that is named twice counts twice.
    #[pyo3(signature = (*names))]
    fn exists<'py>(
        this: &Bound<'py, Self>,
        names: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut words = Words::new();
        words.push(Word::from("EXISTS"));
        append(&mut words, names)?;
        Self::answer(this, &words, Then::AsIs)
    }

    /// Delete keys. Return how many there were.
    #[pyo3(signature = (*names))]
    fn delete<'py>(
        this: &Bound<'py, Self>,
        names: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut words = Words::new();
        words.push(Word::from("DEL"));
        append(&mut words, names)?;
        // Large values are freed by and by, so a few keys are deleted soon.
        match names.len() {
            0..=8 => Self::answer_soon(this, &words, Then::AsIs),
            _ => Self::answer(this, &words, Then::AsIs),
        }
    }

    /// Return the value of a key; raise ``KeyError`` if there is none.
    fn __getitem__<'py>(
        this: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = Self::value(this, name.extract()?)?;
        if value.is_none() { Err(PyKeyError::new_err(name.clone().unbind())) } else { Ok(value) }
    }

    fn __setitem__(this: &Bound<'_, Self>, name: Word<'_>, value: Word<'_>) -> PyResult<()> {
        Self::store(this, name, value).map(drop)
    }

    fn __delitem__(this: &Bound<'_, Self>, name: Word<'_>) -> PyResult<()> {
        Self::answer_soon(this, &[Word::from("DEL"), name], Then::AsIs).map(drop)
    }

    fn __contains__(this: &Bound<'_, Self>, name: Word<'_>) -> PyResult<bool> {
        if this.get().is_queueing() {
            let text = "a pipeline cannot tell before it is executed whether a key exists";
            return Err(errors::bad_data(this.py(), text));
        }
        Self::answer_soon(this, &[Word::from("EXISTS"), name], Then::AsIs)?.is_truthy()
    }
}
