//! MIGRATE: keys to another server, by RESTORE, deleted here when it has them.
//!
//! The handler only marks the keys as in flight; they are read and sent a portion at a time, when the
//! link can take them. Until a key is settled it can be read here and not be written, so each is as
//! it was when the command came.
//!
//! Over a new link, AUTH and SELECT are answered before the first key is sent, which could otherwise
//! land in another database; and the first key goes alone, since its answer tells whether the target
//! takes payloads of this version.

use crate::command::Call;
use crate::command::key_spec::{Begin, Find, KeyPlace, KeyPlaces, KeySpec};
use crate::command::link::{Errand, Failure, Next, Place, Scene, Stage};
use crate::command::table::{Command, Group, category, flag, key_use};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Event;
use crate::migration::{RestoreForm, write_restore};
use crate::resp::number::parse_i64;
use crate::resp::{Reply, ReplySink, encode_request};
use crate::value::dump::RDB_VERSION;
use std::collections::VecDeque;

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "migrate",
    summary: "Atomically transfers a key from one Redis instance to another.",
    since: "2.6.0",
    complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in \
                 the target instance. See the pages of these commands for time complexity. Also an \
                 O(N) data transfer between the two instances is performed.",
    group: Group::Generic,
    flags: flag::WRITE | flag::ASKS_PEERS,
    categories: Some(category::KEYSPACE | category::DANGEROUS),
    tips: &["nondeterministic_output"],
    grammar: "host port:integer key-selector=(key#0 | empty-string=\"\") destination-db:integer timeout:integer \
              [COPY@3.0.0] [REPLACE@3.0.0] [authentication=(AUTH auth:string@4.0.7 | \
              AUTH2 auth2=(username password)@6.0.0)] [KEYS keys:key#1...]@3.0.6",
    key_specs: &[ONE_KEY, MANY_KEYS],
    find_keys: Some(keys_of_migrate),
    arity: Some(-6),
    history: &[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ],
    handler: migrate,
    ..Command::DEFAULT
}];

const USES: u16 = key_use::RW | key_use::ACCESS | key_use::DELETE;
const ONE_KEY: KeySpec = KeySpec {
    notes: "",
    uses: USES,
    begin: Begin::Index(3),
    find: Find::Range { last: 0, step: 1, limit: 0 },
};
const MANY_KEYS: KeySpec = KeySpec {
    notes: "",
    uses: USES | key_use::INCOMPLETE,
    begin: Begin::Keyword { keyword: "KEYS", from: -2 },
    find: Find::Range { last: -1, step: 1, limit: 0 },
};

const KEYS_BESIDE_KEY: Error =
    Error::err("When using MIGRATE KEYS option, the key argument must be set to the empty string");
const IN_FLIGHT: Error = Error::fixed(ErrorKind::TryAgain, "The key is on its way to another node");
const NOT_CONNECTED: Error =
    Error::fixed(ErrorKind::IoErr, "error or timeout connecting to the client");

/// About how many bytes are said at a time.
const PORTION_BYTES: usize = 256 << 10;
/// What older targets take; before Redis 7.0 collections were written otherwise.
const PAYLOAD_VERSION_MIN: u16 = 10;

/// Where the word KEYS stands, if the keys come after it.
fn place_of_keys(words: &[&[u8]]) -> Option<usize> {
    let mut place = 6;
    while let Some(word) = words.get(place) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"keys") {
            return Some(place);
        }
        place += if is(b"auth2") { 3 } else { 1 + usize::from(is(b"auth")) };
    }
    None
}

fn keys_of_migrate(words: &[&[u8]]) -> Option<KeyPlaces> {
    let places = match place_of_keys(words) {
        None => 3..4,
        Some(_) if !words.get(3)?.is_empty() => return None,
        Some(place) => place + 1..words.len(),
    };
    Some(places.map(|place| KeyPlace { place, uses: USES }).collect())
}

/// What the words before the keys say.
#[derive(Debug)]
struct Options {
    copy: bool,
    replace: bool,
    /// The words after AUTH.
    credentials: Vec<Vec<u8>>,
    /// The database at the target.
    db: i64,
    timeout_ms: u64,
}

