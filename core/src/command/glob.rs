//! Glob patterns as Redis reads them: `*`, `?`, `[a-z]`, `[^a]` and `\x`. Where the texts come from
//! is the caller's business.
//!
//! A pattern is matched from left to right. When something does not fit, the last star takes one
//! byte more and the matching goes on from there. An earlier star never needs to change: the part
//! between it and the last one was matched as early as possible, which leaves the most room for
//! what follows. The cost is therefore at most the product of the two lengths, however many stars
//! there are.

/// Redis gives up on patterns with more stars than this.
const STARS_MAX: usize = 1000;

/// Whether letters that differ in case alone are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Kept,
    Ignored,
}

/// Whether `text` as a whole matches `pattern`.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_in(Case::Kept, pattern, text)
}

/// As [`matches`], where ASCII letters stand for both their cases. Escaped letters inside brackets
/// do not, and a range whose ends differ in case is taken as Redis takes it.
pub(crate) fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_in(Case::Ignored, pattern, text)
}

/// The bytes that every match of a pattern begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// The pattern matches these bytes and nothing else.
    Whole(Vec<u8>),
    /// Matches begin with these bytes and go on with others.
    Prefix(Vec<u8>),
}

/// Reads a pattern up to the first place where it leaves a choice.
pub(crate) fn literal(pattern: &[u8]) -> Literal {
    let mut bytes = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    loop {
        rest = match rest {
            [] => return Literal::Whole(bytes),
            [b'*' | b'?' | b'[', ..] => return Literal::Prefix(bytes),
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
        };
    }
}

fn matches_in(case: Case, pattern: &[u8], text: &[u8]) -> bool {
    // Even a star does not match an empty text; Redis asks for at least one byte to begin with.
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut rest, mut from) = (pattern, 0);
    // What follows the last star, and how much of the text lies before what that is tried on.
    let mut retry: Option<(&[u8], usize)> = None;
    let mut stars = 0;
    while let Some(&byte) = text.get(from) {
        if let [b'*', ..] = rest {
            rest = after_stars(rest);
            stars += 1;
            if rest.is_empty() || stars > STARS_MAX {
                return rest.is_empty();
            }
            retry = Some((rest, from));
        }
        if let Some(after) = one(case, rest, byte) {
            (rest, from) = (after, from + 1);
        } else if let Some((after_star, start)) = retry {
            (rest, from) = (after_star, start + 1);
            retry = Some((after_star, start + 1));
        } else {
            return false;
        }
    }
    after_stars(rest).is_empty()
}

fn after_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    &pattern[stars..]
}

/// Matches one byte with the front of a pattern that is no star. Returns what follows it there.
fn one(case: Case, pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', after @ ..] => Some(after),
        [b'[', class @ ..] => {
            let (fits, after) = in_class(case, class, byte);
            fits.then_some(after)
        }
        [b'\\', wanted, after @ ..] | [wanted, after @ ..] => {
            same(case, *wanted, byte).then_some(after)
        }
    }
}

/// Whether a byte belongs to the class whose opening bracket was read, and what follows the class.
/// A class that is not closed ends with the pattern.
fn in_class(case: Case, class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut rest) = match class {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [b'\\', wanted, after @ ..] => {
                found |= *wanted == byte;
                after
            }
            [b']', after @ ..] => return (found != negated, after),
            [] => return (found != negated, rest),
            [first, b'-', last, after @ ..] => {
                found |= in_range(case, *first, *last, byte);
                after
            }
            [wanted, after @ ..] => {
                found |= same(case, *wanted, byte);
                after
            }
        };
    }
}

fn same(case: Case, one: u8, other: u8) -> bool {
    match case {
        Case::Kept => one == other,
        Case::Ignored => one.eq_ignore_ascii_case(&other),
    }
}

