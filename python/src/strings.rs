//! The string commands that must be fast, and those that take times.

use crate::client::{Client, append};
use crate::errors;
use crate::expiry::{Lifetime, Unit, span};
use crate::reply;
use crate::word::{Word, Words, flattened};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

impl Client {
    /// The value of a string key.
    #[inline]
    pub(crate) fn value<'py>(
        &self,
        py: Python<'py>,
        name: &Word<'_>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(db) = self.plain_db() else {
            let name = Word::Borrowed(name.bytes());
            return Ok(self.call_short(py, &[Word::from("GET"), name])?.extract()?);
        };
        let read = |value: Option<&[u8]>| value.map(|value| reply::bytes(py, value));
        let value = self.engine(py)?.get_with(db, name.bytes(), read);
        value.map_err(|error| errors::raised(py, &error))?.transpose()
    }

    /// Stores a string.
    #[inline]
    pub(crate) fn store(&self, py: Python<'_>, name: &Word<'_>, value: &Word<'_>) -> PyResult<()> {
        let Some(db) = self.plain_db() else {
            let (name, value) = (Word::Borrowed(name.bytes()), Word::Borrowed(value.bytes()));
            return self.call_short(py, &[Word::from("SET"), name, value]).map(drop);
        };
        let stored = self.engine(py)?.set_in(db, name.bytes(), value.bytes());
        stored.map_err(|error| errors::raised(py, &error))
    }

    fn add<'py>(
        &self,
        py: Python<'py>,
        command: &'static str,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let amount = amount.unwrap_or(Word::Borrowed(b"1"));
        self.call_short(py, &[Word::from(command), name, amount])
    }
}

