//! Places on the earth as scores: cells of a grid that halves longitude and latitude by turns, and
//! the areas that a search looks at. The arithmetic is Redis's to the last bit
//! (<https://github.com/redis/redis/blob/7.2/src/geohash_helper.c>), so that scores and the order
//! of results are too.
//!
//! ```text
//! bits of a cell     ... lon lat lon lat      2 x 26 of them make a score
//! ```

/// The bounds of what can be indexed; beyond these latitudes the grid has no cells.
const LONGITUDES: Span = Span { min: -180.0, max: 180.0 };
const LATITUDES: Span = Span { min: -85.051_128_78, max: 85.051_128_78 };
/// The latitudes of geohashes as others write them.
const STANDARD_LATITUDES: Span = Span { min: -90.0, max: 90.0 };

/// Halvings of each coordinate in a score.
const STEPS_MAX: u32 = 26;
const SCORE_BITS: u32 = 2 * STEPS_MAX;

const EARTH_RADIUS_M: f64 = 6_372_797.560856;
const MERCATOR_MAX_M: f64 = 20_037_726.37;

const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    min: f64,
    max: f64,
}

impl Span {
    fn len(self) -> f64 {
        self.max - self.min
    }

    fn contains(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn middle(self) -> f64 {
        (self.min + self.max) / 2.0
    }
}

/// A place on the earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) longitude: f64,
    pub(crate) latitude: f64,
}

/// A cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

/// What a cell covers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    longitudes: Span,
    latitudes: Span,
}

/// Puts the bits of a number apart, so that there is room for others between them.
fn spread(number: u32) -> u64 {
    [(16, 0x0000_ffff_0000_ffff), (8, 0x00ff_00ff_00ff_00ff), (4, 0x0f0f_0f0f_0f0f_0f0f)]
        .into_iter()
        .chain([(2, 0x3333_3333_3333_3333), (1, LATITUDE_BITS)])
        .fold(u64::from(number), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Brings every second bit together.
fn gather(bits: u64) -> u32 {
    [(1, 0x3333_3333_3333_3333), (2, 0x0f0f_0f0f_0f0f_0f0f), (4, 0x00ff_00ff_00ff_00ff)]
        .into_iter()
        .chain([(8, 0x0000_ffff_0000_ffff), (16, 0x0000_0000_ffff_ffff)])
        .fold(bits & LATITUDE_BITS, |bits, (shift, mask)| (bits | bits >> shift) & mask) as u32
}

impl Point {
    /// A place that can be indexed.
    pub(crate) fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let fits = LONGITUDES.contains(longitude) && LATITUDES.contains(latitude);
        fits.then_some(Self { longitude, latitude })
    }

    /// The middle of the cell that a score stands for.
    pub(crate) fn from_score(score: f64) -> Self {
        let area = Cell { bits: truncate(score), steps: STEPS_MAX }.area();
        let within = |span: Span, value: f64| value.min(span.max).max(span.min);
        Self {
            longitude: within(LONGITUDES, area.longitudes.middle()),
            latitude: within(LATITUDES, area.latitudes.middle()),
        }
    }

    /// The score of the cell that it is in.
    pub(crate) fn score(self) -> f64 {
        self.cell(STEPS_MAX).first_score()
    }

    /// The standard geohash of eleven characters. A score has no bits for the last one.
    pub(crate) fn geohash(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = self.cell_within(STANDARD_LATITUDES, STEPS_MAX).bits;
        let mut text = [ALPHABET[0]; 11];
        for (at, character) in text[..10].iter_mut().enumerate() {
            let place = SCORE_BITS - 5 * (at as u32 + 1);
            *character = ALPHABET[(bits >> place & 0x1f) as usize];
        }
        text
    }

    fn cell(self, steps: u32) -> Cell {
        self.cell_within(LATITUDES, steps)
    }

    fn cell_within(self, latitudes: Span, steps: u32) -> Cell {
        let cells = (1u64 << steps) as f64;
        let number = |span: Span, value: f64| ((value - span.min) / span.len() * cells) as u32;
        let longitude = spread(number(LONGITUDES, self.longitude));
        let latitude = spread(number(latitudes, self.latitude));
        Cell { bits: longitude << 1 | latitude, steps }
    }

    /// The distance to another place in metres, over a sphere.
    pub(crate) fn distance_m(self, other: Self) -> f64 {
        let half_sine =
            |from: f64, to: f64| ((to.to_radians_c() - from.to_radians_c()) / 2.0).sin();
        let v = half_sine(self.longitude, other.longitude);
        if v == 0.0 {
            return latitude_distance_m(self.latitude, other.latitude);
        }
        let u = half_sine(self.latitude, other.latitude);
        let cosines = self.latitude.to_radians_c().cos() * other.latitude.to_radians_c().cos();
        2.0 * EARTH_RADIUS_M * (u * u + cosines * v * v).sqrt().asin()
    }
}

/// Degrees and radians with the constant that Redis multiplies by, which rounds otherwise than the
/// standard library.
trait Angle {
    fn to_radians_c(self) -> f64;
    fn to_degrees_c(self) -> f64;
}

const DEGREE: f64 = std::f64::consts::PI / 180.0;

impl Angle for f64 {
    fn to_radians_c(self) -> f64 {
        self * DEGREE
    }

    fn to_degrees_c(self) -> f64 {
        self / DEGREE
    }
}

fn latitude_distance_m(one: f64, other: f64) -> f64 {
    EARTH_RADIUS_M * (other.to_radians_c() - one.to_radians_c()).abs()
}

/// Makes the bits of a cell from any score, as C on 64-bit x86 makes an unsigned integer of it.
fn truncate(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    if score < HALF {
        truncate_signed(score) as u64
    } else {
        truncate_signed(score - HALF) as u64 ^ 1 << 63
    }
}

/// Makes an integer of a score, as C on 64-bit x86 does: what does not fit is the least one.
pub(crate) fn truncate_signed(score: f64) -> i64 {
    const END: f64 = (1u64 << 63) as f64;
    if (-END..END).contains(&score) { score as i64 } else { i64::MIN }
}

impl Cell {
    fn area(self) -> Area {
        let cells = (1u64 << self.steps) as f64;
        let span = |span: Span, number: u32| {
            let edge = |number: u32| span.min + f64::from(number) / cells * span.len();
            Span { min: edge(number), max: edge(number.wrapping_add(1)) }
        };
        Area {
            longitudes: span(LONGITUDES, gather(self.bits >> 1)),
            latitudes: span(LATITUDES, gather(self.bits)),
        }
    }

    /// The least score within.
    fn first_score(self) -> f64 {
        (self.bits << (SCORE_BITS - 2 * self.steps)) as f64
    }

    /// The scores within, the last one excluded.
    fn scores(self) -> (f64, f64) {
        (self.first_score(), Self { bits: self.bits + 1, ..self }.first_score())
    }

    /// The cell so many columns east and rows north, each at most one either way.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let unused = 64 - 2 * self.steps;
        let moved = |own: u64, other: u64, by: i32| {
            // The bits between carry over from one to the next.
            let (bits, between) = (self.bits & own, other >> unused);
            match by {
                // At the very end of a coordinate the number has a bit too many, which stays.
                0 => bits,
                1.. => bits.wrapping_add(between + 1) & own >> unused,
                _ => (bits | between).wrapping_sub(between + 1) & own >> unused,
            }
        };
        let longitude = moved(LONGITUDE_BITS, LATITUDE_BITS, east);
        let latitude = moved(LATITUDE_BITS, LONGITUDE_BITS, north);
        Self { bits: longitude | latitude, ..self }
    }
}

