//! A histogram of durations whose buckets are never wider than a hundredth of what they hold. What a
//! duration is of, and who asks, is for others.
//!
//! ```text
//!   value     0 .. 127    128 .. 255    256 .. 511    512 .. 1023   ...   2^29 .. 2^30
//!   octave       0             1             2             3        ...        23
//!   width        1             1             2             4        ...      2^22
//! ```
//! An octave has 128 buckets of the same width, as HdrHistogram has them for two significant digits
//! (<http://hdrhistogram.org>). It takes its kilobyte when the first value falls into it: durations
//! of one kind meet in three to six octaves.
//!
//! Costs: `record` is one addition. Reading walks over the octaves that there are.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const BUCKETS: usize = 128;
const OCTAVES: usize = 24;
/// The largest value; larger ones count as this.
const VALUE_MAX: u64 = 1_000_000_000;

type Octave = [AtomicU64; BUCKETS];

/// Counts of values from 1 to a thousand million, by size.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    octaves: [OnceLock<Box<Octave>>; OCTAVES],
}

impl Histogram {
    /// Counts a value a number of times. With `is_alone` the caller promises that no other thread
    /// records here meanwhile, which makes the addition cheap; a breach loses counts and no more.
    #[inline]
    pub(crate) fn record(&self, value: u64, times: u64, is_alone: bool) {
        let (octave, bucket) = place(value.clamp(1, VALUE_MAX));
        let octave = self.octaves[octave].get_or_init(new_octave);
        add(&octave[bucket], times, is_alone);
    }

    /// Adds what was counted to `counts`.
    pub(crate) fn add_to(&self, counts: &mut Counts) {
        for (number, octave) in self.octaves.iter().enumerate() {
            let Some(octave) = octave.get() else { continue };
            let of_octave = counts.octaves[number].get_or_insert_with(|| Box::new([0; BUCKETS]));
            of_octave
                .iter_mut()
                .zip(&**octave)
                .for_each(|(sum, count)| *sum += count.load(Relaxed));
        }
    }
}

#[cold]
fn new_octave() -> Box<Octave> {
    Box::new(std::array::from_fn(|_| AtomicU64::new(0)))
}

/// Adds to a counter: with a load and a store if no other thread adds to it.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64, is_alone: bool) {
    if is_alone {
        counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
    } else {
        counter.fetch_add(amount, Relaxed);
    }
}

/// The octave and the bucket of a value.
#[inline]
fn place(value: u64) -> (usize, usize) {
    if value < BUCKETS as u64 {
        return (0, value as usize);
    }
    let shift = BUCKETS.ilog2();
    let octave = (value.ilog2() - shift) as usize;
    (octave + 1, (value >> octave) as usize - BUCKETS)
}

/// The largest value that falls into a bucket.
fn highest(octave: usize, bucket: usize) -> u64 {
    match octave {
        0 => bucket as u64,
        _ => ((bucket + BUCKETS + 1) << (octave - 1)) as u64 - 1,
    }
}

/// What histograms counted, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    octaves: [Option<Box<[u64; BUCKETS]>>; OCTAVES],
}

impl Counts {
    /// How many values were counted.
    pub(crate) fn total(&self) -> u64 {
        self.buckets().map(|(_, count)| count).sum()
    }

    /// Takes away what was counted before.
    pub(crate) fn subtract(&mut self, before: &Self) {
        for (own, other) in self.octaves.iter_mut().zip(&before.octaves) {
            let (Some(own), Some(other)) = (own, other) else { continue };
            own.iter_mut().zip(&**other).for_each(|(sum, count)| *sum = sum.saturating_sub(*count));
        }
    }

    /// The value that so many percent of all values do not exceed, to within a hundredth; zero if
    /// there are none.
    pub(crate) fn percentile(&self, percent: f64) -> u64 {
        let wanted = (percent.min(100.0) / 100.0 * self.total() as f64 + 0.5) as u64;
        let mut sum = 0;
        let reaches = |(_, count): &(u64, u64)| {
            sum += count;
            sum >= wanted.max(1)
        };
        self.buckets().find(reaches).map_or(0, |(highest, _)| highest)
    }

