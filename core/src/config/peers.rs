//! Which addresses clients may come from: single ones and ranges, of both versions of the protocol.

use std::net::{IpAddr, SocketAddr};

/// An address, or all that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    address: IpAddr,
    bits: u32,
}

impl Range {
    /// Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => bits_max,
        };
        (bits <= bits_max).then_some(Self { address, bits })
    }

    fn has(self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                u128::from(one.to_bits() ^ other.to_bits()) << 96
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= self.bits
    }
}

/// The list as it is kept, if each word is an address or a range.
pub(super) fn normalize(words: &[&[u8]]) -> super::kind::Normalized {
    let is_range =
        |word: &&[u8]| std::str::from_utf8(word).is_ok_and(|text| Range::parse(text).is_some());
    if words != [b""] && !words.iter().all(is_range) {
        return Err("argument must be addresses or ranges such as 192.0.2.0/24, or nothing");
    }
    Ok(words.join(&b' '))
}

/// Whether a list, empty for everybody, has the address of a peer, which is written `address:port`.
/// An address of version 4 inside one of version 6 is what it stands for.
pub(super) fn has(list: &[u8], peer: &str) -> bool {
    if list.is_empty() {
        return true;
    }
    let Ok(peer) = peer.parse::<SocketAddr>() else { return false };
    let address = peer.ip().to_canonical();
    let ranges = list.split(|&byte| byte == b' ');
    let mut ranges = ranges.filter_map(|text| Range::parse(std::str::from_utf8(text).ok()?));
    ranges.any(|range| range.has(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_by_their_first_bits() {
        for (list, peer, expected) in [
            ("", "10.0.0.1:5", true),
            ("10.0.0.1", "10.0.0.1:5", true),
            ("10.0.0.1", "10.0.0.2:5", false),
            ("10.0.0.0/8", "10.255.0.1:5", true),
            ("10.0.0.0/8", "11.0.0.1:5", false),
            ("10.1.2.3/9", "10.127.0.1:5", true),
            ("10.1.2.3/9", "10.128.0.1:5", false),
            ("0.0.0.0/0", "1.2.3.4:5", true),
            ("0.0.0.0/0", "[::1]:5", false),
            ("::/0", "[::1]:5", true),
            ("2001:db8::/33", "[2001:db8:7fff::1]:5", true),
            ("2001:db8::/33", "[2001:db8:8000::1]:5", false),
            ("10.0.0.0/8", "[::ffff:10.1.1.1]:5", true),
            ("10.0.0.1 ::1 192.0.2.0/24", "192.0.2.200:5", true),
            ("10.0.0.1 ::1", "[::1]:80", true),
            ("10.0.0.1", "nonsense", false),
            ("10.0.0.1", "", false),
        ] {
            assert_eq!(has(list.as_bytes(), peer), expected, "{list} {peer}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let takes = |text: &str| normalize(&super::super::kind::split(text.as_bytes())).is_ok();
        for right in ["", "10.0.0.1", "10.0.0.0/0", "::/128 1.1.1.1/32"] {
            assert!(takes(right), "{right}");
        }
        for wrong in ["x", "10.0.0.1/33", "::/129", "10.0.0.1/", "10.0.0.1/+8", "10.0.0/8", " "] {
            assert!(!takes(wrong), "{wrong}");
        }
    }
}
