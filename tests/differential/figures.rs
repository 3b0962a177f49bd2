//! What INFO, SLOWLOG and LATENCY tell, beside a redis-server 7.0: the names and the order of INFO's
//! fields, and replies whose numbers are the same for both.
#![cfg(unix)]
#![allow(dead_code, reason = "random streams use more of these modules")]

mod peer;
mod step;

use keyslot::resp::Reply;
use peer::{Keyslot, Peer, Redis};
use step::words;

/// Fields that redis-server 7.0 prints and keyslot does not, and why.
const ABSENT: &[(&str, &str)] = &[
    ("redis_build_id", "it names a build of Redis"),
    ("monotonic_clock", "the host's"),
    ("multiplexing_api", "the host's"),
    ("atomicvar_api", "it names a build of Redis"),
    ("gcc_version", "it names a build of Redis"),
    ("process_supervised", "the host's"),
    ("io_threads_active", "the host's"),
    ("executable", "the host tells it, or not"),
    ("used_memory_rss", "the host tells it, or not"),
    ("used_memory_rss_human", "the host tells it, or not"),
    ("total_system_memory", "the host tells it, or not"),
    ("total_system_memory_human", "the host tells it, or not"),
    ("mem_fragmentation_ratio", "the host tells it, or not"),
    ("mem_fragmentation_bytes", "the host tells it, or not"),
    ("used_cpu_sys", "the host tells it, or not"),
    ("used_cpu_user", "the host tells it, or not"),
    ("used_cpu_sys_children", "there are none"),
    ("used_cpu_user_children", "there are none"),
    ("used_cpu_sys_main_thread", "there is none"),
    ("used_cpu_user_main_thread", "there is none"),
    ("expired_stale_perc", "expiry is exact, nothing is estimated"),
    ("total_writes_processed", "the host writes"),
    ("reply_buffer_shrinks", "buffers are not resized by and by"),
    ("reply_buffer_expands", "buffers are not resized by and by"),
    ("dump_payload_sanitizations", "every payload is checked"),
];

