//! The words that commands are made of: few keys, so that they meet; numbers at the edges of what
//! fits; values around the lengths where encodings change. Putting them together is `generate`'s.

use crate::chance::Chance;

/// The group that a command's keys are from. Long values stay in their group, so that commands
/// whose cost is the product of two lengths never meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Short,
    Long,
    /// Mostly integers, so that counting succeeds.
    Integer,
    /// Mostly numbers of any kind.
    Real,
    /// Mostly of the type that its name says.
    List,
    Set,
    Zset,
    Hash,
    Stream,
    HyperLogLog,
}

impl Group {
    pub(crate) fn any(chance: &mut Chance) -> Self {
        const COLLECTIONS: [Group; 6] =
            [Group::List, Group::Set, Group::Zset, Group::Hash, Group::Stream, Group::HyperLogLog];
        match chance.below(8) {
            0..=2 => COLLECTIONS[chance.below(6) as usize],
            _ => Self::string(chance),
        }
    }

    /// A group whose keys hold strings.
    pub(crate) fn string(chance: &mut Chance) -> Self {
        match chance.below(24) {
            0 | 1 => Self::Long,
            2..=4 => Self::Integer,
            5 | 6 => Self::Real,
            _ => Self::Short,
        }
    }

    /// A key of this group.
    pub(crate) fn key(self, chance: &mut Chance) -> Vec<u8> {
        const USUAL: [&[u8]; 5] = [b"a", b"b", b"c", b"{t}1", b"{t}2"];
        const STRANGE: [&[u8]; 7] =
            [b"", b"\xff\x00\r\n", b"k*?[x]\\", b"10", b"A", b"hello", &[b'k'; 300]];
        match self {
            Self::Long => chance.pick::<[u8]>(&[b"long1", b"long2", b"long3"]).to_vec(),
            Self::Integer => chance.pick::<[u8]>(&[b"n1", b"n2", b"n3"]).to_vec(),
            Self::Real => chance.pick::<[u8]>(&[b"r1", b"r2"]).to_vec(),
            Self::List => chance.pick::<[u8]>(&[b"l1", b"l2", b"l3"]).to_vec(),
            Self::Set => chance.pick::<[u8]>(&[b"s1", b"s2", b"s3"]).to_vec(),
            Self::Zset => chance.pick::<[u8]>(&[b"z1", b"z2", b"z3"]).to_vec(),
            Self::Hash => chance.pick::<[u8]>(&[b"h1", b"h2", b"h3"]).to_vec(),
            Self::Stream => chance.pick::<[u8]>(&[b"x1", b"x2", b"x3"]).to_vec(),
            Self::HyperLogLog => chance.pick::<[u8]>(&[b"y1", b"y2", b"y3", b"y4"]).to_vec(),
            Self::Short if chance.one_in(6) => chance.pick::<[u8]>(&STRANGE).to_vec(),
            Self::Short => chance.pick::<[u8]>(&USUAL).to_vec(),
        }
    }

    /// A value for a key of this group.
    pub(crate) fn value(self, chance: &mut Chance) -> Vec<u8> {
        match self {
            Self::Long => long_value(chance),
            Self::Integer => integer(chance),
            Self::Real => float(chance),
            Self::Short
            | Self::List
            | Self::Set
            | Self::Zset
            | Self::Hash
            | Self::Stream
            | Self::HyperLogLog => value(chance),
        }
    }
}

fn value(chance: &mut Chance) -> Vec<u8> {
    match chance.below(10) {
        0..=3 => integer(chance),
        4 => float(chance),
        5 => letters(chance, 50),
        6 => {
            let len = 40 + chance.below(8);
            vec![b'x'; len as usize]
        }
        7 => {
            let len = chance.below(60);
            (0..len).map(|_| chance.below(256) as u8).collect()
        }
        8 => Vec::new(),
        _ => letters(chance, 600),
    }
}

fn long_value(chance: &mut Chance) -> Vec<u8> {
    const ABOUT: [usize; 6] = [64, 255, 4_000, 16_384, 20_000, 66_000];
    let len = ABOUT[chance.below(6) as usize] + chance.below(3) as usize - 1;
    match chance.below(3) {
        0 => vec![b'z'; len],
        1 => letters_of(chance, len),
        _ => (0..len).map(|_| chance.below(256) as u8).collect(),
    }
}

fn letters(chance: &mut Chance, len_end: u64) -> Vec<u8> {
    let len = chance.below(len_end);
    letters_of(chance, len as usize)
}

/// Text of four letters, so that two of them have much in common.
fn letters_of(chance: &mut Chance, len: usize) -> Vec<u8> {
    (0..len).map(|_| b"abcd"[chance.below(4) as usize]).collect()
}

