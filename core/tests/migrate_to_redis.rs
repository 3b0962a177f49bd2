//! A slot from an engine to a real redis-server in cluster mode, by the same frames that another
//! engine takes. Needs the `redis-server` program; without it the test fails.

use bytes::BytesMut;
use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::{Reply, ReplyDecoder, ReplyLimits, encode_request};
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::{Engine, EngineOptions, Migration, MigrationEvent, MigrationLimits, Mode};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SOURCE: [u8; 40] = [b'a'; 40];
const TARGET: [u8; 40] = [b'b'; 40];
/// Where Redis is told that the engine listens. Nobody does; nodes may be out of reach for longer
/// than the test takes.
const SOURCE_PORT: u16 = 9;
const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server that knows of both nodes and owns no slot.
struct Redis {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let [port, bus_port] = free_ports();
        let name = format!("keyslot-migrate-to-redis-{}-{port}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        let (source, target) = (id(SOURCE), id(TARGET));
        let nodes = format!(
            "{target} 127.0.0.1:{port}@{bus_port} myself,master - 0 0 1 connected\n\
             {source} 127.0.0.1:{SOURCE_PORT}@19 master - 0 0 2 connected 0-16383\n\
             vars currentEpoch 2 lastVoteEpoch 0\n"
        );
        std::fs::write(directory.join("nodes.conf"), nodes).expect("the file can be written");
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--cluster-port", &bus_port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--cluster-enabled", "yes", "--cluster-node-timeout", "600000"])
            .arg("--dir")
            .arg(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed: this test shows that it takes our slots");
        Self { process, directory, port }
    }

    /// Connects once the server is there and its cluster is up.
    fn connect(&self) -> Connection {
        let start = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
                let mut connection = Connection { stream };
                let info = connection.ask(&[b"CLUSTER", b"INFO"]);
                if text(&info).contains("cluster_state:ok") {
                    return connection;
                }
            }
            assert!(start.elapsed() < PATIENCE, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

struct Connection {
    stream: TcpStream,
}

impl Connection {
    fn ask(&mut self, words: &[&[u8]]) -> Reply {
        let mut request = Vec::new();
        encode_request(words, &mut request);
        self.stream.write_all(&request).expect("the server reads");
        let mut decoder = ReplyDecoder::new(ReplyLimits::default());
        let mut input = BytesMut::new();
        loop {
            input.extend_from_slice(&self.receive());
            if let Some(reply) = decoder.decode(&mut input).expect("the server speaks RESP") {
                return reply;
            }
        }
    }

    /// Carries a migration to its end.
    fn carry(&mut self, migration: &mut Migration) {
        let mut frame = Vec::new();
        while !migration.is_ended() {
            frame.clear();
            if migration.poll_transmit(&mut frame, 1 << 20) {
                self.stream.write_all(&frame).expect("the server reads");
            } else if !migration.is_ended() {
                migration.handle_frame(&self.receive());
            }
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 64 << 10];
        let len = self.stream.read(&mut buffer).expect("the server answers");
        assert!(len > 0, "the server has closed the connection");
        buffer.truncate(len);
        buffer
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn id(name: [u8; 40]) -> NodeId {
    NodeId::parse(&name).expect("forty digits")
}

fn free_ports() -> [u16; 2] {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("a bound port").port())
}

fn engine(target_port: u16) -> Engine {
    let source = Node::primary(id(SOURCE), "127.0.0.1", SOURCE_PORT);
    let mut topology = Topology::new(SlotScheme::Redis, source);
    topology.put_node(Node::primary(id(TARGET), "127.0.0.1", target_port));
    (0..16_384).for_each(|slot| assert!(topology.assign(slot, id(SOURCE))));
    Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() })
}

/// The value of a key: short and long, numbers and bytes of every kind.
fn value(number: u32) -> Vec<u8> {
    match number % 5 {
        0 => number.to_string().into_bytes(),
        1 => (i64::MIN + i64::from(number)).to_string().into_bytes(),
        2 => format!("value {number}").into_bytes(),
        3 => vec![number as u8; number as usize * 50],
        _ => (0..=255).collect(),
    }
}

/// When a key expires: far from now, so that no clock matters.
fn expire_ms(number: u32) -> Option<u64> {
    (number.is_multiple_of(3)).then_some(4_000_000_000_000 + u64::from(number))
}

