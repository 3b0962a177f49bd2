//! Fields that expire, as a client of Redis 7.4 and 8 sees them, under a clock that is set.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::resp::{Encoder, Protocol};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

const NOW_MS: u64 = 1_000_000;

/// A session, one that listens to events, and the clock of their engine.
struct Client {
    engine: Engine,
    session: Session,
    listener: Session,
    clock: Arc<ManualClock>,
}

fn line_of(session: &mut Session) -> String {
    String::from_utf8_lossy(&session.take_output()).replace("\r\n", " ").trim_end().into()
}

impl Client {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let settings = [("notify-keyspace-events", "Eghx"), ("enable-debug-command", "yes")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options =
            EngineOptions { clock: Box::new(clock.clone()), settings, ..EngineOptions::default() };
        let engine = Engine::new(options);
        let mut listener = engine.session();
        listener.feed(b"PSUBSCRIBE __keyevent@0__:*\r\n");
        listener.take_output();
        Self { session: engine.session(), listener, engine, clock }
    }

    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        line_of(&mut self.session)
    }

    /// Sends each line and checks its reply, whose line breaks are written as blanks.
    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    /// What happened to keys since this was last asked.
    fn events(&mut self) -> String {
        self.listener.poll();
        let heard = line_of(&mut self.listener);
        let words: Vec<_> = heard.split(' ').filter(|word| !word.starts_with(['$', '*'])).collect();
        let names = words.chunks_exact(4).map(|words| words[2].replace("__keyevent@0__:", ""));
        names.collect::<Vec<_>>().join(" ")
    }

    fn words(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut out = Encoder::new(Protocol::Resp2);
        self.session.call(words, &mut out);
        out.into_inner()
    }

    fn dump(&mut self, key: &str) -> Vec<u8> {
        let reply = self.words(&[b"DUMP", key.as_bytes()]);
        let start = reply.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        reply[start..reply.len() - 2].to_vec()
    }
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

/// Two clients, one whose hashes are packed and one whose hashes are tables.
fn both_encodings() -> [Client; 2] {
    let mut tables = Client::new();
    tables.line("CONFIG SET hash-max-listpack-entries 0");
    [Client::new(), tables]
}

#[test]
fn times_are_set_told_and_removed() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2 c 3", ":3"),
            ("HEXPIRE h 100 FIELDS 2 a x", "*2 :1 :-2"),
            ("HPEXPIRE h 1500 FIELDS 1 b", "*1 :1"),
            ("HTTL h FIELDS 4 a b c x", "*4 :100 :2 :-1 :-2"),
            ("HPTTL h FIELDS 2 a b", "*2 :100000 :1500"),
            ("HEXPIRETIME h FIELDS 2 a b", "*2 :1100 :1002"),
            ("HPEXPIRETIME h FIELDS 2 a b", "*2 :1100000 :1001500"),
            ("HEXPIREAT h 2000 FIELDS 1 c", "*1 :1"),
            ("HPEXPIREAT h 2000001 FIELDS 1 b", "*1 :1"),
            ("HPEXPIRETIME h FIELDS 3 a b c", "*3 :1100000 :2000001 :2000000"),
            ("HPERSIST h FIELDS 3 a a x", "*3 :1 :-1 :-2"),
            ("HTTL h FIELDS 1 a", "*1 :-1"),
            ("HTTL none FIELDS 2 a b", "*2 :-2 :-2"),
            ("HEXPIRE none 10 FIELDS 2 a b", "*2 :-2 :-2"),
            ("HPERSIST none FIELDS 1 a", "*1 :-2"),
            ("EXISTS none", ":0"),
        ]);
        assert_eq!(client.events(), "hset hexpire hexpire hexpire hexpire hpersist");
    }
}

