//! A slot from one node to another behind routers, as Codis's dashboard does it: which route every
//! router has at each time. Moving the keys is the nodes' work, by SLOTSMGRTTAGSLOT and its family;
//! storing the state and talking to routers is the host's.
//!
//! ```text
//! pending -> preparing -> prepared -> migrating -> finished
//!                ^  all routers    |
//!                |  locked and     | all routers have the route to the target, by which each key
//!                |  drained        | is sent over before it is used; then the rest is sent over
//!                +- roll back: a router did not answer
//! ```
//! While one router may still write at the source, none may send a key to the target first: what was
//! written at the source would be lost. So all are locked, and have no request on its way, before
//! one gets the new route. Until then everything can be undone; afterwards there is only the way
//! ahead, and a router that does not answer stays locked, which is safe.
//!
//! A state is stored before anything is done in it. Every route has a version, which routers compare:
//! an older one that comes late is dropped. The upper half of a version is the epoch of the stored
//! record, which each start of the machine raises, so that a machine that was replaced is ignored,
//! and cannot store.

use crate::cluster::NodeId;
use std::collections::{BTreeMap, VecDeque};

/// How far a slot's way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotActionState {
    /// Nothing was done.
    Pending,
    /// Routers are being locked, or unlocked again.
    Preparing,
    /// All routers are locked and have no request on its way.
    Prepared,
    /// Routers have the route to the target, or are locked.
    Migrating,
    /// The source holds nothing any more. Routers have the route to the target, with the source or
    /// without.
    Finished,
}

/// What is stored of a slot's way. A host stores it by compare-and-set on slot and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotActionRecord {
    /// The slot.
    pub slot: u16,
    /// Where it is.
    pub source: NodeId,
    /// Where it goes.
    pub target: NodeId,
    /// How far it is.
    pub state: SlotActionState,
    /// How often a machine was started for it.
    pub epoch: u32,
}

/// How a router serves a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRoute {
    /// The slot.
    pub slot: u16,
    /// Where commands go.
    pub node: NodeId,
    /// Where a command's keys are to be sent over from before it is carried out.
    pub migrate_from: Option<NodeId>,
    /// Whether commands wait. A router says that it has this route only when all commands that it
    /// has given to a node were answered.
    pub locked: bool,
    /// Of two routes the one with the higher version counts.
    pub version: u64,
}

/// How long the machine waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotActionLimits {
    /// After this many milliseconds a route is said again to who has not answered. Default: 250.
    pub repeat_ms: u64,
    /// For so many milliseconds commands may wait for the slowest router before all are let go on
    /// again. Default: 2,000.
    pub lock_ms: u64,
    /// Milliseconds before it is tried again then. Default: 1,000.
    pub pause_ms: u64,
}

impl Default for SlotActionLimits {
    fn default() -> Self {
        Self { repeat_ms: 250, lock_ms: 2_000, pause_ms: 1_000 }
    }
}

/// What a host may have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotActionEvent {
    /// A router did not answer in time; all are let go on as before, and later it is tried again.
    RolledBack {
        /// The router.
        router: u64,
    },
    /// Every router has the new route: the keys that nobody asks for are to be sent over, until
    /// the source holds none.
    MoveKeys,
    /// The slot is the target's, and every router knows. The record can go.
    Finished,
    /// The slot is the source's as before, and every router knows. The record can go.
    Cancelled,
    /// Another machine has taken the slot over. This one does nothing any more.
    Superseded,
}

/// What the machine does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A state is to be stored, or on its way to be.
    Storing { next: SlotActionState, is_given: bool },
    /// Routers are told a route, and answer.
    Spreading(Phase),
    /// All are unlocked again; the next try is at this time.
    Pausing { until_us: u64 },
    /// The rest of the keys is being sent over.
    Moving,
    /// It is over.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Lock { since_us: u64 },
    Unlock { is_last: bool },
    Migrate,
    Finish,
}

/// What is known of a router.
#[derive(Clone, Copy, Debug, Default)]
struct Router {
    /// The version of the route that it said it has.
    confirmed: u64,
    /// The version that it was told last, and when.
    told: Option<(u64, u64)>,
}

