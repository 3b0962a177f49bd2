//! One slot, two nodes, and everything that may be on its way between them: the states of the atomic
//! mode's protocol, and the steps that each side takes. Which steps are possible when is `steps`'.
//!
//! It is written from `core/src/migration/atomic` and `core/src/engine/import.rs`, and says less:
//! - The slot has two keys, A in database 0 and B in database 1, which hold counters. The walk passes
//!   one database at a step. Large values in pieces and SWAPDB are left out.
//! - There are no times. A source or a target that may give up for silence may do so at any moment,
//!   and what is sent is sent again at any moment.
//! - There are no limits of bytes: the source walks on, cuts what waits into frames and fences the
//!   slot whenever it may, so that any limits are among what is checked.
//! - What was ever sent may arrive, any number of times and in any order, or never.

use std::collections::{BTreeMap, BTreeSet};

/// The two keys' counters; zero is a key that is not there.
pub(crate) type Values = [u8; 2];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Command {
    Restore(u8, u8),
    Delete(u8),
    Increment(u8),
    /// B becomes what A is.
    Copy,
}

impl Command {
    pub(crate) fn carry_out(self, values: &mut Values) {
        match self {
            Self::Restore(key, value) => values[usize::from(key)] = value,
            Self::Delete(key) => values[usize::from(key)] = 0,
            Self::Increment(key) => values[usize::from(key)] += 1,
            Self::Copy if values[0] > 0 => values[1] = values[0],
            Self::Copy => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    Receiving,
    Prepared,
    Committed,
    Aborted,
    Unknown,
}

/// Which attempt a frame is of, and the number that the target has given to what arrives; zero until
/// the source knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Header {
    pub(crate) attempt: u8,
    pub(crate) arrival: u8,
}

/// What is on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Frame {
    Open(Header),
    Data(Header, u8, Vec<Command>),
    Prepare(Header, u8),
    Commit(Header, u8),
    Abort(Header),
    Ack(Header, u8, Standing),
}

impl Frame {
    pub(crate) fn header(&self) -> Header {
        match *self {
            Self::Open(header)
            | Self::Data(header, ..)
            | Self::Prepare(header, _)
            | Self::Commit(header, _)
            | Self::Abort(header)
            | Self::Ack(header, ..) => header,
        }
    }
}

/// What else the headers of an attempt's frames tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) source: usize,
    pub(crate) source_epoch: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fence {
    None,
    Writes,
    All,
}

/// What the source has yet to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Feed {
    /// How many databases the walk has passed.
    pub(crate) walked: u8,
    again: BTreeSet<u8>,
    pub(crate) out: Vec<Command>,
}

impl Feed {
    pub(crate) fn is_through(&self) -> bool {
        self.walked == 2 && self.again.is_empty()
    }

    fn is_settled(&self, key: u8) -> bool {
        self.walked > key && !self.again.contains(&key)
    }

    fn hear(&mut self, command: Command, flaw: Flaw) {
        let keys: &[u8] = match command {
            Command::Increment(0) => &[0],
            Command::Copy => &[0, 1],
            _ => &[1],
        };
        let settled: Vec<u8> = keys.iter().copied().filter(|&key| self.is_settled(key)).collect();
        let all = settled.len() == keys.len();
        if all && flaw != Flaw::LeavesOutEffects {
            self.out.push(command);
        } else {
            self.again.extend(settled);
        }
        if flaw == Flaw::LeavesOutEffects {
            self.again.clear();
        }
    }

    fn step(&mut self, values: Values) {
        let key = if self.walked < 2 {
            self.walked += 1;
            let key = self.walked - 1;
            if values[usize::from(key)] == 0 {
                return;
            }
            key
        } else {
            let Some(key) = self.again.pop_first() else { return };
            key
        };
        let value = values[usize::from(key)];
        let is_there = value > 0;
        self.out.push(if is_there { Command::Restore(key, value) } else { Command::Delete(key) });
    }
}

