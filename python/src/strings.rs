//! The string commands that must be fast, and those that take times.

use crate::client::{Client, append};
use crate::errors;
use crate::expiry::{Lifetime, Unit, span};
use crate::pipeline::Then;
use crate::reply;
use crate::word::{Word, Words, flattened};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

impl Client {
    /// The value of a string key.
    #[inline]
    pub(crate) fn value<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, client) = (this.py(), this.get());
        let Some(db) = client.plain_db() else {
            return Self::answer_soon(this, &[Word::from("GET"), name], Then::AsIs);
        };
        let read = |value: Option<&[u8]>| value.map(|value| reply::bytes(py, value));
        let value = client.engine(py)?.get_with(db, name.bytes(), read);
        match value.map_err(|error| errors::raised(py, &error))?.transpose()? {
            Some(value) => Ok(value.into_any()),
            None => Ok(py.None().into_bound(py)),
        }
    }

    /// Stores a string. Returns `True`.
    #[inline]
    pub(crate) fn store<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        value: Word<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, client) = (this.py(), this.get());
        let Some(db) = client.plain_db() else {
            return Self::answer_soon(this, &[Word::from("SET"), name, value], Then::Stored);
        };
        let stored = client.engine(py)?.set_in(db, name.bytes(), value.bytes());
        stored.map_err(|error| errors::raised(py, &error))?;
        Ok(true.into_pyobject(py)?.to_owned().into_any())
    }

    fn add<'py>(
        this: &Bound<'py, Self>,
        command: &'static str,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let amount = amount.unwrap_or(Word::Borrowed(b"1"));
        Self::answer_soon(this, &[Word::from(command), name, amount], Then::AsIs)
    }
}

#[pymethods]
impl Client {
    /// Return the value of a key, or ``None``.
    fn get<'py>(this: &Bound<'py, Self>, name: Word<'_>) -> PyResult<Bound<'py, PyAny>> {
        Self::value(this, name)
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
        this: &Bound<'py, Self>,
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
            return Self::store(this, name, value);
        }
        if times > 1 {
            let text =
                "``ex``, ``px``, ``exat``, ``pxat``, and ``keepttl`` are mutually exclusive.";
            return Err(errors::bad_data(this.py(), text));
        }
        if nx && xx {
            return Err(errors::bad_data(this.py(), "``nx`` and ``xx`` are mutually exclusive."));
        }
        let mut words = Words::new();
        words.extend([Word::from("SET"), name, value]);
        let flags = [(nx, "NX"), (xx, "XX"), (get, "GET"), (keepttl, "KEEPTTL")];
        words.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.into()));
        lifetime.write(&mut words)?;
        Self::answer_soon(this, &words, if get { Then::AsIs } else { Then::Stored })
    }

    /// Store ``value`` under a key that expires after ``time`` seconds, an integer or a
    /// ``timedelta``.
    fn setex<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        time: &Bound<'py, PyAny>,
        value: Word<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let time = span(time.as_borrowed(), Unit::Seconds)?;
        Self::answer_soon(this, &[Word::from("SETEX"), name, time, value], Then::Stored)
    }

    /// Store ``value`` under a key that expires after ``time_ms`` milliseconds, an integer or a
    /// ``timedelta``.
    fn psetex<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        time_ms: &Bound<'py, PyAny>,
        value: Word<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let time = span(time_ms.as_borrowed(), Unit::Milliseconds)?;
        Self::answer_soon(this, &[Word::from("PSETEX"), name, time, value], Then::Stored)
    }

    /// Return the value of a key, or ``None``, and change when it expires: the arguments are those
    /// of ``set``, and ``persist`` lets the key not expire.
    #[pyo3(signature = (name, ex=None, px=None, exat=None, pxat=None, persist=false))]
    fn getex<'py>(
        this: &Bound<'py, Self>,
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
            return Err(errors::bad_data(this.py(), text));
        }
        let mut words = Words::new();
        words.extend([Word::from("GETEX"), name]);
        lifetime.write(&mut words)?;
        if persist {
            words.push(Word::from("PERSIST"));
        }
        Self::answer_soon(this, &words, Then::AsIs)
    }

    /// Return the values of keys, with ``None`` for those that have none. Takes a list of keys, or
    /// keys, or both.
    #[pyo3(signature = (keys, *args))]
    fn mget<'py>(
        this: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = keys.py();
        let is_one = keys.is_instance_of::<PyString>() || keys.is_instance_of::<PyBytes>();
        // A tuple of its own holds the keys, whatever happens to the list meanwhile.
        let keys = if is_one { PyTuple::new(py, [keys])? } else { tuple_of(keys)? };
        if keys.is_empty() && args.is_empty() {
            return Self::answer_nothing(this);
        }
        let mut words = Words::new();
        words.push(Word::from("MGET"));
        append(&mut words, &keys)?;
        append(&mut words, args)?;
        Self::answer(this, &words, Then::AsIs)
    }

    /// Store the values of a mapping under its keys, all at once.
    fn mset<'py>(
        this: &Bound<'py, Self>,
        mapping: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let items = flattened(mapping)?;
        let mut words = Words::new();
        words.reserve(1 + items.len());
        words.push(Word::from("MSET"));
        for item in &items {
            words.push(item.as_borrowed().extract()?);
        }
        Self::answer(this, &words, Then::Stored)
    }

    /// Add ``amount`` to the integer that a key holds, zero if it does not exist. Return the sum.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn incrby<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::add(this, "INCRBY", name, amount)
    }

    /// Add ``amount`` to the integer that a key holds, zero if it does not exist. Return the sum.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn incr<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::add(this, "INCRBY", name, amount)
    }

    /// Subtract ``amount`` from the integer that a key holds, zero if it does not exist. Return
    /// the difference.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn decrby<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::add(this, "DECRBY", name, amount)
    }

    /// Subtract ``amount`` from the integer that a key holds, zero if it does not exist. Return
    /// the difference.
    #[pyo3(signature = (name, amount=None), text_signature = "($self, name, amount=1)")]
    fn decr<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        amount: Option<Word<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::add(this, "DECRBY", name, amount)
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
