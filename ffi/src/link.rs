//! Connections to other nodes that commands such as MIGRATE ask for, and that the host carries. What
//! is said over them is core's.

use crate::boundary::{
    ErrorInfo, Outcome, Refusal, answer, bytes, deliver, offer, require, shared,
};
use crate::descriptor;
use crate::engine::{Engine, free};
use crate::exclusive::Exclusive;
use crate::status::Status;
use std::ffi::{CString, c_char, c_int, c_void};

/// A conversation with another node, which a command asked for. The host opens a connection over TCP
/// to `keyslot_link_host` and `keyslot_link_port`. Then, until `keyslot_link_is_closing`:
/// - it calls `keyslot_link_handle_connected` once,
/// - it sends what `keyslot_link_output` gives and says so by `keyslot_link_consume`,
/// - it gives what arrives to `keyslot_link_feed`,
/// - it calls `keyslot_link_poll` when `keyslot_link_descriptor` is readable,
/// - it calls `keyslot_link_handle_timeout` after `keyslot_link_time_left_us`,
/// - it frees the link when the connection could not be made, or has ended: the command that waits
///   hears of it then.
///
/// A link that has done its work rests for a while, for the next command. One thread at a time may
/// call it; a call that meets another one in progress answers `KEYSLOT_IN_USE`.
pub struct Link {
    link: Exclusive<keyslot::Link>,
    host: CString,
    port: u16,
}

/// Puts into `descriptor` one that `poll` or `epoll` find readable while commands wait for a link;
/// then call `keyslot_engine_poll_link` until there is none. It is the engine's: do not read from it
/// and do not close it. By asking for it a host promises to open links; without it such commands
/// answer `IOERR`. A bad argument where the system has no such descriptors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_link_descriptor(
    engine: *const Engine,
    descriptor: *mut c_int,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(descriptor, "descriptor")?;
        // SAFETY: null or an engine that lives.
        let found = descriptor::of_links(&unsafe { shared(engine, "engine") }?.0)?;
        // SAFETY: room for a number.
        unsafe { deliver(descriptor, "descriptor", found) }
    };
    // SAFETY: each is null or room for its value.
    unsafe {
        offer(descriptor, -1);
        answer(error, look)
    }
}

/// Takes the promise to open links back: commands that wait for one fail, and later ones answer
/// `IOERR`, until the descriptor is asked for again. A host frees the links that it has first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_decline_links(
    engine: *const Engine,
    error: *mut ErrorInfo,
) -> Status {
    let decline = || {
        // SAFETY: null or an engine that lives.
        unsafe { shared(engine, "engine") }?.0.decline_links();
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, decline) }
}

/// Puts into `link` the next one that is to be opened, or null if there is none. Free it with
/// `keyslot_link_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_poll_link(
    engine: *const Engine,
    link: *mut *mut Link,
    error: *mut ErrorInfo,
) -> Status {
    let take = || {
        require(link, "link")?;
        // SAFETY: null or an engine that lives.
        let wanted = unsafe { shared(engine, "engine") }?.0.poll_link();
        let found = wanted.map_or(std::ptr::null_mut(), |wanted| {
            let host = wanted.host().bytes().take_while(|&byte| byte != 0).collect::<Vec<_>>();
            let host = CString::new(host).unwrap_or_default();
            let port = wanted.port();
            Box::into_raw(Box::new(Link { link: Exclusive::new("link", wanted), host, port }))
        });
        // SAFETY: room for a pointer.
        unsafe { deliver(link, "link", found) }
    };
    // SAFETY: `link` is null or room for a pointer, `error` is null or room for an error.
    unsafe {
        offer(link, std::ptr::null_mut());
        answer(error, take)
    }
}

/// Ends and frees a link that no thread is in. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_free(link: *mut Link) {
    if !link.is_null() {
        // SAFETY: it came from `keyslot_engine_poll_link`, and its owner gives it up.
        free(unsafe { Box::from_raw(link) });
    }
}

/// The host to connect to, a name or an address that ends at its NUL and lives as long as the link;
/// null for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_host(link: *const Link) -> *const c_char {
    // SAFETY: null or a link that lives.
    unsafe { shared(link, "link") }.map_or(std::ptr::null(), |link| link.host.as_ptr())
}

/// The port to connect to; 0 for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_port(link: *const Link) -> u16 {
    // SAFETY: null or a link that lives.
    unsafe { shared(link, "link") }.map_or(0, |link| link.port)
}

