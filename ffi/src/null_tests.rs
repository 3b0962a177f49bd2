//! Every function of the interface is given nulls wherever a pointer goes, and must answer.

use crate::*;
use std::ffi::CStr;
use std::ptr::{null, null_mut};

fn engine() -> *mut Engine {
    let mut engine = null_mut();
    // SAFETY: room for a pointer; null is allowed for the rest.
    let status = unsafe { keyslot_engine_new(null(), &mut engine, null_mut()) };
    assert_eq!(status, Status::Ok);
    engine
}

fn session(engine: *const Engine) -> *mut Session {
    let mut session = null_mut();
    // SAFETY: the engine lives; room for a pointer.
    let status = unsafe { keyslot_session_new(engine, &mut session, null_mut()) };
    assert_eq!(status, Status::Ok);
    session
}

/// Whether a reply is the error of a bad argument that speaks of `name`. Frees it.
fn refuses(reply: *mut Reply, name: &str) -> bool {
    // SAFETY: a reply is never null, and lives until it is freed below.
    unsafe {
        let found = &*reply;
        let text = CStr::from_ptr(found.str).to_str().unwrap();
        let refused = found.r#type == ReplyType::Error
            && found.number == Status::InvalidArgument
            && text.contains(name);
        keyslot_reply_free(reply);
        refused
    }
}

const BAD: Status = Status::InvalidArgument;

#[test]
fn a_null_engine_is_answered_by_every_call() {
    let (none, error) = (null::<Engine>(), null_mut());
    let key = b"k".as_ptr().cast();
    let (mut flag, mut number, mut value) = (false, 0, Bytes::NONE);
    let mut session = std::ptr::dangling_mut();
    // SAFETY: null is allowed everywhere; what is not null is as it should be.
    unsafe {
        assert_eq!(keyslot_engine_maintain(none, 1, &mut flag, error), BAD);
        assert_eq!(keyslot_engine_next_expiry_ms(none, &mut number, error), BAD);
        assert_eq!(keyslot_session_new(none, &mut session, error), BAD);
        assert!(session.is_null(), "a failure leaves null");
        assert_eq!(keyslot_get(none, key, 1, &mut value, error), BAD);
        assert_eq!(keyslot_get_into(none, key, 1, null_mut(), 0, &mut number, error), BAD);
        assert_eq!(keyslot_set(none, key, 1, key, 1, error), BAD);
        assert_eq!(keyslot_set_ttl_ms(none, key, 1, key, 1, 1, error), BAD);
        assert_eq!(keyslot_del(none, key, 1, &mut flag, error), BAD);
        assert_eq!(keyslot_exists(none, key, 1, &mut flag, error), BAD);
        assert_eq!(keyslot_incrby(none, key, 1, 1, &mut number, error), BAD);
        assert_eq!(keyslot_expire_ms(none, key, 1, 1, &mut flag, error), BAD);
        assert_eq!(keyslot_ttl_ms(none, key, 1, &mut number, error), BAD);
        let (ping, len) = ([c"PING".as_ptr()], [4]);
        let reply = keyslot_engine_command_argv(none, 1, ping.as_ptr(), len.as_ptr());
        assert!(refuses(reply, "engine is null"));
        let reply = keyslot_engine_command_format(none, ping[0], null(), 0);
        assert!(refuses(reply, "engine is null"));
        let name = c"maxmemory".as_ptr();
        assert_eq!(keyslot_engine_config_get(none, name, &mut value, error), BAD);
        assert_eq!(keyslot_engine_config_set(none, name, name, error), BAD);
        assert_eq!(keyslot_engine_figure(none, name, &mut 0.0, error), BAD);
        assert_eq!(keyslot_engine_open_metrics(none, &mut value, error), BAD);
        keyslot_engine_free(null_mut());
    }
}

