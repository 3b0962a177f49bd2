//! A text in six bytes: in them if it is a number, else behind them.
//!
//! ```text
//! lowest bits of the six bytes
//! 001   a number of 45 bits, signed, in the bits above
//! 000   the address of a block: | length | text |      length: u8, or 255 and u32
//! 010   the address of a block: | number: i64 |
//! ```
//! Blocks are aligned to eight bytes, which leaves the lowest three bits of an address free, and
//! addresses lie below 2^48 (`entry` says why). A large set of numbers needs no memory but its
//! table's, and a look-up in it reads nothing else; a text of 14 bytes takes 16.
//!
//! As in a listpack, a text that is a number's canonical form is always kept as the number.

use super::arena;
use super::listpack::Element;
use super::prefetch::prefetch;
use std::alloc::Layout;
use std::ptr::NonNull;

const LEN: usize = 6;
const ALIGN: usize = 8;
const TAG_BITS: u32 = 3;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;
const TAG_TEXT: u64 = 0b000;
const TAG_INLINE: u64 = 0b001;
const TAG_NUMBER: u64 = 0b010;
/// Bits of the widest number that lies in the six bytes.
const INLINE_BITS: u32 = 8 * LEN as u32 - TAG_BITS;

const SHORT_LEN_MAX: usize = u8::MAX as usize - 1;
const LONG: u8 = u8::MAX;
const SHORT_HEAD: usize = 1;
const LONG_HEAD: usize = 5;

/// One text. Owns its block, if it has one.
pub(crate) struct Member([u8; LEN]);

const _: () = assert!(size_of::<Member>() == LEN && arena::ALIGN_MAX >= ALIGN);

// SAFETY: a member owns its block, as a Box does.
unsafe impl Send for Member {}
// SAFETY: a shared member gives out shared references only.
unsafe impl Sync for Member {}

/// The six bytes of a number, if it fits in them.
#[inline]
fn inline(value: i64) -> Option<[u8; LEN]> {
    let shifted = value << (64 - INLINE_BITS);
    (shifted >> (64 - INLINE_BITS) == value).then(|| six(((value as u64) << TAG_BITS) | TAG_INLINE))
}

#[inline]
fn six(word: u64) -> [u8; LEN] {
    let [a, b, c, d, e, f, _, _] = word.to_le_bytes();
    [a, b, c, d, e, f]
}

fn block_layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("a text is below 4 GiB")
}

fn text_size(len: usize) -> usize {
    len + if len <= SHORT_LEN_MAX { SHORT_HEAD } else { LONG_HEAD }
}

impl Member {
    /// Keeps an element's text.
    ///
    /// # Panics
    /// If it is 4 GiB or longer.
    pub(crate) fn new(element: Element<'_>) -> Self {
        match element {
            Element::Int(value) => match inline(value) {
                Some(bytes) => Self(bytes),
                None => Self::in_block(TAG_NUMBER, &[&value.to_ne_bytes()]),
            },
            Element::Bytes(text) if text.len() <= SHORT_LEN_MAX => {
                Self::in_block(TAG_TEXT, &[&[text.len() as u8], text])
            }
            Element::Bytes(text) => {
                let len = u32::try_from(text.len()).expect("a text is below 4 GiB");
                Self::in_block(TAG_TEXT, &[&[LONG], &len.to_ne_bytes(), text])
            }
        }
    }