impl Options {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let (mut copy, mut replace, mut credentials) = (false, false, Vec::new());
        let mut rest = &words[6..];
        while let [word, after @ ..] = rest {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            rest = after;
            if is(b"copy") {
                copy = true;
            } else if is(b"replace") {
                replace = true;
            } else if is(b"auth") || is(b"auth2") {
                let count = if is(b"auth") { 1 } else { 2 };
                let (given, after) = rest.split_at_checked(count).ok_or(Error::SYNTAX)?;
                credentials = given.iter().map(|word| word.to_vec()).collect();
                rest = after;
            } else if is(b"keys") {
                if !words[3].is_empty() {
                    return Err(KEYS_BESIDE_KEY);
                }
                break;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let timeout = parse_i64(words[5]).ok_or(Error::NOT_INTEGER)?;
        let db = parse_i64(words[4]).ok_or(Error::NOT_INTEGER)?;
        let timeout_ms = if timeout <= 0 { 1_000 } else { timeout as u64 };
        Ok(Self { copy, replace, credentials, db, timeout_ms })
    }
}

fn migrate(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = Options::parse(call.words)?;
    let mut keys: Vec<Box<[u8]>> = Vec::new();
    for key in call.located {
        if call.keys.read(key).is_some() {
            keys.push(key.bytes.into());
        }
    }
    if keys.is_empty() {
        call.out.status("NOKEY");
        return Ok(());
    }
    call.check_links()?;
    let host = String::from_utf8(call.words[1].to_vec()).map_err(|_| NOT_CONNECTED)?;
    // What is no number counts as zero, where nobody listens.
    let port = parse_i64(call.words[2]).unwrap_or(0);
    let port = u16::try_from(port).map_err(|_| NOT_CONNECTED)?;
    if !options.copy {
        keys.sort_unstable();
        keys.dedup();
        take_off(call, &keys)?;
    }
    let place = Place { host, port, credentials: options.credentials.clone() };
    let asking = call.env.cluster.is_some();
    let errand = Migrate::new(options, keys, call.client.db, asking);
    call.send(place, Box::new(errand));
    Ok(())
}

/// Marks all keys as in flight, or none if one is already, or its slot is being moved otherwise.
fn take_off(call: &mut Call<'_, '_>, keys: &[Box<[u8]>]) -> Result<(), Error> {
    let keyspace = call.keys.keyspace();
    let located: Vec<_> = keys.iter().map(|key| keyspace.locate(call.client.db, key)).collect();
    let in_flight = &call.env.in_flight;
    let taken = located.iter().position(|key| !in_flight.enter(key));
    let entered = taken.unwrap_or(located.len());
    let is_moving = || located.iter().any(|key| call.env.is_moving(key.slot));
    if taken.is_some() || is_moving() {
        located[..entered].iter().for_each(|key| in_flight.leave(key));
        return Err(IN_FLIGHT);
    }
    Ok(())
}

/// What the next answer of the target is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Auth,
    Select,
    /// This key, in a payload of this version.
    Restore(usize, u16),
}

/// The errand of one MIGRATE.
#[derive(Debug)]
struct Migrate {
    options: Options,
    source_db: usize,
    asking: bool,
    keys: Vec<Box<[u8]>>,
    /// Keys that wait to be sent, in order.
    waiting: VecDeque<usize>,
    asked: VecDeque<Asked>,
    /// Whether AUTH and SELECT were said over this link, as far as they are needed.
    is_introduced: bool,
    /// Whether a key was answered for.
    any_answered: bool,
    /// Whether it has begun anew once.
    is_retry: bool,
    /// The first thing that went wrong.
    fault: Option<Error>,
}

impl Migrate {
    fn new(options: Options, keys: Vec<Box<[u8]>>, source_db: usize, asking: bool) -> Self {
        Self {
            options,
            source_db,
            asking,
            waiting: (0..keys.len()).collect(),
            keys,
            asked: VecDeque::new(),
            is_introduced: false,
            any_answered: false,
            is_retry: false,
            fault: None,
        }
    }

    /// Says AUTH and SELECT if they are needed.
    fn introduce(&mut self, scene: &Scene<'_, '_>, out: &mut Vec<u8>) {
        self.is_introduced = true;
        let credentials = &self.options.credentials;
        if !credentials.is_empty() && !scene.peer.authenticated {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(credentials.iter().map(Vec::as_slice));
            encode_request(&words, out);
            self.asked.push_back(Asked::Auth);
        }
        if scene.peer.db != Some(self.options.db) {
            let db = self.options.db.to_string();
            encode_request(&[b"SELECT", db.as_bytes()], out);
            self.asked.push_back(Asked::Select);
        }
    }

    /// Says one key, unless its time is over by now.
    fn say_key(&mut self, scene: &mut Scene<'_, '_>, number: usize, out: &mut Vec<u8>) {
        let payload_version = scene.peer.payload_version.unwrap_or(RDB_VERSION);
        let form = RestoreForm {
            asking: self.asking,
            replace: self.options.replace,
            absolute: false,
            usage: scene.keys.keyspace().usage(),
            payload_version,
        };
        let now_ms = scene.keys.unix_ms();
        let mut key = scene.keys.keyspace().locate(self.source_db, &self.keys[number]);
        let is_there = scene.keys.with_key(&mut key, |access, key| {
            let record = access.peek(key);
            record.map(|record| write_restore(record, form, now_ms, out)).is_some()
        });
        if is_there {
            self.asked.push_back(Asked::Restore(number, payload_version));
        } else {
            self.land(scene, number);
        }
    }

    /// Lets a key be written again.
    fn land(&self, scene: &Scene<'_, '_>, number: usize) {
        if !self.options.copy {
            let key = scene.keys.keyspace().locate(self.source_db, &self.keys[number]);
            scene.env.in_flight.leave(&key);
        }
    }

