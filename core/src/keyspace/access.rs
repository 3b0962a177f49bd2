//! Everything that a command may do to keys while it holds their locks.

use super::change::{Changes, Event};
use super::effect::Recorder;
use super::locks::{GivesUp, Held};
use super::partition::Traffic;
use super::usage::{Usage, Use};
use super::{Key, Keyspace, NewValue, Partition, Shard};
use crate::structs::entry::{Body, NewBody};
use crate::structs::prefetch::prefetch;
use crate::structs::table::{Place, SegmentedTable};
use crate::time::Moment;
use crate::value::{self, Object, Record};

/// How many expired members of a value are deleted when its key is met.
const MEMBERS_STEP: usize = 64;

/// What happens to a key's expiry when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The key does not expire.
    Never,
    /// It expires when it did before; a new key does not.
    Keep,
    /// It expires at this time, in milliseconds since the Unix epoch.
    At(u64),
}

/// What was met on the way, to be added to the engine's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessStats {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Keys deleted because they were found expired.
    pub(crate) expired: u64,
    /// Members, such as fields of hashes, deleted because they were found expired.
    pub(crate) expired_members: u64,
    /// Keys deleted because memory was short.
    pub(crate) evicted: u64,
    /// Changes made to keys.
    pub(crate) changes: u64,
}

/// What [`Access::change`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed<R> {
    /// What the change returned.
    pub(crate) result: R,
    /// Whether the value was empty then, and the key is gone.
    pub(crate) emptied: bool,
}

const PATIENT: &str = "this caller does not give up";

/// Keys under lock.
pub(crate) struct Access<'k> {
    keyspace: &'k Keyspace,
    /// Before the locks, so that it is dropped while they are held.
    pub(super) recorder: Recorder<'k>,
    held: Held<'k>,
    time: &'k Moment<'k>,
    /// What stamps tell.
    usage: Usage,
    /// Whether reads leave the stamps of records alone.
    pub(crate) no_touch: bool,
    /// The session that acts; zero if it is none.
    pub(crate) actor: u64,
    pub(crate) stats: AccessStats,
    /// The classes of events that are listened to.
    pub(super) events: u32,
    /// Whether somebody wants to know of changes to keys.
    pub(super) is_of_interest: bool,
    /// What happened, as far as somebody wants to know.
    pub(crate) changes: Changes,
}

impl<'k> Access<'k> {
    /// Who wants to know of what the locks guard has said so under them.
    #[inline]
    fn new(keyspace: &'k Keyspace, time: &'k Moment<'k>, held: Held<'k>) -> Self {
        Self {
            keyspace,
            recorder: Recorder::new(keyspace),
            held,
            time,
            usage: keyspace.usage(),
            no_touch: false,
            actor: 0,
            stats: AccessStats::default(),
            events: keyspace.heard_events(),
            is_of_interest: keyspace.has_interests(),
            changes: Changes::default(),
        }
    }

    /// Access without a lock, for walks and for commands without keys.
    pub(crate) fn nothing(keyspace: &'k Keyspace, time: &'k Moment<'k>) -> Self {
        Self::new(keyspace, time, Held::Nothing)
    }

