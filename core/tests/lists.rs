//! The list commands as a client sees them. What redis-server 7.0 has as well is compared with it by
//! the differential streams; here are when a list becomes a quicklist and a listpack again, which
//! 7.2 brought (`listTypeTryConversion` in t_list.c), and who hears of what.

use keyslot::{Engine, EngineOptions, Session};

struct Client {
    session: Session,
}

impl Client {
    fn new() -> Self {
        Self::with_list_size("-2")
    }

    /// With lists of up to so many elements, or bytes, in a listpack.
    fn with_list_size(size: &str) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let settings = [("list-max-listpack-size", size), ("enable-debug-command", "yes")];
        let settings = settings.map(owned).to_vec();
        let options = EngineOptions { settings, ..EngineOptions::default() };
        Self { session: Engine::new(options).session() }
    }

    /// Sends a line and returns the reply, with blanks for its line breaks.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        self.session.poll();
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    fn nodes(&mut self, key: &str) -> String {
        let line = self.line(&format!("DEBUG OBJECT {key}"));
        let nodes = line.split(' ').find_map(|word| word.strip_prefix("ql_nodes:"));
        nodes.unwrap_or("none").to_owned()
    }
}

const ENCODING: &str = "OBJECT ENCODING l";
const LISTPACK: &str = "$8 listpack";
const QUICKLIST: &str = "$9 quicklist";

#[test]
fn a_list_is_a_quicklist_from_the_first_element_too_many_to_half_as_many() {
    Client::with_list_size("4").check(&[
        ("RPUSH l 1 2 3 4", ":4"),
        (ENCODING, LISTPACK),
        ("RPUSH l 5", ":5"),
        (ENCODING, QUICKLIST),
        ("RPOP l", "$1 5"),
        ("RPOP l", "$1 4"),
        (ENCODING, QUICKLIST),
        ("RPOP l", "$1 3"),
        (ENCODING, LISTPACK),
        ("LRANGE l 0 -1", "*2 $1 1 $1 2"),
    ]);
}

#[test]
fn elements_that_come_together_count_together() {
    Client::with_list_size("4").check(&[
        ("LPUSH l 1 2 3 4 5", ":5"),
        (ENCODING, QUICKLIST),
        // They are in two nodes, and two nodes never become one.
        ("LREM l 0 2", ":1"),
        ("LREM l 0 3", ":1"),
        ("LREM l 0 4", ":1"),
        (ENCODING, QUICKLIST),
        ("LPOP l", "$1 5"),
        (ENCODING, LISTPACK),
        ("LRANGE l 0 -1", "*1 $1 1"),
    ]);
}

#[test]
fn what_might_add_an_element_converts_even_if_it_adds_none() {
    Client::with_list_size("4").check(&[
        ("RPUSH l 1 2 3 4", ":4"),
        ("LINSERT l BEFORE missing x", ":-1"),
        (ENCODING, QUICKLIST),
        ("DEL l", ":1"),
        ("RPUSH l 1 2 3 4", ":4"),
        ("LSET l 9 x", "-ERR index out of range"),
        (ENCODING, QUICKLIST),
        ("DEL l", ":1"),
        ("RPUSH l 1 2", ":2"),
        ("LSET l 0 x", "+OK"),
        ("LINSERT l AFTER x y", ":3"),
        (ENCODING, LISTPACK),
        ("LTRIM l 0 1", "+OK"),
        ("LRANGE l 0 -1", "*2 $1 x $1 y"),
    ]);
}

#[test]
fn bytes_count_where_the_setting_is_below_zero() {
    // A listpack has seven bytes and takes texts as long as fits in with these.
    for (setting, size) in [("-1", 4096), ("-2", 8192), ("-3", 16_384), ("100", 8192)] {
        let mut client = Client::with_list_size(setting);
        client.line(&format!("RPUSH l {}", "x".repeat(size - 7)));
        assert_eq!(client.line(ENCODING), LISTPACK, "{setting}");
        client.line(&format!("RPUSH m {}", "x".repeat(size - 6)));
        assert_eq!(client.line("OBJECT ENCODING m"), QUICKLIST, "{setting}");
    }
}

