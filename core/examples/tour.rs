//! A tour: two engines in one process, a million keys, and slots that move from one to the other
//! while a client reads and writes. Ends with an error if a single acknowledged write is missing.
//!
//! ```text
//! cargo run --release --example tour
//! ```

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{ReplyReader, Token, encode_request};
use keyslot::slot::{SLOTS, SlotRange, SlotScheme, SlotSet};
use keyslot::{Engine, EngineOptions, MigrationEvent, MigrationLimits, Mode, Session};
use std::error::Error;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const KEYS: usize = 1_000_000;
const KEY_LEN: usize = 32;
const VALUE_LEN: usize = 64;
/// Commands that go into a session at once.
const PIPELINE: usize = 64;
/// Bytes that go from the source to the target at once.
const FRAME_BYTES: usize = 256 << 10;
const SCHEME: SlotScheme = SlotScheme::Redis;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    println!("Two engines in this process, left and right. Left owns all {SLOTS} slots.\n");
    let engines = open_pair();
    let mut client = Client::new(&engines);
    load(&mut client)?;
    report_memory(&engines[0])?;

    let moving = SlotSet::from_iter([SlotRange { first: 0, last: (SLOTS / 2 - 1) as u16 }]);
    println!("\nSlots {moving} go from left to right, by key, while a client reads and writes.");
    let done = AtomicBool::new(false);
    let (traffic, moved) = std::thread::scope(|scope| {
        let worker = scope.spawn(|| Traffic::run(&mut client, &done));
        let moved = move_slots(&engines, moving);
        done.store(true, Ordering::Release);
        (worker.join().expect("the client does not panic"), moved)
    });
    let traffic = traffic?;
    println!("  {}", moved?);
    println!("  {traffic}");

    check_all(&mut client)?;
    let left = figure(&engines[0], "DBSIZE")?;
    let right = figure(&engines[1], "DBSIZE")?;
    println!("\nLeft holds {left} keys now, right {right}. No acknowledged write is missing.");
    Ok(())
}

/// Two nodes that know each other; the first owns every slot.
fn open_pair() -> [Engine; 2] {
    let nodes = [("left", 7001, b'a'), ("right", 7002, b'b')]
        .map(|(host, port, digit)| Node::primary(id(digit), host, port));
    [0, 1].map(|me| {
        let mut topology = Topology::new(SCHEME, nodes[me].clone());
        topology.put_node(nodes[1 - me].clone());
        for slot in 0..SLOTS as u16 {
            topology.assign(slot, nodes[0].id);
        }
        Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() })
    })
}

fn id(digit: u8) -> NodeId {
    NodeId::parse(&[digit; NodeId::LEN]).expect("forty hexadecimal digits")
}

/// A cluster client: a session with each engine, and what it knows of who owns which slot.
struct Client {
    sessions: [Session; 2],
    /// By slot, which engine it is asked at first.
    owners: Vec<usize>,
    /// By key, the version whose write was acknowledged last.
    acknowledged: Vec<u32>,
    redirects: u64,
    retries: u64,
}

/// What an engine answered.
enum Told {
    Done,
    Value(Vec<u8>),
    Moved,
    Ask,
    TryAgain,
}

impl Client {
    fn new(engines: &[Engine; 2]) -> Self {
        Self {
            sessions: [engines[0].session(), engines[1].session()],
            owners: vec![0; SLOTS],
            acknowledged: vec![0; KEYS],
            redirects: 0,
            retries: 0,
        }
    }

    /// Carries out one command on one key, wherever the key is.
    fn call(&mut self, words: &[&[u8]]) -> Outcome<Option<Vec<u8>>> {
        let slot = usize::from(SCHEME.slot(words[1]));
        let mut at = self.owners[slot];
        let mut asking = false;
        loop {
            match self.ask(at, asking, words)? {
                Told::Done => return Ok(None),
                Told::Value(value) => return Ok(Some(value)),
                Told::Moved => {
                    at = 1 - at;
                    (self.owners[slot], asking) = (at, false);
                    self.redirects += 1;
                }
                Told::Ask => {
                    (at, asking) = (1 - at, true);
                    self.redirects += 1;
                }
                Told::TryAgain => {
                    (at, asking) = (self.owners[slot], false);
                    self.retries += 1;
                    std::thread::yield_now();
                }
            }
        }
    }

