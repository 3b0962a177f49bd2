//! Which keys go when memory is short. How much memory is too much, and what becomes of commands
//! then, is the engine's business.
//!
//! As in Redis, a few keys are looked at by chance, and the best of all that were looked at so far
//! wait in a pool to go. A place to look at is chosen by how many keys each shard was last known to
//! have, which takes no lock; the keys there are neighbours in one table, so that their heads come
//! near together. A candidate is known by its slot and hash. If it was used since it was looked at,
//! it stays, which Redis does not see to.

use super::due::{Due, DueKind};
use super::partition::is_expired;
use super::usage::Usage;
use super::{Access, Event, Key, Keyspace, Partition, Shard};
use crate::structs::table::Place;
use crate::value::Record;
use smallvec::SmallVec;

/// Which keys may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among {
    /// All of them.
    All,
    /// Those that expire.
    Expiring,
}

/// Which of them goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The one that was used the least, in the sense of [`Usage`].
    Disuse,
    /// Any.
    Chance,
    /// The one that expires first.
    Expiry,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) among: Among,
    pub(crate) order: Order,
    /// How many keys are looked at for each one that goes.
    pub(crate) samples: usize,
}

/// How many candidates wait.
const POOL_LEN_MAX: usize = 16;
/// More keys than this are not looked at at once.
const SAMPLES_MAX: usize = 64;
/// How often a shard is drawn before all are looked at, and how many draws the knowledge of the
/// heaviest one lasts.
const DRAWS: usize = 64;
const ROUNDS_PER_WEIGHING: u32 = 1024;
/// Finding a slot by the number of a key takes a step for each slot of a shard. Where shards have
/// more than this many, more than one place is looked at each time.
const SLOTS_PER_PLACE: usize = 256;
const PLACES_MAX: usize = 8;
/// How many candidates may turn out to be gone or used before any key is taken.
const TRIES: usize = 32;

/// A key that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    /// The greater, the sooner it goes.
    score: u64,
    hash: u64,
    slot: u16,
    db: u16,
}

impl Candidate {
    fn is_same_key(&self, other: &Self) -> bool {
        (self.hash, self.slot, self.db) == (other.hash, other.slot, other.db)
    }
}

/// What eviction remembers from one key to the next.
#[derive(Debug)]
pub(crate) struct Evictor {
    /// Candidates, the best one last.
    pool: Vec<Candidate>,
    /// By what the candidates were chosen.
    chosen_by: Option<(Policy, Usage)>,
    /// How many candidates may go before more are looked for.
    ready: usize,
    /// The number of keys in the shard that has the most, and how long that is believed.
    heaviest: u32,
    rounds_to_weighing: u32,
    random: u64,
}

impl Evictor {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            pool: Vec::with_capacity(POOL_LEN_MAX + 1),
            chosen_by: None,
            ready: 0,
            heaviest: 0,
            rounds_to_weighing: 0,
            random: seed,
        }
    }

    /// The next of a sequence of random numbers (splitmix64 by Steele, Lea and Flood).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Forgets candidates that were chosen by something else.
    fn prepare(&mut self, policy: Policy, usage: Usage) {
        if self.chosen_by != Some((policy, usage)) {
            self.pool.clear();
            self.chosen_by = Some((policy, usage));
            (self.ready, self.rounds_to_weighing) = (0, 0);
        }
    }

    /// Takes a candidate into the pool if there is room or a worse one in it. What it takes to name
    /// it is worked out only then.
    fn consider(&mut self, score: u64, name: impl FnOnce() -> Candidate) {
        let is_full = self.pool.len() >= POOL_LEN_MAX;
        if is_full && self.pool.first().is_some_and(|worst| score <= worst.score) {
            return;
        }
        let candidate = name();
        if self.pool.iter().any(|other| other.is_same_key(&candidate)) {
            return;
        }
        let at = self.pool.partition_point(|other| other.score <= score);
        self.pool.insert(at, candidate);
        if is_full {
            self.pool.remove(0);
        }
    }
}

impl Policy {
    /// How soon a record goes; none if it may not.
    fn score(&self, record: &Record, usage: Usage, now_ms: u64) -> Option<u64> {
        if self.among == Among::Expiring && record.expire_ms().is_none() {
            return None;
        }
        match self.order {
            Order::Disuse => Some(usage.disuse(record.stamp(), now_ms)),
            Order::Chance => Some(0),
            Order::Expiry => record.expire_ms().map(|ms| u64::MAX - ms),
        }
    }
}

