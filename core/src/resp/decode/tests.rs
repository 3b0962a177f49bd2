//! The reply decoder against the grammar, against a plain reading of it, and against the encoder
//! and the builder.

use super::*;
use crate::resp::number::{parse_f64, parse_i64};
use crate::resp::{Encoder, Protocol, ReplyBuilder, ReplyReader};
use proptest::prelude::*;

/// The replies that were found, and the text of the error that ended them.
type Outcome = (Vec<Reply>, Option<String>);

/// Feeds `pieces` one after another.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: ReplyLimits) -> Outcome {
    let mut decoder = ReplyDecoder::new(limits);
    let mut input = BytesMut::new();
    let mut found = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(reply)) => found.push(reply),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Protocol);
                    assert_eq!(decoder.decode(&mut input), Err(error.clone()));
                    return (found, Some(String::from_utf8_lossy(error.text()).into_owned()));
                }
            }
        }
    }
    (found, None)
}

/// The replies of `input`, which are the same in whatever pieces it comes.
fn decode(input: &[u8]) -> Outcome {
    let whole = feed([input], ReplyLimits::DEFAULT);
    for piece in [1, 2, 3, 5, 7] {
        assert_eq!(feed(input.chunks(piece), ReplyLimits::DEFAULT), whole, "pieces of {piece}");
    }
    let mut shared = Bytes::copy_from_slice(input);
    let mut decoder = ReplyDecoder::default();
    for reply in &whole.0 {
        assert_eq!(decoder.decode_shared(&mut shared), Ok(Some(reply.clone())));
    }
    whole
}

fn bulk(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}

#[test]
fn every_type_is_read() {
    let text = Bytes::from_static;
    for (input, reply) in [
        ("+OK\r\n", Reply::Status(text(b"OK"))),
        ("+\r\n", Reply::Status(text(b""))),
        ("+Background saving started\r\n", Reply::Status(text(b"Background saving started"))),
        ("-ERR no\r\n", Reply::Error(text(b"ERR no"))),
        ("!6\r\nERR\r\nx\r\n", Reply::Error(text(b"ERR\r\nx"))),
        (":0\r\n", Reply::Integer(0)),
        (":-9223372036854775808\r\n", Reply::Integer(i64::MIN)),
        ("$0\r\n\r\n", bulk("")),
        ("$5\r\na\r\nbc\r\n", bulk("a\r\nbc")),
        ("$-1\r\n", Reply::Null),
        ("*-1\r\n", Reply::Null),
        ("_\r\n", Reply::Null),
        ("*0\r\n", Reply::Array(vec![])),
        ("*2\r\n:1\r\n*1\r\n_\r\n", {
            Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![Reply::Null])])
        }),
        ("%1\r\n+k\r\n*0\r\n", {
            Reply::Map(vec![(Reply::Status(text(b"k")), Reply::Array(vec![]))])
        }),
        ("~2\r\n:1\r\n:2\r\n", Reply::Set(vec![Reply::Integer(1), Reply::Integer(2)])),
        (">1\r\n$1\r\nm\r\n", Reply::Push(vec![bulk("m")])),
        (",1.5\r\n", Reply::Double(1.5)),
        (",-inf\r\n", Reply::Double(f64::NEG_INFINITY)),
        ("#t\r\n", Reply::Boolean(true)),
        ("#f\r\n", Reply::Boolean(false)),
        ("(-34928903284092385094\r\n", Reply::BigNumber(text(b"-34928903284092385094"))),
        ("=6\r\ntxt:hi\r\n", Reply::Verbatim { format: *b"txt", text: text(b"hi") }),
        ("|1\r\n+a\r\n:1\r\n:2\r\n", {
            let pairs = vec![(Reply::Status(text(b"a")), Reply::Integer(1))];
            Reply::Attribute { pairs, reply: Box::new(Reply::Integer(2)) }
        }),
    ] {
        let twice = [input, input].concat();
        assert_eq!(decode(twice.as_bytes()), (vec![reply.clone(), reply], None), "{input:?}");
    }
    let (replies, _) = feed([&b",nan\r\n,-nan\r\n"[..]], ReplyLimits::DEFAULT);
    assert!(replies.iter().all(|reply| matches!(reply, Reply::Double(value) if value.is_nan())));
}

