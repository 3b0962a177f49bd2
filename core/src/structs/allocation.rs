//! What an allocation of n bytes costs in the allocator, so that memory can be counted without
//! asking it.

/// The step between allocation sizes, and the bookkeeping that sits in front of each allocation,
/// as in glibc's malloc. Other allocators differ by a few percent.
const STEP: usize = 16;
const HEAD: usize = 8;
const SMALLEST: usize = 32;

/// Bytes that a request for `size` bytes takes from the allocator, its bookkeeping included; none
/// for a request of none.
pub(crate) const fn footprint(size: usize) -> usize {
    if size == 0 {
        return 0;
    }
    let total = (size + HEAD).next_multiple_of(STEP);
    if total < SMALLEST { SMALLEST } else { total }
}

/// The largest request that costs no more than a request for `size` bytes does.
pub(crate) const fn usable(size: usize) -> usize {
    footprint(size) - HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_step_as_the_allocator_does() {
        assert_eq!(footprint(0), 0);
        assert_eq!(footprint(1), 32);
        assert_eq!(footprint(24), 32);
        assert_eq!(footprint(25), 48);
        assert_eq!(footprint(103), 112);
        assert_eq!(usable(103), 104);
    }

    #[test]
    fn asking_for_the_usable_size_costs_the_same() {
        for size in 1..10_000 {
            assert!(usable(size) >= size);
            assert_eq!(footprint(usable(size)), footprint(size));
        }
    }
}