    /// Locks the shards of these keys, once each.
    #[inline]
    pub(crate) fn keys(keyspace: &'k Keyspace, time: &'k Moment<'k>, keys: &mut [Key<'_>]) -> Self {
        Self::keys_unless(keyspace, time, keys, &|| false).expect(PATIENT)
    }

    /// As [`Access::keys`]; none if the caller gives up before it has all locks.
    #[inline]
    pub(crate) fn keys_unless(
        keyspace: &'k Keyspace,
        time: &'k Moment<'k>,
        keys: &mut [Key<'_>],
        gives_up: GivesUp<'_>,
    ) -> Option<Self> {
        Some(Self::new(keyspace, time, Held::keys(keyspace, keys, gives_up)?))
    }

    /// Locks the shard of a slot.
    #[inline]
    pub(crate) fn slot(keyspace: &'k Keyspace, time: &'k Moment<'k>, slot: u16) -> Self {
        Self::new(keyspace, time, Held::slot(keyspace, slot))
    }

    /// Locks every shard.
    pub(crate) fn all(keyspace: &'k Keyspace, time: &'k Moment<'k>) -> Self {
        Self::all_unless(keyspace, time, &|| false).expect(PATIENT)
    }

    /// As [`Access::all`]; none if the caller gives up before it has all locks.
    pub(crate) fn all_unless(
        keyspace: &'k Keyspace,
        time: &'k Moment<'k>,
        gives_up: GivesUp<'_>,
    ) -> Option<Self> {
        Some(Self::new(keyspace, time, Held::all(keyspace, gives_up)?))
    }

    /// Locks the shards of these keys too, as far as they are not. Only one caller at a time may do
    /// so that holds locks: the script that runs, for the command that it gives.
    #[cfg(feature = "scripts")]
    pub(crate) fn claim(&mut self, keys: &[Key<'_>]) {
        for key in keys {
            if !self.holds(key) {
                self.held.claim(self.keyspace, self.keyspace.shard_of(key.slot));
                self.look_around();
            }
        }
    }

    /// The same for every shard.
    #[cfg(feature = "scripts")]
    pub(crate) fn claim_all(&mut self) {
        if !self.held.is_all() {
            self.held.claim_all(self.keyspace);
            self.look_around();
        }
    }

    /// Heeds who wants to know of what the locks guard that were taken just now.
    #[cfg(feature = "scripts")]
    fn look_around(&mut self) {
        self.recorder.look_around();
        self.events = self.keyspace.heard_events();
        self.look_for_interests();
    }

    /// Whether the lock of a key is held.
    pub(crate) fn holds(&self, key: &Key<'_>) -> bool {
        self.held.holds(self.keyspace.shard_of(key.slot))
    }

    /// Lets `work` see a key, which is locked for it if nothing is.
    pub(crate) fn with_key<'a, R>(
        &mut self,
        key: &mut Key<'a>,
        work: impl FnOnce(&mut Access<'k>, &Key<'a>) -> R,
    ) -> R {
        if !self.held.is_nothing() {
            return work(self, key);
        }
        let mut access = Self::keys(self.keyspace, self.time, std::slice::from_mut(key));
        let result = work(&mut access, key);
        self.absorb(&mut access);
        result
    }

    /// Lets `work` hold the lock of every shard. This holds them already, or none.
    pub(crate) fn with_all<R>(&mut self, work: impl FnOnce(&mut Access<'k>) -> R) -> R {
        if self.held.is_all() {
            return work(self);
        }
        let mut access = Self::all(self.keyspace, self.time);
        let result = work(&mut access);
        self.absorb(&mut access);
        result
    }

    /// Lets `work` hold the lock of a slot's shard. This holds all locks, or none.
    pub(crate) fn with_slot<R>(&mut self, slot: u16, work: impl FnOnce(&mut Access<'k>) -> R) -> R {
        if self.held.is_all() {
            return work(self);
        }
        let mut access = Self::slot(self.keyspace, self.time, slot);
        let result = work(&mut access);
        self.absorb(&mut access);
        result
    }

    /// The keyspace that this gives access to.
    pub(crate) fn keyspace(&self) -> &'k Keyspace {
        self.keyspace
    }

    /// The time of this batch, in milliseconds since the Unix epoch.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.time.unix_ms()
    }

    /// Starts to bring these keys' records near. Worth it from two keys on. Each level is asked
    /// for, for all keys, before the next level needs it.
    pub(crate) fn prefetch(&mut self, keys: &[Key<'_>]) {
        for key in keys {
            if let Some(table) = self.table(key) {
                prefetch(table);
            }
        }
        // Where tables of the first database are was known before the locks were taken.
        for key in keys.iter().filter(|key| key.db != 0) {
            if let Some(table) = self.table(key) {
                table.prefetch(key.hash);
            }
        }
        for key in keys {
            if let Some(record) = self.table(key).and_then(|table| table.candidate(key.hash)) {
                record.prefetch();
            }
        }
    }

    /// The record of a key for a read that counts: hits, misses and the stamp.
    #[inline]
    pub(crate) fn read(&mut self, key: &Key<'_>) -> Option<&Record> {
        self.counted(key, !self.no_touch)
    }

    /// The records of several keys, each read as [`Access::read`] does.
    pub(crate) fn read_all(&mut self, keys: &[Key<'_>]) -> Vec<Option<&Record>> {
        self.prefetch(keys);
        for key in keys {
            self.read(key);
        }
        let access = &*self;
        keys.iter().map(|key| access.present(key)).collect()
    }

    /// As [`Access::read`], but the stamp stays as it is.
    pub(crate) fn look(&mut self, key: &Key<'_>) -> Option<&Record> {
        self.counted(key, false)
    }

    #[inline]
    fn counted(&mut self, key: &Key<'_>, is_use: bool) -> Option<&Record> {
        let at = self.keyspace.slot_in_shard(key.slot);
        let Some(place) = self.live_place(key) else {
            self.stats.misses += 1;
            if let Some(partition) = self.partition_as_is(key) {
                partition.note_miss(at);
            }
            self.notify(Event::Miss, "keymiss", key);
            return None;
        };
        self.stats.hits += 1;
        let one_use = is_use.then(|| self.one_use(key));
        let record = self.partition_as_is(key)?.record_read(at, place);
        if let Some(one_use) = one_use {
            one_use.note(record);
        }
        Some(record)
    }

    /// Counts a command for the slot of a key. Without the lock, as a key is when a command looked
    /// at it by itself, nothing is counted.
    pub(crate) fn note_traffic(&mut self, key: &Key<'_>, command: Traffic) {
        let at = self.keyspace.slot_in_shard(key.slot);
        if self.holds(key) {
            self.partition_or_new(key).note_traffic(at, command);
        }
    }

    /// Finds a key that a change is about to use: notes the use as a read does, but counts no hit
    /// and no miss. Returns whether the key exists.
    pub(crate) fn touch(&mut self, key: &Key<'_>) -> bool {
        let Some(place) = self.live_place(key) else { return false };
        if !self.no_touch {
            let one_use = self.one_use(key);
            let at = self.keyspace.slot_in_shard(key.slot);
            one_use.note(self.shard(key).record_mut(key.db, at, place));
        }
        true
    }

    /// A use of a key's record now.
    #[inline]
    fn one_use(&mut self, key: &Key<'_>) -> Use {
        let chance = match self.usage {
            Usage::Recency => 0,
            Usage::Frequency { .. } => self.shard(key).draw(key.hash),
        };
        Use { usage: self.usage, now_ms: self.time.unix_ms(), chance }
    }

    /// The record of a key, without a trace of having looked.
    pub(crate) fn peek(&mut self, key: &Key<'_>) -> Option<&Record> {
        let place = self.live_place(key)?;
        let at = self.keyspace.slot_in_shard(key.slot);
        Some(self.partition(key)?.record(at, place))
    }

    /// Whether the key exists.
    pub(crate) fn contains(&mut self, key: &Key<'_>) -> bool {
        self.live_place(key).is_some()
    }

    /// Stores a value under a key, new or not. `tag` goes with the body into the record.
    pub(crate) fn put(&mut self, key: &Key<'_>, tag: u8, body: NewValue<'_>, expiry: Expiry) {
        self.stats.changes += 1;
        let keyspace = self.keyspace;
        let at = keyspace.slot_in_shard(key.slot);
        if let Some(place) = self.live_place(key) {
            let one_use = self.one_use(key);
            let partition = self.partition_or_new(key);
            match expiry {
                Expiry::Keep => {}
                Expiry::Never => partition.set_expire(at, place, key.hash, None),
                Expiry::At(ms) => partition.set_expire(at, place, key.hash, Some(ms)),
            }
            let previous = partition.set_body(at, place, key.hash, tag, body);
            let record = partition.record_mut(at, place);
            one_use.note(record);
            let due_ms = value::first_member_expiry_ms(record);
            self.note_due(key, due_ms);
            self.bury(previous);
        } else {
            let expire_ms = match expiry {
                Expiry::Keep | Expiry::Never => None,
                Expiry::At(ms) => Some(ms),
            };
            let stamp = self.usage.first(self.time.unix_ms());
            let record = Record::new(key.bytes, tag, body, expire_ms, stamp);
            self.note_due(key, value::first_member_expiry_ms(&record));
            let hash_of = |record: &Record| keyspace.hash(record.key());
            self.partition_or_new(key).insert(at, key.hash, record, hash_of);
            self.notify(Event::New, "new", key);
        }
        if let Expiry::At(ms) = expiry {
            self.note_due(key, Some(ms));
        }
        self.tell(key);
    }

    /// Lets active expiry know of a time at which something under a key is due.
    #[inline]
    fn note_due(&self, key: &Key<'_>, due_ms: Option<u64>) {
        if let Some(ms) = due_ms {
            self.keyspace.note_due(self.keyspace.shard_of(key.slot), ms);
        }
    }

    /// Lets `change` work on the value of a key. It returns how many changes it made, which count,
    /// with its result; key and expiry must stay. A collection that is empty then is deleted with
    /// its key. None if there is no such key.
    pub(crate) fn change<R, E>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(&mut Record) -> Result<(u64, R), E>,
    ) -> Result<Option<Changed<R>>, E> {
        let Some(place) = self.live_place(key) else { return Ok(None) };
        self.change_at(key, place, change).map(Some)
    }

    fn change_at<R, E>(
        &mut self,
        key: &Key<'_>,
        place: Place,
        change: impl FnOnce(&mut Record) -> Result<(u64, R), E>,
    ) -> Result<Changed<R>, E> {
        let at = self.keyspace.slot_in_shard(key.slot);
        let one_use = (!self.no_touch).then(|| self.one_use(key));
        let partition = self.partition_or_new(key);
        let (result, emptied, due_ms) = partition.change(at, place, key.hash, |record| {
            let result = change(record);
            if let Some(one_use) = one_use {
                one_use.note(record);
            }
            let due_ms = value::first_member_expiry_ms(record);
            (result, value::is_empty_collection(record), due_ms)
        });
        self.note_due(key, due_ms);
        if emptied {
            let record = self.take_place(key, place);
            self.bury(record.into_boxed());
        }
        let (changes, result) = result?;
        self.stats.changes += changes;
        if changes > 0 || emptied {
            self.tell(key);
        }
        Ok(Changed { result, emptied })
    }

    /// As [`Access::change`], on a key that is made with an empty value first if there is none.
    pub(crate) fn change_or_new<R, E>(
        &mut self,
        key: &Key<'_>,
        tag: u8,
        empty: NewValue<'_>,
        change: impl FnOnce(&mut Record) -> Result<(u64, R), E>,
    ) -> Result<Changed<R>, E> {
        let place = self.live_place(key).unwrap_or_else(|| {
            let changes = self.stats.changes;
            self.put(key, tag, empty, Expiry::Never);
            self.stats.changes = changes;
            self.live_place(key).expect("it was made just now")
        });
        self.change_at(key, place, change)
    }

    /// Sets, changes or removes the expiry time of a key. Returns whether the key exists.
    pub(crate) fn set_expire_ms(&mut self, key: &Key<'_>, expire_ms: Option<u64>) -> bool {
        let Some(place) = self.live_place(key) else { return false };
        let keyspace = self.keyspace;
        let at = keyspace.slot_in_shard(key.slot);
        self.stats.changes += 1;
        self.partition_or_new(key).set_expire(at, place, key.hash, expire_ms);
        self.note_due(key, expire_ms);
        self.tell(key);
        true
    }

    /// Sets the stamp of a key.
    pub(crate) fn set_stamp(&mut self, key: &Key<'_>, stamp: u32) {
        let Some(place) = self.live_place(key) else { return };
        let at = self.keyspace.slot_in_shard(key.slot);
        self.shard(key).record_mut(key.db, at, place).set_stamp(stamp);
    }

    /// Deletes a key. A large value is freed by and by. Returns whether the key existed.
    pub(crate) fn remove(&mut self, key: &Key<'_>) -> bool {
        let Some(record) = self.take(key) else { return false };
        self.bury(record.into_boxed());
        true
    }

    /// Deletes what a key holds, if anything, before something that is new under it takes its place.
    pub(crate) fn make_way(&mut self, key: &Key<'_>) {
        if let Some(place) = self.live_place(key) {
            let record = self.take_place(key, place);
            self.bury(record.into_boxed());
        }
    }

    /// Takes a record out, to be put elsewhere.
    pub(crate) fn take(&mut self, key: &Key<'_>) -> Option<Record> {
        let place = self.live_place(key)?;
        self.stats.changes += 1;
        let record = self.take_place(key, place);
        self.tell(key);
        Some(record)
    }

    /// Moves a value and its expiry to another key, whose own value is lost. False if there is
    /// nothing to move.
    pub(crate) fn rename(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(record) = self.take(from) else { return false };
        self.make_way(to);
        let expiry = record.expire_ms().map_or(Expiry::Never, Expiry::At);
        let tag = record.tag();
        let stamp = record.stamp();
        match record.body() {
            Body::Bytes(bytes) => self.put(to, tag, NewBody::Bytes(bytes), expiry),
            Body::Int(value) => self.put(to, tag, NewBody::Int(value), expiry),
            Body::Boxed(_) => {
                let object = record.into_boxed().expect("the body is boxed");
                self.put(to, tag, NewBody::Boxed(object), expiry);
            }
        }
        self.set_stamp(to, stamp);
        true
    }

    /// Copies a value and its expiry to another key, whose own value is lost. False if there is
    /// nothing to copy.
    pub(crate) fn copy(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(record) = self.peek(from) else { return false };
        let expiry = record.expire_ms().map_or(Expiry::Never, Expiry::At);
        let tag = record.tag();
        match record.body() {
            Body::Bytes(bytes) => {
                let bytes = bytes.to_vec();
                self.make_way(to);
                self.put(to, tag, NewBody::Bytes(&bytes), expiry);
            }
            Body::Int(value) => {
                self.make_way(to);
                self.put(to, tag, NewBody::Int(value), expiry);
            }
            Body::Boxed(object) => {
                let object = Box::new(object.clone());
                self.make_way(to);
                self.put(to, tag, NewBody::Boxed(object), expiry);
            }
        }
        true
    }

    /// Lets `work` see every shard in turn: those that are held, or each under its own lock.
    pub(super) fn each_shard(&mut self, mut work: impl FnMut(usize, &mut Shard)) {
        for number in 0..self.keyspace.shards() {
            self.with_shard(number, |shard| work(number, shard));
        }
    }

    /// Lets `work` see one shard, which is locked for it if it is not held.
    pub(super) fn with_shard<R>(&mut self, number: usize, work: impl FnOnce(&mut Shard) -> R) -> R {
        match self.held.numbered(number) {
            Some(shard) => work(shard),
            None => self.keyspace.with_shard(number, work),
        }
    }

    /// Notes what the shards take that are held, so that [`Keyspace::footprint`] knows.
    #[inline]
    pub(crate) fn note_changes(&mut self) {
        let keyspace = self.keyspace;
        self.held.shards().for_each(|shard| keyspace.note_change(shard));
    }

    /// The same for the shard of a key.
    pub(crate) fn note_change(&mut self, key: &Key<'_>) {
        let keyspace = self.keyspace;
        keyspace.note_change(self.shard(key));
    }

    /// Frees a value now, or by and by if it is large.
    pub(super) fn bury(&mut self, object: Option<Box<Object>>) {
        self.keyspace.bury(object);
    }

    /// Where a key's record is. A record that is found expired is deleted.
    #[inline]
    fn live_place(&mut self, key: &Key<'_>) -> Option<Place> {
        let keyspace = self.keyspace;
        let at = keyspace.slot_in_shard(key.slot);
        let time = self.time;
        let partition = self.partition(key)?;
        keyspace.note_whereabouts(key, partition.table(at)?);
        let place = partition.find(at, key)?;
        let record = partition.record(at, place);
        let is_over = record.expire_ms().is_some_and(|ms| ms < time.unix_ms());
        if is_over {
            self.take_expired(key, place);
            return None;
        }
        if value::has_expiring_members(record) {
            return self.expire_members(key, place);
        }
        Some(place)
    }

    #[cold]
    fn take_expired(&mut self, key: &Key<'_>, place: Place) {
        self.stats.expired += 1;
        let record = self.take_place(key, place);
        self.bury(record.into_boxed());
        self.record_expiry(key);
        self.notify(Event::Expired, "expired", key);
        self.tell(key);
    }

    /// Deletes some members of a record that are expired, or the whole record if all are. Returns
    /// where the record is then.
    fn expire_members(&mut self, key: &Key<'_>, place: Place) -> Option<Place> {
        let at = self.keyspace.slot_in_shard(key.slot);
        let now_ms = self.time.unix_ms();
        let is_over = |ms: Option<u64>| ms.is_some_and(|ms| ms < now_ms);
        let partition = self.partition_or_new(key);
        let record = partition.record(at, place);
        if !is_over(value::first_member_expiry_ms(record)) {
            return Some(place);
        }
        if is_over(value::last_member_expiry_ms(record)) {
            let record = self.take_place(key, place);
            self.stats.expired_members += value::member_count(&record) as u64;
            self.bury(record.into_boxed());
            self.record_expiry(key);
            self.notify(Event::Hash, "hexpired", key);
            self.notify(Event::Generic, "del", key);
            self.tell(key);
            return None;
        }
        let named = self.names_expired_members();
        let partition = self.partition_or_new(key);
        let (names, expired) = partition.change(at, place, key.hash, |record| {
            let names = named.then(|| value::expired_members(record, now_ms, MEMBERS_STEP));
            (names, value::remove_expired_members(record, now_ms, MEMBERS_STEP))
        });
        self.record_expiry_of_members(key, &names.unwrap_or_default());
        self.stats.expired_members += expired as u64;
        self.notify(Event::Hash, "hexpired", key);
        self.tell(key);
        Some(place)
    }

    pub(super) fn take_place(&mut self, key: &Key<'_>, place: Place) -> Record {
        let keyspace = self.keyspace;
        let at = keyspace.slot_in_shard(key.slot);
        let hash_of = |record: &Record| keyspace.hash(record.key());
        self.partition_or_new(key).remove(at, place, key.hash, hash_of)
    }

    /// The record of a key that was looked for just now.
    fn present(&self, key: &Key<'_>) -> Option<&Record> {
        let shard = self.held.shard(key, self.keyspace.shard_of(key.slot));
        let at = self.keyspace.slot_in_shard(key.slot);
        let partition = shard.database(key.db)?;
        Some(partition.record(at, partition.find(at, key)?))
    }

    #[inline]
    pub(super) fn shard(&mut self, key: &Key<'_>) -> &mut Shard {
        self.held.shard_mut(key, self.keyspace.shard_of(key.slot))
    }

    /// The table of a key's slot, if its database was ever written to.
    #[inline]
    fn table(&mut self, key: &Key<'_>) -> Option<&SegmentedTable<Record>> {
        let at = self.keyspace.slot_in_shard(key.slot);
        self.partition(key)?.table(at)
    }

    #[inline]
    fn partition(&mut self, key: &Key<'_>) -> Option<&Partition> {
        self.shard(key).database(key.db)
    }

    /// The records of a key's database, of which no number of bytes may change.
    #[inline]
    fn partition_as_is(&mut self, key: &Key<'_>) -> Option<&mut Partition> {
        self.shard(key).databases.get_mut(usize::from(key.db))
    }

    #[inline]
    fn partition_or_new(&mut self, key: &Key<'_>) -> &mut Partition {
        let slots = self.keyspace.slots_per_shard();
        self.shard(key).database_or_new(key.db, slots)
    }
}

impl Drop for Access<'_> {
    /// Notes what the shards take, before the locks are given up.
    fn drop(&mut self) {
        self.note_changes();
    }
}
