//! Lines of words with quotes, as a shell and Redis's configuration files have them.

/// Splits a line as a shell does: words between spaces, quotes around those that have some, and
/// escapes within double quotes. None if a quote does not end or something follows it at once.
pub(crate) fn split_arguments(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = split_first(rest)?;
        words.push(word);
        rest = after;
    }
}

fn split_first(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        rest = match rest {
            [] => return Some((word, rest)),
            [byte, ..] if byte.is_ascii_whitespace() || *byte == 0 => return Some((word, rest)),
            [quote @ (b'"' | b'\''), after @ ..] => {
                let after = split_quoted(*quote, after, &mut word)?;
                match after {
                    [] => return Some((word, after)),
                    [byte, ..] if byte.is_ascii_whitespace() => return Some((word, after)),
                    _ => return None,
                }
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        };
    }
}

/// Appends what is between quotes, and returns what follows them.
fn split_quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let is_double = quote == b'"';
    loop {
        rest = match rest {
            [] => return None,
            [b'\\', b'\'', after @ ..] if !is_double => {
                word.push(b'\'');
                after
            }
            [b'\\', b'x', high, low, after @ ..]
                if is_double && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
                word.push(value(*high) << 4 | value(*low));
                after
            }
            [b'\\', byte, after @ ..] if is_double => {
                word.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] if *byte == quote => return Some(after),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_spaces_and_quotes_keep_them_together() {
        let split = |line: &str| {
            let words = split_arguments(line.as_bytes())?;
            let text = |word: Vec<u8>| String::from_utf8(word).unwrap();
            Some(words.into_iter().map(text).collect::<Vec<_>>())
        };
        for (line, words) in [
            ("", Some(&[][..])),
            ("  a  b ", Some(&["a", "b"])),
            (r#"a "b c" 'd e'"#, Some(&["a", "b c", "d e"])),
            (r#""" x"#, Some(&["", "x"])),
            (r#""\x41\n\"" 'it\'s'"#, Some(&["A\n\"", "it's"])),
            (r#"a"b c""#, Some(&["ab c"])),
            (r#""open"#, None),
            ("'open", None),
            (r#""a"b"#, None),
        ] {
            let expected = words.map(|words| words.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(split(line), expected, "{line}");
        }
    }
}
