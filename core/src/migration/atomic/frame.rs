//! What the two nodes of an atomic migration say to each other. A frame is a RESP array:
//!
//! ```text
//! SLOTFRAME kind id slot source-epoch target-epoch attempt arrival sequence payload checksum
//! ```
//! The checksum is Redis's CRC64 over all words before it, each with its length. A frame that is cut,
//! damaged or of another migration, slot, epoch or attempt is dropped by who gets it; so any frame
//! may be lost, doubled, late or out of order. The target gives each arrival a number of its own,
//! which it never gives again, and the source's frames bear it as soon as the source knows it: a target
//! that crashed, and then takes an old `open` for a new one, is so told from the one that was.

use crate::resp::{Parsed, RequestLimits, RequestParser, Requests, encode_request};
use crc_fast::CrcAlgorithm::Crc64Redis;

const NAME: &[u8] = b"SLOTFRAME";

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The source begins an attempt. The payload names the source.
    Open,
    /// A piece of the stream, numbered from one on. The payload is commands.
    Data,
    /// Nothing follows the piece with this number: the target makes ready. The payload says whether
    /// its host has to make durable what arrived.
    Prepare,
    /// The target serves the slot now. The payload is its epoch.
    Commit,
    /// The attempt is over.
    Abort,
    /// The target tells how far it is: the last piece up to which it has all, and its [`Standing`].
    Ack,
}

const KINDS: [(Kind, &[u8]); 6] = [
    (Kind::Open, b"open"),
    (Kind::Data, b"data"),
    (Kind::Prepare, b"prepare"),
    (Kind::Commit, b"commit"),
    (Kind::Abort, b"abort"),
    (Kind::Ack, b"ack"),
];

/// Which attempt at moving which slot a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Unique and growing among the migrations of one source.
    pub(crate) id: u64,
    pub(crate) slot: u16,
    pub(crate) source_epoch: u64,
    pub(crate) target_epoch: u64,
    pub(crate) attempt: u64,
    /// The target's number for what arrives; zero until the source knows it.
    pub(crate) arrival: u64,
}

impl Header {
    /// Whether both are of the same attempt, whatever the target has made of it.
    pub(crate) fn is_same_attempt(&self, other: &Self) -> bool {
        Self { arrival: 0, ..*self } == Self { arrival: 0, ..*other }
    }
}

/// A frame that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) kind: Kind,
    pub(crate) sequence: u64,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Appends the frame's bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        write(&self.header, self.kind, self.sequence, &self.payload, out);
    }

    fn parse(words: &[&[u8]]) -> Option<Self> {
        let [NAME, kind, numbers @ .., payload, sum] = words else { return None };
        if checksum(&words[..words.len() - 1]).to_string().as_bytes() != *sum {
            return None;
        }
        let kind = KINDS.iter().find(|(_, name)| name == kind)?.0;
        let numbers: Vec<u64> = numbers.iter().map_while(|word| number(word)).collect();
        let &[id, slot, source_epoch, target_epoch, attempt, arrival, sequence] = &numbers[..]
        else {
            return None;
        };
        let slot = u16::try_from(slot).ok()?;
        let header = Header { id, slot, source_epoch, target_epoch, attempt, arrival };
        Some(Self { header, kind, sequence, payload: payload.to_vec() })
    }
}

/// Appends a frame.
pub(crate) fn write(header: &Header, kind: Kind, sequence: u64, payload: &[u8], out: &mut Vec<u8>) {
    let Header { id, slot, source_epoch, target_epoch, attempt, arrival } = *header;
    let name = KINDS.iter().find(|(other, _)| *other == kind).map_or(&b""[..], |(_, name)| name);
    let numbers = [id, slot.into(), source_epoch, target_epoch, attempt, arrival, sequence];
    let numbers = numbers.map(|number| number.to_string());
    let mut words: Vec<&[u8]> = vec![NAME, name];
    words.extend(numbers.iter().map(|number| number.as_bytes()));
    words.push(payload);
    let sum = checksum(&words).to_string();
    words.push(sum.as_bytes());
    encode_request(&words, out);
}

