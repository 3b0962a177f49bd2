//! Random commands on places.

use crate::chance::Chance;
use crate::generate::{Generator, Kind};
use crate::step::{Command, words};
use crate::words::float;

pub(crate) const KINDS: &[Kind] = &[
    (60, |stream| stream.data(Generator::geo_add)),
    (25, |stream| stream.data(Generator::geo_look)),
    (60, |stream| stream.data(Generator::geo_search)),
    (30, |stream| stream.data(Generator::geo_radius)),
    (5, |stream| stream.data(Generator::geo_reset)),
];

impl Generator {
    /// A key of places; now and then one of other scores, which stand for some place as well.
    fn geo_key(&mut self) -> Vec<u8> {
        if self.chance.one_in(20) {
            return self.zset_key();
        }
        self.chance.pick::<[u8]>(&[b"g1", b"g2", b"g3"]).to_vec()
    }

    fn geo_reset(&mut self) -> Command {
        vec![b"DEL".into(), self.geo_key()]
    }

    fn geo_add(&mut self) -> Command {
        let key = self.geo_key();
        let chance = &mut self.chance;
        let mut command = vec![b"GEOADD".into(), key];
        if chance.one_in(6) {
            command.push(chance.pick(&["NX", "XX", "CH", "ch"]).into());
        }
        for _ in 0..1 + chance.below(5) {
            let (longitude, latitude) = place(chance);
            command.extend([longitude, latitude, member(chance)]);
        }
        command
    }

    fn geo_look(&mut self) -> Command {
        let key = self.geo_key();
        let chance = &mut self.chance;
        if chance.one_in(2) {
            let mut command = vec![b"GEODIST".into(), key, member(chance), member(chance)];
            if chance.one_in(2) {
                command.push(unit(chance));
            }
            return command;
        }
        let mut command = vec![chance.pick(&["GEOHASH", "GEOPOS"]).into(), key];
        command.extend((0..chance.below(4)).map(|_| member(chance)));
        command
    }

    fn geo_search(&mut self) -> Command {
        let stores = self.chance.one_in(3);
        let mut command = words(&[if stores { "GEOSEARCHSTORE" } else { "GEOSEARCH" }]);
        if stores {
            command.push(self.geo_key());
        }
        command.push(self.geo_key());
        let chance = &mut self.chance;
        if chance.one_in(2) {
            command.extend([b"FROMMEMBER".into(), member(chance)]);
        } else {
            let (longitude, latitude) = place(chance);
            command.extend([b"FROMLONLAT".into(), longitude, latitude]);
        }
        if chance.one_in(2) {
            command.extend([b"BYRADIUS".into(), length(chance), unit(chance)]);
        } else {
            command.extend([b"BYBOX".into(), length(chance), length(chance), unit(chance)]);
        }
        if stores && chance.one_in(2) {
            command.push(b"STOREDIST".into());
        }
        command.extend(options(chance, stores));
        command
    }

    fn geo_radius(&mut self) -> Command {
        const NAMES: [&str; 4] =
            ["GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"];
        let name = self.chance.pick(&NAMES);
        let key = self.geo_key();
        let chance = &mut self.chance;
        let mut command = vec![name.into(), key];
        if name.contains("MEMBER") {
            command.push(member(chance));
        } else {
            let (longitude, latitude) = place(chance);
            command.extend([longitude, latitude]);
        }
        command.extend([length(chance), unit(chance)]);
        let stores = !name.ends_with("RO") && chance.one_in(3);
        command.extend(options(chance, stores));
        if stores {
            for _ in 0..1 + self.chance.below(5) / 4 {
                command.push(self.chance.pick(&["STORE", "STOREDIST", "store"]).into());
                command.push(self.geo_key());
            }
        }
        command
    }
}

fn member(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(60) {
        return chance.pick::<[u8]>(&[b"nowhere", b"", b"store", &[b'p'; 70]]).to_vec();
    }
    format!("p{}", chance.below(160)).into()
}

/// Most places are around one town, so that searches find some; others are anywhere, and some at the
/// edges of the world.
fn place(chance: &mut Chance) -> (Vec<u8>, Vec<u8>) {
    const LONGITUDES: [&str; 7] = ["180", "-180", "179.9999999", "0", "180.1", "-0.0", "x"];
    const LATITUDES: [&str; 7] = ["85.05112878", "-85.05112878", "0", "66.5", "-81", "86", "inf"];
    let degrees = |chance: &mut Chance, middle: i64, reach: u64| {
        let offset = chance.below(2 * reach) as i64 - reach as i64;
        let millionths = middle * 1_000_000 + offset;
        format!("{}.{:06}", millionths / 1_000_000, millionths.unsigned_abs() % 1_000_000)
    };
    match chance.below(16) {
        0 => (chance.pick(&LONGITUDES).into(), chance.pick(&LATITUDES).into()),
        1 => (float(chance), float(chance)),
        2..=5 => {
            let longitude = degrees(chance, 0, 179_000_000);
            (longitude.into(), degrees(chance, 0, 85_000_000).into())
        }
        6 => {
            let longitude = degrees(chance, 179, 900_000);
            (longitude.into(), degrees(chance, 84, 900_000).into())
        }
        // So few that several members are at the same one, and at the same distance.
        7..=10 => {
            let (east, north) = (chance.below(8), chance.below(8));
            (format!("13.{east}").into(), format!("52.{north}").into())
        }
        _ => {
            let longitude = degrees(chance, 13, 900_000);
            (longitude.into(), degrees(chance, 52, 900_000).into())
        }
    }
}

fn length(chance: &mut Chance) -> Vec<u8> {
    const EDGES: [&str; 8] = ["0", "-1", "x", "1e10", "0.001", "20038", "6000000", "inf"];
    match chance.below(10) {
        0 => chance.pick(&EDGES).into(),
        1..=3 => chance.below(20_000).to_string().into(),
        _ => format!("{}.5", chance.below(300)).into(),
    }
}

fn unit(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(40) {
        return b"yd".into();
    }
    chance.pick(&["km", "km", "km", "KM", "m", "mi", "ft"]).into()
}

fn options(chance: &mut Chance, stores: bool) -> Command {
    let mut command = Command::new();
    for option in ["WITHCOORD", "WITHDIST", "withhash"] {
        if chance.one_in(if stores { 60 } else { 3 }) {
            command.push(option.into());
        }
    }
    if chance.one_in(2) {
        command.push(chance.pick(&["ASC", "DESC", "asc"]).into());
    }
    if chance.one_in(3) {
        command.extend(words(&["COUNT", chance.pick(&["1", "2", "5", "100", "0", "-1", "x"])]));
        if chance.one_in(3) {
            command.push(b"ANY".into());
        }
    } else if chance.one_in(30) {
        command.push(b"ANY".into());
    }
    command
}
