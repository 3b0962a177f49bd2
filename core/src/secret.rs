//! Passwords as they are kept: their SHA-256 and never they themselves, compared without telling by
//! the time it takes how much of one was right. New secrets are drawn from a secret of the host's.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a password.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// The digest of a password.
    pub(crate) fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// Reads 64 hexadecimal digits in lower case.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; 64] = text.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The 64 digits that [`Digest::parse`] reads.
    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Whether it is one of these. Takes as long wherever that is and whatever differs.
    pub(crate) fn is_among(&self, all: &[Self]) -> bool {
        let found = all.iter().fold(Choice::from(0), |found, other| found | self.0.ct_eq(&other.0));
        found.into()
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    /// Whoever reads a log shall not learn it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What new passwords are drawn from: the SHA-256 of a secret and a running number, which tells
/// nothing of the secret or of the other passwords.
pub(crate) struct Source {
    secret: [u8; 32],
    drawn: AtomicU64,
}

impl Source {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret, drawn: AtomicU64::new(0) }
    }

    /// A source that anybody can rebuild who knows or guesses the seed.
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self::new(Sha256::digest(seed.to_le_bytes()).into())
    }

    /// As many hexadecimal digits as asked for.
    pub(crate) fn digits(&self, count: usize) -> String {
        let mut digits = String::with_capacity(count + 64);
        while digits.len() < count {
            let number = self.drawn.fetch_add(1, Relaxed).to_le_bytes();
            let block = Sha256::new().chain_update(self.secret).chain_update(number).finalize();
            digits.push_str(&hex(&block));
        }
        digits.truncate(count);
        digits
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_is_sha_256_in_lower_case() {
        assert_eq!(Digest::of(b"abc").hex(), ABC);
        assert!(Digest::parse(ABC.as_bytes()) == Some(Digest::of(b"abc")));
        for wrong in [&ABC[1..], &ABC.to_uppercase(), &format!("{ABC}0"), &ABC.replace('b', "g")] {
            assert!(Digest::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_digest_is_found_wherever_it_is() {
        let all = [Digest::of(b"a"), Digest::of(b"b")];
        assert!(Digest::of(b"a").is_among(&all) && Digest::of(b"b").is_among(&all));
        assert!(!Digest::of(b"c").is_among(&all) && !Digest::of(b"a").is_among(&[]));
        assert_eq!(format!("{all:?}"), "[Digest, Digest]");
    }

    #[test]
    fn drawn_digits_differ_from_draw_to_draw_and_follow_from_the_secret() {
        let (one, same, other) = (Source::new([1; 32]), Source::new([1; 32]), Source::new([2; 32]));
        let first = one.digits(1024);
        assert_eq!(first.len(), 1024);
        assert_eq!(first, same.digits(1024));
        assert_ne!(first, other.digits(1024));
        assert_ne!(first, one.digits(1024));
        assert_eq!(one.digits(3).len(), 3);
    }
}
