//! Small blocks for records and tables, packed without heads into slabs of huge pages.
//!
//! ```text
//! chunk   2 MiB, aligned, from the system; a huge page by and by, where the system has them
//!   slab  64 KiB, aligned: | head | block | block | ... |     blocks of one size
//! ```
//! A record is looked up far more often than it is made, and with a million of them every look-up
//! misses the processor's map of 4 KiB pages; on huge pages it does not. A general allocator also
//! puts eight bytes in front of each block.
//!
//! Sizes step by 8 bytes up to 1 KiB and by 64 up to 4 KiB; larger blocks come from the system's
//! allocator. Threads are spread over stripes, each with a lock and slabs of its own; a block goes
//! back to the stripe that its slab belongs to. A slab without blocks goes back to its chunk, and a
//! chunk without slabs, by [`tidy`], to the system.
//!
//! Built with `--cfg keyslot_plain_allocation`, all blocks come from the system's allocator, so
//! that a sanitizer sees each of them.

mod chunk;
mod slab;

use super::allocation;
use parking_lot::Mutex;
use slab::{Slab, SlabList};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const FINE_STEP: usize = 8;
const FINE_MAX: usize = 1024;
const COARSE_STEP: usize = 64;
/// Larger blocks come from the system's allocator.
const BLOCK_MAX: usize = if cfg!(keyslot_plain_allocation) { 0 } else { 4096 };
const FINE_CLASSES: usize = FINE_MAX / FINE_STEP;
const CLASSES: usize = FINE_CLASSES + (4096 - FINE_MAX) / COARSE_STEP;
/// Blocks whose size is a multiple of a power of two up to this are aligned to it.
pub(super) const ALIGN_MAX: usize = 64;

/// Threads beyond this many share stripes.
const STRIPES: usize = 8;

static ARENA: [Mutex<Stripe>; STRIPES] = [const { Mutex::new(Stripe::new()) }; STRIPES];

#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    /// By class of size, the slabs that have room.
    with_room: [SlabList; CLASSES],
    block_bytes: usize,
}

impl Stripe {
    const fn new() -> Self {
        Self { with_room: [const { SlabList::new() }; CLASSES], block_bytes: 0 }
    }
}

const fn class_of(size: usize) -> usize {
    if size <= FINE_MAX {
        size.div_ceil(FINE_STEP).saturating_sub(1)
    } else {
        FINE_CLASSES + (size - FINE_MAX).div_ceil(COARSE_STEP) - 1
    }
}

const fn class_size(class: usize) -> usize {
    if class < FINE_CLASSES {
        (class + 1) * FINE_STEP
    } else {
        FINE_MAX + (class - FINE_CLASSES + 1) * COARSE_STEP
    }
}

/// The size of the block that a request for `size` bytes gets, and what it takes of memory.
pub(super) const fn footprint(size: usize) -> usize {
    if size == 0 {
        0
    } else if size > BLOCK_MAX {
        allocation::footprint(size)
    } else {
        class_size(class_of(size))
    }
}

/// The largest request that gets the same block as one for `size` bytes.
pub(super) const fn usable(size: usize) -> usize {
    if size > BLOCK_MAX { allocation::usable(size) } else { class_size(class_of(size)) }
}

/// A request whose block is aligned as it asks.
fn padded(layout: Layout) -> usize {
    debug_assert!(layout.align() <= ALIGN_MAX);
    layout.size().next_multiple_of(layout.align())
}

fn stripe_number() -> usize {
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NUMBER.try_with(Cell::get).ok().flatten().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Relaxed) % STRIPES;
        // A thread that is ending has no place to keep its number and takes another next time.
        let _ = NUMBER.try_with(|kept| kept.set(Some(number)));
        number
    })
}

/// Takes a block. The layout's alignment is at most 64 and its size is not zero.
pub(super) fn allocate(layout: Layout) -> NonNull<u8> {
    if layout.size() > BLOCK_MAX {
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(layout) };
        return NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout));
    }
    let class = class_of(padded(layout));
    let number = stripe_number();
    let mut stripe = ARENA[number].lock();
    stripe.block_bytes += class_size(class);
    let list = &mut stripe.with_room[class];
    let slab = list.first().unwrap_or_else(|| {
        let slab = Slab::new(chunk::take_slab(), number, class_size(class));
        list.push(slab);
        slab
    });
    let block = slab.take_block();
    if !slab.has_room() {
        list.remove(slab);
    }
    block
}

