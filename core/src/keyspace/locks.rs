//! Which locks of shards are held, and how they are taken.
//!
//! Locks are taken in ascending order, so that no two callers wait for each other. A script alone
//! finds out only by and by which it needs: it *claims* them in whatever order. Who holds some locks
//! and waits for one gives them up when he sees that there is a claim, which he can, having done
//! nothing yet, and begins anew. So a claim waits for nobody who waits.

use super::{Key, Keyspace, Shard};
use parking_lot::MutexGuard;
use smallvec::SmallVec;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How many keys a batch locks and brings near at once.
pub(crate) const BATCH: usize = 16;

/// How long who waits for a lock sleeps before he looks around.
const LOOK_EVERY: Duration = Duration::from_millis(2);

type Guard<'k> = MutexGuard<'k, Shard>;
type Guards<'k> = SmallVec<[Guard<'k>; BATCH]>;

/// Says whether a caller has waited for long enough.
pub(crate) type GivesUp<'g> = &'g dyn Fn() -> bool;

/// Why a lock was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missed {
    /// The caller would wait no longer.
    GaveUp,
    /// Somebody claims locks.
    Claimed,
}

/// Locks that are held until this is dropped.
pub(super) enum Held<'k> {
    /// No lock. Walks take one at a time; nothing else is allowed.
    Nothing,
    /// This shard.
    One(Guard<'k>),
    /// These shards, ascending.
    Some(Guards<'k>),
    /// All shards.
    All(Guards<'k>),
}

const OF_ITS_SLOT: &str = "a walk holds all locks, none, or that of its slot";
const OF_ITS_KEYS: &str = "a command locks the shards of all its keys";

impl<'k> Held<'k> {
    /// The locks of these keys' shards, once each; none if the caller gives up before.
    #[inline]
    pub(super) fn keys(
        keyspace: &'k Keyspace,
        keys: &mut [Key<'_>],
        gives_up: GivesUp<'_>,
    ) -> Option<Self> {
        match keys {
            [key] => {
                let shard = keyspace.shard_of(key.slot);
                keyspace.lock_alone(shard, gives_up).map(Self::One)
            }
            _ => Self::many(keyspace, keys, gives_up).map(Self::Some),
        }
    }

    fn many(
        keyspace: &'k Keyspace,
        keys: &mut [Key<'_>],
        gives_up: GivesUp<'_>,
    ) -> Option<Guards<'k>> {
        let in_order = |(number, key): (usize, &Key<'_>)| {
            (keyspace.shard_of(key.slot) as u64) << 32 | number as u64
        };
        let mut order: SmallVec<[u64; BATCH]> = keys.iter().enumerate().map(in_order).collect();
        order.sort_unstable();
        let shard_of = |place: &u64| (place >> 32) as usize;
        let guards = keyspace.lock_in_order(order.iter().map(shard_of), gives_up)?;
        let mut held = 0;
        for place in order {
            held += usize::from(usize::from(guards[held].number) != shard_of(&place));
            keys[place as u32 as usize].held = held as u16;
        }
        Some(guards)
    }

    /// The lock of a slot's shard.
    #[inline]
    pub(super) fn slot(keyspace: &'k Keyspace, slot: u16) -> Self {
        Self::One(keyspace.lock(keyspace.shard_of(slot)))
    }

    /// Every lock; none if the caller gives up before.
    pub(super) fn all(keyspace: &'k Keyspace, gives_up: GivesUp<'_>) -> Option<Self> {
        keyspace.lock_in_order(0..keyspace.shards(), gives_up).map(Self::All)
    }

    /// Takes the lock of a shard besides those that are held.
    #[cfg(feature = "scripts")]
    pub(super) fn claim(&mut self, keyspace: &'k Keyspace, number: usize) {
        let mut guards = self.take();
        let at = guards.binary_search_by_key(&number, |guard| usize::from(guard.number));
        if let Err(at) = at {
            guards.insert(at, keyspace.claim(number));
        }
        *self = Self::Some(guards);
    }

    /// Takes all locks that are not held.
    #[cfg(feature = "scripts")]
    pub(super) fn claim_all(&mut self, keyspace: &'k Keyspace) {
        let mut held = self.take().into_iter().peekable();
        let mut take = |number: usize| {
            let own = held.next_if(|guard| usize::from(guard.number) == number);
            own.unwrap_or_else(|| keyspace.claim(number))
        };
        *self = Self::All((0..keyspace.shards()).map(&mut take).collect());
    }

    /// The locks, ascending.
    #[cfg(feature = "scripts")]
    fn take(&mut self) -> Guards<'k> {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Guards::new(),
            Self::One(guard) => Guards::from_iter([guard]),
            Self::Some(guards) | Self::All(guards) => guards,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All(_))
    }

    /// Whether the lock of a shard is held.
    pub(super) fn holds(&self, number: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(guard) => usize::from(guard.number) == number,
            Self::Some(guards) => position(guards, number).is_some(),
            Self::All(_) => true,
        }
    }

    /// The shard of a key, whose number this is.
    #[inline]
    pub(super) fn shard(&self, key: &Key<'_>, number: usize) -> &Shard {
        match self {
            Self::One(guard) => {
                assert!(usize::from(guard.number) == number, "{OF_ITS_KEYS}");
                guard
            }
            Self::Some(guards) => &guards[guard_of(guards, key, number)],
            Self::All(guards) => &guards[number],
            Self::Nothing => unreachable!("{OF_ITS_KEYS}"),
        }
    }

    /// As [`Held::shard`].
    #[inline]
    pub(super) fn shard_mut(&mut self, key: &Key<'_>, number: usize) -> &mut Shard {
        match self {
            Self::One(guard) => {
                assert!(usize::from(guard.number) == number, "{OF_ITS_KEYS}");
                guard
            }
            Self::Some(guards) => {
                let at = guard_of(guards, key, number);
                &mut guards[at]
            }
            Self::All(guards) => &mut guards[number],
            Self::Nothing => unreachable!("{OF_ITS_KEYS}"),
        }
    }

    /// A shard that is held; none if no lock is.
    pub(super) fn numbered(&mut self, number: usize) -> Option<&mut Shard> {
        match self {
            Self::Nothing => None,
            Self::One(guard) => {
                assert!(usize::from(guard.number) == number, "{OF_ITS_SLOT}");
                Some(guard)
            }
            Self::Some(guards) => {
                let at = position(guards, number).expect(OF_ITS_SLOT);
                Some(&mut guards[at])
            }
            Self::All(guards) => Some(&mut guards[number]),
        }
    }

    /// The shards that are held.
    #[inline]
    pub(super) fn shards(&mut self) -> impl Iterator<Item = &mut Shard> {
        let guards = match self {
            Self::Nothing => &mut [],
            Self::One(guard) => std::slice::from_mut(guard),
            Self::Some(guards) => &mut guards[..],
            Self::All(guards) => &mut guards[..],
        };
        guards.iter_mut().map(|guard| &mut **guard)
    }
}

