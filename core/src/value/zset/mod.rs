//! Sorted sets: members with a score each, in the order of scores, and of their bytes where scores
//! are equal.
//!
//! Small ones are packed into their record, large ones are tables with a tree. As in Redis, a packed
//! one knows no negative zero: it was lost in the text of the score there.

mod add;
mod range;

pub(crate) use add::{AddRule, Added, add};
pub(crate) use range::{Edge, LexPlace, LexRange, RankRange, ScoreRange, limited};

use super::{Limits, Object, PackLimits, Record, Type};
use crate::error::Error;
use crate::structs::entry::{Body, NewBody};
use crate::structs::ranked::{Members as RankedMembers, RankedMap};
use crate::structs::scored::{self, Scored, Texts};
use std::ops::Range;

/// The tag of a sorted set's record.
pub(crate) const TAG: u8 = Type::Zset as u8;
/// The body of a sorted set without members.
pub(crate) const EMPTY: NewBody<'static, Object> = NewBody::Bytes(scored::EMPTY);

/// A sorted set, to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zset<'a>(Kept<'a>);

#[derive(Clone, Copy, Debug)]
enum Kept<'a> {
    Packed(Scored<'a>),
    Ranked(&'a RankedMap),
}

impl<'a> Zset<'a> {
    /// The sorted set that a record holds.
    ///
    /// # Errors
    /// `WRONGTYPE` if it holds another type.
    #[inline]
    pub(crate) fn of(record: &'a Record) -> Result<Self, Error> {
        if Type::of(record) == Type::Zset { Ok(Self::view(record)) } else { Err(Error::WRONG_TYPE) }
    }

    #[inline]
    fn view(record: &'a Record) -> Self {
        Self(match record.body() {
            Body::Bytes(bytes) => Kept::Packed(Scored::new(bytes)),
            Body::Boxed(Object::Zset(map)) => Kept::Ranked(map),
            Body::Boxed(_) | Body::Int(_) => unreachable!("the record is a sorted set's"),
        })
    }

    /// How many members there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self.0 {
            Kept::Packed(pack) => pack.len(),
            Kept::Ranked(map) => map.len(),
        }
    }

    /// Whether the members are packed into the record.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self.0, Kept::Packed(_))
    }

    /// The score of a member.
    pub(crate) fn score(self, member: &[u8]) -> Option<f64> {
        match self.0 {
            Kept::Packed(pack) => Some(pack.score(pack.find(member)?)),
            Kept::Ranked(map) => map.score(member),
        }
    }

    /// The rank of a member, from the least score on, and its score.
    pub(crate) fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self.0 {
            Kept::Packed(pack) => pack.find(member).map(|rank| (rank, pack.score(rank))),
            Kept::Ranked(map) => map.rank(member),
        }
    }

    /// How many members have scores that `before` accepts: all up to one, and none after it.
    fn rank_by_score(self, before: impl Fn(f64) -> bool) -> usize {
        match self.0 {
            Kept::Packed(pack) => pack.rank_by_score(before),
            Kept::Ranked(map) => map.rank_by_score(before),
        }
    }

    /// How many members `before` accepts: all up to one, and none after it.
    fn rank_by_member(self, before: impl Fn(&[u8]) -> bool) -> usize {
        match self.0 {
            Kept::Packed(pack) => pack.rank_by_text(before),
            Kept::Ranked(map) => map.rank_by_text(before),
        }
    }

    /// The members of these ranks with their scores: upwards, or downwards from the last.
    pub(crate) fn range(self, ranks: Range<usize>, downwards: bool) -> Members<'a> {
        Members(match self.0 {
            Kept::Packed(pack) => Walk::Packed(pack.range(ranks, downwards)),
            Kept::Ranked(map) => Walk::Ranked(map.range(ranks, downwards)),
        })
    }

    /// All members with their scores, the least first.
    pub(crate) fn iter(self) -> Members<'a> {
        self.range(0..self.len(), false)
    }

    /// Visits some members and returns the place to go on from, none at the end: a table goes by
    /// `count`, what is packed comes as a whole. What Redis's ZSCAN prints of a score also depends
    /// on how it is kept, so `visit` is told whether it is packed.
    pub(crate) fn walk(
        self,
        from: u64,
        count: usize,
        mut visit: impl FnMut(&[u8], f64, bool),
    ) -> Option<u64> {
        match self.0 {
            Kept::Packed(_) => {
                self.iter().for_each(|(member, score)| visit(member, score, true));
                None
            }
            Kept::Ranked(map) => map.walk(from, count, |member, score| visit(member, score, false)),
        }
    }
}

