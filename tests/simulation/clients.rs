//! Clients: each asks for one thing at a time, of whichever node comes to its mind, follows where it is
//! sent, tries again when it is told to, and may hear the answer late or never.

use crate::breach::Breach;
use crate::node::{NODES, number_of_host};
use crate::workload::{Ask, choose, database};
use crate::world::World;
use keyslot::Session;
use keyslot::resp::{Reply, ReplyDecoder, encode_request};

/// What a client waits for.
pub(crate) struct Pending {
    pub(crate) node: usize,
    life: u64,
    /// None until it is sent.
    session: Option<Session>,
    send_at: u64,
    hear_at: u64,
    began: u64,
    /// The clock of its node when it was sent.
    sent_ms: u64,
    pub(crate) ask: Ask,
    is_asking: bool,
    /// By reply, whether it belongs to ASKING or SELECT.
    skipped: Vec<bool>,
}

/// What a node tells a client to do.
enum Told {
    /// Go there, with ASKING or without.
    Go {
        node: usize,
        is_asking: bool,
    },
    TryAgain,
    Answer,
}

impl World {
    pub(crate) fn ask_something(&mut self) {
        let number = self.chance.below(self.clients.len() as u64) as usize;
        if self.clients[number].is_some() {
            return;
        }
        self.counter += 1;
        let now_ms = self.nodes[0].unix_ms();
        let ask = choose(&mut self.chance, self.counter, now_ms);
        let ask = self.history.look_for(ask, &mut self.chance);
        self.begin_ask(ask);
    }

    /// Lets the first client ask that is free, or another one that comes.
    pub(crate) fn begin_ask(&mut self, ask: Ask) {
        if !self.history.begin(&ask, self.now) {
            return;
        }
        let node = self.chance.below(NODES as u64) as usize;
        let pending = Some(self.pending(ask, node, self.now));
        match self.clients.iter_mut().find(|client| client.is_none()) {
            Some(free) => *free = pending,
            None => self.clients.push(pending),
        }
    }

    fn pending(&mut self, ask: Ask, node: usize, began: u64) -> Pending {
        Pending {
            node,
            life: 0,
            session: None,
            send_at: self.now + self.chance.below(3),
            hear_at: 0,
            began,
            sent_ms: 0,
            ask,
            is_asking: false,
            skipped: Vec::new(),
        }
    }

    /// Loses the connections of some clients: what they asked for may have happened.
    pub(crate) fn cut_client(&mut self) {
        let number = self.chance.below(self.clients.len() as u64) as usize;
        if let Some(pending) = self.clients[number].take() {
            self.history.unanswered(&pending.ask, pending.began);
        }
    }

    /// Does the same for all who are at a node.
    pub(crate) fn cut_clients_of(&mut self, node: usize) {
        for client in &mut self.clients {
            if let Some(pending) = client.take_if(|at| at.node == node && at.session.is_some()) {
                self.history.unanswered(&pending.ask, pending.began);
            }
        }
    }

    pub(crate) fn serve_clients(&mut self) -> Result<(), String> {
        for number in 0..self.clients.len() {
            let Some(pending) = self.clients[number].take() else { continue };
            self.clients[number] = self.serve_client(pending)?;
        }
        Ok(())
    }

    /// Sends what is to be sent, and hears what was answered. Returns what is still waited for.
    fn serve_client(&mut self, mut pending: Pending) -> Result<Option<Pending>, String> {
        let Some(session) = &mut pending.session else {
            if self.now >= pending.send_at {
                self.send_ask(&mut pending)?;
            }
            return Ok(Some(pending));
        };
        if self.breach != Some(Breach::LeavesWaitersAlone) {
            session.poll();
            session.handle_timeout();
        }
        if session.is_waiting() || self.now < pending.hear_at {
            return Ok(Some(pending));
        }
        let output = session.take_output();
        self.trace.note(&output);
        let mut skipped = pending.skipped.iter();
        let mut replies = replies(&output);
        let is_whole = replies.len() == pending.skipped.len();
        replies.retain(|_| skipped.next() == Some(&false));
        match told(&replies) {
            Told::Go { node, is_asking } => {
                pending.node = node;
                self.ask_again(pending, is_asking, 0)
            }
            Told::TryAgain => {
                let pause = 1 + self.chance.below(4);
                self.ask_again(pending, false, pause)
            }
            Told::Answer if !is_whole => {
                Err(format!("{:?} got {} replies: {replies:?}", pending.ask, replies.len()))
            }
            Told::Answer => self.take_answer(pending, &replies),
        }
    }

    fn ask_again(
        &mut self,
        pending: Pending,
        is_asking: bool,
        pause: u64,
    ) -> Result<Option<Pending>, String> {
        let Pending { node, began, ask, .. } = pending;
        let ask = match ask {
            Ask::Watch(key, _) => Ask::Watch(key, None),
            other => other,
        };
        let mut again = self.pending(ask, node, began);
        again.is_asking = is_asking;
        again.send_at += pause;
        if is_asking {
            // At once, as the other node is told that keys arrive.
            again.send_at = self.now;
            self.send_ask(&mut again)?;
        }
        Ok(Some(again))
    }

