//! What of a slot is to be sent, in order: a snapshot that is walked in steps, and what writes do
//! meanwhile.
//!
//! ```text
//! keys in the order of their places   | sent: effects go into the stream | not sent: none needed |
//!                                                            the walk is here ^
//! ```
//! A key is **settled** if it lies before the walk, unless it is to be sent (again). An effect on
//! settled keys alone goes into the stream; one on no settled key is left out, since the walk is yet
//! to come to what it made; and where some are settled and some not, the settled ones are sent again
//! as they are then. A large value is sent in pieces over several steps; if it is written to
//! meanwhile it is begun anew, and from the second time on its writers wait until it is through.

use super::pieces::Pieces;
use crate::keyspace::{Access, EffectKey, Key, Listener, Recorded, Usage};
use crate::migration::request::{RestoreForm, write_restore};
use crate::resp::encode_request;
use crate::structs::table::position;
use crate::value::dump::RDB_VERSION;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeSet, VecDeque};

/// A database and a key.
type Name = (u16, Box<[u8]>);

/// Keys that are looked at in one step.
const STEP_KEYS: usize = 16;

/// How a key goes into the stream.
fn form(usage: Usage) -> RestoreForm {
    let payload_version = RDB_VERSION;
    RestoreForm { asking: false, replace: true, absolute: true, usage, payload_version }
}

/// What is to be sent of one slot. Its listener's ear.
#[derive(Debug)]
pub(crate) struct Feed {
    slot: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The database that is walked, and the place up to which it was.
    db: u16,
    from: u64,
    is_walked: bool,
    /// Keys to be sent, whether they lie before the walk or not.
    again: BTreeSet<Name>,
    /// The value that is being sent in pieces.
    pieces: Option<Pieces>,
    /// How often a value was begun anew.
    restarts: usize,
    /// Whether something happened that only a new attempt gets right, such as SWAPDB.
    is_disturbed: bool,
    out: Output,
    keys: u64,
}

/// Commands that wait to be cut into frames.
#[derive(Debug, Default)]
struct Output {
    /// The last one is being filled.
    parts: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The database and time that were last named, in the part that is being filled.
    context: Option<(u16, u64)>,
}

/// A part is closed when it has so many bytes.
const PART_BYTES: usize = 16 * 1024;

impl Output {
    /// Lets `write` add commands of a database and a time. Each part says of itself which.
    fn add(&mut self, db: u16, unix_ms: u64, write: impl FnOnce(&mut Vec<u8>)) {
        if self.parts.back().is_none_or(|part| part.len() >= PART_BYTES) {
            self.parts.push_back(Vec::with_capacity(PART_BYTES + PART_BYTES / 4));
            self.context = None;
        }
        let part = self.parts.back_mut().expect("one was pushed");
        let before = part.len();
        if self.context.replace((db, unix_ms)) != Some((db, unix_ms)) {
            let (db, at) = (db.to_string(), unix_ms.to_string());
            encode_request(&[b"@", db.as_bytes(), at.as_bytes()], part);
        }
        write(part);
        self.bytes += part.len() - before;
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let part = self.parts.pop_front()?;
        self.bytes -= part.len();
        Some(part)
    }
}

impl Listener for Feed {
    fn hear(&self, recorded: &[Recorded]) {
        let state = &mut *self.state.lock();
        for one in recorded {
            // The other node shows nothing before it has all: what happens at once there is all of it.
            let Recorded::Effect(effect) = one else { continue };
            if effect.is_about_functions() {
                continue;
            }
            if effect.keys.is_empty() {
                state.is_disturbed = true;
                continue;
            }
            let here = || effect.keys.iter().filter(|key| key.slot == self.slot);
            let name = |place: u32| &effect.words[place as usize];
            let settled = |key: &&_| state.is_settled(key, name(key.place));
            let (all, some) = (here().count(), here().filter(settled).count());
            if all > 0 && some == all && all == effect.keys.len() {
                let words: Vec<&[u8]> = effect.words.iter().map(|word| &**word).collect();
                state.out.add(effect.db, effect.unix_ms, |out| encode_request(&words, out));
                continue;
            }
            let again: Vec<Name> =
                here().filter(settled).map(|key| (key.db, name(key.place).clone())).collect();
            here().for_each(|key| state.note_write(key.db, name(key.place)));
            state.again.extend(again);
        }
    }
}