/// How an attempt ends that does not move the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Ended,
    Again,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Opening,
    Copying(Feed),
    Draining(Feed),
    Preparing,
    Deciding,
    Committing,
    Deleting,
    Withdrawing { outcome: Outcome, is_fenced: bool },
}

/// A source's machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moving {
    pub(crate) header: Header,
    pub(crate) stage: Stage,
    /// The number of the last piece, and of the last that was acknowledged.
    pub(crate) last: u8,
    pub(crate) acked: u8,
    /// Whether another attempt may follow.
    pub(crate) may_retry: bool,
}

impl Moving {
    fn new(header: Header, stage: Stage) -> Self {
        Self { header, stage, last: 0, acked: 0, may_retry: true }
    }
}

/// A target's attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Import {
    pub(crate) header: Header,
    pub(crate) applied: u8,
    /// Pieces that came too early.
    early: BTreeMap<u8, Vec<Command>>,
    pub(crate) is_prepared: bool,
    pub(crate) is_saving: bool,
    pub(crate) staged: Values,
}

/// What a target has made durable of what arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Saved {
    header: Header,
    applied: u8,
    staged: Values,
}

/// Who has the slot, and the epochs of both nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct View {
    pub(crate) owner: usize,
    pub(crate) epochs: [u8; 2],
}

/// What a source's host keeps while it asks the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question {
    pub(crate) source: usize,
    pub(crate) header: Header,
    /// What the store held.
    before: View,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Committed(u8),
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// What the engine holds and shows, which is durable too.
    pub(crate) values: Values,
    pub(crate) view: View,
    pub(crate) fence: Fence,
    pub(crate) moving: Option<Moving>,
    pub(crate) import: Option<Import>,
    ended: BTreeMap<Header, Standing>,
    /// Durable: what the store is asked, and what is prepared.
    pub(crate) record: Option<Question>,
    pub(crate) saved: Option<Saved>,
    /// What the store has answered, which the machine does not know yet.
    pub(crate) answer: Option<Answer>,
}

/// What is done wrong, so that the checks are seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// The source serves again after some time without an answer.
    LiftsFenceInTime,
    /// The source deletes when the target has all, and the store has not decided.
    DeletesEarly,
    /// The source lets nobody wait.
    FencesNobody,
    /// Effects on keys that were sent are not.
    LeavesOutEffects,
    /// The target takes frames of an attempt that is over for those of the one that is not.
    TakesStaleAttempts,
    /// The target carries a piece out as often as it arrives.
    CarriesOutTwice,
    /// The target carries pieces out as they arrive.
    CarriesOutAnyOrder,
    /// A target that crashed takes an old frame for the beginning of what it had begun before.
    DoesNotNumberArrivals,
    /// A node takes in a slot of which it is yet to delete what it sent away.
    TakesInWhileItDeletes,
    /// The target serves when it has all.
    ServesEarly,
    /// The target does not know after a crash what it had made durable.
    ForgetsPrepared,
    /// The source does not know after a crash that it asked the store.
    ForgetsThatItAsked,
    /// The source's host takes it for a refusal that the store has not changed the owner yet.
    TakesLateForNo,
    /// The target's host lets an answer go before it acted on what the engine told it.
    AnswersFirst,
}

/// How much happens at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Left {
    pub(crate) writes: u8,
    pub(crate) moves: u8,
    /// Attempts beyond the first.
    pub(crate) retries: u8,
    pub(crate) crashes: u8,
    /// Times that somebody gives up, is told to, or looks into the store for want of an answer.
    pub(crate) doubts: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) nodes: [Node; 2],
    pub(crate) sent: BTreeSet<Frame>,
    pub(crate) attempts: Vec<Attempt>,
    /// How many arrivals have numbers.
    arrivals: u8,
    pub(crate) store: View,
    pub(crate) asked: BTreeSet<Question>,
    /// Where the client's command waits, if it does.
    pub(crate) client: Option<(usize, Command)>,
    /// What all that was acknowledged comes to.
    pub(crate) expected: Values,
    pub(crate) left: Left,
    pub(crate) moved: u8,
}

