//! Commands written as a format: what its conversions are, and the words that come out. Taking the
//! arguments off C's list is the header's, since only C can.
//!
//! A format is split into words at its spaces, before anything is filled in, so that an argument is
//! never split. Conversions are those of `keyslot_session_command` in `format.h`.

use crate::boundary::{Outcome, Refusal, bytes};
use keyslot::resp::number::DoubleText;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};

/// The most conversions in one format.
pub const KEYSLOT_ARGUMENTS_MAX: usize = 64;

/// What C type a conversion takes off the argument list.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// There is no further conversion, or the next one is not known.
    End = 0,
    /// `%s`: `const char *`, ended by a NUL.
    Text = 1,
    /// `%b`: `const void *` and `size_t`.
    Bytes = 2,
    /// `%d`, `%i`: `int`.
    Int = 3,
    /// `%ld`: `long`.
    Long = 4,
    /// `%lld`, `%jd`: `long long`.
    LongLong = 5,
    /// `%td`, `%zd`: `ptrdiff_t`.
    Ptrdiff = 6,
    /// `%u`: `unsigned int`.
    Unsigned = 7,
    /// `%lu`: `unsigned long`.
    UnsignedLong = 8,
    /// `%llu`, `%ju`: `unsigned long long`.
    UnsignedLongLong = 9,
    /// `%zu`, `%tu`: `size_t`.
    Size = 10,
    /// `%f`, `%g`: `double`.
    Double = 11,
}

/// One argument of a format, taken off C's list.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Of a text or bytes.
    pub data: *const c_void,
    /// Of bytes, their length.
    pub len: usize,
    /// Of an integer; an unsigned one is converted.
    pub integer: i64,
    /// Of a double.
    pub number: f64,
}

/// One conversion of a format.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Conversion {
    kind: ArgumentKind,
    /// Digits after the point, for `%f`. None for `%g`: as many as are needed.
    precision: Option<usize>,
}

/// A part of a format.
#[derive(Debug, PartialEq)]
enum Piece<'f> {
    Space,
    Literal(&'f [u8]),
    Conversion(Conversion),
    Unknown,
}

/// The part at the front of a format, and what follows it; none at the end.
fn next_piece(format: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    match format {
        [] => None,
        [b' ', rest @ ..] => Some((Piece::Space, rest)),
        [b'%', b'%', rest @ ..] => Some((Piece::Literal(b"%"), rest)),
        [b'%', rest @ ..] => Some(match conversion(rest) {
            Some((conversion, rest)) => (Piece::Conversion(conversion), rest),
            None => (Piece::Unknown, rest),
        }),
        _ => {
            let end = format.iter().position(|byte| matches!(byte, b' ' | b'%'));
            let (literal, rest) = format.split_at(end.unwrap_or(format.len()));
            Some((Piece::Literal(literal), rest))
        }
    }
}

/// The conversion that follows a percent sign, and what follows it.
fn conversion(format: &[u8]) -> Option<(Conversion, &[u8])> {
    use ArgumentKind::*;
    let plain = |kind, rest| Some((Conversion { kind, precision: None }, rest));
    match format {
        [b's', rest @ ..] => plain(Text, rest),
        [b'b', rest @ ..] => plain(Bytes, rest),
        [b'g', rest @ ..] => plain(Double, rest),
        [b'h', b'h', b'd' | b'i', rest @ ..] => plain(Int, rest),
        [b'h', b'd' | b'i', rest @ ..] => plain(Int, rest),
        [b'd' | b'i', rest @ ..] => plain(Int, rest),
        [b'l', b'l', b'd' | b'i', rest @ ..] => plain(LongLong, rest),
        [b'j', b'd' | b'i', rest @ ..] => plain(LongLong, rest),
        [b'l', b'd' | b'i', rest @ ..] => plain(Long, rest),
        [b'z' | b't', b'd' | b'i', rest @ ..] => plain(Ptrdiff, rest),
        [b'h', b'h', b'u', rest @ ..] => plain(Unsigned, rest),
        [b'h', b'u', rest @ ..] => plain(Unsigned, rest),
        [b'u', rest @ ..] => plain(Unsigned, rest),
        [b'l', b'l', b'u', rest @ ..] => plain(UnsignedLongLong, rest),
        [b'j', b'u', rest @ ..] => plain(UnsignedLongLong, rest),
        [b'l', b'u', rest @ ..] => plain(UnsignedLong, rest),
        [b'z' | b't', b'u', rest @ ..] => plain(Size, rest),
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let precision = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            fixed(precision, &rest[digits..])
        }
        _ => fixed(6, format),
    }
}

