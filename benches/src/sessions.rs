//! `sessions`: what needs more than one command or more than one session, beside redis-server. Both
//! sides get the same bytes: requests one after another in feeds, and other sessions that listen, which
//! on the peer's side are connections of their own. What everybody hears is read to the last byte.

use crate::measure::{interleave, ns_per_op};
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{FEED, VALUE, key};
use keyslot::resp::encode_request;
use keyslot::{Engine, Session};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Writes in a transaction.
const WRITES: usize = 10;
/// Transactions in a feed.
const TRANSACTIONS: usize = 16;
const SUBSCRIBERS: usize = 100;
const SCRIPT: &str = "redis.call('INCR', KEYS[1]) redis.call('SET', KEYS[2], ARGV[1]) \
                      return redis.call('GET', KEYS[2])";

/// Bytes to be sent, and how long the answer is.
#[derive(Default)]
struct Talk {
    request: Vec<u8>,
    reply_len: usize,
}

impl Talk {
    fn say(&mut self, words: &[&[u8]], reply_len: usize) {
        encode_request(words, &mut self.request);
        self.reply_len += reply_len;
    }
}

/// What is done again and again.
struct Case {
    name: &'static str,
    metric: &'static str,
    /// How often the feed does what is counted.
    operations: usize,
    /// Feeds in a round.
    feeds: usize,
    /// Said once by each of the other sessions.
    opening: Vec<Talk>,
    /// Said by each of them before each feed, where the answer comes after the feed.
    waits: Vec<Vec<u8>>,
    /// How long an answer each of them hears after the feed.
    heard_len: usize,
    feed: Talk,
}

fn transaction() -> Case {
    let mut feed = Talk::default();
    for number in 0..TRANSACTIONS {
        feed.say(&[b"MULTI"], b"+OK\r\n".len());
        for write in 0..WRITES {
            feed.say(&[b"SET", &key(number * WRITES + write), &VALUE], b"+QUEUED\r\n".len());
        }
        feed.say(&[b"EXEC"], b"*10\r\n".len() + WRITES * b"+OK\r\n".len());
    }
    Case {
        name: "transaction",
        metric: "MULTI, ten writes, EXEC",
        operations: TRANSACTIONS,
        feeds: 400,
        opening: Vec::new(),
        waits: Vec::new(),
        heard_len: 0,
        feed,
    }
}

fn script(digest: &str) -> Case {
    let mut feed = Talk::default();
    for number in 0..FEED {
        let (counter, text) = (key(2 * number), key(2 * number + 1));
        let words: [&[u8]; 6] = [b"EVALSHA", digest.as_bytes(), b"2", &counter, &text, &VALUE];
        feed.say(&words, b"$64\r\n\r\n".len() + VALUE.len());
    }
    Case {
        name: "script",
        metric: "EVALSHA of three calls",
        operations: FEED,
        feeds: 200,
        opening: Vec::new(),
        waits: Vec::new(),
        heard_len: 0,
        feed,
    }
}

