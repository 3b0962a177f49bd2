//! MIGRATE over real connections: between keyslot-server and redis-server in both directions, and
//! between two keyslot-servers.

#![cfg(unix)]

mod servers;

use servers::{Client, Server};

/// A value of each type, small ones and large ones.
fn fill(client: &mut Client) {
    for request in ["SET string text", "SET number 12345678", "SET brief v PX 600000"] {
        client.say(request);
    }
    client.say(&format!("SET long {}", "x".repeat(3_000_000)));
    for number in 0..3_000 {
        let few = number % 3_000 < 20;
        for size in if few { &["small", "large"][..] } else { &["large"] } {
            client.say(&format!("RPUSH list:{size} item{number}"));
            client.say(&format!("HSET hash:{size} field{number} {number}"));
            client.say(&format!("SADD set:{size} member{number}"));
            client.say(&format!("SADD integers:{size} {number}"));
            client.say(&format!("ZADD zset:{size} {number}.5 member{number}"));
            client.say(&format!("XADD stream:{size} {}-1 f {number}", number + 1));
        }
    }
    client.say("XGROUP CREATE stream:small readers 0");
    client.say("XREADGROUP GROUP readers one COUNT 3 STREAMS stream:small >");
    client.say("PFADD counter a b c d");
}

fn digest(client: &mut Client) -> String {
    let mut all = String::new();
    let mut names: Vec<String> = client.say("KEYS *").lines().map(str::to_owned).collect();
    names.sort();
    for name in names {
        let what = match client.say(&format!("TYPE {name}")).as_str() {
            "string" => client.say(&format!("GET {name}")),
            "list" => client.say(&format!("LRANGE {name} 0 -1")),
            "hash" => sorted(&client.say(&format!("HGETALL {name}"))),
            "set" => sorted(&client.say(&format!("SMEMBERS {name}"))),
            "zset" => client.say(&format!("ZRANGE {name} 0 -1 WITHSCORES")),
            "stream" => {
                let entries = client.say(&format!("XRANGE {name} - +"));
                let pending = client.say(&format!("XINFO GROUPS {name}"));
                format!("{entries} {pending}")
            }
            other => panic!("{name} is of type {other}"),
        };
        let expires = client.say(&format!("TTL {name}")) != "-1";
        all.push_str(&format!("{name} {expires} {what}\n"));
    }
    all
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Moves everything there and checks that it is there and nothing is here.
fn move_all(source: &Server, target: &Server, option: &str) {
    let (mut from, mut to) = (source.connect(), target.connect());
    to.say("AUTH secret");
    to.say("SELECT 2");
    let before = digest(&mut from);
    let names = from.say("KEYS *").replace('\n', " ");
    let port = target.port;
    let answer = from.say(&format!("MIGRATE 127.0.0.1 {port}  2 5000 {option} KEYS {names}"));
    assert_eq!(answer, "OK");
    assert_eq!(from.say("DBSIZE"), "0");
    assert!(digest(&mut to) == before, "what arrived is what left");
    assert_eq!(from.say(&format!("MIGRATE 127.0.0.1 {port}  2 5000 KEYS {names}")), "NOKEY");
}

const SECRET: &[&str] = &["--requirepass", "secret"];

#[test]
fn keys_go_to_redis_and_to_keyslot() {
    let source = Server::keyslot(&[]);
    for target in [Server::redis(SECRET), Server::keyslot(SECRET)] {
        fill(&mut source.connect());
        move_all(&source, &target, "AUTH secret");
    }
}

#[test]
fn keys_come_from_redis() {
    let source = Server::redis(&[]);
    fill(&mut source.connect());
    move_all(&source, &Server::keyslot(SECRET), "AUTH2 default secret");
}

#[test]
fn errors_are_those_of_redis() {
    let target = Server::redis(&[]);
    let answers = [Server::redis(&[]), Server::keyslot(&[])].map(|source| {
        let mut client = source.connect();
        target.connect().say("FLUSHALL");
        target.connect().say("SET b old");
        client.say("MSET a 1 b 2 c 3");
        let port = target.port;
        let requests = [
            format!("MIGRATE 127.0.0.1 {port}  0 5000 KEYS a b c"),
            "MGET a b c".to_owned(),
            format!("MIGRATE 127.0.0.1 {port} b 0 5000 AUTH wrong"),
            format!("MIGRATE 127.0.0.1 {port} b 77 5000"),
            format!("MIGRATE 127.0.0.1 {port} b 0 5000 COPY REPLACE"),
            "GET b".to_owned(),
            "MIGRATE 127.0.0.1 1 b 0 5000".to_owned(),
            "MIGRATE 127.0.0.1 x b 0 5000".to_owned(),
            format!("MIGRATE 127.0.0.1 {port} b 0 5000 WHAT"),
            format!("MIGRATE 127.0.0.1 {port} b 0 5000 KEYS c"),
            format!("MIGRATE 127.0.0.1 {port}  0 5000"),
        ];
        requests.map(|request| client.say(&request)).join("\n")
    });
    assert_eq!(answers[0], answers[1]);
}
