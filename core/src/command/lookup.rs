//! From the words of a request to the command that they ask for. What a command is, the table says.

use super::table::{Spec, specs};
use crate::error::{Error, ErrorKind};
use std::sync::OnceLock;

/// Finds the command that words ask for, and checks how many they are. There is a first word.
///
/// # Errors
/// `ERR unknown command`, `ERR unknown subcommand` and `ERR wrong number of arguments`.
#[inline]
pub(crate) fn lookup(words: &[&[u8]]) -> Result<&'static Spec, Error> {
    match find(words) {
        Some(spec) if spec.takes(words.len()) => Ok(spec),
        Some(spec) => Err(Error::arity(&spec.name)),
        None => Err(unknown(words, index().find(words[0]).is_some())),
    }
}

/// Finds the command that words ask for, whether or not they are as many as it takes.
#[inline]
pub(crate) fn find(words: &[&[u8]]) -> Option<&'static Spec> {
    let spec = index().find(words[0])?;
    match words.get(1) {
        Some(word) if !spec.subcommands.is_empty() => subcommand(spec, word),
        _ => Some(spec),
    }
}

/// Finds a command by its name in full, such as `get` or `config|get`.
pub(crate) fn by_name(name: &[u8]) -> Option<&'static Spec> {
    let mut parts = name.splitn(2, |&byte| byte == b'|');
    let spec = index().find(parts.next()?)?;
    match parts.next() {
        Some(word) => subcommand(spec, word),
        None => Some(spec),
    }
}

pub(super) fn subcommand(spec: &'static Spec, word: &[u8]) -> Option<&'static Spec> {
    let same = |one: &&Spec| one.command.name.as_bytes().eq_ignore_ascii_case(word);
    spec.subcommands.iter().find(same)
}

/// Finds a command, without its subcommands, by its name.
pub(super) fn top(name: &[u8]) -> Option<&'static Spec> {
    index().find(name)
}

/// The longest part of a request that an error repeats.
const ECHO_BYTES_MAX: usize = 128;

/// The error of words that ask for no command, or for none of the subcommands of one that has
/// some.
#[cold]
pub(super) fn unknown(words: &[&[u8]], is_container: bool) -> Error {
    let mut text;
    if is_container {
        text = b"unknown subcommand '".to_vec();
        text.extend(printed(words[1], ECHO_BYTES_MAX));
        text.extend(b"'. Try ");
        text.extend(words[0].to_ascii_uppercase());
        text.extend(b" HELP.");
    } else {
        text = b"unknown command '".to_vec();
        text.extend(printed(words[0], ECHO_BYTES_MAX));
        text.extend(b"', with args beginning with: ");
        let start = text.len();
        for word in &words[1..] {
            let written = text.len() - start;
            if written >= ECHO_BYTES_MAX {
                break;
            }
            text.push(b'\'');
            text.extend(printed(word, ECHO_BYTES_MAX - written));
            text.extend(b"' ");
        }
    }
    Error::new(ErrorKind::Err, text)
}

/// The first bytes of a word as C prints them, so up to a zero.
fn printed(word: &[u8], len_max: usize) -> impl Iterator<Item = u8> {
    word.iter().copied().take(len_max).take_while(|&byte| byte != 0)
}

/// The commands by name: open addressing over a digest that holds a name of up to 16 bytes whole,
/// so that finding one compares two numbers and reads the name again only if it is longer.
struct Index {
    slots: Box<[Option<Slot>]>,
}

#[derive(Clone, Copy)]
struct Slot {
    digest: Digest,
    spec: &'static Spec,
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| Index::new(specs()))
}

impl Index {
    fn new(specs: &'static [Spec]) -> Self {
        let mut slots = vec![None; (4 * specs.len()).next_power_of_two()];
        for spec in specs {
            let digest = Digest::of(spec.name.as_bytes());
            let mut at = digest.hash() & (slots.len() - 1);
            while slots[at].is_some() {
                at = (at + 1) & (slots.len() - 1);
            }
            slots[at] = Some(Slot { digest, spec });
        }
        Self { slots: slots.into() }
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&'static Spec> {
        let digest = Digest::of(name);
        let mask = self.slots.len() - 1;
        let mut at = digest.hash() & mask;
        while let Some(slot) = &self.slots[at & mask] {
            if slot.digest == digest && (name.len() <= 16 || slot.is_named(name)) {
                return Some(slot.spec);
            }
            at += 1;
        }
        None
    }
}

