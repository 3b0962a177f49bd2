//! hiredis's reader as a peer, loaded when it is asked for, so that all else works without it.

use libloading::{Library, Symbol};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null_mut, without_provenance_mut};

/// What the library may be called: by its development package, and by the runtime packages alone.
const NAMES: [&str; 4] =
    ["libhiredis.so", "libhiredis.so.1.1.0", "libhiredis.so.1.0.0", "libhiredis.so.0.14"];

/// What a function says if all went well.
const REDIS_OK: c_int = 0;

type Create = unsafe extern "C" fn() -> *mut c_void;
type CreateWithFunctions = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type Feed = unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> c_int;
type NextReply = unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> c_int;

/// What a reader makes of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A tree of objects, as hiredis makes by default.
    Tree,
    /// Nothing: the reader is without functions that make objects, the fastest there is.
    Nothing,
}

/// The functions of a loaded library.
#[derive(Debug)]
pub(crate) struct Hiredis {
    create: Create,
    create_with_functions: CreateWithFunctions,
    free_reader: Free,
    feed: Feed,
    next_reply: NextReply,
    free_reply: Free,
    /// The functions are part of it.
    _library: Library,
}

impl Hiredis {
    /// Loads the library, whichever of the names it has.
    pub(crate) fn load() -> Result<Self, String> {
        let library = NAMES.iter().find_map(|name| {
            // SAFETY: hiredis does nothing when it is loaded or unloaded.
            unsafe { Library::new(name) }.ok()
        });
        let missing = "the peer hiredis is not installed (Debian's package is libhiredis-dev)";
        Self::find(library.ok_or(missing)?).map_err(|error| error.to_string())
    }

    fn find(library: Library) -> Result<Self, libloading::Error> {
        // SAFETY: the types are those that hiredis/read.h and hiredis/hiredis.h declare, in all the
        // versions named above.
        unsafe {
            Ok(Self {
                create: *function(&library, "redisReaderCreate")?,
                create_with_functions: *function(&library, "redisReaderCreateWithFunctions")?,
                free_reader: *function(&library, "redisReaderFree")?,
                feed: *function(&library, "redisReaderFeed")?,
                next_reply: *function(&library, "redisReaderGetReply")?,
                free_reply: *function(&library, "freeReplyObject")?,
                _library: library,
            })
        }
    }

    /// A reader at the start of a reply.
    pub(crate) fn reader(&self, output: Output) -> Reader<'_> {
        let reader = match output {
            // SAFETY: takes nothing.
            Output::Tree => unsafe { (self.create)() },
            // SAFETY: a null stands for no functions.
            Output::Nothing => unsafe { (self.create_with_functions)(null_mut()) },
        };
        assert!(!reader.is_null(), "there is memory for a reader");
        Reader { hiredis: self, reader, output }
    }
}

/// # Safety
///
/// The function of this name is of type `F`.
unsafe fn function<'a, F>(
    library: &'a Library,
    name: &str,
) -> Result<Symbol<'a, F>, libloading::Error> {
    // SAFETY: the caller's promise.
    unsafe { library.get(name.as_bytes()) }
}

/// A reader of replies; or of requests, which are arrays of strings, as replies may be.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    hiredis: &'a Hiredis,
    reader: *mut c_void,
    output: Output,
}

impl Reader<'_> {
    /// Feeds bytes, makes what this reader makes of every reply in them, drops it again, and says
    /// how many replies there were.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> usize {
        // SAFETY: the reader is alive, and copies the bytes.
        let fed = unsafe { (self.hiredis.feed)(self.reader, bytes.as_ptr().cast(), bytes.len()) };
        assert_eq!(fed, REDIS_OK, "the reader takes what is right");
        let mut replies = 0;
        while self.read_one() {
            replies += 1;
        }
        replies
    }

    fn read_one(&mut self) -> bool {
        let mut reply = null_mut();
        // SAFETY: the reader is alive, and so is the place for the reply.
        let found = unsafe { (self.hiredis.next_reply)(self.reader, &mut reply) };
        assert_eq!(found, REDIS_OK, "the reader understands what is right");
        if reply.is_null() {
            return false;
        }
        match self.output {
            // SAFETY: the reply is whole, the caller's to free, and known to nobody else.
            Output::Tree => unsafe { (self.hiredis.free_reply)(reply) },
            // What stands in for the object is its type's number, not an address.
            Output::Nothing => assert!(reply < without_provenance_mut(16)),
        }
        true
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: the reader is alive, and not used after this.
        unsafe { (self.hiredis.free_reader)(self.reader) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_and_freed_and_a_part_of_one_is_kept() {
        let hiredis = match Hiredis::load() {
            Ok(hiredis) => hiredis,
            Err(message) => return assert!(message.contains("not installed"), "{message}"),
        };
        for output in [Output::Tree, Output::Nothing] {
            let mut reader = hiredis.reader(output);
            assert_eq!(reader.read(b"*2\r\n$1\r\na\r\n:7\r\n+OK\r\n$-1\r\n$3\r\nab"), 3);
            assert_eq!(reader.read(b"c\r\n"), 1);
        }
    }
}