/// What a search covers, around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Circle { radius_m: f64 },
    Box { width_m: f64, height_m: f64 },
}

/// A search around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Search {
    pub(crate) centre: Point,
    pub(crate) shape: Shape,
}

impl Search {
    /// The distance to a place in metres, if it is covered.
    pub(crate) fn distance_m(&self, point: Point) -> Option<f64> {
        let distance_m = self.centre.distance_m(point);
        match self.shape {
            Shape::Circle { radius_m } => (distance_m <= radius_m).then_some(distance_m),
            Shape::Box { width_m, height_m } => {
                let beside = Point { latitude: point.latitude, ..self.centre };
                let fits = latitude_distance_m(point.latitude, self.centre.latitude)
                    <= height_m / 2.0
                    && point.distance_m(beside) <= width_m / 2.0;
                fits.then_some(distance_m)
            }
        }
    }

    /// Calls `visit` for the ranges of scores that may hold what is covered, until it returns false.
    pub(crate) fn each_range(&self, mut visit: impl FnMut(f64, f64) -> bool) {
        let mut last = None;
        for cell in self.cells().into_iter().flatten() {
            // With a huge radius there are so few cells that a neighbour is met from both sides.
            if last.replace(cell) == Some(cell) {
                continue;
            }
            let (min, max) = cell.scores();
            if !visit(min, max) {
                return;
            }
        }
    }

    /// How far the shape reaches from its centre, in metres: east and north, and to its furthest
    /// point.
    fn reach_m(&self) -> (f64, f64, f64) {
        match self.shape {
            Shape::Circle { radius_m } => (radius_m, radius_m, radius_m),
            Shape::Box { width_m, height_m } => {
                let (east, north) = (width_m / 2.0, height_m / 2.0);
                (east, north, (east * east + north * north).sqrt())
            }
        }
    }

    /// The least and the greatest coordinates of the shape.
    fn bounds(&self) -> Area {
        let Point { longitude, latitude } = self.centre;
        let (east_m, north_m, _) = self.reach_m();
        let latitude_delta = (north_m / EARTH_RADIUS_M).to_degrees_c();
        // The shape is widest, in degrees, where it is nearest to a pole.
        let outermost =
            if latitude < 0.0 { latitude - latitude_delta } else { latitude + latitude_delta };
        let longitude_delta =
            (east_m / EARTH_RADIUS_M / outermost.to_radians_c().cos()).to_degrees_c();
        Area {
            longitudes: Span { min: longitude - longitude_delta, max: longitude + longitude_delta },
            latitudes: Span { min: latitude - latitude_delta, max: latitude + latitude_delta },
        }
    }

