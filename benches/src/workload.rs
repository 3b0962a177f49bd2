//! Keys, values and chance, the same for every side.

/// Keys in the usual set.
pub(crate) const KEYS: usize = 1_000_000;
pub(crate) const KEY_LEN: usize = 32;
pub(crate) const VALUE_LEN: usize = 64;
/// A value of the usual size.
pub(crate) const VALUE: [u8; VALUE_LEN] = [b'v'; VALUE_LEN];

/// The `number`-th key: 24 letters and 8 hexadecimal digits.
pub(crate) fn key(number: usize) -> [u8; KEY_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut key = *b"user:profile:session:id:________";
    for (place, byte) in key[KEY_LEN - 8..].iter_mut().rev().enumerate() {
        *byte = DIGITS[number >> (4 * place) & 15];
    }
    key
}

/// The budget of upkeep that a host gives an engine once it is loaded: enough to lay its memory on
/// huge pages.
pub(crate) const MAINTAIN_LOADED: usize = 100_000;

/// A sequence of numbers by chance (splitmix64), the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ z >> 31) * limit as u128) >> 64) as usize
    }
}

/// Which commands a pipeline holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    Get,
    Set,
    /// Ten GETs to one SET.
    TenToOne,
}

impl Mix {
    pub(crate) const ALL: [Self; 3] = [Self::Get, Self::Set, Self::TenToOne];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::TenToOne => "mix",
        }
    }

    pub(crate) fn is_set(self, number: usize) -> bool {
        match self {
            Self::Get => false,
            Self::Set => true,
            Self::TenToOne => number % 11 == 10,
        }
    }
}

/// Commands in one feed.
pub(crate) const FEED: usize = 64;

/// Commands over uniformly chosen keys, as RESP in feeds of [`FEED`], and as plain numbers.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) mix: Mix,
    pub(crate) keys: Vec<[u8; KEY_LEN]>,
    pub(crate) feeds: Vec<Vec<u8>>,
    /// How long the replies to each feed are, when every key exists.
    pub(crate) reply_lens: Vec<usize>,
}

impl Commands {
    pub(crate) fn new(mix: Mix, count: usize, chance: &mut Chance) -> Self {
        let keys: Vec<_> = (0..count).map(|_| key(chance.below(KEYS))).collect();
        let mut commands = Self { mix, keys, feeds: Vec::new(), reply_lens: Vec::new() };
        for start in (0..count).step_by(FEED) {
            let (mut feed, mut reply_len) = (Vec::new(), 0);
            for number in start..(start + FEED).min(count) {
                reply_len += commands.encode(number, &mut feed);
            }
            commands.feeds.push(feed);
            commands.reply_lens.push(reply_len);
        }
        commands
    }

    fn encode(&self, number: usize, feed: &mut Vec<u8>) -> usize {
        let key = &self.keys[number][..];
        if self.mix.is_set(number) {
            keyslot::resp::encode_request(&[b"SET", key, &VALUE], feed);
            b"+OK\r\n".len()
        } else {
            keyslot::resp::encode_request(&[b"GET", key], feed);
            b"$64\r\n".len() + VALUE_LEN + 2
        }
    }
}
