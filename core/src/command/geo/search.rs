//! What lies around a place: GEOSEARCH, GEORADIUS and their forms.

use super::read::write_distance;
use super::words;
use crate::command::call::Call;
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::{flag, key_use};
use crate::command::zset::store_under;
use crate::error::Error;
use crate::keyspace::Key;
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::structs::partial_sort::sort_range;
use crate::value::Limits;
use crate::value::geo::{Point, Search, Shape, truncate_signed};
use crate::value::zset::{self, Edge, NewZset, ScoreRange, Zset};
use std::cmp::Ordering;

/// Which words a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// GEORADIUS and GEORADIUSBYMEMBER.
    Radius,
    /// Their forms that only read.
    RadiusReadOnly,
    Search,
    SearchStore,
}

/// What is searched around.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Centre {
    Unsaid,
    Place(Point),
    /// A member, and where it is; nothing is known of it if there is no key.
    Member(Option<Point>),
}

/// The order of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As they are found.
    Found,
    NearestFirst,
    FurthestFirst,
}

/// The score that a result is stored with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Score,
    Distance,
}

/// What the words of a search say.
#[derive(Debug)]
struct Request {
    centre: Centre,
    shape: Option<Shape>,
    /// Metres of the unit that the shape was given in, which distances are told in.
    metres: f64,
    with_distance: bool,
    with_score: bool,
    with_coordinates: bool,
    order: Order,
    count: Option<usize>,
    /// Whether any results will do, if they are as many as the count.
    any: bool,
    /// What is stored, if a GEORADIUS shall store.
    stored: Option<Stored>,
}

/// Where a member is.
fn place_of(zset: Zset<'_>, member: &[u8]) -> Result<Point, Error> {
    let score = zset.score(member);
    score
        .map(Point::from_score)
        .ok_or(const { Error::err("could not decode requested zset member") })
}

impl Request {
    fn new(centre: Centre) -> Self {
        Self {
            centre,
            shape: None,
            metres: 1.0,
            with_distance: false,
            with_score: false,
            with_coordinates: false,
            order: Order::Found,
            count: None,
            any: false,
            stored: None,
        }
    }

    fn set_circle(&mut self, radius: &[u8], unit: &[u8]) -> Result<(), Error> {
        let (radius, metres) = words::radius(radius, unit)?;
        self.shape = Some(Shape::Circle { radius_m: radius * metres });
        self.metres = metres;
        Ok(())
    }

    fn set_box(&mut self, width: &[u8], height: &[u8], unit: &[u8]) -> Result<(), Error> {
        let ((width, height), metres) = words::sides(width, height, unit)?;
        self.shape = Some(Shape::Box { width_m: width * metres, height_m: height * metres });
        self.metres = metres;
        Ok(())
    }

    /// Reads the words after those that stand at fixed places. Members are looked up on the way,
    /// since Redis says first if one is not there.
    fn options(
        mut self,
        mut words: &[&[u8]],
        form: Form,
        zset: Option<Zset<'_>>,
    ) -> Result<Self, Error> {
        while let [word, rest @ ..] = words {
            let taken = match self.option(word, rest, form)? {
                Some(taken) => taken,
                None => self.area(word, rest, form, zset)?,
            };
            words = &rest[taken..];
        }
        Ok(self)
    }

    /// Reads an option that does not say where to search. Returns how many of the words after it
    /// belong to it; none if it is no such option.
    fn option(&mut self, word: &[u8], rest: &[&[u8]], form: Form) -> Result<Option<usize>, Error> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        match rest {
            _ if is(b"withdist") => self.with_distance = true,
            _ if is(b"withhash") => self.with_score = true,
            _ if is(b"withcoord") => self.with_coordinates = true,
            _ if is(b"any") => self.any = true,
            _ if is(b"asc") => self.order = Order::NearestFirst,
            _ if is(b"desc") => self.order = Order::FurthestFirst,
            [count, ..] if is(b"count") => {
                let count = parse_i64(count).ok_or(Error::NOT_INTEGER)?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0);
                self.count = Some(count.ok_or(const { Error::err("COUNT must be > 0") })?);
                return Ok(Some(1));
            }
            [_, ..] if form == Form::Radius && is(b"store") => {
                self.stored = Some(Stored::Score);
                return Ok(Some(1));
            }
            [_, ..] if form == Form::Radius && is(b"storedist") => {
                self.stored = Some(Stored::Distance);
                return Ok(Some(1));
            }
            _ if form == Form::SearchStore && is(b"storedist") => {
                self.stored = Some(Stored::Distance);
            }
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    /// Reads an option of GEOSEARCH that says where to search. Returns how many of the words after
    /// it belong to it.
    fn area(
        &mut self,
        word: &[u8],
        rest: &[&[u8]],
        form: Form,
        zset: Option<Zset<'_>>,
    ) -> Result<usize, Error> {
        if !matches!(form, Form::Search | Form::SearchStore) {
            return Err(Error::SYNTAX);
        }
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        let is_place = matches!(self.centre, Centre::Place(_));
        let is_member = matches!(self.centre, Centre::Member(_));
        let is_circle = matches!(self.shape, Some(Shape::Circle { .. }));
        let is_box = matches!(self.shape, Some(Shape::Box { .. }));
        match *rest {
            [member, ..] if is(b"frommember") && !is_place => {
                let place = zset.map(|zset| place_of(zset, member)).transpose()?;
                self.centre = Centre::Member(place);
                Ok(1)
            }
            [longitude, latitude, ..] if is(b"fromlonlat") && !is_member => {
                self.centre = Centre::Place(words::point(longitude, latitude)?);
                Ok(2)
            }
            [radius, unit, ..] if is(b"byradius") && !is_box => {
                self.set_circle(radius, unit)?;
                Ok(2)
            }
            [width, height, unit, ..] if is(b"bybox") && !is_circle => {
                self.set_box(width, height, unit)?;
                Ok(3)
            }
            _ => Err(Error::SYNTAX),
        }
    }

