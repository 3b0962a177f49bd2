//! Where a migration by key stands: one struct for each state, with what is known in it alone. What
//! comes next is the machine's to say.

use crate::cluster::Transit;
use crate::error::Error;
use crate::migration::peer::Answer;
use std::sync::Arc;

#[derive(Debug)]
pub(super) enum State {
    /// Nothing was asked; the next slot comes.
    Between,
    Opening(Opening),
    Moving(Moving),
    /// Asked for another database.
    Selecting(Moving),
    Sent(Sent),
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

/// May send the next keys of a slot.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) slot: Slot,
    pub(super) db: usize,
    /// Where the walk through the slot goes on.
    pub(super) from: u64,
    pub(super) task: Task,
}

#[derive(Debug)]
pub(super) enum Task {
    /// Choose keys and send them.
    Choose,
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

/// Sent some keys.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) moving: Moving,
    pub(super) keys: Arc<Transit>,
    /// Which of the keys were sent; others were gone.
    pub(super) sent: Vec<u32>,
    /// Which of those the target refused.
    pub(super) refused: Vec<u32>,
    /// Whether they were sent before and may have arrived then.
    pub(super) again: bool,
}

impl State {
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
            Self::Sent(sent) => {
                if let Answer::Error(_) = answer {
                    sent.refused.push(sent.sent[number]);
                }
            }
            // Of these only the first error counts, which the peer keeps.
            Self::Between
            | Self::Moving(_)
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
    pub(super) fn choose(slot: Slot) -> Self {
        Self { slot, db: 0, from: 0, task: Task::Choose }
    }
}