impl State {
    fn is_settled(&self, key: &EffectKey, name: &[u8]) -> bool {
        let is_passed = self.is_walked || (key.db, position(key.hash)) < (self.db, self.from);
        let is_in_pieces = self.pieces.as_ref().is_some_and(|it| it.is_of(key.db, name));
        let is_due = || !self.again.is_empty() && self.again.contains(&(key.db, name.into()));
        is_passed && !is_in_pieces && !is_due()
    }

    /// Notes that a key was written to that is not settled.
    fn note_write(&mut self, db: u16, name: &[u8]) {
        if let Some(pieces) = &mut self.pieces
            && pieces.is_of(db, name)
        {
            pieces.is_spoilt = true;
        }
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Whether the walk is over, and everything that was to be sent again is.
    pub(crate) is_through: bool,
    /// The key whose writers shall wait, by its hash.
    pub(crate) hold: Option<u64>,
}

impl Feed {
    pub(crate) fn new(slot: u16) -> Self {
        Self { slot, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Takes the next part of the stream.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.lock().out.take()
    }

    /// Bytes that wait to be taken.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().out.bytes
    }

    /// How many keys the walk has sent.
    pub(crate) fn keys(&self) -> u64 {
        self.lock().keys
    }

    pub(crate) fn is_disturbed(&self) -> bool {
        self.lock().is_disturbed
    }

    /// Adds some more of the slot, whose lock is held, to the stream: some keys, or a piece of a large
    /// value.
    pub(crate) fn step(&self, access: &mut Access<'_>, piece_bytes: usize) -> Step {
        let mut state = self.lock();
        let state = &mut *state;
        // Large values come last: once the walk is over, few effects find a key that is not settled.
        if !state.is_walked {
            state.walk(access, self.slot, piece_bytes);
        } else if let Some(pieces) = state.pieces.take() {
            state.go_on(access, pieces, piece_bytes);
        } else if let Some((db, name)) = state.again.pop_first() {
            state.send(access, db, &name, piece_bytes);
        }
        let is_through = state.is_walked && state.again.is_empty() && state.pieces.is_none();
        let held = state.pieces.as_ref().filter(|_| state.restarts > 1);
        Step { is_through, hold: held.map(|pieces| access.keyspace().hash(pieces.key())) }
    }
}

impl State {
    fn walk(&mut self, access: &mut Access<'_>, slot: u16, piece_bytes: usize) {
        let (db, now_ms) = (self.db, access.unix_ms());
        let form = form(access.keyspace().usage());
        let next = access.walk_slot(usize::from(db), slot, self.from, STEP_KEYS, |record| {
            self.keys += 1;
            if Pieces::is_for(record, piece_bytes) {
                self.again.insert((db, record.key().into()));
            } else {
                self.out.add(db, now_ms, |out| write_restore(record, form, now_ms, out));
            }
        });
        match next {
            Some(from) => self.from = from,
            None => {
                (self.db, self.from) = (db + 1, 0);
                self.is_walked = usize::from(self.db) >= access.keyspace().databases();
            }
        }
    }

    /// Sends a key as it is now, or that it is not there.
    fn send(&mut self, access: &mut Access<'_>, db: u16, name: &[u8], piece_bytes: usize) {
        let now_ms = access.unix_ms();
        let key = access.keyspace().locate(usize::from(db), name);
        let usage = access.keyspace().usage();
        match access.peek(&key) {
            None => self.out.add(db, now_ms, |out| encode_request(&[b"DEL", name], out)),
            Some(record) if Pieces::is_for(record, piece_bytes) => {
                let pieces = Pieces::new(db, name);
                self.go_on(access, pieces, piece_bytes);
            }
            Some(record) => self.out.add(db, now_ms, |out| {
                write_restore(record, form(usage), now_ms, out);
            }),
        }
    }

    /// Sends the next piece of a value, or begins it anew if it has changed.
    fn go_on(&mut self, access: &mut Access<'_>, pieces: Pieces, piece_bytes: usize) {
        let (db, now_ms) = (pieces.db(), access.unix_ms());
        if pieces.is_spoilt {
            self.restarts += 1;
            return self.send(access, db, pieces.key(), piece_bytes);
        }
        let name = pieces.key().to_vec();
        let key: Key<'_> = access.keyspace().locate(usize::from(db), &name);
        let Some(record) = access.peek(&key) else {
            return self.out.add(db, now_ms, |out| encode_request(&[b"DEL", &name[..]], out));
        };
        let mut next = None;
        self.out.add(db, now_ms, |out| next = pieces.write(record, piece_bytes, out));
        if next.is_none() {
            self.restarts = 0;
        }
        self.pieces = next;
    }
}