/// Gives a block back.
///
/// # Safety
/// The block came from [`allocate`] with the same layout and is not used after this.
pub(super) unsafe fn deallocate(block: NonNull<u8>, layout: Layout) {
    if layout.size() > BLOCK_MAX {
        // SAFETY: such a block came from `alloc` with this layout.
        return unsafe { dealloc(block.as_ptr(), layout) };
    }
    // SAFETY: blocks up to BLOCK_MAX lie in slabs, and their slab lives while they do.
    let slab = unsafe { Slab::of_block(block) };
    let class = class_of(padded(layout));
    let mut stripe = ARENA[slab.stripe()].lock();
    stripe.block_bytes -= class_size(class);
    let list = &mut stripe.with_room[class];
    if !slab.has_room() {
        list.push(slab);
    }
    // SAFETY: the block is one of this slab's, handed out and not given back since; the lock of
    // the slab's stripe is held.
    unsafe { slab.give_block(block) };
    if slab.is_empty() {
        list.remove(slab);
        chunk::give_slab(slab.into_start());
    }
}

/// Gives memory that nobody uses back to the system, and lays what is in use on huge pages where
/// `budget` allows for steps of several milliseconds. Returns whether there may be more to do.
pub(crate) fn tidy(budget: usize) -> bool {
    chunk::tidy(budget)
}

/// Bytes in blocks of slabs that are handed out, in the whole process.
pub(crate) fn block_bytes() -> usize {
    ARENA.iter().map(|stripe| stripe.lock().block_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_size_gets_a_block_that_holds_it() {
        for size in 1..=4096 {
            let class = class_of(size);
            assert!(class < CLASSES && class_size(class) >= size);
            assert!(class == 0 || class_size(class - 1) < size);
            assert_eq!(class_of(class_size(class)), class);
        }
    }

    #[derive(Debug)]
    struct Held {
        block: NonNull<u8>,
        layout: Layout,
        fill: u8,
    }

    impl Held {
        fn take(size: usize, align: usize, fill: u8) -> Self {
            let layout = Layout::from_size_align(size, align).expect("small and a power of two");
            let block = allocate(layout);
            assert_eq!(block.as_ptr() as usize % align, 0);
            // SAFETY: the block is ours and holds `size` bytes.
            unsafe { block.as_ptr().write_bytes(fill, size) };
            Self { block, layout, fill }
        }

        fn give(self) {
            // SAFETY: the block holds that many bytes, all written when it was taken.
            let bytes =
                unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == self.fill), "blocks overlap");
            // SAFETY: taken with this layout, and given back once.
            unsafe { deallocate(self.block, self.layout) };
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_do_not_overlap(
            steps in proptest::collection::vec((1usize..5_000, 0u32..7, any::<u16>()), 1..3_000),
        ) {
            let mut held: Vec<Held> = Vec::new();
            for (number, (size, align, pick)) in steps.into_iter().enumerate() {
                if pick % 3 == 0 && !held.is_empty() {
                    held.swap_remove(usize::from(pick) % held.len()).give();
                }
                held.push(Held::take(size, 1 << align, number as u8));
            }
            held.into_iter().for_each(Held::give);
        }
    }

    #[test]
    fn blocks_stay_as_they_are_while_chunks_are_tidied() {
        let take = |number: usize| Held::take(1_000, 8, number as u8);
        let held: Vec<Held> = (0..10_000).map(take).collect();
        while tidy(usize::MAX) {}
        held.into_iter().for_each(Held::give);
        while tidy(1) {}
        (0..10_000).map(take).for_each(Held::give);
    }

    #[test]
    fn blocks_may_be_given_back_by_another_thread() {
        for _ in 0..8 {
            let held: Vec<(usize, usize, u8)> = std::thread::scope(|scope| {
                let take = |seed: usize| {
                    move || -> Vec<(usize, usize, u8)> {
                        (0..4_000)
                            .map(|number| {
                                let size = 8 + (number * 7 + seed) % 300;
                                let held = Held::take(size, 8, number as u8);
                                (held.block.as_ptr().expose_provenance(), size, held.fill)
                            })
                            .collect()
                    }
                };
                let threads: Vec<_> = (0..3).map(|seed| scope.spawn(take(seed))).collect();
                threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
            });
            for (address, size, fill) in held {
                let block = NonNull::new(std::ptr::with_exposed_provenance_mut(address));
                let layout = Layout::from_size_align(size, 8).expect("a small size");
                Held { block: block.expect("not null"), layout, fill }.give();
            }
        }
    }
}
