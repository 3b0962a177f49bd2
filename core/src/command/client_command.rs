//! CLIENT and its subcommands: who is connected, under what name, and how replies are wanted.

use super::call::Call;
use super::card::{Card, Labels, mark};
use super::client::{ReplyMode, is_unix_socket};
use super::table::{Command, Group, flag};
use super::wait::Release;
use crate::error::Error;
use crate::resp::number::parse_i64;
use std::sync::atomic::Ordering::Relaxed;

const FLAGS: u32 = flag::NOSCRIPT | flag::LOADING | flag::STALE;

const fn subcommand(name: &'static str) -> Command {
    Command { name, group: Group::Connection, flags: FLAGS, ..Command::DEFAULT }
}

pub(super) const CLIENT: Command = Command {
    name: "client",
    summary: "A container for client connection commands.",
    since: "2.4.0",
    group: Group::Connection,
    subcommands: SUBCOMMANDS,
    help: HELP,
    ..Command::CONTAINER
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Returns the name of the connection.",
        since: "2.6.9",
        handler: getname,
        ..subcommand("getname")
    },
    Command { since: "5.0.0", group: Group::Connection, ..Command::HELP },
    Command {
        summary: "Returns the unique client ID of the connection.",
        since: "5.0.0",
        handler: id,
        ..subcommand("id")
    },
    Command {
        summary: "Returns information about the connection.",
        since: "6.2.0",
        tips: &["nondeterministic_output"],
        handler: info,
        ..subcommand("info")
    },
    Command {
        summary: "Lists open connections.",
        since: "2.4.0",
        complexity: "O(N) where N is the number of client connections",
        flags: FLAGS | flag::ADMIN,
        tips: &["nondeterministic_output"],
        grammar: "[TYPE client-type=(NORMAL | MASTER | REPLICA | PUBSUB)]@5.0.0 [ID \
                  client-id:integer...]@6.2.0",
        history: &[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` \
                 filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ],
        handler: list,
        ..subcommand("list")
    },
    Command {
        summary: "Sets the client eviction mode of the connection.",
        since: "7.0.0",
        flags: FLAGS | flag::ADMIN,
        grammar: "enabled=(ON | OFF)",
        handler: no_evict,
        ..subcommand("no-evict")
    },
    Command {
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed \
                  keys.",
        since: "7.2.0",
        grammar: "enabled=(ON | OFF)",
        handler: no_touch,
        ..subcommand("no-touch")
    },
    Command {
        summary: "Instructs the server whether to reply to commands.",
        since: "3.2.0",
        grammar: "action=(ON | OFF | SKIP)",
        handler: reply,
        ..subcommand("reply")
    },
    Command {
        summary: "Sets information specific to the client or connection.",
        since: "7.2.0",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "attr=(LIB-NAME libname | LIB-VER libver)",
        handler: setinfo,
        ..subcommand("setinfo")
    },
    Command {
        summary: "Sets the connection name.",
        since: "2.6.9",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        grammar: "connection-name",
        handler: setname,
        ..subcommand("setname")
    },
    Command {
        summary: "Unblocks a client blocked by a blocking command from a different connection.",
        since: "5.0.0",
        complexity: "O(log N) where N is the number of client connections",
        flags: FLAGS | flag::ADMIN,
        grammar: "client-id:integer unblock-type=[TIMEOUT | ERROR]",
        handler: unblock,
        ..subcommand("unblock")
    },
];

/// What CLIENT HELP prints of the subcommands that are here.
const HELP: &[&str] = &[
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
];

fn id(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer(call.client.id as i64);
    Ok(())
}

fn getname(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let labels = call.client.labels();
    if labels.name.is_empty() {
        call.out.null();
    } else {
        call.out.bulk(&labels.name);
    }
    Ok(())
}

fn setname(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_name(call.words[2])?;
    call.client.labels().name = call.words[2].to_vec();
    call.out.ok();
    Ok(())
}

/// Refuses a name that would break the lines of CLIENT LIST.
pub(super) fn check_name(name: &[u8]) -> Result<(), Error> {
    if is_plain(name) {
        return Ok(());
    }
    Err(Error::err("Client names cannot contain spaces, newlines or special characters."))
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn setinfo(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (option, value) = (call.words[2], call.words[3]);
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        return Err(Error::repeating("Unrecognized option '", option, "'"));
    }
    if !is_plain(value) {
        let why = " cannot contain spaces, newlines or special characters.";
        return Err(Error::repeating("", option, why));
    }
    let mut labels = call.client.labels();
    let label = if is_name { &mut labels.library_name } else { &mut labels.library_version };
    *label = value.to_vec();
    call.out.ok();
    Ok(())
}

fn reply(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.words[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            call.client.reply = ReplyMode::On;
            call.out.ok();
        }
        b"off" => call.client.reply = ReplyMode::Off,
        b"skip" if call.client.reply != ReplyMode::Off => call.client.reply = ReplyMode::SkipNext,
        b"skip" => {}
        _ => return Err(Error::SYNTAX),
    }
    Ok(())
}

fn no_evict(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.no_evict = parse_on_off(call.words[2])?;
    call.out.ok();
    Ok(())
}

fn no_touch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.no_touch = parse_on_off(call.words[2])?;
    call.out.ok();
    Ok(())
}

/// Ends the wait of another session.
fn unblock(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let how = match &call.words[3..] {
        [] => Release::Timeout,
        [word] if word.eq_ignore_ascii_case(b"timeout") => Release::Timeout,
        [word] if word.eq_ignore_ascii_case(b"error") => Release::Error,
        [_] => return Err(Error::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => {
            let start = "unknown subcommand or wrong number of arguments for '";
            return Err(Error::repeating(start, call.words[1], "'. Try CLIENT HELP."));
        }
    };
    let id = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let card = call.env.sessions.card(id as u64);
    let waiter = card.and_then(|card| card.waiter.lock().clone());
    let released = waiter.is_some_and(|waiter| waiter.release(Ok(how), &call.env.post));
    call.out.integer(released.into());
    Ok(())
}

fn parse_on_off(word: &[u8]) -> Result<bool, Error> {
    match word.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    call.client.card();
    call.client.publish(now_ms);
    let mut lines = Vec::new();
    write_line(call.client.card(), now_ms, &mut lines);
    call.out.verbatim(b"txt", &lines);
    Ok(())
}

/// Which sessions CLIENT LIST shows.
enum Shown {
    All,
    /// Those of a class that no session is in.
    None,
    /// Those that listen, or those that do not.
    Listening(bool),
    Ids(Vec<u64>),
}

impl Shown {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        match words {
            [] => Ok(Self::All),
            [word, class] if word.eq_ignore_ascii_case(b"type") => parse_class(class),
            [word, ids @ ..] if word.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
                let ids = ids.iter().map(|id| parse_i64(id).map(|id| id as u64));
                let ids: Option<Vec<u64>> = ids.collect();
                Ok(Self::Ids(ids.ok_or(Error::err("Invalid client ID"))?))
            }
            _ => Err(Error::SYNTAX),
        }
    }
}

fn parse_class(class: &[u8]) -> Result<Shown, Error> {
    match class.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(Shown::Listening(false)),
        b"pubsub" => Ok(Shown::Listening(true)),
        b"slave" | b"replica" | b"master" => Ok(Shown::None),
        _ => Err(Error::repeating("Unknown client type '", class, "'")),
    }
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let sessions = &call.env.sessions;
    let cards = match Shown::parse(&call.words[2..])? {
        Shown::All => sessions.cards(),
        Shown::None => Vec::new(),
        Shown::Listening(listening) => {
            let cards = sessions.cards().into_iter();
            cards.filter(|card| card.is_listening() == listening).collect()
        }
        Shown::Ids(ids) => ids.into_iter().filter_map(|id| sessions.card(id)).collect(),
    };
    let now_ms = call.time.unix_ms();
    call.client.publish(now_ms);
    let mut lines = Vec::new();
    cards.iter().for_each(|card| write_line(card, now_ms, &mut lines));
    call.out.verbatim(b"txt", &lines);
    Ok(())
}

/// Appends the line of one session. It has no file descriptor that we know of, and replies are
/// written into one buffer, not a list.
fn write_line(card: &Card, now_ms: u64, out: &mut Vec<u8>) {
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let Labels { peer, local, name, library_name, library_version } = card.labels().clone();
    let (peer, local) = (address_or_unknown(&peer), address_or_unknown(&local));
    let (age, idle) = (seconds_since(card.opened_ms), seconds_since(card.seen_ms.load(Relaxed)));
    let start = format!("id={} addr={peer} laddr={local} fd=-1 name=", card.id);
    out.extend_from_slice(start.as_bytes());
    out.extend_from_slice(&name);
    let marks = card.marks.load(Relaxed);
    let query_len = card.query_len.load(Relaxed);
    let query_free = card.query_room.load(Relaxed).saturating_sub(query_len);
    let output_len = card.output_len.load(Relaxed);
    let output_room = card.output_room.load(Relaxed);
    let [channels, patterns, shard_channels] =
        card.subscriptions.each_ref().map(|n| n.load(Relaxed));
    let queued = card.queued.load(Relaxed) as i64 - 1;
    let middle = format!(
        " age={age} idle={idle} flags={} db={} sub={channels} psub={patterns} \
         ssub={shard_channels} multi={queued} qbuf={query_len} \
         qbuf-free={query_free} argv-mem=0 multi-mem={} rbs={output_room} rbp={output_room} \
         obl={output_len} oll=0 omem={} tot-mem={} events={} cmd={} user=default redir=-1 resp={} \
         lib-name=",
        flag_letters(card, marks, peer),
        card.db.load(Relaxed),
        card.queued_bytes.load(Relaxed),
        card.mailbox.weight(),
        card.footprint(),
        if output_len > 0 { "rw" } else { "r" },
        card.last_command().unwrap_or("NULL"),
        if marks & mark::RESP3 != 0 { 3 } else { 2 },
    );
    out.extend_from_slice(middle.as_bytes());
    out.extend_from_slice(&library_name);
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&library_version);
    out.push(b'\n');
}

fn address_or_unknown(address: &str) -> &str {
    if address.is_empty() { "?:0" } else { address }
}

/// The letters for what a session is, in Redis's order.
fn flag_letters(card: &Card, marks: usize, peer: &str) -> String {
    let letters = [
        (card.is_listening(), 'P'),
        (card.queued.load(Relaxed) > 0, 'x'),
        (card.is_waiting(), 'b'),
        (marks & mark::CLOSING != 0, 'c'),
        (is_unix_socket(peer), 'U'),
        (marks & mark::READONLY != 0, 'r'),
        (marks & mark::NO_EVICT != 0, 'e'),
        (marks & mark::NO_TOUCH != 0, 'T'),
    ];
    let set: String = letters.into_iter().filter(|(set, _)| *set).map(|(_, c)| c).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}
