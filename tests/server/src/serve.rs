//! Sockets and threads: one thread a connection, which sleeps until there is something to do.

use crate::moves::Moves;
use crate::options::Options;
use keyslot::time::{Clock, SystemClock};
use keyslot::{Engine, Receiver, Session};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const READ_BYTES: usize = 64 << 10;

/// What serves connections.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<SystemClock>,
    /// In a cluster.
    pub(crate) moves: Option<Arc<Moves>>,
}

/// Listens where the options say, says so on standard output, and serves until the process ends.
pub(crate) fn listen(host: &Host, options: &Options) -> Result<(), String> {
    let mut acceptors = Vec::new();
    if let Some(path) = &options.unix_socket {
        let in_use = |error| format!("cannot listen on {}: {error}", path.display());
        let listener = UnixListener::bind(path).map_err(in_use)?;
        println!("listening on {}", path.display());
        let host = host.clone();
        let name = format!("{}:0", path.display());
        acceptors.push(thread::spawn(move || {
            for stream in listener.incoming() {
                accept(&host, stream, &name, &name);
            }
        }));
    }
    if options.port != 0 {
        let address = format!("{}:{}", options.bind, options.port);
        let in_use = |error| format!("cannot listen on {address}: {error}");
        let listener = TcpListener::bind(&address).map_err(in_use)?;
        println!("listening on {address}");
        let host = host.clone();
        acceptors.push(thread::spawn(move || {
            for stream in listener.incoming() {
                let peer = stream.as_ref().ok().and_then(|stream| {
                    // Replies go out whole, so waiting to fill a segment would only delay them.
                    let _ = stream.set_nodelay(true);
                    stream.peer_addr().ok()
                });
                let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
                accept(&host, stream, &peer, &address);
            }
        }));
    }
    if acceptors.is_empty() {
        return Err("neither --port nor --unixsocket: nowhere to listen".to_owned());
    }
    println!("ready");
    for acceptor in acceptors {
        acceptor.join().map_err(|_| "an accepting thread ended".to_owned())?;
    }
    Ok(())
}

fn accept<S>(host: &Host, stream: io::Result<S>, peer: &str, local: &str)
where
    S: Read + Write + AsFd + Send + 'static,
{
    let Ok(stream) = stream else { return };
    let mut session = host.engine.session();
    session.set_peer(peer, local);
    // A connection that ends with an error has simply ended; the client knows why.
    let host = host.clone();
    thread::spawn(move || drop(converse(session, &host, stream)));
}

/// How long it is until a time on the clock's monotonic scale.
pub(crate) fn time_left(at_us: Option<u64>, clock: &SystemClock) -> Option<Timespec> {
    let left_us = at_us?.saturating_sub(clock.now().mono_us);
    Duration::from_micros(left_us).try_into().ok()
}

/// Serves one client: sleeps until it says something, others have something for it, or it has waited
/// long enough. Another node that moves slots here is known by what it says first.
fn converse(
    mut session: Session,
    host: &Host,
    mut stream: impl Read + Write + AsFd,
) -> io::Result<()> {
    let (mut bell, rope) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    rope.set_nonblocking(true)?;
    // A bell that cannot be rung any more has been rung enough.
    session.set_waker(Arc::new(move || drop((&rope).write(&[1]))));
    let mut input = vec![0; READ_BYTES];
    let mut is_first = true;
    loop {
        stream.write_all(session.output())?;
        session.consume_output(session.output().len());
        if session.is_closing() {
            return Ok(());
        }
        let mut ready = [PollFd::new(&stream, PollFlags::IN), PollFd::new(&bell, PollFlags::IN)];
        match poll(&mut ready, time_left(session.poll_timeout(), &host.clock).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        session.handle_timeout();
        let [said, rung] = ready.map(|one| !one.revents().is_empty());
        if rung {
            while bell.read(&mut input).is_ok_and(|len| len == input.len()) {}
            session.poll();
        }
        if said {
            match stream.read(&mut input) {
                Ok(0) => return Ok(()),
                Ok(len) => {
                    let moves = host.moves.as_ref().filter(|_| std::mem::take(&mut is_first));
                    if let Some(moves) = moves.filter(|_| Receiver::is_frame(&input[..len])) {
                        drop(session);
                        return moves.receive(stream, &input[..len]);
                    }
                    session.feed(&input[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
