//! Sorted sets as a caller sees them: what redis-server 7.0, with which streams are compared, does
//! otherwise or not at all, and where encodings change.

use keyslot::Engine;
use keyslot::resp::{Encoder, Protocol};

struct Client {
    engine: Engine,
    protocol: Protocol,
}

impl Client {
    fn new(protocol: Protocol) -> Self {
        Self { engine: Engine::default(), protocol }
    }

    fn ask(&self, request: &str) -> String {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let mut out = Encoder::new(self.protocol);
        self.engine.call(&words, &mut out);
        String::from_utf8_lossy(&out.take()).replace("\r\n", " ")
    }

    /// Adds members `m0`, `m1` ... with their numbers as scores.
    fn fill(&self, key: &str, members: usize) {
        for number in 0..members {
            self.ask(&format!("ZADD {key} {number} m{number}"));
        }
    }

    fn encoding(&self, key: &str) -> String {
        self.ask(&format!("OBJECT ENCODING {key}"))
    }
}

const PACKED: &str = "$8 listpack ";
const LARGE: &str = "$8 skiplist ";

#[test]
fn ranks_come_with_scores_if_they_are_asked_for() {
    let client = Client::new(Protocol::Resp2);
    client.ask("ZADD z 1 a 2.5 b");
    assert_eq!(client.ask("ZRANK z b WITHSCORE"), "*2 :1 $3 2.5 ");
    assert_eq!(client.ask("ZREVRANK z b withscore"), "*2 :0 $3 2.5 ");
    assert_eq!(client.ask("ZRANK z x WITHSCORE"), "*-1 ");
    assert_eq!(client.ask("ZRANK nosuch x WITHSCORE"), "*-1 ");
    assert_eq!(client.ask("ZRANK z x"), "$-1 ");
    assert_eq!(client.ask("ZRANK z b WITHSCORES"), "-ERR syntax error ");
    let arity = "-ERR wrong number of arguments for 'zrank' command ";
    assert_eq!(client.ask("ZRANK z b WITHSCORE x"), arity);
    let client = Client::new(Protocol::Resp3);
    client.ask("ZADD z 1 a 2.5 b");
    assert_eq!(client.ask("ZRANK z b WITHSCORE"), "*2 :1 ,2.5 ");
    assert_eq!(client.ask("ZRANK z x WITHSCORE"), "_ ");
}

#[test]
fn scores_are_printed_as_short_as_they_can_be() {
    let client = Client::new(Protocol::Resp2);
    client.ask("ZADD z 0.1 a 1e20 b inf c");
    assert_eq!(client.ask("ZSCORE z a"), "$3 0.1 ");
    assert_eq!(client.ask("ZRANGE z 1 2 WITHSCORES"), "*4 $1 b $5 1e+20 $1 c $3 inf ");
    assert_eq!(client.ask("ZINCRBY z 0.2 a"), "$19 0.30000000000000004 ");
    let client = Client::new(Protocol::Resp3);
    client.ask("ZADD z 0.1 a");
    assert_eq!(client.ask("ZRANGE z 0 -1 WITHSCORES"), "*1 *2 $1 a ,0.1 ");
    assert_eq!(client.ask("ZPOPMIN z"), "*2 $1 a ,0.1 ");
}

#[test]
fn a_scan_prints_the_scores_of_a_large_set_with_17_digits() {
    let client = Client::new(Protocol::Resp3);
    client.ask("ZADD z 0.1 a");
    assert_eq!(client.ask("ZSCAN z 0"), "*2 $1 0 *2 $1 a $3 0.1 ");
    client.ask("CONFIG SET zset-max-listpack-entries 0");
    client.ask("ZADD y 0.1 a");
    assert_eq!(client.ask("ZSCAN y 0"), "*2 $1 0 *2 $1 a $19 0.10000000000000001 ");
}

