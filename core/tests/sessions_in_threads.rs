//! Sessions of several threads that wait for each other, lock several shards at once, watch, listen
//! and end each other: nothing is lost or doubled, and everybody gets on.

use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Long enough for any machine: a test that gets here hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn engine() -> Engine {
    // Few shards, so that threads meet.
    Engine::new(EngineOptions { shards: 8, ..EngineOptions::default() })
}

/// A session and the calls for its host.
struct Host {
    session: Session,
    calls: Receiver<()>,
}

impl Host {
    fn open(engine: &Engine) -> Self {
        let (call, calls) = channel();
        let mut session = engine.session();
        // The session ends before the one that takes its calls does.
        session.set_waker(Arc::new(move || _ = call.send(())));
        Self { session, calls }
    }

    /// Carries out a command, and sleeps until it is answered.
    fn ask(&mut self, command: &str) -> String {
        self.session.feed(format!("{command}\r\n").as_bytes());
        while self.session.is_waiting() {
            self.calls.recv_timeout(PATIENCE).expect("somebody brings what is waited for");
            self.session.poll();
        }
        String::from_utf8(self.session.take_output()).expect("text").replace("\r\n", " ")
    }
}

/// Tokens go round a ring of lists, each in another shard: who takes one waits for it.
#[test]
fn tokens_go_round_and_none_is_lost() {
    const LISTS: usize = 6;
    const TOKENS: usize = 3;
    const ROUNDS: usize = 300;
    let engine = engine();
    let mut owner = Host::open(&engine);
    (0..TOKENS).for_each(|token| _ = owner.ask(&format!("RPUSH list0 {token}")));
    thread::scope(|scope| {
        for list in 0..LISTS {
            let mut host = Host::open(&engine);
            let next = (list + 1) % LISTS;
            scope.spawn(move || {
                for _ in 0..ROUNDS * TOKENS {
                    let moved = host.ask(&format!("BLMOVE list{list} list{next} LEFT RIGHT 0"));
                    assert!(moved.starts_with("$1 "), "{moved}");
                }
            });
        }
        // Meanwhile others look at all lists at once, and change what is near them.
        for number in 0..2 {
            let mut host = Host::open(&engine);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let talk = "MULTI\r\nLLEN list0\r\nLLEN list1\r\nLLEN list2\r\nLLEN list3\r\nLLEN \
                                list4\r\nLLEN list5\r\nEXEC";
                    let said = host.ask(talk);
                    let lengths = said.rsplit_once("*6 ").expect("six answers").1;
                    let total: usize =
                        lengths.split_whitespace().map(|word| word[1..].parse::<usize>().unwrap()).sum();
                    assert_eq!(total, TOKENS, "a token is in one list at any time");
                    host.ask(&format!("MSET a{number} 1 b{number} 2 c{number} 3"));
                }
            });
        }
    });
    let mut left: Vec<_> =
        owner.ask("LRANGE list0 0 -1").split("$1 ").skip(1).map(str::to_owned).collect();
    left.sort_unstable();
    assert_eq!(left, ["0 ", "1 ", "2 "]);
}

/// Increments of watched keys by those who try until nobody came between.
#[test]
fn watched_keys_of_two_shards_change_together() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 150;
    let engine = engine();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mut host = Host::open(&engine);
            scope.spawn(move || {
                let mut done = 0;
                while done < ROUNDS {
                    host.ask("WATCH x y");
                    let said = host.ask("MULTI\r\nINCR x\r\nINCR y\r\nEXEC");
                    done += usize::from(!said.ends_with("*-1 "));
                }
            });
        }
    });
    let expected = THREADS * ROUNDS;
    assert_eq!(engine.get(b"x").unwrap(), Some(expected.to_string().into()));
    assert_eq!(engine.get(b"y").unwrap(), Some(expected.to_string().into()));
}

/// Waiters, listeners and trackers come and are killed while others feed them.
#[test]
fn sessions_that_are_killed_leave_nothing_behind() {
    const ROUNDS: usize = 200;
    let engine = engine();
    thread::scope(|scope| {
        for _ in 0..2 {
            let engine = engine.clone();
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let mut session = engine.session();
                    session.feed(b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET k\r\n");
                    session.feed(b"SUBSCRIBE c\r\nWATCH k\r\nBLPOP q 0\r\n");
                    session.poll();
                    session.take_output();
                }
            });
        }
        let mut killer = Host::open(&engine);
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                killer.ask("CLIENT KILL TYPE pubsub");
                killer.ask("CLIENT PAUSE 1000 WRITE\r\nCLIENT UNPAUSE");
            }
        });
        let mut giver = Host::open(&engine);
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                giver.ask("RPUSH q v\r\nSET k v\r\nPUBLISH c v\r\nLPOP q");
            }
        });
    });
    let info = Host::open(&engine).ask("INFO everything");
    for figure in
        ["connected_clients:1 ", "blocked_clients:0 ", "tracking_clients:0 ", "pubsub_channels:0 "]
    {
        assert!(info.contains(figure), "{figure} in {info}");
    }
}
