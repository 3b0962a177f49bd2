//! Of some numbers, a set whose sum is enough and exceeds that by the least.
//!
//! Up to [`EXACT_MAX`] numbers the answer is exact: the numbers are dealt into two halves, all sums
//! of each half are listed in order (by merging, for each number, the list with itself moved up by
//! it), and one list is walked up while the other is walked down (Horowitz and Sahni). Of more
//! numbers, the largest that fit are taken one after the other, and what is missing then is made up
//! exactly from some of those taken and some of those left, small and large.

/// Up to how many numbers the least sum is found for sure: two lists of 1,024 sums.
const EXACT_MAX: usize = 20;

/// A sum, how many numbers are in it, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sum {
    sum: u64,
    count: u32,
    members: u32,
}

/// Chooses from `numbers`, which ascend, a set whose sum is at least `need`. Returns places; none if
/// all together are not enough.
pub(super) fn cover(numbers: &[u64], need: u64) -> Option<Vec<usize>> {
    if numbers.iter().fold(0, |sum: u64, &number| sum.saturating_add(number)) < need {
        return None;
    }
    if numbers.len() <= EXACT_MAX {
        let members = exact(numbers, need)?;
        return Some((0..numbers.len()).filter(|place| members >> place & 1 == 1).collect());
    }
    Some(nearly(numbers, need))
}

fn nearly(numbers: &[u64], need: u64) -> Vec<usize> {
    let mut missing = need;
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for place in (0..numbers.len()).rev() {
        if numbers[place] <= missing {
            missing -= numbers[place];
            taken.push(place);
        } else {
            left.push(place);
        }
    }
    if missing == 0 {
        return taken;
    }
    let from_left = left.len().min(EXACT_MAX - taken.len().min(EXACT_MAX / 2));
    let from_taken = taken.len().min(EXACT_MAX - from_left);
    let (mut pool, stay) = spread(taken, from_taken);
    missing += pool.iter().map(|&place| numbers[place]).sum::<u64>();
    pool.extend(spread(left, from_left).0);
    pool.sort_unstable();
    let values: Vec<u64> = pool.iter().map(|&place| numbers[place]).collect();
    // Something is left, as all are enough; and each of it is more than what is missing.
    let members = exact(&values, missing).unwrap_or(u32::MAX);
    let mut taken = stay;
    taken.extend(
        pool.iter().enumerate().filter(|(bit, _)| members >> bit & 1 == 1).map(|(_, &at)| at),
    );
    taken
}

/// Deals `count` places, evenly spread and the last among them, from the others.
fn spread(places: Vec<usize>, count: usize) -> (Vec<usize>, Vec<usize>) {
    let len = places.len();
    let is_chosen = |at: usize| (at + 1) * count / len > at * count / len;
    let (chosen, others): (Vec<_>, Vec<_>) =
        places.into_iter().enumerate().partition(|&(at, _)| is_chosen(at));
    let places = |part: Vec<(usize, usize)>| part.into_iter().map(|(_, place)| place).collect();
    (places(chosen), places(others))
}

/// The set with the least sum that is enough, and of those the one with fewest members.
fn exact(numbers: &[u64], need: u64) -> Option<u32> {
    let (low, high) = numbers.split_at(numbers.len() / 2);
    let (low_sums, high_sums) = (sums(low, 0), sums(high, low.len()));
    let mut best: Option<Sum> = None;
    let mut down = high_sums.len();
    for part in &low_sums {
        // Of equal sums the first has the fewest members.
        while down > 0 && part.sum.saturating_add(high_sums[down - 1].sum) >= need {
            down -= 1;
        }
        let Some(other) = high_sums.get(down) else { continue };
        let sum = Sum {
            sum: part.sum.saturating_add(other.sum),
            count: part.count + other.count,
            members: part.members | other.members,
        };
        best = Some(best.map_or(sum, |best| best.min(sum)));
    }
    best.map(|best| best.members)
}

/// All sums of some numbers, ascending. The first number is member `first`.
fn sums(numbers: &[u64], first: usize) -> Vec<Sum> {
    let mut sums = vec![Sum { sum: 0, count: 0, members: 0 }];
    for (place, &number) in numbers.iter().enumerate() {
        let with = |part: &Sum| Sum {
            sum: part.sum.saturating_add(number),
            count: part.count + 1,
            members: part.members | 1 << (first + place),
        };
        let (mut plain, mut moved) =
            (sums.iter().copied().peekable(), sums.iter().map(with).peekable());
        let mut merged = Vec::with_capacity(2 * sums.len());
        while let (Some(one), Some(other)) = (plain.peek(), moved.peek()) {
            merged.extend(if one <= other { plain.next() } else { moved.next() });
        }
        merged.extend(plain);
        merged.extend(moved);
        sums = merged;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum_of(numbers: &[u64], places: &[usize]) -> u64 {
        places.iter().map(|&place| numbers[place]).sum()
    }

    /// The twin: every subset.
    fn least(numbers: &[u64], need: u64) -> Option<u64> {
        let sums = (0u32..1 << numbers.len()).map(|members| {
            let chosen = numbers.iter().enumerate().filter(|(place, _)| members >> place & 1 == 1);
            chosen.map(|(_, number)| number).sum::<u64>()
        });
        sums.filter(|&sum| sum >= need).min()
    }

    /// The plain algorithm: the largest that fits, again and again, and the smallest of the rest.
    fn plainly(numbers: &[u64], need: u64) -> u64 {
        let (mut sum, mut smallest) = (0, 0);
        for &number in numbers.iter().rev() {
            if sum + number <= need {
                sum += number;
            } else {
                smallest = number;
            }
        }
        if sum == need { sum } else { sum + smallest }
    }

    proptest! {
        #[test]
        fn few_numbers_give_the_least_sum(
            mut numbers in proptest::collection::vec(0u64..200, 0..12),
            need in 0u64..1_500,
        ) {
            numbers.sort_unstable();
            let found = cover(&numbers, need).map(|places| sum_of(&numbers, &places));
            prop_assert_eq!(found, least(&numbers, need));
        }

        #[test]
        fn many_numbers_give_enough_and_no_more_than_the_plain_algorithm(
            mut numbers in proptest::collection::vec(1u64..100_000, 25..200),
            part in 0.0f64..1.0,
        ) {
            numbers.sort_unstable();
            let all: u64 = numbers.iter().sum();
            let need = (all as f64 * part) as u64;
            let mut places = cover(&numbers, need).unwrap();
            let sum = sum_of(&numbers, &places);
            prop_assert!(sum >= need);
            prop_assert!(sum <= plainly(&numbers, need));
            let count = places.len();
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), count);
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_covered() {
        assert_eq!(cover(&[1, 2, 3], 7), None);
        assert_eq!(cover(&[], 0), Some(vec![]));
        assert_eq!(cover(&[u64::MAX, u64::MAX], u64::MAX).map(|places| places.len()), Some(1));
    }
}
