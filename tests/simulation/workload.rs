//! What clients ask for, and the commands by which they do.

use crate::chance::Chance;

pub(crate) const TAGS: [&str; 4] = ["{a}", "{b}", "{c}", "{d}"];

/// How two counters are incremented at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Together {
    Transaction,
    Script,
}

#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A counter, alone.
    Increment(String),
    Read(String),
    /// Two counters that are always equal.
    Both([String; 2], Together),
    ReadBoth([String; 2]),
    /// A counter, by WATCH: what was read, once it was.
    Watch(String, Option<u64>),
    /// Into what only grows.
    Add {
        key: String,
        member: String,
    },
    /// On a key that a naive twin is held against.
    Do {
        key: String,
        words: Vec<String>,
    },
    /// Something that is over at this time: a key, or a field of a hash.
    Lease {
        key: String,
        field: Option<String>,
        at_ms: u64,
    },
    Look {
        key: String,
        field: Option<String>,
    },
    /// Into a queue, and out of it; with the seconds to wait, if it waits.
    Push {
        key: String,
        member: String,
    },
    Pop {
        key: String,
        wait_s: Option<&'static str>,
    },
    /// Into a stream, and to one member of its group alone.
    Append {
        key: String,
        member: String,
    },
    Take {
        key: String,
        block_ms: Option<u64>,
    },
    Publish {
        channel: String,
        message: String,
    },
}

/// In which database keys of this name are.
pub(crate) fn database(key: &str) -> usize {
    usize::from(key.ends_with("@1"))
}

pub(crate) const GROUP: &str = "g";

impl Ask {
    /// A name in the slot that it is about.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Increment(key) | Self::Read(key) | Self::Watch(key, _) => key,
            Self::Both(keys, _) | Self::ReadBoth(keys) => &keys[0],
            Self::Add { key, .. }
            | Self::Do { key, .. }
            | Self::Lease { key, .. }
            | Self::Look { key, .. }
            | Self::Push { key, .. }
            | Self::Pop { key, .. }
            | Self::Append { key, .. }
            | Self::Take { key, .. } => key,
            Self::Publish { channel, .. } => channel,
        }
    }

    /// Whether it may wait for another client.
    pub(crate) fn may_wait(&self) -> bool {
        match self {
            Self::Pop { wait_s, .. } => wait_s.is_some(),
            Self::Take { block_ms, .. } => block_ms.is_some(),
            _ => false,
        }
    }

    /// The commands, those of a transaction from MULTI to EXEC.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let one = |words: &[&str]| vec![owned(words)];
        let multi = |inner: Vec<Vec<String>>| {
            let mut commands = vec![owned(&["MULTI"])];
            commands.extend(inner);
            commands.push(owned(&["EXEC"]));
            commands
        };
        match self {
            Self::Increment(key) => one(&["INCR", key]),
            Self::Read(key) => one(&["GET", key]),
            Self::Both([left, right], Together::Transaction) => {
                multi(vec![owned(&["INCR", left]), owned(&["INCR", right])])
            }
            Self::Both([left, right], Together::Script) => {
                let script = "return {redis.call('incr', KEYS[1]), redis.call('incr', KEYS[2])}";
                one(&["EVAL", script, "2", left, right])
            }
            Self::ReadBoth([left, right]) => one(&["MGET", left, right]),
            Self::Watch(key, None) => vec![owned(&["WATCH", key]), owned(&["GET", key])],
            Self::Watch(key, Some(value)) => {
                multi(vec![owned(&["SET", key, &(value + 1).to_string()])])
            }
            Self::Add { key, member } => match &key[3..] {
                "set" => one(&["SADD", key, member]),
                "list" => one(&["RPUSH", key, member]),
                "hash" => one(&["HSET", key, member, "v"]),
                _ => one(&["ZADD", key, "1", member]),
            },
            Self::Do { words, .. } => vec![words.clone()],
            Self::Lease { key, field: None, at_ms } => {
                one(&["SET", key, "v", "PXAT", &at_ms.to_string()])
            }
            Self::Lease { key, field: Some(field), at_ms } => multi(vec![
                owned(&["HSET", key, field, "v"]),
                owned(&["HPEXPIREAT", key, &at_ms.to_string(), "FIELDS", "1", field]),
            ]),
            Self::Look { key, field: None } => one(&["GET", key]),
            Self::Look { key, field: Some(field) } => one(&["HGET", key, field]),
            Self::Push { key, member } => one(&["RPUSH", key, member]),
            Self::Pop { key, wait_s: None } => one(&["LPOP", key]),
            Self::Pop { key, wait_s: Some(wait_s) } => one(&["BLPOP", key, wait_s]),
            Self::Append { key, member } => one(&["XADD", key, "*", "m", member]),
            Self::Take { key, block_ms } => {
                let block = block_ms.map(|ms| ms.to_string());
                let mut words = vec!["XREADGROUP", "GROUP", GROUP, "c", "COUNT", "1"];
                words.extend(block.iter().flat_map(|ms| ["BLOCK", ms]));
                words.extend(["STREAMS", key, ">"]);
                one(&words)
            }
            Self::Publish { channel, message } => one(&["SPUBLISH", channel, message]),
        }
    }
}

