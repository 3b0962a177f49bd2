//! Slabs from chunks, and chunks from the system.
//!
//! A chunk begins on small pages: the first touch of a huge page has the system clear 2 MiB at once,
//! and no single write may wait for that (5 to 10 ms where a virtual machine's memory is not there
//! yet, 0.2 ms where it is). Once all its slabs are in use, the system is told that the chunk may go
//! on a huge page when it likes, and [`tidy`] has that done at once.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;

/// The size of a slab, to which it is aligned.
pub(super) const SLAB_BYTES: usize = 64 << 10;
/// The size of a chunk, to which it is aligned: a huge page on the usual platforms.
const CHUNK_BYTES: usize = 2 << 20;
const SLABS: usize = CHUNK_BYTES / SLAB_BYTES;
const ALL_FREE: u32 = u32::MAX;
const _: () = assert!(SLABS == ALL_FREE.count_ones() as usize);

/// More chunks than this are not only kept for [`tidy`] to give back, but go one at a time when
/// memory is taken. They do not go when they become free: the last few members of a large value may
/// free all of its chunks at once, and to give one back takes a while.
const UNUSED_MAX: usize = 64;
/// What a step of [`tidy`] counts, where a record that is deleted counts one: 0.1 to 0.3 ms and up
/// to 10 ms.
const GIVE_COST: usize = 400;
const COLLAPSE_COST: usize = 20_000;

static CHUNKS: Mutex<Chunks> = Mutex::new(Chunks::new());

/// All chunks but those that are in use whole and on a huge page, by address.
#[derive(Debug)]
struct Chunks {
    /// Chunks with free slabs.
    with_room: BTreeMap<usize, Room>,
    /// Chunks in use whole, on small pages.
    small: BTreeSet<usize>,
    /// How many chunks have free slabs only.
    unused: usize,
}

#[derive(Clone, Copy, Debug)]
struct Room {
    /// A bit for each free slab.
    free: u32,
    is_small: bool,
}

/// What [`tidy`] does next, to the chunk at an address.
enum Step {
    Give(usize),
    Collapse(usize),
}

impl Chunks {
    const fn new() -> Self {
        Self { with_room: BTreeMap::new(), small: BTreeSet::new(), unused: 0 }
    }

    /// Takes out a chunk that nobody uses, to be given back.
    fn take_unused(&mut self) -> Option<usize> {
        let mut all = self.with_room.iter().rev();
        let (&chunk, _) = all.find(|(_, room)| room.free == ALL_FREE)?;
        self.with_room.remove(&chunk);
        self.unused -= 1;
        Some(chunk)
    }

    fn next_step(&mut self, budget: usize) -> Option<Step> {
        // One chunk stays, or a program that makes and drops one key would call the system each
        // time.
        if self.unused > 1 {
            return self.take_unused().map(Step::Give);
        }
        let may_collapse = budget >= COLLAPSE_COST;
        may_collapse.then(|| self.small.pop_first()).flatten().map(Step::Collapse)
    }
}

/// A slab that nobody uses: the free one at the lowest address, or one of a new chunk.
pub(super) fn take_slab() -> NonNull<u8> {
    let mut chunks = CHUNKS.lock();
    if chunks.with_room.is_empty() {
        let chunk = system::take(CHUNK_BYTES).as_ptr().expose_provenance();
        chunks.with_room.insert(chunk, Room { free: ALL_FREE, is_small: true });
        chunks.unused += 1;
    }
    let mut first = chunks.with_room.first_entry().expect("one was just made if there was none");
    let (chunk, room) = (*first.key(), first.get_mut());
    let was_unused = room.free == ALL_FREE;
    let slab = room.free.trailing_zeros() as usize;
    room.free &= !(1 << slab);
    let room = *room;
    if room.free == 0 {
        first.remove();
        if room.is_small {
            chunks.small.insert(chunk);
            system::allow_huge(chunk, CHUNK_BYTES);
        }
    }
    chunks.unused -= usize::from(was_unused);
    let too_many = if chunks.unused > UNUSED_MAX { chunks.take_unused() } else { None };
    drop(chunks);
    if let Some(unused) = too_many {
        system::give(unused, CHUNK_BYTES);
    }
    let start = chunk + slab * SLAB_BYTES;
    NonNull::new(std::ptr::with_exposed_provenance_mut(start)).expect("no chunk is at address 0")
}

