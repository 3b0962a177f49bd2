//! The request parser against Redis's texts and against a plain reading of the protocol.

use super::*;

type Words = Vec<Vec<u8>>;

/// Feeds `input` in pieces of `piece` bytes, dropping what is done with, and returns the
/// requests and the error that ended them.
fn feed(input: &[u8], piece: usize, limits: RequestLimits) -> (Vec<Words>, Option<String>) {
    let mut parser = RequestParser::new(limits);
    let mut requests = Requests::new();
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    for piece in input.chunks(piece) {
        buffer.extend_from_slice(piece);
        let mut at = 0;
        let consumed = loop {
            match parser.parse(&buffer, at, &mut requests) {
                Ok(Parsed::Complete { end }) => at = end,
                Ok(Parsed::Incomplete { consumed }) => break consumed,
                Err(error) => {
                    take(&mut requests, &buffer, &mut found);
                    assert_eq!(error.kind(), ErrorKind::Protocol);
                    return (found, Some(String::from_utf8_lossy(error.text()).into_owned()));
                }
            }
        };
        take(&mut requests, &buffer, &mut found);
        buffer.drain(..consumed);
    }
    (found, None)
}

fn take(requests: &mut Requests, buffer: &[u8], found: &mut Vec<Words>) {
    for index in 0..requests.len() {
        let mut words = Vec::new();
        requests.words(index, buffer, &mut words);
        assert_eq!(words.len(), requests.word_count(index));
        found.push(words.into_iter().map(<[u8]>::to_vec).collect());
    }
    requests.clear();
}

/// The requests of `input`, which are the same in whatever pieces it comes.
fn parse(input: &[u8]) -> (Vec<Words>, Option<String>) {
    let whole = feed(input, input.len().max(1), RequestLimits::DEFAULT);
    for piece in [1, 2, 3, 5, 7] {
        assert_eq!(feed(input, piece, RequestLimits::DEFAULT), whole, "pieces of {piece}");
    }
    whole
}

fn requests(input: &[u8]) -> Vec<Words> {
    let (requests, error) = parse(input);
    assert_eq!(error, None);
    requests
}

fn error(input: &[u8]) -> String {
    parse(input).1.expect("an error")
}

fn words(words: &[&str]) -> Words {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn arrays_and_lines_may_be_mixed() {
    assert_eq!(
        requests(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nPING\r\nSET k 'v w'\n"),
        [words(&["GET", "k"]), words(&["PING"]), words(&["PING"]), words(&["SET", "k", "v w"])]
    );
}

#[test]
fn empty_requests_are_skipped() {
    let input = b"*0\r\n*-1\r\n*-7\r\n\r\n\n  \r\n*1\r\n$0\r\n\r\n";
    assert_eq!(requests(input), [words(&[""])]);
}

#[test]
fn the_byte_after_cr_and_those_after_a_word_are_not_looked_at() {
    assert_eq!(requests(b"*1\rx$4\rxPINGxx"), [words(&["PING"])]);
}

#[test]
fn wrong_heads_are_refused_in_redis_words() {
    for (input, text) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"* 1\r\n", "invalid multibulk length"),
        (b"*1 \r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n!3\r\nfoo\r\n", "expected '$', got '!'"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$00\r\n", "invalid bulk length"),
        (b"*1\r\n$3x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"GET \"a\r\n", "unbalanced quotes in request"),
        (b"GET \"a\"b\r\n", "unbalanced quotes in request"),
    ] {
        let expected = format!("Protocol error: {text}");
        assert_eq!(error(input), expected, "{}", input.escape_ascii());
    }
}

#[test]
fn a_line_may_be_as_long_as_the_limit() {
    let limits = RequestLimits { inline_len_max: 8, ..RequestLimits::DEFAULT };
    for (input, expected) in [
        (&b"12345678\n"[..], None),
        (b"123456789\n", Some("too big inline request")),
        (b"123456789", Some("too big inline request")),
        (b"12345678", None),
        (b"*1234567", None),
        (b"*12345678", Some("too big mbulk count string")),
        (b"*1\r\n$1234567", None),
        (b"*1\r\n$1234567\r", None),
        (b"*1\r\n$12345678", Some("too big bulk count string")),
    ] {
        for piece in 1..=input.len() {
            let (_, error) = feed(input, piece, limits);
            let expected = expected.map(|text| format!("Protocol error: {text}"));
            assert_eq!(error, expected, "{}", input.escape_ascii());
        }
    }
}
