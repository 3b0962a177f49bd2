//! `memory`: resident bytes a key beyond its key and value. Each side loads its keys in a process
//! of its own, so that no side inherits the other's pages.

use crate::measure::resident_bytes;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use crate::workload::{KEY_LEN, KEYS, VALUE, VALUE_LEN, key};
use keyslot::Engine;

const PAYLOAD: f64 = (KEY_LEN + VALUE_LEN) as f64;

fn overhead(bytes: f64) -> f64 {
    bytes / KEYS as f64 - PAYLOAD
}

/// Loads one side and prints by how many bytes the process grew.
pub(crate) fn child(case: &str) -> Result<(), String> {
    let before = resident_bytes();
    let kept: Box<dyn std::any::Any> = match case {
        "keyslot" => {
            let engine = Engine::default();
            (0..KEYS).for_each(|number| engine.set(&key(number), &VALUE).expect("no cluster"));
            Box::new(engine)
        }
        "kevy" => {
            let failed = |error: std::io::Error| error.to_string();
            let config = kevy_embedded::Config::default();
            let store = kevy_embedded::Store::open(config).map_err(failed)?;
            for number in 0..KEYS {
                store.set(&key(number), &VALUE).map_err(failed)?;
            }
            Box::new(store)
        }
        _ => return Err(format!("no such side: {case}")),
    };
    println!("{}", resident_bytes() - before);
    drop(kept);
    Ok(())
}

fn measure(case: &str) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = std::process::Command::new(program).args(["--child", case]).output();
    let output = run.map_err(|error| error.to_string())?.stdout;
    let bytes = String::from_utf8_lossy(&output).trim().parse::<f64>();
    bytes.map(overhead).map_err(|error| format!("the side {case} said no number: {error}"))
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

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let ours = measure("keyslot")?;
    let peers = [("memory.string.redis", redis()?), ("memory.string.kevy", measure("kevy")?)];
    for (id, theirs) in peers {
        let metric = "bytes a key beyond its payload";
        report.row(&Row { id, metric, unit: "bytes", ours, theirs, better: Better::Lower });
    }
    Ok(())
}