    /// The cells to look at in their order: the one of the centre and those around it, without those
    /// that the shape does not reach.
    fn cells(&self) -> [Option<Cell>; 9] {
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let bounds = self.bounds();
        let (_, _, reach_m) = self.reach_m();
        let mut steps = steps_for(reach_m, self.centre.latitude);
        if steps > 1 && !surrounds(self.centre.cell(steps), bounds) {
            steps -= 1;
        }
        let centre = self.centre.cell(steps);
        let area = centre.area();
        let is_reached = |(east, north): (i32, i32)| {
            let useless = (north < 0 && area.latitudes.min < bounds.latitudes.min)
                || (north > 0 && area.latitudes.max > bounds.latitudes.max)
                || (east < 0 && area.longitudes.min < bounds.longitudes.min)
                || (east > 0 && area.longitudes.max > bounds.longitudes.max);
            steps < 2 || !useless
        };
        AROUND.map(|(east, north)| {
            let cell = centre.neighbour(east, north);
            // Redis takes a cell of bits that are all zero for one that was left out, if it also
            // has no steps, which no cell has.
            is_reached((east, north)).then_some(cell)
        })
    }
}

/// Whether a cell and its neighbours cover everything within bounds.
fn surrounds(cell: Cell, bounds: Area) -> bool {
    let area = |east, north| cell.neighbour(east, north).area();
    area(0, 1).latitudes.max >= bounds.latitudes.max
        && area(0, -1).latitudes.min <= bounds.latitudes.min
        && area(1, 0).longitudes.max >= bounds.longitudes.max
        && area(-1, 0).longitudes.min <= bounds.longitudes.min
}

/// How often the world is halved for cells that are about as wide as a reach.
fn steps_for(reach_m: f64, latitude: f64) -> u32 {
    if reach_m == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = 1;
    let mut doubled_m = reach_m;
    while doubled_m < MERCATOR_MAX_M {
        doubled_m *= 2.0;
        steps += 1;
    }
    // Cells are narrower towards the poles.
    let narrower = i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    (steps - 2 - narrower).clamp(1, STEPS_MAX as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Point = Point { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn scores_and_geohashes_are_those_of_redis() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909.0);
        assert_eq!(&Point::from_score(PALERMO.score()).geohash(), b"sqc8b49rny0");
        assert_eq!(&Point::from_score(CATANIA.score()).geohash(), b"sqdtr74hyu0");
    }

    #[test]
    fn the_distance_of_two_towns_is_that_of_redis() {
        let [one, other] = [PALERMO, CATANIA].map(|town| Point::from_score(town.score()));
        assert_eq!(format!("{:.4}", one.distance_m(other)), "166274.1516");
    }

    #[test]
    fn any_score_stands_for_a_place() {
        for score in [-1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1.8e19, -1e19, 0.5] {
            let point = Point::from_score(score);
            assert!(Point::new(point.longitude, point.latitude).is_some(), "{score}");
        }
        assert_eq!(truncate(-1.0), u64::MAX);
        assert_eq!(truncate(1e19), 10_000_000_000_000_000_000);
        assert_eq!(truncate(f64::INFINITY), 0);
    }

    fn point() -> impl Strategy<Value = Point> {
        (-180.0f64..180.0, -85.05f64..85.05)
            .prop_map(|(longitude, latitude)| Point { longitude, latitude })
    }

    proptest! {
        #[test]
        fn a_score_leads_back_to_nearly_the_same_place(point in point()) {
            let back = Point::from_score(point.score());
            prop_assert!(back.distance_m(point) < 1.0);
            prop_assert_eq!(back.score(), point.score());
        }

        /// The naive twin of the cells: every place that is covered is in one of them.
        #[test]
        fn what_a_search_covers_is_in_its_ranges(
            centre in (-170.0f64..170.0, -60.0f64..60.0),
            east in -0.9f64..0.9,
            north in -0.9f64..0.9,
            reach in 1.0f64..500_000.0,
            is_box: bool,
        ) {
            let centre = Point { longitude: centre.0, latitude: centre.1 };
            let shape = if is_box {
                Shape::Box { width_m: 2.0 * reach, height_m: reach }
            } else {
                Shape::Circle { radius_m: reach }
            };
            let search = Search { centre, shape };
            let degrees = (reach / EARTH_RADIUS_M).to_degrees_c();
            let point = Point {
                longitude: centre.longitude + east * degrees,
                latitude: centre.latitude + north * degrees,
            };
            let score = point.score();
            let point = Point::from_score(score);
            let mut found = false;
            search.each_range(|min, max| {
                found |= (min..max).contains(&score);
                true
            });
            prop_assert!(found || search.distance_m(point).is_none());
        }

        #[test]
        fn a_step_there_and_back_leads_to_the_same_cell(
            point in point(), steps in 1u32..=26, east in -1i32..=1, north in -1i32..=1,
        ) {
            let cell = point.cell(steps);
            prop_assert_eq!(cell.neighbour(east, north).neighbour(-east, -north), cell);
        }
    }
}
