//! Splits a line of text into words, in the manner of a shell. What the words mean, and where the
//! line ends, is the caller's.

/// Appends the words of `line` to `scratch`, unescaped and joined, and calls `word` with the end of
/// each in `scratch`.
///
/// Blanks part the words. Within double quotes `\n \r \t \b \a \xHH` stand for a byte and a
/// backslash before any other byte for that byte; within single quotes only `\'` is special. A
/// quote may open in the middle of a word, and closes the word, so after it a blank or the end must
/// come. Returns false if it does not, or if a quote is left open. The rules are those of Redis's
/// `sdssplitargs`.
pub(super) fn split(line: &[u8], scratch: &mut Vec<u8>, mut word: impl FnMut(usize)) -> bool {
    let mut rest = line;
    loop {
        rest = skip_blanks(rest);
        if rest.is_empty() {
            return true;
        }
        match take_word(rest, scratch) {
            Some(after) => rest = after,
            None => return false,
        }
        word(scratch.len());
    }
}

/// Takes one word off the front of `rest` and returns what follows, None if its quotes are wrong.
fn take_word<'a>(rest: &'a [u8], scratch: &mut Vec<u8>) -> Option<&'a [u8]> {
    let plain = rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len());
    scratch.extend_from_slice(&rest[..plain]);
    let after = match rest.get(plain) {
        Some(b'"') => take_double_quoted(&rest[plain + 1..], scratch)?,
        Some(b'\'') => take_single_quoted(&rest[plain + 1..], scratch)?,
        Some(_) | None => return Some(&rest[plain..]),
    };
    match after.first() {
        Some(&byte) if !is_blank(byte) => None,
        Some(_) | None => Some(after),
    }
}

/// Takes what stands up to and with the closing quote; None if there is none.
fn take_double_quoted<'a>(mut rest: &'a [u8], scratch: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_digit(*high) << 4 | hex_digit(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        scratch.push(byte);
        rest = after;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], scratch: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'\'', after @ ..] => return Some(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        scratch.push(byte);
        rest = after;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    }
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&byte| !is_blank(byte)).unwrap_or(line.len());
    &line[start..]
}

/// C's `isspace`: what may stand between words.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// What ends the plain part of a word. Vertical tab and form feed part words but do not end one.
fn is_special(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut scratch = Vec::new();
        let mut ends = vec![0];
        split(line, &mut scratch, |end| ends.push(end))
            .then(|| ends.windows(2).map(|span| scratch[span[0]..span[1]].to_vec()).collect())
    }

    #[test]
    fn quoting_follows_the_rules() {
        for (line, expected) in [
            (&b"SET k v"[..], Some(vec![&b"SET"[..], b"k", b"v"])),
            (b"  a \t b  ", Some(vec![b"a", b"b"])),
            (b"", Some(vec![])),
            (b" \x0b\x0c ", Some(vec![])),
            (b"a\x0bb \x0bc", Some(vec![b"a\x0bb", b"c"])),
            (br#""a b" 'c d'"#, Some(vec![b"a b", b"c d"])),
            (br#""" ''"#, Some(vec![b"", b""])),
            (br#"x"y z" w"#, Some(vec![b"xy z", b"w"])),
            (br#""\x00\xfF\n\r\t\b\a\\\"\q""#, Some(vec![b"\x00\xff\n\r\t\x08\x07\\\"q"])),
            (br#""\xg1\x1""#, Some(vec![b"xg1x1"])),
            (br"'\n\'\x41'", Some(vec![br"\n'\x41"])),
            (br"a\nb", Some(vec![br"a\nb"])),
            (br#""open"#, None),
            (br#""open\"#, None),
            (br#""open\""#, None),
            (b"'open", None),
            (br#""a"b"#, None),
            (br#"'a''b'"#, None),
            (b"\"a\"\x0bb", Some(vec![b"a", b"b"])),
        ] {
            let expected = expected.map(|words| words.iter().map(|word| word.to_vec()).collect());
            assert_eq!(words(line), expected, "{}", line.escape_ascii());
        }
    }
}
