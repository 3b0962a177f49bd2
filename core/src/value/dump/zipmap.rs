//! Reads a hash as Redis before 2.6 wrote a small one (zipmap.c).
//!
//! ```text
//! | count | len | field | len | free | value | free bytes | len | field | ... | 255 |
//! | u8    |                    | u8   |
//! ```
//! A length below 254 is a byte; 254 stands before one of four bytes, little endian. A count of 254
//! means that and more. Behind a value lie as many unused bytes as `free` says.

use crate::structs::listpack::Element;
use crate::value::element;

/// A byte in place of a length: one of four bytes follows.
const LONG_LEN: u8 = 254;
/// A count that says nothing.
const COUNT_MANY: u8 = 254;
const END: u8 = 255;

/// Fields and values, by turns. None if the bytes are not exactly a map, or an empty one. Whether a
/// field is there twice is for the caller to find out.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let (&count, mut rest) = bytes.split_first()?;
    let mut elements = Vec::new();
    while rest.first() != Some(&END) {
        let field_len = take_len(&mut rest)?;
        elements.push(element(take(&mut rest, field_len)?));
        let value_len = take_len(&mut rest)?;
        let free = *rest.split_off_first()?;
        elements.push(element(take(&mut rest, value_len)?));
        take(&mut rest, free.into())?;
    }
    let pairs = elements.len() / 2;
    let counted = count == COUNT_MANY || usize::from(count) == pairs;
    (rest.len() == 1 && counted && pairs > 0).then_some(elements)
}

fn take_len(rest: &mut &[u8]) -> Option<usize> {
    match *rest.split_off_first()? {
        END => None,
        LONG_LEN => {
            let (len, after) = rest.split_first_chunk()?;
            *rest = after;
            Some(u32::from_le_bytes(*len) as usize)
        }
        len => Some(len.into()),
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    rest.split_off(..len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A map as the format has it, with so many unused bytes behind each value.
    fn map(pairs: &[(Vec<u8>, Vec<u8>)], free: u8) -> Vec<u8> {
        let mut bytes = vec![pairs.len().min(254) as u8];
        let write_len = |text: &[u8], bytes: &mut Vec<u8>| match text.len() {
            len @ 0..254 => bytes.push(len as u8),
            len => {
                bytes.push(LONG_LEN);
                bytes.extend((len as u32).to_le_bytes());
            }
        };
        for (field, value) in pairs {
            write_len(field, &mut bytes);
            bytes.extend(field);
            write_len(value, &mut bytes);
            bytes.push(free);
            bytes.extend(value);
            bytes.extend(vec![b'.'; free.into()]);
        }
        bytes.push(END);
        bytes
    }

    #[test]
    fn the_map_of_the_formats_description_is_read() {
        let bytes = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff";
        let expected = [&b"foo"[..], b"bar", b"hello", b"world"].map(Element::Bytes);
        assert_eq!(elements(bytes).as_deref(), Some(&expected[..]));
        assert_eq!(
            elements(b"\x01\x02-7\x01\x00x\xff").as_deref(),
            Some(&[Element::Int(-7), Element::Bytes(b"x")][..])
        );
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for bytes in [
            &b""[..],
            b"\xff",
            b"\x00\xff",                             // no pair
            b"\x01\x01a\x01\x00b",                   // no end
            b"\x01\x01a\x01\x00b\xff\xff",           // something behind it
            b"\x02\x01a\x01\x00b\xff",               // fewer than counted
            b"\x01\x01a\xff",                        // a field without a value
            b"\x01\x01a\x01\x05b\xff",               // more unused bytes than there are
            b"\x01\x05a\x01\x00b\xff",               // a field beyond the end
            b"\x01\xfe\xff\xff\xff\xffa\x01\0b\xff", // a length beyond all memory
            b"\x01\xfe\x01\0a\xff",                  // a length cut short
        ] {
            assert_eq!(elements(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn maps_are_read_and_changed_ones_do_no_harm(
            pairs in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 0..9)),
                1..300,
            ),
            free in 0u8..4,
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut bytes = map(&pairs, free);
            let flat = pairs.iter().flat_map(|(field, value)| [element(field), element(value)]);
            prop_assert_eq!(elements(&bytes), Some(flat.collect()));
            let at = at.index(bytes.len());
            prop_assert_eq!(elements(&bytes[..at]), None);
            bytes[at] = byte;
            let _ = elements(&bytes);
        }
    }
}
