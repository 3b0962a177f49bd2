//! GEOADD, which is a ZADD of scores made of coordinates.

use super::words;
use crate::command::call::Call;
use crate::command::zset::Addition;
use crate::error::Error;
use crate::value::zset::AddRule;

pub(super) fn geoadd(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mut rule = AddRule::default();
    let mut counts_changed = false;
    let mut words = &call.words[2..];
    while let [word, rest @ ..] = words {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        let option = match word {
            _ if is(b"nx") => &mut rule.only_new,
            _ if is(b"xx") => &mut rule.only_known,
            _ if is(b"ch") => &mut counts_changed,
            _ => break,
        };
        *option = true;
        words = rest;
    }
    let (places, rest) = words.as_chunks::<3>();
    if places.is_empty() || !rest.is_empty() || (rule.only_new && rule.only_known) {
        return Err(Error::SYNTAX);
    }
    let members = places.iter().map(|[longitude, latitude, member]| {
        Ok((words::point(longitude, latitude)?.score(), *member))
    });
    let members = members.collect::<Result<_, Error>>()?;
    Addition { rule, counts_changed, members }.carry_out(call)
}
