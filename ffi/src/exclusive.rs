//! What one thread at a time may call, though C could call it from several: the second is refused.

use crate::boundary::{Outcome, Refusal, guard};
use crate::status::Status;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, Ordering};

/// A value that one call at a time is in.
pub(crate) struct Exclusive<T> {
    /// What it is, for the text of a refusal.
    name: &'static str,
    state: AtomicU8,
    value: UnsafeCell<T>,
}

/// Nobody is in it.
const IDLE: u8 = 0;
/// A call is in it.
const IN_USE: u8 = 1;
/// A panic left it in the middle of something.
const BROKEN: u8 = 2;

// SAFETY: the value inside is reached through `Exclusive::enter` alone, by one thread at a time, and
// may move between threads.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    pub(crate) fn new(name: &'static str, value: T) -> Self {
        Self { name, state: AtomicU8::new(IDLE), value: UnsafeCell::new(value) }
    }

    /// Carries out `work` with the value, unless somebody is in it.
    pub(crate) fn enter<R>(&self, work: impl FnOnce(&mut T) -> Outcome<R>) -> Outcome<R> {
        match self.state.compare_exchange(IDLE, IN_USE, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            Err(BROKEN) => {
                let text =
                    format!("the {} met a fault of the library and can only be freed", self.name);
                return Err(Refusal { status: Status::Panic, text: text.into_bytes().into() });
            }
            Err(_) => {
                let text = format!("the {} is in the middle of another call", self.name);
                return Err(Refusal { status: Status::InUse, text: text.into_bytes().into() });
            }
        }
        // SAFETY: whoever turns idle to in use is alone with the value until it is idle again.
        let outcome = guard(|| work(unsafe { &mut *self.value.get() }));
        let broken = matches!(&outcome, Err(Refusal { status: Status::Panic, .. }));
        self.state.store(if broken { BROKEN } else { IDLE }, Ordering::Release);
        outcome
    }
}
