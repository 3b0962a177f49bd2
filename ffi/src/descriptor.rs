//! Descriptors that a host can poll, where the system has them.

use crate::boundary::{Outcome, Refusal};
use crate::status::Status;
use std::ffi::c_int;

/// One that is readable while others have something for the session.
#[cfg(unix)]
pub(crate) fn of_session(session: &mut keyslot::Session) -> Outcome<c_int> {
    number(session.descriptor())
}

/// One that is readable while links of the engine wait to be opened.
#[cfg(unix)]
pub(crate) fn of_links(engine: &keyslot::Engine) -> Outcome<c_int> {
    number(engine.link_descriptor())
}

/// One that is readable while a command has something for the link.
#[cfg(unix)]
pub(crate) fn of_link(link: &mut keyslot::Link) -> Outcome<c_int> {
    number(link.descriptor())
}

#[cfg(unix)]
fn number(found: std::io::Result<std::os::fd::BorrowedFd<'_>>) -> Outcome<c_int> {
    use std::os::fd::AsRawFd;
    match found {
        Ok(descriptor) => Ok(descriptor.as_raw_fd()),
        Err(error) => {
            let text = format!("IOERR the system has no descriptor left: {error}");
            Err(Refusal { status: Status::IoErr, text: text.into_bytes().into() })
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn of_session(_: &mut keyslot::Session) -> Outcome<c_int> {
    Err(none())
}

#[cfg(not(unix))]
pub(crate) fn of_links(_: &keyslot::Engine) -> Outcome<c_int> {
    Err(none())
}

#[cfg(not(unix))]
pub(crate) fn of_link(_: &mut keyslot::Link) -> Outcome<c_int> {
    Err(none())
}

#[cfg(not(unix))]
fn none() -> Refusal {
    Refusal::argument("this system has no descriptors to poll")
}