#[test]
fn conditions_compare_the_time_that_is_there() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2", ":2"),
            ("HEXPIRE h 100 XX FIELDS 1 a", "*1 :0"),
            ("HEXPIRE h 100 gt FIELDS 1 a", "*1 :0"),
            ("HEXPIRE h 100 NX FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 200 NX FIELDS 2 a b", "*2 :0 :1"),
            ("HEXPIRE h 100 GT FIELDS 1 a", "*1 :0"),
            ("HEXPIRE h 101 GT FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 101 LT FIELDS 1 a", "*1 :0"),
            ("HEXPIRE h 50 LT FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 60 xx FIELDS 1 a", "*1 :1"),
            ("HPERSIST h FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 70 LT FIELDS 1 a", "*1 :1"),
            ("HTTL h FIELDS 2 a b", "*2 :70 :200"),
        ]);
    }
}

#[test]
fn faulty_words_change_nothing() {
    let mut client = Client::new();
    let position = "-ERR Mandatory argument FIELDS is missing or not at the right position";
    let mismatch = "-ERR The `numfields` parameter must match the number of arguments";
    client.check(&[
        ("HSET h a 1", ":1"),
        ("SET s v", "+OK"),
        ("HEXPIRE s x FIELDS 1 a", WRONG_TYPE),
        ("HTTL s FOO 1 a", WRONG_TYPE),
        ("HPERSIST s FOO 1 a", WRONG_TYPE),
        ("HGETEX s FOO 1 a", WRONG_TYPE),
        ("HGETDEL s FOO 1 a", WRONG_TYPE),
        ("HSETEX s FIELDS 1 a 1", WRONG_TYPE),
        ("HEXPIRE h 10 FIELDS 1", "-ERR wrong number of arguments for 'hexpire' command"),
        ("HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
        ("HEXPIRE h 70368744178 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command"),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 a",
            "-ERR invalid expire time in 'hpexpireat' command",
        ),
        ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "*1 :1"),
        ("HEXPIRE h 10 NX XX FIELDS 1 a", position),
        ("HEXPIRE h 10 FOO 1 a", position),
        ("HEXPIRE h 10 FIELDS 2 a", mismatch),
        ("HEXPIRE h 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0"),
        ("HEXPIRE h 10 FIELDS x a", "-ERR Parameter `numFields` should be greater than 0"),
        ("HTTL h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
        ("HTTL h FIELDS 3 a", mismatch),
        ("HPERSIST h FOO 1 a", position),
        ("HPEXPIRETIME h FIELDS 1 a", "*1 :70368744177663"),
    ]);
}

#[test]
fn a_field_whose_time_is_over_is_nowhere_to_be_seen() {
    for mut client in both_encodings() {
        client.check(&[("HSET h a 1 b 2 c 3", ":3"), ("HPEXPIRE h 10 FIELDS 2 a b", "*2 :1 :1")]);
        client.clock.advance_ms(10);
        client.check(&[("HGET h a", "$1 1"), ("HLEN h", ":3")]);
        client.clock.advance_ms(1);
        assert_eq!(client.events(), "hset hexpire");
        client.check(&[
            ("HGET h a", "$-1"),
            ("HMGET h a c", "*2 $-1 $1 3"),
            ("HGETALL h", "*2 $1 c $1 3"),
            ("HKEYS h", "*1 $1 c"),
            ("HVALS h", "*1 $1 3"),
            ("HLEN h", ":1"),
            ("HEXISTS h b", ":0"),
            ("HSTRLEN h b", ":0"),
            ("HSCAN h 0", "*2 $1 0 *2 $1 c $1 3"),
            ("HRANDFIELD h 5", "*1 $1 c"),
            ("HRANDFIELD h -3", "*3 $1 c $1 c $1 c"),
            ("HTTL h FIELDS 1 a", "*1 :-2"),
            ("HDEL h a", ":0"),
            ("HSETNX h a 5", ":1"),
            ("HTTL h FIELDS 1 a", "*1 :-1"),
            ("HINCRBY h b 7", ":7"),
        ]);
        assert_eq!(client.events(), "hexpired hset hincrby");
    }
}