impl Node {
    /// How an attempt ended.
    fn ended(&self, header: Header) -> Option<Standing> {
        let is_of = |other: &Header| {
            let is_any = header.arrival == 0 && other.attempt == header.attempt;
            is_any || *other == header
        };
        self.ended.iter().rev().find(|(other, _)| is_of(other)).map(|(_, standing)| *standing)
    }
}

impl State {
    pub(crate) fn new(values: Values, left: Left) -> Self {
        let view = View { owner: 0, epochs: [1, 1] };
        let node = |values| Node {
            values,
            view,
            fence: Fence::None,
            moving: None,
            import: None,
            ended: BTreeMap::new(),
            record: None,
            saved: None,
            answer: None,
        };
        Self {
            nodes: [node(values), node([0, 0])],
            sent: BTreeSet::new(),
            attempts: Vec::new(),
            arrivals: 0,
            store: view,
            asked: BTreeSet::new(),
            client: None,
            expected: values,
            left,
            moved: 0,
        }
    }

    /// Whether a node answers who reads.
    pub(crate) fn serves(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        node.view.owner == number && node.fence != Fence::All
    }

    /// Sends the slot to the other node.
    pub(crate) fn begin(&mut self, number: usize) {
        self.left.moves -= 1;
        let header = self.open(number);
        self.nodes[number].moving = Some(Moving::new(header, Stage::Opening));
    }

    fn open(&mut self, source: usize) -> Header {
        let header = Header { attempt: self.attempts.len() as u8, arrival: 0 };
        let source_epoch = self.nodes[source].view.epochs[source];
        self.attempts.push(Attempt { source, source_epoch });
        self.sent.insert(Frame::Open(header));
        header
    }

    /// A client gives a command to a node that takes the slot for its own.
    pub(crate) fn ask(&mut self, number: usize, command: Command, flaw: Flaw) {
        self.left.writes -= 1;
        self.client = Some((number, command));
        self.wake(number, flaw);
    }

    /// Lets a client that waits go on, if it can.
    fn wake(&mut self, number: usize, flaw: Flaw) {
        let Some((_, command)) = self.client.filter(|(at, _)| *at == number) else { return };
        let node = &mut self.nodes[number];
        if node.view.owner != number {
            self.client = None;
        } else if node.fence == Fence::None {
            // Copying what is not there has no effect.
            let is_effect = command != Command::Copy || node.values[0] > 0;
            command.carry_out(&mut node.values);
            if let Some(Moving { stage: Stage::Copying(feed) | Stage::Draining(feed), .. }) =
                &mut node.moving
                && is_effect
            {
                feed.hear(command, flaw);
            }
            command.carry_out(&mut self.expected);
            self.client = None;
        }
    }

    fn fence(&mut self, number: usize, fence: Fence, flaw: Flaw) {
        self.nodes[number].fence = fence;
        self.wake(number, flaw);
    }
}

/// The source.
impl State {
    /// Adds a key to what is to be sent.
    pub(crate) fn walk(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if let Some(Moving { stage: Stage::Copying(feed) | Stage::Draining(feed), .. }) =
            &mut node.moving
        {
            feed.step(node.values);
        }
    }

    /// Sends what is to be sent, as one piece.
    pub(crate) fn cut(&mut self, number: usize) {
        let Some(moving) = &mut self.nodes[number].moving else { return };
        if let Stage::Copying(feed) | Stage::Draining(feed) = &mut moving.stage {
            moving.last += 1;
            let piece = std::mem::take(&mut feed.out);
            self.sent.insert(Frame::Data(moving.header, moving.last, piece));
        }
    }

    pub(crate) fn drain(&mut self, number: usize, flaw: Flaw) {
        let node = &mut self.nodes[number];
        let Some(moving) = &mut node.moving else { return };
        if let Stage::Copying(feed) = &mut moving.stage {
            moving.stage = Stage::Draining(std::mem::take(feed));
        }
        if flaw != Flaw::FencesNobody {
            node.fence = Fence::Writes;
        }
    }