/// Takes back a slab that nobody uses any more.
pub(super) fn give_slab(start: NonNull<u8>) {
    let address = start.as_ptr().expose_provenance();
    let chunk = address & !(CHUNK_BYTES - 1);
    let mut chunks = CHUNKS.lock();
    let is_small = chunks.small.remove(&chunk);
    let room = chunks.with_room.entry(chunk).or_insert(Room { free: 0, is_small });
    room.free |= 1 << ((address - chunk) / SLAB_BYTES);
    chunks.unused += usize::from(room.free == ALL_FREE);
}

/// Gives chunks that nobody uses back to the system, and puts those in use on huge pages, as far as
/// `budget` reaches, but at least a step of the former. Returns whether there may be more to do.
pub(super) fn tidy(budget: usize) -> bool {
    let mut left = budget;
    loop {
        let Some(step) = CHUNKS.lock().next_step(left) else { return false };
        // Without the lock: advice about a chunk that was given back meanwhile does no harm.
        let cost = match step {
            Step::Give(chunk) => {
                system::give(chunk, CHUNK_BYTES);
                GIVE_COST
            }
            Step::Collapse(chunk) => {
                system::make_huge(chunk, CHUNK_BYTES);
                COLLAPSE_COST
            }
        };
        left = left.saturating_sub(cost);
        if left < GIVE_COST {
            return true;
        }
    }
}

#[cfg(unix)]
mod system {
    //! Chunks by mmap, which can be given back one by one.

    use std::alloc::{Layout, handle_alloc_error};
    use std::ptr::NonNull;

    pub(super) fn take(bytes: usize) -> NonNull<u8> {
        let wide = map(2 * bytes);
        let start = wide.next_multiple_of(bytes);
        // Of twice the size, an aligned part is kept and the rest goes back.
        if start > wide {
            give(wide, start - wide);
        }
        if wide + bytes > start {
            give(start + bytes, wide + bytes - start);
        }
        let pointer = std::ptr::with_exposed_provenance_mut::<u8>(start);
        #[cfg(target_os = "linux")]
        advise(start, bytes, libc::MADV_NOHUGEPAGE);
        NonNull::new(pointer).expect("the system maps nothing at address 0")
    }

    /// Lets the system put a range on a huge page when it likes.
    pub(super) fn allow_huge(start: usize, bytes: usize) {
        #[cfg(target_os = "linux")]
        advise(start, bytes, libc::MADV_HUGEPAGE);
        #[cfg(not(target_os = "linux"))]
        let _ = (start, bytes);
    }

    /// Puts a range on a huge page at once, where the system can (Linux from 6.1 on).
    pub(super) fn make_huge(start: usize, bytes: usize) {
        #[cfg(target_os = "linux")]
        advise(start, bytes, libc::MADV_COLLAPSE);
        #[cfg(not(target_os = "linux"))]
        let _ = (start, bytes);
    }

    #[cfg(target_os = "linux")]
    fn advise(start: usize, bytes: usize, advice: libc::c_int) {
        // SAFETY: the range is a chunk of ours. The advice changes what kind of pages it is on, not
        // what they hold; where it is not taken, everything stays as it is.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(start), bytes, advice) };
    }

    fn map(bytes: usize) -> usize {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: an anonymous mapping at an address of the system's choice touches nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            handle_alloc_error(Layout::from_size_align(bytes, 4096).expect("a power of two"));
        }
        start.expose_provenance()
    }

    pub(super) fn give(start: usize, bytes: usize) {
        // SAFETY: the range was mapped by `map`, and nobody uses it any more.
        unsafe { libc::munmap(std::ptr::with_exposed_provenance_mut(start), bytes) };
    }
}

#[cfg(not(unix))]
mod system {
    //! Chunks from the global allocator.

    use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
    use std::ptr::NonNull;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, bytes).expect("a power of two")
    }

    pub(super) fn take(bytes: usize) -> NonNull<u8> {
        // SAFETY: the size is not zero.
        let start = unsafe { alloc(layout(bytes)) };
        NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(bytes)))
    }

    pub(super) fn allow_huge(_start: usize, _bytes: usize) {}

    pub(super) fn make_huge(_start: usize, _bytes: usize) {}

    pub(super) fn give(start: usize, bytes: usize) {
        // SAFETY: the range came from `take` with this size, and nobody uses it any more.
        unsafe { dealloc(std::ptr::with_exposed_provenance_mut(start), layout(bytes)) };
    }
}
