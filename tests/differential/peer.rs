//! The two sides of a comparison: an engine in this process, and a redis-server that is started
//! here and ends with its owner. Both take requests and give replies.

use crate::step::{Command, words};
use bytes::{Bytes, BytesMut};
use keyslot::resp::{Reply, ReplyDecoder, encode_request};
use keyslot::{Engine, EngineOptions, Session};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The longest string on both sides, in bytes: the least that Redis takes, so that commands reach
/// it soon.
const BULK_LEN_MAX: &str = "1048576";

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// One side of a comparison.
pub(crate) trait Peer {
    /// Empties the side and opens a connection that speaks this version of RESP.
    fn restart(&mut self, version: u8);

    /// Sends commands at once and returns the replies, of which there are `answered`. Fails with
    /// what is wrong if the replies are none, or more.
    fn exchange(&mut self, commands: &[Command], answered: usize) -> Result<Vec<Reply>, String>;

    /// Sends one command.
    fn ask(&mut self, command: &Command) -> Result<Reply, String> {
        let replies = self.exchange(std::slice::from_ref(command), 1)?;
        Ok(replies.into_iter().next().expect("one reply was asked for"))
    }
}

/// Every so many commands of a batch one is sent as a line, in quotes.
const LINE_EVERY: usize = 11;

/// Bytes of a line's words at most: a quoted byte takes four, and Redis takes lines of 64 kB.
const LINE_LEN_MAX: usize = 10_000;

fn encode(commands: &[Command]) -> Vec<u8> {
    let mut request = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let is_short = command.iter().map(Vec::len).sum::<usize>() < LINE_LEN_MAX;
        if at % LINE_EVERY == LINE_EVERY - 1 && is_short {
            encode_line(command, &mut request);
        } else {
            encode_request(command, &mut request);
        }
    }
    request
}

fn encode_line(command: &Command, out: &mut Vec<u8>) {
    for word in command {
        out.push(b'"');
        for byte in word {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'-' => out.push(*byte),
                _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        out.extend_from_slice(b"\" ");
    }
    out.extend_from_slice(b"\r\n");
}

/// An engine and a session with it.
pub(crate) struct Keyslot {
    session: Session,
    decoder: ReplyDecoder,
}

impl Keyslot {
    pub(crate) fn new() -> Self {
        let settings = [("proto-max-bulk-len", BULK_LEN_MAX), ("enable-debug-command", "yes")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let engine = Engine::new(EngineOptions { settings, ..EngineOptions::default() });
        Self { session: engine.session(), decoder: ReplyDecoder::default() }
    }

    fn decode(&mut self, answered: usize) -> Result<Vec<Reply>, String> {
        let mut output = Bytes::from(self.session.take_output());
        let mut replies = Vec::with_capacity(answered);
        while let Some(reply) =
            self.decoder.decode_shared(&mut output).map_err(|error| error.to_string())?
        {
            replies.push(reply);
        }
        if replies.len() != answered || !output.is_empty() {
            let rest = output.escape_ascii();
            return Err(format!("{} replies, not {answered}; then '{rest}'", replies.len()));
        }
        Ok(replies)
    }
}

impl Peer for Keyslot {
    fn restart(&mut self, version: u8) {
        *self = Self::new();
        self.ask(&words(&["HELLO", &version.to_string()])).expect("keyslot speaks both versions");
    }

    fn exchange(&mut self, commands: &[Command], answered: usize) -> Result<Vec<Reply>, String> {
        let request = encode(commands);
        // Cut somewhere, as a network would.
        let (start, end) = request.split_at(request.len() * 2 / 3);
        let feed = || {
            self.session.feed(start);
            self.session.feed(end);
        };
        // The engine is thrown away after a panic, so nobody sees what it left behind.
        catch_unwind(AssertUnwindSafe(feed)).map_err(|_| "panicked".to_owned())?;
        self.decode(answered)
    }
}

/// A redis-server with a connection to it. Ends with its owner.
pub(crate) struct Redis {
    process: Child,
    directory: PathBuf,
    stream: UnixStream,
    input: BytesMut,
    decoder: ReplyDecoder,
}

impl Redis {
    /// Starts a server in a directory of its own, where it keeps nothing but its socket.
    ///
    /// # Panics
    /// If redis-server is not installed or does not open its socket.
    pub(crate) fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let name = format!("keyslot-differential-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the temporary directory takes another one");
        let socket = directory.join("redis.sock");
        let mut process = std::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--proto-max-bulk-len", BULK_LEN_MAX, "--enable-debug-command", "yes"])
            .args(["--loglevel", "warning", "--unixsocket"])
            .arg(&socket)
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server is needed (apt-get install redis-server): {error}")
            });
        let Some(stream) = connect(&socket) else {
            // It never answered; whatever is left of it goes.
            let _ = process.kill();
            panic!("redis-server did not open its socket within {PATIENCE:?}");
        };
        let (input, decoder) = (BytesMut::new(), ReplyDecoder::default());
        Self { process, directory, stream, input, decoder }
    }
}

/// Connects as soon as the server listens.
fn connect(socket: &PathBuf) -> Option<UnixStream> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(stream) = UnixStream::connect(socket) {
            stream.set_read_timeout(Some(PATIENCE)).expect("the patience is not zero");
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

impl Peer for Redis {
    fn restart(&mut self, version: u8) {
        let socket = self.directory.join("redis.sock");
        self.stream = connect(&socket).expect("redis-server is alive");
        (self.input, self.decoder) = (BytesMut::new(), ReplyDecoder::default());
        let version = version.to_string();
        let usual = ["CONFIG", "SET", "list-max-listpack-size", "-2"];
        for command in [&["FLUSHALL"][..], &usual, &["HELLO", &version]] {
            self.ask(&words(command)).expect("redis-server is alive");
        }
    }

    fn exchange(&mut self, commands: &[Command], answered: usize) -> Result<Vec<Reply>, String> {
        self.stream.write_all(&encode(commands)).map_err(|error| error.to_string())?;
        let mut replies = Vec::with_capacity(answered);
        let mut piece = [0; 1 << 16];
        while replies.len() < answered {
            match self.decoder.decode(&mut self.input).map_err(|error| error.to_string())? {
                Some(reply) => replies.push(reply),
                None => match self.stream.read(&mut piece).map_err(|error| error.to_string())? {
                    0 => return Err("the connection was closed".to_owned()),
                    len => self.input.extend_from_slice(&piece[..len]),
                },
            }
        }
        if !self.input.is_empty() {
            return Err(format!("more than {answered} replies"));
        }
        Ok(replies)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The process is ours; if it has ended already there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