#[test]
fn wrong_bytes_are_named() {
    for (input, text) in [
        ("GET\r\n", "Protocol error, got \"G\" as reply type byte"),
        ("\r\n", "Protocol error, got \"\\r\" as reply type byte"),
        (":\r\n", "Bad integer value"),
        (":1x\r\n", "Bad integer value"),
        (":1234567890123456789012", "Line length out of range"),
        (":1\n", "Line break is not CR LF"),
        ("+a\rb\r\n", "Line break is not CR LF"),
        ("$x\r\n", "Bad bulk string length"),
        ("$-2\r\n", "Bulk string length out of range"),
        ("$536870913\r\n", "Bulk string length out of range"),
        ("$1\r\nabc", "Bulk string is not followed by CR LF"),
        ("*?\r\n", "Bad multi-bulk length"),
        ("*2147483648\r\n", "Multi-bulk length out of range"),
        ("%-1\r\n", "Multi-bulk length out of range"),
        ("_x\r\n", "Bad nil value"),
        ("#x\r\n", "Bad bool value"),
        (",1.5x\r\n", "Bad double value"),
        ("(12a\r\n", "Bad bignum value"),
        ("(\r\n", "Bad bignum value"),
        ("=3\r\ntxt\r\n", {
            "Verbatim string 4 bytes of content type are missing or incorrectly encoded."
        }),
    ] {
        let input = ["+OK\r\n*2\r\n:1\r\n", input].concat();
        let expected = vec![Reply::Status(Bytes::from_static(b"OK"))];
        assert_eq!(decode(input.as_bytes()), (expected, Some(text.into())), "{input:?}");
    }
}

#[test]
fn nesting_is_limited_even_of_attributes() {
    let limits = ReplyLimits { nesting_max: 3, ..ReplyLimits::DEFAULT };
    let error = "No support for nested multi bulk replies with depth > 3";
    for (head, foot) in [("*1\r\n", ""), ("%1\r\n:1\r\n", ""), ("|0\r\n", ""), ("*2\r\n", ":1\r\n")]
    {
        let nested = |depth: usize| [&head.repeat(depth), ":1\r\n", &foot.repeat(depth)].concat();
        let (replies, none) = feed([nested(3).as_bytes()], limits);
        assert_eq!((replies.len(), none), (1, None));
        assert_eq!(feed([nested(4).as_bytes()], limits), (vec![], Some(error.into())));
    }
}

#[test]
fn lengths_are_limited_to_the_byte() {
    let limits = ReplyLimits { bulk_len_max: 3, array_len_max: 2, line_len_max: 4, nesting_max: 1 };
    for (input, error) in [
        ("$3\r\nabc\r\n", None),
        ("$4\r\n", Some("Bulk string length out of range")),
        ("*2\r\n", None),
        ("*3\r\n", Some("Multi-bulk length out of range")),
        ("%2\r\n", None),
        ("%3\r\n", Some("Multi-bulk length out of range")),
        ("+abcd\r\n", None),
        ("+abcde\r\n", Some("Line length out of range")),
        ("+abcde", Some("Line length out of range")),
    ] {
        assert_eq!(feed([input.as_bytes()], limits).1.as_deref(), error, "{input:?}");
        assert_eq!(feed(input.as_bytes().chunks(1), limits).1.as_deref(), error, "{input:?}");
    }
}

#[test]
fn a_claim_alone_takes_no_memory() {
    let mut decoder = ReplyDecoder::default();
    let mut input = BytesMut::from(&b"*2000000000\r\n%2000000000\r\n$500000000\r\nx"[..]);
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(decoder.walk.missing.capacity() < 16);
    assert!(input.capacity() < 100);
}

/// A reply whose every piece was walked through from its start again would take minutes here.
#[test]
fn a_long_reply_in_small_pieces_is_read_once() {
    let mut text = String::from("*300002\r\n");
    text.push_str(&"$4\r\nword\r\n".repeat(300_000));
    text.push_str(&format!("+{0}\r\n${1}\r\n{0}\r\n", "x".repeat(1 << 20), 1 << 20));
    let mut decoder = ReplyDecoder::default();
    let mut input = BytesMut::new();
    let mut reply = None;
    for piece in text.as_bytes().chunks(16) {
        assert_eq!(reply, None);
        input.extend_from_slice(piece);
        reply = decoder.decode(&mut input).unwrap();
    }
    assert!(matches!(reply, Some(Reply::Array(parts)) if parts.len() == 300_002));
}