    /// Refuses what does not go together, or is not enough. `name` is the command's as it was sent.
    fn check(&self, form: Form, name: &[u8]) -> Result<(), Error> {
        let stores = form == Form::SearchStore || self.stored.is_some();
        let searches = matches!(form, Form::Search | Form::SearchStore);
        if stores && (self.with_distance || self.with_score || self.with_coordinates) {
            return Err(Error::err(if form == Form::SearchStore {
                "GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD \
                 options"
            }));
        }
        if searches && self.centre == Centre::Unsaid {
            let text = "exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(Error::repeating(text, name, ""));
        }
        if searches && self.shape.is_none() {
            let text = "exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(Error::repeating(text, name, ""));
        }
        if self.any && self.count.is_none() {
            return Err(Error::err("the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// What is found in a sorted set, in order, as far as it is asked for.
    fn find<'z>(&self, zset: Zset<'z>) -> Vec<Found<'z>> {
        let (Centre::Place(centre) | Centre::Member(Some(centre)), Some(shape)) =
            (self.centre, self.shape)
        else {
            return Vec::new();
        };
        let search = Search { centre, shape };
        let enough = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut all = Vec::new();
        search.each_range(|min, max| {
            let range = ScoreRange { min: Edge::Included(min), max: Edge::Excluded(max) };
            for (member, score) in zset.range(range.ranks(zset), false) {
                let point = Point::from_score(score);
                if let Some(distance_m) = search.distance_m(point) {
                    all.push(Found { member, score, point, distance_m });
                }
                if all.len() >= enough {
                    return false;
                }
            }
            true
        });
        // The nearest are meant where a count is given without an order, unless any will do.
        let order = match self.order {
            Order::Found if self.count.is_some() && !self.any => Order::NearestFirst,
            order => order,
        };
        let left = self.count.unwrap_or(usize::MAX).min(all.len());
        match order {
            Order::Found => {}
            Order::NearestFirst => sort_first(&mut all, left, |one, other| one.cmp_distance(other)),
            Order::FurthestFirst => {
                sort_first(&mut all, left, |one, other| other.cmp_distance(one))
            }
        }
        all.truncate(left);
        all
    }

    /// Replies with what was found.
    fn reply(&self, found: &[Found<'_>], out: &mut dyn ReplySink) {
        let parts = [self.with_distance, self.with_score, self.with_coordinates];
        let parts = parts.into_iter().filter(|&wanted| wanted).count();
        out.array(found.len());
        for one in found {
            if parts > 0 {
                out.array(parts + 1);
            }
            out.bulk(one.member);
            if self.with_distance {
                write_distance(one.distance_m / self.metres, out);
            }
            if self.with_score {
                out.integer(truncate_signed(one.score));
            }
            if self.with_coordinates {
                out.array(2);
                out.human_double(one.point.longitude);
                out.human_double(one.point.latitude);
            }
        }
    }

    /// Makes a sorted set of what was found.
    fn collect(&self, found: &[Found<'_>], limits: &Limits) -> Option<NewZset> {
        let score = |one: &Found<'_>| match self.stored {
            Some(Stored::Distance) => one.distance_m / self.metres,
            Some(Stored::Score) | None => one.score,
        };
        let mut members: Vec<_> = found.iter().map(|one| (one.member, score(one))).collect();
        zset::sort(&mut members);
        (!members.is_empty()).then(|| NewZset::new(members.iter().copied(), limits))
    }
}

/// Brings so many of what was found in order that come first. Which of those at the same distance
/// they are follows from how Redis sorts a part.
fn sort_first<'z>(
    found: &mut [Found<'z>],
    count: usize,
    compare: impl Fn(&Found<'z>, &Found<'z>) -> Ordering,
) {
    if count < found.len() {
        sort_range(found, 0..count, &compare);
    } else {
        found.sort_by(compare);
    }
}

/// A member within the area of a search.
#[derive(Clone, Copy, Debug)]
struct Found<'z> {
    member: &'z [u8],
    score: f64,
    point: Point,
    distance_m: f64,
}

impl Found<'_> {
    fn cmp_distance(&self, other: &Self) -> Ordering {
        self.distance_m.total_cmp(&other.distance_m)
    }
}

/// Reads a sorted set, lets `parse` read the words with it at hand, and replies or stores.
fn search<'a>(
    call: &mut Call<'a, '_>,
    source: &Key<'_>,
    form: Form,
    parse: impl FnOnce(&[&'a [u8]], Option<Zset<'_>>) -> Result<Request, Error>,
) -> Result<(), Error> {
    let zset = call.keys.read(source).map(Zset::of).transpose()?;
    let request = parse(call.words, zset)?;
    request.check(form, call.words[0])?;
    let found = zset.map_or(Vec::new(), |zset| request.find(zset));
    let (target, event) = match form {
        Form::SearchStore => (Some(call.located[0]), "geosearchstore"),
        _ => (request.stored.map(|_| call.located[1]), "georadiusstore"),
    };
    match target {
        None => request.reply(&found, call.out),
        Some(target) => {
            let result = request.collect(&found, &call.env.limits());
            store_under(call, &target, result, event);
        }
    }
    Ok(())
}

fn radius_form(call: &Call<'_, '_>) -> Form {
    let only_reads = call.spec.flags & flag::READONLY != 0;
    if only_reads { Form::RadiusReadOnly } else { Form::Radius }
}

pub(super) fn georadius(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (source, form) = (call.key(0), radius_form(call));
    search(call, &source, form, |words, zset| {
        let mut request = Request::new(Centre::Place(words::point(words[2], words[3])?));
        request.set_circle(words[4], words[5])?;
        request.options(&words[6..], form, zset)
    })
}

pub(super) fn georadiusbymember(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (source, form) = (call.key(0), radius_form(call));
    search(call, &source, form, |words, zset| {
        let mut request = Request::new(Centre::Member(None));
        if let Some(zset) = zset {
            request.centre = Centre::Member(Some(place_of(zset, words[2])?));
            request.set_circle(words[3], words[4])?;
        }
        request.options(&words[5..], form, zset)
    })
}

pub(super) fn geosearch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let source = call.key(0);
    search(call, &source, Form::Search, |words, zset| {
        Request::new(Centre::Unsaid).options(&words[2..], Form::Search, zset)
    })
}

