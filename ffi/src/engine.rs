//! Engines, their settings, and the work a host gives them time for.

use crate::boundary::{ErrorInfo, Refusal, answer, deliver, guard, offer, require, shared, text};
use crate::options::Options;
use crate::status::Status;
use crate::typed::Bytes;
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An engine: a keyspace and everything around it. Any number of threads may call it at once.
pub struct Engine(pub(crate) keyslot::Engine);

/// Opens an empty engine with `options`, or with the defaults if that is null, and puts it into
/// `engine`. Free it with `keyslot_engine_free`. `KEYSLOT_ERR` with the text of CONFIG SET if a
/// setting does not exist or does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_new(
    options: *const Options,
    engine: *mut *mut Engine,
    error: *mut ErrorInfo,
) -> Status {
    let open = || {
        require(engine, "engine")?;
        let opened = Arc::new(AtomicBool::new(false));
        // SAFETY: null, or options as their description asks.
        let options = unsafe { Options::read(options)?.into_core(&opened) }?;
        let handle = Box::new(Engine(keyslot::Engine::open(options)?));
        opened.store(true, Ordering::Relaxed);
        // SAFETY: room for a pointer.
        unsafe { deliver(engine, "engine", Box::into_raw(handle)) }
    };
    // SAFETY: `engine` is null or room for a pointer, `error` is null or room for an error.
    unsafe {
        offer(engine, std::ptr::null_mut());
        answer(error, open)
    }
}

/// Gives up an engine. Its sessions may outlive this call: what they share is freed with the last
/// of them. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_free(engine: *mut Engine) {
    if !engine.is_null() {
        // SAFETY: it came from `keyslot_engine_new`, and its owner gives it up.
        free(unsafe { Box::from_raw(engine) });
    }
}

/// Drops a handle. A panic on the way leaks what is left of it: nobody could be told, and the
/// program is better off without it.
pub(crate) fn free<T>(handle: Box<T>) {
    let _ = guard(|| {
        drop(handle);
        Ok(())
    });
}

/// Does work that is due: deletes up to `budget` expired keys, and frees about as much of what
/// waits to be freed. Puts into `more`, unless that is null, whether there is more to do at once.
/// A host calls this from time to time, ten times a second say; a budget of 1,000 takes well under
/// a millisecond. Keys that are expired are never seen, whether or not this is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_maintain(
    engine: *const Engine,
    budget: usize,
    more: *mut bool,
    error: *mut ErrorInfo,
) -> Status {
    let maintain = || {
        // SAFETY: null or an engine that lives.
        let left = unsafe { shared(engine, "engine") }?.0.maintain(budget);
        // SAFETY: null or room for a flag.
        unsafe { offer(more, left) };
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, maintain) }
}

/// Puts into `unix_ms` when the next key expires, in milliseconds since the Unix epoch, or an
/// earlier time; -1 if nothing expires.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_next_expiry_ms(
    engine: *const Engine,
    unix_ms: *mut i64,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        // SAFETY: null or an engine that lives.
        let next = unsafe { shared(engine, "engine") }?.0.next_expiry_ms();
        let next = next.map_or(-1, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
        // SAFETY: null or room for a number.
        unsafe { deliver(unix_ms, "unix_ms", next) }
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, look) }
}

/// Changes a setting by its CONFIG name, protected ones too. `name` and `value` end at their NULs.
/// `KEYSLOT_ERR` with the text of CONFIG SET if the setting does not exist, does not fit, or may
/// only be chosen when the engine is opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_config_set(
    engine: *const Engine,
    name: *const c_char,
    value: *const c_char,
    error: *mut ErrorInfo,
) -> Status {
    let set = || {
        // SAFETY: null or an engine that lives; null or texts that end at their NULs.
        let (engine, name, value) =
            unsafe { (shared(engine, "engine")?, text(name, "name")?, text(value, "value")?) };
        Ok(engine.0.config_set(name, value)?)
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, set) }
}

/// Puts into `value` the value of a setting, by its CONFIG name; free it with
/// `keyslot_bytes_free`. If there is no such setting, `value->data` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_config_get(
    engine: *const Engine,
    name: *const c_char,
    value: *mut Bytes,
    error: *mut ErrorInfo,
) -> Status {
    let get = || {
        require(value, "value")?;
        // SAFETY: null or an engine that lives; null or a text that ends at its NUL.
        let (engine, name) = unsafe { (shared(engine, "engine")?, text(name, "name")?) };
        let found = engine.0.config_get(name).map_or(Bytes::NONE, |found| Bytes::new(found.into()));
        // SAFETY: room for bytes.
        unsafe { deliver(value, "value", found) }
    };
    // SAFETY: `value` is null or room for bytes, `error` is null or room for an error.
    unsafe {
        offer(value, Bytes::NONE);
        answer(error, get)
    }
}

/// Puts into `value` a figure of the engine by its name, such as `keyspace_hits`,
/// `used_memory_bytes` or `connected_clients`: those that `keyslot_engine_open_metrics` prints
/// without labels, without `keyslot_` and `_total`. Looks at each lock of the engine once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_figure(
    engine: *const Engine,
    name: *const c_char,
    value: *mut f64,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(value, "value")?;
        // SAFETY: null or an engine that lives; null or a text that ends at its NUL.
        let (engine, name) = unsafe { (shared(engine, "engine")?, text(name, "name")?) };
        let found = engine.0.figures().get(name);
        let found =
            found.ok_or_else(|| Refusal::argument(format!("no figure is named '{name}'")))?;
        // SAFETY: room for a number.
        unsafe { deliver(value, "value", found) }
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, look) }
}

/// Puts into `text` all figures of the engine as a monitoring system reads them, in the format of
/// OpenMetrics 1.0; free it with `keyslot_bytes_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_open_metrics(
    engine: *const Engine,
    text: *mut Bytes,
    error: *mut ErrorInfo,
) -> Status {
    let print = || {
        require(text, "text")?;
        let mut printed = String::new();
        // SAFETY: null or an engine that lives.
        unsafe { shared(engine, "engine") }?.0.open_metrics(&mut printed);
        // SAFETY: room for bytes.
        unsafe { deliver(text, "text", Bytes::new(printed.into())) }
    };
    // SAFETY: `text` is null or room for bytes, `error` is null or room for an error.
    unsafe {
        offer(text, Bytes::NONE);
        answer(error, print)
    }
}

/// The version of the library, such as `0.1.0`. The text lives as long as the library.
#[unsafe(no_mangle)]
pub extern "C" fn keyslot_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
