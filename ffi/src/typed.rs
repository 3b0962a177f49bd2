//! Calls with types of their own for the commands that a cache is made of. They act on database 0;
//! a session and its commands reach the others.

use crate::boundary::{ErrorInfo, Outcome, answer, bytes, deliver, offer, require, shared};
use crate::engine::Engine;
use crate::scalar;
use crate::status::Status;
use keyslot::resp::number::write_i64;
use std::ffi::{c_char, c_void};

/// Bytes that the caller owns and frees with `keyslot_bytes_free`.
#[repr(C)]
#[derive(Debug)]
pub struct Bytes {
    /// The bytes, which may hold NULs and end without one. Null if there is no value at all; not
    /// null for an empty value.
    pub data: *mut c_char,
    /// How many bytes there are.
    pub len: usize,
}

impl Bytes {
    pub(crate) const NONE: Self = Self { data: std::ptr::null_mut(), len: 0 };

    pub(crate) fn new(value: Vec<u8>) -> Self {
        let value = Box::leak(value.into_boxed_slice());
        Self { data: value.as_mut_ptr().cast(), len: value.len() }
    }
}

/// Frees the bytes that `value` leads to, not `value` itself, and leaves null in it. Null, there
/// or in place of `value`, is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_bytes_free(value: *mut Bytes) {
    if value.is_null() {
        return;
    }
    // SAFETY: not null, so it may be read and written.
    let Bytes { data, len } = unsafe { value.replace(Bytes::NONE) };
    if !data.is_null() {
        // SAFETY: `Bytes::new` leaked a boxed slice of this place and length.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data.cast::<u8>(), len)) });
    }
}

/// Puts into `value` a copy of the string at a key; free it with `keyslot_bytes_free`. If there is
/// no such key, `value->data` is null. `KEYSLOT_WRONG_TYPE` if the key holds another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_get(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    value: *mut Bytes,
    error: *mut ErrorInfo,
) -> Status {
    let get = || {
        require(value, "value")?;
        // SAFETY: null or an engine that lives, and null or `key_len` bytes.
        let (engine, key) = unsafe { (shared(engine, "engine")?, bytes(key, key_len, "key")?) };
        let found = engine.0.get(key)?;
        let found = found.map_or(Bytes::NONE, |found| Bytes::new(found.into()));
        // SAFETY: room for bytes.
        unsafe { deliver(value, "value", found) }
    };
    // SAFETY: `value` is null or room for bytes, `error` is null or room for an error.
    unsafe {
        offer(value, Bytes::NONE);
        answer(error, get)
    }
}

/// Copies the string at a key into `buffer`, as much of it as `capacity` bytes hold, without a NUL
/// after it. Puts its whole length into `len`, -1 if there is no such key or the call fails; more
/// than `capacity` says that the rest is missing. `buffer` may be null if `capacity` is 0.
/// `KEYSLOT_WRONG_TYPE` if the key holds another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_get_into(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut i64,
    error: *mut ErrorInfo,
) -> Status {
    let get = || {
        require(len, "len")?;
        // SAFETY: null or an engine that lives, null or `key_len` bytes, null or `capacity` bytes.
        let (engine, key, buffer) = unsafe {
            (shared(engine, "engine")?, bytes(key, key_len, "key")?, room(buffer, capacity)?)
        };
        let found = engine.0.get_with(0, key, |value| {
            let Some(value) = value else { return -1 };
            let copied = value.len().min(buffer.len());
            buffer[..copied].copy_from_slice(&value[..copied]);
            value.len() as i64
        })?;
        // SAFETY: room for a number.
        unsafe { deliver(len, "len", found) }
    };
    // SAFETY: `len` is null or room for a number, `error` is null or room for an error.
    unsafe {
        offer(len, -1);
        answer(error, get)
    }
}

/// The caller's buffer.
///
/// # Safety
/// `buffer` is null or leads to `capacity` bytes that nobody else uses during `'a`.
unsafe fn room<'a>(buffer: *mut c_void, capacity: usize) -> Outcome<&'a mut [u8]> {
    if capacity == 0 {
        return Ok(&mut []);
    }
    // SAFETY: the bytes are only checked here, not read.
    unsafe { bytes(buffer, capacity, "buffer") }?;
    // SAFETY: not null and not too long, as was just checked. What the caller left in the buffer
    // is never read.
    Ok(unsafe { std::slice::from_raw_parts_mut(buffer.cast(), capacity) })
}

