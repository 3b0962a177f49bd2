//! SLOTSMGRTONE and its family: keys to another node in one step, deleted here when it has them.
//!
//! All keys of a tag are one request, SLOTSRESTORE, which the target carries out as a whole, and one
//! step of deleting here. Meanwhile the tag can be read and not be written, keys that it does not
//! have yet included.

use super::{ENTRY, check_scheme, parse_int, parse_slot, refused};
use crate::command::call::Call;
use crate::command::environment::Environment;
use crate::command::link::{Errand, Failure, Next, Place, Scene, Stage};
use crate::command::table::{Command, flag, key_use};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Event, Key};
use crate::resp::{Reply, ReplySink, encode_request};
use crate::value::dump::{self, RDB_VERSION};

type Outcome = Result<(), Error>;

const SENDS: u32 = flag::WRITE | flag::ASKS_PEERS;
const USES: u16 = key_use::RW | key_use::ACCESS | key_use::DELETE;
const COMPLEXITY: &str = "O(N) where N is the number of elements in the values that are sent.";

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "slotsmgrtone",
        summary: "Moves a key to another node.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: "host port:integer timeout:integer key",
        keys: &[USES],
        handler: |call| send_key(call, false),
        ..ENTRY
    },
    Command {
        name: "slotsmgrttagone",
        summary: "Moves a key with all keys of its tag to another node.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: "host port:integer timeout:integer key",
        keys: &[USES],
        handler: |call| send_key(call, true),
        ..ENTRY
    },
    Command {
        name: "slotsmgrtslot",
        summary: "Moves some key of a slot to another node.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: "host port:integer timeout:integer slot:integer",
        handler: |call| send_some(call, false),
        ..ENTRY
    },
    Command {
        name: "slotsmgrttagslot",
        summary: "Moves some key of a slot with all keys of its tag to another node.",
        complexity: COMPLEXITY,
        flags: SENDS,
        grammar: "host port:integer timeout:integer slot:integer",
        handler: |call| send_some(call, true),
        ..ENTRY
    },
];

pub(super) const IN_FLIGHT: Error =
    Error::fixed(ErrorKind::TryAgain, "The key is on its way to another node");
const NOT_CONNECTED: Error =
    Error::fixed(ErrorKind::IoErr, "error or timeout connecting to the client");

/// What older targets take; before Redis 7.0 collections were written otherwise.
const PAYLOAD_VERSION_MIN: u16 = 10;

/// Where the words of a command say that keys shall go.
pub(super) fn parse_place(host: &[u8], port: &[u8]) -> Result<Place, Error> {
    let number = parse_int(port)?;
    let port = u16::try_from(number).ok().filter(|&port| port > 0);
    let port = port.ok_or_else(|| refused(format!("invalid port number = {number}")))?;
    let host = String::from_utf8(host.to_vec()).map_err(|_| NOT_CONNECTED)?;
    Ok(Place { host, port, credentials: Vec::new() })
}

fn parse_timeout_ms(word: &[u8]) -> Result<u64, Error> {
    match parse_int(word)? {
        0 => Ok(100),
        number => u64::try_from(number).map_err(|_| refused(format!("invalid timeout = {number}"))),
    }
}

fn send_key(call: &mut Call<'_, '_>, with_tag: bool) -> Outcome {
    check_scheme(call)?;
    let place = parse_place(call.words[1], call.words[2])?;
    let timeout_ms = parse_timeout_ms(call.words[3])?;
    let key = call.key(0);
    let keys = gather(call.keys, &key, with_tag);
    if keys.is_empty() {
        call.out.integer(0);
        return Ok(());
    }
    call.check_links()?;
    let group = Group { db: call.client.db, with_tag, keys };
    if !group.take_off(call.env, &key) {
        return Err(IN_FLIGHT);
    }
    call.send(place, Box::new(Send::new(group, None, timeout_ms)));
    Ok(())
}

fn send_some(call: &mut Call<'_, '_>, with_tag: bool) -> Outcome {
    check_scheme(call)?;
    let place = parse_place(call.words[1], call.words[2])?;
    let timeout_ms = parse_timeout_ms(call.words[3])?;
    let slot = parse_slot(call.words[4])?;
    let (db, env) = (call.client.db, call.env);
    let may_send = call.check_links();
    let group = call.keys.with_slot(slot, |access| {
        let mut first = None;
        access.walk_slot(db, slot, 0, 1, |record| {
            first.get_or_insert_with(|| record.key().to_vec());
        });
        let Some(first) = first else { return Ok(None) };
        may_send?;
        let key = access.keyspace().locate(db, &first);
        let group = Group { db, with_tag, keys: gather(access, &key, with_tag) };
        if group.take_off(env, &key) { Ok(Some(group)) } else { Err(IN_FLIGHT) }
    })?;
    match group {
        None => write_slot_reply(call.out, 0, call.keys.count_in_slot(db, slot)),
        Some(group) => call.send(place, Box::new(Send::new(group, Some(slot), timeout_ms))),
    }
    Ok(())
}

