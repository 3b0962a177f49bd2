//! Slot to key to value: who holds the locks, what is due, what memory it takes. Knows no command
//! and no session.
//!
//! ```text
//! Keyspace -> shards (a lock each) -> databases -> slots (a segmented table each) -> records
//! ```
//! A slot's place in memory follows from its number, so counting, listing and deleting a slot cost
//! what the slot holds. A caller takes the locks it needs through [`Access`].

mod access;
mod change;
mod due;
mod effect;
mod eviction;
mod graveyard;
mod locks;
#[cfg(test)]
mod member_tests;
mod memory;
mod partition;
#[cfg(test)]
mod tests;
mod upkeep;
mod usage;
mod walk;
mod watch;

pub(crate) use access::{Access, Changed, Expiry};
pub(crate) use change::{Awaited, Changes, Event, Notice, TO_KEYEVENT, TO_KEYSPACE};
pub(crate) use effect::{Audience, EffectKey, Listener, Recorded};
pub(crate) use eviction::{Among, Evictor, Order, Policy};
pub(crate) use memory::{DatabaseMemory, KeyspaceMemory};
pub(crate) use partition::{ExpiredCounts, NewValue, Partition, Traffic};
pub(crate) use usage::Usage;
pub(crate) use walk::{Cursor, place_in_walk};
pub(crate) use watch::Flag;

use crate::slot::SlotScheme;
use crate::structs::allocation::footprint;
use crate::structs::prefetch::prefetch;
use crate::structs::table::{Place, SegmentedTable, Whereabouts};
use crate::value::Record;
use effect::Journal;
use foldhash::quality::FixedState;
use graveyard::Graveyard;
use memory::{Gauge, Population};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A key with everything that follows from its bytes. Made by [`Keyspace::locate`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: u64,
    pub(crate) slot: u16,
    pub(crate) db: u16,
    /// Which of the held locks guards the key, if the key was located before they were taken.
    pub(crate) held: u16,
}

impl<'a> Key<'a> {
    /// The same key in another database.
    pub(crate) fn in_db(self, db: usize) -> Self {
        Self { db: db as u16, ..self }
    }
}

/// What a lock guards: some slots, in every database.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Which one it is.
    number: u16,
    /// Whether something changed since what it takes was noted.
    is_changed: bool,
    /// How many chances were drawn here.
    draws: u32,
    /// Databases that were touched, in order; nearly always only the first.
    databases: SmallVec<[Partition; 1]>,
    /// Who wants to know of changes; none if nobody does.
    interests: Option<Box<watch::Interests>>,
}

/// A shard with what may be read without its lock.
#[derive(Debug)]
#[repr(align(64))]
struct Cell {
    shard: Mutex<Shard>,
    /// The earliest expiry time here or an earlier time; `u64::MAX` when nothing expires.
    due_ms: AtomicU64,
}

const _: () = assert!(size_of::<Cell>() == 128, "an engine option's doc says so");

/// All keys of an engine.
#[derive(Debug)]
pub(crate) struct Keyspace {
    cells: Box<[Cell]>,
    /// By slot, where its table in database 0 is, to be prefetched before the lock is taken.
    whereabouts: Box<[Whereabouts]>,
    scheme: SlotScheme,
    hasher: FixedState,
    slots_per_shard_shift: u32,
    databases: usize,
    graveyard: Mutex<Graveyard>,
    /// What the graveyard takes from the allocator.
    buried_bytes: AtomicUsize,
    gauge: Gauge,
    /// What records' stamps tell, as a number.
    usage: AtomicU64,
    /// Where the next step of active expiry starts.
    expire_from: AtomicU64,
    /// The events that are listened to.
    events: AtomicU32,
    /// How often somebody wants to know of a key.
    interests: AtomicUsize,
    /// Who wants to know what writes do.
    journal: Journal,
    /// Whether all changes to keys are noted.
    tracked: AtomicBool,
    /// Whether somebody who holds locks waits for another out of order.
    is_claimed: AtomicBool,
}

/// The bits of a hash that are the key's own where the others are its tag's. More bits for the tag
/// would mean fewer strangers among its keys, and more of a slot with one large tag in one segment.
const UNTAGGED_MASK: u64 = u64::MAX >> 8;

/// How a keyspace is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) scheme: SlotScheme,
    /// Locks; a power of two, at most the number of slots.
    pub(crate) shards: usize,
    pub(crate) databases: usize,
    /// Secret that makes hash positions unpredictable.
    pub(crate) seed: u64,
}

