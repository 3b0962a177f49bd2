//! Nodes that share a topology file, as redis-cli sees them: made, checked, resharded and rebalanced
//! while clients write.

#![cfg(unix)]

mod servers;

use servers::load::{ClusterClient, Load};
use servers::{Folder, Server, redis_cli};

/// Some nodes of one cluster.
struct Nodes {
    nodes: Vec<Server>,
    _folder: Folder,
}

impl Nodes {
    /// Starts nodes and lets redis-cli make a cluster of them.
    fn create(count: usize) -> Self {
        let folder = Folder::new();
        let file = folder.path().join("topology");
        let file = file.to_str().expect("the path is text");
        let nodes: Vec<Server> =
            (0..count).map(|_| Server::keyslot(&["--cluster", file])).collect();
        let nodes = Self { nodes, _folder: folder };
        let mut words = vec!["--cluster".to_owned(), "create".to_owned()];
        words.extend((0..count).map(|number| nodes.address(number)));
        words.push("--cluster-yes".to_owned());
        let (fine, printed) = redis_cli(&words);
        assert!(fine, "{printed}");
        nodes
    }

    fn address(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[number].port)
    }

    fn id(&self, number: usize) -> String {
        self.nodes[number].connect().say("CLUSTER MYID")
    }

    #[track_caller]
    fn cli(&self, words: &[&str]) -> String {
        let (fine, printed) = redis_cli(words);
        assert!(fine, "{printed}");
        printed
    }

    /// Checks that all nodes agree and that nothing is left open.
    #[track_caller]
    fn check(&self) {
        for number in 0..self.nodes.len() {
            let printed = self.cli(&["--cluster", "check", &self.address(number)]);
            assert!(printed.contains("[OK] All nodes agree about slots configuration."));
            assert!(printed.contains("[OK] All 16384 slots covered."));
            assert!(!printed.contains("[WARNING]") && !printed.contains("[ERR]"), "{printed}");
        }
    }

    fn slots(&self, number: usize) -> usize {
        let nodes = self.nodes[0].connect().say("CLUSTER NODES");
        let id = self.id(number);
        let line = nodes.lines().find(|line| line.starts_with(&id)).expect("the node is known");
        let ranges = line.split(' ').skip(8).map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<usize>().expect("a slot");
            number(last) + 1 - number(first)
        });
        ranges.sum()
    }
}

#[test]
fn slots_move_under_load_and_no_increment_is_lost() {
    let cluster = Nodes::create(3);
    cluster.check();
    let load = Load::start(cluster.nodes[0].port);
    let (address, target) = (cluster.address(0), cluster.id(1));
    let reshard = ["--cluster", "reshard", &address, "--cluster-from", "all", "--cluster-to"];
    let amount = [target.as_str(), "--cluster-slots", "90", "--cluster-yes"];
    cluster.cli(&[&reshard[..], &amount[..]].concat());
    assert_eq!(cluster.slots(1), 5462 + 90);
    cluster.check();
    cluster.cli(&["--cluster", "rebalance", &address, "--cluster-threshold", "1"]);
    let (increments, wrong) = load.end();
    assert!(increments > 900 && wrong == 0, "{wrong} keys of {increments} increments are wrong");
    cluster.check();
    assert!((0..3).all(|number| cluster.slots(number).abs_diff(5461) <= 2));
}

#[test]
fn a_node_is_added_and_drained_and_removed() {
    let mut cluster = Nodes::create(3);
    let mut client = ClusterClient::new(cluster.nodes[0].port);
    for number in 0..500 {
        client.ask(&number.to_string(), &["SET", &number.to_string(), "value"]);
    }
    let file = cluster._folder.path().join("topology");
    let file = file.to_str().expect("the path is text").to_owned();
    cluster.nodes.push(Server::keyslot(&["--cluster", &file]));
    let (address, new) = (cluster.address(0), cluster.address(3));
    cluster.cli(&["--cluster", "add-node", &new, &address]);
    let id = cluster.id(3);
    let amount = ["--cluster-slots", "50", "--cluster-yes"];
    let to_new = ["--cluster", "reshard", &address, "--cluster-from", "all", "--cluster-to", &id];
    cluster.cli(&[&to_new[..], &amount[..]].concat());
    cluster.check();
    let (first, moved) = (cluster.id(0), cluster.slots(3).to_string());
    let back = ["--cluster", "reshard", &address, "--cluster-from", &id, "--cluster-to", &first];
    cluster.cli(&[&back[..], &["--cluster-slots", &moved, "--cluster-yes"]].concat());
    cluster.cli(&["--cluster", "del-node", &address, &id]);
    let left = cluster.nodes.pop().expect("it was added");
    assert!(left.connect().say("CLUSTER INFO").contains("cluster_known_nodes:1"));
    cluster.check();
    for number in 0..500 {
        let reply = client.ask(&number.to_string(), &["GET", &number.to_string()]);
        assert_eq!(reply, keyslot::resp::Reply::Bulk("value".into()));
    }
}

#[test]
fn what_was_left_open_is_mended() {
    let cluster = Nodes::create(3);
    let (address, one, two) = (cluster.address(0), cluster.id(0), cluster.id(1));
    let mut client = ClusterClient::new(cluster.nodes[0].port);
    let slot: u16 = cluster.nodes[0].connect().say("CLUSTER KEYSLOT 16").parse().expect("a slot");
    let owner = if slot < 5461 { 0 } else { 1 };
    client.ask("16", &["SET", "{16}a", "1"]);
    let (from, to) = if owner == 0 { (&one, &two) } else { (&two, &one) };
    let mut source = cluster.nodes[owner].connect();
    let mut target = cluster.nodes[1 - owner].connect();
    assert_eq!(target.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {from}")), "OK");
    assert_eq!(source.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {to}")), "OK");
    let (_, printed) = redis_cli(&["--cluster", "check", &address]);
    assert!(printed.contains("[WARNING]"), "{printed}");
    cluster.cli(&["--cluster", "fix", &address]);
    cluster.check();
    let mut client = ClusterClient::new(cluster.nodes[2].port);
    assert_eq!(client.ask("16", &["GET", "{16}a"]), keyslot::resp::Reply::Bulk("1".into()));
}
