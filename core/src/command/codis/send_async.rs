//! SLOTSMGRTONE-ASYNC and its family: keys to another node in pieces, many on their way at once,
//! none of which holds up any command but writes to them.
//!
//! ```text
//! SLOTSRESTORE-ASYNC delete key
//! SLOTSRESTORE-ASYNC string | object key ttl value       what is small, or
//! SLOTSRESTORE-ASYNC list | hash | dict | zset key 3 x timeout len element...
//! ...
//! SLOTSRESTORE-ASYNC expire key ttl
//! ```
//! Pieces of a large value have a time of their own to live, so that what is not finished goes by
//! itself. The keys are deleted here when all pieces were answered, those of a slot in one step.

use super::restore_async::{ACK, interrupted};
use super::send::{gather, parse_place, write_outcome, write_slot_reply};
use super::{ENTRY, check_scheme, refused};
use crate::command::call::Call;
use crate::command::environment::Environment;
use crate::command::link::{Errand, Failure, Next, Scene, Stage};
use crate::command::table::{Command, flag, key_use};
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::resp::number::parse_i64;
use crate::resp::{Reply, ReplySink, encode_request};
use crate::slot::SlotScheme;
use crate::value::dump::{self, RDB_VERSION};
use crate::value::{self, Record, Type, hash, list, set, string, zset};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

type Outcome = Result<(), Error>;

const SENDS: u32 = flag::WRITE | flag::ASKS_PEERS;
const USES: u16 = key_use::RW | key_use::ACCESS | key_use::DELETE;
const COMPLEXITY: &str = "O(N) where N is the number of elements in the values that are sent.";
const OF_KEYS: &str = "host port:integer timeout:integer maxbulks:integer maxbytes:integer key...";
const OF_SLOT: &str = "host port:integer timeout:integer maxbulks:integer maxbytes:integer \
                       slot:integer numkeys:integer";

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "slotsmgrtone-async",
        summary: "Moves keys to another node in pieces.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: OF_KEYS,
        keys: &[USES],
        handler: |call| send_keys(call, false),
        ..ENTRY
    },
    Command {
        name: "slotsmgrttagone-async",
        summary: "Moves keys with all keys of their tags to another node in pieces.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: OF_KEYS,
        keys: &[USES],
        handler: |call| send_keys(call, true),
        ..ENTRY
    },
    Command {
        name: "slotsmgrtslot-async",
        summary: "Moves some keys of a slot to another node in pieces.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: OF_SLOT,
        handler: |call| send_some(call, false),
        ..ENTRY
    },
    Command {
        name: "slotsmgrttagslot-async",
        summary: "Moves some keys of a slot with all keys of their tags to another node in pieces.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: OF_SLOT,
        handler: |call| send_some(call, true),
        ..ENTRY
    },
    Command {
        name: "slotsmgrt-async-fence",
        summary: "Tells whether keys of the database are on their way in pieces.",
        complexity: "O(1)",
        flags: flag::FAST,
        handler: fence,
        ..ENTRY
    },
    Command {
        name: "slotsmgrt-async-cancel",
        summary: "Keeps the keys of the database that are on their way in pieces.",
        complexity: "O(N) where N is the number of these keys.",
        flags: flag::WRITE,
        handler: cancel,
        ..ENTRY
    },
    Command {
        name: "slotsmgrt-async-status",
        summary: "Tells of the keys of the database that are on their way in pieces.",
        complexity: "O(N) where N is the number of these keys.",
        flags: flag::READONLY,
        handler: status,
        ..ENTRY
    },
];

/// Keys on their way from one database.
#[derive(Debug)]
struct Sending {
    host: String,
    port: u16,
    timeout_ms: u64,
    /// Elements in one piece.
    bulks_max: usize,
    /// Bytes of pieces that are said at a time.
    bytes_max: usize,
    with_tag: bool,
    keys: Vec<Box<[u8]>>,
    last_use_ms: AtomicU64,
    /// Pieces that were said and not answered.
    unanswered: AtomicU64,
}

/// What is on its way, by database: one errand each.
#[derive(Debug, Default)]
pub(crate) struct SlotSends {
    by_db: Mutex<BTreeMap<usize, Arc<Sending>>>,
}

impl SlotSends {
    /// Whether keys of a database are on their way.
    pub(super) fn is_running(&self, db: usize) -> bool {
        self.by_db.lock().contains_key(&db)
    }

    fn begin(&self, db: usize, sending: &Arc<Sending>) {
        self.by_db.lock().insert(db, sending.clone());
    }

