//! The line of a session in CLIENT LIST and CLIENT INFO.

use crate::command::card::{Card, Labels, Traffic, mark};
use crate::command::client::is_unix_socket;
use crate::command::tracking::option;
use std::sync::atomic::Ordering::Relaxed;

/// The line of one session, without its end.
pub(in crate::command) fn line(card: &Card, now_ms: u64) -> Vec<u8> {
    let mut line = Vec::new();
    write_line(card, now_ms, &mut line);
    line.pop();
    line
}

/// Appends the line of one session. It has no file descriptor that we know of, and replies are
/// written into one buffer, not a list.
pub(super) fn write_line(card: &Card, now_ms: u64, out: &mut Vec<u8>) {
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let Labels { peer, local, name, user, library_name, library_version } = card.labels().clone();
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
    let letters = card.mailbox.len();
    let queued = card.queued.load(Relaxed) as i64 - 1;
    let middle = format!(
        " age={age} idle={idle} flags={} db={} sub={channels} psub={patterns} \
         ssub={shard_channels} multi={queued} watch={} qbuf={query_len} \
         qbuf-free={query_free} argv-mem={} multi-mem={} rbs={output_room} rbp={output_room} \
         obl={output_len} oll={letters} omem={} tot-mem={} events={} cmd={} user=",
        flag_letters(card, marks, peer),
        card.db.load(Relaxed),
        card.watching().0,
        card.waiting_bytes(),
        card.queued_bytes.load(Relaxed),
        card.mailbox.weight(),
        card.footprint(),
        if output_len + letters > 0 { "rw" } else { "r" },
        card.last_command().unwrap_or("NULL"),
    );
    out.extend_from_slice(middle.as_bytes());
    out.extend_from_slice(if user.is_empty() { b"default" } else { &user });
    let protocol = if marks & mark::RESP3 != 0 { 3 } else { 2 };
    let redirect = card.tracker.redirect().map_or(-1, |id| id as i64);
    out.extend_from_slice(format!(" redir={redirect} resp={protocol} lib-name=").as_bytes());
    out.extend_from_slice(&library_name);
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&library_version);
    let Traffic { input_bytes, output_bytes, .. } = card.traffic();
    let end = format!(" tot-net-in={input_bytes} tot-net-out={output_bytes}\n");
    out.extend_from_slice(end.as_bytes());
}

pub(super) fn address_or_unknown(address: &str) -> &str {
    if address.is_empty() { "?:0" } else { address }
}

/// The letters for what a session is, in Redis's order.
fn flag_letters(card: &Card, marks: usize, peer: &str) -> String {
    let options = card.tracker.options.load(Relaxed);
    let letters = [
        (marks & mark::MONITOR != 0, 'O'),
        (card.is_listening(), 'P'),
        (card.queued.load(Relaxed) > 0, 'x'),
        (card.is_waiting() || marks & mark::PARKED != 0, 'b'),
        (options & option::ON != 0, 't'),
        (card.tracker.is_broken.load(Relaxed), 'R'),
        (options & option::BCAST != 0, 'B'),
        (card.watching().1, 'd'),
        (marks & mark::CLOSING != 0, 'c'),
        (is_unix_socket(peer), 'U'),
        (marks & mark::READONLY != 0, 'r'),
        (marks & mark::NO_EVICT != 0, 'e'),
        (marks & mark::NO_TOUCH != 0, 'T'),
    ];
    let set: String = letters.into_iter().filter(|(set, _)| *set).map(|(_, c)| c).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}
