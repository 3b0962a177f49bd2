//! Where a slot stands that is open at both nodes: one struct for each state, with what is known in it
//! alone. What comes next is the machine's to say.

use crate::cluster::Transit;
use crate::error::Error;
use crate::migration::peer::Answer;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
pub(super) enum State {
    /// Nothing was asked; the next slot comes.
    Between,
    Opening(Opening),
    Moving(Moving),
    /// Asked for another database.
    Selecting(Moving),
    /// Asked the target to delete some keys.
    Erasing(Moving, Arc<Transit>),
    /// Asked the target to own the slot.
    Closing(Slot),
    /// Asked the target to close a slot that stays here.
    Withdrawing(Withdrawing),
    /// Asked the target to import a slot that cannot stay here whole.
    Reopening(Slot),
    /// Waits, in microseconds, before a step is taken again.
    Resting(Moving, u64),
    Ended,
}

#[derive(Debug)]
pub(super) enum Stop {
    Cancelled,
    Failed(Error),
}

/// The slot that is being moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) number: u16,
    /// Whether it was stable here when this migration came to it.
    pub(super) fresh: bool,
    /// How many of its keys this migration has moved.
    pub(super) keys: u64,
    /// Whether the target was asked to own it, and may do so already.
    pub(super) given: bool,
}

/// Asked the target to import the slot.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) slot: Slot,
    /// Whether the target refused to import it.
    pub(super) refused: bool,
    /// How many keys of the slot the target had before.
    pub(super) leftovers: i64,
}

/// Sends the keys of a slot.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) slot: Slot,
    pub(super) db: usize,
    /// Where the walk through the slot goes on.
    pub(super) from: u64,
    /// Whether the walk has come to its end. It begins anew when nothing is on its way.
    pub(super) is_through: bool,
    /// What is to be done before more keys are chosen.
    pub(super) tasks: VecDeque<Task>,
    /// What was sent and not answered yet, in this order.
    pub(super) on_the_way: VecDeque<Batch>,
    /// Why the target refused some of it, if the reason passes. What is next waits then.
    pub(super) fault: Option<Error>,
}

#[derive(Debug)]
pub(super) enum Task {
    /// Send these keys, which were sent before and may have arrived.
    Send(Arc<Transit>),
    /// Delete these keys at the target.
    Erase(Arc<Transit>),
}

/// Asked the target to close a slot, and how many keys of it it has.
#[derive(Debug)]
pub(super) struct Withdrawing {
    pub(super) slot: Slot,
    /// How many it has.
    pub(super) keys: i64,
}

/// Some keys that were sent.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) keys: Arc<Transit>,
    /// Which of the keys were sent; others were gone.
    pub(super) sent: Vec<u32>,
    /// How many of these were answered.
    answered: usize,
    /// Which of them the target refused.
    pub(super) refused: Vec<u32>,
    /// The first of its reasons.
    pub(super) fault: Option<Error>,
    /// Whether they were sent before and may have arrived then.
    pub(super) again: bool,
    /// Whether one that the target has already counts as stored.
    keeps_newer: bool,
    /// How much was sent.
    bytes: usize,
}

impl Batch {
    pub(super) fn new(
        keys: Arc<Transit>,
        sent: Vec<u32>,
        (again, keeps_newer): (bool, bool),
        bytes: usize,
    ) -> Self {
        let (answered, refused, fault) = Default::default();
        Self { keys, sent, answered, refused, fault, again, keeps_newer, bytes }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered == self.sent.len()
    }

    fn answer(&mut self, answer: Answer) {
        let is_there = |error: &Error| error.text().starts_with(b"BUSYKEY ");
        if let Answer::Error(error) = answer
            && !(self.keeps_newer && is_there(&error))
        {
            self.refused.push(self.sent[self.answered]);
            self.fault.get_or_insert(error);
        }
        self.answered += 1;
    }
}

impl State {
    /// The slot whose keys are being sent, if one is.
    pub(super) fn moving(&self) -> Option<&Moving> {
        match self {
            Self::Moving(moving)
            | Self::Selecting(moving)
            | Self::Resting(moving, _)
            | Self::Erasing(moving, _) => Some(moving),
            Self::Between
            | Self::Opening(_)
            | Self::Closing(_)
            | Self::Withdrawing(_)
            | Self::Reopening(_)
            | Self::Ended => None,
        }
    }

    /// Takes note of the answer to one of the requests that were sent last.
    pub(super) fn answer(&mut self, number: usize, answer: Answer) {
        match self {
            Self::Opening(opening) => match answer {
                Answer::Ok => {}
                Answer::Integer(keys) => opening.leftovers += keys,
                Answer::Error(_) => opening.refused |= number == 0,
            },
            Self::Withdrawing(withdrawing) => {
                if let Answer::Integer(keys) = answer {
                    withdrawing.keys += keys;
                }
            }
            Self::Moving(moving) => {
                let open = moving.on_the_way.iter_mut().find(|batch| !batch.is_answered());
                open.into_iter().for_each(|batch| batch.answer(answer.clone()));
            }
            // Of these only the first error counts, which the peer keeps.
            Self::Between
            | Self::Selecting(_)
            | Self::Erasing(..)
            | Self::Closing(_)
            | Self::Reopening(_)
            | Self::Resting(..)
            | Self::Ended => {}
        }
    }
}

impl Moving {
    /// Chooses keys from the start of the slot on.
    pub(super) fn choose(slot: Slot) -> Self {
        let (tasks, on_the_way) = Default::default();
        Self { slot, db: 0, from: 0, is_through: false, tasks, on_the_way, fault: None }
    }

    /// Sends everything again that was not answered.
    pub(super) fn begin_again(mut self) -> Self {
        while let Some(batch) = self.on_the_way.pop_back() {
            self.tasks.push_front(Task::Send(batch.keys));
        }
        self.fault = None;
        self
    }

    pub(super) fn bytes_on_the_way(&self) -> usize {
        self.on_the_way.iter().map(|batch| batch.bytes).sum()
    }

    pub(super) fn keys_on_the_way(&self) -> usize {
        self.on_the_way.iter().map(|batch| batch.sent.len()).sum()
    }
}
