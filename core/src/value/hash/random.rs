//! Fields chosen by chance. The chance itself is the caller's: `random` gives random numbers.

use super::{Fields, Hash, table};
use crate::structs::listpack::Element;
use std::collections::BTreeSet;

/// A field with its value.
type Pair<'a> = (Element<'a>, Element<'a>);

/// Up to this share of a table's fields, fields are drawn one by one and those that came before are
/// put back; beyond it, all fields are gone through.
const DRAWN_SHARE: usize = 3;
/// Draws that may meet an expired field before all fields are gone through instead.
const TRIES: usize = 64;

impl<'a> Hash<'a> {
    /// A field, all with the same chance. None if there is no field.
    pub(crate) fn random(self, mut random: impl FnMut() -> u64) -> Option<Pair<'a>> {
        match self.fields {
            Fields::Packed(packed) => {
                let expired = packed.expired(self.now_ms);
                let len = packed.len() - expired;
                let number = (len > 0).then(|| below(&mut random, len))?;
                packed.places().nth(expired + number).map(|at| packed.pair(at))
            }
            Fields::Table(_) => self.random_of_table(&mut random),
        }
    }

    /// `count` fields, each drawn among all of them.
    pub(crate) fn draw(
        self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        let Fields::Packed(packed) = self.fields else {
            let draws = (0..count).filter_map(|_| self.random_of_table(&mut random));
            return draws.for_each(|(field, value)| visit(field, value));
        };
        let places: Vec<_> = packed.places().skip(packed.expired(self.now_ms)).collect();
        if places.is_empty() {
            return;
        }
        for _ in 0..count {
            let (field, value) = packed.pair(places[below(&mut random, places.len())]);
            visit(field, value);
        }
    }

    /// `count` different fields, or all if there are no more; all groups of so many have the same
    /// chance.
    pub(crate) fn choose(
        self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        let len = self.len();
        if matches!(self.fields, Fields::Table(_)) && count < len / DRAWN_SHARE {
            return self.draw_different(count, &mut random, visit);
        }
        // Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S).
        let (mut wanted, mut left) = (count.min(len), len);
        self.each(|field, value| {
            if wanted > 0 && below(&mut random, left) < wanted {
                visit(field, value);
                wanted -= 1;
            }
            left -= 1;
        });
    }

    fn draw_different(
        self,
        count: usize,
        random: &mut impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        let mut drawn = BTreeSet::new();
        while drawn.len() < count {
            let Some((field, value)) = self.random_of_table(random) else { return };
            let Element::Bytes(name) = field else { unreachable!("a table keeps texts") };
            if drawn.insert(name.as_ptr().addr()) {
                visit(field, value);
            }
        }
    }

    fn random_of_table(self, random: &mut impl FnMut() -> u64) -> Option<Pair<'a>> {
        let Fields::Table(table) = self.fields else { unreachable!("the caller saw a table") };
        for _ in 0..TRIES {
            let field = table.random(&mut *random)?;
            if table::is_live(field, self.now_ms) {
                return Some(table::pair(field));
            }
        }
        let len = self.len();
        let mut number = (len > 0).then(|| below(random, len))?;
        let mut chosen = None;
        self.each(|field, value| {
            if number == 0 && chosen.is_none() {
                chosen = Some((field, value));
            }
            number = number.saturating_sub(1);
        });
        chosen
    }
}

/// A number below `end`, which is not zero.
fn below(random: &mut impl FnMut() -> u64, end: usize) -> usize {
    // The high half of the product is spread as evenly as 64 bits allow.
    ((u128::from(random()) * end as u128) >> 64) as usize
}