#[test]
fn a_list_of_half_the_bytes_is_a_listpack_again() {
    let mut client = Client::new();
    for _ in 0..100 {
        client.line(&format!("RPUSH l {}", "x".repeat(97)));
    }
    assert_eq!((client.line(ENCODING).as_str(), client.nodes("l").as_str()), (QUICKLIST, "2"));
    // The first node has 81 elements of 100 bytes and 81 of its head.
    client.line("LTRIM l 0 80");
    assert_eq!((client.line(ENCODING).as_str(), client.nodes("l").as_str()), (QUICKLIST, "1"));
    for _ in 0..41 {
        assert_eq!(client.line(ENCODING), QUICKLIST);
        client.line("LPOP l");
    }
    assert_eq!((client.line(ENCODING).as_str(), client.nodes("l").as_str()), (LISTPACK, "none"));
    assert_eq!(client.line("LLEN l"), ":40");
}

#[test]
fn numbers_that_move_count_nothing() {
    let mut client = Client::with_list_size("-1");
    // 4,091 bytes, to which seven are added.
    let long = "x".repeat(4080);
    client.check(&[
        ("RPUSH numbers 1000000", ":1"),
        ("RPUSH texts abcdefg", ":1"),
        (&format!("RPUSH l {long}"), ":1"),
        ("LMOVE numbers l LEFT RIGHT", "$7 1000000"),
        (ENCODING, LISTPACK),
        ("RPOP l", "$7 1000000"),
        ("LMOVE texts l LEFT RIGHT", "$7 abcdefg"),
        (ENCODING, QUICKLIST),
        ("EXISTS numbers texts", ":0"),
    ]);
}

#[test]
fn a_list_goes_on_in_nodes_as_it_became_a_quicklist() {
    let mut client = Client::with_list_size("2");
    client.line("RPUSH l 1 2 3");
    client.line("CONFIG SET list-max-listpack-size 100");
    client.line("RPUSH l 4 5 6");
    assert_eq!(client.nodes("l"), "3");
    client.line("LPOP l");
    assert_eq!(client.nodes("l"), "3");
    client.line("LTRIM l 0 0");
    assert_eq!((client.line(ENCODING).as_str(), client.nodes("l").as_str()), (LISTPACK, "none"));
}

#[test]
fn numbers_without_an_opposite_are_refused() {
    const RANGE: &str = "-ERR value is out of range, value must between -9223372036854775807 and \
                         9223372036854775807";
    Client::new().check(&[
        ("RPUSH l a", ":1"),
        ("LREM l -9223372036854775808 a", RANGE),
        ("LPOS l a RANK -9223372036854775808", RANGE),
        ("LREM l -9223372036854775807 a", ":1"),
    ]);
}

#[test]
fn events_come_in_the_order_of_redis() {
    let mut options = EngineOptions::default();
    options.settings.push(("notify-keyspace-events".to_owned(), "Elgn".to_owned()));
    let engine = Engine::new(options);
    let (mut hearer, mut client) =
        (Client { session: engine.session() }, Client { session: engine.session() });
    hearer.line("PSUBSCRIBE *");
    let mut heard = |line: &str| {
        client.line(line);
        let heard = hearer.line("");
        let messages = heard.split("pmessage $1 * ").skip(1);
        let event = |message: &str| {
            let words: Vec<_> = message.split(' ').collect();
            format!("{} {}", words[1].trim_start_matches("__keyevent@0__:"), words[3])
        };
        messages.map(event).collect::<Vec<_>>().join(", ")
    };
    for (line, events) in [
        ("RPUSH a 1 2 3", "new a, rpush a"),
        ("LPUSH a 0", "lpush a"),
        ("LPUSHX b 1", ""),
        ("LSET a 0 x", "lset a"),
        ("LINSERT a AFTER x y", "linsert a"),
        ("LINSERT a AFTER none y", ""),
        ("LREM a 0 none", ""),
        ("LREM a 0 y", "lrem a"),
        ("LTRIM a 0 -1", "ltrim a"),
        ("LPOP a 0", ""),
        ("LPOP a 2", "lpop a"),
        ("LMOVE a a LEFT RIGHT", "rpush a, lpop a"),
        ("RPOPLPUSH a b", "new b, lpush b, rpop a"),
        ("LMOVE a b LEFT LEFT", "lpush b, lpop a, del a"),
        ("LMPOP 2 a b RIGHT COUNT 9", "rpop b, del b"),
        ("RPUSH c 1", "new c, rpush c"),
        ("LREM c 0 1", "lrem c, del c"),
        ("RPUSH c 1", "new c, rpush c"),
        ("LTRIM c 5 9", "ltrim c, del c"),
    ] {
        assert_eq!(heard(line), events, "{line}");
    }
}