    pub(crate) fn prepare(&mut self, number: usize, flaw: Flaw) {
        let node = &mut self.nodes[number];
        let Some(moving) = &mut node.moving else { return };
        if flaw != Flaw::FencesNobody {
            node.fence = Fence::All;
        }
        moving.stage = Stage::Preparing;
        self.sent.insert(Frame::Prepare(moving.header, moving.last));
    }

    pub(crate) fn delete(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.values = [0, 0];
        (node.moving, node.record) = (None, None);
        self.moved += 1;
    }

    pub(crate) fn take_ack(&mut self, frame: &Frame, flaw: Flaw) {
        let Frame::Ack(header, applied, standing) = *frame else { return };
        let number = self.attempts[usize::from(header.attempt)].source;
        let node = &mut self.nodes[number];
        let Some(moving) = &mut node.moving else { return };
        if moving.stage == Stage::Opening && moving.header.attempt == header.attempt {
            moving.header = header;
        }
        if moving.header != header {
            return;
        }
        moving.acked = moving.acked.max(applied.min(moving.last));
        match (&moving.stage, standing) {
            (Stage::Opening, Standing::Receiving) => moving.stage = Stage::Copying(Feed::default()),
            (Stage::Preparing, Standing::Prepared) => {
                moving.stage = Stage::Deciding;
                let question = Question { source: number, header, before: self.store };
                node.record = Some(question);
                self.asked.insert(question);
                if flaw == Flaw::DeletesEarly {
                    node.values = [0, 0];
                }
            }
            (Stage::Committing, Standing::Committed) => moving.stage = Stage::Deleting,
            (Stage::Committing, Standing::Aborted) => node.moving = None,
            (&Stage::Withdrawing { outcome, .. }, Standing::Aborted | Standing::Unknown) => {
                self.withdrawn(number, outcome, flaw);
            }
            (Stage::Opening | Stage::Preparing, Standing::Aborted)
            | (Stage::Copying(_) | Stage::Draining(_), Standing::Aborted) => {
                self.withdrawn(number, Outcome::Ended, flaw);
            }
            (Stage::Copying(_) | Stage::Draining(_) | Stage::Preparing, Standing::Unknown) => {
                self.withdrawn(number, Outcome::Again, flaw);
            }
            _ => {}
        }
    }

    fn withdraw(&mut self, number: usize, is_fenced: bool, flaw: Flaw) {
        let Some(moving) = &mut self.nodes[number].moving else { return };
        (moving.last, moving.acked) = (0, 0);
        moving.stage = Stage::Withdrawing { outcome: Outcome::Ended, is_fenced };
        self.sent.insert(Frame::Abort(moving.header));
        if !is_fenced {
            self.fence(number, Fence::None, flaw);
        }
    }

    fn withdrawn(&mut self, number: usize, outcome: Outcome, flaw: Flaw) {
        let moving = self.nodes[number].moving.take();
        self.fence(number, Fence::None, flaw);
        let may_retry = moving.is_some_and(|moving| moving.may_retry) && self.left.retries > 0;
        if outcome == Outcome::Again && may_retry {
            self.left.retries -= 1;
            let header = self.open(number);
            let moving = Moving { may_retry: false, ..Moving::new(header, Stage::Opening) };
            self.nodes[number].moving = Some(moving);
        }
    }

    /// Gives up because nothing was heard of the target, where the source may.
    pub(crate) fn give_up(&mut self, number: usize, flaw: Flaw) {
        match self.nodes[number].moving.as_ref().map(|moving| &moving.stage) {
            Some(Stage::Opening | Stage::Copying(_)) => self.withdraw(number, false, flaw),
            Some(&Stage::Withdrawing { outcome, .. }) => self.withdrawn(number, outcome, flaw),
            // Only a flawed one comes to this.
            _ => self.withdraw(number, false, flaw),
        }
    }

