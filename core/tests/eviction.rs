//! The limit on memory: what goes, what stays, what is refused, and what is told of it.

use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::collections::BTreeSet;
use std::sync::Arc;

fn say(session: &mut Session, input: &str) -> String {
    session.feed(input.as_bytes());
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

fn engine(policy: &str, shards: usize) -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let settings = vec![("maxmemory-policy".to_owned(), policy.to_owned())];
    let clock_too = Box::new(clock.clone());
    let options = EngineOptions { clock: clock_too, settings, shards, ..EngineOptions::default() };
    (Engine::new(options), clock)
}

/// Leaves room for so many bytes more than are used now.
fn limit(engine: &Engine, bytes: usize) -> usize {
    engine.maintain(1);
    let limit = info(&mut engine.session(), "used_memory") + bytes;
    engine.config_set("maxmemory", &limit.to_string()).expect("a number of bytes");
    limit
}

fn info(session: &mut Session, name: &str) -> usize {
    let text = say(session, "INFO everything\r\n");
    let start = text.find(&format!(" {name}:")).expect("INFO has the line") + name.len() + 2;
    let digits = text[start..].split(' ').next().expect("a line has an end");
    digits.parse().expect("a number")
}

fn set(session: &mut Session, key: &str, len: usize) -> String {
    say(session, &format!("SET {key} {}\r\n", "v".repeat(len)))
}

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'. ";

#[test]
fn without_eviction_what_needs_memory_is_refused_and_changes_nothing() {
    let (engine, _) = engine("noeviction", 1024);
    let mut session = engine.session();
    set(&mut session, "first", 10);
    limit(&engine, 60_000);
    let refused = (0..500).position(|number| set(&mut session, &number.to_string(), 100) == OOM);
    let stored = refused.expect("the limit is reached");
    assert!((50..400).contains(&stored), "{stored}");
    assert_eq!(say(&mut session, "DBSIZE\r\n"), format!(":{} ", stored + 1));
    for input in ["APPEND first x", "LPUSH list a", "COPY first second", "RESTORE k 0 x"] {
        assert_eq!(say(&mut session, &format!("{input}\r\n")), OOM, "{input}");
    }
    assert_eq!(
        say(&mut session, "GET first\r\nEXISTS list\r\nTYPE 1\r\n"),
        "$10 vvvvvvvvvv :0 +string "
    );
    // What needs none goes on.
    assert_eq!(say(&mut session, "EXPIRE first 100\r\nRENAME first last\r\n"), ":1 +OK ");
    assert_eq!(say(&mut session, "DEL 1 2 3 4 5 6 7 8 9 10\r\n"), ":10 ");
    assert_eq!(set(&mut session, "again", 100), "+OK ");
    assert_eq!(info(&mut session, "evicted_keys"), 0);
    assert_eq!(say(&mut session, "FLUSHALL SYNC\r\n"), "+OK ");
    assert!(engine.set(b"typed", &[b'v'; 70_000]).is_ok());
    let refused = engine.set(b"typed too", b"v").expect_err("the limit is reached");
    assert_eq!(format!("-{refused} "), OOM);
}

#[test]
fn a_pipeline_is_refused_from_the_very_command_that_finds_no_room() {
    let (engine, _) = engine("noeviction", 1024);
    let mut session = engine.session();
    limit(&engine, 3_000);
    let sets: String = (0..12).map(|n| format!("SET {n} {}\r\n", "v".repeat(1_000))).collect();
    let said = say(&mut session, &(sets + "GET 11\r\nDEL 0 1 2\r\nSET 11 v\r\n"));
    let accepted = said.matches("+OK").count() - 1;
    assert!((2..=4).contains(&accepted), "{said}");
    let expected = "+OK ".repeat(accepted) + &OOM.repeat(12 - accepted);
    assert_eq!(said, expected + "$-1 :" + &accepted.min(3).to_string() + " +OK ");
}