    /// How many values there are up to each of the levels 1,024, 2,048, 4,096 and so on, where that
    /// is more than up to the level before: pairs of the largest value of the level's bucket and
    /// the count. A level's own bucket counts for it.
    pub(crate) fn cumulative(&self) -> Vec<(u64, u64)> {
        let total = self.total();
        let (mut sum, mut level) = (0, 1024);
        let mut found: Vec<(u64, u64)> = Vec::new();
        for (highest, count) in self.buckets() {
            // A level between this bucket and the one before ends with an empty bucket of its own.
            while highest > level_end(level) {
                note(&mut found, level_end(level), sum);
                level *= 2;
            }
            sum += count;
            if sum == total {
                note(&mut found, level_end(level), sum);
                break;
            }
        }
        found
    }

    /// The buckets that hold something, in order: the largest value of each, and its count.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let octaves = self.octaves.iter().enumerate();
        let octaves = octaves.filter_map(|(number, octave)| Some((number, octave.as_ref()?)));
        octaves.flat_map(|(number, octave)| {
            let buckets = octave.iter().enumerate().filter(|(_, count)| **count > 0);
            buckets.map(move |(bucket, count)| (highest(number, bucket), *count))
        })
    }
}

fn note(found: &mut Vec<(u64, u64)>, end: u64, sum: u64) {
    if sum > found.last().map_or(0, |(_, before)| *before) {
        found.push((end, sum));
    }
}

/// The largest value of a level's bucket.
fn level_end(level: u64) -> u64 {
    let (octave, bucket) = place(level);
    highest(octave, bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(values: &[(u64, u64)]) -> Counts {
        let histogram = Histogram::default();
        values.iter().for_each(|(value, times)| histogram.record(*value, *times, true));
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        counts
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value_and_is_a_hundredth_wide_at_most(value in 1..=VALUE_MAX) {
            let (octave, bucket) = place(value);
            let highest = highest(octave, bucket);
            prop_assert!(value <= highest && highest - value <= value / 100);
            prop_assert_ne!(place(highest + 1), (octave, bucket));
        }

        #[test]
        fn percentiles_and_levels_are_those_of_the_sorted_values(
            mut values in proptest::collection::vec(1u64..10_000_000, 1..200),
            percent in 0.0f64..=100.0,
        ) {
            let pairs: Vec<_> = values.iter().map(|value| (*value, 1)).collect();
            let counts = counts(&pairs);
            values.sort_unstable();
            let rank = (percent / 100.0 * values.len() as f64 + 0.5) as usize;
            let exact = values[rank.max(1) - 1];
            let (octave, bucket) = place(exact);
            prop_assert_eq!(counts.percentile(percent), highest(octave, bucket));
            let mut before = 0;
            for (end, sum) in counts.cumulative() {
                prop_assert_eq!(values.iter().filter(|value| **value <= end).count() as u64, sum);
                prop_assert!(sum > before);
                before = sum;
            }
            prop_assert_eq!(before, values.len() as u64);
        }
    }

    #[test]
    fn levels_are_those_that_redis_prints() {
        let values: Vec<(u64, u64)> = (10..26).map(|power| (1 << power, 1)).collect();
        let micros: Vec<u64> =
            counts(&values).cumulative().iter().map(|(end, _)| end / 1000).collect();
        let expected =
            [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16_908, 33_816];
        assert_eq!(micros, expected);
    }

    #[test]
    fn counts_from_a_baseline_are_those_since() {
        let before = counts(&[(100, 3), (5000, 1)]);
        let mut all = counts(&[(100, 5), (5000, 1), (70_000, 2)]);
        all.subtract(&before);
        assert_eq!(all.total(), 4);
        assert_eq!(all.percentile(50.0), 100);
        assert_eq!(Counts::default().percentile(99.0), 0);
    }
}
