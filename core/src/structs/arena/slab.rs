//! A run of blocks of one size, and lists of such runs. The caller holds the lock of the stripe
//! that a slab belongs to, except where a function says otherwise.

use super::ALIGN_MAX;
use super::chunk::SLAB_BYTES;
use std::ptr::{NonNull, addr_of, addr_of_mut};

/// What stands at the start of a slab.
#[derive(Debug)]
#[repr(C, align(64))]
struct Head {
    stripe: u32,
    block_size: u32,
    /// Blocks that are handed out.
    used: u32,
    /// Offset of a block that was given back, whose first bytes hold the offset of another; zero
    /// for none.
    free: u32,
    /// Offset of the first block that was never handed out.
    fresh: u32,
    next: Option<Slab>,
    previous: Option<Slab>,
}

const HEAD_BYTES: usize = size_of::<Head>();
const _: () = assert!(HEAD_BYTES == 64 && HEAD_BYTES.is_multiple_of(ALIGN_MAX));

/// A pointer to a slab that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slab(NonNull<Head>);

// SAFETY: a slab is only touched under its stripe's lock; the pointer itself may go anywhere.
unsafe impl Send for Slab {}

impl Slab {
    /// Makes a slab of 64 KiB that nobody else uses.
    pub(super) fn new(start: NonNull<u8>, stripe: usize, block_size: usize) -> Self {
        let head = Head {
            stripe: stripe as u32,
            block_size: block_size as u32,
            used: 0,
            free: 0,
            fresh: HEAD_BYTES as u32,
            next: None,
            previous: None,
        };
        let slab = Self(start.cast());
        // SAFETY: `take_slab` gives SLAB_BYTES of memory, aligned to as much, to us alone.
        unsafe { slab.0.as_ptr().write(head) };
        slab
    }

    /// The slab that a block lies in.
    ///
    /// # Safety
    /// The block was handed out by a slab and not given back since.
    pub(super) unsafe fn of_block(block: NonNull<u8>) -> Self {
        let start = block.as_ptr().map_addr(|address| address & !(SLAB_BYTES - 1));
        // SAFETY: slabs are aligned to their size, so this is the start of the block's slab.
        Self(unsafe { NonNull::new_unchecked(start.cast()) })
    }

    /// The stripe that the slab belongs to. Needs no lock: it never changes while blocks are out.
    pub(super) fn stripe(self) -> usize {
        // SAFETY: the slab lives; only other fields are written meanwhile.
        unsafe { addr_of!((*self.0.as_ptr()).stripe).read() as usize }
    }

    /// Gives up the slab and returns its memory.
    pub(super) fn into_start(self) -> NonNull<u8> {
        self.0.cast()
    }

    pub(super) fn is_empty(self) -> bool {
        self.read(|head| head.used) == 0
    }

    pub(super) fn has_room(self) -> bool {
        self.read(|head| head.free != 0 || head.has_fresh())
    }

    /// Hands out a block. The slab has room.
    pub(super) fn take_block(self) -> NonNull<u8> {
        debug_assert!(self.has_room());
        let head = self.0.as_ptr();
        // SAFETY: the stripe's lock is held, so nobody else touches the head. A free or fresh
        // block lies within the slab, and a free one holds the offset that `give_block` wrote.
        unsafe {
            let free = (*head).free;
            let offset = if free == 0 { (*head).fresh } else { free };
            let block = head.cast::<u8>().add(offset as usize);
            if free == 0 {
                (*head).fresh += (*head).block_size;
            } else {
                (*head).free = block.cast::<u32>().read();
            }
            (*head).used += 1;
            NonNull::new_unchecked(block)
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// The block is one of this slab's, handed out and not given back since.
    pub(super) unsafe fn give_block(self, block: NonNull<u8>) {
        let head = self.0.as_ptr();
        let offset = block.as_ptr() as usize - head as usize;
        // SAFETY: the stripe's lock is held; the block is at least eight bytes, aligned to eight,
        // and nobody uses it any more.
        unsafe {
            block.cast::<u32>().as_ptr().write((*head).free);
            (*head).free = offset as u32;
            (*head).used -= 1;
        }
    }

    fn read<R>(self, look: impl FnOnce(&Head) -> R) -> R {
        // SAFETY: the stripe's lock is held, so nobody writes to the head meanwhile.
        look(unsafe { self.0.as_ref() })
    }

    fn set_next(self, next: Option<Self>) {
        // SAFETY: the stripe's lock is held.
        unsafe { addr_of_mut!((*self.0.as_ptr()).next).write(next) };
    }

    fn set_previous(self, previous: Option<Self>) {
        // SAFETY: the stripe's lock is held.
        unsafe { addr_of_mut!((*self.0.as_ptr()).previous).write(previous) };
    }
}

impl Head {
    fn has_fresh(&self) -> bool {
        (self.fresh + self.block_size) as usize <= SLAB_BYTES
    }
}

/// Slabs that have room, linked through their heads.
#[derive(Debug)]
pub(super) struct SlabList {
    first: Option<Slab>,
}

impl SlabList {
    pub(super) const fn new() -> Self {
        Self { first: None }
    }

    pub(super) fn first(&self) -> Option<Slab> {
        self.first
    }

    pub(super) fn push(&mut self, slab: Slab) {
        slab.set_previous(None);
        slab.set_next(self.first);
        if let Some(first) = self.first {
            first.set_previous(Some(slab));
        }
        self.first = Some(slab);
    }

    pub(super) fn remove(&mut self, slab: Slab) {
        let (previous, next) = slab.read(|head| (head.previous, head.next));
        match previous {
            Some(previous) => previous.set_next(next),
            None => self.first = next,
        }
        if let Some(next) = next {
            next.set_previous(previous);
        }
    }
}
