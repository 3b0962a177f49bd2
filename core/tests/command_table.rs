//! Compares what COMMAND says with what a real redis-server 7.0 says, for every command that both
//! have. The reference is Redis 7.2, so the places where that differs from 7.0 are listed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use keyslot::{Engine, Session};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What COMMAND INFO and COMMAND DOCS say otherwise than Redis 7.0 does, and why.
const CHANGED: &[(&str, &str, &str)] = &[
    ("acl|cat", "arguments", "7.2 names them otherwise"),
    ("acl|deluser", "tips", "7.2 asks for all nodes"),
    ("acl|log", "history", "7.2 has more of each entry"),
    ("acl|save", "tips", "7.2 asks for all nodes"),
    ("acl|setuser", "tips", "7.2 asks for all nodes"),
    ("bitcount", "arguments", "7.2 names them otherwise, and Valkey 8.0 has no need of an end"),
    ("bitcount", "history", "Valkey 8.0 has no need of an end"),
    ("bitfield", "arguments", "7.2 names them otherwise"),
    ("bitfield_ro", "arguments", "7.2 names them otherwise"),
    ("bitop", "arguments", "7.2 names the operations"),
    ("bitop", "history", "8.2 has more operations"),
    ("bitpos", "arguments", "7.2 names them otherwise"),
    ("blmove", "flags", "7.2 lets scripts call it"),
    ("blpop", "flags", "7.2 lets scripts call it"),
    ("brpop", "flags", "7.2 lets scripts call it"),
    ("brpoplpush", "flags", "7.2 lets scripts call it"),
    ("bzpopmax", "flags", "7.2 lets scripts call it"),
    ("bzpopmin", "flags", "7.2 lets scripts call it"),
    ("client|kill", "arguments", "7.2 names them otherwise, and 7.4 has MAXAGE"),
    ("client|kill", "history", "7.4 has MAXAGE"),
    ("client|list", "arguments", "7.2 names them otherwise"),
    ("client|reply", "arguments", "7.2 names them otherwise"),
    ("client|setname", "tips", "7.2 asks for all nodes"),
    ("client|unblock", "arguments", "7.2 names them otherwise"),
    ("cluster|addslotsrange", "arguments", "7.2 names them otherwise"),
    ("cluster|delslotsrange", "arguments", "7.2 names them otherwise"),
    ("cluster|getkeysinslot", "complexity", "7.2 keeps the keys of a slot together"),
    ("cluster|meet", "arguments", "7.2 names them otherwise"),
    ("cluster|reset", "arguments", "7.2 names them otherwise"),
    ("cluster|shards", "flags", "7.2 answers while it loads"),
    ("cluster|slots", "flags", "7.2 answers while it loads"),
    ("command|getkeys", "arguments", "7.2 documents them"),
    ("command|getkeys", "arity", "7.2 takes a command without arguments"),
    ("command|getkeysandflags", "arguments", "7.2 documents them"),
    ("command|getkeysandflags", "arity", "7.2 takes a command without arguments"),
    ("config|get", "arguments", "7.2 has no block of one"),
    ("config|resetstat", "tips", "7.2 asks for all nodes"),
    ("config|rewrite", "tips", "7.2 asks for all nodes"),
    ("config|set", "arguments", "7.2 names them otherwise"),
    ("flushall", "arguments", "7.2 names them otherwise"),
    ("flushdb", "arguments", "7.2 names them otherwise"),
    ("function|flush", "arguments", "7.2 names them otherwise"),
    ("geoadd", "arguments", "7.2 names them otherwise"),
    ("geohash", "arguments", "7.2 names them otherwise"),
    ("geopos", "arguments", "7.2 names them otherwise"),
    ("georadius", "arguments", "7.2 names them otherwise"),
    ("georadius_ro", "arguments", "7.2 names them otherwise"),
    ("georadiusbymember", "arguments", "7.2 names them otherwise"),
    ("georadiusbymember_ro", "arguments", "7.2 names them otherwise"),
    ("geosearch", "arguments", "7.2 names them otherwise"),
    ("geosearchstore", "arguments", "7.2 names them otherwise"),
    ("hello", "arguments", "7.2 names them otherwise"),
    ("hmset", "arguments", "7.2 names them otherwise"),
    ("hscan", "arguments", "7.4 has NOVALUES"),
    ("hscan", "complexity", "7.2 has one full stop less"),
    ("hscan", "history", "7.4 has NOVALUES"),
    ("hset", "arguments", "7.2 names them otherwise"),
    ("lcs", "arguments", "7.2 names them otherwise"),
    ("migrate", "arguments", "7.2 names them otherwise"),
    ("module|loadex", "arguments", "7.2 has no block of one"),
    ("mset", "arguments", "7.2 names them otherwise"),
    ("msetnx", "arguments", "7.2 names them otherwise"),
    ("msetnx", "tips", "7.2 has none, since its keys cannot be parted"),
    ("pfmerge", "arguments", "7.2 says that sources may be missing"),
    ("psubscribe", "arguments", "7.2 has no block of one"),
    ("psubscribe", "complexity", "7.2 tells it otherwise"),
    ("punsubscribe", "complexity", "7.2 tells it otherwise"),
    ("quit", "deprecated_since", "7.2 deprecates it"),
    ("quit", "doc_flags", "7.2 deprecates it"),
    ("quit", "replaced_by", "7.2 deprecates it"),
    ("randomkey", "tips", "7.2 says how to join the replies"),
    ("scan", "tips", "7.2 says how to join the replies"),
    ("script|flush", "arguments", "7.2 names them otherwise"),
    ("set", "arguments", "Valkey 8.1 has IFEQ, and Redis 8.4 more of that kind"),
    ("set", "history", "Valkey 8.1 has IFEQ, and Redis 8.4 more of that kind"),
    ("shutdown", "arguments", "7.2 names them otherwise"),
    ("sort", "arguments", "7.2 names them otherwise"),
    ("sort_ro", "arguments", "7.2 names them otherwise"),
    ("sscan", "complexity", "7.2 has one full stop less"),
    ("sunsubscribe", "complexity", "7.2 tells it otherwise"),
    ("unsubscribe", "complexity", "7.2 tells it otherwise"),
    ("wait", "categories", "7.2 says that it blocks"),
    ("wait", "flags", "7.2 says that it blocks"),
    ("xadd", "arguments", "7.2 names them otherwise"),
    ("xadd", "history", "8.2 has KEEPREF, DELREF and ACKED"),
    ("xclaim", "arguments", "7.2 names them otherwise"),
    ("xgroup|create", "arguments", "7.2 names them otherwise"),
    ("xgroup|createconsumer", "arguments", "7.2 names them otherwise"),
    ("xgroup|delconsumer", "arguments", "7.2 names them otherwise"),
    ("xgroup|destroy", "arguments", "7.2 names them otherwise"),
    ("xgroup|setid", "arguments", "7.2 names them otherwise"),
    ("xinfo|consumers", "arguments", "7.2 names them otherwise"),
    ("xinfo|consumers", "history", "7.2 tells when a consumer was active"),
    ("xinfo|stream", "arguments", "7.2 names them otherwise"),
    ("xinfo|stream", "history", "7.2 tells when a consumer was active"),
    ("xreadgroup", "arguments", "7.2 names them otherwise"),
    ("xsetid", "arguments", "7.2 names them otherwise"),
    ("xtrim", "arguments", "8.2 has KEEPREF, DELREF and ACKED"),
    ("xtrim", "history", "8.2 has KEEPREF, DELREF and ACKED"),
    ("zadd", "arguments", "7.2 names them otherwise"),
    ("zrange", "arguments", "7.2 names them otherwise"),
    ("zrangebylex", "arguments", "7.2 names them otherwise"),
    ("zrangebyscore", "arguments", "7.2 names them otherwise"),
    ("zrangestore", "arguments", "7.2 names them otherwise"),
    ("zrank", "arguments", "7.2 has WITHSCORE"),
    ("zrank", "arity", "7.2 has WITHSCORE"),
    ("zrank", "history", "7.2 has WITHSCORE"),
    ("zrevrangebylex", "arguments", "7.2 names them otherwise"),
    ("zrevrangebyscore", "arguments", "7.2 names them otherwise"),
    ("zrevrank", "arguments", "7.2 has WITHSCORE"),
    ("zrevrank", "arity", "7.2 has WITHSCORE"),
    ("zrevrank", "history", "7.2 has WITHSCORE"),
];