#[test]
fn a_scan_meets_every_member_of_a_large_set() {
    let client = Client::new(Protocol::Resp2);
    client.fill("z", 1_000);
    let mut cursor = "0".to_owned();
    let mut met = std::collections::BTreeSet::new();
    loop {
        let reply = client.ask(&format!("ZSCAN z {cursor} COUNT 50 MATCH m*"));
        let parts: Vec<_> = reply.split(' ').collect();
        cursor = parts[2].to_owned();
        met.extend(parts.iter().filter(|part| part.starts_with('m')).map(|part| part.to_string()));
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(met.len(), 1_000);
}

#[test]
fn a_set_is_packed_up_to_the_limits() {
    let client = Client::new(Protocol::Resp2);
    client.fill("z", 128);
    assert_eq!(client.encoding("z"), PACKED);
    client.ask("ZADD z 1 m0 2 m1");
    assert_eq!(client.encoding("z"), PACKED);
    client.ask("ZADD z 1 another");
    assert_eq!(client.encoding("z"), LARGE);
    client.ask("ZREMRANGEBYRANK z 0 120");
    assert_eq!(client.encoding("z"), LARGE);
    client.ask("ZRANGESTORE y z 0 -1");
    assert_eq!(client.encoding("y"), PACKED);
    client.ask(&format!("ZADD y 1 {}", "x".repeat(65)));
    assert_eq!(client.encoding("y"), LARGE);
    client.ask("ZUNIONSTORE x 1 y");
    assert_eq!(client.encoding("x"), LARGE);
    client.ask("CONFIG SET zset-max-listpack-value 100");
    client.ask("ZUNIONSTORE x 1 y");
    assert_eq!(client.encoding("x"), PACKED);
}

#[test]
fn a_command_with_too_many_members_makes_a_large_set_even_if_they_are_the_same() {
    let client = Client::new(Protocol::Resp2);
    client.ask(&format!("ZADD z{}", " 1 a".repeat(129)));
    assert_eq!(client.ask("ZCARD z"), ":1 ");
    assert_eq!(client.encoding("z"), LARGE);
}

#[test]
fn negative_zero_is_lost_where_it_is_packed() {
    let client = Client::new(Protocol::Resp2);
    assert_eq!(client.ask("ZADD z INCR -0 a"), "$2 -0 ");
    assert_eq!(client.ask("ZSCORE z a"), "$1 0 ");
    client.ask("CONFIG SET zset-max-listpack-entries 0");
    client.ask("ZADD y -0 a");
    assert_eq!(client.ask("ZSCORE y a"), "$2 -0 ");
    // What is stored member by member is packed until one of them does not fit.
    client.ask("CONFIG SET zset-max-listpack-entries 2");
    client.ask("ZADD y 1 b 2 c 3 d");
    client.ask("ZRANGESTORE x y -inf +inf BYSCORE");
    assert_eq!(client.ask("ZSCORE x a"), "$1 0 ");
    client.ask("ZRANGESTORE x y 0 -1");
    assert_eq!(client.ask("ZSCORE x a"), "$2 -0 ");
}

#[test]
fn chosen_members_are_different_ones_unless_repeats_are_asked_for() {
    let client = Client::new(Protocol::Resp2);
    client.fill("z", 300);
    for count in [1, 5, 150, 299, 300, 400] {
        let reply = client.ask(&format!("ZRANDMEMBER z {count}"));
        let members: Vec<_> = reply.split(' ').filter(|part| part.starts_with('m')).collect();
        let different: std::collections::BTreeSet<_> = members.iter().collect();
        assert_eq!((members.len(), different.len()), (count.min(300), count.min(300)));
    }
    let reply = client.ask("ZRANDMEMBER z -1000");
    assert!(reply.starts_with("*1000 "));
}

#[test]
fn a_copy_is_a_set_of_its_own() {
    let client = Client::new(Protocol::Resp2);
    client.fill("z", 500);
    assert_eq!(client.ask("COPY z y"), ":1 ");
    client.ask("ZREM z m7");
    assert_eq!(client.ask("ZRANK y m499"), ":499 ");
    assert_eq!(client.ask("ZRANK z m499"), ":498 ");
    assert_eq!(client.ask("ZRANGE y 6 8"), "*3 $2 m6 $2 m7 $2 m8 ");
}

#[test]
fn payloads_bring_back_what_was_dumped() {
    let client = Client::new(Protocol::Resp2);
    for members in [3, 200] {
        client.ask("DEL z y");
        client.fill("z", members);
        client.ask("ZADD z -inf low 0.1 part inf high");
        let mut out = Encoder::new(Protocol::Resp2);
        client.engine.call(&[b"DUMP", b"z"], &mut out);
        let reply = out.take();
        let start = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
        let payload = &reply[start..reply.len() - 2];
        let mut out = Encoder::new(Protocol::Resp2);
        client.engine.call(&[b"RESTORE", b"y", b"0", payload], &mut out);
        assert_eq!(&out.take()[..], b"+OK\r\n");
        let range = |key| client.ask(&format!("ZRANGE {key} 0 -1 WITHSCORES"));
        assert_eq!(range("z"), range("y"));
        assert_eq!(client.encoding("z"), client.encoding("y"));
    }
}
