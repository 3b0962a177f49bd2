//! Random rules of users, given to an engine and to a redis-server: what ACL SETUSER answers, what
//! GETUSER tells, and above all what ACL DRYRUN lets pass, command by command and key by key. Rules
//! that either side prints are given back to both, and have to mean the same.
//!
//! ```text
//! cargo test -p keyslot-differential --test access                          the short form
//! KEYSLOT_COMMANDS=1000 cargo test -p keyslot-differential --test access    so many users
//! ```
//! A failure prints the seed.

#![allow(dead_code, reason = "streams need more of these modules")]

mod chance;
mod peer;
mod step;

use chance::{Chance, number_from_environment, seed};
use keyslot::resp::Reply;
use peer::{Keyslot, Peer, Redis};
use std::collections::BTreeSet;
use step::{Command, words};

/// Users in one test, unless KEYSLOT_COMMANDS says otherwise.
const USERS: u64 = 120;
/// Requests that each user is asked about.
const REQUESTS: usize = 60;

/// Commands of which 7.2 says more or takes more: WAIT blocks, others have more words. In PFMERGE
/// with a destination alone Redis finds no key, so that everybody may write to it.
const CHANGED: &[&str] =
    &["wait", "zrank", "zrevrank", "command|getkeys", "command|getkeysandflags", "pfmerge"];
const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "ALL",
    "nosuch",
];
/// Names of commands in rules: the common ones, containers, subcommands, and what is none.
const NAMES: &[&str] = &[
    "get",
    "SET",
    "mget",
    "del",
    "copy",
    "sort",
    "bitfield",
    "zadd",
    "xadd",
    "blpop",
    "publish",
    "subscribe",
    "config",
    "config|get",
    "CONFIG|SET",
    "client",
    "client|id",
    "object|freq",
    "select",
    "select|0",
    "select|1",
    "ping",
    "auth",
    "memory|usage",
    "acl",
    "acl|whoami",
    "nosuch",
    "config|nosuch",
    "config|",
    "config|get|x",
    "|get",
    "get|",
];
const PATTERNS: &[&str] = &["*", "a*", "b", "?1", "[ab]*", "", "a b", "ch*", "\u{e9}"];
const PASSWORDS: &[&str] = &[
    "p",
    "q",
    "",
    "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
    "FCDE2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
    "12",
];
const WORDS: &[&str] = &[
    "on",
    "OFF",
    "nopass",
    "resetpass",
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
    "clearselectors",
    "reset",
    "sanitize-payload",
    "skip-sanitize-payload",
    "",
    "what",
    "~*",
    "&*",
];
const KEYS: &[&str] = &["a1", "b", "b1", "c", "*", "\u{e9}"];
const CHANNELS: &[&str] = &["a1", "b", "ch*", "ch1", "*"];

/// Requests: `k` stands for a key, `c` for a channel.
const TEMPLATES: &[&str] = &[
    "GET k",
    "SET k v",
    "SET k v GET",
    "SET k v XX GET",
    "MGET k k k",
    "MSET k 1 k 2",
    "DEL k k",
    "COPY k k",
    "RENAME k k",
    "SORT k",
    "SORT k STORE k",
    "SORT_RO k",
    "LMOVE k k LEFT RIGHT",
    "BITFIELD k GET u8 0",
    "BITFIELD k SET u8 0 1",
    "BITFIELD_RO k GET u8 0",
    "BITOP AND k k k",
    "ZUNIONSTORE k 2 k k",
    "ZUNION 2 k k",
    "ZUNION 9 k k",
    "XREAD STREAMS k k 0 0",
    "XREADGROUP GROUP g n STREAMS k 0",
    "GEORADIUS k 0 0 1 m STORE k",
    "BLPOP k k 0",
    "OBJECT FREQ k",
    "MEMORY USAGE k",
    "SMOVE k k m",
    "PFMERGE k k",
    "PFCOUNT k k",
    "GETEX k",
    "GETDEL k",
    "INCR k",
    "APPEND k v",
    "STRLEN k",
    "EXISTS k k",
    "TYPE k",
    "TTL k",
    "EXPIRE k 1",
    "TOUCH k",
    "LPUSH k v",
    "HGETALL k",
    "HSET k f v",
    "SADD k m",
    "SINTERCARD 2 k k",
    "LCS k k",
    "MIGRATE h 1 k 0 1",
    "MIGRATE h 1 \"\" 0 1 KEYS k k",
    "WATCH k",
    "RESTORE k 0 p",
    "DUMP k",
    "PUBLISH c m",
    "SPUBLISH c m",
    "SUBSCRIBE c c",
    "PSUBSCRIBE c c",
    "SSUBSCRIBE c",
    "UNSUBSCRIBE c",
    "SELECT 0",
    "SELECT 1",
    "PING",
    "AUTH p",
    "HELLO 3",
    "CONFIG GET x",
    "CLIENT ID",
    "DBSIZE",
    "KEYS *",
    "SCAN 0",
    "FLUSHALL",
    "MULTI",
    "EXEC",
    "LMPOP 2 k k LEFT",
    "BZMPOP 0 1 k MIN",
    "ZRANGESTORE k k 0 1",
    "XGROUP CREATE k g 0",
    "XINFO STREAM k",
];

