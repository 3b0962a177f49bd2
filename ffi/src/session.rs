//! Sessions: bytes in, bytes out. Parsing and answering are core's.

use crate::boundary::{
    ErrorInfo, Outcome, Refusal, answer, bytes, deliver, offer, require, shared, text,
};
use crate::descriptor;
use crate::engine::{Engine, free};
use crate::exclusive::Exclusive;
use crate::status::Status;
use std::ffi::{c_char, c_int, c_void};

/// One conversation with an engine, with its own database, protocol version and name. One thread
/// at a time may call it; a call that meets another one in progress answers `KEYSLOT_IN_USE`.
pub struct Session(Exclusive<keyslot::Session>);

impl Session {
    /// Carries out `work` in the session, unless somebody is in it.
    pub(crate) fn enter<T>(
        &self,
        work: impl FnOnce(&mut keyslot::Session) -> Outcome<T>,
    ) -> Outcome<T> {
        self.0.enter(work)
    }
}

/// Opens a session of `engine` and puts it into `session`. Free it with `keyslot_session_free`;
/// it may outlive the engine's handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_new(
    engine: *const Engine,
    session: *mut *mut Session,
    error: *mut ErrorInfo,
) -> Status {
    let open = || {
        require(session, "session")?;
        // SAFETY: null or an engine that lives.
        let inner = unsafe { shared(engine, "engine") }?.0.session();
        let opened = Session(Exclusive::new("session", inner));
        // SAFETY: room for a pointer.
        unsafe { deliver(session, "session", Box::into_raw(Box::new(opened))) }
    };
    // SAFETY: `session` is null or room for a pointer, `error` is null or room for an error.
    unsafe {
        offer(session, std::ptr::null_mut());
        answer(error, open)
    }
}

/// Ends and frees a session that no thread is in. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_free(session: *mut Session) {
    if !session.is_null() {
        // SAFETY: it came from `keyslot_session_new`, and its owner gives it up.
        free(unsafe { Box::from_raw(session) });
    }
}

/// Takes bytes that arrived, in pieces of any size, and carries out every request that they
/// complete. The replies are appended to the output. A protocol error is written to the output
/// and closes the session; the call itself succeeds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_feed(
    session: *const Session,
    data: *const c_void,
    len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let feed = || {
        // SAFETY: null or a session that lives, and null or `len` bytes.
        let (session, input) = unsafe { (shared(session, "session")?, bytes(data, len, "data")?) };
        session.enter(|session| {
            session.feed(input);
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, feed) }
}

/// Puts into `data` and `len` what is to be sent and was not consumed yet. The bytes are the
/// session's; they stay until the next call that feeds, consumes or frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_output(
    session: *const Session,
    data: *mut *const c_char,
    len: *mut usize,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(data, "data")?;
        require(len, "len")?;
        // SAFETY: null or a session that lives.
        unsafe { shared(session, "session") }?.enter(|session| {
            let output = session.output();
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

/// Forgets the first `len` bytes of the output, which have been sent. More than there are is a
/// bad argument, and forgets nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_consume(
    session: *const Session,
    len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let consume = || {
        // SAFETY: null or a session that lives.
        unsafe { shared(session, "session") }?.enter(|session| {
            if len > session.output().len() {
                return Err(Refusal::argument("len is more than the output holds"));
            }
            session.consume_output(len);
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, consume) }
}

/// Adds to the output what others have for the session, such as messages of channels that it
/// listens to and the answer to a command in which it waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_poll(
    session: *const Session,
    error: *mut ErrorInfo,
) -> Status {
    let poll = || {
        // SAFETY: null or a session that lives.
        unsafe { shared(session, "session") }?.enter(|session| {
            session.poll();
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, poll) }
}

/// Puts into `descriptor` one that `poll` or `epoll` find readable while others have something for
/// the session; then call `keyslot_session_poll`. It stays the session's: do not read from it and do
/// not close it. A bad argument
/// where the system has no such descriptors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_descriptor(
    session: *const Session,
    descriptor: *mut c_int,
    error: *mut ErrorInfo,
) -> Status {
    let look = || {
        require(descriptor, "descriptor")?;
        // SAFETY: null or a session that lives.
        let session = unsafe { shared(session, "session") }?;
        let found = session.enter(descriptor::of_session)?;
        // SAFETY: room for a number.
        unsafe { deliver(descriptor, "descriptor", found) }
    };
    // SAFETY: each is null or room for its value.
    unsafe {
        offer(descriptor, -1);
        answer(error, look)
    }
}

/// For how many microseconds a host may sleep before it calls `keyslot_session_handle_timeout`; -1
/// for as long as it likes, for null, and for a session that cannot be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_time_left_us(session: *const Session) -> i64 {
    // SAFETY: null or a session that lives.
    let session = unsafe { shared(session, "session") };
    let left = session.and_then(|session| session.enter(|session| Ok(session.time_left())));
    let left_us = left.ok().flatten().map(|left| left.as_micros());
    left_us.map_or(-1, |left_us| i64::try_from(left_us).unwrap_or(i64::MAX))
}

