//! A conversation with another node, as the host carries it: what to send, what was heard, when it
//! has taken too long. What is said is the errand's business.

#[cfg(unix)]
use super::bell::Bell;
use super::{Engine, Inner};
use crate::command::{Failure, Line, Next, PeerState, Scene, Stage, Task, WaitState, Waker};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::resp::{Reply, ReplyDecoder};
use crate::time::Moment;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// For how long a link rests before it is closed, as Redis keeps connections for MIGRATE.
const REST_US: u64 = 10_000_000;

impl Engine {
    /// Says whom to call when a command, such as MIGRATE, wants to talk to another node. The host
    /// then takes links from [`Engine::poll_link`] until there is none, on whatever thread it likes.
    /// The callback is called within a call to the engine, and must not call the engine itself. By
    /// registering it the host promises to open links; without it such commands answer `IOERR`.
    pub fn set_link_waker(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        let env = &self.inner.env;
        env.links.set_opener(Waker(waker), &env.post);
        env.post.send();
    }

    /// A descriptor that is readable while links wait to be opened, for hosts that sleep in `poll` or
    /// `epoll` rather than take a callback, which this replaces, with the same promise. It stays the
    /// engine's, and only [`Engine::poll_link`] reads from it.
    ///
    /// # Errors
    /// Those of the operating system, if it has no descriptor left.
    #[cfg(unix)]
    pub fn link_descriptor(&self) -> std::io::Result<std::os::fd::BorrowedFd<'_>> {
        let hung = &self.inner.link_bell;
        if hung.get().is_none() {
            // One that another thread has hung meanwhile is as good.
            _ = hung.set(Bell::hang()?);
        }
        let (bell, rope) = hung.get().expect("it was hung just now");
        self.set_link_waker(rope.clone());
        Ok(bell.descriptor())
    }

    /// Takes the host's promise back: commands that wait for a link that nobody has opened fail, and
    /// later ones answer `IOERR`, until the host makes it again. It gives up the links that it has
    /// first, since a command may ask for another one in place of a link that ends.
    pub fn decline_links(&self) {
        for line in self.inner.env.links.close_board() {
            drop(Link::new(self.clone(), line));
        }
    }

    /// The next link that the host is to open.
    pub fn poll_link(&self) -> Option<Link> {
        #[cfg(unix)]
        self.inner.link_bell.get().inspect(|(bell, _)| bell.hush());
        let line = self.inner.env.links.next_wanted()?;
        Some(Link::new(self.clone(), line))
    }
}

/// A conversation with another node, which some command asked for.
///
/// The host connects to [`Link::host`] and [`Link::port`], over TCP. Then, until
/// [`Link::is_closing`]:
/// - it says [`Link::handle_connected`] once,
/// - it sends what [`Link::output`] holds and says so by [`Link::consume_output`],
/// - it gives what arrives to [`Link::feed`],
/// - it calls [`Link::handle_timeout`] when the clock reaches [`Link::poll_timeout`],
/// - it calls [`Link::poll`] when the callback of [`Link::set_waker`] was called,
/// - it says [`Link::handle_closed`] when the connection could not be made, or has ended.
///
/// A link that has done its work rests for a while, so that the next command finds it open; one
/// whose host has set no callback is closed at once. Dropping a link ends the conversation, as
/// [`Link::handle_closed`] does.
pub struct Link {
    engine: Engine,
    line: Arc<Line>,
    peer: PeerState,
    task: Option<Task>,
    out: Vec<u8>,
    /// How much of the output was sent.
    sent: usize,
    decoder: ReplyDecoder,
    input: BytesMut,
    is_connected: bool,
    is_closing: bool,
    deadline_us: Option<u64>,
    #[cfg(unix)]
    bell: Option<Bell>,
}

