//! A key and its value in one allocation behind one thin pointer.
//!
//! ```text
//! byte 0      4       5          6 (9)        8 (13)      +0 or +8
//!      | head | stamp | key len  | body len   | expire ms | key ... | body ... |
//!      | u32  | u8    | u8 (u32) | u16 (u32)  | u64       |         |          |
//!                                  bytes only   if it expires
//! ```
//! The head holds the upper 24 bits of the stamp, and in its highest byte, the marks, a tag that
//! belongs to the caller (4 bits), the class of the body (2 bits), whether an expiry time is present
//! and whether the lengths are the wide ones in brackets. The stamp, 32 bits, tells how the entry was
//! used lately; what it means is the caller's affair. A body is bytes, an integer of 8 bytes, or a
//! boxed object. A 32-byte key with a 64-byte value takes 104 bytes.
//!
//! An entry that never holds an object, such as a field of a hash, has no stamp either, but begins
//! with the marks alone:
//!
//! ```text
//! byte 0       1          2 (5)        4 (9)       +0 or +8
//!      | marks | key len  | body len   | expire ms | key ... | body ... |
//! ```
//!
//! The pointer itself is kept in six bytes: user space lies below 2^47 on the platforms that Rust
//! has allocators for, unless a program asks the kernel for more. It lets nine entries with their
//! tags share a cache line of a table instead of seven.

use super::arena;
use super::listpack::Buffer;
use super::prefetch::prefetch;
use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;

/// The bits of the stamp that lie in the head, below the marks.
const STAMP_HEAD_BITS: u32 = 24;
const STAMP_HEAD_MASK: u32 = (1 << STAMP_HEAD_BITS) - 1;
/// Where the lowest 8 bits of the stamp are.
const STAMP_TAIL_AT: usize = 4;

/// The parts of the marks.
const TAG_MASK: u8 = 0xf;
const CLASS_SHIFT: u32 = 4;
const EXPIRES: u8 = 1 << 6;
const WIDE: u8 = 1 << 7;

const ALIGN: usize = 8;
const NARROW_KEY_LEN_MAX: usize = u8::MAX as usize;
const NARROW_BODY_LEN_MAX: usize = u16::MAX as usize;
/// Larger entries grow in steps, so that a long body that is changed often seldom moves.
const COARSE_FROM: usize = 4096;
const COARSE_STEP: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Bytes = 0,
    Int = 1,
    Boxed = 2,
}

/// What an entry holds, borrowed.
#[derive(Debug)]
pub(crate) enum Body<'a, O> {
    /// Bytes inside the entry.
    Bytes(&'a [u8]),
    /// An integer inside the entry.
    Int(i64),
    /// An object of its own allocation.
    Boxed(&'a O),
}

/// What an entry shall hold.
#[derive(Debug)]
pub(crate) enum NewBody<'a, O> {
    /// Bytes to copy into the entry.
    Bytes(&'a [u8]),
    /// An integer.
    Int(i64),
    /// An object that the entry will own.
    Boxed(Box<O>),
}

impl<O> NewBody<'_, O> {
    fn class(&self) -> Class {
        match self {
            Self::Bytes(_) => Class::Bytes,
            Self::Int(_) => Class::Int,
            Self::Boxed(_) => Class::Boxed,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(_) | Self::Boxed(_) => 8,
        }
    }
}

/// Where the parts of one entry are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Bytes before the lengths.
    head_len: usize,
    class: Class,
    expires: bool,
    wide: bool,
    key_len: usize,
    body_len: usize,
}

impl Shape {
    fn new(head_len: usize, class: Class, expires: bool, key_len: usize, body_len: usize) -> Self {
        let wide = key_len > NARROW_KEY_LEN_MAX
            || (class == Class::Bytes && body_len > NARROW_BODY_LEN_MAX);
        assert!(key_len <= u32::MAX as usize && body_len <= u32::MAX as usize);
        Self { head_len, class, expires, wide, key_len, body_len }
    }