impl Keyspace {
    pub(crate) fn new(layout: Layout) -> Self {
        let slots = layout.scheme.slots();
        let shards = layout.shards.clamp(1, slots).next_power_of_two();
        let slots_per_shard = slots / shards;
        let cell = |number| Cell {
            shard: Mutex::new(Shard { number, ..Shard::default() }),
            due_ms: AtomicU64::new(u64::MAX),
        };
        Self {
            cells: (0..shards as u16).map(cell).collect(),
            whereabouts: std::iter::repeat_with(Whereabouts::default).take(slots).collect(),
            scheme: layout.scheme,
            hasher: FixedState::with_seed(layout.seed),
            slots_per_shard_shift: slots_per_shard.trailing_zeros(),
            databases: layout.databases,
            graveyard: Mutex::default(),
            buried_bytes: AtomicUsize::new(0),
            gauge: Gauge::new(shards),
            usage: AtomicU64::new(Usage::Recency.to_bits()),
            expire_from: AtomicU64::new(0),
            events: AtomicU32::new(0),
            interests: AtomicUsize::new(0),
            journal: Journal::new(slots),
            tracked: AtomicBool::new(false),
            is_claimed: AtomicBool::new(false),
        }
    }

    /// An empty keyspace of the same layout, in which keys have the same places.
    pub(crate) fn like(&self) -> Self {
        let layout = Layout {
            scheme: self.scheme,
            shards: self.shards(),
            databases: self.databases,
            seed: 0,
        };
        Self { hasher: self.hasher.clone(), ..Self::new(layout) }
    }

    /// How keys map to slots.
    pub(crate) fn scheme(&self) -> SlotScheme {
        self.scheme
    }

    /// How many databases there are.
    pub(crate) fn databases(&self) -> usize {
        self.databases
    }

    /// How many locks there are.
    pub(crate) fn shards(&self) -> usize {
        self.cells.len()
    }

    /// Works out slot and hash of a key.
    #[inline]
    pub(crate) fn locate<'a>(&self, db: usize, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash(bytes), slot: self.scheme.slot(bytes), db: db as u16, held: 0 }
    }

    /// The hash of a key. By Codis's scheme, which moves the keys of a tag together, its top bits are
    /// those of the tag, if the key has one: keys with the same tag lie in one stretch of the slot's
    /// order, so that they are found without a list of them.
    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        let hash = self.plain_hash(bytes);
        match self.scheme {
            SlotScheme::Redis => hash,
            SlotScheme::Codis => self.beside_its_tag(bytes, hash),
        }
    }

    #[inline]
    fn plain_hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    fn beside_its_tag(&self, bytes: &[u8], hash: u64) -> u64 {
        let tag = self.scheme.tag(bytes);
        if tag.len() == bytes.len() {
            return hash;
        }
        hash & UNTAGGED_MASK | self.plain_hash(tag) & !UNTAGGED_MASK
    }

    #[inline]
    fn shard_of(&self, slot: u16) -> usize {
        usize::from(slot) >> self.slots_per_shard_shift
    }

    #[inline]
    fn slot_in_shard(&self, slot: u16) -> usize {
        usize::from(slot) & ((1 << self.slots_per_shard_shift) - 1)
    }

    fn slots_per_shard(&self) -> usize {
        1 << self.slots_per_shard_shift
    }

    /// Starts to bring near what a look-up of the key touches first: the lock with what it guards,
    /// and, most likely, the part of the slot's table that the key is in.
    #[inline]
    pub(crate) fn prefetch(&self, key: &Key<'_>) {
        if key.db == 0 {
            self.whereabouts[usize::from(key.slot)].prefetch::<Record>(key.hash);
        }
        let cell = std::ptr::from_ref(&self.cells[self.shard_of(key.slot)]);
        prefetch(cell);
        prefetch(cell.wrapping_byte_add(64));
    }

    /// Notes where the table is that a key was looked up in.
    #[inline]
    fn note_whereabouts(&self, key: &Key<'_>, table: &SegmentedTable<Record>) {
        if key.db == 0 {
            self.whereabouts[usize::from(key.slot)].note(table);
        }
    }

    #[inline]
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.cells[shard].shard.lock()
    }

    /// Notes that something in a shard expires at `due_ms`, so that the active expiry looks there.
    #[inline]
    fn note_due(&self, shard: usize, due_ms: u64) {
        self.cells[shard].due_ms.fetch_min(due_ms, Relaxed);
    }

    /// Lets `work` see a shard under its lock, and notes what the shard takes then.
    fn with_shard<R>(&self, number: usize, work: impl FnOnce(&mut Shard) -> R) -> R {
        let mut shard = self.lock(number);
        let result = work(&mut shard);
        self.note_change(&mut shard);
        result
    }

    /// Notes what a shard takes, if that changed. To be called before its lock is given up.
    #[inline]
    fn note_change(&self, shard: &mut Shard) {
        if shard.is_changed {
            shard.is_changed = false;
            self.gauge.note(shard.number.into(), shard.footprint(), shard.population());
        } else {
            debug_assert_eq!(self.gauge.bytes(shard.number.into()), shard.footprint());
        }
    }

    /// Lets `work` see what waits to be freed.
    fn with_graveyard<R>(&self, work: impl FnOnce(&mut Graveyard) -> R) -> R {
        let mut graveyard = self.graveyard.lock();
        let result = work(&mut graveyard);
        self.buried_bytes.store(graveyard.footprint(), Relaxed);
        result
    }

    /// Bytes that the keyspace takes from the allocator, values on their way to be freed included.
    /// What callers do just now, under locks that they still hold, is not in it.
    pub(crate) fn footprint(&self) -> usize {
        self.gauge.sum() + self.fixed_footprint() + self.buried_bytes()
    }

    /// Bytes that values on their way to be freed take.
    pub(crate) fn buried_bytes(&self) -> usize {
        self.buried_bytes.load(Relaxed)
    }

    /// What records' stamps tell.
    #[inline]
    pub(crate) fn usage(&self) -> Usage {
        Usage::from_bits(self.usage.load(Relaxed))
    }

    /// Chooses what stamps tell from now on. Those that are there mean something else until their
    /// records are used, as in Redis.
    pub(crate) fn set_usage(&self, usage: Usage) {
        self.usage.store(usage.to_bits(), Relaxed);
    }

    /// What is there from the start.
    fn fixed_footprint(&self) -> usize {
        let lists =
            footprint(size_of_val(&*self.cells)) + footprint(size_of_val(&*self.whereabouts));
        lists + self.gauge.footprint() + self.journal.footprint()
    }

    /// The same by purpose, counted in every shard.
    pub(crate) fn memory(&self) -> KeyspaceMemory {
        let mut memory = KeyspaceMemory::default();
        (0..self.shards()).for_each(|shard| self.lock(shard).add_to(&mut memory));
        memory.fixed += self.fixed_footprint();
        memory.waiting = self.buried_bytes();
        memory
    }
}