pub(super) fn geosearchstore(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let source = call.key(1);
    search(call, &source, Form::SearchStore, |words, zset| {
        Request::new(Centre::Unsaid).options(&words[3..], Form::SearchStore, zset)
    })
}

/// The source, and the key to store under: the last one that is named.
pub(super) fn keys_of_radius(words: &[&[u8]]) -> Option<KeyPlaces> {
    words.get(1)?;
    let uses = key_use::RO | key_use::ACCESS;
    let mut keys = KeyPlaces::from_iter([KeyPlace { place: 1, uses }]);
    let mut target = None;
    let mut place = FIRST_OPTION;
    while place + 1 < words.len() {
        let is = |token: &[u8]| words[place].eq_ignore_ascii_case(token);
        if is(b"store") || is(b"storedist") {
            place += 1;
            target = Some(place);
        }
        place += 1;
    }
    let uses = key_use::OW | key_use::UPDATE;
    keys.extend(target.map(|place| KeyPlace { place, uses }));
    Some(keys)
}

/// Where the first option of GEORADIUSBYMEMBER may stand; that of GEORADIUS stands one behind.
const FIRST_OPTION: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_key_that_is_named_is_stored_under() {
        let places = |request: &str| {
            let words: Vec<_> = request.split(' ').map(str::as_bytes).collect();
            let keys = keys_of_radius(&words).expect("there is a source");
            keys.iter().map(|key| key.place).collect::<Vec<_>>()
        };
        assert_eq!(places("g k 1 2 3 m"), [1]);
        assert_eq!(places("g k 1 2 3 m store a"), [1, 7]);
        assert_eq!(places("g k 1 2 3 m STOREDIST a asc Store b"), [1, 10]);
        assert_eq!(places("g k 1 2 3 m store store x"), [1, 7]);
        assert_eq!(places("g k m 3 m store"), [1]);
        assert_eq!(places("g k m 3 m store x"), [1, 6]);
    }
}