impl Link {
    fn new(engine: Engine, line: Arc<Line>) -> Self {
        let mut link = Self {
            engine,
            task: line.take_task(),
            line,
            peer: PeerState::NEW,
            out: Vec::new(),
            sent: 0,
            decoder: ReplyDecoder::default(),
            input: BytesMut::new(),
            is_connected: false,
            is_closing: false,
            deadline_us: None,
            #[cfg(unix)]
            bell: None,
        };
        link.put_off_deadline();
        link
    }

    /// The host to connect to: a name or an address.
    pub fn host(&self) -> &str {
        &self.line.place.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.line.place.port
    }

    /// Says whom to call when a command has something for this link while it rests. The rules are
    /// those of [`crate::Session::set_waker`].
    pub fn set_waker(&mut self, waker: Arc<dyn Fn() + Send + Sync>) {
        self.line.set_waker(Waker(waker));
    }

    /// A descriptor that is readable when a command has something for this link while it rests, in
    /// place of the callback of [`Link::set_waker`]. It stays the link's, is closed with it, and only
    /// [`Link::poll`] reads from it.
    ///
    /// # Errors
    /// Those of the operating system, if it has no descriptor left.
    #[cfg(unix)]
    pub fn descriptor(&mut self) -> std::io::Result<std::os::fd::BorrowedFd<'_>> {
        if self.bell.is_none() {
            let (bell, rope) = Bell::hang()?;
            self.set_waker(rope);
            self.bell = Some(bell);
        }
        Ok(self.bell.as_ref().expect("it was hung just now").descriptor())
    }

    /// Takes note that the connection is there.
    pub fn handle_connected(&mut self) {
        self.is_connected = true;
        self.put_off_deadline();
        self.speak();
        self.settle();
    }

    /// What is to be sent.
    pub fn output(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// Forgets the first `len` bytes of the output, which have been sent.
    pub fn consume_output(&mut self, len: usize) {
        self.sent += len;
        if len > 0 {
            self.put_off_deadline();
        }
        if self.output().is_empty() {
            self.out.clear();
            self.sent = 0;
            self.speak();
            self.settle();
        }
    }

    /// Takes bytes that arrived, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.is_closing {
            return;
        }
        self.put_off_deadline();
        self.input.extend_from_slice(bytes);
        if self.hear().is_err() {
            self.fail(false);
        } else {
            self.speak();
        }
        self.settle();
    }

    /// Takes up what a command has left for this link.
    pub fn poll(&mut self) {
        #[cfg(unix)]
        self.bell.iter().for_each(Bell::hush);
        if self.task.is_none() && !self.is_closing {
            self.task = self.line.take_task();
            self.put_off_deadline();
            self.speak();
            self.settle();
        }
    }

    /// When the link wants [`Link::handle_timeout`] to be called, in microseconds on the monotonic
    /// scale of the engine's clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.deadline_us
    }

    /// For how long a host may sleep that has nothing else to do, before it calls
    /// [`Link::handle_timeout`]: [`Link::poll_timeout`] seen from now.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline_us.map(|at_us| Duration::from_micros(at_us.saturating_sub(self.now_us())))
    }

    /// Does what time asks for: gives the other side up, or ends the link's rest. Calling it early
    /// does nothing.
    pub fn handle_timeout(&mut self) {
        if self.deadline_us.is_none_or(|at_us| self.now_us() < at_us) {
            return;
        }
        if self.task.is_some() {
            self.fail(true);
        } else {
            self.end_rest();
        }
        self.settle();
    }

    /// Takes note that the connection could not be made, or has ended.
    pub fn handle_closed(&mut self) {
        if self.is_closing {
            return;
        }
        if self.task.is_none() {
            self.end_rest();
        }
        if self.task.is_some() {
            self.fail(false);
        }
        self.is_closing = true;
        self.settle();
    }

    /// Whether the host shall end the connection.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    fn now_us(&self) -> u64 {
        self.engine.inner.clock.now().mono_us
    }

    fn put_off_deadline(&mut self) {
        if let Some(task) = &self.task {
            let patience_us = task.errand.patience_ms().saturating_mul(1_000);
            self.deadline_us = Some(self.now_us().saturating_add(patience_us));
        }
    }

    /// Lets the errand say what it can, once all that it said before was sent.
    fn speak(&mut self) {
        if !self.is_connected || self.is_closing || !self.out.is_empty() {
            return;
        }
        let Some(mut task) = self.task.take() else { return };
        let mut out = std::mem::take(&mut self.out);
        self.with_scene(|scene| task.errand.speak(scene, &mut out));
        self.out = out;
        self.task = Some(task);
    }

    /// Lets the errand hear whatever is complete.
    fn hear(&mut self) -> Result<(), Error> {
        while let Some(reply) = self.decoder.decode(&mut self.input)? {
            self.hear_one(reply)?;
        }
        Ok(())
    }

    fn hear_one(&mut self, reply: Reply) -> Result<(), Error> {
        const UNASKED: Error = Error::fixed(ErrorKind::IoErr, "answer without a request");
        let mut task = self.task.take().ok_or(UNASKED)?;
        let heard = self.with_scene(|scene| task.errand.hear(scene, reply));
        self.task = Some(task);
        heard
    }

    fn with_scene<R>(&mut self, work: impl FnOnce(&mut Scene<'_, '_>) -> R) -> R {
        let Inner { keyspace, env, clock, .. } = &*self.engine.inner;
        let time = Moment::new(&**clock);
        let mut keys = Access::nothing(keyspace, &time);
        let result = work(&mut Scene { keys: &mut keys, env, peer: &mut self.peer });
        self.engine.inner.settle(keys, 0, &time, VecDeque::new());
        result
    }

    /// Answers the command if its errand is done.
    fn settle(&mut self) {
        if self.task.as_ref().is_some_and(|task| task.errand.is_done()) {
            let task = self.task.take().expect("it was looked at just now");
            self.answer(task);
            if !self.is_closing {
                self.rest();
            }
        }
        self.engine.inner.env.post.send();
    }

    fn answer(&self, Task { mut errand, waiter }: Task) {
        let env = &self.engine.inner.env;
        let mut state = waiter.state.lock();
        // The session may have ended meanwhile.
        if *state != WaitState::Waiting {
            return;
        }
        waiter.answer(&mut state, WaitState::Answered, &env.post, |out| {
            if let Err(error) = errand.write_reply(out) {
                self.engine.inner.answer_error(&error, out);
            }
        });
    }

    fn rest(&mut self) {
        self.deadline_us = Some(self.now_us().saturating_add(REST_US));
        // Something half heard or half said would meet the next errand.
        let is_clean = self.input.is_empty() && self.out.is_empty();
        if !is_clean || !self.engine.inner.env.links.rest(&self.line) {
            self.is_closing = true;
        }
    }

    /// Ends the link's rest: with a task, if it was given one just now, or for ever.
    fn end_rest(&mut self) {
        self.engine.inner.env.links.rouse(&self.line);
        self.poll();
        if self.task.is_none() {
            self.is_closing = true;
            self.deadline_us = None;
        }
    }

    /// Ends the link before its errand is done.
    fn fail(&mut self, timed_out: bool) {
        let stage = match (self.is_connected, self.output()) {
            (false, _) => Stage::Connecting,
            (true, []) => Stage::Reading,
            (true, _) => Stage::Writing,
        };
        self.is_closing = true;
        self.deadline_us = None;
        let Some(mut task) = self.task.take() else { return };
        let failure = Failure { stage, timed_out };
        match self.with_scene(|scene| task.errand.fail(scene, failure)) {
            Next::Over => self.answer(task),
            Next::Again => {
                let env = &self.engine.inner.env;
                env.links.want(self.line.place.clone(), task, &env.post);
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.handle_closed();
    }
}