/// Puts into `descriptor` one that is readable when a command has something for a link that rests;
/// then call `keyslot_link_poll`. It stays the link's: do not read from it and do not close it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_descriptor(
    link: *const Link,
    descriptor: *mut c_int,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(descriptor, "descriptor")?;
        // SAFETY: null or a link that lives.
        let found = unsafe { shared(link, "link") }?.link.enter(descriptor::of_link)?;
        // SAFETY: room for a number.
        unsafe { deliver(descriptor, "descriptor", found) }
    };
    // SAFETY: each is null or room for its value.
    unsafe {
        offer(descriptor, -1);
        answer(error, look)
    }
}

/// Takes note that the connection is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_handle_connected(
    link: *const Link,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: null or a link that lives; null or room for an error.
    unsafe { step(link, error, keyslot::Link::handle_connected) }
}

/// Puts into `data` and `len` what is to be sent. The bytes are the link's; they stay until the next
/// call for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_output(
    link: *const Link,
    data: *mut *const c_char,
    len: *mut usize,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(data, "data")?;
        require(len, "len")?;
        // SAFETY: null or a link that lives.
        unsafe { shared(link, "link") }?.link.enter(|link| {
            let output = link.output();
            // SAFETY: neither is null.
            unsafe {
                data.write(output.as_ptr().cast());
                len.write(output.len());
            }
            Ok(())
        })
    };
    // SAFETY: each is null or room for its value.
    unsafe {
        offer(data, std::ptr::null());
        offer(len, 0);
        answer(error, look)
    }
}

/// Forgets the first `len` bytes of the output, which have been sent. More than there are is a bad
/// argument, and forgets nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_consume(
    link: *const Link,
    len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let consume = || {
        // SAFETY: null or a link that lives.
        unsafe { shared(link, "link") }?.link.enter(|link| {
            if len > link.output().len() {
                return Err(Refusal::argument("len is more than the output holds"));
            }
            link.consume_output(len);
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, consume) }
}

/// Takes bytes that arrived, in pieces of any size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_feed(
    link: *const Link,
    data: *const c_void,
    len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let feed = || {
        // SAFETY: null or a link that lives, and null or `len` bytes.
        let (link, input) = unsafe { (shared(link, "link")?, bytes(data, len, "data")?) };
        link.link.enter(|link| {
            link.feed(input);
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, feed) }
}

/// Takes up what a command has left for a link that rests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_poll(link: *const Link, error: *mut ErrorInfo) -> Status {
    // SAFETY: null or a link that lives; null or room for an error.
    unsafe { step(link, error, keyslot::Link::poll) }
}

/// For how many microseconds a host may sleep before it calls `keyslot_link_handle_timeout`; -1 for
/// as long as it likes, for null, and for a link that cannot be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_time_left_us(link: *const Link) -> i64 {
    // SAFETY: null or a link that lives.
    let link = unsafe { shared(link, "link") };
    let left = link.and_then(|link| link.link.enter(|link| Ok(link.time_left())));
    let left_us = left.ok().flatten().map(|left| left.as_micros());
    left_us.map_or(-1, |left_us| i64::try_from(left_us).unwrap_or(i64::MAX))
}

/// Gives the other side up if it was silent for too long, or ends the link's rest. Calling it early
/// does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_handle_timeout(
    link: *const Link,
    error: *mut ErrorInfo,
) -> Status {
    // SAFETY: null or a link that lives; null or room for an error.
    unsafe { step(link, error, keyslot::Link::handle_timeout) }
}

/// Whether the host shall end the connection. True too for null and for a link that cannot be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_link_is_closing(link: *const Link) -> bool {
    // SAFETY: null or a link that lives.
    let link = unsafe { shared(link, "link") };
    link.and_then(|link| link.link.enter(|link| Ok(link.is_closing()))).unwrap_or(true)
}

/// Lets a link take a step that cannot fail.
///
/// # Safety
/// `link` is null or lives, `error` is null or may be written.
unsafe fn step(
    link: *const Link,
    error: *mut ErrorInfo,
    step: impl FnOnce(&mut keyslot::Link),
) -> Status {
    let enter = || -> Outcome<()> {
        // SAFETY: by the promise above.
        unsafe { shared(link, "link") }?.link.enter(|link| {
            step(link);
            Ok(())
        })
    };
    // SAFETY: by the promise above.
    unsafe { answer(error, enter) }
}
