//! Commands that found nothing and wait for it: what they wait for, and the queues in which they
//! wait, in the order of their arrival. Serving them is the engine's work.
//!
//! Whoever ends a wait, be it a command that brings what is waited for, the clock, or another
//! session, takes the waiter's state first, so that there is exactly one. Locks are taken in this
//! order: shards, a waiter, the queues, a mailbox.

use super::acl::Identity;
use super::call::Call;
use super::card::Card;
use super::mailbox::{Letter, Post};
use super::table::Spec;
use crate::error::{Error, ErrorKind};
use crate::resp::number::{LongDouble, parse_i64};
use crate::resp::{Encoder, Protocol, ReplySink};
use crate::value::Type;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// For how long a command waits, in milliseconds; none for as long as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Option<u64>);

impl Timeout {
    /// Reads seconds, with a fraction or without.
    ///
    /// # Errors
    /// Redis's texts for what is no number, too large, or negative.
    pub(crate) fn seconds(word: &[u8], now_ms: u64) -> Result<Self, Error> {
        const NOT_FLOAT: Error = Error::err("timeout is not a float or out of range");
        let seconds = LongDouble::parse(word).ok_or(NOT_FLOAT)?;
        Self::new(seconds.times_rounded_up(1000).ok_or(OUT_OF_RANGE)?, now_ms)
    }

    /// Reads whole milliseconds.
    ///
    /// # Errors
    /// Redis's texts for what is no integer, too large, or negative.
    pub(crate) fn milliseconds(word: &[u8], now_ms: u64) -> Result<Self, Error> {
        const NOT_INTEGER: Error = Error::err("timeout is not an integer or out of range");
        Self::new(parse_i64(word).ok_or(NOT_INTEGER)?, now_ms)
    }

    /// Zero stands for ever.
    fn new(ms: i64, now_ms: u64) -> Result<Self, Error> {
        let ms = u64::try_from(ms).map_err(|_| Error::err("timeout is negative"))?;
        if ms > i64::MAX as u64 - now_ms {
            return Err(OUT_OF_RANGE);
        }
        Ok(Self((ms > 0).then_some(ms)))
    }
}

const OUT_OF_RANGE: Error = Error::err("timeout is out of range");

/// What is answered to who waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InVain {
    /// A null in the place of an array.
    NullArray,
    /// That too, but a plain null to who may not wait at all.
    NullArrayOrNull,
    /// These integers, as an array unless it is one.
    Integers(&'static [i64]),
    /// `OK`: nothing was waited for but the time.
    Ok,
    /// Nothing: neither time nor another session ends this wait.
    Never,
}

impl InVain {
    fn write(self, out: &mut dyn ReplySink) {
        match self {
            Self::NullArray | Self::NullArrayOrNull => out.null_array(),
            Self::Ok => out.ok(),
            Self::Never => {}
            Self::Integers([one]) => out.integer(*one),
            Self::Integers(all) => {
                out.array(all.len());
                all.iter().for_each(|one| out.integer(*one));
            }
        }
    }
}

/// What a command waits for.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// How many of its keys, from the first on, may bring it.
    pub(crate) keys: usize,
    /// What such a key has to hold by then; none if any change to it counts, its end included.
    pub(crate) of_type: Option<Type>,
    pub(crate) timeout: Timeout,
    pub(crate) in_vain: InVain,
    /// The words with which the command is tried again, if not those that it came with.
    pub(crate) words: Option<Vec<Vec<u8>>>,
}

impl Call<'_, '_> {
    /// Lets the session wait, and the command be tried again when one of its keys has changed. A
    /// session that may not wait is answered as if it had waited in vain. The handler has written
    /// nothing, and returns.
    pub(crate) fn wait(&mut self, wait: Wait) {
        if self.client.may_wait {
            self.client.wait = Some(Box::new(wait));
        } else if wait.in_vain == InVain::NullArrayOrNull {
            self.out.null();
        } else {
            wait.in_vain.write(self.out);
        }
    }
}

/// How a wait can be ended by another session (CLIENT UNBLOCK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// As if it had waited in vain.
    Timeout,
    /// With an error.
    Error,
}

/// A session that waits, with the command that it waits in.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) card: Arc<Card>,
    pub(crate) db: usize,
    pub(crate) protocol: Protocol,
    pub(crate) no_touch: bool,
    /// Who the session is, and what may be kept from it.
    pub(crate) identity: Identity,
    pub(crate) spec: &'static Spec,
    pub(crate) words: Vec<Vec<u8>>,
    pub(crate) wait: Wait,
    /// The keys that it waits for, each once.
    pub(crate) keys: Vec<Box<[u8]>>,
    /// When it has waited long enough, in microseconds on the monotonic scale.
    pub(crate) deadline_us: Option<u64>,
    pub(crate) state: Mutex<WaitState>,
}

/// How far a wait is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WaitState {
    #[default]
    Waiting,
    /// There is an answer in the mailbox, or nobody to answer to, and the queues may still name the
    /// waiter.
    Answered,
    /// Nothing names the waiter any more.
    Over,
}

impl Waiter {
    /// Whether a key that holds this, or nothing, may bring what is waited for.
    pub(crate) fn wants(&self, of_type: Option<Type>) -> bool {
        self.wait.of_type.is_none() || self.wait.of_type == of_type
    }