    fn ask(&mut self, at: usize, asking: bool, words: &[&[u8]]) -> Outcome<Told> {
        let mut request = Vec::with_capacity(256);
        if asking {
            encode_request(&[b"ASKING"], &mut request);
        }
        encode_request(words, &mut request);
        let session = &mut self.sessions[at];
        session.feed(&request);
        let output = session.take_output();
        let mut reader = ReplyReader::new(&output);
        if asking {
            reader.next_token()?;
        }
        let token = reader.next_token()?.ok_or("an engine did not answer")?;
        Ok(match token {
            Token::Bulk(value) => Told::Value(value.to_vec()),
            Token::Error(text) if text.starts_with(b"MOVED") => Told::Moved,
            Token::Error(text) if text.starts_with(b"ASK") => Told::Ask,
            Token::Error(text) if text.starts_with(b"TRYAGAIN") => Told::TryAgain,
            Token::Error(text) => return Err(String::from_utf8_lossy(text).into()),
            _ => Told::Done,
        })
    }

    fn write(&mut self, number: usize) -> Outcome<()> {
        let version = self.acknowledged[number] + 1;
        self.call(&[b"SET", &key(number), &value(number, version)])?;
        self.acknowledged[number] = version;
        Ok(())
    }

    fn read(&mut self, number: usize) -> Outcome<()> {
        let found = self.call(&[b"GET", &key(number)])?;
        let version = self.acknowledged[number];
        if found.as_deref() != Some(&value(number, version)[..]) {
            return Err(format!("key {number} has lost its version {version}").into());
        }
        Ok(())
    }
}

fn key(number: usize) -> [u8; KEY_LEN] {
    let mut key = *b"tour:customer:000000000000000000";
    write_digits(number as u64, &mut key);
    key
}

fn value(number: usize, version: u32) -> [u8; VALUE_LEN] {
    let mut value = [b'.'; VALUE_LEN];
    write_digits(number as u64, &mut value[..20]);
    write_digits(u64::from(version), &mut value);
    value
}

/// Writes ten digits at the end of `text`.
fn write_digits(number: u64, text: &mut [u8]) {
    let mut left = number;
    for place in text.iter_mut().rev().take(10) {
        *place = b'0' + (left % 10) as u8;
        left /= 10;
    }
}

/// Writes every key once, in pipelines of real RESP bytes.
fn load(client: &mut Client) -> Outcome<()> {
    let start = Instant::now();
    let mut request = Vec::new();
    for first in (0..KEYS).step_by(PIPELINE) {
        request.clear();
        let numbers = first..(first + PIPELINE).min(KEYS);
        for number in numbers.clone() {
            encode_request(&[b"SET", &key(number)[..], &value(number, 1)], &mut request);
        }
        client.sessions[0].feed(&request);
        let output = client.sessions[0].take_output();
        if output != b"+OK\r\n".repeat(numbers.len()) {
            return Err(String::from_utf8_lossy(&output).into());
        }
        client.acknowledged[numbers].fill(1);
        show_progress("Loading", first + PIPELINE, KEYS);
    }
    let per_second = rate(KEYS as u64, start.elapsed());
    println!("\rLoaded {KEYS} keys of {KEY_LEN} bytes with values of {VALUE_LEN}: {per_second}.");
    Ok(())
}

/// Draws the bar anew when it has grown.
fn show_progress(what: &str, done: usize, all: usize) {
    const WIDTH: usize = 40;
    let filled = |count: usize| count.min(all) * WIDTH / all;
    if filled(done) > filled(done.saturating_sub(PIPELINE)) {
        let bar = "#".repeat(filled(done));
        print!("\r{what} [{bar:.<WIDTH$}] {:3} %", done.min(all) * 100 / all);
        // A progress bar that cannot be shown is no reason to stop.
        let _ = std::io::stdout().flush();
        if done >= all {
            print!("\r{:80}", "");
        }
    }
}

