//! Masters and replicas: REPLICAOF, SLAVEOF, ROLE, FAILOVER, and what they say to each other. An
//! engine opens no connection and follows nobody: it is a master without replicas, and says so.

use super::call::Call;
use super::table::{Command, Deprecation, Group, category, flag};
use crate::error::Error;
use crate::resp::number::parse_i64;

const FOLLOWING: u32 = flag::ADMIN | flag::NOSCRIPT | flag::STALE | flag::NO_ASYNC_LOADING;
const FED: u32 = flag::ADMIN | flag::NOSCRIPT | flag::NO_ASYNC_LOADING | flag::NO_MULTI;
const MASTER: &str = "args=(host-port=(host port:integer) | no-one=(NO ONE))";

const fn entry(name: &'static str, flags: u32) -> Command {
    Command { name, group: Group::Server, flags, ..Command::DEFAULT }
}

pub(super) const COMMANDS: &[Command] = &[
    Command {
        summary: "Starts a coordinated failover from a server to one of its replicas.",
        since: "6.2.0",
        grammar: "[TO target=(host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]",
        handler: failover,
        ..entry("failover", flag::ADMIN | flag::NOSCRIPT | flag::STALE)
    },
    Command {
        summary: "An internal command used in replication.",
        since: "2.8.0",
        complexity: "",
        grammar: "replicationid offset:integer",
        arity: Some(-3),
        handler: not_followed,
        ..entry("psync", FED)
    },
    Command {
        summary: "An internal command for configuring the replication stream.",
        since: "3.0.0",
        arity: Some(-1),
        internal: true,
        handler: not_followed,
        ..entry("replconf", REPLCONF)
    },
    Command {
        summary: "Configures a server as replica of another, or promotes it to a master.",
        since: "5.0.0",
        grammar: MASTER,
        handler: replicaof,
        ..entry("replicaof", FOLLOWING)
    },
    Command {
        summary: "Returns the replication role.",
        since: "2.8.12",
        categories: Some(category::ADMIN | category::DANGEROUS),
        handler: role,
        ..entry("role", flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST)
    },
    Command {
        summary: "Sets a Redis server as a replica of another, or promotes it to being a master.",
        grammar: MASTER,
        deprecated: Some(Deprecation { since: "5.0.0", replaced_by: "`REPLICAOF`" }),
        handler: replicaof,
        ..entry("slaveof", FOLLOWING)
    },
    Command {
        summary: "An internal command used in replication.",
        complexity: "",
        handler: not_followed,
        ..entry("sync", FED)
    },
];

const REPLCONF: u32 = flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::ALLOW_BUSY;

/// A replica that asks to be fed shall not think that it is.
fn not_followed(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let command = call.spec.name.to_ascii_uppercase();
    let start = "is not supported: an embedded engine feeds no replicas";
    Err(Error::repeating("", command.as_bytes(), &format!(" {start}")))
}

fn replicaof(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.env.cluster.is_some() {
        return Err(Error::err("REPLICAOF not allowed in cluster mode."));
    }
    let (host, port) = (call.words[1], call.words[2]);
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        // It is a master already.
        call.out.ok();
        return Ok(());
    }
    if !parse_i64(port).is_some_and(|port| (0..=65_535).contains(&port)) {
        return Err(Error::err("Invalid master port"));
    }
    Err(Error::err("REPLICAOF is not supported: an embedded engine opens no connection"))
}

fn role(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.array(3);
    call.out.bulk(b"master");
    call.out.integer(0);
    call.out.array(0);
    Ok(())
}

/// What FAILOVER asks for, as far as it matters without replicas.
#[derive(Debug, Default)]
struct Failover {
    abort: bool,
    target: bool,
    force: bool,
    timeout_ms: Option<i64>,
}

impl Failover {
    fn parse(mut words: &[&[u8]]) -> Result<Self, Error> {
        let mut failover = Self::default();
        while let [word, rest @ ..] = words {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            words = match rest {
                [ms, rest @ ..] if is(b"timeout") && failover.timeout_ms.is_none() => {
                    let ms = parse_i64(ms).ok_or(Error::NOT_INTEGER)?;
                    if ms <= 0 {
                        return Err(Error::err("FAILOVER timeout must be greater than 0"));
                    }
                    failover.timeout_ms = Some(ms);
                    rest
                }
                _ if is(b"abort") && failover.is_empty() && rest.is_empty() => {
                    failover.abort = true;
                    rest
                }
                [_host, port, rest @ ..] if is(b"to") && !failover.target => {
                    parse_i64(port).ok_or(Error::NOT_INTEGER)?;
                    failover.target = true;
                    rest
                }
                _ if is(b"force") && !failover.force => {
                    failover.force = true;
                    rest
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(failover)
    }

    fn is_empty(&self) -> bool {
        !(self.abort || self.target || self.force) && self.timeout_ms.is_none()
    }
}

fn failover(call: &mut Call<'_, '_>) -> Result<(), Error> {
    if call.env.cluster.is_some() {
        return Err(Error::err("FAILOVER not allowed in cluster mode."));
    }
    if Failover::parse(call.arguments())?.abort {
        return Err(Error::err("No failover in progress."));
    }
    Err(Error::err("FAILOVER requires connected replicas."))
}
