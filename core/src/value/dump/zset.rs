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
