//! What an engine tells of itself: the sections of INFO, what commands cost, the slow log, the monitor
//! of latencies. The clock of these tests moves with every look at it, so that times are exact.

#![allow(clippy::unwrap_used, reason = "a test")]

use keyslot::time::{Clock, Now};
use keyslot::{BigKeySearch, Engine, EngineOptions, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A clock whose monotonic scale moves with every look at it, and whose wall clock stands still.
#[derive(Debug)]
struct Ticking {
    us: AtomicU64,
    step_us: AtomicU64,
}

impl Clock for Ticking {
    fn now(&self) -> Now {
        let mono_us = self.us.fetch_add(self.step_us.load(Relaxed), Relaxed);
        Now { unix_ms: self.unix_ms(), mono_us }
    }

    fn unix_ms(&self) -> u64 {
        1_700_000_000_123
    }
}

/// An engine with these settings, for which each round of commands takes so many microseconds.
fn engine(step_us: u64, settings: &[(&str, &str)]) -> (Engine, Arc<Ticking>) {
    let clock = Arc::new(Ticking { us: AtomicU64::new(0), step_us: AtomicU64::new(step_us) });
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let engine = Engine::new(EngineOptions {
        settings: settings.iter().map(owned).collect(),
        clock: Box::new(clock.clone()),
        ..EngineOptions::default()
    });
    (engine, clock)
}

fn say(session: &mut Session, requests: &str) -> String {
    session.feed(format!("{requests}\r\n").as_bytes());
    String::from_utf8(session.take_output()).expect("these replies are text")
}

fn info(session: &mut Session, sections: &str) -> Vec<String> {
    let reply = say(session, &format!("INFO {sections}"));
    reply.lines().skip(1).map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

fn titles(session: &mut Session, sections: &str) -> Vec<String> {
    let lines = info(session, sections);
    lines.iter().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect()
}

#[test]
fn info_prints_the_sections_that_are_asked_for() {
    let mut session = engine(1, &[]).0.session();
    let by_default = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    assert_eq!(titles(&mut session, ""), by_default);
    assert_eq!(titles(&mut session, "default"), by_default);
    let all = titles(&mut session, "ALL");
    assert_eq!(all.len(), by_default.len() + 2);
    assert_eq!(all[8..11], ["Commandstats", "Errorstats", "Latencystats"]);
    assert_eq!(titles(&mut session, "everything"), all);
    assert_eq!(titles(&mut session, "keyspace cpu nosuch"), ["CPU", "Keyspace"]);
    assert_eq!(titles(&mut session, "default commandstats").len(), by_default.len() + 1);
    assert!(info(&mut session, "nosuch").is_empty());
}

#[test]
fn commands_are_counted_with_what_became_of_them() {
    let mut session = engine(10, &[]).0.session();
    say(&mut session, "SET k v");
    say(&mut session, "SET k v");
    say(&mut session, "INCR k");
    say(&mut session, "GET");
    say(&mut session, "GET k");
    say(&mut session, "CLIENT GETNAME");
    say(&mut session, "nosuch");
    let expected = [
        "# Commandstats",
        "cmdstat_client|getname:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,failed_calls=0",
        "cmdstat_get:calls=1,usec=10,usec_per_call=10.00,rejected_calls=1,failed_calls=0",
        "cmdstat_incr:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,failed_calls=1",
        "cmdstat_set:calls=2,usec=20,usec_per_call=10.00,rejected_calls=0,failed_calls=0",
    ];
    let mut lines = info(&mut session, "commandstats");
    lines[1..].sort();
    assert_eq!(lines, expected);
    assert_eq!(info(&mut session, "errorstats"), ["# Errorstats", "errorstat_ERR:count=3"]);
    let latencies = info(&mut session, "latencystats");
    assert!(
        latencies.contains(
            &"latency_percentiles_usec_set:p50=10.047,p99=10.047,p99.9=10.047".to_owned()
        ),
        "{latencies:?}"
    );
    say(&mut session, "CONFIG SET latency-tracking-info-percentiles 100");
    let latencies = info(&mut session, "latencystats");
    assert!(latencies.contains(&"latency_percentiles_usec_get:p100=10.047".to_owned()));
    assert_eq!(say(&mut session, "CONFIG RESETSTAT"), "+OK\r\n");
    let only = "cmdstat_config|resetstat:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,\
                failed_calls=0";
    assert_eq!(info(&mut session, "commandstats"), ["# Commandstats", only]);
    assert_eq!(info(&mut session, "errorstats"), ["# Errorstats"]);
}

#[test]
fn neighbours_share_the_time_that_they_took_together() {
    let mut session = engine(100, &[]).0.session();
    say(&mut session, "SET a 1\r\nSET b 2\r\nGET a\r\nGET b");
    let lines = info(&mut session, "commandstats");
    assert!(
        lines.contains(
            &"cmdstat_get:calls=2,usec=50,usec_per_call=25.00,rejected_calls=0,\
                             failed_calls=0"
                .to_owned()
        ),
        "{lines:?}"
    );
    // One that may take long is timed by itself.
    say(&mut session, "CONFIG RESETSTAT");
    say(&mut session, "GET a\r\nLRANGE l 0 -1\r\nGET b");
    let lines = info(&mut session, "commandstats");
    assert!(
        lines.contains(
            &"cmdstat_lrange:calls=1,usec=100,usec_per_call=100.00,\
                             rejected_calls=0,failed_calls=0"
                .to_owned()
        ),
        "{lines:?}"
    );
    assert!(
        lines.contains(
            &"cmdstat_get:calls=2,usec=200,usec_per_call=100.00,rejected_calls=0,\
                             failed_calls=0"
                .to_owned()
        ),
        "{lines:?}"
    );
}

#[test]
fn calls_without_a_session_count_too() {
    let (engine, _) = engine(10, &[]);
    for _ in 0..130 {
        engine.set(b"k", b"v").unwrap();
    }
    engine.execute(&[b"LPUSH", b"k", b"v"]).unwrap_err();
    let lines = info(&mut engine.session(), "commandstats");
    assert_eq!(
        lines,
        [
            "# Commandstats",
            "cmdstat_lpush:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,failed_calls=1",
            "cmdstat_set:calls=130,usec=1300,usec_per_call=10.00,rejected_calls=0,failed_calls=0",
        ]
    );
}

#[test]
fn latencies_can_be_left_uncounted() {
    let mut session = engine(10, &[("latency-tracking", "no")]).0.session();
    say(&mut session, "GET k");
    assert_eq!(info(&mut session, "latencystats"), ["# Latencystats"]);
    assert_eq!(say(&mut session, "LATENCY HISTOGRAM"), "*0\r\n");
    assert_eq!(info(&mut session, "commandstats").len(), 4);
}

#[test]
fn histograms_are_told_by_command_and_by_container() {
    let mut session = engine(40, &[]).0.session();
    say(&mut session, "GET k");
    say(&mut session, "GET k");
    say(&mut session, "CONFIG GET hz");
    say(&mut session, "HELLO 3");
    let get =
        "$3\r\nget\r\n%2\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n%1\r\n:66\r\n:2\r\n";
    assert_eq!(say(&mut session, "LATENCY HISTOGRAM GET nosuch set"), format!("%1\r\n{get}"));
    let config = "$10\r\nconfig|get\r\n%2\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n%1\r\n\
                  :66\r\n:1\r\n";
    assert_eq!(say(&mut session, "LATENCY HISTOGRAM config"), format!("%1\r\n{config}"));
    assert!(say(&mut session, "LATENCY HISTOGRAM").starts_with("%4\r\n"));
}

#[test]
fn slow_calls_are_kept_with_who_gave_them_and_without_secrets() {
    let (engine, clock) = engine(5, &[("slowlog-log-slower-than", "1000")]);
    let mut session = engine.session();
    session.set_peer("10.0.0.7:4242", "10.0.0.1:6379");
    say(&mut session, "CLIENT SETNAME bob");
    assert_eq!(say(&mut session, "SLOWLOG LEN"), ":0\r\n");
    clock.step_us.store(1500, Relaxed);
    say(&mut session, "AUTH default secret");
    say(&mut session, "SET k v");
    clock.step_us.store(5, Relaxed);
    let entry = |id: u32, words: &str| {
        format!(
            "*6\r\n:{id}\r\n:1700000000\r\n:1500\r\n{words}$13\r\n10.0.0.7:4242\r\n$3\r\nbob\r\n"
        )
    };
    let set = entry(1, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
    let auth = entry(0, "*3\r\n$4\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n(redacted)\r\n");
    assert_eq!(say(&mut session, "SLOWLOG GET"), format!("*2\r\n{set}{auth}"));
    assert_eq!(say(&mut session, "SLOWLOG GET 1"), format!("*1\r\n{set}"));
    assert_eq!(say(&mut session, "SLOWLOG GET -1"), format!("*2\r\n{set}{auth}"));
    let refused = "-ERR count should be greater than or equal to -1\r\n";
    assert_eq!(say(&mut session, "SLOWLOG GET -2"), refused);
    assert_eq!(say(&mut session, "SLOWLOG GET x"), refused);
    let calls = engine.slow_calls(10);
    assert_eq!((calls[0].words[0].as_slice(), calls[0].us, calls.len()), (&b"SET"[..], 1500, 2));
    assert_eq!(say(&mut session, "SLOWLOG RESET"), "+OK\r\n");
    assert_eq!(say(&mut session, "SLOWLOG LEN"), ":0\r\n");
    // Numbers go on.
    say(&mut session, "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2");
    say(&mut session, "PING\r\nPING\r\nPING");
    assert_eq!(say(&mut session, "SLOWLOG LEN"), ":2\r\n");
    assert!(engine.slow_calls(1)[0].id >= 5);
    say(&mut session, "CONFIG SET slowlog-log-slower-than -1");
    say(&mut session, "SLOWLOG RESET");
    say(&mut session, "PING");
    assert_eq!(say(&mut session, "SLOWLOG LEN"), ":0\r\n");
}

#[test]
fn of_a_slow_batch_the_command_with_the_most_bytes_is_to_blame() {
    let (engine, clock) = engine(1, &[("slowlog-log-slower-than", "1000")]);
    let mut session = engine.session();
    let big = "x".repeat(20_000);
    clock.step_us.store(2000, Relaxed);
    say(&mut session, &format!("SET a 1\r\nSET big {big}\r\nSET b 1"));
    let calls = engine.slow_calls(10);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].words[1], b"big");
    assert!(calls[0].words[2].ends_with(b"... (19872 more bytes)"));
    say(&mut session, "GET a\r\nGET big\r\nGET b");
    assert_eq!(engine.slow_calls(10)[0].words, [b"GET".to_vec(), b"big".to_vec()]);
}

#[test]
fn of_a_transaction_each_command_is_logged_and_exec_is_not() {
    let (engine, _) = engine(10, &[("slowlog-log-slower-than", "0")]);
    let mut session = engine.session();
    say(&mut session, "MULTI\r\nSET k v\r\nKEYS *\r\nEXEC");
    let words: Vec<_> = engine
        .slow_calls(10)
        .iter()
        .map(|call| String::from_utf8_lossy(&call.words[0]).into_owned())
        .collect();
    assert_eq!(words, ["KEYS", "SET", "MULTI"]);
    let lines = info(&mut session, "commandstats");
    for name in ["multi", "set", "keys", "exec"] {
        let start = format!("cmdstat_{name}:calls=1,");
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{name} in {lines:?}");
    }
}

#[test]
fn who_waited_is_counted_once_and_timed_when_served() {
    let (engine, _) = engine(10, &[("slowlog-log-slower-than", "0")]);
    let (mut waiting, mut other) = (engine.session(), engine.session());
    assert_eq!(say(&mut waiting, "BLPOP l 0"), "");
    assert!(engine.slow_calls(10).is_empty());
    say(&mut other, "LPUSH l a");
    waiting.poll();
    assert_eq!(waiting.take_output(), b"*2\r\n$1\r\nl\r\n$1\r\na\r\n");
    let logged = engine.slow_calls(10);
    assert!(logged.iter().any(|call| call.words[0] == b"BLPOP"));
    let lines = info(&mut other, "commandstats");
    assert!(
        lines.iter().any(|line| line.starts_with("cmdstat_blpop:calls=1,usec=10,")),
        "{lines:?}"
    );
}

#[test]
fn the_monitor_notes_what_takes_long() {
    let (engine, clock) = engine(1, &[("latency-monitor-threshold", "3")]);
    let mut session = engine.session();
    assert_eq!(say(&mut session, "LATENCY LATEST"), "*0\r\n");
    clock.step_us.store(4000, Relaxed);
    say(&mut session, "GET k");
    say(&mut session, "KEYS *");
    engine.maintain(10);
    clock.step_us.store(5000, Relaxed);
    say(&mut session, "GET k");
    clock.step_us.store(1, Relaxed);
    let event = |kind: &str, last: u32| {
        let len = kind.len();
        format!("*4\r\n${len}\r\n{kind}\r\n:1700000000\r\n:{last}\r\n:{last}\r\n")
    };
    let [command, expiry, fast] =
        [event("command", 4), event("expire-cycle", 4), event("fast-command", 5)];
    assert_eq!(say(&mut session, "LATENCY LATEST"), format!("*3\r\n{command}{expiry}{fast}"));
    let history = "*1\r\n*2\r\n:1700000000\r\n:5\r\n";
    assert_eq!(say(&mut session, "LATENCY HISTORY fast-command"), history);
    assert_eq!(say(&mut session, "LATENCY HISTORY nosuch"), "*0\r\n");
    let refused = "-ERR No samples available for event 'nosuch'\r\n";
    assert_eq!(say(&mut session, "LATENCY GRAPH nosuch"), refused);
    assert!(say(&mut session, "LATENCY GRAPH command").contains("command - high 4 ms, low 4 ms"));
    assert!(say(&mut session, "LATENCY DOCTOR").contains("3. fast-command: 1 latency spikes"));
    assert_eq!(engine.latency_events().len(), 3);
    assert_eq!(say(&mut session, "LATENCY RESET command nosuch command"), ":1\r\n");
    assert_eq!(say(&mut session, "LATENCY RESET"), ":2\r\n");
    assert_eq!(say(&mut session, "LATENCY LATEST"), "*0\r\n");
}

#[test]
fn figures_are_those_of_info() {
    let (engine, _) = engine(10, &[("maxmemory", "1gb")]);
    let mut session = engine.session();
    say(
        &mut session,
        "SET k v EX 10\r\nGET k\r\nGET none\r\nLPUSH k v\r\nHGET\r\nSELECT 3\r\nSET q v",
    );
    let figures = engine.figures();
    assert_eq!((figures.sessions, figures.sessions_opened, figures.sessions_max), (1, 1, 10_000));
    assert_eq!((figures.keyspace_hits, figures.keyspace_misses), (1, 1));
    assert_eq!(figures.hit_rate(), Some(0.5));
    assert_eq!(
        (figures.error_replies, &figures.errors[..]),
        (2, &[("ERR".to_owned(), 1), ("WRONGTYPE".to_owned(), 1)][..])
    );
    assert_eq!(figures.memory_max_bytes, 1 << 30);
    assert!(figures.memory_bytes >= figures.memory_dataset_bytes);
    assert!(figures.memory_dataset_bytes > 0);
    let databases: Vec<_> =
        figures.databases.iter().map(|it| (it.database, it.keys, it.expiring_keys)).collect();
    assert_eq!(databases, [(0, 1, 1), (3, 1, 0)]);
    let get = figures.commands.iter().find(|command| command.name == "get").unwrap();
    assert_eq!((get.calls, get.rejected, get.failed), (2, 0, 0));
    let hget = figures.commands.iter().find(|command| command.name == "hget").unwrap();
    assert_eq!((hget.calls, hget.rejected), (0, 1));
    let info = info(&mut session, "stats");
    let total = format!("total_commands_processed:{}", figures.commands_processed);
    assert!(info.contains(&total), "{total} in {info:?}");
}

/// A sample of OpenMetrics: its name, its labels as they stand, its value.
fn parse_sample(line: &str) -> (&str, &str, f64) {
    let (rest, value) = line.rsplit_once(' ').expect("a sample has a value");
    let (name, labels) = rest.split_once('{').map_or((rest, ""), |(name, rest)| {
        (name, rest.strip_suffix('}').expect("labels end with a brace"))
    });
    (name, labels, value.parse().expect("a value is a number"))
}

/// Reads a text by the rules of OpenMetrics 1.0: every family begins with its type, once, and holds
/// only samples with the suffixes of that type; the text ends with its end.
fn parse(text: &str) -> Vec<(&str, &str, f64)> {
    let body = text.strip_suffix("# EOF\n").expect("the text ends with its end");
    let (mut samples, mut families) = (Vec::new(), Vec::new());
    let (mut family, mut kind) = ("", "");
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
            assert!(!families.contains(&family), "{family} comes twice");
            families.push(family);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of_type) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            kind = of_type;
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family && name.ends_with(unit), "{line}");
        } else {
            let (name, labels, value) = parse_sample(line);
            let suffix = name.strip_prefix(family).expect("a sample belongs to its family");
            let suffixes: &[&str] = match kind {
                "counter" => &["_total"],
                "gauge" => &[""],
                "summary" => &["", "_count", "_sum"],
                other => panic!("a type {other}"),
            };
            assert!(suffixes.contains(&suffix), "{line}");
            samples.push((name, labels, value));
        }
    }
    samples
}

