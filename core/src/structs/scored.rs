//! A few texts with a score each, in order, in one block of bytes: how small sorted sets lie in
//! memory.
//!
//! ```text
//! | count and width | scores       | lengths          | texts            |
//! | u32             | f64 for each | u8 or u32 each   | one after another|
//! ```
//! The highest bit of the first number says that lengths are of four bytes, which they are from the
//! first text of more than 255 on. Scores lie side by side, so that a place among them is found by
//! halving; lengths do, so that a text is looked for by its length first. Redis keeps a listpack
//! here, with scores as texts that have to be read for every comparison.
//!
//! Costs: a place by score O(log n); a text O(n), of which most is a comparison of lengths; a write
//! moves what follows.

use super::listpack::Buffer;
use smallvec::SmallVec;
use std::ops::Range;

/// The bytes when there is no text.
pub(crate) const EMPTY: &[u8] = &[0; HEAD_LEN];

const HEAD_LEN: usize = 4;
const SCORE_LEN: usize = 8;
const WIDE: u32 = 1 << 31;
const WIDE_LEN: usize = 4;
const NARROW_MAX: usize = u8::MAX as usize;

/// Texts with scores, to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored<'a> {
    scores: &'a [[u8; SCORE_LEN]],
    lens: Lens<'a>,
    texts: &'a [u8],
}

/// The lengths of the texts.
#[derive(Clone, Copy, Debug)]
enum Lens<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [[u8; WIDE_LEN]]),
}

impl Lens<'_> {
    #[inline]
    fn get(self, at: usize) -> usize {
        match self {
            Self::Narrow(lens) => lens[at].into(),
            Self::Wide(lens) => u32::from_le_bytes(lens[at]) as usize,
        }
    }

    /// Bytes of the texts before one.
    fn sum(self, end: usize) -> usize {
        match self {
            Self::Narrow(lens) => lens[..end].iter().map(|&len| usize::from(len)).sum(),
            Self::Wide(_) => (0..end).map(|at| self.get(at)).sum(),
        }
    }

    /// Bytes of one length.
    fn width(self) -> usize {
        match self {
            Self::Narrow(_) => 1,
            Self::Wide(_) => WIDE_LEN,
        }
    }
}

/// Whether two texts are equal. Texts of a set often begin alike, so their ends are looked at first.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(one_end), Some(other_end)) => one_end == other_end && one == other,
        _ => one.iter().rev().eq(other.iter().rev()),
    }
}

impl<'a> Scored<'a> {
    /// Looks at bytes that this module made.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let (head, rest) = bytes.split_first_chunk().expect("the head is always there");
        let head = u32::from_le_bytes(*head);
        let len = (head & !WIDE) as usize;
        let (scores, rest) = rest.split_at(len * SCORE_LEN);
        let (lens, texts) = if head & WIDE == 0 {
            let (lens, texts) = rest.split_at(len);
            (Lens::Narrow(lens), texts)
        } else {
            let (lens, texts) = rest.split_at(len * WIDE_LEN);
            (Lens::Wide(lens.as_chunks().0), texts)
        };
        Self { scores: scores.as_chunks().0, lens, texts }
    }

    /// How many texts there are.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.scores.len()
    }

    /// The score of the text at a place, from zero.
    #[inline]
    pub(crate) fn score(self, at: usize) -> f64 {
        f64::from_le_bytes(self.scores[at])
    }

    /// The place of a text.
    pub(crate) fn find(self, text: &[u8]) -> Option<usize> {
        let mut start = 0;
        let mut is_at = |at: usize, len: usize| {
            let found = len == text.len() && is_same(&self.texts[start..start + len], text);
            start += len;
            found.then_some(at)
        };
        match self.lens {
            Lens::Narrow(lens) => {
                lens.iter().enumerate().find_map(|(at, &len)| is_at(at, len.into()))
            }
            Lens::Wide(_) => (0..self.len()).find_map(|at| is_at(at, self.lens.get(at))),
        }
    }

    /// How many texts have scores that `before` accepts: all up to one, and none after it.
    pub(crate) fn rank_by_score(self, before: impl Fn(f64) -> bool) -> usize {
        self.scores.partition_point(|&score| before(f64::from_le_bytes(score)))
    }

    /// How many texts `before` accepts: all up to one, and none after it.
    pub(crate) fn rank_by_text(self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.range(0..self.len(), false).take_while(|(text, _)| before(text)).count()
    }

    /// Where a text that is not there would stand.
    pub(crate) fn place(self, score: f64, text: &[u8]) -> usize {
        let lower = self.rank_by_score(|other| other < score);
        let upper = self.rank_by_score(|other| other <= score);
        lower + self.range(lower..upper, false).take_while(|(other, _)| *other < text).count()
    }

    /// The texts at these places: upwards, or downwards from the last.
    pub(crate) fn range(self, places: Range<usize>, downwards: bool) -> Texts<'a> {
        let edge = if downwards { places.end } else { places.start };
        Texts { all: self, offset: self.lens.sum(edge), places, downwards }
    }

    fn lens_at(self) -> usize {
        HEAD_LEN + self.len() * SCORE_LEN
    }

    fn texts_at(self) -> usize {
        self.lens_at() + self.len() * self.lens.width()
    }

    fn is_wide(self) -> bool {
        matches!(self.lens, Lens::Wide(_))
    }
}

