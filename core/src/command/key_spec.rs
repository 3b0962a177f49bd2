//! Where the keys of a command are: the key specifications that follow from its grammar, and the
//! places that they find among the words of a request. What is done with the keys is not known
//! here beyond its name.

use super::grammar::{Argument, Kind, Repeat, Width};
use super::table::key_use;
use smallvec::SmallVec;

/// Where a specification begins to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At this word.
    Index(usize),
    /// After this word, which is looked for from `from` on; from the end backwards if negative.
    Keyword { keyword: &'static str, from: i32 },
    /// Somewhere: the entry's `find_keys` knows.
    Unknown,
}

/// Which words from there on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Find {
    /// From the first to `last`, which counts from the first, or from the end if negative, every
    /// `step` words. A limit above one leaves that part of the words only: two means the half.
    Range { last: i32, step: usize, limit: usize },
    /// As many as the word at `index` says, from `first` on, every `step` words.
    Count { index: usize, first: usize, step: usize },
    /// Some: the entry's `find_keys` knows.
    Unknown,
}

/// One specification, as COMMAND INFO prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    pub(crate) notes: &'static str,
    /// A union of [`key_use`]s.
    pub(crate) uses: u16,
    pub(crate) begin: Begin,
    pub(crate) find: Find,
}

/// A key among the words, and the union of [`key_use`]s that is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPlace {
    pub(crate) place: usize,
    pub(crate) uses: u16,
}

/// The keys of a request in the order of the specifications.
pub(crate) type KeyPlaces = SmallVec<[KeyPlace; 4]>;

impl KeySpec {
    /// Appends the keys that this finds among the words. Returns whether the words fit; if they
    /// do not, the command itself will say what is wrong with them.
    fn find(&self, words: &[&[u8]], out: &mut KeyPlaces) -> bool {
        let start = match self.begin {
            Begin::Index(index) => index,
            Begin::Keyword { keyword, from } => match position(keyword, from, words) {
                Some(place) => place + 1,
                None => return true,
            },
            Begin::Unknown => return true,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                (start, range_end(start, last, limit, words), step)
            }
            Find::Count { index, first, step } => {
                let Some(count) = words.get(start + index).and_then(|word| number(word)) else {
                    return false;
                };
                let Some(count) = count.checked_sub(1) else { return true };
                if count >= words.len() {
                    return false;
                }
                (start + first, start + first + count * step, step)
            }
            Find::Unknown => return true,
        };
        if last >= words.len() && matches!(self.find, Find::Count { .. }) {
            return false;
        }
        let places = (first..=last.min(words.len() - 1)).step_by(step);
        out.extend(places.map(|place| KeyPlace { place, uses: self.uses }));
        true
    }

    /// The place of the only key that this ever finds, if it has one.
    pub(crate) fn single_place(&self) -> Option<usize> {
        match (self.begin, self.find) {
            (Begin::Index(place), Find::Range { last: 0, .. }) => Some(place),
            _ => None,
        }
    }

    /// Whether this finds all its keys in any request, each for the uses that it says.
    pub(crate) fn is_sure(&self) -> bool {
        const UNSURE: u16 = key_use::VARIABLE_FLAGS | key_use::INCOMPLETE;
        self.uses & UNSURE == 0 && self.begin != Begin::Unknown && self.find != Find::Unknown
    }

    /// Whether what this finds are keys, and not names that are routed as if they were.
    pub(crate) fn is_key(&self) -> bool {
        self.uses & key_use::NOT_KEY == 0
    }
}

/// The last word of a range; before its start if it is empty.
fn range_end(start: usize, last: i32, limit: usize, words: &[&[u8]]) -> usize {
    if last >= 0 {
        start + last as usize
    } else if limit > 1 {
        (start + words.len().saturating_sub(start) / limit)
            .saturating_sub(last.unsigned_abs() as usize)
    } else {
        words.len().saturating_sub(last.unsigned_abs() as usize)
    }
}

fn position(keyword: &str, from: i32, words: &[&[u8]]) -> Option<usize> {
    let matches = |place: &usize| words[*place].eq_ignore_ascii_case(keyword.as_bytes());
    if from > 0 {
        (from as usize..words.len().saturating_sub(1)).find(matches)
    } else {
        let from = words.len().saturating_sub(from.unsigned_abs() as usize);
        (2..=from).rev().find(matches)
    }
}

