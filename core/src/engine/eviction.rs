//! The limit on memory: room is made before a command that may need it takes its locks, and where
//! none can be made the command is refused and changes nothing.
//!
//! A call evicts up to a number of keys that `maxmemory-eviction-tenacity` chooses. What is not done
//! by then goes on with the next call or with maintenance, and commands run meanwhile, as in Redis.

use super::Inner;
use super::execute::Words;
use crate::command::table::{Spec, flag};
use crate::command::{ClientState, policy};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Evictor, Policy};
use crate::time::Moment;
use std::collections::VecDeque;

/// What a command is answered that would need memory.
pub(super) const OUT_OF_MEMORY: Error =
    Error::fixed(ErrorKind::Oom, "command not allowed when used memory > 'maxmemory'.");

/// How much of what waits to be freed is freed at once, counted in records.
const FREE_STEP: usize = 256;
/// What a command adds to memory beside its words, about.
const COMMAND_OVERHEAD: usize = 96;
/// Room is made in advance for a batch, up to this part of the limit.
const RESERVE_PART: usize = 64;

/// What came of making room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// There is enough.
    Enough,
    /// There will be: the work goes on.
    Coming,
    /// Nothing may go.
    None,
}

impl Inner {
    /// Whether memory is limited.
    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        self.env.config.maxmemory() != 0
    }

    /// What counts against the limit, in bytes: keys, values, what finds them, and the buffers of
    /// sessions as they were lately.
    fn used_bytes(&self) -> usize {
        self.keyspace.footprint() + self.env.client_bytes()
    }

    /// Whether more memory is used than may be.
    pub(super) fn is_over_limit(&self) -> bool {
        self.is_limited() && self.used_bytes() as u64 > self.env.config.maxmemory()
    }

    /// Makes room before a command runs by itself, and lets its session know if there is none. The
    /// caller holds no lock.
    pub(super) fn make_room_for(&self, client: &mut ClientState, spec: &Spec, time: &Moment<'_>) {
        let is_plain_read = spec.flags & flag::READONLY != 0 && spec.single_key().is_some();
        let matters = !is_plain_read || client.transaction.is_some();
        client.out_of_memory = self.is_limited() && matters && !self.make_room(0, time);
    }

    /// Makes room for a batch of commands that run under the same locks. Returns whether there is
    /// any. The caller holds no lock.
    pub(super) fn make_room_for_batch(
        &self,
        specs: &[&'static Spec],
        requests: &[Words<'_>],
        time: &Moment<'_>,
    ) -> bool {
        let needy = specs.iter().zip(requests).filter(|(spec, _)| spec.flags & flag::DENYOOM != 0);
        let needs = needy.map(|(_, words)| {
            COMMAND_OVERHEAD + words.iter().map(|word| word.len()).sum::<usize>()
        });
        match needs.sum() {
            0 => true,
            needed => self.make_room(needed, time),
        }
    }

    /// Gets below the limit by `reserve` bytes, or as close as the work of one call goes. Returns
    /// whether commands that need memory may run. The caller holds no lock.
    pub(super) fn make_room(&self, reserve: usize, time: &Moment<'_>) -> bool {
        let limit = self.env.config.maxmemory() as usize;
        let policy = policy::eviction(&self.env.config);
        let reserve = policy.map_or(0, |_| reserve.min(limit / RESERVE_PART));
        let room = if limit == 0 || self.used_bytes() + reserve <= limit {
            Room::Enough
        } else if self.env.pause.is_on(time.unix_ms()) {
            // The data stays as it is until the pause ends.
            Room::Coming
        } else {
            self.evict(limit, limit - reserve, policy, time)
        };
        self.env.stats.note_exceeded(room != Room::Enough, time);
        room != Room::None
    }

    /// Evicts keys until `goal` is reached.
    fn evict(&self, limit: usize, goal: usize, policy: Option<Policy>, time: &Moment<'_>) -> Room {
        let mut access = Access::nothing(&self.keyspace, time);
        let room = {
            let mut evictor = self.evictor.lock();
            self.evict_with(&mut evictor, limit, goal, policy, &mut access)
        };
        self.settle(access, 0, time, VecDeque::new());
        room
    }

    fn evict_with(
        &self,
        evictor: &mut Evictor,
        limit: usize,
        goal: usize,
        policy: Option<Policy>,
        access: &mut Access<'_>,
    ) -> Room {
        let config = &self.env.config;
        let mut budget = evictions_per_call(config.eviction_tenacity());
        let mut may_free = true;
        loop {
            let used = self.used_bytes();
            let waiting = self.keyspace.buried_bytes();
            let used_then = used - waiting.min(used);
            if used <= goal {
                return Room::Enough;
            }
            if budget == 0 {
                return Room::Coming;
            }
            if waiting > 0 && may_free {
                self.keyspace.free_some(FREE_STEP);
                budget = budget.saturating_sub(FREE_STEP);
                may_free = !config.lazy_eviction();
            } else if used_then <= goal {
                return Room::Coming;
            } else if policy.is_some_and(|policy| access.evict(evictor, policy)) {
                budget -= 1;
            } else {
                return match () {
                    () if used <= limit => Room::Enough,
                    () if used_then <= limit => Room::Coming,
                    () => Room::None,
                };
            }
        }
    }
}

/// How many keys a call evicts at most. Redis gives a call 50 microseconds for each step of the
/// tenacity up to ten, 15 percent more for each step beyond, and no bound at 100; a key takes about
/// a microsecond.
fn evictions_per_call(tenacity: u64) -> usize {
    const PER_STEP: usize = 50;
    match tenacity {
        0 => 1,
        1..=10 => PER_STEP * tenacity as usize,
        11..=99 => ((10 * PER_STEP) as f64 * 1.15f64.powi(tenacity as i32 - 10)) as usize,
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_grows_by_steps_and_then_by_shares() {
        assert_eq!([0, 1, 10, 11].map(evictions_per_call), [1, 50, 500, 575]);
        assert!((99..100).map(evictions_per_call).all(|count| count > 100_000_000));
        assert_eq!(evictions_per_call(100), usize::MAX);
    }
}
