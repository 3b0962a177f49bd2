//! What ZADD's options mean for one member.

use super::update;
use crate::error::Error;
use crate::value::{Limits, Record};

/// Which members are added or changed, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddRule {
    /// Only members that are new.
    pub(crate) only_new: bool,
    /// Only members that are there.
    pub(crate) only_known: bool,
    /// Members that are there only get a greater score.
    pub(crate) only_greater: bool,
    /// Members that are there only get a lower score.
    pub(crate) only_lower: bool,
    /// The score is added to the one that is there.
    pub(crate) increment: bool,
}

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Added {
    /// It is new.
    New(f64),
    /// It has another score now.
    Changed(f64),
    /// It has the score already.
    Same(f64),
    /// The rule left it alone.
    Refused,
}

const NOT_A_NUMBER: Error = Error::err("resulting score is not a number (NaN)");

/// Adds a member or changes its score. The record is a sorted set's.
///
/// # Errors
/// If infinities of both signs were to be added up.
pub(crate) fn add(
    record: &mut Record,
    member: &[u8],
    score: f64,
    rule: AddRule,
    limits: &Limits,
) -> Result<Added, Error> {
    let mut result = Ok(Added::Refused);
    update(record, member, limits, |old| {
        result = rule.decide(score, old);
        match result {
            Ok(Added::New(score) | Added::Changed(score)) => Some(score),
            Ok(Added::Same(_) | Added::Refused) | Err(_) => None,
        }
    });
    result
}

impl AddRule {
    fn decide(self, score: f64, old: Option<f64>) -> Result<Added, Error> {
        let Some(old) = old else {
            return Ok(if self.only_known { Added::Refused } else { Added::New(score) });
        };
        if self.only_new {
            return Ok(Added::Refused);
        }
        let score = if self.increment { old + score } else { score };
        if score.is_nan() {
            return Err(NOT_A_NUMBER);
        }
        if (self.only_lower && score >= old) || (self.only_greater && score <= old) {
            return Ok(Added::Refused);
        }
        Ok(if score == old { Added::Same(score) } else { Added::Changed(score) })
    }
}
