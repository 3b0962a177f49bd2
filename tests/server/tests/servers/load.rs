//! Writers on a cluster that count what they did: what their keys hold afterwards says whether an
//! increment was lost or doubled.

use super::Client;
use keyslot::resp::Reply;
use keyslot::slot::SlotScheme;
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const WRITERS: usize = 3;
/// How many keys each writes, half of them in the slots below this, which tests move.
const KEYS_EACH: usize = 300;
const BUSY_SLOTS: u16 = 60;

/// A client that goes where it is sent.
pub(crate) struct ClusterClient {
    first: u16,
    nodes: HashMap<u16, Client>,
    /// By key, the node that served it last.
    homes: HashMap<String, u16>,
}

impl ClusterClient {
    pub(crate) fn new(first: u16) -> Self {
        Self { first, nodes: HashMap::new(), homes: HashMap::new() }
    }

    fn node(&mut self, port: u16) -> &mut Client {
        self.nodes.entry(port).or_insert_with(|| {
            Client::new(TcpStream::connect(("127.0.0.1", port)).expect("the node listens"))
        })
    }

    /// Asks for something about a key until it is answered.
    pub(crate) fn ask(&mut self, key: &str, words: &[&str]) -> Reply {
        let mut port = *self.homes.get(key).unwrap_or(&self.first);
        let mut asking = false;
        for _ in 0..10_000 {
            let node = self.node(port);
            if asking {
                node.ask(&["ASKING"]);
            }
            let reply = node.ask(words);
            let Reply::Error(line) = &reply else { return reply };
            let line = String::from_utf8_lossy(line).into_owned();
            let parts: Vec<&str> = line.split(' ').collect();
            asking = parts[0] == "ASK";
            match parts[..] {
                ["MOVED" | "ASK", _, address] => {
                    port =
                        address.rsplit(':').next().and_then(|it| it.parse().ok()).expect("a port");
                    if !asking {
                        self.homes.insert(key.to_owned(), port);
                    }
                }
                ["TRYAGAIN" | "CLUSTERDOWN", ..] => {
                    thread::sleep(Duration::from_millis(1));
                    port = *self.homes.get(key).unwrap_or(&self.first);
                }
                _ => return reply,
            }
        }
        panic!("{words:?} is sent to and fro");
    }
}

/// Writers at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<HashMap<String, i64>>>,
    first: u16,
}

impl Load {
    pub(crate) fn start(first: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writers = (0..WRITERS).map(|number| {
            let stop = stop.clone();
            thread::spawn(move || write(first, number, &stop))
        });
        Self { writers: writers.collect(), stop, first }
    }

    /// Ends the load. Returns how many increments there were, and for how many keys what is stored
    /// differs from what was answered.
    pub(crate) fn end(self) -> (i64, usize) {
        self.stop.store(true, Relaxed);
        let mut client = ClusterClient::new(self.first);
        let (mut total, mut wrong) = (0, 0);
        for writer in self.writers {
            for (key, count) in writer.join().expect("a writer ends well") {
                let stored = client.ask(&key, &["GET", &key]);
                let expected = count.to_string();
                wrong += usize::from(stored != Reply::Bulk(expected.into_bytes().into()));
                total += count;
            }
        }
        (total, wrong)
    }
}

fn keys_of(number: usize) -> Vec<String> {
    let names = || (0..).map(|name| format!("writer{number}:{name}"));
    let is_busy = |name: &String| SlotScheme::Redis.slot(name.as_bytes()) < BUSY_SLOTS;
    let mut keys: Vec<String> = names().filter(is_busy).take(KEYS_EACH / 2).collect();
    keys.extend(names().filter(|name| !is_busy(name)).take(KEYS_EACH / 2));
    keys
}

/// Increments keys in turn, each answer of which tells how often that was.
fn write(first: u16, number: usize, stop: &AtomicBool) -> HashMap<String, i64> {
    let mut client = ClusterClient::new(first);
    let mut counts: HashMap<String, i64> = HashMap::new();
    let keys = keys_of(number);
    for (turn, key) in keys.iter().cycle().cloned().enumerate() {
        if turn >= KEYS_EACH && stop.load(Relaxed) {
            break;
        }
        let reply = client.ask(&key, &["INCR", &key]);
        assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
        *counts.entry(key).or_default() += 1;
    }
    counts
}