/// The sections that are compared whole. The others differ with what hosts tell.
const SECTIONS: [&str; 5] = ["server", "persistence", "stats", "replication", "keyspace"];

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(text) | Reply::Status(text) | Reply::Error(text) => {
            String::from_utf8_lossy(text).into_owned()
        }
        Reply::Verbatim { text, .. } => String::from_utf8_lossy(text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

/// The names of fields and sections, in their order.
fn names(peer: &mut dyn Peer, section: &str) -> Vec<String> {
    let reply = peer.ask(&words(&["INFO", section])).expect("INFO is answered");
    let text = text(&reply);
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn fields_of_info_have_the_names_and_the_order_of_redis() {
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    for peer in [&mut ours as &mut dyn Peer, &mut theirs] {
        peer.restart(2);
        for command in [&["SET", "k", "v"][..], &["LPUSH", "k", "v"], &["NOSUCH"]] {
            peer.ask(&words(command)).expect("an answer");
        }
    }
    for section in SECTIONS {
        let (ours, theirs) = (names(&mut ours, section), names(&mut theirs, section));
        let wanted: Vec<_> =
            theirs.iter().filter(|name| !ABSENT.iter().any(|(one, _)| one == name)).collect();
        let shared: Vec<_> = ours.iter().filter(|name| theirs.contains(name)).collect();
        assert_eq!(shared, wanted, "section {section}");
    }
    for section in ["all", "everything", "default", "nosuch", "cpu", "modules errorstats"] {
        let sections: Vec<&str> = section.split(' ').collect();
        let request = words(&[&["INFO"][..], &sections].concat());
        let titles = |peer: &mut dyn Peer| {
            let reply = text(&peer.ask(&request).expect("INFO is answered"));
            let titles = reply.lines().filter(|line| line.starts_with('#'));
            titles.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(titles(&mut ours), titles(&mut theirs), "INFO {section}");
    }
}

/// What is told of commands, apart from how long they took.
fn counts(peer: &mut dyn Peer) -> Vec<String> {
    let mut lines = Vec::new();
    for section in ["commandstats", "errorstats"] {
        let reply = text(&peer.ask(&words(&["INFO", section])).expect("INFO is answered"));
        lines.extend(reply.lines().map(|line| {
            let parts = line.split(',').filter(|part| !part.starts_with("usec"));
            parts.collect::<Vec<_>>().join(",")
        }));
    }
    lines.sort_unstable();
    lines
}

#[test]
fn commands_and_errors_are_counted_as_in_redis() {
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    let counted = [&mut ours as &mut dyn Peer, &mut theirs].map(|peer| {
        peer.restart(2);
        for line in [
            "CONFIG RESETSTAT",
            "SET k v",
            "GET k",
            "GET",
            "LPUSH k v",
            "nosuch a",
            "CONFIG nosuch",
            "CONFIG GET hz hz",
            "MULTI",
            "SET k v",
            "INCR k",
            "WATCH k",
            "GET k",
            "EXEC",
            "MULTI",
            "nosuch",
            "SET k v",
            "EXEC",
            "EXEC",
            "EXEC x",
            "MULTI",
            "GET",
            "DISCARD",
            "SELECT 99",
            "OBJECT HELP",
            "OBJECT ENCODING nosuch",
            "CLIENT GETNAME",
            "BLPOP k 0",
            "EXPIRE k x",
            "SUBSCRIBE",
            "XADD k * a b",
            "DEBUG nosuch",
            "SLOWLOG GET x",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            peer.ask(&step::words(&words)).expect(line);
        }
        counts(peer)
    });
    assert_eq!(counted[0], counted[1]);
}

fn slow_log(peer: &mut dyn Peer, count: &str) -> Vec<(i64, Reply, Reply)> {
    let Ok(Reply::Array(entries)) = peer.ask(&words(&["SLOWLOG", "GET", count])) else {
        panic!("SLOWLOG GET is an array")
    };
    let part = |entry: &Reply| match entry {
        Reply::Array(parts) => {
            let [Reply::Integer(id), _, _, words, _, name] = &parts[..] else {
                panic!("an entry has six parts: {parts:?}")
            };
            (*id, words.clone(), name.clone())
        }
        other => panic!("an entry is an array: {other:?}"),
    };
    entries.iter().map(part).collect()
}

#[test]
fn the_slow_log_keeps_what_redis_keeps() {
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    let logs = [&mut ours as &mut dyn Peer, &mut theirs].map(|peer| {
        peer.restart(2);
        peer.ask(&words(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])).expect("it is set");
        let long = "x".repeat(200);
        let many = format!("DEL{}", " a".repeat(40));
        let mut told = Vec::new();
        for line in [
            "CONFIG SET requirepass a maxmemory 0",
            "CONFIG SET requirepass ",
            "AUTH a b",
            "AUTH a",
            "HELLO 2 AUTH nobody x SETNAME bob",
            &format!("SET {long} {long}"),
            &many,
            "GET",
            "nosuch",
            "MULTI",
            "SET k v",
            "LPUSH k v",
            "EXEC",
            "BLPOP k 0",
            "SLOWLOG LEN",
            "SLOWLOG GET x",
            "SLOWLOG GET -2",
            "SLOWLOG GET 1 2",
            "SLOWLOG nosuch",
            "LATENCY GRAPH nosuch",
            "LATENCY HISTORY nosuch",
            "LATENCY LATEST",
            "LATENCY RESET",
            "LATENCY DOCTOR",
            "LATENCY HELP",
            "SLOWLOG HELP",
            "LATENCY HISTOGRAM nosuch",
            "LATENCY GRAPH",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            told.push((line.to_owned(), peer.ask(&step::words(&words)).expect(line)));
        }
        let log = slow_log(peer, "-1");
        peer.ask(&words(&["SLOWLOG", "RESET"])).expect("it is reset");
        peer.ask(&words(&["CONFIG", "SET", "slowlog-max-len", "2"])).expect("it is set");
        peer.ask(&words(&["PING"])).expect("an answer");
        (told, log, slow_log(peer, "10"))
    });
    let [(ours, our_log, our_rest), (theirs, their_log, their_rest)] = logs;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    for (ours, theirs) in our_log.iter().zip(&their_log) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(our_log.len(), their_log.len());
    assert_eq!(our_rest, their_rest);
}
