//! Slabs from chunks, and chunks from the system.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ptr::NonNull;

/// The size of a slab, to which it is aligned.
pub(super) const SLAB_BYTES: usize = 64 << 10;
/// The size of a chunk, to which it is aligned: a huge page on the usual platforms.
const CHUNK_BYTES: usize = 2 << 20;
const SLABS: usize = CHUNK_BYTES / SLAB_BYTES;
const ALL_FREE: u32 = u32::MAX;
const _: () = assert!(SLABS == ALL_FREE.count_ones() as usize);

/// Chunks with free slabs, by address, and a bit for each free slab.
static CHUNKS: Mutex<BTreeMap<usize, u32>> = Mutex::new(BTreeMap::new());

/// A slab that nobody uses: the free one at the lowest address, or one of a new chunk.
pub(super) fn take_slab() -> NonNull<u8> {
    let mut chunks = CHUNKS.lock();
    if chunks.is_empty() {
        chunks.insert(system::take(CHUNK_BYTES).as_ptr().expose_provenance(), ALL_FREE);
    }
    let mut first = chunks.first_entry().expect("one was just made if there was none");
    let slab = first.get().trailing_zeros() as usize;
    let start = *first.key() + slab * SLAB_BYTES;
    *first.get_mut() &= !(1 << slab);
    if *first.get() == 0 {
        first.remove();
    }
    NonNull::new(std::ptr::with_exposed_provenance_mut(start)).expect("no chunk is at address 0")
}

/// Takes back a slab that nobody uses any more.
pub(super) fn give_slab(start: NonNull<u8>) {
    let address = start.as_ptr().expose_provenance();
    let chunk = address & !(CHUNK_BYTES - 1);
    let mut chunks = CHUNKS.lock();
    let free = chunks.entry(chunk).or_insert(0);
    *free |= 1 << ((address - chunk) / SLAB_BYTES);
    // One chunk stays, or a program that makes and drops one key would call the system each time.
    if *free == ALL_FREE && chunks.len() > 1 {
        chunks.remove(&chunk);
        drop(chunks);
        system::give(chunk, CHUNK_BYTES);
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
        // SAFETY: the range was just mapped. It is advice: where it is not taken, pages are small.
        unsafe {
            libc::madvise(pointer.cast(), bytes, libc::MADV_HUGEPAGE);
        }
        NonNull::new(pointer).expect("the system maps nothing at address 0")
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

    pub(super) fn give(start: usize, bytes: usize) {
        // SAFETY: the range came from `take` with this size, and nobody uses it any more.
        unsafe { dealloc(std::ptr::with_exposed_provenance_mut(start), layout(bytes)) };
    }
}
