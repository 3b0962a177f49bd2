//! Streams as a client sees them, under a clock that stands still: above all what redis-server 7.0,
//! with which they are compared elsewhere, does not have or does otherwise.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::resp::{Encoder, Protocol};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

const NOW_MS: u64 = 1_000_000;

/// A session with an engine of its own, and the engine's clock.
struct Client {
    engine: Engine,
    session: Session,
    clock: Arc<ManualClock>,
}

impl Client {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
        let engine = Engine::new(options);
        Self { session: engine.session(), engine, clock }
    }

    /// Sends a line and returns the reply, whose line breaks are written as blanks.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    /// Sends lines whose replies are no errors.
    fn run(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let reply = self.line(line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        }
    }

    /// Sends each line and checks its reply.
    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    /// What XINFO GROUPS says of the first group's progress.
    fn progress(&mut self, key: &str) -> String {
        let reply = self.line(&format!("XINFO GROUPS {key}"));
        reply[reply.find("$12 entries-read").unwrap() + 17..].replace("$3 lag ", "")
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

    fn restore(&mut self, key: &str, payload: &[u8]) -> String {
        let words = [&b"RESTORE"[..], key.as_bytes(), b"0", payload, b"REPLACE"];
        String::from_utf8(self.words(&words)).unwrap().trim_end().into()
    }
}

#[test]
fn ids_follow_the_clock_unless_it_is_behind() {
    let mut client = Client::new();
    client.check(&[
        ("XADD s * f v", "$9 1000000-0"),
        ("XADD s * f v", "$9 1000000-1"),
        ("XADD s 2000000-* f v", "$9 2000000-0"),
        ("XADD s * f v", "$9 2000000-1"),
        (
            "XADD s 2000000-1 f v",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ),
    ]);
    client.clock.advance_ms(5_000_000);
    client.check(&[
        ("XADD s * f v", "$9 6000000-0"),
        (
            "XADD s 18446744073709551615-18446744073709551615 f v",
            "$41 18446744073709551615-18446744073709551615",
        ),
        (
            "XADD s * f v",
            "-ERR The stream has exhausted the last possible ID, unable to add more items",
        ),
    ]);
}

#[test]
fn xread_answers_a_map_in_resp3_and_takes_the_last_entry() {
    let mut client = Client::new();
    client.run("XADD a 1-1 f v\nXADD a 2-1 f w\nXADD b 7-0 g x\nXDEL a 2-1");
    client.check(&[
        (
            "XREAD STREAMS a b + +",
            "*2 *2 $1 a *1 *2 $3 1-1 *2 $1 f $1 v *2 $1 b *1 *2 $3 7-0 *2 \
             $1 g $1 x",
        ),
        ("XREAD COUNT 5 STREAMS nosuch b + 6", "*1 *2 $1 b *1 *2 $3 7-0 *2 $1 g $1 x"),
        ("XREAD STREAMS a b $ $", "*-1"),
        (
            "XREAD STREAMS a b $",
            "-ERR Unbalanced 'xread' list of streams: for each stream key an \
             ID or '$' must be specified.",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a",
            "-ERR wrong number of arguments for 'xreadgroup' \
             command",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a b >",
            "-ERR Unbalanced 'xreadgroup' list of streams: \
             for each stream key an ID or '>' must be specified.",
        ),
        ("XGROUP CREATE a g 0", "+OK"),
        (
            "XREADGROUP GROUP g c STREAMS a +",
            "-ERR The + ID is meaningless in the context of \
             XREADGROUP: you want to read the history of this consumer by specifying a proper \
             ID, or use the > ID to get new messages. The + ID would just return an empty result \
             set.",
        ),
        (
            "XREADGROUP GROUP nosuch c STREAMS a >",
            "-NOGROUP No such key 'a' or consumer group \
             'nosuch' in XREADGROUP with GROUP option",
        ),
        ("DEL a b", ":2"),
        ("XREAD STREAMS a +", "*-1"),
        ("XADD b 7-0 g x", "$3 7-0"),
    ]);
    let greeting = client.line("HELLO 3");
    assert!(greeting.starts_with('%'), "{greeting}");
    client.check(&[
        ("XREAD STREAMS b 0", "%1 $1 b *1 *2 $3 7-0 *2 $1 g $1 x"),
        ("XREAD STREAMS b 7", "_"),
        ("XRANGE b - + COUNT 0", "_"),
    ]);
}