#[test]
fn nulls_are_those_of_the_protocol() {
    let mut client = Client::new();
    client.check(&[
        ("LPOP k", "$-1"),
        ("LPOP k 1", "*-1"),
        ("LMPOP 1 k LEFT", "*-1"),
        ("LPOS k x", "$-1"),
        ("LPOS k x COUNT 1", "*0"),
    ]);
    client.line("HELLO 3");
    client.check(&[("LPOP k", "_"), ("LPOP k 1", "_"), ("LMPOP 1 k LEFT", "_"), ("LPOS k x", "_")]);
}

#[test]
fn what_is_no_list_is_left_alone() {
    const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let mut client = Client::new();
    client.check(&[("SET s text", "+OK"), ("RPUSH l 1", ":1")]);
    for line in [
        "RPUSH s 1",
        "LPUSHX s 1",
        "LPOP s",
        "LPOP s 2",
        "LLEN s",
        "LRANGE s 0 -1",
        "LINDEX s 0",
        "LSET s 0 x",
        "LINSERT s BEFORE a b",
        "LREM s 0 a",
        "LTRIM s 0 1",
        "LPOS s a",
        "LMOVE l s LEFT LEFT",
        "LMOVE s l LEFT LEFT",
        "RPOPLPUSH l s",
        "LMPOP 2 s l LEFT",
    ] {
        assert_eq!(client.line(line), WRONG, "{line}");
    }
    client.check(&[
        ("LMOVE missing s LEFT LEFT", "$-1"),
        ("GET s", "$4 text"),
        ("GET l", WRONG),
        ("APPEND l x", WRONG),
        ("LRANGE l 0 -1", "*1 $1 1"),
    ]);
}

#[test]
fn an_element_beyond_the_threshold_is_a_node_by_itself() {
    let mut client = Client::with_list_size("128");
    let refused = "-ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    client.check(&[
        ("DEBUG QUICKLIST-PACKED-THRESHOLD 5b", "+OK"),
        ("DEBUG QUICKLIST-PACKED-THRESHOLD x", refused),
        ("DEBUG QUICKLIST-PACKED-THRESHOLD 4gb", refused),
    ]);
    let many = vec!["a"; 129].join(" ");
    client.check(&[(&format!("RPUSH l {many}"), ":129"), ("RPUSH l long12 b", ":131")]);
    assert_eq!(client.nodes("l"), "4");
    client.check(&[("DEBUG quicklist-packed-threshold 0", "+OK"), ("RPUSH l long12", ":132")]);
    assert_eq!(client.nodes("l"), "4");
}

/// Pushes `member:0` and so on at the tail, some at a time.
fn push_members(client: &mut Client, count: usize) {
    for start in (0..count).step_by(1_000) {
        let members: Vec<_> = (start..start + 1_000).map(|at| format!("member:{at}")).collect();
        client.line(&format!("RPUSH l {}", members.join(" ")));
    }
}

#[test]
fn a_depth_of_compression_is_told_and_changes_no_reply() {
    let mut client = Client::new();
    for depth in ["0", "3", "100"] {
        client.line("DEL l");
        client.check(&[(&format!("CONFIG SET list-compress-depth {depth}"), "+OK")]);
        push_members(&mut client, 20_000);
        client.check(&[
            ("LLEN l", ":20000"),
            ("LINDEX l 10000", "$12 member:10000"),
            ("LINDEX l -7001", "$12 member:12999"),
            ("LRANGE l 9998 9999", "*2 $11 member:9998 $11 member:9999"),
            ("LPOS l member:12345", ":12345"),
            ("LPOS l member:12345 RANK -1", ":12345"),
            ("LSET l 10001 x", "+OK"),
            ("LINSERT l BEFORE x y", ":20001"),
            ("LREM l -1 member:11000", ":1"),
            ("LRANGE l 11000 11001", "*2 $12 member:10999 $12 member:11001"),
            ("LTRIM l 9999 10003", "+OK"),
            ("LRANGE l 0 -1", "*5 $11 member:9999 $12 member:10000 $1 y $1 x $12 member:10002"),
        ]);
    }
    client.check(&[("DEL l", ":1"), ("CONFIG SET list-compress-depth 1", "+OK")]);
    push_members(&mut client, 2_000);
    assert!(client.line("DEBUG OBJECT l").contains("ql_compressed:1"));
}
