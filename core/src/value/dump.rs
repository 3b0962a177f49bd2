//! Values as bytes that another engine or a Redis server can take in: DUMP's and RESTORE's
//! payloads. Keys and expiry are not part of them.
//!
//! ```text
//! | type | value, as in an RDB file | RDB version | CRC-64 of all before |
//! | 1    | ...                      | 2, little   | 8, little endian     |
//! ```
//! The format is Redis's (`createDumpPayload` in cluster.c, rdb.h). Strings are written as Redis
//! writes them but never compressed, and every reader takes both: packing 10 MB of words took
//! redis-server 7.0 some 140 ms of its DUMP's 200, where the whole DUMP takes 7 here.
//! A payload has to be one value and nothing else; Redis reads on into the seal, and over what
//! follows the value.

#[cfg(feature = "scripts")]
#[cfg(feature = "scripts")]
pub(crate) mod functions;
mod hash;
mod intset;
mod list;
mod lzf;
mod read;
mod set;
mod stream;
mod write;
pub(crate) mod ziplist;
pub(crate) mod zipmap;
mod zset;

use super::string;
use super::{Limits, Object, Record, Type, first_member_expiry_ms};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crc_fast::CrcAlgorithm::Crc64Redis;
use read::Reader;
use std::borrow::Cow;

/// The version of the RDB format that Redis 7.2 writes.
pub(crate) const RDB_VERSION: u16 = 11;
/// The newest version that is read: that of Redis 7.4, whose hashes have fields that expire.
const RDB_VERSION_MAX: u16 = 12;

const BAD_SEAL: Error = Error::err("DUMP payload version or checksum are wrong");
const BAD_DATA: Error = Error::err("Bad data format");

const TYPE_STRING: u8 = 0;

const VERSION_LEN: usize = 2;
const CHECKSUM_LEN: usize = 8;

/// Appends the payload of a record's value. `version` goes into its seal: [`RDB_VERSION`], or the
/// lower one of an older server that shall read it and knows the value's encoding. No server before
/// [`RDB_VERSION_MAX`] knows members that expire.
pub(crate) fn dump(record: &Record, version: u16, out: &mut Vec<u8>) {
    let start = out.len();
    match Type::of(record) {
        Type::String => dump_string(record, out),
        Type::Set => set::dump(record, version, out),
        Type::List => list::dump(record, out),
        Type::Zset => zset::dump(record, out),
        Type::Hash => hash::dump(record, out),
        Type::Stream => stream::dump(record, version, out),
    }
    let has_times = first_member_expiry_ms(record).is_some();
    seal(if has_times { RDB_VERSION_MAX } else { version }, start, out);
}

fn dump_string(record: &Record, out: &mut Vec<u8>) {
    if let Body::Int(value) = record.body() {
        out.push(TYPE_STRING);
        write::integer(value, out);
        return;
    }
    let text = string::read(record).expect("the caller looked at the type");
    out.reserve(text.len() + TEXT_OVERHEAD_MAX);
    out.push(TYPE_STRING);
    write::text(&text, out);
}

/// What a payload has beside a text: the type, the length, the seal.
const TEXT_OVERHEAD_MAX: usize = 1 + write::LEN_LEN_MAX + VERSION_LEN + CHECKSUM_LEN;

/// The bytes that a value takes in a snapshot without compression.
pub(crate) fn serialized_len(record: &Record) -> usize {
    let mut payload = Vec::new();
    dump(record, RDB_VERSION, &mut payload);
    payload.len() - (1 + VERSION_LEN + CHECKSUM_LEN)
}

/// Ends the payload that starts at `start`.
fn seal(version: u16, start: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&version.to_le_bytes());
    let checksum = checksum(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// CRC-64 with the polynomial of Jones, reflected, from zero.
fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Redis, bytes)
}