/// Something to ask for, about one tag. `number` is another each time; `now_ms` is about now.
pub(crate) fn choose(chance: &mut Chance, number: u64, now_ms: u64) -> Ask {
    let tag = chance.pick(&TAGS).to_string();
    let key = |name: &str| format!("{tag}{name}");
    let len = chance.below(40) as usize;
    let member = format!("m{number}-{}", "x".repeat(len));
    match chance.below(24) {
        0 | 1 => Ask::Increment(key(chance.pick(&["n", "m"]))),
        2 => Ask::Read(key(chance.pick(&["n", "m", "w"]))),
        3 => Ask::Both([key("left"), key("right")], Together::Transaction),
        4 => Ask::Both([key("left"), key("right")], Together::Script),
        5 => Ask::ReadBoth([key("left"), key("right")]),
        6 => Ask::Watch(key("w"), None),
        7..=9 => Ask::Add { key: key(chance.pick(&["set", "list", "hash", "zset"])), member },
        10..=15 => {
            let (key, words) = any_type(chance, &tag, number);
            Ask::Do { key, words }
        }
        16 | 17 => {
            let at_ms = now_ms + chance.below(3_000);
            let field = chance.once_in(2).then(|| format!("f{number}"));
            let name = if field.is_some() { "leases".to_owned() } else { format!("lease{number}") };
            Ask::Lease { key: key(&name), field, at_ms }
        }
        18 => Ask::Push { key: key("queue"), member },
        19 => {
            let wait_s = chance.once_in(2).then(|| chance.pick(&["0.05", "0.5", "2", "0"]));
            Ask::Pop { key: key("queue"), wait_s }
        }
        20 => Ask::Append { key: key("stream"), member },
        21 => {
            let block_ms = chance.once_in(2).then(|| chance.pick(&[50, 500, 2_000, 0]));
            Ask::Take { key: key("stream"), block_ms }
        }
        22 => Ask::Publish { channel: key("channel"), message: member },
        _ => Ask::Look { key: tag.clone(), field: None },
    }
}

/// A command on a key of any type.
fn any_type(chance: &mut Chance, tag: &str, number: u64) -> (String, Vec<String>) {
    let kind = chance.pick(&["str", "hash", "list", "set", "zset"]);
    let name = chance.pick(&["", "@1"]);
    let key = format!("{tag}do-{kind}{name}");
    let value = format!("v{number}");
    let member = chance.pick(&["p", "q", "r"]).to_string();
    let words: Vec<&str> = match (kind, chance.below(4)) {
        ("str", 0) => vec!["SET", &key, &value],
        ("str", 1) => vec!["GET", &key],
        ("str", 2) => vec!["GETDEL", &key],
        ("str", _) => vec!["APPEND", &key, "y"],
        ("hash", 0 | 1) => vec!["HSET", &key, &member, &value],
        ("hash", 2) => vec!["HGET", &key, &member],
        ("hash", _) => vec!["HDEL", &key, &member],
        ("list", 0 | 1) => vec!["RPUSH", &key, &value],
        ("list", 2) => vec!["LPOP", &key],
        ("list", _) => vec!["LRANGE", &key, "0", "-1"],
        ("set", 0 | 1) => vec!["SADD", &key, &member],
        ("set", 2) => vec!["SREM", &key, &member],
        ("set", _) => vec!["SCARD", &key],
        (_, 0) => vec!["ZADD", &key, "5", &member],
        (_, 1) => vec!["ZINCRBY", &key, "1", &member],
        (_, 2) => vec!["ZREM", &key, &member],
        (_, _) => vec!["ZRANGE", &key, "0", "-1", "WITHSCORES"],
    };
    let words = words.into_iter().map(str::to_owned).collect();
    (key, words)
}
