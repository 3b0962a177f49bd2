//! What others leave for a session: messages and the like. The session takes it when its host polls
//! it, and then finds the words for it in its own version of the protocol.
//!
//! A mailbox is a leaf: whoever locks it waits for nothing else. The host is called when no lock is
//! held any more; until then its callback waits in the [`Post`].

use super::pubsub::Message;
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
    /// The reply to the command in which it waited, as it goes out.
    Answer(Vec<u8>),
}

impl Letter {
    /// About how many bytes of output it makes.
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.weight(),
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
    /// Whether the session shall end at once: it did not read what it asked for.
    cut_off: bool,
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
    /// beyond the limit is thrown away with everything before it, and the session ends. Returns
    /// whether it came to that just now.
    pub(crate) fn deliver(
        &self,
        letter: Letter,
        waiting: usize,
        limit: OutputLimit,
        now_ms: u64,
        post: &Post,
    ) -> bool {
        let mut content = self.content.lock();
        if content.cut_off {
            return false;
        }
        let weight = self.weight.load(Ordering::Relaxed) + letter.weight();
        let over = limit.is_exceeded(waiting + weight, &mut content.over_since_ms, || now_ms);
        if over {
            content.letters = VecDeque::new();
            content.cut_off = true;
            self.weight.store(0, Ordering::Relaxed);
        } else {
            content.letters.push_back(letter);
            self.weight.store(weight, Ordering::Relaxed);
        }
        self.full.store(true, Ordering::Release);
        content.call(post);
        over
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
        Delivery { letters: std::mem::take(&mut content.letters), cut_off: content.cut_off }
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
    fn add(&self, waker: Waker) {
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
