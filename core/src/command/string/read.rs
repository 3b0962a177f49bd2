//! Commands that look at strings, and those that look and then delete or expire.

use crate::command::call::Call;
use crate::command::expire_arguments::ExpireOption;
use crate::command::key::{remove_expiry, say_expiry};
use crate::error::Error;
use crate::keyspace::{Event, Key};
use crate::resp::number::parse_i64;
use crate::value::string;

/// Replies with the value of a key, or null. Returns whether there is one.
pub(super) fn reply_value(call: &mut Call<'_, '_>, key: &Key<'_>) -> Result<bool, Error> {
    match call.keys.read(key) {
        None => {
            call.out.null();
            Ok(false)
        }
        Some(record) => {
            call.out.bulk(&string::read(record)?);
            Ok(true)
        }
    }
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    reply_value(call, &key)?;
    Ok(())
}

pub(super) fn getdel(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    if reply_value(call, &key)? {
        call.keys.remove(&key);
        call.keys.say(&key, &[b"DEL", key.bytes]);
        call.notify(Event::Generic, "del", &key);
    }
    Ok(())
}

/// Reads GETEX's options.
fn parse_getex<'a>(words: &[&'a [u8]]) -> Result<ExpireOption<'a>, Error> {
    let mut option = ExpireOption::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"persist") {
            option.choose(ExpireOption::Persist)?;
        } else if !option.take_time(word, &mut words)? {
            return Err(Error::SYNTAX);
        }
    }
    Ok(option)
}

pub(super) fn getex(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let option = parse_getex(&call.words[2..])?;
    let key = call.key(0);
    if !reply_value(call, &key)? {
        return Ok(());
    }
    match option {
        ExpireOption::Unsaid | ExpireOption::Keep => {}
        ExpireOption::Persist => {
            remove_expiry(call, &key);
        }
        ExpireOption::At(time) => {
            let at = time.resolve(call.spec.command.name, call.time)?;
            if time.form.is_absolute() && at <= call.time.unix_ms() {
                call.keys.remove(&key);
                call.keys.say(&key, &[b"DEL", key.bytes]);
                call.notify(Event::Generic, "del", &key);
            } else {
                call.keys.set_expire_ms(&key, Some(at));
                say_expiry(call.keys, &key, at);
                call.notify(Event::Generic, "expire", &key);
            }
        }
    }
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let located = call.located;
    call.out.array(located.len());
    for key in located {
        match call.keys.read(key).map(string::read) {
            Some(Ok(text)) => call.out.bulk(&text),
            // Another type reads as no value here, unlike in GET.
            Some(Err(_)) | None => call.out.null(),
        }
    }
    Ok(())
}

pub(super) fn strlen(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let len = call.keys.read(&call.located[0]).map_or(Ok(0), string::len)?;
    call.out.integer(len as i64);
    Ok(())
}

pub(super) fn getrange(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let start = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let end = parse_i64(call.words[3]).ok_or(Error::NOT_INTEGER)?;
    match call.keys.read(&call.located[0]) {
        None => call.out.bulk(b""),
        Some(record) => call.out.bulk(range(&string::read(record)?, start, end)),
    }
    Ok(())
}

/// The bytes from `start` to `end`, both included. Negative places count from the end; an end
/// before the first byte means the first byte, as in Redis.
fn range(text: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let len = text.len() as i64;
    let place = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end { b"" } else { &text[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: every place of the text is asked whether it is in the range.
    fn twin(text: &[u8], start: i64, end: i64) -> Vec<u8> {
        let len = text.len() as i128;
        let place = |at: i64| if at < 0 { (i128::from(at) + len).max(0) } else { i128::from(at) };
        let within = |at: usize| place(start) <= at as i128 && at as i128 <= place(end);
        let backwards = start < 0 && end < 0 && start > end;
        let chosen = text.iter().enumerate().filter(|(at, _)| within(*at) && !backwards);
        chosen.map(|(_, &byte)| byte).collect()
    }

    #[test]
    fn an_end_before_the_first_byte_means_the_first_byte() {
        assert_eq!(range(b"abc", 0, -100), b"a");
        assert_eq!(range(b"abc", -100, -99), b"a");
        assert_eq!(range(b"abc", -99, -100), b"");
        assert_eq!(range(b"", 0, -1), b"");
    }

    proptest! {
        #[test]
        fn ranges_agree_with_a_choice_place_by_place(
            text in prop::collection::vec(any::<u8>(), 0..12),
            start in prop_oneof![-15i64..15, Just(i64::MIN), Just(i64::MAX)],
            end in prop_oneof![-15i64..15, Just(i64::MIN), Just(i64::MAX)],
        ) {
            prop_assert_eq!(range(&text, start, end), twin(&text, start, end));
        }
    }
}