    pub(crate) fn cancel(&mut self, number: usize, flaw: Flaw) {
        let Some(moving) = &mut self.nodes[number].moving else { return };
        match &mut moving.stage {
            Stage::Opening | Stage::Copying(_) => self.withdraw(number, false, flaw),
            Stage::Draining(_) | Stage::Preparing => self.withdraw(number, true, flaw),
            Stage::Withdrawing { outcome, .. } => *outcome = Outcome::Ended,
            Stage::Deciding | Stage::Committing | Stage::Deleting => {}
        }
    }

    fn take_answer(&mut self, number: usize, answer: Answer, flaw: Flaw) {
        let node = &mut self.nodes[number];
        let Some(moving) = &mut node.moving else { return };
        match answer {
            Answer::Committed(epoch) => {
                moving.stage = Stage::Committing;
                node.view.owner = 1 - number;
                node.view.epochs[1 - number] = node.view.epochs[1 - number].max(epoch);
                self.sent.insert(Frame::Commit(moving.header, epoch));
                self.fence(number, Fence::None, flaw);
            }
            Answer::Refused => {
                node.record = None;
                self.withdraw(number, false, flaw);
            }
        }
    }
}

/// The target.
impl State {
    /// Takes a frame in. Returns the answer, which is on its way then.
    pub(crate) fn receive(&mut self, frame: &Frame, flaw: Flaw) -> Frame {
        let mut header = frame.header();
        let number = 1 - self.attempts[usize::from(header.attempt)].source;
        match frame {
            Frame::Open(_) => header = self.open_import(number, header, flaw),
            Frame::Data(_, sequence, piece) => {
                self.take_piece(number, header, *sequence, piece, flaw);
            }
            Frame::Prepare(_, last) => self.prepare_import(number, header, *last, flaw),
            Frame::Commit(_, epoch) => self.commit_import(number, header, *epoch, flaw),
            Frame::Abort(_) => self.drop_import(number, header, flaw),
            Frame::Ack(..) => {}
        }
        let node = &self.nodes[number];
        let import = node.import.as_ref().filter(|import| import.header == header);
        let (applied, standing) = match import {
            Some(import) if import.is_prepared => (import.applied, Standing::Prepared),
            Some(import) => (import.applied, Standing::Receiving),
            None => (0, node.ended(header).unwrap_or(Standing::Unknown)),
        };
        let answer = Frame::Ack(header, applied, standing);
        self.sent.insert(answer.clone());
        answer
    }

    fn find(&mut self, number: usize, header: Header) -> Option<&mut Import> {
        self.nodes[number].import.as_mut().filter(|import| import.header == header)
    }

    /// Returns the header with the number of the arrival, if there is one.
    fn open_import(&mut self, number: usize, header: Header, flaw: Flaw) -> Header {
        let Attempt { source, source_epoch } = self.attempts[usize::from(header.attempt)];
        let node = &mut self.nodes[number];
        let before = node.import.as_ref().map(|import| import.header);
        if let Some(before) = before.filter(|before| before.attempt == header.attempt) {
            return before;
        }
        let is_old = before.is_some_and(|before| before.attempt > header.attempt);
        // What is left here of a move the other way is yet to be deleted.
        let deletes = node.moving.is_some() && flaw != Flaw::TakesInWhileItDeletes;
        if is_old || deletes || node.ended(header).is_some() {
            return header;
        }
        let is_empty = node.values == [0, 0];
        if node.view.owner != source || source_epoch < node.view.epochs[source] || !is_empty {
            node.ended.insert(header, Standing::Aborted);
            return header;
        }
        node.ended.extend(before.map(|before| (before, Standing::Aborted)));
        self.arrivals += 1;
        let arrival = if flaw == Flaw::DoesNotNumberArrivals { 1 } else { self.arrivals };
        let header = Header { arrival, ..header };
        node.import = Some(Import {
            header,
            applied: 0,
            early: BTreeMap::new(),
            is_prepared: false,
            is_saving: false,
            staged: [0, 0],
        });
        self.fence(number, Fence::None, flaw);
        header
    }