impl Slot {
    fn is_named(&self, name: &[u8]) -> bool {
        self.spec.name.as_bytes().eq_ignore_ascii_case(name)
    }
}

/// The length of a name, and its first and its last eight bytes in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Digest {
    first: u64,
    last: u64,
    len: usize,
}

impl Digest {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (short(name), 0),
        };
        Self { first: lower(first), last: lower(last), len: name.len() }
    }

    #[inline]
    fn hash(self) -> usize {
        let mixed = (self.first ^ self.last.rotate_left(23)).wrapping_add(self.len as u64);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
    }
}

/// Up to seven bytes in one number, with overlaps in the middle; the length tells the overlaps
/// apart.
#[inline]
fn short(name: &[u8]) -> u64 {
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => match *name {
            [] => 0,
            [a] => u64::from(a),
            [a, b] => u64::from(a) << 8 | u64::from(b),
            [a, b, ref rest @ ..] => u64::from(a) << 16 | u64::from(b) << 8 | u64::from(rest[0]),
        },
    }
}

/// Eight bytes with those of `A` to `Z` in lower case.
#[inline]
fn lower(bytes: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let low = bytes & (ONES * 0x7f);
    // The top bit of each byte says whether its low seven reach `A`, and whether they exceed `Z`.
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let after_z = low + ONES * (0x7f - b'Z' as u64);
    let upper = (from_a ^ after_z) & !bytes & (ONES * 0x80);
    bytes | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_is_the_plain_lower_case_of_each_byte() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut bytes = [b'a', b'Z', 0x80, 0xff, b'@', b'[', 0, b'Q'];
                bytes[place] = byte;
                let expected = u64::from_le_bytes(bytes.map(|byte| byte.to_ascii_lowercase()));
                assert_eq!(lower(u64::from_le_bytes(bytes)), expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn every_command_is_found_in_any_case_and_by_nothing_else() {
        for spec in specs() {
            let name = spec.name.as_bytes();
            assert!(std::ptr::eq(find(&[name]).unwrap(), spec));
            assert!(std::ptr::eq(find(&[&name.to_ascii_uppercase()]).unwrap(), spec));
            assert!(std::ptr::eq(by_name(name).unwrap(), spec));
            for place in 0..name.len() {
                let mut other = name.to_vec();
                other[place] ^= 0x80;
                assert!(find(&[&other]).is_none());
                other[place] = b'.';
                assert!(find(&[&other]).is_none());
            }
            assert!(find(&[&[name, b"\0"].concat()]).is_none());
        }
        assert!(find(&[b""]).is_none());
    }

    #[test]
    fn long_names_are_told_apart_by_their_middle() {
        let name = b"georadiusbymember_ro";
        let mut other = *name;
        other[9] = b'X';
        assert!(Digest::of(name) == Digest::of(&other));
        assert!(Digest::of(b"GeoRadiusByMember_RO") == Digest::of(name));
    }

    fn error(words: &[&[u8]]) -> String {
        lookup(words).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_command_is_told_with_what_followed_it_up_to_a_limit() {
        assert_eq!(
            error(&[b"foo", b"a", b"b\0c"]),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' "
        );
        assert_eq!(error(&[b"x\r\n"]), "ERR unknown command 'x  ', with args beginning with: ");
        let long = [b'y'; 200];
        let (first, rest) = ("y".repeat(128), "y".repeat(122));
        assert_eq!(
            error(&[&long, b"abc", &long, b"d"]),
            format!("ERR unknown command '{first}', with args beginning with: 'abc' '{rest}' ")
        );
    }

    #[test]
    fn the_number_of_words_is_checked() {
        assert_eq!(error(&[b"GET"]), "ERR wrong number of arguments for 'get' command");
        assert_eq!(error(&[b"get", b"a", b"b"]), "ERR wrong number of arguments for 'get' command");
        assert!(lookup(&[b"get", b"a"]).is_ok());
    }
}