#[test]
fn a_hash_goes_with_its_last_field() {
    for mut client in both_encodings() {
        for command in ["EXISTS h", "maintain"] {
            client.check(&[
                ("HSET h a 1 b 2", ":2"),
                ("HPEXPIRE h 10 FIELDS 1 a", "*1 :1"),
                ("HPEXPIRE h 20 FIELDS 1 b", "*1 :1"),
            ]);
            client.clock.advance_ms(21);
            client.events();
            if command == "maintain" {
                client.engine.maintain(100);
            }
            assert_eq!(client.line("EXISTS h"), ":0");
            assert_eq!(client.events(), "hexpired del");
            client.check(&[("KEYS *", "*0"), ("DBSIZE", ":0"), ("HSET h a 1", ":1")]);
            client.check(&[("HTTL h FIELDS 1 a", "*1 :-1"), ("DEL h", ":1")]);
        }
    }
}

#[test]
fn keys_of_which_nothing_is_left_are_not_listed() {
    for mut client in both_encodings() {
        client.check(&[("HSET h a 1", ":1"), ("HPEXPIRE h 10 FIELDS 1 a", "*1 :1")]);
        client.check(&[("KEYS *", "*1 $1 h"), ("RANDOMKEY", "$1 h")]);
        client.clock.advance_ms(11);
        client.check(&[
            ("KEYS *", "*0"),
            ("SCAN 0", "*2 $1 0 *0"),
            ("RANDOMKEY", "$-1"),
            ("DBSIZE", ":0"),
        ]);
    }
}

#[test]
fn maintenance_deletes_due_fields_by_its_budget() {
    for mut client in both_encodings() {
        for number in 0..500 {
            client.line(&format!("HSET h f{number} v"));
            client.line(&format!("HPEXPIRE h {} FIELDS 1 f{number}", 1 + number % 50));
        }
        client.line("HSET h stays v");
        assert_eq!(client.engine.next_expiry_ms(), Some(NOW_MS + 1));
        assert!(client.line("INFO keyspace").contains("keys=1,expires=0,avg_ttl=0,subexpiry=1"));
        client.clock.advance_ms(26);
        client.events();
        assert!(client.engine.maintain(100));
        assert_eq!(client.events(), "hexpired");
        assert!(client.line("INFO stats").contains("expired_subkeys:100 "));
        while client.engine.maintain(100) {}
        assert!(client.line("INFO stats").contains("expired_subkeys:250 "));
        assert_eq!(client.line("HLEN h"), ":251");
        client.clock.advance_ms(100);
        while client.engine.maintain(100) {}
        assert_eq!(client.engine.next_expiry_ms(), None);
        client.check(&[("HLEN h", ":1"), ("HTTL h FIELDS 1 stays", "*1 :-1")]);
        assert!(client.line("INFO keyspace").contains("keys=1,expires=0,avg_ttl=0,subexpiry=0"));
    }
}

#[test]
fn a_time_that_is_over_deletes_at_once() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2 c 3", ":3"),
            ("HEXPIRE h 0 FIELDS 2 a x", "*2 :2 :-2"),
            ("HPEXPIREAT h 1000000 FIELDS 2 b b", "*2 :2 :-2"),
            ("HGETEX h PXAT 5 FIELDS 2 c c", "*2 $1 3 $-1"),
            ("EXISTS h", ":0"),
            ("HSETEX h PXAT 5 FIELDS 1 a 1", ":1"),
            ("EXISTS h", ":0"),
        ]);
        assert_eq!(client.events(), "hset hdel hdel hdel del hset hdel del");
    }
}

