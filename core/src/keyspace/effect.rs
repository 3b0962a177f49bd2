//! What writes did, as commands that do the same again, whenever and wherever they are carried out:
//! times are absolute, and what chance or a search chose is named. Who wants to know of them, such
//! as a slot on its way to another node, listens; with nobody listening a write costs a test of a bit
//! that was read when the locks were taken.
//!
//! ```text
//! begin_command -> the handler may say effects -> end_command: said none, but changed something?
//!                                                 Then the command's own words are its effect.
//! ```
//! Effects are handed to the listeners before the locks are given up under which they came about, so
//! that listeners hear of one key's changes in the order in which they were made.

use super::{Access, Key, Keyspace};
use crate::value::{self, Record};
use parking_lot::RwLock;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

/// A key that an effect reads or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EffectKey {
    pub(crate) db: u16,
    pub(crate) slot: u16,
    pub(crate) hash: u64,
    /// Which of the effect's words it is.
    pub(crate) place: u32,
}

/// A command that does again what a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The database that the command is carried out in.
    pub(crate) db: u16,
    /// When the write happened, in milliseconds since the Unix epoch.
    pub(crate) unix_ms: u64,
    pub(crate) words: Vec<Box<[u8]>>,
    /// The keys among the words; none if it concerns whole databases, or libraries of functions.
    pub(crate) keys: SmallVec<[EffectKey; 1]>,
}

impl Effect {
    /// Whether it changes libraries of functions, which are no part of the data.
    pub(crate) fn is_about_functions(&self) -> bool {
        self.words[0].eq_ignore_ascii_case(b"function")
    }
}

/// What listeners hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// What follows, up to the end, happened at once.
    Begin,
    Effect(Effect),
    End,
}

/// Somebody who wants to know of effects. Called while the locks of their keys are held.
pub(crate) trait Listener: Send + Sync {
    /// Takes note of what happened, in order. Effects on other slots than those listened to may be
    /// among it.
    fn hear(&self, recorded: &[Recorded]);
}

/// Which slots somebody listens to.
#[derive(Debug, Default)]
struct Room {
    listeners: Vec<(Audience, Arc<dyn Listener>)>,
}

impl std::fmt::Debug for dyn Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// What a listener wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Everything,
    Slot(u16),
}

/// Who listens to effects.
#[derive(Debug)]
pub(super) struct Journal {
    room: RwLock<Room>,
    /// How many listen.
    count: AtomicUsize,
    /// By slot, how many listen to it.
    by_slot: Box<[AtomicU8]>,
}

impl Journal {
    pub(super) fn new(slots: usize) -> Self {
        let by_slot = std::iter::repeat_with(AtomicU8::default).take(slots).collect();
        Self { room: RwLock::default(), count: AtomicUsize::new(0), by_slot }
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    fn wants(&self, slot: u16) -> bool {
        self.by_slot[usize::from(slot)].load(Relaxed) > 0
    }

    fn change(&self, audience: Audience, change: impl Fn(&AtomicU8)) {
        match audience {
            Audience::Everything => self.by_slot.iter().for_each(change),
            Audience::Slot(slot) => change(&self.by_slot[usize::from(slot)]),
        }
    }

    fn commit(&self, recorded: &[Recorded]) {
        for (_, listener) in &self.room.read().listeners {
            listener.hear(recorded);
        }
    }

    pub(super) fn footprint(&self) -> usize {
        crate::structs::allocation::footprint(self.by_slot.len())
    }
}

impl Keyspace {
    /// Whether anybody listens to any effect.
    #[inline]
    pub(crate) fn is_listened_to(&self) -> bool {
        self.journal.is_on()
    }

    /// Lets a listener hear of effects. The caller holds the locks of what it listens to, so that it
    /// hears of all that happens after.
    pub(crate) fn listen(&self, audience: Audience, listener: Arc<dyn Listener>) {
        self.journal.change(audience, |count| _ = count.fetch_add(1, Relaxed));
        self.journal.count.fetch_add(1, Relaxed);
        self.journal.room.write().listeners.push((audience, listener));
    }