#[test]
fn texts_are_slices_of_the_input() {
    let mut shared = Bytes::from_static(b"*2\r\n$5\r\nfirst\r\n$6\r\nsecond\r\n");
    let input = shared.clone();
    let reply = ReplyDecoder::default().decode_shared(&mut shared);
    let Ok(Some(Reply::Array(parts))) = reply else { panic!("an array") };
    let [Reply::Bulk(first), Reply::Bulk(second)] = &parts[..] else { panic!("two texts") };
    assert_eq!((first.as_ptr(), second.as_ptr()), (input[8..].as_ptr(), input[19..].as_ptr()));
}

/// Reads whole input the plain way. The decoder's twin; it says that there is an error, not which.
fn plain(mut rest: &[u8]) -> (Vec<Reply>, bool) {
    let mut found = Vec::new();
    loop {
        match plain_reply(&mut rest) {
            Ok(reply) => found.push(reply),
            Err(Stop::Short) => return (found, false),
            Err(Stop::Wrong) => return (found, true),
        }
    }
}

#[derive(Debug)]
enum Stop {
    Short,
    Wrong,
}

fn plain_reply(rest: &mut &[u8]) -> Result<Reply, Stop> {
    let (&marker, mut ahead) = rest.split_first().ok_or(Stop::Short)?;
    if !b"+-:$*_#,(!=%~>|".contains(&marker) {
        return Err(Stop::Wrong);
    }
    let end = ahead.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let counted = !matches!(marker, b'+' | b'-' | b'(' | b',');
    if counted && end.unwrap_or(ahead.len()) > 21 {
        return Err(Stop::Wrong);
    }
    let line = Bytes::copy_from_slice(&ahead[..end.ok_or(Stop::Short)?]);
    match ahead[line.len()..] {
        [b'\r', b'\n', ..] => ahead = &ahead[line.len() + 2..],
        [b'\r'] => return Err(Stop::Short),
        _ => return Err(Stop::Wrong),
    }
    let number = parse_i64(&line).ok_or(Stop::Wrong);
    let reply = match marker {
        b'+' => Reply::Status(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number?),
        b'_' if line.is_empty() => Reply::Null,
        b'$' | b'*' if line == "-1" => Reply::Null,
        b'#' if line == "t" || line == "f" => Reply::Boolean(line == "t"),
        b'#' if line == "T" || line == "F" => Reply::Boolean(line == "T"),
        b',' => Reply::Double(parse_f64(&line).ok_or(Stop::Wrong)?),
        b'(' => {
            let digits = line.strip_prefix(b"-").unwrap_or(&line);
            let right = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            Reply::BigNumber(right.then_some(line).ok_or(Stop::Wrong)?)
        }
        b'$' | b'!' | b'=' => {
            let len = usize::try_from(number?).map_err(|_| Stop::Wrong)?;
            if len > 512 << 20 {
                return Err(Stop::Wrong);
            }
            let text = ahead.get(..len + 2).ok_or(Stop::Short)?;
            ahead = &ahead[len + 2..];
            let text = text.strip_suffix(b"\r\n").ok_or(Stop::Wrong)?;
            let bytes = Bytes::copy_from_slice(text);
            match (marker, text) {
                (b'$', _) => Reply::Bulk(bytes),
                (b'!', _) => Reply::Error(bytes),
                (_, [a, b, c, b':', ..]) => {
                    Reply::Verbatim { format: [*a, *b, *c], text: bytes.slice(4..) }
                }
                _ => return Err(Stop::Wrong),
            }
        }
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            let len = usize::try_from(number?).map_err(|_| Stop::Wrong)?;
            if len > i32::MAX as usize {
                return Err(Stop::Wrong);
            }
            plain_aggregate(marker, len, &mut ahead)?
        }
        _ => return Err(Stop::Wrong),
    };
    *rest = ahead;
    Ok(reply)
}

fn plain_aggregate(marker: u8, len: usize, rest: &mut &[u8]) -> Result<Reply, Stop> {
    let mut parts = Vec::new();
    if matches!(marker, b'%' | b'|') {
        let mut pairs = Vec::new();
        for _ in 0..len {
            pairs.push((plain_reply(rest)?, plain_reply(rest)?));
        }
        return Ok(match marker {
            b'%' => Reply::Map(pairs),
            _ => Reply::Attribute { pairs, reply: Box::new(plain_reply(rest)?) },
        });
    }
    for _ in 0..len {
        parts.push(plain_reply(rest)?);
    }
    Ok(match marker {
        b'~' => Reply::Set(parts),
        b'>' => Reply::Push(parts),
        _ => Reply::Array(parts),
    })
}