fn publish() -> Case {
    let mut subscribe = Talk::default();
    subscribe.say(&[b"SUBSCRIBE", b"news"], b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n".len());
    let opening = |_| Talk { request: subscribe.request.clone(), ..subscribe };
    let mut feed = Talk::default();
    (0..FEED).for_each(|_| feed.say(&[b"PUBLISH", b"news", &VALUE], b":100\r\n".len()));
    let message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n\r\n".len() + VALUE.len();
    Case {
        name: "publish",
        metric: "PUBLISH to 100 subscribers",
        operations: FEED,
        feeds: 20,
        opening: (0..SUBSCRIBERS).map(opening).collect(),
        waits: Vec::new(),
        heard_len: FEED * message,
        feed,
    }
}

fn wake() -> Case {
    let (mut feed, mut waits) = (Talk::default(), Vec::new());
    for number in 0..FEED {
        let mut wait = Vec::new();
        encode_request(&[b"BLPOP", &key(number)[..], b"0"], &mut wait);
        waits.push(wait);
        feed.say(&[b"LPUSH", &key(number), &VALUE], b":1\r\n".len());
    }
    Case {
        name: "wake",
        metric: "BLPOP that waits, and LPUSH",
        operations: FEED,
        feeds: 100,
        opening: (0..FEED).map(|_| Talk::default()).collect(),
        waits,
        heard_len: b"*2\r\n$32\r\n\r\n$64\r\n\r\n".len() + 32 + VALUE.len(),
        feed,
    }
}

/// Takes exactly what a session has to say.
fn take(session: &mut Session, len: usize) {
    assert_eq!(session.output().len(), len, "{}", session.output().escape_ascii());
    session.consume_output(len);
}

fn feed(session: &mut Session, talk: &Talk) {
    session.feed(&talk.request);
    take(session, talk.reply_len);
}

/// An engine with a session at work, and others that listen.
struct Ours {
    session: Session,
    others: Vec<Session>,
}

impl Ours {
    fn new(engine: &Engine, case: &Case) -> Self {
        let open = |talk: &Talk| {
            let mut other = engine.session();
            feed(&mut other, talk);
            other
        };
        Self { session: engine.session(), others: case.opening.iter().map(open).collect() }
    }

    fn run(&mut self, case: &Case) {
        for _ in 0..case.feeds {
            for (other, wait) in self.others.iter_mut().zip(&case.waits) {
                other.feed(wait);
            }
            feed(&mut self.session, &case.feed);
            for other in &mut self.others {
                other.poll();
                take(other, case.heard_len);
            }
        }
    }
}

/// Connections to redis-server, beside its own.
struct Theirs<'a> {
    redis: &'a mut Redis,
    others: Vec<UnixStream>,
    input: Vec<u8>,
}

impl<'a> Theirs<'a> {
    fn new(redis: &'a mut Redis, case: &Case) -> Self {
        let others = Vec::new();
        let mut theirs = Self { redis, others, input: vec![0; 1 << 16] };
        for talk in &case.opening {
            let mut other = theirs.redis.connect();
            other.write_all(&talk.request).expect("the peer is alive");
            hear(&mut other, &mut theirs.input, talk.reply_len);
            theirs.others.push(other);
        }
        theirs
    }

    fn run(&mut self, case: &Case) {
        for _ in 0..case.feeds {
            for (other, wait) in self.others.iter_mut().zip(&case.waits) {
                other.write_all(wait).expect("the peer is alive");
            }
            self.redis.exchange(&case.feed.request, case.feed.reply_len);
            for other in &mut self.others {
                hear(other, &mut self.input, case.heard_len);
            }
        }
    }
}

fn hear(stream: &mut UnixStream, input: &mut [u8], mut left: usize) {
    while left > 0 {
        let len = stream.read(input).expect("the peer is alive");
        assert!(len > 0 && len <= left, "the peer's replies are as long as expected");
        left -= len;
    }
}

/// Loads the script on both sides, and returns its digest.
fn load_script(engine: &Engine, redis: &mut Redis) -> String {
    let words = ["SCRIPT", "LOAD", SCRIPT];
    let (mut session, mut request) = (engine.session(), Vec::new());
    encode_request(&words, &mut request);
    session.feed(&request);
    let ours = String::from_utf8_lossy(session.output()).into_owned();
    assert_eq!(ours, redis.ask(&words), "the digest is SHA-1");
    ours["$40\r\n".len()..].trim_end().to_owned()
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let engine = Engine::default();
    let mut redis = Redis::start()?;
    let digest = load_script(&engine, &mut redis);
    for case in [transaction(), script(&digest), publish(), wake()] {
        let (mut ours, mut theirs) = (Ours::new(&engine, &case), Theirs::new(&mut redis, &case));
        let count = case.feeds * case.operations;
        let (ours, theirs) = interleave(
            || ns_per_op(count, || ours.run(&case)),
            || ns_per_op(count, || theirs.run(&case)),
        );
        report.row(&Row {
            id: &format!("sessions.{}.redis", case.name),
            metric: case.metric,
            unit: "ns",
            ours,
            theirs,
            better: Better::Lower,
        });
        redis.ask(&["FLUSHALL"]);
        engine.session().feed(b"FLUSHALL\r\n");
    }
    Ok(())
}
