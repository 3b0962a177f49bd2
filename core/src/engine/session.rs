//! One conversation with an engine: bytes in, bytes out. The host owns the socket, if there is one.

use super::Engine;
use super::execute::BATCH;
use crate::command::{AuditEvent, ClientState, Identity, Letter, ReplyMode, Waker, is_unix_socket};
use crate::error::Error;
use crate::resp::{
    Encoder, Parsed, Protocol, Reply, ReplyDecoder, ReplySink, RequestLimits, RequestParser,
    Requests,
};
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// One conversation with an engine.
///
/// Give it what arrives with [`Session::feed`]; take what shall be sent with
/// [`Session::take_output`], and end the conversation when [`Session::is_closing`] says so.
///
/// Others may have something for it at any time, such as messages of a channel that it listens to.
/// The callback of [`Session::set_waker`] tells so; [`Session::poll`] then adds it to the output.
pub struct Session {
    engine: Engine,
    client: ClientState,
    parser: RequestParser,
    requests: Requests,
    /// The beginning of a request whose end has not arrived.
    pending: Vec<u8>,
    /// Where each of the requests ends in the input.
    ends: Vec<usize>,
    out: Encoder,
    /// What it took when that was last looked at, in bytes.
    footprint: usize,
    #[cfg(unix)]
    bell: Option<super::bell::Bell>,
}

const ILLEGAL_ADDRESS: Error = Error::err("illegal address");
pub(super) const TOO_MANY: Error = Error::err("max number of clients reached");

/// Unfinished input that a stranger may keep, in bytes.
const STRANGERS_QUERY_MAX: usize = 1 << 20;

impl Session {
    pub(super) fn new(engine: Engine) -> Self {
        let env = &engine.inner.env;
        let card = env.sessions.open(env.next_client_id(), engine.inner.clock.unix_ms());
        let mut client = ClientState { may_wait: true, ..ClientState::with_card(card) };
        client.become_default(env);
        Self::with_state(engine, client)
    }

    /// A session that ends before it began, since there are too many.
    pub(super) fn refused(engine: Engine) -> Self {
        let closing = ClientState { closing: true, ..ClientState::default() };
        let mut session = Self::with_state(engine, closing);
        session.out.error(&TOO_MANY);
        session
    }

    pub(super) fn is_refused(&self) -> bool {
        self.client.id == 0
    }

    fn with_state(engine: Engine, client: ClientState) -> Self {
        Self {
            client,
            engine,
            parser: RequestParser::new(RequestLimits::default()),
            requests: Requests::new(),
            pending: Vec::new(),
            ends: Vec::new(),
            out: Encoder::new(Protocol::Resp2),
            footprint: 0,
            #[cfg(unix)]
            bell: None,
        }
    }

    /// Takes bytes that arrived, in pieces of any size, and carries out every request that they
    /// complete. The replies are appended to the output.
    ///
    /// A protocol error is written to the output and closes the session.
    pub fn feed(&mut self, input: &[u8]) {
        if self.client.card().mailbox.is_cut_off() {
            self.collect();
        }
        if self.client.closing {
            return;
        }
        let output_before = self.out.len();
        if self.is_waiting() {
            self.pending.extend_from_slice(input);
        } else if self.pending.is_empty() {
            let used = self.run_all(input);
            self.pending.extend_from_slice(&input[used..]);
        } else {
            let mut buffer = std::mem::take(&mut self.pending);
            buffer.extend_from_slice(input);
            let used = self.run_all(&buffer);
            buffer.drain(..used);
            self.pending = buffer;
        }
        self.settle_feed(input.len(), output_before);
    }