    fn in_block(tag: u64, parts: &[&[u8]]) -> Self {
        let block = arena::allocate(block_layout(parts.iter().map(|part| part.len()).sum()));
        let mut at = 0;
        for part in parts {
            // SAFETY: the block is new and as long as all parts together.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), block.as_ptr().add(at), part.len());
            }
            at += part.len();
        }
        let address = block.as_ptr().expose_provenance() as u64;
        assert!(address >> (8 * LEN) == 0, "an address is below 2^48");
        Self(six(address | tag))
    }

    #[inline]
    fn word(&self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    #[inline]
    fn block(&self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut((self.word() & !TAG_MASK) as usize)
    }

    #[inline]
    fn tag(&self) -> u64 {
        u64::from(self.0[0]) & TAG_MASK
    }

    /// The text.
    #[inline]
    pub(crate) fn element(&self) -> Element<'_> {
        match self.tag() {
            TAG_INLINE => {
                let shift = 64 - 8 * LEN as u32;
                Element::Int((self.word() << shift) as i64 >> (shift + TAG_BITS))
            }
            TAG_TEXT => Element::Bytes(self.text()),
            _ => Element::Int(self.number()),
        }
    }

    /// The text of a member whose tag says that its block holds one.
    #[inline]
    fn text(&self) -> &[u8] {
        debug_assert!(self.tag() == TAG_TEXT);
        let block = self.block();
        // SAFETY: the block was written by `new` with a head and as many bytes after it as the
        // head says; the borrow of self keeps it alive and unchanged.
        unsafe {
            let len = usize::from(block.read());
            if len <= SHORT_LEN_MAX {
                return std::slice::from_raw_parts(block.add(SHORT_HEAD), len);
            }
            let len = block.add(SHORT_HEAD).cast::<u32>().read_unaligned() as usize;
            std::slice::from_raw_parts(block.add(LONG_HEAD), len)
        }
    }

    /// The number of a member whose tag says that its block holds one.
    fn number(&self) -> i64 {
        debug_assert!(self.tag() == TAG_NUMBER);
        // SAFETY: the block was written by `new` with the eight bytes of a number.
        unsafe { self.block().cast::<i64>().read() }
    }

    /// Whether it is this text. Reads the block only where it has to.
    #[inline]
    pub(crate) fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Bytes(text) => self.tag() == TAG_TEXT && self.text() == text,
            Element::Int(value) => match inline(value) {
                Some(bytes) => self.0 == bytes,
                None => self.tag() == TAG_NUMBER && self.number() == value,
            },
        }
    }

    /// Whether it is this very member, and not one with the same text.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Bytes that its block takes from the allocator.
    pub(crate) fn footprint(&self) -> usize {
        self.block_size().map_or(0, arena::footprint)
    }

    fn block_size(&self) -> Option<usize> {
        match self.tag() {
            TAG_INLINE => None,
            TAG_TEXT => Some(text_size(self.text().len())),
            _ => Some(size_of::<i64>()),
        }
    }

    /// Starts to bring its block near.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        if self.tag() != TAG_INLINE {
            prefetch(self.block());
        }
    }
}

impl Drop for Member {
    #[inline]
    fn drop(&mut self) {
        let Some(size) = self.block_size() else { return };
        let block = NonNull::new(self.block()).expect("the address of a block");
        // SAFETY: the block came from the arena with a layout of this very size, and nobody uses
        // it after this.
        unsafe { arena::deallocate(block, block_layout(size)) };
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Self::new(self.element())
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.element().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INLINE_MAX: i64 = (1 << (INLINE_BITS - 1)) - 1;

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<(i64, u32)>().prop_map(|(value, shift)| value >> (shift % 64)),
            prop::sample::select(vec![
                INLINE_MAX,
                INLINE_MAX + 1,
                -INLINE_MAX - 1,
                -INLINE_MAX - 2
            ]),
        ]
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            (250usize..260).prop_map(|len| vec![b'x'; len]),
            (4_000usize..4_100).prop_map(|len| vec![b'y'; len]),
        ]
    }

    #[test]
    fn small_numbers_take_no_block_and_texts_one_byte_more_than_they_are_long() {
        for (value, bytes) in [(0, 0), (-1, 0), (INLINE_MAX, 0), (-INLINE_MAX - 1, 0)] {
            assert_eq!(Member::new(Element::Int(value)).footprint(), bytes, "{value}");
        }
        for value in [INLINE_MAX + 1, -INLINE_MAX - 2, i64::MIN, i64::MAX] {
            assert_eq!(Member::new(Element::Int(value)).footprint(), arena::footprint(8));
        }
        for (len, size) in [(0, 1), (14, 15), (254, 255), (255, 260)] {
            let member = Member::new(Element::Bytes(&vec![b'x'; len]));
            assert_eq!(member.footprint(), arena::footprint(size), "{len}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_it_was_made_of(numbers in prop::collection::vec(number(), 1..8),
                                     texts in prop::collection::vec(text(), 1..8)) {
            let numbers = numbers.iter().map(|&value| Element::Int(value));
            let elements: Vec<Element<'_>> =
                numbers.chain(texts.iter().map(|text| Element::Bytes(text))).collect();
            let members: Vec<Member> = elements.iter().copied().map(Member::new).collect();
            let copies = members.clone();
            for (member, copy) in members.iter().zip(&copies) {
                prop_assert!(copy.is(member.element()));
                prop_assert_eq!(member.is_same(copy), member.footprint() == 0);
            }
            drop(copies);
            for (member, element) in members.iter().zip(&elements) {
                prop_assert_eq!(member.element(), *element);
                for other in &elements {
                    prop_assert_eq!(member.is(*other), element == other);
                }
            }
        }
    }
}