/// Checks the seal and returns what it covers, without the version.
fn open(payload: &[u8]) -> Option<&[u8]> {
    let (covered, checksum_bytes) = payload.split_last_chunk::<CHECKSUM_LEN>()?;
    let (value, version) = covered.split_last_chunk::<VERSION_LEN>()?;
    let known = u16::from_le_bytes(*version) <= RDB_VERSION_MAX;
    (known && checksum(covered) == u64::from_le_bytes(*checksum_bytes)).then_some(value)
}

/// A value read from a payload, on its way into a record.
#[derive(Debug)]
pub(crate) enum Restored<'p> {
    /// A string that was written as an integer.
    Integer(i64),
    /// A string.
    Text(Cow<'p, [u8]>),
    /// A value that lies inside its record as these bytes, with its tag.
    Packed(u8, Cow<'p, [u8]>),
    /// A value of its own allocation, with its tag.
    Boxed(u8, Option<Box<Object>>),
}

impl Restored<'_> {
    /// The tag and the body of its record. A long buffer and an object move into the body, so that
    /// it is to be called once.
    pub(crate) fn take(&mut self) -> (u8, NewBody<'_, Object>) {
        match self {
            Self::Integer(value) => (string::TAG, NewBody::Int(*value)),
            Self::Text(Cow::Borrowed(text)) => (string::TAG, string::encode(text)),
            Self::Text(Cow::Owned(text)) => (string::TAG, string::encode_owned(text)),
            Self::Packed(tag, bytes) => (*tag, NewBody::Bytes(bytes)),
            Self::Boxed(tag, object) => {
                let object = object.take().expect("it is taken once");
                (*tag, NewBody::Boxed(object))
            }
        }
    }
}

