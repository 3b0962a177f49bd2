//! The request parser against Redis's texts and against a plain reading of the protocol.

use super::*;
use crate::resp::encode_request;
use proptest::prelude::*;

type Words = Vec<Vec<u8>>;

/// The requests that were found, and the text of the error that ended them.
type Outcome = (Vec<Words>, Option<String>);

/// Feeds `pieces` one after another, dropping what is done with in between.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: RequestLimits) -> Outcome {
    let mut parser = RequestParser::new(limits);
    let mut requests = Requests::new();
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    for piece in pieces {
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
fn parse(input: &[u8]) -> Outcome {
    let whole = feed([input], RequestLimits::DEFAULT);
    for piece in [1, 2, 3, 5, 7] {
        let outcome = feed(input.chunks(piece), RequestLimits::DEFAULT);
        assert_eq!(outcome, whole, "pieces of {piece}");
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

/// What was known of a head that came in pieces was once taken for knowledge of the line after it,
/// whose end was then overlooked.
#[test]
fn a_head_in_pieces_leaves_nothing_behind() {
    let pieces = [&b"*-1"[..], b"\r\n", b"G\n"];
    assert_eq!(feed(pieces, RequestLimits::DEFAULT), (vec![words(&["G"])], None));
    let pieces = [&b"*2\r\n$0"[..], b"\r\n\r\n\r$\n"];
    let error = "Protocol error: expected '$', got ' '";
    assert_eq!(feed(pieces, RequestLimits::DEFAULT), (vec![], Some(error.into())));
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
            let (_, error) = feed(input.chunks(piece), limits);
            let expected = expected.map(|text| format!("Protocol error: {text}"));
            assert_eq!(error, expected, "{}", input.escape_ascii());
        }
    }
}

#[test]
fn a_nul_hides_the_rest_of_its_line() {
    assert_eq!(parse(b"PING a\0b\r\nPING\r\n"), (vec![], None));
    assert_eq!(parse(b"*1\r\n$4\0\r\nPING\r\n"), (vec![], None));
    let limits = RequestLimits { inline_len_max: 16, ..RequestLimits::DEFAULT };
    let outcome = feed([&b"PING\0\r\nPING\r\nPING\r\n"[..]], limits);
    assert_eq!(outcome.1.as_deref(), Some("Protocol error: too big inline request"));
}

#[test]
fn a_stranger_is_held_to_ten_words_of_16_kib() {
    let parse = |input: &[u8]| {
        let mut parser = RequestParser::new(RequestLimits::DEFAULT);
        parser.set_authenticated(false);
        parser.parse(input, 0, &mut Requests::new())
    };
    for (input, text) in [
        (&b"*11\r\n"[..], "Protocol error: unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"),
    ] {
        assert_eq!(parse(input).unwrap_err().text(), text.as_bytes());
    }
    let mut input = Vec::new();
    encode_request(&[[b'x'; 16384]; 10], &mut input);
    assert_eq!(parse(&input).unwrap(), Parsed::Complete { end: input.len() });
}

#[test]
fn a_limit_holds_to_the_byte() {
    let limits = RequestLimits { bulk_len_max: 3, array_len_max: 2, inline_len_max: 64 };
    for (input, expected) in [
        (&b"*2\r\n$3\r\nabc\r\n$0\r\n\r\n"[..], None),
        (b"*1\r\n$4\r\nabcd\r\n", Some("Protocol error: invalid bulk length")),
        (b"*3\r\n$0\r\n", Some("Protocol error: invalid multibulk length")),
    ] {
        assert_eq!(feed([input], limits).1.as_deref(), expected);
    }
}

#[test]
fn a_claim_alone_takes_no_memory() {
    let mut parser = RequestParser::new(RequestLimits::DEFAULT);
    let mut requests = Requests::new();
    let input = b"*2147483647\r\n$536870912\r\nx";
    let parsed = parser.parse(input, 0, &mut requests).unwrap();
    assert_eq!(parsed, Parsed::Incomplete { consumed: 0 });
    assert_eq!(requests.spans.capacity() + parser.spans.capacity(), 0);
}

/// A request whose every piece was parsed from its start again would take minutes here.
#[test]
fn a_long_request_in_small_pieces_is_read_once() {
    let words = vec!["word"; 200_000];
    let mut input = Vec::new();
    encode_request(&words, &mut input);
    let mut parser = RequestParser::new(RequestLimits::DEFAULT);
    let mut requests = Requests::new();
    for end in (0..input.len()).step_by(16) {
        let parsed = parser.parse(&input[..end], 0, &mut requests).unwrap();
        assert_eq!(parsed, Parsed::Incomplete { consumed: 0 });
    }
    let parsed = parser.parse(&input, 0, &mut requests).unwrap();
    assert_eq!(parsed, Parsed::Complete { end: input.len() });
    assert_eq!(requests.word_count(0), words.len());
    requests.clear();
    assert!(requests.spans.capacity() <= SPANS_KEPT);
    assert!(parser.spans.capacity() <= SPANS_KEPT);
}

/// Reads whole input the plain way, by the rules of the protocol. The parser's twin.
fn plain(mut rest: &[u8]) -> Outcome {
    let mut found = Vec::new();
    loop {
        match plain_request(&mut rest) {
            Ok(Some(words)) if words.is_empty() => {}
            Ok(Some(words)) => found.push(words),
            Ok(None) => return (found, None),
            Err(text) => return (found, Some(format!("Protocol error: {text}"))),
        }
    }
}

/// Takes one request, None if it is not all there.
fn plain_request(rest: &mut &[u8]) -> Result<Option<Words>, String> {
    if rest.first() != Some(&b'*') {
        let Some(line) = plain_line(rest, b'\n', 1) else { return Ok(None) };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (mut scratch, mut words, mut start) = (Vec::new(), Vec::new(), 0);
        let mut ends = Vec::new();
        if !inline::split(line, &mut scratch, |end| ends.push(end)) {
            return Err("unbalanced quotes in request".into());
        }
        for end in ends {
            words.push(scratch[start..end].to_vec());
            start = end;
        }
        return Ok(Some(words));
    }
    let mut ahead = *rest;
    let Some(count) = plain_line(&mut ahead, b'\r', 2) else { return Ok(None) };
    let count = plain_number(&count[1..]).filter(|&count| count <= i64::from(i32::MAX));
    let mut words = Vec::new();
    for _ in 0..count.ok_or("invalid multibulk length")? {
        let Some(head) = plain_line(&mut ahead, b'\r', 2) else { return Ok(None) };
        let first = head.first().copied().unwrap_or(b'\r');
        if first != b'$' {
            let shown = if matches!(first, b'\r' | b'\n') { b' ' } else { first };
            return Err(format!("expected '$', got '{}'", String::from_utf8_lossy(&[shown])));
        }
        let len = plain_number(&head[1..]).and_then(|len| usize::try_from(len).ok());
        let len = len.filter(|&len| len <= 512 << 20).ok_or("invalid bulk length")?;
        if ahead.len() < len + 2 {
            return Ok(None);
        }
        words.push(ahead[..len].to_vec());
        ahead = &ahead[len + 2..];
    }
    *rest = ahead;
    Ok(Some(words))
}

fn plain_line<'a>(rest: &mut &'a [u8], end: u8, end_len: usize) -> Option<&'a [u8]> {
    let at = rest.iter().position(|&byte| byte == end || byte == 0)?;
    let line = (rest[at] == end && rest.len() >= at + end_len).then(|| &rest[..at])?;
    *rest = &rest[at + end_len..];
    Some(line)
}