#[test]
fn a_redis_server_takes_a_slot_by_key() {
    takes_a_slot(Mode::ByKey);
}

#[test]
fn a_redis_server_takes_a_slot_with_many_keys_in_flight() {
    takes_a_slot(Mode::AsyncKeys);
}

#[test]
fn a_redis_server_takes_a_slot_by_tag() {
    takes_a_slot(Mode::ByTag);
}

fn takes_a_slot(mode: Mode) {
    const KEYS: u32 = 2_000;
    let redis = Redis::start();
    let engine = engine(redis.port);
    let slot = SlotScheme::Redis.slot(b"{tag}");
    let key = |number: u32| format!("{{tag}}{number}").into_bytes();
    let mut session = engine.session();
    let mut request = Vec::new();
    for number in 0..KEYS {
        let (key, value) = (key(number), value(number));
        let expire = expire_ms(number).map(|ms| ms.to_string());
        let mut words: Vec<&[u8]> = vec![b"SET", &key, &value];
        if let Some(ms) = &expire {
            words.extend([&b"PXAT"[..], ms.as_bytes()]);
        }
        encode_request(&words, &mut request);
    }
    session.feed(&request);
    assert_eq!(session.take_output(), b"+OK\r\n".repeat(KEYS as usize));

    let mut connection = redis.connect();
    // A Redis server of version 7.0 is the oldest that tests meet.
    let limits = MigrationLimits { payload_version: 10, ..MigrationLimits::default() };
    let slots = SlotSet::from_iter([slot]);
    let mut migration = engine.migrate(mode, slots, id(TARGET), limits).expect("it begins");
    connection.carry(&mut migration);
    let events: Vec<_> = std::iter::from_fn(|| migration.poll_event()).collect();
    let moved = MigrationEvent::SlotMoved { slot, keys: u64::from(KEYS) };
    assert_eq!(events, [moved, MigrationEvent::Finished]);

    for number in 0..KEYS {
        let reply = connection.ask(&[b"GET", &key(number)]);
        assert_eq!(reply, Reply::Bulk(value(number).into()), "key {number}");
        let reply = connection.ask(&[b"PEXPIRETIME", &key(number)]);
        assert_eq!(reply, Reply::Integer(expire_ms(number).map_or(-1, |ms| ms as i64)));
    }
    let count = connection.ask(&[b"CLUSTER", b"COUNTKEYSINSLOT", slot.to_string().as_bytes()]);
    assert_eq!(count, Reply::Integer(i64::from(KEYS)));
    let nodes = text(&connection.ask(&[b"CLUSTER", b"NODES"]));
    let mine = nodes.lines().find(|line| line.contains("myself")).expect("the server is a node");
    assert!(mine.ends_with(&format!(" connected {slot}")), "{mine}");

    session.feed(b"DBSIZE\r\nGET {tag}1\r\n");
    let moved = format!(":0\r\n-MOVED {slot} 127.0.0.1:{}\r\n", redis.port);
    assert_eq!(String::from_utf8_lossy(&session.take_output()), moved);
}

#[test]
fn a_redis_server_without_the_database_refuses_before_a_key_has_left() {
    let redis = Redis::start();
    let engine = engine(redis.port);
    let mut session = engine.session();
    session.feed(b"SET k zero\r\nSELECT 1\r\nSET k one\r\n");
    assert_eq!(session.take_output(), b"+OK\r\n+OK\r\n+OK\r\n");
    let slots = SlotSet::from_iter([SlotScheme::Redis.slot(b"k")]);
    let mut migration = engine
        .migrate(Mode::ByKey, slots, id(TARGET), MigrationLimits::default())
        .expect("it begins");
    let mut connection = redis.connect();
    connection.carry(&mut migration);
    let Some(MigrationEvent::Failed { error, open: None }) = migration.poll_event() else {
        panic!("the server has one database");
    };
    assert_eq!(error.to_string(), "ERR SELECT is not allowed in cluster mode");
    session.feed(b"GET k\r\nSELECT 0\r\nGET k\r\n");
    assert_eq!(session.take_output(), b"$3\r\none\r\n+OK\r\n$4\r\nzero\r\n");
}