#[pymethods]
impl Client {
    /// Return the value of a key, or ``None``.
    fn get<'py>(&self, py: Python<'py>, name: Word<'_>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.value(py, &name)
    }

    /// Store ``value`` under a key, whatever it held. Return ``True``, or ``None`` if ``nx`` or
    /// ``xx`` forbade it; with ``get`` return the previous value, or ``None``.
    ///
    /// ``ex`` and ``px`` let the key expire after seconds or milliseconds (integers or
    /// ``timedelta``), ``exat`` and ``pxat`` at a time since the Unix epoch (integers or
    /// ``datetime``); ``keepttl`` leaves the expiry time as it is. ``nx`` stores only a new key,
    /// ``xx`` only one that exists.
    #[pyo3(signature = (name, value, ex=None, px=None, nx=false, xx=false, keepttl=false, get=false,
                        exat=None, pxat=None))]
    #[expect(clippy::too_many_arguments, reason = "redis-py's signature")]
    fn set<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        value: Word<'_>,
        ex: Option<&Bound<'py, PyAny>>,
        px: Option<&Bound<'py, PyAny>>,
        nx: bool,
        xx: bool,
        keepttl: bool,
        get: bool,
        exat: Option<&Bound<'py, PyAny>>,
        pxat: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let lifetime = lifetime(ex, px, exat, pxat);
        let times = lifetime.given() + usize::from(keepttl);
        if times == 0 && !(nx || xx || get) {
            self.store(py, &name, &value)?;
            return Ok(true.into_pyobject(py)?.to_owned().into_any());
        }
        if times > 1 {
            let text =
                "``ex``, ``px``, ``exat``, ``pxat``, and ``keepttl`` are mutually exclusive.";
            return Err(errors::bad_data(py, text));
        }
        if nx && xx {
            return Err(errors::bad_data(py, "``nx`` and ``xx`` are mutually exclusive."));
        }
        let mut words = Words::new();
        words.extend([Word::from("SET"), name, value]);
        let flags = [(nx, "NX"), (xx, "XX"), (get, "GET"), (keepttl, "KEEPTTL")];
        words.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.into()));
        lifetime.write(&mut words)?;
        let reply = self.call_short(py, &words)?;
        let stored = !get && !reply.is_none();
        if stored { Ok(true.into_pyobject(py)?.to_owned().into_any()) } else { Ok(reply) }
    }

    /// Store ``value`` under a key that expires after ``time`` seconds, an integer or a
    /// ``timedelta``.
    fn setex(
        &self,
        py: Python<'_>,
        name: Word<'_>,
        time: &Bound<'_, PyAny>,
        value: Word<'_>,
    ) -> PyResult<bool> {
        let time = span(time.as_borrowed(), Unit::Seconds)?;
        self.call_short(py, &[Word::from("SETEX"), name, time, value])?.is_truthy()
    }

    /// Store ``value`` under a key that expires after ``time_ms`` milliseconds, an integer or a
    /// ``timedelta``.
    fn psetex(
        &self,
        py: Python<'_>,
        name: Word<'_>,
        time_ms: &Bound<'_, PyAny>,
        value: Word<'_>,
    ) -> PyResult<bool> {
        let time = span(time_ms.as_borrowed(), Unit::Milliseconds)?;
        self.call_short(py, &[Word::from("PSETEX"), name, time, value])?.is_truthy()
    }

    /// Return the value of a key, or ``None``, and change when it expires: the arguments are those
    /// of ``set``, and ``persist`` lets the key not expire.
    #[pyo3(signature = (name, ex=None, px=None, exat=None, pxat=None, persist=false))]
    #[expect(clippy::too_many_arguments, reason = "redis-py's signature")]
    fn getex<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        ex: Option<&Bound<'py, PyAny>>,
        px: Option<&Bound<'py, PyAny>>,
        exat: Option<&Bound<'py, PyAny>>,
        pxat: Option<&Bound<'py, PyAny>>,
        persist: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let lifetime = lifetime(ex, px, exat, pxat);
        if lifetime.given() + usize::from(persist) > 1 {
            let text =
                "``ex``, ``px``, ``exat``, ``pxat``, and ``persist`` are mutually exclusive.";
            return Err(errors::bad_data(py, text));
        }
        let mut words = Words::new();
        words.extend([Word::from("GETEX"), name]);
        lifetime.write(&mut words)?;
        if persist {
            words.push(Word::from("PERSIST"));
        }
        self.call_short(py, &words)
    }

    /// Return the values of keys, with ``None`` for those that have none. Takes a list of keys, or
    /// keys, or both.
    #[pyo3(signature = (keys, *args))]
    fn mget<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = keys.py();
        let is_one = keys.is_instance_of::<PyString>() || keys.is_instance_of::<PyBytes>();
        // A tuple of its own holds the keys, whatever happens to the list meanwhile.
        let keys = if is_one { PyTuple::new(py, [keys])? } else { tuple_of(keys)? };
        if keys.is_empty() && args.is_empty() {
            return Ok(PyList::empty(py).into_any());
        }
        let mut words = Words::new();
        words.push(Word::from("MGET"));
        append(&mut words, &keys)?;
        append(&mut words, args)?;
        self.call(py, &words)
    }

    /// Store the values of a mapping under its keys, all at once.
    fn mset(&self, mapping: &Bound<'_, PyAny>) -> PyResult<bool> {
        let items = flattened(mapping)?;
        let mut words = Words::new();
        words.reserve(1 + items.len());
        words.push(Word::from("MSET"));
        for item in &items {
            words.push(item.as_borrowed().extract()?);
        }
        self.call(mapping.py(), &words)?.is_truthy()
    }

    /// Add ``amount`` to the integer that a key holds, zero if it does not exist. Return the sum.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn incrby<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.add(py, "INCRBY", name, amount)
    }

    /// Add ``amount`` to the integer that a key holds, zero if it does not exist. Return the sum.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn incr<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.add(py, "INCRBY", name, amount)
    }

    /// Subtract ``amount`` from the integer that a key holds, zero if it does not exist. Return
    /// the difference.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn decrby<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.add(py, "DECRBY", name, amount)
    }

    /// Subtract ``amount`` from the integer that a key holds, zero if it does not exist. Return
    /// the difference.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn decr<'py>(
        &self,
        py: Python<'py>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.add(py, "DECRBY", name, amount)
    }
}

fn lifetime<'a, 'py>(
    ex: Option<&'a Bound<'py, PyAny>>,
    px: Option<&'a Bound<'py, PyAny>>,
    exat: Option<&'a Bound<'py, PyAny>>,
    pxat: Option<&'a Bound<'py, PyAny>>,
) -> Lifetime<'a, 'py> {
    let borrowed = |time: Option<&'a Bound<'py, PyAny>>| time.map(Bound::as_borrowed);
    Lifetime { ex: borrowed(ex), px: borrowed(px), exat: borrowed(exat), pxat: borrowed(pxat) }
}

fn tuple_of<'py>(keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let tuple = keys.py().get_type::<PyTuple>().call1((keys,))?;
    Ok(tuple.cast_into()?)
}
