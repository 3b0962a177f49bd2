//! `memory`: resident bytes a key beyond its key and value, and what collections take in all. Each
//! side loads its keys in a process of its own, so that no side inherits the other's pages.

use crate::measure::resident_bytes;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{FEED, KEY_LEN, KEYS, VALUE, VALUE_LEN, key};
use keyslot::Engine;
use keyslot::resp::encode_request;

/// A kind of collection: its name, and the command that adds what belongs to a number.
type Collection = (&'static str, fn(usize, &mut Vec<u8>));

/// Each is made of [`KEYS`] commands.
const COLLECTIONS: &[Collection] = &[
    ("hashes", |number, out| {
        let fields = (0..8).flat_map(|field| [format!("field{field}"), format!("value{field}")]);
        let words = ["HSET".to_owned(), format!("hash:{number}")].into_iter().chain(fields);
        encode_request(&words.collect::<Vec<_>>(), out);
    }),
    ("zset", |number, out| {
        let score = (number * 7_919 % KEYS).to_string();
        encode_request(&["ZADD", "zset", &score, &member(number)], out);
    }),
    ("set", |number, out| encode_request(&["SADD", "set", &member(number)], out)),
    ("hash", |number, out| {
        encode_request(&["HSET", "hash", &member(number), &format!("value:{number}")], out);
    }),
    ("list", |number, out| encode_request(&["RPUSH", "list", &member(number)], out)),
    ("stream", |number, out| {
        let id = format!("{}-0", number + 1);
        encode_request(&["XADD", "stream", &id, "field", &member(number)], out);
    }),
];

fn member(number: usize) -> String {
    format!("member:{number}")
}

const PAYLOAD: f64 = (KEY_LEN + VALUE_LEN) as f64;

fn overhead(bytes: f64) -> f64 {
    bytes / KEYS as f64 - PAYLOAD
}

/// Loads one side and prints by how many bytes the process grew since that side was there and empty,
/// which is what the other's `used_memory` is compared with as well.
pub(crate) fn child(case: &str) -> Result<(), String> {
    match case {
        "keyslot" => {
            let engine = Engine::default();
            print_growth(|| {
                (0..KEYS).for_each(|number| engine.set(&key(number), &VALUE).expect("no cluster"));
                Ok(())
            })
        }
        "kevy" => {
            let failed = |error: std::io::Error| error.to_string();
            let config = kevy_embedded::Config::default();
            let store = kevy_embedded::Store::open(config).map_err(failed)?;
            print_growth(|| {
                let mut all = 0..KEYS;
                all.try_for_each(|number| store.set(&key(number), &VALUE).map(drop)).map_err(failed)
            })
        }
        _ => {
            let collection = COLLECTIONS.iter().find(|(name, _)| *name == case);
            let (_, add) = collection.ok_or_else(|| format!("no such side: {case}"))?;
            let engine = Engine::default();
            let mut session = engine.session();
            print_growth(|| {
                let mut request = Vec::new();
                for number in 0..KEYS {
                    request.clear();
                    add(number, &mut request);
                    session.feed(&request);
                    session.consume_output(session.output().len());
                }
                Ok(())
            })
        }
    }
}

fn print_growth(load: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let before = resident_bytes();
    load()?;
    println!("{}", resident_bytes() - before);
    Ok(())
}

fn measure(case: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = std::process::Command::new(program).args(["--child", case]).output();
    let output = run.map_err(|error| error.to_string())?.stdout;
    let bytes = String::from_utf8_lossy(&output).trim().parse::<f64>();
    bytes.map_err(|error| format!("the side {case} said no number: {error}"))
}

fn redis() -> Result<f64, String> {
    let mut redis = Redis::start()?;
    let before = redis.info_number("used_memory");
    for number in 0..KEYS {
        let mut request = Vec::new();
        keyslot::resp::encode_request(&[b"SET", &key(number)[..], &VALUE], &mut request);
        redis.exchange(&request, b"+OK\r\n".len());
    }
    Ok(overhead(redis.info_number("used_memory") - before))
}

fn redis_collection((_, add): &Collection) -> Result<f64, String> {
    let mut redis = Redis::start()?;
    let before = redis.info_number("used_memory");
    for start in (0..KEYS).step_by(FEED) {
        let mut requests = Vec::new();
        (start..KEYS.min(start + FEED)).for_each(|number| add(number, &mut requests));
        redis.exchange_all(&requests);
    }
    Ok(redis.info_number("used_memory") - before)
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let ours = overhead(measure("keyslot")?);
    let kevy = overhead(measure("kevy")?);
    let peers = [("memory.string.redis", redis()?), ("memory.string.kevy", kevy)];
    for (id, theirs) in peers {
        let metric = "bytes a key beyond its payload";
        report.row(&Row { id, metric, unit: "bytes", ours, theirs, better: Better::Lower });
    }
    for collection in COLLECTIONS {
        let id = format!("memory.{}.redis", collection.0);
        let (ours, theirs) = (measure(collection.0)?, redis_collection(collection)?);
        let metric = "bytes in all";
        report.row(&Row { id: &id, metric, unit: "bytes", ours, theirs, better: Better::Lower });
    }
    Ok(())
}