/// The way of one slot. The host
/// - stores what [`SlotAction::poll_store`] gives and says by [`SlotAction::handle_stored`] whether
///   it could,
/// - tells routers what [`SlotAction::poll_route`] gives and says by [`SlotAction::handle_route`]
///   what they have,
/// - calls [`SlotAction::handle_timeout`] when the clock reaches [`SlotAction::poll_timeout`],
/// - does what [`SlotAction::poll_event`] says.
///
/// Times are microseconds on one monotonic scale.
#[derive(Debug)]
pub struct SlotAction {
    record: SlotActionRecord,
    limits: SlotActionLimits,
    step: Step,
    /// The lower half of the version.
    counter: u32,
    routers: BTreeMap<u64, Router>,
    is_cancelled: bool,
    events: VecDeque<SlotActionEvent>,
}

impl SlotAction {
    /// Begins the way of a slot, or takes it up where a record says that it was left. `routers` are
    /// all that may serve the slot; one that comes later is told by [`SlotAction::add_router`]
    /// before it serves.
    pub fn new(
        record: SlotActionRecord,
        routers: impl IntoIterator<Item = u64>,
        limits: SlotActionLimits,
    ) -> Self {
        let next = record.state.max(SlotActionState::Preparing);
        Self {
            record: SlotActionRecord { epoch: record.epoch.saturating_add(1), ..record },
            limits,
            step: Step::Storing { next, is_given: false },
            counter: 0,
            routers: routers.into_iter().map(|router| (router, Router::default())).collect(),
            is_cancelled: false,
            events: VecDeque::new(),
        }
    }

    /// How far the slot's way is, as it was stored last.
    pub fn state(&self) -> SlotActionState {
        self.record.state
    }

    /// Whether the machine has nothing to do any more.
    pub fn is_ended(&self) -> bool {
        self.step == Step::Ended
    }

    /// The record that is to be stored now, if it was not given out yet. It may replace a record of
    /// the same slot with the same epoch, or with the epoch before; otherwise another machine is at
    /// work, and it must not be stored.
    pub fn poll_store(&mut self) -> Option<SlotActionRecord> {
        let Step::Storing { next, is_given: false } = self.step else { return None };
        self.step = Step::Storing { next, is_given: true };
        Some(SlotActionRecord { state: next, ..self.record })
    }

    /// Takes note that the record was stored for good, or that another machine's was there.
    pub fn handle_stored(&mut self, is_stored: bool, now_us: u64) {
        let Step::Storing { next, is_given: true } = self.step else { return };
        if !is_stored {
            return self.end(SlotActionEvent::Superseded);
        }
        self.record.state = next;
        match next {
            SlotActionState::Pending | SlotActionState::Preparing => {
                self.spread(self.first_phase(now_us));
            }
            SlotActionState::Prepared => self.store(SlotActionState::Migrating),
            SlotActionState::Migrating => self.spread(Phase::Migrate),
            SlotActionState::Finished => self.spread(Phase::Finish),
        }
        self.settle(now_us);
    }

    fn first_phase(&self, now_us: u64) -> Phase {
        if self.is_cancelled {
            Phase::Unlock { is_last: true }
        } else {
            Phase::Lock { since_us: now_us }
        }
    }

    /// A router with the route that it is to be told now.
    pub fn poll_route(&mut self, now_us: u64) -> Option<(u64, SlotRoute)> {
        let route = self.route()?;
        let repeat_us = self.limits.repeat_ms * 1_000;
        let due = self.routers.iter_mut().find(|(_, router)| {
            let is_told = router.told.is_some_and(|(version, at_us)| {
                version == route.version && now_us < at_us + repeat_us
            });
            router.confirmed < route.version && !is_told
        });
        let (&number, router) = due?;
        router.told = Some((route.version, now_us));
        Some((number, route))
    }

    /// Takes note of the version of the route that a router has. Others than the present one are
    /// passed over.
    pub fn handle_route(&mut self, router: u64, version: u64, now_us: u64) {
        let present = self.version();
        if let Some(router) = self.routers.get_mut(&router)
            && version == present
        {
            router.confirmed = version;
        }
        self.settle(now_us);
    }

    /// Adds a router that begins to serve, or has forgotten what it knew. It must serve nothing of
    /// the slot until it has a route.
    pub fn add_router(&mut self, router: u64) {
        self.routers.insert(router, Router::default());
    }

    /// Takes out a router that is gone: the host has made sure that it gives no commands to nodes
    /// any more, and that those it gave were carried out or never will be.
    pub fn remove_router(&mut self, router: u64, now_us: u64) {
        self.routers.remove(&router);
        self.settle(now_us);
    }

    /// Takes note that the source holds no key of the slot any more.
    pub fn handle_empty(&mut self) {
        if self.step == Step::Moving {
            self.store(SlotActionState::Finished);
        }
    }