#[test]
fn the_keys_of_a_read_are_found_behind_options_of_any_name() {
    let mut client = Client::new();
    client.run("XGROUP CREATE a streams 0 MKSTREAM\nXADD a 1-0 f v");
    client.check(&[
        (
            "XREADGROUP COUNT 2 GROUP streams streams NOACK STREAMS a >",
            "*1 *2 $1 a *1 *2 $3 1-0 *2 $1 f $1 v",
        ),
        ("COMMAND GETKEYS XREAD COUNT 2 STREAMS a b 0 0", "*2 $1 a $1 b"),
        ("COMMAND GETKEYS XREAD STREAMS a b 0", "*1 $1 a"),
    ]);
}

#[test]
fn a_consumer_is_there_once_it_asked_and_active_once_it_got_something() {
    let mut client = Client::new();
    client.run("XGROUP CREATE s g $ MKSTREAM");
    client.check(&[
        ("XREADGROUP GROUP g c STREAMS s >", "*-1"),
        ("XINFO CONSUMERS s g", "*1 *8 $4 name $1 c $7 pending :0 $4 idle :0 $8 inactive :-1"),
        ("XADD s 5-1 f v", "$3 5-1"),
        ("XREADGROUP GROUP g c STREAMS s >", "*1 *2 $1 s *1 *2 $3 5-1 *2 $1 f $1 v"),
    ]);
    client.clock.advance_ms(100);
    client.run("XREADGROUP GROUP g c STREAMS s >");
    client.clock.advance_ms(20);
    client.check(&[
        ("XINFO CONSUMERS s g", "*1 *8 $4 name $1 c $7 pending :1 $4 idle :20 $8 inactive :120"),
        ("XPENDING s g - + 10", "*1 *4 $3 5-1 $1 c :120 :1"),
        ("XPENDING s g IDLE 121 - + 10", "*0"),
        ("XCLAIM s g d 121 5-1", "*0"),
        ("XCLAIM s g d 120 5-1 JUSTID", "*1 $3 5-1"),
        ("XPENDING s g", "*4 :1 $3 5-1 $3 5-1 *1 *2 $1 d $1 1"),
        (
            "XINFO CONSUMERS s g",
            "*2 *8 $4 name $1 c $7 pending :0 $4 idle :20 $8 inactive :120 \
             *8 $4 name $1 d $7 pending :1 $4 idle :0 $8 inactive :0",
        ),
    ]);
    let full = client.line("XINFO STREAM s FULL");
    let consumers = "$9 consumers *2 *10 $4 name $1 c $9 seen-time :1000100 $11 active-time \
         :1000000 $9 pel-count :0 $7 pending *0 *10 $4 name $1 d $9 seen-time :1000120 $11 \
         active-time :1000120 $9 pel-count :1 $7 pending *1 *3 $3 5-1 :1000120 :1";
    assert!(full.ends_with(consumers), "{full}");
}

#[test]
fn entries_that_are_no_more_are_told_of_and_leave_the_pending_ones() {
    let mut client = Client::new();
    client.run(
        "XADD s 1-0 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXGROUP CREATE s g 0
         XREADGROUP GROUP g c STREAMS s >\nXDEL s 1-0 2-0",
    );
    client.check(&[
        ("XREADGROUP GROUP g c COUNT 2 STREAMS s 0", "*1 *2 $1 s *2 *2 $3 1-0 *-1 *2 $3 2-0 *-1"),
        ("XAUTOCLAIM s g d 0 - COUNT 1", "*3 $3 2-0 *0 *1 $3 1-0"),
        ("XAUTOCLAIM s g d 0 2", "*3 $3 0-0 *1 *2 $3 3-0 *2 $1 f $1 v *1 $3 2-0"),
        ("XPENDING s g - + 10", "*1 *4 $3 3-0 $1 d :0 :2"),
    ]);
}

