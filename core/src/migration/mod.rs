//! A slot from here to there, as state machines: frames in, frames out, no socket, no thread. Who
//! serves what meanwhile is the engine's routing; where slots live is the cluster's.
//!
//! A machine is at work at the source. Its frames are requests as any client sends them, and the
//! target's replies are what it takes in, so that the target may be another engine's session or a
//! Redis server.

mod async_keys;
mod atomic;
mod batch;
mod by_key;
mod by_tag;
mod open_slots;
mod pace;
mod peer;
mod planner;
mod request;
mod slot_action;

pub(crate) use atomic::{
    Atomic, Feed, Frame, FrameReader, Header, Import, Imports, Kind, Standing, begins,
    each_request, number, write_frame,
};
pub(crate) use open_slots::OpenSlots;
pub(crate) use pace::Pace;
pub use planner::{Measure, Plan, PlanError, PlanMove, PlanNode, PlanOptions, PlanSlot, Transfer};
pub(crate) use request::{RestoreForm, write_restore};
pub use slot_action::{
    SlotAction, SlotActionEvent, SlotActionLimits, SlotActionRecord, SlotActionState, SlotRoute,
};

use crate::cluster::{Cluster, NodeId};
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Changes, Event, Key, Keyspace};
use crate::slot::SlotSet;
use crate::time::Moment;
use crate::value::dump::RDB_VERSION;
use std::cell::RefCell;

/// How keys are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Some keys at a time, as Redis Cluster does since 4.0: the slot is open at both nodes, the
    /// source sends keys by RESTORE-ASKING, deletes them when the target has them, and clients find
    /// those that left by `ASK`. A key on its way can be read and not be written.
    #[default]
    ByKey,
    /// Many keys on their way at once, as ApsaraDB for Redis moves them: as [`Mode::ByKey`], but
    /// the source does not wait for the answer to some keys before it sends the next, and a command
    /// that would write to a key on its way waits until the target has it, without holding a thread.
    /// No client is told to try again for that.
    AsyncKeys,
    /// All keys of a tag in one step, as Codis moves them: as [`Mode::ByKey`], but what is between `{`
    /// and `}` in the names of keys keeps them together, by either scheme of slots. Who would write to
    /// a key of a tag on its way waits, and new keys are made where their tag is. Where hash tags are
    /// those of Redis, each batch looks through its slot.
    ByTag,
    /// Each slot whole at one moment, between two engines: a snapshot and the effects of writes go
    /// over while the slot is served here as ever; then its clients wait for the time of two messages
    /// to the target and one to the host's store, whose compare-and-set decides, and are sent on by
    /// `MOVED`. No `ASK`; multi-key commands, transactions and waiting commands go on as if nothing
    /// was. The target's side is [`crate::Receiver`].
    Atomic,
}

impl Mode {
    /// The name of the mode, as commands print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByKey => "by_key",
            Self::AsyncKeys => "async_keys",
            Self::ByTag => "by_tag",
            Self::Atomic => "atomic",
        }
    }
}

