//! Words that commands on fields that expire have in common: times, and `FIELDS` with a number and
//! so many fields.

use crate::command::call::Call;
use crate::command::expire_arguments::TimeForm;
use crate::error::Error;
use crate::resp::number::parse_i64;

/// The latest time that Redis lets a field expire at, in milliseconds since the Unix epoch.
const TIME_MAX_MS: i64 = (1 << 46) - 1;

/// Reads the time at which fields shall expire, in milliseconds since the Unix epoch.
pub(super) fn time(call: &Call<'_, '_>, word: &[u8], form: TimeForm) -> Result<u64, Error> {
    let given = parse_i64(word).ok_or(Error::NOT_INTEGER)?;
    if given < 0 {
        return Err(Error::err("invalid expire time, must be >= 0"));
    }
    let base = if form.is_absolute() { 0 } else { call.time.unix_ms() as i64 };
    let at = given.checked_mul(form.unit_ms()).and_then(|ms| ms.checked_add(base));
    let at = at.filter(|&ms| ms <= TIME_MAX_MS);
    at.map(|ms| ms as u64).ok_or_else(|| Error::invalid_expire(&call.spec.name))
}

/// Reads `FIELDS numfields field...`, which have to be all words that are left. `number_error` is
/// the text for a number that is none or not positive.
pub(super) fn fields<'w>(
    words: &'w [&'w [u8]],
    number_error: &'static str,
) -> Result<&'w [&'w [u8]], Error> {
    let (token, rest) = words.split_first().ok_or(MISSING)?;
    if !token.eq_ignore_ascii_case(b"fields") {
        return Err(MISSING);
    }
    let number = rest.first().and_then(|word| parse_i64(word)).filter(|&number| number > 0);
    let number = number.ok_or_else(|| Error::err(number_error))?;
    let fields = &rest[1..];
    if number as usize != fields.len() {
        return Err(Error::err("The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields)
}

const MISSING: Error =
    Error::err("Mandatory argument FIELDS is missing or not at the right position");

/// What most commands answer to a number of fields that is none.
pub(super) const NOT_POSITIVE: &str = "Number of fields must be a positive integer";
