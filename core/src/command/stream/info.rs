//! XINFO: what is known of a stream, its groups and their consumers.

use super::reply::{write_entries, write_entry, write_id};
use super::{integer, no_group_for_key, subcommand_syntax};
use crate::command::call::Call;
use crate::error::Error;
use crate::resp::ReplySink;
use crate::value::stream::{
    self, Consumer, Entry, Group, History, Node, Stream, StreamId, radix_node_count,
};

/// Entries that FULL shows of each kind, unless the caller says how many.
const SHOWN_USUAL: usize = 10;

/// The stream under the command's key, which must exist.
fn read<'c>(call: &'c mut Call<'_, '_>) -> Result<(&'c Stream, &'c mut dyn ReplySink), Error> {
    let record = call.keys.read(&call.located[0]).ok_or(Error::NO_SUCH_KEY)?;
    Ok((stream::read(record)?, call.out))
}

pub(super) fn stream(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = call.words;
    let syntax = subcommand_syntax(call);
    let (stream, out) = read(call)?;
    let shown = match &options[3..] {
        [] => None,
        [full] if full.eq_ignore_ascii_case(b"full") => Some(SHOWN_USUAL),
        [full, count, number]
            if full.eq_ignore_ascii_case(b"full") && count.eq_ignore_ascii_case(b"count") =>
        {
            Some(match integer(number)? {
                0 => usize::MAX,
                number => usize::try_from(number).unwrap_or(SHOWN_USUAL),
            })
        }
        _ => return Err(syntax),
    };
    let history = stream.history();
    match shown {
        None => {
            out.map(10);
            write_history(history, out);
            out.bulk(b"groups");
            out.integer(stream.groups().len() as i64);
            let (start, end) = (StreamId::MIN, StreamId::MAX);
            write_end(b"first-entry", history.log().range(start, end).next(), out);
            write_end(b"last-entry", history.log().range_back(start, end).next(), out);
        }
        Some(shown) => {
            out.map(9);
            write_history(history, out);
            out.bulk(b"entries");
            let log = history.log();
            let entries = log.range(StreamId::MIN, StreamId::MAX);
            write_entries(log.len().min(shown), entries, out);
            out.bulk(b"groups");
            out.array(stream.groups().len());
            stream.groups().for_each(|group| write_group_in_full(history, group, shown, out));
        }
    }
    Ok(())
}

fn write_history(history: &History, out: &mut dyn ReplySink) {
    let log = history.log();
    out.bulk(b"length");
    out.integer(log.len() as i64);
    out.bulk(b"radix-tree-keys");
    out.integer(log.node_count() as i64);
    out.bulk(b"radix-tree-nodes");
    out.integer(radix_node_count(log.nodes().map(Node::start_id)) as i64);
    out.bulk(b"last-generated-id");
    write_id(history.last_id(), out);
    out.bulk(b"max-deleted-entry-id");
    write_id(history.max_deleted_id(), out);
    out.bulk(b"entries-added");
    out.integer(history.entries_added() as i64);
    out.bulk(b"recorded-first-entry-id");
    write_id(history.first_id(), out);
}

fn write_end(name: &[u8], entry: Option<Entry<'_>>, out: &mut dyn ReplySink) {
    out.bulk(name);
    match entry {
        Some(entry) => write_entry(&entry, out),
        None => out.null(),
    }
}

/// How many entries the group has read, and has yet to read.
fn write_progress(history: &History, group: &Group, out: &mut dyn ReplySink) {
    let read = group.entries_read.map(|read| read as i64);
    for (name, number) in [(&b"entries-read"[..], read), (b"lag", history.lag(group))] {
        out.bulk(name);
        match number {
            Some(number) => out.integer(number),
            None => out.null(),
        }
    }
}

fn write_group_in_full(history: &History, group: &Group, shown: usize, out: &mut dyn ReplySink) {
    out.map(7);
    out.bulk(b"name");
    out.bulk(&group.name);
    out.bulk(b"last-delivered-id");
    write_id(group.last_id, out);
    write_progress(history, group, out);
    out.bulk(b"pel-count");
    out.integer(group.pending_len() as i64);
    out.bulk(b"pending");
    let count = group.pending_len().min(shown);
    out.array(count);
    for pending in group.pending_from(StreamId::MIN).take(count) {
        out.array(4);
        write_id(pending.id, out);
        out.bulk(&group.owner(pending).name);
        out.integer(pending.delivered_ms);
        out.integer(pending.deliveries as i64);
    }
    out.bulk(b"consumers");
    out.array(group.consumers().len());
    group.consumers().for_each(|consumer| write_consumer_in_full(group, consumer, shown, out));
}

fn write_consumer_in_full(
    group: &Group,
    consumer: &Consumer,
    shown: usize,
    out: &mut dyn ReplySink,
) {
    out.map(5);
    out.bulk(b"name");
    out.bulk(&consumer.name);
    out.bulk(b"seen-time");
    out.integer(consumer.seen_ms);
    out.bulk(b"active-time");
    out.integer(consumer.active_ms);
    out.bulk(b"pel-count");
    out.integer(consumer.pending_len() as i64);
    out.bulk(b"pending");
    let count = consumer.pending_len().min(shown);
    out.array(count);
    let ids = consumer.pending_from(StreamId::MIN).take(count);
    for pending in ids.filter_map(|id| group.pending(id)) {
        out.array(3);
        write_id(pending.id, out);
        out.integer(pending.delivered_ms);
        out.integer(pending.deliveries as i64);
    }
}

pub(super) fn groups(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (stream, out) = read(call)?;
    out.array(stream.groups().len());
    for group in stream.groups() {
        out.map(6);
        out.bulk(b"name");
        out.bulk(&group.name);
        out.bulk(b"consumers");
        out.integer(group.consumers().len() as i64);
        out.bulk(b"pending");
        out.integer(group.pending_len() as i64);
        out.bulk(b"last-delivered-id");
        write_id(group.last_id, out);
        write_progress(stream.history(), group, out);
    }
    Ok(())
}

pub(super) fn consumers(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (key, name) = (call.words[2], call.words[3]);
    let now_ms = call.time.unix_ms() as i64;
    let (stream, out) = read(call)?;
    let group = stream.group(name).ok_or_else(|| no_group_for_key(name, key))?;
    out.array(group.consumers().len());
    for consumer in group.consumers() {
        let inactive_ms = match consumer.active_ms {
            -1 => -1,
            active_ms => now_ms.wrapping_sub(active_ms),
        };
        out.map(4);
        out.bulk(b"name");
        out.bulk(&consumer.name);
        out.bulk(b"pending");
        out.integer(consumer.pending_len() as i64);
        out.bulk(b"idle");
        out.integer(now_ms.wrapping_sub(consumer.seen_ms).max(0));
        out.bulk(b"inactive");
        out.integer(inactive_ms);
    }
    Ok(())
}
