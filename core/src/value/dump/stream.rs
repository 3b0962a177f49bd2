//! Streams in payloads: the nodes as Redis has them, what is remembered of entries that were, and
//! the groups.
//!
//! ```text
//! nodes   each: | 16-byte id | listpack |
//! | length | last id |
//! | first id | greatest deleted id | entries added |                              since 7.0
//! groups  each: | name | last id | entries read, since 7.0 |
//!           pending   each: | 16-byte id | delivered, 8 bytes | deliveries |
//!           consumers each: | name | seen, 8 bytes | active, 8 bytes, since 7.2 |
//!             pending each: | 16-byte id |
//! ```
//! Counts come before what they count. Ids are two lengths where nothing else is said.

use super::read::Reader;
use super::{Restored, write};
use crate::structs::listpack::{self, Listpack};
use crate::value::stream::{
    self, Consumer, Group, History, Node, Pending, Restoring, Stream, StreamId,
};
use crate::value::{Object, Record};

/// As Redis 5.0 wrote it.
pub(super) const TYPE_V1: u8 = 15;
/// With what is remembered of entries that were, as 7.0 wrote it.
pub(super) const TYPE_V2: u8 = 19;
/// With when consumers were active, as 7.2 writes it.
pub(super) const TYPE_V3: u8 = 21;

/// The first RDB version that has each type.
const V2_SINCE: u16 = 10;
const V3_SINCE: u16 = 11;

/// In place of how many entries a group has read, if that is not known.
const READ_UNKNOWN: u64 = u64::MAX;

/// Appends type and value of a record that holds a stream, for a reader of this RDB version.
pub(super) fn dump(record: &Record, version: u16, out: &mut Vec<u8>) {
    let stream = stream::read(record).expect("the caller looked at the type");
    let kind = match version {
        V3_SINCE.. => TYPE_V3,
        V2_SINCE => TYPE_V2,
        _ => TYPE_V1,
    };
    out.reserve(stream.history().log().nodes().map(Node::listpack_len).sum());
    out.push(kind);
    write_history(stream.history(), kind, out);
    write::len(stream.groups().len(), out);
    stream.groups().for_each(|group| write_group(group, kind, out));
}

fn write_history(history: &History, kind: u8, out: &mut Vec<u8>) {
    let log = history.log();
    write::len(log.node_count(), out);
    for node in log.nodes() {
        write::len(size_of::<StreamId>(), out);
        out.extend_from_slice(&node.start_id().to_bytes());
        write::len(node.listpack_len(), out);
        node.write_listpack(out);
    }
    write::len(log.len(), out);
    write_id(history.last_id(), out);
    if kind != TYPE_V1 {
        write_id(history.first_id(), out);
        write_id(history.max_deleted_id(), out);
        write::len(history.entries_added() as usize, out);
    }
}

fn write_id(id: StreamId, out: &mut Vec<u8>) {
    write::len(id.ms as usize, out);
    write::len(id.seq as usize, out);
}

fn write_group(group: &Group, kind: u8, out: &mut Vec<u8>) {
    write::text(&group.name, out);
    write_id(group.last_id, out);
    if kind != TYPE_V1 {
        write::len(group.entries_read.unwrap_or(READ_UNKNOWN) as usize, out);
    }
    write::len(group.pending_len(), out);
    for pending in group.pending_from(StreamId::MIN) {
        out.extend_from_slice(&pending.id.to_bytes());
        out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
        write::len(pending.deliveries as usize, out);
    }
    write::len(group.consumers().len(), out);
    group.consumers().for_each(|consumer| write_consumer(consumer, kind, out));
}

fn write_consumer(consumer: &Consumer, kind: u8, out: &mut Vec<u8>) {
    write::text(&consumer.name, out);
    out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
    if kind == TYPE_V3 {
        out.extend_from_slice(&consumer.active_ms.to_le_bytes());
    }
    write::len(consumer.pending_len(), out);
    for id in consumer.pending_from(StreamId::MIN) {
        out.extend_from_slice(&id.to_bytes());
    }
}