impl Access<'_> {
    /// Deletes the key that should be the next to go. This holds no lock. Returns whether there was
    /// one that may go.
    pub(crate) fn evict(&mut self, evictor: &mut Evictor, policy: Policy) -> bool {
        evictor.prepare(policy, self.keyspace().usage());
        for _ in 0..TRIES {
            if evictor.ready == 0 || evictor.pool.is_empty() {
                self.look_for_candidates(evictor, policy);
            }
            evictor.ready = evictor.ready.saturating_sub(1);
            let Some(candidate) = evictor.pool.pop() else { continue };
            if self.evict_candidate(candidate, policy) {
                return true;
            }
        }
        self.evict_any(policy)
    }

    /// Looks at some keys, in as many places as it takes.
    fn look_for_candidates(&mut self, evictor: &mut Evictor, policy: Policy) {
        let keyspace = self.keyspace();
        let now_ms = self.unix_ms();
        let places = keyspace.slots_per_shard().div_ceil(SLOTS_PER_PLACE).min(PLACES_MAX);
        evictor.ready = places;
        let samples = policy.samples.min(SAMPLES_MAX);
        let mut left = samples * places;
        while left > 0 {
            let Some(number) = keyspace.shard_by_chance(policy.among, evictor) else { return };
            let shard = keyspace.lock(number);
            for _ in 0..places {
                let policy = Policy { samples: samples.min(left), ..policy };
                let seen = keyspace.sample(&shard, evictor, policy, now_ms);
                left = left.saturating_sub(seen.max(1));
            }
        }
    }

    /// Deletes a candidate if it is still one.
    fn evict_candidate(&mut self, candidate: Candidate, policy: Policy) -> bool {
        let Candidate { score, hash, slot, db } = candidate;
        let key = Key { bytes: &[], hash, slot, db, held: 0 };
        self.with_slot(slot, |access| {
            let keyspace = access.keyspace();
            let Some(place) = access.place_by_hash(&key) else { return false };
            let (at, now_ms) = (keyspace.slot_in_shard(slot), access.unix_ms());
            let record = access.shard(&key).record_mut(db, at, place);
            let score_now = policy.score(record, keyspace.usage(), now_ms);
            if score_now.is_none_or(|score_now| score_now < score) {
                return false;
            }
            access.evict_place(&key, place);
            true
        })
    }

    /// Where the record with a key's hash is.
    fn place_by_hash(&mut self, key: &Key<'_>) -> Option<Place> {
        let keyspace = self.keyspace();
        let at = keyspace.slot_in_shard(key.slot);
        let table = self.shard(key).database(key.db)?.table(at)?;
        table.find(key.hash, |record| keyspace.hash(record.key()) == key.hash)
    }

    /// Deletes a record since memory is short, or since it is expired, as is found only now.
    fn evict_place(&mut self, key: &Key<'_>, place: Place) {
        let now_ms = self.unix_ms();
        let record = self.take_place(key, place);
        let key = Key { bytes: record.key(), ..*key };
        self.record_expiry(&key);
        if is_expired(&record, || now_ms) {
            self.stats.expired += 1;
            self.notify(Event::Expired, "expired", &key);
        } else {
            self.stats.evicted += 1;
            self.notify(Event::Evicted, "evicted", &key);
        }
        self.tell(&key);
        self.bury(record.into_boxed());
    }

    /// Deletes the first key that may go. Chance finds one nearly always before this is needed.
    #[cold]
    fn evict_any(&mut self, policy: Policy) -> bool {
        let keyspace = self.keyspace();
        for number in 0..keyspace.shards() {
            if keyspace.weight(number, policy.among) == 0 {
                continue;
            }
            let found = keyspace.first_that_may_go(&keyspace.lock(number), policy.among);
            let policy = Policy { order: Order::Chance, ..policy };
            if found.is_some_and(|candidate| self.evict_candidate(candidate, policy)) {
                return true;
            }
        }
        false
    }
}

impl Keyspace {
    /// How many keys of a shard may go, about.
    #[inline]
    fn weight(&self, shard: usize, among: Among) -> u32 {
        let population = self.gauge.population(shard);
        match among {
            Among::All => population.keys,
            Among::Expiring => population.dues,
        }
    }

    /// A shard by chance, each as likely as it has keys that may go.
    fn shard_by_chance(&self, among: Among, evictor: &mut Evictor) -> Option<usize> {
        if evictor.rounds_to_weighing == 0 {
            evictor.rounds_to_weighing = ROUNDS_PER_WEIGHING;
            let weights = (0..self.shards()).map(|shard| self.weight(shard, among));
            evictor.heaviest = weights.max().unwrap_or(0);
        }
        evictor.rounds_to_weighing -= 1;
        for _ in 0..DRAWS {
            let random = evictor.random();
            let shard = (random >> 32) as usize & (self.shards() - 1);
            let bound = (u64::from(random as u32) * u64::from(evictor.heaviest)) >> 32;
            if bound < u64::from(self.weight(shard, among)) {
                return Some(shard);
            }
        }
        evictor.rounds_to_weighing = 0;
        let weights = || (0..self.shards()).map(|shard| u64::from(self.weight(shard, among)));
        let sum: u64 = weights().sum();
        let mut number = evictor.random().checked_rem(sum)?;
        weights().position(|weight| {
            let is_it = number < weight;
            number -= if is_it { 0 } else { weight };
            is_it
        })
    }

