//! CLIENT PAUSE: sessions whose commands have to wait for a while. Such a session is parked: it keeps
//! its input and holds no thread, and goes on when the time is over or CLIENT UNPAUSE says so.
//!
//! Only what is fed to a session waits. Calls of the host itself are carried out.

use super::card::Card;
use super::mailbox::Post;
use super::table::{Spec, flag};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Which commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paused {
    /// Those that may write.
    Writes,
    /// All of them.
    All,
}

/// The pause that an engine is in, if in any.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    /// When it ends, in milliseconds since the Unix epoch; zero without a pause.
    until_ms: AtomicU64,
    /// Whether commands wait that only read.
    all: AtomicBool,
    parked: Mutex<Vec<Arc<Card>>>,
}

impl Pause {
    /// Begins a pause, or makes the present one longer and stricter.
    pub(crate) fn begin(&self, paused: Paused, until_ms: u64, now_ms: u64) {
        let goes_on = self.is_on(now_ms);
        let all = paused == Paused::All || (goes_on && self.all.load(Relaxed));
        self.all.store(all, Relaxed);
        self.until_ms.fetch_max(until_ms, Relaxed);
    }

    /// Ends the pause, and calls the hosts of those who are parked.
    pub(crate) fn end(&self, post: &Post) {
        self.until_ms.store(0, Relaxed);
        self.parked.lock().drain(..).for_each(|card| card.mailbox.ring(post));
    }

    /// Lets those who are parked look anew whether they are to wait.
    pub(crate) fn wake(&self, post: &Post) {
        self.parked.lock().iter().for_each(|card| card.mailbox.ring(post));
    }

    /// Whether there may be a pause. Costs a load.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.until_ms.load(Relaxed) != 0
    }

    /// Whether there is a pause at this time.
    pub(crate) fn is_on(&self, now_ms: u64) -> bool {
        let until_ms = self.until_ms.load(Relaxed);
        if until_ms != 0 && until_ms <= now_ms {
            // Whoever begins another one meanwhile has written a later end.
            let _ = self.until_ms.compare_exchange(until_ms, 0, Relaxed, Relaxed);
        }
        until_ms > now_ms
    }

    /// When the pause ends, in milliseconds since the Unix epoch.
    pub(crate) fn until_ms(&self) -> u64 {
        self.until_ms.load(Relaxed)
    }

    /// Whether a command has to wait. `writes` tells whether it carries out others that may write.
    pub(crate) fn holds(&self, spec: &Spec, writes: bool, now_ms: u64) -> bool {
        self.is_on(now_ms) && (self.all.load(Relaxed) || writes || may_write(spec))
    }

    /// Notes that a session is parked.
    pub(crate) fn park(&self, card: &Arc<Card>) {
        self.parked.lock().push(card.clone());
    }

    /// Notes that a session is parked no longer.
    pub(crate) fn unpark(&self, card: &Arc<Card>) {
        self.parked.lock().retain(|other| !Arc::ptr_eq(other, card));
    }

    /// How many sessions are parked.
    pub(crate) fn len(&self) -> usize {
        self.parked.lock().len()
    }
}

/// Whether a command has effects that a replica would have to know of.
fn may_write(spec: &Spec) -> bool {
    const OTHERS: [&str; 6] = ["publish", "spublish", "pfcount", "eval", "evalsha", "fcall"];
    spec.flags & flag::WRITE != 0 || OTHERS.contains(&&*spec.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table;

    #[test]
    fn a_pause_gets_longer_and_stricter_and_ends() {
        let pause = Pause::default();
        let get = table::lookup(&[b"get", b"k"]).unwrap();
        let set = table::lookup(&[b"set", b"k", b"v"]).unwrap();
        assert!(!pause.is_set());
        pause.begin(Paused::Writes, 100, 10);
        assert!(pause.holds(set, false, 99) && !pause.holds(get, false, 99));
        assert!(pause.holds(get, true, 99));
        pause.begin(Paused::All, 50, 10);
        assert!(pause.holds(get, false, 99), "the longer end and the stricter mode stay");
        pause.begin(Paused::Writes, 60, 10);
        assert!(pause.holds(get, false, 99));
        assert!(!pause.holds(set, false, 100) && !pause.is_set());
        pause.begin(Paused::Writes, 300, 200);
        assert!(!pause.holds(get, false, 250), "the mode of a pause that is over is forgotten");
        pause.end(&Post::default());
        assert!(!pause.holds(set, false, 250));
    }
}