/// Members in order, with their scores.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a>(Walk<'a>);

#[derive(Clone, Debug)]
enum Walk<'a> {
    Packed(Texts<'a>),
    Ranked(RankedMembers<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        match &mut self.0 {
            Walk::Packed(texts) => texts.next(),
            Walk::Ranked(members) => members.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Walk::Packed(texts) => texts.size_hint(),
            Walk::Ranked(members) => members.size_hint(),
        }
    }
}

impl ExactSizeIterator for Members<'_> {}

/// The name of a representation, as OBJECT ENCODING answers it.
pub(super) fn encoding(record: &Record) -> &'static str {
    match record.body() {
        Body::Bytes(_) => "listpack",
        Body::Boxed(_) | Body::Int(_) => "skiplist",
    }
}

/// Whether there are no members.
#[inline]
pub(super) fn is_empty(record: &Record) -> bool {
    Zset::view(record).len() == 0
}

/// Refuses a record of another type.
///
/// # Errors
/// `WRONGTYPE`
#[inline]
pub(crate) fn check(record: &Record) -> Result<(), Error> {
    Zset::of(record).map(drop)
}

/// The map of a large sorted set.
fn map_mut(record: &mut Record) -> Option<&mut RankedMap> {
    match record.boxed_mut()? {
        Object::Zset(map) => Some(map),
        _ => unreachable!("the record is a sorted set's"),
    }
}

/// Makes a packed sorted set a large one.
fn unpack(record: &mut Record, seed: u64) {
    let mut map = RankedMap::new(seed);
    Zset::view(record).iter().for_each(|(member, score)| map.push(member, score));
    record.set_body(TAG, NewBody::Boxed(Box::new(Object::Zset(map))));
}

/// Makes a packed sorted set a large one whatever its size, as Redis does before it sorts one.
pub(crate) fn make_large(record: &mut Record, limits: &Limits) {
    if Zset::view(record).is_packed() {
        unpack(record, limits.seed);
    }
}

/// Makes a packed sorted set a large one if as many members as are about to be added do not fit, or
/// if it is new and the first of them is too long. Redis looks no further ahead.
pub(crate) fn make_ready(record: &mut Record, members: usize, first: &[u8], limits: &Limits) {
    let Kept::Packed(pack) = Zset::view(record).0 else { return };
    let PackLimits { entries, value_len } = limits.zset;
    if members > entries || (pack.len() == 0 && first.len() > value_len) {
        unpack(record, limits.seed);
    }
}

/// Lets `decide` see the score of a member, none if it is not there. Sets the score that it returns,
/// if it returns one; a member that was not there is added.
fn update(
    record: &mut Record,
    member: &[u8],
    limits: &Limits,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) {
    let Kept::Packed(pack) = Zset::view(record).0 else {
        return map_mut(record).expect("it is not packed").update(member, decide);
    };
    let place = pack.find(member);
    let Some(score) = decide(place.map(|place| pack.score(place))) else { return };
    // What is added to a negative zero takes its sign away.
    let plain = score + 0.0;
    match place {
        Some(place) => scored::rescore(record, place, plain),
        None if pack.len() < limits.zset.entries && member.len() <= limits.zset.value_len => {
            let place = pack.place(plain, member);
            scored::insert(record, place, member, plain);
        }
        None => {
            unpack(record, limits.seed);
            map_mut(record).expect("it was unpacked").push(member, score);
        }
    }
}

/// Takes out a member. Returns whether it was there.
pub(crate) fn remove(record: &mut Record, member: &[u8]) -> bool {
    match Zset::view(record).0 {
        Kept::Packed(pack) => {
            let place = pack.find(member);
            if let Some(place) = place {
                scored::remove(record, place..place + 1);
            }
            place.is_some()
        }
        Kept::Ranked(_) => map_mut(record).expect("it is not packed").remove(member).is_some(),
    }
}

/// Takes out the members of these ranks, which there must be.
pub(crate) fn remove_range(record: &mut Record, ranks: Range<usize>) {
    match map_mut(record) {
        Some(map) => map.remove_range(ranks),
        None => scored::remove(record, ranks),
    }
}

/// A sorted set on its way into a record.
#[derive(Debug)]
pub(crate) enum NewZset {
    Packed(Vec<u8>),
    Large(Box<Object>),
}