fn any_text() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 900..1100),
    ]
    .prop_map(Bytes::from)
}

/// Replies that the encoder can write and the decoder gives back as they were.
fn any_reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        "[ -~]{0,10}".prop_map(|text| Reply::Status(text.into())),
        "[A-Z]{1,9} [ -~]{0,10}".prop_map(|text| Reply::Error(text.into())),
        any::<i64>().prop_map(Reply::Integer),
        (-1i64..2000).prop_map(Reply::Integer),
        any_text().prop_map(Reply::Bulk),
        Just(Reply::Null),
        any::<f64>().prop_map(|value| Reply::Double(if value.is_nan() { 0.0 } else { value })),
        any::<bool>().prop_map(Reply::Boolean),
        "-?[1-9][0-9]{0,30}".prop_map(|digits| Reply::BigNumber(digits.into())),
        (any::<[u8; 3]>(), any_text()).prop_map(|(format, text)| Reply::Verbatim { format, text }),
    ];
    leaf.prop_recursive(4, 40, 6, |reply| {
        let parts = prop::collection::vec(reply.clone(), 0..6);
        let pairs = prop::collection::vec((reply.clone(), reply.clone()), 0..4);
        prop_oneof![
            parts.clone().prop_map(Reply::Array),
            parts.clone().prop_map(Reply::Set),
            parts.prop_map(Reply::Push),
            pairs.clone().prop_map(Reply::Map),
            (pairs, reply)
                .prop_map(|(pairs, reply)| Reply::Attribute { pairs, reply: Box::new(reply) }),
        ]
    })
}

fn encode(replies: &[Reply], protocol: Protocol) -> Vec<u8> {
    let mut out = Encoder::new(protocol);
    for reply in replies {
        reply.write(&mut out);
    }
    out.into_inner()
}

/// The same reply as the other side of a session in `protocol` knows it.
fn rebuild(reply: &Reply, protocol: Protocol) -> Reply {
    let mut builder = ReplyBuilder::new(protocol);
    reply.write(&mut builder);
    let rebuilt = builder.take().expect("a reply was written");
    assert_eq!(builder.take(), None);
    rebuilt
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_encoded_is_decoded(
        replies in prop::collection::vec(any_reply(), 1..4),
        piece in 1usize..50,
    ) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let input = encode(&replies, protocol);
            let expected: Vec<_> = replies.iter().map(|reply| rebuild(reply, protocol)).collect();
            if protocol == Protocol::Resp3 {
                prop_assert_eq!(&expected, &replies);
            }
            let (decoded, error) = feed(input.chunks(piece), ReplyLimits::DEFAULT);
            prop_assert_eq!(error, None);
            prop_assert_eq!(decoded, expected);
        }
    }

    #[test]
    fn agrees_with_its_twin_on_damaged_bytes(
        replies in prop::collection::vec(any_reply(), 1..4),
        changes in prop::collection::vec(any::<(prop::sample::Index, bool, u8)>(), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut input = encode(&replies, Protocol::Resp3);
        for (index, insert, byte) in changes {
            let byte = b"+-:$*_#,(!=%~>|\r\n019x"[usize::from(byte) % 20];
            let at = index.index(input.len());
            if insert { input.insert(at, byte) } else { input[at] = byte }
        }
        let whole = feed([&input[..]], ReplyLimits::DEFAULT);
        let (twin, wrong) = plain(&input);
        prop_assert_eq!(whole.1.is_some(), wrong);
        prop_assert_eq!(&whole.0, &twin);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|span| &input[span[0]..span[1]]);
        prop_assert_eq!(feed(pieces, ReplyLimits::DEFAULT), whole);
    }

    #[test]
    fn no_bytes_panic(input in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..9) {
        feed(input.chunks(piece), ReplyLimits::DEFAULT);
        let mut reader = ReplyReader::new(&input);
        while let Ok(Some(_)) = reader.next_token() {}
        assert!(reader.position() <= input.len());
    }
}
