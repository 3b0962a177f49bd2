//! Integers of 1 to 64 bits anywhere in a string: BITFIELD and BITFIELD_RO.

use super::{BAD_OFFSET, change_string, check_offset, parse_offset};
use crate::command::call::Call;
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::key_use;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::value::string;

/// The type of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    signed: bool,
    /// At most 64, or 63 if it is unsigned.
    bits: u32,
}

impl Form {
    fn parse(word: &[u8]) -> Result<Self, Error> {
        const BAD_TYPE: Error = Error::err(
            "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
             i64 is.",
        );
        let (signed, bits_max) = match word.first() {
            Some(b'i') => (true, 64),
            Some(b'u') => (false, 63),
            Some(_) | None => return Err(BAD_TYPE),
        };
        match parse_i64(&word[1..]) {
            Some(bits) if (1..=bits_max).contains(&bits) => Ok(Self { signed, bits: bits as u32 }),
            Some(_) | None => Err(BAD_TYPE),
        }
    }

    /// The integer whose lowest bits these are.
    fn cut(self, bits: u64) -> i64 {
        let above = 64 - self.bits;
        if self.signed { (bits << above) as i64 >> above } else { (bits << above >> above) as i64 }
    }

    fn max(self) -> i64 {
        let sign = u32::from(self.signed);
        (u64::MAX >> (64 - self.bits) >> sign) as i64
    }

    fn min(self) -> i64 {
        if self.signed { -self.max() - 1 } else { 0 }
    }
}

/// What happens to an integer that its type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    /// The high bits are lost.
    Wrap,
    /// The greatest or the least is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Overflow {
    fn parse(word: &[u8]) -> Result<Self, Error> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        if is(b"wrap") {
            Ok(Self::Wrap)
        } else if is(b"sat") {
            Ok(Self::Saturate)
        } else if is(b"fail") {
            Ok(Self::Fail)
        } else {
            Err(Error::err("Invalid OVERFLOW type specified"))
        }
    }

    /// The sum as the type holds it. None if nothing is to be written.
    fn add(self, form: Form, value: i64, increment: i64) -> Option<i64> {
        let limit = match exceeded(form, value, increment) {
            None => return Some(value.wrapping_add(increment)),
            Some(limit) => limit,
        };
        match self {
            Self::Wrap => Some(form.cut(value.wrapping_add(increment) as u64)),
            Self::Saturate => Some(limit),
            Self::Fail => None,
        }
    }
}

