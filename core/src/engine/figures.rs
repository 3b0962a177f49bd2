//! What slots hold and how much they are used, for hosts and planners.

use super::Engine;
use crate::error::Error;
use crate::keyspace::Access;
use crate::migration::PlanSlot;
use crate::slot::SlotFigures;
use crate::time::Moment;

impl Engine {
    /// What a slot holds and how much it was used; none if the scheme has no such slot. Costs a look
    /// at the heads of its tables.
    ///
    /// ```
    /// use keyslot::Engine;
    ///
    /// let engine = Engine::default();
    /// engine.set(b"foo", b"bar")?;
    /// let figures = engine.slot_figures(12_182).unwrap();
    /// assert_eq!((figures.keys, figures.writes), (1, 1));
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn slot_figures(&self, slot: u16) -> Option<SlotFigures> {
        let keyspace = &self.inner.keyspace;
        if usize::from(slot) >= keyspace.scheme().slots() {
            return None;
        }
        let time = Moment::new(&*self.inner.clock);
        Some(Access::nothing(keyspace, &time).slot_figures(slot))
    }

    /// The slots that this node owns with what they hold, as [`crate::Plan`] takes them. Those of
    /// several nodes put together are the slots of a cluster.
    ///
    /// # Errors
    /// If the engine is not part of a cluster.
    pub fn plan_slots(&self) -> Result<Vec<PlanSlot>, Error> {
        let cluster = self.inner.cluster()?;
        let (owner, slots) = {
            let view = cluster.view();
            let owner = view.topology.myself().id;
            (owner, view.topology.slots_of(owner))
        };
        let time = Moment::new(&*self.inner.clock);
        let mut access = Access::nothing(&self.inner.keyspace, &time);
        let figures = slots.iter().map(|slot| {
            let figures = access.slot_figures(slot);
            PlanSlot { slot, owner, figures }
        });
        Ok(figures.collect())
    }
}