    /// Ends an errand. Whoever this returns true to settles its keys; nobody else does.
    fn end(&self, db: usize, sending: &Arc<Sending>) -> bool {
        let mut by_db = self.by_db.lock();
        let is_it = by_db.get(&db).is_some_and(|other| Arc::ptr_eq(other, sending));
        if is_it {
            by_db.remove(&db);
        }
        is_it
    }

    fn find(&self, db: usize) -> Option<Arc<Sending>> {
        self.by_db.lock().get(&db).cloned()
    }
}

/// Reads a number from zero to the largest of 32 bits; `default` stands for zero.
fn number(word: &[u8], name: &str, default: usize) -> Result<usize, Error> {
    let number = parse_i64(word).and_then(|number| i32::try_from(number).ok());
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(0) => Ok(default),
        Some(number) => Ok(number),
        None => {
            let text = String::from_utf8_lossy(word);
            Err(refused(format!("invalid value of {name} ({text})")))
        }
    }
}

/// What the words before keys and slots say, with no keys yet.
fn parse(call: &Call<'_, '_>, with_tag: bool) -> Result<Sending, Error> {
    let port = parse_i64(call.words[2]).filter(|port| (1..65_536).contains(port));
    if port.is_none() {
        let text = String::from_utf8_lossy(call.words[2]);
        return Err(refused(format!("invalid value of port ({text})")));
    }
    let place = parse_place(call.words[1], call.words[2])?;
    Ok(Sending {
        host: place.host,
        port: place.port,
        timeout_ms: number(call.words[3], "timeout", 30_000)? as u64,
        bulks_max: number(call.words[4], "maxbulks", 200)?.min(512 * 1024),
        bytes_max: number(call.words[5], "maxbytes", 512 * 1024)?.min(i32::MAX as usize / 2),
        with_tag,
        keys: Vec::new(),
        last_use_ms: AtomicU64::new(call.time.unix_ms()),
        unanswered: AtomicU64::new(0),
    })
}

fn check_idle(call: &Call<'_, '_>) -> Outcome {
    const BUSY: Error = Error::err("the specified DB is being migrated");
    if call.env.slot_sends.is_running(call.client.db) { Err(BUSY) } else { Ok(()) }
}

fn send_keys(call: &mut Call<'_, '_>, with_tag: bool) -> Outcome {
    check_scheme(call)?;
    let mut sending = parse(call, with_tag)?;
    check_idle(call)?;
    let mut names = BTreeSet::new();
    for key in call.located {
        names.extend(gather(call.keys, key, with_tag));
    }
    sending.keys = names.into_iter().collect();
    if sending.keys.is_empty() {
        call.out.integer(0);
        return Ok(());
    }
    call.check_links()?;
    sending.take_off(call.keys, call.env, call.client.db)?;
    start(call, sending, None);
    Ok(())
}

fn send_some(call: &mut Call<'_, '_>, with_tag: bool) -> Outcome {
    check_scheme(call)?;
    let mut sending = parse(call, with_tag)?;
    let slot = parse_i64(call.words[6]).and_then(|slot| u16::try_from(slot).ok());
    let slot = slot.filter(|&slot| usize::from(slot) < SlotScheme::Codis.slots());
    let slot = slot.ok_or_else(|| {
        refused(format!("invalid value of slot ({})", String::from_utf8_lossy(call.words[6])))
    })?;
    let pieces_max = number(call.words[7], "numkeys", 100)?;
    check_idle(call)?;
    let (db, env) = (call.client.db, call.env);
    let may_send = call.check_links();
    call.keys.with_slot(slot, |access| {
        let mut first: Vec<Box<[u8]>> = Vec::new();
        let mut pieces = 0;
        access.walk_slot(db, slot, 0, pieces_max, |record| {
            if pieces < pieces_max {
                pieces += sending.pieces(record);
                first.push(record.key().into());
            }
        });
        let mut names = BTreeSet::new();
        for name in &first {
            let key = access.keyspace().locate(db, name);
            names.extend(gather(access, &key, with_tag));
        }
        sending.keys = names.into_iter().collect();
        if sending.keys.is_empty() {
            return Ok(());
        }
        may_send?;
        sending.take_off(access, env, db)
    })?;
    if sending.keys.is_empty() {
        write_slot_reply(call.out, 0, call.keys.count_in_slot(db, slot));
    } else {
        start(call, sending, Some(slot));
    }
    Ok(())
}