#[test]
fn figures_are_printed_for_monitoring_systems() {
    let (engine, _) = engine(10, &[]);
    let mut session = engine.session();
    say(&mut session, "SET k v EX 10\r\nGET k\r\nGET none");
    say(&mut session, "LPUSH k v");
    let mut text = String::new();
    engine.open_metrics(&mut text);
    let samples = parse(&text);
    for expected in [
        ("keyslot_connected_clients", "", 1.0),
        ("keyslot_keyspace_hits_total", "", 1.0),
        ("keyslot_database_expiring_keys", "db=\"0\"", 1.0),
        ("keyslot_command_calls_total", "command=\"get\"", 2.0),
        ("keyslot_command_failed_calls_total", "command=\"lpush\"", 1.0),
        ("keyslot_command_duration_seconds_count", "command=\"set\"", 1.0),
        ("keyslot_command_duration_seconds", "command=\"lpush\",quantile=\"0.5\"", 0.000_010_047),
        ("keyslot_errors_total", "prefix=\"WRONGTYPE\"", 1.0),
    ] {
        assert!(samples.contains(&expected), "{expected:?} in {text}");
    }
}

#[test]
fn big_keys_are_found_in_bounded_steps() {
    let (engine, _) = engine(1, &[]);
    let mut session = engine.session();
    let large = "x".repeat(10_240);
    say(&mut session, &format!("SET {{a}}large {large}"));
    for number in 0..500 {
        say(&mut session, &format!("SET small:{number} v"));
    }
    say(&mut session, &format!("SADD set {}", "a b c d e f g h"));
    let mut search = BigKeySearch::default().of_elements(8);
    let (mut found, mut steps) = (Vec::new(), 0);
    while !search.is_done() {
        found.extend(engine.big_keys(&mut search, 20));
        steps += 1;
    }
    assert!(steps >= 10, "{steps}");
    found.sort_by(|one, other| one.key.cmp(&other.key));
    let told: Vec<_> =
        found.iter().map(|it| (it.key.as_slice(), it.type_name, it.elements)).collect();
    assert_eq!(told, [(&b"set"[..], "set", 8), (b"{a}large", "string", 1)]);
    assert!(found[1].bytes >= 10_240 && found[0].bytes < 1_000);
    // In one slot, and by the command.
    let slot = found[1].slot;
    let mut search = BigKeySearch::default().in_slot(slot);
    assert_eq!(engine.big_keys(&mut search, 100), [found[1].clone()]);
    assert!(search.is_done() && engine.big_keys(&mut search, 100).is_empty());
    let mut nowhere = BigKeySearch::default().in_database(99);
    let mut small = BigKeySearch::default().of_bytes(1);
    assert_eq!(engine.big_keys(&mut small, 1_000).len(), 502);
    assert!(engine.big_keys(&mut nowhere, 1).is_empty() && nowhere.is_done());
    let bytes = found[1].bytes;
    let entry = format!("*5\r\n$8\r\n{{a}}large\r\n$6\r\nstring\r\n:1\r\n:{bytes}\r\n:{slot}\r\n");
    assert_eq!(
        say(&mut session, &format!("MEMORY BIGKEYS 0 COUNT 100 SLOT {slot}")),
        format!("*2\r\n$1\r\n0\r\n*1\r\n{entry}")
    );
    say(&mut session, "CONFIG SET big-key-bytes 1mb");
    assert_eq!(say(&mut session, "MEMORY BIGKEYS 0 COUNT 1000"), "*2\r\n$1\r\n0\r\n*0\r\n");
    for (request, refused) in [
        ("MEMORY BIGKEYS x", "-ERR invalid cursor\r\n"),
        ("MEMORY BIGKEYS 0 COUNT x", "-ERR value is not an integer or out of range\r\n"),
        ("MEMORY BIGKEYS 0 SLOT 16384", "-ERR Invalid or out of range slot\r\n"),
        ("MEMORY BIGKEYS 0 COUNT", "-ERR syntax error\r\n"),
        ("MEMORY BIGKEYS 0 FOO 1", "-ERR syntax error\r\n"),
    ] {
        assert_eq!(say(&mut session, request), refused, "{request}");
    }
}

