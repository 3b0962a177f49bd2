//! The C interface of keyslot: opaque handles, numbers for errors, replies as trees, bytes in and
//! out. What a command does is core's.
//!
//! `include/keyslot.h` is generated from this crate, its comments included, so the comments on
//! what C sees speak to C. The conventions that every function keeps (who owns what, which
//! pointers may be null, which threads may call) stand once, at the head of that file.

#![expect(
    clippy::missing_safety_doc,
    reason = "the head of the header states what callers promise, once for all functions"
)]

mod boundary;
mod clock;
mod command;
mod descriptor;
mod engine;
mod exclusive;
mod format;
mod link;
#[cfg(test)]
mod null_tests;
mod options;
mod pipeline;
mod reply;
mod scalar;
mod session;
mod status;
mod tree;
mod typed;

pub use boundary::{ErrorInfo, KEYSLOT_ERROR_TEXT_MAX};
pub use clock::{
    ClockFree, ClockFunction, ManualClock, Now, keyslot_clock_advance_ms, keyslot_clock_free,
    keyslot_clock_new, keyslot_clock_set_unix_ms,
};
pub use command::{
    keyslot_engine_command_argv, keyslot_engine_command_format, keyslot_session_command_argv,
    keyslot_session_command_format,
};
pub use engine::{
    Engine, keyslot_engine_config_get, keyslot_engine_config_set, keyslot_engine_figure,
    keyslot_engine_free, keyslot_engine_maintain, keyslot_engine_new,
    keyslot_engine_next_expiry_ms, keyslot_engine_open_metrics, keyslot_version,
};
pub use format::{Argument, ArgumentKind, KEYSLOT_ARGUMENTS_MAX, keyslot_format_next};
pub use link::{
    Link, keyslot_engine_decline_links, keyslot_engine_link_descriptor, keyslot_engine_poll_link,
    keyslot_link_consume, keyslot_link_descriptor, keyslot_link_feed, keyslot_link_free,
    keyslot_link_handle_connected, keyslot_link_handle_timeout, keyslot_link_host,
    keyslot_link_is_closing, keyslot_link_output, keyslot_link_poll, keyslot_link_port,
    keyslot_link_time_left_us,
};
pub use options::{Options, SlotSchemeNumber};
pub use pipeline::{
    Pipeline, keyslot_pipeline_add_argv, keyslot_pipeline_add_format, keyslot_pipeline_clear,
    keyslot_pipeline_free, keyslot_pipeline_len, keyslot_pipeline_new,
    keyslot_session_run_pipeline, keyslot_session_run_transaction, keyslot_session_unwatch,
    keyslot_session_watch,
};
pub use reply::{Reply, ReplyType, keyslot_reply_free};
pub use session::{
    Session, keyslot_session_consume, keyslot_session_descriptor, keyslot_session_feed,
    keyslot_session_free, keyslot_session_handle_timeout, keyslot_session_id,
    keyslot_session_is_closing, keyslot_session_new, keyslot_session_output, keyslot_session_poll,
    keyslot_session_set_peer, keyslot_session_time_left_us,
};
pub use status::{Status, keyslot_status_name};
pub use typed::{
    Bytes, keyslot_bytes_free, keyslot_del, keyslot_exists, keyslot_expire_ms, keyslot_get,
    keyslot_get_into, keyslot_incrby, keyslot_set, keyslot_set_ttl_ms, keyslot_ttl_ms,
};