    /// Says where the client is and where it came to, as `ip:port`, or `path:0` of a Unix socket.
    /// CLIENT LIST shows it. A session of which it is not said counts as local.
    ///
    /// If `allowed-peers` does not name a peer with an address, that is written to the output and
    /// closes the session.
    pub fn set_peer(&mut self, peer: &str, local: &str) {
        let mut labels = self.client.labels();
        peer.clone_into(&mut labels.peer);
        local.clone_into(&mut labels.local);
        drop(labels);
        let env = &self.engine.inner.env;
        if !self.client.closing && !is_unix_socket(peer) && !env.config.allows_peer(peer) {
            env.stats.refused_peers.fetch_add(1, Relaxed);
            env.users.audit.tell(&self.client, &AuditEvent::PeerRefused);
            self.out.error(&ILLEGAL_ADDRESS);
            self.client.closing = true;
        }
    }

    /// Says whom to call when others have something for this session: the host shall then soon call
    /// [`Session::poll`], on whatever thread it likes. The callback is called once until then, on any
    /// thread, within any call to the engine; it must not call the engine itself, but may lock what
    /// is never held while the engine is called. It is called at once if something waits already.
    pub fn set_waker(&mut self, waker: Arc<dyn Fn() + Send + Sync>) {
        let post = &self.engine.inner.env.post;
        self.client.card().mailbox.set_waker(Waker(waker), post);
        self.engine.inner.env.post.send();
    }