    /// Gives the way up while that is possible: as long as no router may have the new route. Returns
    /// whether it is.
    pub fn cancel(&mut self) -> bool {
        let may = match self.step {
            Step::Storing { next, .. } => next <= SlotActionState::Preparing,
            Step::Spreading(phase) => matches!(phase, Phase::Lock { .. } | Phase::Unlock { .. }),
            Step::Pausing { .. } => true,
            Step::Moving | Step::Ended => false,
        };
        self.is_cancelled |= may;
        if may && !matches!(self.step, Step::Storing { .. }) {
            self.spread(Phase::Unlock { is_last: true });
        }
        may
    }

    /// When the machine wants [`SlotAction::handle_timeout`] to be called, or to be asked for routes
    /// again.
    pub fn poll_timeout(&self) -> Option<u64> {
        let repeat_us = self.limits.repeat_ms * 1_000;
        let version = self.version();
        let told = self.routers.values().filter(|router| router.confirmed < version);
        let repeat = told.filter_map(|router| Some(router.told?.1 + repeat_us)).min();
        match self.step {
            Step::Spreading(Phase::Lock { since_us }) => {
                let end_us = since_us + self.limits.lock_ms * 1_000;
                Some(repeat.map_or(end_us, |at_us| at_us.min(end_us)))
            }
            Step::Spreading(_) | Step::Moving => repeat,
            Step::Pausing { until_us } => Some(until_us),
            Step::Storing { .. } | Step::Ended => None,
        }
    }

    /// Does what time asks for: rolls back, or tries again. Calling it early does nothing.
    pub fn handle_timeout(&mut self, now_us: u64) {
        match self.step {
            Step::Spreading(Phase::Lock { since_us })
                if now_us >= since_us + self.limits.lock_ms * 1_000 =>
            {
                let version = self.version();
                let silent = self.routers.iter().find(|(_, router)| router.confirmed < version);
                if let Some((&router, _)) = silent {
                    self.events.push_back(SlotActionEvent::RolledBack { router });
                    self.spread(Phase::Unlock { is_last: false });
                }
            }
            Step::Pausing { until_us } if now_us >= until_us => {
                self.spread(Phase::Lock { since_us: now_us });
            }
            _ => {}
        }
        self.settle(now_us);
    }

    /// What the host is to do next, if anything.
    pub fn poll_event(&mut self) -> Option<SlotActionEvent> {
        self.events.pop_front()
    }

    fn version(&self) -> u64 {
        u64::from(self.record.epoch) << 32 | u64::from(self.counter)
    }

    /// The route that all routers are to have; none while a state is being stored.
    fn route(&self) -> Option<SlotRoute> {
        let SlotActionRecord { slot, source, target, .. } = self.record;
        let version = self.version();
        let route = |node, migrate_from, locked| {
            Some(SlotRoute { slot, node, migrate_from, locked, version })
        };
        match self.step {
            Step::Spreading(Phase::Lock { .. }) => route(source, None, true),
            Step::Spreading(Phase::Unlock { .. }) | Step::Pausing { .. } => {
                route(source, None, false)
            }
            Step::Spreading(Phase::Migrate) | Step::Moving => route(target, Some(source), false),
            Step::Spreading(Phase::Finish) => route(target, None, false),
            Step::Storing { .. } | Step::Ended => None,
        }
    }

    fn store(&mut self, next: SlotActionState) {
        self.step = Step::Storing { next, is_given: false };
    }

    fn spread(&mut self, phase: Phase) {
        self.counter += 1;
        self.step = Step::Spreading(phase);
    }

    fn end(&mut self, event: SlotActionEvent) {
        self.step = Step::Ended;
        self.events.push_back(event);
    }

    /// Goes on if all routers have the present route.
    fn settle(&mut self, now_us: u64) {
        let version = self.version();
        let Step::Spreading(phase) = self.step else { return };
        if self.routers.values().any(|router| router.confirmed < version) {
            return;
        }
        match phase {
            Phase::Lock { .. } => self.store(SlotActionState::Prepared),
            Phase::Unlock { is_last: true } => self.end(SlotActionEvent::Cancelled),
            Phase::Unlock { is_last: false } => {
                let until_us = now_us + self.limits.pause_ms * 1_000;
                self.step = Step::Pausing { until_us };
            }
            Phase::Migrate => {
                self.step = Step::Moving;
                self.events.push_back(SlotActionEvent::MoveKeys);
            }
            Phase::Finish => self.end(SlotActionEvent::Finished),
        }
    }
}
