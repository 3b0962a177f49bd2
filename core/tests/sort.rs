//! SORT and SORT_RO as a client sees them. The differential streams compare them with redis-server;
//! here are the options' errors, what patterns name, and what a cluster denies.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::SlotScheme;
use keyslot::{Engine, EngineOptions, Session};

struct Client {
    session: Session,
}

impl Client {
    fn new() -> Self {
        Self { session: Engine::default().session() }
    }

    /// Sends a line and returns the reply, with blanks for its line breaks.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }
}

const SYNTAX: &str = "-ERR syntax error";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_A_NUMBER: &str = "-ERR One or more scores can't be converted into double";

#[test]
fn elements_come_in_the_order_that_is_asked_for() {
    Client::new().check(&[
        ("RPUSH l 10 9 2 1e1 -3", ":5"),
        ("SORT l", "*5 $2 -3 $1 2 $1 9 $2 10 $3 1e1"),
        ("SORT l DESC", "*5 $3 1e1 $2 10 $1 9 $1 2 $2 -3"),
        ("SORT l ALPHA LIMIT 1 3", "*3 $2 10 $3 1e1 $1 2"),
        ("SORT l LIMIT -5 2", "*2 $2 -3 $1 2"),
        ("SORT l LIMIT 9 2", "*0"),
        ("SORT l BY nosort", "*5 $2 10 $1 9 $1 2 $3 1e1 $2 -3"),
        ("SORT l BY nosort DESC LIMIT 1 2", "*2 $3 1e1 $1 2"),
        ("SORT l BY nosort BY w_*", "*5 $2 10 $1 9 $1 2 $3 1e1 $2 -3"),
        ("SORT_RO l BY nosort LIMIT 0 1", "*1 $2 10"),
        ("SORT missing", "*0"),
        ("SADD s b c a", ":3"),
        ("SORT s ALPHA DESC", "*3 $1 c $1 b $1 a"),
        ("SORT s", NOT_A_NUMBER),
        ("SORT s BY nosort STORE t", ":3"),
        ("LRANGE t 0 -1", "*3 $1 a $1 b $1 c"),
        ("ZADD z 3 a 1 b 2 c", ":3"),
        ("OBJECT ENCODING z", "$8 listpack"),
        ("SORT z ALPHA", "*3 $1 a $1 b $1 c"),
        ("OBJECT ENCODING z", "$8 skiplist"),
        ("SORT z BY nosort", "*3 $1 b $1 c $1 a"),
        ("SORT z BY nosort LIMIT 1 9", "*2 $1 c $1 a"),
        ("SORT z BY nosort DESC LIMIT 0 2", "*2 $1 a $1 c"),
        ("SORT z BY nosort LIMIT 3 1", "*0"),
        ("SET text v", "+OK"),
        ("HSET h f v", ":1"),
        ("SORT text", WRONG_TYPE),
        ("SORT h", WRONG_TYPE),
    ]);
}

#[test]
fn patterns_name_keys_and_fields() {
    Client::new().check(&[
        ("RPUSH l 1 2 3", ":3"),
        ("MSET w_1 30 w_2 10 w_3 20 o_1 a o_3 c", "+OK"),
        ("SORT l BY w_*", "*3 $1 2 $1 3 $1 1"),
        ("SORT l BY w_* GET # GET o_*", "*6 $1 2 $-1 $1 3 $1 c $1 1 $1 a"),
        ("SORT l BY w_* DESC LIMIT 0 2 GET w_*", "*2 $2 30 $2 20"),
        ("SORT l BY o_*", NOT_A_NUMBER),
        ("SORT l BY o_* ALPHA", "*3 $1 2 $1 1 $1 3"),
        ("SORT l BY missing_*", "*3 $1 1 $1 2 $1 3"),
        ("HSET h_1 f 3 g x", ":2"),
        ("HSET h_2 f 1", ":1"),
        ("SORT l BY h_*->f", "*3 $1 3 $1 2 $1 1"),
        (
            "SORT l BY h_*->f GET h_*->g GET w_*->f GET h_*",
            "*9 $-1 $-1 $-1 $-1 $-1 $-1 $1 x $-1 $-1",
        ),
        ("SORT l GET constant", "*3 $-1 $-1 $-1"),
        ("SORT l GET o_* STORE t", ":3"),
        ("LRANGE t 0 -1", "*3 $1 a $0  $1 c"),
        ("OBJECT ENCODING t", "$8 listpack"),
        ("SORT l DESC LIMIT 0 0 STORE t", ":0"),
        ("EXISTS t", ":0"),
        ("SORT l DESC STORE l", ":3"),
        ("LRANGE l 0 -1", "*3 $1 3 $1 2 $1 1"),
    ]);
}

#[test]
fn options_are_read_before_the_key_is() {
    Client::new().check(&[
        ("SET k v", "+OK"),
        ("SORT k FOO", SYNTAX),
        ("SORT k LIMIT 1", SYNTAX),
        ("SORT k LIMIT x 1", NOT_INTEGER),
        ("SORT k LIMIT 1 x FOO", NOT_INTEGER),
        ("SORT k BY", SYNTAX),
        ("SORT k GET", SYNTAX),
        ("SORT k STORE", SYNTAX),
        ("SORT_RO k STORE t", SYNTAX),
        ("SORT k ASC", WRONG_TYPE),
        ("COMMAND GETKEYS SORT k BY w_* STORE a STORE t", "*2 $1 k $1 t"),
    ]);
}

#[test]
fn transactions_sort_by_other_keys() {
    Client::new().check(&[
        ("RPUSH l 1 2", ":2"),
        ("MSET w_1 2 w_2 1", "+OK"),
        ("MULTI", "+OK"),
        ("SORT l BY w_* GET w_*", "+QUEUED"),
        ("SORT l BY w_* STORE l", "+QUEUED"),
        ("EXEC", "*2 *2 $1 1 $1 2 :2"),
        ("LRANGE l 0 -1", "*2 $1 2 $1 1"),
    ]);
}

#[test]
fn a_cluster_denies_patterns_of_other_slots() {
    const ME: &[u8] = b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let me = || NodeId::parse(ME).expect("forty digits");
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(me(), "10.0.0.1", 7001));
    (0..16_384).for_each(|slot| assert!(topology.assign(slot, me())));
    let options = EngineOptions { cluster: Some(topology), ..EngineOptions::default() };
    let mut client = Client { session: Engine::new(options).session() };
    let denied = |option: &str| {
        format!(
            "-ERR {option} option of SORT denied in cluster mode when keys formed by the pattern \
             may be in different slots."
        )
    };
    client.check(&[
        ("RPUSH {t}l 1 2", ":2"),
        ("MSET {t}w_1 2 {t}w_2 1", "+OK"),
        ("SORT {t}l BY {t}w_*", "*2 $1 2 $1 1"),
        ("SORT {t}l BY {t}w_* GET {t}w_* GET #", "*4 $1 1 $1 2 $1 2 $1 1"),
        ("SORT {t}l BY w_*", &denied("BY")),
        ("SORT {t}l BY {u}w_* FOO", &denied("BY")),
        ("SORT {t}l BY nosort", "*2 $1 1 $1 2"),
        ("SORT {t}l GET w_*", &denied("GET")),
        ("SORT {t}l GET constant", &denied("GET")),
        ("SORT_RO {t}l GET *{t}", &denied("GET")),
    ]);
}