    /// Looks at some keys of a shard. Returns how many it looked at.
    fn sample(&self, shard: &Shard, evictor: &mut Evictor, policy: Policy, now_ms: u64) -> usize {
        match policy {
            Policy { among: Among::All, .. } => {
                self.sample_neighbours(shard, evictor, policy, now_ms)
            }
            Policy { order: Order::Expiry, samples, .. } => {
                self.sample_first_due(shard, evictor, samples)
            }
            Policy { .. } => self.sample_due(shard, evictor, policy, now_ms),
        }
    }

    /// Looks at some keys of a shard that lie together.
    fn sample_neighbours(
        &self,
        shard: &Shard,
        evictor: &mut Evictor,
        policy: Policy,
        now_ms: u64,
    ) -> usize {
        let Some((db, number)) = database_by_chance(shard, evictor, Partition::keys) else {
            return 0;
        };
        let Some((at, table)) = shard.databases[db].table_by_number(number) else { return 0 };
        let neighbours = table.neighbours(|| evictor.random()).take(policy.samples);
        let records: SmallVec<[&Record; 8]> =
            neighbours.inspect(|record| record.prefetch()).collect();
        let (slot, usage) = (self.slot_number(shard, at), self.usage());
        for record in &records {
            if let Some(score) = policy.score(record, usage, now_ms) {
                evictor.consider(score, || Candidate {
                    score,
                    hash: self.hash(record.key()),
                    slot,
                    db: db as u16,
                });
            }
        }
        records.len()
    }

    /// Looks at some keys of a shard that expire.
    fn sample_due(
        &self,
        shard: &Shard,
        evictor: &mut Evictor,
        policy: Policy,
        now_ms: u64,
    ) -> usize {
        let dues = |partition: &Partition| partition.due().len();
        let Some((db, _)) = database_by_chance(shard, evictor, dues) else { return 0 };
        let partition = &shard.databases[db];
        // From a small set the same would be drawn again and again.
        let samples = policy.samples.min(partition.due().len());
        let dues: SmallVec<[Due; 8]> = (0..samples)
            .filter_map(|_| partition.due().random(|| evictor.random()))
            .filter(|due| due.kind() == DueKind::Record)
            .inspect(|due| partition.prefetch_due(*due))
            .collect();
        let usage = self.usage();
        for due in dues {
            let score = partition.record_of(due).and_then(|it| policy.score(it, usage, now_ms));
            let Some(score) = score else { continue };
            let slot = self.slot_number(shard, due.slot());
            evictor.consider(score, || Candidate { score, hash: due.hash, slot, db: db as u16 });
        }
        samples
    }

    /// Looks at the keys of a shard that expire first.
    fn sample_first_due(&self, shard: &Shard, evictor: &mut Evictor, samples: usize) -> usize {
        let mut seen = 0;
        for (db, partition) in shard.databases.iter().enumerate() {
            let records = partition.due().iter().filter(|due| due.kind() == DueKind::Record);
            for due in records.take(samples) {
                seen += 1;
                let score = u64::MAX - due.expire_ms();
                let slot = self.slot_number(shard, due.slot());
                evictor.consider(score, || Candidate {
                    score,
                    hash: due.hash,
                    slot,
                    db: db as u16,
                });
            }
        }
        seen
    }

    fn first_that_may_go(&self, shard: &Shard, among: Among) -> Option<Candidate> {
        shard.databases.iter().enumerate().find_map(|(db, partition)| {
            let (at, hash) = match among {
                Among::All => {
                    let (at, table) = partition.table_by_number(0)?;
                    (at, self.hash(table.iter().next()?.key()))
                }
                Among::Expiring => {
                    let is_record = |due: &Due| due.kind() == DueKind::Record;
                    let due = partition.due().iter().find(is_record)?;
                    (due.slot(), due.hash)
                }
            };
            let slot = self.slot_number(shard, at);
            Some(Candidate { score: 0, hash, slot, db: db as u16 })
        })
    }

    /// The slot that is at a place in a shard.
    fn slot_number(&self, shard: &Shard, at: usize) -> u16 {
        shard.number << self.slots_per_shard_shift | at as u16
    }
}

/// A database of a shard, each as likely as `count` says, and a number below that count.
fn database_by_chance(
    shard: &Shard,
    evictor: &mut Evictor,
    count: impl Fn(&Partition) -> usize,
) -> Option<(usize, usize)> {
    let sum: usize = shard.databases.iter().map(&count).sum();
    let mut number = evictor.random().checked_rem(sum as u64)? as usize;
    for (db, partition) in shard.databases.iter().enumerate() {
        let own = count(partition);
        if number < own {
            return Some((db, number));
        }
        number -= own;
    }
    None
}
