//! Conversations of several sessions at once, interleaved by chance, with an engine and with a
//! redis-server: transactions with watched keys, messages, commands that wait, and what happens to
//! keys. After each
//! command everything that any session has to read by then is compared.
//!
//! ```text
//! cargo test -p keyslot-differential --test sessions                           the short form
//! KEYSLOT_COMMANDS=100000 cargo test -p keyslot-differential --test sessions   the long form
//! ```
//! A failure prints the seed and the shortest conversation that shows it.

mod chance;
#[path = "sessions/chat.rs"]
mod chat;
mod shrink;
#[path = "sessions/side.rs"]
mod side;

use chance::{number_from_environment, seed};
use chat::{Line, Talk};
use side::{Frames, Keyslot, Redis, Side};

/// Lines of a conversation before the next one starts from empty.
const TALK_LEN: u64 = 400;

/// Lines in one test, unless KEYSLOT_COMMANDS says otherwise.
const LINES: u64 = 8_000;

/// Carries out a conversation on both sides. Fails with the number of lines that lead to a
/// difference, and with what was to be read.
fn run(ours: &mut Keyslot, theirs: &mut Redis, lines: &[Line]) -> Result<(), (usize, String)> {
    ours.restart();
    theirs.restart();
    for (number, line) in lines.iter().enumerate() {
        let (ours, theirs) = (ours.say(line), theirs.say(line));
        let (ours, theirs) = (ours.map(comparable), theirs.map(comparable));
        if ours != theirs {
            let text = format!("{line}\n  keyslot: {ours:?}\n  redis:   {theirs:?}");
            return Err((number + 1, text));
        }
    }
    Ok(())
}

/// What is compared of what one session has to read: its replies, its pushes, and what it hears of
/// copies that are out of date, the first two each in order, since Redis 7.0 lets a session read its own message
/// before the reply, and 7.2 after it.
fn comparable(frames: Vec<Frames>) -> Vec<[Vec<String>; 3]> {
    let apart = |frames: Frames| {
        let (invalid, frames): (Vec<_>, Vec<_>) =
            frames.into_iter().partition(|frame| frame.contains("invalidate"));
        let (mut pushes, mut replies): (Vec<_>, Vec<_>) =
            frames.into_iter().partition(|frame| frame.starts_with("Push"));
        // A message that matches several patterns comes in the order of a table in Redis.
        let is_matched = |frame: &String| frame.contains("Bulk(b\"pmessage\")");
        for frames in [&mut pushes, &mut replies] {
            for run in frames.chunk_by_mut(|one, other| is_matched(one) && is_matched(other)) {
                run.sort_unstable();
            }
        }
        [replies, pushes, each_key(&invalid)]
    };
    frames.into_iter().map(apart).collect()
}

/// What is said of copies that are out of date, once for each key: Redis tells of all keys that
/// sessions changed which it served in a turn, and we of those that each of them changed.
fn each_key(invalid: &[String]) -> Vec<String> {
    let of_frame = |frame: &String| {
        let start = frame.rfind("Array([").filter(|&start| start > 0);
        let (head, keys) = frame.split_at(start.unwrap_or(frame.len()));
        let keys = keys.trim_start_matches("Array([").split(", ");
        let lines = keys.map(|key| format!("{head}{}", key.trim_end_matches([']', ')', ' '])));
        lines.collect::<Vec<_>>()
    };
    let each: std::collections::BTreeSet<String> = invalid.iter().flat_map(of_frame).collect();
    each.into_iter().collect()
}

#[test]
fn sessions_see_of_each_other_what_they_see_in_redis() {
    let seed = seed();
    let lines = number_from_environment("KEYSLOT_COMMANDS").unwrap_or(LINES);
    println!("KEYSLOT_SEED={seed} KEYSLOT_COMMANDS={lines}");
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    for number in 0..lines.div_ceil(TALK_LEN) {
        let mut talk = Talk::new(seed ^ (number << 40));
        let talked: Vec<_> = (0..TALK_LEN).map(|_| talk.line()).collect();
        if let Err((len, first)) = run(&mut ours, &mut theirs, &talked) {
            let fails = |lines: &[Line]| run(&mut ours, &mut theirs, lines).is_err();
            let fewest = shrink::shrink(talked[..len].to_vec(), fails);
            let text: Vec<_> = fewest.iter().map(Line::to_string).collect();
            let last = run(&mut ours, &mut theirs, &fewest).err().map(|(_, text)| text);
            panic!(
                "KEYSLOT_SEED={seed}, conversation {number}: {} of {len} lines are enough:\n{}\ndiffer \
                 in\n{}",
                fewest.len(),
                text.join("\n"),
                last.unwrap_or(first)
            );
        }
    }
}