    /// A descriptor that is readable while others have something for this session, for hosts that
    /// sleep in `poll` or `epoll` rather than take a callback, which this replaces: from then on
    /// [`Session::set_waker`] has nothing to say. The descriptor stays the session's, is closed with
    /// it, and only [`Session::poll`] reads from it.
    ///
    /// # Errors
    /// Those of the operating system, if it has no descriptor left.
    #[cfg(unix)]
    pub fn descriptor(&mut self) -> std::io::Result<std::os::fd::BorrowedFd<'_>> {
        if self.bell.is_none() {
            let (bell, rope) = super::bell::Bell::hang()?;
            self.set_waker(rope);
            self.bell = Some(bell);
        }
        Ok(self.bell.as_ref().expect("it was hung just now").descriptor())
    }

    /// Adds to the output what others have for this session. Does nothing if that is nothing.
    pub fn poll(&mut self) {
        #[cfg(unix)]
        self.bell.iter().for_each(super::bell::Bell::hush);
        let waited = self.is_waiting();
        self.collect();
        // Whether it is still held back is looked at anew.
        self.client.unpark(&self.engine.inner.env.pause);
        if waited && !self.is_waiting() && !self.pending.is_empty() {
            self.feed(&[]);
        }
        self.note_output();
    }

    /// Whether the session waits for what its last command asked for, as BLPOP does, or for the end
    /// of a pause. What is fed until then is carried out after.
    pub fn is_waiting(&self) -> bool {
        self.client.waiter.is_some() || self.client.parked
    }

    /// When the session wants [`Session::handle_timeout`] to be called, in microseconds on the
    /// monotonic scale of the engine's clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.client.parked {
            if !self.engine.inner.env.pause.is_set() {
                return None;
            }
            let now = self.engine.inner.clock.now();
            let left_ms = self.engine.inner.env.pause.until_ms().saturating_sub(now.unix_ms);
            return Some(now.mono_us.saturating_add(left_ms.saturating_mul(1000)));
        }
        match &self.client.waiter {
            Some(waiter) => waiter.deadline_us,
            None => self.idle_left_ms().map(|left_ms| {
                let now_us = self.engine.inner.clock.now().mono_us;
                now_us.saturating_add(left_ms.saturating_mul(1000))
            }),
        }
    }

    /// For how long a host may sleep that has nothing else to do, before it calls
    /// [`Session::handle_timeout`]: [`Session::poll_timeout`] seen from now.
    pub fn time_left(&self) -> Option<Duration> {
        let now_us = self.engine.inner.clock.now().mono_us;
        self.poll_timeout().map(|at_us| Duration::from_micros(at_us.saturating_sub(now_us)))
    }

    /// For how much longer the session may be silent, in milliseconds. One that listens may be so
    /// for ever.
    fn idle_left_ms(&self) -> Option<u64> {
        let timeout_ms = self.engine.inner.env.config.timeout_ms()?;
        let may_be_silent = self.client.is_to_pause() || self.client.closing;
        let card = self.client.card.as_ref().filter(|_| !may_be_silent)?;
        let due_ms = card.seen_ms.load(Relaxed).saturating_add(timeout_ms);
        Some(due_ms.saturating_sub(self.engine.inner.clock.unix_ms()))
    }

    /// Ends the session's wait if it has waited long enough, or the session if it was silent for too
    /// long (`timeout`). Calling it early does nothing.
    pub fn handle_timeout(&mut self) {
        if let Some(waiter) = &self.client.waiter {
            self.engine.inner.time_out(waiter);
        }
        if self.is_waiting() {
            self.poll();
        } else if self.idle_left_ms() == Some(0) {
            self.cut_off();
        }
    }

    /// What is to be sent and was not taken yet.
    pub fn output(&self) -> &[u8] {
        self.out.bytes()
    }

    /// Takes what is to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        let output = self.out.take();
        self.note_reading();
        output
    }

    /// Forgets the first `len` bytes of the output, which have been sent.
    pub fn consume_output(&mut self, len: usize) {
        self.out.consume(len);
        self.note_reading();
    }

    /// Whether the host shall end the conversation once the output is sent.
    pub fn is_closing(&self) -> bool {
        self.client.closing
    }

    /// The database that SELECT chose; zero at first.
    pub fn database(&self) -> usize {
        self.client.db
    }

    /// The database that the engine's typed calls must use to do what this session's commands
    /// would; none while the session's state asks for more than they know of.
    pub fn plain_database(&self) -> Option<usize> {
        let client = &self.client;
        let is_plain = client.is_plain()
            && client.identity.is_up_to_date(&self.engine.inner.env.users)
            && !client.identity.is_restricted
            && client.reply == ReplyMode::On
            && !client.asking
            && !client.no_touch;
        let is_routed = self.engine.inner.env.cluster.is_some();
        (is_plain && !is_routed).then_some(client.db)
    }

    /// The version of the protocol that HELLO chose; RESP2 at first.
    pub fn protocol(&self) -> Protocol {
        self.client.protocol
    }

    /// The number of this session, unique within its engine.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// Carries out one command in this session and writes its reply to `sink`, without RESP text
    /// in between. A command that would wait is answered as if it had waited in vain.
    pub fn call(&mut self, words: &[&[u8]], sink: &mut dyn ReplySink) {
        if self.is_refused() {
            return sink.error(&TOO_MANY);
        }
        let may_wait = std::mem::replace(&mut self.client.may_wait, false);
        self.engine.inner.call(&mut self.client, words, sink);
        self.client.may_wait = may_wait;
        // HELLO counts for the output too.
        self.out.set_protocol(self.client.protocol);
        self.collect();
    }

    /// Carries out some commands, as [`Session::call`] does one, and returns how many are done with.
    pub(super) fn call_batch(&mut self, commands: &[&[&[u8]]], sink: &mut dyn ReplySink) -> usize {
        let may_wait = std::mem::replace(&mut self.client.may_wait, false);
        let done = self.engine.inner.run(&mut self.client, commands, sink);
        self.client.may_wait = may_wait;
        self.out.set_protocol(self.client.protocol);
        self.collect();
        done
    }

    /// Another session of the same user, in the same database and version of the protocol. Whatever
    /// else this one's state is, is its own.
    pub fn twin(&self) -> Self {
        let mut twin = self.engine.session();
        twin.client.identity = self.client.identity.clone();
        twin.client.db = self.client.db;
        twin.client.protocol = self.client.protocol;
        twin.out.set_protocol(self.client.protocol);
        twin
    }

    /// Carries out one command of a fresh session in a database. If it has to wait, sleeps until it
    /// is answered, and returns that; otherwise the answer is in `sink`.
    pub(super) fn sleep_in(
        &mut self,
        db: usize,
        words: &[&[u8]],
        sink: &mut dyn ReplySink,
    ) -> Option<Reply> {
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let rope = bell.clone();
        self.set_waker(Arc::new(move || {
            *rope.0.lock() = true;
            rope.1.notify_one();
        }));
        self.client.db = db;
        self.client.identity = Identity::default();
        self.client.protocol = sink.protocol();
        self.out.set_protocol(sink.protocol());
        self.engine.inner.call(&mut self.client, words, sink);
        while self.is_waiting() {
            let was_parked = self.client.parked;
            let now_us = self.engine.inner.clock.now().mono_us;
            let left_us = self.poll_timeout().map(|at_us| at_us.saturating_sub(now_us));
            let mut rung = bell.0.lock();
            match left_us {
                _ if *rung => {}
                Some(left_us) => _ = bell.1.wait_for(&mut rung, Duration::from_micros(left_us)),
                None => bell.1.wait(&mut rung),
            }
            *rung = false;
            drop(rung);
            if was_parked {
                self.collect();
                self.client.unpark(&self.engine.inner.env.pause);
                self.engine.inner.call(&mut self.client, words, sink);
            } else {
                self.handle_timeout();
            }
        }
        let mut answer = Bytes::from(self.take_output());
        ReplyDecoder::default().decode_shared(&mut answer).ok().flatten()
    }

    /// Carries out the complete requests at the front of `input`, and returns how much of it is
    /// done with.
    fn run_all(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        loop {
            self.requests.clear();
            let start = used;
            let parsed = self.parse_batch(input, &mut used);
            let requests = std::mem::take(&mut self.requests);
            let mut done = 0;
            while done < requests.len() && !self.client.closing && !self.is_waiting() {
                done += self.run_batch(&requests, done, input);
                self.collect();
                self.check_output();
            }
            self.requests = requests;
            if self.is_waiting() {
                // What follows is parsed anew when the wait is over.
                self.parser = RequestParser::new(RequestLimits::default());
                return done.checked_sub(1).map_or(start, |last| self.ends[last]);
            }
            match parsed {
                Ok(true) if !self.client.closing => {}
                Ok(_) => return used,
                Err(error) => {
                    if !self.client.closing && self.client.reply != ReplyMode::Off {
                        self.out.error(&error);
                    }
                    self.client.closing = true;
                    return input.len();
                }
            }
        }
    }

    /// Parses until the batch is full (true) or the input is used up (false). A stranger's requests
    /// are looked at one by one, since each may make it one no longer.
    fn parse_batch(&mut self, input: &[u8], used: &mut usize) -> Result<bool, Error> {
        let env = &self.engine.inner.env;
        let bulk_len_max = env.config.proto_max_bulk_len();
        self.parser.set_limits(RequestLimits { bulk_len_max, ..RequestLimits::DEFAULT });
        self.client.keep_up(env);
        let known = self.client.identity.authenticated;
        self.parser.set_authenticated(known);
        let batch = if known { BATCH } else { 1 };
        self.ends.clear();
        while self.requests.len() < batch {
            match self.parser.parse(input, *used, &mut self.requests)? {
                Parsed::Complete { end } => {
                    *used = end;
                    self.ends.push(end);
                }
                Parsed::Incomplete { consumed } => {
                    *used = consumed;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Closes the session if more output waits than its class may have. What waits is lost, as in
    /// Redis: who does not read would not read it.
    fn check_output(&mut self) {
        let inner = &self.engine.inner;
        let config = &inner.env.config;
        let listens = self.client.subscriptions.is_some();
        let limit = if listens { config.listener_output_limit() } else { config.output_limit() };
        let since_ms = &mut self.client.output_over_since_ms;
        if limit.is_exceeded(self.out.len(), since_ms, || inner.clock.unix_ms()) {
            inner.env.stats.output_limit_closings.fetch_add(1, Relaxed);
            self.cut_off();
        }
    }

    /// Takes what others left.
    #[inline]
    fn collect(&mut self) {
        let Some(card) = &self.client.card else { return };
        let Some(delivery) = card.mailbox.take() else { return };
        for letter in delivery.letters {
            match letter {
                Letter::Message(message) => message.write(&mut self.out),
                Letter::ChannelGone(name) => {
                    self.client.lose_shard_channel(&name, &mut self.out);
                }
                Letter::Invalidation(word) => {
                    word.write(self.client.subscriptions.is_some(), &mut self.out);
                }
                Letter::Line(line) => self.out.buffer_mut().extend_from_slice(&line),
                Letter::Answer(reply) => {
                    if self.client.reply != ReplyMode::Off {
                        self.out.buffer_mut().extend_from_slice(&reply);
                    }
                    if let Some(waiter) = self.client.end_wait() {
                        self.engine.inner.end_wait(&waiter);
                    }
                }
            }
        }
        if delivery.cut_off {
            self.cut_off();
        }
    }

    /// Ends the conversation without a word.
    fn cut_off(&mut self) {
        self.out.clear();
        self.client.closing = true;
    }

    /// Looks at what is left of the input, and notes what went in and out.
    fn settle_feed(&mut self, input_len: usize, output_before: usize) {
        let env = &self.engine.inner.env;
        let card = self.client.card();
        let query_bytes = self.pending.len() + card.queued_bytes.load(Relaxed);
        let limit = env.config.query_buffer_limit();
        let is_stranger = !self.client.identity.authenticated;
        if query_bytes > if is_stranger { limit.min(STRANGERS_QUERY_MAX) } else { limit } {
            env.stats.query_limit_closings.fetch_add(1, Relaxed);
            self.client.closing = true;
        }
        if self.client.closing {
            self.pending = Vec::new();
        }
        let card = self.client.card();
        card.note_traffic(input_len, self.out.len().saturating_sub(output_before));
        card.query_len.store(self.pending.len(), Relaxed);
        card.query_room.store(self.pending.capacity(), Relaxed);
        self.note_output();
    }

    /// Notes that output went away. Who reads is not silent.
    fn note_reading(&mut self) {
        if self.engine.inner.env.config.timeout_ms().is_some() {
            let now_ms = self.engine.inner.clock.unix_ms();
            self.client.card().seen_ms.store(now_ms, Relaxed);
        }
        self.note_output();
    }

    /// Notes how much output waits.
    fn note_output(&mut self) {
        let card = self.client.card();
        card.output_len.store(self.out.len(), Relaxed);
        card.output_room.store(self.out.buffer_mut().capacity(), Relaxed);
        let env = &self.engine.inner.env;
        if env.config.maxmemory_clients().is_some() {
            let footprint = card.footprint();
            let before = std::mem::replace(&mut self.footprint, footprint);
            env.note_growth(footprint.saturating_sub(before));
            env.evict_grown_clients();
            env.post.send();
            self.collect();
        }
    }

    /// Carries out requests from the one of number `first` on, and returns how many are done with.
    fn run_batch(&mut self, requests: &Requests, first: usize, input: &[u8]) -> usize {
        let len = requests.len() - first;
        let mut words: Vec<&[u8]> = Vec::with_capacity(4 * len);
        let mut ends = [0; BATCH];
        for (number, end) in ends.iter_mut().enumerate().take(len) {
            requests.words(first + number, input, &mut words);
            *end = words.len();
        }
        let mut start = 0;
        let split = ends.iter().take(len).map(|&end| {
            let one = &words[start..end];
            start = end;
            one
        });
        let split: smallvec::SmallVec<[&[&[u8]]; BATCH]> = split.collect();
        self.engine.inner.run(&mut self.client, &split, &mut self.out)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(waiter) = self.client.end_wait() {
            self.engine.inner.end_wait(&waiter);
        }
        self.client.unpark(&self.engine.inner.env.pause);
        self.engine.inner.retire(&mut self.client);
        self.engine.inner.env.sessions.close(self.client.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EngineOptions;
    use crate::time::ManualClock;
    use std::sync::Arc;

    fn talk(input: &[u8]) -> Vec<u8> {
        let mut session = Engine::default().session();
        session.feed(input);
        session.take_output()
    }

    #[test]
    fn typed_calls_are_left_for_what_they_know_nothing_of() {
        let mut session = Engine::default().session();
        session.feed(b"SELECT 3\r\n");
        assert_eq!((session.database(), session.plain_database()), (3, Some(3)));
        session.feed(b"CLIENT NO-TOUCH on\r\n");
        assert_eq!((session.database(), session.plain_database()), (3, None));
        session.feed(b"CLIENT NO-TOUCH off\r\nCLIENT REPLY off\r\n");
        assert_eq!(session.plain_database(), None);
    }

    #[test]
    fn typed_calls_are_left_while_commands_are_queued() {
        let mut session = Engine::default().session();
        session.feed(b"MULTI\r\n");
        assert_eq!(session.plain_database(), None);
        session.feed(b"DISCARD\r\n");
        assert_eq!(session.plain_database(), Some(0));
    }

    #[test]
    fn hello_by_a_call_counts_for_the_output() {
        let mut session = Engine::default().session();
        session.call(&[b"HELLO", b"3"], &mut Encoder::new(Protocol::Resp2));
        assert_eq!(session.protocol(), Protocol::Resp3);
        session.feed(b"GET none\r\n");
        assert_eq!(session.take_output(), b"_\r\n");
    }

    #[test]
    fn a_pipeline_is_answered_in_order() {
        let input = b"PING\r\nSET k v\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\nPING a\r\n";
        assert_eq!(talk(input), b"+PONG\r\n+OK\r\n$1\r\nv\r\n$-1\r\n$1\r\na\r\n");
    }

    #[test]
    fn requests_may_arrive_byte_by_byte() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\r\r\nGET k\r\n";
        let mut session = Engine::default().session();
        input.iter().for_each(|byte| session.feed(&[*byte]));
        assert_eq!(session.take_output(), b"+OK\r\n$3\r\n\r\n\r\r\n");
    }

    fn engine_with(settings: &[(&str, &str)]) -> (Engine, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let options = EngineOptions {
            settings: settings.iter().map(owned).collect(),
            clock: Box::new(clock.clone()),
            ..EngineOptions::default()
        };
        (Engine::open(options).unwrap(), clock)
    }

    fn say(session: &mut Session, input: &str) -> String {
        session.feed(input.as_bytes());
        String::from_utf8(session.take_output()).unwrap()
    }

    #[test]
    fn replies_can_be_silenced_one_by_one_or_all() {
        let mut session = Engine::default().session();
        assert_eq!(say(&mut session, "CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\n"), "$1\r\n2\r\n");
        assert_eq!(say(&mut session, "CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n"), "+PONG\r\n");
        let off = "CLIENT REPLY OFF\r\nSET k v\r\nCLIENT REPLY SKIP\r\nGET k\r\nGET k\r\n";
        assert_eq!(say(&mut session, off), "");
        assert_eq!(say(&mut session, "CLIENT REPLY ON\r\nGET k\r\n"), "+OK\r\n$1\r\nv\r\n");
        assert_eq!(say(&mut session, "CLIENT REPLY OFF\r\nRESET\r\n"), "+RESET\r\n");
    }

    #[test]
    fn a_browser_gets_no_answer() {
        let engine = Engine::default();
        for first in ["POST / HTTP/1.1\r\n", "Host: x\r\n"] {
            let mut session = engine.session();
            assert_eq!(say(&mut session, &format!("{first}SET k v\r\n")), "");
            assert!(session.is_closing());
        }
        assert_eq!(engine.get(b"k"), Ok(None));
        let info = say(&mut engine.session(), "INFO stats\r\n");
        assert!(info.contains("\nsecurity_event_disconnections:2\r"), "{info}");
    }

    #[test]
    fn a_stranger_may_only_authenticate() {
        let (engine, _) = engine_with(&[("requirepass", "secret")]);
        let mut session = engine.session();
        let refused = "-NOAUTH Authentication required.\r\n";
        assert_eq!(say(&mut session, "GET k\r\nPING\r\n"), refused.repeat(2));
        assert!(say(&mut session, "AUTH wrong\r\n").starts_with("-WRONGPASS "));
        assert!(say(&mut session, "*11\r\n").contains("unauthenticated multibulk length"));

        let mut session = engine.session();
        let long = "x".repeat(20_000);
        let input = format!("AUTH secret\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n{long}\r\n");
        assert_eq!(say(&mut session, &input), format!("+OK\r\n$20000\r\n{long}\r\n"));
        assert_eq!(say(&mut session, "RESET\r\nGET k\r\n"), format!("+RESET\r\n{refused}"));
    }

    #[test]
    fn too_much_unfinished_input_closes() {
        let (engine, _) = engine_with(&[("client-query-buffer-limit", "1mb")]);
        let mut session = engine.session();
        session.feed(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n");
        session.feed(&vec![b'x'; 1 << 20]);
        assert!(session.is_closing());
        assert!(session.output().is_empty());
    }

    #[test]
    fn output_beyond_the_hard_limit_closes_at_once() {
        let limits = [("client-output-buffer-limit", "normal 100 0 0")];
        let (engine, _) = engine_with(&limits);
        let mut session = engine.session();
        assert_eq!(say(&mut session, &format!("ECHO {}\r\n", "x".repeat(50))).len(), 57);
        session.feed(format!("ECHO {}\r\n", "x".repeat(200)).as_bytes());
        assert!(session.is_closing());
        assert!(session.output().is_empty());
    }

    #[test]
    fn output_beyond_the_soft_limit_closes_after_a_while() {
        let (engine, clock) = engine_with(&[("client-output-buffer-limit", "normal 0 10 2")]);
        let mut session = engine.session();
        session.feed(b"PING\r\nPING\r\n");
        clock.advance_ms(2_500);
        session.feed(b"PING\r\n");
        assert!(!session.is_closing());
        clock.advance_ms(1_000);
        session.feed(b"PING\r\n");
        assert!(session.is_closing());
    }

    #[test]
    fn sessions_know_of_each_other_while_they_are_open() {
        let (engine, clock) = engine_with(&[]);
        let mut one = engine.session();
        one.set_peer("127.0.0.1:5000", "127.0.0.1:6379");
        say(&mut one, "CLIENT SETNAME one\r\nCLIENT SETINFO lib-name test\r\nHELLO 3\r\n");
        say(&mut one, "SELECT 3\r\n");
        clock.advance_ms(7_000);
        let mut other = engine.session();
        let list = say(&mut other, "CLIENT LIST\r\n");
        let expected = "id=1 addr=127.0.0.1:5000 laddr=127.0.0.1:6379 fd=-1 name=one age=7 idle=7 \
                        flags=N db=3 ";
        assert!(list.contains(expected), "{list}");
        assert!(list.contains(
            "cmd=select user=default redir=-1 resp=3 lib-name=test lib-ver= tot-net-in="
        ));
        assert!(list.contains("\nid=2 addr=?:0 "));
        assert!(list.contains(" cmd=client|list "), "{list}");
        drop(one);
        assert!(!say(&mut other, "CLIENT LIST\r\n").contains("id=1 "));
    }

    #[test]
    fn a_protocol_error_is_answered_after_what_came_before_and_closes() {
        let mut session = Engine::default().session();
        session.feed(b"PING\r\n*1\r\n!\r\nPING\r\n");
        assert_eq!(
            session.take_output(),
            b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"
        );
        assert!(session.is_closing());
        session.feed(b"PING\r\n");
        assert!(session.output().is_empty());
    }
}