    /// Leaves an answer, made by `write`, in the session's mailbox. The wait is over by that.
    pub(crate) fn answer(
        &self,
        state: &mut WaitState,
        next: WaitState,
        post: &Post,
        write: impl FnOnce(&mut Encoder),
    ) {
        debug_assert_eq!(*state, WaitState::Waiting);
        *state = next;
        let mut out = Encoder::new(self.protocol);
        write(&mut out);
        self.card.mailbox.deliver_answer(Letter::Answer(out.take()), post);
    }

    /// Ends the wait without an answer: the session is gone.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        if *state == WaitState::Waiting {
            *state = WaitState::Answered;
        }
    }

    /// Answers as if it had waited in vain, or with an error. Returns whether it still waited.
    pub(crate) fn release(&self, how: Result<Release, &Error>, post: &Post) -> bool {
        let mut state = self.state.lock();
        if *state != WaitState::Waiting || self.wait.in_vain == InVain::Never {
            return false;
        }
        self.answer(&mut state, WaitState::Answered, post, |out| match how {
            Ok(Release::Timeout) => self.wait.in_vain.write(out),
            Ok(Release::Error) => out.error(&UNBLOCKED),
            Err(error) => out.error(error),
        });
        true
    }
}

const UNBLOCKED: Error =
    Error::fixed(ErrorKind::Foreign, "UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// Who waits for one key, in the order of arrival.
#[derive(Debug, Default)]
struct Queue {
    waiters: VecDeque<Arc<Waiter>>,
    /// How many of them are served when the key is gone too.
    of_any_type: usize,
}

type Queues = BTreeMap<usize, HashMap<Box<[u8]>, Queue>>;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    queues: Mutex<Queues>,
    /// Sessions that wait.
    waiting: AtomicUsize,
    /// Those among them that do not wait for ever.
    timed: AtomicUsize,
}

impl WaitingRoom {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock()
    }

    /// Lets a waiter in, at the end of the queues of its keys.
    pub(crate) fn enter(&self, waiter: &Arc<Waiter>) {
        let mut queues = self.lock();
        let of_db = queues.entry(waiter.db).or_default();
        for key in &waiter.keys {
            let queue = of_db.entry(key.clone()).or_default();
            queue.waiters.push_back(waiter.clone());
            queue.of_any_type += usize::from(waiter.wait.of_type.is_none());
        }
        self.waiting.fetch_add(1, Relaxed);
        self.timed.fetch_add(usize::from(waiter.deadline_us.is_some()), Relaxed);
    }

    /// Lets a waiter out.
    pub(crate) fn leave(&self, waiter: &Arc<Waiter>) {
        self.waiting.fetch_sub(1, Relaxed);
        self.timed.fetch_sub(usize::from(waiter.deadline_us.is_some()), Relaxed);
        let mut queues = self.lock();
        let Some(of_db) = queues.get_mut(&waiter.db) else { return };
        for key in &waiter.keys {
            let Some(queue) = of_db.get_mut(key) else { continue };
            let at = queue.waiters.iter().position(|other| Arc::ptr_eq(other, waiter));
            if at.and_then(|at| queue.waiters.remove(at)).is_some() {
                queue.of_any_type -= usize::from(waiter.wait.of_type.is_none());
            }
            if queue.waiters.is_empty() {
                of_db.remove(key);
            }
        }
        if of_db.is_empty() {
            queues.remove(&waiter.db);
        }
    }

    /// The waiter at a place in the queue of a key that holds a type, or nothing; from the place on,
    /// those are passed over that this does not serve. None at the end.
    pub(crate) fn next(
        &self,
        db: usize,
        key: &[u8],
        of_type: Option<Type>,
        place: &mut usize,
    ) -> Option<Arc<Waiter>> {
        let queues = self.lock();
        let queue = queues.get(&db)?.get(key)?;
        if of_type.is_none() && queue.of_any_type == 0 {
            return None;
        }
        let rest = queue.waiters.iter().enumerate().skip(*place);
        let (at, found) = rest.into_iter().find(|(_, waiter)| waiter.wants(of_type))?;
        *place = at;
        Some(found.clone())
    }

    /// Everybody who waits for one key, in the order of arrival.
    pub(crate) fn queue(&self, db: usize, key: &[u8]) -> Vec<Arc<Waiter>> {
        let queues = self.lock();
        let queue = queues.get(&db).and_then(|of_db| of_db.get(key));
        queue.map_or_else(Vec::new, |queue| queue.waiters.iter().cloned().collect())
    }

    /// Everybody who waits for a key.
    pub(crate) fn all(&self) -> Vec<Arc<Waiter>> {
        let queues = self.lock();
        let all = queues.values().flat_map(HashMap::values).flat_map(|queue| &queue.waiters);
        all.cloned().collect()
    }

    /// How many sessions wait, how many of them not for ever, how many keys are waited for, and how
    /// many of those by sessions that are served too when the key is gone.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let queues = self.lock();
        let all = || queues.values().flat_map(HashMap::values);
        let of_any_type = all().filter(|queue| queue.of_any_type > 0).count();
        [self.waiting.load(Relaxed), self.timed.load(Relaxed), all().count(), of_any_type]
    }
}
