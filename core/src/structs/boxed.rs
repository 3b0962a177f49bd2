//! A box whose block is in the arena.

use super::arena;
use std::alloc::Layout;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Owns a value as [`Box`] does. Its alignment is that of the arena at most.
pub(super) struct ArenaBox<T> {
    block: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: it owns its value as a Box does.
unsafe impl<T: Send> Send for ArenaBox<T> {}
// SAFETY: a shared box gives out shared references only.
unsafe impl<T: Sync> Sync for ArenaBox<T> {}

impl<T> ArenaBox<T> {
    const LAYOUT: Layout = {
        assert!(align_of::<T>() <= 8 && size_of::<T>() > 0);
        Layout::new::<T>()
    };

    pub(super) fn new(value: T) -> Self {
        let block = arena::allocate(Self::LAYOUT).cast::<T>();
        // SAFETY: the block is new, and of the size and the alignment of the value.
        unsafe { block.write(value) };
        Self { block, owns: PhantomData }
    }

    /// Bytes that the block takes.
    pub(super) const fn footprint() -> usize {
        arena::footprint(Self::LAYOUT.size())
    }
}

impl<T> Deref for ArenaBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the block holds a value for as long as the box lives.
        unsafe { self.block.as_ref() }
    }
}

impl<T> DerefMut for ArenaBox<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes the access exclusive.
        unsafe { self.block.as_mut() }
    }
}

impl<T> Drop for ArenaBox<T> {
    fn drop(&mut self) {
        // SAFETY: the value is dropped once, and its block, which was made with this layout, is not
        // used after it.
        unsafe {
            self.block.drop_in_place();
            arena::deallocate(self.block.cast(), Self::LAYOUT);
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for ArenaBox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_value_is_dropped_with_its_box() {
        let value = Arc::new(1);
        let mut boxed = ArenaBox::new((value.clone(), 2));
        boxed.1 += 1;
        assert_eq!((Arc::strong_count(&boxed.0), boxed.1), (2, 3));
        drop(boxed);
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(ArenaBox::<[u64; 5]>::footprint(), 40);
    }
}