#[test]
fn a_transaction_is_refused_when_it_queues_and_when_it_begins() {
    let (engine, _) = engine("noeviction", 16);
    let [mut session, mut other] = [engine.session(), engine.session()];
    let aborted = "-EXECABORT Transaction discarded because of previous errors. ";
    limit(&engine, 10_000);
    assert_eq!(say(&mut session, "MULTI\r\nSET a 1\r\nGET a\r\n"), "+OK +QUEUED +QUEUED ");
    assert_eq!(say(&mut other, "MULTI\r\nGET a\r\n"), "+OK +QUEUED ");
    let mut filler = engine.session();
    while set(&mut filler, "x", 5_000) != OOM && set(&mut filler, "y", 30_000) != OOM {}
    let starved = format!("-EXECABORT Transaction discarded because of: {}", &OOM[1..]);
    assert_eq!(
        say(&mut session, "EXEC\r\nEXISTS a\r\nEXEC\r\n"),
        starved + ":0 -ERR EXEC without MULTI "
    );
    // One that needs no memory is carried out.
    assert_eq!(say(&mut other, "EXEC\r\n"), "*1 $-1 ");
    // Whatever is queued takes memory.
    let said = say(&mut other, "MULTI\r\nGET a\r\nEXEC\r\n");
    assert_eq!(said, format!("+OK {OOM}{aborted}"));
}

#[cfg(feature = "scripts")]
#[test]
fn a_script_is_refused_where_it_begins_to_write() {
    let (engine, _) = engine("noeviction", 16);
    let mut session = engine.session();
    say(&mut session, "SET k v\r\n");
    engine.config_set("maxmemory", "1").unwrap();
    let said = say(&mut session, "EVAL \"return redis.call('get','k')\" 1 k\r\n");
    assert_eq!(said, "$1 v ");
    let said = say(&mut session, "EVAL \"return redis.call('set','k','w')\" 1 k\r\n");
    assert!(said.starts_with(OOM.trim_end()), "{said}");
    // After a first change it may come to its end.
    let input = "EVAL \"redis.call('del','k') return redis.call('set','k','w')\" 1 k\r\n";
    assert_eq!(say(&mut session, input), "+OK ");
    let flagged =
        |flags: &str| format!("EVAL \"#!lua{flags}\\nreturn redis.call('set','k','x')\" 1 k\r\n");
    let refused = "-OOM allow-oom flag is not set on the script, can not run it when used memory > \
                   'maxmemory' ";
    assert_eq!(say(&mut session, &flagged("")), refused);
    assert_eq!(say(&mut session, &flagged(" flags=allow-oom")), "+OK ");
}

#[test]
fn memory_stays_below_the_limit_whatever_the_policy() {
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        for shards in [1, 16, 1024] {
            let (engine, clock) = engine(policy, shards);
            let mut session = engine.session();
            say(&mut session, "SET stays v\r\nGET stays\r\n");
            let limit = limit(&engine, 1_500_000);
            for number in 0..6_000 {
                clock.advance_ms(7);
                let input = format!("SET {number} {} EX {}\r\n", "v".repeat(200), 1_000 + number);
                assert_eq!(say(&mut session, &input), "+OK ", "{policy}, {shards} shards");
            }
            assert_eq!(set(&mut session, "last", 10), "+OK ");
            let used = info(&mut session, "used_memory");
            assert!(used <= limit + 2_000, "{policy}: {used} of {limit}");
            assert!(used > limit - 60_000, "{policy}: {used} of {limit}");
            let evicted = info(&mut session, "evicted_keys");
            let left: usize = say(&mut session, "DBSIZE\r\n")[1..].trim().parse().unwrap();
            assert_eq!(evicted + left, 6_002, "{policy}");
            if policy.starts_with("volatile") {
                assert_eq!(say(&mut session, "EXISTS stays last\r\n"), ":2 ", "{policy}");
            }
        }
    }
}

#[test]
fn only_keys_that_expire_go_where_the_policy_says_so() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (engine, _) = engine(policy, 1024);
        let mut session = engine.session();
        limit(&engine, 20_000);
        say(&mut session, "HSET hash f v\r\nHPEXPIRE hash 100000 FIELDS 1 f\r\n");
        say(&mut session, &format!("SET goes {} EX 100\r\n", "v".repeat(3_000)));
        let replies: Vec<String> =
            (0..300).map(|n| set(&mut session, &format!("k{n}"), 100)).collect();
        let stored = replies.iter().take_while(|reply| **reply == "+OK ").count();
        assert!((20..200).contains(&stored), "{policy}: {stored}");
        assert!(replies[stored..].iter().all(|reply| reply == OOM), "{policy}");
        // A key of which a field expires does not expire itself.
        assert_eq!(say(&mut session, "EXISTS goes hash\r\n"), ":1 ", "{policy}");
        assert_eq!(info(&mut session, "evicted_keys"), 1, "{policy}");
    }
}

