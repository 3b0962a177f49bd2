//! Whether one copy of a key could have answered as all nodes together did: a naive twin of each type,
//! and the search for an order of what was asked in which the twin answers the same.
//!
//! The search is that of Wing and Gong, with the memory of Lowe: an order is built up from the front,
//! of what was not over before another began; what was tried with the same commands done and the same
//! content is not tried again. What was never answered may have happened at any time, or not at all.

use keyslot::resp::Reply;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// A command, from when to when it was under way, and what was answered.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) words: Vec<String>,
    pub(crate) began: u64,
    /// With the answer; none if there was none.
    pub(crate) ended: Option<(u64, String)>,
}

/// The most commands on one key that are searched through.
pub(crate) const COMMANDS_MAX: usize = 120;

/// After so many tries a search is given up: there may be an order.
const TRIES_MAX: usize = 20_000;

/// Whether there is an order of these commands in which one copy answers the same, or the search for
/// it takes too long.
pub(crate) fn is_linearizable(commands: &[Done]) -> bool {
    assert!(commands.len() <= 128, "a set of commands is a number of 128 bits");
    let mut tried = HashSet::new();
    search(commands, 0, &Twin::Nothing, &mut tried)
}

fn search(commands: &[Done], done: u128, twin: &Twin, tried: &mut HashSet<(u128, Twin)>) -> bool {
    let left = || commands.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
    let ends = left().filter_map(|(_, one)| one.ended.as_ref().map(|(at, _)| *at));
    let Some(first_end) = ends.min() else { return true };
    if tried.len() >= TRIES_MAX {
        return true;
    }
    if !tried.insert((done, twin.clone())) {
        return false;
    }
    for (at, one) in left().filter(|(_, one)| one.began <= first_end) {
        let mut next = twin.clone();
        let answer = next.answer(&one.words);
        let fits = one.ended.as_ref().is_none_or(|(_, told)| *told == answer);
        if fits && search(commands, done | 1 << at, &next, tried) {
            return true;
        }
    }
    false
}

/// What a key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Twin {
    #[default]
    Nothing,
    Text(String),
    Hash(BTreeMap<String, String>),
    List(VecDeque<String>),
    Set(BTreeSet<String>),
    Scored(BTreeMap<String, i64>),
}

const NULL: &str = "null";

impl Twin {
    fn answer(&mut self, words: &[String]) -> String {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = words[0];
        let answer = match name {
            "SET" | "GET" | "GETDEL" | "APPEND" => self.answer_text(&words),
            "HSET" | "HGET" | "HDEL" => self.answer_hash(&words),
            "RPUSH" | "LPOP" | "LRANGE" => self.answer_list(&words),
            "SADD" | "SREM" | "SCARD" => self.answer_set(&words),
            _ => self.answer_scored(&words),
        };
        let is_empty = match self {
            Self::Nothing | Self::Text(_) => false,
            Self::Hash(fields) => fields.is_empty(),
            Self::List(elements) => elements.is_empty(),
            Self::Set(members) => members.is_empty(),
            Self::Scored(members) => members.is_empty(),
        };
        if is_empty {
            *self = Self::Nothing;
        }
        answer
    }

    fn answer_text(&mut self, words: &[&str]) -> String {
        let before = match self {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        };
        match words[0] {
            "SET" => {
                *self = Self::Text(words[2].to_owned());
                "OK".to_owned()
            }
            "APPEND" => {
                let text = before.unwrap_or_default() + words[2];
                let len = text.len();
                *self = Self::Text(text);
                len.to_string()
            }
            name => {
                if name == "GETDEL" {
                    *self = Self::Nothing;
                }
                before.unwrap_or_else(|| NULL.to_owned())
            }
        }
    }

    fn answer_hash(&mut self, words: &[&str]) -> String {
        if *self == Self::Nothing {
            *self = Self::Hash(BTreeMap::new());
        }
        let Self::Hash(fields) = self else { return "WRONGTYPE".to_owned() };
        match words[0] {
            "HSET" => {
                let is_new = fields.insert(words[2].to_owned(), words[3].to_owned()).is_none();
                u8::from(is_new).to_string()
            }
            "HGET" => fields.get(words[2]).cloned().unwrap_or_else(|| NULL.to_owned()),
            _ => u8::from(fields.remove(words[2]).is_some()).to_string(),
        }
    }