/// An integer, or nearly one.
pub(crate) fn integer(chance: &mut Chance) -> Vec<u8> {
    const EDGES: [&str; 25] = [
        "0",
        "1",
        "-1",
        "9",
        "10",
        "127",
        "128",
        "-128",
        "-129",
        "255",
        "9999",
        "10000",
        "32767",
        "-32769",
        "65536",
        "2147483647",
        "2147483648",
        "-2147483648",
        "4294967296",
        "9223372036854775807",
        "9223372036854775806",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775807",
        "1000000000000000000",
    ];
    const NEARLY: [&str; 12] =
        ["-0", "01", "+1", " 1", "1 ", "", "1.0", "0x10", "1e3", "-", "99999999999999999999", "x"];
    match chance.below(10) {
        0 => chance.pick(&NEARLY).into(),
        1..=4 => chance.pick(&EDGES).into(),
        _ => (chance.below(400) as i64 - 200).to_string().into(),
    }
}

/// A number with a fraction or an exponent, or nearly one.
pub(crate) fn float(chance: &mut Chance) -> Vec<u8> {
    const EDGES: [&str; 34] = [
        "0.1",
        "-0.1",
        "3.0e3",
        "5.0e-20",
        "1e17",
        "1e18",
        "-1e19",
        "1e30",
        "1e308",
        "1e400",
        "-1e4931",
        "1.1e4932",
        "1e4933",
        "4.9e-324",
        "1e-4950",
        "0x1p-3",
        "0x1.8",
        "-0",
        "-0.0",
        ".5",
        "5.",
        "+1.5",
        "inf",
        "-inf",
        "+Infinity",
        "nan",
        "1e",
        "e5",
        "1.5 ",
        " 1.5",
        "1,5",
        "123456789012345678901234567890",
        "0.000000000000000001",
        "3.14159265358979323846264338327950288",
    ];
    match chance.below(6) {
        0 | 1 => chance.pick(&EDGES).into(),
        2 => integer(chance),
        3 => {
            let (digits, exponent) = (chance.below(u64::MAX), chance.below(60) as i64 - 40);
            format!("{digits}e{exponent}").into()
        }
        _ => {
            let (whole, part) = (chance.below(20_000) as i64 - 10_000, chance.below(100_000));
            format!("{whole}.{part}").into()
        }
    }
}

/// A place in a string.
pub(crate) fn index(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(8) {
        return integer(chance);
    }
    (chance.below(80) as i64 - 40).to_string().into()
}

/// A database.
pub(crate) fn database(chance: &mut Chance) -> Vec<u8> {
    const EDGES: [&str; 8] = ["15", "16", "-1", "x", "", "2147483648", "99999999999", "1.0"];
    if chance.one_in(15) {
        return chance.pick(&EDGES).into();
    }
    chance.below(3).to_string().into()
}

/// A glob pattern.
pub(crate) fn pattern(chance: &mut Chance) -> Vec<u8> {
    const WHOLE: [&[u8]; 12] = [
        b"*",
        b"a",
        b"{t}*",
        b"[ab]",
        b"[^a]",
        b"k\\*\\?\\[x\\]\\\\",
        b"k[*][?]*",
        b"",
        b"\xff*",
        b"long[12]",
        b"*[0-9]",
        b"n?",
    ];
    const PIECES: [&[u8]; 22] = [
        b"*", b"?", b"a", b"k", b"n", b"1", b"o", b"{t}", b"[", b"]", b"^", b"[^", b"-", b"[a-c]",
        b"[c-a]", b"[0-9]", b"\\", b"\\*", b"\\]", b"\xff", b"\x00", b"x",
    ];
    if chance.one_in(2) {
        return chance.pick::<[u8]>(&WHOLE).to_vec();
    }
    (0..1 + chance.below(5)).flat_map(|_| chance.pick::<[u8]>(&PIECES).to_vec()).collect()
}

/// A scale of time, and whether it counts from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeForm {
    pub(crate) unit_ms: u64,
    pub(crate) absolute: bool,
}

impl TimeForm {
    pub(crate) const SECONDS: Self = Self { unit_ms: 1000, absolute: false };
    pub(crate) const MILLISECONDS: Self = Self { unit_ms: 1, absolute: false };
    pub(crate) const UNIX_SECONDS: Self = Self { unit_ms: 1000, absolute: true };
    pub(crate) const UNIX_MILLISECONDS: Self = Self { unit_ms: 1, absolute: true };

    /// A time far ahead, or now and then one that does not fit.
    ///
    /// Two times that count from now are never close to each other, since the two sides read their
    /// clocks a little apart; those that do not are from a few, so that they can be equal.
    pub(crate) fn time(self, chance: &mut Chance) -> Vec<u8> {
        const EDGES: [&str; 8] = [
            "0",
            "-1",
            "-9223372036854775808",
            "9223372036854775807",
            "99999999999999999999",
            "1.5",
            "abc",
            "",
        ];
        const EDGES_S: [&str; 2] = ["9223372036854776", "-9223372036854776"];
        const YEAR_3000_MS: u64 = 32_503_680_000_000;
        if chance.one_in(12) {
            return chance.pick(&EDGES).into();
        }
        if self.unit_ms == 1000 && chance.one_in(40) {
            return chance.pick(&EDGES_S).into();
        }
        let ms = if self.absolute {
            YEAR_3000_MS + chance.below(3) * 1000
        } else {
            1_000_000_000 + chance.below(1 << 50) % 1_000_000_000_000
        };
        (ms / self.unit_ms).to_string().into()
    }
}