#[test]
fn setting_a_field_removes_its_time_and_counting_keeps_it() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSETEX h EX 100 FIELDS 3 a 1 b 2 c 3", ":1"),
            ("HSET h a 5", ":0"),
            ("HINCRBY h b 1", ":3"),
            ("HINCRBYFLOAT h c 0.5", "$3 3.5"),
            ("HTTL h FIELDS 3 a b c", "*3 :-1 :100 :100"),
            ("HSETEX h KEEPTTL FIELDS 2 a 6 b 7", ":1"),
            ("HTTL h FIELDS 2 a b", "*2 :-1 :100"),
            ("HSETEX h FIELDS 1 b 8", ":1"),
            ("HTTL h FIELDS 1 b", "*1 :-1"),
            ("HMGET h a b c", "*3 $1 6 $1 8 $3 3.5"),
        ]);
        assert_eq!(client.events(), "hset hexpire hset hincrby hincrbyfloat hset hset");
    }
}

#[test]
fn hsetex_sets_all_or_nothing() {
    let arity = "-ERR wrong number of arguments for 'hsetex' command";
    for mut client in both_encodings() {
        client.check(&[
            ("HSETEX h FXX FIELDS 1 a 1", ":0"),
            ("EXISTS h", ":0"),
            ("HSETEX h FNX PX 500 FIELDS 2 a 1 b 2", ":1"),
            ("HSETEX h FNX FIELDS 2 b 3 c 4", ":0"),
            ("HSETEX h NX FIELDS 1 b 9", ":0"),
            ("HSETEX none XX FIELDS 1 b 9", ":0"),
            ("HSETEX h XX NX FIELDS 1 b 9", "-ERR syntax error"),
            ("HSETEX n NX FIELDS 1 b 9", ":1"),
            ("HSETEX n XX FNX FIELDS 1 c 8", ":1"),
            ("HMGET n b c", "*2 $1 9 $1 8"),
            ("HSETEX h FXX FIELDS 2 b 3 c 4", ":0"),
            ("HSETEX h fxx exat 2000 FIELDS 2 a 3 b 4", ":1"),
            ("HPEXPIRETIME h FIELDS 3 a b c", "*3 :2000000 :2000000 :-2"),
            (
                "HSETEX h FXX FNX FIELDS 1 a 1",
                "-ERR Only one of FXX or FNX arguments can be specified",
            ),
            (
                "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
                "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            ),
            ("HSETEX h EX x FIELDS 1 a 1", "-ERR value is not an integer or out of range"),
            ("HSETEX h FNX FXY FIELDS 1 a 1", "-ERR unknown argument: FXY"),
            ("HSETEX h FNX FNY a b EX", "-ERR unknown argument: FNY"),
            (
                "HSETEX h KEEPTTL FNX FNX EX",
                "-ERR Only one of FXX or FNX arguments can be specified",
            ),
            ("HSETEX h FNX FIELDS 2 a 1", arity),
            ("HSETEX h FIELDS 1 a 1 b", arity),
            ("HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"),
            ("HSETEX h FNX KEEPTTL FIELDS 1", arity),
        ]);
    }
}

#[test]
fn hgetex_reads_and_sets_times() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2", ":2"),
            ("HGETEX h FIELDS 2 a x", "*2 $1 1 $-1"),
            ("HGETEX h EX 10 FIELDS 2 a x", "*2 $1 1 $-1"),
            ("HGETEX h pxat 1005000 FIELDS 1 b", "*1 $1 2"),
            ("HTTL h FIELDS 2 a b", "*2 :10 :5"),
            ("HGETEX h PERSIST FIELDS 2 a b", "*2 $1 1 $1 2"),
            ("HTTL h FIELDS 2 a b", "*2 :-1 :-1"),
            ("HGETEX none EX 10 FIELDS 2 a b", "*2 $-1 $-1"),
            (
                "HGETEX h EX 10 FOO 1 a",
                "-ERR Mandatory argument FIELDS is missing or not at the right position",
            ),
            ("HGETEX h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
            (
                "HGETEX h EX 10 FIELDS 2 a",
                "-ERR The `numfields` parameter must match the number of arguments",
            ),
        ]);
        assert_eq!(client.events(), "hset hexpire hexpire hpersist");
    }
}