    /// Sends what a client asks for to the node that it has chosen.
    fn send_ask(&mut self, pending: &mut Pending) -> Result<(), String> {
        let mut session = self.nodes[pending.node].engine.session();
        let (input, skipped) = self.encode(&pending.ask, pending.is_asking);
        pending.life = self.nodes[pending.node].life;
        pending.sent_ms = self.nodes[pending.node].unix_ms();
        pending.hear_at = self.now + self.chance.below(4);
        session.feed(&input);
        self.check_wait(&session, &pending.ask)?;
        (pending.skipped, pending.session) = (skipped, Some(session));
        Ok(())
    }

    /// The bytes of a request, and which of the replies to it are no answers.
    fn encode(&self, ask: &Ask, is_asking: bool) -> (Vec<u8>, Vec<bool>) {
        let (mut input, mut skipped) = (Vec::new(), Vec::new());
        let mut add = |words: &[String], skip: bool| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            encode_request(&words, &mut input);
            skipped.push(skip);
        };
        let is_second = matches!(ask, Ask::Watch(_, Some(_)));
        if database(ask.name()) != 0 && !is_second {
            add(&["SELECT".to_owned(), "1".to_owned()], true);
        }
        let mut commands = ask.commands();
        match self.breach {
            Some(Breach::ForgetsWatches) if commands[0][0] == "WATCH" => {
                commands[0] = vec!["PING".to_owned()];
            }
            Some(Breach::SplitsTransactions) if commands[0][0] == "MULTI" => {
                commands = vec![commands.swap_remove(1)];
            }
            _ => {}
        }
        let is_transaction = commands[0][0] == "MULTI";
        for (at, words) in commands.iter().enumerate() {
            if is_asking && (at == 0 || !is_transaction) {
                add(&["ASKING".to_owned()], true);
            }
            add(words, false);
        }
        (input, skipped)
    }

    /// Holds an answer against what happened before. Returns what is asked for next, if anything.
    fn take_answer(
        &mut self,
        mut pending: Pending,
        replies: &[Reply],
    ) -> Result<Option<Pending>, String> {
        let span = (pending.began, self.now);
        if let (Ask::Watch(key, None), Some(value)) = (&pending.ask, replies.last()) {
            let value = count(value);
            let key = key.clone();
            self.history.answer(&key, span, value, false);
            pending.ask = Ask::Watch(key, Some(value));
            let (input, skipped) = self.encode(&pending.ask, pending.is_asking);
            pending.skipped = skipped;
            pending.hear_at = self.now + self.chance.below(4);
            // Another client's turn comes in between.
            pending.session.as_mut().expect("it was sent").feed(&input);
            return Ok(Some(pending));
        }
        let last = replies.last().ok_or("no answer")?;
        let clocks = (pending.sent_ms, self.nodes[pending.node].unix_ms());
        let latest_ms = self.nodes.iter().map(|node| node.unix_ms()).max().unwrap_or(0);
        self.tell(|| {
            let Pending { ask, node, is_asking, .. } = &pending;
            format!("{ask:?} answered {last:?} by {node}, asking {is_asking}")
        });
        let place = (pending.node, pending.life);
        self.history.take_answer(&pending.ask, span, last, (clocks, latest_ms), place).map_err(
            |why| format!("{:?} answered {last:?} by node {}: {why}", pending.ask, pending.node),
        )?;
        Ok(None)
    }

    /// Nobody but who wants a slot that moves waits, unless that is what was asked for. (I12)
    fn check_wait(&self, session: &Session, ask: &Ask) -> Result<(), String> {
        let slot = crate::world::slot(ask.name());
        let moves = self.nodes.iter().flat_map(|node| &node.at_work);
        let is_moving = moves.into_iter().any(|at_work| at_work.slots.contains(slot));
        if session.is_waiting() && !ask.may_wait() && !is_moving {
            return Err(format!("{ask:?} waits for a slot that does not move"));
        }
        Ok(())
    }

    /// A client is told where it is served when its node serves its slot no more. (I11)
    pub(crate) fn check_waiters(&self) -> Result<(), String> {
        for pending in self.clients.iter().flatten() {
            let Some(session) = &pending.session else { continue };
            let slot = crate::world::slot(pending.ask.name());
            if session.is_waiting() && self.is_left(pending.node, slot) {
                let Pending { node, ask, .. } = pending;
                return Err(format!("{ask:?} still waits at node {node}, which has not its slot"));
            }
        }
        Ok(())
    }
}

/// What a counter holds by a reply; nothing is zero.
pub(crate) fn count(reply: &Reply) -> u64 {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).parse().unwrap_or(0),
        _ => 0,
    }
}

pub(crate) fn replies(output: &[u8]) -> Vec<Reply> {
    let mut decoder = ReplyDecoder::default();
    let (mut replies, mut input) = (Vec::new(), bytes::BytesMut::from(output));
    while let Ok(Some(reply)) = decoder.decode(&mut input) {
        replies.push(reply);
    }
    replies
}

/// What the first error among some replies tells a client to do.
fn told(replies: &[Reply]) -> Told {
    let error = replies.iter().find_map(|reply| match reply {
        Reply::Error(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    let Some(error) = error else { return Told::Answer };
    let mut words = error.split(' ');
    let kind = words.next().unwrap_or_default();
    match kind {
        "MOVED" | "ASK" => {
            let node = words.nth(1).and_then(number_of_host);
            let go = |node| Told::Go { node, is_asking: kind == "ASK" };
            node.map_or(Told::TryAgain, go)
        }
        "TRYAGAIN" | "CLUSTERDOWN" => Told::TryAgain,
        _ => Told::Answer,
    }
}
