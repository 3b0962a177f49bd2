//! What is done wrong on purpose, so that each checker is seen to work.
//!
//! All of it is done by the hosts, the network or the clients around engines that are as they are
//! delivered: a machine that breaks its promise does so by what it sends, keeps or shows, and each of
//! that passes through a host. So nothing of the core is compiled otherwise for these tests, and what
//! is caught is caught in the very code that users have.

use crate::world::Way;

/// A promise that is broken in each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The store refuses, and the source is told that it agreed. (I4, I7)
    TakesNoForYes,
    /// A source that has waited for the store goes on as if it had refused. (I1)
    UnfencesOnTimeout,
    /// A target that crashed does not bring back what it prepared. (I2, I7)
    ForgetsPrepared,
    /// A source that crashed serves the slot again without looking into the store. (I1, I7)
    ForgetsThatItAsked,
    /// What a target prepares is shown after a crash, before the store decided. (I9)
    ShowsPrepared,
    /// The store counts epochs anew. (I4)
    EpochsGoBack,
    /// Batches are acknowledged and not carried out, so that the source deletes too early. (I2)
    AcknowledgesNothing,
    /// What was sent over a connection that was given up is carried out all the same. (I3)
    KeepsOldConnections,
    /// Times to live are lost on the way. (I5)
    ForgetsTimes,
    /// The access clock is lost on the way. (I6)
    ForgetsIdleness,
    /// A source that crashed does not look which of its keys have arrived at the target. (I3, I7)
    ForgetsWhatWasOnItsWay,
    /// Answers leave a node before what they say is durable. (I7)
    AnswersBeforeItIsDurable,
    /// What is durable is carried out twice in a recovery. (I7)
    RecoversTwice,
    /// A node forgets which keys its clients watch. (linearizability)
    ForgetsWatches,
    /// The first command of a transaction alone is carried out. (transactions are seen whole)
    SplitsTransactions,
    /// A host does not look after sessions that wait. (I11)
    LeavesWaitersAlone,
    /// Messages to those who listen are lost within a node. (I11)
    LosesMessages,
    /// A node lets everybody wait while a slot moves. (I12)
    HoldsEverybodyUp,
    /// No host calls `handle_timeout`. (I8, I10)
    HasNoTimers,
}

impl Breach {
    /// Each with a mode in which it is tried, and with words of the checkers that shall notice it.
    pub(crate) const ALL: [(Self, Way, &[&str]); 24] = [
        (Self::TakesNoForYes, Way::Atomic, &["answers for"]),
        (Self::UnfencesOnTimeout, Way::Atomic, &["answers for"]),
        (Self::ForgetsPrepared, Way::Atomic, LOSSES),
        (Self::ForgetsThatItAsked, Way::Atomic, &["answers for"]),
        (Self::ShowsPrepared, Way::Atomic, &["shows"]),
        (Self::EpochsGoBack, Way::Atomic, &["went from"]),
        (Self::AcknowledgesNothing, Way::ByKey, LOSSES),
        (Self::AcknowledgesNothing, Way::AsyncKeys, LOSSES),
        (Self::KeepsOldConnections, Way::ByKey, LOSSES),
        (Self::ForgetsTimes, Way::ByKey, &["Integer(-1)"]),
        (Self::ForgetsIdleness, Way::ByKey, &["IDLETIME", "FREQ"]),
        (Self::ForgetsWhatWasOnItsWay, Way::AsyncKeys, LOSSES),
        (Self::AnswersBeforeItIsDurable, Way::ByKey, LOSSES),
        (Self::AnswersBeforeItIsDurable, Way::Atomic, LOSSES),
        (Self::RecoversTwice, Way::Atomic, &["more than the"]),
        (Self::ForgetsWatches, Way::Atomic, &["}w is not linearizable"]),
        (Self::SplitsTransactions, Way::Atomic, &["a part of a transaction"]),
        (Self::LeavesWaitersAlone, Way::Atomic, &["still waits"]),
        (Self::LeavesWaitersAlone, Way::ByKey, &["still waits"]),
        (Self::LosesMessages, Way::Atomic, &["a copy of", "is listened to", "was told to"]),
        (Self::HoldsEverybodyUp, Way::Atomic, &["waits for a slot"]),
        (Self::HasNoTimers, Way::Atomic, &["no end"]),
        (Self::HasNoTimers, Way::ByKey, &["no end"]),
        (Self::HasNoTimers, Way::AsyncKeys, &["no end"]),
    ];
}

/// What is said of keys, members and answers that are not as they were left.
const LOSSES: &[&str] = &[
    "linearizable",
    "a part of",
    "lost",
    "nobody",
    "instead of",
    "handed out",
    "its time",
    "over before",
];
