//! What calls did to keys, for those who asked to hear of it. Who asked is the engine's business.
//!
//! With nobody listening, [`Access::notify`] costs a test of a bit that was read when the locks were
//! taken.

use super::partition::Expired;
use super::watch::Interests;
use super::{Access, Key, Keyspace};
use crate::value::Record;
use std::sync::atomic::Ordering::Relaxed;

/// A class of events, as a letter of `notify-keyspace-events` chooses it; its number is the bit that
/// Redis gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Event {
    /// `g`: what can happen to a key of any type.
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `l`
    List = 1 << 4,
    /// `s`
    Set = 1 << 5,
    /// `h`
    Hash = 1 << 6,
    /// `z`
    SortedSet = 1 << 7,
    /// `x`: a key was deleted since its time was over.
    Expired = 1 << 8,
    /// `e`: a key was deleted since memory was short.
    Evicted = 1 << 9,
    /// `t`
    Stream = 1 << 10,
    /// `m`: a read found no key.
    Miss = 1 << 11,
    /// `n`: a key came to be.
    New = 1 << 14,
}

/// Messages go to the channel of the key (`K`).
pub(crate) const TO_KEYSPACE: u32 = 1 << 0;
/// Messages go to the channel of the event (`E`).
pub(crate) const TO_KEYEVENT: u32 = 1 << 1;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The event by its name in Redis, such as `lpush`.
    pub(crate) name: &'static str,
    pub(crate) db: u16,
    pub(crate) key: Box<[u8]>,
}

/// A key that somebody waits for and that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    pub(crate) db: u16,
    pub(crate) key: Box<[u8]>,
}

/// What happened to keys, in order, as far as somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) notices: Vec<Notice>,
    /// Keys that somebody waits for, each once.
    pub(crate) awaited: Vec<Awaited>,
    /// Names of keys that changed, while clients are told of that (CLIENT TRACKING). Neighbours are
    /// not the same.
    pub(crate) written: Vec<Box<[u8]>>,
    /// Those of which the clients were told that had read them, each with the session that changed
    /// it; clients that asked for all changes are told later, of many at once.
    pub(crate) broadcast: Vec<(Box<[u8]>, u64)>,
}

impl Changes {
    /// Adds what happened after this.
    pub(crate) fn append(&mut self, after: &mut Self) {
        self.notices.append(&mut after.notices);
        self.written.append(&mut after.written);
        self.broadcast.append(&mut after.broadcast);
        after.awaited.drain(..).for_each(|awaited| self.note_awaited(awaited.db, &awaited.key));
    }

    pub(super) fn note_written(&mut self, key: &[u8]) {
        if self.written.last().is_none_or(|last| **last != *key) {
            self.written.push(key.into());
        }
    }

    pub(super) fn note_awaited(&mut self, db: u16, key: &[u8]) {
        if !self.awaited.iter().any(|awaited| awaited.db == db && *awaited.key == *key) {
            self.awaited.push(Awaited { db, key: key.into() });
        }
    }
}

impl Keyspace {
    /// Chooses which events are noted: a union of [`Event`]s, [`TO_KEYSPACE`] and [`TO_KEYEVENT`].
    pub(crate) fn listen_to(&self, events: u32) {
        let heard = events & (TO_KEYSPACE | TO_KEYEVENT) != 0;
        self.events.store(if heard { events } else { 0 }, Relaxed);
    }

    /// Notes what active expiry did to a record, if somebody wants to know.
    pub(super) fn note_expired(
        &self,
        db: u16,
        expired: &Expired<'_>,
        now_ms: u64,
        interests: Option<&Interests>,
        changes: &mut Changes,
    ) {
        let heard = self.heard_events();
        let mut note = |event: Event, name, record: &Record| {
            if heard & event as u32 != 0 {
                changes.notices.push(Notice { name, db, key: record.key().into() });
            }
        };
        let record = match expired {
            Expired::Key(record) => {
                note(Event::Expired, "expired", record);
                record
            }
            Expired::MembersDue(record, budget) => {
                if self.is_listened_to() {
                    self.record_members_due(db, record, now_ms, *budget);
                }
                return;
            }
            Expired::Members(record) => {
                note(Event::Hash, "hexpired", record);
                record
            }
            Expired::LastMember(record) => {
                note(Event::Hash, "hexpired", record);
                note(Event::Generic, "del", record);
                record
            }
        };
        if self.is_listened_to() && !matches!(expired, Expired::Members(_)) {
            self.record_now(db, record.key(), now_ms, &[b"DEL", record.key()]);
        }
        if self.is_tracked() {
            changes.note_written(record.key());
        }
        if let Some(interests) = interests {
            interests.tell(db, self.hash(record.key()), record.key(), changes);
        }
    }