fn plain_number(text: &[u8]) -> Option<i64> {
    let value: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.to_string().as_bytes() == text).then_some(value)
}

/// Requests of both forms, and bytes that are nearly requests.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::collection::vec(any::<u8>(), 0..40);
    let array = prop::collection::vec(word, 0..12).prop_map(|words| {
        let mut out = Vec::new();
        encode_request(&words, &mut out);
        out
    });
    let line = "[ -~\\t]{0,30}\r?\n".prop_map(String::into_bytes);
    let noise = "[*$\r\n0-9\"'x\\\\\0 -]{0,12}".prop_map(String::into_bytes);
    let wide = (100usize..3000).prop_map(|len| {
        let mut out = Vec::new();
        encode_request(&[vec![b'w'; len]], &mut out);
        out
    });
    let empty = prop::sample::select(vec!["*0\r\n", "*-1\r\n", "\r\n", "\n", "A\n", "*1\r\n\r$\n"])
        .prop_map(|text| text.as_bytes().to_vec());
    let part = prop_oneof![4 => array, 2 => line, 1 => noise, 1 => wide, 3 => empty];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

/// Changes, takes or adds a byte here and there.
fn mutate(mut input: Vec<u8>, changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (index, kind, byte) in changes {
        if input.is_empty() {
            break;
        }
        let at = index.index(input.len());
        match kind % 3 {
            0 => input[at] = *byte,
            1 => input.insert(at, *byte),
            _ => drop(input.remove(at)),
        }
    }
    input
}

fn any_changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_its_twin_however_the_input_is_cut(
        input in any_input(),
        changes in any_changes(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let input = mutate(input, &changes);
        let expected = plain(&input);
        prop_assert_eq!(feed([&input[..]], RequestLimits::DEFAULT), expected.clone());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|span| &input[span[0]..span[1]]);
        prop_assert_eq!(feed(pieces, RequestLimits::DEFAULT), expected);
    }

    #[test]
    fn no_bytes_panic(input in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..9) {
        feed(input.chunks(piece), RequestLimits { inline_len_max: 32, ..RequestLimits::DEFAULT });
    }

    #[test]
    fn what_is_encoded_is_parsed(
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..5),
    ) {
        let mut input = Vec::new();
        encode_request(&words, &mut input);
        prop_assert_eq!(feed([&input[..]], RequestLimits::DEFAULT), (vec![words], None));
    }
}
