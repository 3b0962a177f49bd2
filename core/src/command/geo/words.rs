//! Units, places and shapes as words.

use crate::error::{Error, ErrorKind};
use crate::resp::number::parse_f64;
use crate::value::geo::Point;

const NOT_UNIT: Error = Error::err("unsupported unit provided. please use M, KM, FT, MI");

/// Reads a unit of length, and returns how many metres it has.
pub(super) fn unit(word: &[u8]) -> Result<f64, Error> {
    match word.to_ascii_lowercase().as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(NOT_UNIT),
    }
}

/// Reads a place that can be indexed.
pub(super) fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Error> {
    let number = |word| parse_f64(word).ok_or(Error::NOT_FLOAT);
    let (longitude, latitude) = (number(longitude)?, number(latitude)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let text = format!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        Error::new(ErrorKind::Err, text)
    })
}

/// A radius in its unit, and the metres of that.
pub(super) fn radius(number: &[u8], unit: &[u8]) -> Result<(f64, f64), Error> {
    let radius = parse_f64(number).ok_or(const { Error::err("need numeric radius") })?;
    if radius < 0.0 {
        return Err(Error::err("radius cannot be negative"));
    }
    Ok((radius, self::unit(unit)?))
}

/// Width and height in their unit, and the metres of that.
pub(super) fn sides(width: &[u8], height: &[u8], unit: &[u8]) -> Result<((f64, f64), f64), Error> {
    let width = parse_f64(width).ok_or(const { Error::err("need numeric width") })?;
    let height = parse_f64(height).ok_or(const { Error::err("need numeric height") })?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::err("height or width cannot be negative"));
    }
    Ok(((width, height), self::unit(unit)?))
}
