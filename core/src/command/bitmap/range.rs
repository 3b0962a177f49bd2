//! Bits of a range: BITCOUNT and BITPOS.

use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::structs::bits;
use crate::value::string;

/// In what a range is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn parse(word: &[u8]) -> Result<Self, Error> {
        if word.eq_ignore_ascii_case(b"bit") {
            Ok(Self::Bit)
        } else if word.eq_ignore_ascii_case(b"byte") {
            Ok(Self::Byte)
        } else {
            Err(Error::SYNTAX)
        }
    }

    fn bits(self) -> i64 {
        match self {
            Self::Byte => 8,
            Self::Bit => 1,
        }
    }
}

/// A range as it was asked for; negative places count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: i64,
    /// None for the end of the string.
    end: Option<i64>,
    unit: Unit,
}

/// The order in which Redis reads the end of a range and its unit, which tells the error that it
/// answers if both are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    EndFirst,
    UnitFirst,
}

impl Range {
    const WHOLE: Self = Self { start: 0, end: None, unit: Unit::Byte };

    fn parse(words: &[&[u8]], order: Order) -> Result<Self, Error> {
        let integer = |word: &[u8]| parse_i64(word).ok_or(Error::NOT_INTEGER);
        match *words {
            [] => Ok(Self::WHOLE),
            [start] => Ok(Self { start: integer(start)?, ..Self::WHOLE }),
            [start, end] => {
                let start = integer(start)?;
                Ok(Self { start, end: Some(integer(end)?), unit: Unit::Byte })
            }
            [start, end, unit] => {
                let start = integer(start)?;
                let early = if order == Order::EndFirst { None } else { Some(Unit::parse(unit)?) };
                let end = Some(integer(end)?);
                let unit = early.map_or_else(|| Unit::parse(unit), Ok)?;
                Ok(Self { start, end, unit })
            }
            _ => Err(Error::SYNTAX),
        }
    }

    /// The first and the last bit of the range in a string of so many bytes; none if it is empty.
    fn within(self, len: usize) -> Option<(u64, u64)> {
        let unit = self.unit.bits();
        let total = len as i64 * 8 / unit;
        let place = |at: i64| if at < 0 { (total + at).max(0) } else { at };
        let (start, end) = (place(self.start), place(self.end.unwrap_or(-1)).min(total - 1));
        (start <= end).then(|| ((start * unit) as u64, ((end + 1) * unit - 1) as u64))
    }

    /// Whether the start counts from the end of the string as the end does, and lies behind it.
    fn is_backwards(self) -> bool {
        self.end.is_some_and(|end| self.start < 0 && end < 0 && self.start > end)
    }
}

pub(super) fn bitcount(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let range = Range::parse(&call.words[2..], Order::EndFirst)?;
    let mut count = 0;
    if let Some(record) = call.keys.read(&call.located[0]) {
        let text = string::read(record)?;
        // Places before the first byte mean the first byte, so a range could be backwards and not
        // be empty.
        if let Some((first, last)) = range.within(text.len())
            && !range.is_backwards()
        {
            count = bits::count_ones_between(&text, first, last);
        }
    }
    call.out.integer(count as i64);
    Ok(())
}

pub(super) fn bitpos(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let bit = match parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(Error::err("The bit argument must be 1 or 0.")),
    };
    let range = Range::parse(&call.words[3..], Order::UnitFirst)?;
    let place = match call.keys.read(&call.located[0]) {
        // A key that does not exist reads as zeros without end.
        None => {
            if bit {
                -1
            } else {
                0
            }
        }
        Some(record) => position(&string::read(record)?, bit, range),
    };
    call.out.integer(place);
    Ok(())
}

/// Where the bit is, or -1. A clear bit is found behind the string if the range has no end.
fn position(text: &[u8], bit: bool, range: Range) -> i64 {
    let Some((first, last)) = range.within(text.len()) else { return -1 };
    match bits::position(text, bit, first, last) {
        Some(place) => place as i64,
        None if !bit && range.end.is_none() => last as i64 + 1,
        None => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clear_bit_is_found_behind_the_string_only_without_an_end() {
        let from = |start| Range { start, ..Range::WHOLE };
        let upto = |start, end| Range { start, end: Some(end), unit: Unit::Byte };
        assert_eq!(position(b"\xff\xff", false, Range::WHOLE), 16);
        assert_eq!(position(b"\xff\xff", false, from(1)), 16);
        assert_eq!(position(b"\xff\xff", false, upto(0, -1)), -1);
        assert_eq!(position(b"\xff\xff", true, from(2)), -1);
        assert_eq!(position(b"", false, Range::WHOLE), -1);
    }

    proptest! {
        #[test]
        fn a_range_holds_the_places_between_its_ends(
            len in 0usize..5,
            start in prop_oneof![-50i64..50, Just(i64::MIN), Just(i64::MAX)],
            end in prop_oneof![-50i64..50, Just(i64::MIN), Just(i64::MAX)],
            in_bits: bool,
        ) {
            let unit = if in_bits { Unit::Bit } else { Unit::Byte };
            let total = i128::from(len as i64 * 8 / unit.bits());
            let place = |at: i64| {
                let at = i128::from(at);
                if at < 0 { (total + at).max(0) } else { at }
            };
            let held: Vec<u64> = (0..len as u64 * 8)
                .filter(|bit| {
                    let at = i128::from(*bit as i64 / unit.bits());
                    place(start) <= at && at <= place(end)
                })
                .collect();
            let range = Range { start, end: Some(end), unit };
            let expected = held.first().copied().zip(held.last().copied());
            prop_assert_eq!(range.within(len), expected);
        }
    }
}
