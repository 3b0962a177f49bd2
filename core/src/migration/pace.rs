//! How fast a migration goes: what may be sent now by the limit of bytes per second, when it is time to
//! tell of its progress, and when it will probably be over.

use super::{MigrationLimits, MigrationStatus};

/// The pace of one migration.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: Option<u64>,
    allowance: Allowance,
    progress_every_us: Option<u64>,
    /// When progress is to be told next, in microseconds.
    progress_us: Option<u64>,
    began_us: u64,
    /// What there was to do: a slot by itself counts as much as a key.
    work: u64,
}

impl Pace {
    /// Begins now, with so many keys in so many slots.
    pub(crate) fn new(limits: &MigrationLimits, keys: u64, slots: usize, now_us: u64) -> Self {
        let progress_every_us = limits.progress_every_ms.map(|ms| ms.max(1).saturating_mul(1_000));
        Self {
            bytes_per_second: limits.bytes_per_second,
            allowance: Allowance::default(),
            progress_every_us,
            progress_us: progress_every_us.map(|every_us| now_us.saturating_add(every_us)),
            began_us: now_us,
            work: keys + slots as u64,
        }
    }

    /// How many bytes may be sent now.
    pub(crate) fn allowed(&mut self, now_us: u64) -> usize {
        self.allowance.now(self.bytes_per_second, now_us)
    }

    /// Notes that bytes were sent.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.allowance.spend(bytes);
    }

    /// When something may be sent that may not be sent now, or progress is to be told, in
    /// microseconds.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        let allowed_us = self.allowance.again_us(self.bytes_per_second);
        allowed_us.into_iter().chain(self.progress_us).min()
    }

    /// Whether it is time to tell of the progress.
    pub(crate) fn tells(&mut self, now_us: u64) -> bool {
        let is_due = self.progress_us.is_some_and(|at_us| at_us <= now_us);
        if is_due {
            self.progress_us = self.progress_every_us.map(|every| now_us.saturating_add(every));
        }
        is_due
    }

    /// The time that is left, in milliseconds, if what is left takes as long as what was done did.
    pub(crate) fn left_ms(&self, status: &MigrationStatus, now_us: u64) -> Option<u64> {
        let done = status.keys_moved.max(status.keys_sent) + status.slots_moved as u64;
        let passed_us = u128::from(now_us.saturating_sub(self.began_us));
        let left = u128::from(self.work.saturating_sub(done));
        (done > 0).then(|| (passed_us * left / u128::from(done) / 1_000) as u64)
    }
}

/// What may be sent, by the limit of bytes per second.
#[derive(Debug, Default)]
struct Allowance {
    bytes: f64,
    at_us: Option<u64>,
}

impl Allowance {
    /// How much may be sent now.
    fn now(&mut self, per_second: Option<u64>, now_us: u64) -> usize {
        let Some(per_second) = per_second else { return usize::MAX };
        let passed_us = now_us.saturating_sub(self.at_us.replace(now_us).unwrap_or(now_us));
        // What was not used for a tenth of a second is lost.
        let most = per_second as f64 / 10.0;
        self.bytes = (self.bytes + passed_us as f64 * per_second as f64 / 1e6).min(most.max(1.0));
        if self.bytes >= 1.0 { self.bytes as usize } else { 0 }
    }

    fn spend(&mut self, bytes: usize) {
        self.bytes -= bytes as f64;
    }

    /// When something may be sent again, in microseconds, if nothing may now.
    fn again_us(&self, per_second: Option<u64>) -> Option<u64> {
        let (per_second, at_us) = (per_second?, self.at_us?);
        let lacking = (1.0 - self.bytes).max(0.0);
        (lacking > 0.0).then(|| at_us + (lacking * 1e6 / per_second.max(1) as f64) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(limits: MigrationLimits) -> Pace {
        Pace::new(&limits, 90, 10, 0)
    }

    #[test]
    fn bytes_are_allowed_by_the_second() {
        let bytes_per_second = Some(1_000);
        let mut pace = pace(MigrationLimits { bytes_per_second, ..MigrationLimits::default() });
        assert_eq!(pace.allowed(0), 0);
        assert!(pace.poll_timeout().is_some_and(|at_us| (1_000..=1_002).contains(&at_us)));
        assert_eq!(pace.allowed(50_000), 50);
        pace.spend(150);
        assert_eq!(pace.allowed(60_000), 0);
        assert!(pace.poll_timeout().is_some_and(|at_us| at_us > 150_000));
        assert_eq!(pace.allowed(9_000_000), 100, "a tenth of a second's worth at most");
    }

    #[test]
    fn the_end_is_estimated_from_what_was_done() {
        let pace = pace(MigrationLimits::default());
        assert_eq!(
            (pace.left_ms(&MigrationStatus::default(), 5), pace.poll_timeout()),
            (None, None)
        );
        let status = MigrationStatus { keys_moved: 20, slots_moved: 5, ..Default::default() };
        assert_eq!(pace.left_ms(&status, 1_000_000), Some(3_000));
    }

    #[test]
    fn progress_is_told_as_often_as_asked() {
        let progress_every_ms = Some(10);
        let mut pace = pace(MigrationLimits { progress_every_ms, ..MigrationLimits::default() });
        assert_eq!(pace.poll_timeout(), Some(10_000));
        assert!(!pace.tells(9_999) && pace.tells(15_000) && !pace.tells(15_000));
        assert_eq!(pace.poll_timeout(), Some(25_000));
    }
}