const FIELDS: [&str; 9] = [
    "name",
    "arity",
    "flags",
    "first key",
    "last key",
    "step",
    "categories",
    "tips",
    "key specifications",
];

/// The parts of the table whose order means nothing.
const UNORDERED: [&str; 3] = ["flags", "categories", "tips"];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reply {
    Text(String),
    Number(i64),
    Null,
    List(Vec<Self>),
}

impl Reply {
    /// Reads one reply in RESP2. None if it is not whole yet.
    fn read(input: &mut &[u8]) -> Option<Self> {
        let end = input.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&input[..end]).unwrap().to_owned();
        *input = &input[end + 2..];
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" => Some(Self::Text(rest.into())),
            ":" => Some(Self::Number(rest.parse().unwrap())),
            "$" | "*" if rest == "-1" => Some(Self::Null),
            "$" => {
                let len: usize = rest.parse().unwrap();
                let text = input.get(..len)?;
                *input = input.get(len + 2..)?;
                Some(Self::Text(String::from_utf8(text.into()).unwrap()))
            }
            "*" => {
                let len: usize = rest.parse().unwrap();
                let parts: Option<Vec<_>> = (0..len).map(|_| Self::read(input)).collect();
                parts.map(Self::List)
            }
            _ => panic!("an unexpected reply: {line}"),
        }
    }

    fn list(&self) -> &[Self] {
        match self {
            Self::List(parts) => parts,
            _ => panic!("not a list: {self:?}"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => panic!("not a text: {self:?}"),
        }
    }
}