/// Reads the value of a payload of one of the types above. None if it is not as it should be: ids
/// in no order, entries that are counted wrong, names that are there twice, entries that two
/// consumers have or none.
pub(super) fn restore(kind: u8, reader: &mut Reader<'_>) -> Option<Restored<'static>> {
    let stream = read_stream(kind, reader)?;
    Some(Restored::Boxed(stream::TAG, Some(Box::new(Object::Stream(Box::new(stream))))))
}

fn read_stream(kind: u8, reader: &mut Reader<'_>) -> Option<Stream> {
    let nodes = reader.len()?;
    let mut restoring = Restoring::new((0..nodes).map(|_| read_node(reader)))?;
    if reader.len()? != restoring.len() as u64 {
        return None;
    }
    restoring.set_last_id(read_id(reader)?)?;
    if kind == TYPE_V1 {
        restoring.infer_past();
    } else {
        restoring.set_past(read_id(reader)?, read_id(reader)?, reader.len()?);
    }
    for _ in 0..reader.len()? {
        let group = read_group(kind, &restoring, reader)?;
        restoring.add_group(group)?;
    }
    Some(restoring.finish())
}

fn read_node(reader: &mut Reader<'_>) -> Option<Node> {
    let id = StreamId::from_bytes((&*reader.text()?).try_into().ok()?);
    let text = reader.text()?;
    Node::from_listpack(id, Listpack::new(listpack::check_foreign(&text)?))
}

fn read_id(reader: &mut Reader<'_>) -> Option<StreamId> {
    Some(StreamId { ms: reader.len()?, seq: reader.len()? })
}

fn read_group(kind: u8, restoring: &Restoring, reader: &mut Reader<'_>) -> Option<Group> {
    let (name, last_id) = (reader.text()?, read_id(reader)?);
    let entries_read = match kind {
        TYPE_V1 => restoring.infer_read(last_id),
        _ => Some(reader.len()?).filter(|&read| read != READ_UNKNOWN),
    };
    let mut group = Group::new(&name, last_id, entries_read);
    for _ in 0..reader.len()? {
        let id = StreamId::from_bytes(reader.array()?);
        let delivered_ms = i64::from_le_bytes(reader.array()?);
        let pending = Pending::without_owner(id, delivered_ms, reader.len()?);
        group.restore_pending(pending).then_some(())?;
    }
    for _ in 0..reader.len()? {
        read_consumer(kind, &mut group, reader)?;
    }
    let is_complete = !group.pending_from(StreamId::MIN).any(Pending::is_without_owner);
    is_complete.then_some(group)
}

fn read_consumer(kind: u8, group: &mut Group, reader: &mut Reader<'_>) -> Option<()> {
    let name = reader.text()?;
    let seen_ms = i64::from_le_bytes(reader.array()?);
    let active_ms = match kind {
        TYPE_V3 => i64::from_le_bytes(reader.array()?),
        _ => seen_ms,
    };
    let (number, is_new) = group.consumer_or_new(&name, seen_ms);
    is_new.then_some(())?;
    group.set_times(number, seen_ms, active_ms);
    for _ in 0..reader.len()? {
        let id = StreamId::from_bytes(reader.array()?);
        group.restore_owner(id, number).then_some(())?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structs::entry::Body;

    /// A stream with all that a payload can tell, as redis-server 7.0 writes it.
    const V2: &[u8] = b"\
        \x13\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01@NN\0\0\0\x1f\0\x03\x01\x01\x01\x02\
        \x01\x81f\x02\x81g\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x0a\x01\x05\x01\x03\x01\0\
        \x01\x01\x01\x81w\x02\x0b\x01\x05\x01\0\x01\x01\x01\xdf\xff\x02\x01\x01\x81h\x02\x81\
        x\x02\x06\x01\x02\x01\x02\x01\xdf\xff\x02\x81y\x02\x01\x01\x05\x01\xff\x03\x03\0\x01\
        \x01\x01\x02\x04\x02\x01e\x02\0\x81\xff\xff\xff\xff\xff\xff\xff\xff\0\0\x01g\x03\0\
        \x04\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x13$\x13\x0e\xa2\x01\0\0\x01\0\0\0\0\0\
        \0\0\x02\0\0\0\0\0\0\0\0\x13$\x13\x0e\xa2\x01\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\
        \0\0\x13$\x13\x0e\xa2\x01\0\0\x01\x02\x01c\x13$\x13\x0e\xa2\x01\0\0\x02\0\0\0\0\0\0\
        \0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\x01d\x13$\x13\x0e\xa2\x01\
        \0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0";

    /// The same as 6.2 writes it.
    const V1: &[u8] = b"\
        \x0f\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01@NN\0\0\0\x1f\0\x03\x01\x01\x01\x02\
        \x01\x81f\x02\x81g\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x0a\x01\x05\x01\x03\x01\0\
        \x01\x01\x01\x81w\x02\x0b\x01\x05\x01\0\x01\x01\x01\xdf\xff\x02\x01\x01\x81h\x02\x81\
        x\x02\x06\x01\x02\x01\x02\x01\xdf\xff\x02\x81y\x02\x01\x01\x05\x01\xff\x03\x03\0\x02\
        \x01e\x02\0\0\0\x01g\x03\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x13$\x13\x0e\xa2\
        \x01\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\x13$\x13\x0e\xa2\x01\0\0\x02\0\0\0\0\
        \0\0\0\x03\0\0\0\0\0\0\0\0\x13$\x13\x0e\xa2\x01\0\0\x01\x02\x01c\x13$\x13\x0e\xa2\
        \x01\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\
        \x01d\x13$\x13\x0e\xa2\x01\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0";

    const LEN_MAX: u64 = 1 << 20;

    fn record(value: &[u8]) -> Option<Record> {
        let mut reader = Reader::new(&value[1..], LEN_MAX);
        let mut restored = restore(value[0], &mut reader)?;
        let (tag, body) = restored.take();
        Some(Record::new(b"key", tag, body, None, 0)).filter(|_| reader.is_at_end())
    }

    fn dumped(record: &Record, version: u16) -> Vec<u8> {
        let mut out = Vec::new();
        dump(record, version, &mut out);
        out
    }

    #[test]
    fn each_version_is_written_as_it_was_read() {
        let read = record(V2).unwrap();
        assert_eq!(dumped(&read, V2_SINCE), V2);
        assert_eq!(dumped(&read, V2_SINCE - 1), V1);
        let newest = dumped(&read, V3_SINCE);
        assert_eq!((newest[0], newest.len()), (TYPE_V3, V2.len() + 2 * size_of::<i64>()));
        assert_eq!(dumped(&record(&newest).unwrap(), V3_SINCE), newest);
    }

    #[test]
    fn what_the_first_version_does_not_tell_is_inferred() {
        let record = record(V1).unwrap();
        let Body::Boxed(Object::Stream(stream)) = record.body() else { panic!("no stream") };
        let history = stream.history();
        assert_eq!((history.entries_added(), history.first_id()), (3, StreamId { ms: 1, seq: 1 }));
        let read: Vec<_> = stream.groups().map(|group| group.entries_read).collect();
        assert_eq!(read, [None, Some(3)]);
        let consumers: Vec<_> = stream.groups().flat_map(Group::consumers).collect();
        assert_eq!(consumers.len(), 2);
        assert!(consumers.iter().all(|one| one.active_ms == one.seen_ms));
    }

    #[test]
    fn a_payload_that_is_cut_short_is_refused() {
        for value in [V1, V2] {
            for len in 1..value.len() {
                assert!(record(&value[..len]).is_none(), "{len}");
            }
        }
    }
}