/// `f` or `lf`, with this many digits after the point. More than C programs ever ask for would
/// only take memory.
fn fixed(precision: usize, format: &[u8]) -> Option<(Conversion, &[u8])> {
    let rest = match format {
        [b'f', rest @ ..] | [b'l', b'f', rest @ ..] if precision <= 64 => rest,
        _ => return None,
    };
    Some((Conversion { kind: ArgumentKind::Double, precision: Some(precision) }, rest))
}

/// Moves `format` behind its next conversion and returns what that takes off the argument list.
/// Programs call `keyslot_session_command`, which calls this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_format_next(format: *mut *const c_char) -> ArgumentKind {
    // SAFETY: null, or a place that holds a text or null.
    let text = unsafe { format.as_ref() }.filter(|text| !text.is_null());
    let Some(text) = text else { return ArgumentKind::End };
    // SAFETY: the text ends at its NUL.
    let text = unsafe { CStr::from_ptr(*text) }.to_bytes();
    let mut rest = text;
    let mut kind = ArgumentKind::End;
    while let Some((piece, after)) = next_piece(rest) {
        rest = after;
        match piece {
            Piece::Space | Piece::Literal(_) => {}
            Piece::Conversion(conversion) => {
                kind = conversion.kind;
                break;
            }
            Piece::Unknown => break,
        }
    }
    // SAFETY: as above; what is left of the text is a part of it, or its NUL.
    unsafe { format.write(rest.as_ptr().cast()) };
    kind
}

/// The words of a format.
///
/// # Safety
/// `arguments` were collected for this format, so that their pointers are what its conversions
/// say; what they lead to stays for `'a`.
pub(crate) unsafe fn format_words<'a>(
    format: &'a [u8],
    arguments: &'a [Argument],
) -> Outcome<Vec<Cow<'a, [u8]>>> {
    let mut arguments = arguments.iter();
    let mut words = Vec::new();
    let mut word: Option<Cow<'a, [u8]>> = None;
    let mut rest = format;
    while let Some((piece, after)) = next_piece(rest) {
        let part = match piece {
            Piece::Space => {
                words.extend(word.take());
                rest = after;
                continue;
            }
            Piece::Literal(literal) => Cow::Borrowed(literal),
            Piece::Conversion(conversion) => {
                let argument = arguments.next().ok_or_else(too_many)?;
                // SAFETY: arguments and conversions come in the same order.
                unsafe { conversion.apply(argument) }?
            }
            Piece::Unknown => return Err(unknown(format.len() - rest.len())),
        };
        word = Some(match word {
            None => part,
            Some(word) => Cow::Owned([&*word, &*part].concat()),
        });
        rest = after;
    }
    words.extend(word);
    if words.is_empty() {
        return Err(Refusal::argument("the format holds no word"));
    }
    Ok(words)
}

fn too_many() -> Refusal {
    let max = KEYSLOT_ARGUMENTS_MAX;
    Refusal::argument(format!("the format has more than {max} conversions"))
}

fn unknown(at: usize) -> Refusal {
    Refusal::argument(format!("the format has an unknown conversion at byte {at}"))
}

