//! What every call across the boundary has in common: arguments are checked, panics are caught,
//! failures become a number and a text.

use crate::status::Status;
use keyslot::error::Error;
use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest text of an error, its final NUL included.
pub const KEYSLOT_ERROR_TEXT_MAX: usize = 248;

/// Why a call failed. The caller provides the room; every call that takes one fills it in, so
/// that `number` is `KEYSLOT_OK` after success.
#[repr(C)]
#[derive(Debug)]
pub struct ErrorInfo {
    /// The number that the call returned as well.
    pub number: Status,
    /// The length of `text` without its final NUL.
    pub len: u32,
    /// The whole line, such as `ERR value is not an integer or out of range`, ended by a NUL and
    /// cut to fit.
    pub text: [c_char; KEYSLOT_ERROR_TEXT_MAX],
}

/// Why a call was not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) text: Cow<'static, [u8]>,
}

pub(crate) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) const fn fixed(status: Status, text: &'static str) -> Self {
        Self { status, text: Cow::Borrowed(text.as_bytes()) }
    }

    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self { status: Status::InvalidArgument, text: Cow::Owned(text.into().into_bytes()) }
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (None, Some(text)) => text.as_str(),
            (None, None) => "no text",
        };
        let text = format!("the library met a fault of its own: {said}");
        Self { status: Status::Panic, text: Cow::Owned(text.into_bytes()) }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let mut line = Vec::new();
        error.write_line(&mut line);
        Self { status: error.kind().into(), text: Cow::Owned(line) }
    }
}

/// Carries out `call`; a panic in it becomes a refusal.
pub(crate) fn guard<T>(call: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    // What a panic may leave half done is the engine's, whose locks open when the stack unwinds,
    // or a session's, which is closed to further calls.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(Refusal::panic(&*payload)))
}

/// Carries out `call`, says in `error` what came of it unless that is null, and returns its
/// number.
///
/// # Safety
/// `error` is null or may be written.
pub(crate) unsafe fn answer(error: *mut ErrorInfo, call: impl FnOnce() -> Outcome<()>) -> Status {
    let (status, text) = match guard(call) {
        Ok(()) => (Status::Ok, Cow::Borrowed(&b""[..])),
        Err(refusal) => (refusal.status, refusal.text),
    };
    if !error.is_null() {
        // SAFETY: not null, so the caller promised that it may be written. Only the parts written
        // here are touched, since the caller need not have given it a value.
        unsafe { write_error(error, status, &text) };
    }
    status
}

/// # Safety
/// `error` may be written.
unsafe fn write_error(error: *mut ErrorInfo, status: Status, text: &[u8]) {
    let len = text.len().min(KEYSLOT_ERROR_TEXT_MAX - 1);
    // SAFETY: `error` may be written, and `len` bytes and a NUL fit its text.
    unsafe {
        (&raw mut (*error).number).write(status);
        (&raw mut (*error).len).write(len as u32);
        let target = (&raw mut (*error).text).cast::<u8>();
        target.copy_from_nonoverlapping(text.as_ptr(), len);
        target.add(len).write(0);
    }
}

/// What a pointer leads to; null is refused.
///
/// # Safety
/// `pointer` is null, or leads to a `T` that lives, and is not written, for `'a`.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T, name: &str) -> Outcome<&'a T> {
    // SAFETY: by the promise above.
    unsafe { pointer.as_ref() }.ok_or_else(|| Refusal::argument(format!("{name} is null")))
}

/// Writes a result where the caller wants it; null is refused.
///
/// # Safety
/// `pointer` is null or may be written.
pub(crate) unsafe fn deliver<T>(pointer: *mut T, name: &str, value: T) -> Outcome<()> {
    // SAFETY: by the promise above.
    unsafe {
        require(pointer, name)?;
        pointer.write(value);
    }
    Ok(())
}

/// Writes a result where the caller wants it, unless that is null.
///
/// # Safety
/// `pointer` is null or may be written.
pub(crate) unsafe fn offer<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: by the promise above.
        unsafe { pointer.write(value) };
    }
}

/// Refuses a null.
pub(crate) fn require<T>(pointer: *const T, name: &str) -> Outcome<()> {
    if pointer.is_null() {
        return Err(Refusal::argument(format!("{name} is null")));
    }
    Ok(())
}

/// The bytes that a pointer and a length name. Null is right for no bytes at all.
///
/// # Safety
/// `data` is null or leads to `len` bytes that live, and are not written, for `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, len: usize, name: &str) -> Outcome<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    require(data, name)?;
    if isize::try_from(len).is_err() {
        return Err(Refusal::argument(format!("the length of {name} is out of range")));
    }
    // SAFETY: not null, not longer than an object can be, and readable by the promise above.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// The text that a pointer leads to, in UTF-8; null is refused.
///
/// # Safety
/// `pointer` is null or leads to a text that ends at its NUL and stays for `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Outcome<&'a str> {
    require(pointer, name)?;
    // SAFETY: not null, and by the promise above.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Refusal::argument(format!("{name} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;

    fn said(call: impl FnOnce() -> Outcome<()>) -> (Status, String) {
        let mut error = MaybeUninit::<ErrorInfo>::zeroed();
        // SAFETY: there is room for an error, and zero is a valid value of all its parts.
        let (status, error) = unsafe { (answer(error.as_mut_ptr(), call), error.assume_init()) };
        assert_eq!(error.number, status);
        assert_eq!(error.text[error.len as usize], 0);
        let text = error.text[..error.len as usize].iter().map(|&c| c as u8).collect();
        (status, String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_panic_becomes_a_number_and_a_text() {
        let (status, text) = said(|| panic!("of {}", "mine"));
        assert_eq!(status, Status::Panic);
        assert_eq!(text, "the library met a fault of its own: of mine");
    }

    #[test]
    fn an_error_keeps_its_line_and_a_long_one_is_cut() {
        assert_eq!(
            said(|| Err(Error::SYNTAX.into())),
            (Status::Err, "ERR syntax error".to_owned())
        );
        let (_, text) = said(|| Err(Refusal::argument("x".repeat(1000))));
        assert_eq!(text.len(), KEYSLOT_ERROR_TEXT_MAX - 1);
        assert_eq!(said(|| Ok(())), (Status::Ok, String::new()));
    }

    #[test]
    fn bytes_may_be_null_only_if_there_are_none() {
        let null = std::ptr::null();
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!(bytes(null, 0, "key").unwrap(), b"");
            assert_eq!(bytes(null, 1, "key").unwrap_err().status, Status::InvalidArgument);
        }
        let one = [7u8];
        // SAFETY: the length is refused before the bytes are looked at.
        let refused = unsafe { bytes(one.as_ptr().cast(), usize::MAX, "key") };
        assert_eq!(&*refused.unwrap_err().text, b"the length of key is out of range");
    }
}