#[test]
fn hgetdel_reads_and_deletes() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2 c 3", ":3"),
            ("HGETDEL h FIELDS 3 a x a", "*3 $1 1 $-1 $-1"),
            ("HGETDEL h FIELDS 1 x", "*1 $-1"),
            ("HGETDEL none FIELDS 1 x", "*1 $-1"),
            ("HGETDEL h FIELDS 2 b c", "*2 $1 2 $1 3"),
            ("EXISTS h", ":0"),
            (
                "HGETDEL h FIELDS 2 a",
                "-ERR The `numfields` parameter must match the number of arguments",
            ),
        ]);
        assert_eq!(client.events(), "hset hdel hdel del");
    }
}

#[test]
fn encodings_are_named_as_redis_names_them() {
    let mut client = Client::new();
    client.check(&[
        ("CONFIG SET hash-max-listpack-entries 2", "+OK"),
        ("HSET h a 1", ":1"),
        ("HGETEX h FIELDS 1 a", "*1 $1 1"),
        ("OBJECT ENCODING h", "$8 listpack"),
        ("HEXPIRE h 10 FIELDS 1 x", "*1 :-2"),
        ("OBJECT ENCODING h", "$10 listpackex"),
        ("HEXPIRE h 10 FIELDS 1 a", "*1 :1"),
        ("HPERSIST h FIELDS 1 a", "*1 :1"),
        ("OBJECT ENCODING h", "$10 listpackex"),
        ("HSETEX h EX 10 FIELDS 1 b 2", ":1"),
        ("HSET h c 3", ":1"),
        ("OBJECT ENCODING h", "$9 hashtable"),
        ("HTTL h FIELDS 3 a b c", "*3 :-1 :10 :-1"),
    ]);
}

#[test]
fn times_go_where_the_hash_goes() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1 b 2", ":2"),
            ("HPEXPIRE h 100 FIELDS 1 a", "*1 :1"),
            ("COPY h copy", ":1"),
            ("RENAME h moved", "+OK"),
            ("MOVE moved 1", ":1"),
            ("SELECT 1", "+OK"),
            ("HPTTL moved FIELDS 2 a b", "*2 :100 :-1"),
        ]);
        let payload = client.dump("moved");
        assert_eq!(payload[payload.len() - 10..payload.len() - 8], [12, 0]);
        client.words(&[b"RESTORE", b"again", b"0", &payload]);
        client.check(&[("HPTTL again FIELDS 2 a b", "*2 :100 :-1")]);
        assert_eq!(client.line("DEBUG DIGEST-VALUE moved").len(), "*1 +".len() + 40,);
        assert_eq!(
            client.line("DEBUG DIGEST-VALUE moved"),
            client.line("DEBUG DIGEST-VALUE again")
        );
        client.clock.advance_ms(101);
        while client.engine.maintain(100) {}
        client.check(&[("HGETALL moved", "*2 $1 b $1 2"), ("HGETALL again", "*2 $1 b $1 2")]);
        client.check(&[("SELECT 0", "+OK"), ("HGETALL copy", "*2 $1 b $1 2")]);
        let payload = client.dump("copy");
        assert_eq!(payload[payload.len() - 10..payload.len() - 8], [11, 0]);
    }
}

#[test]
fn a_key_with_times_of_its_own_and_of_its_fields_goes_at_the_earlier() {
    for mut client in both_encodings() {
        client.check(&[
            ("HSET h a 1", ":1"),
            ("HPEXPIRE h 100 FIELDS 1 a", "*1 :1"),
            ("PEXPIRE h 50", ":1"),
            ("HSET g a 1", ":1"),
            ("HPEXPIRE g 50 FIELDS 1 a", "*1 :1"),
            ("PEXPIRE g 100", ":1"),
        ]);
        client.events();
        client.clock.advance_ms(51);
        client.check(&[("EXISTS h", ":0"), ("EXISTS g", ":0")]);
        assert_eq!(client.events(), "expired hexpired del");
        client.check(&[("SET h v", "+OK"), ("FLUSHALL", "+OK")]);
        assert_eq!(client.line("DBSIZE"), ":0");
    }
}