    /// Lets a listener hear no more. Does nothing if it did not listen.
    pub(crate) fn cease_to_listen(&self, audience: Audience, listener: &Arc<dyn Listener>) {
        let mut room = self.journal.room.write();
        let is_it = |(other, it): &(Audience, Arc<dyn Listener>)| {
            *other == audience && Arc::ptr_eq(it, listener)
        };
        let Some(at) = room.listeners.iter().position(is_it) else { return };
        room.listeners.remove(at);
        self.journal.change(audience, |count| _ = count.fetch_sub(1, Relaxed));
        self.journal.count.fetch_sub(1, Relaxed);
    }

    /// Records at once what happened to a key whose lock is held, if somebody listens.
    pub(super) fn record_now(&self, db: u16, bytes: &[u8], unix_ms: u64, words: &[&[u8]]) {
        let key = self.locate(usize::from(db), bytes);
        if self.journal.wants(key.slot) {
            self.journal.commit(&[Recorded::Effect(effect(&key, unix_ms, words))]);
        }
    }
}

impl Keyspace {
    /// Records that members of a record, whose lock is held, are about to be deleted by themselves.
    #[cold]
    pub(super) fn record_members_due(&self, db: u16, record: &Record, now_ms: u64, budget: usize) {
        let names = value::expired_members(record, now_ms, budget);
        let mut words: Vec<&[u8]> = vec![b"HDEL", record.key()];
        words.extend(names.iter().map(|name| &**name));
        if !names.is_empty() {
            self.record_now(db, record.key(), now_ms, &words);
        }
    }
}

/// An effect with one key, its second word, or the third if the first two are its name.
fn effect(key: &Key<'_>, unix_ms: u64, words: &[&[u8]]) -> Effect {
    let place = if words[0] == b"XGROUP" { 2 } else { 1 };
    debug_assert_eq!(words[place as usize], key.bytes);
    let Key { db, slot, hash, .. } = *key;
    let keys = SmallVec::from_iter([EffectKey { db, slot, hash, place }]);
    Effect { db, unix_ms, words: words.iter().map(|&word| word.into()).collect(), keys }
}

/// The effects that come about under some locks. Dropped before they are given up.
#[derive(Debug)]
pub(super) struct Recorder<'k> {
    journal: &'k Journal,
    /// Whether anybody listens.
    is_on: bool,
    /// Whether somebody wants to know of what the present command does.
    is_wanted: bool,
    /// Whether the present command has said what it did.
    has_said: bool,
    /// How many groups are open, and where the outermost begins.
    depth: usize,
    group_start: usize,
    /// What was not handed on yet.
    pending: Vec<Recorded>,
}

impl<'k> Recorder<'k> {
    #[inline]
    pub(super) fn new(keyspace: &'k Keyspace) -> Self {
        let journal = &keyspace.journal;
        Self {
            journal,
            is_on: journal.is_on(),
            is_wanted: false,
            has_said: false,
            depth: 0,
            group_start: 0,
            pending: Vec::new(),
        }
    }

    /// Heeds who began to listen since, within one command that has begun.
    #[cfg(feature = "scripts")]
    pub(super) fn look_around(&mut self) {
        if !self.is_on && self.journal.is_on() {
            self.is_on = true;
            self.begin_group();
        }
    }

    fn begin_group(&mut self) {
        if self.depth == 0 {
            self.group_start = self.pending.len();
        }
        self.depth += 1;
    }

    fn end_group(&mut self) {
        self.depth -= 1;
        if self.depth == 0 && self.pending.len() > self.group_start + 1 {
            self.pending.insert(self.group_start, Recorded::Begin);
            self.pending.push(Recorded::End);
        }
    }
}

impl Drop for Recorder<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.journal.commit(&self.pending);
        }
    }
}

