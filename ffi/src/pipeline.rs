//! Commands that are collected and then carried out in one call. Carrying them out is core's.

use crate::boundary::{ErrorInfo, answer, bytes, offer, shared};
use crate::command::{collect, reply, with_format};
use crate::engine::free;
use crate::format::Argument;
use crate::reply::Reply;
use crate::scalar::session_status;
use crate::session::Session;
use crate::status::Status;
use crate::tree::TreeBuilder;
use keyslot::resp::ReplySink;
use std::ffi::{c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Commands that wait to be carried out together, by `keyslot_session_run_pipeline` or
/// `keyslot_session_run_transaction`. Any thread may call it; one waits for another.
#[derive(Debug, Default)]
pub struct Pipeline(Mutex<keyslot::Pipeline>);

impl Pipeline {
    fn lock(&self) -> MutexGuard<'_, keyslot::Pipeline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an empty pipeline. Free it with `keyslot_pipeline_free`.
#[unsafe(no_mangle)]
pub extern "C" fn keyslot_pipeline_new() -> *mut Pipeline {
    Box::into_raw(Box::default())
}

/// Frees a pipeline that no thread uses. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_pipeline_free(pipeline: *mut Pipeline) {
    if !pipeline.is_null() {
        // SAFETY: it came from `keyslot_pipeline_new`, and its owner gives it up.
        free(unsafe { Box::from_raw(pipeline) });
    }
}

/// Adds a command, whose words are given as to `keyslot_session_command_argv` and copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_pipeline_add_argv(
    pipeline: *const Pipeline,
    argc: usize,
    argv: *const *const c_char,
    argvlen: *const usize,
    error: *mut ErrorInfo,
) -> Status {
    let add = || {
        // SAFETY: null or a pipeline that lives; words as described there.
        let (pipeline, words) =
            unsafe { (shared(pipeline, "pipeline")?, collect(argc, argv, argvlen)?) };
        pipeline.lock().push(&words);
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, add) }
}

/// Adds the command that a format and its arguments make. Programs call `keyslot_pipeline_add`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_pipeline_add_format(
    pipeline: *const Pipeline,
    format: *const c_char,
    arguments: *const Argument,
    count: usize,
    error: *mut ErrorInfo,
) -> Status {
    let add = || {
        // SAFETY: null or a pipeline that lives; format and arguments as described there.
        unsafe {
            let pipeline = shared(pipeline, "pipeline")?;
            with_format(format, arguments, count, |words| {
                pipeline.lock().push(words);
                Ok(())
            })
        }
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, add) }
}

/// How many commands a pipeline holds; 0 for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_pipeline_len(pipeline: *const Pipeline) -> usize {
    // SAFETY: null or a pipeline that lives.
    unsafe { shared(pipeline, "pipeline") }.map_or(0, |pipeline| pipeline.lock().len())
}

/// Forgets all commands of a pipeline, and keeps its memory for others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_pipeline_clear(
    pipeline: *const Pipeline,
    error: *mut ErrorInfo,
) -> Status {
    let clear = || {
        // SAFETY: null or a pipeline that lives.
        unsafe { shared(pipeline, "pipeline") }?.lock().clear();
        Ok(())
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, clear) }
}

/// Carries out the commands of a pipeline in a session, one after the other, and returns an array of
/// their replies, as `keyslot_session_command_argv` would have returned each. Commands of others may
/// come in between. Replies are missing at the end if a command ended the session. The pipeline keeps
/// its commands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_run_pipeline(
    session: *const Session,
    pipeline: *const Pipeline,
) -> *mut Reply {
    reply(|| {
        // SAFETY: each is null or lives.
        let (session, pipeline) =
            unsafe { (shared(session, "session")?, shared(pipeline, "pipeline")?) };
        session.enter(|session| {
            let mut tree = TreeBuilder::new();
            tree.set_protocol(session.protocol());
            session.run_pipeline(&pipeline.lock(), &mut tree);
            Ok(tree.into_list())
        })
    })
}

/// Carries out the commands of a pipeline in a session as a transaction, MULTI and EXEC included: no
/// other caller sees a part of it, and none comes between. Returns an array of their replies; a nil
/// if a key that the session watches has changed; or an error if a command was refused when it was
/// queued, and puts its number, counted from 0, into `refused` unless that is null, else -1. Nothing
/// was done in the last two cases. No key is watched any longer. The pipeline keeps its commands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_run_transaction(
    session: *const Session,
    pipeline: *const Pipeline,
    refused: *mut i64,
) -> *mut Reply {
    // SAFETY: null or room for a number.
    unsafe { offer(refused, -1) };
    reply(|| {
        // SAFETY: each is null or lives.
        let (session, pipeline) =
            unsafe { (shared(session, "session")?, shared(pipeline, "pipeline")?) };
        session.enter(|session| {
            let mut tree = TreeBuilder::new();
            tree.set_protocol(session.protocol());
            if let Some(number) = session.run_transaction(&pipeline.lock(), &mut tree) {
                // SAFETY: null or room for a number.
                unsafe { offer(refused, number as i64) };
            }
            Ok(tree)
        })
    })
}

/// Lets a session watch a key until its next transaction, which is not carried out if the key changes
/// by then. May be called for several keys. `KEYSLOT_MOVED` and its like in a cluster.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_watch(
    session: *const Session,
    key: *const c_void,
    key_len: usize,
    error: *mut ErrorInfo,
) -> Status {
    let watch = || {
        // SAFETY: null or a session that lives, null or `key_len` bytes.
        let (session, key) = unsafe { (shared(session, "session")?, bytes(key, key_len, "key")?) };
        session.enter(|session| session_status(session, &[b"WATCH", key]))
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, watch) }
}

/// Lets a session watch no key any longer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_session_unwatch(
    session: *const Session,
    error: *mut ErrorInfo,
) -> Status {
    let unwatch = || {
        // SAFETY: null or a session that lives.
        let session = unsafe { shared(session, "session") }?;
        session.enter(|session| session_status(session, &[b"UNWATCH"]))
    };
    // SAFETY: null or room for an error.
    unsafe { answer(error, unwatch) }
}