    fn prepare_import(&mut self, number: usize, header: Header, last: u8, flaw: Flaw) {
        let Some(import) = self.find(number, header) else { return };
        if import.is_prepared || import.applied != last {
            return;
        }
        import.is_saving = true;
        if flaw == Flaw::ServesEarly {
            let staged = import.staged;
            let node = &mut self.nodes[number];
            (node.values, node.view.owner) = (staged, number);
        }
    }

    fn take_piece(
        &mut self,
        number: usize,
        header: Header,
        sequence: u8,
        piece: &[Command],
        flaw: Flaw,
    ) {
        let Some(import) = (match flaw {
            Flaw::TakesStaleAttempts => self.nodes[number].import.as_mut(),
            _ => self.find(number, header),
        }) else {
            return;
        };
        if flaw == Flaw::CarriesOutAnyOrder
            || flaw == Flaw::CarriesOutTwice && import.applied >= sequence
        {
            piece.iter().for_each(|command| command.carry_out(&mut import.staged));
            import.applied = import.applied.max(sequence);
            return;
        }
        if sequence > import.applied {
            import.early.insert(sequence, piece.to_vec());
        }
        while let Some(piece) = import.early.remove(&(import.applied + 1)) {
            import.applied += 1;
            piece.iter().for_each(|command| command.carry_out(&mut import.staged));
        }
    }

    fn commit_import(&mut self, number: usize, header: Header, epoch: u8, flaw: Flaw) {
        let found = self.find(number, header).map(|import| (import.is_prepared, import.staged));
        let node = &mut self.nodes[number];
        if let Some((true, staged)) = found {
            node.values = staged;
            node.view.owner = number;
            node.view.epochs[number] = node.view.epochs[number].max(epoch);
            node.import = None;
            node.ended.insert(header, Standing::Committed);
            if flaw != Flaw::AnswersFirst {
                node.saved = None;
            }
            self.fence(number, Fence::None, flaw);
        } else if found.is_none() {
            // Before a crash of the target it was served already, if the slot is its own.
            let is_mine = node.view.owner == number;
            let standing = if is_mine { Standing::Committed } else { Standing::Aborted };
            node.ended.entry(header).or_insert(standing);
        }
    }

    fn drop_import(&mut self, number: usize, header: Header, flaw: Flaw) {
        let node = &mut self.nodes[number];
        let is_of = |import: &&Import| import.header.attempt == header.attempt;
        let arrived = node.import.as_ref().filter(is_of).map(|import| import.header);
        if let Some(arrived) = arrived {
            (node.import, node.saved) = (None, None);
            node.ended.insert(arrived, Standing::Aborted);
            self.fence(number, Fence::None, flaw);
        }
        if arrived != Some(header) {
            self.nodes[number].ended.entry(header).or_insert(Standing::Aborted);
        }
    }

    /// Gives up because nothing was heard of the source.
    pub(crate) fn drop_silent(&mut self, number: usize, flaw: Flaw) {
        if let Some(header) = self.nodes[number].import.as_ref().map(|import| import.header) {
            self.drop_import(number, header, flaw);
        }
    }

    /// Whether the host has yet to act on that a slot is served.
    pub(crate) fn is_late(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        let end = node.saved.as_ref().and_then(|saved| node.ended.get(&saved.header));
        end == Some(&Standing::Committed)
    }

    /// The host makes durable what arrived.
    pub(crate) fn save(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.saved = node.import.as_ref().map(|import| Saved {
            header: import.header,
            applied: import.applied,
            staged: import.staged,
        });
    }

    /// Whether the host has made durable what arrived, and the engine does not know.
    pub(crate) fn is_saved(&self, number: usize) -> bool {
        let node = &self.nodes[number];
        let saved = node.saved.as_ref().map(|saved| saved.header);
        node.import.as_ref().is_some_and(|import| saved == Some(import.header))
    }

