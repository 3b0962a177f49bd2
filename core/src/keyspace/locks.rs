//! Which locks of shards are held. They are taken in ascending order, so that no two callers wait
//! for each other.

use super::{Key, Keyspace, Shard};
use parking_lot::MutexGuard;
use smallvec::SmallVec;

/// How many keys a batch locks and brings near at once.
pub(crate) const BATCH: usize = 16;

type Guard<'k> = MutexGuard<'k, Shard>;

/// Locks that are held until this is dropped.
pub(super) enum Held<'k> {
    /// No lock. Walks take one at a time; nothing else is allowed.
    Nothing,
    /// This shard.
    One(Guard<'k>),
    /// These shards, ascending.
    Some(SmallVec<[Guard<'k>; BATCH]>),
    /// All shards.
    All(Vec<Guard<'k>>),
}

const OF_ITS_SLOT: &str = "a walk holds all locks, none, or that of its slot";
const OF_ITS_KEYS: &str = "a command locks the shards of all its keys";

impl<'k> Held<'k> {
    /// The locks of these keys' shards, once each.
    #[inline]
    pub(super) fn keys(keyspace: &'k Keyspace, keys: &mut [Key<'_>]) -> Self {
        match keys {
            [key] => Self::slot(keyspace, key.slot),
            _ => Self::many(keyspace, keys),
        }
    }

    fn many(keyspace: &'k Keyspace, keys: &mut [Key<'_>]) -> Self {
        let in_order = |(number, key): (usize, &Key<'_>)| {
            (keyspace.shard_of(key.slot) as u64) << 32 | number as u64
        };
        let mut order: SmallVec<[u64; BATCH]> = keys.iter().enumerate().map(in_order).collect();
        order.sort_unstable();
        let mut guards: SmallVec<[Guard<'k>; BATCH]> = SmallVec::new();
        let mut last = None;
        for place in order {
            let shard = (place >> 32) as usize;
            if last != Some(shard) {
                guards.push(keyspace.lock(shard));
                last = Some(shard);
            }
            keys[place as u32 as usize].held = (guards.len() - 1) as u16;
        }
        Self::Some(guards)
    }

    /// The lock of a slot's shard.
    #[inline]
    pub(super) fn slot(keyspace: &'k Keyspace, slot: u16) -> Self {
        Self::One(keyspace.lock(keyspace.shard_of(slot)))
    }

    /// Every lock.
    pub(super) fn all(keyspace: &'k Keyspace) -> Self {
        Self::All((0..keyspace.shards()).map(|shard| keyspace.lock(shard)).collect())
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