/// Ends the session's wait if it has waited long enough, or the session if it was silent for too
/// long. Calling it early does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_handle_timeout(
    session: *const Session,
    error: *mut ErrorInfo,
) -> Status {
    let handle = || {
        // SAFETY: null or a session that lives.
        unsafe { shared(session, "session") }?.enter(|session| {
            session.handle_timeout();
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, handle) }
}

/// Whether the host shall end the conversation once the output is sent. True too for null and
/// for a session that cannot be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_is_closing(session: *const Session) -> bool {
    // SAFETY: null or a session that lives.
    let session = unsafe { shared(session, "session") };
    session.and_then(|session| session.enter(|session| Ok(session.is_closing()))).unwrap_or(true)
}

/// The number of a session, unique within its engine, as CLIENT ID prints it; 0 for null and for a
/// session that cannot be called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_id(session: *const Session) -> u64 {
    // SAFETY: null or a session that lives.
    let session = unsafe { shared(session, "session") };
    session.and_then(|session| session.enter(|session| Ok(session.id()))).unwrap_or(0)
}

/// Says where the client is and where it came to, as `ip:port`, or `path:0` of a Unix socket, for
/// CLIENT LIST to show. Both texts end at their NULs. A session of which it is not said counts as
/// local.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_set_peer(
    session: *const Session,
    peer: *const c_char,
    local: *const c_char,
    error: *mut ErrorInfo,
) -> Status {
    let set = || {
        // SAFETY: null or a session that lives; null or texts that end at their NULs.
        let (session, peer, local) =
            unsafe { (shared(session, "session")?, text(peer, "peer")?, text(local, "local")?) };
        session.enter(|session| {
            session.set_peer(peer, local);
            Ok(())
        })
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, set) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::guard;
    use keyslot::EngineOptions;
    use keyslot::time::{Clock, Now};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A clock that panics while it is told to.
    struct Fault(Arc<AtomicBool>);

    impl Clock for Fault {
        fn now(&self) -> Now {
            assert!(!self.0.load(Ordering::Relaxed), "the clock fell off the wall");
            Now { unix_ms: 1, mono_us: 1 }
        }
    }

    fn feed(session: &Session, input: &[u8]) -> Status {
        // SAFETY: the session lives, and so does the input.
        unsafe {
            keyslot_session_feed(session, input.as_ptr().cast(), input.len(), std::ptr::null_mut())
        }
    }

    #[test]
    fn a_panic_breaks_its_session_and_not_the_engine() {
        let broken = Arc::new(AtomicBool::new(false));
        let clock = Box::new(Fault(broken.clone()));
        let engine = Engine(keyslot::Engine::new(EngineOptions { clock, ..Default::default() }));
        let mut handles = [std::ptr::null_mut(); 2];
        // SAFETY: the engine lives until the end of this test, the sessions until they are freed.
        let [one, other] = unsafe {
            for handle in &mut handles {
                assert_eq!(keyslot_session_new(&engine, handle, std::ptr::null_mut()), Status::Ok);
            }
            handles.map(|handle| &*handle)
        };
        assert_eq!(feed(one, b"SET k v\r\n"), Status::Ok);
        broken.store(true, Ordering::Relaxed);
        assert_eq!(feed(one, b"GET k\r\n"), Status::Panic);
        broken.store(false, Ordering::Relaxed);
        assert_eq!(feed(one, b"GET k\r\n"), Status::Panic);
        // SAFETY: both sessions live until they are freed here.
        unsafe {
            assert!(keyslot_session_is_closing(one));
            assert_eq!(feed(other, b"GET k\r\n"), Status::Ok);
            let output = other.enter(|session| Ok(session.take_output())).unwrap();
            assert_eq!(output, b"$1\r\nv\r\n");
            for handle in handles {
                keyslot_session_free(handle);
            }
        }
    }

    #[test]
    fn a_session_in_use_answers_so() {
        let inner = keyslot::Engine::default().session();
        let session = Session(Exclusive::new("session", inner));
        let outcome = session.enter(|_| Ok(feed(&session, b"PING\r\n")));
        assert_eq!(outcome.unwrap(), Status::InUse);
        assert_eq!(feed(&session, b"PING\r\n"), Status::Ok);
        assert!(guard(|| session.enter(|session| Ok(session.output() == b"+PONG\r\n"))).unwrap());
    }
}