pub(super) fn write_slot_reply(out: &mut dyn ReplySink, moved: usize, left: usize) {
    out.array(2);
    out.integer(moved as i64);
    out.integer(left as i64);
}

/// Tells how many keys moved and, of a slot, how many are left; or why none did.
pub(super) fn write_outcome(
    out: &mut dyn ReplySink,
    fault: Option<Error>,
    slot: Option<u16>,
    moved: usize,
    left: usize,
) -> Outcome {
    match (fault, slot) {
        (Some(fault), _) => return Err(fault),
        (None, Some(_)) => write_slot_reply(out, moved, left),
        (None, None) => out.integer(moved as i64),
    }
    Ok(())
}

/// The names of a key and, if asked for, of all keys of its tag; none if there are none.
pub(super) fn gather(access: &mut Access<'_>, key: &Key<'_>, with_tag: bool) -> Vec<Box<[u8]>> {
    let mut keys: Vec<Box<[u8]>> = Vec::new();
    if with_tag {
        access.walk_tag(key, |record| keys.push(record.key().into()));
    } else if access.contains(key) {
        keys.push(key.bytes.into());
    }
    keys
}

/// Keys that move together; all are in one slot.
#[derive(Debug)]
struct Group {
    db: usize,
    /// Whether they are all keys of a tag.
    with_tag: bool,
    /// Their names; at least one.
    keys: Vec<Box<[u8]>>,
}

impl Group {
    /// Bars writing. Returns false if that of a key is barred already, or a migration moves them.
    fn take_off(&self, env: &Environment, key: &Key<'_>) -> bool {
        let in_flight = &env.in_flight;
        if env.is_moving(key.slot) {
            return false;
        }
        let is_barred = |name: &[u8]| in_flight.may_hold(&Key { bytes: name, ..*key });
        if in_flight.any() && self.keys.iter().any(|name| is_barred(name)) {
            return false;
        }
        if self.with_tag { in_flight.enter_tag(key) } else { in_flight.enter(key) }
    }

    /// Lets the keys be written again.
    fn land(&self, scene: &Scene<'_, '_>) {
        let Some(first) = self.keys.first() else { return };
        let key = scene.keys.keyspace().locate(self.db, first);
        let in_flight = &scene.env.in_flight;
        if self.with_tag { in_flight.leave_tag(&key) } else { in_flight.leave(&key) }
    }

    /// Lets `work` see the keys, all under one lock.
    fn with_all<R>(
        &self,
        scene: &mut Scene<'_, '_>,
        work: impl FnOnce(&mut Access<'_>, &[Key<'_>]) -> R,
    ) -> R {
        let keyspace = scene.keys.keyspace();
        let keys: Vec<Key<'_>> =
            self.keys.iter().map(|key| keyspace.locate(self.db, key)).collect();
        scene.keys.with_slot(keys[0].slot, |access| work(access, &keys))
    }

    /// The request that stores the keys elsewhere; none if all are expired.
    fn request(&self, scene: &mut Scene<'_, '_>, version: u16) -> Option<Vec<Vec<u8>>> {
        let mut words = vec![b"SLOTSRESTORE".to_vec()];
        self.with_all(scene, |access, keys| {
            let now_ms = access.unix_ms();
            for key in keys {
                let Some(record) = access.peek(key) else { continue };
                let left_ms = record.expire_ms().map_or(0, |at| at.saturating_sub(now_ms).max(1));
                let mut payload = Vec::new();
                dump::dump(record, version, &mut payload);
                words.extend([key.bytes.to_vec(), left_ms.to_string().into_bytes(), payload]);
            }
        });
        (words.len() > 1).then_some(words)
    }

    /// Deletes the keys in one step, and lets the tag be written again. Returns how many were
    /// there.
    fn delete(&self, scene: &mut Scene<'_, '_>) -> usize {
        let (env, with_tag) = (scene.env, self.with_tag);
        self.with_all(scene, |access, keys| {
            let mut deleted = 0;
            for key in keys {
                if access.remove(key) {
                    deleted += 1;
                    access.say_apart(key, &[b"DEL", key.bytes]);
                    access.notify(Event::Generic, "del", key);
                }
            }
            let in_flight = &env.in_flight;
            if with_tag {
                in_flight.leave_tag(&keys[0])
            } else {
                in_flight.leave(&keys[0])
            }
            deleted
        })
    }
}

