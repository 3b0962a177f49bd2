//! Times to live: the arguments as redis-py takes them, and the EXPIRE family.

use crate::client::Client;
use crate::errors;
use crate::pipeline::Then;
use crate::word::{Word, Words};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDelta, PyInt};

/// The unit that a command counts time in.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
}

/// A span of time as a word: an integer in `unit`, or a `timedelta`. What is neither goes to the
/// engine as it is, whose error says what is wrong.
pub(crate) fn span<'a>(time: Borrowed<'a, '_, PyAny>, unit: Unit) -> PyResult<Word<'a>> {
    if time.is_instance_of::<PyDelta>() {
        return in_unit(time.call_method0("total_seconds")?.extract()?, unit);
    }
    time.extract()
}

/// A point in time as a word: an integer in `unit` since the Unix epoch, or a `datetime`.
pub(crate) fn point<'a>(when: Borrowed<'a, '_, PyAny>, unit: Unit) -> PyResult<Word<'a>> {
    if when.is_instance_of::<PyDateTime>() {
        return in_unit(when.call_method0("timestamp")?.extract()?, unit);
    }
    when.extract()
}

fn in_unit<'a>(seconds: f64, unit: Unit) -> PyResult<Word<'a>> {
    Ok(Word::from(match unit {
        Unit::Seconds => seconds as i64,
        Unit::Milliseconds => (seconds * 1000.0) as i64,
    }))
}

/// The arguments `ex`, `px`, `exat` and `pxat`, which SET and GETEX have in common.
pub(crate) struct Lifetime<'a, 'py> {
    pub(crate) ex: Option<Borrowed<'a, 'py, PyAny>>,
    pub(crate) px: Option<Borrowed<'a, 'py, PyAny>>,
    pub(crate) exat: Option<Borrowed<'a, 'py, PyAny>>,
    pub(crate) pxat: Option<Borrowed<'a, 'py, PyAny>>,
}

impl<'a> Lifetime<'a, '_> {
    /// How many of the four are given.
    pub(crate) fn given(&self) -> usize {
        let four = [&self.ex, &self.px, &self.exat, &self.pxat];
        four.iter().filter(|time| time.is_some()).count()
    }

    /// Appends the words of those given.
    pub(crate) fn write(&self, words: &mut Words<'a>) -> PyResult<()> {
        if let Some(ex) = self.ex {
            words.extend([Word::from("EX"), checked_span(ex, "ex", Unit::Seconds)?]);
        }
        if let Some(px) = self.px {
            words.extend([Word::from("PX"), checked_span(px, "px", Unit::Milliseconds)?]);
        }
        if let Some(exat) = self.exat {
            words.extend([Word::from("EXAT"), point(exat, Unit::Seconds)?]);
        }
        if let Some(pxat) = self.pxat {
            words.extend([Word::from("PXAT"), point(pxat, Unit::Milliseconds)?]);
        }
        Ok(())
    }
}

fn checked_span<'a>(time: Borrowed<'a, '_, PyAny>, name: &str, unit: Unit) -> PyResult<Word<'a>> {
    let is_integer = time.is_instance_of::<PyInt>() && !time.is_instance_of::<PyBool>();
    let is_digits = || time.extract().is_ok_and(|text: &str| text.parse::<u64>().is_ok());
    if !is_integer && !time.is_instance_of::<PyDelta>() && !is_digits() {
        let text = format!("{name} must be datetime.timedelta or int");
        return Err(errors::bad_data(time.py(), &text));
    }
    span(time, unit)
}

/// Under which condition an expiry time is changed.
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Client {
    fn change_expiry<'py>(
        this: &Bound<'py, Self>,
        command: &'static str,
        name: Word<'_>,
        time: Word<'_>,
        condition: Condition,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut words: Words<'_> = Words::new();
        words.extend([Word::from(command), name, time]);
        let Condition { nx, xx, gt, lt } = condition;
        let flags = [(nx, "NX"), (xx, "XX"), (gt, "GT"), (lt, "LT")];
        words.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.into()));
        Self::answer_soon(this, &words, Then::Truth)
    }
}

#[pymethods]
impl Client {
    /// Let a key expire after ``time`` seconds, an integer or a ``timedelta``. Return whether the
    /// expiry time was set.
    ///
    /// With ``nx`` only if the key does not expire yet, with ``xx`` only if it does, with ``gt``
    /// only if the new time is later, with ``lt`` only if it is earlier.
    #[pyo3(signature = (name, time, nx=false, xx=false, gt=false, lt=false))]
    fn expire<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        time: &Bound<'py, PyAny>,
        nx: bool,
        xx: bool,
        gt: bool,
        lt: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let time = span(time.as_borrowed(), Unit::Seconds)?;
        Self::change_expiry(this, "EXPIRE", name, time, Condition { nx, xx, gt, lt })
    }

    /// Let a key expire after ``time`` milliseconds, an integer or a ``timedelta``. Return whether
    /// the expiry time was set. The conditions are those of ``expire``.
    #[pyo3(signature = (name, time, nx=false, xx=false, gt=false, lt=false))]
    fn pexpire<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        time: &Bound<'py, PyAny>,
        nx: bool,
        xx: bool,
        gt: bool,
        lt: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let time = span(time.as_borrowed(), Unit::Milliseconds)?;
        Self::change_expiry(this, "PEXPIRE", name, time, Condition { nx, xx, gt, lt })
    }

    /// Let a key expire at ``when``, seconds since the Unix epoch or a ``datetime``. Return whether
    /// the expiry time was set. The conditions are those of ``expire``.
    #[pyo3(signature = (name, when, nx=false, xx=false, gt=false, lt=false))]
    fn expireat<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        when: &Bound<'py, PyAny>,
        nx: bool,
        xx: bool,
        gt: bool,
        lt: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let when = point(when.as_borrowed(), Unit::Seconds)?;
        Self::change_expiry(this, "EXPIREAT", name, when, Condition { nx, xx, gt, lt })
    }

    /// Let a key expire at ``when``, milliseconds since the Unix epoch or a ``datetime``. Return
    /// whether the expiry time was set. The conditions are those of ``expire``.
    #[pyo3(signature = (name, when, nx=false, xx=false, gt=false, lt=false))]
    fn pexpireat<'py>(
        this: &Bound<'py, Self>,
        name: Word<'_>,
        when: &Bound<'py, PyAny>,
        nx: bool,
        xx: bool,
        gt: bool,
        lt: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let when = point(when.as_borrowed(), Unit::Milliseconds)?;
        Self::change_expiry(this, "PEXPIREAT", name, when, Condition { nx, xx, gt, lt })
    }

    /// Return the seconds that a key has left, rounded; -1 if it does not expire, -2 if it does
    /// not exist.
    fn ttl<'py>(this: &Bound<'py, Self>, name: Word<'_>) -> PyResult<Bound<'py, PyAny>> {
        Self::answer_soon(this, &[Word::from("TTL"), name], Then::AsIs)
    }

    /// Return the milliseconds that a key has left; -1 if it does not expire, -2 if it does not
    /// exist.
    fn pttl<'py>(this: &Bound<'py, Self>, name: Word<'_>) -> PyResult<Bound<'py, PyAny>> {
        Self::answer_soon(this, &[Word::from("PTTL"), name], Then::AsIs)
    }
}
