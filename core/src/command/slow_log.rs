//! The slow log: the last calls that took long, and SLOWLOG, which shows them.

use super::call::Call;
use super::secrets::redact;
use super::table::{Command, Group, Spec, flag};
use crate::error::Error;
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use parking_lot::Mutex;
use std::collections::VecDeque;

const fn subcommand(name: &'static str) -> Command {
    let flags = flag::ADMIN | flag::LOADING | flag::STALE;
    Command { name, since: "2.2.12", group: Group::Server, flags, ..Command::DEFAULT }
}

pub(super) const SLOWLOG: Command = Command {
    name: "slowlog",
    summary: "A container for slow log commands.",
    since: "2.2.12",
    group: Group::Server,
    subcommands: &[
        Command {
            summary: "Returns the slow log's entries.",
            complexity: "O(N) where N is the number of entries returned",
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            grammar: "[count:integer]",
            history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
            handler: get,
            ..subcommand("get")
        },
        Command { since: "6.2.0", group: Group::Server, ..Command::HELP },
        Command {
            summary: "Returns the number of entries in the slow log.",
            tips: &[
                "request_policy:all_nodes",
                "response_policy:agg_sum",
                "nondeterministic_output",
            ],
            handler: len,
            ..subcommand("len")
        },
        Command {
            summary: "Clears all entries from the slow log.",
            complexity: "O(N) where N is the number of entries in the slowlog",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset,
            ..subcommand("reset")
        },
    ],
    help: &[
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
    ],
    ..Command::CONTAINER
};

/// Words of a call that an entry keeps, and bytes of each.
const WORDS_MAX: usize = 32;
const WORD_BYTES_MAX: usize = 128;

/// A call that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCall {
    /// Counts the entries since the engine was opened, from zero on.
    pub id: u64,
    /// When the call was over, in seconds since the Unix epoch.
    pub unix_s: u64,
    /// How long it took, in microseconds.
    pub us: u64,
    /// Its words, without secrets. The last one says how many more there are, and the end of each
    /// how many more bytes, where they are cut short.
    pub words: Vec<Vec<u8>>,
    /// Where the client is, as `ip:port` or `path:0`; `?:0` within the process.
    pub peer: String,
    /// The name that the session gave itself.
    pub name: Vec<u8>,
}

/// The last calls that took long, the newest first.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    calls: VecDeque<SlowCall>,
    next_id: u64,
}

impl SlowLog {
    /// Takes in a call, and keeps no more than `len_max`.
    #[cold]
    pub(crate) fn note(
        &self,
        spec: &Spec,
        words: &[&[u8]],
        (us, now_ms): (u64, u64),
        (peer, name): (String, Vec<u8>),
        len_max: usize,
    ) {
        let words = cut(&redact(spec, words));
        let mut entries = self.entries.lock();
        let id = entries.next_id;
        entries.next_id += 1;
        entries.calls.push_front(SlowCall { id, unix_s: now_ms / 1000, us, words, peer, name });
        entries.calls.truncate(len_max);
    }

    /// The newest calls, up to a number of them.
    pub(crate) fn newest(&self, count: usize) -> Vec<SlowCall> {
        self.entries.lock().calls.iter().take(count).cloned().collect()
    }

    /// How many calls are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().calls.len()
    }

    fn clear(&self) {
        self.entries.lock().calls.clear();
    }
}

fn cut(words: &[&[u8]]) -> Vec<Vec<u8>> {
    let shown = if words.len() > WORDS_MAX { WORDS_MAX - 1 } else { words.len() };
    let mut cut: Vec<Vec<u8>> = words[..shown].iter().map(|word| cut_word(word)).collect();
    if shown < words.len() {
        cut.push(format!("... ({} more arguments)", words.len() - shown).into());
    }
    cut
}

fn cut_word(word: &[u8]) -> Vec<u8> {
    let mut text = word[..word.len().min(WORD_BYTES_MAX)].to_vec();
    if word.len() > WORD_BYTES_MAX {
        text.extend(format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX).bytes());
    }
    text
}

fn get(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let count = match &call.words[2..] {
        [] => 10,
        [word] => parse_i64(word)
            .filter(|&count| count >= -1)
            .ok_or(Error::err("count should be greater than or equal to -1"))?,
        _ => {
            let start = "unknown subcommand or wrong number of arguments for '";
            return Err(Error::repeating(start, call.words[1], "'. Try SLOWLOG HELP."));
        }
    };
    // Minus one stands for all.
    let entries = call.env.slow_log.newest(usize::try_from(count).unwrap_or(usize::MAX));
    call.out.array(entries.len());
    entries.iter().for_each(|entry| write(call.out, entry));
    Ok(())
}

fn write(out: &mut dyn ReplySink, entry: &SlowCall) {
    out.array(6);
    out.integer(entry.id as i64);
    out.integer(entry.unix_s as i64);
    out.integer(entry.us as i64);
    out.array(entry.words.len());
    entry.words.iter().for_each(|word| out.bulk(word));
    out.bulk(entry.peer.as_bytes());
    out.bulk(&entry.name);
}

fn len(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer(call.env.slow_log.len() as i64);
    Ok(())
}

fn reset(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.env.slow_log.clear();
    call.out.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_calls_are_cut() {
        let long = [b'x'; 130];
        let words = vec![&long[..]; 33];
        let cut = cut(&words);
        assert_eq!(cut.len(), 32);
        let expected = [&long[..128], b"... (2 more bytes)"].concat();
        assert!(cut[..31].iter().all(|word| *word == expected));
        assert_eq!(cut[31], b"... (2 more arguments)");
        assert_eq!(super::cut(&words[..32]).len(), 32);
        assert_eq!(cut_word(&long[..128]), &long[..128]);
    }
}
