//! The ends of ranges as words: scores, members, ranks.

use crate::error::Error;
use crate::resp::number::{parse_c_double, parse_i64};
use crate::value::zset::{Edge, LexPlace, LexRange, RankRange, ScoreRange};

const NOT_FLOAT: Error = Error::err("min or max is not a float");
const NOT_LEX: Error = Error::err("min or max not valid string range item");

/// Reads the scores of a range. Redis reads them as C does, more freely than other numbers.
pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    let score = |word: &[u8]| {
        let (is_open, number) = match word {
            [b'(', number @ ..] => (true, number),
            number => (false, number),
        };
        let number = parse_c_double(number).filter(|number| !number.is_nan()).ok_or(NOT_FLOAT)?;
        Ok(if is_open { Edge::Excluded(number) } else { Edge::Included(number) })
    };
    Ok(ScoreRange { min: score(min)?, max: score(max)? })
}

/// Reads the members of a range.
pub(super) fn members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    let member = |word: &'a [u8]| match word {
        // A zero ends a text of C.
        [b'-'] | [b'-', 0, ..] => Ok(Edge::Excluded(LexPlace::Least)),
        [b'+'] | [b'+', 0, ..] => Ok(Edge::Excluded(LexPlace::Greatest)),
        [b'(', member @ ..] => Ok(Edge::Excluded(LexPlace::At(member))),
        [b'[', member @ ..] => Ok(Edge::Included(LexPlace::At(member))),
        _ => Err(NOT_LEX),
    };
    Ok(LexRange { min: member(min)?, max: member(max)? })
}

/// Reads the ranks of a range.
pub(super) fn ranks(start: &[u8], stop: &[u8]) -> Result<RankRange, Error> {
    let rank = |word| parse_i64(word).ok_or(Error::NOT_INTEGER);
    Ok(RankRange { start: rank(start)?, stop: rank(stop)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_c_reads_them() {
        let min = |word: &str| scores(word.as_bytes(), b"0").map(|range| range.min).ok();
        for (word, expected) in [
            ("1.5", Some(Edge::Included(1.5))),
            ("(1.5", Some(Edge::Excluded(1.5))),
            ("-inf", Some(Edge::Included(f64::NEG_INFINITY))),
            ("(+Infinity", Some(Edge::Excluded(f64::INFINITY))),
            ("1e400", Some(Edge::Included(f64::INFINITY))),
            ("", Some(Edge::Included(0.0))),
            ("(", Some(Edge::Excluded(0.0))),
            (" 1", Some(Edge::Included(1.0))),
            ("1\0x", Some(Edge::Included(1.0))),
            ("0x10", Some(Edge::Included(16.0))),
            ("1 ", None),
            (" ", None),
            ("nan", None),
            ("((1", None),
            ("[1", None),
            ("x", None),
        ] {
            assert_eq!(min(word), expected, "{word:?}");
        }
    }

    #[test]
    fn members_have_a_mark_before_them() {
        let min = |word: &'static str| members(word.as_bytes(), b"+").map(|range| range.min).ok();
        for (word, expected) in [
            ("-", Some(Edge::Excluded(LexPlace::Least))),
            ("+", Some(Edge::Excluded(LexPlace::Greatest))),
            ("+\0x", Some(Edge::Excluded(LexPlace::Greatest))),
            ("[a", Some(Edge::Included(LexPlace::At(b"a")))),
            ("(", Some(Edge::Excluded(LexPlace::At(b"")))),
            ("-x", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(min(word), expected, "{word:?}");
        }
    }
}