/// Which of some locks is that of a key, whose shard has this number.
#[inline]
fn guard_of(guards: &[Guard<'_>], key: &Key<'_>, number: usize) -> usize {
    let at = usize::from(key.held);
    if guards.get(at).is_some_and(|guard| usize::from(guard.number) == number) {
        return at;
    }
    position(guards, number).expect(OF_ITS_KEYS)
}

fn position(guards: &[Guard<'_>], number: usize) -> Option<usize> {
    guards.iter().position(|guard| usize::from(guard.number) == number)
}

impl Keyspace {
    /// Takes locks whose numbers ascend, once each.
    #[inline]
    fn lock_in_order(
        &self,
        numbers: impl Iterator<Item = usize> + Clone,
        gives_up: GivesUp<'_>,
    ) -> Option<Guards<'_>> {
        loop {
            let mut guards = Guards::new();
            let mut last = None;
            let mut missed = None;
            for number in numbers.clone() {
                if last.replace(number) == Some(number) {
                    continue;
                }
                let guard = match self.cells[number].shard.try_lock() {
                    Some(guard) => Ok(guard),
                    None => self.wait_for(number, guards.is_empty(), gives_up),
                };
                match guard {
                    Ok(guard) => guards.push(guard),
                    Err(why) => {
                        missed = Some((number, why));
                        break;
                    }
                }
            }
            match missed {
                None => return Some(guards),
                Some((_, Missed::GaveUp)) => return None,
                Some((number, Missed::Claimed)) => {
                    drop(guards);
                    drop(self.lock_alone(number, gives_up)?);
                }
            }
        }
    }

    /// Takes a lock while no other is held.
    #[inline]
    fn lock_alone(&self, number: usize, gives_up: GivesUp<'_>) -> Option<Guard<'_>> {
        let guard = self.cells[number].shard.try_lock();
        guard.or_else(|| self.wait_for(number, true, gives_up).ok())
    }

    #[cold]
    fn wait_for(
        &self,
        number: usize,
        is_alone: bool,
        gives_up: GivesUp<'_>,
    ) -> Result<Guard<'_>, Missed> {
        loop {
            if let Some(guard) = self.cells[number].shard.try_lock_for(LOOK_EVERY) {
                return Ok(guard);
            }
            if gives_up() {
                return Err(Missed::GaveUp);
            }
            if !is_alone && self.is_claimed.load(Relaxed) {
                return Err(Missed::Claimed);
            }
        }
    }

    /// Takes a lock in no order. Only one caller does so at a time.
    #[cfg(feature = "scripts")]
    fn claim(&self, number: usize) -> Guard<'_> {
        self.cells[number].shard.try_lock().unwrap_or_else(|| {
            self.is_claimed.store(true, Relaxed);
            let guard = self.lock(number);
            self.is_claimed.store(false, Relaxed);
            guard
        })
    }
}