fn rate(count: u64, time: Duration) -> String {
    format!("{:.2} million a second", count as f64 / time.as_secs_f64() / 1e6)
}

fn report_memory(engine: &Engine) -> Outcome<()> {
    let used = figure(engine, "INFO memory")?;
    let beyond = used as f64 / KEYS as f64 - (KEY_LEN + VALUE_LEN) as f64;
    println!("Memory: {used} bytes, {beyond:.1} a key beyond key and value.");
    Ok(())
}

/// The number that DBSIZE answers, or the memory in use that INFO answers.
fn figure(engine: &Engine, command: &str) -> Outcome<u64> {
    let mut session = engine.session();
    session.feed(format!("{command}\r\n").as_bytes());
    let output = String::from_utf8(session.take_output())?;
    let number = match output.lines().find_map(|line| line.strip_prefix("used_memory:")) {
        Some(number) => number,
        None => output.trim().trim_start_matches(':'),
    };
    Ok(number.parse()?)
}

/// Moves slots from the first engine to the second, and says how it went. The frames go from hand
/// to hand here; they could as well go through a socket, and to a Redis server.
fn move_slots(engines: &[Engine; 2], slots: SlotSet) -> Outcome<String> {
    let start = Instant::now();
    let limits = MigrationLimits::default();
    let mut migration = engines[0].migrate(Mode::ByKey, slots, id(b'b'), limits)?;
    let mut target = engines[1].session();
    let mut frame = Vec::new();
    while !migration.is_ended() {
        frame.clear();
        migration.poll_transmit(&mut frame, FRAME_BYTES);
        target.feed(&frame);
        migration.handle_frame(target.output());
        target.consume_output(target.output().len());
        while let Some(event) = migration.poll_event() {
            if let MigrationEvent::Failed { error, .. } = event {
                return Err(error.into());
            }
        }
    }
    let status = migration.status();
    Ok(format!(
        "Moved {} keys in {} slots in {:.2} seconds: {}.",
        status.keys_moved,
        status.slots_moved,
        start.elapsed().as_secs_f64(),
        rate(status.keys_moved, start.elapsed()),
    ))
}

/// What the client met while slots moved.
#[derive(Default)]
struct Traffic {
    reads: u64,
    writes: u64,
    longest_pause: Duration,
    time: Duration,
    redirects: u64,
    retries: u64,
}

impl Traffic {
    /// Reads and writes keys by chance, one at a time, until it is told to stop.
    fn run(client: &mut Client, done: &AtomicBool) -> Outcome<Self> {
        let mut traffic = Self::default();
        let start = Instant::now();
        let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
        while !done.load(Ordering::Acquire) {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let number = (chance >> 8) as usize % KEYS;
            let before = Instant::now();
            if chance.is_multiple_of(4) {
                client.write(number)?;
                traffic.writes += 1;
            } else {
                client.read(number)?;
                traffic.reads += 1;
            }
            traffic.longest_pause = traffic.longest_pause.max(before.elapsed());
        }
        traffic.time = start.elapsed();
        (traffic.redirects, traffic.retries) = (client.redirects, client.retries);
        Ok(traffic)
    }
}

impl std::fmt::Display for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = rate(self.reads + self.writes, self.time);
        write!(
            f,
            "Meanwhile {} reads and {} writes, one at a time: {rate}.\n  \
             The longest took {:.2} ms; {} were sent on by MOVED or ASK, {} told to try again.",
            self.reads,
            self.writes,
            self.longest_pause.as_secs_f64() * 1e3,
            self.redirects,
            self.retries,
        )
    }
}

/// Reads every key and compares it with the last write that was acknowledged.
fn check_all(client: &mut Client) -> Outcome<()> {
    let start = Instant::now();
    for number in 0..KEYS {
        client.read(number)?;
        if number.is_multiple_of(PIPELINE) {
            show_progress("Checking", number + PIPELINE, KEYS);
        }
    }
    let per_second = rate(KEYS as u64, start.elapsed());
    println!("\rChecked all {KEYS} keys against what was acknowledged: {per_second}.");
    Ok(())
}