/// Writes what is asked of both sides.
struct Author {
    chance: Chance,
}

impl Author {
    fn rule(&mut self) -> String {
        let chance = &mut self.chance;
        match chance.below(24) {
            0..=6 => format!("{}{}", chance.pick(&["+", "+", "-"]), chance.pick(NAMES)),
            7..=10 => format!("{}@{}", chance.pick(&["+", "-"]), chance.pick(CATEGORIES)),
            11..=14 => {
                let uses = chance
                    .pick(&["~", "~", "%R~", "%W~", "%RW~", "%wr~", "%X~", "%RR~", "%~", "%R"]);
                format!("{uses}{}", chance.pick(PATTERNS))
            }
            15..=16 => format!("&{}", chance.pick(PATTERNS)),
            17..=18 => {
                format!("{}{}", chance.pick(&[">", "<", "#", "!"]), chance.pick(PASSWORDS))
            }
            19..=20 if chance.one_in(2) => self.selector(),
            _ => (*chance.pick(WORDS)).to_owned(),
        }
    }

    fn selector(&mut self) -> String {
        let count = self.chance.below(4);
        let rules: Vec<String> = (0..count).map(|_| self.simple_rule()).collect();
        let end = if self.chance.one_in(20) { "" } else { ")" };
        format!("({}{end}", rules.join(" "))
    }

    /// A rule that is seldom refused.
    fn simple_rule(&mut self) -> String {
        let chance = &mut self.chance;
        match chance.below(4) {
            0 => format!("+{}", chance.pick(&["get", "set", "copy", "publish", "config|get"])),
            1 => format!("{}@{}", chance.pick(&["+", "-"]), chance.pick(&CATEGORIES[..18])),
            2 => format!("{}{}", chance.pick(&["~", "%R~", "%W~"]), chance.pick(&PATTERNS[1..5])),
            _ => format!("&{}", chance.pick(&PATTERNS[1..5])),
        }
    }

    /// ACL SETUSER; most rules are right, so that users become something.
    fn setuser(&mut self) -> Command {
        let mut command = words(&["ACL", "SETUSER", "u"]);
        for _ in 0..self.chance.below(6) {
            let is_wild = self.chance.one_in(5);
            let rule = if is_wild { self.rule() } else { self.simple_rule() };
            // The words of a selector may come in one or each by itself.
            if rule.starts_with('(') && self.chance.one_in(2) {
                command.extend(rule.split(' ').map(|word| word.as_bytes().to_vec()));
            } else {
                command.push(rule.into_bytes());
            }
        }
        command
    }

    /// ACL DRYRUN of a request of the user.
    fn dryrun(&mut self, user: &str, known: &[String]) -> Command {
        let mut command = words(&["ACL", "DRYRUN", user]);
        if self.chance.one_in(3) {
            let name = &known[self.chance.below(known.len() as u64) as usize];
            command.extend(name.split('|').map(|word| word.as_bytes().to_vec()));
            command.extend((0..self.chance.below(4)).map(|_| b"a1".to_vec()));
            return command;
        }
        for word in self.chance.pick(TEMPLATES).split(' ') {
            let word = match word {
                "k" => self.chance.pick(KEYS),
                "c" => self.chance.pick(CHANNELS),
                other => other,
            };
            command.push(word.trim_matches('"').as_bytes().to_vec());
        }
        command
    }
}

fn names(reply: &Reply) -> BTreeSet<String> {
    let Reply::Array(names) = reply else { panic!("not a list: {reply:?}") };
    let text = |name: &Reply| match name {
        Reply::Bulk(text) => String::from_utf8(text.to_vec()).expect("names are text"),
        other => panic!("not a name: {other:?}"),
    };
    names.iter().map(text).collect()
}

/// What a reply says, in the words of 7.0, which does not name the user.
fn said(reply: &Reply) -> String {
    format!("{reply:?}")
        .replace("User u has", "This user has")
        .replace("User v has", "This user has")
}