/// How many of `hot` keys are left, of as many cold ones, once about half of all had to go.
fn left_after_pressure(policy: &str, use_hot: impl Fn(&mut Session, &ManualClock)) -> [usize; 2] {
    let (engine, clock) = engine(policy, 64);
    let mut session = engine.session();
    for number in 0..1_000 {
        let kind = if number % 2 == 0 { "hot" } else { "cold" };
        set(&mut session, &format!("{kind}{number}"), 100);
    }
    clock.advance_ms(10);
    use_hot(&mut session, &clock);
    limit(&engine, 0);
    for number in 0..450 {
        clock.advance_ms(10);
        assert_eq!(set(&mut session, &format!("new{number}"), 100), "+OK ");
    }
    let keys = say(&mut session, "KEYS *\r\n");
    let names: BTreeSet<&str> = keys.split(' ').collect();
    ["hot", "cold"].map(|kind| names.iter().filter(|name| name.starts_with(kind)).count())
}

#[test]
fn what_was_used_lately_stays() {
    let [hot, cold] = left_after_pressure("allkeys-lru", |session, clock| {
        clock.advance_ms(100);
        for number in (0..1_000).step_by(2) {
            say(session, &format!("GET hot{number}\r\n"));
        }
    });
    assert!(hot >= 440 && cold < 140, "{hot} hot ones left and {cold} cold ones");
}

#[test]
fn what_is_used_often_stays_though_it_is_idle() {
    let [hot, cold] = left_after_pressure("allkeys-lfu", |session, clock| {
        for number in (0..1_000).step_by(2) {
            let input = format!("GET hot{number}\r\n").repeat(30);
            say(session, &input);
        }
        clock.advance_ms(3_000);
        for number in (1..1_000).step_by(2) {
            say(session, &format!("GET cold{number}\r\n"));
        }
    });
    // New keys were used as seldom as cold ones, and go too.
    assert!(hot >= 460 && cold < 400, "{hot} hot ones left and {cold} cold ones");
}

#[test]
fn what_expires_first_goes_first() {
    let (engine, _) = engine("volatile-ttl", 64);
    let mut session = engine.session();
    let order = |number: u32| number.wrapping_mul(0x9e37_79b9) >> 16;
    for number in 0..1_000u32 {
        let ttl = 10_000 + order(number);
        say(&mut session, &format!("SET {number} {} EX {ttl}\r\n", "v".repeat(100)));
    }
    limit(&engine, 0);
    for number in 0..300 {
        set(&mut session, &format!("new{number}"), 100);
    }
    let mut by_time: Vec<u32> = (0..1_000).collect();
    by_time.sort_by_key(|&number| order(number));
    let is_left =
        |session: &mut Session, number: u32| say(session, &format!("EXISTS {number}\r\n")) == ":1 ";
    let late = by_time[600..].iter().filter(|&&number| !is_left(&mut session, number)).count();
    let early = by_time[..150].iter().filter(|&&number| is_left(&mut session, number)).count();
    assert!(late < 10 && early < 30, "{late} late ones are gone and {early} early ones left");
}

#[test]
fn who_listens_watches_or_asks_hears_of_an_eviction() {
    let (engine, _) = engine("allkeys-lru", 16);
    let [mut session, mut listener, mut watcher] = [(); 3].map(|()| engine.session());
    engine.config_set("notify-keyspace-events", "Ee").unwrap();
    say(&mut listener, "SUBSCRIBE __keyevent@3__:evicted\r\n");
    say(&mut session, "SELECT 3\r\nSET k v\r\n");
    assert_eq!(
        say(&mut watcher, "SELECT 3\r\nWATCH k\r\nMULTI\r\nPING\r\n"),
        "+OK +OK +OK +QUEUED "
    );
    engine.config_set("maxmemory", "1").unwrap();
    // A call without a key finds the limit exceeded.
    assert_eq!(say(&mut session, "DBSIZE\r\n"), ":0 ");
    assert_eq!(say(&mut listener, ""), "*3 $7 message $22 __keyevent@3__:evicted $1 k ");
    assert_eq!(say(&mut watcher, "DISCARD\r\n"), "+OK ");
    engine.config_set("maxmemory", "0").unwrap();
    say(&mut session, "SET k v\r\n");
    assert_eq!(say(&mut watcher, "WATCH k\r\nMULTI\r\nPING\r\n"), "+OK +OK +QUEUED ");
    engine.config_set("maxmemory", "1").unwrap();
    engine.maintain(10);
    engine.config_set("maxmemory", "0").unwrap();
    assert_eq!(say(&mut watcher, "EXEC\r\n"), "*-1 ");
    assert_eq!(info(&mut session, "evicted_keys"), 2);
}