fn number(word: &[u8]) -> Option<usize> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The keys that specifications find, or none if the words do not fit.
pub(crate) fn places(specs: &[KeySpec], words: &[&[u8]]) -> Option<KeyPlaces> {
    let mut out = KeyPlaces::new();
    specs.iter().all(|spec| spec.find(words, &mut out)).then_some(out)
}

/// The first key, the last (from the end if negative) and the step, as far as one range can say
/// it; all zero if there is none.
pub(crate) fn legacy_range(specs: &[KeySpec]) -> (i32, i32, i32) {
    let plain = |spec: &KeySpec| match (spec.begin, spec.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => {
            let first = first as i32;
            Some((first, if last < 0 { last } else { first + last }, step as i32))
        }
        _ => None,
    };
    if let [only] = specs {
        return plain(only).unwrap_or((0, 0, 0));
    }
    let mut whole: Option<(i32, i32, i32)> = None;
    for (first, last, _) in specs.iter().filter_map(plain).filter(|&(_, _, step)| step == 1) {
        whole = match whole {
            None => Some((first, last, 1)),
            Some((start, end, _)) if end == first - 1 => Some((start, last, 1)),
            other => other,
        };
    }
    whole.unwrap_or((0, 0, 0))
}

/// Whether one range does not say where all the keys are.
pub(crate) fn is_movable(specs: &[KeySpec]) -> bool {
    let incomplete = specs.iter().any(|spec| spec.uses & key_use::INCOMPLETE != 0);
    let ranges = specs.iter().filter_map(|spec| match (spec.begin, spec.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => Some((first as i32, last, step)),
        _ => None,
    });
    let ranges: SmallVec<[_; 4]> = ranges.collect();
    let together = ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0 - 1);
    let plain = specs.len() == 1 || (together && ranges.iter().all(|&(_, _, step)| step == 1));
    incomplete || ranges.len() != specs.len() || !plain
}

/// Derives the specifications from a grammar whose first word stands at `start`, and marks each
/// key argument with the one that covers it.
///
/// # Errors
/// Says which key has no place that a specification can express; the entry must then say it.
pub(crate) fn derive(
    arguments: &mut [Argument],
    start: usize,
    uses: &[u16],
    notes: &[&'static str],
) -> Result<Vec<KeySpec>, String> {
    let mut walk = Walk { uses, notes, keys: 0, specs: Vec::new() };
    walk.sequence(arguments, Here { at: start, fixed: true, token: None }, Width::ZERO)?;
    if walk.keys != uses.len() {
        return Err(format!("{} keys in the grammar, {} uses", walk.keys, uses.len()));
    }
    Ok(walk.specs)
}

/// How far a walk has come.
#[derive(Clone, Copy)]
struct Here {
    /// The least number of words before.
    at: usize,
    /// Whether there are never more.
    fixed: bool,
    /// The token right before, if there is one.
    token: Option<&'static str>,
}

impl Here {
    fn after(self, width: Width) -> Self {
        let fixed = self.fixed && width.fixed().is_some();
        Self { at: self.at + width.min, fixed, token: None }
    }
}

struct Walk<'a> {
    uses: &'a [u16],
    notes: &'a [&'static str],
    keys: usize,
    specs: Vec<KeySpec>,
}

