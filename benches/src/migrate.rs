//! `migrate`: slots from one engine to another in this process, in every mode, beside MIGRATE from one
//! redis-server to another over the loopback interface.
//!
//! Both sides move the same keys and values. The values are chance, which no compression makes
//! smaller, and redis-server is told not to try. Its source is asked for a hundred keys at a time.
//! Our source and our target share one thread, its two servers run side by side.

use crate::measure::{ROUNDS, interleave, median};
use crate::nodes::Nodes;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, VALUE_LEN};
use keyslot::Mode;
use keyslot::resp::encode_request;
use keyslot::slot::SlotScheme;
use std::time::{Duration, Instant};

/// The slots of the small keys, and the keys of each.
const SLOTS: usize = 100;
const SLOT_KEYS: usize = 10_000;
/// The value of the big case, in bytes.
const BIG: usize = 10_000_000;
/// How many keys one MIGRATE names.
const CALL_KEYS: usize = 100;

const MODES: &[(&str, Mode)] = &[("by_key", Mode::ByKey), ("atomic", Mode::Atomic)];

/// The `number`-th key of the `slot`-th slot, 32 bytes long.
fn key(slot: usize, number: usize) -> String {
    format!("{{user:profile:{slot:07}}}::{number:08x}")
}

/// What is in the slots: keys from number zero on, and their values.
struct Load {
    slots: usize,
    values: Vec<Vec<u8>>,
}

impl Load {
    fn new(slots: usize, slot_keys: usize, value_len: usize) -> Self {
        let mut chance = Chance(5);
        let mut value = || (0..value_len).map(|_| chance.below(256) as u8).collect();
        Self { slots, values: (0..slots * slot_keys).map(|_| value()).collect() }
    }

    fn keys(&self) -> usize {
        self.values.len()
    }

    fn key(&self, place: usize) -> String {
        let slot_keys = self.keys() / self.slots;
        key(place / slot_keys, place % slot_keys)
    }

    fn slots(&self) -> Vec<u16> {
        (0..self.slots).map(|slot| SlotScheme::Redis.slot(key(slot, 0).as_bytes())).collect()
    }

    /// Stores everything in pieces; `send` gets requests and how many they are.
    fn store(&self, mut send: impl FnMut(&[u8], usize)) {
        for (piece, values) in self.values.chunks(CALL_KEYS).enumerate() {
            let mut requests = Vec::new();
            for (place, value) in values.iter().enumerate() {
                let key = self.key(piece * CALL_KEYS + place);
                encode_request(&[b"SET", key.as_bytes(), value], &mut requests);
            }
            send(&requests, values.len());
        }
    }
}

/// The time that a new engine takes to move the load to another new one.
fn ours(mode: Mode, load: &Load) -> Duration {
    let nodes = Nodes::new();
    let mut source = nodes.source.session();
    load.store(|requests, count| {
        source.feed(requests);
        assert_eq!(source.output(), b"+OK\r\n".repeat(count));
        source.consume_output(source.output().len());
    });
    let mut carrier = nodes.migrate(mode, &load.slots());
    let start = Instant::now();
    carrier.carry();
    let time = start.elapsed();
    assert_eq!(carrier.migration.status().keys_moved, load.keys() as u64);
    let mut target = nodes.target.session();
    target.feed(b"DBSIZE\r\n");
    assert_eq!(target.take_output(), format!(":{}\r\n", load.keys()).into_bytes());
    time
}

/// Two servers, the second of which can be reached by the first.
struct Servers {
    source: Redis,
    target: Redis,
    target_port: u16,
}

impl Servers {
    fn start() -> Result<Self, String> {
        let (mut target, target_port) = Redis::start_on_loopback()?;
        let mut source = Redis::start()?;
        for server in [&mut source, &mut target] {
            assert_eq!(server.ask(&["CONFIG", "SET", "rdbcompression", "no"]), "+OK\r\n");
        }
        Ok(Self { source, target, target_port })
    }

    /// The time that the first server takes to move the load to the second.
    fn time(&mut self, load: &Load) -> Duration {
        let Self { source, target, target_port } = self;
        assert_eq!(target.ask(&["FLUSHALL"]), "+OK\r\n");
        let ok = b"+OK\r\n".len();
        load.store(|requests, count| source.exchange(requests, count * ok));
        let calls = migrate_calls(load, &target_port.to_string());
        let start = Instant::now();
        calls.iter().for_each(|call| source.exchange(call, ok));
        let time = start.elapsed();
        assert_eq!(source.ask(&["DBSIZE"]), ":0\r\n", "the keys have left");
        assert_eq!(target.ask(&["DBSIZE"]), format!(":{}\r\n", load.keys()));
        time
    }
}

fn migrate_calls(load: &Load, port: &str) -> Vec<Vec<u8>> {
    let keys: Vec<String> = (0..load.keys()).map(|place| load.key(place)).collect();
    let call = |keys: &[String]| {
        let head = ["MIGRATE", "127.0.0.1", port, "", "0", "10000", "KEYS"];
        let words: Vec<&str> = head.into_iter().chain(keys.iter().map(String::as_str)).collect();
        let mut request = Vec::new();
        encode_request(&words, &mut request);
        request
    };
    keys.chunks(CALL_KEYS).map(call).collect()
}

/// Every mode beside the same rounds of the peer.
fn small(report: &mut Report, servers: &mut Servers) {
    let load = Load::new(SLOTS, SLOT_KEYS, VALUE_LEN);
    let speed = |time: Duration| load.keys() as f64 / time.as_secs_f64();
    let mut theirs = Vec::new();
    let mut ours_by_mode = vec![Vec::new(); MODES.len()];
    for _ in 0..ROUNDS {
        theirs.push(speed(servers.time(&load)));
        for ((_, mode), figures) in MODES.iter().zip(&mut ours_by_mode) {
            figures.push(speed(ours(*mode, &load)));
        }
    }
    let theirs = median(theirs);
    for ((name, _), figures) in MODES.iter().zip(ours_by_mode) {
        report.row(&Row {
            id: &format!("migrate.{name}.small.redis"),
            metric: "1 M small keys in 100 slots",
            unit: "keys/s",
            ours: median(figures),
            theirs,
            better: Better::Higher,
        });
    }
}

fn big(report: &mut Report, servers: &mut Servers) {
    let load = Load::new(1, 1, BIG);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    for (name, mode) in MODES {
        let (ours, theirs) = interleave(|| ms(ours(*mode, &load)), || ms(servers.time(&load)));
        report.row(&Row {
            id: &format!("migrate.{name}.big.redis"),
            metric: "a string of 10 MB",
            unit: "ms",
            ours,
            theirs,
            better: Better::Lower,
        });
    }
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let mut servers = Servers::start()?;
    small(report, &mut servers);
    big(report, &mut servers);
    Ok(())
}
