//! What sessions say, by chance: few keys and few channels, so that they meet.

use crate::chance::Chance;
use std::fmt;

/// How many sessions talk. The first ones work, the last two listen; the very last speaks RESP3.
pub(crate) const SESSIONS: usize = 5;
const WORKERS: u64 = 3;

/// What one session says. The word `#3` stands for the number that CLIENT ID answers to the session at
/// place 3.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) session: usize,
    pub(crate) words: Vec<String>,
}

impl Line {
    pub(crate) fn new(session: usize, words: &[&str]) -> Self {
        Self { session, words: words.iter().map(|&word| word.to_owned()).collect() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.session, self.words.join(" "))
    }
}

const KEYS: [&str; 4] = ["k", "l", "{k}m", "n"];
/// Keys of lists that sessions wait for.
const QUEUES: [&str; 3] = ["q", "r", "{q}s"];
const CHANNELS: [&str; 4] = ["news", "{k}c", "__keyevent@0__:set", "__redis__:invalidate"];
const PATTERNS: [&str; 4] = ["n*", "__key*__:*", "__keyspace@1__:*", "[a-z]ews"];

/// A conversation.
#[derive(Debug)]
pub(crate) struct Talk {
    chance: Chance,
    /// Whether sessions wait. Then no databases are exchanged: when that brings several keys at
    /// once, the order in which Redis serves them is that of a table.
    waits: bool,
    /// Whether sessions keep copies of what they read. None waits then: what Redis tells of all
    /// changes it tells when it has served everybody whose turn it was.
    tracks: bool,
    /// Whether the last session is in a transaction. It does not choose how it tracks there: what it
    /// hears then of changes before depends in Redis on what others have chosen.
    queues: bool,
    /// How many entries were added to the stream.
    entries: u64,
}

