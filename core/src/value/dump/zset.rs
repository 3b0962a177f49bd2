//! Sorted sets in payloads: a listpack of members and scores in order, members with binary scores
//! from a large one, and the forms that Redis wrote before it had these.

use super::read::Reader;
use super::{Restored, write, ziplist};
use crate::resp::number::{DoubleText, parse_f64};
use crate::structs::listpack::{self, Element, Listpack, Scratch};
use crate::value::zset::{self, Loader, NewZset, Zset};
use crate::value::{Limits, Record, element};

/// Members with scores as texts.
pub(super) const TYPE_TEXTS: u8 = 3;
/// Members with binary scores.
pub(super) const TYPE_BINARY: u8 = 5;
/// A text that holds a ziplist.
pub(super) const TYPE_ZIPLIST: u8 = 12;
/// A text that holds a listpack.
pub(super) const TYPE_LISTPACK: u8 = 17;

/// Appends type and value of a record that holds a sorted set.
pub(super) fn dump(record: &Record, out: &mut Vec<u8>) {
    let zset = Zset::of(record).expect("the caller looked at the type");
    if zset.is_packed() {
        let mut packed = listpack::EMPTY.to_vec();
        for (member, score) in zset.iter() {
            let text = DoubleText::new(score);
            listpack::push(&mut packed, &[element(member), element(text.as_bytes())]);
        }
        out.push(TYPE_LISTPACK);
        write::len(packed.len() + listpack::FOREIGN_BYTES, out);
        Listpack::new(&packed).write_foreign(out);
        return;
    }
    out.push(TYPE_BINARY);
    write::len(zset.len(), out);
    // The last first, as Redis does, so that each is added at the front of its list.
    for (member, score) in zset.range(0..zset.len(), true) {
        write::text(member, out);
        out.extend_from_slice(&score.to_le_bytes());
    }
}

/// Reads the value of a payload of one of the types above. None if it is not as it should be, has
/// no member, or has one twice.
pub(super) fn restore(
    kind: u8,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Option<Restored<'static>> {
    let mut loader = Loader::new(limits);
    let new = match kind {
        TYPE_TEXTS | TYPE_BINARY => {
            for _ in 0..reader.len()? {
                let member = reader.text()?;
                let score =
                    if kind == TYPE_TEXTS { reader.score_text()? } else { reader.score()? };
                loader.add(&member, score)?;
            }
            loader.finish(limits)?
        }
        TYPE_ZIPLIST => {
            add_all(&mut loader, &ziplist::elements(&reader.text()?)?)?;
            loader.finish_packed(limits)?
        }
        TYPE_LISTPACK => {
            let text = reader.text()?;
            let packed = Listpack::new(listpack::check_foreign(&text)?);
            add_all(&mut loader, &packed.iter().collect::<Vec<_>>())?;
            loader.finish_packed(limits)?
        }
        _ => return None,
    };
    Some(match new {
        NewZset::Packed(bytes) => Restored::Packed(zset::TAG, bytes.into()),
        NewZset::Large(object) => Restored::Boxed(zset::TAG, Some(object)),
    })
}

