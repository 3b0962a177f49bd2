//! Nodes that agree on their topology in a store, and CLUSTER beside a real redis-server where one
//! node by itself can be compared.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use keyslot::cluster::{
    ClusterRecord, FileStore, Health, MemoryStore, Node, NodeId, Role, SlotState, Topology,
    TopologyStore, store,
};
use keyslot::error::Error;
use keyslot::slot::{SlotScheme, SlotSet};
use keyslot::{Engine, EngineOptions, MigrationLimits, Mode, Session};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "cccccccccccccccccccccccccccccccccccccccc",
];

fn id(number: usize) -> NodeId {
    NodeId::parse(NAMES[number].as_bytes()).unwrap()
}

/// Where folders are made: in memory if there is such a place, since making files durable takes long
/// on a disk.
fn parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

fn node(number: usize) -> Node {
    Node::primary(id(number), "10.0.0.1", 7001 + number as u16)
}

fn join(store: &(impl TopologyStore + Clone + 'static), number: usize) -> Engine {
    Engine::new(EngineOptions {
        cluster: Some(Topology::new(SlotScheme::Redis, node(number))),
        topology_store: Some(Arc::new(store.clone())),
        ..EngineOptions::default()
    })
}

/// Three nodes that have met, the first of which owns all slots.
fn cluster(store: &(impl TopologyStore + Clone + 'static)) -> [Engine; 3] {
    let engines = [0, 1, 2].map(|number| join(store, number));
    says(&mut engines[0].session(), "CLUSTER MEET 10.0.0.1 7002", "+OK");
    says(&mut engines[2].session(), "CLUSTER MEET 10.0.0.1 7001", "+OK");
    says(&mut engines[0].session(), "CLUSTER ADDSLOTSRANGE 0 16383", "+OK");
    refresh(&engines);
    engines
}

fn refresh(engines: &[Engine]) {
    engines.iter().for_each(|engine| _ = engine.refresh_topology().unwrap());
}

fn say(session: &mut Session, line: &str) -> String {
    session.feed(format!("{line}\r\n").as_bytes());
    String::from_utf8(session.take_output()).unwrap()
}

#[track_caller]
fn says(session: &mut Session, line: &str, answer: &str) {
    assert_eq!(say(session, line), format!("{answer}\r\n"), "{line}");
}

#[test]
fn nodes_meet_and_see_what_the_others_say() {
    let engines = cluster(&MemoryStore::default());
    let [mut one, mut two, mut three] = engines.each_ref().map(Engine::session);
    for session in [&mut one, &mut two, &mut three] {
        assert!(say(session, "CLUSTER INFO").contains("cluster_known_nodes:3\r"));
        assert!(say(session, "CLUSTER NODES").contains("connected 0-16383\n"));
    }
    says(&mut two, "SET k v", "-MOVED 7629 10.0.0.1:7001");
    says(&mut two, "CLUSTER ADDSLOTS 5", "-ERR Slot 5 is already busy");
    // What is another's is not given away.
    says(&mut two, "CLUSTER DELSLOTS 5", "+OK");
    says(&mut three, &format!("CLUSTER SETSLOT 5 NODE {}", NAMES[1]), "+OK");
    refresh(&engines);
    assert!(say(&mut one, "CLUSTER NODES").contains("connected 0-16383\n"));
    let nowhere = "-ERR No node at 10.0.0.1:9 has joined the store of the topology";
    says(&mut one, "CLUSTER MEET 10.0.0.1 9", nowhere);
    assert!(engines[0].change_topology(|_| {}).is_err());
}

#[test]
fn a_slot_goes_over_and_everybody_learns_of_it() {
    let engines = cluster(&MemoryStore::default());
    let [mut one, mut two, mut three] = engines.each_ref().map(Engine::session);
    says(&mut two, &format!("CLUSTER SETSLOT 7629 IMPORTING {}", NAMES[0]), "+OK");
    says(&mut one, &format!("CLUSTER SETSLOT 7629 MIGRATING {}", NAMES[1]), "+OK");
    says(&mut one, "SET k v", "-ASK 7629 10.0.0.1:7002");
    says(&mut two, "ASKING\r\nSET k v", "+OK\r\n+OK");
    says(&mut two, &format!("CLUSTER SETSLOT 7629 NODE {}", NAMES[1]), "+OK");
    says(&mut two, "GET k", "$1\r\nv");
    says(&mut one, "GET k", "-ASK 7629 10.0.0.1:7002");
    refresh(&engines);
    says(&mut one, "GET k", "-MOVED 7629 10.0.0.1:7002");
    says(&mut three, "GET k", "-MOVED 7629 10.0.0.1:7002");
    assert_eq!(engines[0].topology().unwrap().state(7629), SlotState::Stable);
    let topology = engines[2].topology().unwrap();
    let epoch = topology.node(id(1)).unwrap().config_epoch;
    assert_eq!(epoch, topology.current_epoch());
    says(&mut two, "CLUSTER BUMPEPOCH", &format!("+STILL {epoch}"));
    says(&mut one, "CLUSTER BUMPEPOCH", &format!("+BUMPED {}", epoch + 1));
}

#[test]
fn a_migration_of_the_host_writes_the_store_too() {
    let store = MemoryStore::default();
    let engines = cluster(&store);
    let mut source = engines[0].session();
    (0..50).for_each(|number| says(&mut source, &format!("SET {{k}}{number} v"), "+OK"));
    let slots = SlotSet::from_iter([7629u16]);
    let mut migration =
        engines[0].migrate(Mode::ByKey, slots, id(1), MigrationLimits::default()).unwrap();
    let (mut target, mut frame) = (engines[1].session(), Vec::new());
    while !migration.is_ended() {
        frame.clear();
        if migration.poll_transmit(&mut frame, 1 << 20) {
            target.feed(&frame);
            migration.handle_frame(&target.take_output());
        }
    }
    refresh(&engines);
    says(&mut engines[2].session(), "GET {k}1", "-MOVED 7629 10.0.0.1:7002");
    says(&mut target, "GET {k}1", "$1\r\nv");
    assert!(store.load().unwrap().record.member(id(1)).unwrap().slots.contains(7629));
}

#[test]
fn keys_of_a_slot_that_another_node_has_claimed_are_deleted() {
    let store = MemoryStore::default();
    let engines = cluster(&store);
    let mut one = engines[0].session();
    for line in ["SET k v", "SELECT 3", "SET k v", "SELECT 0", "SET other v"] {
        says(&mut one, line, "+OK");
    }
    let slots = SlotSet::from_iter([7629u16]);
    let epoch =
        |number: usize| store.load().unwrap().record.member(id(number)).unwrap().node.config_epoch;
    let claim = |from: usize, to: usize| {
        assert!(store::give_slots(&store, &slots, (id(from), epoch(from)), id(to)).unwrap());
        refresh(&engines);
    };
    claim(0, 1);
    says(&mut one, "GET k", "-MOVED 7629 10.0.0.1:7002");
    says(&mut one, "DBSIZE", ":1");
    says(&mut one, "SELECT 3", "+OK");
    says(&mut one, "DBSIZE", ":0");
    says(&mut one, "SELECT 0", "+OK");
    claim(1, 0);
    says(&mut one, "MGET k", "*1\r\n$-1");
    // A migration that is at work on the slot settles its keys itself.
    says(&mut one, "SET k v", "+OK");
    let migration = engines[0].migrate(Mode::Atomic, slots.clone(), id(1), Default::default());
    claim(0, 1);
    says(&mut one, "DBSIZE", ":2");
    drop(migration.unwrap());
}

#[test]
fn what_a_cluster_does_that_is_down_follows_its_settings_at_once() {
    let engine = join(&MemoryStore::default(), 0);
    let mut session = engine.session();
    says(&mut session, "CLUSTER ADDSLOTS 7629", "+OK");
    says(&mut session, "SET k v", "-CLUSTERDOWN The cluster is down");
    let reads_only = "-CLUSTERDOWN The cluster is down and only accepts read commands";
    says(&mut session, "CONFIG SET cluster-allow-reads-when-down yes", "+OK");
    says(&mut session, "GET k", "$-1");
    says(&mut session, "SET k v", reads_only);
    says(&mut session, "CONFIG SET cluster-require-full-coverage no", "+OK");
    says(&mut session, "SET k v", "+OK");
    says(&mut session, "GET other", "-CLUSTERDOWN Hash slot not served");
    engine.config_set("cluster-require-full-coverage", "yes").unwrap();
    says(&mut session, "SET k v", reads_only);
    engine.refresh_topology().unwrap();
    says(&mut session, "SET k v", reads_only);
    let mut topology = Topology::new(SlotScheme::Redis, node(0));
    topology.require_full_coverage = false;
    let options = || EngineOptions { cluster: Some(topology.clone()), ..Default::default() };
    let name = "cluster-require-full-coverage";
    let by_topology = Engine::new(options());
    assert_eq!(by_topology.config_get(name).as_deref(), Some("no"));
    let settings = vec![(name.to_owned(), "yes".to_owned())];
    let by_setting = Engine::new(EngineOptions { settings, ..options() });
    assert!(by_setting.topology().unwrap().require_full_coverage);
}

#[test]
fn a_node_that_comes_again_is_what_it_was() {
    let folder = parent().join(format!("keyslot-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = FileStore::new(folder.join("topology"));
    let engines = cluster(&store);
    let open = format!("CLUSTER SETSLOT 9 MIGRATING {}", NAMES[1]);
    says(&mut engines[0].session(), &open, "+OK");
    drop(engines);
    let again = join(&store, 0);
    let nodes = say(&mut again.session(), "CLUSTER NODES");
    assert!(nodes.contains(&format!("connected 0-16383 [9->-{}]\n", NAMES[1])), "{nodes}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn nodes_are_forgotten_and_begin_anew() {
    let engines = cluster(&MemoryStore::default());
    let [mut one, mut two, mut three] = engines.each_ref().map(Engine::session);
    let forget = |number: usize| format!("CLUSTER FORGET {}", NAMES[number]);
    says(&mut one, &forget(0), "-ERR I tried hard but I can't forget myself...");
    says(&mut one, &forget(2), "+OK");
    refresh(&engines);
    says(&mut two, &forget(2), "+OK");
    says(&mut two, "CLUSTER FORGET x", "-ERR Unknown node x");
    assert!(say(&mut three, "CLUSTER INFO").contains("known_nodes:1\r"));
    assert!(say(&mut one, "CLUSTER INFO").contains("known_nodes:2\r"));
    says(&mut one, "SET k v", "+OK");
    let full = "-ERR CLUSTER RESET can't be called with master nodes containing keys";
    says(&mut one, "CLUSTER RESET", full);
    says(&mut one, "CLUSTER FLUSHSLOTS", "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
    says(&mut one, "DEL k", ":1");
    says(&mut one, "CLUSTER RESET HARD", "+OK");
    assert!(!say(&mut one, "CLUSTER MYID").contains(NAMES[0]));
    refresh(&engines);
    assert!(say(&mut two, "CLUSTER INFO").contains("known_nodes:1\r"));
}

#[test]
fn a_replica_takes_over_by_the_store() {
    let memory = MemoryStore::default();
    let engines = cluster(&memory);
    let [mut one, mut two, _] = engines.each_ref().map(Engine::session);
    let of_first = |record: &mut ClusterRecord| {
        record.join(Node { role: Role::Replica { of: id(0) }, ..node(1) });
        record.join(Node { health: Health::Failed, ..node(0) });
        Ok(())
    };
    store::update(&memory, of_first).unwrap();
    refresh(&engines);
    let down = "-ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
    assert!(say(&mut two, "CLUSTER INFO").contains("cluster_slots_fail:16384\r"));
    assert!(say(&mut two, "CLUSTER INFO").starts_with("$"));
    assert!(say(&mut two, "CLUSTER NODES").contains(" master,fail - 0 0 "));
    says(&mut one, "GET k", "-CLUSTERDOWN The cluster is down");
    says(&mut one, "CLUSTER FAILOVER", "-ERR You should send CLUSTER FAILOVER to a replica");
    assert!(say(&mut one, &format!("CLUSTER REPLICAS {}", NAMES[0])).contains(NAMES[1]));
    let replicas = format!("CLUSTER REPLICAS {}", NAMES[1]);
    says(&mut one, &replicas, "-ERR The specified node is not a master");
    says(&mut two, "CLUSTER FAILOVER", down);
    says(&mut two, "CLUSTER FAILOVER TAKEOVER", "+OK");
    says(&mut two, "SET k v", "+OK");
    refresh(&engines);
    says(&mut one, "SET k v", "-MOVED 7629 10.0.0.1:7002");
    let topology = engines[2].topology().unwrap();
    assert_eq!(topology.node(id(0)).unwrap().role, Role::Replica { of: id(1) });
}

type Interruption = Box<dyn FnOnce() + Send>;

/// A store that lets something else happen just after the record was read.
#[derive(Clone, Default)]
struct Interrupted {
    memory: MemoryStore,
    then: Arc<Mutex<Option<Interruption>>>,
}

impl std::fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.memory.fmt(f)
    }
}

impl TopologyStore for Interrupted {
    fn load(&self) -> Result<store::Stored, Error> {
        let stored = self.memory.load();
        let then = self.then.lock().unwrap().take();
        then.into_iter().for_each(|then| then());
        stored
    }

    fn compare_and_set(&self, version: u64, record: &ClusterRecord) -> Result<Option<u64>, Error> {
        self.memory.compare_and_set(version, record)
    }

    fn may_have_changed(&self, version: u64) -> Result<bool, Error> {
        self.memory.may_have_changed(version)
    }
}

/// A node that took over an older record after it had given a slot away served the slot again, and
/// what was written then was lost: increments, as redis-cli moved slots to and fro.
#[test]
fn what_a_node_said_is_not_taken_back_by_an_older_record() {
    let store = Interrupted::default();
    let engines = cluster(&store);
    says(&mut engines[2].session(), "CLUSTER BUMPEPOCH", "+BUMPED 3");
    let mut session = engines[0].session();
    let give = format!("CLUSTER SETSLOT 7629 NODE {}", NAMES[1]);
    let then = move || says(&mut session, &give, "+OK");
    *store.then.lock().unwrap() = Some(Box::new(then));
    let mut session = engines[0].session();
    for _ in 0..2 {
        engines[0].refresh_topology().unwrap();
        says(&mut session, "INCR k", "-MOVED 7629 10.0.0.1:7002");
    }
    let epoch = engines[0].topology().unwrap().node(id(2)).unwrap().config_epoch;
    assert_eq!(epoch, 3);
}

/// A redis-server in cluster mode.
struct Redis {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let ports = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let [port, bus_port] = ports.map(|listener| listener.local_addr().unwrap().port());
        let name = format!("keyslot-cluster-redis-{}-{port}", std::process::id());
        let folder = parent().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--cluster-port", &bus_port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed: this test shows that we answer as it does");
        Self { process, folder, port }
    }

    /// Connects as soon as the server listens.
    fn connect(&self) -> Connection {
        let start = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                return Connection { stream };
            }
            assert!(start.elapsed() < Duration::from_secs(20), "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// What it answers, up to the answer of a request that marks the end.
    fn say(&mut self, line: &str) -> String {
        const END: &str = "$8\r\nend mark\r\n";
        let request = format!("{line}\r\nECHO \"end mark\"\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with(END) {
            let mut buffer = [0; 4096];
            let len = self.stream.read(&mut buffer).unwrap();
            answer.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
        }
        answer.truncate(answer.len() - END.len());
        answer
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What one node by itself answers, as redis-server 7.0 does; `ME` stands for the node's name.
const ALONE: &str = "
CLUSTER INFO|CLUSTER SLOTS|CLUSTER LINKS|CLUSTER FORGET zz|CLUSTER FORGET ME|CLUSTER REPLICATE zz
CLUSTER REPLICATE ME|CLUSTER FAILOVER|CLUSTER FAILOVER x|CLUSTER FAILOVER FORCE x
CLUSTER REPLICAS zz|CLUSTER REPLICAS ME|CLUSTER SLAVES ME|CLUSTER COUNT-FAILURE-REPORTS zz
CLUSTER COUNT-FAILURE-REPORTS ME|CLUSTER SET-CONFIG-EPOCH x|CLUSTER SET-CONFIG-EPOCH -1
CLUSTER SET-CONFIG-EPOCH 0|CLUSTER SET-CONFIG-EPOCH 7|CLUSTER SET-CONFIG-EPOCH 8|CLUSTER BUMPEPOCH
CLUSTER SAVECONFIG|CLUSTER MEET|CLUSTER MEET 127.0.0.1 0|CLUSTER MEET 127.0.0.1 70000
CLUSTER MEET abc 7000|CLUSTER MEET 127.0.0.1 7000 70000|CLUSTER MEET 127.0.0.1 7000 7 7
CLUSTER ADDSLOTSRANGE 0 16383|CLUSTER FLUSHSLOTS|CLUSTER FLUSHSLOTS|CLUSTER RESET x
CLUSTER RESET SOFT HARD|CLUSTER INFO|CLUSTER RESET|CLUSTER INFO|CLUSTER ADDSLOTS 5 5
CLUSTER ADDSLOTS 5|CLUSTER ADDSLOTS 5|CLUSTER DELSLOTS 6|CLUSTER DELSLOTS 5 5
CLUSTER SETSLOT 5 MIGRATING zz|CLUSTER SETSLOT 5 MIGRATING|CLUSTER SETSLOT 6 IMPORTING zz
CLUSTER SETSLOT 5 IMPORTING zz|CLUSTER SETSLOT 6 MIGRATING zz|CLUSTER SETSLOT 6 STABLE
CLUSTER SETSLOT 6 NODE ME|CLUSTER SETSLOT 6 NODE zz|CLUSTER SETSLOT 6 FOO
CLUSTER SETSLOT 99999 STABLE|CLUSTER SETSLOT x STABLE|CLUSTER SETSLOT 5 MIGRATING ME
CLUSTER SETSLOT 7 IMPORTING ME|CLUSTER FOO|CLUSTER|CLUSTER MYID x|CLUSTER BUMPEPOCH
CLUSTER BUMPEPOCH|CLUSTER KEYSLOT|CLUSTER KEYSLOT a{b}c|CLUSTER COUNTKEYSINSLOT -1
CLUSTER GETKEYSINSLOT 0 -1|CLUSTER COUNTKEYSINSLOT 5|CLUSTER GETKEYSINSLOT 5 3|CLUSTER INFO
CLUSTER DELSLOTSRANGE 5 6|CLUSTER DELSLOTSRANGE 5|CLUSTER ADDSLOTSRANGE 3 1|CLUSTER INFO
SET a 1|MGET a b|READONLY|READWRITE|ASKING|CLUSTER RESET HARD|CLUSTER INFO";

#[test]
fn one_node_answers_as_redis_does() {
    let server = Redis::start();
    let mut redis = server.connect();
    let mut session = join(&MemoryStore::default(), 0).session();
    let name = |answer: String| answer.lines().nth(1).unwrap().to_owned();
    let mut wrong = Vec::new();
    for line in ALONE.lines().flat_map(|line| line.split('|')).filter(|line| !line.is_empty()) {
        let (theirs, ours) =
            (name(redis.say("CLUSTER MYID")), name(say(&mut session, "CLUSTER MYID")));
        let answers = [
            redis.say(&line.replace("ME", &theirs).replace(&format!("{theirs}ET"), "MEET")),
            say(&mut session, &line.replace("ME", &ours).replace(&format!("{ours}ET"), "MEET")),
        ];
        // For the first two seconds Redis does not count and says one.
        let expected = answers[0].replace(&theirs, "ME").replace("_size:1", "_size:0");
        let answer = answers[1].replace(&ours, "ME").replace("_size:1", "_size:0");
        if expected != answer {
            wrong.push(format!("{line}\n  theirs {expected:?}\n  ours   {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