/// How much a migration does at once, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationLimits {
    /// The most keys in one batch. A batch holds the locks of its slot while it is put together
    /// and while it is deleted. Default: 512.
    pub batch_keys: usize,
    /// Bytes of keys and values after which a batch is full. A larger value goes alone. Default:
    /// 1 MiB.
    pub batch_bytes: usize,
    /// How long the target may take to answer a batch, in milliseconds. Default: 10,000.
    pub reply_timeout_ms: u64,
    /// How many times in a row the same step may fail for a reason that passes, before the
    /// migration fails. Default: 10.
    pub attempts: u32,
    /// The version of the RDB format that the payloads claim: what the target knows at most, 10
    /// for Redis 7.0, 8 for Redis 4.0. Default: 11, which is Redis 7.2's.
    pub payload_version: u16,
    /// The most bytes that are sent in a second, on average over a tenth of one; none for no limit.
    /// Default: none.
    pub bytes_per_second: Option<u64>,
    /// How often [`MigrationEvent::Progress`] is given, in milliseconds; none for never. Default:
    /// none.
    pub progress_every_ms: Option<u64>,
    /// Bytes that may wait to be acknowledged or sent, effects of writes apart; a value that is
    /// larger goes alone. Atomic mode and that of keys in flight. Default: 4 MiB.
    pub in_flight_bytes: usize,
    /// Keys that may wait to be acknowledged. [`Mode::AsyncKeys`]. Default: 4,096.
    pub in_flight_keys: usize,
    /// A value above so many bytes goes in pieces, unless it is a stream. Atomic mode. Default:
    /// 64 KiB.
    pub piece_bytes: usize,
    /// Once everything but so many bytes has arrived, the slot's writers wait for the rest. Atomic
    /// mode. Default: 64 KiB.
    pub fence_bytes: usize,
    /// They do so at the latest so long after the snapshot, in milliseconds, if writes come too fast.
    /// Atomic mode. Default: 2,000.
    pub fence_after_ms: u64,
    /// Effects of writes that may wait to be sent, in bytes. The migration fails beyond, with
    /// everything as it was. Atomic mode. Default: 256 MiB.
    pub backlog_bytes: usize,
    /// How long clients may wait for a slot that is about to change hands, in milliseconds; none for
    /// however long it takes. Atomic mode. Default: none.
    ///
    /// After that time the slot is served here again. As long as the store was not asked the move
    /// begins to be given up, and nothing is at risk. Once it was asked, it may have given the slot to
    /// the target, which then serves it too: **what is written here from then on is lost** when the
    /// store's answer arrives, and until then two nodes acknowledge writes. That is a choice for
    /// those who would rather lose writes than wait for a store that is out of reach.
    pub unfence_after_ms: Option<u64>,
    /// Whether the target's host makes durable what arrived before the slot changes hands. Atomic
    /// mode. Default: no, so that a crash of the target right after may lose the slot.
    pub durable: bool,
}

impl Default for MigrationLimits {
    fn default() -> Self {
        Self {
            batch_keys: 512,
            batch_bytes: 1 << 20,
            reply_timeout_ms: 10_000,
            attempts: 10,
            payload_version: RDB_VERSION,
            bytes_per_second: None,
            progress_every_ms: None,
            in_flight_bytes: 4 << 20,
            in_flight_keys: 4_096,
            piece_bytes: 64 << 10,
            fence_bytes: 64 << 10,
            fence_after_ms: 2_000,
            backlog_bytes: 256 << 20,
            unfence_after_ms: None,
            durable: false,
        }
    }
}

/// What a host may want to know of a migration as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationEvent {
    /// How far the migration is. Given as often as [`MigrationLimits::progress_every_ms`] says.
    Progress(MigrationStatus),
    /// A slot with all its keys is the target's now.
    SlotMoved {
        /// The slot.
        slot: u16,
        /// How many of its keys went over in this migration.
        keys: u64,
    },
    /// The target has all of a slot, and clients wait. The host makes the record durable if a
    /// crash of this node shall be survived, changes the owner of the slot in its store, from this
    /// node to the target by compare-and-set, and calls [`crate::Migration::handle_decision`]. Until
    /// then the slot is served by nobody. Atomic mode.
    Decide(MigrationRecord),
    /// A slot about which the store was asked is served here again, before the store has answered,
    /// since [`MigrationLimits::unfence_after_ms`] says so. What is written to it is lost if the
    /// store gives it to the target, which it still may. Atomic mode.
    Unfenced {
        /// The slot.
        slot: u16,
    },
    /// The target did not answer in time. The host makes sure that nothing sent so far will still
    /// be carried out, by ending the connection at the target, opens another and says so.
    Reconnect,
    /// All slots were moved.
    Finished,
    /// The migration was cancelled.
    Cancelled {
        /// The slot that is left open, with some keys here and some at the target; none if all
        /// slots are as they were or moved whole.
        open: Option<u16>,
    },
    /// The migration failed. Starting it again goes on where it stopped.
    Failed {
        /// Why.
        error: Error,
        /// As in [`MigrationEvent::Cancelled`].
        open: Option<u16>,
    },
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The slot that is being moved.
    pub slot: Option<u16>,
    /// Slots that were moved whole.
    pub slots_moved: usize,
    /// Slots that were not begun.
    pub slots_left: usize,
    /// Keys that the target has and that were deleted here.
    pub keys_moved: u64,
    /// Bytes given out to be sent.
    pub bytes_sent: u64,
    /// Keys that were sent, moved or not. Atomic mode.
    pub keys_sent: u64,
    /// Bytes that the target has not acknowledged.
    pub lag_bytes: usize,
    /// The estimated time to the end, in milliseconds, once something was moved.
    pub left_ms: Option<u64>,
}