impl Walk<'_> {
    fn sequence(
        &mut self,
        arguments: &mut [Argument],
        mut here: Here,
        behind: Width,
    ) -> Result<(), String> {
        let mut counted = false;
        for number in 0..arguments.len() {
            let (done, rest) = arguments.split_at_mut(number + 1);
            let argument = &mut done[number];
            let behind = behind.plus(Width::of(rest));
            let halved = matches!(rest, [id] if id.repeat == Repeat::Many && id.lead() == 0);
            if argument.kind == Kind::Key {
                self.key(argument, here, behind, counted, halved)?;
            } else {
                self.inside(argument, here, behind, counted)?;
            }
            counted = argument.name == "numkeys";
            here = here.after(argument.width());
        }
        Ok(())
    }

    fn inside(
        &mut self,
        outer: &mut Argument,
        here: Here,
        behind: Width,
        counted: bool,
    ) -> Result<(), String> {
        let start = self.specs.len();
        let lead = outer.lead();
        let width = outer.width_once();
        let inner = Here { at: here.at + lead, token: outer.token.or(here.token), ..here };
        // A part that may be missing has a fixed place only if its own token is not looked for.
        let inner = Here { fixed: here.fixed && !(outer.optional && lead > 0), ..inner };
        match &mut outer.kind {
            Kind::Block(parts) => self.sequence(parts, inner, behind)?,
            Kind::OneOf(choices) => {
                for choice in choices {
                    let here = Here { fixed: inner.fixed && choice.lead() == 0, ..inner };
                    self.sequence(std::slice::from_mut(choice), here, behind)?;
                }
            }
            Kind::String
            | Kind::Integer
            | Kind::Double
            | Kind::Key
            | Kind::Pattern
            | Kind::UnixTime
            | Kind::PureToken => {}
        }
        if outer.repeat != Repeat::Once && self.specs.len() > start {
            let spec = &mut self.specs[start];
            (spec.begin, spec.find) = match (width.fixed(), behind.fixed()) {
                (Some(step), _) if counted => {
                    (Begin::Index(here.at - 1), Find::Count { index: 0, first: 1, step })
                }
                (Some(step), Some(behind)) => {
                    (spec.begin, Find::Range { last: -(1 + behind as i32), step, limit: 0 })
                }
                _ => return Err(format!("the keys in `{}` come at no fixed step", outer.name)),
            };
        }
        Ok(())
    }

    fn key(
        &mut self,
        key: &mut Argument,
        here: Here,
        behind: Width,
        counted: bool,
        halved: bool,
    ) -> Result<(), String> {
        let token = key.token.or(here.token);
        let begin = match token {
            _ if counted => Begin::Index(here.at - 1),
            _ if here.fixed && !(key.optional && key.token.is_some()) => {
                Begin::Index(here.at + key.lead())
            }
            Some(keyword) => {
                let lead = if key.token.is_some() { 0 } else { 1 };
                Begin::Keyword { keyword, from: (here.at - lead) as i32 }
            }
            None => return Err(format!("nothing tells where the key `{}` is", key.name)),
        };
        let find = match (key.repeat, behind.fixed()) {
            _ if counted => Find::Count { index: 0, first: 1, step: 1 },
            (Repeat::Once, _) => Find::Range { last: 0, step: 1, limit: 0 },
            (_, Some(behind)) => Find::Range { last: -(1 + behind as i32), step: 1, limit: 0 },
            (_, None) if halved => Find::Range { last: -1, step: 1, limit: 2 },
            (_, None) => return Err(format!("nothing tells where the keys `{}` end", key.name)),
        };
        let uses = *self.uses.get(self.keys).ok_or("more keys in the grammar than uses")?;
        let notes = self.notes.get(self.keys).copied().unwrap_or_default();
        self.keys += 1;
        self.add(KeySpec { notes, uses, begin, find });
        key.key_spec = Some(self.specs.len() - 1);
        Ok(())
    }

    /// Keys side by side that are used alike are one range.
    fn add(&mut self, spec: KeySpec) {
        if let (Some(previous), Begin::Index(at)) = (self.specs.last_mut(), spec.begin)
            && let (Begin::Index(first), Find::Range { last, step: 1, limit: 0 }) =
                (previous.begin, &mut previous.find)
            && *last >= 0
            && first + *last as usize + 1 == at
            && spec.find == (Find::Range { last: 0, step: 1, limit: 0 })
            && previous.uses == spec.uses
        {
            *last += 1;
        } else {
            self.specs.push(spec);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::grammar;
    use super::*;

    const RO: u16 = key_use::RO | key_use::ACCESS;
    const OW: u16 = key_use::OW | key_use::UPDATE;

    fn specs(text: &'static str, uses: &[u16]) -> Vec<KeySpec> {
        derive(&mut grammar::parse(text).unwrap(), 1, uses, &[]).unwrap()
    }

    fn found(text: &'static str, uses: &[u16], request: &str) -> Option<Vec<usize>> {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let places = places(&specs(text, uses), &words)?;
        Some(places.iter().map(|key| key.place).collect())
    }

    fn range(last: i32, step: usize, limit: usize) -> Find {
        Find::Range { last, step, limit }
    }

    #[test]
    fn one_range_says_where_plain_keys_are() {
        type Case = (&'static str, &'static [u16], (i32, i32, i32));
        let cases: &[Case] = &[
            ("key [NX | XX]", &[RO], (1, 1, 1)),
            ("key...", &[RO], (1, -1, 1)),
            ("data=(key value)...", &[OW], (1, -1, 2)),
            ("key newkey:key", &[RO, OW], (1, 2, 1)),
            ("key1:key key2:key [LEN]", &[RO, RO], (1, 2, 1)),
            ("key... timeout:double", &[RO], (1, -2, 1)),
            ("operation:string destkey:key key...", &[OW, RO], (2, -1, 1)),
            ("cursor:integer", &[], (0, 0, 0)),
        ];
        for (text, uses, expected) in cases {
            let specs = specs(text, uses);
            assert_eq!(legacy_range(&specs), *expected, "{text}");
            assert!(!is_movable(&specs), "{text}");
        }
    }

    #[test]
    fn keys_side_by_side_that_are_used_alike_are_one_specification() {
        let specs = specs("key1:key key2:key [LEN]", &[RO, RO]);
        assert_eq!(specs.len(), 1);
        assert_eq!(specs[0].find, range(1, 1, 0));
    }

    #[test]
    fn a_count_says_how_many_keys_follow() {
        let text = "destination:key numkeys:integer key... [WEIGHTS weight:integer...]";
        let specs = specs(text, &[OW, RO]);
        assert_eq!(specs[1].begin, Begin::Index(2));
        assert_eq!(specs[1].find, Find::Count { index: 0, first: 1, step: 1 });
        assert_eq!(legacy_range(&specs), (1, 1, 1));
        assert!(is_movable(&specs));
        let find = |request| found(text, &[OW, RO], request);
        assert_eq!(find("z d 2 a b WEIGHTS 1 2"), Some(vec![1, 3, 4]));
        assert_eq!(find("z d 0 a b"), Some(vec![1]));
        assert_eq!(find("z d 3 a b"), None);
        assert_eq!(find("z d x a b"), None);
        assert_eq!(find("z d 18446744073709551615 a b"), None);
        assert_eq!(find("z d -1 a b"), None);
    }

    #[test]
    fn a_token_says_where_keys_without_a_fixed_place_are() {
        let text = "key longitude latitude radius unit [ASC | DESC] [STORE store:key | \
                    STOREDIST distances:key]";
        let specs = specs(text, &[RO, OW, OW]);
        assert_eq!(specs[1].begin, Begin::Keyword { keyword: "STORE", from: 6 });
        assert_eq!(specs[2].begin, Begin::Keyword { keyword: "STOREDIST", from: 6 });
        let find = |request| found(text, &[RO, OW, OW], request);
        assert_eq!(find("g k 1 2 3 m"), Some(vec![1]));
        assert_eq!(find("g k 1 2 3 m store x"), Some(vec![1, 7]));
        assert_eq!(find("g k 1 2 3 m ASC STOREDIST x"), Some(vec![1, 8]));
        assert_eq!(find("g k 1 2 3 m STORE"), Some(vec![1]));
    }

    #[test]
    fn as_many_keys_as_identifiers_are_half_of_what_follows() {
        let text = "[COUNT count:integer] STREAMS streams=(key... id...)";
        let specs = specs(text, &[RO]);
        assert_eq!(specs[0].begin, Begin::Keyword { keyword: "STREAMS", from: 1 });
        assert_eq!(specs[0].find, range(-1, 1, 2));
        assert_eq!(found(text, &[RO], "x COUNT 2 STREAMS a b 0 0"), Some(vec![4, 5]));
        assert_eq!(found(text, &[RO], "x streams a 0"), Some(vec![2]));
    }

    #[test]
    fn an_alternative_may_be_a_key_at_a_fixed_place() {
        let specs = specs("host port:integer selector=(key | \"\") db:integer", &[RO]);
        assert_eq!(specs[0].begin, Begin::Index(3));
        assert_eq!(legacy_range(&specs), (3, 3, 1));
    }

    #[test]
    fn keys_without_a_place_or_a_use_are_refused() {
        let refused = |text: &'static str, uses: &[u16]| {
            derive(&mut grammar::parse(text).unwrap(), 1, uses, &[]).is_err()
        };
        assert!(refused("[a] key", &[RO]));
        assert!(refused("key... a...  b", &[RO]));
        assert!(refused("key", &[]));
        assert!(refused("value", &[RO]));
    }

    #[test]
    fn short_requests_have_fewer_keys_and_never_panic() {
        assert_eq!(found("data=(key value)...", &[OW], "mset"), Some(vec![]));
        assert_eq!(found("data=(key value)...", &[OW], "mset a 1 b"), Some(vec![1, 3]));
        assert_eq!(found("key... timeout:double", &[RO], "blpop a"), Some(vec![]));
        assert_eq!(found("numkeys:integer key...", &[RO], "zdiff"), None);
    }
}
