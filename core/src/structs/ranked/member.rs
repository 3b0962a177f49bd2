//! A member with its score in one block behind a pointer of six bytes.
//!
//! ```text
//! byte 0       8     9 (13)
//!      | score | len | member ... |
//!      | f64   | u8, or 255 and u32
//! ```
//! A member of eight bytes takes 17, and 24 in the arena.

use crate::structs::arena;
use crate::structs::entry::Start;
use crate::structs::prefetch::prefetch;
use std::alloc::Layout;

const SCORE_LEN: usize = 8;
const ALIGN: usize = 8;
/// In place of a length: it follows in four bytes.
const LONG: u8 = u8::MAX;

/// Owns its block.
#[derive(Debug)]
pub(super) struct Member(Link);

/// Where the block of a member is. Says nothing of whether it is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(Start);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:p}", self.0.as_ptr())
    }
}

// SAFETY: a member owns its block as a Box does.
unsafe impl Send for Member {}
// SAFETY: a shared member gives out shared references only.
unsafe impl Sync for Member {}

fn text_at(len: usize) -> usize {
    if len < usize::from(LONG) { SCORE_LEN + 1 } else { SCORE_LEN + 1 + 4 }
}

/// Rounded up to what the allocator hands out anyway.
fn layout(len: usize) -> Layout {
    Layout::from_size_align(arena::usable(text_at(len) + len), ALIGN)
        .expect("a member is below 4 GiB")
}

impl Member {
    pub(super) fn new(text: &[u8], score: f64) -> Self {
        let long = u32::try_from(text.len()).expect("a member is below 4 GiB");
        let block = arena::allocate(layout(text.len()));
        let start = block.as_ptr();
        // SAFETY: the block has room for the score, the length and the text, in this order, and
        // nobody else has it yet.
        unsafe {
            start.cast::<f64>().write(score);
            if text.len() < usize::from(LONG) {
                start.add(SCORE_LEN).write(text.len() as u8);
            } else {
                start.add(SCORE_LEN).write(LONG);
                start.add(SCORE_LEN + 1).cast::<u32>().write_unaligned(long);
            }
            let target = start.add(text_at(text.len()));
            std::ptr::copy_nonoverlapping(text.as_ptr(), target, text.len());
        }
        Self(Link(Start::new(block)))
    }

    #[inline]
    pub(super) fn link(&self) -> Link {
        self.0
    }

    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        // SAFETY: the block lives while the member does, which the borrow keeps.
        unsafe { self.0.text() }
    }

    #[inline]
    pub(super) fn score(&self) -> f64 {
        // SAFETY: the block starts with the score, and is aligned for it.
        unsafe { self.0.0.as_ptr().cast::<f64>().read() }
    }

    pub(super) fn set_score(&mut self, score: f64) {
        // SAFETY: as in `score`; references to the block cover its text only.
        unsafe { self.0.0.as_ptr().cast::<f64>().write(score) };
    }

    /// Bytes that the block takes.
    pub(super) fn footprint(&self) -> usize {
        arena::footprint(layout(self.text().len()).size())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.text().len());
        // SAFETY: the block was made with the layout of this length and is not used any more.
        unsafe { arena::deallocate(self.0.0.as_non_null(), layout) };
    }
}

impl Link {
    /// What stands in places that hold no link.
    pub(super) const NONE: Self = Self(Start::NULL);

    /// The text of the member.
    ///
    /// # Safety
    /// The member lives for as long as `'a`.
    #[inline]
    pub(super) unsafe fn text<'a>(self) -> &'a [u8] {
        let start = self.0.as_ptr();
        // SAFETY: the block is there, and holds a length and as many bytes of text.
        unsafe {
            let len = match start.add(SCORE_LEN).read() {
                LONG => start.add(SCORE_LEN + 1).cast::<u32>().read_unaligned() as usize,
                short => usize::from(short),
            };
            std::slice::from_raw_parts(start.add(text_at(len)), len)
        }
    }

    /// Starts to bring the block near.
    #[inline(always)]
    pub(super) fn prefetch(self) {
        prefetch(self.0.as_ptr());
    }
}
