//! One node of a cluster: its name, where it listens, what it does. Which slots it owns is the
//! topology's to say.

use std::fmt;

/// The name of a node: 40 hexadecimal digits, which it keeps for life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; NodeId::LEN]);

impl NodeId {
    /// How many digits a name has.
    pub const LEN: usize = 40;

    /// Reads a name. None if it is not 40 hexadecimal digits in lower case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; Self::LEN] = text.try_into().ok()?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_digit).then_some(Self(digits))
    }

    /// Makes a name of random numbers.
    pub fn random(mut random: impl FnMut() -> u64) -> Self {
        let mut digits = [0; Self::LEN];
        for part in digits.chunks_mut(16) {
            let number = random();
            for (place, digit) in part.iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
            }
        }
        Self(digits)
    }

    /// A name that follows from this one.
    fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the digits are ASCII")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It owns slots.
    Primary,
    /// It holds a copy of what a primary holds.
    Replica {
        /// The primary.
        of: NodeId,
    },
}

/// Whether a node is there, as far as whoever watches the nodes knows. Gossip is not the engine's:
/// the host finds out, and says so in the topology or its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It is there.
    #[default]
    Online,
    /// It may be gone (`fail?`).
    Suspected,
    /// It is gone (`fail`): the cluster is down if it owns slots.
    Failed,
}

impl Health {
    /// The word for it in a cluster's record.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Suspected => "suspected",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Online, Self::Suspected, Self::Failed].into_iter().find(|one| one.name() == name)
    }
}

/// One node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// The address that clients are sent to.
    pub host: String,
    /// The port that clients are sent to.
    pub port: u16,
    /// What it does.
    pub role: Role,
    /// The version of its claim to its slots: of two claims to one slot the higher wins.
    pub config_epoch: u64,
    /// What it shares with its replicas, or with its primary.
    pub shard_id: NodeId,
    /// Whether it is there.
    pub health: Health,
}

impl Node {
    /// A primary whose config epoch is zero.
    pub fn primary(id: NodeId, host: impl Into<String>, port: u16) -> Self {
        Self {
            id,
            host: host.into(),
            port,
            role: Role::Primary,
            config_epoch: 0,
            shard_id: id.reversed(),
            health: Health::Online,
        }
    }

    /// The port that Redis nodes talk to each other on, by its convention.
    pub(crate) fn bus_port(&self) -> u32 {
        u32::from(self.port) + 10_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forty_digits() {
        let mut number = 0x0123_4567_89ab_cdef_u64;
        let id = NodeId::random(|| {
            number = number.rotate_left(8);
            number
        });
        assert_eq!(NodeId::parse(id.as_str().as_bytes()), Some(id));
        assert_eq!(NodeId::parse(&[b'a'; 39]), None);
        assert_eq!(NodeId::parse(&[b'A'; 40]), None);
        assert_eq!(NodeId::parse(&[b'g'; 40]), None);
    }
}
