//! Keys that nobody writes to, one of each type and encoding: wherever their slot goes, they arrive as
//! they left, with value, encoding, time to live and the access clock. (I5, I6)

use crate::node::say;
use crate::workload::TAGS;
use crate::world::slot;
use keyslot::resp::Reply;
use keyslot::{Engine, Session};

/// A key, and what is to be found of it.
pub(crate) struct Witness {
    pub(crate) slot: u16,
    key: String,
    facts: Vec<Option<Reply>>,
    /// The clock of the node when it was used last.
    used_ms: u64,
    frequency: Option<i64>,
}

/// The same for everybody, far away.
const EXPIRES_MS: &str = "1900000000123";
/// What an access clock may be off by, in seconds: with each move by a second that clocks disagree, and
/// by a part of one.
const IDLE_SLACK_S: i64 = 12;
const FREQUENCY_SLACK: i64 = 2;

fn commands(tag: &str) -> Vec<String> {
    let many = |name: &str, each: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..12).map(each).collect();
        format!("{name} {}", all.join(" "))
    };
    let key = |name: &str| format!("{tag}{name}");
    vec![
        format!("SET {} 12345", key("wit-int")),
        format!("SET {} short", key("wit-embstr")),
        format!("HSET {} f v g w", key("wit-small-hash")),
        many(&format!("HSET {}", key("wit-hash")), &|at| format!("f{at} v{at}")),
        format!("RPUSH {} a b", key("wit-small-list")),
        many(&format!("RPUSH {}", key("wit-list")), &|at| format!("e{at}")),
        format!("SADD {} 1 2 3", key("wit-intset")),
        format!("SADD {} a b", key("wit-small-set")),
        many(&format!("SADD {}", key("wit-set")), &|at| format!("m{at}")),
        format!("ZADD {} 1.5 a 2 b", key("wit-small-zset")),
        many(&format!("ZADD {}", key("wit-zset")), &|at| format!("{at} m{at}")),
        format!("XADD {} 1-1 f v", key("wit-stream")),
    ]
}

/// What is left as it is, but is no witness by itself.
fn adornments(tag: &str) -> Vec<String> {
    vec![
        format!("HPEXPIREAT {tag}wit-hash {EXPIRES_MS} FIELDS 1 f3"),
        format!("XGROUP CREATE {tag}wit-stream g 0"),
        format!("XREADGROUP GROUP g c STREAMS {tag}wit-stream >"),
        format!("PEXPIREAT {tag}wit-zset {EXPIRES_MS}"),
        format!("PEXPIREAT {tag}wit-int {EXPIRES_MS}"),
        format!("PEXPIREAT {tag}wit-list {EXPIRES_MS}"),
    ]
}

/// Makes the witnesses at the node that has everything at first.
pub(crate) fn make(engine: &Engine, now_ms: u64, by_frequency: bool) -> Vec<Witness> {
    let mut session = engine.session();
    let mut tell = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = say(&mut session, &words);
        assert!(!matches!(reply, Some(Reply::Error(_))), "{line}: {reply:?}");
    };
    for tag in TAGS {
        commands(tag).iter().chain(&adornments(tag)).for_each(|line| tell(line));
        if by_frequency {
            (0..200).for_each(|_| tell(&format!("GET {tag}wit-embstr")));
        }
    }
    let key_of = |line: &String| line.split(' ').nth(1).unwrap_or_default().to_owned();
    let keys = TAGS.into_iter().flat_map(commands).map(|line| key_of(&line));
    let mut bystander = bystander(engine);
    let witness = |key: String| Witness {
        slot: slot(&key),
        facts: facts(&mut bystander, &key),
        used_ms: now_ms,
        frequency: by_frequency.then(|| integer(&mut bystander, "FREQ", &key)),
        key,
    };
    keys.map(witness).collect()
}

/// A session that leaves access clocks as they are.
fn bystander(engine: &Engine) -> Session {
    let mut session = engine.session();
    say(&mut session, &[b"CLIENT", b"NO-TOUCH", b"ON"]);
    session
}

fn integer(session: &mut Session, what: &str, key: &str) -> i64 {
    match say(session, &[b"OBJECT", what.as_bytes(), key.as_bytes()]) {
        Some(Reply::Integer(value)) => value,
        _ => -1,
    }
}

fn facts(session: &mut Session, key: &str) -> Vec<Option<Reply>> {
    let key = key.as_bytes();
    let mut facts = vec![
        say(session, &[b"TYPE", key]),
        say(session, &[b"OBJECT", b"ENCODING", key]),
        say(session, &[b"PEXPIRETIME", key]),
        say(session, &[b"DEBUG", b"DIGEST-VALUE", key]),
    ];
    if key.ends_with(b"wit-hash") {
        facts.push(say(session, &[b"HPEXPIRETIME", key, b"FIELDS", b"2", b"f3", b"f4"]));
    }
    if key.ends_with(b"wit-stream") {
        facts.push(say(session, &[b"XPENDING", key, b"g"]));
    }
    facts
}

impl Witness {
    /// Checks that the key is here as it was made. Its access clock is looked at unless a crash may
    /// have lost it.
    pub(crate) fn check(
        &self,
        engine: &Engine,
        now_ms: u64,
        clock_counts: bool,
    ) -> Result<(), String> {
        let key = &self.key;
        let session = &mut bystander(engine);
        if clock_counts {
            let (what, expected, slack) = match self.frequency {
                Some(frequency) => ("FREQ", frequency, FREQUENCY_SLACK),
                None => {
                    let idle_s = now_ms.saturating_sub(self.used_ms) / 1_000;
                    ("IDLETIME", idle_s as i64, IDLE_SLACK_S)
                }
            };
            let found = integer(session, what, key);
            if (found - expected).abs() > slack {
                return Err(format!("{key} has {what} {found} instead of about {expected}"));
            }
        }
        let found = facts(session, key);
        if found != self.facts {
            return Err(format!("{key} is {found:?} instead of {:?}", self.facts));
        }
        Ok(())
    }
}
