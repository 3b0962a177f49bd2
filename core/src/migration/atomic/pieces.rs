//! Large values in pieces: commands that build a value anew under its key, some members at a time.
//! Between two pieces the value must not change. Streams are not cut: their groups refer to entries.

use crate::resp::encode_request;
use crate::resp::number::write_f64_17;
use crate::structs::listpack::Scratch;
use crate::value::zset::Zset;
use crate::value::{self, Record, Type, hash, list, set, string};

/// A value of which the pieces up to a place were sent.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    db: u16,
    key: Box<[u8]>,
    /// Where to go on; what that means is the type's.
    at: u64,
    is_begun: bool,
    /// Whether it was written to since.
    pub(super) is_spoilt: bool,
}

/// Members in one piece beside the limit of bytes.
const MEMBERS: usize = 512;

impl Pieces {
    /// Whether a value is too large to go whole.
    pub(super) fn is_for(record: &Record, piece_bytes: usize) -> bool {
        let bytes = record.footprint() + value::object_footprint(record);
        bytes > piece_bytes && Type::of(record) != Type::Stream
    }

    pub(super) fn new(db: u16, key: &[u8]) -> Self {
        Self { db, key: key.into(), at: 0, is_begun: false, is_spoilt: false }
    }

    pub(super) fn db(&self) -> u16 {
        self.db
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn is_of(&self, db: u16, key: &[u8]) -> bool {
        self.db == db && *self.key == *key
    }

    /// Writes the next piece. Returns what is left to be sent, if anything.
    pub(super) fn write(
        mut self,
        record: &Record,
        piece_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Option<Self> {
        if !self.is_begun {
            encode_request(&[&b"DEL"[..], &self.key], out);
            self.is_begun = true;
        }
        let next = match Type::of(record) {
            Type::String => self.write_string(record, piece_bytes, out),
            Type::List => self.write_list(record, piece_bytes, out),
            Type::Set => self.write_set(record, out),
            Type::Hash => self.write_hash(record, out),
            Type::Zset => self.write_zset(record, out),
            Type::Stream => unreachable!("streams go whole"),
        };
        match next {
            Some(at) => {
                self.at = at;
                Some(self)
            }
            None => {
                self.finish(record, out);
                None
            }
        }
    }

    /// What a key has beside its value.
    fn finish(&self, record: &Record, out: &mut Vec<u8>) {
        if let Some(ms) = record.expire_ms() {
            encode_request(&[&b"PEXPIREAT"[..], &self.key, ms.to_string().as_bytes()], out);
        }
        encode_request(&[&b"%"[..], &self.key, record.stamp().to_string().as_bytes()], out);
    }

    fn add(&self, name: &[u8], members: &[Vec<u8>], out: &mut Vec<u8>) {
        if !members.is_empty() {
            let mut words: Vec<&[u8]> = vec![name, &self.key];
            words.extend(members.iter().map(Vec::as_slice));
            encode_request(&words, out);
        }
    }

    fn write_string(&self, record: &Record, piece_bytes: usize, out: &mut Vec<u8>) -> Option<u64> {
        let text = string::read(record).ok()?;
        let start = self.at as usize;
        let end = text.len().min(start + piece_bytes);
        encode_request(&[&b"APPEND"[..], &self.key, &text[start..end]], out);
        (end < text.len()).then_some(end as u64)
    }

    fn write_list(&self, record: &Record, piece_bytes: usize, out: &mut Vec<u8>) -> Option<u64> {
        let list = list::read(record).ok()?;
        let (mut bytes, mut texts) = (0, Vec::new());
        let mut elements = list.iter_from(self.at as usize, false);
        while bytes < piece_bytes.max(1)
            && texts.len() < MEMBERS
            && let Some(element) = elements.next()
        {
            let text = element.text(&mut Scratch::new()).to_vec();
            bytes += text.len();
            texts.push(text);
        }
        self.add(b"RPUSH", &texts, out);
        let at = self.at + texts.len() as u64;
        (at < list.len() as u64).then_some(at)
    }

    fn write_set(&self, record: &Record, out: &mut Vec<u8>) -> Option<u64> {
        let mut members = Vec::new();
        let next = set::known(record).scan(self.at, MEMBERS, |member| {
            members.push(member.text(&mut Scratch::new()).to_vec());
        });
        self.add(b"SADD", &members, out);
        (next != 0).then_some(next)
    }

    fn write_hash(&self, record: &Record, out: &mut Vec<u8>) -> Option<u64> {
        // Fields whose time is over are sent too: who they belong to says when they go.
        let hash = hash::Hash::of(record, 0).ok()?;
        let (mut pairs, mut times) = (Vec::new(), Vec::new());
        let next = hash.walk(self.at, MEMBERS, |field, value| {
            let field = field.text(&mut Scratch::new()).to_vec();
            if let Some((_, Some(ms))) = hash.find(&field) {
                times.push((field.clone(), ms));
            }
            pairs.push(field);
            pairs.push(value.text(&mut Scratch::new()).to_vec());
        });
        self.add(b"HSET", &pairs, out);
        for (field, ms) in times {
            let at = ms.to_string();
            let words: [&[u8]; 6] =
                [b"HPEXPIREAT", &self.key, at.as_bytes(), b"FIELDS", b"1", &field];
            encode_request(&words, out);
        }
        (next != 0).then_some(next)
    }

    fn write_zset(&self, record: &Record, out: &mut Vec<u8>) -> Option<u64> {
        let zset = Zset::of(record).ok()?;
        let start = self.at as usize;
        let end = zset.len().min(start + MEMBERS);
        let mut words = Vec::new();
        for (member, score) in zset.range(start..end, false) {
            let mut text = Vec::new();
            write_f64_17(score, &mut text);
            words.push(text);
            words.push(member.to_vec());
        }
        self.add(b"ZADD", &words, out);
        (end < zset.len()).then_some(end as u64)
    }
}
