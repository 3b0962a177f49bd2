//! Commands of any kind, given as words or as a format, answered by a reply's tree.

use crate::boundary::{Outcome, Refusal, bytes, guard, require, shared};
use crate::engine::Engine;
use crate::format::{Argument, format_words};
use crate::reply::Reply;
use crate::session::Session;
use crate::tree::TreeBuilder;
use keyslot::resp::ReplySink;
use smallvec::SmallVec;
use std::ffi::{CStr, c_char};

type Words<'a> = SmallVec<[&'a [u8]; 8]>;

/// Carries out one command on database 0, in a session of its own that ends with it, and returns
/// its reply in the shapes of RESP2. `argv` holds `argc` words, the command's name first, and
/// `argvlen` their lengths; if `argvlen` is null, each word ends at its NUL. The reply is never
/// null: what goes wrong is a reply of type `KEYSLOT_REPLY_ERROR`, a bad argument included. Free it
/// with `keyslot_reply_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_command_argv(
    engine: *const Engine,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
) -> *mut Reply {
    // SAFETY: null or an engine that lives; words as described above.
    reply(|| unsafe { call_engine(engine, &collect(argc, argv, argvlen)?) })
}

/// Carries out one command in a session, like `keyslot_engine_command_argv`, and returns its reply
/// in the shapes of the version that the session speaks: RESP2 until `HELLO 3`. Nothing is added
/// to the session's output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_command_argv(
    session: *const Session,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
) -> *mut Reply {
    // SAFETY: null or a session that lives; words as described above.
    reply(|| unsafe { call_session(session, &collect(argc, argv, argvlen)?) })
}

/// Carries out the command that a format and its arguments make, like
/// `keyslot_engine_command_argv`. Programs call `keyslot_engine_command`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_engine_command_format(
    engine: *const Engine,
    format: *const c_char,
    arguments: *const Argument,
    count: usize,
) -> *mut Reply {
    // SAFETY: null or an engine that lives; format and arguments as described there.
    reply(|| unsafe { with_format(format, arguments, count, |words| call_engine(engine, words)) })
}

/// Carries out the command that a format and its arguments make, like
/// `keyslot_session_command_argv`. Programs call `keyslot_session_command`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_command_format(
    session: *const Session,
    format: *const c_char,
    arguments: *const Argument,
    count: usize,
) -> *mut Reply {
    // SAFETY: null or a session that lives; format and arguments as described there.
    reply(|| unsafe { with_format(format, arguments, count, |words| call_session(session, words)) })
}

/// The reply of a call, or the error that kept it from being carried out.
pub(crate) fn reply(call: impl FnOnce() -> Outcome<TreeBuilder>) -> *mut Reply {
    let finished = guard(|| Ok(call()?.finish()));
    finished.unwrap_or_else(|refusal| TreeBuilder::refusal(&refusal))
}

/// # Safety
/// `engine` is null or lives.
unsafe fn call_engine(engine: *const Engine, words: &[&[u8]]) -> Outcome<TreeBuilder> {
    // SAFETY: by the promise above.
    let engine = unsafe { shared(engine, "engine") }?;
    let mut tree = TreeBuilder::new();
    engine.0.call_blocking(0, words, &mut tree);
    Ok(tree)
}

/// # Safety
/// `session` is null or lives.
unsafe fn call_session(session: *const Session, words: &[&[u8]]) -> Outcome<TreeBuilder> {
    // SAFETY: by the promise above.
    unsafe { shared(session, "session") }?.enter(|session| {
        let mut tree = TreeBuilder::new();
        tree.set_protocol(session.protocol());
        session.call(words, &mut tree);
        Ok(tree)
    })
}

/// The words that C gave as arrays.
///
/// # Safety
/// `argv` is null or leads to `argc` texts; `argvlen` is null, and the texts end at NULs, or leads
/// to `argc` lengths of them. All of that stays for `'a`.
pub(crate) unsafe fn collect<'a>(
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
) -> Outcome<Words<'a>> {
    if argc == 0 {
        return Err(Refusal::argument("argc is 0"));
    }
    require(argv, "argv")?;
    let word = |number| {
        // SAFETY: `number` is less than `argc`; for the rest, by the promise above.
        unsafe {
            let text = argv.add(number).read();
            if argvlen.is_null() {
                require(text, "a word of argv")?;
                return Ok(CStr::from_ptr(text).to_bytes());
            }
            bytes(text.cast(), argvlen.add(number).read(), "a word of argv")
        }
    };
    (0..argc).map(word).collect()
}

/// # Safety
/// `format` is null or ends at its NUL; `arguments` is null or leads to `count` arguments that were
/// collected for it.
pub(crate) unsafe fn with_format<T>(
    format: *const c_char,
    arguments: *const Argument,
    count: usize,
    call: impl FnOnce(&[&[u8]]) -> Outcome<T>,
) -> Outcome<T> {
    require(format, "format")?;
    let arguments = if count == 0 {
        &[]
    } else {
        require(arguments, "arguments")?;
        // SAFETY: not null, and `count` of them by the promise above.
        unsafe { std::slice::from_raw_parts(arguments, count) }
    };
    // SAFETY: not null, and by the promise above.
    let words = unsafe { format_words(CStr::from_ptr(format).to_bytes(), arguments) }?;
    let words: Words<'_> = words.iter().map(|word| &**word).collect();
    call(&words)
}
