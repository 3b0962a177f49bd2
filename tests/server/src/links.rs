//! Connections to other nodes that commands ask for, such as MIGRATE: one thread each, and one that
//! waits for the next to be asked for.

use crate::serve::time_left;
use keyslot::time::SystemClock;
use keyslot::{Engine, Link};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

const READ_BYTES: usize = 16 << 10;

/// Opens whatever links the engine wants from now on.
pub(crate) fn serve(engine: &Engine, clock: &Arc<SystemClock>) {
    let (wish, wishes) = mpsc::channel();
    // Who waits here goes on until the process ends, so that somebody always listens.
    engine.set_link_waker(Arc::new(move || _ = wish.send(())));
    let (engine, clock) = (engine.clone(), clock.clone());
    thread::spawn(move || {
        while wishes.recv().is_ok() {
            while let Some(link) = engine.poll_link() {
                let clock = clock.clone();
                // A link that is dropped has said so to whoever waits for it.
                thread::spawn(move || drop(carry(link, &clock)));
            }
        }
    });
}

fn carry(mut link: Link, clock: &SystemClock) -> io::Result<()> {
    let (mut bell, rope) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    rope.set_nonblocking(true)?;
    // A bell that cannot be rung any more has been rung enough.
    link.set_waker(Arc::new(move || drop((&rope).write(&[1]))));
    let mut stream = connect(&link, clock)?;
    link.handle_connected();
    let mut input = vec![0; READ_BYTES];
    while !link.is_closing() {
        send(&mut link, &mut stream)?;
        let wants =
            if link.output().is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut ready = [PollFd::new(&stream, wants), PollFd::new(&bell, PollFlags::IN)];
        match poll(&mut ready, time_left(link.poll_timeout(), clock).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let rung = !ready[1].revents().is_empty();
        link.handle_timeout();
        if rung {
            while bell.read(&mut input).is_ok_and(|len| len == input.len()) {}
            link.poll();
        }
        match stream.read(&mut input) {
            Ok(0) => break,
            Ok(len) => link.feed(&input[..len]),
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Connects to the first address of the link's host that answers in time.
fn connect(link: &Link, clock: &SystemClock) -> io::Result<TcpStream> {
    let mut fault = io::Error::from(ErrorKind::NotFound);
    for address in (link.host(), link.port()).to_socket_addrs()? {
        let left = time_left(link.poll_timeout(), clock).and_then(|left| left.try_into().ok());
        let left = left.filter(|left: &Duration| !left.is_zero());
        match TcpStream::connect_timeout(&address, left.unwrap_or(Duration::from_millis(1))) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

/// Sends what the connection takes at once.
fn send(link: &mut Link, stream: &mut TcpStream) -> io::Result<()> {
    while !link.output().is_empty() {
        match stream.write(link.output()) {
            Ok(len) => link.consume_output(len),
            Err(error) if is_not_now(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