/// Adds members and scores that follow one another, and are in order.
fn add_all(loader: &mut Loader, elements: &[Element<'_>]) -> Option<()> {
    let (pairs, []) = elements.as_chunks() else { return None };
    let mut scratch = Scratch::new();
    for [member, score] in pairs {
        let score = match score {
            Element::Int(score) => *score as f64,
            Element::Bytes(text) => parse_f64(text)?,
        };
        loader.add_last(member.text(&mut scratch), score)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::dump::{self, RDB_VERSION, seal};
    use proptest::prelude::*;

    const LIMITS: Limits = Limits::DEFAULT;

    fn sealed(value: &[u8]) -> Vec<u8> {
        let mut payload = value.to_vec();
        seal(10, 0, &mut payload);
        payload
    }

    /// Restores into a record.
    fn restored(value: &[u8]) -> Option<Record> {
        let payload = sealed(value);
        let mut value = dump::restore(&payload, &LIMITS).ok()?;
        let (tag, body) = value.take();
        Some(Record::new(b"key", tag, body, None, 0))
    }

    fn members(record: &Record) -> Vec<(Vec<u8>, f64)> {
        let zset = Zset::of(record).expect("a sorted set");
        zset.iter().map(|(member, score)| (member.to_vec(), score)).collect()
    }

    fn pairs(texts: &[(&str, f64)]) -> Vec<(Vec<u8>, f64)> {
        texts.iter().map(|(text, score)| (text.as_bytes().to_vec(), *score)).collect()
    }

    /// The value of a payload with these elements in a listpack.
    fn listpack(elements: &[&[u8]]) -> Vec<u8> {
        let mut packed = listpack::EMPTY.to_vec();
        elements.iter().for_each(|text| listpack::push(&mut packed, &[element(text)]));
        let mut value = vec![TYPE_LISTPACK];
        write::len(packed.len() + listpack::FOREIGN_BYTES, &mut value);
        Listpack::new(&packed).write_foreign(&mut value);
        value
    }

    fn binary(members: &[(&[u8], f64)]) -> Vec<u8> {
        let mut value = vec![TYPE_BINARY];
        write::len(members.len(), &mut value);
        for (member, score) in members {
            write::text(member, &mut value);
            value.extend_from_slice(&score.to_le_bytes());
        }
        value
    }

    #[test]
    fn payloads_of_redis_are_written_and_read() {
        // ZADD k 1 a 2.5 b 3 7, and what DUMP of redis-server 7.0 gives for it.
        let theirs =
            b"\x11\x18\x18\x00\x00\x00\x06\x00\x81a\x02\x01\x01\x81b\x02\x832.5\x04\x07\x01\
                       \x03\x01\xff";
        let record = restored(theirs).expect("it is right");
        assert_eq!(members(&record), pairs(&[("a", 1.0), ("b", 2.5), ("7", 3.0)]));
        let mut ours = Vec::new();
        dump(&record, &mut ours);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn the_forms_of_older_servers_are_read() {
        let texts = b"\x03\x04\x01a\x011\x01b\xfe\x01c\xff\x01d\x032.5";
        let record = restored(texts).expect("it is right");
        let expected =
            pairs(&[("c", f64::NEG_INFINITY), ("a", 1.0), ("d", 2.5), ("b", f64::INFINITY)]);
        assert_eq!(members(&record), expected);
        let binary = binary(&[(b"b", 2.0), (b"a", -1.5)]);
        let record = restored(&binary).expect("it is right");
        assert_eq!(members(&record), pairs(&[("a", -1.5), ("b", 2.0)]));
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        let nan = binary(&[(b"a", f64::NAN)]);
        let twice = binary(&[(b"a", 1.0), (b"b", 2.0), (b"a", 3.0)]);
        let short = &binary(&[(b"a", 1.0)])[..8];
        let longer = [&binary(&[(b"a", 1.0)])[..], b"x"].concat();
        for value in [
            &b"\x05\x00"[..],      // no member
            b"\x03\x00",           // the same
            b"\x05\x05\x01a",      // fewer than announced
            b"\x03\x01\x01a\xfd",  // a score that is no number
            b"\x03\x01\x01a\x01x", // another
            b"\x03\x01\x01a\x00",  // a score without a text
            &nan,
            &twice,
            short,
            &longer,
            &listpack(&[]),
            &listpack(&[b"a"]),
            &listpack(&[b"a", b"1", b"b"]),
            &listpack(&[b"a", b"x"]),
            &listpack(&[b"a", b"nan"]),
            &listpack(&[b"a", b"2", b"b", b"1"]), // out of order
            &listpack(&[b"b", b"1", b"a", b"1"]), // the same, by member
            &listpack(&[b"a", b"1", b"a", b"2"]), // a member twice
            &listpack(&[b"a", b"1", b"a", b"1"]),
        ] {
            assert!(restored(value).is_none(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_listpack_with_more_members_than_are_packed_here_becomes_a_large_set() {
        let texts: Vec<_> = (1_000..1_300).map(|number| number.to_string().into_bytes()).collect();
        let elements: Vec<&[u8]> = texts.iter().flat_map(|text| [&text[..], &text[..]]).collect();
        let record = restored(&listpack(&elements)).expect("it is right");
        assert_eq!(crate::value::encoding(&record), "skiplist");
        let record = restored(&listpack(&elements[..200])).expect("it is right");
        assert_eq!(crate::value::encoding(&record), "listpack");
    }

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(
            members in prop::collection::btree_map(
                prop::collection::vec(any::<u8>(), 0..70),
                any::<f64>().prop_filter("scores are numbers", |score| !score.is_nan()),
                1..200,
            ),
        ) {
            let list: Vec<_> = members.iter().map(|(text, &score)| (&text[..], score)).collect();
            let record = restored(&binary(&list)).expect("it is right");
            let mut payload = Vec::new();
            dump::dump(&record, RDB_VERSION, &mut payload);
            let value = &payload[..payload.len() - 10];
            let again = restored(value).expect("it was dumped just now");
            prop_assert_eq!(self::members(&again), self::members(&record));
            prop_assert_eq!(self::members(&again).len(), members.len());
        }

        #[test]
        fn a_changed_payload_does_not_make_it_panic(
            at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(),
        ) {
            let elements: &[&[u8]] = &[b"a", b"1", b"bcd", b"2.5", b"7", b"100000"];
            let values = [listpack(elements), binary(&[(b"b", 2.0), (b"a", -1.5)])];
            for mut value in values {
                let at = at.index(value.len());
                value[at] = byte;
                let _ = restored(&value);
                value.truncate(cut.index(value.len() + 1));
                let _ = restored(&value);
            }
        }
    }
}