/// The end of the type's range that a sum goes beyond; none if it is within.
///
/// A value to be SET is an increment of zero. For an unsigned type it is taken as unsigned, so that
/// a negative one is beyond the greatest. For a signed type of fewer than 64 bits, one that is
/// 2^63 or more below the greatest counts as beyond the greatest too: Redis's difference wraps.
fn exceeded(form: Form, value: i64, increment: i64) -> Option<i64> {
    let (min, max) = (form.min(), form.max());
    let (above, below) = (max.wrapping_sub(value), min.wrapping_sub(value));
    let (too_high, too_low) = if !form.signed {
        let too_high = value < 0 || value > max || (increment > 0 && increment > above);
        (too_high, increment < 0 && increment < below)
    } else if form.bits < 64 {
        (value > max || increment > above, value < min || increment < below)
    } else {
        let too_high = value >= 0 && increment > 0 && increment > above;
        (too_high, value < 0 && increment < 0 && increment < below)
    };
    if too_high { Some(max) } else { too_low.then_some(min) }
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// One operation on one field.
#[derive(Clone, Copy, Debug)]
struct Step {
    form: Form,
    /// The field's first bit.
    offset: u64,
    action: Action,
}

impl Step {
    /// The bytes that hold the field.
    fn end_byte(self) -> usize {
        ((self.offset + u64::from(self.form.bits) - 1) / 8) as usize + 1
    }

    /// The field, read from bytes that go on with zeros.
    fn read(self, bytes: &[u8]) -> i64 {
        let start = (self.offset / 8) as usize;
        let window = bytes.get(start..self.end_byte().min(bytes.len())).unwrap_or_default();
        // Nine bytes hold 64 bits that begin anywhere in a byte.
        let mut wide = [0; 16];
        wide[..window.len()].copy_from_slice(window);
        let from_top = u128::from_be_bytes(wide) << (self.offset % 8);
        self.form.cut((from_top >> 64 >> (64 - self.form.bits)) as u64)
    }

    /// Writes the field over bytes that hold it.
    fn write(self, bytes: &mut [u8], value: i64) {
        let window = &mut bytes[(self.offset / 8) as usize..self.end_byte()];
        let mut wide = [0; 16];
        wide[..window.len()].copy_from_slice(window);
        let shift = 128 - self.form.bits - (self.offset % 8) as u32;
        let mask = u128::from(u64::MAX >> (64 - self.form.bits)) << shift;
        let all = u128::from_be_bytes(wide) & !mask | (value as u128) << shift & mask;
        window.copy_from_slice(&all.to_be_bytes()[..window.len()]);
    }

    /// Writes the field as the step says. Returns the reply, which is none where the step failed,
    /// and whether the field is another than before.
    fn apply(self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let before = self.read(bytes);
        let (after, returns_before) = match self.action {
            Action::Get => return (Some(before), false),
            Action::Set(value, overflow) => (overflow.add(self.form, value, 0), true),
            Action::Increment(by, overflow) => (overflow.add(self.form, before, by), false),
        };
        let Some(after) = after else { return (None, false) };
        self.write(bytes, after);
        (Some(if returns_before { before } else { after }), before != after)
    }
}

/// Reads the operations of a request.
fn parse(call: &Call<'_, '_>, mut words: &[&[u8]]) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    while let [name, rest @ ..] = words {
        let is = |token: &[u8]| name.eq_ignore_ascii_case(token);
        words = match *rest {
            [form, offset, ref after @ ..] if is(b"get") => {
                steps.push(parse_step(call, form, offset, Action::Get)?);
                after
            }
            [form, offset, value, ref after @ ..] if is(b"set") || is(b"incrby") => {
                let mut step = parse_step(call, form, offset, Action::Get)?;
                let value = parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                step.action = if is(b"set") {
                    Action::Set(value, overflow)
                } else {
                    Action::Increment(value, overflow)
                };
                steps.push(step);
                after
            }
            [kind, ref after @ ..] if is(b"overflow") => {
                overflow = Overflow::parse(kind)?;
                after
            }
            _ => return Err(Error::SYNTAX),
        };
    }
    Ok(steps)
}

/// Reads a type and an offset. `#` before the offset counts in fields of the type.
fn parse_step(
    call: &Call<'_, '_>,
    form: &[u8],
    offset: &[u8],
    action: Action,
) -> Result<Step, Error> {
    let form = Form::parse(form)?;
    let offset = match offset.strip_prefix(b"#") {
        None => parse_offset(call, offset)?,
        Some(number) => {
            let number = parse_i64(number).ok_or(BAD_OFFSET)?;
            check_offset(call, number.checked_mul(form.bits.into()).ok_or(BAD_OFFSET)?)?
        }
    };
    Ok(Step { form, offset, action })
}

/// The key of BITFIELD, which is only read if all its operations are.
pub(super) fn keys_of_bitfield(words: &[&[u8]]) -> Option<KeyPlaces> {
    let mut rest = words.get(2..)?;
    let mut only_reads = true;
    while let [name, after @ ..] = rest {
        let is = |token: &[u8]| name.eq_ignore_ascii_case(token);
        rest = match after {
            [_, _, after @ ..] if is(b"get") => after,
            [_, after @ ..] if is(b"overflow") => after,
            _ => {
                only_reads = false;
                break;
            }
        };
    }
    let uses = if only_reads {
        key_use::RO | key_use::ACCESS
    } else {
        key_use::RW | key_use::ACCESS | key_use::UPDATE
    };
    Some(KeyPlaces::from_iter([KeyPlace { place: 1, uses }]))
}

pub(super) fn bitfield(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let steps = parse(call, &call.words[2..])?;
    let written = steps.iter().filter(|step| step.action != Action::Get);
    let Some(len) = written.map(|step| step.end_byte()).max() else {
        return read(call, &steps);
    };
    change_string(call, len, |bytes, out| {
        out.array(steps.len());
        let mut changed = false;
        for step in &steps {
            let (value, changes) = step.apply(bytes);
            reply(out, value);
            changed |= changes;
        }
        changed
    })
}