/// Texts in order, with their scores.
#[derive(Clone, Debug)]
pub(crate) struct Texts<'a> {
    all: Scored<'a>,
    places: Range<usize>,
    /// Where the next text starts, or ends if the walk goes downwards.
    offset: usize,
    downwards: bool,
}

impl<'a> Iterator for Texts<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let at = if self.downwards { self.places.next_back()? } else { self.places.next()? };
        let len = self.all.lens.get(at);
        let start = if self.downwards { self.offset - len } else { self.offset };
        self.offset = if self.downwards { start } else { start + len };
        Some((&self.all.texts[start..start + len], self.all.score(at)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl ExactSizeIterator for Texts<'_> {}

/// The bytes of texts with scores that are in order.
pub(crate) fn pack<'t, I>(texts: I) -> Vec<u8>
where
    I: Iterator<Item = (&'t [u8], f64)> + Clone,
{
    let wide = texts.clone().any(|(text, _)| text.len() > NARROW_MAX);
    let width = if wide { WIDE_LEN } else { 1 };
    let mut bytes = EMPTY.to_vec();
    texts.clone().for_each(|(_, score)| bytes.extend_from_slice(&score.to_le_bytes()));
    let count = (bytes.len() - HEAD_LEN) / SCORE_LEN;
    for (text, _) in texts.clone() {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()[..width]);
    }
    texts.for_each(|(text, _)| bytes.extend_from_slice(text));
    set_head(&mut bytes, count, wide);
    bytes
}

fn view<B: Buffer>(buffer: &B) -> Scored<'_> {
    Scored::new(buffer.bytes())
}

fn set_head<B: Buffer>(buffer: &mut B, len: usize, wide: bool) {
    let len = u32::try_from(len).ok().filter(|len| len & WIDE == 0).expect("there are few texts");
    let head = len | if wide { WIDE } else { 0 };
    buffer.bytes_mut()[..HEAD_LEN].copy_from_slice(&head.to_le_bytes());
}

/// Puts a text with its score at a place.
pub(crate) fn insert<B: Buffer>(buffer: &mut B, at: usize, text: &[u8], score: f64) {
    if text.len() > NARROW_MAX && !view(buffer).is_wide() {
        widen(buffer);
    }
    let all = view(buffer);
    let (len, wide, width) = (all.len(), all.is_wide(), all.lens.width());
    let (lens_at, texts_at) = (all.lens_at(), all.texts_at());
    let text_at = texts_at + all.lens.sum(at);
    let end = buffer.bytes().len();
    grow(buffer, SCORE_LEN + width + text.len());
    let bytes = buffer.bytes_mut();
    // From the back to the front: what moves furthest moves first.
    bytes.copy_within(text_at..end, text_at + SCORE_LEN + width + text.len());
    bytes.copy_within(texts_at..text_at, texts_at + SCORE_LEN + width);
    let len_at = lens_at + at * width;
    bytes.copy_within(len_at..texts_at, len_at + SCORE_LEN + width);
    bytes.copy_within(lens_at..len_at, lens_at + SCORE_LEN);
    let score_at = HEAD_LEN + at * SCORE_LEN;
    bytes.copy_within(score_at..lens_at, score_at + SCORE_LEN);
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(score_at, &score.to_le_bytes());
    put(len_at + SCORE_LEN, &(text.len() as u32).to_le_bytes()[..width]);
    put(text_at + SCORE_LEN + width, text);
    set_head(buffer, len + 1, wide);
}

/// Lengthens the bytes.
fn grow<B: Buffer>(buffer: &mut B, by: usize) {
    let more: SmallVec<[u8; 128]> = SmallVec::from_elem(0, by);
    let end = buffer.bytes().len();
    buffer.splice(end..end, &more);
}

/// Gives lengths four bytes each.
fn widen<B: Buffer>(buffer: &mut B) {
    let all = view(buffer);
    let len = all.len();
    let narrow = all.lens_at()..all.texts_at();
    let lens: Vec<u8> = (0..len).flat_map(|at| (all.lens.get(at) as u32).to_le_bytes()).collect();
    buffer.splice(narrow, &lens);
    set_head(buffer, len, true);
}

/// Takes out the texts at these places.
pub(crate) fn remove<B: Buffer>(buffer: &mut B, places: Range<usize>) {
    let all = view(buffer);
    let (len, wide, width, count) = (all.len(), all.is_wide(), all.lens.width(), places.len());
    let (lens_at, texts_at, end) = (all.lens_at(), all.texts_at(), buffer.bytes().len());
    let text_start = texts_at + all.lens.sum(places.start);
    let text_end = texts_at + all.lens.sum(places.end);
    let bytes = buffer.bytes_mut();
    // From the front to the back: each part closes the gaps before it.
    let mut to = HEAD_LEN + places.start * SCORE_LEN;
    let mut keep = |from: Range<usize>| {
        let part_len = from.len();
        bytes.copy_within(from, to);
        to += part_len;
    };
    keep(HEAD_LEN + places.end * SCORE_LEN..lens_at);
    keep(lens_at..lens_at + places.start * width);
    keep(lens_at + places.end * width..texts_at);
    keep(texts_at..text_start);
    keep(text_end..end);
    buffer.splice(to..end, &[]);
    set_head(buffer, len - count, wide);
}

/// Gives the text at a place another score, and moves it to where it then stands.
pub(crate) fn rescore<B: Buffer>(buffer: &mut B, at: usize, score: f64) {
    let all = view(buffer);
    let (lens_at, texts_at, width) = (all.lens_at(), all.texts_at(), all.lens.width());
    let text = all.range(at..at + 1, false).next().expect("the caller found it there").0;
    let text_len = text.len();
    // Its own old place counts if the new one is above it.
    let place = all.place(score, text);
    let to = place - usize::from(place > at);
    let (low, high) = (at.min(to), at.max(to) + 1);
    let texts = texts_at + all.lens.sum(low)..texts_at + all.lens.sum(high);
    let upwards = to > at;
    let bytes = buffer.bytes_mut();
    let mut turn = |range: Range<usize>, by: usize| {
        if upwards {
            bytes[range].rotate_left(by);
        } else {
            bytes[range].rotate_right(by);
        }
    };
    turn(HEAD_LEN + low * SCORE_LEN..HEAD_LEN + high * SCORE_LEN, SCORE_LEN);
    turn(lens_at + low * width..lens_at + high * width, width);
    turn(texts, text_len);
    let score_at = HEAD_LEN + to * SCORE_LEN;
    bytes[score_at..score_at + SCORE_LEN].copy_from_slice(&score.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: pairs in a vector.
    fn check(bytes: &[u8], twin: &[(Vec<u8>, f64)]) {
        let all = Scored::new(bytes);
        let pairs = || twin.iter().map(|(text, score)| (&text[..], *score));
        assert_eq!(all.len(), twin.len());
        assert!(all.range(0..twin.len(), false).eq(pairs()));
        assert!(all.range(0..twin.len(), true).eq(pairs().rev()));
        for (at, (text, score)) in twin.iter().enumerate() {
            assert_eq!(all.find(text), Some(at));
            assert_eq!(all.score(at), *score);
            let (below, upto) = (all.place(*score, text), at);
            assert_eq!(below, upto);
        }
    }

    fn position(twin: &[(Vec<u8>, f64)], text: &[u8], score: f64) -> usize {
        let before = |(other, other_score): &&(Vec<u8>, f64)| {
            *other_score < score || (*other_score == score && other.as_slice() < text)
        };
        twin.iter().filter(before).count()
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            10 => prop::collection::vec(any::<u8>(), 0..20),
            10 => (0u32..30).prop_map(|number| format!("member:{number}").into_bytes()),
            1 => (250usize..300).prop_map(|len| vec![b'x'; len]),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_list_of_pairs(
            steps in prop::collection::vec((0u8..8, text(), -3i8..4, any::<u16>()), 1..80),
        ) {
            let mut bytes = EMPTY.to_vec();
            let mut twin: Vec<(Vec<u8>, f64)> = Vec::new();
            for (kind, text, score, pick) in steps {
                let score = f64::from(score) / 2.0;
                let known = twin.iter().position(|(other, _)| *other == text);
                prop_assert_eq!(Scored::new(&bytes).find(&text), known);
                match (kind, known) {
                    (0, _) if !twin.is_empty() => {
                        let start = usize::from(pick) % twin.len();
                        let end = (start + usize::from(pick) / 256 % 4).min(twin.len());
                        twin.drain(start..end);
                        remove(&mut bytes, start..end);
                    }
                    (_, Some(at)) => {
                        twin.remove(at);
                        twin.insert(position(&twin, &text, score), (text, score));
                        rescore(&mut bytes, at, score);
                    }
                    (_, None) => {
                        let at = position(&twin, &text, score);
                        prop_assert_eq!(Scored::new(&bytes).place(score, &text), at);
                        insert(&mut bytes, at, &text, score);
                        twin.insert(at, (text, score));
                    }
                }
                check(&bytes, &twin);
            }
            let packed = pack(twin.iter().map(|(text, score)| (&text[..], *score)));
            check(&packed, &twin);
        }
    }

    #[test]
    fn a_pair_takes_nine_bytes_and_its_text() {
        let mut bytes = EMPTY.to_vec();
        insert(&mut bytes, 0, b"member", 1.5);
        assert_eq!(bytes.len(), 4 + 9 + 6);
        insert(&mut bytes, 1, &[b'x'; 256], 2.5);
        assert_eq!(bytes.len(), 4 + 2 * 12 + 6 + 256);
        remove(&mut bytes, 0..2);
        assert_eq!(bytes.len(), 4);
        assert_eq!(Scored::new(&bytes).len(), 0);
    }
}