/// Reads a payload. `limits` say how a collection is kept, and how long a compressed string may be,
/// so that a small payload cannot ask for all memory.
///
/// # Errors
/// `ERR DUMP payload version or checksum are wrong`; `ERR Bad data format` if the payload is not
/// exactly one value of a known type.
pub(crate) fn restore<'p>(payload: &'p [u8], limits: &Limits) -> Result<Restored<'p>, Error> {
    let mut reader = Reader::new(open(payload).ok_or(BAD_SEAL)?, limits.string_len);
    let value = match reader.byte() {
        Some(TYPE_STRING) => reader.string(),
        Some(kind @ (set::TYPE_TEXTS | set::TYPE_INTSET | set::TYPE_LISTPACK)) => {
            set::restore(kind, &mut reader, limits)
        }
        Some(kind) if hash::TYPES.contains(&kind) => hash::restore(kind, &mut reader, limits),
        Some(kind @ (stream::TYPE_V1 | stream::TYPE_V2 | stream::TYPE_V3)) => {
            stream::restore(kind, &mut reader)
        }
        Some(
            kind @ (list::TYPE_TEXTS | list::TYPE_ZIPLIST | list::TYPE_ZIPLISTS | list::TYPE_NODES),
        ) => list::restore(kind, &mut reader, limits),
        Some(
            kind
            @ (zset::TYPE_TEXTS | zset::TYPE_BINARY | zset::TYPE_ZIPLIST | zset::TYPE_LISTPACK),
        ) => zset::restore(kind, &mut reader, limits),
        Some(_) | None => None,
    };
    value.filter(|_| reader.is_at_end()).ok_or(BAD_DATA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { string_len: 1 << 20, ..Limits::DEFAULT };

    /// Texts, and how redis-server 7.0 dumps them: the value, and the checksum of its seal.
    const REDIS_PAYLOADS: &[(&[u8], &[u8], &[u8; CHECKSUM_LEN])] = &[
        (b"", b"\x00\x00", b"]\x9b\x5c@\x0f\x7f\xa2\xda"),
        (b"0", b"\x00\xc0\x00", b"\x98@\xa7x\xf8P\x03\x08"),
        (b"-1", b"\x00\xc0\xff", b"\x0c\x93~$\x85\x08\x9d\xc5"),
        (b"127", b"\x00\xc0\x7f", b"\x0d\xb5\xeb1RT\xc5\x14"),
        (b"128", b"\x00\xc1\x80\x00", b"\xebz\xb3\xb5\x10\xcfKe"),
        (b"-128", b"\x00\xc0\x80", b"\x99f2m/\x0c[\xd9"),
        (b"-129", b"\x00\xc1\x7f\xff", b"\x17`\x82(T\x80\x84\x80"),
        (b"32767", b"\x00\xc1\xff\x7f", b"IZ7\xda\x17\xf4\xd5+"),
        (b"32768", b"\x00\xc2\x00\x80\x00\x00", b"E\xd8.\xed\xd5\xbd\xa9\x10"),
        (b"-32769", b"\x00\xc2\xff\x7f\xff\xff", b"\xae\xe3LM\x06\xc6\x856"),
        (b"2147483647", b"\x00\xc2\xff\xff\xff\x7f", b",t\xe5\x9e\xe0.\xad\xa1"),
        (b"-2147483648", b"\x00\xc2\x00\x00\x00\x80", b"\xc7O\x87>3U\x81\x87"),
        (b"2147483648", b"\x00\x0a2147483648", b"\xe7\xb1)\xa3L\x1dv\xee"),
        (b"9223372036854775807", b"\x00\x139223372036854775807", b":e~\x94\x81\xe8_\x22"),
        (b"007", b"\x00\x03007", b"rX\xe2{Li\xba\xd9"),
        (b"x", b"\x00\x01x", b"\x22\x80\x86_\xbd\xe8H\xd0"),
    ];

    const COMPRESSED_VALUE: &[u8] = b"\x00\xc3\x0b'\x03abca\xe0\x18\x02\x01bc";
    const COMPRESSED_CHECKSUM: [u8; CHECKSUM_LEN] = *b"\xb9Q\x90)\x9e\x9aso";

    fn dump_of(text: &[u8]) -> Vec<u8> {
        let record = Record::new(b"key", string::TAG, string::encode(text), None, 0);
        let mut out = b"before".to_vec();
        dump(&record, RDB_VERSION, &mut out);
        out.split_off(6)
    }

    /// Restores into a record, and reads the text from there.
    fn restored(payload: &[u8]) -> Result<Vec<u8>, Error> {
        let mut value = restore(payload, &LIMITS)?;
        let (tag, body) = value.take();
        let record = Record::new(b"key", tag, body, None, 0);
        Ok(string::read(&record).unwrap().to_vec())
    }

    fn sealed(value: &[u8]) -> Vec<u8> {
        let mut payload = value.to_vec();
        seal(RDB_VERSION, 0, &mut payload);
        payload
    }

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn payloads_of_redis_are_written_and_read() {
        for (text, value, checksum) in REDIS_PAYLOADS {
            let mut payload = value.to_vec();
            payload.extend(10u16.to_le_bytes());
            payload.extend(*checksum);
            assert_eq!(restored(&payload).unwrap(), *text);
            let record = Record::new(b"key", string::TAG, string::encode(text), None, 0);
            let mut written = Vec::new();
            dump(&record, 10, &mut written);
            assert_eq!(written, payload);
        }
    }

    #[test]
    fn a_compressed_string_of_redis_is_read() {
        let mut payload = COMPRESSED_VALUE.to_vec();
        payload.extend(10u16.to_le_bytes());
        payload.extend(COMPRESSED_CHECKSUM);
        assert_eq!(restored(&payload).unwrap(), b"abcabcabcabcabcabcabcabcabcabcabcabcabc");
    }

    #[test]
    fn a_newer_version_and_a_wrong_checksum_are_refused() {
        let mut newer = Vec::new();
        let record = Record::new(b"key", string::TAG, string::encode(b"1"), None, 0);
        dump(&record, RDB_VERSION_MAX + 1, &mut newer);
        assert_eq!(restored(&newer), Err(BAD_SEAL));
        let mut wrong = dump_of(b"text");
        wrong[2] ^= 1;
        assert_eq!(restored(&wrong), Err(BAD_SEAL));
        assert_eq!(restored(b""), Err(BAD_SEAL));
        assert_eq!(restored(&[0; 9]), Err(BAD_SEAL));
    }

    #[test]
    fn bad_values_under_a_right_seal_are_refused() {
        for value in [
            &b""[..],                                   // no type
            b"\xff\x01a",                               // an unknown type
            b"\0",                                      // no length
            b"\0\x02a",                                 // a text cut short
            b"\0\x01ab",                                // something after the value
            b"\0\x40",                                  // a length cut short
            b"\0\x80\0\0\0",                            // another
            b"\0\x81\xff\xff\xff\xff\xff\xff\xff\xffa", // a length beyond all memory
            b"\0\x82\0\0\0\x01a",                       // an unknown kind of length
            b"\0\xc4a",                                 // an unknown encoding
            b"\0\xc0",                                  // integers cut short
            b"\0\xc1a",
            b"\0\xc2abc",
            b"\0\xc3\x01\x01",                    // compressed bytes cut short
            b"\0\xc3\x02\x02\0a",                 // fewer bytes than announced
            b"\0\xc3\x04\x01\x02abc",             // more than announced
            b"\0\xc3\x02\x03\x20\0",              // a reference to before the start
            b"\0\xc3\xc0\x01\0a",                 // an encoding where a length should be
            b"\0\xc3\x02\x80\xff\xff\xff\xff\0a", // more than the bytes can unpack to
        ] {
            assert_eq!(restored(&sealed(value)), Err(BAD_DATA), "{value:?}");
        }
    }

    #[test]
    fn a_compressed_string_beyond_the_limit_is_refused() {
        let mut value = b"\0\xc3\x05\x81\0\0\0\0\0\0\x01\x0b".to_vec();
        value.extend(b"\0a\xe0\xff\0");
        assert_eq!(restored(&sealed(&value)).map(|text| text.len()), Err(BAD_DATA));
        let mut value = b"\0\xc3\x05\x41\x09".to_vec();
        value.extend(b"\0a\xe0\xff\0");
        let payload = sealed(&value);
        assert_eq!(restored(&payload), Ok(vec![b'a'; 265]));
        let limits = Limits { string_len: 264, ..LIMITS };
        assert_eq!(restore(&payload, &limits).err(), Some(BAD_DATA));
    }

    #[test]
    fn strings_of_every_kind_of_length_come_back() {
        for len in [0, 1, 11, 12, 63, 64, 16_383, 16_384, 100_000] {
            let text = vec![b'x'; len];
            assert_eq!(restored(&dump_of(&text)).unwrap(), text, "{len}");
        }
    }

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(text in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(restored(&dump_of(&text)).unwrap(), text);
        }

        #[test]
        fn integers_are_dumped_and_restored(value: i64, shift in 0u32..64) {
            let text = (value >> shift).to_string();
            prop_assert_eq!(restored(&dump_of(text.as_bytes())).unwrap(), text.as_bytes());
        }

        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut string = vec![TYPE_STRING];
            string.extend(&value);
            let _ = restored(&value);
            let _ = restored(&sealed(&value));
            let _ = restored(&sealed(&string));
        }

        #[test]
        fn a_changed_payload_does_not_make_it_panic(
            at in any::<prop::sample::Index>(),
            byte: u8,
            cut in any::<prop::sample::Index>(),
        ) {
            for value in REDIS_PAYLOADS.iter().map(|(_, value, _)| *value).chain([COMPRESSED_VALUE]) {
                let mut value = value.to_vec();
                let at = at.index(value.len());
                value[at] = byte;
                let _ = restored(&sealed(&value));
                value.truncate(cut.index(value.len() + 1));
                let _ = restored(&sealed(&value));
            }
        }
    }
}
