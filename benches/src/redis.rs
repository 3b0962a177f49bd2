//! A redis-server of our own, on a unix socket in a directory of its own, as a peer.

use crate::workload::Commands;
use bytes::BytesMut;
use keyslot::resp::{Reply, ReplyDecoder};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The socket's name in the server's directory.
const SOCKET: &str = "redis.sock";

/// A running redis-server with a connection to it. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Child,
    directory: PathBuf,
    stream: UnixStream,
    input: Vec<u8>,
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    pub(crate) fn start() -> Result<Self, String> {
        Self::start_with(&["--port", "0"])
    }

    /// Starts one that can be reached over the loopback interface too. Returns also its port.
    pub(crate) fn start_on_loopback() -> Result<(Self, u16), String> {
        // The system knows a free port; between its release and the server's start it may be taken,
        // and then the server does not start.
        let probe = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = probe.map_err(|error| error.to_string())?.port();
        let server = Self::start_with(&["--bind", "127.0.0.1", "--port", &port.to_string()])?;
        Ok((server, port))
    }

    fn start_with(options: &[&str]) -> Result<Self, String> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("keyslot-bench-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let socket = directory.join(SOCKET);
        let mut process = Command::new("redis-server")
            .args(["--save", "", "--appendonly", "no"])
            .args(options)
            .arg("--unixsocket")
            .arg(&socket)
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                let _ = std::fs::remove_dir_all(&directory);
                format!("the peer redis-server is not installed: {error}")
            })?;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Ok(stream) = UnixStream::connect(&socket) {
                let input = vec![0; 1 << 20];
                return Ok(Self { process, directory, stream, input });
            }
            if Instant::now() > deadline {
                // It never answered; whatever is left of it goes.
                let _ = process.kill();
                let _ = process.wait();
                let _ = std::fs::remove_dir_all(&directory);
                return Err("redis-server did not open its socket".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where the server can be reached.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join(SOCKET)
    }

    /// Another connection.
    pub(crate) fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).expect("the peer is alive")
    }

    /// Sends bytes and reads until `reply_len` bytes have come back.
    pub(crate) fn exchange(&mut self, request: &[u8], reply_len: usize) {
        self.stream.write_all(request).expect("the peer is alive");
        let mut left = reply_len;
        while left > 0 {
            let len = self.stream.read(&mut self.input).expect("the peer is alive");
            assert!(len > 0 && len <= left, "the peer's replies are as long as expected");
            left -= len;
        }
    }

    /// Sends requests and reads until all replies have come back, however long they are: a last
    /// request is added whose reply marks the end.
    pub(crate) fn exchange_all(&mut self, requests: &[u8]) {
        const LAST: &[u8] = b"*2\r\n$4\r\nECHO\r\n$9\r\n~the end~\r\n";
        const MARK: &[u8] = b"$9\r\n~the end~\r\n";
        self.stream.write_all(&[requests, LAST].concat()).expect("the peer is alive");
        let mut end: Vec<u8> = Vec::new();
        while end != MARK {
            let len = self.stream.read(&mut self.input).expect("the peer is alive");
            assert!(len > 0, "the peer is alive");
            let read = &self.input[..len];
            end.extend_from_slice(&read[len.saturating_sub(MARK.len())..]);
            end.drain(..end.len().saturating_sub(MARK.len()));
        }
    }

    /// Sends all feeds of a workload, each after the replies to the one before.
    pub(crate) fn run(&mut self, commands: &Commands) {
        for (feed, reply_len) in commands.feeds.iter().zip(&commands.reply_lens) {
            self.exchange(feed, *reply_len);
        }
    }

    /// Sends one command and returns what comes back at once, at most a megabyte.
    pub(crate) fn ask(&mut self, words: &[&str]) -> String {
        let mut request = Vec::new();
        keyslot::resp::encode_request(words, &mut request);
        self.stream.write_all(&request).expect("the peer is alive");
        let len = self.stream.read(&mut self.input).expect("the peer is alive");
        String::from_utf8_lossy(&self.input[..len]).into_owned()
    }

    /// How long the commands in the slow log took, in microseconds.
    pub(crate) fn slow_log_us(&mut self) -> Vec<i64> {
        // An entry is an array of six, whose third part is the time.
        let time = |entry: &Reply| match entry {
            Reply::Array(parts) => match parts.get(2) {
                Some(Reply::Integer(time)) => Some(*time),
                _ => None,
            },
            _ => None,
        };
        match self.ask_for_reply(&["SLOWLOG", "GET", "-1"]) {
            Reply::Array(entries) => entries.iter().filter_map(time).collect(),
            other => panic!("the slow log is an array, not {other:?}"),
        }
    }

    /// Sends one command and returns its reply, of any length.
    fn ask_for_reply(&mut self, words: &[&str]) -> Reply {
        let mut request = Vec::new();
        keyslot::resp::encode_request(words, &mut request);
        self.stream.write_all(&request).expect("the peer is alive");
        let mut decoder = ReplyDecoder::default();
        let mut unread = BytesMut::new();
        loop {
            let len = self.stream.read(&mut self.input).expect("the peer is alive");
            assert!(len > 0, "the peer is alive");
            unread.extend_from_slice(&self.input[..len]);
            if let Some(reply) = decoder.decode(&mut unread).expect("the peer speaks RESP") {
                return reply;
            }
        }
    }

    /// A number from INFO.
    pub(crate) fn info_number(&mut self, field: &str) -> f64 {
        let info = self.ask(&["INFO", "everything"]);
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).expect("INFO has the field")
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
