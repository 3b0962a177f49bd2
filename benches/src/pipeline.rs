//! `pipeline`: RESP bytes in, RESP bytes out, 64 commands a feed.

use crate::measure::{interleave, ns_per_op};
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, Commands, FEED, KEYS, MAINTAIN_LOADED, Mix, VALUE, VALUE_LEN, key};
use bytes::Bytes;
use keyslot::{Engine, Session};

/// Commands in a round.
pub(crate) const COMMANDS: usize = 512 << 10;

type Map = hashbrown::HashMap<Bytes, Bytes>;

pub(crate) fn loaded_engine() -> Engine {
    let engine = Engine::default();
    (0..KEYS).for_each(|number| engine.set(&key(number), &VALUE).expect("no cluster"));
    while engine.maintain(MAINTAIN_LOADED) {}
    engine
}

/// Feeds a session one workload and takes every reply.
pub(crate) fn run_session(session: &mut Session, commands: &Commands) {
    for (feed, reply_len) in commands.feeds.iter().zip(&commands.reply_lens) {
        session.feed(feed);
        assert_eq!(session.output().len(), *reply_len);
        session.consume_output(*reply_len);
    }
}

/// The same work as a plain loop over a map: find, and copy the value out; or insert copies.
fn run_map(map: &mut Map, commands: &Commands, out: &mut Vec<u8>) {
    for (number, key) in commands.keys.iter().enumerate() {
        if commands.mix.is_set(number) {
            map.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(&VALUE));
        } else if let Some(value) = map.get(&key[..]) {
            out.extend_from_slice(value);
        }
        if number % FEED == FEED - 1 {
            std::hint::black_box(&out);
            out.clear();
        }
    }
}

fn loaded_map() -> Map {
    let entry = |number| (Bytes::copy_from_slice(&key(number)), Bytes::copy_from_slice(&VALUE));
    (0..KEYS).map(entry).collect()
}

/// Stores the usual keys.
pub(crate) fn load_redis(redis: &mut Redis) {
    for start in (0..KEYS).step_by(1_000) {
        let mut request = Vec::new();
        for number in start..start + 1_000 {
            keyslot::resp::encode_request(&[b"SET", &key(number)[..], &VALUE], &mut request);
        }
        redis.exchange(&request, 1_000 * b"+OK\r\n".len());
    }
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let engine = loaded_engine();
    let mut session = engine.session();
    let mut map = loaded_map();
    let mut redis = Redis::start()?;
    load_redis(&mut redis);
    let mut out = Vec::with_capacity(FEED * VALUE_LEN);
    let mut chance = Chance(2);
    for mix in Mix::ALL {
        let commands = Commands::new(mix, COMMANDS, &mut chance);
        let mut ours = || ns_per_op(COMMANDS, || run_session(&mut session, &commands));
        let mut row = |peer: &str, (ours, theirs): (f64, f64)| {
            let id = format!("pipeline.{}.{peer}", mix.name());
            let metric = "time of a command";
            report.row(&Row { id: &id, metric, unit: "ns", ours, theirs, better: Better::Lower });
        };
        let plain = || ns_per_op(COMMANDS, || run_map(&mut map, &commands, &mut out));
        row("hashbrown", interleave(&mut ours, plain));
        let peer = || ns_per_op(COMMANDS, || redis.run(&commands));
        row("redis", interleave(&mut ours, peer));
    }
    Ok(())
}
