//! XPENDING: what was delivered and not acknowledged.

use super::reply::write_id;
use super::{integer, no_such_group};
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::value::stream::{self, Group, Pending, StreamId, parse_end, parse_start};

/// Which entries are asked for.
#[derive(Debug)]
struct Filter<'a> {
    start: StreamId,
    end: StreamId,
    count: usize,
    /// Entries that were delivered at least so long ago; zero for all.
    idle_ms_min: i64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Reads `[IDLE ms] start end count [consumer]`; none if nothing is said.
    fn parse(words: &[&'a [u8]]) -> Result<Option<Self>, Error> {
        if words.is_empty() {
            return Ok(None);
        }
        if !(3..=6).contains(&words.len()) {
            return Err(Error::SYNTAX);
        }
        let (idle_ms_min, words) = match words {
            [option, idle, rest @ ..] if option.eq_ignore_ascii_case(b"idle") => {
                (integer(idle)?, rest)
            }
            words => (0, words),
        };
        let &[start, end, count, ref rest @ ..] = words else { return Err(Error::SYNTAX) };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        let (start, end) = (parse_start(start)?, parse_end(end)?);
        Ok(Some(Self { start, end, count, idle_ms_min, consumer: rest.first().copied() }))
    }

    fn admits(&self, pending: &Pending, now_ms: i64) -> bool {
        self.idle_ms_min == 0 || now_ms.wrapping_sub(pending.delivered_ms) >= self.idle_ms_min
    }

    /// The entries that are asked for.
    fn select<'g>(&self, group: &'g Group, now_ms: i64) -> Vec<&'g Pending> {
        let admits = |pending: &&Pending| self.admits(pending, now_ms);
        let Some(name) = self.consumer else {
            let range = group.pending_from(self.start).take_while(|one| one.id <= self.end);
            return range.filter(admits).take(self.count).collect();
        };
        let Some(number) = group.find_consumer(name) else { return Vec::new() };
        let ids = group.consumer(number).pending_from(self.start);
        let range = ids.take_while(|&id| id <= self.end).filter_map(|id| group.pending(id));
        range.filter(admits).take(self.count).collect()
    }
}

pub(super) fn xpending(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let filter = Filter::parse(&call.words[3..])?;
    let (key, name) = (call.words[1], call.words[2]);
    let now_ms = call.time.unix_ms() as i64;
    let stream = call.keys.read(&call.located[0]).map(stream::read).transpose()?;
    let group = stream.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_such_group(key, name, ""))?;
    let Some(filter) = filter else {
        write_summary(group, call.out);
        return Ok(());
    };
    let selected = filter.select(group, now_ms);
    call.out.array(selected.len());
    for pending in selected {
        call.out.array(4);
        write_id(pending.id, call.out);
        call.out.bulk(&group.owner(pending).name);
        call.out.integer(now_ms.wrapping_sub(pending.delivered_ms).max(0));
        call.out.integer(pending.deliveries as i64);
    }
    Ok(())
}

/// How many there are, the first and the last, and how many each consumer has.
fn write_summary(group: &Group, out: &mut dyn ReplySink) {
    out.array(4);
    out.integer(group.pending_len() as i64);
    let Some((first, last)) = group.pending_ends() else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    write_id(first, out);
    write_id(last, out);
    let owners = || group.consumers().filter(|consumer| consumer.pending_len() > 0);
    out.array(owners().count());
    for consumer in owners() {
        out.array(2);
        out.bulk(&consumer.name);
        out.bulk(itoa::Buffer::new().format(consumer.pending_len()).as_bytes());
    }
}