#[cfg(all(test, feature = "scripts"))]
mod tests {
    use crate::keyspace::{Access, Expiry, Keyspace, tests};
    use crate::slot::SlotScheme;
    use crate::structs::entry::NewBody;
    use crate::time::{ManualClock, Moment};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    fn keyspace() -> Keyspace {
        tests::keyspace(1024, SlotScheme::Redis)
    }

    #[test]
    fn who_claims_in_any_order_gets_all_from_those_who_take_them_in_order() {
        let keyspace = keyspace();
        let clock = ManualClock::new(0);
        let names: Vec<String> = (0..4).map(|number| number.to_string()).collect();
        let locate = |at: usize| keyspace.locate(0, names[at].as_bytes());
        let in_order = || {
            let time = Moment::new(&clock);
            let mut keys: Vec<_> = (0..names.len()).map(locate).collect();
            for _ in 0..200 {
                let mut access = Access::keys(&keyspace, &time, &mut keys);
                keys.iter().for_each(|key| _ = access.contains(key));
            }
        };
        let by_and_by = || {
            let time = Moment::new(&clock);
            for round in 0..200 {
                let mut access = Access::nothing(&keyspace, &time);
                for step in 0..4 {
                    let key = locate((round + 3 * step) % 4);
                    access.claim(&[key]);
                    access.contains(&key);
                }
                if round % 10 == 0 {
                    access.claim_all();
                    (0..4).for_each(|at| _ = access.contains(&locate(at)));
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(in_order);
            scope.spawn(in_order);
            scope.spawn(by_and_by);
        });
    }

    #[test]
    fn who_gives_up_holds_nothing() {
        let keyspace = keyspace();
        let clock = ManualClock::new(0);
        let time = Moment::new(&clock);
        let mut keys = [keyspace.locate(0, b"a"), keyspace.locate(0, b"b")];
        let held = Access::keys(&keyspace, &time, &mut [keys[1]]);
        assert!(Access::keys_unless(&keyspace, &time, &mut keys, &|| true).is_none());
        assert!(Access::keys_unless(&keyspace, &time, &mut [keys[1]], &|| true).is_none());
        assert!(Access::all_unless(&keyspace, &time, &|| true).is_none());
        assert!(Access::keys_unless(&keyspace, &time, &mut [keys[0]], &|| true).is_some());
        drop(held);
        assert!(Access::keys_unless(&keyspace, &time, &mut keys, &|| true).is_some());
    }

    #[test]
    fn a_claim_heeds_who_began_to_watch_before() {
        let keyspace = keyspace();
        let clock = ManualClock::new(0);
        let time = Moment::new(&clock);
        let (first, second) = (keyspace.locate(0, b"a"), keyspace.locate(0, b"b"));
        let mut access = Access::keys(&keyspace, &time, &mut [first]);
        let flag = Arc::new(AtomicBool::new(false));
        Access::keys(&keyspace, &time, &mut [second]).watch(&second, &flag);
        access.claim(&[second]);
        access.put(&second, 0, NewBody::Bytes(b"v"), Expiry::Never);
        assert!(flag.load(Relaxed));
    }
}