fn start(call: &mut Call<'_, '_>, sending: Sending, slot: Option<u16>) {
    let db = call.client.db;
    let sending = Arc::new(sending);
    call.env.slot_sends.begin(db, &sending);
    let place = crate::command::link::Place {
        host: sending.host.clone(),
        port: sending.port,
        credentials: Vec::new(),
    };
    call.send(place, Box::new(Send::new(sending, db, slot)));
}

fn fence(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    if call.env.slot_sends.is_running(call.client.db) {
        return Err(Error::err("previous operation has not finished (call fence again)"));
    }
    call.out.ok();
    Ok(())
}

fn cancel(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let db = call.client.db;
    let sending = call.env.slot_sends.find(db);
    let cancelled = sending.filter(|sending| call.env.slot_sends.end(db, sending));
    if let Some(sending) = &cancelled {
        sending.land(call.keys, call.env, db);
    }
    call.out.integer(i64::from(cancelled.is_some()));
    Ok(())
}

fn status(call: &mut Call<'_, '_>) -> Outcome {
    check_scheme(call)?;
    let Some(sending) = call.env.slot_sends.find(call.client.db) else {
        call.out.null_array();
        return Ok(());
    };
    let last_use_ms = sending.last_use_ms.load(Relaxed);
    let numbers = [
        ("port", u64::from(sending.port)),
        ("timeout", sending.timeout_ms),
        ("lastuse", last_use_ms),
        ("since_lastuse", call.time.unix_ms().saturating_sub(last_use_ms)),
        ("sending_msgs", sending.unanswered.load(Relaxed)),
        ("maxbulks", sending.bulks_max as u64),
        ("maxbytes", sending.bytes_max as u64),
    ];
    let out = &mut *call.out;
    out.array(2 * (numbers.len() + 2));
    out.bulk(b"host");
    out.bulk(sending.host.as_bytes());
    for (name, number) in numbers {
        out.bulk(name.as_bytes());
        out.bulk(number.to_string().as_bytes());
    }
    out.bulk(b"keys");
    out.array(sending.keys.len());
    sending.keys.iter().for_each(|key| out.bulk(key));
    Ok(())
}

impl Sending {
    /// In how many pieces a value goes.
    fn pieces(&self, record: &Record) -> usize {
        match len(record) {
            Some(len) if len > self.bulks_max => 2 + len.div_ceil(self.bulks_max),
            Some(_) | None => 2,
        }
    }

    fn enter(&self, env: &Environment, key: &Key<'_>) -> bool {
        if self.with_tag { env.in_flight.enter_tag(key) } else { env.in_flight.enter(key) }
    }

    fn leave(&self, env: &Environment, key: &Key<'_>) {
        if self.with_tag { env.in_flight.leave_tag(key) } else { env.in_flight.leave(key) }
    }

    /// Bars writing to all keys, or to none if a key is barred already. They are under lock.
    fn take_off(&self, access: &mut Access<'_>, env: &Environment, db: usize) -> Outcome {
        let keyspace = access.keyspace();
        let keys: Vec<Key<'_>> = self.keys.iter().map(|key| keyspace.locate(db, key)).collect();
        if keys.iter().any(|key| env.in_flight.may_hold(key) || env.is_moving(key.slot)) {
            return Err(super::send::IN_FLIGHT);
        }
        // A tag is entered once, with the first of its keys.
        keys.iter().for_each(|key| _ = self.enter(env, key));
        Ok(())
    }

    /// Lets the keys be written again.
    fn land(&self, access: &mut Access<'_>, env: &Environment, db: usize) {
        for name in &self.keys {
            let key = access.keyspace().locate(db, name);
            access.with_slot(key.slot, |_| self.leave(env, &key));
        }
    }
}

/// How many elements a collection has that can be sent in pieces; none if it goes whole.
fn len(record: &Record) -> Option<usize> {
    match Type::of(record) {
        Type::List => list::read(record).ok().map(list::List::len),
        Type::Set => set::read(record).ok().map(set::Set::len),
        Type::Zset => zset::Zset::of(record).ok().map(zset::Zset::len),
        // The times of fields are told by a payload alone.
        Type::Hash if value::has_expiring_members(record) => None,
        Type::Hash => hash::Hash::of(record, 0).ok().map(hash::Hash::len),
        Type::String | Type::Stream => None,
    }
}

/// How far an errand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Sending,
    Done,
}

/// Where in a key the next piece begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The key of old is to be deleted.
    Delete,
    /// The value is to be sent from its start.
    Start,
    /// The value is to be sent on from this place.
    From(u64),
    /// The time of expiry is to be set.
    Expire,
}

