//! What a reply looks like from C, and the one block of memory that holds all of it. Which reply
//! it is, is the tree builder's.
//!
//! ```text
//! block: | its size | root reply | other replies ... | pointers to parts ... | texts, each + NUL |
//! ```

use crate::status::Status;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ffi::c_char;

/// The types of replies, numbered as in hiredis.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyType {
    /// A bulk string: `str`, `len`.
    String = 1,
    /// An array: `elements`, `element`.
    Array = 2,
    /// An integer: `integer`.
    Integer = 3,
    /// No value.
    Nil = 4,
    /// A simple string such as `OK`: `str`, `len`.
    Status = 5,
    /// An error: its whole line in `str` and `len`, its number in `number`.
    Error = 6,
    /// A double: `dval`, and its text in `str` and `len`. RESP3 only.
    Double = 7,
    /// A boolean: `integer` is 1 or 0. RESP3 only.
    Bool = 8,
    /// A map: `elements` is twice the number of pairs, `element` holds keys and values in turn.
    /// RESP3 only.
    Map = 9,
    /// A set: `elements`, `element`. RESP3 only.
    Set = 10,
    /// An attribute of another reply, of the form of a map. RESP3 only.
    Attr = 11,
    /// An out-of-band push: `elements`, `element`. RESP3 only.
    Push = 12,
    /// An integer of any size: its digits in `str` and `len`. RESP3 only.
    Bignum = 13,
    /// A text with a format: `str`, `len`, `vtype`. RESP3 only.
    Verb = 14,
}

/// A reply, or a part of one. Fields that the type does not name are zero. Replies do not change:
/// any number of threads may read one.
#[repr(C)]
#[derive(Debug)]
pub struct Reply {
    /// Which fields are meant.
    pub r#type: ReplyType,
    /// Of an error, its number; else `KEYSLOT_OK`.
    pub number: Status,
    /// Of an integer or a boolean, its value.
    pub integer: i64,
    /// Of a double, its value.
    pub dval: f64,
    /// The length of `str`, without the NUL that follows it.
    pub len: usize,
    /// The text of this reply, or null. It may hold NULs of its own.
    pub str: *const c_char,
    /// Of a verbatim string, its format of three letters, such as `txt`, and a NUL.
    pub vtype: [c_char; 4],
    /// How many parts `element` leads to.
    pub elements: usize,
    /// The parts, or null if there are none.
    pub element: *const *const Reply,
    /// An attribute that came before this reply, or null.
    pub attribute: *const Reply,
}

/// Frees a reply with all of its parts. Give it what a command call returned, never a part of it.
/// Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keyslot_reply_free(reply: *mut Reply) {
    if !reply.is_null() {
        // SAFETY: the root stands right after the size in a block that `Block::new` allocated,
        // and its owner gives it up.
        unsafe {
            let start = reply.cast::<u8>().sub(HEAD);
            let layout = Block::layout(start.cast::<usize>().read());
            dealloc(start, layout);
        }
    }
}

/// Bytes before the root: the size of the block, padded to the alignment of what follows.
const HEAD: usize = size_of::<usize>().next_multiple_of(align_of::<Reply>());

/// The memory of one reply while it is being written.
pub(crate) struct Block {
    replies: *mut Reply,
    links: *mut *const Reply,
    text: *mut u8,
    counts: Counts,
}

/// What a block has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) replies: usize,
    pub(crate) links: usize,
    pub(crate) text: usize,
}

impl Block {
    fn layout(size: usize) -> Layout {
        let align = align_of::<Reply>().max(align_of::<usize>());
        Layout::from_size_align(size, align).expect("a reply fits the address space")
    }

    /// A block whose text is `text`; its replies and links are to be written.
    pub(crate) fn new(replies: usize, links: usize, text: &[u8]) -> Self {
        let links_at = HEAD + replies * size_of::<Reply>();
        let text_at = links_at + links * size_of::<*const Reply>();
        let layout = Self::layout(text_at + text.len());
        // SAFETY: the size is not zero; every part lies within the block, and is aligned, since
        // the sizes of replies and of pointers are multiples of a pointer's alignment.
        unsafe {
            let start = alloc(layout);
            if start.is_null() {
                handle_alloc_error(layout);
            }
            start.cast::<usize>().write(layout.size());
            start.add(text_at).copy_from_nonoverlapping(text.as_ptr(), text.len());
            Self {
                replies: start.add(HEAD).cast(),
                links: start.add(links_at).cast(),
                text: start.add(text_at),
                counts: Counts { replies, links, text: text.len() },
            }
        }
    }

    /// Where the reply of a number is, or will be. Zero is the root.
    pub(crate) fn reply(&self, number: usize) -> *const Reply {
        assert!(number < self.counts.replies, "a reply is within its block");
        // SAFETY: within the block.
        unsafe { self.replies.add(number) }
    }

    pub(crate) fn link(&self, number: usize) -> *const *const Reply {
        assert!(number <= self.counts.links, "a link is within its block");
        // SAFETY: within the block, or at the end of its links.
        unsafe { self.links.add(number) }
    }

    pub(crate) fn text(&self, at: usize) -> *const c_char {
        assert!(at < self.counts.text, "a text is within its block");
        // SAFETY: within the block.
        unsafe { self.text.add(at) }.cast()
    }

    pub(crate) fn write_reply(&mut self, number: usize, reply: Reply) {
        assert!(number < self.counts.replies, "a reply is within its block");
        // SAFETY: within the block, which nobody else knows yet.
        unsafe { self.replies.add(number).write(reply) };
    }

    pub(crate) fn write_link(&mut self, number: usize, part: *const Reply) {
        assert!(number < self.counts.links, "a link is within its block");
        // SAFETY: within the block, which nobody else knows yet.
        unsafe { self.links.add(number).write(part) };
    }

    /// Hands out the block, all of whose replies and links are written, by its root.
    pub(crate) fn into_root(self) -> *mut Reply {
        self.replies
    }
}
