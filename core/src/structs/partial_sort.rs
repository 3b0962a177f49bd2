//! Sorting only what is wanted: places of a range get what they would hold if all were in order.
//!
//! ```text
//! pivot | equal | less ...   ... greater | equal      what a pass makes, before the equal ones are
//!         a       b                c       d          swapped into the middle
//! ```
//! The quicksort of Bentley and McIlroy ("Engineering a sort function", 1993), which goes on with a
//! part only if that meets the range. Which of several equal items come first, and which fall out of
//! the range, follows from how it chooses and swaps: this is done as Redis does it, so that what a
//! search cuts off is the same (<https://github.com/redis/redis/blob/7.2/src/pqsort.c>).
//!
//! Costs: linear in what there is and what is wanted times its logarithm, usually.

use std::cmp::Ordering;
use std::ops::Range;

/// Fewer items than these are put in order one by one.
const FEW: usize = 7;
/// From more items than these the pivot is chosen among nine.
const MANY: usize = 40;

/// Brings items in order as far as it concerns the places of a range.
pub(crate) fn sort_range<T>(
    items: &mut [T],
    wanted: Range<usize>,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    let mut items = items;
    // Where the items that are left begin among all.
    let mut start = 0;
    let meets =
        |start: usize, len: usize| len > 1 && start < wanted.end && wanted.start < start + len;
    loop {
        let len = items.len();
        if len < FEW {
            insert_each(items, compare);
            return;
        }
        let pivot = choose_pivot(items, compare);
        items.swap(0, pivot);
        let (less, greater) = divide(items, compare);
        if meets(start, less) {
            let wanted = wanted.start.saturating_sub(start)..wanted.end - start;
            sort_range(&mut items[..less], wanted, compare);
        }
        start += len - greater;
        if !meets(start, greater) {
            return;
        }
        items = &mut items[len - greater..];
    }
}

fn insert_each<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

fn choose_pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let len = items.len();
    let middle = len / 2;
    if len == FEW {
        return middle;
    }
    let median = |a, b, c| median(items, [a, b, c], compare);
    if len <= MANY {
        return median(0, middle, len - 1);
    }
    let step = len / 8;
    median(
        median(0, step, 2 * step),
        median(middle - step, middle, middle + step),
        median(len - 1 - 2 * step, len - 1 - step, len - 1),
    )
}

fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let order = |one: usize, other: usize| compare(&items[one], &items[other]);
    if order(a, b).is_lt() {
        match order(b, c) {
            Ordering::Less => b,
            _ if order(a, c).is_lt() => c,
            _ => a,
        }
    } else {
        match order(b, c) {
            Ordering::Greater => b,
            _ if order(a, c).is_lt() => a,
            _ => c,
        }
    }
}

/// Moves what is less than the first item to the front, what is greater to the end, and what is equal
/// between them. Returns how many there are at the front and at the end.
fn divide<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    let (mut a, mut b, mut c, mut d) = (1, 1, len - 1, len - 1);
    loop {
        while b <= c {
            match compare(&items[b], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(a, b);
                    a += 1;
                }
                Ordering::Less => {}
            }
            b += 1;
        }
        while b <= c {
            match compare(&items[c], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(c, d);
                    d -= 1;
                }
                Ordering::Greater => {}
            }
            c -= 1;
        }
        if b > c {
            break;
        }
        items.swap(b, c);
        b += 1;
        c -= 1;
    }
    let (less, greater) = (b - a, d - c);
    swap_ranges(items, 0, b - a.min(less), a.min(less));
    let moved = greater.min(len - 1 - d);
    swap_ranges(items, b, len - moved, moved);
    (less, greater)
}

fn swap_ranges<T>(items: &mut [T], one: usize, other: usize, len: usize) {
    (0..len).for_each(|at| items.swap(one + at, other + at));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The naive twin sorts everything.
        #[test]
        fn the_range_holds_what_it_would_if_all_were_sorted(
            keys in prop::collection::vec(0u32..60, 0..300),
            start in any::<prop::sample::Index>(),
            len in 0usize..80,
        ) {
            let start = start.index(keys.len() + 1);
            let end = keys.len().min(start + len);
            let mut items: Vec<_> = keys.iter().copied().enumerate().collect();
            sort_range(&mut items, start..end, &|one, other| one.1.cmp(&other.1));
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            let found: Vec<_> = items.iter().map(|item| item.1).collect();
            prop_assert_eq!(&found[start..end], &sorted[start..end]);
            let mut numbers: Vec<_> = items.iter().map(|item| item.0).collect();
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(0..keys.len()));
        }
    }
}
