//! A descriptor that becomes readable when others have something for a session: one end of a pair of
//! sockets, at the other end of which the callback of the session writes a byte.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The end that the host looks at.
#[derive(Debug)]
pub(super) struct Bell(UnixStream);

/// Rings a bell.
pub(super) type Rope = Arc<dyn Fn() + Send + Sync>;

impl Bell {
    /// Makes a bell, and what rings it.
    pub(super) fn hang() -> io::Result<(Self, Rope)> {
        let (bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        // One that cannot be rung any more has been rung enough.
        Ok((Self(bell), Arc::new(move || drop((&rope).write(&[1])))))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Makes it silent. It is rung once until the session is polled, so a few bytes are all there is.
    pub(super) fn hush(&self) {
        let mut rung = [0; 64];
        while (&self.0).read(&mut rung).is_ok_and(|len| len == rung.len()) {}
    }
}
