//! Rounds and clocks.

use std::time::{Duration, Instant};

/// How many rounds each side gets.
pub(crate) const ROUNDS: usize = 7;

/// Lets two sides take turns and returns each side's median.
pub(crate) fn interleave(
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> (f64, f64) {
    let mut figures = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        figures.0.push(ours());
        figures.1.push(theirs());
    }
    (median(figures.0), median(figures.1))
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds that one of `count` operations took.
pub(crate) fn ns_per_op(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Processor time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives through the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "the thread's clock is always there");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Bytes of this process that are in memory.
pub(crate) fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("statm's second field is a number") * 4096
}
