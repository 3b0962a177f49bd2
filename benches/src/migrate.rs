//! `migrate`: one slot from one engine to another in this process, by the machine of the mode
//! `by_key`, beside MIGRATE from one redis-server to another over the loopback interface.
//!
//! Both sides move the same keys and values. The values are chance, which no compression makes
//! smaller, and redis-server is told not to try. Its source is asked for a hundred keys at a time.

use crate::measure::interleave;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, VALUE_LEN};
use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::encode_request;
use keyslot::slot::{SLOTS, SlotScheme};
use keyslot::{Engine, EngineOptions, Migration, MigrationEvent, MigrationLimits, Mode, Session};
use std::time::{Duration, Instant};

/// The keys of the small case.
const KEYS: usize = 100_000;
/// The value of the big case, in bytes.
const BIG: usize = 10_000_000;
/// How many keys one MIGRATE names.
const CALL_KEYS: usize = 100;
/// How many bytes the machine gives out at once.
const FRAME_BYTES: usize = 1 << 20;

/// The `number`-th key, 32 bytes long; all are in one slot.
fn key(number: usize) -> String {
    format!("{{user:profile:sessions}}:{number:08x}")
}

/// What is in the slot: keys from number zero on, and their values.
struct Load {
    values: Vec<Vec<u8>>,
}

impl Load {
    fn new(keys: usize, value_len: usize) -> Self {
        let mut chance = Chance(5);
        let mut value = || (0..value_len).map(|_| chance.below(256) as u8).collect();
        Self { values: (0..keys).map(|_| value()).collect() }
    }

    fn keys(&self) -> usize {
        self.values.len()
    }

    /// Stores everything in pieces; `send` gets requests and how many they are.
    fn store(&self, mut send: impl FnMut(&[u8], usize)) {
        for (piece, values) in self.values.chunks(CALL_KEYS).enumerate() {
            let mut requests = Vec::new();
            for (place, value) in values.iter().enumerate() {
                let key = key(piece * CALL_KEYS + place);
                encode_request(&[b"SET", key.as_bytes(), value], &mut requests);
            }
            send(&requests, values.len());
        }
    }
}

/// An engine that is a node of a cluster of two, in which the first owns every slot.
fn engine(nodes: &[Node; 2], me: usize) -> Engine {
    let mut topology = Topology::new(SlotScheme::Redis, nodes[me].clone());
    topology.put_node(nodes[1 - me].clone());
    for slot in 0..SLOTS as u16 {
        assert!(topology.assign(slot, nodes[0].id), "the first node is known");
    }
    Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() })
}

fn node(digit: u8) -> Node {
    let id = NodeId::parse(&[digit; 40]).expect("forty hexadecimal digits");
    Node::primary(id, "127.0.0.1", u16::from(digit))
}

/// Carries frames and answers to and fro until the migration ends.
fn carry(migration: &mut Migration, target: &mut Session) {
    let mut frame = Vec::new();
    while !migration.is_ended() {
        frame.clear();
        migration.poll_transmit(&mut frame, FRAME_BYTES);
        target.feed(&frame);
        migration.handle_frame(target.output());
        target.consume_output(target.output().len());
        migration.handle_timeout();
    }
}

/// The time that a new engine takes to move the load to another new one.
fn ours(load: &Load) -> Duration {
    let nodes = [node(b'a'), node(b'b')];
    let engines = [0, 1].map(|me| engine(&nodes, me));
    let mut source = engines[0].session();
    load.store(|requests, count| {
        source.feed(requests);
        assert_eq!(source.output(), b"+OK\r\n".repeat(count));
        source.consume_output(source.output().len());
    });
    let slot = SlotScheme::Redis.slot(key(0).as_bytes());
    let limits = MigrationLimits::default();
    let slots = [slot].into_iter().collect();
    let migration = engines[0].migrate(Mode::ByKey, slots, nodes[1].id, limits);
    let mut migration = migration.expect("the first node owns the slot");
    let mut target = engines[1].session();
    let start = Instant::now();
    carry(&mut migration, &mut target);
    let time = start.elapsed();
    check(migration, target, load);
    time
}

/// Makes sure that everything has arrived.
fn check(mut migration: Migration, mut target: Session, load: &Load) {
    let last = std::iter::from_fn(|| migration.poll_event()).last();
    assert_eq!(last, Some(MigrationEvent::Finished));
    assert_eq!(migration.status().keys_moved, load.keys() as u64);
    target.feed(b"DBSIZE\r\n");
    assert_eq!(target.take_output(), format!(":{}\r\n", load.keys()).into_bytes());
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
    let keys: Vec<String> = (0..load.keys()).map(key).collect();
    let call = |keys: &[String]| {
        let head = ["MIGRATE", "127.0.0.1", port, "", "0", "10000", "KEYS"];
        let words: Vec<&str> = head.into_iter().chain(keys.iter().map(String::as_str)).collect();
        let mut request = Vec::new();
        encode_request(&words, &mut request);
        request
    };
    keys.chunks(CALL_KEYS).map(call).collect()
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let mut servers = Servers::start()?;
    let small = Load::new(KEYS, VALUE_LEN);
    let speed = |time: Duration| KEYS as f64 / time.as_secs_f64();
    let (ours_small, theirs_small) =
        interleave(|| speed(ours(&small)), || speed(servers.time(&small)));
    report.row(&Row {
        id: "migrate.by_key.small.redis",
        metric: "100 k small keys",
        unit: "keys/s",
        ours: ours_small,
        theirs: theirs_small,
        better: Better::Higher,
    });
    let big = Load::new(1, BIG);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (ours_big, theirs_big) = interleave(|| ms(ours(&big)), || ms(servers.time(&big)));
    report.row(&Row {
        id: "migrate.by_key.big.redis",
        metric: "a string of 10 MB",
        unit: "ms",
        ours: ours_big,
        theirs: theirs_big,
        better: Better::Lower,
    });
    Ok(())
}