impl Talk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let tracks = chance.one_in(2);
        let waits = !tracks && !chance.one_in(3);
        Self { chance, waits, tracks, queues: false, entries: 0 }
    }

    pub(crate) fn line(&mut self) -> Line {
        if self.tracks && self.chance.one_in(3) {
            return self.tracking();
        }
        let listener = self.chance.one_in(4);
        let session = if listener && self.tracks {
            // The last one is in transactions then, in which Redis 7.0 puts its own messages.
            WORKERS
        } else if listener {
            WORKERS + self.chance.below(SESSIONS as u64 - WORKERS)
        } else {
            // The last of the workers keeps copies then, and does nothing else.
            self.chance.below(WORKERS - u64::from(self.tracks))
        };
        let words = match session {
            _ if listener => self.listening(),
            // The first one always has a hand free to give the others what they wait for.
            1.. if self.waits && self.chance.one_in(6) => self.waiting(),
            _ if self.chance.one_in(4) => self.giving(),
            _ => self.working(),
        };
        let words: Vec<&str> = words.split(' ').collect();
        Line::new(session as usize, &words)
    }

    /// What a session says that keeps copies: the last one, which is told of it by pushes, or
    /// one on whose behalf one of the listeners is told.
    fn tracking(&mut self) -> Line {
        let session = if self.chance.one_in(3) { 2 } else { 4 };
        let choice = match session {
            4 => self.chance.pick(&[
                "ON",
                "ON",
                "ON NOLOOP",
                "ON OPTIN",
                "ON OPTOUT",
                "ON BCAST",
                "ON BCAST NOLOOP",
                "ON BCAST PREFIX k PREFIX n",
                "ON BCAST PREFIX k PREFIX kk",
                "OFF",
                "OFF",
                "ON x",
                "ON PREFIX k",
                "ON REDIRECT 0",
                "ON REDIRECT x",
                "x",
                "ON OPTIN OPTOUT",
                "ON BCAST OPTIN",
                "OFF x",
            ]),
            _ => self.chance.pick(&[
                "ON REDIRECT #3",
                "ON BCAST REDIRECT #3",
                "ON",
                "OFF",
                "ON REDIRECT #3 REDIRECT #4",
            ]),
        };
        let (one, other) = (self.key(), self.key());
        let words = match self.chance.below(12) {
            0..=3 if session == 4 && self.queues => "EXEC".to_owned(),
            0..=3 => format!("CLIENT TRACKING {choice}"),
            4 => format!("CLIENT CACHING {}", self.chance.pick(&["YES", "NO", "x"])),
            5 if session == 4 => "CLIENT TRACKINGINFO".to_owned(),
            5 => "PING".to_owned(),
            6 => format!("SET {one} own"),
            7 => format!("MGET {one} {other}"),
            8 => format!("EXISTS {one} {other}"),
            9 if session == 4 => self.chance.pick(&["MULTI", "EXEC"]).to_owned(),
            _ => format!("GET {one}"),
        };
        match words.as_str() {
            "MULTI" => self.queues = true,
            "EXEC" => self.queues = false,
            _ => {}
        }
        Line::new(session as usize, &words.split(' ').collect::<Vec<_>>())
    }

    fn key(&mut self) -> &'static str {
        self.chance.pick(&KEYS)
    }

    fn working(&mut self) -> String {
        match self.chance.below(10) {
            0..=2 => self.transaction(),
            3..=6 => self.write(),
            7 => format!("PUBLISH {} {}", self.chance.pick(&CHANNELS), self.chance.below(100)),
            8 => format!("SPUBLISH {} {}", self.chance.pick(&CHANNELS), self.chance.below(100)),
            _ => self.question(),
        }
    }

    /// A command that may wait. It waits for one key only: when several come at once, Redis 7.0 and
    /// 7.2 choose differently.
    fn waiting(&mut self) -> String {
        let (one, other) = (self.chance.pick(&QUEUES), self.chance.pick(&QUEUES));
        match self.chance.below(9) {
            0 | 1 => format!("BLPOP {one} 0"),
            2 => format!("BRPOP {one} 0"),
            3 => format!("BLMOVE {one} {other} LEFT RIGHT 0"),
            4 => format!("BRPOPLPUSH {one} {other} 0"),
            5 => format!("BLMPOP 0 1 {one} RIGHT COUNT 2"),
            6 => "BZPOPMIN z 0".to_owned(),
            7 => "BZMPOP 0 1 z MAX COUNT 2".to_owned(),
            _ => "XREAD BLOCK 0 STREAMS x $".to_owned(),
        }
    }

    /// A command that brings what others wait for, or takes it away.
    fn giving(&mut self) -> String {
        let (one, other) = (self.chance.pick(&QUEUES), self.chance.pick(&QUEUES));
        let number = self.chance.below(50);
        match self.chance.below(14) {
            0..=2 => format!("RPUSH {one} {number}"),
            3 | 4 => format!("LPUSH {one} a b {number}"),
            5 => format!("LPOP {one}"),
            6 => format!("DEL {one}"),
            7 => format!("RENAME {one} {other}"),
            8 | 9 => format!("ZADD z {number} m{number} 3 n"),
            10 => format!("SET {one} v"),
            11 => format!("LRANGE {one} 0 -1"),
            12 => "DEL z x".to_owned(),
            _ => {
                self.entries += 1;
                format!("XADD x {}-1 f {number}", self.entries)
            }
        }
    }

    fn transaction(&mut self) -> String {
        let (one, other) = (self.key(), self.key());
        let forms = [
            "MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "UNWATCH", "EXEC x", "NOSUCH",
            "GET", "RESET",
        ];
        match self.chance.below(forms.len() as u64 + 5) {
            0..=2 => format!("WATCH {one}"),
            3 | 4 => format!("WATCH {one} {other}"),
            _ => self.chance.pick(&forms).to_owned(),
        }
    }

    fn write(&mut self) -> String {
        let (one, other, number) = (self.key(), self.key(), self.chance.below(50));
        match self.chance.below(22) {
            0..=3 => format!("SET {one} {number}"),
            4 => format!("INCR {one}"),
            5 => format!("APPEND {one} {number}"),
            6 => format!("DEL {one} {other}"),
            7 => format!("EXPIRE {one} 1000"),
            8 => format!("PERSIST {one}"),
            9 => format!("RENAME {one} {other}"),
            10 => format!("COPY {one} {other} REPLACE"),
            11 => format!("MSET {one} 1 {other} 2"),
            12 => format!("GETDEL {one}"),
            13 => format!("SETEX {one} 1000 {number}"),
            14 => format!("SETRANGE {one} {number} x"),
            15 => format!("MOVE {one} 1"),
            16 if self.waits => "PING".to_owned(),
            16 => "SWAPDB 0 1".to_owned(),
            17 => format!("SELECT {}", self.chance.below(2)),
            18 => self.chance.pick(&["FLUSHDB", "FLUSHALL"]).to_owned(),
            19 => format!("EXPIRE {one} -1"),
            20 => format!("INCRBYFLOAT {one} 0.5"),
            _ => format!("GETEX {one} PERSIST"),
        }
    }

    fn question(&mut self) -> String {
        let channel = self.chance.pick(&CHANNELS);
        match self.chance.below(7) {
            0 => format!("GET {}", self.key()),
            1 => "DBSIZE".to_owned(),
            2 => format!("PUBSUB CHANNELS {channel}"),
            3 => format!("PUBSUB NUMSUB {channel}"),
            4 => "PUBSUB NUMPAT".to_owned(),
            5 => format!("PUBSUB SHARDCHANNELS {channel}"),
            _ => format!("PUBSUB SHARDNUMSUB {channel}"),
        }
    }

    fn listening(&mut self) -> String {
        let (channel, pattern) = (self.chance.pick(&CHANNELS), self.chance.pick(&PATTERNS));
        match self.chance.below(14) {
            0 | 1 => format!("SUBSCRIBE {channel}"),
            2 | 3 => format!("PSUBSCRIBE {pattern}"),
            4 | 5 => format!("SSUBSCRIBE {channel}"),
            6 => format!("UNSUBSCRIBE {channel} news"),
            7 => format!("PUNSUBSCRIBE {pattern}"),
            8 => format!("SUNSUBSCRIBE {channel}"),
            9 => "PING".to_owned(),
            10 => "PING x".to_owned(),
            11 => format!("SET {} 1", self.key()),
            12 => format!("PUBLISH {channel} own"),
            _ => self.chance.pick(&["GET k", "CONFIG NOSUCH", "CLIENT GETNAME"]).to_owned(),
        }
    }
}
