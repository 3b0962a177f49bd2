//! Where members are, and how far apart.

use super::words;
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::value::geo::Point;
use crate::value::zset::Zset;

/// Writes a distance with four places.
pub(super) fn write_distance(distance: f64, out: &mut dyn ReplySink) {
    out.bulk(format!("{distance:.4}").as_bytes());
}

pub(super) fn geodist(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let metres = match &call.words[4..] {
        [] => 1.0,
        [unit] => words::unit(unit)?,
        _ => return Err(Error::SYNTAX),
    };
    let (key, members) = (call.key(0), [call.words[2], call.words[3]]);
    let zset = call.keys.read(&key).map(Zset::of).transpose()?;
    let [one, other] = members.map(|member| {
        let score = zset.and_then(|zset| zset.score(member));
        score.map(Point::from_score)
    });
    match (one, other) {
        (Some(one), Some(other)) => write_distance(one.distance_m(other) / metres, call.out),
        (None, _) | (_, None) => call.out.null(),
    }
    Ok(())
}

pub(super) fn geohash(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, members) = (call.key(0), &call.words[2..]);
    let zset = call.keys.read(&key).map(Zset::of).transpose()?;
    call.out.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => call.out.bulk(&Point::from_score(score).geohash()),
            None => call.out.null(),
        }
    }
    Ok(())
}

pub(super) fn geopos(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, members) = (call.key(0), &call.words[2..]);
    let zset = call.keys.read(&key).map(Zset::of).transpose()?;
    call.out.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => {
                let point = Point::from_score(score);
                call.out.array(2);
                call.out.human_double(point.longitude);
                call.out.human_double(point.latitude);
            }
            None => call.out.null_array(),
        }
    }
    Ok(())
}
