//! Several sessions on one engine, interleaved as the input says: they wait for each other, listen,
//! watch, track, look on, hold each other back and end each other. No panic, replies that a client
//! can read to the last byte, output within its limit, and nothing of a session that is gone.

#![no_main]

use bytes::BytesMut;
use keyslot::resp::{Encoder, Protocol, Reply, ReplyDecoder, encode_request};
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const SESSIONS: usize = 4;

/// Output that may wait for a session; a reply may exceed it by itself before that is seen.
const OUTPUT_MAX: usize = 64 << 10;

/// Words that requests are put together from; a session's number stands for `#`.
const WORDS: &[&str] = &[
    "GET",
    "SET",
    "DEL",
    "MGET",
    "INCR",
    "RPUSH",
    "LPOP",
    "BLPOP",
    "BLMOVE",
    "LMOVE",
    "XADD",
    "XREAD",
    "BLOCK",
    "STREAMS",
    "BZPOPMIN",
    "ZADD",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH",
    "UNWATCH",
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "PUBLISH",
    "SPUBLISH",
    "PUBSUB",
    "CLIENT",
    "TRACKING",
    "ON",
    "OFF",
    "BCAST",
    "PREFIX",
    "OPTIN",
    "OPTOUT",
    "NOLOOP",
    "REDIRECT",
    "CACHING",
    "YES",
    "NO",
    "TRACKINGINFO",
    "LIST",
    "INFO",
    "KILL",
    "ID",
    "TYPE",
    "NORMAL",
    "ADDR",
    "SKIPME",
    "MAXAGE",
    "PAUSE",
    "UNPAUSE",
    "WRITE",
    "ALL",
    "REPLY",
    "SKIP",
    "UNBLOCK",
    "TIMEOUT",
    "ERROR",
    "NO-EVICT",
    "NO-TOUCH",
    "SETNAME",
    "MONITOR",
    "RESET",
    "HELLO",
    "2",
    "3",
    "SELECT",
    "SWAPDB",
    "FLUSHALL",
    "FLUSHDB",
    "EXPIRE",
    "PEXPIRE",
    "RENAME",
    "COPY",
    "MOVE",
    "CONFIG",
    "notify-keyspace-events",
    "KEA",
    "PING",
    "QUIT",
    "a",
    "b",
    "c",
    "{a}d",
    "0",
    "1",
    "10",
    "100",
    "-1",
    "*",
    "$",
    "0-1",
    "LEFT",
    "RIGHT",
    "FIELDS",
    "#",
    "",
];

/// Takes bytes off the input; zero at its end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> usize {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(byte)
    }

    /// A request of a few words, or some bytes as they are.
    fn request(&mut self) -> Vec<u8> {
        let len = self.byte();
        if len >= 224 {
            let (raw, rest) = self.0.split_at(self.0.len().min(len - 223));
            self.0 = rest;
            return raw.to_vec();
        }
        let words: Vec<String> = (0..=len % 6).map(|_| self.word()).collect();
        let mut request = Vec::new();
        encode_request(&words, &mut request);
        request
    }

    fn word(&mut self) -> String {
        match WORDS[self.byte() % WORDS.len()] {
            "#" => (1 + self.byte() % (2 * SESSIONS)).to_string(),
            word => word.to_owned(),
        }
    }
}

/// A session and what reads its replies.
struct Side {
    session: Session,
    decoder: ReplyDecoder,
    /// Whether what it has not taken counts.
    reads: bool,
}

impl Side {
    fn open(engine: &Engine) -> Self {
        Self { session: engine.session(), decoder: ReplyDecoder::default(), reads: true }
    }

    fn read_all(&mut self) {
        let mut output = BytesMut::from(&*self.session.take_output());
        while self.decoder.decode(&mut output).expect("the session writes RESP").is_some() {}
        assert!(output.is_empty(), "a reply is whole once it is written");
    }
}

fn ask(engine: &Engine, words: &[&[u8]]) -> Reply {
    let mut out = Encoder::new(Protocol::Resp2);
    engine.call(words, &mut out);
    let mut output = BytesMut::from(out.bytes());
    let reply = ReplyDecoder::default().decode(&mut output);
    reply.expect("the engine writes RESP").expect("a reply is whole")
}

fuzz_target!(|input: &[u8]| {
    let mut source = Source(input);
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let limit = format!("normal {OUTPUT_MAX} 0 0 pubsub {OUTPUT_MAX} 0 0");
    let settings = [
        ("proto-max-bulk-len", "1048576"),
        ("tracking-table-max-keys", "4"),
        ("maxmemory-clients", "1mb"),
        ("client-output-buffer-limit", &*limit),
    ];
    let engine = Engine::new(EngineOptions {
        shards: 4,
        clock: Box::new(clock.clone()),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..EngineOptions::default()
    });
    let mut sides: Vec<Side> = (0..SESSIONS).map(|_| Side::open(&engine)).collect();
    while !source.0.is_empty() {
        let choice = source.byte();
        let side = &mut sides[choice % SESSIONS];
        match choice / SESSIONS % 8 {
            0 => clock.advance_ms(1 << (source.byte() % 16)),
            1 => _ = engine.maintain(10),
            2 => side.reads = !side.reads,
            _ => side.session.feed(&source.request()),
        }
        for side in &mut sides {
            side.session.handle_timeout();
            side.session.poll();
            // A pipeline of a few commands is looked at as it goes, and each adds little here.
            assert!(side.session.output().len() <= 2 * OUTPUT_MAX, "output is within its limit");
            if side.reads {
                side.read_all();
            }
            if side.session.is_closing() {
                *side = Side::open(&engine);
            }
        }
    }
    drop(sides);
    // An engine without sessions remembers nothing of them.
    assert_eq!(ask(&engine, &[b"PUBLISH", b"a", b""]), Reply::Integer(0));
    assert_eq!(ask(&engine, &[b"PUBSUB", b"NUMPAT"]), Reply::Integer(0));
    let Reply::Bulk(info) = ask(&engine, &[b"INFO", b"everything"]) else {
        panic!("INFO is a text");
    };
    let info = String::from_utf8_lossy(&info);
    for figure in
        ["connected_clients", "blocked_clients", "tracking_clients", "tracking_total_keys"]
    {
        assert!(info.contains(&format!("{figure}:0\r\n")), "{figure} in {info}");
    }
});