    /// Deletes a key that the target has.
    fn delete(&self, scene: &mut Scene<'_, '_>, number: usize) {
        let mut key = scene.keys.keyspace().locate(self.source_db, &self.keys[number]);
        let in_flight = &scene.env.in_flight;
        scene.keys.with_key(&mut key, |access, key| {
            if access.remove(key) {
                access.say_apart(key, &[b"DEL", key.bytes]);
                access.notify(Event::Generic, "del", key);
            }
            in_flight.leave(key);
        });
    }

    fn note_fault(&mut self, scene: &mut Scene<'_, '_>, line: &[u8]) {
        if self.fault.is_none() {
            let text = [b"Target instance replied with error: ", line].concat();
            self.fault = Some(Error::new(ErrorKind::Err, text));
        }
        scene.peer.db = None;
    }

    fn restored(
        &mut self,
        scene: &mut Scene<'_, '_>,
        (number, version): (usize, u16),
        refused: Option<&[u8]>,
    ) {
        const WRONG_VERSION: &[u8] = b"ERR DUMP payload version or checksum are wrong";
        self.any_answered = true;
        let Some(line) = refused else {
            scene.peer.payload_version.get_or_insert(version);
            if !self.options.copy {
                self.delete(scene, number);
            }
            return;
        };
        if line == WRONG_VERSION && version > PAYLOAD_VERSION_MIN {
            scene.peer.payload_version = Some(version - 1);
            return self.waiting.push_back(number);
        }
        self.note_fault(scene, line);
        self.land(scene, number);
    }

    /// Lets the keys be written again that were not sent, and sends them no more.
    fn drop_waiting(&mut self, scene: &Scene<'_, '_>) {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().for_each(|number| self.land(scene, number));
    }

    /// Lets the keys be written again that were sent and not answered for, and expects no answer.
    fn drop_asked(&mut self, scene: &Scene<'_, '_>) {
        for asked in std::mem::take(&mut self.asked) {
            if let Asked::Restore(number, _) = asked {
                self.land(scene, number);
            }
        }
    }
}

impl Errand for Migrate {
    fn patience_ms(&self) -> u64 {
        self.options.timeout_ms
    }

    fn speak(&mut self, scene: &mut Scene<'_, '_>, out: &mut Vec<u8>) {
        if !self.is_introduced {
            self.introduce(scene, out);
        }
        let is_open = match self.asked.front() {
            Some(Asked::Auth | Asked::Select) => false,
            Some(Asked::Restore(..)) => scene.peer.payload_version.is_some(),
            None => true,
        };
        while is_open && out.len() < PORTION_BYTES {
            let Some(number) = self.waiting.pop_front() else { return };
            self.say_key(scene, number, out);
            if scene.peer.payload_version.is_none() && !self.asked.is_empty() {
                return;
            }
        }
    }

    fn hear(&mut self, scene: &mut Scene<'_, '_>, reply: Reply) -> Result<(), Error> {
        const UNASKED: Error = Error::fixed(ErrorKind::IoErr, "answer without a request");
        let asked = self.asked.pop_front().ok_or(UNASKED)?;
        let refused = match &reply {
            Reply::Error(line) => Some(&line[..]),
            _ => None,
        };
        match (asked, refused) {
            (Asked::Auth, None) => scene.peer.authenticated = true,
            (Asked::Select, None) => scene.peer.db = Some(self.options.db),
            (Asked::Restore(number, version), _) => {
                self.restored(scene, (number, version), refused)
            }
            (Asked::Auth | Asked::Select, Some(line)) => {
                self.note_fault(scene, line);
                self.drop_waiting(scene);
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_introduced && self.waiting.is_empty() && self.asked.is_empty()
    }

    /// A connection that was open for long may have been closed by the other side, or may have been
    /// refused in the first moment; so it is tried once more if no key was answered for.
    fn fail(&mut self, scene: &mut Scene<'_, '_>, failure: Failure) -> Next {
        let is_connecting = failure.stage == Stage::Connecting;
        let may_retry = !failure.timed_out && !is_connecting && !self.any_answered;
        if may_retry && !self.is_retry && self.fault.is_none() {
            self.is_retry = true;
            self.is_introduced = false;
            self.asked.clear();
            self.waiting = (0..self.keys.len()).collect();
            return Next::Again;
        }
        self.drop_waiting(scene);
        self.drop_asked(scene);
        let text = match failure.stage {
            Stage::Connecting if failure.timed_out => NOT_CONNECTED,
            // Redis finds out that a connection was refused when it writes.
            Stage::Connecting | Stage::Writing => {
                Error::fixed(ErrorKind::IoErr, "error or timeout writing to target instance")
            }
            Stage::Reading => {
                Error::fixed(ErrorKind::IoErr, "error or timeout reading to target instance")
            }
        };
        self.fault.get_or_insert(text);
        Next::Over
    }

    fn write_reply(&mut self, out: &mut dyn ReplySink) -> Result<(), Error> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => {
                out.ok();
                Ok(())
            }
        }
    }
}
