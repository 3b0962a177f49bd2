//! `algebra`: commands that go through much at once: bits of long strings, a thousand HyperLogLogs
//! and sets of a million members, beside redis-server. Both sides get the same bytes; replies are
//! short, but for those that are sets.

use crate::measure::{interleave, ns_per_op};
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::Chance;
use keyslot::resp::encode_request;
use keyslot::{Engine, Session};

/// Bytes of a long string.
const LONG: usize = 100_000_000;
/// HyperLogLogs that are merged.
const SKETCHES: usize = 1_000;
/// Elements that each of them has met: so many that its registers are dense.
const ELEMENTS: usize = 5_000;

/// Members of a set.
const MEMBERS: usize = 1_000_000;
/// Members that are added at once.
const ADDED: usize = 1_000;

/// Both sides with the same keys.
struct Sides {
    session: Session,
    redis: Redis,
}

impl Sides {
    fn start() -> Result<Self, String> {
        Ok(Self { session: Engine::default().session(), redis: Redis::start()? })
    }

    /// Gives both sides a command, whose reply is as long at both. Returns the length.
    fn both(&mut self, words: &[&[u8]]) -> usize {
        let request = request(words);
        self.session.feed(&request);
        let reply_len = self.session.take_output().len();
        self.redis.exchange(&request, reply_len);
        reply_len
    }

    /// Times a command that has been given once.
    fn compare(&mut self, report: &mut Report, id: &str, metric: &str, words: &[&[u8]]) {
        let reply_len = self.both(words);
        let request = request(words);
        let Self { session, redis } = self;
        let ours = || {
            ns_per_op(1_000_000, || {
                session.feed(&request);
                assert_eq!(session.take_output().len(), reply_len);
            })
        };
        let theirs = || ns_per_op(1_000_000, || redis.exchange(&request, reply_len));
        let (ours, theirs) = interleave(ours, theirs);
        report.row(&Row { id, metric, unit: "ms", ours, theirs, better: Better::Lower });
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut request = Vec::new();
    encode_request(words, &mut request);
    request
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    bits(report, &mut Sides::start()?);
    sketches(report, &mut Sides::start()?);
    sets(report, &mut Sides::start()?);
    Ok(())
}

fn bits(report: &mut Report, sides: &mut Sides) {
    let mut chance = Chance(1);
    for key in [&b"one"[..], b"other"] {
        let value: Vec<u8> = (0..LONG).map(|_| chance.below(256) as u8).collect();
        sides.both(&[b"SET", key, &value]);
    }
    let count: &[&[u8]] = &[b"BITCOUNT", b"one"];
    sides.compare(report, "algebra.bitcount.redis", "BITCOUNT of 100 MB", count);
    let and: &[&[u8]] = &[b"BITOP", b"AND", b"both", b"one", b"other"];
    sides.compare(report, "algebra.bitop.redis", "BITOP AND of twice 100 MB", and);
}

fn sketches(report: &mut Report, sides: &mut Sides) {
    let mut chance = Chance(2);
    let keys: Vec<Vec<u8>> = (0..SKETCHES).map(|n| format!("sketch:{n}").into_bytes()).collect();
    for key in &keys {
        let elements: Vec<Vec<u8>> =
            (0..ELEMENTS).map(|_| chance.below(usize::MAX).to_string().into_bytes()).collect();
        let mut words: Vec<&[u8]> = vec![b"PFADD", key];
        words.extend(elements.iter().map(|element| &element[..]));
        sides.both(&words);
    }
    let mut merge: Vec<&[u8]> = vec![b"PFMERGE", b"all"];
    merge.extend(keys.iter().map(|key| &key[..]));
    sides.compare(report, "algebra.pfmerge.redis", "PFMERGE of 1,000", &merge);
}

/// Two sets that have half of their members in common.
fn sets(report: &mut Report, sides: &mut Sides) {
    for (key, from) in [(&b"one"[..], 0), (b"other", MEMBERS / 2)] {
        for start in (from..from + MEMBERS).step_by(ADDED) {
            let members: Vec<Vec<u8>> =
                (start..start + ADDED).map(|n| format!("member:{n:07}").into_bytes()).collect();
            let mut words: Vec<&[u8]> = vec![b"SADD", key];
            words.extend(members.iter().map(|member| &member[..]));
            sides.both(&words);
        }
    }
    for (id, name) in [
        ("algebra.sinter.redis", "SINTER"),
        ("algebra.sunion.redis", "SUNION"),
        ("algebra.sdiff.redis", "SDIFF"),
    ] {
        let metric = format!("{name} of twice 1 M members");
        sides.compare(report, id, &metric, &[name.as_bytes(), b"one", b"other"]);
    }
    let store: &[&[u8]] = &[b"SUNIONSTORE", b"both", b"one", b"other"];
    sides.compare(report, "algebra.sunionstore.redis", "SUNIONSTORE of them", store);
}