    fn expire_at(self) -> usize {
        let lengths = match (self.class == Class::Bytes, self.wide) {
            (false, false) => 1,
            (true, false) => 3,
            (false, true) => 4,
            (true, true) => 8,
        };
        self.head_len + lengths
    }

    fn key_at(self) -> usize {
        self.expire_at() + if self.expires { 8 } else { 0 }
    }

    fn body_at(self) -> usize {
        self.key_at() + self.key_len
    }

    fn size(self) -> usize {
        self.body_at() + self.body_len
    }

    /// The layout rounds up to what the allocator would hand out anyway, so that a body may change
    /// its length a little without a new allocation.
    fn layout(self) -> Layout {
        let mut size = self.size();
        if size > COARSE_FROM {
            size = size.next_multiple_of(COARSE_STEP);
        }
        Layout::from_size_align(arena::usable(size), ALIGN)
            .expect("key and body are below 4 GiB each")
    }
}

/// A key, its value, and what is known about both. Owns its allocation and its boxed object.
pub(crate) struct Entry<O> {
    start: Start,
    owns: PhantomData<Box<O>>,
}

/// A pointer in six bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Start([u8; START_BYTES]);

const START_BYTES: usize = 6;
const _: () = assert!(size_of::<Entry<()>>() == START_BYTES && size_of::<usize>() <= 8);

impl Start {
    /// Points to nothing.
    pub(super) const NULL: Self = Self([0; START_BYTES]);

    pub(super) fn new(pointer: NonNull<u8>) -> Self {
        let address = (pointer.as_ptr().expose_provenance() as u64).to_le_bytes();
        assert!(address[START_BYTES..] == [0; 8 - START_BYTES], "an address is below 2^48");
        let mut start = [0; START_BYTES];
        start.copy_from_slice(&address[..START_BYTES]);
        Self(start)
    }

    pub(super) fn as_non_null(self) -> NonNull<u8> {
        NonNull::new(self.as_ptr()).expect("it was not null when it was kept")
    }

    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut u8 {
        let [a, b, c, d, e, f] = self.0;
        let address = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        std::ptr::with_exposed_provenance_mut(address as usize)
    }
}

// SAFETY: an entry owns everything it points to, as a Box does.
unsafe impl<O: Send> Send for Entry<O> {}
// SAFETY: a shared entry gives out shared references only.
unsafe impl<O: Sync> Sync for Entry<O> {}

impl<O> Entry<O> {
    /// Whether there is a stamp: an entry that can hold no object has none.
    const STAMPED: bool = size_of::<O>() > 0;
    const MARKS_AT: usize = if Self::STAMPED { 3 } else { 0 };
    /// Where the lengths begin.
    const KEY_LEN_AT: usize = if Self::STAMPED { STAMP_TAIL_AT + 1 } else { 1 };

    /// Makes an entry. `tag` is below 16 and belongs to the caller, as `stamp` does.
    pub(crate) fn new(
        key: &[u8],
        tag: u8,
        body: NewBody<'_, O>,
        expire_ms: Option<u64>,
        stamp: u32,
    ) -> Self {
        let (class, expires) = (body.class(), expire_ms.is_some());
        let shape = Shape::new(Self::KEY_LEN_AT, class, expires, key.len(), body.len());
        let mut entry = Self::allocate(shape, tag, stamp);
        entry.write_at(shape.key_at(), key);
        if let Some(expire_ms) = expire_ms {
            entry.write_at(shape.expire_at(), &expire_ms.to_ne_bytes());
        }
        entry.write_body(shape, body);
        entry
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        let shape = self.shape();
        self.bytes_at(shape.key_at(), shape.key_len)
    }

    /// The caller's tag.
    #[inline]
    pub(crate) fn tag(&self) -> u8 {
        self.marks() & TAG_MASK
    }

