//! Compares what COMMAND says with what a real redis-server 7.0 says, for every command that both
//! have. The reference is Redis 7.2, so the places where that differs from 7.0 are listed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use keyslot::{Engine, Session};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A field of COMMAND INFO where Redis 7.2 differs from 7.0, and why.
const CHANGED: &[(&str, &str, &str)] = &[
    ("command|getkeys", "arity", "7.2 takes a command without arguments"),
    ("command|getkeysandflags", "arity", "7.2 takes a command without arguments"),
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

/// Every command and subcommand by its name in full.
fn by_name(commands: &Reply) -> BTreeMap<String, Vec<Reply>> {
    let mut all = BTreeMap::new();
    for command in commands.list() {
        all.insert(command.list()[0].text().to_owned(), command.list().to_vec());
        all.append(&mut by_name(&command.list()[9]));
    }
    all
}

fn comparable(field: &str, value: &Reply) -> Reply {
    match value {
        Reply::List(parts) if UNORDERED.contains(&field) => {
            let mut parts = parts.clone();
            parts.sort();
            Reply::List(parts)
        }
        other => other.clone(),
    }
}

#[test]
fn command_info_is_that_of_redis() {
    let server = Server::start();
    let theirs = by_name(&ask_server(&mut server.connect(), "COMMAND\r\n"));
    let ours = by_name(&ask_engine(&mut Engine::default().session(), "COMMAND\r\n"));
    let mut differences = Vec::new();
    let mut listed = 0;
    for (name, info) in &ours {
        let Some(reference) = theirs.get(name) else { continue };
        for (number, field) in FIELDS.iter().enumerate() {
            let (left, right) = (&info[number], &reference[number]);
            let same = comparable(field, left) == comparable(field, right);
            let changed = CHANGED.iter().any(|(one, part, _)| one == name && part == field);
            listed += usize::from(changed);
            if same == changed {
                differences.push(format!("{name}: {field}\n  ours   {left:?}\n  theirs {right:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(listed, CHANGED.len(), "a listed change is about a command that is not there");
}

#[test]
fn every_command_can_be_asked_for_by_name() {
    let mut session = Engine::default().session();
    let all = by_name(&ask_engine(&mut session, "COMMAND\r\n"));
    assert!(all.contains_key("get") && all.contains_key("command|info"));
    for (name, info) in all {
        let reply = ask_engine(&mut session, &format!("COMMAND INFO {}\r\n", name.to_uppercase()));
        assert_eq!(reply, Reply::List(vec![Reply::List(info)]));
    }
    assert_eq!(
        ask_engine(&mut session, "COMMAND INFO nosuch get|nosuch command|nosuch\r\n"),
        Reply::List(vec![Reply::Null, Reply::Null, Reply::Null])
    );
}
