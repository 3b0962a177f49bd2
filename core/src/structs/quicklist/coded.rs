//! A chunk that is read and seldom written to: each element tells only how it differs from the one
//! before.
//!
//! ```text
//! bytes   | place of group 1, group 2, ... | group 0 | group 1 | ...      16 elements in a group
//!         | u16 each                       |
//!
//! element    what follows
//! sssslllll  l bytes, which are put behind the first s of the text before
//!            an s of 14 stands for 14 and a number that follows, an l of 15 for 15 and another
//! 1111llll   l bytes: by how much it is more than the integer before, zigzag
//! ```
//! Within a group the first text is put behind none, and the first integer after zero, so that a walk
//! may begin at any group. Numbers that follow are in groups of seven bits, the lowest first, of which
//! all but the last have the top bit.
//!
//! Costs: an element is found by a walk over less than a group. Neighbours that have much in common,
//! such as names with a number or times, take two to four bytes each; others take one byte less than
//! in a listpack.

use super::chunk::Packed;
use crate::structs::allocation::footprint;
use crate::structs::listpack::{self, Element};

const GROUP_LEN: usize = 16;
const PLACE_LEN: usize = 2;
/// In the upper half of an element's first byte: an integer.
const INTEGER: u8 = 15;
const SHARED_MANY: usize = 14;
const ADDED_MANY: usize = 15;

/// Elements that lean on each other.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    bytes: Box<[u8]>,
    count: u32,
    /// Bytes of the listpack that it was.
    listpack_len: u32,
}

impl Coded {
    /// The same elements as a listpack has. None if that takes not much less, or if a listpack of
    /// these elements would be another one.
    pub(super) fn of(packed: &Packed) -> Option<Self> {
        let (count, bytes) = (packed.count(), packed.listpack().bytes());
        let groups = count.div_ceil(GROUP_LEN);
        let mut out = vec![0; PLACE_LEN * groups.saturating_sub(1)];
        let mut listpack_len = listpack::EMPTY.len();
        let mut writer = Writer::default();
        for (number, element) in packed.listpack().iter().enumerate() {
            if number % GROUP_LEN == 0 {
                writer = Writer::default();
                let place = u16::try_from(out.len()).ok()?;
                if let Some(group) = (number / GROUP_LEN).checked_sub(1) {
                    out[PLACE_LEN * group..][..PLACE_LEN].copy_from_slice(&place.to_le_bytes());
                }
            }
            listpack_len += element.size();
            writer.write(element, &mut out);
        }
        let (taken, before) = (footprint(out.len()), footprint(bytes.len()));
        let is_worth_it = taken <= before - before / 8 && listpack_len == bytes.len();
        let (count, listpack_len) = (count as u32, listpack_len as u32);
        is_worth_it.then(|| Self { bytes: out.into(), count, listpack_len })
    }

    /// How many elements there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes of the listpack that it was.
    pub(super) fn listpack_len(&self) -> usize {
        self.listpack_len as usize
    }

    /// Bytes that it takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
        footprint(self.bytes.len())
    }

    /// The elements from a number on.
    pub(super) fn read_from(&self, number: usize) -> Reader<'_> {
        let group = number / GROUP_LEN;
        let at = match group.checked_sub(1) {
            None => PLACE_LEN * (self.count().div_ceil(GROUP_LEN) - 1),
            Some(before) => {
                let place = &self.bytes[PLACE_LEN * before..][..PLACE_LEN];
                usize::from(u16::from_le_bytes([place[0], place[1]]))
            }
        };
        let mut reader = Reader {
            bytes: &self.bytes,
            at,
            number: group * GROUP_LEN,
            count: self.count(),
            text: Vec::new(),
            integer: 0,
        };
        while reader.number < number && reader.next().is_some() {}
        reader
    }

    /// The bytes of the listpack that it was.
    pub(crate) fn to_listpack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.listpack_len());
        bytes.extend_from_slice(listpack::EMPTY);
        let mut reader = self.read_from(0);
        while let Some(element) = reader.next() {
            element.write(&mut bytes);
        }
        listpack::set_len(&mut bytes, self.count());
        bytes
    }
}

/// What the next element of a group leans on.
#[derive(Debug, Default)]
struct Writer<'a> {
    text: &'a [u8],
    integer: i64,
}

impl<'a> Writer<'a> {
    fn write(&mut self, element: Element<'a>, out: &mut Vec<u8>) {
        match element {
            Element::Int(integer) => {
                let more = zigzag(integer.wrapping_sub(self.integer));
                let len = 8 - more.leading_zeros() as usize / 8;
                out.push(INTEGER << 4 | len as u8);
                out.extend_from_slice(&more.to_le_bytes()[..len]);
                self.integer = integer;
            }
            Element::Bytes(text) => {
                let shared = shared_len(self.text, text);
                let added = text.len() - shared;
                let head = shared.min(SHARED_MANY) << 4 | added.min(ADDED_MANY);
                out.push(head as u8);
                if shared >= SHARED_MANY {
                    write_number(shared - SHARED_MANY, out);
                }
                if added >= ADDED_MANY {
                    write_number(added - ADDED_MANY, out);
                }
                out.extend_from_slice(&text[shared..]);
                self.text = text;
            }
        }
    }
}

