//! What commands have to settle with other nodes, and the links over which that is done. The core
//! opens no socket: the engine's `Link` is what the host carries, and this is the board on which
//! commands and hosts meet.
//!
//! ```text
//! handler --Call::send--> Task { Errand, Waiter } --assign--> an idle link to that place, or a wish
//! for a new one --poll_link--> Link: speak, hear, ... until is_done --write_reply--> the mailbox
//! ```
//! A command such as MIGRATE says what there is to settle as an [`Errand`], and its session waits,
//! without a thread, until the errand is done or has failed. An errand has a link to itself, so that
//! what one target does not answer delays no other; afterwards the link rests, and the next errand
//! to the same place takes it up. The locks here are leaves.

use super::call::Call;
use super::environment::Environment;
use super::mailbox::{Post, Waker};
use super::wait::{InVain, Timeout, Wait, Waiter};
use crate::error::{Error, ErrorKind};
use crate::keyspace::Access;
use crate::resp::{Reply, ReplySink};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Where a link leads, and as whom. Links are shared by errands to equal places only, so that nobody
/// acts under a name that another has given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The words after AUTH; none if it is not said.
    pub(crate) credentials: Vec<Vec<u8>>,
}

/// What is known of the session at the other end of a link, from one errand to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerState {
    pub(crate) authenticated: bool,
    /// The database that is selected; none if that is in doubt.
    pub(crate) db: Option<i64>,
    /// The version of payloads that it is known to take.
    pub(crate) payload_version: Option<u16>,
}

impl PeerState {
    /// What a new connection starts with.
    pub(crate) const NEW: Self = Self { authenticated: false, db: Some(0), payload_version: None };
}

/// What an errand works with.
pub(crate) struct Scene<'a, 'k> {
    /// The keyspace, without a lock: an errand locks what it looks at, a key at a time.
    pub(crate) keys: &'a mut Access<'k>,
    pub(crate) env: &'a Environment,
    pub(crate) peer: &'a mut PeerState,
}

/// How a link failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// The other side was silent for too long; otherwise the connection ended.
    pub(crate) timed_out: bool,
}

/// What a link was at when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Writing,
    Reading,
}

/// What becomes of an errand whose link failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It begins anew, over a new link.
    Again,
    /// It is over, and can say its reply.
    Over,
}

/// What one command has to settle with another node. `speak` and `hear` are called in turns until
/// the errand is done; or `fail` is.
pub(crate) trait Errand: Send + fmt::Debug {
    /// For how long the other side may be silent, in milliseconds.
    fn patience_ms(&self) -> u64;

    /// Appends what can be said now, some hundred KiB at a time. Called at first, and whenever
    /// everything said before was sent or something was heard.
    fn speak(&mut self, scene: &mut Scene<'_, '_>, out: &mut Vec<u8>);

    /// Takes in the next thing that the other side said.
    ///
    /// # Errors
    /// If it makes no sense. The link fails then.
    fn hear(&mut self, scene: &mut Scene<'_, '_>, reply: Reply) -> Result<(), Error>;

    /// Whether there is nothing more to say and to hear.
    fn is_done(&self) -> bool;

    /// Takes note that the link failed.
    fn fail(&mut self, scene: &mut Scene<'_, '_>, failure: Failure) -> Next;

    /// Writes the reply to the command.
    ///
    /// # Errors
    /// The error that the command answers.
    fn write_reply(&mut self, out: &mut dyn ReplySink) -> Result<(), Error>;
}

/// An errand that is to be assigned, on its way from the handler.
#[derive(Debug)]
pub(crate) struct Order {
    place: Place,
    errand: Box<dyn Errand>,
}

/// An errand with the session that waits for it.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) errand: Box<dyn Errand>,
    pub(crate) waiter: Arc<Waiter>,
}

/// What is shared by a link and those who have tasks for it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) place: Place,
    inbox: Mutex<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    task: Option<Task>,
    /// The host of the link.
    waker: Option<Waker>,
}

impl Line {
    fn new(place: Place, task: Task) -> Arc<Self> {
        Arc::new(Self { place, inbox: Mutex::new(Inbox { task: Some(task), waker: None }) })
    }

    /// Takes the task that was left here.
    pub(crate) fn take_task(&self) -> Option<Task> {
        self.inbox.lock().task.take()
    }

