//! Any bytes as requests: no panic, no breach of a limit, and the same requests however the bytes
//! are cut. The texts of errors are the unit tests' work.

#![no_main]

use keyslot::resp::{Parsed, RequestLimits, RequestParser, Requests};
use libfuzzer_sys::fuzz_target;

const LIMITS: RequestLimits =
    RequestLimits { bulk_len_max: 1 << 16, array_len_max: 1 << 16, inline_len_max: 64 };

/// The requests of `pieces`, and the error that ended them.
fn parse<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    authenticated: bool,
) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut parser = RequestParser::new(LIMITS);
    parser.set_authenticated(authenticated);
    let mut requests = Requests::new();
    let (mut buffer, mut found, mut failed) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let mut at = 0;
        while failed.is_none() {
            match parser.parse(&buffer, at, &mut requests) {
                Ok(Parsed::Complete { end }) => {
                    assert!(end > at && end <= buffer.len());
                    at = end;
                }
                Ok(Parsed::Incomplete { consumed }) => {
                    assert!(consumed >= at && consumed <= buffer.len());
                    at = consumed;
                    break;
                }
                Err(error) => failed = Some(error.to_string()),
            }
        }
        for index in 0..requests.len() {
            let mut words = Vec::new();
            requests.words(index, &buffer, &mut words);
            assert!(!words.is_empty() && words.len() <= LIMITS.array_len_max);
            assert!(words.iter().all(|word| word.len() <= LIMITS.bulk_len_max));
            found.push(words.into_iter().map(<[u8]>::to_vec).collect());
        }
        requests.clear();
        buffer.drain(..at);
        if failed.is_some() {
            break;
        }
    }
    (found, failed)
}

fuzz_target!(|input: &[u8]| {
    let Some((&shape, input)) = input.split_first() else { return };
    let authenticated = shape & 0x80 == 0;
    let piece = usize::from(shape & 0x7f) + 1;
    let whole = parse([input], authenticated);
    assert_eq!(parse(input.chunks(piece), authenticated), whole);
});
