//! MONITOR: sessions that are shown every command that is carried out, as a line of text each.
//!
//! With nobody looking, a command costs a test of a flag. Typed calls of the host are no commands and
//! are not shown.

use super::call::Call;
use super::card::Card;
use super::client::{ClientState, is_unix_socket};
use super::environment::Environment;
use super::mailbox::Letter;
use super::secrets::redact;
use super::table::{Command, Group, Spec, flag};
use crate::error::Error;
use parking_lot::Mutex;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(super) const MONITOR: Command = Command {
    name: "monitor",
    summary: "Listens for all requests received by the server in real-time.",
    complexity: "",
    group: Group::Server,
    flags: flag::ADMIN | flag::NOSCRIPT | flag::LOADING | flag::STALE,
    handler: monitor,
    ..Command::DEFAULT
};

/// Who is shown what is carried out.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    any: AtomicBool,
    cards: Mutex<Vec<Arc<Card>>>,
}

impl Monitors {
    /// Whether anybody looks.
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Relaxed)
    }

    fn join(&self, card: Arc<Card>) {
        let mut cards = self.cards.lock();
        cards.push(card);
        self.any.store(true, Relaxed);
    }

    fn leave(&self, id: u64) {
        let mut cards = self.cards.lock();
        cards.retain(|card| card.id != id);
        self.any.store(!cards.is_empty(), Relaxed);
    }
}

impl ClientState {
    /// Looks no longer.
    pub(crate) fn leave_monitors(&mut self, env: &Environment) {
        if std::mem::take(&mut self.monitors) {
            env.monitors.leave(self.id);
        }
    }
}

/// Answers nothing to a session that looks already.
fn monitor(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let in_exec = call.client.is_in_exec;
    let card = call.client.card.clone().filter(|card| card.id != 0 && !in_exec);
    let card = card.ok_or(Error::err("MONITOR isn't allowed for DENY BLOCKING client"))?;
    if !call.client.monitors {
        call.client.monitors = true;
        call.env.monitors.join(card);
        call.out.ok();
    }
    Ok(())
}

/// Whether a command is shown before it is carried out. The others are shown after, which puts a
/// script before the commands that it gives, and those of a transaction before EXEC.
pub(crate) fn is_shown_first(spec: &Spec) -> bool {
    spec.flags & flag::SKIP_MONITOR != 0
}

impl Environment {
    /// Shows a command to those who look, unless it is one of those that administer.
    #[cold]
    pub(crate) fn show(&self, spec: &Spec, words: &[&[u8]], client: &ClientState, now_ms: u64) {
        if spec.flags & flag::ADMIN != 0 || client.retries {
            return;
        }
        let line: Arc<[u8]> = line(&redact(spec, words), client, now_ms).into();
        let limit = self.config.output_limit();
        for card in &*self.monitors.cards.lock() {
            self.leave_letter(card, Letter::Line(line.clone()), limit, now_ms);
        }
    }
}

/// `+1339518083.107000 [0 127.0.0.1:60866] "keys" "*"`
fn line(words: &[&[u8]], client: &ClientState, now_ms: u64) -> Vec<u8> {
    let mut line = format!("+{}.{:03}000 [{} ", now_ms / 1000, now_ms % 1000, client.db);
    line.push_str(&source(client));
    line.push(']');
    let mut line = line.into_bytes();
    for word in words {
        line.extend_from_slice(b" \"");
        escape(word, &mut line);
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Where a command comes from.
fn source(client: &ClientState) -> String {
    if client.is_in_script {
        return "lua".to_owned();
    }
    let labels = client.card.as_ref().map(|card| card.labels().clone());
    let labels = labels.unwrap_or_default();
    match labels.peer.strip_suffix(":0") {
        Some(path) if is_unix_socket(&labels.peer) => format!("unix:{path}"),
        _ if labels.peer.is_empty() => "?:0".to_owned(),
        _ => labels.peer,
    }
}

/// Appends a word as it stands between quotes.
fn escape(word: &[u8], out: &mut Vec<u8>) {
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => write!(out, "\\x{byte:02x}").expect("a vector takes everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&[u8]]) -> String {
        let line = line(words, &ClientState::default(), 1_339_518_083_107);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn words_are_escaped_so_that_a_line_stays_a_line() {
        assert_eq!(
            shown(&[b"SET", b"a \"\\\r\n\t\x07\x08\x00\xff", b""]),
            "+1339518083.107000 [0 ?:0] \"SET\" \"a \\\"\\\\\\r\\n\\t\\a\\b\\x00\\xff\" \"\"\r\n"
        );
    }
}