impl NewZset {
    /// Keeps members, each once and in order, the way that suits how many and how long they are.
    pub(crate) fn new<'m, I>(members: I, limits: &Limits) -> Self
    where
        I: Iterator<Item = (&'m [u8], f64)> + Clone,
    {
        let PackLimits { entries, value_len } = limits.zset;
        let fits =
            |members: I| members.map(|(member, _)| member.len()).max().unwrap_or(0) <= value_len;
        if members.clone().nth(entries).is_none() && fits(members.clone()) {
            return Self::pack(members);
        }
        let mut map = RankedMap::new(limits.seed);
        members.for_each(|(member, score)| map.push(member, score));
        Self::Large(Box::new(Object::Zset(map)))
    }

    /// Keeps members that Redis would add one after the other in this order, which may be that of
    /// falling scores. It packs them for as long as they fit, and loses the sign of a zero then, even
    /// if there turn out to be too many. `is_counted` says that it knows how many they are before
    /// the first. None without members.
    pub(crate) fn added_in_turn(
        mut members: Vec<(&[u8], f64)>,
        is_counted: bool,
        limits: &Limits,
    ) -> Option<Self> {
        let PackLimits { entries, value_len } = limits.zset;
        if !is_counted || members.len() <= entries {
            let fitting = members.iter_mut().take(entries);
            let fitting = fitting.take_while(|(member, _)| member.len() <= value_len);
            fitting.for_each(|(_, score)| *score += 0.0);
        }
        sort(&mut members);
        (!members.is_empty()).then(|| Self::new(members.iter().copied(), limits))
    }

    fn pack<'m>(members: impl Iterator<Item = (&'m [u8], f64)> + Clone) -> Self {
        Self::Packed(scored::pack(members.map(|(member, score)| (member, score + 0.0))))
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Packed(bytes) => Scored::new(bytes).len(),
            Self::Large(object) => match &**object {
                Object::Zset(map) => map.len(),
                _ => unreachable!("it is a sorted set"),
            },
        }
    }

    /// The body of its record.
    pub(crate) fn body(self, room: &mut Vec<u8>) -> NewBody<'_, Object> {
        match self {
            Self::Packed(bytes) => {
                *room = bytes;
                NewBody::Bytes(room)
            }
            Self::Large(object) => NewBody::Boxed(object),
        }
    }
}

/// A sorted set that is being read from elsewhere, member by member.
#[derive(Debug)]
pub(crate) struct Loader {
    map: RankedMap,
    value_len_max: usize,
}

impl Loader {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { map: RankedMap::new(limits.seed), value_len_max: 0 }
    }

    /// Adds a member. None if it is there already or its score is no number.
    pub(crate) fn add(&mut self, member: &[u8], score: f64) -> Option<()> {
        let mut is_new = false;
        if !score.is_nan() {
            self.map.update(member, |old| {
                is_new = old.is_none();
                Some(score)
            });
        }
        self.value_len_max = self.value_len_max.max(member.len());
        is_new.then_some(())
    }

    /// Adds a member that has to come after all others.
    pub(crate) fn add_last(&mut self, member: &[u8], score: f64) -> Option<()> {
        self.add(member, score)?;
        let last = self.map.len() - 1;
        let (found, _) = self.map.range(last..last + 1, false).next()?;
        (found == member).then_some(())
    }

    /// What was read, kept the way that suits it. None without members.
    pub(crate) fn finish(self, limits: &Limits) -> Option<NewZset> {
        let is_short = self.value_len_max <= limits.zset.value_len;
        self.keep(is_short, limits)
    }

    /// The same for what was packed elsewhere: Redis does not look at how long members are then.
    pub(crate) fn finish_packed(self, limits: &Limits) -> Option<NewZset> {
        self.keep(true, limits)
    }

    fn keep(self, is_short: bool, limits: &Limits) -> Option<NewZset> {
        let len = self.map.len();
        if len == 0 {
            return None;
        }
        if len > limits.zset.entries || !is_short {
            return Some(NewZset::Large(Box::new(Object::Zset(self.map))));
        }
        let members: Vec<_> = self.map.range(0..len, false).collect();
        Some(NewZset::pack(members.iter().copied()))
    }
}

/// Sorts members as a sorted set has them.
pub(crate) fn sort<T: Ord>(members: &mut [(T, f64)]) {
    members.sort_unstable_by(|one, other| {
        one.1.partial_cmp(&other.1).expect("no score is NaN").then_with(|| one.0.cmp(&other.0))
    });
}