/// The errand of one command.
#[derive(Debug)]
struct Send {
    sending: Arc<Sending>,
    db: usize,
    /// The slot of which the reply tells how many keys are left.
    slot: Option<u16>,
    step: Step,
    /// The key that is being sent, and the place in it.
    next: (usize, Place),
    unanswered: u64,
    moved: usize,
    left: usize,
    fault: Option<Error>,
}

impl Send {
    fn new(sending: Arc<Sending>, db: usize, slot: Option<u16>) -> Self {
        let next = (0, Place::Delete);
        let (step, unanswered, moved, left, fault) = (Step::Begin, 0, 0, 0, None);
        Self { sending, db, slot, step, next, unanswered, moved, left, fault }
    }

    fn is_sent(&self) -> bool {
        self.next.0 == self.sending.keys.len()
    }

    fn say(&mut self, words: &[Vec<u8>], out: &mut Vec<u8>) {
        encode_request(words, out);
        self.unanswered += 1;
    }

    /// Says one more piece.
    fn say_piece(&mut self, scene: &mut Scene<'_, '_>, out: &mut Vec<u8>) {
        let (number, place) = self.next;
        let sending = self.sending.clone();
        let name = &sending.keys[number];
        let mut key = scene.keys.keyspace().locate(self.db, name);
        let now_ms = scene.keys.unix_ms();
        let piece = scene.keys.with_key(&mut key, |access, key| {
            let record = access.peek(key)?;
            Some(piece(&sending, record, place, now_ms))
        });
        self.next = match piece {
            // It is expired; what the target has of it will be soon, too.
            None => (number + 1, Place::Delete),
            Some((words, next)) => {
                self.say(&words, out);
                next.map_or((number + 1, Place::Delete), |place| (number, place))
            }
        };
    }

    fn finish(&mut self, scene: &mut Scene<'_, '_>, fault: Option<Error>) {
        self.step = Step::Done;
        if !scene.env.slot_sends.end(self.db, &self.sending) {
            self.fault = Some(interrupted("canceled"));
            return;
        }
        if fault.is_some() {
            self.sending.land(scene.keys, scene.env, self.db);
        } else {
            self.delete(scene);
        }
        self.fault = fault;
        self.left = self.slot.map_or(0, |slot| scene.keys.count_in_slot(self.db, slot));
    }

    /// Deletes all keys, those of a slot in one step.
    fn delete(&mut self, scene: &mut Scene<'_, '_>) {
        let (keyspace, env) = (scene.keys.keyspace(), scene.env);
        let mut by_slot: BTreeMap<u16, Vec<Key<'_>>> = BTreeMap::new();
        let sending = self.sending.clone();
        for name in &sending.keys {
            let key = keyspace.locate(self.db, name);
            by_slot.entry(key.slot).or_default().push(key);
        }
        for (slot, keys) in by_slot {
            scene.keys.with_slot(slot, |access| {
                for key in &keys {
                    if access.remove(key) {
                        self.moved += 1;
                        access.say_apart(key, &[b"DEL", key.bytes]);
                        access.notify(Event::Generic, "del", key);
                    }
                }
                keys.iter().for_each(|key| sending.leave(env, key));
            });
        }
    }
}

/// The request for a piece of a value, and where the next piece of it begins, if there is one.
fn piece(
    sending: &Sending,
    record: &Record,
    place: Place,
    now_ms: u64,
) -> (Vec<Vec<u8>>, Option<Place>) {
    let key = record.key().to_vec();
    let left_ms = record.expire_ms().map_or(0, |at_ms| at_ms.saturating_sub(now_ms).max(1));
    let start = |name: &str| vec![b"SLOTSRESTORE-ASYNC".to_vec(), name.into(), key.clone()];
    let with = |name: &str, ttl_ms: u64, word: Vec<u8>| {
        let mut words = start(name);
        words.extend([ttl_ms.to_string().into_bytes(), word]);
        words
    };
    match place {
        Place::Delete => (start("delete"), Some(Place::Start)),
        Place::Expire => {
            let mut words = start("expire");
            words.push(left_ms.to_string().into_bytes());
            (words, None)
        }
        Place::Start | Place::From(_) => match len(record).filter(|&len| len > sending.bulks_max) {
            None => {
                let text = string::read(record).map(|text| text.to_vec());
                let words = match text {
                    Ok(text) => with("string", left_ms, text),
                    Err(_) => {
                        let mut payload = Vec::new();
                        dump::dump(record, RDB_VERSION, &mut payload);
                        with("object", left_ms, payload)
                    }
                };
                (words, None)
            }
            Some(len) => {
                let from = if let Place::From(from) = place { from } else { 0 };
                let (name, elements, next) = elements(record, from, sending.bulks_max, now_ms);
                // What is not finished goes by itself.
                let ttl_ms = sending.timeout_ms.saturating_mul(3);
                let mut words = with(name, ttl_ms, len.to_string().into_bytes());
                words.extend(elements);
                (words, Some(next.map_or(Place::Expire, Place::From)))
            }
        },
    }
}

