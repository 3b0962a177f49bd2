//! Arguments that say when a key expires, as SET and GETEX take them. What a command does with the
//! time is its own.

use crate::error::Error;
use crate::keyspace::Expiry;
use crate::resp::number::parse_i64;
use crate::time::Moment;

/// How a time is given: its unit, and whether it counts from now or from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Milliseconds,
    /// `EXAT`: seconds since the Unix epoch.
    UnixSeconds,
    /// `PXAT`: milliseconds since the Unix epoch.
    UnixMilliseconds,
}

impl TimeForm {
    /// The form that a token introduces, in any case.
    pub(crate) fn of_token(word: &[u8]) -> Option<Self> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        if is(b"ex") {
            Some(Self::Seconds)
        } else if is(b"px") {
            Some(Self::Milliseconds)
        } else if is(b"exat") {
            Some(Self::UnixSeconds)
        } else if is(b"pxat") {
            Some(Self::UnixMilliseconds)
        } else {
            None
        }
    }

    /// Whether the time counts from the Unix epoch.
    pub(crate) const fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMilliseconds)
    }

    /// What the time counts, in milliseconds.
    pub(crate) const fn unit_ms(self) -> i64 {
        match self {
            Self::Seconds | Self::UnixSeconds => 1000,
            Self::Milliseconds | Self::UnixMilliseconds => 1,
        }
    }
}

/// A time as the request gives it. It is not read before [`ExpireTime::resolve`], since some
/// commands look at the key first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpireTime<'a> {
    pub(crate) form: TimeForm,
    pub(crate) text: &'a [u8],
}

impl ExpireTime<'_> {
    /// The time in milliseconds since the Unix epoch; it may lie in the past.
    ///
    /// # Errors
    /// `ERR value is not an integer or out of range`; `ERR invalid expire time in 'NAME' command`
    /// if it is not positive or does not fit in 63 bits.
    pub(crate) fn resolve(self, command: &str, time: &Moment<'_>) -> Result<u64, Error> {
        let given = parse_i64(self.text).ok_or(Error::NOT_INTEGER)?;
        let base = if self.form.is_absolute() { 0 } else { time.unix_ms() as i64 };
        let at = (given > 0).then_some(given).and_then(|given| {
            given.checked_mul(self.form.unit_ms())?.checked_add(base)?.try_into().ok()
        });
        at.ok_or_else(|| Error::invalid_expire(command))
    }
}

/// What a command shall do about a key's expiry. The choices exclude one another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum ExpireOption<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// `KEEPTTL`
    Keep,
    /// `PERSIST`
    Persist,
    /// `EX`, `PX`, `EXAT` or `PXAT`
    At(ExpireTime<'a>),
}

impl<'a> ExpireOption<'a> {
    /// Takes `word` if it is a token for a time, together with the time, the next of `rest`.
    /// Returns whether it was.
    ///
    /// # Errors
    /// `ERR syntax error` if there is no time, or another choice was made before.
    pub(crate) fn take_time(
        &mut self,
        word: &[u8],
        rest: &mut std::slice::Iter<'_, &'a [u8]>,
    ) -> Result<bool, Error> {
        let Some(form) = TimeForm::of_token(word) else { return Ok(false) };
        let text = rest.next().ok_or(Error::SYNTAX)?;
        self.choose(Self::At(ExpireTime { form, text }))?;
        Ok(true)
    }

    /// Makes a choice. The same one may be made again; the last time counts.
    ///
    /// # Errors
    /// `ERR syntax error` if another choice was made before.
    pub(crate) fn choose(&mut self, choice: Self) -> Result<(), Error> {
        let agrees = match (&*self, &choice) {
            (Self::Unsaid, _) | (Self::Keep, Self::Keep) | (Self::Persist, Self::Persist) => true,
            (Self::At(before), Self::At(now)) => before.form == now.form,
            (Self::Keep | Self::Persist | Self::At(_), _) => false,
        };
        if !agrees {
            return Err(Error::SYNTAX);
        }
        *self = choice;
        Ok(())
    }

    /// The expiry of a value that replaces another.
    ///
    /// # Errors
    /// As [`ExpireTime::resolve`].
    pub(crate) fn for_new_value(self, command: &str, time: &Moment<'_>) -> Result<Expiry, Error> {
        Ok(match self {
            Self::Unsaid | Self::Persist => Expiry::Never,
            Self::Keep => Expiry::Keep,
            Self::At(at) => Expiry::At(at.resolve(command, time)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    fn resolve(form: TimeForm, text: &str) -> Result<u64, String> {
        let clock = ManualClock::new(1_000);
        let time = ExpireTime { form, text: text.as_bytes() };
        time.resolve("set", &Moment::new(&clock)).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_counted_in_their_unit_from_their_start() {
        assert_eq!(resolve(TimeForm::Seconds, "2"), Ok(3_000));
        assert_eq!(resolve(TimeForm::Milliseconds, "2"), Ok(1_002));
        assert_eq!(resolve(TimeForm::UnixSeconds, "2"), Ok(2_000));
        assert_eq!(resolve(TimeForm::UnixMilliseconds, "2"), Ok(2));
    }

    #[test]
    fn times_that_overflow_or_are_not_positive_are_refused() {
        let invalid = Err("ERR invalid expire time in 'set' command".to_owned());
        for (form, text) in [
            (TimeForm::Seconds, "0"),
            (TimeForm::UnixMilliseconds, "-1"),
            (TimeForm::Seconds, "9223372036854775"),
            (TimeForm::Seconds, "9223372036854776"),
            (TimeForm::UnixSeconds, "9223372036854776"),
            (TimeForm::Milliseconds, "9223372036854775807"),
            (TimeForm::Milliseconds, "9223372036854774808"),
        ] {
            assert_eq!(resolve(form, text), invalid, "{form:?} {text}");
        }
        assert_eq!(resolve(TimeForm::UnixSeconds, "9223372036854775"), Ok(9223372036854775000));
        assert_eq!(resolve(TimeForm::Milliseconds, "9223372036854774807"), Ok(i64::MAX as u64));
        assert_eq!(resolve(TimeForm::Seconds, "1.5"), Err(Error::NOT_INTEGER.to_string()));
    }
}