/// A redis-server of this test's own, on a socket in a directory of its own.
struct Server {
    child: Child,
    directory: PathBuf,
}

impl Server {
    fn start() -> Self {
        let name = format!("keyslot-command-table-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--daemonize", "no", "--unixsocket"])
            .arg(directory.join("socket"))
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (Debian's package of that name) has to be installed");
        Self { child, directory }
    }

    fn connect(&self) -> UnixStream {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match UnixStream::connect(self.directory.join("socket")) {
                Ok(stream) => return stream,
                Err(error) => assert!(Instant::now() < deadline, "no redis-server: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn ask_server(stream: &mut UnixStream, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut input, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let len = stream.read(&mut piece).unwrap();
        assert!(len > 0, "redis-server closed the connection");
        input.extend_from_slice(&piece[..len]);
        if let Some(reply) = Reply::read(&mut &*input) {
            return reply;
        }
    }
}

fn ask_engine(session: &mut Session, request: &str) -> Reply {
    session.feed(request.as_bytes());
    let output = session.take_output();
    let mut rest = &*output;
    let reply = Reply::read(&mut rest).expect("a whole reply");
    assert!(rest.is_empty(), "more than one reply to {request:?}");
    reply
}

/// What is said of each command and subcommand, by its name in full.
type Table = BTreeMap<String, BTreeMap<String, Reply>>;

/// What COMMAND says.
fn information(commands: &Reply) -> Table {
    let mut all = Table::new();
    for command in commands.list() {
        let fields = FIELDS.iter().zip(command.list());
        let fields = fields.map(|(field, value)| (field.to_string(), sorted(field, value)));
        all.insert(command.list()[0].text().to_owned(), fields.collect());
        all.append(&mut information(&command.list()[9]));
    }
    all
}

fn sorted(field: &str, value: &Reply) -> Reply {
    match value {
        Reply::List(parts) if UNORDERED.contains(&field) => {
            let mut parts = parts.clone();
            parts.sort();
            Reply::List(parts)
        }
        other => other.clone(),
    }
}

/// What COMMAND DOCS says, without the summaries, which 7.2 worded anew.
fn documents(commands: &Reply) -> Table {
    let mut all = Table::new();
    for pair in commands.list().chunks(2) {
        let mut fields = BTreeMap::new();
        for field in pair[1].list().chunks(2) {
            match field[0].text() {
                "summary" => {}
                "subcommands" => all.append(&mut documents(&field[1])),
                name => {
                    fields.insert(name.to_owned(), without_display_text(&field[1]));
                }
            }
        }
        all.insert(pair[0].text().to_owned(), fields);
    }
    all
}

/// A tree of arguments as 7.0 writes it.
fn without_display_text(reply: &Reply) -> Reply {
    let Reply::List(parts) = reply else { return reply.clone() };
    let label = parts.iter().position(|part| *part == Reply::Text("display_text".into()));
    let is_kept = |place: usize| label.is_none_or(|label| place != label && place != label + 1);
    let kept = parts.iter().enumerate().filter(|(place, _)| is_kept(*place));
    Reply::List(kept.map(|(_, part)| without_display_text(part)).collect())
}

/// Says where two tables differ, apart from what is listed and from commands of one side only.
fn differences(ours: &Table, theirs: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (name, fields) in ours {
        let Some(reference) = theirs.get(name) else { continue };
        let labels: BTreeSet<_> = fields.keys().chain(reference.keys()).collect();
        for label in labels {
            let (left, right) = (fields.get(label), reference.get(label));
            let changed = CHANGED.iter().any(|(one, part, _)| one == name && part == label);
            if (left == right) == changed {
                found.push(format!("{name}: {label}\n  ours   {left:?}\n  theirs {right:?}"));
            }
        }
    }
    found
}

#[test]
fn command_info_and_docs_are_those_of_redis() {
    let server = Server::start();
    let mut stream = server.connect();
    let mut session = Engine::default().session();
    let theirs = information(&ask_server(&mut stream, "COMMAND\r\n"));
    let ours = information(&ask_engine(&mut session, "COMMAND\r\n"));
    let mut found = differences(&ours, &theirs);
    let theirs = documents(&ask_server(&mut stream, "COMMAND DOCS\r\n"));
    let ours = documents(&ask_engine(&mut session, "COMMAND DOCS\r\n"));
    found.extend(differences(&ours, &theirs));
    assert!(found.is_empty(), "{}", found.join("\n"));
    for (name, _, _) in CHANGED {
        assert!(ours.contains_key(*name), "{name} is listed and not there");
    }
}

#[test]
fn every_command_can_be_asked_for_by_name() {
    let mut session = Engine::default().session();
    let mut whole = ask_engine(&mut session, "COMMAND\r\n").list().to_vec();
    let inner: Vec<_> = whole.iter().flat_map(|one| one.list()[9].list().to_vec()).collect();
    whole.extend(inner);
    assert!(whole.len() > 20);
    for info in whole {
        let name = info.list()[0].text().to_uppercase();
        let reply = ask_engine(&mut session, &format!("COMMAND INFO {name}\r\n"));
        assert_eq!(reply, Reply::List(vec![info]));
    }
    assert_eq!(
        ask_engine(&mut session, "COMMAND INFO nosuch get|nosuch command|nosuch\r\n"),
        Reply::List(vec![Reply::Null, Reply::Null, Reply::Null])
    );
}