fn checksum(words: &[&[u8]]) -> u64 {
    let mut digest = crc_fast::Digest::new(Crc64Redis);
    for word in words {
        digest.update(&(word.len() as u64).to_le_bytes());
        digest.update(word);
    }
    digest.finalize()
}

/// Whether bytes begin with a frame.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else { return false };
    bytes[0] == b'*' && bytes[end + 1..].starts_with(b"$9\r\nSLOTFRAME\r\n")
}

/// A number as frames carry it.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Visits the requests of a text. Returns how far it is whole, or none if it is no RESP.
pub(crate) fn each_request(input: &[u8], mut visit: impl FnMut(&[&[u8]])) -> Option<usize> {
    let mut parser = RequestParser::new(RequestLimits::default());
    let (mut requests, mut used) = (Requests::new(), 0);
    while used < input.len() {
        requests.clear();
        match parser.parse(input, used, &mut requests).ok()? {
            Parsed::Complete { end } => {
                let mut words = Vec::new();
                requests.words(0, input, &mut words);
                visit(&words);
                used = end;
            }
            Parsed::Incomplete { .. } => break,
        }
    }
    Some(used)
}

/// Takes the frames out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    /// The beginning of a frame whose end has not arrived.
    rest: Vec<u8>,
}

impl FrameReader {
    /// The whole and sound frames among the bytes so far. Bytes that are no RESP are dropped.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.rest.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let used = each_request(&self.rest, |words| frames.extend(Frame::parse(words)));
        match used {
            Some(used) => drop(self.rest.drain(..used)),
            None => self.rest.clear(),
        }
        frames
    }

    /// Forgets what has not arrived whole: a new connection begins with a frame.
    pub(crate) fn reset(&mut self) {
        self.rest.clear();
    }
}

/// How far the target is with an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It takes pieces in.
    Receiving,
    /// It has all of them, as durable as was asked, and waits for the decision.
    Prepared,
    /// It serves the slot.
    Committed,
    /// It has given the attempt up, for this reason, and keeps nothing of it.
    Aborted(Vec<u8>),
    /// It knows nothing of the attempt.
    Unknown,
}

impl Standing {
    pub(crate) fn payload(&self) -> Vec<u8> {
        match self {
            Self::Receiving => b"receiving".to_vec(),
            Self::Prepared => b"prepared".to_vec(),
            Self::Committed => b"committed".to_vec(),
            Self::Aborted(why) => [b"aborted ", &why[..]].concat(),
            Self::Unknown => b"unknown".to_vec(),
        }
    }

    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        match payload {
            b"receiving" => Some(Self::Receiving),
            b"prepared" => Some(Self::Prepared),
            b"committed" => Some(Self::Committed),
            b"unknown" => Some(Self::Unknown),
            _ => payload.strip_prefix(b"aborted ").map(|why| Self::Aborted(why.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let (id, slot, source_epoch, target_epoch, attempt, arrival) = (7, 16_383, 3, 4, 2, 5);
        let header = Header { id, slot, source_epoch, target_epoch, attempt, arrival };
        Frame { header, kind: Kind::Data, sequence: 9, payload: b"*1\r\n$4\r\nPING\r\n".to_vec() }
    }

    #[test]
    fn frames_arrive_in_pieces_as_they_were_sent() {
        let mut bytes = Vec::new();
        frame().write(&mut bytes);
        frame().write(&mut bytes);
        let mut reader = FrameReader::default();
        let read: Vec<_> = bytes.chunks(5).flat_map(|piece| reader.read(piece)).collect();
        assert_eq!(read, [frame(), frame()]);
    }

    #[test]
    fn a_damaged_frame_is_none_or_says_the_same() {
        let mut bytes = Vec::new();
        frame().write(&mut bytes);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            // RESP does not look at what ends a word.
            let read = FrameReader::default().read(&damaged);
            assert!(read.iter().all(|other| *other == frame()), "{place}");
        }
    }

    #[test]
    fn standings_are_told_in_words() {
        let all = [
            Standing::Receiving,
            Standing::Prepared,
            Standing::Committed,
            Standing::Unknown,
            Standing::Aborted(b"why".to_vec()),
        ];
        for standing in all {
            assert_eq!(Standing::parse(&standing.payload()), Some(standing));
        }
        assert_eq!(Standing::parse(b"other"), None);
    }
}