#[test]
fn a_null_session_or_clock_is_answered_by_every_call() {
    let (none, error) = (null::<Session>(), null_mut());
    let (mut data, mut len) = (null(), 0);
    // SAFETY: null is allowed everywhere; what is not null is as it should be.
    unsafe {
        assert_eq!(keyslot_session_feed(none, b"x".as_ptr().cast(), 1, error), BAD);
        assert_eq!(keyslot_session_output(none, &mut data, &mut len, error), BAD);
        assert_eq!(keyslot_session_consume(none, 0, error), BAD);
        assert!(keyslot_session_is_closing(none));
        assert_eq!(keyslot_session_poll(none, error), BAD);
        assert_eq!(keyslot_session_handle_timeout(none, error), BAD);
        assert_eq!(keyslot_session_time_left_us(none), -1);
        let mut descriptor = 7;
        assert_eq!(keyslot_session_descriptor(none, &mut descriptor, error), BAD);
        assert_eq!(descriptor, -1);
        assert_eq!(keyslot_session_id(none), 0);
        let peer = c"peer".as_ptr();
        assert_eq!(keyslot_session_set_peer(none, peer, peer, error), BAD);
        let ping = [c"PING".as_ptr()];
        let reply = keyslot_session_command_argv(none, 1, ping.as_ptr(), null());
        assert!(refuses(reply, "session is null"));
        let reply = keyslot_session_command_format(none, ping[0], null(), 0);
        assert!(refuses(reply, "session is null"));
        assert_eq!(keyslot_session_watch(none, b"k".as_ptr().cast(), 1, error), BAD);
        assert_eq!(keyslot_session_unwatch(none, error), BAD);
        keyslot_session_free(null_mut());
        assert_eq!(keyslot_clock_advance_ms(null(), 1, error), BAD);
        assert_eq!(keyslot_clock_set_unix_ms(null(), 1, error), BAD);
        keyslot_clock_free(null_mut());
        keyslot_reply_free(null_mut());
        keyslot_bytes_free(null_mut());
        assert_eq!(keyslot_format_next(null_mut()), ArgumentKind::End);
        let mut format = null();
        assert_eq!(keyslot_format_next(&mut format), ArgumentKind::End);
    }
}