/// The fields of GETUSER that 7.0 prints as 7.2 does: rules on commands are printed anew there.
fn told(reply: &Reply) -> String {
    let Reply::Array(fields) = reply else { return format!("{reply:?}") };
    let pairs = fields.chunks(2).filter(|pair| pair[0] != Reply::Bulk(b"commands"[..].into()));
    pairs
        .map(|pair| match &pair[1] {
            Reply::Array(parts) if parts.iter().any(|part| matches!(part, Reply::Array(_))) => {
                parts.iter().map(told).collect::<Vec<_>>().join(" | ")
            }
            other => format!("{:?}={other:?}", pair[0]),
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn ask(side: &mut dyn Peer, command: &Command) -> Reply {
    side.ask(command).unwrap_or_else(|fault| panic!("{fault}: {}", shown(command)))
}

fn shown(command: &Command) -> String {
    command.iter().map(|word| format!("'{}'", word.escape_ascii())).collect::<Vec<_>>().join(" ")
}

/// The rules of a user as ACL LIST prints them.
fn printed_rules(side: &mut dyn Peer, user: &str) -> Vec<Vec<u8>> {
    let start = format!("user {user} ");
    let Reply::Array(lines) = ask(side, &words(&["ACL", "LIST"])) else { panic!("no list") };
    for line in lines {
        let Reply::Bulk(line) = line else { panic!("no line") };
        if let Some(rules) = line.strip_prefix(start.as_bytes()) {
            return rules.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect();
        }
    }
    panic!("no user {user}")
}

/// Rules without those on commands that one side alone knows.
fn on_known_commands(rules: Vec<Vec<u8>>, known: &[String]) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for rule in rules {
        let text = String::from_utf8_lossy(&rule).into_owned();
        let name = text.trim_end_matches(')').strip_prefix(['+', '-']);
        let container = name.and_then(|name| name.split('|').next());
        match container {
            Some(name) if !name.starts_with('@') && !known.iter().any(|known| known == name) => {
                if let (true, Some(last)) = (text.ends_with(')'), kept.last_mut()) {
                    last.push(b')');
                }
            }
            _ => kept.push(rule),
        }
    }
    kept
}

#[test]
fn users_may_what_they_may_in_redis() {
    let seed = seed();
    println!("KEYSLOT_SEED={seed}");
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    let list = words(&["COMMAND", "LIST"]);
    let known = names(&ask(&mut ours, &list));
    let known_there = names(&ask(&mut theirs, &list));
    let known: Vec<String> = known.intersection(&known_there).cloned().collect();
    let is_asked = |name: &&String| !CHANGED.contains(&name.as_str());
    let asked: Vec<String> = known.iter().filter(is_asked).cloned().collect();
    let mut author = Author { chance: Chance::new(seed) };
    let (mut refused, mut denied, mut allowed) = (0, 0, 0);
    for number in 0..number_from_environment("KEYSLOT_COMMANDS").unwrap_or(USERS) {
        let mut history = vec![words(&["ACL", "SETUSER", "u", "reset"])];
        history.extend((0..3).map(|_| author.setuser()));
        let story = |history: &[Command]| history.iter().map(shown).collect::<Vec<_>>().join("\n");
        for command in &history {
            let (left, right) = (ask(&mut ours, command), ask(&mut theirs, command));
            assert_eq!(left, right, "user {number}\n{}", story(&history));
            refused += u64::from(matches!(left, Reply::Error(_)));
        }
        let getuser = words(&["ACL", "GETUSER", "u"]);
        let (left, right) = (ask(&mut ours, &getuser), ask(&mut theirs, &getuser));
        assert_eq!(told(&left), told(&right), "user {number}\n{}", story(&history));
        // What either side prints means the same to both.
        for rules in [printed_rules(&mut ours, "u"), printed_rules(&mut theirs, "u")] {
            let mut again = words(&["ACL", "SETUSER", "v", "reset"]);
            again.extend(on_known_commands(rules, &known));
            let (left, right) = (ask(&mut ours, &again), ask(&mut theirs, &again));
            assert_eq!(left, right, "{}", shown(&again));
            if left != Reply::Status("OK".into()) {
                // `%RW~*` is printed as `~*`, after which no pattern is taken.
                continue;
            }
            let requests: Vec<Command> =
                (0..REQUESTS).map(|_| author.dryrun("u", &asked)).collect();
            for request in requests {
                let of_copy: Command = request
                    .iter()
                    .enumerate()
                    .map(|(at, word)| if at == 2 { b"v".to_vec() } else { word.clone() })
                    .collect();
                let verdict = said(&ask(&mut theirs, &request));
                denied += u64::from(verdict.contains("no permissions"));
                allowed += u64::from(verdict.contains("OK"));
                let others = [
                    ask(&mut ours, &request),
                    ask(&mut ours, &of_copy),
                    ask(&mut theirs, &of_copy),
                ];
                for other in &others {
                    assert_eq!(
                        said(other),
                        verdict,
                        "user {number}: {}\n{}\n{}",
                        shown(&request),
                        story(&history),
                        shown(&again)
                    );
                }
            }
        }
    }
    println!("{refused} rules refused, {denied} requests denied, {allowed} allowed");
    assert!(refused > 0 && denied > 0 && allowed > 0);
}
