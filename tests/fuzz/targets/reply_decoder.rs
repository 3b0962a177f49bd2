//! Any bytes as replies: no panic, the same replies however the bytes are cut, and what is written
//! again reads as what was written. The texts of errors are the unit tests' work.

#![no_main]

use bytes::{Bytes, BytesMut};
use keyslot::resp::{Encoder, Protocol, Reply, ReplyDecoder, ReplyLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: ReplyLimits = ReplyLimits {
    bulk_len_max: 1 << 16,
    array_len_max: 1 << 16,
    line_len_max: 64,
    nesting_max: 16,
};

/// The replies of `pieces`, and the error that ended them.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Reply>, Option<String>) {
    let mut decoder = ReplyDecoder::new(LIMITS);
    let (mut input, mut found) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(reply)) => found.push(reply),
                Ok(None) => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }
    (found, None)
}

fn encode(replies: &[Reply], protocol: Protocol) -> Bytes {
    let mut out = Encoder::new(protocol);
    replies.iter().for_each(|reply| reply.write(&mut out));
    out.into_inner().into()
}

fuzz_target!(|input: &[u8]| {
    let Some((&shape, input)) = input.split_first() else { return };
    let whole = decode([input]);
    let parts = decode(input.chunks(usize::from(shape) + 1));
    // By their text, since no number equals itself.
    assert_eq!(format!("{parts:?}"), format!("{whole:?}"));
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let text = encode(&whole.0, protocol);
        let mut shared = text.clone();
        let mut decoder = ReplyDecoder::default();
        let mut again = Vec::new();
        while let Some(reply) = decoder.decode_shared(&mut shared).expect("our own text is right") {
            again.push(reply);
        }
        assert_eq!(again.len(), whole.0.len());
        assert_eq!(encode(&again, protocol), text);
    }
});
