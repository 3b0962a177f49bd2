//! Any bytes as a whole session: no panic, replies that a client can read to the last byte, and
//! the same keys in the end however the bytes are cut.

#![no_main]

use bytes::BytesMut;
use keyslot::resp::{Encoder, Protocol, ReplyDecoder};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// An engine in which nothing depends on when or how often it is run.
fn engine(clock: &Arc<ManualClock>) -> Engine {
    Engine::new(EngineOptions {
        shards: 4,
        clock: Box::new(clock.clone()),
        settings: vec![("proto-max-bulk-len".into(), "1048576".into())],
        ..EngineOptions::default()
    })
}

fn read_all(session: &mut Session) {
    let mut output = BytesMut::from(&*session.take_output());
    let mut decoder = ReplyDecoder::default();
    while decoder.decode(&mut output).expect("the session writes RESP").is_some() {}
    assert!(output.is_empty(), "a reply is whole once it is written");
}

/// Holds a conversation in pieces, and returns what is there afterwards.
fn converse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let engine = engine(&clock);
    let mut session = engine.session();
    for piece in pieces {
        session.feed(piece);
        read_all(&mut session);
    }
    // Everything that expires within a second goes; what is left is asked for by its key.
    clock.advance_ms(1_000);
    while engine.maintain(100) {}
    let mut keys = Encoder::new(Protocol::Resp2);
    engine.call(&[b"KEYS", b"*"], &mut keys);
    let mut found: Vec<Vec<u8>> =
        keys.bytes().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    found.sort_unstable();
    found
}

fuzz_target!(|input: &[u8]| {
    let Some((&shape, input)) = input.split_first() else { return };
    let whole = converse([input]);
    let parts = converse(input.chunks(usize::from(shape) + 1));
    assert_eq!(whole, parts);
});
