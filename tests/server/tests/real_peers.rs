//! A cluster of a keyslot-server and a redis-server, which redis-cli moves slots between, both ways,
//! while clients write.
//!
//! The two do not gossip: each was told of the other before it began, Redis in its `nodes.conf`, and
//! keyslot in the file of the topology. Redis counts the other as out of reach only after a time
//! longer than the test.

#![cfg(unix)]

mod servers;

use keyslot::cluster::{FileStore, Node, NodeId, store};
use servers::load::Load;
use servers::{Folder, PATIENCE, Server, free_port, redis_cli};
use std::time::{Duration, Instant};

const KEYSLOT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const REDIS: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Starts both; the keyslot-server owns all slots.
fn start(folder: &Folder) -> [Server; 2] {
    let ports = [free_port(), free_port()];
    let file = FileStore::new(folder.path().join("topology"));
    let [keyslot, redis] = [(KEYSLOT, ports[0]), (REDIS, ports[1])].map(|(name, port)| {
        Node::primary(NodeId::parse(name.as_bytes()).expect("a name"), "127.0.0.1", port)
    });
    let met = store::update(&file, |record| {
        record.join(keyslot.clone());
        record.join(redis.clone());
        record.meet(keyslot.id, redis.id);
        Ok(())
    });
    met.expect("the file can be written");
    let nodes = format!(
        "{REDIS} 127.0.0.1:{}@{} myself,master - 0 0 1 connected\n\
         {KEYSLOT} 127.0.0.1:{}@{} master - 0 0 2 connected 0-16383\n\
         vars currentEpoch 2 lastVoteEpoch 0\n",
        ports[1],
        ports[1] + 10_000,
        ports[0],
        ports[0] + 10_000,
    );
    let home = folder.path().join("redis");
    std::fs::create_dir_all(&home).expect("the folder can be made");
    std::fs::write(home.join("nodes.conf"), nodes).expect("the file can be written");
    let (home, path) = (home.display().to_string(), folder.path().join("topology"));
    let path = path.display().to_string();
    let redis_words = ["--dir", &home, "--cluster-enabled", "yes", "--cluster-node-timeout"];
    let redis_words = [&redis_words[..], &["600000"]].concat();
    let servers = [
        Server::keyslot_at(ports[0], &["--cluster", &path, "--node-id", KEYSLOT]),
        Server::redis_at(ports[1], &redis_words),
    ];
    assert_eq!(servers[0].connect().say("CLUSTER ADDSLOTSRANGE 0 16383"), "OK");
    let begin = Instant::now();
    for server in &servers {
        while !server.connect().say("CLUSTER INFO").contains("cluster_state:ok") {
            assert!(begin.elapsed() < PATIENCE, "the cluster does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    servers
}

#[track_caller]
fn check(address: &str) {
    let (fine, printed) = redis_cli(&["--cluster", "check", address]);
    assert!(
        fine && printed.contains("[OK] All nodes agree about slots configuration."),
        "{printed}"
    );
    assert!(printed.contains("[OK] All 16384 slots covered."), "{printed}");
    assert!(!printed.contains("[WARNING]") && !printed.contains("[ERR]"), "{printed}");
}

#[test]
fn slots_go_to_redis_and_come_back_under_load() {
    let folder = Folder::new();
    let servers = start(&folder);
    let address = format!("127.0.0.1:{}", servers[0].port);
    check(&address);
    let load = Load::start(servers[0].port);
    for (from, to) in [(KEYSLOT, REDIS), (REDIS, KEYSLOT)] {
        let words = ["--cluster", "reshard", &address, "--cluster-from", from, "--cluster-to", to];
        let words = [&words[..], &["--cluster-slots", "60", "--cluster-yes"]].concat();
        let (fine, printed) = redis_cli(&words);
        assert!(fine, "{printed}");
        check(&address);
        let moved = servers[1].connect().say("CLUSTER NODES");
        let own = moved.lines().find(|line| line.contains("myself")).expect("its own line");
        assert_eq!(own.ends_with(" 0-59"), to == REDIS, "{moved}");
    }
    let (increments, wrong) = load.end();
    assert!(increments > 900 && wrong == 0, "{wrong} keys of {increments} increments are wrong");
    assert_eq!(servers[1].connect().say("DBSIZE"), "0");
}
