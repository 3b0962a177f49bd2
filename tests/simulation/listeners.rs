//! Clients that keep their connection: those who listen to the channels of a slot, and those whose
//! copies of what they read are kept up to date.

use crate::breach::Breach;
use crate::clients::replies;
use crate::node::{NODES, call, number_of_host};
use crate::workload::TAGS;
use crate::world::{World, slot};
use keyslot::Session;
use keyslot::resp::{Reply, encode_request};

/// What somebody does with a connection that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// Listens to a channel.
    Listens,
    /// Keeps a copy of a key: none while it is not known.
    Copies(Option<Reply>),
}

pub(crate) struct Listener {
    pub(crate) name: String,
    node: usize,
    life: u64,
    session: Option<Session>,
    pub(crate) part: Part,
    /// Whether the node has said that it listens, or sent what is copied.
    is_served: bool,
}

pub(crate) fn everybody() -> Vec<Listener> {
    let new = |tag: &str, name: &str, part: Part| Listener {
        name: format!("{tag}{name}"),
        node: 0,
        life: 0,
        session: None,
        part,
        is_served: false,
    };
    let of_tag = |tag| [new(tag, "channel", Part::Listens), new(tag, "n", Part::Copies(None))];
    TAGS.into_iter().flat_map(of_tag).collect()
}

fn feed(session: &mut Session, words: &[&str]) {
    let mut input = Vec::new();
    encode_request(words, &mut input);
    session.feed(&input);
}

/// Whether a push is of this kind.
fn is_push(push: &[Reply], kind: &str) -> bool {
    matches!(push.first(), Some(Reply::Bulk(text)) if *text == kind.as_bytes())
}

impl World {
    pub(crate) fn serve_listeners(&mut self) {
        let mut all = std::mem::take(&mut self.listeners);
        all.iter_mut().for_each(|listener| self.serve_listener(listener));
        self.listeners = all;
    }

    fn serve_listener(&mut self, listener: &mut Listener) {
        let node = &self.nodes[listener.node];
        if listener.session.is_some() && listener.life != node.life {
            // The connection ended with its node.
            (listener.session, listener.is_served) = (None, false);
            listener.node = self.chance.below(NODES as u64) as usize;
            forget_copy(listener);
        }
        let node = &self.nodes[listener.node];
        let Some(session) = &mut listener.session else {
            let mut session = node.engine.session();
            feed(&mut session, &["HELLO", "3"]);
            if listener.part != Part::Listens {
                feed(&mut session, &["CLIENT", "TRACKING", "ON"]);
            }
            ask(&mut session, &listener.part, &listener.name);
            (listener.session, listener.life) = (Some(session), node.life);
            return;
        };
        session.poll();
        let output = session.take_output();
        self.trace.note(&output);
        for reply in replies(&output) {
            self.hear(listener, reply);
        }
    }

    fn hear(&mut self, listener: &mut Listener, reply: Reply) {
        match (reply, &mut listener.part) {
            (Reply::Push(push), _) if self.breach == Some(Breach::LosesMessages) => {
                listener.is_served |= is_push(&push, "ssubscribe");
            }
            (Reply::Push(push), Part::Listens) if is_push(&push, "smessage") => {
                if let Some(Reply::Bulk(message)) = push.last() {
                    let message = String::from_utf8_lossy(message).into_owned();
                    self.history.heard(&message);
                }
            }
            (Reply::Push(push), Part::Listens) => {
                listener.is_served = is_push(&push, "ssubscribe");
                if is_push(&push, "sunsubscribe") {
                    self.ask_elsewhere(listener, None);
                }
            }
            (Reply::Push(push), Part::Copies(_)) if is_push(&push, "invalidate") => {
                self.ask_elsewhere(listener, Some(listener.node));
            }
            (Reply::Error(text), _) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let node = text.split(' ').nth(2).and_then(number_of_host);
                self.ask_elsewhere(listener, node);
            }
            (reply @ (Reply::Bulk(_) | Reply::Null), Part::Copies(copy)) => {
                *copy = Some(reply);
                listener.is_served = true;
            }
            _ => {}
        }
    }

    /// Asks anew, of a node or, if none is said, of any.
    fn ask_elsewhere(&mut self, listener: &mut Listener, node: Option<usize>) {
        let any = self.chance.below(NODES as u64) as usize;
        let node = node.unwrap_or(any);
        listener.is_served = false;
        forget_copy(listener);
        match &mut listener.session {
            Some(session) if node == listener.node => ask(session, &listener.part, &listener.name),
            _ => {
                listener.session = None;
                listener.node = node;
            }
        }
    }

    /// Who listens at a node that serves its channel no more was told so, and who has a copy of a key
    /// was told of each change, and that the key has left. (I11)
    pub(crate) fn check_listeners(&self) -> Result<(), String> {
        for listener in self.listeners.iter().filter(|listener| listener.is_served) {
            let node = &self.nodes[listener.node];
            let Some(session) = &listener.session else { continue };
            // What is in its output it has not heard of yet.
            if listener.life != node.life || !session.output().is_empty() {
                continue;
            }
            let Listener { name, part, .. } = listener;
            match part {
                Part::Listens if self.is_left(listener.node, slot(name)) => {
                    return Err(format!("{name} is listened to at node {}", listener.node));
                }
                Part::Copies(Some(copy)) => {
                    let held = call(&node.engine, &[b"GET", name.as_bytes()]);
                    let is_told_later = |error: &[u8]| error.starts_with(b"TRYAGAIN");
                    let is_stale = match &held {
                        Some(Reply::Error(error)) => !is_told_later(error),
                        held => held.as_ref() != Some(copy),
                    };
                    if is_stale {
                        return Err(format!("a copy of {name} is {copy:?} where it is {held:?}"));
                    }
                }
                Part::Listens | Part::Copies(None) => {}
            }
        }
        Ok(())
    }
}

fn ask(session: &mut Session, part: &Part, name: &str) {
    match part {
        Part::Listens => feed(session, &["SSUBSCRIBE", name]),
        Part::Copies(_) => feed(session, &["GET", name]),
    }
}

fn forget_copy(listener: &mut Listener) {
    if let Part::Copies(copy) = &mut listener.part {
        *copy = None;
    }
}