    /// Sets the caller's tag.
    pub(crate) fn set_tag(&mut self, tag: u8) {
        let marks = self.marks() & !TAG_MASK | tag & TAG_MASK;
        self.write_at(Self::MARKS_AT, &[marks]);
    }

    /// When the key expires, in milliseconds since the Unix epoch.
    #[inline]
    pub(crate) fn expire_ms(&self) -> Option<u64> {
        if self.marks() & EXPIRES == 0 {
            return None;
        }
        Some(u64::from_ne_bytes(self.array_at(self.shape().expire_at())))
    }

    /// The stamp; zero where there is none.
    #[inline]
    pub(crate) fn stamp(&self) -> u32 {
        if !Self::STAMPED {
            return 0;
        }
        let [tail] = self.array_at(STAMP_TAIL_AT);
        (u32::from_le_bytes(self.array_at(0)) & STAMP_HEAD_MASK) << 8 | u32::from(tail)
    }

    /// Sets the stamp, if there is one.
    #[inline]
    pub(crate) fn set_stamp(&mut self, stamp: u32) {
        self.write_marks(self.marks(), stamp);
    }

    /// The value.
    #[inline]
    pub(crate) fn body(&self) -> Body<'_, O> {
        let shape = self.shape();
        let at = shape.body_at();
        match shape.class {
            Class::Bytes => Body::Bytes(self.bytes_at(at, shape.body_len)),
            Class::Int => Body::Int(i64::from_ne_bytes(self.array_at(at))),
            // SAFETY: the pointer came from Box::into_raw, and the entry owns the box while it
            // lives; `&self` keeps it from being changed or dropped meanwhile.
            Class::Boxed => Body::Boxed(unsafe { &*self.boxed_pointer(shape) }),
        }
    }

    /// The boxed object, if the body is one.
    pub(crate) fn boxed_mut(&mut self) -> Option<&mut O> {
        let shape = self.shape();
        // SAFETY: as in `body`, and `&mut self` makes the access exclusive.
        (shape.class == Class::Boxed).then(|| unsafe { &mut *self.boxed_pointer(shape) })
    }

    /// Replaces the value and the tag, and leaves key, expiry and stamp. Returns the boxed object
    /// that it held, if it held one.
    pub(crate) fn set_body(&mut self, tag: u8, body: NewBody<'_, O>) -> Option<Box<O>> {
        let old = self.shape();
        let new = Shape::new(Self::KEY_LEN_AT, body.class(), old.expires, old.key_len, body.len());
        let fits = new.key_at() == old.key_at() && new.layout() == old.layout();
        if !fits {
            let fresh = Self::new(self.key(), tag, body, self.expire_ms(), self.stamp());
            return std::mem::replace(self, fresh).into_boxed();
        }
        let previous = self.take_boxed(old);
        self.write_head(new, tag, self.stamp());
        self.write_body(new, body);
        previous
    }

    /// The bytes of a body that is bytes, to be changed where they are.
    pub(crate) fn body_bytes_mut(&mut self) -> Option<&mut [u8]> {
        let shape = self.shape();
        if shape.class != Class::Bytes {
            return None;
        }
        // SAFETY: the body lies there within the allocation, and `&mut self` makes the access
        // exclusive.
        Some(unsafe {
            std::slice::from_raw_parts_mut(self.start.as_ptr().add(shape.body_at()), shape.body_len)
        })
    }

    /// Puts bytes in the place of others in a body that is bytes; what follows them moves.
    ///
    /// # Panics
    /// If the body is no bytes, or the range is not within it.
    pub(crate) fn splice_body(&mut self, range: Range<usize>, with: &[u8]) {
        let old = self.shape();
        assert!(old.class == Class::Bytes && range.start <= range.end);
        assert!(range.end <= old.body_len);
        let body_len = old.body_len - range.len() + with.len();
        let new = Shape::new(Self::KEY_LEN_AT, Class::Bytes, old.expires, old.key_len, body_len);
        let (at, tail_len) = (old.body_at(), old.body_len - range.end);
        if new.key_at() == old.key_at() && new.layout() == old.layout() {
            let tail_at = at + range.start + with.len();
            // SAFETY: both places of the tail lie within the body as it is or as it will be, and
            // so within the allocation, which fits either; `copy` lets them overlap.
            unsafe {
                let tail = self.start.as_ptr().add(at + range.end);
                std::ptr::copy(tail, self.start.as_ptr().add(tail_at), tail_len);
            }
            self.write_at(at + range.start, with);
            self.write_head(new, self.tag(), self.stamp());
            return;
        }
        let mut moved = Self::allocate(new, self.tag(), self.stamp());
        if let Some(expire_ms) = self.expire_ms() {
            moved.write_at(new.expire_at(), &expire_ms.to_ne_bytes());
        }
        moved.write_at(new.key_at(), self.bytes_at(old.key_at(), old.key_len + range.start));
        moved.write_at(new.body_at() + range.start, with);
        let tail = self.bytes_at(at + range.end, tail_len);
        moved.write_at(new.body_at() + range.start + with.len(), tail);
        *self = moved;
    }

    /// Sets, changes or removes the expiry time.
    pub(crate) fn set_expire_ms(&mut self, expire_ms: Option<u64>) {
        let old = self.shape();
        let new = Shape { expires: expire_ms.is_some(), ..old };
        if new != old {
            let mut moved = Self::allocate(new, self.tag(), self.stamp());
            moved.write_at(new.key_at(), self.bytes_at(old.key_at(), old.key_len + old.body_len));
            // The body went over byte by byte, a boxed object's pointer with it.
            std::mem::replace(self, moved).free_shell();
        }
        if let Some(expire_ms) = expire_ms {
            self.write_at(new.expire_at(), &expire_ms.to_ne_bytes());
        }
    }

    /// Gives up the entry and returns the boxed object that it held, if it held one.
    pub(crate) fn into_boxed(self) -> Option<Box<O>> {
        let mut shell = ManuallyDrop::new(self);
        let shape = shell.shape();
        let boxed = shell.take_boxed(shape);
        ManuallyDrop::into_inner(shell).free_shell();
        boxed
    }

    /// Bytes that the entry itself takes from the allocator, without a boxed object.
    pub(crate) fn footprint(&self) -> usize {
        arena::footprint(self.shape().layout().size())
    }

    /// Starts to bring the entry's first cache lines near: those of a 32-byte key and a 64-byte
    /// value, wherever they begin.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let start = self.start.as_ptr();
        prefetch(start);
        prefetch(start.wrapping_add(64));
        prefetch(start.wrapping_add(112));
    }

    fn allocate(shape: Shape, tag: u8, stamp: u32) -> Self {
        let start = Start::new(arena::allocate(shape.layout()));
        let mut entry = Self { start, owns: PhantomData };
        entry.write_head(shape, tag, stamp);
        entry
    }

    fn write_head(&mut self, shape: Shape, tag: u8, stamp: u32) {
        let mut marks = tag & TAG_MASK | (shape.class as u8) << CLASS_SHIFT;
        marks |= if shape.expires { EXPIRES } else { 0 } | if shape.wide { WIDE } else { 0 };
        self.write_marks(marks, stamp);
        if shape.wide {
            self.write_at(Self::KEY_LEN_AT, &(shape.key_len as u32).to_ne_bytes());
        } else {
            self.write_at(Self::KEY_LEN_AT, &[shape.key_len as u8]);
        }
        let body_len = shape.body_len as u32;
        match (shape.class, shape.wide) {
            (Class::Bytes, true) => self.write_at(Self::KEY_LEN_AT + 4, &body_len.to_ne_bytes()),
            (Class::Bytes, false) => {
                self.write_at(Self::KEY_LEN_AT + 1, &(body_len as u16).to_ne_bytes());
            }
            (Class::Int | Class::Boxed, _) => {}
        }
    }

    fn write_body(&mut self, shape: Shape, body: NewBody<'_, O>) {
        let at = shape.body_at();
        match body {
            NewBody::Bytes(bytes) => self.write_at(at, bytes),
            NewBody::Int(value) => self.write_at(at, &value.to_ne_bytes()),
            NewBody::Boxed(object) => {
                let pointer = Box::into_raw(object);
                // SAFETY: the shape keeps 8 bytes for the body at `at`.
                unsafe { self.start.as_ptr().add(at).cast::<*mut O>().write_unaligned(pointer) };
            }
        }
    }

    /// Writes what is before the lengths.
    #[inline]
    fn write_marks(&mut self, marks: u8, stamp: u32) {
        if Self::STAMPED {
            let [tail, ..] = stamp.to_le_bytes();
            let head = u32::from(marks) << STAMP_HEAD_BITS | stamp >> 8;
            self.write_at(0, &head.to_le_bytes());
            self.write_at(STAMP_TAIL_AT, &[tail]);
        } else {
            self.write_at(0, &[marks]);
        }
    }

    #[inline]
    fn marks(&self) -> u8 {
        self.array_at::<1>(Self::MARKS_AT)[0]
    }

    #[inline]
    fn shape(&self) -> Shape {
        let marks = self.marks();
        let wide = marks & WIDE != 0;
        let class = match marks >> CLASS_SHIFT & 3 {
            0 => Class::Bytes,
            1 => Class::Int,
            _ => Class::Boxed,
        };
        let key_len = if wide {
            u32::from_ne_bytes(self.array_at(Self::KEY_LEN_AT)) as usize
        } else {
            usize::from(self.array_at::<1>(Self::KEY_LEN_AT)[0])
        };
        let body_len = match (class, wide) {
            (Class::Bytes, true) => {
                u32::from_ne_bytes(self.array_at(Self::KEY_LEN_AT + 4)) as usize
            }
            (Class::Bytes, false) => {
                usize::from(u16::from_ne_bytes(self.array_at(Self::KEY_LEN_AT + 1)))
            }
            (Class::Int | Class::Boxed, _) => 8,
        };
        let (head_len, expires) = (Self::KEY_LEN_AT, marks & EXPIRES != 0);
        Shape { head_len, class, expires, wide, key_len, body_len }
    }

    fn boxed_pointer(&self, shape: Shape) -> *mut O {
        debug_assert!(shape.class == Class::Boxed);
        // SAFETY: a boxed body is 8 bytes at `body_at`, written by `write_body` or copied whole.
        unsafe { self.start.as_ptr().add(shape.body_at()).cast::<*mut O>().read_unaligned() }
    }

    /// Takes the box out; the caller then overwrites the body or frees the shell.
    fn take_boxed(&mut self, shape: Shape) -> Option<Box<O>> {
        // SAFETY: the pointer came from Box::into_raw and nobody reads it after this.
        (shape.class == Class::Boxed).then(|| unsafe { Box::from_raw(self.boxed_pointer(shape)) })
    }

    /// Frees the allocation and leaves a boxed object alone.
    fn free_shell(self) {
        let shell = ManuallyDrop::new(self);
        // SAFETY: the allocation was made with the layout of this very shape, or of one with the
        // same layout, which `set_body` checks before it writes another shape in place.
        unsafe { arena::deallocate(shell.start.as_non_null(), shell.shape().layout()) };
    }

    #[inline]
    fn array_at<const N: usize>(&self, at: usize) -> [u8; N] {
        // SAFETY: callers pass offsets of parts that the shape has, within the allocation.
        unsafe { self.start.as_ptr().add(at).cast::<[u8; N]>().read_unaligned() }
    }

    #[inline]
    fn bytes_at(&self, at: usize, len: usize) -> &[u8] {
        // SAFETY: callers pass parts of the shape; they lie within the allocation and were
        // written when the entry was made. The borrow of self keeps them alive and unchanged.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(at), len) }
    }

    #[inline]
    fn write_at(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: callers pass parts of the shape, within the allocation; `&mut self` excludes
        // other references, so source and target do not overlap.
        unsafe {
            let target = self.start.as_ptr().add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
    }
}