/// How far an errand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing was said over this link.
    Begin,
    /// SELECT was said.
    Selecting,
    /// The database is selected, the keys are to be sent.
    Ready,
    /// The keys were sent in payloads of this version.
    Sent(u16),
    Done,
}

/// The errand of one command.
#[derive(Debug)]
struct Send {
    group: Group,
    /// The slot of which the reply tells how many keys are left.
    slot: Option<u16>,
    timeout_ms: u64,
    step: Step,
    is_retry: bool,
    moved: usize,
    left: usize,
    fault: Option<Error>,
}

impl Send {
    fn new(group: Group, slot: Option<u16>, timeout_ms: u64) -> Self {
        let (step, is_retry, moved, left, fault) = (Step::Begin, false, 0, 0, None);
        Self { group, slot, timeout_ms, step, is_retry, moved, left, fault }
    }

    fn finish(&mut self, scene: &mut Scene<'_, '_>, fault: Option<Error>) {
        if fault.is_some() {
            self.group.land(scene);
        } else {
            self.moved = self.group.delete(scene);
        }
        self.fault = fault;
        self.left = self.slot.map_or(0, |slot| scene.keys.count_in_slot(self.group.db, slot));
        self.step = Step::Done;
    }

    fn refused(&mut self, scene: &mut Scene<'_, '_>, line: &[u8]) {
        const WRONG_VERSION: &[u8] = b"ERR DUMP payload version or checksum are wrong";
        if let Step::Sent(version) = self.step
            && line == WRONG_VERSION
            && version > PAYLOAD_VERSION_MIN
        {
            scene.peer.payload_version = Some(version - 1);
            self.step = Step::Ready;
            return;
        }
        let text = [b"Target instance replied with error: ", line].concat();
        scene.peer.db = None;
        self.finish(scene, Some(Error::new(ErrorKind::Err, text)));
    }
}

impl Errand for Send {
    fn patience_ms(&self) -> u64 {
        self.timeout_ms
    }

    fn speak(&mut self, scene: &mut Scene<'_, '_>, out: &mut Vec<u8>) {
        let db = self.group.db;
        if self.step == Step::Begin && scene.peer.db != Some(db as i64) {
            encode_request(&[b"SELECT", db.to_string().as_bytes()], out);
            self.step = Step::Selecting;
        } else if matches!(self.step, Step::Begin | Step::Ready) {
            let version = scene.peer.payload_version.unwrap_or(RDB_VERSION);
            match self.group.request(scene, version) {
                Some(words) => {
                    encode_request(&words, out);
                    self.step = Step::Sent(version);
                }
                None => self.finish(scene, None),
            }
        }
    }

    fn hear(&mut self, scene: &mut Scene<'_, '_>, reply: Reply) -> Result<(), Error> {
        const UNASKED: Error = Error::fixed(ErrorKind::IoErr, "answer without a request");
        if let Reply::Error(line) = &reply {
            self.refused(scene, line);
            return Ok(());
        }
        match self.step {
            Step::Selecting => {
                scene.peer.db = Some(self.group.db as i64);
                self.step = Step::Ready;
            }
            Step::Sent(version) => {
                scene.peer.payload_version.get_or_insert(version);
                self.finish(scene, None);
            }
            Step::Begin | Step::Ready | Step::Done => return Err(UNASKED),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Nothing was deleted here, and what the target has is stored anew: a link that was open for
    /// long, and may have been closed by the other side, is tried once more.
    fn fail(&mut self, scene: &mut Scene<'_, '_>, failure: Failure) -> Next {
        let is_connecting = failure.stage == Stage::Connecting;
        if !failure.timed_out && !is_connecting && !self.is_retry {
            (self.is_retry, self.step) = (true, Step::Begin);
            return Next::Again;
        }
        let text = match failure.stage {
            Stage::Connecting => NOT_CONNECTED,
            Stage::Writing => {
                Error::fixed(ErrorKind::IoErr, "error or timeout writing to target instance")
            }
            Stage::Reading => {
                Error::fixed(ErrorKind::IoErr, "error or timeout reading from target instance")
            }
        };
        self.finish(scene, Some(text));
        Next::Over
    }

    fn write_reply(&mut self, out: &mut dyn ReplySink) -> Outcome {
        write_outcome(out, self.fault.take(), self.slot, self.moved, self.left)
    }
}