pub(super) fn bitfield_ro(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let steps = parse(call, &call.words[2..])?;
    if steps.iter().any(|step| step.action != Action::Get) {
        return Err(Error::err("BITFIELD_RO only supports the GET subcommand"));
    }
    read(call, &steps)
}

/// Answers operations that only read.
fn read(call: &mut Call<'_, '_>, steps: &[Step]) -> Result<(), Error> {
    let record = call.keys.read(&call.located[0]);
    let text = record.map(string::read).transpose()?;
    let bytes = text.as_deref().unwrap_or_default();
    call.out.array(steps.len());
    for step in steps {
        reply(call.out, Some(step.read(bytes)));
    }
    Ok(())
}

fn reply(out: &mut dyn ReplySink, value: Option<i64>) {
    match value {
        Some(value) => out.integer(value),
        None => out.null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_form() -> impl Strategy<Value = Form> {
        (any::<bool>(), 1u32..=64).prop_map(|(signed, bits)| {
            let bits = if signed { bits } else { bits.min(63) };
            Form { signed, bits }
        })
    }

    #[test]
    fn types_have_the_ranges_of_their_bits() {
        for (name, min, max) in [
            ("i1", -1, 0),
            ("u1", 0, 1),
            ("i8", -128, 127),
            ("u63", 0, i64::MAX),
            ("i64", i64::MIN, i64::MAX),
        ] {
            let form = Form::parse(name.as_bytes()).unwrap();
            assert_eq!((form.min(), form.max()), (min, max), "{name}");
        }
        for name in ["", "i", "u64", "i65", "u0", "I8", "u-1", "8", "u8x", "u08"] {
            assert!(Form::parse(name.as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_value_to_be_set_is_held_against_its_type() {
        let unsigned = Form { signed: false, bits: 8 };
        for (value, saturated, wrapped) in [(255, 255, 255), (300, 255, 44), (-1, 255, 255)] {
            assert_eq!(Overflow::Saturate.add(unsigned, value, 0), Some(saturated));
            assert_eq!(Overflow::Wrap.add(unsigned, value, 0), Some(wrapped));
        }
        assert_eq!(Overflow::Fail.add(unsigned, 256, 0), None);
    }

    #[test]
    fn a_value_far_below_a_small_signed_type_saturates_upwards_as_in_redis() {
        let form = Form { signed: true, bits: 8 };
        assert_eq!(Overflow::Saturate.add(form, i64::MIN, 0), Some(127));
        assert_eq!(Overflow::Saturate.add(form, -129, 0), Some(-128));
        assert_eq!(Overflow::Fail.add(form, i64::MIN, 0), None);
    }

    proptest! {
        #[test]
        fn a_field_is_where_its_bits_are(
            form in any_form(),
            offset in 0u64..40,
            mut bytes in prop::collection::vec(any::<u8>(), 0..16),
            value: i64,
        ) {
            let step = Step { form, offset, action: Action::Get };
            let bit = |bytes: &[u8], at: u64| {
                bytes.get(at as usize / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1)
            };
            let span = offset..offset + u64::from(form.bits);
            let bits = span.clone().fold(0u64, |all, at| all << 1 | u64::from(bit(&bytes, at)));
            prop_assert_eq!(step.read(&bytes), form.cut(bits));
            bytes.resize(bytes.len().max(step.end_byte()), 0);
            let before = bytes.clone();
            step.write(&mut bytes, value);
            prop_assert_eq!(step.read(&bytes), form.cut(value as u64));
            for at in (0..bytes.len() as u64 * 8).filter(|at| !span.contains(at)) {
                prop_assert_eq!(bit(&bytes, at), bit(&before, at));
            }
        }

        #[test]
        fn sums_agree_with_wide_arithmetic(form in any_form(), bits: u64, increment: i64) {
            let value = form.cut(bits);
            let sum = i128::from(value) + i128::from(increment);
            let range = i128::from(form.min())..=i128::from(form.max());
            let nearest = sum.clamp(*range.start(), *range.end()) as i64;
            prop_assert_eq!(Overflow::Saturate.add(form, value, increment), Some(nearest));
            prop_assert_eq!(Overflow::Wrap.add(form, value, increment), Some(form.cut(sum as u64)));
            let fits = range.contains(&sum).then_some(nearest);
            prop_assert_eq!(Overflow::Fail.add(form, value, increment), fits);
        }
    }
}
