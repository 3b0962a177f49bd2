//! Finds what is left of a failing stream when nothing more can be dropped: delta debugging
//! (Zeller and Hildebrandt, 2002). What failing means is the caller's.

use std::time::{Duration, Instant};

/// How long is spent on it. What has been found by then is still a failing stream.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Drops parts of `steps`, ever smaller ones, for as long as the rest still fails.
pub(crate) fn shrink<T: Clone>(mut steps: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let deadline = Instant::now() + TIME_MAX;
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 && Instant::now() < deadline {
        let before = steps.len();
        // From the end, where the cause of a failure most often is not far from it.
        let mut end = steps.len();
        while end > 0 && Instant::now() < deadline {
            let start = end.saturating_sub(piece);
            let rest = [&steps[..start], &steps[end..]].concat();
            if fails(&rest) {
                steps = rest;
            }
            end = start;
        }
        let is_stuck = steps.len() == before;
        piece = if is_stuck && piece == 1 { 0 } else { (piece / 2).max(1) };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn what_a_failure_needs_is_all_that_is_left() {
        let needed = [3, 500, 501, 999];
        let fails = |steps: &[u32]| needed.iter().all(|step| steps.contains(step));
        assert_eq!(shrink((0..1000).collect(), fails), needed);
        assert_eq!(shrink((0..1000).collect(), |_: &[u32]| true), [0; 0]);
    }
}
