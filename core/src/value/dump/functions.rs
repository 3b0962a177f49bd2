//! Libraries of functions as FUNCTION DUMP writes them.
//!
//! ```text
//! | 245 | text of a library | 245 | ... | RDB version | CRC-64 of all before |
//! ```
//! The RDB version is the lowest that has libraries, so that every server that knows them reads it.

use super::read::Reader;
use super::{BAD_SEAL, open, seal, write};
use crate::error::Error;
use std::borrow::Cow;

const OPCODE: u8 = 245;
/// How candidates of Redis 7.0 wrote libraries.
const OPCODE_OF_CANDIDATES: u8 = 246;
const RDB_VERSION: u16 = 10;

/// The payload of libraries.
pub(crate) fn dump<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.push(OPCODE);
        write::text(text, &mut out);
    }
    seal(RDB_VERSION, 0, &mut out);
    out
}

/// The texts of the libraries in a payload. Those that are compressed may be so long at most.
///
/// # Errors
/// `ERR DUMP payload version or checksum are wrong`, and for each text what is wrong there.
pub(crate) fn read(
    payload: &[u8],
    len_max: u64,
) -> Result<impl Iterator<Item = Result<Cow<'_, [u8]>, Error>>, Error> {
    let mut reader = Reader::new(open(payload).ok_or(BAD_SEAL)?, len_max);
    Ok(std::iter::from_fn(move || match reader.byte()? {
        OPCODE => Some(reader.text().ok_or(Error::err("Failed loading library payload"))),
        OPCODE_OF_CANDIDATES => Some(Err(Error::err("Pre-GA function format not supported"))),
        _ => Some(Err(Error::err("given type is not a function"))),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"#!lua name=l\nredis.register_function('f',function(k,a) return {k,a} end)";

    fn texts(payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        read(payload, 1 << 20)?.map(|text| text.map(Cow::into_owned)).collect()
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut payload = body.to_vec();
        seal(RDB_VERSION, 0, &mut payload);
        payload
    }

    #[test]
    fn no_library_is_a_seal() {
        // As redis-server 7.0 answers FUNCTION DUMP.
        assert_eq!(dump([].into_iter()), b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda");
        assert_eq!(texts(&dump([].into_iter())), Ok(Vec::new()));
    }

    #[test]
    fn libraries_are_read_as_they_were_written() {
        let payload = dump([TEXT, b"other"].into_iter());
        assert_eq!(texts(&payload), Ok(vec![TEXT.to_vec(), b"other".to_vec()]));
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let refused = |payload: &[u8]| texts(payload).unwrap_err().to_string();
        assert_eq!(refused(b"x"), "ERR DUMP payload version or checksum are wrong");
        assert_eq!(refused(&sealed(b"\x00\xc0\x01")), "ERR given type is not a function");
        assert_eq!(refused(&sealed(b"\xf6\x01x")), "ERR Pre-GA function format not supported");
        assert_eq!(refused(&sealed(b"\xf5\x05x")), "ERR Failed loading library payload");
    }
}