/// Bytes are compared as signed ones, since Redis compares C's `char` on x86.
fn in_range(case: Case, one: u8, other: u8, byte: u8) -> bool {
    let folded = |byte: u8| match case {
        Case::Kept => byte as i8,
        Case::Ignored => byte.to_ascii_lowercase() as i8,
    };
    // The ends are put in order before their case is folded, as Redis does.
    let (first, last) = if one as i8 > other as i8 { (other, one) } else { (one, other) };
    (folded(first)..=folded(last)).contains(&folded(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: a pattern taken apart, every way of matching tried.
    enum Part {
        Star,
        One(Box<dyn Fn(u8) -> bool>),
    }

    fn parts(pattern: &[u8], fold: fn(u8) -> u8) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < pattern.len() {
            let start = at;
            at += 1;
            match pattern[start] {
                b'*' => parts.push(Part::Star),
                b'?' => parts.push(Part::One(Box::new(|_| true))),
                b'[' => {
                    let (class, len) = class_part(&pattern[at..], fold);
                    at += len;
                    parts.push(Part::One(class));
                }
                byte => {
                    let escaped = byte == b'\\' && at < pattern.len();
                    let byte = if escaped { pattern[at] } else { byte };
                    at += usize::from(escaped);
                    parts.push(Part::One(Box::new(move |other| fold(byte) == fold(other))));
                }
            }
        }
        parts
    }

    type Test = Box<dyn Fn(u8) -> bool>;

    fn class_part(class: &[u8], fold: fn(u8) -> u8) -> (Test, usize) {
        let negated = class.first() == Some(&b'^');
        let mut at = usize::from(negated);
        let mut tests: Vec<Test> = Vec::new();
        while at < class.len() && class[at] != b']' {
            let left = class.len() - at;
            let byte = class[at];
            if byte == b'\\' && left >= 2 {
                let byte = class[at + 1];
                tests.push(Box::new(move |other| byte == other));
                at += 2;
            } else if left >= 3 && class[at + 1] == b'-' {
                let mut ends = [byte as i8, class[at + 2] as i8];
                ends.sort_unstable();
                let [low, high] = ends.map(|end| fold(end as u8) as i8);
                tests.push(Box::new(move |other| {
                    let other = fold(other) as i8;
                    low <= other && other <= high
                }));
                at += 3;
            } else {
                tests.push(Box::new(move |other| fold(byte) == fold(other)));
                at += 1;
            }
        }
        let len = (at + 1).min(class.len());
        (Box::new(move |byte| tests.iter().any(|test| test(byte)) != negated), len)
    }

    fn naive(parts: &[Part], text: &[u8]) -> bool {
        match (parts, text) {
            ([], text) => text.is_empty(),
            ([Part::Star, rest @ ..], text) => {
                (0..=text.len()).any(|taken| naive(rest, &text[taken..]))
            }
            ([Part::One(_), ..], []) => false,
            ([Part::One(test), rest @ ..], [byte, after @ ..]) => test(*byte) && naive(rest, after),
        }
    }

    fn twin(pattern: &[u8], text: &[u8], fold: fn(u8) -> u8) -> bool {
        if text.is_empty() { pattern.is_empty() } else { naive(&parts(pattern, fold), text) }
    }

    fn pattern() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            3 => Just(b'*'),
            1 => Just(b'?'),
            1 => Just(b'['),
            1 => Just(b']'),
            1 => Just(b'^'),
            1 => Just(b'-'),
            1 => Just(b'\\'),
            6 => prop::sample::select(b"abAB".to_vec()),
            1 => prop::sample::select(vec![0, 0x7f, 0x80, 0xff]),
        ];
        prop::collection::vec(byte, 0..12)
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            8 => prop::sample::select(b"abAB".to_vec()),
            1 => prop::sample::select(b"*?[]^-\\\0\x7f\x80\xff".to_vec()),
        ];
        prop::collection::vec(byte, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn agrees_with_trying_everything(pattern in pattern(), text in text()) {
            prop_assert_eq!(matches(&pattern, &text), twin(&pattern, &text, |byte| byte));
            let folded = twin(&pattern, &text, |byte| byte.to_ascii_lowercase());
            prop_assert_eq!(matches_ignoring_case(&pattern, &text), folded);
        }

        #[test]
        fn a_literal_is_what_matches(pattern in pattern(), text in text()) {
            match literal(&pattern) {
                Literal::Whole(bytes) => {
                    prop_assert!(matches(&pattern, &bytes));
                    prop_assert_eq!(matches(&pattern, &text), bytes == text);
                }
                Literal::Prefix(bytes) => {
                    prop_assert!(!matches(&pattern, &text) || text.starts_with(&bytes));
                }
            }
        }
    }

    #[test]
    fn the_corners_are_those_of_redis() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", false),
            ("**", "a", true),
            ("h?llo", "hxllo", true),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("[z-a]", "m", true),
            ("[a-]", "]", true),
            ("[]a]", "a", false),
            ("[abc", "c", true),
            ("[^", "x", true),
            ("[", "[", false),
            ("\\", "\\", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("a*[0-9]", "abc5", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(matches_ignoring_case(b"MAX*", b"maxmemory"));
        assert!(!matches(b"MAX*", b"maxmemory"));
        // Redis puts the ends in order before it folds their case: `Z` to `a` becomes `z` to `a`.
        assert!(!matches_ignoring_case(b"[a-Z]", b"m"));
        // Bytes from 0x80 on are below all others.
        assert!(!matches(b"[\x01-\xff]", b"a"));
    }

    #[test]
    fn many_stars_take_no_longer_than_few() {
        let pattern = b"*a".repeat(500);
        let mut text = vec![b'a'; 100_000];
        text.push(b'b');
        assert!(!matches(&pattern, &text));
        text.pop();
        assert!(matches(&pattern, &text));
    }

    #[test]
    fn more_stars_than_redis_follows_match_nothing() {
        let text = vec![b'a'; 3_000];
        assert!(matches(&b"*a".repeat(STARS_MAX), &text));
        assert!(!matches(&b"*a".repeat(STARS_MAX + 1), &text));
    }
}
