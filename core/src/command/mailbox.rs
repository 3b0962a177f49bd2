//! What others leave for a session: messages and the like. The session takes it when its host polls
//! it, and then finds the words for it in its own version of the protocol.
//!
//! A mailbox is a leaf: whoever locks it waits for nothing else. The host is called when no lock is
//! held any more; until then its callback waits in the [`Post`].

use super::pubsub::Message;
use super::tracking::Invalidation;
use crate::config::OutputLimit;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Tells a host that a session of its has something to take.
#[derive(Clone)]
pub(crate) struct Waker(pub(crate) Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Something for a session.
#[derive(Debug)]
pub(crate) enum Letter {
    /// A message of a channel that it listens to.
    Message(Arc<Message>),
    /// A shard channel that it listened to and that is served elsewhere.
    ChannelGone(Box<[u8]>),
    /// Word that copies are out of date.
    Invalidation(Invalidation),
    /// A line of text about what others do, as it goes out.
    Line(Arc<[u8]>),
    /// The reply to the command in which it waited, as it goes out.
    Answer(Vec<u8>),
}

impl Letter {
    /// About how many bytes of output it makes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.weight(),
            Self::ChannelGone(name) => name.len(),
            Self::Invalidation(word) => word.weight(),
            Self::Line(line) => line.len(),
            Self::Answer(reply) => reply.len(),
        }
    }
}

/// What a mailbox holds.
#[derive(Debug, Default)]
struct Content {
    letters: VecDeque<Letter>,
    /// When the session's output went beyond the soft limit, in milliseconds since the Unix epoch.
    over_since_ms: Option<u64>,
    waker: Option<Waker>,
    /// Whether the host was called and has not come yet.
    called: bool,
}

/// What others left for a session.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    content: Mutex<Content>,
    /// Whether there is something to take.
    full: AtomicBool,
    /// About how many bytes of output the letters make.
    weight: AtomicUsize,
    /// Whether the session shall end at once: it did not read what it asked for, or was killed.
    cut_off: AtomicBool,
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It lies in the mailbox.
    Yes,
    /// It was too much, and the session ends.
    TooMuch,
    /// The session has ended already, though its host has not come to know.
    Gone,
}

/// What a session finds in its mailbox.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) letters: VecDeque<Letter>,
    /// Whether the session shall end at once.
    pub(crate) cut_off: bool,
}

impl Mailbox {
    /// Leaves a letter. `waiting` is how much output waits for the host besides. What would go
    /// beyond the limit is thrown away with everything before it, and the session ends.
    pub(crate) fn deliver(
        &self,
        letter: Letter,
        waiting: usize,
        limit: OutputLimit,
        now_ms: u64,
        post: &Post,
    ) -> Delivered {
        let mut content = self.content.lock();
        if self.is_cut_off() {
            return Delivered::Gone;
        }
        let weight = self.weight.load(Ordering::Relaxed) + letter.weight();
        let over = limit.is_exceeded(waiting + weight, &mut content.over_since_ms, || now_ms);
        if over {
            self.empty(&mut content);
        } else {
            content.letters.push_back(letter);
            self.weight.store(weight, Ordering::Relaxed);
        }
        self.full.store(true, Ordering::Release);
        content.call(post);
        if over { Delivered::TooMuch } else { Delivered::Yes }
    }

    /// Ends the session without a word.
    pub(crate) fn cut_off(&self, post: &Post) {
        let mut content = self.content.lock();
        self.empty(&mut content);
        self.full.store(true, Ordering::Release);
        content.call(post);
    }

    /// Throws everything away, for good.
    fn empty(&self, content: &mut Content) {
        content.letters = VecDeque::new();
        self.weight.store(0, Ordering::Relaxed);
        self.cut_off.store(true, Ordering::Release);
    }

    /// Whether the session shall end at once.
    #[inline]
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Acquire)
    }

    /// Has the host called, though nothing is left for the session.
    pub(crate) fn ring(&self, post: &Post) {
        let mut content = self.content.lock();
        self.full.store(true, Ordering::Release);
        content.call(post);
    }

    /// Leaves the answer to a command in which the session waited, of any length, as replies are.
    pub(crate) fn deliver_answer(&self, answer: Letter, post: &Post) {
        let mut content = self.content.lock();
        self.weight.fetch_add(answer.weight(), Ordering::Relaxed);
        content.letters.push_back(answer);
        self.full.store(true, Ordering::Release);
        content.call(post);
    }

    /// Takes everything that was left. Costs a load if that is nothing.
    #[inline]
    pub(crate) fn take(&self) -> Option<Delivery> {
        self.full.load(Ordering::Acquire).then(|| self.take_all())
    }

    fn take_all(&self) -> Delivery {
        let mut content = self.content.lock();
        content.called = false;
        content.over_since_ms = None;
        self.full.store(false, Ordering::Relaxed);
        self.weight.store(0, Ordering::Relaxed);
        Delivery { letters: std::mem::take(&mut content.letters), cut_off: self.is_cut_off() }
    }

    /// How many letters there are.
    pub(crate) fn len(&self) -> usize {
        self.content.lock().letters.len()
    }

    /// About how many bytes of output the letters make.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// Says whom to call. Whoever it is is called at once if something waits already.
    pub(crate) fn set_waker(&self, waker: Waker, post: &Post) {
        let mut content = self.content.lock();
        content.waker = Some(waker);
        content.called = false;
        if self.full.load(Ordering::Relaxed) {
            content.call(post);
        }
    }
}

impl Content {
    fn call(&mut self, post: &Post) {
        if let Some(waker) = &self.waker
            && !self.called
        {
            post.add(waker.clone());
            self.called = true;
        }
    }
}

/// Hosts that are to be called as soon as the caller holds no lock.
#[derive(Debug, Default)]
pub(crate) struct Post {
    any: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Post {
    /// Lets a host be called.
    pub(crate) fn add(&self, waker: Waker) {
        self.wakers.lock().push(waker);
        self.any.store(true, Ordering::Release);
    }

    /// Calls the hosts. Costs a load if there is none to call. The caller holds no lock.
    #[inline]
    pub(crate) fn send(&self) {
        if self.any.load(Ordering::Acquire) {
            self.send_all();
        }
    }

    #[cold]
    fn send_all(&self) {
        self.any.store(false, Ordering::Relaxed);
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.iter().for_each(|waker| (waker.0)());
    }
}