/// A migration of this node, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationEntry {
    /// Its number; later ones have greater numbers.
    pub id: u64,
    /// Its name: 40 hexadecimal digits.
    pub name: String,
    /// How keys are moved.
    pub mode: Mode,
    /// All its slots.
    pub slots: SlotSet,
    /// The node that keys leave: this one.
    pub source: NodeId,
    /// The node that they go to.
    pub target: NodeId,
    /// When it began, in milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// When its state was last another, likewise.
    pub changed_ms: u64,
    /// When the target was last heard of, likewise.
    pub heard_ms: u64,
    /// Where it stands.
    pub state: MigrationState,
    /// How far it is, or was at its end.
    pub status: MigrationStatus,
}

/// Where a migration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationState {
    /// The target was not heard of yet.
    Connecting,
    /// Keys go over.
    Moving,
    /// All slots were moved.
    Finished,
    /// It was cancelled, or its host has dropped it.
    Cancelled,
    /// It failed, for this reason.
    Failed(Error),
}

impl MigrationState {
    /// Whether the migration is over.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Connecting | Self::Moving => false,
            Self::Finished | Self::Cancelled | Self::Failed(_) => true,
        }
    }

    /// Valkey's word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Moving => "snapshotting",
            Self::Finished => "success",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// Why the migration failed, if it did.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Failed(error) => error.to_string(),
            Self::Connecting | Self::Moving | Self::Finished | Self::Cancelled => String::new(),
        }
    }
}

/// Slots that a client has asked to be moved, by CLUSTER MIGRATESLOTS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationOrder {
    /// Which slots.
    pub slots: SlotSet,
    /// Where to.
    pub target: NodeId,
}

/// What the host's store says to the change of a slot's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The target owns the slot, with this config epoch.
    Committed {
        /// The epoch.
        epoch: u64,
    },
    /// The owner is as it was, and the change that was asked for will not happen any more.
    Refused,
}

/// What a host keeps of a slot about which it asks its store, so that a crash in between leaves no
/// doubt: with it [`crate::Engine::resume_migration`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationRecord {
    /// The migration.
    pub id: u64,
    /// The slot.
    pub slot: u16,
    /// Where it goes.
    pub target: NodeId,
    /// The source's config epoch.
    pub source_epoch: u64,
    /// The target's.
    pub target_epoch: u64,
    /// Which attempt it is.
    pub attempt: u64,
    /// The target's number for what it has prepared.
    pub arrival: u64,
}

/// The two nodes of a migration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) source: NodeId,
    pub(crate) target: NodeId,
}

/// A slot is open already, and not for this migration.
pub(crate) fn elsewhere(slot: u16) -> Error {
    let text = format!("Hash slot {slot} is open for another migration");
    Error::new(ErrorKind::Err, text)
}

/// The node that keys leave, as a machine sees it while it takes a step.
pub(crate) struct Source<'a> {
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) cluster: &'a Cluster,
    pub(crate) time: &'a Moment<'a>,
    /// Microseconds on the clock's monotonic scale.
    pub(crate) now_us: u64,
    /// What happened to keys, for those who asked to hear of it. The engine tells them.
    pub(crate) changes: RefCell<Changes>,
}

impl<'a> Source<'a> {
    pub(crate) fn lock(&self, slot: u16) -> Access<'a> {
        Access::slot(self.keyspace, self.time, slot)
    }

    /// Deletes a key that the target has, as DEL does. Returns whether it was there.
    pub(crate) fn delete(&self, access: &mut Access<'_>, key: &Key<'_>) -> bool {
        let was_there = access.remove(key);
        if was_there {
            access.say_apart(key, &[b"DEL", key.bytes]);
            access.notify(Event::Generic, "del", key);
            self.changes.borrow_mut().append(&mut access.changes);
        }
        was_there
    }
}
