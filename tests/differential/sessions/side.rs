//! The two sides: sessions with an engine in this process, and connections to a redis-server that is
//! started here and ends with its owner.

use crate::chat::{Line, SESSIONS};
use bytes::BytesMut;
use keyslot::resp::{ReplyDecoder, encode_request};
use keyslot::{Engine, EngineOptions, Session};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a session has to read: replies and pushes, as Rust prints them.
pub(crate) type Frames = Vec<String>;

/// One side of a comparison.
pub(crate) trait Side {
    /// Empties the side and opens the sessions anew.
    fn restart(&mut self);

    /// Lets a session say a line, and returns what each session has to read then.
    fn say(&mut self, line: &Line) -> Result<Vec<Frames>, String>;
}

fn encode(words: &[String], ids: &[u64]) -> Vec<u8> {
    let id = |word: &String| {
        let place = word.strip_prefix('#').and_then(|place| place.parse::<usize>().ok());
        place.and_then(|place| ids.get(place)).map_or_else(|| word.clone(), u64::to_string)
    };
    let words: Vec<String> = words.iter().map(id).collect();
    let mut request = Vec::new();
    encode_request(&words, &mut request);
    request
}

/// Reads frames that have come as a whole.
fn decode(decoder: &mut ReplyDecoder, input: &mut BytesMut) -> Result<Frames, String> {
    let mut frames = Vec::new();
    while let Some(reply) = decoder.decode(input).map_err(|error| error.to_string())? {
        frames.push(format!("{reply:?}"));
    }
    Ok(frames)
}

/// The lines that every conversation starts with: the last session speaks RESP3.
fn greetings() -> [Line; 2] {
    let hello = |session, version: &str| Line::new(session, &["HELLO", version]);
    [hello(0, "2"), hello(SESSIONS - 1, "3")]
}

/// Sessions with an engine.
pub(crate) struct Keyslot {
    sessions: Vec<(Session, ReplyDecoder)>,
    /// One that keeps copies, since what others have read is forgotten when nobody does any more.
    tracker: Option<Session>,
    /// Which sessions have something to take, in the order in which it came.
    called: Arc<Mutex<VecDeque<usize>>>,
}

impl Keyslot {
    pub(crate) fn new() -> Self {
        Self { sessions: Vec::new(), tracker: None, called: Arc::default() }
    }
}

impl Side for Keyslot {
    fn restart(&mut self) {
        let engine = Engine::new(EngineOptions::default());
        engine.config_set("notify-keyspace-events", "KEA").expect("it exists");
        self.called = Arc::default();
        let open = |number| {
            let (mut session, called) = (engine.session(), self.called.clone());
            session.set_waker(Arc::new(move || {
                called.lock().expect("nobody panics with it").push_back(number);
            }));
            (session, ReplyDecoder::default())
        };
        self.sessions = (0..SESSIONS).map(open).collect();
        let mut tracker = engine.session();
        tracker.feed(b"CLIENT TRACKING ON\r\n");
        self.tracker = Some(tracker);
        for line in greetings() {
            self.say(&line).expect("keyslot speaks both versions");
        }
    }

    fn say(&mut self, line: &Line) -> Result<Vec<Frames>, String> {
        let ids: Vec<u64> = self.sessions.iter().map(|(session, _)| session.id()).collect();
        self.sessions[line.session].0.feed(&encode(&line.words, &ids));
        let mut all = vec![Frames::new(); SESSIONS];
        let mut next = Some(line.session);
        // One that has waited goes on with what it said since, in the order of the answers.
        while let Some(number) = next {
            let (session, decoder) = &mut self.sessions[number];
            session.poll();
            let output = session.take_output();
            all[number].extend(decode(decoder, &mut BytesMut::from(&output[..]))?);
            next = self.called.lock().map_err(|error| error.to_string())?.pop_front();
        }
        Ok(all)
    }
}

struct Connection {
    stream: UnixStream,
    /// What CLIENT ID answers.
    id: u64,
    input: BytesMut,
    decoder: ReplyDecoder,
}