#[test]
fn hot_keys_are_found_while_somebody_asks() {
    let (engine, _) = engine(1, &[]);
    let mut session = engine.session();
    assert!(say(&mut session, "MEMORY HOTKEYS").starts_with("-ERR hot keys are not counted"));
    say(&mut session, "GET before");
    say(&mut session, "CONFIG SET hot-key-sampling 1");
    for number in 0..20 {
        say(&mut session, &format!("GET cold:{number}\r\nGET hot\r\nMGET hot warm"));
        engine.get(b"hot").unwrap();
    }
    let top = engine.hot_keys(2);
    let told: Vec<_> = top.iter().map(|it| (it.key.as_slice(), it.accesses)).collect();
    assert_eq!(told, [(&b"hot"[..], 60), (b"warm", 20)]);
    let slot = top[0].slot;
    assert_eq!(
        say(&mut session, "MEMORY HOTKEYS COUNT 1"),
        format!("*1\r\n*5\r\n$3\r\nhot\r\n:0\r\n:{slot}\r\n:60\r\n:60\r\n")
    );
    assert_eq!(
        say(&mut session, "MEMORY HOTKEYS COUNT x"),
        "-ERR value is not an integer or out of range\r\n"
    );
    assert_eq!(say(&mut session, "MEMORY HOTKEYS FOO"), "-ERR syntax error\r\n");
    assert_eq!(say(&mut session, "MEMORY HOTKEYS RESET"), "+OK\r\n");
    assert_eq!(say(&mut session, "MEMORY HOTKEYS"), "*0\r\n");
}