    pub(crate) fn set_waker(&self, waker: Waker) {
        self.inbox.lock().waker = Some(waker);
    }

    fn leave(&self, task: Task, post: &Post) {
        let mut inbox = self.inbox.lock();
        inbox.task = Some(task);
        if let Some(waker) = &inbox.waker {
            post.add(waker.clone());
        }
    }
}

/// Links that rest beyond this many are closed.
const RESTING_MAX: usize = 64;

#[derive(Debug, Default)]
struct Board {
    /// The host that opens links.
    opener: Option<Waker>,
    wanted: VecDeque<Arc<Line>>,
    resting: Vec<Arc<Line>>,
}

/// The links of an engine.
#[derive(Debug, Default)]
pub(crate) struct Links {
    board: Mutex<Board>,
}

impl Links {
    /// Says whom to call when a link is to be opened; at once, if one is already.
    pub(crate) fn set_opener(&self, opener: Waker, post: &Post) {
        let mut board = self.board.lock();
        if !board.wanted.is_empty() {
            post.add(opener.clone());
        }
        board.opener = Some(opener);
    }

    /// Takes back that somebody opens links. Returns those that were to be opened.
    pub(crate) fn close_board(&self) -> VecDeque<Arc<Line>> {
        let mut board = self.board.lock();
        board.opener = None;
        std::mem::take(&mut board.wanted)
    }

    /// Whether there is a host that opens links.
    fn has_opener(&self) -> bool {
        self.board.lock().opener.is_some()
    }

    /// Gives an errand to a link that rests, or asks for a new one.
    pub(crate) fn assign(&self, order: Order, waiter: Arc<Waiter>, post: &Post) {
        let Order { place, errand } = order;
        let task = Task { errand, waiter };
        let mut board = self.board.lock();
        let resting = board.resting.iter().rposition(|line| line.place == place);
        match resting.map(|number| board.resting.swap_remove(number)) {
            Some(line) => line.leave(task, post),
            None => board.want(place, task, post),
        }
    }

    /// Asks for a new link, whatever rests.
    pub(crate) fn want(&self, place: Place, task: Task, post: &Post) {
        self.board.lock().want(place, task, post);
    }

    /// The next link that is to be opened.
    pub(crate) fn next_wanted(&self) -> Option<Arc<Line>> {
        self.board.lock().wanted.pop_front()
    }

    /// Lets a link rest. Returns false if it is to be closed: nobody could call its host, or too
    /// many rest.
    pub(crate) fn rest(&self, line: &Arc<Line>) -> bool {
        let mut board = self.board.lock();
        let may_rest = board.resting.len() < RESTING_MAX && line.inbox.lock().waker.is_some();
        if may_rest {
            board.resting.push(line.clone());
        }
        may_rest
    }

    /// Takes a link out of those that rest. Whoever calls this takes its task after, if it was given
    /// one just before.
    pub(crate) fn rouse(&self, line: &Arc<Line>) {
        self.board.lock().resting.retain(|other| !Arc::ptr_eq(other, line));
    }
}

impl Board {
    fn want(&mut self, place: Place, task: Task, post: &Post) {
        self.wanted.push_back(Line::new(place, task));
        if let Some(opener) = &self.opener {
            post.add(opener.clone());
        }
    }
}

impl Call<'_, '_> {
    /// Whether an errand can be sent for this caller: it can wait, and a host opens links.
    ///
    /// # Errors
    /// `IOERR`, and why not.
    pub(crate) fn check_links(&self) -> Result<(), Error> {
        let refused = |text| Err(Error::fixed(ErrorKind::IoErr, text));
        if !self.client.may_wait {
            return refused("the caller cannot wait for the target instance");
        }
        if !self.env.links.has_opener() {
            return refused("the host opens no connections to other instances");
        }
        Ok(())
    }

    /// Sends an errand, for whose end the session waits. The handler has written nothing, and
    /// returns; it has asked [`Call::check_links`] before.
    pub(crate) fn send(&mut self, place: Place, errand: Box<dyn Errand>) {
        let timeout = Timeout(None);
        let wait = Wait { keys: 0, of_type: None, timeout, in_vain: InVain::Never, words: None };
        self.client.wait = Some(Box::new(wait));
        self.client.order = Some(Box::new(Order { place, errand }));
    }
}