#[test]
fn the_time_beyond_the_limit_is_told() {
    let (engine, clock) = engine("noeviction", 16);
    let mut session = engine.session();
    set(&mut session, "k", 1_000);
    engine.config_set("maxmemory", "1").unwrap();
    engine.maintain(1);
    clock.advance_ms(700);
    assert_eq!(info(&mut session, "current_eviction_exceeded_time"), 700);
    engine.config_set("maxmemory", "0").unwrap();
    engine.maintain(1);
    say(&mut session, "PING\r\n");
    clock.advance_ms(300);
    assert_eq!(info(&mut session, "current_eviction_exceeded_time"), 0);
    assert_eq!(info(&mut session, "total_eviction_exceeded_time"), 700);
}

#[test]
fn values_that_are_still_being_freed_count_as_gone() {
    for lazy in ["no", "yes"] {
        let (engine, _) = engine("volatile-lru", 16);
        engine.config_set("lazyfree-lazy-eviction", lazy).unwrap();
        let mut session = engine.session();
        for first in (0..20_000).step_by(1_000) {
            let members: String =
                (first..first + 1_000).map(|n| format!(" {n} member:{n}")).collect();
            say(&mut session, &format!("ZADD large{members}\r\n"));
        }
        say(&mut session, "EXPIRE large 10000\r\n");
        (0..500).for_each(|number| drop(set(&mut session, &number.to_string(), 100)));
        let limit = limit(&engine, 0);
        for number in 500..600 {
            assert_eq!(set(&mut session, &number.to_string(), 100), "+OK ");
        }
        assert_eq!(info(&mut session, "evicted_keys"), 1, "lazy {lazy}");
        assert_eq!(say(&mut session, "EXISTS large\r\nDBSIZE\r\n"), ":0 :600 ");
        while engine.maintain(100) {}
        assert_eq!(info(&mut session, "lazyfree_pending_objects"), 0);
        assert_eq!(info(&mut session, "lazyfreed_objects"), 1);
        assert!(info(&mut session, "used_memory") < limit - 500_000);
    }
}

#[test]
fn a_lower_limit_is_reached_in_steps() {
    let (engine, _) = engine("allkeys-random", 1024);
    engine.config_set("maxmemory-eviction-tenacity", "1").unwrap();
    let mut session = engine.session();
    (0..2_000).for_each(|number| drop(set(&mut session, &number.to_string(), 10)));
    engine.config_set("maxmemory", "1").unwrap();
    engine.maintain(1);
    assert_eq!(info(&mut session, "evicted_keys"), 50 + 50);
    (0..100).for_each(|_| _ = engine.maintain(1));
    assert_eq!(say(&mut session, "DBSIZE\r\n"), ":0 ");
}

#[test]
fn frequency_and_idle_time_are_told_by_the_policy_that_tracks_them() {
    let (engine, clock) = engine("allkeys-lfu", 16);
    let mut session = engine.session();
    let asks = "OBJECT FREQ k\r\nOBJECT IDLETIME k\r\n";
    let switching = "Please note that when switching between policies at runtime LRU and LFU data \
                     will take some time to adjust. ";
    let no_idle =
        format!("-ERR An LFU maxmemory policy is selected, idle time not tracked. {switching}");
    let no_frequency = format!(
        "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. {switching}"
    );
    say(&mut session, "SET k v\r\n");
    assert_eq!(say(&mut session, asks), format!(":5 {no_idle}"));
    // The first use always counts.
    assert_eq!(say(&mut session, "GET k\r\nOBJECT FREQ k\r\nTOUCH k\r\n"), "$1 v :6 :1 ");
    say(&mut session, &"GET k\r\n".repeat(300));
    let counter: u32 = say(&mut session, "OBJECT FREQ k\r\n")[1..].trim().parse().unwrap();
    assert!((8..=20).contains(&counter), "{counter}");
    clock.advance_ms(3 * 60_000);
    assert_eq!(say(&mut session, "OBJECT FREQ k\r\n"), format!(":{} ", counter - 3));
    // A new value is the same key, used once more.
    let after = say(&mut session, "SET k w\r\nOBJECT FREQ k\r\n");
    assert!([format!("+OK :{} ", counter - 3), format!("+OK :{} ", counter - 2)].contains(&after));
    engine.config_set("maxmemory-policy", "noeviction").unwrap();
    say(&mut session, "SET k v\r\n");
    clock.advance_ms(9_000);
    assert_eq!(say(&mut session, asks), format!("{no_frequency}:9 "));
}
