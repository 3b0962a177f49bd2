//! Servers for a test: keyslot-server and redis-server as processes on loopback, each with a folder of
//! its own that goes with it, and a client for both.

#![allow(dead_code, reason = "no test needs all of it")]

pub(crate) mod load;

use bytes::BytesMut;
use keyslot::resp::{Reply, ReplyDecoder, ReplyLimits, encode_request};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is deleted when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("keyslot-server-{}-{number}", std::process::id());
        // In memory where there is such a folder: making files durable takes long on a disk.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(name);
        std::fs::create_dir_all(&path).expect("the folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that listens on loopback.
pub(crate) struct Server {
    process: Child,
    folder: Folder,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn keyslot(arguments: &[&str]) -> Self {
        Self::keyslot_at(free_port(), arguments)
    }

    pub(crate) fn keyslot_at(port: u16, arguments: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_keyslot-server");
        Self::start(Command::new(program).args(arguments), port)
    }

    /// A redis-server, which must be installed: what these tests show is that it and keyslot agree.
    pub(crate) fn redis(arguments: &[&str]) -> Self {
        Self::redis_at(free_port(), arguments)
    }

    pub(crate) fn redis_at(port: u16, arguments: &[&str]) -> Self {
        let mut command = Command::new("redis-server");
        Self::start(command.args(["--save", "", "--bind", "127.0.0.1"]).args(arguments), port)
    }

    fn start(command: &mut Command, port: u16) -> Self {
        let folder = Folder::new();
        let process = command
            .args(["--port", &port.to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Self { process, folder, port };
        drop(server.connect());
        server
    }

    /// Connects as soon as the server listens.
    pub(crate) fn connect(&self) -> Client {
        let start = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                return Client::new(stream);
            }
            assert!(start.elapsed() < PATIENCE, "the server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on, low enough for Redis to add 10,000 to it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() * 61 + NEXT.fetch_add(1, Relaxed);
        let port = 20_000 + (number % 10_000) as u16;
        if [port, port + 10_000].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        {
            return port;
        }
    }
}

/// A connection to a server.
pub(crate) struct Client {
    stream: TcpStream,
    input: BytesMut,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("it can be set");
        Self { stream, input: BytesMut::new() }
    }

    pub(crate) fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        let mut request = Vec::new();
        encode_request(words, &mut request);
        self.stream.write_all(&request).expect("the server reads");
        let mut decoder = ReplyDecoder::new(ReplyLimits::default());
        loop {
            if let Some(reply) = decoder.decode(&mut self.input).expect("the server speaks RESP") {
                return reply;
            }
            let mut buffer = [0; 16 << 10];
            let len = self.stream.read(&mut buffer).expect("the server answers");
            assert!(len > 0, "the server has closed the connection");
            self.input.extend_from_slice(&buffer[..len]);
        }
    }

    /// Asks in words that blanks separate, and returns the answer as text, one line a value.
    pub(crate) fn say(&mut self, request: &str) -> String {
        let words: Vec<&str> = request.split(' ').collect();
        let mut text = String::new();
        print(&self.ask(&words), &mut text);
        text.trim_end().to_owned()
    }
}

fn print(reply: &Reply, text: &mut String) {
    match reply {
        Reply::Status(bytes) | Reply::Error(bytes) | Reply::Bulk(bytes) => {
            text.push_str(&String::from_utf8_lossy(bytes));
            text.push('\n');
        }
        Reply::Integer(number) => text.push_str(&format!("{number}\n")),
        Reply::Null => text.push_str("nil\n"),
        Reply::Array(parts) => parts.iter().for_each(|part| print(part, text)),
        other => text.push_str(&format!("{other:?}\n")),
    }
}

/// Runs redis-cli to its end. Returns whether it was content, and what it printed.
pub(crate) fn redis_cli<A: AsRef<OsStr>>(arguments: &[A]) -> (bool, String) {
    let output =
        Command::new("redis-cli").args(arguments).output().expect("redis-cli is installed");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}
