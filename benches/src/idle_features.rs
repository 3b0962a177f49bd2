//! `idle_features`: what a GET in a pipeline costs with everything there that could look at it and
//! does not.
//!
//! Ours is an engine with the settings that are usual: latencies are tracked, the slow log is on, a
//! user may do everything. The other sides are the same engine, from the same build, with what can
//! be turned off off; with every class of keyspace events published to nobody and other sessions
//! that listen, watch and wait for other keys; and with calls counted by a user with rules.

use crate::measure::{interleave, ns_per_op};
use crate::pipeline::{COMMANDS, loaded_engine, run_session};
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, Commands, Mix};
use keyslot::{Engine, Session};

fn say(session: &mut Session, request: &str) {
    session.feed(format!("{request}\r\n").as_bytes());
    let output = session.take_output();
    assert!(!output.starts_with(b"-"), "{}", output.escape_ascii());
}

/// Sessions that have something to do with other keys.
fn neighbours(engine: &Engine) -> Vec<Session> {
    let lines = ["SUBSCRIBE news", "PSUBSCRIBE other:*", "WATCH other", "BLPOP queue 0", "MULTI"];
    let open = |line: &&str| {
        let mut session = engine.session();
        say(&mut session, line);
        session
    };
    lines.iter().map(open).collect()
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let engine = loaded_engine();
    let (mut session, mut other) = (engine.session(), engine.session());
    let commands = Commands::new(Mix::Get, COMMANDS, &mut Chance(2));
    let set =
        |name: &str, value: &str| engine.config_set(name, value).map_err(|error| error.to_string());
    let mut row = |peer: &str, (ours, theirs): (f64, f64)| {
        let id = format!("idle_features.{peer}");
        let metric = "time of a GET in a pipeline";
        report.row(&Row { id: &id, metric, unit: "ns", ours, theirs, better: Better::Lower });
    };
    let usual = &mut || {
        engine.config_set("latency-tracking", "yes").expect("it can be set");
        engine.config_set("slowlog-log-slower-than", "10000").expect("it can be set");
        ns_per_op(COMMANDS, || run_session(&mut session, &commands))
    };
    let figures = interleave(&mut *usual, || {
        engine.config_set("latency-tracking", "no").expect("it can be set");
        engine.config_set("slowlog-log-slower-than", "-1").expect("it can be set");
        ns_per_op(COMMANDS, || run_session(&mut other, &commands))
    });
    row("turned_off", figures);
    let _neighbours = neighbours(&engine);
    set("notify-keyspace-events", "KEA")?;
    set("latency-monitor-threshold", "100")?;
    let mut user = engine.session();
    say(&mut user, "ACL SETUSER bob on >pw ~user:* +@read -@dangerous");
    say(&mut user, "AUTH bob pw");
    let figures =
        interleave(&mut *usual, || ns_per_op(COMMANDS, || run_session(&mut user, &commands)));
    row("user_with_rules", figures);
    Ok(())
}
