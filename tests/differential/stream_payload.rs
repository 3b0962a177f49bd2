//! Payloads of streams, taken apart: so that what the clocks say is left out of a comparison, and
//! that a server of version 7.0 can read what is written for 7.2.

/// The types of 7.0 and 7.2.
const TYPE_V2: u8 = 19;
const TYPE_V3: u8 = 21;

/// A part of a payload, by how it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Same,
    /// When something was delivered or a consumer seen.
    Time,
    /// When a consumer was active, which 7.0 does not tell.
    Active,
    /// How many entries a group has read, which 7.2 knows to tell where 7.0 does not.
    Read,
}

struct Walker<'p> {
    rest: &'p [u8],
    /// Each part, as it is and unpacked.
    parts: Vec<(Part, &'p [u8], Vec<u8>)>,
}

impl<'p> Walker<'p> {
    fn push(&mut self, part: Part, len: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        self.parts.push((part, taken, taken.to_vec()));
        Some(taken)
    }

    /// A length, or the number of an encoding with its highest bits set.
    fn head(rest: &[u8]) -> Option<(usize, u64, bool)> {
        let first = *rest.first()?;
        let low = u64::from(first & 0x3f);
        Some(match first >> 6 {
            0 => (1, low, false),
            1 => (2, low << 8 | u64::from(*rest.get(1)?), false),
            2 if low == 0 => (5, u32::from_be_bytes(*rest[1..].first_chunk()?).into(), false),
            2 => (9, u64::from_be_bytes(*rest[1..].first_chunk()?), false),
            _ => (1, low, true),
        })
    }

    fn len(&mut self, part: Part) -> Option<u64> {
        let (len, value, _) = Self::head(self.rest)?;
        self.push(part, len).map(|_| value)
    }

    fn text(&mut self) -> Option<()> {
        let (head, value, encoded) = Self::head(self.rest)?;
        match (encoded, value) {
            (false, len) => self.push(Part::Same, head + len as usize).map(drop),
            (true, 3) => self.packed(),
            (true, kind) => self.push(Part::Same, head + (1 << kind)).map(drop),
        }
    }

    /// A compressed text: both lengths, then the bytes.
    fn packed(&mut self) -> Option<()> {
        let (first, packed_len, _) = Self::head(&self.rest[1..])?;
        let (second, len, _) = Self::head(&self.rest[1 + first..])?;
        let heads = 1 + first + second;
        let whole = self.push(Part::Same, heads + packed_len as usize)?;
        let mut plain = len_of(len as usize);
        plain.extend(unpack(&whole[heads..]));
        self.parts.last_mut()?.2 = plain;
        Some(())
    }

    fn walk(&mut self) -> Option<()> {
        let kind = self.push(Part::Same, 1)?[0];
        for _ in 0..self.len(Part::Same)? {
            self.text()?;
            self.text()?;
        }
        for _ in 0..8 {
            self.len(Part::Same)?;
        }
        for _ in 0..self.len(Part::Same)? {
            self.text()?;
            self.len(Part::Same)?;
            self.len(Part::Same)?;
            self.len(Part::Read)?;
            for _ in 0..self.len(Part::Same)? {
                self.push(Part::Same, 16)?;
                self.push(Part::Time, 8)?;
                self.len(Part::Same)?;
            }
            for _ in 0..self.len(Part::Same)? {
                self.text()?;
                self.push(Part::Time, 8)?;
                if kind == TYPE_V3 {
                    self.push(Part::Active, 8)?;
                }
                for _ in 0..self.len(Part::Same)? {
                    self.push(Part::Same, 16)?;
                }
            }
        }
        self.rest.is_empty().then_some(())
    }
}

/// Texts up to this length are not compressed, so a longer one's length takes a byte or more.
fn len_of(len: usize) -> Vec<u8> {
    match len {
        0..64 => vec![len as u8],
        64..16_384 => (0x4000 | len as u16).to_be_bytes().to_vec(),
        _ => [&[0x80][..], &(len as u32).to_be_bytes()].concat(),
    }
}

/// Unpacks LZF, which a server of ours wrote.
fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut bytes = packed.iter().map(|&byte| usize::from(byte));
    while let Some(control) = bytes.next() {
        if control < 32 {
            out.extend(bytes.by_ref().take(control + 1).map(|byte| byte as u8));
            continue;
        }
        let mut len = control / 32 + 2;
        if len == 9 {
            len += bytes.next().unwrap_or(0);
        }
        let back = control % 32 * 256 + bytes.next().unwrap_or(0) + 1;
        for _ in 0..len {
            out.push(out[out.len() - back]);
        }
    }
    out
}

/// A part of a value: its kind, its bytes, and what of it is the same on both sides.
type WalkedPart<'v> = (Part, &'v [u8], Vec<u8>);

fn walk(value: &[u8]) -> Option<Vec<WalkedPart<'_>>> {
    if !matches!(value.first(), Some(&(TYPE_V2 | TYPE_V3))) {
        return None;
    }
    let mut walker = Walker { rest: value, parts: Vec::new() };
    walker.walk()?;
    Some(walker.parts)
}

/// What is the same on both sides of a stream's value, without its seal. None if it is no stream.
pub(crate) fn normal_form(value: &[u8]) -> Option<Vec<u8>> {
    let parts = walk(value)?;
    let same = parts.iter().skip(1).filter(|part| part.0 == Part::Same);
    Some(same.flat_map(|part| part.2.iter().copied()).collect())
}

/// A stream's value as 7.0 writes it. None if it is no stream as 7.2 writes it.
pub(crate) fn for_older_server(value: &[u8]) -> Option<Vec<u8>> {
    if value.first() != Some(&TYPE_V3) {
        return None;
    }
    let parts = walk(value)?;
    let kept = parts.iter().skip(1).filter(|part| part.0 != Part::Active);
    let rest = kept.flat_map(|part| part.1.iter().copied());
    Some(std::iter::once(TYPE_V2).chain(rest).collect())
}
