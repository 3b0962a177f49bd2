//! Reads elements as Redis before 7.0 wrote small collections (ziplist.c).
//!
//! ```text
//! | size | last element's place | count | element | element | ... | 255 |
//! | u32  | u32                  | u16   |                               all little endian
//!
//! element:  | length of the element before | kind | text or number |
//!
//! length before   below 254 in a byte; else a byte 254 and four bytes, little endian
//! kind            what follows
//! 00xxxxxx        a text of 6 bits of length
//! 01xxxxxx +1     a text of 14 bits of length, big endian
//! 10xxxxxx +4     a text of 32 bits of length, big endian
//! 11000000 +2, 11110000 +3, 11010000 +4, 11100000 +8, 11111110 +1   a number of so many bytes
//! 1111xxxx        a number of 0 to 12, one more than which is in the low bits
//! ```
//! A count of 65,535 means that and more.

use crate::structs::listpack::Element;
use crate::value::element;

const HEAD_LEN: usize = 10;
const COUNT_MANY: u16 = u16::MAX;
const LONG_LEN: u8 = 254;
const END: u8 = 255;

/// The elements in order. None if the bytes are not exactly a ziplist: every length, in either
/// direction, and the place of the last element are checked.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (last_at, rest) = rest.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    let (&end, _) = bytes.split_last()?;
    let entries = bytes.get(..bytes.len() - 1)?;
    if u32::from_le_bytes(*size) as usize != bytes.len() || end != END || entries.len() < HEAD_LEN {
        return None;
    }
    let mut elements = Vec::new();
    let (mut at, mut previous_at) = (HEAD_LEN, HEAD_LEN);
    while at < entries.len() {
        let mut rest = &entries[at..];
        if take_previous_len(&mut rest)? != at - previous_at {
            return None;
        }
        elements.push(take_element(&mut rest)?);
        previous_at = at;
        at = entries.len() - rest.len();
    }
    let count = u16::from_le_bytes(*count);
    let counted = count == COUNT_MANY || usize::from(count) == elements.len();
    let ends = elements.is_empty() || u32::from_le_bytes(*last_at) as usize == previous_at;
    (counted && ends).then_some(elements)
}

fn take_previous_len(rest: &mut &[u8]) -> Option<usize> {
    match *rest.split_off_first()? {
        END => None,
        LONG_LEN => Some(u32::from_le_bytes(take_array(rest)?) as usize),
        len => Some(len.into()),
    }
}

fn take_element<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let kind = *rest.split_off_first()?;
    let low = kind & 0x3f;
    let text_len = match kind {
        0x00..0x40 => usize::from(low),
        0x40..0x80 => usize::from(low) << 8 | usize::from(*rest.split_off_first()?),
        0x80..0xc0 => u32::from_be_bytes(take_array(rest)?) as usize,
        0xc0.. => return take_number(kind, rest).map(Element::Int),
    };
    Some(element(rest.split_off(..text_len)?))
}

