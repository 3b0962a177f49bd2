//! Values and tables that nobody can reach any more, waiting to be freed in steps.

use super::partition::footprint_of;
use crate::structs::table::SegmentedTable;
use crate::value::{Object, Record};
use std::collections::VecDeque;

/// Something to be freed.
#[derive(Debug)]
pub(super) enum Grave {
    /// One large value.
    Object(Box<Object>),
    /// Whole tables with their records, and what they took from the allocator.
    Tables { bytes: usize, tables: Vec<SegmentedTable<Record>> },
}

/// What waits to be freed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Graveyard {
    graves: VecDeque<Grave>,
    /// What they take from the allocator.
    bytes: usize,
    /// How many values were freed so far.
    freed: u64,
}

/// A step on a large value counts as this many records: it frees some 256 members.
const STEP_COST: usize = 256;

impl Grave {
    fn footprint(&self) -> usize {
        match self {
            Self::Object(object) => object.footprint(),
            Self::Tables { bytes, .. } => *bytes,
        }
    }

    /// Frees a part. Gives back what is left, if anything, and how much of the budget it took.
    fn free_step(self, budget: usize) -> (Option<Self>, usize) {
        match self {
            Self::Object(mut object) => {
                let done = object.free_step();
                ((!done).then_some(Self::Object(object)), STEP_COST)
            }
            Self::Tables { mut bytes, mut tables } => {
                let Some(table) = tables.last_mut() else { return (None, 1) };
                let Some(records) = table.drain_some(budget) else {
                    tables.pop();
                    return (Some(Self::Tables { bytes, tables }), 1);
                };
                let freed: usize = records.iter().map(footprint_of).sum();
                bytes = bytes.saturating_sub(freed);
                (Some(Self::Tables { bytes, tables }), records.len())
            }
        }
    }
}

impl Graveyard {
    pub(super) fn push(&mut self, grave: Grave) {
        self.bytes += grave.footprint();
        self.graves.push_back(grave);
    }

    /// What all of it takes from the allocator.
    pub(super) fn footprint(&self) -> usize {
        self.bytes
    }

    /// How many values and groups of tables wait.
    pub(super) fn len(&self) -> usize {
        self.graves.len()
    }

    /// How many values and groups of tables were freed so far.
    pub(super) fn freed(&self) -> u64 {
        self.freed
    }

    /// Frees about as much as `budget` records. Returns whether something is left.
    pub(super) fn free(&mut self, budget: usize) -> bool {
        let mut left = budget;
        while left > 0 {
            let Some(grave) = self.graves.pop_front() else { return false };
            let before = grave.footprint();
            let (rest, cost) = grave.free_step(left);
            left = left.saturating_sub(cost);
            let after = rest.as_ref().map_or(0, Grave::footprint);
            self.bytes = self.bytes - before + after;
            match rest {
                Some(rest) => self.graves.push_front(rest),
                None => self.freed += 1,
            }
        }
        !self.graves.is_empty()
    }
}