/// The group's last entry lies before a deleted one, or before entries that were trimmed: Redis 7.0
/// reckons wrong there, later versions do not.
#[test]
fn the_lag_is_known_where_nothing_is_missing() {
    let mut client = Client::new();
    client.run("XGROUP CREATE s g $ MKSTREAM");
    assert_eq!(client.progress("s"), "$-1 :0");
    client.run("XADD s 1-0 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXADD s 4-0 f v\nXADD s 5-0 f v");
    client.run("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    assert_eq!(client.progress("s"), ":1 :4");
    client.run("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    assert_eq!(client.progress("s"), ":2 :3");
    client.run("XDEL s 4-0");
    assert_eq!(client.progress("s"), ":2 $-1");
    client.run("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    assert_eq!(client.progress("s"), "$-1 $-1");
    client.run("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    assert_eq!(client.progress("s"), ":5 :0");
    client.run("XADD s 6-0 f v\nXADD s 7-0 f v\nXADD s 8-0 f v\nXTRIM s MAXLEN 1");
    assert_eq!(client.progress("s"), ":5 :1");
    client.run("XREADGROUP GROUP g c STREAMS s >");
    assert_eq!(client.progress("s"), ":8 :0");
    client.run("XADD s 9-0 f v\nXTRIM s MAXLEN 0");
    assert_eq!(client.progress("s"), ":8 :0");
}

#[test]
fn what_was_deleted_bounds_what_may_be_set() {
    let mut client = Client::new();
    client.run("XADD s 1-1 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXDEL s 3-0");
    client.check(&[
        (
            "XSETID s 2-5",
            "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ),
        (
            "XSETID s 9-0 MAXDELETEDID 9-1",
            "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        ),
        (
            "XSETID s 9-0 ENTRIESADDED 1",
            "-ERR The entries_added specified in XSETID is smaller than the target stream length",
        ),
        ("XSETID s 9-0 ENTRIESADDED -1", "-ERR entries_added must be positive"),
        ("XSETID s 3-0 MAXDELETEDID 1-0", "+OK"),
        (
            "XSETID s 1-0",
            "-ERR The ID specified in XSETID is smaller than the target stream top item",
        ),
        ("XSETID s 9-0 ENTRIESADDED 100", "+OK"),
        ("XSETID nosuch 9-0", "-ERR no such key"),
        (
            "XADD s 9-0 f v",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ),
    ]);
    let info = client.line("XINFO STREAM s");
    assert!(
        info.contains("$3 9-0 $20 max-deleted-entry-id $3 1-0 $13 entries-added :100"),
        "{info}"
    );
}

/// XDELEX and XACKDEL came with Redis 8.2.
#[test]
fn entries_may_be_deleted_as_far_as_groups_have_done_with_them() {
    let mut client = Client::new();
    client.run(
        "XADD s 1-0 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXADD s 4-0 f v\nXADD s 5-0 f v
         XGROUP CREATE s g 0\nXGROUP CREATE s h 0\nXREADGROUP GROUP g c COUNT 4 STREAMS s >
         XREADGROUP GROUP h c COUNT 4 STREAMS s >\nXACK s g 1-0\nXACK s h 1-0",
    );
    client.check(&[
        ("XDELEX s ACKED IDS 4 1-0 2-0 5-0 9-9", "*4 :1 :2 :2 :-1"),
        ("XACKDEL s g ACKED IDS 2 2-0 1-0", "*2 :2 :-1"),
        ("XACKDEL s h ACKED IDS 1 2-0", "*1 :1"),
        ("XDELEX s DELREF IDS 1 3-0", "*1 :1"),
        ("XPENDING s g", "*4 :1 $3 4-0 $3 4-0 *1 *2 $1 c $1 1"),
        ("XACKDEL s g IDS 1 4-0", "*1 :1"),
        ("XPENDING s h", "*4 :1 $3 4-0 $3 4-0 *1 *2 $1 c $1 1"),
        ("XDELEX s IDS 1 5-0 KEEPREF", "*1 :1"),
        ("XLEN s", ":0"),
        ("XDELEX nosuch IDS 2 1-0 2-0", "*2 :-1 :-1"),
        ("XACKDEL s nosuch IDS 1 1-0", "*1 :-1"),
        ("XDELEX s IDS abc 1-1", "-ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS 0 1-1", "-ERR Number of IDs must be a positive integer"),
        (
            "XDELEX s IDS 3 1-1 2-2",
            "-ERR The `numids` parameter must match the number of arguments",
        ),
        ("XDELEX s IDS 1 1-1 2-2", "-ERR syntax error"),
        ("XDELEX s IDS 1 x", "-ERR Invalid stream ID specified as stream command argument"),
    ]);
}

#[test]
fn groups_are_made_and_changed_as_they_say() {
    let mut client = Client::new();
    client.check(&[
        (
            "XGROUP CREATE s g $",
            "-ERR The XGROUP subcommand requires the key to exist. Note that \
             for CREATE you may want to use the MKSTREAM option to create an empty stream \
             automatically.",
        ),
        (
            "XGROUP CREATE s g x MKSTREAM",
            "-ERR Invalid stream ID specified as stream command \
             argument",
        ),
        ("EXISTS s", ":0"),
        (
            "XGROUP CREATE s g 0 MKSTREAM ENTRIESREAD -2",
            "-ERR value for ENTRIESREAD must be \
             positive or -1",
        ),
        (
            "XGROUP CREATE s g 0 MKSTREAM MKSTREAM ENTRIESREAD 1",
            "-ERR unknown subcommand or \
             wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
        ),
        ("XGROUP CREATE s g 0 MKSTREAM ENTRIESREAD 7", "+OK"),
        ("XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists"),
        ("XGROUP SETID s nosuch 0", "-NOGROUP No such consumer group 'nosuch' for key name 's'"),
        ("XGROUP SETID s g 7-7 ENTRIESREAD 3", "+OK"),
        (
            "XINFO GROUPS s",
            "*1 *12 $4 name $1 g $9 consumers :0 $7 pending :0 $17 \
             last-delivered-id $3 7-7 $12 entries-read :3 $3 lag :0",
        ),
        ("XGROUP CREATECONSUMER s g b", ":1"),
        ("XGROUP CREATECONSUMER s g a", ":1"),
        ("XGROUP CREATECONSUMER s g a", ":0"),
        ("XGROUP DELCONSUMER s g b", ":0"),
        ("XGROUP DESTROY s g", ":1"),
        ("XGROUP DESTROY s g", ":0"),
        (
            "XINFO STREAM s FULL 1",
            "-ERR unknown subcommand or wrong number of arguments for \
             'STREAM'. Try XINFO HELP.",
        ),
        ("TYPE s", "+stream"),
        ("OBJECT ENCODING s", "$6 stream"),
    ]);
}

/// A group that has read five of six entries and acknowledged the first.
const READ: &str = "XADD s 1-0 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXADD s 4-0 f v
    XADD s 5-0 f v\nXADD s 6-0 f v\nXGROUP CREATE s g 0
    XREADGROUP GROUP g c COUNT 5 STREAMS s >\nXACK s g 1-0";

/// The options of Redis 8.2.
#[test]
fn trimming_has_an_eye_on_groups() {
    let mut client = Client::new();
    client.run(READ);
    client.check(&[
        ("XTRIM s MAXLEN 4 ACKED", ":1"),
        ("XTRIM s ACKED MINID 6", ":0"),
        ("XACK s g 3-0 5-0", ":2"),
        // What is in between goes, and what is left is not counted among what may stay.
        ("XTRIM s MAXLEN = 1 ACKED", ":2"),
        ("XLEN s", ":3"),
        ("XADD s acked MAXLEN 1 7-0 f v", "$3 7-0"),
        ("XLEN s", ":4"),
        ("XTRIM s MINID 4 KEEPREF", ":1"),
        ("XPENDING s g", "*4 :2 $3 2-0 $3 4-0 *1 *2 $1 c $1 2"),
        ("XTRIM s MINID = 5 DELREF", ":1"),
        ("XPENDING s g", "*4 :1 $3 2-0 $3 2-0 *1 *2 $1 c $1 1"),
        ("XADD s DELREF MAXLEN 1 8-0 f v", "$3 8-0"),
        ("XLEN s", ":1"),
        (
            "XTRIM s ACKED DELREF",
            "-ERR syntax error, XTRIM must be called with a trimming strategy",
        ),
    ]);
}

#[test]
fn a_group_that_has_read_nothing_keeps_all_and_no_group_keeps_nothing() {
    let mut client = Client::new();
    client.run("XADD s 1-0 f v\nXADD s 2-0 f v\nXADD s 3-0 f v\nXGROUP CREATE s g 0");
    client.check(&[
        ("XTRIM s MAXLEN 0 ACKED", ":0"),
        ("XTRIM s MAXLEN ~ 0 LIMIT 2 ACKED", ":0"),
        ("XGROUP DESTROY s g", ":1"),
        // With ~ too, entries are looked at one by one.
        ("XTRIM s MAXLEN ~ 1 ACKED", ":2"),
        ("XTRIM s MAXLEN 0 DELREF", ":1"),
        ("XLEN s", ":0"),
    ]);
}

/// A stream with everything that a payload can tell.
const FULL: &str = "XADD s 1-1 f v g 10\nXADD s 1-2 f w g 11\nXADD s 2-0 h x\nXADD s 3-0 f y g 1
    XDEL s 1-2\nXGROUP CREATE s g 0\nXGROUP CREATE s empty 2\nXREADGROUP GROUP g c STREAMS s >
    XREADGROUP GROUP g d STREAMS s >\nXCLAIM s g d 0 2-0";

#[test]
fn a_payload_tells_everything() {
    let mut client = Client::new();
    client.run(FULL);
    let (info, payload) = (client.line("XINFO STREAM s FULL"), client.dump("s"));
    client.clock.advance_ms(500);
    assert_eq!(client.restore("copy", &payload), "+OK");
    assert_eq!(client.line("XINFO STREAM copy FULL"), info);
    assert_eq!(client.dump("copy"), payload);
    client.check(&[("COPY s other", ":1"), ("XACK other g 2-0", ":1"), ("XLEN other", ":3")]);
    assert_eq!(client.line("XINFO STREAM s FULL"), info);
}

/// A change of any byte of a stream is refused or gives a stream that can be used.
#[test]
fn no_damaged_payload_does_harm() {
    let mut client = Client::new();
    client.run(FULL);
    let payload = client.dump("s");
    let value = payload[..payload.len() - 8].to_vec();
    for at in 0..value.len() - 2 {
        for change in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut changed = value.clone();
            changed[at] ^= change;
            let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, &changed);
            changed.extend(checksum.to_le_bytes());
            let reply = client.restore("t", &changed);
            if reply != "+OK" {
                assert_eq!(reply, "-ERR Bad data format");
                continue;
            }
            client.run("XINFO STREAM t FULL\nXRANGE t - +\nXREVRANGE t + -\nXTRIM t MAXLEN 2");
            let _ = client.line("XADD t 9-* f v");
            let _ = client.line("XAUTOCLAIM t g e 0 -");
            let dumped = client.dump("t");
            assert_eq!(client.restore("u", &dumped), "+OK");
            assert_eq!(client.line("XINFO STREAM u FULL"), client.line("XINFO STREAM t FULL"));
        }
    }
}

#[test]
fn a_large_stream_is_freed_by_and_by() {
    let mut client = Client::new();
    let before = client.engine.memory_bytes();
    let value = [b'v'; 200];
    for _ in 0..40_000 {
        client.words(&[b"XADD", b"s", b"*", b"f", &value]);
    }
    client.run("XGROUP CREATE s g 0\nXREADGROUP GROUP g c STREAMS s >\nUNLINK s");
    assert!(client.engine.memory_bytes() > before + 1_000_000);
    let mut rounds = 0;
    while client.engine.memory_bytes() > before + 10_000 {
        client.engine.maintain(100);
        rounds += 1;
        assert!(rounds < 10_000);
    }
    assert!(rounds > 3, "{rounds}");
}