    fn answer_list(&mut self, words: &[&str]) -> String {
        if *self == Self::Nothing {
            *self = Self::List(VecDeque::new());
        }
        let Self::List(elements) = self else { return "WRONGTYPE".to_owned() };
        match words[0] {
            "RPUSH" => {
                elements.push_back(words[2].to_owned());
                elements.len().to_string()
            }
            "LPOP" => elements.pop_front().unwrap_or_else(|| NULL.to_owned()),
            _ => format!("[{}]", Vec::from(elements.clone()).join(" ")),
        }
    }

    fn answer_set(&mut self, words: &[&str]) -> String {
        if *self == Self::Nothing {
            *self = Self::Set(BTreeSet::new());
        }
        let Self::Set(members) = self else { return "WRONGTYPE".to_owned() };
        match words[0] {
            "SADD" => u8::from(members.insert(words[2].to_owned())).to_string(),
            "SREM" => u8::from(members.remove(words[2])).to_string(),
            _ => members.len().to_string(),
        }
    }

    fn answer_scored(&mut self, words: &[&str]) -> String {
        if *self == Self::Nothing {
            *self = Self::Scored(BTreeMap::new());
        }
        let Self::Scored(members) = self else { return "WRONGTYPE".to_owned() };
        match words[0] {
            "ZADD" => u8::from(members.insert(words[3].to_owned(), 5).is_none()).to_string(),
            "ZINCRBY" => {
                let score = members.entry(words[3].to_owned()).or_default();
                *score += 1;
                score.to_string()
            }
            "ZREM" => u8::from(members.remove(words[2]).is_some()).to_string(),
            _ => {
                let mut all: Vec<(&i64, &String)> =
                    members.iter().map(|(member, score)| (score, member)).collect();
                all.sort();
                let all: Vec<String> =
                    all.iter().map(|(score, member)| format!("{member} {score}")).collect();
                format!("[{}]", all.join(" "))
            }
        }
    }
}

/// A node's answer in the words of the twins.
pub(crate) fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) | Reply::Bulk(text) | Reply::Error(text) => {
            String::from_utf8_lossy(text).into_owned()
        }
        Reply::Integer(value) => value.to_string(),
        Reply::Null => NULL.to_owned(),
        Reply::Array(replies) => {
            let replies: Vec<String> = replies.iter().map(in_words).collect();
            format!("[{}]", replies.join(" "))
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(line: &str, began: u64, ended: Option<(u64, &str)>) -> Done {
        let words = line.split(' ').map(str::to_owned).collect();
        Done { words, began, ended: ended.map(|(at, told)| (at, told.to_owned())) }
    }

    #[test]
    fn orders_are_found_where_there_are_some() {
        let at_once = [
            done("SET k a", 0, Some((9, "OK"))),
            done("GETDEL k", 1, Some((8, "a"))),
            done("GET k", 2, Some((3, "a"))),
            done("GET k", 7, Some((8, "null"))),
        ];
        assert!(is_linearizable(&at_once));
        let unanswered = [
            done("RPUSH k a", 0, None),
            done("LRANGE k 0 -1", 5, Some((6, "[]"))),
            done("LPOP k", 7, Some((8, "a"))),
        ];
        assert!(is_linearizable(&unanswered));
    }

    #[test]
    fn what_no_copy_could_have_answered_is_caught() {
        let stale = [done("SADD k a", 0, Some((1, "1"))), done("SCARD k", 2, Some((3, "0")))];
        assert!(!is_linearizable(&stale));
        let twice = [
            done("RPUSH k a", 0, None),
            done("LPOP k", 1, Some((2, "a"))),
            done("LPOP k", 1, Some((2, "a"))),
        ];
        assert!(!is_linearizable(&twice));
        let risen = [
            done("HSET k f v", 0, Some((1, "1"))),
            done("HDEL k f", 2, Some((3, "1"))),
            done("HGET k f", 4, Some((5, "v"))),
        ];
        assert!(!is_linearizable(&risen));
        let wrong_order =
            [done("ZINCRBY k 1 m", 0, Some((1, "1"))), done("ZINCRBY k 1 m", 2, Some((3, "1")))];
        assert!(!is_linearizable(&wrong_order));
    }
}
