//! The session about itself: PING, HELLO, AUTH and their family. CLIENT has a file of its own.

use super::call::Call;
use super::client_command;
use super::table::{Command, Deprecation, Group, flag};
use crate::error::{Error, ErrorKind};
use crate::resp::Protocol;
use crate::resp::number::parse_i64;

/// The version of Redis that this engine speaks like.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

const SESSION: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::FAST;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "auth",
        summary: "Authenticates the connection.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        group: Group::Connection,
        flags: SESSION | flag::NO_AUTH | flag::ALLOW_BUSY,
        grammar: "[username@6.0.0] password",
        history: &[("6.0.0", "Added ACL style (username and password).")],
        handler: auth,
        ..Command::DEFAULT
    },
    client_command::CLIENT,
    Command {
        name: "echo",
        summary: "Returns the given string.",
        group: Group::Connection,
        flags: flag::LOADING | flag::STALE | flag::FAST,
        grammar: "message",
        handler: echo,
        ..Command::DEFAULT
    },
    Command {
        name: "hello",
        summary: "Handshakes with the Redis server.",
        since: "6.0.0",
        group: Group::Connection,
        flags: SESSION | flag::NO_AUTH | flag::ALLOW_BUSY,
        grammar: "arguments=[protover:integer [AUTH auth=(username password)] \
                  [SETNAME clientname]]",
        history: &[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current \
             connection's context.",
        )],
        handler: hello,
        ..Command::DEFAULT
    },
    Command {
        name: "ping",
        summary: "Returns the server's liveliness response.",
        group: Group::Connection,
        flags: flag::FAST,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        grammar: "[message]",
        handler: ping,
        ..Command::DEFAULT
    },
    Command {
        name: "quit",
        summary: "Closes the connection.",
        group: Group::Connection,
        flags: SESSION | flag::NO_AUTH | flag::ALLOW_BUSY,
        arity: Some(-1),
        deprecated: Some(Deprecation {
            since: "7.2.0",
            replaced_by: "just closing the connection",
        }),
        handler: quit,
        ..Command::DEFAULT
    },
    Command {
        name: "reset",
        summary: "Resets the connection.",
        since: "6.2.0",
        group: Group::Connection,
        flags: SESSION | flag::NO_AUTH | flag::ALLOW_BUSY,
        handler: reset,
        ..Command::DEFAULT
    },
    Command {
        name: "select",
        summary: "Changes the selected database.",
        group: Group::Connection,
        flags: flag::LOADING | flag::STALE | flag::FAST,
        grammar: "index:integer",
        handler: select,
        ..Command::DEFAULT
    },
];

const NO_PASSWORD: Error = Error::err(
    "AUTH <password> called without any password configured for the default user. Are you sure \
     your configuration is correct?",
);
const HELLO_UNAUTHENTICATED: Error = Error::fixed(
    ErrorKind::NoAuth,
    "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
     <user> <pass> option can be used to authenticate the client and select the RESP protocol \
     version at the same time",
);

fn ping(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.arguments() {
        [] | [_] if call.client.only_listens() => {
            call.out.array(2);
            call.out.bulk(b"pong");
            call.out.bulk(call.arguments().first().copied().unwrap_or_default());
        }
        [] => call.out.status("PONG"),
        [message] => call.out.bulk(message),
        _ => return Err(Error::arity("ping")),
    }
    Ok(())
}

fn echo(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.bulk(call.words[1]);
    Ok(())
}

fn quit(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.closing = true;
    call.out.ok();
    Ok(())
}

fn reset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.reset(call.env, call.keys);
    call.client.become_default(call.env);
    call.out.set_protocol(Protocol::Resp2);
    call.out.status("RESET");
    Ok(())
}

fn select(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.db = parse_database_argument(call, call.words[1])?;
    call.out.ok();
    Ok(())
}

/// Reads the number of a database that exists.
pub(super) fn parse_database_argument(call: &Call<'_, '_>, word: &[u8]) -> Result<usize, Error> {
    const OUT_OF_RANGE: Error =
        Error::err("value is out of range, value must between -2147483648 and 2147483647");
    let not_integer = if parse_i64(word).is_some() { OUT_OF_RANGE } else { Error::NOT_INTEGER };
    existing_database(call, parse_database(word, not_integer)?)
}

/// Reads the number of a database, which may not exist; `not_integer` says that it is no integer of
/// 32 bits.
pub(super) fn parse_database(word: &[u8], not_integer: Error) -> Result<i32, Error> {
    parse_i64(word).and_then(|number| i32::try_from(number).ok()).ok_or(not_integer)
}

/// Refuses the number of a database that does not exist.
pub(super) fn existing_database(call: &Call<'_, '_>, number: i32) -> Result<usize, Error> {
    let databases = call.keys.keyspace().databases();
    let number = usize::try_from(number).ok().filter(|&number| number < databases);
    number.ok_or(Error::DB_OUT_OF_RANGE)
}

fn auth(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.arguments() {
        [_] if !call.env.users.default_user().needs_password() => return Err(NO_PASSWORD),
        [password] => authenticate(call, b"default", password)?,
        [user, password] => authenticate(call, user, password)?,
        _ => return Err(Error::SYNTAX),
    }
    call.out.ok();
    Ok(())
}

fn authenticate(call: &mut Call<'_, '_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    call.client.log_in(call.env, user, password, call.words[0], now_ms)
}

/// What HELLO was asked for.
#[derive(Debug, Default)]
struct HelloOptions<'a> {
    protocol: Option<Protocol>,
    login: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> HelloOptions<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        let Some((version, mut rest)) = words.split_first() else { return Ok(options) };
        options.protocol = Some(parse_protocol(version)?);
        loop {
            rest = match rest {
                [] => return Ok(options),
                [word, user, password, after @ ..] if word.eq_ignore_ascii_case(b"auth") => {
                    options.login = Some((user, password));
                    after
                }
                [word, name, after @ ..] if word.eq_ignore_ascii_case(b"setname") => {
                    client_command::check_name(name)?;
                    options.name = Some(name);
                    after
                }
                [word, ..] => return Err(unknown_hello_option(word)),
            }
        }
    }
}

fn parse_protocol(word: &[u8]) -> Result<Protocol, Error> {
    match parse_i64(word) {
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(Error::fixed(ErrorKind::NoProto, "unsupported protocol version")),
        None => Err(Error::err("Protocol version is not an integer or out of range")),
    }
}

fn unknown_hello_option(word: &[u8]) -> Error {
    Error::repeating("Syntax error in HELLO option '", word, "'")
}

fn hello(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let options = HelloOptions::parse(call.arguments())?;
    if let Some((user, password)) = options.login {
        authenticate(call, user, password)?;
    }
    if !call.client.identity.is_logged_in() {
        return Err(HELLO_UNAUTHENTICATED);
    }
    if let Some(name) = options.name {
        call.client.labels().name = name.to_vec();
    }
    if let Some(protocol) = options.protocol {
        call.client.protocol = protocol;
        call.out.set_protocol(protocol);
    }
    write_hello(call);
    Ok(())
}

fn write_hello(call: &mut Call<'_, '_>) {
    let version = match call.client.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    let mode = call.env.mode();
    let out = &mut *call.out;
    out.map(7);
    for (name, text) in [("server", "redis"), ("version", REDIS_VERSION)] {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    for (name, number) in [("proto", version), ("id", call.client.id as i64)] {
        out.bulk(name.as_bytes());
        out.integer(number);
    }
    for (name, text) in [("mode", mode), ("role", "master")] {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    out.bulk(b"modules");
    out.array(0);
}
