//! The connection and server commands through a session, reply by reply. The replies are those of
//! redis-server 7.0, and of 7.2 where it differs.

use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, HostFigures, Session};
use std::sync::Arc;

fn engine(settings: &[(&str, &str)]) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Engine::new(EngineOptions {
        settings: settings.iter().map(owned).collect(),
        clock: Box::new(Arc::new(ManualClock::new(1_700_000_000_123))),
        ..EngineOptions::default()
    })
}

fn say(session: &mut Session, request: &str) -> String {
    session.feed(format!("{request}\r\n").as_bytes());
    String::from_utf8(session.take_output()).expect("these replies are text")
}

fn check(session: &mut Session, cases: &[(&str, &str)]) {
    for (request, reply) in cases {
        assert_eq!(say(session, request), format!("{reply}\r\n"), "{request}");
    }
}

#[test]
fn hello_checks_everything_before_it_does_anything() {
    let mut session = engine(&[]).session();
    check(
        &mut session,
        &[
            ("HELLO 4", "-NOPROTO unsupported protocol version"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
            ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"),
            (
                "HELLO 3 AUTH foo x SETNAME bob",
                "-WRONGPASS invalid username-password pair or user is disabled.",
            ),
            (
                "HELLO 3 SETNAME \"a b\"",
                "-ERR Client names cannot contain spaces, newlines or special characters.",
            ),
            ("CLIENT GETNAME", "$-1"),
        ],
    );
    let reply = say(&mut session, "HELLO 3 AUTH default any SETNAME bob");
    let expected = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\
                    \r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n\
                    $6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    assert_eq!(reply, expected);
    check(&mut session, &[("CLIENT GETNAME", "$3\r\nbob"), ("RESET", "+RESET")]);
    assert!(say(&mut session, "HELLO").starts_with("*14\r\n"));
}

#[test]
fn a_session_speaks_of_itself() {
    check(
        &mut engine(&[]).session(),
        &[
            ("PING", "+PONG"),
            ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
            ("ECHO a", "$1\r\na"),
            (
                "AUTH x",
                "-ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
            ),
            ("AUTH default x", "+OK"),
            ("AUTH x y z", "-ERR syntax error"),
            ("SELECT x", "-ERR value is not an integer or out of range"),
            (
                "SELECT 99999999999",
                "-ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
            ("SELECT 16", "-ERR DB index is out of range"),
            ("SELECT -1", "-ERR DB index is out of range"),
            ("CLIENT ID", ":1"),
            ("CLIENT SETINFO lib-name a-b", "+OK"),
            ("CLIENT SETINFO nosuch x", "-ERR Unrecognized option 'nosuch'"),
            (
                "CLIENT SETINFO LIB-ver \"a b\"",
                "-ERR LIB-ver cannot contain spaces, newlines or special characters.",
            ),
            ("CLIENT NO-EVICT x", "-ERR syntax error"),
            ("CLIENT NO-TOUCH on", "+OK"),
            ("CLIENT REPLY x", "-ERR syntax error"),
            ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'"),
            ("CLIENT LIST TYPE pubsub", "$0\r\n"),
            ("CLIENT LIST ID x", "-ERR Invalid client ID"),
            ("CLIENT LIST ID", "-ERR syntax error"),
            ("CLIENT LIST ID 99", "$0\r\n"),
            ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."),
            ("QUIT a", "+OK"),
        ],
    );
}

#[test]
fn databases_are_emptied_and_swapped() {
    let mut session = engine(&[]).session();
    check(
        &mut session,
        &[
            ("MSET a 1 b 2", "+OK"),
            ("SELECT 1", "+OK"),
            ("SET c 3", "+OK"),
            ("SWAPDB 0 1", "+OK"),
            ("DBSIZE", ":2"),
            ("SWAPDB x 1", "-ERR invalid first DB index"),
            ("SWAPDB 0 x", "-ERR invalid second DB index"),
            ("SWAPDB 0 99", "-ERR DB index is out of range"),
            ("FLUSHDB ASYNC SYNC", "-ERR syntax error"),
            ("FLUSHDB foo", "-ERR syntax error"),
            ("DBSIZE", ":2"),
            ("FLUSHDB ASYNC", "+OK"),
            ("DBSIZE", ":0"),
            ("SELECT 0", "+OK"),
            ("GET c", "$1\r\n3"),
            ("FLUSHALL", "+OK"),
            ("DBSIZE", ":0"),
            ("TIME", "*2\r\n$10\r\n1700000000\r\n$6\r\n123000"),
        ],
    );
}

#[test]
fn a_flush_frees_at_once_unless_it_is_told_otherwise() {
    let engine = engine(&[]);
    let mut session = engine.session();
    let waits = |session: &mut Session| {
        let info = say(session, "INFO memory");
        !info.contains("lazyfree_pending_objects:0\r")
    };
    for (flush, later) in [("FLUSHALL", false), ("FLUSHALL ASYNC", true), ("FLUSHDB SYNC", false)] {
        check(&mut session, &[("SET k v", "+OK"), (flush, "+OK")]);
        assert_eq!(waits(&mut session), later, "{flush}");
        while engine.maintain(1_000) {}
    }
    check(&mut session, &[("CONFIG SET lazyfree-lazy-user-flush yes", "+OK")]);
    check(&mut session, &[("SET k v", "+OK"), ("FLUSHALL", "+OK")]);
    assert!(waits(&mut session));
}

#[test]
fn config_answers_names_as_they_were_asked() {
    check(
        &mut engine(&[]).session(),
        &[
            ("CONFIG GET MAXMEMORY maxmemory", "*2\r\n$9\r\nMAXMEMORY\r\n$1\r\n0"),
            (
                "CONFIG GET hash-max-*-value",
                "*4\r\n$23\r\nhash-max-listpack-value\r\n$2\r\n64\r\n$22\r\nhash-max-ziplist-value\
             \r\n$2\r\n64",
            ),
            ("CONFIG GET slaveof nosuch", "*2\r\n$7\r\nslaveof\r\n$0\r\n"),
            ("CONFIG GET rdb-key-*", "*0"),
            ("CONFIG GET rdb-key-save-delay", "*2\r\n$18\r\nrdb-key-save-delay\r\n$1\r\n0"),
            ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command"),
            ("CONFIG SET a b c", "-ERR syntax error"),
            (
                "CONFIG SET nosuch 1",
                "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
            ),
            (
                "CONFIG SET databases 5 nosuch 1",
                "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set \
             immutable config",
            ),
            ("CONFIG REWRITE", "-ERR The server is running without a config file"),
        ],
    );
}

#[test]
fn settings_of_an_engine_are_the_hosts_too() {
    let engine = engine(&[("databases", "4"), ("dbfilename", "x.rdb")]);
    assert_eq!(engine.config_get("databases").as_deref(), Some("4"));
    assert_eq!(engine.config_get("dbfilename").as_deref(), Some("x.rdb"));
    assert_eq!(engine.config_get("nosuch"), None);
    assert_eq!(engine.config_set("hash-max-ziplist-value", "1kb"), Ok(()));
    assert_eq!(engine.config_get("hash-max-listpack-value").as_deref(), Some("1024"));
    assert!(engine.config_set("databases", "5").is_err());
    check(&mut engine.session(), &[("SELECT 4", "-ERR DB index is out of range")]);
    let wrong = EngineOptions {
        settings: vec![("maxmemory".to_owned(), "much".to_owned())],
        ..EngineOptions::default()
    };
    let error = Engine::open(wrong).err().expect("a word is no memory value");
    assert!(error.to_string().ends_with("argument must be a memory value"), "{error}");
}

#[test]
fn info_prints_the_sections_that_are_asked_for() {
    let engine = engine(&[]);
    let mut session = engine.session();
    check(&mut session, &[("INFO foo", "$0\r\n"), ("SET k v EX 10", "+OK"), ("GET x", "$-1")]);
    assert!(say(&mut session, "INCR k").starts_with("-ERR "));
    let some = say(&mut session, "INFO KEYSPACE stats");
    assert!(some.contains("# Stats\r\n") && !some.contains("# Server"), "{some}");
    for line in ["keyspace_misses:1", "total_error_replies:1", "total_connections_received:1"] {
        assert!(some.contains(&format!("\n{line}\r\n")), "{line} in {some}");
    }
    assert!(
        some.ends_with(
            "\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=10000,subexpiry=0\r\n\r\n"
        )
    );
    for all in ["INFO", "INFO default", "INFO everything", "INFO all"] {
        let info = say(&mut session, all);
        assert!(info.contains("# Server\r\nredis_version:7.2.4\r\n"), "{info}");
        assert!(info.contains("\r\n# Modules\r\n"));
        assert!(info.contains("\r\nerrorstat_ERR:count=1\r\n"));
    }
    check(&mut session, &[("CONFIG RESETSTAT", "+OK")]);
    assert!(say(&mut session, "INFO stats").contains("total_error_replies:0\r\n"));
}

#[test]
fn info_prints_what_the_host_knows_once_it_tells() {
    let engine = engine(&[]);
    let mut session = engine.session();
    assert!(!say(&mut session, "INFO").contains("used_memory_rss"));
    engine.set_host_figures(HostFigures {
        resident_bytes: Some(3 << 20),
        cpu_user_seconds: Some(1.5),
        ..HostFigures::default()
    });
    let info = say(&mut session, "INFO");
    assert!(info.contains("\r\nused_memory_rss:3145728\r\nused_memory_rss_human:3.00M\r\n"));
    assert!(info.contains("\r\n# CPU\r\nused_cpu_user:1.500000\r\n"));
    assert!(info.contains("\r\nmem_fragmentation_ratio:"));
}

#[test]
fn memory_is_told_by_key_and_in_whole() {
    let mut session = engine(&[]).session();
    check(
        &mut session,
        &[
            ("SET k hello", "+OK"),
            ("MEMORY USAGE none", "$-1"),
            ("MEMORY USAGE k SAMPLES", "-ERR syntax error"),
            ("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range"),
            ("MEMORY USAGE k SAMPLES -1", "-ERR syntax error"),
            ("MEMORY PURGE", "+OK"),
        ],
    );
    // What a record takes is the layout's affair; here both commands have to count it alike.
    let usage = say(&mut session, "MEMORY USAGE k SAMPLES 5");
    assert!(say(&mut session, "MEMORY DOCTOR").contains("Hi Sam, this instance is empty"));
    let stats = say(&mut session, "MEMORY STATS");
    assert!(stats.contains("\r\nkeys.count\r\n:1\r\n"), "{stats}");
    assert!(stats.contains(&format!("\r\ndataset.bytes\r\n{usage}")), "{stats}");
    assert!(usage.starts_with(':') && usage.len() > ":0\r\n".len(), "{usage}");
}

#[test]
fn debug_asks_for_leave() {
    let refused = say(&mut engine(&[]).session(), "DEBUG DIGEST");
    assert!(refused.starts_with("-ERR DEBUG command not allowed. If the"), "{refused}");
    let engine = engine(&[("enable-debug-command", "local")]);
    let mut session = engine.session();
    let none = "0".repeat(40);
    check(
        &mut session,
        &[
            ("DEBUG DIGEST", &format!("+{none}")),
            ("DEBUG DIGEST-VALUE none", &format!("*1\r\n+{none}")),
            ("DEBUG POPULATE 3 pre 5", "+OK"),
            ("GET pre:1", "$5\r\nvalue"),
            ("DEBUG POPULATE -1", "-ERR value is out of range, must be positive"),
            ("DEBUG ERROR \"MINE text\"", "-MINE text"),
            ("DEBUG PROTOCOL double", "$5\r\n3.141"),
            ("DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command"),
            ("DEBUG STRINGMATCH-LEN a*c abc", ":1"),
            ("DEBUG OBJECT none", "-ERR no such key"),
            (
                "DEBUG OBJECT",
                "-ERR unknown subcommand or wrong number of arguments for 'OBJECT'. Try DEBUG HELP.",
            ),
        ],
    );
    session.set_peer("10.0.0.1:4000", "10.0.0.2:6379");
    assert!(say(&mut session, "DEBUG DIGEST").starts_with("-ERR DEBUG command not allowed"));
}

#[test]
fn active_expiry_can_be_turned_off() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let engine = Engine::new(EngineOptions {
        clock: Box::new(clock.clone()),
        settings: vec![("enable-debug-command".to_owned(), "yes".to_owned())],
        ..EngineOptions::default()
    });
    let mut session = engine.session();
    check(&mut session, &[("DEBUG SET-ACTIVE-EXPIRE 0", "+OK"), ("SET k v PX 10", "+OK")]);
    clock.advance_ms(1_000);
    engine.maintain(100);
    check(&mut session, &[("DBSIZE", ":1"), ("DEBUG SET-ACTIVE-EXPIRE 1", "+OK")]);
    engine.maintain(100);
    check(&mut session, &[("DBSIZE", ":0")]);
}

#[test]
fn a_reload_changes_nothing_that_can_be_seen() {
    let engine = engine(&[("enable-debug-command", "yes")]);
    let mut session = engine.session();
    let long = "v".repeat(100);
    for key in ["small", "large"] {
        let members = if key == "small" { 3 } else { 700 };
        say(&mut session, &format!("SET {key}:string {long} PX 1000000"));
        for number in 0..members {
            say(&mut session, &format!("RPUSH {key}:list {number} {long}"));
            say(&mut session, &format!("SADD {key}:set {number}"));
            say(&mut session, &format!("SADD {key}:texts m{number}"));
            say(&mut session, &format!("ZADD {key}:zset 0.{number} m{number}"));
            say(&mut session, &format!("HSET {key}:hash f{number} {number}"));
            say(&mut session, &format!("XADD {key}:stream 5-{} f {number}", number + 1));
        }
        say(&mut session, &format!("HPEXPIRE {key}:hash 1000000 FIELDS 1 f1"));
        say(&mut session, &format!("XGROUP CREATE {key}:stream g 0"));
        say(&mut session, &format!("XREADGROUP GROUP g c COUNT 2 STREAMS {key}:stream >"));
    }
    say(&mut session, "SELECT 3");
    say(&mut session, "SET elsewhere 12");
    say(&mut session, "SELECT 0");
    let seen = |session: &mut Session| {
        let mut seen = vec![say(session, "DEBUG DIGEST"), say(session, "DBSIZE")];
        for key in ["small", "large"] {
            for kind in ["string", "list", "set", "texts", "zset", "hash", "stream"] {
                for question in ["PEXPIRETIME", "OBJECT ENCODING", "OBJECT IDLETIME"] {
                    seen.push(say(session, &format!("{question} {key}:{kind}")));
                }
            }
            seen.push(say(session, &format!("HPEXPIRETIME {key}:hash FIELDS 2 f0 f1")));
            seen.push(say(session, &format!("XINFO STREAM {key}:stream FULL")));
        }
        seen
    };
    let before = seen(&mut session);
    for reload in ["DEBUG RELOAD", "DEBUG RELOAD MERGE NOFLUSH"] {
        assert_eq!(say(&mut session, reload), "+OK\r\n");
        assert_eq!(seen(&mut session), before);
    }
    check(
        &mut session,
        &[
            ("DEBUG RELOAD NOSAVE", "-ERR an embedded engine has no file to load"),
            (
                "DEBUG RELOAD x",
                "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ),
        ],
    );
}

#[test]
fn lolwut_draws_and_ends_with_the_version() {
    let mut session = engine(&[]).session();
    let error = say(&mut session, "LOLWUT VERSION x");
    assert_eq!(error, "-ERR value is not an integer or out of range\r\n");
    for request in ["LOLWUT", "LOLWUT VERSION 5 10 2", "LOLWUT x", "LOLWUT VERSION"] {
        let drawing = say(&mut session, request);
        assert!(drawing.ends_with("Redis ver. 7.2.4\n\r\n"), "{request}: {drawing}");
    }
}
