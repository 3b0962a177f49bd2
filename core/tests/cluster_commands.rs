//! CLUSTER and its family as a client sees them. Texts are those of redis-server.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::cluster::{Node, NodeId, Role, Topology};
use keyslot::slot::SlotScheme;
use keyslot::{Engine, EngineOptions, Session};

const ME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const REPLICA: &str = "cccccccccccccccccccccccccccccccccccccccc";

fn id(name: &str) -> NodeId {
    NodeId::parse(name.as_bytes()).unwrap()
}

/// A node without slots that knows another, which owns slots 100 to 199 and has a replica.
fn node() -> Session {
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(ME), "10.0.0.1", 7001));
    topology.put_node(Node::primary(id(OTHER), "10.0.0.2", 7002));
    let mut replica = Node::primary(id(REPLICA), "10.0.0.3", 7003);
    replica.role = Role::Replica { of: id(OTHER) };
    topology.put_node(replica);
    topology.require_full_coverage = false;
    (100..200).for_each(|slot| assert!(topology.assign(slot, id(OTHER))));
    Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() }).session()
}

#[track_caller]
fn says(session: &mut Session, line: &str, answer: &str) {
    session.feed(format!("{line}\r\n").as_bytes());
    let told = String::from_utf8(session.take_output()).unwrap();
    assert_eq!(told, format!("{answer}\r\n"), "{line}");
}

#[test]
fn slots_of_keys_are_known_without_a_cluster() {
    let mut session = Engine::default().session();
    says(&mut session, "CLUSTER KEYSLOT foo", ":12182");
    says(&mut session, "CLUSTER KEYSLOT {", ":4092");
    says(&mut session, "MSET foo 1 {foo}bar 2 other 3", "+OK");
    says(&mut session, "CLUSTER COUNTKEYSINSLOT 12182", ":2");
    says(&mut session, "CLUSTER GETKEYSINSLOT 12182 0", "*0");
    says(&mut session, "DEL foo", ":1");
    says(&mut session, "CLUSTER GETKEYSINSLOT 12182 10", "*1\r\n$8\r\n{foo}bar");
    says(&mut session, "CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot");
    says(&mut session, "CLUSTER COUNTKEYSINSLOT x", "-ERR value is not an integer or out of range");
    let invalid = "-ERR Invalid slot or number of keys";
    says(&mut session, "CLUSTER GETKEYSINSLOT 1 -1", invalid);
    says(&mut session, "CLUSTER GETKEYSINSLOT -1 1", invalid);
    for line in ["CLUSTER INFO", "CLUSTER MYID", "ASKING", "READONLY", "READWRITE"] {
        says(&mut session, line, "-ERR This instance has cluster support disabled");
    }
}

#[test]
fn codis_slots_are_those_of_its_scheme() {
    let options = EngineOptions { scheme: SlotScheme::Codis, ..EngineOptions::default() };
    let mut session = Engine::new(options).session();
    says(&mut session, "CLUSTER KEYSLOT a", ":579");
    says(&mut session, "CLUSTER COUNTKEYSINSLOT 1024", "-ERR Invalid slot");
}

#[test]
fn slots_are_added_and_deleted() {
    let mut session = node();
    let mut told = |line: &str, answer: &str| says(&mut session, line, answer);
    told("CLUSTER ADDSLOTSRANGE 0 5 7 9", "+OK");
    told("CLUSTER ADDSLOTSRANGE 5 3", "-ERR start slot number 5 is greater than end slot number 3");
    told("CLUSTER ADDSLOTSRANGE 0 100 20 x", "-ERR Slot 0 is already busy");
    told("CLUSTER ADDSLOTS 0 x", "-ERR Invalid or out of range slot");
    told("CLUSTER ADDSLOTS 50 50", "-ERR Slot 50 specified multiple times");
    let arity = "-ERR wrong number of arguments for 'cluster|addslotsrange' command";
    told("CLUSTER ADDSLOTSRANGE 0", arity);
    told("CLUSTER ADDSLOTSRANGE 10 11 12", arity);
    told("CLUSTER DELSLOTS 8 6", "-ERR Slot 6 is already unassigned");
    told("CLUSTER DELSLOTSRANGE 7 8", "+OK");
    told("SET x y", "-CLUSTERDOWN Hash slot not served");
    told("CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.");
}