impl Shard {
    #[inline]
    fn database(&self, db: u16) -> Option<&Partition> {
        self.databases.get(usize::from(db))
    }

    /// A database of which something is about to change.
    #[inline]
    fn database_mut(&mut self, db: u16) -> Option<&mut Partition> {
        self.is_changed = true;
        self.databases.get_mut(usize::from(db))
    }

    #[inline]
    fn database_or_new(&mut self, db: u16, slots: usize) -> &mut Partition {
        self.is_changed = true;
        let db = usize::from(db);
        if self.databases.len() <= db {
            self.databases.resize_with(db + 1, Partition::default);
        }
        let partition = &mut self.databases[db];
        partition.ensure_slots(slots);
        partition
    }

    /// A record, of which nothing but the stamp may change.
    #[inline]
    fn record_mut(&mut self, db: u16, at: usize, place: Place) -> &mut Record {
        self.databases[usize::from(db)].record_mut(at, place)
    }

    /// A number by chance, as far as `hash` is one.
    fn draw(&mut self, hash: u64) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        let mixed = (hash ^ u64::from(self.draws)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn population(&self) -> Population {
        let keys: usize = self.databases.iter().map(Partition::keys).sum();
        let dues: usize = self.databases.iter().map(|partition| partition.due().len()).sum();
        Population { keys: keys as u32, dues: dues as u32 }
    }

    /// What the list of databases takes beside the shard.
    fn list_footprint(&self) -> usize {
        let spilled = if self.databases.spilled() { self.databases.capacity() } else { 0 };
        footprint(spilled * size_of::<Partition>())
    }

    fn footprint(&self) -> usize {
        self.list_footprint() + self.databases.iter().map(Partition::footprint).sum::<usize>()
    }

    fn add_to(&self, memory: &mut KeyspaceMemory) {
        memory.fixed += self.list_footprint();
        if memory.databases.len() < self.databases.len() {
            memory.databases.resize(self.databases.len(), DatabaseMemory::default());
        }
        for (partition, sum) in self.databases.iter().zip(&mut memory.databases) {
            partition.add_to(sum);
        }
    }
}