fn take_number(kind: u8, rest: &mut &[u8]) -> Option<i64> {
    Some(match kind {
        0xc0 => i16::from_le_bytes(take_array(rest)?).into(),
        0xd0 => i32::from_le_bytes(take_array(rest)?).into(),
        0xe0 => i64::from_le_bytes(take_array(rest)?),
        0xf0 => {
            let [low, middle, high] = take_array(rest)?;
            (i32::from_le_bytes([0, low, middle, high]) >> 8).into()
        }
        0xf1..=0xfd => i64::from(kind & 0x0f) - 1,
        0xfe => i8::from_le_bytes(take_array(rest)?).into(),
        _ => return None,
    })
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (array, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Elements put together as the format has them. Every second length before takes five bytes
    /// if `wide`, as Redis leaves them where an element became shorter.
    fn ziplist(elements: &[Element<'_>], wide: bool) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_LEN];
        let mut last_at = HEAD_LEN;
        let mut previous_len = 0;
        for (number, element) in elements.iter().enumerate() {
            let at = bytes.len();
            if previous_len < 254 && !(wide && number % 2 == 1) {
                bytes.push(previous_len as u8);
            } else {
                bytes.push(LONG_LEN);
                bytes.extend((previous_len as u32).to_le_bytes());
            }
            write(*element, &mut bytes);
            (last_at, previous_len) = (at, bytes.len() - at);
        }
        bytes.push(END);
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        bytes[4..8].copy_from_slice(&(last_at as u32).to_le_bytes());
        bytes[8..10].copy_from_slice(&(elements.len() as u16).to_le_bytes());
        bytes
    }

    fn write(element: Element<'_>, bytes: &mut Vec<u8>) {
        match element {
            Element::Bytes(text) => {
                match text.len() as u32 {
                    len @ 0..64 => bytes.push(len as u8),
                    len @ 64..16_384 => bytes.extend([0x40 | (len >> 8) as u8, len as u8]),
                    len => {
                        bytes.push(0x80);
                        bytes.extend(len.to_be_bytes());
                    }
                }
                bytes.extend(text);
            }
            Element::Int(value) => {
                let (kind, len) = match value {
                    0..=12 => (0xf1 + value as u8, 0),
                    -0x80..0x80 => (0xfe, 1),
                    -0x8000..0x8000 => (0xc0, 2),
                    -0x80_0000..0x80_0000 => (0xf0, 3),
                    -0x8000_0000..0x8000_0000 => (0xd0, 4),
                    _ => (0xe0, 8),
                };
                bytes.push(kind);
                bytes.extend(&value.to_le_bytes()[..len]);
            }
        }
    }

    #[test]
    fn a_ziplist_written_out_by_hand_is_read() {
        // The one that Redis's own description takes apart: "2" and "5".
        let bytes = b"\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf3\x02\xf6\xff";
        assert_eq!(elements(bytes).as_deref(), Some(&[Element::Int(2), Element::Int(5)][..]));
        let bytes = b"\x18\0\0\0\x0c\0\0\0\x02\0\0\xf1\x02\x0bHello World\xff";
        let mut bytes = bytes.to_vec();
        bytes[0] = bytes.len() as u8;
        let expected = [Element::Int(0), Element::Bytes(b"Hello World")];
        assert_eq!(elements(&bytes).as_deref(), Some(&expected[..]));
        assert_eq!(elements(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff").as_deref(), Some(&[][..]));
    }

    #[test]
    fn a_text_that_is_a_number_becomes_one() {
        let bytes = ziplist(&[Element::Bytes(b"-12"), Element::Bytes(b"012")], false);
        let expected = [Element::Int(-12), Element::Bytes(b"012")];
        assert_eq!(elements(&bytes).as_deref(), Some(&expected[..]));
    }

    #[test]
    fn wrong_heads_lengths_and_kinds_are_refused() {
        let good = ziplist(&[Element::Int(1), Element::Bytes(b"ab"), Element::Int(-300)], false);
        assert_eq!(good.len(), 21);
        assert!(elements(&good).is_some());
        for (at, byte, why) in [
            (0, 20, "the size"),
            (3, 1, "the size"),
            (4, 12, "the last element's place"),
            (7, 1, "the last element's place"),
            (8, 2, "the count"),
            (10, 1, "a length before the first"),
            (12, 3, "a length before"),
            (12, 254, "a length before that is cut short"),
            (12, 255, "an end within"),
            (13, 9, "a text beyond the end"),
            (13, 0x80, "a length cut short"),
            (17, 0xff, "no kind"),
            (17, 0xe0, "a number cut short"),
            (17, 0xc1, "no kind"),
            (20, 0, "no end"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(elements(&bytes), None, "{why}");
        }
        assert_eq!(elements(b""), None);
        assert_eq!(elements(b"\x0a\0\0\0\x0a\0\0\0\0\xff"), None);
    }

    fn any_element() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            (0usize..20_000).prop_map(|len| vec![b'x'; len]),
            (any::<i64>(), 0u32..64)
                .prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn ziplists_are_read_and_changed_ones_do_no_harm(
            texts in prop::collection::vec(any_element(), 0..20),
            wide: bool,
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let expected: Vec<_> = texts.iter().map(|text| element(text)).collect();
            let mut bytes = ziplist(&expected, wide);
            prop_assert_eq!(elements(&bytes), Some(expected));
            let at = at.index(bytes.len());
            prop_assert_eq!(elements(&bytes[..at]), None);
            bytes[at] = byte;
            let _ = elements(&bytes);
        }
    }
}