    /// What is listened to.
    pub(crate) fn heard_events(&self) -> u32 {
        self.events.load(Relaxed)
    }
}

impl Access<'_> {
    /// Notes that something happened to a key, if events of this class are listened to. To be called
    /// after the change, once for each event, in Redis's order.
    #[inline]
    pub(crate) fn notify(&mut self, event: Event, name: &'static str, key: &Key<'_>) {
        if self.events & event as u32 != 0 {
            self.push_notice(name, key.db, key.bytes);
        }
    }

    #[cold]
    fn push_notice(&mut self, name: &'static str, db: u16, key: &[u8]) {
        self.changes.notices.push(Notice { name, db, key: key.into() });
    }

    /// Adds what another access met and did, which must be given up by then or soon after.
    pub(crate) fn absorb(&mut self, other: &mut Access<'_>) {
        let stats = std::mem::take(&mut other.stats);
        self.stats.hits += stats.hits;
        self.stats.misses += stats.misses;
        self.stats.expired += stats.expired;
        self.stats.expired_members += stats.expired_members;
        self.stats.evicted += stats.evicted;
        self.stats.changes += stats.changes;
        self.changes.append(&mut other.changes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Expiry, Layout};
    use crate::slot::SlotScheme;
    use crate::time::{ManualClock, Moment};
    use crate::value::string;

    fn keyspace() -> Keyspace {
        let scheme = SlotScheme::Redis;
        Keyspace::new(Layout { scheme, shards: 4, databases: 2, seed: 0 })
    }

    fn put(access: &mut Access<'_>, key: &Key<'_>, expiry: Expiry) {
        access.put(key, string::TAG, string::encode(b"v"), expiry);
    }

    fn names(notices: &[Notice]) -> Vec<&'static str> {
        notices.iter().map(|notice| notice.name).collect()
    }

    #[test]
    fn what_nobody_listens_to_leaves_nothing_behind() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(1_000));
        let time = Moment::new(&clock);
        let mut key = keyspace.locate(0, b"k");
        for events in [0, Event::New as u32 | Event::List as u32, TO_KEYSPACE] {
            keyspace.listen_to(events);
            let mut access = Access::keys(&keyspace, &time, std::slice::from_mut(&mut key));
            put(&mut access, &key, Expiry::Never);
            access.notify(Event::List, "lpush", &key);
            assert!(access.changes.notices.is_empty());
            access.remove(&key);
        }
    }

    #[test]
    fn keys_that_come_are_missed_and_expire_are_noted_by_the_keyspace_itself() {
        let (keyspace, clock) = (keyspace(), ManualClock::new(1_000));
        let classes = Event::New as u32 | Event::Miss as u32 | Event::Expired as u32;
        keyspace.listen_to(TO_KEYEVENT | classes);
        let mut key = keyspace.locate(1, b"k");
        let time = Moment::new(&clock);
        let mut access = Access::keys(&keyspace, &time, std::slice::from_mut(&mut key));
        assert!(access.read(&key).is_none());
        put(&mut access, &key, Expiry::At(2_000));
        put(&mut access, &key, Expiry::Keep);
        assert_eq!(names(&access.changes.notices), ["keymiss", "new"]);
        drop(access);

        clock.advance_ms(5_000);
        let time = Moment::new(&clock);
        let mut access = Access::keys(&keyspace, &time, std::slice::from_mut(&mut key));
        put(&mut access, &key, Expiry::At(7_000));
        assert_eq!(names(&access.changes.notices), ["expired", "new"]);
        drop(access);

        let mut changes = Changes::default();
        assert_eq!(keyspace.expire_due(8_000, 10, &mut changes).keys, 1);
        assert_eq!(changes.notices, [Notice { name: "expired", db: 1, key: (*b"k").into() }]);
    }
}