    pub(crate) fn note_saved(&mut self, number: usize, flaw: Flaw) {
        if let Some(import) = &mut self.nodes[number].import {
            import.is_prepared = true;
            import.is_saving = false;
        }
        self.fence(number, Fence::All, flaw);
    }
}

/// The store, and the hosts that ask it.
impl State {
    /// The store changes the owner, if it is as it was when it was asked.
    pub(crate) fn compare_and_set(&mut self, question: Question) {
        self.asked.remove(&question);
        let agrees = self.store == question.before;
        let target = 1 - question.source;
        if agrees {
            self.store.owner = target;
            self.store.epochs[target] = self.next_epoch();
        }
        let node = &mut self.nodes[question.source];
        let deciding =
            |moving: &Moving| moving.stage == Stage::Deciding && moving.header == question.header;
        if node.moving.as_ref().is_some_and(deciding) {
            let epoch = self.store.epochs[target];
            node.answer = Some(if agrees { Answer::Committed(epoch) } else { Answer::Refused });
        }
    }

    fn next_epoch(&self) -> u8 {
        1 + self.store.epochs[0].max(self.store.epochs[1])
    }

    pub(crate) fn hear_answer(&mut self, number: usize, flaw: Flaw) {
        if let Some(answer) = self.nodes[number].answer.take() {
            self.take_answer(number, answer, flaw);
        }
    }

    /// What the store says by now to what was asked. If it is no, it stays no.
    fn look_up(&mut self, question: Question, flaw: Flaw) -> Answer {
        let target = 1 - question.source;
        if self.store.owner == target && self.store.epochs[target] > question.before.epochs[target]
        {
            return Answer::Committed(self.store.epochs[target]);
        }
        if flaw != Flaw::TakesLateForNo {
            self.store.epochs[self.store.owner] = self.next_epoch();
        }
        Answer::Refused
    }

    /// A source's host looks into the store, since no answer came.
    pub(crate) fn look(&mut self, number: usize, flaw: Flaw) -> Option<Answer> {
        let answer = self.look_up(self.nodes[number].record?, flaw);
        self.nodes[number].answer = None;
        self.take_answer(number, answer, flaw);
        Some(answer)
    }

    /// A node takes over what the store says.
    pub(crate) fn refresh(&mut self, number: usize, flaw: Flaw) {
        let store = self.store;
        let view = &mut self.nodes[number].view;
        view.owner = store.owner;
        (0..2).for_each(|node| view.epochs[node] = view.epochs[node].max(store.epochs[node]));
        self.wake(number, flaw);
    }

    /// A node goes down and comes back with what was durable. Returns what its host found in the
    /// store about what it had asked.
    pub(crate) fn crash(&mut self, number: usize, flaw: Flaw) -> Option<Answer> {
        if self.client.is_some_and(|(at, _)| at == number) {
            self.client = None;
        }
        let store = self.store;
        let node = &mut self.nodes[number];
        let keeps = store.owner == number || node.record.is_some();
        (node.moving, node.import, node.answer) = (None, None, None);
        node.ended.clear();
        (node.fence, node.view) = (Fence::None, store);
        if flaw == Flaw::ForgetsPrepared {
            node.saved = None;
        }
        if !keeps || node.saved.is_some() {
            node.values = [0, 0];
        }
        if let Some(Saved { header, applied, staged }) = node.saved.clone() {
            let early = BTreeMap::new();
            let (is_prepared, is_saving) = (true, false);
            node.import = Some(Import { header, applied, early, is_prepared, is_saving, staged });
            node.fence = Fence::All;
        }
        if flaw == Flaw::ForgetsThatItAsked && node.record.take().is_some() {
            node.view.owner = number;
        }
        let question = node.record?;
        let answer = self.look_up(question, flaw);
        let node = &mut self.nodes[number];
        node.view = self.store;
        node.moving = Some(Moving::new(question.header, Stage::Deciding));
        self.take_answer(number, answer, flaw);
        Some(answer)
    }
}