impl Connection {
    /// Reads what has come, without waiting.
    fn read(&mut self) -> Result<Frames, String> {
        self.stream.set_nonblocking(true).map_err(|error| error.to_string())?;
        let mut piece = [0; 1 << 16];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(len) => self.input.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        decode(&mut self.decoder, &mut self.input)
    }

    /// Sends a command and waits for its reply.
    fn ask(&mut self, words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        self.stream.set_nonblocking(false).map_err(|error| error.to_string())?;
        self.stream.write_all(&encode(&words, &[])).map_err(|error| error.to_string())?;
        let mut piece = [0; 1 << 12];
        loop {
            if let Some(reply) = decode(&mut self.decoder, &mut self.input)?.pop() {
                return Ok(reply);
            }
            match self.stream.read(&mut piece).map_err(|error| error.to_string())? {
                0 => return Err("the connection was closed".to_owned()),
                len => self.input.extend_from_slice(&piece[..len]),
            }
        }
    }
}

/// A redis-server with connections to it. Ends with its owner.
pub(crate) struct Redis {
    process: Child,
    directory: PathBuf,
    /// A connection of which nothing is compared.
    control: Connection,
    connections: Vec<Connection>,
}

impl Redis {
    /// Starts a server in a directory of its own, where it keeps nothing but its socket.
    ///
    /// # Panics
    /// If redis-server is not installed or does not open its socket.
    pub(crate) fn start() -> Self {
        let name = format!("keyslot-sessions-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the temporary directory takes another one");
        let socket = directory.join("redis.sock");
        let mut process = std::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--loglevel", "warning", "--notify-keyspace-events", "KEA", "--unixsocket"])
            .arg(&socket)
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server is needed (apt-get install redis-server): {error}")
            });
        let Some(control) = connect(&socket) else {
            // It never answered; whatever is left of it goes.
            let _ = process.kill();
            panic!("redis-server did not open its socket within {PATIENCE:?}");
        };
        Self { process, directory, control, connections: Vec::new() }
    }
}

fn connect(socket: &PathBuf) -> Option<Connection> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(stream) = UnixStream::connect(socket) {
            stream.set_read_timeout(Some(PATIENCE)).expect("the patience is not zero");
            let decoder = ReplyDecoder::default();
            let mut connection = Connection { stream, id: 0, input: BytesMut::new(), decoder };
            let answer = connection.ask(&["CLIENT", "ID"]).expect("redis-server is alive");
            let digits: String = answer.chars().filter(char::is_ascii_digit).collect();
            connection.id = digits.parse().expect("a number names the connection");
            return Some(connection);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

impl Side for Redis {
    fn restart(&mut self) {
        self.connections.clear();
        // It may not have noticed yet that they are gone, and go on to serve those that waited.
        for class in ["normal", "pubsub"] {
            self.control.ask(&["CLIENT", "KILL", "TYPE", class]).expect("redis-server is alive");
        }
        let socket = self.directory.join("redis.sock");
        let open = |_| connect(&socket).expect("redis-server is alive");
        self.connections = (0..SESSIONS).map(open).collect();
        self.control.ask(&["FLUSHALL"]).expect("redis-server is alive");
        for line in greetings() {
            self.say(&line).expect("redis-server is alive");
        }
    }

    /// When a second command has been answered that was sent after the line, the server has dealt
    /// with the line too, and has written all that comes of it.
    fn say(&mut self, line: &Line) -> Result<Vec<Frames>, String> {
        let ids: Vec<u64> = self.connections.iter().map(|connection| connection.id).collect();
        let connection = &mut self.connections[line.session];
        connection.stream.set_nonblocking(false).map_err(|error| error.to_string())?;
        connection
            .stream
            .write_all(&encode(&line.words, &ids))
            .map_err(|error| error.to_string())?;
        self.control.ask(&["PING"])?;
        self.control.ask(&["PING"])?;
        self.connections.iter_mut().map(Connection::read).collect()
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