#[test]
fn nulls_for_keys_and_for_results_are_answered() {
    let (engine, error) = (engine(), null_mut());
    let key = b"k".as_ptr().cast();
    // SAFETY: the engine lives; null is allowed everywhere else.
    unsafe {
        assert_eq!(keyslot_engine_new(null(), null_mut(), error), BAD);
        assert_eq!(keyslot_session_new(engine, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_next_expiry_ms(engine, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_maintain(engine, 1, null_mut(), error), Status::Ok);
        assert_eq!(keyslot_get(engine, key, 1, null_mut(), error), BAD);
        assert_eq!(keyslot_get_into(engine, key, 1, null_mut(), 0, null_mut(), error), BAD);
        let mut number = 5;
        assert_eq!(keyslot_get_into(engine, key, 1, null_mut(), 9, &mut number, error), BAD);
        assert_eq!(number, -1);
        assert_eq!(keyslot_set(engine, null(), 1, key, 1, error), BAD);
        assert_eq!(keyslot_set(engine, key, 1, null(), 1, error), BAD);
        assert_eq!(keyslot_set(engine, key, usize::MAX, key, 1, error), BAD);
        assert_eq!(keyslot_set_ttl_ms(engine, key, 1, null(), 1, 1, error), BAD);
        assert_eq!(keyslot_del(engine, null(), 1, null_mut(), error), BAD);
        assert_eq!(keyslot_exists(engine, key, 1, null_mut(), error), BAD);
        assert_eq!(keyslot_ttl_ms(engine, key, 1, null_mut(), error), BAD);
        let (name, mut value) = (c"maxmemory".as_ptr(), Bytes::NONE);
        assert_eq!(keyslot_engine_config_get(engine, name, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_config_get(engine, null(), &mut value, error), BAD);
        assert_eq!(keyslot_engine_config_set(engine, null(), name, error), BAD);
        assert_eq!(keyslot_engine_figure(engine, null(), &mut 0.0, error), BAD);
        assert_eq!(keyslot_engine_figure(engine, name, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_figure(engine, name, &mut 0.0, error), BAD);
        assert_eq!(keyslot_engine_open_metrics(engine, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_config_set(engine, name, null(), error), BAD);
        let mut options = Options { settings_count: 1, ..Options::DEFAULT };
        assert_eq!(keyslot_engine_new(&options, &mut null_mut(), error), BAD);
        let settings = [name, null()];
        options.settings = settings.as_ptr();
        assert_eq!(keyslot_engine_new(&options, &mut null_mut(), error), BAD);
        // A key of no bytes is a key.
        assert_eq!(keyslot_set(engine, null(), 0, null(), 0, error), Status::Ok);
        keyslot_engine_free(engine);
    }
}

#[test]
fn nulls_in_a_session_are_answered() {
    let (engine, error) = (engine(), null_mut());
    let session = session(engine);
    let (mut data, mut len) = (null(), 0);
    // SAFETY: engine and session live; null is allowed everywhere else.
    unsafe {
        // The session holds on to what it shares with the engine.
        keyslot_engine_free(engine);
        assert_eq!(keyslot_session_feed(session, null(), 1, error), BAD);
        assert_eq!(keyslot_session_feed(session, null(), 0, error), Status::Ok);
        assert_eq!(keyslot_session_output(session, null_mut(), &mut len, error), BAD);
        assert_eq!(keyslot_session_output(session, &mut data, null_mut(), error), BAD);
        assert_eq!(keyslot_session_consume(session, 1, error), BAD);
        let peer = c"peer".as_ptr();
        assert_eq!(keyslot_session_set_peer(session, null(), peer, error), BAD);
        assert_eq!(keyslot_session_set_peer(session, peer, null(), error), BAD);
        let word: [*const std::ffi::c_char; 2] = [c"PING".as_ptr(), null()];
        let lens = [4, 1];
        for argvlen in [null(), lens.as_ptr()] {
            let reply = keyslot_session_command_argv(session, 2, word.as_ptr(), argvlen);
            assert!(refuses(reply, "a word of argv is null"));
        }
        let reply = keyslot_session_command_argv(session, 1, null(), null());
        assert!(refuses(reply, "argv is null"));
        let reply = keyslot_session_command_argv(session, 0, word.as_ptr(), null());
        assert!(refuses(reply, "argc is 0"));
        let reply = keyslot_session_command_format(session, null(), null(), 0);
        assert!(refuses(reply, "format is null"));
        let reply = keyslot_session_command_format(session, word[0], null(), 1);
        assert!(refuses(reply, "arguments is null"));
        assert_eq!(keyslot_session_watch(session, null(), 1, error), BAD);
        keyslot_session_free(session);
    }
}

#[test]
fn nulls_around_a_link_are_answered() {
    let (engine, error) = (engine(), null_mut());
    let (none, mut found) = (null(), 5);
    let (mut data, mut len) = (null(), 0);
    // SAFETY: the engine lives; null is allowed everywhere else.
    unsafe {
        assert_eq!(keyslot_engine_link_descriptor(null(), &mut found, error), BAD);
        assert_eq!(found, -1);
        assert_eq!(keyslot_engine_link_descriptor(engine, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_decline_links(null(), error), BAD);
        let mut link = std::ptr::dangling_mut();
        assert_eq!(keyslot_engine_poll_link(null(), &mut link, error), BAD);
        assert!(link.is_null());
        assert_eq!(keyslot_engine_poll_link(engine, null_mut(), error), BAD);
        assert_eq!(keyslot_engine_poll_link(engine, &mut link, error), Status::Ok);
        assert!(link.is_null(), "nothing is wanted");
        assert!(keyslot_link_host(none).is_null());
        assert_eq!(keyslot_link_port(none), 0);
        assert_eq!(keyslot_link_descriptor(none, &mut found, error), BAD);
        assert_eq!(keyslot_link_handle_connected(none, error), BAD);
        assert_eq!(keyslot_link_output(none, &mut data, &mut len, error), BAD);
        assert_eq!(keyslot_link_consume(none, 0, error), BAD);
        assert_eq!(keyslot_link_feed(none, b"x".as_ptr().cast(), 1, error), BAD);
        assert_eq!(keyslot_link_poll(none, error), BAD);
        assert_eq!(keyslot_link_time_left_us(none), -1);
        assert_eq!(keyslot_link_handle_timeout(none, error), BAD);
        assert!(keyslot_link_is_closing(none));
        keyslot_link_free(null_mut());
        keyslot_engine_free(engine);
    }
}

#[test]
fn nulls_around_a_pipeline_are_answered() {
    let (engine, error) = (engine(), null_mut());
    let session = session(engine);
    let ping = [c"PING".as_ptr()];
    // SAFETY: engine, session and pipeline live; null is allowed everywhere else.
    unsafe {
        let pipeline = keyslot_pipeline_new();
        assert_eq!(keyslot_pipeline_add_argv(null(), 1, ping.as_ptr(), null(), error), BAD);
        assert_eq!(keyslot_pipeline_add_argv(pipeline, 1, null(), null(), error), BAD);
        assert_eq!(keyslot_pipeline_add_argv(pipeline, 0, ping.as_ptr(), null(), error), BAD);
        assert_eq!(keyslot_pipeline_add_format(null(), ping[0], null(), 0, error), BAD);
        assert_eq!(keyslot_pipeline_add_format(pipeline, null(), null(), 0, error), BAD);
        assert_eq!(keyslot_pipeline_add_format(pipeline, ping[0], null(), 1, error), BAD);
        assert_eq!(keyslot_pipeline_len(pipeline), 0);
        assert_eq!(keyslot_pipeline_len(null()), 0);
        assert_eq!(keyslot_pipeline_clear(null(), error), BAD);
        let mut refused = 5;
        assert!(refuses(keyslot_session_run_pipeline(null(), pipeline), "session is null"));
        assert!(refuses(keyslot_session_run_pipeline(session, null()), "pipeline is null"));
        let reply = keyslot_session_run_transaction(null(), pipeline, &mut refused);
        assert!(refuses(reply, "session is null"));
        assert_eq!(refused, -1);
        let reply = keyslot_session_run_transaction(session, null(), null_mut());
        assert!(refuses(reply, "pipeline is null"));
        keyslot_pipeline_free(pipeline);
        keyslot_pipeline_free(null_mut());
        keyslot_session_free(session);
        keyslot_engine_free(engine);
    }
}