impl Conversion {
    /// The text of an argument.
    ///
    /// # Safety
    /// The argument is of this conversion's kind; what it leads to stays for `'a`.
    unsafe fn apply<'a>(&self, argument: &'a Argument) -> Outcome<Cow<'a, [u8]>> {
        use ArgumentKind::*;
        let text = match self.kind {
            End => return Err(too_many()),
            Text => {
                if argument.data.is_null() {
                    return Err(Refusal::argument("the argument of a %s is null"));
                }
                // SAFETY: not null; ended by a NUL by the promise above.
                return Ok(Cow::Borrowed(
                    unsafe { CStr::from_ptr(argument.data.cast()) }.to_bytes(),
                ));
            }
            Bytes => {
                // SAFETY: by the promise above.
                let found = unsafe { bytes(argument.data, argument.len, "the argument of a %b") }?;
                return Ok(Cow::Borrowed(found));
            }
            Int | Long | LongLong | Ptrdiff => argument.integer.to_string(),
            Unsigned | UnsignedLong | UnsignedLongLong | Size => {
                (argument.integer as u64).to_string()
            }
            Double => return Ok(Cow::Owned(self.double(argument.number))),
        };
        Ok(Cow::Owned(text.into_bytes()))
    }

    fn double(&self, value: f64) -> Vec<u8> {
        match self.precision {
            Some(precision) if value.is_finite() => format!("{value:.precision$}").into_bytes(),
            _ => DoubleText::new(value).as_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Argument = Argument { data: std::ptr::null(), len: 0, integer: 0, number: 0.0 };

    fn text(text: &'static CStr) -> Argument {
        Argument { data: text.as_ptr().cast(), ..NOTHING }
    }

    fn blob(bytes: &'static [u8]) -> Argument {
        Argument { data: bytes.as_ptr().cast(), len: bytes.len(), ..NOTHING }
    }

    fn integer(integer: i64) -> Argument {
        Argument { integer, ..NOTHING }
    }

    fn number(number: f64) -> Argument {
        Argument { number, ..NOTHING }
    }

    fn words(format: &str, arguments: &[Argument]) -> String {
        // SAFETY: the tests give the arguments that their formats ask for.
        match unsafe { format_words(format.as_bytes(), arguments) } {
            Ok(words) => words.iter().map(|word| format!("[{}]", word.escape_ascii())).collect(),
            Err(refusal) => String::from_utf8(refusal.text.into_owned()).unwrap(),
        }
    }

    fn kinds(format: &CStr) -> Vec<ArgumentKind> {
        let mut at = format.as_ptr();
        // SAFETY: the format ends at its NUL.
        let next = || Some(unsafe { keyslot_format_next(&mut at) });
        std::iter::from_fn(next).take_while(|kind| *kind != ArgumentKind::End).collect()
    }

    #[test]
    fn words_are_split_before_arguments_are_filled_in() {
        assert_eq!(words("  SET  k v ", &[]), "[SET][k][v]");
        assert_eq!(words("SET %s %b", &[text(c"a b"), blob(b"\0 x")]), "[SET][a b][\\x00 x]");
        assert_eq!(
            words("SET u:%s:%d %s", &[text(c"x"), integer(-5), text(c"")]),
            "[SET][u:x:-5][]"
        );
        assert_eq!(words("ECHO 100%%", &[]), "[ECHO][100%]");
    }

    #[test]
    fn numbers_are_written_as_c_would() {
        assert_eq!(
            words("%u %lld", &[integer(-1), integer(i64::MIN)]),
            "[18446744073709551615][-9223372036854775808]"
        );
        assert_eq!(
            words("%f %.2f %.0f", &[number(0.1), number(-2.345), number(7.0)]),
            "[0.100000][-2.35][7]"
        );
        assert_eq!(words("%g %f", &[number(0.1), number(f64::NEG_INFINITY)]), "[0.1][-inf]");
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        assert_eq!(words("", &[]), "the format holds no word");
        assert_eq!(words("GET %y", &[]), "the format has an unknown conversion at byte 4");
        assert_eq!(words("GET %", &[]), "the format has an unknown conversion at byte 4");
        assert_eq!(words("GET %.f", &[]), "the format has an unknown conversion at byte 4");
        assert_eq!(words("GET %s", &[]), "the format has more than 64 conversions");
        assert_eq!(words("GET %s", &[NOTHING]), "the argument of a %s is null");
        assert_eq!(words("GET %b", &[NOTHING]), "[GET][]");
    }

    #[test]
    fn each_conversion_takes_its_type() {
        use ArgumentKind::*;
        assert_eq!(kinds(c"SET %s%b %d%hi%hhd"), [Text, Bytes, Int, Int, Int]);
        assert_eq!(
            kinds(c"%ld%li%lld%jd%zd%td"),
            [Long, Long, LongLong, LongLong, Ptrdiff, Ptrdiff]
        );
        assert_eq!(
            kinds(c"%u%hhu%lu%llu%ju%zu%tu"),
            [Unsigned, Unsigned, UnsignedLong, UnsignedLongLong, UnsignedLongLong, Size, Size,]
        );
        assert_eq!(kinds(c"%f%lf%.17f%g"), [Double; 4]);
        // Nothing is taken behind a conversion that is not known.
        assert_eq!(kinds(c"%d %% %y %d"), [Int]);
    }
}