/// Elements of a collection from a place on, under the name that SLOTSRESTORE-ASYNC has for their
/// type, and the place to go on from.
fn elements(
    record: &Record,
    from: u64,
    count: usize,
    now_ms: u64,
) -> (&'static str, Vec<Vec<u8>>, Option<u64>) {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let after = |len: usize| Some(from + count as u64).filter(|&next| next < len as u64);
    let is_cursor = |next: u64| Some(next).filter(|&next| next != 0);
    match Type::of(record) {
        Type::List => {
            let Ok(list) = list::read(record) else { return ("list", found, None) };
            let some = list.iter_from(from as usize, false);
            some.each(count, |element| found.push(element.to_vec()));
            ("list", found, after(list.len()))
        }
        Type::Zset => {
            let Ok(zset) = zset::Zset::of(record) else { return ("zset", found, None) };
            let end = zset.len().min(from as usize + count);
            for (member, score) in zset.range(from as usize..end, false) {
                found.extend([member.to_vec(), score.to_bits().to_le_bytes().to_vec()]);
            }
            ("zset", found, after(zset.len()))
        }
        Type::Set => {
            let Ok(set) = set::read(record) else { return ("dict", found, None) };
            let next = set.scan(from, count, |element| found.push(element.to_vec()));
            ("dict", found, is_cursor(next))
        }
        Type::Hash => {
            let Ok(hash) = hash::Hash::of(record, now_ms) else { return ("hash", found, None) };
            let next = hash.walk(from, count, |field, value| {
                found.extend([field.to_vec(), value.to_vec()]);
            });
            ("hash", found, is_cursor(next))
        }
        Type::String | Type::Stream => ("object", found, None),
    }
}

impl Errand for Send {
    fn patience_ms(&self) -> u64 {
        self.sending.timeout_ms
    }

    fn speak(&mut self, scene: &mut Scene<'_, '_>, out: &mut Vec<u8>) {
        if self.step == Step::Begin {
            self.step = Step::Sending;
            if scene.peer.db != Some(self.db as i64) {
                let db = self.db.to_string().into_bytes();
                self.say(&[b"SLOTSRESTORE-ASYNC-SELECT".to_vec(), db], out);
            }
        }
        while self.step == Step::Sending && !self.is_sent() && out.len() < self.sending.bytes_max {
            self.say_piece(scene, out);
        }
        if self.step == Step::Sending && self.is_sent() && self.unanswered == 0 {
            self.finish(scene, None);
        }
        self.sending.unanswered.store(self.unanswered, Relaxed);
    }

    fn hear(&mut self, scene: &mut Scene<'_, '_>, reply: Reply) -> Result<(), Error> {
        let bulk = |part: &Reply| match part {
            Reply::Bulk(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        let is_fine = match &reply {
            Reply::Array(parts) if parts.len() == 3 => {
                bulk(&parts[0]) == ACK && bulk(&parts[1]) == b"0"
            }
            _ => false,
        };
        if !is_fine || self.unanswered == 0 {
            scene.peer.db = None;
            return Err(interrupted("connection closed"));
        }
        scene.peer.db = Some(self.db as i64);
        self.unanswered -= 1;
        self.sending.last_use_ms.store(scene.keys.unix_ms(), Relaxed);
        self.sending.unanswered.store(self.unanswered, Relaxed);
        if self.is_sent() && self.unanswered == 0 {
            self.finish(scene, None);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Nothing was deleted here; what the target has of a key is deleted when it is sent again.
    fn fail(&mut self, scene: &mut Scene<'_, '_>, failure: Failure) -> Next {
        let fault = match failure.stage {
            Stage::Connecting => {
                let Sending { host, port, .. } = &*self.sending;
                refused(format!("create client to {host}:{port} failed"))
            }
            Stage::Writing | Stage::Reading if failure.timed_out => {
                interrupted("migration timeout")
            }
            Stage::Writing | Stage::Reading => interrupted("connection closed"),
        };
        self.finish(scene, Some(fault));
        Next::Over
    }

    fn write_reply(&mut self, out: &mut dyn ReplySink) -> Outcome {
        write_outcome(out, self.fault.take(), self.slot, self.moved, self.left)
    }
}