/// Stores a string, over whatever the key held. The key does not expire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_set(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let set = || {
        // SAFETY: null or an engine that lives, null or as many bytes as the lengths say.
        let (engine, key, value) = unsafe {
            let value = bytes(value, value_len, "value")?;
            (shared(engine, "engine")?, bytes(key, key_len, "key")?, value)
        };
        engine.0.set(key, value);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, set) }
}

/// Stores a string, over whatever the key held, that expires in `ttl_ms` milliseconds.
/// `KEYSLOT_ERR` if `ttl_ms` is not positive or too large.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_set_ttl_ms(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    ttl_ms: i64,
    error: *mut ErrorInfo,
) -> Status {
    let set = || {
        // SAFETY: null or an engine that lives, null or as many bytes as the lengths say.
        let (engine, key, value) = unsafe {
            let value = bytes(value, value_len, "value")?;
            (shared(engine, "engine")?, bytes(key, key_len, "key")?, value)
        };
        let words: [&[u8]; 5] = [b"SET", key, value, b"PX", &decimal(ttl_ms)];
        scalar::status(&engine.0, &words)
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, set) }
}

/// Deletes a key. Puts into `removed`, unless that is null, whether there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_del(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    removed: *mut bool,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: what this function's caller promises is what is asked for; null or room for a flag.
    let del = || unsafe {
        let count = count(engine, b"DEL", key, key_len, &[])?;
        offer(removed, count > 0);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, del) }
}

/// Puts into `exists` whether there is such a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_exists(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    exists: *mut bool,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: what this function's caller promises is what is asked for; null or room for a flag.
    let look = || unsafe {
        require(exists, "exists")?;
        let count = count(engine, b"EXISTS", key, key_len, &[])?;
        deliver(exists, "exists", count > 0)
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, look) }
}

/// Adds `by` to the integer at a key, which counts as 0 if there is no such key, and puts the sum
/// into `value`, unless that is null. `KEYSLOT_ERR` if the key holds no integer or the sum
/// overflows, `KEYSLOT_WRONG_TYPE` if it holds another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_incrby(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    by: i64,
    value: *mut i64,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: what this function's caller promises is what is asked for; null or room for a
    // number.
    let add = || unsafe {
        let sum = count(engine, b"INCRBY", key, key_len, &[&decimal(by)])?;
        offer(value, sum);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, add) }
}

/// Lets a key expire in `ttl_ms` milliseconds, or deletes it if that is not positive. Puts into
/// `found`, unless that is null, whether there was such a key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_expire_ms(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    ttl_ms: i64,
    found: *mut bool,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: what this function's caller promises is what is asked for; null or room for a flag.
    let expire = || unsafe {
        let count = count(engine, b"PEXPIRE", key, key_len, &[&decimal(ttl_ms)])?;
        offer(found, count > 0);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, expire) }
}

/// Puts into `ttl_ms` in how many milliseconds a key expires: -1 if it does not expire, -2 if
/// there is no such key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_ttl_ms(
    engine: *const Engine,
    key: *const c_void,
    key_len: usize,
    ttl_ms: *mut i64,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: what this function's caller promises is what is asked for; null or room for a
    // number.
    let look = || unsafe {
        require(ttl_ms, "ttl_ms")?;
        let left = count(engine, b"PTTL", key, key_len, &[])?;
        deliver(ttl_ms, "ttl_ms", left)
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, look) }
}

/// Carries out a command on one key that answers with a number.
///
/// # Safety
/// `engine` is null or lives, `key` is null or leads to `key_len` bytes.
unsafe fn count(
    engine: *const Engine,
    name: &[u8],
    key: *const c_void,
    key_len: usize,
    arguments: &[&[u8]],
) -> Outcome<i64> {
    // SAFETY: by the promise above.
    let (engine, key) = unsafe { (shared(engine, "engine")?, bytes(key, key_len, "key")?) };
    let words: Vec<&[u8]> = [name, key].into_iter().chain(arguments.iter().copied()).collect();
    scalar::integer(&engine.0, &words)
}

fn decimal(value: i64) -> Vec<u8> {
    let mut text = Vec::new();
    write_i64(value, &mut text);
    text
}