fn shared_len(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn from_zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Elements one after another.
#[derive(Clone, Debug)]
pub(super) struct Reader<'c> {
    bytes: &'c [u8],
    at: usize,
    /// The next element's.
    number: usize,
    count: usize,
    /// What the next element leans on.
    text: Vec<u8>,
    integer: i64,
}

impl Reader<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.number == self.count
    }

    /// The next element, until that is asked for again.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Element<'_>> {
        if self.is_over() {
            return None;
        }
        if self.number.is_multiple_of(GROUP_LEN) {
            self.text.clear();
            self.integer = 0;
        }
        self.number += 1;
        let head = self.bytes[self.at];
        self.at += 1;
        let low = usize::from(head & 0x0f);
        if head >> 4 == INTEGER {
            let mut more = [0; 8];
            more[..low].copy_from_slice(&self.bytes[self.at..self.at + low]);
            self.at += low;
            self.integer = self.integer.wrapping_add(from_zigzag(u64::from_le_bytes(more)));
            return Some(Element::Int(self.integer));
        }
        let mut shared = usize::from(head >> 4);
        if shared == SHARED_MANY {
            shared += self.read_number();
        }
        let added = if low == ADDED_MANY { low + self.read_number() } else { low };
        self.text.truncate(shared);
        self.text.extend_from_slice(&self.bytes[self.at..self.at + added]);
        self.at += added;
        Some(Element::Bytes(&self.text))
    }

    fn read_number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Elements as their own, for the naive twin.
    #[derive(Clone, Debug, PartialEq)]
    enum Own {
        Text(Vec<u8>),
        Integer(i64),
    }

    impl Own {
        fn element(&self) -> Element<'_> {
            match self {
                Self::Text(text) => Element::Bytes(text),
                Self::Integer(integer) => Element::Int(*integer),
            }
        }
    }

    fn packed(elements: &[Own]) -> Packed {
        let mut bytes = listpack::EMPTY.to_vec();
        let elements: Vec<_> = elements.iter().map(Own::element).collect();
        listpack::push(&mut bytes, &elements);
        Packed::new(&bytes)
    }

    fn element() -> impl Strategy<Value = Own> {
        let text = prop_oneof![
            4 => "member:[0-9]{1,5}x".prop_map(String::into_bytes),
            2 => prop::collection::vec(any::<u8>(), 0..20),
            1 => (0usize..300, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        ];
        let integer = prop_oneof![
            3 => 0i64..2_000,
            1 => any::<i64>(),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)],
        ];
        prop_oneof![3 => text.prop_map(Own::Text), 1 => integer.prop_map(Own::Integer)]
    }

    #[test]
    fn neighbours_with_much_in_common_take_little() {
        let names: Vec<_> =
            (0..500).map(|number| Own::Text(format!("member:{number}").into_bytes())).collect();
        let names = packed(&names);
        let coded = Coded::of(&names).expect("it is worth it");
        assert!(coded.footprint() * 4 < names.listpack().bytes().len());
        let times: Vec<_> =
            (0..500).map(|number| Own::Integer(1_700_000_000_000 + number * 250)).collect();
        let times = packed(&times);
        let coded = Coded::of(&times).expect("it is worth it");
        assert!(coded.footprint() * 2 < times.listpack().bytes().len());
    }

    #[test]
    fn what_has_nothing_in_common_stays() {
        let texts = (0..64u8).map(|number| Own::Text(vec![number.wrapping_mul(37); 60]));
        assert!(Coded::of(&packed(&texts.collect::<Vec<_>>())).is_none());
    }

    proptest! {
        #[test]
        fn it_is_the_listpack_again(elements in prop::collection::vec(element(), 1..120)) {
            let packed = packed(&elements);
            if let Some(coded) = Coded::of(&packed) {
                prop_assert_eq!(coded.count(), elements.len());
                prop_assert_eq!(coded.listpack_len(), packed.listpack().bytes().len());
                prop_assert_eq!(coded.to_listpack(), packed.listpack().bytes());
                for (number, element) in elements.iter().enumerate() {
                    let mut reader = coded.read_from(number);
                    prop_assert_eq!(reader.next(), Some(element.element()));
                }
                let mut reader = coded.read_from(elements.len());
                prop_assert_eq!(reader.next(), None);
            }
        }
    }
}
