//! `python`: the Python package's `engine.get` beside a plain dict and beside redis-py, by the
//! script `python_get.py`, which does the measuring.

use crate::pipeline::load_redis;
use crate::redis::Redis;
use crate::row::{Better, Report, Row};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter that has the package: the one that is named, or that of the tests.
fn interpreter() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("KEYSLOT_PYTHON") {
        return Ok(named.into());
    }
    let usual = here().join("../tests/build/venv/bin/python");
    if usual.exists() {
        return Ok(usual);
    }
    Err("no Python has the package: tests/python/run makes one, or KEYSLOT_PYTHON names one".into())
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the script and returns its lines.
fn measure(interpreter: &Path, redis: &Redis) -> Result<String, String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", interpreter.display());
    let script = here().join("python_get.py");
    let output = Command::new(interpreter)
        .arg(script)
        .arg(redis.socket())
        .output()
        .map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The peer and both figures of a line.
fn parse(line: &str) -> Option<(&str, f64, f64)> {
    let mut words = line.split(' ');
    let (peer, ours, theirs) = (words.next()?, words.next()?, words.next()?);
    Some((peer, ours.parse().ok()?, theirs.parse().ok()?))
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let interpreter = interpreter()?;
    let mut redis = Redis::start()?;
    load_redis(&mut redis);
    for line in measure(&interpreter, &redis)?.lines() {
        let (peer, ours, theirs) = parse(line).ok_or_else(|| format!("not a figure: {line}"))?;
        let id = format!("python.get.{peer}");
        let metric = "time of a get";
        report.row(&Row { id: &id, metric, unit: "ns", ours, theirs, better: Better::Lower });
    }
    Ok(())
}