impl Access<'_> {
    /// Begins to record what a command with these keys does. Returns what [`Access::end_command`]
    /// wants to know.
    #[inline]
    pub(crate) fn begin_command(&mut self, keys: &[Key<'_>]) -> u64 {
        if self.recorder.is_on {
            self.begin_to_record(keys);
        }
        self.stats.changes
    }

    #[cold]
    fn begin_to_record(&mut self, keys: &[Key<'_>]) {
        let recorder = &mut self.recorder;
        let journal = recorder.journal;
        recorder.is_wanted = keys.is_empty() || keys.iter().any(|key| journal.wants(key.slot));
        recorder.has_said = false;
        recorder.begin_group();
    }

    /// Ends what [`Access::begin_command`] began: a command that has said nothing, but changed
    /// something, did what its words say.
    #[inline]
    pub(crate) fn end_command(
        &mut self,
        changes_before: u64,
        db: usize,
        words: &[&[u8]],
        keys: &[Key<'_>],
        places: impl FnOnce() -> SmallVec<[usize; 4]>,
    ) {
        if self.recorder.is_on {
            self.end_recording(changes_before, db, words, keys, &places());
        }
    }

    #[cold]
    fn end_recording(
        &mut self,
        changes_before: u64,
        db: usize,
        words: &[&[u8]],
        keys: &[Key<'_>],
        places: &[usize],
    ) {
        let is_silent = !self.recorder.has_said && self.stats.changes > changes_before;
        if self.recorder.is_wanted && is_silent {
            self.record(db as u16, words, keys, places);
        }
        self.recorder.is_wanted = false;
        self.recorder.end_group();
    }

    fn record(&mut self, db: u16, words: &[&[u8]], keys: &[Key<'_>], places: &[usize]) {
        let key = |(key, &place): (&Key<'_>, &usize)| EffectKey {
            db: key.db,
            slot: key.slot,
            hash: key.hash,
            place: place as u32,
        };
        let keys = keys.iter().zip(places).map(key).collect();
        let words = words.iter().map(|&word| word.into()).collect();
        let effect = Effect { db, unix_ms: self.unix_ms(), words, keys };
        self.recorder.pending.push(Recorded::Effect(effect));
    }

    /// Whether somebody wants to know of what the present command does.
    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        self.recorder.is_wanted
    }

    /// Whether the present command has said what it did.
    pub(crate) fn has_said(&self) -> bool {
        self.recorder.has_said
    }

    /// Says what the present command did to a key, in place of its own words. To be called after the
    /// change, once for each effect in order. `words` name the key.
    pub(crate) fn say(&mut self, key: &Key<'_>, words: &[&[u8]]) {
        if self.recorder.is_wanted {
            self.recorder.has_said = true;
            self.recorder.pending.push(Recorded::Effect(effect(key, self.unix_ms(), words)));
        }
    }

    /// As [`Access::say`], with the keys and their places among the words. The command is carried out
    /// in the database of the first key.
    pub(crate) fn say_with(&mut self, words: &[&[u8]], keys: &[Key<'_>], places: &[usize]) {
        if self.recorder.is_wanted {
            self.recorder.has_said = true;
            self.record(keys[0].db, words, keys, places);
        }
    }

    /// Says what was done to a key outside of any command, as by a machine that moves keys.
    pub(crate) fn say_apart(&mut self, key: &Key<'_>, words: &[&[u8]]) {
        if self.recorder.is_on {
            self.record_own(key, words);
        }
    }

    /// Says that the present command had no effect but those said, even if it counted a change.
    pub(crate) fn say_no_more(&mut self) {
        self.recorder.has_said = true;
    }

    /// Lets what is recorded up to [`Access::end_group`] be known as one.
    pub(crate) fn begin_group(&mut self) {
        self.recorder.begin_group();
    }

    /// Ends what [`Access::begin_group`] began.
    pub(crate) fn end_group(&mut self) {
        self.recorder.end_group();
    }

    /// Records that a key went by itself, since its time was over or memory was short.
    #[inline]
    pub(super) fn record_expiry(&mut self, key: &Key<'_>) {
        if self.recorder.is_on {
            self.record_own(key, &[b"DEL", key.bytes]);
        }
    }

    /// Records that members of a key, which are about to be deleted, go by themselves.
    #[inline]
    pub(super) fn record_expiry_of_members(&mut self, key: &Key<'_>, members: &[Box<[u8]>]) {
        if self.recorder.is_on && !members.is_empty() {
            let mut words: Vec<&[u8]> = vec![b"HDEL", key.bytes];
            words.extend(members.iter().map(|member| &**member));
            self.record_own(key, &words);
        }
    }

    #[cold]
    fn record_own(&mut self, key: &Key<'_>, words: &[&[u8]]) {
        if self.recorder.journal.wants(key.slot) {
            let effect = effect(key, self.unix_ms(), words);
            self.recorder.pending.push(Recorded::Effect(effect));
        }
    }

    /// Whether the names of members that expire are of use to somebody.
    #[inline]
    pub(super) fn names_expired_members(&self) -> bool {
        self.recorder.is_on
    }
}