impl<O> Buffer for Entry<O> {
    fn bytes(&self) -> &[u8] {
        match self.body() {
            Body::Bytes(bytes) => bytes,
            Body::Int(_) | Body::Boxed(_) => unreachable!("the caller knows that it is bytes"),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.body_bytes_mut().expect("the caller knows that it is bytes")
    }

    fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        self.splice_body(range, with);
    }
}

impl<O> Drop for Entry<O> {
    fn drop(&mut self) {
        drop(self.take_boxed(self.shape()));
        // SAFETY: as in `free_shell`; the entry is not used after its drop.
        unsafe { arena::deallocate(self.start.as_non_null(), self.shape().layout()) };
    }
}

impl<O: std::fmt::Debug> std::fmt::Debug for Entry<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key())
            .field("body", &self.body())
            .field("expire_ms", &self.expire_ms())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: the same facts as plain fields.
    #[derive(Clone, Debug, PartialEq)]
    struct Twin {
        key: Vec<u8>,
        tag: u8,
        body: TwinBody,
        expire_ms: Option<u64>,
        stamp: u32,
    }

    #[derive(Clone, Debug, PartialEq)]
    enum TwinBody {
        Bytes(Vec<u8>),
        Int(i64),
        Boxed(String),
    }

    impl TwinBody {
        fn new_body(&self) -> NewBody<'_, String> {
            match self {
                Self::Bytes(bytes) => NewBody::Bytes(bytes),
                Self::Int(value) => NewBody::Int(*value),
                Self::Boxed(text) => NewBody::Boxed(Box::new(text.clone())),
            }
        }
    }

    fn twin_of(entry: &Entry<String>) -> Twin {
        let body = match entry.body() {
            Body::Bytes(bytes) => TwinBody::Bytes(bytes.to_vec()),
            Body::Int(value) => TwinBody::Int(value),
            Body::Boxed(text) => TwinBody::Boxed(text.clone()),
        };
        Twin {
            key: entry.key().to_vec(),
            tag: entry.tag(),
            body,
            expire_ms: entry.expire_ms(),
            stamp: entry.stamp(),
        }
    }

    fn body() -> impl Strategy<Value = TwinBody> {
        prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(TwinBody::Bytes),
            1 => (65_530usize..65_545).prop_map(|len| TwinBody::Bytes(vec![7; len])),
            2 => any::<i64>().prop_map(TwinBody::Int),
            2 => "[a-z]{0,20}".prop_map(TwinBody::Boxed),
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Splice(prop::sample::Index, usize, Vec<u8>),
        Body(u8, TwinBody),
        Expire(Option<u64>),
        Stamp(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (any::<prop::sample::Index>(), 0usize..90, prop::collection::vec(any::<u8>(), 0..90))
                .prop_map(|(at, cut, with)| Step::Splice(at, cut, with)),
            (0u8..16, body()).prop_map(|(tag, body)| Step::Body(tag, body)),
            any::<Option<u64>>().prop_map(Step::Expire),
            any::<u32>().prop_map(Step::Stamp),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_is_its_twin(
            key in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                (250usize..260).prop_map(|len| vec![3; len]),
            ],
            first in body(),
            steps in proptest::collection::vec(step(), 0..12),
        ) {
            let mut twin =
                Twin { key: key.clone(), tag: 1, body: first, expire_ms: None, stamp: 9 };
            let mut entry = Entry::new(&key, 1, twin.body.new_body(), None, 9);
            for step in steps {
                match step {
                    Step::Splice(at, cut, with) => {
                        if let TwinBody::Bytes(bytes) = &mut twin.body {
                            let start = at.index(bytes.len() + 1);
                            let range = start..bytes.len().min(start + cut);
                            entry.splice_body(range.clone(), &with);
                            bytes.splice(range, with);
                            prop_assert_eq!(entry.body_bytes_mut().unwrap(), &bytes[..]);
                        }
                    }
                    Step::Body(tag, body) => {
                        let held = entry.set_body(tag, body.new_body());
                        let expected = match &twin.body {
                            TwinBody::Boxed(text) => Some(Box::new(text.clone())),
                            TwinBody::Bytes(_) | TwinBody::Int(_) => None,
                        };
                        prop_assert_eq!(held, expected);
                        (twin.tag, twin.body) = (tag, body);
                    }
                    Step::Expire(expire_ms) => {
                        entry.set_expire_ms(expire_ms);
                        twin.expire_ms = expire_ms;
                    }
                    Step::Stamp(stamp) => {
                        entry.set_stamp(stamp);
                        twin.stamp = stamp;
                    }
                }
                prop_assert_eq!(&twin_of(&entry), &twin);
            }
        }
    }

    proptest! {
        /// One that can hold no object.
        #[test]
        fn an_entry_without_a_stamp_is_its_twin(
            key in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                (250usize..260).prop_map(|len| vec![3; len]),
            ],
            steps in proptest::collection::vec(step(), 0..12),
        ) {
            let mut entry = Entry::<()>::new(&key, 1, NewBody::Bytes(b""), None, 9);
            let (mut tag, mut text, mut expire_ms) = (1, Vec::new(), None);
            for step in steps {
                match step {
                    Step::Splice(at, cut, with) => {
                        let start = at.index(text.len() + 1);
                        let range = start..text.len().min(start + cut);
                        entry.splice_body(range.clone(), &with);
                        text.splice(range, with);
                    }
                    Step::Body(new_tag, TwinBody::Bytes(bytes)) => {
                        prop_assert!(entry.set_body(new_tag, NewBody::Bytes(&bytes)).is_none());
                        (tag, text) = (new_tag, bytes);
                    }
                    Step::Body(new_tag, _) => {
                        entry.set_tag(new_tag);
                        tag = new_tag;
                    }
                    Step::Expire(ms) => {
                        entry.set_expire_ms(ms);
                        expire_ms = ms;
                    }
                    Step::Stamp(stamp) => entry.set_stamp(stamp),
                }
                prop_assert_eq!((entry.key(), entry.tag(), entry.stamp()), (&key[..], tag, 0));
                prop_assert_eq!((entry.bytes(), entry.expire_ms()), (&text[..], expire_ms));
            }
        }
    }

    #[test]
    fn a_small_field_and_value_cost_four_bytes_more_than_they_hold() {
        let entry = Entry::<()>::new(&[1; 13], 0, NewBody::Bytes(&[2; 12]), None, 0);
        assert_eq!(entry.shape().size(), 29);
    }

    #[test]
    fn a_small_key_and_value_cost_eight_bytes_more_than_they_hold() {
        let entry = Entry::<String>::new(&[1; 32], 0, NewBody::Bytes(&[2; 64]), None, 0);
        assert_eq!(entry.shape().size(), 104);
        assert_eq!(entry.footprint(), if cfg!(keyslot_plain_allocation) { 112 } else { 104 });
    }

    #[test]
    fn a_boxed_object_is_dropped_once() {
        let object = std::sync::Arc::new(());
        let mut entry = Entry::new(b"k", 0, NewBody::Boxed(Box::new(object.clone())), None, 0);
        entry.set_expire_ms(Some(1));
        assert_eq!(std::sync::Arc::strong_count(&object), 2);
        drop(entry);
        assert_eq!(std::sync::Arc::strong_count(&object), 1);
    }
}
