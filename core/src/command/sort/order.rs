//! Bringing elements in order.

use super::Texts;
use super::options::{By, Options};
use super::pattern::Pattern;
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_f64;
use std::cmp::Ordering;

const NOT_A_NUMBER: Error = Error::err("One or more scores can't be converted into double");

/// The numbers of the elements in the order that is asked for.
///
/// # Errors
/// `ERR One or more scores can't be converted into double`
pub(super) fn sorted(
    call: &mut Call<'_, '_>,
    options: &Options<'_>,
    texts: &Texts,
) -> Result<Vec<u32>, Error> {
    let mut order: Vec<u32> = (0..texts.len() as u32).collect();
    match &options.by {
        By::Nothing => {}
        _ if !options.alpha => {
            let weights = numbers(call, &options.by, texts)?;
            let weight = |number: u32| weights[number as usize];
            sort(&mut order, options, |one, other| {
                let by_weight = weight(one).partial_cmp(&weight(other)).unwrap_or(Ordering::Equal);
                by_weight.then_with(|| texts.at(one).cmp(texts.at(other)))
            });
        }
        By::Element => {
            sort(&mut order, options, |one, other| {
                collate(texts.at(one), texts.at(other), options)
            });
        }
        By::Pattern(pattern) => {
            let weights = named_texts(call, pattern, texts);
            sort(&mut order, options, |one, other| match (weights.at(one), weights.at(other)) {
                (Some(one), Some(other)) => collate(one, other, options),
                (one, other) => one.is_some().cmp(&other.is_some()),
            });
        }
    }
    Ok(order)
}

fn sort(order: &mut [u32], options: &Options<'_>, compare: impl Fn(u32, u32) -> Ordering) {
    if options.descending {
        order.sort_by(|&one, &other| compare(one, other).reverse());
    } else {
        order.sort_by(|&one, &other| compare(one, other));
    }
}

/// Compares texts. What is answered and not stored is compared as the C library compares texts,
/// which end at a zero.
fn collate(one: &[u8], other: &[u8], options: &Options<'_>) -> Ordering {
    if options.stores { one.cmp(other) } else { until_zero(one).cmp(until_zero(other)) }
}

fn until_zero(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// The number that each element is compared by. An element for which there is none is compared by
/// zero.
fn numbers(call: &mut Call<'_, '_>, by: &By<'_>, texts: &Texts) -> Result<Vec<f64>, Error> {
    let db = call.client.db;
    let mut number_of = |text: &[u8]| match by {
        By::Pattern(pattern) => {
            pattern.read(call.keys, db, text, |value| value.map_or(Some(0.0), parse_number))
        }
        By::Element | By::Nothing => parse_number(text),
    };
    (0..texts.len() as u32).map(|number| number_of(texts.at(number)).ok_or(NOT_A_NUMBER)).collect()
}

/// Reads a number as C's `strtod` does: blanks may stand before it, nothing at all is zero, a zero
/// ends it, and one that is too great or too small to be exact is none.
fn parse_number(text: &[u8]) -> Option<f64> {
    let text = until_zero(text);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    parse_f64(&text[start..]).filter(|number| !number.is_subnormal())
}

/// The texts that elements are compared by, where there are any.
struct NamedTexts {
    texts: Texts,
    are_there: Vec<bool>,
}

impl NamedTexts {
    fn at(&self, number: u32) -> Option<&[u8]> {
        self.are_there[number as usize].then(|| self.texts.at(number))
    }
}

fn named_texts(call: &mut Call<'_, '_>, pattern: &Pattern<'_>, texts: &Texts) -> NamedTexts {
    let mut named = NamedTexts { texts: Texts::default(), are_there: Vec::new() };
    let db = call.client.db;
    for number in 0..texts.len() as u32 {
        pattern.read(call.keys, db, texts.at(number), |value| {
            named.are_there.push(value.is_some());
            named.texts.push(value.unwrap_or_default());
        });
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, expected) in [
            (&b""[..], Some(0.0)),
            (b"\0x", Some(0.0)),
            (b"1\0x", Some(1.0)),
            (b" \t\n\x0b\x0c\r-2.5e1", Some(-25.0)),
            (b"0x10", Some(16.0)),
            (b"+inf", Some(f64::INFINITY)),
            (b" ", None),
            (b"1 ", None),
            (b"x", None),
            (b"nan", None),
            (b"1e999", None),
            (b"1e-310", None),
        ] {
            assert_eq!(parse_number(text), expected, "{text:?}");
        }
    }
}
