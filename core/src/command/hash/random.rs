//! HRANDFIELD: fields chosen by chance.

use super::read::{read, write_value};
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::number::parse_i64;
use crate::resp::{Protocol, ReplySink};
use crate::structs::listpack::Element;
use crate::value::hash::Hash;

/// How many fields are asked for.
#[derive(Clone, Copy, Debug)]
enum Count {
    /// So many different ones.
    Different(usize),
    /// So many, each drawn among all.
    Drawn(usize),
}

impl Count {
    /// Reads the words after the key, the first of which is there: the count, and whether values
    /// are asked for too.
    fn parse(words: &[&[u8]]) -> Result<(Self, bool), Error> {
        let count = parse_i64(words[0]).ok_or(Error::NOT_INTEGER)?;
        if count == i64::MIN {
            return Err(Error::err(
                "value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807",
            ));
        }
        let with_values = match &words[1..] {
            [] => false,
            [word] if word.eq_ignore_ascii_case(b"withvalues") => true,
            _ => return Err(Error::SYNTAX),
        };
        if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(Error::err("value is out of range"));
        }
        let size = count.unsigned_abs() as usize;
        Ok((if count < 0 { Self::Drawn(size) } else { Self::Different(size) }, with_values))
    }

    /// How many fields of a hash that is.
    fn of(self, hash: Hash<'_>) -> usize {
        match self {
            Self::Different(count) => count.min(hash.len()),
            Self::Drawn(count) => count,
        }
    }
}

pub(super) fn hrandfield(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let env = call.env;
    let random = || env.random();
    let options = match &call.words[2..] {
        [] => None,
        words => Some(Count::parse(words)?),
    };
    let (hash, out) = read(call)?;
    let Some((count, with_values)) = options else {
        write_value(hash.and_then(|hash| hash.random(random)).map(|(field, _)| field), out);
        return Ok(());
    };
    let Some(hash) = hash else {
        out.array(0);
        return Ok(());
    };
    let mut rows = Rows::start(out, count.of(hash), with_values);
    match count {
        Count::Different(count) => {
            hash.choose(count, random, |field, value| rows.add(field, value))
        }
        Count::Drawn(count) => hash.draw(count, random, |field, value| rows.add(field, value)),
    }
    Ok(())
}

/// The reply: fields, or fields and values, which RESP3 groups in pairs.
struct Rows<'o> {
    out: &'o mut dyn ReplySink,
    with_values: bool,
    in_pairs: bool,
}

impl<'o> Rows<'o> {
    fn start(out: &'o mut dyn ReplySink, count: usize, with_values: bool) -> Self {
        let in_pairs = with_values && out.protocol() == Protocol::Resp3;
        out.array(if with_values && !in_pairs { 2 * count } else { count });
        Self { out, with_values, in_pairs }
    }

    fn add(&mut self, field: Element<'_>, value: Element<'_>) {
        if self.in_pairs {
            self.out.array(2);
        }
        write_value(Some(field), self.out);
        if self.with_values {
            write_value(Some(value), self.out);
        }
    }
}