#[test]
fn setslot_opens_closes_and_gives_slots() {
    let mut session = node();
    let mut told = |line: &str, answer: &str| says(&mut session, line, answer);
    told("CLUSTER ADDSLOTS 5", "+OK");
    let usage = "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";
    told("CLUSTER SETSLOT 5 FOO", usage);
    told("CLUSTER SETSLOT 5 STABLE x", usage);
    told("CLUSTER SETSLOT 16384 STABLE", "-ERR Invalid or out of range slot");
    told("CLUSTER SETSLOT 5 MIGRATING ab", "-ERR I don't know about node ab");
    told("CLUSTER SETSLOT 6 NODE ab", "-ERR Unknown node ab");
    told(&format!("CLUSTER SETSLOT 5 MIGRATING {REPLICA}"), "-ERR Target node is not a master");
    told(&format!("CLUSTER SETSLOT 5 MIGRATING {OTHER}"), "+OK");
    told(&format!("CLUSTER SETSLOT 101 IMPORTING {OTHER}"), "+OK");
    let text = format!(
        "{ME} 10.0.0.1:7001@17001 myself,master - 0 0 0 connected 5 [5->-{OTHER}] \
         [101-<-{OTHER}]\n\
         {OTHER} 10.0.0.2:7002@17002 master - 0 0 0 connected 100-199\n\
         {REPLICA} 10.0.0.3:7003@17003 slave {OTHER} 0 0 0 connected\n"
    );
    told("CLUSTER NODES", &format!("${}\r\n{text}", text.len()));
    told("CLUSTER SETSLOT 5 STABLE", "+OK");
    told(&format!("CLUSTER SETSLOT 101 NODE {ME}"), "+OK");
    told("CLUSTER MYID", &format!("$40\r\n{ME}"));
    let info = "cluster_state:ok\r\ncluster_slots_assigned:101\r\ncluster_slots_ok:101\r\n\
                cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:3\r\n\
                cluster_size:2\r\ncluster_current_epoch:1\r\ncluster_my_epoch:1\r\n\
                cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n\
                total_cluster_links_buffer_limit_exceeded:0\r\n";
    told("CLUSTER INFO", &format!("${}\r\n{info}", info.len()));
}

#[test]
fn clients_learn_the_slots() {
    let mut session = node();
    let mut told = |line: &str, answer: &str| says(&mut session, line, answer);
    told("CLUSTER ADDSLOTSRANGE 0 5", "+OK");
    told(
        "CLUSTER SLOTS",
        &format!(
            "*2\r\n*3\r\n:0\r\n:5\r\n*4\r\n$8\r\n10.0.0.1\r\n:7001\r\n$40\r\n{ME}\r\n*0\r\n\
             *4\r\n:100\r\n:199\r\n*4\r\n$8\r\n10.0.0.2\r\n:7002\r\n$40\r\n{OTHER}\r\n*0\r\n\
             *4\r\n$8\r\n10.0.0.3\r\n:7003\r\n$40\r\n{REPLICA}\r\n*0"
        ),
    );
    let node = |id: &str, port: u16, ip: &str, role: &str| {
        format!(
            "*14\r\n$2\r\nid\r\n$40\r\n{id}\r\n$4\r\nport\r\n:{port}\r\n$2\r\nip\r\n$8\r\n{ip}\r\n\
             $8\r\nendpoint\r\n$8\r\n{ip}\r\n$4\r\nrole\r\n${}\r\n{role}\r\n\
             $18\r\nreplication-offset\r\n:0\r\n$6\r\nhealth\r\n$6\r\nonline",
            role.len()
        )
    };
    let mine = node(ME, 7001, "10.0.0.1", "master");
    let other = node(OTHER, 7002, "10.0.0.2", "master");
    let replica = node(REPLICA, 7003, "10.0.0.3", "replica");
    told(
        "CLUSTER SHARDS",
        &format!(
            "*2\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:5\r\n$5\r\nnodes\r\n*1\r\n{mine}\r\n\
             *4\r\n$5\r\nslots\r\n*2\r\n:100\r\n:199\r\n$5\r\nnodes\r\n*2\r\n{other}\r\n{replica}"
        ),
    );
}

#[test]
fn asking_holds_for_one_command() {
    let mut session = node();
    let mut told = |line: &str, answer: &str| says(&mut session, line, answer);
    told(&format!("CLUSTER SETSLOT 189 IMPORTING {OTHER}"), "+OK");
    // A key of slot 189.
    told("CLUSTER KEYSLOT k29216", ":189");
    told("SET k29216 v", "-MOVED 189 10.0.0.2:7002");
    told("ASKING", "+OK");
    told("SET k29216 v", "+OK");
    told("GET k29216", "-MOVED 189 10.0.0.2:7002");
    told("ASKING", "+OK");
    told("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: ");
    told("GET k29216", "-MOVED 189 10.0.0.2:7002");
}
